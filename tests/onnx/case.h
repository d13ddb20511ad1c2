/* SPDX-License-Identifier: Apache-2.0 */
/* One case of ONNX's backend tests: a folder with model.onnx and test_data_set_N/{input,output}_K.pb. */
#ifndef TARN_TESTS_ONNX_CASE_H
#define TARN_TESTS_ONNX_CASE_H

#include "base/err.h"

typedef enum case_mode {
	CASE_EVAL, /* as read */
	CASE_PASS, /* after the standard passes */
	CASE_WRITE /* written, read again */
} case_mode;

/* Reads, runs on the reference, compares; the sentence says what differs. TARN_LIMIT: a value is off. */
TARN_MUST tarn_err case_run(const char *folder, case_mode mode);
/* The standard opset a case's model asks for; 0 when the file does not say. */
int case_opset(const char *folder);
/* Prints the graph of a model file. */
TARN_MUST tarn_err case_dump(const char *path, case_mode mode);

#endif
