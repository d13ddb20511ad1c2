/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled models as bytes: the same every time and in every thread, damaged ones refused, arguments as the flags ask. */
#include "unit/driver/npu_graphs.h"

#include "base/f16.h"
#include "base/hash.h"
#include "base/thread.h"

static tarn_model *small(bool int8)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	seed = 3;
	tarn_shape s = dims(4, 1, 4, 10, 10);
	tarn_value *x;
	assert_ok(tarn_value_input(g, "image", TARN_F32, &s, &x));
	if (int8) {
		x = qdq(g, x, 0.01f, 128);
		x = qdq(g, qconv(g, x, 0.01f, 4, 16, 3, 1, 1, 1, 1), 0.02f, 60);
	} else {
		x = node(g, "LeakyRelu", conv(g, x, 4, 16, 3, 1, 1, 1), NULL, NULL);
	}
	x = node(g, "Resize", x, NULL, scalar(g, 0));
	x->def->in[2] = NULL;
	assert_ok(tarn_node_resize_inputs(g, x->def, 4));
	assert_ok(tarn_value_const_i64(g, NULL, (const int64_t[]){1, 16, 20, 20}, 4, &x->def->in[3]));
	output(g, x);
	assert_ok(tarn_value_rename(g, x, "heat"));
	assert_ok(tarn_graph_infer(g));
	return m;
}

static void bytes_are_the_same_every_time(void **state)
{
	(void)state;
	for (int int8 = 0; int8 < 2; int8++) {
		tarn_model *m = small(int8), *again = small(int8);
		tarn_cc_blob a = compiled(m, NULL, 4000), b = compiled(again, NULL, 4000), c = compiled(m, NULL, 3720);
		assert_int_equal(a.size, b.size);
		assert_memory_equal(a.at, b.at, a.size);
		assert_true(a.size != c.size || memcmp(a.at, c.at, a.size));
		tarn_mem_free(a.at);
		tarn_mem_free(b.at);
		tarn_mem_free(c.at);
		tarn_model_unref(m);
		tarn_model_unref(again);
	}
}

typedef struct worker {
	const tarn_model *m;
	tarn_cc_blob blob;
	tarn_thread thread;
	tarn_err err;
} worker;

static void *work(void *arg)
{
	worker *w = arg;
	tarn_model *c;
	tarn_cc_flags flags = {0};
	w->err = tarn_model_clone(w->m, &c);
	if (w->err == TARN_OK) {
		w->err = tarn_npu_compile(c, &flags, tarn_arch_find(4000), &w->blob);
		tarn_model_unref(c);
	}
	return NULL;
}

static void threads_compile_side_by_side(void **state)
{
	(void)state;
	tarn_model *m[2] = {small(false), small(true)};
	worker w[4];
	for (int i = 0; i < 4; i++) {
		w[i] = (worker){.m = m[i % 2]};
		assert_ok(tarn_thread_start(&w[i].thread, "compile", work, &w[i]));
	}
	for (int i = 0; i < 4; i++) {
		tarn_thread_join(w[i].thread);
		assert_int_equal(w[i].err, TARN_OK);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(w[i].blob.size, w[i + 2].blob.size);
		assert_memory_equal(w[i].blob.at, w[i + 2].blob.at, w[i].blob.size);
	}
	for (int i = 0; i < 4; i++)
		tarn_mem_free(w[i].blob.at);
	tarn_model_unref(m[0]);
	tarn_model_unref(m[1]);
}

static void damage_is_refused(void **state)
{
	(void)state;
	tarn_model *m = small(true);
	tarn_cc_blob b = compiled(m, NULL, 4000);
	tarn_npu_program *p;
	assert_int_equal(tarn_blob_load(b.at, b.size, 3720, &p), TARN_BAD_FILE);
	assert_non_null(strstr(tarn_err_text(), "made for NPU 4000"));
	for (size_t n = 0; n < b.size; n += n < 128 ? 1 : 97)
		assert_int_equal(tarn_blob_load(b.at, n, 4000, &p), TARN_BAD_FILE);
	for (size_t i = 0; i < b.size; i += i < 64 ? 1 : 61) {
		if ((i >= 32 && i < 40) || (i >= 41 && i < 44) || (i >= 45 && i < 48) || i == 40 || i == 44 ||
		    (i >= 56 && i < 64))
			continue; /* the table's hash, flags and padding are not covered */
		b.at[i] ^= 0x11;
		assert_int_equal(tarn_blob_load(b.at, b.size, 4000, &p), TARN_BAD_FILE);
		b.at[i] ^= 0x11;
	}
	/* With a checksum that fits, whatever the bytes say must be survived. */
	for (size_t i = 64; i < b.size; i += 13) {
		uint8_t was = b.at[i];
		b.at[i] ^= (uint8_t)(1u << i % 8);
		uint64_t sum = tarn_hash(b.at + 64, b.size - 64, 1);
		memcpy(b.at + 24, &sum, 8);
		if (tarn_blob_load(b.at, b.size, 4000, &p) == TARN_OK)
			tarn_npu_program_free(p);
		b.at[i] = was;
	}
	tarn_mem_free(b.at);
	tarn_model_unref(m);
}

static void arguments_follow_the_flags(void **state)
{
	(void)state;
	tarn_model *m = small(false);
	tarn_cc_blob b = compiled(m,
				  "--inputs_precisions=\"0:U8\" --outputs_precisions=\"0:FP16\" --inputs_layouts=\"0:NCHW\" "
				  "--config PERF_COUNT=\"YES\" NPU_TILES=\"2\"",
				  4000);
	tarn_npu_program *p;
	assert_ok(tarn_blob_load(b.at, b.size, 4000, &p));
	assert_true(tarn_npu_program_profiled(p));
	uint32_t n;
	const tarn_npu_arg *arg = tarn_npu_program_args(p, &n);
	assert_int_equal(n, 2);
	assert_string_equal(arg[0].name, "image");
	assert_int_equal(arg[0].precision, ZE_GRAPH_ARGUMENT_PRECISION_UINT8);
	assert_int_equal(arg[0].ir_precision, ZE_GRAPH_ARGUMENT_PRECISION_FP32);
	assert_int_equal(arg[0].bytes, 400);
	assert_string_equal(arg[1].tensor_name[0], "heat");
	assert_int_equal(arg[1].bytes, 16 * 20 * 20 * 2);
	assert_int_equal(arg[1].dims[3], 20);
	uint8_t in[400];
	for (int i = 0; i < 400; i++)
		in[i] = (uint8_t)(i % 5);
	uint16_t *out = test_calloc(16 * 400, 2);
	assert_ok(tarn_exec_run(p, (void *const[]){in, out}, NULL));
	/* The same numbers as floats. */
	tarn_tensor x, y[1];
	assert_ok(tarn_tensor_new(TARN_F32, 4, (const int64_t[]){1, 4, 10, 10}, &x));
	for (int i = 0; i < 400; i++)
		((float *)x.data)[i] = in[i];
	run_npu(m, NULL, &x, y);
	for (int i = 0; i < 16 * 400; i++)
		assert_true(tarn_f16_to_f32(out[i]) == ((float *)y[0].data)[i]);
	test_free(out);
	tarn_tensor_fini(&x);
	tarn_tensor_fini(&y[0]);
	tarn_npu_times t = tarn_npu_program_times(p, false), turbo = tarn_npu_program_times(p, true);
	assert_true(t.total_ns >= turbo.total_ns && t.n_layers > 0 && t.n_tasks > 0);
	tarn_npu_program_free(p);
	tarn_mem_free(b.at);

	tarn_cc_flags flags;
	tarn_model *c = copy_of(m);
	assert_ok(tarn_cc_flags_parse("--inputs_precisions=\"3:FP16\"", &flags));
	assert_int_equal(tarn_npu_compile(c, &flags, tarn_arch_find(4000), &b), TARN_USAGE);
	tarn_cc_flags_fini(&flags);
	assert_ok(tarn_cc_flags_parse("--inputs_layouts=\"0:NHWC\"", &flags));
	assert_int_equal(tarn_npu_compile(c, &flags, tarn_arch_find(4000), &b), TARN_UNSUPPORTED);
	tarn_cc_flags_fini(&flags);
	tarn_model_unref(c);
	tarn_model_unref(m);
}

/* Every allocation fails once: an error and nothing leaked (a leak is for the sanitizer to see). */
static void memory_may_be_short(void **state)
{
	(void)state;
	tarn_model *m = small(true);
	tarn_cc_flags flags = {0};
	tarn_cc_blob b;
	tarn_npu_program *p;
	for (uint64_t n = 1; n < 5000; n += n < 40 ? 1 : 17) {
		tarn_model *c = copy_of(m);
		tarn_mem_fail_after(n);
		tarn_err err = tarn_npu_compile(c, &flags, tarn_arch_find(4000), &b);
		bool whole = err == TARN_OK;
		if (whole) {
			err = tarn_blob_load(b.at, b.size, 4000, &p);
			if (err == TARN_OK)
				tarn_npu_program_free(p);
		}
		tarn_mem_fail_after(0);
		if (whole)
			tarn_mem_free(b.at);
		tarn_model_unref(c);
		if (err == TARN_OK)
			break;
		assert_int_equal(err, TARN_NOMEM);
		assert_true(n < 4900);
	}
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_the_same_every_time),
		cmocka_unit_test(threads_compile_side_by_side),
		cmocka_unit_test(damage_is_refused),
		cmocka_unit_test(arguments_follow_the_flags),
		cmocka_unit_test(memory_may_be_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
