/* SPDX-License-Identifier: Apache-2.0 */
/* BERT base, uncased (Devlin et al. 2018): 12 layers of 768, 12 heads, vocabulary of 30522, sequences of 128, outputs
 * last_hidden_state [1, 128, 768] and pooler_output [1, 768]. */
#include "fmt/synth/build.h"

#include <math.h>

#include "ops/ops.h"

enum { LAYERS = 12, LENGTH = 128, WIDTH = 768, HIDDEN = 3072, HEADS = 12, VOCABULARY = 30522, POSITIONS = 512 };

static tarn_value *two(synth *s, const tarn_op_def *op, const char *name, tarn_value *a, tarn_value *b)
{
	return synth_node(s, op, name, 2, (tarn_value *[]){a, b});
}

/* x W + b, with what is known about x and y = N(0, deviation). */
static tap linear(synth *s, const char *name, tap x, int64_t out, double deviation)
{
	char text[96];
	x = synth_quant(s, x);
	tarn_value *w = synth_weight(s, name, 2, (int64_t[]){x.c, out}, 1, deviation / sqrt((double)x.c * x.power), &x, NULL);
	synth_text(text, sizeof text, "%s.bias", name);
	tarn_value *b = synth_random(s, text, 1, &out, 0, 0.02);
	synth_text(text, sizeof text, "%s/MatMul", name);
	tarn_value *y = two(s, &tarn_op_matmul, text, x.v, w);
	synth_text(text, sizeof text, "%s/Add", name);
	y = two(s, &tarn_op_add, text, y, b);
	return (tap){y, out, 1, 1, deviation * deviation, -4.5 * deviation, 4.5 * deviation};
}

static tap norm(synth *s, const char *name, tarn_value *x)
{
	char text[96];
	int64_t n = WIDTH;
	synth_text(text, sizeof text, "%s.weight", name);
	tarn_value *scale = synth_random(s, text, 1, &n, 1, 0.05);
	synth_text(text, sizeof text, "%s.bias", name);
	tarn_value *bias = synth_random(s, text, 1, &n, 0, 0.02);
	tarn_value *y = synth_node(s, &tarn_op_layer_normalization, name, 3, (tarn_value *[]){x, scale, bias});
	if (y && s->err == TARN_OK) {
		synth_set_int(s, y, "axis", -1);
		if (s->err == TARN_OK)
			s->err = tarn_attr_set_f(y->def, tarn_attr_index(y->def->op, "epsilon"), 1e-12);
	}
	return (tap){y, WIDTH, 1, 1, 1, -5, 5};
}

/* [1, LENGTH, WIDTH] to one matrix a head. */
static tarn_value *heads(synth *s, const char *name, tarn_value *x, tarn_value *shape, bool transposed)
{
	char text[96];
	static const int64_t rows[4] = {0, 2, 1, 3}, columns[4] = {0, 2, 3, 1};
	synth_text(text, sizeof text, "%s/Reshape", name);
	x = two(s, &tarn_op_reshape, text, x, shape);
	synth_text(text, sizeof text, "%s/Transpose", name);
	x = synth_node(s, &tarn_op_transpose, text, 1, &x);
	if (x)
		synth_set_ints(s, x, "perm", 4, transposed ? columns : rows);
	return x;
}

typedef struct fixed {
	tarn_value *split, *merge, *root, *mask, *sqrt2, *one, *half;
} fixed;

static tap attention(synth *s, const char *layer, tap x, const fixed *f)
{
	static const char *const part[3] = {"query", "key", "value"};
	tarn_value *qkv[3];
	char text[96];
	for (int i = 0; i < 3; i++) {
		synth_text(text, sizeof text, "%s.attention.%s", layer, part[i]);
		qkv[i] = heads(s, text, linear(s, text, x, WIDTH, 1).v, f->split, i == 1);
	}
	synth_text(text, sizeof text, "%s.attention/MatMul", layer);
	tarn_value *p = two(s, &tarn_op_matmul, text, qkv[0], qkv[1]);
	synth_text(text, sizeof text, "%s.attention/Div", layer);
	p = two(s, &tarn_op_div, text, p, f->root);
	synth_text(text, sizeof text, "%s.attention/Add", layer);
	p = two(s, &tarn_op_add, text, p, f->mask);
	synth_text(text, sizeof text, "%s.attention/Softmax", layer);
	p = synth_node(s, &tarn_op_softmax, text, 1, &p);
	if (p)
		synth_set_int(s, p, "axis", -1);
	synth_text(text, sizeof text, "%s.attention/MatMul", layer);
	p = two(s, &tarn_op_matmul, text, p, qkv[2]);
	synth_text(text, sizeof text, "%s.attention/Transpose", layer);
	p = synth_node(s, &tarn_op_transpose, text, 1, &p);
	if (p)
		synth_set_ints(s, p, "perm", 4, (int64_t[]){0, 2, 1, 3});
	synth_text(text, sizeof text, "%s.attention/Reshape", layer);
	p = two(s, &tarn_op_reshape, text, p, f->merge);
	/* Means over LENGTH values with near-equal weights. */
	return (tap){p, WIDTH, 1, 1, 0.05, -1.5, 1.5};
}

static tap block(synth *s, int i, tap x, const fixed *f)
{
	char layer[48], text[96];
	synth_text(layer, sizeof layer, "encoder.layer.%d", i);
	tap a = attention(s, layer, x, f);
	synth_text(text, sizeof text, "%s.attention.output", layer);
	a = linear(s, text, a, WIDTH, 0.5);
	synth_text(text, sizeof text, "%s.attention.output/Residual", layer);
	tarn_value *sum = two(s, &tarn_op_add, text, a.v, x.v);
	synth_text(text, sizeof text, "%s.attention.output.LayerNorm", layer);
	x = norm(s, text, sum);
	synth_text(text, sizeof text, "%s.intermediate", layer);
	tap h = linear(s, text, x, HIDDEN, 1);
	/* GELU as exporters write it: h (1 + erf(h / sqrt 2)) / 2. */
	synth_text(text, sizeof text, "%s.intermediate/Div", layer);
	tarn_value *e = two(s, &tarn_op_div, text, h.v, f->sqrt2);
	synth_text(text, sizeof text, "%s.intermediate/Erf", layer);
	e = synth_node(s, &tarn_op_erf, text, 1, &e);
	synth_text(text, sizeof text, "%s.intermediate/Add1", layer);
	e = two(s, &tarn_op_add, text, e, f->one);
	synth_text(text, sizeof text, "%s.intermediate/Mul", layer);
	e = two(s, &tarn_op_mul, text, h.v, e);
	e = two(s, &tarn_op_mul, text, e, f->half);
	h = (tap){e, HIDDEN, 1, 1, 0.425, -0.17, 4.5};
	synth_text(text, sizeof text, "%s.output", layer);
	h = linear(s, text, h, WIDTH, 0.5);
	synth_text(text, sizeof text, "%s.output/Residual", layer);
	sum = two(s, &tarn_op_add, text, h.v, x.v);
	synth_text(text, sizeof text, "%s.output.LayerNorm", layer);
	return norm(s, text, sum);
}

/* 0 where the attention mask is 1, and -10000 where it is 0: [1, 1, 1, LENGTH]. */
static tarn_value *additive_mask(synth *s, tarn_value *mask)
{
	mask = two(s, &tarn_op_unsqueeze, "mask/Unsqueeze", mask, synth_ints(s, "axes", 2, (int64_t[]){1, 2}));
	mask = synth_node(s, &tarn_op_cast, "mask/Cast", 1, &mask);
	if (mask)
		synth_set_int(s, mask, "to", TARN_F32);
	mask = two(s, &tarn_op_sub, "mask/Sub", synth_scalar(s, "one", 1), mask);
	return two(s, &tarn_op_mul, "mask/Mul", mask, synth_scalar(s, "minus", -10000));
}

static tarn_value *lookup(synth *s, const char *name, tarn_value *ids, int64_t rows)
{
	char text[96];
	synth_text(text, sizeof text, "embeddings.%s.weight", name);
	tarn_value *table = synth_random(s, text, 2, (int64_t[]){rows, WIDTH}, 0, 0.04);
	synth_text(text, sizeof text, "embeddings.%s/Gather", name);
	return two(s, &tarn_op_gather, text, table, ids);
}

void synth_bert_base(synth *s)
{
	const int64_t tokens[2] = {1, LENGTH};
	int64_t count[LENGTH];
	for (int i = 0; i < LENGTH; i++)
		count[i] = i;
	tarn_value *ids = synth_input(s, "input_ids", TARN_I64, 2, tokens);
	tarn_value *mask = synth_input(s, "attention_mask", TARN_I64, 2, tokens);
	tarn_value *types = synth_input(s, "token_type_ids", TARN_I64, 2, tokens);
	tarn_value *e = two(s, &tarn_op_add, "embeddings/Add", lookup(s, "word", ids, VOCABULARY), lookup(s, "type", types, 2));
	e = two(s, &tarn_op_add, "embeddings/Add", e,
		lookup(s, "position", synth_ints(s, "positions", LENGTH, count), POSITIONS));
	tap x = norm(s, "embeddings.LayerNorm", e);
	const fixed f = {
		.split = synth_ints(s, "heads", 4, (int64_t[]){1, LENGTH, HEADS, WIDTH / HEADS}),
		.merge = synth_ints(s, "width", 3, (int64_t[]){1, LENGTH, WIDTH}),
		.root = synth_scalar(s, "root", sqrt((double)WIDTH / HEADS)),
		.mask = additive_mask(s, mask),
		.sqrt2 = synth_scalar(s, "sqrt2", sqrt(2)),
		.one = synth_scalar(s, "one", 1),
		.half = synth_scalar(s, "half", 0.5),
	};
	for (int i = 0; i < LAYERS; i++)
		x = block(s, i, x, &f);
	tarn_value *first = two(s, &tarn_op_gather, "pooler/Gather", x.v, synth_ints(s, "first", -1, (int64_t[]){0}));
	if (first)
		synth_set_int(s, first, "axis", 1);
	synth_output(s, "last_hidden_state", x.v);
	tap pool = linear(s, "pooler", (tap){first, WIDTH, 1, 1, 1, -5, 5}, WIDTH, 0.5);
	synth_output(s, "pooler_output", synth_node(s, &tarn_op_tanh, "pooler/Tanh", 1, &pool.v));
}
