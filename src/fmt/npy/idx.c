/* SPDX-License-Identifier: Apache-2.0 */
/* idx files. The header tells the size before anything is unpacked, so that a small file cannot ask for much memory. */
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "fmt/npy/bytes.h"
#include "fmt/npy/npy.h"

typedef struct source {
	const uint8_t *at; /* the file */
	size_t size;
	size_t pos;  /* plain files only */
	bool packed; /* gzip */
	z_stream z;
} source;

static voidpf z_alloc(voidpf ctx, uInt items, uInt size)
{
	(void)ctx;
	return tarn_mem_zalloc(items, size);
}

static void z_free(voidpf ctx, voidpf p)
{
	(void)ctx;
	tarn_mem_free(p);
}

static tarn_err source_init(source *s, const uint8_t *at, size_t n)
{
	*s = (source){.at = at, .size = n, .packed = n >= 2 && at[0] == 0x1f && at[1] == 0x8b};
	if (!s->packed)
		return TARN_OK;
	CHECK(n <= IDX_MAX_BYTES, TARN_BAD_FILE, "the compressed file is larger than %d bytes; unpack it", IDX_MAX_BYTES);
	s->z = (z_stream){.zalloc = z_alloc, .zfree = z_free, .next_in = (Bytef *)(uintptr_t)at, .avail_in = (uInt)n};
	CHECK(inflateInit2(&s->z, 16 + MAX_WBITS) == Z_OK, TARN_NOMEM, "out of memory for unpacking");
	return TARN_OK;
}

static void source_fini(source *s)
{
	if (s->packed)
		inflateEnd(&s->z);
}

static tarn_err source_read(source *s, void *to, size_t n)
{
	if (!s->packed) {
		CHECK(n <= s->size - s->pos, TARN_BAD_FILE, "the idx file is cut short");
		if (n)
			memcpy(to, s->at + s->pos, n);
		s->pos += n;
		return TARN_OK;
	}
	s->z.next_out = to;
	s->z.avail_out = (uInt)n;
	while (s->z.avail_out) {
		int rc = inflate(&s->z, Z_NO_FLUSH);
		CHECK(rc == Z_OK || (rc == Z_STREAM_END && !s->z.avail_out), TARN_BAD_FILE, "the gzip data is %s",
		      rc == Z_BUF_ERROR || rc == Z_STREAM_END ? "cut short" : "damaged");
		/* The checksum follows the last element; only source_end looks at it. */
	}
	return TARN_OK;
}

/* Nothing may follow, and the gzip checksum must hold. */
static tarn_err source_end(source *s)
{
	if (!s->packed) {
		CHECK(s->pos == s->size, TARN_BAD_FILE, "%zu bytes after the last element of the idx file", s->size - s->pos);
		return TARN_OK;
	}
	uint8_t more;
	s->z.next_out = &more;
	s->z.avail_out = 1;
	int rc = inflate(&s->z, Z_FINISH);
	CHECK(s->z.avail_out, TARN_BAD_FILE, "the idx file holds more elements than its header says");
	/* A stream that has ended already answers with a buffer error or its end again, depending on zlib's version. */
	CHECK(rc == Z_STREAM_END, TARN_BAD_FILE, "the gzip data is %s", rc == Z_BUF_ERROR ? "cut short" : "damaged");
	return TARN_OK;
}

static tarn_dtype type_of(int code)
{
	switch (code) {
	case 0x08:
		return TARN_U8;
	case 0x09:
		return TARN_I8;
	case 0x0b:
		return TARN_I16;
	case 0x0c:
		return TARN_I32;
	case 0x0d:
		return TARN_F32;
	case 0x0e:
		return TARN_F64;
	default:
		return TARN_DTYPE_NONE;
	}
}

static tarn_err read_tensor(source *s, tarn_tensor *t)
{
	uint8_t head[4], size[4];
	TRY(source_read(s, head, 4));
	tarn_dtype type = type_of(head[2]);
	CHECK(!head[0] && !head[1] && type != TARN_DTYPE_NONE && head[3], TARN_BAD_FILE,
	      "not an idx file; get it again, or give an npy");
	CHECK(head[3] <= TARN_MAX_RANK, TARN_UNSUPPORTED, "the idx file has %d axes; at most %d are read", head[3],
	      TARN_MAX_RANK);
	int64_t dim[TARN_MAX_RANK];
	for (int i = 0; i < head[3]; i++) {
		TRY(source_read(s, size, 4));
		dim[i] = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
	}
	tarn_shape shape = tarn_shape_of(head[3], dim);
	int64_t count;
	size_t bytes, width = (size_t)tarn_dtype_info(type)->bits / 8;
	TRY(tarn_shape_count(&shape, &count));
	bool fits = tarn_dtype_bytes(type, (size_t)count, &bytes);
	/* deflate cannot shrink by more than 1032 to 1. */
	size_t most = s->packed ? s->size * 1032 : s->size;
	CHECK(fits && bytes <= most, TARN_BAD_FILE, "the idx file is cut short: its header promises %lld elements",
	      (long long)count);
	CHECK(!s->packed || bytes <= IDX_MAX_BYTES, TARN_BAD_FILE, "the idx file unpacks to more than %d bytes; unpack it",
	      IDX_MAX_BYTES);
	tarn_tensor r;
	TRY(tarn_tensor_new(type, head[3], dim, &r));
	tarn_err err = source_read(s, r.data, bytes);
	if (err == TARN_OK)
		err = source_end(s);
	if (err != TARN_OK) {
		tarn_tensor_fini(&r);
		return err;
	}
	tarn_bytes_swap(r.data, (size_t)count, width);
	*t = r;
	return TARN_OK;
}

tarn_err tarn_idx_parse_tensor(const uint8_t *at, size_t n, tarn_tensor *t)
{
	source s;
	TRY(source_init(&s, at, n));
	tarn_err err = read_tensor(&s, t);
	source_fini(&s);
	return err;
}
