/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/grad.h"

#include <math.h>

#include "ops/ops.h"

/* ---- what the slots share ---- */

tarn_err tarn_grad_zeros(tarn_grad *g, int64_t n, double **v)
{
	size_t count = n > 0 ? (size_t)n : 1;
	*v = tarn_arena_zalloc(g->arena, count, sizeof **v);
	return *v ? TARN_OK : tarn_err_nomem(count * sizeof **v);
}

tarn_err tarn_grad_load(tarn_grad *g, const tarn_tensor *t, double **v)
{
	*v = NULL;
	if (!t || t->type == TARN_DTYPE_NONE)
		return TARN_OK;
	int64_t n = tarn_tensor_count(t);
	TRY(tarn_grad_zeros(g, n, v));
	tarn_real_fetch(t, 0, n, *v);
	return TARN_OK;
}

void tarn_grad_add(tarn_tensor *din, const double *v)
{
	int64_t n = tarn_tensor_count(din);
	if (din->type == TARN_F64)
		for (int64_t i = 0; i < n; i++)
			((double *)din->data)[i] += v[i];
	else
		for (int64_t i = 0; i < n; i++)
			((float *)din->data)[i] += (float)v[i];
}

/* A run of broadcast elements between a tensor and an array. */
typedef struct spread {
	const tarn_tensor *t;
	double *narrow, *wide;
} spread;

static tarn_err expand_run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	spread *s = ctx;
	tarn_elem_load_f64(s->t, src[0], step[0], n, s->wide + at);
	return TARN_OK;
}

static tarn_err reduce_run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	spread *s = ctx;
	for (int i = 0; i < n; i++)
		s->narrow[src[0] + i * step[0]] += s->wide[at + i];
	return TARN_OK;
}

tarn_err tarn_grad_expand(tarn_grad *g, const tarn_tensor *t, const tarn_tensor *to, double **v)
{
	spread s = {.t = t};
	TRY(tarn_grad_zeros(g, tarn_tensor_count(to), &s.wide));
	*v = s.wide;
	return tarn_elem_runs(to, &t, 1, expand_run, &s);
}

tarn_err tarn_grad_reduce(tarn_grad *g, tarn_tensor *din, const tarn_tensor *from, const double *v)
{
	const tarn_tensor *in = din;
	spread s = {.wide = (double *)(uintptr_t)v};
	if (tarn_tensor_count(din) == tarn_tensor_count(from)) {
		tarn_grad_add(din, v);
		return TARN_OK;
	}
	TRY(tarn_grad_zeros(g, tarn_tensor_count(din), &s.narrow));
	TRY(tarn_elem_runs(from, &in, 1, reduce_run, &s));
	tarn_grad_add(din, s.narrow);
	return TARN_OK;
}

tarn_err tarn_grad_unary(tarn_grad *g, tarn_grad_slope slope, const double *p)
{
	double *x, *y, *dy;
	if (!slope || !tarn_grad_wants(g, 0))
		return TARN_OK;
	TRY(tarn_grad_load(g, g->in[0], &x));
	TRY(tarn_grad_load(g, &g->out[0], &y));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	for (int64_t i = 0, n = tarn_tensor_count(g->in[0]); i < n; i++)
		dy[i] *= slope(x[i], y[i], p);
	tarn_grad_add(&g->din[0], dy);
	return TARN_OK;
}

tarn_err tarn_grad_binary(tarn_grad *g, tarn_grad_partial da, tarn_grad_partial db)
{
	const tarn_tensor *out = &g->out[0];
	tarn_grad_partial partial[2] = {da, db};
	double *a, *b, *y, *dy, *d;
	int64_t n = tarn_tensor_count(out);
	TRY(tarn_grad_expand(g, g->in[0], out, &a));
	TRY(tarn_grad_expand(g, g->in[1], out, &b));
	TRY(tarn_grad_load(g, out, &y));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	TRY(tarn_grad_zeros(g, n, &d));
	for (int k = 0; k < 2; k++) {
		if (!tarn_grad_wants(g, k) || !partial[k])
			continue;
		for (int64_t i = 0; i < n; i++)
			d[i] = dy[i] * partial[k](a[i], b[i], y[i]);
		TRY(tarn_grad_reduce(g, &g->din[k], out, d));
	}
	return TARN_OK;
}

double tarn_norm_slope(double x, double y, double p)
{
	return y > 0 ? copysign(pow(fabs(x) / y, p - 1), x) : 0;
}

tarn_err tarn_grad_view(tarn_grad *g)
{
	double *dy;
	if (!tarn_grad_wants(g, 0) || g->dout[0].type == TARN_DTYPE_NONE)
		return TARN_OK;
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	tarn_grad_add(&g->din[0], dy);
	return TARN_OK;
}

/* Elements of the inputs whose gradient is wanted are numbered from 1 on, over all inputs; everything else of a floating-point
 * type is 0. */
static tarn_err numbered(tarn_grad *g, const tarn_tensor **in, int64_t *first)
{
	int64_t next = 1;
	for (int k = 0; k < g->node->n_in; k++) {
		first[k] = next;
		in[k] = g->in[k];
		if (!in[k] || (!tarn_dtype_is_float(in[k]->type) && !tarn_grad_wants(g, k)))
			continue;
		tarn_tensor *t = tarn_arena_memdup(g->arena, in[k], sizeof *t);
		double *v;
		int64_t n = tarn_tensor_count(in[k]);
		TRY(tarn_grad_zeros(g, n, &v));
		if (!t)
			return tarn_err_nomem(sizeof *t);
		for (int64_t i = 0; i < n && tarn_grad_wants(g, k); i++)
			v[i] = (double)next++;
		t->type = TARN_F64;
		t->data = v;
		t->buf = NULL;
		in[k] = t;
	}
	first[g->node->n_in] = next;
	return TARN_OK;
}

static tarn_err moved_out(tarn_grad *g, const tarn_tensor *where, const tarn_tensor *dout, double *d, int64_t count)
{
	double *dy;
	TRY(tarn_grad_load(g, dout, &dy));
	for (int64_t i = 0, n = tarn_tensor_count(dout); i < n; i++) {
		int64_t at = (int64_t)tarn_tensor_f64(where, i);
		CHECK(at >= 0 && at <= count, TARN_INTERNAL, "an element that came from nowhere");
		d[at] += dy[i];
	}
	return TARN_OK;
}

tarn_err tarn_grad_moved(tarn_grad *g)
{
	const tarn_node *n = g->node;
	const tarn_tensor **in = tarn_arena_zalloc(g->arena, (size_t)n->n_in + 1, sizeof *in);
	int64_t *first = tarn_arena_zalloc(g->arena, (size_t)n->n_in + 1, sizeof *first);
	tarn_tensor *where = tarn_arena_zalloc(g->arena, (size_t)n->n_out + 1, sizeof *where);
	double *d;
	if (!in || !first || !where)
		return tarn_err_nomem((size_t)n->n_in * sizeof *in);
	TRY(numbered(g, in, first));
	int64_t count = first[n->n_in] - 1;
	TRY(tarn_grad_zeros(g, count + 1, &d));
	TRY(tarn_node_eval(n, in, where));
	tarn_err err = TARN_OK;
	for (int k = 0; k < n->n_out && err == TARN_OK; k++)
		if (g->dout[k].type != TARN_DTYPE_NONE)
			err = moved_out(g, &where[k], &g->dout[k], d, count);
	for (int k = 0; k < n->n_out; k++)
		tarn_tensor_fini(&where[k]);
	TRY(err);
	for (int k = 0; k < n->n_in; k++)
		if (tarn_grad_wants(g, k))
			tarn_grad_add(&g->din[k], d + first[k]);
	return TARN_OK;
}

/* ---- one node, one graph ---- */

bool tarn_node_has_grad(const tarn_node *n)
{
	return n->op->grad || n->op->decompose || n->op->flags & TARN_OP_FLAT;
}

/* Through the decomposition: a graph of this node alone whose inputs are those of a floating-point type. */
static tarn_err grad_decomposed(tarn_grad *g)
{
	const tarn_node *n = g->node;
	tarn_model *m;
	tarn_node *k;
	int count = 0, outputs = 0;
	const tarn_tensor **in = tarn_arena_zalloc(g->arena, (size_t)n->n_in + 1, sizeof *in);
	tarn_tensor *din = tarn_arena_zalloc(g->arena, (size_t)n->n_in + 1, sizeof *din);
	tarn_tensor *dout = tarn_arena_zalloc(g->arena, (size_t)n->n_out + 1, sizeof *dout);
	if (!in || !din || !dout)
		return tarn_err_nomem((size_t)n->n_in * sizeof *din);
	TRY(tarn_model_new(&m));
	tarn_graph *sub = m->main;
	tarn_err err;
	TRY_GOTO(out, tarn_node_new(sub, n->op, n->name, n->n_in, n->n_out, -1, &k));
	for (int i = 0; i < n->op->n_attr; i++)
		k->attr[i] = n->attr[i];
	for (int i = 0; i < n->n_in; i++) {
		if (!g->in[i])
			continue;
		tarn_shape shape = tarn_tensor_shape(g->in[i]);
		if (!tarn_dtype_is_float(g->in[i]->type)) {
			TRY_GOTO(out, tarn_value_const(sub, NULL, g->in[i], &k->in[i]));
			continue;
		}
		TRY_GOTO(out, tarn_value_input(sub, NULL, g->in[i]->type, &shape, &k->in[i]));
		in[count] = g->in[i];
		din[count++] = g->din[i];
	}
	for (int i = 0; i < n->n_out; i++) {
		if (!n->out[i] || g->dout[i].type == TARN_DTYPE_NONE)
			continue;
		TRY_GOTO(out, VEC_GROW(&sub->output));
		sub->output.at[sub->output.len++] = k->out[i];
		dout[outputs++] = g->dout[i];
	}
	TRY_GOTO(out, tarn_graph_infer(sub));
	TRY_GOTO(out, n->op->decompose(sub, k));
	tarn_graph_sweep(sub);
	TRY_GOTO(out, tarn_graph_sort(sub));
	err = tarn_graph_grad(sub, in, dout, din);
out:
	tarn_model_unref(m);
	return err;
}

tarn_err tarn_node_grad(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			tarn_tensor *din)
{
	bool any_in = false, any_out = false;
	for (int i = 0; i < n->n_in; i++)
		any_in |= din[i].type != TARN_DTYPE_NONE;
	for (int i = 0; i < n->n_out; i++)
		any_out |= dout[i].type != TARN_DTYPE_NONE;
	if (!any_in || !any_out || (n->op->flags & TARN_OP_FLAT && !n->op->grad))
		return TARN_OK;
	tarn_arena scratch = {0};
	tarn_grad g = {.node = n, .in = in, .out = out, .dout = dout, .din = din, .arena = &scratch};
	tarn_err err;
	if (n->op->grad)
		err = n->op->grad(&g);
	else if (n->op->decompose)
		err = grad_decomposed(&g);
	else
		err = tarn_err_set(TARN_UNSUPPORTED, "operator %s has no gradient; what stands before it cannot be trained",
				   n->op->name);
	tarn_arena_fini(&scratch);
	return err == TARN_OK ? err : tarn_err_note(err, "in the gradient of node '%s' (%s)", n->name, n->op->name);
}

/* A graph's values and their gradients while it is walked. */
typedef struct tape {
	const tarn_graph *g;
	tarn_tensor *at, *d; /* by value id */
	bool *wants;         /* by value id: some wanted input reaches it */
	tarn_arena arena;
} tape;

static tarn_err keep(void *ctx, const tarn_value *v, const tarn_tensor *t)
{
	tape *k = ctx;
	if (!v)
		return TARN_OK;
	k->at[v->id] = tarn_tensor_share(t);
	return TARN_OK;
}

static tarn_err grad_tensor(const tarn_tensor *like, tarn_tensor *d)
{
	return tarn_tensor_new(like->type == TARN_F64 ? TARN_F64 : TARN_F32, like->rank, like->dim, d);
}

static tarn_err walk_node(tape *t, const tarn_node *n)
{
	tarn_arena scratch = {0};
	tarn_err err = TARN_OK;
	size_t ins = (size_t)n->n_in + 1, outs = (size_t)n->n_out + 1;
	const tarn_tensor **in = tarn_arena_zalloc(&scratch, ins, sizeof *in);
	tarn_tensor *din = tarn_arena_zalloc(&scratch, ins, sizeof *din);
	tarn_tensor *out = tarn_arena_zalloc(&scratch, outs, sizeof *out),
		    *dout = tarn_arena_zalloc(&scratch, outs, sizeof *dout);
	if (!in || !din || !out || !dout) {
		err = tarn_err_nomem(ins * sizeof *din);
		goto out;
	}
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i]) {
			out[i] = t->at[n->out[i]->id];
			dout[i] = t->d[n->out[i]->id];
		}
	for (int i = 0; i < n->n_in; i++) {
		const tarn_value *v = n->in[i];
		in[i] = !v ? NULL : v->konst ? v->konst : &t->at[v->id];
		if (!v || v->konst || !t->wants[v->id])
			continue;
		if (t->d[v->id].type == TARN_DTYPE_NONE)
			TRY_GOTO(out, grad_tensor(in[i], &t->d[v->id]));
		din[i] = t->d[v->id];
	}
	err = tarn_node_grad(n, in, out, dout, din);
out:
	tarn_arena_fini(&scratch);
	return err;
}

static tarn_err walk(tape *t, const tarn_tensor *const *in, const tarn_tensor *dout, tarn_tensor *din)
{
	const tarn_graph *g = t->g;
	tarn_tensor *out = tarn_arena_zalloc(&t->arena, g->output.len + 1, sizeof *out);
	if (!out)
		return tarn_err_nomem(g->output.len * sizeof *out);
	TRY(tarn_graph_eval(g, in, out, keep, t));
	for (size_t i = 0; i < g->output.len; i++)
		tarn_tensor_fini(&out[i]);
	for (size_t i = 0; i < g->input.len; i++)
		t->wants[g->input.at[i]->id] = din[i].type != TARN_DTYPE_NONE;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		bool any = false;
		for (int k = 0; k < n->n_in; k++)
			any |= n->in[k] && t->wants[n->in[k]->id];
		for (int k = 0; k < n->n_out; k++)
			if (n->out[k])
				t->wants[n->out[k]->id] = any;
	}
	for (size_t i = 0; i < g->output.len; i++) {
		const tarn_value *v = g->output.at[i];
		double *d = NULL;
		tarn_grad one = {.arena = &t->arena};
		if (v->konst || dout[i].type == TARN_DTYPE_NONE || !t->wants[v->id])
			continue;
		if (t->d[v->id].type == TARN_DTYPE_NONE)
			TRY(grad_tensor(&t->at[v->id], &t->d[v->id]));
		TRY(tarn_grad_load(&one, &dout[i], &d));
		tarn_grad_add(&t->d[v->id], d);
	}
	for (size_t i = g->node.len; i-- > 0;)
		TRY(walk_node(t, g->node.at[i]));
	for (size_t i = 0; i < g->input.len; i++) {
		double *d = NULL;
		tarn_grad one = {.arena = &t->arena};
		TRY(tarn_grad_load(&one, &t->d[g->input.at[i]->id], &d));
		if (d && din[i].type != TARN_DTYPE_NONE)
			tarn_grad_add(&din[i], d);
	}
	return TARN_OK;
}

tarn_err tarn_graph_grad(const tarn_graph *g, const tarn_tensor *const *in, const tarn_tensor *dout, tarn_tensor *din)
{
	tape t = {.g = g};
	tarn_err err;
	size_t n = g->value.len + 1;
	t.at = tarn_arena_zalloc(&t.arena, n, sizeof *t.at);
	t.d = tarn_arena_zalloc(&t.arena, n, sizeof *t.d);
	t.wants = tarn_arena_zalloc(&t.arena, n, sizeof *t.wants);
	err = t.at && t.d && t.wants ? walk(&t, in, dout, din) : tarn_err_nomem(n * sizeof *t.at);
	for (size_t i = 0; t.at && t.d && i < n; i++) {
		tarn_tensor_fini(&t.at[i]);
		tarn_tensor_fini(&t.d[i]);
	}
	tarn_arena_fini(&t.arena);
	return err;
}
