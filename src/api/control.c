/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control.h"

#include <math.h>

#include "api/handles.h"
#include "base/mem.h"
#include "quant/drop.h"

/* Share of right classes: the first output has `rows` rows of class scores. */
static tarn_err score(void *ctx, size_t i, const tarn_tensor *out, int n_out, double *right)
{
	const tarn_api_control *x = ctx;
	int64_t rows = (int64_t)(x->o->n_label / x->samples), count = n_out ? tarn_tensor_count(out) : 0,
		classes = count / rows;
	CHECK(classes >= 2 && count % rows == 0, TARN_SHAPE,
	      "the first output has %lld numbers for %lld labels; class scores are needed", (long long)count, (long long)rows);
	*right = 0;
	for (int64_t r = 0; r < rows; r++) {
		int64_t label = x->o->label[i * (size_t)rows + (size_t)r], best = -1;
		CHECK(label >= 0 && label < classes, TARN_USAGE, "sample %zu has class %lld, but the model scores %lld", i,
		      (long long)label, (long long)classes);
		for (int64_t c = 0; c < classes; c++) {
			double v = tarn_tensor_f64(out, r * classes + c);
			if (!isnan(v) && (best < 0 || v > tarn_tensor_f64(out, r * classes + best)))
				best = c;
		}
		*right += (best == label) / (double)rows;
	}
	return TARN_OK;
}

static tarn_err price(void *ctx, const tarn_model *q, tarn_estimate *e)
{
	const tarn_api_control *x = ctx;
	tarn_props none = {0};
	return tarn_core_estimate(x->core, q, x->o->price_device, &none, e);
}

tarn_err tarn_api_control_init(tarn_api_control *x, struct ov_core *core, const tarn_quantize_control *o,
			       tarn_quant_options *qo)
{
	*x = (tarn_api_control){.o = o, .core = core, .samples = qo->n_sample};
	if (!o)
		return TARN_OK;
	x->c = (tarn_quant_control){.max_drop = o->max_drop, .ctx = x};
	if (o->label) {
		CHECK(qo->n_sample && o->n_label >= qo->n_sample && o->n_label / qo->n_sample <= 4096, TARN_USAGE,
		      "%zu labels for %zu inferences", o->n_label, qo->n_sample);
		x->c.score = score;
	}
	if (o->price_device)
		x->c.price = price;
	qo->control = &x->c;
	return TARN_OK;
}

static tarn_err step_out(const tarn_quant_step *in, tarn_quantize_step *out)
{
	static const int what[] = {TARN_STEP_FLOAT, TARN_STEP_INT8, TARN_STEP_RESTORE, TARN_STEP_RETURN};
	*out = (tarn_quantize_step){.accuracy = in->score,
				    .drop = in->drop,
				    .drop_low = in->drop_low,
				    .drop_high = in->drop_high,
				    .mac_share_int8 = in->mac_share_int8,
				    .bytes = in->bytes,
				    .ms = in->cost.ms,
				    .band_low = in->cost.band_low,
				    .band_high = in->cost.band_high,
				    .pareto = in->pareto,
				    .chosen = in->chosen};
	out->what = what[in->what];
	if (!in->node)
		return TARN_OK;
	TRY(tarn_text_out(in->node, &out->node));
	return tarn_text_out(in->op, &out->type);
}

tarn_err tarn_api_control_out(const tarn_quant_report *r, tarn_quantize_report *out)
{
	out->met = r->control.met;
	out->step = tarn_mem_zalloc(r->control.step.len + 1, sizeof *out->step);
	if (!out->step)
		return tarn_err_nomem(r->control.step.len * sizeof *out->step);
	for (; out->n_step < r->control.step.len; out->n_step++)
		TRY(step_out(&r->control.step.at[out->n_step], &out->step[out->n_step]));
	return TARN_OK;
}

void tarn_api_control_free(tarn_quantize_report *out)
{
	for (size_t i = 0; out->step && i <= out->n_step; i++) {
		tarn_mem_free(out->step[i].node);
		tarn_mem_free(out->step[i].type);
	}
	tarn_mem_free(out->step);
}

ov_status_e tarn_compare_scores(const double *reference, const double *score, size_t n, tarn_drop_info *drop)
{
	NEED(reference && score && n && drop);
	const quant_drop d = tarn_quant_drop(reference, score, n);
	*drop = (tarn_drop_info){
		.points = d.points, .low = d.low, .high = d.high, .lost = d.lost, .gained = d.gained, .chance = d.chance};
	return OK;
}
