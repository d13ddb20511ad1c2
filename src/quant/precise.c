/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/precise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/fine.h"
#include "quant/judge.h"

int tarn_quant_rests_of(const quant_plan *p, const tarn_node *n)
{
	bool reads = p->int8[n->index] && p->weight[n->index].scale && p->grid[n->in[0]->id].type != TARN_DTYPE_NONE;
	return reads ? p->precise[n->index] : 0;
}

quant_grid tarn_quant_precise_grid(const quant_plan *p, const tarn_value *x)
{
	const double room = 2;
	return tarn_quant_grid(room * p->stat[x->id].lo, room * p->stat[x->id].hi, p->preset == TARN_QUANT_PERFORMANCE);
}

/* ---- writing ---- */

/* a op b */
static tarn_err add_node(tarn_graph *g, const char *op, tarn_value *a, tarn_value *b, tarn_value **y)
{
	tarn_node *n;
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), NULL, 2, 1, -1, &n));
	n->in[0] = a;
	n->in[1] = b;
	*y = n->out[0];
	return TARN_OK;
}

/* The product like n of x and w, without a bias, added to *sum. */
static tarn_err add_product(tarn_graph *g, const tarn_node *n, tarn_value *x, tarn_value *w, tarn_value **sum)
{
	tarn_node *like;
	TRY(tarn_node_new(g, n->op, n->name, 2, 1, -1, &like));
	memcpy(like->attr, n->attr, (size_t)n->op->n_attr * sizeof *n->attr);
	like->in[0] = x;
	like->in[1] = w;
	return add_node(g, "Add", *sum, like->out[0], sum);
}

/* What rounding leaves of x, which coarse is: at most half a step. */
static tarn_err rest_of_input(tarn_graph *g, tarn_value *x, tarn_value *coarse, const quant_grid *q, tarn_value **rest)
{
	const quant_grid fine = {TARN_I8, q->scale / 2 / 127, 0};
	TRY(add_node(g, "Sub", x, coarse, rest));
	return tarn_quant_write_pair(g, *rest, &fine, rest);
}

/* Weights less their codes, by scales of their own. */
static void weights_less_codes(const tarn_tensor *x, const quant_weight *w, float *rest, float *scale)
{
	int64_t inner = 1, count = tarn_tensor_count(x);
	for (int i = w->axis + 1; i < x->rank; i++)
		inner *= x->dim[i];
	for (int64_t i = 0; i < count; i++) {
		int64_t c = i / inner % w->channels;
		rest[i] = (float)((double)((const float *)x->data)[i] - (double)w->code[i] * (double)w->scale[c]);
		scale[c] = fmaxf(scale[c], fabsf(rest[i]) / 127);
	}
	for (int64_t c = 0; c < w->channels; c++)
		scale[c] = scale[c] > 0 ? scale[c] : w->scale[c];
}

static tarn_err rest_of_weights(tarn_graph *g, const tarn_tensor *x, const quant_weight *w, const char *name, tarn_value **out)
{
	tarn_tensor q = {0}, s = {0};
	int64_t inner = 1, count = tarn_tensor_count(x);
	float *rest = tarn_mem_zalloc((size_t)count + 1, sizeof *rest);
	tarn_err err;
	CHECK_GOTO(out, rest, TARN_NOMEM, "out of memory");
	TRY_GOTO(out, tarn_tensor_new(TARN_I8, x->rank, x->dim, &q));
	TRY_GOTO(out, tarn_tensor_new(TARN_F32, 1, &w->channels, &s));
	weights_less_codes(x, w, rest, s.data);
	for (int i = w->axis + 1; i < x->rank; i++)
		inner *= x->dim[i];
	for (int64_t i = 0; i < count; i++)
		((int8_t *)q.data)[i] = (int8_t)nearbyintf(rest[i] / ((const float *)s.data)[i / inner % w->channels]);
	TRY_GOTO(out, tarn_quant_write_codes(g, name, &q, &s, w->axis, out));
out:
	tarn_mem_free(rest);
	tarn_tensor_fini(&q);
	tarn_tensor_fini(&s);
	return err;
}

tarn_err tarn_quant_write_rests(const quant_plan *p, tarn_graph *g, tarn_node *n)
{
	const tarn_node *from = p->m->main->node.at[n->index];
	const quant_weight *w = &p->weight[n->index];
	const quant_grid q = tarn_quant_precise_grid(p, from->in[0]);
	int rests = tarn_quant_rests_of(p, from);
	tarn_value *y = n->out[0], *coarse = n->in[0], *sum = y, *rest;
	const char *name = y->name;
	tarn_node *first = NULL;
	if (rests & TARN_QUANT_REST_OF_INPUT) {
		TRY(rest_of_input(g, coarse->def->in[0]->def->in[0], coarse, &q, &rest));
		TRY(add_product(g, n, rest, n->in[1], &sum));
		first = sum->def;
	}
	if (rests & TARN_QUANT_REST_OF_WEIGHTS) {
		TRY(rest_of_weights(g, from->in[1]->konst, w, from->in[1]->name, &rest));
		TRY(add_product(g, n, coarse, rest, &sum));
		first = first ? first : sum->def;
	}
	tarn_graph_replace(g, y, sum);
	first->in[0] = y;
	if (y->name == name) { /* the result is the sum, for those who look it up */
		y->name = sum->name;
		sum->name = name;
	}
	return TARN_OK;
}

/* ---- choosing ---- */

/* Multiply-accumulates, of the network as it is with every rest, that are still little: some tens of microseconds of one core.
 * They are more than eight bits need, all the same: only outputs worse than POOR_DB, the bound of values in two codes too, are
 * worth them. Then outputs as good as GOOD_DB need no more; a rest whose loss keeps them there, or costs no more than this,
 * goes again. */
static const double LITTLE_WORK = 1e7, POOR_DB = 33, GOOD_DB = 50, WORTH_DB = 3, SLACK_DB = 0.5;
enum { MOST_PRODUCTS = 64 };

typedef struct candidate {
	int node, rest;
	double macs;
} candidate;

static int by_work(const void *a, const void *b)
{
	const candidate *x = a, *y = b;
	return x->macs != y->macs   ? (x->macs < y->macs) - (x->macs > y->macs)
	       : x->node != y->node ? x->node - y->node
				    : x->rest - y->rest;
}

/* Two for each product. Other work counts, too. */
static size_t list(const quant_plan *p, candidate *c, double *work)
{
	size_t n = 0;
	*work = 0;
	for (size_t i = 0; i < p->m->main->node.len; i++) {
		double macs = tarn_quant_macs(p, (int)i);
		*work += macs;
		if (!macs || !p->int8[i] || !p->weight[i].scale ||
		    p->grid[p->m->main->node.at[i]->in[0]->id].type == TARN_DTYPE_NONE)
			continue;
		for (int rest = 1; rest <= 2 && n < 2 * MOST_PRODUCTS + 2; rest++)
			c[n++] = (candidate){(int)i, rest, macs};
	}
	return n;
}

static tarn_err measure(quant_plan *p, const quant_judge *j, double *db)
{
	tarn_model *q = NULL;
	tarn_quant_shift_weights(p);
	TRY(tarn_quant_write(p, &q));
	tarn_err err = tarn_quant_judge_measure(j, q, db);
	tarn_model_unref(q);
	return err;
}

/* Rests that the outputs do not need, the dearest first. */
static tarn_err take_back(quant_plan *p, const quant_judge *j, const candidate *c, size_t n, double floor)
{
	for (size_t i = 0; i < n; i++) {
		double db;
		p->precise[c[i].node] &= (uint8_t)~c[i].rest;
		TRY(measure(p, j, &db));
		if (db < floor)
			p->precise[c[i].node] |= (uint8_t)c[i].rest;
	}
	tarn_quant_shift_weights(p);
	return TARN_OK;
}

tarn_err tarn_quant_search_precise(quant_plan *p, const quant_judge *j)
{
	candidate c[2 * MOST_PRODUCTS + 2];
	double work, before, all;
	size_t n = p->sized ? list(p, c, &work) : 0;
	if (!n || n > 2 * MOST_PRODUCTS || 3 * work > LITTLE_WORK || p->weight_top < 127 || !j->n)
		return TARN_OK;
	TRY(measure(p, j, &before));
	if (before >= POOR_DB)
		return TARN_OK;
	for (size_t i = 0; i < n; i++)
		p->precise[c[i].node] |= (uint8_t)c[i].rest;
	TRY(measure(p, j, &all));
	if (all < before + WORTH_DB) {
		memset(p->precise, 0, p->m->main->node.len * sizeof *p->precise);
		tarn_quant_shift_weights(p);
		return TARN_OK;
	}
	qsort(c, n, sizeof *c, by_work);
	return take_back(p, j, c, n, fmin(GOOD_DB, all - SLACK_DB));
}
