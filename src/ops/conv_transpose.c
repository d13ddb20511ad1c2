/* SPDX-License-Identifier: Apache-2.0 */
/* ConvTranspose: weights [I, O/group, k..]; output_padding, output_shape, auto_pad, groups. */
#include <inttypes.h>

#include "ops/convolve.h"
#include "ops/padding.h"

enum { GROUP = TARN_WINDOW_ATTRS, OUTPUT_PADDING, OUTPUT_SHAPE, N_ATTR };
static const tarn_attr_def attr[] = {TARN_WINDOW_SCHEMA,
				     {"group", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 1},
				     {"output_padding", TARN_ATTR_INTS},
				     {"output_shape", TARN_ATTR_INTS}};

static tarn_err extra_list(const tarn_node *n, int a, int nd)
{
	if (!n->attr[a].set || !n->attr[a].ints.n)
		return TARN_OK;
	CHECK(n->attr[a].ints.n == nd, TARN_SHAPE, "%s has %d numbers, %d are needed", n->op->attr[a].name, n->attr[a].ints.n,
	      nd);
	for (int i = 0; i < nd; i++)
		CHECK(n->attr[a].ints.at[i] >= 0 && n->attr[a].ints.at[i] <= INT32_MAX, TARN_SHAPE, "%s[%d] is %" PRId64,
		      n->op->attr[a].name, i, n->attr[a].ints.at[i]);
	return TARN_OK;
}

static int64_t extra(const tarn_node *n, int a, int i)
{
	return n->attr[a].set && n->attr[a].ints.n > i ? n->attr[a].ints.at[i] : 0;
}

static tarn_err out_dim(tarn_infer *c, const tarn_window *w, int i, tarn_dim in, tarn_dim *out)
{
	const tarn_node *n = c->node;
	if (n->attr[OUTPUT_SHAPE].set && n->attr[OUTPUT_SHAPE].ints.n) {
		*out = n->attr[OUTPUT_SHAPE].ints.at[i];
		return TARN_OK;
	}
	if (w->auto_pad == TARN_PAD_SAME_UPPER || w->auto_pad == TARN_PAD_SAME_LOWER)
		return tarn_dim_op(c->syms, TARN_SYM_MUL, in, w->stride[i], out);
	/* (in-1)*s + output_padding + extent - pads */
	int64_t more = extra(n, OUTPUT_PADDING, i) + tarn_window_extent(w, i) - w->stride[i] - w->begin[i] - w->end[i];
	tarn_dim d;
	TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, in, w->stride[i], &d));
	CHECK(d < 0 || d + more >= 0, TARN_SHAPE,
	      "padding %" PRId64 " and %" PRId64 " leaves nothing along spatial axis %d of size %" PRId64, w->begin[i],
	      w->end[i], i, in);
	return tarn_dim_op(c->syms, more < 0 ? TARN_SYM_SUB : TARN_SYM_ADD, d, more < 0 ? -more : more, out);
}

static tarn_err check(const tarn_infer *c, const tarn_shape *x, const tarn_shape *w, int64_t group)
{
	CHECK(group >= 1, TARN_SHAPE, "group is %" PRId64 ", at least 1 is needed", group);
	CHECK(x->rank == w->rank, TARN_SHAPE, "the input has rank %d, the weights %d", x->rank, w->rank);
	if (x->dim[1] >= 0 && w->dim[0] >= 0)
		CHECK(x->dim[1] == w->dim[0] && x->dim[1] % group == 0, TARN_SHAPE,
		      "the input has %" PRId64 " channels, the weights need %" PRId64 " in %" PRId64 " groups", x->dim[1],
		      w->dim[0], group);
	TRY(extra_list(c->node, OUTPUT_PADDING, x->rank - 2));
	return extra_list(c->node, OUTPUT_SHAPE, x->rank - 2);
}

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *x = tarn_infer_shape(c, 0), *w = tarn_infer_shape(c, 1);
	int64_t group = tarn_attr_i(c->node, GROUP);
	TRY(tarn_infer_class(c, 0, TARN_CLS_F));
	TRY(tarn_infer_same_type(c, 0, 1));
	TRY(tarn_infer_rank(c, 0, 3, 2 + TARN_WINDOW_MAX));
	TRY(tarn_infer_rank(c, 1, 3, 2 + TARN_WINDOW_MAX));
	if (!x || !w) {
		tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
		return TARN_OK;
	}
	TRY(check(c, x, w, group));
	tarn_shape out = {.rank = x->rank, .dim = {x->dim[0]}};
	TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, w->dim[1], group, &out.dim[1]));
	const tarn_shape *b = tarn_infer_shape(c, 2);
	if (b)
		CHECK(b->rank == 1 && (b->dim[0] < 0 || out.dim[1] < 0 || b->dim[0] == out.dim[1]), TARN_SHAPE,
		      "the bias has rank %d; %" PRId64 " elements of rank 1 are needed", b->rank, out.dim[1]);
	bool fixed = true;
	for (int i = 2; i < w->rank; i++)
		fixed = fixed && w->dim[i] >= 0;
	tarn_window win;
	if (fixed)
		TRY(tarn_window_read(c->node, x->rank - 2, w->dim + 2, &win));
	for (int i = 2; i < x->rank; i++)
		if (fixed)
			TRY(out_dim(c, &win, i - 2, x->dim[i], &out.dim[i]));
		else
			TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &out.dim[i]));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

/* Padding that gives the wanted size: the total split in two, the odd one at the end for SAME_UPPER, else at the beginning. */
static void resolve(const tarn_node *n, tarn_window *w, const int64_t *in, const int64_t *out)
{
	bool shaped = n->attr[OUTPUT_SHAPE].set && n->attr[OUTPUT_SHAPE].ints.n;
	if (!shaped && (w->auto_pad == TARN_PAD_NOTSET || w->auto_pad == TARN_PAD_VALID))
		return;
	for (int i = 0; i < w->nd; i++) {
		int64_t total = (in[i] - 1) * w->stride[i] + extra(n, OUTPUT_PADDING, i) + tarn_window_extent(w, i) - out[i];
		if (total < 0)
			total = 0;
		w->begin[i] = w->auto_pad == TARN_PAD_SAME_UPPER ? total / 2 : total - total / 2;
		w->end[i] = total - w->begin[i];
	}
}

static tarn_err eval(tarn_eval *e)
{
	const tarn_tensor *x = e->in[0], *y = &e->out[0];
	tarn_convolve c = {0};
	TRY(tarn_window_read(e->node, x->rank - 2, e->in[1]->dim + 2, &c.w));
	resolve(e->node, &c.w, x->dim + 2, y->dim + 2);
	tarn_convolve_setup(&c, x, y, tarn_attr_i(e->node, GROUP));
	return tarn_convolve_eval(e, &c, false);
}

static tarn_err grad(tarn_grad *g)
{
	const tarn_tensor *x = g->in[0], *y = &g->out[0];
	tarn_convolve c = {0};
	TRY(tarn_window_read(g->node, x->rank - 2, g->in[1]->dim + 2, &c.w));
	resolve(g->node, &c.w, x->dim + 2, y->dim + 2);
	tarn_convolve_setup(&c, x, y, tarn_attr_i(g->node, GROUP));
	return tarn_convolve_grad(g, &c, false);
}

/* Every input element meets every weight of its channel. */
static tarn_err cost(const tarn_node *n, tarn_cost *out)
{
	int64_t count;
	TRY(tarn_shape_count(&n->in[0]->shape, &count));
	CHECK(tarn_shape_is_static(&n->in[1]->shape), TARN_SHAPE, "the weights' shape is not known");
	*out = (tarn_cost){.macs = count};
	for (int i = 1; i < n->in[1]->shape.rank; i++)
		out->macs *= n->in[1]->shape.dim[i];
	return TARN_OK;
}

/* Elements behind the valid ones add to results from len * stride - begin on: those exist when windows overlap there. */
static void pad_transposed(tarn_pad *p)
{
	const tarn_node *n = p->node;
	const tarn_shape *k = &n->in[1]->shape;
	int nd = n->in[0]->shape.rank - 2, i = p->axis - 2;
	tarn_window w;
	p->need = TARN_PAD_ANY;
	p->why = "its weights would be padded";
	if (p->input > 0)
		p->need = TARN_PAD_UNSAFE;
	else if (p->axis == 1)
		p->need = TARN_PAD_ZERO;
	if (p->input > 0 || i < 0)
		return;
	if (tarn_window_read(n, nd, k->dim + 2, &w) != TARN_OK || (n->attr[OUTPUT_SHAPE].set && n->attr[OUTPUT_SHAPE].ints.n)) {
		tarn_err_clear();
		p->need = TARN_PAD_UNSAFE;
		p->why = "where its windows lie depends on the length";
		return;
	}
	bool same = w.auto_pad == TARN_PAD_SAME_UPPER || w.auto_pad == TARN_PAD_SAME_LOWER;
	int64_t tail = tarn_window_extent(&w, i) - w.stride[i] + extra(n, OUTPUT_PADDING, i) - w.end[i];
	p->need = same || tail > 0 ? TARN_PAD_ZERO : TARN_PAD_ANY;
}

const tarn_op_def tarn_op_conv_transpose = {
	.name = "ConvTranspose",
	.onnx_since = 1,
	.min_in = 2,
	.max_in = 3,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = N_ATTR,
	.import = tarn_window_import,
	.infer = infer,
	.eval = eval,
	.grad = grad,
	.pad = pad_transposed,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 1, .weight = 1, .weight_axis = 1, .bias = 2},
};
