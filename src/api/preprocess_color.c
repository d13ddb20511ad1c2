/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversions of colour as nodes. YUV is BT.601 with 16..235 for black to white, as cameras and decoders give it:
 * R = 1.164 (Y-16) + 1.596 (V-128), G = 1.164 (Y-16) - 0.391 (U-128) - 0.813 (V-128), B = 1.164 (Y-16) + 2.018 (U-128).
 * Grey is 0.299 R + 0.587 G + 0.114 B (BT.601 too), or Y as it is.
 */
#include "api/preprocess.h"
#include "ops/resize.h"

enum { YUV = 1, REVERSED = 2, EXTRA = 4 };
static const struct {
	const char *word;
	int planes, channels; /* of the first plane */
	unsigned flags;
} formats[] = {
	[UNDEFINE] = {"UNDEFINE", 1, 0, 0},
	[NV12_SINGLE_PLANE] = {"NV12_SINGLE_PLANE", 1, 1, YUV},
	[NV12_TWO_PLANES] = {"NV12_TWO_PLANES", 2, 1, YUV},
	[I420_SINGLE_PLANE] = {"I420_SINGLE_PLANE", 1, 1, YUV},
	[I420_THREE_PLANES] = {"I420_THREE_PLANES", 3, 1, YUV},
	[RGB] = {"RGB", 1, 3, 0},
	[BGR] = {"BGR", 1, 3, REVERSED},
	[GRAY] = {"GRAY", 1, 1, 0},
	[RGBX] = {"RGBX", 1, 4, EXTRA},
	[BGRX] = {"BGRX", 1, 4, REVERSED | EXTRA},
};

int tarn_color_planes(ov_color_format_e color)
{
	return formats[color].planes;
}

bool tarn_color_is_yuv(ov_color_format_e color)
{
	return formats[color].flags & YUV;
}

int tarn_color_channels(ov_color_format_e color)
{
	return formats[color].channels;
}

/* The flattened pixels begin..end of a single plane, as [N,h,w,channels]. */
static tarn_err part(tarn_chain *c, tarn_value *flat, int64_t begin, int64_t h, int64_t w, int64_t channels, tarn_value **out)
{
	const int64_t to[] = {0, h, w, channels};
	TRY(tarn_chain_slice(c, flat, 1, begin, begin + h * w * channels, &flat));
	return tarn_chain_reshape(c, flat, to, 4, out);
}

/* Splits a single plane into Y and UV, or Y, U and V. */
static tarn_err split(tarn_chain *c)
{
	const tarn_shape *s = &c->plane[0]->shape;
	bool nv12 = c->color == NV12_SINGLE_PLANE;
	CHECK(s->rank == 4 && s->dim[1] > 0 && s->dim[2] > 0 && s->dim[1] % 3 == 0 && s->dim[2] % 2 == 0 && s->dim[3] == 1,
	      TARN_SHAPE, "a single plane of NV12 or I420 is [N,3H/2,W,1] with H and W even");
	int64_t h = s->dim[1] / 3 * 2, w = s->dim[2];
	const int64_t flat_shape[] = {0, h * w * 3 / 2};
	tarn_value *flat;
	TRY(tarn_chain_reshape(c, c->plane[0], flat_shape, 2, &flat));
	TRY(part(c, flat, 0, h, w, 1, &c->plane[0]));
	TRY(part(c, flat, h * w, h / 2, w / 2, nv12 ? 2 : 1, &c->plane[1]));
	c->n = 2;
	if (nv12)
		return TARN_OK;
	c->n = 3;
	return part(c, flat, h * w + h * w / 4, h / 2, w / 2, 1, &c->plane[2]);
}

/* A plane as f32 [N,C,H,W] of the size of Y: each of its pixels stands for 2x2. */
static tarn_err grow(tarn_chain *c, tarn_value *x, const tarn_shape *y, tarn_value **out)
{
	static const int to_nchw[] = {0, 3, 1, 2};
	const int64_t size[] = {y->dim[1], y->dim[2]}, axes[] = {2, 3}, mode = TARN_MODE_NEAREST, rule = TARN_NEAREST_FLOOR,
		      coordinates = TARN_COORD_ASYMMETRIC;
	const tarn_chain_attr attr[] = {{"mode", &mode, 1},
					{"axes", axes, 2},
					{"coordinate_transformation_mode", &coordinates, 1},
					{"nearest_mode", &rule, 1}};
	TRY(tarn_chain_cast(c, x, TARN_F32, &x));
	tarn_value *in[4] = {0};
	TRY(tarn_chain_transpose(c, x, to_nchw, &in[0]));
	*out = in[0];
	if (x->shape.dim[1] == size[0] && x->shape.dim[2] == size[1])
		return TARN_OK;
	TRY(tarn_value_const_i64(c->g, NULL, size, 2, &in[TARN_RESIZE_SIZES]));
	return tarn_chain_op(c, &tarn_op_resize, in, 4, attr, 4, out);
}

/* [N,3,H,W] of Y, U and V to RGB or BGR: a convolution with a kernel of 1x1. */
static tarn_err matrix(tarn_chain *c, tarn_value *yuv, bool reversed, tarn_value **out)
{
	static const double rgb[3][3] = {{1.164, 0, 1.596}, {1.164, -0.391, -0.813}, {1.164, 2.018, 0}},
			    black[3] = {16, 128, 128}, limit[2] = {0, 255};
	const int64_t dim[] = {3, 3, 1, 1}, n = 3;
	tarn_tensor w = {0}, b = {0};
	tarn_value *in[3] = {yuv};
	tarn_err err = tarn_tensor_new(TARN_F32, 4, dim, &w);
	if (err == TARN_OK)
		err = tarn_tensor_new(TARN_F32, 1, &n, &b);
	for (int i = 0; i < 3 && err == TARN_OK; i++) {
		const double *row = rgb[reversed ? 2 - i : i];
		double bias = 0;
		for (int k = 0; k < 3; k++) {
			tarn_tensor_set_f64(&w, 3 * i + k, row[k]);
			bias -= row[k] * black[k];
		}
		tarn_tensor_set_f64(&b, i, bias);
	}
	if (err == TARN_OK)
		err = tarn_value_const(c->g, NULL, &w, &in[1]);
	if (err == TARN_OK)
		err = tarn_value_const(c->g, NULL, &b, &in[2]);
	tarn_tensor_fini(&w);
	tarn_tensor_fini(&b);
	TRY(err);
	TRY(tarn_chain_op(c, &tarn_op_conv, in, 3, NULL, 0, &in[0]));
	TRY(tarn_chain_const(c, TARN_F32, &limit[0], 1, 0, -1, &in[1]));
	TRY(tarn_chain_const(c, TARN_F32, &limit[1], 1, 0, -1, &in[2]));
	return tarn_chain_op(c, &tarn_op_clip, in, 3, NULL, 0, out);
}

static tarn_err from_yuv(tarn_chain *c, ov_color_format_e to)
{
	static const int to_nhwc[] = {0, 2, 3, 1};
	const int64_t axis = 1;
	tarn_value *in[TARN_MAX_PLANES], *x;
	tarn_dtype type = c->plane[0]->type;
	if (c->n == 1)
		TRY(split(c));
	int n = c->n;
	c->n = 1;
	if (to == GRAY)
		return TARN_OK;
	for (int i = 0; i < n; i++)
		TRY(grow(c, c->plane[i], &c->plane[0]->shape, &in[i]));
	TRY(tarn_chain_op(c, &tarn_op_concat, in, n, &(tarn_chain_attr){"axis", &axis, 1}, 1, &x));
	TRY(matrix(c, x, formats[to].flags & REVERSED, &x));
	TRY(tarn_chain_round(c, x, type, &x));
	return tarn_chain_transpose(c, x, to_nhwc, &c->plane[0]);
}

static tarn_err to_gray(tarn_chain *c, int axis, bool reversed)
{
	static const double rgb[] = {0.299, 0.587, 0.114}, bgr[] = {0.114, 0.587, 0.299};
	tarn_value *in[2];
	tarn_dtype type = c->plane[0]->type;
	const int64_t a = axis;
	TRY(tarn_chain_cast(c, c->plane[0], tarn_dtype_is_float(type) ? type : TARN_F32, &in[0]));
	TRY(tarn_chain_const(c, in[0]->type, reversed ? bgr : rgb, 3, in[0]->shape.rank, axis, &in[1]));
	TRY(tarn_chain_op(c, &tarn_op_mul, in, 2, NULL, 0, &in[0]));
	TRY(tarn_value_const_i64(c->g, NULL, &a, 1, &in[1]));
	TRY(tarn_chain_op(c, &tarn_op_reduce_sum, in, 2, NULL, 0, &in[0]));
	return tarn_chain_round(c, in[0], type, &c->plane[0]);
}

static tarn_err from_rgb(tarn_chain *c, ov_color_format_e to)
{
	unsigned is = formats[c->color].flags, wants = formats[to].flags;
	int axis;
	TRY(tarn_chain_axis(c, "C", "convert_color", &axis));
	int channels = formats[c->color].channels;
	CHECK(c->plane[0]->shape.dim[axis] < 0 || c->plane[0]->shape.dim[axis] == channels, TARN_SHAPE,
	      "an image of format %s has %d channels, this has %lld", formats[c->color].word, channels,
	      (long long)c->plane[0]->shape.dim[axis]);
	if (is & EXTRA)
		TRY(tarn_chain_slice(c, c->plane[0], axis, 0, 3, &c->plane[0]));
	if (to == GRAY)
		return to_gray(c, axis, is & REVERSED);
	return (is ^ wants) & REVERSED ? tarn_chain_reverse(c) : TARN_OK;
}

tarn_err tarn_chain_color(tarn_chain *c, ov_color_format_e to)
{
	if (c->color == to)
		return TARN_OK;
	CHECK(c->color != UNDEFINE, TARN_USAGE, "convert_color needs to know the format of the image; set it for the tensor");
	CHECK(c->color != GRAY && (to == RGB || to == BGR || to == GRAY), TARN_UNSUPPORTED,
	      "colour %s does not become %s; images become RGB, BGR or GRAY", formats[c->color].word, formats[to].word);
	TRY(tarn_color_is_yuv(c->color) ? from_yuv(c, to) : from_rgb(c, to));
	c->color = to;
	return TARN_OK;
}
