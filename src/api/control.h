/* SPDX-License-Identifier: Apache-2.0 */
/* Inside api: the limit of <tarn/quantize.h> as quant's accuracy control. One thread. */
#ifndef TARN_API_CONTROL_H
#define TARN_API_CONTROL_H

#include "api/feed.h"

typedef struct tarn_api_control {
	tarn_quant_control c;
	const tarn_quantize_control *o;
	struct ov_core *core;
	size_t samples; /* of the calibration: labels are spread over them */
} tarn_api_control;

/* *x must live as long as qo. TARN_USAGE for labels that do not fit the samples. */
TARN_MUST tarn_err tarn_api_control_init(tarn_api_control *x, struct ov_core *core, const tarn_quantize_control *o,
					 tarn_quant_options *qo);
/* The steps for the report's reader. */
TARN_MUST tarn_err tarn_api_control_out(const tarn_quant_report *r, tarn_quantize_report *out);
void tarn_api_control_free(tarn_quantize_report *out);

#endif
