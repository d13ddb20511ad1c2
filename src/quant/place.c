/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes run in INT8, which only move codes, which values get a quantizer, and which of them share one grid. */
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/plan.h"

int tarn_quant_root(const quant_plan *p, int v)
{
	while (p->group[v] != v)
		v = p->group[v];
	return v;
}

static void join(quant_plan *p, const tarn_value *a, const tarn_value *b)
{
	p->group[tarn_quant_root(p, (int)b->id)] = tarn_quant_root(p, (int)a->id);
}

/* Marks v for a quantizer, and what its codes pass through on the way to it. */
static void mark(quant_plan *p, tarn_value *v)
{
	if (p->marked[v->id] || v->konst || v->type != TARN_F32)
		return;
	p->marked[v->id] = true;
	tarn_node *d = v->def;
	if (!d || d->op->quant.kind == TARN_QUANT_FLOAT || d->op->quant.kind == TARN_QUANT_INPUTS)
		return;
	if (d->op->quant.kind == TARN_QUANT_CONCAT)
		for (int i = 0; i < d->n_in; i++)
			if (d->in[i]->konst)
				return; /* a constant part would need codes of its own */
	p->moves[d->index] = true;
	for (int i = 0; i < d->n_in; i++)
		if (d->in[i] && (d->op->quant.act >> (i < 31 ? i : 31) & 1 || d->op->quant.kind == TARN_QUANT_CONCAT)) {
			mark(p, d->in[i]);
			if (p->marked[d->in[i]->id])
				join(p, v, d->in[i]);
		}
	/* Split: the parts not asked for have the same codes */
	for (int i = 0; i < d->n_out; i++)
		if (d->out[i] && d->out[i] != v && d->out[i]->type == TARN_F32) {
			p->marked[d->out[i]->id] = true;
			join(p, v, d->out[i]);
		}
}

static tarn_err remember(tarn_quant_report *r, const tarn_node *n, const char *why)
{
	TRY(VEC_GROW(&r->reason));
	tarn_quant_reason x = {tarn_arena_strdup(&r->arena, n->name), n->op->name, why};
	if (!x.node)
		return tarn_err_nomem(strlen(n->name));
	r->reason.at[r->reason.len++] = x;
	return TARN_OK;
}

/* Nodes that compute, as opposed to moving bytes and working out shapes. */
static bool computes(const tarn_node *n)
{
	tarn_cost c = {0};
	return n->out[0] && tarn_dtype_is_float(n->out[0]->type) && n->op->quant.kind != TARN_QUANT_PASS &&
	       n->op->quant.kind != TARN_QUANT_CONCAT && !(n->op->flags & TARN_OP_VIEW) &&
	       (!n->op->cost || n->op->cost(n, &c) != TARN_OK || c.macs || c.ops);
}

/* An activation that INT8 devices apply while they requantize: it is part of the node before it. */
static bool fused(const quant_plan *p, const tarn_node *n)
{
	static const char *const activations[] = {"Relu", "Clip", NULL};
	const tarn_node *d = n->in[0] ? n->in[0]->def : NULL;
	return tarn_quant_any_of(n, activations) && d && p->int8[d->index] && tarn_graph_only_user(p->m->main, n->in[0]) == n;
}

tarn_err tarn_quant_check_ignored(const tarn_graph *g, const tarn_quant_options *o)
{
	for (int i = 0; i < o->n_ignore; i++) {
		bool found = false;
		for (size_t k = 0; k < g->node.len && !found; k++)
			found = !strcmp(g->node.at[k]->name, o->ignore[i]);
		CHECK(found, TARN_USAGE, "no node is called '%s'; 'tarn check' lists the names", o->ignore[i]);
	}
	return TARN_OK;
}

/* Where the bias can make up for what rounding the weights does on average, the average input is wanted. */
static tarn_err want_mean(quant_plan *p, const tarn_node *n)
{
	static const char *const products[] = {"Conv", "Gemm", NULL};
	quant_stat *s = &p->stat[n->in[0]->id];
	if (!tarn_quant_any_of(n, products) || s->mean)
		return TARN_OK;
	const tarn_tensor *w = n->in[1]->konst;
	bool conv = tarn_quant_is(n, "Conv"), turned = !conv && !tarn_attr_i(n, tarn_attr_index(n->op, "transB"));
	s->channels = w->dim[!turned] * (conv ? tarn_attr_i(n, tarn_attr_index(n->op, "group")) : 1);
	s->mean = tarn_arena_zalloc(&p->arena, (size_t)s->channels, sizeof(double));
	return s->mean ? TARN_OK : tarn_err_nomem((size_t)s->channels * sizeof(double));
}

static void forget_placement(quant_plan *p, tarn_quant_report *r)
{
	const tarn_graph *g = p->m->main;
	memset(p->int8, 0, g->node.len);
	memset(p->moves, 0, g->node.len);
	memset(p->marked, 0, g->value.len);
	for (size_t v = 0; v < g->value.len; v++)
		p->group[v] = (int)v;
	r->nodes_int8 = r->nodes_float = 0;
	r->reason.len = 0;
}

static const char *why_float(const quant_plan *p, const tarn_node *n, bool transformer, const tarn_quant_options *o)
{
	for (int i = 0; i < o->n_ignore; i++)
		if (!strcmp(n->name, o->ignore[i]))
			return "the user asked for it";
	if (p->keep_float[n->index])
		return "it was restored to keep the accuracy";
	return n->op->quant.kind == TARN_QUANT_INPUTS ? tarn_quant_float_reason(p->m->main, n, transformer) : "no INT8 form";
}

static tarn_err place_node(quant_plan *p, tarn_node *n)
{
	p->int8[n->index] = true;
	TRY(want_mean(p, n));
	for (int k = 0; k < n->n_in; k++)
		if (n->in[k] && n->op->quant.act >> k & 1)
			mark(p, n->in[k]);
	return TARN_OK;
}

tarn_err tarn_quant_place(quant_plan *p, const tarn_quant_options *o, tarn_quant_report *r)
{
	tarn_graph *g = p->m->main;
	forget_placement(p, r);
	TRY(tarn_quant_check_ignored(g, o));
	bool transformer = tarn_quant_is_transformer(g), known = true;
	double macs = 0, int8 = 0;
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		tarn_cost c = {0};
		if (n->op->cost && n->op->cost(p->sized ? p->sized->main->node.at[i] : n, &c) != TARN_OK)
			known = known && n->op->quant.kind != TARN_QUANT_INPUTS;
		macs += (double)c.macs;
		if (!computes(n) || fused(p, n))
			continue;
		const char *why = why_float(p, n, transformer, o);
		if (why) {
			r->nodes_float++;
			TRY(remember(r, n, why));
			continue;
		}
		r->nodes_int8++;
		int8 += (double)c.macs;
		TRY(place_node(p, n));
	}
	r->mac_share_int8 = known && macs > 0 ? int8 / macs : __builtin_nan("");
	return TARN_OK;
}
