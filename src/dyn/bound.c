/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/bound.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dyn/repair.h"
#include "ops/ops.h"
#include "pass/pass.h"

static bool depends(const tarn_symtab *t, tarn_dim d, tarn_dim sym)
{
	int64_t v;
	if (tarn_dim_is_int(d, &v))
		return false;
	if (d == sym)
		return true;
	const tarn_sym *s = tarn_sym_get(t, d);
	return s->op != TARN_SYM_NAMED && (depends(t, s->a, sym) || depends(t, s->b, sym));
}

/* ---- finding the dimension
 * ------------------------------------------------------------------------------------------------------- */

static tarn_err list_free(const tarn_model *m, const char *name)
{
	tarn_str s = {0};
	for (size_t i = 0; i < m->main->input.len; i++) {
		const tarn_value *v = m->main->input.at[i];
		for (int k = 0; k < v->shape.rank; k++)
			if (v->shape.dim[k] < 0) {
				tarn_str_addf(&s, "%s%s[%d] (", s.len ? ", " : "", v->name, k);
				tarn_dim_print(&s, &m->syms, v->shape.dim[k]);
				tarn_str_add(&s, ")");
			}
	}
	tarn_err err =
		tarn_err_set(TARN_NOT_FOUND, "no free dimension is called '%s'; there %s", name, s.len ? "are" : "are none");
	if (s.len)
		err = tarn_err_set(TARN_NOT_FOUND, "no free dimension is called '%s'; there are %s", name, s.at);
	tarn_str_fini(&s);
	return err;
}

static tarn_err find_symbol(const tarn_model *m, const char *name, tarn_dim *sym)
{
	char text[300];
	for (size_t i = 0; i < m->main->input.len; i++) {
		const tarn_value *v = m->main->input.at[i];
		for (int k = 0; k < v->shape.rank; k++) {
			tarn_dim d = v->shape.dim[k];
			if (d >= 0)
				continue;
			const char *word = tarn_sym_get(&m->syms, d)->name;
			snprintf(text, sizeof text, "%.250s[%d]", v->name, k);
			if ((word && !strcmp(word, name)) || !strcmp(text, name)) {
				*sym = d;
				return TARN_OK;
			}
		}
	}
	return list_free(m, name);
}

/* ---- what each node needs
 * ---------------------------------------------------------------------------------------------------------- */

static tarn_err refuse(const tarn_node *n, int axis, const char *name, const char *why)
{
	return tarn_err_set(TARN_UNSUPPORTED, "'%s' cannot be padded: axis %d of node '%s' (%s): %s", name, axis, n->name,
			    n->op->name, why);
}

/* The length used as a number (a mean made by hand, say) would become the maximum. */
static bool length_as_number(const tarn_symtab *t, const tarn_node *n, tarn_dim sym)
{
	bool uses = false;
	for (int i = 0; i < n->n_in; i++)
		for (int k = 0; n->in[i] && k < n->in[i]->n_known; k++)
			uses |= depends(t, n->in[i]->known[k], sym);
	return uses && n->out[0] && tarn_dtype_is_float(n->out[0]->type) && n->op->flags & TARN_OP_ELEMENTWISE;
}

static tarn_err check_outputs(const tarn_model *m, const tarn_node *n, tarn_dim sym, const char *name)
{
	for (int i = 0; i < n->n_out; i++) {
		const tarn_value *v = n->out[i];
		if (!v)
			continue;
		CHECK(v->shape.rank >= 0, TARN_UNSUPPORTED,
		      "'%s' cannot be padded: the shape of '%s' (node '%s', %s) is not known", name, v->name, n->name,
		      n->op->name);
		for (int k = 0; k < v->shape.rank; k++)
			if (v->shape.dim[k] != sym && depends(&m->syms, v->shape.dim[k], sym))
				return refuse(
					n, k, name,
					"its size there is computed from the length, so that another part of it is valid");
	}
	return TARN_OK;
}

static tarn_err need_of(const tarn_node *n, int input, int axis, tarn_pad *p)
{
	*p = (tarn_pad){.node = n,
			.input = input,
			.axis = axis,
			.need = TARN_PAD_UNSAFE,
			.why = "nothing is known of how it treats padding"};
	if (n->op->pad)
		n->op->pad(p);
	else if (n->op->flags & TARN_OP_ELEMENTWISE)
		p->need = TARN_PAD_ANY;
	return TARN_OK;
}

/* Asks for every padded axis of every input; repairs are noted first and made when all nodes agreed. */
static tarn_err analyse(tarn_repairs *r, tarn_dim sym, const char *name)
{
	tarn_model *m = r->m;
	for (size_t i = 0; i < m->main->node.len; i++) {
		tarn_node *n = m->main->node.at[i];
		TRY(check_outputs(m, n, sym, name));
		if (length_as_number(&m->syms, n, sym))
			return refuse(n, 0, name, "it uses the length as a number");
		for (int k = 0; k < n->n_in; k++) {
			const tarn_value *v = n->in[k];
			for (int a = 0; v && a < v->shape.rank; a++) {
				if (v->shape.dim[a] != sym)
					continue;
				tarn_pad p;
				TRY(need_of(n, k, a, &p));
				if (p.need == TARN_PAD_UNSAFE)
					return refuse(n, a, name, p.why);
				if (p.need != TARN_PAD_ANY)
					TRY(tarn_repairs_note(r, &p));
			}
		}
	}
	return TARN_OK;
}

/* ---- metadata
 * ------------------------------------------------------------------------------------------------------------------------ */

static void add_ports(tarn_str *s, const tarn_graph *g, tarn_dim sym)
{
	for (size_t i = 0; i < g->input.len + g->output.len; i++) {
		bool out = i >= g->input.len;
		const tarn_value *v = out ? g->output.at[i - g->input.len] : g->input.at[i];
		for (int k = 0; k < v->shape.rank; k++)
			if (v->shape.dim[k] == sym)
				tarn_str_addf(s, ";%s:%d:%s", out ? "out" : "in", k, v->name);
	}
}

static tarn_err add_meta(tarn_model *m, const char *name, int64_t max, const char *input, const char *ports)
{
	tarn_meta x = {tarn_arena_printf(&m->arena, "tarn.bound.%s", name),
		       tarn_arena_printf(&m->arena, "%lld;%s%s", (long long)max, input, ports)};
	if (!x.key || !x.value)
		return tarn_err_nomem(256);
	TRY(VEC_GROW(&m->meta));
	m->meta.at[m->meta.len++] = x;
	return TARN_OK;
}

static const char *const prefix = "tarn.bound.";

static int bounds_of(const tarn_model *m)
{
	int n = 0;
	for (size_t i = 0; i < m->meta.len; i++)
		n += !strncmp(m->meta.at[i].key, prefix, strlen(prefix));
	return n;
}

void tarn_bound_fini(tarn_bound *b)
{
	VEC_FINI(&b->port);
	tarn_arena_fini(&b->arena);
	*b = (tarn_bound){0};
}

/* "MAX;LENGTH_INPUT;in:AXIS:NAME;out:AXIS:NAME..." */
static tarn_err parse_meta(const tarn_meta *x, tarn_bound *b)
{
	char *text = tarn_arena_strdup(&b->arena, x->value), *next = NULL;
	b->name = tarn_arena_strdup(&b->arena, x->key + strlen(prefix));
	if (!text || !b->name)
		return tarn_err_nomem(strlen(x->value));
	char *word = strtok_r(text, ";", &next);
	CHECK(word && tarn_str_to_i64(word, &b->max) && b->max > 0, TARN_BAD_FILE, "metadata '%s' is damaged", x->key);
	b->length_input = strtok_r(NULL, ";", &next);
	CHECK(b->length_input, TARN_BAD_FILE, "metadata '%s' is damaged", x->key);
	while ((word = strtok_r(NULL, ";", &next))) {
		bool out = !strncmp(word, "out:", 4);
		char *axis = strchr(word, ':'), *port = axis ? strchr(axis + 1, ':') : NULL;
		int64_t k;
		CHECK(port, TARN_BAD_FILE, "metadata '%s' is damaged", x->key);
		*port = 0;
		CHECK(tarn_str_to_i64(axis + 1, &k) && k >= 0 && k < TARN_MAX_RANK, TARN_BAD_FILE, "metadata '%s' is damaged",
		      x->key);
		TRY(VEC_GROW(&b->port));
		b->port.at[b->port.len].port = port + 1;
		b->port.at[b->port.len].axis = (int)k;
		b->port.at[b->port.len++].output = out;
	}
	return TARN_OK;
}

tarn_err tarn_model_bound_get(const tarn_model *m, int i, tarn_bound *b, bool *found)
{
	*b = (tarn_bound){0};
	*found = false;
	for (size_t k = 0; k < m->meta.len; k++) {
		if (strncmp(m->meta.at[k].key, prefix, strlen(prefix)) || i-- > 0)
			continue;
		*found = true;
		tarn_err err = parse_meta(&m->meta.at[k], b);
		if (err != TARN_OK)
			tarn_bound_fini(b);
		return err;
	}
	return TARN_OK;
}

/* ---- the rewrite
 * --------------------------------------------------------------------------------------------------------------------- */

static tarn_err rewrite(tarn_model *m, const char *name, int64_t max, int *count)
{
	tarn_graph *g = m->main;
	tarn_dim sym = 0;
	tarn_str ports = {0};
	tarn_arena scratch = {0};
	tarn_repairs r = {.m = m, .max = max};
	tarn_err err;
	TRY_GOTO(out, find_symbol(m, name, &sym));
	TRY_GOTO(out, tarn_graph_infer(g));
	TRY_GOTO(out, analyse(&r, sym, name));
	add_ports(&ports, g, sym);
	TRY_GOTO(out, tarn_str_done(&ports));
	size_t inputs = g->input.len;
	tarn_shape *shape = tarn_arena_zalloc(&scratch, inputs + 1, sizeof *shape);
	CHECK_GOTO(out, shape, TARN_NOMEM, "out of memory");
	for (size_t i = 0; i < inputs; i++) {
		shape[i] = g->input.at[i]->shape;
		for (int k = 0; k < shape[i].rank; k++)
			if (shape[i].dim[k] == sym)
				shape[i].dim[k] = max;
	}
	char word[300] = "valid_length";
	if (bounds_of(m))
		snprintf(word, sizeof word, "valid_length.%.250s", name);
	TRY_GOTO(out, tarn_repairs_make(&r, word, sym));
	TRY_GOTO(out, tarn_graph_sort(g));
	shape[inputs].rank = -1;
	TRY_GOTO(out, tarn_model_reshape(m, shape, (int)inputs + 1));
	TRY_GOTO(out, add_meta(m, name, max, r.length->name, ports.at));
	TRY_GOTO(out, tarn_pass_fold(m));
	*count = r.made;
out:
	tarn_repairs_fini(&r);
	tarn_str_fini(&ports);
	tarn_arena_fini(&scratch);
	return err;
}

tarn_err tarn_model_bound(tarn_model **m, const char *name, int64_t max, int *repairs)
{
	CHECK(max >= 1 && max <= 1 << 24, TARN_USAGE, "a bound of %lld for '%s' is out of range; give 1 to 16777216",
	      (long long)max, name);
	tarn_model *copy;
	int count = 0;
	TRY(tarn_model_clone(*m, &copy));
	tarn_err err = rewrite(copy, name, max, &count);
	if (err != TARN_OK) {
		tarn_model_unref(copy);
		return err;
	}
	tarn_model_unref(*m);
	*m = copy;
	if (repairs)
		*repairs = count;
	return TARN_OK;
}
