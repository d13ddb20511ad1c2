/* SPDX-License-Identifier: Apache-2.0 */
/* The objects behind tarn_qconv. Private to kern: int8_pack.c makes the weights, int8_conv.c plans and runs. */
#ifndef TARN_KERN_INT8_CONV_H
#define TARN_KERN_INT8_CONV_H

#include "kern/int8_set.h"

#define TARN_QCONV_TABLE 4096     /* tap pointers of a block of rows, on the stack */
#define TARN_QCONV_GATHER_ROWS 16 /* of a kernel whose windows are copied */
#define TARN_QCONV_WINDOWS 32768  /* bytes of copied windows, on the stack */

struct tarn_qconv {
	tarn_conv_spec s;
	tarn_qconv_input in;
	const tarn_int8_set *set; /* NULL: plain */
	enum { TARN_QCONV_PLAIN, TARN_QCONV_TILES, TARN_QCONV_DEPTHWISE } kind;
	int16_t *plain; /* [oc][kh][kw][ic / groups], less the zero point */
	int8_t *w;      /* as the set wants it */
	size_t w_bytes;
	int32_t *start;       /* by column: of groups * vectors * lanes, or of blocks */
	size_t columns;       /* elements of start */
	bool gather;          /* few channels: the windows of a block are copied together, each is one tap */
	size_t taps, depth;   /* as the tiles see them */
	int vectors, panels;  /* of one group */
	int outputs, groups4; /* depthwise: see tarn_qdw_row */
	bool lent;            /* plain, w and start are in a store */
};

/* The output channel of a column; -1: none. */
int tarn_qconv_channel(const tarn_qconv *q, size_t column);

/* Where panel p of a group begins, in vectors, and how many it has. */
static inline int tarn_qconv_panel(const tarn_qconv *q, int p, int *first)
{
	int per = q->vectors / q->panels, more = q->vectors % q->panels;
	*first = p * per + (p < more ? p : more);
	return per + (p < more);
}

#endif
