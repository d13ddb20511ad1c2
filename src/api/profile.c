/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/profile.h"

#include "api/handles.h"
#include "base/mem.h"
#include "prof/metrics.h"

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

ov_status_e tarn_get_load_info(const ov_compiled_model_t *compiled_model, tarn_load_info *info)
{
	NEED(compiled_model && info);
	const tarn_program *p = compiled_model->p;
	*info = (tarn_load_info){p->compilations, p->cache_level, p->cache_hit, p->note.len};
	return OK;
}

ov_status_e tarn_get_load_note(const ov_compiled_model_t *compiled_model, size_t index, char **note)
{
	NEED(compiled_model && note && index < compiled_model->p->note.len);
	return tarn_status(tarn_text_out(compiled_model->p->note.at[index], note));
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
