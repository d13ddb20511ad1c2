/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/buckets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"

enum { MAX_LABELS = 1 << 18 };

/* ---- lengths and candidates ---- */

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

tarn_err tarn_lengths_count(const int64_t *length, size_t n, tarn_length_count **out, size_t *n_out)
{
	CHECK(n, TARN_USAGE, "there are no lengths; give one a line");
	int64_t *sorted = tarn_mem_alloc(n * sizeof *sorted);
	tarn_length_count *list = tarn_mem_zalloc(n, sizeof *list);
	size_t m = 0;
	tarn_err err = TARN_OK;
	if (!sorted || !list) {
		err = tarn_err_nomem(n * sizeof *list);
		goto done;
	}
	memcpy(sorted, length, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_size);
	CHECK_GOTO(done, sorted[0] >= 1, TARN_USAGE, "%lld is no length; lengths are 1 and more", (long long)sorted[0]);
	for (size_t i = 0; i < n; i++) {
		if (!m || list[m - 1].length != sorted[i])
			list[m++].length = sorted[i];
		list[m - 1].count++;
	}
	*out = list;
	*n_out = m;
	list = NULL;
done:
	tarn_mem_free(sorted);
	tarn_mem_free(list);
	return err;
}

static void add_candidate(int64_t *size, int *n, int most, int64_t v)
{
	for (int i = 0; i < *n; i++)
		if (size[i] == v)
			return;
	if (*n < most)
		size[(*n)++] = v;
}

void tarn_buckets_candidates(const tarn_length_count *length, size_t n, int64_t max, int most, int64_t *size, int *n_size)
{
	int k = 0;
	double all = 0, seen = 0;
	while (n && length[n - 1].length > max)
		n--;
	add_candidate(size, &k, most, max);
	for (int64_t p = 8; p < max; p *= 2)
		add_candidate(size, &k, most, p);
	for (size_t i = 0; i < n; i++)
		all += length[i].count;
	/* A length is taken whenever another equal share of the traffic lies at or below it. */
	double share = n > (size_t)(most - k) && most > k ? all / (most - k) : 0, next = share;
	for (size_t i = 0; i < n; i++) {
		seen += length[i].count;
		if (seen + 1e-9 * all < next)
			continue;
		add_candidate(size, &k, most, length[i].length);
		next = seen + share;
	}
	qsort(size, (size_t)k, sizeof *size, by_size);
	*n_size = k;
}

/* ---- choosing ---- */

/* A set of sizes: its largest, and the label of the rest. */
typedef struct label {
	double ms, bytes, compile_ms;
	int count, at, rest; /* rest: -1 none */
} label;

typedef struct search {
	const tarn_bucket_limits *limits;
	VEC(label) list;
} search;

static bool within(const tarn_bucket_limits *l, const label *a)
{
	return (!l->count || a->count <= l->count) && (l->bytes <= 0 || a->bytes <= l->bytes) &&
	       (l->compile_ms <= 0 || a->compile_ms <= l->compile_ms);
}

/* Is a at least as good as b in time and everything limited? */
static bool beats(const tarn_bucket_limits *l, const label *a, const label *b)
{
	return a->ms <= b->ms && (!l->count || a->count <= b->count) && (l->bytes <= 0 || a->bytes <= b->bytes) &&
	       (l->compile_ms <= 0 || a->compile_ms <= b->compile_ms) && (a->ms < b->ms || a->count <= b->count);
}

/* Adds a label to those from `first` on (the same largest size) unless one beats it; those it beats go. */
static tarn_err offer(search *s, size_t first, const label *a)
{
	if (!within(s->limits, a))
		return TARN_OK;
	for (size_t i = first; i < s->list.len; i++)
		if (beats(s->limits, &s->list.at[i], a))
			return TARN_OK;
	size_t kept = first;
	for (size_t i = first; i < s->list.len; i++)
		if (!beats(s->limits, a, &s->list.at[i]))
			s->list.at[kept++] = s->list.at[i];
	s->list.len = kept;
	CHECK(s->list.len < MAX_LABELS, TARN_LIMIT, "too many sets of sizes to compare; give fewer limits");
	TRY(VEC_GROW(&s->list));
	s->list.at[s->list.len++] = *a;
	return TARN_OK;
}

/* How many inputs are at most as long as each candidate. */
static void count_below(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size, double *below)
{
	size_t k = 0;
	double sum = 0;
	for (int i = 0; i < n_size; i++) {
		for (; k < n && length[k].length <= size[i].size; k++)
			sum += length[k].count;
		below[i] = sum;
	}
}

static label extend(const label *rest, int rest_index, const tarn_bucket_size *size, int j, const double *below)
{
	double before = rest ? below[rest->at] : 0;
	label a = {(below[j] - before) * size[j].ms, size[j].bytes, size[j].compile_ms, 1, j, rest_index};
	if (rest) {
		a.ms += rest->ms;
		a.bytes += rest->bytes;
		a.compile_ms += rest->compile_ms;
		a.count += rest->count;
	}
	return a;
}

static tarn_err find_sets(search *s, const tarn_bucket_size *size, int n_size, const double *below)
{
	for (int j = 0; j < n_size; j++) {
		size_t first = s->list.len;
		label alone = extend(NULL, -1, size, j, below);
		TRY(offer(s, first, &alone));
		for (size_t i = 0; i < first; i++) {
			label more = extend(&s->list.at[i], (int)i, size, j, below);
			TRY(offer(s, first, &more));
		}
	}
	return TARN_OK;
}

static tarn_err check_sizes(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size)
{
	CHECK(n && n_size > 0 && n_size <= TARN_BUCKET_CANDIDATES, TARN_USAGE, "%d candidate sizes for %zu lengths", n_size, n);
	for (int i = 0; i < n_size; i++)
		CHECK(isfinite(size[i].ms) && size[i].ms >= 0 && (!i || size[i].size > size[i - 1].size), TARN_USAGE,
		      "candidate sizes must ascend and have a time");
	CHECK(length[n - 1].length <= size[n_size - 1].size, TARN_SHAPE, "a length of %lld is beyond the largest size, %lld",
	      (long long)length[n - 1].length, (long long)size[n_size - 1].size);
	return TARN_OK;
}

tarn_err tarn_buckets_choose(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size,
			     const tarn_bucket_limits *limits, bool *chosen)
{
	double below[TARN_BUCKET_CANDIDATES];
	search s = {.limits = limits};
	const label *best = NULL;
	TRY(check_sizes(length, n, size, n_size));
	count_below(length, n, size, n_size, below);
	tarn_err err;
	TRY_GOTO(done, find_sets(&s, size, n_size, below));
	for (size_t i = 0; i < s.list.len; i++) {
		const label *a = &s.list.at[i];
		if (a->at == n_size - 1 && (!best || a->ms < best->ms || (a->ms <= best->ms && a->count < best->count)))
			best = a;
	}
	CHECK_GOTO(done, best, TARN_LIMIT,
		   "no set of sizes meets the limits: the largest alone takes %.3g MB (what sizes share not counted) and %.3g "
		   "ms to "
		   "compile; give more",
		   size[n_size - 1].bytes * 1e-6, size[n_size - 1].compile_ms);
	memset(chosen, 0, (size_t)n_size * sizeof *chosen);
	for (const label *a = best; a; a = a->rest >= 0 ? &s.list.at[a->rest] : NULL)
		chosen[a->at] = true;
done:
	VEC_FINI(&s.list);
	return err;
}

/* ---- judging ---- */

/* Sum over all inputs of the time (or, for `elements`, of the size) of what serves them. */
static double total(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size, const bool *chosen,
		    bool elements)
{
	double sum = 0;
	int k = 0;
	for (size_t i = 0; i < n; i++) {
		while (k < n_size && (!chosen[k] || size[k].size < length[i].length))
			k++;
		if (k == n_size)
			return INFINITY;
		sum += length[i].count * (elements ? (double)size[k].size : size[k].ms);
	}
	return sum;
}

double tarn_buckets_ms(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size, const bool *chosen)
{
	double inputs = 0;
	for (size_t i = 0; i < n; i++)
		inputs += length[i].count;
	return total(length, n, size, n_size, chosen, false) / inputs;
}

double tarn_buckets_ms_at(const tarn_bucket_size *size, int n_size, int64_t at)
{
	int k = 0;
	while (k < n_size - 1 && size[k].size < at)
		k++;
	if (!k || size[k].size <= at)
		return size[k].ms;
	double share = (double)(at - size[k - 1].size) / (double)(size[k].size - size[k - 1].size);
	return size[k - 1].ms + share * (size[k].ms - size[k - 1].ms);
}

double tarn_buckets_free_ms(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size)
{
	double sum = 0, inputs = 0;
	for (size_t i = 0; i < n; i++) {
		sum += length[i].count * tarn_buckets_ms_at(size, n_size, length[i].length);
		inputs += length[i].count;
	}
	return sum / inputs;
}

double tarn_buckets_waste(const tarn_length_count *length, size_t n, const tarn_bucket_size *size, int n_size,
			  const bool *chosen)
{
	double valid = 0;
	for (size_t i = 0; i < n; i++)
		valid += length[i].count * (double)length[i].length;
	return 1 - valid / total(length, n, size, n_size, chosen, true);
}
