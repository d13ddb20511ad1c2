/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data for models: npy files, images, labelled data sets.
 *
 * A data set is a folder of images (JPEG, PNG, BMP; sorted by name), an npy whose first axis counts samples, or an idx(.gz)
 * file. Its samples are made to fit a model's input: array samples by casting and by reshaping when the number of elements is
 * right; images by resizing, cropping, (value - mean) / scale, and layout; arrays of floats by (value - mean) / scale.
 *
 * A data set belongs to one thread at a time; open it again for another thread. Status codes, text and handles follow the rules
 * of openvino/c/ov_common.h; error sentences name file, row and column.
 */
#ifndef TARN_DATA_H
#define TARN_DATA_H

#include "openvino/c/ov_common.h"
#include "openvino/c/ov_partial_shape.h"
#include "openvino/c/ov_shape.h"
#include "openvino/c/ov_tensor.h"

/* Zeroed means: every sample, images stretched to the input. Text is read at once and not kept. */
typedef struct {
	size_t skip, first; /* leave out so many samples, then take at most so many (0: all) */
	const char *color;  /* of images: "RGB", "BGR" or "GRAY"; NULL: RGB, and GRAY for inputs of one channel */
	const char *layout; /* of the input: "NCHW", "NHWC", "CHW", "HW" ...; NULL: told by the sizes */
	int resize;         /* length of the shorter side in pixels; the longer one keeps the proportions, rounded down */
	int crop_width, crop_height; /* cut from the middle after resizing */
	double mean[3], scale[3];    /* (value - mean) / scale in the input's channel order; a scale of 0 stands for 1 */
	bool scaled_decode;          /* decode JPEGs smaller when the result is much smaller: faster, pixels differ slightly */
} tarn_data_options_t;

typedef struct tarn_dataset tarn_dataset_t;

OPENVINO_C_API(ov_status_e)
tarn_open_dataset(const char *path, const tarn_data_options_t *options, tarn_dataset_t **dataset);
OPENVINO_C_API(void)
tarn_close_dataset(tarn_dataset_t *dataset);

/* Samples after skipping. */
OPENVINO_C_API(ov_status_e)
tarn_get_dataset_count(const tarn_dataset_t *dataset, size_t *count);

/* File name or row of sample i, for ov_free. */
OPENVINO_C_API(ov_status_e)
tarn_get_dataset_name(const tarn_dataset_t *dataset, size_t i, char **name);

/* Element type and number of axes of one sample as stored, and its sizes (room for 8). Images: u8, 0 axes. */
OPENVINO_C_API(ov_status_e)
tarn_get_dataset_sample(const tarn_dataset_t *dataset, ov_element_type_e *type, int64_t *rank, int64_t *dims);

/* What tarn_read_sample shall deliver: one sample of that type and shape (a batch axis counts 1). */
OPENVINO_C_API(ov_status_e)
tarn_set_dataset_target(tarn_dataset_t *dataset, ov_element_type_e type, const ov_shape_t shape);

/* Sample i, prepared, into `bytes` bytes at dst, which must be what the target takes. */
OPENVINO_C_API(ov_status_e)
tarn_read_sample(tarn_dataset_t *dataset, size_t i, void *dst, size_t bytes);

/* The class index of every sample: labels[0..count-1]. `path`: a csv with a header (first column: file name, or row from 0;
 * class in the second column or in the one named `column`), an npy or an idx(.gz) with one integer per sample (column NULL). */
OPENVINO_C_API(ov_status_e)
tarn_read_labels(const char *path, const char *column, const tarn_dataset_t *dataset, int64_t *labels);

/* One file for one input: image, npy, idx(.gz), wav (f32 [channels,samples] from -1 to 1), or raw bytes of exactly its size.
 * Free dimensions take the data's: an array's sizes, an image's height and width, 1 for a batch of images. options may be NULL;
 * skip and first are not looked at. */
OPENVINO_C_API(ov_status_e)
tarn_read_input(const char *path, ov_element_type_e type, const ov_partial_shape_t shape, const tarn_data_options_t *options,
		ov_tensor_t **tensor);

/* The array of an npy file (versions 1 to 3, any byte order) as a tensor of its own. */
OPENVINO_C_API(ov_status_e)
tarn_read_npy(const char *path, ov_tensor_t **tensor);
/* bf16 is stored as f32, 4-bit integers as 8-bit ones. The file appears whole or not at all. */
OPENVINO_C_API(ov_status_e)
tarn_write_npy(const char *path, const ov_tensor_t *tensor);

#endif
