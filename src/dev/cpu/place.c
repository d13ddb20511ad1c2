/* SPDX-License-Identifier: Apache-2.0 */
/* Which slot lives where: views and in-place results share bytes, what is dead makes room, what outlives the segment is
 * carried. */
#include <limits.h>

#include "dev/cpu/cpu.h"
#include "base/plan.h"

typedef struct placing {
	cpu_program *p;
	cpu_instance *inst;
	int *first, *last; /* by root slot: life in steps */
	unsigned char *place;
} placing;

static int root_of(const cpu_instance *inst, int s)
{
	while (inst->root[s] != s)
		s = inst->root[s];
	return s;
}

static size_t bytes_of(const placing *x, int slot)
{
	const tarn_value *v = tarn_cpu_val(x->inst, x->p, slot);
	int64_t n;
	size_t bytes;
	return tarn_shape_count(&v->shape, &n) == TARN_OK &&
			       tarn_dtype_bytes(tarn_cpu_type(x->inst, x->p, slot), (size_t)n, &bytes)
		       ? bytes
		       : 0;
}

static void join(placing *x, int root, int slot)
{
	int s = root_of(x->inst, slot);
	if (s == root)
		return;
	x->inst->root[s] = root;
	if (x->last[s] > x->last[root])
		x->last[root] = x->last[s];
	if (x->first[s] < x->first[root])
		x->first[root] = x->first[s];
}

static bool in_segment(const cpu_instance *inst, const cpu_slot *s)
{
	return s->step >= inst->first_step && s->step < inst->end_step;
}

/* Where each slot would live if it shared with nobody. */
static void own_places(placing *x)
{
	cpu_program *p = x->p;
	cpu_instance *inst = x->inst;
	for (int i = 0; i < (int)p->slot.len; i++) {
		const cpu_slot *s = &p->slot.at[i];
		inst->root[i] = i;
		x->first[i] = s->step;
		x->last[i] = s->last < s->step ? s->step : s->last;
		x->place[i] = s->konst ? CPU_CONST : CPU_NOWHERE;
		if (in_segment(inst, s)) {
			bool data = inst->data_end && s->step == inst->end_step - 1;
			bool beyond = s->last >= inst->end_step && s->last != INT_MAX;
			/* An output of an earlier segment also outlives it. */
			bool late_output = s->last == INT_MAX && (inst->data_end || inst->end_step < (int)p->step.len);
			x->place[i] = data || beyond || late_output ? CPU_CARRIED : CPU_ARENA;
		} else if (s->step >= 0 && s->step < inst->first_step) {
			x->place[i] = CPU_CARRIED;
		}
	}
	for (size_t i = 0; i < p->g->input.len; i++)
		x->place[p->input_slot[i]] = CPU_INPUT;
}

/* Views first: then every root's life is known, and an in-place step can tell whether its input really dies. */
static void share(placing *x)
{
	cpu_program *p = x->p;
	cpu_instance *inst = x->inst;
	for (int i = 0; i < (int)p->slot.len; i++) {
		const cpu_slot *s = &p->slot.at[i];
		if (s->view_of >= 0 && in_segment(inst, s) && x->place[i] == CPU_ARENA)
			join(x, root_of(inst, s->view_of), i);
	}
	for (int k = inst->first_step; k < inst->end_step; k++) {
		const cpu_step *s = &p->step.at[k];
		if (s->in_place < 0 || s->in[s->in_place] < 0 || s->out[0] < 0)
			continue;
		int from = root_of(inst, s->in[s->in_place]), to = root_of(inst, s->out[0]);
		bool alone = true; /* a kernel may still read another input while it writes */
		for (int i = 0; i < s->n_in; i++)
			alone &= i == s->in_place || s->in[i] < 0 || root_of(inst, s->in[i]) != from;
		if (alone && from != to && x->place[from] == CPU_ARENA && x->place[to] == CPU_ARENA && x->last[from] == k &&
		    bytes_of(x, s->in[s->in_place]) == bytes_of(x, s->out[0]) && bytes_of(x, from) >= bytes_of(x, s->out[0]))
			join(x, from, to);
	}
}

/* The bytes of an output's tensor serve as the slot's memory when nothing else lives there. */
static void bind_outputs(placing *x)
{
	cpu_program *p = x->p;
	cpu_instance *inst = x->inst;
	for (size_t i = 0; i < p->g->output.len; i++) {
		int r = root_of(inst, p->output_slot[i]), sharing = 0;
		for (size_t k = 0; k < p->g->output.len; k++)
			sharing += root_of(inst, p->output_slot[k]) == r;
		if (x->place[r] == CPU_ARENA && sharing == 1 && bytes_of(x, r) == bytes_of(x, p->output_slot[i]))
			x->place[r] = CPU_OUTPUT;
	}
}

static tarn_err assign(placing *x, tarn_arena *scratch)
{
	cpu_program *p = x->p;
	cpu_instance *inst = x->inst;
	size_t n = p->slot.len, used = 0;
	tarn_usage *use = tarn_arena_zalloc(scratch, n + 1, sizeof *use);
	int *which = tarn_arena_zalloc(scratch, n + 1, sizeof *which);
	size_t *at = tarn_arena_zalloc(scratch, n + 1, sizeof *at);
	if (!use || !which || !at)
		return tarn_err_nomem(n * sizeof *use);
	for (int i = 0; i < (int)n; i++)
		if (inst->root[i] == i && x->place[i] == CPU_ARENA) {
			which[used] = i;
			int last = x->last[i] >= inst->end_step ? inst->end_step - 1 : x->last[i];
			/* kernels may read one vector past the end of what they were given */
			use[used++] = (tarn_usage){bytes_of(x, i) + 64, x->first[i], last};
		}
	TRY(tarn_plan(use, (int)used, at, &inst->arena_size));
	for (size_t k = 0; k < used; k++)
		inst->offset[which[k]] = at[k];
	for (int i = 0; i < (int)n; i++) {
		int r = root_of(inst, i);
		inst->root[i] = r;
		inst->place[i] = x->place[r];
	}
	return TARN_OK;
}

tarn_err tarn_cpu_place(cpu_program *p, cpu_instance *inst)
{
	size_t n = p->slot.len + 1;
	tarn_arena scratch = {0};
	placing x = {.p = p, .inst = inst};
	x.first = tarn_arena_zalloc(&scratch, n, sizeof *x.first);
	x.last = tarn_arena_zalloc(&scratch, n, sizeof *x.last);
	x.place = tarn_arena_zalloc(&scratch, n, 1);
	inst->root = tarn_arena_zalloc(&inst->arena, n, sizeof *inst->root);
	inst->offset = tarn_arena_zalloc(&inst->arena, n, sizeof *inst->offset);
	inst->place = tarn_arena_zalloc(&inst->arena, n, 1);
	tarn_err err =
		x.first && x.last && x.place && inst->root && inst->offset && inst->place ? TARN_OK : tarn_err_nomem(n * 16);
	if (err == TARN_OK) {
		own_places(&x);
		share(&x);
		bind_outputs(&x);
		err = assign(&x, &scratch);
	}
	tarn_arena_fini(&scratch);
	return err;
}
