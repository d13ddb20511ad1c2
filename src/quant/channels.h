/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside quant: which channels of which values may be scaled together without changing what the model computes.
 *
 * Between products with constant weights lie operators f with f(s*x) = s*f(x) for s > 0, channel by channel: ReLU, pooling,
 * sums, concatenation, moves. Channels linked by them form one class; a class scales by one factor, which the weights that make
 * it divide by and the weights that read it multiply with. Inputs, outputs and everything an unknown or inhomogeneous operator
 * touches is fixed at 1.
 *
 * All memory is the arena's given to init. Reads the plan's sizes and statistics, changes nothing.
 */
#ifndef TARN_QUANT_CHANNELS_H
#define TARN_QUANT_CHANNELS_H

#include "quant/plan.h"

typedef struct quant_channels {
	const quant_plan *p;
	int *axis;     /* by value id: of its channels; -1: none known */
	int64_t *base; /* by value id: its first channel among all */
	int64_t *n;    /* by value id: its channels; 0: none known */
	int64_t total;
	int64_t *up;   /* by channel: union-find */
	bool *fixed;   /* by class */
	double *bound; /* by class: a Clip cuts off what lies above; INFINITY: none does */
	int *part;     /* by value id: union-find of values whose channels are linked */
} quant_channels;

/* TARN_OK with total 0 when the model's sizes are not known. */
TARN_MUST tarn_err tarn_quant_channels_init(quant_channels *c, const quant_plan *p, tarn_arena *a);
/* The class of channel i of value v. */
int64_t tarn_quant_channels_class(const quant_channels *c, const tarn_value *v, int64_t i);
/* Values with the same part have linked channels. */
int tarn_quant_channels_part(const quant_channels *c, int value);
/* A product with constant f32 weights that can take factors in and out. */
bool tarn_quant_channels_product(const tarn_node *n);
/* A normalization with constants for each channel, which can take factors out of its result (and into BatchNormalization). */
bool tarn_quant_channels_norm(const quant_channels *c, const tarn_node *n);
/* A sum, scaling or bound with a constant operand, of one number for each channel or for all: which input it is; -1: it is
 * none. */
int tarn_quant_channels_constant(const quant_channels *c, const tarn_node *n);
/* Clip that was seen to cut nothing off above: a ReLU. */
bool tarn_quant_channels_relu(const quant_plan *p, const tarn_node *n);
/* steps.c: the step of the grid on which all weights that read a class lie, by class (total of them); 0: none reads it, -1:
 * they lie on none. uneven: by part, all of its classes have one, and these differ. */
TARN_MUST tarn_err tarn_quant_channels_steps(const quant_channels *c, double *step, bool *uneven);

/* heads.c: a product of two values, probabilities times values of attention, and the moves before and behind it: channel i of
 * y is channel from[i] of x. */
enum { QUANT_HEADS_MOVES = 8 };

typedef struct quant_heads {
	const tarn_value *x, *y; /* NULL: node is none */
	int32_t *from;           /* to be freed with tarn_mem_free */
	const tarn_node *node[2 * QUANT_HEADS_MOVES + 1];
	int n;
} quant_heads;

TARN_MUST tarn_err tarn_quant_channels_heads(const quant_channels *c, const tarn_node *n, quant_heads *h);

#endif
