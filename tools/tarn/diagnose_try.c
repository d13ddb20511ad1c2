/* SPDX-License-Identifier: Apache-2.0 */
/* tarn diagnose: what could be changed, what that would take by the model of the device, and what it takes on the clock. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diagnose.h"
#include "input.h"
#include "say.h"
#include "tarn/model.h"
#include "tarn/quantize.h"

enum { BATCH = 4, CALIBRATION = 1 };

void diagnose_progress(const diagnosis *d, const char *what)
{
	if (!isatty(2) || d->o->json)
		return;
	fprintf(stderr, what ? "\r\033[K%s ..." : "\r\033[K", what);
}

/* ---- what the device would take ---- */

static double estimate_batch(const bench *b)
{
	variant v;
	session s = {.command = "diagnose"};
	double ms = 0;
	char flags[32];
	snprintf(flags, sizeof flags, "-b %d", BATCH);
	if (b->batch != 1 || variant_parse("diagnose", b->o, flags, &v))
		return 0;
	/* A model that takes no batch is an answer, not a failure. */
	say_nothing(true);
	if (!session_open(&s, "diagnose", &v.o) && !session_reshape(&s) && !session_retype(&s))
		ms = bench_estimate(b, s.model, NULL, NULL) / BATCH;
	say_nothing(false);
	session_close(&s);
	variant_fini(&v);
	return ms;
}

/* Made-up samples: times do not depend on values. */
static ov_status_e make_sample(void *ctx, size_t i, size_t input, ov_tensor_t **tensor)
{
	const bench *b = &((const diagnosis *)ctx)->base;
	const ov_tensor_t *like = b->tensor[input];
	uint64_t seed = 0x9e3779b97f4a7c15u * (i + 1);
	ov_shape_t shape = {0, NULL};
	ov_element_type_e type;
	ov_status_e status = ov_tensor_get_shape(like, &shape);
	if (status == OK)
		status = ov_tensor_get_element_type(like, &type);
	if (status == OK)
		status = ov_tensor_create(type, shape, tensor);
	if (status == OK && !input_fill(*tensor, &seed)) {
		ov_tensor_free(*tensor);
		status = NOT_IMPLEMENTED;
	}
	ov_shape_free(&shape);
	return status;
}

/* Half of what is left, at most: the file is for one trial of several. */
static bool late(void *ctx)
{
	const diagnosis *d = ctx;
	return bench_stop || now_ms() >= d->int8_end_ms;
}

/* The model on 8 bits, as a file that a trial reads; its modelled time. It is not made with care: times do not depend on
 * values. */
static double make_int8(diagnosis *d)
{
	const bench *b = &d->base;
	const tarn_quantize_options q = {
		.preset = TARN_QUANTIZE_PERFORMANCE,
		.estimator = TARN_ESTIMATOR_MIN_MAX,
		.equalize = TARN_REPAIR_OFF,
		.bias = TARN_BIAS_OFF,
		.round = TARN_REPAIR_OFF,
		.fine = TARN_REPAIR_OFF, /* adds products, and made-up data do not tell where it is needed */
		.sample = make_sample,
		.n_sample = CALIBRATION,
		.stop = late,
		.ctx = d};
	d->int8_end_ms = (now_ms() + d->end_ms) / 2;
	ov_model_t *quantized = NULL;
	double ms = 0;
	if (!b->s.model || b->int8 >= 0.5 || b->n_in == 0)
		return 0;
	if (tarn_quantize_model(b->s.core, b->s.model, &q, &quantized, NULL) != OK)
		return 0;
	const char *folder = getenv("TMPDIR");
	int n = snprintf(d->int8_model, sizeof d->int8_model, "%s/tarn-int8-%ld.onnx", folder && *folder ? folder : "/tmp",
			 (long)getpid());
	if (n < 0 || (size_t)n >= sizeof d->int8_model || tarn_save_model(quantized, d->int8_model) != OK)
		d->int8_model[0] = 0;
	else
		ms = bench_estimate(b, quantized, NULL, NULL);
	ov_model_free(quantized);
	return ms;
}

/* The CPU tells no peak: it is what the same threads achieve on a network made for them. */
static void compare_with_peak(diagnosis *d)
{
	bench *b = &d->base, peak;
	variant v = {.text = NULL};
	double macs = 0;
	say_nothing(true);
	if (b->macs && b->n && !diagnose_peak_rate(d->o, b->int8 >= 0.5, 0.5, &peak, &v, &macs) && macs > 0)
		b->mac = fmin(1, bench_rate(b) / (double)b->batch * (double)b->macs / macs);
	d->roof.tops = macs * 2e-12;
	say_nothing(false);
	if (v.text)
		bench_close(&peak);
	variant_fini(&v);
}

void diagnose_suppose(diagnosis *d)
{
	bench *b = &d->base;
	double busy = bench_busy(b);
	if (busy < 0.5)
		return;
	if (!strcmp(b->s.runs_on, "CPU")) {
		diagnose_progress(d, "measuring what this host computes and moves at most");
		compare_with_peak(d);
		roof_find(d);
	}
	diagnose_progress(d, "asking what other batches and precisions would take");
	b->suppose_batch_ms = estimate_batch(b);
	b->suppose_batch = b->suppose_batch_ms > 0 ? BATCH : 0;
	b->suppose_int8 = make_int8(d);
}

void diagnose_clean(diagnosis *d)
{
	if (*d->int8_model)
		(void)unlink(d->int8_model);
	d->int8_model[0] = 0;
}

/* ---- trials ---- */

/* The flags that make the change; "" when it cannot be tried on a command line. */
static void flags_of(const diagnosis *d, const tarn_diag_change *change, char *flags, size_t size)
{
	if (!strcmp(change->word, "own memory"))
		snprintf(flags, size, "--own-memory");
	else if (!strcmp(change->word, "precision"))
		snprintf(flags, size, "%s%s", *d->int8_model ? "-m " : "", d->int8_model);
	else
		snprintf(flags, size, "%s", change->flags);
}

/* Changes of the device alone tell nothing while the host lets it wait; simulated ones need the simulated device. */
static bool worth_trying(const diagnosis *d, const tarn_diag_change *change)
{
	const tarn_diag_counters *c = &d->counters;
	bool inside = !strncmp(change->word, "free ", 5);
	if (inside)
		return d->base.s.simulated && c->busy >= 0.5 && change->gain >= 1;
	/* Only what was asked for can be left out. */
	if (!strcmp(change->word, "clock"))
		return d->counters.efficient;
	if (!strcmp(change->word, "precision"))
		return *d->int8_model && c->busy >= 0.5;
	if (!strcmp(change->word, "own memory"))
		return change->gain >= 1.01 && d->o->input.n;
	/* Hardware has no model to promise anything; it is asked all the same. */
	if (!strcmp(change->word, "turbo") && !strcmp(d->base.s.runs_on, "NPU") && !d->base.s.simulated)
		return true;
	/* People ask about these, whatever is promised. */
	static const char *const always[] = {"turbo", "tiles", "requests"};
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (!strcmp(change->word, always[i]))
			return !isnan(change->gain);
	return change->gain >= 1.02;
}

static void read_turbo(const bench *b, trial *t)
{
	char *text = NULL;
	if (ov_compiled_model_get_property(b->s.compiled, "NPU_TURBO", &text) == OK)
		snprintf(t->read_back, sizeof t->read_back, "%s", text);
	ov_free(text);
}

static double mean(const double *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return n ? sum / (double)n : NAN;
}

static int try_one(diagnosis *d, trial *t)
{
	variant v;
	ab r = {.n = 0};
	int code = variant_parse("diagnose", d->base.o, t->flags, &v);
	bench b = {.s.command = "diagnose", .o = &v.o, .quiet = true};
	say_nothing(true);
	if (!code)
		code = bench_open(&b);
	if (!code)
		code = bench_warm(&b);
	say_nothing(false);
	if (code) {
		/* What cannot be tried leaves the others. */
		snprintf(t->why_not, sizeof t->why_not, "%s", say_last());
		code = 0;
	} else {
		code = ab_run(&d->base, &b, d->seconds, d->end_ms, &r);
	}
	if (!code && bench_stop && r.n < 2) { /* what is known is told all the same */
		snprintf(t->why_not, sizeof t->why_not, "interrupted");
		r.n = 0;
	}
	if (!code && r.n) {
		t->c = r.c;
		t->before = mean(r.a, r.n);
		t->after = mean(r.b, r.n);
		if (!strcmp(t->word, "turbo"))
			read_turbo(&b, t);
	}
	ab_fini(&r);
	bench_close(&b);
	variant_fini(&v);
	return code;
}

static void add_trial(diagnosis *d, const tarn_diag_change *change)
{
	trial *t = &d->trial[d->n_trial++];
	*t = (trial){.word = change->word, .what = change->what, .predicted = change->gain, .c = {NAN, NAN, NAN, false}};
	flags_of(d, change, t->flags, sizeof t->flags);
	snprintf(t->advice, sizeof t->advice, "%s", change->flags);
}

static bool is_advised(const diagnosis *d, const tarn_diag_change *change)
{
	return d->verdict.change && !strcmp(d->verdict.change, change->word);
}

/* What is advised comes first: it is what the time is for. */
static int list_trials(diagnosis *d)
{
	tarn_change_list list;
	if (tarn_list_changes(&d->counters, &list) != OK)
		return fail_last("diagnose");
	d->trial = calloc(list.size + 1, sizeof *d->trial);
	for (int advised = 1; advised >= 0 && d->trial; advised--)
		for (size_t i = 0; i < list.size; i++)
			if (is_advised(d, &list.at[i]) == advised && worth_trying(d, &list.at[i]))
				add_trial(d, &list.at[i]);
	tarn_free_changes(&list);
	return d->trial ? 0 : fail(1, "diagnose", "out of memory");
}

static int try_all(diagnosis *d)
{
	int code = list_trials(d);
	for (size_t i = 0; i < d->n_trial && !code && !bench_stop; i++) {
		trial *t = &d->trial[i];
		char what[128];
		snprintf(what, sizeof what, "trying %s (%zu of %zu)", t->what, i + 1, d->n_trial);
		diagnose_progress(d, what);
		if (now_ms() < d->end_ms)
			code = try_one(d, t);
		else
			snprintf(t->why_not, sizeof t->why_not, "the time budget is spent; --time-budget gives more");
	}
	return code;
}

int diagnose_try(diagnosis *d)
{
	/* The baseline is measured over and over; what was found of it stays. */
	bench kept = d->base;
	d->base.latency = d->base.device_ms = NULL;
	d->base.cap = d->base.cap_device = 0;
	int code = try_all(d);
	free(d->base.latency);
	free(d->base.device_ms);
	d->base = kept;
	return code;
}
