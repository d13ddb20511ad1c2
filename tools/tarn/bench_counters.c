/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench: from what was measured to what a verdict is concluded from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static void summarize(bench *b)
{
	tarn_timeline t;
	b->summed = false;
	if (tarn_list_timeline(&t) != OK)
		return;
	b->summed = t.size && tarn_summarize_timeline(&t, &b->sum) == OK;
	tarn_free_timeline(&t);
}

double bench_estimate(const bench *b, const ov_model_t *model, const char *key, const char *value)
{
	session_properties p;
	tarn_model_estimate e;
	if (!model || strcmp(b->s.runs_on, "NPU") != 0 || session_collect(&b->s, b->hint, &p) || p.n >= 64)
		return 0;
	if (key)
		p.at[p.n++] = (ov_property_t){key, value};
	return tarn_estimate_model(b->s.core, model, "NPU", p.n, p.at, &e) == OK ? e.ms : 0;
}

void bench_find_counters(bench *b)
{
	tarn_model_facts f;
	b->mac = b->n ? b->mac / (double)b->n : NAN;
	b->ddr = b->n ? b->ddr / (double)b->n : NAN;
	b->int8 = NAN;
	if (b->s.model && tarn_get_model_facts(b->s.model, &f) == OK && f.macs > 0 && !f.nodes_unknown) {
		b->int8 = (double)f.macs_int8 / (double)f.macs;
		b->macs = f.macs;
	}
	summarize(b);
	b->scaled_share = bench_live_scaled_share(b);
	b->accounted = tarn_get_device_account(b->s.compiled, &b->account) == OK;
	if (b->accounted && b->account.tiles > 0 && b->account.tiles < b->account.device_tiles)
		b->suppose_tiles = bench_estimate(b, b->s.model, "NPU_TILES", "-1");
}

double bench_rate(const bench *b)
{
	return (double)b->batch * (double)b->n * 1e3 / b->duration_ms;
}

double bench_device_ms(const bench *b)
{
	double sum = 0;
	for (size_t i = 0; i < b->n_device; i++)
		sum += b->device_ms[i];
	return b->n_device ? sum / (double)b->n_device : b->n ? b->device / (double)b->n : 0;
}

static int number(const bench *b, const char *key)
{
	char *v = NULL;
	int n = 0;
	if (ov_compiled_model_get_property(b->s.compiled, key, &v) == OK)
		n = atoi(v);
	ov_free(v);
	return n;
}

static void add_summary(const bench *b, tarn_diag_counters *c)
{
	if (!b->summed)
		return;
	c->gap_prepare = b->sum.gap_prepare;
	c->gap_copy = b->sum.gap_copy;
	c->gap_host = b->sum.gap_host;
	c->gap_input = b->sum.gap_input;
}

void bench_get_counters(const bench *b, tarn_diag_counters *c)
{
	const bench_shares s = bench_find_shares(b);
	double host = bench_host_ms(b), run_cpu = b->own_cpu - b->prepare_cpu, run_wait = b->delay_all - b->delay_caller;
	*c = (tarn_diag_counters){
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
		.optimal = number(b, "OPTIMAL_NUMBER_OF_INFER_REQUESTS"),
		.workers = b->live ? (int)b->workers : 0,
		.processors = (int)sysconf(_SC_NPROCESSORS_ONLN),
		.rate_limited = b->o->max_irate > 0,
		.exact = !strcmp(b->s.mode, "exact"),
		.decodes_in_full = bench_live_decodes_in_full(b),
		.on_cpu = !strcmp(b->s.runs_on, "CPU"),
		.streams = (int)b->streams,
		.prepare_cpu = host > 0 ? b->prepare_cpu / host : 0,
		.prepare_scaled = s.prepare * b->scaled_share,
		.results = host > 0 ? b->results / host : 0,
		.run_cpu = host > 0 && run_cpu > 0 ? run_cpu / host : 0,
		.run_wait = host > 0 && run_wait > 0 ? run_wait / host : 0,
		.run_delay = b->duration_ms > 0 ? b->delay / (b->duration_ms * (double)b->workers) : 0,
		.cpu_others = b->others,
		.device_ms = bench_device_ms(b),
		.tiles_ms = b->suppose_tiles,
		.int8_ms = b->suppose_int8,
		.batch_ms = b->suppose_batch_ms,
		/* What to try where nobody can tell what it gains: twice as many as now. */
		.batch = b->suppose_batch || b->batch <= 1 ? b->suppose_batch : 2 * (int)b->batch,
	};
	/* On the CPU device all threads do the work, not only those that prepare. */
	if (c->on_cpu && b->duration_ms > 0)
		c->run_delay = fmax(c->run_delay, b->delay_all / (b->duration_ms * c->processors));
	char *type = NULL;
	c->efficient =
		ov_compiled_model_get_property(b->s.compiled, "WORKLOAD_TYPE", &type) == OK && !strcmp(type, "EFFICIENT");
	ov_free(type);
	add_summary(b, c);
	if (b->accounted)
		(void)tarn_count_device(b->s.compiled, c);
	if (c->on_cpu && b->o->nthreads > 0) {
		c->tiles = (int)b->o->nthreads;
		c->device_tiles = c->processors;
	}
}
