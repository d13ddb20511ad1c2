/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lowered graph in a blob: inputs, constants, nodes, outputs. Values are numbered in that order; 0 stands for none.
 * Float weights of products are stored as FP16, the precision the array multiplies in; in the wide form as what two of them
 * make.
 */
#include <string.h>

#include "base/f16.h"
#include "base/mem.h"
#include "driver/compile/plan.h"
#include "ir/op.h"
#include "kern/share.h"
#include "ir/verify.h"
#include "ops/ops.h"

enum { MAX_ITEMS = 1 << 22, MAX_ARITY = 1 << 14, MAX_LIST = 1 << 20 };

/* ---- writing ---- */

typedef struct number {
	uint32_t *of; /* by value id; 0: not numbered */
	uint32_t next;
} number;

static void put_value(npu_writer *w, const tarn_value *v)
{
	tarn_npu_put_text(w, v->name);
	tarn_npu_put_text(w, v->aliases);
	tarn_npu_put_u32(w, (uint32_t)v->type);
	tarn_npu_put_u32(w, (uint32_t)v->shape.rank);
	for (int i = 0; i < v->shape.rank; i++)
		tarn_npu_put_u64(w, (uint64_t)v->shape.dim[i]);
}

/* Of each constant that is only ever the second operand of float products, by value id: how many weights in a row belong to one
 * output channel. 0: anything else. */
static tarn_err find_weights(const tarn_graph *g, tarn_arena *a, size_t **run)
{
	static const char *const products[] = {"Conv", "ConvTranspose", "MatMul", "Gemm"};
	size_t *r = tarn_arena_zalloc(a, g->value.len + 1, sizeof *r);
	bool *other = tarn_arena_zalloc(a, g->value.len + 1, sizeof *other);
	if (!r || !other)
		return tarn_err_nomem(g->value.len * sizeof *r);
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		bool product = false;
		for (size_t p = 0; p < 4; p++)
			product |= tarn_npu_is(n, products[p]);
		for (int k = 0; k < n->n_in; k++) {
			const tarn_value *v = n->in[k];
			if (!v || !v->konst)
				continue;
			other[v->id] |= k != 1 || !product || v->type != TARN_F32;
			if (tarn_npu_is(n, "Conv") && v->shape.rank > 0 && v->shape.dim[0] > 0)
				r[v->id] = tarn_tensor_bytes(v->konst) / sizeof(float) / (size_t)v->shape.dim[0];
			else if (!r[v->id])
				r[v->id] = 1;
		}
	}
	for (size_t i = 0; i < g->value.len; i++)
		r[i] = other[i] ? 0 : r[i];
	*run = r;
	return TARN_OK;
}

/* What rounding takes from a weight of a channel goes to the channel's next one: the sum of its weights stays, and with it the
 * response to the mean of the input. */
static uint16_t to_half(float f, float *carry)
{
	uint16_t h = tarn_f32_to_f16(f + *carry);
	float lost = f + *carry - tarn_f16_to_f32(h);
	*carry = lost == lost && lost < 1 && lost > -1 ? lost : 0; /* nothing to pass on from infinities */
	return h;
}

/* The sum of two numbers of 11 bits, the second what the first leaves: weights of the wide form. Each output channel's are
 * scaled by a power of two before they are stored as FP16, so that only bits count and no exponent is too small. */
static float eleven_bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	if ((u & 0x7f800000u) == 0x7f800000u)
		return f;
	u = (u + 0xfffu + (u >> 13 & 1)) & ~0x1fffu;
	memcpy(&f, &u, 4);
	return f;
}

static float to_pair(float f)
{
	float high = eleven_bits(f), low = eleven_bits(f - high);
	return low - low == 0 ? high + low : f;
}

static void put_pairs(npu_writer *w, const float *f, size_t n)
{
	float block[256];
	for (size_t i = 0; i < n;) {
		size_t k = 0;
		for (; k < 256 && i < n; k++, i++)
			block[k] = to_pair(f[i]);
		tarn_str_add_n(&w->weight, (const char *)block, k * sizeof *block);
	}
}

/* run: 0 as it is; else FP16, in runs of so many. */
static void put_tensor(npu_writer *w, const tarn_tensor *t, size_t run, bool wide)
{
	static const char zeros[64];
	size_t bytes = tarn_tensor_bytes(t), at = w->weight.len;
	tarn_str_add_n(&w->weight, zeros, (64 - at % 64) % 64);
	tarn_npu_put_u32(w, run != 0 && !wide);
	tarn_npu_put_u64(w, w->weight.len);
	if (!run) {
		tarn_str_add_n(&w->weight, t->data, bytes);
		return;
	}
	if (wide) {
		put_pairs(w, t->data, bytes / sizeof(float));
		return;
	}
	const float *f = t->data;
	uint16_t block[256];
	float carry = 0;
	for (size_t i = 0; i < bytes / 4;) {
		size_t n = 0;
		for (; n < 256 && i < bytes / 4; n++, i++) {
			if (i % run == 0)
				carry = 0;
			block[n] = to_half(f[i], &carry);
		}
		tarn_str_add_n(&w->weight, (const char *)block, n * 2);
	}
}

static void put_attr(npu_writer *w, const tarn_attr_def *d, const tarn_attr *a)
{
	tarn_npu_put_u32(w, a->set);
	if (!a->set)
		return;
	switch (d->kind) {
	case TARN_ATTR_FLOAT:
		tarn_npu_put(w, &a->f, sizeof a->f);
		break;
	case TARN_ATTR_STRING:
		tarn_npu_put_text(w, a->s);
		break;
	case TARN_ATTR_INTS:
		tarn_npu_put_u32(w, (uint32_t)a->ints.n);
		tarn_npu_put(w, a->ints.at, (size_t)a->ints.n * sizeof *a->ints.at);
		break;
	case TARN_ATTR_FLOATS:
		tarn_npu_put_u32(w, (uint32_t)a->floats.n);
		tarn_npu_put(w, a->floats.at, (size_t)a->floats.n * sizeof *a->floats.at);
		break;
	case TARN_ATTR_TENSOR:
		tarn_npu_put_u32(w, (uint32_t)a->t->type);
		tarn_npu_put_u32(w, (uint32_t)a->t->rank);
		for (int i = 0; i < a->t->rank; i++)
			tarn_npu_put_u64(w, (uint64_t)a->t->dim[i]);
		put_tensor(w, a->t, 0, false);
		break;
	default:
		tarn_npu_put_u64(w, (uint64_t)a->i);
	}
}

static tarn_err put_node(npu_writer *w, const tarn_node *n, number *num)
{
	tarn_npu_put_text(w, n->op->name);
	tarn_npu_put_text(w, n->op->domain);
	tarn_npu_put_text(w, n->name);
	tarn_npu_put_u32(w, (uint32_t)n->n_in);
	for (int i = 0; i < n->n_in; i++)
		tarn_npu_put_u32(w, n->in[i] ? num->of[n->in[i]->id] : 0);
	tarn_npu_put_u32(w, (uint32_t)n->n_out);
	for (int i = 0; i < n->n_out; i++) {
		tarn_npu_put_u32(w, n->out[i] != NULL);
		if (!n->out[i])
			continue;
		tarn_npu_put_text(w, n->out[i]->name);
		tarn_npu_put_text(w, n->out[i]->aliases);
		num->of[n->out[i]->id] = num->next++;
	}
	for (int i = 0; i < n->op->n_attr; i++)
		put_attr(w, &n->op->attr[i], &n->attr[i]);
	return TARN_OK;
}

tarn_err tarn_npu_graph_write(npu_writer *w, const tarn_graph *g, bool wide)
{
	tarn_arena scratch = {0};
	tarn_err err;
	number num = {tarn_arena_zalloc(&scratch, g->value.len + 1, sizeof *num.of), 1};
	int *uses;
	size_t *run = NULL;
	if (!num.of) {
		err = tarn_err_nomem(g->value.len * sizeof *num.of);
		goto out;
	}
	TRY_GOTO(out, tarn_graph_uses(g, &scratch, &uses));
	TRY_GOTO(out, find_weights(g, &scratch, &run));
	tarn_npu_put_u32(w, (uint32_t)g->input.len);
	for (size_t i = 0; i < g->input.len; i++) {
		num.of[g->input.at[i]->id] = num.next++;
		put_value(w, g->input.at[i]);
	}
	uint32_t constants = 0;
	for (size_t i = 0; i < g->value.len; i++)
		constants += g->value.at[i]->konst && uses[i];
	tarn_npu_put_u32(w, constants);
	for (size_t i = 0; i < g->value.len; i++) {
		const tarn_value *v = g->value.at[i];
		if (!v->konst || !uses[i])
			continue;
		num.of[i] = num.next++;
		put_value(w, v);
		put_tensor(w, v->konst, run[i], wide);
	}
	tarn_npu_put_u32(w, (uint32_t)g->node.len);
	for (size_t i = 0; i < g->node.len; i++)
		TRY_GOTO(out, put_node(w, g->node.at[i], &num));
	tarn_npu_put_u32(w, (uint32_t)g->output.len);
	for (size_t i = 0; i < g->output.len; i++)
		tarn_npu_put_u32(w, num.of[g->output.at[i]->id]);
out:
	tarn_arena_fini(&scratch);
	return err;
}

/* ---- reading ---- */

static tarn_err damaged(const char *what)
{
	return tarn_err_set(TARN_BAD_FILE, "compiled model: %s; compile it again", what);
}

static bool get_shape(npu_reader *r, tarn_dtype *type, tarn_shape *s)
{
	*type = (tarn_dtype)tarn_npu_get_u32(r);
	int32_t rank = (int32_t)tarn_npu_get_u32(r);
	if (r->bad || *type <= TARN_DTYPE_NONE || *type >= TARN_DTYPE_COUNT || *type == TARN_STRING || rank < 0 ||
	    rank > TARN_MAX_RANK)
		return false;
	*s = (tarn_shape){.rank = rank};
	for (int i = 0; i < rank; i++) {
		s->dim[i] = (tarn_dim)tarn_npu_get_u64(r);
		if (s->dim[i] < 0 || s->dim[i] > TARN_DIM_MAX)
			return false;
	}
	return !r->bad;
}

static void drop_floats(void *ctx, void *at, size_t size)
{
	(void)ctx;
	(void)size;
	tarn_share_drop(at);
}

/* FP16 as F32, in memory that programs with the same weights share. */
static tarn_err expand(const uint8_t *from, const tarn_shape *s, size_t count, tarn_tensor *t)
{
	float *at;
	TRY(tarn_share_floats(from, count, &at));
	*t = (tarn_tensor){TARN_F32, s->rank, {0}, at, NULL};
	memcpy(t->dim, s->dim, sizeof t->dim);
	tarn_err err = tarn_buffer_wrap(at, count * sizeof *at, drop_floats, NULL, &t->buf);
	if (err)
		tarn_share_drop(at);
	return err;
}

/* The bytes stay where they are; but for FP16, which becomes F32. */
static tarn_err get_tensor(npu_reader *r, tarn_dtype type, const tarn_shape *s, tarn_tensor *t)
{
	uint32_t half = tarn_npu_get_u32(r);
	uint64_t at = tarn_npu_get_u64(r);
	int64_t count;
	size_t bytes;
	TRY(tarn_shape_count(s, &count));
	if (r->bad || half > 1 || (half && type != TARN_F32) ||
	    !tarn_dtype_bytes(half ? TARN_F16 : type, (size_t)count, &bytes) || at % 64 || at > r->weight_size ||
	    bytes > r->weight_size - at)
		return damaged("a constant lies outside");
	const uint8_t *from = r->weight + at;
	if (!half) {
		*t = (tarn_tensor){type, s->rank, {0}, (void *)(uintptr_t)from, r->weight_buf};
		memcpy(t->dim, s->dim, sizeof t->dim);
		tarn_buffer_ref(r->weight_buf);
		return TARN_OK;
	}
	return expand(from, s, (size_t)count, t);
}

static tarn_err get_attr_tensor(npu_reader *r, tarn_model *m, tarn_attr *a)
{
	tarn_dtype type;
	tarn_shape s;
	tarn_tensor t, own;
	if (!get_shape(r, &type, &s))
		return damaged("an attribute is cut off");
	TRY(get_tensor(r, type, &s, &t));
	tarn_err err = tarn_tensor_copy(&t, &own);
	tarn_tensor_fini(&t);
	TRY(err);
	err = own.buf ? tarn_model_keep(m, own.buf) : TARN_OK;
	tarn_tensor *copy = tarn_arena_memdup(&m->arena, &own, sizeof own);
	tarn_tensor_fini(&own);
	TRY(err);
	if (!copy)
		return tarn_err_nomem(sizeof own);
	copy->buf = NULL;
	a->t = copy;
	return TARN_OK;
}

static int words_in(const char *words)
{
	int n = 1;
	for (const char *p = words ? words : ""; *p; p++)
		n += *p == '|';
	return n;
}

static tarn_err get_number_attr(npu_reader *r, const tarn_attr_def *d, tarn_attr *a)
{
	a->i = (int64_t)tarn_npu_get_u64(r);
	bool fits = d->kind == TARN_ATTR_BOOL   ? a->i == 0 || a->i == 1
		    : d->kind == TARN_ATTR_ENUM ? a->i >= 0 && a->i < words_in(d->words)
		    : d->kind == TARN_ATTR_TYPE ? a->i >= 0 && a->i < TARN_DTYPE_COUNT
						: true;
	return fits ? TARN_OK : damaged("an attribute is out of range");
}

static tarn_err get_attr(npu_reader *r, tarn_graph *g, const tarn_attr_def *d, tarn_attr *a)
{
	uint32_t set = tarn_npu_get_u32(r);
	if (r->bad || set > 1)
		return damaged("an attribute is cut off");
	*a = (tarn_attr){.set = set};
	if (!set)
		return TARN_OK;
	tarn_arena *arena = &g->model->arena;
	uint32_t n = 0;
	if (d->kind == TARN_ATTR_INTS || d->kind == TARN_ATTR_FLOATS) {
		n = tarn_npu_get_u32(r);
		const void *at = n <= MAX_LIST ? tarn_npu_get(r, (size_t)n * 8) : NULL;
		void *copy = at ? tarn_arena_memdup(arena, at, (size_t)n * 8) : NULL;
		if (!at)
			return damaged("a list is cut off");
		if (!copy)
			return tarn_err_nomem((size_t)n * 8);
		if (d->kind == TARN_ATTR_INTS) {
			a->ints.at = copy;
			a->ints.n = (int)n;
		} else {
			a->floats.at = copy;
			a->floats.n = (int)n;
		}
	} else if (d->kind == TARN_ATTR_FLOAT) {
		const void *at = tarn_npu_get(r, sizeof a->f);
		if (at)
			memcpy(&a->f, at, sizeof a->f);
	} else if (d->kind == TARN_ATTR_STRING) {
		a->s = tarn_npu_get_text(r, arena);
		if (!a->s)
			return damaged("a text is missing");
	} else if (d->kind == TARN_ATTR_TENSOR) {
		TRY(get_attr_tensor(r, g->model, a));
	} else {
		TRY(get_number_attr(r, d, a));
	}
	return r->bad ? damaged("an attribute is cut off") : TARN_OK;
}

typedef struct numbered {
	VEC(tarn_value *) v; /* [number - 1] */
} numbered;

static tarn_err add(numbered *k, tarn_value *v)
{
	TRY(VEC_GROW(&k->v));
	k->v.at[k->v.len++] = v;
	return TARN_OK;
}

static tarn_err get_ref(npu_reader *r, const numbered *k, bool needed, tarn_value **v)
{
	uint32_t i = tarn_npu_get_u32(r);
	if (r->bad || i > k->v.len || (needed && !i))
		return damaged("a value is referred to before it is there");
	*v = i ? k->v.at[i - 1] : NULL;
	return TARN_OK;
}

static tarn_err get_leaf(npu_reader *r, tarn_graph *g, numbered *k, bool constant)
{
	tarn_dtype type;
	tarn_shape s;
	tarn_value *v;
	const char *name = tarn_npu_get_text(r, &g->model->arena), *aliases = tarn_npu_get_text(r, &g->model->arena);
	if (!name || !get_shape(r, &type, &s))
		return damaged("a value is cut off");
	if (constant) {
		tarn_tensor t;
		TRY(get_tensor(r, type, &s, &t));
		tarn_err err = tarn_value_const(g, name, &t, &v);
		tarn_tensor_fini(&t);
		TRY(err);
	} else {
		TRY(tarn_value_input(g, name, type, &s, &v));
	}
	v->aliases = aliases;
	return add(k, v);
}

static tarn_err get_node(npu_reader *r, tarn_graph *g, numbered *k)
{
	tarn_arena *a = &g->model->arena;
	const char *op_name = tarn_npu_get_text(r, a), *domain = tarn_npu_get_text(r, a), *name = tarn_npu_get_text(r, a);
	uint32_t n_in = tarn_npu_get_u32(r);
	const tarn_op_def *op = op_name ? tarn_op_find(domain, op_name) : NULL;
	if (r->bad || !op || !name || n_in > MAX_ARITY || op->flags & TARN_OP_CONTROL)
		return damaged("a node is of no known kind");
	tarn_node *n;
	TRY(tarn_node_new(g, op, name, (int)n_in, 0, -1, &n));
	for (uint32_t i = 0; i < n_in; i++)
		TRY(get_ref(r, k, false, &n->in[i]));
	uint32_t n_out = tarn_npu_get_u32(r);
	if (r->bad || n_out > MAX_ARITY)
		return damaged("a node has too many outputs");
	n->out = tarn_arena_zalloc(a, n_out + 1u, sizeof *n->out);
	if (!n->out)
		return tarn_err_nomem(n_out * sizeof *n->out);
	n->n_out = (int)n_out;
	for (uint32_t i = 0; i < n_out; i++) {
		if (!tarn_npu_get_u32(r))
			continue;
		const char *out = tarn_npu_get_text(r, a), *aliases = tarn_npu_get_text(r, a);
		if (!out)
			return damaged("an output has no name");
		TRY(tarn_value_new(g, out, &n->out[i]));
		n->out[i]->aliases = aliases;
		n->out[i]->def = n;
		n->out[i]->def_slot = (int)i;
		TRY(add(k, n->out[i]));
	}
	for (int i = 0; i < op->n_attr; i++)
		TRY(get_attr(r, g, &op->attr[i], &n->attr[i]));
	return TARN_OK;
}

static tarn_err get_graph(npu_reader *r, tarn_graph *g, numbered *k)
{
	for (int constant = 0; constant < 2; constant++) {
		uint32_t n = tarn_npu_get_u32(r);
		if (n > MAX_ITEMS)
			return damaged("too many values");
		for (uint32_t i = 0; i < n; i++)
			TRY(get_leaf(r, g, k, constant));
	}
	uint32_t n = tarn_npu_get_u32(r);
	if (n > MAX_ITEMS)
		return damaged("too many nodes");
	for (uint32_t i = 0; i < n; i++)
		TRY(get_node(r, g, k));
	n = tarn_npu_get_u32(r);
	if (n > MAX_ITEMS)
		return damaged("too many outputs");
	for (uint32_t i = 0; i < n; i++) {
		TRY(VEC_GROW(&g->output));
		TRY(get_ref(r, k, true, &g->output.at[g->output.len]));
		g->output.len++;
	}
	return r->bad ? damaged("the graph is cut off") : TARN_OK;
}

tarn_err tarn_npu_graph_read(npu_reader *r, tarn_model *m)
{
	numbered k = {0};
	tarn_err err = get_graph(r, m->main, &k);
	VEC_FINI(&k.v);
	TRY(err);
	TRY(tarn_graph_sort(m->main));
	TRY(tarn_graph_verify(m->main));
	TRY(tarn_graph_infer(m->main));
	return tarn_npu_legal(m->main);
}
