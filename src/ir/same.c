/* SPDX-License-Identifier: Apache-2.0 */
#include "ir/same.h"

#include <string.h>

#include "base/mem.h"
#include "ir/op.h"

/* Which value of b stands for one of a, by a's id; found from the outputs on. */
typedef struct pairs {
	const tarn_value **of;
	VEC(const tarn_value *) open; /* of a: paired, its node not looked at */
} pairs;

/* Symbols are compared by what is written in a file. */
static bool same_dim(const tarn_symtab *s, tarn_dim a, const tarn_symtab *t, tarn_dim b)
{
	tarn_str x = {0}, y = {0};
	if (a >= 0 || b >= 0)
		return a == b;
	tarn_dim_print(&x, s, a);
	tarn_dim_print(&y, t, b);
	bool same = !x.failed && !y.failed && !strcmp(x.at, y.at);
	tarn_str_fini(&x);
	tarn_str_fini(&y);
	return same;
}

static bool same_input(const tarn_graph *g, const tarn_value *a, const tarn_graph *h, const tarn_value *b)
{
	if (strcmp(a->name, b->name) || a->type != b->type || a->shape.rank < 0 || a->shape.rank != b->shape.rank)
		return false;
	for (int i = 0; i < a->shape.rank; i++)
		if (!same_dim(&g->model->syms, a->shape.dim[i], &h->model->syms, b->shape.dim[i]))
			return false;
	return true;
}

static bool same_tensor(const tarn_tensor *a, const tarn_tensor *b)
{
	if (a->type != b->type || a->rank != b->rank || a->type == TARN_STRING)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (a->dim[i] != b->dim[i])
			return false;
	return a->data == b->data || !memcmp(a->data, b->data, tarn_tensor_bytes(a));
}

static bool same_attr(const tarn_attr_def *d, const tarn_attr *a, const tarn_attr *b)
{
	if (!a->set || !b->set)
		return a->set == b->set;
	switch (d->kind) {
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		return !strcmp(a->s, b->s);
	case TARN_ATTR_INTS:
		return a->ints.n == b->ints.n && !memcmp(a->ints.at, b->ints.at, (size_t)a->ints.n * sizeof *a->ints.at);
	case TARN_ATTR_FLOATS:
		return a->floats.n == b->floats.n &&
		       !memcmp(a->floats.at, b->floats.at, (size_t)a->floats.n * sizeof *a->floats.at);
	case TARN_ATTR_TENSOR:
		return same_tensor(a->t, b->t);
	case TARN_ATTR_FLOAT:
		return a->f == b->f;
	default:
		return a->i == b->i;
	}
}

static tarn_err pair(pairs *p, const tarn_value *a, const tarn_value *b, bool *same)
{
	if (!a || !b || p->of[a->id]) {
		*same = a ? b && p->of[a->id] == b : !b;
		return TARN_OK;
	}
	*same = !a->konst == !b->konst && !a->def == !b->def && (!a->konst || same_tensor(a->konst, b->konst));
	/* An input that is not paired yet is another one. */
	*same &= a->konst || a->def;
	if (!*same)
		return TARN_OK;
	p->of[a->id] = b;
	if (a->konst)
		return TARN_OK;
	TRY(VEC_GROW(&p->open));
	p->open.at[p->open.len++] = a;
	return TARN_OK;
}

static const tarn_value *input_of(const tarn_node *n, int i)
{
	return i < n->n_in ? n->in[i] : NULL;
}

static tarn_err same_node(pairs *p, const tarn_value *a, const tarn_value *b, bool *same)
{
	const tarn_node *n = a->def, *k = b->def;
	*same = n->op == k->op && a->def_slot == b->def_slot && n->n_out == k->n_out && !n->n_body && !k->n_body;
	for (int i = 0; *same && i < n->op->n_attr; i++)
		*same = same_attr(&n->op->attr[i], &n->attr[i], &k->attr[i]);
	for (int i = 0; *same && i < (n->n_in > k->n_in ? n->n_in : k->n_in); i++)
		TRY(pair(p, input_of(n, i), input_of(k, i), same));
	return TARN_OK;
}

static tarn_err walk(pairs *p, const tarn_graph *a, const tarn_graph *b, bool *same)
{
	*same = a->input.len == b->input.len && a->output.len == b->output.len;
	for (size_t i = 0; *same && i < a->input.len; i++) {
		const tarn_value *v = a->input.at[i], *w = b->input.at[i];
		*same = same_input(a, v, b, w);
		p->of[v->id] = w;
	}
	for (size_t i = 0; *same && i < a->output.len; i++) {
		*same = !strcmp(a->output.at[i]->name, b->output.at[i]->name);
		if (*same)
			TRY(pair(p, a->output.at[i], b->output.at[i], same));
	}
	while (*same && p->open.len) {
		const tarn_value *v = p->open.at[--p->open.len];
		TRY(same_node(p, v, p->of[v->id], same));
	}
	return TARN_OK;
}

tarn_err tarn_graph_same(const tarn_graph *a, const tarn_graph *b, bool *same)
{
	pairs p = {.of = tarn_mem_zalloc(a->value.len + 1, sizeof *p.of)};
	*same = false;
	if (!p.of)
		return tarn_err_nomem(a->value.len * sizeof *p.of);
	tarn_err err = walk(&p, a, b, same);
	VEC_FINI(&p.open);
	tarn_mem_free(p.of);
	return err;
}
