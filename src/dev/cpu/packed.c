/* SPDX-License-Identifier: Apache-2.0 */
/* Weights are not kept twice: what kernels packed leaves the model. */
#include "dev/cpu/cpu.h"
#include "ops/ops.h"
#include "pass/pass.h"

enum { SMALL = 4096 }; /* bytes not worth it */

/* Operators whose kernels copy their constant f32 operands when they are built, and whose inference reads only sizes. */
static bool packs(const tarn_node *n, int input)
{
	static const char *const ops[] = {"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM"};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		if (n->op == tarn_op_find(NULL, ops[i]))
			return input >= 1;
	return false;
}

/* Marks, by value, constants that a step or another operator still reads. */
static void mark_needed(const cpu_program *p, bool *needed)
{
	const tarn_graph *g = p->g;
	for (size_t i = 0; i < p->slot.len; i++)
		if (p->slot.at[i].konst)
			needed[p->slot.at[i].v->id] = true;
	for (size_t i = 0; i < g->output.len; i++)
		needed[g->output.at[i]->id] = true;
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k] && !packs(g->node.at[i], k))
				needed[g->node.at[i]->in[k]->id] = true;
}

tarn_err tarn_cpu_drop_packed(const cpu_program *p, tarn_model *m)
{
	tarn_graph *g = m->main;
	tarn_arena scratch = {0};
	bool *needed = tarn_arena_zalloc(&scratch, g->value.len + 1, sizeof *needed);
	tarn_err err = needed && p->g == g ? TARN_OK : tarn_err_nomem(g->value.len);
	if (err == TARN_OK)
		mark_needed(p, needed);
	for (size_t i = 0; err == TARN_OK && i < g->value.len; i++) {
		tarn_value *v = g->value.at[i];
		if (needed[v->id] || !v->konst || v->konst->type != TARN_F32 || tarn_tensor_bytes(v->konst) < SMALL)
			continue;
		tarn_tensor *sizes = tarn_arena_memdup(&m->arena, v->konst, sizeof *sizes);
		if (!sizes) {
			err = tarn_err_nomem(sizeof *sizes);
			break;
		}
		sizes->data = NULL;
		sizes->buf = NULL;
		v->konst = sizes;
	}
	tarn_arena_fini(&scratch);
	return err == TARN_OK ? tarn_pass_release(m) : err;
}
