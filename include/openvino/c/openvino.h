/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenVINO's C API, as this library offers it: names, numbers and meaning of the 2026 releases, own implementation.
 * What the API lacks is in <tarn/...>.
 */
#ifndef OPENVINO_C_OPENVINO_H
#define OPENVINO_C_OPENVINO_H

/* Windows headers claim the word; programs write BOOLEAN and get the element type. */
#define BOOLEAN OV_BOOLEAN

#include "openvino/c/auto/properties.h"
#include "openvino/c/deprecated.h"
#include "openvino/c/ov_common.h"
#include "openvino/c/ov_compiled_model.h"
#include "openvino/c/ov_core.h"
#include "openvino/c/ov_dimension.h"
#include "openvino/c/ov_infer_request.h"
#include "openvino/c/ov_layout.h"
#include "openvino/c/ov_model.h"
#include "openvino/c/ov_node.h"
#include "openvino/c/ov_partial_shape.h"
#include "openvino/c/ov_prepostprocess.h"
#include "openvino/c/ov_property.h"
#include "openvino/c/ov_rank.h"
#include "openvino/c/ov_remote_context.h"
#include "openvino/c/ov_shape.h"
#include "openvino/c/ov_tensor.h"
#include "openvino/c/ov_util.h"

#endif
