/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of elementwise operators, products, pools, reductions, normalisations and moves. */
#include "unit/ops/grad_check.h"

static void unary(void **state)
{
	(void)state;
	static const struct {
		const char *op;
		double lo, hi, keep_off;
	} list[] = {{"Reciprocal", 0.5, 2, 0}, {"Sqrt", 0.5, 2, 0},    {"Exp", -2, 2, 0},       {"Log", 0.5, 2, 0},
		    {"Sin", -2, 2, 0},         {"Cos", -2, 2, 0},      {"Tan", -1, 1, 0},       {"Asin", -0.8, 0.8, 0},
		    {"Acos", -0.8, 0.8, 0},    {"Atan", -2, 2, 0},     {"Sinh", -2, 2, 0},      {"Cosh", -2, 2, 0},
		    {"Asinh", -2, 2, 0},       {"Acosh", 1.2, 3, 0},   {"Atanh", -0.8, 0.8, 0}, {"Sigmoid", -3, 3, 0},
		    {"Tanh", -2, 2, 0},        {"Softplus", -3, 3, 0}, {"Softsign", -2, 2, 0},  {"HardSwish", -5, 5, 1},
		    {"Abs", -2, 2, 1},         {"Neg", -2, 2, 0},      {"Erf", -2, 2, 0},       {"Relu", -2, 2, 1},
		    {"LeakyRelu", -2, 2, 1},   {"Elu", -2, 2, 0},      {"Celu", -2, 2, 0},      {"Selu", -2, 2, 1},
		    {"HardSigmoid", -4, 4, 1}, {"Shrink", -2, 2, 0.5}, {"Gelu", -3, 3, 0},      {"Swish", -3, 3, 0},
		    {"Mish", -3, 3, 0},        {"Ceil", -2, 2, 1},     {"Floor", -2, 2, 1},     {"Round", -2, 2, 0.5},
		    {"Sign", -2, 2, 1},        {"Identity", -2, 2, 0}};
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		probe p = probe_open("", list[i].op, 1, 1);
		random_in(&p, 0, DIMS(3, 7), list[i].lo, list[i].hi, list[i].keep_off);
		check(&p);
	}
	probe p = probe_open("", "Gelu", 1, 1);
	probe_word(&p, "approximate", "tanh");
	random_in(&p, 0, DIMS(20), -3, 3, 0);
	check(&p);
	p = probe_open("", "Swish", 1, 1);
	probe_float(&p, "beta", 1.7);
	random_in(&p, 0, DIMS(20), -3, 3, 0);
	check(&p);
	p = probe_open("", "Clip", 3, 1);
	random_in(&p, 0, DIMS(20), -3, 3, 0);
	probe_scalar(&p, 1, TARN_F64, -1.234);
	probe_scalar(&p, 2, TARN_F64, 1.5);
	check(&p);
}

static void binary(void **state)
{
	(void)state;
	static const char *const ops[] = {"Add", "Sub", "Mul", "Div", "Pow", "SquaredDifference", "PRelu", "Max", "Min"};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		for (int side = 0; side < (strcmp(ops[i], "PRelu") ? 3 : 1); side++) {
			probe p = probe_open("", ops[i], 2, 1);
			double lo = strcmp(ops[i], "PRelu") ? 0.5 : -2;
			random_in(&p, side == 1, DIMS(2, 3, 4), lo, 2, 0);
			if (side == 2)
				random_in(&p, 1, DIMS(4, 2, 1, 1), 0.5, 2, 0);
			else
				random_in(&p, side != 1, DIMS(3, 1), 0.5, 2, 0);
			check(&p);
		}
	static const char *const many[] = {"Sum", "Mean", "Max"};
	for (int i = 0; i < 3; i++) {
		probe p = probe_open("", many[i], 3, 1);
		random_in(&p, 0, DIMS(2, 3), -1, 1, 0);
		random_in(&p, 1, DIMS(1), -1, 1, 0);
		random_in(&p, 2, DIMS(3), -1, 1, 0);
		check(&p);
	}
}

static void convolution(void **state)
{
	(void)state;
	/* batch, channels, outputs, group, stride, dilation, padding */
	static const int list[][7] = {
		{2, 3, 4, 1, 1, 1, 1}, {1, 4, 4, 4, 2, 1, 1}, {1, 4, 6, 2, 1, 2, 2}, {1, 2, 2, 1, 2, 1, 0}};
	for (int t = 0; t < 2; t++)
		for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
			const int *c = list[i];
			probe p = probe_open("", t ? "ConvTranspose" : "Conv", 3, 1);
			probe_ints(&p, "strides", 2, (int64_t[]){c[4], 1});
			probe_ints(&p, "dilations", 2, (int64_t[]){c[5], 1});
			probe_ints(&p, "pads", 4, (int64_t[]){c[6], 0, c[6] ? c[6] - 1 : 0, 1});
			probe_int(&p, "group", c[3]);
			random_in(&p, 0, DIMS(c[0], c[1], 6, 4), -1, 1, 0);
			if (t)
				random_in(&p, 1, DIMS(c[1], c[2] / c[3], 3, 2), -1, 1, 0);
			else
				random_in(&p, 1, DIMS(c[2], c[1] / c[3], 3, 2), -1, 1, 0);
			random_in(&p, 2, DIMS(c[2]), -1, 1, 0);
			check(&p);
		}
	probe p = probe_open("", "Conv", 2, 1); /* one axis, padding to the same size */
	probe_word(&p, "auto_pad", "SAME_UPPER");
	probe_ints(&p, "strides", 1, (int64_t[]){2});
	random_in(&p, 0, DIMS(1, 2, 9), -1, 1, 0);
	random_in(&p, 1, DIMS(3, 2, 4), -1, 1, 0);
	check(&p);
	p = probe_open("", "GroupConvolution", 2, 1);
	random_in(&p, 0, DIMS(1, 4, 5, 5), -1, 1, 0);
	random_in(&p, 1, DIMS(2, 1, 2, 3, 3), -1, 1, 0);
	check(&p);
}

static void matrices(void **state)
{
	(void)state;
	static const struct {
		int ra, rb;
		int64_t a[4], b[4];
	} list[] = {{2, 2, {3, 4}, {4, 5}},
		    {3, 2, {2, 3, 4}, {4, 2}},
		    {4, 4, {2, 1, 3, 4}, {1, 3, 4, 2}},
		    {1, 2, {4}, {4, 3}},
		    {3, 1, {2, 3, 4}, {4}}};
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		probe p = probe_open("", "MatMul", 2, 1);
		random_in(&p, 0, list[i].ra, list[i].a, -1, 1, 0);
		random_in(&p, 1, list[i].rb, list[i].b, -1, 1, 0);
		check(&p);
	}
	for (int t = 0; t < 4; t++) {
		probe p = probe_open("", "Gemm", 3, 1);
		probe_int(&p, "transA", t & 1);
		probe_int(&p, "transB", t >> 1);
		probe_float(&p, "alpha", 0.75);
		probe_float(&p, "beta", -1.5);
		random_in(&p, 0, 2, t & 1 ? (int64_t[]){4, 3} : (int64_t[]){3, 4}, -1, 1, 0);
		random_in(&p, 1, 2, t >> 1 ? (int64_t[]){5, 4} : (int64_t[]){4, 5}, -1, 1, 0);
		random_in(&p, 2, 1, (int64_t[]){t == 3 ? 1 : 5}, -1, 1, 0);
		check(&p);
		p = probe_open("com.microsoft", "FusedMatMul", 2, 1);
		probe_int(&p, "transA", t & 1);
		probe_int(&p, "transB", t >> 1);
		probe_float(&p, "alpha", 0.5);
		random_in(&p, 0, 3, t & 1 ? (int64_t[]){2, 4, 3} : (int64_t[]){2, 3, 4}, -1, 1, 0);
		random_in(&p, 1, 3, t >> 1 ? (int64_t[]){1, 5, 4} : (int64_t[]){1, 4, 5}, -1, 1, 0);
		check(&p);
	}
	probe p = probe_open("", "ScaledDotProductAttention", 3, 1); /* through its decomposition */
	for (int i = 0; i < 3; i++)
		random_in(&p, i, DIMS(1, 2, 3, 4), -1, 1, 0);
	check(&p);
}

static void pools(void **state)
{
	(void)state;
	for (int t = 0; t < 3; t++) {
		probe p = probe_open("", t ? "AveragePool" : "MaxPool", 1, 1);
		probe_ints(&p, "kernel_shape", 2, (int64_t[]){3, 2});
		probe_ints(&p, "strides", 2, (int64_t[]){2, 1});
		probe_ints(&p, "pads", 4, (int64_t[]){1, 0, 1, 1});
		if (t)
			probe_int(&p, "count_include_pad", t == 2);
		random_in(&p, 0, DIMS(1, 2, 6, 5), -1, 1, 0);
		check(&p);
	}
	static const char *const global[] = {"GlobalAveragePool", "GlobalMaxPool"};
	for (int t = 0; t < 2; t++) {
		probe p = probe_open("", global[t], 1, 1);
		random_in(&p, 0, DIMS(2, 3, 2, 4), -1, 1, 0);
		check(&p);
	}
}

static void reductions(void **state)
{
	(void)state;
	static const char *const ops[] = {"ReduceMean",   "ReduceProd",      "ReduceL1",  "ReduceL2", "ReduceSumSquare",
					  "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMin"};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		for (int keep = 0; keep < 2; keep++) {
			probe p = probe_open("", ops[i], 1, 1);
			probe_ints(&p, "axes", 2, (int64_t[]){0, -1});
			probe_int(&p, "keepdims", keep);
			random_in(&p, 0, DIMS(2, 3, 4), 0.5, 2, 0);
			check(&p);
		}
	probe p = probe_open("", "ReduceSum", 2, 1);
	probe_int(&p, "keepdims", 0);
	random_in(&p, 0, DIMS(2, 3, 4), -1, 1, 0);
	probe_in(&p, 1, TARN_I64, DIMS(1), REALS(1));
	check(&p);
}

static void normalisations(void **state)
{
	(void)state;
	for (int log = 0; log < 2; log++)
		for (int axis = 0; axis < 3; axis++) {
			probe p = probe_open("", log ? "LogSoftmax" : "Softmax", 1, 1);
			probe_int(&p, "axis", axis);
			probe_int(&p, "flatten", axis == 1);
			random_in(&p, 0, DIMS(2, 3, 4), -2, 2, 0);
			check(&p);
		}
	for (int axis = 1; axis < 3; axis++) {
		probe p = probe_open("", "LayerNormalization", 3, 1);
		probe_int(&p, "axis", axis);
		random_in(&p, 0, DIMS(2, 3, 4), -2, 2, 0);
		random_in(&p, 1, DIMS(4), 0.5, 2, 0);
		random_in(&p, 2, DIMS(3, 4), -1, 1, 0);
		check(&p);
	}
	static const struct {
		const char *op;
		int inputs;
	} more[] = {{"LRN", 1}, {"InstanceNormalization", 3}, {"GroupNormalization", 3}, {"MeanVarianceNormalization", 1},
		    {"MVN", 2}, {"NormalizeL2", 2},           {"LpNormalization", 1}};
	for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
		probe q = probe_open("", more[i].op, more[i].inputs, 1);
		if (!i)
			probe_int(&q, "size", 3);
		if (i == 2)
			probe_int(&q, "num_groups", 2);
		if (i == 5)
			probe_float(&q, "eps", 1e-3);
		random_in(&q, 0, DIMS(2, 4, 3, 2), 0.5, 2, 0);
		if (more[i].inputs == 2)
			probe_in(&q, 1, TARN_I64, DIMS(2), REALS(1, 2));
		for (int k = 1; k < 3 && more[i].inputs == 3; k++)
			random_in(&q, k, DIMS(4), 0.5, 2, 0);
		check(&q);
	}
	probe p = probe_open("", "BatchNormalization", 5, 1);
	random_in(&p, 0, DIMS(2, 3, 4), -2, 2, 0);
	for (int i = 1; i < 5; i++)
		random_in(&p, i, DIMS(3), 0.5, 2, 0);
	check(&p);
}

static void moves(void **state)
{
	(void)state;
	probe p = probe_open("", "Transpose", 1, 1);
	probe_ints(&p, "perm", 3, (int64_t[]){2, 0, 1});
	random_in(&p, 0, DIMS(2, 3, 4), -1, 1, 0);
	check(&p);
	p = probe_open("", "Reshape", 2, 1);
	random_in(&p, 0, DIMS(2, 6), -1, 1, 0);
	probe_in(&p, 1, TARN_I64, DIMS(2), REALS(3, -1));
	check(&p);
	p = probe_open("", "Flatten", 1, 1);
	random_in(&p, 0, DIMS(2, 3, 2), -1, 1, 0);
	check(&p);
	p = probe_open("", "Unsqueeze", 2, 1);
	random_in(&p, 0, DIMS(4), -1, 1, 0);
	probe_in(&p, 1, TARN_I64, DIMS(1), REALS(0));
	check(&p);
	p = probe_open("", "Squeeze", 2, 1);
	random_in(&p, 0, DIMS(4, 1), -1, 1, 0);
	probe_in(&p, 1, TARN_I64, DIMS(1), REALS(1));
	check(&p);
	p = probe_open("", "Cast", 1, 1);
	probe_int(&p, "to", TARN_F64);
	random_in(&p, 0, DIMS(5), -1, 1, 0);
	check(&p);
	p = probe_open("", "Concat", 3, 1);
	probe_int(&p, "axis", 1);
	random_in(&p, 0, DIMS(2, 1, 2), -1, 1, 0);
	random_in(&p, 1, DIMS(2, 3, 2), -1, 1, 0);
	random_in(&p, 2, DIMS(2, 2, 2), -1, 1, 0);
	check(&p);
	p = probe_open("", "Split", 2, 3);
	probe_int(&p, "axis", 1);
	random_in(&p, 0, DIMS(2, 6), -1, 1, 0);
	probe_in(&p, 1, TARN_I64, DIMS(3), REALS(1, 3, 2));
	check(&p);
	p = probe_open("", "Slice", 5, 1);
	random_in(&p, 0, DIMS(5, 6), -1, 1, 0);
	probe_in(&p, 1, TARN_I64, DIMS(2), REALS(3, 1));
	probe_in(&p, 2, TARN_I64, DIMS(2), REALS(0, 6));
	probe_in(&p, 3, TARN_I64, DIMS(2), REALS(0, 1));
	probe_in(&p, 4, TARN_I64, DIMS(2), REALS(-1, 2));
	check(&p);
	p = probe_open("", "Gather", 2, 1); /* an embedding: rows used several times, or never */
	random_in(&p, 0, DIMS(5, 3), -1, 1, 0);
	probe_in(&p, 1, TARN_I64, DIMS(2, 2), REALS(4, 0, 4, 4));
	check(&p);
	p = probe_open("", "Expand", 2, 1);
	random_in(&p, 0, DIMS(3, 1), -1, 1, 0);
	probe_in(&p, 1, TARN_I64, DIMS(3), REALS(2, 3, 4));
	check(&p);
	p = probe_open("", "Tile", 2, 1);
	random_in(&p, 0, DIMS(2, 2), -1, 1, 0);
	probe_in(&p, 1, TARN_I64, DIMS(2), REALS(2, 3));
	check(&p);
	p = probe_open("", "Where", 3, 1);
	probe_in(&p, 0, TARN_BOOL, DIMS(4), REALS(1, 0, 0, 1));
	random_in(&p, 1, DIMS(3, 4), -1, 1, 0);
	random_in(&p, 2, DIMS(1), -1, 1, 0);
	check(&p);
	static const char *const mode[] = {"constant", "edge", "reflect"};
	for (int i = 0; i < 3; i++) {
		p = probe_open("", "Pad", i ? 2 : 3, 1);
		probe_word(&p, "mode", mode[i]);
		random_in(&p, 0, DIMS(3, 4), -1, 1, 0);
		probe_in(&p, 1, TARN_I64, DIMS(4), REALS(0, 2, 1, 1));
		if (!i)
			probe_scalar(&p, 2, TARN_F64, 0.5);
		check(&p);
	}
	p = probe_open("", "DepthToSpace", 1, 1);
	probe_int(&p, "blocksize", 2);
	random_in(&p, 0, DIMS(1, 8, 2, 3), -1, 1, 0);
	check(&p);
}

static void resizes(void **state)
{
	(void)state;
	static const char *const mode[] = {"nearest", "linear", "cubic"}, *const how[] = {"half_pixel", "align_corners"};
	for (int i = 0; i < 6; i++) {
		probe p = probe_open("", "Resize", 4, 1);
		probe_word(&p, "mode", mode[i % 3]);
		probe_word(&p, "coordinate_transformation_mode", how[i / 3]);
		random_in(&p, 0, DIMS(1, 2, 3, 4), -1, 1, 0);
		probe_in(&p, 3, TARN_I64, DIMS(4), REALS(1, 2, 6, 3));
		check(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unary),          cmocka_unit_test(binary), cmocka_unit_test(convolution),
		cmocka_unit_test(matrices),       cmocka_unit_test(pools),  cmocka_unit_test(reductions),
		cmocka_unit_test(normalisations), cmocka_unit_test(moves),  cmocka_unit_test(resizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
