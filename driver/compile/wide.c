/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wide form: floats of 22 bits on an array of 11. A number is a pair of FP16, the second what the first leaves; a product
 * of pairs is three products of the array, one of a pair and an FP16 number two; SHAVEs compute in FP32. It costs up to three
 * times the array's time and twice the bytes, so values have it where it is asked for (EXECUTION_MODE_HINT), or those few
 * (choose.c) without which an output is expected to be further off than a bound (noise.c).
 */
#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "driver/compile/noise.h"
#include "driver/compile/trial.h"
#include "ir/op.h"

/* An output may be off by this part of its largest element, of the hundredth that users are promised: as trials find it, which
 * was within a factor of three for any input; as it is expected from weights, which is rougher. */
#define BOUND_TRIED 7e-3
#define BOUND_EXPECTED 4e-3

/* Codes are coarser than FP16 anyway. */
static bool has_integers(const npu_layers *l)
{
	for (int i = 0; i < l->n; i++)
		if (l->at[i].integer || l->at[i].quant)
			return true;
	return false;
}

/* The layer as it is without pairs. */
static npu_layer narrowed(const npu_layers *all, const npu_layer *l)
{
	const npu_layers none = {.at = all->at, .n = all->n};
	npu_layer n = *l;
	tarn_npu_mark_pairs(&none, &n);
	return n;
}

static bool has_pairs(const npu_layers *all, const npu_layer *l)
{
	npu_layer n = narrowed(all, l);
	return n.wide != l->wide || n.wide_out != l->wide_out || n.pairs != l->pairs;
}

void tarn_npu_layer_type(const tarn_arch *arch, const npu_layers *all, const npu_layer *l, int tiles, char *to, size_t room)
{
	const char *op = l->main->op->name;
	npu_layer fp16 = narrowed(all, l);
	double us, was;
	if (has_pairs(all, l) && tarn_npu_layer_us(arch, l, tiles, &us) == TARN_OK &&
	    tarn_npu_layer_us(arch, &fp16, tiles, &was) == TARN_OK)
		snprintf(to, room, "%.20s (22 bits, %+.4f ms)", op, (us - was) / 1e3);
	else
		snprintf(to, room, "%s", op);
}

static void say(const tarn_graph *g, const npu_noise *noise, const npu_layers *l, bool fits)
{
	int worst = 0, n = 0;
	for (int i = 1; i < noise->n; i++)
		worst = noise->worst[i] > noise->worst[worst] ? i : worst;
	for (int i = 0; i < l->n; i++)
		n += has_pairs(l, &l->at[i]);
	tarn_log(TARN_LOG_WARN,
		 "FP16 is expected to move output '%s' by up to %.1f %% (judged from its weights and on made-up inputs)%s",
		 g->output.at[worst]->name, 100 * fmin(noise->worst[worst], 1),
		 fits ? "" : ", but floats of 22 bits do not fit: compiled with FP16");
	if (fits)
		tarn_log(TARN_LOG_WARN,
			 "%d of %d layers compute with floats of 22 bits, which takes longer (each says so in its type); "
			 "EXECUTION_MODE_HINT=PERFORMANCE compiles FP16",
			 n, l->n);
}

/* By trial where the model can be tried out; else as the expectation says. */
static tarn_err judge_fp16(npu_trial *trial, double bound, npu_noise *noise, bool *fine)
{
	if (trial)
		TRY(tarn_npu_trial_run(trial, NULL, noise->worst));
	*fine = true;
	for (int i = 0; i < noise->n; i++) {
		if (trial)
			noise->spread[i] = fmax(noise->spread[i], 1);
		*fine &= noise->worst[i] <= bound;
	}
	return TARN_OK;
}

/* What is expected of the parts, so that they add up to what was found. */
static void scale_parts(const tarn_graph *g, npu_noise *noise)
{
	for (int o = 0; o < noise->n; o++) {
		double sum = 0, all = noise->worst[o] / noise->spread[o];
		for (size_t i = 0; i < g->value.len; i++)
			sum += noise->of[o][i];
		for (size_t i = 0; i < g->value.len && sum > 0; i++)
			noise->of[o][i] *= all * all / sum;
	}
}

/* The layers with these pairs when they are faster than the best so far. */
static tarn_err keep_faster(const tarn_arch *arch, const tarn_graph *g, bool *pair, int tiles, tarn_arena *a, npu_layers *best,
			    uint64_t *best_ns)
{
	npu_layers l;
	npu_plan plan;
	TRY(tarn_npu_group(g, a, &l));
	TRY(tarn_npu_widen(g, &l, pair, a));
	tarn_err err = tarn_npu_schedule(arch, g, &l, tiles, a, &plan);
	uint64_t ns = err == TARN_OK ? plan.time[0].total_ns : UINT64_MAX;
	if (err != TARN_OK && err != TARN_UNSUPPORTED)
		return err;
	if (!best->pair || ns < *best_ns) {
		*best = l;
		*best_ns = ns;
	}
	return TARN_OK;
}

/* By what is expected of the parts, and by what trials find of them: either may be the cheaper one. */
static tarn_err choose(const tarn_arch *arch, const tarn_graph *g, int tiles, npu_trial *trial, tarn_arena *a, npu_noise *noise,
		       npu_layers *layers)
{
	const npu_layers plain = *layers;
	double bound = trial ? BOUND_TRIED : BOUND_EXPECTED;
	uint64_t ns = UINT64_MAX;
	if (trial)
		scale_parts(g, noise);
	for (int i = 0; i < (trial ? 2 : 1); i++) {
		bool *pair;
		if (i)
			TRY(tarn_npu_trial_parts(trial, &plain, noise));
		TRY(tarn_npu_choose_pairs(arch, g, &plain, tiles, noise, trial, bound, a, &pair));
		TRY(keep_faster(arch, g, pair, tiles, a, layers, &ns));
	}
	return TARN_OK;
}

/* Layers with those pairs that the flags and the expectation ask for. */
static tarn_err widen(const tarn_arch *arch, const tarn_graph *g, tarn_cc_mode mode, int tiles, tarn_arena *a, npu_noise *noise,
		      npu_layers *layers)
{
	bool fine;
	npu_trial *trial;
	if (has_integers(layers) || mode == TARN_CC_PERFORMANCE)
		return TARN_OK;
	if (mode == TARN_CC_ACCURACY)
		return tarn_npu_widen(g, layers, NULL, a);
	TRY(tarn_npu_noise(g, layers, a, noise));
	TRY(tarn_npu_trial_new(arch, g, layers, &trial));
	tarn_err err = judge_fp16(trial, trial ? BOUND_TRIED : BOUND_EXPECTED, noise, &fine);
	if (err == TARN_OK && !fine)
		err = choose(arch, g, tiles, trial, a, noise, layers);
	tarn_npu_trial_free(trial);
	return err;
}

tarn_err tarn_npu_plan_make(const tarn_arch *arch, const tarn_graph *g, const tarn_cc_flags *flags, tarn_arena *a,
			    npu_plan *plan)
{
	npu_layers layers;
	npu_noise noise = {0};
	int tiles = flags->tiles > 0 && flags->tiles < arch->tiles ? flags->tiles : arch->tiles;
	TRY(tarn_npu_group(g, a, &layers));
	TRY(widen(arch, g, flags->mode, tiles, a, &noise, &layers));
	tarn_err err = tarn_npu_schedule(arch, g, &layers, tiles, a, plan);
	if (layers.pair && noise.n)
		say(g, &noise, &layers, err == TARN_OK);
	if (err == TARN_UNSUPPORTED && flags->mode == TARN_CC_AUTO && layers.pair) {
		TRY(tarn_npu_group(g, a, &layers));
		err = tarn_npu_schedule(arch, g, &layers, tiles, a, plan);
	}
	TRY(err);
	plan->moments = noise.moments;
	return tarn_npu_suppose(arch, flags->what_if, a, plan);
}
