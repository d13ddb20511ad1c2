/* SPDX-License-Identifier: Apache-2.0 */
/* Running the model over the samples: statistics of the marked values. */
#include <math.h>

#include "base/mem.h"
#include "quant/run.h"

/* About so many values of each sample go into a histogram; the step between them is odd, so that no channel is passed over. */
enum { HIST_PART = 16384 };

/* Several running results at once, which compilers turn into vectors. */
enum { LANES = 16 };

static void range_of(const tarn_tensor *t, double *lo, double *hi)
{
	const float *x = t->data;
	float a[LANES], b[LANES];
	int64_t n = tarn_tensor_count(t), i = 0;
	for (int k = 0; k < LANES; k++) {
		a[k] = INFINITY;
		b[k] = -INFINITY;
	}
	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES; k++) {
			a[k] = x[i + k] < a[k] ? x[i + k] : a[k];
			b[k] = x[i + k] > b[k] ? x[i + k] : b[k];
		}
	for (; i < n; i++) {
		a[0] = x[i] < a[0] ? x[i] : a[0];
		b[0] = x[i] > b[0] ? x[i] : b[0];
	}
	for (int k = 1; k < LANES; k++) {
		a[0] = a[k] < a[0] ? a[k] : a[0];
		b[0] = b[k] > b[0] ? b[k] : b[0];
	}
	*lo = (double)a[0];
	*hi = (double)b[0];
}

static bool all_finite(const tarn_tensor *t)
{
	const float *x = t->data;
	float off[LANES] = {0}; /* zeros, and no number from what is not finite */
	int64_t n = t->type == TARN_F32 ? tarn_tensor_count(t) : 0, i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES; k++)
			off[k] += x[i + k] * 0;
	for (; i < n; i++)
		off[0] += x[i] * 0;
	for (int k = 1; k < LANES; k++)
		off[0] += off[k];
	return off[0] == 0;
}

static double sum_of(const float *x, int64_t n)
{
	double s[4] = {0};
	int64_t i = 0;
	for (; i + 4 <= n; i += 4)
		for (int k = 0; k < 4; k++)
			s[k] += (double)x[i + k];
	for (; i < n; i++)
		s[0] += (double)x[i];
	return s[0] + s[1] + s[2] + s[3];
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
	for (int64_t row = 0; row < count / inner; row++)
		s->mean[row % c] += sum_of(x + row * inner, inner) * (double)c / (double)count;
}

static tarn_err note(quant_plan *p, int v, const tarn_tensor *t)
{
	quant_stat *s = &p->stat[v];
	int64_t count = tarn_tensor_count(t);
	double lo, hi;
	if (!count)
		return TARN_OK;
	range_of(t, &lo, &hi);
	CHECK(isfinite(lo) && isfinite(hi), TARN_BAD_FILE,
	      "value '%s' becomes infinite or undefined for a sample; check the data's range", p->m->main->value.at[v]->name);
	if (s->mean)
		note_mean(s, t);
	if (!s->hist.bin && !(s->hist.bin = tarn_arena_zalloc(&p->arena, QUANT_BINS, sizeof *s->hist.bin)))
		return tarn_err_nomem(QUANT_BINS * sizeof *s->hist.bin);
	tarn_quant_hist_add(&s->hist, t->data, count, count / HIST_PART | 1, fmax(fabs(lo), fabs(hi)));
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

typedef struct watch {
	quant_plan *p;
	const int *which;
	int n;
} watch;

static tarn_err see(void *ctx, size_t i, tarn_request *r)
{
	const watch *w = ctx;
	const tarn_graph *g = w->p->m->main;
	for (size_t k = 0; k < g->input.len; k++)
		CHECK(all_finite(&r->in[k]), TARN_BAD_FILE,
		      "sample %zu (from 0) of those calibrated on holds a value that is no number or infinite, for "
		      "input '%s'; leave it out, or repair the data",
		      i, g->input.at[k]->name);
	for (size_t k = 0; k < g->input.len; k++)
		if (w->p->marked[g->input.at[k]->id])
			TRY(note(w->p, (int)g->input.at[k]->id, &r->in[k]));
	for (int k = 0; k < w->n; k++)
		TRY(note(w->p, w->which[k], &r->out[k]));
	return TARN_OK;
}

tarn_err tarn_quant_observe(quant_plan *p, const tarn_quant_options *o)
{
	size_t values = p->m->main->value.len;
	int *which = tarn_arena_zalloc(&p->arena, values + 1, sizeof *which);
	if (!which)
		return tarn_err_nomem(values * sizeof *which);
	CHECK(o->n_sample, TARN_BAD_FILE, "there are no samples to calibrate on");
	watch w = {p, which, watched_values(p, which)};
	TRY(tarn_quant_run(p->m, which, w.n, o, (quant_slice){0, 1, o->n_sample}, "calibrating", see, &w));
	finish_means(p);
	return TARN_OK;
}
