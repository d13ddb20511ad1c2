/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "fmt/data/files.h"

/* Where the samples are found by name (images) or row (arrays), and which have their label. */
typedef struct wanted {
	const tarn_dataset *d;
	size_t n;
	size_t first_row;
	tarn_map by_file;
	bool *seen;
	int64_t *label;
} wanted;

static tarn_err wanted_init(wanted *w, const tarn_dataset *d, int64_t *label)
{
	*w = (wanted){.d = d, .n = tarn_dataset_count(d), .label = label};
	w->first_row = tarn_dataset_row(d, 0);
	w->seen = tarn_mem_zalloc(w->n, sizeof *w->seen);
	if (!w->seen)
		return tarn_err_nomem(w->n);
	if (tarn_dataset_file(d, 0))
		for (size_t i = 0; i < w->n; i++)
			TRY(tarn_map_put(&w->by_file, tarn_dataset_file(d, i), w->seen + i));
	return TARN_OK;
}

static void wanted_fini(wanted *w)
{
	tarn_map_fini(&w->by_file);
	tarn_mem_free(w->seen);
}

/* Index of the sample that the first column names; false when it names none of them. */
static tarn_err find_sample(const wanted *w, const tarn_csv *c, size_t *i, bool *found)
{
	const char *key = c->field.at[0];
	if (tarn_dataset_file(w->d, 0)) {
		const char *slash = strrchr(key, '/');
		const bool *at = tarn_map_find(&w->by_file, slash ? slash + 1 : key);
		*found = at != NULL;
		*i = at ? (size_t)(at - w->seen) : 0;
		return TARN_OK;
	}
	int64_t row;
	CHECK(tarn_str_to_i64(key, &row) && row >= 0, TARN_BAD_FILE, "line %d, column 1: '%s' is not a row number", c->line,
	      key);
	*found = (uint64_t)row >= w->first_row && (uint64_t)row - w->first_row < w->n;
	*i = (size_t)row - w->first_row;
	return TARN_OK;
}

static tarn_err find_column(const tarn_csv *c, const char *column, size_t *index)
{
	int64_t number;
	CHECK(c->field.len >= 2, TARN_BAD_FILE, "line 1: a header of at least two columns is needed (file or row, class)");
	CHECK(!tarn_str_to_i64(c->field.at[1], &number), TARN_BAD_FILE, "line 1 looks like data; a header line is needed");
	*index = 1;
	if (!column)
		return TARN_OK;
	for (size_t i = 1; i < c->field.len; i++)
		if (!strcmp(c->field.at[i], column)) {
			*index = i;
			return TARN_OK;
		}
	return tarn_err_set(TARN_BAD_FILE, "no column '%s'; the second is '%s'", column, c->field.at[1]);
}

static tarn_err read_lines(tarn_csv *c, const char *column, wanted *w)
{
	bool more, found = false;
	size_t at, i = 0;
	/* A byte-order mark is no part of the first name. */
	if (c->end - c->at >= 3 && !memcmp(c->at, "\xef\xbb\xbf", 3))
		c->at += 3;
	TRY(tarn_csv_next(c, &more));
	CHECK(more, TARN_BAD_FILE, "the file is empty");
	TRY(find_column(c, column, &at));
	for (;;) {
		TRY(tarn_csv_next(c, &more));
		if (!more)
			return TARN_OK;
		TRY(find_sample(w, c, &i, &found));
		if (!found)
			continue;
		int64_t label;
		CHECK(c->field.len > at, TARN_BAD_FILE, "line %d has %zu columns; the class is in column %zu", c->line,
		      c->field.len, at + 1);
		CHECK(tarn_str_to_i64(c->field.at[at], &label) && label >= 0, TARN_BAD_FILE,
		      "line %d, column %zu: '%s' is no class index", c->line, at + 1, c->field.at[at]);
		CHECK(!w->seen[i], TARN_BAD_FILE, "line %d: a second label for '%s'", c->line, c->field.at[0]);
		w->seen[i] = true;
		w->label[i] = label;
	}
}

static tarn_err read_csv(const char *path, const char *column, const tarn_dataset *d, int64_t *label)
{
	tarn_file_map map;
	wanted w = {0};
	TRY(tarn_file_map_open(path, &map));
	tarn_csv c = {.at = (const char *)map.at, .end = (const char *)map.at + map.size};
	tarn_err err;
	TRY_GOTO(out, wanted_init(&w, d, label));
	TRY_GOTO(out, read_lines(&c, column, &w));
	for (size_t i = 0; i < w.n; i++) {
		if (w.seen[i])
			continue;
		tarn_str name = {0};
		tarn_dataset_name(d, i, &name);
		err = tarn_str_done(&name);
		if (err == TARN_OK)
			err = tarn_err_set(TARN_BAD_FILE, "no label for %s", name.at);
		tarn_str_fini(&name);
		break;
	}
out:
	wanted_fini(&w);
	tarn_csv_fini(&c);
	tarn_file_map_close(&map);
	return tarn_err_note(err, "in '%s'", path);
}

static tarn_err read_array(const char *path, const tarn_dataset *d, int64_t *label)
{
	tarn_tensor t;
	TRY(tarn_array_read(path, &t));
	tarn_err err = TARN_OK;
	int64_t first = (int64_t)tarn_dataset_row(d, 0), n = (int64_t)tarn_dataset_count(d), have = tarn_tensor_count(&t);
	CHECK_GOTO(out, tarn_dtype_is_int(t.type), TARN_TYPE, "%s: labels are %s; integers are needed", path,
		   tarn_dtype_info(t.type)->word);
	CHECK_GOTO(out, t.rank >= 1 && have == t.dim[0], TARN_SHAPE, "%s: labels have more than one axis", path);
	CHECK_GOTO(out, have >= first + n, TARN_SHAPE, "%s: %lld labels for %lld samples", path, (long long)have,
		   (long long)(first + n));
	for (int64_t i = 0; i < n; i++) {
		label[i] = tarn_tensor_i64(&t, first + i);
		CHECK_GOTO(out, label[i] >= 0, TARN_BAD_FILE, "%s: row %lld: %lld is no class index", path,
			   (long long)(first + i), (long long)label[i]);
	}
out:
	tarn_tensor_fini(&t);
	return err;
}

tarn_err tarn_labels_read(const char *path, const char *column, const tarn_dataset *d, int64_t *label)
{
	if (tarn_str_ends_with(path, ".csv"))
		return read_csv(path, column, d, label);
	CHECK(!column, TARN_USAGE, "%s is not a csv file and has no columns", path);
	return read_array(path, d, label);
}
