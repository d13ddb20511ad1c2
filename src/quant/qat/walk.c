/* SPDX-License-Identifier: Apache-2.0 */
/* One sample through the network, forward and back. */
#include <string.h>

#include "base/mem.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "quant/qat/kernel.h"
#include "quant/qat/stash.h"

tarn_err qat_walk_init(qat_walk *w, const qat_net *net)
{
	size_t n = net->m->main->value.len + 1;
	*w = (qat_walk){.net = net};
	w->at = tarn_mem_zalloc(n, sizeof *w->at);
	w->d = tarn_mem_zalloc(n, sizeof *w->d);
	w->left = tarn_mem_zalloc(n, sizeof *w->left);
	w->grad = tarn_mem_zalloc(net->n_theta, sizeof *w->grad);
	if (w->at && w->d && w->left && w->grad)
		return TARN_OK;
	qat_walk_fini(w);
	return tarn_err_nomem(net->n_theta * sizeof *w->grad);
}

static void drop(qat_walk *w, tarn_tensor *t)
{
	if (t->buf)
		w->bytes -= tarn_tensor_bytes(t);
	tarn_tensor_fini(t);
}

static void walk_clear(qat_walk *w)
{
	for (size_t i = 0; i < w->net->m->main->value.len; i++) {
		drop(w, &w->at[i]);
		drop(w, &w->d[i]);
	}
}

void qat_walk_fini(qat_walk *w)
{
	if (w->at && w->d)
		walk_clear(w);
	tarn_mem_free(w->at);
	tarn_mem_free(w->d);
	tarn_mem_free(w->left);
	tarn_mem_free(w->grad);
	*w = (qat_walk){0};
}

static void reach(qat_walk *w, size_t more)
{
	w->most = w->bytes + more > w->most ? w->bytes + more : w->most;
}

static void hold(qat_walk *w, const tarn_tensor *t)
{
	w->bytes += t->buf ? tarn_tensor_bytes(t) : 0;
	reach(w, 0);
}

/* Whether a value is held from forward to backward. */
static bool keeps(const qat_walk *w, const tarn_value *v)
{
	return !w->stash || w->stash->keep[v->id];
}

/* What a value holds; NULL for none. */
static const tarn_tensor *tensor_of(const qat_walk *w, const tarn_value *v)
{
	if (!v)
		return NULL;
	if (w->net->param_of[v->id] >= 0)
		return &w->net->param.at[w->net->param_of[v->id]].t;
	return v->konst ? v->konst : &w->at[v->id];
}

const tarn_tensor *qat_walk_value(const qat_walk *w, const tarn_value *v)
{
	return tensor_of(w, v);
}

enum { FEW = 16 }; /* inputs and outputs that need no heap */

static void note_forward(qat_walk *w, const tarn_node *n)
{
	if (!w->sizes)
		return;
	w->sizes->forward[n->index] = qat_scratch_most();
	for (int i = 0; i < n->n_out; i++) {
		const tarn_value *v = n->out[i];
		const tarn_tensor *t = v ? &w->at[v->id] : NULL;
		if (!t)
			continue;
		w->sizes->value[v->id] = tarn_tensor_bytes(t);
		w->sizes->grad[v->id] = w->net->wants[v->id] ? (size_t)tarn_tensor_count(t) * sizeof(float) : 0;
	}
}

static tarn_err forward_node(qat_walk *w, const tarn_node *n)
{
	tarn_arena scratch = {0};
	const tarn_tensor *few_in[FEW], **in = few_in;
	tarn_tensor few_out[FEW] = {{0}}, *out = few_out;
	bool done = false;
	tarn_err err = TARN_OK;
	if (n->n_in > FEW || n->n_out > FEW) {
		in = tarn_arena_zalloc(&scratch, (size_t)n->n_in + 1, sizeof *in);
		out = tarn_arena_zalloc(&scratch, (size_t)n->n_out + 1, sizeof *out);
		CHECK_GOTO(out, in && out, TARN_NOMEM, "out of memory");
	}
	for (int i = 0; i < n->n_in; i++)
		in[i] = tensor_of(w, n->in[i]);
	qat_scratch_reset();
	TRY_GOTO(out, qat_forward(n, in, out, &done));
	if (!done)
		TRY_GOTO(out, tarn_node_eval(n, in, out));
	for (int i = 0; i < n->n_out; i++) {
		tarn_tensor *at = n->out[i] ? &w->at[n->out[i]->id] : NULL;
		if (!at || at->type != TARN_DTYPE_NONE) { /* nobody reads it; or it is there already */
			tarn_tensor_fini(&out[i]);
			continue;
		}
		*at = out[i];
		hold(w, at);
	}
	reach(w, qat_scratch_most());
	note_forward(w, n);
out:
	tarn_arena_fini(&scratch);
	return err;
}

/* A value of the walk: no constant, no parameter. */
static bool walked(const qat_walk *w, const tarn_value *v)
{
	return v && !v->konst && w->net->param_of[v->id] < 0;
}

/* What n was the last to read, and nobody reads, goes, unless it is kept. */
static void forget_read(qat_walk *w, const tarn_node *n)
{
	for (int i = 0; i < n->n_in; i++)
		if (walked(w, n->in[i]) && --w->left[n->in[i]->id] == 0 && !keeps(w, n->in[i]))
			drop(w, &w->at[n->in[i]->id]);
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i] && !w->left[n->out[i]->id] && !keeps(w, n->out[i]))
			drop(w, &w->at[n->out[i]->id]);
}

tarn_err qat_walk_forward(qat_walk *w, const tarn_tensor *in)
{
	const tarn_graph *g = w->net->m->main;
	walk_clear(w);
	if (w->stash)
		memcpy(w->left, w->stash->uses, g->value.len * sizeof *w->left);
	for (size_t i = 0; i < g->input.len; i++) {
		tarn_tensor *t = &w->at[g->input.at[i]->id];
		*t = tarn_tensor_share(&in[i]);
		hold(w, t);
		if (w->sizes)
			w->sizes->value[g->input.at[i]->id] = tarn_tensor_bytes(t);
	}
	for (size_t i = 0; i < g->node.len; i++) {
		if (w->net->skip[i])
			continue;
		TRY(forward_node(w, g->node.at[i]));
		if (w->stash)
			forget_read(w, g->node.at[i]);
	}
	return TARN_OK;
}

/* Makes a value again that was let go. */
static tarn_err need(qat_walk *w, const tarn_value *v)
{
	if (!walked(w, v) || !v->def || w->at[v->id].type != TARN_DTYPE_NONE)
		return TARN_OK;
	for (int i = 0; i < v->def->n_in; i++)
		TRY(need(w, v->def->in[i]));
	return forward_node(w, v->def);
}

/* The gradient of a value, made when it is first needed: a parameter's is its slice of w->grad. */
static tarn_err gradient_of(qat_walk *w, const tarn_value *v, tarn_tensor **d)
{
	const qat_net *net = w->net;
	const tarn_tensor *t = tensor_of(w, v);
	*d = &w->d[v->id];
	if ((*d)->type != TARN_DTYPE_NONE)
		return TARN_OK;
	if (net->param_of[v->id] >= 0) {
		**d = *t;
		(*d)->type = TARN_F32;
		(*d)->buf = NULL;
		(*d)->data = w->grad + net->param.at[net->param_of[v->id]].at;
		return TARN_OK;
	}
	TRY(tarn_tensor_new(TARN_F32, t->rank, t->dim, *d));
	hold(w, *d);
	return TARN_OK;
}

static tarn_err backward_with(qat_walk *w, const tarn_node *n, const tarn_tensor **in, tarn_tensor *din, tarn_tensor *out,
			      tarn_tensor *dout)
{
	bool done = false;
	for (int i = 0; i < n->n_in; i++)
		TRY(need(w, n->in[i]));
	for (int i = 0; i < n->n_out; i++)
		TRY(need(w, n->out[i]));
	for (int i = 0; i < n->n_in; i++) {
		tarn_tensor *d;
		in[i] = tensor_of(w, n->in[i]);
		if (!n->in[i] || !w->net->wants[n->in[i]->id])
			continue;
		TRY(gradient_of(w, n->in[i], &d));
		din[i] = *d;
	}
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i]) {
			out[i] = w->at[n->out[i]->id];
			dout[i] = w->d[n->out[i]->id];
		}
	qat_scratch_reset();
	TRY(qat_backward(n, in, out, dout, din, &done));
	if (!done)
		TRY(tarn_node_grad(n, in, out, dout, din));
	reach(w, qat_scratch_most());
	if (w->sizes)
		w->sizes->backward[n->index] = qat_scratch_most();
	return TARN_OK;
}

static tarn_err backward_node(qat_walk *w, const tarn_node *n)
{
	tarn_arena scratch = {0};
	const tarn_tensor *few_in[FEW], **in = few_in;
	tarn_tensor few[3][FEW] = {{{0}}}, *din = few[0], *out = few[1], *dout = few[2];
	tarn_err err = TARN_OK;
	bool any = false;
	for (int i = 0; i < n->n_out; i++)
		any |= n->out[i] && w->d[n->out[i]->id].type != TARN_DTYPE_NONE;
	if (any && (n->n_in > FEW || n->n_out > FEW)) {
		in = tarn_arena_zalloc(&scratch, (size_t)n->n_in + 1, sizeof *in);
		din = tarn_arena_zalloc(&scratch, (size_t)n->n_in + 1, sizeof *din);
		out = tarn_arena_zalloc(&scratch, (size_t)n->n_out + 1, sizeof *out);
		dout = tarn_arena_zalloc(&scratch, (size_t)n->n_out + 1, sizeof *dout);
		CHECK_GOTO(out, in && din && out && dout, TARN_NOMEM, "out of memory");
	}
	if (any)
		err = backward_with(w, n, in, din, out, dout);
out:
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i]) {
			drop(w, &w->at[n->out[i]->id]);
			drop(w, &w->d[n->out[i]->id]);
		}
	tarn_arena_fini(&scratch);
	return err;
}

tarn_err qat_walk_backward(qat_walk *w, const tarn_value *const *v, const tarn_tensor *dout, size_t n_out)
{
	const tarn_graph *g = w->net->m->main;
	for (size_t i = 0; i < n_out; i++) {
		tarn_tensor *d;
		if (dout[i].type == TARN_DTYPE_NONE || !w->net->wants[v[i]->id] || w->net->param_of[v[i]->id] >= 0)
			continue;
		TRY(gradient_of(w, v[i], &d));
		const float *from = dout[i].data;
		for (int64_t k = 0, n = tarn_tensor_count(d); k < n; k++)
			((float *)d->data)[k] += from[k];
	}
	for (size_t i = g->node.len; i-- > 0;)
		if (!w->net->skip[i])
			TRY(backward_node(w, g->node.at[i]));
	walk_clear(w);
	return TARN_OK;
}
