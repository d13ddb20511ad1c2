/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantization in its integer form: QuantizeLinear becomes FakeQuantize (limits at the ends of the integers' range, results the
 * integers) and Convert; DequantizeLinear becomes Convert, Subtract (zero point), Multiply (scale). Scales in blocks: the
 * blocked axis becomes two, one scale for each index of the first, and a Reshape joins them again: the form that compressed
 * weights have.
 */
#include <string.h>

#include "fmt/ovir/writer.h"

static const char *const numpy[] = {"auto_broadcast", "numpy", NULL};

static bool all_zero(const tarn_tensor *t)
{
	for (int64_t i = 0; i < tarn_tensor_count(t); i++)
		if (tarn_tensor_f64(t, i) != 0)
			return false;
	return true;
}

/* Sizes of a scale or zero point so that it broadcasts to x: one number, or one for each channel. */
static tarn_shape spread(const tarn_tensor *s, const tarn_shape *as, int axis, int n_axes)
{
	tarn_shape out = {.rank = 0};
	if (tarn_tensor_count(s) == 1)
		return out;
	out.rank = as->rank;
	for (int i = 0; i < out.rank; i++)
		out.dim[i] = i >= axis && i < axis + n_axes ? as->dim[i] : 1;
	return out;
}

static ovir_ref spread_put(ovir_writer *w, const char *name, tarn_dtype type, const tarn_tensor *s, const tarn_shape *as,
			   int axis, int n_axes)
{
	tarn_tensor t = {0};
	ovir_ref r = {-1, 0};
	tarn_err err = tarn_tensor_convert(s, type, &t);
	if (err != TARN_OK) {
		ovir_fail(w, err);
		return r;
	}
	tarn_shape to = spread(s, as, axis, n_axes);
	int64_t count = tarn_tensor_count(&t);
	t.rank = to.rank;
	memcpy(t.dim, to.dim, sizeof t.dim);
	if (tarn_tensor_count(&t) == count)
		r = ovir_put_tensor(w, name, &t);
	else
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "scales of these sizes have no form in the IR"));
	tarn_tensor_fini(&t);
	return r;
}

/* After the integers: Convert, Subtract, Multiply. The last one is returned, or is the node's when `own`. */
static ovir_ref dequantize(ovir_writer *w, const tarn_node *dq, const char *name, ovir_ref x, const tarn_shape *as, int axis,
			   int n_axes, bool own)
{
	const tarn_value *scale = dq->in[1], *zero = ovir_value_of(dq, 2);
	ovir_ref none = {-1, 0};
	if (!scale->konst || (zero && !zero->konst)) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "scale or zero point that the model computes has no form"));
		return none;
	}
	tarn_dtype t = scale->type;
	const char *to[] = {"destination_type", tarn_dtype_info(t)->word, NULL};
	ovir_ref in[2] = {ovir_put(w, "Convert", "opset1", ovir_text(w, "%s/convert", name), to, &x, 1, t, as)};
	if (zero && !all_zero(zero->konst)) {
		in[1] = spread_put(w, ovir_text(w, "%s/zero_point", name), t, zero->konst, as, axis, n_axes);
		in[0] = ovir_put(w, "Subtract", "opset1", ovir_text(w, "%s/subtract", name), numpy, in, 2, t, as);
	}
	in[1] = spread_put(w, ovir_text(w, "%s/scale", name), t, scale->konst, as, axis, n_axes);
	if (own) {
		ovir_put_node(w, dq, "Multiply", "opset1", numpy, in, 2);
		return none;
	}
	return ovir_put(w, "Multiply", "opset1", name, numpy, in, 2, t, as);
}

static int axis_of(const tarn_node *n)
{
	int axis = 0;
	if (n->in[0]->shape.rank > 0 && tarn_shape_axis(n->in[0]->shape.rank, ovir_get_i(n, "axis"), &axis) != TARN_OK)
		axis = 0; /* one number for all: the axis says nothing */
	return axis;
}

ovir_ref ovir_put_dequantize(ovir_writer *w, const tarn_node *dq, const char *name, const tarn_shape *as, int axis, int n_axes)
{
	ovir_ref x = ovir_put_reshaped(w, dq->in[0], ovir_text(w, "%s/integer", name), as);
	return dequantize(w, dq, name, x, as, axis, n_axes, false);
}

/* A constant with a 1 put in as axis `at`. */
static ovir_ref put_widened(ovir_writer *w, const char *name, tarn_dtype type, const tarn_tensor *t, int at)
{
	tarn_tensor c = {0};
	ovir_ref r = {-1, 0};
	tarn_err err = t->rank < TARN_MAX_RANK
			       ? tarn_tensor_convert(t, type, &c)
			       : tarn_err_set(TARN_UNSUPPORTED, "scales in blocks of an axis too many have no form in the IR");
	if (err != TARN_OK) {
		ovir_fail(w, err);
		return r;
	}
	memmove(c.dim + at + 1, c.dim + at, (size_t)(c.rank - at) * sizeof *c.dim);
	c.dim[at] = 1;
	c.rank++;
	r = ovir_put_tensor(w, name, &c);
	tarn_tensor_fini(&c);
	return r;
}

static void lower_blocks(ovir_writer *w, const tarn_node *n, int axis, int64_t block)
{
	const tarn_value *x = n->in[0], *zero = ovir_value_of(n, 2);
	if (!x->konst || !n->in[1]->konst || (zero && !zero->konst) || x->konst->rank >= TARN_MAX_RANK ||
	    x->konst->dim[axis] % block) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED,
					  "scales in blocks of %lld have a form in the IR for constants that they "
					  "divide alone; quantize with another group",
					  (long long)block));
		return;
	}
	tarn_dtype t = n->in[1]->type;
	tarn_shape as = tarn_tensor_shape(x->konst);
	memmove(as.dim + axis + 1, as.dim + axis, (size_t)(as.rank - axis) * sizeof *as.dim);
	as.dim[axis] /= block;
	as.dim[axis + 1] = block;
	as.rank++;
	const char *to[] = {"destination_type", tarn_dtype_info(t)->word, NULL};
	const char *special[] = {"special_zero", "false", NULL};
	ovir_ref q = ovir_put_reshaped(w, x, ovir_sub(w, n, "integer"), &as), in[2];
	in[0] = ovir_put(w, "Convert", "opset1", ovir_sub(w, n, "convert"), to, &q, 1, t, &as);
	if (zero && !all_zero(zero->konst)) {
		in[1] = put_widened(w, ovir_sub(w, n, "zero_point"), t, zero->konst, axis + 1);
		in[0] = ovir_put(w, "Subtract", "opset1", ovir_sub(w, n, "subtract"), numpy, in, 2, t, &as);
	}
	in[1] = put_widened(w, ovir_sub(w, n, "scale"), t, n->in[1]->konst, axis + 1);
	in[0] = ovir_put(w, "Multiply", "opset1", ovir_sub(w, n, "multiply"), numpy, in, 2, t, &as);
	in[1] = ovir_put_ints(w, ovir_sub(w, n, "shape"), TARN_I64, x->konst->dim, x->konst->rank);
	ovir_put_node(w, n, "Reshape", "opset1", special, in, 2);
}

static void lower_dequantize(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	(void)row;
	if (ovir_get_i(n, "block_size")) {
		lower_blocks(w, n, axis_of(n), ovir_get_i(n, "block_size"));
		return;
	}
	if (n->in[1]->konst && tarn_tensor_count(n->in[1]->konst) != 1 && n->in[0]->shape.rank < 0)
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "the input's rank is not known"));
	dequantize(w, n, n->name, ovir_ref_of(w, n->in[0]), &n->in[0]->shape, axis_of(n), 1, true);
}

/* The ends of the range, as numbers of x: (q - zero point) * scale. */
static ovir_ref limit(ovir_writer *w, const tarn_node *n, const char *name, double q)
{
	const tarn_tensor *s = n->in[1]->konst, *z = ovir_value_of(n, 2) ? n->in[2]->konst : NULL;
	tarn_tensor t = {0};
	tarn_err err = tarn_tensor_new(n->in[0]->type, s->rank, s->dim, &t);
	if (err != TARN_OK) {
		ovir_fail(w, err);
		return (ovir_ref){-1, 0};
	}
	for (int64_t i = 0; i < tarn_tensor_count(s); i++)
		tarn_tensor_set_f64(
			&t, i, (q - (z ? tarn_tensor_f64(z, tarn_tensor_count(z) == 1 ? 0 : i) : 0)) * tarn_tensor_f64(s, i));
	ovir_ref r = spread_put(w, ovir_sub(w, n, name), t.type, &t, &n->in[0]->shape, axis_of(n), 1);
	tarn_tensor_fini(&t);
	return r;
}

static void lower_quantize(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	tarn_dtype to = n->out[0]->type, t = n->in[0]->type;
	int bits = tarn_dtype_info(to)->bits;
	const tarn_value *zero = ovir_value_of(n, 2);
	if (!n->in[1]->konst || (zero && !zero->konst) || !tarn_dtype_is_int(to) || bits > 16 || ovir_get_i(n, "block_size") ||
	    !tarn_dtype_is_float(t)) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "this form of quantization has no form in the IR"));
		return;
	}
	double lo = tarn_dtype_is_signed(to) ? -(double)(1 << (bits - 1)) : 0, hi = lo + (double)((1 << bits) - 1);
	ovir_ref in[5] = {ovir_ref_of(w, n->in[0]), limit(w, n, "low", lo), limit(w, n, "high", hi),
			  ovir_put_float(w, ovir_sub(w, n, "lowest"), t, lo),
			  ovir_put_float(w, ovir_sub(w, n, "highest"), t, hi)};
	const char *levels[] = {"levels", ovir_text(w, "%d", 1 << bits), "auto_broadcast", "numpy", NULL};
	const char *dest[] = {"destination_type", tarn_dtype_info(to)->word, NULL};
	in[0] = ovir_put(w, row->type, row->version, ovir_sub(w, n, "fake"), levels, in, 5, t, &n->in[0]->shape);
	ovir_put_node(w, n, "Convert", "opset1", dest, in, 1);
}

const ovir_lower ovir_lower_quant[] = {
	{"QuantizeLinear", "FakeQuantize", "opset1", lower_quantize, NULL},
	{"DequantizeLinear", "Multiply", "opset1", lower_dequantize, NULL},
	{NULL, NULL, NULL, NULL, NULL},
};
