/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rounding to FP16 is expected to do to a model's outputs, from its weights alone. Moments (moments.c) give the size of
 * every value and with it that of its rounding errors; a sweep back from an output gives what becomes of an error on the way
 * there, as a factor on its variance, channel by channel. Errors of neighbouring elements may be independent, as in noise, or
 * the same, as in even areas of pictures, where filters add them up and pooling does not average them out: both are carried,
 * and the larger counts. Different channels and different values are taken as independent.
 *
 * An output is judged by its error relative to its largest element. A softmax turns an error of its input into a relative error
 * of the same size, and so does a sigmoid where all it says is small; other outputs are judged relative to their rms.
 */
#include "driver/compile/noise.h"

#include <math.h>

#include "ir/op.h"
#include "ops/ops.h"

/* Deviation of one rounding to FP16: a step over sqrt 12, steps between 2^-11 and 2^-10 of the value. */
#define STEP 2e-4
/* Areas of pictures are taken as even over so many pixels. */
#define EVEN 8

/* On the variance of errors of one value: of elements that err independently, and of elements that err alike. Of each channel,
 * so that their sum is the effect of an error of variance 1 in all; n = 1: that sum. */
typedef struct gain {
	bool there;
	int n;
	double *fine, *flat;
} gain;

typedef struct sweep {
	tarn_arena *arena;
	const npu_moments *of;
	const bool *exact; /* by value id: constants that FP16 holds */
	gain *gain;        /* by value id */
	double *field;     /* by value id: pixels of the input that an element sees, in one direction; 0: no picture */
	double *part;      /* by value id, of all values that are rounded: what is looked for */
} sweep;

static double square_at(const npu_moments *m, int i)
{
	double mean = m->mean[m->n == 1 ? 0 : i];
	return mean * mean + m->var[m->n == 1 ? 0 : i];
}

static double square(const npu_moments *m)
{
	double mean, var;
	tarn_npu_blend(m, &mean, &var);
	return mean * mean + var;
}

static double elements(const tarn_value *v)
{
	int64_t n;
	return tarn_shape_count(&v->shape, &n) == TARN_OK && n > 0 ? (double)n : 1;
}

/* NULL for what does not count: constants, and values of which nothing is known. */
static tarn_err open_gain(sweep *s, const tarn_value *v, gain **to)
{
	*to = NULL;
	if (!v || v->konst || !s->of[v->id].known)
		return TARN_OK;
	gain *g = &s->gain[v->id];
	if (!g->there) {
		g->n = s->of[v->id].n;
		g->fine = tarn_arena_zalloc(s->arena, (size_t)g->n * 2 + 1, sizeof *g->fine);
		if (!g->fine)
			return tarn_err_nomem((size_t)g->n * 2 * sizeof *g->fine);
		g->flat = g->fine + g->n;
		g->there = true;
	}
	*to = g;
	return TARN_OK;
}

static double gain_at(const gain *g, const double *kind, int i, int n)
{
	return g->n == 1 ? kind[0] / n : i < g->n ? kind[i] : 0;
}

/* To x's gain, from channel `at` on of y's: times a factor for each kind of error and the slope of that channel (NULL: 1). An
 * element of x that many of y's are made of errs alike for all of them. */
static tarn_err pass(sweep *s, const tarn_value *y, const tarn_value *x, int at, double fine, double flat, const double *slope)
{
	const gain *from = &s->gain[y->id];
	gain *to;
	TRY(open_gain(s, x, &to));
	if (!to)
		return TARN_OK;
	bool spread = slope && elements(x) < elements(y);
	int slopes = s->of[y->id].n, n = from->n > slopes ? from->n : slopes;
	if (to->n > 1 && n != to->n)
		n = from->n > 1 && n > to->n ? to->n : n > 1 ? n : to->n;
	for (int i = 0; i < n; i++) {
		double f = slope ? slope[slopes == 1 ? 0 : i] : 1;
		int k = to->n == 1 ? 0 : i < to->n ? i : to->n - 1;
		to->fine[k] += gain_at(from, spread ? from->flat : from->fine, at + i, n) * fine * f;
		to->flat[k] += gain_at(from, from->flat, at + i, n) * flat * f;
	}
	return TARN_OK;
}

/* ---- operators, from their result back to their operands ---- */

/* And what the rounding of the weights does: they err alike at all pixels, but meet values that vary. What that does to the
 * means goes into the bias (round.c). */
static tarn_err through_weights(sweep *s, const tarn_node *n, const npu_weights *w)
{
	const gain *y = &s->gain[n->out[0]->id];
	gain *x;
	TRY(open_gain(s, n->in[0], &x));
	if (!x || (y->n != 1 && y->n != w->out) || (x->n != 1 && x->n != w->in * w->groups))
		return TARN_OK;
	const npu_moments *m = &s->of[n->in[0]->id];
	double noise = 0;
	npu_taps t = {0};
	while (tarn_npu_next_taps(w, &t)) {
		int64_t to = x->n == 1 ? 0 : t.channel;
		double flat = gain_at(y, y->flat, (int)t.out, (int)w->out) * w->share;
		x->fine[to] += gain_at(y, y->fine, (int)t.out, (int)w->out) * w->share * t.squares;
		x->flat[to] += flat * w->share * t.sum * t.sum;
		noise += flat * t.squares * m->var[m->n == 1 ? 0 : t.channel];
	}
	if (!s->exact[n->in[1]->id])
		s->part[n->in[1]->id] += STEP * STEP * noise;
	return TARN_OK;
}

/* Of two computed matrices, each element of the result sums up a row of one times a column of the other. */
static tarn_err through_product(sweep *s, const tarn_node *n)
{
	npu_weights w;
	if (tarn_npu_read_weights(n, &w))
		return through_weights(s, n, &w);
	const npu_moments *m[2] = {&s->of[n->in[0]->id], &s->of[n->in[1]->id]};
	const tarn_shape *shape = &n->in[0]->shape;
	double depth = shape->rank > 0 ? (double)shape->dim[shape->rank - 1] : 1;
	for (int i = 0; i < 2; i++)
		if (m[1 - i]->known)
			TRY(pass(s, n->out[0], n->in[i], 0, depth * square(m[1 - i]), depth * square(m[1 - i]), NULL));
	return TARN_OK;
}

static tarn_err through_concat(sweep *s, const tarn_node *n)
{
	int rank = n->out[0]->shape.rank, at = 0, axis = rank >= 4 ? 1 : rank - 1;
	int64_t along = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	bool channels = (along < 0 ? along + rank : along) == axis;
	for (int i = 0; i < n->n_in; i++) {
		TRY(pass(s, n->out[0], n->in[i], at, 1, 1, NULL));
		at += channels ? (int)n->in[i]->shape.dim[axis] : 0;
	}
	return TARN_OK;
}

/* Scaled to a size of its own: the relative error stays. A softmax: an error of its input is a relative one of its result. */
static tarn_err through_norm(sweep *s, const tarn_node *n, bool shares)
{
	const npu_moments *x = &s->of[n->in[0]->id], *y = &s->of[n->out[0]->id];
	double size = shares ? 1 : x->known ? square(x) : 0;
	return size > 0 ? pass(s, n->out[0], n->in[0], 0, square(y) / size, square(y) / size, NULL) : TARN_OK;
}

static tarn_err step_back(sweep *s, const tarn_node *n)
{
	const tarn_value *y = n->n_out ? n->out[0] : NULL;
	npu_kind k;
	if (!y || !n->n_in || !n->in[0] || !s->gain[y->id].there || !tarn_npu_kind_of(n, &k))
		return TARN_OK;
	const npu_moments *m = &s->of[y->id];
	switch (k) {
	case NPU_PRODUCT:
		return through_product(s, n);
	case NPU_CONCAT:
		return through_concat(s, n);
	case NPU_NORMAL:
	case NPU_SHARES:
		return through_norm(s, n, k == NPU_SHARES);
	case NPU_AVERAGED:
		return pass(s, y, n->in[0], 0, elements(y) / elements(n->in[0]), 1, NULL);
	case NPU_MOVED:
		return pass(s, y, n->in[tarn_npu_passing_input(n)], 0, 1, 1, NULL);
	default:
		TRY(pass(s, y, n->in[0], 0, 1, 1, m->slope[0]));
		return k == NPU_COMBINE ? pass(s, y, n->in[1], 0, 1, 1, m->slope[1]) : TARN_OK;
	}
}

/* ---- outputs ---- */

/* What makes the output, behind what only moves it. */
static const tarn_node *maker(const tarn_value *v)
{
	const tarn_node *n = v->def;
	while (n && (n->op->flags & TARN_OP_VIEW || tarn_npu_is(n, "Transpose") || tarn_npu_is(n, "Identity")))
		n = n->in[0]->def;
	return n;
}

npu_end tarn_npu_end_of(const tarn_value *out)
{
	const tarn_node *n = maker(out);
	if (tarn_npu_is(n, "Sigmoid"))
		return (npu_end){NPU_END_SIGMOID, n->in[0], n};
	if (tarn_npu_is(n, "Softmax"))
		return (npu_end){NPU_END_SOFTMAX, n->in[0], n};
	return (npu_end){NPU_END_PLAIN, out, n};
}

/* Where the sweep begins. */
typedef struct end {
	const tarn_value *at; /* NULL: nothing is known of it */
	double spread;        /* how many deviations the worst element is off */
	double size;          /* mean square that errors are relative to */
	double least;         /* mean square of the elements that count, where the moments of all are less */
} end;

static tarn_err begin(sweep *s, const tarn_value *out, end *e)
{
	npu_end of = tarn_npu_end_of(out);
	bool sigmoid = of.kind == NPU_END_SIGMOID, softmax = of.kind == NPU_END_SOFTMAX;
	const tarn_value *v = of.at;
	gain *g;
	*e = (end){.size = 1, .spread = 1};
	TRY(open_gain(s, v, &g));
	if (!g)
		return TARN_OK;
	if (sigmoid) { /* the largest of so many normal deviates */
		e->spread = sqrt(2 * log(fmax(elements(v), 2)));
	} else if (softmax) { /* only large shares count, and of n they are ln n above the others */
		double above = 2 + log(v->shape.rank ? fmax((double)v->shape.dim[v->shape.rank - 1], 1) : 1);
		e->spread = 3;
		e->least = above * above;
	} else { /* the largest element is larger than the rms as the worst error is than its own */
		e->size = square(&s->of[v->id]);
	}
	if (e->size <= 0)
		return TARN_OK;
	e->at = v;
	for (int i = 0; i < g->n; i++)
		g->fine[i] = g->flat[i] = 1 / e->size / g->n;
	return TARN_OK;
}

/* ---- what is rounded ---- */

/* `least`: the mean square where the moments give less. */
/* Elements that see no more than an even area err alike. Further on errors are neither alike nor independent, as correlations
 * between channels hold longer than between pixels: found near the geometric mean of both. */
static double of_value(const gain *g, const npu_moments *m, double field, double least)
{
	double fine = 0, flat = 0;
	for (int i = 0; i < g->n; i++) {
		double size = fmax(g->n == 1 ? square(m) : square_at(m, i), least);
		fine += g->fine[i] * size;
		flat += g->flat[i] * size;
	}
	double even = field > 0 ? fmin(1, pow(EVEN / field, 4)) : 0;
	return STEP * STEP * fmax(sqrt(fine * flat), even * flat);
}

static double most_of(const tarn_node *n, const char *name)
{
	int i = tarn_attr_index(n->op, name);
	double most = 1;
	for (int k = 0; i >= 0 && n->attr[i].set && k < (int)n->attr[i].ints.n; k++)
		most = fmax(most, (double)n->attr[i].ints.at[k]);
	return most;
}

/* How much of a picture the elements of each value see, and how far apart their windows are. */
static tarn_err find_fields(const tarn_graph *g, tarn_arena *a, double **field)
{
	double *f = *field = tarn_arena_zalloc(a, (g->value.len + 1) * 2, sizeof *f), *apart = f + g->value.len;
	if (!f)
		return tarn_err_nomem(g->value.len * 2 * sizeof *f);
	for (size_t i = 0; i < g->input.len; i++)
		f[g->input.at[i]->id] = apart[g->input.at[i]->id] = g->input.at[i]->shape.rank == 4;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		double see = 0, step = 0, kernel = most_of(n, "kernel_shape");
		for (int k = 0; k < n->n_in; k++)
			if (n->in[k] && f[n->in[k]->id] > see) {
				see = f[n->in[k]->id];
				step = apart[n->in[k]->id];
			}
		if (tarn_npu_is(n, "Conv") && n->in[1]->shape.rank == 4)
			kernel = fmax((double)n->in[1]->shape.dim[2], (double)n->in[1]->shape.dim[3]);
		for (int k = 0; k < n->n_out && see > 0; k++)
			if (n->out[k]) {
				f[n->out[k]->id] = see + (kernel - 1) * step;
				apart[n->out[k]->id] = step * most_of(n, "strides");
			}
	}
	return TARN_OK;
}

/* The results of layers that make new numbers and store them as FP16, and what comes in. */
static tarn_err find_rounded(const tarn_graph *g, const npu_layers *layers, tarn_arena *a, bool **rounded)
{
	bool *r = *rounded = tarn_arena_zalloc(a, g->value.len + 1, sizeof *r);
	if (!r)
		return tarn_err_nomem(g->value.len);
	for (size_t i = 0; i < g->input.len; i++)
		r[g->input.at[i]->id] = true;
	for (int i = 0; i < layers->n; i++) {
		const npu_layer *l = &layers->at[i];
		npu_kind k;
		if (l->fp32 || l->engine == NPU_DMA || (tarn_npu_kind_of(l->main, &k) && k == NPU_MOVED))
			continue;
		for (int o = 0; o < l->main->n_out; o++)
			if (l->main->out[o])
				r[tarn_npu_layer_out(l, o)->id] = true;
	}
	return TARN_OK;
}

/* Roundings on the way add up to so much at least, whatever becomes of each. */
static double scale_up(sweep *s, const tarn_graph *g, const end *e)
{
	const npu_moments *m = &s->of[e->at->id];
	double sum = 0, least = STEP * STEP * m->roundings * square(m) / e->size;
	for (size_t i = 0; i < g->value.len; i++)
		sum += s->part[i];
	for (size_t i = 0; i < g->value.len && sum > 0 && sum < least; i++)
		s->part[i] *= least / sum;
	return sum > 0 ? fmax(sum, least) : 0;
}

static tarn_err judge(sweep *s, const tarn_graph *g, const bool *rounded, const tarn_value *out, double *spread, double *worst)
{
	end e;
	s->gain = tarn_arena_zalloc(s->arena, g->value.len + 1, sizeof *s->gain);
	s->part = tarn_arena_zalloc(s->arena, g->value.len + 1, sizeof *s->part);
	if (!s->gain || !s->part)
		return tarn_err_nomem(g->value.len * sizeof *s->gain);
	*spread = *worst = 0;
	TRY(begin(s, out, &e));
	if (!e.at)
		return TARN_OK;
	for (size_t i = g->node.len; i-- > 0;)
		TRY(step_back(s, g->node.at[i]));
	for (size_t i = 0; i < g->value.len; i++)
		if (rounded[i] && s->gain[i].there)
			s->part[i] = of_value(&s->gain[i], &s->of[i], s->field[i], g->value.at[i] == e.at ? e.least : 0);
	*spread = e.spread;
	*worst = e.spread * sqrt(scale_up(s, g, &e));
	return TARN_OK;
}

tarn_err tarn_npu_noise(const tarn_graph *g, const npu_layers *layers, tarn_arena *a, npu_noise *noise)
{
	sweep s = {.arena = a};
	npu_moments *of;
	bool *exact, *rounded;
	*noise = (npu_noise){0};
	TRY(tarn_npu_moments(g, a, &of));
	TRY(tarn_npu_find_exact(g, a, &exact));
	TRY(find_rounded(g, layers, a, &rounded));
	TRY(find_fields(g, a, &s.field));
	noise->moments = s.of = of;
	s.exact = exact;
	for (size_t i = 0; i < g->output.len && i < NPU_JUDGED; i++) {
		TRY(judge(&s, g, rounded, g->output.at[i], &noise->spread[noise->n], &noise->worst[noise->n]));
		noise->of[noise->n++] = s.part;
	}
	return TARN_OK;
}
