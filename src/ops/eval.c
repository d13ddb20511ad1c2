/* SPDX-License-Identifier: Apache-2.0 */
/* Reference evaluation: concrete inference on a shadow of the node, then the operator's eval. The graph itself is only read, so
 * that many threads may evaluate it at once. */
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"

/* A copy of the node whose inputs are constants: the tensors at hand. Lives in the arena. */
static tarn_err shadow(const tarn_node *n, const tarn_tensor *const *in, tarn_arena *a, tarn_node *s)
{
	*s = *n;
	s->in = tarn_arena_zalloc(a, (size_t)n->n_in, sizeof *s->in);
	s->out = tarn_arena_zalloc(a, (size_t)n->n_out, sizeof *s->out);
	tarn_value *v = tarn_arena_zalloc(a, (size_t)n->n_in + (size_t)n->n_out, sizeof *v);
	if (!s->in || !s->out || !v)
		return tarn_err_nomem((size_t)(n->n_in + n->n_out) * sizeof *v);
	for (int i = 0; i < n->n_in; i++) {
		CHECK(!in[i] == !n->in[i], TARN_INTERNAL, "input %d is %s", i, in[i] ? "unexpected" : "missing");
		if (!in[i])
			continue;
		s->in[i] = v;
		*v++ = (tarn_value){
			.name = n->in[i]->name, .type = in[i]->type, .shape = tarn_tensor_shape(in[i]), .konst = in[i]};
	}
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i]) {
			s->out[i] = v;
			*v++ = (tarn_value){.name = n->out[i]->name, .shape = {.rank = -1}, .def = s, .def_slot = i};
		}
	return TARN_OK;
}

/* Who looks on, passed down into bodies. */
typedef struct onlooker {
	tarn_observe_fn observe;
	void *ctx;
} onlooker;

static tarn_err eval_graph(const tarn_graph *g, const tarn_tensor *const *in, tarn_tensor *out, const onlooker *who,
			   bool inside);

static tarn_err run_body(tarn_eval *e, int body, const tarn_tensor *const *in, int n_in, tarn_tensor *out, int n_out)
{
	const tarn_graph *g = e->node->body[body];
	CHECK((size_t)n_in == g->input.len && (size_t)n_out == g->output.len, TARN_INTERNAL,
	      "body %d takes %zu inputs and gives %zu outputs", body, g->input.len, g->output.len);
	const onlooker *who = e->ctx;
	if (who)
		TRY(who->observe(who->ctx, NULL, NULL));
	return eval_graph(g, in, out, who, true);
}

/* What a decomposition gave, copied into the bytes the caller set out. */
static tarn_err place(tarn_tensor *out, tarn_tensor *result)
{
	if (!out->data) {
		*out = *result;
		return TARN_OK;
	}
	tarn_shape a = tarn_tensor_shape(out), b = tarn_tensor_shape(result);
	bool fits = out->type == result->type && tarn_shape_same(&a, &b);
	if (fits)
		memcpy(out->data, result->data, tarn_tensor_bytes(result));
	tarn_tensor_fini(result);
	CHECK(fits, TARN_INTERNAL, "the result has another shape than was planned");
	return TARN_OK;
}

/* An operator without eval: build a graph of this node alone, decompose, evaluate. */
static tarn_err eval_decomposed(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out)
{
	CHECK(n->op->decompose, TARN_UNSUPPORTED, "operator %s has no reference implementation", n->op->name);
	tarn_model *m;
	TRY(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_node *k;
	tarn_err err;
	int present = 0;
	TRY_GOTO(out, tarn_node_new(g, n->op, n->name, n->n_in, n->n_out, -1, &k));
	memcpy(k->attr, n->attr, (size_t)n->op->n_attr * sizeof *k->attr);
	for (int i = 0; i < n->n_in; i++)
		if (in[i])
			TRY_GOTO(out, tarn_value_const(g, NULL, in[i], &k->in[i]));
	for (int i = 0; i < n->n_out; i++) {
		if (!n->out[i]) {
			k->out[i] = NULL;
			continue;
		}
		TRY_GOTO(out, VEC_GROW(&g->output));
		g->output.at[g->output.len++] = k->out[i];
		present++;
	}
	TRY_GOTO(out, tarn_graph_infer(g));
	TRY_GOTO(out, n->op->decompose(g, k));
	tarn_graph_sweep(g);
	TRY_GOTO(out, tarn_graph_sort(g));
	tarn_tensor *res = tarn_mem_zalloc((size_t)present, sizeof *res);
	if (!res) {
		err = tarn_err_nomem((size_t)present * sizeof *res);
		goto out;
	}
	err = tarn_graph_eval(g, NULL, res, NULL, NULL);
	for (int i = 0, r = 0; err == TARN_OK && i < n->n_out; i++)
		if (n->out[i])
			err = place(&out[i], &res[r++]);
	tarn_mem_free(res);
out:
	tarn_model_unref(m);
	return err;
}

static tarn_err eval_shadow(tarn_node *s, const tarn_tensor *const *in, tarn_tensor *out, tarn_arena *a, tarn_body_fn body,
			    void *ctx)
{
	const tarn_op_def *op = s->op;
	tarn_symtab syms = {.arena = a};
	tarn_eval e = {.node = s, .in = in, .out = out, .run_body = body ? body : run_body, .ctx = ctx};
	tarn_err err = TARN_OK;
	if (op->infer && !(op->flags & TARN_OP_CONTROL)) {
		tarn_infer c = {.node = s, .syms = &syms, .arena = a};
		TRY_GOTO(out, op->infer(&c));
		for (int i = 0; i < s->n_out; i++) {
			const tarn_value *v = s->out[i];
			if (!v || (op->flags & TARN_OP_DATA_SHAPE))
				continue;
			/* With every input at hand only malformed ones leave a shape open (a list of the wrong length, say). */
			CHECK_GOTO(out, v->type != TARN_DTYPE_NONE && tarn_shape_is_static(&v->shape), TARN_SHAPE,
				   "the shape of output %d cannot be told from these inputs", i);
			TRY_GOTO(out, tarn_eval_out(&e, i, v->type, v->shape.rank, v->shape.dim));
		}
	}
	TRY_GOTO(out, op->eval(&e));
	for (int i = 0; i < s->n_out; i++)
		CHECK_GOTO(out, !s->out[i] || out[i].type != TARN_DTYPE_NONE, TARN_INTERNAL, "output %d was not computed", i);
out:
	tarn_symtab_fini(&syms);
	return err;
}

tarn_err tarn_node_eval(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out)
{
	return tarn_node_eval_into(n, in, out, NULL, NULL);
}

tarn_err tarn_node_eval_into(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, tarn_body_fn body, void *ctx)
{
	tarn_arena scratch = {0};
	tarn_node s;
	tarn_err err;
	if (!n->op->eval) {
		err = eval_decomposed(n, in, out);
	} else {
		err = shadow(n, in, &scratch, &s);
		if (err == TARN_OK)
			err = eval_shadow(&s, in, out, &scratch, body, ctx);
	}
	if (err != TARN_OK)
		for (int i = 0; i < n->n_out; i++)
			tarn_tensor_fini(&out[i]);
	tarn_arena_fini(&scratch);
	return err == TARN_OK ? err : tarn_err_note(err, "in node '%s' (%s)", n->name, n->op->name);
}

/* Evaluation of one graph: the tensor of each value and how many uses are still to come. */
typedef struct frame {
	tarn_tensor *at;
	int *left;
} frame;

static void used(frame *f, const tarn_value *v)
{
	if (v && !v->konst && --f->left[v->id] == 0)
		tarn_tensor_fini(&f->at[v->id]);
}

static tarn_err eval_one(const tarn_node *n, frame *f, const onlooker *who, bool inside)
{
	tarn_arena scratch = {0};
	tarn_err err = TARN_OK;
	const tarn_tensor **in = tarn_arena_zalloc(&scratch, (size_t)n->n_in, sizeof *in);
	tarn_tensor *out = tarn_arena_zalloc(&scratch, (size_t)n->n_out, sizeof *out);
	if (!in || !out) {
		err = tarn_err_nomem((size_t)n->n_in * sizeof *in);
		goto out;
	}
	for (int i = 0; i < n->n_in; i++)
		in[i] = !n->in[i] ? NULL : n->in[i]->konst ? n->in[i]->konst : &f->at[n->in[i]->id];
	TRY_GOTO(out, tarn_node_eval_into(n, in, out, NULL, (void *)(uintptr_t)who));
	for (int i = 0; i < n->n_out; i++) {
		if (!n->out[i])
			continue;
		f->at[n->out[i]->id] = out[i];
		if (who && !inside && err == TARN_OK)
			err = who->observe(who->ctx, n->out[i], &f->at[n->out[i]->id]);
		if (f->left[n->out[i]->id] == 0)
			tarn_tensor_fini(&f->at[n->out[i]->id]);
	}
	for (int i = 0; i < n->n_in; i++)
		used(f, n->in[i]);
out:
	tarn_arena_fini(&scratch);
	return err;
}

/* inside: the graph is a body, whose values nobody looks at. */
static tarn_err eval_graph(const tarn_graph *g, const tarn_tensor *const *in, tarn_tensor *out, const onlooker *who,
			   bool inside)
{
	tarn_arena scratch = {0};
	frame f = {0};
	tarn_err err = TARN_OK;
	f.at = tarn_arena_zalloc(&scratch, g->value.len + 1, sizeof *f.at);
	if (!f.at) {
		err = tarn_err_nomem(g->value.len * sizeof *f.at);
		goto out;
	}
	TRY_GOTO(out, tarn_graph_uses(g, &scratch, &f.left));
	for (size_t i = 0; i < g->input.len; i++) {
		const tarn_value *v = g->input.at[i];
		CHECK_GOTO(out, in && in[i], TARN_SHAPE, "input '%s' was not given", v->name);
		CHECK_GOTO(out, v->type == TARN_DTYPE_NONE || in[i]->type == v->type, TARN_TYPE,
			   "input '%s' is %s; it was given %s", v->name, tarn_dtype_info(v->type)->word,
			   tarn_dtype_info(in[i]->type)->word);
		f.at[v->id] = tarn_tensor_share(in[i]);
		if (who && !inside)
			TRY_GOTO(out, who->observe(who->ctx, v, in[i]));
	}
	for (size_t i = 0; i < g->node.len; i++)
		TRY_GOTO(out, eval_one(g->node.at[i], &f, who, inside));
	for (size_t i = 0; i < g->output.len; i++) {
		const tarn_value *v = g->output.at[i];
		const tarn_tensor *t = v->konst ? v->konst : &f.at[v->id];
		CHECK_GOTO(out, t->type != TARN_DTYPE_NONE, TARN_INTERNAL, "output '%s' was not computed", v->name);
		/* Borrowed bytes (a caller's input passed through) are copied: outputs own theirs. */
		if (t->buf)
			out[i] = tarn_tensor_share(t);
		else
			TRY_GOTO(out, tarn_tensor_copy(t, &out[i]));
	}
out:
	if (f.at)
		for (size_t i = 0; i < g->value.len; i++)
			tarn_tensor_fini(&f.at[i]);
	if (err != TARN_OK)
		for (size_t i = 0; i < g->output.len; i++)
			tarn_tensor_fini(&out[i]);
	tarn_arena_fini(&scratch);
	return err;
}

tarn_err tarn_graph_eval(const tarn_graph *g, const tarn_tensor *const *in, tarn_tensor *out, tarn_observe_fn observe,
			 void *ctx)
{
	onlooker who = {observe, ctx};
	return eval_graph(g, in, out, observe ? &who : NULL, false);
}
