/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New sizes for a model's inputs. Shape subgraphs stay in the graph, so that a model can be reshaped again; what follows from
 * sizes alone is known after inference (tarn_value.known) and is folded when the model is compiled.
 */
#include "base/str.h"
#include "ops/ops.h"
#include "pass/rewrite.h"

/* What becomes of each symbol there was: a size, or another symbol with the same name and its own bounds. */
typedef struct binding {
	int64_t *value; /* -1: none */
	tarn_dim *to;   /* 0: none */
} binding;

/* A free dimension with new bounds stays one dimension in all inputs that have it. */
static tarn_err narrow(tarn_model *m, const tarn_value *v, tarn_dim now, tarn_dim fresh, tarn_dim *to)
{
	tarn_sym *f = &m->syms.sym.at[-(fresh + 1)];
	if (fresh == now || f->op != TARN_SYM_NAMED || f->name)
		return TARN_OK;
	if (!*to) {
		f->name = tarn_sym_get(&m->syms, now)->name;
		*to = fresh;
		return TARN_OK;
	}
	tarn_sym *all = &m->syms.sym.at[-(*to + 1)];
	int64_t lo = all->lo > f->lo ? all->lo : f->lo, hi = all->hi < f->hi ? all->hi : f->hi;
	CHECK(lo <= hi, TARN_SHAPE, "dimension '%s' would be %lld..%lld and %lld..%lld (input '%s'); give one range",
	      all->name ? all->name : "?", (long long)all->lo, (long long)all->hi, (long long)f->lo, (long long)f->hi, v->name);
	all->lo = lo;
	all->hi = hi;
	return TARN_OK;
}

/* A named dimension has one size in all inputs. */
static tarn_err bind(tarn_model *m, const tarn_value *v, int axis, tarn_dim size, const binding *b)
{
	tarn_dim now = v->shape.dim[axis];
	if (now >= 0 || tarn_sym_get(&m->syms, now)->op != TARN_SYM_NAMED)
		return TARN_OK;
	if (size < 0)
		return narrow(m, v, now, size, &b->to[-(now + 1)]);
	int64_t *known = &b->value[-(now + 1)];
	const char *name = tarn_sym_get(&m->syms, now)->name;
	CHECK(*known < 0 || *known == size, TARN_SHAPE, "dimension '%s' would be %lld and %lld (input '%s'); give one size",
	      name ? name : "?", (long long)*known, (long long)size, v->name);
	*known = size;
	return TARN_OK;
}

/* Sizes that were the same number on the same axis of several inputs, and become free inside the same bounds, stay one
 * dimension: a mask is as long as what it masks. */
static void join(const tarn_model *m, tarn_shape *shape, int n)
{
	const tarn_graph *g = m->main;
	for (int i = 1; i < n; i++)
		for (int k = 0; k < shape[i].rank; k++)
			for (int j = 0; j < i && shape[i].dim[k] < 0; j++) {
				const tarn_shape *was = &g->input.at[i]->shape, *other = &g->input.at[j]->shape;
				if (was->rank <= k || other->rank <= k || shape[j].rank <= k || was->dim[k] < 2 ||
				    was->dim[k] != other->dim[k] || shape[j].dim[k] >= 0)
					continue;
				const tarn_sym *a = tarn_sym_get(&m->syms, shape[i].dim[k]),
					       *b = tarn_sym_get(&m->syms, shape[j].dim[k]);
				if (a->op == TARN_SYM_NAMED && b->op == TARN_SYM_NAMED && !a->name && a->lo == b->lo &&
				    a->hi == b->hi && a->hi < TARN_DIM_MAX)
					shape[i].dim[k] = shape[j].dim[k];
			}
}

static tarn_err bind_all(tarn_model *m, const tarn_shape *shape, int n, const binding *b)
{
	for (int i = 0; i < n; i++) {
		const tarn_value *v = m->main->input.at[i];
		if (shape[i].rank < 0)
			continue;
		CHECK(shape[i].rank <= TARN_MAX_RANK, TARN_SHAPE, "input '%s': rank %d is above %d", v->name, shape[i].rank,
		      TARN_MAX_RANK);
		CHECK(v->shape.rank < 0 || v->shape.rank == shape[i].rank, TARN_SHAPE,
		      "input '%s' has %d dimensions, the new shape has %d", v->name, v->shape.rank, shape[i].rank);
		for (int k = 0; k < v->shape.rank; k++)
			TRY(bind(m, v, k, shape[i].dim[k], b));
	}
	return TARN_OK;
}

static void apply(tarn_model *m, const tarn_shape *shape, int n, const binding *b)
{
	for (size_t i = 0; i < m->main->input.len; i++) {
		tarn_value *v = m->main->input.at[i];
		tarn_shape was = v->shape;
		if ((int)i < n && shape[i].rank >= 0)
			v->shape = shape[i];
		for (int k = 0; k < v->shape.rank; k++) {
			tarn_dim now = v->shape.dim[k];
			tarn_dim to = now < 0 && was.rank == v->shape.rank && was.dim[k] < 0 ? b->to[-(was.dim[k] + 1)] : 0;
			int64_t size = now < 0 ? tarn_dim_value(&m->syms, now, b->value, m->syms.sym.len) : -1;
			if (size >= 0)
				v->shape.dim[k] = size;
			else if (to)
				v->shape.dim[k] = to;
		}
	}
}

tarn_err tarn_model_reshape(tarn_model *m, const tarn_shape *given, int n)
{
	tarn_graph *g = m->main;
	CHECK(n >= 0 && (size_t)n <= g->input.len, TARN_SHAPE, "%d shapes for %zu inputs", n, g->input.len);
	tarn_arena scratch = {0};
	tarn_err err;
	binding b = {tarn_arena_zalloc(&scratch, m->syms.sym.len + 1, sizeof *b.value),
		     tarn_arena_zalloc(&scratch, m->syms.sym.len + 1, sizeof *b.to)};
	tarn_shape *before = tarn_arena_zalloc(&scratch, g->input.len + 1, sizeof *before);
	tarn_shape *shape = tarn_arena_memdup(&scratch, given, (size_t)n * sizeof *shape);
	if (!b.value || !b.to || !before || (n && !shape)) {
		err = tarn_err_nomem(g->input.len * sizeof *before);
		goto out;
	}
	for (size_t i = 0; i < m->syms.sym.len; i++)
		b.value[i] = -1;
	for (size_t i = 0; i < g->input.len; i++)
		before[i] = g->input.at[i]->shape;
	join(m, shape, n);
	TRY_GOTO(out, bind_all(m, shape, n, &b));
	apply(m, shape, n, &b);
	err = tarn_graph_infer(g);
	if (err == TARN_OK)
		goto out;
	/* The old sizes were inferred once and will be again; the first error is the one to tell. */
	tarn_str text = {0};
	tarn_str_add(&text, tarn_err_text());
	for (size_t i = 0; i < g->input.len; i++)
		g->input.at[i]->shape = before[i];
	if (tarn_graph_infer(g) != TARN_OK)
		err = TARN_INTERNAL;
	err = tarn_err_adopt(err, text.at ? text.at : "");
	tarn_str_fini(&text);
out:
	tarn_arena_fini(&scratch);
	return err;
}
