/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full bias correction: product by product, in order, what each output channel of the INT8 model is off on average (its inputs
 * corrected already) is taken off its bias. Products of which none reads another's results are corrected together; correcting
 * one with its reader would count the first one's error twice.
 */
#include "base/mem.h"
#include "ops/ops.h"
#include "quant/repair.h"

/* Output means of products. */
typedef struct means {
	const quant_plan *p;
	int *node, *value;    /* index, and id of its output, of each product, by depth */
	int *depth;           /* by product: how many it comes after */
	int n, first, last;   /* products looked at: first .. last-1 */
	double **want, **got; /* by product and channel; sums while they are made */
	double **to;
	size_t samples;
} means;

static int output_axis(const tarn_node *n, int rank)
{
	return tarn_quant_is(n, "MatMul") ? rank - 1 : 1;
}

static tarn_err see(void *ctx, size_t sample, tarn_request *r)
{
	(void)sample;
	means *m = ctx;
	for (int k = m->first; k < m->last; k++) {
		const tarn_tensor *t = &r->out[k - m->first];
		const quant_weight *w = &m->p->weight[m->node[k]];
		int axis = output_axis(m->p->m->main->node.at[m->node[k]], t->rank);
		int64_t inner = 1, count = tarn_tensor_count(t);
		if (!count || axis >= t->rank || t->dim[axis] != w->channels)
			continue;
		for (int i = axis + 1; i < t->rank; i++)
			inner *= t->dim[i];
		double part = (double)w->channels / (double)count / (double)m->samples;
		for (int64_t row = 0; row < count / inner; row++) {
			double sum = 0;
			for (int64_t i = 0; i < inner; i++)
				sum += (double)((const float *)t->data)[row * inner + i];
			m->to[k][row % w->channels] += sum * part;
		}
	}
	return TARN_OK;
}

static bool corrected(const quant_plan *p, const tarn_node *n)
{
	return p->int8[n->index] && p->weight[n->index].scale &&
	       tarn_quant_takes_shift(p->m->main, p->m->main->node.at[n->index]);
}

/* By node: corrected products on the longest way to it, itself included. */
static int find_depths(const quant_plan *p, int *depth)
{
	const tarn_graph *g = p->m->main;
	int deepest = 0;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in; k++)
			if (n->in[k] && n->in[k]->def && depth[n->in[k]->def->index] > depth[i])
				depth[i] = depth[n->in[k]->def->index];
		depth[i] += corrected(p, n);
		deepest = depth[i] > deepest ? depth[i] : deepest;
	}
	return deepest;
}

static tarn_err add_product(means *m, const tarn_node *n, int depth, tarn_arena *a)
{
	size_t channels = (size_t)m->p->weight[n->index].channels;
	m->node[m->n] = n->index;
	m->depth[m->n] = depth;
	m->value[m->n] = (int)n->out[0]->id;
	m->want[m->n] = tarn_arena_zalloc(a, channels, sizeof(double));
	m->got[m->n] = tarn_arena_zalloc(a, channels, sizeof(double));
	if (!m->want[m->n] || !m->got[m->n])
		return tarn_err_nomem(channels * sizeof(double));
	m->n++;
	return TARN_OK;
}

static tarn_err list_products(means *m, tarn_arena *a)
{
	const tarn_graph *g = m->p->m->main;
	size_t room = g->node.len + 1;
	int *depth = tarn_arena_zalloc(a, room, sizeof *depth);
	m->node = tarn_arena_zalloc(a, room, sizeof *m->node);
	m->depth = tarn_arena_zalloc(a, room, sizeof *m->depth);
	m->value = tarn_arena_zalloc(a, room, sizeof *m->value);
	m->want = tarn_arena_zalloc(a, room, sizeof *m->want);
	m->got = tarn_arena_zalloc(a, room, sizeof *m->got);
	if (!depth || !m->node || !m->depth || !m->value || !m->want || !m->got)
		return tarn_err_nomem(room * sizeof *m->want);
	int deepest = find_depths(m->p, depth);
	for (int at = 1; at <= deepest; at++)
		for (size_t i = 0; i < g->node.len; i++)
			if (depth[i] == at && corrected(m->p, g->node.at[i]))
				TRY(add_product(m, g->node.at[i], at, a));
	return TARN_OK;
}

/* Products first .. last-1 of the INT8 model as it is now; then their shifts. */
static tarn_err correct_wave(quant_plan *p, means *m, const tarn_quant_options *o, quant_slice slice, int *same)
{
	tarn_model *q = NULL;
	TRY(tarn_quant_write(p, &q));
	tarn_err err;
	TRY_GOTO(out, tarn_quant_same_values(p->m, m->value + m->first, m->last - m->first, q, same));
	TRY_GOTO(out, tarn_quant_run(q, same, m->last - m->first, o, slice, "correcting biases", see, m));
	for (int k = m->first; k < m->last; k++)
		for (int64_t c = 0; c < p->weight[m->node[k]].channels; c++)
			p->weight[m->node[k]].shift[c] += m->got[k][c] - m->want[k][c];
out:
	tarn_model_unref(q);
	return err;
}

int tarn_quant_correction_runs(const quant_plan *p)
{
	tarn_arena a = {0};
	int *depth = tarn_arena_zalloc(&a, p->m->main->node.len + 1, sizeof *depth), runs = depth ? find_depths(p, depth) : 0;
	tarn_arena_fini(&a);
	return runs;
}

tarn_err tarn_quant_correct_biases(quant_plan *p, const tarn_quant_options *o)
{
	tarn_arena a = {0};
	means m = {.p = p};
	/* Means of late layers, with few positions, need many samples. */
	quant_slice slice = tarn_quant_slice(o, tarn_quant_samples_for(p, 5e10 / tarn_quant_correction_runs(p), 256), 1);
	int *same = NULL;
	tarn_err err;
	TRY_GOTO(out, list_products(&m, &a));
	m.samples = slice.n;
	if (!m.n)
		goto out;
	same = tarn_arena_zalloc(&a, (size_t)m.n, sizeof *same);
	CHECK_GOTO(out, same, TARN_NOMEM, "out of memory");
	m.to = m.want;
	m.last = m.n;
	TRY_GOTO(out, tarn_quant_run(p->m, m.value, m.n, o, slice, "looking at outputs", see, &m));
	m.to = m.got;
	for (m.first = 0; m.first < m.n; m.first = m.last) {
		for (m.last = m.first; m.last < m.n && m.depth[m.last] == m.depth[m.first]; m.last++)
			;
		TRY_GOTO(out, correct_wave(p, &m, o, slice, same));
	}
out:
	tarn_arena_fini(&a);
	return err;
}
