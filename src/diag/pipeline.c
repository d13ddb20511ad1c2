/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/pipeline.h"

#include <math.h>

#include "diag/words.h"

/* From here on other programs count; and a scheduler that is fair leaves some of the processors to those who ask. */
#define CROWDED 0.25
#define LEAST_LEFT 0.25
/* More than this is no disturbance, but something that was not measured. */
#define MOST_LONGER 1.5

double tarn_counters_busy(const tarn_counters *c)
{
	return isnan(c->busy) && c->in_flight == 1 ? c->device : c->busy;
}

static int at_least(int a, int b)
{
	return a > b ? a : b;
}

tarn_pipeline tarn_pipeline_of(const tarn_counters *c)
{
	tarn_pipeline p = {.prepare = c->prepare,
			   .prepare_cpu = c->prepare,
			   .copy_in = c->copy_in,
			   .copy_out = c->copy_out,
			   .device = c->device,
			   .other = c->other,
			   .results = tarn_counter_known(c->results) ? c->results : 0,
			   .run_cpu = c->copy_in + c->copy_out + (c->on_cpu ? c->device : 0),
			   .workers = at_least(1, c->workers),
			   .requests = at_least(1, c->in_flight),
			   .streams = at_least(1, c->streams),
			   .processors = c->processors,
			   .on_cpu = c->on_cpu};
	if (tarn_counter_known(c->run_cpu))
		p.run_cpu = c->run_cpu;
	/* What the threads of a CPU device waited for others of this process is no work either. */
	if (c->on_cpu && tarn_counter_known(c->run_cpu) && tarn_counter_known(c->run_wait) && c->cpu_others < CROWDED)
		p.device *= c->run_cpu / (c->run_cpu + c->run_wait);
	if (!tarn_counter_known(c->prepare_cpu) || !(c->prepare_cpu < c->prepare))
		return p;
	p.prepare_cpu = c->prepare_cpu;
	if (c->cpu_others >= CROWDED) {
		/* Other programs stay: what threads wait for them, they go on waiting. */
		double left = 1 - c->cpu_others;
		p.processors *= left > LEAST_LEFT ? left : LEAST_LEFT;
	} else {
		/* They wait for each other: that is no work, and goes with their number. */
		p.prepare = c->prepare_cpu;
	}
	return p;
}

double tarn_pipeline_interval(const tarn_pipeline *p, tarn_stage s)
{
	int workers = p->workers < p->requests ? p->workers : p->requests;
	switch (s) {
	case TARN_STAGE_REQUESTS:
		return (p->prepare + p->copy_in + p->device + p->copy_out + p->other) / p->requests;
	case TARN_STAGE_WORKERS:
		return (p->prepare + p->copy_in) / workers;
	case TARN_STAGE_PROCESSORS:
		return p->processors > 0 ? (p->prepare_cpu + p->run_cpu) / p->processors : 0;
	case TARN_STAGE_COPY_OUT:
		return p->copy_out;
	case TARN_STAGE_RESULTS:
		return p->results;
	default:
		return p->device / p->streams;
	}
}

tarn_stage tarn_pipeline_slowest(const tarn_pipeline *p)
{
	tarn_stage slowest = TARN_STAGE_REQUESTS;
	for (int s = 1; s < TARN_STAGE_COUNT; s++)
		if (tarn_pipeline_interval(p, (tarn_stage)s) > tarn_pipeline_interval(p, slowest))
			slowest = (tarn_stage)s;
	return slowest;
}

/* ---- changes ---- */

static const struct {
	const char *word, *flags, *what;
} changes[] = {
#define CHANGE(sym, word, flags, what) {word, flags, what},
#include "diag/changes.def"
#undef CHANGE
};

const char *tarn_change_word(tarn_change change)
{
	return changes[change].word;
}

const char *tarn_change_what(tarn_change change)
{
	return changes[change].what;
}

void tarn_change_flags(const tarn_counters *c, tarn_change change, tarn_str *text)
{
	tarn_words_expand(text, c, changes[change].flags);
}

int tarn_want_workers(const tarn_counters *c)
{
	return c->processors > 0 ? c->processors : at_least(2, c->workers);
}

int tarn_want_requests(const tarn_counters *c)
{
	if (c->optimal > c->in_flight)
		return c->optimal;
	int n = c->workers > 0 ? 2 + tarn_want_workers(c) : 2 * c->in_flight;
	return at_least(n, at_least(4, c->in_flight));
}

/* Another time of the device; unknown ones change nothing. */
static bool device_takes(const tarn_counters *c, double ms, tarn_pipeline *p)
{
	if (!tarn_counter_known(ms) || !tarn_counter_known(c->device_ms))
		return false;
	if (p->on_cpu)
		p->run_cpu *= ms / c->device_ms;
	p->device *= ms / c->device_ms;
	return true;
}

static bool is_slowed(const tarn_counters *c)
{
	return tarn_counter_known(c->clock) && c->clock < TARN_NOMINAL_CLOCK;
}

/* Times that the device's model gave are those at its nominal clock. Without transfers, the multipliers alone are slower. */
static double at_this_clock(const tarn_counters *c, tarn_change change, double ms)
{
	if (!is_slowed(c) || !tarn_counter_known(ms) || change == TARN_CHANGE_FREE_COMPUTE)
		return ms;
	return change == TARN_CHANGE_FREE_BANDWIDTH ? ms + c->device_ms * (1 - c->clock) : ms / c->clock;
}

/* What the pipeline would be. */
static bool apply_change(const tarn_counters *c, tarn_change change, tarn_pipeline *p)
{
	switch (change) {
	case TARN_CHANGE_REQUESTS:
		p->requests = tarn_want_requests(c);
		return p->requests > c->in_flight;
	case TARN_CHANGE_WORKERS:
		p->workers = tarn_want_workers(c);
		p->requests = at_least(p->requests, tarn_want_requests(c));
		return c->workers > 0 && (p->workers > c->workers || p->requests > c->in_flight);
	case TARN_CHANGE_SCALED:
		if (!c->decodes_in_full || !tarn_counter_known(c->prepare_scaled) || !(c->prepare > 0))
			return false;
		p->prepare *= c->prepare_scaled / c->prepare;
		p->prepare_cpu *= c->prepare_scaled / c->prepare;
		return true;
	case TARN_CHANGE_OWN_MEMORY:
		p->run_cpu -= p->run_cpu > p->copy_in + p->copy_out ? p->copy_in + p->copy_out : p->run_cpu;
		p->copy_in = p->copy_out = 0;
		return c->copy_in + c->copy_out > 0;
	case TARN_CHANGE_INT8:
		return device_takes(c, at_this_clock(c, change, c->int8_ms), p);
	case TARN_CHANGE_TILES:
		return c->tiles < c->device_tiles && device_takes(c, at_this_clock(c, change, c->tiles_ms), p);
	case TARN_CHANGE_CLOCK:
		return is_slowed(c) && device_takes(c, c->device_ms * c->clock, p);
	case TARN_CHANGE_TURBO:
		return device_takes(c, is_slowed(c) ? c->device_ms : c->turbo_ms, p); /* no turbo below the nominal clock */
	case TARN_CHANGE_BATCH:
		return c->batch > 1 && device_takes(c, at_this_clock(c, change, c->batch_ms), p);
	case TARN_CHANGE_FREE_BANDWIDTH:
		return device_takes(c, at_this_clock(c, change, c->free_bandwidth_ms), p);
	case TARN_CHANGE_FREE_COMPUTE:
		return device_takes(c, at_this_clock(c, change, c->free_compute_ms), p);
	default:
		return false;
	}
}

/* Times the slowest stage of now: the interval that was measured. A device that keeps its own time tells it by how busy it is.
 */
static double longer(const tarn_counters *c, double before)
{
	if (c->on_cpu || !(c->busy > 0) || !(c->device > 0) || c->rate_limited)
		return 1;
	double k = c->device / (c->busy * at_least(1, c->streams)) / before;
	return k < 1 ? 1 : k > MOST_LONGER ? MOST_LONGER : k;
}

double tarn_change_gain(const tarn_counters *c, tarn_change change)
{
	tarn_pipeline now = tarn_pipeline_of(c), then = now;
	if (!apply_change(c, change, &then))
		return NAN;
	tarn_stage limit = tarn_pipeline_slowest(&now);
	double before = tarn_pipeline_interval(&now, limit), k = longer(c, before), after = 0;
	for (int s = 0; s < TARN_STAGE_COUNT; s++) {
		bool exact = s == TARN_STAGE_DEVICE && limit != TARN_STAGE_DEVICE;
		after = fmax(after, tarn_pipeline_interval(&then, (tarn_stage)s) * (exact ? 1 : k));
	}
	return after > 0 ? k * before / after : NAN;
}
