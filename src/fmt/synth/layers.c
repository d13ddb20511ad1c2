/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "fmt/synth/build.h"
#include "ops/ops.h"

/* How far, in deviations, a value is taken to reach: beyond lie a few of a million. */
static const double REACH = 4.5;

tap synth_image(synth *s, const char *name, int64_t c, int64_t h, int64_t w)
{
	/* Normalised pixels: mean 0, deviation about 1, (0..255 - mean) / deviation. */
	tarn_value *v = synth_input(s, name, TARN_F32, 4, (int64_t[]){1, c, h, w});
	return synth_quant(s, (tap){v, c, h, w, 1, -2.2, 2.7});
}

static tap activate(synth *s, const char *name, tap x, synth_act act)
{
	char text[200];
	double d2 = x.power;
	if (s->err != TARN_OK || act == SYNTH_LINEAR)
		return x;
	switch (act) {
	case SYNTH_RELU:
		x.v = synth_node(s, &tarn_op_relu, name, 1, &x.v);
		x.lo = 0;
		x.power = d2 / 2;
		return x;
	case SYNTH_RELU6:
		x.v = synth_node(s, &tarn_op_clip, name, 3,
				 (tarn_value *[]){x.v, synth_scalar(s, "min", 0), synth_scalar(s, "max", 6)});
		x.lo = 0;
		x.hi = fmin(x.hi, 6);
		x.power = d2 / 2;
		return x;
	default: {
		tap in = synth_quant(s, x), gate = in;
		synth_text(text, sizeof text, "%s/Sigmoid", name);
		gate.v = synth_node(s, &tarn_op_sigmoid, text, 1, &in.v);
		gate.lo = 0;
		gate.hi = 1;
		gate = synth_quant(s, gate);
		synth_text(text, sizeof text, "%s/Mul", name);
		x.v = synth_node(s, &tarn_op_mul, text, 2, (tarn_value *[]){in.v, gate.v});
		x.lo = -0.2785;       /* the minimum of x sigmoid(x) */
		x.power = 0.356 * d2; /* mean square of x sigmoid(x) for a normal x */
		return x;
	}
	}
}

tap synth_convolve(synth *s, const char *name, tap x, synth_conv conv)
{
	int64_t stride = conv.stride ? conv.stride : 1, k = conv.kernel, pad = k / 2, group = conv.depthwise ? x.c : 1;
	int64_t dim[4] = {conv.out, x.c / group, k, k};
	double deviation = conv.deviation > 0 ? conv.deviation : 1;
	char text[200];
	x = synth_quant(s, x);
	if (s->err != TARN_OK)
		return x;
	double fan = (double)(dim[1] * k * k);
	tarn_value *bias, *w = synth_weight(s, name, 4, dim, 0, deviation / sqrt(fan * x.power), &x, &bias);
	synth_text(text, sizeof text, "%s/Conv", name);
	tarn_value *v = synth_node(s, &tarn_op_conv, text, 3, (tarn_value *[]){x.v, w, bias});
	if (!v)
		return x;
	synth_set_ints(s, v, "kernel_shape", 2, (int64_t[]){k, k});
	synth_set_ints(s, v, "strides", 2, (int64_t[]){stride, stride});
	synth_set_ints(s, v, "pads", 4, (int64_t[]){pad, pad, pad, pad});
	synth_set_ints(s, v, "dilations", 2, (int64_t[]){1, 1});
	synth_set_int(s, v, "group", group);
	tap y = {v,
		 conv.out,
		 (x.h + 2 * pad - k) / stride + 1,
		 (x.w + 2 * pad - k) / stride + 1,
		 deviation * deviation,
		 -REACH * deviation,
		 REACH * deviation};
	synth_text(text, sizeof text, "%s/act", name);
	return activate(s, text, y, conv.act);
}

tap synth_add(synth *s, const char *name, tap a, tap b, synth_act act)
{
	char text[200];
	a = synth_quant(s, a);
	b = synth_quant(s, b);
	tap y = a;
	synth_text(text, sizeof text, "%s/Add", name);
	y.v = synth_node(s, &tarn_op_add, text, 2, (tarn_value *[]){a.v, b.v});
	y.power = a.power + b.power;
	/* Both ends at once are as rare as the reach of the sum's own deviation. */
	y.lo = fmax(a.lo + b.lo, -REACH * sqrt(y.power));
	y.hi = fmin(a.hi + b.hi, 1.5 * REACH * sqrt(y.power));
	double before = y.power;
	synth_text(text, sizeof text, "%s/act", name);
	y = activate(s, text, y, act);
	/* A sum with a rectified part lies mostly above zero already. */
	if (act == SYNTH_RELU)
		y.power = 0.75 * before;
	return y;
}

tap synth_max_pool(synth *s, const char *name, tap x, int64_t kernel, int64_t stride)
{
	int64_t pad = kernel / 2;
	x = synth_quant(s, x);
	x.v = synth_node(s, &tarn_op_max_pool, name, 1, &x.v);
	if (!x.v)
		return x;
	synth_set_ints(s, x.v, "kernel_shape", 2, (int64_t[]){kernel, kernel});
	synth_set_ints(s, x.v, "strides", 2, (int64_t[]){stride, stride});
	synth_set_ints(s, x.v, "pads", 4, (int64_t[]){pad, pad, pad, pad});
	x.h = (x.h + 2 * pad - kernel) / stride + 1;
	x.w = (x.w + 2 * pad - kernel) / stride + 1;
	return x;
}

tap synth_global_pool(synth *s, const char *name, tap x)
{
	char text[200];
	x = synth_quant(s, x);
	x.v = synth_node(s, &tarn_op_global_average_pool, name, 1, &x.v);
	x = synth_quant(s, x);
	synth_text(text, sizeof text, "%s/Flatten", name);
	x.v = synth_node(s, &tarn_op_flatten, text, 1, &x.v);
	x.h = x.w = 1;
	/* Means of a rectified normal: (1/2pi) of its mean square is left where a half was. */
	x.power /= 3.14159;
	return x;
}

tap synth_dense(synth *s, const char *name, tap x, int64_t out)
{
	char text[200];
	x = synth_quant(s, x);
	if (s->err != TARN_OK)
		return x;
	tarn_value *bias, *w = synth_weight(s, name, 2, (int64_t[]){out, x.c}, 0, 1 / sqrt((double)x.c * x.power), &x, &bias);
	synth_text(text, sizeof text, "%s/Gemm", name);
	tarn_value *v = synth_node(s, &tarn_op_gemm, text, 3, (tarn_value *[]){x.v, w, bias});
	if (v)
		synth_set_int(s, v, "transB", 1);
	return (tap){v, out, 1, 1, 1, -REACH, REACH};
}

tap synth_concat(synth *s, const char *name, int n, const tap *x)
{
	tarn_value *in[8];
	tap y = {.h = x[0].h, .w = x[0].w};
	for (int i = 0; i < n && i < 8; i++) {
		tap q = synth_quant(s, x[i]);
		in[i] = q.v;
		y.c += q.c;
		y.power += q.power * (double)q.c;
		y.lo = fmin(y.lo, q.lo);
		y.hi = fmax(y.hi, q.hi);
	}
	y.power /= (double)y.c;
	y.v = synth_node(s, &tarn_op_concat, name, n, in);
	if (y.v)
		synth_set_int(s, y.v, "axis", 1);
	return y;
}

void synth_halves(synth *s, const char *name, tap x, tap half[2])
{
	tarn_node *n;
	int64_t sizes[2] = {x.c / 2, x.c - x.c / 2};
	x = synth_quant(s, x);
	tarn_value *split = synth_ints(s, "split", 2, sizes);
	half[0] = half[1] = x;
	if (s->err != TARN_OK || (s->err = tarn_node_new(s->g, &tarn_op_split, name, 2, 2, -1, &n)) != TARN_OK)
		return;
	n->in[0] = x.v;
	n->in[1] = split;
	synth_set_int(s, n->out[0], "axis", 1);
	for (int i = 0; i < 2; i++) {
		half[i].v = n->out[i];
		half[i].c = sizes[i];
	}
}

tap synth_upsample(synth *s, const char *name, tap x)
{
	tarn_value *scales = NULL;
	x = synth_quant(s, x);
	if (s->err == TARN_OK)
		s->err = tarn_value_const_f32(s->g, "scales", (float[]){1, 1, 2, 2}, 4, &scales);
	x.v = synth_node(s, &tarn_op_resize, name, 3, (tarn_value *[]){x.v, NULL, scales});
	if (!x.v)
		return x;
	synth_set_word(s, x.v, "mode", "nearest");
	synth_set_word(s, x.v, "coordinate_transformation_mode", "asymmetric");
	synth_set_word(s, x.v, "nearest_mode", "floor");
	x.h *= 2;
	x.w *= 2;
	return x;
}
