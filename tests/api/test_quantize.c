/* SPDX-License-Identifier: Apache-2.0 */
/* Quantizing with a function for data, as a program does it. */
#include "api.h"

#include "tarn/quantize.h"

static size_t told, asked;

static ov_status_e sample(void *ctx, size_t i, size_t input, ov_tensor_t **tensor)
{
	ov_shape_t shape;
	void *at;
	EXPECT(!ctx && !input);
	EXPECT_OK(ov_shape_create(4, (int64_t[]){2, 1, 8, 8}, &shape));
	EXPECT_OK(ov_tensor_create(F32, shape, tensor));
	EXPECT_OK(ov_tensor_data(*tensor, &at));
	for (size_t k = 0; k < 128; k++)
		((float *)at)[k] = (float)((k * 37 + i * 11) % 101);
	ov_shape_free(&shape);
	asked++;
	return OK;
}

static ov_status_e refuse(void *ctx, size_t i, size_t input, ov_tensor_t **tensor)
{
	return i ? GENERAL_ERROR : sample(ctx, i, input, tensor);
}

static void progress(void *ctx, const char *what, size_t done, size_t total)
{
	(void)ctx;
	EXPECT(what && done <= total);
	told++;
}

enum { SAMPLES = 20, TRAINED_ON = 16 };
static struct {
	bool now;           /* what training starts from is being calibrated */
	size_t of[SAMPLES]; /* by sample: how often it was asked for then */
} start;

static ov_status_e watched(void *ctx, size_t i, size_t input, ov_tensor_t **tensor)
{
	start.of[i] += start.now;
	return sample(ctx, i, input, tensor);
}

static void watch(void *ctx, const char *what, size_t done, size_t total)
{
	progress(ctx, what, done, total);
	start.now = !strcmp(what, "calibrating") ? total == TRAINED_ON : start.now && strcmp(what, "asking the float model");
}

/* The samples that judge training are none that calibrate what it starts from. */
static void judges_stay_unseen(ov_core_t *core, const ov_model_t *m)
{
	tarn_training_options training = {.epochs = 1, .threads = 1};
	tarn_quantize_options o = {.sample = watched, .n_sample = SAMPLES, .progress = watch, .training = &training};
	tarn_quantize_report r;
	ov_model_t *q;
	size_t asked_for = 0;
	EXPECT_OK(tarn_quantize_model(core, m, &o, &q, &r));
	EXPECT(r.trained && r.training.trained_on == TRAINED_ON && r.training.held_out == SAMPLES - TRAINED_ON);
	for (size_t i = 0; i < SAMPLES; i++)
		asked_for += start.of[i] > 0;
	/* A step says what it is after it has asked for its first sample: one is missed, and one of the next step counted. */
	EXPECT(asked_for >= TRAINED_ON - 1 && asked_for <= TRAINED_ON + 1);
	tarn_free_quantize_report(&r);
	ov_model_free(q);
}

static bool stop(void *ctx)
{
	(void)ctx;
	return told >= 3;
}

int main(void)
{
	ov_core_t *core;
	ov_model_t *m, *q = NULL;
	bytes net = net_model(-1);
	tarn_quantize_report r;
	tarn_quantize_options o = {.sample = sample, .n_sample = 5, .progress = progress};
	EXPECT_OK(ov_core_create(&core));
	EXPECT_OK(ov_core_read_model_from_memory_buffer(core, (const char *)net.at, net.n, NULL, &m));
	EXPECT_OK(tarn_quantize_model(core, m, &o, &q, &r));
	EXPECT(r.nodes_int8 == 3 && r.nodes_float == 1 && r.n_reason == 1 && !strcmp(r.reason[0].node, "scores"));
	EXPECT(r.n_output == 1 && !strcmp(r.output[0].name, "scores") && r.output[0].sqnr_db > 20 && r.samples == 5);
	EXPECT(r.mac_share_int8 == 1 && told >= 10 && asked >= 5 && ov_model_is_dynamic(q));
	tarn_free_quantize_report(&r);
	ov_model_free(q);

	judges_stay_unseen(core, m);
	told = 0;
	o.stop = stop;
	EXPECT(tarn_quantize_model(core, m, &o, &q, &r) == INFER_CANCELLED && told == 3);
	tarn_free_quantize_report(&r);
	o.stop = NULL;
	o.sample = refuse;
	EXPECT(tarn_quantize_model(core, m, &o, &q, NULL) == NETWORK_NOT_READ);
	o.sample = NULL;
	EXPECT(tarn_quantize_model(core, m, &o, &q, NULL) != OK);
	ov_model_free(m);
	ov_core_free(core);
	return 0;
}
