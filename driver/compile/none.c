/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler of a driver that was built without one: every question is answered with that sentence. */
#include "driver/compile/compile.h"

static tarn_err none(void)
{
	return tarn_err_set(TARN_UNSUPPORTED, "this build of the simulated NPU's driver has no compiler");
}

tarn_err tarn_cc_compile(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, tarn_cc_blob *blob)
{
	(void)ir, (void)flags, (void)platform, (void)blob;
	return none();
}

tarn_err tarn_cc_query(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, tarn_str *names)
{
	(void)ir, (void)flags, (void)platform, (void)names;
	return none();
}

tarn_err tarn_cc_estimate(const tarn_cc_ir *ir, const tarn_cc_flags *flags, int platform, ze_tarn_graph_estimate_t *graph,
			  ze_tarn_layer_estimate_t **layers, uint32_t *n)
{
	(void)ir, (void)flags, (void)platform, (void)graph, (void)layers, (void)n;
	return none();
}

tarn_err tarn_blob_load(const uint8_t *bytes, size_t size, int platform, tarn_npu_program **program)
{
	(void)bytes, (void)size, (void)platform, (void)program;
	return none();
}

void tarn_npu_program_free(tarn_npu_program *program)
{
	(void)program;
}

const tarn_npu_arg *tarn_npu_program_args(const tarn_npu_program *program, uint32_t *n)
{
	(void)program;
	*n = 0;
	return NULL;
}

bool tarn_npu_program_profiled(const tarn_npu_program *program)
{
	(void)program;
	return false;
}

tarn_npu_times tarn_npu_program_times(const tarn_npu_program *program, bool turbo)
{
	(void)program, (void)turbo;
	return (tarn_npu_times){0};
}

tarn_err tarn_exec_run(const tarn_npu_program *program, void *const *args, tarn_pool *pool)
{
	(void)program, (void)args, (void)pool;
	return none();
}
