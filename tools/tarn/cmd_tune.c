/* SPDX-License-Identifier: Apache-2.0 */
/* tarn tune: finds settings for a model by what it costs on a device. */
#include "tune.h"

int cmd_tune(const options *o);

int cmd_tune(const options *o)
{
	session s;
	if (o->lengths && o->learn)
		return fail(2, "tune", "--lengths and --learn are two ways to tell lengths; give one of them");
	if (!o->lengths && !o->learn)
		return tune_pipeline(o);
	int code = session_open(&s, "tune", o);
	if (!code && s.is_blob)
		code = fail(2, "tune", "%s is a compiled model; give the model it was made from", o->model);
	if (!code)
		code = session_reshape(&s);
	if (!code)
		code = o->learn ? tune_learn(&s) : tune_lengths(&s);
	session_close(&s);
	return code;
}
