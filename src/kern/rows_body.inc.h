/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax, normalisation and reductions of one level. */
#include "kern/f32.h"
#include "kern/vmath.inc.h"

#define CHUNK 1024 /* elements summed in f32 before the total goes to double */
#define RUN 64     /* the same for sums down columns */

/* exp(v) for v <= 0, with 0 in place of subnormal numbers: beside a sum of at least 1 they are nothing, and the masked half of
 * an attention would consist of them, each costing the processor a hundred cycles. */
INLINE vf exp_share(vf v)
{
	vf low = v_set1(-87.0f);
	return v_sel(v_lt(v, low), v_zero(), v_exp(v_max(low, v)));
}

static void softmax_row(const float *x, float *y, size_t n, float scale, bool log)
{
	vf s = v_set1(scale), m = v_set1(-INFINITY);
	size_t i, whole = n / VL * VL;
	for (i = 0; i < whole; i += VL)
		m = v_max(v_load(x + i) * s, m);
	float lanes[VL], max = -INFINITY;
	v_store(lanes, m);
	for (int j = 0; j < VL; j++)
		max = lanes[j] > max ? lanes[j] : max;
	for (; i < n; i++)
		max = x[i] * scale > max ? x[i] * scale : max;
	vf shift = v_set1(max), sum = v_zero();
	double total = 0;
	for (i = 0; i < whole; i += VL) {
		vf v = v_fma(v_load(x + i), s, v_zero() - shift), e = exp_share(v);
		v_store(y + i, v_pick(log, v, e));
		sum += e;
		if (i % CHUNK == CHUNK - VL) {
			total += (double)v_sum(sum);
			sum = v_zero();
		}
	}
	total += (double)v_sum(sum);
	if (i < n) {
		int tail = (int)(n - i);
		vf v = v_fma(v_load_n(x + i, tail), s, v_zero() - shift), e = exp_share(v);
		v_store_n(y + i, v_pick(log, v, e), tail);
		v_store(lanes, e);
		for (int j = 0; j < tail; j++)
			total += (double)lanes[j];
	}
	if (log)
		binary_vs(TARN_BINARY_SUB, y, logf((float)total), false, y, n);
	else
		binary_vs(TARN_BINARY_MUL, y, (float)(1 / total), false, y, n);
}

/* One [axis][inner] plane, softmax down the columns. */
static void softmax_cols(const float *x, float *y, size_t axis, size_t inner, float scale, bool log)
{
	vf s = v_set1(scale);
	for (size_t j = 0; j < inner; j += VL) {
		int tail = inner - j < VL ? (int)(inner - j) : VL;
		vf m = v_set1(-INFINITY), sum = v_zero(), zero = v_zero();
		for (size_t k = 0; k < axis; k++)
			m = v_max(v_load_n(x + k * inner + j, tail) * s, m);
		for (size_t k = 0; k < axis; k++) {
			vf v = v_fma(v_load_n(x + k * inner + j, tail), s, zero - m), e = exp_share(v);
			v_store_n(y + k * inner + j, v_pick(log, v, e), tail);
			sum += e;
		}
		vf last = v_pick(log, v_log(sum), v_set1(1.0f) / sum);
		for (size_t k = 0; k < axis; k++) {
			vf v = v_load_n(y + k * inner + j, tail);
			v_store_n(y + k * inner + j, v_pick(log, v - last, v * last), tail);
		}
	}
}

/* Sum of (x - shift)^2, or of x with power 1, in double over runs of CHUNK. */
INLINE double sum_row(const float *x, size_t n, float shift, const int power)
{
	double total = 0;
	vf c = v_set1(shift);
	for (size_t i = 0; i < n; i += CHUNK) {
		size_t len = n - i < CHUNK ? n - i : CHUNK, k = 0;
		vf s0 = v_zero(), s1 = v_zero();
		for (; k + 2 * VL <= len; k += 2 * VL) {
			vf a = v_load(x + i + k) - c, b = v_load(x + i + k + VL) - c;
			s0 = v_pick(power == 1, s0 + a, v_fma(a, a, s0));
			s1 = v_pick(power == 1, s1 + b, v_fma(b, b, s1));
		}
		total += (double)v_sum(s0 + s1);
		for (; k < len; k++) {
			double a = (double)x[i + k] - (double)shift;
			total += power == 1 ? a : a * a;
		}
	}
	return total;
}

static void layernorm_row(const float *x, float *y, size_t n, const float *gamma, const float *beta, float eps)
{
	float mean = (float)(sum_row(x, n, 0.0f, 1) / (double)n);
	float rstd = (float)(1 / sqrt(sum_row(x, n, mean, 2) / (double)n + (double)eps));
	vf m = v_set1(mean), r = v_set1(rstd);
	for (size_t i = 0; i < n; i += VL) {
		int tail = n - i < VL ? (int)(n - i) : VL;
		vf v = (v_load_n(x + i, tail) - m) * r;
		if (gamma)
			v = v * v_load_n(gamma + i, tail);
		if (beta)
			v = v + v_load_n(beta + i, tail);
		v_store_n(y + i, v, tail);
	}
}

INLINE vf reduce_step(tarn_reduce op, vf acc, vf v)
{
	switch (op) {
	case TARN_REDUCE_MAX:
		return max_nan(acc, v);
	case TARN_REDUCE_MIN:
		return min_nan(acc, v);
	case TARN_REDUCE_PROD:
		return acc * v;
	case TARN_REDUCE_SUM_SQUARE:
	case TARN_REDUCE_L2:
		return v_fma(v, v, acc);
	case TARN_REDUCE_L1:
		return acc + v_abs(v);
	default:
		return acc + v;
	}
}

INLINE float reduce_neutral(tarn_reduce op)
{
	return op == TARN_REDUCE_MAX ? -INFINITY : op == TARN_REDUCE_MIN ? INFINITY : op == TARN_REDUCE_PROD ? 1.0f : 0.0f;
}

static bool is_sum(tarn_reduce op)
{
	return op != TARN_REDUCE_MAX && op != TARN_REDUCE_MIN && op != TARN_REDUCE_PROD;
}

static float reduce_row(tarn_reduce op, const float *x, size_t n)
{
	double total = (double)reduce_neutral(op);
	vf start = v_set1(reduce_neutral(op));
	for (size_t i = 0; i < n; i += CHUNK) {
		size_t len = n - i < CHUNK ? n - i : CHUNK, k = 0, used = VL;
		vf acc = start;
		for (; k + VL <= len; k += VL)
			acc = reduce_step(op, acc, v_load(x + i + k));
		float lanes[2 * VL];
		v_store(lanes, acc);
		if (k < len) { /* a masked tail must not bring zeros into a maximum or a product */
			v_store(lanes + VL, reduce_step(op, start, v_load_n(x + i + k, (int)(len - k))));
			used += len - k;
		}
		for (size_t j = 0; j < used; j++) {
			double v = (double)lanes[j];
			if (op == TARN_REDUCE_PROD)
				total *= v;
			else if (op == TARN_REDUCE_MAX)
				total = v > total || v != v ? v : total;
			else if (op == TARN_REDUCE_MIN)
				total = v < total || v != v ? v : total;
			else
				total += v;
		}
	}
	if (op == TARN_REDUCE_MEAN)
		total /= (double)n;
	return (float)(op == TARN_REDUCE_L2 ? sqrt(total) : total);
}

static void reduce_cols(tarn_reduce op, const float *x, float *y, size_t axis, size_t inner)
{
	vf start = v_set1(reduce_neutral(op));
	for (size_t j = 0; j < inner; j += VL) {
		int tail = inner - j < VL ? (int)(inner - j) : VL;
		vf total = start;
		for (size_t k0 = 0; k0 < axis; k0 += RUN) {
			size_t k1 = k0 + RUN < axis ? k0 + RUN : axis;
			vf acc = v_pick(is_sum(op), start, total);
			for (size_t k = k0; k < k1; k++)
				acc = reduce_step(op, acc, v_load_n(x + k * inner + j, tail));
			total = v_pick(is_sum(op), total + acc, acc);
		}
		if (op == TARN_REDUCE_MEAN)
			total = total / v_set1((float)axis);
		v_store_n(y + j, v_pick(op == TARN_REDUCE_L2, v_sqrt(total), total), tail);
	}
}
