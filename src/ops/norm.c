/* SPDX-License-Identifier: Apache-2.0 */
/* InstanceNormalization, GroupNormalization, LayerNormalization: mean and variance over trailing elements, scale, shift. */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/grad.h"
#include "ops/padding.h"

#define QUANT_INPUTS \
	{ \
		.kind = TARN_QUANT_INPUTS, .act = 1, .weight = -1, .bias = -1 \
	}

/* v[n] becomes (v - mean) / sqrt(var + eps). */
static void normalize(double *v, int64_t n, double eps, double *mean, double *inv)
{
	double s = 0, q = 0;
	for (int64_t i = 0; i < n; i++)
		s += v[i];
	*mean = s / (double)n;
	for (int64_t i = 0; i < n; i++)
		q += (v[i] - *mean) * (v[i] - *mean);
	*inv = 1 / sqrt(q / (double)n + eps);
	for (int64_t i = 0; i < n; i++)
		v[i] = (v[i] - *mean) * *inv;
}

/* ---- instance and group ---- */

enum { EPSILON, NUM_GROUPS };
static const tarn_attr_def instance_attr[] = {{"epsilon", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1e-5}};
static const tarn_attr_def group_attr[] = {{"epsilon", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1e-5},
					   {"num_groups", TARN_ATTR_INT, TARN_ATTR_REQUIRED}};

/* Scale and shift: one per channel, or (GroupNormalization of opset 18) one per group. */
static tarn_err infer_channels(tarn_infer *c, int64_t groups)
{
	const tarn_shape *x = tarn_infer_shape(c, 0);
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	TRY(tarn_infer_rank(c, 0, 2, -1));
	if (groups && x && x->dim[1] >= 0)
		CHECK(groups > 0 && x->dim[1] % groups == 0, TARN_SHAPE,
		      "%" PRId64 " channels cannot be split into %" PRId64 " groups", x->dim[1], groups);
	for (int i = 1; i < 3; i++) {
		TRY(tarn_infer_rank(c, i, 1, 1));
		const tarn_shape *s = tarn_infer_shape(c, i);
		if (x && s && x->dim[1] >= 0 && s->dim[0] >= 0)
			CHECK(s->dim[0] == x->dim[1] || (groups && s->dim[0] == groups), TARN_SHAPE,
			      "input %d has %" PRId64 " elements for %" PRId64 " channels", i, s->dim[0], x->dim[1]);
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), x);
	return TARN_OK;
}

static tarn_err infer_instance(tarn_infer *c)
{
	return infer_channels(c, 0);
}

static tarn_err infer_group(tarn_infer *c)
{
	CHECK(tarn_attr_i(c->node, NUM_GROUPS) > 0, TARN_SHAPE, "num_groups is %" PRId64, tarn_attr_i(c->node, NUM_GROUPS));
	return infer_channels(c, tarn_attr_i(c->node, NUM_GROUPS));
}

static tarn_err run_channels(tarn_eval *e, int64_t groups)
{
	const tarn_tensor *x = e->in[0];
	int64_t count = tarn_tensor_count(x), channels = x->dim[1];
	if (!count)
		return TARN_OK;
	int64_t area = count / x->dim[0] / channels, per = channels / groups;
	double *v, mean, inv, eps = tarn_attr_f(e->node, EPSILON);
	TRY(tarn_real_load(x, &v));
	for (int64_t i = 0; i < x->dim[0] * groups; i++)
		normalize(v + i * per * area, per * area, eps, &mean, &inv);
	for (int64_t i = 0; i < count; i++) {
		int64_t c = i / area % channels;
		int64_t at[2];
		for (int k = 0; k < 2; k++)
			at[k] = e->in[1 + k]->dim[0] == channels ? c : c / per;
		v[i] = v[i] * tarn_tensor_f64(e->in[1], at[0]) + tarn_tensor_f64(e->in[2], at[1]);
	}
	tarn_real_put(&e->out[0], 0, count, v);
	tarn_mem_free(v);
	return TARN_OK;
}

static tarn_err eval_instance(tarn_eval *e)
{
	return run_channels(e, e->in[0]->dim[1]);
}

static tarn_err eval_group(tarn_eval *e)
{
	return run_channels(e, tarn_attr_i(e->node, NUM_GROUPS));
}

/* With n = (x - mean) / sigma and e = dy * scale: dx = (e - mean(e) - n mean(e n)) / sigma. */
static void layer_back(const double *x, const double *e, int64_t n, double eps, double *dx, double *norm)
{
	double mean, inv, sum = 0, dot = 0;
	for (int64_t i = 0; i < n; i++)
		norm[i] = x[i];
	normalize(norm, n, eps, &mean, &inv);
	for (int64_t i = 0; i < n; i++) {
		sum += e[i];
		dot += e[i] * norm[i];
	}
	for (int64_t i = 0; i < n; i++)
		dx[i] = (e[i] - sum / (double)n - norm[i] * dot / (double)n) * inv;
}

/* Scale and shift: of channels, or of groups of them. */
static tarn_err back_channels(tarn_grad *g, int64_t groups)
{
	const tarn_tensor *x = g->in[0];
	int64_t count = tarn_tensor_count(x), channels = x->dim[1];
	double *v, *scale, *dy, *e, *norm, *dx, *d[2];
	if (!count)
		return TARN_OK;
	int64_t area = count / x->dim[0] / channels, per = channels / groups, share[2];
	TRY(tarn_grad_load(g, x, &v));
	TRY(tarn_grad_load(g, g->in[1], &scale));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, count, &e));
	TRY(tarn_grad_zeros(g, count, &norm));
	TRY(tarn_grad_zeros(g, count, &dx));
	for (int k = 0; k < 2; k++) {
		share[k] = g->in[1 + k]->dim[0] == channels ? 1 : per;
		TRY(tarn_grad_zeros(g, g->in[1 + k]->dim[0], &d[k]));
	}
	for (int64_t i = 0; i < count; i++)
		e[i] = dy[i] * scale[i / area % channels / share[0]];
	for (int64_t i = 0; i < count; i += per * area)
		layer_back(v + i, e + i, per * area, tarn_attr_f(g->node, EPSILON), dx + i, norm + i);
	for (int64_t i = 0; i < count; i++) {
		d[0][i / area % channels / share[0]] += dy[i] * norm[i];
		d[1][i / area % channels / share[1]] += dy[i];
	}
	for (int k = 0; k < 3; k++)
		if (tarn_grad_wants(g, k))
			tarn_grad_add(&g->din[k], k ? d[k - 1] : dx);
	return TARN_OK;
}

static tarn_err grad_instance(tarn_grad *g)
{
	return back_channels(g, g->in[0]->dim[1]);
}

static tarn_err grad_group(tarn_grad *g)
{
	return back_channels(g, tarn_attr_i(g->node, NUM_GROUPS));
}

static void pad_instance(tarn_pad *p)
{
	p->need = p->input == 0 && p->axis == 0 ? TARN_PAD_ANY : TARN_PAD_UNSAFE;
	p->why = "it normalises over the padded axis";
}

const tarn_op_def tarn_op_instance_normalization = {
	.name = "InstanceNormalization",
	.onnx_since = 1,
	.min_in = 3,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.attr = instance_attr,
	.n_attr = 1,
	.infer = infer_instance,
	.pad = pad_instance,
	.eval = eval_instance,
	.grad = grad_instance,
	.cost = tarn_cost_out,
	.quant = QUANT_INPUTS,
};

const tarn_op_def tarn_op_group_normalization = {
	.name = "GroupNormalization",
	.onnx_since = 18,
	.ir = "GroupNormalization",
	.min_in = 3,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.attr = group_attr,
	.n_attr = 2,
	.infer = infer_group,
	.pad = pad_instance,
	.eval = eval_group,
	.grad = grad_group,
	.cost = tarn_cost_out,
	.quant = QUANT_INPUTS,
};

/* ---- layer ---- */

enum { L_AXIS, L_EPSILON, L_STASH };
static const tarn_attr_def layer_attr[] = {{"axis", TARN_ATTR_INT, TARN_ATTR_DEFAULT, -1},
					   {"epsilon", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 1e-5},
					   {"stash_type", TARN_ATTR_TYPE, TARN_ATTR_DEFAULT, TARN_F32}};

static tarn_err infer_layer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0);
	tarn_shape stat = {.rank = -1};
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	if (x) {
		int axis;
		stat = *x;
		TRY(tarn_shape_axis(x->rank, tarn_attr_i(c->node, L_AXIS), &axis));
		for (int i = axis; i < x->rank; i++)
			stat.dim[i] = 1;
		for (int i = 1; i < 3; i++) {
			const tarn_shape *s = tarn_infer_shape(c, i);
			for (int k = 0; s && k < s->rank; k++) {
				int at = x->rank - s->rank + k;
				CHECK(at >= 0 && (s->dim[k] == 1 || s->dim[k] < 0 || x->dim[at] < 0 || s->dim[k] == x->dim[at]),
				      TARN_SHAPE, "input %d has size %" PRId64 " where the input has %" PRId64, i, s->dim[k],
				      at >= 0 ? x->dim[at] : 0);
			}
		}
	}
	tarn_dtype stash = (tarn_dtype)tarn_attr_i(c->node, L_STASH);
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), x);
	tarn_infer_out(c, 1, stash, &stat);
	tarn_infer_out(c, 2, stash, &stat);
	return TARN_OK;
}

typedef struct affine {
	double *v;
	tarn_tensor *y;
	const tarn_tensor *in[2];
} affine;

/* v = v * scale + bias over a run of the output, both broadcast. */
static tarn_err affine_run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	affine *a = ctx;
	double p[TARN_RUN];
	for (int k = 0; k < 2; k++) {
		if (!a->in[k])
			continue;
		tarn_elem_load_f64(a->in[k], src[k], step[k], n, p);
		for (int i = 0; i < n; i++)
			a->v[at + i] = k ? a->v[at + i] + p[i] : a->v[at + i] * p[i];
	}
	return TARN_OK;
}

static tarn_err eval_layer(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0];
	int64_t axis = tarn_attr_i(e->node, L_AXIS), count = tarn_tensor_count(x);
	axis = axis < 0 ? axis + x->rank : axis;
	int64_t n = tarn_elem_product(x->dim, (int)axis, x->rank);
	double mean, inv, eps = tarn_attr_f(e->node, L_EPSILON);
	affine a = {.y = &e->out[0], .in = {tarn_eval_in(e, 1), tarn_eval_in(e, 2)}};
	TRY(tarn_real_load(x, &a.v));
	for (int64_t i = 0; i < count; i += n) {
		normalize(a.v + i, n, eps, &mean, &inv);
		if (tarn_eval_wants(e, 1))
			tarn_tensor_set_f64(&e->out[1], i / n, mean);
		if (tarn_eval_wants(e, 2))
			tarn_tensor_set_f64(&e->out[2], i / n, inv);
	}
	tarn_err err = tarn_elem_runs(a.y, a.in, 2, affine_run, &a);
	if (err == TARN_OK)
		tarn_real_put(a.y, 0, count, a.v);
	tarn_mem_free(a.v);
	return err;
}

static tarn_err grad_layer(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0];
	int64_t axis = tarn_attr_i(g->node, L_AXIS), count = tarn_tensor_count(x);
	axis = axis < 0 ? axis + x->rank : axis;
	int64_t n = tarn_elem_product(x->dim, (int)axis, x->rank);
	double *v, *scale, *dy, *e, *norm, *dx;
	for (int i = 1; i < g->node->n_out; i++)
		CHECK(g->dout[i].type == TARN_DTYPE_NONE, TARN_UNSUPPORTED, "the mean and deviation have no gradient");
	TRY(tarn_grad_load(g, x, &v));
	TRY(tarn_grad_expand(g, g->in[1], x, &scale));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, count, &e));
	TRY(tarn_grad_zeros(g, count, &norm));
	TRY(tarn_grad_zeros(g, count, &dx));
	for (int64_t i = 0; i < count; i++)
		e[i] = dy[i] * scale[i];
	for (int64_t i = 0; i < count; i += n)
		layer_back(v + i, e + i, n, tarn_attr_f(g->node, L_EPSILON), dx + i, norm + i);
	for (int64_t i = 0; i < count; i++)
		e[i] = dy[i] * norm[i];
	if (tarn_grad_wants(g, 0))
		tarn_grad_add(&g->din[0], dx);
	if (tarn_grad_wants(g, 1))
		TRY(tarn_grad_reduce(g, &g->din[1], x, e));
	return tarn_grad_wants(g, 2) ? tarn_grad_reduce(g, &g->din[2], x, dy) : TARN_OK;
}

static void pad_layer(tarn_pad *p)
{
	int64_t axis = tarn_attr_i(p->node, tarn_attr_index(p->node->op, "axis")), rank = p->node->in[0]->shape.rank;
	p->need = p->input == 0 && p->axis < (axis < 0 ? axis + rank : axis) ? TARN_PAD_ANY : TARN_PAD_UNSAFE;
	p->why = "it normalises over the padded axis";
}

const tarn_op_def tarn_op_layer_normalization = {
	.name = "LayerNormalization",
	.onnx_since = 17,
	.min_in = 2,
	.max_in = 3,
	.min_out = 1,
	.max_out = 3,
	.attr = layer_attr,
	.n_attr = 3,
	.infer = infer_layer,
	.pad = pad_layer,
	.eval = eval_layer,
	.grad = grad_layer,
	.cost = tarn_cost_out,
	.quant = QUANT_INPUTS,
};
