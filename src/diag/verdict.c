/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/verdict.h"

#include <math.h>

#include "diag/words.h"

/* Where a share begins to count. A device that is busy four fifths of the time cannot become faster by more than a quarter
 * through anything the host does; MACs and memory are rarely beyond two thirds of their peaks in practice. */
#define BUSY 0.8
#define MOSTLY 0.6
#define ALL_DEVICE 0.9 /* of host time: nothing else could become faster */
#define DDR_LIMIT 0.6
#define MAC_LIMIT 0.5
#define WORTH 1.25 /* a gain that names a cause */
#define TILES_WORTH 1.15
#define MEMORY_WORTH 1.2
#define LITTLE 1.1 /* a gain that is not worth the change */
#define HALF 0.5
#define ALMOST 0.9
#define SERIAL_LIMIT 0.3
#define OTHER_LIMIT 0.4
#define GAP_LIMIT 0.25
#define SOME_GAP 0.1
#define DELAY_LIMIT 0.3
enum { ENOUGH = 10 };

/* By the device's own account; or because requests do nothing but run and queue for it; or because, by the mean times of all
 * stages, it is the slowest one, and idle only now and then. */
static bool is_busy(const tarn_counters *c)
{
	double busy = tarn_counters_busy(c);
	if (busy >= BUSY)
		return true;
	if (c->rate_limited || c->gap_input >= GAP_LIMIT)
		return false;
	tarn_pipeline p = tarn_pipeline_of(c);
	return c->device + c->wait >= ALL_DEVICE || (busy >= MOSTLY && tarn_pipeline_slowest(&p) == TARN_STAGE_DEVICE);
}

/* Does the device tell where its time goes? */
static bool tells(const tarn_counters *c)
{
	return c->stall_weights + c->stall_activations + c->compute + c->array + c->vector + c->fixed > 0.9;
}

static bool mostly_int8(const tarn_counters *c)
{
	return c->int8 >= 0.5;
}

static double largest(double a, double b)
{
	return a > b ? a : b;
}

/* ---- predicates, named as in rules.def ---- */

static bool no_shares(const tarn_counters *c)
{
	double share[] = {c->prepare, c->copy_in, c->device, c->copy_out, c->wait, c->other}, sum = 0;
	for (int i = 0; i < 6; i++) {
		if (!(share[i] >= 0))
			return true;
		sum += share[i];
	}
	return fabs(sum - 1) > 0.01;
}

static bool wrong_clock(const tarn_counters *c)
{
	return c->exact;
}

static bool too_few(const tarn_counters *c)
{
	return c->inferences < ENOUGH;
}

static bool rate_limited(const tarn_counters *c)
{
	return c->rate_limited && !is_busy(c);
}

static bool no_busy(const tarn_counters *c)
{
	return isnan(tarn_counters_busy(c));
}

/* Would preparing limit even if no thread ever waited for a processor, those that notice results included? */
static bool prepares_most(const tarn_counters *c)
{
	tarn_pipeline p = tarn_pipeline_of(c);
	p.prepare = p.prepare_cpu;
	p.processors = c->processors;
	p.other = 0;
	tarn_stage s = tarn_pipeline_slowest(&p);
	if (!(p.prepare_cpu > p.copy_in + p.copy_out))
		return false;
	return s == TARN_STAGE_WORKERS || (p.prepare_cpu > p.device && (s == TARN_STAGE_PROCESSORS || p.requests == 1));
}

/* Other programs take the processors: times of threads on the clock then say little of this pipeline. */
static bool crowded(const tarn_counters *c)
{
	return c->run_delay >= DELAY_LIMIT && c->cpu_others >= GAP_LIMIT;
}

static bool others_run(const tarn_counters *c)
{
	return crowded(c) && !prepares_most(c);
}

/* Where the device is one of those who wait. */
static bool others_run_here(const tarn_counters *c)
{
	return c->on_cpu && others_run(c);
}

static bool slow_clock(const tarn_counters *c)
{
	return is_busy(c) && tarn_counter_known(c->clock) && c->clock < TARN_NOMINAL_CLOCK;
}

static bool efficient_clock(const tarn_counters *c)
{
	return slow_clock(c) && c->efficient;
}

static bool tiles_unused(const tarn_counters *c)
{
	return is_busy(c) && !c->on_cpu && tarn_change_gain(c, TARN_CHANGE_TILES) >= TILES_WORTH;
}

static bool threads_unused(const tarn_counters *c)
{
	return is_busy(c) && c->on_cpu && c->tiles > 0 && c->tiles < c->device_tiles && !c->workers;
}

static bool serial(const tarn_counters *c)
{
	return is_busy(c) && tells(c) && c->recurrent >= SERIAL_LIMIT;
}

static bool small(const tarn_counters *c)
{
	double lost = c->fixed + c->array, memory = c->stall_weights + c->stall_activations;
	return is_busy(c) && tells(c) && lost >= HALF && lost > memory && lost > c->vector;
}

/* Would the device gain more from free transfers than from free engines? What the host would then allow is another question. */
static bool stalls(const tarn_counters *c)
{
	if (!tarn_counter_known(c->free_bandwidth_ms) || !tarn_counter_known(c->free_compute_ms))
		return c->stall_weights + c->stall_activations > largest(c->compute + c->array, c->vector);
	return c->device_ms >= MEMORY_WORTH * c->free_bandwidth_ms && c->free_bandwidth_ms < c->free_compute_ms;
}

static bool memory_weights_int8(const tarn_counters *c)
{
	return is_busy(c) && tells(c) && stalls(c) && c->stall_weights >= c->stall_activations;
}

static bool memory_weights(const tarn_counters *c)
{
	return memory_weights_int8(c) && !mostly_int8(c);
}

static bool memory_activations_int8(const tarn_counters *c)
{
	return is_busy(c) && tells(c) && stalls(c);
}

static bool memory_activations(const tarn_counters *c)
{
	return memory_activations_int8(c) && !mostly_int8(c);
}

static bool memory(const tarn_counters *c)
{
	return is_busy(c) && !tells(c) && c->ddr >= DDR_LIMIT && !(c->mac > c->ddr);
}

static bool memory_cpu(const tarn_counters *c)
{
	return memory(c) && c->on_cpu && !mostly_int8(c);
}

static bool memory_float(const tarn_counters *c)
{
	return memory(c) && !mostly_int8(c);
}

static bool memory_int8(const tarn_counters *c)
{
	return memory(c) && mostly_int8(c);
}

static bool vector_engines(const tarn_counters *c)
{
	return is_busy(c) && tells(c) && c->vector > c->compute + c->array;
}

static bool computes(const tarn_counters *c)
{
	return is_busy(c) && (tells(c) || c->mac >= MAC_LIMIT);
}

static bool compute_float(const tarn_counters *c)
{
	return computes(c) && !mostly_int8(c);
}

static bool compute_int8(const tarn_counters *c)
{
	return computes(c) && mostly_int8(c);
}

/* Layers take turns at being short of the one and of the other, and each is told with its roof. */
static bool roofs_cpu(const tarn_counters *c)
{
	return is_busy(c) && c->on_cpu && !isnan(c->mac) && !isnan(c->ddr);
}

static bool layers(const tarn_counters *c)
{
	return is_busy(c) && !isnan(c->mac) && !isnan(c->ddr);
}

static bool device_busy(const tarn_counters *c)
{
	return is_busy(c);
}

static double copies_of(const tarn_counters *c)
{
	return c->copy_in + c->copy_out;
}

/* Several requests, and still nobody at hand when the device is done: for long, or for the largest part of a request's time. */
static bool late_host(const tarn_counters *c)
{
	if (c->in_flight < 2 || crowded(c) || !(c->gap_host > c->gap_prepare && c->gap_host > c->gap_copy))
		return false;
	bool largest_part = c->other > c->device && c->other > c->prepare && c->other > copies_of(c);
	return c->gap_host >= GAP_LIMIT || (c->gap_host >= SOME_GAP && largest_part);
}

/* Requests are on their way all the time, and what one spends its time with is no single thing: only where overlap alone
 * promises a quarter more; else the longest part is what limits. */
static bool in_turns(const tarn_counters *c)
{
	if (crowded(c) && prepares_most(c))
		return false;
	tarn_pipeline p = tarn_pipeline_of(c);
	double longest = largest(largest(c->prepare, copies_of(c)), largest(c->device, p.results));
	return tarn_pipeline_slowest(&p) == TARN_STAGE_REQUESTS && longest * WORTH <= 1 - c->wait &&
	       !(tarn_change_gain(c, TARN_CHANGE_REQUESTS) < LITTLE);
}

/* Results are looked at one at a time: nothing else helps until that takes less. */
static bool results(const tarn_counters *c)
{
	tarn_pipeline p = tarn_pipeline_of(c);
	tarn_stage s = tarn_pipeline_slowest(&p);
	if (s != TARN_STAGE_REQUESTS)
		return s == TARN_STAGE_RESULTS;
	/* Requests that wait for others' callbacks are on their way as long as these take. */
	if (p.requests > 1 && p.results >= ALMOST * tarn_pipeline_interval(&p, s))
		return true;
	return !in_turns(c) && p.results > largest(largest(c->prepare, copies_of(c)), c->device);
}

static bool one_request(const tarn_counters *c)
{
	return c->in_flight == 1 && in_turns(c);
}

static bool one_live(const tarn_counters *c)
{
	return one_request(c) && c->workers > 0;
}

/* The stage that limits, with one request in flight as if its parts overlapped. */
static bool prepare(const tarn_counters *c)
{
	if (crowded(c) && prepares_most(c))
		return true;
	tarn_pipeline p = tarn_pipeline_of(c);
	tarn_stage s = tarn_pipeline_slowest(&p);
	if (s == TARN_STAGE_REQUESTS)
		return !in_turns(c) && c->prepare >= copies_of(c) && c->prepare >= c->other;
	return (s == TARN_STAGE_WORKERS || s == TARN_STAGE_PROCESSORS) && c->prepare >= copies_of(c);
}

static bool prepare_decode(const tarn_counters *c)
{
	double scaled = tarn_change_gain(c, TARN_CHANGE_SCALED), workers = tarn_change_gain(c, TARN_CHANGE_WORKERS);
	return prepare(c) && c->decodes_in_full && !(workers > scaled) && (scaled > 1.05 || c->workers >= c->processors);
}

static bool prepare_workers(const tarn_counters *c)
{
	return prepare(c) && c->workers > 0 && c->workers < c->processors;
}

static bool copies(const tarn_counters *c)
{
	tarn_pipeline p = tarn_pipeline_of(c);
	tarn_stage s = tarn_pipeline_slowest(&p);
	if (s == TARN_STAGE_REQUESTS)
		return !in_turns(c) && copies_of(c) >= c->other && copies_of(c) > c->prepare;
	return s != TARN_STAGE_DEVICE && copies_of(c) > c->prepare;
}

static bool few_requests(const tarn_counters *c)
{
	bool fewer = c->in_flight < c->optimal && tarn_change_gain(c, TARN_CHANGE_REQUESTS) >= 1.05;
	return fewer || (in_turns(c) && c->other < OTHER_LIMIT);
}

static bool starved(const tarn_counters *c)
{
	return c->gap_input >= GAP_LIMIT;
}

static bool unexplained(const tarn_counters *c)
{
	return c->other >= OTHER_LIMIT;
}

static bool nothing(const tarn_counters *c)
{
	(void)c;
	return true;
}

#define TARN_CHANGE_NONE TARN_CHANGE_COUNT
static const struct rule {
	bool (*holds)(const tarn_counters *c);
	const char *name, *detail;
	tarn_change change;
	const char *sentence, *next;
} rules[] = {
#define RULE(sym, name, detail, change, sentence, next) {sym, name, detail, TARN_CHANGE_##change, sentence, next},
#include "diag/rules.def"
#undef RULE
};

tarn_err tarn_verdict_find(const tarn_counters *c, tarn_finding *finding, tarn_str *sentence, tarn_str *next)
{
	const struct rule *r = rules;
	while (!r->holds(c))
		r++;
	bool advised = r->change != TARN_CHANGE_COUNT;
	*finding = (tarn_finding){r->name, r->detail, r->change, advised ? tarn_change_gain(c, r->change) : NAN};
	tarn_words_expand(sentence, c, r->sentence);
	if (finding->gain >= 1.05)
		tarn_str_addf(sentence, "; %s should give %.1f times the rate", tarn_change_what(r->change), finding->gain);
	if (*r->next)
		tarn_words_expand(next, c, r->next);
	else
		tarn_change_flags(c, r->change, next);
	TRY(tarn_str_done(sentence));
	return tarn_str_done(next);
}
