/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GraphProto -> tarn_graph: names become values, nodes become operators, bodies become graphs of their own.
 *
 * Two walks over the nodes: the first makes every node and its outputs, so that the second finds every input whatever order the
 * file has. A body's use of a value around it becomes an explicit input of body and node (graph.h); constants are copied in by
 * reference.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "fmt/onnx/onnx.h"
#include "fmt/onnx/reader.h"
#include "fmt/onnx/wire.h"
#include "ops/ops.h"

enum { MAX_NODE_BODIES = 8 };

/* The bodies of one node while they are read, and what they captured. */
typedef struct bodies {
	int n;
	const Onnx__GraphProto *proto[MAX_NODE_BODIES];
	onnx_scope *scope[MAX_NODE_BODIES];
	VEC(tarn_value *) outer; /* captured values, of the graph around */
	VEC(tarn_value *) inner; /* their inputs: n of them for each outer */
} bodies;

struct onnx_scope {
	onnx_reader *r;
	tarn_graph *g;
	const Onnx__GraphProto *p;
	tarn_map names;   /* to tarn_value */
	onnx_scope *up;   /* NULL for the main graph */
	bodies *siblings; /* of the node this is a body of */
	int which, depth;
	tarn_node **node; /* by position in the file; NULL: a constant */
};

static bool is_standard(const char *domain)
{
	return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

static int64_t opset_of(const onnx_reader *r, const char *domain)
{
	for (size_t i = 0; i < r->proto->n_opset_import; i++) {
		const Onnx__OperatorSetIdProto *o = r->proto->opset_import[i];
		if (is_standard(domain) ? is_standard(o->domain) : strcmp(onnx_text(o->domain), domain) == 0)
			return o->version;
	}
	return 0;
}

/* "node 'conv1' (Conv)", or its first output where it has no name. */
static tarn_err note_node(tarn_err err, const Onnx__NodeProto *p)
{
	const char *name = onnx_text(p->name);
	if (err == TARN_OK)
		return err;
	if (!*name && p->n_output)
		return tarn_err_note(err, "in the node (%s) that makes '%.200s'", onnx_text(p->op_type), p->output[0]);
	return tarn_err_note(err, "in node '%.200s' (%s)", name, onnx_text(p->op_type));
}

static tarn_err declare(onnx_scope *s, tarn_value *v, const char *name)
{
	CHECK(!tarn_map_find(&s->names, name), TARN_BAD_FILE, "the value '%.200s' is made twice; the model is not valid ONNX",
	      name);
	/* The map borrows its key: the proto's text dies after reading, and so does the map. */
	return tarn_map_put(&s->names, name, v);
}

/* ---- inputs, constants ---- */

static tarn_err dim_read(onnx_reader *r, const Onnx__TensorShapeProto__Dimension *d, const char *input, int axis, tarn_dim *out)
{
	if (d->has_dim_value && d->dim_value >= 0) {
		CHECK(d->dim_value <= TARN_DIM_MAX, TARN_BAD_FILE,
		      "input '%.200s' has size %lld on axis %d; the file is damaged", input, (long long)d->dim_value, axis);
		*out = d->dim_value;
		return TARN_OK;
	}
	if (!d->has_dim_value && d->dim_param && *d->dim_param && strcmp(d->dim_param, "?") != 0)
		return tarn_symtab_named(&r->model->syms, d->dim_param, out);
	char *name = tarn_arena_printf(r->arena, "%s[%d]", input, axis);
	if (!name)
		return tarn_err_nomem(strlen(input) + 16);
	return tarn_symtab_named(&r->model->syms, name, out);
}

static tarn_err input_type(onnx_scope *s, const Onnx__ValueInfoProto *p, tarn_dtype *type, tarn_shape *shape)
{
	const Onnx__TypeProto *t = p->type;
	const char *name = onnx_text(p->name);
	*type = TARN_DTYPE_NONE;
	shape->rank = -1;
	/* Inputs of a body take their types from what runs it. */
	if (s->up && (!t || !t->tensor_type))
		return TARN_OK;
	CHECK(t && t->tensor_type, TARN_UNSUPPORTED, "input '%.200s' is %s, which is not supported; make it a tensor", name,
	      t && t->sequence_type   ? "a sequence"
	      : t && t->optional_type ? "an optional"
				      : "no tensor");
	*type = tarn_dtype_of_onnx(t->tensor_type->elem_type);
	CHECK(*type != TARN_DTYPE_NONE || s->up, TARN_UNSUPPORTED,
	      "input '%.200s' has element type %d of ONNX, which is not supported", name, t->tensor_type->elem_type);
	const Onnx__TensorShapeProto *sh = t->tensor_type->shape;
	if (s->up || !sh)
		return TARN_OK;
	CHECK(sh->n_dim <= TARN_MAX_RANK, TARN_UNSUPPORTED, "input '%.200s' has rank %zu, above the largest of %d", name,
	      sh->n_dim, TARN_MAX_RANK);
	for (size_t i = 0; i < sh->n_dim; i++)
		TRY(dim_read(s->r, sh->dim[i], name, (int)i, &shape->dim[i]));
	shape->rank = (int)sh->n_dim;
	return TARN_OK;
}

static tarn_err add_const(onnx_scope *s, const char *name, const tarn_tensor *t, tarn_value **v)
{
	TRY(tarn_value_const(s->g, name, t, v));
	return declare(s, *v, name);
}

static tarn_err initializers_read(onnx_scope *s)
{
	CHECK(!s->p->n_sparse_initializer, TARN_UNSUPPORTED, "sparse constants are not supported; make them dense");
	for (size_t i = 0; i < s->p->n_initializer; i++) {
		const Onnx__TensorProto *p = s->p->initializer[i];
		char what[256];
		snprintf(what, sizeof what, "the constant '%.200s'", onnx_text(p->name));
		CHECK(p->name && *p->name, TARN_BAD_FILE, "a constant has no name; the model is not valid ONNX");
		tarn_tensor t = {0};
		TRY(onnx_tensor_read(s->r, p, what, &t));
		tarn_value *v;
		tarn_err err = add_const(s, p->name, &t, &v);
		tarn_tensor_fini(&t);
		TRY(err);
	}
	return TARN_OK;
}

static tarn_err inputs_read(onnx_scope *s)
{
	for (size_t i = 0; i < s->p->n_input; i++) {
		const Onnx__ValueInfoProto *p = s->p->input[i];
		const char *name = onnx_text(p->name);
		CHECK(*name, TARN_BAD_FILE, "an input has no name; the model is not valid ONNX");
		/* IR version 3 lists constants among the inputs; later ones may, as defaults. */
		tarn_value *v = tarn_map_find(&s->names, name);
		if (v && v->konst && !s->up)
			continue;
		tarn_dtype type;
		tarn_shape shape;
		TRY(input_type(s, p, &type, &shape));
		TRY(tarn_value_input(s->g, name, type, &shape, &v));
		TRY(declare(s, v, name));
	}
	return TARN_OK;
}

/* ---- names across graphs ---- */

static tarn_err lookup(onnx_scope *s, const char *name, tarn_value **out);

/* `outer` as an input of every body of the node; this body's one is returned. */
static tarn_err capture(onnx_scope *s, const char *name, tarn_value *outer, tarn_value **out)
{
	bodies *b = s->siblings;
	size_t i = 0;
	while (i < b->outer.len && b->outer.at[i] != outer)
		i++;
	if (i == b->outer.len) {
		TRY(VEC_GROW(&b->outer));
		TRY(VEC_RESERVE(&b->inner, b->inner.len + (size_t)b->n));
		b->outer.at[b->outer.len++] = outer;
		tarn_shape unknown = {.rank = -1};
		for (int k = 0; k < b->n; k++)
			TRY(tarn_value_input(b->scope[k]->g, name, outer->type, &unknown, &b->inner.at[b->inner.len++]));
	}
	*out = b->inner.at[i * (size_t)b->n + (size_t)s->which];
	return TARN_OK;
}

static tarn_err lookup(onnx_scope *s, const char *name, tarn_value **out)
{
	*out = tarn_map_find(&s->names, name);
	if (*out)
		return TARN_OK;
	CHECK(s->up, TARN_BAD_FILE, "nothing makes the value '%.200s'; the model is not valid ONNX", name);
	tarn_value *outer;
	TRY(lookup(s->up, name, &outer));
	if (outer->konst)
		TRY(tarn_value_const(s->g, name, outer->konst, out));
	else
		TRY(capture(s, name, outer, out));
	return tarn_map_put(&s->names, name, *out);
}

/* ---- nodes ---- */

static tarn_err op_find(onnx_scope *s, const Onnx__NodeProto *p, const tarn_op_def **op)
{
	const char *domain = is_standard(p->domain) ? "" : p->domain;
	int64_t opset = opset_of(s->r, domain);
	const char *type = onnx_text(p->op_type);
	const tarn_op_def *def = tarn_op_find(domain, type);
	CHECK(def && def->onnx_since > 0, TARN_UNSUPPORTED, "operator '%.100s' (domain '%.100s', opset %lld) is not supported",
	      type, *domain ? domain : "ai.onnx", (long long)opset);
	CHECK(opset > 0 && opset <= INT32_MAX, TARN_BAD_FILE,
	      "the model does not say which version of '%.100s' it uses; it is not valid ONNX", domain);
	CHECK(opset >= def->onnx_since, TARN_BAD_FILE,
	      "operator '%s' came with opset %d, the model says %lld; it is not valid ONNX", type, def->onnx_since,
	      (long long)opset);
	CHECK(!def->onnx_until || opset <= def->onnx_until, TARN_UNSUPPORTED,
	      "operator '%s' went with opset %d, the model says %lld", type, def->onnx_until, (long long)opset);
	*op = def;
	return TARN_OK;
}

static tarn_err constant_node(onnx_scope *s, const Onnx__NodeProto *p)
{
	CHECK(p->n_output == 1 && *p->output[0], TARN_BAD_FILE, "a constant needs one output; the model is not valid ONNX");
	tarn_tensor t = {0};
	TRY(onnx_constant_read(s->r, p, &t));
	tarn_value *v;
	tarn_err err = add_const(s, p->output[0], &t, &v);
	tarn_tensor_fini(&t);
	return err;
}

/* The node with its outputs, named as in the file; inputs follow. */
static tarn_err node_make(onnx_scope *s, const Onnx__NodeProto *p, tarn_node **out)
{
	const tarn_op_def *op = NULL;
	TRY(op_find(s, p, &op));
	CHECK(p->n_input < 1 << 20 && p->n_output < 1 << 20, TARN_BAD_FILE, "too many inputs or outputs; the file is damaged");
	const char *name = onnx_text(p->name);
	if (!*name)
		for (size_t i = 0; i < p->n_output && !*name; i++)
			name = p->output[i];
	tarn_node *n;
	/* Outputs are made here: they must not take the node's name from a value of the file. */
	TRY(tarn_node_new(s->g, op, *name ? name : NULL, (int)p->n_input, 0, -1, &n));
	n->out = tarn_arena_zalloc(s->r->arena, p->n_output + 1, sizeof(tarn_value *));
	if (!n->out)
		return tarn_err_nomem(p->n_output * sizeof(tarn_value *));
	n->n_out = (int)p->n_output;
	n->origin = tarn_arena_printf(s->r->arena, "opset%lld", (long long)opset_of(s->r, p->domain));
	for (int i = 0; i < n->n_out; i++) {
		if (!*p->output[i])
			continue;
		TRY(tarn_value_new(s->g, p->output[i], &n->out[i]));
		n->out[i]->def = n;
		n->out[i]->def_slot = i;
		TRY(declare(s, n->out[i], p->output[i]));
	}
	while (n->n_out > 0 && !n->out[n->n_out - 1])
		n->n_out--; /* trailing outputs nobody asked for */
	*out = n;
	return TARN_OK;
}

static tarn_err nodes_make(onnx_scope *s)
{
	s->node = tarn_arena_zalloc(s->r->arena, s->p->n_node + 1, sizeof(tarn_node *));
	if (!s->node)
		return tarn_err_nomem(s->p->n_node * sizeof(tarn_node *));
	for (size_t i = 0; i < s->p->n_node; i++) {
		const Onnx__NodeProto *p = s->p->node[i];
		bool constant = is_standard(p->domain) && strcmp(onnx_text(p->op_type), "Constant") == 0;
		TRY(note_node(constant ? constant_node(s, p) : node_make(s, p, &s->node[i]), p));
	}
	return TARN_OK;
}

static tarn_err nodes_connect(onnx_scope *s);

/* Inputs and constants of every body before any node: a capture is an input of all of them, behind their own. */
static tarn_err bodies_open(onnx_scope *s, tarn_node *n, bodies *b, onnx_scope *scope)
{
	for (int k = 0; k < b->n; k++) {
		scope[k] = (onnx_scope){.r = s->r, .p = b->proto[k], .up = s, .siblings = b, .which = k, .depth = s->depth + 1};
		b->scope[k] = &scope[k];
		TRY(tarn_node_add_body(s->g, n, &scope[k].g));
		scope[k].g->name = tarn_arena_strdup(s->r->arena, onnx_text(b->proto[k]->name));
		if (!scope[k].g->name)
			return tarn_err_nomem(1);
		TRY(initializers_read(&scope[k]));
		TRY(inputs_read(&scope[k]));
	}
	return TARN_OK;
}

static tarn_err outputs_read(onnx_scope *s)
{
	for (size_t i = 0; i < s->p->n_output; i++) {
		const char *name = onnx_text(s->p->output[i]->name);
		tarn_value *v;
		TRY(lookup(s, name, &v));
		TRY(VEC_GROW(&s->g->output));
		s->g->output.at[s->g->output.len++] = v;
	}
	return TARN_OK;
}

static tarn_err body_read(onnx_scope *s)
{
	TRY(nodes_make(s));
	TRY(nodes_connect(s));
	TRY(outputs_read(s));
	return tarn_graph_sort(s->g);
}

static tarn_err bodies_read(onnx_scope *s, const Onnx__NodeProto *p, tarn_node *n)
{
	static const char *const names[] = {"then_branch", "else_branch", "body"};
	bodies b = {0};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const Onnx__AttributeProto *a = onnx_attr_find(p, names[i]);
		if (a && a->g)
			b.proto[b.n++] = a->g;
	}
	int want = strcmp(n->op->name, "If") == 0 ? 2 : 1;
	CHECK(b.n == want, TARN_BAD_FILE, "it has %d of its %d bodies; the model is not valid ONNX", b.n, want);
	CHECK(s->depth < ONNX_MAX_BODIES, TARN_UNSUPPORTED, "bodies are nested more than %d deep", ONNX_MAX_BODIES);
	onnx_scope scope[MAX_NODE_BODIES] = {0};
	tarn_err err = bodies_open(s, n, &b, scope);
	for (int k = 0; k < b.n && err == TARN_OK; k++)
		err = tarn_err_note(body_read(&scope[k]), "in its body %d", k);
	int own = n->n_in;
	if (err == TARN_OK)
		err = tarn_node_resize_inputs(s->g, n, own + (int)b.outer.len);
	if (err == TARN_OK) {
		n->n_capture = (int)b.outer.len;
		for (size_t i = 0; i < b.outer.len; i++)
			n->in[own + (int)i] = b.outer.at[i];
	}
	for (int k = 0; k < b.n; k++)
		tarn_map_fini(&scope[k].names);
	VEC_FINI(&b.outer);
	VEC_FINI(&b.inner);
	return err;
}

/* Trailing optional inputs and outputs left out say nothing. */
static void trim(tarn_node *n)
{
	while (n->n_out > n->op->min_out && !n->out[n->n_out - 1])
		n->n_out--;
	while (!(n->op->flags & TARN_OP_CONTROL) && n->n_in > 0 && !n->in[n->n_in - 1])
		n->n_in--;
}

static tarn_err node_connect(onnx_scope *s, const Onnx__NodeProto *p, tarn_node *n)
{
	for (size_t i = 0; i < p->n_input; i++)
		if (*p->input[i])
			TRY(lookup(s, p->input[i], &n->in[i]));
	trim(n);
	TRY(onnx_attrs_read(s->r, p, n));
	if (n->op->flags & TARN_OP_CONTROL)
		TRY(bodies_read(s, p, n));
	TRY(onnx_import_call(s->r, p, s->g, n, (int)opset_of(s->r, p->domain)));
	trim(n); /* the hook may have left some out */
	return TARN_OK;
}

static tarn_err nodes_connect(onnx_scope *s)
{
	for (size_t i = 0; i < s->p->n_node; i++)
		if (s->node[i])
			TRY(note_node(node_connect(s, s->p->node[i], s->node[i]), s->p->node[i]));
	return TARN_OK;
}

tarn_err onnx_graph_read(onnx_reader *r, const Onnx__GraphProto *p, tarn_graph *g)
{
	onnx_scope s = {.r = r, .g = g, .p = p};
	tarn_err err = initializers_read(&s);
	if (err == TARN_OK)
		err = inputs_read(&s);
	if (err == TARN_OK)
		err = body_read(&s);
	tarn_map_fini(&s.names);
	return err;
}
