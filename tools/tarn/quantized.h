/* SPDX-License-Identifier: Apache-2.0 */
/* What the options say of calibration and repairs, and what is reported of an INT8 model beside counts: its layers, what the
 * layers left in float cost, and the data it was calibrated on. */
#ifndef TARN_TOOL_QUANTIZED_H
#define TARN_TOOL_QUANTIZED_H

#include "say.h"
#include "session.h"
#include "tarn/quantize.h"

/* Fills estimator, equalize, strength, bias, round, subset and seed of *q. 0, or exit code 2 after its message. */
int quantized_options(const session *s, tarn_quantize_options *q);

/* Modelled NPU time of each node in report->reason, in ms, for one sample (the model is given that size); NAN: not known, or
 * part of another layer. */
typedef struct quantized_costs {
	double *ms; /* n_reason of them; NULL: no model of time at hand */
	double total, model, band;
} quantized_costs;
void quantized_costs_init(const session *s, ov_model_t *q, const tarn_quantize_report *r, quantized_costs *c);
void quantized_costs_fini(quantized_costs *c);

/* Samples by class, as --labels say. */
typedef struct quantized_classes {
	bool known;
	size_t classes, fewest, most; /* classes that occur; samples of the rarest and of the most common of them */
	size_t of_model, missing;     /* classes the labels could name; how many of them do not occur. 0: not known */
	int64_t absent[16];           /* the first of the missing, as labels name them */
} quantized_classes;
int quantized_classes_read(const session *s, quantized_classes *c);

/* Its name, of one that a range can be from; else NULL. */
const char *quantized_estimator(tarn_quantize_estimator e);
void quantized_text(const tarn_quantize_report *r, const quantized_costs *c, const quantized_classes *k);
void quantized_json(json *j, const tarn_quantize_report *r, const quantized_costs *c, const quantized_classes *k);

#endif
