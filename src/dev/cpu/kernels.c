/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/cpu/cpu.h"

const cpu_kernel *const tarn_cpu_kernels[] = {
#define CPU_KERNEL(word) &tarn_cpu_k_##word,
#include "dev/cpu/kernels.def"
#undef CPU_KERNEL
	NULL,
};
