/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/image/resample.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

void tarn_resample_fini(tarn_resample *r)
{
	tarn_mem_free(r->start);
	tarn_mem_free(r->count);
	tarn_mem_free(r->weight);
	*r = (tarn_resample){0};
}

static tarn_err reserve(tarn_resample *r, int n, int taps)
{
	if (n > r->cap) {
		tarn_mem_free(r->start);
		tarn_mem_free(r->count);
		r->cap = 0;
		r->start = tarn_mem_zalloc((size_t)n, sizeof *r->start);
		r->count = tarn_mem_zalloc((size_t)n, sizeof *r->count);
		if (!r->start || !r->count)
			return tarn_err_nomem((unsigned long long)n * 2 * sizeof(int));
		r->cap = n;
	}
	if ((long)n * taps > r->weight_cap) {
		tarn_mem_free(r->weight);
		r->weight_cap = 0;
		r->weight = tarn_mem_zalloc((size_t)n * (size_t)taps, sizeof *r->weight);
		if (!r->weight)
			return tarn_err_nomem((unsigned long long)n * (unsigned long long)taps * 4);
		r->weight_cap = (long)n * taps;
	}
	return TARN_OK;
}

/* Output pixel i covers the source around (i + 1/2) * in / full: a triangle, as wide as one output pixel on each side when
 * shrinking and as one source pixel when growing; its samples are scaled to sum 1. */
static void plan_pixel(tarn_resample *r, int i, double scale, double width)
{
	double centre = (r->first + i + 0.5) * scale, sum = 0;
	int lo = (int)floor(centre - width + 0.5), hi = (int)floor(centre + width + 0.5);
	lo = lo < 0 ? 0 : lo;
	hi = hi > r->in ? r->in : hi;
	if (hi > lo + r->taps)
		hi = lo + r->taps;
	int32_t *w = r->weight + (long)i * r->taps;
	for (int j = lo; j < hi; j++)
		sum += fmax(0, 1 - fabs((j - centre + 0.5) / width));
	for (int j = lo; j < hi; j++)
		w[j - lo] = (int32_t)floor(fmax(0, 1 - fabs((j - centre + 0.5) / width)) / sum * (1 << RESAMPLE_BITS) + 0.5);
	r->start[i] = lo;
	r->count[i] = hi - lo;
}

tarn_err tarn_resample_plan(tarn_resample *r, int in, int full, int first, int n)
{
	if (r->in == in && r->full == full && r->first == first && r->n == n)
		return TARN_OK;
	r->in = 0; /* not valid until complete */
	double scale = (double)in / full, width = scale > 1 ? scale : 1;
	int taps = (int)ceil(width) * 2 + 1;
	TRY(reserve(r, n, taps));
	r->taps = taps;
	r->full = full;
	r->first = first;
	r->n = n;
	r->copy = in == full;
	r->in = in;
	for (int i = 0; i < n; i++)
		plan_pixel(r, i, scale, width);
	return TARN_OK;
}

static inline uint8_t round_sum(int32_t sum)
{
	sum = (sum + (1 << (RESAMPLE_BITS - 1))) >> RESAMPLE_BITS;
	return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

void tarn_resample_row(const tarn_resample *r, int channels, const uint8_t *from, uint8_t *to)
{
	if (r->copy) {
		memcpy(to, from + (size_t)r->first * (size_t)channels, (size_t)r->n * (size_t)channels);
		return;
	}
	if (channels == 1) {
		for (int i = 0; i < r->n; i++) {
			const int32_t *w = r->weight + (long)i * r->taps;
			const uint8_t *p = from + r->start[i];
			int32_t sum = 0;
			for (int k = 0; k < r->count[i]; k++)
				sum += w[k] * p[k];
			*to++ = round_sum(sum);
		}
		return;
	}
	for (int i = 0; i < r->n; i++, to += 3) {
		const int32_t *w = r->weight + (long)i * r->taps;
		const uint8_t *p = from + 3 * (long)r->start[i];
		int32_t a = 0, b = 0, c = 0;
		for (int k = 0; k < r->count[i]; k++, p += 3) {
			a += w[k] * p[0];
			b += w[k] * p[1];
			c += w[k] * p[2];
		}
		to[0] = round_sum(a);
		to[1] = round_sum(b);
		to[2] = round_sum(c);
	}
}

void tarn_resample_blend(const uint8_t *const *row, const int32_t *weight, int count, int len, int32_t *acc, uint8_t *to)
{
	memset(acc, 0, (size_t)len * sizeof *acc);
	for (int k = 0; k < count; k++) {
		const uint8_t *p = row[k];
		int32_t w = weight[k];
		for (int i = 0; i < len; i++)
			acc[i] += w * p[i];
	}
	for (int i = 0; i < len; i++)
		to[i] = round_sum(acc[i]);
}
