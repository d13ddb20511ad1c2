/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the library's notes go.
 */
#ifndef OPENVINO_C_OV_UTIL_H
#define OPENVINO_C_OV_UTIL_H

#include "openvino/c/ov_common.h"

/* Back to stderr. */
OPENVINO_C_API(void)
ov_util_reset_log_callback(void);

/* Receives each line, from any thread; TARN_LOG in the environment sets the level. */
OPENVINO_C_API(void)
ov_util_set_log_callback(void (*f)(const char *));

#endif
