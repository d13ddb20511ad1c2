/* SPDX-License-Identifier: Apache-2.0 */
/* What comes back through rounding (straight-through estimation, LSQ+), and through moved codes. */
#include "unit/ops/grad_check.h"

/* With the residual of rounding held, quantize-dequantize is a smooth function: its differences are what LSQ+ says. */
static double held(double x, double s, double z, double residual, double lo, double hi)
{
	double q = x / s + z + residual;
	q = q < lo ? lo : q > hi ? hi : q;
	return (q - z) * s;
}

static void fake_quantization(void **state)
{
	(void)state;
	const double s = 0.037, z = 3, h = 1e-6, lo = 0, hi = 255;
	static const double x[] = {-0.5, -0.111, -0.02, 0, 0.013, 0.5, 3.3, 9.3, 9.5};
	enum { N = sizeof x / sizeof *x };
	tarn_model *m;
	tarn_node *q, *d;
	tarn_shape shape = {.rank = 1, .dim = {N}}, scalar = {.rank = 0};
	tarn_value *vx, *vs, *vz;
	assert_ok(tarn_model_new(&m));
	assert_ok(tarn_value_input(m->main, "x", TARN_F64, &shape, &vx));
	assert_ok(tarn_value_input(m->main, "s", TARN_F64, &scalar, &vs));
	assert_ok(tarn_value_input(m->main, "z", TARN_U8, &scalar, &vz));
	assert_ok(tarn_node_new(m->main, tarn_op_find("", "QuantizeLinear"), NULL, 3, 1, -1, &q));
	assert_ok(tarn_node_new(m->main, tarn_op_find("", "DequantizeLinear"), NULL, 3, 1, -1, &d));
	q->in[0] = vx, q->in[1] = vs, q->in[2] = vz;
	d->in[0] = q->out[0], d->in[1] = vs, d->in[2] = vz;
	assert_ok(VEC_GROW(&m->main->output));
	m->main->output.at[m->main->output.len++] = d->out[0];
	assert_ok(tarn_graph_infer(m->main));
	tarn_tensor in[3] = {{0}}, din[3] = {{0}}, dout;
	assert_ok(tarn_tensor_new(TARN_F64, 1, shape.dim, &in[0]));
	memcpy(in[0].data, x, sizeof x);
	assert_ok(tarn_tensor_new(TARN_F64, 0, NULL, &in[1]));
	tarn_tensor_set_f64(&in[1], 0, s);
	assert_ok(tarn_tensor_new(TARN_U8, 0, NULL, &in[2]));
	tarn_tensor_set_f64(&in[2], 0, z);
	const tarn_tensor *pin[3] = {&in[0], &in[1], &in[2]};
	for (int k = 0; k < N; k++) { /* one element of dout at a time */
		assert_ok(tarn_tensor_new(TARN_F64, 1, shape.dim, &dout));
		tarn_tensor_set_f64(&dout, k, 1);
		for (int i = 0; i < 3; i++)
			assert_ok(tarn_tensor_new(TARN_F64, in[i].rank, in[i].dim, &din[i]));
		assert_ok(tarn_graph_grad(m->main, pin, &dout, din));
		double e = rint(x[k] / s) - x[k] / s;
		double wx = (held(x[k] + h, s, z, e, lo, hi) - held(x[k] - h, s, z, e, lo, hi)) / (2 * h);
		double ws = (held(x[k], s + h, z, e, lo, hi) - held(x[k], s - h, z, e, lo, hi)) / (2 * h);
		double wz = (held(x[k], s, z + h, e, lo, hi) - held(x[k], s, z - h, e, lo, hi)) / (2 * h);
		bool end = fabs(x[k] / s + z + e - lo) < 0.5 || fabs(x[k] / s + z + e - hi) < 0.5;
		if (!end) { /* at the very ends the held function has a corner */
			assert_true(fabs(((double *)din[0].data)[k] - wx) < 1e-5);
			assert_true(fabs(*(double *)din[1].data - ws) < 1e-4);
			assert_true(fabs(*(double *)din[2].data - wz) < 1e-5);
		}
		for (int i = 0; i < 3; i++)
			tarn_tensor_fini(&din[i]);
		tarn_tensor_fini(&dout);
	}
	for (int i = 0; i < 3; i++)
		tarn_tensor_fini(&in[i]);
	tarn_model_unref(m);
}

/* FakeQuantize: outside the limits the plain derivative; inside, the limits' by the formula with the residual held. */
static void fake_quantize_limits(void **state)
{
	(void)state;
	const double il = -0.6, ih = 1.9, ol = -0.5, oh = 2, steps = 15, h = 1e-6;
	static const double x[] = {-2, -0.33, 0.1, 0.77, 1.5, 4};
	for (size_t k = 0; k < sizeof x / sizeof *x; k++) {
		probe p = probe_open("", "FakeQuantize", 5, 1);
		probe_int(&p, "levels", 16);
		probe_in(&p, 0, TARN_F64, DIMS(1), &x[k]);
		double v[4] = {il, ih, ol, oh};
		for (int i = 0; i < 4; i++)
			probe_in(&p, 1 + i, TARN_F64, DIMS(1), &v[i]);
		const tarn_tensor *in[5];
		tarn_tensor din[5] = {{0}}, dout;
		for (int i = 0; i < 5; i++) {
			in[i] = &p.in[i];
			assert_ok(tarn_tensor_new(TARN_F64, 1, in[i]->dim, &din[i]));
		}
		assert_ok(probe_eval(&p));
		assert_ok(tarn_tensor_new(TARN_F64, 1, in[0]->dim, &dout));
		tarn_tensor_set_f64(&dout, 0, 1);
		assert_ok(tarn_node_grad(p.n, in, p.out, &dout, din));
		double base[5] = {x[k], il, ih, ol, oh},
		       e = rint((x[k] - il) / (ih - il) * steps) - (x[k] - il) / (ih - il) * steps;
		for (int i = 0; i < 5; i++) {
			double y[2];
			for (int side = 0; side < 2; side++) {
				double a[5];
				memcpy(a, base, sizeof a);
				a[i] += side ? h : -h;
				y[side] = a[0] <= a[1] ? a[3]
					  : a[0] > a[2]
						  ? a[4]
						  : ((a[0] - a[1]) / (a[2] - a[1]) * steps + e) / steps * (a[4] - a[3]) + a[3];
			}
			assert_true(fabs((y[1] - y[0]) / (2 * h) - *(double *)din[i].data) < 1e-5);
			tarn_tensor_fini(&din[i]);
		}
		tarn_tensor_fini(&dout);
		probe_close(&p);
	}
}

/* Codes are moved like numbers; integers that are no codes have no gradient and stay as they are. */
static void moved_codes(void **state)
{
	(void)state;
	probe p = probe_open("", "Transpose", 1, 1);
	probe_ints(&p, "perm", 2, (int64_t[]){1, 0});
	probe_in(&p, 0, TARN_U8, DIMS(2, 3), REALS(9, 9, 9, 200, 0, 1));
	const tarn_tensor *in = &p.in[0];
	tarn_tensor din, dout;
	assert_ok(probe_eval(&p));
	assert_ok(tarn_tensor_new(TARN_F32, 2, in->dim, &din));
	assert_ok(tarn_tensor_new(TARN_F32, 2, p.out[0].dim, &dout));
	for (int i = 0; i < 6; i++)
		((float *)dout.data)[i] = (float)i;
	assert_ok(tarn_node_grad(p.n, &in, p.out, &dout, &din));
	static const float want[] = {0, 2, 4, 1, 3, 5};
	assert_memory_equal(din.data, want, sizeof want);
	tarn_tensor_fini(&din);
	tarn_tensor_fini(&dout);
	probe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fake_quantization),
		cmocka_unit_test(fake_quantize_limits),
		cmocka_unit_test(moved_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
