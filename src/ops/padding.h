/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the pad slot that operators share. */
#ifndef TARN_OPS_PADDING_H
#define TARN_OPS_PADDING_H

#include "ir/op.h"

/* Bytes move, whole axes stay whole. */
void tarn_pad_any(tarn_pad *p);
/* The same for operators whose output has another shape: the padded axis must come out as one axis, at the same place in the
 * order of elements; else PLACE. */
void tarn_pad_view(tarn_pad *p);
/* `need` along the attribute `axis`, nothing along others. */
void tarn_pad_along(tarn_pad *p, tarn_pad_need need);
/* Windows slide over the axes from 2 on: `need` where a window of the valid result may reach behind the valid input, nothing
 * where none does, PLACE where the first window's start depends on the length. `weights`: the input that holds them, and axis 1
 * is summed over; -1 where there are none, and it is left alone. */
void tarn_pad_window(tarn_pad *p, tarn_pad_need need, int weights);
/* `need` along the axes from 2 on, nothing along the others. */
void tarn_pad_spatial(tarn_pad *p, tarn_pad_need need);
/* A list of axes (input `i` or, when there is none, attribute `axes`) has the padded one: `need`, else nothing. UNSAFE when the
 * list is computed. */
void tarn_pad_listed(tarn_pad *p, int i, tarn_pad_need need);
/* Integer divisors must not be 0. */
void tarn_pad_divisor(tarn_pad *p);
/* `need` when the axis is one of those reduced over (attribute or constant input `axes`; none: all), else nothing. */
void tarn_pad_reduced(tarn_pad *p, tarn_pad_need need);

#endif
