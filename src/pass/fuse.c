/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several operators that are one: matches the patterns of fuse.def from each node up. A match counts when nothing outside it
 * reads its intermediate values and none of them is an output of the graph. The last node turns into the result, so that it
 * and its value keep their names.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "ops/ops.h"
#include "pass/rewrite.h"

enum { MAX_NODES = 24, MAX_MEANS = 8 };

typedef struct match {
	tarn_value *bound['z' - 'a' + 1]; /* by letter */
	tarn_node *node[MAX_NODES];       /* all of the match; the last operator first */
	tarn_node *mean[MAX_MEANS];       /* its ReduceMeans */
	int n_node, n_mean;
} match;

typedef struct fusion {
	tarn_err (*make)(tarn_graph *g, const match *m, tarn_node *n, bool *fits);
	const char *result, *pattern;
} fusion;

static bool scalar_of(const tarn_value *v, double *x)
{
	if (!v->konst || v->konst->type == TARN_STRING || tarn_tensor_count(v->konst) != 1)
		return false;
	*x = tarn_tensor_f64(v->konst, 0);
	return true;
}

static const char *blanks(const char *p)
{
	while (*p == ' ')
		p++;
	return p;
}

/* The end of the expression at p. */
static const char *skip(const char *p)
{
	int depth = 0;
	p = blanks(p);
	do {
		depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
		p++;
	} while (*p && (depth || (*p != ' ' && *p != ')')));
	return p;
}

static bool match_value(match *m, const char *p, tarn_value *v);

/* Both expressions, from p on, against two values. */
static bool match_pair(match *m, const char *p, tarn_value *a, tarn_value *b)
{
	match saved = *m;
	if (match_value(m, p, a) && match_value(m, blanks(skip(p)), b))
		return true;
	*m = saved;
	return false;
}

static bool add_node(match *m, tarn_node *n)
{
	for (int i = 0; i < m->n_node; i++)
		if (m->node[i] == n)
			return true;
	if (m->n_node == MAX_NODES)
		return false;
	m->node[m->n_node++] = n;
	if (tarn_is(n, "ReduceMean")) {
		if (m->n_mean == MAX_MEANS)
			return false;
		m->mean[m->n_mean++] = n;
	}
	return true;
}

/* p: behind the "(". */
static bool match_node(match *m, const char *p, tarn_value *v)
{
	const char *word = p;
	size_t len = strcspn(p, " ");
	tarn_node *n = v->def;
	if (!n || n->n_out < 1 || n->out[0] != v || strlen(n->op->name) != len || memcmp(n->op->name, word, len) ||
	    (n->op->domain && *n->op->domain) || !add_node(m, n))
		return false;
	p = blanks(p + len);
	int n_in = n->n_in;
	while (n_in && !n->in[n_in - 1])
		n_in--;
	if (tarn_is(n, "ReduceMean"))
		n_in = n_in > 1 ? 1 : n_in; /* its axes are looked at later */
	for (int i = 0; i < n_in; i++)
		if (!n->in[i])
			return false;
	if (n_in == 2 && (tarn_is(n, "Add") || tarn_is(n, "Mul")))
		return match_pair(m, p, n->in[0], n->in[1]) || match_pair(m, p, n->in[1], n->in[0]);
	for (int i = 0; i < n_in; i++, p = blanks(skip(p)))
		if (*p == ')' || !match_value(m, p, n->in[i]))
			return false;
	return *p == ')';
}

static bool match_value(match *m, const char *p, tarn_value *v)
{
	double x;
	p = blanks(p);
	if (p[0] == '(' && p[1] == '|') {
		match saved = *m;
		const char *first = blanks(p + 2);
		if (match_value(m, first, v))
			return true;
		*m = saved;
		return match_value(m, blanks(skip(first)), v);
	}
	if (*p == '(')
		return match_node(m, p + 1, v);
	if (isdigit((unsigned char)*p) || *p == '-') {
		double want = strtod(p, NULL);
		return scalar_of(v, &x) && fabs(x - want) <= 1e-6 * fabs(want);
	}
	if ((*p == '?' && !scalar_of(v, &x)) || (*p != '?' && *p != '$' && v->konst) || (*p == '$' && !v->konst))
		return false;
	tarn_value **bound = &m->bound[(*p == '?' || *p == '$' ? p[1] : *p) - 'a'];
	if (*bound && *bound != v)
		return false;
	*bound = v;
	return true;
}

static tarn_value *letter(const match *m, char c)
{
	return m->bound[c - 'a'];
}

/* Does anything but the match read what it computes on its way? */
static bool seen_outside(const tarn_graph *g, const match *m, const int *uses)
{
	for (int i = 0; i < m->n_node; i++)
		for (int k = 0; k < m->node[i]->n_out; k++) {
			const tarn_value *v = m->node[i]->out[k];
			int inside = 0;
			if (!v || v == m->node[0]->out[0])
				continue;
			for (int j = 0; j < m->n_node; j++)
				for (int q = 0; q < m->node[j]->n_in; q++)
					inside += m->node[j]->in[q] == v;
			if (uses[v->id] != inside || tarn_rewrite_is_output(g, v))
				return true;
		}
	return false;
}

/* ---- what becomes of a match: n is the new node, with one empty input; *fits false: it is none after all ---- */

static tarn_err make_plain(tarn_graph *g, const match *m, tarn_node *n, bool *fits)
{
	(void)g;
	n->in[0] = letter(m, 'x');
	*fits = true;
	return TARN_OK;
}

static tarn_err make_gelu(tarn_graph *g, const match *m, tarn_node *n, bool *fits)
{
	return make_plain(g, m, n, fits);
}

static tarn_err make_gelu_tanh(tarn_graph *g, const match *m, tarn_node *n, bool *fits)
{
	int i = tarn_attr_index(n->op, "approximate");
	TRY(tarn_attr_set_i(n, i, tarn_words_find(n->op->attr[i].words, "tanh")));
	return make_plain(g, m, n, fits);
}

static tarn_err make_swish(tarn_graph *g, const match *m, tarn_node *n, bool *fits)
{
	double beta = 1;
	if (letter(m, 'b') && (!scalar_of(letter(m, 'b'), &beta) || beta == 0 || !isfinite(beta)))
		return TARN_OK;
	TRY(tarn_attr_set_f(n, tarn_attr_index(n->op, "beta"), beta));
	return make_plain(g, m, n, fits);
}

static tarn_err make_hard_sigmoid(tarn_graph *g, const match *m, tarn_node *n, bool *fits)
{
	TRY(tarn_attr_set_f(n, tarn_attr_index(n->op, "alpha"), 1.0 / 6));
	TRY(tarn_attr_set_f(n, tarn_attr_index(n->op, "beta"), 0.5));
	return make_plain(g, m, n, fits);
}

static tarn_err make_hard_swish(tarn_graph *g, const match *m, tarn_node *n, bool *fits)
{
	const tarn_node *h = m->node[1];
	double alpha = tarn_attr_f(h, tarn_attr_index(h->op, "alpha")), beta = tarn_attr_f(h, tarn_attr_index(h->op, "beta"));
	if (fabs(alpha - 1.0 / 6) > 1e-6 / 6 || fabs(beta - 0.5) > 1e-6)
		return TARN_OK;
	return make_plain(g, m, n, fits);
}

/* Are the axes of a mean the last ones, kept with size 1? *first: the first of them. */
static bool last_axes(const tarn_node *n, int rank, int *first)
{
	int a = tarn_attr_index(n->op, "axes"), keep = tarn_attr_index(n->op, "keepdims");
	int64_t axis[TARN_MAX_RANK];
	int count = 0;
	if (keep >= 0 && !tarn_attr_i(n, keep))
		return false;
	if (n->n_in > 1 && n->in[1]) {
		const tarn_tensor *t = n->in[1]->konst;
		if (!t || tarn_tensor_count(t) > rank)
			return false;
		for (count = 0; count < tarn_tensor_count(t); count++)
			axis[count] = tarn_tensor_i64(t, count);
	} else if (a >= 0 && n->attr[a].set && n->attr[a].ints.n <= rank) {
		count = n->attr[a].ints.n;
		memcpy(axis, n->attr[a].ints.at, (size_t)count * sizeof *axis);
	}
	unsigned mask = 0;
	for (int i = 0; i < count; i++) {
		int64_t k = axis[i] < 0 ? axis[i] + rank : axis[i];
		if (k < 0 || k >= rank)
			return false;
		mask |= 1u << k;
	}
	if (!mask)
		return false;
	*first = __builtin_ctz(mask);
	return mask == (1u << rank) - (1u << *first);
}

/* A constant as the last `n` axes of sizes dim: the same value when it has them already, a copy without leading ones, NULL when
 * it has other sizes. v NULL: ones. */
static tarn_err over_axes(tarn_graph *g, tarn_value *v, const char *name, const tarn_dim *dim, int n, tarn_value **out)
{
	int64_t size[TARN_MAX_RANK];
	int lead = v ? v->konst->rank - n : 0;
	*out = NULL;
	for (int i = 0; i < n; i++) {
		if (!tarn_dim_is_static(dim[i]) || (v && (lead < 0 || v->konst->dim[lead + i] != dim[i])))
			return TARN_OK;
		size[i] = dim[i];
	}
	for (int i = 0; i < lead; i++)
		if (v->konst->dim[i] != 1)
			return TARN_OK;
	if (v && v->konst->type != TARN_F32)
		return TARN_OK;
	if (v && !lead) {
		*out = v;
		return TARN_OK;
	}
	tarn_tensor t;
	TRY(tarn_tensor_new(TARN_F32, n, size, &t));
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_f64(&t, i, v ? tarn_tensor_f64(v->konst, i) : 1);
	tarn_err err = tarn_value_const(g, v ? v->name : name, &t, out);
	tarn_tensor_fini(&t);
	return err;
}

static tarn_err make_layer_norm(tarn_graph *g, const match *m, tarn_node *n, bool *fits)
{
	tarn_value *x = letter(m, 'x'), *gamma = letter(m, 'g'), *beta = letter(m, 'b'), *scale, *shift = NULL;
	int rank = x->shape.rank, first = 0, other;
	double eps;
	if (!m->n_mean || !last_axes(m->mean[0], rank, &first) || !scalar_of(letter(m, 'e'), &eps))
		return TARN_OK;
	for (int i = 1; i < m->n_mean; i++)
		if (!last_axes(m->mean[i], rank, &other) || other != first)
			return TARN_OK;
	TRY(over_axes(g, gamma, n->name, x->shape.dim + first, rank - first, &scale));
	if (beta)
		TRY(over_axes(g, beta, n->name, x->shape.dim + first, rank - first, &shift));
	if (!scale || (beta && !shift))
		return TARN_OK;
	TRY(tarn_node_resize_inputs(g, n, beta ? 3 : 2));
	n->in[1] = scale;
	if (beta)
		n->in[2] = shift;
	TRY(tarn_attr_set_i(n, tarn_attr_index(n->op, "axis"), first - rank));
	TRY(tarn_attr_set_f(n, tarn_attr_index(n->op, "epsilon"), eps));
	return make_plain(g, m, n, fits);
}

static const fusion fusions[] = {
#define FUSE(make, result, pattern) {make_##make, result, pattern},
#include "pass/fuse.def"
#undef FUSE
};

/* The last node turns into the new one. */
static tarn_err fuse(tarn_graph *g, const fusion *f, const match *m, tarn_node *root, int *changed)
{
	const tarn_op_def *op = tarn_op_find("", f->result);
	CHECK(op, TARN_INTERNAL, "no operator %s", f->result);
	tarn_node *n;
	bool fits = false;
	TRY(tarn_node_new(g, op, root->name, 1, 1, -1, &n));
	tarn_err err = f->make(g, m, n, &fits);
	if (err == TARN_OK && fits) {
		root->op = n->op;
		root->attr = n->attr;
		root->in = n->in;
		root->n_in = n->n_in;
		root->origin = root->spelling = NULL;
		++*changed;
	}
	tarn_graph_remove(g, n);
	return err;
}

static tarn_err try_node(tarn_graph *g, tarn_node *root, int *changed)
{
	int before = *changed;
	for (size_t i = 0; i < sizeof fusions / sizeof *fusions && *changed == before; i++) {
		match m = {.n_node = 0};
		if (!match_value(&m, fusions[i].pattern, root->out[0]))
			continue;
		const tarn_value *x = letter(&m, 'x');
		if (x->type != TARN_F32 || x->shape.rank < 0 || !tarn_shape_same(&x->shape, &root->out[0]->shape))
			continue;
		tarn_arena scratch = {0};
		int *uses;
		tarn_err err = tarn_graph_uses(g, &scratch, &uses);
		bool open = err == TARN_OK && seen_outside(g, &m, uses);
		tarn_arena_fini(&scratch);
		TRY(err);
		if (!open)
			TRY(fuse(g, &fusions[i], &m, root, changed));
	}
	return TARN_OK;
}

/* From the last node on: the larger match comes first. */
static tarn_err fuse_round(tarn_graph *g, int *changed)
{
	for (size_t i = g->node.len; i-- > 0;)
		if (i < g->node.len && g->node.at[i]->n_out == 1 && g->node.at[i]->out[0])
			TRY(try_node(g, g->node.at[i], changed));
	return TARN_OK;
}

tarn_err tarn_pass_fuse(tarn_model *m)
{
	static const tarn_rewrite_fn fn[] = {fuse_round};
	return tarn_rewrite_run(m, fn, 1);
}
