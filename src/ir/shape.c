/* SPDX-License-Identifier: Apache-2.0 */
#include "ir/shape.h"

#include <string.h>

#include "ir/sym.h"

bool tarn_shape_same(const tarn_shape *a, const tarn_shape *b)
{
	return a->rank >= 0 && a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

bool tarn_shape_is_static(const tarn_shape *s)
{
	for (int i = 0; i < s->rank; i++)
		if (s->dim[i] < 0)
			return false;
	return s->rank >= 0;
}

tarn_shape tarn_shape_of(int rank, const int64_t *dim)
{
	tarn_shape s = {.rank = rank};
	for (int i = 0; i < rank && i < TARN_MAX_RANK; i++)
		s.dim[i] = dim[i];
	return s;
}

tarn_err tarn_shape_count(const tarn_shape *s, int64_t *n)
{
	CHECK(tarn_shape_is_static(s), TARN_SHAPE, "the shape has free dimensions");
	int64_t count = 1;
	for (int i = 0; i < s->rank; i++)
		CHECK(!__builtin_mul_overflow(count, s->dim[i], &count) && count <= (int64_t)1 << 48, TARN_SHAPE,
		      "the shape has more than 2^48 elements");
	*n = count;
	return TARN_OK;
}

/* Of two sizes that may be 0: so is the result then, whichever is larger. */
static tarn_err or_empty(tarn_symtab *t, tarn_dim x, tarn_dim y, tarn_dim *out)
{
	tarn_dim most, some;
	TRY(tarn_dim_op(t, TARN_SYM_MAX, x, y, &most));
	TRY(tarn_dim_op(t, TARN_SYM_MIN, x, y, &some));
	TRY(tarn_dim_op(t, TARN_SYM_MIN, some, 1, &some));
	return tarn_dim_op(t, TARN_SYM_MUL, most, some, out);
}

tarn_err tarn_shape_broadcast(tarn_symtab *t, const tarn_shape *a, const tarn_shape *b, tarn_shape *out)
{
	if (a->rank < 0 || b->rank < 0) {
		out->rank = -1;
		return TARN_OK;
	}
	tarn_shape r = {.rank = a->rank > b->rank ? a->rank : b->rank};
	for (int i = 1; i <= r.rank; i++) {
		tarn_dim x = i <= a->rank ? a->dim[a->rank - i] : 1, y = i <= b->rank ? b->dim[b->rank - i] : 1,
			 *d = &r.dim[r.rank - i];
		if (x == y || y == 1)
			*d = x;
		else if (x == 1)
			*d = y;
		else if (x >= 0 && y >= 0) {
			tarn_str s = {0};
			tarn_shape_print(&s, t, a);
			tarn_str_add(&s, " and ");
			tarn_shape_print(&s, t, b);
			tarn_err err = tarn_err_set(TARN_SHAPE, "shapes %s do not broadcast", s.at ? s.at : "");
			tarn_str_fini(&s);
			return err;
		} else if (x >= 0 || y >= 0)
			*d = x >= 0 ? x : y; /* above 1: the symbol is 1 or the same */
		else if (tarn_dim_lo(t, x) > 0 && tarn_dim_lo(t, y) > 0)
			TRY(tarn_dim_op(t, TARN_SYM_MAX, x, y, d));
		else
			TRY(or_empty(t, x, y, d));
	}
	*out = r;
	return TARN_OK;
}

tarn_err tarn_shape_axis(int rank, int64_t axis, int *out)
{
	CHECK(axis >= -rank && axis < rank, TARN_SHAPE, "axis %lld out of range for rank %d", (long long)axis, rank);
	*out = (int)(axis < 0 ? axis + rank : axis);
	return TARN_OK;
}

void tarn_dim_print(tarn_str *s, const tarn_symtab *t, tarn_dim d)
{
	static const char *const infix[] = {"", "+", "-", "*", "/", "/", ",", ","};
	static const char *const open[] = {"", "(", "(", "", "floor(", "ceil(", "min(", "max("};
	int64_t v;
	if (tarn_dim_is_int(d, &v)) {
		tarn_str_addf(s, "%lld", (long long)v);
		return;
	}
	if (!t || !tarn_sym_is(t, d)) {
		tarn_str_add(s, "?");
		return;
	}
	const tarn_sym *y = tarn_sym_get(t, d);
	if (y->op == TARN_SYM_NAMED) {
		tarn_str_add(s, y->name ? y->name : "?");
		return;
	}
	tarn_str_add(s, open[y->op]);
	tarn_dim_print(s, t, y->a);
	tarn_str_add(s, infix[y->op]);
	tarn_dim_print(s, t, y->b);
	if (*open[y->op])
		tarn_str_add(s, ")");
}

void tarn_shape_print(tarn_str *s, const tarn_symtab *t, const tarn_shape *shape)
{
	if (shape->rank < 0) {
		tarn_str_add(s, "[...]");
		return;
	}
	tarn_str_add(s, "[");
	for (int i = 0; i < shape->rank; i++) {
		if (i)
			tarn_str_add(s, ",");
		tarn_dim_print(s, t, shape->dim[i]);
	}
	tarn_str_add(s, "]");
}
