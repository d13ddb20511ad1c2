/* SPDX-License-Identifier: Apache-2.0 */
/* Backward through RNN, GRU and LSTM: a sequence is run again, keeping what each step started from and summed up; then it is
 * gone through from its last step to its first. */
#include <math.h>
#include <string.h>

#include "ops/grad.h"
#include "ops/recurrent.h"

/* What is kept of one step: the state it started from, and its sums. */
typedef struct step {
	double *h, *c, *g, *u;
} step;

/* Gradients of one direction, and of the step at hand. */
typedef struct back {
	const tarn_rec_cell *k;
	double *w, *r, *b, *p;       /* NULL: no such input */
	double *h, *c;               /* of the state behind the step; then of the one before it */
	double *dg, *du, *rows, *xs; /* gates*h, gates*h; h: what the hidden row of R meets; h: scratch */
} back;

/* The derivative of activation i at v, clipping included. */
static double slope(const tarn_rec_cell *k, int i, double v)
{
	return k->clip > 0 && fabs(v) > k->clip ? 0 : tarn_recurrent_slope(&k->act[i], v);
}

/* m [rows][cols] met v and gave d: dm += d v', and dv += m' d. */
static void products_back(const double *m, const double *v, const double *d, int64_t rows, int64_t cols, double *dm, double *dv)
{
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < cols; j++) {
			dm[i * cols + j] += d[i] * v[j];
			dv[j] += d[i] * m[i * cols + j];
		}
}

static void add(double *to, const double *v, int64_t n)
{
	for (int64_t i = 0; to && i < n; i++)
		to[i] += v[i];
}

static void back_rnn(const back *q, const step *s)
{
	for (int64_t j = 0; j < q->k->h; j++) {
		q->du[j] = q->dg[j] = q->h[j] * slope(q->k, 0, s->g[j] + s->u[j]);
		q->h[j] = 0;
	}
}

static void back_lstm(const back *q, const step *s)
{
	const tarn_rec_cell *k = q->k;
	int64_t n = k->h;
	const double *p = k->p;
	for (int64_t j = 0; j < n; j++) {
		double was = s->c[j], zi = s->g[j] + s->u[j] + (p ? p[j] * was : 0);
		double zf = s->g[2 * n + j] + s->u[2 * n + j] + (p ? p[2 * n + j] * was : 0),
		       zt = s->g[3 * n + j] + s->u[3 * n + j];
		double i = tarn_recurrent_act_at(k, 0, zi), f = k->special ? 1 - i : tarn_recurrent_act_at(k, 0, zf);
		double t = tarn_recurrent_act_at(k, 1, zt), c = f * was + i * t;
		double zo = s->g[n + j] + s->u[n + j] + (p ? p[n + j] * c : 0), o = tarn_recurrent_act_at(k, 0, zo);
		double dzo = q->h[j] * tarn_recurrent_apply(&k->act[2], c) * slope(k, 0, zo);
		double dc = q->c[j] + q->h[j] * o * tarn_recurrent_slope(&k->act[2], c) + (p ? dzo * p[n + j] : 0);
		double dzi = dc * (k->special ? t - was : t) * slope(k, 0, zi);
		double dzf = k->special ? 0 : dc * was * slope(k, 0, zf);
		q->du[j] = q->dg[j] = dzi;
		q->du[n + j] = q->dg[n + j] = dzo;
		q->du[2 * n + j] = q->dg[2 * n + j] = dzf;
		q->du[3 * n + j] = q->dg[3 * n + j] = dc * i * slope(k, 1, zt);
		q->c[j] = dc * f + (p ? dzi * p[j] + dzf * p[2 * n + j] : 0);
		q->h[j] = 0;
		if (p) {
			q->p[j] += dzi * was;
			q->p[n + j] += dzo * c;
			q->p[2 * n + j] += dzf * was;
		}
	}
}

/* The reset gate acts on the state before the product with the hidden row, or (linear_before_reset) on the product. */
static void back_gru(const back *q, const step *s)
{
	const tarn_rec_cell *k = q->k;
	int64_t n = k->h;
	double *dr = q->xs;
	for (int64_t j = 0; j < n; j++) {
		double az = s->g[j] + s->u[j], ar = s->g[n + j] + s->u[n + j];
		double z = tarn_recurrent_act_at(k, 0, az), r = tarn_recurrent_act_at(k, 0, ar), u = s->u[2 * n + j];
		double a = s->g[2 * n + j] + (k->special ? r * u : u), t = tarn_recurrent_act_at(k, 1, a);
		double da = q->h[j] * (1 - z) * slope(k, 1, a);
		q->du[j] = q->dg[j] = q->h[j] * (s->h[j] - t) * slope(k, 0, az);
		q->dg[2 * n + j] = da;
		q->du[2 * n + j] = k->special ? da * r : da;
		q->rows[j] = k->special ? s->h[j] : r * s->h[j];
		q->h[j] *= z;
		dr[j] = k->special ? da * u : 0;
	}
	if (!k->special) /* what the hidden row gives back is of r * h */
		for (int64_t i = 0; i < n; i++)
			for (int64_t j = 0; j < n; j++)
				dr[j] += q->du[2 * n + i] * k->r[(2 * n + i) * n + j];
	for (int64_t j = 0; j < n; j++) {
		double ar = s->g[n + j] + s->u[n + j];
		if (!k->special) {
			q->h[j] += dr[j] * tarn_recurrent_act_at(k, 0, ar);
			dr[j] *= s->h[j];
		}
		q->du[n + j] = q->dg[n + j] = dr[j] * slope(k, 0, ar);
	}
}

/* Back through one step: q->h and q->c become those of the state before it. */
static void back_step(const back *q, const step *s, const double *x, double *dx)
{
	const tarn_rec_cell *k = q->k;
	int64_t rows = k->gates * k->h, n = k->h, own = k->gates == 3 ? 2 * n : rows;
	if (k->gates == 4)
		back_lstm(q, s);
	else if (k->gates == 3)
		back_gru(q, s);
	else
		back_rnn(q, s);
	products_back(k->w, x, q->dg, rows, k->in, q->w, dx);
	products_back(k->r, s->h, q->du, own, n, q->r, q->h);
	if (k->gates == 3) { /* without linear_before_reset the state has its part already */
		memset(q->xs, 0, (size_t)n * sizeof *q->xs);
		products_back(k->r + own * n, q->rows, q->du + own, n, n, q->r + own * n, k->special ? q->h : q->xs);
	}
	add(q->b, q->dg, rows);
	add(q->b ? q->b + rows : NULL, q->du, rows);
}

/* Everything the walk needs: inputs, gradients of all inputs and of the outputs, room for the steps. */
typedef struct tape {
	tarn_recurrent r;
	double *d[TARN_REC_INPUTS], *dout[3];
	double *kept; /* by step: h, c, g, u */
	back q;
} tape;

static step step_of(const tape *t, int64_t i)
{
	int64_t h = t->r.k.h, rows = t->r.k.gates * h;
	double *at = t->kept + i * (2 * h + 2 * rows);
	return (step){at, at + h, at + 2 * h, at + 2 * h + rows};
}

/* Forward once more. The sums of a GRU are made here, since a step overwrites them with its gates. */
static void keep(tape *t, int64_t d, int64_t b, int64_t len)
{
	tarn_recurrent *r = &t->r;
	tarn_rec_cell *k = &r->k;
	size_t h = (size_t)k->h * sizeof(double);
	double *g = k->g, *u = k->u;
	tarn_recurrent_begin(r, d, b);
	for (int64_t i = 0; i < len; i++) {
		step s = step_of(t, i);
		const double *x = r->in[TARN_REC_X] + tarn_recurrent_in(r, tarn_recurrent_at(r, d, len, i), b);
		memcpy(s.h, r->h, h);
		memcpy(s.c, r->c, h);
		k->g = s.g;
		k->u = s.u;
		tarn_recurrent_sums(k, x, r->h);
		k->g = g;
		k->u = u;
		tarn_recurrent_step(k, x, r->h, r->c);
		if (k->gates == 3 && !k->special) /* as the step left it: of r * h */
			memcpy(s.u + 2 * k->h, u + 2 * k->h, h);
	}
}

static void sequence(tape *t, int64_t d, int64_t b)
{
	tarn_recurrent *r = &t->r;
	int64_t len = tarn_recurrent_len(r, b), h = r->k.h, state = tarn_recurrent_state(r, d, b);
	keep(t, d, b, len);
	for (int64_t j = 0; j < h; j++) {
		t->q.h[j] = t->dout[1] ? t->dout[1][state + j] : 0;
		t->q.c[j] = t->dout[2] ? t->dout[2][state + j] : 0;
	}
	for (int64_t i = len; i-- > 0;) {
		int64_t at = tarn_recurrent_at(r, d, len, i), x = tarn_recurrent_in(r, at, b);
		step s = step_of(t, i);
		add(t->q.h, t->dout[0] ? t->dout[0] + tarn_recurrent_out(r, at, d, b) : NULL, t->dout[0] ? h : 0);
		back_step(&t->q, &s, r->in[TARN_REC_X] + x, t->d[TARN_REC_X] + x);
	}
	add(t->d[TARN_REC_H0] ? t->d[TARN_REC_H0] + state : NULL, t->q.h, h);
	add(t->d[TARN_REC_C0] ? t->d[TARN_REC_C0] + state : NULL, t->q.c, h);
}

static tarn_err open_tape(tarn_grad *g, tape *t)
{
	const tarn_rec_cell *k = &t->r.k;
	int64_t h = k->h, rows = k->gates * h;
	for (int i = 0; i < g->node->n_in; i++)
		if (t->r.in[i] && i != TARN_REC_LENS)
			TRY(tarn_grad_zeros(g, tarn_tensor_count(g->in[i]), &t->d[i]));
	for (int i = 0; i < g->node->n_out; i++)
		TRY(tarn_grad_load(g, &g->dout[i], &t->dout[i]));
	TRY(tarn_grad_zeros(g, t->r.s * (2 * h + 2 * rows), &t->kept));
	TRY(tarn_grad_zeros(g, 4 * h + 2 * rows, &t->q.h));
	t->q.c = t->q.h + h;
	t->q.rows = t->q.c + h;
	t->q.xs = t->q.rows + h;
	t->q.dg = t->q.xs + h;
	t->q.du = t->q.dg + rows;
	t->q.k = k;
	return TARN_OK;
}

static tarn_err walk(tarn_grad *g, tape *t)
{
	int64_t rows = t->r.k.gates * t->r.k.h;
	TRY(open_tape(g, t));
	for (int64_t d = 0; d < t->r.d; d++) {
		tarn_recurrent_turn(&t->r, d);
		t->q.w = t->d[TARN_REC_W] + d * rows * t->r.k.in;
		t->q.r = t->d[TARN_REC_R] + d * rows * t->r.k.h;
		t->q.b = t->d[TARN_REC_B] ? t->d[TARN_REC_B] + d * 2 * rows : NULL;
		t->q.p = t->d[TARN_REC_P] ? t->d[TARN_REC_P] + d * 3 * t->r.k.h : NULL;
		for (int64_t b = 0; b < t->r.b; b++)
			sequence(t, d, b);
	}
	for (int i = 0; i < g->node->n_in; i++)
		if (t->d[i] && tarn_grad_wants(g, i))
			tarn_grad_add(&g->din[i], t->d[i]);
	return TARN_OK;
}

tarn_err tarn_recurrent_grad(tarn_grad *g)
{
	tape t = {0};
	TRY(tarn_recurrent_open(g->node, g->in, &t.r));
	tarn_err err = walk(g, &t);
	tarn_recurrent_close(&t.r);
	return err;
}
