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

tarn_err tarn_model_bound_sizes(tarn_model **m, const char *const *name, const int64_t *max, int n, int *length)
{
	tarn_bound_spec *spec = tarn_mem_zalloc((size_t)n + 1, sizeof *spec);
	int bounded = 0;
	tarn_err err = spec ? TARN_OK : tarn_err_nomem((size_t)n * sizeof *spec);
	for (int i = 0; i < n && !err; i++) {
		length[i] = max[i] == 1 ? -1 : bounded;
		if (max[i] == 1)
			err = tarn_model_fix(*m, name[i], 1);
		else
			spec[bounded++] = (tarn_bound_spec){name[i], max[i]};
	}
	int first = (int)(*m)->main->input.len;
	if (!err && bounded)
		err = tarn_model_bound_all(m, spec, bounded, NULL);
	CHECK_GOTO(done, err || (int)(*m)->main->input.len == first + bounded, TARN_INTERNAL,
		   "%d bounds came with %d more inputs", bounded, (int)(*m)->main->input.len - first);
	for (int i = 0; i < n && !err; i++)
		length[i] += length[i] >= 0 ? first : 0;
done:
	tarn_mem_free(spec);
	return err;
}
