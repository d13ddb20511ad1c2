/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/diagnose.h"

#include <math.h>

#include "api/handles.h"
#include "base/mem.h"
#include "diag/verdict.h"
#include "rt/facts.h"

static tarn_counters counters_of(const tarn_diag_counters *in)
{
	return (tarn_counters){
#define COUNTER(type, field) .field = in->field,
#include "diag/counters.def"
#undef COUNTER
	};
}

static tarn_err diagnose(const tarn_diag_counters *in, tarn_verdict *out)
{
	const tarn_counters c = counters_of(in);
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
	const tarn_counters c = counters_of(in);
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

static tarn_err estimate(struct ov_core *core, const tarn_model *m, const char *device, size_t n, const ov_property_t *property,
			 tarn_model_estimate *out)
{
	tarn_props props = {0};
	tarn_estimate e;
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < n && !err; i++)
		err = tarn_props_set(&props, property[i].key, property[i].value);
	if (!err)
		err = tarn_core_estimate(core, m, device, &props, &e);
	if (!err)
		*out = (tarn_model_estimate){e.ms, e.band_low, e.band_high, e.macs, e.ddr_bytes};
	tarn_props_fini(&props);
	return err;
}

ov_status_e tarn_estimate_model(const ov_core_t *core, const ov_model_t *model, const char *device, size_t num_properties,
				const ov_property_t *properties, tarn_model_estimate *estimate_out)
{
	NEED(core && model && device && estimate_out && (properties || !num_properties));
	for (size_t i = 0; i < num_properties; i++)
		NEED(properties[i].key && properties[i].value);
	return tarn_status(
		estimate((struct ov_core *)(uintptr_t)core, model->m, device, num_properties, properties, estimate_out));
}
