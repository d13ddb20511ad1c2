/* SPDX-License-Identifier: Apache-2.0 */
/* tarn quantize: a float model and samples in, the INT8 model out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bounds.h"
#include "calibrate.h"
#include "compress.h"
#include "control.h"
#include "layers.h"
#include "page.h"
#include "quantized.h"
#include "say.h"
#include "tarn/model.h"
#include "training.h"

int cmd_quantize(const options *o);

static const char *preset_text(tarn_quantize_preset preset)
{
	return preset == TARN_QUANTIZE_MIXED ? "mixed" : preset == TARN_QUANTIZE_PERFORMANCE ? "performance" : "auto";
}

static double megabytes(const char *path)
{
	struct stat st;
	return stat(path, &st) ? NAN : (double)st.st_size / 1e6;
}

/* How many nodes have the same operator and reason as node i, and is i the first of them? */
static size_t alike(const tarn_quantize_report *r, size_t i, bool *first)
{
	size_t n = 0;
	*first = true;
	for (size_t k = 0; k < r->n_reason; k++)
		if (!strcmp(r->reason[k].type, r->reason[i].type) && !strcmp(r->reason[k].why, r->reason[i].why)) {
			n++;
			*first &= k >= i;
		}
	return n;
}

/* What is shown beside the report itself. */
typedef struct extras {
	quantized_costs costs;
	quantized_classes classes;
} extras;

static void show_text(const options *o, const tarn_quantize_report *r, const extras *x)
{
	printf("%s: INT8, preset %s, calibrated on %zu samples\n", o->result, preset_text(r->preset), r->samples);
	printf("nodes in INT8     %zu of %zu", r->nodes_int8, r->nodes_int8 + r->nodes_float);
	if (isfinite(r->mac_share_int8))
		printf(", %.1f %% of multiply-accumulates", 100 * r->mac_share_int8);
	printf("\nsize              %.2f -> %.2f MB\n", megabytes(o->model), megabytes(o->result));
	if (r->canaries)
		printf("canaries          %zu samples stored in the model: run and compared with the CPU wherever it is "
		       "compiled\n",
		       r->canaries);
	if (r->trained)
		training_text(&r->training);
	layers_text(r);
	control_text(r, o->max_drop);
	for (size_t i = 0; i < r->n_output; i++)
		if (isfinite(r->output[i].sqnr_db))
			printf("output %s: signal to quantization noise %.1f dB, measured\n", r->output[i].name,
			       r->output[i].sqnr_db);
	quantized_text(r, &x->costs, &x->classes);
	for (size_t i = 0; i < r->n_reason; i++) {
		bool first;
		size_t n = alike(r, i, &first);
		if (first && n == 1)
			printf("float: %s (%s): %s\n", r->reason[i].node, r->reason[i].type, r->reason[i].why);
		else if (first)
			printf("float: %s and %zu more (%s): %s\n", r->reason[i].node, n - 1, r->reason[i].type,
			       r->reason[i].why);
	}
}

static void write_json(json *j, const options *o, const tarn_quantize_report *r, const extras *x)
{
	json_begin(j, NULL, '{');
	json_text(j, "model", o->model);
	json_text(j, "file", o->result);
	json_text(j, "preset", preset_text(r->preset));
	json_int(j, "samples", (long long)r->samples);
	json_int(j, "nodes_int8", (long long)r->nodes_int8);
	json_int(j, "nodes_float", (long long)r->nodes_float);
	json_begin(j, "reasons", '[');
	for (size_t i = 0; i < r->n_reason; i++) {
		json_begin(j, NULL, '{');
		json_text(j, "node", r->reason[i].node);
		json_text(j, "type", r->reason[i].type);
		json_text(j, "why", r->reason[i].why);
		json_figure(j, "npu_ms", x->costs.ms ? x->costs.ms[i] : NAN, "ms", "modelled", x->costs.band);
		json_end(j, '}');
	}
	json_end(j, ']');
	json_num(j, "mac_share_int8", r->mac_share_int8);
	json_int(j, "canaries", (long long)r->canaries);
	json_begin(j, "sqnr_db", '{');
	for (size_t i = 0; i < r->n_output; i++)
		json_num(j, r->output[i].name, r->output[i].sqnr_db);
	json_end(j, '}');
	quantized_json(j, r, &x->costs, &x->classes);
	if (r->trained)
		training_json(j, &r->training);
	control_json(j, r, o->max_drop);
	layers_json(j, r);
	json_end(j, '}');
}

/* Text or JSON on stdout, and the page. */
static int show(const options *o, const tarn_quantize_report *r, const extras *x)
{
	page p;
	if (o->json) {
		json j = {.out = stdout};
		write_json(&j, o, r, x);
	} else {
		show_text(o, r, x);
	}
	if (!o->html)
		return 0;
	int code = page_begin("quantize", &p);
	if (code)
		return code;
	write_json(&p.j, o, r, x);
	code = page_write("quantize", &p, "quantize", "tarn quantize", o->html);
	if (!code && !o->json)
		printf("report written to %s\n", o->html);
	return code;
}

static int calibrate_and_save(const session *s, ov_model_t **q, tarn_quantize_report *r)
{
	const options *o = s->o;
	if (o->group >= 0)
		return fail(2, "quantize", "--group says how many weights share a scale; give --weights int8 or int4, too");
	extras x = {0};
	int code = quantized_classes_read(s, &x.classes);
	if (!code)
		code = calibrate(s, q, r);
	if (!code && tarn_save_model(*q, o->result) != OK)
		code = fail_last("quantize");
	if (!code)
		quantized_costs_init(s, *q, r, &x.costs);
	if (!code)
		code = show(o, r, &x);
	quantized_costs_fini(&x.costs);
	if (!code)
		code = control_verdict(o, r);
	if (!code && o->qat && r->training.interrupted)
		code = fail(1, "quantize", "interrupted after %d epochs; %s has what was learned until then",
			    r->training.epochs, o->result);
	return code;
}

int cmd_quantize(const options *o)
{
	session s;
	ov_model_t *q = NULL;
	tarn_quantize_report r = {0};
	if (!o->result)
		return fail(2, "quantize", "no file to write; give -o FILE.onnx");
	int code = session_open(&s, "quantize", o);
	if (!code && s.is_blob)
		code = fail(2, "quantize", "%s is a compiled model; give the model it was made from", o->model);
	if (!code && !o->qat)
		code = training_none(&s);
	else if (!code && o->weights)
		code = fail(2, "quantize", "--weights and --qat do not go together: only whole layers in INT8 are trained");
	if (!code)
		code = session_reshape(&s);
	if (!code)
		code = bounds_open(&s);
	if (!code && o->weights)
		code = compress(&s);
	else if (!code)
		code = calibrate_and_save(&s, &q, &r);
	tarn_free_quantize_report(&r);
	ov_model_free(q);
	session_close(&s);
	return code;
}
