/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bounds.h"
#include "say.h"
#include "tarn/data.h"

static const struct {
	ov_element_type_e type;
	const char *text;
	int bits;
	bool is_float;
} types[] = {
	{OV_BOOLEAN, "boolean", 8, false},
	{BF16, "bf16", 16, true},
	{F16, "f16", 16, true},
	{F32, "f32", 32, true},
	{F64, "f64", 64, true},
	{I4, "i4", 4, false},
	{I8, "i8", 8, false},
	{I16, "i16", 16, false},
	{I32, "i32", 32, false},
	{I64, "i64", 64, false},
	{U4, "u4", 4, false},
	{U8, "u8", 8, false},
	{U16, "u16", 16, false},
	{U32, "u32", 32, false},
	{U64, "u64", 64, false},
	{STRING, "string", 64, false},
};
enum { N_TYPES = sizeof types / sizeof *types };

const char *type_text(ov_element_type_e type)
{
	for (int i = 0; i < N_TYPES; i++)
		if (types[i].type == type)
			return types[i].text;
	return "dynamic";
}

bool type_parse(const char *text, ov_element_type_e *type)
{
	for (int i = 0; i < N_TYPES; i++)
		if (!strcasecmp(types[i].text, text)) {
			*type = types[i].type;
			return true;
		}
	return false;
}

void shape_text(const ov_partial_shape_t *s, char *out, size_t size)
{
	const char *text = ov_partial_shape_to_string(*s);
	snprintf(out, size, "%s", text ? text : "?");
	for (char *c = out; *c; c++)
		*c = *c == '{' ? '[' : *c == '}' ? ']' : *c;
	if (s->rank.min == 0 && s->rank.max == 0)
		snprintf(out, size, "[]");
	ov_free(text);
}

size_t input_count(const session *s)
{
	size_t n = 0;
	if (s->compiled)
		ov_compiled_model_inputs_size(s->compiled, &n);
	else if (s->model)
		ov_model_inputs_size(s->model, &n);
	return n;
}

int input_describe(const session *s, size_t i, char **name, ov_element_type_e *type, ov_partial_shape_t *shape)
{
	ov_output_const_port_t *port = NULL;
	ov_status_e status = s->compiled ? ov_compiled_model_input_by_index(s->compiled, i, &port)
					 : ov_model_const_input_by_index(s->model, i, &port);
	*name = NULL;
	*shape = (ov_partial_shape_t){{0, 0}, NULL};
	if (status == OK)
		status = ov_port_get_any_name(port, name);
	if (status == OK)
		status = ov_port_get_element_type(port, type);
	if (status == OK)
		status = ov_port_get_partial_shape(port, shape);
	ov_output_const_port_free(port);
	return status == OK ? 0 : fail_last(s->command);
}

/* Index of the input that "NAME=FILE" or "NAME:FILE" names, and where FILE starts. -1: no name in it. */
static long split(const input_set *set, const char *word, const char **file)
{
	for (size_t i = 0; i < set->n; i++) {
		size_t n = strlen(set->name[i]);
		if (!strncmp(word, set->name[i], n) && (word[n] == '=' || word[n] == ':')) {
			*file = word + n + 1;
			return (long)i;
		}
	}
	*file = word;
	return -1;
}

/* The input that needs no name: the only one that wants data. */
static long only_input(const session *s, const input_set *set)
{
	long only = -1;
	for (size_t i = 0; i < set->n; i++) {
		if (bounds_is_length(s->bounds, set->name[i]))
			continue;
		if (only >= 0)
			return -1;
		only = (long)i;
	}
	return only;
}

/* A name that is no input's, as opposed to a file with '=' in its name. */
static bool names_another(const char *word)
{
	return strchr(word, '=') && access(word, F_OK);
}

static int load_one(const session *s, input_set *set, const char *word)
{
	const char *file;
	long i = split(set, word, &file);
	if (i < 0 && !names_another(word))
		i = only_input(s, set);
	if (i < 0) {
		char names[512] = "";
		for (size_t k = 0; k < set->n; k++)
			snprintf(names + strlen(names), sizeof names - strlen(names), " %s", set->name[k]);
		return fail(2, s->command, "-i '%s' names no input; write NAME=FILE with one of:%s", word, names);
	}
	if (set->tensor[i])
		return fail(2, s->command, "input '%s' is given twice; give it once", set->name[i]);
	char *name;
	ov_element_type_e type;
	ov_partial_shape_t shape;
	int code = input_describe(s, (size_t)i, &name, &type, &shape);
	if (!code)
		bounds_free_axes(s->bounds, name, &shape);
	ov_status_e status = code ? OK : tarn_read_input(file, type, shape, set->prep, &set->tensor[i]);
	if (status == PARAMETER_MISMATCH && s->any_size) {
		for (int64_t k = 0; k < shape.rank.max; k++)
			shape.dims[k] = (ov_dimension_t){-1, -1};
		status = tarn_read_input(file, type, shape, set->prep, &set->tensor[i]);
	}
	if (status != OK)
		code = fail_last(s->command);
	ov_free(name);
	ov_partial_shape_free(&shape);
	return code;
}

/* "1,2,3" or "1" for all three; true when it is that. */
static bool three(const char *text, double out[3])
{
	char end;
	int n = sscanf(text, "%lf,%lf,%lf%c", &out[0], &out[1], &out[2], &end);
	if (n == 1 && !strchr(text, ','))
		out[1] = out[2] = out[0];
	return n == 3 || (n == 1 && !strchr(text, ','));
}

int prep_options(const session *s, tarn_data_options_t *prep)
{
	const options *o = s->o;
	char end;
	*prep = (tarn_data_options_t){.color = o->color, .layout = o->layout, .resize = o->resize > 0 ? (int)o->resize : 0};
	if (o->mean_values && !three(o->mean_values, prep->mean))
		return fail(2, s->command, "-mean_values cannot be '%s'; give one number, or three with commas",
			    o->mean_values);
	if (o->scale_values && !three(o->scale_values, prep->scale))
		return fail(2, s->command, "-scale_values cannot be '%s'; give one number, or three with commas",
			    o->scale_values);
	if (o->crop && sscanf(o->crop, "%d,%d%c", &prep->crop_width, &prep->crop_height, &end) != 2)
		return fail(2, s->command, "-crop cannot be '%s'; give W,H", o->crop);
	if (o->color && strcmp(o->color, "RGB") && strcmp(o->color, "BGR") && strcmp(o->color, "GRAY"))
		return fail(2, s->command, "-color cannot be '%s'; give RGB, BGR or GRAY", o->color);
	return 0;
}

int input_load(session *s, input_set *set)
{
	size_t n = input_count(s);
	tarn_data_options_t prep;
	int code = prep_options(s, &prep);
	*set = (input_set){n, calloc(n + 1, sizeof *set->tensor), calloc(n + 1, sizeof *set->name), &prep};
	if (!set->tensor || !set->name)
		return fail(1, s->command, "out of memory");
	for (size_t i = 0; i < n && !code; i++) {
		ov_element_type_e type;
		ov_partial_shape_t shape;
		code = input_describe(s, i, &set->name[i], &type, &shape);
		ov_partial_shape_free(&shape);
	}
	for (size_t i = 0; i < s->o->input.n && !code; i++)
		code = load_one(s, set, s->o->input.at[i]);
	set->prep = NULL;
	return code ? code : bounds_pad(s, set);
}

void input_close(input_set *set)
{
	for (size_t i = 0; set->tensor && i < set->n; i++)
		ov_tensor_free(set->tensor[i]);
	for (size_t i = 0; set->name && i < set->n; i++)
		ov_free(set->name[i]);
	free(set->tensor);
	free(set->name);
}

int input_check_complete(const session *s, const input_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (!set->tensor[i])
			return fail(2, s->command, "input '%s' has no data; add -i %s=FILE.npy", set->name[i], set->name[i]);
	return 0;
}

/* Will the library make static programs of the free dimensions itself? It does inside bounds. */
static bool has_bounds(const session *s)
{
	bool bounded = s->o->plan != NULL;
	for (size_t i = 0; i < s->o->property.n; i++)
		bounded = bounded || !strncmp(s->o->property.at[i], "TARN_BUCKETS=", 13);
	if (bounded)
		return true;
	for (size_t i = 0; i < input_count(s); i++) {
		ov_partial_shape_t shape = {{0, 0}, NULL};
		ov_element_type_e type;
		char *name = NULL;
		bounded = !input_describe(s, i, &name, &type, &shape) && shape.rank.min == shape.rank.max;
		for (int64_t k = 0; bounded && k < shape.rank.max; k++)
			bounded = shape.dims[k].max >= 0;
		ov_free(name);
		ov_partial_shape_free(&shape);
		if (!bounded)
			return false;
	}
	return true;
}

int input_fix_shapes(session *s, const input_set *set)
{
	if (!s->model || !ov_model_is_dynamic(s->model) || !set->n || has_bounds(s))
		return 0;
	size_t *index = calloc(set->n, sizeof *index), n = 0;
	ov_partial_shape_t *shape = calloc(set->n, sizeof *shape);
	int code = index && shape ? 0 : fail(1, s->command, "out of memory");
	for (size_t i = 0; i < set->n && !code; i++) {
		ov_shape_t now = {0, NULL};
		if (!set->tensor[i])
			continue;
		if (ov_tensor_get_shape(set->tensor[i], &now) != OK || ov_shape_to_partial_shape(now, &shape[n]) != OK)
			code = fail_last(s->command);
		ov_shape_free(&now);
		if (!code)
			index[n++] = i;
	}
	if (!code && n && ov_model_reshape_by_port_indexes(s->model, index, shape, n) != OK)
		code = fail_last(s->command);
	if (!code && n)
		note("device %s takes fixed shapes only: the model was reshaped to the data", s->device);
	for (size_t i = 0; i < n; i++)
		ov_partial_shape_free(&shape[i]);
	free(index);
	free(shape);
	return code;
}

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

bool input_fill(ov_tensor_t *t, uint64_t *seed)
{
	ov_element_type_e type = DYNAMIC;
	size_t n = 0;
	void *at = NULL;
	if (!*seed)
		*seed = 1;
	if (ov_tensor_get_element_type(t, &type) != OK || ov_tensor_get_size(t, &n) != OK || ov_tensor_data(t, &at) != OK)
		return false;
	int bits = 0;
	for (int i = 0; i < N_TYPES; i++)
		if (types[i].type == type)
			bits = types[i].bits;
	if (type == STRING || bits < 8)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint64_t r = next_random(seed) >> 32;
		if (type == F32)
			((float *)at)[i] = (float)(r >> 8) * 0x1p-24f;
		else if (type == F64)
			((double *)at)[i] = (double)r * 0x1p-32;
		else if (type == F16) /* 0.5 to 1: exponent 14, any mantissa */
			((uint16_t *)at)[i] = (uint16_t)(0x3800 | (r & 0x3ff));
		else if (type == BF16)
			((uint16_t *)at)[i] = (uint16_t)(0x3f00 | (r & 0x7f));
		else {
			memset((char *)at + i * (size_t)bits / 8, 0, (size_t)bits / 8);
			((char *)at)[i * (size_t)bits / 8] = (char)(r & 1);
		}
	}
	return true;
}
