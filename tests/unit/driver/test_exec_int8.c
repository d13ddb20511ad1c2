/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 layers: int32 sums against plain loops, the PPE's requantization against the float formula, networks against REF. */
#include "driver/exec/exec.h"
#include "kern/isa.h"
#include "unit/driver/npu_graphs.h"

/* clamp(rint(acc * scale + bias) + zero), in double. */
static int formula(double acc, double scale, double bias, int zero, int lo, int hi)
{
	double y = rint(acc * scale + bias) + zero;
	return y < lo ? lo : y > hi ? hi : (int)y;
}

static void requantization_is_within_one_code(void **state)
{
	(void)state;
	static const double scales[] = {1e-6, 3.1e-5, 0.00123, 0.0078125, 0.5, 0.99999, 1.0, 1.7, 37.0, 2000.0};
	int off = 0, exact = 0;
	for (size_t s = 0; s < sizeof scales / sizeof *scales; s++)
		for (int k = 0; k < 4000; k++) {
			double scale = scales[s] * (1 + 0.9 * fabsf(number())), bias = 300 * (double)number();
			/* Sums that land inside the range and far outside of it. */
			double reach = k % 4 ? 200 / scale : 1e9;
			reach = reach > 2e9 ? 2e9 : reach;
			int32_t acc = (int32_t)((double)number() * reach);
			bool is_signed = k & 1;
			int zero = is_signed ? between(-20, 20) : between(0, 255), lo = is_signed ? -128 : 0,
			    hi = is_signed ? 127 : 255;
			npu_requant q = tarn_npu_requant_make(scale, bias);
			int got = tarn_npu_requant(&q, acc, zero, lo, hi), want = formula(acc, scale, bias, zero, lo, hi);
			if (abs(got - want) > 1)
				fail_msg("scale %g bias %g acc %d zero %d: %d, not %d", scale, bias, acc, zero, got, want);
			double laid[2];
			uint8_t code;
			if (tarn_npu_requant_lay(&q, 1, laid)) { /* in rows: the same to the bit */
				tarn_npu_requant_rows(laid, 1, &acc, &code, 1, zero, lo, hi);
				assert_int_equal(is_signed ? (int8_t)code : code, got);
			}
			off += got != want;
			exact += got == want;
			assert_in_range(q.mult, 16384, 32767);
			assert_in_range(q.shift, 1, 62);
		}
	/* Rounding differs rarely, not as a rule. */
	assert_true(off * 20 < exact);
}

static void requantization_saturates(void **state)
{
	(void)state;
	npu_requant q = tarn_npu_requant_make(0.01, 0);
	assert_int_equal(tarn_npu_requant(&q, INT32_MAX, 3, 0, 255), 255);
	assert_int_equal(tarn_npu_requant(&q, INT32_MIN, 3, 0, 255), 0);
	assert_int_equal(tarn_npu_requant(&q, INT32_MIN, 0, -128, 127), -128);
	q = tarn_npu_requant_make(0.01, 1e30);
	assert_int_equal(tarn_npu_requant(&q, 0, 0, 0, 255), 255);
	q = tarn_npu_requant_make(1e30, 0);
	assert_int_equal(tarn_npu_requant(&q, 1, 0, 0, 255), 255);
	assert_int_equal(tarn_npu_requant(&q, -1, 0, 0, 255), 0);
	q = tarn_npu_requant_make(1e-30, 0);
	assert_int_equal(tarn_npu_requant(&q, INT32_MAX, 7, 0, 255), 7);
}

/* One quantized convolution whose output is its codes: sums by plain loops, then the formula. */
typedef struct one {
	int ic, oc, k, stride, pad, groups, size, zero_x, zero_y;
	float gain; /* large: most outputs saturate */
	bool relu;
} one;

static int64_t sum_at(const uint8_t *x, int zero, const int8_t *w, const one *c, int o, int oy, int ox)
{
	int64_t acc = 0;
	int per = c->ic / c->groups, base = o / (c->oc / c->groups) * per;
	for (int i = 0; i < per; i++)
		for (int ky = 0; ky < c->k; ky++)
			for (int kx = 0; kx < c->k; kx++) {
				int y = oy * c->stride - c->pad + ky, z = ox * c->stride - c->pad + kx;
				if (y < 0 || z < 0 || y >= c->size || z >= c->size)
					continue;
				acc += (int64_t)(x[((base + i) * c->size + y) * c->size + z] - zero) *
				       w[((o * per + i) * c->k + ky) * c->k + kx];
			}
	return acc;
}

static void check_one(const one *c)
{
	const float s_x = 0.02f, s_y = 0.05f;
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_shape shape = dims(4, 1, c->ic, c->size, c->size);
	tarn_value *x;
	assert_ok(tarn_value_input(g, "x", TARN_U8, &shape, &x));
	tarn_value *y =
		qconv(g, dequantize(g, x, s_x, c->zero_x), s_x, c->ic, c->oc, c->k, c->stride, c->pad, c->groups, c->gain);
	const tarn_node *conv_node = y->def;
	if (c->relu)
		y = node(g, "Relu", y, NULL, NULL);
	output(g, quantize(g, y, s_y, c->zero_y));
	assert_ok(tarn_graph_infer(g));
	tarn_tensor in, out;
	assert_ok(tarn_tensor_new(TARN_U8, 4, shape.dim, &in));
	for (int64_t i = 0; i < tarn_tensor_count(&in); i++) /* the ends of the range too */
		((uint8_t *)in.data)[i] = (uint8_t)(i % 7 ? between(0, 255) : i % 2 ? 255 : 0);
	run_npu(m, NULL, &in, &out);
	const int8_t *w = conv_node->in[1]->def->in[0]->konst->data;
	const float *sw = conv_node->in[1]->def->in[1]->konst->data;
	const int32_t *b = conv_node->in[2]->def->in[0]->konst->data;
	int rows = (int)out.dim[2], at_end = 0, off = 0;
	for (int o = 0; o < c->oc; o++)
		for (int oy = 0; oy < rows; oy++)
			for (int ox = 0; ox < rows; ox++) {
				double acc = (double)sum_at(in.data, c->zero_x, w, c, o, oy, ox) + b[o];
				int lo = c->relu ? c->zero_y : 0;
				int want = formula(acc, (double)s_x * sw[o] / s_y, 0, c->zero_y, lo, 255);
				int got = ((uint8_t *)out.data)[(o * rows + oy) * rows + ox];
				if (abs(got - want) > 1)
					fail_msg("channel %d (%d, %d): %d, not %d", o, oy, ox, got, want);
				at_end += want == 255 || want == lo;
				off += got != want;
			}
	int all = c->oc * rows * rows;
	assert_true(off * 50 <= all);
	if (c->gain > 10)
		assert_true(at_end * 2 > all);
	tarn_tensor_fini(&in);
	tarn_tensor_fini(&out);
	tarn_model_unref(m);
}

static void layers_are_within_one_code(void **state)
{
	(void)state;
	static const one cases[] = {
		{16, 24, 3, 1, 1, 1, 9, 128, 100, 1, false}, {16, 24, 1, 1, 0, 1, 7, 0, 0, 1, true},
		{24, 24, 3, 2, 1, 24, 10, 5, 128, 1, false}, {8, 12, 3, 1, 1, 4, 6, 255, 30, 1, true},
		{33, 20, 5, 1, 2, 1, 8, 77, 128, 40, false}, {3, 16, 3, 2, 1, 1, 11, 114, 0, 40, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_one(&cases[i]);
}

/* A quantized network without the float layers in between. */
static tarn_model *network(void)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = qdq(g, input(g, dims(4, 1, 3, 24, 24)), 0.008f, 127);
	tarn_value *a = qdq(g, node(g, "Relu", qconv(g, x, 0.008f, 3, 16, 3, 2, 1, 1, 2), NULL, NULL), 0.02f, 0);
	tarn_value *b = qdq(g, qconv(g, a, 0.02f, 16, 16, 3, 1, 1, 16, 1.5f), 0.03f, 120);
	tarn_value *sum = qdq(g, node(g, "Add", a, b, NULL), 0.04f, 100);
	tarn_value *p = node(g, "MaxPool", sum, NULL, NULL);
	set_ints(g, p, "kernel_shape", 2, 2, 2);
	set_ints(g, p, "strides", 2, 2, 2);
	p = qdq(g, p, 0.04f, 100);
	output(g, node(g, "GlobalAveragePool", p, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	return m;
}

static void networks_follow_the_reference(void **state)
{
	(void)state;
	tarn_model *m = network();
	double err = against_reference(m);
	if (!(err <= 2e-2))
		fail_msg("relative error %g", err);
	tarn_model_unref(m);
}

/* The same codes on every instruction set and for any number of threads. */
static void codes_do_not_depend_on_the_host(void **state)
{
	(void)state;
	tarn_model *m = network();
	/* The codes of the pooled sum. */
	for (size_t i = 0; i < m->main->node.len; i++)
		if (tarn_npu_is(m->main->node.at[i], "QuantizeLinear"))
			m->main->output.at[0] = m->main->node.at[i]->out[0];
	tarn_tensor in = filled(dims(4, 1, 3, 24, 24)), first = {0};
	tarn_isa was = tarn_isa_get();
	for (int isa = 0; isa < TARN_ISA_COUNT; isa++) {
		tarn_tensor out = {0};
		if (!tarn_isa_set((tarn_isa)isa))
			continue;
		run_npu(m, NULL, &in, &out);
		assert_int_equal(out.type, TARN_U8);
		if (first.data) {
			assert_memory_equal(out.data, first.data, tarn_tensor_bytes(&first));
			tarn_tensor_fini(&out);
		} else {
			first = out;
		}
	}
	assert_true(tarn_isa_set(was));
	tarn_tensor_fini(&first);
	tarn_tensor_fini(&in);
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requantization_is_within_one_code), cmocka_unit_test(requantization_saturates),
		cmocka_unit_test(layers_are_within_one_code),        cmocka_unit_test(networks_follow_the_reference),
		cmocka_unit_test(codes_do_not_depend_on_the_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
