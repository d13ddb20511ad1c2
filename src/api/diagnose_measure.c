/* SPDX-License-Identifier: Apache-2.0 */
/* What measurements add up to: timelines, waterfalls, comparisons. */
#include "api/handles.h"
#include "base/mem.h"
#include "api/diagnose.h"
#include "diag/compare.h"
#include "diag/fill.h"
#include "diag/summary.h"
#include "diag/waterfall.h"

static tarn_err summarize(const tarn_timeline *t, tarn_timeline_summary *out)
{
	tarn_summary s;
	tarn_event *e = tarn_mem_zalloc(t->size + 1, sizeof *e);
	if (!e)
		return tarn_err_nomem(t->size * sizeof *e);
	for (size_t i = 0; i < t->size; i++) {
		const tarn_timeline_event *from = &t->at[i];
		e[i] = (tarn_event){.request = from->request,
				    .asked = from->asked_ns,
				    .prepare = from->prepare_ns,
				    .start = from->start_ns,
				    .device_begin = from->device_begin_ns,
				    .device_end = from->device_end_ns,
				    .end = from->end_ns,
				    .callback_end = from->callback_end_ns,
				    .copy_in = from->copy_in_ns,
				    .copy_out = from->copy_out_ns,
				    .bytes_copied = from->bytes_copied};
	}
	tarn_err err = tarn_summary_make(e, t->size, &s);
	tarn_mem_free(e);
	TRY(err);
	CHECK(s.n, TARN_NOT_FOUND,
	      "no event of the timeline says when the device worked; measure with --paced, or on hardware");
	*out = (tarn_timeline_summary){
		.inferences = s.n,
		.window_ms = s.window_ms,
		.slot = s.slot,
		.prepare = s.prepare,
		.copy_in = s.copy_in,
		.queue = s.queue,
		.device = s.device,
		.notice = s.notice,
		.copy_out = s.copy_out,
		.callback = s.callback,
		.busy = s.busy,
		.gap_prepare = s.gap_prepare,
		.gap_copy = s.gap_copy,
		.gap_host = s.gap_host,
		.gap_input = s.gap_input,
	};
	return TARN_OK;
}

ov_status_e tarn_summarize_timeline(const tarn_timeline *timeline, tarn_timeline_summary *summary)
{
	NEED(timeline && summary && (timeline->at || !timeline->size));
	return tarn_status(summarize(timeline, summary));
}

static void counters_out(const tarn_counters *c, tarn_diag_counters *out)
{
#define COUNTER(type, field) out->field = c->field;
#include "diag/counters.def"
#undef COUNTER
}

ov_status_e tarn_count_timeline(const struct tarn_timeline_summary *s, tarn_diag_counters *counters)
{
	NEED(s && counters);
	const tarn_summary in = {.n = s->inferences,
				 .window_ms = s->window_ms,
				 .slot = s->slot,
				 .prepare = s->prepare,
				 .copy_in = s->copy_in,
				 .queue = s->queue,
				 .device = s->device,
				 .notice = s->notice,
				 .copy_out = s->copy_out,
				 .callback = s->callback,
				 .busy = s->busy,
				 .gap_prepare = s->gap_prepare,
				 .gap_copy = s->gap_copy,
				 .gap_host = s->gap_host,
				 .gap_input = s->gap_input};
	tarn_counters c = tarn_counters_in(counters);
	tarn_fill_summary(&in, &c);
	counters_out(&c, counters);
	return OK;
}

ov_status_e tarn_count_device(const ov_compiled_model_t *compiled_model, tarn_diag_counters *counters)
{
	NEED(compiled_model && counters);
	const tarn_account *a = compiled_model->p->account;
	if (!a)
		return tarn_status(tarn_err_set(TARN_UNSUPPORTED, "device %s does not tell where its time goes",
						compiled_model->p->device->api->name));
	tarn_counters c = tarn_counters_in(counters);
	tarn_fill_account(a, &c);
	counters_out(&c, counters);
	return OK;
}

_Static_assert((int)TARN_WATERFALL_ROWS == (int)TARN_LOSS_COUNT, "one row for each loss");

ov_status_e tarn_make_waterfall(const tarn_device_account *a, double device_ms, double interval_ms, int64_t macs,
				tarn_waterfall_info *waterfall)
{
	NEED(a && waterfall);
	const tarn_waterfall_input in = {
		.tops = a->tops,
		.tiles = a->tiles,
		.device_tiles = a->device_tiles,
		.mhz = a->mhz,
		.mhz_highest = a->mhz_highest,
		.macs = (double)(a->macs ? a->macs : macs),
		.int8 = a->int8_ms,
		.mixed = a->mixed_ms,
		.padded = a->padded_ms,
		.dpu = a->dpu_ms,
		.stalls = a->stall_weights_ms + a->stall_inputs_ms + a->stall_stores_ms,
		.other_engines = a->shave_ms + a->copy_ms,
		.fixed = a->fixed_ms,
		.total = a->total_ms,
		.device = device_ms,
		.interval = interval_ms,
	};
	tarn_waterfall w;
	if (!tarn_waterfall_make(&in, &w))
		return tarn_status(
			tarn_err_set(TARN_NOT_FOUND, "the device's advertised rate or the model's work is not known"));
	waterfall->advertised = w.advertised;
	waterfall->achieved = w.achieved;
	for (int i = 0; i < TARN_LOSS_COUNT; i++)
		waterfall->row[i] =
			(tarn_waterfall_row){tarn_loss_word((tarn_loss)i), tarn_loss_what((tarn_loss)i), w.loss[i], w.known[i]};
	return OK;
}

ov_status_e tarn_compare_rates(const double *a, const double *b, size_t n, tarn_comparison_info *comparison)
{
	NEED(a && b && n && comparison);
	const tarn_comparison c = tarn_compare(a, b, n);
	*comparison = (tarn_comparison_info){c.gain, c.low, c.high, c.shown};
	return OK;
}
