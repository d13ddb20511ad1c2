/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trials: what rounding does to a model's outputs, found by running it on made-up inputs with floats of 22 bits and with the
 * form in question. Private to driver/compile. One thread at a time.
 */
#ifndef TARN_DRIVER_COMPILE_TRIAL_H
#define TARN_DRIVER_COMPILE_TRIAL_H

#include "driver/compile/plan.h"

typedef struct npu_trial npu_trial;

/* Runs the graph, lowered, as it is with all floats wide; what it writes is what trials are compared with. The graph must stay
 * as it is until the trial is freed. *trial NULL: it is too large to be tried out, or cannot compute what was made up for it (a
 * place that lies outside, say). */
TARN_MUST tarn_err tarn_npu_trial_new(const tarn_arch *arch, const tarn_graph *g, const npu_layers *layers, npu_trial **trial);
void tarn_npu_trial_free(npu_trial *trial);

/* With these values wide, by id (NULL: none): worst[i] is how far output i is expected to be off at its worst element, relative
 * to its largest, as in noise.h; 1 where whole numbers differ. */
TARN_MUST tarn_err tarn_npu_trial_run(npu_trial *trial, const bool *pair, double *worst);
/* How many outputs are judged. */
int tarn_npu_trial_outputs(const npu_trial *trial);

#endif
