/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/channels.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"

static int64_t root(const quant_channels *c, int64_t i)
{
	while (c->up[i] != i)
		i = c->up[i] = c->up[c->up[i]];
	return i;
}

int tarn_quant_channels_part(const quant_channels *c, int v)
{
	while (c->part[v] != v)
		v = c->part[v];
	return v;
}

int64_t tarn_quant_channels_class(const quant_channels *c, const tarn_value *v, int64_t i)
{
	return root(c, c->base[v->id] + i);
}

/* Sizes at the first sample. */
static const tarn_shape *shape_of(const quant_channels *c, const tarn_value *v)
{
	return &c->p->sized->main->value.at[v->id]->shape;
}

static bool counts(const tarn_value *v)
{
	return v && !v->konst && v->type == TARN_F32;
}

static void link_channels(quant_channels *c, const tarn_value *a, int64_t i, const tarn_value *b, int64_t k)
{
	int64_t x = tarn_quant_channels_class(c, a, i), y = tarn_quant_channels_class(c, b, k);
	c->up[y] = x;
	c->fixed[x] |= c->fixed[y];
	c->bound[x] = fmin(c->bound[x], c->bound[y]);
	c->part[tarn_quant_channels_part(c, (int)b->id)] = tarn_quant_channels_part(c, (int)a->id);
}

static void fix(quant_channels *c, const tarn_value *v)
{
	for (int64_t i = 0; counts(v) && i < c->n[v->id]; i++)
		c->fixed[tarn_quant_channels_class(c, v, i)] = true;
}

static void fix_node(quant_channels *c, const tarn_node *n)
{
	for (int k = 0; k < n->n_in; k++)
		fix(c, n->in[k]);
	for (int k = 0; k < n->n_out; k++)
		fix(c, n->out[k]);
}

/* ---- where the channels are ---- */

bool tarn_quant_channels_product(const tarn_node *n)
{
	static const char *const products[] = {"Conv", "Gemm", "MatMul", NULL};
	int axis;
	if (!tarn_quant_any_of(n, products))
		return false;
	const tarn_tensor *w = tarn_quant_weights_of(n, &axis);
	if (!w || !counts(n->in[0]) || (n->n_in > 2 && n->in[2] && (!n->in[2]->konst || n->in[2]->konst->type != TARN_F32)))
		return false;
	if (n->n_in > 2 && n->in[2] && tarn_tensor_count(n->in[2]->konst) != w->dim[axis])
		return false;
	if (tarn_quant_is(n, "Conv"))
		return w->rank >= 3;
	if (tarn_quant_is(n, "Gemm") &&
	    (tarn_attr_i(n, tarn_attr_index(n->op, "transA")) || tarn_attr_f(n, tarn_attr_index(n->op, "alpha")) != 1 ||
	     tarn_attr_f(n, tarn_attr_index(n->op, "beta")) != 1))
		return false;
	return w->rank == 2;
}

static const char *const norms[] = {"BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization",
				    NULL};

static int norm_axis(const quant_channels *c, const tarn_node *n)
{
	int rank = shape_of(c, n->in[0])->rank;
	return tarn_quant_is(n, "LayerNormalization") ? rank - 1 : 1;
}

bool tarn_quant_channels_norm(const quant_channels *c, const tarn_node *n)
{
	const tarn_value *x = n->n_in ? n->in[0] : NULL, *y = n->out[0];
	if (!tarn_quant_any_of(n, norms) || !counts(x) || !counts(y) || !c->n[y->id] || c->axis[y->id] != norm_axis(c, n))
		return false;
	for (int k = 1; k < n->n_out; k++)
		if (n->out[k])
			return false;
	for (int k = 1; k < n->n_in; k++)
		if (n->in[k] && (!n->in[k]->konst || n->in[k]->konst->type != TARN_F32 ||
				 tarn_tensor_count(n->in[k]->konst) != c->n[y->id]))
			return false;
	return !tarn_quant_is(n, "BatchNormalization") || c->n[x->id] == c->n[y->id];
}

static const char *const same_axis[] = {
	"Relu",          "LeakyRelu", "PRelu",   "Clip",         "MaxPool",      "AveragePool", "GlobalAveragePool",
	"GlobalMaxPool", "Identity",  "Dropout", "Resize",       "Pad",          "ReduceMean",  "ReduceMax",
	"Slice",         "Split",     "Gather",  "DepthToSpace", "SpaceToDepth", NULL};
static const char *const sums[] = {"Add", "Sub", "Max", "Min", "Mul", "Div", "Concat", NULL};

static bool moves_shape(const tarn_node *n)
{
	return (n->op->flags & TARN_OP_VIEW) && !tarn_quant_any_of(n, same_axis);
}

static int64_t product_of(const tarn_shape *s, int from, int to)
{
	int64_t n = 1;
	for (int i = from; i < to; i++)
		n *= s->dim[i];
	return n;
}

/* The axis of `to` that holds the channels along `axis` of `from`, whole or with what follows them folded in; -1: none does. */
static int view_axis(const tarn_shape *from, int axis, const tarn_shape *to)
{
	int64_t before = product_of(from, 0, axis), c = from->dim[axis], after = product_of(from, axis + 1, from->rank);
	for (int i = 0; i < to->rank; i++)
		if (product_of(to, 0, i) == before &&
		    (to->dim[i] == c || (to->dim[i] == c * after && product_of(to, i + 1, to->rank) == 1)))
			return i;
	return -1;
}

static int transposed_axis(const tarn_node *n, int axis, bool backwards)
{
	int at = tarn_attr_index(n->op, "perm");
	if (at < 0 || !n->attr[at].set)
		return -1;
	for (int i = 0; i < n->attr[at].ints.n; i++)
		if (backwards ? i == axis : n->attr[at].ints.at[i] == axis)
			return backwards ? (int)n->attr[at].ints.at[i] : i;
	return -1;
}

static bool propose(quant_channels *c, const tarn_value *v, int axis)
{
	if (!counts(v) || axis < 0 || c->axis[v->id] >= 0 || axis >= shape_of(c, v)->rank)
		return false;
	c->axis[v->id] = axis;
	return true;
}

/* From what the node is and what is known of one side to the other. True when something became known. */
static bool propose_axes(quant_channels *c, const tarn_node *n)
{
	const tarn_value *x = n->in[0], *y = n->out[0];
	bool news = false;
	if (!y || n->n_in < 1 || !x)
		return false;
	if (tarn_quant_channels_product(n)) {
		int rank = tarn_quant_is(n, "MatMul") ? shape_of(c, x)->rank - 1 : 1;
		news = propose(c, x, rank);
		return propose(c, y, rank) || news;
	}
	if (tarn_quant_any_of(n, norms)) {
		news = propose(c, x, norm_axis(c, n));
		return propose(c, y, norm_axis(c, n)) || news;
	}
	if (tarn_quant_any_of(n, same_axis) || tarn_quant_any_of(n, sums)) {
		int known = -1;
		for (int k = 0; k < n->n_in + n->n_out; k++) {
			const tarn_value *v = k < n->n_in ? n->in[k] : n->out[k - n->n_in];
			if (counts(v) && c->axis[v->id] >= 0)
				known = c->axis[v->id];
		}
		for (int k = 0; k < n->n_in + n->n_out; k++)
			news |= propose(c, k < n->n_in ? n->in[k] : n->out[k - n->n_in], known);
		return news;
	}
	if (!counts(x) || !counts(y))
		return false;
	if (tarn_quant_is(n, "Transpose")) {
		if (c->axis[x->id] >= 0)
			news |= propose(c, y, transposed_axis(n, c->axis[x->id], false));
		else if (c->axis[y->id] >= 0)
			news |= propose(c, x, transposed_axis(n, c->axis[y->id], true));
	} else if (moves_shape(n) && c->axis[x->id] >= 0) {
		news |= propose(c, y, view_axis(shape_of(c, x), c->axis[x->id], shape_of(c, y)));
	}
	return news;
}

/* ---- what is linked ---- */

/* Channel by channel, from `offset` of y on. False when sizes or axes do not fit. */
static bool link_at(quant_channels *c, const tarn_value *x, const tarn_value *y, int64_t offset)
{
	if (!counts(x) || !counts(y) || offset + c->n[x->id] > c->n[y->id] || !c->n[x->id])
		return false;
	for (int64_t i = 0; i < c->n[x->id]; i++)
		link_channels(c, x, i, y, offset + i);
	return true;
}

static bool same_channels(const quant_channels *c, const tarn_value *x, const tarn_value *y)
{
	return counts(x) && counts(y) && c->n[x->id] && c->n[x->id] == c->n[y->id] && c->axis[x->id] == c->axis[y->id];
}

static bool reduces_channels(const quant_channels *c, const tarn_node *n)
{
	int at = tarn_attr_index(n->op, "axes"), rank = shape_of(c, n->in[0])->rank;
	if (at < 0 || !n->attr[at].set)
		return true;
	for (int i = 0; i < n->attr[at].ints.n; i++) {
		int64_t axis = n->attr[at].ints.at[i];
		if ((axis < 0 ? axis + rank : axis) <= c->axis[n->in[0]->id])
			return true;
	}
	return false;
}

/* Where a Clip from 0 cuts off; INFINITY: nowhere; 0: it is none. */
static double clip_bound(const tarn_node *n)
{
	if (!tarn_quant_is(n, "Clip") || n->n_in < 2 || !n->in[1] || !n->in[1]->konst ||
	    tarn_tensor_f64(n->in[1]->konst, 0) != 0)
		return 0;
	if (n->n_in < 3 || !n->in[2])
		return INFINITY;
	return n->in[2]->konst ? fmax(0, tarn_tensor_f64(n->in[2]->konst, 0)) : 0;
}

bool tarn_quant_channels_relu(const quant_plan *p, const tarn_node *n)
{
	const quant_stat *s = &p->stat[n->out[0]->id];
	double bound = clip_bound(n);
	return bound > 0 && (bound == (double)INFINITY || (s->samples && s->hi < 0.9 * bound));
}

static bool link_clip(quant_channels *c, const tarn_node *n)
{
	double bound = clip_bound(n);
	if (bound <= 0 || !same_channels(c, n->in[0], n->out[0]) || !link_at(c, n->in[0], n->out[0], 0))
		return false;
	for (int64_t i = 0; i < c->n[n->out[0]->id] && !tarn_quant_channels_relu(c->p, n); i++) {
		double *to = &c->bound[tarn_quant_channels_class(c, n->out[0], i)];
		*to = fmin(*to, bound);
	}
	return true;
}

static bool pads_zeros(const tarn_node *n)
{
	bool value = n->n_in > 2 && n->in[2];
	return !value || (n->in[2]->konst && tarn_tensor_f64(n->in[2]->konst, 0) == 0) ||
	       !tarn_attr_word_is(n, tarn_attr_index(n->op, "mode"), "constant");
}

/* A slice that walks backwards, or may: channels could change their order. */
static bool turns_around(const tarn_node *n)
{
	const tarn_value *steps = tarn_quant_is(n, "Slice") && n->n_in > 4 ? n->in[4] : NULL;
	if (!steps)
		return false;
	for (int64_t i = 0; steps->konst && i < tarn_tensor_count(steps->konst); i++)
		if (tarn_tensor_i64(steps->konst, i) < 0)
			return true;
	return !steps->konst;
}

/* The slice's first index and step along the channels, from constants. False when they are not known. */
static bool slice_of(const quant_channels *c, const tarn_node *n, int64_t *from, int64_t *step)
{
	const tarn_tensor *in[5] = {0};
	int rank = shape_of(c, n->in[0])->rank, axis = c->axis[n->in[0]->id];
	int64_t size = c->n[n->in[0]->id];
	for (int k = 1; k < n->n_in && k < 5; k++)
		if (n->in[k] && !(in[k] = n->in[k]->konst))
			return false;
	*from = 0;
	*step = 1;
	for (int64_t i = 0; in[1] && i < tarn_tensor_count(in[1]); i++) {
		int64_t at = in[3] ? tarn_tensor_i64(in[3], i) : i;
		if ((at < 0 ? at + rank : at) != axis)
			continue;
		*from = tarn_tensor_i64(in[1], i);
		*step = in[4] ? tarn_tensor_i64(in[4], i) : 1;
	}
	*from = *from < 0 ? *from + size : *from;
	*from = *from < 0 ? 0 : *from;
	return *step > 0;
}

/* Some of the channels, or whole channels cut shorter. */
static bool link_slice(quant_channels *c, const tarn_node *n)
{
	const tarn_value *x = n->in[0], *y = n->out[0];
	int64_t from = 0, step = 1;
	if (!counts(x) || !counts(y) || !c->n[x->id] || !c->n[y->id] || c->axis[x->id] != c->axis[y->id])
		return false;
	if ((c->n[x->id] != c->n[y->id] || turns_around(n)) && !slice_of(c, n, &from, &step))
		return false;
	if (from + (c->n[y->id] - 1) * step >= c->n[x->id])
		return false;
	for (int64_t i = 0; i < c->n[y->id]; i++)
		link_channels(c, x, from + i * step, y, i);
	return true;
}

/* Channels picked by constant numbers, or whole channels of picked positions. */
static bool link_gather(quant_channels *c, const tarn_node *n)
{
	const tarn_value *x = n->in[0], *y = n->out[0];
	const tarn_tensor *which = n->in[1] ? n->in[1]->konst : NULL;
	int64_t axis = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	if (!which || which->rank != 1 || !counts(x) || !counts(y) || !c->n[x->id] || c->axis[x->id] != c->axis[y->id])
		return false;
	if ((axis < 0 ? axis + shape_of(c, x)->rank : axis) != c->axis[x->id])
		return link_at(c, x, y, 0);
	if (c->n[y->id] != tarn_tensor_count(which))
		return false;
	for (int64_t i = 0; i < c->n[y->id]; i++) {
		int64_t k = tarn_tensor_i64(which, i);
		k = k < 0 ? k + c->n[x->id] : k;
		if (k < 0 || k >= c->n[x->id])
			return false;
		link_channels(c, x, k, y, i);
	}
	return true;
}

/* DepthToSpace, SpaceToDepth: several channels of `deep` are one of `wide`. */
static bool link_blocks(quant_channels *c, const tarn_node *n)
{
	bool widens = tarn_quant_is(n, "DepthToSpace");
	const tarn_value *deep = widens ? n->in[0] : n->out[0], *wide = widens ? n->out[0] : n->in[0];
	if (!counts(deep) || !counts(wide) || !c->n[deep->id] || !c->n[wide->id] || c->axis[deep->id] != 1 ||
	    c->axis[wide->id] != 1 || c->n[deep->id] % c->n[wide->id])
		return false;
	int64_t each = c->n[deep->id] / c->n[wide->id];
	bool together = widens && tarn_attr_word_is(n, tarn_attr_index(n->op, "mode"), "CRD");
	for (int64_t i = 0; i < c->n[deep->id]; i++)
		link_channels(c, wide, together ? i / each : i % c->n[wide->id], deep, i);
	return true;
}

static bool link_same(quant_channels *c, const tarn_node *n)
{
	for (int k = 1; k < n->n_in; k++)
		if (n->in[k])
			fix(c, n->in[k]); /* slopes, bounds: not what passes through */
	bool reduce = tarn_quant_is(n, "ReduceMean") || tarn_quant_is(n, "ReduceMax");
	if ((reduce && reduces_channels(c, n)) || (tarn_quant_is(n, "Pad") && !pads_zeros(n)) ||
	    !same_channels(c, n->in[0], n->out[0]))
		return false;
	return link_at(c, n->in[0], n->out[0], 0);
}

/* The constant is one number for each channel of y, or one for all. */
static bool vector_for(const quant_channels *c, const tarn_tensor *t, const tarn_value *y)
{
	if (t->type != TARN_F32 || !c->n[y->id])
		return false;
	int rank = shape_of(c, y)->rank, lead = rank - t->rank;
	if (lead < 0)
		return false;
	for (int i = 0; i < t->rank; i++)
		if (t->dim[i] != 1 && (i + lead != c->axis[y->id] || t->dim[i] != c->n[y->id]))
			return false;
	return true;
}

int tarn_quant_channels_constant(const quant_channels *c, const tarn_node *n)
{
	static const char *const with[] = {"Add", "Mul", "Sub", "Div", "Min", "Max", NULL};
	if (!tarn_quant_any_of(n, with) || n->n_in != 2 || !counts(n->out[0]))
		return -1;
	for (int k = 0; k < 2; k++)
		if (n->in[k]->konst && (k == 1 || !tarn_quant_is(n, "Div")) && vector_for(c, n->in[k]->konst, n->out[0]) &&
		    same_channels(c, n->in[!k], n->out[0]))
			return k;
	return -1;
}

/* x * gate, where the gate stays as it is. */
static bool link_gate(quant_channels *c, const tarn_node *n)
{
	static const char *const gates[] = {"Sigmoid", "HardSigmoid", "Softmax", "Tanh", NULL};
	for (int k = 0; k < 2; k++) {
		const tarn_value *gate = n->in[k], *x = n->in[!k];
		if (!gate->def || !tarn_quant_any_of(gate->def, gates) || gate->def->in[0] == x)
			continue;
		if (!same_channels(c, x, n->out[0]))
			return false;
		fix(c, gate);
		return link_at(c, x, n->out[0], 0);
	}
	return false;
}

static bool link_sum(quant_channels *c, const tarn_node *n)
{
	int k = tarn_quant_channels_constant(c, n);
	if (tarn_quant_is(n, "Mul") || tarn_quant_is(n, "Div"))
		return k >= 0 || (tarn_quant_is(n, "Mul") && link_gate(c, n)); /* a constant factor takes both sides' scales */
	if (k >= 0)
		return link_at(c, n->in[!k], n->out[0], 0);
	for (int i = 0; i < n->n_in; i++)
		if (!same_channels(c, n->in[i], n->out[0]))
			return false;
	for (int i = 0; i < n->n_in; i++)
		if (!link_at(c, n->in[i], n->out[0], 0))
			return false;
	return true;
}

static bool link_concat(quant_channels *c, const tarn_node *n)
{
	const tarn_value *y = n->out[0];
	int rank = shape_of(c, y)->rank;
	int64_t axis = tarn_attr_i(n, tarn_attr_index(n->op, "axis")), offset = 0;
	bool along = (axis < 0 ? axis + rank : axis) == c->axis[y->id];
	for (int k = 0; k < n->n_in; k++)
		if (!counts(n->in[k]) || c->axis[n->in[k]->id] != c->axis[y->id])
			return false;
	for (int k = 0; k < n->n_in; k++) {
		if (!link_at(c, n->in[k], y, along ? offset : 0))
			return false;
		offset += c->n[n->in[k]->id];
	}
	return true;
}

static bool link_split(quant_channels *c, const tarn_node *n)
{
	int64_t sum = 0, offset = 0;
	bool along = false;
	for (int k = 0; k < n->n_out; k++) {
		if (!counts(n->out[k]) || c->axis[n->out[k]->id] != c->axis[n->in[0]->id])
			return false;
		sum += c->n[n->out[k]->id];
		along |= c->n[n->out[k]->id] != c->n[n->in[0]->id];
	}
	if (along && sum != c->n[n->in[0]->id])
		return false;
	for (int k = 0; k < n->n_out; k++) {
		if (!link_at(c, n->out[k], n->in[0], along ? offset : 0))
			return false;
		offset += c->n[n->out[k]->id];
	}
	return true;
}

/* Channels whole, or each followed by its positions. */
static bool link_view(quant_channels *c, const tarn_value *x, const tarn_value *y)
{
	if (!counts(x) || !counts(y) || !c->n[x->id] || !c->n[y->id] || c->n[y->id] % c->n[x->id] ||
	    view_axis(shape_of(c, x), c->axis[x->id], shape_of(c, y)) != c->axis[y->id])
		return false;
	int64_t each = c->n[y->id] / c->n[x->id];
	for (int64_t i = 0; i < c->n[y->id]; i++)
		link_channels(c, x, i / each, y, i);
	return true;
}

static bool link_node(quant_channels *c, const tarn_node *n)
{
	if (tarn_quant_channels_product(n))
		return c->n[n->in[0]->id] && counts(n->out[0]) && c->n[n->out[0]->id];
	if (tarn_quant_channels_norm(c, n)) {
		if (!tarn_quant_is(n, "BatchNormalization"))
			fix(c, n->in[0]);
		return true;
	}
	if (tarn_quant_is(n, "Split"))
		return link_split(c, n);
	if (tarn_quant_is(n, "Concat"))
		return link_concat(c, n);
	if (tarn_quant_any_of(n, sums))
		return link_sum(c, n);
	if (tarn_quant_is(n, "Clip"))
		return link_clip(c, n);
	if (tarn_quant_is(n, "Slice"))
		return link_slice(c, n);
	if (tarn_quant_is(n, "Gather"))
		return link_gather(c, n);
	if (tarn_quant_is(n, "DepthToSpace") || tarn_quant_is(n, "SpaceToDepth"))
		return link_blocks(c, n);
	if (tarn_quant_any_of(n, same_axis))
		return link_same(c, n);
	if (tarn_quant_is(n, "Transpose"))
		return counts(n->in[0]) && c->axis[n->in[0]->id] >= 0 &&
		       transposed_axis(n, c->axis[n->in[0]->id], false) == c->axis[n->out[0]->id] &&
		       link_at(c, n->in[0], n->out[0], 0);
	return moves_shape(n) && link_view(c, n->in[0], n->out[0]);
}

/* Values in between keep what they are: nothing scales them but the factors of x. */
static tarn_err link_heads(quant_channels *c, const tarn_node *n, bool *linked)
{
	quant_heads h;
	TRY(tarn_quant_channels_heads(c, n, &h));
	if (!h.x)
		return TARN_OK;
	for (int i = 0; i < h.n; i++) {
		const tarn_value *y = h.node[i]->out[0];
		if (y != h.y)
			fix(c, y);
		linked[h.node[i]->index] = true;
	}
	fix(c, n->in[0]);
	for (int64_t i = 0; i < c->n[h.y->id]; i++)
		link_channels(c, h.x, h.from[i], h.y, i);
	tarn_mem_free(h.from);
	return TARN_OK;
}

static tarn_err allocate(quant_channels *c, tarn_arena *a)
{
	size_t values = c->p->m->main->value.len + 1;
	c->axis = tarn_arena_zalloc(a, values, sizeof *c->axis);
	c->base = tarn_arena_zalloc(a, values, sizeof *c->base);
	c->n = tarn_arena_zalloc(a, values, sizeof *c->n);
	c->part = tarn_arena_zalloc(a, values, sizeof *c->part);
	if (!c->axis || !c->base || !c->n || !c->part)
		return tarn_err_nomem(values * sizeof *c->n);
	for (size_t v = 0; v < values; v++) {
		c->axis[v] = -1;
		c->part[v] = (int)v;
	}
	return TARN_OK;
}

static tarn_err number_channels(quant_channels *c, tarn_arena *a)
{
	const tarn_graph *g = c->p->m->main;
	for (size_t v = 0; v < g->value.len; v++) {
		const tarn_value *x = g->value.at[v];
		c->base[v] = c->total;
		if (c->axis[v] >= 0 && tarn_shape_is_static(shape_of(c, x)))
			c->n[v] = shape_of(c, x)->dim[c->axis[v]];
		c->total += c->n[v];
	}
	c->up = tarn_arena_zalloc(a, (size_t)c->total + 1, sizeof *c->up);
	c->fixed = tarn_arena_zalloc(a, (size_t)c->total + 1, sizeof *c->fixed);
	c->bound = tarn_arena_zalloc(a, (size_t)c->total + 1, sizeof *c->bound);
	if (!c->up || !c->fixed || !c->bound)
		return tarn_err_nomem((size_t)c->total * sizeof *c->up);
	for (int64_t i = 0; i < c->total; i++) {
		c->up[i] = i;
		c->bound[i] = INFINITY;
	}
	return TARN_OK;
}

tarn_err tarn_quant_channels_init(quant_channels *c, const quant_plan *p, tarn_arena *a)
{
	const tarn_graph *g = p->m->main;
	*c = (quant_channels){.p = p};
	if (!p->sized || p->sized->main->value.len < g->value.len)
		return TARN_OK;
	TRY(allocate(c, a));
	bool news = true;
	for (int round = 0; news && round < 16; round++) {
		news = false;
		for (size_t i = 0; i < g->node.len; i++)
			news |= propose_axes(c, g->node.at[i]);
	}
	TRY(number_channels(c, a));
	bool *linked = tarn_arena_zalloc(a, g->node.len + 1, sizeof *linked);
	if (!linked)
		return tarn_err_nomem(g->node.len);
	for (size_t i = 0; i < g->node.len; i++)
		TRY(link_heads(c, g->node.at[i], linked));
	for (size_t i = 0; i < g->node.len; i++)
		if (!linked[i] && !link_node(c, g->node.at[i]))
			fix_node(c, g->node.at[i]);
	for (size_t i = 0; i < g->input.len; i++)
		fix(c, g->input.at[i]);
	for (size_t i = 0; i < g->output.len; i++)
		fix(c, g->output.at[i]);
	return TARN_OK;
}
