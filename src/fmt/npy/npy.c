/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/npy/npy.h"

#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "fmt/npy/bytes.h"

void tarn_bytes_swap(void *at, size_t count, size_t size)
{
	uint8_t *p = at;
	for (size_t i = 0; i < count; i++, p += size)
		for (size_t a = 0, b = size - 1; a < b; a++, b--) {
			uint8_t t = p[a];
			p[a] = p[b];
			p[b] = t;
		}
}

/* Copies elements stored first axis fastest into row-major order. */
static void copy_fortran(const tarn_npy_header *h, const uint8_t *from, uint8_t *to, size_t size)
{
	int64_t at[TARN_MAX_RANK] = {0}, stride[TARN_MAX_RANK], count = 1;
	for (int i = 0; i < h->rank; i++) {
		stride[i] = count;
		count *= h->dim[i];
	}
	int64_t offset = 0;
	for (int64_t i = 0; i < count; i++) {
		memcpy(to + (size_t)i * size, from + (size_t)offset * size, size);
		for (int axis = h->rank - 1; axis >= 0; axis--) {
			offset += stride[axis];
			if (++at[axis] < h->dim[axis])
				break;
			offset -= stride[axis] * h->dim[axis];
			at[axis] = 0;
		}
	}
}

tarn_err tarn_npy_parse_tensor(tarn_buffer *file, tarn_tensor *t)
{
	tarn_npy_header h;
	TRY(tarn_npy_parse(file->at, file->size, &h));
	const uint8_t *from = (const uint8_t *)file->at + h.offset;
	size_t size = (size_t)tarn_dtype_info(h.type)->bits / 8;
	/* Booleans are copied so that each byte becomes 0 or 1. */
	if (!h.swap && (!h.fortran || h.rank < 2) && h.type != TARN_BOOL && (uintptr_t)from % size == 0 && h.bytes) {
		tarn_tensor r = {.type = h.type, .rank = h.rank, .data = (void *)(uintptr_t)from, .buf = tarn_buffer_ref(file)};
		memcpy(r.dim, h.dim, sizeof r.dim);
		*t = r;
		return TARN_OK;
	}
	tarn_tensor r;
	TRY(tarn_tensor_new(h.type, h.rank, h.dim, &r));
	if (h.bytes && h.fortran)
		copy_fortran(&h, from, r.data, size);
	else if (h.bytes)
		memcpy(r.data, from, h.bytes);
	if (h.swap)
		tarn_bytes_swap(r.data, h.bytes / size, size);
	if (h.type == TARN_BOOL)
		for (size_t i = 0; i < h.bytes; i++)
			((uint8_t *)r.data)[i] = ((uint8_t *)r.data)[i] != 0;
	*t = r;
	return TARN_OK;
}

tarn_err tarn_npy_read(const char *path, tarn_tensor *t)
{
	tarn_buffer *file;
	TRY(tarn_buffer_map(path, &file));
	tarn_err err = tarn_err_note(tarn_npy_parse_tensor(file, t), "in '%s'", path);
	tarn_buffer_unref(file);
	return err;
}

/* The dictionary, padded so that the elements begin at a multiple of 64. */
static tarn_err header_print(const tarn_tensor *t, tarn_str *s)
{
	tarn_str_addf(s, "{'descr': '%s', 'fortran_order': False, 'shape': (", tarn_dtype_info(t->type)->npy);
	for (int i = 0; i < t->rank; i++)
		tarn_str_addf(s, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
	tarn_str_add(s, t->rank == 1 ? ",), }" : "), }");
	while ((10 + s->len + 1) % 64)
		tarn_str_add(s, " ");
	tarn_str_add(s, "\n");
	return tarn_str_done(s);
}

static tarn_err write_plain(const char *path, const tarn_tensor *t)
{
	tarn_str dict = {0};
	tarn_err err = header_print(t, &dict);
	if (err == TARN_OK) {
		const uint8_t magic[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, dict.len & 255, dict.len >> 8 & 255};
		const tarn_file_piece piece[] = {{magic, sizeof magic}, {dict.at, dict.len}, {t->data, tarn_tensor_bytes(t)}};
		err = tarn_file_write_pieces(path, piece, 3);
	}
	tarn_str_fini(&dict);
	return err;
}

tarn_err tarn_npy_write(const char *path, const tarn_tensor *t)
{
	if (*tarn_dtype_info(t->type)->npy)
		return write_plain(path, t);
	tarn_dtype wider = t->type == TARN_BF16 ? TARN_F32
			   : t->type == TARN_I4 ? TARN_I8
			   : t->type == TARN_U4 ? TARN_U8
						: TARN_DTYPE_NONE;
	CHECK(wider != TARN_DTYPE_NONE, TARN_TYPE, "%s: element type %s cannot be stored as npy", path,
	      tarn_dtype_info(t->type)->word);
	tarn_tensor copy;
	TRY(tarn_tensor_convert(t, wider, &copy));
	tarn_err err = write_plain(path, &copy);
	tarn_tensor_fini(&copy);
	return err;
}
