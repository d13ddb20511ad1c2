/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "fmt/onnx/onnx.h"
#include "fmt/onnx/wire.h"
#include "unit/fmt/wire_make.h"

static tarn_err read_it(tarn_str *bytes, tarn_tensor *t)
{
	tarn_err err = tarn_onnx_read_tensor((const uint8_t *)(bytes->at ? bytes->at : ""), bytes->len, t);
	tarn_str_fini(bytes);
	return err;
}

static void raw_bytes_are_found_in_the_file(void **state)
{
	(void)state;
	const float want[6] = {1.5f, -2.0f, 3.25f, 0.0f, 1e30f, -1e-30f};
	tarn_str s = {0};
	wire_int(&s, 1, 2);
	wire_int(&s, 1, 3);
	wire_int(&s, 2, 1);
	wire_text(&s, 8, "w");
	wire_bytes(&s, 9, want, sizeof want);
	wire_text(&s, 12, "a comment that is not read");
	tarn_tensor t;
	assert_int_equal(read_it(&s, &t), TARN_OK);
	assert_int_equal(t.type, TARN_F32);
	assert_int_equal(t.rank, 2);
	assert_int_equal(t.dim[0], 2);
	assert_int_equal(t.dim[1], 3);
	assert_memory_equal(t.data, want, sizeof want);
	assert_int_equal((uintptr_t)t.data % 64, 0);
	tarn_tensor_fini(&t);
}

static void typed_lists_packed_and_not(void **state)
{
	(void)state;
	tarn_tensor t;
	tarn_str s = {0}, list = {0};
	/* i8 in int32_data, packed: -3 is ten bytes long. */
	wire_int(&s, 1, 3);
	wire_int(&s, 2, 3);
	wire_varint(&list, (uint64_t)(int64_t)-3);
	wire_varint(&list, 0);
	wire_varint(&list, 127);
	wire_message(&s, 5, &list);
	assert_int_equal(read_it(&s, &t), TARN_OK);
	assert_memory_equal(t.data, "\xfd\x00\x7f", 3);
	tarn_tensor_fini(&t);
	/* i64, one field a number. */
	wire_int(&s, 1, 2);
	wire_int(&s, 2, 7);
	wire_int(&s, 7, -1);
	wire_int(&s, 7, INT64_MAX);
	assert_int_equal(read_it(&s, &t), TARN_OK);
	assert_true(((int64_t *)t.data)[0] == -1 && ((int64_t *)t.data)[1] == INT64_MAX);
	tarn_tensor_fini(&t);
	/* f16 1.0 in int32_data; a scalar has no dims. */
	wire_int(&s, 2, 10);
	wire_int(&s, 5, 0x3c00);
	assert_int_equal(read_it(&s, &t), TARN_OK);
	assert_int_equal(t.rank, 0);
	assert_true(tarn_tensor_f64(&t, 0) == 1.0);
	tarn_tensor_fini(&t);
	/* text */
	wire_int(&s, 1, 2);
	wire_int(&s, 2, 8);
	wire_text(&s, 6, "tarn");
	wire_text(&s, 6, "");
	assert_int_equal(read_it(&s, &t), TARN_OK);
	assert_string_equal(((const char **)t.data)[0], "tarn");
	assert_string_equal(((const char **)t.data)[1], "");
	tarn_tensor_fini(&t);
}

static void wrong_sizes_are_refused(void **state)
{
	(void)state;
	tarn_tensor t;
	tarn_str s = {0};
	wire_int(&s, 1, 4);
	wire_int(&s, 2, 1);
	wire_bytes(&s, 9, "123456789012", 12);
	assert_int_equal(read_it(&s, &t), TARN_BAD_FILE);
	assert_non_null(strstr(tarn_err_text(), "12 bytes where its shape asks for 16"));
	/* A terabyte promised, nothing there. */
	wire_int(&s, 1, 1 << 20);
	wire_int(&s, 1, 1 << 20);
	wire_int(&s, 2, 1);
	assert_int_equal(read_it(&s, &t), TARN_BAD_FILE);
	wire_int(&s, 1, -1);
	wire_int(&s, 2, 1);
	assert_int_equal(read_it(&s, &t), TARN_BAD_FILE);
	for (int i = 0; i < 9; i++)
		wire_int(&s, 1, 1);
	wire_int(&s, 2, 1);
	assert_int_equal(read_it(&s, &t), TARN_UNSUPPORTED);
	/* complex64 */
	wire_int(&s, 2, 14);
	assert_int_equal(read_it(&s, &t), TARN_UNSUPPORTED);
	/* A raw_at of the file's own is not believed. */
	wire_int(&s, 1, 1);
	wire_int(&s, 2, 2);
	wire_varint(&s, 1000 << 3 | 1);
	tarn_str_add_n(&s, "\0\0\0\0\0\0\0\0", 8);
	wire_varint(&s, 1001 << 3 | 1);
	tarn_str_add_n(&s, "\1\0\0\0\0\0\0\0", 8);
	assert_int_equal(read_it(&s, &t), TARN_BAD_FILE);
	assert_non_null(strstr(tarn_err_text(), "0 values"));
}

/* Every beginning of a message is refused or read, and wrong wire types are named with their place. */
static void damaged_bytes_are_refused(void **state)
{
	(void)state;
	tarn_tensor t;
	tarn_str s = {0}, part = {0};
	wire_int(&s, 2, 300);
	s.len--;
	assert_int_equal(read_it(&s, &t), TARN_BAD_FILE);
	wire_int(&s, 9, 5); /* raw_data as a number */
	assert_int_equal(read_it(&s, &t), TARN_BAD_FILE);
	assert_non_null(strstr(tarn_err_text(), "byte 0"));
	wire_int(&s, 2, 1);
	wire_int(&s, 2, 1);
	assert_int_equal(read_it(&s, &t), TARN_BAD_FILE);
	assert_non_null(strstr(tarn_err_text(), "twice"));
	/* A group, which is long gone from protobuf. */
	wire_varint(&s, 1 << 3 | 3);
	assert_int_equal(read_it(&s, &t), TARN_BAD_FILE);
	/* Graphs in graphs: graph { node { attribute { g { ... 100 times. */
	for (int i = 0; i < 100; i++) {
		tarn_str node = {0}, attr = {0};
		wire_message(&attr, 6, &part);
		wire_message(&node, 5, &attr);
		wire_message(&part, 1, &node);
	}
	wire_message(&s, 7, &part);
	tarn_str out = {0};
	assert_int_equal(onnx_wire_skeleton(ONNX_WIRE_MODEL, (const uint8_t *)s.at, s.len, &out), TARN_BAD_FILE);
	assert_non_null(strstr(tarn_err_text(), "nested"));
	tarn_str_fini(&out);
	tarn_str_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raw_bytes_are_found_in_the_file),
		cmocka_unit_test(typed_lists_packed_and_not),
		cmocka_unit_test(wrong_sizes_are_refused),
		cmocka_unit_test(damaged_bytes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
