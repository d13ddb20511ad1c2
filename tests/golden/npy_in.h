/* SPDX-License-Identifier: Apache-2.0 */
/* npy version 1 and 2, little-endian, C order: just enough for goldens, and independent of the library's own reader. */
#ifndef TARN_TESTS_NPY_IN_H
#define TARN_TESTS_NPY_IN_H

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ir/tensor.h"

static inline tarn_err npy_parse(const tarn_file_map *m, tarn_tensor *t)
{
	CHECK(m->size > 12 && !memcmp(m->at, "\x93NUMPY", 6), TARN_BAD_FILE, "not npy");
	size_t at = m->at[6] == 1 ? 10 : 12, len = m->at[8] | (size_t)m->at[9] << 8;
	char head[1024], descr[16] = "";
	CHECK(len < sizeof head && at + len <= m->size, TARN_BAD_FILE, "npy header");
	memcpy(head, m->at + at, len);
	head[len] = 0;
	const char *d = strstr(head, "'descr'"), *s = strstr(head, "'shape'"), *q = d ? strchr(d + 7, '\'') : NULL;
	CHECK(q && s && strstr(head, "False"), TARN_BAD_FILE, "npy header");
	for (int i = 0; i < 15 && q[1 + i] && q[1 + i] != '\''; i++)
		descr[i] = q[1 + i];
	tarn_dtype type = tarn_dtype_of_npy(descr);
	CHECK(type != TARN_DTYPE_NONE, TARN_BAD_FILE, "npy type %s", descr);
	int64_t dim[TARN_MAX_RANK];
	int rank = 0;
	char *p = strchr((char *)(uintptr_t)s, '(');
	for (p = p ? p + 1 : NULL; p && *p && *p != ')' && rank < TARN_MAX_RANK;) {
		if (*p >= '0' && *p <= '9')
			dim[rank++] = strtoll(p, &p, 10);
		else
			p++;
	}
	TRY(tarn_tensor_new(type, rank, dim, t));
	CHECK(at + len + tarn_tensor_bytes(t) == m->size, TARN_BAD_FILE, "npy size");
	memcpy(t->data, m->at + at + len, tarn_tensor_bytes(t));
	return TARN_OK;
}

static inline tarn_err npy_in(const char *path, tarn_tensor *t)
{
	tarn_file_map m;
	TRY(tarn_file_map_open(path, &m));
	tarn_err err = npy_parse(&m, t);
	tarn_file_map_close(&m);
	return tarn_err_note(err, "in '%s'", path);
}

#endif
