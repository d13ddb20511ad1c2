/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the core API. Memory must lie in allocations of the list's context. */
#include <string.h>

#include "base/mem.h"
#include "driver/ze/ze.h"

static ze_result_t timestamp(ze_command_list_handle_t l, uint64_t *dst, ze_event_handle_t signal, uint32_t n,
			     ze_event_handle_t *wait)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(dst);
	if (!tarn_ze_context_owns(l->context, dst, sizeof *dst))
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	return tarn_ze_list_append(l, &(tarn_cmd){.kind = TARN_CMD_TIMESTAMP, .dst = dst}, signal, n, wait);
}

static ze_result_t barrier(ze_command_list_handle_t l, ze_event_handle_t signal, uint32_t n, ze_event_handle_t *wait)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	return tarn_ze_list_append(l, &(tarn_cmd){.kind = TARN_CMD_BARRIER}, signal, n, wait);
}

static ze_result_t ranges_barrier(ze_command_list_handle_t l, uint32_t n_ranges, const size_t *sizes, const void **ranges,
				  ze_event_handle_t signal, uint32_t n, ze_event_handle_t *wait)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(sizes);
	CHECK_POINTER(ranges);
	for (uint32_t i = 0; i < n_ranges; i++)
		if (!tarn_ze_context_owns(l->context, ranges[i], sizes[i]))
			return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	return tarn_ze_list_append(l, &(tarn_cmd){.kind = TARN_CMD_BARRIER}, signal, n, wait);
}

static ze_result_t copy(ze_command_list_handle_t l, void *dst, const void *src, size_t size, ze_event_handle_t signal,
			uint32_t n, ze_event_handle_t *wait)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(dst);
	CHECK_POINTER(src);
	if (!size)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (!tarn_ze_context_owns(l->context, dst, size) || !tarn_ze_context_owns(l->context, src, size))
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	return tarn_ze_list_append(l, &(tarn_cmd){.kind = TARN_CMD_COPY, .dst = dst, .src = src, .bytes = size}, signal, n,
				   wait);
}

static ze_result_t fill(ze_command_list_handle_t l, void *dst, const void *pattern, size_t pattern_size, size_t size,
			ze_event_handle_t signal, uint32_t n, ze_event_handle_t *wait)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(dst);
	CHECK_POINTER(pattern);
	if (!size || !pattern_size || pattern_size > sizeof(uint32_t) || pattern_size & (pattern_size - 1) ||
	    size % pattern_size)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	if (!tarn_ze_context_owns(l->context, dst, size))
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	tarn_cmd c = {.kind = TARN_CMD_FILL, .dst = dst, .bytes = size, .pattern_bytes = (uint32_t)pattern_size};
	memcpy(&c.pattern, pattern, pattern_size);
	return tarn_ze_list_append(l, &c, signal, n, wait);
}

/* Bytes from the first to past the last of a box, 0 when that does not fit a size_t. */
static size_t extent(const ze_copy_region_t *r, size_t pitch, size_t slice)
{
	__uint128_t n = (__uint128_t)(r->originZ + (uint64_t)r->depth - 1) * slice +
			(__uint128_t)(r->originY + (uint64_t)r->height - 1) * pitch + r->originX + r->width;
	return n > SIZE_MAX ? 0 : (size_t)n;
}

static ze_result_t region(ze_command_list_handle_t l, void *dst, const ze_copy_region_t *to, uint32_t dst_pitch,
			  uint32_t dst_slice, const void *src, const ze_copy_region_t *from, uint32_t src_pitch,
			  uint32_t src_slice, ze_event_handle_t signal, uint32_t n, ze_event_handle_t *wait)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(dst);
	CHECK_POINTER(src);
	CHECK_POINTER(to);
	CHECK_POINTER(from);
	ze_copy_region_t d = *to, s = *from;
	/* A box without depth has one slice. */
	d.depth = d.depth ? d.depth : 1;
	s.depth = s.depth ? s.depth : 1;
	if (!d.width || !d.height || d.width != s.width || d.height != s.height || d.depth != s.depth)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	size_t d_end = extent(&d, dst_pitch, dst_slice), s_end = extent(&s, src_pitch, src_slice);
	if (!d_end || !s_end || !tarn_ze_context_owns(l->context, dst, d_end) || !tarn_ze_context_owns(l->context, src, s_end))
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	tarn_cmd c = {
		.kind = TARN_CMD_REGION,
		.dst = (char *)dst + (size_t)d.originZ * dst_slice + (size_t)d.originY * dst_pitch + d.originX,
		.src = (const char *)src + (size_t)s.originZ * src_slice + (size_t)s.originY * src_pitch + s.originX,
		.region = {d.width, d.height, d.depth, dst_pitch, dst_slice, src_pitch, src_slice},
	};
	return tarn_ze_list_append(l, &c, signal, n, wait);
}

static ze_result_t signal_event(ze_command_list_handle_t l, ze_event_handle_t e)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_HANDLE(e, TARN_ZE_EVENT);
	return tarn_ze_list_append(l, &(tarn_cmd){.kind = TARN_CMD_BARRIER}, e, 0, NULL);
}

static ze_result_t wait_events(ze_command_list_handle_t l, uint32_t n, ze_event_handle_t *events)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(events);
	if (!n)
		return ZE_RESULT_ERROR_INVALID_SIZE;
	return tarn_ze_list_append(l, &(tarn_cmd){.kind = TARN_CMD_BARRIER}, NULL, n, events);
}

static ze_result_t event_reset(ze_command_list_handle_t l, ze_event_handle_t e)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_HANDLE(e, TARN_ZE_EVENT);
	return tarn_ze_list_append(l, &(tarn_cmd){.kind = TARN_CMD_RESET, .target = &e->signal, .n_targets = 1}, NULL, 0, NULL);
}

static ze_result_t query_timestamps(ze_command_list_handle_t l, uint32_t n_events, ze_event_handle_t *events, void *dst,
				    const size_t *offsets, ze_event_handle_t signal, uint32_t n, ze_event_handle_t *wait)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(events);
	CHECK_POINTER(dst);
	if (!n_events || offsets)
		return n_events ? ZE_RESULT_ERROR_UNSUPPORTED_FEATURE : ZE_RESULT_ERROR_INVALID_SIZE;
	if (!tarn_ze_context_owns(l->context, dst, n_events * sizeof(ze_kernel_timestamp_result_t)))
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	for (uint32_t i = 0; i < n_events; i++)
		CHECK_HANDLE(events[i], TARN_ZE_EVENT);
	tarn_signal **s = tarn_mem_alloc(n_events * sizeof *s);
	if (!s)
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	for (uint32_t i = 0; i < n_events; i++)
		s[i] = events[i]->signal;
	tarn_cmd c = {.kind = TARN_CMD_TIMES, .dst = dst, .target = s, .n_targets = n_events};
	ze_result_t r = tarn_ze_list_append(l, &c, signal, n, wait);
	tarn_mem_free(s);
	return r;
}

void tarn_ze_list_fill_appends(ze_command_list_dditable_t *t)
{
	t->pfnAppendWriteGlobalTimestamp = timestamp;
	t->pfnAppendBarrier = barrier;
	t->pfnAppendMemoryRangesBarrier = ranges_barrier;
	t->pfnAppendMemoryCopy = copy;
	t->pfnAppendMemoryFill = fill;
	t->pfnAppendMemoryCopyRegion = region;
	t->pfnAppendSignalEvent = signal_event;
	t->pfnAppendWaitOnEvents = wait_events;
	t->pfnAppendEventReset = event_reset;
	t->pfnAppendQueryKernelTimestamps = query_timestamps;
}
