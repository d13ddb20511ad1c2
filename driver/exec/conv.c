/* SPDX-License-Identifier: Apache-2.0 */
/* Float convolutions with constant weights, channels-last: dense, grouped, depthwise, transposed. Never Winograd. */
#include "base/mem.h"
#include "driver/exec/exec.h"
#include "kern/conv_transpose.h"
#include "kern/depthwise.h"
#include "spec/spec.h"

typedef struct conv_state {
	tarn_conv_f32 *dense;
	tarn_conv_f32_plan *plan;
	tarn_depthwise_f32 *depthwise;
	tarn_depthwise_f32_args dw;
	tarn_conv_transpose_f32 *transposed;
	tarn_conv_transpose_f32_args tr;
} conv_state;

static void state_free(void *state)
{
	conv_state *s = state;
	if (!s)
		return;
	tarn_conv_f32_plan_free(s->plan);
	tarn_share_drop(s->dense);
	tarn_share_drop(s->depthwise);
	tarn_share_drop(s->transposed);
	tarn_mem_free(s);
}

static bool suits(const npu_layer *l, const char *op)
{
	const tarn_node *n = l->main;
	const tarn_value *w = n->n_in > 1 ? n->in[1] : NULL, *b = n->n_in > 2 ? n->in[2] : NULL;
	return tarn_npu_is(n, op) && n->in[0]->type == TARN_F32 && w && w->konst && w->type == TARN_F32 &&
	       (w->shape.rank == 3 || w->shape.rank == 4) &&
	       (!b || (b->konst && b->type == TARN_F32 && tarn_npu_count(b) == n->out[0]->shape.dim[1]));
}

static const float *bias_of(const tarn_node *n)
{
	return n->n_in > 2 && n->in[2] ? n->in[2]->konst->data : NULL;
}

/* Sizes, and an empty state in the step. */
static tarn_err begin(npu_step *step, tarn_conv_spec *spec, tarn_conv_shape *shape)
{
	const tarn_node *n = step->node;
	const tarn_shape *w = &n->in[1]->shape;
	TRY(tarn_spec_conv(n, w->dim, w->rank, spec));
	TRY(tarn_spec_conv_shape(n, w->dim, &n->in[0]->shape, &n->out[0]->shape, shape));
	step->state = tarn_mem_zalloc(1, sizeof(conv_state));
	return step->state ? TARN_OK : tarn_err_nomem(sizeof(conv_state));
}

static tarn_err pack(npu_step *step)
{
	const tarn_node *n = step->node;
	tarn_conv_spec spec, *k = &spec;
	tarn_conv_shape shape;
	TRY(begin(step, &spec, &shape));
	conv_state *s = step->state;
	tarn_epilogue e = tarn_npu_epilogue(step->layer->act);
	if (k->groups > 1 && k->groups == k->ic && k->oc % k->groups == 0) {
		tarn_depthwise_spec d = {k->ic,       k->oc / k->ic, k->kh,         k->kw,
					 k->stride_h, k->stride_w,   k->dilation_h, k->dilation_w};
		s->dw.shape = shape;
		s->dw.epilogue = e;
		return tarn_share_depthwise(NULL, &d, n->in[1]->konst->data, bias_of(n), &s->depthwise);
	}
	TRY(tarn_share_conv(NULL, k, n->in[1]->konst->data, bias_of(n), &s->dense));
	return tarn_conv_f32_plan_new(s->dense, &shape, &e, &s->plan);
}

typedef struct conv_job {
	const conv_state *s;
	const float *in;
	float *out;
} conv_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const conv_job *j = arg;
	if (j->s->depthwise) {
		tarn_depthwise_f32_args a = j->s->dw;
		a.in = j->in;
		a.out = j->out;
		tarn_depthwise_f32_run(j->s->depthwise, &a, (int)begin, (int)end);
	} else if (j->s->transposed) {
		tarn_conv_transpose_f32_args a = j->s->tr;
		a.in = j->in;
		a.out = j->out;
		tarn_conv_transpose_f32_run(j->s->transposed, &a, (int)begin, (int)end);
	} else {
		tarn_conv_f32_run(j->s->plan, j->in, j->out, NULL, (int)begin, (int)end);
	}
}

static tarn_err run(const npu_run *r, npu_step *step)
{
	const conv_state *s = step->state;
	conv_job j = {s, npu_ptr(r, step->in[0]), npu_ptr(r, step->out[0])};
	int tasks = s->depthwise    ? tarn_depthwise_f32_tasks(&s->dw.shape)
		    : s->transposed ? tarn_conv_transpose_f32_tasks(s->transposed, &s->tr.shape)
				    : tarn_conv_f32_tasks(s->plan);
	tarn_npu_split(r->pool, tasks, 1, work, &j);
	return TARN_OK;
}

static const npu_kernel k_conv = {"convolution", pack, run, state_free};

static tarn_err build_with(npu_exec *x, const npu_layer *l, const npu_kernel *k, npu_built *b)
{
	int in, out;
	npu_step *s;
	const tarn_value *y = l->act ? l->act->out[0] : l->main->out[0];
	TRY(tarn_npu_want(x, l->main->in[0], NPU_NHWC, &in));
	TRY(tarn_npu_give(x, y, NPU_NHWC, &out));
	TRY(tarn_npu_step_new(x, k, l, 1, 1, &s));
	s->in[0] = in;
	s->out[0] = out;
	*b = (npu_built){.taken = true, .fused_act = true, .form = NPU_NHWC};
	return TARN_OK;
}

tarn_err tarn_npu_build_conv(npu_exec *x, const npu_layer *l, npu_built *b)
{
	return suits(l, "Conv") ? build_with(x, l, &k_conv, b) : TARN_OK;
}

/* ---- transposed ---- */

static tarn_err pack_transposed(npu_step *step)
{
	const tarn_node *n = step->node;
	tarn_conv_spec spec;
	tarn_conv_shape shape;
	TRY(begin(step, &spec, &shape));
	conv_state *s = step->state;
	s->tr = (tarn_conv_transpose_f32_args){.shape = shape, .epilogue = tarn_npu_epilogue(step->layer->act)};
	return tarn_share_conv_transpose(NULL, &spec, n->in[1]->konst->data, bias_of(n), &s->transposed);
}

static const npu_kernel k_transposed = {"transposed convolution", pack_transposed, run, state_free};

tarn_err tarn_npu_build_conv_transpose(npu_exec *x, const npu_layer *l, npu_built *b)
{
	if (!suits(l, "ConvTranspose"))
		return TARN_OK;
	/* Explicit padding only: with automatic padding or an output size the reference decides. */
	const tarn_node *n = l->main;
	int shape = tarn_attr_index(n->op, "output_shape");
	const tarn_shape *w = &n->in[1]->shape;
	int64_t taps = 1;
	for (int i = 2; i < w->rank; i++)
		taps *= w->dim[i];
	if (!tarn_attr_word_is(n, tarn_attr_index(n->op, "auto_pad"), "NOTSET") || (shape >= 0 && n->attr[shape].set) ||
	    taps > 512)
		return TARN_OK;
	return build_with(x, l, &k_transposed, b);
}
