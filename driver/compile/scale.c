/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scale for each output channel, an FP32 number of the weights table that the PPE multiplies sums by. Weights that lie on a
 * grid (those of a network trained with quantization, or dequantized) are small integers times its step: stored as integers,
 * with the step as the scale, they lose nothing in FP16 and cost nothing. Other weights would gain too little from any scale.
 */
#include <math.h>

#include "base/f16.h"
#include "driver/compile/plan.h"

/* Steps from zero to the largest weight of a grid of 8 bits, and how far, in steps, a weight may lie beside it. */
enum { MAX_STEPS = 255, TRIES = 8 };
#define BESIDE 2e-4f

typedef struct channel {
	const float *w;
	size_t count; /* of the channel */
	size_t each, stride;
} channel;

static float weight_at(const channel *c, size_t i)
{
	return c->w[i / c->each * c->stride + i % c->each];
}

static bool on_grid(const channel *c, float step)
{
	for (size_t i = 0; i < c->count; i++) {
		float r = weight_at(c, i) / step;
		if (!(fabsf(r - rintf(r)) <= BESIDE) || fabsf(r) > MAX_STEPS + 0.5f)
			return false;
	}
	return true;
}

/* The step of the channel's grid, `guess` first; 0: it has none. Zeros alone are on any. */
static float step_of(const channel *c, float guess)
{
	float most = 0;
	for (size_t i = 0; i < c->count; i++)
		most = fmaxf(most, fabsf(weight_at(c, i)));
	if (most == 0)
		return guess > 0 ? guess : 1;
	if (!(most > 0) || !isnormal(most / MAX_STEPS) || !isfinite(most))
		return 0;
	if (guess > 0 && on_grid(c, guess))
		return guess;
	for (int steps = 1; steps <= MAX_STEPS; steps++)
		if (on_grid(c, most / (float)steps))
			return most / (float)steps;
	return 0;
}

static bool all_halves(const float *w, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!(tarn_f16_to_f32(tarn_f32_to_f16(w[i])) == w[i]))
			return false;
	return true;
}

tarn_err tarn_npu_find_exact(const tarn_graph *g, tarn_arena *a, bool **exact)
{
	npu_lane *lane;
	bool *e = *exact = tarn_arena_zalloc(a, g->value.len + 1, sizeof *e);
	if (!e)
		return tarn_err_nomem(g->value.len);
	TRY(tarn_npu_find_weights(g, a, &lane));
	for (size_t i = 0; i < g->value.len; i++) {
		if (!lane[i].run)
			continue;
		const tarn_tensor *t = g->value.at[i]->konst;
		size_t count = (size_t)tarn_tensor_count(t);
		float *scale;
		e[i] = all_halves(t->data, count);
		if (!e[i])
			TRY(tarn_npu_find_scales(t->data, count, &lane[i], a, &scale, &e[i]));
	}
	return TARN_OK;
}

tarn_err tarn_npu_find_scales(const float *w, size_t count, const npu_lane *lane, tarn_arena *a, float **scale, bool *all)
{
	*scale = NULL;
	*all = false;
	if (!lane->n || count < 2 * lane->n)
		return TARN_OK;
	float *s = tarn_arena_alloc(a, lane->n * sizeof *s), guess = 0;
	if (!s)
		return tarn_err_nomem(lane->n * sizeof *s);
	size_t found = 0;
	for (size_t o = 0; o < lane->n; o++) {
		const channel c = {w + o * lane->each, count / lane->n, lane->each, lane->each * lane->n};
		float step = step_of(&c, guess);
		found += step > 0;
		guess = step > 0 ? step : guess;
		s[o] = step > 0 ? step : 1;
		if (o >= TRIES && !found)
			return TARN_OK;
	}
	*scale = found ? s : NULL;
	*all = found == lane->n;
	return TARN_OK;
}
