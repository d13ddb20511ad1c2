/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside qat: which values a walk keeps from forward to backward, and which it makes again, so that training stays within a
 * budget of memory. Making again runs the same kernels on the same numbers: gradients are the same bits whatever is kept.
 *
 * Plans, by how much they run twice: everything is kept; what is cheap is made again (elementwise operators, views, and numbers
 * from their u8 codes); the network is cut into 2, 3, ... blocks, of which only what crosses a cut is kept, numbers as the
 * codes they come from. Peaks are simulated from sizes that were measured on a sample.
 */
#ifndef TARN_QUANT_QAT_STASH_H
#define TARN_QUANT_QAT_STASH_H

#include "quant/qat/net.h"

/* Bytes, measured by a walk. */
typedef struct qat_sizes {
	size_t *value, *grad;       /* by value id */
	size_t *forward, *backward; /* by node index: what the kernel needs beside */
} qat_sizes;

typedef struct qat_stash {
	bool *keep;   /* by value id */
	int *uses;    /* by value id: nodes that read it */
	size_t peak;  /* bytes held at most in one walk */
	size_t again; /* nodes that run twice */
} qat_stash;

TARN_MUST tarn_err qat_sizes_init(qat_sizes *s, const qat_net *net, tarn_arena *arena);
/* Only what cannot be made again, and the taps, is kept: a walk forward then holds as little as it can. */
TARN_MUST tarn_err qat_stash_init(qat_stash *s, const qat_net *net, const tarn_value *const *tap, size_t n_tap,
				  tarn_arena *arena);
enum { QAT_STASH_ALL, QAT_STASH_COSTLY, QAT_STASH_BLOCKS /* level 2, 3, ...: so many blocks */ };
/* Fills s->keep by a level, and what it comes to. */
TARN_MUST tarn_err qat_stash_plan(qat_stash *s, const qat_net *net, const qat_sizes *sizes, const tarn_value *const *tap,
				  size_t n_tap, int level);
/* Fills s with the plan of the least peak or, when there is one, with that which runs least twice within `most` bytes. */
TARN_MUST tarn_err qat_stash_choose(qat_stash *s, const qat_net *net, const qat_sizes *sizes, const tarn_value *const *tap,
				    size_t n_tap, size_t most);

#endif
