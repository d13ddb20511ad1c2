/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/onnx/wire.h"

#include <string.h>

/* Wire types, as bits. */
enum { V = 1 << 0, F8 = 1 << 1, L = 1 << 2, F4 = 1 << 5 };
enum { MANY = 1, RAW = 2 };

/* Messages from the root down to the deepest part of the deepest body: 3 a body (node, attribute, graph), and the rest. */
enum { MAX_DEPTH = 3 * ONNX_MAX_BODIES + 12 };

typedef enum msg {
	M_NONE,
	M_MODEL,
	M_OPSET,
	M_ENTRY,
	M_FUNCTION,
	M_GRAPH,
	M_EMPTY,
	M_NODE,
	M_ATTR,
	M_TENSOR,
	M_SHAPE,
	M_DIM,
	M_TYPE,
	M_TENSOR_TYPE,
	M_VALUE,
	M_COUNT
} msg;

typedef struct field {
	unsigned no;
	int wire; /* allowed wire types */
	int flags;
	msg sub;
} field;

enum { MAX_FIELDS = 16 };
/* Ends at a row with no 0. What a file has beyond these rows is dropped. */
static const field fields[M_COUNT][MAX_FIELDS] = {
	[M_MODEL] = {{1, V},
		     {2, L},
		     {3, L},
		     {4, L},
		     {5, V},
		     {6, L},
		     {7, L, 0, M_GRAPH},
		     {8, L, MANY, M_OPSET},
		     {14, L, MANY, M_ENTRY},
		     {25, L, MANY, M_FUNCTION}},
	[M_OPSET] = {{1, L}, {2, V}},
	[M_ENTRY] = {{1, L}, {2, L}},
	[M_FUNCTION] = {{1, L}},
	[M_GRAPH] = {{1, L, MANY, M_NODE},
		     {2, L},
		     {5, L, MANY, M_TENSOR},
		     {11, L, MANY, M_VALUE},
		     {12, L, MANY, M_VALUE},
		     {15, L, MANY, M_EMPTY}},
	[M_NODE] = {{1, L, MANY}, {2, L, MANY}, {3, L}, {4, L}, {5, L, MANY, M_ATTR}, {7, L}},
	[M_ATTR] = {{1, L},
		    {2, F4},
		    {3, V},
		    {4, L},
		    {5, L, 0, M_TENSOR},
		    {6, L, 0, M_GRAPH},
		    {7, F4 | L, MANY},
		    {8, V | L, MANY},
		    {9, L, MANY},
		    {20, V},
		    {21, L}},
	[M_TENSOR] = {{1, V | L, MANY},
		      {2, V},
		      {4, F4 | L, MANY},
		      {5, V | L, MANY},
		      {6, L, MANY},
		      {7, V | L, MANY},
		      {8, L},
		      {9, L, RAW},
		      {10, F8 | L, MANY},
		      {11, V | L, MANY},
		      {13, L, MANY, M_ENTRY},
		      {14, V}},
	[M_SHAPE] = {{1, L, MANY, M_DIM}},
	[M_DIM] = {{1, V}, {2, L}},
	[M_TYPE] = {{1, L, 0, M_TENSOR_TYPE}, {4, L, 0, M_EMPTY}, {5, L, 0, M_EMPTY}, {8, L, 0, M_EMPTY}, {9, L, 0, M_EMPTY}},
	[M_TENSOR_TYPE] = {{1, V}, {2, L, 0, M_SHAPE}},
	[M_VALUE] = {{1, L}, {2, L, 0, M_TYPE}},
};

typedef struct scan {
	const uint8_t *at;
	tarn_str *out;
} scan;

static bool varint(const scan *s, size_t *pos, size_t end, uint64_t *v)
{
	*v = 0;
	for (int shift = 0; shift < 70 && *pos < end; shift += 7) {
		uint8_t b = s->at[(*pos)++];
		if (shift < 64)
			*v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return true;
	}
	return false;
}

static void put_varint(tarn_str *out, uint64_t v)
{
	char buf[10];
	size_t n = 0;
	do {
		buf[n++] = (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
	} while (v);
	tarn_str_add_n(out, buf, n);
}

static void put_fixed64(tarn_str *out, unsigned no, uint64_t v)
{
	char buf[8];
	for (int i = 0; i < 8; i++)
		buf[i] = (char)(v >> 8 * i);
	put_varint(out, (uint64_t)no << 3 | 1);
	tarn_str_add_n(out, buf, 8);
}

/* The payload of one field: its first and last + 1 byte; for a length-delimited one, what follows the length. */
static tarn_err payload(const scan *s, int wire, size_t *pos, size_t end, size_t *start)
{
	uint64_t v;
	size_t at = *pos;
	switch (wire) {
	case 0:
		*start = at;
		CHECK(varint(s, pos, end, &v), TARN_BAD_FILE, "damaged at byte %zu (number cut off); get the file again", at);
		return TARN_OK;
	case 1:
	case 5: {
		size_t size = wire == 1 ? 8 : 4;
		CHECK(end - at >= size, TARN_BAD_FILE, "damaged at byte %zu (number cut off); get the file again", at);
		*start = at;
		*pos = at + size;
		return TARN_OK;
	}
	case 2:
		CHECK(varint(s, pos, end, &v) && v <= end - *pos, TARN_BAD_FILE,
		      "damaged or cut off at byte %zu (a part is longer than what holds it); get the file again", at);
		*start = *pos;
		*pos += (size_t)v;
		return TARN_OK;
	default:
		return tarn_err_set(TARN_BAD_FILE, "damaged at byte %zu (wire type %d); get the file again", at, wire);
	}
}

static const field *field_find(msg m, uint64_t no, int *index)
{
	for (int i = 0; i < MAX_FIELDS && fields[m][i].no; i++)
		if (fields[m][i].no == no) {
			*index = i;
			return &fields[m][i];
		}
	return NULL;
}

static tarn_err copy_message(scan *s, msg m, size_t pos, size_t end, int depth);

/* A message inside: its length is not known yet, so five bytes are set aside for it. */
static tarn_err copy_sub(scan *s, msg m, uint64_t tag, size_t start, size_t end, int depth)
{
	put_varint(s->out, tag);
	size_t hole = s->out->len;
	tarn_str_add_n(s->out, "\0\0\0\0", 5);
	TRY(copy_message(s, m, start, end, depth + 1));
	if (s->out->failed)
		return tarn_err_nomem(s->out->cap);
	uint64_t size = s->out->len - hole - 5;
	CHECK(size <= INT32_MAX, TARN_BAD_FILE, "more than 2 GiB of description; such a model is not supported");
	for (int i = 0; i < 5; i++)
		s->out->at[hole + (size_t)i] = (char)((size >> 7 * i & 0x7f) | (i < 4 ? 0x80 : 0));
	return TARN_OK;
}

static tarn_err copy_message(scan *s, msg m, size_t pos, size_t end, int depth)
{
	CHECK(depth <= MAX_DEPTH, TARN_BAD_FILE, "graphs are nested more than %d deep; flatten the model", ONNX_MAX_BODIES);
	unsigned seen = 0;
	while (pos < end) {
		size_t at = pos, start = pos;
		uint64_t tag;
		CHECK(varint(s, &pos, end, &tag) && tag >> 3 != 0 && tag >> 3 < (1u << 29), TARN_BAD_FILE,
		      "damaged at byte %zu (no field begins here); get the file again", at);
		int wire = (int)(tag & 7), index = 0;
		TRY(payload(s, wire, &pos, end, &start));
		const field *f = field_find(m, tag >> 3, &index);
		if (!f)
			continue;
		CHECK(f->wire >> wire & 1, TARN_BAD_FILE, "damaged at byte %zu (field %u has wire type %d); get the file again",
		      at, f->no, wire);
		if (!(f->flags & MANY)) {
			CHECK(!(seen >> index & 1), TARN_BAD_FILE,
			      "damaged at byte %zu (field %u stands twice); get the file again", at, f->no);
			seen |= 1u << index;
		}
		if (f->sub) {
			TRY(copy_sub(s, f->sub, tag, start, pos, depth));
		} else if (f->flags & RAW) {
			put_fixed64(s->out, 1000, start);
			put_fixed64(s->out, 1001, pos - start);
		} else {
			tarn_str_add_n(s->out, (const char *)s->at + at, pos - at);
		}
		if (s->out->failed)
			return tarn_err_nomem(s->out->cap);
	}
	return TARN_OK;
}

tarn_err onnx_wire_skeleton(onnx_wire_root root, const uint8_t *at, size_t n, tarn_str *out)
{
	scan s = {.at = at, .out = out};
	TRY(copy_message(&s, root == ONNX_WIRE_MODEL ? M_MODEL : M_TENSOR, 0, n, 0));
	CHECK(out->len <= INT32_MAX, TARN_BAD_FILE, "more than 2 GiB of description; such a model is not supported");
	return tarn_str_done(out);
}
