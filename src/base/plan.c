/* SPDX-License-Identifier: Apache-2.0 */
#include "base/plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

static void by_size(const tarn_usage *use, int n, const ranked *order, int *placed, size_t *offset, size_t *total)
{
	int n_placed = 0;
	for (int k = 0; k < n; k++) {
		int i = order[k].index;
		if (!order[k].size)
			continue;
		offset[i] = best_gap(use, offset, placed, n_placed, &use[i], order[k].size);
		if (offset[i] + order[k].size > *total)
			*total = offset[i] + order[k].size;
		int at = n_placed++;
		for (; at > 0 && offset[placed[at - 1]] > offset[i]; at--)
			placed[at] = placed[at - 1];
		placed[at] = i;
	}
}

/* ---- too many to compare each with each: step by step, as an allocator would ---- */

typedef struct hole {
	size_t from, to;
} hole;

static int earlier_first(const void *a, const void *b, void *use)
{
	const ranked *x = a, *y = b;
	int fx = ((const tarn_usage *)use)[x->index].first, fy = ((const tarn_usage *)use)[y->index].first;
	return fx != fy ? (fx < fy ? -1 : 1) : larger_first(a, b);
}

static int earlier_dead_first(const void *a, const void *b, void *use)
{
	int x = *(const int *)a, y = *(const int *)b;
	int lx = ((const tarn_usage *)use)[x].last, ly = ((const tarn_usage *)use)[y].last;
	return lx != ly ? (lx < ly ? -1 : 1) : x - y;
}

/* Holes are by address and do not touch. */
static void give_back(hole *h, int *n, size_t from, size_t to)
{
	int at = *n;
	while (at > 0 && h[at - 1].from > from)
		at--;
	bool below = at > 0 && h[at - 1].to == from, above = at < *n && h[at].from == to;
	if (below && above) {
		h[at - 1].to = h[at].to;
		memmove(h + at, h + at + 1, (size_t)(*n - at - 1) * sizeof *h);
		--*n;
	} else if (below) {
		h[at - 1].to = to;
	} else if (above) {
		h[at].from = from;
	} else {
		memmove(h + at + 1, h + at, (size_t)(*n - at) * sizeof *h);
		h[at] = (hole){from, to};
		++*n;
	}
}

static size_t take(hole *h, int *n, size_t size, size_t *total)
{
	int best = -1;
	for (int i = 0; i < *n; i++)
		if (h[i].to - h[i].from >= size && (best < 0 || h[i].to - h[i].from < h[best].to - h[best].from))
			best = i;
	if (best < 0 && *n && h[*n - 1].to == *total) { /* the last hole grows */
		best = *n - 1;
		h[best].to = *total = h[best].from + size;
	}
	if (best < 0) {
		*total += size;
		return *total - size;
	}
	size_t at = h[best].from;
	h[best].from += size;
	if (h[best].from == h[best].to) {
		memmove(h + best, h + best + 1, (size_t)(*n - best - 1) * sizeof *h);
		--*n;
	}
	return at;
}

static tarn_err by_time(const tarn_usage *use, int n, ranked *order, int *dead, size_t *offset, size_t *total)
{
	int n_hole = 0, gone = 0;
	hole *h = tarn_mem_zalloc((size_t)n + 1, sizeof *h);
	if (!h)
		return tarn_err_nomem(((size_t)n + 1) * sizeof *h);
	for (int i = 0; i < n; i++)
		dead[i] = i;
	qsort_r(order, (size_t)n, sizeof *order, earlier_first, (void *)(uintptr_t)use);
	qsort_r(dead, (size_t)n, sizeof *dead, earlier_dead_first, (void *)(uintptr_t)use);
	for (int k = 0; k < n; k++) {
		int i = order[k].index;
		for (; use[dead[gone]].last < use[i].first; gone++)
			if (use[dead[gone]].size)
				give_back(h, &n_hole, offset[dead[gone]], offset[dead[gone]] + aligned(use[dead[gone]].size));
		if (order[k].size)
			offset[i] = take(h, &n_hole, order[k].size, total);
	}
	tarn_mem_free(h);
	return TARN_OK;
}

/* ---- the plan ---- */

tarn_err tarn_plan(const tarn_usage *use, int n, size_t *offset, size_t *total)
{
	enum { MANY = 4096 };
	tarn_err err = TARN_OK;
	size_t most = 0, sum = 0;
	ranked *order = tarn_mem_zalloc((size_t)n + 1, sizeof *order);
	int *scratch = tarn_mem_zalloc((size_t)n + 1, sizeof *scratch);
	CHECK_GOTO(done, order && scratch, TARN_NOMEM, "out of memory while planning %d buffers", n);
	for (int i = 0; i < n; i++) {
		CHECK_GOTO(done, use[i].size < SIZE_MAX / 4 && sum < SIZE_MAX / 4, TARN_LIMIT,
			   "temporary memory exceeds the address space; use smaller shapes");
		CHECK_GOTO(done, use[i].first <= use[i].last, TARN_INTERNAL, "buffer %d is used last before it is used first",
			   i);
		sum += aligned(use[i].size);
		order[i] = (ranked){aligned(use[i].size), i};
		offset[i] = 0;
	}
	if (n > MANY) {
		err = by_time(use, n, order, scratch, offset, &most);
	} else {
		qsort(order, (size_t)n, sizeof *order, larger_first);
		by_size(use, n, order, scratch, offset, &most);
	}
	*total = most;
done:
	tarn_mem_free(order);
	tarn_mem_free(scratch);
	return err;
}

size_t tarn_plan_lower_bound(const tarn_usage *use, int n)
{
	size_t most = 0, sum = 0;
	ranked *order = tarn_mem_zalloc((size_t)n + 1, sizeof *order);
	int *dead = tarn_mem_zalloc((size_t)n + 1, sizeof *dead), gone = 0;
	for (int i = 0; order && dead && i < n; i++) {
		order[i] = (ranked){aligned(use[i].size), i};
		dead[i] = i;
	}
	if (order && dead) {
		qsort_r(order, (size_t)n, sizeof *order, earlier_first, (void *)(uintptr_t)use);
		qsort_r(dead, (size_t)n, sizeof *dead, earlier_dead_first, (void *)(uintptr_t)use);
	}
	/* The maximum is reached at a step where some buffer begins. */
	for (int k = 0; order && dead && k < n; k++) {
		for (; use[dead[gone]].last < use[order[k].index].first; gone++)
			sum -= aligned(use[dead[gone]].size);
		sum += order[k].size;
		most = sum > most ? sum : most;
	}
	tarn_mem_free(order);
	tarn_mem_free(dead);
	return most;
}
