/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/test.h"

#include <string.h>
#include <zlib.h>

#include "fmt/npy/npy.h"

/* gzip of n bytes; returns the length. */
static size_t pack(const void *bytes, size_t n, uint8_t *to, size_t cap)
{
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)bytes;
	z.avail_in = (uInt)n;
	z.next_out = to;
	z.avail_out = (uInt)cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t len = z.total_out;
	deflateEnd(&z);
	return len;
}

static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 250, 251, 252};

static void check_images(const tarn_tensor *t)
{
	assert_int_equal(t->type, TARN_U8);
	assert_int_equal(t->rank, 3);
	assert_int_equal(t->dim[0], 2);
	assert_int_equal(t->dim[1], 1);
	assert_int_equal(t->dim[2], 3);
	assert_memory_equal(t->data, images + 16, 6);
}

static void plain_and_packed(void **state)
{
	(void)state;
	tarn_tensor t;
	assert_ok(tarn_idx_parse_tensor(images, sizeof images, &t));
	check_images(&t);
	tarn_tensor_fini(&t);
	uint8_t gz[200];
	size_t n = pack(images, sizeof images, gz, sizeof gz);
	assert_ok(tarn_idx_parse_tensor(gz, n, &t));
	check_images(&t);
	tarn_tensor_fini(&t);
	for (size_t cut = 0; cut < n; cut++)
		assert_err(TARN_BAD_FILE, tarn_idx_parse_tensor(gz, cut, &t));
	for (size_t cut = 0; cut < sizeof images; cut++)
		assert_err(TARN_BAD_FILE, tarn_idx_parse_tensor(images, cut, &t));
	gz[n - 6] ^= 1; /* checksum */
	assert_err(TARN_BAD_FILE, tarn_idx_parse_tensor(gz, n, &t));
}

static void wide_types_are_big_endian(void **state)
{
	(void)state;
	tarn_tensor t;
	const uint8_t ints[] = {0, 0, 0x0c, 1, 0, 0, 0, 2, 0, 0, 1, 2, 0xff, 0xff, 0xff, 0xfe};
	assert_ok(tarn_idx_parse_tensor(ints, sizeof ints, &t));
	assert_int_equal(tarn_tensor_i64(&t, 0), 258);
	assert_int_equal(tarn_tensor_i64(&t, 1), -2);
	tarn_tensor_fini(&t);
	const uint8_t real[] = {0, 0, 0x0e, 1, 0, 0, 0, 1, 0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18};
	assert_ok(tarn_idx_parse_tensor(real, sizeof real, &t));
	assert_true(tarn_tensor_f64(&t, 0) == 3.141592653589793);
	tarn_tensor_fini(&t);
}

static void more_or_less_than_promised(void **state)
{
	(void)state;
	tarn_tensor t;
	uint8_t gz[400];
	uint8_t longer[sizeof images + 1] = {0};
	memcpy(longer, images, sizeof images);
	assert_err(TARN_BAD_FILE, tarn_idx_parse_tensor(longer, sizeof longer, &t));
	assert_err(TARN_BAD_FILE, tarn_idx_parse_tensor(gz, pack(longer, sizeof longer, gz, sizeof gz), &t));
	/* A bomb: a header that asks for 2^36 elements from a few bytes. */
	const uint8_t bomb[] = {0, 0, 8, 3, 0, 0, 16, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0, 0, 0, 0};
	assert_err(TARN_BAD_FILE, tarn_idx_parse_tensor(bomb, sizeof bomb, &t));
	assert_err(TARN_BAD_FILE, tarn_idx_parse_tensor(gz, pack(bomb, sizeof bomb, gz, sizeof gz), &t));
	const uint8_t wrong[] = {0, 0, 7, 1, 0, 0, 0, 0}, rank[] = {0, 0, 8, 9};
	assert_err(TARN_BAD_FILE, tarn_idx_parse_tensor(wrong, sizeof wrong, &t));
	assert_err(TARN_UNSUPPORTED, tarn_idx_parse_tensor(rank, sizeof rank, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_and_packed),
		cmocka_unit_test(wide_types_are_big_endian),
		cmocka_unit_test(more_or_less_than_promised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
