/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adaptive rounding: each weight goes up or down so that the products of its output channel with the inputs seen come out
 * right, not so that it is itself nearest. With d the rounding errors of one output channel and C the covariance of its inputs,
 * the error's variance is d' C d (its mean goes into the bias); codes are moved one step at a time as long as that falls. (The
 * objective of Nagel et al., arXiv 2004.10568, minimised by coordinate descent instead of a relaxation.) No labels are needed.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "quant/columns.h"
#include "quant/repair.h"

/* Longest column; columns for each of its elements, and at most; passes over the weights. */
enum { LONGEST = 2400, PER_ELEMENT = 3, COLUMNS = 3072, FEWEST = 256, PASSES = 8 };

/* All products' columns. */
typedef struct collection {
	const quant_plan *p;
	quant_columns *at;
	int *source; /* by product: place among the watched values, or -1 - input */
	int n;
	int64_t samples;
} collection;

static tarn_err see(void *ctx, size_t sample, tarn_request *r)
{
	(void)sample;
	collection *c = ctx;
	for (int k = 0; k < c->n; k++) {
		quant_columns *x = &c->at[k];
		const tarn_shape *y = &c->p->sized->main->value.at[x->n->out[0]->id]->shape;
		int from = c->source[k];
		TRY(tarn_quant_columns_add(x, from >= 0 ? &r->out[from] : &r->in[-1 - from], y,
					   (x->room + c->samples - 1) / c->samples));
	}
	return TARN_OK;
}

static int64_t room_for(int64_t length)
{
	int64_t n = length * PER_ELEMENT;
	return n < FEWEST ? FEWEST : n > COLUMNS ? COLUMNS : n;
}

static tarn_err collect(collection *c, const tarn_quant_options *o, tarn_arena *a)
{
	const tarn_graph *g = c->p->m->main;
	int watched = 0, *which = tarn_arena_zalloc(a, g->node.len + 1, sizeof *which);
	quant_slice slice = tarn_quant_slice(o, 16, 1);
	c->at = tarn_arena_zalloc(a, g->node.len + 1, sizeof *c->at);
	c->source = tarn_arena_zalloc(a, g->node.len + 1, sizeof *c->source);
	if (!which || !c->at || !c->source)
		return tarn_err_nomem(g->node.len * sizeof *c->at);
	c->samples = (int64_t)slice.n;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		int axis;
		const tarn_tensor *w = c->p->int8[i] && c->p->weight[i].scale ? tarn_quant_weights_of(n, &axis) : NULL;
		if (!w || tarn_tensor_count(w) / w->dim[axis] > LONGEST)
			continue;
		TRY(tarn_quant_columns_init(&c->at[c->n], n, room_for(tarn_tensor_count(w) / w->dim[axis])));
		c->source[c->n] = tarn_quant_source(g, n->in[0], which, &watched);
		c->n++;
	}
	return c->n ? tarn_quant_run(c->p->m, which, watched, o, slice, "looking at inputs", see, c) : TARN_OK;
}

/* Covariance of the columns of one group, both halves, with a little on the diagonal: what was not seen shall not drift. */
static void covariance(const quant_columns *c, int64_t group, bool centred, float *mean, float *h)
{
	int64_t k = c->length;
	float *x = c->x + group * c->room * k;
	memset(h, 0, (size_t)(k * k) * sizeof *h);
	memset(mean, 0, (size_t)k * sizeof *mean);
	for (int64_t n = 0; centred && n < c->count; n++)
		for (int64_t i = 0; i < k; i++)
			mean[i] += x[n * k + i] / (float)c->count;
	for (int64_t n = 0; n < c->count; n++) {
		float *row = x + n * k;
		for (int64_t i = 0; i < k; i++)
			row[i] -= mean[i];
		for (int64_t i = 0; i < k; i++) {
			float f = row[i], *to = h + i * k;
			if (f == 0)
				continue;
			for (int64_t j = i; j < k; j++)
				to[j] += f * row[j];
		}
	}
	double trace = 0;
	for (int64_t i = 0; i < k; i++)
		trace += (double)h[i * k + i];
	for (int64_t i = 0; i < k; i++) {
		h[i * k + i] += (float)(0.01 * trace / (double)k);
		for (int64_t j = i + 1; j < k; j++)
			h[j * k + i] = h[i * k + j];
	}
}

/* One output channel: weights w, codes, errors d, slope = H d. */
static void descend(const float *w, int8_t *code, float scale, int top, const float *h, int64_t k, float *d, float *slope)
{
	memset(slope, 0, (size_t)k * sizeof *slope);
	for (int64_t i = 0; i < k; i++) {
		d[i] = (float)code[i] * scale - w[i];
		for (int64_t j = 0; j < k; j++)
			slope[j] += d[i] * h[i * k + j];
	}
	bool moved = true;
	for (int pass = 0; pass < PASSES && moved; pass++) {
		moved = false;
		for (int64_t i = 0; i < k; i++) {
			/* Only between the two neighbours of the weight: further away is chance. */
			int step = d[i] > 0 ? -1 : 1;
			float by = (float)step * scale;
			if (code[i] + step > top || code[i] + step < -top || 2 * by * slope[i] + by * by * h[i * k + i] >= 0)
				continue;
			code[i] = (int8_t)(code[i] + step);
			d[i] += by;
			for (int64_t j = 0; j < k; j++)
				slope[j] += by * h[i * k + j];
			moved = true;
		}
	}
}

/* Weights and codes of output channel o as one run: elements of a matrix's column are apart. */
static tarn_err round_product(quant_plan *p, const quant_columns *c)
{
	const quant_weight *q = &p->weight[c->n->index];
	int axis;
	const float *w = tarn_quant_weights_of(c->n, &axis)->data;
	int64_t k = c->length, per_group = q->channels / c->groups, apart = axis ? q->channels : 1;
	float *room = tarn_mem_alloc((size_t)(k * k + 4 * k) * sizeof *room);
	int8_t *code = tarn_mem_alloc((size_t)k);
	tarn_err err = TARN_OK;
	CHECK_GOTO(out, room && code, TARN_NOMEM, "out of memory");
	float *h = room, *mean = h + k * k, *row = mean + k, *d = row + k, *slope = d + k;
	for (int64_t g = 0; g < c->groups; g++) {
		covariance(c, g, tarn_quant_takes_shift(p->m->main, p->m->main->node.at[c->n->index]), mean, h);
		for (int64_t o = g * per_group; o < (g + 1) * per_group; o++) {
			int64_t first = axis ? o : o * k;
			for (int64_t i = 0; i < k; i++) {
				row[i] = w[first + i * apart];
				code[i] = q->code[first + i * apart];
			}
			descend(row, code, q->scale[o], p->weight_top, h, k, d, slope);
			for (int64_t i = 0; i < k; i++)
				q->code[first + i * apart] = code[i];
		}
	}
out:
	tarn_mem_free(room);
	tarn_mem_free(code);
	return err;
}

double tarn_quant_rounding_work(const quant_plan *p)
{
	const tarn_graph *g = p->m->main;
	double work = 0;
	for (size_t i = 0; i < g->node.len; i++) {
		int axis;
		const tarn_tensor *w = p->int8[i] ? tarn_quant_weights_of(g->node.at[i], &axis) : NULL;
		double k = w && w->dim[axis] ? (double)(tarn_tensor_count(w) / w->dim[axis]) : 0;
		if (k <= LONGEST)
			work += k * k * (double)room_for((int64_t)k);
	}
	return work;
}

tarn_err tarn_quant_round(quant_plan *p, const tarn_quant_options *o)
{
	tarn_arena a = {0};
	collection c = {.p = p};
	tarn_err err = TARN_OK;
	if (!p->sized)
		return TARN_OK;
	TRY_GOTO(out, collect(&c, o, &a));
	for (int k = 0; k < c.n; k++) {
		if (o->progress)
			o->progress(o->ctx, "rounding weights", (size_t)k + 1, (size_t)c.n);
		CHECK_GOTO(out, !(o->stop && o->stop(o->ctx)), TARN_CANCELLED, "rounding was interrupted");
		if (c.at[k].length && c.at[k].count)
			TRY_GOTO(out, round_product(p, &c.at[k]));
	}
	tarn_quant_shift_weights(p);
out:
	for (int k = 0; k < c.n; k++)
		tarn_quant_columns_fini(&c.at[k]);
	tarn_arena_fini(&a);
	return err;
}
