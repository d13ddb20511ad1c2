/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory planning: where in one block of memory each of many temporaries goes, so that two that live at the same time never
 * overlap. A pure function of the records.
 */
#ifndef TARN_BASE_PLAN_H
#define TARN_BASE_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct tarn_usage {
	size_t size;     /* bytes; 0 is allowed and takes no room */
	int first, last; /* steps, both inclusive; first <= last */
} tarn_usage;

/* Fills offset[0..n), each a multiple of TARN_ALIGN, and the size of the block. Largest first, each into the smallest gap
 * between those it lives together with; thousands of them in the order of their steps, each into the smallest gap there is.
 * TARN_LIMIT when the block would exceed the address space. */
TARN_MUST tarn_err tarn_plan(const tarn_usage *use, int n, size_t *offset, size_t *total);

/* The most bytes alive at one step: no plan can be smaller. Sizes count rounded up to TARN_ALIGN. 0 without memory to find out.
 */
size_t tarn_plan_lower_bound(const tarn_usage *use, int n);

#endif
