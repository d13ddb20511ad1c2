/* SPDX-License-Identifier: Apache-2.0 */
/* Values at hand as 8-bit codes: which they are, and their slots. */
#include <math.h>
#include <string.h>

#include "dev/cpu/cpu.h"
#include "ops/ops.h"

static bool is(const tarn_node *n, const char *op)
{
	return n && n->op == tarn_op_find(NULL, op);
}

bool tarn_cpu_code_params(const tarn_node *n, cpu_code *code)
{
	const tarn_tensor *s = n->in[1] ? n->in[1]->konst : NULL, *z = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	if (!s || tarn_tensor_count(s) != 1 || s->type != TARN_F32 ||
	    (n->n_in > 2 && n->in[2] && (!z || tarn_tensor_count(z) != 1)))
		return false;
	tarn_dtype t = is(n, "QuantizeLinear") ? n->out[0]->type : n->in[0]->type;
	*code = (cpu_code){.type = t, .scale = *(const float *)s->data, .zero = z ? (int)tarn_tensor_i64(z, 0) : 0};
	return (t == TARN_U8 || t == TARN_I8) && code->scale > 0 && isfinite(code->scale);
}

bool tarn_cpu_code_same(const cpu_code *a, const cpu_code *b)
{
	return a->type == b->type && a->scale == b->scale && a->zero == b->zero;
}

const cpu_code *tarn_cpu_code_of(cpu_build *b, const tarn_value *v)
{
	cpu_code *c = &b->code[v->id];
	if (c->type || v->konst)
		return c->type ? c : NULL;
	cpu_code found;
	if (!is(v->def, "DequantizeLinear") || v->type != TARN_F32 || v->def->in[0]->konst ||
	    !tarn_cpu_code_params(v->def, &found))
		return NULL;
	const cpu_code *source = &b->code[v->def->in[0]->id]; /* of the codes themselves: their root */
	*c = found;
	c->held_by = v->def->in[0];
	c->root = source->root;
	c->table = source->table;
	return c;
}

static tarn_err code_slot_new(cpu_build *b, const tarn_value *v, cpu_layout layout, tarn_dtype type, int *slot)
{
	TRY(tarn_cpu_slot_new(b, v, layout, type, slot));
	b->code_slot[layout][v->id] = *slot;
	return TARN_OK;
}

tarn_err tarn_cpu_want_code(cpu_build *b, const tarn_value *v, cpu_layout layout, int *slot)
{
	const cpu_code *c = tarn_cpu_code_of(b, v);
	CHECK(c, TARN_INTERNAL, "value '%s' has no codes", v->name);
	if (c->held_by)
		return tarn_cpu_want(b, c->held_by, layout, slot);
	if (b->code_slot[layout][v->id] >= 0) {
		*slot = b->code_slot[layout][v->id];
		return TARN_OK;
	}
	int from = b->code_slot[!layout][v->id];
	CHECK(from >= 0, TARN_INTERNAL, "the codes of '%s' are used before they are computed", v->name);
	TRY(code_slot_new(b, v, layout, c->type, slot));
	return tarn_cpu_reorder(b, from, *slot);
}

tarn_err tarn_cpu_give_code(cpu_build *b, const tarn_value *v, cpu_layout layout, const cpu_code *code, int *slot)
{
	b->code[v->id] = (cpu_code){.type = code->type, .scale = code->scale, .zero = code->zero};
	return code_slot_new(b, v, layout, code->type, slot);
}

bool tarn_cpu_suits_int8(const tarn_node *n)
{
	cpu_code x;
	if (n->n_in < 2 || !n->in[1] || !is(n->in[0]->def, "DequantizeLinear") || n->in[0]->def->in[0]->konst ||
	    !tarn_cpu_code_params(n->in[0]->def, &x))
		return false;
	const tarn_node *w = n->in[1]->def;
	if (!is(w, "DequantizeLinear") || !w->in[0]->konst || !w->in[1] || !w->in[1]->konst ||
	    w->in[1]->konst->type != TARN_F32 || (w->n_in > 2 && w->in[2] && !w->in[2]->konst))
		return false;
	const tarn_tensor *q = w->in[0]->konst;
	if (q->type != TARN_I8 && q->type != TARN_U8)
		return false;
	bool conv = is(n, "Conv"), gemm = is(n, "Gemm"), product = is(n, "MatMul");
	if (conv ? q->rank != 3 && q->rank != 4 : q->rank != 2)
		return false;
	if (gemm && (tarn_attr_i(n, tarn_attr_index(n->op, "transA")) || tarn_attr_f(n, tarn_attr_index(n->op, "alpha")) != 1 ||
		     tarn_attr_f(n, tarn_attr_index(n->op, "beta")) != 1))
		return false;
	if (product && n->in[0]->shape.rank < 2)
		return false;
	/* scale per output channel or one for all */
	int axis = conv || (gemm && tarn_attr_i(n, tarn_attr_index(n->op, "transB"))) ? 0 : 1;
	int64_t scales = tarn_tensor_count(w->in[1]->konst), at = tarn_attr_i(w, tarn_attr_index(w->op, "axis"));
	if (scales != 1 && (scales != q->dim[axis] || (at < 0 ? at + q->rank : at) != axis))
		return false;
	const tarn_value *bias = n->n_in > 2 ? n->in[2] : NULL;
	bool known = !bias || bias->konst || (is(bias->def, "DequantizeLinear") && bias->def->in[0]->konst);
	return (conv || gemm || product) && known;
}

/* Reads of v that products make as codes: an INT8 product its weights and its bias, others their weights. */
static bool read_as_codes(const tarn_graph *g, const tarn_value *v)
{
	bool any = false;
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == v)
			return false;
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k] == v) {
				const tarn_node *n = g->node.at[i];
				if (k == 0 || !(tarn_cpu_suits_int8(n) || (k == 1 && tarn_cpu_suits_weights(n))))
					return false;
				any = true;
			}
	return any;
}

static tarn_err fold_graph(tarn_graph *g)
{
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		if (!is(n, "DequantizeLinear") || !n->in[0]->konst || !n->in[1]->konst ||
		    (n->n_in > 2 && n->in[2] && !n->in[2]->konst) || read_as_codes(g, n->out[0]))
			continue;
		const tarn_tensor *in[3] = {n->in[0]->konst, n->in[1]->konst, n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL};
		tarn_tensor out = {0};
		tarn_value *v;
		TRY(tarn_node_eval(n, in, &out));
		tarn_err err = tarn_value_const(g, n->out[0]->name, &out, &v);
		tarn_tensor_fini(&out);
		TRY(err);
		tarn_graph_replace(g, n->out[0], v);
	}
	tarn_graph_sweep(g);
	return TARN_OK;
}

tarn_err tarn_cpu_fold_weights(tarn_model *m)
{
	for (size_t i = 0; i < m->graph.len; i++)
		TRY(fold_graph(m->graph.at[i]));
	return TARN_OK;
}
