/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/quantize.h"

#include <string.h>

#include "api/feed.h"
#include "api/training.h"
#include "base/mem.h"
#include "quant/layer_report.h"
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

/* Some of the samples, every step-th when there are many: 300 to 600 are enough to calibrate on. */
typedef struct thinned {
	const tarn_quant_options *all;
	const size_t *order; /* NULL: 0, 1, ... */
	size_t step;
} thinned;
enum { CALIBRATE_ON = 300 };

static tarn_err thinned_sample(void *ctx, size_t i, tarn_tensor *in)
{
	const thinned *t = ctx;
	i *= t->step;
	return t->all->sample(t->all->ctx, t->order ? t->order[i] : i, in);
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

/* Calibration's options for n samples of t's order. */
static tarn_quant_options thinned_options(thinned *t, size_t n)
{
	tarn_quant_options some = *t->all;
	t->step = n < 4 * CALIBRATE_ON ? 1 : n / CALIBRATE_ON;
	some.n_sample = n / t->step;
	some.sample = thinned_sample;
	some.progress = thinned_progress;
	some.stop = thinned_stop;
	some.ctx = t;
	some.control = NULL;
	return some;
}

/* Two calibrations: training starts from one that has not seen the samples that judge it, and must beat one that has seen all.
 */
typedef struct course {
	thinned part, whole;
	tarn_quant_options seen, all; /* samples of the two */
	size_t *order;                /* by place: samples, those trained on first */
	double *hard;                 /* by sample */
	tarn_quant_report r;          /* of the start */
	tarn_model *start, *rival;
	tarn_qat_report trained;
} course;

static tarn_err course_run(course *c, const tarn_model *m, tarn_qat_options *qat, tarn_quant_report *r, tarn_model **q)
{
	const tarn_quant_options *all = qat->data;
	size_t n_train;
	c->whole = (thinned){.all = all};
	c->all = thinned_options(&c->whole, all->n_sample);
	TRY(tarn_quant_ptq(m, &c->all, &c->rival, r));
	TRY(tarn_qat_hard(m, c->rival, qat, c->hard));
	qat->hard = c->hard;
	TRY(tarn_qat_split(qat, c->order, &n_train));
	c->part = (thinned){.all = all, .order = c->order};
	c->seen = thinned_options(&c->part, n_train);
	TRY(tarn_quant_ptq(m, &c->seen, &c->start, &c->r));
	qat->rival = c->rival;
	TRY(tarn_qat_train(m, c->start, qat, q, &c->trained));
	if (c->trained.improved) {
		tarn_quant_report of_rival = *r;
		*r = c->r;
		c->r = of_rival;
	}
	const tarn_quant_options *plan = c->trained.improved ? &c->seen : &c->all;
	if (all->control && !c->trained.interrupted)
		return control_trained(m, all, plan, r, q);
	if (!c->trained.improved)
		return TARN_OK;
	if (c->trained.interrupted) /* the best so far is the result, and is looked at to the end */
		c->all.stop = NULL;
	TRY(tarn_quant_compare(m, *q, &c->all, r)); /* of what leaves */
	memset(r->estimated, 0, sizeof r->estimated);
	return r->twin ? tarn_quant_layer_report(r->twin, *q, &c->all, r) : TARN_OK;
}

tarn_err tarn_quantize_and_train(const tarn_model *m, const tarn_quant_options *all, const tarn_training_options *o,
				 tarn_quant_report *r, tarn_training_report *trained, tarn_model **q)
{
	course c = {0};
	tarn_qat_options qat;
	TRY(training_in(o, all, &qat));
	TRY(tarn_qat_check(m));
	c.order = tarn_mem_zalloc(all->n_sample + 1, sizeof *c.order);
	c.hard = tarn_mem_zalloc(all->n_sample + 1, sizeof *c.hard);
	tarn_err err = c.order && c.hard ? course_run(&c, m, &qat, r, q) : tarn_err_nomem(all->n_sample * sizeof *c.hard);
	*trained = training_out(&c.trained);
	tarn_quant_report_fini(&c.r);
	tarn_model_unref(c.start);
	tarn_model_unref(c.rival);
	tarn_mem_free(c.order);
	tarn_mem_free(c.hard);
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
