/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/columns.h"

#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "ops/window.h"

tarn_err tarn_quant_columns_init(quant_columns *c, const tarn_node *n, int64_t room)
{
	int axis;
	const tarn_tensor *w = tarn_quant_weights_of(n, &axis);
	*c = (quant_columns){.n = n, .groups = 1, .room = room};
	if (!w || w->dim[axis] < 1 || (tarn_quant_is(n, "Conv") && w->rank - 2 > TARN_WINDOW_MAX))
		return TARN_OK;
	if (tarn_quant_is(n, "Conv"))
		c->groups = tarn_attr_i(n, tarn_attr_index(n->op, "group"));
	int64_t length = tarn_tensor_count(w) / w->dim[axis];
	if (c->groups < 1 || length < 1 || w->dim[axis] % c->groups)
		return TARN_OK;
	c->x = tarn_mem_zalloc((size_t)(c->groups * room), (size_t)length * sizeof *c->x);
	if (!c->x)
		return tarn_err_nomem((size_t)(c->groups * room * length) * sizeof *c->x);
	c->length = length;
	return TARN_OK;
}

void tarn_quant_columns_fini(quant_columns *c)
{
	tarn_mem_free(c->x);
	*c = (quant_columns){0};
}

static float *next(const quant_columns *c, int64_t group)
{
	return c->x + (group * c->room + c->count) * c->length;
}

/* Positions at which to look: `most` of `all`, evenly. */
static int64_t spread(int64_t i, int64_t most, int64_t all)
{
	return most >= all ? i : i * all / most + all / most / 2;
}

static void add_rows(quant_columns *c, const tarn_tensor *x, int64_t most)
{
	int64_t rows = tarn_tensor_count(x) / c->length, take = most < rows ? most : rows;
	for (int64_t i = 0; i < take && c->count < c->room; i++, c->count++)
		memcpy(next(c, 0), (const float *)x->data + spread(i, take, rows) * c->length,
		       (size_t)c->length * sizeof *c->x);
}

/* The window of output position `at` (three axes) over the channels of one group, into `to`; zeros outside. */
static void window_at(const tarn_window *w, const int64_t *in, const float *x, int64_t channels, const int64_t *at, float *to)
{
	int64_t plane = in[0] * in[1] * in[2];
	for (int64_t ch = 0; ch < channels; ch++)
		for (int64_t a = 0; a < w->kernel[0]; a++)
			for (int64_t b = 0; b < w->kernel[1]; b++)
				for (int64_t d = 0; d < w->kernel[2]; d++) {
					int64_t i = at[0] * w->stride[0] - w->begin[0] + a * w->dilation[0],
						j = at[1] * w->stride[1] - w->begin[1] + b * w->dilation[1],
						k = at[2] * w->stride[2] - w->begin[2] + d * w->dilation[2];
					bool in_it = i >= 0 && i < in[0] && j >= 0 && j < in[1] && k >= 0 && k < in[2];
					*to++ = in_it ? x[ch * plane + (i * in[1] + j) * in[2] + k] : 0;
				}
}

static tarn_err add_windows(quant_columns *c, const tarn_tensor *x, const tarn_shape *y, int64_t most)
{
	tarn_window w;
	int64_t in[TARN_WINDOW_MAX], out[TARN_WINDOW_MAX];
	int nd = x->rank - 2;
	TRY(tarn_window_read(c->n, nd, c->n->in[1]->konst->dim + 2, &w));
	for (int i = 0; i < nd; i++) {
		in[i] = x->dim[i + 2];
		out[i] = y->dim[i + 2];
	}
	tarn_window_resolve(&w, in, out);
	tarn_window_widen(&w, in, out);
	int64_t all = out[0] * out[1] * out[2], channels = x->dim[1] / c->groups, plane = in[0] * in[1] * in[2];
	int64_t batch = x->dim[0], positions = all * batch, take = most < positions ? most : positions;
	for (int64_t i = 0; i < take && c->count < c->room; i++, c->count++) {
		int64_t p = spread(i, take, positions), n = p / all,
			at[] = {p % all / (out[1] * out[2]), p / out[2] % out[1], p % out[2]};
		for (int64_t g = 0; g < c->groups; g++)
			window_at(&w, in, (const float *)x->data + (n * x->dim[1] + g * channels) * plane, channels, at,
				  next(c, g));
	}
	return TARN_OK;
}

tarn_err tarn_quant_columns_add(quant_columns *c, const tarn_tensor *x, const tarn_shape *y, int64_t most)
{
	if (!c->length || !tarn_tensor_count(x) || x->type != TARN_F32)
		return TARN_OK;
	if (tarn_quant_is(c->n, "Conv"))
		return x->rank == y->rank && tarn_shape_is_static(y) ? add_windows(c, x, y, most) : TARN_OK;
	add_rows(c, x, most);
	return TARN_OK;
}

int tarn_quant_source(const tarn_graph *g, const tarn_value *v, int *which, int *n)
{
	for (size_t i = 0; i < g->input.len; i++)
		if (g->input.at[i] == v)
			return -1 - (int)i;
	for (int i = 0; i < *n; i++)
		if (which[i] == (int)v->id)
			return i;
	which[*n] = (int)v->id;
	return (*n)++;
}
