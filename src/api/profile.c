/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/profile.h"

#include "api/handles.h"
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
		.copies = r->copies,
		.copy_bytes = r->copy_bytes,
	};
	return OK;
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
