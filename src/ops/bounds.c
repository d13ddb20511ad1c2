/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/bounds.h"

#include "ops/elem.h"

/* Literals are clamped at 2^48: one that large may not be what it says. */
static bool exact(tarn_dim d)
{
	int64_t v = 0, limit = (int64_t)1 << 48;
	return !tarn_dim_is_int(d, &v) || (v > -limit && v < limit);
}

bool tarn_bounds_read(tarn_infer *c, int i, tarn_dim *at, int *n)
{
	const tarn_shape *s = tarn_infer_shape(c, i);
	return s != NULL && s->rank <= 1 && tarn_bounds_read_all(c, i, at, n);
}

bool tarn_bounds_read_all(tarn_infer *c, int i, tarn_dim *at, int *n)
{
	if (tarn_infer_shape(c, i) == NULL || !tarn_infer_dims(c, i, at, TARN_KNOWN_MAX, n))
		return false;
	for (int j = 0; j < *n; j++)
		if (!exact(at[j]))
			return false;
	return true;
}

static bool number_op(tarn_sym_op op, int64_t a, int64_t b, int64_t *v)
{
	int64_t q = b != 0 ? a / b : 0;
	bool inexact = q * b != a;
	switch (op) {
	case TARN_SYM_ADD:
		*v = a + b;
		return true;
	case TARN_SYM_SUB:
		*v = a - b;
		return true;
	case TARN_SYM_MUL:
		return !__builtin_mul_overflow(a, b, v);
	case TARN_SYM_FLOORDIV:
		*v = q - (inexact && (a < 0) != (b < 0));
		return b != 0;
	case TARN_SYM_CEILDIV:
		*v = q + (inexact && (a < 0) == (b < 0));
		return b != 0;
	case TARN_SYM_MIN:
		*v = a < b ? a : b;
		return true;
	case TARN_SYM_MAX:
		*v = a > b ? a : b;
		return true;
	default:
		return false;
	}
}

/* A symbol and a negative number; a is the symbol unless flipped. */
static bool negative_op(tarn_symtab *t, tarn_sym_op op, tarn_dim sym, int64_t v, bool flipped, tarn_dim *out)
{
	if (op == TARN_SYM_MAX || op == TARN_SYM_MIN) { /* sizes are not negative */
		*out = op == TARN_SYM_MAX ? sym : tarn_dim_of_int(v);
		return tarn_dim_least(t, sym) >= v;
	}
	if (op == TARN_SYM_MUL || (op == TARN_SYM_SUB && flipped)) /* -(sym * -v), -(-v + sym) */
		return tarn_dim_op(t, op == TARN_SYM_MUL ? op : TARN_SYM_ADD, sym, -v, out) == TARN_OK &&
		       tarn_dim_op(t, TARN_SYM_SUB, 0, *out, out) == TARN_OK;
	if (op != TARN_SYM_ADD && op != TARN_SYM_SUB)
		return false;
	return tarn_dim_op(t, op == TARN_SYM_ADD ? TARN_SYM_SUB : TARN_SYM_ADD, sym, -v, out) == TARN_OK;
}

bool tarn_bounds_op(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	int64_t x = 0, y = 0, v = 0;
	bool nx = tarn_dim_is_int(a, &x), ny = tarn_dim_is_int(b, &y), ok;
	if (nx && ny) {
		ok = number_op(op, x, y, &v);
		*out = tarn_dim_of_int(v);
		return ok && exact(*out);
	}
	if (nx && x < 0)
		ok = negative_op(t, op, b, x, true, out);
	else if (ny && y < 0)
		ok = negative_op(t, op, a, y, false, out);
	else
		ok = tarn_dim_op(t, op, a, b, out) == TARN_OK;
	if (!ok)
		tarn_err_clear();
	return ok;
}

tarn_err tarn_bounds_set(tarn_infer *c, int i, const tarn_dim *at, int n)
{
	if (i >= c->node->n_out || c->node->out[i] == NULL)
		return TARN_OK;
	const tarn_value *v = c->node->out[i];
	int64_t number = 0;
	/* Narrower types wrap, which arithmetic on sizes does not follow. */
	if (v->type != TARN_I64 && v->type != TARN_I32 && v->type != TARN_BOOL)
		return TARN_OK;
	for (int k = 0; k < n && v->type == TARN_I32; k++)
		if (tarn_dim_is_int(at[k], &number) && (number > INT32_MAX || number < INT32_MIN))
			return TARN_OK;
	if (tarn_shape_is_static(&v->shape)) {
		TRY(tarn_shape_count(&v->shape, &number));
		if (number != n)
			return TARN_OK;
	} else if (v->shape.rank >= 0) {
		return TARN_OK;
	}
	return tarn_infer_known(c, i, at, n);
}

tarn_err tarn_bounds_same(tarn_infer *c)
{
	tarn_dim at[TARN_KNOWN_MAX];
	int n = 0;
	if (!tarn_bounds_read_all(c, 0, at, &n))
		return TARN_OK;
	return tarn_bounds_set(c, 0, at, n);
}

tarn_err tarn_bounds_fresh(tarn_infer *c, int64_t hi, tarn_dim *d)
{
	return tarn_symtab_fresh(c->syms, 0, hi < TARN_DIM_MAX ? hi : TARN_DIM_MAX, d);
}

tarn_err tarn_bounds_product(tarn_symtab *t, const tarn_dim *dim, int from, int to, tarn_dim *out)
{
	tarn_dim p = 1;
	for (int d = from; d < to; d++)
		TRY(tarn_dim_op(t, TARN_SYM_MUL, p, dim[d], &p));
	*out = p;
	return TARN_OK;
}

tarn_err tarn_bounds_axes(tarn_infer *c, int i, int rank, uint32_t *mask, bool *known)
{
	int64_t at[TARN_MAX_RANK];
	int n = 0, axis = 0;
	*mask = (uint32_t)((1u << rank) - 1);
	*known = true;
	if (i >= c->node->n_in || c->node->in[i] == NULL)
		return TARN_OK;
	TRY(tarn_infer_class(c, i, TARN_CLS_INT));
	const tarn_shape *s = tarn_infer_shape(c, i);
	CHECK(s == NULL || s->rank == 0 || s->rank == 1, TARN_SHAPE, "axes must be a list, not a tensor of rank %d", s->rank);
	CHECK(s == NULL || s->rank == 0 || s->dim[0] <= TARN_MAX_RANK, TARN_SHAPE, "%lld axes for rank %d",
	      (long long)s->dim[0], rank);
	*known = tarn_infer_ints(c, i, at, TARN_MAX_RANK, &n);
	if (!*known || n == 0)
		return TARN_OK;
	*mask = 0;
	for (int j = 0; j < n; j++) {
		TRY(tarn_shape_axis(rank, at[j], &axis));
		CHECK((*mask & 1u << axis) == 0, TARN_SHAPE, "axis %d is listed twice", axis);
		*mask |= 1u << axis;
	}
	return TARN_OK;
}
