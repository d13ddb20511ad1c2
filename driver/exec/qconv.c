/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 convolutions and products: int32 sums on every instruction set, then the PPE's requantization, or floats. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "driver/exec/exec.h"
#include "ir/op.h"
#include "kern/int8.h"
#include "kern/share.h"
#include "ops/window.h"

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

/* Element c of a constant of one element or one for each channel. */
static double nth(const tarn_tensor *t, int64_t c)
{
	return tarn_tensor_f64(t, tarn_tensor_count(t) == 1 ? 0 : c);
}

static double bias_of(const tarn_node *n, int64_t c)
{
	const tarn_value *b = n->n_in > 2 ? n->in[2] : NULL;
	if (!b)
		return 0;
	if (b->konst)
		return nth(b->konst, c);
	const tarn_node *d = b->def;
	double zero = d->n_in > 2 && d->in[2] ? nth(d->in[2]->konst, c) : 0;
	return (nth(d->in[0]->konst, c) - zero) * nth(d->in[1]->konst, c);
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

/* Sizes; weights as [oc][ic/groups][kh][kw]: a matrix [k][n] is turned. */
typedef struct qconv_sizes {
	tarn_conv_spec spec;
	tarn_conv_shape shape;
	bool turned;
} qconv_sizes;

static tarn_err sizes(const tarn_node *n, qconv_sizes *c)
{
	const tarn_tensor *q = n->in[1]->def->in[0]->konst;
	const tarn_shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
	bool conv = tarn_npu_is(n, "Conv");
	c->turned = !conv && !(tarn_npu_is(n, "Gemm") && tarn_attr_i(n, tarn_attr_index(n->op, "transB")));
	c->spec =
		(tarn_conv_spec){.groups = 1, .kh = 1, .kw = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
	c->shape = (tarn_conv_shape){.n = 1, .ih = 1, .iw = 1, .oh = 1, .ow = 1};
	c->spec.oc = (int)q->dim[c->turned];
	if (!conv) {
		c->spec.ic = (int)q->dim[!c->turned];
		c->shape.iw = c->shape.ow = (int)(tarn_npu_count(n->out[0]) / (c->spec.oc ? c->spec.oc : 1));
		return TARN_OK;
	}
	tarn_window win;
	int sp = q->rank - 2, last = sp - 1;
	bool two = sp == 2;
	TRY(tarn_window_read(n, sp, q->dim + 2, &win));
	tarn_window_resolve(&win, x->dim + 2, y->dim + 2);
	c->spec.groups = (int)tarn_attr_i(n, tarn_attr_index(n->op, "group"));
	c->spec.ic = (int)q->dim[1] * c->spec.groups;
	c->spec.kh = two ? (int)win.kernel[0] : 1;
	c->spec.kw = (int)win.kernel[last];
	c->spec.stride_h = two ? (int)win.stride[0] : 1;
	c->spec.stride_w = (int)win.stride[last];
	c->spec.dilation_h = two ? (int)win.dilation[0] : 1;
	c->spec.dilation_w = (int)win.dilation[last];
	c->shape = (tarn_conv_shape){.n = (int)x->dim[0],
				     .ih = two ? (int)x->dim[2] : 1,
				     .iw = (int)x->dim[2 + last],
				     .oh = two ? (int)y->dim[2] : 1,
				     .ow = (int)y->dim[2 + last],
				     .pad_top = two ? (int)win.begin[0] : 0,
				     .pad_left = (int)win.begin[last]};
	return TARN_OK;
}

static tarn_err pack_weights(const tarn_node *n, const qconv_sizes *c, const npu_code *x, qconv_state *s)
{
	const tarn_node *w = n->in[1]->def;
	const tarn_tensor *q = w->in[0]->konst, *z = w->n_in > 2 && w->in[2] ? w->in[2]->konst : NULL;
	size_t bytes = tarn_tensor_bytes(q);
	uint8_t *copy = c->turned ? tarn_mem_alloc(bytes + 1) : NULL;
	int32_t *zero = z ? tarn_mem_alloc((size_t)(s->oc + 1) * sizeof *zero) : NULL;
	tarn_err err = (c->turned && !copy) || (z && !zero) ? tarn_err_nomem(bytes) : TARN_OK;
	for (int64_t k = 0; copy && k < q->dim[0]; k++)
		for (int64_t o = 0; o < q->dim[1]; o++)
			copy[o * q->dim[0] + k] = ((const uint8_t *)q->data)[k * q->dim[1] + o];
	bool any = false;
	for (int k = 0; zero && k < s->oc; k++)
		any |= (zero[k] = (int32_t)nth(z, k)) != 0;
	tarn_qconv_input in = {x->type == TARN_I8 ? TARN_CODE_S8 : TARN_CODE_U8, x->zero};
	if (err == TARN_OK)
		err = tarn_share_qconv(NULL, &c->spec, copy ? copy : q->data, q->type == TARN_I8 ? TARN_CODE_S8 : TARN_CODE_U8,
				       any ? zero : NULL, in, &s->packed);
	tarn_mem_free(copy);
	tarn_mem_free(zero);
	return err;
}

static tarn_err channels(const npu_layer *l, const npu_code *x, qconv_state *s)
{
	const tarn_node *n = l->main;
	const tarn_tensor *sw = n->in[1]->def->in[1]->konst;
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
		double scale = (double)x->scale * nth(sw, c), bias = bias_of(n, c);
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
	qconv_sizes c;
	npu_code x;
	TRY(sizes(n, &c));
	CHECK(tarn_npu_code(n->in[0]->def, &x), TARN_INTERNAL, "the input has no codes");
	qconv_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	step->state = s;
	s->oc = c.spec.oc;
	TRY(pack_weights(n, &c, &x, s));
	TRY(channels(step->layer, &x, s));
	tarn_qepilogue e = {.type = TARN_CODE_I32, .scale = s->scale, .bias = s->bias};
	if (s->scale) {
		e.type = TARN_CODE_F32;
		e.f_lo = -INFINITY;
		e.f_hi = INFINITY;
	}
	return tarn_qconv_plan_new(s->packed, &c.shape, &e, &s->plan);
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
