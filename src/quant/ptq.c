/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "pass/pass.h"
#include "quant/plan.h"

void tarn_quant_report_fini(tarn_quant_report *r)
{
	VEC_FINI(&r->reason);
	tarn_arena_fini(&r->arena);
	*r = (tarn_quant_report){0};
}

quant_grid tarn_quant_grid(double lo, double hi, bool symmetric)
{
	const double floor_h = 8e-4;
	if (symmetric) {
		double h = fmax(fmax(fabs(lo), fabs(hi)), floor_h);
		if (lo >= 0)
			return (quant_grid){TARN_U8, (float)(h / 255), 0};
		return (quant_grid){TARN_I8, (float)(h / 127), 0};
	}
	if (hi - lo <= floor_h) {
		lo -= floor_h;
		hi += floor_h;
	}
	double l = fmin(lo, 0), h = fmax(hi, 0), z = nearbyint(-l * 255 / (h - l));
	/* Moving one end puts zero on the grid; the choice that cuts nothing off is the wider one. */
	double h2 = z > 0 ? (z - 255) / z * l : h, l2 = z < 255 ? z / (z - 255) * h : l;
	double wide = z > 0 && z < 255 ? fmax(h2 - l, h - l2) : h - l;
	return (quant_grid){TARN_U8, (float)(wide / 255), (int)z};
}

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

/* Weights of node n with output channels along `axis`: codes and one scale each. scale[c] is filled. */
static tarn_err insert_weights(tarn_graph *g, tarn_node *n, int axis, float *scale)
{
	const tarn_tensor *w = n->in[1]->konst;
	int64_t channels = w->dim[axis], inner = 1, count = tarn_tensor_count(w);
	for (int i = axis + 1; i < w->rank; i++)
		inner *= w->dim[i];
	const float *x = w->data;
	tarn_tensor q = {0}, s = {0};
	tarn_err err;
	tarn_value *vq, *vs;
	tarn_node *d;
	char text[160];
	TRY_GOTO(out, tarn_tensor_new(TARN_I8, w->rank, w->dim, &q));
	TRY_GOTO(out, tarn_tensor_new(TARN_F32, 1, &channels, &s));
	float most = 0;
	memset(scale, 0, (size_t)channels * sizeof *scale);
	for (int64_t i = 0; i < count; i++) {
		float a = fabsf(x[i]);
		CHECK_GOTO(out, isfinite(a), TARN_BAD_FILE, "weights of node '%s' are not finite", n->name);
		int64_t c = i / inner % channels;
		scale[c] = a > scale[c] ? a : scale[c];
		most = a > most ? a : most;
	}
	/* a channel of (nearly) zeros must not get a scale of zero */
	for (int64_t c = 0; c < channels; c++)
		scale[c] = fmaxf(scale[c], fmaxf(0.01f * most, 8e-5f)) / 127;
	memcpy(s.data, scale, (size_t)channels * sizeof *scale);
	for (int64_t i = 0; i < count; i++) {
		float r = rintf(x[i] / scale[i / inner % channels]);
		((int8_t *)q.data)[i] = (int8_t)fmaxf(-127, fminf(127, r));
	}
	snprintf(text, sizeof text, "%.140s_codes", n->in[1]->name);
	TRY_GOTO(out, tarn_value_const(g, text, &q, &vq));
	snprintf(text, sizeof text, "%.140s_scales", n->in[1]->name);
	TRY_GOTO(out, tarn_value_const(g, text, &s, &vs));
	TRY_GOTO(out, pair_node(g, "DequantizeLinear", n->in[1]->name, "_dequantize", vq, vs, NULL, &d));
	TRY_GOTO(out, tarn_attr_set_i(d, tarn_attr_index(d->op, "axis"), axis));
	n->in[1] = d->out[0];
out:
	tarn_tensor_fini(&q);
	tarn_tensor_fini(&s);
	return err;
}

/* What rounding the weights adds to each output channel for the average input: shift[o] = sum of (rounded - exact) * mean.
 * Zeros of a convolution's border are not counted. (Bias correction: Nagel et al., arXiv 1906.04721.) */
static void find_shift(const tarn_node *n, const tarn_tensor *w, int axis, const float *scale, const double *mean,
		       double *shift)
{
	const int8_t *code = n->in[1]->def->in[0]->konst->data;
	int64_t outputs = w->dim[axis], inputs = w->dim[!axis], area = tarn_tensor_count(w) / (w->dim[0] * w->dim[1]);
	int group = n->op == tarn_op_find(NULL, "Conv") ? tarn_attr_index(n->op, "group") : -1;
	int64_t per_group = outputs / (group >= 0 ? tarn_attr_i(n, group) : 1);
	for (int64_t o = 0; o < outputs; o++)
		for (int64_t i = 0; i < inputs; i++)
			for (int64_t k = 0; k < area; k++) {
				int64_t at = (axis ? i * outputs + o : o * inputs + i) * area + k;
				double off = (double)code[at] * scale[o] - ((const float *)w->data)[at];
				shift[o] += off * mean[o / per_group * inputs + i];
			}
}

/* Bias as int32 with the accumulator's own scale, less the shift. Left float when a code would not fit. */
static tarn_err insert_bias(tarn_graph *g, tarn_node *n, float x_scale, const float *w_scale, const double *shift)
{
	const tarn_tensor *b = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	if (!b || b->type != TARN_F32)
		return TARN_OK;
	int64_t count = tarn_tensor_count(b);
	tarn_tensor q = {0}, s = {0};
	tarn_err err;
	tarn_value *vq, *vs;
	tarn_node *d;
	char text[160];
	TRY_GOTO(out, tarn_tensor_new(TARN_I32, 1, &count, &q));
	TRY_GOTO(out, tarn_tensor_new(TARN_F32, 1, &count, &s));
	for (int64_t c = 0; c < count; c++) {
		float scale = x_scale * w_scale[c];
		double code = nearbyint(((double)((const float *)b->data)[c] - shift[c]) / scale);
		if (!(fabs(code) < 1 << 30))
			goto out;
		((float *)s.data)[c] = scale;
		((int32_t *)q.data)[c] = (int32_t)code;
	}
	snprintf(text, sizeof text, "%.140s_codes", n->in[2]->name);
	TRY_GOTO(out, tarn_value_const(g, text, &q, &vq));
	snprintf(text, sizeof text, "%.140s_scales", n->in[2]->name);
	TRY_GOTO(out, tarn_value_const(g, text, &s, &vs));
	TRY_GOTO(out, pair_node(g, "DequantizeLinear", n->in[2]->name, "_dequantize", vq, vs, NULL, &d));
	TRY_GOTO(out, tarn_attr_set_i(d, tarn_attr_index(d->op, "axis"), 0));
	n->in[2] = d->out[0];
out:
	tarn_tensor_fini(&q);
	tarn_tensor_fini(&s);
	return err;
}

/* The grid an input's codes have. */
static bool input_grid(const tarn_value *v, float *scale)
{
	const tarn_node *d = v->def;
	if (!d || d->op != tarn_op_find(NULL, "DequantizeLinear") || !d->in[1]->konst)
		return false;
	*scale = *(const float *)d->in[1]->konst->data;
	return true;
}

static tarn_err write_product(quant_plan *p, tarn_node *n, const double *mean)
{
	tarn_graph *g = p->m->main;
	bool conv = n->op == tarn_op_find(NULL, "Conv"), gemm = n->op == tarn_op_find(NULL, "Gemm");
	int axis = conv || (gemm && tarn_attr_i(n, tarn_attr_index(n->op, "transB"))) ? 0 : 1;
	const tarn_tensor *w = n->in[1]->konst;
	if (!w || w->type != TARN_F32)
		return TARN_OK;
	float x_scale, *scale = tarn_arena_zalloc(&p->arena, (size_t)w->dim[axis], sizeof *scale);
	double *shift = tarn_arena_zalloc(&p->arena, (size_t)w->dim[axis], sizeof *shift);
	if (!scale || !shift)
		return tarn_err_nomem((size_t)w->dim[axis] * sizeof *shift);
	TRY(insert_weights(g, n, axis, scale));
	if (mean)
		find_shift(n, w, axis, scale, mean, shift);
	return input_grid(n->in[0], &x_scale) ? insert_bias(g, n, x_scale, scale, shift) : TARN_OK;
}

tarn_err tarn_quant_write(quant_plan *p, tarn_quant_preset preset)
{
	tarn_graph *g = p->m->main;
	size_t values = g->value.len, nodes = g->node.len;
	tarn_value **dq = tarn_arena_zalloc(&p->arena, values, sizeof *dq);
	if (!dq)
		return tarn_err_nomem(values * sizeof *dq);
	for (size_t v = 0; v < values; v++) {
		if (!p->marked[v] || !p->seen[v])
			continue;
		int root = tarn_quant_root(p, (int)v);
		quant_grid q = tarn_quant_grid(p->lo[root], p->hi[root], preset == TARN_QUANT_PERFORMANCE);
		TRY(insert_pair(g, g->value.at[v], &q, &dq[v]));
	}
	for (size_t i = 0; i < nodes; i++) {
		tarn_node *n = g->node.at[i];
		if (!p->int8[i] && !p->moves[i])
			continue;
		const double *mean = p->mean[n->in[0]->id];
		for (int k = 0; k < n->n_in; k++)
			if (n->in[k] && n->in[k]->id < values && dq[n->in[k]->id])
				n->in[k] = dq[n->in[k]->id];
		if (p->int8[i] && n->n_in >= 2 && n->op->quant.weight >= 0)
			TRY(write_product(p, n, mean));
	}
	tarn_graph_sweep(g);
	TRY(tarn_graph_sort(g));
	return tarn_graph_infer(g);
}

static bool uneven(const tarn_graph *g)
{
	static const char *const ops[] = {"Swish", "HardSwish", "Gelu",     "LeakyRelu", "Elu",
					  "Mish",  "Selu",      "Softplus", "PRelu",     NULL};
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; ops[k]; k++)
			if (g->node.at[i]->op == tarn_op_find(NULL, ops[k]))
				return true;
	/* x * sigmoid(x) */
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		if (n->op != tarn_op_find(NULL, "Mul"))
			continue;
		for (int k = 0; k < 2; k++)
			if (n->in[k]->def && n->in[k]->def->op == tarn_op_find(NULL, "Sigmoid") &&
			    n->in[k]->def->in[0] == n->in[!k])
				return true;
	}
	return false;
}

/* The model at the sizes of the first sample. *sized stays NULL when it cannot be had. */
static tarn_err at_sample_size(const tarn_model *m, const tarn_quant_options *o, tarn_arena *a, tarn_model **sized)
{
	size_t n = m->main->input.len;
	tarn_tensor *in = tarn_arena_zalloc(a, n + 1, sizeof *in);
	tarn_shape *shape = tarn_arena_zalloc(a, n + 1, sizeof *shape);
	tarn_model *copy = NULL;
	if (!in || !shape)
		return tarn_err_nomem(n * sizeof *shape);
	CHECK(o->n_sample, TARN_BAD_FILE, "there are no samples to calibrate on");
	tarn_err err = o->sample(o->ctx, 0, in);
	for (size_t i = 0; i < n; i++) {
		shape[i].rank = in[i].rank;
		for (int k = 0; k < in[i].rank; k++)
			shape[i].dim[k] = in[i].dim[k];
		tarn_tensor_fini(&in[i]);
	}
	TRY(err);
	TRY(tarn_model_clone(m, &copy));
	/* A sample that does not fit is found, and named, when it is run. */
	if (tarn_model_reshape(copy, shape, (int)n) == TARN_OK && copy->main->node.len == m->main->node.len)
		*sized = copy;
	else
		tarn_model_unref(copy);
	return TARN_OK;
}

tarn_err tarn_quant_ptq(const tarn_model *m, const tarn_quant_options *o, tarn_model **out, tarn_quant_report *r)
{
	quant_plan p = {0};
	tarn_model *plain = NULL, *sized = NULL;
	tarn_err err;
	TRY(tarn_model_clone(m, &p.m));
	TRY_GOTO(out, tarn_pass_standard(p.m));
	TRY_GOTO(out, tarn_model_clone(p.m, &plain));
	tarn_graph *g = p.m->main;
	for (size_t i = 0; i < g->node.len; i++)
		CHECK_GOTO(out, g->node.at[i]->op != tarn_op_find(NULL, "DequantizeLinear"), TARN_USAGE,
			   "the model is quantized already (node '%s'); start from the float model", g->node.at[i]->name);
	r->preset = o->preset;
	if (r->preset == TARN_QUANT_AUTO)
		r->preset = uneven(g) || tarn_quant_is_transformer(g) ? TARN_QUANT_MIXED : TARN_QUANT_PERFORMANCE;
	r->samples = o->n_sample;
	TRY_GOTO(out, at_sample_size(p.m, o, &p.arena, &sized));
	p.sized = sized;
	TRY_GOTO(out, tarn_quant_place(&p, o, r));
	CHECK_GOTO(out, r->nodes_int8, TARN_UNSUPPORTED, "no node of the model can run in INT8");
	TRY_GOTO(out, tarn_quant_observe(&p, o));
	TRY_GOTO(out, tarn_quant_write(&p, r->preset));
	TRY_GOTO(out, tarn_quant_compare(plain, p.m, o, r));
	*out = p.m;
	p.m = NULL;
out:
	tarn_model_unref(p.m);
	tarn_model_unref(plain);
	tarn_model_unref(sized);
	tarn_arena_fini(&p.arena);
	return err;
}
