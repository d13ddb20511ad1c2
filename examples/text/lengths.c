/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that padding changes nothing: texts of many lengths, each run twice: through the model as it is (free length, device
 * CPU), and through the model bounded to a maximum, with its padding full of random bits.
 *
 * usage: text-lengths MODEL.onnx SAMPLES.tsv MAX COUNT SEED [DEVICE]
 *        text-lengths --arrays SAMPLES.tsv LENGTH COUNT FOLDER
 *
 * The second form writes the first COUNT texts as input_ids.npy, attention_mask.npy, position_ids.npy, i64 [COUNT,LENGTH], and
 * their classes as labels.npy, for calibration and accuracy; texts are repeated until they fill the length.
 *
 * DEVICE (default CPU) runs the bounded model. Prints one JSON object: how many texts, the worst relative error (max |a-b| /
 * max |b| over a text's scores), how many changed their class, the mean length, the share of the padded work that is padding,
 * and top-1.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvino/c/openvino.h"
#include "tarn/shape.h"
#include "texts.h"

/* input_ids, attention_mask and position_ids of a text, i64 [1,n]. */
static int make_inputs(const unsigned char *text, int n, ov_tensor_t *in[TEXT_INPUTS])
{
	ov_shape_t shape;
	if (ov_shape_create(2, (int64_t[]){1, n}, &shape) != OK)
		return 1;
	int bad = 0;
	for (int k = 0; k < TEXT_INPUTS; k++) {
		void *at = NULL;
		bad |= ov_tensor_create(I64, shape, &in[k]) != OK || ov_tensor_data(in[k], &at) != OK;
		for (int i = 0; !bad && i < n; i++)
			((int64_t *)at)[i] = k == 0 ? text[i] : k == 1 ? 1 : i;
	}
	ov_shape_free(&shape);
	return bad;
}

static int scores_of(ov_infer_request_t *r, float out[TEXT_CLASSES])
{
	ov_tensor_t *t = NULL;
	void *at = NULL;
	size_t n = 0;
	int bad = ov_infer_request_infer(r) != OK || ov_infer_request_get_output_tensor(r, &t) != OK ||
		  ov_tensor_data(t, &at) != OK || ov_tensor_get_size(t, &n) != OK || n != TEXT_CLASSES;
	if (!bad)
		memcpy(out, at, TEXT_CLASSES * sizeof *out);
	ov_tensor_free(t);
	return bad;
}

/* The text as it is. */
static int run_free(ov_infer_request_t *r, const sample *s, float out[TEXT_CLASSES])
{
	ov_tensor_t *in[TEXT_INPUTS] = {NULL, NULL, NULL};
	int bad = make_inputs(s->text, s->n, in);
	for (int k = 0; k < TEXT_INPUTS; k++) {
		bad |= !bad && ov_infer_request_set_tensor(r, texts_input[k], in[k]) != OK;
		ov_tensor_free(in[k]);
	}
	return bad || scores_of(r, out);
}

/* The text in a frame of fixed length, garbage behind it. */
static int run_bounded(ov_infer_request_t *r, const sample *s, int max, float out[TEXT_CLASSES])
{
	ov_tensor_t *in[TEXT_INPUTS] = {NULL, NULL, NULL}, *length = NULL;
	ov_shape_t one;
	int64_t n = s->n;
	int bad = make_inputs(s->text, s->n, in) || ov_shape_create(1, (int64_t[]){1}, &one) != OK;
	for (int k = 0; k < TEXT_INPUTS; k++) {
		ov_tensor_t *wide = NULL;
		bad |= !bad && (tarn_pad_tensor(in[k], 1, max, TARN_PAD_WITH_RANDOM, &wide) != OK ||
				ov_infer_request_set_tensor(r, texts_input[k], wide) != OK);
		ov_tensor_free(wide);
		ov_tensor_free(in[k]);
	}
	bad |= !bad && (ov_tensor_create_from_host_ptr(I64, one, &n, &length) != OK ||
			ov_infer_request_set_tensor(r, "valid_length", length) != OK);
	bad = bad || scores_of(r, out);
	ov_tensor_free(length);
	ov_shape_free(&one);
	return bad;
}

static int best(const float s[TEXT_CLASSES])
{
	int k = 0;
	for (int i = 1; i < TEXT_CLASSES; i++)
		k = s[i] > s[k] ? i : k;
	return k;
}

typedef struct result {
	int n, changed, right;
	double worst, length;
} result;

static int compare(ov_infer_request_t *free_r, ov_infer_request_t *bound_r, int max, int count, uint64_t seed, result *res)
{
	for (int i = 0; i < count; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		sample s = texts[(seed >> 33) % (unsigned)n_texts];
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		int most = s.n < max ? s.n : max;
		s.n = 1 + (int)((seed >> 33) % (unsigned)most); /* any length from 1 up, not only those texts happen to have */
		float a[TEXT_CLASSES], b[TEXT_CLASSES];
		if (run_free(free_r, &s, a) || run_bounded(bound_r, &s, max, b))
			return texts_fail("inference");
		double diff = 0, size = 1e-9;
		for (int k = 0; k < TEXT_CLASSES; k++) {
			diff = fmax(diff, isfinite(b[k]) ? fabs((double)a[k] - b[k]) : INFINITY);
			size = fmax(size, fabs(a[k]));
		}
		res->worst = fmax(res->worst, diff / size);
		res->changed += best(a) != best(b);
		res->right += best(b) == s.label;
		res->length += s.n;
		res->n++;
	}
	return 0;
}

static int run(const char *path, const char *device, int max, int count, uint64_t seed)
{
	ov_core_t *core = NULL;
	ov_model_t *model = NULL, *bounded = NULL;
	ov_compiled_model_t *c[2] = {NULL, NULL};
	ov_infer_request_t *r[2] = {NULL, NULL};
	ov_partial_shape_t batch1;
	ov_dimension_t dims[2] = {{1, 1}, {max, max}};
	int repairs = 0, rc = 0;
	result res = {0};
	if (ov_core_create(&core) != OK || ov_core_read_model(core, path, NULL, &model) != OK ||
	    ov_core_read_model(core, path, NULL, &bounded) != OK || tarn_bound_model(bounded, "length", max, &repairs) != OK ||
	    ov_partial_shape_create(2, dims, &batch1) != OK)
		rc = texts_fail(path);
	ov_partial_shape_t shapes[TEXT_INPUTS];
	for (int k = 0; !rc && k < TEXT_INPUTS; k++)
		shapes[k] = batch1;
	if (!rc && ov_model_reshape(bounded, (const char *[]){texts_input[0], texts_input[1], texts_input[2]}, shapes,
				    TEXT_INPUTS) != OK)
		rc = texts_fail("a batch of 1");
	if (!rc && (ov_core_compile_model(core, model, "CPU", 0, &c[0]) != OK ||
		    ov_core_compile_model(core, bounded, device, 0, &c[1]) != OK ||
		    ov_compiled_model_create_infer_request(c[0], &r[0]) != OK ||
		    ov_compiled_model_create_infer_request(c[1], &r[1]) != OK))
		rc = texts_fail(device);
	if (!rc)
		rc = compare(r[0], r[1], max, count, seed, &res);
	if (!rc)
		printf("{\"texts\": %d, \"worst_relative_error\": %.3g, \"changed_class\": %d, \"repairs\": %d, "
		       "\"mean_length\": %.1f, "
		       "\"padding_share\": %.3f, \"top1\": %.4f}\n",
		       res.n, res.worst, res.changed, repairs, res.length / res.n, 1 - res.length / res.n / max,
		       (double)res.right / res.n);
	for (int k = 0; k < 2; k++) {
		ov_infer_request_free(r[k]);
		ov_compiled_model_free(c[k]);
	}
	ov_model_free(model);
	ov_model_free(bounded);
	ov_core_free(core);
	return rc;
}

static int write_arrays(const char *folder, int length, int count)
{
	count = count < n_texts ? count : n_texts;
	int64_t *at = malloc((size_t)(TEXT_INPUTS * length + 1) * (size_t)count * sizeof *at), *in[TEXT_INPUTS];
	if (!at)
		return texts_fail("out of memory");
	for (int k = 0; k < TEXT_INPUTS; k++)
		in[k] = at + (size_t)k * (size_t)length * (size_t)count;
	int64_t *labels = in[TEXT_INPUTS - 1] + (size_t)length * (size_t)count;
	for (int i = 0; i < count; i++) {
		labels[i] = texts[i].label;
		for (int j = 0; j < length; j++) {
			size_t p = (size_t)i * (size_t)length + (size_t)j;
			in[0][p] = texts[i].text[j % texts[i].n];
			in[1][p] = 1;
			in[2][p] = j;
		}
	}
	int rc = texts_write_all(folder, count, length, at);
	free(at);
	return rc;
}

int main(int argc, char **argv)
{
	bool arrays = argc == 6 && !strcmp(argv[1], "--arrays");
	int max = argc > 5 ? atoi(argv[3]) : 0, count = argc > 5 ? atoi(argv[4]) : 0;
	if (argc < 6 || argc > 7 || max < 1 || max > MAX_TEXT || count < 1) {
		fprintf(stderr, "usage: text-lengths MODEL.onnx SAMPLES.tsv MAX COUNT SEED [DEVICE]\n"
				"       text-lengths --arrays SAMPLES.tsv LENGTH COUNT FOLDER\n");
		return 2;
	}
	int rc = texts_read(argv[2]);
	if (!rc && arrays)
		return write_arrays(argv[5], max, count);
	return rc ? rc : run(argv[1], argc > 6 ? argv[6] : "CPU", max, count, strtoull(argv[5], NULL, 10));
}
