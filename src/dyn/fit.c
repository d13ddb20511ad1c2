/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a model says of its sizes by what it does with them: shorter than a window no convolution runs, and a size that a
 * weight has to match is the weight's. Expressions become simpler by it, before anything is rewritten.
 */
#include <stdio.h>
#include <string.h>

#include "dyn/dyn.h"
#include "ops/window.h"

/* A convolution runs only where its window fits, so no length is shorter than that. Sizes become simpler. */
static tarn_err fit_window(tarn_dyn *d, const tarn_node *n, bool *changed)
{
	tarn_window w;
	tarn_dim sym;
	const tarn_tensor *k = !strcmp(n->op->name, "Conv") ? n->in[1]->konst : NULL;
	int nd = n->n_in ? n->in[0]->shape.rank - 2 : 0;
	if (!k || k->rank != nd + 2 || nd < 1 || nd > TARN_WINDOW_MAX)
		return TARN_OK;
	TRY(tarn_window_read(n, nd, k->dim + 2, &w));
	for (int i = 0; i < nd && (w.auto_pad == TARN_PAD_NOTSET || w.auto_pad == TARN_PAD_VALID); i++) {
		tarn_dim in = n->in[0]->shape.dim[i + 2];
		int64_t least = tarn_window_extent(&w, i) - w.begin[i] - w.end[i];
		if (!tarn_dyn_depends(d, in) || tarn_dim_least(&d->m->syms, in) >= least)
			continue;
		int64_t first = tarn_dyn_first(d, in, least, &sym);
		if (first <= 0 || first <= tarn_dim_lo(&d->m->syms, sym))
			continue;
		tarn_symtab_limit(&d->m->syms, sym, first, tarn_dim_hi(&d->m->syms, sym));
		*changed = true;
	}
	return TARN_OK;
}

/* ---- the -1 of a Reshape that what follows leaves only one value ---- */

/* The axis of in[i] that holds the columns of weights in[w] along *of, in operators that contract or scale by channel. */
static const struct channel {
	const char *op;
	int i, axis, w, of; /* axes count from the end where negative */
} channels[] = {{"MatMul", 0, -1, 1, -2},
		{"MatMul", 1, -2, 0, -1},
		{"FusedMatMul", 0, -1, 1, -2},
		{"MatMulInteger", 0, -1, 1, -2},
		{"ConvTranspose", 0, 1, 1, 0},
		{"BatchNormalization", 0, 1, 1, 0},
		{"InstanceNormalization", 0, 1, 1, 0},
		{"LayerNormalization", 0, -1, 1, -1},
		{"LSTM", 0, 2, 1, 2},
		{"GRU", 0, 2, 1, 2},
		{"RNN", 0, 2, 1, 2}};

static int64_t size_at(const tarn_value *v, int axis)
{
	axis += v && axis < 0 ? v->shape.rank : 0;
	return v && axis >= 0 && axis < v->shape.rank ? v->shape.dim[axis] : -1;
}

static int64_t of_channel(const tarn_node *n, int i, int axis)
{
	int rank = n->in[i]->shape.rank;
	for (size_t k = 0; k < sizeof channels / sizeof *channels; k++) {
		const struct channel *c = &channels[k];
		if (!strcmp(n->op->name, c->op) && i == c->i && axis == c->axis + (c->axis < 0 ? rank : 0) && c->w < n->n_in)
			return size_at(n->in[c->w], c->of);
	}
	if (!strcmp(n->op->name, "Conv") && !i && axis == 1 && size_at(n->in[1], 1) > 0)
		return size_at(n->in[1], 1) * tarn_attr_i(n, tarn_attr_index(n->op, "group"));
	if (!strcmp(n->op->name, "Gemm") && !i && axis == !tarn_attr_i(n, tarn_attr_index(n->op, "transA")))
		return size_at(n->in[1], tarn_attr_i(n, tarn_attr_index(n->op, "transB")) != 0);
	return -1;
}

/* A size that cannot be stretched, which an operand has along the same axis. */
static int64_t of_operand(const tarn_node *n, int i, int axis)
{
	int64_t size = -1;
	for (int k = 0; k < n->n_in && size < 2; k++)
		if (k != i && n->in[k] && n->in[k]->shape.rank >= 0)
			size = size_at(n->in[k], axis - n->in[i]->shape.rank);
	return size;
}

/* The one number that x, the size of some value, has to be; -1 when nothing says so. */
static int64_t wanted(tarn_dyn *d, tarn_dim x, const tarn_node **by)
{
	for (size_t k = 0; k < d->g->node.len; k++) {
		const tarn_node *n = *by = d->g->node.at[k];
		bool each = n->op->flags & TARN_OP_ELEMENTWISE;
		for (int i = 0; i < n->n_in; i++)
			for (int a = 0; n->in[i] && a < n->in[i]->shape.rank; a++) {
				if (n->in[i]->shape.dim[a] != x)
					continue;
				int64_t size = each ? of_operand(n, i, a) : of_channel(n, i, a);
				if (size > 1 && (!each || !tarn_dyn_may_stretch(d, x, size)))
					return size;
			}
	}
	return -1;
}

static tarn_err refuse_maximum(tarn_dyn *d, const tarn_node *n, int axis, int64_t size, const tarn_node *by)
{
	char why[200];
	snprintf(why, sizeof why,
		 "its -1 is %lld at the maximum, but node '%.80s' takes %lld; give a maximum at which it is that",
		 (long long)tarn_dyn_max(d, n->out[0]->shape.dim[axis]), by->name, (long long)size);
	return tarn_dyn_refuse(d, n, axis, why);
}

/* x.reshape(T/4, -1) in front of weights for four steps: where the model runs, -1 is as many as the weights have. Written so
 * that its size does not hang on the length. */
static tarn_err fit_hole(tarn_dyn *d, tarn_node *n, bool *changed)
{
	tarn_infer c = {.node = n};
	tarn_dim at[TARN_MAX_RANK];
	int64_t more[TARN_MAX_RANK] = {0}, number;
	int count, hole = -1;
	const tarn_node *by;
	tarn_node *add;
	if (strcmp(n->op->name, "Reshape") || n->out[0]->shape.rank < 0 || !tarn_infer_dims(&c, 1, at, TARN_MAX_RANK, &count))
		return TARN_OK;
	for (int i = 0; i < count; i++)
		if (tarn_dim_is_int(at[i], &number) && number == -1)
			hole = i;
	if (hole < 0)
		return TARN_OK;
	tarn_dim x = n->out[0]->shape.dim[hole];
	if (!tarn_dyn_depends(d, x))
		return TARN_OK;
	int64_t size = tarn_dyn_max(d, x);
	if (!tarn_dyn_always(d, x, size)) {
		size = tarn_dyn_grows(d, x) ? -1 : wanted(d, x, &by);
		if (size < 0)
			return TARN_OK;
		if (tarn_dyn_max(d, x) != size)
			return refuse_maximum(d, n, hole, size, by);
	}
	more[hole] = size + 1;
	TRY(tarn_node_new(d->g, tarn_op_find(NULL, "Add"), n->name, 2, 1, -1, &add));
	add->in[0] = n->in[1];
	TRY(tarn_value_const_i64(d->g, "sizes", more, count, &add->in[1]));
	add->out[0]->type = n->in[1]->type;
	n->in[1] = add->out[0];
	*changed = true;
	return TARN_OK;
}

/* ---- all of it ---- */

tarn_err tarn_dyn_fit(tarn_dyn *d, bool *changed)
{
	size_t count = d->g->node.len;
	bool holes = false;
	for (size_t i = 0; i < count; i++)
		TRY(fit_window(d, d->g->node.at[i], changed));
	for (size_t i = 0; i < count; i++) /* new nodes come behind these, until sorted */
		TRY(fit_hole(d, d->g->node.at[i], &holes));
	*changed |= holes;
	return holes ? tarn_graph_sort(d->g) : TARN_OK;
}
