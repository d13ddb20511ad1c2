/* SPDX-License-Identifier: Apache-2.0 */
/* Resize over the spatial axes, channels-last, by the reference's index rules: nearest moves elements of any type (or codes),
 * linear blends f32. */
#include <string.h>

#include "dev/cpu/cpu.h"
#include "ops/ops.h"
#include "ops/resize.h"

static bool suits(const tarn_node *n)
{
	const tarn_shape *x = &n->in[0]->shape, *y = &n->out[0]->shape;
	int axis[TARN_MAX_RANK], count;
	if (n->op != tarn_op_find(NULL, "Resize") || n->in[0]->konst || x->rank < 3 || x->rank > 4 || y->rank != x->rank ||
	    tarn_attr_i(n, TARN_RESIZE_COORDINATES) == TARN_COORD_TF_CROP_AND_RESIZE ||
	    tarn_attr_i(n, TARN_RESIZE_MODE) == TARN_MODE_CUBIC ||
	    (tarn_attr_i(n, TARN_RESIZE_MODE) == TARN_MODE_LINEAR &&
	     (n->in[0]->type != TARN_F32 || tarn_attr_i(n, TARN_RESIZE_ANTIALIAS) || tarn_attr_i(n, TARN_RESIZE_EXCLUDE))))
		return false;
	if (x->dim[0] != y->dim[0] || x->dim[1] != y->dim[1])
		return false;
	if (tarn_resize_by_sizes(n))
		return true;
	const tarn_tensor *s =
		n->n_in > TARN_RESIZE_SCALES && n->in[TARN_RESIZE_SCALES] ? n->in[TARN_RESIZE_SCALES]->konst : NULL;
	if (!s || tarn_resize_axes(n, x->rank, axis, &count) != TARN_OK || tarn_tensor_count(s) != count)
		return false;
	for (int i = 0; i < count; i++)
		if (axis[i] < 2 && tarn_tensor_f64(s, i) != 1)
			return false;
	return true;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if (g->last != n || !n->n_in || !n->in[0] || !suits(n) || tarn_dtype_info(n->out[0]->type)->bits % 8 ||
	    n->out[0]->type == TARN_STRING)
		return TARN_OK;
	bool nearest = tarn_attr_i(n, TARN_RESIZE_MODE) == TARN_MODE_NEAREST;
	const cpu_code *code = nearest ? tarn_cpu_code_of(b, n->in[0]) : NULL;
	int in, out;
	TRY(code ? tarn_cpu_want_code(b, n->in[0], CPU_NHWC, &in) : tarn_cpu_want(b, n->in[0], CPU_NHWC, &in));
	TRY(code ? tarn_cpu_give_code(b, n->out[0], CPU_NHWC, code, &out) : tarn_cpu_give(b, n->out[0], CPU_NHWC, &out));
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_resize, g, &in, 1, &out, 1, NULL, -1));
	*taken = true;
	return TARN_OK;
}

/* Where output index i reads: at[0] with weight w[0], at[1] with w[1]. */
typedef struct tap {
	int64_t at[2];
	float w[2];
} tap;

typedef struct resize_plan {
	bool nearest;
	size_t size; /* bytes of an element */
	int64_t ih, iw, oh, ow, c;
	tap *y, *x; /* by output row, by output column */
	const char *from;
	char *to;
} resize_plan;

/* The taps of one axis; without one (rank 3 has no rows) there is a single index. */
static tarn_err table(cpu_instance *inst, const tarn_resize_axis *a, tap **out)
{
	int64_t n = a ? a->out : 1;
	tap *t = tarn_arena_zalloc(&inst->arena, (size_t)n + 1, sizeof *t);
	if (!t)
		return tarn_err_nomem((size_t)n * sizeof *t);
	t[0].w[0] = 1;
	tarn_arena scratch = {0};
	tarn_resize_taps taps = {.at = tarn_arena_zalloc(&scratch, TARN_RESIZE_MAX_TAPS, sizeof *taps.at),
				 .w = tarn_arena_zalloc(&scratch, TARN_RESIZE_MAX_TAPS, sizeof *taps.w)};
	tarn_err err = taps.at && taps.w ? TARN_OK : tarn_err_nomem(TARN_RESIZE_MAX_TAPS * sizeof *taps.w);
	for (int64_t i = 0; err == TARN_OK && a && i < n; i++) {
		tarn_resize_taps_of(a, i, &taps);
		bool two = taps.n > 1;
		t[i] = (tap){{taps.at[0], taps.at[two]}, {(float)taps.w[0], two ? (float)taps.w[1] : 0}};
	}
	tarn_arena_fini(&scratch);
	*out = t;
	return err;
}

static tarn_err plan(cpu_instance *inst, const cpu_step *s, const cpu_program *p, void **out)
{
	const tarn_shape *x = &tarn_cpu_val(inst, p, s->in[0])->shape, *y = &tarn_cpu_val(inst, p, s->out[0])->shape;
	const tarn_node *n = s->node;
	tarn_resize_axis axis[TARN_MAX_RANK];
	resize_plan *r = tarn_arena_zalloc(&inst->arena, 1, sizeof *r);
	if (!r)
		return tarn_err_nomem(sizeof *r);
	TRY(tarn_resize_plan(n, x->rank, x->dim, y->dim, tarn_resize_by_sizes(n) ? NULL : n->in[TARN_RESIZE_SCALES]->konst,
			     NULL, axis));
	bool rows = x->rank == 4;
	int last = x->rank - 1;
	*r = (resize_plan){.nearest = tarn_attr_i(n, TARN_RESIZE_MODE) == TARN_MODE_NEAREST,
			   .size = (size_t)tarn_dtype_info(tarn_cpu_type(inst, p, s->in[0]))->bits / 8,
			   .ih = rows ? x->dim[2] : 1,
			   .iw = x->dim[last],
			   .oh = rows ? y->dim[2] : 1,
			   .ow = y->dim[last],
			   .c = x->dim[1]};
	TRY(table(inst, rows ? &axis[2] : NULL, &r->y));
	TRY(table(inst, &axis[last], &r->x));
	*out = r;
	return TARN_OK;
}

static void nearest_row(const resize_plan *r, const char *from, char *to)
{
	size_t pixel = (size_t)r->c * r->size;
	for (int64_t x = 0; x < r->ow; x++, to += pixel) {
		const char *p = from + (size_t)r->x[x].at[0] * pixel;
		if (pixel == sizeof(float))
			memcpy(to, p, sizeof(float));
		else
			memcpy(to, p, pixel);
	}
}

static void linear_row(const resize_plan *r, const float *a, const float *b, const float wy[2], float *restrict to)
{
	for (int64_t x = 0; x < r->ow; x++, to += r->c) {
		const tap *t = &r->x[x];
		const float *a0 = a + t->at[0] * r->c, *a1 = a + t->at[1] * r->c, *b0 = b + t->at[0] * r->c,
			    *b1 = b + t->at[1] * r->c;
		float w0 = wy[0] * t->w[0], w1 = wy[0] * t->w[1], v0 = wy[1] * t->w[0], v1 = wy[1] * t->w[1];
		if (r->ih == 1)
			for (int64_t c = 0; c < r->c; c++)
				to[c] = t->w[0] * a0[c] + t->w[1] * a1[c];
		else
			for (int64_t c = 0; c < r->c; c++)
				to[c] = (w0 * a0[c] + w1 * a1[c]) + (v0 * b0[c] + v1 * b1[c]);
	}
}

/* Output rows [begin, end) of all images together. */
static void work(void *arg, int64_t begin, int64_t end)
{
	const resize_plan *r = arg;
	size_t line = (size_t)(r->iw * r->c) * r->size, out_line = (size_t)(r->ow * r->c) * r->size;
	for (int64_t i = begin; i < end; i++) {
		const char *image = r->from + (size_t)(i / r->oh * r->ih) * line;
		const tap *t = &r->y[i % r->oh];
		char *to = r->to + (size_t)i * out_line;
		if (!r->nearest)
			linear_row(r, (const float *)(const void *)(image + (size_t)t->at[0] * line),
				   (const float *)(const void *)(image + (size_t)t->at[1] * line), t->w, (float *)(void *)to);
		else if (i > begin && i % r->oh && t->at[0] == t[-1].at[0])
			memcpy(to, to - out_line, out_line);
		else
			nearest_row(r, image + (size_t)t->at[0] * line, to);
	}
}

static tarn_err run(cpu_run *r, const cpu_step *s, void *plan_of)
{
	resize_plan j = *(const resize_plan *)plan_of;
	j.from = r->ptr[s->in[0]];
	j.to = r->ptr[s->out[0]];
	int64_t images = tarn_cpu_val(r->inst, r->p, s->out[0])->shape.dim[0], line = j.ow * j.c;
	if (line)
		tarn_cpu_split(r->pool, images * j.oh, 16384 / line + 1, work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_resize = {.name = "resize", .build = build, .plan = plan, .run = run};
