/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 operators between two quantized values, and pooling of codes. */
#include <math.h>
#include <string.h>

#include "dev/cpu/cpu.h"
#include "ops/ops.h"
#include "ops/window.h"

/* ---- addition, subtraction, multiplication ---- */

/* Codes that clamp a result like the activation does; the whole range without one. */
static void clamp_of(const tarn_node *act, const cpu_code *y, int *lo, int *hi)
{
	*lo = y->type == TARN_I8 ? -128 : 0;
	*hi = y->type == TARN_I8 ? 127 : 255;
	tarn_epilogue e;
	if (!act || !tarn_cpu_activation(act, &e))
		return;
	float limit[2] = {e.act == TARN_UNARY_RELU ? 0 : e.alpha, e.act == TARN_UNARY_RELU ? INFINITY : e.beta};
	for (int i = 0; i < 2; i++) {
		uint8_t q;
		if (isinf(limit[i]))
			continue;
		tarn_quantize_f32(&limit[i], &q, tarn_cpu_code_type(y->type), y->scale, y->zero, 1);
		*(i ? hi : lo) = y->type == TARN_I8 ? (int8_t)q : q;
	}
}

/* ReLU or Clip right before the quantizer. */
static const tarn_node *clamp_node(const tarn_node *n)
{
	tarn_epilogue e;
	return n && tarn_cpu_activation(n, &e) && (e.act == TARN_UNARY_RELU || e.act == TARN_UNARY_CLAMP) ? n : NULL;
}

static tarn_err build_qbinary(cpu_build *b, const cpu_group *g, bool *taken)
{
	static const char *const ops[] = {"Add", "Sub", "Mul"};
	const tarn_node *q = g->main;
	cpu_code y;
	if (q->op != tarn_op_find(NULL, "QuantizeLinear") || g->last != q || q->in[0]->type != TARN_F32 ||
	    !tarn_cpu_code_params(q, &y))
		return TARN_OK;
	const tarn_node *act = clamp_node(q->in[0]->def), *n = act ? act->in[0]->def : q->in[0]->def;
	int op = 0;
	while (op < 3 && (!n || n->op != tarn_op_find(NULL, ops[op])))
		op++;
	if (op == 3 || n->in[0]->konst || n->in[1]->konst || !tarn_shape_same(&n->in[0]->shape, &n->in[1]->shape))
		return TARN_OK;
	const cpu_code *a = tarn_cpu_code_of(b, n->in[0]), *c = tarn_cpu_code_of(b, n->in[1]);
	if (!a || !c)
		return TARN_OK;
	tarn_qbinary st = {.op = op,
			   .a_type = tarn_cpu_code_type(a->type),
			   .b_type = tarn_cpu_code_type(c->type),
			   .y_type = tarn_cpu_code_type(y.type),
			   .a_scale = a->scale,
			   .b_scale = c->scale,
			   .y_scale = y.scale,
			   .a_zero = a->zero,
			   .b_zero = c->zero,
			   .y_zero = y.zero};
	clamp_of(act, &y, &st.lo, &st.hi);
	cpu_layout la = tarn_cpu_layout_of(b, n->in[0]), lb = tarn_cpu_layout_of(b, n->in[1]);
	cpu_layout layout = la == CPU_NHWC || lb == CPU_NHWC ? CPU_NHWC : CPU_PLAIN;
	int in[2], out;
	TRY(tarn_cpu_want_code(b, n->in[0], layout, &in[0]));
	TRY(tarn_cpu_want_code(b, n->in[1], layout, &in[1]));
	TRY(tarn_cpu_give(b, q->out[0], layout, &out));
	tarn_qbinary *state = tarn_arena_memdup(&b->p->arena, &st, sizeof st);
	if (!state)
		return tarn_err_nomem(sizeof st);
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_qbinary, g, in, 2, &out, 1, state, 0));
	*taken = true;
	return TARN_OK;
}

typedef struct qbinary_job {
	const tarn_qbinary *q;
	const char *a, *b;
	char *y;
} qbinary_job;

static void work_qbinary(void *arg, int64_t begin, int64_t end)
{
	const qbinary_job *j = arg;
	tarn_qbinary_run(j->q, j->a + begin, j->b + begin, j->y + begin, (size_t)(end - begin));
}

static tarn_err run_qbinary(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	qbinary_job j = {s->state, r->ptr[s->in[0]], r->ptr[s->in[1]], r->ptr[s->out[0]]};
	tarn_cpu_split(r->pool, tarn_cpu_count(r->inst, r->p, s->out[0]), 32768, work_qbinary, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_qbinary = {.name = "int8 elementwise", .build = build_qbinary, .run = run_qbinary};

/* ---- pooling ---- */

typedef struct qpool_state {
	const tarn_node *pool;
	tarn_qpool q;
} qpool_state;

static bool poolable(const tarn_node *n)
{
	return n && n->n_in && n->in[0]->type == TARN_F32 && (n->in[0]->shape.rank == 3 || n->in[0]->shape.rank == 4) &&
	       !(n->n_out > 1 && n->out[1]);
}

static tarn_err add_qpool(cpu_build *b, const cpu_group *g, const tarn_node *pool, const tarn_qpool *q, int out, bool *taken)
{
	int in;
	qpool_state st = {pool, *q}, *state = tarn_arena_memdup(&b->p->arena, &st, sizeof st);
	if (!state)
		return tarn_err_nomem(sizeof st);
	TRY(tarn_cpu_want_code(b, pool->in[0], CPU_NHWC, &in));
	*taken = true;
	return tarn_cpu_step_new(b, &tarn_cpu_k_qpool, g, &in, 1, &out, 1, state, -1);
}

/* A maximum of codes is the code of the maximum; an average is rounded to the quantizer's grid that follows. */
static tarn_err build_qpool(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	int out;
	if (n->op == tarn_op_find(NULL, "MaxPool") || n->op == tarn_op_find(NULL, "GlobalMaxPool")) {
		const cpu_code *c = poolable(n) ? tarn_cpu_code_of(b, n->in[0]) : NULL;
		if (!c)
			return TARN_OK;
		tarn_qpool q = {
			.type = tarn_cpu_code_type(c->type), .y_type = tarn_cpu_code_type(c->type), .lo = -128, .hi = 255};
		TRY(tarn_cpu_give_code(b, n->out[0], CPU_NHWC, c, &out));
		return add_qpool(b, g, n, &q, out, taken);
	}
	cpu_code y;
	if (n->op != tarn_op_find(NULL, "QuantizeLinear") || g->last != n || !tarn_cpu_code_params(n, &y))
		return TARN_OK;
	const tarn_node *p = n->in[0]->def;
	if (!poolable(p) || (p->op != tarn_op_find(NULL, "AveragePool") && p->op != tarn_op_find(NULL, "GlobalAveragePool")))
		return TARN_OK;
	const cpu_code *x = tarn_cpu_code_of(b, p->in[0]);
	if (!x)
		return TARN_OK;
	tarn_qpool q = {.type = tarn_cpu_code_type(x->type),
			.y_type = tarn_cpu_code_type(y.type),
			.x_zero = x->zero,
			.zero = y.zero,
			.scale = (float)((double)x->scale / y.scale)};
	clamp_of(NULL, &y, &q.lo, &q.hi);
	TRY(tarn_cpu_give(b, n->out[0], CPU_NHWC, &out));
	return add_qpool(b, g, p, &q, out, taken);
}

static tarn_err plan_qpool(cpu_instance *inst, const cpu_step *s, const cpu_program *p, void **plan)
{
	const qpool_state *st = s->state;
	return tarn_cpu_plan_pool(inst, st->pool, &tarn_cpu_val(inst, p, s->in[0])->shape,
				  &tarn_cpu_val(inst, p, s->out[0])->shape, (tarn_pool2d **)plan);
}

typedef struct qpool_job {
	const tarn_pool2d *p;
	const tarn_qpool *q;
	const void *in;
	void *out;
} qpool_job;

static void work_qpool(void *arg, int64_t begin, int64_t end)
{
	const qpool_job *j = arg;
	tarn_qpool_run(j->p, j->q, j->in, j->out, (int)begin, (int)end);
}

static tarn_err run_qpool(cpu_run *r, const cpu_step *s, void *plan)
{
	const qpool_state *st = s->state;
	qpool_job j = {plan, &st->q, r->ptr[s->in[0]], r->ptr[s->out[0]]};
	tarn_cpu_split_work(r->pool, tarn_qpool_tasks(plan), 4 * tarn_cpu_count(r->inst, r->p, s->in[0]), work_qpool, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_qpool = {.name = "int8 pooling", .build = build_qpool, .plan = plan_qpool, .run = run_qpool};
