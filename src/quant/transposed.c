/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transposed convolutions as convolutions, which every device has in INT8. With stride s, output f of the uncropped result lies
 * at phase r = f mod s of position q = f / s, and is the sum over u of x[q - u] w[r + s u]: for each phase a convolution with
 * every s-th weight, backwards. All phases together are one convolution with s * s times as many channels; DepthToSpace puts
 * them side by side, Slice crops. An activation behind it goes in between, where INT8 products take it along.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "ops/window.h"
#include "pass/rewrite.h"
#include "quant/plan.h"

/* One axis: its phases' weights, and what is added to the input and cut off the result. */
typedef struct side {
	int64_t kernel, taps, begin, end, cut_begin, cut_end;
} side;

typedef struct form {
	int64_t stride, groups, per_group; /* per_group: output channels */
	side y, x;
	bool apart; /* phases outermost among the channels (DCR); else innermost (CRD), which keeps groups together */
} form;

static bool side_of(const tarn_window *w, int axis, int64_t extra, side *s)
{
	int64_t k = w->kernel[axis], stride = w->stride[axis], reach = k + extra - w->end[axis];
	*s = (side){.kernel = k, .taps = (k + stride - 1) / stride, .cut_begin = w->begin[axis] % stride};
	s->begin = s->taps - 1 - w->begin[axis] / stride;
	s->end = reach > 0 ? (reach + stride - 1) / stride - 1 : 0;
	s->cut_end = stride * s->end + stride - reach;
	return s->begin >= 0 && s->cut_end >= 0;
}

static int64_t int_of(const tarn_node *n, const char *name, int i)
{
	int at = tarn_attr_index(n->op, name);
	return n->attr[at].set && i < n->attr[at].ints.n ? n->attr[at].ints.at[i] : 0;
}

static bool is_f32(const tarn_tensor *t)
{
	return t && t->type == TARN_F32;
}

/* Where strides exceed the kernel most phases are zeros; so many times the weights, which is the work, are worth INT8. */
enum { MOST_GROWTH = 4, LONGEST_STRIDE = 1 << 10 };

static bool is_affordable(const form *f)
{
	int64_t s = f->stride;
	return s <= LONGEST_STRIDE && s * s * f->y.taps * f->x.taps <= MOST_GROWTH * f->y.kernel * f->x.kernel;
}

/* Two axes with the same stride, everything constant and said outright. */
static bool form_of(const tarn_node *n, form *f)
{
	tarn_window w;
	const tarn_tensor *k = tarn_quant_is(n, "ConvTranspose") && n->in[1] ? n->in[1]->konst : NULL;
	if (!is_f32(k) || k->rank != 4 || (n->n_in > 2 && n->in[2] && !is_f32(n->in[2]->konst)))
		return false;
	if (tarn_window_read(n, 2, k->dim + 2, &w) != TARN_OK) {
		tarn_err_clear();
		return false;
	}
	*f = (form){.stride = w.stride[0], .groups = tarn_attr_i(n, tarn_attr_index(n->op, "group")), .per_group = k->dim[1]};
	f->apart = f->groups == 1;
	int shape = tarn_attr_index(n->op, "output_shape");
	return w.auto_pad == TARN_PAD_NOTSET && w.stride[0] == w.stride[1] && w.dilation[0] == 1 && w.dilation[1] == 1 &&
	       !(n->attr[shape].set && n->attr[shape].ints.n) && f->groups > 0 && k->dim[0] % f->groups == 0 &&
	       tarn_tensor_count(k) > 0 && side_of(&w, 0, int_of(n, "output_padding", 0), &f->y) &&
	       side_of(&w, 1, int_of(n, "output_padding", 1), &f->x) && is_affordable(f);
}

/* The channel of the convolution that makes output channel c at phase (a, b). */
static int64_t place(const form *f, int64_t c, int64_t a, int64_t b)
{
	int64_t s = f->stride;
	return f->apart ? (a * s + b) * f->per_group + c : (c * s + a) * s + b;
}

static void fill_weights(const form *f, const tarn_tensor *k, tarn_tensor *w)
{
	const float *from = k->data;
	float *to = w->data;
	int64_t inputs = w->dim[1], s = f->stride;
	memset(to, 0, tarn_tensor_bytes(w));
	for (int64_t i = 0; i < k->dim[0]; i++)
		for (int64_t c = 0; c < f->per_group; c++)
			for (int64_t y = 0; y < f->y.kernel; y++)
				for (int64_t x = 0; x < f->x.kernel; x++) {
					int64_t o = place(f, i / inputs * f->per_group + c, y % s, x % s);
					int64_t row = f->y.taps - 1 - y / s, column = f->x.taps - 1 - x / s;
					to[((o * inputs + i % inputs) * f->y.taps + row) * f->x.taps + column] = *from++;
				}
}

static tarn_err add_weights(tarn_graph *g, const form *f, const tarn_node *n, tarn_value **v)
{
	const tarn_tensor *k = n->in[1]->konst;
	int64_t dim[] = {f->groups * f->per_group * f->stride * f->stride, k->dim[0] / f->groups, f->y.taps, f->x.taps};
	tarn_tensor w;
	TRY(tarn_tensor_new(TARN_F32, 4, dim, &w));
	fill_weights(f, k, &w);
	tarn_err err = tarn_value_const(g, n->in[1]->name, &w, v);
	tarn_tensor_fini(&w);
	return err;
}

static tarn_err add_bias(tarn_graph *g, const form *f, const tarn_node *n, tarn_value **v)
{
	int64_t channels = f->groups * f->per_group, s = f->stride, count = channels * s * s;
	tarn_tensor b;
	TRY(tarn_tensor_new(TARN_F32, 1, &count, &b));
	for (int64_t i = 0; i < channels * s * s; i++)
		((float *)b.data)[place(f, i / (s * s), i / s % s, i % s)] =
			((const float *)n->in[2]->konst->data)[i / (s * s)];
	tarn_err err = tarn_value_const(g, n->in[2]->name, &b, v);
	tarn_tensor_fini(&b);
	return err;
}

static tarn_err add_conv(tarn_graph *g, const form *f, tarn_node *n, tarn_node **out)
{
	bool bias = n->n_in > 2 && n->in[2];
	int64_t pads[] = {f->y.begin, f->x.begin, f->y.end, f->x.end};
	tarn_node *c;
	TRY(tarn_node_new(g, tarn_op_find(NULL, "Conv"), n->name, bias ? 3 : 2, 1, -1, &c));
	const char *name = c->name;
	c->name = n->name; /* it is the layer that users know */
	n->name = name;
	c->in[0] = n->in[0];
	TRY(add_weights(g, f, n, &c->in[1]));
	if (bias)
		TRY(add_bias(g, f, n, &c->in[2]));
	TRY(tarn_attr_set_i(c, tarn_attr_index(c->op, "group"), f->groups));
	*out = c;
	return tarn_attr_set_ints(g, c, TARN_WINDOW_PADS, pads, 4);
}

/* Phases side by side, then what was padded cut off. *first reads the convolution; NULL: nothing is needed. */
static tarn_err add_tail(tarn_graph *g, const form *f, tarn_node **first, tarn_value **v)
{
	*first = NULL;
	if (f->stride > 1) {
		TRY(tarn_node_new(g, tarn_op_find(NULL, "DepthToSpace"), NULL, 1, 1, -1, first));
		TRY(tarn_attr_set_i(*first, tarn_attr_index((*first)->op, "blocksize"), f->stride));
		TRY(tarn_attr_set_i(*first, tarn_attr_index((*first)->op, "mode"), f->apart ? 0 : 1));
		*v = (*first)->out[0];
	}
	if (!f->y.cut_begin && !f->x.cut_begin && !f->y.cut_end && !f->x.cut_end)
		return TARN_OK;
	int64_t from[] = {f->y.cut_begin, f->x.cut_begin}, axes[] = {2, 3};
	int64_t to[] = {f->y.cut_end ? -f->y.cut_end : INT64_MAX, f->x.cut_end ? -f->x.cut_end : INT64_MAX};
	tarn_node *n;
	TRY(tarn_node_new(g, tarn_op_find(NULL, "Slice"), NULL, 4, 1, -1, &n));
	n->in[0] = *v;
	TRY(tarn_value_const_i64(g, NULL, from, 2, &n->in[1]));
	TRY(tarn_value_const_i64(g, NULL, to, 2, &n->in[2]));
	TRY(tarn_value_const_i64(g, NULL, axes, 2, &n->in[3]));
	*first = *first ? *first : n;
	*v = n->out[0];
	return TARN_OK;
}

static tarn_err rewrite_node(tarn_graph *g, const form *f, tarn_node *n)
{
	static const char *const between[] = {"Relu", "Clip", "LeakyRelu", NULL};
	tarn_node *conv, *first, *act = tarn_graph_only_user(g, n->out[0]);
	act = tarn_quant_any_of(act, between) && act->in[0] == n->out[0] && !tarn_rewrite_is_output(g, n->out[0]) ? act : NULL;
	TRY(add_conv(g, f, n, &conv));
	tarn_value *last = act ? act->out[0] : n->out[0], *result = conv->out[0];
	TRY(add_tail(g, f, &first, &result));
	if (!first && act) {
		act->in[0] = result;
		return TARN_OK;
	}
	TRY(tarn_rewrite_value(g, last, result));
	if (first)
		first->in[0] = act ? act->out[0] : conv->out[0];
	if (act)
		act->in[0] = conv->out[0];
	return TARN_OK;
}

tarn_err tarn_quant_lower_transposed(tarn_model *m)
{
	tarn_graph *g = m->main;
	bool any = false;
	for (size_t i = 0, n = g->node.len; i < n; i++) {
		form f;
		if (!form_of(g->node.at[i], &f))
			continue;
		TRY(rewrite_node(g, &f, g->node.at[i]));
		any = true;
	}
	if (!any)
		return TARN_OK;
	tarn_graph_sweep(g);
	TRY(tarn_graph_sort(g));
	return tarn_graph_infer(g);
}
