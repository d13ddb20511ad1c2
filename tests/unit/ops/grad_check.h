/* SPDX-License-Identifier: Apache-2.0 */
/* A node's gradients against central differences of the reference evaluation in double, and the adjoint identity
 * <J v, r> = <v, J' r> for a random direction v. */
#ifndef TARN_TESTS_UNIT_OPS_GRAD_CHECK_H
#define TARN_TESTS_UNIT_OPS_GRAD_CHECK_H

#include <math.h>
#include <string.h>

#include "ops/grad.h"
#include "unit/ops/probe.h"

static uint32_t seed;

static inline double uniform(double lo, double hi)
{
	seed = seed * 1664525u + 1013904223u;
	return lo + (hi - lo) * (double)(seed >> 8) / (1 << 24);
}

/* Input i of random numbers, at least 0.02 away from whole multiples of `keep_off` (0: anywhere). */
static inline void random_in(probe *p, int i, int rank, const int64_t *dim, double lo, double hi, double keep_off)
{
	double v[512];
	int64_t n = 1;
	for (int k = 0; k < rank; k++)
		n *= dim[k];
	assert_true(n <= 512);
	for (int64_t k = 0; k < n; k++)
		do
			v[k] = uniform(lo, hi);
		while (keep_off > 0 && fabs(v[k] - keep_off * rint(v[k] / keep_off)) < 0.02 * keep_off);
	probe_in(p, i, TARN_F64, rank, dim, v);
}

/* Sum of r * outputs. */
static inline double loss(probe *p, double *const *r)
{
	double sum = 0;
	assert_ok(probe_eval(p));
	for (int i = 0; i < p->n->n_out; i++) {
		for (int64_t k = 0; r[i] && k < tarn_tensor_count(&p->out[i]); k++)
			sum += r[i][k] * tarn_tensor_f64(&p->out[i], k);
		tarn_tensor_fini(&p->out[i]);
	}
	return sum;
}

static inline double at(probe *p, int i, int64_t k, double shift, double *const *r)
{
	double *x = &((double *)p->in[i].data)[k], old = *x;
	*x = old + shift;
	double l = loss(p, r);
	*x = old;
	return l;
}

static inline void along(probe *p, int i, const double *v, double by)
{
	for (int64_t k = 0; k < tarn_tensor_count(&p->in[i]); k++)
		((double *)p->in[i].data)[k] += by * v[k];
}

static inline void check_input(probe *p, int i, double *const *r, const tarn_tensor *d)
{
	const double h = 1e-5;
	double v[512], dot = 0;
	for (int64_t k = 0; k < tarn_tensor_count(d); k++) {
		double got = ((double *)d->data)[k], want = (at(p, i, k, h, r) - at(p, i, k, -h, r)) / (2 * h);
		if (!(fabs(got - want) <= 1e-5 * fmax(1, fabs(want))))
			fail_msg("%s: d input %d[%d] is %.9g, differences say %.9g", p->n->op->name, i, (int)k, got, want);
		v[k] = uniform(-1, 1);
		dot += v[k] * got;
	}
	along(p, i, v, h);
	double up = loss(p, r);
	along(p, i, v, -2 * h);
	double jv = (up - loss(p, r)) / (2 * h);
	along(p, i, v, h);
	if (!(fabs(dot - jv) <= 1e-5 * fmax(1, fabs(jv))))
		fail_msg("%s: input %d: <v, J'r> is %.9g, <Jv, r> is %.9g", p->n->op->name, i, dot, jv);
}

/* Gradients of all F64 inputs but those in `skip`, for random dout. Closes p. */
static inline void check_but(probe *p, unsigned skip)
{
	const tarn_tensor *in[PROBE_IN];
	tarn_tensor din[PROBE_IN] = {0}, dout[PROBE_OUT] = {0};
	double *r[PROBE_OUT] = {0};
	for (int i = 0; i < PROBE_IN; i++)
		in[i] = p->in[i].type == TARN_DTYPE_NONE ? NULL : &p->in[i];
	assert_ok(probe_eval(p));
	for (int i = 0; i < p->n->n_out; i++) {
		if (p->out[i].type != TARN_F64)
			continue;
		assert_ok(tarn_tensor_new(TARN_F64, p->out[i].rank, p->out[i].dim, &dout[i]));
		r[i] = dout[i].data;
		for (int64_t k = 0; k < tarn_tensor_count(&dout[i]); k++)
			r[i][k] = uniform(-1, 1);
	}
	for (int i = 0; i < p->n->n_in; i++)
		if (in[i] && in[i]->type == TARN_F64 && !(skip >> i & 1))
			assert_ok(tarn_tensor_new(TARN_F64, in[i]->rank, in[i]->dim, &din[i]));
	assert_ok(tarn_node_grad(p->n, in, p->out, dout, din));
	for (int i = 0; i < PROBE_OUT; i++)
		tarn_tensor_fini(&p->out[i]);
	for (int i = 0; i < p->n->n_in; i++)
		if (din[i].type != TARN_DTYPE_NONE)
			check_input(p, i, r, &din[i]);
	for (int i = 0; i < PROBE_IN; i++)
		tarn_tensor_fini(&din[i]);
	for (int i = 0; i < PROBE_OUT; i++)
		tarn_tensor_fini(&dout[i]);
	probe_close(p);
}

static inline void check(probe *p)
{
	check_but(p, 0);
}

#endif
