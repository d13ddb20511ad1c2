/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/gemm_core.h"

#include <inttypes.h>

#include "base/mem.h"

/* One matrix inside a tensor: element (i, j) is at + i*row + j*col, less its zero point. */
typedef struct matrix {
	const tarn_tensor *t;
	int64_t at, row, col;
	const double *zero_row; /* per row or NULL */
	const double *zero_col; /* per column or NULL */
} matrix;

enum { PANEL = 1 << 18 /* elements of b converted at a time */ };

static void load_rows(const matrix *b, int64_t first, int64_t rows, int64_t n, double *v)
{
	for (int64_t i = 0; i < rows; i++, v += n) {
		tarn_elem_load_f64(b->t, b->at + (first + i) * b->row, b->col, (int)n, v);
		if (b->zero_col)
			for (int64_t j = 0; j < n; j++)
				v[j] -= b->zero_col[j];
		if (b->zero_row)
			for (int64_t j = 0; j < n; j++)
				v[j] -= b->zero_row[first + i];
	}
}

/* c[m][n] += sum over k of a[m][k] * b[k][n]. */
static tarn_err gemm(const matrix *a, const matrix *b, int64_t m, int64_t n, int64_t k, double *c)
{
	if (!m || !n || !k)
		return TARN_OK;
	CHECK(n <= INT32_MAX && k <= INT32_MAX, TARN_UNSUPPORTED, "a matrix of %" PRId64 " x %" PRId64 " is too large", k, n);
	int64_t rows = PANEL / n ? PANEL / n : 1;
	if (rows > k)
		rows = k;
	double *va = NULL, *vb = NULL;
	tarn_err err;
	TRY_GOTO(done, tarn_real_zeros(rows, &va));
	TRY_GOTO(done, tarn_real_zeros(rows * n, &vb));
	for (int64_t first = 0; first < k; first += rows) {
		int64_t now = k - first < rows ? k - first : rows;
		load_rows(b, first, now, n, vb);
		for (int64_t i = 0; i < m; i++) {
			double *out = c + i * n;
			tarn_elem_load_f64(a->t, a->at + i * a->row + first * a->col, a->col, (int)now, va);
			for (int64_t p = 0; p < now; p++) {
				double f = va[p] - (a->zero_row ? a->zero_row[i] : 0);
				const double *row = vb + p * n;
				for (int64_t j = 0; j < n; j++)
					out[j] += f * row[j];
			}
		}
	}
	err = TARN_OK;
done:
	tarn_mem_free(va);
	tarn_mem_free(vb);
	return err;
}

tarn_err tarn_matmul_shape(tarn_symtab *t, const tarn_shape *a, const tarn_shape *b, bool ta, bool tb, tarn_shape *out,
			   tarn_matmul_dims *d)
{
	CHECK(a->rank >= 1 && b->rank >= 1, TARN_SHAPE, "a matrix product of ranks %d and %d; at least 1 is needed", a->rank,
	      b->rank);
	*d = (tarn_matmul_dims){.m = 1, .n = 1, .a_vector = a->rank == 1, .b_vector = b->rank == 1};
	ta = ta && !d->a_vector;
	tb = tb && !d->b_vector;
	d->k = a->dim[a->rank - (ta ? 2 : 1)];
	d->kb = b->dim[b->rank - (tb || d->b_vector ? 1 : 2)];
	if (!d->a_vector)
		d->m = a->dim[a->rank - (ta ? 1 : 2)];
	if (!d->b_vector)
		d->n = b->dim[b->rank - (tb ? 2 : 1)];
	CHECK(d->k < 0 || d->kb < 0 || d->k == d->kb, TARN_SHAPE,
	      "the inner sizes of the matrix product differ: %" PRId64 " and %" PRId64, d->k, d->kb);
	tarn_shape ba = {.rank = d->a_vector ? 0 : a->rank - 2}, bb = {.rank = d->b_vector ? 0 : b->rank - 2};
	for (int i = 0; i < ba.rank; i++)
		ba.dim[i] = a->dim[i];
	for (int i = 0; i < bb.rank; i++)
		bb.dim[i] = b->dim[i];
	TRY(tarn_shape_broadcast(t, &ba, &bb, out));
	if (!d->a_vector)
		out->dim[out->rank++] = d->m;
	if (!d->b_vector)
		out->dim[out->rank++] = d->n;
	return TARN_OK;
}

tarn_err tarn_matmul_infer(tarn_infer *c, int a, int b, bool ta, bool tb, tarn_dtype type)
{
	const tarn_shape *sa = tarn_infer_shape(c, a), *sb = tarn_infer_shape(c, b);
	tarn_shape out;
	tarn_matmul_dims d;
	TRY(tarn_infer_rank(c, a, 1, -1));
	TRY(tarn_infer_rank(c, b, 1, -1));
	if (sa && sb)
		TRY(tarn_matmul_shape(c->syms, sa, sb, ta, tb, &out, &d));
	tarn_infer_out(c, 0, type, sa && sb ? &out : NULL);
	return TARN_OK;
}

/* Offset of the batch-th matrix of t, whose batch axes broadcast to those of the result (rank `rank`, sizes dim). */
static int64_t batch_at(const tarn_tensor *t, int rank, const int64_t *dim, int64_t batch)
{
	int nb = t->rank > 2 ? t->rank - 2 : 0;
	int64_t at = 0, step = t->rank > 1 ? t->dim[t->rank - 1] * t->dim[t->rank - 2] : 0;
	for (int i = 0; i < rank; i++) {
		int64_t index = batch % dim[rank - 1 - i];
		batch /= dim[rank - 1 - i];
		if (i >= nb)
			continue;
		int64_t size = t->dim[nb - 1 - i];
		at += size == 1 ? 0 : index * step;
		step *= size;
	}
	return at;
}

/* NULL, or `need` numbers from one or `need` elements. */
static tarn_err zeros_of(const tarn_tensor *z, int64_t need, const char *what, double **v)
{
	*v = NULL;
	if (!z)
		return TARN_OK;
	int64_t n = tarn_tensor_count(z);
	CHECK(n == 1 || n == need, TARN_SHAPE, "%" PRId64 " zero points for %" PRId64 " %s", n, need, what);
	TRY(tarn_real_zeros(need, v));
	for (int64_t i = 0; i < need; i++)
		(*v)[i] = tarn_tensor_f64(z, n == 1 ? 0 : i);
	return TARN_OK;
}

tarn_err tarn_matmul_sums(const tarn_tensor *a, const tarn_tensor *b, bool ta, bool tb, const tarn_tensor *za,
			  const tarn_tensor *zb, const tarn_tensor *y, double *sum)
{
	tarn_shape sa = tarn_tensor_shape(a), sb = tarn_tensor_shape(b), out;
	tarn_matmul_dims d;
	TRY(tarn_matmul_shape(NULL, &sa, &sb, ta, tb, &out, &d));
	int rank = y->rank - !d.a_vector - !d.b_vector;
	double *va = NULL, *vb = NULL;
	tarn_err err;
	TRY_GOTO(done, zeros_of(za, d.m, "rows", &va));
	TRY_GOTO(done, zeros_of(zb, d.n, "columns", &vb));
	matrix ma = {a, 0, ta && !d.a_vector ? 1 : d.k, ta && !d.a_vector ? d.m : 1, va, NULL};
	matrix mb = {b, 0, tb && !d.b_vector ? 1 : d.n, tb && !d.b_vector ? d.k : 1, NULL, vb};
	int64_t batches = tarn_elem_product(y->dim, 0, rank);
	for (int64_t i = 0; i < batches; i++) {
		ma.at = batch_at(a, rank, y->dim, i);
		mb.at = batch_at(b, rank, y->dim, i);
		TRY_GOTO(done, gemm(&ma, &mb, d.m, d.n, d.k, sum + i * d.m * d.n));
	}
	err = TARN_OK;
done:
	tarn_mem_free(va);
	tarn_mem_free(vb);
	return err;
}

/* With A [m][k], B [k][n] as they are read: dA = dY B', dB = A' dY; a transposed operand gets the transpose of that. */
/* Gradients of y = op(a) op(b) from dy: added to da and db, which are as large as a and b (either may be NULL). */
static tarn_err add_grads(const tarn_tensor *a, const tarn_tensor *b, bool ta, bool tb, const tarn_tensor *dy, double *da,
			  double *db)
{
	tarn_shape sa = tarn_tensor_shape(a), sb = tarn_tensor_shape(b), out;
	tarn_matmul_dims d;
	TRY(tarn_matmul_shape(NULL, &sa, &sb, ta, tb, &out, &d));
	ta = ta && !d.a_vector;
	tb = tb && !d.b_vector;
	int rank = dy->rank - !d.a_vector - !d.b_vector;
	matrix ma = {a, 0, ta ? 1 : d.k, ta ? d.m : 1, NULL, NULL}, mb = {b, 0, tb ? 1 : d.n, tb ? d.k : 1, NULL, NULL};
	matrix my = {dy, 0, d.n, 1, NULL, NULL};
	for (int64_t i = 0, batches = tarn_elem_product(dy->dim, 0, rank); i < batches; i++) {
		ma.at = batch_at(a, rank, dy->dim, i);
		mb.at = batch_at(b, rank, dy->dim, i);
		my.at = i * d.m * d.n;
		matrix at = ma, bt = mb, yt = my;
		at.row = ma.col, at.col = ma.row, bt.row = mb.col, bt.col = mb.row, yt.row = my.col, yt.col = my.row;
		if (da && !ta)
			TRY(gemm(&my, &bt, d.m, d.k, d.n, da + ma.at));
		if (da && ta)
			TRY(gemm(&mb, &yt, d.k, d.m, d.n, da + ma.at));
		if (db && !tb)
			TRY(gemm(&at, &my, d.k, d.n, d.m, db + mb.at));
		if (db && tb)
			TRY(gemm(&yt, &ma, d.n, d.k, d.m, db + mb.at));
	}
	return TARN_OK;
}

tarn_err tarn_matmul_back(tarn_grad *g, bool ta, bool tb, double alpha)
{
	double *d[2] = {NULL};
	for (int k = 0; k < 2; k++)
		if (tarn_grad_wants(g, k))
			TRY(tarn_grad_zeros(g, tarn_tensor_count(g->in[k]), &d[k]));
	if (g->dout[0].type == TARN_DTYPE_NONE)
		return TARN_OK;
	TRY(add_grads(g->in[0], g->in[1], ta, tb, &g->dout[0], d[0], d[1]));
	for (int k = 0; k < 2; k++) {
		if (!d[k])
			continue;
		for (int64_t i = 0, n = tarn_tensor_count(g->in[k]); i < n; i++)
			d[k][i] *= alpha;
		tarn_grad_add(&g->din[k], d[k]);
	}
	return TARN_OK;
}

tarn_err tarn_matmul_cost(const tarn_node *n, int a, bool ta, tarn_cost *cost)
{
	const tarn_shape *s = &n->in[a]->shape;
	int64_t count;
	TRY(tarn_shape_count(&n->out[0]->shape, &count));
	CHECK(tarn_shape_is_static(s) && s->rank >= 1, TARN_SHAPE, "the shape of input %d is not known", a);
	*cost = (tarn_cost){.macs = count * s->dim[s->rank - (ta && s->rank > 1 ? 2 : 1)]};
	return TARN_OK;
}
