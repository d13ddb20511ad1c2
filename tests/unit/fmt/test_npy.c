/* SPDX-License-Identifier: Apache-2.0 */
/* Files are spelled out here byte by byte, as numpy's format document (NEP 1) has them. */
#include "unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "fmt/npy/npy.h"

/* A file of that version and dictionary with these bytes as elements. */
static tarn_buffer *make(int version, const char *dict, const void *data, size_t bytes)
{
	size_t head = version == 1 ? 10 : 12, len = strlen(dict);
	tarn_buffer *b;
	assert_ok(tarn_buffer_new(head + len + bytes, &b));
	uint8_t *p = b->at;
	memcpy(p, "\x93NUMPY", 6);
	p[6] = (uint8_t)version;
	p[7] = 0;
	p[8] = (uint8_t)(len & 255);
	p[9] = (uint8_t)(len >> 8);
	if (version > 1)
		p[10] = p[11] = 0;
	memcpy(p + head, dict, len);
	if (bytes)
		memcpy(p + head + len, data, bytes);
	return b;
}

static tarn_err parse(int version, const char *dict, const void *data, size_t bytes, tarn_tensor *t)
{
	tarn_buffer *b = make(version, dict, data, bytes);
	tarn_err err = tarn_npy_parse_tensor(b, t);
	tarn_buffer_unref(b);
	return err;
}

static void orders_and_versions(void **state)
{
	(void)state;
	tarn_tensor t;
	const uint8_t big[] = {0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0};
	assert_ok(parse(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n", big, 8, &t));
	assert_int_equal(t.type, TARN_F32);
	assert_true(tarn_tensor_f64(&t, 0) == 1.0 && tarn_tensor_f64(&t, 1) == -2.0);
	tarn_tensor_fini(&t);

	/* [[1,2,3],[4,5,6]] first axis fastest; keys in another order, double quotes, no last comma. */
	const int16_t columns[] = {1, 4, 2, 5, 3, 6};
	assert_ok(parse(2, "{\"shape\": (2, 3), \"fortran_order\": True, \"descr\": \"<i2\"}   \n", columns, 12, &t));
	assert_int_equal(t.rank, 2);
	for (int i = 0; i < 6; i++)
		assert_int_equal(tarn_tensor_i64(&t, i), i + 1);
	tarn_tensor_fini(&t);

	const uint8_t scalar[] = {0, 0, 0, 0, 0, 0, 1, 2};
	assert_ok(parse(3, "{'descr': '>i8', 'fortran_order': False, 'shape': ()}", scalar, 8, &t));
	assert_int_equal(t.rank, 0);
	assert_int_equal(tarn_tensor_i64(&t, 0), 258);
	tarn_tensor_fini(&t);

	assert_ok(parse(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", "\0\1\2", 3, &t));
	assert_int_equal(t.type, TARN_BOOL);
	assert_memory_equal(t.data, "\0\1\1", 3);
	tarn_tensor_fini(&t);

	assert_ok(parse(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (0, 7)}", NULL, 0, &t));
	assert_int_equal(tarn_tensor_count(&t), 0);
	tarn_tensor_fini(&t);
}

static void three_axes_first_fastest(void **state)
{
	(void)state;
	/* element (i,j,k) of a 2x3x4 array is 100 i + 10 j + k, written with i fastest */
	uint8_t data[24];
	for (int k = 0, at = 0; k < 4; k++)
		for (int j = 0; j < 3; j++)
			for (int i = 0; i < 2; i++)
				data[at++] = (uint8_t)(100 * i + 10 * j + k);
	tarn_tensor t;
	assert_ok(parse(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4)}", data, 24, &t));
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 3; j++)
			for (int k = 0; k < 4; k++)
				assert_int_equal(tarn_tensor_i64(&t, (i * 3 + j) * 4 + k), 100 * i + 10 * j + k);
	tarn_tensor_fini(&t);
}

static void bad_headers_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *dict;
		tarn_err code;
	} bad[] = {
		{"", TARN_BAD_FILE},
		{"{}", TARN_BAD_FILE},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2)}", TARN_BAD_FILE},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 9)}", TARN_BAD_FILE}, /* more than is there */
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", TARN_BAD_FILE},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", TARN_BAD_FILE},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,1099511627776,)}", TARN_SHAPE},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", TARN_UNSUPPORTED},
		{"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", TARN_BAD_FILE},
		{"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", TARN_BAD_FILE},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}", TARN_BAD_FILE},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", TARN_BAD_FILE},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", TARN_BAD_FILE},
		{"{'descr': '<f4', 'fortran_order': False}", TARN_BAD_FILE},
		{"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", TARN_UNSUPPORTED},
		{"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", TARN_UNSUPPORTED},
		{"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", TARN_UNSUPPORTED},
		{"{'descr': 'abcdefghijklmno', 'fortran_order': False, 'shape': (1,)}", TARN_UNSUPPORTED},
	};
	const float two[2] = {0};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tarn_tensor t;
		tarn_err err = parse(1, bad[i].dict, two, sizeof two, &t);
		if (err != bad[i].code)
			print_error("%s: %s\n", bad[i].dict, tarn_err_text());
		assert_int_equal(err, bad[i].code);
	}
	/* Every shortened file is refused. */
	tarn_buffer *b = make(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", two, sizeof two);
	for (size_t n = 0; n < b->size; n++) {
		tarn_npy_header h;
		assert_err(TARN_BAD_FILE, tarn_npy_parse(b->at, n, &h));
	}
	tarn_buffer_unref(b);
}

static void written_files_come_back(void **state)
{
	(void)state;
	char path[] = "/tmp/tarn-npy-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	for (int type = 1; type < TARN_DTYPE_COUNT; type++) {
		const int64_t dim[3] = {2, 1, 3};
		tarn_tensor t, back;
		if (type == TARN_STRING)
			continue;
		for (int rank = 0; rank <= 3; rank++) {
			assert_ok(tarn_tensor_new((tarn_dtype)type, rank, dim, &t));
			for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
				tarn_tensor_set_f64(&t, i, (double)(i + 1));
			assert_ok(tarn_npy_write(path, &t));
			tarn_file_map map;
			assert_ok(tarn_file_map_open(path, &map));
			assert_int_equal((map.size - tarn_dtype_info(t.type)->bits / 8 * (size_t)tarn_tensor_count(&t)) % 64 *
						 (*tarn_dtype_info(t.type)->npy != 0),
					 0);
			tarn_file_map_close(&map);
			assert_ok(tarn_npy_read(path, &back));
			assert_int_equal(back.rank, rank);
			if (*tarn_dtype_info(t.type)->npy)
				assert_int_equal(back.type, type);
			for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
				assert_true(tarn_tensor_f64(&t, i) == tarn_tensor_f64(&back, i));
			tarn_tensor_fini(&back);
			tarn_tensor_fini(&t);
		}
	}
	unlink(path);
	tarn_tensor t;
	assert_err(TARN_BAD_FILE, tarn_npy_read(path, &t));
	assert_non_null(strstr(tarn_err_text(), path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_and_versions),
		cmocka_unit_test(three_axes_first_fastest),
		cmocka_unit_test(bad_headers_are_refused),
		cmocka_unit_test(written_files_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
