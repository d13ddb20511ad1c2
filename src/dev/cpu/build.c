/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"

tarn_err tarn_cpu_slot_new(cpu_build *b, const tarn_value *v, cpu_layout layout, tarn_dtype type, int *slot)
{
	cpu_program *p = b->p;
	TRY(VEC_GROW(&p->slot));
	p->slot.at[p->slot.len] = (cpu_slot){.v = v, .layout = layout, .type = type, .step = -1, .last = -1, .view_of = -1};
	*slot = (int)p->slot.len++;
	return TARN_OK;
}

static tarn_err slot_new(cpu_build *b, const tarn_value *v, cpu_layout layout, int *slot)
{
	TRY(tarn_cpu_slot_new(b, v, layout, v->type, slot));
	b->slot[layout][v->id] = *slot;
	return TARN_OK;
}

tarn_err tarn_cpu_give(cpu_build *b, const tarn_value *v, cpu_layout layout, int *slot)
{
	return slot_new(b, v, layout, slot);
}

cpu_layout tarn_cpu_layout_of(const cpu_build *b, const tarn_value *v)
{
	int *const *at = b->slot;
	if (at[CPU_PLAIN][v->id] < 0 && at[CPU_NHWC][v->id] < 0 && b->code[v->id].type) {
		if (b->code[v->id].held_by)
			return tarn_cpu_layout_of(b, b->code[v->id].held_by);
		at = b->code_slot;
	}
	return at[CPU_NHWC][v->id] >= 0 && at[CPU_PLAIN][v->id] < 0 ? CPU_NHWC : CPU_PLAIN;
}

/* A constant moved to channels-last once, at compile time. */
static tarn_err const_nhwc(cpu_build *b, const tarn_tensor *t, const tarn_tensor **out)
{
	tarn_arena *a = &b->p->arena;
	size_t bytes = tarn_tensor_bytes(t), size = (size_t)tarn_dtype_info(t->type)->bits / 8;
	tarn_tensor *r = tarn_arena_memdup(a, t, sizeof *r);
	if (!r || !(r->data = tarn_arena_alloc_aligned(a, bytes)))
		return tarn_err_nomem(bytes);
	r->buf = NULL;
	int64_t inner = 1;
	for (int i = 2; i < t->rank; i++)
		inner *= t->dim[i];
	for (int64_t n = 0; n < t->dim[0]; n++)
		for (int64_t c = 0; c < t->dim[1]; c++)
			for (int64_t i = 0; i < inner; i++)
				memcpy((char *)r->data + (size_t)((n * inner + i) * t->dim[1] + c) * size,
				       (const char *)t->data + (size_t)((n * t->dim[1] + c) * inner + i) * size, size);
	*out = r;
	return TARN_OK;
}

tarn_err tarn_cpu_want(cpu_build *b, const tarn_value *v, cpu_layout layout, int *slot)
{
	if (b->slot[layout][v->id] >= 0) {
		*slot = b->slot[layout][v->id];
		return TARN_OK;
	}
	if (v->konst) {
		const tarn_tensor *t = v->konst;
		if (layout == CPU_NHWC)
			TRY(const_nhwc(b, t, &t));
		TRY(slot_new(b, v, layout, slot));
		b->p->slot.at[*slot].konst = t;
		return TARN_OK;
	}
	if (b->slot[!layout][v->id] < 0 && tarn_cpu_code_of(b, v)) {
		TRY(tarn_cpu_dequantize(b, v, slot));
		if (b->slot[layout][v->id] >= 0)
			return TARN_OK;
	}
	int from = b->slot[!layout][v->id];
	CHECK(from >= 0, TARN_INTERNAL, "value '%s' is used before it is computed", v->name);
	TRY(slot_new(b, v, layout, slot));
	return tarn_cpu_reorder(b, from, *slot);
}

tarn_err tarn_cpu_reorder(cpu_build *b, int from, int to)
{
	/* It belongs to the node that made the value, so that it stays in that segment. */
	const tarn_node *maker = b->p->slot.at[from].v->def;
	cpu_group g = {.main = maker, .last = maker};
	return tarn_cpu_step_new(b, &tarn_cpu_k_reorder, &g, &from, 1, &to, 1, NULL, -1);
}

tarn_err tarn_cpu_step_new(cpu_build *b, const cpu_kernel *k, const cpu_group *g, const int *in, int n_in, const int *out,
			   int n_out, void *state, int in_place)
{
	cpu_program *p = b->p;
	cpu_step s = {.k = k, .node = g->main, .n_in = n_in, .n_out = n_out, .in_place = in_place};
	bool reorder = k == &tarn_cpu_k_reorder;
	s.index = g->last ? g->last->index : -1;
	s.name = reorder ? p->slot.at[in[0]].v->name : g->last->name;
	s.type = reorder ? "Layout" : g->main->op->name;
	tarn_arena *a = &p->arena;
	s.in = tarn_arena_memdup(a, in, (size_t)n_in * sizeof *in);
	s.out = tarn_arena_memdup(a, out, (size_t)n_out * sizeof *out);
	if (!s.in || !s.out)
		return tarn_err_nomem((size_t)(n_in + n_out) * sizeof *in);
	TRY(VEC_GROW(&p->step));
	int at = (int)p->step.len;
	for (int i = 0; i < n_in; i++)
		if (in[i] >= 0)
			p->slot.at[in[i]].last = at;
	for (int i = 0; i < n_out; i++)
		if (out[i] >= 0)
			p->slot.at[out[i]].step = at;
	s.state = state;
	p->step.at[p->step.len++] = s;
	return TARN_OK;
}

static tarn_err build_node(cpu_build *b, const tarn_node *n)
{
	cpu_group alone = {.main = n, .last = n};
	const cpu_group *g = b->group[n->index] ? b->group[n->index] : &alone;
	bool taken = false;
	for (int i = 0; tarn_cpu_kernels[i] && !taken; i++) {
		tarn_err err = tarn_cpu_kernels[i]->build(b, g, &taken);
		if (err != TARN_OK)
			return tarn_err_note(err, "in node '%s' (%s)", g->main->name, g->main->op->name);
	}
	CHECK(taken, TARN_INTERNAL, "no kernel takes node '%s' (%s)", n->name, n->op->name);
	return TARN_OK;
}

/* Steps whose results nobody reads (a float form that only its codes replaced) go. */
static tarn_err drop_dead(cpu_program *p, tarn_arena *scratch)
{
	size_t n = p->step.len, len = 0;
	int *moved = tarn_arena_zalloc(scratch, n + 1, sizeof *moved);
	if (!moved)
		return tarn_err_nomem(n * sizeof *moved);
	for (size_t i = 0; i < p->slot.len; i++)
		if (p->slot.at[i].last != INT_MAX)
			p->slot.at[i].last = -1;
	for (size_t k = n; k-- > 0;) {
		cpu_step *s = &p->step.at[k];
		/* a node of open size ends a segment even when nobody reads it */
		bool used = s->node && s->node->op->flags & (TARN_OP_DATA_SHAPE | TARN_OP_CONTROL);
		for (int i = 0; i < s->n_out; i++)
			used |= s->out[i] >= 0 && p->slot.at[s->out[i]].last >= 0;
		for (int i = 0; i < s->n_in && used; i++)
			if (s->in[i] >= 0 && p->slot.at[s->in[i]].last < (int)k)
				p->slot.at[s->in[i]].last = (int)k;
		if (used)
			continue;
		if (s->k->state_free && s->state)
			s->k->state_free(s->state);
		s->k = NULL;
	}
	for (size_t k = 0; k < n; k++) {
		moved[k] = (int)len;
		if (p->step.at[k].k)
			p->step.at[len++] = p->step.at[k];
	}
	p->step.len = len;
	for (size_t i = 0; i < p->slot.len; i++) {
		cpu_slot *s = &p->slot.at[i];
		if (s->step >= 0)
			s->step = s->last < 0 ? -2 : moved[s->step]; /* -2: neither written nor read */
		if (s->last >= 0 && s->last != INT_MAX)
			s->last = moved[s->last];
	}
	return TARN_OK;
}

/* Float forms of codes are made when somebody wants them; those of constants only INT8 products read, as codes (the others were
 * folded, tarn_cpu_fold_weights). */
static bool is_lazy(cpu_build *b, const tarn_node *n)
{
	if (n->op != tarn_op_find(NULL, "DequantizeLinear"))
		return false;
	bool constant = n->in[0]->konst && n->in[1]->konst && (n->n_in < 3 || !n->in[2] || n->in[2]->konst);
	return constant || tarn_cpu_code_of(b, n->out[0]);
}

static tarn_err build_all(cpu_build *b, tarn_arena *scratch)
{
	cpu_program *p = b->p;
	const tarn_graph *g = b->g;
	tarn_arena *a = &p->arena;
	p->input_slot = tarn_arena_zalloc(a, g->input.len, sizeof *p->input_slot);
	p->output_slot = tarn_arena_zalloc(a, g->output.len, sizeof *p->output_slot);
	if (!p->input_slot || !p->output_slot)
		return tarn_err_nomem(g->input.len * sizeof *p->input_slot);
	for (size_t i = 0; i < g->input.len; i++)
		TRY(slot_new(b, g->input.at[i], CPU_PLAIN, &p->input_slot[i]));
	TRY(tarn_cpu_group_all(b));
	for (size_t i = 0; i < g->node.len; i++)
		if (!b->absorbed[i] && !is_lazy(b, g->node.at[i]))
			TRY(build_node(b, g->node.at[i]));
	for (size_t i = 0; i < g->output.len; i++) {
		TRY(tarn_cpu_want(b, g->output.at[i], CPU_PLAIN, &p->output_slot[i]));
		p->slot.at[p->output_slot[i]].last = INT_MAX;
	}
	return drop_dead(p, scratch);
}

tarn_err tarn_cpu_program_new(const tarn_graph *g, tarn_program *owner, tarn_packs *packs, cpu_program **out)
{
	cpu_program *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	p->g = g;
	p->owner = owner;
	tarn_mutex_init(&p->lock);
	tarn_arena scratch = {0};
	cpu_build b = {.p = p, .g = g, .packs = packs};
	size_t n = g->value.len + 1;
	tarn_err err;
	TRY_GOTO(out, tarn_graph_uses(g, &scratch, &b.uses));
	TRY_GOTO(out, tarn_graph_users(g, &scratch, &b.user));
	int *tables = tarn_arena_alloc(&scratch, 2 * CPU_LAYOUTS * n * sizeof *tables);
	b.code = tarn_arena_zalloc(&scratch, n, sizeof *b.code);
	b.group = tarn_arena_zalloc(&scratch, g->node.len + 1, sizeof *b.group);
	b.absorbed = tarn_arena_zalloc(&scratch, g->node.len + 1, sizeof *b.absorbed);
	if (!tables || !b.code || !b.group || !b.absorbed) {
		err = tarn_err_nomem(n * sizeof *b.code);
		goto out;
	}
	memset(tables, 0xff, 2 * CPU_LAYOUTS * n * sizeof *tables);
	for (int l = 0; l < CPU_LAYOUTS; l++) {
		b.slot[l] = tables + (size_t)l * n;
		b.code_slot[l] = tables + (size_t)(CPU_LAYOUTS + l) * n;
	}
	err = build_all(&b, &scratch);
out:
	tarn_arena_fini(&scratch);
	if (err != TARN_OK)
		tarn_cpu_program_free(p);
	else
		*out = p;
	return err;
}

void tarn_cpu_program_free(cpu_program *p)
{
	if (!p)
		return;
	tarn_cpu_instances_free(p);
	for (size_t i = 0; i < p->step.len; i++)
		if (p->step.at[i].k && p->step.at[i].k->state_free && p->step.at[i].state)
			p->step.at[i].k->state_free(p->step.at[i].state);
	VEC_FINI(&p->step);
	VEC_FINI(&p->slot);
	tarn_arena_fini(&p->arena);
	tarn_mutex_fini(&p->lock);
	tarn_mem_free(p);
}
