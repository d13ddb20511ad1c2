/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products with weights in f32, INT8 and INT4 (groups of 128), on one row (a product limited by memory) and on 128 rows,
 * at BERT-base's sizes and at those of a larger decoder. The three take turns in one process; every figure is measured here.
 *
 *   weights [threads]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "kern/isa.h"
#include "kern/wgemm.h"

enum { ROUNDS = 9, COPIES_BYTES = 256 << 20 };

typedef struct layer {
	const char *what;
	size_t k, n, m;
} layer;

static const layer layers[] = {
	{"BERT-base attention, 1 row", 768, 768, 1},          {"BERT-base feed-forward, 1 row", 768, 3072, 1},
	{"decoder feed-forward, 1 row", 2048, 8192, 1},       {"BERT-base attention, 128 rows", 768, 768, 128},
	{"BERT-base feed-forward, 128 rows", 768, 3072, 128},
};

/* One form of the weights, several times over, so that they come from memory as in a model of many layers. */
typedef struct form {
	const char *name;
	tarn_gemm_f32 **f;
	tarn_wgemm **w;
	size_t copies;
	double bytes; /* of one */
} form;

typedef struct job {
	const form *form;
	size_t copy;
	tarn_gemm_f32_args args;
} job;

static void run_task(void *arg, int task, int n_tasks)
{
	job *j = arg;
	int all = j->form->f ? tarn_gemm_f32_tasks(j->form->f[j->copy], j->args.m)
			     : tarn_wgemm_tasks(j->form->w[j->copy], j->args.m);
	int begin = all * task / n_tasks, end = all * (task + 1) / n_tasks;
	if (j->form->f)
		tarn_gemm_f32_run(j->form->f[j->copy], &j->args, begin, end);
	else
		tarn_wgemm_run(j->form->w[j->copy], &j->args, begin, end);
}

static double once(tarn_pool *pool, const form *f, const layer *l, const float *a, float *c)
{
	job j = {.form = f, .args = {.m = l->m, .a = a, .lda = l->k, .c = c, .ldc = l->n}};
	int64_t begin = tarn_clock_ns();
	for (j.copy = 0; j.copy < f->copies; j.copy++)
		tarn_pool_run(pool, tarn_pool_threads(pool), run_task, &j);
	return (double)(tarn_clock_ns() - begin) * 1e-6 / (double)f->copies;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static tarn_err make(form *f, const layer *l, const float *w, const int8_t *code, const float *scale, int bits, size_t group)
{
	tarn_wgemm_weights x = {.k = l->k, .n = l->n, .bits = bits, .code = code, .group = group, .scale = scale};
	f->f = bits ? NULL : tarn_mem_zalloc(f->copies, sizeof *f->f);
	f->w = bits ? tarn_mem_zalloc(f->copies, sizeof *f->w) : NULL;
	if (!f->f && !f->w)
		return tarn_err_nomem(f->copies);
	for (size_t i = 0; i < f->copies; i++)
		TRY(bits ? tarn_wgemm_pack(&x, &f->w[i]) : tarn_gemm_f32_pack(l->k, l->n, w, l->n, false, NULL, &f->f[i]));
	f->bytes = (double)(bits ? tarn_wgemm_bytes(f->w[0]) : tarn_gemm_f32_bytes(f->f[0]));
	return TARN_OK;
}

static void drop(form *f)
{
	for (size_t i = 0; i < f->copies; i++) {
		if (f->f)
			tarn_gemm_f32_free(f->f[i]);
		if (f->w)
			tarn_wgemm_free(f->w[i]);
	}
	tarn_mem_free(f->f);
	tarn_mem_free(f->w);
}

static int measure(tarn_pool *pool, const layer *l)
{
	size_t copies = COPIES_BYTES / (l->k * l->n * sizeof(float)) / (l->m > 1 ? 8 : 1) + 1;
	form forms[3] = {
		{.name = "f32", .copies = copies}, {.name = "INT8", .copies = copies}, {.name = "INT4", .copies = copies}};
	float *w = malloc(l->k * l->n * sizeof *w), *a = malloc(l->m * l->k * sizeof *a), *c = malloc(l->m * l->n * sizeof *c);
	float *scale = malloc(l->k * l->n / 16 * sizeof *scale);
	int8_t *code = malloc(l->k * l->n);
	double ms[3][ROUNDS];
	if (!w || !a || !c || !scale || !code)
		return 1;
	for (size_t i = 0; i < l->k * l->n; i++) {
		code[i] = (int8_t)((int)(i * 7919 % 16) - 8);
		w[i] = 0.01f * (float)code[i];
	}
	for (size_t i = 0; i < l->k * l->n / 16; i++)
		scale[i] = 0.01f;
	for (size_t i = 0; i < l->m * l->k; i++)
		a[i] = (float)(i % 17) - 8;
	if (make(&forms[0], l, w, NULL, NULL, 0, 0) != TARN_OK || make(&forms[1], l, NULL, code, scale, 8, l->k) != TARN_OK ||
	    make(&forms[2], l, NULL, code, scale, 4, 128) != TARN_OK) {
		fprintf(stderr, "%s\n", tarn_err_text());
		return 1;
	}
	for (int round = -1; round < ROUNDS; round++)
		for (int f = 0; f < 3; f++) {
			double t = once(pool, &forms[f], l, a, c);
			if (round >= 0)
				ms[f][round] = t;
		}
	printf("%-34s", l->what);
	for (int f = 0; f < 3; f++) {
		qsort(ms[f], ROUNDS, sizeof **ms, by_value);
		printf("  %s %8.4f ms", forms[f].name, ms[f][ROUNDS / 2]);
		if (f)
			printf(" (%.2fx)", ms[0][ROUNDS / 2] / ms[f][ROUNDS / 2]);
		else
			printf(" (%.1f GB/s)", forms[0].bytes / ms[0][ROUNDS / 2] * 1e-6);
	}
	printf("\n");
	for (int f = 0; f < 3; f++)
		drop(&forms[f]);
	free(w), free(a), free(c), free(scale), free(code);
	return 0;
}

int main(int argc, char **argv)
{
	tarn_pool *pool;
	int threads = argc > 1 ? atoi(argv[1]) : 1, code = 0;
	if (tarn_pool_new(threads, &pool) != TARN_OK)
		return 1;
	printf("%d threads, %s; medians of %d rounds in turn, measured\n", threads, tarn_isa_name(tarn_isa_get()), ROUNDS);
	for (size_t i = 0; i < sizeof layers / sizeof *layers && !code; i++)
		code = measure(pool, &layers[i]);
	tarn_pool_free(pool);
	return code;
}
