/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/run.h"

#include "rt/program.h"

tarn_err tarn_quant_watched(const tarn_model *m, const int *which, int n, tarn_model **out)
{
	tarn_model *copy;
	TRY(tarn_model_clone(m, &copy));
	tarn_graph *c = copy->main;
	tarn_err err;
	CHECK_GOTO(out, c->value.len == m->main->value.len, TARN_INTERNAL, "a copy of the model has other values");
	TRY_GOTO(out, VEC_RESERVE(&c->output, (size_t)n));
	/* The model's own outputs are not needed, and would only shadow the names. */
	for (int i = 0; i < n; i++)
		c->output.at[i] = c->value.at[which[i]];
	c->output.len = (size_t)n;
	tarn_graph_sweep(c);
	*out = copy;
	return TARN_OK;
out:
	tarn_model_unref(copy);
	return err;
}

tarn_err tarn_quant_run_sample(tarn_request *r, const tarn_quant_options *o, size_t i)
{
	TRY(tarn_request_begin(r));
	for (int k = 0; k < r->n_in; k++)
		tarn_tensor_fini(&r->in[k]);
	for (int k = 0; k < r->n_out; k++)
		tarn_tensor_fini(&r->out[k]);
	tarn_err err = o->sample(o->ctx, i, r->in);
	for (int k = 0; err == TARN_OK && k < r->n_in; k++)
		err = tarn_port_fits(&r->program->in[k], &r->in[k]);
	if (err != TARN_OK) {
		tarn_request_abort(r);
		return err;
	}
	return tarn_request_infer(r);
}

bool tarn_quant_stopped(const tarn_quant_options *o)
{
	return o->stop && o->stop(o->ctx);
}
