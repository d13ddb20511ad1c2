/* SPDX-License-Identifier: Apache-2.0 */
/* What each step of preprocessing is made of. */
#include "api/preprocess.h"
#include "ops/resize.h"

tarn_err tarn_chain_one_plane(const tarn_chain *c, const char *step)
{
	CHECK(c->n == 1, TARN_USAGE, "%s works on one tensor and the image has %d planes; convert its colour first", step,
	      c->n);
	return TARN_OK;
}

tarn_err tarn_chain_axis(const tarn_chain *c, const char *axis, const char *step, int *out)
{
	TRY(tarn_chain_one_plane(c, step));
	*out = c->has_layout ? tarn_layout_find(&c->layout, axis) : -1;
	CHECK(*out >= 0, TARN_USAGE, "%s needs to know which axis is %s; set a layout that names it", step, axis);
	return TARN_OK;
}

/* Subtract, or divide by, one number or one a channel. */
static tarn_err arithmetic(tarn_chain *c, const tarn_preprocess_step *s, const char *step, const tarn_op_def *op)
{
	tarn_value *in[2] = {c->plane[0]};
	int axis = -1;
	TRY(tarn_chain_one_plane(c, step));
	CHECK(tarn_dtype_is_float(in[0]->type), TARN_TYPE,
	      "%s needs floating-point numbers, not %s; convert the element type first", step,
	      tarn_dtype_info(in[0]->type)->word);
	if (s->n > 1) {
		TRY(tarn_chain_axis(c, "C", step, &axis));
		tarn_dim channels = in[0]->shape.dim[axis];
		CHECK(!tarn_dim_is_static(channels) || channels == s->n, TARN_SHAPE, "%s has %d numbers for %lld channels",
		      step, s->n, (long long)channels);
	}
	TRY(tarn_chain_const(c, in[0]->type, s->number, s->n, in[0]->shape.rank, axis, &in[1]));
	return tarn_chain_op(c, op, in, 2, NULL, 0, &c->plane[0]);
}

static tarn_err do_scale(tarn_chain *c, const tarn_preprocess_step *s)
{
	return arithmetic(c, s, "scale", &tarn_op_div);
}

static tarn_err do_mean(tarn_chain *c, const tarn_preprocess_step *s)
{
	return arithmetic(c, s, "mean", &tarn_op_sub);
}

static tarn_err do_type(tarn_chain *c, const tarn_preprocess_step *s)
{
	for (int i = 0; i < c->n; i++)
		TRY(tarn_chain_cast(c, c->plane[i], s->type == TARN_DTYPE_NONE ? c->target->type : s->type, &c->plane[i]));
	return TARN_OK;
}

/* Axes that `to` has and the chain lacks, as size 1 in front. */
static tarn_err add_axes(tarn_chain *c, const tarn_layout *to)
{
	tarn_layout now = {.rank = 0};
	int64_t axis[TARN_MAX_RANK];
	for (int i = 0; i < to->rank; i++)
		if (tarn_layout_find(&c->layout, to->axis[i]) < 0 && now.rank < to->rank - c->layout.rank) {
			axis[now.rank] = now.rank;
			memcpy(now.axis[now.rank++], to->axis[i], sizeof *now.axis);
		}
	if (!now.rank)
		return TARN_OK;
	tarn_value *in[2] = {c->plane[0]};
	TRY(tarn_value_const_i64(c->g, NULL, axis, now.rank, &in[1]));
	TRY(tarn_chain_op(c, &tarn_op_unsqueeze, in, 2, NULL, 0, &c->plane[0]));
	for (int i = 0; i < c->layout.rank; i++)
		memcpy(now.axis[now.rank++], c->layout.axis[i], sizeof *now.axis);
	c->layout = now;
	return TARN_OK;
}

/* perm[i]: the axis of `from` that becomes axis i of `to`; unnamed axes keep their order. */
static tarn_err permutation(const tarn_layout *from, const tarn_layout *to, int perm[TARN_MAX_RANK])
{
	int unnamed = 0;
	for (int i = 0; i < to->rank; i++) {
		if (strcmp(to->axis[i], "?") != 0) {
			perm[i] = tarn_layout_find(from, to->axis[i]);
			CHECK(perm[i] >= 0, TARN_USAGE, "the layout has no axis %s to move; name it in both layouts",
			      to->axis[i]);
			continue;
		}
		while (unnamed < from->rank && strcmp(from->axis[unnamed], "?") != 0)
			unnamed++;
		CHECK(unnamed < from->rank, TARN_USAGE, "the layouts do not name the same axes; name them all");
		perm[i] = unnamed++;
	}
	return TARN_OK;
}

tarn_err tarn_chain_layout(tarn_chain *c, const char *text)
{
	tarn_layout to;
	int perm[TARN_MAX_RANK], rank = c->plane[0]->shape.rank;
	TRY(tarn_chain_one_plane(c, "convert_layout"));
	CHECK(rank >= 0, TARN_SHAPE, "a tensor of unknown rank has no layout; reshape the model first");
	if (!c->has_layout)
		return tarn_err_set(TARN_USAGE, "convert_layout needs to know the tensor's layout; set it");
	TRY(tarn_layout_expand(text, strstr(text, "...") ? rank : -1, &to));
	CHECK(to.rank >= rank, TARN_SHAPE, "layout %s has fewer axes than the tensor's %d", text, rank);
	TRY(add_axes(c, &to));
	CHECK(c->layout.rank == to.rank, TARN_USAGE, "layout %s has more axes than can be added; name them all", text);
	TRY(permutation(&c->layout, &to, perm));
	TRY(tarn_chain_transpose(c, c->plane[0], perm, &c->plane[0]));
	c->layout = to;
	return TARN_OK;
}

static tarn_err do_layout(tarn_chain *c, const tarn_preprocess_step *s)
{
	return tarn_chain_layout(c, s->layout);
}

static tarn_err do_color(tarn_chain *c, const tarn_preprocess_step *s)
{
	return tarn_chain_color(c, s->color);
}

/* Height and width last, as devices have it fast; `back` undoes it. */
static void image_last(const tarn_chain *c, int h, int w, int perm[TARN_MAX_RANK], int back[TARN_MAX_RANK])
{
	int n = 0;
	for (int i = 0; i < c->layout.rank; i++)
		if (i != h && i != w)
			perm[n++] = i;
	perm[n++] = h;
	perm[n++] = w;
	for (int i = 0; i < n; i++)
		back[perm[i]] = i;
}

static tarn_err resize_to(tarn_chain *c, tarn_value *x, int algorithm, const int64_t size[2], tarn_value **out)
{
	static const int64_t mode[] = {TARN_MODE_LINEAR, TARN_MODE_CUBIC, TARN_MODE_NEAREST};
	const int64_t axes[] = {x->shape.rank - 2, x->shape.rank - 1}, half = TARN_COORD_HALF_PIXEL,
		      lower = TARN_NEAREST_PREFER_FLOOR;
	const tarn_chain_attr attr[] = {{"mode", &mode[algorithm], 1},
					{"axes", axes, 2},
					{"coordinate_transformation_mode", &half, 1},
					{"nearest_mode", &lower, 1}};
	tarn_value *in[4] = {x};
	TRY(tarn_value_const_i64(c->g, NULL, size, 2, &in[TARN_RESIZE_SIZES]));
	return tarn_chain_op(c, &tarn_op_resize, in, 4, attr, 4, out);
}

static tarn_err model_size(const tarn_chain *c, int64_t size[2])
{
	static const char *const axis[] = {"H", "W"};
	tarn_layout l;
	TRY(tarn_layout_expand(c->model_layout, c->target->shape.rank, &l));
	for (int i = 0; i < 2; i++) {
		int at = tarn_layout_find(&l, axis[i]);
		CHECK(at >= 0, TARN_USAGE, "resize: the model's layout %s has no %s; set one that has", c->model_layout,
		      axis[i]);
		size[i] = c->target->shape.dim[at];
		CHECK(size[i] > 0, TARN_SHAPE,
		      "resize goes to the model's size, and its axis %s is free; reshape the model first", axis[i]);
	}
	return TARN_OK;
}

static tarn_err do_resize(tarn_chain *c, const tarn_preprocess_step *s)
{
	int h, w, perm[TARN_MAX_RANK], back[TARN_MAX_RANK];
	int64_t size[2];
	TRY(tarn_chain_axis(c, "H", "resize", &h));
	TRY(tarn_chain_axis(c, "W", "resize", &w));
	CHECK(c->model_layout, TARN_USAGE, "resize goes to the model's size; set the model's layout");
	TRY(model_size(c, size));
	tarn_value *x = c->plane[0];
	tarn_dtype type = x->type;
	if (x->shape.dim[h] == size[0] && x->shape.dim[w] == size[1])
		return TARN_OK;
	image_last(c, h, w, perm, back);
	TRY(tarn_chain_transpose(c, x, perm, &x));
	if (s->mode != RESIZE_NEAREST && !tarn_dtype_is_float(type))
		TRY(tarn_chain_cast(c, x, TARN_F32, &x));
	TRY(resize_to(c, x, s->mode, size, &x));
	if (x->type != type)
		TRY(tarn_chain_round(c, x, type, &x));
	return tarn_chain_transpose(c, x, back, &c->plane[0]);
}

static tarn_err do_crop(tarn_chain *c, const tarn_preprocess_step *s)
{
	int64_t axis[TARN_MAX_RANK];
	TRY(tarn_chain_one_plane(c, "crop"));
	CHECK(c->plane[0]->shape.rank == s->n, TARN_SHAPE, "crop has %d numbers for a tensor of %d dimensions", s->n,
	      c->plane[0]->shape.rank);
	for (int i = 0; i < s->n; i++)
		axis[i] = i;
	return tarn_chain_slices(c, c->plane[0], axis, s->begin, s->end, s->n, &c->plane[0]);
}

/* Mirrored with its edge: by index, one axis after the other. */
static tarn_err pad_symmetric(tarn_chain *c, const tarn_preprocess_step *s)
{
	for (int k = 0; k < s->n; k++) {
		const int64_t size = c->plane[0]->shape.dim[k], b = s->begin[k], e = s->end[k], axis = k;
		if (!b && !e)
			continue;
		CHECK(size > 0 && b >= 0 && e >= 0 && b <= size && e <= size, TARN_SHAPE,
		      "pad: axis %d of size %lld cannot be mirrored by %lld and %lld; use at most its size", k, (long long)size,
		      (long long)b, (long long)e);
		tarn_value *in[2] = {c->plane[0]};
		int64_t *at = tarn_arena_zalloc(&c->g->model->arena, (size_t)(b + size + e), sizeof *at);
		if (!at)
			return tarn_err_nomem((size_t)(b + size + e) * sizeof *at);
		for (int64_t i = -b; i < size + e; i++)
			at[i + b] = i < 0 ? -1 - i : i < size ? i : 2 * size - 1 - i;
		TRY(tarn_value_const_i64(c->g, NULL, at, (int)(b + size + e), &in[1]));
		TRY(tarn_chain_op(c, &tarn_op_gather, in, 2, &(tarn_chain_attr){"axis", &axis, 1}, 1, &c->plane[0]));
	}
	return TARN_OK;
}

static tarn_err do_pad(tarn_chain *c, const tarn_preprocess_step *s)
{
	static const char *const word[] = {[CONSTANT] = "constant", [EDGE] = "edge", [REFLECT] = "reflect"};
	tarn_value *in[3] = {c->plane[0]};
	int64_t pads[2 * TARN_MAX_RANK];
	TRY(tarn_chain_one_plane(c, "pad"));
	CHECK(in[0]->shape.rank == s->n, TARN_SHAPE, "pad has %d numbers for a tensor of %d dimensions", s->n,
	      in[0]->shape.rank);
	if (s->mode == SYMMETRIC)
		return pad_symmetric(c, s);
	memcpy(pads, s->begin, sizeof *pads * (size_t)s->n);
	memcpy(pads + s->n, s->end, sizeof *pads * (size_t)s->n);
	const int64_t mode = tarn_words_find(tarn_op_pad.attr[tarn_attr_index(&tarn_op_pad, "mode")].words, word[s->mode]);
	TRY(tarn_value_const_i64(c->g, NULL, pads, 2 * s->n, &in[1]));
	TRY(tarn_chain_const(c, in[0]->type, s->number, 1, 0, -1, &in[2]));
	return tarn_chain_op(c, &tarn_op_pad, in, 3, &(tarn_chain_attr){"mode", &mode, 1}, 1, &c->plane[0]);
}

tarn_err tarn_chain_reverse(tarn_chain *c)
{
	int axis;
	TRY(tarn_chain_axis(c, "C", "reverse_channels", &axis));
	int64_t n = c->plane[0]->shape.dim[axis], at[64];
	CHECK(n > 0 && n <= 64, TARN_UNSUPPORTED,
	      "reverse_channels needs a known number of channels, at most 64; reshape the model");
	for (int64_t i = 0; i < n; i++)
		at[i] = n - 1 - i;
	tarn_value *in[2] = {c->plane[0]};
	const int64_t a = axis;
	TRY(tarn_value_const_i64(c->g, NULL, at, (int)n, &in[1]));
	return tarn_chain_op(c, &tarn_op_gather, in, 2, &(tarn_chain_attr){"axis", &a, 1}, 1, &c->plane[0]);
}

static tarn_err do_reverse(tarn_chain *c, const tarn_preprocess_step *s)
{
	(void)s;
	return tarn_chain_reverse(c);
}

static tarn_err (*const steps[])(tarn_chain *, const tarn_preprocess_step *) = {
	[TARN_PREPROCESS_SCALE] = do_scale,   [TARN_PREPROCESS_MEAN] = do_mean,   [TARN_PREPROCESS_TYPE] = do_type,
	[TARN_PREPROCESS_LAYOUT] = do_layout, [TARN_PREPROCESS_COLOR] = do_color, [TARN_PREPROCESS_RESIZE] = do_resize,
	[TARN_PREPROCESS_CROP] = do_crop,     [TARN_PREPROCESS_PAD] = do_pad,     [TARN_PREPROCESS_REVERSE] = do_reverse,
};

tarn_err tarn_chain_step(tarn_chain *c, const tarn_preprocess_step *s)
{
	return steps[s->kind](c, s);
}
