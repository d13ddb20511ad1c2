/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elements in bulk, for the reference code of operators: runs of numbers loaded and stored as double or int64, broadcasting as
 * runs, strided copies of any element type. Plain loops, no state; callable from any thread on tensors that nobody writes.
 */
#ifndef TARN_OPS_ELEM_H
#define TARN_OPS_ELEM_H

#include "ir/op.h"

enum { TARN_RUN = 256 /* longest run handed to a callback */, TARN_RUN_INPUTS = 3 };

/* n elements from index `at`, `step` apart (0: the same one n times). The i64 form gives U64 as its bits. */
void tarn_elem_load_f64(const tarn_tensor *t, int64_t at, int64_t step, int n, double *v);
void tarn_elem_load_i64(const tarn_tensor *t, int64_t at, int64_t step, int n, int64_t *v);
/* n elements from index `at` on. The f64 form rounds floats to nearest and clamps integers; the i64 form wraps integers to
 * their width, as integer arithmetic does, and makes BOOL of != 0. */
void tarn_elem_store_f64(tarn_tensor *t, int64_t at, int n, const double *v);
void tarn_elem_store_i64(tarn_tensor *t, int64_t at, int n, const int64_t *v);
/* One element of any type (STRING: the pointer) to another tensor of the same type. */
void tarn_elem_copy(const tarn_tensor *src, int64_t si, tarn_tensor *dst, int64_t di);

/* Walks the output in row-major order in runs of at most TARN_RUN elements, giving for every input the index of the run's first
 * element and the step to the next. Inputs broadcast to the output; NULL inputs are skipped. Stops at the first error. */
typedef tarn_err (*tarn_elem_run_fn)(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step);
TARN_MUST tarn_err tarn_elem_runs(const tarn_tensor *out, const tarn_tensor *const *in, int n_in, tarn_elem_run_fn fn,
				  void *ctx);

/* A box of elements copied between tensors of one type; offsets and strides in elements, strides may be zero or negative. */
typedef struct tarn_elem_box {
	int rank;
	int64_t dim[TARN_MAX_RANK];
	int64_t src_at, src_stride[TARN_MAX_RANK];
	int64_t dst_at, dst_stride[TARN_MAX_RANK];
} tarn_elem_box;
void tarn_elem_copy_box(const tarn_tensor *src, tarn_tensor *dst, const tarn_elem_box *box);
/* All elements in order: same count, same type. */
void tarn_elem_copy_all(const tarn_tensor *src, tarn_tensor *dst);

/* Advances index in row-major order; false when it wrapped to zero. */
bool tarn_elem_next(int rank, const int64_t *dim, int64_t *index);
/* The product of dim[from..to-1]. */
int64_t tarn_elem_product(const int64_t *dim, int from, int to);

/* The smallest and largest value of an element type, as numbers: for accumulators' starts. */
double tarn_elem_lowest(tarn_dtype t);
double tarn_elem_highest(tarn_dtype t);

/* Cost slots shared by families: one operation per output element; per input element; none (bytes are moved, nothing computed).
 */
TARN_MUST tarn_err tarn_cost_out(const tarn_node *n, tarn_cost *cost);
TARN_MUST tarn_err tarn_cost_in(const tarn_node *n, tarn_cost *cost);
TARN_MUST tarn_err tarn_cost_move(const tarn_node *n, tarn_cost *cost);

/* Sets of element classes and the check infer makes: TARN_TYPE when input i is present, typed, and of none of them. */
enum {
	TARN_CLS_F = 1,
	TARN_CLS_S = 2,
	TARN_CLS_U = 4,
	TARN_CLS_B = 8,
	TARN_CLS_T = 16,
	TARN_CLS_INT = TARN_CLS_S | TARN_CLS_U,
	TARN_CLS_NUM = TARN_CLS_F | TARN_CLS_INT,
	TARN_CLS_ANY = 31
};
TARN_MUST tarn_err tarn_infer_class(const tarn_infer *c, int i, unsigned set);
/* Type of input i, NONE when absent. */
tarn_dtype tarn_infer_type(const tarn_infer *c, int i);
/* Shape of input i; NULL when absent or of unknown rank. */
const tarn_shape *tarn_infer_shape(const tarn_infer *c, int i);
/* TARN_TYPE when inputs a and b are both typed and differ. */
TARN_MUST tarn_err tarn_infer_same_type(const tarn_infer *c, int a, int b);

#endif
