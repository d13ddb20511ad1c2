/* SPDX-License-Identifier: Apache-2.0 */
/* tarn check: free dimensions, what each would need, and the commands that give it. */
#include <stdio.h>
#include <string.h>

#include "check.h"

int check_dims_find(check *c)
{
	return tarn_list_free_dims(c->s.model, &c->dims) == OK ? 0 : fail_last("check");
}

static const tarn_free_dim *find_dim(const check *c, const check_port *p, int axis)
{
	char text[300];
	snprintf(text, sizeof text, "%.250s[%d]", p->name, axis);
	for (size_t i = 0; i < c->dims.size; i++)
		if (!strcmp(c->dims.at[i].name, text) || (p->dim[axis] && !strcmp(c->dims.at[i].name, p->dim[axis])))
			return &c->dims.at[i];
	return NULL;
}

/* How a free axis is written in a -shape. */
enum shape_kind { FIXED, RANGE, OPEN };

static void put_axis(const check *c, const check_port *p, int axis, enum shape_kind kind, char *out, size_t size)
{
	const tarn_free_dim *d = check_is_free(p, axis) ? find_dim(c, p, axis) : NULL;
	if (!check_is_free(p, axis))
		snprintf(out, size, "%lld", (long long)p->shape.dims[axis].max);
	else if (!d || d->batch)
		snprintf(out, size, "1");
	else if (kind == FIXED || d->why)
		snprintf(out, size, "%lld", (long long)d->max);
	else if (kind == RANGE)
		snprintf(out, size, "1..%lld", (long long)d->max);
	else
		snprintf(out, size, "?");
}

/* "a[1,128],b[1,128]": every input with a free axis. Empty when it is too long to show. */
static void put_shapes(const check *c, enum shape_kind kind, char *out, size_t size)
{
	size_t n = 0;
	out[0] = 0;
	for (size_t i = 0; i < c->n_in && n + 300 < size; i++) {
		const check_port *p = &c->port[i];
		if (p->shape.rank.min != p->shape.rank.max || !ov_partial_shape_is_dynamic(p->shape))
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%.200s[", n ? "," : "", p->name);
		for (int k = 0; k < p->shape.rank.max && k < 8 && n + 30 < size; k++) {
			char word[24];
			put_axis(c, p, k, kind, word, sizeof word);
			n += (size_t)snprintf(out + n, size - n, "%s%s", k ? "," : "", word);
		}
		n += (size_t)snprintf(out + n, size - n, "]");
	}
	if (n + 300 >= size)
		out[0] = 0;
}

/* " --bound length=128": every dimension that can be bounded, but the batch. */
static int put_bounds(const check *c, char *out, size_t size)
{
	size_t n = 0;
	int count = 0;
	out[0] = 0;
	for (size_t i = 0; i < c->dims.size && n + 120 < size; i++) {
		const tarn_free_dim *d = &c->dims.at[i];
		bool quote = strpbrk(d->name, "[] *?$&;|<>()") != NULL;
		if (d->batch || d->why)
			continue;
		count++;
		n += (size_t)snprintf(out + n, size - n, " --bound %s%.80s=%lld%s", quote ? "'" : "", d->name,
				      (long long)d->max, quote ? "'" : "");
	}
	return count;
}

/* What cannot be bounded can have one size. */
static void help_fix(check *c)
{
	char words[700];
	size_t n = 0;
	words[0] = 0;
	for (size_t i = 0; i < c->dims.size && n + 130 < sizeof words; i++)
		if (c->dims.at[i].why)
			n += (size_t)snprintf(words + n, sizeof words - n, " --fix '%.80s=%lld'", c->dims.at[i].name,
					      c->dims.at[i].batch ? 1 : (long long)c->dims.at[i].max);
	if (n)
		check_help(c, "one size for what cannot be bounded: tarn convert -m %.300s -o fixed.onnx%s", c->s.o->model,
			   words);
}

void check_dims_help(check *c)
{
	char shape[1600], data[1600], bounds[700];
	if (!c->dims.size)
		return;
	put_shapes(c, FIXED, shape, sizeof shape);
	if (*shape)
		check_help(c, "the NPU takes fixed shapes: -shape '%s'", shape);
	help_fix(c);
	bool all = true; /* nothing but what --bound takes is free */
	for (size_t i = 0; i < c->dims.size; i++)
		all = all && !c->dims.at[i].batch && !c->dims.at[i].why;
	if (!put_bounds(c, bounds, sizeof bounds))
		return;
	put_shapes(c, OPEN, shape, sizeof shape);
	if (all)
		check_help(c, "one static model for sizes that vary: tarn convert -m %.300s -o fixed.onnx%s", c->s.o->model,
			   bounds);
	else if (*shape)
		check_help(c, "one static model for sizes that vary: tarn convert -m %.300s -o fixed.onnx -shape '%s'%s",
			   c->s.o->model, shape, bounds);
	put_shapes(c, RANGE, shape, sizeof shape);
	put_shapes(c, FIXED, data, sizeof data);
	if (*shape && *data)
		check_help(c,
			   "or let the library pad, in a program by ov_model_reshape: tarn bench -m %.300s -d NPU -shape '%s' "
			   "-data_shape '%s'",
			   c->s.o->model, shape, data);
	check_help(c,
		   "which sizes to pad to, from the lengths of your data: tarn tune -m %.300s -d NPU%s --lengths lengths.txt",
		   c->s.o->model, bounds);
}

/* The first few places; the rest as a number. */
static void print_places(const tarn_free_dim *d)
{
	const char *end = d->where;
	int more = 0;
	for (int i = 0; i < 3 && end; i++)
		end = strstr(end + (i > 0), ", ");
	for (const char *at = end; at; at = strstr(at + 1, ", "))
		more++;
	printf("free   '%s' (%.*s", d->name, end ? (int)(end - d->where) : (int)strlen(d->where), d->where);
	if (more)
		printf(" and %d more", more);
	printf("): ");
}

void check_dims_print(const check *c)
{
	for (size_t i = 0; i < c->dims.size; i++) {
		const tarn_free_dim *d = &c->dims.at[i];
		const char *reason = d->why ? strstr(d->why, "cannot be padded: ") : NULL;
		print_places(d);
		if (d->why)
			printf("cannot be bounded: %s\n", reason ? reason + strlen("cannot be padded: ") : d->why);
		else
			printf("can be bounded%s; at %lld, %d places of the graph are changed to make padding harmless\n",
			       d->together ? " together with the others" : "", (long long)d->max, d->repairs);
	}
}

void check_dims_json(const check *c, json *j)
{
	json_begin(j, "free_dimensions", '[');
	for (size_t i = 0; i < c->dims.size; i++) {
		const tarn_free_dim *d = &c->dims.at[i];
		json_begin(j, NULL, '{');
		json_text(j, "name", d->name);
		json_text(j, "where", d->where);
		json_bool(j, "batch", d->batch);
		json_bool(j, "can_be_bounded", !d->why);
		json_bool(j, "together", d->together);
		json_int(j, "tried", (long long)d->max);
		if (d->why)
			json_null(j, "repairs");
		else
			json_int(j, "repairs", d->repairs);
		json_text(j, "why", d->why);
		json_end(j, '}');
	}
	json_end(j, ']');
}
