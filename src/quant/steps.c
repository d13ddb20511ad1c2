/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights that lie on a grid already (trained for it, or quantized before) do so with a step for each input channel. In the
 * network as it was trained these steps are equal, and its weights are codes without any loss; where somebody multiplied
 * channels with factors they tell which.
 */
#include <math.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/channels.h"

/* Codes 0 to 255 less any zero point; how far from whole numbers floats may be; values that are no chance. */
enum { MOST_CODE = 255, ENOUGH_VALUES = 16 };
static const double EXACT = 2e-3;

typedef struct column {
	const float *w;
	int64_t outputs, area, step_o; /* element (o, k) at w[o * step_o + k] */
} column;

static bool fits(const column *c, double step)
{
	for (int64_t o = 0; o < c->outputs; o++)
		for (int64_t k = 0; k < c->area; k++) {
			double code = (double)c->w[o * c->step_o + k] / step;
			if (fabs(code - nearbyint(code)) > EXACT)
				return false;
		}
	return true;
}

/* The largest step whose multiples all weights of a column are; 0: all are 0; -1: there is none, or too few weights to tell. */
static double step_of(const column *c)
{
	double most = 0;
	int64_t values = 0;
	for (int64_t o = 0; o < c->outputs; o++)
		for (int64_t k = 0; k < c->area; k++) {
			most = fmax(most, fabs((double)c->w[o * c->step_o + k]));
			values += c->w[o * c->step_o + k] != 0;
		}
	if (most <= 0 || values < ENOUGH_VALUES)
		return most <= 0 ? 0 : -1;
	for (int m = 1; m <= MOST_CODE; m++)
		if (fits(c, most / m))
			return most / m;
	return -1;
}

/* What one more reader says of a class. */
static double agreed(double before, double now)
{
	if (before < 0 || now < 0)
		return -1;
	if (before == 0 || now == 0)
		return before + now;
	return fabs(before - now) < 1e-4 * now ? before : -1;
}

/* Steps of the columns of a product, by input channel. */
static void steps_of(const tarn_node *n, double *step, int64_t channels)
{
	int axis;
	const tarn_tensor *w = tarn_quant_weights_of(n, &axis);
	int64_t outputs = w->dim[axis], inputs = w->dim[!axis], area = 1;
	int at = tarn_quant_is(n, "Conv") ? tarn_attr_index(n->op, "group") : -1;
	int64_t groups = at >= 0 ? tarn_attr_i(n, at) : 1, per_group = outputs / groups;
	for (int i = 2; i < w->rank; i++)
		area *= w->dim[i];
	for (int64_t i = 0; i < inputs * groups && i < channels; i++) {
		int64_t first = i / inputs * per_group, in = i % inputs;
		column k = {(const float *)w->data + (axis ? in * outputs + first : first * inputs + in) * area, per_group,
			    area, axis ? area : inputs * area};
		step[i] = step_of(&k);
	}
}

/* A reader has a step of its own, whatever the channel: where it reads a class whose step is known that tells by how much its
 * steps differ from those of other readers. */
static tarn_err see_product(const quant_channels *c, const tarn_node *n, double *step)
{
	const tarn_value *x = n->in[0];
	int axis;
	int64_t channels = c->n[x->id];
	double ratio = 0, *own = tarn_mem_zalloc((size_t)channels + 1, sizeof *own);
	if (!own)
		return tarn_err_nomem((size_t)channels * sizeof *own);
	if (tarn_quant_weights_of(n, &axis)->dim[!axis] > 1) /* depthwise weights have a scale for each channel */
		steps_of(n, own, channels);
	for (int64_t i = 0; i < channels && !(ratio > 0); i++) {
		double known = step[tarn_quant_channels_class(c, x, i)];
		ratio = own[i] > 0 && known > 0 ? known / own[i] : 0;
	}
	for (int64_t i = 0; i < channels; i++) {
		double *to = &step[tarn_quant_channels_class(c, x, i)];
		*to = agreed(*to, own[i] > 0 && ratio > 0 ? own[i] * ratio : own[i]);
	}
	tarn_mem_free(own);
	return TARN_OK;
}

/* Least and largest step of linked values; least 0 where one of them has none, or a bound. */
typedef struct span {
	double least, most;
} span;

static void see_part(const quant_channels *c, const double *step, span *s, bool *off)
{
	const tarn_graph *g = c->p->m->main;
	for (size_t v = 0; v < g->value.len; v++)
		for (int64_t i = 0; i < c->n[v]; i++) {
			int64_t class = tarn_quant_channels_class(c, g->value.at[v], i);
			int part = tarn_quant_channels_part(c, (int)v);
			if (step[class] < 0 || !isinf(c->bound[class]))
				off[part] = true;
			if (step[class] <= 0)
				continue;
			s[part].least = s[part].most > 0 ? fmin(s[part].least, step[class]) : step[class];
			s[part].most = fmax(s[part].most, step[class]);
		}
}

tarn_err tarn_quant_channels_steps(const quant_channels *c, double *step, bool *uneven)
{
	const tarn_graph *g = c->p->m->main;
	size_t values = g->value.len + 1;
	span *s = tarn_mem_zalloc(values, sizeof *s);
	bool *off = tarn_mem_zalloc(values, sizeof *off);
	tarn_err err = s && off ? TARN_OK : tarn_err_nomem(values * sizeof *s);
	for (int64_t i = 0; i < c->total; i++)
		step[i] = 0;
	for (size_t i = 0; err == TARN_OK && i < g->node.len; i++)
		if (tarn_quant_channels_product(g->node.at[i]))
			err = see_product(c, g->node.at[i], step);
	if (err == TARN_OK)
		see_part(c, step, s, off);
	for (size_t v = 0; err == TARN_OK && v + 1 < values; v++)
		uneven[v] = !off[v] && s[v].most > 1.001 * s[v].least;
	tarn_mem_free(s);
	tarn_mem_free(off);
	return err;
}
