/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside quant: two codes for a value whose rounding harms the outputs most. A product that reads it reads twice as many
 * channels: the value rounded, and what rounding left over, eight times as large; its weights stand twice, once divided by
 * eight. Both parts have the same grid, so that the product is an ordinary INT8 product, and the value is known to about
 * eleven bits. It costs the product's work a second time, so only cheap products are worth it: mostly the first ones, whose
 * noise grows through the whole network.
 *
 * Which values is the plan's `fine`, by value id. Nothing is kept; errors leave graphs half written.
 */
#ifndef TARN_QUANT_FINE_H
#define TARN_QUANT_FINE_H

#include "quant/plan.h"

/* Does node n read its input 0 in two codes? */
bool tarn_quant_reads_fine(const quant_plan *p, const tarn_node *n);
/* Is n a move of codes whose results are read in two codes, or precisely (precise.h), alone? Then it moves floats, or they
 * would be rounded already. */
bool tarn_quant_moves_fine(const quant_plan *p, const tarn_node *n);
/* In the copy g of the plan's graph: *dq becomes the value of both parts for node n to read, at its channel axis. */
TARN_MUST tarn_err tarn_quant_write_fine(const quant_plan *p, tarn_graph *g, tarn_node *n, tarn_value **dq);
/* Codes of n's weights that read both parts: those of w, and an eighth of them; t is a new tensor. Few groups become one. */
TARN_MUST tarn_err tarn_quant_fine_codes(const quant_weight *w, tarn_node *n, tarn_tensor *t);

#endif
