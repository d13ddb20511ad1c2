/* SPDX-License-Identifier: Apache-2.0 */
/* f32 elementwise operators, in whatever layout their input is in. */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"

enum { GRAIN = 16384 }; /* elements worth a thread */

/* ---- one input ---- */

static tarn_err build_unary(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	tarn_epilogue e;
	if (g->last != n || !n->n_in || !n->in[0] || n->in[0]->type != TARN_F32 || n->in[0]->konst ||
	    !tarn_cpu_activation(n, &e))
		return TARN_OK;
	cpu_layout layout = tarn_cpu_layout_of(b, n->in[0]);
	int in, out;
	TRY(tarn_cpu_want(b, n->in[0], layout, &in));
	TRY(tarn_cpu_give(b, n->out[0], layout, &out));
	tarn_epilogue *state = tarn_arena_memdup(&b->p->arena, &e, sizeof e);
	if (!state)
		return tarn_err_nomem(sizeof e);
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_unary, g, &in, 1, &out, 1, state, 0));
	*taken = true;
	return TARN_OK;
}

typedef struct unary_job {
	const tarn_epilogue *e;
	const float *x;
	float *y;
} unary_job;

static void work_unary(void *arg, int64_t begin, int64_t end)
{
	const unary_job *j = arg;
	tarn_unary_f32(j->e->act, j->e->alpha, j->e->beta, j->x + begin, j->y + begin, (size_t)(end - begin));
}

static tarn_err run_unary(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	unary_job j = {s->state, r->ptr[s->in[0]], r->ptr[s->out[0]]};
	tarn_cpu_split(r->pool, tarn_cpu_count(r->inst, r->p, s->out[0]), GRAIN, work_unary, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_unary = {.name = "f32 elementwise", .build = build_unary, .run = run_unary};

/* ---- two inputs ---- */

static const struct {
	const char *op;
	tarn_binary fn;
} binaries[] = {
	{"Add", TARN_BINARY_ADD}, {"Sub", TARN_BINARY_SUB},     {"Mul", TARN_BINARY_MUL},
	{"Div", TARN_BINARY_DIV}, {"Max", TARN_BINARY_MAX},     {"Min", TARN_BINARY_MIN},
	{"Pow", TARN_BINARY_POW}, {"PRelu", TARN_BINARY_PRELU}, {"Sum", TARN_BINARY_ADD},
};

/* Can v be read next to a channels-last value of rank r? Same shape, one element, or a vector over the channels. */
static bool suits_nhwc(const tarn_value *v, const tarn_shape *full)
{
	const tarn_shape *s = &v->shape;
	if (tarn_shape_same(s, full))
		return true;
	for (int i = 1; i <= s->rank; i++) {
		int axis = full->rank - i;
		if (s->dim[s->rank - i] != 1 && (axis > 1 || (s->dim[s->rank - i] != full->dim[axis])))
			return false;
	}
	return s->rank >= 0 && s->rank <= full->rank;
}

/* The layout both can be read in without moving the larger one. */
static cpu_layout choose(const cpu_build *b, const tarn_node *n)
{
	const tarn_shape *full = &n->out[0]->shape;
	if (full->rank < 3 || full->rank > 5)
		return CPU_PLAIN;
	bool any = false;
	for (int i = 0; i < 2; i++) {
		if (!suits_nhwc(n->in[i], full))
			return CPU_PLAIN;
		any |= !n->in[i]->konst && tarn_shape_same(&n->in[i]->shape, full) &&
		       tarn_cpu_layout_of(b, n->in[i]) == CPU_NHWC;
	}
	return any ? CPU_NHWC : CPU_PLAIN;
}

typedef struct binary_state {
	tarn_binary fn;
	cpu_layout layout;
} binary_state;

static tarn_err build_binary(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	const binary_state *found = NULL;
	binary_state st;
	for (size_t i = 0; i < sizeof binaries / sizeof *binaries && n->n_in == 2; i++)
		if (n->op == tarn_op_find(NULL, binaries[i].op)) {
			st = (binary_state){binaries[i].fn, CPU_PLAIN};
			found = &st;
		}
	if (!found || g->last != n || n->in[0]->type != TARN_F32 || n->in[1]->type != TARN_F32 || n->out[0]->type != TARN_F32 ||
	    n->out[0]->shape.rank < 0)
		return TARN_OK;
	st.layout = choose(b, n);
	int in[2], out;
	for (int i = 0; i < 2; i++) {
		/* A vector over the channels has its bytes in the same order either way. */
		bool full = tarn_shape_same(&n->in[i]->shape, &n->out[0]->shape);
		TRY(tarn_cpu_want(b, n->in[i], full || (!n->in[i]->konst && n->in[i]->shape.rank >= 3) ? st.layout : CPU_PLAIN,
				  &in[i]));
	}
	TRY(tarn_cpu_give(b, n->out[0], st.layout, &out));
	binary_state *state = tarn_arena_memdup(&b->p->arena, &st, sizeof st);
	if (!state)
		return tarn_err_nomem(sizeof st);
	int in_place = !n->in[0]->konst && tarn_shape_same(&n->in[0]->shape, &n->out[0]->shape)   ? 0
		       : !n->in[1]->konst && tarn_shape_same(&n->in[1]->shape, &n->out[0]->shape) ? 1
												  : -1;
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_binary, g, in, 2, &out, 1, state, in_place));
	*taken = true;
	return TARN_OK;
}

/* The loop nest: sizes of the result, and how far each operand moves along each axis (0: repeated). */
typedef struct nest {
	tarn_binary fn;
	int rank;
	int64_t dim[TARN_MAX_RANK], sa[TARN_MAX_RANK], sb[TARN_MAX_RANK];
	const float *a, *b;
	float *y;
} nest;

/* Axis i of a value in physical order. */
static int logical_axis(int i, int rank, cpu_layout layout)
{
	return layout == CPU_PLAIN || i == 0 ? i : i == rank - 1 ? 1 : i + 1;
}

static void strides_of(const tarn_shape *s, const tarn_shape *full, cpu_layout layout, int64_t *stride)
{
	int64_t step = 1;
	for (int i = full->rank - 1; i >= 0; i--) {
		int axis = logical_axis(i, full->rank, layout) - (full->rank - s->rank);
		int64_t d = axis < 0 ? 1 : s->dim[axis];
		stride[i] = d == 1 ? 0 : step;
		step *= d;
	}
}

/* Axes that both operands walk alike become one; axes of size 1 go. */
static void merge(nest *x)
{
	int r = 0;
	for (int i = 0; i < x->rank; i++) {
		if (x->dim[i] == 1)
			continue;
		if (r && x->sa[r - 1] == x->sa[i] * x->dim[i] && x->sb[r - 1] == x->sb[i] * x->dim[i]) {
			x->dim[r - 1] *= x->dim[i];
			x->sa[r - 1] = x->sa[i];
			x->sb[r - 1] = x->sb[i];
		} else {
			x->dim[r] = x->dim[i];
			x->sa[r] = x->sa[i];
			x->sb[r++] = x->sb[i];
		}
	}
	if (!r) {
		x->dim[0] = 1;
		x->sa[0] = x->sb[0] = 1;
		r = 1;
	}
	x->rank = r;
}

/* Two innermost axes: rows of cols. */
static void plane(const nest *x, const float *a, const float *b, float *y, size_t rows, size_t cols)
{
	int i = x->rank - 1;
	int64_t ra = x->rank > 1 ? x->sa[i - 1] : 0, rb = x->rank > 1 ? x->sb[i - 1] : 0, c = (int64_t)cols;
	if (x->sa[i] == 1 && x->sb[i] == 1 && ra == c && rb == 0)
		tarn_binary_row_f32(x->fn, a, b, 0, y, rows, cols);
	else if (x->sa[i] == 1 && x->sb[i] == 1 && ra == 0 && rb == c)
		tarn_binary_row_f32(x->fn, b, a, 1, y, rows, cols);
	else if (x->sa[i] == 1 && x->sb[i] == 0 && ra == c && rb == 1)
		tarn_binary_col_f32(x->fn, a, b, 0, y, rows, cols);
	else if (x->sa[i] == 0 && x->sb[i] == 1 && ra == 1 && rb == c)
		tarn_binary_col_f32(x->fn, b, a, 1, y, rows, cols);
	else
		for (size_t k = 0; k < rows; k++, a += ra, b += rb, y += cols) {
			if (x->sa[i] && x->sb[i])
				tarn_binary_f32(x->fn, a, b, y, cols);
			else if (x->sa[i])
				tarn_binary_scalar_f32(x->fn, a, *b, 0, y, cols);
			else if (x->sb[i])
				tarn_binary_scalar_f32(x->fn, b, *a, 1, y, cols);
			else {
				tarn_binary_f32(x->fn, a, b, y, 1);
				for (size_t q = 1; q < cols; q++)
					y[q] = y[0];
			}
		}
}

/* One merged axis: elements [begin, end). */
static void work_line(void *arg, int64_t begin, int64_t end)
{
	const nest *x = arg;
	plane(x, x->a + begin * x->sa[0], x->b + begin * x->sb[0], x->y + begin, 1, (size_t)(end - begin));
}

/* Two axes: rows [begin, end). */
static void work_rows(void *arg, int64_t begin, int64_t end)
{
	const nest *x = arg;
	plane(x, x->a + begin * x->sa[0], x->b + begin * x->sb[0], x->y + begin * x->dim[1], (size_t)(end - begin),
	      (size_t)x->dim[1]);
}

/* More axes: planes [begin, end). */
static void work_planes(void *arg, int64_t begin, int64_t end)
{
	const nest *x = arg;
	int64_t rows = x->dim[x->rank - 2], cols = x->dim[x->rank - 1];
	for (int64_t p = begin; p < end; p++) {
		int64_t rest = p, oa = 0, ob = 0;
		for (int i = x->rank - 3; i >= 0; i--) {
			oa += rest % x->dim[i] * x->sa[i];
			ob += rest % x->dim[i] * x->sb[i];
			rest /= x->dim[i];
		}
		plane(x, x->a + oa, x->b + ob, x->y + p * rows * cols, (size_t)rows, (size_t)cols);
	}
}

static tarn_err plan_binary(cpu_instance *inst, const cpu_step *s, const cpu_program *p, void **plan)
{
	const binary_state *st = s->state;
	const tarn_shape *full = &tarn_cpu_val(inst, p, s->out[0])->shape;
	nest *x = tarn_arena_alloc(&inst->arena, sizeof *x);
	if (!x)
		return tarn_err_nomem(sizeof *x);
	x->fn = st->fn;
	x->rank = full->rank;
	for (int i = 0; i < full->rank; i++)
		x->dim[i] = full->dim[logical_axis(i, full->rank, st->layout)];
	strides_of(&tarn_cpu_val(inst, p, s->in[0])->shape, full, st->layout, x->sa);
	strides_of(&tarn_cpu_val(inst, p, s->in[1])->shape, full, st->layout, x->sb);
	merge(x);
	*plan = x;
	return TARN_OK;
}

static tarn_err run_binary(cpu_run *r, const cpu_step *s, void *plan)
{
	nest x = *(const nest *)plan;
	x.a = r->ptr[s->in[0]];
	x.b = r->ptr[s->in[1]];
	x.y = r->ptr[s->out[0]];
	int64_t count = 1;
	for (int i = 0; i < x.rank; i++)
		count *= x.dim[i];
	if (!count)
		return TARN_OK;
	if (x.rank == 1) {
		tarn_cpu_split(r->pool, x.dim[0], GRAIN, work_line, &x);
	} else if (x.rank == 2) {
		tarn_cpu_split(r->pool, x.dim[0], GRAIN / x.dim[1] + 1, work_rows, &x);
	} else {
		int64_t size = x.dim[x.rank - 2] * x.dim[x.rank - 1];
		tarn_cpu_split(r->pool, count / size, GRAIN / size + 1, work_planes, &x);
	}
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_binary = {.name = "f32 elementwise", .build = build_binary, .plan = plan_binary, .run = run_binary};
