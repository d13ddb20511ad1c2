/* SPDX-License-Identifier: Apache-2.0 */
/* f32 convolution with constant weights, channels-last: dense, grouped, depthwise; one or two spatial axes. */
#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/depthwise.h"
#include "ops/ops.h"
#include "spec/spec.h"

typedef struct conv_state {
	int oc;
	int64_t depth; /* products of one output */
	tarn_epilogue epilogue;
	tarn_conv_f32 *dense;
	tarn_depthwise_f32 *depthwise; /* one of the two */
	bool has_residual;
} conv_state;

static void state_free(void *state)
{
	conv_state *s = state;
	tarn_share_drop(s->dense);
	tarn_share_drop(s->depthwise);
	tarn_mem_free(s);
}

static bool suits(const tarn_node *n)
{
	const tarn_value *w = n->n_in > 1 ? n->in[1] : NULL, *b = n->n_in > 2 ? n->in[2] : NULL;
	return n->op == tarn_op_find(NULL, "Conv") && n->in[0]->type == TARN_F32 && w && w->konst && w->type == TARN_F32 &&
	       (w->shape.rank == 3 || w->shape.rank == 4) && (!b || b->konst);
}

static tarn_err pack(tarn_packs *packs, const tarn_node *n, conv_state *s)
{
	const tarn_tensor *w = n->in[1]->konst, *b = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	const float *bias = b ? b->data : NULL;
	tarn_conv_spec k;
	TRY(tarn_spec_conv(n, w->dim, w->rank, &k));
	s->oc = k.oc;
	s->depth = w->dim[1] * k.kh * k.kw;
	CHECK(!b || tarn_tensor_count(b) == s->oc, TARN_SHAPE, "the bias has %lld elements, the weights %d output channels",
	      (long long)tarn_tensor_count(b), s->oc);
	tarn_depthwise_spec d = {k.ic, 1, k.kh, k.kw, k.stride_h, k.stride_w, k.dilation_h, k.dilation_w, (int)w->dim[1]};
	if (k.groups > 1 && w->dim[1] == 1 && k.oc % k.groups == 0) {
		s->depth *= 4; /* each weight is used once: slower */
		d.multiplier = k.oc / k.groups;
		d.width = 0;
		return tarn_share_depthwise(packs, &d, w->data, bias, &s->depthwise);
	}
	if (k.groups > 1 && k.ic == k.oc && tarn_depthwise_f32_suits(d.width))
		return tarn_share_depthwise(packs, &d, w->data, bias, &s->depthwise);
	return tarn_share_conv(packs, &k, w->data, bias, &s->dense);
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if (!suits(n))
		return TARN_OK;
	conv_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	s->epilogue = g->epilogue;
	s->has_residual = g->residual;
	int in[2] = {-1, -1}, out;
	tarn_err err;
	TRY_GOTO(out, pack(b->packs, n, s));
	TRY_GOTO(out, tarn_cpu_want(b, n->in[0], CPU_NHWC, &in[0]));
	if (g->residual)
		TRY_GOTO(out, tarn_cpu_want(b, g->residual, CPU_NHWC, &in[1]));
	TRY_GOTO(out, tarn_cpu_give(b, g->last->out[0], CPU_NHWC, &out));
	/* An activation before the addition rewrites the tile: the residual must not be overwritten meanwhile. */
	int in_place = g->residual && !g->epilogue.residual_after ? 1 : -1;
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_conv, g, in, 2, &out, 1, s, in_place));
	b->p->step.at[b->p->step.len - 1].engine = !s->depthwise                 ? "f32 convolution"
						   : n->in[1]->konst->dim[1] > 1 ? "f32 small groups"
										 : "f32 depthwise";
	*taken = true;
	s = NULL;
out:
	if (s)
		state_free(s);
	return err;
}

typedef struct conv_plan {
	tarn_conv_f32_plan *dense;
	tarn_depthwise_f32_args depthwise;
	int tasks;
} conv_plan;

static void plan_free(void *plan)
{
	conv_plan *p = plan;
	tarn_conv_f32_plan_free(p->dense);
	tarn_mem_free(p);
}

static tarn_err plan(cpu_instance *inst, const cpu_step *step, const cpu_program *p, void **out)
{
	const conv_state *s = step->state;
	const tarn_shape *x = &tarn_cpu_val(inst, p, step->in[0])->shape, *y = &tarn_cpu_val(inst, p, step->out[0])->shape;
	tarn_conv_shape shape;
	TRY(tarn_spec_conv_shape(step->node, step->node->in[1]->konst->dim, x, y, &shape));
	conv_plan *c = tarn_mem_zalloc(1, sizeof *c);
	if (!c)
		return tarn_err_nomem(sizeof *c);
	tarn_err err = TARN_OK;
	if (s->depthwise) {
		c->depthwise.shape = shape;
		c->depthwise.epilogue = s->epilogue;
		c->tasks = tarn_depthwise_f32_tasks(&c->depthwise.shape);
	} else {
		err = tarn_conv_f32_plan_new(s->dense, &shape, &s->epilogue, &c->dense);
		c->tasks = err == TARN_OK ? tarn_conv_f32_tasks(c->dense) : 0;
	}
	if (err != TARN_OK)
		plan_free(c);
	else
		*out = c;
	return err;
}

typedef struct conv_job {
	const conv_state *s;
	const conv_plan *c;
	const float *in, *residual;
	float *out;
} conv_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const conv_job *j = arg;
	if (j->s->depthwise) {
		tarn_depthwise_f32_args a = j->c->depthwise;
		a.in = j->in;
		a.out = j->out;
		a.residual = j->residual;
		tarn_depthwise_f32_run(j->s->depthwise, &a, (int)begin, (int)end);
	} else {
		tarn_conv_f32_run(j->c->dense, j->in, j->out, j->residual, (int)begin, (int)end);
	}
}

static tarn_err run(cpu_run *r, const cpu_step *step, void *p)
{
	const conv_state *s = step->state;
	conv_job j = {s, p, r->ptr[step->in[0]], s->has_residual ? r->ptr[step->in[1]] : NULL, r->ptr[step->out[0]]};
	int64_t rows = tarn_cpu_count(r->inst, r->p, step->out[0]) / s->oc;
	tarn_cpu_split_work(r->pool, j.c->tasks, tarn_cpu_product_work(rows, s->oc * s->depth), work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_conv = {
	.name = "f32 convolution", .build = build, .plan = plan, .plan_free = plan_free, .run = run, .state_free = state_free};
