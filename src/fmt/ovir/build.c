/* SPDX-License-Identifier: Apache-2.0 */
/* One layer -> nodes: the row of its type chooses operator and inputs, the operator's schema takes the attributes. */
#include <string.h>
#include <strings.h>

#include "fmt/ovir/layer.h"
#include "ops/ops.h"

enum { MAX_LIST = 4096 }; /* numbers of one attribute */

/* ---- what an operator's import hook may ask ---- */

typedef struct source {
	tarn_import base;
	const ovir_layer *l;
	tarn_arena *a;
} source;

static const source *src_of(const tarn_import *s)
{
	return s->src;
}

static bool find_i(const tarn_import *s, const char *name, int64_t *v)
{
	return ovir_attr(src_of(s)->l, name) && ovir_attr_i(src_of(s)->l, name, 0, v) == TARN_OK;
}

static bool find_f(const tarn_import *s, const char *name, double *v)
{
	return ovir_attr(src_of(s)->l, name) && ovir_attr_f(src_of(s)->l, name, 0, v) == TARN_OK;
}

static bool find_s(const tarn_import *s, const char *name, const char **v)
{
	*v = ovir_attr(src_of(s)->l, name);
	return *v != NULL;
}

static size_t list_room(const char *text)
{
	size_t n = 1;
	for (; *text; text++)
		n += *text == ',';
	return n < MAX_LIST ? n : MAX_LIST;
}

static bool find_ints(const tarn_import *s, const char *name, const int64_t **at, int *n)
{
	const char *text = ovir_attr(src_of(s)->l, name);
	int64_t *list = text ? tarn_arena_zalloc(src_of(s)->a, list_room(text), sizeof *list) : NULL;
	*at = list;
	return list && ovir_ints(text, list, (int)list_room(text), n);
}

static bool find_floats(const tarn_import *s, const char *name, const double **at, int *n)
{
	const char *text = ovir_attr(src_of(s)->l, name);
	double *list = text ? tarn_arena_zalloc(src_of(s)->a, list_room(text), sizeof *list) : NULL;
	*at = list;
	return list && ovir_floats(text, list, (int)list_room(text), n);
}

/* ---- attributes whose names the schema has ---- */

static tarn_err attr_list(ovir_build *b, int i, const char *text)
{
	const tarn_attr_def *d = &b->node->op->attr[i];
	source s = {.l = b->l, .a = b->a};
	s.base.src = &s;
	int n = 0;
	if (d->kind == TARN_ATTR_INTS) {
		const int64_t *at;
		CHECK(find_ints(&s.base, d->name, &at, &n), TARN_BAD_FILE, "attribute %s=\"%.60s\" is no list of integers",
		      d->name, text);
		return tarn_attr_set_ints(b->g, b->node, i, at, n);
	}
	const double *at;
	CHECK(find_floats(&s.base, d->name, &at, &n), TARN_BAD_FILE, "attribute %s=\"%.60s\" is no list of numbers", d->name,
	      text);
	return tarn_attr_set_floats(b->g, b->node, i, at, n);
}

static int word_find(const char *words, const char *word)
{
	char w[64];
	for (int i = 0;; i++) {
		tarn_words_get(words, i, w, sizeof w);
		if (!*w)
			return -1;
		if (!strcasecmp(w, word))
			return i;
	}
}

static tarn_err attr_word(ovir_build *b, int i, const char *text)
{
	const tarn_attr_def *d = &b->node->op->attr[i];
	/* The import of windows reads this one. */
	static const char *const pads[] = {"explicit", "notset", "valid", "same_upper", "same_lower"};
	for (size_t k = 0; k < sizeof pads / sizeof *pads && !strcmp(d->name, "auto_pad"); k++)
		if (!strcasecmp(text, pads[k]))
			return TARN_OK;
	int w = word_find(d->words, text);
	CHECK(w >= 0, TARN_UNSUPPORTED, "attribute %s=\"%.60s\" is none of %s", d->name, text, d->words);
	return tarn_attr_set_i(b->node, i, w);
}

static tarn_err attr_set(ovir_build *b, int i, const char *text)
{
	const tarn_attr_def *d = &b->node->op->attr[i];
	int64_t v;
	double f;
	tarn_dtype t;
	switch (d->kind) {
	case TARN_ATTR_INT:
	case TARN_ATTR_BOOL:
		TRY(ovir_attr_i(b->l, d->name, 0, &v));
		return tarn_attr_set_i(b->node, i, v);
	case TARN_ATTR_FLOAT:
		TRY(ovir_attr_f(b->l, d->name, 0, &f));
		return tarn_attr_set_f(b->node, i, f);
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		return tarn_attr_set_str(b->g, b->node, i, text);
	case TARN_ATTR_ENUM:
		return attr_word(b, i, text);
	case TARN_ATTR_TYPE:
		TRY(ovir_attr_type(b->l, d->name, TARN_DTYPE_NONE, &t));
		return tarn_attr_set_i(b->node, i, t);
	case TARN_ATTR_INTS:
	case TARN_ATTR_FLOATS:
		return attr_list(b, i, text);
	default:
		return TARN_OK;
	}
}

static tarn_err attrs_set(ovir_build *b)
{
	for (int i = 0; i < b->node->op->n_attr; i++) {
		const char *text = ovir_attr(b->l, b->node->op->attr[i].name);
		if (text)
			TRY(attr_set(b, i, text));
	}
	return TARN_OK;
}

static tarn_err import(ovir_build *b)
{
	if (!b->node->op->import)
		return TARN_OK;
	source s = {.l = b->l, .a = b->a};
	int64_t opset = 0;
	if (!strncmp(b->l->version, "opset", 5))
		(void)tarn_str_to_i64(b->l->version + 5, &opset);
	s.base = (tarn_import){.graph = b->g,
			       .node = b->node,
			       .opset = (int)opset,
			       .find_i = find_i,
			       .find_f = find_f,
			       .find_s = find_s,
			       .find_ints = find_ints,
			       .find_floats = find_floats,
			       .src = &s};
	return b->node->op->import(&s.base);
}

/* ---- building ---- */

tarn_err ovir_make(ovir_build *b, const char *name, tarn_value *const *in, int n_in, int n_out)
{
	const tarn_op_def *op = tarn_op_find(NULL, name);
	if (!op)
		op = tarn_op_find("com.microsoft", name);
	CHECK(op, TARN_UNSUPPORTED, "operator %s is not supported", name);
	tarn_node *n;
	if (n_out < 0)
		n_out = b->l->n_out;
	CHECK(n_in >= op->min_in && (op->max_in < 0 || n_in <= op->max_in), TARN_BAD_FILE,
	      "it has %d inputs; %d to %d are needed", n_in, op->min_in, op->max_in);
	CHECK(n_out >= op->min_out && (op->max_out < 0 || n_out <= op->max_out), TARN_BAD_FILE,
	      "it has %d outputs; %d to %d are needed", n_out, op->min_out, op->max_out);
	TRY(tarn_node_new(b->g, op, b->l->name, n_in, 0, -1, &n));
	n->out = tarn_arena_zalloc(&b->g->model->arena, (size_t)n_out + 1, sizeof *n->out);
	if (!n->out)
		return tarn_err_nomem((size_t)n_out * sizeof *n->out);
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	n->n_out = n_out;
	/* Unnamed for now, so that they take no name from a tensor of the file. */
	for (int i = 0; i < n_out; i++) {
		TRY(tarn_value_new(b->g, NULL, &n->out[i]));
		n->out[i]->def = n;
		n->out[i]->def_slot = i;
	}
	if (!(n->origin = tarn_arena_strdup(&b->g->model->arena, b->l->version)))
		return tarn_err_nomem(strlen(b->l->version));
	b->node = n;
	b->made++;
	TRY(attrs_set(b));
	return import(b);
}

static tarn_err build(ovir_build *b)
{
	const ovir_type *t = ovir_type_find(b->l->type);
	CHECK(t && ovir_type_has_version(t, b->l->version), TARN_UNSUPPORTED, "layer type '%.80s' of %.40s is not supported",
	      b->l->type, b->l->version);
	int n_in = !t->n_in || t->n_in > b->l->n_in ? b->l->n_in : t->n_in;
	return t->read ? t->read(b) : ovir_make(b, t->op, b->in, n_in, -1);
}

tarn_err ovir_build_layer(ovir_build *b)
{
	b->node = NULL;
	b->made = 0;
	b->out = NULL;
	TRY(build(b));
	CHECK(b->node && (b->out || b->node->n_out == b->l->n_out), TARN_BAD_FILE, "it has %d outputs", b->l->n_out);
	return TARN_OK;
}

tarn_err ovir_const_ints(const ovir_build *b, int input, const char *what, int64_t *at, int max, int *n)
{
	CHECK(input < b->l->n_in, TARN_BAD_FILE, "input %d (%s) is missing", input, what);
	const tarn_tensor *t = b->in[input]->konst;
	CHECK(t, TARN_UNSUPPORTED, "%s is computed by the model; only a constant is supported", what);
	int64_t count = tarn_tensor_count(t);
	CHECK(t->type != TARN_STRING && count <= max, TARN_BAD_FILE, "%s has %lld numbers, at most %d are expected", what,
	      (long long)count, max);
	for (int64_t i = 0; i < count; i++)
		at[i] = tarn_tensor_i64(t, i);
	*n = (int)count;
	return TARN_OK;
}

tarn_err ovir_const_float(const ovir_build *b, int input, const char *what, double *v)
{
	CHECK(input < b->l->n_in, TARN_BAD_FILE, "input %d (%s) is missing", input, what);
	const tarn_tensor *t = b->in[input]->konst;
	CHECK(t, TARN_UNSUPPORTED, "%s is computed by the model; only a constant is supported", what);
	CHECK(t->type != TARN_STRING && tarn_tensor_count(t) == 1, TARN_BAD_FILE, "%s is no single number", what);
	*v = tarn_tensor_f64(t, 0);
	return TARN_OK;
}

tarn_err ovir_reshaped(ovir_build *b, tarn_value *v, const int64_t *dim, int rank, tarn_value **out)
{
	if (v->konst) {
		tarn_tensor t = *v->konst;
		t.rank = rank;
		for (int i = 0; i < rank; i++)
			t.dim[i] = dim[i];
		CHECK(tarn_tensor_count(&t) == tarn_tensor_count(v->konst), TARN_BAD_FILE, "constant '%.100s' has another size",
		      v->name);
		return tarn_value_const(b->g, v->name, &t, out);
	}
	tarn_value *shape;
	TRY(tarn_value_const_i64(b->g, NULL, dim, rank, &shape));
	tarn_node *n;
	TRY(tarn_node_new(b->g, tarn_op_find(NULL, "Reshape"), b->l->name, 2, 1, -1, &n));
	n->in[0] = v;
	n->in[1] = shape;
	n->out[0]->type = v->type;
	n->out[0]->shape = tarn_shape_of(rank, dim);
	*out = n->out[0];
	b->made++;
	return TARN_OK;
}

static tarn_err index_of(const ovir_build *b, const char *name, int *i)
{
	*i = tarn_attr_index(b->node->op, name);
	CHECK(*i >= 0, TARN_INTERNAL, "operator %s has no attribute %s", b->node->op->name, name);
	return TARN_OK;
}

tarn_err ovir_set_i(ovir_build *b, const char *name, int64_t v)
{
	int i;
	TRY(index_of(b, name, &i));
	return tarn_attr_set_i(b->node, i, v);
}

tarn_err ovir_set_f(ovir_build *b, const char *name, double v)
{
	int i;
	TRY(index_of(b, name, &i));
	return tarn_attr_set_f(b->node, i, v);
}

tarn_err ovir_set_ints(ovir_build *b, const char *name, const int64_t *at, int n)
{
	int i;
	TRY(index_of(b, name, &i));
	return tarn_attr_set_ints(b->g, b->node, i, at, n);
}
