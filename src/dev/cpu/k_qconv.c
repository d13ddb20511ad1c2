/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 convolutions and matrix products: codes in, constant quantized weights, codes or f32 out. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/layout.h"
#include "kern/share.h"
#include "ops/ops.h"
#include "ops/window.h"

typedef struct qconv_state {
	tarn_qconv *packed;
	int spatial; /* 0: a matrix product */
	int ic, oc;
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

/* Element c of a constant of one element or one for each channel. */
static double nth(const tarn_tensor *t, int64_t c)
{
	return tarn_tensor_f64(t, tarn_tensor_count(t) == 1 ? 0 : c);
}

/* Real bias of channel c. */
static double bias_of(const tarn_node *n, int64_t c)
{
	const tarn_value *b = n->n_in > 2 ? n->in[2] : NULL;
	if (!b)
		return 0;
	if (b->konst)
		return nth(b->konst, c);
	const tarn_node *d = b->def;
	int64_t zero = d->n_in > 2 && d->in[2] ? (int64_t)nth(d->in[2]->konst, c) : 0;
	return (double)(tarn_tensor_i64(d->in[0]->konst, tarn_tensor_count(d->in[0]->konst) == 1 ? 0 : c) - zero) *
	       nth(d->in[1]->konst, c);
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

/* Weights as [oc][ic/groups][kh][kw]: a matrix [k][n] is turned. */
static tarn_err pack(tarn_packs *packs, const tarn_node *n, qconv_state *s, tarn_qconv_input input)
{
	const tarn_node *w = n->in[1]->def;
	const tarn_tensor *q = w->in[0]->konst, *z = w->n_in > 2 && w->in[2] ? w->in[2]->konst : NULL;
	bool conv = n->op == tarn_op_find(NULL, "Conv");
	bool turned = !conv && !(n->op == tarn_op_find(NULL, "Gemm") && tarn_attr_i(n, tarn_attr_index(n->op, "transB")));
	tarn_conv_spec spec = {.groups = 1, .kh = 1, .kw = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
	if (conv) {
		tarn_window win;
		int sp = s->spatial = q->rank - 2;
		TRY(tarn_window_read(n, sp, q->dim + 2, &win));
		spec.groups = (int)tarn_attr_i(n, tarn_attr_index(n->op, "group"));
		spec.kh = sp == 2 ? (int)win.kernel[0] : 1;
		spec.kw = (int)win.kernel[sp - 1];
		spec.stride_h = sp == 2 ? (int)win.stride[0] : 1;
		spec.stride_w = (int)win.stride[sp - 1];
		spec.dilation_h = sp == 2 ? (int)win.dilation[0] : 1;
		spec.dilation_w = (int)win.dilation[sp - 1];
	}
	s->oc = spec.oc = (int)q->dim[turned];
	s->ic = spec.ic = (int)q->dim[!turned] * spec.groups;
	s->depth = (int64_t)(spec.ic / spec.groups) * spec.kh * spec.kw;
	size_t bytes = tarn_tensor_bytes(q);
	uint8_t *copy = turned ? tarn_mem_alloc(bytes) : NULL;
	int32_t *zero = z ? tarn_mem_alloc((size_t)s->oc * sizeof *zero) : NULL;
	tarn_err err = (turned && !copy) || (z && !zero) ? tarn_err_nomem(bytes) : TARN_OK;
	if (copy)
		tarn_transpose_2d(1, q->data, (size_t)q->dim[1], copy, (size_t)q->dim[0], (size_t)q->dim[0], (size_t)q->dim[1]);
	bool any = false;
	for (int c = 0; zero && c < s->oc; c++)
		any |= (zero[c] = (int32_t)nth(z, c)) != 0;
	if (err == TARN_OK)
		err = tarn_share_qconv(packs, &spec, copy ? copy : q->data, tarn_cpu_code_type(q->type), any ? zero : NULL,
				       input, &s->packed);
	tarn_mem_free(copy);
	tarn_mem_free(zero);
	return err;
}

static tarn_err scales(const tarn_node *n, qconv_state *s, const cpu_code *x, const cpu_code *y)
{
	s->scale = tarn_mem_alloc((size_t)s->oc * sizeof *s->scale);
	s->bias = tarn_mem_alloc((size_t)s->oc * sizeof *s->bias);
	if (!s->scale || !s->bias)
		return tarn_err_nomem((size_t)s->oc * sizeof *s->scale);
	double out = y ? y->scale : 1;
	for (int c = 0; c < s->oc; c++) {
		s->scale[c] = (float)(x->scale * nth(n->in[1]->def->in[1]->konst, c) / out);
		s->bias[c] = (float)(bias_of(n, c) / out);
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
	TRY_GOTO(out, pack(b->packs, n, s, (tarn_qconv_input){tarn_cpu_code_type(x->type), x->zero}));
	TRY_GOTO(out, scales(n, s, x, codes ? &y : NULL));
	s->epilogue.type = codes ? tarn_cpu_code_type(y.type) : TARN_CODE_F32;
	s->epilogue.zero = codes ? y.zero : 0;
	s->epilogue.f_lo = g->epilogue.act == TARN_UNARY_RELU    ? 0
			   : g->epilogue.act == TARN_UNARY_CLAMP ? g->epilogue.alpha
								 : -INFINITY;
	s->epilogue.f_hi = g->epilogue.act == TARN_UNARY_CLAMP ? g->epilogue.beta : INFINITY;
	CHECK_GOTO(out, !codes || clamp_codes(&g->epilogue, &y, &s->epilogue), TARN_INTERNAL,
		   "a group has an activation nobody understands");
	cpu_layout layout = s->spatial ? CPU_NHWC : CPU_PLAIN;
	TRY_GOTO(out, tarn_cpu_want_code(b, n->in[0], layout, &in));
	TRY_GOTO(out, tarn_cpu_give(b, g->last->out[0], layout, &out));
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_qconv, g, &in, 1, &out, 1, s, -1));
	b->p->step.at[b->p->step.len - 1].engine = s->spatial ? "int8 convolution" : "int8 GEMM";
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
	tarn_conv_shape shape = {.n = 1, .ih = 1, .iw = 1, .oh = 1, .ow = 1};
	if (s->spatial) {
		tarn_window w;
		int sp = s->spatial;
		TRY(tarn_window_read(step->node, sp, step->node->in[1]->def->in[0]->konst->dim + 2, &w));
		tarn_window_resolve(&w, x->dim + 2, y->dim + 2);
		shape = (tarn_conv_shape){.n = (int)x->dim[0],
					  .ih = sp == 2 ? (int)x->dim[2] : 1,
					  .iw = (int)x->dim[1 + sp],
					  .oh = sp == 2 ? (int)y->dim[2] : 1,
					  .ow = (int)y->dim[1 + sp],
					  .pad_top = sp == 2 ? (int)w.begin[0] : 0,
					  .pad_left = (int)w.begin[sp - 1]};
	} else {
		int64_t rows = tarn_cpu_count(inst, p, step->out[0]) / (s->oc ? s->oc : 1);
		shape.iw = shape.ow = (int)rows;
	}
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
