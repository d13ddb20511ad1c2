/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph: what a model computes, as imported. Logical (NCHW, names kept); physical layout belongs to a device's plan.
 *
 * A model owns one arena; values, nodes, names and attributes live in it until the last reference to the model goes. Graphs are
 * edited by passes on one thread; a compiled program holds its own clone, so that a model may be edited afterwards.
 * Node order in graph->node is topological and verified (ir/verify.h).
 */
#ifndef TARN_IR_GRAPH_H
#define TARN_IR_GRAPH_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"
#include "base/vec.h"
#include "ir/dtype.h"
#include "ir/shape.h"
#include "ir/tensor.h"

typedef struct tarn_op_def tarn_op_def; /* ir/op.h */
typedef struct tarn_node tarn_node;
typedef struct tarn_graph tarn_graph;
typedef struct tarn_model tarn_model;

/* An edge: produced once (by a node, as an input, or constant), used any number of times. */
typedef struct tarn_value {
	const char *name;    /* unique in its graph, never NULL */
	const char *aliases; /* further tensor names (IR "names"), comma separated, comma inside a name as "\\,"; NULL: none */
	tarn_dtype type;     /* NONE until inferred */
	tarn_shape shape;    /* rank -1 until inferred */
	tarn_node *def;      /* NULL: graph input or constant */
	int def_slot;        /* output index of def */
	const tarn_tensor *konst; /* constant data, NULL otherwise */
	const tarn_dim *known; /* elements of a small integer tensor known as dimensions (shape arithmetic); NULL otherwise */
	int n_known;
	const char *spelling; /* inputs and constants: see tarn_node */
	uint32_t id;          /* dense per graph: index into graph->value */
} tarn_value;

/* Attribute values, in the order of the operator's schema (ir/op.h). */
typedef struct tarn_attr {
	bool set; /* false: absent and without default */
	union {
		int64_t i;     /* INT, BOOL, TYPE (a tarn_dtype), ENUM (index into the schema's words) */
		double f;      /* FLOAT */
		const char *s; /* STRING */
		const tarn_tensor *t;
		struct {
			const int64_t *at;
			int n;
		} ints;
		struct {
			const double *at;
			int n;
		} floats;
	};
} tarn_attr;

struct tarn_node {
	const char *name; /* the user's name, never NULL, unique in its graph */
	const tarn_op_def *op;
	tarn_value **in; /* NULL element: optional input left out */
	int n_in;
	tarn_value **out; /* NULL element: optional output nobody asked for */
	int n_out;
	tarn_attr *attr;   /* op->n_attr of them */
	tarn_graph **body; /* If: then, else. Loop, Scan: one. */
	int n_body;
	int n_capture;      /* the last n_capture inputs of the node are captures: the last n_capture inputs of every body, same
			       order */
	const char *origin; /* version of the operator it was read as, for writing back ("opset8"); NULL when unknown */
	const char *spelling; /* how the file put it, for the writer of the same format alone (which checks that it still says
				 the same); NULL when unknown */
	int index;            /* position in graph->node; kept by tarn_graph_sort */
};

struct tarn_graph {
	tarn_model *model;
	tarn_node *owner; /* the node this is a body of; NULL for the main graph */
	const char *name;
	const char *spelling;     /* of its outputs: see tarn_node */
	VEC(tarn_value *) value;  /* all values ever made; dead ones stay until cloned */
	VEC(tarn_node *) node;    /* topological order */
	VEC(tarn_value *) input;  /* constants are never inputs */
	VEC(tarn_value *) output; /* the same value may appear twice */
	tarn_map names;           /* taken names of values, and of nodes; maintained by the functions below */
	tarn_map node_names;
};

typedef struct tarn_meta {
	const char *key, *value;
} tarn_meta;

/* Of a model whose free dimensions were bounded (dyn/): the model it was made from, for devices that can run any size and so
 * need no padding. The bounded model's inputs are the origin's and then the lengths; its outputs the origin's and then sizes.
 */
typedef struct tarn_origin {
	tarn_model *model; /* never changed; NULL: none */
	uint64_t print; /* of the bounded model as it was made: one that was changed since is no longer the same computation */
	const tarn_dim *length; /* by added input: the origin's symbol */
	const struct tarn_origin_size {
		int output, axis;
	} * size; /* by added output: whose size it says */
	int n_length, n_size;
} tarn_origin;

struct tarn_model {
	tarn_ref refs;
	tarn_origin origin;
	tarn_arena arena;
	tarn_symtab syms;
	tarn_graph *main;
	const char *name;
	const char *producer;
	int onnx_opset;            /* as read; 0 when not from ONNX */
	VEC(tarn_buffer *) buffer; /* what constants' bytes live in; referenced */
	VEC(tarn_graph *) graph;   /* every graph of the model, for release */
	VEC(tarn_meta) meta;       /* metadata_props or rt_info, kept for writing back */
	uint32_t serial;           /* for unique names */
};

TARN_MUST tarn_err tarn_model_new(tarn_model **m); /* with an empty main graph */
tarn_model *tarn_model_ref(tarn_model *m);
void tarn_model_unref(tarn_model *m);
/* Independent copy of structure; constants share their bytes. Dead nodes and values are left behind. */
TARN_MUST tarn_err tarn_model_clone(const tarn_model *m, tarn_model **copy);
/* Does the model still compute what its origin does? */
bool tarn_model_origin_holds(const tarn_model *m);
/* origin.model is referenced, lists are copied; the print is taken. */
TARN_MUST tarn_err tarn_model_set_origin(tarn_model *m, const tarn_origin *origin);
/* Keeps a reference to the buffer for the model's life. */
TARN_MUST tarn_err tarn_model_keep(tarn_model *m, tarn_buffer *b);

/* A metadata entry: NULL when absent; added or replaced, the words borrowed for the model's life, or taken away (value NULL).
 */
const char *tarn_model_meta_find(const tarn_model *m, const char *key);
TARN_MUST tarn_err tarn_model_meta_put(tarn_model *m, const char *key, const char *value);

TARN_MUST tarn_err tarn_graph_new(tarn_model *m, tarn_node *owner, tarn_graph **g);
/* `name` is copied; when it is NULL or already taken a unique one is made from it. */
TARN_MUST tarn_err tarn_value_new(tarn_graph *g, const char *name, tarn_value **v);
/* A new graph input. */
TARN_MUST tarn_err tarn_value_input(tarn_graph *g, const char *name, tarn_dtype type, const tarn_shape *shape, tarn_value **v);
/* Constant value; the tensor's bytes are shared (its buffer is kept by the model) or, without a buffer, copied. */
TARN_MUST tarn_err tarn_value_const(tarn_graph *g, const char *name, const tarn_tensor *t, tarn_value **v);
/* Convenience: 1-D (n >= 0) or scalar (n = -1) constants. */
TARN_MUST tarn_err tarn_value_const_i64(tarn_graph *g, const char *name, const int64_t *at, int n, tarn_value **v);
TARN_MUST tarn_err tarn_value_const_f32(tarn_graph *g, const char *name, const float *at, int n, tarn_value **v);
/* Gives v this name (or one made from it when taken). */
TARN_MUST tarn_err tarn_value_rename(tarn_graph *g, tarn_value *v, const char *name);
/* Finds by name (or alias) among all values of the graph; NULL when absent. Linear. */
tarn_value *tarn_graph_find(const tarn_graph *g, const char *name);

/* A node with n_in empty inputs and n_out fresh outputs (named after the node), attributes at their defaults; inserted before
 * graph->node[at] (at = -1: appended). The caller sets node->in[i] afterwards. */
TARN_MUST tarn_err tarn_node_new(tarn_graph *g, const tarn_op_def *op, const char *name, int n_in, int n_out, int at,
				 tarn_node **n);
/* Gives the node one body, an empty graph. */
TARN_MUST tarn_err tarn_node_add_body(tarn_graph *g, tarn_node *n, tarn_graph **body);
/* Replaces the node's inputs by n_in of them (old ones kept in front). */
TARN_MUST tarn_err tarn_node_resize_inputs(tarn_graph *g, tarn_node *n, int n_in);
/* Makes every use of `from` (inputs of nodes, graph outputs) use `to`. When `from` is a graph output the two swap names, so
 * that the output keeps its own. Linear in the graph. */
void tarn_graph_replace(tarn_graph *g, tarn_value *from, tarn_value *to);
/* Many of them at once, in one walk: to[i], when not NULL, takes the place of value i, i < n. A value may replace one and be
 * replaced itself. */
void tarn_graph_replace_all(tarn_graph *g, tarn_value *const *to, size_t n);
/* What will stand for v then. */
tarn_value *tarn_graph_replacement(tarn_value *v, tarn_value *const *to, size_t n);
/* Unlinks node from the list; its outputs must be unused. */
void tarn_graph_remove(tarn_graph *g, tarn_node *n);
/* Removes nodes none of whose outputs is used, until none is left, bodies included. Returns how many. */
int tarn_graph_sweep(tarn_graph *g);
/* Restores topological order (stable) after edits and the nodes' index; TARN_BAD_FILE on a cycle, naming a node. */
TARN_MUST tarn_err tarn_graph_sort(tarn_graph *g);

/* How often each value is used, indexed by value->id: node inputs + graph outputs. In the caller's arena. */
TARN_MUST tarn_err tarn_graph_uses(const tarn_graph *g, tarn_arena *a, int **uses);
/* The single node that uses each value, by value->id; NULL where there is none or several, or the value is a graph output. For
 * asking about many values of a graph that stays as it is. */
TARN_MUST tarn_err tarn_graph_users(const tarn_graph *g, tarn_arena *a, tarn_node ***user);
/* The single node that uses v; NULL when there is none or several, or when v is a graph output. Linear. */
tarn_node *tarn_graph_only_user(const tarn_graph *g, const tarn_value *v);

#endif
