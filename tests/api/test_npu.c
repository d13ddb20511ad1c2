/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated NPU through the public API: the choice, memory that is the device's own, copies of what is not, lifetimes. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "api.h"
#include "tarn/device.h"
#include "tarn/error.h"
#include "tarn/model.h"
#include "tarn/profile.h"
#include "tarn/sim.h"

static ov_core_t *core;
enum { N = 400 };
static const int dim[] = {1, N};

static ov_compiled_model_t *compile(const char *key, const char *value)
{
	ov_compiled_model_t *cm;
	ov_model_t *m = read_affine(core, 2, dim);
	EXPECT_OK(ov_core_compile_model(core, m, "NPU", 2, &cm, key, value));
	ov_model_free(m);
	return cm;
}

static float *data_of(const ov_tensor_t *t)
{
	void *at;
	EXPECT_OK(ov_tensor_data(t, &at));
	return at;
}

static bool error_says(const char *words)
{
	const char *text = ov_get_last_err_msg();
	bool found = text && strstr(text, words);
	ov_free(text);
	return found;
}

static void fill(float *x, int first)
{
	for (int i = 0; i < N; i++)
		x[i] = (float)(first + i);
}

/* Exact in f16: integers below 2048. */
static void expect(const float *y, int first)
{
	for (int i = 0; i < N; i++)
		EXPECT(y[i] == (float)(2 * (first + i) + 1));
}

static tarn_request_times run(ov_infer_request_t *r)
{
	tarn_request_times t;
	EXPECT_OK(ov_infer_request_infer(r));
	EXPECT_OK(tarn_get_request_times(r, &t));
	EXPECT(t.device_modelled && t.device_ms > 0 && t.device_ms < 10);
	return t;
}

static void choice(void)
{
	char *v;
	EXPECT(tarn_use_simulated_npu("5000") != OK && tarn_last_exit_code() == 2);
	EXPECT(error_says("3720"));
	EXPECT_OK(tarn_use_simulated_npu("4000"));
	EXPECT_OK(tarn_use_simulated_npu("3720")); /* not decided yet: the last one counts */
	EXPECT_OK(ov_core_create(&core));
	EXPECT_OK(ov_core_get_property(core, "NPU", "DEVICE_ARCHITECTURE", &v));
	EXPECT(!strcmp(v, "3720"));
	ov_free(v);
	EXPECT_OK(tarn_use_simulated_npu("3720"));
	EXPECT(tarn_use_simulated_npu("4000") != OK && tarn_last_exit_code() == 2);
	EXPECT(error_says("before the first use"));
	EXPECT(!getenv("TARN_NPU"));
	tarn_simulation s;
	EXPECT_OK(tarn_get_simulation(core, &s));
	EXPECT(s.platform == 3720 && s.tiles == 2 && !s.paced && s.compiled == 0);
}

static void properties(void)
{
	static const struct {
		const char *hint, *requests;
	} table[] = {{"LATENCY", "1"}, {"THROUGHPUT", "4"}};
	for (int i = 0; i < 2; i++) {
		char *v;
		ov_compiled_model_t *cm = compile("PERFORMANCE_HINT", table[i].hint);
		EXPECT_OK(ov_compiled_model_get_property(cm, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", &v));
		EXPECT(!strcmp(v, table[i].requests));
		ov_free(v);
		EXPECT_OK(ov_compiled_model_get_property(cm, "NPU_PLATFORM", &v));
		EXPECT(!strcmp(v, "3720"));
		ov_free(v);
		EXPECT_OK(ov_compiled_model_get_property(cm, "NPU_MAX_TILES", &v));
		EXPECT(!strcmp(v, "2"));
		ov_free(v);
		ov_compiled_model_free(cm);
	}
	/* Every property of the device can be asked for. */
	tarn_property_list all;
	EXPECT_OK(tarn_list_properties(core, "NPU", NULL, &all));
	EXPECT(all.size > 30);
	tarn_free_properties(&all);
}

static void own_memory(void)
{
	ov_compiled_model_t *cm = compile("PERF_COUNT", "YES");
	ov_infer_request_t *r, *other;
	ov_tensor_t *x, *y, *y2;
	EXPECT_OK(ov_compiled_model_create_infer_request(cm, &r));
	EXPECT_OK(ov_compiled_model_create_infer_request(cm, &other));
	EXPECT_OK(ov_infer_request_get_input_tensor(r, &x));
	EXPECT_OK(ov_infer_request_get_output_tensor(r, &y));
	fill(data_of(x), 0);
	tarn_request_times first = run(r);
	EXPECT(first.copies == 0);
	expect(data_of(y), 0);
	tarn_request_times again = run(r);
	EXPECT(fabs(first.device_ms - again.device_ms) < 1e-3); /* modelled: a tick or two of the clock apart at most */
	/* The output of one is the input of another: the same memory, no copy. */
	EXPECT_OK(ov_infer_request_set_input_tensor(other, y));
	EXPECT(run(other).copies == 0);
	EXPECT_OK(ov_infer_request_get_output_tensor(other, &y2));
	for (int i = 0; i < N; i++)
		EXPECT(data_of(y2)[i] == (float)(4 * i + 3));
	tarn_layer_list l;
	EXPECT_OK(tarn_list_layers(r, &l));
	EXPECT(l.size >= 1 && *l.at[0].engine && l.at[0].ms >= 0 && l.at[0].ms < first.device_ms);
	tarn_free_layers(&l);
	ov_infer_request_free(r);
	ov_compiled_model_free(cm);
	/* A tensor outlives the request it came from. */
	fill(data_of(y), 7);
	EXPECT(run(other).copies == 0);
	for (int i = 0; i < N; i++)
		EXPECT(data_of(y2)[i] == (float)(2 * (7 + i) + 1));
	ov_infer_request_free(other);
	ov_tensor_free(x);
	ov_tensor_free(y);
	ov_tensor_free(y2);
}

static void foreign_memory(void)
{
	static float in[N], out[N];
	ov_compiled_model_t *cm = compile("PERF_COUNT", "NO");
	ov_infer_request_t *r;
	ov_tensor_t *own_x, *own_y, *x, *y;
	const int64_t dims[] = {1, N};
	ov_shape_t shape = {2, (int64_t *)(size_t)dims};
	EXPECT_OK(ov_compiled_model_create_infer_request(cm, &r));
	EXPECT_OK(ov_infer_request_get_input_tensor(r, &own_x));
	EXPECT_OK(ov_infer_request_get_output_tensor(r, &own_y));
	EXPECT_OK(ov_tensor_create_from_host_ptr(F32, shape, in, &x));
	EXPECT_OK(ov_tensor_create_from_host_ptr(F32, shape, out, &y));
	EXPECT_OK(ov_infer_request_set_input_tensor(r, x));
	fill(in, 3);
	tarn_request_times t = run(r);
	EXPECT(t.copies == 1 && t.copy_bytes == sizeof in);
	expect(data_of(own_y), 3);
	EXPECT_OK(ov_infer_request_set_output_tensor(r, y));
	fill(in, 5);
	t = run(r);
	EXPECT(t.copies == 2 && t.copy_bytes == 2 * (long)sizeof in);
	expect(out, 5);
	/* Back to the request's own. */
	EXPECT_OK(ov_infer_request_set_input_tensor(r, own_x));
	EXPECT_OK(ov_infer_request_set_output_tensor(r, own_y));
	fill(data_of(own_x), 9);
	EXPECT(run(r).copies == 0);
	expect(data_of(own_y), 9);
	ov_infer_request_free(r);
	ov_tensor_free(own_x);
	ov_tensor_free(own_y);
	ov_tensor_free(x);
	ov_tensor_free(y);
	ov_compiled_model_free(cm);
}

/* Where the device's time goes: the parts are the whole. */
static void account(void)
{
	tarn_device_account a;
	ov_compiled_model_t *cm = compile("NPU_TILES", "1"), *cpu;
	EXPECT_OK(tarn_get_device_account(cm, &a));
	EXPECT(a.modelled && a.band > 0 && a.tiles == 1 && a.device_tiles == 2 && a.mhz < a.mhz_highest);
	/* 2 tiles x 2048 products x 2 operations at the highest clock. */
	EXPECT(fabs(a.tops - 2 * 2048 * 2 * a.mhz_highest * 1e-6) < 1e-6);
	double sum =
		a.fixed_ms + a.dpu_ms + a.shave_ms + a.copy_ms + a.stall_weights_ms + a.stall_inputs_ms + a.stall_stores_ms;
	EXPECT(fabs(sum - a.total_ms) < 1e-9 && a.free_bandwidth_ms <= a.total_ms && a.free_compute_ms <= a.total_ms);
	ov_infer_request_t *r;
	EXPECT_OK(ov_compiled_model_create_infer_request(cm, &r));
	EXPECT(fabs(run(r).device_ms - a.total_ms) < 1e-3);
	ov_infer_request_free(r);
	ov_compiled_model_free(cm);
	ov_model_t *m = read_affine(core, 2, dim);
	EXPECT_OK(ov_core_compile_model(core, m, "CPU", 0, &cpu));
	EXPECT(tarn_get_device_account(cpu, &a) == NOT_IMPLEMENTED);
	ov_compiled_model_free(cpu);
	ov_model_free(m);
}

/* ---- many in flight, each started again from its callback ---- */

enum { FLIGHT = 6, ROUNDS = 20 };
static struct flight {
	ov_infer_request_t *r;
	ov_callback_t callback;
	float *x, *y;
	int round;
} flight[FLIGHT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static int n_done;

static void next(void *arg)
{
	struct flight *f = arg;
	int k = (int)(f - flight);
	expect(f->y, f->round + 50 * k);
	if (++f->round < ROUNDS) {
		fill(f->x, f->round + 50 * k);
		EXPECT_OK(ov_infer_request_start_async(f->r));
		return;
	}
	pthread_mutex_lock(&lock);
	n_done++;
	pthread_cond_signal(&done);
	pthread_mutex_unlock(&lock);
}

static void many_in_flight(void)
{
	ov_compiled_model_t *cm = compile("PERFORMANCE_HINT", "THROUGHPUT");
	for (int k = 0; k < FLIGHT; k++) {
		struct flight *f = &flight[k];
		ov_tensor_t *t;
		EXPECT_OK(ov_compiled_model_create_infer_request(cm, &f->r));
		EXPECT_OK(ov_infer_request_get_input_tensor(f->r, &t));
		f->x = data_of(t);
		ov_tensor_free(t);
		EXPECT_OK(ov_infer_request_get_output_tensor(f->r, &t));
		f->y = data_of(t);
		ov_tensor_free(t);
		f->callback = (ov_callback_t){next, f};
		EXPECT_OK(ov_infer_request_set_callback(f->r, &f->callback));
		fill(f->x, 50 * k);
	}
	ov_compiled_model_free(cm);
	for (int k = 0; k < FLIGHT; k++)
		EXPECT_OK(ov_infer_request_start_async(flight[k].r));
	pthread_mutex_lock(&lock);
	while (n_done < FLIGHT)
		pthread_cond_wait(&done, &lock);
	pthread_mutex_unlock(&lock);
	for (int k = 0; k < FLIGHT; k++)
		ov_infer_request_free(flight[k].r);
}

/* Exported, and back: the same results, nothing compiled. */
static void exported(void)
{
	tarn_simulation before, after;
	ov_compiled_model_t *cm = compile("PERF_COUNT", "NO"), *back;
	EXPECT_OK(ov_compiled_model_export_model(cm, "test_npu.blob"));
	ov_compiled_model_free(cm);
	FILE *f = fopen("test_npu.blob", "rb");
	static char blob[1 << 20];
	EXPECT(f);
	size_t n = fread(blob, 1, sizeof blob, f);
	fclose(f);
	remove("test_npu.blob");
	EXPECT(n > 64 && n < sizeof blob);
	EXPECT_OK(tarn_get_simulation(core, &before));
	EXPECT_OK(ov_core_import_model(core, blob, n, "NPU", &back));
	ov_infer_request_t *r;
	ov_tensor_t *x, *y;
	EXPECT_OK(ov_compiled_model_create_infer_request(back, &r));
	EXPECT_OK(ov_infer_request_get_tensor(r, "x", &x));
	EXPECT_OK(ov_infer_request_get_tensor(r, "y", &y));
	fill(data_of(x), 11);
	run(r);
	expect(data_of(y), 11);
	EXPECT_OK(tarn_get_simulation(core, &after));
	EXPECT(after.compiled == before.compiled && after.submitted > before.submitted);
	ov_tensor_free(x);
	ov_tensor_free(y);
	ov_infer_request_free(r);
	ov_compiled_model_free(back);
	/* Any byte that is not as it was is noticed. */
	for (size_t i = 0; i < n; i += n / 40 + 1) {
		blob[i] ^= 4;
		EXPECT(ov_core_import_model(core, blob, n, "NPU", &back) != OK && tarn_last_exit_code() != 0);
		blob[i] ^= 4;
	}
}

/* Properties that say so when they cannot have an effect. */
static void notes(void)
{
	static const struct {
		const char *key, *value, *note;
	} table[] = {{"NUM_STREAMS", "3", "one request at a time"},
		     {"NPU_QDQ_OPTIMIZATION", "YES", "the driver's compiler does not know it"},
		     {"NPU_DEFER_WEIGHTS_LOAD", "YES", NULL},
		     {"NPU_DISABLE_IDLE_MEMORY_PRUNING", "YES", NULL},
		     {"WORKLOAD_TYPE", "EFFICIENT", NULL},
		     {"MODEL_PRIORITY", "HIGH", NULL},
		     {"NPU_RUN_INFERENCES_SEQUENTIALLY", "YES", NULL}};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		tarn_load_info info;
		char *note;
		ov_infer_request_t *r;
		ov_compiled_model_t *cm = compile(table[i].key, table[i].value);
		EXPECT_OK(tarn_get_load_info(cm, &info));
		EXPECT(info.notes == (table[i].note != NULL));
		if (info.notes) {
			EXPECT_OK(tarn_get_load_note(cm, 0, &note));
			EXPECT(strstr(note, table[i].note));
			ov_free(note);
		}
		EXPECT_OK(ov_compiled_model_create_infer_request(cm, &r));
		run(r);
		ov_infer_request_free(r);
		ov_compiled_model_free(cm);
	}
}

static void nodes(void)
{
	tarn_node_list l;
	ov_model_t *m = read_affine(core, 2, dim);
	EXPECT_OK(tarn_list_nodes(core, m, "NPU", &l));
	EXPECT(l.size == 2);
	for (size_t i = 0; i < l.size; i++)
		EXPECT(l.at[i].supported && !l.at[i].why);
	tarn_free_nodes(&l);
	ov_model_free(m);
	const int free_dim[] = {2, -1};
	m = read_affine(core, 2, free_dim);
	EXPECT_OK(tarn_list_nodes(core, m, "NPU", &l));
	EXPECT(l.size == 2 && !l.at[0].supported && strstr(l.at[0].why, "fixed sizes"));
	tarn_free_nodes(&l);
	ov_model_free(m);
}

static void refusals(void)
{
	const int free_dim[] = {2, -1}, six[] = {1, 1, 1, 1, 1, 4};
	ov_compiled_model_t *cm;
	ov_model_t *m = read_affine(core, 2, free_dim);
	EXPECT(ov_core_compile_model(core, m, "NPU", 0, &cm) != OK);
	EXPECT(error_says("input 'x'") && error_says("axis 1"));
	EXPECT(error_says("-shape 'x[2,1]'"));
	ov_model_free(m);
	m = read_affine(core, 6, six);
	EXPECT(ov_core_compile_model(core, m, "NPU", 0, &cm) != OK);
	EXPECT(error_says("input 'x' has 6 dimensions"));
	ov_model_free(m);
	m = read_affine(core, 2, dim);
	EXPECT(ov_core_compile_model(core, m, "NPU", 2, &cm, "NPU_TILES", "7") != OK && tarn_last_exit_code() == 2);
	EXPECT(ov_core_compile_model(core, m, "NPU", 2, &cm, "NPU_SPEED", "7") != OK && tarn_last_exit_code() == 2);
	EXPECT(ov_core_compile_model(core, m, "NPU", 2, &cm, "DEVICE_ID", "4000") != OK && tarn_last_exit_code() == 2);
	EXPECT(error_says("3720"));
	EXPECT(ov_core_compile_model(core, m, "NPU", 2, &cm, "NPU_COMPILER_TYPE", "PLUGIN") != OK);
	EXPECT(ov_core_compile_model(core, m, "NPU", 2, &cm, "EXECUTION_MODE_HINT", "SPEED") != OK);
	EXPECT(error_says("PERFORMANCE"));
	EXPECT_OK(ov_core_compile_model(core, m, "NPU", 2, &cm, "EXECUTION_MODE_HINT", "ACCURACY"));
	ov_compiled_model_free(cm);
	ov_model_free(m);
	/* Not a blob. */
	EXPECT(ov_core_import_model(core, "xxxxxxxxxxxx", 12, "NPU", &cm) != OK && tarn_last_exit_code() == 3);
}

int main(void)
{
	unsetenv("TARN_NPU");
	choice();
	properties();
	own_memory();
	foreign_memory();
	account();
	many_in_flight();
	exported();
	notes();
	nodes();
	refusals();
	tarn_simulation s;
	EXPECT_OK(tarn_get_simulation(core, &s));
	EXPECT(s.submitted >= FLIGHT * ROUNDS && s.clock_ms > 0);
	ov_core_free(core);
	return 0;
}
