/* SPDX-License-Identifier: Apache-2.0 */
#include "csv.h"

#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/vec.h"

#define FILE_MAX_BYTES ((size_t)64 << 20)

typedef struct scanner {
	char *at; /* next character */
	size_t line;
	const char *path;
	VEC(const char *) cells;
	VEC(size_t) lines;
	size_t rows; /* header included */
	size_t cols;
} scanner;

/* Reads one cell and ends it with NUL in place; *stop is the character that followed it: ',', '\n' or 0. */
static tarn_err read_cell(scanner *s, char **cell, char *stop)
{
	while (*s->at == ' ' || *s->at == '\t')
		s->at++;
	char *out = s->at, *end = out;
	*cell = out;
	size_t from = s->line;
	if (*s->at == '"') {
		s->at++;
		for (;; s->at++) {
			CHECK(*s->at, TARN_BAD_FILE, "%s:%zu: a quote is never closed; close it", s->path, from);
			if (*s->at == '"' && *++s->at != '"')
				break;
			s->line += *s->at == '\n';
			*end++ = *s->at;
		}
		while (*s->at == ' ' || *s->at == '\t' || *s->at == '\r')
			s->at++;
		CHECK(strchr(",\n", *s->at) != NULL, TARN_BAD_FILE, "%s:%zu: text follows a closing quote; put a comma between",
		      s->path, s->line);
	} else {
		while (*s->at && *s->at != ',' && *s->at != '\n')
			s->at++;
		end = s->at;
		while (end > out && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
			end--;
	}
	*stop = *s->at;
	if (*s->at)
		s->at++;
	*end = 0;
	return TARN_OK;
}

static tarn_err read_row(scanner *s)
{
	size_t line = s->line, n = 0;
	char stop, *cell;
	do {
		TRY(read_cell(s, &cell, &stop));
		CHECK(s->rows == 0 || n < s->cols, TARN_BAD_FILE,
		      "%s:%zu: more cells than the header's %zu; remove the extra ones", s->path, line, s->cols);
		TRY(VEC_GROW(&s->cells));
		s->cells.at[s->cells.len++] = cell;
		n++;
	} while (stop == ',');
	s->line++;
	if (n == 1 && !*cell) { /* a blank line */
		s->cells.len--;
		return TARN_OK;
	}
	if (s->rows == 0)
		s->cols = n;
	for (; n < s->cols; n++) {
		TRY(VEC_GROW(&s->cells));
		s->cells.at[s->cells.len++] = "";
	}
	TRY(VEC_GROW(&s->lines));
	s->lines.at[s->lines.len++] = line;
	s->rows++;
	return TARN_OK;
}

static tarn_err read_all(scanner *s)
{
	while (*s->at)
		TRY(read_row(s));
	CHECK(s->rows > 0, TARN_BAD_FILE, "%s: empty; the first line must name the columns", s->path);
	return TARN_OK;
}

tarn_err csv_open(const char *path, csv *c)
{
	tarn_file_map map;
	TRY(tarn_file_map_open(path, &map));
	tarn_err err = TARN_OK;
	scanner s = {.line = 1, .path = path};
	char *text = NULL;
	CHECK_GOTO(out, map.size <= FILE_MAX_BYTES, TARN_BAD_FILE, "%s: larger than 64 MiB; split it", path);
	CHECK_GOTO(out, map.size == 0 || memchr(map.at, 0, map.size) == NULL, TARN_BAD_FILE,
		   "%s: holds a NUL byte; give a text file", path);
	text = tarn_mem_alloc(map.size + 1);
	if (text == NULL) {
		err = tarn_err_nomem(map.size + 1);
		goto out;
	}
	if (map.size > 0)
		memcpy(text, map.at, map.size);
	text[map.size] = 0;
	s.at = text + (strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
	TRY_GOTO(out, read_all(&s));
	*c = (csv){.text = text, .cell = s.cells.at, .n_rows = s.rows - 1, .n_cols = s.cols, .line = s.lines.at, .path = path};
out:
	if (err != TARN_OK) {
		VEC_FINI(&s.cells);
		VEC_FINI(&s.lines);
		tarn_mem_free(text);
	}
	tarn_file_map_close(&map);
	return err;
}

void csv_close(csv *c)
{
	tarn_vec_free(c->cell);
	tarn_vec_free(c->line);
	tarn_mem_free(c->text);
	*c = (csv){0};
}

int csv_find(const csv *c, const char *name)
{
	for (size_t i = 0; i < c->n_cols; i++)
		if (strcmp(c->cell[i], name) == 0)
			return (int)i;
	return -1;
}

const char *csv_cell(const csv *c, size_t row, int col)
{
	return col < 0 ? "" : c->cell[(row + 1) * c->n_cols + (size_t)col];
}
