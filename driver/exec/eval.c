/* SPDX-License-Identifier: Apache-2.0 */
/* Everything without a kernel of its own: the operator's reference evaluation, in f32 on the FP16 grid. */
#include <string.h>

#include "base/mem.h"
#include "driver/exec/exec.h"
#include "ir/op.h"
#include "ops/ops.h"

static tarn_tensor tensor_of(const npu_run *r, int slot)
{
	const npu_slot *s = &r->exec->slot.at[slot];
	tarn_tensor t = {.type = s->type, .rank = s->v->shape.rank, .data = npu_ptr(r, slot)};
	memcpy(t.dim, s->v->shape.dim, sizeof t.dim);
	return t;
}

static tarn_err run(const npu_run *r, npu_step *s)
{
	tarn_arena a = {0};
	const tarn_tensor **in = tarn_arena_zalloc(&a, (size_t)s->n_in + 1, sizeof *in);
	tarn_tensor *out = tarn_arena_zalloc(&a, (size_t)s->n_out + 1, sizeof *out);
	tarn_tensor *tensor = tarn_arena_zalloc(&a, (size_t)s->n_in + 1, sizeof *tensor);
	tarn_err err = in && out && tensor ? TARN_OK : tarn_err_nomem((size_t)s->n_in * sizeof *tensor);
	for (int i = 0; err == TARN_OK && i < s->n_in; i++)
		if (s->in[i] >= 0) {
			tensor[i] = tensor_of(r, s->in[i]);
			in[i] = &tensor[i];
		}
	for (int i = 0; err == TARN_OK && i < s->n_out; i++)
		if (s->out[i] >= 0)
			out[i] = tensor_of(r, s->out[i]);
	if (err == TARN_OK)
		err = tarn_node_eval_into(s->node, in, out, NULL, NULL);
	tarn_arena_fini(&a);
	return err;
}

static const npu_kernel k_eval = {"reference", NULL, run, NULL};

/* Reshapes keep bytes and order in the plain form. */
static tarn_err run_copy(const npu_run *r, npu_step *s)
{
	memcpy(npu_ptr(r, s->out[0]), npu_ptr(r, s->in[0]), r->exec->slot.at[s->out[0]].bytes);
	return TARN_OK;
}

static const npu_kernel k_copy = {"copy", NULL, run_copy, NULL};

tarn_err tarn_npu_build_eval(npu_exec *x, const npu_layer *l, npu_built *b)
{
	const tarn_node *n = l->main;
	bool view = n->op->flags & TARN_OP_VIEW || tarn_npu_is(n, "Identity");
	int n_in = view ? 1 : n->n_in;
	int *in = tarn_arena_alloc(&x->arena, (size_t)(n->n_in + n->n_out + 1) * sizeof *in), *out = in + n->n_in;
	if (!in)
		return tarn_err_nomem((size_t)n->n_in * sizeof *in);
	for (int i = 0; i < n_in; i++) {
		in[i] = -1;
		if (n->in[i])
			TRY(tarn_npu_want(x, n->in[i], NPU_PLAIN, &in[i]));
	}
	for (int i = 0; i < n->n_out; i++) {
		out[i] = -1;
		if (n->out[i])
			TRY(tarn_npu_give(x, n->out[i], NPU_PLAIN, &out[i]));
	}
	npu_step *s;
	TRY(tarn_npu_step_new(x, view ? &k_copy : &k_eval, l, n_in, n->n_out, &s));
	memcpy(s->in, in, (size_t)n_in * sizeof *in);
	memcpy(s->out, out, (size_t)n->n_out * sizeof *out);
	*b = (npu_built){.taken = true, .form = NPU_PLAIN};
	return TARN_OK;
}
