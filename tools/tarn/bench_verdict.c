/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench: what the counters of a measurement say. */
#include <math.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "tarn/diagnose.h"

static bool is_exact(const bench *b)
{
	return !strcmp(b->s.mode, "exact");
}

bench_shares bench_find_shares(const bench *b)
{
	double known = b->prepare + b->copy_in + b->device + b->copy_out + b->wait, all = b->prepare + b->total;
	if (all < known)
		all = known;
	if (all <= 0)
		return (bench_shares){0, 0, 0, 0, 0, 1};
	bench_shares s = {b->prepare / all, b->copy_in / all, b->device / all, b->copy_out / all, b->wait / all, 0};
	s.other = 1 - s.prepare - s.copy_in - s.device - s.copy_out - s.wait;
	s.other = s.other < 0 ? 0 : s.other;
	return s;
}

double bench_busy(const bench *b)
{
	if (is_exact(b) || b->duration_ms <= 0)
		return NAN;
	double sum = 0, v;
	for (size_t i = 0; i < b->n_device; i++)
		sum += b->device_ms[i];
	/* A device that reports its times runs one inference after the other; else the host's view of each stream counts. */
	if (b->n_device && b->n_device == b->n)
		v = sum / b->duration_ms;
	else
		v = b->device / (b->duration_ms * (double)(b->streams > 0 ? b->streams : 1));
	return v > 1 ? 1 : v;
}

double bench_mac(const bench *b)
{
	return b->mac;
}

double bench_ddr(const bench *b)
{
	return b->ddr;
}

void bench_find_counters(bench *b)
{
	tarn_model_facts f;
	b->mac = b->n ? b->mac / (double)b->n : NAN;
	b->ddr = b->n ? b->ddr / (double)b->n : NAN;
	b->int8 = NAN;
	if (b->s.model && tarn_get_model_facts(b->s.model, &f) == OK && f.macs > 0 && !f.nodes_unknown)
		b->int8 = (double)f.macs_int8 / (double)f.macs;
}

static int find(const bench *b, tarn_verdict *v)
{
	const bench_shares s = bench_find_shares(b);
	char *optimal = NULL;
	tarn_diag_counters c = {
		.inferences = (int64_t)b->n,
		.prepare = s.prepare,
		.copy_in = s.copy_in,
		.device = s.device,
		.copy_out = s.copy_out,
		.wait = s.wait,
		.other = s.other,
		.busy = bench_busy(b),
		.mac = bench_mac(b),
		.ddr = bench_ddr(b),
		.int8 = b->int8,
		.in_flight = (int)b->nireq,
		.workers = b->live ? (int)b->workers : 0,
		.processors = (int)sysconf(_SC_NPROCESSORS_ONLN),
		.rate_limited = b->o->max_irate > 0,
		.exact = is_exact(b),
		.decodes_in_full = bench_live_decodes_in_full(b),
	};
	if (ov_compiled_model_get_property(b->s.compiled, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", &optimal) == OK)
		c.optimal = atoi(optimal);
	ov_free(optimal);
	return tarn_diagnose_counters(&c, v) == OK ? 0 : fail_last("bench");
}

int bench_print_verdict(const bench *b)
{
	tarn_verdict v;
	int code = find(b, &v);
	if (code)
		return code;
	printf("Verdict: %s. Next: %s\n", v.sentence, v.next);
	tarn_free_verdict(&v);
	return 0;
}

int bench_json_verdict(const bench *b, json *j)
{
	tarn_verdict v;
	int code = find(b, &v);
	if (code)
		return code;
	json_begin(j, "verdict", '{');
	json_text(j, "name", v.name);
	json_text(j, "sentence", v.sentence);
	json_text(j, "next", v.next);
	json_end(j, '}');
	tarn_free_verdict(&v);
	return 0;
}
