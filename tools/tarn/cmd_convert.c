/* SPDX-License-Identifier: Apache-2.0 */
/* tarn convert: a model in another format, chosen by the ending of the name; -shape makes sizes static on the way. */
#include <stdio.h>
#include <sys/stat.h>

#include "bounds.h"
#include "run_state.h"
#include "session.h"
#include "tarn/model.h"

int cmd_convert(const options *o);

static void show(const session *s, long long bytes)
{
	const options *o = s->o;
	if (!o->json) {
		printf("%s: written from %s\n", o->output, o->model);
		bounds_show(s->bounds, NULL);
		return;
	}
	json j = {.out = stdout};
	json_begin(&j, NULL, '{');
	json_text(&j, "model", o->model);
	json_text(&j, "file", o->output);
	json_int(&j, "bytes", bytes);
	bounds_show(s->bounds, &j);
	json_end(&j, '}');
}

static int make_stateful(const session *s)
{
	const options *o = s->o;
	tarn_state_options want = state_options(o, 1);
	if (!o->state.n)
		return 0;
	if (o->bound.n)
		return fail(2, "convert", "--state bounds what it needs itself; leave out --bound");
	return tarn_make_stateful(s->model, &want) == OK ? 0 : fail_last("convert");
}

int cmd_convert(const options *o)
{
	session s;
	struct stat st;
	if (!o->output)
		return fail(2, "convert", "no file to write; give -o FILE.onnx or -o FILE.xml");
	int code = session_open(&s, "convert", o);
	if (!code && !s.model)
		code = fail(2, "convert", "'%s' is a compiled model; give the model it was made from", o->model);
	if (!code)
		code = session_reshape(&s);
	if (!code)
		code = make_stateful(&s);
	if (!code)
		code = bounds_open(&s);
	if (!code && tarn_save_model(s.model, o->output) != OK)
		code = fail_last("convert");
	if (!code && !stat(o->output, &st))
		show(&s, (long long)st.st_size);
	session_close(&s);
	return code;
}
