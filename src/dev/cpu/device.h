/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU device: kernels of our own over a planned memory arena. See dev/cpu/cpu.h for how it works. */
#ifndef TARN_DEV_CPU_DEVICE_H
#define TARN_DEV_CPU_DEVICE_H

#include "rt/device.h"

extern const tarn_device_api tarn_dev_cpu;

#endif
