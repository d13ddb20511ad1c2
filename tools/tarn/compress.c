/* SPDX-License-Identifier: Apache-2.0 */
#include "compress.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "calibrate.h"
#include "say.h"
#include "tarn/model.h"

typedef struct job {
	tarn_compress_options o;
	ov_model_t *model;
	tarn_compress_report r;
} job;

static ov_status_e run(const session *s, tarn_quantize_options *q, void *arg)
{
	job *j = arg;
	j->o.data = q;
	return tarn_compress_model(s->core, s->model, &j->o, &j->model, &j->r);
}

/* Rows that became integers, their weights, and the worst of them. */
static size_t compressed(const tarn_compress_report *r, int64_t *weights, const tarn_compress_row **worst)
{
	size_t n = 0;
	*weights = 0;
	*worst = NULL;
	for (size_t i = 0; i < r->n_row; i++) {
		const tarn_compress_row *row = &r->row[i];
		if (!row->bits)
			continue;
		n++;
		*weights += row->rows * row->cols;
		if (!*worst || row->sqnr_db < (*worst)->sqnr_db)
			*worst = row;
	}
	return n;
}

/* Is row i the first with its reason? *n: how many have it. */
static bool first_with_reason(const tarn_compress_report *r, size_t i, size_t *n)
{
	bool first = true;
	*n = 0;
	for (size_t k = 0; k < r->n_row; k++)
		if (r->row[k].why && !strcmp(r->row[k].why, r->row[i].why)) {
			(*n)++;
			first &= k >= i;
		}
	return first;
}

static void show_text(const options *o, const job *j)
{
	const tarn_compress_report *r = &j->r;
	const tarn_compress_row *worst;
	int64_t weights;
	size_t n = compressed(r, &weights, &worst);
	printf("%s: weights of matrix products in INT%d, ", o->result, j->o.bits);
	if (j->o.group)
		printf("a scale for each %zu of them", j->o.group);
	else
		printf("a scale for each output channel");
	printf(", %s\n", o->sources.n ? "searched with the data's activations" : "searched without data");
	printf("products          %zu of %zu, %.2f million weights\n", n, r->n_row, (double)weights / 1e6);
	printf("constants         %.2f -> %.2f MB\n", (double)r->bytes_before / 1e6, (double)r->bytes_after / 1e6);
	if (worst)
		printf("least exact       %s: signal to rounding noise %.1f dB, measured\n", worst->node, worst->sqnr_db);
	for (size_t i = 0; i < r->n_output; i++)
		if (isfinite(r->output[i].sqnr_db))
			printf("output %s: signal to quantization noise %.1f dB, measured\n", r->output[i].name,
			       r->output[i].sqnr_db);
	for (size_t i = 0; i < r->n_row; i++) {
		size_t alike;
		if (!r->row[i].why || !first_with_reason(r, i, &alike))
			continue;
		printf("%s: %s", r->row[i].bits ? "other" : "float", r->row[i].node);
		if (alike > 1)
			printf(" and %zu more", alike - 1);
		printf(" (%s): %s\n", r->row[i].type, r->row[i].why);
	}
}

static void show_row(json *out, const tarn_compress_row *row)
{
	json_begin(out, NULL, '{');
	json_text(out, "node", row->node);
	json_text(out, "type", row->type);
	json_int(out, "rows", row->rows);
	json_int(out, "cols", row->cols);
	json_int(out, "bits", row->bits);
	json_int(out, "group", (long long)row->group);
	json_num(out, "sqnr_db", row->sqnr_db);
	json_text(out, "why", row->why);
	json_end(out, '}');
}

static void show_json(const options *o, const job *j)
{
	const tarn_compress_report *r = &j->r;
	const tarn_compress_row *worst;
	int64_t weights;
	size_t n = compressed(r, &weights, &worst);
	json out = {.out = stdout};
	json_begin(&out, NULL, '{');
	json_text(&out, "model", o->model);
	json_text(&out, "file", o->result);
	json_text(&out, "weights", o->weights);
	json_int(&out, "group", (long long)j->o.group);
	json_int(&out, "nodes_compressed", (long long)n);
	json_int(&out, "weights_compressed", (long long)weights);
	json_int(&out, "bytes_before", (long long)r->bytes_before);
	json_int(&out, "bytes_after", (long long)r->bytes_after);
	json_int(&out, "canaries", (long long)r->canaries);
	json_begin(&out, "rows", '[');
	for (size_t i = 0; i < r->n_row; i++)
		show_row(&out, &r->row[i]);
	json_end(&out, ']');
	json_begin(&out, "sqnr_db", '{');
	for (size_t i = 0; i < r->n_output; i++)
		json_num(&out, r->output[i].name, r->output[i].sqnr_db);
	json_end(&out, '}');
	json_end(&out, '}');
}

int compress(const session *s)
{
	const options *o = s->o;
	job j = {.o = {.bits = !strcmp(o->weights, "int4") ? 4 : 8, .group = o->group > 0 ? (size_t)o->group : 0}};
	if (strcmp(o->weights, "int4") && strcmp(o->weights, "int8"))
		return fail(2, s->command, "--weights cannot be '%s'; give int8 or int4", o->weights);
	if (o->preset)
		return fail(2, s->command, "--preset is about activations, which stay float with --weights; leave one out");
	if (o->html)
		return fail(2, s->command, "--html is about layers in INT8; leave out --weights");
	if (o->max_drop >= 0)
		return fail(2, s->command, "--max-drop restores layers of INT8 models; leave out --weights");
	int code = calibrate_with(s, false, run, &j);
	if (!code && tarn_save_model(j.model, o->result) != OK)
		code = fail_last(s->command);
	if (!code && o->json)
		show_json(o, &j);
	else if (!code)
		show_text(o, &j);
	tarn_free_compress_report(&j.r);
	ov_model_free(j.model);
	return code;
}
