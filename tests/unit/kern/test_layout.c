/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "kern/layout.h"

/* dst[index in target order] = src[index in source order], element by element. */
static void check_transpose(size_t size, int rank, const size_t *dims, const int *perm)
{
	size_t n = 1, stride[TARN_LAYOUT_MAX_RANK];
	for (int i = rank; i-- > 0; n *= dims[i])
		stride[i] = n;
	unsigned char *src = malloc(n * size + 1), *dst = malloc(n * size + 1);
	for (size_t i = 0; i < n * size; i++)
		src[i] = (unsigned char)rng();
	dst[n * size] = 77;
	assert_ok(tarn_transpose(size, src, dst, rank, dims, perm));
	for (size_t i = 0; i < n; i++) {
		size_t rest = i, from = 0;
		for (int a = rank; a-- > 0; rest /= dims[perm[a]])
			from += rest % dims[perm[a]] * stride[perm[a]];
		assert_memory_equal(dst + i * size, src + from * size, size);
	}
	assert_int_equal(dst[n * size], 77);
	free(src), free(dst);
}

static void any_permutation(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 2, 4, 8};
	for (int round = 0; round < 300; round++) {
		size_t dims[6];
		int perm[6], rank = rng_int(0, 6);
		for (int i = 0; i < rank; i++) {
			dims[i] = (size_t)(rng() % 4 ? rng_int(1, 5) : rng_int(1, rank < 4 ? 40 : 9));
			perm[i] = i;
		}
		for (int i = rank - 1; i > 0; i--) {
			int j = rng_int(0, i), t = perm[i];
			perm[i] = perm[j], perm[j] = t;
		}
		check_transpose(sizes[round % 4], rank, dims, perm);
	}
	check_transpose(4, 3, (size_t[]){2, 33, 70}, (int[]){0, 2, 1});
}

static void channels_last_and_back(void **state)
{
	(void)state;
	float *x = random_floats(2 * 5 * 37), *y = marked_floats(2 * 7 * 37), *z = marked_floats(2 * 5 * 37);
	tarn_layout_to_nhwc(4, x, y, 5, 37, 7, 0, 2 * 37);
	for (size_t n = 0; n < 2; n++)
		for (size_t p = 0; p < 37; p++)
			for (size_t c = 0; c < 7; c++)
				assert_true(y[(n * 37 + p) * 7 + c] == (c < 5 ? x[(n * 5 + c) * 37 + p] : UNTOUCHED));
	tarn_layout_to_nchw(4, y, z, 5, 37, 7, 0, 2 * 37);
	assert_memory_equal(x, z, 2 * 5 * 37 * sizeof(float));
	free(x), free(y), free(z);
}

/* Two to four channels without gaps, in ranges that begin and end within images. */
static void few_channels_in_ranges_of_pixels(void **state)
{
	(void)state;
	enum { PIXELS = 45, ALL = 3 * PIXELS };
	const size_t cut[] = {0, 1, 14, 50, 90, 91, ALL};
	for (size_t c = 2; c <= 4; c++) {
		float *x = random_floats(ALL * c), *y = marked_floats(ALL * c + 1), *z = marked_floats(ALL * c + 1);
		for (size_t i = 6; i-- > 0;) /* backwards: a range must not touch its neighbour */
			tarn_layout_to_nhwc(4, x, y, c, PIXELS, 0, cut[i], cut[i + 1]);
		for (size_t p = 0; p < ALL; p++)
			for (size_t k = 0; k < c; k++)
				assert_true(y[p * c + k] == x[(p / PIXELS * c + k) * PIXELS + p % PIXELS]);
		for (size_t i = 6; i-- > 0;)
			tarn_layout_to_nchw(4, y, z, c, PIXELS, 0, cut[i], cut[i + 1]);
		assert_memory_equal(x, z, ALL * c * sizeof(float));
		assert_true(y[ALL * c] == UNTOUCHED && z[ALL * c] == UNTOUCHED);
		free(x), free(y), free(z);
	}
}

static void bad_requests_are_refused(void **state)
{
	(void)state;
	char x[64] = {0}, y[64];
	size_t dims[17] = {2, 2};
	assert_int_equal(tarn_transpose(3, x, y, 2, dims, (int[]){1, 0}), TARN_TYPE);
	assert_int_equal(tarn_transpose(4, x, y, 2, dims, (int[]){1, 1}), TARN_SHAPE);
	assert_int_equal(tarn_transpose(4, x, y, 2, dims, (int[]){0, 2}), TARN_SHAPE);
	assert_int_equal(tarn_transpose(4, x, y, 17, dims, (int[17]){0}), TARN_SHAPE);
	dims[1] = 0;
	assert_ok(tarn_transpose(4, x, y, 2, dims, (int[]){1, 0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(any_permutation), cmocka_unit_test(channels_last_and_back),
					   cmocka_unit_test(few_channels_in_ranges_of_pixels),
					   cmocka_unit_test(bad_requests_are_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
