/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operator under test: a model of one node, built from text-like calls, evaluated or inferred. One case at a time (static
 * storage), one thread. Every function fails the running cmocka test on an unexpected error.
 */
#ifndef TARN_TESTS_OP_CASE_H
#define TARN_TESTS_OP_CASE_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <string.h>

#include "ops/ops.h"

enum { MAX_SLOTS = 8 };
typedef struct op_case {
	tarn_model *m;
	tarn_node *n;
	tarn_tensor in[MAX_SLOTS], out[MAX_SLOTS];
} op_case;
static op_case the;

#define D(...) ((const int64_t[]){__VA_ARGS__})
#define V(...) ((const double[]){__VA_ARGS__})
#define OK(expr) ok((expr), __LINE__)

static inline void ok(tarn_err err, int line)
{
	if (err != TARN_OK)
		fail_msg("line %d: %s", line, tarn_err_text());
}

static inline void case_end(void)
{
	for (int i = 0; i < MAX_SLOTS; i++) {
		tarn_tensor_fini(&the.in[i]);
		tarn_tensor_fini(&the.out[i]);
	}
	tarn_model_unref(the.m);
	the = (op_case){0};
}

static inline void case_new(const char *op, int n_in, int n_out)
{
	case_end();
	OK(tarn_model_new(&the.m));
	assert_non_null(tarn_op_find("", op));
	OK(tarn_node_new(the.m->main, tarn_op_find("", op), "node", n_in, n_out, -1, &the.n));
}

static inline int attr(const char *name)
{
	int i = tarn_attr_index(the.n->op, name);
	if (i < 0)
		fail_msg("no attribute %s", name);
	return i;
}

static inline void attr_i(const char *name, int64_t v)
{
	OK(tarn_attr_set_i(the.n, attr(name), v));
}

static inline void attr_f(const char *name, double v)
{
	OK(tarn_attr_set_f(the.n, attr(name), v));
}

static inline void attr_word(const char *name, const char *word)
{
	int i = attr(name);
	OK(tarn_attr_set_i(the.n, i, tarn_words_find(the.n->op->attr[i].words, word)));
}

static inline void attr_ints(const char *name, int n, const int64_t *at)
{
	OK(tarn_attr_set_ints(the.m->main, the.n, attr(name), at, n));
}

/* Input i: a tensor with these values. */
static inline void input(int i, tarn_dtype type, int rank, const int64_t *dim, const double *v)
{
	OK(tarn_tensor_new(type, rank, dim, &the.in[i]));
	int64_t n = tarn_tensor_count(&the.in[i]);
	for (int64_t k = 0; k < n; k++)
		tarn_tensor_set_f64(&the.in[i], k, v[k]);
	tarn_shape s = tarn_tensor_shape(&the.in[i]);
	OK(tarn_value_input(the.m->main, NULL, type, &s, &the.n->in[i]));
}

static inline tarn_err run_err(void)
{
	const tarn_tensor *in[MAX_SLOTS] = {0};
	for (int i = 0; i < the.n->n_in; i++)
		in[i] = the.n->in[i] != NULL ? &the.in[i] : NULL;
	return tarn_node_eval(the.n, in, the.out);
}

static inline void run(void)
{
	OK(run_err());
}

#define expect(...) expect_at(__LINE__, __VA_ARGS__)
/* Output i has this type, shape and these values (tol: largest absolute difference). */
static inline void expect_at(int line, int i, tarn_dtype type, int rank, const int64_t *dim, const double *v, double tol)
{
	const tarn_tensor *t = &the.out[i];
	if (t->type != type)
		fail_msg("line %d: type %s, not %s", line, tarn_dtype_info(t->type)->word, tarn_dtype_info(type)->word);
	if (t->rank != rank)
		fail_msg("line %d: rank %d, not %d", line, t->rank, rank);
	for (int d = 0; d < rank; d++)
		if (t->dim[d] != dim[d])
			fail_msg("line %d: dim[%d] is %lld, not %lld", line, d, (long long)t->dim[d], (long long)dim[d]);
	int64_t n = tarn_tensor_count(t);
	for (int64_t k = 0; k < n; k++) {
		double got = tarn_tensor_f64(t, k);
		if (!(isnan(v[k]) ? isnan(got) : got == v[k] || fabs(got - v[k]) <= tol))
			fail_msg("line %d: element %lld is %.9g, not %.9g", line, (long long)k, got, v[k]);
	}
}

/* ---- symbolic inference ---- */

static inline tarn_shape shape_of_words(const char *words)
{
	/* "batch,3,?" */
	tarn_shape s = {0};
	char buf[128];
	snprintf(buf, sizeof buf, "%s", words);
	for (char *save = NULL, *w = strtok_r(buf, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
		int64_t v = 0;
		if (tarn_str_to_i64(w, &v))
			s.dim[s.rank++] = v;
		else
			OK(tarn_symtab_named(&the.m->syms, w, &s.dim[s.rank++]));
	}
	return s;
}

static inline tarn_value *graph_input(tarn_dtype type, const char *words)
{
	tarn_value *v = NULL;
	tarn_shape s = shape_of_words(words);
	OK(tarn_value_input(the.m->main, NULL, type, &s, &v));
	return v;
}

static inline tarn_value *ints(int n, const int64_t *at)
{
	tarn_value *v = NULL;
	OK(tarn_value_const_i64(the.m->main, NULL, at, n, &v));
	return v;
}

/* Another node in the same graph. */
static inline tarn_node *add_node(const char *op, int n_in, tarn_value *a, tarn_value *b, tarn_value *c)
{
	tarn_node *n = NULL;
	OK(tarn_node_new(the.m->main, tarn_op_find("", op), NULL, n_in, 1, -1, &n));
	tarn_value *in[3] = {a, b, c};
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	return n;
}

#define expect_shape(v, text) expect_shape_at(__LINE__, v, text)
static inline void expect_shape_at(int line, const tarn_value *v, const char *text)
{
	tarn_str s = {0};
	tarn_shape_print(&s, &the.m->syms, &v->shape);
	if (strcmp(s.at, text) != 0)
		fail_msg("line %d: shape %s, not %s", line, s.at, text);
	tarn_str_fini(&s);
}

#define expect_error(err, code, part) expect_error_at(__LINE__, err, code, part)
static inline void expect_error_at(int line, tarn_err err, tarn_err code, const char *part)
{
	if (err != code || strstr(tarn_err_text(), part) == NULL)
		fail_msg("line %d: error %d '%s', not %d '%s'", line, err, tarn_err_text(), code, part);
}

#endif
