/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products whose constant right side stays 4- or 8-bit integers with a scale for each group of rows (weight-only
 * quantization): C [m][n] = act(A [m][k] * B [k][n] + bias + residual) in f32, where
 *   B[i][j] = (code[i][j] - zero[i / group][j]) * scale[i / group][j].
 *
 * With few rows of A the time goes into reading B; codes are a quarter or an eighth of the bytes and become floats in
 * registers. With many rows, pieces of B are unpacked on the stack once for all rows and the f32 tiles do the rest.
 *
 * The packed object is immutable after tarn_wgemm_pack and may be used by many threads; it belongs to the instruction-set level
 * in force when it was packed. Tasks write disjoint parts of C: run every task once, in any order, on any thread. Sums are made
 * in f32, group by group in order of k: the result does not depend on the number of threads.
 */
#ifndef TARN_KERN_WGEMM_H
#define TARN_KERN_WGEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kern/gemm.h"
#include "kern/store.h"

typedef struct tarn_wgemm tarn_wgemm;

typedef struct tarn_wgemm_weights {
	size_t k, n;
	int bits;           /* 4: codes -8..7; 8: codes -128..127 */
	const int8_t *code; /* [k][n], or [n][k] with `transposed` */
	bool transposed;
	size_t group;       /* rows of B that share a scale, 1..k; the last group may be shorter */
	const float *scale; /* [groups][n] */
	const float *zero;  /* [groups][n], in codes; NULL: all 0 */
	const float *bias;  /* [n]; NULL: none */
} tarn_wgemm_weights;

/* Everything is copied. TARN_NOMEM, TARN_SHAPE. */
TARN_MUST tarn_err tarn_wgemm_pack(const tarn_wgemm_weights *w, tarn_wgemm **gemm);
void tarn_wgemm_free(tarn_wgemm *gemm);
/* From what _save appended, at the same level (kern/store.h); only sizes, bits and the presence of zero are read. */
TARN_MUST tarn_err tarn_wgemm_open(const tarn_wgemm_weights *w, tarn_store *from, tarn_wgemm **gemm);
void tarn_wgemm_save(const tarn_wgemm *gemm, tarn_str *out);
/* Bytes the packed object holds. */
size_t tarn_wgemm_bytes(const tarn_wgemm *gemm);
/* Number of tasks for m rows; 0 for m = 0. */
int tarn_wgemm_tasks(const tarn_wgemm *gemm, size_t m);
/* Runs tasks [begin, end). Arguments as for tarn_gemm_f32, but the residual must not be c. */
void tarn_wgemm_run(const tarn_wgemm *gemm, const tarn_gemm_f32_args *args, int begin, int end);

#endif
