/* SPDX-License-Identifier: Apache-2.0 */
/* RNN, GRU and LSTM: their one schema, the activation functions they name, and the cell both directions of training share.
 * Arrays of a tarn_recurrent belong to it. No state; callable from any thread. */
#ifndef TARN_OPS_RECURRENT_H
#define TARN_OPS_RECURRENT_H

#include "ops/real.h"

enum {
	TARN_REC_ALPHA,
	TARN_REC_BETA,
	TARN_REC_ACTIVATIONS, /* names separated by commas */
	TARN_REC_CLIP,
	TARN_REC_DIRECTION,
	TARN_REC_HIDDEN,
	TARN_REC_LAYOUT,
	TARN_REC_LAST /* input_forget or linear_before_reset */
};

typedef struct tarn_recurrent_act {
	int kind;
	double alpha, beta;
} tarn_recurrent_act;

/* The `need` activations of the node (per direction, in order), from its attributes or the defaults ("Sigmoid,Tanh,Tanh"). */
TARN_MUST tarn_err tarn_recurrent_acts(const tarn_node *n, const char *defaults, int directions, tarn_recurrent_act *act,
				       int need);
double tarn_recurrent_apply(const tarn_recurrent_act *a, double x);
/* Its derivative. */
double tarn_recurrent_slope(const tarn_recurrent_act *a, double x);

/* Inputs. */
enum { TARN_REC_X, TARN_REC_W, TARN_REC_R, TARN_REC_B, TARN_REC_LENS, TARN_REC_H0, TARN_REC_C0, TARN_REC_P, TARN_REC_INPUTS };

/* Everything of one direction. */
typedef struct tarn_rec_cell {
	int gates; /* 1 RNN, 3 GRU (update, reset, hidden), 4 LSTM (input, output, forget, cell) */
	int64_t in, h;
	const double *w, *r, *b, *p; /* b, p: NULL when absent */
	tarn_recurrent_act act[3];
	double clip;   /* 0: none */
	bool special;  /* input_forget, linear_before_reset */
	double *g, *u; /* scratch: gates*h sums of x, gates*h sums of the state */
} tarn_rec_cell;

typedef struct tarn_recurrent {
	tarn_rec_cell k;
	int64_t s, b, d; /* steps, batch, directions */
	int first;       /* 1: the first direction runs backwards */
	bool batch_first;
	tarn_recurrent_act act[6];
	double *in[TARN_REC_INPUTS]; /* inputs as double, NULL when absent */
	double *scratch, *h, *c;     /* one sequence's state */
} tarn_recurrent;

TARN_MUST tarn_err tarn_recurrent_open(const tarn_node *n, const tarn_tensor *const *in, tarn_recurrent *r);
void tarn_recurrent_close(tarn_recurrent *r);
/* Makes r->k the cell of direction d. */
void tarn_recurrent_turn(tarn_recurrent *r, int64_t d);
/* Steps of sequence b; its t-th to be done, in the order of direction d. */
int64_t tarn_recurrent_len(const tarn_recurrent *r, int64_t b);
int64_t tarn_recurrent_at(const tarn_recurrent *r, int64_t d, int64_t len, int64_t t);
/* Offset of a state (initial or last), of a step's output, and of its input. */
int64_t tarn_recurrent_state(const tarn_recurrent *r, int64_t d, int64_t b);
int64_t tarn_recurrent_out(const tarn_recurrent *r, int64_t s, int64_t d, int64_t b);
int64_t tarn_recurrent_in(const tarn_recurrent *r, int64_t s, int64_t b);
/* The state a sequence starts from, into r->h and r->c. */
void tarn_recurrent_begin(tarn_recurrent *r, int64_t d, int64_t b);
/* An activation of the cell, after clipping. */
double tarn_recurrent_act_at(const tarn_rec_cell *c, int i, double v);
/* The sums a step starts with: of the input into k->g, of the state into k->u, biases included. */
void tarn_recurrent_sums(const tarn_rec_cell *k, const double *x, const double *h);
/* One step: h (and c of an LSTM) move on. Makes the sums; a GRU leaves its gates in k->g, and what the hidden row summed in the
 * last third of k->u. */
void tarn_recurrent_step(const tarn_rec_cell *k, const double *x, double *h, double *c);

TARN_MUST tarn_err tarn_recurrent_grad(tarn_grad *g);

#endif
