/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the operator table random graphs have met with padding, told from the table itself: every operator that has an answer
 * to padding, every word of its attributes, each of its inputs left out or given, and every answer its pad slot has given.
 * A thing is met when, at lengths below the maximum, the operator's valid result was a number other than 0 and the bounded
 * model equalled the original.
 */
#ifndef TARN_TESTS_UNIT_DYN_COVERAGE_H
#define TARN_TESTS_UNIT_DYN_COVERAGE_H

#include "unit/dyn/random_pick.h"

enum { MOST_THINGS = 4096, THING = 72 }; /* a power of 2, twice what there is */

typedef struct coverage {
	char name[MOST_THINGS][THING]; /* by hash; empty: free */
	long met[MOST_THINGS];
	int n;
} coverage;

/* Counted from zero when it is asked for first. */
static long *thing(coverage *c, const char *format, ...)
{
	char name[THING];
	va_list ap;
	va_start(ap, format);
	vsnprintf(name, sizeof name, format, ap);
	va_end(ap);
	uint32_t at = 2166136261u;
	for (const char *p = name; *p; p++)
		at = (at ^ (uint8_t)*p) * 16777619u;
	for (at %= MOST_THINGS; c->name[at][0] && strcmp(c->name[at], name);)
		at = (at + 1) % MOST_THINGS;
	if (!c->name[at][0]) {
		assert_true(++c->n < MOST_THINGS / 4 * 3);
		strcpy(c->name[at], name);
	}
	return &c->met[at];
}

static const char *need_word(tarn_pad_need need)
{
	static const char *const words[] = {"any",     "zero", "one",  "value", "lowest",
					    "highest", "edge", "mean", "place", "unsafe"};
	return words[need];
}

static bool may_meet_padding(const tarn_op_def *op)
{
	return (op->pad || op->flags & TARN_OP_ELEMENTWISE) && !(op->flags & TARN_OP_CONTROL);
}

/* ---- what there is ---- */

static void expect_attr(coverage *c, const tarn_op_def *op, const tarn_attr_def *a)
{
	char word[THING];
	if (a->kind == TARN_ATTR_BOOL) {
		thing(c, "%s.%s=0", op->name, a->name);
		thing(c, "%s.%s=1", op->name, a->name);
	} else if (a->kind == TARN_ATTR_ENUM) {
		for (int i = 0; tarn_words_get(a->words, i, word, sizeof word), word[0]; i++)
			thing(c, "%s.%s=%s", op->name, a->name, word);
	} else if (!strcmp(a->name, "axis")) {
		thing(c, "%s.axis<0", op->name);
		thing(c, "%s.axis>=0", op->name);
	} else if (a->presence == TARN_ATTR_OPTIONAL && a->kind != TARN_ATTR_TYPE) {
		thing(c, "%s.%s absent", op->name, a->name);
		thing(c, "%s.%s given", op->name, a->name);
	} else if (a->kind == TARN_ATTR_INT || a->kind == TARN_ATTR_FLOAT) {
		thing(c, "%s.%s other than usual", op->name, a->name);
	}
}

/* All that the operator table names. */
static void expect_table(coverage *c)
{
	for (size_t i = 0; tarn_ops[i]; i++) {
		const tarn_op_def *op = tarn_ops[i];
		if (!may_meet_padding(op))
			continue;
		thing(c, "%s", op->name);
		for (int k = 0; k < op->n_attr; k++)
			expect_attr(c, op, &op->attr[k]);
		for (int k = op->min_in; k < op->max_in; k++) {
			thing(c, "%s.input %d absent", op->name, k);
			thing(c, "%s.input %d given", op->name, k);
		}
		for (int k = 1; k < op->max_out; k++)
			thing(c, "%s.output %d", op->name, k);
	}
}

/* ---- what was met ---- */

static void meet_attr(coverage *c, const tarn_node *n, int i)
{
	char word[THING];
	const tarn_attr_def *a = &n->op->attr[i];
	const tarn_attr *x = &n->attr[i];
	const char *op = n->op->name;
	if (a->kind == TARN_ATTR_BOOL) {
		++*thing(c, "%s.%s=%d", op, a->name, tarn_attr_i(n, i) != 0);
	} else if (a->kind == TARN_ATTR_ENUM) {
		tarn_words_get(a->words, (int)tarn_attr_i(n, i), word, sizeof word);
		++*thing(c, "%s.%s=%s", op, a->name, word);
	} else if (!strcmp(a->name, "axis")) {
		++*thing(c, tarn_attr_i(n, i) < 0 ? "%s.axis<0" : "%s.axis>=0", op);
	} else if (a->presence == TARN_ATTR_OPTIONAL && a->kind != TARN_ATTR_TYPE) {
		++*thing(c, x->set ? "%s.%s given" : "%s.%s absent", op, a->name);
	} else if (a->kind == TARN_ATTR_INT || a->kind == TARN_ATTR_FLOAT) {
		double v = a->kind == TARN_ATTR_INT ? (double)tarn_attr_i(n, i) : tarn_attr_f(n, i);
		*thing(c, "%s.%s other than usual", op, a->name) += a->presence != TARN_ATTR_DEFAULT || v != a->def;
	}
}

static bool is_padded(const tarn_model *m, tarn_dim d, const int64_t *max, const int64_t *len)
{
	return d < 0 && tarn_dim_value(&m->syms, d, len, 64) != tarn_dim_value(&m->syms, d, max, 64);
}

/* The node's answers: asked (counted 0) or met. */
static void meet_needs(coverage *c, tarn_model *m, const tarn_node *n, const int64_t *max, const int64_t *len, bool met)
{
	for (int i = 0; i < n->n_in && may_meet_padding(n->op); i++)
		for (int a = 0; n->in[i] && a < n->in[i]->shape.rank; a++) {
			tarn_pad p = {.node = n, .input = i, .axis = a, .syms = &m->syms, .need = TARN_PAD_ANY};
			if (!is_padded(m, n->in[i]->shape.dim[a], max, len))
				continue;
			if (n->op->pad)
				n->op->pad(&p);
			tarn_err_clear();
			*thing(c, "%s.input %d needs %s", n->op->name, n->op->max_in < 0 ? 0 : i, need_word(p.need)) += met;
		}
}

static bool meets_padding(const tarn_model *m, const tarn_node *n, const int64_t *max, const int64_t *len)
{
	for (int i = 0; i < n->n_in + n->n_out; i++) {
		const tarn_value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
		for (int a = 0; v && a < v->shape.rank; a++)
			if (is_padded(m, v->shape.dim[a], max, len))
				return true;
	}
	return false;
}

/* One node of a graph that came out equal; content: its results were numbers other than 0. */
static void meet(coverage *c, tarn_model *m, const tarn_node *n, const int64_t *max, const int64_t *len)
{
	if (!may_meet_padding(n->op) || !meets_padding(m, n, max, len))
		return;
	++*thing(c, "%s", n->op->name);
	for (int i = 0; i < n->op->n_attr; i++)
		meet_attr(c, n, i);
	for (int i = n->op->min_in; i < n->op->max_in; i++)
		++*thing(c, i < n->n_in && n->in[i] ? "%s.input %d given" : "%s.input %d absent", n->op->name, i);
	for (int i = 1; i < n->n_out; i++)
		if (n->out[i])
			++*thing(c, "%s.output %d", n->op->name, i);
	meet_needs(c, m, n, max, len, true);
}

#endif
