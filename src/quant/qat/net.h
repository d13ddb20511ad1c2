/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside qat: a model as something to train. What is trained stands in one array of float, theta; each parameter owns a slice
 * of it and makes from it the tensor the graph reads. Gradients are arrays of the same length.
 */
#ifndef TARN_QUANT_QAT_NET_H
#define TARN_QUANT_QAT_NET_H

#include "ir/op.h"
#include "quant/qat/qat.h"

typedef enum qat_kind {
	QAT_FLOAT,  /* a constant the graph reads as it is */
	QAT_BIAS,   /* written as int32 codes of scale s_x * s_w */
	QAT_WEIGHT, /* rounded to codes of its channel's scale */
	QAT_WSCALE, /* logarithms of those scales */
	QAT_SCALE,  /* logarithm of an activation's scale */
	QAT_ZERO,   /* its zero point */
} qat_kind;

typedef struct qat_param {
	qat_kind kind;
	size_t at, n;            /* slice of theta */
	tarn_tensor t;           /* what the graph reads, made by qat_net_set */
	int scale;               /* WEIGHT: its WSCALE */
	int64_t channels, inner; /* WEIGHT: element i belongs to channel i / inner % channels */
	double lo, hi;           /* codes: WEIGHT, ZERO */
	float unit;              /* one step of the learning rate 1 */
	const tarn_value *v;     /* the constant it is written to: values, codes, scale or zero point */
	const tarn_node *dq;     /* WEIGHT, BIAS: the DequantizeLinear that reads it */
} qat_param;

typedef struct qat_net {
	tarn_model *m; /* own copy */
	tarn_arena arena;
	VEC(qat_param) param;
	size_t n_theta;
	int *param_of; /* by value id: the parameter whose tensor the value is; -1 */
	bool *skip;    /* by node index: DequantizeLinear of constants, done by the parameters */
	bool *wants;   /* by value id: some parameter stands behind it */
} qat_net;

TARN_MUST tarn_err qat_net_init(qat_net *net, const tarn_model *start);
void qat_net_fini(qat_net *net);
/* theta as the model has it. teacher (may be NULL) gives weights their values before rounding, where its nodes and shapes
 * match. */
void qat_net_start(const qat_net *net, const tarn_model *teacher, float *theta);
/* Random numbers of the size that keeps activations alike from layer to layer, in place of the float constants' values. */
float qat_net_size(const float *x, size_t n); /* root mean square */
void qat_net_forget(const qat_net *net, uint64_t seed, float *theta);
/* Makes the tensors from theta. */
void qat_net_set(qat_net *net, const float *theta);
/* From the gradients of the tensors to those of theta, in place. */
void qat_net_chain(const qat_net *net, const float *theta, float *grad);
/* Keeps theta where it means something: zero points in range. */
void qat_net_bound(const qat_net *net, float *theta);
/* The model with theta written into its constants. */
TARN_MUST tarn_err qat_net_export(const qat_net *net, const float *theta, tarn_model **out);

struct qat_stash;
struct qat_sizes;

/* One thread's walk through one sample. What it does not keep on the way forward it makes again on the way back. */
typedef struct qat_walk {
	const qat_net *net;
	const struct qat_stash *stash; /* what is kept; NULL: everything */
	struct qat_sizes *sizes;       /* filled on the way; NULL: not */
	tarn_tensor *at, *d;           /* by value id: values, gradients */
	int *left;                     /* by value id: nodes that still read it on the way forward */
	float *grad;                   /* n_theta: sums over samples */
	size_t bytes, most;            /* held now, and at the worst, with what kernels need beside */
} qat_walk;
TARN_MUST tarn_err qat_walk_init(qat_walk *w, const qat_net *net);
void qat_walk_fini(qat_walk *w);
/* Values of all outputs: w->at[output->id]. */
TARN_MUST tarn_err qat_walk_forward(qat_walk *w, const tarn_tensor *in);
/* What a value holds now. */
const tarn_tensor *qat_walk_value(const qat_walk *w, const tarn_value *v);
/* Adds the sample's gradients to w->grad; dout[i]: of n values v[i]; type NONE: nothing from there. Lets go of all values. */
TARN_MUST tarn_err qat_walk_backward(qat_walk *w, const tarn_value *const *v, const tarn_tensor *dout, size_t n);

/* ---- kernels: the operators that take the time, in f32; *done false: the reference does it ---- */
TARN_MUST tarn_err qat_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done);
TARN_MUST tarn_err qat_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out,
				const tarn_tensor *dout, tarn_tensor *din, bool *done);

/* ---- loss.c ---- */
typedef enum qat_head {
	QAT_RAW,       /* any numbers: mean square relative to the teacher's */
	QAT_LOGITS,    /* [n][classes], before softmax: divergence of the softmax */
	QAT_SOFTMAX,   /* probabilities */
	QAT_LOGSOFTMAX /* their logarithms */
} qat_head;
/* What stands for output i in the loss: what goes into its softmax, when it is one over all classes; else the output itself. */
const tarn_value *qat_tap(const tarn_graph *g, size_t i);
/* What kind of numbers a tap holds. */
qat_head qat_head_of(const tarn_value *tap, bool labelled);
typedef struct qat_target {
	const float *teacher; /* as many numbers as the output; NULL: none */
	const int64_t *label; /* one per row; NULL: none */
	double label_weight;  /* with both: the labels' share */
} qat_target;
/* Loss of an output y (f32) and, with dy, its gradient. */
double qat_loss(qat_head head, const tarn_tensor *y, const qat_target *t, float *dy);
/* Rows whose largest number stands where it should (label, else teacher). */
size_t qat_right(const tarn_tensor *y, const qat_target *t, size_t *rows);

#endif
