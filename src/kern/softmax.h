/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax in f32 over the middle axis of [outer][axis][inner]; y may be x. Thread-safe; the caller splits `outer` over threads.
 */
#ifndef TARN_KERN_SOFTMAX_H
#define TARN_KERN_SOFTMAX_H

#include <stdbool.h>
#include <stddef.h>

/* y = softmax(scale * x), or its logarithm with `log`. The maximum is taken away first; a NaN makes its whole row NaN. */
void tarn_softmax_f32(const float *x, float *y, size_t outer, size_t axis, size_t inner, float scale, bool log);

#endif
