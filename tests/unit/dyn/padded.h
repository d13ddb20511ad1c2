/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded model against the model it was made from, run without padding by the operators' reference code: random data in the
 * valid part, NaN and large integers behind it.
 */
#ifndef TARN_TESTS_UNIT_DYN_PADDED_H
#define TARN_TESTS_UNIT_DYN_PADDED_H

#include "devices/graphs.h"

#include "dyn/bound.h"

enum { PADDED_MOST = 32 };

/* Integers of inputs lie in [0, padded_ints). */
static int64_t padded_ints = 4;
static bool padded_talk = true;
/* Sees the values of the original when it runs; may be NULL. */
static tarn_observe_fn padded_watch;

static inline void padded_fill(tarn_tensor *t, bool poison)
{
	for (int64_t i = 0; i < tarn_tensor_count(t); i++)
		if (t->type == TARN_F32)
			((float *)t->data)[i] = poison ? NAN : number();
		else if (t->type == TARN_BOOL)
			((uint8_t *)t->data)[i] = (uint8_t)between(0, 1);
		else
			tarn_tensor_set_i64(t, i, poison ? 0x7f7f7f7f : between(0, (int)padded_ints - 1));
}

/* from's elements into the corner of `to`, or those of `to`'s size out of the corner of from. */
static inline void padded_corner(const tarn_tensor *from, tarn_tensor *to)
{
	int64_t at[TARN_MAX_RANK] = {0}, size[TARN_MAX_RANK], n = 1;
	size_t e = (size_t)tarn_dtype_info(from->type)->bits / 8;
	assert_int_equal(from->rank, to->rank);
	for (int i = 0; i < from->rank; i++) {
		size[i] = from->dim[i] < to->dim[i] ? from->dim[i] : to->dim[i];
		n *= size[i];
	}
	for (int64_t k = 0; k < n; k++) {
		int64_t a = 0, b = 0;
		for (int i = 0; i < from->rank; i++) {
			a = a * from->dim[i] + at[i];
			b = b * to->dim[i] + at[i];
		}
		memcpy((char *)to->data + (size_t)b * e, (const char *)from->data + (size_t)a * e, e);
		for (int i = from->rank - 1; i >= 0 && ++at[i] == size[i]; i--)
			at[i] = 0;
	}
}

static inline int64_t padded_size(const tarn_model *m, tarn_dim d, const tarn_bound_spec *spec, const int64_t *len, int n)
{
	if (d >= 0)
		return d;
	for (int i = 0; i < n; i++)
		if (!strcmp(tarn_sym_get(&m->syms, d)->name, spec[i].name))
			return len ? len[i] : spec[i].max;
	fail();
	return -1;
}

/* What the model's outputs say of their valid sizes is true. */
static inline bool padded_sizes_are_told(const tarn_model *b, const tarn_tensor *want, const tarn_tensor *got,
					 const tarn_bound_spec *spec, const int64_t *len, int n)
{
	bool true_ones = true;
	for (int i = 0; i < n; i++) {
		tarn_bound info;
		bool found;
		assert_ok(tarn_model_bound_get(b, i, &info, &found));
		assert_true(found);
		assert_string_equal(info.name, spec[i].name);
		assert_int_equal(info.max, spec[i].max);
		for (size_t p = 0; p < info.port.len; p++) {
			const tarn_bound_port *x = &info.port.at[p];
			size_t at = 0, size = 0;
			if (!x->output)
				continue;
			while (strcmp(b->main->output.at[at]->name, x->port))
				at++;
			while (x->size_output && strcmp(b->main->output.at[size]->name, x->size_output))
				size++;
			int64_t told = x->size_output ? tarn_tensor_i64(&got[size], 0) : len[i];
			if (told != want[at].dim[x->axis])
				print_error("output %zu, axis %d: %lld valid, told %lld\n", at, x->axis,
					    (long long)want[at].dim[x->axis], (long long)told);
			true_ones &= told == want[at].dim[x->axis];
		}
		tarn_bound_fini(&info);
	}
	return true_ones;
}

/* Relative error; what is left of numbers around 1 that cancel out is not measured against itself. */
static inline double padded_distance(const tarn_tensor *a, const tarn_tensor *b)
{
	double most = 1e-6, unit = 1e-3, e = relative_error(a, b);
	for (int64_t i = 0; i < tarn_tensor_count(b) && tarn_dtype_is_float(b->type); i++)
		if (isfinite(tarn_tensor_f64(b, i)))
			most = fmax(most, fabs(tarn_tensor_f64(b, i)));
	return e * fmin(1, tarn_dtype_is_float(b->type) ? most / unit : 1);
}

/* Largest relative error over all outputs at these lengths; `b` is m bounded by spec. -1 when the original does not run at
 * these lengths; INFINITY when only the bounded one does not. */
static inline double padded_error(const tarn_model *m, const tarn_model *b, const tarn_bound_spec *spec, const int64_t *len,
				  int n)
{
	tarn_tensor in[PADDED_MOST] = {0}, wide[PADDED_MOST] = {0}, want[PADDED_MOST] = {0}, got[PADDED_MOST] = {0};
	const tarn_tensor *a[PADDED_MOST], *c[PADDED_MOST];
	size_t inputs = m->main->input.len;
	double worst = 0;
	for (size_t i = 0; i < inputs; i++) {
		const tarn_value *v = m->main->input.at[i];
		int64_t small[TARN_MAX_RANK], large[TARN_MAX_RANK];
		for (int k = 0; k < v->shape.rank; k++) {
			small[k] = padded_size(m, v->shape.dim[k], spec, len, n);
			large[k] = padded_size(m, v->shape.dim[k], spec, NULL, n);
		}
		assert_ok(tarn_tensor_new(v->type, v->shape.rank, small, &in[i]));
		assert_ok(tarn_tensor_new(v->type, v->shape.rank, large, &wide[i]));
		padded_fill(&in[i], false);
		padded_fill(&wide[i], true);
		padded_corner(&in[i], &wide[i]);
		a[i] = &in[i];
		c[i] = &wide[i];
	}
	for (int i = 0; i < n; i++) {
		assert_ok(tarn_tensor_new(TARN_I64, 1, (int64_t[]){1}, &wide[inputs + (size_t)i]));
		*(int64_t *)wide[inputs + (size_t)i].data = len[i];
		c[inputs + (size_t)i] = &wide[inputs + (size_t)i];
	}
	bool runs = tarn_graph_eval(m->main, a, want, padded_watch, NULL) == TARN_OK;
	if (!runs && padded_talk)
		print_error("the original does not run: %s\n", tarn_err_text());
	if (!runs)
		tarn_err_clear();
	bool bounded = runs && tarn_graph_eval(b->main, c, got, NULL, NULL) == TARN_OK;
	if (runs && !bounded) {
		if (padded_talk)
			print_error("%s\n", tarn_err_text());
		worst = INFINITY;
	}
	for (size_t i = 0; bounded && i < m->main->output.len; i++) {
		tarn_tensor cut;
		assert_ok(tarn_tensor_copy(&want[i], &cut));
		bool holds = got[i].rank == cut.rank;
		for (int k = 0; k < cut.rank && holds; k++)
			holds = got[i].dim[k] >= cut.dim[k];
		if (!holds)
			worst = INFINITY;
		else
			padded_corner(&got[i], &cut);
		double e = padded_distance(&cut, &want[i]);
		if (!(e <= 1e-4) && padded_talk)
			print_error("output %zu: %g\n", i, e);
		worst = fmax(worst, e);
		tarn_tensor_fini(&cut);
	}
	if (bounded && !padded_sizes_are_told(b, want, got, spec, len, n))
		worst = INFINITY;
	for (int i = 0; i < PADDED_MOST; i++) {
		tarn_tensor_fini(&in[i]);
		tarn_tensor_fini(&wide[i]);
		tarn_tensor_fini(&want[i]);
		tarn_tensor_fini(&got[i]);
	}
	return runs ? worst : -1;
}

static inline tarn_err padded_sees_nan(void *nan, const tarn_value *v, const tarn_tensor *t)
{
	for (int64_t k = 0; v && t && tarn_dtype_is_float(t->type) && k < tarn_tensor_count(t); k++)
		*(bool *)nan |= isnan(tarn_tensor_f64(t, k));
	return TARN_OK;
}

/* Results as another order of the same sums might round them. */
static inline tarn_err padded_shakes(void *ctx, const tarn_value *v, const tarn_tensor *t)
{
	(void)ctx;
	for (int64_t k = 0; v && v->def && t && t->type == TARN_F32 && k < tarn_tensor_count(t); k++)
		((float *)t->data)[k] *= 1 + 3e-7f * number();
	return TARN_OK;
}

/* How far the original's own results move when its inputs and all that it computes do by a few last bits: the largest error of
 * some tries, for the inputs that padded_error makes from the same seed. *nan: set when there are NaN on the way. */
static inline double padded_jump(const tarn_model *m, const tarn_bound_spec *spec, const int64_t *len, int n, bool *nan)
{
	enum { TRIES = 32 };
	tarn_tensor in[PADDED_MOST] = {0}, near[PADDED_MOST] = {0}, want[PADDED_MOST] = {0}, got[PADDED_MOST] = {0};
	const tarn_tensor *a[PADDED_MOST];
	size_t inputs = m->main->input.len;
	double worst = 0;
	for (size_t i = 0; i < inputs; i++) {
		const tarn_value *v = m->main->input.at[i];
		int64_t small[TARN_MAX_RANK], large[TARN_MAX_RANK];
		tarn_tensor wide;
		for (int k = 0; k < v->shape.rank; k++) {
			small[k] = padded_size(m, v->shape.dim[k], spec, len, n);
			large[k] = padded_size(m, v->shape.dim[k], spec, NULL, n);
		}
		assert_ok(tarn_tensor_new(v->type, v->shape.rank, small, &in[i]));
		assert_ok(tarn_tensor_new(v->type, v->shape.rank, large, &wide));
		padded_fill(&in[i], false);
		padded_fill(&wide, true);
		tarn_tensor_fini(&wide);
		a[i] = &in[i];
	}
	bool runs = tarn_graph_eval(m->main, a, want, padded_sees_nan, nan) == TARN_OK;
	for (int t = 0; t < TRIES && runs; t++) {
		for (size_t i = 0; i < inputs; i++) {
			assert_ok(tarn_tensor_copy(&in[i], &near[i]));
			for (int64_t k = 0; k < tarn_tensor_count(&in[i]) && in[i].type == TARN_F32; k++)
				((float *)near[i].data)[k] *= 1 + 1e-6f * number();
			a[i] = &near[i];
		}
		bool again = tarn_graph_eval(m->main, a, got, padded_shakes, NULL) == TARN_OK;
		for (size_t i = 0; i < m->main->output.len && again; i++) {
			bool same = got[i].rank == want[i].rank;
			for (int k = 0; k < want[i].rank && same; k++)
				same = got[i].dim[k] == want[i].dim[k];
			worst = fmax(worst, same ? padded_distance(&got[i], &want[i]) : INFINITY);
		}
		for (int i = 0; i < PADDED_MOST; i++) {
			tarn_tensor_fini(&near[i]);
			tarn_tensor_fini(&got[i]);
		}
	}
	tarn_err_clear();
	for (int i = 0; i < PADDED_MOST; i++) {
		tarn_tensor_fini(&in[i]);
		tarn_tensor_fini(&want[i]);
	}
	return worst;
}

#endif
