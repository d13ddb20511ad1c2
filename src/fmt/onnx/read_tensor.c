/* SPDX-License-Identifier: Apache-2.0 */
/* TensorProto -> tarn_tensor: raw bytes, typed lists, text, and external files. */
#include <string.h>

#include "base/mem.h"
#include "fmt/onnx/onnx.h"
#include "fmt/onnx/reader.h"
#include "fmt/onnx/wire.h"

static tarn_err dims_read(const Onnx__TensorProto *p, const char *what, tarn_dtype type, int64_t *count, size_t *bytes)
{
	CHECK(p->n_dims <= TARN_MAX_RANK, TARN_UNSUPPORTED, "%s has rank %zu, above the largest of %d; reshape it", what,
	      p->n_dims, TARN_MAX_RANK);
	int64_t n = 1;
	for (size_t i = 0; i < p->n_dims; i++) {
		CHECK(p->dims[i] >= 0 && p->dims[i] <= TARN_DIM_MAX, TARN_BAD_FILE,
		      "%s has size %lld on axis %zu; the file is damaged", what, (long long)p->dims[i], i);
		CHECK(!__builtin_mul_overflow(n, p->dims[i], &n) && n <= (int64_t)1 << 48, TARN_BAD_FILE,
		      "%s has too many elements; the file is damaged", what);
	}
	*count = n;
	CHECK(tarn_dtype_bytes(type, (size_t)n, bytes), TARN_BAD_FILE, "%s has too many elements; the file is damaged", what);
	return TARN_OK;
}

/* How many numbers of a typed list make the tensor: 4-bit elements stand in pairs. */
static size_t list_length(tarn_dtype type, int64_t count)
{
	return tarn_dtype_info(type)->bits == 4 ? (size_t)(count + 1) / 2 : (size_t)count;
}

static tarn_err list_check(const char *what, size_t have, size_t need)
{
	CHECK(have == need, TARN_BAD_FILE, "%s has %zu values where its shape asks for %zu; the file is damaged", what, have,
	      need);
	return TARN_OK;
}

static void narrow(const int32_t *from, size_t n, int bits, void *to)
{
	for (size_t i = 0; i < n; i++) {
		if (bits == 32)
			((int32_t *)to)[i] = from[i];
		else if (bits == 16)
			((uint16_t *)to)[i] = (uint16_t)from[i];
		else
			((uint8_t *)to)[i] = (uint8_t)from[i];
	}
}

/* The list that ONNX assigns to the element type. */
static tarn_err list_read(const Onnx__TensorProto *p, const char *what, tarn_dtype type, int64_t count, void *to)
{
	size_t n = list_length(type, count);
	switch (type) {
	case TARN_F32:
		TRY(list_check(what, p->n_float_data, n));
		if (n)
			memcpy(to, p->float_data, n * 4);
		return TARN_OK;
	case TARN_F64:
		TRY(list_check(what, p->n_double_data, n));
		if (n)
			memcpy(to, p->double_data, n * 8);
		return TARN_OK;
	case TARN_I64:
		TRY(list_check(what, p->n_int64_data, n));
		if (n)
			memcpy(to, p->int64_data, n * 8);
		return TARN_OK;
	case TARN_U64:
		TRY(list_check(what, p->n_uint64_data, n));
		if (n)
			memcpy(to, p->uint64_data, n * 8);
		return TARN_OK;
	case TARN_U32:
		TRY(list_check(what, p->n_uint64_data, n));
		for (size_t i = 0; i < n; i++)
			((uint32_t *)to)[i] = (uint32_t)p->uint64_data[i];
		return TARN_OK;
	default:
		TRY(list_check(what, p->n_int32_data, n));
		narrow(p->int32_data, n, tarn_dtype_info(type)->bits < 8 ? 8 : tarn_dtype_info(type)->bits, to);
		return TARN_OK;
	}
}

tarn_err onnx_text_tensor(const ProtobufCBinaryData *s, size_t n, const char *what, int rank, const int64_t *dim,
			  tarn_tensor *t)
{
	/* Pointers and characters share one buffer, so that the tensor stands alone. */
	size_t chars = 0;
	for (size_t i = 0; i < n; i++) {
		CHECK(!s[i].len || !memchr(s[i].data, 0, s[i].len), TARN_UNSUPPORTED,
		      "%s holds text with a zero byte; use integers", what);
		chars += s[i].len + 1;
	}
	tarn_tensor made = {.type = TARN_STRING, .rank = rank};
	for (int i = 0; i < rank; i++)
		made.dim[i] = dim[i];
	TRY(tarn_buffer_new(n * sizeof(char *) + chars, &made.buf));
	made.data = made.buf->at;
	const char **at = made.data;
	char *end = (char *)(at + n);
	for (size_t i = 0; i < n; i++) {
		at[i] = end;
		if (s[i].len)
			memcpy(end, s[i].data, s[i].len);
		end += s[i].len + 1;
	}
	*t = made;
	return TARN_OK;
}

/* A file name of the model: below the model's folder and nowhere else. */
static bool name_is_inside(const char *name)
{
	if (!*name || *name == '/' || strchr(name, '\\'))
		return false;
	for (const char *p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.')
			return false;
	}
	return true;
}

static tarn_err side_open(onnx_reader *r, const char *name, tarn_buffer **buf)
{
	for (size_t i = 0; i < r->side.len; i++)
		if (strcmp(r->side.at[i].name, name) == 0) {
			*buf = r->side.at[i].buf;
			return TARN_OK;
		}
	const char *slash = strrchr(r->path, '/');
	tarn_str path = {0};
	tarn_str_add_n(&path, r->path, slash ? (size_t)(slash - r->path) + 1 : 0);
	tarn_str_add(&path, name);
	tarn_err err = tarn_str_done(&path);
	tarn_buffer *b = NULL;
	if (err == TARN_OK)
		err = tarn_buffer_map(path.at, &b);
	tarn_str_fini(&path);
	TRY(err);
	err = VEC_GROW(&r->side);
	char *copy = err == TARN_OK ? tarn_mem_strdup(name) : NULL;
	if (!copy) {
		tarn_buffer_unref(b);
		return err != TARN_OK ? err : tarn_err_nomem(strlen(name) + 1);
	}
	r->side.at[r->side.len++] = (onnx_side){copy, b};
	*buf = b;
	return TARN_OK;
}

static tarn_err external_number(const char *what, const char *key, const char *text, int64_t *v)
{
	CHECK(tarn_str_to_i64(text, v) && *v >= 0, TARN_BAD_FILE, "%s of %s is '%s', not a size; the file is damaged", key,
	      what, text);
	return TARN_OK;
}

/* Data in a file beside the model. Shared with the mapping where the alignment allows, copied otherwise. */
static tarn_err external_read(onnx_reader *r, const Onnx__TensorProto *p, const char *what, size_t bytes, tarn_tensor *t)
{
	const char *location = NULL;
	int64_t offset = 0, length = (int64_t)bytes;
	for (size_t i = 0; i < p->n_external_data; i++) {
		const char *key = onnx_text(p->external_data[i]->key), *value = onnx_text(p->external_data[i]->value);
		if (strcmp(key, "location") == 0)
			location = value;
		else if (strcmp(key, "offset") == 0)
			TRY(external_number(what, key, value, &offset));
		else if (strcmp(key, "length") == 0)
			TRY(external_number(what, key, value, &length));
	}
	CHECK(r->path, TARN_UNSUPPORTED,
	      "%s is in a separate file, which a model from memory cannot have; read the model by its path", what);
	CHECK(location && name_is_inside(location), TARN_BAD_FILE,
	      "%s is in the file '%s', which is not below the model's folder; put it there", what, onnx_text(location));
	CHECK((size_t)length == bytes, TARN_BAD_FILE, "%s has %lld bytes where its shape asks for %zu; the file is damaged",
	      what, (long long)length, bytes);
	tarn_buffer *b = NULL;
	TRY(side_open(r, location, &b));
	CHECK((uint64_t)offset <= b->size && bytes <= b->size - (size_t)offset, TARN_BAD_FILE,
	      "%s ends behind the end of '%s' (%zu bytes); get the file again", what, location, b->size);
	const uint8_t *from = (const uint8_t *)b->at + offset;
	size_t align = (size_t)tarn_dtype_info(t->type)->bits / 8;
	if (align < 2 || (uintptr_t)from % align == 0) {
		t->data = (void *)from;
		t->buf = tarn_buffer_ref(b);
		return TARN_OK;
	}
	tarn_tensor own;
	TRY(tarn_tensor_new(t->type, t->rank, t->dim, &own));
	memcpy(own.data, from, bytes);
	*t = own;
	return TARN_OK;
}

static tarn_err inline_read(onnx_reader *r, const Onnx__TensorProto *p, const char *what, int64_t count, size_t bytes,
			    tarn_tensor *t)
{
	if (p->has_raw_at) {
		CHECK(t->type != TARN_STRING, TARN_BAD_FILE,
		      "%s is text in raw bytes, which ONNX does not allow; the file is damaged", what);
		CHECK(p->raw_size == bytes && p->raw_at <= r->size && bytes <= r->size - p->raw_at, TARN_BAD_FILE,
		      "%s has %llu bytes where its shape asks for %zu; the file is damaged", what,
		      (unsigned long long)p->raw_size, bytes);
	} else if (t->type != TARN_STRING) {
		/* The lists are in memory already: compare their length before asking for as much again. */
		size_t have = p->n_float_data + p->n_int32_data + p->n_int64_data + p->n_double_data + p->n_uint64_data;
		TRY(list_check(what, have, list_length(t->type, count)));
	} else {
		TRY(list_check(what, p->n_string_data, (size_t)count));
		return onnx_text_tensor(p->string_data, p->n_string_data, what, t->rank, t->dim, t);
	}
	TRY(tarn_tensor_new(t->type, t->rank, t->dim, t));
	tarn_err err = TARN_OK;
	if (p->has_raw_at) {
		if (bytes)
			memcpy(t->data, r->file + p->raw_at, bytes);
	} else {
		err = list_read(p, what, t->type, count, t->data);
	}
	if (err == TARN_OK && t->type == TARN_BOOL) /* any other byte than 0 and 1 would be undefined later */
		for (int64_t i = 0; i < count; i++)
			((uint8_t *)t->data)[i] = ((uint8_t *)t->data)[i] != 0;
	if (err != TARN_OK)
		tarn_tensor_fini(t);
	return err;
}

tarn_err onnx_tensor_read(onnx_reader *r, const Onnx__TensorProto *p, const char *what, tarn_tensor *t)
{
	tarn_dtype type = tarn_dtype_of_onnx(p->data_type);
	CHECK(type != TARN_DTYPE_NONE, TARN_UNSUPPORTED,
	      "%s has element type %d of ONNX, which is not supported; convert it to float", what, p->data_type);
	int64_t count = 0;
	size_t bytes = 0;
	TRY(dims_read(p, what, type, &count, &bytes));
	tarn_tensor made = {.type = type, .rank = (int)p->n_dims};
	for (int i = 0; i < made.rank; i++)
		made.dim[i] = p->dims[i];
	CHECK(p->data_location == 0 || p->data_location == 1, TARN_BAD_FILE,
	      "%s lies in place %d, which ONNX does not have; the file is damaged", what, p->data_location);
	if (p->data_location == 1)
		TRY(external_read(r, p, what, bytes, &made));
	else
		TRY(inline_read(r, p, what, count, bytes, &made));
	*t = made;
	return TARN_OK;
}

tarn_err tarn_onnx_read_tensor(const uint8_t *at, size_t n, tarn_tensor *t)
{
	tarn_str bytes = {0};
	tarn_err err = onnx_wire_skeleton(ONNX_WIRE_TENSOR, at, n, &bytes);
	Onnx__TensorProto *p = NULL;
	if (err == TARN_OK) {
		p = onnx__tensor_proto__unpack(NULL, bytes.len, (const uint8_t *)bytes.at);
		if (!p)
			err = tarn_err_set(TARN_BAD_FILE, "not a tensor of ONNX, or damaged; get the file again");
	}
	tarn_str_fini(&bytes);
	if (err == TARN_OK) {
		onnx_reader r = {.file = at, .size = n};
		err = onnx_tensor_read(&r, p, "the tensor", t);
	}
	if (p)
		onnx__tensor_proto__free_unpacked(p, NULL);
	return err;
}
