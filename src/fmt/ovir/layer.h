/* SPDX-License-Identifier: Apache-2.0 */
/* A layer of the file, and how it becomes nodes. What the files of the IR reader and writer share; private to fmt/ovir. */
#ifndef TARN_FMT_OVIR_LAYER_H
#define TARN_FMT_OVIR_LAYER_H

#include "fmt/ovir/xml.h"
#include "ir/op.h"

enum { OVIR_MAX_LAYERS = 1 << 21, OVIR_MAX_PORTS = 1 << 14 };

/* What the file says of a port. Dimensions are hints: inference has the last word. */
typedef struct ovir_port {
	int64_t id;
	tarn_dtype type;
	tarn_shape shape;  /* rank -1 when a size is free */
	const char *names; /* as in the file; NULL: none */
} ovir_port;

/* The part of a layer that decides about its meaning. */
typedef struct ovir_layer {
	const char *type, *version, *name;
	const char **attr; /* of <data>: name, value, ..., NULL; never NULL itself */
	const ovir_elem *elem;
	int n_in, n_out;
} ovir_layer;

/* ---- attr.c: attributes are text ---- */

const char *ovir_attr(const ovir_layer *l, const char *name); /* NULL when absent */
/* In the order of the arguments: found, absent (the default stays), malformed (TARN_BAD_FILE naming the attribute). */
TARN_MUST tarn_err ovir_attr_i(const ovir_layer *l, const char *name, int64_t def, int64_t *v); /* booleans too */
TARN_MUST tarn_err ovir_attr_f(const ovir_layer *l, const char *name, double def, double *v);
TARN_MUST tarn_err ovir_attr_type(const ovir_layer *l, const char *name, tarn_dtype def, tarn_dtype *v);
/* Comma separated integers; at most max. */
bool ovir_ints(const char *text, int64_t *at, int max, int *n);
bool ovir_floats(const char *text, double *at, int max, int *n);
/* True when the attribute is absent or equals the word. */
bool ovir_attr_is(const ovir_layer *l, const char *name, const char *word);
/* "1,?,3..7" -> dims; -1 where free, with bounds (lo 0, hi TARN_DIM_MAX when unbounded). rank -1 for "...". */
TARN_MUST tarn_err ovir_shape_parse(const char *text, tarn_shape *shape, int64_t *lo, int64_t *hi);

/* ---- build.c: layers to nodes ---- */

typedef struct ovir_build {
	tarn_graph *g;
	const ovir_layer *l;
	tarn_value **in; /* l->n_in of them, never NULL */
	tarn_arena *a;   /* lives until the layer is done */
	tarn_node *node; /* the last one made; its outputs are the layer's, unless `out` says others */
	tarn_value **out;
	int made; /* how many nodes */
} ovir_build;

/* One row for each type of layer. */
typedef struct ovir_type {
	const char *type;
	const char *versions;           /* accepted opset numbers: "1|8|14" */
	const char *op;                 /* canonical operator */
	tarn_err (*read)(ovir_build *); /* NULL: the operator with the same inputs and the attributes of the same names */
	int n_in;                       /* inputs passed on when read is NULL; 0: all */
} ovir_type;

/* types.c. NULL when the type is unknown. */
const ovir_type *ovir_type_find(const char *type);
bool ovir_type_has_version(const ovir_type *t, const char *version);

/* Makes the layer's nodes; TARN_UNSUPPORTED names layer, type and version. */
TARN_MUST tarn_err ovir_build_layer(ovir_build *b);
/* A node of that operator with those inputs; attributes by name, then the operator's import. n_out < 0: as the layer has. */
TARN_MUST tarn_err ovir_make(ovir_build *b, const char *op, tarn_value *const *in, int n_in, int n_out);
/* A constant input as integers. TARN_UNSUPPORTED when the model computes it. */
TARN_MUST tarn_err ovir_const_ints(const ovir_build *b, int input, const char *what, int64_t *at, int max, int *n);
TARN_MUST tarn_err ovir_const_float(const ovir_build *b, int input, const char *what, double *v);
/* The constant of another shape (same elements), or a Reshape of a value. */
TARN_MUST tarn_err ovir_reshaped(ovir_build *b, tarn_value *v, const int64_t *dim, int rank, tarn_value **out);
/* Sets an attribute of b->node by its name in the schema. */
TARN_MUST tarn_err ovir_set_i(ovir_build *b, const char *name, int64_t v);
TARN_MUST tarn_err ovir_set_f(ovir_build *b, const char *name, double v);
TARN_MUST tarn_err ovir_set_ints(ovir_build *b, const char *name, const int64_t *at, int n);

/* sequence.c */
TARN_MUST tarn_err ovir_read_sequence(ovir_build *b);

/* The groups of types: each a table ending with type NULL. */
extern const ovir_type ovir_types_simple[], ovir_types_window[], ovir_types_shape[], ovir_types_order[], ovir_types_other[];

/* ---- spelling.c: how the file put it, as text in the model's arena ---- */

typedef struct ovir_spelling {
	const char *name, *type, *version;
	const char **attr;
	int n_attr; /* pairs */
	const char **in;
	int n_in; /* names of the values that were its inputs */
	const char **out, **names;
	bool bare; /* its input ports say no precision */
	int n_out; /* values' names when read, and the port's `names` ("" when there were none) */
} ovir_spelling;

TARN_MUST tarn_err ovir_spelling_pack(tarn_arena *a, const ovir_spelling *s, const char **text);
TARN_MUST tarn_err ovir_spelling_unpack(const char *text, tarn_arena *a, ovir_spelling *s);

#endif
