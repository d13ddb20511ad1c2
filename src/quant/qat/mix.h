/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside qat: few samples made more. A mixture a x + (1 - a) y of two samples is one more place where the trained model is to
 * do what its teacher does (Beyer et al., arXiv 2106.05237); it has no label of its own. Which two and how much follows from
 * the seed, so that a mixture is the same whenever it is asked for. Only of samples that are trained on.
 */
#ifndef TARN_QUANT_QAT_MIX_H
#define TARN_QUANT_QAT_MIX_H

#include "quant/qat/net.h"

typedef struct qat_mix {
	tarn_quant_options data; /* to be used instead: the real samples, then the mixtures */
	const tarn_quant_options *from;
	const size_t *train; /* samples to mix; set before a mixture is asked for */
	size_t n_train, mixed;
	int n_in;
	uint64_t seed;
} qat_mix;

/* How many mixtures there should be: none without teacher, with codes of 8 bits (unless asked for), or where an input is no
 * floating-point number. */
size_t qat_mix_count(const qat_net *net, bool taught, bool few_bits, const tarn_qat_options *o);
/* g: of the model whose inputs the samples are. */
void qat_mix_init(qat_mix *x, const tarn_graph *g, const tarn_qat_options *o, size_t mixed);

#endif
