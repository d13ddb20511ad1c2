/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of two inputs. Integers are exact and wrap at their width; division truncates. */
#include "ops/binary.h"

#include <math.h>

#include "ops/bounds.h"
#include "ops/build.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "ops/padding.h"

static tarn_err infer_shape(tarn_infer *c, tarn_dtype type)
{
	tarn_shape out = {.rank = -1};
	const tarn_shape *a = tarn_infer_shape(c, 0), *b = tarn_infer_shape(c, 1);
	if (a != NULL && b != NULL)
		TRY(tarn_shape_broadcast(c->syms, a, b, &out));
	tarn_infer_out(c, 0, type, out.rank >= 0 ? &out : NULL);
	return TARN_OK;
}

tarn_err tarn_binary_infer(tarn_infer *c, unsigned set)
{
	for (int i = 0; i < 2; i++) {
		TRY(tarn_infer_rank(c, i, 0, -1));
		TRY(tarn_infer_class(c, i, set));
	}
	TRY(tarn_infer_same_type(c, 0, 1));
	tarn_dtype a = tarn_infer_type(c, 0);
	return infer_shape(c, a != TARN_DTYPE_NONE ? a : tarn_infer_type(c, 1));
}

tarn_err tarn_binary_infer_bool(tarn_infer *c, unsigned set)
{
	for (int i = 0; i < 2; i++) {
		TRY(tarn_infer_rank(c, i, 0, -1));
		TRY(tarn_infer_class(c, i, set));
	}
	TRY(tarn_infer_same_type(c, 0, 1));
	return infer_shape(c, TARN_BOOL);
}

typedef struct job {
	const tarn_tensor *a, *b;
	tarn_tensor *y;
	const tarn_binary_fn *fn;
	bool whole, u64;
} job;

static tarn_err run_whole(const job *j, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	int64_t a[TARN_RUN], b[TARN_RUN];
	tarn_elem_load_i64(j->a, src[0], step[0], n, a);
	tarn_elem_load_i64(j->b, src[1], step[1], n, b);
	if (j->fn->divides)
		for (int i = 0; i < n; i++)
			CHECK(b[i] != 0, TARN_BAD_FILE, "integer division by zero at output element %lld", (long long)(at + i));
	if (j->u64 && j->fn->u != NULL)
		for (int i = 0; i < n; i++)
			a[i] = (int64_t)j->fn->u((uint64_t)a[i], (uint64_t)b[i]);
	else
		for (int i = 0; i < n; i++)
			a[i] = j->fn->i(a[i], b[i]);
	tarn_elem_store_i64(j->y, at, n, a);
	return TARN_OK;
}

static tarn_err run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	const job *j = ctx;
	double a[TARN_RUN], b[TARN_RUN];
	if (j->whole)
		return run_whole(j, at, n, src, step);
	tarn_elem_load_f64(j->a, src[0], step[0], n, a);
	tarn_elem_load_f64(j->b, src[1], step[1], n, b);
	for (int i = 0; i < n; i++)
		a[i] = j->fn->f(a[i], b[i]);
	tarn_elem_store_f64(j->y, at, n, a);
	return TARN_OK;
}

tarn_err tarn_binary_run(const tarn_tensor *a, const tarn_tensor *b, tarn_tensor *y, const tarn_binary_fn *fn)
{
	const tarn_tensor *in[2] = {a, b};
	job j = {a, b, y, fn, false, a->type == TARN_U64};
	j.whole = fn->i != NULL && !tarn_dtype_is_float(a->type) && !tarn_dtype_is_float(b->type);
	return tarn_elem_runs(y, in, 2, run, &j);
}

/* ---- scalar functions ---- */

/* clang-format off */
#define SCALAR(name, fexpr, iexpr) \
	static double f_##name(double a, double b) { return fexpr; } \
	static int64_t i_##name(int64_t a, int64_t b) { return iexpr; }
/* clang-format on */

SCALAR(add, a + b, (int64_t)((uint64_t)a + (uint64_t)b))
SCALAR(sub, a - b, (int64_t)((uint64_t)a - (uint64_t)b))
SCALAR(mul, a *b, (int64_t)((uint64_t)a *(uint64_t)b))
SCALAR(div, a / b, b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b)
SCALAR(squared_difference, (a - b) * (a - b), (int64_t)(((uint64_t)a - (uint64_t)b) * ((uint64_t)a - (uint64_t)b)))
SCALAR(fmod, fmod(a, b), b == -1 ? 0 : a % b)

static uint64_t u_div(uint64_t a, uint64_t b)
{
	return a / b;
}

static uint64_t u_mod(uint64_t a, uint64_t b)
{
	return a % b;
}

/* The remainder with the divisor's sign. */
static double f_mod(double a, double b)
{
	double r = fmod(a, b);
	return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static int64_t i_mod(int64_t a, int64_t b)
{
	int64_t r = b == -1 ? 0 : a % b;
	return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static double f_pow(double a, double b)
{
	return pow(a, b);
}

/* Integer power, wrapping; a negative exponent leaves 1, -1 or 0, as truncation of the fraction does. */
static int64_t i_pow(int64_t a, int64_t b)
{
	if (b < 0)
		return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
	uint64_t r = 1, x = (uint64_t)a;
	for (; b > 0; b >>= 1, x *= x)
		if (b & 1)
			r *= x;
	return (int64_t)r;
}

/* For a U64 base; an exponent of U64 above 2^63 would need the same. */
static uint64_t u_pow(uint64_t a, uint64_t b)
{
	uint64_t r = 1;
	for (; b > 0; b >>= 1, a *= a)
		if (b & 1)
			r *= a;
	return r;
}

/* ---- inference ---- */

static tarn_err infer_number(tarn_infer *c)
{
	return tarn_binary_infer(c, TARN_CLS_NUM);
}

/* Elements of inputs 0 and 1, broadcast to n; false when either is unknown. */
static bool read_pair(tarn_infer *c, tarn_dim *a, tarn_dim *b, int *n)
{
	int na = 0, nb = 0;
	if (!tarn_bounds_read(c, 0, a, &na) || !tarn_bounds_read(c, 1, b, &nb) || (na != nb && na != 1 && nb != 1))
		return false;
	*n = na == 1 ? nb : na;
	for (int i = *n - 1; i >= 0; i--) {
		a[i] = a[na == 1 ? 0 : i];
		b[i] = b[nb == 1 ? 0 : i];
	}
	return true;
}

/* Division that truncates: of a number that is never positive, the quotient of its size with the other sign. */
static bool divide(tarn_symtab *t, tarn_dim a, tarn_dim b, tarn_dim *out)
{
	int64_t x = 0, y = 0;
	bool na = tarn_dim_is_int(a, &x), nb = tarn_dim_is_int(b, &y);
	if (na && nb)
		return tarn_bounds_op(t, (x < 0) != (y < 0) ? TARN_SYM_CEILDIV : TARN_SYM_FLOORDIV, a, b, out);
	if (na || tarn_dim_most(t, a) > 0)
		return tarn_bounds_op(t, TARN_SYM_FLOORDIV, a, b, out);
	return tarn_bounds_op(t, TARN_SYM_SUB, 0, a, out) && tarn_bounds_op(t, TARN_SYM_FLOORDIV, *out, b, out) &&
	       tarn_bounds_op(t, TARN_SYM_SUB, 0, *out, out);
}

static tarn_err bounds(tarn_infer *c, tarn_sym_op op)
{
	tarn_dim a[TARN_KNOWN_MAX], b[TARN_KNOWN_MAX];
	int n = 0;
	if (!tarn_dtype_is_int(tarn_infer_type(c, 0)) || !read_pair(c, a, b, &n))
		return TARN_OK;
	for (int i = 0; i < n; i++)
		if (op == TARN_SYM_FLOORDIV ? !divide(c->syms, a[i], b[i], &a[i])
					    : !tarn_bounds_op(c->syms, op, a[i], b[i], &a[i]))
			return TARN_OK;
	return tarn_bounds_set(c, 0, a, n);
}

static tarn_err bounds_add(tarn_infer *c)
{
	return bounds(c, TARN_SYM_ADD);
}

static tarn_err bounds_sub(tarn_infer *c)
{
	return bounds(c, TARN_SYM_SUB);
}

static tarn_err bounds_mul(tarn_infer *c)
{
	return bounds(c, TARN_SYM_MUL);
}

static tarn_err bounds_div(tarn_infer *c)
{
	return bounds(c, TARN_SYM_FLOORDIV);
}

#define QUANT_FLOAT \
	{ \
		.weight = -1, .bias = -1 \
	}
#define QUANT_BOTH \
	{ \
		.kind = TARN_QUANT_INPUTS, .act = 3, .weight = -1, .bias = -1 \
	}

/* PARTIAL(word, dy/da, dy/db of a, b and y) */
#define PARTIAL(word, of_a, of_b) \
	static double da_##word(double a, double b, double y) \
	{ \
		(void)a, (void)b, (void)y; \
		return of_a; \
	} \
	static double db_##word(double a, double b, double y) \
	{ \
		(void)a, (void)b, (void)y; \
		return of_b; \
	} \
	static tarn_err grad_##word(tarn_grad *g) \
	{ \
		return tarn_grad_binary(g, da_##word, db_##word); \
	}

PARTIAL(add, 1, 1)
PARTIAL(sub, 1, -1)
PARTIAL(mul, b, a)
PARTIAL(div, 1 / b, -y / b)
PARTIAL(pow, b == 0 ? 0 : b * pow(a, b - 1), a > 0 ? y * log(a) : 0)
PARTIAL(squared_difference, 2 * (a - b), 2 * (b - a))
PARTIAL(prelu, a < 0 ? b : 1, a < 0 ? a : 0)

#define ROW(word, Name, since, spelling, infer_slot, bounds_slot, pad_slot, quant_row, ...) \
	static tarn_err eval_##word(tarn_eval *e) \
	{ \
		static const tarn_binary_fn fn = __VA_ARGS__; \
		return tarn_binary_run(e->in[0], e->in[1], &e->out[0], &fn); \
	} \
	const tarn_op_def tarn_op_##word = { \
		.name = #Name, \
		.onnx_since = since, \
		.ir = spelling, \
		.min_in = 2, \
		.max_in = 2, \
		.min_out = 1, \
		.max_out = 1, \
		.flags = TARN_OP_ELEMENTWISE, \
		.infer = infer_slot, \
		.bounds = bounds_slot, \
		.eval = eval_##word, \
		.grad = grad_##word, \
		.pad = pad_slot, \
		.cost = tarn_cost_out, \
		.quant = quant_row, \
	};

ROW(add, Add, 1, "Add", infer_number, bounds_add, tarn_pad_any, QUANT_BOTH, {f_add, i_add, NULL, false})
ROW(sub, Sub, 1, "Subtract", infer_number, bounds_sub, tarn_pad_any, QUANT_BOTH, {f_sub, i_sub, NULL, false})
ROW(mul, Mul, 1, "Multiply", infer_number, bounds_mul, tarn_pad_any, QUANT_BOTH, {f_mul, i_mul, NULL, false})
ROW(div, Div, 1, "Divide", infer_number, bounds_div, tarn_pad_divisor, QUANT_BOTH, {f_div, i_div, u_div, true})

/* ---- operators with something of their own ---- */

static tarn_err infer_pow(tarn_infer *c)
{
	for (int i = 0; i < 2; i++) {
		TRY(tarn_infer_rank(c, i, 0, -1));
		TRY(tarn_infer_class(c, i, TARN_CLS_NUM));
	}
	return infer_shape(c, tarn_infer_type(c, 0));
}

ROW(pow, Pow, 1, "Power", infer_pow, NULL, tarn_pad_any, QUANT_FLOAT, {f_pow, i_pow, u_pow, false})

static const tarn_attr_def mod_attr[] = {{"fmod", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0, NULL}};

static tarn_err eval_mod(tarn_eval *e)
{
	static const tarn_binary_fn mod = {f_mod, i_mod, u_mod, true}, c_mod = {f_fmod, i_fmod, u_mod, true};
	return tarn_binary_run(e->in[0], e->in[1], &e->out[0], tarn_attr_i(e->node, 0) != 0 ? &c_mod : &mod);
}

static double mod_da(double a, double b, double y)
{
	(void)a, (void)b, (void)y;
	return 1;
}

/* Between its steps y = a - n b. */
static double mod_db(double a, double b, double y)
{
	return b == 0 ? 0 : -rint((a - y) / b);
}

static tarn_err grad_mod(tarn_grad *g)
{
	return tarn_grad_binary(g, mod_da, mod_db);
}

static tarn_err bounds_mod(tarn_infer *c)
{
	tarn_dim a[TARN_KNOWN_MAX], b[TARN_KNOWN_MAX];
	int64_t x = 0, m = 0;
	int n = 0;
	if (!tarn_dtype_is_int(tarn_infer_type(c, 0)) || !read_pair(c, a, b, &n))
		return TARN_OK;
	for (int i = 0; i < n; i++) {
		bool number = tarn_dim_is_int(a[i], &x);
		if (!tarn_dim_is_int(b[i], &m) || m < 1 ||
		    (tarn_attr_i(c->node, 0) && (number ? x : tarn_dim_least(c->syms, a[i])) < 0))
			return TARN_OK;
		if (number)
			a[i] = (x % m + m) % m;
		else if (!tarn_dim_mod(c->syms, a[i], m, &a[i]))
			return TARN_OK;
	}
	return tarn_bounds_set(c, 0, a, n);
}

const tarn_op_def tarn_op_mod = {
	.name = "Mod",
	.onnx_since = 10,
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.attr = mod_attr,
	.n_attr = 1,
	.flags = TARN_OP_ELEMENTWISE,
	.infer = infer_number,
	.bounds = bounds_mod,
	.eval = eval_mod,
	.grad = grad_mod,
	.pad = tarn_pad_divisor,
	.cost = tarn_cost_out,
	.quant = QUANT_FLOAT,
};

static tarn_err eval_squared_difference(tarn_eval *e)
{
	static const tarn_binary_fn fn = {f_squared_difference, i_squared_difference, NULL, false};
	return tarn_binary_run(e->in[0], e->in[1], &e->out[0], &fn);
}

static tarn_err decompose_squared_difference(tarn_graph *g, tarn_node *n)
{
	tarn_build b = {.g = g, .at = n};
	tarn_value *d = tarn_build_2(&b, &tarn_op_sub, n->in[0], n->in[1]);
	return tarn_build_done(&b, tarn_build_2(&b, &tarn_op_mul, d, d));
}

static tarn_err cost_squared_difference(const tarn_node *n, tarn_cost *cost)
{
	TRY(tarn_cost_out(n, cost));
	cost->ops *= 2;
	return TARN_OK;
}

const tarn_op_def tarn_op_squared_difference = {
	.name = "SquaredDifference",
	.ir = "SquaredDifference",
	.min_in = 2,
	.max_in = 2,
	.min_out = 1,
	.max_out = 1,
	.flags = TARN_OP_ELEMENTWISE,
	.infer = infer_number,
	.eval = eval_squared_difference,
	.decompose = decompose_squared_difference,
	.grad = grad_squared_difference,
	.cost = cost_squared_difference,
	.quant = QUANT_FLOAT,
};

/* The slope broadcasts to x, not x to it. */
static tarn_err infer_prelu(tarn_infer *c)
{
	tarn_shape out;
	TRY(tarn_binary_infer(c, TARN_CLS_NUM));
	const tarn_shape *x = tarn_infer_shape(c, 0), *slope = tarn_infer_shape(c, 1);
	if (x != NULL && slope != NULL) {
		TRY(tarn_shape_broadcast(c->syms, x, slope, &out));
		CHECK(out.rank == x->rank, TARN_SHAPE, "slope of rank %d does not broadcast to data of rank %d", slope->rank,
		      x->rank);
		for (int d = 0; d < out.rank; d++)
			CHECK(!tarn_dim_is_static(out.dim[d]) || !tarn_dim_is_static(x->dim[d]) || out.dim[d] == x->dim[d],
			      TARN_SHAPE, "slope does not broadcast to the data along axis %d", d);
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), x);
	return TARN_OK;
}

SCALAR(prelu, a < 0 ? a * b : a, a < 0 ? (int64_t)((uint64_t)a * (uint64_t)b) : a)

static uint64_t u_prelu(uint64_t a, uint64_t b)
{
	(void)b;
	return a;
}

ROW(prelu, PRelu, 1, NULL, infer_prelu, NULL, tarn_pad_any, QUANT_FLOAT, {f_prelu, i_prelu, u_prelu, false})
