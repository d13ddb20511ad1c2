/* SPDX-License-Identifier: Apache-2.0 */
/* Results of run: npy files, and a line or a JSON object for each. */
#ifndef TARN_TOOL_OUTPUTS_H
#define TARN_TOOL_OUTPUTS_H

#include "session.h"

/* Makes the folder, and those above it. */
int outputs_folder(const char *path);
/* Writes the tensor below -o, when there is one, and says what it holds: in a list of j, or on stdout when j is NULL. */
int outputs_show(const session *s, const char *name, const ov_tensor_t *t, json *j);

#endif
