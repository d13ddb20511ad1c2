/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise operators on other types than f32, or between types: comparisons, logic, Where, Cast; plain layout. */
#include <string.h>

#include "dev/cpu/cpu.h"
#include "ops/ops.h"

enum { GRAIN = 16384, INPUTS = 3 }; /* GRAIN: elements worth a thread */

/* n results; each input moves by its step, in elements (0: one value for all). */
typedef void (*row_fn)(const void *const *in, const int64_t *step, void *out, int64_t n);

/* ---- rows ---- */

/* clang-format off */
#define COMPARE(word, T, op) \
	static void word(const void *const *in, const int64_t *step, void *out, int64_t n) \
	{ \
		const T *a = in[0], *b = in[1]; \
		uint8_t *y = out; \
		if (step[0] == 1 && step[1] == 1) \
			for (int64_t i = 0; i < n; i++) y[i] = a[i] op b[i]; \
		else \
			for (int64_t i = 0; i < n; i++) y[i] = a[i * step[0]] op b[i * step[1]]; \
	}
#define ALL_COMPARE(word, op) \
	COMPARE(word##_f32, float, op) COMPARE(word##_i64, int64_t, op) COMPARE(word##_i32, int32_t, op) COMPARE(word##_u8, uint8_t, op)
ALL_COMPARE(equal, ==)
ALL_COMPARE(less, <)
ALL_COMPARE(less_equal, <=)
ALL_COMPARE(greater, >)
ALL_COMPARE(greater_equal, >=)

#define LOGIC(word, expr) \
	static void word(const void *const *in, const int64_t *step, void *out, int64_t n) \
	{ \
		const uint8_t *p = in[0], *q = in[1] ? in[1] : p; \
		uint8_t *y = out; \
		for (int64_t i = 0; i < n; i++) { \
			bool a = p[i * step[0]], b = q[i * step[1]]; \
			(void)b; \
			y[i] = (expr); \
		} \
	}
LOGIC(logic_and, a & b)
LOGIC(logic_or, a | b)
LOGIC(logic_xor, a ^ b)
LOGIC(logic_not, !a)

#define WHERE(word, T) \
	static void word(const void *const *in, const int64_t *step, void *out, int64_t n) \
	{ \
		const uint8_t *c = in[0]; \
		const T *a = in[1], *b = in[2]; \
		T *y = out; \
		for (int64_t i = 0; i < n; i++) y[i] = c[i * step[0]] ? a[i * step[1]] : b[i * step[2]]; \
	}
WHERE(where_1, uint8_t)
WHERE(where_2, uint16_t)
WHERE(where_4, uint32_t)
WHERE(where_8, uint64_t)

#define CAST(from, F, to, T, expr) \
	static void cast_##from##_##to(const void *const *in, const int64_t *step, void *out, int64_t n) \
	{ \
		const F *x = in[0]; \
		T *y = out; \
		(void)step; \
		for (int64_t i = 0; i < n; i++) { F v = x[i]; y[i] = (T)(expr); } \
	}
/* Integers keep their low bits; floats are cut towards zero and clamped, NaN gives 0. */
#define CAST_INT(from, F) \
	CAST(from, F, f32, float, v) CAST(from, F, i32, int32_t, v) CAST(from, F, i64, int64_t, v) \
	CAST(from, F, u8, uint8_t, v) CAST(from, F, i8, int8_t, v) CAST(from, F, bool, uint8_t, v != 0)
CAST_INT(i32, int32_t)
CAST_INT(i64, int64_t)
CAST_INT(u8, uint8_t)
CAST_INT(i8, int8_t)
#define CUT(lo, hi, least, most) (v >= (hi) ? (most) : v > (lo) ? (int64_t)v : v != v ? 0 : (least))
CAST(f32, float, i64, int64_t, CUT(-0x1p63f, 0x1p63f, INT64_MIN, INT64_MAX))
CAST(f32, float, i32, int32_t, CUT(-0x1p31f, 0x1p31f, INT32_MIN, INT32_MAX))
CAST(f32, float, u8, uint8_t, CUT(-1.0f, 255.0f, 0, 255))
CAST(f32, float, i8, int8_t, CUT(-128.0f, 127.0f, -128, 127))
CAST(f32, float, bool, uint8_t, v != 0)
CAST(bool, uint8_t, f32, float, v != 0)
CAST(bool, uint8_t, i32, int32_t, v != 0)
CAST(bool, uint8_t, i64, int64_t, v != 0)
CAST(bool, uint8_t, u8, uint8_t, v != 0)
CAST(bool, uint8_t, i8, int8_t, v != 0)
/* clang-format on */

static const struct {
	const char *op;
	tarn_dtype type;
	row_fn fn;
} rows[] = {
#define ROWS(Name, word) \
	{Name, TARN_F32, word##_f32}, {Name, TARN_I64, word##_i64}, {Name, TARN_I32, word##_i32}, \
	{ \
		Name, TARN_U8, word##_u8 \
	}
	ROWS("Equal", equal),
	ROWS("Less", less),
	ROWS("LessOrEqual", less_equal),
	ROWS("Greater", greater),
	ROWS("GreaterOrEqual", greater_equal),
	{"And", TARN_BOOL, logic_and},
	{"Or", TARN_BOOL, logic_or},
	{"Xor", TARN_BOOL, logic_xor},
	{"Not", TARN_BOOL, logic_not},
};

static const struct {
	tarn_dtype from, to;
	row_fn fn;
} casts[] = {
#define FROM(F, from) \
	{F, TARN_I32, cast_##from##_i32}, {F, TARN_I64, cast_##from##_i64}, {F, TARN_U8, cast_##from##_u8}, \
	{ \
		F, TARN_I8, cast_##from##_i8 \
	}
	FROM(TARN_F32, f32),
	{TARN_F32, TARN_BOOL, cast_f32_bool},
	FROM(TARN_I32, i32),
	{TARN_I32, TARN_BOOL, cast_i32_bool},
	{TARN_I32, TARN_F32, cast_i32_f32},
	FROM(TARN_I64, i64),
	{TARN_I64, TARN_BOOL, cast_i64_bool},
	{TARN_I64, TARN_F32, cast_i64_f32},
	FROM(TARN_U8, u8),
	{TARN_U8, TARN_BOOL, cast_u8_bool},
	{TARN_U8, TARN_F32, cast_u8_f32},
	FROM(TARN_I8, i8),
	{TARN_I8, TARN_BOOL, cast_i8_bool},
	{TARN_I8, TARN_F32, cast_i8_f32},
	FROM(TARN_BOOL, bool),
	{TARN_BOOL, TARN_F32, cast_bool_f32},
};

static row_fn find_row(const tarn_node *n)
{
	const char *op = n->op->name;
	tarn_dtype from = n->in[0]->type, to = n->out[0]->type;
	if (!strcmp(op, "Cast") || !strcmp(op, "CastLike")) {
		for (size_t i = 0; i < sizeof casts / sizeof *casts; i++)
			if (casts[i].from == from && casts[i].to == to)
				return casts[i].fn;
		return NULL;
	}
	if (!strcmp(op, "Where")) {
		const tarn_dtype_row *t = tarn_dtype_info(to);
		bool fit = n->n_in == 3 && to != TARN_STRING && to != TARN_DTYPE_NONE && n->in[1]->type == to &&
			   n->in[2]->type == to && from == TARN_BOOL;
		return !fit ? NULL : t->bits == 8 ? where_1 : t->bits == 16 ? where_2 : t->bits == 32 ? where_4 : where_8;
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(op, rows[i].op) && rows[i].type == from && (n->n_in < 2 || n->in[1]->type == from))
			return rows[i].fn;
	return NULL;
}

/* ---- the kernel ---- */

typedef struct typed_state {
	row_fn fn;
	int n_in;
} typed_state;

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	int in[INPUTS] = {-1, -1, -1}, out;
	if (g->last != n || n->n_in < 1 || n->n_in > INPUTS || n->n_out != 1 || (n->op->domain && *n->op->domain) ||
	    n->out[0]->shape.rank < 0)
		return TARN_OK;
	for (int i = 0; i < n->n_in; i++)
		if (!n->in[i])
			return TARN_OK;
	typed_state st = {find_row(n), !strncmp(n->op->name, "Cast", 4) ? 1 : n->n_in};
	if (!st.fn)
		return TARN_OK;
	for (int i = 0; i < st.n_in; i++)
		TRY(tarn_cpu_want(b, n->in[i], CPU_PLAIN, &in[i]));
	TRY(tarn_cpu_give(b, n->out[0], CPU_PLAIN, &out));
	typed_state *state = tarn_arena_memdup(&b->p->arena, &st, sizeof st);
	if (!state)
		return tarn_err_nomem(sizeof st);
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_typed, g, in, st.n_in, &out, 1, state, -1));
	*taken = true;
	return TARN_OK;
}

/* The loop nest: sizes of the result, and how far each input moves along each axis (0: repeated), in elements. */
typedef struct typed_plan {
	row_fn fn;
	int rank, n_in;
	int64_t dim[TARN_MAX_RANK], step[TARN_MAX_RANK][INPUTS];
	size_t size[INPUTS + 1]; /* bytes of an element; the last one the result's */
	const char *in[INPUTS];
	char *out;
} typed_plan;

static size_t bytes_of(const cpu_instance *inst, const cpu_program *p, int slot)
{
	return (size_t)tarn_dtype_info(tarn_cpu_type(inst, p, slot))->bits / 8;
}

/* Adds an axis, inside the ones so far; merges it into the last one where every input walks both alike. */
static void add_axis(typed_plan *t, int64_t dim, const int64_t step[INPUTS])
{
	int last = t->rank - 1;
	bool alike = last >= 0;
	for (int k = 0; k < t->n_in && alike; k++)
		alike = t->step[last][k] == step[k] * dim;
	if (!alike) {
		last = t->rank++;
		t->dim[last] = 1;
	}
	t->dim[last] *= dim;
	memcpy(t->step[last], step, sizeof t->step[0]);
}

static tarn_err plan(cpu_instance *inst, const cpu_step *s, const cpu_program *p, void **out)
{
	const typed_state *st = s->state;
	const tarn_shape *y = &tarn_cpu_val(inst, p, s->out[0])->shape;
	typed_plan *t = tarn_arena_zalloc(&inst->arena, 1, sizeof *t);
	if (!t)
		return tarn_err_nomem(sizeof *t);
	int64_t step[TARN_MAX_RANK][INPUTS] = {{0}};
	t->fn = st->fn;
	t->n_in = st->n_in;
	t->size[INPUTS] = bytes_of(inst, p, s->out[0]);
	for (int k = 0; k < t->n_in; k++) {
		const tarn_shape *x = &tarn_cpu_val(inst, p, s->in[k])->shape;
		int64_t size = 1;
		t->size[k] = bytes_of(inst, p, s->in[k]);
		for (int i = x->rank - 1; i >= 0; i--) {
			step[y->rank - x->rank + i][k] = x->dim[i] == 1 ? 0 : size;
			size *= x->dim[i];
		}
	}
	for (int i = 0; i < y->rank; i++)
		if (y->dim[i] != 1)
			add_axis(t, y->dim[i], step[i]);
	if (!t->rank)
		add_axis(t, 1, (const int64_t[INPUTS]){0});
	*out = t;
	return TARN_OK;
}

static void row(const typed_plan *t, const int64_t at[INPUTS], int64_t to, int64_t n)
{
	const void *in[INPUTS] = {NULL};
	for (int k = 0; k < t->n_in; k++)
		in[k] = t->in[k] + (size_t)at[k] * t->size[k];
	t->fn(in, t->step[t->rank - 1], t->out + (size_t)to * t->size[INPUTS], n);
}

/* One axis: elements [begin, end). */
static void work_line(void *arg, int64_t begin, int64_t end)
{
	const typed_plan *t = arg;
	int64_t at[INPUTS];
	for (int k = 0; k < INPUTS; k++)
		at[k] = begin * t->step[0][k];
	row(t, at, begin, end - begin);
}

/* Rows [begin, end) of the innermost axis. */
static void work_rows(void *arg, int64_t begin, int64_t end)
{
	const typed_plan *t = arg;
	int64_t cols = t->dim[t->rank - 1];
	for (int64_t i = begin; i < end; i++) {
		int64_t at[INPUTS] = {0}, rest = i;
		for (int a = t->rank - 2; a >= 0; a--) {
			int64_t index = rest % t->dim[a];
			rest /= t->dim[a];
			for (int k = 0; k < t->n_in; k++)
				at[k] += index * t->step[a][k];
		}
		row(t, at, i * cols, cols);
	}
}

static tarn_err run(cpu_run *r, const cpu_step *s, void *plan_of)
{
	typed_plan t = *(const typed_plan *)plan_of;
	int64_t count = tarn_cpu_count(r->inst, r->p, s->out[0]);
	for (int k = 0; k < t.n_in; k++)
		t.in[k] = r->ptr[s->in[k]];
	t.out = r->ptr[s->out[0]];
	if (!count)
		return TARN_OK;
	int64_t cols = t.dim[t.rank - 1];
	if (t.rank == 1)
		tarn_cpu_split(r->pool, cols, GRAIN, work_line, &t);
	else
		tarn_cpu_split(r->pool, count / cols, GRAIN / cols + 1, work_rows, &t);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_typed = {.name = "elementwise", .build = build, .plan = plan, .run = run};
