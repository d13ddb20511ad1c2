/* SPDX-License-Identifier: Apache-2.0 */
/* Operators -> layers: the simple ones, and the lookup. */
#include <math.h>
#include <string.h>

#include "fmt/ovir/writer.h"

const tarn_attr *ovir_get(const tarn_node *n, const char *name)
{
	int i = tarn_attr_index(n->op, name);
	return i >= 0 && n->attr[i].set ? &n->attr[i] : NULL;
}

int64_t ovir_get_i(const tarn_node *n, const char *name)
{
	const tarn_attr *a = ovir_get(n, name);
	return a ? a->i : 0;
}

double ovir_get_f(const tarn_node *n, const char *name)
{
	const tarn_attr *a = ovir_get(n, name);
	return a ? a->f : 0;
}

const char *ovir_get_word(ovir_writer *w, const tarn_node *n, const char *name)
{
	char word[64];
	int i = tarn_attr_index(n->op, name);
	if (i < 0)
		return "";
	tarn_words_get(n->op->attr[i].words, (int)n->attr[i].i, word, sizeof word);
	return ovir_text(w, "%s", word);
}

static const char *const numpy[] = {"auto_broadcast", "numpy", NULL};

static void lower_each(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	/* Two at a time. */
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0])};
	tarn_symtab *syms = &w->scratch->syms;
	tarn_shape so_far = n->in[0]->shape;
	for (int i = 1; i < n->n_in && w->err == TARN_OK; i++) {
		in[1] = ovir_ref_of(w, n->in[i]);
		if (i == n->n_in - 1) {
			ovir_put_node(w, n, row->type, row->version, numpy, in, 2);
			return;
		}
		tarn_shape out = {.rank = -1};
		if (tarn_shape_is_static(&so_far) && tarn_shape_is_static(&n->in[i]->shape)) {
			tarn_err err = tarn_shape_broadcast(syms, &so_far, &n->in[i]->shape, &out);
			if (err != TARN_OK)
				ovir_fail(w, err);
		} else {
			out = n->out[0]->shape;
		}
		in[0] = ovir_put(w, row->type, row->version, ovir_sub(w, n, "part"), numpy, in, 2, n->out[0]->type, &out);
		so_far = out;
	}
	if (n->n_in == 1)
		ovir_alias(w, n->out[0], in[0]);
}

static bool is_used(const tarn_graph *g, const tarn_value *v)
{
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k] == v)
				return true;
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == v)
			return true;
	return false;
}

static void lower_alias(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	(void)row;
	if (n->n_out > 1 && n->out[1] && is_used(w->g, n->out[1]))
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "its second output has no form in the IR"));
	ovir_alias(w, n->out[0], ovir_ref_of(w, n->in[0]));
}

static void lower_cast(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"destination_type", tarn_dtype_info((tarn_dtype)ovir_get_i(n, "to"))->word, NULL};
	ovir_ref in = ovir_ref_of(w, n->in[0]);
	ovir_put_node(w, n, row->type, row->version, attrs, &in, 1);
}

static void lower_pow(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])};
	if (n->in[1]->type != n->in[0]->type) {
		const char *to[] = {"destination_type", tarn_dtype_info(n->in[0]->type)->word, NULL};
		in[1] = ovir_put(w, "Convert", "opset1", ovir_sub(w, n, "exponent"), to, &in[1], 1, n->in[0]->type,
				 &n->in[1]->shape);
	}
	ovir_put_node(w, n, row->type, row->version, numpy, in, 2);
}

static void lower_mod(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])};
	ovir_put_node(w, n, ovir_get_i(n, "fmod") ? "Mod" : "FloorMod", row->version, numpy, in, 2);
}

static void lower_reciprocal(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	ovir_ref in[2] = {ovir_put_float(w, ovir_sub(w, n, "one"), n->in[0]->type, 1), ovir_ref_of(w, n->in[0])};
	ovir_put_node(w, n, row->type, row->version, numpy, in, 2);
}

/* An attribute here is a constant input there. */
static void lower_floats(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	ovir_ref in[3] = {ovir_ref_of(w, n->in[0])};
	int k = 1;
	for (int i = 0; i < n->op->n_attr && k < 3; i++, k++)
		in[k] = ovir_put_float(w, ovir_sub(w, n, n->op->attr[i].name), n->in[0]->type, n->attr[i].f);
	ovir_put_node(w, n, row->type, row->version, NULL, in, k);
}

static void lower_elu(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"alpha", ovir_text(w, "%.17g", ovir_get_f(n, "alpha")), NULL};
	ovir_ref in = ovir_ref_of(w, n->in[0]);
	ovir_put_node(w, n, row->type, row->version, attrs, &in, 1);
}

static void lower_gelu(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"approximation_mode", ovir_get_i(n, "approximate") ? "TANH" : "ERF", NULL};
	ovir_ref in = ovir_ref_of(w, n->in[0]);
	ovir_put_node(w, n, row->type, row->version, attrs, &in, 1);
}

static void lower_leaky(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]),
			  ovir_put_float(w, ovir_sub(w, n, "slope"), n->in[0]->type, ovir_get_f(n, "alpha"))};
	ovir_put_node(w, n, row->type, row->version, NULL, in, 2);
}

/* A slope that lies along axis 1 is written as a vector, which means the same there; others broadcast as numpy's. */
static void lower_prelu(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const tarn_shape *x = &n->in[0]->shape, *s = &n->in[1]->shape;
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), {-1, 0}};
	bool along = x->rank > 2 && s->rank == x->rank - 1 && tarn_shape_is_static(s) && s->dim[0] > 1;
	for (int i = 1; along && i < s->rank; i++)
		along = s->dim[i] == 1;
	if (along) {
		tarn_shape v = {.rank = 1, .dim = {s->dim[0]}};
		in[1] = ovir_put_reshaped(w, n->in[1], ovir_sub(w, n, "slope"), &v);
	} else if (s->rank == 1 && x->rank > 2 && s->dim[0] != 1) {
		/* Along the last axis here, along axis 1 there: rank 2 makes it numpy's again. */
		tarn_shape v = {.rank = 2, .dim = {1, s->dim[0]}};
		in[1] = ovir_put_reshaped(w, n->in[1], ovir_sub(w, n, "slope"), &v);
	} else {
		in[1] = ovir_ref_of(w, n->in[1]);
	}
	ovir_put_node(w, n, row->type, row->version, NULL, in, 2);
}

static bool number(const tarn_value *v, double *f)
{
	if (!v || !v->konst || tarn_tensor_count(v->konst) != 1)
		return false;
	*f = tarn_tensor_f64(v->konst, 0);
	return isfinite(*f);
}

static void lower_clip(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const tarn_value *lo = ovir_value_of(n, 1), *hi = ovir_value_of(n, 2);
	double a, b;
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0])};
	if (number(lo, &a) && number(hi, &b) && a <= b && tarn_dtype_is_float(n->in[0]->type)) {
		const char *attrs[] = {"min", ovir_text(w, "%.17g", a), "max", ovir_text(w, "%.17g", b), NULL};
		ovir_put_node(w, n, row->type, row->version, attrs, in, 1);
		return;
	}
	if (!lo && !hi) {
		ovir_alias(w, n->out[0], in[0]);
		return;
	}
	if (lo) {
		in[1] = ovir_ref_of(w, lo);
		if (!hi) {
			ovir_put_node(w, n, "Maximum", "opset1", numpy, in, 2);
			return;
		}
		in[0] = ovir_put(w, "Maximum", "opset1", ovir_sub(w, n, "low"), numpy, in, 2, n->out[0]->type,
				 &n->out[0]->shape);
	}
	in[1] = ovir_ref_of(w, hi);
	ovir_put_node(w, n, "Minimum", "opset1", numpy, in, 2);
}

static void lower_softmax(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	int64_t axis = ovir_get_i(n, "axis");
	const char *attrs[] = {"axis", ovir_text(w, "%lld", (long long)axis), NULL};
	ovir_ref in = ovir_ref_of(w, n->in[0]);
	if (ovir_get_i(n, "flatten")) {
		/* All axes from `axis` on as one: the same where only sizes of 1 follow, else through a matrix. */
		const tarn_shape *x = &n->in[0]->shape;
		axis += axis < 0 ? x->rank : 0;
		tarn_shape flat = {.rank = 2, .dim = {1, 1}};
		if (!tarn_shape_is_static(x)) {
			ovir_fail(
				w,
				tarn_err_set(
					TARN_UNSUPPORTED,
					"softmax over several axes of free size has no form in the IR; make the shape static"));
			return;
		}
		for (int i = 0; i < x->rank; i++)
			flat.dim[i >= axis] *= x->dim[i];
		ovir_ref io[2] = {in, ovir_put_ints(w, ovir_sub(w, n, "matrix"), TARN_I64, flat.dim, 2)};
		const char *zero[] = {"special_zero", "false", NULL};
		tarn_dtype t = n->out[0]->type;
		in = ovir_put(w, "Reshape", "opset1", ovir_sub(w, n, "flat"), zero, io, 2, t, &flat);
		attrs[1] = "1";
		io[0] = ovir_put(w, row->type, row->version, ovir_sub(w, n, "rows"), attrs, &in, 1, t, &flat);
		io[1] = ovir_put_ints(w, ovir_sub(w, n, "shape"), TARN_I64, x->dim, x->rank);
		ovir_put_node(w, n, "Reshape", "opset1", zero, io, 2);
		return;
	}
	ovir_put_node(w, n, row->type, row->version, attrs, &in, 1);
}

static void lower_matmul(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"transpose_a", ovir_get_i(n, "transA") ? "true" : "false", "transpose_b",
			       ovir_get_i(n, "transB") ? "true" : "false", NULL};
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])};
	double alpha = ovir_get(n, "alpha") ? ovir_get_f(n, "alpha") : 1;
	if (alpha == 1) {
		ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
		return;
	}
	in[0] = ovir_put(w, row->type, row->version, ovir_sub(w, n, "product"), attrs, in, 2, n->out[0]->type,
			 &n->out[0]->shape);
	in[1] = ovir_put_float(w, ovir_sub(w, n, "alpha"), n->out[0]->type, alpha);
	ovir_put_node(w, n, "Multiply", "opset1", numpy, in, 2);
}

/* alpha * A B + beta * C */
static void lower_gemm(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const tarn_value *c = ovir_value_of(n, 2);
	if (!c) {
		lower_matmul(w, n, row);
		return;
	}
	const char *attrs[] = {"transpose_a", ovir_get_i(n, "transA") ? "true" : "false", "transpose_b",
			       ovir_get_i(n, "transB") ? "true" : "false", NULL};
	double alpha = ovir_get_f(n, "alpha"), beta = ovir_get_f(n, "beta");
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])}, by[2] = {ovir_ref_of(w, c), {-1, 0}};
	tarn_dtype t = n->out[0]->type;
	in[0] = ovir_put(w, "MatMul", "opset1", ovir_sub(w, n, "product"), attrs, in, 2, t, &n->out[0]->shape);
	if (alpha != 1) {
		in[1] = ovir_put_float(w, ovir_sub(w, n, "alpha"), t, alpha);
		in[0] = ovir_put(w, "Multiply", "opset1", ovir_sub(w, n, "scaled"), numpy, in, 2, t, &n->out[0]->shape);
	}
	if (beta != 1) {
		by[1] = ovir_put_float(w, ovir_sub(w, n, "beta"), t, beta);
		by[0] = ovir_put(w, "Multiply", "opset1", ovir_sub(w, n, "addend"), numpy, by, 2, t, &c->shape);
	}
	in[1] = by[0];
	ovir_put_node(w, n, "Add", "opset1", numpy, in, 2);
}

static void lower_batch_norm(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"epsilon", ovir_text(w, "%.17g", ovir_get_f(n, "epsilon")), NULL};
	ovir_ref in[5];
	if (ovir_get_i(n, "training_mode") || (n->n_out > 1 && n->out[1]))
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "its training form has no form in the IR"));
	for (int i = 0; i < 5; i++)
		in[i] = ovir_ref_of(w, n->in[i]);
	tarn_node one = *n;
	one.n_out = 1;
	ovir_put_node(w, &one, row->type, row->version, attrs, in, 5);
}

static void lower_fake_quantize(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"levels", ovir_text(w, "%lld", (long long)ovir_get_i(n, "levels")), "auto_broadcast", "numpy",
			       NULL};
	ovir_ref in[5];
	for (int i = 0; i < 5; i++)
		in[i] = ovir_ref_of(w, n->in[i]);
	ovir_put_node(w, n, row->type, row->version, attrs, in, 5);
}

#define SAME(op, type, version) \
	{ \
		op, type, "opset" version, NULL, NULL \
	}
#define PAIR(op, type, version) \
	{ \
		op, type, "opset" version, NULL, "auto_broadcast=numpy" \
	}
const ovir_lower ovir_lower_simple[] = {
	SAME("Relu", "ReLU", "1"),
	SAME("Sigmoid", "Sigmoid", "1"),
	SAME("Tanh", "Tanh", "1"),
	SAME("Exp", "Exp", "1"),
	SAME("Log", "Log", "1"),
	SAME("Abs", "Abs", "1"),
	SAME("Sqrt", "Sqrt", "1"),
	SAME("Neg", "Negative", "1"),
	SAME("Floor", "Floor", "1"),
	SAME("Ceil", "Ceiling", "1"),
	SAME("Sign", "Sign", "1"),
	SAME("Erf", "Erf", "1"),
	SAME("Sin", "Sin", "1"),
	SAME("Cos", "Cos", "1"),
	SAME("Tan", "Tan", "1"),
	SAME("Asin", "Asin", "1"),
	SAME("Acos", "Acos", "1"),
	SAME("Atan", "Atan", "1"),
	SAME("Sinh", "Sinh", "1"),
	SAME("Cosh", "Cosh", "1"),
	SAME("Asinh", "Asinh", "4"),
	SAME("Acosh", "Acosh", "4"),
	SAME("Atanh", "Atanh", "4"),
	SAME("Softplus", "SoftPlus", "4"),
	SAME("Softsign", "SoftSign", "9"),
	SAME("Mish", "Mish", "4"),
	SAME("HardSwish", "HSwish", "4"),
	SAME("Not", "LogicalNot", "1"),
	SAME("IsNaN", "IsNaN", "10"),
	SAME("BitwiseNot", "BitwiseNot", "13"),
	{"Round", "Round", "opset5", NULL, "mode=half_to_even"},
	PAIR("Sub", "Subtract", "1"),
	PAIR("Div", "Divide", "1"),
	PAIR("SquaredDifference", "SquaredDifference", "1"),
	PAIR("Equal", "Equal", "1"),
	PAIR("Less", "Less", "1"),
	PAIR("LessOrEqual", "LessEqual", "1"),
	PAIR("Greater", "Greater", "1"),
	PAIR("GreaterOrEqual", "GreaterEqual", "1"),
	PAIR("And", "LogicalAnd", "1"),
	PAIR("Or", "LogicalOr", "1"),
	PAIR("Xor", "LogicalXor", "1"),
	PAIR("BitwiseAnd", "BitwiseAnd", "13"),
	PAIR("BitwiseOr", "BitwiseOr", "13"),
	PAIR("BitwiseXor", "BitwiseXor", "13"),
	PAIR("Where", "Select", "1"),
	{"Add", "Add", "opset1", lower_each, NULL},
	{"Mul", "Multiply", "opset1", lower_each, NULL},
	{"Sum", "Add", "opset1", lower_each, NULL},
	{"Max", "Maximum", "opset1", lower_each, NULL},
	{"Min", "Minimum", "opset1", lower_each, NULL},
	{"Pow", "Power", "opset1", lower_pow, NULL},
	{"Mod", "Mod", "opset1", lower_mod, NULL},
	{"Reciprocal", "Divide", "opset1", lower_reciprocal, NULL},
	{"Identity", "", "", lower_alias, NULL},
	{"Dropout", "", "", lower_alias, NULL},
	{"Cast", "Convert", "opset1", lower_cast, NULL},
	{"Elu", "Elu", "opset1", lower_elu, NULL},
	{"LeakyRelu", "PReLU", "opset1", lower_leaky, NULL},
	{"PRelu", "PReLU", "opset1", lower_prelu, NULL},
	{"HardSigmoid", "HardSigmoid", "opset1", lower_floats, NULL},
	{"Selu", "Selu", "opset1", lower_floats, NULL},
	{"Swish", "Swish", "opset4", lower_floats, NULL},
	{"Gelu", "Gelu", "opset7", lower_gelu, NULL},
	{"Clip", "Clamp", "opset1", lower_clip, NULL},
	{"Softmax", "SoftMax", "opset8", lower_softmax, NULL},
	{"LogSoftmax", "LogSoftmax", "opset5", lower_softmax, NULL},
	{"MatMul", "MatMul", "opset1", lower_matmul, NULL},
	{"FusedMatMul", "MatMul", "opset1", lower_matmul, NULL},
	{"Gemm", "MatMul", "opset1", lower_gemm, NULL},
	{"BatchNormalization", "BatchNormInference", "opset5", lower_batch_norm, NULL},
	{"FakeQuantize", "FakeQuantize", "opset1", lower_fake_quantize, NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

const ovir_lower *ovir_lower_find(const tarn_node *n)
{
	static const ovir_lower *const groups[] = {ovir_lower_simple, ovir_lower_window, ovir_lower_shape, ovir_lower_order,
						   ovir_lower_quant};
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		for (const ovir_lower *r = groups[i]; r->op; r++)
			if (!strcmp(r->op, n->op->name))
				return r;
	return NULL;
}
