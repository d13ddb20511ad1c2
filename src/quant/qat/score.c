/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/qat/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "quant/run.h"

uint64_t qat_random(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void qat_shuffle(size_t *at, size_t n, uint64_t *state)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = (size_t)(qat_random(state) % i), v = at[k];
		at[k] = at[i - 1];
		at[i - 1] = v;
	}
}

/* All outputs of a run, as f32 side by side. */
static tarn_err outputs_of(qat_data *d, const tarn_request *r, size_t sample)
{
	size_t n = 0;
	for (int k = 0; k < r->n_out; k++)
		n += (size_t)tarn_tensor_count(&r->out[k]);
	float *at = d->teacher[sample] = tarn_arena_alloc(&d->arena, (n + 1) * sizeof *at);
	if (!at)
		return tarn_err_nomem(n * sizeof *at);
	d->size[sample] = n;
	for (int k = 0; k < r->n_out; k++)
		for (int64_t i = 0; i < tarn_tensor_count(&r->out[k]); i++)
			*at++ = (float)tarn_tensor_f64(&r->out[k], i);
	return TARN_OK;
}

static tarn_err note_teacher(void *ctx, size_t i, tarn_request *r)
{
	return outputs_of(ctx, r, i);
}

const tarn_value *qat_data_value(const qat_data *d, const tarn_graph *g, size_t k)
{
	return d->tapped[k] ? qat_tap(g, k) : g->output.at[k];
}

/* Runs m with the taps as its outputs; as it is when there are none. */
static tarn_err run_tapped(const qat_data *d, const tarn_model *m, const tarn_quant_options *q, const char *what,
			   quant_see *see, void *ctx)
{
	int *which = tarn_mem_zalloc(d->n_output + 1, sizeof *which), n = 0;
	if (!which)
		return tarn_err_nomem(d->n_output * sizeof *which);
	for (size_t k = 0; k < d->n_output; k++) {
		which[k] = (int)qat_data_value(d, m->main, k)->id;
		n = d->tapped[k] ? (int)d->n_output : n;
	}
	tarn_err err = tarn_quant_run(m, which, n, q, (quant_slice){.step = 1, .n = q->n_sample}, what, see, ctx);
	tarn_mem_free(which);
	return err;
}

static tarn_err ask_teacher(qat_data *d, const tarn_model *teacher)
{
	const tarn_quant_options *q = d->o->data;
	d->teacher = tarn_arena_zalloc(&d->arena, q->n_sample, sizeof *d->teacher);
	if (!d->teacher)
		return tarn_err_nomem(q->n_sample * sizeof *d->teacher);
	return run_tapped(d, teacher, q, "asking the float model", note_teacher, d);
}

typedef struct place {
	double hard;
	size_t sample, at; /* at: as shuffled, which decides between equals */
} place;

static int harder(const void *a, const void *b)
{
	const place *x = a, *y = b;
	return x->hard != y->hard ? (x->hard < y->hard) - (x->hard > y->hard) : (x->at > y->at) - (x->at < y->at);
}

/* order is shuffled. One of each n / n_hold samples that are about equally hard goes to the end, in place of chance. */
static tarn_err stratify(const double *hard, size_t n, size_t n_hold, uint64_t *state, size_t *order)
{
	place *p = tarn_mem_zalloc(n, sizeof *p);
	size_t train = 0, hold = n - n_hold;
	if (!p)
		return tarn_err_nomem(n * sizeof *p);
	for (size_t i = 0; i < n; i++)
		p[i] = (place){hard[order[i]], order[i], i};
	qsort(p, n, sizeof *p, harder);
	for (size_t k = 0; k < n_hold; k++) {
		size_t first = k * n / n_hold, end = (k + 1) * n / n_hold;
		size_t chosen = first + (size_t)(qat_random(state) % (end - first));
		for (size_t i = first; i < end; i++)
			order[i == chosen ? hold++ : train++] = p[i].sample;
	}
	tarn_mem_free(p);
	return TARN_OK;
}

tarn_err tarn_qat_split(const tarn_qat_options *o, size_t *order, size_t *n_train)
{
	size_t n = o->data->n_sample, hold = (size_t)((o->holdout > 0 ? o->holdout : 0.2) * (double)n + 0.5);
	uint64_t state = o->seed ^ 0x686f6c64u;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qat_shuffle(order, n, &state);
	hold = hold < 1 ? 1 : hold >= n ? n - 1 : hold;
	*n_train = n == 1 ? 1 : n - hold;
	return o->hard && n > 1 ? stratify(o->hard, n, hold, &state, order) : TARN_OK;
}

/* The real samples as tarn_qat_split has them, with the mixtures between the two parts; a third of what is seen should be real,
 * so the few are seen more than once. */
static tarn_err split(qat_data *d, qat_mix *mix)
{
	size_t n = mix->from->n_sample, all = d->o->data->n_sample;
	tarn_qat_options real = *d->o;
	real.data = mix->from;
	CHECK(n, TARN_BAD_FILE, "there are no samples to train on");
	size_t third = mix->mixed / 2, again = third > n ? third - n : 0;
	d->order = tarn_arena_zalloc(&d->arena, all + again, sizeof *d->order);
	d->size = tarn_arena_zalloc(&d->arena, all, sizeof *d->size);
	if (!d->order || !d->size)
		return tarn_err_nomem(n * sizeof *d->size);
	TRY(tarn_qat_split(&real, d->order, &d->n_train));
	d->n_hold = n == 1 ? 1 : n - d->n_train;
	mix->train = d->order;
	mix->n_train = d->n_real = d->n_train;
	d->mixed = mix->mixed;
	if (d->mixed)
		memmove(d->order + d->n_train + d->mixed + again, d->order + d->n_train, d->n_hold * sizeof *d->order);
	for (size_t i = 0; i < d->mixed; i++)
		d->order[d->n_train++] = n + i;
	for (size_t i = 0; i < again; i++)
		d->order[d->n_train++] = d->order[i % d->n_real];
	return TARN_OK;
}

tarn_err qat_data_init(qat_data *d, const tarn_qat_options *o, qat_mix *mix, const tarn_model *start, const tarn_model *teacher)
{
	const tarn_graph *g = start->main;
	*d = (qat_data){.o = o, .n_output = g->output.len, .rows = 1};
	TRY(split(d, mix));
	CHECK(teacher || o->label, TARN_USAGE, "training needs labels, or a float model to learn from");
	d->head = tarn_arena_zalloc(&d->arena, d->n_output + 1, sizeof *d->head);
	d->tapped = tarn_arena_zalloc(&d->arena, d->n_output + 1, sizeof *d->tapped);
	if (!d->head || !d->tapped)
		return tarn_err_nomem(d->n_output);
	for (size_t k = 0; k < d->n_output; k++) {
		d->tapped[k] = qat_tap(g, k) != g->output.at[k] &&
			       (!teacher || qat_tap(teacher->main, k) != teacher->main->output.at[k]);
		d->head[k] = qat_head_of(qat_data_value(d, g, k), o->label != NULL && k == 0);
	}
	if (g->output.at[0]->shape.rank >= 2 && g->output.at[0]->shape.dim[0] > 1)
		d->rows = (size_t)g->output.at[0]->shape.dim[0];
	CHECK(!o->label || !o->rows || o->rows == d->rows, TARN_SHAPE, "%zu labels for each sample, but output 0 has %zu rows",
	      o->rows, d->rows);
	return teacher ? ask_teacher(d, teacher) : TARN_OK;
}

void qat_data_fini(qat_data *d)
{
	tarn_arena_fini(&d->arena);
	*d = (qat_data){0};
}

tarn_err qat_data_target(const qat_data *d, size_t sample, size_t k, const tarn_tensor *y, size_t *offset, qat_target *t)
{
	size_t n = (size_t)tarn_tensor_count(y);
	*t = (qat_target){.label_weight = d->o->label_weight > 0 ? d->o->label_weight : 0.3};
	if (d->teacher) {
		CHECK(*offset + n <= d->size[sample], TARN_SHAPE,
		      "output %zu has %zu elements where the float model has others", k, n);
		t->teacher = d->teacher[sample] + *offset;
		*offset += n;
	}
	if (d->o->label && k == 0 && sample < d->o->data->n_sample - d->mixed) {
		size_t rows = y->rank >= 2 ? (size_t)y->dim[0] : 1;
		CHECK(rows == d->rows, TARN_SHAPE, "output 0 has %zu rows for %zu labels", rows, d->rows);
		t->label = d->o->label + sample * d->rows;
	}
	return TARN_OK;
}

static tarn_err score_sample(const qat_data *d, const tarn_request *r, size_t sample, tarn_qat_score *s)
{
	size_t offset = 0;
	for (size_t k = 0; k < d->n_output; k++) {
		tarn_tensor y = {0};
		qat_target t;
		TRY(tarn_tensor_convert(&r->out[k], TARN_F32, &y));
		tarn_err err = qat_data_target(d, sample, k, &y, &offset, &t);
		if (err == TARN_OK && tarn_dtype_is_float(r->out[k].type)) {
			size_t rows = 0;
			s->loss += qat_loss(d->head[k], &y, &t, NULL);
			if (k == 0 && d->head[0] != QAT_RAW) {
				s->right += qat_right(&y, &t, &rows);
				s->n += rows;
			}
		}
		tarn_tensor_fini(&y);
		TRY(err);
	}
	return TARN_OK;
}

/* The last n real ones of the order as samples 0, 1, ...: the holdout, or all. */
typedef struct holdout {
	const qat_data *d;
	size_t n;
	tarn_qat_score *score;
	double *each; /* by sample: its loss; NULL: not asked for */
} holdout;

static size_t held(const holdout *h, size_t i)
{
	size_t real = h->d->o->data->n_sample - h->d->mixed, at = real - h->n + i;
	return h->d->order[at < h->d->n_real ? at : at + h->d->n_train - h->d->n_real];
}

static tarn_err held_sample(void *ctx, size_t i, tarn_tensor *in)
{
	const holdout *h = ctx;
	const tarn_quant_options *q = h->d->o->data;
	return q->sample(q->ctx, held(h, i), in);
}

static tarn_err see_held(void *ctx, size_t i, tarn_request *r)
{
	const holdout *h = ctx;
	double sum = h->score->loss;
	TRY(score_sample(h->d, r, held(h, i), h->score));
	if (h->each)
		h->each[held(h, i)] = h->score->loss - sum;
	return TARN_OK;
}

tarn_err qat_score(const qat_data *d, const tarn_model *m, bool all, tarn_qat_score *s, double *each)
{
	holdout h = {d, all ? d->o->data->n_sample - d->mixed : d->n_hold, s, each};
	tarn_quant_options q = {.sample = held_sample, .n_sample = h.n, .ctx = &h, .device = d->o->data->device};
	*s = (tarn_qat_score){0};
	TRY(run_tapped(d, m, &q, "judging", see_held, &h));
	s->loss /= (double)h.n;
	return TARN_OK;
}

tarn_err tarn_qat_hard(const tarn_model *teacher, const tarn_model *m, const tarn_qat_options *o, double *hard)
{
	qat_mix none;
	qat_data d;
	tarn_qat_score all;
	tarn_qat_options own = *o;
	qat_mix_init(&none, m->main, o, 0);
	own.data = &none.data;
	tarn_err err = qat_data_init(&d, &own, &none, m, teacher);
	if (err == TARN_OK)
		err = qat_score(&d, m, true, &all, hard);
	qat_data_fini(&d);
	return err;
}
