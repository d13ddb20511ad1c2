/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of training that only move elements, backwards; forwards the reference is fast. */
#include <string.h>

#include "ops/elem.h"
#include "quant/qat/kernel.h"

static void add(float *x, const float *d, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		x[i] += d[i];
}

tarn_err qat_view_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			   tarn_tensor *din, bool *done)
{
	(void)n, (void)in, (void)out;
	*done = qat_wanted(&din[0]) && tarn_tensor_count(&din[0]) == tarn_tensor_count(&dout[0]);
	if (*done)
		add(din[0].data, dout[0].data, tarn_tensor_count(&din[0]));
	return TARN_OK;
}

tarn_err qat_transpose_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out,
				const tarn_tensor *dout, tarn_tensor *din, bool *done)
{
	int at = tarn_attr_index(n->op, "perm"), rank = dout[0].rank;
	tarn_elem_box box = {.rank = rank};
	int64_t stride[TARN_MAX_RANK];
	tarn_tensor d;
	(void)in, (void)out;
	*done = qat_wanted(&din[0]) && rank > 0;
	if (!*done)
		return TARN_OK;
	tarn_tensor_strides(&din[0], stride);
	tarn_tensor_strides(&dout[0], box.src_stride);
	for (int i = 0; i < rank; i++) {
		box.dim[i] = dout[0].dim[i];
		box.dst_stride[i] = stride[n->attr[at].set ? n->attr[at].ints.at[i] : rank - 1 - i];
	}
	TRY(tarn_tensor_new(TARN_F32, din[0].rank, din[0].dim, &d));
	tarn_elem_copy_box(&dout[0], &d, &box);
	add(din[0].data, d.data, tarn_tensor_count(&d));
	tarn_tensor_fini(&d);
	return TARN_OK;
}

/* The parts lie behind one another along an axis of the whole: adds part to whole or (back) whole to part. */
static void part(const tarn_tensor *whole, const tarn_tensor *piece, int axis, int64_t *offset, bool back)
{
	int64_t outer = tarn_elem_product(whole->dim, 0, axis), inner = tarn_elem_product(whole->dim, axis + 1, whole->rank);
	int64_t run = piece->dim[axis] * inner, row = whole->dim[axis] * inner;
	for (int64_t o = 0; o < outer && piece->type == TARN_F32; o++) {
		float *w = (float *)whole->data + o * row + *offset * inner, *p = (float *)piece->data + o * run;
		add(back ? p : w, back ? w : p, run);
	}
	*offset += piece->dim[axis];
}

static int axis_of(const tarn_node *n, int rank)
{
	int64_t axis = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	return (int)(axis < 0 ? axis + rank : axis);
}

tarn_err qat_concat_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			     tarn_tensor *din, bool *done)
{
	int axis = axis_of(n, dout[0].rank);
	int64_t offset = 0;
	(void)out;
	*done = true;
	for (int i = 0; i < n->n_in; i++) {
		tarn_tensor d = din[i];
		memcpy(d.dim, in[i]->dim, sizeof d.dim); /* not wanted: only its size counts */
		part(&dout[0], &d, axis, &offset, true);
	}
	return TARN_OK;
}

tarn_err qat_split_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			    tarn_tensor *din, bool *done)
{
	int64_t offset = 0;
	(void)in;
	*done = qat_wanted(&din[0]) != NULL;
	for (int i = 0; i < n->n_out; i++)
		*done = *done && n->out[i];
	for (int i = 0; *done && i < n->n_out; i++) {
		tarn_tensor d = dout[i];
		memcpy(d.dim, out[i].dim, sizeof d.dim);
		part(&din[0], &d, axis_of(n, din[0].rank), &offset, false);
	}
	return TARN_OK;
}

/* Rows of a table, as embeddings are read. */
tarn_err qat_gather_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			     tarn_tensor *din, bool *done)
{
	int64_t rows = in[0]->rank ? in[0]->dim[0] : 0, cols = tarn_elem_product(in[0]->dim, 1, in[0]->rank);
	(void)out;
	*done = qat_wanted(&din[0]) && in[0]->rank > 0 && axis_of(n, in[0]->rank) == 0;
	for (int64_t i = 0, count = tarn_tensor_count(in[1]); *done && i < count; i++) {
		int64_t row = tarn_tensor_i64(in[1], i);
		row = row < 0 ? row + rows : row;
		CHECK(row >= 0 && row < rows, TARN_SHAPE, "row %lld of %lld", (long long)row, (long long)rows);
		add((float *)din[0].data + row * cols, (const float *)dout[0].data + i * cols, cols);
	}
	return TARN_OK;
}
