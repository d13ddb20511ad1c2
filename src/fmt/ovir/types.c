/* SPDX-License-Identifier: Apache-2.0 */
/* The types of layers: the simple ones here, the others by group; looked up by name. */
#include <string.h>
#include <strings.h>

#include "fmt/ovir/layer.h"

/* Only numpy's broadcasting (or none needed) is the same as the operators' here. */
static tarn_err broadcast_check(const ovir_build *b)
{
	CHECK(ovir_attr_is(b->l, "auto_broadcast", "numpy") || ovir_attr_is(b->l, "auto_broadcast", "none"), TARN_UNSUPPORTED,
	      "auto_broadcast=\"%.40s\" is not supported; numpy is", ovir_attr(b->l, "auto_broadcast"));
	return TARN_OK;
}

static tarn_err read_binary(ovir_build *b)
{
	TRY(broadcast_check(b));
	return ovir_make(b, ovir_type_find(b->l->type)->op, b->in, b->l->n_in, -1);
}

/* Python's division differs from C's for negative integers. */
static tarn_err read_divide(ovir_build *b)
{
	int64_t python;
	TRY(ovir_attr_i(b->l, "m_pythondiv", 1, &python));
	return read_binary(b);
}

static tarn_err read_mod(ovir_build *b)
{
	TRY(read_binary(b));
	return ovir_set_i(b, "fmod", !strcmp(b->l->type, "Mod"));
}

static tarn_err read_convert(ovir_build *b)
{
	tarn_dtype t;
	CHECK(ovir_attr(b->l, "destination_type"), TARN_BAD_FILE, "destination_type is missing");
	TRY(ovir_attr_type(b->l, "destination_type", TARN_DTYPE_NONE, &t));
	TRY(ovir_make(b, "Cast", b->in, b->l->n_in, -1));
	return ovir_set_i(b, "to", t);
}

static tarn_err read_clamp(ovir_build *b)
{
	static const char *const name[2] = {"min", "max"};
	tarn_value *in[3] = {b->in[0]};
	CHECK(b->l->n_in == 1, TARN_BAD_FILE, "it has %d inputs; 1 is needed", b->l->n_in);
	for (int i = 0; i < 2; i++) {
		double v;
		tarn_tensor t = {0};
		CHECK(ovir_attr(b->l, name[i]), TARN_BAD_FILE, "%s is missing", name[i]);
		TRY(ovir_attr_f(b->l, name[i], 0, &v));
		TRY(tarn_tensor_new(b->in[0]->type == TARN_DTYPE_NONE ? TARN_F32 : b->in[0]->type, 0, NULL, &t));
		tarn_tensor_set_f64(&t, 0, v);
		tarn_err err = tarn_value_const(b->g, NULL, &t, &in[1 + i]);
		tarn_tensor_fini(&t);
		TRY(err);
	}
	return ovir_make(b, "Clip", in, 3, -1);
}

/* A slope with one number for each channel belongs to axis 1; any other broadcasts as numpy's. */
static tarn_err read_prelu(ovir_build *b)
{
	CHECK(b->l->n_in == 2, TARN_BAD_FILE, "it has %d inputs; 2 are needed", b->l->n_in);
	const tarn_shape *x = &b->in[0]->shape, *s = &b->in[1]->shape;
	tarn_value *in[2] = {b->in[0], b->in[1]};
	if (s->rank == 1 && x->rank > 2 && s->dim[0] > 1) {
		int64_t dim[TARN_MAX_RANK] = {s->dim[0]};
		for (int i = 1; i < x->rank - 1; i++)
			dim[i] = 1;
		TRY(ovir_reshaped(b, b->in[1], dim, x->rank - 1, &in[1]));
	}
	return ovir_make(b, "PRelu", in, 2, -1);
}

static tarn_err read_hsigmoid(ovir_build *b)
{
	TRY(ovir_make(b, "HardSigmoid", b->in, b->l->n_in, -1));
	TRY(ovir_set_f(b, "alpha", 1.0 / 6));
	return ovir_set_f(b, "beta", 0.5);
}

/* Parameters that are constant inputs here are attributes of the operator. */
static tarn_err read_with_floats(ovir_build *b, const char *op, const char *const *name, int n)
{
	double v[2];
	for (int i = 0; i < n; i++)
		TRY(ovir_const_float(b, 1 + i, name[i], &v[i]));
	TRY(ovir_make(b, op, b->in, 1, -1));
	for (int i = 0; i < n; i++)
		TRY(ovir_set_f(b, name[i], v[i]));
	return TARN_OK;
}

static tarn_err read_hard_sigmoid(ovir_build *b)
{
	static const char *const name[] = {"alpha", "beta"};
	return read_with_floats(b, "HardSigmoid", name, 2);
}

static tarn_err read_selu(ovir_build *b)
{
	static const char *const name[] = {"alpha", "gamma"};
	return read_with_floats(b, "Selu", name, 2);
}

static tarn_err read_swish(ovir_build *b)
{
	static const char *const name[] = {"beta"};
	return read_with_floats(b, "Swish", name, b->l->n_in > 1 ? 1 : 0);
}

static tarn_err read_gelu(ovir_build *b)
{
	TRY(ovir_make(b, "Gelu", b->in, b->l->n_in, -1));
	const char *mode = ovir_attr(b->l, "approximation_mode");
	bool tanh = mode && !strcasecmp(mode, "tanh");
	CHECK(!mode || tanh || !strcasecmp(mode, "erf"), TARN_UNSUPPORTED, "approximation_mode \"%.40s\" is not supported",
	      mode);
	return ovir_set_i(b, "approximate", tanh);
}

static tarn_err read_round(ovir_build *b)
{
	CHECK(ovir_attr_is(b->l, "mode", "half_to_even"), TARN_UNSUPPORTED, "mode \"%.40s\" is not supported; half_to_even is",
	      ovir_attr(b->l, "mode"));
	return ovir_make(b, "Round", b->in, b->l->n_in, -1);
}

static tarn_err read_matmul(ovir_build *b)
{
	int64_t a, c;
	TRY(ovir_attr_i(b->l, "transpose_a", 0, &a));
	TRY(ovir_attr_i(b->l, "transpose_b", 0, &c));
	if (!a && !c)
		return ovir_make(b, "MatMul", b->in, b->l->n_in, -1);
	TRY(ovir_make(b, "FusedMatMul", b->in, b->l->n_in, -1));
	TRY(ovir_set_i(b, "transA", a != 0));
	return ovir_set_i(b, "transB", c != 0);
}

static tarn_err read_lrn(ovir_build *b)
{
	int64_t axis[TARN_MAX_RANK];
	int n;
	TRY(ovir_const_ints(b, 1, "axes", axis, TARN_MAX_RANK, &n));
	CHECK(n == 1 && axis[0] == 1, TARN_UNSUPPORTED, "only axes [1] is supported");
	return ovir_make(b, "LRN", b->in, 1, -1);
}

static tarn_err read_fake_quantize(ovir_build *b)
{
	TRY(broadcast_check(b));
	return ovir_make(b, "FakeQuantize", b->in, b->l->n_in, -1);
}

const ovir_type ovir_types_simple[] = {
	{"ReLU", "1", "Relu", NULL, 0},
	{"Sigmoid", "1", "Sigmoid", NULL, 0},
	{"Tanh", "1", "Tanh", NULL, 0},
	{"Exp", "1", "Exp", NULL, 0},
	{"Log", "1", "Log", NULL, 0},
	{"Abs", "1", "Abs", NULL, 0},
	{"Sqrt", "1", "Sqrt", NULL, 0},
	{"Negative", "1", "Neg", NULL, 0},
	{"Floor", "1", "Floor", NULL, 0},
	{"Ceiling", "1", "Ceil", NULL, 0},
	{"Sign", "1", "Sign", NULL, 0},
	{"Erf", "1", "Erf", NULL, 0},
	{"Sin", "1", "Sin", NULL, 0},
	{"Cos", "1", "Cos", NULL, 0},
	{"Tan", "1", "Tan", NULL, 0},
	{"Asin", "1", "Asin", NULL, 0},
	{"Acos", "1", "Acos", NULL, 0},
	{"Atan", "1", "Atan", NULL, 0},
	{"Sinh", "1", "Sinh", NULL, 0},
	{"Cosh", "1", "Cosh", NULL, 0},
	{"Asinh", "4", "Asinh", NULL, 0},
	{"Acosh", "4", "Acosh", NULL, 0},
	{"Atanh", "4", "Atanh", NULL, 0},
	{"SoftPlus", "4", "Softplus", NULL, 0},
	{"SoftSign", "9", "Softsign", NULL, 0},
	{"Mish", "4", "Mish", NULL, 0},
	{"HSwish", "4", "HardSwish", NULL, 0},
	{"HSigmoid", "5", "HardSigmoid", read_hsigmoid, 0},
	{"HardSigmoid", "1", "HardSigmoid", read_hard_sigmoid, 0},
	{"Elu", "1", "Elu", NULL, 0},
	{"Selu", "1", "Selu", read_selu, 0},
	{"Swish", "4", "Swish", read_swish, 0},
	{"Gelu", "2|7", "Gelu", read_gelu, 0},
	{"Round", "5", "Round", read_round, 0},
	{"Clamp", "1", "Clip", read_clamp, 0},
	{"PReLU", "1", "PRelu", read_prelu, 0},
	{"IsNaN", "10", "IsNaN", NULL, 0},
	{"IsInf", "10", "IsInf", NULL, 0},
	{"LogicalNot", "1", "Not", NULL, 0},
	{"BitwiseNot", "13", "BitwiseNot", NULL, 0},
	{"Convert", "1", "Cast", read_convert, 0},
	{"Add", "1", "Add", read_binary, 0},
	{"Subtract", "1", "Sub", read_binary, 0},
	{"Multiply", "1", "Mul", read_binary, 0},
	{"Divide", "1", "Div", read_divide, 0},
	{"Power", "1", "Pow", read_binary, 0},
	{"Maximum", "1", "Max", read_binary, 0},
	{"Minimum", "1", "Min", read_binary, 0},
	{"SquaredDifference", "1", "SquaredDifference", read_binary, 0},
	{"Mod", "1", "Mod", read_mod, 0},
	{"FloorMod", "1", "Mod", read_mod, 0},
	{"Equal", "1", "Equal", read_binary, 0},
	{"NotEqual", "1", "NotEqual", read_binary, 0},
	{"Less", "1", "Less", read_binary, 0},
	{"LessEqual", "1", "LessOrEqual", read_binary, 0},
	{"Greater", "1", "Greater", read_binary, 0},
	{"GreaterEqual", "1", "GreaterOrEqual", read_binary, 0},
	{"LogicalAnd", "1", "And", read_binary, 0},
	{"LogicalOr", "1", "Or", read_binary, 0},
	{"LogicalXor", "1", "Xor", read_binary, 0},
	{"BitwiseAnd", "13", "BitwiseAnd", read_binary, 0},
	{"BitwiseOr", "13", "BitwiseOr", read_binary, 0},
	{"BitwiseXor", "13", "BitwiseXor", read_binary, 0},
	{"Select", "1", "Where", read_binary, 0},
	{"MatMul", "1", "MatMul", read_matmul, 0},
	{"SoftMax", "1|8", "Softmax", NULL, 0},
	{"LogSoftmax", "5", "LogSoftmax", NULL, 0},
	{"MVN", "6", "MVN", NULL, 0},
	{"NormalizeL2", "1", "NormalizeL2", NULL, 0},
	{"BatchNormInference", "5", "BatchNormalization", NULL, 0},
	{"GroupNormalization", "12", "GroupNormalization", NULL, 0},
	{"LRN", "1", "LRN", read_lrn, 0},
	{"FakeQuantize", "1", "FakeQuantize", read_fake_quantize, 0},
	{NULL, NULL, NULL, NULL, 0},
};

const ovir_type *ovir_type_find(const char *type)
{
	static const ovir_type *const groups[] = {ovir_types_simple, ovir_types_window, ovir_types_shape, ovir_types_order,
						  ovir_types_other};
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		for (const ovir_type *t = groups[i]; t->type; t++)
			if (!strcmp(t->type, type))
				return t;
	return NULL;
}

bool ovir_type_has_version(const ovir_type *t, const char *version)
{
	return !strncmp(version, "opset", 5) && tarn_words_find(t->versions, version + 5) >= 0;
}
