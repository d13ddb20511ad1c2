/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the IR writer share; private to fmt/ovir. Nodes become layers in memory, layers become text. */
#ifndef TARN_FMT_OVIR_WRITER_H
#define TARN_FMT_OVIR_WRITER_H

#include "fmt/ovir/layer.h"

/* An output of a layer. */
typedef struct ovir_ref {
	int layer, port;
} ovir_ref;

typedef struct ovir_out {
	tarn_dtype type;
	tarn_shape shape;
	const char *names; /* text of the attribute, not yet escaped for XML; NULL: none */
} ovir_out;

typedef struct ovir_wlayer {
	const char *type, *version, *name;
	const char **attr; /* name, value, ..., NULL; NULL: no <data> */
	ovir_ref *in;
	int n_in;
	ovir_out *out;
	int n_out;
	bool bare; /* input ports without precision, as older files have them */
} ovir_wlayer;

typedef struct ovir_writer {
	const tarn_model *model;
	const tarn_graph *g;
	tarn_model *scratch; /* where spelled layers are built again to compare */
	tarn_arena a;
	VEC(ovir_wlayer) layer;
	ovir_ref *ref;  /* by value id; layer -1: not written yet */
	tarn_map value; /* by name */
	tarn_map blob;  /* offsets of constants already in bin, by hash */
	tarn_str *bin;
	tarn_err err; /* the first error; nothing is written after it */
} ovir_writer;

/* ---- emit.c ---- */

/* The layer's output that is this value; constants are written when first asked for. */
ovir_ref ovir_ref_of(ovir_writer *w, const tarn_value *v);
/* Makes v the same as an existing output, which takes v's name as a further tensor name. */
void ovir_alias(ovir_writer *w, const tarn_value *v, ovir_ref r);
/* A constant of the writer's own. */
ovir_ref ovir_put_tensor(ovir_writer *w, const char *name, const tarn_tensor *t);
ovir_ref ovir_put_ints(ovir_writer *w, const char *name, tarn_dtype type, const int64_t *at, int n); /* n = -1: scalar */
ovir_ref ovir_put_float(ovir_writer *w, const char *name, tarn_dtype type, double v);
/* A layer with one output that is not yet a value. attrs: 'name="value" ...' pairs as NULL-terminated list; may be NULL. */
ovir_ref ovir_put(ovir_writer *w, const char *type, const char *version, const char *name, const char *const *attrs,
		  const ovir_ref *in, int n_in, tarn_dtype otype, const tarn_shape *oshape);
/* The node's last layer: takes its name and outputs. */
void ovir_put_node(ovir_writer *w, const tarn_node *n, const char *type, const char *version, const char *const *attrs,
		   const ovir_ref *in, int n_in);
/* "node/suffix" */
const char *ovir_sub(ovir_writer *w, const tarn_node *n, const char *suffix);
/* Text in the writer's arena; "" after an error. */
const char *ovir_text(ovir_writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *ovir_ints_text(ovir_writer *w, const int64_t *at, int n);
/* Newer poolings have a second output, the indices, whether or not it is wanted. */
void ovir_two_outputs(ovir_writer *w, ovir_wlayer *l);
/* Keeps the first error. */
void ovir_fail(ovir_writer *w, tarn_err err);
const tarn_value *ovir_value_of(const tarn_node *n, int i); /* input i or NULL */

/* Writes the layer as the file had it, if it still says the same. */
bool ovir_put_spelled(ovir_writer *w, const tarn_node *n);

/* ---- lower*.c ---- */

typedef struct ovir_lower {
	const char *op, *type, *version;
	void (*lower)(ovir_writer *w, const tarn_node *n, const struct ovir_lower *row); /* NULL: the same inputs */
	const char *attrs; /* "name=value" that the layer always has; NULL: none */
} ovir_lower;

void ovir_lower_sequence(ovir_writer *w, const tarn_node *n, const ovir_lower *row); /* sequence.c */
extern const ovir_lower ovir_lower_simple[], ovir_lower_window[], ovir_lower_shape[], ovir_lower_order[], ovir_lower_quant[];
const ovir_lower *ovir_lower_find(const tarn_node *n);
/* The integer form of a constant's dequantization, with the constant reshaped to those sizes; channel dims of the scale. */
ovir_ref ovir_put_dequantize(ovir_writer *w, const tarn_node *dq, const char *name, const tarn_shape *as, int axis, int n_axes);

/* Attributes by name; 0 when absent. */
int64_t ovir_get_i(const tarn_node *n, const char *name);
double ovir_get_f(const tarn_node *n, const char *name);
const tarn_attr *ovir_get(const tarn_node *n, const char *name); /* NULL when not set */
const char *ovir_get_word(ovir_writer *w, const tarn_node *n, const char *name);
/* A constant with other sizes (same elements), or a Reshape layer. */
ovir_ref ovir_put_reshaped(ovir_writer *w, const tarn_value *v, const char *name, const tarn_shape *as);

/* ---- write_xml.c ---- */
void ovir_xml_write(const ovir_writer *w, tarn_str *xml);

#endif
