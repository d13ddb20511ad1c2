/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "api.h"
#include "tarn/profile.h"

static void fill(ov_tensor_t *t, float first)
{
	void *data;
	size_t n;
	EXPECT_OK(ov_tensor_data(t, &data));
	EXPECT_OK(ov_tensor_get_size(t, &n));
	for (size_t i = 0; i < n; i++)
		((float *)data)[i] = first + (float)i;
}

static void expect(ov_tensor_t *t, float first, size_t count)
{
	void *data;
	size_t n;
	EXPECT_OK(ov_tensor_data(t, &data));
	EXPECT_OK(ov_tensor_get_size(t, &n));
	EXPECT(n == count);
	for (size_t i = 0; i < n; i++)
		EXPECT(((float *)data)[i] == 2 * (first + (float)i) + 1);
}

/* What the tests run on: REF, then every device there is. */
static const char *device = "REF";

/* Everything but the request is freed before it runs. */
static ov_infer_request_t *make_request(int rank, const int *dim, const char *key, const char *value)
{
	ov_core_t *core;
	ov_compiled_model_t *cm;
	ov_infer_request_t *r;
	EXPECT_OK(ov_core_create(&core));
	ov_model_t *m = read_affine(core, rank, dim);
	EXPECT_OK(ov_core_compile_model(core, m, device, 2, &cm, key, value));
	EXPECT_OK(ov_compiled_model_create_infer_request(cm, &r));
	ov_core_free(core);
	ov_model_free(m);
	ov_compiled_model_free(cm);
	return r;
}

static void own_and_foreign_tensors(void)
{
	const int dim[] = {2, 3};
	ov_infer_request_t *r = make_request(2, dim, "PERF_COUNT", "YES");
	ov_tensor_t *x, *y, *again;
	EXPECT_OK(ov_infer_request_get_input_tensor(r, &x));
	EXPECT_OK(ov_infer_request_get_output_tensor_by_index(r, 0, &y));
	fill(x, 10);
	EXPECT_OK(ov_infer_request_infer(r));
	expect(y, 10, 6); /* a handle taken before sees the result */
	EXPECT_OK(ov_infer_request_get_tensor(r, "y", &again));
	expect(again, 10, 6);
	ov_tensor_free(again);
	EXPECT(ov_infer_request_get_tensor(r, "z", &again) == NOT_FOUND);
	/* Memory of ours, in and out; the handles go at once. */
	float in[6] = {0, 1, 2, 3, 4, 5}, out[6] = {0};
	const int64_t dims[] = {2, 3}, wrong[] = {3, 2};
	ov_shape_t s, w;
	ov_tensor_t *a, *b, *c;
	EXPECT_OK(ov_shape_create(2, dims, &s));
	EXPECT_OK(ov_shape_create(2, wrong, &w));
	EXPECT_OK(ov_tensor_create_from_host_ptr(F32, s, in, &a));
	EXPECT_OK(ov_tensor_create_from_host_ptr(F32, s, out, &b));
	EXPECT_OK(ov_tensor_create(F32, w, &c));
	EXPECT(ov_infer_request_set_input_tensor(r, c) == PARAMETER_MISMATCH);
	ov_tensor_free(c);
	EXPECT_OK(ov_tensor_create(F64, s, &c));
	EXPECT(ov_infer_request_set_tensor(r, "x", c) == PARAMETER_MISMATCH);
	ov_tensor_free(c);
	EXPECT(ov_infer_request_set_input_tensor_by_index(r, 1, a) == NOT_FOUND);
	EXPECT_OK(ov_infer_request_set_tensor(r, "x", a));
	EXPECT_OK(ov_infer_request_set_output_tensor(r, b));
	ov_tensor_free(a);
	ov_tensor_free(b);
	EXPECT_OK(ov_infer_request_infer(r));
	for (int i = 0; i < 6; i++)
		EXPECT(out[i] == 2 * in[i] + 1);
	ov_profiling_info_list_t p;
	EXPECT_OK(ov_infer_request_get_profiling_info(r, &p));
	EXPECT(p.size >= 1 && p.profiling_infos[0].status == EXECUTED && *p.profiling_infos[0].node_name);
	ov_profiling_info_list_free(&p);
	tarn_request_times t;
	EXPECT_OK(tarn_get_request_times(r, &t));
	EXPECT(t.total > 0 && t.device > 0 && t.total >= t.device + t.wait &&
	       isnan(t.device_ms) == (strcmp(device, "NPU") != 0));
	ov_shape_free(&s);
	ov_shape_free(&w);
	ov_tensor_free(x);
	ov_tensor_free(y);
	ov_infer_request_free(r);
}

static void free_dimensions(void)
{
	const int dim[] = {-1, 2};
	ov_infer_request_t *r = make_request(2, dim, "PERF_COUNT", "NO");
	ov_tensor_t *x, *y;
	ov_shape_t s;
	EXPECT_OK(ov_infer_request_get_input_tensor(r, &x));
	EXPECT_OK(ov_infer_request_get_output_tensor(r, &y));
	EXPECT_OK(ov_tensor_get_shape(y, &s));
	EXPECT(s.rank == 1 && s.dims[0] == 0); /* not known yet */
	ov_shape_free(&s);
	EXPECT(ov_infer_request_infer(r) != OK); /* no input data */
	for (int64_t n = 1; n < 5; n++) {
		const int64_t dims[] = {n, 2};
		EXPECT_OK(ov_shape_create(2, dims, &s));
		EXPECT_OK(ov_tensor_set_shape(x, s));
		ov_shape_free(&s);
		fill(x, (float)n);
		EXPECT_OK(ov_infer_request_infer(r));
		expect(y, (float)n, (size_t)n * 2);
	}
	ov_tensor_free(x);
	ov_tensor_free(y);
	ov_infer_request_free(r);
}

typedef struct state {
	pthread_mutex_t lock;
	pthread_cond_t done;
	ov_infer_request_t *r;
	int calls, left;
	bool results_ok;
} state;

static void on_done(void *arg)
{
	state *s = arg;
	ov_tensor_t *y = NULL;
	bool ok = ov_infer_request_get_output_tensor(s->r, &y) == OK;
	ov_tensor_free(y);
	pthread_mutex_lock(&s->lock);
	s->calls++;
	s->results_ok = s->results_ok && ok;
	bool more = --s->left > 0;
	pthread_cond_signal(&s->done);
	pthread_mutex_unlock(&s->lock);
	if (more && ov_infer_request_start_async(s->r) != OK)
		s->results_ok = false;
}

static void callbacks(void)
{
	const int dim[] = {2, 3};
	state s = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, make_request(2, dim, "NUM_STREAMS", "2"), 0, 20, true};
	EXPECT(ov_infer_request_wait(s.r) == INFER_NOT_STARTED);
	EXPECT(ov_infer_request_wait_for(s.r, 1) != OK);
	{
		ov_callback_t gone = {on_done, &s}; /* copied */
		EXPECT_OK(ov_infer_request_set_callback(s.r, &gone));
		gone.callback_func = NULL;
	}
	EXPECT(ov_infer_request_set_callback(s.r, NULL) == INVALID_C_PARAM);
	EXPECT_OK(ov_infer_request_start_async(s.r));
	pthread_mutex_lock(&s.lock);
	while (s.left > 0)
		pthread_cond_wait(&s.done, &s.lock);
	pthread_mutex_unlock(&s.lock);
	EXPECT_OK(ov_infer_request_wait(s.r));
	EXPECT(s.calls == 20 && s.results_ok);
	/* A synchronous inference calls nobody. */
	EXPECT_OK(ov_infer_request_infer(s.r));
	EXPECT(s.calls == 20);
	s.left = 1;
	EXPECT_OK(ov_infer_request_start_async(s.r));
	ov_infer_request_free(s.r); /* waits for inference and callback */
	EXPECT(s.calls == 21);
}

static void cancelling(void)
{
	const int dim[] = {64, 64};
	ov_infer_request_t *r = make_request(2, dim, "NUM_STREAMS", "1");
	EXPECT_OK(ov_infer_request_cancel(r)); /* idle: nothing */
	for (int i = 0; i < 20; i++) {
		EXPECT_OK(ov_infer_request_start_async(r));
		EXPECT_OK(ov_infer_request_cancel(r));
		ov_status_e s = ov_infer_request_wait(r);
		EXPECT(s == OK || s == INFER_CANCELLED);
	}
	EXPECT_OK(ov_infer_request_infer(r));
	ov_infer_request_free(r);
	ov_infer_request_free(NULL);
}

static ov_compiled_model_t *shared;

static void *use(void *arg)
{
	float base = (float)(size_t)arg * 100;
	ov_infer_request_t *r[2];
	ov_tensor_t *x[2], *y[2];
	for (int j = 0; j < 2; j++) {
		EXPECT_OK(ov_compiled_model_create_infer_request(shared, &r[j]));
		EXPECT_OK(ov_infer_request_get_input_tensor(r[j], &x[j]));
		EXPECT_OK(ov_infer_request_get_output_tensor(r[j], &y[j]));
	}
	for (int k = 0; k < 20; k++) {
		for (int j = 0; j < 2; j++) {
			fill(x[j], base + (float)(k + j));
			EXPECT_OK(k % 3 ? ov_infer_request_start_async(r[j]) : ov_infer_request_infer(r[j]));
		}
		for (int j = 0; j < 2; j++) {
			EXPECT_OK(ov_infer_request_wait(r[j]));
			expect(y[j], base + (float)(k + j), 6);
		}
	}
	for (int j = 0; j < 2; j++) {
		ov_tensor_free(x[j]);
		ov_tensor_free(y[j]);
		ov_infer_request_free(r[j]);
	}
	return NULL;
}

static void eight_threads(void)
{
	ov_core_t *core;
	const int dim[] = {2, 3};
	EXPECT_OK(ov_core_create(&core));
	ov_model_t *m = read_affine(core, 2, dim);
	const ov_property_t p[] = {{"NUM_STREAMS", "2"}};
	EXPECT_OK(ov_core_compile_model_props(core, m, device, 1, p, &shared));
	char *v;
	EXPECT_OK(ov_compiled_model_get_property(shared, ov_property_key_num_streams, &v));
	EXPECT(!strcmp(v, strcmp(device, "NPU") ? "2" : "1")); /* an NPU has one queue */
	ov_free(v);
	EXPECT_OK(ov_compiled_model_get_property(shared, "EXECUTION_DEVICES", &v));
	EXPECT(!strcmp(v, device));
	ov_free(v);
	EXPECT(ov_compiled_model_set_property(shared, "NUM_STREAMS", "3") == NOT_IMPLEMENTED);
	ov_model_t *runtime;
	EXPECT_OK(ov_compiled_model_get_runtime_model(shared, &runtime));
	ov_model_free(runtime);
	tarn_load_info info;
	EXPECT_OK(tarn_get_load_info(shared, &info));
	EXPECT(info.compilations == 1 && !info.cache_hit && !strcmp(info.cache_level, "none"));
	ov_model_free(m);
	ov_core_free(core);
	pthread_t t[8];
	for (size_t i = 0; i < 8; i++)
		EXPECT(!pthread_create(&t[i], NULL, use, (void *)i));
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	ov_compiled_model_free(shared);
	int64_t n;
	EXPECT_OK(tarn_get_counter("compilations", &n));
	EXPECT(n >= 1);
	EXPECT(tarn_get_counter("nonsense", &n) == NOT_FOUND);
}

/* AUTO is the CPU, with its own properties and those of the device. */
static void automatic(void)
{
	ov_core_t *core;
	ov_compiled_model_t *cm;
	const int dim[] = {2, 3};
	char *v;
	EXPECT_OK(ov_core_create(&core));
	ov_model_t *m = read_affine(core, 2, dim);
	EXPECT_OK(ov_core_compile_model(core, m, NULL, 4, &cm, "EXECUTION_MODE_HINT", "ACCURACY", "ENABLE_STARTUP_FALLBACK",
					"NO"));
	EXPECT_OK(ov_compiled_model_get_property(cm, "EXECUTION_DEVICES", &v));
	EXPECT(!strcmp(v, "CPU"));
	ov_free(v);
	EXPECT_OK(ov_compiled_model_get_property(cm, "EXECUTION_MODE_HINT", &v));
	EXPECT(!strcmp(v, "ACCURACY"));
	ov_free(v);
	EXPECT_OK(ov_compiled_model_get_property(cm, "ENABLE_STARTUP_FALLBACK", &v));
	EXPECT(!strcmp(v, "NO"));
	ov_free(v);
	ov_compiled_model_free(cm);
	EXPECT(ov_core_compile_model(core, m, "AUTO", 2, &cm, "ENABLE_STARTUP_FALLBACK", "maybe") != OK);
	EXPECT(ov_core_compile_model(core, m, "AUTO:TPU", 0, &cm) != OK);
	EXPECT(ov_core_compile_model(core, m, "AUTO:-CPU", 0, &cm) != OK);
	/* A candidate that is not there is left out, saying why. */
	EXPECT_OK(ov_core_compile_model(core, m, "AUTO:NPU,CPU", 0, &cm));
	EXPECT_OK(ov_compiled_model_get_property(cm, "EXECUTION_DEVICES", &v));
	tarn_load_info info;
	EXPECT_OK(tarn_get_load_info(cm, &info));
	EXPECT(!strcmp(v, "NPU") || (!strcmp(v, "CPU") && info.notes == 1));
	ov_free(v);
	ov_compiled_model_free(cm);
	ov_model_free(m);
	ov_core_free(core);
}

static void on_every_device(void (*test)(void))
{
	ov_core_t *core;
	ov_available_devices_t d;
	EXPECT_OK(ov_core_create(&core));
	EXPECT_OK(ov_core_get_available_devices(core, &d));
	device = "REF";
	test();
	for (size_t i = 0; i < d.size; i++) {
		device = d.devices[i];
		/* Free dimensions are the business of devices on the host. */
		if (strcmp(device, "NPU") || test != free_dimensions)
			test();
	}
	device = "REF";
	ov_available_devices_free(&d);
	ov_core_free(core);
}

/* One event for each inference, its moments in order on one clock; nothing unless it was started. */
static void timeline(void)
{
	static bool started;
	tarn_timeline t;
	ov_infer_request_t *r = make_request(2, (int[]){1, 64}, "PERF_COUNT", "NO");
	EXPECT_OK(ov_infer_request_infer(r));
	EXPECT_OK(tarn_list_timeline(&t));
	EXPECT(started || (!t.size && !t.dropped));
	started = true;
	tarn_free_timeline(&t);
	EXPECT(tarn_start_timeline(0) != OK);
	EXPECT_OK(tarn_start_timeline(3));
	for (int i = 0; i < 5; i++) {
		int64_t asked = tarn_get_clock();
		EXPECT_OK(tarn_begin_preparation(r, asked));
		if (i % 2) {
			EXPECT_OK(ov_infer_request_infer(r));
		} else {
			EXPECT_OK(ov_infer_request_start_async(r));
			EXPECT_OK(ov_infer_request_wait(r));
		}
	}
	EXPECT_OK(tarn_stop_timeline());
	EXPECT_OK(ov_infer_request_infer(r));
	EXPECT_OK(tarn_list_timeline(&t));
	EXPECT(t.size == 3 && t.dropped == 2);
	int64_t last = 0;
	for (size_t i = 0; i < t.size; i++) {
		const tarn_timeline_event *e = &t.at[i];
		EXPECT(e->request == t.at[0].request && e->asked_ns > last && e->prepare_ns >= e->asked_ns);
		EXPECT(e->start_ns >= e->prepare_ns && e->end_ns >= e->start_ns && e->callback_end_ns >= e->end_ns);
		if (!strcmp(device, "CPU"))
			EXPECT(e->device_begin_ns >= e->start_ns && e->device_end_ns >= e->device_begin_ns);
		if (e->device_end_ns)
			EXPECT(e->device_end_ns <= e->end_ns);
		last = e->callback_end_ns;
	}
	tarn_free_timeline(&t);
	ov_infer_request_free(r);
}

int main(void)
{
	on_every_device(own_and_foreign_tensors);
	on_every_device(free_dimensions);
	on_every_device(callbacks);
	on_every_device(timeline);
	on_every_device(cancelling);
	on_every_device(eight_threads);
	automatic();
	return 0;
}
