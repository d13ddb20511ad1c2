/* SPDX-License-Identifier: Apache-2.0 */
/* What rounding to FP16 is expected to do to a model's outputs, value by value: see noise.c. Private to driver/compile. */
#ifndef TARN_DRIVER_COMPILE_NOISE_H
#define TARN_DRIVER_COMPILE_NOISE_H

#include "driver/compile/moments.h"
#include "driver/compile/trial.h"

/* Outputs that are judged, the first of a model's. */
enum { NPU_JUDGED = 8 };

/* Where an output is judged: in front of the function that probabilities come from, else at the output itself. */
typedef enum npu_end_kind { NPU_END_PLAIN, NPU_END_SIGMOID, NPU_END_SOFTMAX } npu_end_kind;
typedef struct npu_end {
	npu_end_kind kind;
	const tarn_value *at;
	const tarn_node *by; /* what makes the output, behind what only moves it; may be NULL */
} npu_end;
npu_end tarn_npu_end_of(const tarn_value *out);

typedef struct npu_noise {
	int n; /* outputs */
	/* of[output][value id]: the variance of the output's relative error that comes from rounding this value, or these
	 * weights, so that the sum over all is that of the whole; spread[output]: the worst element, in deviations. */
	double *of[NPU_JUDGED], spread[NPU_JUDGED];
	double worst[NPU_JUDGED]; /* the expected relative error of its worst element */
	const npu_moments *moments;
} npu_noise;

/* In the arena. Values that layers keep in FP32, and what moments.c knows nothing of, count as nothing. */
TARN_MUST tarn_err tarn_npu_noise(const tarn_graph *g, const npu_layers *layers, tarn_arena *a, npu_noise *noise);

/* trial.c: what trials found in place of what was expected: noise->of is set anew for all but weights, so that it adds up to
 * noise->worst, which tarn_npu_trial_run has found for FP16. */
TARN_MUST tarn_err tarn_npu_trial_parts(npu_trial *trial, const npu_layers *layers, npu_noise *noise);

/* choose.c: by value id, what has to be wide for no output to be further off than `bound` by trial, or, where trial is NULL, by
 * the expectation; NULL: everything. */
TARN_MUST tarn_err tarn_npu_choose_pairs(const tarn_arch *arch, const tarn_graph *g, const npu_layers *layers, int tiles,
					 const npu_noise *noise, npu_trial *trial, double bound, tarn_arena *a, bool **pair);

#endif
