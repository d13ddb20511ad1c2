/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors and attributes as messages. Bytes of tensors are pointed at, not copied. */
#include <stdio.h>
#include <string.h>

#include "fmt/onnx/onnx.h"
#include "fmt/onnx/writer.h"

/* AttributeProto.AttributeType. */
enum { A_FLOAT = 1, A_INT, A_STRING, A_TENSOR, A_GRAPH, A_FLOATS, A_INTS, A_STRINGS };

enum { SIDE_ALIGN = 64 };

void *onnx_new(onnx_writer *w, size_t count, size_t size)
{
	return tarn_arena_zalloc(&w->arena, count ? count : 1, size);
}

#define NEW(w, p, n) \
	do { \
		(p) = onnx_new((w), (n), sizeof *(p)); \
		if (!(p)) \
			return tarn_err_nomem((n) * sizeof *(p)); \
	} while (0)

static tarn_err text_build(onnx_writer *w, const tarn_tensor *t, Onnx__TensorProto *p)
{
	size_t n = (size_t)tarn_tensor_count(t);
	NEW(w, p->string_data, n);
	p->n_string_data = n;
	for (size_t i = 0; i < n; i++) {
		const char *s = ((const char *const *)t->data)[i];
		p->string_data[i].data = (uint8_t *)onnx_word(s ? s : "");
		p->string_data[i].len = s ? strlen(s) : 0;
	}
	return TARN_OK;
}

static tarn_err entry_build(onnx_writer *w, const char *key, const char *value, Onnx__StringStringEntryProto **out)
{
	Onnx__StringStringEntryProto *e;
	NEW(w, e, 1);
	onnx__string_string_entry_proto__init(e);
	e->key = onnx_word(key);
	e->value = tarn_arena_strdup(&w->arena, value);
	if (!e->value)
		return tarn_err_nomem(strlen(value));
	*out = e;
	return TARN_OK;
}

/* The bytes go behind what the side file has, at an aligned offset. */
static tarn_err side_build(onnx_writer *w, const tarn_tensor *t, Onnx__TensorProto *p)
{
	static const char zeros[SIDE_ALIGN];
	size_t pad = (size_t)(-w->side_size % SIDE_ALIGN), bytes = tarn_tensor_bytes(t);
	TRY(VEC_RESERVE(&w->side_piece, w->side_piece.len + 2));
	if (pad)
		w->side_piece.at[w->side_piece.len++] = (tarn_file_piece){zeros, pad};
	w->side_piece.at[w->side_piece.len++] = (tarn_file_piece){t->data, bytes};
	w->side_size += pad;
	char text[32];
	NEW(w, p->external_data, 3);
	TRY(entry_build(w, "location", w->side_name, &p->external_data[0]));
	snprintf(text, sizeof text, "%llu", (unsigned long long)w->side_size);
	TRY(entry_build(w, "offset", text, &p->external_data[1]));
	snprintf(text, sizeof text, "%zu", bytes);
	TRY(entry_build(w, "length", text, &p->external_data[2]));
	p->n_external_data = 3;
	p->has_data_location = 1;
	p->data_location = 1;
	w->side_size += bytes;
	return TARN_OK;
}

tarn_err onnx_tensor_build(onnx_writer *w, const char *name, const tarn_tensor *t, Onnx__TensorProto **out)
{
	Onnx__TensorProto *p;
	NEW(w, p, 1);
	onnx__tensor_proto__init(p);
	p->name = name ? onnx_word(name) : NULL;
	p->has_data_type = 1;
	p->data_type = tarn_dtype_info(t->type)->onnx;
	NEW(w, p->dims, (size_t)t->rank);
	p->n_dims = (size_t)t->rank;
	for (int i = 0; i < t->rank; i++)
		p->dims[i] = t->dim[i];
	if (t->type == TARN_STRING) {
		TRY(text_build(w, t, p));
	} else if (w->side_name && tarn_tensor_bytes(t) >= ONNX_SIDE_SMALLEST) {
		TRY(side_build(w, t, p));
	} else {
		p->has_raw_data = 1;
		p->raw_data.data = t->data;
		p->raw_data.len = tarn_tensor_bytes(t);
	}
	*out = p;
	return TARN_OK;
}

tarn_err onnx_attr_new(onnx_writer *w, const char *name, int type, Onnx__AttributeProto **out)
{
	Onnx__AttributeProto *p;
	NEW(w, p, 1);
	onnx__attribute_proto__init(p);
	p->name = onnx_word(name);
	p->has_type = 1;
	p->type = type;
	*out = p;
	return TARN_OK;
}

static tarn_err int_attr(onnx_writer *w, const char *name, int64_t v, Onnx__AttributeProto **out)
{
	TRY(onnx_attr_new(w, name, A_INT, out));
	(*out)->has_i = 1;
	(*out)->i = v;
	return TARN_OK;
}

static tarn_err text_attr(onnx_writer *w, const char *name, const char *text, Onnx__AttributeProto **out)
{
	TRY(onnx_attr_new(w, name, A_STRING, out));
	(*out)->has_s = 1;
	(*out)->s.data = (uint8_t *)tarn_arena_strdup(&w->arena, text ? text : "");
	if (!(*out)->s.data)
		return tarn_err_nomem(strlen(text));
	(*out)->s.len = text ? strlen(text) : 0;
	return TARN_OK;
}

/* A list that is kept as one text. */
static tarn_err texts_attr(onnx_writer *w, const char *name, const char *text, Onnx__AttributeProto **out)
{
	size_t n = *text != 0;
	TRY(onnx_attr_new(w, name, A_STRINGS, out));
	for (const char *p = text; *p; p++)
		n += *p == ',';
	NEW(w, (*out)->strings, n);
	for (const char *p = text; n && p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		ProtobufCBinaryData *word = &(*out)->strings[(*out)->n_strings++];
		word->len = strcspn(p, ",");
		word->data = (uint8_t *)onnx_word(p);
	}
	return TARN_OK;
}

static tarn_err attr_build(onnx_writer *w, const tarn_attr_def *d, const tarn_attr *a, Onnx__AttributeProto **out)
{
	char word[64];
	switch (d->kind) {
	case TARN_ATTR_INT:
	case TARN_ATTR_BOOL:
		return int_attr(w, d->name, a->i, out);
	case TARN_ATTR_TYPE:
		return int_attr(w, d->name, tarn_dtype_info((tarn_dtype)a->i)->onnx, out);
	case TARN_ATTR_FLOAT:
		TRY(onnx_attr_new(w, d->name, A_FLOAT, out));
		(*out)->has_f = 1;
		(*out)->f = (float)a->f;
		return TARN_OK;
	case TARN_ATTR_STRING:
		return text_attr(w, d->name, a->s, out);
	case TARN_ATTR_STRINGS:
		return texts_attr(w, d->name, a->s, out);
	case TARN_ATTR_ENUM:
		tarn_words_get(d->words, (int)a->i, word, sizeof word);
		if (w->opset > ONNX_WRITTEN_OPSET && (!strcmp(word, "bilinear") || !strcmp(word, "bicubic")))
			memmove(word, word + 2, strlen(word) - 1); /* GridSample's words from opset 20 on */
		return text_attr(w, d->name, word, out);
	case TARN_ATTR_INTS:
		TRY(onnx_attr_new(w, d->name, A_INTS, out));
		(*out)->n_ints = (size_t)a->ints.n;
		(*out)->ints = (int64_t *)(uintptr_t)a->ints.at;
		return TARN_OK;
	case TARN_ATTR_FLOATS:
		TRY(onnx_attr_new(w, d->name, A_FLOATS, out));
		NEW(w, (*out)->floats, (size_t)a->floats.n);
		(*out)->n_floats = (size_t)a->floats.n;
		for (int i = 0; i < a->floats.n; i++)
			(*out)->floats[i] = (float)a->floats.at[i];
		return TARN_OK;
	case TARN_ATTR_TENSOR:
		TRY(onnx_attr_new(w, d->name, A_TENSOR, out));
		return onnx_tensor_build(w, NULL, a->t, &(*out)->t);
	}
	return tarn_err_set(TARN_INTERNAL, "attribute '%s' is of no kind", d->name);
}

bool onnx_attr_is_default(const tarn_attr_def *d, const tarn_attr *a)
{
	if (d->presence != TARN_ATTR_DEFAULT)
		return false;
	if (d->kind == TARN_ATTR_FLOAT)
		return a->f == d->def;
	return d->kind != TARN_ATTR_INTS && d->kind != TARN_ATTR_FLOATS && d->kind != TARN_ATTR_STRING &&
	       d->kind != TARN_ATTR_STRINGS && d->kind != TARN_ATTR_TENSOR && a->i == (int64_t)d->def;
}

tarn_err onnx_attrs_build(onnx_writer *w, const tarn_node *n, int more, Onnx__NodeProto *p)
{
	NEW(w, p->attribute, (size_t)(n->op->n_attr + more + 1));
	if (w->opset > ONNX_WRITTEN_OPSET && strcmp(n->op->name, "Split") == 0 && (n->n_in < 2 || !n->in[1])) {
		TRY(int_attr(w, "num_outputs", n->n_out, &p->attribute[p->n_attribute]));
		p->n_attribute++;
	}
	bool axes_are_input = w->opset > ONNX_WRITTEN_OPSET && onnx_axes_are_attribute(n->op);
	for (int i = 0; i < n->op->n_attr; i++)
		if (n->attr[i].set && !(axes_are_input && strcmp(n->op->attr[i].name, "axes") == 0) &&
		    strcmp(n->op->attr[i].name, "num_outputs") != 0 && /* the outputs say it */
		    !onnx_attr_is_default(&n->op->attr[i], &n->attr[i])) {
			TRY(attr_build(w, &n->op->attr[i], &n->attr[i], &p->attribute[p->n_attribute]));
			p->n_attribute++;
		}
	return TARN_OK;
}
