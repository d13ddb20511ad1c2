/* SPDX-License-Identifier: Apache-2.0 */
/* How far the outputs of a quantized model are from the float model's. */
#include <math.h>

#include "base/mem.h"
#include "quant/run.h"

/* What the float model said, and what the other one adds to signal and noise. */
typedef struct outputs {
	tarn_tensor *want; /* samples x n */
	size_t n;
	double *power, *noise;
} outputs;

static tarn_err keep(void *ctx, size_t i, tarn_request *r)
{
	outputs *o = ctx;
	for (size_t k = 0; k < o->n; k++)
		TRY(tarn_tensor_copy(&r->out[k], &o->want[i * o->n + k]));
	return TARN_OK;
}

static tarn_err compare(void *ctx, size_t i, tarn_request *r)
{
	outputs *o = ctx;
	for (size_t k = 0; k < o->n; k++) {
		const tarn_tensor *a = &o->want[i * o->n + k], *b = &r->out[k];
		CHECK(tarn_tensor_count(a) == tarn_tensor_count(b), TARN_INTERNAL, "output %zu changed its size", k);
		for (int64_t e = 0, count = tarn_tensor_count(a); tarn_dtype_is_float(a->type) && e < count; e++) {
			double x = tarn_tensor_f64(a, e), d = x - tarn_tensor_f64(b, e);
			o->power[k] += x * x;
			o->noise[k] += d * d;
		}
	}
	return TARN_OK;
}

tarn_err tarn_quant_compare(const tarn_model *f, const tarn_model *q, const tarn_quant_options *o, tarn_quant_report *rep)
{
	size_t n = f->main->output.len;
	quant_slice slice = {0, 1, o->n_sample < 16 ? o->n_sample : 16};
	outputs x = {tarn_mem_zalloc(n * slice.n + 1, sizeof *x.want), n, tarn_arena_zalloc(&rep->arena, n, sizeof *x.power),
		     tarn_arena_zalloc(&rep->arena, n, sizeof *x.noise)};
	rep->sqnr_db = tarn_arena_zalloc(&rep->arena, n, sizeof *rep->sqnr_db);
	tarn_err err;
	CHECK_GOTO(out, x.want && x.power && x.noise && rep->sqnr_db, TARN_NOMEM, "out of memory");
	TRY_GOTO(out, tarn_quant_run(f, NULL, 0, o, slice, "comparing", keep, &x));
	TRY_GOTO(out, tarn_quant_run(q, NULL, 0, o, slice, "comparing", compare, &x));
	for (size_t k = 0; k < n; k++)
		rep->sqnr_db[k] =
			x.power[k] > 0 ? 10 * log10(x.power[k] / (x.noise[k] > 0 ? x.noise[k] : x.power[k] * 1e-20)) : NAN;
	rep->n_output = (int)n;
out:
	for (size_t i = 0; x.want && i < n * slice.n; i++)
		tarn_tensor_fini(&x.want[i]);
	tarn_mem_free(x.want);
	return err;
}
