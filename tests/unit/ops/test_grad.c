/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every gradient against central differences of the reference evaluation in double, and the adjoint identity
 * <J v, r> = <v, J' r> for a random direction v.
 */
#include <math.h>
#include <string.h>

#include "ops/grad.h"
#include "unit/ops/probe.h"

static uint32_t seed;

static double uniform(double lo, double hi)
{
	seed = seed * 1664525u + 1013904223u;
	return lo + (hi - lo) * (double)(seed >> 8) / (1 << 24);
}

/* Input i of random numbers, at least 0.02 away from whole multiples of `keep_off` (0: anywhere). */
static void random_in(probe *p, int i, int rank, const int64_t *dim, double lo, double hi, double keep_off)
{
	double v[512];
	int64_t n = 1;
	for (int k = 0; k < rank; k++)
		n *= dim[k];
	assert_true(n <= 512);
	for (int64_t k = 0; k < n; k++)
		do
			v[k] = uniform(lo, hi);
		while (keep_off > 0 && fabs(v[k] - keep_off * rint(v[k] / keep_off)) < 0.02 * keep_off);
	probe_in(p, i, TARN_F64, rank, dim, v);
}

/* Sum of r * outputs. */
static double loss(probe *p, double *const *r)
{
	double sum = 0;
	assert_ok(probe_eval(p));
	for (int i = 0; i < p->n->n_out; i++) {
		for (int64_t k = 0; r[i] && k < tarn_tensor_count(&p->out[i]); k++)
			sum += r[i][k] * tarn_tensor_f64(&p->out[i], k);
		tarn_tensor_fini(&p->out[i]);
	}
	return sum;
}

static double at(probe *p, int i, int64_t k, double shift, double *const *r)
{
	double *x = &((double *)p->in[i].data)[k], old = *x;
	*x = old + shift;
	double l = loss(p, r);
	*x = old;
	return l;
}

static void along(probe *p, int i, const double *v, double by)
{
	for (int64_t k = 0; k < tarn_tensor_count(&p->in[i]); k++)
		((double *)p->in[i].data)[k] += by * v[k];
}

static void check_input(probe *p, int i, double *const *r, const tarn_tensor *d)
{
	const double h = 1e-5;
	double v[512], dot = 0;
	for (int64_t k = 0; k < tarn_tensor_count(d); k++) {
		double got = ((double *)d->data)[k], want = (at(p, i, k, h, r) - at(p, i, k, -h, r)) / (2 * h);
		if (!(fabs(got - want) <= 1e-5 * fmax(1, fabs(want))))
			fail_msg("%s: d input %d[%d] is %.9g, differences say %.9g", p->n->op->name, i, (int)k, got, want);
		v[k] = uniform(-1, 1);
		dot += v[k] * got;
	}
	along(p, i, v, h);
	double up = loss(p, r);
	along(p, i, v, -2 * h);
	double jv = (up - loss(p, r)) / (2 * h);
	along(p, i, v, h);
	if (!(fabs(dot - jv) <= 1e-5 * fmax(1, fabs(jv))))
		fail_msg("%s: input %d: <v, J'r> is %.9g, <Jv, r> is %.9g", p->n->op->name, i, dot, jv);
}

/* Gradients of all F64 inputs but those in `skip`, for random dout. Closes p. */
static void check_but(probe *p, unsigned skip)
{
	const tarn_tensor *in[PROBE_IN];
	tarn_tensor din[PROBE_IN] = {0}, dout[PROBE_OUT] = {0};
	double *r[PROBE_OUT] = {0};
	for (int i = 0; i < PROBE_IN; i++)
		in[i] = p->in[i].type == TARN_DTYPE_NONE ? NULL : &p->in[i];
	assert_ok(probe_eval(p));
	for (int i = 0; i < p->n->n_out; i++) {
		if (p->out[i].type != TARN_F64)
			continue;
		assert_ok(tarn_tensor_new(TARN_F64, p->out[i].rank, p->out[i].dim, &dout[i]));
		r[i] = dout[i].data;
		for (int64_t k = 0; k < tarn_tensor_count(&dout[i]); k++)
			r[i][k] = uniform(-1, 1);
	}
	for (int i = 0; i < p->n->n_in; i++)
		if (in[i] && in[i]->type == TARN_F64 && !(skip >> i & 1))
			assert_ok(tarn_tensor_new(TARN_F64, in[i]->rank, in[i]->dim, &din[i]));
	assert_ok(tarn_node_grad(p->n, in, p->out, dout, din));
	for (int i = 0; i < PROBE_OUT; i++)
		tarn_tensor_fini(&p->out[i]);
	for (int i = 0; i < p->n->n_in; i++)
		if (din[i].type != TARN_DTYPE_NONE)
			check_input(p, i, r, &din[i]);
	for (int i = 0; i < PROBE_IN; i++)
		tarn_tensor_fini(&din[i]);
	for (int i = 0; i < PROBE_OUT; i++)
		tarn_tensor_fini(&dout[i]);
	probe_close(p);
}

static void check(probe *p)
{
	check_but(p, 0);
}

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

/* With the residual of rounding held, quantize-dequantize is a smooth function: its differences are what LSQ+ says. */
static double held(double x, double s, double z, double residual, double lo, double hi)
{
	double q = x / s + z + residual;
	q = q < lo ? lo : q > hi ? hi : q;
	return (q - z) * s;
}

static void fake_quantization(void **state)
{
	(void)state;
	const double s = 0.037, z = 3, h = 1e-6, lo = 0, hi = 255;
	static const double x[] = {-0.5, -0.111, -0.02, 0, 0.013, 0.5, 3.3, 9.3, 9.5};
	enum { N = sizeof x / sizeof *x };
	tarn_model *m;
	tarn_node *q, *d;
	tarn_shape shape = {.rank = 1, .dim = {N}}, scalar = {.rank = 0};
	tarn_value *vx, *vs, *vz;
	assert_ok(tarn_model_new(&m));
	assert_ok(tarn_value_input(m->main, "x", TARN_F64, &shape, &vx));
	assert_ok(tarn_value_input(m->main, "s", TARN_F64, &scalar, &vs));
	assert_ok(tarn_value_input(m->main, "z", TARN_U8, &scalar, &vz));
	assert_ok(tarn_node_new(m->main, tarn_op_find("", "QuantizeLinear"), NULL, 3, 1, -1, &q));
	assert_ok(tarn_node_new(m->main, tarn_op_find("", "DequantizeLinear"), NULL, 3, 1, -1, &d));
	q->in[0] = vx, q->in[1] = vs, q->in[2] = vz;
	d->in[0] = q->out[0], d->in[1] = vs, d->in[2] = vz;
	assert_ok(VEC_GROW(&m->main->output));
	m->main->output.at[m->main->output.len++] = d->out[0];
	assert_ok(tarn_graph_infer(m->main));
	tarn_tensor in[3] = {{0}}, din[3] = {{0}}, dout;
	assert_ok(tarn_tensor_new(TARN_F64, 1, shape.dim, &in[0]));
	memcpy(in[0].data, x, sizeof x);
	assert_ok(tarn_tensor_new(TARN_F64, 0, NULL, &in[1]));
	tarn_tensor_set_f64(&in[1], 0, s);
	assert_ok(tarn_tensor_new(TARN_U8, 0, NULL, &in[2]));
	tarn_tensor_set_f64(&in[2], 0, z);
	const tarn_tensor *pin[3] = {&in[0], &in[1], &in[2]};
	for (int k = 0; k < N; k++) { /* one element of dout at a time */
		assert_ok(tarn_tensor_new(TARN_F64, 1, shape.dim, &dout));
		tarn_tensor_set_f64(&dout, k, 1);
		for (int i = 0; i < 3; i++)
			assert_ok(tarn_tensor_new(TARN_F64, in[i].rank, in[i].dim, &din[i]));
		assert_ok(tarn_graph_grad(m->main, pin, &dout, din));
		double e = rint(x[k] / s) - x[k] / s;
		double wx = (held(x[k] + h, s, z, e, lo, hi) - held(x[k] - h, s, z, e, lo, hi)) / (2 * h);
		double ws = (held(x[k], s + h, z, e, lo, hi) - held(x[k], s - h, z, e, lo, hi)) / (2 * h);
		double wz = (held(x[k], s, z + h, e, lo, hi) - held(x[k], s, z - h, e, lo, hi)) / (2 * h);
		bool end = fabs(x[k] / s + z + e - lo) < 0.5 || fabs(x[k] / s + z + e - hi) < 0.5;
		if (!end) { /* at the very ends the held function has a corner */
			assert_true(fabs(((double *)din[0].data)[k] - wx) < 1e-5);
			assert_true(fabs(*(double *)din[1].data - ws) < 1e-4);
			assert_true(fabs(*(double *)din[2].data - wz) < 1e-5);
		}
		for (int i = 0; i < 3; i++)
			tarn_tensor_fini(&din[i]);
		tarn_tensor_fini(&dout);
	}
	for (int i = 0; i < 3; i++)
		tarn_tensor_fini(&in[i]);
	tarn_model_unref(m);
}

/* FakeQuantize: outside the limits the plain derivative; inside, the limits' by the formula with the residual held. */
static void fake_quantize_limits(void **state)
{
	(void)state;
	const double il = -0.6, ih = 1.9, ol = -0.5, oh = 2, steps = 15, h = 1e-6;
	static const double x[] = {-2, -0.33, 0.1, 0.77, 1.5, 4};
	for (size_t k = 0; k < sizeof x / sizeof *x; k++) {
		probe p = probe_open("", "FakeQuantize", 5, 1);
		probe_int(&p, "levels", 16);
		probe_in(&p, 0, TARN_F64, DIMS(1), &x[k]);
		double v[4] = {il, ih, ol, oh};
		for (int i = 0; i < 4; i++)
			probe_in(&p, 1 + i, TARN_F64, DIMS(1), &v[i]);
		const tarn_tensor *in[5];
		tarn_tensor din[5] = {{0}}, dout;
		for (int i = 0; i < 5; i++) {
			in[i] = &p.in[i];
			assert_ok(tarn_tensor_new(TARN_F64, 1, in[i]->dim, &din[i]));
		}
		assert_ok(probe_eval(&p));
		assert_ok(tarn_tensor_new(TARN_F64, 1, in[0]->dim, &dout));
		tarn_tensor_set_f64(&dout, 0, 1);
		assert_ok(tarn_node_grad(p.n, in, p.out, &dout, din));
		double base[5] = {x[k], il, ih, ol, oh},
		       e = rint((x[k] - il) / (ih - il) * steps) - (x[k] - il) / (ih - il) * steps;
		for (int i = 0; i < 5; i++) {
			double y[2];
			for (int side = 0; side < 2; side++) {
				double a[5];
				memcpy(a, base, sizeof a);
				a[i] += side ? h : -h;
				y[side] = a[0] <= a[1] ? a[3]
					  : a[0] > a[2]
						  ? a[4]
						  : ((a[0] - a[1]) / (a[2] - a[1]) * steps + e) / steps * (a[4] - a[3]) + a[3];
			}
			assert_true(fabs((y[1] - y[0]) / (2 * h) - *(double *)din[i].data) < 1e-5);
			tarn_tensor_fini(&din[i]);
		}
		tarn_tensor_fini(&dout);
		probe_close(&p);
	}
}

/* Codes are moved like numbers; integers that are no codes have no gradient and stay as they are. */
static void moved_codes(void **state)
{
	(void)state;
	probe p = probe_open("", "Transpose", 1, 1);
	probe_ints(&p, "perm", 2, (int64_t[]){1, 0});
	probe_in(&p, 0, TARN_U8, DIMS(2, 3), REALS(9, 9, 9, 200, 0, 1));
	const tarn_tensor *in = &p.in[0];
	tarn_tensor din, dout;
	assert_ok(probe_eval(&p));
	assert_ok(tarn_tensor_new(TARN_F32, 2, in->dim, &din));
	assert_ok(tarn_tensor_new(TARN_F32, 2, p.out[0].dim, &dout));
	for (int i = 0; i < 6; i++)
		((float *)dout.data)[i] = (float)i;
	assert_ok(tarn_node_grad(p.n, &in, p.out, &dout, &din));
	static const float want[] = {0, 2, 4, 1, 3, 5};
	assert_memory_equal(din.data, want, sizeof want);
	tarn_tensor_fini(&din);
	tarn_tensor_fini(&dout);
	probe_close(&p);
}

static void refused(void **state)
{
	(void)state;
	probe p = probe_open("", "LpPool", 1, 1);
	probe_ints(&p, "kernel_shape", 2, (int64_t[]){2, 2});
	random_in(&p, 0, DIMS(1, 4, 2, 2), -1, 1, 0);
	const tarn_tensor *in = &p.in[0];
	tarn_tensor din, dout;
	assert_ok(probe_eval(&p));
	assert_ok(tarn_tensor_new(TARN_F64, 4, in->dim, &din));
	assert_ok(tarn_tensor_new(TARN_F64, 4, p.out[0].dim, &dout));
	assert_err(TARN_UNSUPPORTED, tarn_node_grad(p.n, &in, p.out, &dout, &din));
	assert_non_null(strstr(tarn_err_text(), "LpPool has no gradient"));
	assert_false(tarn_node_has_grad(p.n));
	tarn_tensor_fini(&din);
	tarn_tensor_fini(&dout);
	probe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unary),
		cmocka_unit_test(binary),
		cmocka_unit_test(convolution),
		cmocka_unit_test(matrices),
		cmocka_unit_test(pools),
		cmocka_unit_test(reductions),
		cmocka_unit_test(normalisations),
		cmocka_unit_test(moves),
		cmocka_unit_test(resizes),
		cmocka_unit_test(fake_quantization),
		cmocka_unit_test(fake_quantize_limits),
		cmocka_unit_test(refused),
		cmocka_unit_test(moved_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
