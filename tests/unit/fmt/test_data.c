/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "fmt/data/data.h"
#include "fmt/npy/npy.h"

static char folder[] = "/tmp/tarn-data-XXXXXX";

/* Path of a file in the folder; the next call but three overwrites it. */
static const char *in(const char *name)
{
	static char path[4][200];
	static int turn;
	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
	return path[turn];
}

static const char *put(const char *name, const void *bytes, size_t n)
{
	const char *path = in(name);
	assert_ok(tarn_file_write(path, bytes, n));
	return path;
}

static const char *put_text(const char *name, const char *text)
{
	return put(name, text, strlen(text));
}

/* A BMP of one colour. */
static void put_bmp(const char *name, int w, int h, uint8_t red, uint8_t green, uint8_t blue)
{
	uint8_t f[54 + 64 * 64 * 3] = {
		'B', 'M', [10] = 54, [14] = 40, [18] = (uint8_t)w, [22] = (uint8_t)h, [26] = 1, [28] = 24};
	size_t stride = ((size_t)w * 3 + 3) / 4 * 4;
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++)
			memcpy(f + 54 + (size_t)y * stride + x * 3, ((uint8_t[]){blue, green, red}), 3);
	put(name, f, 54 + stride * (size_t)h);
}

static void put_npy(const char *name, tarn_dtype type, int rank, const int64_t *dim, double first)
{
	tarn_tensor t;
	assert_ok(tarn_tensor_new(type, rank, dim, &t));
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_f64(&t, i, first + (double)i);
	assert_ok(tarn_npy_write(in(name), &t));
	tarn_tensor_fini(&t);
}

static int setup(void **state)
{
	(void)state;
	return !mkdtemp(folder) || tarn_file_mkdirs(in("images")) != TARN_OK || tarn_file_mkdirs(in("empty")) != TARN_OK;
}

static int teardown(void **state)
{
	(void)state;
	const char *const dirs[] = {in("images"), in("empty"), folder};
	for (int i = 0; i < 3; i++) {
		char **names, path[500];
		size_t n;
		if (tarn_file_list(dirs[i], &names, &n) != TARN_OK)
			return 1;
		for (size_t k = 0; k < n; k++) {
			snprintf(path, sizeof path, "%s/%s", dirs[i], names[k]);
			unlink(path);
		}
		tarn_mem_free(names);
		rmdir(dirs[i]);
	}
	return 0;
}

static void a_folder_of_images(void **state)
{
	(void)state;
	put_bmp("images/b.bmp", 8, 6, 20, 120, 220);
	put_bmp("images/a.BMP", 5, 9, 1, 2, 3);
	put_bmp("images/c.bmp", 4, 4, 255, 0, 0);
	put_text("images/notes.txt", "no image");
	tarn_dataset *d;
	tarn_data_options o = {
		.skip = 1, .first = 1, .prep = {.color = TARN_COLOR_BGR, .mean = {20, 20, 20}, .scale = {2, 1, 1}}};
	assert_ok(tarn_dataset_open(in("images"), &o, &d));
	assert_int_equal(tarn_dataset_count(d), 1);
	tarn_str name = {0};
	tarn_dataset_name(d, 0, &name);
	assert_string_equal(name.at, "b.bmp");
	tarn_str_fini(&name);
	float x[3 * 2 * 2];
	assert_err(TARN_USAGE, tarn_dataset_read(d, 0, x)); /* no target yet */
	assert_ok(tarn_dataset_target(d, TARN_F32, 4, (int64_t[]){1, 3, 2, 2}));
	assert_ok(tarn_dataset_read(d, 0, x));
	for (int i = 0; i < 12; i++)
		assert_true(x[i] == ((const float[]){100, 100, 0})[i / 4]);
	assert_err(TARN_USAGE, tarn_dataset_read(d, 1, x));
	assert_err(TARN_SHAPE, tarn_dataset_target(d, TARN_F32, 4, (int64_t[]){2, 3, 2, 2}));
	assert_err(TARN_SHAPE, tarn_dataset_target(d, TARN_F32, 4, (int64_t[]){1, 7, 2, 2}));
	assert_err(TARN_SHAPE, tarn_dataset_target(d, TARN_F32, 1, (int64_t[]){12}));
	int64_t label;
	assert_ok(tarn_labels_read(put_text("l.csv", "file,class,other\n\"a.BMP\",1,\nc.bmp,2,8\r\ndir/b.bmp,7,\"9\"\n"), NULL,
				   d, &label));
	assert_int_equal(label, 7);
	assert_ok(tarn_labels_read(in("l.csv"), "other", d, &label));
	assert_int_equal(label, 9);
	tarn_dataset_close(d);
	assert_err(TARN_BAD_FILE, tarn_dataset_open(in("empty"), &o, &d));
	assert_err(TARN_BAD_FILE, tarn_dataset_open(in("absent"), &o, &d));
	o.skip = 3;
	assert_err(TARN_USAGE, tarn_dataset_open(in("images"), &o, &d));
}

static void arrays_are_reshaped_and_cast(void **state)
{
	(void)state;
	put_npy("u16.npy", TARN_U16, 3, (int64_t[]){4, 2, 3}, 250);
	tarn_dataset *d;
	const tarn_data_options o = {.skip = 1};
	assert_ok(tarn_dataset_open(in("u16.npy"), &o, &d));
	assert_int_equal(tarn_dataset_count(d), 3);
	int32_t i32[6];
	assert_ok(tarn_dataset_target(d, TARN_I32, 4, (int64_t[]){1, 1, 2, 3}));
	assert_ok(tarn_dataset_read(d, 1, i32));
	for (int i = 0; i < 6; i++)
		assert_int_equal(i32[i], 250 + 12 + i);
	uint8_t u8[6];
	assert_ok(tarn_dataset_target(d, TARN_U8, 1, (int64_t[]){6}));
	assert_err(TARN_TYPE, tarn_dataset_read(d, 0, u8));
	assert_non_null(strstr(tarn_err_text(), "value 256 at element 0"));
	assert_non_null(strstr(tarn_err_text(), "row 1"));
	assert_err(TARN_SHAPE, tarn_dataset_target(d, TARN_F32, 2, (int64_t[]){1, 5}));
	assert_non_null(strstr(tarn_err_text(), "[2,3]"));
	tarn_dataset_close(d);
}

/* Values 0, 1, 2 ... of two rows [3, 2]: mean and scale as for images, one for all or by channel; integers stay. */
static void arrays_get_mean_and_scale(void **state)
{
	(void)state;
	tarn_dataset *d;
	float x[6];
	put_npy("three.npy", TARN_U8, 3, (int64_t[]){2, 3, 2}, 0);
	tarn_data_options o = {.prep = {.mean = {2, 2, 2}, .scale = {4, 4, 4}}};
	assert_ok(tarn_dataset_open(in("three.npy"), &o, &d));
	assert_ok(tarn_dataset_target(d, TARN_F32, 4, (int64_t[]){1, 3, 1, 2}));
	assert_ok(tarn_dataset_read(d, 1, x));
	for (int i = 0; i < 6; i++)
		assert_true(x[i] == (float)(6 + i - 2) / 4);
	uint8_t codes[6];
	assert_ok(tarn_dataset_target(d, TARN_U8, 2, (int64_t[]){3, 2}));
	assert_ok(tarn_dataset_read(d, 1, codes));
	assert_true(codes[0] == 6 && codes[5] == 11);
	tarn_dataset_close(d);
	o.prep = (tarn_prep_options){.mean = {1, 2, 3}, .scale = {0, 2, 4}};
	assert_ok(tarn_dataset_open(in("three.npy"), &o, &d));
	assert_ok(tarn_dataset_target(d, TARN_F32, 4, (int64_t[]){1, 3, 1, 2}));
	assert_ok(tarn_dataset_read(d, 0, x));
	const float channels_first[] = {-1, 0, 0, 0.5f, 0.25f, 0.5f};
	assert_memory_equal(x, channels_first, sizeof x);
	assert_ok(tarn_dataset_target(d, TARN_F32, 4, (int64_t[]){1, 1, 2, 3}));
	assert_err(TARN_SHAPE, tarn_dataset_read(d, 0, x));
	tarn_dataset_close(d);
	o.layout = "NHWC";
	assert_ok(tarn_dataset_open(in("three.npy"), &o, &d));
	assert_ok(tarn_dataset_target(d, TARN_F32, 4, (int64_t[]){1, 1, 2, 3}));
	assert_ok(tarn_dataset_read(d, 0, x));
	const float channels_last[] = {-1, -0.5f, -0.25f, 2, 1, 0.5f};
	assert_memory_equal(x, channels_last, sizeof x);
	tarn_dataset_close(d);
	tarn_tensor t;
	put_npy("one.npy", TARN_F32, 2, (int64_t[]){1, 4}, 10);
	assert_ok(tarn_data_load(in("one.npy"), TARN_F32, 2, (int64_t[]){1, 4},
				 &(tarn_data_options){.prep = {.mean = {10, 10, 10}, .scale = {2, 2, 2}}}, &t));
	assert_true(tarn_tensor_f64(&t, 0) == 0 && tarn_tensor_f64(&t, 3) == 1.5);
	tarn_tensor_fini(&t);
}

static void casts_keep_values(void **state)
{
	(void)state;
	tarn_tensor t;
	float f;
	int8_t i8;
	int64_t i64;
	uint64_t u64;
	assert_ok(tarn_tensor_new(TARN_I64, 1, (int64_t[]){3}, &t));
	tarn_tensor_set_i64(&t, 0, -128);
	tarn_tensor_set_i64(&t, 1, (1 << 24) + 1);
	tarn_tensor_set_i64(&t, 2, -1);
	assert_ok(tarn_data_cast(&t, 0, 1, TARN_I8, &i8));
	assert_int_equal(i8, -128);
	assert_err(TARN_TYPE, tarn_data_cast(&t, 1, 1, TARN_F32, &f)); /* not a float */
	assert_err(TARN_TYPE, tarn_data_cast(&t, 2, 1, TARN_U64, &u64));
	tarn_tensor_fini(&t);
	assert_ok(tarn_tensor_new(TARN_U64, 1, (int64_t[]){1}, &t));
	*(uint64_t *)t.data = UINT64_MAX;
	assert_err(TARN_TYPE, tarn_data_cast(&t, 0, 1, TARN_I64, &i64));
	tarn_tensor_fini(&t);
	assert_ok(tarn_tensor_new(TARN_F64, 1, (int64_t[]){1}, &t));
	tarn_tensor_set_f64(&t, 0, 0.5);
	assert_ok(tarn_data_cast(&t, 0, 1, TARN_F32, &f));
	assert_true(f == 0.5f);
	assert_err(TARN_TYPE, tarn_data_cast(&t, 0, 1, TARN_I64, &i64));
	tarn_tensor_fini(&t);
}

static void labels_of_rows(void **state)
{
	(void)state;
	put_npy("x.npy", TARN_F32, 2, (int64_t[]){3, 2}, 0);
	put_npy("y.npy", TARN_I16, 1, (int64_t[]){3}, 4);
	put_npy("short.npy", TARN_I16, 1, (int64_t[]){2}, 4);
	put_npy("real.npy", TARN_F32, 1, (int64_t[]){3}, 4);
	put_npy("negative.npy", TARN_I16, 1, (int64_t[]){3}, -2);
	tarn_dataset *d;
	int64_t y[3];
	assert_ok(tarn_dataset_open(in("x.npy"), &(tarn_data_options){.skip = 1}, &d));
	assert_ok(tarn_labels_read(in("y.npy"), NULL, d, y));
	assert_int_equal(y[0], 5);
	assert_int_equal(y[1], 6);
	const uint8_t idx[] = {0, 0, 8, 1, 0, 0, 0, 3, 9, 8, 7};
	assert_ok(tarn_labels_read(put("labels-idx1-ubyte", idx, sizeof idx), NULL, d, y));
	assert_int_equal(y[0], 8);
	assert_ok(tarn_labels_read(put_text("rows.csv", "row,c\n2,20\n0,0\n1,10\n"), NULL, d, y));
	assert_int_equal(y[0], 10);
	assert_int_equal(y[1], 20);
	assert_err(TARN_SHAPE, tarn_labels_read(in("short.npy"), NULL, d, y));
	assert_err(TARN_TYPE, tarn_labels_read(in("real.npy"), NULL, d, y));
	assert_err(TARN_BAD_FILE, tarn_labels_read(in("negative.npy"), NULL, d, y));
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"", "empty"},
		{"row\n1\n2\n", "two columns"},
		{"0,3\n1,4\n2,5\n", "header"},
		{"row,c\n1,10\n", "row 2"},
		{"row,c\n1,10\n1,11\n2,1\n", "line 3"},
		{"row,c\n1,cat\n2,1\n", "line 2, column 2: 'cat'"},
		{"row,c\n1\n2,1\n", "line 2 has 1 columns"},
		{"row,c\nfirst,1\n", "'first' is not a row"},
		{"row,c\n1,-3\n", "'-3'"},
		{"row,c\n\"1,3\n", "quote"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_err(TARN_BAD_FILE, tarn_labels_read(put_text("bad.csv", bad[i].text), NULL, d, y));
		if (!strstr(tarn_err_text(), bad[i].says) || !strstr(tarn_err_text(), "bad.csv"))
			print_error("'%s' lacks '%s'\n", tarn_err_text(), bad[i].says);
		assert_non_null(strstr(tarn_err_text(), bad[i].says));
		assert_non_null(strstr(tarn_err_text(), "bad.csv"));
	}
	assert_err(TARN_BAD_FILE, tarn_labels_read(put_text("rows.csv", "row,c\n1,1\n2,2\n"), "d", d, y));
	tarn_dataset_close(d);
}

static void one_file_for_an_input(void **state)
{
	(void)state;
	tarn_tensor t;
	const tarn_data_options o = {0};
	put_npy("m.npy", TARN_I32, 2, (int64_t[]){2, 6}, 0);
	assert_ok(tarn_data_load(in("m.npy"), TARN_I64, 2, (int64_t[]){-1, 6}, &o, &t));
	assert_int_equal(t.dim[0], 2);
	assert_int_equal(tarn_tensor_i64(&t, 11), 11);
	tarn_tensor_fini(&t);
	assert_ok(tarn_data_load(in("m.npy"), TARN_F32, 3, (int64_t[]){1, -1, 4}, &o, &t));
	assert_int_equal(t.dim[1], 3);
	tarn_tensor_fini(&t);
	assert_err(TARN_SHAPE, tarn_data_load(in("m.npy"), TARN_F32, 2, (int64_t[]){1, 7}, &o, &t));
	put("raw.bin", "\1\2\3\4", 4);
	assert_ok(tarn_data_load(in("raw.bin"), TARN_U8, 2, (int64_t[]){2, 2}, &o, &t));
	assert_memory_equal(t.data, "\1\2\3\4", 4);
	tarn_tensor_fini(&t);
	assert_err(TARN_SHAPE, tarn_data_load(in("raw.bin"), TARN_F32, 2, (int64_t[]){2, 2}, &o, &t));
	assert_err(TARN_SHAPE, tarn_data_load(in("raw.bin"), TARN_U8, 2, (int64_t[]){-1, 2}, &o, &t));
	put_bmp("p.bmp", 7, 5, 9, 8, 7);
	assert_ok(tarn_data_load(in("p.bmp"), TARN_F32, 4, (int64_t[]){-1, 3, -1, -1}, &o, &t));
	assert_true(t.dim[0] == 1 && t.dim[1] == 3 && t.dim[2] == 5 && t.dim[3] == 7);
	assert_true(((float *)t.data)[35] == 8);
	tarn_tensor_fini(&t);
}

static void layouts(void **state)
{
	(void)state;
	tarn_data_layout l;
	assert_ok(tarn_data_layout_parse(NULL, 4, (int64_t[]){1, 3, 8, 9}, &l));
	assert_true(l.c == 1 && l.h == 2 && l.w == 3 && !l.nhwc);
	assert_ok(tarn_data_layout_parse(NULL, 4, (int64_t[]){1, 8, 9, 3}, &l));
	assert_true(l.c == 3 && l.h == 1 && l.w == 2 && l.nhwc);
	assert_ok(tarn_data_layout_parse("data[nhwc]", 4, (int64_t[]){1, 3, 9, 3}, &l));
	assert_true(l.c == 3 && l.nhwc);
	assert_ok(tarn_data_layout_parse("HW", 2, (int64_t[]){4, 4}, &l));
	assert_true(l.c == -1 && l.h == 0 && l.w == 1);
	assert_err(TARN_SHAPE, tarn_data_layout_parse(NULL, 4, (int64_t[]){1, 8, 9, 4}, &l));
	assert_err(TARN_SHAPE, tarn_data_layout_parse("NCHW", 3, (int64_t[]){3, 8, 9}, &l));
	assert_err(TARN_SHAPE, tarn_data_layout_parse("NCHH", 4, (int64_t[]){1, 3, 8, 9}, &l));
	assert_err(TARN_UNSUPPORTED, tarn_data_layout_parse("NHCW", 4, (int64_t[]){1, 3, 8, 9}, &l));
	assert_err(TARN_UNSUPPORTED, tarn_data_layout_parse("NC", 2, (int64_t[]){1, 3}, &l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_of_images),
		cmocka_unit_test(arrays_are_reshaped_and_cast),
		cmocka_unit_test(arrays_get_mean_and_scale),
		cmocka_unit_test(casts_keep_values),
		cmocka_unit_test(labels_of_rows),
		cmocka_unit_test(layouts),
		cmocka_unit_test(one_file_for_an_input),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
