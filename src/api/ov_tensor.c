/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_tensor.h"

#include "api/handles.h"
#include "base/mem.h"

static const struct {
	ov_element_type_e ov;
	tarn_dtype ours;
} types[] = {
	{OV_BOOLEAN, TARN_BOOL}, {BF16, TARN_BF16}, {F16, TARN_F16}, {F32, TARN_F32},       {F64, TARN_F64}, {I4, TARN_I4},
	{I8, TARN_I8},           {I16, TARN_I16},   {I32, TARN_I32}, {I64, TARN_I64},       {U4, TARN_U4},   {U8, TARN_U8},
	{U16, TARN_U16},         {U32, TARN_U32},   {U64, TARN_U64}, {STRING, TARN_STRING},
};
enum { N_TYPES = sizeof types / sizeof *types };

tarn_err tarn_dtype_of_ov(ov_element_type_e type, tarn_dtype *out)
{
	for (int i = 0; i < N_TYPES; i++)
		if (types[i].ov == type) {
			*out = types[i].ours;
			return TARN_OK;
		}
	return tarn_err_set(TARN_TYPE, "there are no tensors of element type number %d; use another type", (int)type);
}

ov_element_type_e tarn_dtype_to_ov(tarn_dtype type)
{
	for (int i = 0; i < N_TYPES; i++)
		if (types[i].ours == type)
			return types[i].ov;
	return DYNAMIC;
}

tarn_err tarn_box_new(const tarn_tensor *t, tarn_box **out)
{
	tarn_box *box = tarn_mem_zalloc(1, sizeof *box);
	if (!box)
		return tarn_err_nomem(sizeof *box);
	tarn_ref_init(&box->refs);
	box->t = *t;
	box->room = tarn_tensor_bytes(t);
	*out = box;
	return TARN_OK;
}

tarn_box *tarn_box_ref(tarn_box *box)
{
	tarn_ref_take(&box->refs);
	return box;
}

void tarn_box_unref(tarn_box *box)
{
	if (!box || !tarn_ref_drop(&box->refs))
		return;
	tarn_tensor_fini(&box->t);
	tarn_mem_free(box->text);
	tarn_mem_free(box);
}

tarn_err tarn_tensor_handle(tarn_box *box, ov_tensor_t **out)
{
	ov_tensor_t *t = tarn_mem_zalloc(1, sizeof *t);
	if (!t)
		return tarn_err_nomem(sizeof *t);
	t->box = tarn_box_ref(box);
	*out = t;
	return TARN_OK;
}

tarn_err tarn_tensor_out(tarn_tensor *t, ov_tensor_t **tensor)
{
	tarn_box *box = NULL;
	tarn_err err = tarn_box_new(t, &box);
	if (err != TARN_OK) {
		tarn_tensor_fini(t);
		return err;
	}
	err = tarn_tensor_handle(box, tensor);
	tarn_box_unref(box);
	return err;
}

/* A new tensor of that type and shape on `host`, or on memory of its own. */
static tarn_err create(ov_element_type_e type, const ov_shape_t *shape, void *host, ov_tensor_t **out)
{
	tarn_tensor t = {0};
	int64_t dim[TARN_MAX_RANK];
	int64_t count;
	size_t bytes;
	TRY(tarn_dtype_of_ov(type, &t.type));
	TRY(tarn_shape_of_ov(shape, dim));
	if (host) {
		t.rank = (int)shape->rank;
		memcpy(t.dim, dim, sizeof *dim * (size_t)t.rank);
		tarn_shape s = tarn_shape_of(t.rank, dim);
		TRY(tarn_shape_count(&s, &count));
		CHECK(tarn_dtype_bytes(t.type, (size_t)count, &bytes), TARN_SHAPE,
		      "the tensor is too large; use smaller shapes");
		t.data = host;
	} else {
		TRY(tarn_tensor_new(t.type, (int)shape->rank, dim, &t));
	}
	tarn_box *box = NULL;
	tarn_err err = tarn_box_new(&t, &box);
	if (err) {
		tarn_tensor_fini(&t);
		return err;
	}
	box->borrowed = host != NULL;
	err = tarn_tensor_handle(box, out);
	tarn_box_unref(box);
	return err;
}

ov_status_e ov_tensor_create_from_host_ptr(const ov_element_type_e type, const ov_shape_t shape, void *host_ptr,
					   ov_tensor_t **tensor)
{
	NEED(host_ptr && tensor);
	return tarn_status(create(type, &shape, host_ptr, tensor));
}

ov_status_e ov_tensor_create(const ov_element_type_e type, const ov_shape_t shape, ov_tensor_t **tensor)
{
	NEED(tensor);
	return tarn_status(create(type, &shape, NULL, tensor));
}

static tarn_err set_text(tarn_box *box, const char **strings, size_t n)
{
	size_t total = 0, at = 0;
	CHECK(box->t.type == TARN_STRING, TARN_TYPE, "the tensor's elements are %s, not text",
	      tarn_dtype_info(box->t.type)->word);
	CHECK(n == (size_t)tarn_tensor_count(&box->t), TARN_SHAPE, "%zu texts for %lld elements", n,
	      (long long)tarn_tensor_count(&box->t));
	for (size_t i = 0; i < n; i++) {
		CHECK(strings[i], TARN_USAGE, "text %zu is NULL", i);
		total += strlen(strings[i]) + 1;
	}
	char *text = tarn_mem_zalloc(total + 1, 1);
	if (!text)
		return tarn_err_nomem(total);
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(strings[i]) + 1;
		((const char **)box->t.data)[i] = memcpy(text + at, strings[i], size);
		at += size;
	}
	tarn_mem_free(box->text); /* only now: strings may have pointed there */
	box->text = text;
	return TARN_OK;
}

ov_status_e ov_tensor_create_from_string_array(const char **strings, const size_t n, const ov_shape_t shape,
					       ov_tensor_t **tensor)
{
	NEED(strings && tensor);
	ov_tensor_t *made = NULL;
	tarn_err err = create(STRING, &shape, NULL, &made);
	if (err == TARN_OK)
		err = set_text(made->box, strings, n);
	if (err == TARN_OK)
		*tensor = made;
	else
		ov_tensor_free(made);
	return tarn_status(err);
}

ov_status_e ov_tensor_set_string_data(ov_tensor_t *tensor, const char **strings, const size_t n)
{
	NEED(tensor && strings);
	return tarn_status(set_text(tensor->box, strings, n));
}

static tarn_err set_shape(tarn_box *box, const ov_shape_t *shape)
{
	tarn_tensor t = {.type = box->t.type, .rank = (int)shape->rank};
	TRY(tarn_shape_of_ov(shape, t.dim));
	tarn_shape s = tarn_shape_of(t.rank, t.dim);
	int64_t count;
	size_t bytes;
	TRY(tarn_shape_count(&s, &count));
	CHECK(tarn_dtype_bytes(t.type, (size_t)count, &bytes), TARN_SHAPE, "the tensor is too large; use smaller shapes");
	if (bytes > box->room || !box->t.data) {
		CHECK(!box->borrowed, TARN_SHAPE, "the tensor needs %zu bytes, its borrowed memory has %zu; make a new tensor",
		      bytes, box->room);
		tarn_tensor fresh;
		TRY(tarn_tensor_new(t.type, t.rank, t.dim, &fresh));
		tarn_tensor_fini(&box->t);
		box->t = fresh;
		box->room = bytes;
		box->owner = NULL;
	} else {
		box->t.rank = t.rank;
		memcpy(box->t.dim, t.dim, sizeof t.dim);
	}
	box->unset = false;
	return TARN_OK;
}

ov_status_e ov_tensor_set_shape(ov_tensor_t *tensor, const ov_shape_t shape)
{
	NEED(tensor);
	return tarn_status(set_shape(tensor->box, &shape));
}

ov_status_e ov_tensor_get_shape(const ov_tensor_t *tensor, ov_shape_t *shape)
{
	NEED(tensor && shape);
	return tarn_status(tarn_shape_out(tensor->box->t.rank, tensor->box->t.dim, shape));
}

ov_status_e ov_tensor_get_element_type(const ov_tensor_t *tensor, ov_element_type_e *type)
{
	NEED(tensor && type);
	*type = tarn_dtype_to_ov(tensor->box->t.type);
	return OK;
}

ov_status_e ov_tensor_get_size(const ov_tensor_t *tensor, size_t *elements_size)
{
	NEED(tensor && elements_size);
	*elements_size = (size_t)tarn_tensor_count(&tensor->box->t);
	return OK;
}

ov_status_e ov_tensor_get_byte_size(const ov_tensor_t *tensor, size_t *byte_size)
{
	NEED(tensor && byte_size);
	*byte_size = tarn_tensor_bytes(&tensor->box->t);
	return OK;
}

ov_status_e ov_tensor_data(const ov_tensor_t *tensor, void **data)
{
	NEED(tensor && data);
	*data = tensor->box->t.data;
	return OK;
}

void ov_tensor_free(ov_tensor_t *tensor)
{
	if (!tensor)
		return;
	tarn_box_unref(tensor->box);
	tarn_mem_free(tensor);
}
