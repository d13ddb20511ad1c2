/* SPDX-License-Identifier: Apache-2.0 */
/* tarn compile: ahead of time, into a file that bench and run take as their model. */
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "bounds.h"
#include "say.h"
#include "session.h"
#include "tarn/profile.h"

int cmd_compile(const options *o);

static long long bytes_of(const char *path)
{
	struct stat st;
	return stat(path, &st) ? -1 : (long long)st.st_size;
}

static void show(const session *s)
{
	const options *o = s->o;
	char *platform = NULL;
	tarn_load_info load = {0};
	tarn_device_account account = {0};
	bool told = tarn_get_device_account(s->compiled, &account) == OK && account.modelled;
	(void)ov_compiled_model_get_property(s->compiled, "NPU_PLATFORM", &platform);
	(void)tarn_get_load_info(s->compiled, &load);
	if (o->json) {
		json j = {.out = stdout};
		json_begin(&j, NULL, '{');
		json_text(&j, "model", o->model);
		json_text(&j, "file", o->output);
		json_int(&j, "bytes", bytes_of(o->output));
		json_text(&j, "device", s->runs_on);
		json_text(&j, "device_name", s->device_name);
		json_text(&j, "platform", platform);
		json_figure(&j, "compile_ms", s->compile_ms, "ms", "measured", -1);
		json_int(&j, "compilations", load.compilations);
		json_figure(&j, "ddr_arena_bytes", told ? (double)account.ddr_arena_bytes : NAN, "B", "modelled", -1);
		json_figure(&j, "spill_bytes", told ? (double)account.spill_bytes : NAN, "B", "modelled", -1);
		session_notes(s, &j);
		json_end(&j, '}');
	} else {
		printf("%s: %lld bytes for %s%s%s (%s), compiled in %.1f ms (measured)\n", o->output, bytes_of(o->output),
		       s->runs_on, platform ? " " : "", platform ? platform : "", s->device_name, s->compile_ms);
		printf("use it: tarn bench -m %s -d %s%s%s\n", o->output, s->device, o->sim ? " --sim " : "",
		       o->sim ? o->sim : "");
	}
	ov_free(platform);
}

int cmd_compile(const options *o)
{
	session s;
	if (!o->output)
		return fail(2, "compile", "no file to write; give -o FILE.blob");
	int code = session_open(&s, "compile", o);
	if (!code && s.is_blob)
		code = fail(2, "compile", "%s is a compiled model already", o->model);
	if (!code)
		code = session_reshape(&s);
	if (!code)
		code = bounds_open(&s);
	if (!code)
		code = session_retype(&s);
	if (!code)
		code = session_compile(&s, o->hint);
	if (!code && ov_compiled_model_export_model(s.compiled, o->output) != OK)
		code = fail_last("compile");
	if (!code)
		show(&s);
	session_close(&s);
	return code;
}
