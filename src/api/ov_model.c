/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_model.h"

#include "api/handles.h"
#include "base/mem.h"
#include "pass/pass.h"

tarn_err tarn_model_handle(tarn_model *m, ov_model_t **out)
{
	ov_model_t *h = tarn_mem_zalloc(1, sizeof *h);
	if (!h) {
		tarn_model_unref(m);
		return tarn_err_nomem(sizeof *h);
	}
	h->m = m;
	*out = h;
	return TARN_OK;
}

void ov_model_free(ov_model_t *model)
{
	if (!model)
		return;
	tarn_model_unref(model->m);
	tarn_mem_free(model);
}

static int64_t as_index(size_t index)
{
	return index < INT32_MAX ? (int64_t)index : INT32_MAX;
}

/* The mutable and the const port have one representation. */
#define PORT_GETTERS(what, is_output) \
	ov_status_e ov_model_const_##what(const ov_model_t *model, ov_output_const_port_t **port) \
	{ \
		NEED(model &&port); \
		return tarn_port_open(model->m, NULL, is_output, NULL, -1, port); \
	} \
	ov_status_e ov_model_const_##what##_by_name(const ov_model_t *model, const char *name, ov_output_const_port_t **port) \
	{ \
		NEED(model &&name &&port); \
		return tarn_port_open(model->m, NULL, is_output, name, -1, port); \
	} \
	ov_status_e ov_model_const_##what##_by_index(const ov_model_t *model, const size_t index, \
						     ov_output_const_port_t **port) \
	{ \
		NEED(model &&port); \
		return tarn_port_open(model->m, NULL, is_output, NULL, as_index(index), port); \
	} \
	ov_status_e ov_model_##what(const ov_model_t *model, ov_output_port_t **port) \
	{ \
		NEED(model &&port); \
		return tarn_port_open(model->m, NULL, is_output, NULL, -1, (ov_output_const_port_t **)port); \
	} \
	ov_status_e ov_model_##what##_by_name(const ov_model_t *model, const char *name, ov_output_port_t **port) \
	{ \
		NEED(model &&name &&port); \
		return tarn_port_open(model->m, NULL, is_output, name, -1, (ov_output_const_port_t **)port); \
	} \
	ov_status_e ov_model_##what##_by_index(const ov_model_t *model, const size_t index, ov_output_port_t **port) \
	{ \
		NEED(model &&port); \
		return tarn_port_open(model->m, NULL, is_output, NULL, as_index(index), (ov_output_const_port_t **)port); \
	}
PORT_GETTERS(input, false)
PORT_GETTERS(output, true)

ov_status_e ov_model_inputs_size(const ov_model_t *model, size_t *input_size)
{
	NEED(model && input_size);
	*input_size = model->m->main->input.len;
	return OK;
}

ov_status_e ov_model_outputs_size(const ov_model_t *model, size_t *output_size)
{
	NEED(model && output_size);
	*output_size = model->m->main->output.len;
	return OK;
}

bool ov_model_is_dynamic(const ov_model_t *model)
{
	if (!model)
		return false;
	const tarn_graph *g = model->m->main;
	for (size_t i = 0; i < g->input.len; i++)
		if (!tarn_shape_is_static(&g->input.at[i]->shape))
			return true;
	for (size_t i = 0; i < g->output.len; i++)
		if (!tarn_shape_is_static(&g->output.at[i]->shape))
			return true;
	return false;
}

static tarn_err take_shape(tarn_model *m, const ov_partial_shape_t *from, tarn_shape *s)
{
	CHECK(!ov_rank_is_dynamic(from->rank), TARN_UNSUPPORTED,
	      "an input needs a known number of dimensions; give ? for each free one");
	CHECK(from->rank.max <= TARN_MAX_RANK, TARN_SHAPE, "shapes have at most %d dimensions, not %lld", TARN_MAX_RANK,
	      (long long)from->rank.max);
	s->rank = (int)from->rank.max;
	for (int i = 0; i < s->rank; i++) {
		const ov_dimension_t *d = &from->dims[i];
		CHECK(d->max == -1 || (d->max >= d->min && d->max >= 0 && d->max <= TARN_DIM_MAX), TARN_SHAPE,
		      "dimension %d is %lld..%lld; sizes are 0 and more", i, (long long)d->min, (long long)d->max);
		if (d->min == d->max && d->max >= 0)
			s->dim[i] = d->max;
		else
			TRY(tarn_symtab_fresh(&m->syms, d->min < 1 ? 1 : d->min, d->max < 0 ? TARN_DIM_MAX : d->max,
					      &s->dim[i]));
	}
	return TARN_OK;
}

/* New shapes for some inputs, given by index or, when index is NULL, by name. */
static tarn_err reshape(tarn_model *m, const size_t *index, const char *const *name, const ov_partial_shape_t *shape, size_t n)
{
	size_t n_in = m->main->input.len;
	tarn_shape *all = tarn_mem_zalloc(n_in + 1, sizeof *all);
	if (!all)
		return tarn_err_nomem(n_in * sizeof *all);
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < n_in; i++)
		all[i].rank = -1;
	for (size_t i = 0; i < n && !err; i++) {
		int64_t at = index ? as_index(index[i]) : 0;
		if (!index)
			err = tarn_port_find(m, NULL, false, name[i], &at);
		else if ((size_t)at >= n_in)
			err = tarn_err_set(TARN_NOT_FOUND, "there is no input %lld, there are %zu", (long long)at, n_in);
		if (!err)
			err = tarn_err_note(take_shape(m, &shape[i], &all[at]), "for input '%s'", m->main->input.at[at]->name);
	}
	if (!err)
		err = tarn_model_reshape(m, all, (int)n_in);
	tarn_mem_free(all);
	return err;
}

ov_status_e ov_model_reshape(const ov_model_t *model, const char **tensor_names, const ov_partial_shape_t *partial_shapes,
			     size_t size)
{
	NEED(model && tensor_names && partial_shapes && size);
	for (size_t i = 0; i < size; i++)
		NEED(tensor_names[i]);
	return tarn_status(reshape(model->m, NULL, tensor_names, partial_shapes, size));
}

ov_status_e ov_model_reshape_input_by_name(const ov_model_t *model, const char *tensor_name,
					   const ov_partial_shape_t partial_shape)
{
	NEED(model && tensor_name);
	return tarn_status(reshape(model->m, NULL, &tensor_name, &partial_shape, 1));
}

ov_status_e ov_model_reshape_single_input(const ov_model_t *model, const ov_partial_shape_t partial_shape)
{
	NEED(model);
	const size_t first = 0;
	if (model->m->main->input.len != 1)
		return tarn_status(tarn_err_set(TARN_USAGE, "the model has %zu inputs; say which by name or index",
						model->m->main->input.len));
	return tarn_status(reshape(model->m, &first, NULL, &partial_shape, 1));
}

ov_status_e ov_model_reshape_by_port_indexes(const ov_model_t *model, const size_t *port_indexes,
					     const ov_partial_shape_t *partial_shape, size_t size)
{
	NEED(model && port_indexes && partial_shape && size);
	return tarn_status(reshape(model->m, port_indexes, NULL, partial_shape, size));
}

ov_status_e ov_model_reshape_by_ports(const ov_model_t *model, const ov_output_port_t **output_ports,
				      const ov_partial_shape_t *partial_shapes, size_t size)
{
	NEED(model && output_ports && partial_shapes && size);
	const char **name = tarn_mem_zalloc(size, sizeof *name), *aliases;
	if (!name)
		return tarn_status(tarn_err_nomem(size * sizeof *name));
	bool complete = true;
	for (size_t i = 0; i < size; i++) {
		if (output_ports[i])
			tarn_port_names(&output_ports[i]->at, &name[i], &aliases);
		complete = complete && output_ports[i];
	}
	ov_status_e status =
		complete ? tarn_status(reshape(model->m, NULL, name, partial_shapes, size)) : tarn_status_null(__func__);
	tarn_mem_free(name);
	return status;
}

ov_status_e ov_model_get_friendly_name(const ov_model_t *model, char **friendly_name)
{
	NEED(model && friendly_name);
	return tarn_status(tarn_text_out(model->m->name ? model->m->name : "", friendly_name));
}
