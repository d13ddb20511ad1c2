/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/fine.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/judge.h"
#include "quant/precise.h"

/* How many times larger the rest is written than it is. Larger: finer steps, but fewer codes for the weights that read it. */
enum { FINER = 8 };
/* Channels that devices compute at once. */
enum { FEW_CHANNELS = 16 };

/* ---- what can be fine ---- */

static int channel_axis(const tarn_node *n, int rank)
{
	return tarn_quant_is(n, "MatMul") ? rank - 1 : 1;
}

static int64_t groups_of(const tarn_node *n)
{
	return tarn_quant_is(n, "Conv") ? tarn_attr_i(n, tarn_attr_index(n->op, "group")) : 1;
}

/* Groups so few that a device computes them all at once are written as one, with zeros between: nothing has to be sorted. */
static bool merges(const tarn_node *n)
{
	return groups_of(n) > 1 && groups_of(n) * n->in[1]->konst->dim[1] <= FEW_CHANNELS;
}

bool tarn_quant_reads_fine(const quant_plan *p, const tarn_node *n)
{
	const tarn_value *x = n->n_in ? n->in[0] : NULL;
	return x && p->fine[x->id] && !p->precise[n->index] && p->int8[n->index] && p->weight[n->index].scale &&
	       p->grid[x->id].type != TARN_DTYPE_NONE;
}

static bool only_read_fine(const quant_plan *p, const tarn_value *v, int depth)
{
	const tarn_graph *g = p->m->main;
	bool any = false;
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == v)
			return false;
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++) {
			const tarn_node *n = g->node.at[i];
			if (n->in[k] != v)
				continue;
			bool moved = depth && p->moves[i] && n->out[0] && only_read_fine(p, n->out[0], depth - 1);
			if (!moved && (k || !(tarn_quant_reads_fine(p, n) || tarn_quant_rests_of(p, n))))
				return false;
			any = true;
		}
	return any;
}

bool tarn_quant_moves_fine(const quant_plan *p, const tarn_node *n)
{
	return p->moves[n->index] && n->n_out == 1 && only_read_fine(p, n->out[0], 4);
}

/* The rest of a value needs some codes above that of zero, and groups have to be told apart at known sizes. */
static bool can_be_fine(const quant_plan *p, const tarn_node *n)
{
	const tarn_value *x = n->in[0];
	const quant_grid *q = &p->grid[x->id];
	if (!p->int8[n->index] || !p->weight[n->index].scale || q->type == TARN_DTYPE_NONE ||
	    tarn_quant_code_max(q) - q->zero <= FINER || x->shape.rank < 2)
		return false;
	for (int i = 1; i < x->shape.rank && groups_of(n) > 1; i++)
		if (x->shape.dim[i] < 0)
			return false;
	return x->shape.dim[channel_axis(n, x->shape.rank)] > 0;
}

/* ---- writing ---- */

static tarn_err add_node(tarn_graph *g, const char *op, tarn_value *a, tarn_value *b, tarn_value **y)
{
	tarn_node *n;
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), NULL, b ? 2 : 1, 1, -1, &n));
	n->in[0] = a;
	if (b)
		n->in[1] = b;
	*y = n->out[0];
	return TARN_OK;
}

/* x op constant */
static tarn_err add_scalar(tarn_graph *g, const char *op, tarn_value *x, float k, tarn_value **y)
{
	tarn_value *v;
	TRY(tarn_value_const_f32(g, NULL, &k, -1, &v));
	return add_node(g, op, x, v, y);
}

static tarn_err add_concat(tarn_graph *g, tarn_value *a, tarn_value *b, int axis, tarn_value **y)
{
	TRY(add_node(g, "Concat", a, b, y));
	return tarn_attr_set_i((*y)->def, tarn_attr_index((*y)->def->op, "axis"), axis);
}

static tarn_err add_reshape(tarn_graph *g, tarn_value *x, const int64_t *dim, int rank, tarn_value **y)
{
	tarn_value *shape;
	TRY(tarn_value_const_i64(g, NULL, dim, rank, &shape));
	return add_node(g, "Reshape", x, shape, y);
}

/* Batch, groups, channels of a group, positions: a move of codes, with the same grid on both sides. */
static tarn_err split_groups(tarn_graph *g, const quant_grid *q, const tarn_shape *s, int64_t groups, tarn_value **x)
{
	int64_t dim[] = {0, groups, s->dim[1] / groups, -1};
	TRY(add_reshape(g, *x, dim, 4, x));
	return tarn_quant_write_pair(g, *x, q, x);
}

/* Both parts side by side, within each group. */
static tarn_err join_parts(tarn_graph *g, const tarn_node *n, const tarn_shape *s, const quant_grid *q, tarn_value *coarse,
			   tarn_value *rest, tarn_value **both)
{
	int64_t groups = groups_of(n), dim[TARN_MAX_RANK];
	if (groups == 1 || merges(n)) {
		TRY(add_concat(g, coarse, rest, channel_axis(n, s->rank), both));
		return tarn_quant_write_pair(g, *both, q, both);
	}
	TRY(split_groups(g, q, s, groups, &coarse));
	TRY(split_groups(g, q, s, groups, &rest));
	TRY(add_concat(g, coarse, rest, 2, both));
	TRY(tarn_quant_write_pair(g, *both, q, both));
	memcpy(dim, s->dim, sizeof dim);
	dim[0] = 0;
	dim[1] *= 2;
	TRY(add_reshape(g, *both, dim, s->rank, both));
	return tarn_quant_write_pair(g, *both, q, both);
}

tarn_err tarn_quant_write_fine(const quant_plan *p, tarn_graph *g, tarn_node *n, tarn_value **dq)
{
	tarn_value *v = n->in[0], *low = v, *coarse, *rest;
	const quant_grid *q = &p->grid[v->id];
	/* Where no code lies below that of zero the rest must not be negative: the coarse part is rounded down. Zero, which
	 * borders of convolutions are made of, stays two zeros. */
	if (q->zero - FINER / 2 < tarn_quant_code_min(q))
		TRY(add_scalar(g, "Sub", v, q->scale / 2, &low));
	TRY(tarn_quant_write_pair(g, low, q, &coarse));
	TRY(add_node(g, "Sub", v, coarse, &rest));
	TRY(add_scalar(g, "Mul", rest, FINER, &rest));
	TRY(tarn_quant_write_pair(g, rest, q, &rest));
	return join_parts(g, n, &v->shape, q, coarse, rest, dq);
}

/* Codes of one output channel or, of a matrix, of one input: those of w, and an eighth of them behind. */
static void both_codes(const int8_t *from, int64_t n, int8_t *to, int64_t rest)
{
	memcpy(to, from, (size_t)n);
	for (int64_t i = 0; i < n; i++)
		to[rest + i] = (int8_t)nearbyint((double)from[i] / FINER);
}

tarn_err tarn_quant_fine_codes(const quant_weight *w, tarn_node *n, tarn_tensor *t)
{
	const tarn_tensor *like = n->in[1]->konst;
	int64_t dim[TARN_MAX_RANK], inner = 1, outer = 1, groups = merges(n) ? groups_of(n) : 1;
	int axis = !w->axis;
	memcpy(dim, like->dim, sizeof dim);
	dim[axis] *= 2 * groups;
	TRY(tarn_tensor_new(TARN_I8, like->rank, dim, t));
	for (int i = 0; i < axis; i++)
		outer *= like->dim[i];
	for (int i = axis; i < like->rank; i++)
		inner *= like->dim[i];
	for (int64_t o = 0; o < outer; o++) /* among zeros, where there were groups */
		both_codes(w->code + o * inner, inner,
			   (int8_t *)t->data + (2 * o * groups + (groups > 1 ? o / (outer / groups) : 0)) * inner,
			   inner * groups);
	return groups > 1 ? tarn_attr_set_i(n, tarn_attr_index(n->op, "group"), 1) : TARN_OK;
}

/* ---- choosing ---- */

/* Outputs this good are not worth more work. Of all multiply-accumulates so many may be added; the gain has to grow with them.
 * After so many values without gain, in the model's order, no more are tried. */
static const double GOOD_DB = 33, MOST_WORK = 0.8, WORTH_DB = 0.25, WORTH_DB_PER_WORK = 3;
enum { IN_VAIN = 4 };

/* Work that two codes for v add; 0: nothing can read them. */
static double work_of(const quant_plan *p, const tarn_value *v)
{
	const tarn_graph *g = p->m->main;
	double work = 0;
	for (size_t i = 0; i < g->node.len; i++)
		if (g->node.at[i]->n_in && g->node.at[i]->in[0] == v && can_be_fine(p, g->node.at[i]))
			work += tarn_quant_macs(p, (int)i) *
				(double)(merges(g->node.at[i]) ? 2 * groups_of(g->node.at[i]) - 1 : 1);
	return work;
}

static tarn_err try_value(quant_plan *p, quant_judge *j, int v, double share, bool *better)
{
	tarn_model *q = NULL;
	p->fine[v] = true;
	TRY(tarn_quant_write(p, &q));
	tarn_err err = tarn_quant_judge_better(j, q, WORTH_DB + WORTH_DB_PER_WORK * share, better);
	tarn_model_unref(q);
	p->fine[v] = *better;
	return err;
}

tarn_err tarn_quant_search_fine(quant_plan *p, quant_judge *j, bool asked)
{
	const tarn_graph *g = p->m->main;
	double all = 0, left = MOST_WORK;
	int in_vain = 0;
	if (!p->sized || !j->n)
		return TARN_OK;
	for (size_t i = 0; i < g->node.len; i++)
		all += tarn_quant_macs(p, (int)i);
	for (size_t i = 0; i < g->node.len && in_vain < IN_VAIN && (asked || tarn_quant_judge_db(j) < GOOD_DB); i++) {
		const tarn_value *v = g->node.at[i]->n_in ? g->node.at[i]->in[0] : NULL;
		bool better = false;
		double share = v && p->marked[v->id] && !p->fine[v->id] ? work_of(p, v) / all : 0;
		if (!(share > 0) || share > left)
			continue;
		TRY(try_value(p, j, (int)v->id, share, &better));
		left -= better ? share : 0;
		in_vain = better ? 0 : in_vain + 1;
	}
	return TARN_OK;
}
