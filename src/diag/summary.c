/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/summary.h"

#include <stdlib.h>

static int by_device(const void *a, const void *b)
{
	int64_t x = ((const tarn_event *)a)->device_begin, y = ((const tarn_event *)b)->device_begin;
	return (x > y) - (x < y);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When anything is first known of it. */
static int64_t first_of(const tarn_event *e)
{
	return e->asked ? e->asked : e->prepare ? e->prepare : e->start;
}

static void add_phases(const tarn_event *e, tarn_summary *s)
{
	int64_t handed = e->start + e->copy_in, taken = e->end - e->copy_out;
	s->slot += e->asked && e->prepare > e->asked ? (double)(e->prepare - e->asked) : 0;
	s->prepare += e->prepare ? (double)(e->start - e->prepare) : 0;
	s->copy_in += (double)e->copy_in;
	s->queue += e->device_begin > handed ? (double)(e->device_begin - handed) : 0;
	s->device += (double)(e->device_end - e->device_begin);
	s->notice += taken > e->device_end ? (double)(taken - e->device_end) : 0;
	s->copy_out += (double)e->copy_out;
	s->callback += (double)(e->callback_end - e->end);
}

/* How much of [a, b) lies in [from, to). */
static double part(int64_t a, int64_t b, int64_t from, int64_t to)
{
	int64_t lo = later(a, from), hi = earlier(b, to);
	return hi > lo ? (double)(hi - lo) : 0;
}

/* The gap [a, b) of the device between `last`, which ended it works at a, and `next`. */
static void add_gap(int64_t a, int64_t b, const tarn_event *last, const tarn_event *next, tarn_summary *s)
{
	int64_t prepare = next->prepare ? next->prepare : next->start;
	int64_t asked = next->asked ? earlier(next->asked, prepare) : prepare, handed = next->start + next->copy_in;
	double preparing = part(a, b, prepare, next->start), copying = part(a, b, next->start, handed);
	double handing = part(a, b, handed, b), before = (double)(b - a) - preparing - copying - handing;
	/* Before the next input was begun: was the last result still on its way, was a request waited for, or nothing wanted?
	 */
	int64_t end = later(a, earlier(prepare, b));
	double out = part(a, end, last->end - last->copy_out, last->end), noticed = part(a, end, a, last->callback_end) - out;
	double waited = part(later(a, last->callback_end), end, asked, prepare);
	s->gap_prepare += preparing;
	s->gap_copy += copying + out;
	s->gap_host += handing + noticed + waited;
	s->gap_input += before - out - noticed - waited > 0 ? before - out - noticed - waited : 0;
}

static void divide(tarn_summary *s, double window_ns)
{
	double *phase[] = {&s->slot, &s->prepare, &s->copy_in, &s->queue, &s->device, &s->notice, &s->copy_out, &s->callback};
	double *share[] = {&s->busy, &s->gap_prepare, &s->gap_copy, &s->gap_host, &s->gap_input};
	double sum = 0;
	for (int i = 0; i < 8; i++)
		*phase[i] *= 1e-6 / (double)s->n;
	for (int i = 0; i < 5; i++)
		sum += *share[i];
	/* Before the first and after the last: of no cause in particular. */
	s->gap_input += window_ns > sum ? window_ns - sum : 0;
	sum = window_ns > sum ? window_ns : sum;
	for (int i = 0; i < 5; i++)
		*share[i] /= sum > 0 ? sum : 1;
	s->window_ms = window_ns * 1e-6;
}

tarn_err tarn_summary_make(tarn_event *e, size_t n, tarn_summary *out)
{
	tarn_summary s = {0};
	int64_t begin = INT64_MAX, end = 0, free_at = 0;
	const tarn_event *last = NULL;
	qsort(e, n, sizeof *e, by_device);
	for (size_t i = 0; i < n; i++) {
		CHECK(e[i].start > 0 && e[i].end >= e[i].start && e[i].copy_in >= 0 && e[i].copy_out >= 0, TARN_USAGE,
		      "event %zu of the timeline has its moments in no order", i);
		if (!e[i].device_begin || e[i].device_end < e[i].device_begin)
			continue;
		s.n++;
		begin = earlier(begin, first_of(&e[i]));
		end = later(end, later(e[i].callback_end, e[i].end));
		add_phases(&e[i], &s);
		if (last && e[i].device_begin > free_at)
			add_gap(free_at, e[i].device_begin, last, &e[i], &s);
		s.busy += (double)(e[i].device_end - later(e[i].device_begin, earlier(free_at, e[i].device_end)));
		if (e[i].device_end > free_at) {
			free_at = e[i].device_end;
			last = &e[i];
		}
	}
	if (s.n)
		divide(&s, (double)(end - begin));
	*out = s;
	return TARN_OK;
}
