/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a .npy file: magic, version, length and a Python dictionary of three known keys (numpy's NEP 1). */
#include <string.h>

#include "fmt/npy/npy.h"

typedef struct cursor {
	const char *at, *end;
} cursor;

static void skip_blank(cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n'))
		c->at++;
}

/* True, and past it, when the next character other than white space is `ch`. */
static bool accept(cursor *c, char ch)
{
	skip_blank(c);
	if (c->at == c->end || *c->at != ch)
		return false;
	c->at++;
	return true;
}

static bool accept_word(cursor *c, const char *word)
{
	size_t n = strlen(word);
	skip_blank(c);
	if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n))
		return false;
	c->at += n;
	return true;
}

/* A quoted string without escapes, at most cap - 1 characters. */
static bool accept_string(cursor *c, char *text, size_t cap)
{
	char quote = accept(c, '\'') ? '\'' : accept(c, '"') ? '"' : 0;
	if (!quote)
		return false;
	size_t n = 0;
	while (c->at < c->end && *c->at != quote) {
		if (*c->at == '\\' || n + 1 >= cap)
			return false;
		text[n++] = *c->at++;
	}
	text[n] = 0;
	return accept(c, quote);
}

static tarn_err parse_dim(cursor *c, int64_t *dim)
{
	skip_blank(c);
	const char *start = c->at;
	int64_t v = 0;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
		v = v * 10 + (*c->at - '0');
		CHECK(v <= TARN_DIM_MAX, TARN_BAD_FILE, "npy header: a size in 'shape' is too large");
	}
	CHECK(c->at > start, TARN_BAD_FILE, "npy header: 'shape' is not a tuple of sizes");
	*dim = v;
	return TARN_OK;
}

static tarn_err parse_shape(cursor *c, tarn_npy_header *h)
{
	CHECK(accept(c, '('), TARN_BAD_FILE, "npy header: 'shape' is not a tuple");
	h->rank = 0;
	bool comma = true;
	while (!accept(c, ')')) {
		CHECK(comma, TARN_BAD_FILE, "npy header: a comma is missing in 'shape'");
		CHECK(h->rank < TARN_MAX_RANK, TARN_UNSUPPORTED, "the array has more than %d axes", TARN_MAX_RANK);
		TRY(parse_dim(c, &h->dim[h->rank]));
		h->rank++;
		comma = accept(c, ',');
	}
	CHECK(h->rank != 1 || comma, TARN_BAD_FILE, "npy header: 'shape' is a number, not a tuple");
	return TARN_OK;
}

static tarn_err parse_descr(cursor *c, tarn_npy_header *h)
{
	char descr[16];
	CHECK(accept_string(c, descr, sizeof descr), TARN_UNSUPPORTED,
	      "the array has no plain element type (structured or object arrays are not read); save numbers");
	const char *kind = descr;
	char order = '<';
	if (*kind && strchr("<>=|", *kind))
		order = *kind++;
	/* The table spells little-endian, or "|" for single bytes; this library runs on little-endian machines only. */
	char key[24] = {strlen(kind) == 2 && kind[1] == '1' ? '|' : '<'};
	strcpy(key + 1, kind);
	h->type = tarn_dtype_of_npy(key);
	CHECK(h->type != TARN_DTYPE_NONE, TARN_UNSUPPORTED, "element type '%s' is not read; save it as float32 or int64, say",
	      descr);
	h->swap = order == '>' && tarn_dtype_info(h->type)->bits > 8;
	return TARN_OK;
}

static tarn_err parse_dict(cursor *c, tarn_npy_header *h)
{
	enum { DESCR = 1, ORDER = 2, SHAPE = 4 };
	int seen = 0;
	bool comma = true;
	CHECK(accept(c, '{'), TARN_BAD_FILE, "npy header is not a dictionary");
	while (!accept(c, '}')) {
		char key[24];
		CHECK(comma && accept_string(c, key, sizeof key) && accept(c, ':'), TARN_BAD_FILE, "npy header is malformed");
		int bit = !strcmp(key, "descr")           ? DESCR
			  : !strcmp(key, "fortran_order") ? ORDER
			  : !strcmp(key, "shape")         ? SHAPE
							  : 0;
		CHECK(bit && !(seen & bit), TARN_BAD_FILE, "npy header: key '%s' is %s", key, bit ? "there twice" : "unknown");
		seen |= bit;
		if (bit == DESCR) {
			TRY(parse_descr(c, h));
		} else if (bit == SHAPE) {
			TRY(parse_shape(c, h));
		} else {
			h->fortran = accept_word(c, "True");
			CHECK(h->fortran || accept_word(c, "False"), TARN_BAD_FILE,
			      "npy header: 'fortran_order' is no truth value");
		}
		comma = accept(c, ',');
	}
	skip_blank(c);
	CHECK(c->at == c->end, TARN_BAD_FILE, "npy header has text after its dictionary");
	CHECK(seen == (DESCR | ORDER | SHAPE), TARN_BAD_FILE, "npy header lacks '%s'",
	      !(seen & DESCR)   ? "descr"
	      : !(seen & ORDER) ? "fortran_order"
				: "shape");
	return TARN_OK;
}

tarn_err tarn_npy_parse(const uint8_t *at, size_t n, tarn_npy_header *h)
{
	CHECK(n >= 10 && !memcmp(at, "\x93NUMPY", 6), TARN_BAD_FILE, "not an npy file");
	int major = at[6];
	CHECK(major >= 1 && major <= 3 && at[7] == 0, TARN_UNSUPPORTED, "npy version %d.%d is not read; versions 1 to 3 are",
	      major, at[7]);
	size_t start = major == 1 ? 10 : 12, len = at[8] | (size_t)at[9] << 8;
	CHECK(n >= start, TARN_BAD_FILE, "the npy file ends inside its header");
	if (major > 1)
		len |= (size_t)at[10] << 16 | (size_t)at[11] << 24;
	CHECK(len <= NPY_MAX_HEADER, TARN_BAD_FILE, "npy header of %zu bytes; at most %d are read", len, NPY_MAX_HEADER);
	CHECK(len <= n - start, TARN_BAD_FILE, "the npy file ends inside its header");
	tarn_npy_header r = {.offset = start + len};
	cursor c = {(const char *)at + start, (const char *)at + start + len};
	TRY(parse_dict(&c, &r));
	tarn_shape s = tarn_shape_of(r.rank, r.dim);
	int64_t count;
	TRY(tarn_shape_count(&s, &count));
	CHECK(tarn_dtype_bytes(r.type, (size_t)count, &r.bytes), TARN_BAD_FILE, "the npy array is too large");
	CHECK(r.bytes <= n - r.offset, TARN_BAD_FILE,
	      "the npy file is cut short: its header promises %zu bytes of elements, %zu are there", r.bytes, n - r.offset);
	*h = r;
	return TARN_OK;
}
