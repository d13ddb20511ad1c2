/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarn_graph -> GraphProto. Captures go back to being names of the graph around; a constant that a body shares with a graph
 * around it is written once, there.
 */
#include <stdio.h>
#include <string.h>

#include "fmt/onnx/onnx.h"
#include "fmt/onnx/writer.h"

enum { A_INTS = 7, A_GRAPH = 5 };

#define NEW(w, p, n) \
	do { \
		(p) = onnx_new((w), (n), sizeof *(p)); \
		if (!(p)) \
			return tarn_err_nomem((n) * sizeof *(p)); \
	} while (0)

/* One graph while it is written. */
typedef struct level {
	const struct level *up;
	const tarn_graph *g;
	const char **name;              /* by value id; NULL: not written yet */
	bool *wanted;                   /* constants to write, by value id */
	tarn_map taken;                 /* name -> tarn_value */
	VEC(Onnx__TensorProto *) extra; /* constants of the writer's own */
} level;

/* Operators whose axes are an attribute up to opset 17 and an input from 18 on (ReduceSum had the input since 13). */
static const char *const axes_ops[] = {"ReduceL1",   "ReduceL2",  "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
				       "ReduceMean", "ReduceMin", "ReduceProd",   "ReduceSumSquare"};

bool onnx_axes_are_attribute(const tarn_op_def *op)
{
	for (size_t i = 0; i < sizeof axes_ops / sizeof *axes_ops; i++)
		if (strcmp(op->name, axes_ops[i]) == 0)
			return true;
	return false;
}

/* Do the written opsets have this operator? */
static bool has_form(const tarn_op_def *op)
{
	bool standard = !op->domain || !*op->domain || strcmp(op->domain, "ai.onnx") == 0;
	return op->onnx_since > 0 && (!standard || (op->onnx_since <= ONNX_WRITTEN_OPSET &&
						    (!op->onnx_until || op->onnx_until >= ONNX_WRITTEN_OPSET)));
}

/* Attributes that hold what opset 17 cannot say: older meanings kept as they were read, and newer ones. At their defaults they
 * mean what opset 17 means. */
static bool attr_is_foreign(const char *name)
{
	static const char *const names[] = {"flatten",     "spatial",  "antialias",    "keep_aspect_ratio_policy",
					    "num_outputs", "saturate", "output_dtype", "batched"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Scales in blocks and 4-bit integers came with opset 21; bodies of control flow are written in the opset of the model. */
int onnx_opset_for(const tarn_graph *g)
{
	for (size_t i = 0; i < g->value.len; i++)
		if (g->value.at[i]->type != TARN_DTYPE_NONE && tarn_dtype_info(g->value.at[i]->type)->bits < 8)
			return ONNX_BLOCKS_OPSET;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		int block = tarn_attr_index(n->op, "block_size");
		if (block >= 0 && tarn_attr_i(n, block))
			return ONNX_BLOCKS_OPSET;
		for (int k = 0; k < n->n_body; k++)
			if (onnx_opset_for(n->body[k]) != ONNX_WRITTEN_OPSET)
				return ONNX_BLOCKS_OPSET;
	}
	return ONNX_WRITTEN_OPSET;
}

/* Split's number of outputs, new in opset 18, also allows a smaller last part. */
static bool outputs_are_even(const tarn_node *n)
{
	for (int i = 0; i < n->n_out; i++)
		if (!n->out[i] || !tarn_shape_is_static(&n->out[i]->shape) ||
		    !tarn_shape_same(&n->out[i]->shape, &n->out[0]->shape))
			return false;
	return true;
}

bool onnx_node_has_form(const tarn_node *n)
{
	if (!has_form(n->op))
		return false;
	if (strcmp(n->op->name, "Split") == 0 && outputs_are_even(n))
		return true;
	bool standard = !n->op->domain || !*n->op->domain;
	for (int i = 0; standard && i < n->op->n_attr; i++)
		if (attr_is_foreign(n->op->attr[i].name) && n->attr[i].set &&
		    !onnx_attr_is_default(&n->op->attr[i], &n->attr[i]))
			return false;
	return true;
}

static const level *level_with(const level *l, const char *name, tarn_value **v)
{
	for (; l; l = l->up) {
		*v = tarn_map_find(&l->taken, name);
		if (*v)
			return l;
	}
	return NULL;
}

static bool same_constant(const tarn_value *a, const tarn_value *b)
{
	if (!a->konst || !b->konst || a->konst->data != b->konst->data || a->konst->type != b->konst->type ||
	    a->konst->rank != b->konst->rank)
		return false;
	return memcmp(a->konst->dim, b->konst->dim, (size_t)a->konst->rank * sizeof *a->konst->dim) == 0;
}

/* A name for a value made in this graph: its own unless a graph around has it for something else. */
static tarn_err name_value(onnx_writer *w, level *l, tarn_value *v)
{
	const char *name = v->name;
	tarn_value *other;
	const level *outer = level_with(l->up, name, &other);
	if (outer && v->konst && same_constant(v, other)) {
		outer->wanted[other->id] = true;
		l->name[v->id] = outer->name[other->id];
		return TARN_OK;
	}
	for (int i = 1; level_with(l, name, &other); i++) {
		name = tarn_arena_printf(&w->arena, "%s_%d", v->name, i);
		if (!name)
			return tarn_err_nomem(strlen(v->name));
	}
	l->name[v->id] = name;
	l->wanted[v->id] = v->konst != NULL;
	return tarn_map_put(&l->taken, name, v);
}

/* The name to write for a use of v. */
static char *use(const level *l, const tarn_value *v)
{
	if (!v)
		return onnx_word("");
	if (v->konst) {
		tarn_value *here = tarn_map_find(&l->taken, l->name[v->id]);
		if (here == v)
			l->wanted[v->id] = true;
	}
	return onnx_word(l->name[v->id]);
}

/* Inputs and outputs of nodes have their names from the start, so that bodies find what is around them. */
static tarn_err name_all(onnx_writer *w, level *l, int n_capture, const level *up, const tarn_node *owner)
{
	const tarn_graph *g = l->g;
	size_t own = g->input.len - (size_t)n_capture;
	for (size_t i = 0; i < g->input.len; i++) {
		if (i < own)
			TRY(name_value(w, l, g->input.at[i]));
		else
			l->name[g->input.at[i]->id] = use(up, owner->in[owner->n_in - n_capture + (int)(i - own)]);
	}
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_out; k++)
			if (g->node.at[i]->out[k])
				TRY(name_value(w, l, g->node.at[i]->out[k]));
	for (size_t i = 0; i < g->value.len; i++) /* constants last: those nobody uses are dropped when written */
		if (g->value.at[i]->konst && !l->name[g->value.at[i]->id]) {
			TRY(name_value(w, l, g->value.at[i]));
			l->wanted[g->value.at[i]->id] = false;
		}
	return TARN_OK;
}

static tarn_err dim_build(onnx_writer *w, tarn_dim d, Onnx__TensorShapeProto__Dimension **out)
{
	NEW(w, *out, 1);
	onnx__tensor_shape_proto__dimension__init(*out);
	if (d >= 0) {
		(*out)->has_dim_value = 1;
		(*out)->dim_value = d;
		return TARN_OK;
	}
	tarn_str s = {0};
	tarn_dim_print(&s, &w->model->syms, d);
	tarn_err err = tarn_str_done(&s);
	if (err == TARN_OK) {
		(*out)->dim_param = tarn_arena_strdup(&w->arena, s.at);
		if (!(*out)->dim_param)
			err = tarn_err_nomem(s.len);
	}
	tarn_str_fini(&s);
	return err;
}

static tarn_err value_build(onnx_writer *w, const char *name, const tarn_value *v, Onnx__ValueInfoProto **out)
{
	Onnx__ValueInfoProto *p;
	NEW(w, p, 1);
	onnx__value_info_proto__init(p);
	p->name = onnx_word(name);
	*out = p;
	if (v->type == TARN_DTYPE_NONE)
		return TARN_OK;
	NEW(w, p->type, 1);
	onnx__type_proto__init(p->type);
	NEW(w, p->type->tensor_type, 1);
	onnx__type_proto__tensor__init(p->type->tensor_type);
	p->type->tensor_type->has_elem_type = 1;
	p->type->tensor_type->elem_type = tarn_dtype_info(v->type)->onnx;
	if (v->shape.rank < 0)
		return TARN_OK;
	Onnx__TensorShapeProto *s;
	NEW(w, s, 1);
	onnx__tensor_shape_proto__init(s);
	NEW(w, s->dim, (size_t)v->shape.rank);
	for (int i = 0; i < v->shape.rank; i++)
		TRY(dim_build(w, v->shape.dim[i], &s->dim[i]));
	s->n_dim = (size_t)v->shape.rank;
	p->type->tensor_type->shape = s;
	return TARN_OK;
}

static tarn_err graph_build(onnx_writer *w, const tarn_graph *g, const level *up, const tarn_node *owner,
			    Onnx__GraphProto **out);

static tarn_err bodies_build(onnx_writer *w, level *l, const tarn_node *n, Onnx__NodeProto *p)
{
	static const char *const if_names[] = {"then_branch", "else_branch"};
	for (int i = 0; i < n->n_body; i++) {
		Onnx__AttributeProto *a;
		TRY(onnx_attr_new(w, n->n_body == 2 ? if_names[i] : "body", A_GRAPH, &a));
		TRY(graph_build(w, n->body[i], l, n, &a->g));
		p->attribute[p->n_attribute++] = a;
	}
	return TARN_OK;
}

/* The axes of a reduction, an input here, as the attribute of opset 17 (from 18 on it is an input there, too). */
static tarn_err axes_build(onnx_writer *w, const tarn_node *n, Onnx__NodeProto *p)
{
	const tarn_tensor *t = n->in[1]->konst;
	CHECK(t, TARN_UNSUPPORTED, "node '%s' (%s) computes its axes, which opset %d cannot say; make them constant", n->name,
	      n->op->name, w->opset);
	Onnx__AttributeProto *a;
	TRY(onnx_attr_new(w, "axes", A_INTS, &a));
	size_t count = (size_t)tarn_tensor_count(t);
	NEW(w, a->ints, count);
	a->n_ints = count;
	for (size_t i = 0; i < count; i++)
		a->ints[i] = tarn_tensor_i64(t, (int64_t)i);
	p->attribute[p->n_attribute++] = a;
	return TARN_OK;
}

/* And the attribute as an input, which opset 18 and newer want: a constant of its own. */
static tarn_err axes_input(onnx_writer *w, level *l, const tarn_node *n, Onnx__NodeProto *p)
{
	const tarn_attr *a = &n->attr[tarn_attr_index(n->op, "axes")];
	Onnx__TensorProto *t;
	tarn_value *other;
	const char *name = tarn_arena_printf(&w->arena, "%s_axes", n->name);
	for (int i = 1; name && level_with(l, name, &other); i++)
		name = tarn_arena_printf(&w->arena, "%s_axes_%d", n->name, i);
	if (!name)
		return tarn_err_nomem(strlen(n->name));
	TRY(tarn_map_put(&l->taken, name, n->out[0]));
	tarn_tensor axes = {.type = TARN_I64, .rank = 1, .dim = {a->ints.n}, .data = (void *)(uintptr_t)a->ints.at};
	TRY(onnx_tensor_build(w, name, &axes, &t));
	TRY(VEC_GROW(&l->extra));
	l->extra.at[l->extra.len++] = t;
	p->input[p->n_input++] = onnx_word(name);
	return TARN_OK;
}

/* Does opset 18 want this node's axes as an input? */
static bool axes_to_input(const onnx_writer *w, const tarn_node *n)
{
	int at = tarn_attr_index(n->op, "axes");
	return w->opset > ONNX_WRITTEN_OPSET && onnx_axes_are_attribute(n->op) && n->n_in == 1 && at >= 0 && n->attr[at].set;
}

static tarn_err domain_use(onnx_writer *w, const char *domain)
{
	if (!domain || !*domain || strcmp(domain, "ai.onnx") == 0)
		return TARN_OK;
	for (size_t i = 0; i < w->domain.len; i++)
		if (strcmp(w->domain.at[i], domain) == 0)
			return TARN_OK;
	TRY(VEC_GROW(&w->domain));
	w->domain.at[w->domain.len++] = domain;
	return TARN_OK;
}

static tarn_err node_build(onnx_writer *w, level *l, const tarn_node *n, Onnx__NodeProto **out)
{
	Onnx__NodeProto *p;
	NEW(w, p, 1);
	onnx__node_proto__init(p);
	CHECK(onnx_node_has_form(n), TARN_UNSUPPORTED,
	      "operator %s of node '%s' has no form in ONNX opset %d; write an OpenVINO IR instead", n->op->name, n->name,
	      w->opset);
	p->name = onnx_word(n->name);
	p->op_type = onnx_word(n->op->name);
	if (n->op->domain && *n->op->domain)
		p->domain = onnx_word(n->op->domain);
	TRY(domain_use(w, n->op->domain));
	TRY(onnx_attrs_build(w, n, n->n_body + 1, p));
	int n_in = n->n_in - n->n_capture;
	if (n_in > 1 && n->in[1] && w->opset == ONNX_WRITTEN_OPSET && onnx_axes_are_attribute(n->op)) {
		TRY(axes_build(w, n, p));
		n_in = 1;
	}
	NEW(w, p->input, (size_t)n_in + 1);
	NEW(w, p->output, (size_t)n->n_out);
	for (int i = 0; i < n_in; i++)
		p->input[i] = use(l, n->in[i]);
	for (int i = 0; i < n->n_out; i++)
		p->output[i] = use(l, n->out[i]);
	p->n_input = (size_t)n_in;
	if (axes_to_input(w, n))
		TRY(axes_input(w, l, n, p));
	p->n_output = (size_t)n->n_out;
	TRY(bodies_build(w, l, n, p));
	*out = p;
	return TARN_OK;
}

static tarn_err constants_build(onnx_writer *w, level *l, Onnx__GraphProto *p)
{
	NEW(w, p->initializer, l->g->value.len + l->extra.len);
	for (size_t i = 0; i < l->extra.len; i++)
		p->initializer[p->n_initializer++] = l->extra.at[i];
	for (size_t i = 0; i < l->g->value.len; i++) {
		const tarn_value *v = l->g->value.at[i];
		if (!l->wanted[v->id])
			continue;
		tarn_err err = onnx_tensor_build(w, l->name[v->id], v->konst, &p->initializer[p->n_initializer]);
		if (err != TARN_OK)
			return tarn_err_note(err, "in constant '%s'", v->name);
		p->n_initializer++;
	}
	return TARN_OK;
}

static tarn_err fill(onnx_writer *w, level *l, int n_capture, const tarn_node *owner, Onnx__GraphProto *p)
{
	const tarn_graph *g = l->g;
	size_t own = g->input.len - (size_t)n_capture;
	TRY(name_all(w, l, n_capture, l->up, owner));
	NEW(w, p->input, own);
	for (size_t i = 0; i < own; i++)
		TRY(value_build(w, l->name[g->input.at[i]->id], g->input.at[i], &p->input[i]));
	p->n_input = own;
	NEW(w, p->node, g->node.len);
	for (size_t i = 0; i < g->node.len; i++)
		TRY(node_build(w, l, g->node.at[i], &p->node[i]));
	p->n_node = g->node.len;
	NEW(w, p->output, g->output.len);
	for (size_t i = 0; i < g->output.len; i++)
		TRY(value_build(w, use(l, g->output.at[i]), g->output.at[i], &p->output[i]));
	p->n_output = g->output.len;
	return constants_build(w, l, p);
}

static tarn_err graph_build(onnx_writer *w, const tarn_graph *g, const level *up, const tarn_node *owner,
			    Onnx__GraphProto **out)
{
	Onnx__GraphProto *p;
	NEW(w, p, 1);
	onnx__graph_proto__init(p);
	p->name = onnx_word(g->name && *g->name ? g->name : "graph");
	level l = {.up = up, .g = g};
	NEW(w, l.name, g->value.len);
	NEW(w, l.wanted, g->value.len);
	tarn_err err = fill(w, &l, owner ? owner->n_capture : 0, owner, p);
	tarn_map_fini(&l.taken);
	VEC_FINI(&l.extra);
	*out = p;
	return err;
}

tarn_err onnx_graph_build(onnx_writer *w, const tarn_graph *g, Onnx__GraphProto **out)
{
	return graph_build(w, g, NULL, NULL, out);
}
