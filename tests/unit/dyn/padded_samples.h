/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch whose samples have lengths of their own against the model it was made from: row b of each output is what the original
 * gives for that sample among others of the same length, whose data is other than in the bounded run. The batch is the first
 * dimension that was bounded, the length by sample the second.
 */
#ifndef TARN_TESTS_UNIT_DYN_PADDED_SAMPLES_H
#define TARN_TESTS_UNIT_DYN_PADDED_SAMPLES_H

#include "unit/dyn/padded.h"

enum { SAMPLES_MOST = 16 };

/* The one axis whose size is that symbol; -1: none, or several. */
static inline int samples_axis(const tarn_value *v, tarn_dim sym)
{
	int at = -1;
	for (int i = 0; i < v->shape.rank; i++)
		if (v->shape.dim[i] == sym)
			at = at < 0 ? i : -2;
	return at < 0 ? -1 : at;
}

/* One row along an axis, which stays with size 1. */
static inline tarn_tensor samples_row(const tarn_tensor *t, int axis, int64_t row)
{
	tarn_tensor r;
	int64_t dim[TARN_MAX_RANK], outer = 1, inner = (int64_t)tarn_dtype_info(t->type)->bits / 8;
	memcpy(dim, t->dim, sizeof dim);
	dim[axis] = 1;
	for (int i = 0; i < t->rank; i++)
		*(i < axis ? &outer : &inner) *= i == axis ? 1 : t->dim[i];
	assert_ok(tarn_tensor_new(t->type, t->rank, dim, &r));
	for (int64_t o = 0; o < outer; o++)
		memcpy((char *)r.data + o * inner, (const char *)t->data + (o * t->dim[axis] + row) * inner, (size_t)inner);
	return r;
}

static inline void samples_free(tarn_tensor *t)
{
	for (int i = 0; i < SAMPLES_MOST; i++)
		tarn_tensor_fini(&t[i]);
}

/* The valid part of a row; the rest of it keeps what it holds. */
static inline void samples_put(tarn_tensor *t, int axis, int64_t row, const tarn_tensor *from)
{
	tarn_tensor r = samples_row(t, axis, row), one = samples_row(from, axis, row);
	padded_corner(&one, &r);
	tarn_tensor_fini(&one);
	int64_t outer = 1, inner = (int64_t)tarn_dtype_info(t->type)->bits / 8;
	for (int i = 0; i < t->rank; i++)
		*(i < axis ? &outer : &inner) *= i == axis ? 1 : t->dim[i];
	for (int64_t o = 0; o < outer; o++)
		memcpy((char *)t->data + (o * t->dim[axis] + row) * inner, (char *)r.data + o * inner, (size_t)inner);
	tarn_tensor_fini(&r);
}

/* The original on each sample, against the rows of what the bounded model gave (NULL: it did not run). -1: the original does
 * not run. */
static inline double samples_compare(const tarn_model *m, tarn_dim batch, int64_t count, const int64_t *len,
				     tarn_tensor (*one)[SAMPLES_MOST], const tarn_tensor *got)
{
	double worst = 0;
	for (int64_t s = 0; s < count && worst >= 0; s++) {
		const tarn_tensor *in[SAMPLES_MOST];
		tarn_tensor want[SAMPLES_MOST] = {0};
		for (size_t i = 0; i < m->main->input.len; i++)
			in[i] = &one[s][i];
		bool runs = tarn_graph_eval(m->main, in, want, padded_watch, NULL) == TARN_OK;
		tarn_err_clear();
		worst = runs ? worst : -1;
		for (size_t k = 0; k < m->main->output.len && runs; k++) {
			if (!got) {
				worst = INFINITY;
				break;
			}
			int axis = samples_axis(m->main->output.at[k], batch);
			if (axis < 0)
				continue;
			tarn_tensor row = samples_row(&got[k], axis, s), right = samples_row(&want[k], axis, s), cut;
			assert_ok(tarn_tensor_copy(&right, &cut));
			bool holds = row.rank == cut.rank;
			for (int a = 0; a < cut.rank && holds; a++)
				holds = row.dim[a] >= cut.dim[a];
			if (holds)
				padded_corner(&row, &cut);
			double e = holds ? padded_distance(&cut, &right) : INFINITY;
			if (!(e <= 1e-4) && padded_talk)
				print_error("sample %lld of length %lld, output %zu: %g\n", (long long)s, (long long)len[s], k,
					    e);
			worst = fmax(worst, e);
			tarn_tensor_fini(&row);
			tarn_tensor_fini(&right);
			tarn_tensor_fini(&cut);
		}
		samples_free(want);
	}
	return worst;
}

/* Largest error over all samples and outputs: `count` of them valid, with these lengths. -1: the original does not run. */
static inline double samples_error(const tarn_model *m, const tarn_model *b, const tarn_bound_spec *spec, tarn_dim batch,
				   int64_t count, const int64_t *len)
{
	tarn_tensor one[SAMPLES_MOST][SAMPLES_MOST] = {0}, wide[SAMPLES_MOST] = {0}, got[SAMPLES_MOST] = {0};
	const tarn_tensor *in[SAMPLES_MOST];
	size_t inputs = m->main->input.len;
	for (size_t i = 0; i < inputs; i++) {
		const tarn_value *v = m->main->input.at[i];
		int axis = samples_axis(v, batch);
		int64_t dim[TARN_MAX_RANK];
		for (int k = 0; k < v->shape.rank; k++)
			dim[k] = padded_size(m, v->shape.dim[k], spec, NULL, 2);
		assert_ok(tarn_tensor_new(v->type, v->shape.rank, dim, &wide[i]));
		padded_fill(&wide[i], true);
		for (int64_t s = 0; s < count; s++) {
			int64_t alike[2] = {count, len[s]};
			for (int k = 0; k < v->shape.rank; k++)
				dim[k] = padded_size(m, v->shape.dim[k], spec, alike, 2);
			assert_ok(tarn_tensor_new(v->type, v->shape.rank, dim, &one[s][i]));
			padded_fill(&one[s][i], false);
			samples_put(&wide[i], axis, s, &one[s][i]);
		}
		in[i] = &wide[i];
	}
	assert_ok(tarn_tensor_new(TARN_I64, 1, (int64_t[]){1}, &wide[inputs]));
	assert_ok(tarn_tensor_new(TARN_I64, 1, (int64_t[]){spec[0].max}, &wide[inputs + 1]));
	padded_fill(&wide[inputs + 1], true);
	*(int64_t *)wide[inputs].data = count;
	memcpy(wide[inputs + 1].data, len, (size_t)count * sizeof *len);
	in[inputs] = &wide[inputs];
	in[inputs + 1] = &wide[inputs + 1];
	bool runs = tarn_graph_eval(b->main, in, got, NULL, NULL) == TARN_OK;
	if (!runs && padded_talk)
		print_error("%s\n", tarn_err_text());
	double e = samples_compare(m, batch, count, len, one, runs ? got : NULL);
	tarn_err_clear();
	for (int64_t s = 0; s < count; s++)
		samples_free(one[s]);
	samples_free(wide);
	samples_free(got);
	return e;
}

#endif
