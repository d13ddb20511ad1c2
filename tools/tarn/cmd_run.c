/* SPDX-License-Identifier: Apache-2.0 */
/* tarn run: one inference, outputs as npy files or, without -o, as a summary. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "input.h"
#include "outputs.h"
#include "run_state.h"
#include "say.h"
#include "tarn/profile.h"

int cmd_run(const options *o);

static int deliver(const session *s, const ov_infer_request_t *r, size_t i, json *j)
{
	ov_output_const_port_t *port = NULL;
	ov_tensor_t *t = NULL;
	char *name = NULL;
	int code = 0;
	if (ov_compiled_model_output_by_index(s->compiled, i, &port) != OK || ov_port_get_any_name(port, &name) != OK ||
	    ov_infer_request_get_output_tensor_by_index(r, i, &t) != OK)
		code = fail_last("run");
	if (!code)
		code = bounds_slice(s, r, name, &t);
	if (!code)
		code = outputs_show(s, name, t, j);
	ov_free(name);
	ov_tensor_free(t);
	ov_output_const_port_free(port);
	return code;
}

static int show(const session *s, const ov_infer_request_t *r)
{
	const options *o = s->o;
	json j = {.out = stdout};
	tarn_request_times times;
	size_t n = 0;
	int code = o->folder ? outputs_folder(o->folder) : 0;
	if (code)
		return code;
	if (tarn_get_request_times(r, &times) != OK || ov_compiled_model_outputs_size(s->compiled, &n) != OK)
		return fail_last("run");
	if (o->json) {
		json_begin(&j, NULL, '{');
		json_text(&j, "model", o->model);
		json_text(&j, "device", s->runs_on);
		json_text(&j, "device_name", s->device_name);
		json_figure(&j, "inference_ms", s->simulated ? NAN : times.total, "ms", "measured", -1);
		json_figure(&j, "device_ms", times.device_ms, "ms", times.device_modelled ? "modelled" : "measured",
			    times.device_modelled && times.device_band > 0 ? times.device_band : -1);
		json_begin(&j, "outputs", '[');
	}
	for (size_t i = 0; i < n && !code; i++)
		code = deliver(s, r, i, o->json ? &j : NULL);
	if (o->json) {
		json_end(&j, ']');
		bounds_show(s->bounds, &j);
		session_notes(s, &j);
		json_end(&j, '}');
	} else if (!code) {
		bounds_show(s->bounds, NULL);
	}
	return code;
}

static int infer(const session *s, const input_set *set, ov_infer_request_t *r)
{
	for (size_t i = 0; i < set->n; i++)
		if (ov_infer_request_set_input_tensor_by_index(r, i, set->tensor[i]) != OK)
			return fail_last("run");
	if (ov_infer_request_infer(r) != OK)
		return fail_last("run");
	int code = session_check_results(s);
	return code ? code : show(s, r);
}

int cmd_run(const options *o)
{
	session s;
	input_set set = {0};
	ov_infer_request_t *r = NULL;
	int code = session_open(&s, "run", o);
	if (!code && run_state_wanted(o)) {
		code = run_state(&s);
		session_close(&s);
		return code;
	}
	if (!code)
		code = session_reshape(&s);
	if (!code)
		code = bounds_open(&s);
	if (!code && s.model)
		code = input_load(&s, &set);
	if (!code && strstr(s.device, "NPU"))
		code = input_fix_shapes(&s, &set);
	if (!code)
		code = session_compile(&s, NULL);
	if (!code)
		code = session_check_computes(&s);
	if (!code && !s.model)
		code = input_load(&s, &set);
	if (!code)
		code = input_check_complete(&s, &set);
	if (!code && ov_compiled_model_create_infer_request(s.compiled, &r) != OK)
		code = fail_last("run");
	if (!code)
		code = infer(&s, &set, r);
	ov_infer_request_free(r);
	input_close(&set);
	session_close(&s);
	return code;
}
