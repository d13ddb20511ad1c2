/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/quantize.h"

#include "api/feed.h"
#include "api/training.h"
#include "quant/plan.h"
#include "quant/qat/qat.h"

static tarn_training_score score_out(const tarn_qat_score *s)
{
	return (tarn_training_score){s->loss, s->right, s->n};
}

static tarn_training_report training_out(const tarn_qat_report *r)
{
	return (tarn_training_report){.before = score_out(&r->before),
				      .after = score_out(&r->after),
				      .epochs = r->epochs,
				      .steps = r->steps,
				      .improved = r->improved,
				      .interrupted = r->interrupted,
				      .resumed = r->resumed,
				      .seconds = r->seconds,
				      .bytes = r->bytes,
				      .planned = r->planned,
				      .budget = r->budget,
				      .again = r->again,
				      .nodes = r->nodes,
				      .parameters = r->parameters,
				      .trained_on = r->trained_on,
				      .held_out = r->holdout,
				      .mixed = r->mixed,
				      .threads = r->threads};
}

static tarn_err training_in(const tarn_training_options *o, const tarn_quant_options *data, tarn_qat_options *q)
{
	CHECK(!o->labels || (data->n_sample && o->n_labels >= data->n_sample && o->n_labels % data->n_sample == 0), TARN_USAGE,
	      "%zu labels for %zu samples", o->n_labels, data->n_sample);
	CHECK(o->epochs >= 0 && o->batch >= 0 && o->threads >= 0 && o->rate >= 0 && o->holdout >= 0 && o->holdout < 1 &&
		      o->label_weight >= 0 && o->label_weight <= 1,
	      TARN_USAGE, "a training option is out of range: holdout and label_weight lie between 0 and 1, none is negative");
	*q = (tarn_qat_options){.data = data,
				.label = o->labels,
				.rows = o->labels ? o->n_labels / data->n_sample : 0,
				.epochs = o->epochs,
				.batch = o->batch,
				.rate = o->rate,
				.holdout = o->holdout,
				.mix = o->mix,
				.label_weight = o->label_weight,
				.seed = o->seed,
				.threads = o->threads,
				.budget = o->memory,
				.checkpoint = o->checkpoint,
				.resume = o->resume,
				.fresh = o->fresh};
	return TARN_OK;
}

/* Every step-th sample when there are many: 300 to 600 are enough to calibrate on. */
typedef struct thinned {
	const tarn_quant_options *all;
	size_t step;
} thinned;
enum { CALIBRATE_ON = 300 };

static tarn_err thinned_sample(void *ctx, size_t i, tarn_tensor *in)
{
	const thinned *t = ctx;
	return t->all->sample(t->all->ctx, i * t->step, in);
}

static void thinned_progress(void *ctx, const char *what, size_t done, size_t total)
{
	const thinned *t = ctx;
	if (t->all->progress)
		t->all->progress(t->all->ctx, what, done, total);
}

static bool thinned_stop(void *ctx)
{
	const thinned *t = ctx;
	return t->all->stop && t->all->stop(t->all->ctx);
}

/* Layers of the trained model *q return to float until the limit holds. The same samples make the same plan as before. */
static tarn_err control_trained(const tarn_model *m, const tarn_quant_options *all, const tarn_quant_options *some,
				tarn_quant_report *r, tarn_model **q)
{
	tarn_quant_options o = *some;
	tarn_quant_control c = *all->control;
	tarn_model *out = NULL;
	c.trained = *q;
	c.on = all;
	o.control = &c;
	tarn_quant_report_fini(r);
	*r = (tarn_quant_report){0};
	TRY(tarn_quant_ptq(m, &o, &out, r));
	tarn_model_unref(*q);
	*q = out;
	return TARN_OK;
}

tarn_err tarn_quantize_and_train(const tarn_model *m, const tarn_quant_options *all, const tarn_training_options *o,
				 tarn_quant_report *r, tarn_training_report *trained, tarn_model **q)
{
	thinned t = {all, all->n_sample < 4 * CALIBRATE_ON ? 1 : all->n_sample / CALIBRATE_ON};
	tarn_quant_options some = *all;
	tarn_qat_options qat;
	tarn_qat_report qr;
	tarn_model *start = NULL;
	TRY(training_in(o, all, &qat));
	some.n_sample = all->n_sample / t.step;
	some.sample = thinned_sample;
	some.progress = thinned_progress;
	some.stop = thinned_stop;
	some.ctx = &t;
	some.control = NULL;
	TRY(tarn_quant_ptq(m, &some, &start, r));
	tarn_err err = tarn_qat_train(m, start, &qat, q, &qr);
	tarn_model_unref(start);
	if (err == TARN_OK && all->control && !qr.interrupted)
		err = control_trained(m, all, &some, r, q);
	else if (err == TARN_OK && qr.improved)
		err = tarn_quant_compare(m, *q, &some, r); /* of what leaves */
	*trained = training_out(&qr);
	return err;
}

static tarn_err train(struct ov_core *core, const tarn_model *m, const tarn_quantize_options *o, tarn_training_report *report,
		      tarn_model **out)
{
	tarn_quant_options qo;
	tarn_qat_options qat;
	tarn_qat_report qr = {0};
	tarn_feed *feed;
	CHECK(o->training && o->training->labels, TARN_USAGE, "training needs labels");
	CHECK(o->n_source || o->sample, TARN_USAGE, "there is no data to train on; give data sets, or a function");
	TRY(tarn_feed_open(core, m, o, &qo, &feed));
	tarn_err err = training_in(o->training, &qo, &qat);
	if (err == TARN_OK)
		err = tarn_qat_train(NULL, m, &qat, out, &qr);
	*report = training_out(&qr);
	tarn_feed_close(feed);
	return err;
}

ov_status_e tarn_train_model(const ov_core_t *core, const ov_model_t *model, const tarn_quantize_options *data,
			     ov_model_t **trained, tarn_training_report *report)
{
	NEED(core && model && data && trained);
	tarn_training_report r = {0};
	tarn_model *m = NULL;
	tarn_err err = train((struct ov_core *)(uintptr_t)core, model->m, data, &r, &m);
	if (report)
		*report = r;
	return tarn_status(err == TARN_OK ? tarn_model_handle(m, trained) : err);
}
