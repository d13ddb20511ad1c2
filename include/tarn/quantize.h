/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Post-training quantization: a float model and sample data in, the same model in INT8 out, with QuantizeLinear and
 * DequantizeLinear nodes (tarn_save_model writes them as ONNX; any runtime that knows these operators runs it).
 *
 * The model runs on device CPU over the samples to learn the range of each activation. Free batch axes count as 1; free
 * dimensions stay free in the result. Handles, status codes and rules are those of the C API.
 */
#ifndef TARN_QUANTIZE_H
#define TARN_QUANTIZE_H

#include "openvino/c/openvino.h"
#include "tarn/data.h"
#include "tarn/train.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

typedef enum tarn_quantize_preset {
	TARN_QUANTIZE_AUTO,        /* MIXED where activations take both signs unevenly (SiLU, GELU, transformers) or the
				    * outputs gain more than 1 dB by it, else PERFORMANCE */
	TARN_QUANTIZE_PERFORMANCE, /* symmetric activations: zero point 0 */
	TARN_QUANTIZE_MIXED,       /* activations with a zero point */
} tarn_quantize_preset;

/* How the range of an activation follows from what was seen of it. */
typedef enum tarn_quantize_estimator {
	TARN_ESTIMATOR_AUTO,         /* what serves the outputs best of BY_SQNR, MEAN_MIN_MAX and MIN_MAX */
	TARN_ESTIMATOR_BY_SQNR,      /* for each tensor the one below with the highest signal to quantization noise */
	TARN_ESTIMATOR_MEAN_MIN_MAX, /* mean of the samples' minima and maxima */
	TARN_ESTIMATOR_MIN_MAX,
	TARN_ESTIMATOR_PERCENTILE, /* leaves out 1 of 20000 values at each end */
	TARN_ESTIMATOR_MSE,        /* least mean squared error */
	TARN_ESTIMATOR_ENTROPY,    /* least Kullback-Leibler divergence, 2048 bins */
	TARN_ESTIMATORS,           /* how many there are */
} tarn_quantize_estimator;

typedef enum tarn_quantize_repair {
	TARN_REPAIR_TRY, /* kept when the outputs come closer to the float model's */
	TARN_REPAIR_OFF,
	TARN_REPAIR_ON, /* done and kept */
} tarn_quantize_repair;

typedef enum tarn_quantize_bias {
	TARN_BIAS_TRY,  /* FULL when that is better than FAST, and the model has at most 32 products one after the other */
	TARN_BIAS_OFF,  /* biases stay as they are */
	TARN_BIAS_FAST, /* they make up for what rounding the weights adds for the average input */
	TARN_BIAS_FULL, /* and for what each product is off on average with everything before it in INT8; slow on deep models */
} tarn_quantize_bias;

/* Data of one input. The data set must stay open, and is given its target here. */
typedef struct tarn_quantize_source {
	const char *input; /* NULL: the model's only input, or its first one */
	tarn_dataset_t *dataset;
} tarn_quantize_source;

/* Accuracy control: layers return to float until what is lost is within a limit; the fewest, those first that take away the
 * most error for their share of the work. */
typedef struct tarn_quantize_control {
	/* Points that may be lost. With labels: percent of samples whose class is right (the highest score of the first
	 * output). Without: percent of the outputs' power that the squared error against the float model may reach. */
	double max_drop;
	const int64_t *label; /* class of each sample; NULL: none */
	size_t n_label;
	const char *price_device; /* whose modelled time stands beside each model ("NPU"); NULL: none */
} tarn_quantize_control;

/* Zeroed, but for sources or sample, is a good choice. */
typedef struct tarn_quantize_options {
	tarn_quantize_preset preset;
	tarn_quantize_estimator estimator;
	/* Cross-layer equalization, SmoothQuant and channel alignment: magnitude moves between activations and the weights that
	 * read them, channel by channel; the model computes the same. strength counts with ON: 0 makes the weights even, 1 the
	 * activations, NAN is for each group of layers what promises least noise. */
	tarn_quantize_repair equalize;
	double strength;
	tarn_quantize_bias bias;
	tarn_quantize_repair round; /* adaptive rounding of weights; TRY: only where it takes about a second */
	/* Values whose rounding harms the outputs most stand in two codes, coarse and rest, where the products that read them
	 * are cheap. TRY: only while the outputs are not good. */
	tarn_quantize_repair fine;
	size_t subset; /* calibrate on so many samples, drawn by `seed`; 0: on all. A control measures on all. */
	uint64_t seed;
	int weight_bits;           /* 8 (or 0), or 4: sixteen values for each weight, stored in bytes */
	const char *const *ignore; /* names of nodes that stay float */
	size_t n_ignore;
	/* Data sets, of equally many samples, one for each input. The valid length of a bounded model (see tarn/shape.h) is its
	 * maximum when not given. */
	const tarn_quantize_source *source;
	size_t n_source;
	/* Or, with n_source 0, a function: *tensor becomes sample i of that input, a tensor of its own that is freed here. Any
	 * status but OK ends the calibration with it. */
	ov_status_e (*sample)(void *ctx, size_t i, size_t input, ov_tensor_t **tensor);
	size_t n_sample;
	/* Both may be NULL; called on the thread of the caller, between samples. stop: true ends it with INFER_CANCELLED. */
	void (*progress)(void *ctx, const char *what, size_t done, size_t total);
	bool (*stop)(void *ctx);
	void *ctx;
	/* Training afterwards, on the same samples (of which some 300 to 600, spread evenly, calibrate; those kept out of
	 * training do not calibrate what it starts from); NULL: none. Stopped while it trains, the best so far is the result.
	 */
	const tarn_training_options *training;
	const tarn_quantize_control *control; /* NULL: no limit. With training: layers of what was trained return to float */
	bool layers;                          /* report on each layer, from a few samples */
} tarn_quantize_options;

typedef struct tarn_quantize_reason {
	char *node, *type; /* name as in the file, operator */
	char *why;
} tarn_quantize_reason;
typedef struct tarn_quantize_output {
	char *name;
	double sqnr_db; /* signal to quantization noise over at most 16 samples, in dB; NAN for integer outputs */
} tarn_quantize_output;
/* The samples of one input. */
typedef struct tarn_quantize_data {
	char *input;
	double lo, hi, mean, deviation;
	char *range;     /* "0..1", "0..255", "-1..1", "normalized", "other" */
	size_t constant; /* samples all of whose elements are equal */
	char *warning;   /* that the range does not seem to be the model's; NULL: nothing was noticed */
} tarn_quantize_data;
/* One model that accuracy control measured. */
typedef struct tarn_quantize_step {
	/* The float model; all in INT8; a layer to float; one to INT8 again. */
	enum { TARN_STEP_FLOAT, TARN_STEP_INT8, TARN_STEP_RESTORE, TARN_STEP_RETURN } what;
	char *node, *type;              /* of that layer; NULL: none */
	double accuracy;                /* 0..1; NAN without labels */
	double drop;                    /* points, as max_drop */
	double drop_low, drop_high;     /* its 95 % interval, paired (tarn_compare_scores); NAN without labels */
	double mac_share_int8;          /* 0..1 */
	int64_t bytes;                  /* of the model's constants */
	double ms, band_low, band_high; /* modelled; NAN: not known */
	bool pareto;                    /* no other one is better in drop, time and bytes at once */
	bool chosen;                    /* it is the result */
} tarn_quantize_step;
/* One layer of the model that computes from its inputs, in execution order. */
typedef struct tarn_quantize_layer {
	char *node, *type;
	const char *state; /* static: "int8", "moves" (passes codes through), "float" */
	double own_db;     /* signal to the noise that rounding in this layer adds, in dB; NAN: none */
	double total_db;   /* and to all noise that has gathered in its result; NAN: not known */
	double clipped;    /* 0..1, of its inputs' elements, beyond their grid; NAN: no codes */
	int codes;         /* of 256 that its inputs use; 0: no codes */
	/* Where the range of its first input is from, one of MEAN_MIN_MAX to ENTROPY; AUTO: no codes, or learned in training.
	 */
	tarn_quantize_estimator estimator;
	size_t *from; /* the layers it reads, by index */
	size_t n_from;
} tarn_quantize_layer;
typedef struct tarn_quantize_report {
	tarn_quantize_preset preset; /* the one used */
	size_t samples;
	size_t nodes_int8, nodes_float; /* of the nodes that compute; moves and shape arithmetic are neither */
	double mac_share_int8;          /* 0..1, of multiply-accumulates at the size of the first sample; NAN: there are none */
	tarn_quantize_reason *reason;   /* for each node that stays float */
	size_t n_reason;
	tarn_quantize_output *output; /* for each output of the model */
	size_t n_output;
	tarn_quantize_estimator estimator;                     /* what was chosen, or asked for */
	bool equalized, aligned, bias_off, bias_full, rounded; /* aligned: channels shifted to lie around zero */
	size_t estimated[TARN_ESTIMATORS]; /* ranges (tensors that share one count once) by their estimator */
	size_t fine;                       /* values in two codes */
	size_t precise;                    /* products to about sixteen bits: products of what rounding left are added */
	double strength;                   /* of equalizing; NAN: group by group */
	tarn_quantize_data *data;          /* by input */
	size_t n_data;
	size_t duplicates; /* samples equal to another one */
	bool trained;      /* then: */
	tarn_training_report training;
	size_t canaries; /* samples stored in the model, to be run and compared with the CPU where it is compiled */
	/* With a limit: whether it was met, and every model on the way, the float one first. */
	bool met;
	tarn_quantize_step *step;
	size_t n_step;
	tarn_quantize_layer *layer; /* when asked for */
	size_t n_layer;
} tarn_quantize_report;

/* The model stays as it is. report may be NULL; otherwise it is for tarn_free_quantize_report, also after a failure.
 * NETWORK_NOT_READ: no samples, or values that are not finite; NOT_IMPLEMENTED: no node can run in INT8. A limit that no INT8
 * model meets is no error: report->met says so, and the model is the one that loses least. */
TARN_API ov_status_e tarn_quantize_model(const ov_core_t *core, const ov_model_t *model, const tarn_quantize_options *options,
					 ov_model_t **quantized, tarn_quantize_report *report);
/* Trains a float model on labels. Of `data` the samples, progress and stop count, and what it says of training, which must have
 * labels. report may be NULL. NOT_IMPLEMENTED: an operator without gradient, which is named. */
TARN_API ov_status_e tarn_train_model(const ov_core_t *core, const ov_model_t *model, const tarn_quantize_options *data,
				      ov_model_t **trained, tarn_training_report *report);
TARN_API void tarn_free_quantize_report(tarn_quantize_report *report);

/* What a model loses against another one on the same samples. */
typedef struct tarn_drop_info {
	double points;       /* hundred times the mean of reference minus score */
	double low, high;    /* its 95 % interval, in points: Bonett and Price (2012) for paired proportions */
	size_t lost, gained; /* samples that score lower, and higher, than with the reference */
	double chance;       /* of a split so uneven, or more, if neither were better: exact test of McNemar (1947) */
} tarn_drop_info;

/* Scores of n samples from 0 to 1 (1: right, 0: wrong), those of one sample at the same place. INVALID_C_PARAM: n is 0. */
TARN_API ov_status_e tarn_compare_scores(const double *reference, const double *score, size_t n, tarn_drop_info *drop);

/* ---- weights alone ---- */

/* Weight-only quantization: constant weights of matrix products become INT8 or INT4, symmetric, with a scale for each output
 * channel or for each group of rows; activations stay float. The result is plain ONNX (DequantizeLinear; INT4 and groups need
 * opset 21) or OpenVINO IR (u8, i8, i4 constants with Convert and Multiply). */
typedef struct tarn_compress_options {
	int bits;     /* 8 or 4 */
	size_t group; /* rows that share a scale: 32, 64, 128 ...; 0: one scale for each output channel */
	/* May be NULL. Samples (then errors count as much as the activations they meet are large), nodes to ignore, progress
	 * and stop; the preset is not looked at. */
	const tarn_quantize_options *data;
} tarn_compress_options;

/* A matrix product, or a convolution that stays as it is. */
typedef struct tarn_compress_row {
	char *node, *type;  /* name as in the file, operator */
	int64_t rows, cols; /* of its weights */
	int bits;           /* 0: stays float */
	size_t group;       /* 0: one scale for each output channel */
	double sqnr_db;     /* of the weights: signal to rounding noise; NAN: float */
	char *why;          /* of staying float or of other bits and groups than asked for; NULL: as asked */
} tarn_compress_row;
typedef struct tarn_compress_report {
	tarn_compress_row *row;
	size_t n_row;
	int64_t bytes_before, bytes_after; /* of the model's constants */
	tarn_quantize_output *output;      /* for each output of the model; none without samples */
	size_t n_output;
	size_t canaries; /* samples stored in the model; none without samples */
} tarn_compress_report;

/* The model stays as it is. report may be NULL; otherwise it is for tarn_free_compress_report, also after a failure.
 * NOT_IMPLEMENTED: no matrix product has constant weights. */
TARN_API ov_status_e tarn_compress_model(const ov_core_t *core, const ov_model_t *model, const tarn_compress_options *options,
					 ov_model_t **compressed, tarn_compress_report *report);
TARN_API void tarn_free_compress_report(tarn_compress_report *report);

#ifdef __cplusplus
}
#endif
#endif
