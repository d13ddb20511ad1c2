/* SPDX-License-Identifier: Apache-2.0 */
/* Repairs: nodes that give padding the value an operator needs. Noted during analysis, made afterwards. */
#ifndef TARN_DYN_REPAIR_H
#define TARN_DYN_REPAIR_H

#include "ir/op.h"

typedef struct tarn_repair {
	tarn_node *node;
	int input, axis;
	tarn_pad_need need;
} tarn_repair;

/* A value and its form with the padding along an axis replaced. */
typedef struct tarn_masked {
	tarn_value *from, *to;
	int axis;
	tarn_pad_need need;
} tarn_masked;

typedef struct tarn_repairs {
	tarn_model *m;
	int64_t max;
	VEC(tarn_repair) list;
	VEC(tarn_masked) masked;         /* made already */
	tarn_value *length;              /* the added input */
	tarn_value *mask[TARN_MAX_RANK]; /* by axes behind: bool [max,1,...,1], true where valid */
	int made;
} tarn_repairs;

void tarn_repairs_fini(tarn_repairs *r);
TARN_MUST tarn_err tarn_repairs_note(tarn_repairs *r, const tarn_pad *p);
/* Adds the length input, clears padded inputs, applies what was noted. The graph must be sorted afterwards. */
TARN_MUST tarn_err tarn_repairs_make(tarn_repairs *r, const char *length_name, tarn_dim sym);

#endif
