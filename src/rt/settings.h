/* SPDX-License-Identifier: Apache-2.0 */
/* How to run a model on a device, as found by measuring; kept in a JSON file beside the model, one row a device. */
#ifndef TARN_RT_SETTINGS_H
#define TARN_RT_SETTINGS_H

#include "base/str.h"

enum { TARN_SETTINGS_DEVICES = 16, TARN_SETTINGS_MOST = 4096 };

typedef struct tarn_settings_row {
	char device[32];
	int requests, streams, workers, batch; /* streams, workers 0: not set */
} tarn_settings_row;

typedef struct tarn_settings_file {
	tarn_settings_row row[TARN_SETTINGS_DEVICES];
	int n;
} tarn_settings_file;

/* TARN_BAD_FILE for anything else than such a text, naming the key. */
TARN_MUST tarn_err tarn_settings_parse(const char *text, size_t n, tarn_settings_file *f);
void tarn_settings_print(const tarn_settings_file *f, tarn_str *out);
/* Replaces the device's row or adds one; TARN_LIMIT when there is no room, TARN_USAGE when a number is out of range. */
TARN_MUST tarn_err tarn_settings_put(tarn_settings_file *f, const tarn_settings_row *row);
/* NULL: none. */
const tarn_settings_row *tarn_settings_find(const tarn_settings_file *f, const char *device);

#endif
