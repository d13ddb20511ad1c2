/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resize to the nearest pixel, channels-last, of any element type, or of codes: copies of whole pixels. Which pixel each one
 * comes from is asked of the operator itself, once for each size, with an image that holds pixel numbers.
 */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"
#include "ops/resize.h"

enum { MAX_PIXELS = 1 << 24 }; /* what f32 counts exactly */

/* The constant that decides the sizes leaves batch and channels alone. */
static bool planar(const tarn_node *n)
{
	int i = tarn_resize_by_sizes(n) ? TARN_RESIZE_SIZES : TARN_RESIZE_SCALES;
	const tarn_tensor *t = i < n->n_in && n->in[i] ? n->in[i]->konst : NULL;
	if (!t || tarn_tensor_count(t) != 4 || n->attr[TARN_RESIZE_AXES].set)
		return false;
	for (int k = 0; k < 2; k++)
		if (tarn_tensor_f64(t, k) != (i == TARN_RESIZE_SCALES ? 1 : (double)n->in[0]->shape.dim[k]))
			return false;
	return true;
}

static tarn_err build(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if (n->op != tarn_op_find(NULL, "Resize") || n->in[0]->konst || n->in[0]->shape.rank != 4 ||
	    tarn_attr_i(n, TARN_RESIZE_MODE) != TARN_MODE_NEAREST || tarn_attr_i(n, TARN_RESIZE_ANTIALIAS) ||
	    tarn_attr_i(n, TARN_RESIZE_COORDINATES) == TARN_COORD_TF_CROP_AND_RESIZE || tarn_attr_i(n, TARN_RESIZE_POLICY) ||
	    !planar(n) || tarn_dtype_info(n->in[0]->type)->bits % 8 || n->in[0]->type == TARN_STRING)
		return TARN_OK;
	const cpu_code *code = tarn_cpu_code_of(b, n->in[0]);
	int in, out;
	TRY(code ? tarn_cpu_want_code(b, n->in[0], CPU_NHWC, &in) : tarn_cpu_want(b, n->in[0], CPU_NHWC, &in));
	TRY(code ? tarn_cpu_give_code(b, n->out[0], CPU_NHWC, code, &out) : tarn_cpu_give(b, n->out[0], CPU_NHWC, &out));
	*taken = true;
	return tarn_cpu_step_new(b, &tarn_cpu_k_resize, g, &in, 1, &out, 1, NULL, -1);
}

typedef struct resize_plan {
	int64_t from, to; /* pixels of an image */
	int64_t images;
	size_t pixel; /* bytes */
	int32_t at[]; /* [to]: the pixel each comes from */
} resize_plan;

/* The numbers of the source pixels, from the operator's own evaluation. */
static tarn_err pixel_numbers(const tarn_node *n, const tarn_shape *x, const tarn_shape *y, tarn_tensor *out)
{
	int64_t dim[4] = {1, 1, x->dim[2], x->dim[3]}, size[4] = {1, 1, y->dim[2], y->dim[3]}, four = 4;
	tarn_tensor numbers = {0}, sizes = {.type = TARN_I64, .rank = 1, .dim = {four}, .data = size};
	const tarn_tensor *in[4] = {&numbers};
	TRY(tarn_tensor_new(TARN_F32, 4, dim, &numbers));
	for (int64_t i = 0; i < dim[2] * dim[3]; i++)
		((float *)numbers.data)[i] = (float)i;
	for (int i = 1; i < n->n_in && i < 4; i++)
		in[i] = n->in[i] ? n->in[i]->konst : NULL;
	if (tarn_resize_by_sizes(n))
		in[TARN_RESIZE_SIZES] = &sizes;
	tarn_err err = tarn_node_eval(n, in, out);
	tarn_tensor_fini(&numbers);
	return err;
}

static tarn_err plan(cpu_instance *inst, const cpu_step *s, const cpu_program *p, void **out)
{
	const tarn_shape *x = &tarn_cpu_val(inst, p, s->in[0])->shape, *y = &tarn_cpu_val(inst, p, s->out[0])->shape;
	int64_t from = x->dim[2] * x->dim[3], to = y->dim[2] * y->dim[3];
	CHECK(from <= MAX_PIXELS && to <= MAX_PIXELS && x->dim[0] == y->dim[0] && x->dim[1] == y->dim[1], TARN_UNSUPPORTED,
	      "an image of %lld pixels is too large to resize; at most %d", (long long)(from > to ? from : to), MAX_PIXELS);
	tarn_tensor t = {0};
	TRY(pixel_numbers(s->node, x, y, &t));
	resize_plan *r = tarn_mem_alloc(sizeof *r + (size_t)to * sizeof *r->at);
	tarn_err err = r ? TARN_OK : tarn_err_nomem((size_t)to * sizeof *r->at);
	CHECK_GOTO(out, err == TARN_OK, err, "out of memory for a table of %lld pixels", (long long)to);
	CHECK_GOTO(out, tarn_tensor_count(&t) == to, TARN_INTERNAL, "a resized image has another size");
	r->from = from;
	r->to = to;
	r->images = x->dim[0];
	r->pixel = (size_t)x->dim[1] * (size_t)tarn_dtype_info(tarn_cpu_type(inst, p, s->in[0]))->bits / 8;
	for (int64_t i = 0; i < to; i++) {
		r->at[i] = (int32_t)((const float *)t.data)[i];
		CHECK_GOTO(out, r->at[i] >= 0 && r->at[i] < from, TARN_INTERNAL, "a resized image has pixels from nowhere");
	}
	*out = r;
	r = NULL;
out:
	tarn_mem_free(r);
	tarn_tensor_fini(&t);
	return err;
}

typedef struct resize_job {
	const resize_plan *p;
	const char *in;
	char *out;
} resize_job;

static void work(void *arg, int64_t begin, int64_t end)
{
	const resize_job *j = arg;
	const resize_plan *p = j->p;
	for (int64_t i = begin; i < end; i++) {
		const char *image = j->in + (size_t)(i / p->to * p->from) * p->pixel;
		memcpy(j->out + (size_t)i * p->pixel, image + (size_t)p->at[i % p->to] * p->pixel, p->pixel);
	}
}

static tarn_err run(cpu_run *r, const cpu_step *s, void *p)
{
	const resize_plan *plan = p;
	resize_job j = {plan, r->ptr[s->in[0]], r->ptr[s->out[0]]};
	tarn_cpu_split(r->pool, plan->images * plan->to, (int64_t)(32768 / (plan->pixel + 1)) + 1, work, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_resize = {
	.name = "nearest resize", .build = build, .plan = plan, .plan_free = tarn_mem_free, .run = run};
