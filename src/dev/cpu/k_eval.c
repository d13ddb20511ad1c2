/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's own reference code: right for everything, slow. Control flow runs its bodies as programs of their own. */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"

typedef struct eval_state {
	int n_body;
	cpu_program *body[];
} eval_state;

static void state_free(void *state)
{
	eval_state *s = state;
	for (int i = 0; i < s->n_body; i++)
		tarn_cpu_program_free(s->body[i]);
	tarn_mem_free(s);
}

/* Work worth a word: more than a few multiplications per output element, or many elements. */
static bool worth_a_note(const tarn_node *n)
{
	int64_t count = 0;
	return !(n->op->flags & TARN_OP_CONTROL) && n->out[0] && tarn_shape_is_static(&n->out[0]->shape) &&
	       tarn_shape_count(&n->out[0]->shape, &count) == TARN_OK && count > 4096;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	CHECK(g->last == n, TARN_INTERNAL, "a group without a kernel");
	tarn_arena scratch = {0};
	tarn_err err = TARN_OK;
	eval_state *st = tarn_mem_zalloc(1, sizeof *st + (size_t)n->n_body * sizeof *st->body);
	int *in = tarn_arena_zalloc(&scratch, (size_t)n->n_in, sizeof *in),
	    *out = tarn_arena_zalloc(&scratch, (size_t)n->n_out, sizeof *out);
	if (!st || !in || !out) {
		err = tarn_err_nomem(sizeof *st);
		goto out;
	}
	for (; st->n_body < n->n_body; st->n_body++)
		TRY_GOTO(out, tarn_cpu_program_new(n->body[st->n_body], b->p->owner, b->packs, &st->body[st->n_body]));
	for (int i = 0; i < n->n_in; i++) {
		in[i] = -1;
		if (n->in[i])
			TRY_GOTO(out, tarn_cpu_want(b, n->in[i], CPU_PLAIN, &in[i]));
	}
	for (int i = 0; i < n->n_out; i++) {
		out[i] = -1;
		if (n->out[i])
			TRY_GOTO(out, tarn_cpu_give(b, n->out[i], CPU_PLAIN, &out[i]));
	}
	if (b->p->owner && worth_a_note(n))
		TRY_GOTO(out,
			 tarn_program_note(b->p->owner, "node '%s' (%s) runs on the reference code: no fast kernel takes it",
					   n->name, n->op->name));
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_eval, g, in, n->n_in, out, n->n_out, st, -1));
	*taken = true;
	st = NULL;
out:
	if (st)
		state_free(st);
	tarn_arena_fini(&scratch);
	return err;
}

static tarn_err run_body(tarn_eval *e, int body, const tarn_tensor *const *in, int n_in, tarn_tensor *out, int n_out)
{
	void **ctx = e->ctx;
	eval_state *st = ctx[0];
	const tarn_graph *g = st->body[body]->g;
	CHECK((size_t)n_in == g->input.len && (size_t)n_out == g->output.len, TARN_INTERNAL,
	      "body %d has other inputs or outputs", body);
	return tarn_cpu_body_run(st->body[body], ctx[1], in, out);
}

static tarn_err run(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	const tarn_node *n = s->node;
	tarn_arena scratch = {0};
	tarn_err err = TARN_OK;
	tarn_tensor *t = tarn_arena_zalloc(&scratch, (size_t)n->n_in + (size_t)n->n_out, sizeof *t);
	const tarn_tensor **in = tarn_arena_zalloc(&scratch, (size_t)n->n_in, sizeof *in);
	if (!t || !in) {
		err = tarn_err_nomem((size_t)n->n_in * sizeof *t);
		goto out;
	}
	tarn_tensor *out = t + n->n_in;
	for (int i = 0; i < n->n_in; i++)
		if (s->in[i] >= 0) {
			t[i] = tarn_cpu_tensor(r, s->in[i]);
			in[i] = &t[i];
		}
	for (int i = 0; i < n->n_out; i++)
		if (s->out[i] >= 0 && r->ptr[s->out[i]])
			out[i] = tarn_cpu_tensor(r, s->out[i]);
	void *ctx[] = {s->state, r};
	TRY_GOTO(out, tarn_node_eval_into(n, in, out, run_body, ctx));
	for (int i = 0; i < n->n_out; i++) {
		if (s->out[i] < 0 || out[i].data == r->ptr[s->out[i]])
			continue;
		/* sizes were not known before: the tensor is carried; what a body passed through is copied to have an owner */
		tarn_tensor_fini(&r->carried[s->out[i]]);
		if (out[i].buf)
			r->carried[s->out[i]] = out[i];
		else
			TRY_GOTO(out, tarn_tensor_copy(&out[i], &r->carried[s->out[i]]));
		r->ptr[s->out[i]] = r->carried[s->out[i]].data;
	}
out:
	tarn_arena_fini(&scratch);
	return err;
}

const cpu_kernel tarn_cpu_k_eval = {.name = "reference", .build = build, .run = run, .state_free = state_free};
