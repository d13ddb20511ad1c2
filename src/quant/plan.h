/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside quant: the stages of quantization and what they hand on. ptq.c is their usual order; accuracy control and training
 * call them one by one.
 *
 *   tarn_quant_plan_init   a private copy of the float model after the standard passes; its nodes and values are the plan's
 * indices tarn_quant_place       which nodes run in INT8, which values carry codes, which of them share a grid
 *   tarn_quant_observe     statistics of those values over the samples
 *   tarn_quant_estimate    a grid for each of them
 *   tarn_quant_weights     codes and scales of the constant weights, and the shift their rounding causes
 *   tarn_quant_write       the INT8 model, as a new one; the plan stays as it is
 *
 * Placing again with more nodes in keep_float, estimating and writing is cheap: observing is not repeated, because fewer nodes
 * in INT8 never need a value that was not seen. Not thread-safe; everything lives in the plan's arena until
 * tarn_quant_plan_fini.
 */
#ifndef TARN_QUANT_PLAN_H
#define TARN_QUANT_PLAN_H

#include "quant/hist.h"
#include "quant/quant.h"

/* What was seen of one value. */
typedef struct quant_stat {
	size_t samples;        /* that had elements */
	double lo, hi;         /* over everything */
	double sum_lo, sum_hi; /* of the samples' minima and maxima */
	quant_hist hist;       /* of a part of each sample */
	/* Inputs of products whose bias can be corrected: mean of each channel over samples and positions (sums until observing
	 * ends); NULL: not wanted. */
	double *mean;
	int64_t channels;
} quant_stat;

/* Constant weights of one product in codes, symmetric, one scale for each output channel. */
typedef struct quant_weight {
	int axis; /* of the output channels */
	int64_t channels;
	float *scale;  /* channels of them; NULL: the node has no constant weights */
	int8_t *code;  /* as many as the weights */
	double *shift; /* by output channel: taken off the bias, because rounding adds as much on average */
} quant_weight;

typedef struct quant_plan {
	tarn_model *m;            /* the float model */
	const tarn_model *sized;  /* the same nodes at the sizes of the first sample, for costs; NULL: sizes cannot be had */
	tarn_quant_preset preset; /* never AUTO */
	tarn_quant_estimator estimator; /* never SEARCHED */
	int weight_top;                 /* largest code of a weight: 127, or 7 with four bits */
	bool equalized, aligned, rounded, bias_full;
	double strength;    /* with which m was equalized; NAN: with the one that promised most, group by group */
	bool correct_means; /* biases make up for what rounding the weights adds */
	tarn_arena arena;
	bool *keep_float; /* by node index, the caller's: stays float whatever the operator is */
	/* Placed. */
	bool *int8;       /* by node index: runs on codes */
	bool *moves;      /* by node index: passes codes through */
	bool *marked;     /* by value id: gets a quantizer */
	int *group;       /* by value id: union-find; one grid for each group */
	bool *fine;       /* by value id: products read it in two codes (fine.h) */
	uint8_t *precise; /* by node index: rests that products of their own add (precise.h) */
	/* Observed, estimated; by value id. A group's grid stands with each of its values. */
	quant_stat *stat;
	quant_grid *grid;
	tarn_quant_estimator *estimated; /* which estimator the grid is from */
	quant_weight *weight;            /* by node index */
} quant_plan;

/* The plan keeps no reference to m. TARN_USAGE when m is quantized already. */
/* A copy of m at the sizes of the first sample, nodes and values numbered as those of m, itself a copy; room for shapes in a.
 * *sized stays NULL when it cannot be had. */
TARN_MUST tarn_err tarn_quant_at_sample_size(const tarn_model *m, const tarn_quant_options *o, tarn_arena *a,
					     tarn_model **sized);
TARN_MUST tarn_err tarn_quant_plan_init(quant_plan *p, const tarn_model *m, const tarn_quant_options *o);
void tarn_quant_plan_fini(quant_plan *p);
/* Fills the report's counts, reasons and share; again: they are replaced. */
TARN_MUST tarn_err tarn_quant_place(quant_plan *p, const tarn_quant_options *o, tarn_quant_report *r);
TARN_MUST tarn_err tarn_quant_observe(quant_plan *p, const tarn_quant_options *o);
TARN_MUST tarn_err tarn_quant_estimate(quant_plan *p);
TARN_MUST tarn_err tarn_quant_weights(quant_plan *p);
/* Finds the shifts of all weights from their codes and the mean inputs; what correcting in order has found is lost. */
void tarn_quant_shift_weights(quant_plan *p);
TARN_MUST tarn_err tarn_quant_write(const quant_plan *p, tarn_model **out);

/* ---- parts of the stages ---- */

/* transposed.c: transposed convolutions become convolutions, whose phases DepthToSpace interleaves. */
TARN_MUST tarn_err tarn_quant_lower_transposed(tarn_model *m);
int tarn_quant_root(const quant_plan *p, int value);
/* TARN_USAGE when a node to ignore is not there. */
TARN_MUST tarn_err tarn_quant_check_ignored(const tarn_graph *g, const tarn_quant_options *o);
/* Does the model look like a transformer? */
bool tarn_quant_is_transformer(const tarn_graph *g);
/* Does it have activations of uneven sign (SiLU, GELU, h-swish, leaky)? */
bool tarn_quant_is_uneven(const tarn_graph *g);
/* Why a node whose operator could run in INT8 does not; NULL: it does. */
const char *tarn_quant_float_reason(const tarn_graph *g, const tarn_node *n, bool transformer);
/* The weights of an INT8 product: f32, constant, output channels along *axis. NULL: there are none. */
const tarn_tensor *tarn_quant_weights_of(const tarn_node *n, int *axis);
/* The node and input whose constant takes the shift of product n: its own bias (also where there is none yet), or that of the
 * addition behind a MatMul. */
bool tarn_quant_bias_of(const tarn_graph *g, tarn_node *n, tarn_node **at, int *slot);
bool tarn_quant_takes_shift(const tarn_graph *g, tarn_node *n);
bool tarn_quant_is(const tarn_node *n, const char *op);             /* n may be NULL */
bool tarn_quant_any_of(const tarn_node *n, const char *const *ops); /* list ends with NULL */

/* v -> QuantizeLinear -> DequantizeLinear in graph g; *dq is what readers of codes read. */
TARN_MUST tarn_err tarn_quant_write_pair(tarn_graph *g, tarn_value *v, const quant_grid *q, tarn_value **dq);
/* A constant in codes with one scale for each channel along `axis`, read through a DequantizeLinear. */
TARN_MUST tarn_err tarn_quant_write_codes(tarn_graph *g, const char *name, const tarn_tensor *code, const tarn_tensor *scale,
					  int axis, tarn_value **out);
/* Multiply-accumulates of a node at the sizes of the first sample, which are known; 0: unknown, or none. */
double tarn_quant_macs(const quant_plan *p, int node);

/* Output error of q against f over at most 16 samples, into the report. */
TARN_MUST tarn_err tarn_quant_compare(const tarn_model *f, const tarn_model *q, const tarn_quant_options *o,
				      tarn_quant_report *r);

#endif
