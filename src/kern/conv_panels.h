/* SPDX-License-Identifier: Apache-2.0 */
/* Packed weights of a convolution, one product of [taps * ic / groups][oc / groups] for each group. Owned by who made them. */
#ifndef TARN_KERN_CONV_PANELS_H
#define TARN_KERN_CONV_PANELS_H

#include "kern/conv.h"
#include "kern/panel.h"

/* From what _save appended, or (from NULL) empty. */
TARN_MUST tarn_err tarn_conv_panels_new(const tarn_conv_spec *spec, tarn_store *from, tarn_panels **group);
/* Weights whose element (o, i, tap) of a group stands at o * out_step + i * in_step + tap. bias: [oc] or NULL. */
TARN_MUST tarn_err tarn_conv_panels_fill(const tarn_conv_spec *spec, const float *weights, size_t out_step, size_t in_step,
					 const float *bias, tarn_panels *group);
void tarn_conv_panels_save(const tarn_conv_spec *spec, const tarn_panels *group, tarn_str *out);
void tarn_conv_panels_free(const tarn_conv_spec *spec, tarn_panels *group);

#endif
