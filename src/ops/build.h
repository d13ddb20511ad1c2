/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building what an operator decomposes into. Steps can be nested as expressions: the first error is kept, later steps then give
 * NULL and do nothing, and tarn_build_done reports it. New nodes stand before the decomposed one.
 */
#ifndef TARN_OPS_BUILD_H
#define TARN_OPS_BUILD_H

#include "ir/op.h"

typedef struct tarn_build {
	tarn_graph *g;
	tarn_node *at; /* the node being replaced */
	tarn_err err;
} tarn_build;

/* A constant of rank 0. */
tarn_value *tarn_build_scalar(tarn_build *b, tarn_dtype type, double v);
tarn_value *tarn_build_1(tarn_build *b, const tarn_op_def *op, tarn_value *x);
tarn_value *tarn_build_2(tarn_build *b, const tarn_op_def *op, tarn_value *x, tarn_value *y);
/* y takes the place of output 0 of the node; the node itself stays for the caller's sweep. */
TARN_MUST tarn_err tarn_build_done(tarn_build *b, tarn_value *y);

/* ---- import: the same facts as attribute or as input ---- */

/* The integers of an old form's attribute become input `input` (1-D i64 constant); nothing happens when it is absent. */
TARN_MUST tarn_err tarn_import_ints_as_input(const tarn_import *s, const char *attr, int input);
/* A constant integer input of a newer form becomes attribute `attr` of the schema (INTS), and the input and those after it are
 * dropped. TARN_UNSUPPORTED when it is not constant. */
TARN_MUST tarn_err tarn_import_input_as_ints(const tarn_import *s, int input, int attr);

#endif
