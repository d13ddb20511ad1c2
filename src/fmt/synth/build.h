/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building blocks of the topologies. Calls nest as expressions: the first error is kept in the builder, later steps then do
 * nothing and give an empty tap.
 *
 * A tap is a value with what is known of its numbers: mean square and range, followed through the network by the rules of
 * independent random variables. Weights are drawn so that each layer's output has a chosen deviation, and the ranges become the
 * scales of the quantized form; no data are needed.
 */
#ifndef TARN_FMT_SYNTH_BUILD_H
#define TARN_FMT_SYNTH_BUILD_H

#include "fmt/synth/synth.h"

typedef struct synth {
	tarn_model *m;
	tarn_graph *g;
	bool int8;
	uint64_t state; /* of the random numbers */
	tarn_err err;
} synth;

typedef struct tap {
	tarn_value *v;
	int64_t c, h, w; /* images: channels, height, width; sequences: c features */
	double power;    /* mean square */
	double lo, hi;   /* range */
} tap;

typedef enum synth_act { SYNTH_LINEAR, SYNTH_RELU, SYNTH_RELU6, SYNTH_SILU } synth_act;

typedef struct synth_conv {
	int64_t out, kernel, stride; /* stride 0 stands for 1; padding is kernel / 2 */
	bool depthwise;
	synth_act act;
	double deviation; /* of the output before the activation; 0 stands for 1 */
} synth_conv;

/* snprintf for names; one that is too long is cut, and made unique by the graph. */
void synth_text(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A node with constant or computed inputs (NULL: left out); its first output. */
tarn_value *synth_node(synth *s, const tarn_op_def *op, const char *name, int n_in, tarn_value *const *in);
void synth_set_int(synth *s, tarn_value *of, const char *attr, int64_t v); /* on the node that made the value */
void synth_set_ints(synth *s, tarn_value *of, const char *attr, int n, const int64_t *v);
void synth_set_word(synth *s, tarn_value *of, const char *attr, const char *word);
tarn_value *synth_scalar(synth *s, const char *name, double v);
tarn_value *synth_ints(synth *s, const char *name, int n, const int64_t *v);
tarn_value *synth_input(synth *s, const char *name, tarn_dtype type, int rank, const int64_t *dim);
void synth_output(synth *s, const char *name, tarn_value *v);
/* Constant of numbers around `mean`. */
tarn_value *synth_random(synth *s, const char *name, int rank, const int64_t *dim, double mean, double deviation);

/* The value through Quantize and Dequantize, when the model is an INT8 one. */
tap synth_quant(synth *s, tap x);
/* Weight of shape dim, drawn, and in an INT8 model quantized along `axis`; and a bias of the same channels (NULL: none wanted)
 * with the scale of `x` times the weight's. */
tarn_value *synth_weight(synth *s, const char *name, int rank, const int64_t *dim, int axis, double deviation, const tap *x,
			 tarn_value **bias);

tap synth_image(synth *s, const char *name, int64_t c, int64_t h, int64_t w);
tap synth_convolve(synth *s, const char *name, tap x, synth_conv conv);
tap synth_add(synth *s, const char *name, tap a, tap b, synth_act act);
tap synth_max_pool(synth *s, const char *name, tap x, int64_t kernel, int64_t stride);
tap synth_global_pool(synth *s, const char *name, tap x); /* flattened to [1, c] */
tap synth_dense(synth *s, const char *name, tap x, int64_t out);
tap synth_concat(synth *s, const char *name, int n, const tap *x);
void synth_halves(synth *s, const char *name, tap x, tap half[2]); /* along the channels */
tap synth_upsample(synth *s, const char *name, tap x);             /* nearest, by 2 */

void synth_resnet50(synth *s);
void synth_mobilenet_v2(synth *s);
void synth_yolov8n(synth *s);
void synth_bert_base(synth *s);
void synth_peak(synth *s);

#endif
