/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training with quantization in the loop: an INT8 (or lower) model and its float teacher in, the same model with better
 * weights, biases, scales and zero points out. Without a teacher, and on a float model, it is ordinary training on labels.
 *
 * Forward runs exactly what the exported model computes: weights and activations are rounded to their grids. Backward lets the
 * rounding through (straight-through) and gives each scale and zero point its gradient (LSQ+, arXiv 2004.09576), by the grad
 * slots of the operators. Weights keep a float master copy. Adam, warm-up and cosine, clipping, an average over the last steps.
 *
 * Memory: every thread walks through one sample at a time and keeps that sample's values only; samples of a batch are added up
 * in gradients. Where the budget asks for it, values are kept as their codes or made again (stash.h), with the same result.
 * Reproducible bit by bit for one seed and one number of threads.
 *
 * Candidates are exported and run on the device, over samples that are never trained on; what leaves is never worse there than
 * the model training started from.
 */
#ifndef TARN_QUANT_QAT_QAT_H
#define TARN_QUANT_QAT_QAT_H

#include "quant/quant.h"

/* Zeros are defaults. */
typedef struct tarn_qat_options {
	const tarn_quant_options *data; /* samples, progress, stop, device; preset and ignore are not looked at */
	const int64_t *label;           /* of each sample, the class of output 0; NULL: none */
	size_t rows;                    /* labels of one sample; 0: as many as output 0 has rows */
	int epochs;                     /* 0: 5; with weights of 4 bits 10, on small networks as many as make 1000 steps */
	int batch;                      /* samples of one step; 0: 8 to 32, for a hundred steps an epoch */
	double rate;         /* learning rate, relative to the size of what is trained; 0: chosen by the weights' bits */
	double holdout;      /* share of samples kept for judging; 0: 0.2 */
	int mix;             /* mixtures of two samples to learn from, too (mix.h); -1: none; 0: none with 8 bits, else as many
				as make a thousand samples */
	double label_weight; /* share of the labels in the loss when there is a teacher, too; 0: 0.3 */
	uint64_t seed;
	int threads;            /* 0: one per processor */
	size_t budget;          /* bytes the trainer may hold, not the process; 0: half of the machine's memory */
	const char *checkpoint; /* file written after every epoch; NULL: none */
	bool resume;            /* goes on from that file when it is there */
	bool fresh;             /* float constants start at random (by the seed), not at what the model holds */
	/* What leaves unless training beats it over all samples; NULL: start. It may have seen the samples kept out, start must
	 * not have: it would look better there than it is. */
	const tarn_model *rival;
	const double *hard; /* by sample: those that judge are as hard as those trained on; NULL: by chance alone */
} tarn_qat_options;

/* How a model does on the holdout. */
typedef struct tarn_qat_score {
	double loss;     /* mean over samples: distance to the teacher, or to the labels */
	size_t right, n; /* same class as the label (without labels: as the teacher) */
} tarn_qat_score;

typedef struct tarn_qat_report {
	tarn_qat_score before, after; /* of what came in, and of what leaves */
	int epochs, steps;            /* done */
	int halved;                   /* times the learning rate was halved because an epoch ended worse */
	bool interrupted, resumed, improved;
	double seconds;
	size_t bytes, planned, budget; /* most memory training held (counted), what was foreseen, what it was allowed */
	size_t again, nodes;           /* nodes that run twice for each sample so that this suffices, of so many */
	size_t parameters, trained_on, holdout, mixed;
	int threads;
} tarn_qat_report;

/* Can this model, float or quantized, be trained at all? Asked before any work; TARN_UNSUPPORTED names what cannot. */
TARN_MUST tarn_err tarn_qat_check(const tarn_model *m);

/* order: room for the n_sample numbers of the samples: those trained on first, *n_train of them, then those that judge. */
TARN_MUST tarn_err tarn_qat_split(const tarn_qat_options *o, size_t *order, size_t *n_train);
/* By sample: how far model m is from the teacher there, and from the labels. */
TARN_MUST tarn_err tarn_qat_hard(const tarn_model *teacher, const tarn_model *m, const tarn_qat_options *o, double *hard);

/* teacher: the float model; NULL: labels decide alone. start: what to train; stays as it is. *out is a new model, a copy of
 * the rival when nothing better was found. TARN_UNSUPPORTED names an operator without gradient; being stopped is no error. */
TARN_MUST tarn_err tarn_qat_train(const tarn_model *teacher, const tarn_model *start, const tarn_qat_options *o,
				  tarn_model **out, tarn_qat_report *r);

#endif
