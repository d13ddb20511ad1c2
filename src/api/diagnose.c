/* SPDX-License-Identifier: Apache-2.0 */
#include "api/diagnose.h"

#include <math.h>

#include "api/handles.h"
#include "base/mem.h"
#include "diag/verdict.h"
#include "rt/facts.h"

tarn_counters tarn_counters_in(const tarn_diag_counters *in)
{
	return (tarn_counters){
#define COUNTER(type, field) .field = in->field,
#include "diag/counters.def"
#undef COUNTER
	};
}

static tarn_err diagnose(const tarn_diag_counters *in, tarn_verdict *out)
{
	const tarn_counters c = tarn_counters_in(in);
	tarn_str sentence = {0}, next = {0};
	tarn_verdict v = {.gain = NAN};
	tarn_finding f;
	tarn_err err = tarn_verdict_find(&c, &f, &sentence, &next);
	if (!err)
		err = tarn_text_out(sentence.at, &v.sentence);
	if (!err)
		err = tarn_text_out(next.at, &v.next);
	tarn_str_fini(&sentence);
	tarn_str_fini(&next);
	if (err) {
		tarn_free_verdict(&v);
		return err;
	}
	v.name = f.name;
	v.detail = f.detail;
	v.change = f.change < TARN_CHANGE_COUNT ? tarn_change_word(f.change) : NULL;
	v.gain = f.gain;
	*out = v;
	return TARN_OK;
}

ov_status_e tarn_diagnose_counters(const tarn_diag_counters *counters, tarn_verdict *verdict)
{
	NEED(counters && verdict);
	return tarn_status(diagnose(counters, verdict));
}

void tarn_free_verdict(tarn_verdict *verdict)
{
	if (!verdict)
		return;
	tarn_mem_free(verdict->sentence);
	tarn_mem_free(verdict->next);
	*verdict = (tarn_verdict){.gain = NAN};
}

static tarn_err list_changes(const tarn_diag_counters *in, tarn_change_list *out)
{
	const tarn_counters c = tarn_counters_in(in);
	tarn_change_list list = {tarn_mem_zalloc(TARN_CHANGE_COUNT, sizeof *list.at), TARN_CHANGE_COUNT};
	if (!list.at)
		return tarn_err_nomem(sizeof *list.at * TARN_CHANGE_COUNT);
	tarn_err err = TARN_OK;
	for (int i = 0; i < TARN_CHANGE_COUNT && !err; i++) {
		tarn_str flags = {0};
		tarn_diag_change *to = &list.at[i];
		to->word = tarn_change_word((tarn_change)i);
		to->what = tarn_change_what((tarn_change)i);
		to->gain = tarn_change_gain(&c, (tarn_change)i);
		tarn_change_flags(&c, (tarn_change)i, &flags);
		err = tarn_str_done(&flags);
		if (!err)
			err = tarn_text_out(flags.at, &to->flags);
		tarn_str_fini(&flags);
	}
	if (err)
		tarn_free_changes(&list);
	else
		*out = list;
	return err;
}

ov_status_e tarn_list_changes(const tarn_diag_counters *counters, tarn_change_list *changes)
{
	NEED(counters && changes);
	return tarn_status(list_changes(counters, changes));
}

void tarn_free_changes(tarn_change_list *changes)
{
	if (!changes)
		return;
	for (size_t i = 0; i < changes->size; i++)
		tarn_mem_free(changes->at[i].flags);
	tarn_mem_free(changes->at);
	*changes = (tarn_change_list){NULL, 0};
}

static tarn_err facts_of(const tarn_model *m, tarn_model_facts *out)
{
	tarn_facts f;
	TRY(tarn_facts_find(m->main, &f));
	*out = (tarn_model_facts){
		.nodes = f.nodes,
		.nodes_unknown = f.nodes_unknown,
		.macs = f.macs,
		.macs_int8 = f.macs_int8,
		.products_compressed = f.products_compressed,
		.weight_bytes = f.weight_bytes,
		.activation_bytes = f.activation_bytes,
	};
	return TARN_OK;
}

ov_status_e tarn_get_model_facts(const ov_model_t *model, tarn_model_facts *facts)
{
	NEED(model && facts);
	return tarn_status(facts_of(model->m, facts));
}

static tarn_err ask_estimate(struct ov_core *core, const tarn_model *m, const char *device, size_t n,
			     const ov_property_t *property, tarn_estimate *e)
{
	tarn_props props = {0};
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < n && !err; i++)
		err = tarn_props_set(&props, property[i].key, property[i].value);
	if (!err)
		err = tarn_core_estimate(core, m, device, &props, e);
	tarn_props_fini(&props);
	return err;
}

static bool properties_given(size_t n, const ov_property_t *property)
{
	for (size_t i = 0; i < n; i++)
		if (!property || !property[i].key || !property[i].value)
			return false;
	return true;
}

ov_status_e tarn_estimate_model(const ov_core_t *core, const ov_model_t *model, const char *device, size_t num_properties,
				const ov_property_t *properties, tarn_model_estimate *estimate)
{
	NEED(core && model && device && estimate && properties_given(num_properties, properties));
	tarn_estimate e = {.want_layers = false};
	tarn_err err = ask_estimate((struct ov_core *)(uintptr_t)core, model->m, device, num_properties, properties, &e);
	if (!err)
		*estimate = (tarn_model_estimate){e.ms, e.band_low, e.band_high, e.macs, e.ddr_bytes};
	return tarn_status(err);
}

static tarn_err take_layers(const tarn_estimate *e, tarn_estimated_layers *out)
{
	tarn_estimated_layers list = {.ms = e->ms,
				      .band_low = e->band_low,
				      .band_high = e->band_high,
				      .tops_int8 = e->peak_tops_int8,
				      .tops_fp16 = e->peak_tops_fp16,
				      .gbps = e->peak_gbps,
				      .ddr_arena_bytes = e->ddr_arena_bytes,
				      .spill_bytes = e->spill_bytes,
				      .at = tarn_mem_zalloc(e->n_layer + 1, sizeof *list.at)};
	tarn_err err = list.at ? TARN_OK : tarn_err_nomem(e->n_layer * sizeof *list.at);
	for (size_t i = 0; i < e->n_layer && !err; i++) {
		const tarn_layer_estimate *l = &e->layer[i];
		tarn_estimated_layer *to = &list.at[list.size++];
		*to = (tarn_estimated_layer){.ms = l->ms,
					     .dpu_ms = l->dpu_ms,
					     .shave_ms = l->shave_ms,
					     .dma_ms = l->dma_ms,
					     .macs = l->macs,
					     .ddr_bytes = l->ddr_bytes};
		err = tarn_text_out(l->name, &to->name);
		if (!err)
			err = tarn_text_out(l->type, &to->type);
	}
	if (err)
		tarn_free_estimated_layers(&list);
	else
		*out = list;
	return err;
}

ov_status_e tarn_estimate_layers(const ov_core_t *core, const ov_model_t *model, const char *device, size_t num_properties,
				 const ov_property_t *properties, tarn_estimated_layers *layers)
{
	NEED(core && model && device && layers && properties_given(num_properties, properties));
	tarn_estimate e = {.want_layers = true};
	tarn_err err = ask_estimate((struct ov_core *)(uintptr_t)core, model->m, device, num_properties, properties, &e);
	if (!err)
		err = take_layers(&e, layers);
	tarn_mem_free(e.layer);
	return tarn_status(err);
}

void tarn_free_estimated_layers(tarn_estimated_layers *layers)
{
	if (!layers)
		return;
	for (size_t i = 0; i < layers->size; i++) {
		tarn_mem_free(layers->at[i].name);
		tarn_mem_free(layers->at[i].type);
	}
	tarn_mem_free(layers->at);
	*layers = (tarn_estimated_layers){NULL, 0, 0, 0, 0, 0, 0, 0};
}
