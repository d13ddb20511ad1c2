/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy control on the command line: what --max-drop asks for, and the models on the way as a table. */
#ifndef TARN_TOOL_CONTROL_H
#define TARN_TOOL_CONTROL_H

#include "say.h"
#include "session.h"
#include "tarn/quantize.h"

/* Fills *c for the samples of data; labels stay allocated in c->label (free it). Without an NPU of its own, the machine's
 * modelled times come from the simulated one. 0, or an exit code after its message. */
int control_read(const session *s, const tarn_dataset_t *data, tarn_quantize_control *c);
/* Is there a model of the NPU's time? The simulated 4000's when the machine has no NPU and none was named. */
bool control_has_times(const session *s);
void control_text(const tarn_quantize_report *r, double max_drop);
void control_json(json *j, const tarn_quantize_report *r, double max_drop);
/* Exit code 5 and its message when the limit was not met; else 0. */
int control_verdict(const options *o, const tarn_quantize_report *r);

#endif
