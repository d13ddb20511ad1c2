/* SPDX-License-Identifier: Apache-2.0 */
#include "quantized.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate.h"
#include "control.h"
#include "input.h"
#include "tarn/diagnose.h"
#include "training.h"

/* ---- options ---- */

enum { FEW_SAMPLES = 10 };

static const char *const estimators[] = {"auto", "sqnr", "mean-min-max", "min-max", "percentile", "mse", "entropy", NULL};
static const char *const biases[] = {"auto", "off", "fast", "full", NULL};
static const char *const roundings[] = {"auto", "nearest", "adaptive", NULL};
static const char *const switches[] = {"auto", "off", "on", NULL};

/* Position of a word in a list; NULL is its first. */
static int choose(const session *s, const char *option, const char *word, const char *const *words, int *at)
{
	*at = 0;
	for (int i = 0; word && words[i]; i++)
		if (!strcmp(word, words[i])) {
			*at = i;
			return 0;
		}
	char all[160] = "";
	for (int i = 0; words[i]; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", words[i]);
	return word ? fail(2, s->command, "%s cannot be '%s'; give one of %s", option, word, all) : 0;
}

static int read_strength(const session *s, const char *word, tarn_quantize_options *q)
{
	char *end;
	if (!word || !strcmp(word, "auto"))
		return 0;
	q->equalize = !strcmp(word, "off") ? TARN_REPAIR_OFF : TARN_REPAIR_ON;
	if (q->equalize == TARN_REPAIR_OFF)
		return 0;
	q->strength = strtod(word, &end);
	if (*end || end == word || !(q->strength >= 0 && q->strength <= 1))
		return fail(2, s->command, "--equalize cannot be '%s'; give auto, off or a strength from 0 to 1", word);
	return 0;
}

int quantized_options(const session *s, tarn_quantize_options *q)
{
	const options *o = s->o;
	int estimator = 0, bias = 0, rounding = 0, fine = 0;
	int code = choose(s, "--estimator", o->estimator, estimators, &estimator);
	if (!code)
		code = choose(s, "--bias", o->bias, biases, &bias);
	if (!code)
		code = choose(s, "--rounding", o->rounding, roundings, &rounding);
	if (!code)
		code = choose(s, "--fine", o->fine, switches, &fine);
	if (!code)
		code = read_strength(s, o->equalize, q);
	if (!code && o->subset != -1 && o->subset < 1)
		code = fail(2, s->command, "--subset must be at least 1");
	q->estimator = (tarn_quantize_estimator)estimator;
	q->bias = (tarn_quantize_bias)bias;
	q->round = (tarn_quantize_repair)rounding;
	q->fine = (tarn_quantize_repair)fine;
	q->subset = o->subset > 0 ? (size_t)o->subset : 0;
	q->seed = o->seed > 0 ? (uint64_t)o->seed : 1;
	return code;
}

/* ---- costs ---- */

/* Free first axes become 1: one sample is what a time is told of. False when that is not all that is free. */
static bool settle_batch(const ov_model_t *q)
{
	size_t n = 0;
	bool ok = ov_model_inputs_size(q, &n) == OK;
	for (size_t i = 0; ok && i < n; i++) {
		ov_output_const_port_t *port = NULL;
		ov_partial_shape_t shape = {0}, one = {0};
		ok = ov_model_const_input_by_index(q, i, &port) == OK && ov_port_get_partial_shape(port, &shape) == OK &&
		     shape.rank.min == shape.rank.max && shape.rank.max <= 8;
		if (ok && ov_partial_shape_is_dynamic(shape)) {
			ov_dimension_t dims[8];
			memcpy(dims, shape.dims, (size_t)shape.rank.max * sizeof *dims);
			dims[0] = (ov_dimension_t){1, 1};
			ok = ov_partial_shape_create(shape.rank.max, dims, &one) == OK &&
			     ov_model_reshape_by_port_indexes(q, &i, &one, 1) == OK;
			ov_partial_shape_free(&one);
		}
		ov_partial_shape_free(&shape);
		ov_output_const_port_free(port);
	}
	return ok;
}

void quantized_costs_init(const session *s, ov_model_t *q, const tarn_quantize_report *r, quantized_costs *c)
{
	tarn_estimated_layers e = {0};
	*c = (quantized_costs){.total = NAN};
	if (!r->n_reason || !control_has_times(s))
		return;
	say_nothing(true);
	ov_status_e status = settle_batch(q) ? tarn_estimate_layers(s->core, q, "NPU", 0, NULL, &e) : GENERAL_ERROR;
	say_nothing(false);
	c->ms = status == OK ? calloc(r->n_reason, sizeof *c->ms) : NULL;
	for (size_t i = 0; c->ms && i < r->n_reason; i++) {
		c->ms[i] = NAN;
		for (size_t k = 0; k < e.size; k++)
			if (!strcmp(e.at[k].name, r->reason[i].node)) {
				c->ms[i] = e.at[k].ms;
				c->total = (isnan(c->total) ? 0 : c->total) + e.at[k].ms;
			}
	}
	c->model = e.ms;
	c->band = fmax(e.band_low, e.band_high);
	if (status == OK)
		tarn_free_estimated_layers(&e);
}

void quantized_costs_fini(quantized_costs *c)
{
	free(c->ms);
	*c = (quantized_costs){0};
}

/* ---- classes ---- */

static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void count_classes(int64_t *label, size_t n, quantized_classes *c)
{
	qsort(label, n, sizeof *label, by_number);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i; k < n && label[k] == label[i]; k++)
			;
		c->fewest = c->classes && c->fewest < k - i ? c->fewest : k - i;
		c->most = c->most > k - i ? c->most : k - i;
		c->classes++;
	}
	c->known = true;
}

/* Scores of the model's only output for one sample; 0: several outputs, or sizes that are not known. */
static size_t model_classes(const session *s)
{
	ov_output_const_port_t *port = NULL;
	ov_partial_shape_t shape = {0};
	size_t n = 1, outputs = 0;
	if (ov_model_outputs_size(s->model, &outputs) != OK || outputs != 1 || ov_model_const_output(s->model, &port) != OK)
		return 0;
	if (ov_port_get_partial_shape(port, &shape) != OK || shape.rank.min != shape.rank.max)
		n = 0;
	for (int64_t i = 1; n && i < shape.rank.max; i++)
		n = shape.dims[i].min == shape.dims[i].max ? n * (size_t)shape.dims[i].max : 0;
	n = shape.rank.max < 2 ? 0 : n;
	ov_partial_shape_free(&shape);
	ov_output_const_port_free(port);
	return n;
}

/* label: sorted, as the model numbers classes. */
static void find_missing(const session *s, const int64_t *label, size_t n, quantized_classes *c)
{
	int64_t offset = s->o->class_offset > 0 ? s->o->class_offset : 0, classes = (int64_t)model_classes(s);
	const size_t room = sizeof c->absent / sizeof *c->absent;
	size_t at = 0;
	if (classes < 2 || classes <= offset || !n || label[n - 1] >= classes)
		return;
	c->of_model = (size_t)(classes - offset);
	for (int64_t k = offset; k < classes; k++) {
		while (at < n && label[at] < k)
			at++;
		if (at < n && label[at] == k)
			continue;
		if (c->missing < room)
			c->absent[c->missing] = k - offset;
		c->missing++;
	}
}

int quantized_classes_read(const session *s, quantized_classes *c)
{
	const options *o = s->o;
	tarn_data_options_t prep;
	tarn_dataset_t *data = NULL;
	const int64_t *label = NULL;
	size_t n = 0;
	char name[256];
	*c = (quantized_classes){0};
	if (!o->labels || !o->sources.n)
		return 0;
	int code = prep_options(s, &prep);
	if (code)
		return code;
	prep.skip = o->skip > 0 ? (size_t)o->skip : 0;
	prep.first = o->first > 0 ? (size_t)o->first : 0;
	if (tarn_open_dataset(calibrate_path(s, o->sources.at[0], name, sizeof name), &prep, &data) != OK)
		return fail_last(s->command);
	code = labels_read(s, data, &label, &n);
	if (!code) {
		count_classes((int64_t *)(uintptr_t)label, n, c);
		find_missing(s, label, n, c);
	}
	free((int64_t *)(uintptr_t)label);
	tarn_close_dataset(data);
	return code;
}

/* ---- text ---- */

static void print_missing(const quantized_classes *k)
{
	const size_t room = sizeof k->absent / sizeof *k->absent;
	if (!k->missing)
		return;
	printf("data: no sample of class");
	for (size_t i = 0; i < k->missing && i < room; i++)
		printf("%s %lld", i ? "," : "", (long long)k->absent[i]);
	if (k->missing > room)
		printf(" and %zu more", k->missing - room);
	printf("\n");
}

static void print_data(const tarn_quantize_report *r, const quantized_classes *k)
{
	for (size_t i = 0; i < r->n_data; i++) {
		const tarn_quantize_data *d = &r->data[i];
		printf("data %s: %g to %g (%s), mean %.4g, deviation %.4g\n", d->input, d->lo, d->hi, d->range, d->mean,
		       d->deviation);
		if (d->warning)
			printf("data %s: %s\n", d->input, d->warning);
		if (d->constant)
			printf("data %s: %zu samples have one value throughout\n", d->input, d->constant);
	}
	if (r->duplicates)
		printf("data: %zu samples are equal to another one\n", r->duplicates);
	if (r->samples < FEW_SAMPLES)
		printf("data: %zu sample%s: too few to tell what the model will see; give a hundred\n", r->samples,
		       r->samples > 1 ? "s" : "");
	if (k->known && k->of_model)
		printf("data: %zu of the model's %zu classes, %zu to %zu samples each\n", k->classes, k->of_model, k->fewest,
		       k->most);
	else if (k->known)
		printf("data: %zu classes, %zu to %zu samples each\n", k->classes, k->fewest, k->most);
	print_missing(k);
}

const char *quantized_estimator(tarn_quantize_estimator e)
{
	return e > TARN_ESTIMATOR_BY_SQNR && e < TARN_ESTIMATORS ? estimators[e] : NULL;
}

static const char *bias_word(const tarn_quantize_report *r)
{
	return r->bias_full ? "full" : r->bias_off ? "off" : "fast";
}

/* Which estimators the ranges are from, and how many. */
static void print_estimated(const tarn_quantize_report *r)
{
	int n = 0;
	for (int e = TARN_ESTIMATOR_BY_SQNR + 1; r->estimator == TARN_ESTIMATOR_BY_SQNR && e < TARN_ESTIMATORS; e++)
		if (r->estimated[e])
			printf("%s%s %zu", n++ ? ", " : " (", estimators[e], r->estimated[e]);
	if (n)
		printf(")");
}

void quantized_text(const tarn_quantize_report *r, const quantized_costs *c, const quantized_classes *k)
{
	printf("ranges            %s", estimators[r->estimator]);
	print_estimated(r);
	printf("; biases %s; weights rounded %s; ", bias_word(r), r->rounded ? "adaptively" : "to nearest");
	if (!r->equalized)
		printf("not equalized\n");
	else if (isnan(r->strength))
		printf("equalized group by group\n");
	else
		printf("equalized with strength %g\n", r->strength);
	if (r->fine)
		printf("                  %zu value%s in two codes, coarse and rest\n", r->fine, r->fine > 1 ? "s" : "");
	if (r->precise)
		printf("                  %zu product%s to sixteen bits, with products of what rounding left\n", r->precise,
		       r->precise > 1 ? "s" : "");
	if (r->aligned)
		printf("                  channels shifted to lie around zero\n");
	if (isfinite(c->total))
		printf("float layers      %.3f of %.3f ms on the NPU, modelled (%.0f %%)\n", c->total, c->model, 100 * c->band);
	print_data(r, k);
}

/* ---- JSON ---- */

static void json_data(json *j, const tarn_quantize_report *r, const quantized_classes *k)
{
	json_begin(j, "data", '{');
	json_int(j, "duplicates", (long long)r->duplicates);
	json_bool(j, "too_few_samples", r->samples < FEW_SAMPLES);
	if (k->known) {
		json_int(j, "classes", (long long)k->classes);
		json_int(j, "samples_of_rarest_class", (long long)k->fewest);
		json_int(j, "samples_of_commonest_class", (long long)k->most);
		if (k->of_model) {
			json_int(j, "classes_of_model", (long long)k->of_model);
			json_int(j, "classes_missing", (long long)k->missing);
		}
	}
	json_begin(j, "inputs", '[');
	for (size_t i = 0; i < r->n_data; i++) {
		const tarn_quantize_data *d = &r->data[i];
		json_begin(j, NULL, '{');
		json_text(j, "name", d->input);
		json_num(j, "min", d->lo);
		json_num(j, "max", d->hi);
		json_num(j, "mean", d->mean);
		json_num(j, "deviation", d->deviation);
		json_text(j, "range", d->range);
		json_int(j, "constant_samples", (long long)d->constant);
		json_text(j, "warning", d->warning);
		json_end(j, '}');
	}
	json_end(j, ']');
	json_end(j, '}');
}

void quantized_json(json *j, const tarn_quantize_report *r, const quantized_costs *c, const quantized_classes *k)
{
	json_text(j, "estimator", estimators[r->estimator]);
	json_text(j, "bias", bias_word(r));
	json_text(j, "rounding", r->rounded ? "adaptive" : "nearest");
	json_bool(j, "equalized", r->equalized);
	json_bool(j, "aligned", r->aligned);
	json_int(j, "fine_values", (long long)r->fine);
	json_int(j, "precise_products", (long long)r->precise);
	json_num(j, "equalize_strength", r->equalized ? r->strength : NAN);
	json_figure(j, "float_npu_ms", c->total, "ms", "modelled", c->band);
	json_data(j, r, k);
}
