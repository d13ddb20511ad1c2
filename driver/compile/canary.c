/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up inputs. Floats are noise of deviation 1; pictures also overlapping rectangles of all sizes, whose statistics are
 * those of photos: areas that are even, edges at every scale. Whole numbers that look something up are drawn from what there
 * is; those that are compared with a constant, as lengths are, exceed it, so that all counts; others are 1.
 */
#include "driver/compile/canary.h"

#include <math.h>

#include "ir/op.h"

enum { MAX_PICTURE_CHANNELS = 4, MIN_PICTURE = 16, RECTANGLES = 300, MAX_WALK = 4 };

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
	double below; /* whole numbers from 0 on */
	bool found, exactly;
} range;

/* By a node that reads v as its k-th input. */
static range range_by(const tarn_node *n, int k)
{
	if (tarn_npu_is(n, "Gather") && k == 1) {
		int64_t axis = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
		const tarn_shape *s = &n->in[0]->shape;
		return (range){(double)s->dim[axis < 0 ? axis + s->rank : axis], true, false};
	}
	if (n->n_in == 2 && n->n_out && n->out[0] && n->out[0]->type == TARN_BOOL && n->in[1 - k] && n->in[1 - k]->konst &&
	    tarn_tensor_count(n->in[1 - k]->konst) > 1)
		return (range){most_of(n->in[1 - k]->konst) + 1, true, true};
	return (range){0};
}

/* By any of the nodes that read v, or what only changes its shape or type. */
static range range_of(const tarn_graph *g, const tarn_value *v, int steps)
{
	range r = {0};
	for (size_t i = 0; i < g->node.len && !r.found; i++) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in && !r.found; k++)
			if (n->in[k] == v)
				r = range_by(n, k);
		bool same = n->op->flags & TARN_OP_VIEW || tarn_npu_is(n, "Cast");
		if (!r.found && same && steps > 0 && n->n_in && n->in[0] == v && n->n_out && n->out[0])
			r = range_of(g, n->out[0], steps - 1);
	}
	return r;
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
		range r = range_of(g, v, MAX_WALK);
		for (int64_t i = 0; i < n; i++)
			tarn_tensor_set_f64(t, i, !r.found ? 1 : r.exactly ? r.below : floor(uniform(&state) * r.below));
	}
}
