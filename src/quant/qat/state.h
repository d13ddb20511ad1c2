/* SPDX-License-Identifier: Apache-2.0 */
/* Inside qat: theta and all that goes with it from step to step, and its file. */
#ifndef TARN_QUANT_QAT_STATE_H
#define TARN_QUANT_QAT_STATE_H

#include "quant/qat/score.h"

typedef struct qat_state {
	size_t n;
	float *theta;
	float *mean;               /* running average of theta */
	float *m, *v;              /* Adam's moments */
	float *best;               /* of those judged; the start while best_rank is infinite */
	float *unit;               /* step of each element at rate 1 */
	tarn_qat_score best_score; /* on the holdout */
	double best_rank;          /* less is better */
	int64_t step, resumed_step;
	int epoch;      /* done */
	double rate;    /* peak; halved when training diverges */
	uint64_t about; /* hash of what a checkpoint must agree with */
} qat_state;

TARN_MUST tarn_err qat_state_init(qat_state *s, const qat_net *net, const tarn_model *teacher, const tarn_qat_options *o);
void qat_state_fini(qat_state *s);
/* Whether there are weights of fewer than 8 bits. */
bool qat_state_few_bits(const qat_net *net);
/* How many when it was not said. */
int qat_state_epochs(const qat_net *net);
/* One step of Adam with the gradients of theta; total: steps of the whole schedule. */
void qat_state_step(qat_state *s, const qat_net *net, float *grad, size_t total);
/* Back to the best so far, at half the rate. */
void qat_state_retreat(qat_state *s);
/* The file is untrusted: lengths, the model it is about and a checksum are checked. *found false: there is no such file. */
TARN_MUST tarn_err qat_state_save(const qat_state *s, const char *path);
TARN_MUST tarn_err qat_state_load(qat_state *s, const char *path, bool *found);
/* The bytes of such a file; path: for the sentences. s stays as it was after an error. */
TARN_MUST tarn_err qat_state_read(qat_state *s, const uint8_t *at, size_t size, const char *path);

#endif
