/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the axes of a tensor mean: "NCHW", "[N,C,H,W]", "N...C", "[batch,?,width]".
 */
#ifndef OPENVINO_C_OV_LAYOUT_H
#define OPENVINO_C_OV_LAYOUT_H

#include "openvino/c/ov_common.h"

typedef struct ov_layout ov_layout_t;

/* Letters, or words in brackets; ? is any axis, ... any number of axes. Case does not matter. */
OPENVINO_C_API(ov_status_e)
ov_layout_create(const char *layout_desc, ov_layout_t **layout);

OPENVINO_C_API(void)
ov_layout_free(ov_layout_t *layout);

/* "[N,C,H,W]"; for ov_free. */
OPENVINO_C_API(const char *)
ov_layout_to_string(const ov_layout_t *layout);

#endif
