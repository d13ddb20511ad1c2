/* SPDX-License-Identifier: Apache-2.0 */
#include "calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "interrupt.h"
#include "quantized.h"
#include "say.h"
#include "control.h"
#include "training.h"

static atomic_int interrupted;

static bool stop(void *ctx)
{
	(void)ctx;
	return interrupted != 0;
}

static void progress(void *ctx, const char *what, size_t done, size_t total)
{
	(void)ctx;
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s %zu of %zu\033[K", what, done, total);
	if (done == total)
		fputs("\r\033[K", stderr);
	fflush(stderr);
}

const char *calibrate_path(const session *s, const char *word, char *name, size_t size)
{
	const char *eq = strchr(word, '=');
	*name = 0;
	ov_output_const_port_t *port = NULL;
	if (!eq || (size_t)(eq - word) >= size)
		return word;
	memcpy(name, word, (size_t)(eq - word));
	name[eq - word] = 0;
	bool known = ov_model_const_input_by_name(s->model, name, &port) == OK;
	ov_output_const_port_free(port);
	if (!known)
		*name = 0;
	return known ? eq + 1 : word;
}

static int parse_preset(const session *s, tarn_quantize_preset *preset)
{
	const char *word = s->o->preset;
	*preset = !word ? TARN_QUANTIZE_AUTO : !strcmp(word, "performance") ? TARN_QUANTIZE_PERFORMANCE : TARN_QUANTIZE_MIXED;
	if (word && strcmp(word, "performance") && strcmp(word, "mixed"))
		return fail(2, s->command, "--preset cannot be '%s'; give performance or mixed", word);
	return 0;
}

static int run(const session *s, tarn_quantize_options *q,
	       ov_status_e (*use)(const session *s, tarn_quantize_options *q, void *arg), void *arg)
{
	interrupted = 0;
	q->progress = progress;
	q->stop = stop;
	interrupt_watch(&interrupted);
	ov_status_e status = use(s, q, arg);
	interrupt_unwatch();
	if (status != OK && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return status == OK ? 0 : fail_last(s->command);
}

int calibrate_with(const session *s, bool data_needed,
		   ov_status_e (*use)(const session *s, tarn_quantize_options *q, void *arg), void *arg)
{
	const options *o = s->o;
	size_t n = o->sources.n;
	tarn_data_options_t prep;
	tarn_quantize_options q = {
		.weight_bits = o->weight_bits == -1 ? 0 : (int)o->weight_bits, .ignore = o->ignore.at, .n_ignore = o->ignore.n};
	tarn_training_options training = {0};
	tarn_quantize_control control = {0};
	if (!n && data_needed)
		return fail(2, s->command, "no data; give --data FOLDER, an npy or an idx file");
	int code = parse_preset(s, &q.preset);
	if (!code)
		code = quantized_options(s, &q);
	if (!code)
		code = prep_options(s, &prep);
	if (code)
		return code;
	prep.skip = o->skip > 0 ? (size_t)o->skip : 0;
	prep.first = o->first > 0 ? (size_t)o->first : 0;
	tarn_quantize_source *source = calloc(n + 1, sizeof *source);
	char(*name)[256] = calloc(n + 1, sizeof *name);
	if (!source || !name)
		code = fail(1, s->command, "out of memory");
	for (size_t i = 0; i < n && !code; i++) {
		const char *path = calibrate_path(s, o->sources.at[i], name[i], sizeof name[i]);
		source[i].input = *name[i] ? name[i] : NULL;
		if (tarn_open_dataset(path, &prep, &source[i].dataset) != OK)
			code = fail_last(s->command);
	}
	q.source = source;
	q.n_source = n;
	if (!code && o->qat && n) {
		code = training_read(s, source[0].dataset, &training);
		q.training = &training;
	}
	if (!code && o->max_drop >= 0 && n) {
		code = control_read(s, source[0].dataset, &control);
		q.control = &control;
	}
	if (!code)
		code = run(s, &q, use, arg);
	for (size_t i = 0; source && i < n; i++)
		tarn_close_dataset(source[i].dataset);
	free((int64_t *)(uintptr_t)training.labels);
	free((int64_t *)(uintptr_t)control.label);
	free(source);
	free(name);
	return code;
}

typedef struct result {
	ov_model_t **quantized;
	tarn_quantize_report *report;
} result;

static ov_status_e quantize(const session *s, tarn_quantize_options *q, void *arg)
{
	result *r = arg;
	q->layers = !strcmp(s->command, "quantize");
	return tarn_quantize_model(s->core, s->model, q, r->quantized, r->report);
}

int calibrate(const session *s, ov_model_t **quantized, tarn_quantize_report *report)
{
	*report = (tarn_quantize_report){0};
	return calibrate_with(s, true, quantize, &(result){quantized, report});
}
