/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_shape.h"

#include "api/handles.h"
#include "base/mem.h"

tarn_err tarn_shape_out(int rank, const int64_t *dim, ov_shape_t *out)
{
	int64_t *copy = tarn_mem_zalloc((size_t)rank + 1, sizeof *copy);
	if (!copy)
		return tarn_err_nomem((unsigned long long)rank * sizeof *copy);
	if (rank)
		memcpy(copy, dim, (size_t)rank * sizeof *copy);
	*out = (ov_shape_t){rank, copy};
	return TARN_OK;
}

tarn_err tarn_shape_of_ov(const ov_shape_t *s, int64_t dim[TARN_MAX_RANK])
{
	CHECK(s->rank >= 0 && s->rank <= TARN_MAX_RANK, TARN_SHAPE, "shapes have at most %d dimensions, not %lld",
	      TARN_MAX_RANK, (long long)s->rank);
	CHECK(s->rank == 0 || s->dims, TARN_USAGE, "the shape has no sizes; fill its dims");
	for (int64_t i = 0; i < s->rank; i++) {
		CHECK(s->dims[i] >= 0 && s->dims[i] <= TARN_DIM_MAX, TARN_SHAPE, "dimension %lld is %lld; sizes are 0 and more",
		      (long long)i, (long long)s->dims[i]);
		dim[i] = s->dims[i];
	}
	return TARN_OK;
}

ov_status_e ov_shape_create(const int64_t rank, const int64_t *dims, ov_shape_t *shape)
{
	NEED(shape && rank > 0 && rank < (1 << 20));
	for (int64_t i = 0; dims && i < rank; i++)
		NEED(dims[i] >= 0);
	int64_t *copy = tarn_mem_zalloc((size_t)rank, sizeof *copy);
	if (!copy)
		return tarn_status(tarn_err_nomem((unsigned long long)rank * sizeof *copy));
	if (dims)
		memcpy(copy, dims, (size_t)rank * sizeof *copy);
	*shape = (ov_shape_t){rank, copy};
	return OK;
}

ov_status_e ov_shape_free(ov_shape_t *shape)
{
	NEED(shape);
	tarn_mem_free(shape->dims);
	*shape = (ov_shape_t){0, NULL};
	return OK;
}
