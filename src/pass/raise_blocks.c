/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed weights of the IR: a constant of integers whose axis is cut in two, Convert, (Subtract zero point,) Multiply by
 * one scale for each part, Reshape that joins the axes -> DequantizeLinear with block_size. What does not fit exactly stays.
 */
#include <string.h>

#include "ops/ops.h"
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

/* The axis along which x has parts with one number of s each: s has x's sizes but for a 1 there. -1: none. */
static int part_axis(const tarn_tensor *x, const tarn_tensor *s)
{
	int axis = -1;
	if (s->rank != x->rank)
		return -1;
	for (int i = 0; i < x->rank; i++) {
		if (s->dim[i] == x->dim[i])
			continue;
		if (s->dim[i] != 1 || axis >= 0)
			return -1;
		axis = i;
	}
	return axis;
}

/* Is `to` the sizes of x with axes axis-1 and axis as one? */
static bool joins(const tarn_tensor *x, int axis, const tarn_shape *to)
{
	if (axis < 1 || to->rank != x->rank - 1)
		return false;
	for (int i = 0; i < to->rank; i++) {
		int64_t want = i == axis - 1 ? x->dim[i] * x->dim[i + 1] : x->dim[i + (i >= axis)];
		if (to->dim[i] != want)
			return false;
	}
	return true;
}

/* t without its axis of size 1, or with axes axis-1 and axis as one. */
static tarn_err put_joined(tarn_graph *g, const char *name, const tarn_tensor *t, int axis, tarn_dtype type, tarn_value **v)
{
	tarn_tensor c = {0};
	if (t->type == type)
		c = tarn_tensor_share(t);
	else
		TRY(tarn_tensor_convert(t, type, &c));
	c.dim[axis - 1] *= c.dim[axis];
	memmove(c.dim + axis, c.dim + axis + 1, (size_t)(c.rank - axis - 1) * sizeof *c.dim);
	c.rank--;
	tarn_err err = tarn_value_const(g, name, &c, v);
	tarn_tensor_fini(&c);
	return err;
}

const tarn_tensor *tarn_raise_zero(const tarn_value *v)
{
	if (v->konst)
		return v->konst;
	const tarn_tensor *t = is(v->def, "Cast") ? v->def->in[0]->konst : NULL;
	return t && tarn_dtype_is_int(t->type) && tarn_dtype_info(t->type)->bits <= 8 ? t : NULL;
}

/* What a Reshape of the pattern is made of. */
typedef struct parts {
	const tarn_value *q;
	const tarn_tensor *scale, *zero; /* zero NULL: none */
	int axis;
} parts;

static bool match(const tarn_node *reshape, parts *p)
{
	const tarn_node *mul = reshape->in[0]->def;
	if (!is(mul, "Mul") || !mul->in[0] || !mul->in[1] || !mul->in[1]->konst || mul->in[0]->konst)
		return false;
	const tarn_node *d = mul->in[0]->def;
	*p = (parts){.scale = mul->in[1]->konst};
	if (is(d, "Sub") && tarn_raise_zero(d->in[1]) && d->in[0]->def) {
		p->zero = tarn_raise_zero(d->in[1]);
		d = d->in[0]->def;
	}
	if (!is(d, "Cast") || !d->in[0]->konst || attr_i(d, "to") != TARN_F32 || p->scale->type != TARN_F32)
		return false;
	p->q = d->in[0];
	int bits = tarn_dtype_info(p->q->type)->bits;
	if (!tarn_dtype_is_int(p->q->type) || bits > 8)
		return false;
	p->axis = part_axis(p->q->konst, p->scale);
	return joins(p->q->konst, p->axis, &reshape->out[0]->shape) &&
	       (!p->zero || (part_axis(p->q->konst, p->zero) == p->axis && tarn_raise_fits(p->zero, p->q->type)));
}

tarn_err tarn_raise_blocks(tarn_raising *r, tarn_node *reshape)
{
	tarn_graph *g = r->g;
	parts p;
	tarn_node *n;
	tarn_value *in[3] = {NULL};
	if (!match(reshape, &p))
		return TARN_OK;
	TRY(put_joined(g, p.q->name, p.q->konst, p.axis, p.q->type, &in[0]));
	TRY(put_joined(g, NULL, p.scale, p.axis, TARN_F32, &in[1]));
	if (p.zero)
		TRY(put_joined(g, NULL, p.zero, p.axis, p.q->type, &in[2]));
	TRY(tarn_raise_node(r, tarn_op_find(NULL, "DequantizeLinear"), reshape, p.zero ? 3 : 2, &n));
	memcpy(n->in, in, (size_t)n->n_in * sizeof *in);
	TRY(tarn_attr_set_i(n, tarn_attr_index(n->op, "axis"), p.axis - 1));
	TRY(tarn_attr_set_i(n, tarn_attr_index(n->op, "block_size"), p.q->konst->dim[p.axis]));
	n->out[0]->type = TARN_F32;
	n->out[0]->shape = reshape->out[0]->shape;
	tarn_raise_put(r, reshape, n);
	return TARN_OK;
}
