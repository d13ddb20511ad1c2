/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed weights, once for all programs of this process: programs of one model for several sizes, or the same model loaded
 * twice, hold the same objects. They are told by their content (a keyed hash of it), so it does not matter how a program came
 * to its weights. The functions pack as those of kern/ do, or hand out what is there already; packed objects are immutable and
 * counted. Any thread.
 *
 * A program that is to be stored keeps an account of what it packed, and one that is read finds it there in the same order.
 */
#ifndef TARN_KERN_SHARE_H
#define TARN_KERN_SHARE_H

#include "base/vec.h"
#include "kern/conv.h"
#include "kern/conv_transpose.h"
#include "kern/depthwise.h"
#include "kern/gemm.h"
#include "kern/int8.h"
#include "kern/wgemm.h"
#include "kern/store.h"
#include "kern/winograd.h"

/* Zeroed it is empty; owned by one thread. */
typedef struct tarn_packs {
	VEC(void *) object; /* in the order in which they were asked for; held */
	tarn_store *from;   /* where their bytes are; NULL: they are packed */
} tarn_packs;
void tarn_packs_fini(tarn_packs *p);
void tarn_packs_save(const tarn_packs *p, tarn_str *out);

/* packs NULL: nobody keeps an account. */

TARN_MUST tarn_err tarn_share_gemm(tarn_packs *packs, size_t k, size_t n, const float *b, size_t ldb, bool transposed,
				   const float *bias, tarn_gemm_f32 **gemm);
TARN_MUST tarn_err tarn_share_wgemm(tarn_packs *packs, const tarn_wgemm_weights *w, tarn_wgemm **gemm);
TARN_MUST tarn_err tarn_share_conv(tarn_packs *packs, const tarn_conv_spec *spec, const float *weights, const float *bias,
				   tarn_conv_f32 **conv);
TARN_MUST tarn_err tarn_share_depthwise(tarn_packs *packs, const tarn_depthwise_spec *spec, const float *weights,
					const float *bias, tarn_depthwise_f32 **dw);
TARN_MUST tarn_err tarn_share_winograd(tarn_packs *packs, const tarn_conv_spec *spec, const float *weights, const float *bias,
				       tarn_winograd_f32 **conv);
TARN_MUST tarn_err tarn_share_conv_transpose(tarn_packs *packs, const tarn_conv_spec *spec, const float *weights,
					     const float *bias, tarn_conv_transpose_f32 **conv);
TARN_MUST tarn_err tarn_share_qconv(tarn_packs *packs, const tarn_conv_spec *spec, const void *w, tarn_code w_type,
				    const int32_t *w_zero, tarn_qconv_input input, tarn_qconv **conv);
/* Number i is multiplied by scale i / each % n. */
typedef struct tarn_scales {
	const void *at; /* n f32, aligned or not */
	size_t n, each;
} tarn_scales;
/* FP16 numbers as f32; scales NULL: all 1. */
TARN_MUST tarn_err tarn_share_floats(const void *half, size_t count, const tarn_scales *scales, float **floats);
/* Gives back what one of the above handed out; NULL is nothing. */
void tarn_share_drop(void *packed);

/* For tests: objects there are, and how often they are held in all. */
void tarn_share_count(int *objects, int *holders);

#endif
