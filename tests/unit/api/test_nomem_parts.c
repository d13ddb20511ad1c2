/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a part fails once, and all after it: reading, passes, compiling, running, quantizing, bounding, writing.
 * Each time the answer is TARN_NOMEM; what is lost or used after its end, the address sanitizer tells. */
#include "devices/graphs.h"

#include <unistd.h>

#include "dev/cpu/device.h"
#include "dev/ref/ref.h"
#include "dyn/bound.h"
#include "fmt/onnx/onnx.h"
#include "fmt/ovir/ovir.h"
#include "pass/pass.h"
#include "quant/quant.h"
#include "rt/program.h"
#include "rt/request.h"

static tarn_buffer *onnx, *xml, *bin;
static char folder[] = "/tmp/tarn-nomem-XXXXXX";

/* Several kinds of kernels, of passes and of attributes. */
static tarn_model *network(void)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_shape s = dims(4, 1, 3, 8, 8);
	seed = 5;
	tarn_value *x = input(g, s), *y = node(g, "Conv", x, weights(g, dims(4, 8, 3, 3, 3)), weights(g, dims(1, 8))), *z;
	set_ints(g, y, "pads", 4, 1, 1, 1, 1);
	y = node(g, "Relu", y, NULL, NULL);
	z = node(g, "Conv", y, weights(g, dims(4, 8, 1, 3, 3)), NULL);
	set_ints(g, z, "pads", 4, 1, 1, 1, 1);
	set_int(z, "group", 8);
	y = node(g, "Add", node(g, "Sigmoid", z, NULL, NULL), y, NULL);
	y = node(g, "GlobalAveragePool", y, NULL, NULL);
	y = node(g, "Reshape", y, ints(g, 2, 1, 8), NULL);
	y = node(g, "MatMul", y, weights(g, dims(2, 8, 5)), NULL);
	y = node(g, "Softmax", node(g, "Add", y, weights(g, dims(1, 5)), NULL), NULL, NULL);
	output(g, y);
	assert_ok(tarn_graph_infer(g));
	return m;
}

/* [2,length,8] with a softmax over length, whose padding needs repair. */
static tarn_model *sequence(void)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_shape s = dims(3, 2, 0, 8);
	assert_ok(tarn_symtab_named(&m->syms, "length", &s.dim[1]));
	tarn_value *x = input(g, s), *y = node(g, "Softmax", node(g, "MatMul", x, weights(g, dims(2, 8, 4)), NULL), NULL, NULL);
	set_int(y, "axis", 1);
	output(g, node(g, "Relu", y, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	return m;
}

static tarn_err read_onnx(tarn_model **m)
{
	return tarn_format_onnx.read(onnx, NULL, NULL, m);
}

static tarn_err infer(const tarn_device_api *api, const tarn_model *m)
{
	tarn_device d = {.api = api};
	tarn_program *p = NULL;
	tarn_request *r = NULL;
	tarn_err err = tarn_program_compile(&d, m, NULL, &p);
	if (err == TARN_OK)
		err = tarn_request_new(p, &r);
	if (err == TARN_OK)
		err = tarn_request_begin(r);
	if (err == TARN_OK)
		err = tarn_request_infer(r);
	if (r)
		tarn_request_free(r);
	if (p)
		tarn_program_unref(p);
	tarn_device_close(&d);
	return err;
}

static tarn_err onnx_to_result(void)
{
	tarn_model *m = NULL;
	tarn_err err = read_onnx(&m);
	if (err == TARN_OK)
		err = tarn_pass_standard(m);
	if (err == TARN_OK)
		err = infer(&tarn_dev_cpu, m);
	tarn_model_unref(m);
	return err;
}

static tarn_err ir_to_onnx(void)
{
	tarn_model *m = NULL;
	tarn_buffer *b = NULL;
	char path[64];
	snprintf(path, sizeof path, "%s/m.onnx", folder);
	tarn_err err = tarn_ovir_read_memory(xml, bin, &m);
	if (err == TARN_OK)
		err = tarn_onnx_pack(m, &b);
	if (err == TARN_OK)
		err = tarn_model_write(m, path);
	tarn_buffer_unref(b);
	tarn_model_unref(m);
	return err;
}

static tarn_err onnx_to_ir(void)
{
	tarn_model *m = NULL;
	char path[64];
	snprintf(path, sizeof path, "%s/m.xml", folder);
	tarn_err err = read_onnx(&m);
	if (err == TARN_OK)
		err = tarn_model_write(m, path);
	tarn_model_unref(m);
	return err;
}

static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	tarn_tensor t;
	TRY(tarn_tensor_new(TARN_F32, 4, (const int64_t[]){1, 3, 8, 8}, &t));
	for (int k = 0; k < 3 * 8 * 8; k++)
		((float *)t.data)[k] = (float)((k * 7 + (int)i) % 11 - 5);
	in[0] = t;
	return TARN_OK;
}

static tarn_err quantized_result(void)
{
	tarn_device d = {.api = &tarn_dev_ref};
	tarn_model *m = NULL, *q = NULL;
	tarn_quant_report report = {0};
	tarn_quant_options o = {.sample = sample, .n_sample = 1, .device = &d};
	tarn_err err = read_onnx(&m);
	if (err == TARN_OK)
		err = tarn_quant_ptq(m, &o, &q, &report);
	if (err == TARN_OK)
		err = infer(&tarn_dev_cpu, q);
	tarn_quant_report_fini(&report);
	tarn_model_unref(q);
	tarn_model_unref(m);
	tarn_device_close(&d);
	return err;
}

static tarn_model *open_model;

static tarn_err bounded(void)
{
	tarn_model *m = NULL;
	tarn_bound b = {0};
	bool found;
	tarn_err err = tarn_model_clone(open_model, &m);
	if (err == TARN_OK)
		err = tarn_model_bound(&m, "length", 6, NULL);
	if (err == TARN_OK)
		err = tarn_model_bound_get(m, 0, &b, &found);
	tarn_bound_fini(&b);
	tarn_model_unref(m);
	return err;
}

/* The first hundred one by one, then each 2 % further. */
static void sweep(tarn_err (*part)(void))
{
	uint64_t n = 1, fails = 0;
	for (;; n += 1 + (n > 100 ? n / 50 : 0)) {
		tarn_err_clear();
		tarn_mem_fail_after(n);
		tarn_err err = part();
		tarn_mem_fail_after(0);
		if (err == TARN_OK)
			break;
		if (err != TARN_NOMEM)
			print_error("allocation %d: %s: %s\n", (int)n, tarn_err_name(err), tarn_err_text());
		assert_int_equal(err, TARN_NOMEM);
		assert_true(*tarn_err_text());
		fails++;
		assert_true(n < 200000);
	}
	assert_true(fails > 20); /* and then it worked */
}

static void reads_compiles_and_runs(void **state)
{
	(void)state;
	sweep(onnx_to_result);
}

static void reads_ir_and_writes_onnx(void **state)
{
	(void)state;
	sweep(ir_to_onnx);
}

static void writes_ir(void **state)
{
	(void)state;
	sweep(onnx_to_ir);
}

static void quantizes(void **state)
{
	(void)state;
	sweep(quantized_result);
}

static void bounds(void **state)
{
	(void)state;
	sweep(bounded);
}

static int setup(void **state)
{
	(void)state;
	tarn_model *m = network();
	tarn_str x = {0}, w = {0};
	assert_non_null(mkdtemp(folder));
	assert_ok(tarn_onnx_pack(m, &onnx));
	assert_ok(tarn_ovir_write_memory(m, &x, &w));
	assert_ok(tarn_buffer_new(x.len, &xml));
	assert_ok(tarn_buffer_new(w.len, &bin));
	memcpy(xml->at, x.at, x.len);
	memcpy(bin->at, w.at, w.len);
	tarn_str_fini(&x);
	tarn_str_fini(&w);
	tarn_model_unref(m);
	open_model = sequence();
	return 0;
}

/* Nothing but the finished files may lie there. */
static int teardown(void **state)
{
	(void)state;
	static const char *const file[] = {"m.onnx", "m.xml", "m.bin"};
	char path[64];
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, file[i]);
		unlink(path);
	}
	tarn_buffer_unref(onnx);
	tarn_buffer_unref(xml);
	tarn_buffer_unref(bin);
	tarn_model_unref(open_model);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_compiles_and_runs),
		cmocka_unit_test(reads_ir_and_writes_onnx),
		cmocka_unit_test(writes_ir),
		cmocka_unit_test(quantizes),
		cmocka_unit_test(bounds),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
