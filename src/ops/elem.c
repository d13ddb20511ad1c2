/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/elem.h"

#include <math.h>
#include <string.h>

#include "base/f16.h"

/* clang-format off */
#define LOAD(T, expr) do { const T *p = (const T *)t->data + at; for (int i = 0; i < n; i++, p += step) v[i] = (expr); } while (0)
/* clang-format on */

void tarn_elem_load_f64(const tarn_tensor *t, int64_t at, int64_t step, int n, double *v)
{
	switch (t->type) {
	case TARN_F32:
		LOAD(float, *p);
		break;
	case TARN_F64:
		LOAD(double, *p);
		break;
	case TARN_F16:
		LOAD(uint16_t, (double)tarn_f16_to_f32(*p));
		break;
	case TARN_I32:
		LOAD(int32_t, *p);
		break;
	case TARN_I64:
		LOAD(int64_t, (double)*p);
		break;
	case TARN_U8:
	case TARN_BOOL:
		LOAD(uint8_t, *p);
		break;
	case TARN_I8:
		LOAD(int8_t, *p);
		break;
	default:
		for (int i = 0; i < n; i++)
			v[i] = tarn_tensor_f64(t, at + i * step);
	}
}

void tarn_elem_load_i64(const tarn_tensor *t, int64_t at, int64_t step, int n, int64_t *v)
{
	switch (t->type) {
	case TARN_I32:
		LOAD(int32_t, *p);
		break;
	case TARN_U32:
		LOAD(uint32_t, *p);
		break;
	case TARN_I64:
		LOAD(int64_t, *p);
		break;
	case TARN_U64:
		LOAD(uint64_t, (int64_t)*p);
		break;
	case TARN_U8:
		LOAD(uint8_t, *p);
		break;
	case TARN_BOOL:
		LOAD(uint8_t, *p != 0);
		break;
	case TARN_I8:
		LOAD(int8_t, *p);
		break;
	case TARN_I16:
		LOAD(int16_t, *p);
		break;
	case TARN_U16:
		LOAD(uint16_t, *p);
		break;
	default:
		for (int i = 0; i < n; i++)
			v[i] = tarn_tensor_i64(t, at + i * step);
	}
}

/* clang-format off */
#define STORE(T, expr) do { T *p = (T *)t->data + at; for (int i = 0; i < n; i++) p[i] = (T)(expr); } while (0)
/* clang-format on */

void tarn_elem_store_f64(tarn_tensor *t, int64_t at, int n, const double *v)
{
	switch (t->type) {
	case TARN_F32:
		STORE(float, v[i]);
		break;
	case TARN_F64:
		STORE(double, v[i]);
		break;
	case TARN_BOOL:
		STORE(uint8_t, v[i] != 0);
		break;
	default:
		for (int i = 0; i < n; i++)
			tarn_tensor_set_f64(t, at + i, v[i]);
	}
}

void tarn_elem_store_i64(tarn_tensor *t, int64_t at, int n, const int64_t *v)
{
	switch (t->type) {
	case TARN_I64:
	case TARN_U64:
		STORE(uint64_t, v[i]);
		break;
	case TARN_I32:
	case TARN_U32:
		STORE(uint32_t, v[i]);
		break;
	case TARN_I16:
	case TARN_U16:
		STORE(uint16_t, v[i]);
		break;
	case TARN_I8:
	case TARN_U8:
		STORE(uint8_t, v[i]);
		break;
	case TARN_BOOL:
		STORE(uint8_t, v[i] != 0);
		break;
	case TARN_I4:
		for (int i = 0; i < n; i++)
			tarn_tensor_set_i64(t, at + i, (v[i] & 15) - (v[i] & 8) * 2);
		break;
	case TARN_U4:
		for (int i = 0; i < n; i++)
			tarn_tensor_set_i64(t, at + i, v[i] & 15);
		break;
	default:
		for (int i = 0; i < n; i++)
			tarn_tensor_set_i64(t, at + i, v[i]);
	}
}

void tarn_elem_copy(const tarn_tensor *src, int64_t si, tarn_tensor *dst, int64_t di)
{
	switch (tarn_dtype_info(src->type)->bits) {
	case 8:
		((uint8_t *)dst->data)[di] = ((const uint8_t *)src->data)[si];
		break;
	case 16:
		((uint16_t *)dst->data)[di] = ((const uint16_t *)src->data)[si];
		break;
	case 32:
		((uint32_t *)dst->data)[di] = ((const uint32_t *)src->data)[si];
		break;
	case 64:
		memcpy((uint64_t *)dst->data + di, (const uint64_t *)src->data + si, 8);
		break;
	default:
		tarn_tensor_set_i64(dst, di, tarn_tensor_i64(src, si));
	}
}

/* The output's axes with neighbours merged where every input runs on without a jump. */
typedef struct fold {
	int rank;
	int64_t dim[TARN_MAX_RANK], stride[TARN_RUN_INPUTS][TARN_MAX_RANK];
} fold;

static void fold_init(fold *f, const tarn_tensor *out, const tarn_tensor *const *in, int n_in)
{
	int64_t s[TARN_RUN_INPUTS][TARN_MAX_RANK] = {{0}};
	for (int k = 0; k < n_in; k++) {
		int64_t own[TARN_MAX_RANK];
		if (in[k] == NULL)
			continue;
		tarn_tensor_strides(in[k], own);
		for (int d = 0; d < in[k]->rank; d++)
			if (in[k]->dim[d] != 1)
				s[k][out->rank - in[k]->rank + d] = own[d];
	}
	f->rank = 0;
	for (int d = 0; d < out->rank; d++) {
		if (out->dim[d] == 1)
			continue;
		bool merge = f->rank > 0;
		for (int k = 0; k < n_in && merge; k++)
			merge = f->stride[k][f->rank - 1] == s[k][d] * out->dim[d];
		if (!merge)
			f->dim[f->rank++] = 1;
		f->dim[f->rank - 1] *= out->dim[d];
		for (int k = 0; k < n_in; k++)
			f->stride[k][f->rank - 1] = s[k][d];
	}
	if (f->rank == 0) {
		f->rank = 1;
		f->dim[0] = 1;
		for (int k = 0; k < n_in; k++)
			f->stride[k][0] = 0;
	}
}

tarn_err tarn_elem_runs(const tarn_tensor *out, const tarn_tensor *const *in, int n_in, tarn_elem_run_fn fn, void *ctx)
{
	fold f;
	int64_t total = tarn_tensor_count(out);
	if (total == 0)
		return TARN_OK;
	fold_init(&f, out, in, n_in);
	int last = f.rank - 1;
	int64_t index[TARN_MAX_RANK] = {0}, step[TARN_RUN_INPUTS] = {0};
	for (int k = 0; k < n_in; k++)
		step[k] = f.stride[k][last];
	for (int64_t at = 0; at < total; at += f.dim[last]) {
		int64_t base[TARN_RUN_INPUTS] = {0}, src[TARN_RUN_INPUTS] = {0};
		for (int k = 0; k < n_in; k++)
			for (int d = 0; d < last; d++)
				base[k] += index[d] * f.stride[k][d];
		for (int64_t j = 0; j < f.dim[last]; j += TARN_RUN) {
			int n = (int)(f.dim[last] - j < TARN_RUN ? f.dim[last] - j : TARN_RUN);
			for (int k = 0; k < n_in; k++)
				src[k] = base[k] + j * step[k];
			TRY(fn(ctx, at + j, n, src, step));
		}
		tarn_elem_next(last, f.dim, index);
	}
	return TARN_OK;
}

bool tarn_elem_next(int rank, const int64_t *dim, int64_t *index)
{
	for (int d = rank - 1; d >= 0; d--) {
		if (++index[d] < dim[d])
			return true;
		index[d] = 0;
	}
	return false;
}

int64_t tarn_elem_product(const int64_t *dim, int from, int to)
{
	int64_t n = 1;
	for (int d = from; d < to; d++)
		n *= dim[d];
	return n;
}

void tarn_elem_copy_box(const tarn_tensor *src, tarn_tensor *dst, const tarn_elem_box *box)
{
	int64_t index[TARN_MAX_RANK] = {0};
	int last = box->rank - 1, bits = tarn_dtype_info(src->type)->bits;
	if (tarn_elem_product(box->dim, 0, box->rank) == 0)
		return;
	int64_t n = last >= 0 ? box->dim[last] : 1;
	int64_t ss = last >= 0 ? box->src_stride[last] : 1, ds = last >= 0 ? box->dst_stride[last] : 1;
	do {
		int64_t si = box->src_at, di = box->dst_at;
		for (int d = 0; d < last; d++) {
			si += index[d] * box->src_stride[d];
			di += index[d] * box->dst_stride[d];
		}
		if (ss == 1 && ds == 1 && bits >= 8)
			memcpy((char *)dst->data + di * (bits / 8), (const char *)src->data + si * (bits / 8),
			       (size_t)n * (size_t)(bits / 8));
		else
			for (int64_t j = 0; j < n; j++)
				tarn_elem_copy(src, si + j * ss, dst, di + j * ds);
	} while (last > 0 && tarn_elem_next(last, box->dim, index));
}

void tarn_elem_copy_all(const tarn_tensor *src, tarn_tensor *dst)
{
	size_t bytes = tarn_tensor_bytes(src);
	if (bytes > 0)
		memcpy(dst->data, src->data, bytes);
}

double tarn_elem_lowest(tarn_dtype t)
{
	const tarn_dtype_row *row = tarn_dtype_info(t);
	if (row->cls == 'F')
		return -INFINITY;
	return row->cls == 'S' ? -ldexp(1, row->bits - 1) : 0;
}

double tarn_elem_highest(tarn_dtype t)
{
	const tarn_dtype_row *row = tarn_dtype_info(t);
	if (row->cls == 'F')
		return INFINITY;
	if (row->cls == 'B')
		return 1;
	return ldexp(1, row->cls == 'S' ? row->bits - 1 : row->bits) - 1;
}

tarn_err tarn_cost_out(const tarn_node *n, tarn_cost *cost)
{
	int64_t ops = 0;
	CHECK(n->n_out > 0 && n->out[0] != NULL, TARN_INTERNAL, "a node without outputs has no cost");
	TRY(tarn_shape_count(&n->out[0]->shape, &ops));
	*cost = (tarn_cost){.ops = ops};
	return TARN_OK;
}

tarn_err tarn_cost_in(const tarn_node *n, tarn_cost *cost)
{
	int64_t ops = 0;
	CHECK(n->n_in > 0 && n->in[0] != NULL, TARN_INTERNAL, "a node without inputs has no cost");
	TRY(tarn_shape_count(&n->in[0]->shape, &ops));
	*cost = (tarn_cost){.ops = ops};
	return TARN_OK;
}

tarn_err tarn_cost_move(const tarn_node *n, tarn_cost *cost)
{
	(void)n;
	*cost = (tarn_cost){0};
	return TARN_OK;
}

static unsigned class_of(tarn_dtype t)
{
	switch (tarn_dtype_info(t)->cls) {
	case 'F':
		return TARN_CLS_F;
	case 'S':
		return TARN_CLS_S;
	case 'U':
		return TARN_CLS_U;
	case 'B':
		return TARN_CLS_B;
	case 'T':
		return TARN_CLS_T;
	default:
		return 0;
	}
}

tarn_err tarn_infer_class(const tarn_infer *c, int i, unsigned set)
{
	tarn_dtype t = tarn_infer_type(c, i);
	if (t == TARN_DTYPE_NONE || (class_of(t) & set) != 0)
		return TARN_OK;
	return tarn_err_set(TARN_TYPE, "input %d has element type %s, which %s does not take", i, tarn_dtype_info(t)->word,
			    c->node->op->name);
}

tarn_dtype tarn_infer_type(const tarn_infer *c, int i)
{
	return i < c->node->n_in && c->node->in[i] != NULL ? c->node->in[i]->type : TARN_DTYPE_NONE;
}

const tarn_shape *tarn_infer_shape(const tarn_infer *c, int i)
{
	if (i >= c->node->n_in || c->node->in[i] == NULL || c->node->in[i]->shape.rank < 0)
		return NULL;
	return &c->node->in[i]->shape;
}

tarn_err tarn_infer_same_type(const tarn_infer *c, int a, int b)
{
	tarn_dtype x = tarn_infer_type(c, a), y = tarn_infer_type(c, b);
	if (x == y || x == TARN_DTYPE_NONE || y == TARN_DTYPE_NONE)
		return TARN_OK;
	return tarn_err_set(TARN_TYPE, "inputs %d and %d have element types %s and %s; they must be the same", a, b,
			    tarn_dtype_info(x)->word, tarn_dtype_info(y)->word);
}
