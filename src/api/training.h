/* SPDX-License-Identifier: Apache-2.0 */
/* Inside api: calibration followed by training, for tarn_quantize_model. */
#ifndef TARN_API_TRAINING_H
#define TARN_API_TRAINING_H

#include "quant/quant.h"
#include "tarn/train.h"

/* PTQ on some of the samples, then training of its result with m as the teacher. */
TARN_MUST tarn_err tarn_quantize_and_train(const tarn_model *m, const tarn_quant_options *all, const tarn_training_options *o,
					   tarn_quant_report *r, tarn_training_report *trained, tarn_model **q);

#endif
