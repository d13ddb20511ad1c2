/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of RNN, GRU and LSTM: every input, direction and layout, with peepholes, lengths of their own, clipping and every
 * activation. */
#include "unit/ops/grad_check.h"

enum { S = 3, N = 2, I = 3, H = 2 };

static int gates_of(const char *op)
{
	return op[0] == 'L' ? 4 : op[0] == 'G' ? 3 : 1;
}

/* All inputs but the lengths. */
static probe cell(const char *op, const char *direction, bool batch_first)
{
	int gates = gates_of(op), d = direction[0] == 'b' ? 2 : 1;
	probe p = probe_open("", op, gates == 4 ? 8 : 6, gates == 4 ? 3 : 2);
	probe_word(&p, "direction", direction);
	probe_int(&p, "layout", batch_first);
	random_in(&p, 0, DIMS(batch_first ? N : S, batch_first ? S : N, I), -1, 1, 0);
	random_in(&p, 1, DIMS(d, gates * H, I), -1, 1, 0);
	random_in(&p, 2, DIMS(d, gates * H, H), -1, 1, 0);
	random_in(&p, 3, DIMS(d, 2 * gates * H), -1, 1, 0);
	for (int i = 5; i < (gates == 4 ? 7 : 6); i++)
		random_in(&p, i, DIMS(batch_first ? N : d, batch_first ? d : N, H), -1, 1, 0);
	if (gates == 4)
		random_in(&p, 7, DIMS(d, 3 * H), -1, 1, 0);
	return p;
}

static void directions(void **state)
{
	(void)state;
	static const char *const ops[] = {"RNN", "GRU", "LSTM"}, *const way[] = {"forward", "reverse", "bidirectional"};
	for (int i = 0; i < 18; i++) {
		probe p = cell(ops[i % 3], way[i / 3 % 3], i >= 9);
		check(&p);
	}
}

static void lengths(void **state)
{
	(void)state;
	static const char *const ops[] = {"RNN", "GRU", "LSTM"};
	for (int i = 0; i < 3; i++) {
		probe p = cell(ops[i], "bidirectional", false);
		probe_in(&p, 4, TARN_I32, DIMS(N), REALS(S, 1));
		check(&p);
	}
}

static void variants(void **state)
{
	(void)state;
	probe p = cell("LSTM", "forward", false);
	probe_int(&p, "input_forget", 1);
	check(&p);
	p = cell("GRU", "bidirectional", true);
	probe_int(&p, "linear_before_reset", 1);
	check(&p);
	static const char *const ops[] = {"RNN", "GRU", "LSTM"};
	for (int i = 0; i < 3; i++) {
		p = cell(ops[i], "forward", false);
		probe_float(&p, "clip", 0.45);
		check(&p);
	}
	p = probe_open("", "LSTM", 3, 3); /* nothing but what must be there */
	random_in(&p, 0, DIMS(S, N, I), -1, 1, 0);
	random_in(&p, 1, DIMS(1, 4 * H, I), -1, 1, 0);
	random_in(&p, 2, DIMS(1, 4 * H, H), -1, 1, 0);
	check(&p);
}

static void activations(void **state)
{
	(void)state;
	static const char *const acts[] = {"Relu", "Tanh",     "Sigmoid",  "Affine",     "LeakyRelu",  "ThresholdedRelu",
					   "Elu",  "Softsign", "Softplus", "ScaledTanh", "HardSigmoid"};
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		probe p = cell("RNN", "forward", false);
		assert_ok(tarn_attr_set_str(p.m->main, p.n, probe_attr(&p, "activations"), acts[i]));
		assert_ok(tarn_attr_set_floats(p.m->main, p.n, probe_attr(&p, "activation_alpha"), REALS(0.3), 1));
		assert_ok(tarn_attr_set_floats(p.m->main, p.n, probe_attr(&p, "activation_beta"), REALS(0.7), 1));
		check(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directions),
		cmocka_unit_test(lengths),
		cmocka_unit_test(variants),
		cmocka_unit_test(activations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
