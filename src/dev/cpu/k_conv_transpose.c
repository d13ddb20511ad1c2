/* SPDX-License-Identifier: Apache-2.0 */
/* f32 transposed convolution with constant weights, channels-last; one or two spatial axes, padding given in numbers. */
#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/conv_transpose.h"
#include "ops/ops.h"
#include "ops/window.h"
#include "spec/spec.h"

typedef struct deconv_state {
	int64_t depth; /* products of one input */
	tarn_epilogue epilogue;
	tarn_conv_transpose_f32 *conv;
	bool has_residual;
} deconv_state;

static void state_free(void *state)
{
	deconv_state *s = state;
	tarn_share_drop(s->conv);
	tarn_mem_free(s);
}

static bool suits(const tarn_node *n)
{
	const tarn_value *w = n->n_in > 1 ? n->in[1] : NULL, *b = n->n_in > 2 ? n->in[2] : NULL;
	if (n->op != tarn_op_find(NULL, "ConvTranspose") || n->in[0]->type != TARN_F32 || !w || !w->konst ||
	    w->type != TARN_F32 || (w->konst->rank != 3 && w->konst->rank != 4) || (b && !b->konst))
		return false;
	int shape = tarn_attr_index(n->op, "output_shape"); /* then the padding depends on the sizes: left to the reference */
	return !n->attr[shape].set || !n->attr[shape].ints.n;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if (!suits(n))
		return TARN_OK;
	const tarn_tensor *w = n->in[1]->konst, *bias = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	tarn_conv_spec spec;
	tarn_window win;
	TRY(tarn_window_read(n, w->rank - 2, w->dim + 2, &win));
	TRY(tarn_spec_conv(n, w->dim, w->rank, &spec));
	if ((win.auto_pad != TARN_PAD_NOTSET && win.auto_pad != TARN_PAD_VALID) || (int64_t)spec.kh * spec.kw > 512)
		return TARN_OK;
	CHECK(!bias || tarn_tensor_count(bias) == spec.oc, TARN_SHAPE,
	      "the bias has %lld elements, the weights %d output channels", (long long)tarn_tensor_count(bias), spec.oc);
	deconv_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	s->depth = w->dim[1] * spec.kh * spec.kw;
	s->epilogue = g->epilogue;
	s->has_residual = g->residual;
	int in[2] = {-1, -1}, out;
	tarn_err err;
	TRY_GOTO(out, tarn_share_conv_transpose(b->packs, &spec, w->data, bias ? bias->data : NULL, &s->conv));
	TRY_GOTO(out, tarn_cpu_want(b, n->in[0], CPU_NHWC, &in[0]));
	if (g->residual)
		TRY_GOTO(out, tarn_cpu_want(b, g->residual, CPU_NHWC, &in[1]));
	TRY_GOTO(out, tarn_cpu_give(b, g->last->out[0], CPU_NHWC, &out));
	int in_place = g->residual && !g->epilogue.residual_after ? 1 : -1;
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_conv_transpose, g, in, 2, &out, 1, s, in_place));
	*taken = true;
	s = NULL;
out:
	if (s)
		state_free(s);
	return err;
}

typedef struct deconv_job {
	const tarn_conv_transpose_f32 *conv;
	tarn_conv_transpose_f32_args args;
} deconv_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const deconv_job *j = arg;
	tarn_conv_transpose_f32_run(j->conv, &j->args, (int)begin, (int)end);
}

static tarn_err run(cpu_run *r, const cpu_step *step, void *plan)
{
	(void)plan;
	const deconv_state *s = step->state;
	const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, step->in[0])->shape,
			 *y = &tarn_cpu_val(r->inst, r->p, step->out[0])->shape;
	deconv_job j = {s->conv,
			{.epilogue = s->epilogue,
			 .in = r->ptr[step->in[0]],
			 .out = r->ptr[step->out[0]],
			 .residual = s->has_residual ? r->ptr[step->in[1]] : NULL}};
	TRY(tarn_spec_conv_shape(step->node, step->node->in[1]->konst->dim, x, y, &j.args.shape));
	tarn_cpu_split_work(r->pool, tarn_conv_transpose_f32_tasks(s->conv, &j.args.shape),
			    tarn_cpu_count(r->inst, r->p, step->in[0]) * s->depth, work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_conv_transpose = {
	.name = "f32 transposed convolution", .build = build, .run = run, .state_free = state_free};
