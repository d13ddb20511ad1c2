/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside quant: products to about sixteen bits, made of INT8 products. What rounding leaves of the input, and of the weights,
 * is rounded once more on grids of their own, and products of those are added:
 *
 *     w x  ~  [w] [x]  +  [w] [x - [x]]  +  [w - [w]] [x]
 *
 * Each is an ordinary INT8 product, of as much work as the first; the sums are float. Too dear for networks whose time is that
 * of their products, nothing for those which a device has done sooner than it has begun: there they are taken where the
 * outputs need them.
 *
 * Which rests is the plan's `precise`, by node index. Nothing is kept; errors leave graphs half written.
 */
#ifndef TARN_QUANT_PRECISE_H
#define TARN_QUANT_PRECISE_H

#include "quant/plan.h"

enum { TARN_QUANT_REST_OF_INPUT = 1, TARN_QUANT_REST_OF_WEIGHTS = 2 };

/* Which rests of node n of the plan's model are written. */
int tarn_quant_rests_of(const quant_plan *p, const tarn_node *n);
/* The grid on which such a node reads its input: all that was seen and room for more, since steps are fine enough. */
quant_grid tarn_quant_precise_grid(const quant_plan *p, const tarn_value *x);
/* Adds the products of rests to node n of the copy g, which reads codes by now; so do the readers of its result. */
TARN_MUST tarn_err tarn_quant_write_rests(const quant_plan *p, tarn_graph *g, tarn_node *n);

#endif
