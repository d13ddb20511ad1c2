/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New sizes for a model's inputs. Shape subgraphs stay in the graph, so that a model can be reshaped again; what follows from
 * sizes alone is known after inference (tarn_value.known) and is folded when the model is compiled.
 */
#include "base/str.h"
#include "ops/ops.h"
#include "pass/rewrite.h"

/* A named dimension has one size in all inputs. */
static tarn_err bind(const tarn_model *m, const tarn_value *v, int axis, tarn_dim size, int64_t *value)
{
	tarn_dim now = v->shape.dim[axis];
	if (now >= 0 || size < 0 || tarn_sym_get(&m->syms, now)->op != TARN_SYM_NAMED)
		return TARN_OK;
	int64_t *known = &value[-(now + 1)];
	const char *name = tarn_sym_get(&m->syms, now)->name;
	CHECK(*known < 0 || *known == size, TARN_SHAPE, "dimension '%s' would be %lld and %lld (input '%s'); give one size",
	      name ? name : "?", (long long)*known, (long long)size, v->name);
	*known = size;
	return TARN_OK;
}

static tarn_err bind_all(const tarn_model *m, const tarn_shape *shape, int n, int64_t *value)
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
			TRY(bind(m, v, k, shape[i].dim[k], value));
	}
	return TARN_OK;
}

static void apply(tarn_model *m, const tarn_shape *shape, int n, const int64_t *value)
{
	for (size_t i = 0; i < m->main->input.len; i++) {
		tarn_value *v = m->main->input.at[i];
		if ((int)i < n && shape[i].rank >= 0)
			v->shape = shape[i];
		for (int k = 0; k < v->shape.rank; k++) {
			int64_t size =
				v->shape.dim[k] < 0 ? tarn_dim_value(&m->syms, v->shape.dim[k], value, m->syms.sym.len) : -1;
			if (size >= 0)
				v->shape.dim[k] = size;
		}
	}
}

tarn_err tarn_model_reshape(tarn_model *m, const tarn_shape *shape, int n)
{
	tarn_graph *g = m->main;
	CHECK(n >= 0 && (size_t)n <= g->input.len, TARN_SHAPE, "%d shapes for %zu inputs", n, g->input.len);
	tarn_arena scratch = {0};
	tarn_err err;
	int64_t *value = tarn_arena_zalloc(&scratch, m->syms.sym.len + 1, sizeof *value);
	tarn_shape *before = tarn_arena_zalloc(&scratch, g->input.len + 1, sizeof *before);
	if (!value || !before) {
		err = tarn_err_nomem(g->input.len * sizeof *before);
		goto out;
	}
	for (size_t i = 0; i < m->syms.sym.len; i++)
		value[i] = -1;
	for (size_t i = 0; i < g->input.len; i++)
		before[i] = g->input.at[i]->shape;
	TRY_GOTO(out, bind_all(m, shape, n, value));
	apply(m, shape, n, value);
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
