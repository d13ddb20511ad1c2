/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 convolutions and matrix products: codes in, constant quantized weights, codes or f32 out. */
#include <math.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"
#include "spec/spec.h"

typedef struct qconv_state {
	tarn_qconv *packed;
	bool conv; /* else a matrix product */
	int oc;
	int64_t depth;           /* products of one output */
	tarn_qepilogue epilogue; /* its vectors belong to the state */
	float *scale, *bias;
} qconv_state;

static void state_free(void *state)
{
	qconv_state *s = state;
	tarn_share_drop(s->packed);
	tarn_mem_free(s->scale);
	tarn_mem_free(s->bias);
	tarn_mem_free(s);
}

/* Clamp of the codes that stands for the activation; false when it is none of ReLU and Clip. */
static bool clamp_codes(const tarn_epilogue *act, const cpu_code *y, tarn_qepilogue *e)
{
	e->lo = y->type == TARN_I8 ? -128 : 0;
	e->hi = y->type == TARN_I8 ? 127 : 255;
	float lo = act->act == TARN_UNARY_RELU ? 0 : act->act == TARN_UNARY_CLAMP ? act->alpha : -INFINITY;
	float hi = act->act == TARN_UNARY_CLAMP ? act->beta : INFINITY;
	if (act->act != TARN_UNARY_IDENTITY && act->act != TARN_UNARY_RELU && act->act != TARN_UNARY_CLAMP)
		return false;
	uint8_t q;
	if (lo > -INFINITY) {
		tarn_quantize_f32(&lo, &q, tarn_cpu_code_type(y->type), y->scale, y->zero, 1);
		e->lo = y->type == TARN_I8 ? (int8_t)q : q;
	}
	if (hi < INFINITY) {
		tarn_quantize_f32(&hi, &q, tarn_cpu_code_type(y->type), y->scale, y->zero, 1);
		e->hi = y->type == TARN_I8 ? (int8_t)q : q;
	}
	return true;
}

static tarn_err scales(const tarn_node *n, qconv_state *s, const cpu_code *x, const cpu_code *y)
{
	s->scale = tarn_mem_alloc((size_t)s->oc * sizeof *s->scale);
	s->bias = tarn_mem_alloc((size_t)s->oc * sizeof *s->bias);
	if (!s->scale || !s->bias)
		return tarn_err_nomem((size_t)s->oc * sizeof *s->scale);
	double out = y ? y->scale : 1;
	for (int c = 0; c < s->oc; c++) {
		s->scale[c] = (float)(x->scale * tarn_spec_qconv_scale(n, c) / out);
		s->bias[c] = (float)(tarn_spec_qconv_bias(n, c) / out);
	}
	s->epilogue.scale = s->scale;
	s->epilogue.bias = s->bias;
	return TARN_OK;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	const cpu_code *x = n->n_in ? tarn_cpu_code_of(b, n->in[0]) : NULL;
	if (!x || !tarn_cpu_suits_int8(n) || g->residual)
		return TARN_OK;
	cpu_code y;
	bool codes = g->last->op == tarn_op_find(NULL, "QuantizeLinear");
	qconv_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	tarn_err err;
	int in, out;
	CHECK_GOTO(out, !codes || tarn_cpu_code_params(g->last, &y), TARN_INTERNAL,
		   "a group ends in a quantizer nobody understands");
	tarn_conv_spec spec;
	TRY_GOTO(out, tarn_spec_qconv(n, &spec));
	s->conv = n->op == tarn_op_find(NULL, "Conv");
	s->oc = spec.oc;
	s->depth = (int64_t)(spec.ic / spec.groups) * spec.kh * spec.kw;
	tarn_qconv_input input = {tarn_cpu_code_type(x->type), x->zero};
	TRY_GOTO(out, tarn_spec_qconv_pack(b->packs, n, &spec, input, &s->packed));
	TRY_GOTO(out, scales(n, s, x, codes ? &y : NULL));
	s->epilogue.type = codes ? tarn_cpu_code_type(y.type) : TARN_CODE_F32;
	s->epilogue.zero = codes ? y.zero : 0;
	s->epilogue.f_lo = g->epilogue.act == TARN_UNARY_RELU    ? 0
			   : g->epilogue.act == TARN_UNARY_CLAMP ? g->epilogue.alpha
								 : -INFINITY;
	s->epilogue.f_hi = g->epilogue.act == TARN_UNARY_CLAMP ? g->epilogue.beta : INFINITY;
	CHECK_GOTO(out, !codes || clamp_codes(&g->epilogue, &y, &s->epilogue), TARN_INTERNAL,
		   "a group has an activation nobody understands");
	cpu_layout layout = s->conv ? CPU_NHWC : CPU_PLAIN;
	TRY_GOTO(out, tarn_cpu_want_code(b, n->in[0], layout, &in));
	TRY_GOTO(out, tarn_cpu_give(b, g->last->out[0], layout, &out));
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_qconv, g, &in, 1, &out, 1, s, -1));
	b->p->step.at[b->p->step.len - 1].engine = s->conv ? "int8 convolution" : "int8 GEMM";
	*taken = true;
	s = NULL;
out:
	if (s)
		state_free(s);
	return err;
}

static void plan_free(void *plan)
{
	tarn_qconv_plan_free(plan);
}

static tarn_err plan(cpu_instance *inst, const cpu_step *step, const cpu_program *p, void **out)
{
	const qconv_state *s = step->state;
	const tarn_shape *x = &tarn_cpu_val(inst, p, step->in[0])->shape, *y = &tarn_cpu_val(inst, p, step->out[0])->shape;
	tarn_conv_shape shape = {.n = 1, .ih = 1, .oh = 1};
	if (s->conv)
		TRY(tarn_spec_conv_shape(step->node, step->node->in[1]->def->in[0]->konst->dim, x, y, &shape));
	else
		shape.iw = shape.ow = (int)(tarn_cpu_count(inst, p, step->out[0]) / (s->oc ? s->oc : 1));
	tarn_qconv_plan *q;
	TRY(tarn_qconv_plan_new(s->packed, &shape, &s->epilogue, &q));
	*out = q;
	return TARN_OK;
}

typedef struct qconv_job {
	const tarn_qconv_plan *plan;
	const void *in;
	void *out;
} qconv_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const qconv_job *j = arg;
	tarn_qconv_run(j->plan, j->in, j->out, (int)begin, (int)end);
}

static tarn_err run(cpu_run *r, const cpu_step *step, void *p)
{
	const qconv_state *s = step->state;
	qconv_job j = {p, r->ptr[step->in[0]], r->ptr[step->out[0]]};
	tarn_cpu_split_work(r->pool, tarn_qconv_tasks(p), tarn_cpu_count(r->inst, r->p, step->out[0]) * s->depth / 4, work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_qconv = {
	.name = "int8 convolution", .build = build, .plan = plan, .plan_free = plan_free, .run = run, .state_free = state_free};
