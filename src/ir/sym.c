/* SPDX-License-Identifier: Apache-2.0 */
/* The table of symbols: their bounds and values. */
#include "ir/sym.h"

#include <string.h>

void tarn_symtab_fini(tarn_symtab *t)
{
	VEC_FINI(&t->sym);
}

const tarn_sym *tarn_sym_get(const tarn_symtab *t, tarn_dim d)
{
	return &t->sym.at[-d - 1];
}

bool tarn_sym_is(const tarn_symtab *t, tarn_dim d)
{
	return d < 0 && (size_t)(-d - 1) < t->sym.len;
}

static tarn_err add(tarn_symtab *t, tarn_sym s, tarn_dim *d)
{
	TRY(VEC_GROW(&t->sym));
	t->sym.at[t->sym.len++] = s;
	*d = -(tarn_dim)t->sym.len;
	return TARN_OK;
}

tarn_err tarn_symtab_named(tarn_symtab *t, const char *name, tarn_dim *d)
{
	for (size_t i = 0; i < t->sym.len; i++)
		if (t->sym.at[i].op == TARN_SYM_NAMED && t->sym.at[i].name && !strcmp(t->sym.at[i].name, name)) {
			*d = -(tarn_dim)i - 1;
			return TARN_OK;
		}
	char *copy = tarn_arena_strdup(t->arena, name);
	if (!copy)
		return tarn_err_nomem(strlen(name));
	return add(t, (tarn_sym){.op = TARN_SYM_NAMED, .name = copy, .lo = 1, .hi = TARN_DIM_MAX}, d);
}

tarn_err tarn_symtab_fresh(tarn_symtab *t, int64_t lo, int64_t hi, tarn_dim *d)
{
	return add(t, (tarn_sym){.op = TARN_SYM_NAMED, .lo = lo, .hi = hi}, d);
}

int64_t tarn_dim_lo(const tarn_symtab *t, tarn_dim d)
{
	return d >= 0 ? d : tarn_sym_is(t, d) ? tarn_sym_get(t, d)->lo : 0;
}

int64_t tarn_dim_hi(const tarn_symtab *t, tarn_dim d)
{
	return d >= 0 ? d : tarn_sym_is(t, d) ? tarn_sym_get(t, d)->hi : TARN_DIM_MAX;
}

/* Plain arithmetic on numbers below 2^41; false when the result is too large or cannot be told (a negative number is not
 * divided: whoever computed it may have rounded either way). */
static bool compute_any(tarn_sym_op op, int64_t a, int64_t b, int64_t *r)
{
	switch (op) {
	case TARN_SYM_ADD:
		*r = a + b;
		break;
	case TARN_SYM_SUB:
		*r = a - b;
		break;
	case TARN_SYM_MUL:
		if (__builtin_mul_overflow(a, b, r))
			return false;
		break;
	case TARN_SYM_FLOORDIV:
		if (b <= 0 || a < 0)
			return false;
		*r = a / b;
		break;
	case TARN_SYM_CEILDIV:
		if (b <= 0 || a < 0)
			return false;
		*r = (a + b - 1) / b;
		break;
	case TARN_SYM_MIN:
		*r = a < b ? a : b;
		break;
	case TARN_SYM_MAX:
		*r = a > b ? a : b;
		break;
	default:
		return false;
	}
	return *r >= -TARN_DIM_MAX && *r <= TARN_DIM_MAX;
}

bool tarn_sym_compute(tarn_sym_op op, int64_t a, int64_t b, int64_t *r)
{
	return compute_any(op, a, b, r) && *r >= 0;
}

static int64_t clamp_dim(int64_t v)
{
	return v < 0 ? 0 : v > TARN_DIM_MAX ? TARN_DIM_MAX : v;
}

static int64_t bound(tarn_sym_op op, int64_t a, int64_t b, int64_t otherwise)
{
	int64_t r;
	if (op == TARN_SYM_SUB)
		return clamp_dim(a - b);
	if (op == TARN_SYM_MUL && (__builtin_mul_overflow(a, b, &r) || r > TARN_DIM_MAX))
		return TARN_DIM_MAX;
	if (op == TARN_SYM_ADD)
		return clamp_dim(a + b);
	return tarn_sym_compute(op, a, b, &r) ? r : otherwise;
}

/* Bounds of an expression from those of its operands. */
static void take_bounds(const tarn_symtab *t, tarn_sym *s)
{
	tarn_sym_op op = s->op;
	int64_t alo = tarn_dim_lo(t, s->a), ahi = tarn_dim_hi(t, s->a), blo = tarn_dim_lo(t, s->b), bhi = tarn_dim_hi(t, s->b);
	bool falls = op == TARN_SYM_SUB || op == TARN_SYM_FLOORDIV || op == TARN_SYM_CEILDIV; /* in its second operand */
	s->lo = bound(op, alo, falls ? bhi : blo, 0);
	s->hi = ahi == TARN_DIM_MAX && op != TARN_SYM_MIN ? TARN_DIM_MAX
							  : bound(op, ahi, falls ? (blo ? blo : 1) : bhi, TARN_DIM_MAX);
	if (op == TARN_SYM_SUB && ahi != TARN_DIM_MAX)
		s->hi = clamp_dim(ahi - blo);
}

/* Values, bounds and texts of an expression come from walking through it. One that is reused in the next again and again (a
 * size added to itself sixty times) would take forever: beyond so many steps it is a size that is known after running only. */
enum { MAX_WALK = 1024 };
static int walk(const tarn_symtab *t, tarn_dim d, int left)
{
	if (d >= 0 || left <= 0)
		return left - 1;
	const tarn_sym *s = tarn_sym_get(t, d);
	return s->op == TARN_SYM_NAMED ? left - 1 : walk(t, s->b, walk(t, s->a, left - 1));
}

tarn_err tarn_sym_intern(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	tarn_sym s = {.op = op, .a = a, .b = b};
	take_bounds(t, &s);
	if (s.lo == s.hi && (op == TARN_SYM_FLOORDIV || op == TARN_SYM_CEILDIV) && tarn_dim_least(t, a) >= 0) {
		*out = s.lo; /* one size at all lengths there may be */
		return TARN_OK;
	}
	for (size_t i = 0; i < t->sym.len; i++)
		if (t->sym.at[i].op == op && op != TARN_SYM_NAMED && t->sym.at[i].a == a && t->sym.at[i].b == b) {
			*out = -(tarn_dim)i - 1;
			return TARN_OK;
		}
	if (walk(t, b, walk(t, a, MAX_WALK)) <= 0)
		return tarn_symtab_fresh(t, s.lo, s.hi, out);
	return add(t, s, out);
}

void tarn_symtab_limit(tarn_symtab *t, tarn_dim d, int64_t lo, int64_t hi)
{
	tarn_sym *s = d < 0 && tarn_sym_is(t, d) ? &t->sym.at[-(d + 1)] : NULL;
	if (!s || s->op != TARN_SYM_NAMED)
		return;
	s->lo = lo;
	s->hi = hi;
	for (size_t i = 0; i < t->sym.len; i++) /* operands come before what is made of them */
		if (t->sym.at[i].op != TARN_SYM_NAMED)
			take_bounds(t, &t->sym.at[i]);
}

/* The same, which may be negative; false when it cannot be told. */
static bool number_of(const tarn_symtab *t, tarn_dim d, const int64_t *value, size_t n, int64_t *r)
{
	int64_t a, b;
	*r = d;
	if (d >= 0 || !tarn_sym_is(t, d))
		return d >= 0;
	const tarn_sym *s = tarn_sym_get(t, d);
	if (s->op != TARN_SYM_NAMED)
		return number_of(t, s->a, value, n, &a) && number_of(t, s->b, value, n, &b) && compute_any(s->op, a, b, r);
	*r = (size_t)(-d - 1) < n ? value[-d - 1] : -1;
	return *r >= 0;
}

int64_t tarn_dim_value(const tarn_symtab *t, tarn_dim d, const int64_t *value, size_t n)
{
	int64_t r;
	return number_of(t, d, value, n, &r) && r >= 0 ? r : -1;
}
