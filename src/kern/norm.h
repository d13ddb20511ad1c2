/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation over the inner axis in f32, mean and variance summed in double. y may be x. Thread-safe; split `rows`. */
#ifndef TARN_KERN_NORM_H
#define TARN_KERN_NORM_H

#include <stddef.h>

/* y = (x - mean) / sqrt(variance + eps) * gamma + beta for each row; x, y [rows][cols], gamma, beta [cols] or NULL. */
void tarn_layernorm_f32(const float *x, float *y, size_t rows, size_t cols, const float *gamma, const float *beta, float eps);

#endif
