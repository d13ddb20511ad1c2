/* SPDX-License-Identifier: Apache-2.0 */
/* Inside api: the layers of a quantization report, for its reader. */
#ifndef TARN_API_LAYERS_H
#define TARN_API_LAYERS_H

#include "quant/quant.h"
#include "tarn/quantize.h"

TARN_MUST tarn_err tarn_api_layers_out(const tarn_quant_report *r, tarn_quantize_report *out);
void tarn_api_layers_free(tarn_quantize_report *out);

#endif
