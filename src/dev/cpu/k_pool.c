/* SPDX-License-Identifier: Apache-2.0 */
/* f32 pooling, channels-last: MaxPool, AveragePool and the global ones; one or two spatial axes. */
#include "dev/cpu/cpu.h"
#include "ops/ops.h"
#include "spec/spec.h"

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	static const char *const ops[] = {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"};
	const tarn_node *n = g->main;
	bool mine = false;
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		mine |= n->op == tarn_op_find(NULL, ops[i]);
	int rank = n->n_in ? n->in[0]->shape.rank : -1;
	if (!mine || n->in[0]->type != TARN_F32 || rank < 3 || rank > 4 || (n->n_out > 1 && n->out[1]))
		return TARN_OK;
	int in, out;
	TRY(tarn_cpu_want(b, n->in[0], CPU_NHWC, &in));
	TRY(tarn_cpu_give(b, n->out[0], CPU_NHWC, &out));
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_pool, g, &in, 1, &out, 1, NULL, -1));
	*taken = true;
	return TARN_OK;
}

tarn_err tarn_cpu_plan_pool(cpu_instance *inst, const tarn_node *n, const tarn_shape *x, const tarn_shape *y, tarn_pool2d **out)
{
	*out = tarn_arena_alloc(&inst->arena, sizeof **out);
	return *out ? tarn_spec_pool(n, x, y, *out) : tarn_err_nomem(sizeof **out);
}

static tarn_err plan(cpu_instance *inst, const cpu_step *step, const cpu_program *p, void **out)
{
	return tarn_cpu_plan_pool(inst, step->node, &tarn_cpu_val(inst, p, step->in[0])->shape,
				  &tarn_cpu_val(inst, p, step->out[0])->shape, (tarn_pool2d **)out);
}

typedef struct pool_job {
	const tarn_pool2d *c;
	const float *in;
	float *out;
} pool_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const pool_job *j = arg;
	tarn_pool2d_f32_run(j->c, j->in, j->out, (int)begin, (int)end);
}

static tarn_err run(cpu_run *r, const cpu_step *step, void *plan_of)
{
	pool_job j = {plan_of, r->ptr[step->in[0]], r->ptr[step->out[0]]};
	tarn_cpu_split_work(r->pool, tarn_pool2d_f32_tasks(j.c), 16 * tarn_cpu_count(r->inst, r->p, step->in[0]), work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_pool = {.name = "f32 pooling", .build = build, .plan = plan, .run = run};
