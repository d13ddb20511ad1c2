/* SPDX-License-Identifier: Apache-2.0 */
/* Choices that no single tensor can tell: made by what comes out of the whole model. */
#include "base/mem.h"
#include "quant/judge.h"

/* A choice stays as it is unless another one gains this much: less is chance on a few samples. */
static const double WORTH_DB = 0.1;
/* Zero points cost the devices something. */
static const double WORTH_ZERO_POINTS_DB = 1;

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
		TRY(try_plan(p, j, WORTH_DB, &better));
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

tarn_err tarn_quant_search(quant_plan *p, const tarn_quant_options *o, quant_judge *j)
{
	bool better;
	TRY(try_plan(p, j, 0, &better));
	if (o->preset == TARN_QUANT_AUTO)
		TRY(search_preset(p, j));
	if (o->estimator == TARN_QUANT_SEARCHED)
		TRY(search_estimator(p, j));
	TRY(tarn_quant_estimate(p));
	return tarn_quant_weights(p);
}
