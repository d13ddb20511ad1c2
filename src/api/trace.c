/* SPDX-License-Identifier: Apache-2.0 */
/* The timeline as a file for Perfetto. */
#include "api/handles.h"
#include "base/file.h"
#include "base/mem.h"
#include "diag/trace.h"
#include "prof/timeline.h"
#include "tarn/profile.h"

/* Of the last inference of that request; strings stay the program's. */
static tarn_err take_layers(const tarn_request *r, tarn_trace_layer **out, size_t *n)
{
	*out = NULL;
	*n = r ? r->layer.len : 0;
	if (!*n)
		return TARN_OK;
	TRY(tarn_request_check_idle((tarn_request *)(uintptr_t)r));
	tarn_trace_layer *at = tarn_mem_alloc(*n * sizeof *at);
	if (!at)
		return tarn_err_nomem(*n * sizeof *at);
	for (size_t i = 0; i < *n; i++) {
		const tarn_layer_profile *l = &r->layer.at[i];
		at[i] = (tarn_trace_layer){l->name, l->type, l->engine, l->ms};
	}
	*out = at;
	return TARN_OK;
}

static tarn_err write_trace(const char *path, tarn_program *p, const tarn_request *r)
{
	tarn_str name = {0}, json = {0}, mode = {0};
	tarn_trace_layer *layer = NULL;
	tarn_event *event = NULL;
	tarn_err err;
	tarn_trace t = {0};
	tarn_timeline_count(&t.n, &t.dropped);
	CHECK(t.n, TARN_USAGE, "the timeline is empty; start it before the inferences");
	TRY_GOTO(done, take_layers(r, &layer, &t.n_layer));
	event = tarn_mem_alloc(t.n * sizeof *event);
	CHECK_GOTO(done, event, TARN_NOMEM, "out of memory for %zu events", t.n);
	tarn_timeline_read(0, t.n, event, &t.n);
	TRY_GOTO(done, tarn_device_get(p->device, "FULL_DEVICE_NAME", &name));
	TRY_GOTO(done, tarn_str_done(&name));
	t.event = event;
	t.device = name.at ? name.at : p->device->api->name;
	t.modelled = tarn_device_is_simulated(p->device, &mode);
	t.layer = layer;
	TRY_GOTO(done, tarn_trace_write(&t, &json));
	err = tarn_file_write(path, json.at, json.len);
done:
	tarn_mem_free(layer);
	tarn_mem_free(event);
	tarn_str_fini(&name);
	tarn_str_fini(&json);
	tarn_str_fini(&mode);
	return err;
}

ov_status_e tarn_write_trace(const char *path, const ov_compiled_model_t *compiled_model, const ov_infer_request_t *request)
{
	NEED(path && compiled_model);
	return tarn_status(write_trace(path, compiled_model->p, request ? request->r : NULL));
}
