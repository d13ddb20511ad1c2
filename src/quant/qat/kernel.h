/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside qat: the f32 kernels of training, gathered by the table in kernel.c. A kernel looks at types and shapes first; with
 * *done false it has touched nothing, and the operator's reference does the work. Backward adds to din (type NONE: not wanted);
 * dout[0] is never NONE. No state; callable from any thread.
 */
#ifndef TARN_QUANT_QAT_KERNEL_H
#define TARN_QUANT_QAT_KERNEL_H

#include "quant/qat/net.h"

#define QAT_FORWARD(name) \
	TARN_MUST tarn_err name(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
#define QAT_BACKWARD(name) \
	TARN_MUST tarn_err name(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, \
				const tarn_tensor *dout, tarn_tensor *din, bool *done)

/* kernel_conv.c */
QAT_FORWARD(qat_conv_forward);
QAT_BACKWARD(qat_conv_backward);
/* kernel_elem.c: one or two inputs, broadcast */
QAT_FORWARD(qat_unary_forward);
QAT_BACKWARD(qat_unary_backward);
QAT_FORWARD(qat_binary_forward);
QAT_BACKWARD(qat_binary_backward);
QAT_FORWARD(qat_pow_forward); /* squares */
QAT_BACKWARD(qat_pow_backward);
/* kernel_rows.c: along axes */
QAT_FORWARD(qat_softmax_forward);
QAT_BACKWARD(qat_softmax_backward);
QAT_FORWARD(qat_layer_norm_forward);
QAT_BACKWARD(qat_layer_norm_backward);
QAT_FORWARD(qat_reduce_forward);
QAT_BACKWARD(qat_reduce_backward);
/* kernel_pool.c */
QAT_FORWARD(qat_pool_forward);
QAT_BACKWARD(qat_pool_backward);
QAT_FORWARD(qat_global_pool_forward);
QAT_BACKWARD(qat_global_pool_backward);
/* kernel_move.c: forward is the reference's */
QAT_BACKWARD(qat_view_backward);
QAT_BACKWARD(qat_transpose_backward);
QAT_BACKWARD(qat_concat_backward);
QAT_BACKWARD(qat_split_backward);
QAT_BACKWARD(qat_gather_backward);

/* c [m][n] (+)= alpha op(a) op(b). Row strides of 0: dense. */
typedef struct qat_product {
	int64_t m, n, k;
	const float *a, *b;
	bool ta, tb; /* stored [k][m], [n][k] */
	int64_t lda, ldb, ldc;
	float alpha;
	float *c;
	bool add;
} qat_product;
TARN_MUST tarn_err qat_multiply(const qat_product *p);

/* Memory a kernel needs beside its tensors, counted for the thread it runs on: since the last reset, at most. */
void *qat_scratch(size_t bytes);
void qat_scratch_free(void *p, size_t bytes);
void qat_scratch_reset(void);
size_t qat_scratch_most(void);

/* Whether a gradient is asked for. */
static inline float *qat_wanted(const tarn_tensor *din)
{
	return din->type == TARN_F32 ? din->data : NULL;
}

#endif
