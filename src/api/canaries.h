/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the API: whether what was compiled computes what the CPU does, on the samples stored in the model. */
#ifndef TARN_API_CANARIES_H
#define TARN_API_CANARIES_H

#include "api/handles.h"

/* Runs m's samples on p and where it is to be compared with; what differs, and samples that are damaged, are notes of p. */
TARN_MUST tarn_err tarn_api_canaries(struct ov_core *core, const tarn_model *m, const tarn_props *props, tarn_program *p);

#endif
