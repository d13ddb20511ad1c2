/* SPDX-License-Identifier: Apache-2.0 */
/* One execution: inputs in, steps, outputs out; and the steps that move and convert. */
#include <stdio.h>
#include <string.h>

#include "base/f16.h"
#include "base/log.h"
#include "base/mem.h"
#include "driver/exec/exec.h"
#include "ir/op.h"
#include "kern/int8.h"
#include "kern/layout.h"

typedef struct split_job {
	void (*fn)(void *arg, int64_t begin, int64_t end);
	void *arg;
	int64_t n;
} split_job;

static void split_task(void *arg, int task, int n_tasks)
{
	const split_job *j = arg;
	j->fn(j->arg, j->n * task / n_tasks, j->n * (task + 1) / n_tasks);
}

void tarn_npu_split(tarn_pool *pool, int64_t n, int64_t grain, void (*fn)(void *arg, int64_t begin, int64_t end), void *arg)
{
	int64_t tasks = pool ? 4 * (int64_t)tarn_pool_threads(pool) : 1;
	if (tasks > n / (grain > 0 ? grain : 1))
		tasks = n / (grain > 0 ? grain : 1);
	if (tasks <= 1) {
		if (n > 0)
			fn(arg, 0, n);
		return;
	}
	split_job j = {fn, arg, n};
	tarn_pool_run(pool, (int)tasks, split_task, &j);
}

/* ---- FP16 grid ---- */

static inline float on_grid(float x)
{
	uint32_t u, sign, a;
	memcpy(&u, &x, 4);
	sign = u & 0x80000000u;
	a = u & 0x7fffffffu;
	/* Normal numbers: the 13 low bits go, to nearest even. Below 2^-14 the grid is 2^-24, which adding 0.5 leaves. */
	uint32_t normal = (a + 0xfffu + (a >> 13 & 1)) & ~0x1fffu, small;
	float f;
	memcpy(&f, &a, 4);
	f = (f + 0.5f) - 0.5f;
	memcpy(&small, &f, 4);
	uint32_t r = a < 0x38800000u ? small : a >= 0x477ff000u ? (a > 0x7f800000u ? a : 0x7f800000u) : normal;
	r |= sign;
	memcpy(&f, &r, 4);
	return f;
}

static void round_work(void *arg, int64_t begin, int64_t end)
{
	float *x = arg;
	for (int64_t i = begin; i < end; i++)
		x[i] = on_grid(x[i]);
}

static void round_pair_work(void *arg, int64_t begin, int64_t end)
{
	float *x = arg;
	for (int64_t i = begin; i < end; i++) {
		float high = on_grid(x[i]), low = on_grid(x[i] - high);
		x[i] = low != 0 && low - low == 0 ? high + low : high;
	}
}

void tarn_npu_round(tarn_pool *pool, bool wide, float *x, size_t n)
{
	tarn_npu_split(pool, (int64_t)n, 16384, wide ? round_pair_work : round_work, x);
}

/* Does the step read a mask: the lowest FP16, which stands for minus infinity? Something added to it may well fall below. */
static bool reads_mask(npu_exec *x, const npu_step *s)
{
	const npu_run r = {x, NULL};
	for (int k = 0; k < s->n_in; k++) {
		if (s->in[k] < 0 || x->slot.at[s->in[k]].type != TARN_F32)
			continue;
		const float *v = npu_ptr(&r, s->in[k]);
		for (int64_t i = 0, n = tarn_npu_count(x->slot.at[s->in[k]].v); i < n; i++)
			if (v[i] == -NPU_F16_MAX)
				return true;
	}
	return false;
}

/* Finite numbers beyond the largest FP16 become infinite. The hardware would do the same without a word; here it is said, once
 * for each program, because what follows is rarely what the model means. */
static void warn_overflow(npu_exec *x, const npu_step *s, const float *v, size_t n)
{
	bool above = false, below = false;
	for (size_t i = 0; !above && i < n; i++) {
		above = v[i] >= 65520.0f && v[i] - v[i] == 0;
		below |= v[i] <= -65520.0f && v[i] - v[i] == 0;
	}
	if (!above && (!below || reads_mask(x, s)))
		return;
	tarn_mutex_lock(&x->lock);
	if (s->node)
		snprintf(x->overflow, sizeof x->overflow, "'%.200s' (%s)", s->node->name, s->node->op->name);
	else
		snprintf(x->overflow, sizeof x->overflow, "of a layout");
	tarn_mutex_unlock(&x->lock);
	tarn_log(TARN_LOG_WARN,
		 "node %s: values beyond 65504, the largest FP16, became infinite; results behind it are not to be trusted",
		 x->overflow);
}

tarn_err tarn_npu_program_overflow(const tarn_npu_program *p, tarn_str *node)
{
	tarn_mutex_lock(&p->exec->lock);
	tarn_str_add(node, p->exec->overflow);
	tarn_mutex_unlock(&p->exec->lock);
	return tarn_str_done(node);
}

/* ---- moving ---- */

static tarn_err move(const npu_run *r, npu_step *s, bool to_nhwc)
{
	const npu_slot *slot = &r->exec->slot.at[s->out[0]];
	const tarn_shape *sh = &slot->v->shape;
	size_t images = (size_t)sh->dim[0], channels = (size_t)sh->dim[1], pixels = 1;
	size_t elem = (size_t)tarn_dtype_info(slot->type)->bits / 8;
	for (int i = 2; i < sh->rank; i++)
		pixels *= (size_t)sh->dim[i];
	if (to_nhwc)
		tarn_layout_to_nhwc(elem, npu_ptr(r, s->in[0]), npu_ptr(r, s->out[0]), channels, pixels, 0, 0, images * pixels);
	else
		tarn_layout_to_nchw(elem, npu_ptr(r, s->in[0]), npu_ptr(r, s->out[0]), channels, pixels, 0, 0, images * pixels);
	return TARN_OK;
}

static tarn_err run_to_nhwc(const npu_run *r, npu_step *s)
{
	return move(r, s, true);
}

static tarn_err run_to_plain(const npu_run *r, npu_step *s)
{
	return move(r, s, false);
}

const npu_kernel tarn_npu_k_to_nhwc = {"to channels last", NULL, run_to_nhwc, NULL};
const npu_kernel tarn_npu_k_to_plain = {"to channels first", NULL, run_to_plain, NULL};

/* ---- codes ---- */

typedef struct code_job {
	const uint8_t *in;
	uint8_t *out;
	npu_code code;
} code_job;

static tarn_code code_type(const npu_code *c)
{
	return c->type == TARN_I8 ? TARN_CODE_S8 : TARN_CODE_U8;
}

static void dequantize_work(void *arg, int64_t begin, int64_t end)
{
	const code_job *j = arg;
	tarn_dequantize_f32(j->in + begin, (float *)(void *)j->out + begin, code_type(&j->code), j->code.scale, j->code.zero,
			    (size_t)(end - begin));
}

static void quantize_work(void *arg, int64_t begin, int64_t end)
{
	const code_job *j = arg;
	tarn_quantize_f32((const float *)(const void *)j->in + begin, j->out + begin, code_type(&j->code), j->code.scale,
			  j->code.zero, (size_t)(end - begin));
}

static tarn_err run_code(const npu_run *r, npu_step *s, void (*work)(void *, int64_t, int64_t))
{
	code_job j = {npu_ptr(r, s->in[0]), npu_ptr(r, s->out[0]), {0}};
	CHECK(tarn_npu_code(s->node, &j.code), TARN_INTERNAL, "'%s' is not a quantizer of one scale", s->node->name);
	tarn_npu_split(r->pool, tarn_npu_count(r->exec->slot.at[s->out[0]].v), 16384, work, &j);
	return TARN_OK;
}

static tarn_err run_dequantize(const npu_run *r, npu_step *s)
{
	return run_code(r, s, dequantize_work);
}

static tarn_err run_quantize(const npu_run *r, npu_step *s)
{
	return run_code(r, s, quantize_work);
}

const npu_kernel tarn_npu_k_dequantize = {"dequantize", NULL, run_dequantize, NULL};
const npu_kernel tarn_npu_k_quantize = {"quantize", NULL, run_quantize, NULL};

/* ---- a run ---- */

static tarn_err load_arg(const npu_exec *x, const tarn_npu_arg *arg, const void *from, int slot)
{
	const npu_slot *s = &x->slot.at[slot];
	void *to = x->memory + s->offset;
	tarn_dtype t = tarn_npu_dtype(arg->precision);
	if (t == s->type) {
		memcpy(to, from, arg->bytes);
	} else {
		int64_t n = tarn_npu_count(s->v);
		tarn_tensor in = {t, 1, {n}, (void *)(uintptr_t)from, NULL}, out = {s->type, 1, {n}, to, NULL};
		bool wide = tarn_dtype_is_int(t) && tarn_dtype_is_int(s->type);
		for (int64_t i = 0; i < n; i++) {
			if (wide)
				tarn_tensor_set_i64(&out, i, tarn_tensor_i64(&in, i));
			else
				tarn_tensor_set_f64(&out, i, tarn_tensor_f64(&in, i));
		}
	}
	return TARN_OK;
}

static void store_arg(const npu_exec *x, const tarn_npu_arg *arg, int slot, void *to)
{
	const npu_slot *s = &x->slot.at[slot];
	const void *from = s->fixed ? s->fixed : x->memory + s->offset;
	tarn_dtype t = tarn_npu_dtype(arg->precision);
	if (t == s->type) {
		memcpy(to, from, arg->bytes);
		return;
	}
	int64_t n = tarn_npu_count(s->v);
	tarn_tensor in = {s->type, 1, {n}, (void *)(uintptr_t)from, NULL}, out = {t, 1, {n}, to, NULL};
	bool wide = tarn_dtype_is_int(t) && tarn_dtype_is_int(s->type);
	for (int64_t i = 0; i < n; i++) {
		if (wide)
			tarn_tensor_set_i64(&out, i, tarn_tensor_i64(&in, i));
		else
			tarn_tensor_set_f64(&out, i, tarn_tensor_f64(&in, i));
	}
}

static tarn_err ready(npu_exec *x)
{
	if (!x->memory) {
		x->memory = tarn_mem_alloc_aligned(x->memory_bytes + TARN_ALIGN);
		if (!x->memory)
			return tarn_err_nomem(x->memory_bytes);
	}
	for (size_t i = 0; !x->packed && i < x->step.len; i++) {
		npu_step *s = &x->step.at[i];
		if (s->kernel->pack && !s->state) {
			tarn_err err = s->kernel->pack(s);
			if (err != TARN_OK)
				return tarn_err_note(err, "in node '%s' (%s)", s->node->name, s->node->op->name);
		}
	}
	x->packed = true;
	return TARN_OK;
}

tarn_err tarn_exec_run(const tarn_npu_program *program, void *const *args, tarn_pool *pool)
{
	npu_exec *x = program->exec;
	const tarn_graph *g = x->g;
	TRY(ready(x));
	for (size_t i = 0; i < g->input.len; i++) {
		int slot = x->at[NPU_PLAIN][g->input.at[i]->id];
		TRY(load_arg(x, &program->args.at[i], args[i], slot));
		if (x->slot.at[slot].type == TARN_F32)
			tarn_npu_round(pool, npu_is_pair(x->layers, g->input.at[i]),
				       (float *)(void *)(x->memory + x->slot.at[slot].offset),
				       (size_t)tarn_npu_count(g->input.at[i]));
	}
	npu_run r = {x, pool};
	for (size_t i = 0; i < x->step.len; i++) {
		npu_step *s = &x->step.at[i];
		tarn_err err = s->kernel->run(&r, s);
		if (err != TARN_OK)
			return s->node ? tarn_err_note(err, "in node '%s' (%s)", s->node->name, s->node->op->name) : err;
		if (x->watch)
			x->watch(x->watch_ctx, &r, s);
		for (int k = 0; s->round && k < s->n_out; k++)
			if (s->out[k] >= 0 && x->slot.at[s->out[k]].type == TARN_F32) {
				size_t count = (size_t)tarn_npu_count(x->slot.at[s->out[k]].v);
				if (!*x->overflow)
					warn_overflow(x, s, npu_ptr(&r, s->out[k]), count);
				tarn_npu_round(pool, s->wide, npu_ptr(&r, s->out[k]), count);
			}
	}
	for (size_t i = 0; i < g->output.len; i++)
		store_arg(x, &program->args.at[program->args.n_inputs + i], x->out[i], args[program->args.n_inputs + i]);
	return TARN_OK;
}
