/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "quant/control.h"
#include "quant/judge.h"
#include "quant/layer_report.h"
#include "quant/repair.h"

void tarn_quant_report_fini(tarn_quant_report *r)
{
	VEC_FINI(&r->reason);
	VEC_FINI(&r->control.step);
	VEC_FINI(&r->layer);
	tarn_model_unref(r->twin);
	tarn_arena_fini(&r->arena);
	*r = (tarn_quant_report){0};
}

static tarn_err judged(quant_plan *p, const tarn_quant_options *o)
{
	quant_judge j;
	tarn_err err = tarn_quant_judge_init(&j, p, o);
	if (err == TARN_OK)
		err = tarn_quant_search(p, o, &j);
	tarn_quant_judge_fini(&j);
	return err;
}

/* Ranges by their estimator, of groups that share one and of layers. Rows stand in the order of the nodes. */
static void count_estimators(const quant_plan *p, tarn_quant_report *r)
{
	const tarn_graph *g = p->m->main;
	memset(r->estimated, 0, sizeof r->estimated);
	for (size_t v = 0; v < g->value.len; v++)
		if (p->marked[v] && p->grid[v].type != TARN_DTYPE_NONE && tarn_quant_root(p, (int)v) == (int)v)
			r->estimated[p->estimated[v]]++;
	for (size_t i = 0, row = 0; i < g->node.len && row < r->layer.len; i++) {
		const tarn_node *n = g->node.at[i];
		tarn_quant_layer *y = &r->layer.at[row];
		if (strcmp(n->name, y->node) != 0)
			continue;
		row++;
		if (y->codes && n->n_in && n->in[0])
			y->estimator = p->estimated[n->in[0]->id];
	}
}

static tarn_err run_stages(quant_plan *p, const tarn_quant_options *o, tarn_quant_report *r, tarn_model **out)
{
	r->samples = o->n_sample;
	TRY(tarn_quant_place(p, o, r));
	CHECK(r->nodes_int8, TARN_UNSUPPORTED, "no node of the model can run in INT8");
	TRY(tarn_quant_observe(p, o));
	tarn_model *plain = tarn_model_ref(p->m); /* the search may change the plan's */
	tarn_err err;
	TRY_GOTO(out, judged(p, o));
	r->preset = p->preset;
	r->estimator = p->estimator;
	r->equalized = p->equalized;
	r->aligned = p->aligned;
	r->strength = p->strength;
	r->rounded = p->rounded;
	r->bias_full = p->bias_full;
	r->bias_off = !p->bias_full && !p->correct_means;
	r->fine = r->precise = 0;
	for (size_t i = 0; i < p->m->main->node.len; i++)
		r->precise += p->precise[i] != 0;
	for (size_t v = 0; v < p->m->main->value.len; v++)
		r->fine += p->fine[v];
	TRY_GOTO(out, o->control ? tarn_quant_control_run(p, plain, o, o->control, r, out) : tarn_quant_write(p, out));
	TRY_GOTO(out, tarn_quant_compare(plain, *out, o, r));
	TRY_GOTO(out, tarn_quant_describe_data(p, o, r));
	if (o->layers) {
		TRY_GOTO(out, tarn_quant_layer_report(p->m, *out, o, r));
		r->twin = tarn_model_ref(p->m);
	}
	count_estimators(p, r);
out:
	tarn_model_unref(plain);
	return err;
}

static tarn_err run_cached(quant_plan *p, const tarn_model *m, const tarn_quant_options *o, tarn_quant_report *r,
			   tarn_model **out)
{
	quant_cache c;
	tarn_err err = tarn_quant_cache_init(&c, o, m->main->input.len);
	if (err == TARN_OK)
		err = tarn_quant_plan_init(p, m, &c.o);
	if (err == TARN_OK)
		err = run_stages(p, &c.o, r, out);
	tarn_quant_plan_fini(p);
	tarn_quant_cache_fini(&c);
	return err;
}

tarn_err tarn_quant_ptq(const tarn_model *m, const tarn_quant_options *o, tarn_model **out, tarn_quant_report *r)
{
	quant_plan p = {0};
	tarn_model *q = NULL;
	tarn_err err;
	if (o->control && o->subset && !o->control->on) { /* calibrated on some, measured on all */
		quant_cache all;
		tarn_quant_options whole = *o, some;
		tarn_quant_control limit = *o->control;
		whole.subset = 0;
		err = tarn_quant_cache_init(&all, &whole, m->main->input.len);
		some = all.o;
		some.subset = o->subset;
		some.control = &limit;
		limit.on = &all.o;
		if (err == TARN_OK)
			err = run_cached(&p, m, &some, r, &q);
		tarn_quant_cache_fini(&all);
	} else {
		err = run_cached(&p, m, o, r, &q);
	}
	if (err == TARN_OK)
		*out = q;
	else
		tarn_model_unref(q);
	return err;
}
