/* SPDX-License-Identifier: Apache-2.0 */
/* What GEMM, convolution and depthwise convolution do to a result before it is stored. */
#ifndef TARN_KERN_EPILOGUE_H
#define TARN_KERN_EPILOGUE_H

#include <stdbool.h>

#include "kern/eltwise.h"

/*
 * out = act(acc + bias + residual), or act(acc + bias) + residual with residual_after. The bias is packed with the weights, the
 * residual pointer comes with each run (NULL = none) and has the output's shape with a row stride of its own.
 * A zeroed struct is: no activation. Activations beyond relu and clamp cost a second pass over the tile while it is in cache.
 */
typedef struct tarn_epilogue {
	tarn_unary act;      /* TARN_UNARY_IDENTITY = none */
	float alpha, beta;   /* parameters of act, see tarn_unary */
	bool residual_after; /* add the residual after the activation */
} tarn_epilogue;

#endif
