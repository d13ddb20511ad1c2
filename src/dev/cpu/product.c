/* SPDX-License-Identifier: Apache-2.0 */
/* What products with constant right sides have in common, however their weights are stored: rows of the first input, perhaps a
 * residual as large as the result, an epilogue. */
#include "dev/cpu/cpu.h"

void tarn_cpu_product_of(cpu_product *p, const cpu_group *g)
{
	p->epilogue = g->epilogue;
	p->has_residual = g->residual;
}

tarn_err tarn_cpu_product_step(cpu_build *b, const cpu_kernel *k, const cpu_group *g, void *state, bool over_residual)
{
	int in[2] = {-1, -1}, out;
	TRY(tarn_cpu_want(b, g->main->in[0], CPU_PLAIN, &in[0]));
	if (g->residual)
		TRY(tarn_cpu_want(b, g->residual, CPU_PLAIN, &in[1]));
	TRY(tarn_cpu_give(b, g->last->out[0], CPU_PLAIN, &out));
	/* An activation before the addition rewrites the tile: the residual must not be overwritten meanwhile. */
	int in_place = over_residual && g->residual && !g->epilogue.residual_after ? 1 : -1;
	return tarn_cpu_step_new(b, k, g, in, 2, &out, 1, state, in_place);
}

tarn_gemm_f32_args tarn_cpu_product_args(const cpu_run *r, const cpu_step *step, const cpu_product *p)
{
	return (tarn_gemm_f32_args){
		.m = p->n ? (size_t)tarn_cpu_count(r->inst, r->p, step->out[0]) / p->n : 0,
		.a = r->ptr[step->in[0]],
		.lda = p->k,
		.c = r->ptr[step->out[0]],
		.ldc = p->n,
		.residual = p->has_residual ? r->ptr[step->in[1]] : NULL,
		.ldr = p->n,
		.epilogue = p->epilogue,
	};
}
