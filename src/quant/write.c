/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as a model: QuantizeLinear and DequantizeLinear pairs, weights as codes, biases as int32. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/fine.h"
#include "quant/precise.h"

/* Scale and zero point as constants of the graph. */
static tarn_err grid_consts(tarn_graph *g, const char *name, const quant_grid *q, tarn_value **scale, tarn_value **zero)
{
	int64_t none = 0;
	char text[160];
	tarn_tensor z = {0};
	snprintf(text, sizeof text, "%.140s_scale", name);
	TRY(tarn_value_const_f32(g, text, &q->scale, -1, scale));
	TRY(tarn_tensor_new(q->type, 0, &none, &z));
	tarn_tensor_set_i64(&z, 0, q->zero);
	snprintf(text, sizeof text, "%.140s_zero", name);
	tarn_err err = tarn_value_const(g, text, &z, zero);
	tarn_tensor_fini(&z);
	return err;
}

static tarn_err pair_node(tarn_graph *g, const char *op, const char *name, const char *suffix, tarn_value *x, tarn_value *scale,
			  tarn_value *zero, tarn_node **out)
{
	char text[160];
	snprintf(text, sizeof text, "%.140s%s", name, suffix);
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), text, zero ? 3 : 2, 1, -1, out));
	(*out)->in[0] = x;
	(*out)->in[1] = scale;
	if (zero)
		(*out)->in[2] = zero;
	return TARN_OK;
}

tarn_err tarn_quant_write_pair(tarn_graph *g, tarn_value *v, const quant_grid *q, tarn_value **dq)
{
	tarn_value *scale, *zero;
	tarn_node *a, *b;
	TRY(grid_consts(g, v->name, q, &scale, &zero));
	TRY(pair_node(g, "QuantizeLinear", v->name, "_quantize", v, scale, zero, &a));
	TRY(pair_node(g, "DequantizeLinear", v->name, "_dequantize", a->out[0], scale, zero, &b));
	*dq = b->out[0];
	return TARN_OK;
}

tarn_err tarn_quant_write_codes(tarn_graph *g, const char *name, const tarn_tensor *code, const tarn_tensor *scale, int axis,
				tarn_value **out)
{
	tarn_value *vq, *vs;
	tarn_node *d;
	char text[160];
	snprintf(text, sizeof text, "%.140s_codes", name);
	TRY(tarn_value_const(g, text, code, &vq));
	snprintf(text, sizeof text, "%.140s_scales", name);
	TRY(tarn_value_const(g, text, scale, &vs));
	TRY(pair_node(g, "DequantizeLinear", name, "_dequantize", vq, vs, NULL, &d));
	TRY(tarn_attr_set_i(d, tarn_attr_index(d->op, "axis"), axis));
	*out = d->out[0];
	return TARN_OK;
}

static tarn_err insert_weights(tarn_graph *g, tarn_node *n, const quant_weight *w, bool fine)
{
	const tarn_tensor *x = n->in[1]->konst;
	tarn_tensor q = {0}, s = {0};
	tarn_err err;
	TRY_GOTO(out, fine ? tarn_quant_fine_codes(w, n, &q) : tarn_tensor_new(TARN_I8, x->rank, x->dim, &q));
	TRY_GOTO(out, tarn_tensor_new(TARN_F32, 1, &w->channels, &s));
	if (!fine)
		memcpy(q.data, w->code, (size_t)tarn_tensor_count(x));
	memcpy(s.data, w->scale, (size_t)w->channels * sizeof *w->scale);
	TRY_GOTO(out, tarn_quant_write_codes(g, n->in[1]->name, &q, &s, w->axis, &n->in[1]));
out:
	tarn_tensor_fini(&q);
	tarn_tensor_fini(&s);
	return err;
}

static bool shifts(const quant_weight *w)
{
	for (int64_t c = 0; c < w->channels; c++)
		if (w->shift[c] != 0)
			return true;
	return false;
}

/* A bias of zeros where the node has none. */
static tarn_err add_bias(tarn_graph *g, tarn_node *n, const quant_weight *w)
{
	tarn_tensor t;
	char text[160];
	TRY(tarn_tensor_new(TARN_F32, 1, &w->channels, &t));
	tarn_err err;
	if (n->n_in < 3)
		TRY_GOTO(out, tarn_node_resize_inputs(g, n, 3));
	snprintf(text, sizeof text, "%.140s_bias", n->name);
	TRY_GOTO(out, tarn_value_const(g, text, &t, &n->in[2]));
out:
	tarn_tensor_fini(&t);
	return err;
}

/* The shift off a constant that stays float. */
static tarn_err shift_constant(tarn_graph *g, tarn_node *n, int slot, const quant_weight *w)
{
	tarn_tensor t;
	TRY(tarn_tensor_copy(n->in[slot]->konst, &t));
	for (int64_t c = 0; c < w->channels; c++)
		((float *)t.data)[c] = (float)((double)((float *)t.data)[c] - w->shift[c]);
	tarn_err err = tarn_value_const(g, n->in[slot]->name, &t, &n->in[slot]);
	tarn_tensor_fini(&t);
	return err;
}

/* Bias as int32 with the accumulator's own scale, less the shift. False when a code would not fit. */
static bool bias_codes(const tarn_tensor *b, float x_scale, const quant_weight *w, int32_t *code, float *scale)
{
	for (int64_t c = 0; c < w->channels; c++) {
		scale[c] = x_scale * w->scale[c];
		double r = nearbyint(((double)((const float *)b->data)[c] - w->shift[c]) / (double)scale[c]);
		if (!(fabs(r) < 1 << 30))
			return false;
		code[c] = (int32_t)r;
	}
	return true;
}

static tarn_err insert_bias(tarn_graph *g, tarn_node *n, float x_scale, const quant_weight *w)
{
	tarn_node *at;
	int slot;
	if (!tarn_quant_bias_of(g, n, &at, &slot))
		return TARN_OK;
	if (at != n)
		return shifts(w) ? shift_constant(g, at, slot, w) : TARN_OK;
	bool none = n->n_in < 3 || !n->in[2];
	if (none && !shifts(w))
		return TARN_OK;
	if (none)
		TRY(add_bias(g, n, w));
	if (tarn_tensor_count(n->in[2]->konst) != w->channels)
		return TARN_OK;
	tarn_tensor q = {0}, s = {0};
	tarn_err err;
	TRY_GOTO(out, tarn_tensor_new(TARN_I32, 1, &w->channels, &q));
	TRY_GOTO(out, tarn_tensor_new(TARN_F32, 1, &w->channels, &s));
	TRY_GOTO(out, bias_codes(n->in[2]->konst, x_scale, w, q.data, s.data)
			      ? tarn_quant_write_codes(g, n->in[2]->name, &q, &s, 0, &n->in[2])
			      : shift_constant(g, n, 2, w));
out:
	tarn_tensor_fini(&q);
	tarn_tensor_fini(&s);
	return err;
}

static tarn_err write_pairs(const quant_plan *p, tarn_graph *g, size_t values, tarn_value **dq)
{
	for (size_t v = 0; v < values; v++)
		if (p->marked[v] && p->grid[v].type != TARN_DTYPE_NONE)
			TRY(tarn_quant_write_pair(g, g->value.at[v], &p->grid[v], &dq[v]));
	return TARN_OK;
}

static tarn_err write_node(const quant_plan *p, tarn_graph *g, tarn_node *n, size_t values, tarn_value *const *dq)
{
	const quant_weight *w = &p->weight[n->index];
	const tarn_node *from = p->m->main->node.at[n->index];
	bool fine = tarn_quant_reads_fine(p, from), rests = tarn_quant_rests_of(p, from);
	const quant_grid x = rests ? tarn_quant_precise_grid(p, from->in[0]) : p->grid[from->in[0]->id];
	if (rests)
		TRY(tarn_quant_write_pair(g, n->in[0], &x, &n->in[0]));
	else if (fine)
		TRY(tarn_quant_write_fine(p, g, n, &n->in[0]));
	for (int k = fine || rests; k < n->n_in; k++)
		if (n->in[k] && n->in[k]->id < values && dq[n->in[k]->id])
			n->in[k] = dq[n->in[k]->id];
	if (!p->int8[n->index] || !w->scale)
		return TARN_OK;
	if (x.type != TARN_DTYPE_NONE) /* before the weights, by which a bias behind a product is told */
		TRY(insert_bias(g, n, x.scale, w));
	return insert_weights(g, n, w, fine);
}

tarn_err tarn_quant_write(const quant_plan *p, tarn_model **out)
{
	tarn_model *m;
	TRY(tarn_model_clone(p->m, &m));
	tarn_graph *g = m->main;
	size_t values = g->value.len, nodes = g->node.len;
	tarn_value **dq = tarn_mem_zalloc(values + 1, sizeof *dq);
	tarn_err err;
	CHECK_GOTO(out, dq, TARN_NOMEM, "out of memory");
	CHECK_GOTO(out, values == p->m->main->value.len && nodes == p->m->main->node.len, TARN_INTERNAL,
		   "a copy of the model has other values");
	TRY_GOTO(out, write_pairs(p, g, values, dq));
	for (size_t i = 0; i < nodes; i++)
		if (p->int8[i] || (p->moves[i] && !tarn_quant_moves_fine(p, p->m->main->node.at[i])))
			TRY_GOTO(out, write_node(p, g, g->node.at[i], values, dq));
	for (size_t i = 0; i < nodes; i++) /* when all readers read what they shall */
		if (p->int8[i] && tarn_quant_rests_of(p, p->m->main->node.at[i]))
			TRY_GOTO(out, tarn_quant_write_rests(p, g, g->node.at[i]));
	tarn_graph_sweep(g);
	TRY_GOTO(out, tarn_graph_sort(g));
	TRY_GOTO(out, tarn_graph_infer(g));
out:
	tarn_mem_free(dq);
	if (err == TARN_OK)
		*out = m;
	else
		tarn_model_unref(m);
	return err;
}
