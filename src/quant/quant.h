/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Post-training quantization: a float model and sample inputs in, the same model with QuantizeLinear/DequantizeLinear pairs
 * out.
 *
 * Activations: 8 bits, one scale and zero point per tensor, zero on the grid, range by one of several estimators. Weights: 8
 * bits signed, symmetric, one scale per output channel, codes -127..127. Bias: int32 with scale s_x * s_w, corrected for what
 * rounding adds on average. What the options leave open is decided by the outputs. Placement follows what INT8 devices fuse: a
 * quantizer on each input of a product, addition or average; value-preserving operators (MaxPool, Reshape, Concat ...) pass
 * codes through with one grid on both sides; all else stays float, with a reason.
 */
#ifndef TARN_QUANT_QUANT_H
#define TARN_QUANT_QUANT_H

#include "base/vec.h"
#include "ir/graph.h"
#include "rt/device.h"

typedef enum tarn_quant_preset {
	TARN_QUANT_AUTO, /* MIXED when activations take both signs unevenly (SiLU, GELU, h-swish, leaky; transformers) or the
			    outputs gain much by it, else PERFORMANCE */
	TARN_QUANT_PERFORMANCE, /* symmetric activations: zero point 0 */
	TARN_QUANT_MIXED,       /* asymmetric activations: u8 with a zero point */
} tarn_quant_preset;

/* How the range of an activation follows from what was seen of it. */
typedef enum tarn_quant_estimator {
	TARN_QUANT_SEARCHED,     /* what serves the outputs best of BY_SQNR, MEAN_MIN_MAX and MIN_MAX */
	TARN_QUANT_BY_SQNR,      /* for each tensor the one below whose grid has the highest SQNR */
	TARN_QUANT_MEAN_MIN_MAX, /* mean of the samples' minima and maxima */
	TARN_QUANT_MIN_MAX,
	TARN_QUANT_PERCENTILE, /* leaves out 1 in 20000 at each end */
	TARN_QUANT_MSE,        /* least mean squared error */
	TARN_QUANT_ENTROPY,    /* least Kullback-Leibler divergence */
	TARN_QUANT_ESTIMATORS, /* how many there are */
} tarn_quant_estimator;

typedef enum tarn_quant_repair {
	TARN_QUANT_TRY, /* kept when the outputs come closer to the float model's */
	TARN_QUANT_OFF,
	TARN_QUANT_ON, /* done and kept, whatever it does */
} tarn_quant_repair;

/* Accuracy control (control.h). */
typedef struct tarn_quant_control {
	/* Points that may be lost. With score: percent of the samples' mean score. Without: percent of the outputs' power that
	 * the squared error against the float model may reach. */
	double max_drop;
	/* How right the outputs of sample i are, 1 the best; NULL: outputs are compared with the float model's. */
	tarn_err (*score)(void *ctx, size_t i, const tarn_tensor *out, int n_out, double *score);
	/* Modelled time of an intermediate model; NULL: not known. */
	tarn_err (*price)(void *ctx, const tarn_model *q, tarn_estimate *e);
	void *ctx;
	/* The plan's model as training left it, with everything in INT8 (NULL: not trained), and the samples to measure on
	 * (NULL: those that calibrate). */
	const tarn_model *trained;
	const struct tarn_quant_options *on;
} tarn_quant_control;

/* One model that accuracy control measured. Texts live as long as the report. */
typedef struct tarn_quant_step {
	enum { TARN_QUANT_STEP_FLOAT, TARN_QUANT_STEP_INT8, TARN_QUANT_STEP_RESTORE, TARN_QUANT_STEP_RETURN } what;
	const char *node, *op;      /* of RESTORE (to float) and RETURN (to INT8 again); else NULL */
	double score;               /* mean, 0..1; NAN without a score */
	double drop;                /* points */
	double drop_low, drop_high; /* its 95 % interval over the samples, paired (drop.h); NAN without a score */
	double error;               /* squared error of the outputs over their power */
	double mac_share_int8;
	int64_t bytes;      /* of the model's constants */
	tarn_estimate cost; /* ms NAN: not known */
	bool pareto;        /* none of the others is better in drop, time and bytes at once */
	bool chosen;
} tarn_quant_step;

typedef struct tarn_quant_controlled {
	bool met;
	VEC(tarn_quant_step) step; /* the float model first */
	int evaluations;           /* models that were run */
} tarn_quant_controlled;

/* What biases make up for. */
typedef enum tarn_quant_bias {
	TARN_QUANT_BIAS_TRY,  /* FULL, when the outputs come closer to the float model's than with FAST */
	TARN_QUANT_BIAS_OFF,  /* nothing */
	TARN_QUANT_BIAS_FAST, /* what rounding the weights adds for the average input */
	TARN_QUANT_BIAS_FULL, /* what each product is off on average when all before it is quantized and corrected */
} tarn_quant_bias;

typedef struct tarn_quant_options {
	tarn_quant_preset preset;
	tarn_quant_estimator estimator;
	/* Magnitude moved between activations and weights, channel by channel; strength counts with ON: 0 makes the weights
	 * even, 1 the activations, NAN is what promises most for each group of linked values. */
	tarn_quant_repair equalize;
	double strength;
	int weight_bits; /* 8 (or 0), or 4: codes -7..7 in bytes */
	tarn_quant_bias bias;
	/* Each weight up or down by what that does to the outputs. TRY leaves it out where it would take long. */
	tarn_quant_repair round;
	/* Values whose rounding harms the outputs most in two codes (fine.h). TRY: only while the outputs are not good. */
	tarn_quant_repair fine;
	const char *const *ignore; /* names of nodes that stay float; a name no node has is TARN_USAGE */
	int n_ignore;
	/* Fills in[0 .. inputs-1] with new tensors (own buffers) for sample i. */
	tarn_err (*sample)(void *ctx, size_t i, tarn_tensor *in);
	size_t n_sample;
	/* Calibrate on so many of them, drawn by `seed`; 0: on all. A limit is measured on all. */
	size_t subset;
	uint64_t seed;
	void (*progress)(void *ctx, const char *what, size_t done, size_t total); /* may be NULL */
	bool (*stop)(void *ctx);                                                  /* asked between samples; may be NULL */
	void *ctx;
	tarn_device *device;               /* runs the model while it is observed */
	const tarn_quant_control *control; /* NULL: no limit */
	bool layers;                       /* report on each layer */
	size_t watched; /* bytes of values that it watches at a time, more in a layer that has more; 0: 64 MB */
} tarn_quant_options;

/* A node that stays float, and why. Texts live as long as the report. */
typedef struct tarn_quant_reason {
	const char *node, *op, *why;
} tarn_quant_reason;

/* One layer of the float model (layer_report.h). Texts live as long as the report. */
typedef struct tarn_quant_layer {
	const char *node, *op;
	const char *state; /* static: "int8", "moves" (codes pass through), "float" */
	double own_db;     /* signal to the noise that its own rounding adds; NAN: none */
	double total_db;   /* and to all noise that has gathered in its result; NAN: it is not in the quantized model */
	double clipped;    /* share of its inputs beyond their grid, of the worst input; NAN: no codes */
	int codes;         /* used of 256, by the input that uses the fewest; 0: no codes */
	tarn_quant_estimator estimator; /* where its first input's range is from; AUTO: no codes, or learned */
	int *from, n_from;              /* layers it reads, by index */
} tarn_quant_layer;

/* The samples of one input. */
typedef struct tarn_quant_data {
	double lo, hi, mean, deviation;
	const char *range;   /* "0..1", "0..255", "-1..1", "normalized", "other" */
	size_t constant;     /* samples all of whose elements are equal */
	const char *warning; /* NULL: none */
} tarn_quant_data;

typedef struct tarn_quant_report {
	tarn_arena arena;
	tarn_quant_preset preset;    /* the one used */
	int nodes_int8, nodes_float; /* of those that compute (shape arithmetic and moves do not count) */
	double mac_share_int8;       /* of known multiply-accumulates; NAN when there are none or sizes are free */
	VEC(tarn_quant_reason) reason;
	double *sqnr_db; /* by graph output: 10 log10 (signal / quantization noise), over at most 16 samples; NAN for integer
			    outputs */
	int n_output;
	size_t samples;
	tarn_quant_estimator estimator; /* the one used */
	bool equalized, aligned, bias_off, bias_full, rounded;
	size_t estimated[TARN_QUANT_ESTIMATORS]; /* ranges by the estimator they are from */
	size_t fine;                             /* values in two codes */
	size_t precise;                          /* products with rests of input or weights added (precise.h) */
	double strength;                         /* of equalizing; NAN: group by group */
	tarn_quant_data *data;                   /* by input of the model */
	int n_data;
	size_t duplicates;             /* samples equal to another one */
	tarn_quant_controlled control; /* empty without a limit */
	VEC(tarn_quant_layer) layer;   /* when asked for; then: */
	tarn_model *twin;              /* the float model, repaired as the quantized one, that layers are compared with */
} tarn_quant_report;
void tarn_quant_report_fini(tarn_quant_report *r);

/* *out is a new model. The report is filled also when too few nodes could be quantized to be of use. TARN_CANCELLED when
 * stopped. */
TARN_MUST tarn_err tarn_quant_ptq(const tarn_model *m, const tarn_quant_options *o, tarn_model **out,
				  tarn_quant_report *report);

#endif
