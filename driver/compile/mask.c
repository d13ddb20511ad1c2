/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants that stand for infinity: what a mask puts where nothing may be seen, bounds that do not bind. In FP16 they would be
 * infinite, and a row that is masked all over NaN; the largest number there is serves as well. Factors are numbers, and stay,
 * unless one is as low as only masks are: (1 - seen) * -10^9.
 */
#include <math.h>

#include "driver/compile/plan.h"
#include "ir/op.h"

/* Where such a constant stands for infinity, as that input; of both signs, or only far below zero. */
static const struct mask_row {
	const char *op;
	int first, last;
	bool below_only;
} rows[] = {
	{"Add", 0, 1, true}, {"Clip", 1, 2, false}, {"Max", 0, 63, false},  {"Min", 0, 63, false},
	{"Mul", 0, 1, true}, {"Sub", 0, 1, true},   {"Where", 1, 2, false},
};

/* How the inputs of nodes read a value: as a number, as infinity, as minus infinity only. */
enum { READ_BELOW = 1, READ_NUMBER = 2 };

static int reading(const tarn_node *n, int input)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (tarn_npu_is(n, rows[i].op) && input >= rows[i].first && input <= rows[i].last)
			return rows[i].below_only ? READ_BELOW : 0;
	return READ_NUMBER;
}

static bool beyond(float v)
{
	return isfinite(v) && fabsf(v) > NPU_F16_MAX;
}

/* Is there something to limit, and nothing that must stay? */
static bool to_limit(const tarn_tensor *t, int read)
{
	const float *at = t->data;
	bool any = false;
	for (int64_t i = 0, n = tarn_tensor_count(t); i < n; i++) {
		if (beyond(at[i]) && at[i] > 0 && read & READ_BELOW)
			return false;
		any |= beyond(at[i]);
	}
	return any;
}

static tarn_err limit(tarn_model *m, tarn_value *v)
{
	tarn_tensor t;
	TRY(tarn_tensor_copy(v->konst, &t));
	float *at = t.data;
	for (int64_t i = 0, n = tarn_tensor_count(&t); i < n; i++)
		if (beyond(at[i]))
			at[i] = copysignf(NPU_F16_MAX, at[i]);
	tarn_tensor *copy = tarn_arena_memdup(&m->arena, &t, sizeof t);
	tarn_err err = copy ? t.buf ? tarn_model_keep(m, t.buf) : TARN_OK : tarn_err_nomem(sizeof t);
	tarn_tensor_fini(&t);
	TRY(err);
	v->konst = copy;
	return TARN_OK;
}

static tarn_err limit_all(tarn_model *m, tarn_arena *a)
{
	tarn_graph *g = m->main;
	unsigned char *read = tarn_arena_zalloc(a, g->value.len + 1, 1);
	if (!read)
		return tarn_err_nomem(g->value.len);
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++)
			if (g->node.at[i]->in[k])
				read[g->node.at[i]->in[k]->id] |= (unsigned char)reading(g->node.at[i], k);
	for (size_t i = 0, n = g->value.len; i < n; i++) {
		tarn_value *v = g->value.at[i];
		if (v->konst && v->konst->type == TARN_F32 && !(read[i] & READ_NUMBER) && to_limit(v->konst, read[i]))
			TRY(limit(m, v));
	}
	return TARN_OK;
}

tarn_err tarn_npu_limit_constants(tarn_model *m)
{
	tarn_arena a = {0};
	tarn_err err = limit_all(m, &a);
	tarn_arena_fini(&a);
	return err;
}
