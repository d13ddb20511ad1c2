/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/window.h"
#include "spec/spec.h"

/* Sizes [..][..][spatial...] with the missing row axis in front. */
static void two_d(const int64_t *v, int spatial, int missing, int *rows, int *columns)
{
	*rows = spatial == 2 ? (int)v[0] : missing;
	*columns = (int)v[spatial - 1];
}

tarn_err tarn_spec_conv(const tarn_node *n, const int64_t *w, int rank, tarn_conv_spec *spec)
{
	tarn_window win;
	int sp = rank - 2, group = (int)tarn_attr_i(n, tarn_attr_index(n->op, "group"));
	bool transposed = !strcmp(n->op->name, "ConvTranspose");
	TRY(tarn_window_read(n, sp, w + 2, &win));
	*spec = (tarn_conv_spec){.ic = (int)w[!transposed], .oc = (int)w[transposed], .groups = group};
	*(transposed ? &spec->oc : &spec->ic) *= group;
	two_d(win.kernel, sp, 1, &spec->kh, &spec->kw);
	two_d(win.stride, sp, 1, &spec->stride_h, &spec->stride_w);
	two_d(win.dilation, sp, 1, &spec->dilation_h, &spec->dilation_w);
	return TARN_OK;
}

tarn_err tarn_spec_conv_shape(const tarn_node *n, const int64_t *w, const tarn_shape *x, const tarn_shape *y,
			      tarn_conv_shape *shape)
{
	tarn_window win;
	int sp = x->rank - 2;
	TRY(tarn_window_read(n, sp, w + 2, &win));
	tarn_window_resolve(&win, x->dim + 2, y->dim + 2);
	*shape = (tarn_conv_shape){.n = (int)x->dim[0]};
	two_d(x->dim + 2, sp, 1, &shape->ih, &shape->iw);
	two_d(y->dim + 2, sp, 1, &shape->oh, &shape->ow);
	two_d(win.begin, sp, 0, &shape->pad_top, &shape->pad_left);
	return TARN_OK;
}

tarn_err tarn_spec_pool(const tarn_node *n, const tarn_shape *x, const tarn_shape *y, tarn_pool2d *pool)
{
	int sp = x->rank - 2, include = tarn_attr_index(n->op, "count_include_pad");
	tarn_window w = {.nd = sp, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
	if (!strncmp(n->op->name, "Global", 6)) {
		memcpy(w.kernel, x->dim + 2, (size_t)sp * sizeof *w.kernel);
	} else {
		TRY(tarn_window_read(n, sp, NULL, &w));
		tarn_window_resolve(&w, x->dim + 2, y->dim + 2);
	}
	*pool = (tarn_pool2d){.average = strstr(n->op->name, "Average"),
			      .count_include_pad = include >= 0 && tarn_attr_i(n, include),
			      .n = (int)x->dim[0],
			      .c = (int)x->dim[1]};
	two_d(x->dim + 2, sp, 1, &pool->ih, &pool->iw);
	two_d(y->dim + 2, sp, 1, &pool->oh, &pool->ow);
	two_d(w.kernel, sp, 1, &pool->kh, &pool->kw);
	two_d(w.stride, sp, 1, &pool->stride_h, &pool->stride_w);
	two_d(w.dilation, sp, 1, &pool->dilation_h, &pool->dilation_w);
	two_d(w.begin, sp, 0, &pool->pad_top, &pool->pad_left);
	two_d(w.end, sp, 0, &pool->pad_bottom, &pool->pad_right);
	return TARN_OK;
}
