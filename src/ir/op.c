/* SPDX-License-Identifier: Apache-2.0 */
#include "ir/op.h"

#include <string.h>

int tarn_attr_index(const tarn_op_def *op, const char *name)
{
	for (int i = 0; i < op->n_attr; i++)
		if (!strcmp(op->attr[i].name, name))
			return i;
	return -1;
}

int tarn_words_find(const char *words, const char *word)
{
	size_t n = strlen(word);
	for (int i = 0; words; i++) {
		const char *end = strchr(words, '|');
		size_t m = end ? (size_t)(end - words) : strlen(words);
		if (m == n && !memcmp(words, word, n))
			return i;
		words = end ? end + 1 : NULL;
	}
	return -1;
}

void tarn_words_get(const char *words, int index, char *out, size_t size)
{
	for (; words && index > 0; index--)
		words = (words = strchr(words, '|')) ? words + 1 : NULL;
	size_t n = words ? strcspn(words, "|") : 0;
	if (n >= size)
		n = size - 1;
	if (n)
		memcpy(out, words, n);
	out[n] = 0;
}

bool tarn_attr_word_is(const tarn_node *n, int i, const char *word)
{
	return n->attr[i].set && n->attr[i].i == tarn_words_find(n->op->attr[i].words, word);
}

tarn_err tarn_attr_set_i(tarn_node *n, int i, int64_t v)
{
	CHECK(i >= 0 && i < n->op->n_attr, TARN_INTERNAL, "%s has no attribute %d", n->op->name, i);
	n->attr[i] = (tarn_attr){.set = true, .i = v};
	return TARN_OK;
}

tarn_err tarn_attr_set_f(tarn_node *n, int i, double v)
{
	CHECK(i >= 0 && i < n->op->n_attr, TARN_INTERNAL, "%s has no attribute %d", n->op->name, i);
	n->attr[i] = (tarn_attr){.set = true, .f = v};
	return TARN_OK;
}

tarn_err tarn_attr_set_ints(tarn_graph *g, tarn_node *n, int i, const int64_t *at, int count)
{
	CHECK(i >= 0 && i < n->op->n_attr, TARN_INTERNAL, "%s has no attribute %d", n->op->name, i);
	const int64_t *copy = tarn_arena_memdup(&g->model->arena, at, (size_t)count * sizeof *at);
	if (!copy)
		return tarn_err_nomem((size_t)count * sizeof *at);
	n->attr[i] = (tarn_attr){.set = true, .ints = {copy, count}};
	return TARN_OK;
}

tarn_err tarn_attr_set_floats(tarn_graph *g, tarn_node *n, int i, const double *at, int count)
{
	CHECK(i >= 0 && i < n->op->n_attr, TARN_INTERNAL, "%s has no attribute %d", n->op->name, i);
	const double *copy = tarn_arena_memdup(&g->model->arena, at, (size_t)count * sizeof *at);
	if (!copy)
		return tarn_err_nomem((size_t)count * sizeof *at);
	n->attr[i] = (tarn_attr){.set = true, .floats = {copy, count}};
	return TARN_OK;
}

tarn_err tarn_attr_set_str(tarn_graph *g, tarn_node *n, int i, const char *s)
{
	CHECK(i >= 0 && i < n->op->n_attr, TARN_INTERNAL, "%s has no attribute %d", n->op->name, i);
	const char *copy = tarn_arena_strdup(&g->model->arena, s);
	if (!copy)
		return tarn_err_nomem(strlen(s));
	n->attr[i] = (tarn_attr){.set = true, .s = copy};
	return TARN_OK;
}

void tarn_infer_out(tarn_infer *c, int i, tarn_dtype type, const tarn_shape *shape)
{
	if (i >= c->node->n_out || !c->node->out[i])
		return;
	tarn_value *v = c->node->out[i];
	v->type = type;
	v->shape = shape ? *shape : (tarn_shape){.rank = -1};
	v->known = NULL;
	v->n_known = 0;
}

tarn_err tarn_infer_rank(const tarn_infer *c, int i, int lo, int hi)
{
	CHECK(i < c->node->n_in && c->node->in[i], TARN_SHAPE, "input %d is missing", i);
	const tarn_value *v = c->node->in[i];
	if (v->shape.rank < 0)
		return TARN_OK;
	CHECK(v->shape.rank >= lo && (hi < 0 || v->shape.rank <= hi), TARN_SHAPE, "input %d ('%s') has rank %d, %s%d is needed",
	      i, v->name, v->shape.rank,
	      lo == hi             ? ""
	      : v->shape.rank < lo ? "at least "
				   : "at most ",
	      v->shape.rank < lo ? lo : hi);
	return TARN_OK;
}

bool tarn_infer_dims(const tarn_infer *c, int i, tarn_dim *at, int max, int *n)
{
	if (i >= c->node->n_in || !c->node->in[i])
		return false;
	const tarn_value *v = c->node->in[i];
	if (v->konst) {
		int64_t count = tarn_tensor_count(v->konst);
		if (count > max || (!tarn_dtype_is_int(v->konst->type) && v->konst->type != TARN_BOOL))
			return false;
		for (int64_t k = 0; k < count; k++)
			at[k] = tarn_dim_of_int(tarn_tensor_i64(v->konst, k));
		*n = (int)count;
		return true;
	}
	if (!v->known || v->n_known > max)
		return false;
	if (v->n_known)
		memcpy(at, v->known, (size_t)v->n_known * sizeof *at);
	*n = v->n_known;
	return true;
}

bool tarn_infer_ints(const tarn_infer *c, int i, int64_t *at, int max, int *n)
{
	if (!tarn_infer_dims(c, i, at, max, n))
		return false;
	for (int k = 0; k < *n; k++)
		if (!tarn_dim_is_int(at[k], &at[k]))
			return false;
	return true;
}

tarn_err tarn_infer_known(tarn_infer *c, int i, const tarn_dim *at, int n)
{
	if (i >= c->node->n_out || !c->node->out[i])
		return TARN_OK;
	tarn_value *v = c->node->out[i];
	const tarn_dim *copy = tarn_arena_memdup(c->arena, at, (size_t)n * sizeof *at);
	if (!copy)
		return tarn_err_nomem((size_t)n * sizeof *at);
	v->known = copy;
	v->n_known = n;
	return TARN_OK;
}

tarn_err tarn_eval_out(tarn_eval *e, int i, tarn_dtype type, int rank, const int64_t *dim)
{
	if (i >= e->node->n_out || !e->node->out[i])
		return TARN_OK;
	tarn_tensor *t = &e->out[i];
	tarn_shape have = tarn_tensor_shape(t), want = tarn_shape_of(rank, dim);
	if (t->data && !t->buf) { /* the caller's bytes */
		CHECK(t->type == type && tarn_shape_same(&have, &want), TARN_INTERNAL,
		      "output %d has another shape than was planned", i);
		memset(t->data, 0, tarn_tensor_bytes(t));
		return TARN_OK;
	}
	tarn_tensor_fini(t);
	return tarn_tensor_new(type, rank, dim, t);
}
