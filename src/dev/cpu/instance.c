/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"

enum { MAX_SIBLINGS = 16, KEY_CONTENTS = 16 };

/* Contents of small integers after a data-dependent node may decide the sizes that follow. */
static bool by_contents(const tarn_tensor *t)
{
	return (tarn_dtype_is_int(t->type) || t->type == TARN_BOOL) && tarn_tensor_count(t) <= KEY_CONTENTS;
}

static bool same_key(const cpu_instance *i, const tarn_tensor *key, int n)
{
	if (i->n_key != n)
		return false;
	for (int k = 0; k < n; k++) {
		const tarn_tensor *a = &i->key[k], *b = &key[k];
		if (a->type != b->type || a->rank != b->rank || memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim))
			return false;
		if (a->data && memcmp(a->data, b->data, tarn_tensor_bytes(b)))
			return false;
	}
	return true;
}

static void instance_free(cpu_program *p, cpu_instance *inst)
{
	for (cpu_instance *c = inst->child, *next; c; c = next) {
		next = c->next;
		instance_free(p, c);
	}
	for (int s = inst->first_step; inst->plan && s < inst->end_step; s++)
		if (inst->plan[s - inst->first_step] && p->step.at[s].k->plan_free)
			p->step.at[s].k->plan_free(inst->plan[s - inst->first_step]);
	tarn_symtab_fini(&inst->syms);
	tarn_arena_fini(&inst->arena);
	tarn_mem_free(inst);
}

void tarn_cpu_instances_free(cpu_program *p)
{
	for (cpu_instance *i = p->instances, *next; i; i = next) {
		next = i->next;
		instance_free(p, i);
	}
	p->instances = NULL;
}

/* Concrete copies of values and nodes: sizes from the parent segment, or still unknown. */
static tarn_err shadow_graph(cpu_program *p, cpu_instance *inst)
{
	const tarn_graph *g = p->g;
	tarn_arena *a = &inst->arena;
	inst->val = tarn_arena_zalloc(a, g->value.len + 1, sizeof *inst->val);
	inst->node = tarn_arena_zalloc(a, g->node.len + 1, sizeof *inst->node);
	if (!inst->val || !inst->node)
		return tarn_err_nomem(g->value.len * sizeof *inst->val);
	for (size_t i = 0; i < g->value.len; i++) {
		inst->val[i] = inst->parent ? inst->parent->val[i] : *g->value.at[i];
		if (!inst->parent && !inst->val[i].konst) {
			inst->val[i].shape.rank = -1;
			inst->val[i].known = NULL;
		}
	}
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		tarn_node *s = &inst->node[i];
		*s = *n;
		s->in = tarn_arena_zalloc(a, (size_t)n->n_in, sizeof *s->in);
		s->out = tarn_arena_zalloc(a, (size_t)n->n_out, sizeof *s->out);
		if (!s->in || !s->out)
			return tarn_err_nomem((size_t)n->n_in * sizeof *s->in);
		for (int k = 0; k < n->n_in; k++)
			s->in[k] = n->in[k] ? &inst->val[n->in[k]->id] : NULL;
		for (int k = 0; k < n->n_out; k++)
			s->out[k] = n->out[k] ? &inst->val[n->out[k]->id] : NULL;
	}
	return TARN_OK;
}

static tarn_err set_known(cpu_instance *inst, tarn_value *v, const tarn_tensor *t)
{
	v->type = t->type;
	v->shape = tarn_tensor_shape(t);
	v->known = NULL;
	v->n_known = 0;
	if (!t->data || !by_contents(t))
		return TARN_OK;
	int n = (int)tarn_tensor_count(t);
	tarn_dim *d = tarn_arena_alloc(&inst->arena, (size_t)(n + 1) * sizeof *d);
	if (!d)
		return tarn_err_nomem((size_t)n * sizeof *d);
	for (int i = 0; i < n; i++)
		d[i] = tarn_dim_of_int(tarn_tensor_i64(t, i));
	v->known = d;
	v->n_known = n;
	return TARN_OK;
}

/* Sizes of node after node, until one's depend on data. */
static tarn_err infer_segment(cpu_program *p, cpu_instance *inst)
{
	size_t i = (size_t)inst->first_node;
	for (; i < p->g->node.len && !inst->data_end; i++) {
		tarn_node *n = &inst->node[i];
		if (n->op->flags & (TARN_OP_DATA_SHAPE | TARN_OP_CONTROL)) {
			inst->data_end = true;
			continue;
		}
		tarn_infer c = {.node = n, .syms = &inst->syms, .arena = &inst->arena};
		tarn_err err = n->op->infer ? n->op->infer(&c) : tarn_err_set(TARN_UNSUPPORTED, "no shape inference");
		if (err == TARN_OK && n->op->bounds)
			err = n->op->bounds(&c);
		if (err != TARN_OK)
			return tarn_err_note(err, "in node '%s' (%s)", n->name, n->op->name);
		for (int k = 0; k < n->n_out; k++)
			if (n->out[k] && (n->out[k]->type == TARN_DTYPE_NONE || !tarn_shape_is_static(&n->out[k]->shape)))
				inst->data_end = true;
	}
	inst->end_node = (int)i;
	inst->end_step = inst->first_step;
	for (bool more = true; more && inst->end_step < (int)p->step.len; inst->end_step += more) {
		const cpu_step *s = &p->step.at[inst->end_step];
		more = s->index < inst->end_node;
		if (inst->data_end && s->index == inst->end_node - 1 && s->k != &tarn_cpu_k_reorder) {
			inst->end_step++; /* the step whose sizes are open comes last; reorders of other values wait for the
					     next segment */
			break;
		}
	}
	return TARN_OK;
}

static tarn_err copy_key(cpu_instance *inst, const tarn_tensor *key, int n)
{
	tarn_tensor *k = tarn_arena_memdup(&inst->arena, key, (size_t)n * sizeof *key);
	if (!k)
		return tarn_err_nomem((size_t)n * sizeof *key);
	for (int i = 0; i < n; i++) {
		k[i].buf = NULL;
		k[i].data = NULL;
		if (inst->parent && by_contents(&key[i]) &&
		    !(k[i].data = tarn_arena_memdup(&inst->arena, key[i].data, tarn_tensor_bytes(&key[i]))))
			return tarn_err_nomem(KEY_CONTENTS * 8);
	}
	inst->key = k;
	inst->n_key = n;
	return TARN_OK;
}

static tarn_err fill(cpu_program *p, cpu_instance *inst, const tarn_tensor *key, int n_key)
{
	TRY(copy_key(inst, key, n_key));
	TRY(shadow_graph(p, inst));
	if (inst->parent) {
		const tarn_node *n = &inst->node[inst->parent->end_node - 1];
		for (int i = 0, k = 0; i < n->n_out; i++)
			if (n->out[i])
				TRY(set_known(inst, n->out[i], &inst->key[k++]));
	} else {
		for (int i = 0; i < n_key; i++)
			TRY(set_known(inst, &inst->val[p->g->input.at[i]->id], &inst->key[i]));
	}
	TRY(infer_segment(p, inst));
	TRY(tarn_cpu_place(p, inst));
	int n_step = inst->end_step - inst->first_step;
	inst->plan = tarn_arena_zalloc(&inst->arena, (size_t)n_step + 1, sizeof *inst->plan);
	if (!inst->plan)
		return tarn_err_nomem((size_t)n_step * sizeof *inst->plan);
	for (int s = inst->first_step; s < inst->end_step; s++) {
		const cpu_step *step = &p->step.at[s];
		tarn_err err = step->k->plan ? step->k->plan(inst, step, p, &inst->plan[s - inst->first_step]) : TARN_OK;
		if (err != TARN_OK)
			return tarn_err_note(err, "in node '%s' (%s)", step->name, step->type);
	}
	return TARN_OK;
}

/* The least recently used sibling nobody runs makes room. Called with the lock held. */
static void evict(cpu_program *p, cpu_instance **list)
{
	int n = 0;
	cpu_instance **oldest = NULL;
	for (cpu_instance **i = list; *i; i = &(*i)->next, n++)
		if (!(*i)->users && (!oldest || (*i)->used < (*oldest)->used))
			oldest = i;
	if (n < MAX_SIBLINGS || !oldest)
		return;
	cpu_instance *gone = *oldest;
	*oldest = gone->next;
	instance_free(p, gone);
}

tarn_err tarn_cpu_instance_find(cpu_program *p, cpu_instance *parent, const tarn_tensor *key, int n_key, cpu_instance **out)
{
	tarn_mutex_lock(&p->lock);
	cpu_instance **list = parent ? &parent->child : &p->instances, *i = *list;
	while (i && !same_key(i, key, n_key))
		i = i->next;
	tarn_err err = TARN_OK;
	if (!i) {
		evict(p, list);
		i = tarn_mem_zalloc(1, sizeof *i);
		err = i ? TARN_OK : tarn_err_nomem(sizeof *i);
		if (i) {
			i->parent = parent;
			i->syms.arena = &i->arena;
			i->first_node = parent ? parent->end_node : 0;
			i->first_step = parent ? parent->end_step : 0;
			err = fill(p, i, key, n_key);
		}
		if (err == TARN_OK) {
			i->next = *list;
			*list = i;
		} else if (i) {
			instance_free(p, i);
		}
	}
	if (err == TARN_OK) {
		i->used = ++p->clock;
		i->users++;
		*out = i;
	}
	tarn_mutex_unlock(&p->lock);
	return err;
}

void tarn_cpu_instance_release(cpu_program *p, cpu_instance *inst)
{
	tarn_mutex_lock(&p->lock);
	inst->users--;
	tarn_mutex_unlock(&p->lock);
}
