/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside quant: how close a quantized model's outputs are to the float model's, on a few samples kept for it. Where a model
 * ends in a softmax or sigmoid, what goes into it is compared: it says more than probabilities that are all 0 or 1. Lives from
 * tarn_quant_judge_init to _fini; the options must stay. Not thread-safe.
 */
#ifndef TARN_QUANT_JUDGE_H
#define TARN_QUANT_JUDGE_H

#include "quant/run.h"

typedef struct quant_judge {
	const tarn_quant_options *o;
	const tarn_model *m; /* the float model, referenced */
	int *which;          /* the values compared, by id */
	int n;
	quant_slice samples;
	tarn_tensor *want; /* samples x n: what the float model says */
	double *best;      /* by compared value: SQNR in dB of the best so far */
	int64_t changed;   /* decisions (largest of a row) that the best so far changes, where an output is one row a sample */
	bool judged;       /* is there a best? */
} quant_judge;

/* Runs the float model, the plan's as it is now. */
TARN_MUST tarn_err tarn_quant_judge_init(quant_judge *j, const quant_plan *p, const tarn_quant_options *o);
void tarn_quant_judge_fini(quant_judge *j);
/* Is q better than the best so far: by `worth` dB in the mean over the compared values, none of them noticeably worse, and no
 * more decisions changed unless the gain is large? Then it becomes the best. The first one always does. `q` was written from a
 * model with the same value names. */
TARN_MUST tarn_err tarn_quant_judge_better(quant_judge *j, const tarn_model *q, double worth, bool *better);

/* Of the best so far: its mean SQNR over the compared values, in dB. */
double tarn_quant_judge_db(const quant_judge *j);

/* fine.c: which values get two codes; nothing happens where the outputs are good, unless asked for. */
TARN_MUST tarn_err tarn_quant_search_fine(quant_plan *p, quant_judge *j, bool asked);
/* Mean SQNR of q over the compared values, in dB; what is best so far stays. */
TARN_MUST tarn_err tarn_quant_judge_measure(const quant_judge *j, const tarn_model *q, double *db);
/* precise.c: which products get which rests; nothing happens where the outputs are good, or the products are work. */
TARN_MUST tarn_err tarn_quant_search_precise(quant_plan *p, const quant_judge *j);
/* search.c: settles what the options leave open, and leaves the plan ready to be written. */
TARN_MUST tarn_err tarn_quant_search(quant_plan *p, const tarn_quant_options *o, quant_judge *j);

#endif
