/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/cpu/cpu.h"

/* clang-format off */
const cpu_kernel *const tarn_cpu_kernels[] = {
	&tarn_cpu_k_winograd,
	&tarn_cpu_k_conv,
	&tarn_cpu_k_conv_transpose,
	&tarn_cpu_k_gemm,
	&tarn_cpu_k_matmul,
	&tarn_cpu_k_pool,
	&tarn_cpu_k_unary,
	&tarn_cpu_k_binary,
	&tarn_cpu_k_view,
	&tarn_cpu_k_softmax,
	&tarn_cpu_k_layernorm,
	&tarn_cpu_k_reduce,
	&tarn_cpu_k_move,
	&tarn_cpu_k_eval,
	NULL,
};
/* clang-format on */
