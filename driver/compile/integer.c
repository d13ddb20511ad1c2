/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 64-bit integers: the engines have none wider than 32 bits. Arithmetic that is left after folding (positions, lengths, sample
 * rates) is done in 32 bits, between casts that mostly cancel; indices that are only moved or compared stay as they are.
 * Intel's compiler does the same with every 64-bit tensor.
 */
#include <string.h>

#include "driver/compile/plan.h"
#include "ir/op.h"
#include "ops/ops.h"

/* Operators that compute with their first inputs, as many as `inputs`; what follows are axes and the like. */
static const struct wide_row {
	const char *op;
	int inputs;
} rows[] = {
	{"Abs", 1},    {"Add", 2},        {"Clip", 3},      {"CumSum", 1}, {"Div", 2},  {"Gemm", 3},
	{"MatMul", 2}, {"Max", 64},       {"Min", 64},      {"Mod", 2},    {"Mul", 2},  {"Neg", 1},
	{"Pow", 1},    {"ReduceProd", 1}, {"ReduceSum", 1}, {"Sub", 2},    {"Sum", 64},
};

typedef struct narrowing {
	tarn_graph *g;
	tarn_value **made; /* by id: the value in 32 bits */
	size_t n_made;
} narrowing;

static int computed_inputs(const tarn_node *n)
{
	if (n->op->domain && *n->op->domain)
		return 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].op, n->op->name))
			return rows[i].inputs;
	return 0;
}

static tarn_err new_cast(tarn_graph *g, const char *name, tarn_value *from, tarn_dtype to, int at, tarn_value **out)
{
	tarn_node *n;
	TRY(tarn_node_new(g, tarn_op_find(NULL, "Cast"), name, 1, 1, at, &n));
	n->in[0] = from;
	TRY(tarn_attr_set_i(n, tarn_attr_index(n->op, "to"), to));
	*out = n->out[0];
	(*out)->type = to;
	(*out)->shape = from->shape;
	return TARN_OK;
}

static tarn_err narrow_const(tarn_graph *g, const tarn_node *n, const tarn_value *v, tarn_value **out)
{
	tarn_tensor t;
	int64_t count = tarn_tensor_count(v->konst);
	for (int64_t i = 0; i < count; i++) {
		int64_t x = tarn_tensor_i64(v->konst, i);
		CHECK(x >= INT32_MIN && x <= INT32_MAX, TARN_UNSUPPORTED,
		      "node '%s' (%s) cannot run on the NPU: it computes with %lld, and integers there have 32 bits", n->name,
		      n->op->name, (long long)x);
	}
	TRY(tarn_tensor_convert(v->konst, TARN_I32, &t));
	tarn_err err = tarn_value_const(g, v->name, &t, out);
	tarn_tensor_fini(&t);
	return err;
}

static tarn_err narrowed(narrowing *x, const tarn_node *n, tarn_value *v, tarn_value **out)
{
	tarn_value **made = v->id < x->n_made ? &x->made[v->id] : NULL;
	if (made && *made) {
		*out = *made;
		return TARN_OK;
	}
	if (v->konst)
		TRY(narrow_const(x->g, n, v, out));
	else if (tarn_npu_is(v->def, "Cast") && v->def->in[0]->type == TARN_I32)
		*out = v->def->in[0];
	else
		TRY(new_cast(x->g, v->name, v, TARN_I32, -1, out));
	if (made)
		*made = *out;
	return TARN_OK;
}

static tarn_err narrow_node(narrowing *x, tarn_node *n, int inputs)
{
	for (int i = 0; i < n->n_in && i < inputs; i++)
		if (n->in[i] && n->in[i]->type == TARN_I64)
			TRY(narrowed(x, n, n->in[i], &n->in[i]));
	for (int i = 0; i < n->n_out; i++) {
		tarn_value *v = n->out[i], *wide;
		if (!v || v->type != TARN_I64)
			continue;
		/* Every reader takes the wide copy; those that are narrowed later take v itself again. */
		TRY(new_cast(x->g, v->name, v, TARN_I64, -1, &wide));
		tarn_graph_replace(x->g, v, wide);
		wide->def->in[0] = v;
		v->type = TARN_I32;
	}
	return TARN_OK;
}

static tarn_err narrow_all(narrowing *x, tarn_arena *a)
{
	tarn_graph *g = x->g;
	size_t n_nodes = g->node.len;
	if (!n_nodes)
		return TARN_OK;
	tarn_node **node = tarn_arena_memdup(a, g->node.at, n_nodes * sizeof *node);
	x->n_made = g->value.len;
	x->made = tarn_arena_zalloc(a, x->n_made + 1, sizeof *x->made);
	if (!node || !x->made)
		return tarn_err_nomem(x->n_made * sizeof *x->made);
	for (size_t i = 0; i < n_nodes; i++) {
		int inputs = computed_inputs(node[i]);
		if (inputs && node[i]->n_in && node[i]->in[0] && node[i]->in[0]->type == TARN_I64)
			TRY(narrow_node(x, node[i], inputs));
	}
	return TARN_OK;
}

tarn_err tarn_npu_narrow(tarn_model *m)
{
	tarn_arena a = {0};
	narrowing x = {.g = m->main};
	size_t before = m->main->value.len;
	tarn_err err = narrow_all(&x, &a);
	tarn_arena_fini(&a);
	TRY(err);
	if (m->main->value.len == before)
		return TARN_OK;
	tarn_graph_sweep(m->main);
	TRY(tarn_graph_sort(m->main));
	return tarn_graph_infer(m->main);
}
