/* SPDX-License-Identifier: Apache-2.0 */
/* theta into the constants of a copy of the model. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/qat/net.h"

/* The copy's value of that name; names are unique and a clone keeps them. */
static tarn_err constant(tarn_model *m, const tarn_value *v, tarn_tensor *t, tarn_value **out)
{
	*out = tarn_graph_find(m->main, v->name);
	CHECK(*out && (*out)->konst, TARN_INTERNAL, "the copy of the model lacks '%s'", v->name);
	return tarn_tensor_copy((*out)->konst, t);
}

/* The value gets t as its data; the model keeps the bytes. */
static tarn_err replace(tarn_model *m, tarn_value *v, tarn_tensor *t)
{
	tarn_tensor *own = tarn_arena_memdup(&m->arena, t, sizeof *t);
	tarn_err err = own ? tarn_model_keep(m, t->buf) : tarn_err_nomem(sizeof *t);
	if (err == TARN_OK)
		v->konst = own;
	tarn_tensor_fini(t);
	return err;
}

static float positive(float log_scale)
{
	return fmaxf(expf(log_scale), 1e-30f);
}

/* The scale of the activation that a bias's node reads, as trained. */
static float input_scale(const qat_net *net, const float *theta, const tarn_node *n)
{
	const tarn_value *s = n->in[0]->def->in[1];
	int p = net->param_of[s->id];
	return p < 0 ? *(const float *)s->konst->data : positive(theta[net->param.at[p].at]);
}

static const tarn_node *bias_reader(const qat_net *net, const qat_param *p)
{
	const tarn_graph *g = net->m->main;
	for (size_t i = 0; i < g->node.len; i++)
		if (g->node.at[i]->n_in > 2 && g->node.at[i]->in[2] == p->dq->out[0])
			return g->node.at[i];
	return NULL;
}

/* Codes and scales of a bias: both change when a scale does. */
static tarn_err write_bias(const qat_net *net, const qat_param *p, const float *theta, tarn_model *m)
{
	const tarn_node *n = bias_reader(net, p);
	CHECK(n, TARN_INTERNAL, "nothing reads the bias '%s'", p->v->name);
	const qat_param *w = &net->param.at[net->param_of[n->in[1]->id]], *ws = &net->param.at[w->scale];
	float x_scale = input_scale(net, theta, n);
	tarn_tensor q = {0}, s = {0};
	tarn_value *vq, *vs;
	tarn_err err;
	TRY_GOTO(out, constant(m, p->v, &q, &vq));
	TRY_GOTO(out, constant(m, p->dq->in[1], &s, &vs));
	int64_t scales = tarn_tensor_count(&s);
	for (size_t i = 0; i < p->n; i++) {
		size_t c = scales == 1 || ws->n == 1 ? 0 : i;
		float scale = x_scale * positive(theta[ws->at + c]);
		((float *)s.data)[scales == 1 ? 0 : i] = scale;
		tarn_tensor_set_f64(&q, (int64_t)i, nearbyint((double)theta[p->at + i] / scale));
	}
	TRY_GOTO(out, replace(m, vq, &q));
	TRY_GOTO(out, replace(m, vs, &s));
out:
	tarn_tensor_fini(&q);
	tarn_tensor_fini(&s);
	return err;
}

static tarn_err write_param(const qat_net *net, const qat_param *p, const float *theta, tarn_model *m)
{
	tarn_tensor t;
	tarn_value *v;
	if (p->kind == QAT_BIAS)
		return write_bias(net, p, theta, m);
	TRY(constant(m, p->v, &t, &v));
	const float *x = theta + p->at;
	for (size_t i = 0; i < p->n; i++) {
		if (p->kind == QAT_WEIGHT) {
			float s = positive(theta[net->param.at[p->scale].at + (size_t)((int64_t)i / p->inner % p->channels)]);
			tarn_tensor_set_i64(&t, (int64_t)i, (int64_t)fmax(p->lo, fmin(p->hi, rintf(x[i] / s))));
		} else if (p->kind == QAT_ZERO) {
			tarn_tensor_set_i64(&t, 0, lrintf(x[0]));
		} else {
			((float *)t.data)[i] = p->kind == QAT_FLOAT ? x[i] : positive(x[i]);
		}
	}
	return replace(m, v, &t);
}

/* Constants tied to a parameter that stands at another one. */
static tarn_err write_tied(const qat_net *net, const float *theta, tarn_model *m)
{
	const tarn_graph *g = net->m->main;
	for (size_t i = 0; i < g->value.len; i++) {
		const tarn_value *v = g->value.at[i];
		if (net->param_of[i] < 0 || !v->konst)
			continue;
		qat_param p = net->param.at[net->param_of[i]];
		if (p.v == v || (p.kind != QAT_SCALE && p.kind != QAT_ZERO))
			continue;
		p.v = v;
		TRY(write_param(net, &p, theta, m));
	}
	return TARN_OK;
}

tarn_err qat_net_export(const qat_net *net, const float *theta, tarn_model **out)
{
	tarn_model *m;
	TRY(tarn_model_clone(net->m, &m));
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < net->param.len && err == TARN_OK; i++)
		err = write_param(net, &net->param.at[i], theta, m);
	if (err == TARN_OK)
		err = write_tied(net, theta, m);
	if (err == TARN_OK)
		*out = m;
	else
		tarn_model_unref(m);
	return err;
}
