/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and multiply-accumulates are those published for the architectures (torchvision's and Hugging Face's model pages),
 * less what folding batch normalisation saves. */
#include "unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fmt/synth/synth.h"
#include "ir/op.h"
#include "ops/ops.h"

static int64_t weights(const tarn_model *m, tarn_dtype type)
{
	int64_t n = 0;
	for (size_t i = 0; i < m->main->value.len; i++) {
		const tarn_value *v = m->main->value.at[i];
		/* Scales and zero points of INT8 models are no parameters. */
		if (v->konst && v->konst->type == type && !strstr(v->name, "scale") && !strstr(v->name, "zero_point"))
			n += tarn_tensor_count(v->konst);
	}
	return n;
}

static int64_t macs(const tarn_model *m)
{
	int64_t n = 0;
	for (size_t i = 0; i < m->main->node.len; i++) {
		const tarn_node *node = m->main->node.at[i];
		tarn_cost cost = {0};
		if (node->op->cost && node->op->cost(node, &cost) == TARN_OK)
			n += cost.macs;
	}
	return n;
}

static void check_output(const tarn_model *m, int i, int rank, const int64_t *dim)
{
	const tarn_shape *s = &m->main->output.at[i]->shape;
	assert_int_equal(s->rank, rank);
	for (int k = 0; k < rank; k++)
		assert_int_equal(s->dim[k], dim[k]);
}

static void resnet50(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_synth_model("resnet-50", false, 1, &m));
	/* 25,557,032 of which 53,120 are batch normalisation's scales, which vanish, and as many shifts, which stay as biases.
	 */
	assert_int_equal(weights(m, TARN_F32), 25557032 - 26560);
	assert_in_range(macs(m), 4089000000, 4090000000);
	check_output(m, 0, 2, (int64_t[]){1, 1000});
	tarn_model_unref(m);
}

static void mobilenet_v2(void **state)
{
	(void)state;
	tarn_model *m, *again, *other;
	assert_ok(tarn_synth_model("mobilenet-v2", false, 1, &m));
	/* 3,504,872, less the folded scales; and the bounds of 35 Clips. */
	assert_int_equal(weights(m, TARN_F32), 3504872 - 17056 + 35 * 2);
	assert_in_range(macs(m), 300000000, 301000000);
	check_output(m, 0, 2, (int64_t[]){1, 1000});
	/* The same seed, the same weights; another, others. */
	assert_ok(tarn_synth_model("mobilenet-v2", false, 1, &again));
	assert_ok(tarn_synth_model("mobilenet-v2", false, 2, &other));
	size_t differ = 0;
	for (size_t i = 0; i < m->main->value.len; i++) {
		const tarn_tensor *a = m->main->value.at[i]->konst, *b = again->main->value.at[i]->konst;
		if (!a)
			continue;
		assert_memory_equal(a->data, b->data, tarn_tensor_bytes(a));
		differ += memcmp(a->data, other->main->value.at[i]->konst->data, tarn_tensor_bytes(a)) != 0;
	}
	assert_int_equal(differ, 2 * 53); /* 52 convolutions and the classifier, weight and bias each */
	tarn_model_unref(m);
	tarn_model_unref(again);
	tarn_model_unref(other);
}

static void quantized_forms(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_synth_model("mobilenet-v2", true, 1, &m));
	int64_t channels = 17056 + 1000; /* of convolutions and classifier */
	assert_int_equal(weights(m, TARN_I8), 3504872 - 2 * 17056 - 1000);
	assert_int_equal(weights(m, TARN_I32), channels);
	/* Every weight tensor reaches the end of its grid in every channel, and biases stand in units of s_x s_w. */
	for (size_t i = 0; i < m->main->node.len; i++) {
		const tarn_node *n = m->main->node.at[i];
		if (strcmp(n->op->name, "Conv"))
			continue;
		const tarn_tensor *w = n->in[1]->def->in[0]->konst, *ws = n->in[1]->def->in[1]->konst;
		const tarn_tensor *bs = n->in[2]->def->in[1]->konst, *xs = n->in[0]->def->in[1]->konst;
		int64_t each = tarn_tensor_count(w) / w->dim[0];
		for (int64_t c = 0; c < w->dim[0]; c++) {
			int top = 0;
			for (int64_t k = 0; k < each; k++) {
				int v = abs((int)tarn_tensor_i64(w, c * each + k));
				top = v > top ? v : top;
			}
			assert_int_equal(top, 127);
			double want = tarn_tensor_f64(xs, 0) * tarn_tensor_f64(ws, c);
			assert_true(fabs(tarn_tensor_f64(bs, c) - want) <= 1e-6 * want);
		}
	}
	tarn_model_unref(m);
}

static void yolov8n(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_synth_model("yolov8n", false, 1, &m));
	/* 3,151,904 after folding (Ultralytics' "fused" summary says 3.15 M and 8.7 GFLOP), and the 8400 anchors' 3 numbers,
	 * the scales of 2 Resizes, one divisor. */
	assert_in_range(weights(m, TARN_F32), 3145000 + 25200, 3158000 + 25200);
	assert_in_range(macs(m), 4300000000, 4450000000);
	check_output(m, 0, 3, (int64_t[]){1, 84, 8400});
	tarn_model_unref(m);
	assert_ok(tarn_synth_model("yolov8n", true, 1, &m));
	check_output(m, 0, 3, (int64_t[]){1, 84, 8400});
	tarn_model_unref(m);
}

static void unknown_names_list_the_known(void **state)
{
	(void)state;
	tarn_model *m;
	assert_err(TARN_NOT_FOUND, tarn_synth_model("resnet-51", false, 1, &m));
	assert_non_null(strstr(tarn_err_text(), "mobilenet-v2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resnet50),
		cmocka_unit_test(mobilenet_v2),
		cmocka_unit_test(quantized_forms),
		cmocka_unit_test(yolov8n),
		cmocka_unit_test(unknown_names_list_the_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
