/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dev/cpu/cpu.h"

tarn_tensor tarn_cpu_tensor(const cpu_run *r, int slot)
{
	const tarn_value *v = tarn_cpu_val(r->inst, r->p, slot);
	tarn_tensor t = {.type = tarn_cpu_type(r->inst, r->p, slot), .rank = v->shape.rank, .data = r->ptr[slot]};
	for (int i = 0; i < t.rank; i++)
		t.dim[i] = v->shape.dim[i];
	return t;
}

int64_t tarn_cpu_count(const cpu_instance *inst, const cpu_program *p, int slot)
{
	int64_t n = 0;
	return tarn_shape_count(&tarn_cpu_val(inst, p, slot)->shape, &n) == TARN_OK ? n : 0;
}

typedef struct split {
	int64_t n;
	void (*fn)(void *, int64_t, int64_t);
	void *arg;
} split;

static void split_task(void *arg, int task, int n_tasks)
{
	const split *s = arg;
	int64_t begin = s->n * task / n_tasks, end = s->n * (task + 1) / n_tasks;
	if (begin < end)
		s->fn(s->arg, begin, end);
}

void tarn_cpu_split(tarn_pool *pool, int64_t n, int64_t grain, void (*fn)(void *arg, int64_t begin, int64_t end), void *arg)
{
	int64_t pieces = grain > 0 ? n / grain : n, threads = tarn_pool_threads(pool);
	if (pieces <= 1 || threads == 1) {
		if (n > 0)
			fn(arg, 0, n);
		return;
	}
	split s = {n, fn, arg};
	tarn_pool_run(pool, (int)(pieces < threads ? pieces : threads), split_task, &s);
}

/* Multiply-accumulates that take a thread a few microseconds: less is not worth waking another. */
enum { WORK_OF_A_PIECE = 1 << 17, ROWS_TO_HIDE_WEIGHTS = 4 };

int64_t tarn_cpu_product_work(int64_t rows, int64_t weights)
{
	return (rows < ROWS_TO_HIDE_WEIGHTS ? ROWS_TO_HIDE_WEIGHTS : rows) * weights;
}

void tarn_cpu_split_work(tarn_pool *pool, int64_t n, int64_t macs, void (*fn)(void *arg, int64_t begin, int64_t end), void *arg)
{
	int64_t pieces = macs / WORK_OF_A_PIECE;
	tarn_cpu_split(pool, n, pieces > 1 ? (n + pieces - 1) / pieces : n, fn, arg);
}

/* The user's tensor can take the result as it is. */
static bool fits(const tarn_tensor *t, const tarn_value *v)
{
	tarn_shape s = tarn_tensor_shape(t);
	return t->data && t->type == v->type && tarn_shape_same(&s, &v->shape);
}

static tarn_err new_like(const tarn_value *v, tarn_tensor *t)
{
	return tarn_tensor_new(v->type, v->shape.rank, v->shape.dim, t);
}

static tarn_err new_carried(const cpu_instance *inst, const cpu_program *p, int slot, tarn_tensor *t)
{
	const tarn_shape *s = &tarn_cpu_val(inst, p, slot)->shape;
	return tarn_tensor_new(tarn_cpu_type(inst, p, slot), s->rank, s->dim, t);
}

/* Outputs written in place need their bytes before the segment runs. */
static tarn_err make_output(cpu_run *r, int slot, void **at)
{
	for (size_t i = 0; i < r->p->g->output.len; i++) {
		if (r->inst->root[r->p->output_slot[i]] != r->inst->root[slot])
			continue;
		const tarn_value *v = tarn_cpu_val(r->inst, r->p, r->p->output_slot[i]);
		if (!fits(&r->out[i], v)) {
			tarn_tensor_fini(&r->out[i]);
			TRY(new_like(v, &r->out[i]));
		}
		*at = r->out[i].data;
		return TARN_OK;
	}
	return tarn_err_set(TARN_INTERNAL, "slot %d is no output", slot);
}

static tarn_err bind(cpu_run *r, char *arena)
{
	cpu_program *p = r->p;
	cpu_instance *inst = r->inst;
	int last = inst->end_step - 1;
	for (int i = 0; i < (int)p->slot.len; i++) {
		const cpu_slot *s = &p->slot.at[i];
		if (s->step >= inst->end_step)
			continue;
		if (inst->root[i] != i)
			continue;
		switch (inst->place[i]) {
		case CPU_ARENA:
			r->ptr[i] = arena + inst->offset[i];
			break;
		case CPU_CONST:
			r->ptr[i] = s->konst->data;
			break;
		case CPU_OUTPUT:
			TRY(make_output(r, i, &r->ptr[i]));
			break;
		case CPU_CARRIED:
			if (s->step >= inst->first_step && !(inst->data_end && s->step == last))
				TRY(new_carried(inst, p, i, &r->carried[i]));
			r->ptr[i] = r->carried[i].data;
			break;
		default:
			break;
		}
	}
	for (size_t i = 0; i < p->g->input.len; i++)
		r->ptr[p->input_slot[i]] = r->in[i]->data;
	for (int i = 0; i < (int)p->slot.len; i++)
		if (inst->root[i] != i)
			r->ptr[i] = r->ptr[inst->root[i]];
	return TARN_OK;
}

static tarn_err profile(cpu_run *r, const cpu_step *s, int64_t ns)
{
	TRY(VEC_GROW(&r->request->layer));
	r->request->layer.at[r->request->layer.len++] = (tarn_layer_profile){
		.name = s->name,
		.type = s->type,
		.engine = s->engine ? s->engine : s->k->name,
		.ms = (double)ns / 1e6,
		.active_cycles = NAN,
		.stall_cycles = NAN,
	};
	return TARN_OK;
}

static tarn_err run_steps(cpu_run *r, bool counted)
{
	cpu_instance *inst = r->inst;
	for (int k = inst->first_step; k < inst->end_step; k++) {
		const cpu_step *s = &r->p->step.at[k];
		if (r->request && atomic_load_explicit(&r->request->cancel, memory_order_relaxed))
			return tarn_err_set(TARN_CANCELLED, "the request was cancelled");
		int64_t t = counted ? tarn_clock_ns() : 0;
		tarn_err err = s->k->run(r, s, inst->plan[k - inst->first_step]);
		if (err != TARN_OK)
			return tarn_err_note(err, "in node '%s' (%s)", s->name, s->type);
		if (counted)
			TRY(profile(r, s, tarn_clock_ns() - t));
	}
	return TARN_OK;
}

/* What the data-dependent last node of a segment gave: the key of the next one. */
static int key_of(const cpu_run *r, tarn_tensor *key)
{
	const tarn_node *n = r->p->g->node.at[r->inst->end_node - 1];
	const cpu_step *s = &r->p->step.at[r->inst->end_step - 1];
	int count = 0;
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i])
			key[count++] = r->carried[s->out[i]];
	return count;
}

static tarn_err collect_outputs(cpu_run *r)
{
	cpu_program *p = r->p;
	for (size_t i = 0; i < p->g->output.len; i++) {
		int slot = p->output_slot[i];
		if (r->out[i].data && r->ptr[slot] == r->out[i].data)
			continue;
		if (r->inst->place[slot] == CPU_CARRIED && !r->out[i].data) {
			r->out[i] = tarn_tensor_share(&r->carried[r->inst->root[slot]]);
			tarn_tensor t = tarn_cpu_tensor(r, slot); /* a view may have another shape than its root */
			r->out[i].rank = t.rank;
			memcpy(r->out[i].dim, t.dim, sizeof t.dim);
			continue;
		}
		tarn_tensor t = tarn_cpu_tensor(r, slot);
		if (!fits(&r->out[i], tarn_cpu_val(r->inst, p, slot))) {
			tarn_tensor_fini(&r->out[i]);
			TRY(tarn_tensor_copy(&t, &r->out[i]));
		} else {
			memcpy(r->out[i].data, t.data, tarn_tensor_bytes(&t));
		}
	}
	return TARN_OK;
}

static tarn_err run_segments(cpu_run *r, tarn_buffer **arena)
{
	cpu_program *p = r->p;
	tarn_arena scratch = {0};
	size_t most = p->g->input.len;
	for (size_t i = 0; i < p->g->node.len; i++)
		if ((size_t)p->g->node.at[i]->n_out > most)
			most = (size_t)p->g->node.at[i]->n_out;
	bool counted = r->request && !r->body && tarn_props_find(&r->request->program->props, "PERF_COUNT") &&
		       !strcmp(tarn_props_find(&r->request->program->props, "PERF_COUNT"), "YES");
	tarn_err err = TARN_OK;
	cpu_instance *parent = NULL;
	VEC(cpu_instance *) held = {0};
	tarn_tensor *key = tarn_arena_zalloc(&scratch, most + 1, sizeof *key);
	r->ptr = tarn_arena_zalloc(&scratch, p->slot.len + 1, sizeof *r->ptr);
	r->carried = tarn_arena_zalloc(&scratch, p->slot.len + 1, sizeof *r->carried);
	if (!key || !r->ptr || !r->carried) {
		err = tarn_err_nomem(p->slot.len * sizeof *r->carried);
		goto out;
	}
	int n_key = (int)p->g->input.len;
	for (int i = 0; i < n_key; i++)
		key[i] = *r->in[i];
	for (;;) {
		TRY_GOTO(out, VEC_GROW(&held));
		TRY_GOTO(out, tarn_cpu_instance_find(p, parent, key, n_key, &r->inst));
		held.at[held.len++] = r->inst;
		if (!*arena || (*arena)->size < r->inst->arena_size) {
			tarn_buffer_unref(*arena);
			*arena = NULL;
			TRY_GOTO(out, tarn_buffer_new(r->inst->arena_size + 64, arena));
		}
		TRY_GOTO(out, bind(r, (*arena)->at));
		TRY_GOTO(out, run_steps(r, counted));
		if (!r->inst->data_end)
			break;
		n_key = key_of(r, key);
		parent = r->inst;
	}
	err = collect_outputs(r);
out:
	for (size_t i = 0; i < held.len; i++)
		tarn_cpu_instance_release(p, held.at[i]);
	VEC_FINI(&held);
	for (size_t i = 0; r->carried && i < p->slot.len; i++)
		tarn_tensor_fini(&r->carried[i]);
	tarn_arena_fini(&scratch);
	return err;
}

static tarn_err run_graph(cpu_run *r, tarn_buffer **arena)
{
	const tarn_graph *g = r->p->g;
	/* Here too: a loop may be long though its body is short. */
	CHECK(!r->request || !atomic_load_explicit(&r->request->cancel, memory_order_relaxed), TARN_CANCELLED,
	      "the request was cancelled");
	for (size_t i = 0; i < g->input.len; i++) {
		const tarn_value *v = g->input.at[i];
		const tarn_tensor *t = r->in[i];
		CHECK(t && t->data, TARN_SHAPE, "input '%s' was not given", v->name);
		CHECK(v->type == TARN_DTYPE_NONE || t->type == v->type, TARN_TYPE, "input '%s' is %s; it was given %s", v->name,
		      tarn_dtype_info(v->type)->word, tarn_dtype_info(t->type)->word);
	}
	return run_segments(r, arena);
}

tarn_err tarn_cpu_graph_run(cpu_program *p, tarn_pool *pool, tarn_buffer **arena, const tarn_tensor *const *in,
			    tarn_tensor *out, tarn_request *request)
{
	cpu_run r = {.p = p, .pool = pool, .in = in, .out = out, .request = request};
	return run_graph(&r, arena);
}

tarn_err tarn_cpu_body_run(cpu_program *p, const cpu_run *outer, const tarn_tensor *const *in, tarn_tensor *out)
{
	tarn_buffer *arena = NULL;
	cpu_run r = {.p = p, .pool = outer->pool, .in = in, .out = out, .request = outer->request, .body = true};
	tarn_err err = run_graph(&r, &arena);
	tarn_buffer_unref(arena);
	return err;
}
