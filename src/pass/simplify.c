/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that do nothing, and chains of views and transposes that are one. */
#include "pass/rewrite.h"

/* All elements of a constant equal x. */
static bool all_equal(const tarn_value *v, double x)
{
	if (!v || !v->konst || v->konst->type == TARN_STRING)
		return false;
	int64_t n = tarn_tensor_count(v->konst);
	for (int64_t i = 0; i < n; i++)
		if (tarn_tensor_f64(v->konst, i) != x)
			return false;
	return n > 0;
}

static bool same_type_and_shape(const tarn_value *a, const tarn_value *b)
{
	return a->type == b->type && a->type != TARN_DTYPE_NONE && tarn_shape_same(&a->shape, &b->shape);
}

static int present_inputs(const tarn_node *n)
{
	int k = 0;
	for (int i = 0; i < n->n_in; i++)
		k += n->in[i] != NULL;
	return k;
}

static bool is_training(const tarn_node *n)
{
	return n->n_in > 2 && n->in[2] && !all_equal(n->in[2], 0);
}

static bool perm_is_identity(const int64_t *perm, int n)
{
	for (int i = 0; i < n; i++)
		if (perm[i] != i)
			return false;
	return true;
}

/* The permutation of a Transpose; false when its rank is unknown. */
static bool perm_of(const tarn_node *n, int64_t perm[TARN_MAX_RANK], int *rank)
{
	int i = tarn_attr_index(n->op, "perm");
	*rank = n->in[0]->shape.rank;
	if (*rank < 0 || i < 0)
		return false;
	if (n->attr[i].set && n->attr[i].ints.n) {
		if (n->attr[i].ints.n != *rank)
			return false;
		memcpy(perm, n->attr[i].ints.at, (size_t)*rank * sizeof *perm);
		return true;
	}
	for (int k = 0; k < *rank; k++)
		perm[k] = *rank - 1 - k;
	return true;
}

/* x op c that gives x: adding nothing, multiplying by one. The result must have x's shape. */
static bool is_neutral(const tarn_node *n, int *from)
{
	bool add = tarn_is(n, "Add"), mul = tarn_is(n, "Mul"), sub = tarn_is(n, "Sub"), div = tarn_is(n, "Div");
	if (n->n_in != 2 || !(add || mul || sub || div))
		return false;
	for (int c = 1; c >= (add || mul ? 0 : 1); c--)
		if (n->in[1 - c] && all_equal(n->in[c], add || sub ? 0 : 1) && same_type_and_shape(n->in[1 - c], n->out[0])) {
			*from = 1 - c;
			/* -0 + 0 is 0: the sign of a zero changes nothing that is computed from it but 1/x. */
			return true;
		}
	return false;
}

/* Does output 0 equal one input, and which? */
static bool is_copy(const tarn_node *n, int *from)
{
	*from = 0;
	if (!n->in[0] || !n->out[0])
		return false;
	if (tarn_is(n, "Identity"))
		return true;
	if (tarn_is(n, "Dropout"))
		return !is_training(n) && (n->n_out < 2 || !n->out[1]);
	if (tarn_is(n, "Cast") || tarn_is(n, "CastLike"))
		return n->in[0]->type == n->out[0]->type && n->in[0]->type != TARN_DTYPE_NONE;
	if (tarn_is(n, "Concat") || tarn_is(n, "Sum") || tarn_is(n, "Max") || tarn_is(n, "Min") || tarn_is(n, "Mean"))
		return n->n_in == 1;
	if (tarn_is(n, "Clip"))
		return present_inputs(n) == 1 && tarn_attr_index(n->op, "min") < 0;
	if (tarn_is(n, "Expand") || n->op->flags & TARN_OP_VIEW)
		return same_type_and_shape(n->in[0], n->out[0]);
	if (tarn_is(n, "Pad"))
		return n->n_in > 1 && all_equal(n->in[1], 0) && same_type_and_shape(n->in[0], n->out[0]);
	if (tarn_is(n, "Transpose")) {
		int64_t perm[TARN_MAX_RANK];
		int rank;
		return perm_of(n, perm, &rank) && perm_is_identity(perm, rank);
	}
	return is_neutral(n, from);
}

/* A copy between a graph input (or an output) and a graph output has to stay: it is what gives the value its two names. */
static bool copy_must_stay(const tarn_graph *g, const tarn_value *from, const tarn_value *to)
{
	return tarn_rewrite_is_output(g, to) && (!from->def || tarn_rewrite_is_output(g, from));
}

/* Transpose of a transpose is one transpose. */
static tarn_err merge_transposes(tarn_graph *g, tarn_node *n, int *changed)
{
	tarn_node *d = n->in[0] ? n->in[0]->def : NULL;
	int64_t first[TARN_MAX_RANK], second[TARN_MAX_RANK], both[TARN_MAX_RANK];
	int rank, rank2;
	if (!tarn_is(n, "Transpose") || !tarn_is(d, "Transpose") || !perm_of(d, first, &rank) || !perm_of(n, second, &rank2) ||
	    rank != rank2)
		return TARN_OK;
	for (int i = 0; i < rank; i++) {
		if (second[i] < 0 || second[i] >= rank)
			return TARN_OK;
		both[i] = first[second[i]];
	}
	TRY(tarn_attr_set_ints(g, n, tarn_attr_index(n->op, "perm"), both, rank));
	n->in[0] = d->in[0];
	++*changed;
	return TARN_OK;
}

/* A reshape to given sizes does not care how its input was viewed before. */
static void skip_views(tarn_node *n, int *changed)
{
	if (!tarn_is(n, "Reshape") || n->n_in < 2 || !n->in[0] || !n->in[1] || !n->in[1]->konst)
		return;
	for (int64_t i = 0; i < tarn_tensor_count(n->in[1]->konst); i++)
		if (tarn_tensor_i64(n->in[1]->konst, i) == 0)
			return; /* copies a size of its input */
	tarn_node *d = n->in[0]->def;
	if (!d || !(d->op->flags & TARN_OP_VIEW) || !d->in[0] || d->in[0]->type != n->in[0]->type)
		return;
	n->in[0] = d->in[0];
	++*changed;
}

static tarn_err simplify_node(tarn_swaps *s, tarn_node *n, int *changed)
{
	int from;
	tarn_swaps_resolve(s, n);
	if (n->n_in < 1 || n->n_out < 1)
		return TARN_OK;
	TRY(merge_transposes(s->g, n, changed));
	skip_views(n, changed);
	if (!is_copy(n, &from) || copy_must_stay(s->g, n->in[from], n->out[0]))
		return TARN_OK;
	++*changed;
	return tarn_swaps_put(s, n->out[0], n->in[from]);
}

/* Copies are swept when the round is over. */
tarn_err tarn_simplify_round(tarn_graph *g, int *changed)
{
	tarn_arena scratch = {0};
	tarn_swaps swaps = {0};
	int *uses;
	tarn_err err = tarn_graph_uses(g, &scratch, &uses);
	if (err == TARN_OK)
		err = tarn_swaps_begin(g, &scratch, &swaps);
	for (size_t i = 0; err == TARN_OK && i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		bool used = false;
		for (int k = 0; k < n->n_out; k++)
			used |= n->out[k] && uses[n->out[k]->id] > 0;
		if (used)
			err = simplify_node(&swaps, n, changed);
	}
	if (swaps.to)
		tarn_swaps_end(&swaps);
	tarn_arena_fini(&scratch);
	return err;
}
