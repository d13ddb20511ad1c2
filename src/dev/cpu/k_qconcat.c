/* SPDX-License-Identifier: Apache-2.0 */
/* A quantizer behind Concat: the codes of each part are moved to their place, through a table where the grids differ. */
#include <string.h>

#include "dev/cpu/cpu.h"
#include "ops/ops.h"

enum { MAX_PARTS = 64 };

typedef struct qconcat_state {
	int axis;              /* physical */
	const uint8_t **table; /* by part; NULL: the grids are the same */
} qconcat_state;

static tarn_err recode_table(cpu_build *b, const cpu_code *from, const cpu_code *to, const uint8_t **out)
{
	uint8_t *table = tarn_arena_alloc(&b->p->arena, 256);
	if (!table)
		return tarn_err_nomem(256);
	for (int i = 0; i < 256; i++) {
		float x = (float)((from->type == TARN_I8 ? (int8_t)(uint8_t)i : i) - from->zero) * from->scale;
		tarn_quantize_f32(&x, &table[i], tarn_cpu_code_type(to->type), to->scale, to->zero, 1);
	}
	*out = table;
	return TARN_OK;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *q = g->main, *n = q->n_in ? q->in[0]->def : NULL;
	cpu_code to;
	int in[MAX_PARTS], out, axis;
	if (q->op != tarn_op_find(NULL, "QuantizeLinear") || g->last != q || !n || n->op != tarn_op_find(NULL, "Concat") ||
	    q->in[0]->type != TARN_F32 || n->n_in > MAX_PARTS || tarn_cpu_code_of(b, q->in[0]) || !tarn_cpu_code_params(q, &to))
		return TARN_OK;
	int rank = q->in[0]->shape.rank;
	bool last = rank >= 3 && rank <= 5;
	cpu_layout layout = CPU_PLAIN;
	for (int i = 0; i < n->n_in; i++) {
		if (!n->in[i] || !tarn_cpu_code_of(b, n->in[i]))
			return TARN_OK;
		if (last && tarn_cpu_layout_of(b, n->in[i]) == CPU_NHWC)
			layout = CPU_NHWC;
	}
	if (rank < 1 || tarn_shape_axis(rank, tarn_attr_i(n, tarn_attr_index(n->op, "axis")), &axis) != TARN_OK)
		return TARN_OK;
	qconcat_state *s = tarn_arena_zalloc(&b->p->arena, 1, sizeof *s);
	if (s)
		s->table = tarn_arena_zalloc(&b->p->arena, (size_t)n->n_in, sizeof *s->table);
	if (!s || !s->table)
		return tarn_err_nomem((size_t)n->n_in * sizeof *s->table);
	s->axis = layout == CPU_PLAIN || axis == 0 ? axis : axis == 1 ? rank - 1 : axis - 1;
	for (int i = 0; i < n->n_in; i++) {
		const cpu_code *from = tarn_cpu_code_of(b, n->in[i]);
		if (!tarn_cpu_code_same(from, &to))
			TRY(recode_table(b, from, &to, &s->table[i]));
		TRY(tarn_cpu_want_code(b, n->in[i], layout, &in[i]));
	}
	TRY(tarn_cpu_give(b, q->out[0], layout, &out));
	*taken = true;
	return tarn_cpu_step_new(b, &tarn_cpu_k_qconcat, g, in, n->n_in, &out, 1, s, -1);
}

/* Rows of bytes: what one part contributes to the whole at each index before the axis. */
typedef struct part_job {
	const uint8_t *table, *from;
	uint8_t *to;
	size_t own, whole; /* bytes between rows */
} part_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const part_job *j = arg;
	for (int64_t i = begin; i < end; i++) {
		const uint8_t *from = j->from + (size_t)i * j->own;
		uint8_t *to = j->to + (size_t)i * j->whole;
		if (j->table)
			tarn_lut_u8(j->table, from, to, j->own);
		else
			memcpy(to, from, j->own);
	}
}

/* Bytes before and from the axis on. */
static void rows_of(const cpu_run *r, int slot, int axis, int64_t *rows, size_t *row)
{
	const tarn_shape *s = &tarn_cpu_val(r->inst, r->p, slot)->shape;
	bool last = r->p->slot.at[slot].layout == CPU_NHWC;
	*rows = 1;
	*row = 1;
	for (int k = 0; k < s->rank; k++) {
		int graph = !last || k == 0 ? k : k == s->rank - 1 ? 1 : k + 1;
		if (k < axis)
			*rows *= s->dim[graph];
		else
			*row *= (size_t)s->dim[graph];
	}
}

static tarn_err run(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	const qconcat_state *st = s->state;
	int64_t rows;
	part_job j;
	rows_of(r, s->out[0], st->axis, &rows, &j.whole);
	uint8_t *to = r->ptr[s->out[0]];
	for (int i = 0; i < s->n_in; i++) {
		rows_of(r, s->in[i], st->axis, &rows, &j.own);
		j.from = r->ptr[s->in[i]];
		j.table = st->table[i];
		j.to = to;
		to += j.own;
		tarn_cpu_split(r->pool, rows, (int64_t)(32768 / (j.own + 1)) + 1, work, &j);
	}
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_qconcat = {.name = "concat of codes", .build = build, .run = run};
