/* SPDX-License-Identifier: Apache-2.0 */
/* Running a request, and what it has to say afterwards. */
#include "api/handles.h"
#include "base/clock.h"
#include "base/mem.h"

static void bind_one(const tarn_request *r, const tarn_box *box, tarn_tensor *t, bool *foreign)
{
	tarn_tensor_fini(t);
	if (!box->unset)
		*t = tarn_tensor_share(&box->t);
	*foreign = !box->unset && box->owner != r->program->device;
}

static tarn_err begin(ov_infer_request_t *q)
{
	TRY(tarn_request_begin(q->r));
	for (int i = 0; i < q->r->n_in; i++)
		bind_one(q->r, q->in[i], &q->r->in[i], &q->r->in_foreign[i]);
	for (int i = 0; i < q->r->n_out; i++) {
		bind_one(q->r, q->out[i], &q->r->out[i], &q->r->out_foreign[i]);
		q->r->out_room[i] = q->out[i]->unset ? 0 : q->out[i]->room;
	}
	return TARN_OK;
}

ov_status_e ov_infer_request_infer(ov_infer_request_t *infer_request)
{
	NEED(infer_request);
	tarn_err err = begin(infer_request);
	return tarn_status(err ? err : tarn_request_infer(infer_request->r));
}

ov_status_e ov_infer_request_start_async(ov_infer_request_t *infer_request)
{
	NEED(infer_request);
	tarn_err err = begin(infer_request);
	return tarn_status(err ? err : tarn_request_start(infer_request->r));
}

ov_status_e ov_infer_request_cancel(ov_infer_request_t *infer_request)
{
	NEED(infer_request);
	tarn_request_cancel(infer_request->r);
	return OK;
}

/* Waiting for what was never started is a different fault than waiting too short. */
static ov_status_e wait_status(tarn_err err, const ov_infer_request_t *q)
{
	ov_status_e status = tarn_status(err);
	return err == TARN_NOT_READY && !q->r->t_start ? INFER_NOT_STARTED : status;
}

ov_status_e ov_infer_request_wait(ov_infer_request_t *infer_request)
{
	NEED(infer_request);
	return wait_status(tarn_request_wait(infer_request->r), infer_request);
}

ov_status_e ov_infer_request_wait_for(ov_infer_request_t *infer_request, const int64_t timeout)
{
	NEED(infer_request && timeout >= 0);
	int64_t ms = timeout < INT32_MAX ? timeout : INT32_MAX;
	return wait_status(tarn_request_wait_until(infer_request->r, tarn_clock_ns() + ms * 1000000), infer_request);
}

ov_status_e ov_infer_request_set_callback(ov_infer_request_t *infer_request, const ov_callback_t *callback)
{
	NEED(infer_request && callback && callback->callback_func);
	return tarn_status(tarn_request_set_callback(infer_request->r, callback->callback_func, callback->args));
}

static tarn_err add_info(ov_profiling_info_t *info, const char *name, const char *engine, const char *type, double ms)
{
	char *text[3] = {NULL, NULL, NULL};
	TRY(tarn_text_out(name, &text[0]));
	tarn_err err = tarn_text_out(engine, &text[1]);
	if (!err)
		err = tarn_text_out(type, &text[2]);
	int64_t us = (int64_t)(ms * 1e3 + 0.5);
	*info = (ov_profiling_info_t){.status = EXECUTED,
				      .real_time = us,
				      .cpu_time = us,
				      .node_name = text[0],
				      .exec_type = text[1],
				      .node_type = text[2]};
	return err;
}

static tarn_err list_layers(const tarn_request *r, ov_profiling_info_list_t *out)
{
	size_t n = r->layer.len ? r->layer.len : 1;
	TRY(tarn_request_check_idle((tarn_request *)(uintptr_t)r));
	ov_profiling_info_t *info = tarn_mem_zalloc(n, sizeof *info);
	if (!info)
		return tarn_err_nomem(n * sizeof *info);
	tarn_err err = TARN_OK;
	if (!r->layer.len) {
		const char *device = r->program->device->api->name;
		err = add_info(info, r->program->model->name ? r->program->model->name : "model", device, "Model",
			       (double)r->t_device * 1e-6);
		info->status = r->t_end ? EXECUTED : NOT_RUN;
	}
	for (size_t i = 0; i < r->layer.len && !err; i++) {
		const tarn_layer_profile *l = &r->layer.at[i];
		err = add_info(&info[i], l->name, l->engine, l->type, l->ms);
	}
	*out = (ov_profiling_info_list_t){info, n};
	if (err)
		ov_profiling_info_list_free(out);
	return err;
}

ov_status_e ov_infer_request_get_profiling_info(const ov_infer_request_t *infer_request,
						ov_profiling_info_list_t *profiling_infos)
{
	NEED(infer_request && profiling_infos);
	return tarn_status(list_layers(infer_request->r, profiling_infos));
}

void ov_profiling_info_list_free(ov_profiling_info_list_t *profiling_infos)
{
	if (!profiling_infos)
		return;
	for (size_t i = 0; i < profiling_infos->size; i++) {
		ov_free(profiling_infos->profiling_infos[i].node_name);
		ov_free(profiling_infos->profiling_infos[i].exec_type);
		ov_free(profiling_infos->profiling_infos[i].node_type);
	}
	tarn_mem_free(profiling_infos->profiling_infos);
	*profiling_infos = (ov_profiling_info_list_t){NULL, 0};
}
