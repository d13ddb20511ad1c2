/* SPDX-License-Identifier: Apache-2.0 */
/* WAV files made byte by byte: every width, chunks that do not matter, damage. */
#include "fmt/npy/npy.h"
#include "unit/test.h"

#include <string.h>

typedef struct file {
	uint8_t at[256];
	size_t n;
} file;

static void put(file *f, const void *bytes, size_t n)
{
	memcpy(f->at + f->n, bytes, n);
	f->n += n;
}

static void put_le(file *f, uint32_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		f->at[f->n++] = (uint8_t)(v >> 8 * i);
}

static file make(int format, int channels, int bits, const void *data, size_t n)
{
	file f = {.n = 0};
	put(&f, "RIFF", 4);
	put_le(&f, (uint32_t)(4 + 8 + 3 + 1 + 8 + 16 + 8 + n), 4);
	put(&f, "WAVElist", 8); /* three bytes, filled up to four */
	put_le(&f, 3, 4);
	put(&f, "abc", 4);
	put(&f, "fmt ", 4);
	put_le(&f, 16, 4);
	put_le(&f, (uint32_t)format, 2);
	put_le(&f, (uint32_t)channels, 2);
	put_le(&f, 16000, 4);
	put_le(&f, (uint32_t)(16000 * channels * bits / 8), 4);
	put_le(&f, (uint32_t)(channels * bits / 8), 2);
	put_le(&f, (uint32_t)bits, 2);
	put(&f, "data", 4);
	put_le(&f, (uint32_t)n, 4);
	put(&f, data, n);
	return f;
}

static void expect(const file *f, int channels, int samples, const float *want)
{
	tarn_tensor t;
	assert_true(tarn_wav_probe(f->at, f->n));
	assert_ok(tarn_wav_parse_tensor(f->at, f->n, &t));
	assert_int_equal(t.type, TARN_F32);
	assert_int_equal(t.rank, 2);
	assert_int_equal(t.dim[0], channels);
	assert_int_equal(t.dim[1], samples);
	for (int i = 0; i < channels * samples; i++)
		if (((float *)t.data)[i] != want[i])
			fail_msg("sample %d is %g, not %g", i, (double)((float *)t.data)[i], (double)want[i]);
	tarn_tensor_fini(&t);
}

static void widths(void **state)
{
	(void)state;
	const float want[] = {0, 0.5f, -0.5f, -1};
	const uint8_t b8[] = {128, 192, 64, 0}, b16[] = {0, 0, 0, 0x40, 0, 0xc0, 0, 0x80};
	const uint8_t b24[] = {0, 0, 0, 0, 0, 0x40, 0, 0, 0xc0, 0, 0, 0x80};
	const uint8_t b32[] = {0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0xc0, 0, 0, 0, 0x80};
	file f = make(1, 1, 8, b8, sizeof b8);
	expect(&f, 1, 4, want);
	f = make(1, 1, 16, b16, sizeof b16);
	expect(&f, 1, 4, want);
	f = make(1, 1, 24, b24, sizeof b24);
	expect(&f, 1, 4, want);
	f = make(1, 1, 32, b32, sizeof b32);
	expect(&f, 1, 4, want);
	f = make(3, 1, 32, want, sizeof want); /* on a little-endian machine */
	expect(&f, 1, 4, want);
	/* two channels, one after the other in the tensor */
	f = make(1, 2, 16, b16, sizeof b16);
	expect(&f, 2, 2, (const float[]){0, -0.5f, 0.5f, -1});
}

static void damage(void **state)
{
	(void)state;
	const uint8_t b16[] = {0, 0, 0, 0x40, 0, 0xc0, 0, 0x80};
	file f = make(1, 1, 16, b16, sizeof b16);
	tarn_tensor t;
	/* stopped in the middle of the samples: what is there counts */
	f.n -= 3;
	expect(&f, 1, 2, (const float[]){0, 0.5f});
	for (size_t n = 0; n < f.n; n++)
		if (tarn_wav_parse_tensor(f.at, n, &t) == TARN_OK)
			tarn_tensor_fini(&t);
	f = make(1, 0, 16, b16, sizeof b16);
	assert_int_equal(tarn_wav_parse_tensor(f.at, f.n, &t), TARN_BAD_FILE);
	f = make(2, 1, 4, b16, sizeof b16);
	assert_int_equal(tarn_wav_parse_tensor(f.at, f.n, &t), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "store it as PCM"));
	assert_false(tarn_wav_probe(f.at, 11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(widths),
		cmocka_unit_test(damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
