/* SPDX-License-Identifier: Apache-2.0 */
/* f32 LSTM, GRU and RNN with constant weights and the usual activations: one matrix product for the inputs of all steps, one
 * (a GRU that resets before its product: two) for the state of each step. */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/share.h"
#include "ops/ops.h"
#include "ops/recurrent.h"

enum { X = TARN_REC_X, W = TARN_REC_W, R = TARN_REC_R, B = TARN_REC_B, H0 = TARN_REC_H0, C0 = TARN_REC_C0 };

typedef struct rec_kind rec_kind;

/* Columns of the products: LSTM i, o, f, c; GRU z, r, h; of H each. */
typedef struct rec_state {
	const rec_kind *kind;
	int64_t directions, in, h, gates; /* gates: columns, all of them */
	tarn_unary act;                   /* of an RNN */
	/* By direction: weights of the inputs and of the state; those of a GRU's last gate, if the state is reset before. */
	tarn_gemm_f32 *input[2], *hidden[2], *reset[2];
} rec_state;

/* One execution. Rows of the gates are those of X: step t of batch element b at t * step_rows + b * batch_rows. */
typedef struct rec_run {
	const rec_state *s;
	tarn_pool *pool;
	int64_t steps, batch, step_rows, batch_rows;
	bool batch_first;
	float *gates, *now, *h, *c; /* [steps*batch][gates], [batch][gates], [batch][H] twice */
	const float *h0, *c0;
	float *y, *yh, *yc; /* NULL: nobody asks */
} rec_run;

struct rec_kind {
	const char *op, *engine, *usual[2]; /* activations that are computed here */
	tarn_unary act[2];                  /* an RNN's */
	int gates;
	void (*step)(const rec_run *r, int64_t d, const float *gates); /* h (and c) move on */
};

static void state_free(void *state)
{
	rec_state *s = state;
	for (int d = 0; d < 2; d++) {
		tarn_share_drop(s->input[d]);
		tarn_share_drop(s->hidden[d]);
		tarn_share_drop(s->reset[d]);
	}
	tarn_mem_free(s);
}

/* ---- steps ---- */

typedef struct product {
	const tarn_gemm_f32 *w;
	tarn_gemm_f32_args a;
} product;

static void work(void *arg, int64_t begin, int64_t end)
{
	product *p = arg;
	tarn_gemm_f32_run(p->w, &p->a, (int)begin, (int)end);
}

static void multiply(tarn_pool *pool, const tarn_gemm_f32 *w, const tarn_gemm_f32_args *a, int64_t weights)
{
	product p = {w, *a};
	tarn_cpu_split_work(pool, tarn_gemm_f32_tasks(w, a->m), tarn_cpu_product_work((int64_t)a->m, weights), work, &p);
}

/* now[from, from + cols) = a * w + the step's sums of the inputs (NULL: without). */
static void state_product(const rec_run *r, const tarn_gemm_f32 *w, const float *a, const float *gates, int64_t from,
			  int64_t cols, tarn_unary act)
{
	int64_t h = r->s->h, g = r->s->gates;
	tarn_gemm_f32_args args = {.m = (size_t)r->batch,
				   .a = a,
				   .lda = (size_t)h,
				   .c = r->now + from,
				   .ldc = (size_t)g,
				   .residual = gates ? gates + from : NULL,
				   .ldr = (size_t)(r->batch_rows * g),
				   .epilogue = {.act = act}};
	multiply(r->pool, w, &args, h * cols);
}

static void lstm_step(const rec_run *r, int64_t d, const float *gates)
{
	int64_t h = r->s->h;
	state_product(r, r->s->hidden[d], r->h, gates, 0, 4 * h, TARN_UNARY_IDENTITY);
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

/* h = new + z * (h - new), after the activation of the new state. */
static void gru_mix(const rec_run *r, int64_t b)
{
	int64_t h = r->s->h;
	float *z = r->now + b * 3 * h, *new = z + 2 * h, *y = r->h + b *h;
	tarn_unary_f32(TARN_UNARY_TANH, 0, 0, new, new, (size_t)h);
	for (int64_t j = 0; j < h; j++)
		y[j] = new[j] + z[j] * (y[j] - new[j]);
}

static void gru_step(const rec_run *r, int64_t d, const float *gates)
{
	int64_t h = r->s->h;
	if (r->s->reset[d])
		state_product(r, r->s->hidden[d], r->h, gates, 0, 2 * h, TARN_UNARY_SIGMOID);
	else
		state_product(r, r->s->hidden[d], r->h, NULL, 0, 3 * h, TARN_UNARY_IDENTITY);
	for (int64_t b = 0; b < r->batch; b++) {
		float *now = r->now + b * 3 * h, *reset = now + h, *new = reset + h;
		const float *x = gates + b * r->batch_rows * 3 * h;
		if (r->s->reset[d]) {
			tarn_binary_f32(TARN_BINARY_MUL, reset, r->h + b * h, r->c + b * h, (size_t)h);
			continue;
		}
		tarn_binary_f32(TARN_BINARY_ADD, now, x, now, (size_t)(2 * h));
		tarn_unary_f32(TARN_UNARY_SIGMOID, 0, 0, now, now, (size_t)(2 * h));
		for (int64_t j = 0; j < h; j++)
			new[j] = x[2 * h + j] + reset[j] * new[j];
	}
	if (r->s->reset[d])
		state_product(r, r->s->reset[d], r->c, gates, 2 * h, h, TARN_UNARY_IDENTITY);
	for (int64_t b = 0; b < r->batch; b++)
		gru_mix(r, b);
}

static void rnn_step(const rec_run *r, int64_t d, const float *gates)
{
	state_product(r, r->s->hidden[d], r->h, gates, 0, r->s->h, r->s->act);
	memcpy(r->h, r->now, (size_t)(r->batch * r->s->h) * sizeof *r->h);
}

static const rec_kind kinds[] = {
	{"LSTM", "f32 LSTM", {"Sigmoid,Tanh,Tanh"}, {TARN_UNARY_IDENTITY}, 4, lstm_step},
	{"GRU", "f32 GRU", {"Sigmoid,Tanh"}, {TARN_UNARY_IDENTITY}, 3, gru_step},
	{"RNN", "f32 RNN", {"Tanh", "Relu"}, {TARN_UNARY_TANH, TARN_UNARY_RELU}, 1, rnn_step},
};

/* ---- building ---- */

static const tarn_value *input(const tarn_node *n, int i)
{
	return i < n->n_in ? n->in[i] : NULL;
}

/* The node's activations are these, in every direction. */
static bool acts_are(const char *names, const char *usual)
{
	size_t len = strlen(usual);
	for (;;) {
		if (strncmp(names, usual, len))
			return false;
		if (!names[len])
			return true;
		if (names[len] != ',')
			return false;
		names += len + 1;
	}
}

/* Which kind the node is, and which of its activations; NULL: the reference has to do it. */
static const rec_kind *kind_of(const tarn_node *n, int *act)
{
	const rec_kind *k = NULL;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (n->op == tarn_op_find(NULL, kinds[i].op))
			k = &kinds[i];
	if (!k || n->in[X]->type != TARN_F32 || n->in[X]->konst || input(n, TARN_REC_LENS) || input(n, TARN_REC_P) ||
	    tarn_attr_f(n, TARN_REC_CLIP) > 0 || tarn_attr_has(n, TARN_REC_ALPHA) || tarn_attr_has(n, TARN_REC_BETA) ||
	    (k->gates == 4 && tarn_attr_i(n, TARN_REC_LAST)))
		return NULL;
	for (int i = W; i <= B; i++)
		if (input(n, i) ? !n->in[i]->konst || n->in[i]->konst->type != TARN_F32 : i != B)
			return NULL;
	const tarn_attr *names = &n->attr[TARN_REC_ACTIVATIONS];
	for (*act = 0; *act < 2 && k->usual[*act]; ++*act)
		if (!names->set || !names->s || acts_are(names->s, k->usual[*act]))
			return k;
	return NULL;
}

/* Biases of the two products: both belong to the inputs' but for what a GRU multiplies by its reset gate. */
static void biases(const rec_state *s, const float *b, bool late, float *of_input, float *of_state)
{
	for (int64_t i = 0; b && i < s->gates; i++) {
		bool apart = late && i >= 2 * s->h;
		of_input[i] = b[i] + (apart ? 0 : b[s->gates + i]);
		of_state[i] = apart ? b[s->gates + i] : 0;
	}
}

static tarn_err pack(tarn_packs *packs, const tarn_node *n, rec_state *s)
{
	const tarn_tensor *w = n->in[W]->konst, *r = n->in[R]->konst, *b = input(n, B) ? n->in[B]->konst : NULL;
	bool gru = s->kind->gates == 3, late = gru && tarn_attr_i(n, TARN_REC_LAST);
	s->directions = w->dim[0];
	s->in = w->dim[2];
	s->h = r->dim[2];
	s->gates = s->kind->gates * s->h;
	CHECK(s->directions == 1 || s->directions == 2, TARN_SHAPE, "'%s' of %lld directions", s->kind->op,
	      (long long)s->directions);
	size_t g = (size_t)s->gates, h = (size_t)s->h, in = (size_t)s->in, cols = gru && !late ? 2 * h : g;
	float *bias = tarn_mem_zalloc(2 * g + 1, sizeof *bias);
	tarn_err err = bias ? TARN_OK : tarn_err_nomem(2 * g * sizeof *bias);
	for (size_t d = 0; err == TARN_OK && d < (size_t)s->directions; d++) {
		const float *rows = (const float *)r->data + d * g * h;
		biases(s, b ? (const float *)b->data + d * 2 * g : NULL, late, bias, bias + g);
		TRY_GOTO(out, tarn_share_gemm(packs, in, g, (const float *)w->data + d * g * in, in, true, bias, &s->input[d]));
		TRY_GOTO(out, tarn_share_gemm(packs, h, cols, rows, h, true, late ? bias + g : NULL, &s->hidden[d]));
		if (cols < g)
			err = tarn_share_gemm(packs, h, h, rows + 2 * h * h, h, true, NULL, &s->reset[d]);
	}
out:
	tarn_mem_free(bias);
	return err;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	int act = 0;
	const rec_kind *kind = g->last == n ? kind_of(n, &act) : NULL;
	if (!kind)
		return TARN_OK;
	rec_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	s->kind = kind;
	s->act = kind->act[act];
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
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_recurrent, g, in, 3, out, n->n_out < 3 ? n->n_out : 3, s, -1));
	b->p->step.at[b->p->step.len - 1].engine = kind->engine;
	*taken = true;
	s = NULL;
out:
	if (s)
		state_free(s);
	return err;
}

/* ---- running ---- */

/* Where a state of direction d and batch element b lies in h0, Y_h and so on. */
static int64_t state_at(const rec_run *r, int64_t d, int64_t b)
{
	return (r->batch_first ? b * r->s->directions + d : d * r->batch + b) * r->s->h;
}

static void begin_state(const float *from, float *to, size_t bytes)
{
	if (from)
		memcpy(to, from, bytes);
	else
		memset(to, 0, bytes);
}

static void direction(const rec_run *r, int64_t d, bool reverse)
{
	int64_t h = r->s->h;
	size_t bytes = (size_t)h * sizeof(float);
	for (int64_t b = 0; b < r->batch; b++) {
		int64_t at = state_at(r, d, b);
		begin_state(r->h0 ? r->h0 + at : NULL, r->h + b * h, bytes);
		begin_state(r->c0 ? r->c0 + at : NULL, r->c + b * h, bytes);
	}
	for (int64_t i = 0; i < r->steps; i++) {
		int64_t t = reverse ? r->steps - 1 - i : i;
		r->s->kind->step(r, d, r->gates + t * r->step_rows * r->s->gates);
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
	const rec_state *s = step->state;
	const tarn_shape *x = &tarn_cpu_val(run->inst, run->p, step->in[0])->shape;
	bool batch_first = tarn_attr_i(step->node, TARN_REC_LAYOUT);
	int64_t steps = x->dim[batch_first], batch = x->dim[!batch_first], g = s->gates, way;
	rec_run r = {.s = s, .pool = run->pool, .steps = steps, .batch = batch, .batch_first = batch_first};
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
		tarn_gemm_f32_args a = {.m = (size_t)(steps * batch),
					.a = run->ptr[step->in[0]],
					.lda = (size_t)s->in,
					.c = r.gates,
					.ldc = (size_t)g};
		multiply(run->pool, s->input[d], &a, s->in * g);
		direction(&r, d, d == 1 || way == 1);
	}
	tarn_mem_free(scratch);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_recurrent = {.name = "f32 recurrent", .build = build, .run = run, .state_free = state_free};
