/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench: OpenVINO benchmark_app's eleven steps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "page.h"
#include "paced.h"
#include "say.h"
#include "tarn/profile.h"

int cmd_bench(const options *o);

static int report_folder(bench *b)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/" REPORT_FILE, b->o->report_folder);
	json j = {.out = fopen(path, "w")};
	if (!j.out)
		return fail(1, "bench", "%s cannot be written; make the folder first", path);
	int code = bench_report_json(b, &j);
	if (fclose(j.out) && !code)
		code = fail(1, "bench", "%s could not be written; is the disk full?", path);
	return code;
}

static int report_page(bench *b)
{
	page p;
	int code = page_begin("bench", &p);
	if (!code && (code = bench_report_json(b, &p.j)))
		page_drop(&p);
	if (!code)
		code = page_write("bench", &p, "bench", "tarn bench", b->o->html);
	if (!code && !b->quiet)
		printf("Report written to %s\n", b->o->html);
	return code;
}

static int report(bench *b)
{
	json j = {.out = stdout};
	int code = b->o->json ? bench_report_json(b, &j) : bench_report_text(b);
	if (!code && b->o->report_folder)
		code = report_folder(b);
	if (!code && b->o->html)
		code = report_page(b);
	return code;
}

static int measure(bench *b)
{
	bench_step(b, 10, "Measuring performance");
	if (!b->quiet && b->live)
		printf("Inputs are read from %s, decoded and prepared in the loop by %ld thread%s\n", b->source, b->workers,
		       b->workers > 1 ? "s" : "");
	if (!b->quiet && b->niter)
		printf("Start inference %s, %ld inference requests, limits: %ld iterations\n",
		       b->async ? "asynchronously" : "synchronously", b->nireq, b->niter);
	else if (!b->quiet && isinf(b->seconds))
		printf("Start inference %s, %ld inference requests, until the input ends\n",
		       b->async ? "asynchronously" : "synchronously", b->nireq);
	else if (!b->quiet)
		printf("Start inference %s, %ld inference requests, limits: %.1f s\n",
		       b->async ? "asynchronously" : "synchronously", b->nireq, b->seconds);
	int code = b->o->vs ? bench_warm(b) : bench_measure(b);
	if (!code && b->o->vs)
		code = bench_vs_run(b);
	if (!code && b->o->vs) /* what is reported of this one, undivided */
		code = bench_again(b, b->seconds);
	if (!code && !b->n)
		code = fail(1, "bench", "interrupted before any inference was measured");
	if (!code)
		code = session_check_results(&b->s);
	if (!code && b->o->trace)
		code = bench_write_trace(b);
	if (!code)
		bench_find_counters(b);
	if (!code)
		code = report(b);
	if (!code && b->interrupted)
		code = fail(1, "bench", "interrupted after %zu inferences; the figures are of these", b->n);
	return code;
}

/* In a child process, unless this is one. */
static bool wants_child(const options *o)
{
	return o->paced && !paced_here();
}

static int run_paced(const options *o)
{
	const char *env = getenv("TARN_NPU");
	if (!o->device || strncmp(o->device, "NPU", 3))
		return fail(2, "bench", "-paced is for a simulated NPU; give -d NPU --sim 4000, too");
	if (!o->sim && !(env && !strncmp(env, "sim:", 4)))
		return fail(2, "bench", "-paced needs the simulated NPU; give --sim 3720 or 4000, too");
	return paced_run("bench", o->argc, o->argv);
}

int cmd_bench(const options *o)
{
	if (wants_child(o))
		return run_paced(o);
	bench b = {.s.command = "bench", .o = o};
	int code = bench_open(&b);
	if (!code)
		code = measure(&b);
	bench_vs_close(&b);
	bench_close(&b);
	return code;
}
