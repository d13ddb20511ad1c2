/* SPDX-License-Identifier: Apache-2.0 */
/* Weight-only quantization of <tarn/quantize.h>. */
#include "api/feed.h"
#include "base/mem.h"
#include "quant/weight_only.h"

static tarn_err row_out(const tarn_weight_row *in, tarn_compress_row *out)
{
	*out = (tarn_compress_row){
		.rows = in->rows, .cols = in->cols, .bits = in->bits, .group = (size_t)in->group, .sqnr_db = in->sqnr_db};
	TRY(tarn_text_out(in->node, &out->node));
	TRY(tarn_text_out(in->op, &out->type));
	return in->why ? tarn_text_out(in->why, &out->why) : TARN_OK;
}

static tarn_err report_out(const tarn_model *m, const tarn_weight_report *r, tarn_compress_report *out)
{
	*out = (tarn_compress_report){.bytes_before = r->bytes_before, .bytes_after = r->bytes_after};
	out->row = tarn_mem_zalloc(r->row.len + 1, sizeof *out->row);
	out->output = tarn_mem_zalloc((size_t)r->n_output + 1, sizeof *out->output);
	if (!out->row || !out->output)
		return tarn_err_nomem(r->row.len * sizeof *out->row);
	for (; out->n_row < r->row.len; out->n_row++)
		TRY(row_out(&r->row.at[out->n_row], &out->row[out->n_row]));
	for (; out->n_output < (size_t)r->n_output; out->n_output++) {
		TRY(tarn_text_out(m->main->output.at[out->n_output]->name, &out->output[out->n_output].name));
		out->output[out->n_output].sqnr_db = r->sqnr_db[out->n_output];
	}
	return TARN_OK;
}

static tarn_err compress(struct ov_core *core, const tarn_model *m, const tarn_compress_options *o, tarn_weight_report *r,
			 tarn_model **q, size_t *canaries)
{
	static const tarn_quantize_options none;
	tarn_quant_options qo;
	tarn_feed *feed;
	CHECK(o->group <= 1 << 20, TARN_USAGE, "a group of %zu weights; give 32, 64, 128 or the like, or 0 for none", o->group);
	TRY(tarn_feed_open(core, m, o->data ? o->data : &none, &qo, &feed));
	tarn_err err = tarn_quant_weight_only(m, &qo, o->bits, (int)o->group, q, r);
	if (err == TARN_OK && qo.n_sample)
		err = tarn_feed_canaries(&qo, *q, canaries);
	tarn_feed_close(feed);
	return err;
}

ov_status_e tarn_compress_model(const ov_core_t *core, const ov_model_t *model, const tarn_compress_options *options,
				ov_model_t **compressed, tarn_compress_report *report)
{
	NEED(core && model && options && compressed);
	tarn_weight_report r = {0};
	tarn_model *q = NULL;
	size_t canaries = 0;
	if (report)
		*report = (tarn_compress_report){0};
	tarn_err err = compress((struct ov_core *)(uintptr_t)core, model->m, options, &r, &q, &canaries);
	if (err == TARN_OK && report) {
		err = report_out(model->m, &r, report);
		report->canaries = canaries;
	}
	tarn_weight_report_fini(&r);
	if (err == TARN_OK)
		err = tarn_model_handle(q, compressed);
	else
		tarn_model_unref(q);
	return tarn_status(err);
}

void tarn_free_compress_report(tarn_compress_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; report->row && i <= report->n_row; i++) {
		tarn_mem_free(report->row[i].node);
		tarn_mem_free(report->row[i].type);
		tarn_mem_free(report->row[i].why);
	}
	for (size_t i = 0; report->output && i <= report->n_output; i++)
		tarn_mem_free(report->output[i].name);
	tarn_mem_free(report->row);
	tarn_mem_free(report->output);
	*report = (tarn_compress_report){0};
}
