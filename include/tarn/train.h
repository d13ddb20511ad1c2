/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training on this machine: with quantization in the loop (QAT, through tarn_quantize_model), or of a float model on labels.
 *
 * Weights, biases, scales and zero points learn by Adam, rounding is let through. The float model is the teacher; labels may
 * help. A part of the samples is kept out and judges: what leaves is never worse there than what came in. The same seed and
 * number of threads give the same bits. Memory: each thread holds the values of one sample; where a budget asks for it, as the
 * codes they come from, or only some of them, the others being computed again; the result is the same.
 */
#ifndef TARN_TRAIN_H
#define TARN_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zeros are defaults. */
typedef struct tarn_training_options {
	int epochs;            /* 0: 5; with weights of 4 bits 10, on small networks as many as make 1000 steps */
	int batch;             /* samples of one step; 0: 8 to 32, for a hundred steps an epoch */
	double rate;           /* learning rate, relative to the size of the weights; 0: chosen by their bits */
	double holdout;        /* share of the samples kept for judging; 0: 0.2 */
	const int64_t *labels; /* class of each sample, for the first output; NULL: none */
	size_t n_labels;
	int mix; /* mixtures of two samples to learn from, too, where the teacher says what they are; -1: none; 0: none
		    with 8 bits, with fewer as many as make a thousand samples (fewer on large networks) */
	double label_weight; /* share of the labels in the loss beside the teacher; 0: 0.3 */
	uint64_t seed;
	int threads;   /* 0: one per processor */
	size_t memory; /* bytes the trainer's own buffers may hold; 0: half of the machine's. Less: more is computed twice.
			  Models, calibration and samples come on top: the process is not bounded */
	const char *checkpoint; /* file written after every epoch; NULL: none */
	bool resume;            /* goes on from that file when it is there */
	bool fresh;             /* tarn_train_model: forget the weights and start at random ones */
} tarn_training_options;

/* How a model does on the samples kept out. */
typedef struct tarn_training_score {
	double loss;
	size_t right, samples; /* first output: the label's class, or the teacher's; samples 0: it is no classifier */
} tarn_training_score;

typedef struct tarn_training_report {
	tarn_training_score before, after;
	int epochs, steps;
	bool improved;    /* false: the model is what came in */
	bool interrupted; /* stopped early; the best so far is kept */
	bool resumed;
	double seconds;
	size_t bytes, planned, budget; /* held at most (counted), foreseen, and allowed */
	size_t again, nodes;           /* nodes that run twice for each sample to save memory, of so many */
	size_t parameters, trained_on, held_out, mixed;
	int threads;
} tarn_training_report;

#ifdef __cplusplus
}
#endif
#endif
