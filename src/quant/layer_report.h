/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What quantization does to each layer: the noise it adds itself, the noise that has gathered when its result is there, how
 * much of its inputs is clipped, how many codes they use. From the float model and the quantized one alone, over a few samples.
 */
#ifndef TARN_QUANT_LAYER_REPORT_H
#define TARN_QUANT_LAYER_REPORT_H

#include "quant/quant.h"

/* Fills r->layer. f: the float model that q was written from (same names of nodes and values). */
TARN_MUST tarn_err tarn_quant_layer_report(const tarn_model *f, const tarn_model *q, const tarn_quant_options *o,
					   tarn_quant_report *r);

#endif
