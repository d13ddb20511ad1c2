/* SPDX-License-Identifier: Apache-2.0 */
/* Networks with a memory are trained: each must tell at the end of a sequence what sign its first number had. */
#include "devices/graphs.h"

#include "dev/cpu/device.h"
#include "quant/qat/qat.h"

enum { STEPS = 5, HIDDEN = 6, SAMPLES = 200 };
static tarn_model *model;

static tarn_err sequence(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(7919 * i + 3);
	number();
	*in = filled(model->main->input.at[0]->shape);
	return TARN_OK;
}

static int64_t first_sign(size_t i)
{
	tarn_tensor t;
	assert_ok(sequence(NULL, i, &t));
	int64_t label = *(float *)t.data > 0;
	tarn_tensor_fini(&t);
	return label;
}

static void network(const char *op, int gates)
{
	tarn_graph *g = model->main;
	tarn_value *x = input(g, dims(3, STEPS, 1, 2));
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, op), NULL, 4, 2, -1, &n));
	n->in[0] = x;
	n->in[1] = weights(g, dims(3, 1, gates * HIDDEN, 2));
	n->in[2] = weights(g, dims(3, 1, gates * HIDDEN, HIDDEN));
	n->in[3] = weights(g, dims(2, 1, 2 * gates * HIDDEN));
	tarn_value *last = node(g, "Reshape", n->out[1], ints(g, 2, 1, HIDDEN), NULL);
	output(g, node(g, "Gemm", last, weights(g, dims(2, HIDDEN, 2)), weights(g, dims(1, 2))));
	assert_ok(tarn_graph_infer(g));
}

/* From random weights on labels, then with INT8 around it from the teacher: both get better, the second never worse. */
static void remembers(void **state)
{
	(void)state;
	static const struct {
		const char *op;
		int gates;
	} list[] = {{"RNN", 1}, {"GRU", 3}, {"LSTM", 4}};
	tarn_device device = {.api = &tarn_dev_cpu};
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		int64_t label[SAMPLES];
		tarn_model *trained, *q, *after;
		tarn_qat_report r;
		tarn_quant_report report = {0};
		assert_ok(tarn_model_new(&model));
		network(list[i].op, list[i].gates);
		for (size_t k = 0; k < SAMPLES; k++)
			label[k] = first_sign(k);
		tarn_quant_options d = {.sample = sequence, .n_sample = SAMPLES, .device = &device};
		tarn_qat_options o = {
			.data = &d, .label = label, .epochs = 15, .batch = 8, .rate = 5e-2, .fresh = true, .threads = 2};
		assert_ok(tarn_qat_train(NULL, model, &o, &trained, &r));
		if (r.after.right < 36)
			fail_msg("%s: %zu of 40 right", list[i].op, r.after.right);
		/* its own weights, the biases and those of the Gemm */
		size_t rows = (size_t)list[i].gates * HIDDEN;
		assert_int_equal(r.parameters, rows * (2 + HIDDEN + 2) + HIDDEN * 2 + 2);
		d.weight_bits = 4;
		assert_ok(tarn_quant_ptq(trained, &d, &q, &report));
		o = (tarn_qat_options){.data = &d, .epochs = 3, .batch = 8, .threads = 2};
		assert_ok(tarn_qat_train(trained, q, &o, &after, &r));
		assert_true(r.parameters >= rows * (2 + HIDDEN + 2));
		assert_true(r.after.loss <= r.before.loss && r.after.right >= r.before.right);
		tarn_quant_report_fini(&report);
		tarn_model_unref(after);
		tarn_model_unref(q);
		tarn_model_unref(trained);
		tarn_model_unref(model);
	}
	tarn_device_close(&device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(remembers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
