/* SPDX-License-Identifier: Apache-2.0 */
/* tarn diagnose: measures, names what limits, tries each change in turns with the baseline. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose.h"
#include "paced.h"
#include "say.h"

int cmd_diagnose(const options *o);

/* A simulated device takes its time on the clock in a process of its own: only then has the host's side a meaning. */
static bool wants_child(const options *o)
{
	const char *env = getenv("TARN_NPU");
	bool simulated = o->sim || (env && !strncmp(env, "sim:", 4));
	return simulated && o->device && !strncmp(o->device, "NPU", 3) && !paced_here();
}

static int look(diagnosis *d)
{
	int code = bench_open(&d->base);
	if (!code)
		code = bench_measure(&d->base);
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
	if (d->o->json)
		return diagnose_json(d, &j);
	diagnose_print(d);
	return 0;
}

int cmd_diagnose(const options *o)
{
	if (wants_child(o))
		return paced_run("diagnose", o->argc, o->argv);
	options with = *o;
	if (with.seconds < 0)
		with.seconds = 2;
	diagnosis d = {.o = o, .base = {.o = &with, .quiet = true}, .seconds = with.seconds};
	int code = look(&d);
	if (!code)
		code = diagnose_try(&d);
	if (!code)
		code = tell(&d);
	diagnose_clean(&d);
	tarn_free_verdict(&d.verdict);
	free(d.trial);
	bench_close(&d.base);
	return code;
}
