/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RNN, GRU, LSTM: X [S,B,I], W [D,G*H,I], R [D,G*H,H], B [D,2*G*H], sequence_lens [B], initial_h [D,B,H], LSTM also initial_c
 * and the peepholes P [D,3*H]. Outputs Y [S,D,B,H], Y_h [D,B,H], Y_c. With layout 1 the batch comes first. Steps beyond a
 * sequence's length give zeros in Y and leave the state.
 */
#include "ops/recurrent.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "ops/padding.h"

#define SCHEMA(last) \
	{"activation_alpha", TARN_ATTR_FLOATS}, {"activation_beta", TARN_ATTR_FLOATS}, {"activations", TARN_ATTR_STRINGS}, \
		{"clip", TARN_ATTR_FLOAT}, \
		{"direction", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0, "forward|reverse|bidirectional"}, \
		{"hidden_size", TARN_ATTR_INT}, {"layout", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0}, \
	{ \
		last, TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0 \
	}
static const tarn_attr_def lstm_attr[] = {SCHEMA("input_forget")};
static const tarn_attr_def gru_attr[] = {SCHEMA("linear_before_reset")};
static const tarn_attr_def rnn_attr[] = {SCHEMA("unused")};

enum {
	X = TARN_REC_X,
	W = TARN_REC_W,
	R = TARN_REC_R,
	B = TARN_REC_B,
	LENS = TARN_REC_LENS,
	H0 = TARN_REC_H0,
	C0 = TARN_REC_C0,
	P = TARN_REC_P
};

static int gates_of(const tarn_node *n)
{
	return n->op->name[0] == 'L' ? 4 : n->op->name[0] == 'G' ? 3 : 1;
}

static int directions_of(const tarn_node *n)
{
	return tarn_attr_i(n, TARN_REC_DIRECTION) == 2 ? 2 : 1;
}

/* Input i has this shape wherever both are known (want < 0: free). */
static tarn_err expect(const tarn_infer *c, int i, int rank, const tarn_dim *want)
{
	const tarn_shape *s = tarn_infer_shape(c, i);
	if (!tarn_node_has(c->node, i))
		return TARN_OK;
	TRY(tarn_infer_rank(c, i, rank, rank));
	for (int k = 0; s && k < rank; k++)
		CHECK(s->dim[k] < 0 || want[k] < 0 || s->dim[k] == want[k], TARN_SHAPE,
		      "input %d has size %" PRId64 " along axis %d; %" PRId64 " is needed", i, s->dim[k], k, want[k]);
	return TARN_OK;
}

static tarn_err infer(tarn_infer *c)
{
	const tarn_node *n = c->node;
	const tarn_shape *x = tarn_infer_shape(c, X), *r = tarn_infer_shape(c, R);
	bool batch_first = tarn_attr_i(n, TARN_REC_LAYOUT);
	int gates = gates_of(n);
	tarn_dim d = directions_of(n), h = r && r->rank == 3 ? r->dim[2] : tarn_attr_i(n, TARN_REC_HIDDEN), s, b;
	TRY(tarn_infer_class(c, X, TARN_CLS_F));
	TRY(tarn_infer_rank(c, X, 3, 3));
	TRY(tarn_infer_rank(c, R, 3, 3));
	CHECK(!tarn_attr_has(n, TARN_REC_HIDDEN) || h < 0 || tarn_attr_i(n, TARN_REC_HIDDEN) == h, TARN_SHAPE,
	      "hidden_size is %" PRId64 " but R has %" PRId64, tarn_attr_i(n, TARN_REC_HIDDEN), h);
	if (!x || h == 0) {
		for (int i = 0; i < n->n_out; i++)
			tarn_infer_out(c, i, tarn_infer_type(c, X), NULL);
		return TARN_OK;
	}
	s = x->dim[batch_first];
	b = x->dim[!batch_first];
	int64_t g = h < 0 ? -1 : gates * h;
	TRY(expect(c, W, 3, (tarn_dim[]){d, g, x->dim[2]}));
	TRY(expect(c, R, 3, (tarn_dim[]){d, g, h}));
	TRY(expect(c, B, 2, (tarn_dim[]){d, g < 0 ? -1 : 2 * g}));
	TRY(expect(c, LENS, 1, (tarn_dim[]){b}));
	tarn_shape state = {.rank = 3, .dim = {batch_first ? b : d, batch_first ? d : b, h}};
	TRY(expect(c, H0, 3, state.dim));
	if (gates == 4) {
		TRY(expect(c, C0, 3, state.dim));
		TRY(expect(c, P, 2, (tarn_dim[]){d, h < 0 ? -1 : 3 * h}));
	}
	tarn_shape all = {.rank = 4, .dim = {s, d, b, h}};
	if (batch_first)
		all = (tarn_shape){.rank = 4, .dim = {b, s, d, h}};
	tarn_infer_out(c, 0, tarn_infer_type(c, X), &all);
	tarn_infer_out(c, 1, tarn_infer_type(c, X), &state);
	tarn_infer_out(c, 2, tarn_infer_type(c, X), &state);
	return TARN_OK;
}

typedef tarn_rec_cell cell;
typedef tarn_recurrent run;

double tarn_recurrent_act_at(const cell *c, int i, double v)
{
	if (c->clip > 0)
		v = v > c->clip ? c->clip : v < -c->clip ? -c->clip : v;
	return tarn_recurrent_apply(&c->act[i], v);
}

static void products(const double *m, const double *v, int64_t rows, int64_t cols, const double *bias, double *out)
{
	for (int64_t i = 0; i < rows; i++) {
		double s = bias ? bias[i] : 0;
		for (int64_t j = 0; j < cols; j++)
			s += m[i * cols + j] * v[j];
		out[i] = s;
	}
}

static void step_lstm(const cell *k, double *h, double *c)
{
	int64_t n = k->h;
	const double *p = k->p;
	for (int64_t j = 0; j < n; j++) {
		double gi = k->g[j] + k->u[j], go = k->g[n + j] + k->u[n + j], gf = k->g[2 * n + j] + k->u[2 * n + j];
		double i = tarn_recurrent_act_at(k, 0, gi + (p ? p[j] * c[j] : 0));
		double f = k->special ? 1 - i : tarn_recurrent_act_at(k, 0, gf + (p ? p[2 * n + j] * c[j] : 0));
		c[j] = f * c[j] + i * tarn_recurrent_act_at(k, 1, k->g[3 * n + j] + k->u[3 * n + j]);
		double o = tarn_recurrent_act_at(k, 0, go + (p ? p[n + j] * c[j] : 0));
		h[j] = o * tarn_recurrent_apply(&k->act[2], c[j]);
	}
}

static void step_gru(const cell *k, double *h)
{
	int64_t n = k->h;
	double *z = k->g, *r = k->g + n, *u = k->u + 2 * n, *rh = k->u;
	for (int64_t j = 0; j < n; j++) {
		z[j] = tarn_recurrent_act_at(k, 0, z[j] + k->u[j]);
		r[j] = tarn_recurrent_act_at(k, 0, r[j] + k->u[n + j]);
	}
	if (!k->special) { /* the reset gate acts on the state before the product */
		for (int64_t j = 0; j < n; j++)
			rh[j] = r[j] * h[j];
		products(k->r + 2 * n * n, rh, n, n, k->b ? k->b + 5 * n : NULL, u);
	}
	for (int64_t j = 0; j < n; j++) {
		double t = tarn_recurrent_act_at(k, 1, k->g[2 * n + j] + (k->special ? r[j] * u[j] : u[j]));
		h[j] = (1 - z[j]) * t + z[j] * h[j];
	}
}

void tarn_recurrent_sums(const cell *k, const double *x, const double *h)
{
	int64_t rows = k->gates * k->h;
	products(k->w, x, rows, k->in, k->b, k->g);
	products(k->r, h, rows, k->h, k->b ? k->b + rows : NULL, k->u);
}

void tarn_recurrent_step(const cell *k, const double *x, double *h, double *c)
{
	tarn_recurrent_sums(k, x, h);
	if (k->gates == 4)
		step_lstm(k, h, c);
	else if (k->gates == 3)
		step_gru(k, h);
	else
		for (int64_t j = 0; j < k->h; j++)
			h[j] = tarn_recurrent_act_at(k, 0, k->g[j] + k->u[j]);
}

int64_t tarn_recurrent_state(const run *r, int64_t d, int64_t b)
{
	return (r->batch_first ? b * r->d + d : d * r->b + b) * r->k.h;
}

int64_t tarn_recurrent_out(const run *r, int64_t s, int64_t d, int64_t b)
{
	return (r->batch_first ? (b * r->s + s) * r->d + d : (s * r->d + d) * r->b + b) * r->k.h;
}

int64_t tarn_recurrent_in(const run *r, int64_t s, int64_t b)
{
	return (r->batch_first ? b * r->s + s : s * r->b + b) * r->k.in;
}

int64_t tarn_recurrent_len(const run *r, int64_t b)
{
	return r->in[LENS] ? (int64_t)r->in[LENS][b] : r->s;
}

int64_t tarn_recurrent_at(const run *r, int64_t d, int64_t len, int64_t t)
{
	return d == 1 || r->first ? len - 1 - t : t;
}

void tarn_recurrent_begin(run *r, int64_t d, int64_t b)
{
	int64_t at = tarn_recurrent_state(r, d, b);
	for (int64_t j = 0; j < r->k.h; j++) {
		r->h[j] = r->in[H0] ? r->in[H0][at + j] : 0;
		r->c[j] = r->in[C0] ? r->in[C0][at + j] : 0;
	}
}

void tarn_recurrent_turn(run *r, int64_t d)
{
	cell *k = &r->k;
	int64_t rows = k->gates * k->h;
	static const int acts[] = {0, 1, 0, 2, 3};
	memcpy(k->act, r->act + d * acts[k->gates], (size_t)acts[k->gates] * sizeof *k->act);
	k->w = r->in[W] + d * rows * k->in;
	k->r = r->in[R] + d * rows * k->h;
	k->b = r->in[B] ? r->in[B] + d * 2 * rows : NULL;
	k->p = r->in[P] ? r->in[P] + d * 3 * k->h : NULL;
}

void tarn_recurrent_close(run *r)
{
	for (int i = 0; i < TARN_REC_INPUTS; i++)
		tarn_mem_free(r->in[i]);
	tarn_mem_free(r->scratch);
	*r = (run){0};
}

tarn_err tarn_recurrent_open(const tarn_node *n, const tarn_tensor *const *in, run *r)
{
	static const char *const defaults[] = {NULL, "Tanh", NULL, "Sigmoid,Tanh", "Sigmoid,Tanh,Tanh"};
	static const int acts[] = {0, 1, 0, 2, 3};
	int gates = gates_of(n), inputs = gates == 4 ? P + 1 : H0 + 1;
	int64_t h = in[R]->dim[2];
	*r = (run){.batch_first = tarn_attr_i(n, TARN_REC_LAYOUT),
		   .d = directions_of(n),
		   .first = tarn_attr_i(n, TARN_REC_DIRECTION) == 1};
	TRY(tarn_recurrent_acts(n, defaults[gates], (int)r->d, r->act, acts[gates] * (int)r->d));
	r->s = in[X]->dim[r->batch_first];
	r->b = in[X]->dim[!r->batch_first];
	r->k = (cell){.gates = gates,
		      .in = in[X]->dim[2],
		      .h = h,
		      .clip = tarn_attr_f(n, TARN_REC_CLIP),
		      .special = tarn_attr_i(n, TARN_REC_LAST)};
	tarn_err err = TARN_OK;
	for (int i = 0; i < inputs && err == TARN_OK; i++)
		err = tarn_real_load(i < n->n_in ? in[i] : NULL, &r->in[i]);
	for (int64_t b = 0; err == TARN_OK && r->in[LENS] && b < r->b; b++)
		if (!(r->in[LENS][b] >= 0 && r->in[LENS][b] <= (double)r->s))
			err = tarn_err_set(TARN_SHAPE, "sequence %lld has length %g of %lld", (long long)b, r->in[LENS][b],
					   (long long)r->s);
	if (err == TARN_OK)
		err = tarn_real_zeros(2 * h + 2 * gates * h, &r->scratch);
	if (err != TARN_OK) {
		tarn_recurrent_close(r);
		return err;
	}
	r->h = r->scratch;
	r->c = r->h + h;
	r->k.g = r->c + h;
	r->k.u = r->k.g + gates * h;
	return TARN_OK;
}

static void sequence(tarn_eval *e, run *r, int64_t d, int64_t b)
{
	int64_t len = tarn_recurrent_len(r, b), h = r->k.h;
	tarn_recurrent_begin(r, d, b);
	for (int64_t i = 0; i < len; i++) {
		int64_t t = tarn_recurrent_at(r, d, len, i);
		tarn_recurrent_step(&r->k, r->in[X] + tarn_recurrent_in(r, t, b), r->h, r->c);
		if (tarn_eval_wants(e, 0))
			tarn_real_put(&e->out[0], tarn_recurrent_out(r, t, d, b), h, r->h);
	}
	if (tarn_eval_wants(e, 1))
		tarn_real_put(&e->out[1], tarn_recurrent_state(r, d, b), h, r->h);
	if (tarn_eval_wants(e, 2))
		tarn_real_put(&e->out[2], tarn_recurrent_state(r, d, b), h, r->c);
}

static tarn_err eval(tarn_eval *e)
{
	run r;
	TRY(tarn_recurrent_open(e->node, e->in, &r));
	for (int64_t d = 0; d < r.d; d++) {
		tarn_recurrent_turn(&r, d);
		for (int64_t b = 0; b < r.b; b++)
			sequence(e, &r, d, b);
	}
	tarn_recurrent_close(&r);
	return TARN_OK;
}

static tarn_err cost(const tarn_node *n, tarn_cost *out)
{
	int64_t x, w, r;
	TRY(tarn_shape_count(&n->in[X]->shape, &x));
	TRY(tarn_shape_count(&n->in[W]->shape, &w));
	TRY(tarn_shape_count(&n->in[R]->shape, &r));
	int64_t steps = n->in[X]->shape.dim[0] * n->in[X]->shape.dim[1];
	*out = (tarn_cost){.macs = steps * (w + r)};
	return TARN_OK;
}

/* Forwards, only the last state reads behind the end; backwards, everything does. With lengths of its own it reads neither. */
static void pad_recurrent(tarn_pad *p)
{
	const tarn_node *n = p->node;
	bool batch_first = tarn_attr_i(n, TARN_REC_LAYOUT), forwards = tarn_attr_i(n, TARN_REC_DIRECTION) == 0, states = false;
	for (int i = 1; i < n->n_out; i++)
		states |= n->out[i] != NULL;
	p->need = TARN_PAD_ANY;
	p->why = "its weights would be padded";
	if (p->input == LENS)
		p->need = TARN_PAD_ONE;
	else if (p->input != X && p->input != H0 && p->input != C0)
		p->need = TARN_PAD_UNSAFE;
	else if (p->axis == 2)
		p->need = p->input == X ? TARN_PAD_ZERO : TARN_PAD_UNSAFE;
	else if (p->input == X && p->axis == batch_first && (!forwards || states) && !tarn_node_has(n, LENS))
		p->need = TARN_PAD_PLACE;
	if (p->need == TARN_PAD_PLACE)
		p->why = "it starts or ends in the padding";
}

#define RECURRENT(label, inputs, outputs, schema) \
	.name = label, .onnx_since = 1, .min_in = 3, .max_in = inputs, .min_out = 0, .max_out = outputs, .attr = schema, \
	.n_attr = TARN_REC_LAST + 1, .infer = infer, .eval = eval, .grad = tarn_recurrent_grad, .pad = pad_recurrent, \
	.cost = cost, .quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1}

const tarn_op_def tarn_op_lstm = {RECURRENT("LSTM", 8, 3, lstm_attr)};
const tarn_op_def tarn_op_gru = {RECURRENT("GRU", 6, 2, gru_attr)};
const tarn_op_def tarn_op_rnn = {RECURRENT("RNN", 6, 2, rnn_attr)};
