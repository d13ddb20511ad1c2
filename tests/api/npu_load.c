/* SPDX-License-Identifier: Apache-2.0 */
/* npu_load MODEL [KEY=VALUE]...: loads a model of one f32 input and output with y = 2x + 1 onto a simulated NPU, runs it once,
 * and prints what its driver and this library say about where the compiled form came from; for tests of the caches. */
#include "api.h"
#include "tarn/profile.h"
#include "tarn/sim.h"

static void run(const ov_compiled_model_t *cm)
{
	ov_infer_request_t *r;
	ov_tensor_t *x, *y;
	void *in, *out;
	size_t n;
	EXPECT_OK(ov_compiled_model_create_infer_request(cm, &r));
	EXPECT_OK(ov_infer_request_get_input_tensor(r, &x));
	EXPECT_OK(ov_infer_request_get_output_tensor(r, &y));
	EXPECT_OK(ov_tensor_data(x, &in));
	EXPECT_OK(ov_tensor_data(y, &out));
	EXPECT_OK(ov_tensor_get_size(x, &n));
	for (size_t i = 0; i < n; i++)
		((float *)in)[i] = (float)(i % 100);
	EXPECT_OK(ov_infer_request_infer(r));
	for (size_t i = 0; i < n; i++)
		EXPECT(((float *)out)[i] == 2 * (float)(i % 100) + 1);
	ov_tensor_free(x);
	ov_tensor_free(y);
	ov_infer_request_free(r);
}

int main(int argc, char **argv)
{
	ov_core_t *core;
	ov_compiled_model_t *cm;
	ov_property_t p[8];
	size_t n = 0;
	tarn_simulation s;
	tarn_load_info info;
	if (argc < 2 || argc > 10)
		return 2;
	for (int i = 2; i < argc; i++) {
		char *eq = strchr(argv[i], '=');
		if (!eq)
			return 2;
		*eq = 0;
		p[n++] = (ov_property_t){argv[i], eq + 1};
	}
	EXPECT_OK(tarn_use_simulated_npu("4000"));
	EXPECT_OK(ov_core_create(&core));
	EXPECT_OK(ov_core_compile_model_from_file_props(core, argv[1], "NPU", n, p, &cm));
	run(cm);
	EXPECT_OK(tarn_get_simulation(core, &s));
	EXPECT_OK(tarn_get_load_info(cm, &info));
	printf("compiled=%lld hits=%lld stored=%lld damaged=%lld level=%s hit=%d compilations=%d notes=%zu\n",
	       (long long)s.compiled, (long long)s.cache_hits, (long long)s.cache_stored, (long long)s.cache_damaged,
	       info.cache_level, info.cache_hit, info.compilations, info.notes);
	ov_compiled_model_free(cm);
	ov_core_free(core);
	return 0;
}
