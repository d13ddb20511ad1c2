/* SPDX-License-Identifier: Apache-2.0 */
/* From options to an INT8 model: what quantize and optimize share. */
#ifndef TARN_TOOL_CALIBRATE_H
#define TARN_TOOL_CALIBRATE_H

#include "session.h"
#include "tarn/quantize.h"

/* Opens the data of --data, fills source, ignore, progress and stop, and calls use. SIGINT makes stop say so. Without --data:
 * use is called with no source when that is allowed. 0, or an exit code after its message. */
int calibrate_with(const session *s, bool data_needed,
		   ov_status_e (*use)(const session *s, tarn_quantize_options *q, void *arg), void *arg);
/* Opens the data of --data, calibrates s->model on it with progress on a terminal, and makes *quantized. SIGINT stops it. 0, or
 * an exit code after its message. The report is for tarn_free_quantize_report in any case. */
int calibrate(const session *s, ov_model_t **quantized, tarn_quantize_report *report);
/* The path in "NAME=PATH", where NAME is an input (copied to name); else the whole word, and name is empty. */
const char *calibrate_path(const session *s, const char *word, char *name, size_t size);

#endif
