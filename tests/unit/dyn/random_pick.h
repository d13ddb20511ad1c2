/* SPDX-License-Identifier: Apache-2.0 */
/* What random graphs are made from: the graph so far, and draws from its values. The state is the test's: one graph at a time.
 */
#ifndef TARN_TESTS_UNIT_DYN_RANDOM_PICK_H
#define TARN_TESTS_UNIT_DYN_RANDOM_PICK_H

#include "unit/dyn/padded.h"

enum { MAX_VALUES = 64, MOST_ELEMENTS = 2048, MOST_STEPS = 7 };

static tarn_model *model;
static tarn_graph *g;
static tarn_value *pool[MAX_VALUES];
static int n_pool;
static tarn_bound_spec spec[2];
static int n_spec;
static const char *const dim_name[] = {"n", "m"};

/* Set by a maker whose operators go together and are not to be changed one by one. */
static bool one_piece;

/* ---- picking ---- */

static tarn_value *any(void)
{
	return pool[between(0, n_pool - 1)];
}

/* A float of a rank within these; NULL when the draw fails. */
static tarn_value *of_rank(int lo, int hi)
{
	for (int i = 0; i < 8; i++) {
		tarn_value *v = any();
		if (v->type == TARN_F32 && v->shape.rank >= lo && v->shape.rank <= hi)
			return v;
	}
	return NULL;
}

/* Another value of the same shape; v itself when the draw fails. */
static tarn_value *twin_of(tarn_value *v)
{
	for (int i = 0; i < 8; i++) {
		tarn_value *w = any();
		bool same = w != v && w->type == v->type && w->shape.rank == v->shape.rank;
		for (int k = 0; k < v->shape.rank && same; k++)
			same = w->shape.dim[k] == v->shape.dim[k];
		if (same)
			return w;
	}
	return v;
}

static int axis_of(const tarn_value *v)
{
	return between(0, v->shape.rank - 1);
}

/* A node of these inputs, absent where they are NULL. */
static tarn_node *make(const char *domain, const char *op, int n_out, tarn_value *const *in, int n)
{
	tarn_node *k;
	const tarn_op_def *def = tarn_op_find(domain, op);
	assert_non_null(def);
	assert_ok(tarn_node_new(g, def, NULL, n, n_out, -1, &k));
	for (int i = 0; i < n; i++)
		k->in[i] = in[i];
	return k;
}
#define MAKE(op, ...) \
	make(NULL, op, 1, (tarn_value *[]){__VA_ARGS__}, (int)(sizeof((tarn_value *[]){__VA_ARGS__}) / sizeof(tarn_value *))) \
		->out[0]

static tarn_value *with_int(tarn_value *v, const char *name, int64_t i)
{
	set_int(v, name, i);
	return v;
}

static tarn_value *with_list(tarn_value *v, const char *name, const int64_t *at, int n)
{
	assert_ok(tarn_attr_set_ints(g, v->def, tarn_attr_index(v->def->op, name), at, n));
	return v;
}

static tarn_value *with_float(tarn_value *v, const char *name, double x)
{
	assert_ok(tarn_attr_set_f(v->def, tarn_attr_index(v->def->op, name), x));
	return v;
}

static tarn_value *as(tarn_value *v, tarn_dtype type)
{
	return with_int(node(g, "Cast", v, NULL, NULL), "to", type);
}

/* The same axis, at times counted from the end. */
static int either_end(int axis, int rank)
{
	return between(0, 2) ? axis : axis - rank;
}

/* Constant integers of a type. */
static tarn_value *codes(tarn_dtype type, tarn_shape s, int lo, int hi)
{
	tarn_tensor t;
	tarn_value *v;
	assert_ok(tarn_tensor_new(type, s.rank, s.dim, &t));
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_i64(&t, i, between(lo, hi));
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

/* The size along an axis, int64 [1]. */
static tarn_value *size_of(tarn_value *v, int axis)
{
	return node(g, "Gather", node(g, "Shape", v, NULL, NULL), ints(g, 1, axis), NULL);
}

static tarn_value *list(const int64_t *at, int n)
{
	tarn_value *v;
	assert_ok(tarn_value_const_i64(g, NULL, at, n, &v));
	return v;
}

static int64_t max_of(tarn_dim d)
{
	int64_t value[64];
	for (int i = 0; i < 64; i++)
		value[i] = -1;
	for (int i = 0; i < n_spec; i++) {
		tarn_dim s;
		assert_ok(tarn_symtab_named(&model->syms, spec[i].name, &s));
		value[-s - 1] = spec[i].max;
	}
	return tarn_dim_value(&model->syms, d, value, 64);
}

static bool small_enough(const tarn_value *v)
{
	int64_t n = 1;
	if (v->shape.rank < 0 || v->type == TARN_DTYPE_NONE)
		return true; /* refused, which is an answer */
	for (int i = 0; i < v->shape.rank; i++) {
		int64_t d = max_of(v->shape.dim[i]);
		n *= d < 0 ? 8 : d;
	}
	return n <= MOST_ELEMENTS;
}

/* ---- small pieces ---- */

static tarn_value *last_two_swapped(tarn_value *v)
{
	int64_t p[TARN_MAX_RANK];
	int r = v->shape.rank;
	for (int i = 0; i < r; i++)
		p[i] = i < r - 2 ? i : 2 * r - 3 - i;
	return with_list(node(g, "Transpose", v, NULL, NULL), "perm", p, r);
}

static tarn_value *flags_of(tarn_value *v)
{
	static const char *const how[] = {"Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal"};
	return node(g, how[between(0, 4)], v, between(0, 1) ? any() : scalar(g, number() / 2), NULL);
}

#endif
