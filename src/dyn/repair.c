/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/repair.h"

#include <math.h>

#include "ops/ops.h"

void tarn_repairs_fini(tarn_repairs *r)
{
	VEC_FINI(&r->list);
	VEC_FINI(&r->masked);
}

tarn_err tarn_repairs_note(tarn_repairs *r, const tarn_pad *p)
{
	TRY(VEC_GROW(&r->list));
	r->list.at[r->list.len++] = (tarn_repair){(tarn_node *)(uintptr_t)p->node, p->input, p->axis, p->need};
	return TARN_OK;
}

static tarn_err new_node(tarn_graph *g, const char *op, const char *name, int n_in, tarn_value *a, tarn_value *b, tarn_value *c,
			 tarn_value **out)
{
	tarn_node *n;
	tarn_value *in[] = {a, b, c};
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), name, n_in, 1, -1, &n));
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	*out = n->out[0];
	return TARN_OK;
}

/* positions < valid length, with `behind` axes of size 1 behind it */
static tarn_err mask_of(tarn_repairs *r, int behind, tarn_value **mask)
{
	tarn_graph *g = r->m->main;
	if (!r->mask[behind]) {
		int64_t dim[TARN_MAX_RANK];
		for (int i = 0; i < TARN_MAX_RANK; i++)
			dim[i] = i ? 1 : r->max;
		tarn_tensor t;
		tarn_value *positions;
		TRY(tarn_tensor_new(TARN_I64, behind + 1, dim, &t));
		for (int64_t i = 0; i < r->max; i++)
			((int64_t *)t.data)[i] = i;
		tarn_err err = tarn_value_const(g, "positions", &t, &positions);
		tarn_tensor_fini(&t);
		TRY(err);
		TRY(new_node(g, "Less", "valid", 2, positions, r->length, NULL, &r->mask[behind]));
	}
	*mask = r->mask[behind];
	return TARN_OK;
}

static tarn_err fill_const(tarn_graph *g, tarn_dtype type, tarn_pad_need need, tarn_value **v)
{
	tarn_tensor t;
	int64_t none = 0;
	TRY(tarn_tensor_new(type, 0, &none, &t));
	double limit = tarn_dtype_is_float(type) ? INFINITY : 0x1p62;
	tarn_tensor_set_f64(&t, 0, need == TARN_PAD_LOWEST ? -limit : need == TARN_PAD_HIGHEST ? limit : 0);
	tarn_err err = tarn_value_const(g, "neutral", &t, v);
	tarn_tensor_fini(&t);
	return err;
}

/* v with its padding along the axis replaced. Made once for each value, axis and need. */
static tarn_err masked(tarn_repairs *r, tarn_value *v, int axis, tarn_pad_need need, tarn_value **out)
{
	tarn_graph *g = r->m->main;
	need = need == TARN_PAD_MEAN ? TARN_PAD_ZERO : need;
	for (size_t i = 0; i < r->masked.len; i++)
		if (r->masked.at[i].from == v && r->masked.at[i].axis == axis && r->masked.at[i].need == need) {
			*out = r->masked.at[i].to;
			return TARN_OK;
		}
	tarn_value *mask, *fill, *x = v;
	if (v->type == TARN_BOOL) { /* Where has no other way to say: and with the mask */
		TRY(mask_of(r, v->shape.rank - 1 - axis, &mask));
		TRY(new_node(g, "And", v->name, 2, v, mask, NULL, &x));
	} else {
		TRY(mask_of(r, v->shape.rank - 1 - axis, &mask));
		TRY(fill_const(g, v->type, need, &fill));
		TRY(new_node(g, "Where", v->name, 3, mask, v, fill, &x));
	}
	x->type = v->type;
	x->shape = v->shape;
	TRY(VEC_GROW(&r->masked));
	r->masked.at[r->masked.len++] = (tarn_masked){v, x, axis, need};
	r->made++;
	*out = x;
	return TARN_OK;
}

/* A mean over the padded axis: the sum, divided by the valid count times the other sizes it runs over. */
static tarn_err replace_mean(tarn_repairs *r, const tarn_repair *x)
{
	tarn_graph *g = r->m->main;
	tarn_node *n = x->node, *sum;
	const tarn_shape *in = &n->in[0]->shape, *out = &n->out[0]->shape;
	/* every axis of the input that the output does not keep is reduced */
	double others = 1;
	int keep = tarn_attr_index(n->op, "keepdims");
	bool kept = keep < 0 || tarn_attr_i(n, keep);
	for (int i = 0, k = 0; i < in->rank; i++) {
		bool reduced = kept ? out->dim[i] == 1 && in->dim[i] != 1 : k >= out->rank || out->dim[k] != in->dim[i];
		k += !kept && !reduced;
		if (!reduced || i == x->axis)
			continue;
		CHECK(in->dim[i] >= 0, TARN_UNSUPPORTED, "node '%s' (%s) takes a mean over two free axes", n->name,
		      n->op->name);
		others *= (double)in->dim[i];
	}
	int axes = tarn_attr_index(n->op, "axes");
	int n_axes = n->n_in > 1 && n->in[1] ? 0 : axes >= 0 && n->attr[axes].set ? n->attr[axes].ints.n : 0;
	TRY(tarn_node_new(g, tarn_op_find(NULL, "ReduceSum"), n->name, 2, 1, -1, &sum));
	sum->in[0] = n->in[0];
	if (n->n_in > 1)
		sum->in[1] = n->in[1];
	else if (n_axes)
		TRY(tarn_value_const_i64(g, "axes", n->attr[axes].ints.at, n_axes, &sum->in[1]));
	TRY(tarn_attr_set_i(sum, tarn_attr_index(sum->op, "keepdims"), kept));
	tarn_value *count, *total, *scale, *mean;
	float f = (float)others;
	TRY(new_node(g, "Cast", "valid_count", 1, r->length, NULL, NULL, &count));
	TRY(tarn_attr_set_i(count->def, tarn_attr_index(count->def->op, "to"), n->in[0]->type));
	if (n->in[0]->type == TARN_F32 && others != 1) {
		TRY(tarn_value_const_f32(g, "others", &f, -1, &scale));
		TRY(new_node(g, "Mul", "mean_count", 2, count, scale, NULL, &total));
		count = total;
	}
	CHECK(n->in[0]->type == TARN_F32 || others == 1, TARN_UNSUPPORTED, "node '%s' (%s): a mean of %s over several axes",
	      n->name, n->op->name, tarn_dtype_info(n->in[0]->type)->word);
	TRY(new_node(g, "Div", n->name, 2, sum->out[0], count, NULL, &mean));
	mean->type = n->out[0]->type;
	mean->shape = n->out[0]->shape;
	tarn_graph_replace(g, n->out[0], mean);
	return TARN_OK;
}

tarn_err tarn_repairs_make(tarn_repairs *r, const char *length_name, tarn_dim sym)
{
	tarn_graph *g = r->m->main;
	size_t inputs = g->input.len;
	TRY(tarn_value_input(g, length_name, TARN_I64, &(tarn_shape){.rank = 1, .dim = {1}}, &r->length));
	for (size_t i = 0; i < r->list.len; i++) {
		const tarn_repair *x = &r->list.at[i];
		TRY(masked(r, x->node->in[x->input], x->axis, x->need, &x->node->in[x->input]));
		if (x->need == TARN_PAD_MEAN)
			TRY(replace_mean(r, x));
	}
	/* Whatever a caller leaves behind the valid length (NaN, indices out of range) ends here. */
	for (size_t i = 0; i < inputs; i++) {
		tarn_value *v = g->input.at[i], *x = v, *first = NULL;
		size_t readers = g->node.len; /* those that are there now */
		for (int k = 0; k < v->shape.rank; k++)
			if (v->shape.dim[k] == sym) {
				TRY(masked(r, x, k, TARN_PAD_ZERO, &x));
				first = first ? first : x;
			}
		if (x == v)
			continue;
		/* The clearing itself, which a repair may have made before, goes on reading v. */
		for (size_t n = 0; n < readers; n++)
			for (int k = 0; k < g->node.at[n]->n_in; k++)
				if (g->node.at[n]->in[k] == v && g->node.at[n] != first->def &&
				    g->node.at[n]->op != tarn_op_find(NULL, "Shape"))
					g->node.at[n]->in[k] = x;
	}
	return TARN_OK;
}
