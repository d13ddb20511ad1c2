/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation from reading a model to its result fails once: each time a clean error, nothing lost. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "api/api.h"
#include "base/mem.h"
#include "dev/npu/device.h"

/* The whole way; the first status that is not OK ends it. */
static ov_status_e whole_way(const char *device, const bytes *m)
{
	ov_core_t *core = NULL;
	ov_model_t *model = NULL;
	ov_compiled_model_t *cm = NULL;
	ov_infer_request_t *r = NULL;
	ov_tensor_t *x = NULL, *y = NULL;
	void *at = NULL;
	ov_status_e s = ov_core_create(&core);
	if (s == OK)
		s = ov_core_read_model_from_memory_buffer(core, (const char *)m->at, m->n, NULL, &model);
	if (s == OK)
		s = ov_core_compile_model(core, model, device, 2, &cm, "PERF_COUNT", "YES");
	if (s == OK)
		s = ov_compiled_model_create_infer_request(cm, &r);
	if (s == OK)
		s = ov_infer_request_get_input_tensor(r, &x);
	if (s == OK)
		s = ov_tensor_data(x, &at);
	for (int i = 0; s == OK && i < 6; i++)
		((float *)at)[i] = (float)i;
	if (s == OK)
		s = ov_infer_request_infer(r);
	if (s == OK)
		s = ov_infer_request_get_output_tensor(r, &y);
	if (s == OK)
		s = ov_tensor_data(y, &at);
	for (int i = 0; s == OK && i < 6; i++)
		assert_true(((float *)at)[i] == 2 * (float)i + 1);
	ov_tensor_free(x);
	ov_tensor_free(y);
	ov_infer_request_free(r);
	ov_compiled_model_free(cm);
	ov_model_free(model);
	ov_core_free(core);
	return s;
}

static void sweep(const char *device)
{
	const int dim[] = {2, 3};
	bytes m = affine_model(2, dim);
	uint64_t n = 1;
	for (; n < 5000; n++) {
		tarn_mem_fail_after(n);
		ov_status_e s = whole_way(device, &m);
		tarn_mem_fail_after(0);
		if (s == OK)
			break;
	}
	if (n < 20 || n == 5000)
		print_error("%s after %d\n", device, (int)n);
	assert_in_range(n, 20, 4999); /* some failed, and then it worked */
}

static void on_ref(void **state)
{
	(void)state;
	sweep("REF");
}

static void on_cpu(void **state)
{
	(void)state;
	sweep("CPU");
}

/* The driver has a heap of its own; here the library's side of every call fails. */
static void on_npu(void **state)
{
	(void)state;
	const int dim[] = {2, 3};
	bytes m = affine_model(2, dim);
	setenv("ZE_INTEL_NPU_CACHE_DIR", "", 1);
	assert_int_equal(tarn_npu_simulate("4000", NULL), TARN_OK);
	assert_int_equal(whole_way("NPU", &m), OK); /* which device it is gets decided once */
	sweep("NPU");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(on_ref), cmocka_unit_test(on_cpu), cmocka_unit_test(on_npu)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
