/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/wrap/bucket.h"

#include <string.h>

#include "dev/wrap/bucket_program.h"
#include "rt/program.h"

static const tarn_bucket_device *of(const tarn_device *d)
{
	return d->impl;
}

/* ---- the inner device's answers ---- */

static tarn_err open_device(tarn_device *d)
{
	return tarn_device_open(of(d)->inner);
}

static const char *full_name(const tarn_device *d)
{
	const tarn_device *inner = of(d)->inner;
	return inner->api->full_name ? inner->api->full_name(inner) : inner->api->name;
}

static tarn_err get(tarn_device *d, const char *key, tarn_str *value)
{
	tarn_device *inner = of(d)->inner;
	return inner->api->get ? inner->api->get(inner, key, value) : TARN_NOT_FOUND;
}

static bool supports(const tarn_device *d, const tarn_node *n, tarn_str *why)
{
	const tarn_device *inner = of(d)->inner;
	return !inner->api->supports || inner->api->supports(inner, n, why);
}

static tarn_err alloc(tarn_device *d, size_t bytes, tarn_buffer **b)
{
	tarn_device *inner = of(d)->inner;
	return inner->api->alloc ? inner->api->alloc(inner, bytes, b) : tarn_buffer_new(bytes, b);
}

/* ---- programs ---- */

void tarn_bucket_program_free(tarn_program *p)
{
	bucket_program *x = p->impl;
	if (!x)
		return;
	for (int i = 0; x->at && i < x->n; i++)
		tarn_program_unref(x->at[i].p);
	VEC_FINI(&x->syms.sym);
	tarn_mutex_fini(&x->lock);
	p->impl = NULL;
}

void tarn_bucket_hold(const bucket_program *x, tarn_program *inner)
{
	if (!x->d->owner)
		return;
	x->d->owner_ref(x->d->owner);
	inner->owner = x->d->owner;
	inner->release = x->d->owner_unref;
}

tarn_err tarn_bucket_begin(tarn_program *p, bucket_program **out)
{
	bucket_program *x = tarn_arena_zalloc(&p->arena, 1, sizeof *x);
	if (!x)
		return tarn_err_nomem(sizeof *x);
	x->d = of(p->device);
	tarn_mutex_init(&x->lock);
	p->impl = *out = x;
	return TARN_OK;
}

/* What buckets say in common is said once. */
static tarn_err take_notes(tarn_program *p, const tarn_program *inner)
{
	for (size_t i = 0; i < inner->note.len; i++) {
		bool known = false;
		for (size_t k = 0; k < p->note.len && !known; k++)
			known = !strcmp(p->note.at[k], inner->note.at[i]);
		if (!known)
			TRY(tarn_program_note(p, "%s", inner->note.at[i]));
	}
	return TARN_OK;
}

/* The model with each free dimension at its size. length[k]: the input that takes dimension k's valid length; -1: none needed.
 */
static tarn_err bound_model(const tarn_program *p, const bucket_program *x, const int64_t *size, tarn_model **out, int *length)
{
	const char *name[TARN_BUCKET_DIMS];
	tarn_model *m;
	for (int i = 0; i < x->n_dim; i++)
		name[i] = x->dim[i].name;
	TRY(tarn_model_clone(p->model, &m));
	tarn_err err = x->d->bound(&m, name, size, x->n_dim, length);
	if (err)
		tarn_model_unref(m);
	else
		*out = m;
	return err;
}

static tarn_err build(tarn_program *p, bucket_program *x, int i)
{
	bucket_inner *b = &x->at[i];
	int64_t size[TARN_BUCKET_DIMS] = {0};
	tarn_model *m;
	tarn_bucket_sizes(x, i, size);
	TRY(bound_model(p, x, size, &m, b->length));
	TRY(tarn_program_build(x->d->inner, m, &p->props, &b->p));
	tarn_bucket_hold(x, b->p);
	TRY(tarn_bucket_map_ports(p, b));
	p->compilations += b->p->compilations;
	return take_notes(p, b->p);
}

/* From a cache of the device's own only when every bucket was. */
static void take_origin(tarn_program *p, const bucket_program *x)
{
	bool hit = true;
	for (int i = 0; i < x->n; i++)
		hit = hit && x->at[i].p->cache_hit;
	if (!hit)
		return;
	p->cache_hit = true;
	p->cache_level = x->at[0].p->cache_level;
}

static tarn_err build_all(tarn_program *p)
{
	bucket_program *x = NULL;
	TRY(tarn_bucket_begin(p, &x));
	TRY(tarn_bucket_take_dims(p, x));
	TRY(tarn_bucket_begin_seen(p, x));
	x->at = tarn_arena_zalloc(&p->arena, (size_t)x->n, sizeof *x->at);
	if (!x->at)
		return tarn_err_nomem((size_t)x->n * sizeof *x->at);
	for (int i = 0; i < x->n; i++)
		TRY(build(p, x, i));
	take_origin(p, x);
	/* The inner programs have what they need of the weights. */
	return tarn_program_strip(p, p->model->name ? p->model->name : "");
}

static tarn_err compile(tarn_program *p)
{
	tarn_err err = build_all(p);
	if (err)
		tarn_bucket_program_free(p);
	return err;
}

static void put_buckets(const bucket_program *x, tarn_str *value)
{
	for (int i = 0; i < x->n_dim; i++) {
		tarn_str_addf(value, "%s%s=", i ? ";" : "", x->dim[i].name);
		for (int k = 0; k < x->dim[i].n; k++)
			tarn_str_addf(value, "%s%lld", k ? "," : "", (long long)x->dim[i].size[k]);
	}
}

static tarn_err program_get(tarn_program *p, const char *key, tarn_str *value)
{
	const bucket_program *x = p->impl;
	if (!strcmp(key, "TARN_BUCKETS")) {
		put_buckets(x, value);
		return TARN_OK;
	}
	tarn_program *last = x->at[x->n - 1].p;
	return last->device->api->program_get ? last->device->api->program_get(last, key, value) : TARN_NOT_FOUND;
}

/* Of the largest sizes: what an inference takes at most. */
static tarn_err estimate(tarn_program *p, tarn_estimate *e)
{
	bucket_program *x = NULL;
	tarn_model *m;
	int64_t size[TARN_BUCKET_DIMS] = {0};
	int length[TARN_BUCKET_DIMS];
	TRY(tarn_bucket_begin(p, &x));
	TRY(tarn_bucket_take_dims(p, x));
	tarn_bucket_sizes(x, x->n - 1, size);
	TRY(bound_model(p, x, size, &m, length));
	tarn_err err = tarn_program_estimate(x->d->inner, m, &p->props, e);
	tarn_model_unref(m);
	return err;
}

/* ---- the device ---- */

void tarn_bucket_device_init(tarn_device *outer, tarn_bucket_device *d)
{
	const tarn_device_api *inner = d->inner->api;
	bool stores = inner->import && inner->export_;
	d->api = (tarn_device_api){
		.name = inner->name,
		.hidden = inner->hidden,
		.open = open_device,
		.full_name = full_name,
		.get = get,
		.supports = supports,
		.alloc = alloc,
		.compile = compile,
		.import = stores ? tarn_bucket_import : NULL,
		.export_ = stores ? tarn_bucket_export : NULL,
		.program_free = tarn_bucket_program_free,
		.program_get = program_get,
		.request_init = tarn_bucket_request_init,
		.request_fini = tarn_bucket_request_fini,
		.submit = tarn_bucket_submit,
		.estimate = inner->estimate ? estimate : NULL,
	};
	outer->api = &d->api;
	outer->impl = d;
}

bool tarn_bucket_wants(const tarn_device *inner, const tarn_model *m, const tarn_props *props)
{
	const char *buckets = tarn_props_find(props, "TARN_BUCKETS");
	bool any = false, bounded = true;
	for (size_t i = 0; i < m->main->input.len; i++) {
		const tarn_shape *s = &m->main->input.at[i]->shape;
		bounded = bounded && s->rank >= 0;
		for (int k = 0; k < s->rank; k++) {
			any = any || s->dim[k] < 0;
			bounded = bounded && tarn_dim_hi(&m->syms, s->dim[k]) < TARN_DIM_MAX;
		}
	}
	return any && ((buckets && *buckets) || (inner->api->fixed && bounded));
}
