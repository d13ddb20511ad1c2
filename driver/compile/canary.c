/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up inputs. Floats are noise of deviation 1; pictures also overlapping rectangles of all sizes, whose statistics are
 * those of photos: areas that are even, edges at every scale. Whole numbers that look something up are drawn from what there
 * is. Those that are compared with a constant, maybe after arithmetic with constants, are taken to be lengths: the first
 * exceed the constant, so that all counts, the next are a half of that, a quarter, three quarters, an eighth ... Others are 1.
 */
#include "driver/compile/canary.h"

#include <math.h>

#include "ir/op.h"

enum { MAX_PICTURE_CHANNELS = 4, MIN_PICTURE = 16, RECTANGLES = 300, MAX_WALK = 8, MAX_VISITS = 200 };

static double uniform(uint64_t *state) /* 0 to 1 */
{
	*state += 0x9e3779b97f4a7c15u;
	uint64_t z = *state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* Four uniform numbers are near enough to a normal one, and the same everywhere. */
static float deviate(uint64_t *state)
{
	double s = -2;
	for (int i = 0; i < 4; i++)
		s += uniform(state);
	return (float)(s * 1.7320508);
}

static bool is_picture(const tarn_value *v)
{
	const tarn_shape *s = &v->shape;
	return v->type == TARN_F32 && s->rank == 4 && s->dim[1] <= MAX_PICTURE_CHANNELS && s->dim[2] >= MIN_PICTURE &&
	       s->dim[3] >= MIN_PICTURE;
}

/* A side of any order of magnitude from 2 to n. */
static int64_t side(uint64_t *state, int64_t n)
{
	return (int64_t)(2 * pow((double)n / 2, uniform(state)));
}

static void draw(uint64_t *state, float *x, int64_t channels, int64_t height, int64_t width)
{
	for (int r = 0; r < RECTANGLES; r++) {
		int64_t h = r ? side(state, height) : 2 * height, w = r ? side(state, width) : 2 * width;
		int64_t top = (int64_t)(uniform(state) * (double)(height + h)) - h;
		int64_t left = (int64_t)(uniform(state) * (double)(width + w)) - w;
		int64_t y0 = r && top > 0 ? top : 0, y1 = r && top + h < height ? top + h : height;
		int64_t x0 = r && left > 0 ? left : 0, x1 = r && left + w < width ? left + w : width;
		for (int64_t c = 0; c < channels; c++) {
			float colour = (float)(4 * uniform(state) - 2);
			for (int64_t i = y0; i < y1; i++)
				for (int64_t k = x0; k < x1; k++)
					x[(c * height + i) * width + k] = colour;
		}
	}
}

static double most_of(const tarn_tensor *t)
{
	double most = 0;
	for (int64_t i = 0, n = tarn_tensor_count(t); i < n; i++)
		most = fmax(most, tarn_tensor_f64(t, i));
	return most;
}

typedef struct range {
	double most; /* whole numbers from 0 on */
	bool found, length;
} range;

/* By a node that reads v as its k-th input. */
static range range_by(const tarn_node *n, int k)
{
	if (tarn_npu_is(n, "Gather") && k == 1) {
		int64_t axis = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
		const tarn_shape *s = &n->in[0]->shape;
		return (range){(double)s->dim[axis < 0 ? axis + s->rank : axis] - 1, true, false};
	}
	if (n->n_in == 2 && n->n_out && n->out[0] && n->out[0]->type == TARN_BOOL && n->in[1 - k] && n->in[1 - k]->konst &&
	    tarn_tensor_count(n->in[1 - k]->konst) > 1)
		return (range){most_of(n->in[1 - k]->konst) + 1, true, true};
	return (range){0};
}

/* The most that the k-th input of n may be when its result may be y; false where that is not known. */
static bool most_before(const tarn_node *n, int k, double *y)
{
	if (n->op->flags & TARN_OP_VIEW || tarn_npu_is(n, "Cast"))
		return k == 0;
	const tarn_value *other = n->n_in == 2 ? n->in[1 - k] : NULL;
	if (!other || !other->konst || tarn_tensor_count(other->konst) != 1)
		return false;
	double c = tarn_tensor_f64(other->konst, 0);
	if (tarn_npu_is(n, "Add"))
		*y -= c;
	else if (tarn_npu_is(n, "Sub") && k == 0)
		*y += c;
	else if (tarn_npu_is(n, "Mul") && c > 0)
		*y = floor(*y / c);
	else if (tarn_npu_is(n, "Div") && k == 0 && c > 0)
		*y = tarn_dtype_is_float(other->type) ? *y * c : *y * c + c - 1; /* the remainder is dropped */
	else
		return tarn_npu_is(n, "Max") || tarn_npu_is(n, "Min");
	return true;
}

/* By all the nodes that read v, or what is computed of it and constants; as far as a number of visits allows. */
static range range_at(const tarn_graph *g, const tarn_value *v, int steps, int *visits)
{
	range r = {0};
	for (size_t i = 0; i<g->node.len && * visits> 0; i++) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in; k++) {
			double any = 0;
			if (n->in[k] != v)
				continue;
			range by = range_by(n, k);
			if (!by.found && steps > 0 && n->n_out && n->out[0] && most_before(n, k, &any)) {
				--*visits;
				by = range_at(g, n->out[0], steps - 1, visits);
				(void)most_before(n, k, &by.most);
			}
			if (by.found)
				r = (range){r.found ? fmin(r.most, by.most) : by.most, true, r.length || by.length};
		}
	}
	return r;
}

static range range_of(const tarn_graph *g, const tarn_value *v)
{
	int visits = MAX_VISITS;
	return range_at(g, v, MAX_WALK, &visits);
}

/* 1, 1/2, 1/4, 3/4, 1/8, 5/8 ...: however many there are, they are spread over all. */
static double part_of(int index)
{
	double part = 0;
	for (double digit = 0.5; index > 0; index /= 2, digit /= 2)
		part += index % 2 * digit;
	return part > 0 ? part : 1;
}

bool tarn_npu_canary_lengths(const tarn_graph *g)
{
	for (size_t i = 0; i < g->input.len; i++)
		if (g->input.at[i]->type != TARN_F32 && range_of(g, g->input.at[i]).length)
			return true;
	return false;
}

void tarn_npu_canary(const tarn_graph *g, size_t input, int index, tarn_tensor *t)
{
	const tarn_value *v = g->input.at[input];
	uint64_t state = (uint64_t)index * 1000003 + input;
	int64_t n = tarn_tensor_count(t);
	const tarn_shape *s = &v->shape;
	if (v->type == TARN_F32) {
		for (int64_t i = 0; i < n; i++)
			((float *)t->data)[i] = deviate(&state);
		for (int64_t b = index % 2; is_picture(v) && b < s->dim[0]; b += 2)
			draw(&state, (float *)t->data + b * (n / s->dim[0]), s->dim[1], s->dim[2], s->dim[3]);
	} else {
		range r = range_of(g, v);
		for (int64_t i = 0; i < n; i++)
			tarn_tensor_set_f64(t, i,
					    !r.found   ? 1
					    : r.length ? fmax(1, ceil(r.most * part_of(index)))
						       : floor(uniform(&state) * (fmax(r.most, 0) + 1)));
	}
}
