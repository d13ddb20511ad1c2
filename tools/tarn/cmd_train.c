/* SPDX-License-Identifier: Apache-2.0 */
/* tarn train: a float model and labelled samples in, the model with better weights out. */
#include <stdio.h>

#include "calibrate.h"
#include "say.h"
#include "tarn/model.h"
#include "training.h"

int cmd_train(const options *o);

typedef struct result {
	ov_model_t *trained;
	tarn_training_report report;
} result;

static ov_status_e train(const session *s, tarn_quantize_options *q, void *arg)
{
	result *r = arg;
	return tarn_train_model(s->core, s->model, q, &r->trained, &r->report);
}

static void show(const options *o, const tarn_training_report *r)
{
	json j = {.out = stdout};
	if (!o->json) {
		printf("%s: %zu parameters\n", o->result, r->parameters);
		training_text(r);
		return;
	}
	json_begin(&j, NULL, '{');
	json_text(&j, "model", o->model);
	json_text(&j, "file", o->result);
	training_json(&j, r);
	json_end(&j, '}');
}

int cmd_train(const options *o)
{
	session s;
	result r = {0};
	options own = *o;
	own.qat = true; /* so that the options of training are read with the data */
	if (!o->result)
		return fail(2, "train", "no file to write; give -o FILE.onnx");
	if (!o->labels)
		return fail(2, "train", "no labels; give --labels FILE (without labels there is quantize --qat)");
	int code = session_open(&s, "train", &own);
	if (!code && s.is_blob)
		code = fail(2, "train", "%s is a compiled model; give the model it was made from", o->model);
	if (!code)
		code = session_reshape(&s);
	if (!code)
		code = calibrate_with(&s, true, train, &r);
	if (!code && tarn_save_model(r.trained, o->result) != OK)
		code = fail_last("train");
	if (!code)
		show(o, &r.report);
	if (!code && r.report.interrupted)
		code = fail(1, "train", "interrupted after %d epochs; %s has what was learned until then", r.report.epochs,
			    o->result);
	ov_model_free(r.trained);
	session_close(&s);
	return code;
}
