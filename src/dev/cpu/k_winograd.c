/* SPDX-License-Identifier: Apache-2.0 */
/*
 * f32 3x3 convolution of stride 1 by Winograd's filtering, where the sizes are known and make it worthwhile. Its rounding is
 * about twice that of direct summation, so EXECUTION_MODE_HINT=ACCURACY keeps to k_conv.c.
 */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"
#include "spec/spec.h"

typedef struct wino_state {
	tarn_winograd_f32 *conv;
	tarn_epilogue epilogue;
	bool has_residual;
} wino_state;

static void state_free(void *state)
{
	wino_state *s = state;
	tarn_share_drop(s->conv);
	tarn_mem_free(s);
}

static bool accuracy_first(const cpu_build *b)
{
	const tarn_program *p = b->p->owner;
	const char *mode = p ? tarn_props_value(&p->props, "CPU", "EXECUTION_MODE_HINT") : NULL;
	return mode && !strcmp(mode, "ACCURACY");
}

static bool is_known(const tarn_shape *s)
{
	return tarn_dim_is_static(s->dim[2]) && tarn_dim_is_static(s->dim[3]);
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	const tarn_value *w = n->n_in > 1 ? n->in[1] : NULL, *bias = n->n_in > 2 ? n->in[2] : NULL;
	if (n->op != tarn_op_find(NULL, "Conv") || n->in[0]->type != TARN_F32 || !w || !w->konst || w->type != TARN_F32 ||
	    w->konst->rank != 4 || (bias && !bias->konst) || n->in[0]->shape.rank != 4 || n->out[0]->shape.rank != 4 ||
	    accuracy_first(b))
		return TARN_OK;
	const tarn_tensor *wt = w->konst;
	tarn_conv_spec spec;
	tarn_conv_shape shape;
	if (!is_known(&n->in[0]->shape) || !is_known(&n->out[0]->shape))
		return TARN_OK;
	TRY(tarn_spec_conv(n, wt->dim, wt->rank, &spec));
	TRY(tarn_spec_conv_shape(n, wt->dim, &n->in[0]->shape, &n->out[0]->shape, &shape));
	shape.n = 1; /* worth it or not by the image, however many there will be */
	if (!tarn_winograd_f32_worth(&spec, &shape) || (bias && tarn_tensor_count(bias->konst) != spec.oc))
		return TARN_OK;
	wino_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	s->epilogue = g->epilogue;
	s->has_residual = g->residual;
	int in[2] = {-1, -1}, out;
	tarn_err err;
	TRY_GOTO(out, tarn_share_winograd(b->packs, &spec, wt->data, bias ? bias->konst->data : NULL, &s->conv));
	TRY_GOTO(out, tarn_cpu_want(b, n->in[0], CPU_NHWC, &in[0]));
	if (g->residual)
		TRY_GOTO(out, tarn_cpu_want(b, g->residual, CPU_NHWC, &in[1]));
	TRY_GOTO(out, tarn_cpu_give(b, g->last->out[0], CPU_NHWC, &out));
	int in_place = g->residual && !g->epilogue.residual_after ? 1 : -1;
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_winograd, g, in, 2, &out, 1, s, in_place));
	*taken = true;
	s = NULL;
out:
	if (s)
		state_free(s);
	return err;
}

/* Scratch memory is kept between runs: one piece for each run going on at once. */
typedef struct piece {
	struct piece *next;
	size_t bytes; /* behind the first TARN_ALIGN bytes */
} piece;

typedef struct wino_plan {
	tarn_conv_shape shape;
	int tasks;
	size_t bytes; /* for one thread */
	tarn_mutex lock;
	piece *idle;
} wino_plan;

static void plan_free(void *plan)
{
	wino_plan *p = plan;
	for (piece *s = p->idle, *next; s; s = next) {
		next = s->next;
		tarn_mem_free_aligned(s);
	}
	tarn_mutex_fini(&p->lock);
	tarn_mem_free(p);
}

static tarn_err plan(cpu_instance *inst, const cpu_step *step, const cpu_program *p, void **out)
{
	const wino_state *s = step->state;
	const tarn_value *x = tarn_cpu_val(inst, p, step->in[0]), *y = tarn_cpu_val(inst, p, step->out[0]);
	tarn_conv_shape shape;
	TRY(tarn_spec_conv_shape(step->node, step->node->in[1]->konst->dim, &x->shape, &y->shape, &shape));
	wino_plan *w = tarn_mem_zalloc(1, sizeof *w);
	if (!w)
		return tarn_err_nomem(sizeof *w);
	tarn_mutex_init(&w->lock);
	w->shape = shape;
	w->tasks = tarn_winograd_f32_tasks(s->conv, &w->shape);
	w->bytes = (tarn_winograd_f32_scratch(s->conv, &w->shape) + TARN_ALIGN - 1) / TARN_ALIGN * TARN_ALIGN;
	*out = w;
	return TARN_OK;
}

static piece *take(wino_plan *w, size_t bytes)
{
	tarn_mutex_lock(&w->lock);
	piece *s = w->idle;
	if (s)
		w->idle = s->next;
	tarn_mutex_unlock(&w->lock);
	if (s && s->bytes >= bytes)
		return s;
	tarn_mem_free_aligned(s);
	s = tarn_mem_alloc_aligned(TARN_ALIGN + bytes);
	if (s)
		s->bytes = bytes;
	return s;
}

typedef struct wino_job {
	const tarn_winograd_f32 *conv;
	tarn_winograd_f32_args args;
	int tasks;
	size_t bytes;
	char *scratch;
} wino_job;

static void work(void *arg, int part, int parts)
{
	const wino_job *j = arg;
	int begin = (int)((int64_t)j->tasks * part / parts), end = (int)((int64_t)j->tasks * (part + 1) / parts);
	tarn_winograd_f32_run(j->conv, &j->args, begin, end, j->scratch + (size_t)part * j->bytes);
}

static tarn_err run(cpu_run *r, const cpu_step *step, void *plan)
{
	const wino_state *s = step->state;
	wino_plan *w = plan;
	int parts = tarn_pool_threads(r->pool);
	parts = parts < w->tasks ? parts : w->tasks;
	if (parts < 1)
		return TARN_OK;
	piece *scratch = take(w, (size_t)parts * w->bytes);
	if (!scratch)
		return tarn_err_nomem((size_t)parts * w->bytes);
	wino_job j = {s->conv,
		      {w->shape, s->epilogue, r->ptr[step->in[0]], r->ptr[step->out[0]], NULL},
		      w->tasks,
		      w->bytes,
		      (char *)scratch + TARN_ALIGN};
	j.args.residual = s->has_residual ? r->ptr[step->in[1]] : NULL;
	tarn_pool_run(r->pool, parts, work, &j);
	tarn_mutex_lock(&w->lock);
	scratch->next = w->idle;
	w->idle = scratch;
	tarn_mutex_unlock(&w->lock);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_winograd = {
	.name = "f32 Winograd", .build = build, .plan = plan, .plan_free = plan_free, .run = run, .state_free = state_free};
