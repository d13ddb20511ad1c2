/* SPDX-License-Identifier: Apache-2.0 */
#include "ir/graph.h"

#include <string.h>

#include "ir/op.h"

/* A name nobody has in `taken`: `want` itself, or want_N. */
static tarn_err name_in(tarn_graph *g, tarn_map *taken, const char *want, const char *kind, const char **name)
{
	tarn_arena *a = &g->model->arena;
	char *s = want && *want ? tarn_arena_strdup(a, want) : NULL;
	if (want && *want && !s)
		return tarn_err_nomem(strlen(want));
	while (!s || tarn_map_find(taken, s)) {
		s = tarn_arena_printf(a, "%s_%u", want && *want ? want : kind, ++g->model->serial);
		if (!s)
			return tarn_err_nomem(16);
	}
	TRY(tarn_map_put(taken, s, g));
	*name = s;
	return TARN_OK;
}

tarn_err tarn_value_new(tarn_graph *g, const char *name, tarn_value **out)
{
	tarn_value *v = tarn_arena_alloc(&g->model->arena, sizeof *v);
	if (!v)
		return tarn_err_nomem(sizeof *v);
	TRY(VEC_GROW(&g->value));
	TRY(name_in(g, &g->names, name, "value", &v->name));
	v->shape.rank = -1;
	v->id = (uint32_t)g->value.len;
	g->value.at[g->value.len++] = v;
	*out = v;
	return TARN_OK;
}

tarn_err tarn_value_input(tarn_graph *g, const char *name, tarn_dtype type, const tarn_shape *shape, tarn_value **out)
{
	TRY(VEC_GROW(&g->input));
	tarn_value *v;
	TRY(tarn_value_new(g, name, &v));
	v->type = type;
	v->shape = *shape;
	g->input.at[g->input.len++] = v;
	*out = v;
	return TARN_OK;
}

tarn_err tarn_value_const(tarn_graph *g, const char *name, const tarn_tensor *t, tarn_value **out)
{
	tarn_model *m = g->model;
	tarn_tensor own = {0};
	if (!t->buf)
		TRY(tarn_tensor_copy(t, &own));
	tarn_tensor *kept = tarn_arena_memdup(&m->arena, t->buf ? t : &own, sizeof *kept);
	tarn_err err = kept ? tarn_model_keep(m, kept->buf) : tarn_err_nomem(sizeof *kept);
	tarn_value *v = NULL;
	if (err == TARN_OK)
		err = tarn_value_new(g, name, &v);
	tarn_tensor_fini(&own); /* the model holds the reference now */
	if (err != TARN_OK)
		return err;
	v->type = kept->type;
	v->shape = tarn_tensor_shape(kept);
	v->konst = kept;
	*out = v;
	return TARN_OK;
}

static tarn_err small_const(tarn_graph *g, const char *name, tarn_dtype type, const void *at, int n, tarn_value **v)
{
	tarn_tensor t = {.type = type, .rank = n >= 0, .dim = {n}, .data = (void *)(uintptr_t)at};
	return tarn_value_const(g, name, &t, v);
}

tarn_err tarn_value_const_i64(tarn_graph *g, const char *name, const int64_t *at, int n, tarn_value **v)
{
	return small_const(g, name, TARN_I64, at, n, v);
}

tarn_err tarn_value_const_f32(tarn_graph *g, const char *name, const float *at, int n, tarn_value **v)
{
	return small_const(g, name, TARN_F32, at, n, v);
}

tarn_err tarn_value_rename(tarn_graph *g, tarn_value *v, const char *name)
{
	return strcmp(v->name, name) ? name_in(g, &g->names, name, "value", &v->name) : TARN_OK;
}

/* Is `name` one of the comma separated aliases? */
static bool has_alias(const char *aliases, const char *name)
{
	for (const char *p = aliases; p && *p;) {
		const char *n = name;
		for (; *p && *p != ','; p++) {
			if (*p == '\\' && p[1])
				p++;
			n = n && *n == *p ? n + 1 : NULL;
		}
		if (n && !*n)
			return true;
		p += *p == ',';
	}
	return false;
}

tarn_value *tarn_graph_find(const tarn_graph *g, const char *name)
{
	for (size_t i = 0; i < g->value.len; i++)
		if (!strcmp(g->value.at[i]->name, name))
			return g->value.at[i];
	for (size_t i = 0; i < g->value.len; i++)
		if (has_alias(g->value.at[i]->aliases, name))
			return g->value.at[i];
	return NULL;
}

static void defaults(const tarn_op_def *op, tarn_attr *a)
{
	for (int i = 0; i < op->n_attr; i++) {
		const tarn_attr_def *d = &op->attr[i];
		a[i].set = d->presence == TARN_ATTR_DEFAULT;
		if (d->kind == TARN_ATTR_FLOAT)
			a[i].f = d->def;
		else if (d->kind != TARN_ATTR_INTS && d->kind != TARN_ATTR_FLOATS && d->kind != TARN_ATTR_STRING &&
			 d->kind != TARN_ATTR_STRINGS && d->kind != TARN_ATTR_TENSOR)
			a[i].i = (int64_t)d->def;
	}
}

tarn_err tarn_node_new(tarn_graph *g, const tarn_op_def *op, const char *name, int n_in, int n_out, int at, tarn_node **out)
{
	tarn_arena *a = &g->model->arena;
	CHECK(n_in >= 0 && n_out >= 0 && n_in < 1 << 20 && n_out < 1 << 20, TARN_BAD_FILE,
	      "node '%s': too many inputs or outputs", name ? name : "");
	tarn_node *n = tarn_arena_alloc(a, sizeof *n);
	if (!n)
		return tarn_err_nomem(sizeof *n);
	n->op = op;
	n->n_in = n_in;
	n->n_out = n_out;
	n->in = tarn_arena_zalloc(a, (size_t)n_in, sizeof *n->in);
	n->out = tarn_arena_zalloc(a, (size_t)n_out, sizeof *n->out);
	n->attr = tarn_arena_zalloc(a, (size_t)op->n_attr, sizeof *n->attr);
	if (!n->in || !n->out || !n->attr)
		return tarn_err_nomem((size_t)(n_in + n_out) * sizeof *n->in);
	defaults(op, n->attr);
	TRY(VEC_GROW(&g->node));
	TRY(name_in(g, &g->node_names, name, op->name, &n->name));
	for (int i = 0; i < n_out; i++) {
		TRY(tarn_value_new(g, n->name, &n->out[i]));
		n->out[i]->def = n;
		n->out[i]->def_slot = i;
	}
	size_t where = at < 0 || (size_t)at > g->node.len ? g->node.len : (size_t)at;
	memmove(g->node.at + where + 1, g->node.at + where, (g->node.len - where) * sizeof *g->node.at);
	g->node.at[where] = n;
	g->node.len++;
	for (size_t i = where; i < g->node.len; i++)
		g->node.at[i]->index = (int)i;
	*out = n;
	return TARN_OK;
}

tarn_err tarn_node_add_body(tarn_graph *g, tarn_node *n, tarn_graph **body)
{
	tarn_graph **list = tarn_arena_zalloc(&g->model->arena, (size_t)n->n_body + 1, sizeof *list);
	if (!list)
		return tarn_err_nomem(sizeof *list);
	TRY(tarn_graph_new(g->model, n, body));
	if (n->n_body)
		memcpy(list, n->body, (size_t)n->n_body * sizeof *list);
	list[n->n_body++] = *body;
	n->body = list;
	return TARN_OK;
}

tarn_err tarn_node_resize_inputs(tarn_graph *g, tarn_node *n, int n_in)
{
	if (n_in > n->n_in) {
		tarn_value **in = tarn_arena_zalloc(&g->model->arena, (size_t)n_in, sizeof *in);
		if (!in)
			return tarn_err_nomem((size_t)n_in * sizeof *in);
		if (n->n_in)
			memcpy(in, n->in, (size_t)n->n_in * sizeof *in);
		n->in = in;
	}
	n->n_in = n_in;
	return TARN_OK;
}

void tarn_graph_replace(tarn_graph *g, tarn_value *from, tarn_value *to)
{
	bool is_output = false;
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k] == from)
				g->node.at[i]->in[k] = to;
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == from) {
			g->output.at[i] = to;
			is_output = true;
		}
	bool to_is_input = false;
	for (size_t i = 0; i < g->input.len; i++)
		to_is_input |= g->input.at[i] == to;
	if (is_output && !to_is_input) {
		const char *name = to->name, *aliases = to->aliases;
		to->name = from->name;
		to->aliases = from->aliases;
		from->name = name;
		from->aliases = aliases;
	}
}

/* Never in a circle, however many there are. */
tarn_value *tarn_graph_replacement(tarn_value *v, tarn_value *const *to, size_t n)
{
	for (size_t i = 0; i < n && v && v->id < n && to[v->id]; i++)
		v = to[v->id];
	return v;
}

void tarn_graph_replace_all(tarn_graph *g, tarn_value *const *to, size_t n)
{
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			g->node.at[i]->in[k] = tarn_graph_replacement(g->node.at[i]->in[k], to, n);
	/* Outputs exchange names. */
	for (size_t i = 0; i < g->output.len; i++) {
		tarn_value *v = g->output.at[i], *end = tarn_graph_replacement(v, to, n);
		if (end != v)
			tarn_graph_replace(g, v, end);
	}
}

void tarn_graph_remove(tarn_graph *g, tarn_node *n)
{
	size_t i = (size_t)n->index;
	if (i >= g->node.len || g->node.at[i] != n)
		return;
	memmove(g->node.at + i, g->node.at + i + 1, (g->node.len - i - 1) * sizeof *g->node.at);
	g->node.len--;
	for (; i < g->node.len; i++)
		g->node.at[i]->index = (int)i;
}

tarn_err tarn_graph_uses(const tarn_graph *g, tarn_arena *a, int **out)
{
	int *uses = tarn_arena_zalloc(a, g->value.len + 1, sizeof *uses);
	if (!uses)
		return tarn_err_nomem(g->value.len * sizeof *uses);
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k])
				uses[g->node.at[i]->in[k]->id]++;
	for (size_t i = 0; i < g->output.len; i++)
		uses[g->output.at[i]->id]++;
	*out = uses;
	return TARN_OK;
}

tarn_node *tarn_graph_only_user(const tarn_graph *g, const tarn_value *v)
{
	tarn_node *user = NULL;
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == v)
			return NULL;
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k] == v) {
				if (user)
					return NULL;
				user = g->node.at[i];
			}
	return user;
}

tarn_err tarn_graph_users(const tarn_graph *g, tarn_arena *a, tarn_node ***user)
{
	tarn_node **u = tarn_arena_zalloc(a, g->value.len + 1, sizeof(tarn_node *));
	int *uses;
	if (!u)
		return tarn_err_nomem((g->value.len + 1) * sizeof(tarn_node *));
	TRY(tarn_graph_uses(g, a, &uses));
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++) {
			const tarn_value *v = g->node.at[i]->in[k];
			if (v && uses[v->id] == 1)
				u[v->id] = g->node.at[i];
		}
	*user = u;
	return TARN_OK;
}

int tarn_graph_sweep(tarn_graph *g)
{
	/* Backwards over the topological order, one pass removes whole dead chains. Without memory nothing is swept: no harm.
	 */
	tarn_arena scratch = {0};
	int *uses, removed = 0;
	if (tarn_graph_uses(g, &scratch, &uses) != TARN_OK) {
		tarn_arena_fini(&scratch);
		return 0;
	}
	for (size_t i = g->node.len; i-- > 0;) {
		tarn_node *n = g->node.at[i];
		bool used = false;
		for (int k = 0; k < n->n_out; k++)
			used |= n->out[k] && uses[n->out[k]->id];
		if (used) {
			for (int b = 0; b < n->n_body; b++)
				removed += tarn_graph_sweep(n->body[b]);
			continue;
		}
		for (int k = 0; k < n->n_in; k++)
			if (n->in[k])
				uses[n->in[k]->id]--;
		g->node.at[i] = NULL;
		removed++;
	}
	size_t len = 0;
	for (size_t i = 0; i < g->node.len; i++)
		if (g->node.at[i]) {
			g->node.at[i]->index = (int)len;
			g->node.at[len++] = g->node.at[i];
		}
	g->node.len = len;
	tarn_arena_fini(&scratch);
	return removed;
}

/* Depth-first from a node, without recursion: a chain may be as long as the graph. */
tarn_err tarn_graph_sort(tarn_graph *g)
{
	enum { WHITE, OPEN, DONE };
	size_t n = g->node.len, out = 0;
	tarn_arena scratch = {0};
	tarn_err err = TARN_OK;
	tarn_node **order = tarn_arena_zalloc(&scratch, n + 1, sizeof *order);
	struct frame {
		tarn_node *node;
		int next;
	} *stack = tarn_arena_zalloc(&scratch, n + 1, sizeof *stack);
	unsigned char *state = tarn_arena_zalloc(&scratch, n + 1, 1);
	if (!order || !stack || !state) {
		err = tarn_err_nomem(n * sizeof *stack);
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		g->node.at[i]->index = (int)i;
	for (size_t i = 0; i < n; i++) {
		size_t depth = 0;
		if (state[i] == WHITE) {
			state[i] = OPEN;
			stack[depth++] = (struct frame){g->node.at[i], 0};
		}
		while (depth) {
			struct frame *f = &stack[depth - 1];
			if (f->next == f->node->n_in) {
				state[f->node->index] = DONE;
				order[out++] = f->node;
				depth--;
				continue;
			}
			tarn_value *v = f->node->in[f->next++];
			tarn_node *d = v ? v->def : NULL;
			if (!d || (size_t)d->index >= n || g->node.at[d->index] != d || state[d->index] == DONE)
				continue;
			CHECK_GOTO(out, state[d->index] != OPEN, TARN_BAD_FILE, "the graph has a cycle through node '%s'",
				   d->name);
			state[d->index] = OPEN;
			stack[depth++] = (struct frame){d, 0};
		}
	}
	for (size_t i = 0; i < n; i++) {
		g->node.at[i] = order[i];
		order[i]->index = (int)i;
	}
out:
	tarn_arena_fini(&scratch);
	return err;
}
