/* SPDX-License-Identifier: Apache-2.0 */
/* tarn synth: a model of a well-known topology with random weights. */
#include <stdio.h>
#include <sys/stat.h>

#include "options.h"
#include "say.h"
#include "tarn/model.h"
#include "tarn/synth.h"

int cmd_synth(const options *o);

int cmd_synth(const options *o)
{
	ov_model_t *m = NULL;
	struct stat st;
	if (!o->word)
		return fail(2, "synth", "no name; give one of %s", tarn_get_synthetic_names());
	if (!o->output)
		return fail(2, "synth", "no file to write; give -o FILE.onnx");
	int code = 0;
	ov_status_e status = tarn_make_model(o->word, o->int8, o->seed < 0 ? 1 : (uint64_t)o->seed, &m);
	if (status == NOT_FOUND)
		code = fail(2, "synth", "no model '%s'; give one of %s", o->word, tarn_get_synthetic_names());
	else if (status != OK || tarn_save_model(m, o->output) != OK)
		code = fail_last("synth");
	ov_model_free(m);
	if (code || stat(o->output, &st))
		return code;
	if (o->json) {
		json j = {.out = stdout};
		json_begin(&j, NULL, '{');
		json_text(&j, "name", o->word);
		json_text(&j, "file", o->output);
		json_bool(&j, "int8", o->int8);
		json_int(&j, "bytes", (long long)st.st_size);
		json_end(&j, '}');
	} else {
		printf("%s: %s%s, random weights, %.1f MB\n", o->output, o->word, o->int8 ? ", INT8 (QDQ)" : "",
		       (double)st.st_size / 1e6);
	}
	return 0;
}
