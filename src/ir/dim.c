/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on sizes: results in a normal form, so that equal sizes are the same symbol. */
#include <string.h>

#include "ir/sym.h"

/* ---- sums: factors times symbols that are no sums themselves, sorted, and a constant ---- */

enum { MAX_TERMS = 16 };
typedef struct terms {
	tarn_dim at[MAX_TERMS];
	int64_t k[MAX_TERMS]; /* of a sum; never 0 */
	int n;
	int64_t c;
	bool full; /* more than fit, or too large: not to be used */
} terms;

static void add_number(terms *x, int64_t v)
{
	x->full |= __builtin_add_overflow(x->c, v, &x->c) || x->c > TARN_DIM_MAX || x->c < -TARN_DIM_MAX;
}

static void add_term(terms *x, tarn_dim d, int64_t k)
{
	int i = x->n;
	while (i > 0 && x->at[i - 1] < d)
		i--;
	if (i > 0 && x->at[i - 1] == d) {
		x->k[--i] += k;
		x->full |= x->k[i] > TARN_DIM_MAX || x->k[i] < -TARN_DIM_MAX;
		if (!x->k[i]) {
			memmove(x->at + i, x->at + i + 1, (size_t)(x->n - i - 1) * sizeof *x->at);
			memmove(x->k + i, x->k + i + 1, (size_t)(x->n - i - 1) * sizeof *x->k);
			x->n--;
		}
		return;
	}
	if (x->n == MAX_TERMS) {
		x->full = true;
		return;
	}
	memmove(x->at + i + 1, x->at + i, (size_t)(x->n - i) * sizeof *x->at);
	memmove(x->k + i + 1, x->k + i, (size_t)(x->n - i) * sizeof *x->k);
	x->at[i] = d;
	x->k[i] = k;
	x->n++;
}

/* x += k * d */
static void add_sum(const tarn_symtab *t, tarn_dim d, int64_t k, terms *x)
{
	int64_t v;
	if (x->full || !k)
		return;
	if (d >= 0) {
		x->full |= __builtin_mul_overflow(d, k, &v);
		add_number(x, x->full ? 0 : v);
		return;
	}
	const tarn_sym *s = tarn_sym_get(t, d);
	if (s->op == TARN_SYM_ADD || s->op == TARN_SYM_SUB) {
		add_sum(t, s->a, k, x);
		add_sum(t, s->b, s->op == TARN_SYM_ADD ? k : -k, x);
	} else if (s->op == TARN_SYM_MUL && s->b >= 0 && s->b <= TARN_DIM_MAX / (k < 0 ? -k : k)) {
		add_sum(t, s->a, k * s->b, x);
	} else {
		add_term(x, d, k);
	}
}

static terms sum_of(const tarn_symtab *t, tarn_dim d)
{
	terms x = {0};
	add_sum(t, d, 1, &x);
	return x;
}

/* The terms of one sign, and a constant that is not negative. */
static tarn_err build_side(tarn_symtab *t, const terms *x, int sign, int64_t c, tarn_dim *out)
{
	tarn_dim term, d = 0;
	bool any = false;
	for (int i = 0; i < x->n; i++) {
		int64_t k = sign * x->k[i];
		if (k < 0)
			continue;
		term = x->at[i];
		if (k > 1)
			TRY(tarn_sym_intern(t, TARN_SYM_MUL, term, k, &term));
		if (any)
			TRY(tarn_sym_intern(t, TARN_SYM_ADD, d, term, &d));
		d = any ? d : term;
		any = true;
	}
	if (any && c)
		TRY(tarn_sym_intern(t, TARN_SYM_ADD, d, c, &d));
	*out = any ? d : c;
	return TARN_OK;
}

static tarn_err build_sum(tarn_symtab *t, const terms *x, tarn_dim *out)
{
	tarn_dim more, less;
	CHECK(x->n || (x->c >= 0 && x->c <= TARN_DIM_MAX), TARN_SHAPE, "a size of %lld is out of range", (long long)x->c);
	TRY(build_side(t, x, 1, x->c > 0 ? x->c : 0, &more));
	TRY(build_side(t, x, -1, x->c < 0 ? -x->c : 0, &less));
	*out = more;
	return less ? tarn_sym_intern(t, TARN_SYM_SUB, more, less, out) : TARN_OK;
}

static tarn_err sum(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	terms x = sum_of(t, a);
	add_sum(t, b, op == TARN_SYM_ADD ? 1 : -1, &x);
	return x.full ? tarn_sym_intern(t, op, a, b, out) : build_sum(t, &x, out);
}

/* ---- what a number is at least: sizes are not negative, but differences may be ---- */

static int64_t add_bounded(int64_t sum, int64_t k, int64_t v)
{
	int64_t p;
	if (sum <= -TARN_DIM_MAX || __builtin_mul_overflow(k, v, &p) || __builtin_add_overflow(sum, p, &sum))
		return k < 0 || sum <= -TARN_DIM_MAX ? -TARN_DIM_MAX : TARN_DIM_MAX;
	return sum < -TARN_DIM_MAX ? -TARN_DIM_MAX : sum > TARN_DIM_MAX ? TARN_DIM_MAX : sum;
}

static int64_t least_of_terms(const tarn_symtab *t, const terms *x)
{
	int64_t sum = x->c;
	for (int i = 0; i < x->n; i++) {
		int64_t v = x->k[i] > 0 ? tarn_dim_least(t, x->at[i]) : tarn_dim_hi(t, x->at[i]);
		if ((v >= TARN_DIM_MAX && x->k[i] < 0) || v <= -TARN_DIM_MAX)
			return -TARN_DIM_MAX;
		sum = add_bounded(sum, x->k[i], v);
	}
	return sum;
}

/* x with quotients replaced by what bounds them: k floor(u/m) by ceil(k/m) u where it is taken away, by k/m (u - m + 1) where
 * it is added and k is a multiple of m. */
static terms without_quotients(const tarn_symtab *t, const terms *x, bool added)
{
	terms y = {.c = x->c};
	for (int i = 0; i < x->n; i++) {
		const tarn_sym *s = tarn_sym_get(t, x->at[i]);
		int64_t k = x->k[i], m = s->b;
		bool quotient = s->op == TARN_SYM_FLOORDIV && m > 0;
		if (quotient && k < 0) {
			add_sum(t, s->a, -((-k + m - 1) / m), &y);
		} else if (quotient && added && k % m == 0) {
			add_sum(t, s->a, k / m, &y);
			add_number(&y, -(k / m) * (m - 1));
		} else {
			add_term(&y, x->at[i], k);
		}
	}
	return y;
}

static int64_t least_of_sum(const tarn_symtab *t, const terms *x)
{
	if (x->full)
		return -TARN_DIM_MAX;
	int64_t best = least_of_terms(t, x);
	for (int added = 0; added < 2 && best < 0; added++) {
		terms y = without_quotients(t, x, added);
		int64_t v = y.full ? best : least_of_terms(t, &y);
		best = v > best ? v : best;
	}
	return best;
}

int64_t tarn_dim_least(const tarn_symtab *t, tarn_dim d)
{
	if (d >= 0 || !tarn_sym_is(t, d))
		return d >= 0 ? d : -TARN_DIM_MAX;
	const tarn_sym *s = tarn_sym_get(t, d);
	if (s->op == TARN_SYM_NAMED || s->op == TARN_SYM_FLOORDIV || s->op == TARN_SYM_CEILDIV)
		return s->lo; /* negative numbers are not divided */
	if (s->op == TARN_SYM_ADD || s->op == TARN_SYM_SUB) {
		terms x = sum_of(t, d);
		return least_of_sum(t, &x);
	}
	int64_t a = tarn_dim_least(t, s->a), b = tarn_dim_least(t, s->b);
	if (s->op == TARN_SYM_MUL)
		return a >= 0 && b >= 0 ? s->lo : -TARN_DIM_MAX;
	return (s->op == TARN_SYM_MAX) == (a > b) ? a : b;
}

int64_t tarn_dim_most(const tarn_symtab *t, tarn_dim d)
{
	if (d >= 0 || !tarn_sym_is(t, d) || tarn_sym_get(t, d)->op != TARN_SYM_SUB)
		return tarn_dim_hi(t, d);
	terms x = {0};
	add_sum(t, d, -1, &x);
	return -least_of_sum(t, &x);
}

/* Is a certainly not smaller than b? */
static bool at_least(const tarn_symtab *t, tarn_dim a, tarn_dim b)
{
	terms x = sum_of(t, a);
	add_sum(t, b, -1, &x);
	return least_of_sum(t, &x) >= 0;
}

/* ---- products: symbols that are no products themselves, sorted, and a factor ---- */

static int64_t common(int64_t a, int64_t b)
{
	while (b) {
		int64_t m = a % b;
		a = b;
		b = m;
	}
	return a < 0 ? -a : a;
}

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

static void multiply(tarn_symtab *t, tarn_dim d, terms *x)
{
	if (x->full)
		return;
	if (d >= 0) {
		x->full |= __builtin_mul_overflow(x->c, d, &x->c) || x->c > TARN_DIM_MAX;
		return;
	}
	tarn_sym s = *tarn_sym_get(t, d); /* the table may move */
	if (s.op == TARN_SYM_MUL) {
		multiply(t, s.a, x);
		multiply(t, s.b, x);
		return;
	}
	if (s.op == TARN_SYM_ADD || s.op == TARN_SYM_SUB) { /* the factor that all its terms have */
		terms sum = sum_of(t, d);
		int64_t g = sum.c;
		for (int i = 0; i < sum.n; i++)
			g = common(sum.k[i], g);
		if (!sum.full && g > 1) {
			sum.c /= g;
			for (int i = 0; i < sum.n; i++)
				sum.k[i] /= g;
			x->full |= __builtin_mul_overflow(x->c, g, &x->c) || x->c > TARN_DIM_MAX ||
				   build_sum(t, &sum, &d) != TARN_OK;
		}
	}
	if (!x->full)
		insert(x, d);
}

static tarn_err build_product(tarn_symtab *t, const terms *x, tarn_dim *out)
{
	if (!x->n || x->c == 0) {
		CHECK(x->c <= TARN_DIM_MAX, TARN_SHAPE, "a size of %lld is out of range", (long long)x->c);
		*out = x->c;
		return TARN_OK;
	}
	tarn_dim d = x->at[0];
	for (int i = 1; i < x->n; i++)
		TRY(tarn_sym_intern(t, TARN_SYM_MUL, d, x->at[i], &d));
	terms sum = {0};
	add_sum(t, d, x->c, &sum);
	return sum.full ? tarn_sym_intern(t, TARN_SYM_MUL, d, x->c, out) : build_sum(t, &sum, out);
}

static tarn_err product(tarn_symtab *t, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	terms x = {.c = 1};
	multiply(t, a, &x);
	multiply(t, b, &x);
	return x.full ? tarn_sym_intern(t, TARN_SYM_MUL, a, b, out) : build_product(t, &x, out);
}

/* ---- quotients ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* By a number: what is a multiple of it comes out, and rounding is down. A sum that may be negative stays as it is. */
static tarn_err quotient(tarn_symtab *t, tarn_sym_op op, tarn_dim a, int64_t b, tarn_dim *out)
{
	terms all = sum_of(t, a), whole = {0}, rest = {0};
	int64_t g = b;
	if (least_of_sum(t, &all) < 0)
		return tarn_sym_intern(t, op, a, b, out);
	add_number(&all, op == TARN_SYM_CEILDIV ? b - 1 : 0);
	if (all.full)
		return tarn_sym_intern(t, op, a, b, out);
	for (int i = 0; i < all.n; i++)
		if (all.k[i] % b == 0)
			add_term(&whole, all.at[i], all.k[i] / b);
		else
			add_term(&rest, all.at[i], all.k[i]);
	whole.c = floor_div(all.c, b);
	rest.c = all.c - whole.c * b;
	if (!rest.n)
		return build_sum(t, &whole, out);
	if (least_of_sum(t, &rest) < 0)
		return tarn_sym_intern(t, op, a, b, out);
	for (int i = 0; i < rest.n; i++)
		g = common(rest.k[i], g);
	for (int i = 0; i < rest.n; i++)
		rest.k[i] /= g;
	rest.c /= g;
	b /= g;
	/* floor((floor(u/m) + c) / b) = floor((u + c m) / (m b)) */
	const tarn_sym *s = tarn_sym_get(t, rest.at[0]);
	if (rest.n == 1 && rest.k[0] == 1 && s->op == TARN_SYM_FLOORDIV && s->b > 0 && s->b <= TARN_DIM_MAX / b) {
		int64_t m = s->b;
		all = sum_of(t, s->a);
		add_number(&all, rest.c * m);
		if (!all.full) {
			TRY(build_sum(t, &all, &a));
			TRY(quotient(t, TARN_SYM_FLOORDIV, a, m * b, &a));
			add_sum(t, a, 1, &whole);
			return whole.full ? tarn_sym_intern(t, op, a, b, out) : build_sum(t, &whole, out);
		}
	}
	TRY(build_sum(t, &rest, &a));
	TRY(tarn_sym_intern(t, TARN_SYM_FLOORDIV, a, b, &a));
	add_term(&whole, a, 1);
	return build_sum(t, &whole, out);
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

/* By an expression: what stands above and below is cancelled. */
static tarn_err ratio(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	terms x = {.c = 1}, y = {.c = 1};
	multiply(t, a, &x);
	multiply(t, b, &y);
	if (x.full || y.full || !y.c || !x.c)
		return tarn_sym_intern(t, op, a, b, out);
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
	int64_t g = common(x.c, y.c);
	x.c /= g;
	y.c /= g;
	if (!changed && g == 1)
		return tarn_sym_intern(t, op, a, b, out);
	TRY(build_product(t, &x, &a));
	TRY(build_product(t, &y, &b));
	return b >= 0 ? tarn_dim_op(t, op, a, b, out) : tarn_sym_intern(t, op, a, b, out);
}

bool tarn_dim_mod(tarn_symtab *t, tarn_dim a, int64_t m, tarn_dim *out)
{
	terms x = {0};
	tarn_dim up;
	if (m < 1 || (a < 0 && !tarn_sym_is(t, a)))
		return false;
	terms all = sum_of(t, a);
	bool less = false, more = false;
	for (int i = 0; i < all.n; i++)
		if (all.k[i] % m) {
			add_term(&x, all.at[i], all.k[i]);
			less |= all.k[i] < 0;
			more |= all.k[i] > 0;
		}
	if (all.full || (less && more))
		return false;
	x.c = all.c - floor_div(all.c, m) * m;
	if (less) { /* c - y is as much as y - c + m falls short of a multiple */
		x.c = m - x.c;
		for (int i = 0; i < x.n; i++)
			x.k[i] = -x.k[i];
	}
	bool ok = build_sum(t, &x, &a) == TARN_OK && tarn_dim_least(t, a) >= 0 &&
		  tarn_dim_op(t, less ? TARN_SYM_CEILDIV : TARN_SYM_FLOORDIV, a, m, &up) == TARN_OK &&
		  tarn_dim_op(t, TARN_SYM_MUL, up, m, &up) == TARN_OK &&
		  tarn_dim_op(t, TARN_SYM_SUB, less ? up : a, less ? a : up, out) == TARN_OK;
	if (!ok)
		tarn_err_clear();
	return ok;
}

tarn_err tarn_dim_op(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	static const char *const sign[] = {"?", "+", "-", "*", "/", "/", "min", "max"};
	int64_t r;
	CHECK((a >= 0 || tarn_sym_is(t, a)) && (b >= 0 || tarn_sym_is(t, b)), TARN_SHAPE, "a negative number is no size");
	if (a >= 0 && b >= 0) {
		CHECK(tarn_sym_compute(op, a, b, &r), TARN_SHAPE, "size %lld %s %lld is out of range", (long long)a, sign[op],
		      (long long)b);
		*out = r;
		return TARN_OK;
	}
	switch (op) {
	case TARN_SYM_ADD:
	case TARN_SYM_SUB:
		return sum(t, op, a, b, out);
	case TARN_SYM_MUL:
		return product(t, a, b, out);
	case TARN_SYM_FLOORDIV:
	case TARN_SYM_CEILDIV:
		CHECK(b != 0, TARN_SHAPE, "a size is divided by zero");
		if (b == 1) {
			*out = a;
			return TARN_OK;
		}
		return b > 0 ? quotient(t, op, a, b, out) : ratio(t, op, a, b, out);
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
		return a < b ? tarn_sym_intern(t, op, b, a, out) : tarn_sym_intern(t, op, a, b, out);
	default:
		return tarn_err_set(TARN_INTERNAL, "unknown size operation %d", op);
	}
}
