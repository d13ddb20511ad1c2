/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the public API share: expectations, and small ONNX models made byte by byte. */
#ifndef TARN_TEST_API_H
#define TARN_TEST_API_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvino/c/openvino.h"

#define EXPECT(cond) \
	do { \
		if (!(cond)) { \
			char *why_ = (char *)(size_t)ov_get_last_err_msg(); \
			fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #cond, why_ ? why_ : "none"); \
			exit(1); \
		} \
	} while (0)
#define EXPECT_OK(call) EXPECT((call) == OK)

/* ---- protobuf, as far as ONNX needs it ---- */

typedef struct bytes {
	unsigned char at[4096];
	size_t n;
} bytes;

static inline void put(bytes *b, const void *p, size_t n)
{
	if (n)
		memcpy(b->at + b->n, p, n);
	b->n += n;
}
static inline void put_varint(bytes *b, unsigned long long v)
{
	for (; v >= 128; v >>= 7)
		b->at[b->n++] = (unsigned char)(v | 128);
	b->at[b->n++] = (unsigned char)v;
}
static inline void put_int(bytes *b, int field, unsigned long long v)
{
	put_varint(b, (unsigned long long)field << 3);
	put_varint(b, v);
}
static inline void put_len(bytes *b, int field, const void *p, size_t n)
{
	put_varint(b, (unsigned long long)field << 3 | 2);
	put_varint(b, n);
	put(b, p, n);
}
static inline void put_text(bytes *b, int field, const char *s)
{
	put_len(b, field, s, strlen(s));
}

/* ValueInfoProto of an f32 tensor; negative sizes are the free dimension "n". */
static inline bytes value_info_free(const char *name, int rank, const int *dim, const char *free_name)
{
	bytes v = {.n = 0}, type = {.n = 0}, tensor = {.n = 0}, shape = {.n = 0};
	for (int i = 0; i < rank; i++) {
		bytes d = {.n = 0};
		if (dim[i] < 0)
			put_text(&d, 2, free_name);
		else
			put_int(&d, 1, (unsigned long long)dim[i]);
		put_len(&shape, 1, d.at, d.n);
	}
	put_int(&tensor, 1, 1);
	put_len(&tensor, 2, shape.at, shape.n);
	put_len(&type, 1, tensor.at, tensor.n);
	put_text(&v, 1, name);
	put_len(&v, 2, type.at, type.n);
	return v;
}

static inline bytes value_info(const char *name, int rank, const int *dim)
{
	return value_info_free(name, rank, dim, "n");
}

/* y = x * 2 + 1 for x, y: f32[rank dims]; opset 13. */
static inline bytes affine_model(int rank, const int *dim)
{
	bytes m = {.n = 0}, g = {.n = 0}, opset = {.n = 0};
	static const struct {
		const char *op, *in[2], *out;
	} node[] = {{"Mul", {"x", "two"}, "t"}, {"Add", {"t", "one"}, "y"}};
	for (int i = 0; i < 2; i++) {
		bytes n = {.n = 0};
		put_text(&n, 1, node[i].in[0]);
		put_text(&n, 1, node[i].in[1]);
		put_text(&n, 2, node[i].out);
		put_text(&n, 3, node[i].op);
		put_text(&n, 4, node[i].op);
		put_len(&g, 1, n.at, n.n);
	}
	put_text(&g, 2, "affine");
	for (int i = 0; i < 2; i++) {
		bytes t = {.n = 0};
		float v = i ? 1 : 2;
		put_int(&t, 2, 1);
		put_text(&t, 8, i ? "one" : "two");
		put_len(&t, 9, &v, sizeof v);
		put_len(&g, 5, t.at, t.n);
	}
	bytes x = value_info("x", rank, dim), y = value_info("y", rank, dim);
	put_len(&g, 11, x.at, x.n);
	put_len(&g, 12, y.at, y.n);
	put_int(&m, 1, 8);
	put_len(&m, 7, g.at, g.n);
	put_int(&opset, 2, 13);
	put_len(&m, 8, opset.at, opset.n);
	return m;
}

static inline void put_node(bytes *g, const char *op, const char *const *in, int n_in, const char *out, int pad)
{
	bytes n = {.n = 0}, a = {.n = 0};
	for (int i = 0; i < n_in; i++)
		put_text(&n, 1, in[i]);
	put_text(&n, 2, out);
	put_text(&n, 3, out);
	put_text(&n, 4, op);
	if (pad) {
		put_text(&a, 1, "pads");
		for (int i = 0; i < 4; i++)
			put_int(&a, 8, (unsigned)pad);
		put_int(&a, 20, 7);
		put_len(&n, 5, a.at, a.n);
	}
	put_len(g, 1, n.at, n.n);
}

/* Seeded weights in -1..1, scaled. */
static inline void put_weights(bytes *g, const char *name, int rank, const int *dim, float scale, unsigned *seed)
{
	bytes t = {.n = 0};
	float v[256];
	size_t n = 1;
	for (int i = 0; i < rank; i++) {
		put_int(&t, 1, (unsigned)dim[i]);
		n *= (size_t)dim[i];
	}
	for (size_t i = 0; i < n && i < 256; i++) {
		*seed = *seed * 1664525u + 1013904223u;
		v[i] = ((float)(*seed >> 8) * 0x1p-23f - 1) * scale;
	}
	put_int(&t, 2, 1);
	put_text(&t, 8, name);
	put_len(&t, 9, v, n * sizeof *v);
	put_len(g, 5, t.at, t.n);
}

/* A small classifier: x f32[batch,1,8,8] -> conv, relu, conv2, global average, softmax -> scores f32[batch,5,1,1]. */
static inline bytes net_model(int batch)
{
	bytes m = {.n = 0}, g = {.n = 0}, opset = {.n = 0};
	unsigned seed = 5;
	put_node(&g, "Conv", (const char *[]){"x", "w1", "b1"}, 3, "conv", 1);
	put_node(&g, "Relu", (const char *[]){"conv"}, 1, "relu", 0);
	put_node(&g, "Conv", (const char *[]){"relu", "w2", "b2"}, 3, "conv2", 0);
	put_node(&g, "GlobalAveragePool", (const char *[]){"conv2"}, 1, "average", 0);
	put_node(&g, "Softmax", (const char *[]){"average"}, 1, "scores", 0);
	put_text(&g, 2, "net");
	put_weights(&g, "w1", 4, (int[]){6, 1, 3, 3}, 0.02f, &seed);
	put_weights(&g, "b1", 1, (int[]){6}, 0.1f, &seed);
	put_weights(&g, "w2", 4, (int[]){5, 6, 1, 1}, 1, &seed);
	put_weights(&g, "b2", 1, (int[]){5}, 0.1f, &seed);
	bytes x = value_info("x", 4, (int[]){batch, 1, 8, 8}), y = value_info("scores", 4, (int[]){batch, 5, 1, 1});
	put_len(&g, 11, x.at, x.n);
	put_len(&g, 12, y.at, y.n);
	put_int(&m, 1, 8);
	put_len(&m, 7, g.at, g.n);
	put_int(&opset, 2, 11);
	put_len(&m, 8, opset.at, opset.n);
	return m;
}

/* Two matrix products and their sum: x f32[2,32] -> left, right -> y f32[2,8]. */
static inline bytes products_model(float scale)
{
	bytes m = {.n = 0}, g = {.n = 0}, opset = {.n = 0};
	unsigned seed = 9;
	put_node(&g, "MatMul", (const char *[]){"x", "w1"}, 2, "left", 0);
	put_node(&g, "MatMul", (const char *[]){"x", "w2"}, 2, "right", 0);
	put_node(&g, "Add", (const char *[]){"left", "right"}, 2, "y", 0);
	put_text(&g, 2, "products");
	put_weights(&g, "w1", 2, (int[]){32, 8}, scale, &seed);
	put_weights(&g, "w2", 2, (int[]){32, 8}, 0.5f * scale, &seed);
	bytes x = value_info("x", 2, (int[]){2, 32}), y = value_info("y", 2, (int[]){2, 8});
	put_len(&g, 11, x.at, x.n);
	put_len(&g, 12, y.at, y.n);
	put_int(&m, 1, 8);
	put_len(&m, 7, g.at, g.n);
	put_int(&opset, 2, 13);
	put_len(&m, 8, opset.at, opset.n);
	return m;
}

static inline bytes finish_model(bytes *g, const char *name)
{
	bytes m = {.n = 0}, opset = {.n = 0};
	put_text(g, 2, name);
	put_int(&m, 1, 8);
	put_len(&m, 7, g->at, g->n);
	put_int(&opset, 2, 13);
	put_len(&m, 8, opset.at, opset.n);
	return m;
}

static inline void put_value(bytes *g, bool output, bytes v)
{
	put_len(g, output ? 12 : 11, v.at, v.n);
}

/* A running total: x, s f32[n] -> total = s + x, y = 2 total. */
static inline bytes running_model(int n)
{
	bytes g = {.n = 0};
	put_node(&g, "Add", (const char *[]){"s", "x"}, 2, "total", 0);
	put_node(&g, "Add", (const char *[]){"total", "total"}, 2, "y", 0);
	put_value(&g, false, value_info("x", 1, &n));
	put_value(&g, false, value_info("s", 1, &n));
	put_value(&g, true, value_info("y", 1, &n));
	put_value(&g, true, value_info("total", 1, &n));
	return finish_model(&g, "running");
}

/* A cache that grows: past f32[m], x f32[n] -> all f32[m + n], y f32[1], the largest of all. */
static inline bytes cache_model(void)
{
	bytes g = {.n = 0}, n = {.n = 0}, a = {.n = 0};
	put_text(&n, 1, "past");
	put_text(&n, 1, "x");
	put_text(&n, 2, "all");
	put_text(&n, 3, "all");
	put_text(&n, 4, "Concat");
	put_text(&a, 1, "axis");
	put_int(&a, 3, 0);
	put_int(&a, 20, 2);
	put_len(&n, 5, a.at, a.n);
	put_len(&g, 1, n.at, n.n);
	put_node(&g, "ReduceMax", (const char *[]){"all"}, 1, "y", 0);
	put_value(&g, false, value_info_free("past", 1, (int[]){-1}, "m"));
	put_value(&g, false, value_info_free("x", 1, (int[]){-1}, "n"));
	put_value(&g, true, value_info("y", 1, (int[]){1}));
	put_value(&g, true, value_info_free("all", 1, (int[]){-1}, "sum"));
	return finish_model(&g, "cache");
}

static inline ov_model_t *read_affine(ov_core_t *core, int rank, const int *dim)
{
	bytes m = affine_model(rank, dim);
	ov_model_t *model = NULL;
	EXPECT_OK(ov_core_read_model_from_memory_buffer(core, (const char *)m.at, m.n, NULL, &model));
	return model;
}

#endif
