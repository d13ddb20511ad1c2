/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/qat/stash.h"

#include <string.h>

#include "base/mem.h"
#include "quant/plan.h"

enum { DEEPEST = 200 /* values made from one another, at most */ };

tarn_err qat_sizes_init(qat_sizes *s, const qat_net *net, tarn_arena *arena)
{
	const tarn_graph *g = net->m->main;
	s->value = tarn_arena_zalloc(arena, g->value.len + 1, sizeof *s->value);
	s->grad = tarn_arena_zalloc(arena, g->value.len + 1, sizeof *s->grad);
	s->forward = tarn_arena_zalloc(arena, g->node.len + 1, sizeof *s->forward);
	s->backward = tarn_arena_zalloc(arena, g->node.len + 1, sizeof *s->backward);
	return s->value && s->grad && s->forward && s->backward ? TARN_OK : tarn_err_nomem(g->value.len * sizeof *s->value);
}

/* A value of the walk: no constant, no parameter. */
static bool walked(const qat_net *net, const tarn_value *v)
{
	return v && !v->konst && net->param_of[v->id] < 0;
}

static bool is_code(const tarn_value *v)
{
	return v->type == TARN_U8 || v->type == TARN_I8;
}

/* The codes a number comes from, when these are enough to make it again. */
static const tarn_value *codes_of(const qat_net *net, const tarn_value *v)
{
	const tarn_node *n = v->def;
	return tarn_quant_is(n, "DequantizeLinear") && walked(net, n->in[0]) && is_code(n->in[0]) ? n->in[0] : NULL;
}

/* What must be kept whatever the plan: inputs, taps, results of chance, control flow and shape arithmetic. */
static void keep_musts(qat_stash *s, const qat_net *net, const tarn_value *const *tap, size_t n_tap)
{
	const tarn_graph *g = net->m->main;
	for (size_t i = 0; i < g->value.len; i++) {
		const tarn_value *v = g->value.at[i];
		const tarn_node *n = v->def;
		int special = TARN_OP_RANDOM | TARN_OP_CONTROL | TARN_OP_DATA_SHAPE;
		s->keep[v->id] = !n || (n->op->flags & special) || !(tarn_dtype_is_float(v->type) || is_code(v));
	}
	for (size_t k = 0; k < n_tap; k++)
		s->keep[tap[k]->id] = true;
	for (size_t k = 0; k < g->output.len; k++)
		s->keep[g->output.at[k]->id] = true;
}

tarn_err qat_stash_init(qat_stash *s, const qat_net *net, const tarn_value *const *tap, size_t n_tap, tarn_arena *arena)
{
	const tarn_graph *g = net->m->main;
	*s = (qat_stash){0};
	s->keep = tarn_arena_zalloc(arena, g->value.len + 1, sizeof *s->keep);
	s->uses = tarn_arena_zalloc(arena, g->value.len + 1, sizeof *s->uses);
	if (!s->keep || !s->uses)
		return tarn_err_nomem(g->value.len * sizeof *s->uses);
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in && !net->skip[i]; k++)
			if (walked(net, g->node.at[i]->in[k]))
				s->uses[g->node.at[i]->in[k]->id]++;
	keep_musts(s, net, tap, n_tap);
	return TARN_OK;
}

/* ---- what a plan comes to: the walk, with sizes in place of numbers ---- */

typedef struct rehearsal {
	const qat_net *net;
	const qat_stash *s;
	const qat_sizes *sizes;
	bool *held, *grad; /* by value id */
	int *left;
	size_t now, most, again;
} rehearsal;

static void reach(rehearsal *r, size_t more)
{
	r->most = r->now + more > r->most ? r->now + more : r->most;
}

static void take(rehearsal *r, bool *flag, size_t bytes)
{
	r->now += *flag ? 0 : bytes;
	*flag = true;
}

static void let_go(rehearsal *r, bool *flag, size_t bytes)
{
	r->now -= *flag ? bytes : 0;
	*flag = false;
}

static void run_node(rehearsal *r, const tarn_node *n)
{
	for (int k = 0; k < n->n_out; k++)
		if (n->out[k])
			take(r, &r->held[n->out[k]->id], r->sizes->value[n->out[k]->id]);
	reach(r, r->sizes->forward[n->index]);
}

static void need(rehearsal *r, const tarn_value *v)
{
	if (!walked(r->net, v) || r->held[v->id] || !v->def)
		return;
	for (int k = 0; k < v->def->n_in; k++)
		need(r, v->def->in[k]);
	run_node(r, v->def);
	r->again++;
}

static void rehearse_forward(rehearsal *r)
{
	const tarn_graph *g = r->net->m->main;
	for (size_t i = 0; i < g->input.len; i++)
		take(r, &r->held[g->input.at[i]->id], r->sizes->value[g->input.at[i]->id]);
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		if (r->net->skip[i])
			continue;
		run_node(r, n);
		for (int k = 0; k < n->n_in; k++)
			if (walked(r->net, n->in[k]) && --r->left[n->in[k]->id] == 0 && !r->s->keep[n->in[k]->id])
				let_go(r, &r->held[n->in[k]->id], r->sizes->value[n->in[k]->id]);
		for (int k = 0; k < n->n_out; k++)
			if (n->out[k] && !r->left[n->out[k]->id] && !r->s->keep[n->out[k]->id])
				let_go(r, &r->held[n->out[k]->id], r->sizes->value[n->out[k]->id]);
	}
}

static void rehearse_back(rehearsal *r, const tarn_node *n)
{
	bool any = false;
	for (int k = 0; k < n->n_out; k++)
		any |= n->out[k] && r->grad[n->out[k]->id];
	for (int k = 0; any && k < n->n_in; k++)
		need(r, n->in[k]);
	for (int k = 0; any && k < n->n_out; k++)
		need(r, n->out[k]);
	for (int k = 0; any && k < n->n_in; k++)
		if (walked(r->net, n->in[k]) && r->net->wants[n->in[k]->id])
			take(r, &r->grad[n->in[k]->id], r->sizes->grad[n->in[k]->id]);
	reach(r, any ? r->sizes->backward[n->index] : 0);
	for (int k = 0; k < n->n_out; k++)
		if (n->out[k]) {
			let_go(r, &r->held[n->out[k]->id], r->sizes->value[n->out[k]->id]);
			let_go(r, &r->grad[n->out[k]->id], r->sizes->grad[n->out[k]->id]);
		}
}

static tarn_err rehearse(qat_stash *s, const qat_net *net, const qat_sizes *sizes, const tarn_value *const *tap, size_t n_tap)
{
	const tarn_graph *g = net->m->main;
	tarn_arena arena = {0};
	tarn_err err = TARN_OK;
	rehearsal r = {.net = net, .s = s, .sizes = sizes};
	r.held = tarn_arena_zalloc(&arena, g->value.len + 1, 1);
	r.grad = tarn_arena_zalloc(&arena, g->value.len + 1, 1);
	r.left = tarn_arena_memdup(&arena, s->uses, (g->value.len + 1) * sizeof *r.left);
	CHECK_GOTO(out, r.held && r.grad && r.left, TARN_NOMEM, "out of memory");
	rehearse_forward(&r);
	for (size_t k = 0; k < n_tap; k++)
		if (walked(net, tap[k]) && net->wants[tap[k]->id])
			take(&r, &r.grad[tap[k]->id], sizes->grad[tap[k]->id]);
	reach(&r, 0);
	for (size_t i = g->node.len; i-- > 0;)
		if (!net->skip[i])
			rehearse_back(&r, g->node.at[i]);
	s->peak = r.most;
	s->again = r.again;
out:
	tarn_arena_fini(&arena);
	return err;
}

/* ---- plans ---- */

static bool cheap(const qat_net *net, const tarn_value *v)
{
	return !is_code(v) && v->def && ((v->def->op->flags & (TARN_OP_ELEMENTWISE | TARN_OP_VIEW)) || codes_of(net, v));
}

/* From which node on a value is there, and the last one that reads it. A number that comes from codes is not there: they are.
 */
typedef struct span {
	int64_t from, to;
} span;

static void find_spans(const qat_net *net, span *spans)
{
	const tarn_graph *g = net->m->main;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_out; k++)
			if (n->out[k])
				spans[n->out[k]->id] = (span){(int64_t)i, (int64_t)i};
		for (int k = 0; k < n->n_in && !net->skip[i]; k++) {
			const tarn_value *v = n->in[k];
			if (!walked(net, v))
				continue;
			const tarn_value *q = codes_of(net, v);
			spans[q ? q->id : v->id].to = (int64_t)i;
		}
	}
}

/* Places of the cuts: near an equal share of the bytes, where the least crosses. cut[i]: between nodes i - 1 and i. */
static tarn_err place_cuts(const qat_net *net, const qat_sizes *sizes, const span *spans, int blocks, bool *cut)
{
	const tarn_graph *g = net->m->main;
	size_t n = g->node.len, total = 0, sum = 0;
	int64_t *crossing = tarn_mem_zalloc(2 * n + 2, sizeof *crossing);
	if (!crossing)
		return tarn_err_nomem(n * sizeof *crossing);
	for (size_t i = 0; i < g->value.len; i++) {
		const tarn_value *v = g->value.at[i];
		if (!walked(net, v) || !v->def || spans[v->id].to <= spans[v->id].from)
			continue;
		crossing[spans[v->id].from + 1] += (int64_t)sizes->value[v->id];
		crossing[spans[v->id].to + 1] -= (int64_t)sizes->value[v->id];
	}
	int64_t *made = crossing + n + 1; /* bytes that the nodes before make */
	for (size_t i = 0; i < n; i++) {
		made[i] = (int64_t)total;
		for (int k = 0; k < g->node.at[i]->n_out; k++)
			total += g->node.at[i]->out[k] ? sizes->value[g->node.at[i]->out[k]->id] : 0;
		crossing[i + 1] += crossing[i];
	}
	for (int b = 1; b < blocks; b++) {
		int64_t lo = (int64_t)(total / (size_t)blocks * (size_t)b) - (int64_t)(total / (size_t)blocks / 2),
			hi = lo + (int64_t)(total / (size_t)blocks);
		size_t best = 0;
		for (size_t i = sum + 1; i < n && made[i] < hi; i++)
			if (made[i] >= lo && (!best || crossing[i] < crossing[best]))
				best = i;
		cut[best] = best > 0;
		sum = best ? best : sum;
	}
	tarn_mem_free(crossing);
	return TARN_OK;
}

/* What crosses a cut is kept, and all of the last block. */
static tarn_err keep_blocks(qat_stash *s, const qat_net *net, const qat_sizes *sizes, int blocks)
{
	const tarn_graph *g = net->m->main;
	tarn_arena arena = {0};
	tarn_err err = TARN_OK;
	span *spans = tarn_arena_zalloc(&arena, g->value.len + 1, sizeof *spans);
	bool *cut = tarn_arena_zalloc(&arena, g->node.len + 1, 1);
	int64_t *block = tarn_arena_zalloc(&arena, g->node.len + 1, sizeof *block);
	CHECK_GOTO(out, spans && cut && block, TARN_NOMEM, "out of memory");
	find_spans(net, spans);
	TRY_GOTO(out, place_cuts(net, sizes, spans, blocks, cut));
	for (size_t i = 1; i < g->node.len; i++)
		block[i] = block[i - 1] + cut[i];
	for (size_t i = 0; i < g->value.len; i++) {
		const tarn_value *v = g->value.at[i];
		if (!walked(net, v) || !v->def)
			continue;
		bool last = block[spans[v->id].from] == block[g->node.len - 1];
		s->keep[v->id] |= last || (block[spans[v->id].from] < block[spans[v->id].to] && !codes_of(net, v));
	}
out:
	tarn_arena_fini(&arena);
	return err;
}

/* No value is made through too many others, one from the other. */
static tarn_err limit_depth(qat_stash *s, const qat_net *net)
{
	const tarn_graph *g = net->m->main;
	int *depth = tarn_mem_zalloc(g->value.len + 1, sizeof *depth);
	if (!depth)
		return tarn_err_nomem(g->value.len * sizeof *depth);
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		int deepest = 0;
		for (int k = 0; k < n->n_in; k++)
			if (walked(net, n->in[k]) && depth[n->in[k]->id] > deepest)
				deepest = depth[n->in[k]->id];
		for (int k = 0; k < n->n_out; k++)
			if (n->out[k]) {
				s->keep[n->out[k]->id] |= deepest >= DEEPEST;
				depth[n->out[k]->id] = s->keep[n->out[k]->id] ? 0 : deepest + 1;
			}
	}
	tarn_mem_free(depth);
	return TARN_OK;
}

tarn_err qat_stash_plan(qat_stash *s, const qat_net *net, const qat_sizes *sizes, const tarn_value *const *tap, size_t n_tap,
			int level)
{
	const tarn_graph *g = net->m->main;
	keep_musts(s, net, tap, n_tap);
	for (size_t i = 0; i < g->value.len && level < QAT_STASH_BLOCKS; i++)
		if (level == QAT_STASH_ALL || !cheap(net, g->value.at[i]))
			s->keep[g->value.at[i]->id] = true;
	if (level >= QAT_STASH_BLOCKS)
		TRY(keep_blocks(s, net, sizes, level));
	TRY(limit_depth(s, net));
	return rehearse(s, net, sizes, tap, n_tap);
}

tarn_err qat_stash_choose(qat_stash *s, const qat_net *net, const qat_sizes *sizes, const tarn_value *const *tap, size_t n_tap,
			  size_t most)
{
	static const int levels[] = {QAT_STASH_ALL, QAT_STASH_COSTLY, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128};
	int best = QAT_STASH_ALL;
	size_t least = SIZE_MAX;
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		TRY(qat_stash_plan(s, net, sizes, tap, n_tap, levels[i]));
		if (s->peak <= most)
			return TARN_OK;
		if (s->peak < least) {
			least = s->peak;
			best = levels[i];
		}
	}
	return qat_stash_plan(s, net, sizes, tap, n_tap, best);
}
