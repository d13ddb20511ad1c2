/* SPDX-License-Identifier: Apache-2.0 */
/* Choices that no single tensor can tell: made by what comes out of the whole model. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "quant/equalize.h"
#include "quant/judge.h"
#include "quant/repair.h"

/* A choice stays as it is unless another one gains this much: less is chance on a few samples. */
static const double WORTH_DB = 0.1;
/* Channels as large as the others may be larger yet in samples that were not seen; narrower ranges may cut off more of them. */
static const double WORTH_EQUALIZING_DB = 0.5, WORTH_RANGES_DB = 1;
/* Zero points cost the devices something. */
static const double WORTH_ZERO_POINTS_DB = 1;
/* Multiply-accumulates, about a second of them, that adaptive rounding may take unasked. */
static const double ROUNDING_WORK = 3e9;

/* Runs of the model that full bias correction may take unasked. */
enum { CORRECTION_RUNS = 32 };

/* Is the plan, estimated anew, better than the best so far? */
static tarn_err try_plan(quant_plan *p, quant_judge *j, double worth, bool *better)
{
	tarn_model *q = NULL;
	TRY(tarn_quant_estimate(p));
	TRY(tarn_quant_weights(p));
	TRY(tarn_quant_write(p, &q));
	tarn_err err = tarn_quant_judge_better(j, q, worth, better);
	tarn_model_unref(q);
	return err;
}

static tarn_err search_estimator(quant_plan *p, quant_judge *j)
{
	static const tarn_quant_estimator other[] = {TARN_QUANT_MEAN_MIN_MAX, TARN_QUANT_MIN_MAX};
	tarn_quant_estimator chosen = p->estimator;
	for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
		bool better;
		p->estimator = other[i];
		TRY(try_plan(p, j, WORTH_RANGES_DB, &better));
		if (better)
			chosen = other[i];
	}
	p->estimator = chosen;
	return TARN_OK;
}

static tarn_err search_preset(quant_plan *p, quant_judge *j)
{
	bool better;
	if (p->preset == TARN_QUANT_MIXED)
		return TARN_OK;
	p->preset = TARN_QUANT_MIXED;
	TRY(try_plan(p, j, WORTH_ZERO_POINTS_DB, &better));
	if (!better)
		p->preset = TARN_QUANT_PERFORMANCE;
	return TARN_OK;
}

/* A plan for model m, p's own with other constants, with p's choices, observed over the samples of o. */
static tarn_err plan_like(quant_plan *to, const quant_plan *p, const tarn_model *m, const tarn_quant_options *o)
{
	tarn_quant_report scratch = {0};
	tarn_err err = tarn_quant_plan_init(to, m, o);
	TRY_GOTO(out, err);
	to->preset = p->preset;
	to->estimator = p->estimator;
	to->equalized = p->equalized;
	to->strength = p->strength;
	CHECK_GOTO(out, to->m->main->node.len == p->m->main->node.len, TARN_INTERNAL,
		   "other constants changed the model's nodes");
	memcpy(to->keep_float, p->keep_float, p->m->main->node.len);
	TRY_GOTO(out, tarn_quant_place(to, o, &scratch));
	TRY_GOTO(out, tarn_quant_observe(to, o));
out:
	tarn_quant_report_fini(&scratch);
	return err;
}

static tarn_err plan_for(quant_plan *to, const quant_plan *p, quant_equalizer *e, double strength, const tarn_quant_options *o)
{
	tarn_model *m = NULL;
	TRY(tarn_quant_equalize(e, strength, &m));
	tarn_err err = plan_like(to, p, m, o);
	tarn_model_unref(m);
	to->equalized = true;
	to->strength = strength;
	return err;
}

/* The best of them, if it is worth it. The first of the samples stand for all while strengths are tried. */
static tarn_err search_strength(const quant_plan *p, quant_judge *j, quant_equalizer *e, double *strength, bool *better)
{
	static const double tried[] = {NAN, 0.5, 0.75, 0.25};
	tarn_quant_options few = *j->o;
	few.n_sample = j->samples.n;
	for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
		quant_plan trial = {0};
		bool this_one = false;
		tarn_err err = plan_for(&trial, p, e, tried[i], &few);
		if (err == TARN_OK)
			err = try_plan(&trial, j, *better ? 0 : WORTH_EQUALIZING_DB, &this_one);
		tarn_quant_plan_fini(&trial);
		TRY(err);
		if (this_one)
			*strength = tried[i];
		*better |= this_one;
	}
	return TARN_OK;
}

/* Weights that lay on one grid before channels were multiplied with factors lie on one again: what follows starts from the
 * network as it was trained. */
static tarn_err undo_factors(quant_plan *p, const tarn_quant_options *o)
{
	quant_equalizer *e = NULL;
	quant_plan next = {0};
	bool any;
	tarn_err err;
	TRY(tarn_quant_steps_differ(p, &any));
	if (!any)
		return TARN_OK;
	TRY(tarn_quant_equalizer_new(p, o, &e));
	err = TARN_OK;
	if (!tarn_quant_equalizer_can(e))
		goto out;
	TRY_GOTO(out, plan_for(&next, p, e, INFINITY, o));
	next.strength = NAN;
	tarn_quant_plan_fini(p);
	*p = next;
	next = (quant_plan){0};
out:
	tarn_quant_equalizer_free(e);
	tarn_quant_plan_fini(&next);
	return err;
}

/* Replaces the plan by one of the equalized model, when that is better. */
static tarn_err search_equalization(quant_plan *p, quant_judge *j)
{
	quant_equalizer *e = NULL;
	quant_plan next = {0};
	double strength = j->o->strength;
	bool better = j->o->equalize == TARN_QUANT_ON;
	tarn_err err;
	if (j->o->equalize == TARN_QUANT_OFF)
		return TARN_OK;
	TRY(tarn_quant_equalizer_new(p, j->o, &e));
	if (tarn_quant_equalizer_can(e) && j->o->equalize == TARN_QUANT_TRY)
		TRY_GOTO(out, search_strength(p, j, e, &strength, &better));
	if (tarn_quant_equalizer_can(e) && better) {
		TRY_GOTO(out, plan_for(&next, p, e, strength, j->o));
		tarn_quant_plan_fini(p);
		*p = next;
		next = (quant_plan){0};
	}
	err = TARN_OK;
out:
	tarn_quant_equalizer_free(e);
	tarn_quant_plan_fini(&next);
	return err;
}

/* Replaces the plan by one of the aligned model, when that is better. */
static tarn_err search_alignment(quant_plan *p, quant_judge *j)
{
	tarn_model *m = NULL;
	quant_plan next = {0};
	bool better = false;
	tarn_err err = TARN_OK;
	if (j->o->equalize == TARN_QUANT_OFF)
		return TARN_OK;
	TRY(tarn_quant_align(p, j->o, &m));
	if (!m)
		return TARN_OK;
	TRY_GOTO(out, plan_like(&next, p, m, j->o));
	TRY_GOTO(out, try_plan(&next, j, WORTH_DB, &better));
	if (better) {
		next.aligned = true;
		tarn_quant_plan_fini(p);
		*p = next;
		next = (quant_plan){0};
	}
out:
	tarn_model_unref(m);
	tarn_quant_plan_fini(&next);
	return err;
}

/* What the repairs change. */
typedef struct saved_weights {
	tarn_arena arena;
	double **shift;
	int8_t **code;
} saved_weights;

static size_t elements(const quant_plan *p, size_t node)
{
	return (size_t)tarn_tensor_count(p->m->main->node.at[node]->in[1]->konst);
}

static tarn_err save(const quant_plan *p, saved_weights *s)
{
	size_t nodes = p->m->main->node.len;
	s->shift = tarn_arena_zalloc(&s->arena, nodes + 1, sizeof *s->shift);
	s->code = tarn_arena_zalloc(&s->arena, nodes + 1, sizeof *s->code);
	if (!s->shift || !s->code)
		return tarn_err_nomem(nodes * sizeof *s->code);
	for (size_t i = 0; i < nodes; i++) {
		const quant_weight *w = &p->weight[i];
		if (!w->scale)
			continue;
		s->shift[i] = tarn_arena_memdup(&s->arena, w->shift, (size_t)w->channels * sizeof(double));
		s->code[i] = tarn_arena_memdup(&s->arena, w->code, elements(p, i));
		if (!s->shift[i] || !s->code[i])
			return tarn_err_nomem(elements(p, i));
	}
	return TARN_OK;
}

static void restore(quant_plan *p, const saved_weights *s)
{
	for (size_t i = 0; i < p->m->main->node.len; i++)
		if (s->shift[i]) {
			memcpy(p->weight[i].shift, s->shift[i], (size_t)p->weight[i].channels * sizeof(double));
			memcpy(p->weight[i].code, s->code[i], elements(p, i));
		}
}

/* A repair of the weights, kept when asked for or when better. */
static tarn_err try_repair(quant_plan *p, quant_judge *j, bool asked,
			   tarn_err (*repair)(quant_plan *, const tarn_quant_options *), bool *kept)
{
	saved_weights s = {0};
	bool better = true;
	tarn_model *q = NULL;
	tarn_err err;
	TRY_GOTO(out, save(p, &s));
	TRY_GOTO(out, repair(p, j->o));
	TRY_GOTO(out, tarn_quant_write(p, &q));
	TRY_GOTO(out, tarn_quant_judge_better(j, q, WORTH_DB, &better));
	*kept = better || asked;
	if (!*kept)
		restore(p, &s);
out:
	tarn_model_unref(q);
	tarn_arena_fini(&s.arena);
	return err;
}

tarn_err tarn_quant_search(quant_plan *p, const tarn_quant_options *o, quant_judge *j)
{
	bool better;
	if (o->equalize == TARN_QUANT_TRY)
		TRY(undo_factors(p, o));
	TRY(try_plan(p, j, 0, &better));
	TRY(search_equalization(p, j));
	TRY(search_alignment(p, j));
	if (o->preset == TARN_QUANT_AUTO)
		TRY(search_preset(p, j));
	if (o->estimator == TARN_QUANT_SEARCHED)
		TRY(search_estimator(p, j));
	TRY(tarn_quant_estimate(p));
	TRY(tarn_quant_weights(p));
	if (o->round == TARN_QUANT_ON || (o->round == TARN_QUANT_TRY && tarn_quant_rounding_work(p) < ROUNDING_WORK))
		TRY(try_repair(p, j, o->round == TARN_QUANT_ON, tarn_quant_round, &p->rounded));
	if (o->fine != TARN_QUANT_OFF)
		TRY(tarn_quant_search_precise(p, j));
	if (o->fine != TARN_QUANT_OFF)
		TRY(tarn_quant_search_fine(p, j, o->fine == TARN_QUANT_ON));
	/* Biases corrected in order make up for what the layers before do in INT8: not for accuracy control, which takes layers
	 * out of INT8 again. */
	if ((o->bias == TARN_QUANT_BIAS_TRY && !o->control && tarn_quant_correction_runs(p) <= CORRECTION_RUNS) ||
	    o->bias == TARN_QUANT_BIAS_FULL)
		TRY(try_repair(p, j, o->bias == TARN_QUANT_BIAS_FULL, tarn_quant_correct_biases, &p->bias_full));
	return TARN_OK;
}
