/* SPDX-License-Identifier: Apache-2.0 */
/* Records what preprocessing is asked for; preprocess.c writes it into the model. */
#include "openvino/c/ov_prepostprocess.h"

#include <stdarg.h>

#include "api/preprocess.h"
#include "base/mem.h"

struct ov_preprocess_prepostprocessor {
	tarn_preprocess p;
};

/* Views. */
struct ov_preprocess_input_info {
	tarn_preprocess *p;
	tarn_preprocess_input *in;
};
struct ov_preprocess_input_tensor_info {
	struct ov_preprocess_input_info of;
};
struct ov_preprocess_input_model_info {
	struct ov_preprocess_input_info of;
};
struct ov_preprocess_preprocess_steps {
	struct ov_preprocess_input_info of;
};
struct ov_preprocess_output_info {
	tarn_dtype *type;
};
struct ov_preprocess_output_tensor_info {
	struct ov_preprocess_output_info of;
};

/* ---- the whole ---- */

static tarn_err create(tarn_model *m, struct ov_preprocess_prepostprocessor *h)
{
	tarn_preprocess *p = &h->p;
	*p = (tarn_preprocess){.m = tarn_model_ref(m), .n_in = m->main->input.len, .n_out = m->main->output.len};
	p->in = tarn_arena_zalloc(&p->arena, p->n_in + 1, sizeof *p->in);
	p->out = tarn_arena_zalloc(&p->arena, p->n_out + 1, sizeof *p->out);
	if (!p->in || !p->out)
		return tarn_err_nomem(p->n_in * sizeof *p->in);
	for (size_t i = 0; i < p->n_in; i++)
		p->in[i].shape.rank = -1;
	return TARN_OK;
}

ov_status_e ov_preprocess_prepostprocessor_create(const ov_model_t *model, ov_preprocess_prepostprocessor_t **preprocess)
{
	NEED(model && preprocess);
	struct ov_preprocess_prepostprocessor *h = tarn_mem_zalloc(1, sizeof *h);
	if (!h)
		return tarn_status(tarn_err_nomem(sizeof *h));
	tarn_err err = create(model->m, h);
	if (err == TARN_OK)
		*preprocess = h;
	else
		ov_preprocess_prepostprocessor_free(h);
	return tarn_status(err);
}

void ov_preprocess_prepostprocessor_free(ov_preprocess_prepostprocessor_t *preprocess)
{
	if (!preprocess)
		return;
	tarn_preprocess *p = &preprocess->p;
	for (size_t i = 0; p->in && i < p->n_in; i++)
		VEC_FINI(&p->in[i].step);
	tarn_arena_fini(&p->arena);
	tarn_model_unref(p->m);
	tarn_mem_free(preprocess);
}

ov_status_e ov_preprocess_prepostprocessor_build(const ov_preprocess_prepostprocessor_t *preprocess, ov_model_t **model)
{
	NEED(preprocess && model);
	tarn_preprocess *p = (tarn_preprocess *)&preprocess->p; /* what it records is not const, as in the API */
	if (p->built)
		return tarn_status(
			tarn_err_set(TARN_USAGE, "this prepostprocessor has been built; make another for its model"));
	tarn_err err = tarn_preprocess_build(p);
	if (err == TARN_OK) {
		p->built = true;
		err = tarn_model_handle(tarn_model_ref(p->m), model);
	}
	return tarn_status(err);
}

/* ---- views ---- */

/* Index by name, as given, or (-1, no name) of the only one. */
static tarn_err choose(const tarn_preprocess *p, bool output, const char *name, size_t index, bool only, size_t *at)
{
	size_t n = output ? p->n_out : p->n_in;
	int64_t found = 0;
	*at = index;
	if (name) {
		TRY(tarn_port_find(p->m, NULL, output, name, &found));
		*at = (size_t)found;
	} else if (only) {
		CHECK(n == 1, TARN_USAGE, "the model has %zu %s; say which by name or index", n, output ? "outputs" : "inputs");
	}
	CHECK(*at < n, TARN_NOT_FOUND, "there is no %s %zu, there are %zu", output ? "output" : "input", *at, n);
	return TARN_OK;
}

/* Heap copy of a view. */
static tarn_err view(const void *from, size_t size, void *out)
{
	void *made = tarn_mem_zalloc(1, size);
	if (!made)
		return tarn_err_nomem(size);
	memcpy(made, from, size);
	memcpy(out, &made, sizeof made);
	return TARN_OK;
}

static ov_status_e input_view(const ov_preprocess_prepostprocessor_t *h, const char *name, size_t index, bool only,
			      ov_preprocess_input_info_t **out)
{
	tarn_preprocess *p = (tarn_preprocess *)&h->p;
	size_t at;
	tarn_err err = choose(p, false, name, index, only, &at);
	return tarn_status(err ? err : view(&(struct ov_preprocess_input_info){p, &p->in[at]}, sizeof **out, out));
}

static ov_status_e output_view(const ov_preprocess_prepostprocessor_t *h, const char *name, size_t index, bool only,
			       ov_preprocess_output_info_t **out)
{
	size_t at;
	tarn_err err = choose(&h->p, true, name, index, only, &at);
	return tarn_status(err ? err : view(&(struct ov_preprocess_output_info){&h->p.out[at]}, sizeof **out, out));
}

#define GET_INFO(what) \
	ov_status_e ov_preprocess_prepostprocessor_get_##what##_info(const ov_preprocess_prepostprocessor_t *preprocess, \
								     ov_preprocess_##what##_info_t **info) \
	{ \
		NEED(preprocess &&info); \
		return what##_view(preprocess, NULL, 0, true, info); \
	} \
	ov_status_e ov_preprocess_prepostprocessor_get_##what##_info_by_name( \
		const ov_preprocess_prepostprocessor_t *preprocess, const char *tensor_name, \
		ov_preprocess_##what##_info_t **info) \
	{ \
		NEED(preprocess &&tensor_name &&info); \
		return what##_view(preprocess, tensor_name, 0, false, info); \
	} \
	ov_status_e ov_preprocess_prepostprocessor_get_##what##_info_by_index( \
		const ov_preprocess_prepostprocessor_t *preprocess, const size_t tensor_index, \
		ov_preprocess_##what##_info_t **info) \
	{ \
		NEED(preprocess &&info); \
		return what##_view(preprocess, NULL, tensor_index, false, info); \
	} \
	void ov_preprocess_##what##_info_free(ov_preprocess_##what##_info_t *info) \
	{ \
		tarn_mem_free(info); \
	}
GET_INFO(input)
GET_INFO(output)

/* What a view shows further: another view of the same. */
#define GET_VIEW(getter, type, from) \
	ov_status_e getter(const from##_t *info, type##_t **out) \
	{ \
		NEED(info &&out); \
		return tarn_status(view(info, sizeof **out, out)); \
	} \
	void type##_free(type##_t *info) \
	{ \
		tarn_mem_free(info); \
	}
GET_VIEW(ov_preprocess_input_info_get_tensor_info, ov_preprocess_input_tensor_info, ov_preprocess_input_info)
GET_VIEW(ov_preprocess_input_info_get_preprocess_steps, ov_preprocess_preprocess_steps, ov_preprocess_input_info)
GET_VIEW(ov_preprocess_input_info_get_model_info, ov_preprocess_input_model_info, ov_preprocess_input_info)
GET_VIEW(ov_preprocess_output_info_get_tensor_info, ov_preprocess_output_tensor_info, ov_preprocess_output_info)

/* ---- the user's tensor ---- */

static tarn_err keep_text(const struct ov_preprocess_input_info *of, const char *text, const char **out)
{
	char *copy = tarn_arena_strdup(&of->p->arena, text);
	if (!copy)
		return tarn_err_nomem(strlen(text));
	*out = copy;
	of->in->touched = true;
	return TARN_OK;
}

ov_status_e ov_preprocess_input_model_info_set_layout(ov_preprocess_input_model_info_t *info, ov_layout_t *layout)
{
	NEED(info && layout);
	return tarn_status(keep_text(&info->of, layout->text, &info->of.in->model_layout));
}

ov_status_e ov_preprocess_input_tensor_info_set_layout(ov_preprocess_input_tensor_info_t *info, ov_layout_t *layout)
{
	NEED(info && layout);
	return tarn_status(keep_text(&info->of, layout->text, &info->of.in->layout));
}

ov_status_e ov_preprocess_input_tensor_info_set_element_type(ov_preprocess_input_tensor_info_t *info,
							     const ov_element_type_e element_type)
{
	NEED(info);
	info->of.in->touched = true;
	return tarn_status(tarn_dtype_of_ov(element_type, &info->of.in->type));
}

static bool is_color(ov_color_format_e color)
{
	return (int)color >= UNDEFINE && (int)color <= BGRX;
}

ov_status_e ov_preprocess_input_tensor_info_set_color_format_with_subname(ov_preprocess_input_tensor_info_t *info,
									  const ov_color_format_e color,
									  const size_t sub_names_size, ...)
{
	NEED(info && is_color(color));
	struct ov_preprocess_input_info *of = &info->of;
	size_t planes = (size_t)tarn_color_planes(color);
	if (sub_names_size && (planes == 1 || sub_names_size != planes))
		return tarn_status(tarn_err_set(TARN_USAGE,
						"%zu names of planes for a format that has %zu; give one for each of several",
						sub_names_size, planes));
	tarn_err err = TARN_OK;
	va_list ap;
	va_start(ap, sub_names_size);
	for (size_t i = 0; i < TARN_MAX_PLANES && !err; i++) {
		const char *word = i < sub_names_size ? va_arg(ap, const char *) : NULL;
		of->in->plane[i] = NULL;
		if (word)
			err = keep_text(of, word, &of->in->plane[i]);
		else if (i < sub_names_size)
			err = tarn_err_set(TARN_USAGE, "the name of plane %zu is NULL", i);
	}
	va_end(ap);
	of->in->color = color;
	of->in->touched = true;
	return tarn_status(err);
}

ov_status_e ov_preprocess_input_tensor_info_set_color_format(ov_preprocess_input_tensor_info_t *info,
							     const ov_color_format_e color)
{
	return ov_preprocess_input_tensor_info_set_color_format_with_subname(info, color, 0);
}

ov_status_e ov_preprocess_input_tensor_info_set_spatial_static_shape(ov_preprocess_input_tensor_info_t *info,
								     const size_t input_height, const size_t input_width)
{
	NEED(info && input_height > 0 && input_width > 0);
	if (input_height > INT32_MAX || input_width > INT32_MAX)
		return tarn_status(tarn_err_set(TARN_SHAPE, "an image of %zu x %zu is too large", input_width, input_height));
	info->of.in->height = (int64_t)input_height;
	info->of.in->width = (int64_t)input_width;
	info->of.in->touched = true;
	return OK;
}

ov_status_e ov_preprocess_input_tensor_info_set_memory_type(ov_preprocess_input_tensor_info_t *info, const char *mem_type)
{
	NEED(info && mem_type);
	return OK;
}

ov_status_e ov_preprocess_input_tensor_info_set_from(ov_preprocess_input_tensor_info_t *info, const ov_tensor_t *tensor)
{
	NEED(info && tensor);
	info->of.in->type = tensor->box->t.type;
	info->of.in->shape = tarn_tensor_shape(&tensor->box->t);
	info->of.in->touched = true;
	return OK;
}

/* ---- steps ---- */

static tarn_err add_step(const ov_preprocess_preprocess_steps_t *steps, const tarn_preprocess_step *step)
{
	tarn_preprocess_input *in = steps->of.in;
	TRY(VEC_GROW(&in->step));
	in->step.at[in->step.len++] = *step;
	in->touched = true;
	return TARN_OK;
}

static tarn_err numbers(ov_preprocess_preprocess_steps_t *steps, tarn_preprocess_kind kind, const float *values, int n)
{
	double *copy = tarn_arena_zalloc(&steps->of.p->arena, (size_t)n, sizeof *copy);
	if (!copy)
		return tarn_err_nomem((size_t)n * sizeof *copy);
	for (int i = 0; i < n; i++)
		copy[i] = values[i];
	return add_step(steps, &(tarn_preprocess_step){.kind = kind, .number = copy, .n = n});
}

ov_status_e ov_preprocess_preprocess_steps_scale(ov_preprocess_preprocess_steps_t *steps, float value)
{
	NEED(steps);
	return tarn_status(numbers(steps, TARN_PREPROCESS_SCALE, &value, 1));
}

ov_status_e ov_preprocess_preprocess_steps_scale_multi_channels(ov_preprocess_preprocess_steps_t *steps, const float *values,
								const int32_t value_size)
{
	NEED(steps && values && value_size > 0);
	return tarn_status(numbers(steps, TARN_PREPROCESS_SCALE, values, value_size));
}

ov_status_e ov_preprocess_preprocess_steps_mean(ov_preprocess_preprocess_steps_t *steps, float value)
{
	NEED(steps);
	return tarn_status(numbers(steps, TARN_PREPROCESS_MEAN, &value, 1));
}

ov_status_e ov_preprocess_preprocess_steps_mean_multi_channels(ov_preprocess_preprocess_steps_t *steps, const float *values,
							       const int32_t value_size)
{
	NEED(steps && values && value_size > 0);
	return tarn_status(numbers(steps, TARN_PREPROCESS_MEAN, values, value_size));
}

/* Fills begin and end of the step. */
static tarn_err limits(tarn_preprocess_step *s, const int *begin, size_t n_begin, const int *end, size_t n_end)
{
	CHECK(n_begin == n_end && n_begin >= 1 && n_begin <= TARN_MAX_RANK, TARN_USAGE,
	      "%zu beginnings and %zu ends; give one of each for each axis, at most %d", n_begin, n_end, TARN_MAX_RANK);
	s->n = (int)n_begin;
	for (int i = 0; i < s->n; i++) {
		s->begin[i] = begin[i];
		s->end[i] = end[i];
	}
	return TARN_OK;
}

ov_status_e ov_preprocess_preprocess_steps_crop(ov_preprocess_preprocess_steps_t *steps, int32_t *begin, int32_t begin_size,
						int32_t *end, int32_t end_size)
{
	NEED(steps && begin && end && begin_size > 0 && end_size > 0);
	tarn_preprocess_step s = {.kind = TARN_PREPROCESS_CROP};
	tarn_err err = limits(&s, begin, (size_t)begin_size, end, (size_t)end_size);
	return tarn_status(err ? err : add_step(steps, &s));
}

ov_status_e ov_preprocess_preprocess_steps_pad(const ov_preprocess_preprocess_steps_t *steps, const int *const pads_begin,
					       size_t pads_begin_size, const int *const pads_end, size_t pads_end_size,
					       float value, ov_padding_mode_e mode)
{
	NEED(steps && pads_begin && pads_end && (int)mode >= CONSTANT && (int)mode <= SYMMETRIC);
	double *number = tarn_arena_zalloc(&steps->of.p->arena, 1, sizeof *number);
	if (!number)
		return tarn_status(tarn_err_nomem(sizeof *number));
	*number = value;
	tarn_preprocess_step s = {.kind = TARN_PREPROCESS_PAD, .number = number, .mode = (int)mode};
	tarn_err err = limits(&s, pads_begin, pads_begin_size, pads_end, pads_end_size);
	return tarn_status(err ? err : add_step(steps, &s));
}

ov_status_e ov_preprocess_preprocess_steps_resize(ov_preprocess_preprocess_steps_t *steps,
						  const ov_preprocess_resize_algorithm_e algorithm)
{
	NEED(steps && (int)algorithm >= RESIZE_LINEAR && (int)algorithm <= RESIZE_NEAREST);
	return tarn_status(add_step(steps, &(tarn_preprocess_step){.kind = TARN_PREPROCESS_RESIZE, .mode = (int)algorithm}));
}

ov_status_e ov_preprocess_preprocess_steps_convert_layout(ov_preprocess_preprocess_steps_t *steps, ov_layout_t *layout)
{
	NEED(steps && layout);
	tarn_preprocess_step s = {.kind = TARN_PREPROCESS_LAYOUT};
	tarn_err err = keep_text(&steps->of, layout->text, &s.layout);
	return tarn_status(err ? err : add_step(steps, &s));
}

ov_status_e ov_preprocess_preprocess_steps_reverse_channels(ov_preprocess_preprocess_steps_t *steps)
{
	NEED(steps);
	return tarn_status(add_step(steps, &(tarn_preprocess_step){.kind = TARN_PREPROCESS_REVERSE}));
}

ov_status_e ov_preprocess_preprocess_steps_convert_element_type(ov_preprocess_preprocess_steps_t *steps,
								const ov_element_type_e element_type)
{
	NEED(steps);
	tarn_preprocess_step s = {.kind = TARN_PREPROCESS_TYPE};
	tarn_err err = element_type == DYNAMIC ? TARN_OK : tarn_dtype_of_ov(element_type, &s.type);
	return tarn_status(err ? err : add_step(steps, &s));
}

ov_status_e ov_preprocess_preprocess_steps_convert_color(ov_preprocess_preprocess_steps_t *steps, const ov_color_format_e color)
{
	NEED(steps && is_color(color));
	return tarn_status(add_step(steps, &(tarn_preprocess_step){.kind = TARN_PREPROCESS_COLOR, .color = color}));
}

/* ---- outputs ---- */

ov_status_e ov_preprocess_output_set_element_type(ov_preprocess_output_tensor_info_t *info,
						  const ov_element_type_e element_type)
{
	NEED(info);
	return tarn_status(tarn_dtype_of_ov(element_type, info->of.type));
}
