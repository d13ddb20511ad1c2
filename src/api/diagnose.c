/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/diagnose.h"

#include "api/handles.h"
#include "base/mem.h"
#include "diag/verdict.h"
#include "rt/facts.h"

static tarn_err diagnose(const tarn_diag_counters *in, tarn_verdict *out)
{
	const tarn_counters c = {
		.inferences = in->inferences,
		.prepare = in->prepare,
		.copy_in = in->copy_in,
		.device = in->device,
		.copy_out = in->copy_out,
		.wait = in->wait,
		.other = in->other,
		.busy = in->busy,
		.mac = in->mac,
		.ddr = in->ddr,
		.int8 = in->int8,
		.in_flight = in->in_flight,
		.optimal = in->optimal,
		.workers = in->workers,
		.processors = in->processors,
		.rate_limited = in->rate_limited,
		.exact = in->exact,
		.decodes_in_full = in->decodes_in_full,
	};
	tarn_str sentence = {0}, next = {0};
	tarn_verdict v = {NULL, NULL, NULL};
	tarn_err err = tarn_verdict_find(&c, &v.name, &sentence, &next);
	if (!err)
		err = tarn_text_out(sentence.at, &v.sentence);
	if (!err)
		err = tarn_text_out(next.at, &v.next);
	tarn_str_fini(&sentence);
	tarn_str_fini(&next);
	if (err)
		tarn_free_verdict(&v);
	else
		*out = v;
	return err;
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
	*verdict = (tarn_verdict){NULL, NULL, NULL};
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
