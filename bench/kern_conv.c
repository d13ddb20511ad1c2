/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the f32 convolution kernels on the layers of ResNet-50 and MobileNetV2 (batch 1, 224 x 224), against the FMA peak
 * measured in the same process. Every figure is measured here.
 *
 *   kern_conv [threads] [layers]   threads: default 1; layers: print each layer
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "kern/conv.h"
#include "kern/depthwise.h"
#include "kern/isa.h"
#include "kern/winograd.h"

typedef struct layer {
	int ic, oc, k, stride, size; /* size: rows and columns of the input */
	bool depthwise, residual;
	int times;
} layer;

static const layer resnet50[] = {
	{3, 64, 7, 2, 224, false, false, 1},     {64, 64, 1, 1, 56, false, false, 1},    {64, 64, 3, 1, 56, false, false, 3},
	{64, 256, 1, 1, 56, false, true, 3},     {64, 256, 1, 1, 56, false, false, 1},   {256, 64, 1, 1, 56, false, false, 2},
	{256, 128, 1, 1, 56, false, false, 1},   {128, 128, 3, 2, 56, false, false, 1},  {128, 512, 1, 1, 28, false, true, 4},
	{256, 512, 1, 2, 56, false, false, 1},   {512, 128, 1, 1, 28, false, false, 3},  {128, 128, 3, 1, 28, false, false, 3},
	{512, 256, 1, 1, 28, false, false, 1},   {256, 256, 3, 2, 28, false, false, 1},  {256, 1024, 1, 1, 14, false, true, 6},
	{512, 1024, 1, 2, 28, false, false, 1},  {1024, 256, 1, 1, 14, false, false, 5}, {256, 256, 3, 1, 14, false, false, 5},
	{1024, 512, 1, 1, 14, false, false, 1},  {512, 512, 3, 2, 14, false, false, 1},  {512, 2048, 1, 1, 7, false, true, 3},
	{1024, 2048, 1, 2, 14, false, false, 1}, {2048, 512, 1, 1, 7, false, false, 2},  {512, 512, 3, 1, 7, false, false, 2},
};

static const layer mobilenetv2[] = {
	{3, 32, 3, 2, 224, false, false, 1},  {32, 32, 3, 1, 112, true, false, 1},  {32, 16, 1, 1, 112, false, false, 1},
	{16, 96, 1, 1, 112, false, false, 1}, {96, 96, 3, 2, 112, true, false, 1},  {96, 24, 1, 1, 56, false, false, 1},
	{24, 144, 1, 1, 56, false, false, 2}, {144, 144, 3, 1, 56, true, false, 1}, {144, 24, 1, 1, 56, false, true, 1},
	{144, 144, 3, 2, 56, true, false, 1}, {144, 32, 1, 1, 28, false, false, 1}, {32, 192, 1, 1, 28, false, false, 3},
	{192, 192, 3, 1, 28, true, false, 2}, {192, 32, 1, 1, 28, false, true, 2},  {192, 192, 3, 2, 28, true, false, 1},
	{192, 64, 1, 1, 14, false, false, 1}, {64, 384, 1, 1, 14, false, false, 4}, {384, 384, 3, 1, 14, true, false, 4},
	{384, 64, 1, 1, 14, false, true, 3},  {384, 96, 1, 1, 14, false, false, 1}, {96, 576, 1, 1, 14, false, false, 3},
	{576, 576, 3, 1, 14, true, false, 2}, {576, 96, 1, 1, 14, false, true, 2},  {576, 576, 3, 2, 14, true, false, 1},
	{576, 160, 1, 1, 7, false, false, 1}, {160, 960, 1, 1, 7, false, false, 3}, {960, 960, 3, 1, 7, true, false, 3},
	{960, 160, 1, 1, 7, false, true, 2},  {960, 320, 1, 1, 7, false, false, 1}, {320, 1280, 1, 1, 7, false, false, 1},
};

typedef struct bound {
	tarn_conv_f32 *conv;
	tarn_conv_f32_plan *plan;
	tarn_depthwise_f32 *dw;
	tarn_depthwise_f32_args args;
	tarn_winograd_f32 *wino;
	tarn_winograd_f32_args wino_args;
	size_t scratch_bytes;
	char *scratch; /* one piece for each thread */
	float *in, *out, *res;
	int tasks;
	double gflop;
	int64_t best;
} bound;

static void fail(void)
{
	fprintf(stderr, "kern_conv: %s\n", tarn_err_text());
	exit(1);
}

static float *floats(size_t n)
{
	float *p = tarn_mem_alloc_aligned(n * sizeof *p);
	if (!p)
		exit(1);
	for (size_t i = 0; i < n; i++)
		p[i] = (float)(i * 2654435761u >> 16 & 0xff) / 256.0f - 0.5f;
	return p;
}

static void run_tasks(void *arg, int task, int n_tasks)
{
	bound *b = arg;
	int begin = (int)((long long)b->tasks * task / n_tasks), end = (int)((long long)b->tasks * (task + 1) / n_tasks);
	if (b->dw)
		tarn_depthwise_f32_run(b->dw, &b->args, begin, end);
	else if (b->wino)
		tarn_winograd_f32_run(b->wino, &b->wino_args, begin, end, b->scratch + (size_t)task * b->scratch_bytes);
	else
		tarn_conv_f32_run(b->plan, b->in, b->out, b->res, begin, end);
}

static void bind_layer(const layer *l, bool winograd, int threads, bound *b)
{
	int pad = l->k / 2, out = (l->size + 2 * pad - l->k) / l->stride + 1;
	size_t pixels = (size_t)out * (size_t)out, taps = (size_t)(l->k * l->k);
	size_t weights = taps * (size_t)l->oc * (size_t)(l->depthwise ? 1 : l->ic);
	float *w = floats(weights), *bias = floats((size_t)l->oc);
	tarn_epilogue e = {.act = TARN_UNARY_RELU};
	*b = (bound){
		.in = floats((size_t)(l->size * l->size * l->ic)), .out = floats(pixels * (size_t)l->oc), .best = INT64_MAX};
	b->res = l->residual ? floats(pixels * (size_t)l->oc) : NULL;
	b->gflop = 2e-9 * (double)weights * (double)pixels;
	if (l->depthwise) {
		tarn_depthwise_spec s = {l->ic, 1, l->k, l->k, l->stride, l->stride, 1, 1};
		tarn_conv_shape h = {
			.n = 1, .ih = l->size, .iw = l->size, .oh = out, .ow = out, .pad_top = pad, .pad_left = pad};
		if (tarn_depthwise_f32_pack(&s, w, bias, &b->dw) != TARN_OK)
			fail();
		b->args = (tarn_depthwise_f32_args){h, e, b->in, b->out, NULL};
		b->tasks = tarn_depthwise_f32_tasks(&h);
	} else {
		tarn_conv_spec s = {l->ic, l->oc, 1, l->k, l->k, l->stride, l->stride, 1, 1};
		tarn_conv_shape h = {
			.n = 1, .ih = l->size, .iw = l->size, .oh = out, .ow = out, .pad_top = pad, .pad_left = pad};
		if (winograd && tarn_winograd_f32_worth(&s, &h)) {
			if (tarn_winograd_f32_pack(&s, w, bias, &b->wino) != TARN_OK)
				fail();
			b->wino_args = (tarn_winograd_f32_args){h, e, b->in, b->out, b->res};
			b->tasks = tarn_winograd_f32_tasks(b->wino, &h);
			b->scratch_bytes = (tarn_winograd_f32_scratch(b->wino, &h) + 63) / 64 * 64;
			b->scratch = tarn_mem_alloc_aligned(b->scratch_bytes * (size_t)threads);
			if (!b->scratch)
				exit(1);
			goto done;
		}
		if (tarn_conv_f32_pack(&s, w, bias, &b->conv) != TARN_OK ||
		    tarn_conv_f32_plan_new(b->conv, &h, &e, &b->plan) != TARN_OK)
			fail();
		b->tasks = tarn_conv_f32_tasks(b->plan);
	}
done:
	tarn_mem_free_aligned(w);
	tarn_mem_free_aligned(bias);
}

static void release(bound *b)
{
	tarn_conv_f32_plan_free(b->plan);
	tarn_conv_f32_free(b->conv);
	tarn_depthwise_f32_free(b->dw);
	tarn_winograd_f32_free(b->wino);
	tarn_mem_free_aligned(b->scratch);
	tarn_mem_free_aligned(b->in);
	tarn_mem_free_aligned(b->out);
	tarn_mem_free_aligned(b->res);
}

/* Independent FMAs on registers only: what the core can do at this level at its present clock. 0 = no such loop for the level.
 */
#if defined(__x86_64__)
#define REP12(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11)
#define FMA_ZMM(i) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #i "\n"
#define FMA_YMM(i) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #i "\n"
#define CLOBBERS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "cc"
static void fma_loop(tarn_isa isa, long n)
{
	if (isa == TARN_ISA_AVX512)
		__asm__ volatile("1:" REP12(FMA_ZMM) REP12(FMA_ZMM) "dec %0\n jnz 1b\n vzeroupper" : "+r"(n) : : CLOBBERS);
	else
		__asm__ volatile("1:" REP12(FMA_YMM) REP12(FMA_YMM) "dec %0\n jnz 1b\n vzeroupper" : "+r"(n) : : CLOBBERS);
}

static void peak_task(void *arg, int task, int n_tasks)
{
	(void)task, (void)n_tasks;
	fma_loop(*(tarn_isa *)arg, 20000);
}

static double peak(tarn_pool *pool)
{
	tarn_isa isa = tarn_isa_base();
	int64_t best = INT64_MAX;
	int lanes = isa == TARN_ISA_AVX512 ? 16 : 8, threads = tarn_pool_threads(pool);
	if (isa == TARN_ISA_PORTABLE)
		return 0;
	for (int i = 0; i < 400; i++) {
		int64_t t0 = tarn_clock_ns();
		tarn_pool_run(pool, threads, peak_task, &isa);
		int64_t t = tarn_clock_ns() - t0;
		best = t < best ? t : best;
	}
	return 20000.0 * 24 * 2 * lanes * threads / (double)best;
}
#else
static double peak(tarn_pool *pool)
{
	(void)pool;
	return 0;
}
#endif

static double percent(double rate, double top)
{
	return top > 0 ? 100 * rate / top : 0;
}

static void network(const char *name, const layer *layers, size_t n, bool winograd, tarn_pool *pool, bool print, double top)
{
	bound *b = calloc(n, sizeof *b);
	if (!b)
		exit(1);
	for (size_t i = 0; i < n; i++)
		bind_layer(&layers[i], winograd, tarn_pool_threads(pool), &b[i]);
	for (int round = 0; round < 12; round++) { /* interleaved: a quiet moment serves every layer */
		for (size_t i = 0; i < n; i++) {
			for (int rep = 0; rep < 3; rep++) {
				int64_t t0 = tarn_clock_ns();
				tarn_pool_run(pool, tarn_pool_threads(pool), run_tasks, &b[i]);
				int64_t t = tarn_clock_ns() - t0;
				b[i].best = t < b[i].best ? t : b[i].best;
			}
		}
	}
	double gflop = 0, ns = 0;
	for (size_t i = 0; i < n; i++) {
		const layer *l = &layers[i];
		gflop += b[i].gflop * l->times;
		ns += (double)b[i].best * l->times;
		if (print)
			printf("  %4d x %4d %dx%d/%d %s %3d  x%d %8.1f us %7.1f GFLOP/s %4.0f %%\n", l->ic, l->oc, l->k, l->k,
			       l->stride,
			       b[i].dw     ? "depthwise"
			       : b[i].wino ? "winograd "
					   : "direct   ",
			       l->size, l->times, (double)b[i].best / 1e3, b[i].gflop / (double)b[i].best * 1e9,
			       percent(b[i].gflop / (double)b[i].best * 1e9, top));
		release(&b[i]);
	}
	printf("%-19s %7.3f ms %7.1f GFLOP/s %4.0f %% of peak (sum of each layer's minimum, measured)\n", name, ns / 1e6,
	       gflop / ns * 1e9, percent(gflop / ns * 1e9, top));
	free(b);
}

int main(int argc, char **argv)
{
	tarn_pool *pool;
	if (tarn_pool_new(argc > 1 ? atoi(argv[1]) : 1, &pool) != TARN_OK)
		fail();
	bool print = argc > 2 && !strcmp(argv[2], "layers");
	double top = peak(pool);
	printf("%s, %d thread(s), register-only FMA peak %.1f GFLOP/s (measured)\n", tarn_isa_name(tarn_isa_get()),
	       tarn_pool_threads(pool), top);
	network("ResNet-50", resnet50, sizeof resnet50 / sizeof *resnet50, false, pool, print, top);
	network("ResNet-50, Winograd", resnet50, sizeof resnet50 / sizeof *resnet50, true, pool, print, top);
	network("MobileNetV2", mobilenetv2, sizeof mobilenetv2 / sizeof *mobilenetv2, false, pool, print, top);
	tarn_pool_free(pool);
	return 0;
}
