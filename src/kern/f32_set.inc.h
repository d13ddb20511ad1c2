/* SPDX-License-Identifier: Apache-2.0 */
/* Every f32 kernel, compiled for the level of the file that includes this, and the table of them. */
#include "kern/eltwise_body.inc.h"
#include "kern/rows_body.inc.h"
#include "kern/depthwise_body.inc.h"
#include "kern/pool2d_body.inc.h"
#include "kern/winograd_body.inc.h"

/* clang-format off */
#define F32_SET \
	{ \
		.unary = unary, \
		.binary_vv = binary_vv, \
		.binary_vs = binary_vs, \
		.softmax_row = softmax_row, \
		.softmax_cols = softmax_cols, \
		.layernorm_row = layernorm_row, \
		.reduce_row = reduce_row, \
		.reduce_cols = reduce_cols, \
		.pool_row = pool_row, \
		.depthwise_row = depthwise_row, \
		.winograd_in = winograd_in, \
		.winograd_out = winograd_out, \
	}
/* clang-format on */
