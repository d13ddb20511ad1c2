/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/fix.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "dyn/bound.h"
#include "pass/pass.h"

static bool is_called(const tarn_model *m, const tarn_value *v, int axis, const char *name)
{
	char text[300];
	const char *word = v->shape.dim[axis] < 0 ? tarn_sym_get(&m->syms, v->shape.dim[axis])->name : NULL;
	snprintf(text, sizeof text, "%.250s[%d]", v->name, axis);
	return v->shape.dim[axis] < 0 && ((word && !strcmp(word, name)) || !strcmp(text, name));
}

tarn_err tarn_model_fix(tarn_model *m, const char *name, int64_t size)
{
	size_t n = m->main->input.len;
	tarn_shape *shape = tarn_mem_zalloc(n + 1, sizeof *shape);
	bool found = false;
	if (!shape)
		return tarn_err_nomem(n * sizeof *shape);
	for (size_t i = 0; i < n; i++) {
		const tarn_value *v = m->main->input.at[i];
		shape[i].rank = -1;
		for (int k = 0; k < v->shape.rank && !found; k++)
			if (is_called(m, v, k, name)) {
				found = true;
				shape[i] = v->shape;
				shape[i].dim[k] = size; /* its other places follow */
			}
	}
	tarn_err err = found ? tarn_model_reshape(m, shape, (int)n)
			     : tarn_err_set(TARN_NOT_FOUND, "no free dimension is called '%s'", name);
	tarn_mem_free(shape);
	return err;
}

tarn_err tarn_model_bound_or_fix(tarn_model **m, const char *name, int64_t max, int *repairs)
{
	if (max != 1)
		return tarn_model_bound(m, name, max, repairs);
	if (repairs)
		*repairs = 0;
	return tarn_model_fix(*m, name, 1);
}
