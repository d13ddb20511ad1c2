/* SPDX-License-Identifier: Apache-2.0 */
/* Weight-only quantization: the search for scales, and what becomes of a graph. */
#include "devices/graphs.h"

#include "dev/cpu/device.h"
#include "quant/weight_only.h"

#include "devices/fixture.h"

static tarn_weight_report report;

static int setup(void **state)
{
	(void)state;
	report = (tarn_weight_report){0};
	return fixture_start(5);
}

static int teardown(void **state)
{
	tarn_weight_report_fini(&report);
	return fixture_teardown(state);
}

/* ---- scales ---- */

enum { ROWS = 32, N = QUANT_LANES };

static double error_of(const float *w, const float *h, int column, double scale, int lo, int hi)
{
	double e = 0;
	for (int k = 0; k < ROWS; k++) {
		double x = w[k * N + column], q = fmin(fmax(nearbyint(x / scale), lo), hi);
		e += h[k] * (x - scale * q) * (x - scale * q);
	}
	return e;
}

/* Least error over a dense list of scales of both signs. */
static double least_error(const float *w, const float *h, int column, int lo, int hi)
{
	double most = 0, best = INFINITY;
	for (int k = 0; k < ROWS; k++)
		most = fmax(most, fabs((double)w[k * N + column]));
	for (int i = 1; i <= 4000; i++)
		for (int sign = -1; sign <= 1; sign += 2)
			best = fmin(best, error_of(w, h, column, sign * most / hi * i / 3000.0, lo, hi));
	return best;
}

static void scales_near_the_best(void **state)
{
	(void)state;
	float w[ROWS * N], h[ROWS], scale[N];
	int8_t code[ROWS * N];
	double nearest = 0, best = 0, found = 0;
	for (int round = 0; round < 8; round++) {
		double error = 0, power = 0;
		for (int k = 0; k < ROWS; k++) {
			h[k] = (number() + 1.2f) * (number() + 1.2f);
			for (int j = 0; j < N; j++) /* bell-shaped, as weights are */
				w[k * N + j] = number() + number() + number();
		}
		tarn_quant_scale_search(w, h, ROWS, -8, 7, scale, code, &error, &power);
		double again = 0;
		for (int j = 0; j < N; j++) {
			double most = 0;
			for (int k = 0; k < ROWS; k++) {
				double d = (double)w[k * N + j] - (double)scale[j] * code[k * N + j];
				again += h[k] * d * d;
				most = fmax(most, fabs((double)w[k * N + j]));
				assert_in_range(code[k * N + j] + 8, 0, 15);
			}
			nearest += error_of(w, h, j, most / 7, -8, 7);
			best += least_error(w, h, j, -8, 7);
		}
		assert_true(fabs(again - error) <= 1e-4 * error);
		found += error;
	}
	assert_true(found <= 1.06 * best);
	assert_true(found <= 0.85 * nearest);
}

static void weights_on_a_grid_are_kept(void **state)
{
	(void)state;
	float w[ROWS * N], h[ROWS], scale[N];
	int8_t code[ROWS * N], want[ROWS * N];
	double error = 0, power = 0;
	for (int i = 0; i < ROWS * N; i++) {
		want[i] = (int8_t)between(-127, 127);
		if (i < N)
			want[i] = 127;
		w[i] = 0.03125f * (float)want[i];
	}
	for (int k = 0; k < ROWS; k++)
		h[k] = 1;
	for (int k = 0; k < ROWS; k++)
		w[k * N + 3] = 0, want[k * N + 3] = 0;
	tarn_quant_scale_search(w, h, ROWS, -127, 127, scale, code, &error, &power);
	assert_memory_equal(code, want, sizeof code);
	assert_true(scale[0] == 0.03125f && scale[3] != 0 && error == 0 && power > 0);
}

/* One row that matters a thousand times more is hit almost exactly. */
static void important_rows_come_first(void **state)
{
	(void)state;
	float w[ROWS * N], h[ROWS], scale[2][N];
	int8_t code[2][ROWS * N];
	double off[2] = {0, 0};
	for (int i = 0; i < ROWS * N; i++)
		w[i] = number();
	for (int important = 0; important < 2; important++) {
		double e = 0, p = 0;
		for (int k = 0; k < ROWS; k++)
			h[k] = important && k == 5 ? 1000 : 1;
		tarn_quant_scale_search(w, h, ROWS, -8, 7, scale[important], code[important], &e, &p);
		for (int j = 0; j < N; j++)
			off[important] += fabs((double)w[5 * N + j] - (double)scale[important][j] * code[important][5 * N + j]);
	}
	assert_true(off[1] < 0.5 * off[0]);
}

/* ---- graphs ---- */

static tarn_err random_sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(7 * i + 3);
	for (size_t k = 0; k < g->input.len; k++)
		in[k] = filled(g->input.at[k]->shape);
	return TARN_OK;
}

/* Largest relative error of the compressed model's first output. */
static double compress(int bits, int group, size_t samples, tarn_model **out)
{
	static tarn_device cpu;
	cpu = (tarn_device){.api = &tarn_dev_cpu};
	tarn_quant_options o = {.sample = random_sample, .n_sample = samples, .device = &cpu};
	tarn_tensor in = filled(g->input.at[0]->shape), a = {0}, b = {0};
	const tarn_tensor *ptr = &in;
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_quant_weight_only(model, &o, bits, group, out, &report));
	assert_ok(tarn_graph_eval(g, &ptr, &a, NULL, NULL));
	assert_ok(tarn_graph_eval((*out)->main, &ptr, &b, NULL, NULL));
	double e = relative_error(&b, &a);
	tarn_tensor_fini(&in);
	tarn_tensor_fini(&a);
	tarn_tensor_fini(&b);
	tarn_device_close(&cpu);
	return e;
}

/* Two products, one with weights as [n][k]; the second one's rows are no multiple of 32. */
static void two_products(void)
{
	tarn_value *x = input(g, dims(2, 3, 64));
	tarn_value *y = node(g, "Tanh", node(g, "MatMul", x, weights(g, dims(2, 64, 40)), NULL), NULL, NULL);
	y = node(g, "Gemm", y, weights(g, dims(2, 24, 40)), weights(g, dims(1, 24)));
	set_int(y, "transB", 1);
	output(g, y);
}

static void each_width(void **state)
{
	(void)state;
	static const struct {
		int bits, group;
		size_t samples;
		double most;
	} tries[] = {{8, 0, 0, 0.02}, {8, 0, 4, 0.02}, {4, 0, 0, 0.2}, {4, 32, 0, 0.2}, {4, 32, 4, 0.2}};
	two_products();
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		tarn_model *q;
		double e = compress(tries[i].bits, tries[i].group, tries[i].samples, &q);
		assert_true(e > 0 && e < tries[i].most);
		assert_int_equal(report.row.len, 2);
		assert_int_equal(report.row.at[0].bits, tries[i].bits);
		assert_int_equal(report.row.at[0].group, tries[i].group);
		/* 40 rows are no multiple of 32 */
		assert_int_equal(report.row.at[1].bits, tries[i].group ? 8 : tries[i].bits);
		assert_true(!report.row.at[1].why == !tries[i].group);
		assert_true(report.row.at[0].sqnr_db > (tries[i].bits == 8 ? 35 : 15));
		assert_true(report.bytes_after < report.bytes_before / (tries[i].bits == 8 ? 2 : 3));
		assert_true(!report.sqnr_db == !tries[i].samples);
		tarn_weight_report_fini(&report);
		tarn_model_unref(q);
	}
}

/* Weights as [n][k], a scale for each group of each row: magnitudes that differ by a thousand from group to group and row to
 * row meet their own scale only. */
static void groups_of_turned_weights(void **state)
{
	(void)state;
	enum { ROWS_N = 24, K = 96, GROUP = 32 };
	tarn_tensor w = filled(dims(2, ROWS_N, K));
	tarn_value *v;
	for (int i = 0; i < ROWS_N * K; i++)
		((float *)w.data)[i] *= powf(10, (float)((i / K * 7 + i % K / GROUP * 5) % 4));
	assert_ok(tarn_value_const(g, NULL, &w, &v));
	tarn_tensor_fini(&w);
	tarn_value *y = node(g, "Gemm", input(g, dims(2, 3, K)), v, NULL);
	set_int(y, "transB", 1);
	output(g, y);
	tarn_model *q;
	assert_true(compress(8, GROUP, 0, &q) < 0.02);
	const tarn_node *d = q->main->node.at[0];
	assert_string_equal(d->op->name, "DequantizeLinear");
	const tarn_tensor *scale = d->in[1]->konst;
	assert_true(scale->rank == 2 && scale->dim[0] == ROWS_N && scale->dim[1] == K / GROUP);
	for (int i = 0; i < ROWS_N * (K / GROUP); i++) {
		double most = pow(10, (i / 3 * 7 + i % 3 * 5) % 4);
		assert_true(fabs(tarn_tensor_f64(scale, i)) > most / 127 / 3 &&
			    fabs(tarn_tensor_f64(scale, i)) < most / 127 * 1.5);
	}
	tarn_model_unref(q);
}

static void tied_weights_stay_one(void **state)
{
	(void)state;
	tarn_value *w = weights(g, dims(2, 32, 32));
	tarn_value *x = input(g, dims(2, 2, 32));
	output(g, node(g, "MatMul", node(g, "MatMul", x, w, NULL), w, NULL));
	tarn_model *q;
	(void)compress(8, 0, 0, &q);
	int dequantizers = 0;
	for (size_t i = 0; i < q->main->node.len; i++)
		dequantizers += q->main->node.at[i]->op == tarn_op_find(NULL, "DequantizeLinear");
	assert_int_equal(dequantizers, 1);
	tarn_model_unref(q);
}

static void convolutions_are_refused(void **state)
{
	(void)state;
	tarn_model *q = NULL;
	tarn_quant_options o = {0};
	output(g, node(g, "Conv", input(g, dims(4, 1, 3, 8, 8)), weights(g, dims(4, 4, 3, 3, 3)), NULL));
	assert_ok(tarn_graph_infer(g));
	assert_int_equal(tarn_quant_weight_only(model, &o, 8, 0, &q, &report), TARN_UNSUPPORTED);
	assert_non_null(strstr(report.row.at[0].why, "convolutions"));
	assert_int_equal(tarn_quant_weight_only(model, &o, 3, 0, &q, &report), TARN_USAGE);
	assert_int_equal(tarn_quant_weight_only(model, &o, 4, 7, &q, &report), TARN_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(scales_near_the_best, setup, teardown),
		cmocka_unit_test_setup_teardown(weights_on_a_grid_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(important_rows_come_first, setup, teardown),
		cmocka_unit_test_setup_teardown(each_width, setup, teardown),
		cmocka_unit_test_setup_teardown(groups_of_turned_weights, setup, teardown),
		cmocka_unit_test_setup_teardown(tied_weights_stay_one, setup, teardown),
		cmocka_unit_test_setup_teardown(convolutions_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
