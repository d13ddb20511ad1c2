/* SPDX-License-Identifier: Apache-2.0 */
/* tarn accuracy: a classifier against labels, against another model, or both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy.h"
#include "input.h"
#include "say.h"
#include "tarn/quantize.h"
#include "tarn/tensor.h"

int cmd_accuracy(const options *o);

static const char *const command = "accuracy";

/* A model at work on the data: several batches in flight, each in a request of its own. */
typedef struct runner {
	session s;
	tarn_dataset_t *data;
	const int64_t *label; /* of each sample, offset included; NULL: none */
	verdicts v;
	size_t batch;       /* samples in one inference */
	size_t sample_size; /* bytes */
	size_t n_requests;
	ov_infer_request_t **request;
	size_t *first, *used; /* samples in flight in each request */
} runner;

static int no_memory(void)
{
	return fail(1, command, "out of memory; use -first or a smaller -b");
}

/* The model's input with its batch axis set: the samples' own sizes where the model leaves them free. */
static int sample_shape(runner *r, ov_partial_shape_t *shape, int64_t dim[8], size_t *rank)
{
	ov_element_type_e type;
	int64_t own_rank, own[8];
	char text[160];
	if (tarn_get_dataset_sample(r->data, &type, &own_rank, own) != OK)
		return fail_last(command);
	if (shape->rank.min != shape->rank.max || shape->rank.max > 8 || shape->rank.max < 1)
		return fail(3, command, "the input's rank is not usable; give -shape");
	*rank = (size_t)shape->rank.max;
	for (size_t i = 0; i < *rank; i++) {
		dim[i] = shape->dims[i].min == shape->dims[i].max ? shape->dims[i].min : -1;
		if (i && dim[i] < 0 && own_rank + 1 == (int64_t)*rank)
			dim[i] = own[i - 1];
		if (i && dim[i] < 0) {
			shape_text(shape, text, sizeof text);
			return fail(3, command, "the input %s has free sizes; give -shape", text);
		}
	}
	return 0;
}

/* Fixes the batch, compiles, and tells the data set what a sample must be. */
static int prepare(runner *r)
{
	session *s = &r->s;
	char *name = NULL;
	ov_element_type_e type;
	ov_partial_shape_t shape = {{0, 0}, NULL}, fixed = {{0, 0}, NULL};
	ov_shape_t sample = {0, NULL};
	int64_t dim[8];
	size_t rank = 0;
	if (s->is_blob && session_compile(s, "THROUGHPUT"))
		return 3;
	if (input_count(s) != 1)
		return fail(3, command, "the model has %zu inputs; accuracy needs one", input_count(s));
	int code = input_describe(s, 0, &name, &type, &shape);
	if (!code)
		code = sample_shape(r, &shape, dim, &rank);
	if (code)
		goto out;
	if (dim[0] < 0)
		dim[0] = strstr(s->device, "NPU") ? 1 : 8;
	r->batch = (size_t)dim[0];
	if (!s->is_blob &&
	    (ov_shape_create((int64_t)rank, dim, &sample) != OK || ov_shape_to_partial_shape(sample, &fixed) != OK ||
	     ov_model_reshape_single_input(s->model, fixed) != OK)) {
		code = fail_last(command);
		goto out;
	}
	if (!s->is_blob && (code = session_compile(s, "THROUGHPUT")))
		goto out;
	if ((code = session_check_computes(s)))
		goto out;
	ov_shape_free(&sample);
	dim[0] = 1;
	ov_tensor_t *t = NULL;
	if (ov_shape_create((int64_t)rank, dim, &sample) != OK || tarn_set_dataset_target(r->data, type, sample) != OK ||
	    ov_tensor_create(type, sample, &t) != OK || ov_tensor_get_byte_size(t, &r->sample_size) != OK)
		code = fail_last(command);
	ov_tensor_free(t);
out:
	ov_free(name);
	ov_shape_free(&sample);
	ov_partial_shape_free(&shape);
	ov_partial_shape_free(&fixed);
	return code;
}

static int make_requests(runner *r)
{
	char *text = NULL;
	long want = r->s.o->nireq;
	if (want <= 0 && ov_compiled_model_get_property(r->s.compiled, "OPTIMAL_NUMBER_OF_INFER_REQUESTS", &text) == OK)
		want = strtol(text, NULL, 10);
	ov_free(text);
	want = want < 1 ? 1 : want > 256 ? 256 : want;
	r->request = calloc((size_t)want, sizeof *r->request);
	r->first = calloc((size_t)want, sizeof *r->first);
	r->used = calloc((size_t)want, sizeof *r->used);
	if (!r->request || !r->first || !r->used)
		return no_memory();
	for (; r->n_requests < (size_t)want; r->n_requests++)
		if (ov_compiled_model_create_infer_request(r->s.compiled, &r->request[r->n_requests]) != OK)
			return fail_last(command);
	return 0;
}

/* Samples first.. into the request's input; a short last batch repeats its last sample, whose scores are not looked at. */
static int fill(runner *r, size_t k, size_t first, size_t n)
{
	ov_tensor_t *t = NULL;
	void *at;
	int code = 0;
	if (ov_infer_request_get_input_tensor_by_index(r->request[k], 0, &t) != OK || ov_tensor_data(t, &at) != OK)
		code = fail_last(command);
	for (size_t i = 0; i < r->batch && !code; i++) {
		char *to = (char *)at + i * r->sample_size;
		if (i < n && tarn_read_sample(r->data, first + i, to, r->sample_size) != OK)
			code = fail_last(command);
		else if (i >= n)
			memcpy(to, to - r->sample_size, r->sample_size);
	}
	ov_tensor_free(t);
	r->first[k] = first;
	r->used[k] = n;
	return code;
}

static int check_labels(const runner *r)
{
	for (size_t i = 0; r->label && i < r->v.n; i++)
		if (r->label[i] >= (int64_t)r->v.classes) {
			char *name = NULL;
			if (tarn_get_dataset_name(r->data, i, &name) != OK)
				return fail_last(command);
			int code = fail(3, command, "%s: class %lld, but the model scores %zu; see --class-offset", name,
					(long long)r->label[i], r->v.classes);
			ov_free(name);
			return code;
		}
	return 0;
}

/* Waits for request k and judges its samples. */
static int collect(runner *r, size_t k)
{
	ov_tensor_t *t = NULL, *f = NULL;
	ov_element_type_e type;
	size_t n = 0;
	void *at;
	int code = 0;
	if (ov_infer_request_wait(r->request[k]) != OK ||
	    ov_infer_request_get_output_tensor_by_index(r->request[k], 0, &t) != OK ||
	    ov_tensor_get_element_type(t, &type) != OK || ov_tensor_get_size(t, &n) != OK)
		code = fail_last(command);
	if (!code && type != F32 && tarn_cast_tensor(t, F32, &f) != OK)
		code = fail_last(command);
	if (!code && ov_tensor_data(f ? f : t, &at) != OK)
		code = fail_last(command);
	if (!code && (n % r->batch || n / r->batch < 2))
		code = fail(3, command, "the first output has %zu numbers for %zu samples; class scores are needed", n,
			    r->batch);
	if (!code && !r->v.classes) {
		r->v.classes = n / r->batch;
		code = check_labels(r);
	} else if (!code && r->v.classes != n / r->batch) {
		code = fail(1, command, "the output changes its size from sample to sample");
	}
	for (size_t i = 0; i < r->used[k] && !code; i++)
		verdicts_add(&r->v, r->first[k] + i, (const float *)at + i * r->v.classes,
			     r->label ? r->label[r->first[k] + i] : -1);
	r->used[k] = 0;
	ov_tensor_free(f);
	ov_tensor_free(t);
	return code;
}

static int run_all(runner *r)
{
	int code = 0;
	for (size_t first = 0, k = 0; first < r->v.n && !code; first += r->batch, k = (k + 1) % r->n_requests) {
		size_t left = r->v.n - first;
		if (r->used[k])
			code = collect(r, k);
		if (!code)
			code = fill(r, k, first, left < r->batch ? left : r->batch);
		if (!code && ov_infer_request_start_async(r->request[k]) != OK) {
			r->used[k] = 0;
			code = fail_last(command);
		}
		if (code)
			r->used[k] = 0;
	}
	for (size_t k = 0; k < r->n_requests; k++)
		if (r->used[k] && !code)
			code = collect(r, k);
		else if (r->used[k])
			(void)ov_infer_request_wait(r->request[k]);
	return code;
}

static void runner_fini(runner *r)
{
	for (size_t k = 0; k < r->n_requests; k++)
		ov_infer_request_free(r->request[k]);
	free(r->request);
	free(r->first);
	free(r->used);
	free(r->v.best);
	free(r->v.rank);
	session_close(&r->s);
}

/* Runs the model of o over the data; r is for runner_fini whatever comes back. */
static int judge(runner *r, const options *o, tarn_dataset_t *data, const int64_t *label)
{
	*r = (runner){.data = data, .label = label};
	int code = session_open(&r->s, command, o);
	if (!code)
		code = session_reshape(&r->s);
	if (!code)
		code = prepare(r);
	if (!code)
		code = make_requests(r);
	if (code)
		return code;
	if (tarn_get_dataset_count(data, &r->v.n) != OK)
		return fail_last(command);
	r->v.best = calloc(r->v.n, sizeof *r->v.best);
	r->v.rank = label ? calloc(r->v.n, sizeof *r->v.rank) : NULL;
	if (!r->v.best || (label && !r->v.rank))
		return no_memory();
	code = run_all(r);
	if (!code)
		code = session_check_results(&r->s);
	if (!code && r->v.broken)
		note("%zu of %zu samples have scores that are not numbers; they count as wrong", r->v.broken, r->v.n);
	return code;
}

typedef struct result {
	size_t n, top1, top5, agree;
	bool labelled, compared;
	tarn_drop_info drop; /* where both */
	size_t reference_top1;
} result;

/* Samples that the model has right and the reference has not, and the other way round. */
static int compare_right(const verdicts *v, const verdicts *base, result *c)
{
	double *right = calloc(2 * v->n + 1, sizeof *right);
	if (!right)
		return no_memory();
	for (size_t i = 0; i < v->n; i++) {
		right[i] = base->rank[i] < 1;
		right[v->n + i] = v->rank[i] < 1;
		c->reference_top1 += base->rank[i] < 1;
	}
	int code = tarn_compare_scores(right, right + v->n, v->n, &c->drop) == OK ? 0 : fail_last(command);
	free(right);
	return code;
}

static result count(const verdicts *v, const verdicts *base)
{
	result c = {.n = v->n, .labelled = v->rank != NULL, .compared = base != NULL};
	for (size_t i = 0; i < v->n; i++) {
		c.top1 += v->rank && v->rank[i] < 1;
		c.top5 += v->rank && v->rank[i] < 5;
		c.agree += base && v->best[i] >= 0 && v->best[i] == base->best[i];
	}
	return c;
}

static void print_share(const char *what, size_t k, size_t n)
{
	double lo, hi;
	wilson95(k, n, &lo, &hi);
	printf("%-10s %6.2f %%  (95 %% interval %.2f to %.2f), %zu of %zu, measured\n", what, 100.0 * (double)k / (double)n,
	       100 * lo, 100 * hi, k, n);
}

static void print_drop(const result *c)
{
	print_share("reference", c->reference_top1, c->n);
	printf("drop       %6.2f points  (95 %% interval %.2f to %.2f, paired), %zu lost, %zu gained, p = %.3g, measured\n",
	       c->drop.points, c->drop.low, c->drop.high, c->drop.lost, c->drop.gained, c->drop.chance);
}

static void json_drop(json *j, const result *c)
{
	json_num(j, "reference_top1", (double)c->reference_top1 / (double)c->n);
	json_begin(j, "drop", '{');
	json_num(j, "points", c->drop.points);
	json_begin(j, "ci95", '[');
	json_num(j, NULL, c->drop.low);
	json_num(j, NULL, c->drop.high);
	json_end(j, ']');
	json_text(j, "method", "paired; interval of Bonett and Price, exact test of McNemar");
	json_int(j, "lost", (long long)c->drop.lost);
	json_int(j, "gained", (long long)c->drop.gained);
	json_num(j, "p", c->drop.chance);
	json_end(j, '}');
}

static void show(const runner *r, const result *c)
{
	const options *o = r->s.o;
	double n = (double)c->n, lo, hi;
	if (!o->json) {
		printf("%s on %s, %zu samples of %s\n", o->model, *r->s.device_name ? r->s.device_name : r->s.device, c->n,
		       o->data);
		if (c->labelled) {
			print_share("top-1", c->top1, c->n);
			print_share("top-5", c->top5, c->n);
		}
		if (c->compared)
			print_share("agreement", c->agree, c->n);
		if (c->labelled && c->compared)
			print_drop(c);
		return;
	}
	json j = {.out = stdout};
	json_begin(&j, NULL, '{');
	json_text(&j, "model", o->model);
	json_text(&j, "device", r->s.runs_on);
	json_text(&j, "device_name", r->s.device_name);
	json_int(&j, "n", (long long)c->n);
	if (c->labelled) {
		json_num(&j, "top1", (double)c->top1 / n);
		json_num(&j, "top5", (double)c->top5 / n);
	}
	wilson95(c->labelled ? c->top1 : c->agree, c->n, &lo, &hi);
	json_begin(&j, "ci95", '[');
	json_num(&j, NULL, lo);
	json_num(&j, NULL, hi);
	json_end(&j, ']');
	if (c->compared)
		json_num(&j, "agreement", (double)c->agree / n);
	if (c->labelled && c->compared)
		json_drop(&j, c);
	json_end(&j, '}');
}

static int open_data(const options *o, tarn_dataset_t **data, int64_t **label)
{
	tarn_data_options_t prep;
	size_t n;
	const session s = {.command = command, .o = o};
	int code = prep_options(&s, &prep);
	if (code)
		return code;
	prep.skip = o->skip > 0 ? (size_t)o->skip : 0;
	prep.first = o->first > 0 ? (size_t)o->first : 0;
	if (tarn_open_dataset(o->data, &prep, data) != OK || tarn_get_dataset_count(*data, &n) != OK)
		return fail_last(command);
	if (!o->labels)
		return 0;
	*label = calloc(n, sizeof **label);
	if (!*label)
		return no_memory();
	if (tarn_read_labels(o->labels, o->label_column, *data, *label) != OK)
		return fail_last(command);
	for (size_t i = 0; i < n && o->class_offset > 0; i++)
		(*label)[i] += o->class_offset;
	return 0;
}

int accuracy_count(const options *o, size_t *n, size_t *top1)
{
	tarn_dataset_t *data = NULL;
	int64_t *label = NULL;
	runner r = {0};
	int code = open_data(o, &data, &label);
	if (!code)
		code = judge(&r, o, data, label);
	if (!code) {
		result c = count(&r.v, NULL);
		*n = c.n;
		*top1 = c.top1;
	}
	runner_fini(&r);
	tarn_close_dataset(data);
	free(label);
	return code;
}

int cmd_accuracy(const options *o)
{
	tarn_dataset_t *data = NULL;
	int64_t *label = NULL;
	runner base = {0}, r = {0};
	if (!o->data)
		return fail(2, command, "no data; give --data FOLDER, an npy or an idx file");
	if (!o->labels && !o->reference)
		return fail(2, command, "nothing to compare with; give --labels FILE, --reference MODEL or both");
	int code = open_data(o, &data, &label);
	options other = *o;
	other.model = o->reference;
	if (!code && o->reference)
		code = judge(&base, &other, data, label);
	if (!code)
		code = judge(&r, o, data, label);
	if (!code && o->reference && base.v.classes != r.v.classes)
		code = fail(3, command, "the model scores %zu classes, the reference %zu", r.v.classes, base.v.classes);
	if (!code) {
		result c = count(&r.v, o->reference ? &base.v : NULL);
		if (c.labelled && c.compared)
			code = compare_right(&r.v, &base.v, &c);
		if (!code)
			show(&r, &c);
	}
	runner_fini(&r);
	runner_fini(&base);
	tarn_close_dataset(data);
	free(label);
	return code;
}
