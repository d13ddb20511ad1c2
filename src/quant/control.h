/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accuracy control: restores layers of a quantized model to float until what it loses is within a limit.
 *
 * Layers are tried one by one on the samples that quantization hurt most; they are ranked by the error that restoring each one
 * takes away, for what it costs: its share of the multiply-accumulates, plus a fixed part for leaving INT8 and coming back.
 * Then they are restored in that order, one step undone where it did not help, until the limit holds on all samples; if it
 * does not, those left follow without undoing; at last each of them is tried in INT8 again. One thread; works on a plan that is
 * ready to be written.
 */
#ifndef TARN_QUANT_CONTROL_H
#define TARN_QUANT_CONTROL_H

#include "quant/plan.h"

/* plain: the float model whose outputs count (p->m may be another form of it). Fills r->control, r's counts and reasons; *out
 * is the model within the limit or, when none is (r->control.met says so), the one that loses least of those with something in
 * INT8. */
TARN_MUST tarn_err tarn_quant_control_run(quant_plan *p, const tarn_model *plain, const tarn_quant_options *o,
					  const tarn_quant_control *c, tarn_quant_report *r, tarn_model **out);
/* Constants of a trained model take the place of those in q that have the same name, type and size: the codes, scales and zero
 * points of what is in INT8 in both. */
TARN_MUST tarn_err tarn_quant_take_trained(const tarn_model *trained, tarn_model *q);

#endif
