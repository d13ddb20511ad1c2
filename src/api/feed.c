/* SPDX-License-Identifier: Apache-2.0 */
#include "api/feed.h"

#include "base/mem.h"
#include "dyn/bound.h"
#include "fmt/data/data.h"
#include "rt/canary.h"

/* Where one input's data comes from. */
typedef struct feed {
	tarn_dataset *data; /* NULL: constant */
	int64_t constant;   /* of an int64 [1] input */
	tarn_dtype type;
	int rank;
	int64_t dim[TARN_MAX_RANK];
	int64_t own[TARN_MAX_RANK]; /* of the data: less than dim along a bounded axis whose samples are shorter */
	size_t batch, bytes;        /* samples in one tensor, and bytes of one */
} feed;

struct tarn_feed {
	const tarn_quantize_options *o;
	tarn_arena arena;
	feed *feed; /* by input; NULL: the user's function */
	size_t n;
};

/* Samples may be shorter than the bound of an axis: they are padded. */
static tarn_err shorten(const tarn_model *m, const tarn_value *v, const int64_t *sample, feed *f)
{
	for (int i = 0;; i++) {
		tarn_bound b;
		bool found;
		TRY(tarn_model_bound_get(m, i, &b, &found));
		if (!found)
			return TARN_OK;
		for (size_t k = 0; k < b.port.len; k++) {
			int axis = b.port.at[k].axis;
			if (!b.port.at[k].output && axis > 0 && axis < f->rank && !strcmp(b.port.at[k].port, v->name) &&
			    sample[axis - 1] < f->own[axis])
				f->own[axis] = sample[axis - 1];
		}
		tarn_bound_fini(&b);
	}
}

static tarn_err feed_of_dataset(const tarn_model *m, const tarn_value *v, tarn_dataset *d, feed *f)
{
	tarn_dtype own_type;
	int own_rank;
	int64_t own[TARN_MAX_RANK];
	tarn_dataset_sample(d, &own_type, &own_rank, own);
	CHECK(v->shape.rank >= 1, TARN_SHAPE, "input '%s' has no batch axis; quantize with samples of your own", v->name);
	*f = (feed){.data = d, .type = v->type, .rank = v->shape.rank, .batch = 1};
	for (int i = 0; i < f->rank; i++) {
		f->dim[i] = v->shape.dim[i];
		if (f->dim[i] >= 0)
			continue;
		CHECK(i == 0 || own_rank + 1 == f->rank, TARN_SHAPE,
		      "input '%s': axis %d is free and the data does not tell its size; give -shape", v->name, i);
		f->dim[i] = i ? own[i - 1] : 1;
	}
	/* A model of a fixed larger batch takes as many samples at once. */
	if (own_rank == 0 || f->rank == own_rank + 1)
		f->batch = f->dim[0] > 0 ? (size_t)f->dim[0] : 1;
	int64_t one[TARN_MAX_RANK];
	memcpy(f->own, f->dim, sizeof f->own);
	if (f->rank == own_rank + 1)
		TRY(shorten(m, v, own, f));
	memcpy(one, f->own, sizeof one);
	one[0] = f->dim[0] / (int64_t)f->batch;
	TRY(tarn_dataset_target(d, f->type, f->rank, one));
	return tarn_dataset_bytes(d, &f->bytes);
}

/* How much of a bound's axes the data fills: the same in all inputs, or the least. */
static int64_t valid_of(const tarn_model *m, const tarn_feed *f, const tarn_bound *b)
{
	int64_t valid = b->max;
	for (size_t i = 0; i < b->port.len; i++)
		for (size_t k = 0; k < f->n; k++) {
			const feed *x = &f->feed[k];
			int axis = b->port.at[i].axis;
			if (!b->port.at[i].output && x->data && axis < x->rank && x->own[axis] < valid &&
			    !strcmp(m->main->input.at[k]->name, b->port.at[i].port))
				valid = x->own[axis];
		}
	return valid;
}

/* Inputs that bounds added: without data of their own they say how long the samples are. */
static tarn_err feed_lengths(const tarn_model *m, tarn_feed *f, bool *given)
{
	for (int i = 0;; i++) {
		tarn_bound b;
		bool found;
		TRY(tarn_model_bound_get(m, i, &b, &found));
		if (!found)
			return TARN_OK;
		for (size_t k = 0; k < f->n; k++)
			if (!given[k] && !strcmp(m->main->input.at[k]->name, b.length_input)) {
				f->feed[k] = (feed){
					.constant = valid_of(m, f, &b), .type = TARN_I64, .rank = 1, .dim = {1}, .batch = 1};
				given[k] = true;
			}
		tarn_bound_fini(&b);
	}
}

static tarn_err feeds_of(const tarn_model *m, tarn_feed *f, bool *given, size_t *samples)
{
	const tarn_quantize_options *o = f->o;
	for (size_t i = 0; i < o->n_source; i++) {
		int64_t k = 0;
		if (o->source[i].input)
			TRY(tarn_port_find(m, NULL, false, o->source[i].input, &k));
		const tarn_value *v = m->main->input.at[k];
		CHECK(!given[k], TARN_USAGE, "input '%s' has two data sets; give it one", v->name);
		given[k] = true;
		TRY(feed_of_dataset(m, v, o->source[i].dataset, &f->feed[k]));
		size_t n = tarn_dataset_count(o->source[i].dataset) / f->feed[k].batch;
		CHECK(i == 0 || n == *samples, TARN_SHAPE, "input '%s' has %zu samples, another input %zu", v->name, n,
		      *samples);
		*samples = n;
	}
	TRY(feed_lengths(m, f, given));
	for (size_t k = 0; k < f->n; k++)
		CHECK(given[k], TARN_USAGE, "input '%s' has no data; give a data set for each input, as NAME=FILE",
		      m->main->input.at[k]->name);
	return TARN_OK;
}

static tarn_err read_samples(const feed *f, size_t i, tarn_tensor *t)
{
	for (size_t k = 0; k < f->batch; k++)
		TRY(tarn_dataset_read(f->data, i * f->batch + k, (char *)t->data + k * f->bytes));
	return TARN_OK;
}

static tarn_err read_feed(const feed *f, size_t i, tarn_tensor *t)
{
	tarn_tensor shorter;
	TRY(tarn_tensor_new(f->type, f->rank, f->dim, t));
	if (!f->data) {
		tarn_tensor_set_i64(t, 0, f->constant);
		return TARN_OK;
	}
	if (!memcmp(f->own, f->dim, (size_t)f->rank * sizeof *f->dim))
		return read_samples(f, i, t);
	TRY(tarn_tensor_new(f->type, f->rank, f->own, &shorter));
	tarn_err err = read_samples(f, i, &shorter);
	if (!err)
		err = tarn_tensor_copy_corner(&shorter, t);
	tarn_tensor_fini(&shorter);
	return err;
}

static tarn_err ask_user(const tarn_quantize_options *o, size_t i, size_t k, tarn_tensor *t)
{
	ov_tensor_t *h = NULL;
	ov_status_e status = o->sample(o->ctx, i, k, &h);
	CHECK(status == OK && h, TARN_BAD_FILE, "the program gave no data for sample %zu of input %zu", i, k);
	tarn_err err = tarn_tensor_copy(&h->box->t, t);
	ov_tensor_free(h);
	return err;
}

static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	const tarn_feed *f = ctx;
	for (size_t k = 0; k < f->n; k++)
		TRY(f->feed ? read_feed(&f->feed[k], i, &in[k]) : ask_user(f->o, i, k, &in[k]));
	return TARN_OK;
}

static void progress(void *ctx, const char *what, size_t done, size_t total)
{
	const tarn_feed *f = ctx;
	if (f->o->progress)
		f->o->progress(f->o->ctx, what, done, total);
}

static bool stop(void *ctx)
{
	const tarn_feed *f = ctx;
	return f->o->stop && f->o->stop(f->o->ctx);
}

static tarn_err check(const tarn_model *m, const tarn_quantize_options *o)
{
	CHECK((unsigned)o->preset < 3, TARN_USAGE, "there is no preset %d", (int)o->preset);
	CHECK((unsigned)o->estimator < TARN_QUANT_ESTIMATORS && (unsigned)o->equalize < 3 && (unsigned)o->bias < 4 &&
		      (unsigned)o->round < 3 && (unsigned)o->fine < 3,
	      TARN_USAGE, "there is no such estimator or repair; see tarn/quantize.h");
	CHECK(!(o->strength < 0 || o->strength > 1), TARN_USAGE, "a strength lies between 0 and 1, not at %g", o->strength);
	CHECK(o->n_ignore <= 1 << 20, TARN_USAGE, "%zu nodes to ignore are too many", o->n_ignore);
	CHECK(m->main->input.len, TARN_USAGE, "the model has no inputs; nothing can be calibrated");
	return TARN_OK;
}

tarn_err tarn_feed_open(struct ov_core *core, const tarn_model *m, const tarn_quantize_options *o, tarn_quant_options *qo,
			tarn_feed **feed_out)
{
	static const tarn_quant_preset preset[] = {TARN_QUANT_AUTO, TARN_QUANT_PERFORMANCE, TARN_QUANT_MIXED};
	TRY(check(m, o));
	tarn_feed *f = tarn_mem_zalloc(1, sizeof *f);
	if (!f)
		return tarn_err_nomem(sizeof *f);
	f->o = o;
	f->n = m->main->input.len;
	*qo = (tarn_quant_options){.preset = preset[o->preset],
				   .estimator = (tarn_quant_estimator)o->estimator,
				   .equalize = (tarn_quant_repair)o->equalize,
				   .strength = o->strength,
				   .bias = (tarn_quant_bias)o->bias,
				   .round = (tarn_quant_repair)o->round,
				   .fine = (tarn_quant_repair)o->fine,
				   .subset = o->subset,
				   .seed = o->seed,
				   .weight_bits = o->weight_bits,
				   .ignore = o->ignore,
				   .n_ignore = (int)o->n_ignore,
				   .sample = sample,
				   .n_sample = o->sample ? o->n_sample : 0,
				   .progress = progress,
				   .stop = stop,
				   .ctx = f,
				   .layers = o->layers};
	tarn_str why = {0};
	bool is_auto;
	tarn_err err;
	if (o->n_source) {
		bool *given = tarn_arena_zalloc(&f->arena, f->n, sizeof *given);
		f->feed = tarn_arena_zalloc(&f->arena, f->n, sizeof *f->feed);
		CHECK_GOTO(out, given && f->feed, TARN_NOMEM, "out of memory");
		TRY_GOTO(out, feeds_of(m, f, given, &qo->n_sample));
	}
	TRY_GOTO(out, tarn_devices_find(core, "CPU", &qo->device, &is_auto, &why));
	TRY_GOTO(out, tarn_device_open(qo->device));
	*feed_out = f;
	f = NULL;
out:
	tarn_str_fini(&why);
	tarn_feed_close(f);
	return err;
}

tarn_err tarn_feed_canaries(const tarn_quant_options *qo, tarn_model *q, size_t *stored)
{
	size_t inputs = q->main->input.len, n = qo->n_sample < TARN_CANARIES ? qo->n_sample : TARN_CANARIES;
	tarn_tensor *in = tarn_mem_zalloc(n * inputs + 1, sizeof *in);
	tarn_err err = in ? TARN_OK : tarn_err_nomem(n * inputs * sizeof *in);
	for (size_t i = 0; i < n && err == TARN_OK; i++)
		err = qo->sample(qo->ctx, i * (qo->n_sample / n), in + i * inputs);
	if (err == TARN_OK)
		err = tarn_canary_put(q, in, n, stored);
	for (size_t i = 0; in && i < n * inputs; i++)
		tarn_tensor_fini(&in[i]);
	tarn_mem_free(in);
	return err;
}

void tarn_feed_close(tarn_feed *f)
{
	if (!f)
		return;
	tarn_arena_fini(&f->arena);
	tarn_mem_free(f);
}
