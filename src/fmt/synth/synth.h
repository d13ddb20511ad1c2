/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models of well-known topologies with random weights: the right work and memory traffic for measurements, without anybody's
 * training. The same name, seed and version give the same model on every machine. Any thread.
 */
#ifndef TARN_FMT_SYNTH_SYNTH_H
#define TARN_FMT_SYNTH_SYNTH_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/graph.h"

/* "resnet-50, mobilenet-v2, ..." */
const char *tarn_synth_names(void);
/* int8: Quantize/Dequantize pairs on activations (u8, one scale a tensor), weights (s8, one scale a channel) and biases (s32).
 * Shapes are static, batch 1. TARN_NOT_FOUND lists the names. */
TARN_MUST tarn_err tarn_synth_model(const char *name, bool int8, uint64_t seed, tarn_model **m);

#endif
