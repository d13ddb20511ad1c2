/* SPDX-License-Identifier: Apache-2.0 */
/* Products of f32 data with constant weights that stay 4- or 8-bit codes (weight-only quantization). */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/share.h"
#include "ops/ops.h"

static bool is(const tarn_node *n, const char *op)
{
	return n && n->op == tarn_op_find(NULL, op);
}

static int64_t attr_i(const tarn_node *n, const char *name)
{
	return tarn_attr_i(n, tarn_attr_index(n->op, name));
}

/* Which scale a weight has. */
typedef struct grouping {
	int k_axis;    /* axis of the weights that is summed over */
	int64_t k, n;  /* sizes along it and along the other one */
	int64_t group; /* rows that share a scale */
	bool one;      /* one scale for all */
} grouping;

static bool constant_or_absent(const tarn_node *n, int i)
{
	return i >= n->n_in || !n->in[i] || n->in[i]->konst;
}

/* Is a Gemm's third operand a constant row, or not there? */
static bool row_or_absent(const tarn_node *n, int64_t cols)
{
	if (n->n_in < 3 || !n->in[2])
		return true;
	const tarn_tensor *t = n->in[2]->konst;
	int64_t count = t && t->type == TARN_F32 ? tarn_tensor_count(t) : 0;
	return count == 1 || (count && count == cols && t->dim[t->rank - 1] == cols);
}

/* How the scales of dequantizer d are spread over weights summed along k_axis; false: not by groups of rows. */
static bool grouping_of(const tarn_node *d, int k_axis, grouping *g)
{
	const tarn_tensor *q = d->in[0]->konst, *s = d->in[1]->konst;
	int64_t scales = tarn_tensor_count(s), block = attr_i(d, "block_size"), axis = attr_i(d, "axis");
	axis = axis < 0 ? axis + q->rank : axis;
	*g = (grouping){.k_axis = k_axis, .k = q->dim[k_axis], .n = q->dim[!k_axis], .one = scales == 1 && !block};
	g->group = g->k;
	if (!g->k || !g->n || g->one)
		return g->k && g->n;
	if (block) {
		g->group = block < g->k ? block : g->k;
		return axis == k_axis && s->rank == 2;
	}
	return axis != k_axis && scales == g->n;
}

static bool read_grouping(const tarn_node *n, grouping *g)
{
	bool gemm = is(n, "Gemm");
	if ((!gemm && !is(n, "MatMul")) || n->n_in < 2 || !n->in[1] || n->in[0]->type != TARN_F32 || n->in[0]->konst)
		return false;
	const tarn_node *d = n->in[1]->def;
	if (!is(d, "DequantizeLinear") || !d->in[0]->konst || !d->in[1]->konst || !constant_or_absent(d, 2))
		return false;
	const tarn_tensor *q = d->in[0]->konst;
	bool code = q->type == TARN_I8 || q->type == TARN_U8 || q->type == TARN_I4 || q->type == TARN_U4;
	if (!code || q->rank != 2 || d->in[1]->konst->type != TARN_F32)
		return false;
	if ((gemm && attr_i(n, "transA")) || n->in[0]->shape.rank < 2)
		return false;
	return grouping_of(d, gemm && attr_i(n, "transB") ? 1 : 0, g) && row_or_absent(n, g->n);
}

bool tarn_cpu_suits_weights(const tarn_node *n)
{
	grouping g;
	return read_grouping(n, &g);
}

typedef struct wgemm_state {
	tarn_wgemm *packed;
	cpu_product of;
} wgemm_state;

static void state_free(void *state)
{
	wgemm_state *s = state;
	tarn_share_drop(s->packed);
	tarn_mem_free(s);
}

/* Scales (times alpha) or zero points (less the offset that makes codes signed) as [groups][n]. */
static void spread(const grouping *g, const tarn_tensor *t, double factor, double offset, float *out)
{
	int64_t groups = (g->k + g->group - 1) / g->group;
	for (int64_t i = 0; i < groups; i++)
		for (int64_t j = 0; j < g->n; j++) {
			int64_t at = g->one ? 0 : groups == 1 ? j : g->k_axis ? j * groups + i : i * g->n + j;
			out[i * g->n + j] = (float)((t ? tarn_tensor_f64(t, at) : 0) * factor - offset);
		}
}

static tarn_err pack(tarn_packs *packs, const tarn_node *n, const tarn_tensor *added, const grouping *g, wgemm_state *s)
{
	const tarn_node *d = n->in[1]->def;
	const tarn_tensor *q = d->in[0]->konst, *zero = d->n_in > 2 && d->in[2] ? d->in[2]->konst : NULL;
	int bits = tarn_dtype_info(q->type)->bits;
	bool gemm = is(n, "Gemm");
	int64_t offset = tarn_dtype_is_signed(q->type) ? 0 : (int64_t)1 << (bits - 1), count = g->k * g->n;
	const tarn_tensor *bias = added ? added : gemm && n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	double alpha = gemm ? tarn_attr_f(n, tarn_attr_index(n->op, "alpha")) : 1;
	float beta = gemm && !added ? (float)tarn_attr_f(n, tarn_attr_index(n->op, "beta")) : 1;
	size_t scales = (size_t)((g->k + g->group - 1) / g->group * g->n);
	int8_t *code = tarn_mem_alloc((size_t)count);
	float *room = tarn_mem_zalloc(2 * scales + (size_t)g->n, sizeof *room);
	tarn_err err = code && room ? TARN_OK : tarn_err_nomem((size_t)count);
	if (err == TARN_OK && (!bias || tarn_cpu_bias_row(bias, g->n, beta, room + 2 * scales))) {
		for (int64_t i = 0; i < count; i++)
			code[i] = (int8_t)(tarn_tensor_i64(q, i) - offset);
		spread(g, d->in[1]->konst, alpha, 0, room);
		spread(g, zero, 1, (double)offset, room + scales);
		tarn_wgemm_weights w = {.k = (size_t)g->k,
					.n = (size_t)g->n,
					.bits = bits,
					.code = code,
					.transposed = g->k_axis == 1,
					.group = (size_t)g->group,
					.scale = room,
					.zero = zero || offset ? room + scales : NULL,
					.bias = bias ? room + 2 * scales : NULL};
		err = tarn_share_wgemm(packs, &w, &s->packed);
	}
	s->of.k = (size_t)g->k;
	s->of.n = (size_t)g->n;
	tarn_mem_free(code);
	tarn_mem_free(room);
	return err;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	grouping w;
	if (!read_grouping(n, &w))
		return TARN_OK;
	wgemm_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	tarn_cpu_product_of(&s->of, g);
	tarn_err err;
	TRY_GOTO(out, pack(b->packs, n, g->bias, &w, s));
	CHECK_GOTO(out, s->packed, TARN_INTERNAL, "a bias that is no row came with quantized weights");
	TRY_GOTO(out, tarn_cpu_product_step(b, &tarn_cpu_k_wgemm, g, s, false));
	b->p->step.at[b->p->step.len - 1].engine =
		tarn_dtype_info(n->in[1]->def->in[0]->type)->bits == 4 ? "f32 GEMM, INT4 weights" : "f32 GEMM, INT8 weights";
	*taken = true;
	s = NULL;
out:
	if (s)
		state_free(s);
	return err;
}

typedef struct wgemm_job {
	const wgemm_state *s;
	tarn_gemm_f32_args a;
} wgemm_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	wgemm_job *j = arg;
	tarn_wgemm_run(j->s->packed, &j->a, (int)begin, (int)end);
}

static tarn_err run(cpu_run *r, const cpu_step *step, void *plan)
{
	(void)plan;
	const wgemm_state *s = step->state;
	wgemm_job j = {s, tarn_cpu_product_args(r, step, &s->of)};
	tarn_cpu_split_work(r->pool, tarn_wgemm_tasks(s->packed, j.a.m),
			    tarn_cpu_product_work((int64_t)j.a.m, (int64_t)(s->of.n * s->of.k)), work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_wgemm = {.name = "f32 GEMM, integer weights", .build = build, .run = run, .state_free = state_free};
