/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, normalisations, softmax, attention, box operators: hand-computed values and closed forms. */
#include <math.h>

#include "probe.h"

static void test_pools(void **state)
{
	(void)state;
	/* Rounding up: the last window reaches beyond; one that would start in the padding is dropped unless all are wanted. */
	probe p = probe_open(NULL, "MaxPool", 1, 2);
	probe_in(&p, 0, TARN_F32, DIMS(1, 1, 2, 3), REALS(1, 5, 2, 4, 3, 6));
	probe_ints(&p, "kernel_shape", DIMS(2, 2));
	probe_ints(&p, "strides", DIMS(2, 2));
	probe_int(&p, "ceil_mode", 1);
	assert_ok(probe_eval(&p));
	probe_shape(&p, 0, DIMS(1, 1, 1, 2));
	probe_expect(&p, 0, 0, REAL_LIST(5, 6));
	probe_expect(&p, 1, 0, REAL_LIST(1, 5));
	probe_close(&p);
	for (int include = 0; include < 2; include++) {
		p = probe_open(NULL, "AveragePool", 1, 1);
		probe_in(&p, 0, TARN_F32, DIMS(1, 1, 3), REALS(3, 6, 9));
		probe_ints(&p, "kernel_shape", DIMS(3));
		probe_ints(&p, "pads", DIMS(1, 1));
		probe_int(&p, "count_include_pad", include);
		if (include)
			probe_gives(&p, 1e-6, REAL_LIST(3, 6, 5));
		else
			probe_gives(&p, 1e-6, REAL_LIST(4.5, 6, 7.5));
	}
	p = probe_open(NULL, "LpPool", 1, 1);
	probe_in(&p, 0, TARN_F32, DIMS(1, 1, 2), REALS(3, -4));
	probe_ints(&p, "kernel_shape", DIMS(2));
	probe_gives(&p, 1e-6, REAL_LIST(5));
	p = probe_open(NULL, "MaxPool", 1, 1);
	probe_free(&p, 0, TARN_F32, DIMS(1, 8, 0, 10), (const char *[]){NULL, NULL, "h", NULL});
	probe_ints(&p, "kernel_shape", DIMS(2, 2));
	probe_ints(&p, "strides", DIMS(2, 2));
	probe_infers(&p, 0, "[1,8,(floor((h-2)/2)+1),5]");
	probe_close(&p);
}

static void test_norms(void **state)
{
	(void)state;
	/* Mean 2, variance 1. */
	probe p = probe_open(NULL, "LayerNormalization", 3, 3);
	probe_in(&p, 0, TARN_F64, DIMS(1, 2), REALS(1, 3));
	probe_in(&p, 1, TARN_F64, DIMS(2), REALS(10, 20));
	probe_in(&p, 2, TARN_F64, DIMS(2), REALS(1, 2));
	probe_float(&p, "epsilon", 0);
	assert_ok(probe_eval(&p));
	probe_expect(&p, 0, 1e-12, REAL_LIST(-9, 22));
	probe_expect(&p, 1, 1e-6, REAL_LIST(2));
	probe_expect(&p, 2, 1e-6, REAL_LIST(1));
	probe_close(&p);
	/* Two groups of one channel, scale per group or per channel. */
	p = probe_open(NULL, "GroupNormalization", 3, 1);
	probe_in(&p, 0, TARN_F64, DIMS(1, 4, 1), REALS(1, 3, 10, 30));
	probe_in(&p, 1, TARN_F64, DIMS(2), REALS(1, 2));
	probe_in(&p, 2, TARN_F64, DIMS(2), REALS(0, 5));
	probe_int(&p, "num_groups", 2);
	probe_float(&p, "epsilon", 0);
	probe_gives(&p, 1e-12, REAL_LIST(-1, 1, 3, 7));
	p = probe_open(NULL, "MVN", 2, 1);
	probe_in(&p, 0, TARN_F64, DIMS(2, 2), REALS(1, 3, 10, 30));
	probe_in(&p, 1, TARN_I64, DIMS(1), REALS(-1));
	probe_word(&p, "eps_mode", "outside_sqrt");
	probe_float(&p, "eps", 1);
	probe_gives(&p, 1e-12, REAL_LIST(-0.5, 0.5, -10.0 / 11, 10.0 / 11));
	p = probe_open(NULL, "MVN", 2, 1); /* equal numbers are their mean, to the last bit */
	probe_in(&p, 0, TARN_F64, DIMS(6), REALS(1, 1, 1, 1, 1, 1));
	probe_in(&p, 1, TARN_I64, DIMS(1), REALS(0));
	probe_int(&p, "normalize_variance", 0);
	probe_gives(&p, 0, REAL_LIST(0, 0, 0, 0, 0, 0));
	p = probe_open(NULL, "NormalizeL2", 2, 1);
	probe_in(&p, 0, TARN_F64, DIMS(1, 2), REALS(3, 4));
	probe_in(&p, 1, TARN_I64, DIMS(1), REALS(1));
	probe_float(&p, "eps", 100);
	probe_word(&p, "eps_mode", "max");
	probe_gives(&p, 1e-12, REAL_LIST(0.3, 0.4));
	p = probe_open(NULL, "LRN", 1, 1);
	probe_in(&p, 0, TARN_F64, DIMS(1, 3, 1), REALS(1, 2, 3));
	probe_int(&p, "size", 3);
	probe_float(&p, "alpha", 3);
	probe_float(&p, "beta", 1);
	probe_gives(&p, 1e-12, REAL_LIST(1.0 / 6, 2.0 / 15, 3.0 / 14));
}

/* Before opset 13 all axes from `axis` on are one; the decomposition keeps that. */
static void test_softmax(void **state)
{
	(void)state;
	for (int flatten = 0; flatten < 2; flatten++)
		for (int decomposed = 0; decomposed <= flatten; decomposed++) {
			probe p = probe_open(NULL, "Softmax", 1, 1);
			probe_in(&p, 0, TARN_F64, DIMS(1, 2, 2), REALS(0, log(2), log(3), log(4)));
			probe_int(&p, "axis", 1);
			probe_int(&p, "flatten", flatten);
			tarn_graph *g = p.m->main;
			assert_ok(VEC_GROW(&g->output));
			g->output.at[g->output.len++] = p.n->out[0];
			if (decomposed) {
				assert_ok(tarn_graph_infer(g));
				assert_ok(p.n->op->decompose(g, p.n));
				tarn_graph_sweep(g);
				assert_ok(tarn_graph_sort(g));
			}
			const tarn_tensor *in[] = {&p.in[0]};
			assert_ok(tarn_graph_eval(g, in, &p.out[0], NULL, NULL));
			if (flatten)
				probe_expect(&p, 0, 1e-12, REAL_LIST(0.1, 0.2, 0.3, 0.4));
			else
				probe_expect(&p, 0, 1e-12, REAL_LIST(1.0 / 4, 2.0 / 6, 3.0 / 4, 4.0 / 6));
			probe_close(&p);
		}
}

/* Scores log 1 and log 3: weights 1/4 and 3/4; causal lets the first row see only the first value. */
static void test_attention(void **state)
{
	(void)state;
	for (int causal = 0; causal < 2; causal++) {
		probe p = probe_open(NULL, "ScaledDotProductAttention", 5, 1);
		probe_in(&p, 0, TARN_F64, DIMS(1, 2, 1), REALS(1, 1));
		probe_in(&p, 1, TARN_F64, DIMS(1, 2, 1), REALS(0, log(3) / 2));
		probe_in(&p, 2, TARN_F64, DIMS(1, 2, 2), REALS(4, 8, 12, 16));
		probe_in(&p, 3, TARN_BOOL, DIMS(2, 2), REALS(1, 1, 0, 1));
		probe_scalar(&p, 4, TARN_F64, 2);
		probe_int(&p, "causal", causal);
		if (causal)
			probe_gives(&p, 1e-12, REAL_LIST(4, 8, 10, 14));
		else
			probe_gives(&p, 1e-12, REAL_LIST(10, 14, 12, 16));
	}
}

/* Boxes 0 and 1 overlap by 1/3: kept apart at 0.5, merged at 0.3. */
static void test_suppression(void **state)
{
	(void)state;
	for (int tight = 0; tight < 2; tight++) {
		probe p = probe_open(NULL, "NonMaxSuppression", 5, 1);
		probe_in(&p, 0, TARN_F32, DIMS(1, 3, 4), REALS(0, 0, 2, 2, 2, 3, 0, 1, 5, 5, 6, 6));
		probe_in(&p, 1, TARN_F32, DIMS(1, 1, 3), REALS(0.5, 0.9, 0.1));
		probe_scalar(&p, 2, TARN_I64, 10);
		probe_scalar(&p, 3, TARN_F32, tight ? 0.3 : 0.5);
		probe_scalar(&p, 4, TARN_F32, 0.2);
		if (tight)
			probe_gives(&p, 0, REAL_LIST(0, 0, 1));
		else
			probe_gives(&p, 0, REAL_LIST(0, 0, 1, 0, 0, 0));
	}
}

/* One cell of an 8x16 image, centre (8, 4): side 4, side sqrt(4*9) = 6, and 4*2 x 4/2. */
static void test_prior_box(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "PriorBox", 2, 1);
	probe_in(&p, 0, TARN_I64, DIMS(2), REALS(1, 1));
	probe_in(&p, 1, TARN_I64, DIMS(2), REALS(8, 16));
	tarn_graph *g = p.m->main;
	assert_ok(tarn_attr_set_floats(g, p.n, probe_attr(&p, "min_size"), REALS(4), 1));
	assert_ok(tarn_attr_set_floats(g, p.n, probe_attr(&p, "max_size"), REALS(9), 1));
	assert_ok(tarn_attr_set_floats(g, p.n, probe_attr(&p, "aspect_ratio"), REALS(4), 1));
	assert_ok(tarn_attr_set_floats(g, p.n, probe_attr(&p, "variance"), REALS(0.1, 0.2, 0.3, 0.4), 4));
	assert_ok(probe_eval(&p));
	probe_shape(&p, 0, DIMS(2, 12));
	probe_expect(&p, 0, 1e-6,
		     REAL_LIST(6 / 16., 2 / 8., 10 / 16., 6 / 8., 5 / 16., 1 / 8., 11 / 16., 7 / 8., 4 / 16., 3 / 8., 12 / 16.,
			       5 / 8., 0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4));
	probe_close(&p);
	p = probe_open(NULL, "PriorBoxClustered", 2, 1);
	probe_in(&p, 0, TARN_I64, DIMS(2), REALS(1, 2));
	probe_in(&p, 1, TARN_I64, DIMS(2), REALS(10, 10));
	assert_ok(tarn_attr_set_floats(p.m->main, p.n, probe_attr(&p, "width"), REALS(4), 1));
	assert_ok(tarn_attr_set_floats(p.m->main, p.n, probe_attr(&p, "height"), REALS(2), 1));
	probe_float(&p, "offset", 0.5);
	probe_int(&p, "clip", 1);
	assert_ok(probe_eval(&p));
	probe_expect(&p, 0, 1e-6,
		     REAL_LIST(0.05, 0.4, 0.45, 0.6, 0.55, 0.4, 0.95, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1));
	probe_close(&p);
}

/* Three priors, classes 0 (background) and 1, 2. Prior 1 is prior 0 shifted by a third; offsets move prior 2 by half its width.
 */
static void test_detection_output(void **state)
{
	(void)state;
	for (int centre = 0; centre < 2; centre++) {
		probe p = probe_open(NULL, "DetectionOutput", 3, 1);
		probe_in(&p, 0, TARN_F64, DIMS(1, 12), REALS(0, 0, 0, 0, 0, 0, 0, 0, 5, 0, centre ? 0 : 5, 0));
		probe_in(&p, 1, TARN_F64, DIMS(1, 9), REALS(0, 0.6, 0.05, 0, 0.9, 0.3, 0.2, 0.5, 0.4));
		probe_in(&p, 2, TARN_F64, DIMS(1, 2, 12),
			 REALS(0, 0, 0.3, 0.5, 0.1, 0, 0.4, 0.5, 0.5, 0.5, 0.7, 1, 0.1, 0.1, 0.2, 0.2, 0.1, 0.1, 0.2, 0.2, 0.1,
			       0.1, 0.1, 0.2));
		probe_word(&p, "code_type", centre ? "caffe.PriorBoxParameter.CENTER_SIZE" : "caffe.PriorBoxParameter.CORNER");
		probe_float(&p, "nms_threshold", 0.45);
		probe_float(&p, "confidence_threshold", 0.1);
		probe_int(&p, "normalized", 1);
		probe_ints(&p, "keep_top_k", DIMS(4));
		assert_ok(probe_eval(&p));
		probe_shape(&p, 0, DIMS(1, 1, 4, 7));
		double move = centre ? 0.1 : 0.5; /* 0.1 * 5 of the width 0.2, or of the image */
		double q[] = {0.5 + move, 0.5, 0.7 + move, 1};
		/* Prior 0 overlaps prior 1 by a half and loses; label 2 has priors 2 (0.4) and 1 (0.3). */
		probe_expect(&p, 0, 1e-9,
			     REAL_LIST(0, 1, 0.9, 0.1, 0, 0.4, 0.5, 0, 1, 0.5, q[0], q[1], q[2], q[3], 0, 2, 0.4, q[0], q[1],
				       q[2], q[3], 0, 2, 0.3, 0.1, 0, 0.4, 0.5));
		probe_close(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_norms),
		cmocka_unit_test(test_softmax),
		cmocka_unit_test(test_attention),
		cmocka_unit_test(test_suppression),
		cmocka_unit_test(test_prior_box),
		cmocka_unit_test(test_detection_output),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
