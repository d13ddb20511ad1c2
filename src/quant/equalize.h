/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside quant: the same function with magnitudes moved between activations and weights, channel by channel (cross-layer
 * equalization; SmoothQuant). The plan must be placed and observed, and stay as long as the equalizer. Not thread-safe.
 */
#ifndef TARN_QUANT_EQUALIZE_H
#define TARN_QUANT_EQUALIZE_H

#include "quant/plan.h"

typedef struct quant_equalizer quant_equalizer;

/* Looks at the channels of the plan's model over a few samples. */
TARN_MUST tarn_err tarn_quant_equalizer_new(const quant_plan *p, const tarn_quant_options *o, quant_equalizer **out);
void tarn_quant_equalizer_free(quant_equalizer *e);
/* Do weights lie on grids whose steps differ from channel to channel (strength INFINITY makes them equal again)? Needs no
 * equalizer, since it looks at weights alone. */
TARN_MUST tarn_err tarn_quant_steps_differ(const quant_plan *p, bool *any);
/* Is there any channel that may be scaled? */
bool tarn_quant_equalizer_can(const quant_equalizer *e);
/* strength 0: the weights become even; 1: the activations do; NAN: for each group of linked values what promises the least
 * noise where they are read; INFINITY: weights that lie on grids come to lie on one, all others stay. A new model that computes
 * the same. */
TARN_MUST tarn_err tarn_quant_equalize(quant_equalizer *e, double strength, tarn_model **out);

/* Channel alignment: a new model that computes the same, with channels shifted to lie around zero where products alone read
 * them; NULL when there are none. */
TARN_MUST tarn_err tarn_quant_align(const quant_plan *p, const tarn_quant_options *o, tarn_model **out);

#endif
