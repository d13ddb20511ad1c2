/* SPDX-License-Identifier: Apache-2.0 */
/* Weights become FP16 numbers, and what can be expected to be lost of a response goes into the bias. */
#include "unit/driver/npu_graphs.h"

#include "base/f16.h"

/* The expected inputs of the product are these; a convolution that ignores its input and a ReLU make them. */
static const float level[] = {2, 0.5f, 7};

static tarn_value *known_means(tarn_graph *g)
{
	tarn_value *w = weights(g, dims(4, 3, 1, 1, 1)), *b = weights(g, dims(1, 3));
	for (int i = 0; i < 3; i++) {
		((float *)w->konst->data)[i] = 0;
		((float *)b->konst->data)[i] = level[i];
	}
	tarn_value *y = node(g, "Conv", input(g, dims(4, 1, 1, 6, 6)), w, b);
	return node(g, "Relu", y, NULL, NULL);
}

static void lost_means_go_into_the_bias(void **state)
{
	(void)state;
	for (int with_bias = 0; with_bias < 2; with_bias++) {
		tarn_model *m;
		tarn_arena a = {0};
		assert_ok(tarn_model_new(&m));
		tarn_graph *g = m->main;
		tarn_value *w = weights(g, dims(4, 4, 3, 3, 3));
		tarn_value *y = node(g, "Conv", known_means(g), w, with_bias ? weights(g, dims(1, 4)) : NULL);
		tarn_node *n = y->def;
		const float *f = w->konst->data, *old = with_bias ? n->in[2]->konst->data : NULL;
		output(g, y);
		assert_ok(tarn_graph_infer(g));
		assert_ok(tarn_npu_round_weights(g, &(npu_plan){0}, &a));
		assert_true(n->n_in == 3 && n->in[1] != w);
		const float *half = n->in[1]->konst->data, *bias = n->in[2]->konst->data;
		for (int o = 0; o < 4; o++) {
			double want = old ? old[o] : 0, lost = 0;
			for (int i = 0; i < 27; i++) {
				float r = tarn_f16_to_f32(tarn_f32_to_f16(f[o * 27 + i]));
				assert_true(half[o * 27 + i] == r);
				lost += ((double)f[o * 27 + i] - r) * level[i / 9];
			}
			assert_true(fabs(lost) > 1e-6);
			assert_true(fabs(bias[o] - (want + lost)) < 1e-6 * (1 + fabs(want)));
		}
		tarn_arena_fini(&a);
		tarn_model_unref(m);
	}
}

/* No bias, no correction: a run of weights keeps its sum as well as FP16 can. */
static void sums_stay_where_there_is_no_bias(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_arena a = {0};
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	/* The input of the convolution is chosen by data: nothing is known of it. */
	tarn_value *x = input(g, dims(4, 1, 3, 6, 6));
	tarn_value *order = node(g, "TopK", x, ints(g, 1, 6), NULL);
	tarn_value *w = weights(g, dims(4, 4, 3, 3, 3)), *y = node(g, "Conv", order, w, NULL);
	const float *f = w->konst->data;
	output(g, y);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_npu_round_weights(g, &(npu_plan){0}, &a));
	assert_int_equal(y->def->n_in, 2);
	const float *half = y->def->in[1]->konst->data;
	for (int o = 0; o < 4; o++) {
		double lost = 0;
		for (int i = 0; i < 27; i++)
			lost += (double)f[o * 27 + i] - half[o * 27 + i];
		assert_true(fabs(lost) < 3e-4); /* what the last weight lost, not the sum of 27 losses */
	}
	tarn_arena_fini(&a);
	tarn_model_unref(m);
}

/* Whole numbers times a step that is no power of two: exact with the step as the channel's scale, and read back from a blob. */
static void weights_on_a_grid_lose_nothing(void **state)
{
	(void)state;
	static const char *const op[] = {"Conv", "MatMul", "Gemm"};
	for (int k = 0; k < 3; k++) {
		tarn_model *m;
		tarn_arena a = {0};
		assert_ok(tarn_model_new(&m));
		tarn_graph *g = m->main;
		tarn_value *x = k ? input(g, dims(2, 5, 40)) : input(g, dims(4, 1, 40, 5, 5));
		tarn_value *w = weights(g, k ? dims(2, 40, 6) : dims(4, 6, 40, 1, 1));
		float *f = w->konst->data, *was = malloc(240 * sizeof *was);
		for (int i = 0; i < 240; i++) {
			int channel = k ? i % 6 : i / 40;
			f[i] = was[i] = 0.0123f * (float)(channel + 1) * (float)(i * 7 % 511 - 255);
		}
		tarn_value *y = node(g, op[k], x, w, NULL);
		output(g, y);
		assert_ok(tarn_graph_infer(g));
		double err = against_reference(m);
		assert_ok(tarn_npu_round_weights(g, &(npu_plan){0}, &a));
		const float *now = y->def->in[1]->konst->data;
		for (int i = 0; i < 240; i++)
			assert_true(fabsf(now[i] - was[i]) <= 3e-7f * fabsf(was[i]));
		assert_true(err < 1e-3);
		free(was);
		tarn_arena_fini(&a);
		tarn_model_unref(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_means_go_into_the_bias),
		cmocka_unit_test(weights_on_a_grid_lose_nothing),
		cmocka_unit_test(sums_stay_where_there_is_no_bias),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
