/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/queue/run.h"

#include <string.h>

#include "timing/timing.h"

/* What the array computes takes longer; transfers, SHAVEs and the fixed cost have clocks of their own. */
static uint64_t graph_time_ns(const tarn_npu_program *p, bool turbo, double slow)
{
	bool throttled = slow > 0 && slow < 1;
	tarn_npu_times t = tarn_npu_program_times(p, turbo && !throttled);
	double dpu = t.account ? (double)t.account->dpu_ns : (double)t.total_ns;
	return t.total_ns + (throttled ? (uint64_t)(dpu * (1 / slow - 1)) : 0);
}

uint64_t tarn_run_time_ns(const tarn_cmd *c, const tarn_arch *arch, bool turbo, double slow)
{
	size_t bytes;
	switch (c->kind) {
	case TARN_CMD_COPY:
	case TARN_CMD_FILL:
		bytes = c->bytes;
		break;
	case TARN_CMD_REGION:
		bytes = c->region.row_bytes * c->region.rows * c->region.slices;
		break;
	case TARN_CMD_GRAPH:
		return graph_time_ns(c->program, turbo, slow);
	default:
		return 0;
	}
	return (uint64_t)(tarn_timing_dma_us(arch, TARN_DMA_DDR2DDR, bytes) * 1000);
}

static void run_region(const tarn_cmd *c)
{
	const tarn_cmd_region *r = &c->region;
	char *dst = c->dst;
	const char *src = c->src;
	for (size_t z = 0; z < r->slices; z++)
		for (size_t y = 0; y < r->rows; y++)
			memmove(dst + z * r->dst_slice + y * r->dst_pitch, src + z * r->src_slice + y * r->src_pitch,
				r->row_bytes);
}

static void run_fill(const tarn_cmd *c)
{
	unsigned char *dst = c->dst;
	const unsigned char *pattern = (const unsigned char *)&c->pattern;
	if (c->pattern_bytes == 1) {
		memset(dst, pattern[0], c->bytes);
		return;
	}
	for (size_t i = 0; i < c->bytes; i++)
		dst[i] = pattern[i % c->pattern_bytes];
}

enum { NO_RESULT = 0xA5, LOOKED_AT = 64 };

/* Both ends tell whether nobody wrote there since the last time: writing megabytes again would take longer than the device. */
static void fill_no_result(unsigned char *at, size_t bytes)
{
	size_t n = bytes < LOOKED_AT ? bytes : LOOKED_AT, same = 0;
	while (same < n && at[same] == NO_RESULT && at[bytes - 1 - same] == NO_RESULT)
		same++;
	if (same < n)
		memset(at, NO_RESULT, bytes);
}

static tarn_err run_graph(const tarn_cmd *c, bool paced, tarn_pool *pool)
{
	if (!paced)
		return tarn_exec_run(c->program, c->args, pool);
	uint32_t n;
	const tarn_npu_arg *arg = tarn_npu_program_args(c->program, &n);
	for (uint32_t i = 0; i < n; i++)
		if (arg[i].output)
			fill_no_result(c->args[i], arg[i].bytes);
	return TARN_OK;
}

tarn_err tarn_run_cmd(const tarn_cmd *c, bool paced, tarn_pool *pool)
{
	switch (c->kind) {
	case TARN_CMD_COPY:
		memmove(c->dst, c->src, c->bytes);
		return TARN_OK;
	case TARN_CMD_REGION:
		run_region(c);
		return TARN_OK;
	case TARN_CMD_FILL:
		run_fill(c);
		return TARN_OK;
	case TARN_CMD_GRAPH:
		return run_graph(c, paced, pool);
	default:
		return TARN_OK;
	}
}

void tarn_run_times(const tarn_cmd *c)
{
	uint64_t *dst = c->dst;
	for (uint32_t i = 0; i < c->n_targets; i++) {
		/* ze_kernel_timestamp_result_t: global start and end, then the context's, which are the same here. */
		uint64_t t[4] = {c->target[i]->start_tick, c->target[i]->end_tick, c->target[i]->start_tick,
				 c->target[i]->end_tick};
		memcpy(dst + i * 4, t, sizeof t);
	}
}
