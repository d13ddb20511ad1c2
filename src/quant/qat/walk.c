/* SPDX-License-Identifier: Apache-2.0 */
/* One sample through the network, forward and back. */
#include <string.h>

#include "base/mem.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "quant/qat/net.h"

tarn_err qat_walk_init(qat_walk *w, const qat_net *net)
{
	size_t n = net->m->main->value.len + 1;
	*w = (qat_walk){.net = net};
	w->at = tarn_mem_zalloc(n, sizeof *w->at);
	w->d = tarn_mem_zalloc(n, sizeof *w->d);
	w->grad = tarn_mem_zalloc(net->n_theta, sizeof *w->grad);
	if (w->at && w->d && w->grad)
		return TARN_OK;
	qat_walk_fini(w);
	return tarn_err_nomem(net->n_theta * sizeof *w->grad);
}

void qat_walk_fini(qat_walk *w)
{
	if (w->at && w->d)
		qat_walk_clear(w);
	tarn_mem_free(w->at);
	tarn_mem_free(w->d);
	tarn_mem_free(w->grad);
	*w = (qat_walk){0};
}

static void hold(qat_walk *w, const tarn_tensor *t)
{
	if (!t->buf)
		return;
	w->bytes += tarn_tensor_bytes(t);
	w->most = w->bytes > w->most ? w->bytes : w->most;
}

static void drop(qat_walk *w, tarn_tensor *t)
{
	if (t->buf)
		w->bytes -= tarn_tensor_bytes(t);
	tarn_tensor_fini(t);
}

void qat_walk_clear(qat_walk *w)
{
	for (size_t i = 0; i < w->net->m->main->value.len; i++) {
		drop(w, &w->at[i]);
		drop(w, &w->d[i]);
	}
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
	TRY_GOTO(out, qat_forward(n, in, out, &done));
	if (!done)
		TRY_GOTO(out, tarn_node_eval(n, in, out));
	for (int i = 0; i < n->n_out; i++) {
		if (!n->out[i]) {
			tarn_tensor_fini(&out[i]);
			continue;
		}
		w->at[n->out[i]->id] = out[i];
		hold(w, &out[i]);
	}
out:
	tarn_arena_fini(&scratch);
	return err;
}

tarn_err qat_walk_forward(qat_walk *w, const tarn_tensor *in)
{
	const tarn_graph *g = w->net->m->main;
	qat_walk_clear(w);
	for (size_t i = 0; i < g->input.len; i++)
		w->at[g->input.at[i]->id] = tarn_tensor_share(&in[i]);
	for (size_t i = 0; i < g->input.len; i++)
		hold(w, &w->at[g->input.at[i]->id]);
	for (size_t i = 0; i < g->node.len; i++)
		if (!w->net->skip[i])
			TRY(forward_node(w, g->node.at[i]));
	return TARN_OK;
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
	TRY(qat_backward(n, in, out, dout, din, &done));
	return done ? TARN_OK : tarn_node_grad(n, in, out, dout, din);
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
	qat_walk_clear(w);
	return TARN_OK;
}
