/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as a model: QuantizeLinear and DequantizeLinear pairs, weights as codes, biases as int32. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/plan.h"

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

/* v -> QuantizeLinear -> DequantizeLinear; *dq is what readers of codes read. */
static tarn_err insert_pair(tarn_graph *g, tarn_value *v, const quant_grid *q, tarn_value **dq)
{
	tarn_value *scale, *zero;
	tarn_node *a, *b;
	TRY(grid_consts(g, v->name, q, &scale, &zero));
	TRY(pair_node(g, "QuantizeLinear", v->name, "_quantize", v, scale, zero, &a));
	TRY(pair_node(g, "DequantizeLinear", v->name, "_dequantize", a->out[0], scale, zero, &b));
	*dq = b->out[0];
	return TARN_OK;
}

/* A constant in codes with one scale for each channel along `axis`, read through a DequantizeLinear. */
static tarn_err insert_codes(tarn_graph *g, const char *name, const tarn_tensor *code, const tarn_tensor *scale, int axis,
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

static tarn_err insert_weights(tarn_graph *g, tarn_node *n, const quant_weight *w)
{
	const tarn_tensor *x = n->in[1]->konst;
	tarn_tensor q = {0}, s = {0};
	tarn_err err;
	TRY_GOTO(out, tarn_tensor_new(TARN_I8, x->rank, x->dim, &q));
	TRY_GOTO(out, tarn_tensor_new(TARN_F32, 1, &w->channels, &s));
	memcpy(q.data, w->code, (size_t)tarn_tensor_count(x));
	memcpy(s.data, w->scale, (size_t)w->channels * sizeof *w->scale);
	TRY_GOTO(out, insert_codes(g, n->in[1]->name, &q, &s, w->axis, &n->in[1]));
out:
	tarn_tensor_fini(&q);
	tarn_tensor_fini(&s);
	return err;
}

/* Bias as int32 with the accumulator's own scale, less the shift. Left float when a code would not fit. */
static tarn_err insert_bias(tarn_graph *g, tarn_node *n, float x_scale, const quant_weight *w)
{
	const tarn_tensor *b = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	if (!b || b->type != TARN_F32 || tarn_tensor_count(b) != w->channels)
		return TARN_OK;
	tarn_tensor q = {0}, s = {0};
	tarn_err err;
	TRY_GOTO(out, tarn_tensor_new(TARN_I32, 1, &w->channels, &q));
	TRY_GOTO(out, tarn_tensor_new(TARN_F32, 1, &w->channels, &s));
	for (int64_t c = 0; c < w->channels; c++) {
		float scale = x_scale * w->scale[c];
		double code = nearbyint(((double)((const float *)b->data)[c] - w->shift[c]) / scale);
		if (!(fabs(code) < 1 << 30))
			goto out;
		((float *)s.data)[c] = scale;
		((int32_t *)q.data)[c] = (int32_t)code;
	}
	TRY_GOTO(out, insert_codes(g, n->in[2]->name, &q, &s, 0, &n->in[2]));
out:
	tarn_tensor_fini(&q);
	tarn_tensor_fini(&s);
	return err;
}

static tarn_err write_pairs(const quant_plan *p, tarn_graph *g, size_t values, tarn_value **dq)
{
	for (size_t v = 0; v < values; v++)
		if (p->marked[v] && p->grid[v].type != TARN_DTYPE_NONE)
			TRY(insert_pair(g, g->value.at[v], &p->grid[v], &dq[v]));
	return TARN_OK;
}

static tarn_err write_node(const quant_plan *p, tarn_graph *g, tarn_node *n, size_t values, tarn_value *const *dq)
{
	const quant_weight *w = &p->weight[n->index];
	const quant_grid x = p->grid[n->in[0]->id];
	for (int k = 0; k < n->n_in; k++)
		if (n->in[k] && n->in[k]->id < values && dq[n->in[k]->id])
			n->in[k] = dq[n->in[k]->id];
	if (!p->int8[n->index] || !w->scale)
		return TARN_OK;
	TRY(insert_weights(g, n, w));
	return x.type != TARN_DTYPE_NONE ? insert_bias(g, n, x.scale, w) : TARN_OK;
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
		if (p->int8[g->node.at[i]->index] || p->moves[g->node.at[i]->index])
			TRY_GOTO(out, write_node(p, g, g->node.at[i], values, dq));
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
