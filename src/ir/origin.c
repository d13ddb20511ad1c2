/* SPDX-License-Identifier: Apache-2.0 */
/* The model that a bounded one was made from, and whether it still says the same. */
#include <string.h>

#include "base/hash.h"
#include "ir/op.h"

static uint64_t add(uint64_t h, const void *at, size_t n)
{
	return tarn_hash(at, n, h);
}

static uint64_t add_value(uint64_t h, const tarn_value *v)
{
	if (!v)
		return add(h, "", 1);
	h = add(h, v->name, strlen(v->name) + 1);
	h = add(h, &v->type, sizeof v->type);
	return v->konst ? add(h, &v->konst->data, sizeof v->konst->data) : h;
}

static uint64_t add_attr(uint64_t h, const tarn_attr_def *d, const tarn_attr *a)
{
	if (!a->set)
		return add(h, "-", 1);
	switch (d->kind) {
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		return add(h, a->s, strlen(a->s));
	case TARN_ATTR_INTS:
		return add(h, a->ints.at, (size_t)a->ints.n * sizeof *a->ints.at);
	case TARN_ATTR_FLOATS:
		return add(h, a->floats.at, (size_t)a->floats.n * sizeof *a->floats.at);
	case TARN_ATTR_TENSOR:
		return add(h, &a->t->data, sizeof a->t->data);
	case TARN_ATTR_FLOAT:
		return add(h, &a->f, sizeof a->f);
	default:
		return add(h, &a->i, sizeof a->i);
	}
}

/* Structure, attributes, and which bytes constants are; not the bytes themselves, which nobody writes. */
static uint64_t print_of(const tarn_model *m)
{
	const tarn_graph *g = m->main;
	uint64_t h = 0;
	for (size_t i = 0; i < g->input.len; i++) {
		const tarn_value *v = g->input.at[i];
		h = add_value(h, v);
		h = add(h, v->shape.dim, v->shape.rank > 0 ? (size_t)v->shape.rank * sizeof *v->shape.dim : 0);
	}
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		h = add(h, &n->op, sizeof(void *));
		for (int k = 0; k < n->n_in; k++)
			h = add_value(h, n->in[k]);
		for (int k = 0; k < n->n_out; k++)
			h = add_value(h, n->out[k]);
		for (int k = 0; k < n->op->n_attr; k++)
			h = add_attr(h, &n->op->attr[k], &n->attr[k]);
	}
	for (size_t i = 0; i < g->output.len; i++)
		h = add_value(h, g->output.at[i]);
	return h;
}

bool tarn_model_origin_holds(const tarn_model *m)
{
	return m->origin.model && m->origin.print == print_of(m);
}

tarn_err tarn_model_set_origin(tarn_model *m, const tarn_origin *o)
{
	size_t lengths = (size_t)o->n_length * sizeof *o->length, sizes = (size_t)o->n_size * sizeof *o->size;
	tarn_origin copy = *o;
	copy.length = lengths ? tarn_arena_memdup(&m->arena, o->length, lengths) : NULL;
	copy.size = sizes ? tarn_arena_memdup(&m->arena, o->size, sizes) : NULL;
	if ((lengths && !copy.length) || (sizes && !copy.size))
		return tarn_err_nomem(lengths + sizes);
	copy.model = tarn_model_ref(o->model);
	copy.print = print_of(m);
	tarn_model_unref(m->origin.model);
	m->origin = copy;
	return TARN_OK;
}
