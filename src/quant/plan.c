/* SPDX-License-Identifier: Apache-2.0 */
/* The plan itself: the float model it is about, and room for what the stages find. */
#include <math.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "pass/pass.h"
#include "quant/plan.h"

tarn_err tarn_quant_at_sample_size(const tarn_model *m, const tarn_quant_options *o, tarn_arena *a, tarn_model **sized)
{
	size_t n = m->main->input.len;
	tarn_tensor *in = tarn_arena_zalloc(a, n + 1, sizeof *in);
	tarn_shape *shape = tarn_arena_zalloc(a, n + 1, sizeof *shape);
	tarn_model *copy = NULL;
	if (!in || !shape)
		return tarn_err_nomem(n * sizeof *shape);
	CHECK(o->n_sample, TARN_BAD_FILE, "there are no samples to calibrate on");
	tarn_err err = o->sample(o->ctx, 0, in);
	for (size_t i = 0; i < n; i++) {
		shape[i].rank = in[i].rank;
		for (int k = 0; k < in[i].rank; k++)
			shape[i].dim[k] = in[i].dim[k];
		tarn_tensor_fini(&in[i]);
	}
	TRY(err);
	TRY(tarn_model_clone(m, &copy));
	/* A sample that does not fit is found, and named, when it is run. */
	if (tarn_model_reshape(copy, shape, (int)n) == TARN_OK && copy->main->node.len == m->main->node.len)
		*sized = copy;
	else
		tarn_model_unref(copy);
	return TARN_OK;
}

static tarn_err allocate(quant_plan *p)
{
	tarn_arena *a = &p->arena;
	size_t n = p->m->main->node.len + 1, v = p->m->main->value.len + 1;
	p->keep_float = tarn_arena_zalloc(a, n, 1);
	p->int8 = tarn_arena_zalloc(a, n, 1);
	p->moves = tarn_arena_zalloc(a, n, 1);
	p->weight = tarn_arena_zalloc(a, n, sizeof *p->weight);
	p->marked = tarn_arena_zalloc(a, v, 1);
	p->group = tarn_arena_zalloc(a, v, sizeof *p->group);
	p->fine = tarn_arena_zalloc(a, v, 1);
	p->precise = tarn_arena_zalloc(a, n, 1);
	p->stat = tarn_arena_zalloc(a, v, sizeof *p->stat);
	p->grid = tarn_arena_zalloc(a, v, sizeof *p->grid);
	p->estimated = tarn_arena_zalloc(a, v, sizeof *p->estimated);
	if (!p->keep_float || !p->int8 || !p->moves || !p->weight || !p->marked || !p->group || !p->fine || !p->precise ||
	    !p->stat || !p->grid || !p->estimated)
		return tarn_err_nomem(v * sizeof *p->stat);
	return TARN_OK;
}

static tarn_err refuse_quantized(const tarn_graph *g)
{
	for (size_t i = 0; i < g->node.len; i++)
		CHECK(!tarn_quant_is(g->node.at[i], "DequantizeLinear"), TARN_USAGE,
		      "the model is quantized already (node '%s'); start from the float model", g->node.at[i]->name);
	return TARN_OK;
}

tarn_err tarn_quant_plan_init(quant_plan *p, const tarn_model *m, const tarn_quant_options *o)
{
	tarn_model *passed = NULL, *sized = NULL;
	tarn_err err;
	CHECK(o->weight_bits == 0 || o->weight_bits == 8 || o->weight_bits == 4, TARN_USAGE,
	      "weights of %d bits; 8 and 4 are possible", o->weight_bits);
	*p = (quant_plan){.weight_top = o->weight_bits == 4 ? 7 : 127,
			  .preset = o->preset,
			  .correct_means = o->bias != TARN_QUANT_BIAS_OFF,
			  .estimator = o->estimator == TARN_QUANT_SEARCHED ? TARN_QUANT_BY_SQNR : o->estimator};
	TRY(tarn_model_clone(m, &passed));
	TRY_GOTO(out, tarn_pass_standard(passed));
	TRY_GOTO(out, tarn_quant_lower_transposed(passed));
	/* A clone leaves dead values behind: the indices of this one stay what they are when it is cloned again. */
	TRY_GOTO(out, tarn_model_clone(passed, &p->m));
	TRY_GOTO(out, refuse_quantized(p->m->main));
	if (p->preset == TARN_QUANT_AUTO)
		p->preset = tarn_quant_is_uneven(p->m->main) || tarn_quant_is_transformer(p->m->main) ? TARN_QUANT_MIXED
												      : TARN_QUANT_PERFORMANCE;
	TRY_GOTO(out, tarn_quant_at_sample_size(p->m, o, &p->arena, &sized));
	p->sized = sized;
	TRY_GOTO(out, allocate(p));
out:
	tarn_model_unref(passed);
	return err;
}

void tarn_quant_plan_fini(quant_plan *p)
{
	tarn_model_unref(p->m);
	tarn_model_unref((tarn_model *)(uintptr_t)p->sized);
	tarn_arena_fini(&p->arena);
	*p = (quant_plan){0};
}

double tarn_quant_macs(const quant_plan *p, int node)
{
	tarn_cost c = {0};
	const tarn_node *n = p->sized->main->node.at[node];
	return n->op->cost && n->op->cost(n, &c) == TARN_OK ? (double)c.macs : 0;
}
