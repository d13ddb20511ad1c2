/* SPDX-License-Identifier: Apache-2.0 */
/* What sizes requests had: the traffic from which the next plan can be made. */
#include <string.h>

#include "dev/wrap/bucket_program.h"

tarn_err tarn_bucket_begin_seen(tarn_program *p, bucket_program *x)
{
	for (int i = 0; i < x->n_dim; i++) {
		bucket_dim *d = &x->dim[i];
		int64_t most = d->size[d->n - 1];
		d->step = (most + TARN_BUCKET_SEEN - 1) / TARN_BUCKET_SEEN;
		d->n_seen = (int)((most + d->step - 1) / d->step);
		d->seen = tarn_arena_zalloc(&p->arena, (size_t)d->n_seen, sizeof *d->seen);
		if (!d->seen)
			return tarn_err_nomem((size_t)d->n_seen * sizeof *d->seen);
	}
	return TARN_OK;
}

void tarn_bucket_note_sizes(bucket_program *x, const int64_t size[TARN_BUCKET_DIMS])
{
	tarn_mutex_lock(&x->lock);
	for (int i = 0; i < x->n_dim; i++) {
		int64_t at = (size[i] - 1) / x->dim[i].step;
		if (at >= 0 && at < x->dim[i].n_seen)
			x->dim[i].seen[at]++;
	}
	tarn_mutex_unlock(&x->lock);
}

static tarn_err list_seen(const bucket_dim *d, tarn_bucket_seen_list *seen)
{
	for (int i = 0; i < d->n_seen; i++) {
		int64_t size = (i + 1) * d->step, most = d->size[d->n - 1];
		if (!d->seen[i])
			continue;
		TRY(VEC_GROW(&seen->list));
		seen->list.at[seen->list.len++] = (tarn_bucket_seen){size < most ? size : most, d->seen[i]};
	}
	return TARN_OK;
}

tarn_err tarn_bucket_get_seen(const tarn_program *p, const char *dimension, tarn_bucket_seen_list *seen)
{
	bucket_program *x = p->impl;
	CHECK(p->device->api->submit == tarn_bucket_submit, TARN_NOT_FOUND,
	      "sizes are counted for models that were compiled with bounds; give bounds, or TARN_BUCKETS");
	for (int i = 0; i < x->n_dim; i++) {
		if (strcmp(x->dim[i].name, dimension) != 0)
			continue;
		tarn_mutex_lock(&x->lock);
		tarn_err err = list_seen(&x->dim[i], seen);
		tarn_mutex_unlock(&x->lock);
		return err;
	}
	return tarn_err_set(TARN_NOT_FOUND, "the model has no free dimension '%s'; the first is '%s'", dimension,
			    x->n_dim ? x->dim[0].name : "none");
}
