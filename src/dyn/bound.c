/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/bound.h"

#include <stdio.h>
#include <string.h>

#include "dyn/dyn.h"
#include "dyn/reach.h"
#include "pass/pass.h"
#include "pass/rewrite.h"

/* ---- finding the dimension ---- */

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

tarn_err tarn_model_find_dim(const tarn_model *m, const char *name, tarn_dim *sym)
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

/* ---- metadata ---- */

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

/* "KIND:AXIS:NAME" with KIND in or out, or "via:AXIS:K:NAME": how much of the output is valid is said by output K. */
static tarn_err parse_port(const tarn_model *m, const char *key, char *word, tarn_bound_port *p)
{
	bool via = !strncmp(word, "via:", 4);
	char *axis = strchr(word, ':'), *name = axis ? strchr(axis + 1, ':') : NULL;
	int64_t a = 0, k = -1;
	CHECK(name, TARN_BAD_FILE, "metadata '%s' is damaged", key);
	*name++ = 0;
	char *index = name;
	if (via) {
		name = strchr(index, ':');
		CHECK(name, TARN_BAD_FILE, "metadata '%s' is damaged", key);
		*name++ = 0;
		CHECK(tarn_str_to_i64(index, &k) && k >= 0 && (size_t)k < m->main->output.len, TARN_BAD_FILE,
		      "metadata '%s' is damaged", key);
	}
	CHECK(tarn_str_to_i64(axis + 1, &a) && a >= 0 && a < TARN_MAX_RANK, TARN_BAD_FILE, "metadata '%s' is damaged", key);
	*p = (tarn_bound_port){.port = name,
			       .axis = (int)a,
			       .output = via || !strncmp(word, "out:", 4),
			       .size_output = via ? m->main->output.at[k]->name : NULL};
	return TARN_OK;
}

/* "MAX;LENGTH_INPUT;PORT;PORT..." */
static tarn_err parse_meta(const tarn_model *m, const tarn_meta *x, tarn_bound *b)
{
	char *text = tarn_arena_strdup(&b->arena, x->value), *next = NULL;
	b->name = tarn_arena_strdup(&b->arena, x->key + strlen(prefix));
	if (!text || !b->name)
		return tarn_err_nomem(strlen(x->value));
	char *word = strtok_r(text, ";", &next);
	CHECK(word && tarn_str_to_i64(word, &b->max) && b->max > 0, TARN_BAD_FILE, "metadata '%s' is damaged", x->key);
	b->length_input = strtok_r(NULL, ";", &next);
	CHECK(b->length_input, TARN_BAD_FILE, "metadata '%s' is damaged", x->key);
	b->samples = 1;
	for (size_t i = 0; i < m->main->input.len; i++) {
		const tarn_value *v = m->main->input.at[i];
		if (!strcmp(v->name, b->length_input) && v->shape.rank == 1 && v->shape.dim[0] > 1)
			b->samples = v->shape.dim[0];
	}
	while ((word = strtok_r(NULL, ";", &next))) {
		TRY(VEC_GROW(&b->port));
		TRY(parse_port(m, x->key, word, &b->port.at[b->port.len]));
		b->port.len++;
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
		tarn_err err = parse_meta(m, &m->meta.at[k], b);
		if (err != TARN_OK)
			tarn_bound_fini(b);
		return err;
	}
	return TARN_OK;
}

/* ---- the rewrite ---- */

/* A padded axis of an output whose valid size is not one of the lengths: said by an output of its own. */
static tarn_err add_size_output(tarn_dyn *d, const tarn_value *v, int axis, bool several)
{
	char name[300];
	tarn_graph *g = d->g;
	tarn_node *n;
	tarn_value *length = tarn_dyn_length(d, v->shape.dim[axis]);
	int64_t samples = d->sample ? tarn_dyn_max(d, d->sample) : 1;
	if (tarn_dyn_is_per_sample(d, length))
		length = tarn_dyn_op(d, "Reshape", TARN_I32, length, tarn_dyn_dims(d, &samples, 1), NULL);
	TRY(tarn_dyn_done(d));
	if (several)
		snprintf(name, sizeof name, "valid_length.%.250s.%d", v->name, axis);
	else
		snprintf(name, sizeof name, "valid_length.%.250s", v->name);
	TRY(tarn_node_new(g, tarn_op_find(NULL, "Cast"), name, 1, 1, -1, &n));
	TRY(tarn_attr_set_i(n, tarn_attr_index(n->op, "to"), TARN_I64));
	TRY(tarn_value_rename(g, n->out[0], name));
	n->in[0] = length;
	TRY(VEC_GROW(&g->output));
	g->output.at[g->output.len++] = n->out[0];
	return TARN_OK;
}

static bool is_bound(const tarn_dyn *d, tarn_dim x)
{
	for (int i = 0; i < d->n_bound; i++)
		if (d->bound[i].sym == x)
			return true;
	return false;
}

/* Names of ports of one bound; first_size is the index of the first output that says a size. */
static void add_ports(tarn_dyn *d, tarn_str *s, const tarn_dyn_bound *b, size_t outputs)
{
	const tarn_graph *g = d->g;
	size_t size_output = outputs;
	tarn_dim sym = b->sym;
	for (size_t i = 0; i < g->input.len; i++)
		for (int k = 0; k < g->input.at[i]->shape.rank; k++)
			if (g->input.at[i]->shape.dim[k] == sym || (b->follows && g->input.at[i]->shape.dim[k] == b->follows))
				tarn_str_addf(s, ";in:%d:%s", k, g->input.at[i]->name);
	for (size_t i = 0; i < outputs; i++) {
		const tarn_value *v = g->output.at[i];
		for (int k = 0; k < v->shape.rank; k++) {
			tarn_dim x = v->shape.dim[k];
			if (x == sym)
				tarn_str_addf(s, ";out:%d:%s", k, v->name);
			if (!tarn_dyn_depends(d, x) || is_bound(d, x))
				continue;
			if (tarn_dyn_mentions(d, x, sym))
				tarn_str_addf(s, ";via:%d:%zu:%s", k, size_output, v->name);
			size_output++;
		}
	}
}

static tarn_err add_meta(tarn_model *m, const tarn_dyn_bound *b, const char *ports)
{
	tarn_meta x = {tarn_arena_printf(&m->arena, "%s%s", prefix, b->name),
		       tarn_arena_printf(&m->arena, "%lld;%s%s", (long long)b->max, b->input->name, ports)};
	if (!x.key || !x.value)
		return tarn_err_nomem(256);
	TRY(VEC_GROW(&m->meta));
	m->meta.at[m->meta.len++] = x;
	return TARN_OK;
}

/* Outputs that say sizes, and the metadata; before sizes become static. */
static tarn_err describe(tarn_dyn *d)
{
	size_t outputs = d->g->output.len;
	d->size_of = tarn_arena_alloc(&d->arena, (outputs * TARN_MAX_RANK + 1) * sizeof *d->size_of);
	if (!d->size_of)
		return tarn_err_nomem(outputs * sizeof *d->size_of);
	for (size_t i = 0; i < outputs; i++) {
		const tarn_value *v = d->g->output.at[i];
		int n = 0;
		for (int k = 0; k < v->shape.rank; k++)
			n += tarn_dyn_depends(d, v->shape.dim[k]) && !is_bound(d, v->shape.dim[k]);
		for (int k = 0; k < v->shape.rank; k++)
			if (tarn_dyn_depends(d, v->shape.dim[k]) && !is_bound(d, v->shape.dim[k])) {
				TRY(add_size_output(d, v, k, n > 1));
				d->size_of[d->n_size++] = (struct tarn_origin_size){(int)i, k};
			}
	}
	for (int i = 0; i < d->n_bound; i++) {
		tarn_str ports = {0};
		add_ports(d, &ports, &d->bound[i], outputs);
		tarn_err err = tarn_str_done(&ports);
		if (err == TARN_OK)
			err = add_meta(d->m, &d->bound[i], ports.at ? ports.at : "");
		tarn_str_fini(&ports);
		TRY(err);
	}
	return TARN_OK;
}

static tarn_err add_lengths(tarn_dyn *d)
{
	bool several = d->n_bound + bounds_of(d->m) > 1;
	for (int i = 0; i < d->n_bound; i++) {
		char word[300] = "valid_length";
		if (several)
			snprintf(word, sizeof word, "valid_length.%.250s", d->bound[i].name);
		tarn_shape shape = {.rank = 1, .dim = {d->bound[i].per_sample ? tarn_dyn_max(d, d->sample) : 1}};
		TRY(tarn_value_input(d->g, word, TARN_I64, &shape, &d->bound[i].input));
		d->bound[i].length = tarn_dyn_cast(d, d->bound[i].input, TARN_I32);
		if (d->bound[i].per_sample) { /* lengths of samples that are padding may be anything */
			tarn_value *v = tarn_dyn_op(d, "Max", TARN_I32, d->bound[i].length, tarn_dyn_int(d, 1), NULL);
			v = tarn_dyn_op(d, "Min", TARN_I32, v, tarn_dyn_int(d, (int32_t)d->bound[i].max), NULL);
			d->bound[i].length = tarn_dyn_sample_lengths(d, v);
		}
		TRY(tarn_dyn_done(d));
	}
	return TARN_OK;
}

/* Static sizes are what the expressions say, or some operator's arithmetic was not understood. */
static tarn_err verify(const tarn_dyn *d, const tarn_shape *was, size_t n)
{
	for (size_t i = 0; i < d->g->node.len; i++)
		for (int k = 0; k < d->g->node.at[i]->n_out; k++) {
			const tarn_value *v = d->g->node.at[i]->out[k];
			if (!v || v->id >= n || was[v->id].rank < 0)
				continue;
			for (int a = 0; a < was[v->id].rank; a++) {
				int64_t want = tarn_dyn_max(d, was[v->id].dim[a]);
				if (want >= 0 && v->shape.rank == was[v->id].rank && v->shape.dim[a] != want)
					return tarn_dyn_refuse(d, d->g->node.at[i], a,
							       "its size at the maximum is not understood");
			}
		}
	return TARN_OK;
}

static tarn_err make_static(tarn_dyn *d)
{
	tarn_graph *g = d->g;
	size_t n = g->value.len;
	TRY(tarn_graph_sort(g));
	tarn_graph_sweep(g);
	tarn_shape *was = tarn_arena_zalloc(&d->arena, n + 1, sizeof *was);
	if (!was)
		return tarn_err_nomem(n * sizeof *was);
	for (size_t i = 0; i < n; i++)
		was[i] = g->value.at[i]->shape;
	for (size_t i = 0; i < g->input.len; i++) {
		tarn_value *v = g->input.at[i];
		for (int k = 0; k < v->shape.rank; k++)
			if (tarn_dyn_depends(d, v->shape.dim[k]))
				v->shape.dim[k] = tarn_dyn_max(d, v->shape.dim[k]);
	}
	TRY(tarn_err_note(tarn_graph_infer(g), "at the maximum sizes"));
	TRY(verify(d, was, n));
	return tarn_pass_fold(d->m);
}

/* Which dimension the lengths differ by. */
static tarn_err find_samples(tarn_dyn *d, const tarn_bound_spec *spec)
{
	for (int i = 0; i < d->n_bound; i++) {
		tarn_dim sym;
		if (!spec[i].per)
			continue;
		TRY(tarn_model_find_dim(d->m, spec[i].per, &sym));
		CHECK(is_bound(d, sym) && sym != d->bound[i].sym, TARN_USAGE,
		      "lengths of '%s' by '%s': bound '%s', too, in the same step", spec[i].name, spec[i].per, spec[i].per);
		CHECK(!d->sample || d->sample == sym, TARN_USAGE, "lengths can differ by one dimension only");
		d->sample = sym;
		d->bound[i].per_sample = true;
	}
	return TARN_OK;
}

/* Maxima, and which symbols inputs have. */
static tarn_err index_symbols(tarn_dyn *d)
{
	d->n_max = d->m->syms.sym.len;
	d->max = tarn_arena_zalloc(&d->arena, d->n_max + 1, sizeof *d->max);
	d->given = tarn_arena_zalloc(&d->arena, d->n_max + 1, sizeof *d->given);
	if (!d->max || !d->given)
		return tarn_err_nomem(d->n_max * sizeof *d->max);
	for (size_t i = 0; i < d->n_max; i++)
		d->max[i] = -1;
	for (int i = 0; i < d->n_bound; i++)
		d->max[-d->bound[i].sym - 1] = d->bound[i].max;
	for (size_t i = 0; i < d->g->input.len; i++)
		for (int k = 0; k < d->g->input.at[i]->shape.rank; k++)
			if (d->g->input.at[i]->shape.dim[k] < 0)
				d->given[-d->g->input.at[i]->shape.dim[k] - 1] = true;
	return TARN_OK;
}

enum { MOST_ROUNDS = 16 };

/* Shapes with the bounds; branches that other sizes decide are taken, and what they compute stands there as a number. */
static tarn_err infer(tarn_dyn *d)
{
	static const tarn_rewrite_fn settle[] = {tarn_inline_round, tarn_fold_round};
	bool changed = true;
	for (int round = 0; changed && round < MOST_ROUNDS; round++) { /* sizes behind a window may be known only now */
		TRY(tarn_graph_infer(d->g));
		TRY(tarn_rewrite_run(d->m, settle, 2));
		TRY(index_symbols(d));
		changed = false;
		if (round < MOST_ROUNDS - 1)
			TRY(tarn_dyn_fit(d, &changed));
	}
	return TARN_OK;
}

static tarn_err prepare(tarn_dyn *d, const tarn_bound_spec *spec, int n, bool follow)
{
	d->bound = tarn_arena_zalloc(&d->arena, (size_t)n + 1, sizeof *d->bound);
	if (!d->bound)
		return tarn_err_nomem((size_t)n * sizeof *d->bound);
	for (int i = 0; i < n; i++) {
		d->bound[i] = (tarn_dyn_bound){.name = spec[i].name, .max = spec[i].max};
		TRY(tarn_model_find_dim(d->m, spec[i].name, &d->bound[i].sym));
		for (int k = 0; k < i; k++)
			CHECK(d->bound[k].sym != d->bound[i].sym, TARN_USAGE, "'%s' and '%s' are one dimension; bound it once",
			      d->bound[k].name, d->bound[i].name);
		tarn_symtab_limit(&d->m->syms, d->bound[i].sym, tarn_dim_lo(&d->m->syms, d->bound[i].sym), spec[i].max);
	}
	d->n_bound = n;
	TRY(find_samples(d, spec));
	TRY(infer(d));
	for (int i = 0; i < n && follow; i++) {
		bool found;
		TRY(tarn_dyn_follow(d, &found));
		CHECK(found || i, TARN_UNSUPPORTED, "no size follows from others");
		if (!found)
			break;
		TRY(infer(d));
	}
	return TARN_OK;
}

/* Does inference take the model at the smallest lengths, too? Where a window is larger than its input padding can do what the
 * model as it was cannot. */
static tarn_err runs_at_any_length(const tarn_dyn *d, const tarn_model *was, bool *runs)
{
	tarn_model *m;
	TRY(tarn_model_clone(was, &m));
	for (size_t i = 0; i < m->main->input.len; i++) {
		tarn_value *v = m->main->input.at[i];
		for (int k = 0; k < v->shape.rank; k++)
			if (is_bound(d, v->shape.dim[k]))
				v->shape.dim[k] = 1;
	}
	tarn_err err = tarn_graph_infer(m->main);
	tarn_model_unref(m);
	*runs = err == TARN_OK;
	if (err == TARN_NOMEM)
		return err;
	if (err != TARN_OK)
		tarn_err_clear();
	return TARN_OK;
}

/* Devices that run any size go back to the model as it was. */
static tarn_err keep_origin(tarn_dyn *d, const tarn_model *was)
{
	bool runs;
	TRY(runs_at_any_length(d, was, &runs));
	if (!runs)
		return TARN_OK;
	tarn_origin o = {.n_length = d->n_bound};
	tarn_dim *length = tarn_arena_alloc(&d->arena, (size_t)d->n_bound * sizeof *length);
	if (!length)
		return tarn_err_nomem((size_t)d->n_bound * sizeof *length);
	for (int i = 0; i < d->n_bound; i++)
		length[i] = d->bound[i].sym; /* symbols keep their numbers when a model is copied */
	o.length = length;
	o.size = d->size_of;
	o.n_size = d->n_size;
	tarn_model *copy;
	TRY(tarn_model_clone(was, &copy));
	o.model = copy;
	tarn_err err = tarn_model_set_origin(d->m, &o);
	tarn_model_unref(copy);
	return err;
}

static tarn_err rewrite(const tarn_model *was, tarn_model *m, const tarn_bound_spec *spec, int n, bool follow,
			tarn_bound_cost *cost)
{
	tarn_dyn d = {.m = m, .g = m->main};
	tarn_err err;
	TRY_GOTO(out, prepare(&d, spec, n, follow));
	TRY_GOTO(out, tarn_dyn_expand(&d));
	TRY_GOTO(out, add_lengths(&d));
	TRY_GOTO(out, tarn_dyn_rewrite(&d));
	TRY_GOTO(out, tarn_dyn_refit(&d));
	TRY_GOTO(out, describe(&d));
	TRY_GOTO(out, make_static(&d));
	if (!d.sample)
		TRY_GOTO(out, keep_origin(&d, was));
	d.cost.repairs = d.cost.masks + d.cost.gathers + d.cost.scales + d.cost.lengths + d.cost.numbers;
	*cost = d.cost;
out:
	tarn_dyn_fini(&d);
	return err;
}

static tarn_err try_bound(const tarn_model *m, const tarn_bound_spec *spec, int n, bool follow, tarn_bound_cost *cost,
			  tarn_model **out)
{
	tarn_model *copy;
	TRY(tarn_model_clone(m, &copy));
	tarn_err err = rewrite(m, copy, spec, n, follow, cost);
	if (err != TARN_OK)
		tarn_model_unref(copy);
	else
		*out = copy;
	return err;
}

/* What was refused is tried with sizes that follow from others; the first reason is the one to tell. */
static tarn_err try_following(const tarn_model *m, const tarn_bound_spec *spec, int n, tarn_bound_cost *cost, tarn_model **out)
{
	char why[1024];
	snprintf(why, sizeof why, "%s", tarn_err_text());
	tarn_err err = try_bound(m, spec, n, true, cost, out);
	return err == TARN_OK || err == TARN_NOMEM ? err : tarn_err_set(TARN_UNSUPPORTED, "%s", why);
}

tarn_err tarn_model_bound_all(tarn_model **m, const tarn_bound_spec *spec, int n, tarn_bound_cost *cost)
{
	tarn_model *copy;
	tarn_bound_cost sum = {0};
	for (int i = 0; i < n; i++)
		CHECK(spec[i].max >= 1 && spec[i].max <= 1 << 24, TARN_USAGE,
		      "a bound of %lld for '%s' is out of range; give 1 to 16777216", (long long)spec[i].max, spec[i].name);
	TRY(tarn_model_reach_check(*m, spec, n));
	tarn_err err = try_bound(*m, spec, n, false, &sum, &copy);
	if (err == TARN_UNSUPPORTED && n > 1)
		err = try_following(*m, spec, n, &sum, &copy);
	TRY(err);
	tarn_model_unref(*m);
	*m = copy;
	if (cost)
		*cost = sum;
	return TARN_OK;
}

tarn_err tarn_model_bound_fit(const tarn_model *m, tarn_bound_spec *spec, int n)
{
	tarn_model *copy;
	TRY(tarn_model_clone(m, &copy));
	tarn_dyn d = {.m = copy, .g = copy->main};
	tarn_err err = prepare(&d, spec, n, false);
	if (!err)
		err = tarn_dyn_fit_maxima(&d, spec);
	tarn_dyn_fini(&d);
	tarn_model_unref(copy);
	if (err && err != TARN_NOMEM)
		tarn_err_clear();
	return err == TARN_NOMEM ? err : TARN_OK;
}

tarn_err tarn_model_bound(tarn_model **m, const char *name, int64_t max, int *repairs)
{
	tarn_bound_cost cost = {0};
	TRY(tarn_model_bound_all(m, &(tarn_bound_spec){.name = name, .max = max}, 1, &cost));
	if (repairs)
		*repairs = cost.repairs;
	return TARN_OK;
}
