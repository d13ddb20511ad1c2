/* SPDX-License-Identifier: Apache-2.0 */
/* Layers under construction: references, constants, names. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "fmt/ovir/writer.h"

enum { ALIGN = 64 };
static const ovir_ref nowhere = {-1, 0};

void ovir_fail(ovir_writer *w, tarn_err err)
{
	if (w->err == TARN_OK)
		w->err = err;
}

const char *ovir_text(ovir_writer *w, const char *fmt, ...)
{
	tarn_str s = {0};
	va_list ap;
	va_start(ap, fmt);
	tarn_str_vaddf(&s, fmt, ap);
	va_end(ap);
	const char *text = tarn_str_done(&s) == TARN_OK ? tarn_arena_strndup(&w->a, s.len ? s.at : "", s.len) : NULL;
	tarn_str_fini(&s);
	if (!text)
		ovir_fail(w, tarn_err_nomem(64));
	return text ? text : "";
}

const char *ovir_ints_text(ovir_writer *w, const int64_t *at, int n)
{
	const char *s = "";
	for (int i = 0; i < n; i++)
		s = ovir_text(w, "%s%s%lld", s, i ? "," : "", (long long)at[i]);
	return s;
}

const char *ovir_sub(ovir_writer *w, const tarn_node *n, const char *suffix)
{
	return ovir_text(w, "%s/%s", n->name, suffix);
}

const tarn_value *ovir_value_of(const tarn_node *n, int i)
{
	return i < n->n_in ? n->in[i] : NULL;
}

/* A layer's slot; NULL after an error. */
static ovir_wlayer *layer_new(ovir_writer *w, const char *const *attrs, const ovir_ref *in, int n_in, int n_out)
{
	if (w->err != TARN_OK)
		return NULL;
	ovir_wlayer l = {.n_in = n_in, .n_out = n_out};
	int n = 0;
	while (attrs && attrs[n])
		n++;
	l.in = tarn_arena_memdup(&w->a, in ? (const void *)in : &nowhere, (size_t)(n_in ? n_in : 1) * sizeof *l.in);
	l.out = tarn_arena_zalloc(&w->a, (size_t)n_out + 1, sizeof *l.out);
	if (attrs)
		l.attr = tarn_arena_memdup(&w->a, attrs, ((size_t)n + 1) * sizeof *attrs);
	if (!l.in || !l.out || (attrs && !l.attr)) {
		ovir_fail(w, tarn_err_nomem(64));
		return NULL;
	}
	tarn_err err = VEC_GROW(&w->layer);
	if (err != TARN_OK) {
		ovir_fail(w, err);
		return NULL;
	}
	w->layer.at[w->layer.len] = l;
	return &w->layer.at[w->layer.len++];
}

ovir_ref ovir_put(ovir_writer *w, const char *type, const char *version, const char *name, const char *const *attrs,
		  const ovir_ref *in, int n_in, tarn_dtype otype, const tarn_shape *oshape)
{
	ovir_wlayer *l = layer_new(w, attrs, in, n_in, 1);
	if (!l)
		return nowhere;
	l->type = type;
	l->version = version;
	l->name = name;
	l->out[0].type = otype;
	l->out[0].shape = *oshape;
	return (ovir_ref){(int)w->layer.len - 1, 0};
}

/* ---- names ---- */

/* The value's name and aliases as the attribute `names`: commas inside names carry a backslash. */
static const char *names_of(ovir_writer *w, const tarn_value *v)
{
	tarn_str s = {0};
	for (const char *p = v->name; *p; p++) {
		if (*p == ',' || *p == '\\')
			tarn_str_add(&s, "\\");
		tarn_str_add_n(&s, p, 1);
	}
	if (v->aliases)
		tarn_str_addf(&s, ",%s", v->aliases);
	const char *text = ovir_text(w, "%s", s.len ? s.at : "");
	if (tarn_str_done(&s) != TARN_OK)
		ovir_fail(w, tarn_err_nomem(64));
	tarn_str_fini(&s);
	return text;
}

static void out_set(ovir_writer *w, ovir_out *o, const tarn_value *v, int layer, int port, const char *names)
{
	o->type = v->type;
	o->shape = v->shape;
	o->names = names;
	w->ref[v->id] = (ovir_ref){layer, port};
}

void ovir_put_node(ovir_writer *w, const tarn_node *n, const char *type, const char *version, const char *const *attrs,
		   const ovir_ref *in, int n_in)
{
	ovir_wlayer *l = layer_new(w, attrs, in, n_in, n->n_out);
	if (!l)
		return;
	l->type = type;
	l->version = version;
	l->name = n->name;
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i])
			out_set(w, &l->out[i], n->out[i], (int)w->layer.len - 1, i, names_of(w, n->out[i]));
}

void ovir_two_outputs(ovir_writer *w, ovir_wlayer *l)
{
	ovir_out *out = tarn_arena_zalloc(&w->a, 2, sizeof *out);
	if (!out) {
		ovir_fail(w, tarn_err_nomem(sizeof *out));
		return;
	}
	out[0] = l->out[0];
	out[1] = l->n_out > 1 ? l->out[1] : (ovir_out){0};
	out[1].type = TARN_I64;
	out[1].shape = l->out[0].shape;
	l->out = out;
	l->n_out = 2;
}

void ovir_alias(ovir_writer *w, const tarn_value *v, ovir_ref r)
{
	if (w->err != TARN_OK)
		return;
	ovir_out *o = &w->layer.at[r.layer].out[r.port];
	w->ref[v->id] = r;
	o->names = o->names && *o->names ? ovir_text(w, "%s,%s", o->names, names_of(w, v)) : names_of(w, v);
}

/* ---- constants ---- */

typedef struct blob {
	size_t at, size;
} blob;

/* Where the bytes are in bin; equal bytes are written once. */
static size_t blob_put(ovir_writer *w, const void *bytes, size_t n)
{
	static const char zero[ALIGN];
	const char *key = ovir_text(w, "%016llx:%zx", (unsigned long long)tarn_hash(bytes, n, 0), n);
	blob *b = tarn_map_find(&w->blob, key);
	if (b && !memcmp(w->bin->at + b->at, bytes, n))
		return b->at;
	tarn_str_add_n(w->bin, zero, (ALIGN - w->bin->len % ALIGN) % ALIGN);
	size_t at = w->bin->len;
	tarn_str_add_n(w->bin, bytes, n);
	b = tarn_arena_alloc(&w->a, sizeof *b);
	if (!b) {
		ovir_fail(w, tarn_err_nomem(sizeof *b));
		return at;
	}
	*b = (blob){at, n};
	tarn_err err = tarn_map_put(&w->blob, key, b);
	if (err == TARN_OK && w->bin->failed)
		err = tarn_err_nomem(n);
	if (err != TARN_OK)
		ovir_fail(w, err);
	return at;
}

ovir_ref ovir_put_tensor(ovir_writer *w, const char *name, const tarn_tensor *t)
{
	if (w->err != TARN_OK)
		return nowhere;
	if (t->type == TARN_STRING) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED,
					  "the constant '%.200s' holds text, which the IR writer does not write", name));
		return nowhere;
	}
	size_t n = tarn_tensor_bytes(t), at = n ? blob_put(w, t->data, n) : 0;
	tarn_shape shape = tarn_tensor_shape(t);
	const char *attrs[] = {"element_type",
			       tarn_dtype_info(t->type)->word,
			       "shape",
			       ovir_ints_text(w, t->dim, t->rank),
			       "offset",
			       ovir_text(w, "%zu", at),
			       "size",
			       ovir_text(w, "%zu", n),
			       NULL};
	return ovir_put(w, "Const", "opset1", name, attrs, NULL, 0, t->type, &shape);
}

ovir_ref ovir_put_ints(ovir_writer *w, const char *name, tarn_dtype type, const int64_t *at, int n)
{
	int64_t dim = n;
	tarn_tensor t = {0};
	tarn_err err = tarn_tensor_new(type, n >= 0, &dim, &t);
	if (err != TARN_OK) {
		ovir_fail(w, err);
		return nowhere;
	}
	for (int i = 0; i < (n < 0 ? 1 : n); i++)
		tarn_tensor_set_i64(&t, i, at[i]);
	ovir_ref r = ovir_put_tensor(w, name, &t);
	tarn_tensor_fini(&t);
	return r;
}

ovir_ref ovir_put_float(ovir_writer *w, const char *name, tarn_dtype type, double v)
{
	tarn_tensor t = {0};
	tarn_err err = tarn_tensor_new(type, 0, NULL, &t);
	if (err != TARN_OK) {
		ovir_fail(w, err);
		return nowhere;
	}
	tarn_tensor_set_f64(&t, 0, v);
	ovir_ref r = ovir_put_tensor(w, name, &t);
	tarn_tensor_fini(&t);
	return r;
}

/* A constant that came from an IR keeps layer name, spelling of its attributes and port names. */
static void const_spell(ovir_writer *w, const tarn_value *v, ovir_wlayer *l)
{
	ovir_spelling s;
	if (!v->spelling || ovir_spelling_unpack(v->spelling, &w->a, &s) != TARN_OK || s.n_out != 1)
		return;
	tarn_shape shape = {.rank = -1}, have = tarn_tensor_shape(v->konst);
	int64_t lo[TARN_MAX_RANK], hi[TARN_MAX_RANK];
	for (int i = 0; i < 2 * s.n_attr; i += 2) {
		for (int k = 0; l->attr[k]; k += 2)
			if (!strcmp(l->attr[k], s.attr[i]) && !strcmp(s.attr[i], "shape") &&
			    ovir_shape_parse(s.attr[i + 1], &shape, lo, hi) == TARN_OK && tarn_shape_same(&shape, &have))
				l->attr[k + 1] = s.attr[i + 1];
	}
	l->name = s.name;
	l->out[0].names = !strcmp(v->name, s.out[0]) ? (*s.names[0] ? s.names[0] : NULL) : names_of(w, v);
}

ovir_ref ovir_ref_of(ovir_writer *w, const tarn_value *v)
{
	if (w->err != TARN_OK || !v)
		return nowhere;
	if (w->ref[v->id].layer >= 0)
		return w->ref[v->id];
	if (!v->konst) {
		ovir_fail(w, tarn_err_set(TARN_INTERNAL, "the value '%.200s' is used before it is made", v->name));
		return nowhere;
	}
	ovir_ref r = ovir_put_tensor(w, v->name, v->konst);
	if (w->err == TARN_OK)
		const_spell(w, v, &w->layer.at[r.layer]);
	return w->ref[v->id] = r;
}

/* ---- layers as the file had them ---- */

static bool same_tensor(const tarn_tensor *a, const tarn_tensor *b)
{
	return a == b ||
	       (a && b && a->type == b->type && a->rank == b->rank &&
		!memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) && !memcmp(a->data, b->data, tarn_tensor_bytes(a)));
}

static bool same_attr(const tarn_attr_def *d, const tarn_attr *a, const tarn_attr *b)
{
	if (a->set != b->set)
		return false;
	if (!a->set)
		return true;
	switch (d->kind) {
	case TARN_ATTR_FLOAT:
		return a->f == b->f;
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		return !strcmp(a->s, b->s);
	case TARN_ATTR_TENSOR:
		return same_tensor(a->t, b->t);
	case TARN_ATTR_INTS:
		return a->ints.n == b->ints.n &&
		       (!a->ints.n || !memcmp(a->ints.at, b->ints.at, (size_t)a->ints.n * sizeof *a->ints.at));
	case TARN_ATTR_FLOATS:
		return a->floats.n == b->floats.n &&
		       (!a->floats.n || !memcmp(a->floats.at, b->floats.at, (size_t)a->floats.n * sizeof *a->floats.at));
	default:
		return a->i == b->i;
	}
}

static bool same_node(const tarn_node *a, const tarn_node *b)
{
	if (a->op != b->op || a->n_in != b->n_in || a->n_out != b->n_out)
		return false;
	for (int i = 0; i < a->n_in; i++) {
		const tarn_value *x = a->in[i], *y = b->in[i];
		if (x != y && !(x && y && x->konst && y->konst && same_tensor(x->konst, y->konst)))
			return false;
	}
	for (int i = 0; i < a->op->n_attr; i++)
		if (!same_attr(&a->op->attr[i], &a->attr[i], &b->attr[i]))
			return false;
	return true;
}

/* The spelled layer, built again from today's values: is it this node? */
static bool still_says(ovir_writer *w, const tarn_node *n, const ovir_spelling *s, tarn_value **in)
{
	const char **attr = tarn_arena_zalloc(&w->a, 2 * (size_t)s->n_attr + 1, sizeof *attr);
	if (!attr)
		return false;
	memcpy(attr, s->attr, 2 * (size_t)s->n_attr * sizeof *attr);
	ovir_layer l = {
		.type = s->type, .version = s->version, .name = s->name, .attr = attr, .n_in = s->n_in, .n_out = s->n_out};
	ovir_build b = {.g = w->scratch->main, .l = &l, .in = in, .a = &w->a};
	if (ovir_build_layer(&b) != TARN_OK) {
		tarn_err_clear();
		return false;
	}
	return b.made == 1 && same_node(n, b.node);
}

bool ovir_put_spelled(ovir_writer *w, const tarn_node *n)
{
	ovir_spelling s;
	if (!n->spelling || n->n_body || ovir_spelling_unpack(n->spelling, &w->a, &s) != TARN_OK || s.n_out != n->n_out)
		return false;
	tarn_value **in = tarn_arena_zalloc(&w->a, (size_t)s.n_in + 1, sizeof *in);
	ovir_ref *ref = tarn_arena_zalloc(&w->a, (size_t)s.n_in + 1, sizeof *ref);
	if (!in || !ref)
		return false;
	for (int i = 0; i < s.n_in; i++)
		if (!(in[i] = tarn_map_find(&w->value, s.in[i])) || (!in[i]->konst && w->ref[in[i]->id].layer < 0))
			return false;
	if (!still_says(w, n, &s, in))
		return false;
	for (int i = 0; i < s.n_in; i++)
		ref[i] = ovir_ref_of(w, in[i]);
	ovir_put_node(w, n, s.type, s.version, s.n_attr ? s.attr : NULL, ref, s.n_in);
	if (w->err != TARN_OK)
		return true;
	ovir_wlayer *l = &w->layer.at[w->layer.len - 1];
	l->name = s.name;
	l->bare = s.bare;
	if (n->n_out == 2 && !strcmp(s.type, "MaxPool"))
		ovir_two_outputs(w, l);
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i] && !strcmp(n->out[i]->name, s.out[i]))
			l->out[i].names = *s.names[i] ? s.names[i] : NULL;
	return true;
}
