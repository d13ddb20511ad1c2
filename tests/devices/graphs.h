/* SPDX-License-Identifier: Apache-2.0 */
/* Small graphs for device tests: built node by node, filled with seeded numbers, run on the reference and on a device. */
#ifndef TARN_TESTS_DEVICES_GRAPHS_H
#define TARN_TESTS_DEVICES_GRAPHS_H

#include "unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"

static uint32_t seed = 1;

static inline float number(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (float)(int32_t)seed / 2147483648.0f;
}

static inline int between(int lo, int hi)
{
	seed = seed * 1664525u + 1013904223u;
	return lo + (int)((seed >> 8) % (unsigned)(hi - lo + 1));
}

static inline tarn_shape dims(int rank, ...)
{
	tarn_shape s = {.rank = rank};
	va_list ap;
	va_start(ap, rank);
	for (int i = 0; i < rank; i++)
		s.dim[i] = va_arg(ap, int);
	va_end(ap);
	return s;
}

static inline tarn_tensor filled(tarn_shape s)
{
	tarn_tensor t;
	assert_ok(tarn_tensor_new(TARN_F32, s.rank, s.dim, &t));
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		((float *)t.data)[i] = number();
	return t;
}

static inline tarn_value *weights(tarn_graph *g, tarn_shape s)
{
	tarn_tensor t = filled(s);
	tarn_value *v;
	assert_ok(tarn_value_const(g, NULL, &t, &v));
	tarn_tensor_fini(&t);
	return v;
}

static inline tarn_value *ints(tarn_graph *g, int n, ...)
{
	int64_t at[8];
	va_list ap;
	va_start(ap, n);
	for (int i = 0; i < n; i++)
		at[i] = va_arg(ap, int);
	va_end(ap);
	tarn_value *v;
	assert_ok(tarn_value_const_i64(g, NULL, at, n, &v));
	return v;
}

static inline tarn_value *scalar(tarn_graph *g, float x)
{
	tarn_value *v;
	assert_ok(tarn_value_const_f32(g, NULL, &x, -1, &v));
	return v;
}

static inline tarn_value *input(tarn_graph *g, tarn_shape s)
{
	tarn_value *v;
	assert_ok(tarn_value_input(g, NULL, TARN_F32, &s, &v));
	return v;
}

static inline void output(tarn_graph *g, tarn_value *v)
{
	assert_ok(VEC_GROW(&g->output));
	g->output.at[g->output.len++] = v;
}

/* A node of the inputs that are not NULL. */
static inline tarn_node *node_with(tarn_graph *g, const char *op, int n_out, tarn_value *a, tarn_value *b, tarn_value *c)
{
	const tarn_op_def *def = tarn_op_find(NULL, op);
	assert_non_null(def);
	tarn_node *n;
	int n_in = c ? 3 : b ? 2 : 1;
	assert_ok(tarn_node_new(g, def, NULL, n_in, n_out, -1, &n));
	tarn_value *in[] = {a, b, c};
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	return n;
}

static inline tarn_value *node(tarn_graph *g, const char *op, tarn_value *a, tarn_value *b, tarn_value *c)
{
	return node_with(g, op, 1, a, b, c)->out[0];
}

static inline void set_ints(tarn_graph *g, tarn_value *v, const char *name, int n, ...)
{
	int64_t at[8];
	va_list ap;
	va_start(ap, n);
	for (int i = 0; i < n; i++)
		at[i] = va_arg(ap, int);
	va_end(ap);
	assert_ok(tarn_attr_set_ints(g, v->def, tarn_attr_index(v->def->op, name), at, n));
}

static inline void set_int(tarn_value *v, const char *name, int64_t x)
{
	assert_ok(tarn_attr_set_i(v->def, tarn_attr_index(v->def->op, name), x));
}

/* max |a - b| / max |b| */
static inline double relative_error(const tarn_tensor *a, const tarn_tensor *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->rank, b->rank);
	for (int i = 0; i < a->rank; i++)
		assert_int_equal(a->dim[i], b->dim[i]);
	double worst = 0, most = 1e-6;
	for (int64_t i = 0; i < tarn_tensor_count(a); i++) {
		double x = tarn_tensor_f64(a, i), y = tarn_tensor_f64(b, i);
		if (isnan(x) != isnan(y) || ((isinf(x) || isinf(y)) && x != y))
			return INFINITY;
		if (isnan(x) || isinf(x))
			continue;
		worst = fmax(worst, fabs(x - y));
		most = fmax(most, fabs(y));
	}
	return worst / most;
}

#endif
