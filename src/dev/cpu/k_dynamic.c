/* SPDX-License-Identifier: Apache-2.0 */
/* INT8 products of data whose scale and zero point are known only when they run (dynamic quantization): the quantizer, and the
 * product of its codes with constant codes. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "kern/layout.h"
#include "kern/reduce.h"
#include "kern/share.h"
#include "ops/ops.h"

/* ---- DynamicQuantizeLinear ---- */

enum { GRAIN = 32768, MAX_PARTS = 64 };

static tarn_err build_quantize(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	if (n->op != tarn_op_find(NULL, "DynamicQuantizeLinear") || g->last != n || n->in[0]->type != TARN_F32)
		return TARN_OK;
	int in, out[3];
	for (int i = 0; i < 3; i++)
		if (!n->out[i])
			return TARN_OK;
	TRY(tarn_cpu_want(b, n->in[0], CPU_PLAIN, &in));
	for (int i = 0; i < 3; i++)
		TRY(tarn_cpu_give(b, n->out[i], CPU_PLAIN, &out[i]));
	*taken = true;
	return tarn_cpu_step_new(b, &tarn_cpu_k_dynamic_quantize, g, &in, 1, out, 3, NULL, -1);
}

typedef struct range_job {
	const float *x;
	uint8_t *code;
	int64_t count;
	int parts;
	float lo[MAX_PARTS], hi[MAX_PARTS], scale;
	int zero;
} range_job;

static void work_range(void *arg, int64_t begin, int64_t end)
{
	range_job *j = arg;
	for (int64_t p = begin; p < end; p++) {
		int64_t from = j->count * p / j->parts, to = j->count * (p + 1) / j->parts;
		tarn_reduce_f32(TARN_REDUCE_MIN, j->x + from, &j->lo[p], 1, (size_t)(to - from), 1);
		tarn_reduce_f32(TARN_REDUCE_MAX, j->x + from, &j->hi[p], 1, (size_t)(to - from), 1);
	}
}

static void work_codes(void *arg, int64_t begin, int64_t end)
{
	const range_job *j = arg;
	tarn_quantize_f32(j->x + begin, j->code + begin, TARN_CODE_U8, j->scale, j->zero, (size_t)(end - begin));
}

static tarn_err run_quantize(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	range_job j = {.x = r->ptr[s->in[0]], .code = r->ptr[s->out[0]], .count = tarn_cpu_count(r->inst, r->p, s->in[0])};
	int64_t parts = j.count / GRAIN;
	j.parts = parts < 1 ? 1 : parts > MAX_PARTS ? MAX_PARTS : (int)parts;
	tarn_cpu_split(r->pool, j.parts, 1, work_range, &j);
	float lo = 0, hi = 0;
	for (int i = 0; i < j.parts; i++) { /* a NaN loses against 0 */
		lo = j.lo[i] < lo ? j.lo[i] : lo;
		hi = j.hi[i] > hi ? j.hi[i] : hi;
	}
	j.scale = lo == hi ? 1 : (hi - lo) / 255;
	float zero = rintf(0 - lo / j.scale);
	j.zero = (int)fminf(fmaxf(zero, 0), 255);
	float *scale_out = r->ptr[s->out[1]]; /* NULL: nobody reads it */
	uint8_t *zero_out = r->ptr[s->out[2]];
	if (scale_out)
		*scale_out = j.scale;
	if (zero_out)
		*zero_out = (uint8_t)j.zero;
	if (j.code)
		tarn_cpu_split(r->pool, j.count, GRAIN, work_codes, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_dynamic_quantize = {.name = "dynamic quantize", .build = build_quantize, .run = run_quantize};

/* ---- MatMulInteger, MatMulIntegerToFloat ---- */

/* Where the operands of both stand; -1: it has none. */
typedef struct operands {
	const char *op, *domain;
	int a_scale, b_scale, a_zero, b_zero, bias;
} operands;
static const operands forms[] = {{"MatMulInteger", NULL, -1, -1, 2, 3, -1},
				 {"MatMulIntegerToFloat", "com.microsoft", 2, 3, 4, 5, 6}};

typedef struct product_state {
	tarn_qconv *packed;
	int64_t k, n;
	bool is_signed; /* the data are s8 */
	tarn_qepilogue epilogue;
	float *scale, *bias; /* [n] */
} product_state;

static void free_product(void *state)
{
	product_state *s = state;
	tarn_share_drop(s->packed);
	tarn_mem_free(s->scale);
	tarn_mem_free(s->bias);
	tarn_mem_free(s);
}

static const tarn_value *operand(const tarn_node *n, int i)
{
	return i >= 0 && i < n->n_in ? n->in[i] : NULL;
}

/* One number, constant or not. */
static bool single(const tarn_value *v)
{
	int64_t count;
	return !v || (tarn_shape_is_static(&v->shape) && tarn_shape_count(&v->shape, &count) == TARN_OK && count == 1);
}

/* Constant: one number or n, along the last axis. */
static bool constant_row(const tarn_value *v, int64_t n)
{
	if (!v)
		return true;
	int64_t count = v->konst ? tarn_tensor_count(v->konst) : 0;
	return count == 1 || (count == n && v->konst->rank > 0 && v->konst->dim[v->konst->rank - 1] == n);
}

static const operands *form_of(const tarn_node *n)
{
	const operands *f = NULL;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (n->op == tarn_op_find(forms[i].domain, forms[i].op))
			f = &forms[i];
	if (!f)
		return NULL;
	const tarn_value *a = n->in[0], *b = n->in[1], *zero = operand(n, f->a_zero);
	bool codes = (a->type == TARN_U8 || a->type == TARN_I8) && !a->konst && a->shape.rank >= 2 && b->konst &&
		     b->konst->rank == 2 && (b->type == TARN_U8 || b->type == TARN_I8);
	if (!codes || b->konst->dim[0] > INT32_MAX / (255 * 255) || b->konst->dim[1] > 1 << 30 || !b->konst->dim[0])
		return NULL;
	int64_t cols = b->konst->dim[1];
	bool fits = single(zero) && single(operand(n, f->a_scale)) && constant_row(operand(n, f->b_scale), cols) &&
		    constant_row(operand(n, f->b_zero), cols) && constant_row(operand(n, f->bias), cols);
	bool is_float = f->b_scale < 0 || (n->in[f->a_scale]->type == TARN_F32 && n->in[f->b_scale]->type == TARN_F32 &&
					   n->out[0]->type == TARN_F32);
	return fits && is_float && (!zero || zero->type == a->type) ? f : NULL;
}

static double nth(const tarn_value *v, int64_t i)
{
	return tarn_tensor_f64(v->konst, tarn_tensor_count(v->konst) == 1 ? 0 : i);
}

static tarn_err pack(tarn_packs *packs, const tarn_node *n, const operands *f, product_state *s)
{
	const tarn_tensor *w = n->in[1]->konst;
	const tarn_value *zero = operand(n, f->b_zero), *scale = operand(n, f->b_scale), *bias = operand(n, f->bias);
	size_t bytes = tarn_tensor_bytes(w), cols = (size_t)w->dim[1];
	uint8_t *turned = tarn_mem_alloc(bytes + 1);
	int32_t *zeros = tarn_mem_zalloc(cols + 1, sizeof *zeros);
	s->scale = tarn_mem_zalloc(cols + 1, sizeof *s->scale);
	s->bias = tarn_mem_zalloc(cols + 1, sizeof *s->bias);
	tarn_err err = turned && zeros && s->scale && s->bias ? TARN_OK : tarn_err_nomem(bytes);
	s->k = w->dim[0];
	s->n = w->dim[1];
	if (err == TARN_OK)
		tarn_transpose_2d(1, w->data, (size_t)s->n, turned, (size_t)s->k, (size_t)s->k, (size_t)s->n);
	for (int64_t o = 0; err == TARN_OK && o < s->n; o++) {
		zeros[o] = zero ? (int32_t)nth(zero, o) : 0;
		s->scale[o] = scale ? (float)nth(scale, o) : 1;
		s->bias[o] = bias ? (float)nth(bias, o) : 0;
	}
	tarn_conv_spec spec = {(int)s->k, (int)s->n, 1, 1, 1, 1, 1, 1, 1};
	tarn_qconv_input input = tarn_qconv_late_input(s->is_signed ? TARN_CODE_S8 : TARN_CODE_U8);
	if (err == TARN_OK)
		err = tarn_share_qconv(packs, &spec, turned, tarn_cpu_code_type(w->type), zero ? zeros : NULL, input,
				       &s->packed);
	tarn_mem_free(turned);
	tarn_mem_free(zeros);
	return err;
}

static tarn_err build_product(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	const operands *f = n->n_in > 1 ? form_of(n) : NULL;
	if (!f || g->last != n)
		return TARN_OK;
	product_state *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	int in[3] = {-1, -1, -1}, out;
	tarn_err err;
	s->is_signed = n->in[0]->type == TARN_I8;
	TRY_GOTO(out, pack(b->packs, n, f, s));
	s->epilogue = (tarn_qepilogue){.type = f->b_scale < 0 ? TARN_CODE_I32 : TARN_CODE_F32,
				       .scale = s->scale,
				       .bias = s->bias,
				       .f_lo = -INFINITY,
				       .f_hi = INFINITY};
	const tarn_value *wanted[3] = {n->in[0], operand(n, f->a_zero), operand(n, f->a_scale)};
	for (int i = 0; i < 3; i++)
		if (wanted[i])
			TRY_GOTO(out, tarn_cpu_want(b, wanted[i], CPU_PLAIN, &in[i]));
	TRY_GOTO(out, tarn_cpu_give(b, n->out[0], CPU_PLAIN, &out));
	TRY_GOTO(out, tarn_cpu_step_new(b, &tarn_cpu_k_dynamic_product, g, in, 3, &out, 1, s, -1));
	b->p->step.at[b->p->step.len - 1].engine = "int8 GEMM, dynamic scale";
	*taken = true;
	s = NULL;
out:
	if (s)
		free_product(s);
	return err;
}

static void free_plan(void *plan)
{
	tarn_qconv_plan_free(plan);
}

static tarn_err plan_product(cpu_instance *inst, const cpu_step *step, const cpu_program *p, void **out)
{
	const product_state *s = step->state;
	int64_t rows = s->n ? tarn_cpu_count(inst, p, step->out[0]) / s->n : 0;
	tarn_conv_shape shape = {.n = 1, .ih = 1, .iw = (int)rows, .oh = 1, .ow = (int)rows};
	tarn_qconv_plan *q;
	TRY(tarn_qconv_plan_new(s->packed, &shape, &s->epilogue, &q));
	*out = q;
	return TARN_OK;
}

typedef struct product_job {
	const tarn_qconv_plan *plan;
	tarn_qconv_late late;
	const void *in;
	void *out;
} product_job;

static void work_product(void *arg, int64_t begin, int64_t end)
{
	const product_job *j = arg;
	tarn_qconv_run_late(j->plan, &j->late, j->in, j->out, (int)begin, (int)end);
}

static tarn_err run_product(cpu_run *r, const cpu_step *step, void *plan)
{
	const product_state *s = step->state;
	product_job j = {.plan = plan, .in = r->ptr[step->in[0]], .out = r->ptr[step->out[0]]};
	const void *zero = step->in[1] >= 0 ? r->ptr[step->in[1]] : NULL;
	const float *scale = step->in[2] >= 0 ? r->ptr[step->in[2]] : NULL;
	int z = !zero ? 0 : s->is_signed ? *(const int8_t *)zero : *(const uint8_t *)zero;
	TRY(tarn_qconv_late_init(plan, z, scale ? *scale : 1, &j.late));
	tarn_cpu_split_work(r->pool, tarn_qconv_tasks(plan), tarn_cpu_count(r->inst, r->p, step->out[0]) * s->k / 4,
			    work_product, &j);
	tarn_qconv_late_fini(&j.late);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_dynamic_product = {.name = "int8 GEMM, dynamic scale",
					       .build = build_product,
					       .plan = plan_product,
					       .plan_free = free_plan,
					       .run = run_product,
					       .state_free = free_product};
