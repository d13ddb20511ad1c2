/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/plan.h"

static uint32_t state_of_random = 7;
static uint32_t next_random(uint32_t below)
{
	state_of_random = state_of_random * 1664525u + 1013904223u;
	return (state_of_random >> 8) % below;
}

/* Independent of the planner: any two that share a step must not share a byte. */
static void check_valid(const tarn_usage *u, const size_t *offset, int n, size_t total)
{
	for (int i = 0; i < n; i++) {
		assert_int_equal(offset[i] % TARN_ALIGN, 0);
		assert_true(offset[i] + u[i].size <= total);
		for (int k = 0; k < i; k++) {
			bool together = u[i].first <= u[k].last && u[k].first <= u[i].last;
			bool overlap = offset[i] < offset[k] + u[k].size && offset[k] < offset[i] + u[i].size;
			assert_false(together && overlap && u[i].size && u[k].size);
		}
	}
}

static void plans_never_overlap_and_stay_near_the_bound(void **state)
{
	(void)state;
	double worst = 0;
	for (int round = 0; round < 300; round++) {
		tarn_usage u[40];
		size_t offset[40], total = 1;
		int n = 1 + (int)next_random(40);
		for (int i = 0; i < n; i++) {
			int first = (int)next_random(30);
			u[i] = (tarn_usage){next_random(5) ? next_random(100000) : 0, first, first + (int)next_random(8)};
		}
		assert_int_equal(tarn_plan(u, n, offset, &total), TARN_OK);
		check_valid(u, offset, n, total);
		size_t bound = tarn_plan_lower_bound(u, n);
		assert_true(total >= bound);
		if (bound && (double)total / (double)bound > worst)
			worst = (double)total / (double)bound;
	}
	/* Interval graphs are hard to pack perfectly; largest-first stays well below twice the bound on random records. */
	assert_true(worst < 1.6);
}

/* Thousands of buffers, as of a deep network: valid, near the bound, and not compared each with each. */
static void many_buffers_are_planned_in_their_order(void **state)
{
	(void)state;
	enum { N = 6000 };
	tarn_usage *u = test_calloc(N, sizeof *u);
	size_t *offset = test_calloc(N, sizeof *offset), total;
	for (int i = 0; i < N; i++) /* most die soon, some live on */
		u[i] = (tarn_usage){next_random(7) ? 64 + next_random(5000) : 0, i, i + 1 + (int)next_random(i % 50 ? 4 : 900)};
	assert_int_equal(tarn_plan(u, N, offset, &total), TARN_OK);
	check_valid(u, offset, N, total);
	size_t bound = tarn_plan_lower_bound(u, N), slow = 0;
	for (int i = 0; i < N; i++) {
		size_t sum = 0;
		for (int k = i > 1000 ? i - 1000 : 0; k <= i; k++)
			sum += u[k].last >= i ? (u[k].size + TARN_ALIGN - 1) / TARN_ALIGN * TARN_ALIGN : 0;
		slow = sum > slow ? sum : slow;
	}
	assert_int_equal(bound, slow);
	assert_true((double)total < 1.3 * (double)bound);
	test_free(u);
	test_free(offset);
}

static void a_chain_needs_its_two_largest_neighbours(void **state)
{
	(void)state;
	const tarn_usage u[] = {{100, 0, 1}, {6400, 1, 2}, {640, 2, 3}, {64, 3, 4}};
	size_t offset[4], total;
	assert_int_equal(tarn_plan(u, 4, offset, &total), TARN_OK);
	/* 6400 with 640 at step 2; 128 with 6400 at step 1 fits beside. */
	assert_int_equal(total, 7040);
	assert_int_equal(tarn_plan_lower_bound(u, 4), 7040);
}

static void the_smallest_gap_is_taken(void **state)
{
	(void)state;
	/* Three that live forever leave, when the 2nd and 4th die, gaps of 640 and 128; a newcomer of 128 takes the latter. */
	const tarn_usage u[] = {{1280, 0, 9}, {640, 0, 3}, {576, 0, 9}, {192, 0, 3}, {512, 0, 9}, {128, 5, 9}};
	size_t offset[6], total;
	assert_int_equal(tarn_plan(u, 6, offset, &total), TARN_OK);
	check_valid(u, offset, 6, total);
	assert_int_equal(total, 1280 + 640 + 576 + 512 + 192);
}

static void no_buffers_and_empty_buffers_take_no_room(void **state)
{
	(void)state;
	size_t offset[2], total = 5;
	assert_int_equal(tarn_plan(NULL, 0, offset, &total), TARN_OK);
	assert_int_equal(total, 0);
	const tarn_usage u[] = {{0, 0, 1}, {0, 0, 1}};
	assert_int_equal(tarn_plan(u, 2, offset, &total), TARN_OK);
	assert_int_equal(total, 0);
}

static void too_much_memory_is_refused(void **state)
{
	(void)state;
	const tarn_usage u[] = {{SIZE_MAX / 5, 0, 1}, {SIZE_MAX / 5, 0, 1}, {1, 0, 1}};
	size_t offset[3], total;
	assert_int_equal(tarn_plan(u, 3, offset, &total), TARN_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_never_overlap_and_stay_near_the_bound),
		cmocka_unit_test(many_buffers_are_planned_in_their_order),
		cmocka_unit_test(a_chain_needs_its_two_largest_neighbours),
		cmocka_unit_test(the_smallest_gap_is_taken),
		cmocka_unit_test(no_buffers_and_empty_buffers_take_no_room),
		cmocka_unit_test(too_much_memory_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
