/* SPDX-License-Identifier: Apache-2.0 */
/* Float matrix products: with constant weights, packed once; of two computed matrices for each of their common batch. */
#include "kern/gemm.h"

#include "base/mem.h"
#include "driver/exec/exec.h"
#include "ir/op.h"
#include "kern/share.h"

typedef struct gemm_state {
	tarn_gemm_f32 *packed;
	tarn_gemm_f32_args args;
} gemm_state;

static void state_free(void *state)
{
	gemm_state *s = state;
	if (!s)
		return;
	tarn_share_drop(s->packed);
	tarn_mem_free(s);
}

static bool attr_is(const tarn_node *n, const char *name, double v)
{
	int i = tarn_attr_index(n->op, name);
	return i < 0 || tarn_attr_f(n, i) == v;
}

static bool flag(const tarn_node *n, const char *name)
{
	int i = tarn_attr_index(n->op, name);
	return i >= 0 && tarn_attr_i(n, i);
}

static bool suits(const tarn_node *n)
{
	bool gemm = tarn_npu_is(n, "Gemm");
	if (!gemm && !tarn_npu_is(n, "MatMul"))
		return false;
	const tarn_value *w = n->in[1], *b = n->n_in > 2 ? n->in[2] : NULL;
	if (n->in[0]->type != TARN_F32 || !w->konst || w->type != TARN_F32 || w->shape.rank != 2 || n->in[0]->shape.rank < 2 ||
	    tarn_npu_count(w) == 0)
		return false;
	if (!gemm)
		return true;
	int64_t cols = n->out[0]->shape.dim[1];
	return !flag(n, "transA") && attr_is(n, "alpha", 1) && attr_is(n, "beta", 1) &&
	       (!b ||
		(b->konst && b->type == TARN_F32 && tarn_npu_count(b) == cols && b->shape.dim[b->shape.rank - 1] == cols));
}

static tarn_err pack(npu_step *step)
{
	const tarn_node *n = step->node;
	const tarn_value *w = n->in[1], *b = n->n_in > 2 ? n->in[2] : NULL;
	bool turned = tarn_npu_is(n, "Gemm") && flag(n, "transB");
	size_t k = (size_t)w->shape.dim[turned], cols = (size_t)w->shape.dim[!turned];
	gemm_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	step->state = s;
	s->args = (tarn_gemm_f32_args){.m = (size_t)tarn_npu_count(n->out[0]) / cols, .lda = k, .ldc = cols};
	s->args.epilogue = tarn_npu_epilogue(step->layer->act);
	return tarn_share_gemm(NULL, k, cols, w->konst->data, (size_t)w->shape.dim[1], turned, b ? b->konst->data : NULL,
			       &s->packed);
}

typedef struct gemm_job {
	const gemm_state *s;
	tarn_gemm_f32_args args;
} gemm_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const gemm_job *j = arg;
	tarn_gemm_f32_run(j->s->packed, &j->args, (int)begin, (int)end);
}

static tarn_err run(const npu_run *r, npu_step *step)
{
	const gemm_state *s = step->state;
	gemm_job j = {s, s->args};
	j.args.a = npu_ptr(r, step->in[0]);
	j.args.c = npu_ptr(r, step->out[0]);
	tarn_npu_split(r->pool, tarn_gemm_f32_tasks(s->packed, j.args.m), 1, work, &j);
	return TARN_OK;
}

static const npu_kernel k_gemm = {"product", pack, run, state_free};

/* ---- two computed operands ---- */

/* The same batch in front of both, no broadcasting; else the reference does it. */
static bool suits_two(const tarn_node *n)
{
	const tarn_value *a = n->in[0], *b = n->n_in > 1 ? n->in[1] : NULL;
	if (!tarn_npu_is(n, "MatMul") || !b || a->type != TARN_F32 || b->type != TARN_F32 || a->shape.rank < 2 ||
	    a->shape.rank != b->shape.rank || !tarn_npu_count(a) || !tarn_npu_count(b))
		return false;
	for (int i = 0; i + 2 < a->shape.rank; i++)
		if (a->shape.dim[i] != b->shape.dim[i])
			return false;
	return true;
}

static void work_two(void *arg, int64_t begin, int64_t end)
{
	tarn_matmul_f32_run(arg, (int)begin, (int)end);
}

static tarn_err run_two(const npu_run *r, npu_step *step)
{
	const tarn_shape *a = &step->node->in[0]->shape, *b = &step->node->in[1]->shape;
	size_t m = (size_t)a->dim[a->rank - 2], k = (size_t)a->dim[a->rank - 1], n = (size_t)b->dim[b->rank - 1];
	tarn_matmul_f32_args args = {.batch = {1, (size_t)tarn_npu_count(step->node->in[0]) / (m * k)},
				     .m = m,
				     .n = n,
				     .k = k,
				     .alpha = 1,
				     .a = npu_ptr(r, step->in[0]),
				     .lda = k,
				     .a_stride = {0, m * k},
				     .b = npu_ptr(r, step->in[1]),
				     .ldb = n,
				     .b_stride = {0, k * n},
				     .c = npu_ptr(r, step->out[0]),
				     .ldc = n,
				     .c_stride = {0, m * n}};
	tarn_npu_split(r->pool, tarn_matmul_f32_tasks(&args), 1, work_two, &args);
	return TARN_OK;
}

static const npu_kernel k_two = {"product of two", NULL, run_two, NULL};

static tarn_err build_two(npu_exec *x, const npu_layer *l, npu_built *b)
{
	int in[2], out;
	npu_step *s;
	for (int i = 0; i < 2; i++)
		TRY(tarn_npu_want(x, l->main->in[i], NPU_PLAIN, &in[i]));
	TRY(tarn_npu_give(x, l->main->out[0], NPU_PLAIN, &out));
	TRY(tarn_npu_step_new(x, &k_two, l, 2, 1, &s));
	s->in[0] = in[0];
	s->in[1] = in[1];
	s->out[0] = out;
	*b = (npu_built){.taken = true, .form = NPU_PLAIN};
	return TARN_OK;
}

tarn_err tarn_npu_build_gemm(npu_exec *x, const npu_layer *l, npu_built *b)
{
	if (!suits(l->main))
		return suits_two(l->main) ? build_two(x, l, b) : TARN_OK;
	int in, out;
	npu_step *s;
	TRY(tarn_npu_want(x, l->main->in[0], NPU_PLAIN, &in));
	TRY(tarn_npu_give(x, l->act ? l->act->out[0] : l->main->out[0], NPU_PLAIN, &out));
	TRY(tarn_npu_step_new(x, &k_gemm, l, 1, 1, &s));
	s->in[0] = in;
	s->out[0] = out;
	*b = (npu_built){.taken = true, .fused_act = true, .form = NPU_PLAIN};
	return TARN_OK;
}
