/* SPDX-License-Identifier: Apache-2.0 */
/* What the options say of training, and what came of it. */
#ifndef TARN_TOOL_TRAINING_H
#define TARN_TOOL_TRAINING_H

#include "say.h"
#include "session.h"
#include "tarn/quantize.h"

/* Fills *t; labels are read for the samples of data and stay allocated in t->labels (free it). 0, or an exit code after its
 * message. */
int training_read(const session *s, const tarn_dataset_t *data, tarn_training_options *t);
/* The class of each sample of data as --labels, --label-column and --class-offset say; *labels stays allocated (free it) also
 * after a failure. */
int labels_read(const session *s, const tarn_dataset_t *data, const int64_t **labels, size_t *n_labels);
/* Options of training that stand there without any: exit code 2, or 0. */
int training_none(const session *s);
void training_text(const tarn_training_report *r);
void training_json(json *j, const tarn_training_report *r);

#endif
