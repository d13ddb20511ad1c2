/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IR's spread-out forms become the operators they stand for:
 *   Convert, (Subtract zero point,) Multiply scale      -> DequantizeLinear
 *   the same over an axis cut in blocks, Reshape        -> DequantizeLinear with blocks (raise_blocks.c)
 *   FakeQuantize onto integers, Convert to integers     -> QuantizeLinear, scale and zero point taken from a DequantizeLinear
 *                                                          whose limits these are, never computed back from rounded limits
 *   GroupConvolution with constant weights              -> Conv with groups
 *   Conv or MatMul, Add of a vector                     -> Conv or Gemm with a bias
 *   MatMul that turns its constant weights              -> MatMul of turned weights (raise_matmul.c)
 * What does not fit exactly stays as it is.
 */
#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "pass/pass.h"
#include "pass/raise.h"

static bool is(const tarn_node *n, const char *op)
{
	return n && !strcmp(n->op->name, op);
}

static int64_t attr_i(const tarn_node *n, const char *name)
{
	int i = tarn_attr_index(n->op, name);
	return i < 0 ? 0 : tarn_attr_i(n, i);
}

static tarn_err set_i(tarn_node *n, const char *name, int64_t v)
{
	int i = tarn_attr_index(n->op, name);
	return i < 0 ? TARN_OK : tarn_attr_set_i(n, i, v);
}

/* The constant among the two inputs of a commutative node; *other is the rest. */
static const tarn_tensor *const_of(const tarn_node *n, tarn_value **other)
{
	if (n->n_in != 2 || !n->in[0] || !n->in[1] || !n->in[0]->konst == !n->in[1]->konst)
		return NULL;
	*other = n->in[0]->konst ? n->in[1] : n->in[0];
	return n->in[0]->konst ? n->in[0]->konst : n->in[1]->konst;
}

static bool small_int(tarn_dtype t)
{
	return tarn_dtype_is_int(t) && tarn_dtype_info(t)->bits <= 16;
}

/* The axis along which t varies when it broadcasts to that rank: -1 for one number, -2 when there are several. */
static int axis_of(const tarn_tensor *t, int rank)
{
	int axis = -1;
	if (tarn_tensor_count(t) == 1)
		return -1;
	if (t->rank > rank)
		return -2;
	for (int i = 0; i < t->rank; i++)
		if (t->dim[i] != 1) {
			if (axis >= 0)
				return -2;
			axis = i + rank - t->rank;
		}
	return axis;
}

static tarn_err flat_const(tarn_graph *g, const char *name, const tarn_tensor *t, tarn_dtype type, bool vector, tarn_value **v)
{
	tarn_tensor c = {0};
	TRY(tarn_tensor_convert(t, type, &c));
	c.dim[0] = tarn_tensor_count(&c);
	c.rank = vector;
	tarn_err err = tarn_value_const(g, name, &c, v);
	tarn_tensor_fini(&c);
	return err;
}

bool tarn_raise_fits(const tarn_tensor *t, tarn_dtype type)
{
	int bits = tarn_dtype_info(type)->bits;
	double lo = tarn_dtype_is_signed(type) ? -ldexp(1, bits - 1) : 0, hi = lo + ldexp(1, bits) - 1;
	for (int64_t i = 0; i < tarn_tensor_count(t); i++) {
		double v = tarn_tensor_f64(t, i);
		if (!(v >= lo && v <= hi && v == rint(v)))
			return false;
	}
	return true;
}

/* ---- DequantizeLinear ---- */

static tarn_err dequantize(tarn_raising *r, tarn_node *mul)
{
	tarn_graph *g = r->g;
	tarn_value *x = NULL, *scale_v, *zero_v = NULL;
	const tarn_tensor *scale = const_of(mul, &x), *zero = NULL;
	const tarn_node *d = scale ? x->def : NULL;
	if (!scale || scale->type != TARN_F32)
		return TARN_OK;
	if (is(d, "Sub") && tarn_raise_zero(d->in[1])) {
		zero = tarn_raise_zero(d->in[1]);
		d = d->in[0]->def;
	}
	if (!is(d, "Cast") || attr_i(d, "to") != TARN_F32)
		return TARN_OK;
	tarn_value *q = d->in[0];
	bool weight = q->konst && (small_int(q->type) || q->type == TARN_I32);
	if (!weight && !(q->def && small_int(q->type)))
		return TARN_OK;
	int rank = q->shape.rank, axis = axis_of(scale, rank);
	int zaxis = zero ? axis_of(zero, rank) : -1;
	if (rank < 0 || axis == -2 || (zero && (zaxis != axis || !tarn_raise_fits(zero, q->type))))
		return TARN_OK;
	if (axis >= 0 && q->shape.dim[axis] != tarn_tensor_count(scale))
		return TARN_OK;
	tarn_node *n;
	TRY(flat_const(g, NULL, scale, TARN_F32, axis >= 0, &scale_v));
	if (zero)
		TRY(flat_const(g, NULL, zero, q->type, axis >= 0, &zero_v));
	TRY(tarn_raise_node(r, tarn_op_find(NULL, "DequantizeLinear"), mul, zero ? 3 : 2, &n));
	n->in[0] = q;
	n->in[1] = scale_v;
	if (zero)
		n->in[2] = zero_v;
	TRY(set_i(n, "axis", axis < 0 ? 0 : axis));
	n->out[0]->type = TARN_F32;
	n->out[0]->shape = q->shape;
	tarn_raise_put(r, mul, n);
	return TARN_OK;
}

/* ---- QuantizeLinear ---- */

static bool is_number(const tarn_value *v, double want)
{
	return v->konst && tarn_tensor_count(v->konst) == 1 && tarn_tensor_f64(v->konst, 0) == want;
}

/* Are these the ends of the range that scale s and zero point z (NULL: 0) give? */
static bool limits_are(const tarn_tensor *lo, const tarn_tensor *hi, double qmin, double qmax, const tarn_tensor *s,
		       const tarn_tensor *z)
{
	int64_t n = tarn_tensor_count(s);
	if (tarn_tensor_count(lo) != n || tarn_tensor_count(hi) != n || s->type != TARN_F32)
		return false;
	for (int64_t i = 0; i < n; i++) {
		double zero = z ? tarn_tensor_f64(z, tarn_tensor_count(z) == 1 ? 0 : i) : 0, by = tarn_tensor_f64(s, i);
		if ((float)((qmin - zero) * by) != (float)tarn_tensor_f64(lo, i) ||
		    (float)((qmax - zero) * by) != (float)tarn_tensor_f64(hi, i))
			return false;
	}
	return true;
}

/* The dequantization that says this quantization's scale: of its own output first, then any other. */
static bool says_scale(const tarn_node *n, const tarn_value *q, const tarn_tensor *lo, const tarn_tensor *hi, double qmin,
		       double qmax)
{
	if (!is(n, "DequantizeLinear") || n->in[0]->type != q->type || !n->in[1]->konst)
		return false;
	const tarn_tensor *z = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	return limits_are(lo, hi, qmin, qmax, n->in[1]->konst, z);
}

static const tarn_node *partner(const tarn_raising *r, const tarn_value *q, const tarn_tensor *lo, const tarn_tensor *hi,
				double qmin, double qmax)
{
	const tarn_graph *g = r->g;
	if (says_scale(r->user[q->id], q, lo, hi, qmin, qmax))
		return r->user[q->id];
	for (int own = 1; own >= 0; own--)
		for (size_t i = 0; i < g->node.len; i++) {
			const tarn_node *n = g->node.at[i];
			if (says_scale(n, q, lo, hi, qmin, qmax) && (!own || n->in[0] == q))
				return n;
		}
	return NULL;
}

static tarn_err quantize(tarn_raising *r, tarn_node *cast)
{
	tarn_graph *g = r->g;
	const tarn_node *f = cast->in[0]->def;
	tarn_dtype type = (tarn_dtype)attr_i(cast, "to");
	if (!is(f, "FakeQuantize") || !small_int(type) || f->in[0]->type != TARN_F32)
		return TARN_OK;
	int bits = tarn_dtype_info(type)->bits;
	double qmin = tarn_dtype_is_signed(type) ? -ldexp(1, bits - 1) : 0, qmax = qmin + ldexp(1, bits) - 1;
	const tarn_tensor *lo = f->in[1]->konst, *hi = f->in[2]->konst;
	if (!lo || !hi || !is_number(f->in[3], qmin) || !is_number(f->in[4], qmax) ||
	    attr_i(f, "levels") != (int64_t)(qmax - qmin) + 1)
		return TARN_OK;
	int rank = f->in[0]->shape.rank, axis = rank < 0 ? -2 : axis_of(lo, rank);
	const tarn_node *p = axis == -2 ? NULL : partner(r, cast->out[0], lo, hi, qmin, qmax);
	if (!p)
		return TARN_OK;
	tarn_value *scale, *zero;
	tarn_tensor none = {0};
	const tarn_tensor *z = p->n_in > 2 && p->in[2] ? p->in[2]->konst : NULL;
	TRY(flat_const(g, NULL, p->in[1]->konst, TARN_F32, axis >= 0, &scale));
	if (!z)
		TRY(tarn_tensor_new(type, 1, (int64_t[]){tarn_tensor_count(lo)}, &none));
	tarn_err err = flat_const(g, NULL, z ? z : &none, type, axis >= 0, &zero);
	tarn_tensor_fini(&none);
	TRY(err);
	tarn_node *n;
	TRY(tarn_raise_node(r, tarn_op_find(NULL, "QuantizeLinear"), cast, 3, &n));
	n->in[0] = f->in[0];
	n->in[1] = scale;
	n->in[2] = zero;
	TRY(set_i(n, "axis", axis < 0 ? 0 : axis));
	n->out[0]->type = type;
	n->out[0]->shape = f->in[0]->shape;
	tarn_raise_put(r, cast, n);
	return TARN_OK;
}

/* ---- constants of other sizes, behind a dequantization or not ---- */

/* v (constant, or dequantized constant varying along `axis` at most) with these sizes, varying along new_axis. NULL in *out
 * when it is neither. */
static tarn_err resized(tarn_graph *g, int at, tarn_value *v, const tarn_shape *as, int axis, int new_axis, tarn_value **out)
{
	tarn_node *d = v->def, *n;
	const tarn_tensor *k = d && is(d, "DequantizeLinear") ? d->in[0]->konst : v->konst;
	*out = NULL;
	if (!k || (d && tarn_tensor_count(d->in[1]->konst) != 1 && attr_i(d, "axis") != axis))
		return TARN_OK;
	tarn_tensor t = *k;
	t.rank = as->rank;
	memcpy(t.dim, as->dim, sizeof t.dim);
	if (tarn_tensor_count(&t) != tarn_tensor_count(k))
		return TARN_OK;
	tarn_value *c;
	TRY(tarn_value_const(g, d ? d->in[0]->name : v->name, &t, &c));
	*out = c;
	if (!d)
		return TARN_OK;
	TRY(tarn_node_new(g, d->op, d->name, d->n_in, 1, at, &n));
	for (int i = 1; i < d->n_in; i++)
		n->in[i] = d->in[i];
	n->in[0] = c;
	TRY(set_i(n, "axis", new_axis));
	n->out[0]->type = v->type;
	n->out[0]->shape = *as;
	*out = n->out[0];
	return TARN_OK;
}

static tarn_err group_conv(tarn_raising *r, tarn_node *n)
{
	tarn_graph *g = r->g;
	const tarn_shape *w = &n->in[1]->shape;
	tarn_shape as = {.rank = w->rank - 1};
	if (w->rank < 4 || !tarn_shape_is_static(w))
		return TARN_OK;
	as.dim[0] = w->dim[0] * w->dim[1];
	for (int i = 2; i < w->rank; i++)
		as.dim[i - 1] = w->dim[i];
	/* Weights that only a reshape gave their group axis are what Conv wants without it; otherwise scales along axis 0 are
	 * those of the output channels only when each group has one of them. */
	tarn_node *view = n->in[1]->def;
	tarn_value *k = is(view, "Reshape") && tarn_shape_same(&view->in[0]->shape, &as) ? view->in[0] : NULL;
	if (!k)
		TRY(resized(g, n->index, n->in[1], &as, w->dim[1] == 1 ? 0 : -1, 0, &k));
	if (!k)
		return TARN_OK;
	tarn_node *c;
	TRY(tarn_raise_node(r, tarn_op_find(NULL, "Conv"), n, 2, &c));
	c->in[0] = n->in[0];
	c->in[1] = k;
	for (int i = 0; i < n->op->n_attr; i++) {
		int to = tarn_attr_index(c->op, n->op->attr[i].name);
		if (to >= 0)
			c->attr[to] = n->attr[i];
	}
	TRY(set_i(c, "group", w->dim[0]));
	c->out[0]->type = n->out[0]->type;
	c->out[0]->shape = n->out[0]->shape;
	tarn_raise_put(r, n, c);
	return TARN_OK;
}

/* ---- bias ---- */

static bool constant_like(const tarn_value *v)
{
	return v->konst || (is(v->def, "DequantizeLinear") && v->def->in[0]->konst);
}

static tarn_err bias(tarn_raising *r, tarn_node *add)
{
	tarn_graph *g = r->g;
	int which = add->n_in == 2 && add->in[0] && add->in[1] ? constant_like(add->in[1])   ? 1
								 : constant_like(add->in[0]) ? 0
											     : -1
							       : -1;
	if (which < 0)
		return TARN_OK;
	tarn_value *b = add->in[which], *y = add->in[!which], *flat;
	tarn_node *p = y->def;
	bool conv = is(p, "Conv") && p->n_in == 2;
	bool mat = (is(p, "MatMul") || is(p, "FusedMatMul")) && p->in[0]->shape.rank == 2 && p->in[1]->shape.rank == 2;
	if ((!conv && !mat) || r->user[y->id] != add || y->shape.rank < 2)
		return TARN_OK;
	if (is(p, "FusedMatMul") && tarn_attr_f(p, tarn_attr_index(p->op, "alpha")) != 1)
		return TARN_OK;
	int axis = 1, at = axis - (y->shape.rank - b->shape.rank);
	tarn_dim size = y->shape.dim[axis];
	if (at < 0 || size < 0 || b->shape.rank > y->shape.rank || b->shape.dim[at] != size)
		return TARN_OK;
	tarn_shape as = {.rank = 1, .dim = {size}};
	TRY(resized(g, p->index, b, &as, at, 0, &flat));
	if (!flat)
		return TARN_OK;
	tarn_node *n;
	TRY(tarn_raise_node(r, conv ? p->op : tarn_op_find(NULL, "Gemm"), add, 3, &n));
	n->in[0] = p->in[0];
	n->in[1] = p->in[1];
	n->in[2] = flat;
	for (int i = 0; i < p->op->n_attr; i++) {
		int to = tarn_attr_index(n->op, p->op->attr[i].name);
		if (to >= 0)
			n->attr[to] = p->attr[i];
	}
	n->out[0]->type = add->out[0]->type;
	n->out[0]->shape = add->out[0]->shape;
	tarn_raise_put(r, add, n);
	return TARN_OK;
}

/* ---- the pass ---- */

/* Making room in the middle would move every node behind it. */
tarn_err tarn_raise_node(tarn_raising *r, const tarn_op_def *op, tarn_node *old, int n_in, tarn_node **n)
{
	TRY(tarn_node_new(r->g, op, old->name, n_in, 1, -1, n));
	int at = old->index, last = (*n)->index;
	r->g->node.at[at] = *n;
	r->g->node.at[last] = old;
	(*n)->index = at;
	old->index = last;
	return TARN_OK;
}

void tarn_raise_put(tarn_raising *r, const tarn_node *old, const tarn_node *n)
{
	r->to[old->out[0]->id] = n->out[0];
}

static tarn_err walk(tarn_raising *r, tarn_arena *scratch, const char *op, tarn_err (*fn)(tarn_raising *, tarn_node *))
{
	size_t n = r->g->node.len, values = r->g->value.len;
	tarn_node **node = tarn_arena_alloc(scratch, (n + 1) * sizeof *node);
	r->to = tarn_arena_zalloc(scratch, values + 1, sizeof(tarn_value *));
	if (!node || !r->to)
		return tarn_err_nomem((n + values) * sizeof *node);
	TRY(tarn_graph_users(r->g, scratch, &r->user));
	memcpy(node, r->g->node.at, n * sizeof *node);
	for (size_t i = 0; i < n; i++)
		if (is(node[i], op)) {
			tarn_err err = fn(r, node[i]);
			if (err != TARN_OK)
				return tarn_err_note(err, "in node '%s' (%s)", node[i]->name, op);
		}
	tarn_graph_replace_all(r->g, r->to, values);
	return TARN_OK;
}

static tarn_err each(tarn_graph *g, const char *op, tarn_err (*fn)(tarn_raising *, tarn_node *))
{
	tarn_arena scratch = {0};
	tarn_raising r = {.g = g};
	size_t n = g->node.len, found = 0;
	for (size_t i = 0; i < n; i++)
		found += is(g->node.at[i], op);
	tarn_err err = found ? walk(&r, &scratch, op, fn) : TARN_OK;
	tarn_arena_fini(&scratch);
	if (err == TARN_OK && g->node.len != n) {
		tarn_graph_sweep(g);
		err = tarn_graph_sort(g);
	}
	return err;
}

tarn_err tarn_pass_raise(tarn_model *m)
{
	tarn_graph *g = m->main;
	size_t values = g->value.len;
	TRY(each(g, "Reshape", tarn_raise_blocks));
	TRY(each(g, "Mul", dequantize));
	TRY(each(g, "Cast", quantize));
	TRY(each(g, "FusedMatMul", tarn_raise_matmul));
	TRY(each(g, "GroupConvolution", group_conv));
	TRY(each(g, "Add", bias));
	return g->value.len == values ? TARN_OK : tarn_graph_infer(g);
}
