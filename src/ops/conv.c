/* SPDX-License-Identifier: Apache-2.0 */
/* Conv and GroupConvolution (OpenVINO's: weights [G, O/G, I/G, k..], no bias): 1 to 3 spatial axes. */
#include "ops/convolve.h"

#include "ops/ops.h"
#include "ops/padding.h"

enum { GROUP = TARN_WINDOW_ATTRS };
static const tarn_attr_def conv_attr[] = {TARN_WINDOW_SCHEMA, {"group", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1}};
static const tarn_attr_def group_attr[] = {TARN_WINDOW_SCHEMA};

static tarn_err infer_conv(tarn_infer *c)
{
	tarn_shape out;
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	TRY(tarn_infer_same_type(c, 0, 1));
	TRY(tarn_convolve_infer(c, 0, 1, tarn_attr_i(c->node, GROUP), false, &out));
	const tarn_shape *b = tarn_infer_shape(c, 2);
	if (b)
		CHECK(b->rank == 1 && (out.rank < 0 || b->dim[0] == out.dim[1] || b->dim[0] < 0 || out.dim[1] < 0), TARN_SHAPE,
		      "the bias has rank %d and %lld elements, the weights %lld output channels", b->rank,
		      (long long)(b->rank ? b->dim[0] : 1), (long long)(out.rank < 0 ? -1 : out.dim[1]));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static tarn_err infer_group(tarn_infer *c)
{
	tarn_shape out;
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	TRY(tarn_infer_same_type(c, 0, 1));
	TRY(tarn_convolve_infer(c, 0, 1, 1, true, &out));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static tarn_err eval_with(tarn_eval *e, int64_t group, const int64_t *kernel)
{
	const tarn_tensor *x = e->in[0], *y = &e->out[0];
	tarn_convolve c = {0};
	TRY(tarn_window_read(e->node, x->rank - 2, kernel, &c.w));
	tarn_window_resolve(&c.w, x->dim + 2, y->dim + 2);
	tarn_convolve_setup(&c, x, y, group);
	return tarn_convolve_eval(e, &c, true);
}

static tarn_err eval_conv(tarn_eval *e)
{
	return eval_with(e, tarn_attr_i(e->node, GROUP), e->in[1]->dim + 2);
}

static tarn_err eval_group(tarn_eval *e)
{
	return eval_with(e, e->in[1]->dim[0], e->in[1]->dim + 3);
}

static tarn_err grad_with(tarn_grad *g, int64_t group, const int64_t *kernel)
{
	const tarn_tensor *x = g->in[0], *y = &g->out[0];
	tarn_convolve c = {0};
	TRY(tarn_window_read(g->node, x->rank - 2, kernel, &c.w));
	tarn_window_resolve(&c.w, x->dim + 2, y->dim + 2);
	tarn_convolve_setup(&c, x, y, group);
	return tarn_convolve_grad(g, &c, true);
}

static tarn_err grad_conv(tarn_grad *g)
{
	return grad_with(g, tarn_attr_i(g->node, GROUP), g->in[1]->dim + 2);
}

static tarn_err grad_group(tarn_grad *g)
{
	return grad_with(g, g->in[1]->dim[0], g->in[1]->dim + 3);
}

static tarn_err cost_conv(const tarn_node *n, tarn_cost *cost)
{
	return tarn_convolve_cost(n, 1, 1, cost);
}

static tarn_err cost_group(const tarn_node *n, tarn_cost *cost)
{
	return tarn_convolve_cost(n, 1, 2, cost);
}

/* Reshape of the weights to [O, I/G, k..] and a Conv with that many groups. */
static tarn_err decompose_group(tarn_graph *g, tarn_node *n)
{
	const tarn_shape *w = &n->in[1]->shape;
	CHECK(w->rank >= 4 && tarn_shape_is_static(w), TARN_UNSUPPORTED, "the weights' shape is not known");
	int64_t dim[TARN_MAX_RANK];
	dim[0] = w->dim[0] * w->dim[1];
	for (int i = 2; i < w->rank; i++)
		dim[i - 1] = w->dim[i];
	tarn_value *shape;
	tarn_node *reshape, *conv;
	TRY(tarn_value_const_i64(g, NULL, dim, w->rank - 1, &shape));
	TRY(tarn_node_new(g, tarn_op_find(NULL, "Reshape"), NULL, 2, 1, n->index, &reshape));
	reshape->in[0] = n->in[1];
	reshape->in[1] = shape;
	TRY(tarn_node_new(g, &tarn_op_conv, n->name, 2, 1, n->index + 1, &conv));
	conv->in[0] = n->in[0];
	conv->in[1] = reshape->out[0];
	for (int i = 0; i < TARN_WINDOW_ATTRS; i++)
		conv->attr[i] = n->attr[i];
	/* The schema's kernel is the spatial part in both, so that the attributes carry over as they are. */
	TRY(tarn_attr_set_i(conv, GROUP, w->dim[0]));
	tarn_graph_replace(g, n->out[0], conv->out[0]);
	return TARN_OK;
}

static void pad_conv(tarn_pad *p)
{
	tarn_pad_window(p, TARN_PAD_ZERO, 1);
}

const tarn_op_def tarn_op_conv = {
	.name = "Conv",
	.onnx_since = 1,
	.min_in = 2,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.attr = conv_attr,
	.n_attr = GROUP + 1,
	.import = tarn_window_import,
	.infer = infer_conv,
	.eval = eval_conv,
	.grad = grad_conv,
	.pad = pad_conv,
	.cost = cost_conv,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 1, .weight = 1, .weight_axis = 0, .bias = 2},
};

/* weight_axis: the output channels are axes 0 and 1 together; per-tensor or through the decomposition. */
static void pad_group_conv(tarn_pad *p)
{
	tarn_pad_window(p, TARN_PAD_ZERO, 1);
	if (p->need == TARN_PAD_PLACE)
		p->need = TARN_PAD_UNSAFE; /* it decomposes */
}

const tarn_op_def tarn_op_group_convolution = {
	.name = "GroupConvolution",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = group_attr,
	.n_attr = TARN_WINDOW_ATTRS,
	.import = tarn_window_import,
	.infer = infer_group,
	.eval = eval_group,
	.grad = grad_group,
	.decompose = decompose_group,
	.pad = pad_group_conv,
	.cost = cost_group,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 1, .weight = 1, .weight_axis = 0, .bias = -1},
};
