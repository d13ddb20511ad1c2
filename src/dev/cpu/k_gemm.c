/* SPDX-License-Identifier: Apache-2.0 */
/* f32 matrix products: Gemm and MatMul with a constant right side (packed once), and MatMul of two computed operands. */
#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/share.h"
#include "ops/ops.h"

typedef struct gemm_state {
	tarn_gemm_f32 *packed;
	cpu_product of;
} gemm_state;

static void state_free(void *state)
{
	gemm_state *s = state;
	tarn_share_drop(s->packed);
	tarn_mem_free(s);
}

bool tarn_cpu_bias_row(const tarn_tensor *c, int64_t cols, float beta, float *row)
{
	int64_t count = c ? tarn_tensor_count(c) : 0;
	if (!c || c->type != TARN_F32 || (count != 1 && (count != cols || c->dim[c->rank - 1] != cols)))
		return false;
	for (int64_t i = 0; i < cols; i++)
		row[i] = beta * ((const float *)c->data)[count == 1 ? 0 : i];
	return true;
}

/* The packed right side, or nothing when the node does not suit. */
static tarn_err pack(tarn_packs *packs, const tarn_node *n, const tarn_tensor *added, gemm_state *s)
{
	const tarn_tensor *w = n->in[1]->konst;
	bool gemm = n->op == tarn_op_find(NULL, "Gemm");
	bool ta = gemm && tarn_attr_i(n, tarn_attr_index(n->op, "transA")),
	     tb = gemm && tarn_attr_i(n, tarn_attr_index(n->op, "transB"));
	if (ta || (!gemm && n->in[0]->shape.rank < 2))
		return TARN_OK;
	s->of.k = (size_t)w->dim[tb];
	s->of.n = (size_t)w->dim[!tb];
	float alpha = gemm ? (float)tarn_attr_f(n, tarn_attr_index(n->op, "alpha")) : 1;
	float beta = gemm ? (float)tarn_attr_f(n, tarn_attr_index(n->op, "beta")) : 1;
	bool has_bias = added || (n->n_in > 2 && n->in[2]);
	float *row = has_bias ? tarn_mem_alloc(s->of.n * sizeof *row) : NULL, *scaled = NULL;
	tarn_err err = has_bias && !row ? tarn_err_nomem(s->of.n * sizeof *row) : TARN_OK;
	const float *b = w->data;
	if (err == TARN_OK && has_bias && !tarn_cpu_bias_row(added ? added : n->in[2]->konst, (int64_t)s->of.n, beta, row))
		goto out;
	if (err == TARN_OK && alpha != 1) {
		scaled = tarn_mem_alloc(s->of.k * s->of.n * sizeof *scaled);
		if (!scaled)
			err = tarn_err_nomem(s->of.k * s->of.n * sizeof *scaled);
		for (size_t i = 0; scaled && i < s->of.k * s->of.n; i++)
			scaled[i] = alpha * b[i];
		b = scaled;
	}
	if (err == TARN_OK)
		err = tarn_share_gemm(packs, s->of.k, s->of.n, b, (size_t)w->dim[1], tb, row, &s->packed);
out:
	tarn_mem_free(row);
	tarn_mem_free(scaled);
	return err;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if ((n->op != tarn_op_find(NULL, "MatMul") && n->op != tarn_op_find(NULL, "Gemm")) || n->in[0]->type != TARN_F32 ||
	    n->in[0]->konst || !n->in[1]->konst || n->in[1]->konst->rank != 2)
		return TARN_OK;
	gemm_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	tarn_cpu_product_of(&s->of, g);
	tarn_err err;
	TRY_GOTO(out, pack(b->packs, n, g->bias, s));
	if (!s->packed)
		goto out;
	TRY_GOTO(out, tarn_cpu_product_step(b, &tarn_cpu_k_gemm, g, s, true));
	*taken = true;
	s = NULL;
out:
	if (s)
		state_free(s);
	return err;
}

typedef struct gemm_job {
	const gemm_state *s;
	tarn_gemm_f32_args a;
} gemm_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	gemm_job *j = arg;
	tarn_gemm_f32_run(j->s->packed, &j->a, (int)begin, (int)end);
}

static tarn_err run(cpu_run *r, const cpu_step *step, void *plan)
{
	(void)plan;
	const gemm_state *s = step->state;
	gemm_job j = {s, tarn_cpu_product_args(r, step, &s->of)};
	tarn_cpu_split_work(r->pool, tarn_gemm_f32_tasks(s->packed, j.a.m),
			    tarn_cpu_product_work((int64_t)j.a.m, (int64_t)(s->of.n * s->of.k)), work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_gemm = {.name = "f32 GEMM", .build = build, .run = run, .state_free = state_free};

static tarn_err build_matmul(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if (n->op != tarn_op_find(NULL, "MatMul") || g->last != n || n->in[0]->type != TARN_F32 || n->in[0]->shape.rank < 2 ||
	    n->in[1]->shape.rank < 2)
		return TARN_OK;
	int in[2], out;
	TRY(tarn_cpu_want(b, n->in[0], CPU_PLAIN, &in[0]));
	TRY(tarn_cpu_want(b, n->in[1], CPU_PLAIN, &in[1]));
	TRY(tarn_cpu_give(b, n->out[0], CPU_PLAIN, &out));
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_matmul, g, in, 2, &out, 1, NULL, -1));
	*taken = true;
	return TARN_OK;
}

static void matmul_work(void *arg, int64_t begin, int64_t end)
{
	tarn_matmul_f32_run(arg, (int)begin, (int)end);
}

/* Stride (in matrices) of an operand for each batch axis of the result; 0 where it is repeated. */
static void batch_strides(const tarn_tensor *t, int rank, int64_t *stride)
{
	int64_t step = 1;
	for (int i = rank - 3; i >= 0; i--) {
		int k = i - (rank - t->rank);
		stride[i] = k < 0 || t->dim[k] == 1 ? 0 : step;
		step *= k < 0 ? 1 : t->dim[k];
	}
}

static tarn_err run_matmul(cpu_run *r, const cpu_step *step, void *plan)
{
	(void)plan;
	tarn_tensor a = tarn_cpu_tensor(r, step->in[0]), b = tarn_cpu_tensor(r, step->in[1]),
		    c = tarn_cpu_tensor(r, step->out[0]);
	int64_t sa[TARN_MAX_RANK] = {0}, sb[TARN_MAX_RANK] = {0}, outer = 1;
	batch_strides(&a, c.rank, sa);
	batch_strides(&b, c.rank, sb);
	int64_t m = a.dim[a.rank - 2], k = a.dim[a.rank - 1], n = b.dim[b.rank - 1];
	/* The kernel takes the two innermost batch axes; the others are walked here. */
	int inner = c.rank - 2 > 2 ? c.rank - 4 : 0, n_inner = c.rank - 2 - inner;
	for (int i = 0; i < inner; i++)
		outer *= c.dim[i];
	tarn_matmul_f32_args x = {.batch = {1, 1}, .m = (size_t)m, .n = (size_t)n, .k = (size_t)k, .alpha = 1};
	x.lda = (size_t)k;
	x.ldb = x.ldc = (size_t)n;
	for (int i = 0; i < n_inner; i++) {
		int at = 2 - n_inner + i;
		x.batch[at] = (size_t)c.dim[inner + i];
		x.a_stride[at] = (size_t)(sa[inner + i] * m * k);
		x.b_stride[at] = (size_t)(sb[inner + i] * k * n);
	}
	x.c_stride[1] = (size_t)(m * n);
	x.c_stride[0] = x.c_stride[1] * x.batch[1];
	for (int64_t o = 0; o < outer; o++) {
		int64_t rest = o, oa = 0, ob = 0;
		for (int i = inner - 1; i >= 0; i--) {
			oa += rest % c.dim[i] * sa[i];
			ob += rest % c.dim[i] * sb[i];
			rest /= c.dim[i];
		}
		x.a = (const float *)a.data + oa * m * k;
		x.b = (const float *)b.data + ob * k * n;
		x.c = (float *)c.data + o * (int64_t)(x.c_stride[0] * x.batch[0]);
		tarn_cpu_split_work(r->pool, tarn_matmul_f32_tasks(&x), (int64_t)(x.c_stride[0] * x.batch[0]) * k, matmul_work,
				    &x);
	}
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_matmul = {.name = "f32 matrix product", .build = build_matmul, .run = run_matmul};
