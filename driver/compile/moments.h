/* SPDX-License-Identifier: Apache-2.0 */
/* What values are expected to be, from weights alone: see moments.c. Private to driver/compile. */
#ifndef TARN_DRIVER_COMPILE_MOMENTS_H
#define TARN_DRIVER_COMPILE_MOMENTS_H

#include "driver/compile/plan.h"

/* Of one value. Channels: along axis 1 of images, the last axis otherwise; n = 1: all alike. */
typedef struct npu_moments {
	bool known;
	int n;
	double *mean, *var;
	/* The expected square of the slope by the first and by the second operand, at each channel of the result; NULL: 1. */
	double *slope[2];
	int roundings; /* to FP16, on the longest way here */
} npu_moments;

/* How values come from those before. */
typedef enum npu_kind {
	NPU_FUNCTION, /* of one element */
	NPU_PRODUCT,  /* of matrices, convolutions */
	NPU_COMBINE,  /* sums and products of two, element by element */
	NPU_CONCAT,
	NPU_MOVED,    /* the same values elsewhere */
	NPU_AVERAGED, /* over all pixels */
	NPU_NORMAL,   /* scaled to mean 0 and variance 1 */
	NPU_SHARES    /* of one: softmax */
} npu_kind;
/* False: nothing is known of the operator. */
bool tarn_npu_kind_of(const tarn_node *n, npu_kind *k);
/* Of what keeps values: the input they are from. */
int tarn_npu_passing_input(const tarn_node *n);

/* Of every value, by its id, in the arena. */
TARN_MUST tarn_err tarn_npu_moments(const tarn_graph *g, tarn_arena *a, npu_moments **of);
double tarn_npu_mean_at(const npu_moments *m, int64_t channel);
/* All channels as one. */
void tarn_npu_blend(const npu_moments *m, double *mean, double *var);

/* Where weight (output channel, input channel, tap) of a product lies, and how many of each there are. */
typedef struct npu_weights {
	const tarn_tensor *t; /* F32 */
	int64_t out, in, taps, groups, out_step, in_step;
	double share; /* of the taps that one output sees */
	bool transposed;
} npu_weights;
/* False for anything but a product with constant weights. */
bool tarn_npu_read_weights(const tarn_node *n, npu_weights *w);
/* The first of the taps from an input channel of a group to an output channel; *channel: which input channel of all. */
int64_t tarn_npu_weight_at(const npu_weights *w, int64_t out, int64_t in, int64_t *channel);

/* Goes through all pairs of an output and an input channel in the order of memory; begins as {0}. */
typedef struct npu_taps {
	int64_t out, in, channel; /* in: within the group; channel: of all */
	double sum, squares;      /* of the weights between them */
	int64_t p, q;
} npu_taps;
bool tarn_npu_next_taps(const npu_weights *w, npu_taps *t);

#endif
