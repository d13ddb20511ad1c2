/* SPDX-License-Identifier: Apache-2.0 */
/* What a model moves and computes, and how fast this host moves memory. */
#include "api/handles.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "ir/op.h"
#include "rt/work.h"
#include "tarn/diagnose.h"
#include "tarn/system.h"

static tarn_err list_work(const tarn_model *m, int64_t large, tarn_work_list *out)
{
	tarn_work *w;
	size_t n;
	TRY(tarn_work_find(m->main, large, &w, &n));
	tarn_work_list l = {tarn_mem_zalloc(n + 1, sizeof *l.at), 0};
	tarn_err err = l.at ? TARN_OK : tarn_err_nomem((n + 1) * sizeof *l.at);
	for (size_t i = 0; i < n && !err; i++) {
		tarn_node_work *to = &l.at[l.size++];
		*to = (tarn_node_work){NULL, NULL, w[i].macs, w[i].weight_bytes, w[i].moved_bytes, w[i].large_bytes};
		err = tarn_text_out(w[i].node->name, &to->name);
		if (!err)
			err = tarn_text_out(w[i].node->op->name, &to->type);
	}
	tarn_mem_free(w);
	if (err)
		tarn_free_work(&l);
	else
		*out = l;
	return err;
}

ov_status_e tarn_list_work(const ov_model_t *model, int64_t large_bytes, tarn_work_list *work)
{
	NEED(model && work);
	return tarn_status(list_work(model->m, large_bytes, work));
}

void tarn_free_work(tarn_work_list *work)
{
	if (!work)
		return;
	for (size_t i = 0; i < work->size; i++) {
		tarn_mem_free(work->at[i].name);
		tarn_mem_free(work->at[i].type);
	}
	tarn_mem_free(work->at);
	*work = (tarn_work_list){NULL, 0};
}

/* ---- memory ---- */

enum { PASSES = 12, KEPT = 8 };
#define LEAST ((size_t)1 << 20)
#define MOST ((size_t)256 << 20)

typedef struct reading {
	const uint64_t *at;
	size_t n;
	uint64_t sum[256]; /* by task; so that reading is not left out */
} reading;

static void read_part(void *arg, int task, int n_tasks)
{
	reading *r = arg;
	size_t begin = r->n / (size_t)n_tasks * (size_t)task, end = task == n_tasks - 1 ? r->n : begin + r->n / (size_t)n_tasks;
	uint64_t sum = 0;
	for (size_t i = begin; i < end; i++)
		sum += r->at[i];
	r->sum[task] = sum;
}

/* The fastest of some passes: what disturbs only makes them slower. */
static tarn_err measure(size_t bytes, int threads, double *gbps)
{
	tarn_pool *pool;
	TRY(tarn_pool_new(threads, &pool));
	uint64_t *at = tarn_mem_alloc(bytes);
	tarn_err err = at ? TARN_OK : tarn_err_nomem(bytes);
	reading r = {.at = at, .n = bytes / sizeof *at};
	int64_t best = INT64_MAX;
	for (size_t i = 0; at && i < r.n; i++)
		at[i] = i;
	for (int pass = 0; at && pass < PASSES; pass++) {
		int64_t begin = tarn_clock_ns();
		tarn_pool_run(pool, tarn_pool_threads(pool), read_part, &r);
		int64_t ns = tarn_clock_ns() - begin;
		best = pass && ns < best ? ns : best;
	}
	*gbps = at && best > 0 ? (double)bytes / (double)best : 0;
	tarn_mem_free(at);
	tarn_pool_free(pool);
	return err;
}

/* Measured once for each size and number of threads; the oldest is forgotten. */
static tarn_err memory_rate(size_t bytes, int threads, double *gbps)
{
	static tarn_mutex lock = TARN_MUTEX_INIT;
	static struct {
		size_t bytes;
		int threads;
		double gbps;
	} kept[KEPT];
	static size_t n;
	size_t class = LEAST;
	while (class < bytes && class < MOST)
		class *= 2;
	int most = (int)(sizeof((reading *)0)->sum / sizeof(uint64_t));
	threads = threads > 0 ? threads : tarn_thread_cpus();
	threads = threads < most ? threads : most;
	tarn_err err = TARN_OK;
	*gbps = 0;
	tarn_mutex_lock(&lock);
	for (size_t i = 0; i < KEPT; i++)
		if (kept[i].bytes == class && kept[i].threads == threads)
			*gbps = kept[i].gbps;
	if (!(*gbps > 0) && !(err = measure(class, threads, gbps))) {
		kept[n % KEPT].bytes = class;
		kept[n % KEPT].threads = threads;
		kept[n++ % KEPT].gbps = *gbps;
	}
	tarn_mutex_unlock(&lock);
	return err;
}

ov_status_e tarn_measure_memory(size_t bytes, int threads, double *gbps)
{
	NEED(gbps);
	return tarn_status(memory_rate(bytes, threads, gbps));
}
