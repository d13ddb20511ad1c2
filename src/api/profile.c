/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/profile.h"

#include "api/handles.h"
#include "base/clock.h"
#include "base/mem.h"
#include "prof/metrics.h"
#include "prof/timeline.h"

ov_status_e tarn_get_request_times(const ov_infer_request_t *request, tarn_request_times *times)
{
	NEED(request && times);
	const tarn_request *r = request->r;
	tarn_err err = tarn_request_check_idle(request->r);
	if (err)
		return tarn_status(err);
	*times = (tarn_request_times){
		.total = (double)(r->t_end - r->t_start) * 1e-6,
		.wait = (double)r->t_wait * 1e-6,
		.copy_in = (double)r->t_copy_in * 1e-6,
		.device = (double)r->t_device * 1e-6,
		.copy_out = (double)r->t_copy_out * 1e-6,
		.device_ms = r->device_ms,
		.device_modelled = r->device_modelled,
		.device_band = r->device_band,
		.mac_share = r->mac_share,
		.ddr_share = r->ddr_share,
		.ddr_bytes = r->ddr_bytes,
		.copies = r->copies,
		.copy_bytes = r->copy_bytes,
		.start_ns = r->t_start,
		.device_begin_ns = r->t_device_begin,
		.device_end_ns = r->t_device_end,
		.end_ns = r->t_end,
	};
	return OK;
}

static tarn_err describe(const tarn_layer_profile *l, tarn_layer_info *info)
{
	*info = (tarn_layer_info){.ms = l->ms, .active_cycles = l->active_cycles, .stall_cycles = l->stall_cycles};
	TRY(tarn_text_out(l->name, &info->name));
	TRY(tarn_text_out(l->type, &info->type));
	return tarn_text_out(l->engine, &info->engine);
}

static tarn_err list_layers(tarn_request *r, tarn_layer_list *out)
{
	TRY(tarn_request_check_idle(r));
	tarn_layer_list list = {tarn_mem_zalloc(r->layer.len + 1, sizeof *list.at), r->layer.len};
	if (!list.at)
		return tarn_err_nomem(r->layer.len * sizeof *list.at);
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < list.size && !err; i++)
		err = describe(&r->layer.at[i], &list.at[i]);
	if (err)
		tarn_free_layers(&list);
	else
		*out = list;
	return err;
}

ov_status_e tarn_list_layers(const ov_infer_request_t *request, tarn_layer_list *layers)
{
	NEED(request && layers);
	return tarn_status(list_layers(request->r, layers));
}

void tarn_free_layers(tarn_layer_list *layers)
{
	if (!layers)
		return;
	for (size_t i = 0; i < layers->size; i++) {
		tarn_mem_free(layers->at[i].name);
		tarn_mem_free(layers->at[i].type);
		tarn_mem_free(layers->at[i].engine);
	}
	tarn_mem_free(layers->at);
	*layers = (tarn_layer_list){NULL, 0};
}

/* ---- timeline ---- */

ov_status_e tarn_start_timeline(size_t capacity)
{
	return tarn_status(tarn_timeline_start(capacity));
}

ov_status_e tarn_stop_timeline(void)
{
	tarn_timeline_stop();
	return OK;
}

static tarn_timeline_event shown(const tarn_event *e)
{
	return (tarn_timeline_event){
		.request = e->request,
		.asked_ns = e->asked,
		.prepare_ns = e->prepare,
		.start_ns = e->start,
		.device_begin_ns = e->device_begin,
		.device_end_ns = e->device_end,
		.end_ns = e->end,
		.callback_end_ns = e->callback_end,
		.copy_in_ns = e->copy_in,
		.copy_out_ns = e->copy_out,
		.bytes_copied = e->bytes_copied,
	};
}

ov_status_e tarn_list_timeline(tarn_timeline *timeline)
{
	NEED(timeline);
	size_t n, dropped;
	tarn_event e;
	tarn_timeline_count(&n, &dropped);
	tarn_timeline t = {tarn_mem_zalloc(n + 1, sizeof *t.at), 0, dropped};
	if (!t.at)
		return tarn_status(tarn_err_nomem(n * sizeof *t.at));
	for (size_t copied = 1; t.size < n; t.size++) {
		tarn_timeline_read(t.size, 1, &e, &copied);
		if (!copied)
			break;
		t.at[t.size] = shown(&e);
	}
	*timeline = t;
	return OK;
}

void tarn_free_timeline(tarn_timeline *timeline)
{
	if (!timeline)
		return;
	tarn_mem_free(timeline->at);
	*timeline = (tarn_timeline){NULL, 0, 0};
}

int64_t tarn_get_clock(void)
{
	return tarn_clock_ns();
}

ov_status_e tarn_begin_preparation(ov_infer_request_t *request, int64_t asked_ns)
{
	NEED(request);
	tarn_err err = tarn_request_check_idle(request->r);
	if (err)
		return tarn_status(err);
	request->r->t_asked = asked_ns;
	request->r->t_prepare = tarn_clock_ns();
	return OK;
}

static tarn_err get_account(const tarn_program *p, tarn_device_account *out)
{
	const tarn_account *a = p->account;
	CHECK(a, TARN_UNSUPPORTED, "device %s does not tell where its time goes; -pc shows the times of layers",
	      p->device->api->name);
	*out = (tarn_device_account){
		.modelled = a->modelled,
		.band = a->band,
		.tops = a->tops,
		.mhz = a->mhz,
		.mhz_highest = a->mhz_highest,
		.tiles = a->tiles,
		.device_tiles = a->device_tiles,
		.layers = a->layers,
		.total_ms = a->total,
		.fixed_ms = a->fixed,
		.dpu_ms = a->dpu,
		.shave_ms = a->shave,
		.copy_ms = a->copy,
		.stall_weights_ms = a->stall_weights,
		.stall_inputs_ms = a->stall_inputs,
		.stall_stores_ms = a->stall_stores,
		.int8_ms = a->int8,
		.mixed_ms = a->mixed,
		.padded_ms = a->padded,
		.recurrent_ms = a->recurrent,
		.macs = a->macs,
		.macs_int8 = a->macs_int8,
		.weight_bytes = a->weight_bytes,
		.load_bytes = a->load_bytes,
		.store_bytes = a->store_bytes,
		.free_bandwidth_ms = a->free_bandwidth,
		.free_compute_ms = a->free_compute,
		.turbo_ms = a->turbo,
		.ddr_arena_bytes = a->ddr_arena_bytes,
		.spill_bytes = a->spill_bytes,
	};
	return TARN_OK;
}

ov_status_e tarn_get_device_account(const ov_compiled_model_t *compiled_model, tarn_device_account *account)
{
	NEED(compiled_model && account);
	return tarn_status(get_account(compiled_model->p, account));
}

ov_status_e tarn_get_load_info(const ov_compiled_model_t *compiled_model, tarn_load_info *info)
{
	NEED(compiled_model && info);
	tarn_program *p = compiled_model->p;
	*info = (tarn_load_info){.compilations = p->compilations,
				 .cache_level = p->cache_level,
				 .cache_hit = p->cache_hit,
				 .notes = tarn_program_notes(p),
				 .canaries = p->canary.samples,
				 .canary_db = p->canary.db,
				 .canary_differs = p->canary.differs,
				 .canary_ms = p->canary.ms};
	return OK;
}

ov_status_e tarn_get_load_note(const ov_compiled_model_t *compiled_model, size_t index, char **note)
{
	NEED(compiled_model && note && index < tarn_program_notes(compiled_model->p));
	return tarn_status(tarn_text_out(tarn_program_note_at(compiled_model->p, index), note));
}

ov_status_e tarn_get_counter(const char *word, int64_t *value)
{
	NEED(word && value);
	for (int i = 0; i < TARN_METRIC_COUNT; i++)
		if (!strcmp(word, tarn_metric_word((tarn_metric)i))) {
			*value = tarn_metric_get((tarn_metric)i);
			return OK;
		}
	return tarn_status(tarn_err_set(TARN_NOT_FOUND, "there is no counter '%s'; see <tarn/profile.h>", word));
}
