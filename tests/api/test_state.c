/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences through the public API, on CPU and on the simulated NPU: a running total and a cache that grows, against closed
 * forms; what is counted, and what is refused. */
#include "api.h"

#include "tarn/sim.h"
#include "tarn/state.h"

static ov_core_t *core;

static bool said(const char *words)
{
	const char *text = ov_get_last_err_msg();
	bool found = text && strstr(text, words);
	ov_free(text);
	return found;
}

static ov_model_t *read_bytes(bytes m)
{
	ov_model_t *model;
	EXPECT_OK(ov_core_read_model_from_memory_buffer(core, (const char *)m.at, m.n, NULL, &model));
	return model;
}

static ov_tensor_t *floats(float *at, int64_t n)
{
	ov_shape_t shape;
	ov_tensor_t *t;
	EXPECT_OK(ov_shape_create(1, &n, &shape));
	EXPECT_OK(ov_tensor_create_from_host_ptr(F32, shape, at, &t));
	ov_shape_free(&shape);
	return t;
}

/* Element i of an output. */
static float get(tarn_sequence_t *q, const char *name, int i)
{
	ov_tensor_t *t;
	void *data;
	EXPECT_OK(tarn_sequence_get_tensor(q, name, &t));
	EXPECT_OK(ov_tensor_data(t, &data));
	float v = ((float *)data)[i];
	ov_tensor_free(t);
	return v;
}

static void feed(tarn_sequence_t *q, float *at, int64_t n)
{
	ov_tensor_t *t = floats(at, n);
	EXPECT_OK(tarn_sequence_set_tensor(q, "x", t));
	ov_tensor_free(t); /* the sequence has a reference */
}

static void running_total(const char *device)
{
	ov_model_t *model = read_bytes(running_model(2));
	tarn_sequence_t *q;
	const char *const states[] = {"total=s"};
	tarn_state_options options = {.states = states, .n_states = 1};
	EXPECT_OK(tarn_sequence_open(core, model, device, &options, 0, NULL, &q));
	for (int again = 0; again < 2; again++) {
		float x[2], total = 0;
		for (int i = 1; i <= 5; i++) {
			x[0] = (float)i;
			x[1] = -2 * (float)i;
			total += (float)i;
			feed(q, x, 2);
			EXPECT_OK(tarn_sequence_infer(q));
			EXPECT(get(q, "y", 0) == 2 * total && get(q, "y", 1) == -4 * total);
		}
		EXPECT(tarn_sequence_get_tensor(q, "total", &(ov_tensor_t *){NULL}) == NOT_FOUND);
		EXPECT_OK(tarn_sequence_reset(q));
	}
	/* a state of the caller's */
	float start[2] = {100, 200}, one[2] = {1, 1};
	ov_tensor_t *t = floats(start, 2);
	EXPECT_OK(tarn_sequence_set_state(q, "s", t));
	ov_tensor_free(t);
	feed(q, one, 2);
	EXPECT_OK(tarn_sequence_infer(q));
	EXPECT(get(q, "y", 0) == 202 && get(q, "y", 1) == 402);
	tarn_sequence_close(q);
	ov_model_free(model);
}

static void growing_cache(const char *device)
{
	ov_model_t *model = read_bytes(cache_model());
	tarn_state_info state;
	tarn_sequence_t *q;
	tarn_sequence_info before, after;
	float x[8] = {-5, -7, -6, -4, -9, -3, -8, -8}, most = -1e9f;
	const int64_t calls[] = {2, 1, 3, 1};
	EXPECT_OK(tarn_get_state(model, 0, &state));
	EXPECT(!strcmp(state.input, "past") && !strcmp(state.output, "all") && state.axis == 0);
	tarn_free_state(&state);
	EXPECT(tarn_get_state(model, 1, &state) == NOT_FOUND);
	tarn_state_options options = {.window = 7, .step = 3};
	EXPECT_OK(tarn_sequence_open(core, model, device, &options, 0, NULL, &q));
	EXPECT_OK(tarn_sequence_get_info(q, &before));
	tarn_simulation driver, driver_after;
	bool npu = !strcmp(device, "NPU");
	if (npu)
		EXPECT_OK(tarn_get_simulation(core, &driver));
	EXPECT(before.window == 7 && before.step == 3 && before.programs == 2 && before.compilations == 2);
	int64_t at = 0;
	for (int k = 0; k < 4; k++) {
		feed(q, x + at, calls[k]);
		EXPECT_OK(tarn_sequence_infer(q));
		for (int64_t i = 0; i < calls[k]; i++)
			most = fmaxf(most, x[at + i]);
		at += calls[k];
		EXPECT(get(q, "y", 0) == most);
	}
	EXPECT_OK(tarn_sequence_get_info(q, &after));
	EXPECT(after.past == 7 && after.steps == 4 && after.positions == 7 && after.compilations == 2);
	if (npu) { /* nor does the driver know of another compilation; each step was one command list */
		EXPECT_OK(tarn_get_simulation(core, &driver_after));
		EXPECT(driver_after.compiled == driver.compiled && driver_after.submitted == driver.submitted + 4);
	}
	EXPECT(after.state_copied == 0 && after.copied == 0 && after.state_bytes == 7 * (int64_t)sizeof(float));
	feed(q, x, 1);
	EXPECT(tarn_sequence_infer(q) == PARAMETER_MISMATCH);
	EXPECT(said("the window holds 7 positions; 7 are there and 1 more do not fit"));
	EXPECT_OK(tarn_sequence_reset(q));
	feed(q, x, 4); /* a maximum over everything looks at later positions, too: it cannot be cut */
	EXPECT(tarn_sequence_infer(q) == NOT_IMPLEMENTED);
	EXPECT(said("(ReduceMax)"));
	tarn_sequence_close(q);
	ov_model_free(model);
}

/* The rewritten model is an ordinary one. */
static void rewritten(void)
{
	ov_model_t *model = read_bytes(cache_model());
	tarn_state_options options = {.window = 5};
	tarn_state_info state;
	size_t n;
	EXPECT_OK(tarn_make_stateful(model, &options));
	EXPECT_OK(ov_model_inputs_size(model, &n));
	EXPECT(n == 4); /* past, x, past_length, the window's valid length */
	EXPECT_OK(tarn_get_state(model, 0, &state));
	EXPECT(!strcmp(state.input, "past") && state.axis == 0);
	tarn_free_state(&state);
	tarn_stateful_info info;
	EXPECT_OK(tarn_get_stateful(model, &info));
	EXPECT(info.window == 5 && info.step == 1 && !info.step_length && !strcmp(info.past_input, "past_length"));
	EXPECT(info.window_length && info.whole && strstr(info.whole, "(ReduceMax)"));
	tarn_free_stateful(&info);
	ov_model_free(model);
	model = read_bytes(running_model(2));
	EXPECT(tarn_get_stateful(model, &info) == NOT_FOUND);
	ov_model_free(model);
}

static void refusals(void)
{
	ov_model_t *model = read_bytes(running_model(2));
	tarn_sequence_t *q = NULL;
	tarn_state_options options = {.window = 4};
	EXPECT(tarn_sequence_open(NULL, model, "CPU", &options, 0, NULL, &q) == INVALID_C_PARAM);
	EXPECT(tarn_sequence_open(core, model, "CPU", &options, 0, NULL, &q) == NOT_FOUND);
	EXPECT(said("no cache that grows"));
	const char *const none[] = {"total=nothing"}, *const bad[] = {"total"}, *const other[] = {"y=s", "total=s"};
	options = (tarn_state_options){.states = none, .n_states = 1};
	EXPECT(tarn_sequence_open(core, model, "CPU", &options, 0, NULL, &q) == NOT_FOUND);
	options.states = bad;
	EXPECT(tarn_sequence_open(core, model, "CPU", &options, 0, NULL, &q) == GENERAL_ERROR);
	options = (tarn_state_options){.states = other, .n_states = 2};
	EXPECT(tarn_sequence_open(core, model, "CPU", &options, 0, NULL, &q) == GENERAL_ERROR);
	EXPECT(said("belongs to one state"));
	EXPECT(!q);
	tarn_sequence_close(NULL);
	ov_model_free(model);
}

int main(void)
{
	EXPECT_OK(tarn_use_simulated_npu("4000"));
	EXPECT_OK(ov_core_create(&core));
	for (int k = 0; k < 2; k++) {
		running_total(k ? "NPU" : "CPU");
		growing_cache(k ? "NPU" : "CPU");
	}
	rewritten();
	refusals();
	ov_core_free(core);
	return 0;
}
