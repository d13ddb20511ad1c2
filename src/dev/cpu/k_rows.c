/* SPDX-License-Identifier: Apache-2.0 */
/* f32 operators along one axis or a run of axes: softmax, normalisations, reductions. */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/eltwise.h"
#include "kern/norm.h"
#include "kern/reduce.h"
#include "kern/softmax.h"
#include "ops/ops.h"

/* outer x axis x inner of a shape around axes [from, to). */
typedef struct folded {
	int64_t outer, axis, inner;
} folded;

static folded fold(const tarn_shape *s, int from, int to)
{
	folded f = {1, 1, 1};
	for (int i = 0; i < s->rank; i++)
		*(i < from ? &f.outer : i < to ? &f.axis : &f.inner) *= s->dim[i];
	return f;
}

static bool f32_in(const tarn_node *n)
{
	return n->n_in && n->in[0] && n->in[0]->type == TARN_F32 && !n->in[0]->konst && n->in[0]->shape.rank >= 1;
}

/* ---- softmax ---- */

static tarn_err build_softmax(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if ((n->op != tarn_op_find(NULL, "Softmax") && n->op != tarn_op_find(NULL, "LogSoftmax")) || g->last != n ||
	    !f32_in(n) || n->out[0]->shape.rank != n->in[0]->shape.rank)
		return TARN_OK;
	int in, out;
	TRY(tarn_cpu_want(b, n->in[0], CPU_PLAIN, &in));
	TRY(tarn_cpu_give(b, n->out[0], CPU_PLAIN, &out));
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_softmax, g, &in, 1, &out, 1, NULL, 0));
	*taken = true;
	return TARN_OK;
}

typedef struct softmax_job {
	folded f;
	const float *x;
	float *y;
	bool log;
} softmax_job;

static void work_softmax(void *arg, int64_t begin, int64_t end)
{
	const softmax_job *j = arg;
	int64_t at = begin * j->f.axis * j->f.inner;
	tarn_softmax_f32(j->x + at, j->y + at, (size_t)(end - begin), (size_t)j->f.axis, (size_t)j->f.inner, 1, j->log);
}

static tarn_err run_softmax(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, s->in[0])->shape;
	int axis;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(s->node, tarn_attr_index(s->node->op, "axis")), &axis));
	/* Before opset 13 the axes from `axis` on counted as one. */
	int flatten = tarn_attr_index(s->node->op, "flatten");
	bool all = flatten >= 0 && tarn_attr_i(s->node, flatten);
	softmax_job j = {fold(x, axis, all ? x->rank : axis + 1), r->ptr[s->in[0]], r->ptr[s->out[0]],
			 s->node->op == tarn_op_find(NULL, "LogSoftmax")};
	tarn_cpu_split(r->pool, j.f.outer, 8192 / (j.f.axis * j.f.inner + 1) + 1, work_softmax, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_softmax = {.name = "f32 softmax", .build = build_softmax, .run = run_softmax};

/* ---- layer normalisation ---- */

static tarn_err build_layernorm(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if (n->op != tarn_op_find(NULL, "LayerNormalization") || g->last != n || !f32_in(n) || (n->n_out > 1 && n->out[1]) ||
	    (n->n_out > 2 && n->out[2]))
		return TARN_OK;
	/* gamma and beta must cover exactly the normalised axes */
	int axis, rank = n->in[0]->shape.rank;
	TRY(tarn_shape_axis(rank, tarn_attr_i(n, tarn_attr_index(n->op, "axis")), &axis));
	int in[3] = {-1, -1, -1}, out;
	for (int i = 1; i < 3 && i < n->n_in; i++)
		if (n->in[i] &&
		    (n->in[i]->type != TARN_F32 || n->in[i]->shape.rank != rank - axis ||
		     memcmp(n->in[i]->shape.dim, n->in[0]->shape.dim + axis, (size_t)(rank - axis) * sizeof(tarn_dim))))
			return TARN_OK;
	for (int i = 0; i < 3 && i < n->n_in; i++)
		if (n->in[i])
			TRY(tarn_cpu_want(b, n->in[i], CPU_PLAIN, &in[i]));
	TRY(tarn_cpu_give(b, n->out[0], CPU_PLAIN, &out));
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_layernorm, g, in, 3, &out, 1, NULL, 0));
	*taken = true;
	return TARN_OK;
}

typedef struct norm_job {
	const float *x, *gamma, *beta;
	float *y;
	int64_t cols;
	float eps;
} norm_job;

static void work_layernorm(void *arg, int64_t begin, int64_t end)
{
	const norm_job *j = arg;
	tarn_layernorm_f32(j->x + begin * j->cols, j->y + begin * j->cols, (size_t)(end - begin), (size_t)j->cols, j->gamma,
			   j->beta, j->eps);
}

static tarn_err run_layernorm(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, s->in[0])->shape;
	int axis;
	TRY(tarn_shape_axis(x->rank, tarn_attr_i(s->node, tarn_attr_index(s->node->op, "axis")), &axis));
	folded f = fold(x, axis, x->rank);
	norm_job j = {r->ptr[s->in[0]],
		      s->in[1] >= 0 ? r->ptr[s->in[1]] : NULL,
		      s->in[2] >= 0 ? r->ptr[s->in[2]] : NULL,
		      r->ptr[s->out[0]],
		      f.axis,
		      (float)tarn_attr_f(s->node, tarn_attr_index(s->node->op, "epsilon"))};
	tarn_cpu_split(r->pool, f.outer, 8192 / (f.axis + 1) + 1, work_layernorm, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_layernorm = {.name = "f32 layer normalisation", .build = build_layernorm, .run = run_layernorm};

/* ---- instance and group normalisation: rows of pixels, then a factor and a shift for each channel ---- */

static tarn_err build_groupnorm(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	bool instance = n->op == tarn_op_find(NULL, "InstanceNormalization");
	if ((!instance && n->op != tarn_op_find(NULL, "GroupNormalization")) || g->last != n || n->n_in != 3 || !f32_in(n))
		return TARN_OK;
	const tarn_shape *x = &n->in[0]->shape;
	int in[3], out;
	for (int i = 1; i < 3; i++)
		if (n->in[i]->type != TARN_F32 || x->rank < 2 || n->in[i]->shape.rank != 1 ||
		    n->in[i]->shape.dim[0] != x->dim[1])
			return TARN_OK;
	for (int i = 0; i < 3; i++)
		TRY(tarn_cpu_want(b, n->in[i], CPU_PLAIN, &in[i]));
	TRY(tarn_cpu_give(b, n->out[0], CPU_PLAIN, &out));
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_groupnorm, g, in, 3, &out, 1, NULL, 0));
	*taken = true;
	return TARN_OK;
}

typedef struct groupnorm_job {
	const float *x, *gamma, *beta;
	float *y, eps;
	int64_t groups, per, pixels; /* groups of an image, channels of a group, pixels of a channel */
} groupnorm_job;

static void work_groupnorm(void *arg, int64_t begin, int64_t end)
{
	const groupnorm_job *j = arg;
	size_t per = (size_t)j->per, pixels = (size_t)j->pixels;
	for (int64_t i = begin; i < end; i++) {
		int64_t at = i * j->per * j->pixels, c = i % j->groups * j->per;
		float *y = j->y + at;
		tarn_layernorm_f32(j->x + at, y, 1, per * pixels, NULL, NULL, j->eps);
		tarn_binary_col_f32(TARN_BINARY_MUL, y, j->gamma + c, false, y, per, pixels);
		tarn_binary_col_f32(TARN_BINARY_ADD, y, j->beta + c, false, y, per, pixels);
	}
}

static tarn_err run_groupnorm(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, s->in[0])->shape;
	const tarn_node *n = s->node;
	int groups = tarn_attr_index(n->op, "num_groups");
	folded f = fold(x, 1, 2);
	groupnorm_job j = {r->ptr[s->in[0]],
			   r->ptr[s->in[1]],
			   r->ptr[s->in[2]],
			   r->ptr[s->out[0]],
			   (float)tarn_attr_f(n, tarn_attr_index(n->op, "epsilon")),
			   groups >= 0 ? tarn_attr_i(n, groups) : f.axis,
			   1,
			   f.inner};
	if (!f.outer || !f.axis || !f.inner)
		return TARN_OK;
	j.per = f.axis / j.groups;
	tarn_cpu_split(r->pool, f.outer * j.groups, 8192 / (j.per * j.pixels) + 1, work_groupnorm, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_groupnorm = {.name = "f32 group normalisation", .build = build_groupnorm, .run = run_groupnorm};

/* ---- reductions ---- */

static const struct {
	const char *op;
	tarn_reduce fn;
} reductions[] = {
	{"ReduceSum", TARN_REDUCE_SUM}, {"ReduceMean", TARN_REDUCE_MEAN}, {"ReduceMax", TARN_REDUCE_MAX},
	{"ReduceMin", TARN_REDUCE_MIN}, {"ReduceProd", TARN_REDUCE_PROD}, {"ReduceSumSquare", TARN_REDUCE_SUM_SQUARE},
	{"ReduceL1", TARN_REDUCE_L1},   {"ReduceL2", TARN_REDUCE_L2},
};

typedef struct reduce_state {
	tarn_reduce fn;
	int from, to; /* the axes, a run of neighbours, in graph order */
	cpu_layout layout;
} reduce_state;

/* The axes from attribute or constant input, when they are neighbours. */
static bool axes_of(const tarn_node *n, int rank, int *from, int *to)
{
	int i = tarn_attr_index(n->op, "axes");
	int64_t axes[TARN_MAX_RANK];
	int count = 0;
	if (n->n_in > 1 && n->in[1]) {
		if (!n->in[1]->konst || (count = (int)tarn_tensor_count(n->in[1]->konst)) > rank)
			return false;
		for (int k = 0; k < count; k++)
			axes[k] = tarn_tensor_i64(n->in[1]->konst, k);
	} else if (i >= 0 && n->attr[i].set) {
		if ((count = n->attr[i].ints.n) > rank)
			return false;
		memcpy(axes, n->attr[i].ints.at, (size_t)count * sizeof *axes);
	}
	if (!count) {
		int noop = tarn_attr_index(n->op, "noop_with_empty_axes");
		*from = 0;
		*to = rank;
		return noop < 0 || !tarn_attr_i(n, noop);
	}
	unsigned mask = 0;
	for (int k = 0; k < count; k++) {
		int64_t a = axes[k] < 0 ? axes[k] + rank : axes[k];
		if (a < 0 || a >= rank)
			return false;
		mask |= 1u << a;
	}
	*from = __builtin_ctz(mask);
	*to = 32 - __builtin_clz(mask);
	return (mask >> *from) == (1u << (*to - *from)) - 1;
}

static tarn_err build_reduce(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	reduce_state st = {.fn = TARN_REDUCE_COUNT};
	for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
		if (n->op == tarn_op_find(NULL, reductions[i].op))
			st.fn = reductions[i].fn;
	if (st.fn == TARN_REDUCE_COUNT || g->last != n || !f32_in(n) || !axes_of(n, n->in[0]->shape.rank, &st.from, &st.to))
		return TARN_OK;
	int rank = n->in[0]->shape.rank, in, out;
	/* Over all pixels a channels-last value is as good, and the result has the same bytes either way. */
	if (st.from == 2 && st.to == rank && rank >= 3 && rank <= 5 && tarn_cpu_layout_of(b, n->in[0]) == CPU_NHWC)
		st.layout = CPU_NHWC;
	TRY(tarn_cpu_want(b, n->in[0], st.layout, &in));
	TRY(tarn_cpu_give(b, n->out[0], CPU_PLAIN, &out));
	reduce_state *state = tarn_arena_memdup(&b->p->arena, &st, sizeof st);
	if (!state)
		return tarn_err_nomem(sizeof st);
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_reduce, g, &in, 1, &out, 1, state, -1));
	*taken = true;
	return TARN_OK;
}

typedef struct reduce_job {
	tarn_reduce fn;
	folded f;
	const float *x;
	float *y;
} reduce_job;

static void work_reduce(void *arg, int64_t begin, int64_t end)
{
	const reduce_job *j = arg;
	tarn_reduce_f32(j->fn, j->x + begin * j->f.axis * j->f.inner, j->y + begin * j->f.inner, (size_t)(end - begin),
			(size_t)j->f.axis, (size_t)j->f.inner);
}

static tarn_err run_reduce(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	const reduce_state *st = s->state;
	folded f = fold(&tarn_cpu_val(r->inst, r->p, s->in[0])->shape, st->from, st->to);
	if (st->layout == CPU_NHWC) { /* [n][pixels][c] */
		const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, s->in[0])->shape;
		f = (folded){x->dim[0], f.axis, x->dim[1]};
	}
	reduce_job j = {st->fn, f, r->ptr[s->in[0]], r->ptr[s->out[0]]};
	tarn_cpu_split(r->pool, f.outer, 16384 / (f.axis * f.inner + 1) + 1, work_reduce, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_reduce = {.name = "f32 reduction", .build = build_reduce, .run = run_reduce};
