/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenVINO IR, version 10 and 11: an XML file with the topology and a .bin with the constants. Writing makes version 11.
 *
 * Reading is literal: one layer, one node (a few layers become several), so that writing the model back gives the same layers,
 * versions, attributes, ports and names (rt_info apart). Large constants stay where they are in `bin`, which the model keeps.
 * tarn_pass_raise turns the integer form of quantization into QuantizeLinear and DequantizeLinear; the reader does not.
 * Any thread, one model per thread at a time.
 */
#ifndef TARN_FMT_OVIR_OVIR_H
#define TARN_FMT_OVIR_OVIR_H

#include "fmt/fmt.h"

/* `xml` may carry one trailing NUL; `bin` may be NULL when the model has no constants. */
TARN_MUST tarn_err tarn_ovir_read_memory(tarn_buffer *xml, tarn_buffer *bin, tarn_model **m);
/* Both texts are appended to; `bin` holds bytes. TARN_UNSUPPORTED names the first node that has no form in the IR. */
TARN_MUST tarn_err tarn_ovir_write_memory(const tarn_model *m, tarn_str *xml, tarn_str *bin);
/* Files: PATH.xml and the .bin beside it; each is written beside its name and renamed, the .bin first. */
TARN_MUST tarn_err tarn_ovir_write(const tarn_model *m, const char *path);
/* Do these bytes begin like an IR's XML? */
bool tarn_ovir_probe(const uint8_t *at, size_t n);

extern const tarn_model_format tarn_format_ovir;

#endif
