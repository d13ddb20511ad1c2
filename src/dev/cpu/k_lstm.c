/* SPDX-License-Identifier: Apache-2.0 */
/* f32 LSTM with constant weights and the usual activations: one matrix product for the inputs of all steps, one for the state
 * of each step. */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/share.h"
#include "ops/ops.h"
#include "ops/recurrent.h"

enum { X, W, R, B, LENS, H0, C0, P, INPUTS };

/* By direction: weights of the inputs (with both biases) and of the state; columns i, o, f, c of H each. */
typedef struct lstm_state {
	int64_t directions, in, h;
	tarn_gemm_f32 *input[2], *hidden[2];
} lstm_state;

static void state_free(void *state)
{
	lstm_state *s = state;
	for (int d = 0; d < 2; d++) {
		tarn_share_drop(s->input[d]);
		tarn_share_drop(s->hidden[d]);
	}
	tarn_mem_free(s);
}

static const tarn_value *input(const tarn_node *n, int i)
{
	return i < n->n_in ? n->in[i] : NULL;
}

static bool suits(const tarn_node *n)
{
	if (n->op != tarn_op_find(NULL, "LSTM") || n->in[X]->type != TARN_F32 || n->in[X]->konst || input(n, LENS) ||
	    input(n, P) || tarn_attr_i(n, TARN_REC_LAST) || tarn_attr_f(n, TARN_REC_CLIP) > 0 ||
	    tarn_attr_has(n, TARN_REC_ALPHA) || tarn_attr_has(n, TARN_REC_BETA))
		return false;
	for (int i = W; i <= B; i++)
		if (input(n, i) ? !n->in[i]->konst || n->in[i]->konst->type != TARN_F32 : i != B)
			return false;
	const tarn_attr *names = &n->attr[TARN_REC_ACTIVATIONS];
	static const char usual[] = "Sigmoid,Tanh,Tanh";
	return !names->set || !names->s || !strcmp(names->s, usual) || !strcmp(names->s, "Sigmoid,Tanh,Tanh,Sigmoid,Tanh,Tanh");
}

static tarn_err pack(tarn_packs *packs, const tarn_node *n, lstm_state *s)
{
	const tarn_tensor *w = n->in[W]->konst, *r = n->in[R]->konst, *b = input(n, B) ? n->in[B]->konst : NULL;
	s->directions = w->dim[0];
	s->in = w->dim[2];
	s->h = r->dim[2];
	int64_t g = 4 * s->h;
	CHECK(s->directions == 1 || s->directions == 2, TARN_SHAPE, "an LSTM of %lld directions", (long long)s->directions);
	float *bias = tarn_mem_zalloc((size_t)g + 1, sizeof *bias);
	tarn_err err = bias ? TARN_OK : tarn_err_nomem((size_t)g * sizeof *bias);
	for (int64_t d = 0; err == TARN_OK && d < s->directions; d++) {
		for (int64_t i = 0; b && i < g; i++)
			bias[i] = ((const float *)b->data)[d * 2 * g + i] + ((const float *)b->data)[d * 2 * g + g + i];
		err = tarn_share_gemm(packs, (size_t)s->in, (size_t)g, (const float *)w->data + d * g * s->in, (size_t)s->in,
				      true, bias, &s->input[d]);
		if (err == TARN_OK)
			err = tarn_share_gemm(packs, (size_t)s->h, (size_t)g, (const float *)r->data + d * g * s->h,
					      (size_t)s->h, true, NULL, &s->hidden[d]);
	}
	tarn_mem_free(bias);
	return err;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if (g->last != n || !suits(n))
		return TARN_OK;
	lstm_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	static const int wanted[] = {X, H0, C0};
	int in[3] = {-1, -1, -1}, out[3] = {-1, -1, -1};
	tarn_err err;
	TRY_GOTO(out, pack(b->packs, n, s));
	for (int i = 0; i < 3; i++)
		if (input(n, wanted[i]))
			TRY_GOTO(out, tarn_cpu_want(b, n->in[wanted[i]], CPU_PLAIN, &in[i]));
	for (int i = 0; i < n->n_out && i < 3; i++)
		if (n->out[i])
			TRY_GOTO(out, tarn_cpu_give(b, n->out[i], CPU_PLAIN, &out[i]));
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_lstm, g, in, 3, out, n->n_out < 3 ? n->n_out : 3, s, -1));
	*taken = true;
	s = NULL;
out:
	if (s)
		state_free(s);
	return err;
}

/* One execution. Rows of the gates are those of X: step t of batch element b at t * step + b * batch. */
typedef struct lstm_run {
	const lstm_state *s;
	int64_t steps, batch, step_rows, batch_rows;
	bool batch_first;
	float *gates, *now, *h, *c; /* [steps*batch][4H], [batch][4H], [batch][H] twice */
	const float *h0, *c0;
	float *y, *yh, *yc; /* NULL: nobody asks */
} lstm_run;

typedef struct product {
	const tarn_gemm_f32 *w;
	tarn_gemm_f32_args a;
} product;

static void work(void *arg, int64_t begin, int64_t end)
{
	product *p = arg;
	tarn_gemm_f32_run(p->w, &p->a, (int)begin, (int)end);
}

/* Where a state of direction d and batch element b lies in h0, Y_h and so on. */
static int64_t state_at(const lstm_run *r, int64_t d, int64_t b)
{
	return (r->batch_first ? b * r->s->directions + d : d * r->batch + b) * r->s->h;
}

static void cells(const lstm_run *r)
{
	int64_t h = r->s->h;
	for (int64_t b = 0; b < r->batch; b++) {
		float *g = r->now + b * 4 * h, *c = r->c + b * h, *y = r->h + b * h;
		tarn_unary_f32(TARN_UNARY_SIGMOID, 0, 0, g, g, (size_t)(3 * h));
		tarn_unary_f32(TARN_UNARY_TANH, 0, 0, g + 3 * h, g + 3 * h, (size_t)h);
		for (int64_t j = 0; j < h; j++)
			c[j] = g[2 * h + j] * c[j] + g[j] * g[3 * h + j];
		tarn_unary_f32(TARN_UNARY_TANH, 0, 0, c, y, (size_t)h);
		for (int64_t j = 0; j < h; j++)
			y[j] *= g[h + j];
	}
}

static void direction(const lstm_run *r, int64_t d, bool reverse)
{
	int64_t h = r->s->h;
	size_t bytes = (size_t)h * sizeof(float);
	for (int64_t b = 0; b < r->batch; b++) {
		int64_t at = state_at(r, d, b);
		if (r->h0)
			memcpy(r->h + b * h, r->h0 + at, bytes);
		else
			memset(r->h + b * h, 0, bytes);
		if (r->c0)
			memcpy(r->c + b * h, r->c0 + at, bytes);
		else
			memset(r->c + b * h, 0, bytes);
	}
	for (int64_t i = 0; i < r->steps; i++) {
		int64_t t = reverse ? r->steps - 1 - i : i;
		tarn_gemm_f32_args a = {.m = (size_t)r->batch,
					.a = r->h,
					.lda = (size_t)h,
					.c = r->now,
					.ldc = (size_t)(4 * h),
					.residual = r->gates + t * r->step_rows * 4 * h,
					.ldr = (size_t)(r->batch_rows * 4 * h)};
		tarn_gemm_f32_run(r->s->hidden[d], &a, 0, tarn_gemm_f32_tasks(r->s->hidden[d], a.m));
		cells(r);
		for (int64_t b = 0; r->y && b < r->batch; b++) {
			int64_t at = r->batch_first ? (b * r->steps + t) * r->s->directions + d
						    : (t * r->s->directions + d) * r->batch + b;
			memcpy(r->y + at * h, r->h + b * h, bytes);
		}
	}
	for (int64_t b = 0; b < r->batch; b++) {
		if (r->yh)
			memcpy(r->yh + state_at(r, d, b), r->h + b * h, bytes);
		if (r->yc)
			memcpy(r->yc + state_at(r, d, b), r->c + b * h, bytes);
	}
}

static tarn_err run(cpu_run *run, const cpu_step *step, void *plan)
{
	(void)plan;
	const lstm_state *s = step->state;
	const tarn_shape *x = &tarn_cpu_val(run->inst, run->p, step->in[0])->shape;
	bool batch_first = tarn_attr_i(step->node, TARN_REC_LAYOUT);
	int64_t steps = x->dim[batch_first], batch = x->dim[!batch_first], g = 4 * s->h, way;
	lstm_run r = {.s = s, .steps = steps, .batch = batch, .batch_first = batch_first};
	r.step_rows = batch_first ? 1 : batch;
	r.batch_rows = batch_first ? steps : 1;
	size_t count = (size_t)((steps * batch + batch) * g + 2 * batch * s->h);
	float *scratch = tarn_mem_alloc((count + 1) * sizeof *scratch);
	if (!scratch)
		return tarn_err_nomem(count * sizeof *scratch);
	r.gates = scratch;
	r.now = r.gates + steps * batch * g;
	r.h = r.now + batch * g;
	r.c = r.h + batch * s->h;
	r.h0 = step->in[1] >= 0 ? run->ptr[step->in[1]] : NULL;
	r.c0 = step->in[2] >= 0 ? run->ptr[step->in[2]] : NULL;
	float **out[] = {&r.y, &r.yh, &r.yc};
	for (int i = 0; i < step->n_out; i++)
		*out[i] = step->out[i] >= 0 ? run->ptr[step->out[i]] : NULL;
	way = tarn_attr_i(step->node, TARN_REC_DIRECTION);
	for (int64_t d = 0; d < s->directions; d++) {
		product p = {.w = s->input[d]};
		p.a = (tarn_gemm_f32_args){.m = (size_t)(steps * batch),
					   .a = run->ptr[step->in[0]],
					   .lda = (size_t)s->in,
					   .c = r.gates,
					   .ldc = (size_t)g};
		tarn_cpu_split_work(run->pool, tarn_gemm_f32_tasks(p.w, p.a.m), tarn_cpu_product_work(steps * batch, s->in * g),
				    work, &p);
		direction(&r, d, d == 1 || way == 1);
	}
	tarn_mem_free(scratch);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_lstm = {.name = "f32 LSTM", .build = build, .run = run, .state_free = state_free};
