/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resize whose scale, or whose coordinates, depend on the length: axis by axis as a weighted sum of two elements (linear) or
 * four (cubic). Where an element lies is a fraction num / den of whole numbers, which every device divides alike. What hangs on
 * the last bit of that place (nearest), or reads more elements the smaller the scale, comes from a table instead.
 */
#include "dyn/dyn.h"
#include "ops/resize.h"

static tarn_value *op2(tarn_dyn *d, const char *op, tarn_value *a, tarn_value *b)
{
	return tarn_dyn_op(d, op, TARN_I32, a, b, NULL);
}

/* The place of each output element in the input: *num by position, *den for all. */
static void place_of(tarn_dyn *d, int64_t how, tarn_dim in, tarn_dim out, tarn_value **num, tarn_value **den)
{
	tarn_value *x = tarn_dyn_positions(d, tarn_dyn_max(d, out), 0), *one = tarn_dyn_int(d, 1), *two = tarn_dyn_int(d, 2);
	tarn_value *n = tarn_dyn_length(d, in), *m = tarn_dyn_divisor(d, out), *more = op2(d, "Sub", m, one);
	if (how == TARN_COORD_ASYMMETRIC) {
		*num = op2(d, "Mul", x, n);
		*den = m;
	} else if (how == TARN_COORD_ALIGN_CORNERS) {
		*num = op2(d, "Mul", x, op2(d, "Sub", n, one));
		*den = op2(d, "Max", more, one);
	} else { /* (x + 1/2) * in / out - 1/2 */
		*num = op2(d, "Sub", op2(d, "Mul", op2(d, "Add", op2(d, "Mul", x, two), one), n), m);
		*den = op2(d, "Mul", m, two);
		if (how == TARN_COORD_PYTORCH_HALF_PIXEL) /* a single element lies at 0 */
			*num = op2(d, "Mul", *num, op2(d, "Min", more, one));
	}
}

/* A list of numbers along axis a of x. */
static tarn_value *column_of(tarn_dyn *d, tarn_value *v, const tarn_value *x, int a, tarn_dim size)
{
	int64_t column[TARN_MAX_RANK];
	int behind = x->shape.rank - 1 - a;
	for (int i = 0; i <= behind; i++)
		column[i] = i ? 1 : tarn_dyn_max(d, size);
	return tarn_dyn_op(d, "Reshape", x->type, v, tarn_dyn_dims(d, column, behind + 1), NULL);
}

/* Keys' kernel at distance t (up to 1), and at 1 + t: (a+2) t^3 - (a+3) t^2 + 1, and a t (1-t)^2. */
static tarn_value *near_weight(tarn_dyn *d, tarn_dtype type, tarn_value *t, double a)
{
	tarn_value *tt = tarn_dyn_op(d, "Mul", type, t, t, NULL);
	tarn_value *v = tarn_dyn_op(d, "Mul", type, t, tarn_dyn_scalar(d, type, a + 2), NULL);
	v = tarn_dyn_op(d, "Sub", type, v, tarn_dyn_scalar(d, type, a + 3), NULL);
	return tarn_dyn_op(d, "Add", type, tarn_dyn_op(d, "Mul", type, v, tt, NULL), tarn_dyn_scalar(d, type, 1), NULL);
}

static tarn_value *far_weight(tarn_dyn *d, tarn_dtype type, tarn_value *t, tarn_value *rest, double a)
{
	tarn_value *v = tarn_dyn_op(d, "Mul", type, tarn_dyn_op(d, "Mul", type, rest, rest, NULL), t, NULL);
	return tarn_dyn_op(d, "Mul", type, v, tarn_dyn_scalar(d, type, a), NULL);
}

/* int32 [1]: 1 at lengths at which the axis keeps its size. It stays as it is then, infinities too, which weights of 0 would
 * make NaN. */
static tarn_value *kept(tarn_dyn *d, const tarn_node *n, tarn_dim in, tarn_dim out)
{
	if (!tarn_resize_by_sizes(n))
		return tarn_dyn_int(d, 0);
	tarn_value *same = tarn_dyn_op(d, "Equal", TARN_BOOL, tarn_dyn_length(d, in), tarn_dyn_length(d, out), NULL);
	return tarn_dyn_cast(d, same, TARN_I32);
}

/* The two elements on either side, those at the ends repeated. */
static tarn_value *cubic(tarn_dyn *d, tarn_node *n, tarn_value *x, int axis, tarn_dim out, tarn_value *num, tarn_value *den,
			 tarn_value *last)
{
	tarn_dtype type = x->type;
	double a = tarn_attr_f(n, TARN_RESIZE_CUBIC_A);
	tarn_value *up = op2(d, "Add", num, den), *whole = op2(d, "Div", up, den); /* one element before 0 is the least */
	tarn_value *part = op2(d, "Sub", up, op2(d, "Mul", whole, den)), *sum = NULL;
	tarn_value *t = tarn_dyn_op(d, "Div", type, tarn_dyn_cast(d, part, type), tarn_dyn_cast(d, den, type), NULL);
	tarn_value *rest = tarn_dyn_op(d, "Sub", type, tarn_dyn_scalar(d, type, 1), t, NULL);
	tarn_value *w[] = {far_weight(d, type, t, rest, a), near_weight(d, type, t, a), near_weight(d, type, rest, a),
			   far_weight(d, type, rest, t, a)};
	tarn_shape shape = x->shape;
	tarn_value *itself = NULL, *same = kept(d, n, x->shape.dim[axis], out);
	for (int k = 0; k < 4 && d->err == TARN_OK; k++) {
		tarn_value *at = op2(d, "Max", op2(d, "Add", whole, tarn_dyn_int(d, k - 2)), tarn_dyn_int(d, 0));
		tarn_value *y = tarn_dyn_take(d, x, axis, op2(d, "Min", at, last), out);
		shape = y ? y->shape : shape;
		itself = k == 1 ? y : itself;
		y = tarn_dyn_op(d, "Mul", type, y, column_of(d, w[k], x, axis, out), NULL);
		sum = sum ? tarn_dyn_op(d, "Add", type, sum, y, NULL) : y;
	}
	if (tarn_resize_by_sizes(n))
		sum = tarn_dyn_op(d, "Where", type, tarn_dyn_cast(d, same, TARN_BOOL), itself, sum);
	if (d->err != TARN_OK)
		return NULL;
	sum->shape = shape;
	tarn_dyn_charge(d, sum);
	return sum;
}

/* A weighted sum of both. Not one plus a part of the difference, which is NaN between equal infinities. */
static tarn_value *between_two(tarn_dyn *d, const tarn_value *x, int a, tarn_dim out, tarn_value *y, tarn_value *behind,
			       tarn_value *rest, tarn_value *den)
{
	tarn_dtype type = x->type;
	tarn_value *w = tarn_dyn_op(d, "Div", type, tarn_dyn_cast(d, rest, type), tarn_dyn_cast(d, den, type), NULL);
	tarn_value *other = tarn_dyn_op(d, "Sub", type, tarn_dyn_scalar(d, type, 1), w, NULL);
	if (d->err != TARN_OK)
		return NULL;
	y = tarn_dyn_op(d, "Mul", type, y, column_of(d, other, x, a, out), NULL);
	behind = tarn_dyn_op(d, "Mul", type, behind, column_of(d, w, x, a, out), NULL);
	return d->err == TARN_OK ? tarn_dyn_op(d, "Add", type, y, behind, NULL) : NULL;
}

static tarn_value *along(tarn_dyn *d, tarn_node *n, tarn_value *x, int a, tarn_dim out)
{
	tarn_dim in = x->shape.dim[a];
	tarn_value *num = NULL, *den = NULL, *last = op2(d, "Sub", tarn_dyn_length(d, in), tarn_dyn_int(d, 1));
	if (d->err != TARN_OK)
		return NULL;
	place_of(d, tarn_attr_i(n, TARN_RESIZE_COORDINATES), in, out, &num, &den);
	if (tarn_attr_i(n, TARN_RESIZE_MODE) == TARN_MODE_CUBIC)
		return cubic(d, n, x, a, out, num, den, last);
	tarn_value *up = op2(d, "Add", num, den), *next = op2(d, "Div", up, den); /* one element before 0 is the least */
	tarn_value *rest = op2(d, "Sub", up, op2(d, "Mul", next, den)), *same = kept(d, n, in, out);
	tarn_value *first = op2(d, "Min", op2(d, "Max", op2(d, "Sub", next, tarn_dyn_int(d, 1)), tarn_dyn_int(d, 0)), last);
	tarn_value *y = tarn_dyn_take(d, x, a, first, out);
	if (d->err != TARN_OK)
		return NULL;
	/* two halves of one element, where the axis is kept */
	next = op2(d, "Sub", next, same);
	rest = op2(d, "Add", op2(d, "Mul", rest, tarn_dyn_int(d, 2)), op2(d, "Mul", den, same));
	den = op2(d, "Mul", den, tarn_dyn_int(d, 2));
	tarn_value *behind = tarn_dyn_take(d, x, a, op2(d, "Min", next, last), out);
	tarn_value *z = between_two(d, x, a, out, y, behind, rest, den);
	if (d->err != TARN_OK)
		return NULL;
	z->shape = y->shape;
	tarn_dyn_charge(d, z);
	return z;
}

/* Can places be written as fractions of the two sizes, and values as sums of a few neighbours? */
static bool by_fractions(const tarn_node *n)
{
	int64_t how = tarn_attr_i(n, TARN_RESIZE_COORDINATES);
	if (tarn_attr_i(n, TARN_RESIZE_MODE) == TARN_MODE_NEAREST || tarn_attr_i(n, TARN_RESIZE_ANTIALIAS) ||
	    tarn_attr_i(n, TARN_RESIZE_EXCLUDE))
		return false;
	if (how == TARN_COORD_ALIGN_CORNERS)
		return true;
	return tarn_resize_by_sizes(n) &&
	       (how == TARN_COORD_HALF_PIXEL || how == TARN_COORD_PYTORCH_HALF_PIXEL || how == TARN_COORD_ASYMMETRIC);
}

tarn_err tarn_dyn_resize(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	enum { MOST = 1 << 14 }; /* products of sizes stay within int32 */
	tarn_value *x = n->in[0], *y = n->out[0];
	(void)axes;
	for (int a = 0; a < y->shape.rank; a++) {
		tarn_dim in = x->shape.dim[a], out = y->shape.dim[a];
		if (in == out)
			continue;
		if (tarn_dyn_is_per_sample(d, tarn_dyn_length(d, out)) || tarn_dyn_is_per_sample(d, tarn_dyn_length(d, in)))
			return tarn_dyn_done(d);
		if (tarn_dyn_max(d, in) < 1 || tarn_dyn_max(d, in) > MOST || tarn_dyn_max(d, out) > MOST)
			return TARN_OK;
		if (by_fractions(n))
			x = along(d, n, x, a, out);
		else
			TRY(tarn_dyn_resize_by_table(d, n, x, a, out, &x));
		TRY(tarn_dyn_done(d));
	}
	x->shape = y->shape;
	tarn_dyn_replace(d, y, x, NULL);
	*done = true;
	return TARN_OK;
}
