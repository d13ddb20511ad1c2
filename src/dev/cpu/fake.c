/* SPDX-License-Identifier: Apache-2.0 */
/* FakeQuantize of OpenVINO's quantized models: on the way to INT8 kernels, and as an f32 step where none takes it. */
#include <math.h>

#include "dev/cpu/cpu.h"
#include "ops/ops.h"
#include "pass/pass.h"

/* Do both sides' limits lie on one grid of `levels` codes with a whole zero point, channel by channel? The decomposition asks
 * the same, and does arithmetic otherwise: then the node stays. */
static bool on_grid(const tarn_node *n)
{
	int levels = (int)tarn_attr_i(n, tarn_attr_index(n->op, "levels"));
	if ((levels != 255 && levels != 256) || n->in[0]->type != TARN_F32)
		return false;
	int64_t count = 1;
	for (int i = 1; i < 5; i++) {
		const tarn_tensor *t = n->in[i] ? n->in[i]->konst : NULL;
		int64_t have = t ? tarn_tensor_count(t) : 0;
		if (!have || (have != 1 && count != 1 && have != count))
			return false;
		for (int k = 0, wide = 0; k < t->rank; k++)
			if (t->dim[k] != 1 && wide++)
				return false;
		count = have > count ? have : count;
	}
	if (count != 1 && !n->in[0]->konst)
		return false; /* no INT8 kernel takes activations with a scale for each channel */
	double lowest = levels == 255 ? -127 : 0;
	for (int64_t c = 0; c < count; c++) {
		double limit[4];
		for (int i = 0; i < 4; i++) {
			const tarn_tensor *t = n->in[1 + i]->konst;
			limit[i] = tarn_tensor_f64(t, tarn_tensor_count(t) == 1 ? 0 : c);
		}
		for (int side = 0; side < 4; side += 2) {
			double s = (limit[side + 1] - limit[side]) / (levels - 1), z = s > 0 ? lowest - limit[side] / s : 0.5;
			if (!(s > 0) || fabs(z - rint(z)) > 1e-4 || rint(z) < lowest || rint(z) > lowest + levels - 1)
				return false;
		}
	}
	return true;
}

static bool keep(void *ctx, const tarn_node *n)
{
	int *found = ctx;
	bool take = n->op == tarn_op_find(NULL, "FakeQuantize") && on_grid(n);
	*found += take;
	return !take;
}

/* Constants that no product reads directly (a reshape of depthwise weights, say) are computed now. */
static tarn_err fold_fakes(tarn_graph *g, int *found)
{
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		bool constant = n->op == tarn_op_find(NULL, "FakeQuantize");
		const tarn_tensor *in[5] = {NULL};
		for (int k = 0; constant && k < 5; k++)
			constant = n->in[k] && (in[k] = n->in[k]->konst);
		const tarn_node *user = constant ? tarn_graph_only_user(g, n->out[0]) : NULL;
		if (!constant || (user && on_grid(n) &&
				  (user->op == tarn_op_find(NULL, "Conv") || user->op == tarn_op_find(NULL, "MatMul"))))
			continue;
		tarn_tensor out = {0};
		tarn_value *v;
		TRY(tarn_node_eval(n, in, &out));
		tarn_err err = tarn_value_const(g, n->out[0]->name, &out, &v);
		tarn_tensor_fini(&out);
		TRY(err);
		tarn_graph_replace(g, n->out[0], v);
		++*found;
	}
	tarn_graph_sweep(g);
	return TARN_OK;
}

tarn_err tarn_cpu_raise_fake(tarn_model *m)
{
	int found = 0;
	for (size_t i = 0; i < m->graph.len; i++)
		TRY(fold_fakes(m->graph.at[i], &found));
	TRY(tarn_pass_decompose(m, keep, &found));
	return found ? tarn_pass_standard(m) : TARN_OK;
}

/* ---- the f32 step ---- */

/* x between low and high goes to round((x - low) * inverse) * step + first; beyond them to first and last. In double, so that
 * it rounds like the reference does. */
typedef struct limits {
	double low, high, inverse, step, first, last;
} limits;

typedef struct fake_state {
	int64_t count; /* 1, or one for each channel */
	limits at[];
} fake_state;

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if (n->op != tarn_op_find(NULL, "FakeQuantize") || g->last != n || n->in[0]->type != TARN_F32 || n->in[0]->konst)
		return TARN_OK;
	int rank = n->in[0]->shape.rank;
	int64_t count = 1;
	for (int i = 1; i < 5; i++) {
		const tarn_tensor *t = n->in[i]->konst;
		int64_t have = t ? tarn_tensor_count(t) : 0;
		/* all of it along axis 1 */
		if (!have || (have != 1 && (rank < 3 || rank > 5 || t->rank < rank - 1 || t->dim[t->rank - rank + 1] != have ||
					    (count != 1 && count != have))))
			return TARN_OK;
		count = have > count ? have : count;
	}
	fake_state *s = tarn_arena_zalloc(&b->p->arena, 1, sizeof *s + (size_t)count * sizeof *s->at);
	if (!s)
		return tarn_err_nomem((size_t)count * sizeof *s->at);
	s->count = count;
	double steps = (double)tarn_attr_i(n, tarn_attr_index(n->op, "levels")) - 1;
	for (int64_t c = 0; c < count; c++) {
		double v[4];
		for (int i = 0; i < 4; i++)
			v[i] = tarn_tensor_f64(n->in[1 + i]->konst, tarn_tensor_count(n->in[1 + i]->konst) == 1 ? 0 : c);
		if (!(v[1] > v[0]))
			return TARN_OK; /* turned round: the reference knows what it means */
		s->at[c] = (limits){v[0], v[1], steps / (v[1] - v[0]), (v[3] - v[2]) / steps, v[2], v[3]};
	}
	cpu_layout layout = count > 1 ? CPU_NHWC : tarn_cpu_layout_of(b, n->in[0]);
	int in, out;
	TRY(tarn_cpu_want(b, n->in[0], layout, &in));
	TRY(tarn_cpu_give(b, n->out[0], layout, &out));
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_fake, g, &in, 1, &out, 1, s, 0));
	*taken = true;
	return TARN_OK;
}

typedef struct fake_job {
	const fake_state *s;
	const float *x;
	float *y;
} fake_job;

static float fake(const limits *l, float x)
{
	const double whole = 0x1.8p52; /* adding it rounds to the nearest whole number, ties to even */
	double v = ((double)x - l->low) * l->inverse;
	v = ((v + whole) - whole) * l->step + l->first;
	v = (double)x <= l->low ? l->first : (double)x > l->high ? l->last : v;
	return x != x ? x : (float)v;
}

/* Rows [begin, end) of `count` channels each. */
static void work(void *arg, int64_t begin, int64_t end)
{
	const fake_job *j = arg;
	int64_t n = j->s->count;
	if (n == 1)
		for (int64_t i = begin; i < end; i++)
			j->y[i] = fake(&j->s->at[0], j->x[i]);
	else
		for (int64_t i = begin; i < end; i++)
			for (int64_t c = 0; c < n; c++)
				j->y[i * n + c] = fake(&j->s->at[c], j->x[i * n + c]);
}

static tarn_err run(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	fake_job j = {s->state, r->ptr[s->in[0]], r->ptr[s->out[0]]};
	int64_t rows = tarn_cpu_count(r->inst, r->p, s->out[0]) / j.s->count;
	tarn_cpu_split(r->pool, rows, 8192 / j.s->count + 1, work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_fake = {.name = "f32 fake quantization", .build = build, .run = run};
