/* SPDX-License-Identifier: Apache-2.0 */
/* The best set of sizes against trying all sets. */
#include "dyn/buckets.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "unit/test.h"

enum { CANDIDATES = 12, LENGTHS = 40, ROUNDS = 1000 };

static uint64_t seed = 1;

static double uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) * 0x1p-53;
}

/* Time of a set, worked out input by input; INFINITY when it breaks a limit. */
static double try_set(const tarn_length_count *l, size_t n, const tarn_bucket_size *s, int n_size, unsigned set,
		      const tarn_bucket_limits *limits)
{
	double bytes = 0, compile = 0, ms = 0, inputs = 0;
	int count = 0;
	for (int i = 0; i < n_size; i++)
		if (set >> i & 1) {
			bytes += s[i].bytes;
			compile += s[i].compile_ms;
			count++;
		}
	if ((limits->count && count > limits->count) || (limits->bytes > 0 && bytes > limits->bytes) ||
	    (limits->compile_ms > 0 && compile > limits->compile_ms))
		return INFINITY;
	for (size_t k = 0; k < n; k++) {
		int i = 0;
		while (!(set >> i & 1) || s[i].size < l[k].length)
			i++;
		ms += l[k].count * s[i].ms;
		inputs += l[k].count;
	}
	return ms / inputs;
}

static double try_all(const tarn_length_count *l, size_t n, const tarn_bucket_size *s, int n_size,
		      const tarn_bucket_limits *limits)
{
	double best = INFINITY;
	for (unsigned set = 1u << (n_size - 1); set < 1u << n_size; set++)
		best = fmin(best, try_set(l, n, s, n_size, set, limits));
	return best;
}

/* Ascending sizes whose time mostly grows, with steps as devices have them. */
static int make_sizes(tarn_bucket_size *s)
{
	int n = 1 + (int)(uniform() * CANDIDATES);
	int64_t size = 0;
	for (int i = 0; i < n; i++) {
		size += 1 + (int64_t)(uniform() * 40);
		s[i] = (tarn_bucket_size){size, 0.1 + (double)size * (0.8 + 0.4 * uniform()), (double)size * 100 * uniform(),
					  5 + 20 * uniform()};
	}
	return n;
}

static size_t make_lengths(tarn_length_count *l, int64_t most)
{
	int64_t raw[LENGTHS];
	tarn_length_count *list;
	size_t n;
	for (int i = 0; i < LENGTHS; i++)
		raw[i] = 1 + (int64_t)(uniform() * uniform() * (double)most);
	assert_int_equal(tarn_lengths_count(raw, LENGTHS, &list, &n), TARN_OK);
	for (size_t i = 0; i < n; i++)
		l[i] = list[i];
	tarn_mem_free(list);
	return n;
}

static void brute_force(void **state)
{
	(void)state;
	int infeasible = 0;
	for (int round = 0; round < ROUNDS; round++) {
		tarn_bucket_size s[CANDIDATES];
		tarn_length_count l[LENGTHS];
		bool chosen[CANDIDATES];
		int n_size = make_sizes(s);
		size_t n = make_lengths(l, s[n_size - 1].size);
		/* each kind of limit alone, all together, none */
		tarn_bucket_limits limits = {round % 3 ? 1 + (int)(uniform() * 5) : 0, round % 4 ? 0 : 3000 + 20000 * uniform(),
					     round % 5 ? 0 : 10 + 100 * uniform()};
		double best = try_all(l, n, s, n_size, &limits);
		tarn_err err = tarn_buckets_choose(l, n, s, n_size, &limits, chosen);
		if (!isfinite(best)) {
			assert_int_equal(err, TARN_LIMIT);
			infeasible++;
			continue;
		}
		assert_int_equal(err, TARN_OK);
		unsigned set = 0;
		for (int i = 0; i < n_size; i++)
			set |= (unsigned)chosen[i] << i;
		assert_true(set >> (n_size - 1) & 1);
		double got = try_set(l, n, s, n_size, set, &limits);
		assert_true(fabs(got - best) <= 1e-9 * best);
		assert_true(fabs(got - tarn_buckets_ms(l, n, s, n_size, chosen)) <= 1e-9 * best);
	}
	assert_true(infeasible > 0 && infeasible < ROUNDS / 4);
}

/* Worked by hand: lengths 3 (twice) and 10 with sizes 4 and 10 read 4+4+10 elements for 16 valid ones. */
static void by_hand(void **state)
{
	(void)state;
	const int64_t raw[] = {10, 3, 3};
	const tarn_bucket_size s[] = {{4, 1, 0, 0}, {8, 1.5, 0, 0}, {10, 4, 0, 0}};
	tarn_length_count *l;
	size_t n;
	bool chosen[3];
	assert_int_equal(tarn_lengths_count(raw, 3, &l, &n), TARN_OK);
	assert_true(n == 2 && l[0].length == 3 && l[0].count == 2 && l[1].length == 10);
	assert_int_equal(tarn_buckets_choose(l, n, s, 3, &(tarn_bucket_limits){0}, chosen), TARN_OK);
	assert_true(chosen[0] && !chosen[1] && chosen[2]);
	assert_true(fabs(tarn_buckets_ms(l, n, s, 3, chosen) - 2) < 1e-12);
	assert_true(fabs(tarn_buckets_waste(l, n, s, 3, chosen) - 2.0 / 18) < 1e-12);
	assert_int_equal(tarn_buckets_choose(l, n, s, 3, &(tarn_bucket_limits){.count = 1}, chosen), TARN_OK);
	assert_true(!chosen[0] && !chosen[1] && chosen[2]);
	assert_int_equal(tarn_buckets_choose(l, n, s, 2, &(tarn_bucket_limits){0}, chosen), TARN_SHAPE);
	tarn_mem_free(l);
	assert_int_equal(tarn_lengths_count((const int64_t[]){4, 0}, 2, &l, &n), TARN_USAGE);
}

static void candidates(void **state)
{
	(void)state;
	tarn_length_count l[200];
	int64_t size[64];
	int n;
	for (int i = 0; i < 200; i++)
		l[i] = (tarn_length_count){i + 1, 1};
	tarn_buckets_candidates(l, 200, 100, 20, size, &n);
	assert_true(n <= 20 && n >= 15 && size[n - 1] == 100);
	bool eight = false;
	for (int i = 0; i < n; i++) {
		assert_true(!i || size[i] > size[i - 1]);
		eight |= size[i] == 8;
	}
	assert_true(eight);
	tarn_buckets_candidates(l, 3, 5, 20, size, &n);
	assert_true(n == 4 && size[0] == 1 && size[3] == 5);
}

/* Sizes as they are: on straight lines between what is known. */
static void free_sizes(void **state)
{
	(void)state;
	const tarn_bucket_size s[] = {{.size = 8, .ms = 1}, {.size = 16, .ms = 3}, {.size = 32, .ms = 4}};
	const tarn_length_count l[] = {{4, 1}, {12, 2}, {32, 1}};
	assert_true(tarn_buckets_ms_at(s, 3, 3) == 1);
	assert_true(tarn_buckets_ms_at(s, 3, 10) == 1.5);
	assert_true(tarn_buckets_ms_at(s, 3, 16) == 3);
	assert_true(tarn_buckets_ms_at(s, 3, 24) == 3.5);
	assert_true(tarn_buckets_ms_at(s, 3, 99) == 4);
	assert_true(tarn_buckets_free_ms(l, 3, s, 3) == (1 + 2 * 2 + 4) / 4.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(brute_force), cmocka_unit_test(by_hand),
					   cmocka_unit_test(candidates), cmocka_unit_test(free_sizes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
