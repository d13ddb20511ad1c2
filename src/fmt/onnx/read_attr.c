/* SPDX-License-Identifier: Apache-2.0 */
/* AttributeProto -> attributes of the schema, and what an operator's import hook may ask for. */
#include <string.h>

#include "base/log.h"
#include "fmt/onnx/reader.h"

/* AttributeProto.AttributeType. */
enum { A_UNDEFINED, A_FLOAT, A_INT, A_STRING, A_TENSOR, A_GRAPH, A_FLOATS, A_INTS, A_STRINGS, A_TENSORS, A_GRAPHS, A_COUNT };

static const char *const words[A_COUNT] = {"undefined", "float", "int",     "string",  "tensor", "graph",
					   "floats",    "ints",  "strings", "tensors", "graphs"};

/* Files of the first ONNX versions leave the type out; it follows from what is there. */
static int type_of(const Onnx__AttributeProto *p)
{
	if (p->has_type && p->type > A_UNDEFINED && p->type < A_COUNT)
		return p->type;
	if (p->has_type && p->type != A_UNDEFINED)
		return A_COUNT;
	if (p->has_f)
		return A_FLOAT;
	if (p->has_i)
		return A_INT;
	if (p->has_s)
		return A_STRING;
	if (p->t)
		return A_TENSOR;
	if (p->g)
		return A_GRAPH;
	if (p->n_floats)
		return A_FLOATS;
	if (p->n_strings)
		return A_STRINGS;
	return A_INTS;
}

const Onnx__AttributeProto *onnx_attr_find(const Onnx__NodeProto *p, const char *name)
{
	for (size_t i = 0; i < p->n_attribute; i++)
		if (strcmp(onnx_text(p->attribute[i]->name), name) == 0)
			return p->attribute[i];
	return NULL;
}

static tarn_err expect(const Onnx__AttributeProto *p, int type)
{
	int have = type_of(p);
	CHECK(have == type, TARN_BAD_FILE, "attribute '%s' is of type %s where %s is expected; the model is not valid ONNX",
	      onnx_text(p->name), have < A_COUNT ? words[have] : "unknown", words[type]);
	return TARN_OK;
}

static tarn_err text_copy(onnx_reader *r, const ProtobufCBinaryData *s, const char **out)
{
	*out = tarn_arena_strndup(r->arena, s->len ? (const char *)s->data : "", s->len);
	return *out ? TARN_OK : tarn_err_nomem(s->len + 1);
}

static tarn_err texts_join(onnx_reader *r, const Onnx__AttributeProto *p, const char **out)
{
	tarn_str s = {0};
	for (size_t i = 0; i < p->n_strings; i++) {
		tarn_str_add(&s, i ? "," : "");
		tarn_str_add_n(&s, (const char *)p->strings[i].data, p->strings[i].len);
	}
	tarn_err err = tarn_str_done(&s);
	const char *copy = err == TARN_OK ? tarn_arena_strndup(r->arena, s.at ? s.at : "", s.len) : NULL;
	if (err == TARN_OK && !copy)
		err = tarn_err_nomem(s.len);
	tarn_str_fini(&s);
	*out = copy;
	return err;
}

static tarn_err doubles_copy(onnx_reader *r, const Onnx__AttributeProto *p, const double **out)
{
	double *at = tarn_arena_zalloc(r->arena, p->n_floats + 1, sizeof *at);
	if (!at)
		return tarn_err_nomem(p->n_floats * sizeof *at);
	for (size_t i = 0; i < p->n_floats; i++)
		at[i] = (double)p->floats[i];
	*out = at;
	return TARN_OK;
}

static tarn_err tensor_attr(onnx_reader *r, const Onnx__AttributeProto *p, const tarn_tensor **out)
{
	CHECK(p->t, TARN_BAD_FILE, "attribute '%s' has no tensor; the file is damaged", onnx_text(p->name));
	tarn_tensor *t = tarn_arena_zalloc(r->arena, 1, sizeof *t);
	if (!t)
		return tarn_err_nomem(sizeof *t);
	TRY(onnx_tensor_read(r, p->t, onnx_text(p->name), t));
	tarn_err err = t->buf ? tarn_model_keep(r->model, t->buf) : TARN_OK;
	tarn_buffer_unref(t->buf); /* the model's reference remains */
	TRY(err);
	*out = t;
	return TARN_OK;
}

static tarn_err set_enum(onnx_reader *r, const Onnx__AttributeProto *p, const tarn_attr_def *def, tarn_attr *a)
{
	const char *word;
	TRY(expect(p, A_STRING));
	TRY(text_copy(r, &p->s, &word));
	int index = tarn_words_find(def->words, word);
	CHECK(index >= 0, TARN_BAD_FILE, "attribute '%s' is '%s'; it may be %s", def->name, word, def->words);
	a->i = index;
	return TARN_OK;
}

static tarn_err set_attr(onnx_reader *r, const Onnx__AttributeProto *p, const tarn_attr_def *def, tarn_attr *a)
{
	switch (def->kind) {
	case TARN_ATTR_INT:
		TRY(expect(p, A_INT));
		a->i = p->i;
		break;
	case TARN_ATTR_BOOL:
		TRY(expect(p, A_INT));
		a->i = p->i != 0;
		break;
	case TARN_ATTR_TYPE:
		TRY(expect(p, A_INT));
		a->i = p->i > 0 && p->i < 1000 ? tarn_dtype_of_onnx((int)p->i) : TARN_DTYPE_NONE;
		CHECK(a->i != TARN_DTYPE_NONE || p->i == 0, TARN_UNSUPPORTED,
		      "attribute '%s': element type %lld is not supported", def->name, (long long)p->i);
		break;
	case TARN_ATTR_FLOAT:
		TRY(expect(p, A_FLOAT));
		a->f = (double)p->f;
		break;
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		if (type_of(p) == A_STRINGS) {
			TRY(texts_join(r, p, &a->s));
			break;
		}
		TRY(expect(p, A_STRING));
		TRY(text_copy(r, &p->s, &a->s));
		break;
	case TARN_ATTR_ENUM:
		TRY(set_enum(r, p, def, a));
		break;
	case TARN_ATTR_INTS: {
		TRY(expect(p, A_INTS));
		CHECK(p->n_ints < INT32_MAX, TARN_BAD_FILE, "attribute '%s' is too long", def->name);
		const int64_t *at = tarn_arena_memdup(r->arena, p->ints, p->n_ints * sizeof *at);
		if (!at && p->n_ints)
			return tarn_err_nomem(p->n_ints * sizeof *at);
		a->ints.at = at;
		a->ints.n = (int)p->n_ints;
		break;
	}
	case TARN_ATTR_FLOATS:
		TRY(expect(p, A_FLOATS));
		CHECK(p->n_floats < INT32_MAX, TARN_BAD_FILE, "attribute '%s' is too long", def->name);
		TRY(doubles_copy(r, p, &a->floats.at));
		a->floats.n = (int)p->n_floats;
		break;
	case TARN_ATTR_TENSOR:
		TRY(expect(p, A_TENSOR));
		TRY(tensor_attr(r, p, &a->t));
		break;
	}
	a->set = true;
	return TARN_OK;
}

tarn_err onnx_attrs_read(onnx_reader *r, const Onnx__NodeProto *p, tarn_node *n)
{
	for (size_t i = 0; i < p->n_attribute; i++) {
		const Onnx__AttributeProto *a = p->attribute[i];
		CHECK(!a->ref_attr_name || !*a->ref_attr_name, TARN_UNSUPPORTED,
		      "attribute '%s' refers to a function's parameter; inline the model's functions", onnx_text(a->name));
		int index = tarn_attr_index(n->op, onnx_text(a->name));
		if (index >= 0)
			TRY(set_attr(r, a, &n->op->attr[index], &n->attr[index]));
	}
	return TARN_OK;
}

/* ---- the import hook ---- */

typedef struct source {
	onnx_reader *r;
	const Onnx__NodeProto *p;
} source;

static const Onnx__AttributeProto *find(const tarn_import *imp, const char *name, int type)
{
	const source *s = imp->src;
	const Onnx__AttributeProto *a = onnx_attr_find(s->p, name);
	return a && type_of(a) == type ? a : NULL;
}

static bool find_i(const tarn_import *imp, const char *name, int64_t *v)
{
	const Onnx__AttributeProto *a = find(imp, name, A_INT);
	if (a)
		*v = a->i;
	return a != NULL;
}

static bool find_f(const tarn_import *imp, const char *name, double *v)
{
	const Onnx__AttributeProto *a = find(imp, name, A_FLOAT);
	if (a)
		*v = (double)a->f;
	return a != NULL;
}

static bool find_s(const tarn_import *imp, const char *name, const char **v)
{
	const Onnx__AttributeProto *a = find(imp, name, A_STRING);
	return a && text_copy(((const source *)imp->src)->r, &a->s, v) == TARN_OK;
}

static bool find_ints(const tarn_import *imp, const char *name, const int64_t **at, int *n)
{
	const Onnx__AttributeProto *a = find(imp, name, A_INTS);
	if (!a || a->n_ints > INT32_MAX)
		return false;
	*at = a->ints;
	*n = (int)a->n_ints;
	return true;
}

static bool find_floats(const tarn_import *imp, const char *name, const double **at, int *n)
{
	const Onnx__AttributeProto *a = find(imp, name, A_FLOATS);
	if (!a || a->n_floats > INT32_MAX || doubles_copy(((const source *)imp->src)->r, a, at) != TARN_OK)
		return false;
	*n = (int)a->n_floats;
	return true;
}

tarn_err onnx_import_call(onnx_reader *r, const Onnx__NodeProto *p, tarn_graph *g, tarn_node *n, int opset)
{
	if (!n->op->import)
		return TARN_OK;
	source s = {r, p};
	tarn_import imp = {.graph = g,
			   .node = n,
			   .onnx = true,
			   .opset = opset,
			   .find_i = find_i,
			   .find_f = find_f,
			   .find_s = find_s,
			   .find_ints = find_ints,
			   .find_floats = find_floats,
			   .src = &s};
	return n->op->import(&imp);
}

/* ---- Constant ---- */

static tarn_err make(tarn_dtype type, int rank, size_t n, tarn_tensor *t)
{
	int64_t dim = (int64_t)n;
	return tarn_tensor_new(type, rank, &dim, t);
}

static tarn_err list_tensor(const Onnx__AttributeProto *a, int type, tarn_tensor *t)
{
	switch (type) {
	case A_FLOAT:
		TRY(make(TARN_F32, 0, 1, t));
		*(float *)t->data = a->f;
		return TARN_OK;
	case A_INT:
		TRY(make(TARN_I64, 0, 1, t));
		*(int64_t *)t->data = a->i;
		return TARN_OK;
	case A_STRING:
		return onnx_text_tensor(&a->s, 1, "the constant", 0, NULL, t);
	case A_FLOATS:
		TRY(make(TARN_F32, 1, a->n_floats, t));
		if (a->n_floats)
			memcpy(t->data, a->floats, a->n_floats * sizeof(float));
		return TARN_OK;
	case A_INTS:
		TRY(make(TARN_I64, 1, a->n_ints, t));
		if (a->n_ints)
			memcpy(t->data, a->ints, a->n_ints * sizeof(int64_t));
		return TARN_OK;
	default:
		return onnx_text_tensor(a->strings, a->n_strings, "the constant", 1, &(int64_t){(int64_t)a->n_strings}, t);
	}
}

tarn_err onnx_constant_read(onnx_reader *r, const Onnx__NodeProto *p, tarn_tensor *t)
{
	static const struct {
		const char *name;
		int type;
	} forms[] = {{"value_float", A_FLOAT},   {"value_int", A_INT},   {"value_string", A_STRING},
		     {"value_floats", A_FLOATS}, {"value_ints", A_INTS}, {"value_strings", A_STRINGS}};
	const Onnx__AttributeProto *a = onnx_attr_find(p, "value");
	if (a) {
		TRY(expect(a, A_TENSOR));
		CHECK(a->t, TARN_BAD_FILE, "the constant has no data; the file is damaged");
		return onnx_tensor_read(r, a->t, "the constant", t);
	}
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		a = onnx_attr_find(p, forms[i].name);
		if (a) {
			TRY(expect(a, forms[i].type));
			return list_tensor(a, forms[i].type, t);
		}
	}
	CHECK(!onnx_attr_find(p, "sparse_value"), TARN_UNSUPPORTED, "sparse constants are not supported; make them dense");
	return tarn_err_set(TARN_BAD_FILE, "the constant has no value; the file is damaged");
}
