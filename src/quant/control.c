/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/control.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ir/op.h"
#include "pass/pass.h"
#include "quant/drop.h"
#include "quant/run.h"

enum {
	RANKED_ON = 16,    /* samples that layers are ranked on */
	COMPARED_ON = 100, /* samples of output mode */
};
#define KEPT_BYTES ((size_t)256 << 20) /* of the float model's outputs */
#define STEP_COST 0.1                  /* what leaving INT8 and coming back costs beside the layer's share of the work */
#define BY_SCORE_TIE 1e-3              /* layers of equal score are told apart by their outputs */
#define CULPRIT_LEAVES 0.1             /* of the outputs' error, at most */

/* What one model does on some samples. */
typedef struct measure {
	double score; /* mean; NAN without a score */
	double error; /* squared error of the outputs over their power, mean over the outputs */
} measure;

typedef struct candidate {
	int node;
	double error, gain; /* of the outputs, that remains when it is restored; what is taken away, for its cost */
	bool culprit;       /* hardly any remains: the model's error is this layer's */
} candidate;

typedef struct controller {
	quant_plan *p;
	const tarn_quant_options *o;
	const tarn_quant_control *c;
	tarn_quant_report *r;
	tarn_arena arena;
	size_t n, n_out;
	size_t *sample;                 /* n of them: those that count */
	tarn_tensor *want;              /* by position x output: the float model's, type NONE where not kept */
	size_t kept;                    /* bytes */
	double *fscore, *score, *error; /* by position: of the float model, of the last full measurement */
	const tarn_model *plain_model;
	measure plain; /* of the float model */
	bool **set;    /* by step: the nodes kept float */
	double *share; /* by node: of the multiply-accumulates */
} controller;

/* ---- measuring ---- */

/* A model at work on chosen positions. */
typedef struct pass {
	controller *k;
	const size_t *at; /* positions */
	bool plain;       /* the float model: its outputs are what others are compared with */
	double score, *noise, *power;
} pass;

static tarn_err sample_at(void *ctx, size_t i, tarn_tensor *in)
{
	const pass *x = ctx;
	return x->k->o->sample(x->k->o->ctx, x->k->sample[x->at[i]], in);
}

static void progress_of(void *ctx, const char *what, size_t done, size_t total)
{
	const pass *x = ctx;
	x->k->o->progress(x->k->o->ctx, what, done, total);
}

static bool stop_of(void *ctx)
{
	const pass *x = ctx;
	return x->k->o->stop(x->k->o->ctx);
}

static tarn_err keep(controller *k, size_t at, const tarn_request *r)
{
	size_t bytes = 0;
	for (size_t i = 0; i < k->n_out; i++)
		bytes += tarn_tensor_bytes(&r->out[i]);
	if (k->kept + bytes > KEPT_BYTES)
		return TARN_OK;
	k->kept += bytes;
	for (size_t i = 0; i < k->n_out; i++)
		TRY(tarn_tensor_copy(&r->out[i], &k->want[at * k->n_out + i]));
	return TARN_OK;
}

/* Adds sample `at` to the sums; its own error is noted. */
static tarn_err compare(pass *x, size_t at, const tarn_request *r)
{
	controller *k = x->k;
	double mean = 0;
	for (size_t i = 0; i < k->n_out; i++) {
		const tarn_tensor *a = &k->want[at * k->n_out + i], *b = &r->out[i];
		if (a->type == TARN_DTYPE_NONE || !tarn_dtype_is_float(a->type))
			continue;
		double noise = 0, power = 0;
		CHECK(tarn_tensor_count(a) == tarn_tensor_count(b), TARN_INTERNAL, "output %zu changed its size", i);
		for (int64_t e = 0, count = tarn_tensor_count(a); e < count; e++) {
			double v = tarn_tensor_f64(a, e), d = v - tarn_tensor_f64(b, e);
			power += v * v;
			noise += isfinite(d) ? d * d : v * v;
		}
		x->noise[i] += noise;
		x->power[i] += power;
		mean += (power > 0 ? noise / power : noise > 0) / (double)k->n_out;
	}
	k->error[at] = mean;
	return TARN_OK;
}

static tarn_err see(void *ctx, size_t i, tarn_request *r)
{
	pass *x = ctx;
	controller *k = x->k;
	size_t at = x->at[i];
	if (k->c->score) {
		double score;
		TRY(k->c->score(k->c->ctx, k->sample[at], r->out, r->n_out, &score));
		(x->plain ? k->fscore : k->score)[at] = score;
		x->score += score;
	}
	return x->plain ? keep(k, at, r) : compare(x, at, r);
}

/* Runs m on n positions. */
static tarn_err measure_on(controller *k, const tarn_model *m, const size_t *at, size_t n, const char *what, measure *out)
{
	pass x = {.k = k, .at = at, .plain = m == k->plain_model};
	tarn_quant_options o = *k->o;
	o.sample = sample_at;
	o.progress = o.progress ? progress_of : NULL;
	o.stop = o.stop ? stop_of : NULL;
	o.ctx = &x;
	x.noise = tarn_mem_zalloc(2 * k->n_out + 1, sizeof *x.noise);
	if (!x.noise)
		return tarn_err_nomem(2 * k->n_out * sizeof *x.noise);
	x.power = x.noise + k->n_out;
	tarn_err err = tarn_quant_run(m, NULL, 0, &o, (quant_slice){0, 1, n}, what, see, &x);
	int outputs = 0;
	*out = (measure){.score = k->c->score && n ? x.score / (double)n : NAN};
	for (size_t i = 0; i < k->n_out; i++)
		if (x.power[i] > 0) {
			out->error += x.noise[i] / x.power[i];
			outputs++;
		}
	out->error /= outputs ? outputs : 1;
	tarn_mem_free(x.noise);
	k->r->control.evaluations++;
	return err;
}

static double drop_of(const controller *k, const measure *m)
{
	return 100 * (k->c->score ? k->plain.score - m->score : m->error);
}

/* ---- steps ---- */

static int64_t bytes_of(const tarn_model *m)
{
	int64_t sum = 0;
	for (size_t g = 0; g < m->graph.len; g++)
		for (size_t i = 0; i < m->graph.at[g]->node.len; i++) {
			const tarn_node *n = m->graph.at[g]->node.at[i];
			for (int k = 0; k < n->n_in; k++)
				if (n->in[k] && n->in[k]->konst)
					sum += (int64_t)tarn_tensor_bytes(n->in[k]->konst);
		}
	return sum;
}

/* Places what keep_float says, and writes it. */
static tarn_err write(controller *k, tarn_model **q)
{
	TRY(tarn_quant_place(k->p, k->o, k->r));
	TRY(tarn_quant_write(k->p, q));
	tarn_err err = k->c->trained ? tarn_quant_take_trained(k->c->trained, *q) : TARN_OK;
	if (err != TARN_OK)
		tarn_model_unref(*q);
	return err;
}

/* Its modelled time at the sizes of the first sample. */
static tarn_estimate price_of(controller *k, const tarn_model *q)
{
	tarn_estimate e = {.ms = NAN};
	tarn_model *copy = NULL;
	const tarn_graph *sized = k->p->sized ? k->p->sized->main : NULL;
	tarn_shape *shape = sized ? tarn_mem_zalloc(sized->input.len + 1, sizeof *shape) : NULL;
	for (size_t i = 0; shape && i < sized->input.len; i++)
		shape[i] = sized->input.at[i]->shape;
	if (!k->c->price || !shape || tarn_model_clone(q, &copy) != TARN_OK ||
	    tarn_model_reshape(copy, shape, (int)sized->input.len) != TARN_OK || k->c->price(k->c->ctx, copy, &e) != TARN_OK)
		e = (tarn_estimate){.ms = NAN};
	tarn_mem_free(shape);
	tarn_model_unref(copy);
	return e;
}

/* Remembers a measured model. */
static tarn_err note(controller *k, const tarn_quant_step *like, const measure *m, const tarn_model *q)
{
	tarn_quant_controlled *c = &k->r->control;
	size_t nodes = k->p->m->main->node.len;
	TRY(VEC_GROW(&c->step));
	tarn_quant_step *s = &c->step.at[c->step.len];
	*s = *like;
	s->score = m->score;
	s->drop = like->what == TARN_QUANT_STEP_FLOAT ? 0 : drop_of(k, m);
	s->error = m->error;
	s->drop_low = s->drop_high = NAN;
	if (k->c->score && like->what != TARN_QUANT_STEP_FLOAT) {
		quant_drop d = tarn_quant_drop(k->fscore, k->score, k->n);
		s->drop_low = d.low;
		s->drop_high = d.high;
	}
	s->mac_share_int8 = like->what == TARN_QUANT_STEP_FLOAT ? 0 : k->r->mac_share_int8;
	s->bytes = bytes_of(q);
	s->cost = price_of(k, q);
	k->set[c->step.len] = tarn_arena_memdup(&k->arena, k->p->keep_float, nodes + 1);
	if (!k->set[c->step.len])
		return tarn_err_nomem(nodes);
	c->step.len++;
	return TARN_OK;
}

/* The model that keep_float says, on all samples. *met: it is within the limit. */
static tarn_err try_step(controller *k, const tarn_quant_step *like, const size_t *all, bool *met)
{
	tarn_model *q = NULL;
	measure m;
	tarn_err err;
	TRY_GOTO(out, write(k, &q));
	TRY_GOTO(out, measure_on(k, q, all, k->n, "measuring what is lost", &m));
	TRY_GOTO(out, note(k, like, &m, q));
	*met = drop_of(k, &m) <= k->c->max_drop;
out:
	tarn_model_unref(q);
	return err;
}

static tarn_quant_step step_of(controller *k, int node, bool back)
{
	const tarn_node *n = k->p->m->main->node.at[node];
	return (tarn_quant_step){.what = back ? TARN_QUANT_STEP_RETURN : TARN_QUANT_STEP_RESTORE,
				 .node = tarn_arena_strdup(&k->r->arena, n->name),
				 .op = n->op->name};
}

static double last_drop(const controller *k)
{
	return k->r->control.step.at[k->r->control.step.len - 1].drop;
}

/* ---- ranking ---- */

/* Positions by how much quantization hurt them, the most first. */
static tarn_err worst_samples(controller *k, size_t *at)
{
	double *key = tarn_arena_zalloc(&k->arena, k->n + 1, sizeof *key);
	if (!key)
		return tarn_err_nomem(k->n * sizeof *key);
	for (size_t i = 0; i < k->n; i++) {
		bool kept = k->n_out && k->want[i * k->n_out].type != TARN_DTYPE_NONE;
		key[i] = (k->c->score ? 1e3 * (k->fscore[i] - k->score[i]) : 0) + fmin(k->error[i], 100) - (kept ? 0 : 1e9);
		size_t j = i;
		for (; j && key[at[j - 1]] < key[i]; j--)
			at[j] = at[j - 1];
		at[j] = i;
	}
	return TARN_OK;
}

/* Lower is better; in percent of the score with a score, else of the outputs' power. */
static double remaining(const controller *k, const measure *m, double fscore)
{
	return k->c->score ? fscore - m->score + BY_SCORE_TIE * fmin(m->error, 1) : m->error;
}

/* What made nearly all of the error comes before what is cheap and makes up for some of it. */
static int by_gain(const void *a, const void *b)
{
	const candidate *x = a, *y = b;
	if (x->culprit != y->culprit)
		return y->culprit - x->culprit;
	if (x->culprit && x->error != y->error)
		return x->error < y->error ? -1 : 1;
	return x->gain < y->gain ? 1 : x->gain > y->gain ? -1 : x->node - y->node;
}

/* Each layer that runs in INT8, restored alone. */
static tarn_err rank(controller *k, candidate *list, int *n)
{
	const tarn_graph *g = k->p->m->main;
	size_t few = k->n < RANKED_ON ? k->n : RANKED_ON, *at = tarn_arena_zalloc(&k->arena, k->n + 1, sizeof *at);
	bool *now = tarn_arena_memdup(&k->arena, k->p->int8, g->node.len + 1);
	tarn_model *q;
	measure m;
	double fscore = 0;
	if (!at || !now)
		return tarn_err_nomem(k->n * sizeof *at);
	TRY(worst_samples(k, at));
	for (size_t i = 0; i < few; i++)
		fscore += k->fscore[at[i]] / (double)few;
	TRY(write(k, &q));
	tarn_err err = measure_on(k, q, at, few, "ranking layers", &m);
	tarn_model_unref(q);
	TRY(err);
	double before = remaining(k, &m, fscore), error = m.error;
	*n = 0;
	for (size_t i = 0; i < g->node.len; i++) {
		if (!now[i])
			continue;
		k->p->keep_float[i] = true;
		err = write(k, &q);
		if (err == TARN_OK) {
			err = measure_on(k, q, at, few, "ranking layers", &m);
			tarn_model_unref(q);
		}
		k->p->keep_float[i] = false;
		TRY(err);
		candidate *x = &list[(*n)++];
		*x = (candidate){.node = (int)i, .error = m.error};
		double less = before - remaining(k, &m, fscore);
		x->gain = less / (k->share[i] + STEP_COST);
		x->culprit = less > (k->c->score ? BY_SCORE_TIE : 0) && m.error <= CULPRIT_LEAVES * error;
	}
	qsort(list, (size_t)*n, sizeof *list, by_gain);
	return TARN_OK;
}

/* ---- the search ---- */

/* Layers in order of their rank until the limit holds; `undo`: those that do not help on top of the others go back. The last
 * one in INT8 stays: with all of them restored it is the float model. */
static tarn_err restore(controller *k, const candidate *list, int n, bool undo, const size_t *all, int *taken, int *n_taken,
			bool *met)
{
	double before = k->r->control.step.at[1].drop;
	for (int i = 0; i < n && *n_taken < n - 1 && !*met; i++) {
		if (k->p->keep_float[list[i].node])
			continue;
		tarn_quant_step s = step_of(k, list[i].node, false);
		k->p->keep_float[list[i].node] = true;
		TRY(try_step(k, &s, all, met));
		if (undo && !*met && last_drop(k) > before) {
			k->p->keep_float[list[i].node] = false;
			continue;
		}
		before = last_drop(k);
		taken[(*n_taken)++] = list[i].node;
	}
	return TARN_OK;
}

/* The limit holds: which of them were not needed? The last one was. */
static tarn_err give_back(controller *k, const size_t *all, const int *taken, int n_taken)
{
	for (int i = n_taken - 2; i >= 0; i--) {
		bool met;
		tarn_quant_step s = step_of(k, taken[i], true);
		k->p->keep_float[taken[i]] = false;
		TRY(try_step(k, &s, all, &met));
		if (!met)
			k->p->keep_float[taken[i]] = true;
	}
	return TARN_OK;
}

static bool dominates(const tarn_quant_step *a, const tarn_quant_step *b)
{
	bool timed = isfinite(a->cost.ms) && isfinite(b->cost.ms);
	bool no_worse = a->drop <= b->drop && a->bytes <= b->bytes && (!timed || a->cost.ms <= b->cost.ms);
	return no_worse && (a->drop < b->drop || a->bytes < b->bytes || (timed && a->cost.ms < b->cost.ms));
}

/* The fewest bytes within the limit, else the least loss; the float model is no answer. */
static size_t choose(controller *k)
{
	tarn_quant_controlled *c = &k->r->control;
	size_t best = 1;
	for (size_t i = 0; i < c->step.len; i++) {
		tarn_quant_step *s = &c->step.at[i];
		s->pareto = true;
		for (size_t j = 0; j < c->step.len; j++)
			s->pareto &= !dominates(&c->step.at[j], s);
		const tarn_quant_step *b = &c->step.at[best];
		bool within = s->drop <= k->c->max_drop;
		c->met |= i && within;
		if (i && (within ? b->drop > k->c->max_drop || s->mac_share_int8 > b->mac_share_int8 : s->drop < b->drop))
			best = i;
	}
	c->step.at[best].chosen = true;
	return best;
}

static tarn_err search(controller *k, tarn_model **out)
{
	size_t nodes = k->p->m->main->node.len, *all = tarn_arena_zalloc(&k->arena, k->n + 1, sizeof *all);
	candidate *list = tarn_arena_zalloc(&k->arena, nodes + 1, sizeof *list);
	int *taken = tarn_arena_zalloc(&k->arena, nodes + 1, sizeof *taken), n = 0, n_taken = 0;
	bool met = false;
	if (!all || !list || !taken)
		return tarn_err_nomem(nodes * sizeof *list);
	for (size_t i = 0; i < k->n; i++)
		all[i] = i;
	TRY(measure_on(k, k->plain_model, all, k->n, "running the float model", &k->plain));
	TRY(note(k, &(tarn_quant_step){.what = TARN_QUANT_STEP_FLOAT}, &k->plain, k->plain_model));
	TRY(try_step(k, &(tarn_quant_step){.what = TARN_QUANT_STEP_INT8}, all, &met));
	if (!met) {
		TRY(rank(k, list, &n));
		TRY(restore(k, list, n, true, all, taken, &n_taken, &met));
		TRY(restore(k, list, n, false, all, taken, &n_taken, &met));
		if (met)
			TRY(give_back(k, all, taken, n_taken));
	}
	memcpy(k->p->keep_float, k->set[choose(k)], nodes);
	return write(k, out);
}

/* Shares of the work, samples that count, room for what is measured. */
static tarn_err init(controller *k)
{
	const tarn_graph *g = k->p->sized ? k->p->sized->main : k->p->m->main;
	size_t nodes = g->node.len, most = k->c->score ? k->o->n_sample : COMPARED_ON;
	quant_slice s = tarn_quant_slice(k->o, most, 0);
	double sum = 0;
	k->n = s.n;
	k->n_out = g->output.len;
	k->sample = tarn_arena_zalloc(&k->arena, k->n + 1, sizeof *k->sample);
	k->want = tarn_arena_zalloc(&k->arena, k->n * k->n_out + 1, sizeof *k->want);
	k->fscore = tarn_arena_zalloc(&k->arena, 3 * k->n + 1, sizeof *k->fscore);
	k->share = tarn_arena_zalloc(&k->arena, nodes + 1, sizeof *k->share);
	/* float, INT8, each layer restored, twice perhaps, each returned */
	k->set = tarn_arena_zalloc(&k->arena, 3 * nodes + 4, sizeof *k->set);
	if (!k->sample || !k->want || !k->fscore || !k->share || !k->set)
		return tarn_err_nomem(k->n * sizeof *k->want);
	k->score = k->fscore + k->n;
	k->error = k->score + k->n;
	for (size_t i = 0; i < k->n; i++)
		k->sample[i] = s.first + i * s.step;
	for (int shares = 0; shares < 2; shares++)
		for (size_t i = 0; i < nodes; i++) {
			tarn_cost c = {0};
			const tarn_node *n = g->node.at[i];
			bool known = n->op->cost && n->op->cost(n, &c) == TARN_OK;
			if (shares)
				k->share[i] = known && sum > 0 ? (double)c.macs / sum : 0;
			else
				sum += known ? (double)c.macs : 0;
		}
	return TARN_OK;
}

tarn_err tarn_quant_control_run(quant_plan *p, const tarn_model *plain, const tarn_quant_options *o,
				const tarn_quant_control *c, tarn_quant_report *r, tarn_model **out)
{
	controller k = {.p = p, .plain_model = plain, .o = c->on ? c->on : o, .c = c, .r = r};
	tarn_err err = init(&k);
	CHECK_GOTO(out, err != TARN_OK || (c->max_drop >= 0 && isfinite(c->max_drop)), TARN_USAGE,
		   "a limit of %g points; give 0 or more", c->max_drop);
	if (err == TARN_OK)
		err = search(&k, out);
out:
	for (size_t i = 0; k.want && i < k.n * k.n_out; i++)
		tarn_tensor_fini(&k.want[i]);
	tarn_arena_fini(&k.arena);
	return err;
}
