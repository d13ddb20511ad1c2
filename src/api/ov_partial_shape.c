/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_partial_shape.h"

#include "api/handles.h"
#include "base/mem.h"
#include "base/str.h"

bool ov_dimension_is_dynamic(const ov_dimension_t dim)
{
	return dim.min != dim.max || dim.max == -1;
}

bool ov_rank_is_dynamic(const ov_rank_t rank)
{
	return ov_dimension_is_dynamic(rank);
}

static tarn_err make(int64_t rank, const ov_dimension_t *dims, ov_partial_shape_t *out)
{
	ov_dimension_t *copy = tarn_mem_zalloc((size_t)rank + 1, sizeof *copy);
	if (!copy)
		return tarn_err_nomem((unsigned long long)rank * sizeof *copy);
	if (dims && rank)
		memcpy(copy, dims, (size_t)rank * sizeof *copy);
	*out = (ov_partial_shape_t){{rank, rank}, copy};
	return TARN_OK;
}

tarn_err tarn_partial_out(int rank, const int64_t *lo, const int64_t *hi, ov_partial_shape_t *out)
{
	if (rank < 0) {
		*out = (ov_partial_shape_t){{0, -1}, NULL};
		return TARN_OK;
	}
	TRY(make(rank, NULL, out));
	for (int i = 0; i < rank; i++) {
		bool bounded = hi[i] < TARN_DIM_MAX, open = !bounded && lo[i] <= 1;
		out->dims[i] = (ov_dimension_t){open ? 0 : lo[i], bounded ? hi[i] : -1};
	}
	return TARN_OK;
}

static bool is_valid(const ov_dimension_t *d)
{
	return d->min >= -1 && d->max >= -1 && (d->min <= d->max || d->max == -1);
}

ov_status_e ov_partial_shape_create(const int64_t rank, const ov_dimension_t *dims, ov_partial_shape_t *partial_shape_obj)
{
	NEED(rank > 0 && rank < (1 << 20) && dims && partial_shape_obj);
	for (int64_t i = 0; i < rank; i++)
		NEED(is_valid(&dims[i]));
	return tarn_status(make(rank, dims, partial_shape_obj));
}

ov_status_e ov_partial_shape_create_dynamic(const ov_rank_t rank, const ov_dimension_t *dims,
					    ov_partial_shape_t *partial_shape_obj)
{
	NEED(partial_shape_obj);
	if (!ov_rank_is_dynamic(rank))
		return ov_partial_shape_create(rank.max, dims, partial_shape_obj);
	*partial_shape_obj = (ov_partial_shape_t){rank, NULL};
	return OK;
}

ov_status_e ov_partial_shape_create_static(const int64_t rank, const int64_t *dims, ov_partial_shape_t *partial_shape_obj)
{
	NEED(rank > 0 && rank < (1 << 20) && dims && partial_shape_obj);
	for (int64_t i = 0; i < rank; i++)
		NEED(dims[i] > 0);
	ov_partial_shape_t s;
	ov_status_e status = tarn_status(make(rank, NULL, &s));
	if (status != OK)
		return status;
	for (int64_t i = 0; i < rank; i++)
		s.dims[i] = (ov_dimension_t){dims[i], dims[i]};
	*partial_shape_obj = s;
	return OK;
}

void ov_partial_shape_free(ov_partial_shape_t *partial_shape)
{
	if (!partial_shape)
		return;
	tarn_mem_free(partial_shape->dims);
	partial_shape->dims = NULL;
}

ov_status_e ov_partial_shape_to_shape(const ov_partial_shape_t partial_shape, ov_shape_t *shape)
{
	NEED(shape);
	if (ov_partial_shape_is_dynamic(partial_shape))
		return tarn_status(tarn_err_set(TARN_SHAPE, "the shape has free dimensions; give each a size first"));
	ov_shape_t s = {0, NULL};
	s.dims = tarn_mem_zalloc((size_t)partial_shape.rank.max + 1, sizeof *s.dims);
	if (!s.dims)
		return tarn_status(tarn_err_nomem((unsigned long long)partial_shape.rank.max * sizeof *s.dims));
	s.rank = partial_shape.rank.max;
	for (int64_t i = 0; i < s.rank; i++)
		s.dims[i] = partial_shape.dims[i].max;
	*shape = s;
	return OK;
}

ov_status_e ov_shape_to_partial_shape(const ov_shape_t shape, ov_partial_shape_t *partial_shape)
{
	NEED(partial_shape && shape.rank >= 0 && (shape.rank == 0 || shape.dims));
	ov_partial_shape_t s;
	ov_status_e status = tarn_status(make(shape.rank, NULL, &s));
	if (status != OK)
		return status;
	for (int64_t i = 0; i < shape.rank; i++)
		s.dims[i] = (ov_dimension_t){shape.dims[i], shape.dims[i]};
	*partial_shape = s;
	return OK;
}

bool ov_partial_shape_is_dynamic(const ov_partial_shape_t partial_shape)
{
	if (ov_rank_is_dynamic(partial_shape.rank))
		return true;
	for (int64_t i = 0; i < partial_shape.rank.max; i++)
		if (ov_dimension_is_dynamic(partial_shape.dims[i]))
			return true;
	return false;
}

static void print_dim(tarn_str *s, const ov_dimension_t *d)
{
	if (d->min == d->max && d->max >= 0)
		tarn_str_addf(s, "%lld", (long long)d->max);
	else if (d->max == -1 && d->min <= 0)
		tarn_str_add(s, "?");
	else if (d->max == -1)
		tarn_str_addf(s, "%lld..", (long long)d->min);
	else
		tarn_str_addf(s, "%lld..%lld", (long long)(d->min < 0 ? 0 : d->min), (long long)d->max);
}

const char *ov_partial_shape_to_string(const ov_partial_shape_t partial_shape)
{
	tarn_str s = {0};
	if (ov_rank_is_dynamic(partial_shape.rank)) {
		tarn_str_add(&s, "?");
	} else {
		tarn_str_add(&s, "{");
		for (int64_t i = 0; i < partial_shape.rank.max; i++) {
			tarn_str_add(&s, i ? "," : "");
			print_dim(&s, &partial_shape.dims[i]);
		}
		tarn_str_add(&s, "}");
	}
	if (tarn_status(tarn_str_done(&s)) == OK)
		return s.at;
	tarn_str_fini(&s);
	return NULL;
}
