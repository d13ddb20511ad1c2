/* SPDX-License-Identifier: Apache-2.0 */
/* Running the model over the samples: statistics of the marked values. */
#include <math.h>

#include "base/mem.h"
#include "quant/run.h"
#include "rt/program.h"

static void range_of(const tarn_tensor *t, double *lo, double *hi)
{
	const float *x = t->data;
	float a = INFINITY, b = -INFINITY;
	for (int64_t i = 0, n = tarn_tensor_count(t); i < n; i++) {
		a = x[i] < a ? x[i] : a;
		b = x[i] > b ? x[i] : b;
	}
	*lo = a;
	*hi = b;
}

/* Adds each channel's mean over the positions of this sample. Channels stand second. */
static void note_mean(quant_stat *s, const tarn_tensor *t)
{
	int64_t c = s->channels, inner = 1, count = tarn_tensor_count(t);
	if (t->rank < 2 || t->dim[1] != c)
		return;
	for (int i = 2; i < t->rank; i++)
		inner *= t->dim[i];
	const float *x = t->data;
	for (int64_t row = 0; row < count / inner; row++) {
		double sum = 0;
		for (int64_t i = 0; i < inner; i++)
			sum += x[row * inner + i];
		s->mean[row % c] += sum * (double)c / (double)count;
	}
}

static tarn_err note(const quant_plan *p, int v, const tarn_tensor *t)
{
	quant_stat *s = &p->stat[v];
	double lo, hi;
	if (!tarn_tensor_count(t))
		return TARN_OK;
	range_of(t, &lo, &hi);
	CHECK(isfinite(lo) && isfinite(hi), TARN_BAD_FILE,
	      "value '%s' becomes infinite or undefined for a sample; check the data's range", p->m->main->value.at[v]->name);
	if (s->mean)
		note_mean(s, t);
	s->lo = s->samples ? fmin(s->lo, lo) : lo;
	s->hi = s->samples ? fmax(s->hi, hi) : hi;
	s->sum_lo += lo;
	s->sum_hi += hi;
	s->samples++;
	return TARN_OK;
}

/* Ids of the marked values that nodes make. */
static int watched_values(const quant_plan *p, int *which)
{
	const tarn_graph *g = p->m->main;
	int n = 0;
	for (size_t i = 0; i < g->value.len; i++)
		if (p->marked[i] && g->value.at[i]->def)
			which[n++] = (int)i;
	return n;
}

static void finish_means(quant_plan *p)
{
	for (size_t v = 0; v < p->m->main->value.len; v++)
		for (int64_t c = 0; p->stat[v].mean && c < p->stat[v].channels; c++)
			p->stat[v].mean[c] /= (double)(p->stat[v].samples ? p->stat[v].samples : 1);
}

tarn_err tarn_quant_observe(quant_plan *p, const tarn_quant_options *o)
{
	tarn_graph *g = p->m->main;
	tarn_model *watched = NULL;
	tarn_program *program = NULL;
	tarn_request *r = NULL;
	int n, *which = tarn_arena_zalloc(&p->arena, g->value.len + 1, sizeof *which);
	if (!which)
		return tarn_err_nomem(g->value.len * sizeof *which);
	tarn_err err;
	CHECK(o->n_sample, TARN_BAD_FILE, "there are no samples to calibrate on");
	n = watched_values(p, which);
	/* When only inputs are marked, the model runs as it is. */
	if (n)
		TRY_GOTO(out, tarn_quant_watched(p->m, which, n, &watched));
	TRY_GOTO(out, tarn_program_compile(o->device, watched ? watched : p->m, NULL, &program));
	TRY_GOTO(out, tarn_request_new(program, &r));
	for (size_t i = 0; i < o->n_sample; i++) {
		CHECK_GOTO(out, !tarn_quant_stopped(o), TARN_CANCELLED, "calibration was interrupted");
		TRY_GOTO(out, tarn_quant_run_sample(r, o, i));
		for (size_t k = 0; k < g->input.len; k++)
			if (p->marked[g->input.at[k]->id])
				TRY_GOTO(out, note(p, (int)g->input.at[k]->id, &r->in[k]));
		for (int k = 0; k < n; k++)
			TRY_GOTO(out, note(p, which[k], &r->out[k]));
		if (o->progress)
			o->progress(o->ctx, "calibrating", i + 1, o->n_sample);
	}
	finish_means(p);
out:
	tarn_request_free(r);
	tarn_program_unref(program);
	tarn_model_unref(watched);
	return err;
}
