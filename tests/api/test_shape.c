/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded models: pad, run, slice, and compare with the model as it was. */
#include "api.h"

#include "tarn/shape.h"

static ov_tensor_t *tensor_of(ov_element_type_e type, int rank, const int64_t *dim)
{
	ov_shape_t shape;
	ov_tensor_t *t;
	EXPECT_OK(ov_shape_create(rank, dim, &shape));
	EXPECT_OK(ov_tensor_create(type, shape, &t));
	ov_shape_free(&shape);
	return t;
}

static void *data_of(const ov_tensor_t *t)
{
	void *at;
	EXPECT_OK(ov_tensor_data(t, &at));
	return at;
}

static void tensors(void)
{
	ov_tensor_t *t = tensor_of(F32, 3, (int64_t[]){2, 3, 2}), *p, *s;
	for (int i = 0; i < 12; i++)
		((float *)data_of(t))[i] = (float)i;
	EXPECT_OK(tarn_pad_tensor(t, 1, 5, TARN_PAD_WITH_NAN, &p));
	const float *at = data_of(p);
	for (int i = 0; i < 20; i++)
		EXPECT(i % 10 < 6 ? at[i] == (float)(i / 10 * 6 + i % 10) : isnan(at[i]));
	EXPECT_OK(tarn_slice_tensor(p, 1, 3, &s));
	EXPECT(!memcmp(data_of(s), data_of(t), 48));
	ov_tensor_free(s);
	EXPECT(tarn_pad_tensor(t, 1, 2, TARN_PAD_WITH_ZERO, &s) == PARAMETER_MISMATCH);
	EXPECT(tarn_slice_tensor(t, 1, 4, &s) == PARAMETER_MISMATCH);
	EXPECT(tarn_slice_tensor(t, 3, 1, &s) != OK);
	ov_tensor_free(p);
	ov_tensor_free(t);
	t = tensor_of(I32, 1, (int64_t[]){1});
	*(int32_t *)data_of(t) = 7;
	EXPECT_OK(tarn_pad_tensor(t, 0, 2, TARN_PAD_WITH_NAN, &p));
	EXPECT(((int32_t *)data_of(p))[0] == 7 && ((int32_t *)data_of(p))[1] == 0x7fffffff);
	ov_tensor_free(p);
	ov_tensor_free(t);
}

static void bounds(ov_core_t *core)
{
	ov_model_t *m = read_affine(core, 2, (int[]){-1, 3});
	tarn_bound_info b;
	int repairs = -1;
	EXPECT(tarn_get_bound(m, 0, &b) == NOT_FOUND);
	EXPECT(tarn_bound_model(m, "nothing", 4, NULL) == NOT_FOUND && ov_model_is_dynamic(m));
	EXPECT_OK(tarn_bound_model(m, "n", 4, &repairs));
	EXPECT(!ov_model_is_dynamic(m) && repairs >= 0);
	EXPECT_OK(tarn_get_bound(m, 0, &b));
	EXPECT(!strcmp(b.name, "n") && b.max == 4 && !strcmp(b.length_input, "valid_length") && b.n_axis == 2);
	EXPECT(!strcmp(b.axis[0].port, "x") && !b.axis[0].output && b.axis[0].axis == 0);
	EXPECT(!strcmp(b.axis[1].port, "y") && b.axis[1].output && b.axis[1].axis == 0);
	tarn_free_bound(&b);
	EXPECT(tarn_get_bound(m, 1, &b) == NOT_FOUND);
	ov_model_free(m);
}

/* ---- 200 lengths of the text model ---- */

enum { LONGEST = 128 };

static ov_infer_request_t *request_of(ov_core_t *core, const ov_model_t *m)
{
	ov_compiled_model_t *c;
	ov_infer_request_t *r;
	EXPECT_OK(ov_core_compile_model(core, m, "CPU", 0, &c));
	EXPECT_OK(ov_compiled_model_create_infer_request(c, &r));
	ov_compiled_model_free(c);
	return r;
}

/* Largest difference of the first output's elements, relative to the largest element. */
static double difference(const ov_infer_request_t *a, const ov_infer_request_t *b)
{
	ov_tensor_t *x, *y;
	size_t n, m;
	EXPECT_OK(ov_infer_request_get_output_tensor_by_index(a, 0, &x));
	EXPECT_OK(ov_infer_request_get_output_tensor_by_index(b, 0, &y));
	EXPECT_OK(ov_tensor_get_size(x, &n));
	EXPECT_OK(ov_tensor_get_size(y, &m));
	EXPECT(n == m && n);
	const float *p = data_of(x), *q = data_of(y);
	double most = 0, apart = 0;
	for (size_t i = 0; i < n; i++) {
		EXPECT(isfinite(p[i]) && isfinite(q[i]));
		most = fmax(most, fabs((double)p[i]));
		apart = fmax(apart, fabs((double)p[i] - q[i]));
	}
	ov_tensor_free(x);
	ov_tensor_free(y);
	return apart / most;
}

static void text_lengths(ov_core_t *core)
{
	static const char *const names[] = {"input_ids", "attention_mask", "position_ids"};
	const char *path = TARN_EXAMPLES "/text/text.onnx";
	FILE *f = fopen(path, "rb");
	ov_model_t *m;
	unsigned seed = 20;
	if (!f) {
		printf("no %s: the lengths of the text model are not tested\n", path);
		return;
	}
	fclose(f);
	EXPECT_OK(ov_core_read_model(core, path, NULL, &m));
	ov_infer_request_t *plain = request_of(core, m);
	EXPECT_OK(tarn_bound_model(m, "length", LONGEST, NULL));
	ov_infer_request_t *bounded = request_of(core, m);
	for (int k = 0; k < 200; k++) {
		seed = seed * 1664525u + 1013904223u;
		int64_t n = k == 0 ? 1 : k == 1 ? LONGEST : 1 + (int64_t)(seed >> 8) % LONGEST;
		ov_tensor_t *len = tensor_of(I64, 1, (int64_t[]){1});
		*(int64_t *)data_of(len) = n;
		EXPECT_OK(ov_infer_request_set_tensor(bounded, "valid_length", len));
		ov_tensor_free(len);
		for (int i = 0; i < 3; i++) {
			ov_tensor_t *t = tensor_of(I64, 2, (int64_t[]){1, n}), *p;
			for (int64_t e = 0; e < n; e++) {
				seed = seed * 1664525u + 1013904223u;
				((int64_t *)data_of(t))[e] = i == 0 ? (int64_t)(seed >> 8) % 256 : i == 1 ? 1 : e;
			}
			EXPECT_OK(tarn_pad_tensor(t, 1, LONGEST, k % 2 ? TARN_PAD_WITH_NAN : TARN_PAD_WITH_RANDOM, &p));
			EXPECT_OK(ov_infer_request_set_tensor(plain, names[i], t));
			EXPECT_OK(ov_infer_request_set_tensor(bounded, names[i], p));
			ov_tensor_free(t);
			ov_tensor_free(p);
		}
		EXPECT_OK(ov_infer_request_infer(plain));
		EXPECT_OK(ov_infer_request_infer(bounded));
		EXPECT(difference(plain, bounded) <= 1e-4);
	}
	ov_infer_request_free(plain);
	ov_infer_request_free(bounded);
	ov_model_free(m);
}

int main(void)
{
	ov_core_t *core;
	EXPECT_OK(ov_core_create(&core));
	tensors();
	bounds(core);
	text_lengths(core);
	ov_core_free(core);
	return 0;
}
