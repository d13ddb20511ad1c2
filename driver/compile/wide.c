/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wide form: floats of 22 bits on an array of 11. A number is a pair of FP16, the second what the first leaves; a product
 * of pairs is three products of the array, SHAVEs compute in FP32. It costs three times the array's time and twice the bytes,
 * so a model has it when it is asked for (EXECUTION_MODE_HINT) or when FP16 is expected to be too coarse.
 *
 * Too coarse: where an output ends in a sigmoid, what FP16 takes from the values before it is multiplied by a slope of a
 * quarter at those elements that happen to lie there, and among many elements some do. The expectation is slope * step *
 * sqrt(roundings on the way) * rms before the sigmoid * sqrt(2 ln elements) with the last factor the largest of so many normal
 * deviates. The rms is what the weights let expect (moments.c).
 */
#include <math.h>

#include "base/log.h"
#include "driver/compile/moments.h"
#include "ir/op.h"
#include "ops/ops.h"

/* An error of this part of the output's range is too coarse. */
#define COARSE (1.0 / 32)
/* Deviation of one rounding to FP16: a step over sqrt 12, steps between 2^-11 and 2^-10 of the value. */
#define STEP 2e-4
enum { MAX_CONCATS = 4 };

/* ---- the judgement ---- */

/* Of a value that is an output, or goes into one as it is. */
static double expect(const npu_moments *of, const tarn_value *v, int depth)
{
	const tarn_node *n = v->def;
	while (n && (n->op->flags & TARN_OP_VIEW || tarn_npu_is(n, "Transpose") || tarn_npu_is(n, "Identity")))
		n = n->in[0]->def;
	double most = 0;
	for (int i = 0; tarn_npu_is(n, "Concat") && i < n->n_in && depth < MAX_CONCATS; i++)
		most = fmax(most, expect(of, n->in[i], depth + 1));
	if (!tarn_npu_is(n, "Sigmoid") || n->in[0]->konst)
		return most;
	const npu_moments *x = &of[n->in[0]->id];
	int64_t elements;
	if (!x->known || tarn_shape_count(&n->out[0]->shape, &elements) != TARN_OK || elements < 2)
		return most;
	double mean, var;
	tarn_npu_blend(x, &mean, &var);
	return 0.25 * STEP * sqrt(x->roundings) * sqrt(mean * mean + var) * sqrt(2 * log((double)elements));
}

tarn_err tarn_npu_wide_expect(const tarn_graph *g, double *expected)
{
	tarn_arena a = {0};
	npu_moments *of;
	*expected = 0;
	tarn_err err = tarn_npu_moments(g, &a, &of);
	for (size_t i = 0; err == TARN_OK && i < g->output.len; i++)
		*expected = fmax(*expected, expect(of, g->output.at[i], 0));
	tarn_arena_fini(&a);
	return err;
}

/* Codes are coarser than FP16 anyway. */
static bool has_integers(const npu_layers *l)
{
	for (int i = 0; i < l->n; i++)
		if (l->at[i].integer || l->at[i].quant)
			return true;
	return false;
}

static bool ends_steep(const tarn_graph *g)
{
	for (size_t i = 0; i < g->node.len; i++)
		if (tarn_npu_is(g->node.at[i], "Sigmoid"))
			return true;
	return false;
}

tarn_err tarn_npu_plan_make(const tarn_arch *arch, const tarn_graph *g, const tarn_cc_flags *flags, tarn_arena *a,
			    npu_plan *plan)
{
	npu_layers layers;
	double expected = 0;
	int tiles = flags->tiles > 0 && flags->tiles < arch->tiles ? flags->tiles : arch->tiles;
	TRY(tarn_npu_group(g, a, &layers));
	bool codes = has_integers(&layers);
	if (!codes && flags->mode == TARN_CC_AUTO && ends_steep(g))
		TRY(tarn_npu_wide_expect(g, &expected));
	if (!codes && (flags->mode == TARN_CC_ACCURACY || expected > COARSE))
		TRY(tarn_npu_widen(g, &layers, a));
	tarn_err err = tarn_npu_schedule(arch, g, &layers, tiles, a, plan);
	if (expected > COARSE)
		tarn_log(TARN_LOG_WARN,
			 "FP16 is expected to move a sigmoid at the model's end by up to %.0f %% (judged from its weights)%s",
			 100 * fmin(expected, 1),
			 err == TARN_OK ? ": compiled with floats of 22 bits, which takes longer; INFERENCE_PRECISION_HINT=f16 "
					  "compiles FP16"
					: ", but floats of 22 bits do not fit: compiled with FP16");
	if (err == TARN_UNSUPPORTED && flags->mode == TARN_CC_AUTO && layers.wide) {
		TRY(tarn_npu_group(g, a, &layers));
		err = tarn_npu_schedule(arch, g, &layers, tiles, a, plan);
	}
	TRY(err);
	return tarn_npu_suppose(arch, flags->what_if, a, plan);
}
