/* SPDX-License-Identifier: Apache-2.0 */
/* Inside qat: which samples are for what, what the teacher says to them, and how a model does on the holdout. */
#ifndef TARN_QUANT_QAT_SCORE_H
#define TARN_QUANT_QAT_SCORE_H

#include "quant/qat/mix.h"

typedef struct qat_data {
	const tarn_qat_options *o;
	size_t *order;         /* a permutation of the samples: training first, then the holdout */
	size_t n_real, n_hold; /* real samples to train on, and to judge by */
	size_t n_train, mixed; /* n_train: with the mixtures, and with real samples that come again */
	size_t rows;           /* labels of one sample */
	/* The teacher's outputs, f32, side by side. */
	float **teacher; /* by sample; NULL: no teacher */
	size_t *size;    /* by sample: numbers of all outputs; offsets follow from the outputs' sizes */
	qat_head *head;  /* by output */
	bool *tapped;    /* by output: qat_tap stands for it, in the teacher and in what is trained */
	size_t n_output;
	tarn_arena arena;
} qat_data;

/* mix: whose samples o->data are; it learns what it may mix. */
TARN_MUST tarn_err qat_data_init(qat_data *d, const tarn_qat_options *o, qat_mix *mix, const tarn_model *start,
				 const tarn_model *teacher);
void qat_data_fini(qat_data *d);
/* What stands for output k in the loss. */
const tarn_value *qat_data_value(const qat_data *d, const tarn_graph *g, size_t k);
/* The targets of output k of a sample, given its number of elements; offset moves on by it. */
TARN_MUST tarn_err qat_data_target(const qat_data *d, size_t sample, size_t k, const tarn_tensor *y, size_t *offset,
				   qat_target *t);
/* Runs the model over the holdout (all: over every sample) on the device. each (may be NULL): by sample, its loss. */
TARN_MUST tarn_err qat_score(const qat_data *d, const tarn_model *m, bool all, tarn_qat_score *s, double *each);
/* A reproducible stream of numbers. */
uint64_t qat_random(uint64_t *state);
void qat_shuffle(size_t *at, size_t n, uint64_t *state);

#endif
