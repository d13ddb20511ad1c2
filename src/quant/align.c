/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channel alignment: where products alone read what a product makes, with nothing in between and no border of zeros, each
 * channel is shifted so that its range lies around zero. The first one's bias takes the shift off, the readers' biases put it
 * back; one grid then serves all channels better.
 */
#include <math.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/channels.h"
#include "quant/equalize.h"
#include "quant/run.h"

/* The values that can be shifted, and what was seen of their channels. */
typedef struct aligner {
	const quant_plan *p;
	int *which;
	int n;
	double **lo, **hi; /* by value looked at and channel */
	int64_t *channels;
} aligner;

static bool has_no_border(const tarn_node *n)
{
	if (!tarn_quant_is(n, "Conv"))
		return true;
	int pads = tarn_attr_index(n->op, "pads"), automatic = tarn_attr_index(n->op, "auto_pad");
	for (int i = 0; n->attr[pads].set && i < n->attr[pads].ints.n; i++)
		if (n->attr[pads].ints.at[i])
			return false;
	return tarn_attr_word_is(n, automatic, "NOTSET") || tarn_attr_word_is(n, automatic, "VALID");
}

static bool takes_bias(const tarn_node *n)
{
	return (tarn_quant_is(n, "Conv") || tarn_quant_is(n, "Gemm")) && tarn_quant_channels_product(n);
}

/* Do products alone read v, at least one? */
static bool can_shift(const tarn_graph *g, const tarn_value *v)
{
	bool any = false;
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == v)
			return false;
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++) {
			if (g->node.at[i]->in[k] != v)
				continue;
			if (k || !takes_bias(g->node.at[i]) || !has_no_border(g->node.at[i]))
				return false;
			any = true;
		}
	return any;
}

static tarn_err choose(aligner *a, tarn_arena *arena)
{
	const tarn_graph *g = a->p->m->main;
	size_t room = g->node.len + 1;
	a->which = tarn_arena_zalloc(arena, room, sizeof *a->which);
	a->lo = tarn_arena_zalloc(arena, room, sizeof *a->lo);
	a->hi = tarn_arena_zalloc(arena, room, sizeof *a->hi);
	a->channels = tarn_arena_zalloc(arena, room, sizeof *a->channels);
	if (!a->which || !a->lo || !a->hi || !a->channels)
		return tarn_err_nomem(room * sizeof *a->hi);
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		int axis;
		if (!a->p->int8[i] || !takes_bias(n) || !a->p->marked[n->out[0]->id] || !can_shift(g, n->out[0]))
			continue;
		size_t channels = (size_t)tarn_quant_weights_of(n, &axis)->dim[axis];
		a->channels[a->n] = (int64_t)channels;
		a->lo[a->n] = tarn_arena_zalloc(arena, channels, sizeof(double));
		a->hi[a->n] = tarn_arena_zalloc(arena, channels, sizeof(double));
		if (!a->lo[a->n] || !a->hi[a->n])
			return tarn_err_nomem(channels * sizeof(double));
		for (size_t c = 0; c < channels; c++) {
			a->lo[a->n][c] = (double)INFINITY;
			a->hi[a->n][c] = -(double)INFINITY;
		}
		a->which[a->n++] = (int)n->out[0]->id;
	}
	return TARN_OK;
}

static tarn_err see(void *ctx, size_t sample, tarn_request *r)
{
	(void)sample;
	aligner *a = ctx;
	for (int k = 0; k < a->n; k++) {
		const tarn_tensor *t = &r->out[k];
		int64_t inner = 1, count = tarn_tensor_count(t);
		if (!count || t->rank < 2 || t->dim[1] != a->channels[k])
			continue;
		for (int i = 2; i < t->rank; i++)
			inner *= t->dim[i];
		for (int64_t i = 0; i < count; i++) {
			int64_t c = i / inner % a->channels[k];
			double x = (double)((const float *)t->data)[i];
			a->lo[k][c] = fmin(a->lo[k][c], x);
			a->hi[k][c] = fmax(a->hi[k][c], x);
		}
	}
	return TARN_OK;
}

/* Adds to the bias of n, which gets one where it has none. */
static tarn_err add_to_bias(tarn_graph *g, tarn_node *n, const double *add, int64_t channels)
{
	const tarn_tensor *b = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	tarn_tensor t = {0};
	tarn_err err;
	TRY(b ? tarn_tensor_copy(b, &t) : tarn_tensor_new(TARN_F32, 1, &channels, &t));
	for (int64_t c = 0; c < channels; c++)
		((float *)t.data)[c] = (float)((double)((float *)t.data)[c] + add[c]);
	if (n->n_in < 3)
		TRY_GOTO(out, tarn_node_resize_inputs(g, n, 3));
	TRY_GOTO(out, tarn_value_const(g, b ? n->in[2]->name : NULL, &t, &n->in[2]));
out:
	tarn_tensor_fini(&t);
	return err;
}

/* What a reader's outputs lose when channel i of its input is lowered by mid[i]. */
static void lost(const tarn_node *n, const double *mid, double *add)
{
	int axis, group = tarn_quant_is(n, "Conv") ? tarn_attr_index(n->op, "group") : -1;
	const tarn_tensor *w = tarn_quant_weights_of(n, &axis);
	int64_t outputs = w->dim[axis], inputs = w->dim[!axis], area = tarn_tensor_count(w) / (outputs * inputs);
	int64_t per_group = outputs / (group >= 0 ? tarn_attr_i(n, group) : 1);
	for (int64_t o = 0; o < outputs; o++)
		for (int64_t i = 0; i < inputs; i++)
			for (int64_t k = 0; k < area; k++)
				add[o] +=
					(double)((const float *)w->data)[(axis ? i * outputs + o : o * inputs + i) * area + k] *
					mid[o / per_group * inputs + i];
}

static tarn_err shift(tarn_graph *g, tarn_value *v, const double *mid, double *add, int64_t channels)
{
	for (int64_t c = 0; c < channels; c++)
		add[c] = -mid[c];
	TRY(add_to_bias(g, v->def, add, channels));
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		int axis;
		if (n->in[0] != v)
			continue;
		const tarn_tensor *w = tarn_quant_weights_of(n, &axis);
		double *more = tarn_mem_zalloc((size_t)w->dim[axis], sizeof *more);
		if (!more)
			return tarn_err_nomem((size_t)w->dim[axis] * sizeof *more);
		lost(n, mid, more);
		tarn_err err = add_to_bias(g, n, more, w->dim[axis]);
		tarn_mem_free(more);
		TRY(err);
	}
	return TARN_OK;
}

tarn_err tarn_quant_align(const quant_plan *p, const tarn_quant_options *o, tarn_model **out)
{
	tarn_arena arena = {0};
	aligner a = {.p = p};
	tarn_model *copy = NULL;
	tarn_err err;
	*out = NULL;
	TRY_GOTO(out, choose(&a, &arena));
	if (!a.n)
		goto out;
	TRY_GOTO(out, tarn_quant_run(p->m, a.which, a.n, o, tarn_quant_slice(o, tarn_quant_samples_for(p, 1e10, 128), 0),
				     "looking at channels", see, &a));
	TRY_GOTO(out, tarn_model_clone(p->m, &copy));
	CHECK_GOTO(out, copy->main->value.len == p->m->main->value.len, TARN_INTERNAL, "a copy of the model has other values");
	for (int k = 0; k < a.n; k++) {
		for (int64_t c = 0; c < a.channels[k]; c++) {
			double mid = (a.lo[k][c] + a.hi[k][c]) / 2;
			a.lo[k][c] = isfinite(mid) ? mid : 0; /* the middle from here on; hi is room for what is added */
		}
		TRY_GOTO(out, shift(copy->main, copy->main->value.at[a.which[k]], a.lo[k], a.hi[k], a.channels[k]));
	}
	TRY_GOTO(out, tarn_graph_infer(copy->main));
	*out = copy;
	copy = NULL;
out:
	tarn_model_unref(copy);
	tarn_arena_fini(&arena);
	return err;
}
