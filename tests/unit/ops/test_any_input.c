/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operator survives every input: random types, ranks, sizes, values and attributes end in a result or in an error with a
 * sentence, never in a crash (which the sanitizers make of a wrong access). Then: what inference says of free dimensions agrees
 * with what evaluation gives.
 */
#include <stdio.h>

#include "op_case.h"

static uint32_t state_;
static int64_t rnd(int64_t lo, int64_t hi)
{
	state_ = state_ * 1664525u + 1013904223u;
	return lo + (int64_t)((state_ >> 8) % (uint32_t)(hi - lo + 1));
}

static void random_attr(const tarn_attr_def *d, int i)
{
	int64_t at[4];
	double f[4];
	int n = (int)rnd(0, 4);
	if (d->presence != TARN_ATTR_REQUIRED && rnd(0, 1))
		return;
	for (int k = 0; k < 4; k++) {
		at[k] = rnd(-1, 3);
		f[k] = (double)rnd(-2, 3);
	}
	switch (d->kind) {
	case TARN_ATTR_INT:
		OK(tarn_attr_set_i(the.n, i, rnd(0, 30) == 0 ? INT64_MIN + rnd(0, 1) : rnd(-2, 3)));
		break;
	case TARN_ATTR_BOOL:
		OK(tarn_attr_set_i(the.n, i, rnd(0, 1)));
		break;
	case TARN_ATTR_TYPE:
		OK(tarn_attr_set_i(the.n, i, rnd(1, TARN_DTYPE_COUNT - 1)));
		break;
	case TARN_ATTR_ENUM:
		OK(tarn_attr_set_i(the.n, i, rnd(0, 1)));
		break;
	case TARN_ATTR_FLOAT:
		OK(tarn_attr_set_f(the.n, i, f[0]));
		break;
	case TARN_ATTR_INTS:
		OK(tarn_attr_set_ints(the.m->main, the.n, i, at, n));
		break;
	case TARN_ATTR_FLOATS:
		OK(tarn_attr_set_floats(the.m->main, the.n, i, f, n));
		break;
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		OK(tarn_attr_set_str(the.m->main, the.n, i, "ij,jk->ik"));
		break;
	default:
		break;
	}
}

static void random_input(int i, tarn_dtype common)
{
	static const tarn_dtype types[] = {TARN_F32, TARN_I64, TARN_U8, TARN_I32, TARN_BOOL, TARN_F16, TARN_I4, TARN_U64};
	int64_t dim[4];
	double v[256];
	tarn_dtype type = i > 0 && rnd(0, 1) ? TARN_I64 : rnd(0, 3) ? common : types[rnd(0, 7)];
	int rank = (int)(i > 0 && rnd(0, 1) ? rnd(0, 1) : rnd(0, 4));
	for (int d = 0; d < rank; d++)
		dim[d] = rnd(0, 12) ? rnd(1, 3) : rnd(0, 4);
	for (int k = 0; k < 256; k++)
		v[k] = (double)(rnd(0, 60) ? rnd(-2, 3) : rnd(-70000, 70000));
	input(i, type, rank, dim, v);
	if (type == TARN_I64 && rnd(0, 20) == 0 && tarn_tensor_count(&the.in[i]) > 0)
		tarn_tensor_set_i64(&the.in[i], 0, rnd(0, 1) ? INT64_MAX : INT64_MIN);
	if (rnd(0, 1)) { /* inference sees the data */
		tarn_value *v_const = NULL;
		OK(tarn_value_const(the.m->main, NULL, &the.in[i], &v_const));
		the.n->in[i] = v_const;
	}
}

/* Inference without data, then evaluation: static sizes must agree, and ranks. */
static void agrees(const tarn_op_def *op)
{
	for (int i = 0; i < the.n->n_out; i++) {
		const tarn_value *v = the.n->out[i];
		const tarn_tensor *t = &the.out[i];
		if (v->type != TARN_DTYPE_NONE && v->type != t->type)
			fail_msg("%s: type %s inferred, %s computed", op->name, tarn_dtype_info(v->type)->word,
				 tarn_dtype_info(t->type)->word);
		for (int k = 0; v->known != NULL && k < v->n_known; k++) {
			int64_t number = 0;
			if (tarn_dim_is_int(v->known[k], &number) && number != tarn_tensor_i64(t, k))
				fail_msg("%s: element %d is known as %lld, computed as %lld", op->name, k, (long long)number,
					 (long long)tarn_tensor_i64(t, k));
		}
		if (v->shape.rank < 0)
			continue;
		if (v->shape.rank != t->rank)
			fail_msg("%s: rank %d inferred, %d computed", op->name, v->shape.rank, t->rank);
		for (int d = 0; d < t->rank; d++) {
			int64_t lo = tarn_dim_lo(&the.m->syms, v->shape.dim[d]),
				hi = tarn_dim_hi(&the.m->syms, v->shape.dim[d]);
			if (t->dim[d] < lo || t->dim[d] > hi)
				fail_msg("%s: size %lld at axis %d is not in [%lld,%lld]", op->name, (long long)t->dim[d], d,
					 (long long)lo, (long long)hi);
		}
	}
}

static void survives(const tarn_op_def *op, int rounds, int *done)
{
	static const tarn_dtype types[] = {TARN_F32, TARN_I64, TARN_U8, TARN_BOOL};
	for (int r = 0; r < rounds; r++) {
		int max_in = op->max_in < 0 ? op->min_in + 2 : op->max_in, max_out = op->max_out < 0 ? 3 : op->max_out;
		int n_in = (int)rnd(op->min_in, max_in < MAX_SLOTS ? max_in : MAX_SLOTS);
		case_new(op->name, n_in, (int)rnd(op->min_out, max_out));
		tarn_dtype common = types[rnd(0, 3)];
		for (int i = 0; i < op->n_attr; i++)
			random_attr(&op->attr[i], i);
		for (int i = 0; i < n_in; i++)
			if (i < op->min_in || rnd(0, 3))
				random_input(i, common);
		tarn_err_clear();
		tarn_err inferred = tarn_graph_infer(the.m->main);
		tarn_err_clear();
		tarn_err err = run_err();
		if (err != TARN_OK && tarn_err_text()[0] == 0)
			fail_msg("%s: an error without a sentence", op->name);
		if (err == TARN_INTERNAL)
			fail_msg("%s: %s", op->name, tarn_err_text());
		if (err == TARN_OK && inferred != TARN_OK && inferred != TARN_UNSUPPORTED)
			fail_msg("%s: evaluates what inference refuses", op->name);
		if (err == TARN_OK) {
			agrees(op);
			(*done)++;
		}
	}
}

static void every_operator(void **state)
{
	(void)state;
	int never = 0;
	for (int i = 0; tarn_ops[i] != NULL; i++) {
		const tarn_op_def *op = tarn_ops[i];
		int done = 0;
		if ((op->flags & TARN_OP_CONTROL) || (op->domain != NULL && op->domain[0] != 0) || op->min_in > MAX_SLOTS)
			continue;
		state_ = 12345;
		survives(op, 150, &done);
		never += done == 0;
		if (done == 0)
			print_message("note: no random input suited %s\n", op->name);
	}
	case_end();
	assert_in_range(never, 0, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_operator)};
	return cmocka_run_group_tests_name("ops.any_input", tests, NULL, NULL);
}
