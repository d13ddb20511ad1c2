/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comma-separated values as spreadsheets write them: quotes, doubled quotes, CRLF, a byte-order mark. Cells are looked up by
 * the name in the header line. Owns a copy of the file; freed with csv_close. Not thread-safe.
 */
#ifndef TARN_TOOLS_CSV_H
#define TARN_TOOLS_CSV_H

#include <stddef.h>

#include "base/err.h"

typedef struct csv {
	char *text;        /* the file, cells NUL-terminated in place */
	const char **cell; /* row after row, n_cols each; "" where a row is short */
	size_t n_rows, n_cols;
	size_t *line; /* of each row, the header's first */
	const char *path;
} csv;

/* TARN_BAD_FILE: unreadable, empty, a row longer than the header, an unclosed quote, a NUL byte. */
TARN_MUST tarn_err csv_open(const char *path, csv *c);
void csv_close(csv *c);
/* The column of that name, or -1. */
int csv_find(const csv *c, const char *name);
/* Data row `row` from 0; col -1 gives "". */
const char *csv_cell(const csv *c, size_t row, int col);

#endif
