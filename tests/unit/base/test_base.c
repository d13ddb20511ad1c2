/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/f16.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"

static tarn_err fails(void)
{
	return tarn_err_set(TARN_SHAPE, "axis %d out of range for rank %d", 5, 3);
}

static void error_collects_notes(void **state)
{
	(void)state;
	tarn_err err = tarn_err_note(fails(), "in node '%s'", "prob");
	assert_int_equal(err, TARN_SHAPE);
	assert_string_equal(tarn_err_text(), "axis 5 out of range for rank 3; in node 'prob'");
	err = tarn_err_note(err, "in node '%s'", "prob"); /* said once */
	assert_string_equal(tarn_err_text(), "axis 5 out of range for rank 3; in node 'prob'");
	assert_int_equal(tarn_err_exit_code(TARN_DEVICE), 4);
	assert_int_equal(tarn_err_note(TARN_OK, "never"), TARN_OK);
}

static void arena_is_zeroed_and_aligned(void **state)
{
	(void)state;
	tarn_arena a = {0};
	for (size_t n = 1; n < 200000; n = n * 3 + 1) {
		unsigned char *p = tarn_arena_alloc(&a, n);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
		assert_int_equal((uintptr_t)tarn_arena_alloc_aligned(&a, n) % 64, 0);
	}
	assert_string_equal(tarn_arena_printf(&a, "%s-%d", "x", 7), "x-7");
	assert_null(tarn_arena_alloc(&a, SIZE_MAX - 8)); /* with a header it would begin again at 0 */
	assert_null(tarn_arena_zalloc(&a, SIZE_MAX / 2, 3));
	tarn_arena_fini(&a);
}

/* Every half through float and back is the identity; floats round to the nearest half, ties to even (searched exhaustively). */
static void f16_rounds_to_nearest_even(void **state)
{
	(void)state;
	for (uint32_t h = 0; h < 0x10000; h++) {
		float f = tarn_f16_to_f32((uint16_t)h);
		if (isnan(f))
			assert_true(isnan(tarn_f16_to_f32(tarn_f32_to_f16(f))));
		else
			assert_int_equal(tarn_f32_to_f16(f), h);
	}
	for (uint32_t h = 0; h < 0x7bff; h++) {
		double lo = tarn_f16_to_f32((uint16_t)h), hi = tarn_f16_to_f32((uint16_t)(h + 1)), mid = (lo + hi) / 2;
		assert_int_equal(tarn_f32_to_f16((float)mid), h % 2 ? h + 1 : h);
		assert_int_equal(tarn_f32_to_f16(nextafterf((float)mid, 0)), h);
		assert_int_equal(tarn_f32_to_f16(nextafterf((float)mid, INFINITY)), h + 1);
	}
	assert_int_equal(tarn_f32_to_f16(65520.0f), 0x7c00);
	assert_int_equal(tarn_f32_to_f16(65519.0f), 0x7bff);
}

static void map_finds_what_was_put(void **state)
{
	(void)state;
	tarn_map m = {0};
	static char keys[1000][16];
	for (int i = 0; i < 1000; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		assert_int_equal(tarn_map_put(&m, keys[i], keys[i]), TARN_OK);
	}
	for (int i = 0; i < 1000; i++)
		assert_ptr_equal(tarn_map_find(&m, keys[i]), keys[i]);
	assert_null(tarn_map_find(&m, "absent"));
	assert_int_equal(m.len, 1000);
	tarn_map_fini(&m);
}

static void numbers_are_whole_strings(void **state)
{
	(void)state;
	int64_t i;
	double d;
	assert_true(tarn_str_to_i64("-42", &i) && i == -42);
	assert_false(tarn_str_to_i64("42x", &i));
	assert_false(tarn_str_to_i64(" 42", &i));
	assert_false(tarn_str_to_i64("", &i));
	assert_false(tarn_str_to_i64("99999999999999999999", &i));
	assert_true(tarn_str_to_f64("1e-3", &d) && d == 1e-3);
	assert_false(tarn_str_to_f64("1e999", &d));
}

static void file_write_is_whole_or_absent(void **state)
{
	(void)state;
	char dir[] = "/tmp/tarn-test-XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/a", dir);
	assert_int_equal(tarn_file_write(path, "hello", 5), TARN_OK);
	tarn_file_map map;
	assert_int_equal(tarn_file_map_open(path, &map), TARN_OK);
	assert_int_equal(map.size, 5);
	assert_memory_equal(map.at, "hello", 5);
	tarn_file_map_close(&map);
	char **names;
	size_t n;
	assert_int_equal(tarn_file_list(dir, &names, &n), TARN_OK);
	assert_int_equal(n, 1);
	assert_string_equal(names[0], "a");
	tarn_mem_free(names);
	unlink(path);
	assert_int_equal(tarn_file_map_open(path, &map), TARN_BAD_FILE);
	assert_non_null(strstr(tarn_err_text(), path));
	assert_int_equal(tarn_file_map_open(dir, &map), TARN_BAD_FILE);
	rmdir(dir);
}

static void staged_files_come_together_or_not_at_all(void **state)
{
	(void)state;
	char dir[] = "/tmp/tarn-test-XXXXXX", a[64], b[64];
	assert_non_null(mkdtemp(dir));
	snprintf(a, sizeof a, "%s/a", dir);
	snprintf(b, sizeof b, "%s/missing/b", dir);
	tarn_file_staged one = {0}, two = {0};
	assert_int_equal(tarn_file_stage(a, &(tarn_file_piece){"new", 3}, 1, &one), TARN_OK);
	assert_false(tarn_file_exists(a));
	assert_int_equal(tarn_file_stage(b, &(tarn_file_piece){"new", 3}, 1, &two), TARN_IO);
	tarn_file_discard(&one);
	tarn_file_discard(&two);
	assert_int_equal(tarn_file_stage(a, &(tarn_file_piece){"new", 3}, 1, &one), TARN_OK);
	assert_int_equal(tarn_file_commit(&one), TARN_OK);
	assert_true(tarn_file_exists(a));
	unlink(a);
	assert_int_equal(rmdir(dir), 0); /* nothing else was left there */
}

/* /dev/stdout and pipes must not be replaced by a file, and a link stays a link. */
static void what_is_no_file_is_written_to_and_a_link_is_followed(void **state)
{
	(void)state;
	char dir[] = "/tmp/tarn-test-XXXXXX", pipe_at[64], file[64], link_at[64], got[8] = "";
	assert_non_null(mkdtemp(dir));
	snprintf(pipe_at, sizeof pipe_at, "%s/p", dir);
	snprintf(file, sizeof file, "%s/f", dir);
	snprintf(link_at, sizeof link_at, "%s/l", dir);
	assert_int_equal(mkfifo(pipe_at, 0600), 0);
	int fd = open(pipe_at, O_RDWR); /* both ends: nothing blocks */
	assert_true(fd >= 0);
	assert_int_equal(tarn_file_write(pipe_at, "hello", 5), TARN_OK);
	assert_int_equal(read(fd, got, sizeof got), 5);
	assert_memory_equal(got, "hello", 5);
	struct stat st;
	assert_int_equal(lstat(pipe_at, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	close(fd);

	assert_int_equal(tarn_file_write(file, "old", 3), TARN_OK);
	assert_int_equal(symlink("f", link_at), 0);
	assert_int_equal(tarn_file_write(link_at, "newer", 5), TARN_OK);
	assert_int_equal(lstat(link_at, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 5);
	unlink(pipe_at), unlink(file), unlink(link_at);
	assert_int_equal(rmdir(dir), 0);
}

static void count_task(void *arg, int task, int n)
{
	atomic_int *hits = arg;
	assert_true(task < n);
	atomic_fetch_add(&hits[task], 1);
}

static void pool_runs_each_task_once(void **state)
{
	(void)state;
	for (int threads = 1; threads <= 4; threads++) {
		tarn_pool *pool;
		assert_int_equal(tarn_pool_new(threads, &pool), TARN_OK);
		assert_int_equal(tarn_pool_threads(pool), threads);
		for (int round = 0; round < 300; round++) {
			atomic_int hits[37] = {0};
			tarn_pool_run(pool, 37, count_task, hits);
			for (int i = 0; i < 37; i++)
				assert_int_equal(hits[i], 1);
		}
		tarn_pool_free(pool);
	}
}

/* After the first step beyond the end nothing is read any more, though bytes are left. */
static void bytes_end_where_they_end(void **state)
{
	(void)state;
	const uint8_t at[7] = {1, 2, 3, 4, 5, 6, 7};
	tarn_bytes b = {at, sizeof at, false};
	assert_int_equal(tarn_bytes_get_u32(&b), 0x04030201);
	assert_false(b.bad);
	assert_int_equal(tarn_bytes_get_u32(&b), 0);
	assert_true(b.bad);
	assert_null(tarn_bytes_get(&b, 1));
	assert_int_equal(tarn_bytes_get_u64(&b), 0);
	/* a text that says it is longer than what is left, and one with a NUL inside */
	const uint8_t longer[5] = {3, 0, 0, 0, 'a'}, split[6] = {3, 0, 0, 0, 'a', 0};
	tarn_arena a = {0};
	b = (tarn_bytes){longer, sizeof longer, false};
	assert_null(tarn_bytes_get_text(&b, &a));
	assert_true(b.bad);
	b = (tarn_bytes){split, sizeof split, false};
	assert_null(tarn_bytes_get_text(&b, &a));
	assert_true(b.bad);
	tarn_arena_fini(&a);
}

static void absurd_sizes_are_refused_at_once(void **state)
{
	(void)state;
	uint64_t limit = tarn_mem_limit();
	assert_true(limit > 0 && limit <= tarn_mem_total());
	assert_null(tarn_mem_alloc((size_t)limit + 1));
	assert_null(tarn_mem_zalloc((size_t)limit / 8 + 1, 8));
	assert_null(tarn_mem_zalloc(SIZE_MAX / 2, 3));
	assert_null(tarn_mem_alloc_aligned((size_t)limit + 1));
	void *p = tarn_mem_alloc(100), *q = tarn_mem_realloc(p, (size_t)limit + 1);
	assert_null(q);
	tarn_mem_free(p); /* what could not grow is still there */
	assert_int_equal(tarn_err_nomem(limit + 1), TARN_NOMEM);
	assert_non_null(strstr(tarn_err_text(), "smaller shapes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_collects_notes),
		cmocka_unit_test(arena_is_zeroed_and_aligned),
		cmocka_unit_test(f16_rounds_to_nearest_even),
		cmocka_unit_test(map_finds_what_was_put),
		cmocka_unit_test(numbers_are_whole_strings),
		cmocka_unit_test(file_write_is_whole_or_absent),
		cmocka_unit_test(what_is_no_file_is_written_to_and_a_link_is_followed),
		cmocka_unit_test(pool_runs_each_task_once),
		cmocka_unit_test(bytes_end_where_they_end),
		cmocka_unit_test(absurd_sizes_are_refused_at_once),
		cmocka_unit_test(staged_files_come_together_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
