/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/serial.h"

#include <string.h>

#include "base/mem.h"
#include "ir/verify.h"
#include "ops/ops.h"

enum { MAX_ITEMS = 1 << 22, MAX_ARITY = 1 << 14, MAX_LIST = 1 << 20, MAX_DEPTH = 16, MAX_BODIES = 8 };
enum { MAX_STEPS = 1024 }; /* of walking through an expression over free sizes */

/* ---- writing ---- */

typedef struct writer {
	const tarn_serial *s;
	tarn_str *out;
} writer;

static void put_sizes(tarn_str *out, tarn_dtype type, int rank, const tarn_dim *dim)
{
	tarn_bytes_put_u32(out, (uint32_t)type);
	tarn_bytes_put_u32(out, (uint32_t)rank);
	for (int i = 0; i < rank; i++)
		tarn_bytes_put_u64(out, (uint64_t)dim[i]);
}

static tarn_err put_data(writer *w, const tarn_value *v, const tarn_tensor *t)
{
	if (t->type != TARN_STRING)
		return w->s->put(w->s->ctx, w->out, v, t);
	for (int64_t i = 0, n = tarn_tensor_count(t); i < n; i++)
		tarn_bytes_put_text(w->out, ((const char *const *)t->data)[i]);
	return TARN_OK;
}

static tarn_err put_attr(writer *w, const tarn_attr_def *d, const tarn_attr *a)
{
	tarn_bytes_put_u32(w->out, a->set);
	if (!a->set)
		return TARN_OK;
	switch (d->kind) {
	case TARN_ATTR_FLOAT:
		tarn_bytes_put(w->out, &a->f, sizeof a->f);
		break;
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		tarn_bytes_put_text(w->out, a->s);
		break;
	case TARN_ATTR_INTS:
		tarn_bytes_put_u32(w->out, (uint32_t)a->ints.n);
		tarn_bytes_put(w->out, a->ints.at, (size_t)a->ints.n * sizeof *a->ints.at);
		break;
	case TARN_ATTR_FLOATS:
		tarn_bytes_put_u32(w->out, (uint32_t)a->floats.n);
		tarn_bytes_put(w->out, a->floats.at, (size_t)a->floats.n * sizeof *a->floats.at);
		break;
	case TARN_ATTR_TENSOR:
		put_sizes(w->out, a->t->type, a->t->rank, a->t->dim);
		return put_data(w, NULL, a->t);
	default:
		tarn_bytes_put_u64(w->out, (uint64_t)a->i);
	}
	return TARN_OK;
}

static tarn_err put_graph(writer *w, const tarn_graph *g);

/* num: by value id; 0: not numbered. */
static tarn_err put_node(writer *w, const tarn_node *n, uint32_t *num, uint32_t *next)
{
	tarn_str *out = w->out;
	tarn_bytes_put_text(out, n->op->name);
	tarn_bytes_put_text(out, n->op->domain);
	tarn_bytes_put_text(out, n->name);
	tarn_bytes_put_u32(out, (uint32_t)n->n_in);
	for (int i = 0; i < n->n_in; i++)
		tarn_bytes_put_u32(out, n->in[i] ? num[n->in[i]->id] : 0);
	tarn_bytes_put_u32(out, (uint32_t)n->n_out);
	for (int i = 0; i < n->n_out; i++) {
		tarn_bytes_put_u32(out, n->out[i] != NULL);
		if (!n->out[i])
			continue;
		tarn_bytes_put_text(out, n->out[i]->name);
		tarn_bytes_put_text(out, n->out[i]->aliases);
		num[n->out[i]->id] = (*next)++;
	}
	for (int i = 0; i < n->op->n_attr; i++)
		TRY(put_attr(w, &n->op->attr[i], &n->attr[i]));
	tarn_bytes_put_u32(out, (uint32_t)n->n_capture);
	tarn_bytes_put_u32(out, (uint32_t)n->n_body);
	for (int i = 0; i < n->n_body; i++)
		TRY(put_graph(w, n->body[i]));
	return TARN_OK;
}

static tarn_err put_leaf(writer *w, const tarn_value *v)
{
	tarn_bytes_put_text(w->out, v->name);
	tarn_bytes_put_text(w->out, v->aliases);
	put_sizes(w->out, v->type, v->shape.rank, v->shape.dim);
	return v->konst ? put_data(w, v, v->konst) : TARN_OK;
}

static tarn_err put_graph(writer *w, const tarn_graph *g)
{
	tarn_arena scratch = {0};
	tarn_err err;
	uint32_t *num = tarn_arena_zalloc(&scratch, g->value.len + 1, sizeof *num), next = 1, constants = 0;
	int *uses;
	CHECK_GOTO(out, num, TARN_NOMEM, "out of memory writing a graph");
	TRY_GOTO(out, tarn_graph_uses(g, &scratch, &uses));
	tarn_bytes_put_u32(w->out, (uint32_t)g->input.len);
	for (size_t i = 0; i < g->input.len; i++) {
		num[g->input.at[i]->id] = next++;
		TRY_GOTO(out, put_leaf(w, g->input.at[i]));
	}
	for (size_t i = 0; i < g->value.len; i++)
		constants += g->value.at[i]->konst && uses[i];
	tarn_bytes_put_u32(w->out, constants);
	for (size_t i = 0; i < g->value.len; i++) {
		if (!g->value.at[i]->konst || !uses[i])
			continue;
		num[i] = next++;
		TRY_GOTO(out, put_leaf(w, g->value.at[i]));
	}
	tarn_bytes_put_u32(w->out, (uint32_t)g->node.len);
	for (size_t i = 0; i < g->node.len; i++)
		TRY_GOTO(out, put_node(w, g->node.at[i], num, &next));
	tarn_bytes_put_u32(w->out, (uint32_t)g->output.len);
	for (size_t i = 0; i < g->output.len; i++)
		tarn_bytes_put_u32(w->out, num[g->output.at[i]->id]);
out:
	tarn_arena_fini(&scratch);
	return err;
}

/* How many symbols the inputs need: expressions are over earlier ones, and inference makes all others again. */
static size_t symbols_of(const tarn_graph *g)
{
	size_t n = 0;
	for (size_t i = 0; i < g->input.len; i++) {
		const tarn_shape *s = &g->input.at[i]->shape;
		for (int k = 0; k < s->rank; k++)
			n = s->dim[k] < 0 && (size_t)-s->dim[k] > n ? (size_t)-s->dim[k] : n;
	}
	for (size_t i = 0; i < g->node.len; i++)
		for (int b = 0; b < g->node.at[i]->n_body; b++) {
			size_t more = symbols_of(g->node.at[i]->body[b]);
			n = more > n ? more : n;
		}
	return n;
}

tarn_err tarn_serial_write(const tarn_serial *s, const tarn_model *m, tarn_str *out)
{
	writer w = {s, out};
	size_t symbols = s->fixed ? 0 : symbols_of(m->main);
	tarn_bytes_put_u32(out, (uint32_t)symbols);
	for (size_t i = 0; i < symbols; i++) {
		const tarn_sym *y = &m->syms.sym.at[i];
		tarn_bytes_put_u32(out, (uint32_t)y->op);
		tarn_bytes_put_text(out, y->name);
		const int64_t v[] = {y->a, y->b, y->lo, y->hi};
		tarn_bytes_put(out, v, sizeof v);
	}
	TRY(put_graph(&w, m->main));
	return out->failed ? tarn_err_nomem(out->len) : TARN_OK;
}

/* ---- reading ---- */

typedef struct reader {
	const tarn_serial *s;
	tarn_bytes *in;
	tarn_model *m;
	int depth;
} reader;

static tarn_err damaged(const char *what)
{
	return tarn_err_set(TARN_BAD_FILE, "compiled model: %s; compile it again", what);
}

static bool get_sizes(reader *r, bool constant, tarn_dtype *type, tarn_shape *s)
{
	*type = (tarn_dtype)tarn_bytes_get_u32(r->in);
	int32_t rank = (int32_t)tarn_bytes_get_u32(r->in), lowest = constant || r->s->fixed ? 0 : -1;
	bool typed = *type > TARN_DTYPE_NONE || (*type == TARN_DTYPE_NONE && lowest < 0);
	if (r->in->bad || !typed || *type >= TARN_DTYPE_COUNT || (*type == TARN_STRING && r->s->fixed) || rank < lowest ||
	    rank > TARN_MAX_RANK)
		return false;
	*s = (tarn_shape){.rank = rank};
	for (int i = 0; i < rank; i++) {
		s->dim[i] = (tarn_dim)tarn_bytes_get_u64(r->in);
		int64_t least = constant ? 0 : -(int64_t)r->m->syms.sym.len;
		if (s->dim[i] < least || s->dim[i] > TARN_DIM_MAX)
			return false;
	}
	return !r->in->bad;
}

static tarn_err get_texts(reader *r, tarn_tensor *t)
{
	int64_t n = tarn_tensor_count(t);
	if (n < 0 || (size_t)n > r->in->left / 4)
		return damaged("a list of texts is cut off");
	const char **at = tarn_arena_zalloc(&r->m->arena, (size_t)n + 1, sizeof *at);
	if (!at)
		return tarn_err_nomem((size_t)n * sizeof *at);
	for (int64_t i = 0; i < n; i++)
		if (!(at[i] = tarn_bytes_get_text(r->in, &r->m->arena)))
			return damaged("a text is missing");
	t->data = at;
	return TARN_OK;
}

/* In the model's arena; the bytes belong to a buffer that the model keeps, or to the arena, too. */
static tarn_err get_tensor(reader *r, tarn_tensor **out)
{
	tarn_dtype type;
	tarn_shape s;
	int64_t count;
	if (!get_sizes(r, true, &type, &s))
		return damaged("a constant is cut off");
	TRY(tarn_shape_count(&s, &count));
	tarn_tensor *t = tarn_arena_zalloc(&r->m->arena, 1, sizeof *t);
	if (!t)
		return tarn_err_nomem(sizeof *t);
	*t = (tarn_tensor){.type = type, .rank = s.rank};
	memcpy(t->dim, s.dim, sizeof t->dim);
	*out = t;
	if (type == TARN_STRING)
		return get_texts(r, t);
	TRY(r->s->get(r->s->ctx, r->in, t));
	tarn_err err = t->buf ? tarn_model_keep(r->m, t->buf) : TARN_OK;
	tarn_buffer_unref(t->buf); /* the model holds the reference now; the tensor says which, for tarn_pass_release */
	if (err != TARN_OK)
		t->buf = NULL;
	return err;
}

static int words_in(const char *words)
{
	int n = 1;
	for (const char *p = words ? words : ""; *p; p++)
		n += *p == '|';
	return n;
}

static tarn_err get_number(reader *r, const tarn_attr_def *d, tarn_attr *a)
{
	a->i = (int64_t)tarn_bytes_get_u64(r->in);
	bool fits = d->kind == TARN_ATTR_BOOL   ? a->i == 0 || a->i == 1
		    : d->kind == TARN_ATTR_ENUM ? a->i >= 0 && a->i < words_in(d->words)
		    : d->kind == TARN_ATTR_TYPE ? a->i >= 0 && a->i < TARN_DTYPE_COUNT
						: true;
	return fits ? TARN_OK : damaged("an attribute is out of range");
}

static tarn_err get_list(reader *r, const tarn_attr_def *d, tarn_attr *a)
{
	uint32_t n = tarn_bytes_get_u32(r->in);
	const void *at = n <= MAX_LIST ? tarn_bytes_get(r->in, (size_t)n * 8) : NULL;
	void *copy = at ? tarn_arena_memdup(&r->m->arena, at, (size_t)n * 8) : NULL;
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
	return TARN_OK;
}

static tarn_err get_attr(reader *r, const tarn_attr_def *d, tarn_attr *a)
{
	uint32_t set = tarn_bytes_get_u32(r->in);
	if (r->in->bad || set > 1)
		return damaged("an attribute is cut off");
	*a = (tarn_attr){.set = set};
	if (!set)
		return TARN_OK;
	const void *at;
	tarn_tensor *t;
	switch (d->kind) {
	case TARN_ATTR_INTS:
	case TARN_ATTR_FLOATS:
		return get_list(r, d, a);
	case TARN_ATTR_FLOAT:
		at = tarn_bytes_get(r->in, sizeof a->f);
		if (at)
			memcpy(&a->f, at, sizeof a->f);
		break;
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		a->s = tarn_bytes_get_text(r->in, &r->m->arena);
		return a->s ? TARN_OK : damaged("a text is missing");
	case TARN_ATTR_TENSOR:
		TRY(get_tensor(r, &t));
		a->t = t;
		break;
	default:
		TRY(get_number(r, d, a));
	}
	return r->in->bad ? damaged("an attribute is cut off") : TARN_OK;
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

static tarn_err get_ref(reader *r, const numbered *k, bool needed, tarn_value **v)
{
	uint32_t i = tarn_bytes_get_u32(r->in);
	if (r->in->bad || i > k->v.len || (needed && !i))
		return damaged("a value is referred to before it is there");
	*v = i ? k->v.at[i - 1] : NULL;
	return TARN_OK;
}

static tarn_err get_leaf(reader *r, tarn_graph *g, numbered *k, bool constant)
{
	tarn_value *v;
	const char *name = tarn_bytes_get_text(r->in, &r->m->arena), *aliases = tarn_bytes_get_text(r->in, &r->m->arena);
	if (!name)
		return damaged("a value is cut off");
	if (constant) {
		tarn_tensor *t;
		TRY(get_tensor(r, &t));
		TRY(tarn_value_new(g, name, &v));
		v->type = t->type;
		v->shape = tarn_shape_of(t->rank, t->dim);
		v->konst = t;
	} else {
		tarn_dtype type;
		tarn_shape s;
		if (!get_sizes(r, false, &type, &s))
			return damaged("an input is cut off");
		TRY(tarn_value_input(g, name, type, &s, &v));
	}
	v->aliases = aliases;
	return add(k, v);
}

static tarn_err get_graph(reader *r, tarn_graph *g);

static tarn_err get_bodies(reader *r, tarn_graph *g, tarn_node *n)
{
	uint32_t capture = tarn_bytes_get_u32(r->in), bodies = tarn_bytes_get_u32(r->in);
	bool control = n->op->flags & TARN_OP_CONTROL;
	if (r->in->bad || capture > (uint32_t)n->n_in || bodies > MAX_BODIES || r->depth >= MAX_DEPTH ||
	    control != (bodies > 0) || (!control && capture) || (control && r->s->fixed))
		return damaged("a node's bodies are not those of its kind");
	n->n_capture = (int)capture;
	for (uint32_t i = 0; i < bodies; i++) {
		tarn_graph *body;
		TRY(tarn_node_add_body(g, n, &body));
		r->depth++;
		TRY(get_graph(r, body));
		r->depth--;
	}
	return TARN_OK;
}

static tarn_err get_outputs(reader *r, tarn_graph *g, tarn_node *n, numbered *k)
{
	uint32_t n_out = tarn_bytes_get_u32(r->in);
	if (r->in->bad || n_out > MAX_ARITY)
		return damaged("a node has too many outputs");
	n->out = tarn_arena_zalloc(&r->m->arena, n_out + 1u, sizeof *n->out);
	if (!n->out)
		return tarn_err_nomem(n_out * sizeof *n->out);
	n->n_out = (int)n_out;
	for (uint32_t i = 0; i < n_out; i++) {
		if (!tarn_bytes_get_u32(r->in))
			continue;
		const char *name = tarn_bytes_get_text(r->in, &r->m->arena),
			   *aliases = tarn_bytes_get_text(r->in, &r->m->arena);
		if (!name)
			return damaged("an output has no name");
		TRY(tarn_value_new(g, name, &n->out[i]));
		n->out[i]->aliases = aliases;
		n->out[i]->def = n;
		n->out[i]->def_slot = (int)i;
		TRY(add(k, n->out[i]));
	}
	return TARN_OK;
}

static tarn_err get_node(reader *r, tarn_graph *g, numbered *k)
{
	tarn_arena *a = &r->m->arena;
	const char *op_name = tarn_bytes_get_text(r->in, a), *domain = tarn_bytes_get_text(r->in, a),
		   *name = tarn_bytes_get_text(r->in, a);
	uint32_t n_in = tarn_bytes_get_u32(r->in);
	const tarn_op_def *op = op_name ? tarn_op_find(domain, op_name) : NULL;
	if (r->in->bad || !op || !name || n_in > MAX_ARITY)
		return damaged("a node is of no known kind");
	tarn_node *n;
	TRY(tarn_node_new(g, op, name, (int)n_in, 0, -1, &n));
	for (uint32_t i = 0; i < n_in; i++)
		TRY(get_ref(r, k, false, &n->in[i]));
	TRY(get_outputs(r, g, n, k));
	for (int i = 0; i < op->n_attr; i++)
		TRY(get_attr(r, &op->attr[i], &n->attr[i]));
	return get_bodies(r, g, n);
}

static tarn_err get_values(reader *r, tarn_graph *g, numbered *k)
{
	for (int constant = 0; constant < 2; constant++) {
		uint32_t n = tarn_bytes_get_u32(r->in);
		if (n > MAX_ITEMS)
			return damaged("too many values");
		for (uint32_t i = 0; i < n; i++)
			TRY(get_leaf(r, g, k, constant));
	}
	uint32_t n = tarn_bytes_get_u32(r->in);
	if (n > MAX_ITEMS)
		return damaged("too many nodes");
	for (uint32_t i = 0; i < n; i++)
		TRY(get_node(r, g, k));
	n = tarn_bytes_get_u32(r->in);
	if (n > MAX_ITEMS)
		return damaged("too many outputs");
	for (uint32_t i = 0; i < n; i++) {
		TRY(VEC_GROW(&g->output));
		TRY(get_ref(r, k, true, &g->output.at[g->output.len]));
		g->output.len++;
	}
	return r->in->bad ? damaged("the graph is cut off") : TARN_OK;
}

static tarn_err get_graph(reader *r, tarn_graph *g)
{
	numbered k = {0};
	tarn_err err = get_values(r, g, &k);
	VEC_FINI(&k.v);
	return err == TARN_OK ? tarn_graph_sort(g) : err;
}

/* Expressions are over symbols before them. */
static tarn_err get_symbols(reader *r)
{
	uint32_t n = tarn_bytes_get_u32(r->in);
	if (n > MAX_ITEMS || n > r->in->left / 40 || (n && r->s->fixed))
		return damaged("it has free sizes");
	uint32_t *steps = tarn_arena_zalloc(&r->m->arena, n + 1u, sizeof *steps);
	if (!steps)
		return tarn_err_nomem(n * sizeof *steps);
	for (uint32_t i = 0; i < n; i++) {
		tarn_sym y = {.op = (tarn_sym_op)tarn_bytes_get_u32(r->in)};
		y.name = tarn_bytes_get_text(r->in, &r->m->arena);
		int64_t v[4];
		const void *at = tarn_bytes_get(r->in, sizeof v);
		if (!at || y.op > TARN_SYM_MAX)
			return damaged("a free size is cut off");
		memcpy(v, at, sizeof v);
		y.a = v[0];
		y.b = v[1];
		y.lo = v[2];
		y.hi = v[3];
		int64_t first = -(int64_t)i;
		bool operands =
			y.op == TARN_SYM_NAMED || (y.a >= first && y.b >= first && y.a <= TARN_DIM_MAX && y.b <= TARN_DIM_MAX);
		steps[i] = 1;
		if (operands && y.op != TARN_SYM_NAMED)
			steps[i] += (y.a < 0 ? steps[-(y.a + 1)] : 1) + (y.b < 0 ? steps[-(y.b + 1)] : 1);
		if (!operands || steps[i] > MAX_STEPS || y.lo < 0 || y.lo > y.hi || y.hi > TARN_DIM_MAX)
			return damaged("a free size makes no sense");
		TRY(VEC_GROW(&r->m->syms.sym));
		r->m->syms.sym.at[r->m->syms.sym.len++] = y;
	}
	return TARN_OK;
}

tarn_err tarn_serial_read(const tarn_serial *s, tarn_bytes *in, tarn_model *m)
{
	reader r = {.s = s, .in = in, .m = m};
	TRY(get_symbols(&r));
	TRY(get_graph(&r, m->main));
	return tarn_graph_verify(m->main);
}
