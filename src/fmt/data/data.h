/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples for a model: folders of images, npy arrays whose first axis counts samples, idx files; and their class labels.
 *
 * A dataset belongs to one thread at a time; open it again for another thread. Errors name file, row and column.
 */
#ifndef TARN_FMT_DATA_DATA_H
#define TARN_FMT_DATA_DATA_H

#include "base/str.h"
#include "fmt/image/image.h"
#include "ir/tensor.h"

typedef struct tarn_data_options {
	size_t skip, first; /* leave out so many, then take at most so many (0: all) */
	const char *layout; /* of the input, for images: "NCHW", "[NHWC]", "HW" ...; NULL: by the sizes. Read at once */
	tarn_prep_options prep;
} tarn_data_options;

typedef struct tarn_dataset tarn_dataset;

/* A folder holds at least one image (by name ending), sorted by name; an image by itself is a set of one. */
TARN_MUST tarn_err tarn_dataset_open(const char *path, const tarn_data_options *o, tarn_dataset **d);
void tarn_dataset_close(tarn_dataset *d);
size_t tarn_dataset_count(const tarn_dataset *d);
/* "cat.png", or "row 17 of x.npy". */
void tarn_dataset_name(const tarn_dataset *d, size_t i, tarn_str *s);
/* Arrays: element type and sizes of one sample as stored. Images: u8 and rank 0, since they are made to fit. */
void tarn_dataset_sample(const tarn_dataset *d, tarn_dtype *type, int *rank, int64_t dim[TARN_MAX_RANK]);

/* What one sample must become: that element type and shape (a batch axis counts 1). Array samples need the same number of
 * elements; integers are cast when every value fits, floats only to floats. TARN_SHAPE and TARN_TYPE say what differs. */
TARN_MUST tarn_err tarn_dataset_target(tarn_dataset *d, tarn_dtype type, int rank, const int64_t *dim);
/* Bytes of one sample of the target. */
TARN_MUST tarn_err tarn_dataset_bytes(const tarn_dataset *d, size_t *bytes);
/* Sample i into dst, which has the target's size. */
TARN_MUST tarn_err tarn_dataset_read(tarn_dataset *d, size_t i, void *dst);

/* What prepares one image for an input of that type and shape. layout NULL: told by the sizes. TARN_SHAPE says what does not
 * fit. */
TARN_MUST tarn_err tarn_data_prep(const tarn_prep_options *o, const char *layout, tarn_dtype type, int rank, const int64_t *dim,
				  tarn_prep **prep);

/* The class of each sample of d. Path: a csv with a header (first column: file name, or row from 0; class index in the second,
 * or in the named column), an npy or an idx file with one integer per sample. Every sample of d needs its label. */
TARN_MUST tarn_err tarn_labels_read(const char *path, const char *column, const tarn_dataset *d, int64_t *label);

/* Elements [first, first + n) of t as `type`, into dst. TARN_TYPE when a value does not fit, naming element and value. */
TARN_MUST tarn_err tarn_data_cast(const tarn_tensor *t, int64_t first, int64_t n, tarn_dtype type, void *dst);

/* One file for one input: image, npy, idx, or raw bytes of exactly the input's size. dim < 0 is free: arrays bring their own
 * size, images theirs for height and width, and 1 for the batch. */
TARN_MUST tarn_err tarn_data_load(const char *path, tarn_dtype type, int rank, const int64_t *dim, const tarn_data_options *o,
				  tarn_tensor *t);

/* Which axes of an input are channels, height and width. */
typedef struct tarn_data_layout {
	int c, h, w; /* axis; c = -1: none */
	bool nhwc;   /* channels come last */
} tarn_data_layout;
/* TARN_SHAPE when the text does not fit, or without text when the sizes do not tell (1 or 3 channels). */
TARN_MUST tarn_err tarn_data_layout_parse(const char *text, int rank, const int64_t *dim, tarn_data_layout *l);

#endif
