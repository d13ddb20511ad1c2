/* SPDX-License-Identifier: Apache-2.0 */
/* Layers to steps, slots and their places in the arena. */
#include "driver/exec/exec.h"

#include <string.h>

#include "base/mem.h"
#include "base/plan.h"
#include "ir/op.h"

int64_t tarn_npu_count(const tarn_value *v)
{
	int64_t n = 1;
	for (int i = 0; i < v->shape.rank; i++)
		n *= v->shape.dim[i];
	return n;
}

tarn_err tarn_npu_slot_new(npu_exec *x, const tarn_value *v, tarn_dtype type, int64_t count, int *slot)
{
	size_t bytes;
	CHECK(count >= 0 && tarn_dtype_bytes(type, (size_t)count, &bytes) && bytes <= (size_t)1 << 40, TARN_SHAPE,
	      "a value of %lld elements is too large", (long long)count);
	TRY(VEC_GROW(&x->slot));
	x->slot.at[x->slot.len] = (npu_slot){.v = v, .type = type, .bytes = bytes, .first = (int)x->step.len, .last = -1};
	*slot = (int)x->slot.len++;
	return TARN_OK;
}

tarn_err tarn_npu_give(npu_exec *x, const tarn_value *v, npu_form form, int *slot)
{
	TRY(tarn_npu_slot_new(x, v, v->type, tarn_npu_count(v), slot));
	x->at[form][v->id] = *slot;
	return TARN_OK;
}

bool tarn_npu_has(const npu_exec *x, const tarn_value *v, npu_form form)
{
	const tarn_node *d = tarn_npu_dequantizer(v);
	return x->at[form][v->id] >= 0 || (d && x->at[form][d->in[0]->id] >= 0);
}

tarn_err tarn_npu_step_new(npu_exec *x, const npu_kernel *k, const npu_layer *l, int n_in, int n_out, npu_step **s)
{
	TRY(VEC_GROW(&x->step));
	int *ports = tarn_arena_alloc(&x->arena, (size_t)(n_in + n_out + 1) * sizeof *ports);
	if (!ports)
		return tarn_err_nomem((size_t)(n_in + n_out) * sizeof *ports);
	for (int i = 0; i < n_in + n_out; i++)
		ports[i] = -1;
	npu_step *at = &x->step.at[x->step.len++];
	*at = (npu_step){.kernel = k, .layer = l, .node = l ? l->main : NULL, .in = ports, .out = ports + n_in};
	at->n_in = n_in;
	at->n_out = n_out;
	*s = at;
	return TARN_OK;
}

/* Channels and pixels of [n][c][...]. */
static tarn_err reorder(npu_exec *x, const tarn_value *v, npu_form to, int from, int *slot)
{
	npu_step *s;
	TRY(tarn_npu_give(x, v, to, slot));
	TRY(tarn_npu_step_new(x, to == NPU_NHWC ? &tarn_npu_k_to_nhwc : &tarn_npu_k_to_plain, NULL, 1, 1, &s));
	s->in[0] = from;
	s->out[0] = *slot;
	return TARN_OK;
}

tarn_err tarn_npu_want(npu_exec *x, const tarn_value *v, npu_form form, int *slot)
{
	CHECK(form == NPU_PLAIN || v->shape.rank >= 3, TARN_INTERNAL, "value '%s' has no pixels", v->name);
	*slot = x->at[form][v->id];
	if (*slot >= 0)
		return TARN_OK;
	int other = x->at[!form][v->id];
	if (other < 0 && v->konst) {
		TRY(tarn_npu_slot_new(x, v, v->type, tarn_npu_count(v), &other));
		x->slot.at[other].fixed = v->konst->data;
		x->at[NPU_PLAIN][v->id] = other;
		if (form == NPU_PLAIN) {
			*slot = other;
			return TARN_OK;
		}
	}
	if (other >= 0)
		return reorder(x, v, form, other, slot);
	const tarn_node *d = v->def;
	CHECK(d && tarn_npu_is(d, "DequantizeLinear"), TARN_BAD_FILE, "value '%s' is used before it is computed", v->name);
	if (d->in[0]->konst || !tarn_npu_dequantizer(v)) {
		/* Constant codes that something else reads too, or one scale for each channel. */
		npu_layer *l = tarn_arena_zalloc(&x->arena, 1, sizeof *l);
		if (!l)
			return tarn_err_nomem(sizeof *l);
		l->main = d;
		npu_built b = {0};
		TRY(tarn_npu_build_eval(x, l, &b));
		return tarn_npu_want(x, v, form, slot);
	}
	int codes;
	npu_step *s;
	TRY(tarn_npu_want(x, d->in[0], form, &codes));
	TRY(tarn_npu_give(x, v, form, slot));
	TRY(tarn_npu_step_new(x, &tarn_npu_k_dequantize, NULL, 1, 1, &s));
	s->node = d;
	s->in[0] = codes;
	s->out[0] = *slot;
	return TARN_OK;
}

/* The activation the kernel did not do, the quantizer, or the rounding to FP16. */
static tarn_err finish(npu_exec *x, const npu_layer *l, const npu_built *b)
{
	if (b->codes)
		return TARN_OK;
	const tarn_value *y = l->act ? l->act->out[0] : l->main->out[0];
	npu_step *s;
	int out;
	if (l->act && !b->fused_act) {
		int from = x->at[b->form][l->main->out[0]->id];
		TRY(tarn_npu_give(x, y, b->form, &out));
		TRY(tarn_npu_step_new(x, &tarn_npu_k_act, l, 1, 1, &s));
		s->node = l->act;
		s->in[0] = from;
		s->out[0] = out;
	}
	if (l->quant) {
		int from = x->at[b->form][y->id];
		TRY(tarn_npu_give(x, l->quant->out[0], b->form, &out));
		TRY(tarn_npu_step_new(x, &tarn_npu_k_quantize, l, 1, 1, &s));
		s->node = l->quant;
		s->in[0] = from;
		s->out[0] = out;
		return TARN_OK;
	}
	x->step.at[x->step.len - 1].round = !l->fp32;
	x->step.at[x->step.len - 1].wide = l->wide_out;
	return TARN_OK;
}

static tarn_err build_layer(npu_exec *x, const npu_layer *l)
{
	static tarn_err (*const builders[])(npu_exec *, const npu_layer *, npu_built *) = {
		tarn_npu_build_qconv, tarn_npu_build_conv, tarn_npu_build_conv_transpose,
		tarn_npu_build_gemm,  tarn_npu_build_pool, tarn_npu_build_eltwise,
		tarn_npu_build_eval};
	npu_built b = {0};
	for (size_t i = 0; i < sizeof builders / sizeof *builders && !b.taken; i++)
		TRY(builders[i](x, l, &b));
	return finish(x, l, &b);
}

/* ---- memory ---- */

static void lifetimes(npu_exec *x)
{
	int n = (int)x->step.len;
	for (int i = 0; i < n; i++) {
		const npu_step *s = &x->step.at[i];
		for (int k = 0; k < s->n_in; k++)
			if (s->in[k] >= 0 && x->slot.at[s->in[k]].last < i)
				x->slot.at[s->in[k]].last = i;
		for (int k = 0; k < s->n_out; k++)
			if (s->out[k] >= 0) {
				npu_slot *o = &x->slot.at[s->out[k]];
				o->first = o->first < i ? o->first : i;
				o->last = o->last > i ? o->last : i;
			}
	}
	for (size_t i = 0; i < x->g->output.len; i++)
		x->slot.at[x->out[i]].last = n;
	for (size_t i = 0; i < x->g->input.len; i++)
		x->slot.at[x->at[NPU_PLAIN][x->g->input.at[i]->id]].first = -1;
}

/* Kernels may read a little beyond their operands. */
static tarn_err place(npu_exec *x)
{
	size_t n = x->slot.len;
	tarn_usage *use = tarn_mem_zalloc(n + 1, sizeof *use);
	size_t *offset = tarn_mem_zalloc(n + 1, sizeof *offset);
	tarn_err err = use && offset ? TARN_OK : tarn_err_nomem((n + 1) * sizeof *use);
	for (size_t i = 0; err == TARN_OK && i < n; i++) {
		const npu_slot *s = &x->slot.at[i];
		use[i] = (tarn_usage){s->fixed ? 0 : s->bytes + TARN_ALIGN, s->first, s->last > s->first ? s->last : s->first};
	}
	if (err == TARN_OK)
		err = tarn_plan(use, (int)n, offset, &x->memory_bytes);
	for (size_t i = 0; err == TARN_OK && i < n; i++)
		x->slot.at[i].offset = offset[i];
	tarn_mem_free(use);
	tarn_mem_free(offset);
	TRY(err);
	CHECK(x->memory_bytes <= (size_t)1 << 40, TARN_NOMEM, "the model needs %zu bytes at once", x->memory_bytes);
	return TARN_OK;
}

static tarn_err build(npu_exec *x, const npu_layers *layers)
{
	const tarn_graph *g = x->g;
	for (int f = 0; f < NPU_FORMS; f++) {
		x->at[f] = tarn_arena_alloc(&x->arena, (g->value.len + 1) * sizeof *x->at[f]);
		if (!x->at[f])
			return tarn_err_nomem(g->value.len * sizeof *x->at[f]);
		for (size_t i = 0; i < g->value.len; i++)
			x->at[f][i] = -1;
	}
	x->out = tarn_arena_alloc(&x->arena, (g->output.len + 1) * sizeof *x->out);
	if (!x->out)
		return tarn_err_nomem(g->output.len * sizeof *x->out);
	int slot;
	for (size_t i = 0; i < g->input.len; i++)
		TRY(tarn_npu_give(x, g->input.at[i], NPU_PLAIN, &slot));
	for (int i = 0; i < layers->n; i++) {
		tarn_err err = build_layer(x, &layers->at[i]);
		if (err != TARN_OK)
			return tarn_err_note(err, "in node '%s' (%s)", layers->at[i].main->name, layers->at[i].main->op->name);
	}
	for (size_t i = 0; i < g->output.len; i++)
		TRY(tarn_npu_want(x, g->output.at[i], NPU_PLAIN, &x->out[i]));
	lifetimes(x);
	return place(x);
}

tarn_err tarn_npu_exec_new(const tarn_graph *g, const npu_layers *layers, npu_exec **exec)
{
	npu_exec *x = tarn_mem_zalloc(1, sizeof *x);
	if (!x)
		return tarn_err_nomem(sizeof *x);
	tarn_mutex_init(&x->lock);
	x->g = g;
	x->layers = layers;
	tarn_err err = build(x, layers);
	if (err != TARN_OK)
		tarn_npu_exec_free(x);
	else
		*exec = x;
	return err;
}

void tarn_npu_exec_free(npu_exec *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->step.len; i++)
		if (x->step.at[i].kernel->state_free)
			x->step.at[i].kernel->state_free(x->step.at[i].state);
	VEC_FINI(&x->step);
	VEC_FINI(&x->slot);
	tarn_mem_free_aligned(x->memory);
	tarn_arena_fini(&x->arena);
	tarn_mutex_fini(&x->lock);
	tarn_mem_free(x);
}
