/* SPDX-License-Identifier: Apache-2.0 */
/* One node at a time: made by name, fed with numbers, evaluated by the reference or inferred with free dimensions. */
#ifndef TARN_TESTS_UNIT_OPS_PROBE_H
#define TARN_TESTS_UNIT_OPS_PROBE_H

#include "ops/ops.h"
#include "unit/test.h"

enum { PROBE_IN = 10, PROBE_OUT = 4 };
typedef struct probe {
	tarn_model *m;
	tarn_node *n;
	tarn_tensor in[PROBE_IN], out[PROBE_OUT];
} probe;

#define DIMS(...) \
	(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) \
	{ \
		__VA_ARGS__ \
	}
#define REALS(...) \
	(const double[]) \
	{ \
		__VA_ARGS__ \
	}
#define REAL_LIST(...) \
	(int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (const double[]) \
	{ \
		__VA_ARGS__ \
	}

static inline probe probe_open(const char *domain, const char *name, int n_in, int n_out)
{
	probe p = {0};
	assert_ok(tarn_model_new(&p.m));
	assert_non_null(tarn_op_find(domain, name));
	assert_ok(tarn_node_new(p.m->main, tarn_op_find(domain, name), "probe", n_in, n_out, -1, &p.n));
	return p;
}

static inline void probe_close(probe *p)
{
	for (int i = 0; i < PROBE_IN; i++)
		tarn_tensor_fini(&p->in[i]);
	for (int i = 0; i < PROBE_OUT; i++)
		tarn_tensor_fini(&p->out[i]);
	tarn_model_unref(p->m);
}

static inline int probe_attr(const probe *p, const char *name)
{
	int i = tarn_attr_index(p->n->op, name);
	assert_true(i >= 0);
	return i;
}

static inline void probe_int(probe *p, const char *name, int64_t v)
{
	assert_ok(tarn_attr_set_i(p->n, probe_attr(p, name), v));
}

static inline void probe_float(probe *p, const char *name, double v)
{
	assert_ok(tarn_attr_set_f(p->n, probe_attr(p, name), v));
}

static inline void probe_ints(probe *p, const char *name, int n, const int64_t *at)
{
	assert_ok(tarn_attr_set_ints(p->m->main, p->n, probe_attr(p, name), at, n));
}

static inline void probe_word(probe *p, const char *name, const char *word)
{
	int i = probe_attr(p, name), w = tarn_words_find(p->n->op->attr[i].words, word);
	assert_true(w >= 0);
	assert_ok(tarn_attr_set_i(p->n, i, w));
}

/* Input i: numbers v in row-major order; NULL: 0, 1, 2, ... */
static inline void probe_in(probe *p, int i, tarn_dtype type, int rank, const int64_t *dim, const double *v)
{
	assert_ok(tarn_tensor_new(type, rank, dim, &p->in[i]));
	for (int64_t k = 0; k < tarn_tensor_count(&p->in[i]); k++)
		tarn_tensor_set_f64(&p->in[i], k, v ? v[k] : (double)k);
	tarn_shape s = tarn_tensor_shape(&p->in[i]);
	assert_ok(tarn_value_input(p->m->main, NULL, type, &s, &p->n->in[i]));
}

static inline void probe_scalar(probe *p, int i, tarn_dtype type, double v)
{
	probe_in(p, i, type, 0, NULL, &v);
}

static inline tarn_err probe_eval(probe *p)
{
	const tarn_tensor *in[PROBE_IN];
	for (int i = 0; i < PROBE_IN; i++)
		in[i] = p->in[i].type == TARN_DTYPE_NONE ? NULL : &p->in[i];
	return tarn_node_eval(p->n, in, p->out);
}

static inline void probe_shape(const probe *p, int out, int rank, const int64_t *dim)
{
	assert_int_equal(p->out[out].rank, rank);
	for (int i = 0; i < rank; i++)
		assert_int_equal(p->out[out].dim[i], dim[i]);
}

/* All elements of an output, within tol. */
static inline void probe_expect(const probe *p, int out, double tol, int n, const double *v)
{
	assert_int_equal(tarn_tensor_count(&p->out[out]), n);
	for (int i = 0; i < n; i++) {
		double got = tarn_tensor_f64(&p->out[out], i), d = got - v[i];
		if (!(d <= tol && d >= -tol))
			print_error("output %d[%d] is %.9g, expected %.9g\n", out, i, got, v[i]);
		assert_true(d <= tol && d >= -tol);
	}
}

/* Evaluates and checks output 0. */
static inline void probe_gives(probe *p, double tol, int n, const double *v)
{
	assert_ok(probe_eval(p));
	probe_expect(p, 0, tol, n, v);
	probe_close(p);
}

/* An input with free dimensions: names or NULL for the number in dim. */
static inline void probe_free(probe *p, int i, tarn_dtype type, int rank, const int64_t *dim, const char *const *names)
{
	tarn_shape s = {.rank = rank};
	for (int k = 0; k < rank; k++) {
		s.dim[k] = dim[k];
		if (names && names[k])
			assert_ok(tarn_symtab_named(&p->m->syms, names[k], &s.dim[k]));
	}
	assert_ok(tarn_value_input(p->m->main, NULL, type, &s, &p->n->in[i]));
}

static inline tarn_err probe_infer(probe *p)
{
	return tarn_graph_infer(p->m->main);
}

/* The inferred shape of an output as text. */
static inline void probe_infers(probe *p, int out, const char *want)
{
	tarn_str s = {0};
	assert_ok(probe_infer(p));
	tarn_shape_print(&s, &p->m->syms, &p->n->out[out]->shape);
	assert_string_equal(s.at, want);
	tarn_str_fini(&s);
}

#endif
