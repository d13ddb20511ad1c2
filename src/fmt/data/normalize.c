/* SPDX-License-Identifier: Apache-2.0 */
/* Mean and scale for samples that are arrays; images get them while they are prepared. */
#include "fmt/data/files.h"

static bool all_equal(const double v[3])
{
	return v[0] == v[1] && v[1] == v[2];
}

tarn_err tarn_data_normalize(const tarn_prep_options *o, const char *layout, tarn_tensor *t)
{
	bool one = all_equal(o->mean) && all_equal(o->scale);
	int64_t channels = 1, inner = 1;
	bool idle = one && o->mean[0] == 0 && (o->scale[0] == 0 || o->scale[0] == 1);
	if (idle || !tarn_dtype_is_float(t->type))
		return TARN_OK;
	if (!one) {
		tarn_data_layout l;
		TRY(tarn_data_layout_parse(layout, t->rank, t->dim, &l));
		CHECK(l.c >= 0 && t->dim[l.c] == 3, TARN_SHAPE,
		      "three values of mean or scale need an input of three channels; give one number");
		channels = 3;
		for (int i = l.c + 1; i < t->rank; i++)
			inner *= t->dim[i];
	}
	for (int64_t i = 0, n = tarn_tensor_count(t); i < n; i++) {
		int64_t c = i / inner % channels;
		double scale = o->scale[c] == 0 ? 1 : o->scale[c];
		tarn_tensor_set_f64(t, i, (tarn_tensor_f64(t, i) - o->mean[c]) / scale);
	}
	return TARN_OK;
}
