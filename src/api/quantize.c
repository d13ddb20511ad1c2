/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/quantize.h"

#include <string.h>

#include "api/control.h"
#include "api/feed.h"
#include "api/layers.h"
#include "api/training.h"
#include "base/mem.h"

static tarn_err data_out(const tarn_model *m, const tarn_quant_report *r, tarn_quantize_report *out)
{
	out->data = tarn_mem_zalloc((size_t)r->n_data + 1, sizeof *out->data);
	if (!out->data)
		return tarn_err_nomem((size_t)r->n_data * sizeof *out->data);
	for (; out->n_data < (size_t)r->n_data; out->n_data++) {
		const tarn_quant_data *x = &r->data[out->n_data];
		tarn_quantize_data *y = &out->data[out->n_data];
		*y = (tarn_quantize_data){
			.lo = x->lo, .hi = x->hi, .mean = x->mean, .deviation = x->deviation, .constant = x->constant};
		TRY(tarn_text_out(m->main->input.at[out->n_data]->name, &y->input));
		TRY(tarn_text_out(x->range, &y->range));
		if (x->warning)
			TRY(tarn_text_out(x->warning, &y->warning));
	}
	out->duplicates = r->duplicates;
	return TARN_OK;
}

static tarn_err report_out(const tarn_model *m, const tarn_quant_report *r, tarn_quantize_report *out)
{
	static const tarn_quantize_preset preset[] = {TARN_QUANTIZE_AUTO, TARN_QUANTIZE_PERFORMANCE, TARN_QUANTIZE_MIXED};
	*out = (tarn_quantize_report){.preset = preset[r->preset],
				      .samples = r->samples,
				      .nodes_int8 = (size_t)r->nodes_int8,
				      .nodes_float = (size_t)r->nodes_float,
				      .mac_share_int8 = r->mac_share_int8,
				      .estimator = (tarn_quantize_estimator)r->estimator,
				      .equalized = r->equalized,
				      .aligned = r->aligned,
				      .bias_off = r->bias_off,
				      .bias_full = r->bias_full,
				      .rounded = r->rounded,
				      .fine = r->fine,
				      .precise = r->precise,
				      .strength = r->strength};
	memcpy(out->estimated, r->estimated, sizeof out->estimated);
	out->reason = tarn_mem_zalloc(r->reason.len + 1, sizeof *out->reason);
	out->output = tarn_mem_zalloc((size_t)r->n_output + 1, sizeof *out->output);
	if (!out->reason || !out->output)
		return tarn_err_nomem(r->reason.len * sizeof *out->reason);
	for (; out->n_reason < r->reason.len; out->n_reason++) {
		tarn_quantize_reason *x = &out->reason[out->n_reason];
		TRY(tarn_text_out(r->reason.at[out->n_reason].node, &x->node));
		TRY(tarn_text_out(r->reason.at[out->n_reason].op, &x->type));
		TRY(tarn_text_out(r->reason.at[out->n_reason].why, &x->why));
	}
	for (; out->n_output < (size_t)r->n_output; out->n_output++) {
		TRY(tarn_text_out(m->main->output.at[out->n_output]->name, &out->output[out->n_output].name));
		out->output[out->n_output].sqnr_db = r->sqnr_db[out->n_output];
	}
	TRY(data_out(m, r, out));
	TRY(tarn_api_control_out(r, out));
	return tarn_api_layers_out(r, out);
}

static tarn_err quantize(struct ov_core *core, const tarn_model *m, const tarn_quantize_options *o, tarn_quant_report *r,
			 tarn_training_report *trained, tarn_model **q, size_t *canaries)
{
	tarn_quant_options qo;
	tarn_feed *feed;
	CHECK(o->n_source || o->sample, TARN_USAGE, "there is no data to calibrate on; give data sets, or a function");
	TRY(tarn_feed_open(core, m, o, &qo, &feed));
	tarn_api_control control;
	tarn_err err = tarn_api_control_init(&control, core, o->control, &qo);
	if (err == TARN_OK)
		err = o->training ? tarn_quantize_and_train(m, &qo, o->training, r, trained, q) : tarn_quant_ptq(m, &qo, q, r);
	if (err == TARN_OK)
		err = tarn_feed_canaries(&qo, *q, canaries);
	tarn_feed_close(feed);
	return err;
}

ov_status_e tarn_quantize_model(const ov_core_t *core, const ov_model_t *model, const tarn_quantize_options *options,
				ov_model_t **quantized, tarn_quantize_report *report)
{
	NEED(core && model && options && quantized);
	tarn_quant_report r = {0};
	tarn_training_report trained = {0};
	tarn_model *q = NULL;
	size_t canaries = 0;
	if (report)
		*report = (tarn_quantize_report){0};
	tarn_err err = quantize((struct ov_core *)(uintptr_t)core, model->m, options, &r, &trained, &q, &canaries);
	if (err == TARN_OK && report) {
		err = report_out(model->m, &r, report);
		report->trained = options->training != NULL;
		report->training = trained;
		report->canaries = canaries;
	}
	tarn_quant_report_fini(&r);
	if (err == TARN_OK)
		err = tarn_model_handle(q, quantized);
	else
		tarn_model_unref(q);
	return tarn_status(err);
}

void tarn_free_quantize_report(tarn_quantize_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; report->reason && i <= report->n_reason; i++) {
		tarn_mem_free(report->reason[i].node);
		tarn_mem_free(report->reason[i].type);
		tarn_mem_free(report->reason[i].why);
	}
	for (size_t i = 0; report->output && i <= report->n_output; i++)
		tarn_mem_free(report->output[i].name);
	for (size_t i = 0; report->data && i <= report->n_data; i++) {
		tarn_mem_free(report->data[i].input);
		tarn_mem_free(report->data[i].range);
		tarn_mem_free(report->data[i].warning);
	}
	tarn_mem_free(report->data);
	tarn_mem_free(report->reason);
	tarn_mem_free(report->output);
	tarn_api_control_free(report);
	tarn_api_layers_free(report);
	*report = (tarn_quantize_report){0};
}
