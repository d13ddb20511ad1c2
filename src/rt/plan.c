/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/plan.h"

#include <stdlib.h>

#include "base/mem.h"

typedef struct ranked {
	size_t size;
	int index;
} ranked;

static size_t aligned(size_t n)
{
	return (n + TARN_ALIGN - 1) / TARN_ALIGN * TARN_ALIGN;
}

static int larger_first(const void *a, const void *b)
{
	const ranked *x = a, *y = b;
	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return x->index < y->index ? -1 : 1;
}

/* The smallest gap that holds `size` between the records placed so far (`placed`, by offset) that live together with u. */
static size_t best_gap(const tarn_usage *use, const size_t *offset, const int *placed, int n_placed, const tarn_usage *u,
		       size_t size)
{
	size_t end = 0, best = SIZE_MAX, at = SIZE_MAX;
	for (int k = 0; k < n_placed; k++) {
		const tarn_usage *v = &use[placed[k]];
		if (v->last < u->first || v->first > u->last)
			continue;
		size_t from = offset[placed[k]], to = from + aligned(v->size);
		if (from > end && from - end >= size && from - end < best) {
			best = from - end;
			at = end;
		}
		if (to > end)
			end = to;
	}
	return at != SIZE_MAX ? at : end;
}

tarn_err tarn_plan(const tarn_usage *use, int n, size_t *offset, size_t *total)
{
	tarn_err err = TARN_OK;
	size_t most = 0, sum = 0;
	ranked *order = tarn_mem_zalloc((size_t)n + 1, sizeof *order);
	int *placed = tarn_mem_zalloc((size_t)n + 1, sizeof *placed);
	CHECK_GOTO(done, order && placed, TARN_NOMEM, "out of memory while planning %d buffers", n);
	for (int i = 0; i < n; i++) {
		CHECK_GOTO(done, use[i].size < SIZE_MAX / 4 && sum < SIZE_MAX / 4, TARN_LIMIT,
			   "temporary memory exceeds the address space; use smaller shapes");
		CHECK_GOTO(done, use[i].first <= use[i].last, TARN_INTERNAL, "buffer %d is used last before it is used first",
			   i);
		sum += aligned(use[i].size);
		order[i] = (ranked){aligned(use[i].size), i};
	}
	qsort(order, (size_t)n, sizeof *order, larger_first);
	int n_placed = 0;
	for (int k = 0; k < n; k++) {
		int i = order[k].index;
		offset[i] = 0;
		if (!order[k].size)
			continue;
		offset[i] = best_gap(use, offset, placed, n_placed, &use[i], order[k].size);
		if (offset[i] + order[k].size > most)
			most = offset[i] + order[k].size;
		int at = n_placed++;
		for (; at > 0 && offset[placed[at - 1]] > offset[i]; at--)
			placed[at] = placed[at - 1];
		placed[at] = i;
	}
	*total = most;
done:
	tarn_mem_free(order);
	tarn_mem_free(placed);
	return err;
}

size_t tarn_plan_lower_bound(const tarn_usage *use, int n)
{
	size_t most = 0;
	/* The maximum is reached at a step where some buffer begins. */
	for (int i = 0; i < n; i++) {
		size_t sum = 0;
		for (int k = 0; k < n; k++)
			if (use[k].first <= use[i].first && use[k].last >= use[i].first)
				sum += aligned(use[k].size);
		most = sum > most ? sum : most;
	}
	return most;
}
