/* SPDX-License-Identifier: Apache-2.0 */
/* tarn tune: its modes. Each returns 0, or an exit code after its message. */
#ifndef TARN_TOOL_TUNE_H
#define TARN_TOOL_TUNE_H

#include "session.h"

/* --lengths: the sizes to compile for. */
int tune_lengths(session *s);
/* Without it: streams, requests, workers, batch. */
int tune_pipeline(const options *o);

#endif
