/* SPDX-License-Identifier: Apache-2.0 */
#include "bounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BOUNDS = 64, MAX_NAME = 256 };

/* "NAME=MAX" or "NAME=MAX@BATCH"; NAME may hold anything but '='. */
static int parse(const session *s, const char *word, char *name, tarn_bound_dim *dim)
{
	const char *eq = strrchr(word, '=');
	char *end = NULL;
	long max = eq ? strtol(eq + 1, &end, 10) : 0;
	bool per = end && *end == '@' && end[1];
	if (!eq || eq == word || eq - word >= MAX_NAME || !end || end == eq + 1 || (*end && !per) || max < 1)
		return fail(2, s->command, "--bound '%s' is no bound; write NAME=MAX, as in length=128, or NAME=MAX@BATCH",
			    word);
	memcpy(name, word, (size_t)(eq - word));
	name[eq - word] = 0;
	*dim = (tarn_bound_dim){name, max, per ? end + 1 : NULL};
	return 0;
}

/* All at once: sizes that hang on two of them are understood. */
static int rewrite(session *s, bounds *b)
{
	static char name[MAX_BOUNDS][MAX_NAME];
	tarn_bound_dim dim[MAX_BOUNDS];
	size_t n = s->o->bound.n;
	if (n > MAX_BOUNDS)
		return fail(2, s->command, "%zu bounds; at most %d", n, MAX_BOUNDS);
	for (size_t i = 0; i < n; i++) {
		int code = parse(s, s->o->bound.at[i], name[i], &dim[i]);
		if (code)
			return code;
	}
	ov_status_e status = n ? tarn_bound_model_dims(s->model, dim, n, &b->repairs) : OK;
	int code = status == OK ? 0 : fail_last(s->command);
	if (status == NOT_IMPLEMENTED)
		note("one size instead, without padding: --fix NAME=SIZE");
	return code;
}

int bounds_open(session *s)
{
	if (s->is_blob && s->o->bound.n)
		return fail(2, s->command, "a compiled model keeps its shapes; leave out --bound");
	if (s->is_blob)
		return 0;
	bounds *b = s->bounds = calloc(1, sizeof *b);
	int code = b ? 0 : fail(1, s->command, "out of memory");
	if (!code)
		code = rewrite(s, b);
	while (!code) {
		tarn_bound_info info;
		ov_status_e status = tarn_get_bound(s->model, b->n, &info);
		if (status == NOT_FOUND)
			break;
		tarn_bound_info *at = status == OK ? realloc(b->at, (b->n + 1) * sizeof *at) : NULL;
		if (!at) {
			code = status == OK ? fail(1, s->command, "out of memory") : fail_last(s->command);
			if (status == OK)
				tarn_free_bound(&info);
			break;
		}
		b->at = at;
		b->at[b->n++] = info;
	}
	if (code)
		return code;
	b->given = calloc(b->n + 1, sizeof *b->given);
	b->valid = calloc(b->n + 1, sizeof *b->valid);
	if (!b->given || !b->valid)
		return fail(1, s->command, "out of memory");
	for (size_t i = 0; i < b->n; i++)
		b->given[i] = b->valid[i] = -1;
	return 0;
}

void bounds_close(bounds *b)
{
	for (size_t i = 0; b && i < b->n; i++)
		tarn_free_bound(&b->at[i]);
	if (b) {
		free(b->at);
		free(b->given);
		free(b->valid);
	}
	free(b);
}

bool bounds_is_length(const bounds *b, const char *input)
{
	for (size_t i = 0; b && i < b->n; i++)
		if (!strcmp(b->at[i].length_input, input))
			return true;
	return false;
}

void bounds_free_axes(const bounds *b, const char *input, ov_partial_shape_t *shape)
{
	for (size_t i = 0; b && i < b->n; i++)
		for (size_t k = 0; k < b->at[i].n_axis; k++) {
			const tarn_bound_axis *a = &b->at[i].axis[k];
			if (!a->output && !strcmp(a->port, input) && shape->rank.max > (int64_t)a->axis)
				shape->dims[a->axis] = (ov_dimension_t){0, -1};
		}
}

static int parse_fill(const session *s, tarn_pad_fill *fill)
{
	static const char *const words[] = {"zero", "nan", "random"};
	const char *word = s->o->pad_fill;
	*fill = TARN_PAD_WITH_ZERO;
	for (int i = 0; word && i < 3; i++)
		if (!strcmp(word, words[i])) {
			*fill = (tarn_pad_fill)i;
			return 0;
		}
	return word ? fail(2, s->command, "--pad-fill cannot be '%s'; give zero, nan or random", word) : 0;
}

static int length_of(const session *s, const ov_tensor_t *t, size_t axis, int64_t *n)
{
	ov_shape_t shape = {0, NULL};
	if (ov_tensor_get_shape(t, &shape) != OK)
		return fail_last(s->command);
	*n = axis < (size_t)shape.rank ? shape.dims[axis] : -1;
	ov_shape_free(&shape);
	return *n >= 0 ? 0 : fail(3, s->command, "the data has no axis %zu", axis);
}

static void replace(ov_tensor_t **t, ov_tensor_t *by)
{
	ov_tensor_free(*t);
	*t = by;
}

/* One padded axis of one input. */
static int pad_axis(session *s, size_t bound, const tarn_bound_axis *a, ov_tensor_t **t, tarn_pad_fill fill)
{
	bounds *b = s->bounds;
	const tarn_bound_info *info = &b->at[bound];
	ov_tensor_t *next;
	int64_t n = 0;
	int code = length_of(s, *t, a->axis, &n);
	if (code)
		return code;
	if (b->given[bound] >= 0 && b->given[bound] != n)
		return fail(3, s->command, "input '%s' has %lld elements along '%s', another input %lld; they must agree",
			    a->port, (long long)n, info->name, (long long)b->given[bound]);
	b->given[bound] = n;
	if (n > info->max && !s->o->truncate)
		return fail(3, s->command,
			    "input '%s' has %lld elements along '%s', its bound is %lld; give a larger bound, or --truncate",
			    a->port, (long long)n, info->name, (long long)info->max);
	if (n > info->max) {
		if (tarn_slice_tensor(*t, a->axis, info->max, &next) != OK)
			return fail_last(s->command);
		replace(t, next);
		b->truncated++;
		n = info->max;
	}
	b->valid[bound] = n;
	if (tarn_pad_tensor(*t, a->axis, info->max, fill, &next) != OK)
		return fail_last(s->command);
	replace(t, next);
	return 0;
}

/* The same length for every sample. */
static int make_length(const session *s, int64_t n, int64_t samples, ov_tensor_t **t)
{
	ov_shape_t shape = {0, NULL};
	void *at;
	if (ov_shape_create(1, &samples, &shape) != OK || ov_tensor_create(I64, shape, t) != OK ||
	    ov_tensor_data(*t, &at) != OK) {
		ov_shape_free(&shape);
		return fail_last(s->command);
	}
	for (int64_t i = 0; i < samples; i++)
		((int64_t *)at)[i] = n;
	ov_shape_free(&shape);
	return 0;
}

static long find(const input_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++)
		if (!strcmp(set->name[i], name))
			return (long)i;
	return -1;
}

void bounds_assume_full(bounds *b)
{
	for (size_t i = 0; b && i < b->n; i++)
		b->valid[i] = b->at[i].max;
}

int bounds_pad(session *s, input_set *set)
{
	bounds *b = s->bounds;
	tarn_pad_fill fill;
	int code = parse_fill(s, &fill);
	for (size_t i = 0; b && i < b->n && !code; i++) {
		for (size_t k = 0; k < b->at[i].n_axis && !code; k++) {
			const tarn_bound_axis *a = &b->at[i].axis[k];
			long at = a->output ? -1 : find(set, a->port);
			if (at >= 0 && set->tensor[at])
				code = pad_axis(s, i, a, &set->tensor[at], fill);
		}
		long at = find(set, b->at[i].length_input);
		if (!code && at >= 0 && !set->tensor[at] && b->valid[i] >= 0)
			code = make_length(s, b->valid[i], b->at[i].samples, &set->tensor[at]);
	}
	return code;
}

/* What an output of its own says of a valid size; of several samples, the largest. */
static int told_size(const session *s, const ov_infer_request_t *r, const char *name, int64_t *size)
{
	ov_tensor_t *t = NULL;
	void *at = NULL;
	size_t n = 0;
	*size = 0;
	if (ov_infer_request_get_tensor(r, name, &t) != OK || ov_tensor_data(t, &at) != OK || ov_tensor_get_size(t, &n) != OK) {
		ov_tensor_free(t);
		return fail_last(s->command);
	}
	for (size_t i = 0; i < n; i++)
		*size = ((int64_t *)at)[i] > *size ? ((int64_t *)at)[i] : *size;
	ov_tensor_free(t);
	return 0;
}

int bounds_slice(const session *s, const ov_infer_request_t *r, const char *output, ov_tensor_t **tensor)
{
	const bounds *b = s->bounds;
	for (size_t i = 0; b && i < b->n; i++)
		for (size_t k = 0; k < b->at[i].n_axis; k++) {
			const tarn_bound_axis *a = &b->at[i].axis[k];
			int64_t size = b->valid[i];
			ov_tensor_t *valid;
			if (!a->output || strcmp(a->port, output))
				continue;
			int code = a->size_output ? told_size(s, r, a->size_output, &size) : 0;
			if (code)
				return code;
			if (size < 0)
				continue;
			if (tarn_slice_tensor(*tensor, a->axis, size, &valid) != OK)
				return fail_last(s->command);
			replace(tensor, valid);
		}
	return 0;
}

static void show_one(const bounds *b, size_t i, json *j)
{
	const tarn_bound_info *info = &b->at[i];
	if (!j) {
		printf("'%s' at most %lld", info->name, (long long)info->max);
		if (b->valid[i] >= 0)
			printf(", %lld valid: %.1f %% is padding", (long long)b->valid[i],
			       100 * (1 - (double)b->valid[i] / (double)info->max));
		if (b->given[i] > b->valid[i])
			printf(", %lld cut off", (long long)(b->given[i] - b->valid[i]));
		printf("; input %s takes the valid length\n", info->length_input);
		return;
	}
	json_begin(j, NULL, '{');
	json_text(j, "name", info->name);
	json_int(j, "max", info->max);
	json_text(j, "length_input", info->length_input);
	json_int(j, "samples", info->samples);
	if (b->valid[i] >= 0) {
		json_int(j, "valid", b->valid[i]);
		json_int(j, "cut_off", b->given[i] - b->valid[i]);
	}
	json_end(j, '}');
}

static void show_repairs(const tarn_bound_repairs *r, json *j)
{
	if (j) {
		json_int(j, "repairs", r->places);
		json_begin(j, "repair_cost", '{');
		json_int(j, "masks", r->masks);
		json_int(j, "gathers", r->gathers);
		json_int(j, "scales", r->scales);
		json_int(j, "lengths", r->lengths);
		json_int(j, "numbers", r->numbers);
		json_int(j, "elements", r->elements);
		json_end(j, '}');
		return;
	}
	if (!r->places)
		return;
	printf("%d places of the graph were changed to make padding harmless: %d masks, %d gathers, %d means by valid count, "
	       "%d recurrences told the length, %d lengths as numbers",
	       r->places, r->masks, r->gathers, r->scales, r->lengths, r->numbers);
	if (r->elements >= 0)
		printf("; they write %.3g million elements per inference", (double)r->elements * 1e-6);
	printf("\n");
}

void bounds_show(const bounds *b, json *j)
{
	if (!b || !b->n)
		return;
	if (j)
		json_begin(j, "bounds", '[');
	for (size_t i = 0; i < b->n; i++)
		show_one(b, i, j);
	if (j)
		json_end(j, ']');
	show_repairs(&b->repairs, j);
	if (j)
		json_int(j, "truncated", (long long)b->truncated);
}
