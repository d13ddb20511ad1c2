/* SPDX-License-Identifier: Apache-2.0 */
/*
 * y = a*x + b per output channel, after a convolution or matrix product with constant weights: a goes into the weights, b into
 * the bias. a and b come from a BatchNormalization (a = scale/sqrt(var + eps), b = B - mean*a) or from constants added,
 * subtracted, multiplied or divided. Computed in double and rounded once.
 *
 * Weights that come from a DequantizeLinear are no constants here, and stay as they are.
 */
#include <math.h>

#include "base/mem.h"
#include "pass/rewrite.h"

/* Where the output channels of a product's weights are. */
typedef struct product {
	tarn_node *n;
	const tarn_tensor *w, *bias; /* bias NULL: none */
	int64_t channels;
	int axis;          /* of the output; negative from its end */
	int64_t groups;    /* of a ConvTranspose, else 1 */
	bool w_is_last;    /* MatMul, Gemm without transB: channel is the last axis of w */
	bool is_transpose; /* ConvTranspose: channel is axis 1 of w, within the group */
	bool takes_bias;
} product;

static int64_t attr_int(const tarn_node *n, const char *name, int64_t otherwise)
{
	int i = tarn_attr_index(n->op, name);
	return i >= 0 && n->attr[i].set ? n->attr[i].i : otherwise;
}

static double attr_float(const tarn_node *n, const char *name, double otherwise)
{
	int i = tarn_attr_index(n->op, name);
	return i >= 0 && n->attr[i].set ? n->attr[i].f : otherwise;
}

/* One number per channel: any shape with as many elements. */
static bool is_vector(const tarn_tensor *t, int64_t n)
{
	return t && tarn_dtype_is_float(t->type) && tarn_tensor_count(t) == n;
}

static bool describe(tarn_node *n, product *p)
{
	*p = (product){.n = n, .groups = 1, .axis = 1};
	if (!n || n->n_in < 2 || !n->in[1] || !n->in[1]->konst || n->n_out != 1)
		return false;
	p->w = n->in[1]->konst;
	p->bias = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	if (!tarn_dtype_is_float(p->w->type) || (n->n_in > 2 && n->in[2] && !p->bias))
		return false;
	if (tarn_is(n, "Conv") && p->w->rank >= 3) {
		p->takes_bias = true;
		p->channels = p->w->dim[0];
	} else if (tarn_is(n, "ConvTranspose") && p->w->rank >= 3) {
		p->takes_bias = p->is_transpose = true;
		p->groups = attr_int(n, "group", 1);
		p->channels = p->w->dim[1] * p->groups;
		if (p->groups < 1 || p->w->dim[0] % p->groups)
			return false;
	} else if (tarn_is(n, "Gemm") && p->w->rank == 2 && attr_float(n, "beta", 1) == 1) {
		p->takes_bias = true;
		p->w_is_last = attr_int(n, "transB", 0) == 0;
		p->channels = p->w->dim[p->w_is_last];
	} else if (tarn_is(n, "MatMul") && p->w->rank == 2) {
		p->w_is_last = true;
		p->channels = p->w->dim[1];
		p->axis = -1;
	} else {
		return false;
	}
	/* A Gemm's bias may also be a column, or a matrix. */
	bool row = !p->bias || p->bias->rank == 1 || (p->bias->rank == 2 && p->bias->dim[0] == 1);
	return p->channels > 0 && row && (!p->bias || is_vector(p->bias, p->channels));
}

/* The channel of element i of the weights. */
static int64_t channel_of(const product *p, int64_t i, int64_t row)
{
	if (p->w_is_last)
		return i % p->channels;
	if (!p->is_transpose)
		return i / row;
	int64_t per_group = p->w->dim[1], in = i / (row * per_group);
	return in / (p->w->dim[0] / p->groups) * per_group + i / row % per_group;
}

static tarn_err scale_weights(tarn_graph *g, const product *p, const double *a)
{
	tarn_tensor t;
	TRY(tarn_tensor_copy(p->w, &t));
	int64_t row = 1;
	for (int i = p->is_transpose ? 2 : 1; i < p->w->rank; i++)
		row *= p->w->dim[i];
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_f64(&t, i, tarn_tensor_f64(&t, i) * a[channel_of(p, i, row)]);
	tarn_value *v;
	tarn_err err = tarn_value_const(g, p->n->in[1]->name, &t, &v);
	tarn_tensor_fini(&t);
	if (err == TARN_OK)
		p->n->in[1] = v;
	return err;
}

static tarn_err set_bias(tarn_graph *g, const product *p, const double *a, const double *b)
{
	tarn_tensor t;
	TRY(tarn_tensor_new(p->w->type, 1, &p->channels, &t));
	for (int64_t i = 0; i < p->channels; i++)
		tarn_tensor_set_f64(&t, i, (p->bias ? tarn_tensor_f64(p->bias, i) * a[i] : 0) + b[i]);
	tarn_value *v = NULL;
	tarn_err err = tarn_value_const(g, p->bias ? p->n->in[2]->name : p->n->name, &t, &v);
	tarn_tensor_fini(&t);
	if (err == TARN_OK && p->n->n_in < 3)
		err = tarn_node_resize_inputs(g, p->n, 3);
	if (err == TARN_OK)
		p->n->in[2] = v;
	return err;
}

/* Is the constant one number, or one per channel along the product's channel axis? */
static bool along_channel(const tarn_tensor *t, const product *p, int out_rank)
{
	if (!tarn_dtype_is_float(t->type) || t->rank > out_rank)
		return false;
	int64_t n = tarn_tensor_count(t);
	if (n == 1)
		return true;
	int axis = (p->axis < 0 ? out_rank + p->axis : p->axis) - (out_rank - t->rank);
	return n == p->channels && axis >= 0 && t->dim[axis] == p->channels;
}

static bool from_norm(const tarn_node *n, const product *p, double *a, double *b)
{
	const tarn_tensor *k[5] = {0};
	if (n->n_in != 5 || n->n_out != 1 || attr_int(n, "training_mode", 0) != 0 || p->axis != 1)
		return false;
	for (int i = 1; i < 5; i++) {
		k[i] = n->in[i] ? n->in[i]->konst : NULL;
		if (!is_vector(k[i], p->channels))
			return false;
	}
	double eps = attr_float(n, "epsilon", 1e-5);
	for (int64_t i = 0; i < p->channels; i++) {
		a[i] = tarn_tensor_f64(k[1], i) / sqrt(tarn_tensor_f64(k[4], i) + eps);
		b[i] = tarn_tensor_f64(k[2], i) - tarn_tensor_f64(k[3], i) * a[i];
		if (!isfinite(a[i]) || !isfinite(b[i]))
			return false;
	}
	return true;
}

static bool from_arithmetic(const tarn_node *n, const product *p, double *a, double *b)
{
	bool add = tarn_is(n, "Add"), sub = tarn_is(n, "Sub"), mul = tarn_is(n, "Mul"), div = tarn_is(n, "Div");
	int rank = p->n->out[0]->shape.rank;
	if (!(add || sub || mul || div) || n->n_in != 2 || rank < 0 || !n->in[0] || !n->in[1])
		return false;
	int c = n->in[0] == p->n->out[0] ? 1 : 0;
	const tarn_tensor *k = n->in[c]->konst;
	if (!k || (c == 0 && (sub || div)) || !along_channel(k, p, rank))
		return false;
	int64_t step = tarn_tensor_count(k) == 1 ? 0 : 1;
	for (int64_t i = 0; i < p->channels; i++) {
		double x = tarn_tensor_f64(k, i * step);
		a[i] = mul ? x : div ? 1 / x : 1;
		b[i] = add ? x : sub ? -x : 0;
		if (!isfinite(a[i]) || !isfinite(b[i]))
			return false;
	}
	return true;
}

static bool any_not(const double *v, int64_t n, double x)
{
	for (int64_t i = 0; i < n; i++)
		if (v[i] != x)
			return true;
	return false;
}

static tarn_err fold_into(tarn_graph *g, tarn_node *n, const product *p, int *changed)
{
	double *a = tarn_mem_zalloc((size_t)p->channels * 2, sizeof *a), *b;
	if (!a)
		return tarn_err_nomem((size_t)p->channels * 16);
	b = a + p->channels;
	tarn_err err = TARN_OK;
	bool ok = tarn_is(n, "BatchNormalization") ? from_norm(n, p, a, b) : from_arithmetic(n, p, a, b);
	bool shift = ok && (p->bias || any_not(b, p->channels, 0));
	if (!ok || (shift && !p->takes_bias))
		goto out;
	if (any_not(a, p->channels, 1))
		TRY_GOTO(out, scale_weights(g, p, a));
	if (shift)
		TRY_GOTO(out, set_bias(g, p, a, b));
	++*changed;
out:
	tarn_mem_free(a);
	return err;
}

static bool is_affine(const tarn_node *n)
{
	static const char *const arithmetic[] = {"Add", "Sub", "Mul", "Div"};
	if (tarn_is(n, "BatchNormalization"))
		return true;
	for (size_t i = 0; i < sizeof arithmetic / sizeof *arithmetic; i++)
		if (tarn_is(n, arithmetic[i]))
			return n->n_in == 2 && n->in[0] && n->in[1] && !n->in[0]->konst != !n->in[1]->konst;
	return false;
}

/* The product whose only reader n is, n computing on its result. */
static bool product_before(const tarn_node *n, int k, tarn_node *const *user, size_t known, product *p)
{
	const tarn_value *x = n->in[k];
	return x && x->id < known && user[x->id] == n && describe(x->def, p) && p->n->out[0] == x &&
	       p->n->in[1]->konst->type == n->out[0]->type && tarn_shape_same(&x->shape, &n->out[0]->shape);
}

static tarn_err affine_node(tarn_swaps *s, tarn_node **user, tarn_node *n, int *changed)
{
	tarn_swaps_resolve(s, n);
	if (n->n_out < 1 || !n->out[0] || !is_affine(n))
		return TARN_OK;
	for (int k = 0; k < n->n_in && k < 2; k++) {
		product p;
		int before = *changed;
		if (!product_before(n, k, user, s->n, &p))
			continue;
		TRY(fold_into(s->g, n, &p, changed));
		if (*changed == before)
			continue;
		/* Who read the result reads the product's now. */
		user[p.n->out[0]->id] = user[n->out[0]->id];
		return tarn_swaps_put(s, n->out[0], p.n->out[0]);
	}
	return TARN_OK;
}

tarn_err tarn_affine_round(tarn_graph *g, int *changed)
{
	tarn_arena scratch = {0};
	tarn_swaps swaps = {0};
	tarn_node **user;
	tarn_err err = tarn_graph_users(g, &scratch, &user);
	if (err == TARN_OK)
		err = tarn_swaps_begin(g, &scratch, &swaps);
	for (size_t i = 0; err == TARN_OK && i < g->node.len; i++)
		err = affine_node(&swaps, user, g->node.at[i], changed);
	if (swaps.to)
		tarn_swaps_end(&swaps);
	tarn_arena_fini(&scratch);
	return err;
}
