/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models of well-known topologies with random weights, for measurements without anybody's training. The same name and seed give
 * the same model everywhere. Handles, status codes and rules are those of the C API.
 */
#ifndef TARN_SYNTH_H
#define TARN_SYNTH_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_model.h"

/* The names there are, separated by ", "; static text. */
OPENVINO_C_API(const char *)
tarn_get_synthetic_names(void);

/* Shapes are static, batch 1. int8: Quantize/Dequantize pairs on activations (u8), weights (s8 by channel) and biases (s32).
 * NOT_FOUND lists the names. tarn_save_model writes it. */
OPENVINO_C_API(ov_status_e)
tarn_make_model(const char *name, bool int8, uint64_t seed, ov_model_t **model);

#endif
