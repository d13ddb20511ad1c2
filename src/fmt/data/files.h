/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of this folder. */
#ifndef TARN_FMT_DATA_FILES_H
#define TARN_FMT_DATA_FILES_H

#include "fmt/data/data.h"

/* An npy or idx file, told by its first bytes. */
TARN_MUST tarn_err tarn_array_read(const char *path, tarn_tensor *t);
/* The row sample i stands in, before skipping; and its file name for images, NULL for arrays. */
size_t tarn_dataset_row(const tarn_dataset *d, size_t i);
const char *tarn_dataset_file(const tarn_dataset *d, size_t i);

/* A csv in memory: fields of one line after the other. Quotes as in RFC 4180, "" for a quote inside; lines end in \n or \r\n.
 */
typedef struct tarn_csv {
	const char *at, *end;
	int line; /* of the record read last, from 1 */
	VEC(const char *) field;
	tarn_str text; /* holds the fields */
} tarn_csv;
void tarn_csv_fini(tarn_csv *c);
/* The next record that is not an empty line into c->field; *more is false at the end. */
TARN_MUST tarn_err tarn_csv_next(tarn_csv *c, bool *more);

/* Takes o's mean off a float array and divides it by o's scale; integers stay as they are. Values for each of three channels
 * need an axis of three channels, told by the layout (NULL: by the sizes). */
TARN_MUST tarn_err tarn_data_normalize(const tarn_prep_options *o, const char *layout, tarn_tensor *t);

#endif
