/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench --vs 'FLAGS': the same with other flags, measured in turns. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "say.h"
#include "variant.h"

struct vs {
	variant v;
	bench b;
	ab r;
};

int bench_vs_run(bench *a)
{
	struct vs *x = calloc(1, sizeof *x);
	if (!x)
		return fail(1, "bench", "out of memory");
	a->vs = x;
	int code = variant_parse("bench", a->o, a->o->vs, &x->v);
	x->b = (bench){.s.command = "bench", .o = &x->v.o, .quiet = true};
	if (!code)
		code = bench_open(&x->b);
	if (!code)
		code = bench_warm(&x->b);
	if (!code)
		code = ab_run(a, &x->b, a->seconds, INFINITY, &x->r);
	if (!code && x->r.n < 2)
		code = fail(1, "bench", "interrupted before the two could be compared");
	if (!code)
		bench_find_counters(&x->b);
	return code;
}

void bench_vs_close(bench *a)
{
	if (!a->vs)
		return;
	bench_close(&a->vs->b);
	ab_fini(&a->vs->r);
	variant_fini(&a->vs->v);
	free(a->vs);
	a->vs = NULL;
}

static double mean(const double *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return n ? sum / (double)n : NAN;
}

void bench_vs_print(const bench *a)
{
	const ab *r = &a->vs->r;
	char text[128];
	ab_text(&r->c, text, sizeof text);
	printf("Against '%s', in %zu rounds that alternate: %.2f -> %.2f FPS, %s (95 %% interval, measured)\n", a->o->vs, r->n,
	       mean(r->a, r->n), mean(r->b, r->n), text);
}

void bench_vs_json(const bench *a, json *j)
{
	const ab *r = &a->vs->r;
	json_begin(j, "vs", '{');
	json_text(j, "flags", a->o->vs);
	json_int(j, "rounds", (long long)r->n);
	json_figure(j, "throughput_fps", mean(r->a, r->n), "1/s", "measured", -1);
	json_figure(j, "vs_throughput_fps", mean(r->b, r->n), "1/s", "measured", -1);
	json_num(j, "gain", r->c.gain);
	json_begin(j, "ci95", '[');
	json_num(j, NULL, r->c.low);
	json_num(j, NULL, r->c.high);
	json_end(j, ']');
	json_bool(j, "shown", r->c.shown);
	json_text(j, "sentence",
		  r->c.shown ? r->c.gain > 1 ? "the flags make it faster" : "the flags make it slower" : "no difference shown");
	bench_json_state(&a->vs->b, j);
	json_end(j, '}');
}
