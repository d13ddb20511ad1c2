/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model's graph as bytes and back, for compiled models: everything that devices look at, and nothing that only writers of
 * model files need. Where the bytes of constants go is the caller's affair.
 *
 * Symbols of free sizes, then the main graph: inputs, constants, nodes (with their bodies), outputs. Values of a graph are
 * numbered in that order; 0 stands for none. Reading trusts nothing: lists are bounded, references look backwards, and the
 * graph is sorted and verified. It is not inferred.
 */
#ifndef TARN_OPS_SERIAL_H
#define TARN_OPS_SERIAL_H

#include "base/bytes.h"
#include "ir/op.h"

typedef struct tarn_serial {
	/* Data of a constant (v NULL: of an attribute), which may be left out: appends to `out` what `get` needs to find it
	 * again. */
	tarn_err (*put)(void *ctx, tarn_str *out, const tarn_value *v, const tarn_tensor *t);
	/* Sets data and buf of *t, whose type and sizes are set. */
	tarn_err (*get)(void *ctx, tarn_bytes *in, tarn_tensor *t);
	void *ctx;
	bool fixed; /* no free sizes, control flow or text: reading refuses them */
} tarn_serial;

TARN_MUST tarn_err tarn_serial_write(const tarn_serial *s, const tarn_model *m, tarn_str *out);
/* Into a new, empty model. TARN_BAD_FILE says what is damaged. */
TARN_MUST tarn_err tarn_serial_read(const tarn_serial *s, tarn_bytes *in, tarn_model *m);

#endif
