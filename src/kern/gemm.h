/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products in f32. Row-major; lda, ldb, ldc are floats between rows.
 *
 * tarn_gemm_f32: B is constant and packed once; C [m][n] = act(A [m][k] * B [k][n] + bias + residual). The packed object is
 * immutable after tarn_gemm_f32_pack and may be used by many threads; it belongs to the instruction-set level in force when it
 * was packed. Work is cut into numbered tasks that write disjoint parts of C: run every task once, in any order, on any thread.
 *
 * tarn_matmul_f32: both operands are run-time values (attention); B is packed piecewise on the stack.
 *
 * Sums are made in f32 in order of k (with FMA where the level has it): the result does not depend on the number of threads.
 */
#ifndef TARN_KERN_GEMM_H
#define TARN_KERN_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "kern/epilogue.h"
#include "kern/store.h"

typedef struct tarn_gemm_f32 tarn_gemm_f32;

/* b is [k][n] (or [n][k] with `transposed`), row stride ldb; bias is [n] or NULL. Both are copied. TARN_NOMEM, TARN_SHAPE. */
TARN_MUST tarn_err tarn_gemm_f32_pack(size_t k, size_t n, const float *b, size_t ldb, bool transposed, const float *bias,
				      tarn_gemm_f32 **gemm);
void tarn_gemm_f32_free(tarn_gemm_f32 *gemm);
/* From what _save appended, at the same level (kern/store.h). */
TARN_MUST tarn_err tarn_gemm_f32_open(size_t k, size_t n, tarn_store *from, tarn_gemm_f32 **gemm);
void tarn_gemm_f32_save(const tarn_gemm_f32 *gemm, tarn_str *out);
/* Bytes the packed object holds. */
size_t tarn_gemm_f32_bytes(const tarn_gemm_f32 *gemm);

typedef struct tarn_gemm_f32_args {
	size_t m;
	const float *a; /* [m][k] */
	size_t lda;
	float *c; /* [m][n]; must not overlap a */
	size_t ldc;
	const float *residual; /* [m][n] or NULL; may be c itself, but for residual_after with an activation */
	size_t ldr;
	tarn_epilogue epilogue;
} tarn_gemm_f32_args;

/* Number of tasks for m rows; 0 for m = 0. */
int tarn_gemm_f32_tasks(const tarn_gemm_f32 *gemm, size_t m);
/* Runs tasks [begin, end). */
void tarn_gemm_f32_run(const tarn_gemm_f32 *gemm, const tarn_gemm_f32_args *args, int begin, int end);

/* C[i][j] = alpha * A[i][j] * B[i][j] for two batch axes (batch x heads, say); a stride of 0 repeats an operand. */
typedef struct tarn_matmul_f32_args {
	size_t batch[2];
	size_t m, n, k;
	float alpha;
	const float *a; /* [m][k] */
	size_t lda, a_stride[2];
	const float *b; /* [k][n], or [n][k] with b_transposed */
	size_t ldb, b_stride[2];
	bool b_transposed;
	float *c; /* [m][n]; must not overlap a or b */
	size_t ldc, c_stride[2];
} tarn_matmul_f32_args;

int tarn_matmul_f32_tasks(const tarn_matmul_f32_args *args);
void tarn_matmul_f32_run(const tarn_matmul_f32_args *args, int begin, int end);

#endif
