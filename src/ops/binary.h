/* SPDX-License-Identifier: Apache-2.0 */
/* What the operators of two broadcast inputs and a scalar function share. */
#ifndef TARN_OPS_BINARY_H
#define TARN_OPS_BINARY_H

#include "ops/elem.h"

typedef struct tarn_binary_fn {
	double (*f)(double a, double b);
	int64_t (*i)(int64_t a, int64_t b);
	uint64_t (*u)(uint64_t a, uint64_t b); /* for U64; NULL: i serves (its bits are the same) */
	bool divides;                          /* an integer b of 0 is an error */
} tarn_binary_fn;

/* Both inputs of one type of these classes; output 0 of that type (or BOOL), of the broadcast shape. */
TARN_MUST tarn_err tarn_binary_infer(tarn_infer *c, unsigned set);
TARN_MUST tarn_err tarn_binary_infer_bool(tarn_infer *c, unsigned set);
/* y = fn(a, b); the integer functions are used when a and b are both integers or BOOL. */
TARN_MUST tarn_err tarn_binary_run(const tarn_tensor *a, const tarn_tensor *b, tarn_tensor *y, const tarn_binary_fn *fn);

#endif
