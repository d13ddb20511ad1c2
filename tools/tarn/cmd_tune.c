/* SPDX-License-Identifier: Apache-2.0 */
/* tarn tune: finds settings for a model by what it costs on a device. */
#include "tune.h"

int cmd_tune(const options *o);

int cmd_tune(const options *o)
{
	session s;
	int code = session_open(&s, "tune", o);
	if (!code && s.is_blob)
		code = fail(2, "tune", "%s is a compiled model; give the model it was made from", o->model);
	if (!code)
		code = session_reshape(&s);
	if (!code && o->lengths)
		code = tune_lengths(&s);
	else if (!code)
		code = fail(2, "tune", "nothing to tune; give the lengths of inputs with --lengths FILE --bound NAME=MAX");
	session_close(&s);
	return code;
}
