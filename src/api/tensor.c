/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/tensor.h"

#include <math.h>

#include "api/handles.h"

static tarn_err handle_of(tarn_tensor *t, ov_tensor_t **out)
{
	tarn_box *box = NULL;
	tarn_err err = tarn_box_new(t, &box);
	if (err) {
		tarn_tensor_fini(t);
		return err;
	}
	err = tarn_tensor_handle(box, out);
	tarn_box_unref(box);
	return err;
}

static bool survives(const tarn_tensor *from, const tarn_tensor *to, int64_t i)
{
	if (tarn_dtype_is_float(to->type)) /* rounding is fine, overflow is not */
		return !isinf(tarn_tensor_f64(to, i)) || isinf(tarn_tensor_f64(from, i));
	if (tarn_dtype_is_float(from->type))
		return tarn_tensor_f64(from, i) == tarn_tensor_f64(to, i);
	return tarn_tensor_i64(from, i) == tarn_tensor_i64(to, i);
}

static tarn_err cast(const tarn_tensor *from, ov_element_type_e type, ov_tensor_t **out)
{
	tarn_dtype to;
	tarn_tensor t;
	TRY(tarn_dtype_of_ov(type, &to));
	CHECK(to != TARN_STRING && from->type != TARN_STRING, TARN_TYPE,
	      "text is not cast; give text for text and numbers for numbers");
	TRY(tarn_tensor_convert(from, to, &t));
	for (int64_t i = 0, n = tarn_tensor_count(from); i < n; i++)
		if (!survives(from, &t, i)) {
			tarn_tensor_fini(&t);
			return tarn_err_set(TARN_TYPE, "element %lld is %g, which %s cannot hold; convert the data",
					    (long long)i, tarn_tensor_f64(from, i), tarn_dtype_info(to)->word);
		}
	return handle_of(&t, out);
}

ov_status_e tarn_cast_tensor(const ov_tensor_t *tensor, ov_element_type_e type, ov_tensor_t **out)
{
	NEED(tensor && out);
	return tarn_status(cast(&tensor->box->t, type, out));
}
