/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded models on a device that runs any size: the model they were made from runs at the valid lengths, so that padded work
 * is skipped instead of masked. Inputs are cut to what is valid before, outputs put into the front of the maximum size
 * afterwards.
 */
#ifndef TARN_DEV_CPU_VALID_H
#define TARN_DEV_CPU_VALID_H

#include "base/bytes.h"
#include "rt/device.h"

typedef struct cpu_valid cpu_valid;

/* NULL in *v when the model has no origin, or was changed since. `origin` is a copy to compile in its place; it belongs to *v.
 */
TARN_MUST tarn_err tarn_cpu_valid_new(const tarn_model *m, cpu_valid **v, tarn_model **origin);
void tarn_cpu_valid_free(cpu_valid *v);
/* The origin's inputs of one request, and room for its outputs; then what the request wants of those. Whatever is in `in` and
 * `out` is released by the caller. */
TARN_MUST tarn_err tarn_cpu_valid_in(const cpu_valid *v, const tarn_request *r, tarn_tensor *in);
TARN_MUST tarn_err tarn_cpu_valid_out(const cpu_valid *v, tarn_request *r, tarn_tensor *out);
/* In a compiled model: appended, {0} for NULL. Read back it waits for the origin's copy as it was compiled, which it takes over
 * and checks against the program's ports. */
void tarn_cpu_valid_save(const cpu_valid *v, tarn_str *out);
TARN_MUST tarn_err tarn_cpu_valid_open(tarn_bytes *in, cpu_valid **v);
TARN_MUST tarn_err tarn_cpu_valid_take(cpu_valid *v, const tarn_program *p, tarn_model *origin);
const tarn_model *tarn_cpu_valid_model(const cpu_valid *v);
int tarn_cpu_valid_inputs(const cpu_valid *v);
int tarn_cpu_valid_outputs(const cpu_valid *v);

#endif
