/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define FORMAT "tarn.settings"

/* The numbers of a row: key, place, least. All are at most TARN_SETTINGS_MOST. */
static const struct {
	const char *key;
	size_t at;
	int least;
} numbers[] = {
	{"nireq", offsetof(tarn_settings_row, requests), 1},
	{"nstreams", offsetof(tarn_settings_row, streams), 0},
	{"workers", offsetof(tarn_settings_row, workers), 0},
	{"batch", offsetof(tarn_settings_row, batch), 1},
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

static int *number_at(tarn_settings_row *r, int i)
{
	return (int *)(void *)((char *)r + numbers[i].at);
}

static tarn_err check(const tarn_settings_row *r, tarn_err code)
{
	for (int i = 0; i < N_NUMBERS; i++) {
		int v = *number_at((tarn_settings_row *)(uintptr_t)r, i);
		CHECK(v >= numbers[i].least && v <= TARN_SETTINGS_MOST, code, "%s for device '%s' is %d; %d to %d can be set",
		      numbers[i].key, r->device, v, numbers[i].least, TARN_SETTINGS_MOST);
	}
	return TARN_OK;
}

static tarn_err parse_row(const tarn_json *j, tarn_settings_row *r)
{
	const char *device = tarn_json_text(tarn_json_get(j, "device"));
	*r = (tarn_settings_row){.batch = 1};
	CHECK(device && *device && strlen(device) < sizeof r->device, TARN_BAD_FILE, "a row has no \"device\"");
	snprintf(r->device, sizeof r->device, "%s", device);
	for (int i = 0; i < N_NUMBERS; i++) {
		int64_t v;
		CHECK(tarn_json_i64(tarn_json_get(j, numbers[i].key), &v) && v >= 0 && v <= TARN_SETTINGS_MOST, TARN_BAD_FILE,
		      "\"%s\" for device '%s' is no number from %d to %d", numbers[i].key, device, numbers[i].least,
		      TARN_SETTINGS_MOST);
		*number_at(r, i) = (int)v;
	}
	return check(r, TARN_BAD_FILE);
}

static tarn_err parse_all(const tarn_json *doc, tarn_settings_file *f)
{
	const char *format = tarn_json_text(tarn_json_get(doc, "format"));
	const tarn_json *rows = tarn_json_get(doc, "devices");
	size_t n = tarn_json_len(rows);
	CHECK(format && !strcmp(format, FORMAT), TARN_BAD_FILE, "the text does not say \"format\": \"" FORMAT "\"");
	CHECK(n <= TARN_SETTINGS_DEVICES, TARN_BAD_FILE, "%zu devices; at most %d are read", n, TARN_SETTINGS_DEVICES);
	for (size_t i = 0; i < n; i++) {
		tarn_settings_row r;
		TRY(parse_row(tarn_json_at(rows, i), &r));
		CHECK(!tarn_settings_find(f, r.device), TARN_BAD_FILE, "device '%s' stands there twice", r.device);
		f->row[f->n++] = r;
	}
	return TARN_OK;
}

tarn_err tarn_settings_parse(const char *text, size_t n, tarn_settings_file *f)
{
	tarn_json *doc;
	*f = (tarn_settings_file){.n = 0};
	TRY(tarn_json_parse(text, n, &doc));
	tarn_err err = parse_all(doc, f);
	tarn_json_free(doc);
	return err;
}

void tarn_settings_print(const tarn_settings_file *f, tarn_str *out)
{
	tarn_str_add(out, "{\"format\": \"" FORMAT "\", \"devices\": [");
	for (int i = 0; i < f->n; i++) {
		tarn_settings_row r = f->row[i];
		tarn_str_add(out, i ? ",\n\t{\"device\": " : "\n\t{\"device\": ");
		tarn_json_quote(out, r.device);
		for (int k = 0; k < N_NUMBERS; k++)
			tarn_str_addf(out, ", \"%s\": %d", numbers[k].key, *number_at(&r, k));
		tarn_str_add(out, "}");
	}
	tarn_str_add(out, "\n]}\n");
}

tarn_err tarn_settings_put(tarn_settings_file *f, const tarn_settings_row *row)
{
	int i = 0;
	TRY(check(row, TARN_USAGE));
	while (i < f->n && strcmp(f->row[i].device, row->device) != 0)
		i++;
	CHECK(i < TARN_SETTINGS_DEVICES, TARN_LIMIT, "the settings are of %d devices already", TARN_SETTINGS_DEVICES);
	f->row[i] = *row;
	f->n += i == f->n;
	return TARN_OK;
}

const tarn_settings_row *tarn_settings_find(const tarn_settings_file *f, const char *device)
{
	for (int i = 0; i < f->n; i++)
		if (!strcmp(f->row[i].device, device))
			return &f->row[i];
	return NULL;
}
