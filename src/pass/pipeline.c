/* SPDX-License-Identifier: Apache-2.0 */
/* The standard order, and the machinery that repeats passes until nothing changes. */
#include <stdlib.h>

#include "ops/ops.h"
#include "pass/pass.h"
#include "pass/rewrite.h"

#ifndef NDEBUG
#include "ir/verify.h"
#endif

/* A pass that never settles is a bug; this many rounds then end it. */
enum { MAX_ROUNDS = 20 };

static tarn_err rewrite_each(tarn_graph *g, tarn_rewrite_fn fn, int *changed)
{
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_body; k++)
			TRY(rewrite_each(g->node.at[i]->body[k], fn, changed));
	return fn(g, changed);
}

bool tarn_rewrite_is_output(const tarn_graph *g, const tarn_value *v)
{
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == v)
			return true;
	return false;
}

tarn_err tarn_rewrite_value(tarn_graph *g, tarn_value *from, tarn_value *to)
{
	bool is_input = !to->def && !to->konst;
	if (tarn_rewrite_is_output(g, from) && (is_input || tarn_rewrite_is_output(g, to))) {
		/* Two names for one value: the output stays as a copy. */
		const tarn_op_def *identity = tarn_op_find("", "Identity");
		CHECK(identity, TARN_INTERNAL, "no operator Identity");
		tarn_node *n;
		TRY(tarn_node_new(g, identity, from->name, 1, 1, -1, &n));
		n->in[0] = to;
		n->out[0]->type = to->type;
		n->out[0]->shape = to->shape;
		to = n->out[0];
	}
	tarn_graph_replace(g, from, to);
	return TARN_OK;
}

tarn_err tarn_swaps_begin(tarn_graph *g, tarn_arena *a, tarn_swaps *s)
{
	*s = (tarn_swaps){g, tarn_arena_zalloc(a, g->value.len + 1, sizeof(tarn_value *)), g->value.len};
	return s->to ? TARN_OK : tarn_err_nomem((s->n + 1) * sizeof(tarn_value *));
}

void tarn_swaps_resolve(const tarn_swaps *s, tarn_node *n)
{
	for (int k = 0; k < n->n_in; k++)
		n->in[k] = tarn_graph_replacement(n->in[k], s->to, s->n);
}

tarn_err tarn_swaps_put(tarn_swaps *s, tarn_value *from, tarn_value *to)
{
	if (tarn_rewrite_is_output(s->g, from) || from->id >= s->n)
		return tarn_rewrite_value(s->g, from, to);
	s->to[from->id] = to;
	return TARN_OK;
}

void tarn_swaps_end(tarn_swaps *s)
{
	tarn_graph_replace_all(s->g, s->to, s->n);
}

static tarn_err sort_round(tarn_graph *g, int *changed)
{
	(void)changed;
	return tarn_graph_sort(g);
}

static tarn_err settle(tarn_model *m)
{
	int ignored = 0;
	tarn_graph_sweep(m->main);
	TRY(rewrite_each(m->main, sort_round, &ignored));
#ifndef NDEBUG
	TRY(tarn_graph_verify(m->main));
#endif
	return tarn_graph_infer(m->main);
}

tarn_err tarn_rewrite_run(tarn_model *m, const tarn_rewrite_fn *fn, int n)
{
	for (int round = 0; round < MAX_ROUNDS; round++) {
		int before = 0;
		for (int i = 0; i < n; i++) {
			int changed = 0;
			TRY(rewrite_each(m->main, fn[i], &changed));
			if (changed)
				TRY(settle(m));
			before += changed;
		}
		if (!before)
			return TARN_OK;
	}
	return TARN_OK;
}

/* ---- constants nobody uses any more ---- */

/* Buffers by address. */
typedef struct owned {
	const tarn_buffer *b;
	bool used;
} owned;

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const owned *)a)->b, y = (uintptr_t)((const owned *)b)->b;
	return x < y ? -1 : x > y;
}

/* A buffer may be kept twice: its first entry stands for all of them. */
static owned *find_buffer(const tarn_model *m, const tarn_buffer *b, owned *all)
{
	owned key = {.b = b}, *o = NULL;
	if (b && m->buffer.len)
		o = bsearch(&key, all, m->buffer.len, sizeof key, by_address);
	while (o && o > all && o[-1].b == b)
		o--;
	return o;
}

static void mark_buffer(const tarn_model *m, const tarn_tensor *t, owned *all)
{
	owned *o = t ? find_buffer(m, t->buf, all) : NULL;
	if (o)
		o->used = true;
}

static tarn_err release_graph(tarn_graph *g, owned *used, tarn_arena *scratch)
{
	int *uses;
	TRY(tarn_graph_uses(g, scratch, &uses));
	for (size_t i = 0; i < g->value.len; i++) {
		tarn_value *v = g->value.at[i];
		if (!uses[v->id])
			v->konst = NULL; /* its bytes may go */
		mark_buffer(g->model, v->konst, used);
	}
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->op->n_attr; k++)
			if (n->op->attr[k].kind == TARN_ATTR_TENSOR && n->attr[k].set)
				mark_buffer(g->model, n->attr[k].t, used);
		for (int k = 0; k < n->n_body; k++)
			TRY(release_graph(n->body[k], used, scratch));
	}
	return TARN_OK;
}

/* Folding leaves the constants it replaced behind; without this a model would hold its weights twice. */
tarn_err tarn_pass_release(tarn_model *m)
{
	tarn_arena scratch = {0};
	owned *all = tarn_arena_zalloc(&scratch, m->buffer.len + 1, sizeof *all);
	tarn_err err = all ? TARN_OK : tarn_err_nomem(m->buffer.len * sizeof *all);
	for (size_t i = 0; all && i < m->buffer.len; i++)
		all[i].b = m->buffer.at[i];
	if (all)
		qsort(all, m->buffer.len, sizeof *all, by_address);
	if (err == TARN_OK)
		err = release_graph(m->main, all, &scratch);
	size_t kept = 0;
	for (size_t i = 0; err == TARN_OK && i < m->buffer.len; i++) {
		if (find_buffer(m, m->buffer.at[i], all)->used)
			m->buffer.at[kept++] = m->buffer.at[i];
		else
			tarn_buffer_unref(m->buffer.at[i]);
	}
	if (err == TARN_OK)
		m->buffer.len = kept;
	tarn_arena_fini(&scratch);
	return err;
}

tarn_err tarn_pass_standard(tarn_model *m)
{
	static const tarn_rewrite_fn order[] = {tarn_inline_round, tarn_fold_round, tarn_simplify_round, tarn_affine_round};
	int n_order = (int)(sizeof order / sizeof *order);
	/* Before folding, which would turn integer weights into floats. */
	TRY(tarn_pass_raise(m));
	TRY(tarn_rewrite_run(m, order, n_order));
	/* And after it: weights that were converted from f16 are constants only now. */
	size_t values = m->main->value.len;
	TRY(tarn_pass_raise(m));
	if (m->main->value.len != values)
		TRY(tarn_rewrite_run(m, order, n_order));
	return tarn_pass_release(m);
}
