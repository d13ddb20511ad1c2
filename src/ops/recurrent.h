/* SPDX-License-Identifier: Apache-2.0 */
/* The one schema of RNN, GRU and LSTM, and the activation functions they name. */
#ifndef TARN_OPS_RECURRENT_H
#define TARN_OPS_RECURRENT_H

#include "ops/real.h"

enum {
	TARN_REC_ALPHA,
	TARN_REC_BETA,
	TARN_REC_ACTIVATIONS, /* names separated by commas */
	TARN_REC_CLIP,
	TARN_REC_DIRECTION,
	TARN_REC_HIDDEN,
	TARN_REC_LAYOUT,
	TARN_REC_LAST /* input_forget or linear_before_reset */
};

typedef struct tarn_recurrent_act {
	int kind;
	double alpha, beta;
} tarn_recurrent_act;

/* The `need` activations of the node (per direction, in order), from its attributes or the defaults ("Sigmoid,Tanh,Tanh"). */
TARN_MUST tarn_err tarn_recurrent_acts(const tarn_node *n, const char *defaults, int directions, tarn_recurrent_act *act,
				       int need);
double tarn_recurrent_apply(const tarn_recurrent_act *a, double x);

#endif
