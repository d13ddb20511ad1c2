/* SPDX-License-Identifier: Apache-2.0 */
/* tarn diagnose: measures, names what limits, tries each change in turns with the baseline. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose.h"
#include "page.h"
#include "paced.h"
#include "say.h"

int cmd_diagnose(const options *o);

enum { BUDGET = 60, ENOUGH = 20 };

/* A simulated device takes its time on the clock in a process of its own: only then has the host's side a meaning. */
static bool wants_child(const options *o)
{
	const char *env = getenv("TARN_NPU");
	bool simulated = o->sim || (env && !strncmp(env, "sim:", 4));
	return simulated && o->device && !strncmp(o->device, "NPU", 3) && !paced_here();
}

/* Slow inferences: longer, for at most a quarter of the budget, since too few of them tell nothing. */
static int measure_enough(diagnosis *d)
{
	bench *b = &d->base;
	double each = b->n ? b->duration_ms / (double)b->n : 0, left = d->end_ms - now_ms();
	double ms = fmin(ENOUGH * each, left / 4);
	if (b->n >= ENOUGH || b->o->niter > 0 || bench_stop || ms <= b->duration_ms)
		return 0;
	diagnose_progress(d, "measuring as it is, for longer: inferences are slow");
	d->seconds = fmax(d->seconds, ms * 1e-3 / 2);
	return bench_again(b, ms * 1e-3);
}

static int look(diagnosis *d)
{
	diagnose_progress(d, "measuring as it is");
	int code = bench_open(&d->base);
	if (!code)
		code = bench_measure(&d->base);
	if (!code)
		code = measure_enough(d);
	if (!code && d->o->trace)
		code = bench_write_trace(&d->base);
	if (code)
		return code;
	bench_find_counters(&d->base);
	diagnose_suppose(d);
	bench_get_counters(&d->base, &d->counters);
	return tarn_diagnose_counters(&d->counters, &d->verdict) == OK ? 0 : fail_last("diagnose");
}

static int tell(diagnosis *d)
{
	json j = {.out = stdout};
	page p;
	int code = 0;
	if (d->o->json)
		code = diagnose_json(d, &j);
	else
		diagnose_print(d);
	if (code || !d->o->html)
		return code;
	code = page_begin("diagnose", &p);
	if (!code && (code = diagnose_json(d, &p.j)))
		page_drop(&p);
	return code ? code : page_write("diagnose", &p, "diagnose", "tarn diagnose", d->o->html);
}

int cmd_diagnose(const options *o)
{
	if (wants_child(o))
		return paced_run("diagnose", o->argc, o->argv);
	if (o->seconds == 0)
		return fail(2, "diagnose", "-t must be more than 0 seconds");
	if (o->time_budget == 0)
		return fail(2, "diagnose", "--time-budget must be more than 0 seconds");
	if (o->peak)
		return diagnose_peak(o);
	options with = *o;
	if (with.seconds < 0)
		with.seconds = 2;
	diagnosis d = {.o = o, .base = {.s.command = "diagnose", .o = &with, .quiet = true}, .seconds = with.seconds};
	d.end_ms = now_ms() + (o->time_budget > 0 ? o->time_budget : BUDGET) * 1e3;
	int code = look(&d);
	if (!code)
		code = diagnose_try(&d);
	diagnose_progress(&d, NULL);
	if (!code)
		code = tell(&d);
	if (!code && bench_stop)
		code = fail(1, "diagnose", "interrupted; experiments that were not finished are left out");
	diagnose_clean(&d);
	roof_clean(&d.roof);
	tarn_free_verdict(&d.verdict);
	free(d.trial);
	bench_close(&d.base);
	return code;
}
