/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "fake_device.h"

static char dir[64];

static tarn_program *load(tarn_device *d, float seed, const char *key, const char *value)
{
	tarn_model *m = fake_model(seed);
	tarn_props props = {0};
	tarn_program *p = NULL;
	assert_int_equal(tarn_props_set(&props, "CACHE_DIR", dir), TARN_OK);
	if (key)
		assert_int_equal(tarn_props_set(&props, key, value), TARN_OK);
	assert_int_equal(tarn_program_compile(d, m, &props, &p), TARN_OK);
	tarn_model_unref(m);
	tarn_props_fini(&props);
	return p;
}

static void expect(tarn_device *d, float seed, const char *key, const char *value, bool hit)
{
	int compiled = atomic_load(&fake_compiled);
	tarn_program *p = load(d, seed, key, value);
	assert_int_equal(p->cache_hit, hit);
	assert_int_equal(p->compilations, !hit);
	assert_int_equal(atomic_load(&fake_compiled) - compiled, !hit);
	tarn_request *r;
	assert_int_equal(tarn_request_new(p, &r), TARN_OK);
	assert_int_equal(tarn_request_begin(r), TARN_OK);
	assert_int_equal(tarn_request_infer(r), TARN_OK);
	assert_true(((const float *)r->out[0].data)[5] == 1);
	tarn_request_free(r);
	tarn_program_unref(p);
}

static void the_same_model_is_compiled_once(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	expect(&d, 1, NULL, NULL, false);
	expect(&d, 1, NULL, NULL, true);
	expect(&d, 2, NULL, NULL, false); /* another constant */
	expect(&d, 1, "INFERENCE_NUM_THREADS", "2", false);
	expect(&d, 1, "INFERENCE_NUM_THREADS", "2", true);
	expect(&d, 1, "PERF_COUNT", "YES", true);
	tarn_device_close(&d);
}

static void any_flipped_byte_is_noticed(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	tarn_program *p = load(&d, 7, NULL, NULL);
	tarn_str key = {0}, path = {0};
	assert_int_equal(tarn_cache_key(p, &key), TARN_OK);
	tarn_program_unref(p);
	tarn_str_addf(&path, "%s/%s.tarnblob", dir, key.at);
	tarn_file_map map;
	assert_int_equal(tarn_file_map_open(path.at, &map), TARN_OK);
	size_t n = map.size;
	uint8_t *bytes = tarn_mem_alloc(n);
	memcpy(bytes, map.at, n);
	tarn_file_map_close(&map);
	for (size_t i = 0; i < n; i++) {
		bytes[i] ^= 0x10;
		tarn_blob blob;
		assert_int_equal(tarn_blob_open(bytes, n, &blob), TARN_BAD_FILE);
		bytes[i] ^= 0x10;
	}
	for (size_t i = 0; i < n; i++) {
		tarn_blob blob;
		assert_int_equal(tarn_blob_open(bytes, i, &blob), TARN_BAD_FILE);
	}
	bytes[n - 1] ^= 1;
	assert_int_equal(tarn_file_write(path.at, bytes, n), TARN_OK);
	expect(&d, 7, NULL, NULL, false); /* compiled again, and mended */
	expect(&d, 7, NULL, NULL, true);
	tarn_mem_free(bytes);
	tarn_str_fini(&key);
	tarn_str_fini(&path);
	tarn_device_close(&d);
}

static void exported_programs_come_back_with_their_ports(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	tarn_program *p = load(&d, 3, NULL, NULL), *q = NULL;
	tarn_str blob = {0};
	assert_int_equal(tarn_program_export(p, &blob), TARN_OK);
	tarn_str_add_n(&blob, "", 1); /* a trailing byte is tolerated */
	tarn_buffer *b;
	assert_int_equal(tarn_buffer_wrap(blob.at, blob.len, NULL, NULL, &b), TARN_OK);
	assert_int_equal(tarn_program_import(&d, b, NULL, &q), TARN_OK);
	assert_int_equal(q->n_in, 1);
	assert_int_equal(q->n_out, 2);
	assert_string_equal(q->in[0].name, "x");
	assert_int_equal(q->in[0].hi[1], 3);
	assert_string_equal(q->out[1].name, "w");
	tarn_program_unref(q);
	blob.at[9] ^= 1;
	assert_int_equal(tarn_program_import(&d, b, NULL, &q), TARN_BAD_FILE);
	tarn_buffer_unref(b);
	tarn_program_unref(p);
	tarn_str_fini(&blob);
	tarn_device_close(&d);
}

static void put_u64(char *at, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		at[i] = (char)(v >> 8 * i);
}

/* The checksum of a container (docs at the top of rt/blob.c) made right again after a change. */
static void sign(tarn_str *blob)
{
	uint32_t info;
	memcpy(&info, blob->at + 12, 4);
	size_t payload = blob->len - 32 - info;
	uint64_t seed = info * 0x9e3779b97f4a7c15u + payload;
	put_u64(blob->at + 24, tarn_hash(blob->at + 32 + info, payload, tarn_hash(blob->at + 32, info, seed)));
}

/* What a container says of a port is checked, however right its checksum is. */
static void ports_out_of_range(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	tarn_program *p = load(&d, 3, NULL, NULL), *q = NULL;
	tarn_str blob = {0};
	assert_int_equal(tarn_program_export(p, &blob), TARN_OK);
	/* texts: device, version, model; two counts; the port's name "x" and no aliases */
	size_t type = 32 + 4 + strlen("CPU") + 4 + strlen(TARN_VERSION) + 4 + strlen(p->model->name ? p->model->name : "") + 8;
	assert_int_equal(blob.at[type], 1);
	assert_int_equal(blob.at[type + 4], 'x');
	type += 4 + 1 + 4;
	assert_int_equal(blob.at[type], TARN_F32);
	const struct {
		size_t at;
		uint64_t good, bad;
	} row[] = {{type, TARN_F32 | 2ull << 32, TARN_DTYPE_COUNT | 2ull << 32},
		   {type, TARN_F32 | 2ull << 32, TARN_F32 | (uint64_t)(TARN_MAX_RANK + 1) << 32},
		   {type + 8, 2, 3},
		   {type + 8, 2, UINT64_MAX},
		   {type + 16, 2, (uint64_t)TARN_DIM_MAX + 1}};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		for (int bad = 1; bad >= 0; bad--) {
			tarn_buffer *b;
			put_u64(blob.at + row[i].at, bad ? row[i].bad : row[i].good);
			sign(&blob);
			assert_int_equal(tarn_buffer_wrap(blob.at, blob.len, NULL, NULL, &b), TARN_OK);
			assert_int_equal(tarn_program_import(&d, b, NULL, &q), bad ? TARN_BAD_FILE : TARN_OK);
			tarn_buffer_unref(b);
			if (!bad)
				tarn_program_unref(q);
		}
	}
	tarn_program_unref(p);
	tarn_str_fini(&blob);
	tarn_device_close(&d);
}

/* Whole entries, damaged ones, and what only has the name of one: a folder, a link to a file elsewhere. */
static void only_files_are_entries(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	char keep[sizeof dir], path[256];
	static const char *const name[] = {"11111111111111111111111111111111", "22222222222222222222222222222222",
					   "33333333333333333333333333333333"};
	memcpy(keep, dir, sizeof dir);
	strcat(dir, ".d");
	tarn_program_unref(load(&d, 11, NULL, NULL));
	snprintf(path, sizeof path, "%s/%s.tarnblob", dir, name[0]);
	assert_int_equal(tarn_file_mkdirs(path), TARN_OK);
	snprintf(path, sizeof path, "%s/%s.tarnblob", dir, name[1]);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof path, "%s/%s.tarnblob", dir, name[2]);
	assert_int_equal(tarn_file_write(path, "no container", 12), TARN_OK);
	tarn_cache_files files;
	assert_int_equal(tarn_cache_files_read(dir, false, &files), TARN_OK);
	assert_int_equal(files.list.len, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(!files.list.at[i].damage, strcmp(files.list.at[i].key, name[2]) != 0);
	tarn_cache_files_fini(&files);
	uint64_t removed, freed;
	assert_int_equal(tarn_cache_files_collect(dir, false, 1 << 20, &removed, &freed), TARN_OK);
	assert_int_equal(removed, 1); /* the damaged one */
	assert_int_equal(freed, 12);
	assert_int_equal(tarn_cache_files_collect(dir, false, 0, &removed, &freed), TARN_OK);
	assert_int_equal(removed, 1);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s.tarnblob", dir, name[i]);
		assert_int_equal(i ? unlink(path) : rmdir(path), 0); /* still there */
	}
	char **left;
	size_t n;
	assert_int_equal(tarn_file_list(dir, &left, &n), TARN_OK);
	for (size_t i = 0; i < n; i++) { /* the lock */
		snprintf(path, sizeof path, "%s/%s", dir, left[i]);
		unlink(path);
	}
	tarn_mem_free(left);
	rmdir(dir);
	memcpy(dir, keep, sizeof dir);
	tarn_device_close(&d);
}

static void a_folder_that_cannot_be_written_is_a_note(void **state)
{
	(void)state;
	tarn_device d = {.api = &fake_api};
	char keep[sizeof dir];
	memcpy(keep, dir, sizeof dir);
	strcpy(dir, "/dev/null/cache");
	tarn_program *p = load(&d, 1, NULL, NULL);
	assert_int_equal(p->note.len, 1);
	assert_non_null(strstr(p->note.at[0], "not stored"));
	tarn_program_unref(p);
	memcpy(dir, keep, sizeof dir);
	tarn_device_close(&d);
}

int main(void)
{
	strcpy(dir, "/tmp/tarn-test-cache-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_model_is_compiled_once),
		cmocka_unit_test(any_flipped_byte_is_noticed),
		cmocka_unit_test(exported_programs_come_back_with_their_ports),
		cmocka_unit_test(ports_out_of_range),
		cmocka_unit_test(only_files_are_entries),
		cmocka_unit_test(a_folder_that_cannot_be_written_is_a_note),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char **names;
	size_t n;
	if (!tarn_file_list(dir, &names, &n)) {
		for (size_t i = 0; i < n; i++) {
			char path[512];
			snprintf(path, sizeof path, "%s/%s", dir, names[i]);
			unlink(path);
		}
		tarn_mem_free(names);
	}
	rmdir(dir);
	return failed;
}
