/* SPDX-License-Identifier: Apache-2.0 */
#include "ir/shape.h"

#include <string.h>

void tarn_symtab_fini(tarn_symtab *t)
{
	VEC_FINI(&t->sym);
}

const tarn_sym *tarn_sym_get(const tarn_symtab *t, tarn_dim d)
{
	return &t->sym.at[-d - 1];
}

static bool is_sym(const tarn_symtab *t, tarn_dim d)
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
	return d >= 0 ? d : is_sym(t, d) ? tarn_sym_get(t, d)->lo : 0;
}

int64_t tarn_dim_hi(const tarn_symtab *t, tarn_dim d)
{
	return d >= 0 ? d : is_sym(t, d) ? tarn_sym_get(t, d)->hi : TARN_DIM_MAX;
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

/* False also when the result is no size. */
static bool compute(tarn_sym_op op, int64_t a, int64_t b, int64_t *r)
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
	return compute(op, a, b, &r) ? r : otherwise;
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

static tarn_err intern(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	for (size_t i = 0; i < t->sym.len; i++)
		if (t->sym.at[i].op == op && op != TARN_SYM_NAMED && t->sym.at[i].a == a && t->sym.at[i].b == b) {
			*out = -(tarn_dim)i - 1;
			return TARN_OK;
		}
	tarn_sym s = {.op = op, .a = a, .b = b};
	take_bounds(t, &s);
	if (walk(t, b, walk(t, a, MAX_WALK)) <= 0)
		return tarn_symtab_fresh(t, s.lo, s.hi, out);
	return add(t, s, out);
}

void tarn_symtab_limit(tarn_symtab *t, tarn_dim d, int64_t lo, int64_t hi)
{
	tarn_sym *s = d < 0 && is_sym(t, d) ? &t->sym.at[-(d + 1)] : NULL;
	if (!s || s->op != TARN_SYM_NAMED)
		return;
	s->lo = lo;
	s->hi = hi;
	for (size_t i = 0; i < t->sym.len; i++) /* operands come before what is made of them */
		if (t->sym.at[i].op != TARN_SYM_NAMED)
			take_bounds(t, &t->sym.at[i]);
}

/* A sum: symbols that are no sums themselves, sorted, and a constant. A product likewise. */
enum { MAX_TERMS = 16 };
typedef struct terms {
	tarn_dim at[MAX_TERMS];
	int n;
	int64_t c;
	bool full; /* more than fit: not to be used */
} terms;

static void insert(terms *x, tarn_dim d)
{
	if (x->n == MAX_TERMS) {
		x->full = true;
		return;
	}
	int i = x->n++;
	for (; i > 0 && x->at[i - 1] < d; i--)
		x->at[i] = x->at[i - 1];
	x->at[i] = d;
}

/* d added to x, and what is taken away in it to y. */
static void sum_of(const tarn_symtab *t, tarn_dim d, terms *x, terms *y)
{
	if (d >= 0) {
		x->c += d;
		return;
	}
	if (x->full || y->full)
		return;
	const tarn_sym *s = tarn_sym_get(t, d);
	if (s->op == TARN_SYM_ADD) {
		sum_of(t, s->a, x, y);
		sum_of(t, s->b, x, y);
	} else if (s->op == TARN_SYM_SUB) {
		sum_of(t, s->a, x, y);
		sum_of(t, s->b, y, x);
	} else {
		insert(x, d);
	}
}

static void product_of(const tarn_symtab *t, tarn_dim d, terms *x)
{
	if (d >= 0) {
		if (__builtin_mul_overflow(x->c, d, &x->c))
			x->full = true;
		return;
	}
	if (x->full)
		return;
	const tarn_sym *s = tarn_sym_get(t, d);
	if (s->op == TARN_SYM_MUL) {
		product_of(t, s->a, x);
		product_of(t, s->b, x);
	} else {
		insert(x, d);
	}
}

static bool take_out(terms *x, tarn_dim d)
{
	for (int i = 0; i < x->n; i++)
		if (x->at[i] == d) {
			memmove(x->at + i, x->at + i + 1, (size_t)(--x->n - i) * sizeof *x->at);
			return true;
		}
	return false;
}

/* What stands on both sides goes. */
static void cancel(terms *x, terms *y)
{
	for (int i = 0; i < y->n;)
		if (take_out(x, y->at[i]))
			take_out(y, y->at[i]);
		else
			i++;
}

static tarn_err rebuild_sum(tarn_symtab *t, const terms *x, tarn_dim *out)
{
	if (!x->n) {
		CHECK(x->c >= 0 && x->c <= TARN_DIM_MAX, TARN_SHAPE, "a size of %lld is out of range", (long long)x->c);
		*out = x->c;
		return TARN_OK;
	}
	tarn_dim d = x->at[0];
	for (int i = 1; i < x->n; i++)
		TRY(intern(t, TARN_SYM_ADD, d, x->at[i], &d));
	if (x->c > 0)
		TRY(intern(t, TARN_SYM_ADD, d, x->c, &d));
	if (x->c < 0)
		TRY(intern(t, TARN_SYM_SUB, d, -x->c, &d));
	*out = d;
	return TARN_OK;
}

static tarn_err rebuild_product(tarn_symtab *t, const terms *x, tarn_dim *out)
{
	if (!x->n || x->c == 0) {
		CHECK(x->c <= TARN_DIM_MAX, TARN_SHAPE, "a size of %lld is out of range", (long long)x->c);
		*out = x->c;
		return TARN_OK;
	}
	tarn_dim d = x->at[0];
	for (int i = 1; i < x->n; i++)
		TRY(intern(t, TARN_SYM_MUL, d, x->at[i], &d));
	return x->c == 1 ? (*out = d, TARN_OK) : intern(t, TARN_SYM_MUL, d, x->c, out);
}

static tarn_err sum(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	bool more = op == TARN_SYM_ADD;
	terms x = {0}, y = {0};
	sum_of(t, a, &x, &y);
	sum_of(t, b, more ? &x : &y, more ? &y : &x);
	if (x.full || y.full)
		return intern(t, op, a, b, out);
	x.c -= y.c;
	y.c = 0;
	cancel(&x, &y);
	if (!y.n)
		return rebuild_sum(t, &x, out);
	if (x.c < 0) {
		y.c = -x.c;
		x.c = 0;
	}
	TRY(rebuild_sum(t, &x, &a));
	TRY(rebuild_sum(t, &y, &b));
	return intern(t, TARN_SYM_SUB, a, b, out);
}

int64_t tarn_dim_least(const tarn_symtab *t, tarn_dim d)
{
	int64_t lo = tarn_dim_lo(t, d), r;
	if (d >= 0 || !is_sym(t, d))
		return d >= 0 ? d : -TARN_DIM_MAX;
	const tarn_sym *s = tarn_sym_get(t, d);
	if (s->op == TARN_SYM_NAMED || s->op == TARN_SYM_FLOORDIV || s->op == TARN_SYM_CEILDIV)
		return lo; /* negative numbers are not divided */
	int64_t a = tarn_dim_least(t, s->a), b = tarn_dim_least(t, s->b);
	if (s->op == TARN_SYM_SUB)
		return a - tarn_dim_most(t, s->b);
	if ((a >= 0 && b >= 0) || s->op == TARN_SYM_MAX)
		return a >= 0 && b >= 0 ? lo : a > b ? a : b;
	return s->op == TARN_SYM_ADD && compute_any(s->op, a, b, &r) ? r : -TARN_DIM_MAX;
}

int64_t tarn_dim_most(const tarn_symtab *t, tarn_dim d)
{
	if (d >= 0 || !is_sym(t, d) || tarn_sym_get(t, d)->op != TARN_SYM_SUB)
		return tarn_dim_hi(t, d);
	const tarn_sym *s = tarn_sym_get(t, d);
	int64_t a = tarn_dim_most(t, s->a);
	return a == TARN_DIM_MAX ? a : a - tarn_dim_least(t, s->b);
}

/* Is a certainly not smaller than b: b and something more? */
static bool at_least(const tarn_symtab *t, tarn_dim a, tarn_dim b)
{
	terms x = {0}, y = {0};
	if (tarn_dim_least(t, a) >= tarn_dim_hi(t, b))
		return true;
	sum_of(t, a, &x, &y);
	sum_of(t, b, &y, &x);
	if (x.full || y.full)
		return false;
	cancel(&x, &y);
	for (int i = 0; i < x.n; i++)
		if (tarn_dim_least(t, x.at[i]) < 0)
			return false;
	return !y.n && x.c >= y.c;
}

static tarn_err quotient(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	terms x = {.c = 1}, y = {.c = 1};
	product_of(t, a, &x);
	product_of(t, b, &y);
	if (x.full || y.full || !y.c || !x.c)
		return intern(t, op, a, b, out);
	bool changed = false;
	for (int i = 0; i < y.n;) {
		/* A named dimension is at least 1, an expression may be 0: only what cannot be 0 may be cancelled. */
		if (tarn_dim_lo(t, y.at[i]) >= 1 && take_out(&x, y.at[i])) {
			take_out(&y, y.at[i]);
			changed = true;
		} else {
			i++;
		}
	}
	int64_t g = x.c, r = y.c;
	while (r) {
		int64_t m = g % r;
		g = r;
		r = m;
	}
	if (g > 1 && (y.c == g || !x.n || op == TARN_SYM_FLOORDIV)) { /* floor(gx/gy) = floor(x/y) for whole x, y */
		x.c /= g;
		y.c /= g;
		changed = true;
	}
	if (!changed)
		return intern(t, op, a, b, out);
	TRY(rebuild_product(t, &x, &a));
	TRY(rebuild_product(t, &y, &b));
	if (b == 1) {
		*out = a;
		return TARN_OK;
	}
	if (a >= 0 && b >= 0)
		return tarn_dim_op(t, op, a, b, out);
	return intern(t, op, a, b, out);
}

tarn_err tarn_dim_op(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	static const char *const sign[] = {"?", "+", "-", "*", "/", "/", "min", "max"};
	int64_t r;
	CHECK((a >= 0 || is_sym(t, a)) && (b >= 0 || is_sym(t, b)), TARN_SHAPE, "a negative number is no size");
	if (a >= 0 && b >= 0) {
		CHECK(compute(op, a, b, &r), TARN_SHAPE, "size %lld %s %lld is out of range", (long long)a, sign[op],
		      (long long)b);
		*out = r;
		return TARN_OK;
	}
	switch (op) {
	case TARN_SYM_ADD:
	case TARN_SYM_SUB:
		return sum(t, op, a, b, out);
	case TARN_SYM_MUL: {
		terms x = {.c = 1};
		product_of(t, a, &x);
		product_of(t, b, &x);
		return x.full ? intern(t, op, a, b, out) : rebuild_product(t, &x, out);
	}
	case TARN_SYM_FLOORDIV:
	case TARN_SYM_CEILDIV:
		CHECK(b != 0, TARN_SHAPE, "a size is divided by zero");
		if (b == 1) {
			*out = a;
			return TARN_OK;
		}
		return quotient(t, op, a, b, out);
	case TARN_SYM_MIN:
	case TARN_SYM_MAX:
		if (at_least(t, b, a)) {
			*out = op == TARN_SYM_MIN ? a : b;
			return TARN_OK;
		}
		if (at_least(t, a, b)) {
			*out = op == TARN_SYM_MIN ? b : a;
			return TARN_OK;
		}
		return a < b ? intern(t, op, b, a, out) : intern(t, op, a, b, out);
	default:
		return tarn_err_set(TARN_INTERNAL, "unknown size operation %d", op);
	}
}

/* Terms that are multiples of m. */
static void drop_multiples(const tarn_symtab *t, terms *x, int64_t m)
{
	for (int i = 0; i < x->n;) {
		terms p = {.c = 1};
		product_of(t, x->at[i], &p);
		if (!p.full && p.c % m == 0)
			take_out(x, x->at[i]);
		else
			i++;
	}
}

bool tarn_dim_mod(tarn_symtab *t, tarn_dim a, int64_t m, tarn_dim *out)
{
	terms x = {0}, y = {0};
	tarn_dim up;
	if (m < 1 || (a < 0 && !is_sym(t, a)))
		return false;
	sum_of(t, a, &x, &y);
	drop_multiples(t, &x, m);
	drop_multiples(t, &y, m);
	x.c = ((x.c - y.c) % m + m) % m;
	y.c = 0;
	if (x.full || y.full || (x.n && y.n))
		return false;
	bool less = y.n; /* x.c - y: as much as y falls short of a multiple */
	if (less) {
		y.c = m - x.c;
		x = y;
	}
	tarn_err err = rebuild_sum(t, &x, &a);
	bool ok = err == TARN_OK && tarn_dim_least(t, a) >= 0 &&
		  tarn_dim_op(t, less ? TARN_SYM_CEILDIV : TARN_SYM_FLOORDIV, a, m, &up) == TARN_OK &&
		  tarn_dim_op(t, TARN_SYM_MUL, up, m, &up) == TARN_OK &&
		  tarn_dim_op(t, TARN_SYM_SUB, less ? up : a, less ? a : up, out) == TARN_OK;
	if (!ok)
		tarn_err_clear();
	return ok;
}

/* The same, which may be negative; false when it cannot be told. */
static bool number_of(const tarn_symtab *t, tarn_dim d, const int64_t *value, size_t n, int64_t *r)
{
	int64_t a, b;
	*r = d;
	if (d >= 0 || !is_sym(t, d))
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
		else
			TRY(tarn_dim_op(t, TARN_SYM_MAX, x, y, d));
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
	if (!t || !is_sym(t, d)) {
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
