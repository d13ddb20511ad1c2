/* SPDX-License-Identifier: Apache-2.0 */
/* RNN, GRU, LSTM against closed forms of one unit, and against recurrences written scalar by scalar. */
#include <math.h>

#include "probe.h"

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

/* One unit, h = tanh(w x + r h + b): three steps, forward and reverse, lengths 3 and 1. */
static void test_rnn(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "RNN", 5, 2);
	double x[] = {0.5, -1, 0.25, 2, -0.75, 3}; /* [S=3, B=2, 1] */
	probe_in(&p, 0, TARN_F64, DIMS(3, 2, 1), x);
	probe_in(&p, 1, TARN_F64, DIMS(2, 1, 1), REALS(0.5, -0.25));
	probe_in(&p, 2, TARN_F64, DIMS(2, 1, 1), REALS(0.75, 0.5));
	probe_in(&p, 3, TARN_F64, DIMS(2, 2), REALS(0.1, 0.2, -0.3, 0));
	probe_in(&p, 4, TARN_I32, DIMS(2), REALS(3, 1));
	probe_word(&p, "direction", "bidirectional");
	assert_ok(probe_eval(&p));
	probe_shape(&p, 0, DIMS(3, 2, 2, 1));
	double f0 = tanh(0.5 * 0.5 + 0.3), f1 = tanh(0.5 * 0.25 + 0.75 * f0 + 0.3), f2 = tanh(0.5 * -0.75 + 0.75 * f1 + 0.3);
	double r2 = tanh(-0.25 * -0.75 - 0.3), r1 = tanh(-0.25 * 0.25 + 0.5 * r2 - 0.3),
	       r0 = tanh(-0.25 * 0.5 + 0.5 * r1 - 0.3);
	double g = tanh(0.5 * -1 + 0.3), q = tanh(-0.25 * -1 - 0.3);
	probe_expect(&p, 0, 1e-12, REAL_LIST(f0, g, r0, q, f1, 0, r1, 0, f2, 0, r2, 0));
	probe_expect(&p, 1, 1e-12, REAL_LIST(f2, g, r0, q));
	probe_close(&p);
}

static void test_gru(void **state)
{
	(void)state;
	for (int after = 0; after < 2; after++) {
		probe p = probe_open(NULL, "GRU", 6, 2);
		probe_in(&p, 0, TARN_F64, DIMS(1, 2, 1), REALS(0.5, -1)); /* batch first */
		probe_in(&p, 1, TARN_F64, DIMS(1, 3, 1), REALS(0.3, -0.6, 0.9));
		probe_in(&p, 2, TARN_F64, DIMS(1, 3, 1), REALS(0.2, 0.4, -0.8));
		probe_in(&p, 3, TARN_F64, DIMS(1, 6), REALS(0.1, 0.2, 0.3, 0.4, 0.5, 0.6));
		probe_in(&p, 5, TARN_F64, DIMS(1, 1, 1), REALS(0.7));
		probe_int(&p, "layout", 1);
		probe_int(&p, "linear_before_reset", after);
		assert_ok(probe_eval(&p));
		double h = 0.7, want[2], x[] = {0.5, -1};
		for (int t = 0; t < 2; t++) {
			double z = sigmoid(0.3 * x[t] + 0.2 * h + 0.5), r = sigmoid(-0.6 * x[t] + 0.4 * h + 0.7);
			double n = after ? tanh(0.9 * x[t] + r * (-0.8 * h + 0.6) + 0.3)
					 : tanh(0.9 * x[t] - 0.8 * r * h + 0.6 + 0.3);
			want[t] = h = (1 - z) * n + z * h;
		}
		probe_shape(&p, 0, DIMS(1, 2, 1, 1));
		probe_expect(&p, 0, 1e-12, 2, want);
		probe_expect(&p, 1, 1e-12, 1, &h);
		probe_close(&p);
	}
}

/* Peepholes, clip, and one step by hand; gates are in the order input, output, forget, cell. */
static void test_lstm(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "LSTM", 8, 3);
	probe_in(&p, 0, TARN_F64, DIMS(1, 1, 1), REALS(2));
	probe_in(&p, 1, TARN_F64, DIMS(1, 4, 1), REALS(0.1, 0.2, 0.3, 5));
	probe_in(&p, 2, TARN_F64, DIMS(1, 4, 1), REALS(0.5, 0.6, 0.7, 0.8));
	probe_in(&p, 3, TARN_F64, DIMS(1, 8), REALS(0, 0, 0, 0, 0.1, 0.1, 0.1, 0.1));
	probe_in(&p, 5, TARN_F64, DIMS(1, 1, 1), REALS(0.25));
	probe_in(&p, 6, TARN_F64, DIMS(1, 1, 1), REALS(-0.5));
	probe_in(&p, 7, TARN_F64, DIMS(1, 3), REALS(0.9, -0.9, 0.3));
	probe_float(&p, "clip", 1.5);
	assert_ok(probe_eval(&p));
	double i = sigmoid(0.2 + 0.125 + 0.1 - 0.45), f = sigmoid(0.6 + 0.175 + 0.1 - 0.15), g = tanh(1.5);
	double c = f * -0.5 + i * g, o = sigmoid(0.4 + 0.15 + 0.1 - 0.9 * c), h = o * tanh(c);
	probe_expect(&p, 0, 1e-12, 1, &h);
	probe_expect(&p, 1, 1e-12, 1, &h);
	probe_expect(&p, 2, 1e-12, 1, &c);
	probe_close(&p);
}

static void test_activations(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "RNN", 3, 2);
	probe_in(&p, 0, TARN_F64, DIMS(1, 1, 1), REALS(-3));
	probe_in(&p, 1, TARN_F64, DIMS(1, 1, 1), REALS(1));
	probe_in(&p, 2, TARN_F64, DIMS(1, 1, 1), REALS(0));
	assert_ok(tarn_attr_set_str(p.m->main, p.n, probe_attr(&p, "activations"), "leakyrelu"));
	assert_ok(tarn_attr_set_floats(p.m->main, p.n, probe_attr(&p, "activation_alpha"), REALS(0.5), 1));
	probe_gives(&p, 1e-12, REAL_LIST(-1.5));
	p = probe_open(NULL, "RNN", 3, 2);
	probe_in(&p, 0, TARN_F64, DIMS(1, 1, 1), REALS(-3));
	probe_in(&p, 1, TARN_F64, DIMS(1, 1, 1), REALS(1));
	probe_in(&p, 2, TARN_F64, DIMS(1, 1, 1), REALS(0));
	assert_ok(tarn_attr_set_str(p.m->main, p.n, probe_attr(&p, "activations"), "Step"));
	assert_err(TARN_UNSUPPORTED, probe_eval(&p));
	probe_close(&p);
}

static void test_shapes(void **state)
{
	(void)state;
	probe p = probe_open(NULL, "LSTM", 3, 3);
	probe_free(&p, 0, TARN_F32, DIMS(0, 0, 8), (const char *[]){"t", "n", NULL});
	probe_free(&p, 1, TARN_F32, DIMS(2, 64, 8), NULL);
	probe_free(&p, 2, TARN_F32, DIMS(2, 64, 16), NULL);
	probe_word(&p, "direction", "bidirectional");
	probe_infers(&p, 0, "[t,2,n,16]");
	probe_infers(&p, 2, "[2,n,16]");
	probe_close(&p);
	p = probe_open(NULL, "GRU", 3, 2);
	probe_free(&p, 0, TARN_F32, DIMS(4, 2, 8), NULL);
	probe_free(&p, 1, TARN_F32, DIMS(1, 64, 8), NULL);
	probe_free(&p, 2, TARN_F32, DIMS(1, 64, 16), NULL);
	assert_err(TARN_SHAPE, probe_infer(&p)); /* 64 rows are four gates, not three */
	probe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rnn),         cmocka_unit_test(test_gru),    cmocka_unit_test(test_lstm),
		cmocka_unit_test(test_activations), cmocka_unit_test(test_shapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
