/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels through attention: probabilities times values keeps the values' channels apart, but on the way there and back they
 * are split into heads and moved, which no single axis can tell. Numbers that take the same way can.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/channels.h"

/* Elements of one value that are numbered; moves on one side of the product. */
static const int64_t MOST_NUMBERS = 1 << 22;
enum { MOST_MOVES = QUANT_HEADS_MOVES };

static const tarn_shape *shape_of(const quant_channels *c, const tarn_value *v)
{
	return &c->p->sized->main->value.at[v->id]->shape;
}

static int64_t count_of(const quant_channels *c, const tarn_value *v)
{
	const tarn_shape *s = shape_of(c, v);
	int64_t n = 1;
	if (!tarn_shape_is_static(s))
		return 0;
	for (int i = 0; i < s->rank && n <= MOST_NUMBERS; i++)
		n *= s->dim[i];
	return n <= MOST_NUMBERS ? n : 0;
}

static bool is_move(const tarn_node *n)
{
	if (!n || !n->n_in || !n->in[0] || n->in[0]->konst || n->in[0]->type != TARN_F32)
		return false;
	return tarn_quant_is(n, "Transpose") || (n->op->flags & TARN_OP_VIEW);
}

static void transpose(const tarn_shape *from, const int64_t *perm, const int32_t *x, int32_t *y)
{
	int64_t stride[TARN_MAX_RANK], at[TARN_MAX_RANK] = {0}, n = 1;
	for (int i = from->rank - 1; i >= 0; i--) {
		stride[i] = n;
		n *= from->dim[i];
	}
	for (int64_t k = 0; k < n; k++) {
		int64_t off = 0;
		for (int i = 0; i < from->rank; i++)
			off += at[i] * stride[perm[i]];
		y[k] = x[off];
		for (int i = from->rank - 1; i >= 0 && ++at[i] == from->dim[perm[i]]; i--)
			at[i] = 0;
	}
}

/* The numbers of what a move reads become those of what it makes. */
static bool move(const quant_channels *c, const tarn_node *n, int32_t *number, int32_t *scratch)
{
	const tarn_shape *from = shape_of(c, n->in[0]);
	int64_t count = count_of(c, n->in[0]);
	if (!count || count_of(c, n->out[0]) != count)
		return false;
	if (!tarn_quant_is(n, "Transpose"))
		return true; /* the same order in memory */
	const tarn_attr *perm = &n->attr[tarn_attr_index(n->op, "perm")];
	if (!perm->set || perm->ints.n != from->rank)
		return false;
	transpose(from, perm->ints.at, number, scratch);
	memcpy(number, scratch, (size_t)count * sizeof *number);
	return true;
}

/* Columns of the right factor become columns of the product, where all of a column's elements have one number. */
static bool multiply(const quant_channels *c, const tarn_node *n, int32_t *number, int32_t *scratch)
{
	const tarn_shape *v = shape_of(c, n->in[1]), *y = shape_of(c, n->out[0]);
	int64_t out = count_of(c, n->out[0]), in = count_of(c, n->in[1]), batch = 1;
	if (!out || !in || v->rank < 2 || v->rank != y->rank)
		return false;
	for (int i = 0; i + 2 < v->rank; i++) {
		if (v->dim[i] != y->dim[i])
			return false;
		batch *= v->dim[i];
	}
	int64_t columns = v->dim[v->rank - 1], rows = in / (batch * columns), to = out / (batch * columns);
	for (int64_t i = 0; i < in; i++)
		if (number[i] != number[i / (rows * columns) * (rows * columns) + i % columns])
			return false;
	for (int64_t i = 0; i < out; i++)
		scratch[i] = number[i / (to * columns) * (rows * columns) + i % columns];
	memcpy(number, scratch, (size_t)out * sizeof *number);
	return true;
}

/* Moves before and behind the product, in the order they run; values in between that nothing else reads. */
typedef struct way {
	const tarn_node *node[2 * MOST_MOVES + 1];
	int n;
	const tarn_value *x, *y;
} way;

static bool find_way(const tarn_graph *g, const tarn_node *product, way *w)
{
	const tarn_node *back[MOST_MOVES];
	int n = 0;
	w->x = product->in[1];
	for (const tarn_node *reader = product; n < MOST_MOVES && is_move(w->x->def); reader = w->x->def, w->x = reader->in[0])
		if (tarn_graph_only_user(g, w->x) == reader)
			back[n++] = w->x->def;
		else
			return false;
	w->n = 0;
	while (n)
		w->node[w->n++] = back[--n];
	w->node[w->n++] = product;
	w->y = product->out[0];
	for (const tarn_node *user = tarn_graph_only_user(g, w->y); n < MOST_MOVES && is_move(user);
	     user = tarn_graph_only_user(g, w->y), n++) {
		w->node[w->n++] = user;
		w->y = user->out[0];
	}
	return true;
}

static bool follow(const quant_channels *c, const way *w, int32_t *number, int32_t *scratch)
{
	const tarn_shape *s = shape_of(c, w->x);
	int64_t inner = 1, count = count_of(c, w->x);
	for (int i = c->axis[w->x->id] + 1; i < s->rank; i++)
		inner *= s->dim[i];
	for (int64_t i = 0; i < count; i++)
		number[i] = (int32_t)(i / inner % c->n[w->x->id]);
	for (int i = 0; i < w->n; i++)
		if (!(is_move(w->node[i]) ? move : multiply)(c, w->node[i], number, scratch))
			return false;
	return true;
}

/* Which channel of x each channel of y is, into the numbers' beginning. */
static bool read_channels(const quant_channels *c, const tarn_value *y, const int32_t *number, int32_t *from)
{
	const tarn_shape *s = shape_of(c, y);
	int64_t inner = 1, count = count_of(c, y), channels = c->n[y->id];
	for (int i = c->axis[y->id] + 1; i < s->rank; i++)
		inner *= s->dim[i];
	for (int64_t i = count - 1; i >= 0; i--)
		from[i / inner % channels] = number[i];
	for (int64_t i = 0; i < count; i++)
		if (from[i / inner % channels] != number[i])
			return false;
	return true;
}

tarn_err tarn_quant_channels_heads(const quant_channels *c, const tarn_node *n, quant_heads *h)
{
	way w;
	*h = (quant_heads){0};
	if (!tarn_quant_is(n, "MatMul") || n->in[0]->konst || n->in[1]->konst || n->in[1]->type != TARN_F32 ||
	    !find_way(c->p->m->main, n, &w) || !c->n[w.x->id] || !c->n[w.y->id])
		return TARN_OK;
	int64_t most = 1;
	for (int i = 0; i < w.n; i++) {
		const tarn_value *in = w.node[i]->in[w.node[i] == n];
		int64_t a = count_of(c, in), b = count_of(c, w.node[i]->out[0]);
		if (!a || !b)
			return TARN_OK;
		most = a > most ? a : most;
		most = b > most ? b : most;
	}
	int32_t *number = tarn_mem_zalloc((size_t)most, 2 * sizeof *number);
	if (!number)
		return tarn_err_nomem((size_t)most * 2 * sizeof *number);
	if (follow(c, &w, number, number + most) && read_channels(c, w.y, number, number + most)) {
		h->x = w.x;
		h->y = w.y;
		h->from = tarn_mem_zalloc((size_t)c->n[w.y->id], sizeof *h->from);
		h->n = w.n;
		memcpy(h->node, w.node, sizeof w.node);
		if (h->from)
			memcpy(h->from, number + most, (size_t)c->n[w.y->id] * sizeof *h->from);
	}
	tarn_mem_free(number);
	CHECK(!h->x || h->from, TARN_NOMEM, "out of memory");
	return TARN_OK;
}
