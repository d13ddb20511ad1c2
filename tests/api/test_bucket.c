/* SPDX-License-Identifier: Apache-2.0 */
/* Free dimensions inside bounds, as a user meets them: reshape, compile, run any length, on devices of fixed shapes, too. */
#include "api.h"

#include <stdatomic.h>
#include <sched.h>

#include "tarn/buckets.h"
#include "tarn/sim.h"

enum { LONGEST = 64, INPUTS = 3 };

static const char *const names[INPUTS] = {"input_ids", "attention_mask", "position_ids"};
static ov_core_t *core;

static ov_model_t *text_model(int64_t most)
{
	ov_model_t *m;
	EXPECT_OK(ov_core_read_model(core, TARN_EXAMPLES "/text/text.onnx", NULL, &m));
	if (most) {
		ov_partial_shape_t shape[INPUTS];
		const ov_dimension_t dims[2] = {{1, 1}, {1, most}};
		for (int i = 0; i < INPUTS; i++)
			EXPECT_OK(ov_partial_shape_create(2, dims, &shape[i]));
		EXPECT_OK(ov_model_reshape(m, (const char **)(size_t)names, shape, INPUTS));
		for (int i = 0; i < INPUTS; i++)
			ov_partial_shape_free(&shape[i]);
	}
	return m;
}

static ov_tensor_t *tensor_of(ov_element_type_e type, int64_t a, int64_t b)
{
	ov_shape_t shape;
	ov_tensor_t *t;
	EXPECT_OK(ov_shape_create(2, (int64_t[]){a, b}, &shape));
	EXPECT_OK(ov_tensor_create(type, shape, &t));
	ov_shape_free(&shape);
	return t;
}

static void *data_of(const ov_tensor_t *t)
{
	void *at;
	EXPECT_OK(ov_tensor_data(t, &at));
	return at;
}

/* Ids that depend on the length, a mask of ones, positions. */
static void set_inputs(ov_infer_request_t *r, int64_t n)
{
	for (int k = 0; k < INPUTS; k++) {
		ov_tensor_t *t = tensor_of(I64, 1, n);
		int64_t *at = data_of(t);
		for (int64_t i = 0; i < n; i++)
			at[i] = k == 0 ? 32 + (i * 7 + n) % 90 : k == 1 ? 1 : i;
		EXPECT_OK(ov_infer_request_set_tensor(r, names[k], t));
		ov_tensor_free(t);
	}
}

static int scores_of(ov_infer_request_t *r, float out[16])
{
	ov_tensor_t *t;
	size_t n;
	EXPECT_OK(ov_infer_request_get_output_tensor(r, &t));
	EXPECT_OK(ov_tensor_get_size(t, &n));
	EXPECT(n <= 16);
	memcpy(out, data_of(t), n * sizeof *out);
	ov_tensor_free(t);
	return (int)n;
}

static double worst(const float *a, const float *b, int n)
{
	double diff = 0, most = 0;
	for (int i = 0; i < n; i++) {
		diff = fmax(diff, fabs((double)a[i] - b[i]));
		most = fmax(most, fabs((double)b[i]));
	}
	return diff / most;
}

static ov_infer_request_t *request_of(const ov_compiled_model_t *c)
{
	ov_infer_request_t *r;
	EXPECT_OK(ov_compiled_model_create_infer_request(c, &r));
	return r;
}

/* The model as it was, on the CPU. */
static ov_infer_request_t *plain;

static void compare(ov_infer_request_t *r, int64_t n, double limit)
{
	float a[16], b[16];
	set_inputs(r, n);
	EXPECT_OK(ov_infer_request_infer(r));
	set_inputs(plain, n);
	EXPECT_OK(ov_infer_request_infer(plain));
	int count = scores_of(r, a);
	EXPECT(count == scores_of(plain, b));
	EXPECT(worst(a, b, count) <= limit);
}

static void expect_text(const char *part)
{
	char *text = (char *)(size_t)ov_get_last_err_msg();
	if (!text || !strstr(text, part)) {
		fprintf(stderr, "'%s' lacks '%s'\n", text ? text : "", part);
		exit(1);
	}
	ov_free(text);
}

/* Ports show the bounds; what is longer is refused with both numbers, when it is set or when it runs. */
static void ports_and_limits(const ov_compiled_model_t *c)
{
	ov_output_const_port_t *port;
	ov_partial_shape_t shape;
	EXPECT_OK(ov_compiled_model_input_by_name(c, "input_ids", &port));
	EXPECT_OK(ov_port_get_partial_shape(port, &shape));
	EXPECT(shape.rank.max == 2 && shape.dims[1].min == 1 && shape.dims[1].max == LONGEST);
	ov_partial_shape_free(&shape);
	ov_output_const_port_free(port);
	ov_infer_request_t *r = request_of(c);
	ov_tensor_t *t = tensor_of(I64, 1, LONGEST + 5);
	EXPECT(ov_infer_request_set_tensor(r, "input_ids", t) == PARAMETER_MISMATCH);
	expect_text("64 elements along axis 1, the tensor has 69");
	ov_tensor_free(t);
	set_inputs(r, 9);
	t = tensor_of(I64, 1, 8);
	EXPECT_OK(ov_infer_request_set_tensor(r, "attention_mask", t));
	EXPECT(ov_infer_request_infer(r) == PARAMETER_MISMATCH);
	expect_text("they must agree");
	ov_tensor_free(t);
	ov_infer_request_free(r);
}

/* Tensors of the request itself: get, give a shape, fill. */
static void own_tensors(const ov_compiled_model_t *c, double limit)
{
	ov_infer_request_t *r = request_of(c);
	float a[16], b[16];
	for (int64_t n = 5; n < LONGEST; n += 26) {
		ov_shape_t shape;
		EXPECT_OK(ov_shape_create(2, (int64_t[]){1, n}, &shape));
		for (int k = 0; k < INPUTS; k++) {
			ov_tensor_t *t;
			EXPECT_OK(ov_infer_request_get_tensor(r, names[k], &t));
			EXPECT_OK(ov_tensor_set_shape(t, shape));
			int64_t *at = data_of(t);
			for (int64_t i = 0; i < n; i++)
				at[i] = k == 0 ? 32 + (i * 7 + n) % 90 : k == 1 ? 1 : i;
			ov_tensor_free(t);
		}
		ov_shape_free(&shape);
		EXPECT_OK(ov_infer_request_infer(r));
		set_inputs(plain, n);
		EXPECT_OK(ov_infer_request_infer(plain));
		int count = scores_of(r, a);
		EXPECT(count == scores_of(plain, b) && worst(a, b, count) <= limit);
	}
	ov_infer_request_free(r);
}

/* Several requests at once, each with lengths of its own; callbacks. */
static void called(void *arg)
{
	++*(int *)arg;
}

static void together(const ov_compiled_model_t *c, double limit)
{
	enum { N = 4 };
	ov_infer_request_t *r[N];
	int calls[N] = {0};
	for (int i = 0; i < N; i++) {
		r[i] = request_of(c);
		const ov_callback_t callback = {called, &calls[i]};
		EXPECT_OK(ov_infer_request_set_callback(r[i], &callback));
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			set_inputs(r[i], 1 + (round * 23 + i * 17) % LONGEST);
			EXPECT_OK(ov_infer_request_start_async(r[i]));
		}
		for (int i = 0; i < N; i++) {
			float a[16], b[16];
			EXPECT_OK(ov_infer_request_wait(r[i]));
			set_inputs(plain, 1 + (round * 23 + i * 17) % LONGEST);
			EXPECT_OK(ov_infer_request_infer(plain));
			int count = scores_of(r[i], a);
			EXPECT(count == scores_of(plain, b) && worst(a, b, count) <= limit);
		}
	}
	for (int i = 0; i < N; i++) {
		EXPECT(calls[i] == 3);
		ov_infer_request_free(r[i]);
	}
}

/* A request may free itself, and with it the last reference to everything it came from. */
static atomic_int gone;

static void free_it(void *arg)
{
	ov_infer_request_free(arg);
	atomic_store(&gone, 1);
}

static void freed_inside(const char *device)
{
	ov_core_t *own;
	ov_model_t *m = text_model(LONGEST);
	ov_compiled_model_t *c;
	EXPECT_OK(ov_core_create(&own));
	EXPECT_OK(ov_core_compile_model(own, m, device, 2, &c, "TARN_BUCKETS", "16,64"));
	ov_infer_request_t *r = request_of(c);
	const ov_callback_t callback = {free_it, r};
	set_inputs(r, 30);
	EXPECT_OK(ov_infer_request_infer(r));
	set_inputs(r, 7);
	EXPECT_OK(ov_infer_request_set_callback(r, &callback));
	ov_compiled_model_free(c);
	ov_core_free(own);
	ov_model_free(m);
	atomic_store(&gone, 0);
	EXPECT_OK(ov_infer_request_start_async(r));
	while (!atomic_load(&gone))
		sched_yield();
}

static void lengths(const ov_compiled_model_t *c, double limit)
{
	ov_infer_request_t *r = request_of(c);
	for (int64_t n = 1; n <= LONGEST; n += n < 20 ? 3 : 7)
		compare(r, n, limit);
	compare(r, LONGEST, limit);
	ov_infer_request_free(r);
}

static void bounded_npu(void)
{
	ov_model_t *m = text_model(LONGEST);
	ov_compiled_model_t *c;
	char *text;
	EXPECT_OK(ov_core_compile_model(core, m, "NPU", 0, &c));
	EXPECT_OK(ov_compiled_model_get_property(c, "EXECUTION_DEVICES", &text));
	EXPECT(!strcmp(text, "NPU"));
	ov_free(text);
	ports_and_limits(c);
	lengths(c, 2e-2);
	own_tensors(c, 2e-2);
	together(c, 2e-2);
	/* a request may outlive everything it came from */
	ov_infer_request_t *r = request_of(c);
	ov_compiled_model_free(c);
	compare(r, 11, 2e-2);
	ov_infer_request_free(r);
	/* without bounds there is no static program to make */
	ov_model_t *wide = text_model(0);
	EXPECT(ov_core_compile_model(core, wide, "NPU", 0, &c) != OK);
	expect_text("free dimension");
	ov_model_free(wide);
	ov_model_free(m);
}

static void buckets(const char *device, double limit)
{
	ov_model_t *m = text_model(0), *one = text_model(LONGEST);
	ov_compiled_model_t *c;
	char *text;
	EXPECT(ov_core_compile_model(core, m, device, 2, &c, "TARN_BUCKETS", "length=16,8") != OK);
	expect_text("must ascend");
	EXPECT(ov_core_compile_model(core, m, device, 2, &c, "TARN_BUCKETS", "batch=1;width=8") != OK);
	EXPECT(ov_core_compile_model(core, one, device, 2, &c, "TARN_BUCKETS", "16,32") != OK);
	expect_text("must agree");
	EXPECT_OK(ov_core_compile_model(core, m, device, 2, &c, "TARN_BUCKETS", "batch=1;length=8,24,64"));
	EXPECT_OK(ov_compiled_model_get_property(c, "TARN_BUCKETS", &text));
	EXPECT(!strcmp(text, "batch=1;length=8,24,64"));
	ov_free(text);
	lengths(c, limit);
	together(c, limit);
	ov_compiled_model_free(c);
	ov_model_free(one);
	ov_model_free(m);
}

static long size_of(const char *path)
{
	FILE *f = fopen(path, "rb");
	EXPECT(f && !fseek(f, 0, SEEK_END));
	long n = ftell(f);
	fclose(f);
	return n;
}

/* One file carries all sizes, and the weights once. */
static void one_file(void)
{
	ov_model_t *m = text_model(LONGEST);
	ov_compiled_model_t *c;
	EXPECT_OK(ov_core_compile_model(core, m, "NPU", 0, &c));
	EXPECT_OK(ov_compiled_model_export_model(c, "one.blob"));
	ov_compiled_model_free(c);
	EXPECT_OK(ov_core_compile_model(core, m, "NPU", 2, &c, "TARN_BUCKETS", "8,16,24,32,64"));
	EXPECT_OK(ov_compiled_model_export_model(c, "five.blob"));
	ov_compiled_model_free(c);
	ov_model_free(m);
	long one = size_of("one.blob"), five = size_of("five.blob");
	printf("compiled for one size: %ld bytes, for five: %ld\n", one, five);
	EXPECT((double)five <= (double)one * (1 + 4 * 0.15)); /* a size more is its code and constants, not the weights */
	FILE *f = fopen("five.blob", "rb");
	char *at = malloc((size_t)five);
	EXPECT(f && at && fread(at, 1, (size_t)five, f) == (size_t)five);
	fclose(f);
	EXPECT_OK(ov_core_import_model(core, at, (size_t)five, "NPU", &c));
	lengths(c, 2e-2);
	ports_and_limits(c);
	ov_compiled_model_free(c);
	/* damage is found */
	for (long i = five / 3; i < five; i += five / 3) {
		at[i] ^= 1;
		EXPECT(ov_core_import_model(core, at, (size_t)five, "NPU", &c) != OK);
		at[i] ^= 1;
	}
	free(at);
	remove("one.blob");
	remove("five.blob");
}

/* y = 2 x + 1 for x [n,3]: results go into the user's memory as long as there is room, whatever sizes its tensor had. */
static void results_in_place(const char *device)
{
	ov_model_t *m = read_affine(core, 2, (int[]){-1, 3});
	ov_compiled_model_t *c;
	float memory[24];
	ov_shape_t shape;
	ov_tensor_t *y, *x;
	EXPECT_OK(ov_core_compile_model(core, m, device, 2, &c, "TARN_BUCKETS", "4,8"));
	ov_infer_request_t *r = request_of(c);
	EXPECT_OK(ov_shape_create(2, (int64_t[]){8, 3}, &shape));
	EXPECT_OK(ov_tensor_create_from_host_ptr(F32, shape, memory, &y));
	ov_shape_free(&shape);
	EXPECT_OK(ov_infer_request_set_output_tensor(r, y));
	static const int64_t sizes[] = {8, 5, 3, 8, 4, 7};
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		int64_t n = sizes[k];
		x = tensor_of(F32, n, 3);
		for (int i = 0; i < n * 3; i++)
			((float *)data_of(x))[i] = (float)i;
		EXPECT_OK(ov_infer_request_set_input_tensor(r, x));
		EXPECT_OK(ov_infer_request_infer(r));
		ov_tensor_free(x);
		EXPECT_OK(ov_tensor_get_shape(y, &shape));
		EXPECT(shape.rank == 2 && shape.dims[0] == n && shape.dims[1] == 3 && data_of(y) == memory);
		ov_shape_free(&shape);
		for (int i = 0; i < n * 3; i++)
			EXPECT(memory[i] == 2 * (float)i + 1);
	}
	ov_tensor_free(y);
	ov_infer_request_free(r);
	ov_compiled_model_free(c);
	ov_model_free(m);
}

/* A service that learns: lengths in use, a plan for them, and the model compiled for that. */
static void learning(void)
{
	ov_model_t *m = text_model(0);
	ov_compiled_model_t *c;
	int64_t *length;
	size_t n;
	EXPECT_OK(ov_core_compile_model(core, m, "NPU", 2, &c, "TARN_BUCKETS", "length=64;batch=1"));
	EXPECT(tarn_get_seen_lengths(c, "length", &length, &n) == NOT_FOUND);
	ov_infer_request_t *r = request_of(c);
	for (int i = 0; i < 12; i++)
		compare(r, i % 3 ? 9 : 20, 2e-2);
	ov_infer_request_free(r);
	EXPECT(tarn_get_seen_lengths(c, "width", &length, &n) == NOT_FOUND);
	EXPECT_OK(tarn_get_seen_lengths(c, "length", &length, &n));
	EXPECT(n == 12 && length[0] == 9 && length[7] == 9 && length[8] == 20 && length[11] == 20);
	ov_compiled_model_free(c);
	const tarn_bucket_bound bound = {"length", 64};
	const tarn_bucket_limit limit = {.count = 3};
	tarn_buckets_t *plan;
	tarn_buckets_info info;
	EXPECT_OK(tarn_plan_buckets(core, m, "NPU", 0, NULL, &bound, 1, length, n, &limit, &plan));
	EXPECT_OK(tarn_get_buckets_info(plan, &info));
	EXPECT(!strcmp(info.buckets, "length=9,20,64;batch=1") && info.modelled && info.inputs == 12);
	EXPECT(info.way[0].padding == 0 && info.way[0].mean_ms < info.way[1].mean_ms);
	EXPECT_OK(ov_core_compile_model(core, m, "NPU", 2, &c, "TARN_BUCKETS", info.buckets));
	lengths(c, 2e-2);
	ov_compiled_model_free(c);
	tarn_free_buckets(plan);
	ov_free((const char *)length);
	ov_model_free(m);
}

/* The same by itself: nothing until enough came, then a plan in the background; requests of before go on. */
static void learner(const char *device, double limit)
{
	ov_model_t *m = text_model(0);
	ov_compiled_model_t *c, *newer;
	tarn_learner_t *l;
	tarn_learn_info info;
	uint64_t generation = 0;
	const tarn_bucket_bound bound = {"length", 64}, wrong = {"width", 64};
	const tarn_learn_options options = {.requests = 20, .gain = 1e-6, .limit = {.count = 3}};
	EXPECT(tarn_learn_buckets(core, m, device, 0, NULL, &wrong, 1, &options, &l) != OK);
	EXPECT_OK(tarn_learn_buckets(core, m, device, 0, NULL, &bound, 1, &options, &l));
	EXPECT_OK(tarn_get_learned(l, &generation, &c));
	EXPECT(c && generation == 1);
	ov_infer_request_t *old = request_of(c), *r;
	for (int i = 0; i < 20; i++) {
		compare(old, i % 3 ? 9 : 20, limit);
		EXPECT_OK(tarn_get_learned(l, &generation, &newer));
		EXPECT(!newer);
	}
	EXPECT_OK(tarn_wait_learned(l));
	EXPECT_OK(tarn_get_learn_info(l, &info));
	EXPECT(info.plans == 1 && !info.busy && !info.why && info.ms > 0 && info.planned_ms > 0);
	/* Measured times may say anything on a busy machine; modelled ones do not. */
	EXPECT(info.switches == 1 || !strcmp(device, "CPU"));
	EXPECT(strcmp(device, "CPU") || info.switches == (info.planned_ms <= info.ms * (1 - 1e-6)));
	EXPECT(strcmp(device, "NPU") || !strcmp(info.buckets, "length=9,20,64;batch=1"));
	size_t switches = info.switches;
	tarn_buckets_t *saved;
	tarn_buckets_info said;
	EXPECT(tarn_save_learned(l, "learned.json") == (switches ? OK : NOT_FOUND));
	if (switches) {
		EXPECT_OK(tarn_read_buckets("learned.json", &saved));
		EXPECT_OK(tarn_get_buckets_info(saved, &said));
		EXPECT(!strcmp(said.buckets, info.buckets) && said.inputs == 20);
		tarn_free_buckets(saved);
		remove("learned.json");
	}
	ov_free(info.buckets);
	EXPECT_OK(tarn_get_learned(l, &generation, &newer));
	EXPECT(!newer == !switches && generation == 1 + switches);
	if (newer) {
		r = request_of(newer);
		compare(r, 9, limit);
		compare(r, 33, limit);
		ov_infer_request_free(r);
		ov_compiled_model_free(newer);
	}
	compare(old, 17, limit);
	/* The same traffic again: the plan would be the same, and nothing is switched. */
	EXPECT_OK(tarn_get_learned(l, &generation, &newer));
	EXPECT(!newer);
	tarn_free_learner(l);
	compare(old, 5, limit);
	ov_infer_request_free(old);
	ov_compiled_model_free(c);
	ov_model_free(m);
}

int main(void)
{
	ov_compiled_model_t *c;
	EXPECT_OK(tarn_use_simulated_npu("4000"));
	EXPECT_OK(ov_core_create(&core));
	ov_model_t *m = text_model(0);
	EXPECT_OK(ov_core_compile_model(core, m, "CPU", 0, &c));
	plain = request_of(c);
	ov_compiled_model_free(c);
	ov_model_free(m);
	bounded_npu();
	buckets("CPU", 1e-4);
	buckets("NPU", 2e-2);
	one_file();
	freed_inside("CPU");
	freed_inside("NPU");
	results_in_place("CPU");
	results_in_place("NPU");
	learning();
	learner("NPU", 2e-2);
	learner("CPU", 1e-4);
	ov_infer_request_free(plain);
	ov_core_free(core);
	return 0;
}
