/* SPDX-License-Identifier: Apache-2.0 */
/* tarn run: one inference, outputs as npy files or, without -o, as a summary. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bounds.h"
#include "input.h"
#include "say.h"
#include "tarn/data.h"
#include "tarn/profile.h"
#include "tarn/tensor.h"

int cmd_run(const options *o);

static int make_folder(const char *path)
{
	char at[4096];
	size_t n = strlen(path);
	if (!n || n >= sizeof at)
		return fail(2, "run", "-o '%s' is no folder; give a path", path);
	memcpy(at, path, n + 1);
	for (size_t i = 1; i <= n; i++)
		if (at[i] == '/' || !at[i]) {
			char was = at[i];
			at[i] = 0;
			if (mkdir(at, 0777) && errno != EEXIST)
				return fail(1, "run", "folder %s cannot be made: %s; check the path", at, strerror(errno));
			at[i] = was;
		}
	return 0;
}

/* DIR/NAME.npy; characters that trouble file systems become '_'. Tensors of an IR are often bare numbers, which say nothing as
 * a file name: those become out_95.npy. */
static void output_path(const session *s, const char *name, char *out, size_t size)
{
	size_t len = strlen(s->o->model);
	bool number = *name && !name[strspn(name, "0123456789")];
	bool is_ir = len > 4 && !strcmp(s->o->model + len - 4, ".xml");
	size_t n = (size_t)snprintf(out, size, "%s/%s", s->o->output, number && is_ir ? "out_" : "");
	static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	for (; *name && n + 5 < size; name++)
		out[n++] = strchr(fine, *name) ? *name : '_';
	snprintf(out + n, size - n, ".npy");
}

static int shape_of(const ov_tensor_t *t, char *text, size_t size)
{
	ov_shape_t s = {0, NULL};
	ov_partial_shape_t p;
	if (ov_tensor_get_shape(t, &s) != OK || ov_shape_to_partial_shape(s, &p) != OK)
		return fail_last("run");
	shape_text(&p, text, size);
	ov_partial_shape_free(&p);
	ov_shape_free(&s);
	return 0;
}

/* Range and mean of an output, for a first look. */
static void summarise(const ov_tensor_t *t, double *least, double *most, double *mean)
{
	ov_tensor_t *d = NULL;
	size_t n = 0;
	void *at;
	*least = *most = *mean = NAN;
	if (tarn_cast_tensor(t, F64, &d) != OK)
		return;
	ov_tensor_get_size(d, &n);
	ov_tensor_data(d, &at);
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		double v = ((double *)at)[i];
		*least = i && *least <= v ? *least : v;
		*most = i && *most >= v ? *most : v;
		sum += v;
	}
	*mean = n ? sum / (double)n : NAN;
	ov_tensor_free(d);
}

static int deliver(const session *s, const ov_infer_request_t *r, size_t i, json *j)
{
	ov_output_const_port_t *port = NULL;
	ov_tensor_t *t = NULL;
	ov_element_type_e type = DYNAMIC;
	char *name = NULL, path[4200] = "", shape[160] = "";
	int code = 0;
	if (ov_compiled_model_output_by_index(s->compiled, i, &port) != OK || ov_port_get_any_name(port, &name) != OK ||
	    ov_infer_request_get_output_tensor_by_index(r, i, &t) != OK || ov_tensor_get_element_type(t, &type) != OK)
		code = fail_last("run");
	if (!code)
		code = bounds_slice(s, r, name, &t);
	if (!code)
		code = shape_of(t, shape, sizeof shape);
	if (!code && s->o->output) {
		output_path(s, name, path, sizeof path);
		if (tarn_write_npy(path, t) != OK)
			code = fail_last("run");
	}
	double least, most, mean;
	if (!code)
		summarise(t, &least, &most, &mean);
	if (!code && j) {
		json_begin(j, NULL, '{');
		json_text(j, "name", name);
		json_text(j, "type", type_text(type));
		json_text(j, "shape", shape);
		json_text(j, "file", *path ? path : NULL);
		json_num(j, "min", least);
		json_num(j, "max", most);
		json_num(j, "mean", mean);
		json_end(j, '}');
	} else if (!code) {
		printf("%s %s%s: min %.6g, max %.6g, mean %.6g%s%s\n", name, type_text(type), shape, least, most, mean,
		       *path ? " -> " : "", path);
	}
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
	int code = o->output ? make_folder(o->output) : 0;
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
