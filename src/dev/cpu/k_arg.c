/* SPDX-License-Identifier: Apache-2.0 */
/* ArgMax and ArgMin of f32: over the channels of a channels-last value (segmentation) in place, else along any axis. NaN wins.
 */
#include <math.h>
#include <string.h>

#include "dev/cpu/cpu.h"
#include "ops/ops.h"

typedef struct arg_state {
	bool min, last; /* of equal ones the last */
	int axis;
	cpu_layout layout;
} arg_state;

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	bool min = n->op == tarn_op_find(NULL, "ArgMin");
	if ((!min && n->op != tarn_op_find(NULL, "ArgMax")) || g->last != n || n->in[0]->type != TARN_F32 || n->in[0]->konst ||
	    n->in[0]->shape.rank < 1)
		return TARN_OK;
	int rank = n->in[0]->shape.rank, in, out;
	arg_state st = {.min = min, .last = tarn_attr_i(n, tarn_attr_index(n->op, "select_last_index"))};
	TRY(tarn_shape_axis(rank, tarn_attr_i(n, tarn_attr_index(n->op, "axis")), &st.axis));
	/* Without its channels a value has the same bytes in both layouts. */
	if (st.axis == 1 && rank >= 3 && rank <= 5 && tarn_cpu_layout_of(b, n->in[0]) == CPU_NHWC)
		st.layout = CPU_NHWC;
	TRY(tarn_cpu_want(b, n->in[0], st.layout, &in));
	TRY(tarn_cpu_give(b, n->out[0], CPU_PLAIN, &out));
	arg_state *state = tarn_arena_memdup(&b->p->arena, &st, sizeof st);
	if (!state)
		return tarn_err_nomem(sizeof st);
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_arg, g, &in, 1, &out, 1, state, -1));
	*taken = true;
	return TARN_OK;
}

typedef struct arg_job {
	const arg_state *s;
	const float *x;
	int64_t *y, axis, inner;
} arg_job;

/* Is a better than the best so far? */
static bool better(const arg_state *s, float a, float best)
{
	if (isnan(a) || isnan(best))
		return isnan(a) && (s->last || !isnan(best));
	return s->min ? a < best || (s->last && a == best) : a > best || (s->last && a == best);
}

/* Rows [begin, end) of outer * inner results. */
static void work(void *arg, int64_t begin, int64_t end)
{
	const arg_job *j = arg;
	for (int64_t i = begin; i < end; i++) {
		const float *x = j->x + i / j->inner * j->axis * j->inner + i % j->inner;
		float best = x[0];
		int64_t at = 0;
		for (int64_t k = 1; k < j->axis; k++)
			if (better(j->s, x[k * j->inner], best)) {
				best = x[k * j->inner];
				at = k;
			}
		j->y[i] = at;
	}
}

static tarn_err run(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	const arg_state *st = s->state;
	const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, s->in[0])->shape;
	arg_job j = {st, r->ptr[s->in[0]], r->ptr[s->out[0]], x->dim[st->axis], 1};
	for (int i = st->axis + 1; i < x->rank && st->layout == CPU_PLAIN; i++)
		j.inner *= x->dim[i];
	tarn_cpu_split(r->pool, tarn_cpu_count(r->inst, r->p, s->out[0]), 8192 / (j.axis + 1) + 1, work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_arg = {.name = "f32 extreme", .build = build, .run = run};
