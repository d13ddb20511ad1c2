/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "fmt/fmt.h"
#include "fmt/onnx/onnx.h"
#include "ir/dump.h"
#include "ops/ops.h"
#include "pass/pass.h"

enum { MAX_IO = 64 };

/* ONNX's own runner: numpy's assert_allclose(rtol=1e-3, atol=1e-7); everything but floats exactly. */
static bool near(double got, double want)
{
	if (isnan(want) || isnan(got))
		return isnan(want) && isnan(got);
	if (isinf(want) || isinf(got))
		return got == want;
	return fabs(got - want) <= 1e-7 + 1e-3 * fabs(want);
}

/* The tensor files hold bfloat16 as the 16-bit integers of its bits, for want of a numpy type. */
static void as_bf16(tarn_tensor *t, tarn_dtype wanted)
{
	if (wanted == TARN_BF16 && t->type == TARN_U16)
		t->type = TARN_BF16;
}

static tarn_err compare(const tarn_tensor *got, const tarn_tensor *want, const char *name)
{
	CHECK(got->type == want->type, TARN_TYPE, "output '%s' is %s, expected %s", name, tarn_dtype_info(got->type)->word,
	      tarn_dtype_info(want->type)->word);
	bool same = got->rank == want->rank;
	for (int i = 0; same && i < got->rank; i++)
		same = got->dim[i] == want->dim[i];
	if (!same) {
		tarn_str s = {0};
		tarn_symtab none = {0};
		tarn_shape a = tarn_tensor_shape(got), b = tarn_tensor_shape(want);
		tarn_shape_print(&s, &none, &a);
		tarn_str_add(&s, ", expected ");
		tarn_shape_print(&s, &none, &b);
		tarn_err err = tarn_err_set(TARN_SHAPE, "output '%s' is %s", name, s.at ? s.at : "");
		tarn_str_fini(&s);
		return err;
	}
	for (int64_t i = 0; i < tarn_tensor_count(got); i++) {
		if (got->type == TARN_STRING) {
			const char *a = ((const char **)got->data)[i], *b = ((const char **)want->data)[i];
			CHECK(a && strcmp(a, b) == 0, TARN_LIMIT, "output '%s'[%lld] is '%s', expected '%s'", name,
			      (long long)i, a ? a : "", b);
		} else if (tarn_dtype_is_float(got->type)) {
			double a = tarn_tensor_f64(got, i), b = tarn_tensor_f64(want, i);
			CHECK(near(a, b), TARN_LIMIT, "output '%s'[%lld] is %.9g, expected %.9g", name, (long long)i, a, b);
		} else {
			int64_t a = tarn_tensor_i64(got, i), b = tarn_tensor_i64(want, i);
			CHECK(a == b, TARN_LIMIT, "output '%s'[%lld] is %lld, expected %lld", name, (long long)i, (long long)a,
			      (long long)b);
		}
	}
	return TARN_OK;
}

/* A tensor file. */
static tarn_err load(const char *path, tarn_tensor *t)
{
	tarn_file_map map;
	TRY(tarn_file_map_open(path, &map));
	tarn_err err = tarn_onnx_read_tensor(map.at, map.size, t);
	tarn_file_map_close(&map);
	return tarn_err_note(err, "in '%s'", path);
}

static tarn_err load_all(const char *set, const char *word, size_t n, tarn_tensor *t)
{
	CHECK(n <= MAX_IO, TARN_LIMIT, "more than %d tensors", MAX_IO);
	for (size_t i = 0; i < n; i++) {
		char path[1024];
		snprintf(path, sizeof path, "%s/%s_%zu.pb", set, word, i);
		TRY(load(path, &t[i]));
	}
	return TARN_OK;
}

static tarn_err run_set(const tarn_model *m, const char *set)
{
	const tarn_graph *g = m->main;
	tarn_tensor in[MAX_IO] = {0}, want[MAX_IO] = {0}, got[MAX_IO] = {0};
	const tarn_tensor *ptr[MAX_IO];
	tarn_err err;
	TRY_GOTO(out, load_all(set, "input", g->input.len, in));
	TRY_GOTO(out, load_all(set, "output", g->output.len, want));
	for (size_t i = 0; i < g->input.len; i++) {
		as_bf16(&in[i], g->input.at[i]->type);
		ptr[i] = &in[i];
	}
	TRY_GOTO(out, tarn_graph_eval(g, ptr, got, NULL, NULL));
	for (size_t i = 0; i < g->output.len; i++) {
		as_bf16(&want[i], got[i].type);
		TRY_GOTO(out, compare(&got[i], &want[i], g->output.at[i]->name));
	}
out:
	for (int i = 0; i < MAX_IO; i++) {
		tarn_tensor_fini(&in[i]);
		tarn_tensor_fini(&want[i]);
		tarn_tensor_fini(&got[i]);
	}
	return err;
}

/* Written to a temporary file and read again. */
static tarn_err rewrite(tarn_model **m)
{
	char path[64];
	snprintf(path, sizeof path, "/tmp/tarn-backend-%ld.onnx", (long)getpid());
	TRY(tarn_model_write(*m, path));
	tarn_model *again;
	tarn_err err = tarn_model_read(path, NULL, &again);
	remove(path);
	TRY(err);
	tarn_model_unref(*m);
	*m = again;
	return TARN_OK;
}

static tarn_err open_model(const char *path, case_mode mode, tarn_model **m)
{
	TRY(tarn_model_read(path, NULL, m));
	tarn_err err = mode == CASE_PASS ? tarn_pass_standard(*m) : mode == CASE_WRITE ? rewrite(m) : TARN_OK;
	if (err != TARN_OK)
		tarn_model_unref(*m);
	return err;
}

tarn_err case_run(const char *folder, case_mode mode)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/model.onnx", folder);
	tarn_model *m;
	TRY(open_model(path, mode, &m));
	tarn_err err = TARN_OK;
	int sets = 0;
	for (int i = 0; err == TARN_OK && i < 100; i++) {
		snprintf(path, sizeof path, "%s/test_data_set_%d", folder, i);
		if (!tarn_file_is_dir(path))
			break;
		err = run_set(m, path);
		sets++;
	}
	if (err == TARN_OK && !sets)
		err = tarn_err_set(TARN_NOT_FOUND, "no test_data_set_0 in '%s'", folder);
	tarn_model_unref(m);
	return err;
}

static bool varint(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
	*v = 0;
	for (int shift = 0; *p < end && shift < 64; shift += 7) {
		*v |= (uint64_t)(**p & 0x7f) << shift;
		if (!(*(*p)++ & 0x80))
			return true;
	}
	return false;
}

/* The next field of a protobuf message: its number, and its value or its bytes. */
static bool field(const uint8_t **p, const uint8_t *end, int *number, uint64_t *value, const uint8_t **bytes)
{
	uint64_t key;
	*bytes = NULL;
	if (*p >= end || !varint(p, end, &key))
		return false;
	*number = (int)(key >> 3);
	if ((key & 7) == 0)
		return varint(p, end, value);
	if ((key & 7) != 2 || !varint(p, end, value) || *value > (uint64_t)(end - *p))
		return false;
	*bytes = *p;
	*p += *value;
	return true;
}

int case_opset(const char *folder)
{
	char path[1024];
	tarn_file_map map;
	int number, opset = 0;
	uint64_t n, version = 0;
	const uint8_t *set, *text;
	snprintf(path, sizeof path, "%s/model.onnx", folder);
	if (tarn_file_map_open(path, &map) != TARN_OK)
		return 0;
	/* ModelProto.opset_import = 8: OperatorSetIdProto { domain = 1, version = 2 } */
	for (const uint8_t *p = map.at, *end = map.at + map.size; field(&p, end, &number, &n, &set);) {
		if (number != 8 || !set)
			continue;
		bool standard = true;
		for (const uint8_t *q = set, *last = set + n; field(&q, last, &number, &version, &text);)
			if (number == 1 && text)
				standard = version == 0;
			else if (number == 2 && standard)
				opset = (int)version;
	}
	tarn_file_map_close(&map);
	return opset;
}

tarn_err case_dump(const char *path, case_mode mode)
{
	tarn_model *m;
	TRY(open_model(path, mode, &m));
	tarn_str s = {0};
	tarn_graph_dump(m->main, &s);
	tarn_err err = tarn_str_done(&s);
	if (err == TARN_OK)
		fputs(s.at, stdout);
	tarn_str_fini(&s);
	tarn_model_unref(m);
	return err;
}
