/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/shape.h"

#include "api/handles.h"
#include "base/mem.h"
#include "dyn/bound.h"
#include "dyn/dims.h"
#include "dyn/fix.h"

ov_status_e tarn_bound_model(const ov_model_t *model, const char *name, int64_t max, int *repairs)
{
	NEED(model && name);
	return tarn_status(tarn_model_bound(&((struct ov_model *)(uintptr_t)model)->m, name, max, repairs));
}

ov_status_e tarn_bound_model_dims(const ov_model_t *model, const tarn_bound_dim *dim, size_t n, tarn_bound_repairs *repairs)
{
	enum { MOST = 64 };
	tarn_bound_spec spec[MOST];
	tarn_bound_cost c = {0};
	NEED(model && dim && n >= 1 && n <= MOST);
	for (size_t i = 0; i < n; i++) {
		NEED(dim[i].name);
		spec[i] = (tarn_bound_spec){dim[i].name, dim[i].max, dim[i].per};
	}
	tarn_err err = tarn_model_bound_all(&((struct ov_model *)(uintptr_t)model)->m, spec, (int)n, &c);
	if (err == TARN_OK && repairs)
		*repairs = (tarn_bound_repairs){c.repairs, c.masks, c.gathers, c.scales, c.lengths, c.numbers, c.elements};
	return tarn_status(err);
}

ov_status_e tarn_fix_input(const ov_model_t *model, const char *name, double value)
{
	NEED(model && name);
	return tarn_status(tarn_model_fix_named(&((struct ov_model *)(uintptr_t)model)->m, name, value));
}

static tarn_err bound_out(const tarn_bound *b, tarn_bound_info *out)
{
	out->max = b->max;
	out->samples = b->samples;
	TRY(tarn_text_out(b->name, &out->name));
	TRY(tarn_text_out(b->length_input, &out->length_input));
	out->axis = tarn_mem_zalloc(b->port.len + 1, sizeof *out->axis);
	if (!out->axis)
		return tarn_err_nomem(b->port.len * sizeof *out->axis);
	for (size_t i = 0; i < b->port.len; i++) {
		out->axis[i] = (tarn_bound_axis){.axis = (size_t)b->port.at[i].axis, .output = b->port.at[i].output};
		if (b->port.at[i].size_output)
			TRY(tarn_text_out(b->port.at[i].size_output, &out->axis[i].size_output));
		TRY(tarn_text_out(b->port.at[i].port, &out->axis[i].port));
		out->n_axis = i + 1;
	}
	return TARN_OK;
}

static tarn_err get_bound(const tarn_model *m, size_t index, tarn_bound_info *out)
{
	tarn_bound b;
	bool found;
	CHECK(index < 1 << 20, TARN_NOT_FOUND, "the model has no bound %zu", index);
	TRY(tarn_model_bound_get(m, (int)index, &b, &found));
	CHECK(found, TARN_NOT_FOUND, "the model has no bound %zu", index);
	tarn_err err = bound_out(&b, out);
	tarn_bound_fini(&b);
	if (err != TARN_OK)
		tarn_free_bound(out);
	return err;
}

ov_status_e tarn_get_bound(const ov_model_t *model, size_t index, tarn_bound_info *bound)
{
	NEED(model && bound);
	*bound = (tarn_bound_info){0};
	return tarn_status(get_bound(model->m, index, bound));
}

void tarn_free_bound(tarn_bound_info *bound)
{
	if (!bound)
		return;
	for (size_t i = 0; bound->axis && i < bound->n_axis; i++) {
		tarn_mem_free(bound->axis[i].port);
		tarn_mem_free(bound->axis[i].size_output);
	}
	tarn_mem_free(bound->axis);
	tarn_mem_free(bound->name);
	tarn_mem_free(bound->length_input);
	*bound = (tarn_bound_info){0};
}

static tarn_err dims_out(const tarn_dim_needs *needs, tarn_free_dim_list *out)
{
	out->at = tarn_mem_zalloc(needs->list.len + 1, sizeof *out->at);
	if (!out->at)
		return tarn_err_nomem(needs->list.len * sizeof *out->at);
	for (; out->size < needs->list.len; out->size++) {
		const tarn_dim_need *d = &needs->list.at[out->size];
		tarn_free_dim *to = &out->at[out->size];
		*to = (tarn_free_dim){.batch = d->batch, .max = d->max, .repairs = d->repairs, .together = d->together};
		TRY(tarn_text_out(d->name, &to->name));
		TRY(tarn_text_out(d->where, &to->where));
		if (d->why)
			TRY(tarn_text_out(d->why, &to->why));
	}
	return TARN_OK;
}

ov_status_e tarn_list_free_dims(const ov_model_t *model, tarn_free_dim_list *dims)
{
	NEED(model && dims);
	tarn_dim_needs needs;
	*dims = (tarn_free_dim_list){NULL, 0};
	tarn_err err = tarn_dim_needs_find(model->m, &needs);
	if (err)
		return tarn_status(err);
	err = dims_out(&needs, dims);
	tarn_dim_needs_fini(&needs);
	if (err)
		tarn_release_free_dims(dims);
	return tarn_status(err);
}

void tarn_release_free_dims(tarn_free_dim_list *dims)
{
	if (!dims)
		return;
	/* a list that could not be filled has one more begun */
	for (size_t i = 0; dims->at && i <= dims->size; i++) {
		tarn_mem_free(dims->at[i].name);
		tarn_mem_free(dims->at[i].where);
		tarn_mem_free(dims->at[i].why);
	}
	tarn_mem_free(dims->at);
	*dims = (tarn_free_dim_list){NULL, 0};
}

/* One element that tells when it is read, of `bytes` bytes. */
static void fill_element(tarn_dtype type, tarn_pad_fill fill, uint64_t *seed, char *at, size_t bytes)
{
	memset(at, 0, bytes);
	if (fill == TARN_PAD_WITH_ZERO)
		return;
	if (fill == TARN_PAD_WITH_RANDOM) {
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		memcpy(at, seed, bytes < sizeof *seed ? bytes : sizeof *seed);
		if (type == TARN_BOOL)
			*at = (char)(*seed >> 40 & 1);
		return;
	}
	if (type == TARN_BOOL) {
		*at = 1;
		return;
	}
	/* all ones is a NaN in every float format; the largest signed integer lacks the top bit */
	memset(at, 0xff, bytes);
	if (type == TARN_I8 || type == TARN_I16 || type == TARN_I32 || type == TARN_I64)
		at[bytes - 1] = 0x7f;
}

/* t with another size along the axis: what both have is copied, the rest filled. */
static tarn_err resized(const tarn_tensor *t, size_t axis, int64_t size, tarn_pad_fill fill, tarn_tensor *out)
{
	int64_t dim[TARN_MAX_RANK], outer = 1, inner = 1;
	for (size_t i = 0; i < (size_t)t->rank; i++) {
		dim[i] = t->dim[i];
		outer *= i < axis ? dim[i] : 1;
		inner *= i > axis ? dim[i] : 1;
	}
	dim[axis] = size;
	int64_t had = t->dim[axis], kept = had < size ? had : size;
	int bits = tarn_dtype_info(t->type)->bits;
	CHECK(t->type != TARN_STRING, TARN_TYPE, "text tensors have no padding");
	CHECK(bits >= 8, TARN_TYPE, "tensors of elements below a byte have no padding; cast to i8 or u8");
	size_t e = (size_t)bits / 8;
	TRY(tarn_tensor_new(t->type, t->rank, dim, out));
	uint64_t seed = 1;
	for (int64_t o = 0; o < outer; o++) {
		char *to = (char *)out->data + (size_t)(o * size * inner) * e;
		if (kept && inner)
			memcpy(to, (const char *)t->data + (size_t)(o * had * inner) * e, (size_t)(kept * inner) * e);
		for (int64_t i = kept * inner; i < size * inner; i++)
			fill_element(t->type, fill, &seed, to + (size_t)i * e, e);
	}
	return TARN_OK;
}

static tarn_err resize(const tarn_tensor *t, size_t axis, int64_t size, bool pad, tarn_pad_fill fill, ov_tensor_t **out)
{
	tarn_tensor r;
	tarn_box *box;
	CHECK(axis < (size_t)t->rank, TARN_USAGE, "axis %zu out of range for rank %d", axis, t->rank);
	CHECK(size >= 0 && size <= 1 << 30, TARN_USAGE, "%lld is no size", (long long)size);
	CHECK(!pad || t->dim[axis] <= size, TARN_SHAPE, "axis %zu has %lld elements, more than the %lld there is room for",
	      axis, (long long)t->dim[axis], (long long)size);
	CHECK(pad || t->dim[axis] >= size, TARN_SHAPE, "axis %zu has %lld elements, fewer than the %lld asked for", axis,
	      (long long)t->dim[axis], (long long)size);
	TRY(resized(t, axis, size, fill, &r));
	tarn_err err = tarn_box_new(&r, &box);
	if (err != TARN_OK) {
		tarn_tensor_fini(&r);
		return err;
	}
	err = tarn_tensor_handle(box, out);
	tarn_box_unref(box);
	return err;
}

ov_status_e tarn_pad_tensor(const ov_tensor_t *tensor, size_t axis, int64_t size, tarn_pad_fill fill, ov_tensor_t **padded)
{
	NEED(tensor && padded && (unsigned)fill < 3);
	return tarn_status(resize(&tensor->box->t, axis, size, true, fill, padded));
}

ov_status_e tarn_slice_tensor(const ov_tensor_t *tensor, size_t axis, int64_t size, ov_tensor_t **slice)
{
	NEED(tensor && slice);
	return tarn_status(resize(&tensor->box->t, axis, size, false, TARN_PAD_WITH_ZERO, slice));
}
