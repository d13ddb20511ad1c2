/* SPDX-License-Identifier: Apache-2.0 */
/* What padding holds: a number where that is certain, so that no repair is made twice or for nothing. */
#include <math.h>
#include <string.h>

#include "dyn/dyn.h"

tarn_err tarn_dyn_content_set(tarn_dyn *d, const tarn_value *v, const tarn_content *c)
{
	TRY(VEC_RESERVE(&d->content, (size_t)v->id + 1));
	while (d->content.len <= v->id)
		d->content.at[d->content.len++] = (tarn_content){0};
	d->content.at[v->id] = *c;
	return TARN_OK;
}

tarn_content tarn_dyn_content(const tarn_dyn *d, const tarn_value *v)
{
	return v->id < d->content.len ? d->content.at[v->id] : (tarn_content){0};
}

/* ---- element by element ---- */

enum { MOST_ELEMENTS = 1 << 14 };

/* Axis `a` of the output, seen from input v: -1 when v has no such axis or is stretched along it. */
static int axis_in(const tarn_value *v, const tarn_value *out, int a)
{
	int k = a - (out->shape.rank - v->shape.rank);
	return k >= 0 && v->shape.dim[k] == out->shape.dim[a] ? k : -1;
}

/* The number that stands in every padding element along axis a of the output; false when it is not one number, or unknown. */
static bool eval_axis(tarn_dyn *d, const tarn_node *n, int a, double *v, bool *joint)
{
	enum { MOST_INPUTS = 8 };
	tarn_tensor scalar[MOST_INPUTS] = {0}, *out = NULL, result[4] = {0};
	const tarn_tensor *in[MOST_INPUTS] = {0};
	bool ok = n->n_in <= MOST_INPUTS && n->n_out <= 4;
	for (int i = 0; i < n->n_in && ok; i++) {
		const tarn_value *x = n->in[i];
		if (!x)
			continue;
		if (x->konst) {
			ok = tarn_tensor_count(x->konst) <= MOST_ELEMENTS && tarn_tensor_count(x->konst) > 0;
			in[i] = x->konst;
			continue;
		}
		tarn_content c = tarn_dyn_content(d, x);
		int k = axis_in(x, n->out[0], a);
		ok = k >= 0 && c.known >> k & 1 && tarn_tensor_new(x->type, 0, NULL, &scalar[i]) == TARN_OK;
		if (!ok)
			break;
		*joint &= c.joint;
		if (tarn_dtype_is_float(x->type) || x->type == TARN_BOOL)
			tarn_tensor_set_f64(&scalar[i], 0, c.v[k]);
		else
			tarn_tensor_set_i64(&scalar[i], 0, (int64_t)c.v[k]);
		in[i] = &scalar[i];
	}
	ok = ok && tarn_node_eval(n, in, result) == TARN_OK;
	if (!ok)
		tarn_err_clear();
	out = ok ? &result[0] : NULL;
	for (int64_t i = 0; out && ok && i < tarn_tensor_count(out); i++) {
		double x = tarn_tensor_f64(out, i);
		ok = !isnan(x) && (i == 0 || x == *v);
		*v = x;
	}
	ok = ok && out && tarn_tensor_count(out) > 0;
	for (int i = 0; i < MOST_INPUTS; i++)
		tarn_tensor_fini(&scalar[i]);
	for (int i = 0; i < 4; i++)
		tarn_tensor_fini(&result[i]);
	return ok;
}

static tarn_content elementwise(tarn_dyn *d, const tarn_node *n)
{
	tarn_content c = {.joint = true};
	uint32_t axes = tarn_dyn_axes(d, n->out[0]);
	double first = 0;
	for (int a = 0; a < n->out[0]->shape.rank; a++)
		if (axes >> a & 1) {
			if (!eval_axis(d, n, a, &c.v[a], &c.joint))
				continue;
			c.joint &= !c.known || c.v[a] == first;
			first = c.v[a];
			c.known |= 1u << a;
		}
	c.joint &= c.known == axes;
	return c;
}

/* ---- elements moved ---- */

/* Axis k of input 0 in the output of an operator that keeps the order of axes; -1 when it cannot be told. Axes of one size are
 * told apart by their order. */
static int axis_kept(const tarn_value *in, int k, const tarn_value *out)
{
	int nth = 0, same = 0, found = -1, there = 0;
	for (int i = 0; i < in->shape.rank; i++) {
		same += in->shape.dim[i] == in->shape.dim[k];
		nth += i < k && in->shape.dim[i] == in->shape.dim[k];
	}
	for (int i = 0; i < out->shape.rank; i++)
		if (out->shape.dim[i] == in->shape.dim[k] && there++ == nth)
			found = i;
	return there == same ? found : -1;
}

static tarn_content moved(tarn_dyn *d, const tarn_node *n, const tarn_value *out)
{
	const tarn_value *in = n->in[0];
	tarn_content was = tarn_dyn_content(d, in), c = {.joint = was.joint};
	uint32_t axes = tarn_dyn_axes(d, in);
	const tarn_attr *perm = strcmp(n->op->name, "Transpose") ? NULL : &n->attr[tarn_attr_index(n->op, "perm")];
	for (int k = 0; k < in->shape.rank; k++) {
		int to = axis_kept(in, k, out);
		for (int i = 0; perm && i < in->shape.rank; i++)
			if ((perm->set ? perm->ints.at[i] : in->shape.rank - 1 - i) == k)
				to = i;
		if (!(axes >> k & 1) || !(was.known >> k & 1) || to < 0) {
			c.joint &= !(axes >> k & 1);
			continue;
		}
		c.known |= 1u << to;
		c.v[to] = was.v[k];
	}
	return c;
}

/* Along other axes than the one that is joined, where all inputs agree. */
static tarn_content concat(tarn_dyn *d, const tarn_node *n)
{
	tarn_content c = tarn_dyn_content(d, n->in[0]);
	int64_t axis = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	axis = axis < 0 ? axis + n->in[0]->shape.rank : axis;
	c.known &= ~(1u << axis);
	for (int i = 1; i < n->n_in; i++) {
		tarn_content x = tarn_dyn_content(d, n->in[i]);
		c.joint &= x.joint;
		for (int a = 0; a < TARN_MAX_RANK; a++)
			if (c.known >> a & 1 && (!(x.known >> a & 1) || x.v[a] != c.v[a]))
				c.known &= ~(1u << a);
	}
	c.joint &= c.known == tarn_dyn_axes(d, n->out[0]);
	return c;
}

/* -infinity becomes exactly 0, beside any other number. */
static tarn_content softmax(tarn_dyn *d, const tarn_node *n)
{
	tarn_content x = tarn_dyn_content(d, n->in[0]), c = {0};
	int64_t axis = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	axis = axis < 0 ? axis + n->in[0]->shape.rank : axis;
	bool some = tarn_dim_lo(&d->m->syms, n->in[0]->shape.dim[axis]) > 0;
	if (some && x.known >> axis & 1 && x.v[axis] == -INFINITY)
		c.known = 1u << axis;
	return c;
}

tarn_err tarn_dyn_flow(tarn_dyn *d, const tarn_node *n)
{
	static const char *const mover[] = {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity",
					    "Dropout",   "Split",   "Slice",   "Gather",    "Expand"};
	for (int i = 0; i < n->n_out; i++) {
		const tarn_value *out = n->out[i];
		tarn_content c = {0};
		if (!out || out->shape.rank < 0 || !n->n_in || !n->in[0] || !tarn_dyn_axes(d, out))
			continue;
		if (n->op->flags & TARN_OP_ELEMENTWISE && !i)
			c = elementwise(d, n);
		else if (!strcmp(n->op->name, "Concat"))
			c = concat(d, n);
		else if (!strcmp(n->op->name, "Softmax"))
			c = softmax(d, n);
		for (size_t k = 0; k < sizeof mover / sizeof *mover && !(n->op->flags & TARN_OP_ELEMENTWISE); k++)
			if (!strcmp(n->op->name, mover[k]))
				c = moved(d, n, out);
		if (c.known)
			TRY(tarn_dyn_content_set(d, out, &c));
	}
	return TARN_OK;
}
