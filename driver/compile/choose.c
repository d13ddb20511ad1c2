/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which values and weights get the wide form: the fewest that bring the error of each output (trial.c, noise.c) below a bound,
 * those first that take most of it away for the time they cost. Values that a move connects are wide together: it copies bytes.
 */
#include <math.h>
#include <stdlib.h>

#include "driver/compile/noise.h"
#include "ir/op.h"

/* When so much of the price of all is to be paid, all are wide. */
#define NEARLY_ALL 0.8
/* What costs less is not given back: it may as well be exact. */
#define FREE_US 0.5
/* So many choices are tried out. */
#define STRICTER 0.7
enum { TRIES = 10 };

/* One value, or several that moves connect. */
typedef struct choice {
	int root;
	double us, worth; /* what it costs; the part of the errors above the bound that it takes away */
} choice;

typedef struct chooser {
	const tarn_arch *arch;
	const tarn_graph *g;
	npu_layers layers; /* pair is tried out in it */
	const npu_noise *noise;
	int tiles;
	int *root;              /* by value id */
	int *first, *next;      /* values of a root; -1: the last */
	int *at, *touch;        /* layers that read or write a value: touch[at[id]] to touch[at[id + 1]] */
	double *us;             /* of each layer as it is */
	double *part;           /* [output][root] */
	double sum[NPU_JUDGED]; /* of what is left */
	double limit[NPU_JUDGED];
	choice *list;
	int n;
} chooser;

static int root_of(const chooser *c, uint32_t id)
{
	int r = (int)id;
	while (c->root[r] != r)
		r = c->root[r];
	return r;
}

static bool copies(const npu_layer *l)
{
	static const char *const also[] = {"MaxPool", "GlobalMaxPool", "Gather", "Where"};
	for (size_t i = 0; i < sizeof also / sizeof *also; i++)
		if (tarn_npu_is(l->main, also[i]))
			return true;
	return l->engine == NPU_DMA;
}

static bool is_float(const tarn_value *v)
{
	return v && v->type == TARN_F32;
}

static void tie(chooser *c)
{
	for (size_t i = 0; i < c->g->value.len; i++)
		c->root[i] = (int)i;
	for (int i = 0; i < c->layers.n; i++) {
		const npu_layer *l = &c->layers.at[i];
		const tarn_value *y = tarn_npu_layer_out(l, 0);
		if (!copies(l) || !is_float(y))
			continue;
		for (int k = 0; k < l->main->n_in; k++)
			if (is_float(l->main->in[k]) && !l->main->in[k]->konst)
				c->root[root_of(c, l->main->in[k]->id)] = root_of(c, y->id);
		for (int k = 1; k < l->main->n_out; k++)
			if (is_float(l->main->out[k]))
				c->root[root_of(c, l->main->out[k]->id)] = root_of(c, y->id);
	}
	for (size_t i = 0; i < c->g->value.len; i++)
		c->first[i] = -1;
	for (size_t i = 0; i < c->g->value.len; i++) {
		int r = root_of(c, (uint32_t)i);
		c->next[i] = c->first[r];
		c->first[r] = (int)i;
	}
}

/* Calls for every value that a layer reads or writes. */
static void each_touched(const npu_layer *l, void (*fn)(chooser *c, uint32_t id, int layer), chooser *c, int layer)
{
	for (int k = 0; k < l->main->n_in; k++)
		if (l->main->in[k])
			fn(c, l->main->in[k]->id, layer);
	for (int k = 0; k < l->main->n_out; k++)
		if (l->main->out[k])
			fn(c, tarn_npu_layer_out(l, k)->id, layer);
}

static void count_touch(chooser *c, uint32_t id, int layer)
{
	(void)layer;
	c->at[id + 1]++;
}

static void put_touch(chooser *c, uint32_t id, int layer)
{
	c->touch[c->at[id]++] = layer;
}

static tarn_err find_touched(chooser *c, tarn_arena *a)
{
	size_t n = c->g->value.len;
	for (int i = 0; i < c->layers.n; i++)
		each_touched(&c->layers.at[i], count_touch, c, i);
	for (size_t i = 0; i < n; i++)
		c->at[i + 1] += c->at[i];
	c->touch = tarn_arena_zalloc(a, (size_t)c->at[n] + 1, sizeof *c->touch);
	if (!c->touch)
		return tarn_err_nomem((size_t)c->at[n] * sizeof *c->touch);
	for (int i = 0; i < c->layers.n; i++)
		each_touched(&c->layers.at[i], put_touch, c, i);
	for (size_t i = n; i > 0; i--) /* filling moved each to the beginning of the next */
		c->at[i] = c->at[i - 1];
	c->at[0] = 0;
	return TARN_OK;
}

static void set_pairs(chooser *c, int root, bool pair)
{
	for (int v = c->first[root]; v >= 0; v = c->next[v])
		c->layers.pair[v] = pair && is_float(c->g->value.at[v]);
}

/* What the layers around take longer when these values alone are wide. */
static tarn_err cost_of(chooser *c, int root, double *us)
{
	*us = 0;
	int last = -1;
	set_pairs(c, root, true);
	for (int v = c->first[root]; v >= 0; v = c->next[v])
		for (int k = c->at[v]; k < c->at[v + 1]; k++) {
			if (c->touch[k] == last)
				continue;
			npu_layer l = c->layers.at[last = c->touch[k]];
			double t;
			tarn_npu_mark_pairs(&c->layers, &l);
			TRY(tarn_npu_layer_us(c->arch, &l, c->tiles, &t));
			*us += t - c->us[last];
		}
	set_pairs(c, root, false);
	return TARN_OK;
}

static bool over(const chooser *c)
{
	for (int o = 0; o < c->noise->n; o++)
		if (c->sum[o] > c->limit[o])
			return true;
	return false;
}

static double part(const chooser *c, int output, int root)
{
	return c->part[(size_t)output * c->g->value.len + (size_t)root];
}

static int by_worth(const void *x, const void *y)
{
	const choice *a = x, *b = y;
	double p = a->worth / a->us, q = b->worth / b->us;
	return p > q ? -1 : p < q ? 1 : a->root - b->root;
}

static tarn_err list_choices(chooser *c, tarn_arena *a)
{
	size_t n = c->g->value.len;
	c->list = tarn_arena_zalloc(a, n + 1, sizeof *c->list);
	if (!c->list)
		return tarn_err_nomem(n * sizeof *c->list);
	for (size_t r = 0; r < n; r++) {
		choice *k = &c->list[c->n];
		*k = (choice){.root = (int)r};
		for (int o = 0; o < c->noise->n; o++)
			if (c->sum[o] > c->limit[o])
				k->worth += part(c, o, (int)r) / c->sum[o];
		if (k->worth < 1e-6)
			continue;
		TRY(cost_of(c, (int)r, &k->us));
		k->us = fmax(k->us, 1e-3);
		c->n++;
	}
	qsort(c->list, (size_t)c->n, sizeof *c->list, by_worth);
	return TARN_OK;
}

static void take(chooser *c, const choice *k)
{
	set_pairs(c, k->root, true);
	for (int o = 0; o < c->noise->n; o++)
		c->sum[o] -= part(c, o, k->root);
}

static bool helps(const chooser *c, const choice *k)
{
	for (int o = 0; o < c->noise->n; o++)
		if (c->sum[o] > c->limit[o] && part(c, o, k->root) > 0)
			return true;
	return false;
}

static tarn_err prepare(chooser *c, double bound, tarn_arena *a)
{
	size_t n = c->g->value.len;
	c->root = tarn_arena_zalloc(a, n + 1, sizeof *c->root);
	c->first = tarn_arena_zalloc(a, n + 1, sizeof *c->first);
	c->next = tarn_arena_zalloc(a, n + 1, sizeof *c->next);
	c->at = tarn_arena_zalloc(a, n + 2, sizeof *c->at);
	c->us = tarn_arena_zalloc(a, (size_t)c->layers.n + 1, sizeof *c->us);
	c->part = tarn_arena_zalloc(a, n * (size_t)c->noise->n + 1, sizeof *c->part);
	c->layers.pair = tarn_arena_zalloc(a, n + 1, sizeof *c->layers.pair);
	c->layers.n_pair = n;
	if (!c->root || !c->first || !c->next || !c->at || !c->us || !c->part || !c->layers.pair)
		return tarn_err_nomem(n * sizeof *c->part);
	tie(c);
	TRY(find_touched(c, a));
	for (int i = 0; i < c->layers.n; i++)
		TRY(tarn_npu_layer_us(c->arch, &c->layers.at[i], c->tiles, &c->us[i]));
	for (int o = 0; o < c->noise->n; o++) {
		double s = c->noise->spread[o];
		c->limit[o] = s > 0 ? bound * bound / (s * s) : INFINITY;
		for (size_t v = 0; v < n; v++) {
			c->part[(size_t)o * n + (size_t)root_of(c, (uint32_t)v)] += c->noise->of[o][v];
			c->sum[o] += c->noise->of[o][v];
		}
	}
	return TARN_OK;
}

/* Without trials: as many as the expectation needs. */
static bool *choose_expected(chooser *c)
{
	double price = 0, paid = 0;
	for (int i = 0; i < c->n; i++)
		price += c->list[i].us;
	for (int i = 0; i < c->n && over(c); i++)
		if (helps(c, &c->list[i])) {
			take(c, &c->list[i]);
			paid += c->list[i].us;
		}
	/* An expectation is not worth the little that is left out. */
	return paid > NEARLY_ALL * price ? NULL : c->layers.pair;
}

static tarn_err enough(chooser *c, npu_trial *trial, double bound, bool *is)
{
	double worst[NPU_JUDGED];
	TRY(tarn_npu_trial_run(trial, c->layers.pair, worst));
	*is = true;
	for (int i = 0; i < tarn_npu_trial_outputs(trial); i++)
		*is &= worst[i] <= bound;
	return TARN_OK;
}

/* What turned out not to be needed, the costliest first. */
static void give_back(chooser *c)
{
	for (;;) {
		const choice *best = NULL;
		for (int i = 0; i < c->n; i++) {
			const choice *k = &c->list[i];
			bool spare = c->layers.pair[c->first[k->root]];
			for (int o = 0; o < c->noise->n; o++)
				spare &= c->sum[o] + part(c, o, k->root) <= c->limit[o];
			if (spare && (!best || k->us > best->us))
				best = k;
		}
		if (!best || best->us <= FREE_US)
			return;
		set_pairs(c, best->root, false);
		for (int o = 0; o < c->noise->n; o++)
			c->sum[o] += part(c, o, best->root);
	}
}

/* Parts as trials found them add up, but not quite: more is taken until a trial says that it is enough. */
static tarn_err choose_tried(chooser *c, npu_trial *trial, double bound, bool **pair)
{
	bool is = false;
	*pair = NULL;
	for (int i = 0; i < TRIES && !is; i++) {
		int more = 0;
		for (int k = 0; k < c->n && over(c); k++)
			if (!c->layers.pair[c->first[c->list[k].root]] && helps(c, &c->list[k])) {
				take(c, &c->list[k]);
				more++;
			}
		if (over(c))
			return TARN_OK;
		give_back(c);
		if (more)
			TRY(enough(c, trial, bound, &is));
		for (int o = 0; o < c->noise->n; o++)
			c->limit[o] *= STRICTER;
	}
	*pair = is ? c->layers.pair : NULL;
	return TARN_OK;
}

tarn_err tarn_npu_choose_pairs(const tarn_arch *arch, const tarn_graph *g, const npu_layers *layers, int tiles,
			       const npu_noise *noise, npu_trial *trial, double bound, tarn_arena *a, bool **pair)
{
	chooser c = {.arch = arch, .g = g, .layers = *layers, .noise = noise, .tiles = tiles};
	TRY(prepare(&c, bound, a));
	TRY(list_choices(&c, a));
	if (trial)
		return choose_tried(&c, trial, bound, pair);
	*pair = choose_expected(&c);
	return TARN_OK;
}
