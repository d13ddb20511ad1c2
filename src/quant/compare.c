/* SPDX-License-Identifier: Apache-2.0 */
/* How far the outputs of a quantized model are from the float model's. */
#include <math.h>

#include "base/mem.h"
#include "quant/run.h"
#include "rt/program.h"

tarn_err tarn_quant_compare(const tarn_model *f, const tarn_model *q, const tarn_quant_options *o, tarn_quant_report *rep)
{
	const tarn_model *models[2] = {f, q};
	tarn_program *program[2] = {NULL, NULL};
	tarn_request *r[2] = {NULL, NULL};
	size_t n = f->main->output.len, samples = o->n_sample < 16 ? o->n_sample : 16;
	double *power = tarn_arena_zalloc(&rep->arena, n, sizeof *power),
	       *noise = tarn_arena_zalloc(&rep->arena, n, sizeof *noise);
	rep->sqnr_db = tarn_arena_zalloc(&rep->arena, n, sizeof *rep->sqnr_db);
	if (!power || !noise || !rep->sqnr_db)
		return tarn_err_nomem(n * sizeof *power);
	tarn_err err = TARN_OK;
	for (int m = 0; m < 2; m++) {
		TRY_GOTO(out, tarn_program_compile(o->device, models[m], NULL, &program[m]));
		TRY_GOTO(out, tarn_request_new(program[m], &r[m]));
	}
	for (size_t i = 0; i < samples; i++) {
		CHECK_GOTO(out, !tarn_quant_stopped(o), TARN_CANCELLED, "comparing was interrupted");
		for (int m = 0; m < 2; m++)
			TRY_GOTO(out, tarn_quant_run_sample(r[m], o, i));
		for (size_t k = 0; k < n; k++) {
			const tarn_tensor *a = &r[0]->out[k], *b = &r[1]->out[k];
			CHECK_GOTO(out, tarn_tensor_count(a) == tarn_tensor_count(b), TARN_INTERNAL,
				   "output %zu changed its size", k);
			for (int64_t e = 0, count = tarn_tensor_count(a); tarn_dtype_is_float(a->type) && e < count; e++) {
				double x = tarn_tensor_f64(a, e), d = x - tarn_tensor_f64(b, e);
				power[k] += x * x;
				noise[k] += d * d;
			}
		}
		if (o->progress)
			o->progress(o->ctx, "comparing", i + 1, samples);
	}
	for (size_t k = 0; k < n; k++)
		rep->sqnr_db[k] = power[k] > 0 ? 10 * log10(power[k] / (noise[k] > 0 ? noise[k] : power[k] * 1e-20)) : NAN;
	rep->n_output = (int)n;
out:
	for (int m = 0; m < 2; m++) {
		tarn_request_free(r[m]);
		tarn_program_unref(program[m]);
	}
	return err;
}
