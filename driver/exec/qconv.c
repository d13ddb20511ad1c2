/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 convolutions and products: int32 sums on every instruction set, then the PPE's requantization, or floats. */
#include <math.h>

#include "base/mem.h"
#include "driver/exec/exec.h"
#include "spec/spec.h"

typedef struct qconv_state {
	tarn_qconv *packed;
	tarn_qconv_plan *plan;
	npu_requant *requant; /* [oc]; NULL: F32 out */
	double *rows;         /* the same laid out for rows; NULL: not possible */
	float *scale, *bias;  /* F32 out */
	int oc, zero, lo, hi;
	tarn_dtype out;
} qconv_state;

static void state_free(void *state)
{
	qconv_state *s = state;
	if (!s)
		return;
	tarn_qconv_plan_free(s->plan);
	tarn_share_drop(s->packed);
	tarn_mem_free(s->requant);
	tarn_mem_free(s->rows);
	tarn_mem_free(s->scale);
	tarn_mem_free(s->bias);
	tarn_mem_free(s);
}

/* ReLU, Clip or nothing before a quantizer is a clamp of codes. */
static bool clamps(const tarn_node *act)
{
	return !act || !tarn_npu_is(act, "LeakyRelu");
}

static int code_of(float x, const npu_code *y)
{
	uint8_t q;
	tarn_quantize_f32(&x, &q, y->type == TARN_I8 ? TARN_CODE_S8 : TARN_CODE_U8, y->scale, y->zero, 1);
	return y->type == TARN_I8 ? (int8_t)q : q;
}

/* A matrix product is a row of pixels. */
static tarn_err shape_of(const tarn_node *n, const tarn_conv_spec *spec, tarn_conv_shape *shape)
{
	if (tarn_npu_is(n, "Conv"))
		return tarn_spec_conv_shape(n, n->in[1]->shape.dim, &n->in[0]->shape, &n->out[0]->shape, shape);
	*shape = (tarn_conv_shape){.n = 1, .ih = 1, .oh = 1};
	shape->iw = shape->ow = (int)(tarn_npu_count(n->out[0]) / (spec->oc ? spec->oc : 1));
	return TARN_OK;
}

static tarn_err channels(const npu_layer *l, const npu_code *x, qconv_state *s)
{
	const tarn_node *n = l->main;
	npu_code y = {0};
	bool codes = l->quant && clamps(l->act) && tarn_npu_code(l->quant, &y);
	size_t count = (size_t)s->oc + 1;
	if (codes) {
		s->requant = tarn_mem_alloc(count * sizeof *s->requant);
		s->out = y.type;
		s->zero = y.zero;
		s->lo = y.type == TARN_I8 ? -128 : 0;
		s->hi = y.type == TARN_I8 ? 127 : 255;
		float lo, hi;
		if (l->act) {
			tarn_npu_clip_bounds(l->act, &lo, &hi);
			if (lo > -INFINITY)
				s->lo = code_of(lo, &y);
			if (hi < INFINITY)
				s->hi = code_of(hi, &y);
		}
	} else {
		s->scale = tarn_mem_alloc(count * sizeof *s->scale);
		s->bias = tarn_mem_alloc(count * sizeof *s->bias);
		s->out = TARN_F32;
	}
	if (codes ? !s->requant : !s->scale || !s->bias)
		return tarn_err_nomem(count * sizeof *s->requant);
	for (int c = 0; c < s->oc; c++) {
		double scale = (double)x->scale * tarn_spec_qconv_scale(n, c), bias = tarn_spec_qconv_bias(n, c);
		if (codes) {
			s->requant[c] = tarn_npu_requant_make(scale / y.scale, bias / y.scale);
		} else {
			s->scale[c] = (float)scale;
			s->bias[c] = (float)bias;
		}
	}
	if (!codes)
		return TARN_OK;
	s->rows = tarn_mem_alloc(2 * count * sizeof *s->rows);
	if (!s->rows)
		return tarn_err_nomem(2 * count * sizeof *s->rows);
	if (!tarn_npu_requant_lay(s->requant, s->oc, s->rows)) {
		tarn_mem_free(s->rows);
		s->rows = NULL;
	}
	return TARN_OK;
}

static tarn_err pack(npu_step *step)
{
	const tarn_node *n = step->node;
	tarn_conv_spec spec;
	tarn_conv_shape shape;
	npu_code x;
	TRY(tarn_spec_qconv(n, &spec));
	TRY(shape_of(n, &spec, &shape));
	CHECK(tarn_npu_code(n->in[0]->def, &x), TARN_INTERNAL, "the input has no codes");
	qconv_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	step->state = s;
	s->oc = spec.oc;
	tarn_qconv_input in = {x.type == TARN_I8 ? TARN_CODE_S8 : TARN_CODE_U8, x.zero};
	TRY(tarn_spec_qconv_pack(NULL, n, &spec, in, &s->packed));
	TRY(channels(step->layer, &x, s));
	tarn_qepilogue e = {.type = TARN_CODE_I32, .scale = s->scale, .bias = s->bias};
	if (s->scale) {
		e.type = TARN_CODE_F32;
		e.f_lo = -INFINITY;
		e.f_hi = INFINITY;
	}
	return tarn_qconv_plan_new(s->packed, &shape, &e, &s->plan);
}

typedef struct qconv_job {
	const qconv_state *s;
	const void *in;
	void *sums; /* or floats */
	uint8_t *codes;
} qconv_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const qconv_job *j = arg;
	tarn_qconv_run(j->s->plan, j->in, j->sums, (int)begin, (int)end);
}

static void requantize(void *arg, int64_t begin, int64_t end)
{
	const qconv_job *j = arg;
	const qconv_state *s = j->s;
	const int32_t *acc = j->sums;
	if (s->rows) {
		tarn_npu_requant_rows(s->rows, s->oc, acc + begin * s->oc, j->codes + begin * s->oc, end - begin, s->zero,
				      s->lo, s->hi);
		return;
	}
	for (int64_t p = begin; p < end; p++)
		for (int c = 0; c < s->oc; c++)
			j->codes[p * s->oc + c] =
				(uint8_t)tarn_npu_requant(&s->requant[c], acc[p * s->oc + c], s->zero, s->lo, s->hi);
}

static tarn_err run(const npu_run *r, npu_step *step)
{
	const qconv_state *s = step->state;
	qconv_job j = {s, npu_ptr(r, step->in[0]), npu_ptr(r, step->out[0]), NULL};
	tarn_npu_split(r->pool, tarn_qconv_tasks(s->plan), 1, work, &j);
	if (!s->requant)
		return TARN_OK;
	j.codes = npu_ptr(r, step->out[1]);
	int64_t pixels = s->oc ? tarn_npu_count(r->exec->slot.at[step->out[1]].v) / s->oc : 0;
	tarn_npu_split(r->pool, pixels, 4096 / (s->oc + 1) + 1, requantize, &j);
	return TARN_OK;
}

static const npu_kernel k_qconv = {"INT8 product", pack, run, state_free};

tarn_err tarn_npu_build_qconv(npu_exec *x, const npu_layer *l, npu_built *b)
{
	const tarn_node *n = l->main;
	if (!l->integer || !tarn_npu_is_integer(n))
		return TARN_OK;
	npu_form form = tarn_npu_is(n, "Conv") ? NPU_NHWC : NPU_PLAIN;
	bool codes = l->quant && clamps(l->act);
	int in, out[2] = {-1, -1};
	npu_step *s;
	TRY(tarn_npu_want(x, n->in[0]->def->in[0], form, &in));
	if (codes) {
		TRY(tarn_npu_slot_new(x, NULL, TARN_I32, tarn_npu_count(n->out[0]), &out[0]));
		TRY(tarn_npu_give(x, l->quant->out[0], form, &out[1]));
	} else {
		TRY(tarn_npu_give(x, n->out[0], form, &out[0]));
	}
	TRY(tarn_npu_step_new(x, &k_qconv, l, 1, 2, &s));
	s->in[0] = in;
	s->out[0] = out[0];
	s->out[1] = out[1];
	*b = (npu_built){.taken = true, .fused_act = codes, .codes = codes, .form = form};
	return TARN_OK;
}
