/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets from the traffic itself: counting, planning on a thread of its own, and handing out what was compiled. */
#include <stdlib.h>
#include <string.h>

#include "api/bucket_cost.h"
#include "base/mem.h"
#include "tarn/buckets.h"

enum { DEFAULT_REQUESTS = 1000, DEFAULT_SIZES = 4, MOST_BOUNDS = 16, MOST_PROPERTIES = 64 };
#define DEFAULT_GAIN 0.05

struct tarn_learner {
	/* as given */
	struct ov_core *core;
	ov_model_t model;
	char *device;
	tarn_props props;
	tarn_bucket_bound bound[MOST_BOUNDS]; /* names are owned */
	size_t n_bound;
	tarn_learn_options options;
	/* under the lock */
	tarn_mutex lock;
	ov_compiled_model_t *now;
	tarn_buckets_t *plan;      /* what it was compiled by; NULL: none yet */
	uint64_t generation, next; /* requests at which to plan */
	tarn_learn_info info;      /* plans, switches, times; why is owned */
	bool running;              /* the thread was started and not joined */
	tarn_thread thread;
};

/* ---- the model in use ---- */

static tarn_err compile(const tarn_learner_t *l, const char *buckets, ov_compiled_model_t **out)
{
	tarn_props props = {0};
	tarn_err err = tarn_props_overlay(&props, &l->props);
	if (!err)
		err = tarn_props_set(&props, "TARN_BUCKETS", buckets);
	if (!err)
		err = tarn_core_compile(l->core, l->model.m, l->device, &props, out);
	tarn_props_fini(&props);
	return err;
}

static tarn_err begin_with(const tarn_learner_t *l, tarn_str *s)
{
	const char *given = tarn_props_find(&l->props, "TARN_BUCKETS");
	if (given && *given) {
		tarn_str_add(s, given);
		return tarn_str_done(s);
	}
	tarn_model *m;
	TRY(tarn_model_clone(l->model.m, &m));
	tarn_str_addf(s, "%s=%lld", l->bound[0].name, (long long)l->bound[0].max);
	tarn_err err = tarn_buckets_fix_others(m, l->bound, l->n_bound, s);
	tarn_model_unref(m);
	return err;
}

/* Requests so far, all together. */
static uint64_t count_requests(const tarn_learner_t *l)
{
	tarn_bucket_seen_list seen = {0};
	uint64_t sum = 0;
	if (tarn_bucket_get_seen(l->now->p, l->bound[0].name, &seen) == TARN_OK)
		for (size_t i = 0; i < seen.list.len; i++)
			sum += seen.list.at[i].count;
	VEC_FINI(&seen.list);
	return sum;
}

/* ---- in the background ---- */

/* The sizes of one dimension in "length=16,64;batch=1", or sizes alone; NULL: none. */
static const char *sizes_of(const char *buckets, const char *dimension)
{
	size_t n = strlen(dimension);
	if (!strchr(buckets, '='))
		return buckets;
	for (; buckets; buckets = strchr(buckets, ';')) {
		buckets += *buckets == ';';
		if (!strncmp(buckets, dimension, n) && buckets[n] == '=')
			return buckets + n + 1;
	}
	return NULL;
}

/* The smallest of such sizes that holds a length; the last when none does. */
static int64_t bucket_for(const char *sizes, int64_t length)
{
	for (;;) {
		char *end;
		long long size = strtoll(sizes, &end, 10);
		if (size >= length || *end != ',')
			return size;
		sizes = end + 1;
	}
}

/* What is in use would take for those lengths, by the plan's own times. */
static double time_in_use(const char *buckets, const tarn_buckets_info *plan, const int64_t *length, size_t n)
{
	tarn_bucket_size size[TARN_BUCKET_CANDIDATES];
	const char *sizes = sizes_of(buckets, plan->dimension);
	double sum = 0;
	for (size_t i = 0; i < plan->n_size; i++)
		size[i] = (tarn_bucket_size){.size = plan->size[i].size, .ms = plan->size[i].ms};
	for (size_t i = 0; sizes && i < n; i++)
		sum += tarn_buckets_ms_at(size, (int)plan->n_size, bucket_for(sizes, length[i]));
	return n ? sum / (double)n : 0;
}

static tarn_err copy_text(char **to, const char *from)
{
	tarn_mem_free(*to);
	*to = from ? tarn_mem_strdup(from) : NULL;
	return *to || !from ? TARN_OK : tarn_err_nomem(strlen(from));
}

/* Compiles the plan when it is worth it; else *out is NULL. */
static tarn_err use_plan(tarn_learner_t *l, const tarn_buckets_info *plan, const int64_t *length, size_t n,
			 ov_compiled_model_t **out)
{
	tarn_mutex_lock(&l->lock);
	double now = time_in_use(l->info.buckets, plan, length, n), then = plan->way[0].mean_ms;
	l->info.ms = now;
	l->info.planned_ms = then;
	tarn_mutex_unlock(&l->lock);
	return then <= now * (1 - l->options.gain) ? compile(l, plan->buckets, out) : TARN_OK;
}

/* On success with a new model in *out, its list in *buckets and its plan in *kept. */
static ov_status_e plan_anew(tarn_learner_t *l, ov_compiled_model_t **out, char **buckets, tarn_buckets_t **kept)
{
	ov_property_t property[MOST_PROPERTIES];
	size_t n_property = 0, n;
	int64_t *length;
	tarn_buckets_t *plan = NULL;
	tarn_buckets_info info;
	for (size_t i = 0; i < l->props.list.len; i++)
		property[n_property++] = (ov_property_t){l->props.list.at[i].key, l->props.list.at[i].value};
	ov_status_e status = tarn_get_seen_lengths(l->now, l->bound[0].name, &length, &n);
	if (status)
		return status;
	status = tarn_plan_buckets(l->core, &l->model, l->device, n_property, property, l->bound, l->n_bound, length, n,
				   &l->options.limit, &plan);
	if (!status)
		status = tarn_get_buckets_info(plan, &info);
	if (!status)
		status = tarn_status(use_plan(l, &info, length, n, out));
	if (!status && *out && copy_text(buckets, info.buckets))
		status = tarn_status(tarn_err_nomem(64));
	*kept = plan;
	ov_free((const char *)length);
	return status;
}

static void take(tarn_learner_t *l, ov_status_e status, ov_compiled_model_t *made, char *buckets, tarn_buckets_t *plan)
{
	ov_compiled_model_t *old = NULL;
	const char *why = status ? ov_get_last_err_msg() : NULL;
	tarn_mutex_lock(&l->lock);
	l->info.plans++;
	tarn_mem_free(l->info.why);
	l->info.why = (char *)(uintptr_t)why;
	if (!status && made) {
		tarn_buckets_t *last = l->plan;
		old = l->now;
		l->now = made;
		l->plan = plan;
		plan = last;
		tarn_mem_free(l->info.buckets);
		l->info.buckets = buckets;
		l->info.switches++;
		l->generation++;
		l->next = l->options.requests;
	} else {
		old = made;
		tarn_mem_free(buckets);
		l->next *= 2;
	}
	l->info.busy = false;
	tarn_mutex_unlock(&l->lock);
	tarn_free_buckets(plan);
	ov_compiled_model_free(old);
}

static void *work(void *arg)
{
	tarn_learner_t *l = arg;
	ov_compiled_model_t *made = NULL;
	char *buckets = NULL;
	tarn_buckets_t *plan = NULL;
	ov_status_e status = plan_anew(l, &made, &buckets, &plan);
	take(l, status, made, buckets, plan);
	return NULL;
}

/* The thread of the last plan has ended, or ends without the lock. */
static void join(tarn_learner_t *l)
{
	tarn_mutex_lock(&l->lock);
	bool running = l->running;
	tarn_thread thread = l->thread;
	l->running = false;
	tarn_mutex_unlock(&l->lock);
	if (running)
		tarn_thread_join(thread);
}

/* Under the lock. */
static tarn_err start_when_due(tarn_learner_t *l)
{
	if (l->info.busy || l->running || count_requests(l) < l->next)
		return TARN_OK;
	TRY(tarn_thread_start(&l->thread, "tarn-learn", work, l));
	l->running = l->info.busy = true;
	return TARN_OK;
}

/* ---- the API ---- */

static tarn_err set_up(tarn_learner_t *l, const ov_model_t *model, const char *device, size_t n_property,
		       const ov_property_t *property, const tarn_bucket_bound *bound, size_t n_bound)
{
	tarn_str buckets = {0};
	CHECK(n_bound <= MOST_BOUNDS, TARN_LIMIT, "%zu bounds are too many; fix some sizes", n_bound);
	CHECK(n_property <= MOST_PROPERTIES, TARN_LIMIT, "%zu properties are too many; give at most %d", n_property,
	      MOST_PROPERTIES);
	TRY(tarn_model_clone(model->m, &l->model.m));
	l->device = tarn_mem_strdup(device);
	if (!l->device)
		return tarn_err_nomem(strlen(device));
	for (size_t i = 0; i < n_property; i++)
		TRY(tarn_props_set(&l->props, property[i].key, property[i].value));
	for (size_t i = 0; i < n_bound; i++) {
		const char *name = tarn_buckets_dim_name(l->model.m, bound[i].name);
		l->bound[i] = (tarn_bucket_bound){tarn_mem_strdup(name), bound[i].max};
		l->n_bound++;
		if (!l->bound[i].name)
			return tarn_err_nomem(strlen(bound[i].name));
	}
	tarn_err err = begin_with(l, &buckets);
	if (!err)
		err = compile(l, buckets.at, &l->now);
	if (!err)
		err = copy_text(&l->info.buckets, buckets.at);
	tarn_str_fini(&buckets);
	return err;
}

ov_status_e tarn_learn_buckets(const ov_core_t *core, const ov_model_t *model, const char *device, size_t num_properties,
			       const ov_property_t *properties, const tarn_bucket_bound *bounds, size_t num_bounds,
			       const tarn_learn_options *options, tarn_learner_t **learner)
{
	NEED(core && model && device && (properties || !num_properties) && bounds && num_bounds && learner);
	tarn_learner_t *l = tarn_mem_zalloc(1, sizeof *l);
	if (!l)
		return tarn_status(tarn_err_nomem(sizeof *l));
	l->core = (struct ov_core *)(uintptr_t)core;
	tarn_ref_take(&l->core->refs);
	tarn_mutex_init(&l->lock);
	l->options = options ? *options : (tarn_learn_options){0};
	l->options.requests = l->options.requests ? l->options.requests : DEFAULT_REQUESTS;
	l->options.gain = l->options.gain > 0 ? l->options.gain : DEFAULT_GAIN;
	tarn_bucket_limit *limit = &l->options.limit;
	if (!limit->count && !(limit->megabytes > 0) && !(limit->compile_ms > 0))
		limit->count = DEFAULT_SIZES;
	l->next = l->options.requests;
	l->generation = 1;
	tarn_err err = set_up(l, model, device, num_properties, properties, bounds, num_bounds);
	if (err)
		tarn_free_learner(l);
	else
		*learner = l;
	return tarn_status(err);
}

static tarn_err get_learned(tarn_learner_t *l, uint64_t *generation, ov_compiled_model_t **compiled)
{
	*compiled = NULL;
	TRY(start_when_due(l));
	if (*generation == l->generation)
		return TARN_OK;
	ov_compiled_model_t *cm = tarn_mem_zalloc(1, sizeof *cm);
	if (!cm)
		return tarn_err_nomem(sizeof *cm);
	cm->p = tarn_program_ref(l->now->p);
	cm->is_auto = l->now->is_auto;
	tarn_err err = tarn_props_overlay(&cm->auto_props, &l->now->auto_props);
	if (err) {
		ov_compiled_model_free(cm);
		return err;
	}
	*generation = l->generation;
	*compiled = cm;
	return TARN_OK;
}

ov_status_e tarn_get_learned(tarn_learner_t *learner, uint64_t *generation, ov_compiled_model_t **compiled)
{
	NEED(learner && generation && compiled);
	tarn_mutex_lock(&learner->lock);
	bool ended = learner->running && !learner->info.busy;
	tarn_mutex_unlock(&learner->lock);
	if (ended)
		join(learner);
	tarn_mutex_lock(&learner->lock);
	tarn_err err = get_learned(learner, generation, compiled);
	tarn_mutex_unlock(&learner->lock);
	return tarn_status(err);
}

ov_status_e tarn_wait_learned(tarn_learner_t *learner)
{
	NEED(learner);
	join(learner);
	return OK;
}

ov_status_e tarn_get_learn_info(tarn_learner_t *learner, tarn_learn_info *info)
{
	NEED(learner && info);
	tarn_mutex_lock(&learner->lock);
	*info = learner->info;
	info->buckets = info->why = NULL;
	info->requests = count_requests(learner);
	tarn_err err = copy_text(&info->buckets, learner->info.buckets);
	if (!err)
		err = copy_text(&info->why, learner->info.why);
	tarn_mutex_unlock(&learner->lock);
	if (err) {
		tarn_mem_free(info->buckets);
		*info = (tarn_learn_info){0};
	}
	return tarn_status(err);
}

ov_status_e tarn_save_learned(tarn_learner_t *learner, const char *path)
{
	NEED(learner && path);
	tarn_mutex_lock(&learner->lock);
	ov_status_e status = learner->plan ? tarn_save_buckets(learner->plan, path)
					   : tarn_status(tarn_err_set(TARN_NOT_FOUND, "no plan was taken into use yet"));
	tarn_mutex_unlock(&learner->lock);
	return status;
}

void tarn_free_learner(tarn_learner_t *learner)
{
	if (!learner)
		return;
	join(learner);
	ov_compiled_model_free(learner->now);
	tarn_free_buckets(learner->plan);
	tarn_model_unref(learner->model.m);
	tarn_props_fini(&learner->props);
	for (size_t i = 0; i < learner->n_bound; i++)
		tarn_mem_free((void *)(uintptr_t)learner->bound[i].name);
	tarn_mem_free(learner->device);
	tarn_mem_free(learner->info.buckets);
	tarn_mem_free(learner->info.why);
	tarn_mutex_fini(&learner->lock);
	tarn_core_unref(learner->core);
	tarn_mem_free(learner);
}
