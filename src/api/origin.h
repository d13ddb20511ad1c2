/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The origin of a bounded model in its file, so that a device that runs any size skips the padding there, too.
 *
 * Metadata `tarn.origin` (of ONNX, and of the IR's rt_info) holds the model with its free dimensions, as ONNX in base64;
 * weights that both models have stand there as further inputs, named by their content. Reading trusts nothing of it: the origin
 * is bounded anew, and counts only when that gives the graph of the file. A file that was edited since, or made to mislead,
 * runs as its graph says, with its repairs.
 */
#ifndef TARN_API_ORIGIN_H
#define TARN_API_ORIGIN_H

#include "ir/graph.h"

bool tarn_origin_stored(const tarn_model *m);
/* Adds the metadata when the model still computes what its origin does, and takes away what no longer fits. */
TARN_MUST tarn_err tarn_origin_put(tarn_model *m);
/* After reading: sets the origin when there is one that proves right. Only running out of memory is an error. */
TARN_MUST tarn_err tarn_origin_get(tarn_model *m);

#endif
