/* SPDX-License-Identifier: Apache-2.0 */
/* Float pooling, channels-last. */
#include <string.h>

#include "driver/exec/exec.h"
#include "ir/op.h"
#include "kern/pool2d.h"
#include "ops/window.h"

static bool suits(const tarn_node *n)
{
	static const char *const ops[] = {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"};
	bool mine = false;
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		mine |= tarn_npu_is(n, ops[i]);
	int rank = n->n_in ? n->in[0]->shape.rank : -1;
	return mine && n->in[0]->type == TARN_F32 && rank >= 3 && rank <= 4 && (n->n_out < 2 || !n->out[1]);
}

static tarn_err sizes(const tarn_node *n, tarn_pool2d *c)
{
	const tarn_shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
	int spatial = x->rank - 2, two = spatial == 2, last = spatial - 1;
	tarn_window w = {.nd = spatial, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
	if (!strncmp(n->op->name, "Global", 6)) {
		memcpy(w.kernel, x->dim + 2, (size_t)spatial * sizeof *w.kernel);
	} else {
		TRY(tarn_window_read(n, spatial, NULL, &w));
		tarn_window_resolve(&w, x->dim + 2, y->dim + 2);
	}
	int include = tarn_attr_index(n->op, "count_include_pad");
	*c = (tarn_pool2d){.average = strstr(n->op->name, "Average") != NULL,
			   .count_include_pad = include >= 0 && tarn_attr_i(n, include),
			   .n = (int)x->dim[0],
			   .c = (int)x->dim[1],
			   .ih = two ? (int)x->dim[2] : 1,
			   .iw = (int)x->dim[2 + last],
			   .oh = two ? (int)y->dim[2] : 1,
			   .ow = (int)y->dim[2 + last],
			   .kh = two ? (int)w.kernel[0] : 1,
			   .kw = (int)w.kernel[last],
			   .stride_h = two ? (int)w.stride[0] : 1,
			   .stride_w = (int)w.stride[last],
			   .dilation_h = two ? (int)w.dilation[0] : 1,
			   .dilation_w = (int)w.dilation[last],
			   .pad_top = two ? (int)w.begin[0] : 0,
			   .pad_left = (int)w.begin[last],
			   .pad_bottom = two ? (int)w.end[0] : 0,
			   .pad_right = (int)w.end[last]};
	return TARN_OK;
}

typedef struct pool_job {
	tarn_pool2d c;
	const float *in;
	float *out;
} pool_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const pool_job *j = arg;
	tarn_pool2d_f32_run(&j->c, j->in, j->out, (int)begin, (int)end);
}

static tarn_err run(const npu_run *r, npu_step *s)
{
	pool_job j = {.in = npu_ptr(r, s->in[0]), .out = npu_ptr(r, s->out[0])};
	TRY(sizes(s->node, &j.c));
	tarn_npu_split(r->pool, tarn_pool2d_f32_tasks(&j.c), 1, work, &j);
	return TARN_OK;
}

static const npu_kernel k_pool = {"pooling", NULL, run, NULL};

tarn_err tarn_npu_build_pool(npu_exec *x, const npu_layer *l, npu_built *b)
{
	if (!suits(l->main))
		return TARN_OK;
	int in, out;
	npu_step *s;
	tarn_pool2d checked;
	TRY(sizes(l->main, &checked));
	TRY(tarn_npu_want(x, l->main->in[0], NPU_NHWC, &in));
	TRY(tarn_npu_give(x, l->main->out[0], NPU_NHWC, &out));
	TRY(tarn_npu_step_new(x, &k_pool, l, 1, 1, &s));
	s->in[0] = in;
	s->out[0] = out;
	*b = (npu_built){.taken = true, .form = NPU_NHWC};
	return TARN_OK;
}
