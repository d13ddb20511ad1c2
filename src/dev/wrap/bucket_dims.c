/* SPDX-License-Identifier: Apache-2.0 */
/* Which dimensions are free, the sizes of their buckets, and which bucket a request goes to. */
#include <stdio.h>
#include <string.h>

#include "dev/wrap/bucket_program.h"

/* ---- the property ---- */

static tarn_err add_size(bucket_dim *d, const char *at, size_t n)
{
	char word[24];
	int64_t v = 0;
	snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), at);
	CHECK(n < sizeof word && tarn_str_to_i64(word, &v) && v > 0 && v <= 1 << 24, TARN_USAGE,
	      "TARN_BUCKETS: '%s' is no size for '%s'; give sizes such as 32,64,128", word, d->name);
	CHECK(!d->n || v > d->size[d->n - 1], TARN_USAGE, "TARN_BUCKETS: the sizes of '%s' must ascend, %lld stands after %lld",
	      d->name, (long long)v, (long long)d->size[d->n - 1]);
	CHECK(d->n < TARN_BUCKET_SIZES, TARN_LIMIT, "TARN_BUCKETS: '%s' has more than %d sizes", d->name, TARN_BUCKET_SIZES);
	d->size[d->n++] = v;
	return TARN_OK;
}

static tarn_err parse_sizes(bucket_dim *d, const char *at, size_t len)
{
	d->n = 0;
	for (size_t i = 0; i <= len; i++) {
		size_t n = 0;
		while (i + n < len && at[i + n] != ',')
			n++;
		TRY(add_size(d, at + i, n));
		i += n;
	}
	return TARN_OK;
}

/* "NAME=SIZES", or sizes alone for the only free dimension. */
static tarn_err parse_part(bucket_program *x, const char *text, size_t n)
{
	size_t eq = n;
	while (eq && text[eq - 1] != '=')
		eq--;
	CHECK(eq || x->n_dim == 1, TARN_USAGE,
	      "TARN_BUCKETS: '%.*s' does not say which of %d free dimensions it is for; write NAME=SIZES", (int)n, text,
	      x->n_dim);
	if (!eq)
		return parse_sizes(&x->dim[0], text, n);
	for (int i = 0; i < x->n_dim; i++)
		if (strlen(x->dim[i].name) == eq - 1 && !strncmp(x->dim[i].name, text, eq - 1))
			return parse_sizes(&x->dim[i], text + eq, n - eq);
	return tarn_err_set(TARN_USAGE, "TARN_BUCKETS: no free dimension is called '%.*s'; the first is '%s'", (int)(eq - 1),
			    text, x->n_dim ? x->dim[0].name : "none");
}

static tarn_err parse_buckets(bucket_program *x, const char *text)
{
	CHECK(!text || strlen(text) < 4096, TARN_LIMIT, "TARN_BUCKETS is too long");
	while (text && *text) {
		size_t n = strcspn(text, ";");
		TRY(parse_part(x, text, n));
		text += n + (text[n] == ';');
	}
	return TARN_OK;
}

/* ---- the dimensions ---- */

static tarn_err add_dim(tarn_program *p, bucket_program *x, const tarn_value *v, int axis)
{
	tarn_dim sym = v->shape.dim[axis];
	const tarn_sym *s = tarn_sym_get(&x->syms, sym);
	for (int i = 0; i < x->n_dim; i++)
		if (x->dim[i].sym == sym)
			return TARN_OK;
	CHECK(s->op == TARN_SYM_NAMED, TARN_UNSUPPORTED, "input '%s': the size of axis %d is computed from other sizes",
	      v->name, axis);
	CHECK(x->n_dim < TARN_BUCKET_DIMS, TARN_LIMIT, "the model has more than %d free dimensions; fix some with -shape",
	      TARN_BUCKET_DIMS);
	const char *name = s->name ? s->name : tarn_arena_printf(&p->arena, "%s[%d]", v->name, axis);
	if (!name)
		return tarn_err_nomem(strlen(v->name));
	bucket_dim *d = &x->dim[x->n_dim++];
	*d = (bucket_dim){.sym = sym, .name = name};
	if (s->hi < TARN_DIM_MAX)
		d->size[d->n++] = s->hi;
	return TARN_OK;
}

static tarn_err check_dim(const bucket_program *x, const bucket_dim *d)
{
	const tarn_sym *s = tarn_sym_get(&x->syms, d->sym);
	CHECK(d->n, TARN_SHAPE, "dimension '%s' has no bound; give one, as in -shape or TARN_BUCKETS=%s=128", d->name, d->name);
	int64_t last = d->size[d->n - 1];
	CHECK(s->hi >= TARN_DIM_MAX || last == s->hi, TARN_USAGE,
	      "TARN_BUCKETS: the largest bucket of '%s' is %lld, its bound %lld; they must agree", d->name, (long long)last,
	      (long long)s->hi);
	return TARN_OK;
}

/* A copy of the symbols that lives with the program: compiled models outlive the graph. */
static tarn_err copy_symbols(tarn_program *p, bucket_program *x)
{
	const tarn_symtab *from = &p->model->syms;
	x->syms.arena = &p->arena;
	TRY(VEC_RESERVE(&x->syms.sym, from->sym.len + 1));
	for (size_t i = 0; i < from->sym.len; i++) {
		tarn_sym s = from->sym.at[i];
		if (s.name && !(s.name = tarn_arena_strdup(&p->arena, s.name)))
			return tarn_err_nomem(64);
		x->syms.sym.at[x->syms.sym.len++] = s;
	}
	return TARN_OK;
}

static tarn_err copy_shapes(tarn_program *p, bucket_program *x)
{
	const tarn_graph *g = p->model->main;
	x->in = tarn_arena_zalloc(&p->arena, g->input.len + 1, sizeof *x->in);
	x->out = tarn_arena_zalloc(&p->arena, g->output.len + 1, sizeof *x->out);
	if (!x->in || !x->out)
		return tarn_err_nomem((g->input.len + g->output.len) * sizeof *x->in);
	for (size_t i = 0; i < g->input.len; i++)
		x->in[i] = g->input.at[i]->shape;
	for (size_t i = 0; i < g->output.len; i++)
		x->out[i] = g->output.at[i]->shape;
	return TARN_OK;
}

static void bound_ports(const bucket_program *x, const tarn_shape *shape, tarn_port *port, int n, const int64_t *most)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < port[i].rank && k < shape[i].rank; k++) {
			int64_t hi = tarn_dim_value(&x->syms, shape[i].dim[k], most, x->syms.sym.len);
			if (hi >= 0 && hi < port[i].hi[k])
				port[i].hi[k] = hi > port[i].lo[k] ? hi : port[i].lo[k];
		}
}

/* Ports show the bounds that buckets give. */
static tarn_err show_bounds(tarn_program *p, const bucket_program *x)
{
	int64_t *most = tarn_arena_zalloc(&p->arena, x->syms.sym.len + 1, sizeof *most);
	if (!most)
		return tarn_err_nomem(x->syms.sym.len * sizeof *most);
	for (size_t i = 0; i < x->syms.sym.len; i++)
		most[i] = -1;
	for (int i = 0; i < x->n_dim; i++)
		most[-(x->dim[i].sym + 1)] = x->dim[i].size[x->dim[i].n - 1];
	bound_ports(x, x->in, p->in, p->n_in, most);
	bound_ports(x, x->out, p->out, p->n_out, most);
	return TARN_OK;
}

tarn_err tarn_bucket_take_dims(tarn_program *p, bucket_program *x)
{
	const tarn_graph *g = p->model->main;
	TRY(copy_symbols(p, x));
	TRY(copy_shapes(p, x));
	for (size_t i = 0; i < g->input.len; i++) {
		const tarn_value *v = g->input.at[i];
		CHECK(v->shape.rank >= 0, TARN_SHAPE, "input '%s' has no known number of dimensions; give -shape", v->name);
		for (int k = 0; k < v->shape.rank; k++)
			if (v->shape.dim[k] < 0)
				TRY(add_dim(p, x, v, k));
	}
	TRY(parse_buckets(x, tarn_props_find(&p->props, "TARN_BUCKETS")));
	x->n = 1;
	for (int i = 0; i < x->n_dim; i++) {
		TRY(check_dim(x, &x->dim[i]));
		x->n *= x->dim[i].n;
		CHECK(x->n <= TARN_BUCKET_PROGRAMS, TARN_LIMIT,
		      "TARN_BUCKETS: the sizes make more than %d combinations; give fewer", TARN_BUCKET_PROGRAMS);
	}
	return show_bounds(p, x);
}

/* ---- buckets ---- */

void tarn_bucket_sizes(const bucket_program *x, int i, int64_t size[TARN_BUCKET_DIMS])
{
	for (int k = x->n_dim; k-- > 0; i /= x->dim[k].n)
		size[k] = x->dim[k].size[i % x->dim[k].n];
}

tarn_err tarn_bucket_pick(const bucket_program *x, const int64_t size[TARN_BUCKET_DIMS], int *out)
{
	int at = 0;
	for (int i = 0; i < x->n_dim; i++) {
		const bucket_dim *d = &x->dim[i];
		int k = 0;
		while (k < d->n && d->size[k] < size[i])
			k++;
		CHECK(k < d->n, TARN_SHAPE, "'%s' may be at most %lld, the data has %lld; give a larger bound or shorter data",
		      d->name, (long long)d->size[d->n - 1], (long long)size[i]);
		at = at * d->n + k;
	}
	*out = at;
	return TARN_OK;
}

static int find_port(const tarn_port *port, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(port[i].name, name))
			return i;
	return -1;
}

tarn_err tarn_bucket_map_ports(tarn_program *p, bucket_inner *b)
{
	b->in = tarn_arena_zalloc(&p->arena, (size_t)p->n_in + 1, sizeof *b->in);
	b->out = tarn_arena_zalloc(&p->arena, (size_t)p->n_out + 1, sizeof *b->out);
	if (!b->in || !b->out)
		return tarn_err_nomem((size_t)(p->n_in + p->n_out) * sizeof *b->in);
	for (int i = 0; i < p->n_in; i++) {
		b->in[i] = find_port(b->p->in, b->p->n_in, p->in[i].name);
		CHECK(b->in[i] >= 0 && tarn_port_is_static(&b->p->in[b->in[i]]) && p->in[i].rank == b->p->in[b->in[i]].rank,
		      TARN_BAD_FILE, "input '%s' is not the same in all buckets; compile the model again", p->in[i].name);
	}
	for (int i = 0; i < p->n_out; i++) {
		b->out[i] = find_port(b->p->out, b->p->n_out, p->out[i].name);
		CHECK(b->out[i] >= 0, TARN_BAD_FILE, "output '%s' is not in all buckets; compile the model again",
		      p->out[i].name);
	}
	return TARN_OK;
}
