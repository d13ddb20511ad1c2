/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of convolutions in double over three spatial axes; exact for integers below 2^53. Pure functions. */
#ifndef TARN_OPS_CONVOLVE_H
#define TARN_OPS_CONVOLVE_H

#include "ops/grad.h"
#include "ops/window.h"

typedef struct tarn_convolve {
	tarn_window w;                /* resolved; tarn_convolve_setup widens it */
	int64_t batch, group, ci, co; /* channels of one group */
	int64_t in[TARN_WINDOW_MAX], out[TARN_WINDOW_MAX];
	const double *x, *k; /* k: [group, co, ci, kernel] forward, [group, ci, co, kernel] transposed */
	double *y;           /* starts as the bias (or zero) and is added to */
} tarn_convolve;

/* Sizes from the tensors' shapes (x [N,C,..], y [N,O,..]); w must have been resolved. */
void tarn_convolve_setup(tarn_convolve *c, const tarn_tensor *x, const tarn_tensor *y, int64_t group);
/* y[n,o,..] = bias[o] (0 when NULL). */
void tarn_convolve_bias(tarn_convolve *c, const double *bias);
void tarn_convolve_forward(const tarn_convolve *c);

/* The eval slot once the window is resolved and the sizes are set: inputs x, weights and bias of a Conv (forward) or a
 * ConvTranspose. */
TARN_MUST tarn_err tarn_convolve_eval(tarn_eval *e, tarn_convolve *c, bool forward);
/* The grad slot of the same. */
TARN_MUST tarn_err tarn_convolve_grad(tarn_grad *g, tarn_convolve *c, bool forward);

/* Shape inference of Conv and its relatives: weights w of shape [O, I/group, k..] (or, with `grouped`, [G, O/G, I/G, k..]).
 * Sets *out; rank -1 when nothing is known. */
TARN_MUST tarn_err tarn_convolve_infer(tarn_infer *c, int x, int w, int64_t group, bool grouped, tarn_shape *out);
/* Cost slot of forward convolutions whose weights are input `w` ([.., I, k..] from `first` on multiply each output element). */
TARN_MUST tarn_err tarn_convolve_cost(const tarn_node *n, int w, int first, tarn_cost *cost);

#endif
