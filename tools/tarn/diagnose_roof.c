/* SPDX-License-Identifier: Apache-2.0 */
/* tarn diagnose: what a model computes and moves on the CPU, against what this host achieves at either. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diagnose.h"
#include "say.h"
#include "tarn/system.h"

/* Beyond this much a result does not wait in a cache for the node that reads it. */
static int64_t cache_bytes(void)
{
	long n = sysconf(_SC_LEVEL2_CACHE_SIZE);
	return n > 0 ? n : 1 << 20;
}

static double threads_of(const options *o)
{
	return o->nthreads > 0 ? (double)o->nthreads : 0;
}

/* Of the layers that ran, which are named after the last node of a group, each takes the work of the nodes up to it. */
static void share_out(const tarn_work_list *work, roof *r)
{
	size_t from = 0;
	for (size_t i = 0; i < r->n; i++) {
		size_t to = from;
		while (to < work->size && strcmp(work->at[to].name, r->row[i].name))
			to++;
		for (size_t k = from; to < work->size && k <= to; k++) {
			r->row[i].macs += work->at[k].macs;
			r->row[i].bytes += work->at[k].weight_bytes + work->at[k].moved_bytes;
		}
		from = to < work->size ? to + 1 : from;
	}
}

static bool take_rows(const tarn_layer_list *list, roof *r)
{
	r->row = calloc(list->size + 1, sizeof *r->row);
	for (size_t i = 0; i < list->size && r->row; i++) {
		roof_row *to = &r->row[r->n++];
		to->ms = list->at[i].ms;
		to->name = strdup(list->at[i].name);
		to->type = strdup(list->at[i].type);
		if (!to->name || !to->type)
			return false;
	}
	return r->row;
}

/* Times of layers, from a few inferences of the same model that take them down. */
static void find_layers(diagnosis *d, const tarn_work_list *work)
{
	variant v;
	tarn_layer_list list = {NULL, 0};
	bench b = {.s.command = "diagnose", .o = &v.o, .quiet = true};
	int code = variant_parse("diagnose", d->base.o, "-p PERF_COUNT=YES -api sync", &v);
	if (!code)
		code = bench_open(&b);
	if (!code)
		code = bench_warm(&b);
	if (!code)
		code = bench_again(&b, 0.1);
	if (!code && tarn_list_layers(b.request[0], &list) == OK && take_rows(&list, &d->roof))
		share_out(work, &d->roof);
	tarn_free_layers(&list);
	bench_close(&b);
	variant_fini(&v);
}

void roof_find(diagnosis *d)
{
	bench *b = &d->base;
	tarn_work_list work;
	double bytes = 0;
	if (!b->s.model || !b->n || tarn_list_work(b->s.model, cache_bytes(), &work) != OK)
		return;
	for (size_t i = 0; i < work.size; i++)
		bytes += (double)(work.at[i].weight_bytes + work.at[i].large_bytes);
	if (bytes > 0 && tarn_measure_memory((size_t)bytes, (int)threads_of(d->o), &d->roof.gbps) == OK) {
		d->roof.bytes = bytes;
		b->ddr = fmin(1, bytes * (double)b->n / (b->duration_ms * 1e6) / d->roof.gbps);
	}
	say_nothing(true);
	find_layers(d, &work);
	say_nothing(false);
	tarn_free_work(&work);
}

void roof_clean(roof *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->row[i].name);
		free(r->row[i].type);
	}
	free(r->row);
	*r = (roof){.n = 0};
}

/* Milliseconds below which no layer of that work can stay; which of the two it is. */
static double least_ms(const roof *r, const roof_row *l, bool *memory)
{
	double compute = r->tops > 0 ? 2e-9 * (double)l->macs / r->tops : 0;
	double moving = r->gbps > 0 ? 1e-6 * (double)l->bytes / r->gbps : 0;
	*memory = moving > compute;
	return fmax(compute, moving);
}

static int slowest_first(const void *a, const void *b)
{
	const roof_row *x = a, *y = b;
	return (x->ms < y->ms) - (x->ms > y->ms);
}

void roof_print(diagnosis *d)
{
	enum { SHOWN = 5 };
	roof *r = &d->roof;
	if (!(r->gbps > 0) || !r->n)
		return;
	qsort(r->row, r->n, sizeof *r->row, slowest_first);
	printf("Roofline of this host, for %.1f MB that come from memory: %.1f GB/s", r->bytes * 1e-6, r->gbps);
	if (r->tops > 0)
		printf(", %.3f TOPS", r->tops);
	printf(" (measured); the slowest layers:\n");
	for (size_t i = 0; i < r->n && i < SHOWN; i++) {
		bool memory;
		const roof_row *l = &r->row[i];
		double least = least_ms(r, l, &memory);
		printf("  %10.4f ms  %3.0f %% of its %s roof  %-12s %s\n", l->ms, l->ms > 0 ? 100 * fmin(1, least / l->ms) : 0,
		       memory ? "memory" : "compute", l->type, l->name);
	}
}

static void json_row(const roof *r, const roof_row *l, json *j)
{
	bool memory;
	double least = least_ms(r, l, &memory);
	json_begin(j, NULL, '{');
	json_text(j, "name", l->name);
	json_text(j, "type", l->type);
	json_figure(j, "time", l->ms, "ms", "measured", -1);
	json_int(j, "macs", l->macs);
	json_int(j, "bytes", l->bytes);
	json_text(j, "roof", memory ? "memory" : "compute");
	json_num(j, "of_roof", l->ms > 0 ? fmin(1, least / l->ms) : NAN);
	json_end(j, '}');
}

void roof_json(const diagnosis *d, json *j)
{
	const roof *r = &d->roof;
	if (!(r->gbps > 0)) {
		json_null(j, "roofline");
		return;
	}
	json_begin(j, "roofline", '{');
	json_figure(j, "peak", r->tops > 0 ? r->tops : NAN, "TOPS", "measured", -1);
	json_figure(j, "bandwidth", r->gbps, "GB/s", "measured", -1);
	json_num(j, "bytes", r->bytes);
	json_begin(j, "layers", '[');
	for (size_t i = 0; i < r->n; i++)
		json_row(r, &r->row[i], j);
	json_end(j, ']');
	json_end(j, '}');
}
