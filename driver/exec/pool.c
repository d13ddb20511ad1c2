/* SPDX-License-Identifier: Apache-2.0 */
/* Float pooling, channels-last. */
#include "driver/exec/exec.h"
#include "spec/spec.h"

static bool suits(const tarn_node *n)
{
	static const char *const ops[] = {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"};
	bool mine = false;
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		mine |= tarn_npu_is(n, ops[i]);
	int rank = n->n_in ? n->in[0]->shape.rank : -1;
	return mine && n->in[0]->type == TARN_F32 && rank >= 3 && rank <= 4 && (n->n_out < 2 || !n->out[1]);
}

static tarn_err pool_of(const tarn_node *n, tarn_pool2d *pool)
{
	return tarn_spec_pool(n, &n->in[0]->shape, &n->out[0]->shape, pool);
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
	TRY(pool_of(s->node, &j.c));
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
	TRY(pool_of(l->main, &checked));
	TRY(tarn_npu_want(x, l->main->in[0], NPU_NHWC, &in));
	TRY(tarn_npu_give(x, l->main->out[0], NPU_NHWC, &out));
	TRY(tarn_npu_step_new(x, &k_pool, l, 1, 1, &s));
	s->in[0] = in;
	s->out[0] = out;
	*b = (npu_built){.taken = true, .form = NPU_NHWC};
	return TARN_OK;
}
