/* SPDX-License-Identifier: Apache-2.0 */
/* What of a model can be trained, and the way between theta and the tensors the graph reads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/plan.h"
#include "quant/qat/net.h"

static bool is_dq(const tarn_node *n)
{
	return tarn_quant_is(n, "DequantizeLinear");
}

/* A scale that is one positive number. */
static bool scalar_scale(const tarn_value *v)
{
	return v->konst && v->konst->type == TARN_F32 && tarn_tensor_count(v->konst) == 1 && *(float *)v->konst->data > 0;
}

/* Quantize or Dequantize of an activation with one constant scale. */
static bool on_activation(const tarn_node *n)
{
	return (is_dq(n) || tarn_quant_is(n, "QuantizeLinear")) && !n->in[0]->konst && scalar_scale(n->in[1]) &&
	       (n->n_in < 3 || !n->in[2] || n->in[2]->konst);
}

static tarn_err add_param(qat_net *net, const qat_param *p, int *index)
{
	TRY(VEC_GROW(&net->param));
	*index = (int)net->param.len;
	qat_param *q = &net->param.at[net->param.len++];
	*q = *p;
	q->at = net->n_theta;
	net->n_theta += q->n;
	return TARN_OK;
}

static tarn_err room(qat_param *p, tarn_dtype type, const tarn_tensor *like)
{
	return tarn_tensor_new(type, like->rank, like->dim, &p->t);
}

/* The node whose weights or bias a DequantizeLinear holds, and as which input. */
static const tarn_node *reader(const tarn_graph *g, const tarn_node *dq, int *slot)
{
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k] == dq->out[0]) {
				*slot = k;
				return g->node.at[i];
			}
	return NULL;
}

/* Weights as codes, without zero points, one scale for all or for each channel of an axis. */
static tarn_err weight_param(qat_net *net, const tarn_node *dq)
{
	const tarn_tensor *q = dq->in[0]->konst, *s = dq->in[1]->konst;
	int64_t axis = tarn_attr_i(dq, tarn_attr_index(dq->op, "axis")), scales = s ? tarn_tensor_count(s) : 0;
	qat_param w = {.kind = QAT_WEIGHT, .n = (size_t)tarn_tensor_count(q), .v = dq->in[0], .dq = dq, .inner = 1};
	axis = axis < 0 ? axis + q->rank : axis;
	/* Scales in blocks have the rank of the weights. */
	bool by_channel = scales > 1 && s->rank == 1 && axis < q->rank && q->dim[axis] == scales;
	if (!s || s->type != TARN_F32 || !w.n || (scales != 1 && !by_channel))
		return TARN_OK;
	if (dq->n_in > 2 && dq->in[2])
		for (int64_t i = 0; !dq->in[2]->konst || i < tarn_tensor_count(dq->in[2]->konst); i++)
			if (!dq->in[2]->konst || tarn_tensor_i64(dq->in[2]->konst, i))
				return TARN_OK;
	for (int64_t i = 0; i < scales; i++)
		if (!(((const float *)s->data)[i] > 0))
			return TARN_OK;
	w.channels = scales;
	for (int i = by_channel ? (int)axis + 1 : q->rank; i < q->rank; i++)
		w.inner *= q->dim[i];
	/* Codes of 8 bits that keep to +-7 are four-bit weights in wider storage. */
	w.hi = 7;
	for (size_t i = 0; i < w.n && q->type != TARN_I4; i++)
		if (llabs(tarn_tensor_i64(q, (int64_t)i)) > 7)
			w.hi = 127;
	w.lo = -w.hi;
	TRY(add_param(net, &(qat_param){.kind = QAT_WSCALE, .n = (size_t)scales, .v = dq->in[1], .unit = 1}, &w.scale));
	TRY(room(&w, TARN_F32, q));
	tarn_err err = add_param(net, &w, &net->param_of[dq->out[0]->id]);
	if (err != TARN_OK)
		tarn_tensor_fini(&w.t);
	net->skip[dq->index] = err == TARN_OK;
	return err;
}

static tarn_err bias_param(qat_net *net, const tarn_node *dq)
{
	qat_param b = {.kind = QAT_BIAS, .n = (size_t)tarn_tensor_count(dq->in[0]->konst), .v = dq->in[0], .dq = dq};
	int slot;
	const tarn_node *n = reader(net->m->main, dq, &slot);
	/* Written back it needs the scales of input and weights. */
	if (!n || slot != 2 || !b.n || !dq->in[1]->konst || !is_dq(n->in[0]->def) || !is_dq(n->in[1]->def) ||
	    !scalar_scale(n->in[0]->def->in[1]) || net->param_of[n->in[1]->id] < 0)
		return TARN_OK;
	TRY(room(&b, TARN_F32, dq->in[0]->konst));
	tarn_err err = add_param(net, &b, &net->param_of[dq->out[0]->id]);
	if (err != TARN_OK)
		tarn_tensor_fini(&b.t);
	net->skip[dq->index] = err == TARN_OK;
	return err;
}

/* Scale and zero point of an activation; several nodes may read the same constants. */
static tarn_err grid_params(qat_net *net, const tarn_node *n)
{
	int *of_scale = &net->param_of[n->in[1]->id];
	if (*of_scale < 0) {
		qat_param s = {.kind = QAT_SCALE, .n = 1, .v = n->in[1], .unit = 1};
		TRY(room(&s, TARN_F32, n->in[1]->konst));
		TRY(add_param(net, &s, of_scale));
	}
	const tarn_value *z = n->n_in > 2 ? n->in[2] : NULL;
	/* A zero point of 0 is a choice (symmetric, or all values positive) and stays. */
	if (!z || net->param_of[z->id] >= 0 || tarn_tensor_count(z->konst) != 1 || !tarn_tensor_i64(z->konst, 0))
		return TARN_OK;
	qat_param p = {.kind = QAT_ZERO, .n = 1, .v = z, .unit = 10};
	p.lo = z->konst->type == TARN_I8 ? -128 : 0;
	p.hi = p.lo + 255;
	TRY(room(&p, z->konst->type, z->konst));
	return add_param(net, &p, &net->param_of[z->id]);
}

/* Inputs that hold what a network learned, when they are constant numbers. */
static const struct {
	const char *op;
	unsigned inputs;
} learned[] = {{"Conv", 6},
	       {"ConvTranspose", 6},
	       {"Gemm", 6},
	       {"MatMul", 3},
	       {"LayerNormalization", 6},
	       {"PRelu", 2},
	       {"BatchNormalization", 6},
	       {"Add", 3},
	       {"Mul", 3},
	       {"Gather", 1},
	       {"FusedMatMul", 3},
	       {"RNN", 14},
	       {"GRU", 14},
	       {"LSTM", 142}, /* peepholes, too */
	       {"Einsum", 3}};

static tarn_err float_params(qat_net *net, const tarn_node *n)
{
	for (size_t i = 0; i < sizeof learned / sizeof *learned; i++) {
		if (strcmp(n->op->name, learned[i].op))
			continue;
		for (int k = 0; k < n->n_in && k < 8; k++) {
			const tarn_value *v = n->in[k];
			if (!(learned[i].inputs >> k & 1) || !v || !v->konst || v->konst->type != TARN_F32 ||
			    tarn_tensor_count(v->konst) < 2 || net->param_of[v->id] >= 0)
				continue;
			qat_param p = {.kind = QAT_FLOAT, .n = (size_t)tarn_tensor_count(v->konst), .v = v};
			TRY(room(&p, TARN_F32, v->konst));
			tarn_err err = add_param(net, &p, &net->param_of[v->id]);
			if (err != TARN_OK) {
				tarn_tensor_fini(&p.t);
				return err;
			}
		}
	}
	return TARN_OK;
}

/* Grids on both sides of what moves codes are one: they stay so. */
static void tie(qat_net *net, const tarn_value *a, const tarn_value *b)
{
	int from = net->param_of[b->id], to = net->param_of[a->id];
	if (from < 0 || to < 0 || from == to || net->param.at[from].kind != net->param.at[to].kind)
		return;
	if (tarn_tensor_f64(a->konst, 0) != tarn_tensor_f64(b->konst, 0))
		return;
	for (size_t i = 0; i < net->m->main->value.len; i++)
		if (net->param_of[i] == from)
			net->param_of[i] = to;
}

static void tie_moves(qat_net *net)
{
	const tarn_graph *g = net->m->main;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *q = g->node.at[i], *move = q->in[0] ? q->in[0]->def : NULL;
		if (!on_activation(q) || !tarn_quant_is(q, "QuantizeLinear") || !move ||
		    (move->op->quant.kind != TARN_QUANT_PASS && move->op->quant.kind != TARN_QUANT_CONCAT))
			continue;
		for (int k = 0; k < move->n_in; k++) {
			const tarn_node *dq = move->in[k] ? move->in[k]->def : NULL;
			if (!is_dq(dq) || !on_activation(dq))
				continue;
			tie(net, dq->in[1], q->in[1]);
			if (dq->n_in > 2 && q->n_in > 2 && dq->in[2] && q->in[2])
				tie(net, dq->in[2], q->in[2]);
		}
	}
}

static tarn_err find_params(qat_net *net)
{
	const tarn_graph *g = net->m->main;
	for (int pass = 0; pass < 2; pass++) /* biases look at their weights */
		for (size_t i = 0; i < g->node.len; i++) {
			const tarn_node *n = g->node.at[i];
			if (!is_dq(n) || !n->in[0]->konst || net->skip[i])
				continue;
			if (pass == 0 && n->in[0]->konst->type != TARN_I32)
				TRY(weight_param(net, n));
			if (pass == 1 && n->in[0]->konst->type == TARN_I32)
				TRY(bias_param(net, n));
		}
	for (size_t i = 0; i < g->node.len; i++) {
		if (on_activation(g->node.at[i]))
			TRY(grid_params(net, g->node.at[i]));
		TRY(float_params(net, g->node.at[i]));
	}
	tie_moves(net);
	return TARN_OK;
}

/* Numbers and codes; shapes and indices are not learned through. */
static bool carries(const tarn_value *v)
{
	return v && (tarn_dtype_is_float(v->type) || v->type == TARN_U8 || v->type == TARN_I8);
}

static void mark_wanted(qat_net *net)
{
	const tarn_graph *g = net->m->main;
	for (size_t i = 0; i < g->value.len; i++)
		net->wants[i] = net->param_of[i] >= 0;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		bool any = false;
		for (int k = 0; k < n->n_in && !net->skip[i]; k++)
			any |= n->in[k] && net->wants[n->in[k]->id];
		for (int k = 0; k < n->n_out && any; k++)
			if (carries(n->out[k]))
				net->wants[n->out[k]->id] = true;
	}
}

tarn_err qat_net_init(qat_net *net, const tarn_model *start)
{
	*net = (qat_net){0};
	TRY(tarn_model_clone(start, &net->m));
	const tarn_graph *g = net->m->main;
	net->param_of = tarn_arena_alloc(&net->arena, (g->value.len + 1) * sizeof *net->param_of);
	net->wants = tarn_arena_zalloc(&net->arena, g->value.len + 1, 1);
	net->skip = tarn_arena_zalloc(&net->arena, g->node.len + 1, 1);
	if (!net->param_of || !net->wants || !net->skip)
		return tarn_err_nomem(g->value.len * sizeof *net->param_of);
	for (size_t i = 0; i < g->value.len; i++)
		net->param_of[i] = -1;
	TRY(find_params(net));
	CHECK(net->n_theta, TARN_UNSUPPORTED, "the model holds nothing that can be trained");
	mark_wanted(net);
	return TARN_OK;
}

void qat_net_fini(qat_net *net)
{
	for (size_t i = 0; i < net->param.len; i++)
		tarn_tensor_fini(&net->param.at[i].t);
	VEC_FINI(&net->param);
	tarn_arena_fini(&net->arena);
	tarn_model_unref(net->m);
	*net = (qat_net){0};
}

/* ---- theta ---- */

float qat_net_size(const float *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * x[i];
	return (float)sqrt(sum / (double)n);
}

/* The float weights that codes were made from: those of the node of the same name, when they lie within a step of the codes. */
static const float *master(const qat_net *net, const qat_param *p, const tarn_model *teacher, const float *scale)
{
	int slot;
	const tarn_node *n = reader(net->m->main, p->dq, &slot);
	const tarn_tensor *q = p->v->konst, *w = NULL;
	for (size_t i = 0; teacher && n && i < teacher->main->node.len && !w; i++) {
		const tarn_node *t = teacher->main->node.at[i];
		if (!strcmp(t->name, n->name) && t->op == n->op && t->n_in > slot && t->in[slot])
			w = t->in[slot]->konst;
	}
	if (!w || w->type != TARN_F32 || w->rank != q->rank || memcmp(w->dim, q->dim, (size_t)q->rank * sizeof *q->dim))
		return NULL;
	const float *x = w->data;
	for (size_t i = 0; i < p->n; i++) {
		double code = x[i] / scale[(int64_t)i / p->inner % p->channels];
		code = code < p->lo ? p->lo : code > p->hi ? p->hi : code;
		if (fabs(code - (double)tarn_tensor_i64(q, (int64_t)i)) > 1)
			return NULL;
	}
	return x;
}

/* Master weights that round to the codes the model has: the float weights where they do, else the middle of the step. */
static void start_weight(const qat_net *net, const qat_param *p, const tarn_model *teacher, float *theta)
{
	const tarn_tensor *q = p->v->konst;
	const float *scale = net->param.at[p->scale].v->konst->data, *w = master(net, p, teacher, scale);
	for (size_t i = 0; i < p->n; i++) {
		float s = scale[(int64_t)i / p->inner % p->channels];
		double code = (double)tarn_tensor_i64(q, (int64_t)i);
		double x = w ? w[i] / s : code;
		bool beyond = (code >= p->hi && x > code) || (code <= p->lo && x < code);
		if (!beyond && fabs(x - code) > 0.49)
			x = code + (x > code ? 0.49 : -0.49);
		if (beyond)
			x = code;
		theta[p->at + i] = (float)(x * s);
	}
}

static void start_one(const qat_net *net, const qat_param *p, const tarn_model *teacher, float *theta)
{
	const tarn_tensor *t = p->v->konst;
	const float *scale;
	switch (p->kind) {
	case QAT_FLOAT:
		memcpy(theta + p->at, t->data, p->n * sizeof *theta);
		break;
	case QAT_BIAS:
		scale = p->dq->in[1]->konst->data;
		for (size_t i = 0; i < p->n; i++)
			theta[p->at + i] = (float)tarn_tensor_f64(t, (int64_t)i) *
					   scale[tarn_tensor_count(p->dq->in[1]->konst) == 1 ? 0 : i];
		break;
	case QAT_WEIGHT:
		start_weight(net, p, teacher, theta);
		break;
	case QAT_WSCALE:
	case QAT_SCALE:
		for (size_t i = 0; i < p->n; i++)
			theta[p->at + i] = logf(((const float *)t->data)[i]);
		break;
	case QAT_ZERO:
		theta[p->at] = (float)tarn_tensor_i64(t, 0);
		break;
	}
}

void qat_net_start(const qat_net *net, const tarn_model *teacher, float *theta)
{
	for (size_t i = 0; i < net->param.len; i++) {
		qat_param *p = &net->param.at[i];
		start_one(net, p, teacher, theta);
		/* What is trained moves in proportion to its size. */
		if (p->kind == QAT_FLOAT || p->kind == QAT_BIAS || p->kind == QAT_WEIGHT)
			p->unit = fmaxf(qat_net_size(theta + p->at, p->n), 1e-3f);
	}
}

void qat_net_bound(const qat_net *net, float *theta)
{
	for (size_t i = 0; i < net->param.len; i++) {
		const qat_param *p = &net->param.at[i];
		if (p->kind == QAT_ZERO)
			theta[p->at] = fmaxf((float)p->lo, fminf((float)p->hi, theta[p->at]));
	}
}

/* exp as the exported scale has it. */
static float scale_of(const float *theta, const qat_param *p, size_t c)
{
	return fmaxf(expf(theta[p->at + c]), 1e-30f);
}

static void set_weight(const qat_net *net, const qat_param *p, const float *theta)
{
	const qat_param *s = &net->param.at[p->scale];
	float *y = p->t.data, lo = (float)p->lo, hi = (float)p->hi;
	for (size_t first = 0, c = 0; first < p->n; first += (size_t)p->inner, c = (c + 1) % (size_t)p->channels) {
		float scale = scale_of(theta, s, c);
		for (size_t i = first; i < first + (size_t)p->inner; i++)
			y[i] = fmaxf(lo, fminf(hi, rintf(theta[p->at + i] / scale))) * scale;
	}
}

void qat_net_set(qat_net *net, const float *theta)
{
	for (size_t i = 0; i < net->param.len; i++) {
		qat_param *p = &net->param.at[i];
		if (p->kind == QAT_WEIGHT)
			set_weight(net, p, theta);
		else if (p->kind == QAT_SCALE)
			*(float *)p->t.data = scale_of(theta, p, 0);
		else if (p->kind == QAT_ZERO)
			tarn_tensor_set_i64(&p->t, 0, lrintf(theta[p->at]));
		else if (p->kind != QAT_WSCALE)
			memcpy(p->t.data, theta + p->at, p->n * sizeof *theta);
	}
}

/* Weights: straight through inside the range; the scale's by LSQ, then that of its logarithm. */
static void chain_weight(const qat_net *net, const qat_param *p, const float *theta, float *grad)
{
	const qat_param *s = &net->param.at[p->scale];
	for (size_t first = 0, c = 0; first < p->n; first += (size_t)p->inner, c = (c + 1) % (size_t)p->channels) {
		float scale = scale_of(theta, s, c), sum = 0;
		for (size_t i = first; i < first + (size_t)p->inner; i++) {
			float v = theta[p->at + i] / scale, q = rintf(v), *d = &grad[p->at + i];
			if (q < p->lo || q > p->hi) {
				sum += *d * (float)(q < p->lo ? p->lo : p->hi);
				*d = 0;
			} else {
				sum += *d * (q - v);
			}
		}
		grad[s->at + c] += sum * scale;
	}
}

void qat_net_chain(const qat_net *net, const float *theta, float *grad)
{
	for (size_t i = 0; i < net->param.len; i++) {
		const qat_param *p = &net->param.at[i];
		if (p->kind == QAT_WEIGHT)
			chain_weight(net, p, theta, grad);
		else if (p->kind == QAT_SCALE)
			grad[p->at] *= scale_of(theta, p, 0);
	}
}
