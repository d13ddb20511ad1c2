/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled models of the CPU: what is read back computes bit for bit what was stored, from any address; bytes of another build,
 * level or length are refused. */
#include "dev/cpu/device.h"
#include "devices/fixture.h"
#include "kern/isa.h"
#include "rt/program.h"
#include "rt/request.h"

static tarn_device device = {.api = &tarn_dev_cpu};

static int setup(void **state)
{
	(void)state;
	return fixture_start(77);
}

static tarn_value *conv(tarn_value *x, tarn_shape w, int group)
{
	tarn_value *y = node(g, "Conv", x, weights(g, w), weights(g, dims(1, (int)w.dim[0])));
	set_int(y, "group", group);
	return y;
}

/* Every kind of packed weights, large enough to leave the model: 3x3 as tiles, depthwise and Winograd, transposed, products. */
static void build_net(bool free_batch)
{
	tarn_shape s = dims(4, 2, 32, 12, 12);
	if (free_batch)
		assert_ok(tarn_symtab_named(&model->syms, "n", &s.dim[0]));
	tarn_value *x = input(g, s), *y = conv(x, dims(4, 32, 32, 3, 3), 1);
	y = node(g, "Relu", y, NULL, NULL);
	y = conv(y, dims(4, 32, 1, 3, 3), 32);
	y = conv(y, dims(4, 48, 16, 1, 1), 2);
	y = node(g, "ConvTranspose", y, weights(g, dims(4, 48, 24, 2, 2)), NULL);
	y = node(g, "GlobalAveragePool", y, NULL, NULL);
	y = node(g, "Flatten", y, NULL, NULL);
	y = node(g, "MatMul", y, weights(g, dims(2, 24, 70)), NULL);
	output(g, y);
	assert_ok(tarn_graph_infer(g));
}

static void infer(tarn_program *p, const tarn_tensor *in, tarn_tensor *out)
{
	tarn_request *r;
	assert_ok(tarn_request_new(p, &r));
	tarn_tensor_fini(&r->in[0]);
	assert_ok(tarn_tensor_copy(in, &r->in[0]));
	assert_ok(tarn_request_begin(r));
	assert_ok(tarn_request_infer(r));
	assert_ok(tarn_tensor_copy(&r->out[0], out));
	tarn_request_free(r);
}

/* Reads the blob from an address that is `shift` beyond an aligned one. */
static tarn_err read_at(const tarn_str *blob, size_t shift, size_t size, tarn_program **p, tarn_buffer **whole)
{
	tarn_buffer *inner;
	assert_ok(tarn_buffer_new(blob->len + TARN_ALIGN, whole));
	memcpy((char *)(*whole)->at + shift, blob->at, size);
	assert_ok(tarn_buffer_wrap((char *)(*whole)->at + shift, size, NULL, NULL, &inner));
	tarn_err err = tarn_program_import(&device, inner, NULL, p);
	tarn_buffer_unref(inner);
	return err;
}

static void same_results(bool free_batch)
{
	build_net(free_batch);
	tarn_program *p, *q;
	tarn_str blob = {0};
	tarn_buffer *whole;
	tarn_tensor in = filled(dims(4, 2, 32, 12, 12)), want, got;
	assert_ok(tarn_program_compile(&device, model, NULL, &p));
	infer(p, &in, &want);
	assert_ok(tarn_program_export(p, &blob));
	tarn_program_unref(p);
	for (size_t shift = 0; shift < 2; shift++) {
		assert_ok(read_at(&blob, shift * 3, blob.len, &q, &whole));
		infer(q, &in, &got);
		assert_int_equal(tarn_tensor_bytes(&got), tarn_tensor_bytes(&want));
		assert_memory_equal(got.data, want.data, tarn_tensor_bytes(&want));
		assert_int_equal(q->compilations, 0);
		if (!shift) { /* what was read can be stored again, and is the same */
			tarn_str again = {0};
			assert_ok(tarn_program_export(q, &again));
			assert_int_equal(again.len, blob.len);
			tarn_str_fini(&again);
		}
		tarn_tensor_fini(&got);
		tarn_program_unref(q);
		tarn_buffer_unref(whole);
	}
	tarn_str_fini(&blob);
	tarn_tensor_fini(&in);
	tarn_tensor_fini(&want);
}

static void fixed_sizes(void **state)
{
	(void)state;
	same_results(false);
}

static void free_sizes(void **state)
{
	(void)state;
	same_results(true);
}

static void refused(void **state)
{
	(void)state;
	build_net(false);
	tarn_program *p, *q;
	tarn_str blob = {0};
	tarn_buffer *whole;
	tarn_isa level = tarn_isa_get();
	assert_ok(tarn_program_compile(&device, model, NULL, &p));
	assert_ok(tarn_program_export(p, &blob));
	tarn_program_unref(p);
	for (size_t i = 0; i < blob.len; i += blob.len / 97) {
		assert_int_equal(read_at(&blob, 0, i, &q, &whole), TARN_BAD_FILE);
		tarn_buffer_unref(whole);
		blob.at[i] ^= 4;
		assert_int_not_equal(read_at(&blob, 0, blob.len, &q, &whole), TARN_OK);
		tarn_buffer_unref(whole);
		blob.at[i] ^= 4;
	}
	if (level != TARN_ISA_PORTABLE) {
		tarn_isa_set(TARN_ISA_PORTABLE);
		assert_int_equal(read_at(&blob, 0, blob.len, &q, &whole), TARN_BAD_FILE);
		assert_non_null(strstr(tarn_err_text(), tarn_isa_name(level)));
		tarn_buffer_unref(whole);
		tarn_isa_set(level);
	}
	tarn_str_fini(&blob);
}

int main(void)
{
	tarn_mutex_init(&device.lock);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fixed_sizes, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(free_sizes, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(refused, setup, fixture_teardown),
	};
	int failed = cmocka_run_group_tests_name("devices.cpu_store", tests, NULL, NULL);
	tarn_device_close(&device);
	return failed;
}
