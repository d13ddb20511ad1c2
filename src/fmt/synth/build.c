/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/synth/build.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"

/* Evaluates the step unless an earlier one failed. */
#define STEP(s, expr) ((s)->err == TARN_OK && ((s)->err = (expr)) == TARN_OK)

void synth_text(char *to, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(to, size, fmt, ap);
	va_end(ap);
}

tarn_value *synth_node(synth *s, const tarn_op_def *op, const char *name, int n_in, tarn_value *const *in)
{
	tarn_node *n;
	if (!STEP(s, tarn_node_new(s->g, op, name, n_in, 1, -1, &n)))
		return NULL;
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	return n->out[0];
}

void synth_set_int(synth *s, tarn_value *of, const char *attr, int64_t v)
{
	if (s->err == TARN_OK)
		s->err = tarn_attr_set_i(of->def, tarn_attr_index(of->def->op, attr), v);
}

void synth_set_ints(synth *s, tarn_value *of, const char *attr, int n, const int64_t *v)
{
	if (s->err == TARN_OK)
		s->err = tarn_attr_set_ints(s->g, of->def, tarn_attr_index(of->def->op, attr), v, n);
}

void synth_set_word(synth *s, tarn_value *of, const char *attr, const char *word)
{
	if (s->err != TARN_OK)
		return;
	int i = tarn_attr_index(of->def->op, attr);
	s->err = tarn_attr_set_i(of->def, i, i < 0 ? 0 : tarn_words_find(of->def->op->attr[i].words, word));
}

tarn_value *synth_scalar(synth *s, const char *name, double v)
{
	tarn_value *value = NULL;
	float f = (float)v;
	return STEP(s, tarn_value_const_f32(s->g, name, &f, -1, &value)) ? value : NULL;
}

tarn_value *synth_ints(synth *s, const char *name, int n, const int64_t *v)
{
	tarn_value *value = NULL;
	return STEP(s, tarn_value_const_i64(s->g, name, v, n, &value)) ? value : NULL;
}

tarn_value *synth_input(synth *s, const char *name, tarn_dtype type, int rank, const int64_t *dim)
{
	tarn_value *value = NULL;
	tarn_shape shape = tarn_shape_of(rank, dim);
	return STEP(s, tarn_value_input(s->g, name, type, &shape, &value)) ? value : NULL;
}

void synth_output(synth *s, const char *name, tarn_value *v)
{
	if (STEP(s, tarn_value_rename(s->g, v, name)) && STEP(s, VEC_GROW(&s->g->output)))
		s->g->output.at[s->g->output.len++] = v;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Sums of four uniform numbers: bell-shaped, deviation 1, at most 3.47. Each number is of 16 bits, and the variance of one is
 * (2^32 - 1) / 12. */
static void draw(uint64_t *state, float *at, size_t n, double mean, double deviation)
{
	const double unit = deviation / sqrt(4 * 4294967295.0 / 12), shift = mean - 4 * 32767.5 * unit;
	for (size_t i = 0; i < n; i++) {
		uint64_t z = next(state);
		uint32_t sum = (uint32_t)((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48));
		at[i] = (float)(shift + unit * sum);
	}
}

/* A constant that takes over the tensor. */
static tarn_value *take(synth *s, const char *name, tarn_tensor *t)
{
	tarn_value *value = NULL;
	bool ok = STEP(s, tarn_value_const(s->g, name, t, &value));
	tarn_tensor_fini(t);
	return ok ? value : NULL;
}

tarn_value *synth_random(synth *s, const char *name, int rank, const int64_t *dim, double mean, double deviation)
{
	tarn_tensor t = {0};
	if (!STEP(s, tarn_tensor_new(TARN_F32, rank, dim, &t)))
		return NULL;
	draw(&s->state, t.data, (size_t)tarn_tensor_count(&t), mean, deviation);
	return take(s, name, &t);
}

/* u8 grid over the range, with zero on it. */
static void grid(const tap *x, double *scale, double *zero)
{
	double lo = fmin(x->lo, 0), hi = fmax(x->hi, 0);
	*scale = (float)(hi > lo ? (hi - lo) / 255 : 1);
	*zero = rint(-lo / *scale);
}

static tarn_value *zero_point(synth *s, const char *name, tarn_dtype type, int rank, int64_t n, double v)
{
	tarn_tensor t = {0};
	if (!STEP(s, tarn_tensor_new(type, rank, &n, &t)))
		return NULL;
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_f64(&t, i, v);
	return take(s, name, &t);
}

tap synth_quant(synth *s, tap x)
{
	/* What has just come out of a Dequantize stays as it is. */
	if (!s->int8 || s->err != TARN_OK || (x.v->def && x.v->def->op == &tarn_op_dequantize_linear))
		return x;
	double scale, zero;
	grid(&x, &scale, &zero);
	char name[200];
	synth_text(name, sizeof name, "%s/quantize", x.v->name);
	tarn_value *sc = synth_scalar(s, "scale", scale), *zp = zero_point(s, "zero_point", TARN_U8, 0, 1, zero);
	tarn_value *q = synth_node(s, &tarn_op_quantize_linear, name, 3, (tarn_value *[]){x.v, sc, zp});
	synth_text(name, sizeof name, "%s/dequantize", s->err == TARN_OK ? x.v->name : "");
	x.v = synth_node(s, &tarn_op_dequantize_linear, name, 3, (tarn_value *[]){q, sc, zp});
	return x;
}

/* Largest magnitude of each channel, over 127. */
static void channel_scales(const float *w, int64_t inner, int64_t channels, int64_t outer, float *scale)
{
	for (int64_t c = 0; c < channels; c++)
		scale[c] = 0;
	for (int64_t o = 0; o < outer; o++)
		for (int64_t c = 0; c < channels; c++) {
			const float *p = w + (o * channels + c) * inner;
			float top = scale[c];
			for (int64_t i = 0; i < inner; i++)
				top = fmaxf(top, fabsf(p[i]));
			scale[c] = top;
		}
	for (int64_t c = 0; c < channels; c++)
		scale[c] = scale[c] > 0 ? scale[c] / 127 : 1;
}

static tarn_value *dequantized(synth *s, const char *name, tarn_tensor *q, tarn_tensor *scale, int axis)
{
	char text[200];
	synth_text(text, sizeof text, "%s/quantized", name);
	tarn_value *qv = take(s, text, q);
	synth_text(text, sizeof text, "%s/scale", name);
	tarn_dtype type = qv ? qv->konst->type : TARN_I8;
	int64_t n = tarn_tensor_count(scale);
	tarn_value *sv = take(s, text, scale);
	synth_text(text, sizeof text, "%s/zero_point", name);
	tarn_value *zv = zero_point(s, text, type, 1, n, 0);
	tarn_value *v = synth_node(s, &tarn_op_dequantize_linear, name, 3, (tarn_value *[]){qv, sv, zv});
	if (v)
		synth_set_int(s, v, "axis", axis);
	return v;
}

/* The drawn weight in s8; its channels' scales are left in `scale`. */
static tarn_value *weight_int8(synth *s, const char *name, const tarn_tensor *w, int axis, tarn_tensor *scale)
{
	tarn_tensor q = {0};
	int64_t outer = 1, inner = 1, channels = w->dim[axis];
	for (int i = 0; i < axis; i++)
		outer *= w->dim[i];
	for (int i = axis + 1; i < w->rank; i++)
		inner *= w->dim[i];
	if (!STEP(s, tarn_tensor_new(TARN_F32, 1, &channels, scale)) || !STEP(s, tarn_tensor_new(TARN_I8, w->rank, w->dim, &q)))
		return NULL;
	float *sc = scale->data;
	int8_t *to = q.data;
	channel_scales(w->data, inner, channels, outer, sc);
	const float *from = w->data;
	for (int64_t o = 0; o < outer; o++)
		for (int64_t c = 0; c < channels; c++, from += inner, to += inner)
			for (int64_t i = 0; i < inner; i++)
				to[i] = (int8_t)rintf(from[i] / sc[c]);
	tarn_tensor mine = tarn_tensor_share(scale);
	return dequantized(s, name, &q, &mine, axis);
}

static tarn_value *bias_int32(synth *s, const char *name, const float *bias, const tap *x, const tarn_tensor *scale)
{
	tarn_tensor q = {0}, sc = {0};
	int64_t n = scale->dim[0];
	double x_scale, zero;
	grid(x, &x_scale, &zero);
	if (!STEP(s, tarn_tensor_new(TARN_I32, 1, &n, &q)))
		return NULL;
	if (!STEP(s, tarn_tensor_new(TARN_F32, 1, &n, &sc))) {
		tarn_tensor_fini(&q);
		return NULL;
	}
	for (int64_t i = 0; i < n; i++) {
		float unit = (float)x_scale * ((const float *)scale->data)[i];
		((float *)sc.data)[i] = unit;
		((int32_t *)q.data)[i] = (int32_t)rintf(bias[i] / unit);
	}
	return dequantized(s, name, &q, &sc, 0);
}

tarn_value *synth_weight(synth *s, const char *name, int rank, const int64_t *dim, int axis, double deviation, const tap *x,
			 tarn_value **bias)
{
	char text[200];
	tarn_tensor w = {0}, b = {0}, scale = {0};
	tarn_value *v = NULL;
	if (bias)
		*bias = NULL;
	if (!STEP(s, tarn_tensor_new(TARN_F32, rank, dim, &w)) || !STEP(s, tarn_tensor_new(TARN_F32, 1, dim + axis, &b)))
		goto out;
	draw(&s->state, w.data, (size_t)tarn_tensor_count(&w), 0, deviation);
	if (bias)
		draw(&s->state, b.data, (size_t)dim[axis], 0, 0.05);
	synth_text(text, sizeof text, "%s.weight", name);
	v = s->int8 ? weight_int8(s, text, &w, axis, &scale) : take(s, text, &w);
	synth_text(text, sizeof text, "%s.bias", name);
	if (bias && s->err == TARN_OK)
		*bias = s->int8 ? bias_int32(s, text, b.data, x, &scale) : take(s, text, &b);
out:
	tarn_tensor_fini(&w);
	tarn_tensor_fini(&b);
	tarn_tensor_fini(&scale);
	return v;
}
