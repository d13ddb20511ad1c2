/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/window.h"

#include <inttypes.h>
#include <strings.h>

/* A list attribute of nd numbers in [lo, 2^31); `def` for all when absent. */
static tarn_err read_list(const tarn_node *n, int attr, int nd, int64_t lo, int64_t def, int64_t *at)
{
	for (int i = 0; i < nd; i++)
		at[i] = def;
	if (!n->attr[attr].set)
		return TARN_OK;
	const char *name = n->op->attr[attr].name;
	CHECK(n->attr[attr].ints.n == nd, TARN_SHAPE, "%s has %d numbers, %d are needed", name, n->attr[attr].ints.n, nd);
	for (int i = 0; i < nd; i++) {
		at[i] = n->attr[attr].ints.at[i];
		CHECK(at[i] >= lo && at[i] <= INT32_MAX, TARN_SHAPE, "%s[%d] is %" PRId64 ", at least %" PRId64 " is needed",
		      name, i, at[i], lo);
	}
	return TARN_OK;
}

tarn_err tarn_window_read(const tarn_node *n, int nd, const int64_t *kernel, tarn_window *w)
{
	CHECK(nd >= 1 && nd <= TARN_WINDOW_MAX, TARN_UNSUPPORTED, "%d spatial axes; 1 to %d are supported", nd,
	      TARN_WINDOW_MAX);
	*w = (tarn_window){.nd = nd, .auto_pad = (int)tarn_attr_i(n, TARN_WINDOW_AUTO_PAD)};
	TRY(read_list(n, TARN_WINDOW_STRIDES, nd, 1, 1, w->stride));
	TRY(read_list(n, TARN_WINDOW_DILATIONS, nd, 1, 1, w->dilation));
	int64_t pads[2 * TARN_WINDOW_MAX];
	TRY(read_list(n, TARN_WINDOW_PADS, 2 * nd, 0, 0, pads));
	for (int i = 0; i < nd && w->auto_pad == TARN_PAD_NOTSET; i++) {
		w->begin[i] = pads[i];
		w->end[i] = pads[nd + i];
	}
	CHECK(kernel || n->attr[TARN_WINDOW_KERNEL].set, TARN_SHAPE, "kernel_shape is missing");
	TRY(read_list(n, TARN_WINDOW_KERNEL, nd, 1, 1, w->kernel));
	for (int i = 0; i < nd && kernel; i++) {
		CHECK(kernel[i] >= 1 && kernel[i] <= INT32_MAX, TARN_SHAPE, "kernel of size %" PRId64 " along axis %d",
		      kernel[i], i);
		CHECK(!n->attr[TARN_WINDOW_KERNEL].set || w->kernel[i] == kernel[i], TARN_SHAPE,
		      "kernel_shape[%d] is %" PRId64 " but the weights have %" PRId64, i, w->kernel[i], kernel[i]);
		w->kernel[i] = kernel[i];
	}
	return TARN_OK;
}

tarn_err tarn_window_out(tarn_symtab *t, const tarn_window *w, int axis, tarn_dim in, int round, tarn_dim *out)
{
	int64_t s = w->stride[axis], extent = tarn_window_extent(w, axis);
	if (w->auto_pad == TARN_PAD_SAME_UPPER || w->auto_pad == TARN_PAD_SAME_LOWER)
		return tarn_dim_op(t, TARN_SYM_CEILDIV, in, s, out);
	int64_t more = w->begin[axis] + w->end[axis] - extent;
	CHECK(!tarn_dim_is_static(in) || in + more >= 0, TARN_SHAPE,
	      "a window of %" PRId64 " does not fit in %" PRId64 " (with %" PRId64 " and %" PRId64
	      " of padding) along spatial axis %d",
	      extent, in, w->begin[axis], w->end[axis], axis);
	tarn_dim d = in;
	TRY(tarn_dim_op(t, more < 0 ? TARN_SYM_SUB : TARN_SYM_ADD, d, more < 0 ? -more : more, &d));
	TRY(tarn_dim_op(t, round == TARN_ROUND_FLOOR ? TARN_SYM_FLOORDIV : TARN_SYM_CEILDIV, d, s, &d));
	TRY(tarn_dim_op(t, TARN_SYM_ADD, d, 1, &d));
	if (round == TARN_ROUND_CEIL && s > 1) { /* the last window starts inside: (out-1)*s < in+begin */
		tarn_dim last = in;
		TRY(tarn_dim_op(t, TARN_SYM_ADD, last, w->begin[axis], &last));
		TRY(tarn_dim_op(t, TARN_SYM_CEILDIV, last, s, &last));
		if (last != d)
			TRY(tarn_dim_op(t, TARN_SYM_MIN, d, last, &d));
	}
	*out = d;
	return TARN_OK;
}

void tarn_window_resolve(tarn_window *w, const int64_t *in, const int64_t *out)
{
	if (w->auto_pad != TARN_PAD_SAME_UPPER && w->auto_pad != TARN_PAD_SAME_LOWER)
		return;
	for (int i = 0; i < w->nd; i++) {
		int64_t total = (out[i] - 1) * w->stride[i] + tarn_window_extent(w, i) - in[i];
		if (total < 0)
			total = 0;
		w->begin[i] = w->auto_pad == TARN_PAD_SAME_UPPER ? total / 2 : total - total / 2;
		w->end[i] = total - w->begin[i];
	}
}

void tarn_window_widen(tarn_window *w, int64_t *in, int64_t *out)
{
	int by = TARN_WINDOW_MAX - w->nd;
	for (int i = TARN_WINDOW_MAX - 1; i >= 0; i--) {
		int k = i - by;
		w->kernel[i] = k >= 0 ? w->kernel[k] : 1;
		w->stride[i] = k >= 0 ? w->stride[k] : 1;
		w->dilation[i] = k >= 0 ? w->dilation[k] : 1;
		w->begin[i] = k >= 0 ? w->begin[k] : 0;
		w->end[i] = k >= 0 ? w->end[k] : 0;
		in[i] = k >= 0 ? in[k] : 1;
		out[i] = k >= 0 ? out[k] : 1;
	}
	w->nd = TARN_WINDOW_MAX;
}

tarn_err tarn_window_import(const tarn_import *src)
{
	if (src->onnx)
		return TARN_OK;
	tarn_node *n = src->node;
	const char *word;
	static const char *const words[] = {"explicit", "same_upper", "same_lower", "valid", "notset"};
	for (int i = 0; src->find_s(src, "auto_pad", &word) && i < 5; i++)
		if (!strcasecmp(word, words[i]))
			TRY(tarn_attr_set_i(n, TARN_WINDOW_AUTO_PAD, i % 4));
	const int64_t *begin, *end, *kernel;
	int nb, ne, nk;
	if (src->find_ints(src, "pads_begin", &begin, &nb) && src->find_ints(src, "pads_end", &end, &ne)) {
		CHECK(nb == ne && nb <= TARN_WINDOW_MAX, TARN_BAD_FILE, "pads_begin has %d numbers, pads_end %d", nb, ne);
		int64_t pads[2 * TARN_WINDOW_MAX];
		for (int i = 0; i < nb; i++) {
			pads[i] = begin[i];
			pads[nb + i] = end[i];
		}
		TRY(tarn_attr_set_ints(src->graph, n, TARN_WINDOW_PADS, pads, 2 * nb));
	}
	if (src->find_ints(src, "kernel", &kernel, &nk))
		TRY(tarn_attr_set_ints(src->graph, n, TARN_WINDOW_KERNEL, kernel, nk));
	return TARN_OK;
}
