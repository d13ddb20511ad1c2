/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/fix.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "dyn/bound.h"
#include "ops/ops.h"
#include "pass/pass.h"

tarn_err tarn_model_fix(tarn_model *m, const char *name, int64_t size)
{
	size_t n = m->main->input.len;
	tarn_dim sym;
	TRY(tarn_model_find_dim(m, name, &sym));
	tarn_shape *shape = tarn_mem_zalloc(n + 1, sizeof *shape);
	if (!shape)
		return tarn_err_nomem(n * sizeof *shape);
	for (size_t i = 0; i < n; i++) {
		shape[i] = m->main->input.at[i]->shape;
		for (int k = 0; k < shape[i].rank; k++)
			shape[i].dim[k] = shape[i].dim[k] == sym ? size : shape[i].dim[k];
	}
	tarn_err err = tarn_model_reshape(m, shape, (int)n);
	tarn_mem_free(shape);
	return err;
}

/* An input by its name, or by one of its axes, as in "x[1]" (*axis is -1 otherwise); -1 when it is neither. */
static int find_input(const tarn_model *m, const char *name, int *axis)
{
	char text[300];
	for (size_t i = 0; i < m->main->input.len; i++) {
		const tarn_value *v = m->main->input.at[i];
		*axis = -1;
		if (!strcmp(v->name, name))
			return (int)i;
		for (*axis = 0; *axis < v->shape.rank; ++*axis) {
			snprintf(text, sizeof text, "%.250s[%d]", v->name, *axis);
			if (!strcmp(text, name))
				return (int)i;
		}
	}
	return -1;
}

static tarn_err make_constant(tarn_graph *g, tarn_value *v, double value, tarn_value **c)
{
	tarn_tensor t;
	TRY(tarn_tensor_new(v->type, v->shape.rank, v->shape.dim, &t));
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_f64(&t, i, value);
	bool kept = tarn_dtype_is_float(v->type) || !tarn_tensor_count(&t) || tarn_tensor_f64(&t, 0) == value;
	tarn_err err = kept ? tarn_value_const(g, NULL, &t, c)
			    : tarn_err_set(TARN_USAGE, "input '%s' is of type %s, which has no %g", v->name,
					   tarn_dtype_info(v->type)->word, value);
	tarn_tensor_fini(&t);
	return err;
}

static tarn_err fix_value(tarn_model *m, int index, double value)
{
	tarn_graph *g = m->main;
	tarn_value *v = g->input.at[index], *c;
	CHECK(v->type != TARN_STRING, TARN_TYPE, "input '%s' takes text, which cannot be fixed", v->name);
	CHECK(tarn_shape_is_static(&v->shape), TARN_SHAPE, "input '%s' has free dimensions; fix these first", v->name);
	for (size_t i = 0; i < g->output.len; i++)
		CHECK(g->output.at[i] != v, TARN_UNSUPPORTED, "input '%s' is an output, too; it cannot be fixed", v->name);
	TRY(make_constant(g, v, value, &c));
	tarn_graph_replace(g, v, c);
	memmove(&g->input.at[index], &g->input.at[index + 1], (g->input.len - (size_t)index - 1) * sizeof(tarn_value *));
	g->input.len--;
	return tarn_err_note(tarn_graph_infer(g), "with '%s' = %g", v->name, value);
}

static tarn_err check_size(const tarn_model *m, tarn_dim sym, const char *name, double value)
{
	long long lo = tarn_dim_lo(&m->syms, sym), hi = tarn_dim_hi(&m->syms, sym);
	CHECK(value == floor(value) && value >= 1 && value < 1 << 30, TARN_USAGE,
	      "%g is no size for '%s'; give a whole number from 1 on", value, name);
	CHECK(value >= (double)lo, TARN_SHAPE, "'%s' is at least %lld, so it cannot be %g", name, lo, value);
	CHECK(value <= (double)hi, TARN_SHAPE, "'%s' is at most %lld, so it cannot be %g", name, hi, value);
	return TARN_OK;
}

tarn_err tarn_model_fix_named(tarn_model **m, const char *name, double value)
{
	tarn_model *copy;
	tarn_dim sym = 0;
	int axis = -1, input = find_input(*m, name, &axis);
	tarn_err err = tarn_model_find_dim(*m, name, &sym);
	if (err && input < 0)
		return err;
	if (err && axis >= 0) {
		long long size = (*m)->main->input.at[input]->shape.dim[axis];
		return (double)size == value
			       ? TARN_OK
			       : tarn_err_set(TARN_SHAPE, "%s is %lld already, so it cannot be %g", name, size, value);
	}
	if (!err) {
		TRY(check_size(*m, sym, name, value));
		return tarn_model_fix(*m, name, (int64_t)value);
	}
	TRY(tarn_model_clone(*m, &copy));
	err = fix_value(copy, input, value);
	tarn_model *gone = err ? copy : *m;
	*m = err ? *m : copy;
	tarn_model_unref(gone);
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
