/* SPDX-License-Identifier: Apache-2.0 */
/* The operators that training spends its time in, in f32 on the kernels of kern: a table of forward and backward. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kern/eltwise.h"
#include "kern/gemm.h"
#include "kern/int8.h"
#include "kern/layout.h"
#include "ops/gemm_core.h"
#include "ops/ops.h"
#include "quant/qat/kernel.h"

/* ---- scratch ---- */

static _Thread_local size_t scratch_now, scratch_most;

void *qat_scratch(size_t bytes)
{
	void *p = tarn_mem_alloc_aligned(bytes);
	scratch_now += p ? bytes : 0;
	scratch_most = scratch_now > scratch_most ? scratch_now : scratch_most;
	return p;
}

void qat_scratch_free(void *p, size_t bytes)
{
	scratch_now -= p ? bytes : 0;
	tarn_mem_free_aligned(p);
}

void qat_scratch_reset(void)
{
	scratch_most = scratch_now;
}

size_t qat_scratch_most(void)
{
	return scratch_most;
}

/* ---- matrix products ---- */

/* The transpose of x [rows][cols], rows `ld` apart, in memory of its own. */
static tarn_err turned(const float *x, int64_t ld, int64_t rows, int64_t cols, float **y)
{
	*y = qat_scratch((size_t)(rows * cols) * sizeof **y);
	if (!*y)
		return tarn_err_nomem((size_t)(rows * cols) * sizeof **y);
	tarn_transpose_2d(sizeof **y, x, (size_t)ld, *y, (size_t)rows, (size_t)rows, (size_t)cols);
	return TARN_OK;
}

static int64_t or_dense(int64_t ld, int64_t dense)
{
	return ld ? ld : dense;
}

tarn_err qat_multiply(const qat_product *p)
{
	float *a = NULL, *c = p->c;
	size_t count = (size_t)(p->m * p->n);
	int64_t ldc = or_dense(p->ldc, p->n), lda = or_dense(p->lda, p->ta ? p->m : p->k);
	if (!count || !p->k)
		return TARN_OK;
	tarn_err err = TARN_OK;
	if (p->add) {
		c = qat_scratch(count * sizeof *c);
		CHECK_GOTO(out, c, TARN_NOMEM, "out of memory");
	}
	if (p->ta)
		TRY_GOTO(out, turned(p->a, lda, p->k, p->m, &a));
	tarn_matmul_f32_args args = {.batch = {1, 1},
				     .m = (size_t)p->m,
				     .n = (size_t)p->n,
				     .k = (size_t)p->k,
				     .alpha = p->alpha,
				     .a = a ? a : p->a,
				     .lda = (size_t)(a ? p->k : lda),
				     .b = p->b,
				     .ldb = (size_t)or_dense(p->ldb, p->tb ? p->k : p->n),
				     .b_transposed = p->tb,
				     .c = c,
				     .ldc = (size_t)(p->add ? p->n : ldc)};
	tarn_matmul_f32_run(&args, 0, tarn_matmul_f32_tasks(&args));
	for (int64_t i = 0; p->add && i < p->m; i++)
		tarn_binary_f32(TARN_BINARY_ADD, p->c + i * ldc, c + i * p->n, p->c + i * ldc, (size_t)p->n);
out:
	qat_scratch_free(a, (size_t)(p->m * p->k) * sizeof *a);
	if (p->add)
		qat_scratch_free(c, count * sizeof *c);
	return err;
}

/* How MatMul and Gemm read their inputs; batches of A meet one B, or as many. */
typedef struct product {
	bool ta, tb;
	double alpha;
	int64_t batch, m, n, k;
	int64_t b_step; /* elements between the matrices of B: 0 for one */
} product;

static double attr_or(const tarn_node *n, const char *name, double def)
{
	int i = tarn_attr_index(n->op, name);
	return i < 0 ? def : n->op->attr[i].kind == TARN_ATTR_FLOAT ? tarn_attr_f(n, i) : (double)tarn_attr_i(n, i);
}

static bool read_product(const tarn_node *n, const tarn_tensor *const *in, product *p)
{
	const tarn_tensor *a = in[0], *b = in[1];
	if (a->type != TARN_F32 || b->type != TARN_F32 || a->rank < 2 || b->rank < 2)
		return false;
	*p = (product){.ta = attr_or(n, "transA", 0) != 0,
		       .tb = attr_or(n, "transB", 0) != 0,
		       .alpha = attr_or(n, "alpha", 1),
		       .batch = 1};
	int64_t rows = a->dim[a->rank - 2], cols = a->dim[a->rank - 1];
	p->m = p->ta ? cols : rows;
	p->k = p->ta ? rows : cols;
	p->n = b->dim[b->rank - (p->tb ? 2 : 1)];
	if (b->dim[b->rank - (p->tb ? 1 : 2)] != p->k)
		return false;
	for (int i = 0; i < a->rank - 2; i++)
		p->batch *= a->dim[i];
	if (b->rank == 2) {
		if (!p->ta) { /* one tall product */
			p->m *= p->batch;
			p->batch = 1;
		}
		return true;
	}
	p->b_step = p->k * p->n;
	return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)(a->rank - 2) * sizeof *a->dim);
}

static tarn_err product_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	product p;
	const tarn_tensor *bias = n->n_in > 2 ? in[2] : NULL;
	*done = read_product(n, in, &p) && (!bias || (bias->rank == 1 && bias->dim[0] == p.n && bias->type == TARN_F32));
	if (!*done)
		return TARN_OK;
	int64_t dim[TARN_MAX_RANK];
	int rank = in[0]->rank;
	memcpy(dim, in[0]->dim, sizeof dim);
	dim[rank - 2] = in[0]->dim[rank - (p.ta ? 1 : 2)];
	dim[rank - 1] = p.n;
	TRY(tarn_tensor_new(TARN_F32, rank, dim, &out[0]));
	tarn_err err = TARN_OK;
	for (int64_t i = 0; i < p.batch && err == TARN_OK; i++)
		err = qat_multiply(&(qat_product){.m = p.m,
						  .n = p.n,
						  .k = p.k,
						  .a = (const float *)in[0]->data + i * p.m * p.k,
						  .b = (const float *)in[1]->data + i * p.b_step,
						  .ta = p.ta,
						  .tb = p.tb,
						  .alpha = (float)p.alpha,
						  .c = (float *)out[0].data + i * p.m * p.n});
	float beta = (float)attr_or(n, "beta", 1), *y = out[0].data;
	for (int64_t i = 0; bias && i < p.batch * p.m * p.n; i++)
		y[i] += beta * ((const float *)bias->data)[i % p.n];
	if (err != TARN_OK)
		tarn_tensor_fini(&out[0]);
	return err;
}

/* dA = dY B', dB = A' dY, turned where the operand is read turned. */
static tarn_err product_back(const product *p, const float *a, const float *b, const float *dy, float *da, float *db)
{
	float alpha = (float)p->alpha;
	qat_product to_a = {
		.m = p->m, .n = p->k, .k = p->n, .a = dy, .b = b, .tb = !p->tb, .alpha = alpha, .c = da, .add = true};
	qat_product to_b = {
		.m = p->k, .n = p->n, .k = p->m, .a = a, .ta = !p->ta, .b = dy, .alpha = alpha, .c = db, .add = true};
	if (p->ta)
		to_a = (qat_product){.m = p->k,
				     .n = p->m,
				     .k = p->n,
				     .a = b,
				     .ta = p->tb,
				     .b = dy,
				     .tb = true,
				     .alpha = alpha,
				     .c = da,
				     .add = true};
	if (p->tb)
		to_b = (qat_product){.m = p->n,
				     .n = p->k,
				     .k = p->m,
				     .a = dy,
				     .ta = true,
				     .b = a,
				     .tb = p->ta,
				     .alpha = alpha,
				     .c = db,
				     .add = true};
	if (da)
		TRY(qat_multiply(&to_a));
	return db ? qat_multiply(&to_b) : TARN_OK;
}

static tarn_err product_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out,
				 const tarn_tensor *dout, tarn_tensor *din, bool *done)
{
	product p;
	(void)out;
	bool bias = n->n_in > 2 && din[2].type != TARN_DTYPE_NONE;
	*done = read_product(n, in, &p) && (!bias || (din[2].rank == 1 && din[2].dim[0] == p.n));
	if (!*done)
		return TARN_OK;
	float *da = din[0].type != TARN_DTYPE_NONE ? din[0].data : NULL,
	      *db = din[1].type != TARN_DTYPE_NONE ? din[1].data : NULL;
	const float *dy = dout[0].data;
	for (int64_t i = 0; i < p.batch; i++)
		TRY(product_back(&p, (const float *)in[0]->data + i * p.m * p.k, (const float *)in[1]->data + i * p.b_step,
				 dy + i * p.m * p.n, da ? da + i * p.m * p.k : NULL, db ? db + i * p.b_step : NULL));
	float beta = (float)attr_or(n, "beta", 1);
	for (int64_t i = 0; bias && i < p.batch * p.m * p.n; i++)
		((float *)din[2].data)[i % p.n] += beta * dy[i];
	return TARN_OK;
}

/* ---- quantization with one scale ---- */

static bool one_scale(const tarn_node *n, const tarn_tensor *const *in, tarn_dtype code, float *scale, int *zero)
{
	const tarn_tensor *s = in[1], *z = n->n_in > 2 ? in[2] : NULL;
	*zero = 0;
	if (s->type != TARN_F32 || tarn_tensor_count(s) != 1 || (code != TARN_U8 && code != TARN_I8) ||
	    (z && tarn_tensor_count(z) != 1))
		return false;
	*scale = *(const float *)s->data;
	if (z)
		*zero = (int)tarn_tensor_i64(z, 0);
	return true;
}

static tarn_code code_type(tarn_dtype t)
{
	return t == TARN_U8 ? TARN_CODE_U8 : TARN_CODE_S8;
}

static tarn_dtype quantized_type(const tarn_node *n, const tarn_tensor *const *in)
{
	return n->n_in > 2 && in[2] ? in[2]->type : TARN_U8;
}

static tarn_err quantize_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	float scale;
	int zero;
	tarn_dtype type = quantized_type(n, in);
	*done = in[0]->type == TARN_F32 && one_scale(n, in, type, &scale, &zero);
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(type, in[0]->rank, in[0]->dim, &out[0]));
	tarn_quantize_f32(in[0]->data, out[0].data, code_type(type), scale, zero, (size_t)tarn_tensor_count(in[0]));
	return TARN_OK;
}

static tarn_err dequantize_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	float scale;
	int zero;
	*done = one_scale(n, in, in[0]->type, &scale, &zero);
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(TARN_F32, in[0]->rank, in[0]->dim, &out[0]));
	tarn_dequantize_f32(in[0]->data, out[0].data, code_type(in[0]->type), scale, zero, (size_t)tarn_tensor_count(in[0]));
	return TARN_OK;
}

static void add_one(tarn_tensor *d, double v)
{
	if (d->type != TARN_DTYPE_NONE)
		*(float *)d->data += (float)v;
}

static tarn_err quantize_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out,
				  const tarn_tensor *dout, tarn_tensor *din, bool *done)
{
	float scale;
	int zero;
	*done = in[0]->type == TARN_F32 && one_scale(n, in, out[0].type, &scale, &zero);
	if (!*done)
		return TARN_OK;
	const float *x = in[0]->data, *dq = dout[0].data;
	float *dx = din[0].type != TARN_DTYPE_NONE ? din[0].data : NULL, inv = 1 / scale;
	float lo = (float)((out[0].type == TARN_I8 ? -128 : 0) - zero) - 0.5f, hi = lo + 256;
	double ds = 0, dz = 0;
	for (int64_t i = 0, count = tarn_tensor_count(in[0]); i < count; i++) {
		float v = x[i] * inv, d = v >= lo && v <= hi ? dq[i] : 0;
		if (dx)
			dx[i] += d * inv;
		ds -= (double)(d * v);
		dz += (double)d;
	}
	add_one(&din[1], ds * inv);
	if (n->n_in > 2)
		add_one(&din[2], dz);
	return TARN_OK;
}

static tarn_err dequantize_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out,
				    const tarn_tensor *dout, tarn_tensor *din, bool *done)
{
	float scale;
	int zero;
	(void)out;
	*done = one_scale(n, in, in[0]->type, &scale, &zero);
	if (!*done)
		return TARN_OK;
	const float *dy = dout[0].data;
	const uint8_t *q = in[0]->data;
	bool is_signed = in[0]->type == TARN_I8;
	float *dq = din[0].type != TARN_DTYPE_NONE ? din[0].data : NULL;
	double ds = 0, sum = 0;
	for (int64_t i = 0, count = tarn_tensor_count(in[0]); i < count; i++) {
		float code = (float)((is_signed ? (int8_t)q[i] : q[i]) - zero);
		ds += (double)(dy[i] * code);
		sum += (double)dy[i];
		if (dq)
			dq[i] += dy[i] * scale;
	}
	add_one(&din[1], ds);
	if (n->n_in > 2)
		add_one(&din[2], -sum * scale);
	return TARN_OK;
}

/* ---- elementwise ---- */

/* Clip between two constants. */
static bool clip_limits(const tarn_node *n, const tarn_tensor *const *in, float *lo, float *hi)
{
	float *at[2] = {lo, hi};
	*lo = -INFINITY;
	*hi = INFINITY;
	for (int k = 0; k < 2; k++) {
		const tarn_tensor *t = n->n_in > 1 + k ? in[1 + k] : NULL;
		if (t && (t->type != TARN_F32 || tarn_tensor_count(t) != 1))
			return false;
		if (t)
			*at[k] = *(const float *)t->data;
	}
	return in[0]->type == TARN_F32 && *lo <= *hi;
}

static tarn_err clip_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	float lo, hi;
	*done = clip_limits(n, in, &lo, &hi);
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(TARN_F32, in[0]->rank, in[0]->dim, &out[0]));
	tarn_unary_f32(TARN_UNARY_CLAMP, lo, hi, in[0]->data, out[0].data, (size_t)tarn_tensor_count(in[0]));
	return TARN_OK;
}

static tarn_err clip_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			      tarn_tensor *din, bool *done)
{
	float lo, hi;
	(void)out;
	*done = clip_limits(n, in, &lo, &hi);
	for (int k = 1; k < n->n_in; k++)
		*done = *done && din[k].type == TARN_DTYPE_NONE;
	const float *x = in[0]->data, *dy = dout[0].data;
	float *dx = din[0].data;
	for (int64_t i = 0, count = tarn_tensor_count(in[0]); *done && i < count; i++)
		dx[i] += x[i] >= lo && x[i] <= hi ? dy[i] : 0;
	return TARN_OK;
}

/* ---- the table ---- */

#define QAT_UNARY(name) \
	{ \
		name, qat_unary_forward, qat_unary_backward \
	}
#define QAT_BINARY(name) \
	{ \
		name, qat_binary_forward, qat_binary_backward \
	}
#define QAT_VIEW(name) \
	{ \
		name, NULL, qat_view_backward \
	}

static const struct kernel {
	const char *op;
	tarn_err (*forward)(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done);
	tarn_err (*backward)(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			     tarn_tensor *din, bool *done);
} kernels[] = {
	{"Conv", qat_conv_forward, qat_conv_backward},
	{"Gemm", product_forward, product_backward},
	{"MatMul", product_forward, product_backward},
	{"QuantizeLinear", quantize_forward, quantize_backward},
	{"DequantizeLinear", dequantize_forward, dequantize_backward},
	{"Clip", clip_forward, clip_backward},
	{"Softmax", qat_softmax_forward, qat_softmax_backward},
	{"LogSoftmax", qat_softmax_forward, qat_softmax_backward},
	{"LayerNormalization", qat_layer_norm_forward, qat_layer_norm_backward},
	{"ReduceMean", qat_reduce_forward, qat_reduce_backward},
	{"ReduceSum", qat_reduce_forward, qat_reduce_backward},
	{"MaxPool", qat_pool_forward, qat_pool_backward},
	{"AveragePool", qat_pool_forward, qat_pool_backward},
	{"GlobalAveragePool", qat_global_pool_forward, qat_global_pool_backward},
	QAT_BINARY("Add"),
	QAT_BINARY("Sub"),
	QAT_BINARY("Mul"),
	QAT_BINARY("Div"),
	QAT_BINARY("Max"),
	QAT_BINARY("Min"),
	QAT_BINARY("PRelu"),
	{"Pow", qat_pow_forward, qat_pow_backward},
	QAT_UNARY("Abs"),
	QAT_UNARY("Elu"),
	QAT_UNARY("Erf"),
	QAT_UNARY("Exp"),
	QAT_UNARY("Gelu"),
	QAT_UNARY("HardSigmoid"),
	QAT_UNARY("HardSwish"),
	QAT_UNARY("LeakyRelu"),
	QAT_UNARY("Log"),
	QAT_UNARY("Mish"),
	QAT_UNARY("Neg"),
	QAT_UNARY("Reciprocal"),
	QAT_UNARY("Relu"),
	QAT_UNARY("Selu"),
	QAT_UNARY("Sigmoid"),
	QAT_UNARY("Softplus"),
	QAT_UNARY("Softsign"),
	QAT_UNARY("Sqrt"),
	QAT_UNARY("Swish"),
	QAT_UNARY("Tanh"),
	QAT_VIEW("Reshape"),
	QAT_VIEW("Flatten"),
	QAT_VIEW("Squeeze"),
	QAT_VIEW("Unsqueeze"),
	QAT_VIEW("Identity"),
	{"Transpose", NULL, qat_transpose_backward},
	{"Concat", NULL, qat_concat_backward},
	{"Split", NULL, qat_split_backward},
	{"Gather", NULL, qat_gather_backward},
};

static const struct kernel *kernel_of(const tarn_node *n)
{
	for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
		if (!strcmp(kernels[i].op, n->op->name) && (!n->op->domain || !*n->op->domain))
			return &kernels[i];
	return NULL;
}

tarn_err qat_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	const struct kernel *k = kernel_of(n);
	*done = false;
	return k && k->forward ? k->forward(n, in, out, done) : TARN_OK;
}

tarn_err qat_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
		      tarn_tensor *din, bool *done)
{
	const struct kernel *k = kernel_of(n);
	*done = false;
	return k && dout[0].type != TARN_DTYPE_NONE ? k->backward(n, in, out, dout, din, done) : TARN_OK;
}
