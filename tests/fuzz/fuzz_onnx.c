/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes -> model; a model that reads is written, and must read again as the same graph; the passes must leave it valid. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fmt/onnx/onnx.h"
#include "ir/dump.h"
#include "ir/verify.h"
#include "pass/pass.h"

enum { SMALL = 1 << 20, FEW_NODES = 200 };

static tarn_err read_bytes(const uint8_t *data, size_t size, tarn_model **m)
{
	tarn_buffer *b;
	TRY(tarn_buffer_wrap((void *)(uintptr_t)data, size, NULL, NULL, &b));
	tarn_err err = tarn_format_onnx.read(b, NULL, NULL, m);
	tarn_buffer_unref(b);
	return err;
}

static void check(bool fine, const char *what, const char *a, const char *b)
{
	if (fine)
		return;
	fprintf(stderr, "%s\n%s\n%s\n%s\n", what, a, b, tarn_err_text());
	abort();
}

/* Written and read; NULL where it has no form (4-bit constants, operators newer than the written opset). */
static tarn_model *rewritten(const tarn_model *m)
{
	tarn_buffer *bytes = NULL;
	tarn_model *again = NULL;
	if (tarn_onnx_pack(m, &bytes) != TARN_OK)
		return NULL;
	check(read_bytes(bytes->at, bytes->size, &again) == TARN_OK, "what was written does not read", "", "");
	tarn_buffer_unref(bytes);
	return again;
}

/* The first trip may replace old forms by what they mean; from then on nothing changes. */
static void round_trip(const tarn_model *m)
{
	tarn_model *first = rewritten(m), *second = first ? rewritten(first) : NULL;
	if (second) {
		tarn_str a = {0}, b = {0};
		tarn_graph_dump(first->main, &a);
		tarn_graph_dump(second->main, &b);
		check(a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len)), "what was written reads differently", a.at,
		      b.at);
		tarn_str_fini(&a);
		tarn_str_fini(&b);
	}
	tarn_model_unref(first);
	tarn_model_unref(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tarn_model *m;
	if (size > SMALL || read_bytes(data, size, &m) != TARN_OK)
		return 0;
	if (m->main->node.len <= FEW_NODES) {
		round_trip(m);
		if (tarn_pass_standard(m) == TARN_OK)
			check(tarn_graph_verify(m->main) == TARN_OK, "the passes left a bad graph", "", "");
	}
	tarn_model_unref(m);
	return 0;
}
