/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the pad slot that operators share. */
#ifndef TARN_OPS_PADDING_H
#define TARN_OPS_PADDING_H

#include "ir/op.h"

/* Bytes move, whole axes stay whole. */
void tarn_pad_any(tarn_pad *p);
/* The same for operators whose output has another shape: the padded axis must come out as one axis, at the same place in the
 * order of elements. */
void tarn_pad_view(tarn_pad *p);
/* Unsafe along the attribute `axis`, nothing along others. */
void tarn_pad_across(tarn_pad *p, const char *why);
/* `need` along the attribute `axis`, nothing along others. */
void tarn_pad_along(tarn_pad *p, tarn_pad_need need);
/* `need` when the axis is one of those reduced over (attribute or constant input `axes`; none: all), else nothing. */
void tarn_pad_reduced(tarn_pad *p, tarn_pad_need need);

#endif
