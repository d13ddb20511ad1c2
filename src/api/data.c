/* SPDX-License-Identifier: Apache-2.0 */
#include "api/data.h"

#include "api/handles.h"
#include "fmt/npy/npy.h"

static tarn_err color_of(const char *word, tarn_color *color)
{
	static const char *const words[] = {"", "RGB", "BGR", "GRAY"};
	*color = TARN_COLOR_AUTO;
	for (int i = 1; word && i < 4; i++)
		if (!strcmp(word, words[i]))
			*color = (tarn_color)i;
	CHECK(!word || *color != TARN_COLOR_AUTO, TARN_USAGE, "colour '%s' is none of RGB, BGR, GRAY", word);
	return TARN_OK;
}

tarn_err tarn_data_options_of(const tarn_data_options_t *in, tarn_data_options *o)
{
	*o = (tarn_data_options){0};
	if (!in)
		return TARN_OK;
	o->skip = in->skip;
	o->first = in->first;
	o->layout = in->layout;
	o->prep.resize = in->resize;
	o->prep.crop_width = in->crop_width;
	o->prep.crop_height = in->crop_height;
	o->prep.scaled_decode = in->scaled_decode;
	memcpy(o->prep.mean, in->mean, sizeof o->prep.mean);
	memcpy(o->prep.scale, in->scale, sizeof o->prep.scale);
	return color_of(in->color, &o->prep.color);
}

static tarn_err open_dataset(const char *path, const tarn_data_options_t *options, tarn_dataset **d)
{
	tarn_data_options o;
	TRY(tarn_data_options_of(options, &o));
	return tarn_dataset_open(path, &o, d);
}

ov_status_e tarn_open_dataset(const char *path, const tarn_data_options_t *options, tarn_dataset_t **dataset)
{
	NEED(path && dataset);
	return tarn_status(open_dataset(path, options, dataset));
}

void tarn_close_dataset(tarn_dataset_t *dataset)
{
	tarn_dataset_close(dataset);
}

ov_status_e tarn_get_dataset_count(const tarn_dataset_t *dataset, size_t *count)
{
	NEED(dataset && count);
	*count = tarn_dataset_count(dataset);
	return OK;
}

ov_status_e tarn_get_dataset_name(const tarn_dataset_t *dataset, size_t i, char **name)
{
	NEED(dataset && name && i < tarn_dataset_count(dataset));
	tarn_str s = {0};
	tarn_dataset_name(dataset, i, &s);
	tarn_err err = tarn_str_done(&s);
	if (err == TARN_OK)
		err = tarn_text_out(s.at, name);
	tarn_str_fini(&s);
	return tarn_status(err);
}

ov_status_e tarn_get_dataset_sample(const tarn_dataset_t *dataset, ov_element_type_e *type, int64_t *rank, int64_t *dims)
{
	NEED(dataset && type && rank && dims);
	tarn_dtype t;
	int r;
	tarn_dataset_sample(dataset, &t, &r, dims);
	*type = tarn_dtype_to_ov(t);
	*rank = r;
	return OK;
}

static tarn_err set_target(tarn_dataset *d, ov_element_type_e type, const ov_shape_t *shape)
{
	tarn_dtype t;
	int64_t dim[TARN_MAX_RANK];
	TRY(tarn_dtype_of_ov(type, &t));
	TRY(tarn_shape_of_ov(shape, dim));
	return tarn_dataset_target(d, t, (int)shape->rank, dim);
}

ov_status_e tarn_set_dataset_target(tarn_dataset_t *dataset, ov_element_type_e type, const ov_shape_t shape)
{
	NEED(dataset);
	return tarn_status(set_target(dataset, type, &shape));
}

static tarn_err read_sample(tarn_dataset *d, size_t i, void *dst, size_t bytes)
{
	size_t need;
	TRY(tarn_dataset_bytes(d, &need));
	CHECK(bytes == need, TARN_SHAPE, "room for %zu bytes; one sample has %zu", bytes, need);
	return tarn_dataset_read(d, i, dst);
}

ov_status_e tarn_read_sample(tarn_dataset_t *dataset, size_t i, void *dst, size_t bytes)
{
	NEED(dataset && dst);
	return tarn_status(read_sample(dataset, i, dst, bytes));
}

ov_status_e tarn_read_labels(const char *path, const char *column, const tarn_dataset_t *dataset, int64_t *labels)
{
	NEED(path && dataset && labels);
	return tarn_status(tarn_labels_read(path, column, dataset, labels));
}

static tarn_err read_input(const char *path, ov_element_type_e type, const ov_partial_shape_t *shape,
			   const tarn_data_options_t *options, ov_tensor_t **tensor)
{
	tarn_data_options o;
	tarn_dtype t;
	int64_t dim[TARN_MAX_RANK], rank = shape->rank.min;
	TRY(tarn_data_options_of(options, &o));
	TRY(tarn_dtype_of_ov(type, &t));
	CHECK(rank == shape->rank.max && rank >= 0 && rank <= TARN_MAX_RANK && (!rank || shape->dims), TARN_SHAPE,
	      "the input's rank is not known; give -shape");
	for (int64_t i = 0; i < rank; i++)
		dim[i] = shape->dims[i].min == shape->dims[i].max ? shape->dims[i].min : -1;
	tarn_tensor out;
	TRY(tarn_data_load(path, t, (int)rank, dim, &o, &out));
	return tarn_tensor_out(&out, tensor);
}

ov_status_e tarn_read_input(const char *path, ov_element_type_e type, const ov_partial_shape_t shape,
			    const tarn_data_options_t *options, ov_tensor_t **tensor)
{
	NEED(path && tensor);
	return tarn_status(read_input(path, type, &shape, options, tensor));
}

static tarn_err read_npy(const char *path, ov_tensor_t **tensor)
{
	tarn_tensor mapped, own;
	TRY(tarn_npy_read(path, &mapped));
	/* The caller may write to what it gets. */
	tarn_err err = tarn_tensor_copy(&mapped, &own);
	tarn_tensor_fini(&mapped);
	TRY(err);
	return tarn_tensor_out(&own, tensor);
}

ov_status_e tarn_read_npy(const char *path, ov_tensor_t **tensor)
{
	NEED(path && tensor);
	return tarn_status(read_npy(path, tensor));
}

ov_status_e tarn_write_npy(const char *path, const ov_tensor_t *tensor)
{
	NEED(path && tensor);
	return tarn_status(tarn_npy_write(path, &tensor->box->t));
}
