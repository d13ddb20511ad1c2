/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a quantized model: the weakest as text, all of them as JSON. */
#ifndef TARN_TOOL_LAYERS_H
#define TARN_TOOL_LAYERS_H

#include "say.h"
#include "tarn/quantize.h"

void layers_text(const tarn_quantize_report *r);
void layers_json(json *j, const tarn_quantize_report *r);

#endif
