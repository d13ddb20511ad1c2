/* SPDX-License-Identifier: Apache-2.0 */
/* Parts come back as they were, what they share is kept once, and damaged tables are refused. */
#include "base/dedup.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unit/test.h"

enum { SHARED = 200000, OWN = 3000, PARTS = 4 };

static uint64_t seed = 7;

static void fill(char *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		at[i] = (char)(seed >> 56);
	}
}

/* Bytes of their own in front (of another length each time), what all share, bytes of their own behind. */
static size_t make_part(char *at, const char *shared, int i)
{
	size_t front = OWN + 37 * (size_t)i;
	fill(at, front);
	memcpy(at + front, shared, SHARED);
	fill(at + front + SHARED, OWN);
	return front + SHARED + OWN;
}

static void shared_once(void **state)
{
	(void)state;
	char *shared = malloc(SHARED), *part[PARTS];
	size_t size[PARTS];
	tarn_dedup d = {0};
	tarn_str out = {0};
	tarn_dedup_view v;
	fill(shared, SHARED);
	for (int i = 0; i < PARTS; i++) {
		part[i] = malloc(SHARED + 3 * OWN);
		size[i] = make_part(part[i], shared, i);
		assert_ok(tarn_dedup_add(&d, part[i], size[i]));
	}
	assert_ok(tarn_dedup_write(&d, &out));
	/* everything that is there once, and a block's worth of bytes at each seam */
	size_t least = SHARED + PARTS * 2 * OWN + 37 * 6;
	assert_true(out.len >= least && out.len <= least + PARTS * 1200);
	assert_ok(tarn_dedup_open((const uint8_t *)out.at, out.len, &v));
	assert_int_equal(v.n_entry, PARTS);
	for (int i = 0; i < PARTS; i++) {
		tarn_str one = {0};
		assert_ok(tarn_dedup_get(&v, (uint32_t)i, &one));
		assert_true(one.len == size[i] && !memcmp(one.at, part[i], size[i]));
		tarn_str_fini(&one);
		free(part[i]);
	}
	free(shared);
	tarn_str_fini(&out);
	tarn_dedup_fini(&d);
}

static void small_and_equal(void **state)
{
	(void)state;
	char zeros[5000] = {0};
	tarn_dedup d = {0};
	tarn_str out = {0};
	tarn_dedup_view v;
	assert_ok(tarn_dedup_add(&d, "", 0));
	assert_ok(tarn_dedup_add(&d, "abc", 3));
	assert_ok(tarn_dedup_add(&d, zeros, sizeof zeros));
	assert_ok(tarn_dedup_add(&d, zeros, sizeof zeros));
	assert_ok(tarn_dedup_write(&d, &out));
	assert_true(out.len < sizeof zeros + 700);
	assert_ok(tarn_dedup_open((const uint8_t *)out.at, out.len, &v));
	static const size_t want[] = {0, 3, 5000, 5000};
	for (uint32_t i = 0; i < 4; i++) {
		tarn_str one = {0};
		assert_ok(tarn_dedup_get(&v, i, &one));
		assert_int_equal(one.len, want[i]);
		tarn_str_fini(&one);
	}
	tarn_str_fini(&out);
	tarn_dedup_fini(&d);
}

static void damage(void **state)
{
	(void)state;
	char bytes[2000];
	tarn_dedup d = {0};
	tarn_str out = {0}, one = {0};
	tarn_dedup_view v;
	fill(bytes, sizeof bytes);
	assert_ok(tarn_dedup_add(&d, bytes, sizeof bytes));
	assert_ok(tarn_dedup_write(&d, &out));
	assert_int_equal(tarn_dedup_open((const uint8_t *)out.at, 15, &v), TARN_BAD_FILE);
	assert_int_equal(tarn_dedup_open((const uint8_t *)out.at, out.len - 1, &v), TARN_BAD_FILE);
	assert_ok(tarn_dedup_open((const uint8_t *)out.at, out.len, &v));
	assert_int_equal(tarn_dedup_get(&v, 1, &one), TARN_BAD_FILE);
	out.at[16 + 4] = 1; /* the piece begins one byte later, and so ends behind the store */
	assert_int_equal(tarn_dedup_get(&v, 0, &one), TARN_BAD_FILE);
	out.at[16] = 9; /* more pieces than there are */
	assert_int_equal(tarn_dedup_get(&v, 0, &one), TARN_BAD_FILE);
	tarn_str_fini(&one);
	tarn_str_fini(&out);
	tarn_dedup_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(shared_once), cmocka_unit_test(small_and_equal),
					   cmocka_unit_test(damage)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
