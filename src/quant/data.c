/* SPDX-License-Identifier: Apache-2.0 */
/* What the samples themselves look like: mistakes in the data are the most common reason for a bad INT8 model. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "quant/columns.h"
#include "quant/repair.h"

enum { COLUMNS = 256 };

/* ---- samples ---- */

static void add_values(tarn_quant_data *d, const tarn_tensor *t, double *sum, double *square, double *count, bool *constant)
{
	double first = 0;
	for (int64_t i = 0, n = tarn_tensor_count(t); i < n; i++) {
		double x = t->type == TARN_F32 ? (double)((const float *)t->data)[i] : tarn_tensor_f64(t, i);
		if (!i)
			first = x;
		*constant &= x == first;
		d->lo = fmin(d->lo, x);
		d->hi = fmax(d->hi, x);
		*sum += x;
		*square += x * x;
		++*count;
	}
}

static tarn_err describe_input(const tarn_quant_options *o, size_t k, size_t n_in, tarn_tensor *in, tarn_quant_data *d,
			       uint64_t *hash)
{
	double sum = 0, square = 0, count = 0;
	*d = (tarn_quant_data){.lo = (double)INFINITY, .hi = -(double)INFINITY};
	for (size_t i = 0; i < o->n_sample; i++) {
		bool constant = true;
		TRY(o->sample(o->ctx, i, in));
		if (in[k].type != TARN_STRING)
			add_values(d, &in[k], &sum, &square, &count, &constant);
		d->constant += constant && tarn_tensor_count(&in[k]) > 1;
		uint64_t h = in[k].type == TARN_STRING ? i : tarn_hash(in[k].data, tarn_tensor_bytes(&in[k]), 0);
		hash[i] = hash[i] * 1099511628211u ^ h;
		for (size_t x = 0; x < n_in; x++)
			tarn_tensor_fini(&in[x]);
	}
	d->mean = count > 0 ? sum / count : (double)NAN;
	d->deviation = count > 0 ? sqrt(fmax(0, square / count - d->mean * d->mean)) : (double)NAN;
	return TARN_OK;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* ---- against the first layer ---- */

typedef struct first_layer {
	quant_columns c;
	size_t input;
	const tarn_shape *y;
	int64_t samples;
} first_layer;

static tarn_err see(void *ctx, size_t sample, tarn_request *r)
{
	(void)sample;
	first_layer *f = ctx;
	return tarn_quant_columns_add(&f->c, &r->in[f->input], f->y, COLUMNS / f->samples + 1);
}

/* How much the data moves the first layer's outputs, over how large its biases are; and the share of its outputs above `top`.
 */
static void sway(const quant_columns *c, double top, double *ratio, double *above)
{
	int axis;
	const tarn_tensor *w = tarn_quant_weights_of(c->n, &axis);
	const tarn_tensor *b = c->n->n_in > 2 && c->n->in[2] ? c->n->in[2]->konst : NULL;
	int64_t outputs = w->dim[axis], per_group = outputs / c->groups, apart = axis ? outputs : 1;
	double deviation = 0, bias = 0, over = 0, positive = 0;
	for (int64_t o = 0; o < outputs; o++) {
		double sum = 0, square = 0, off = b ? tarn_tensor_f64(b, o) : 0;
		for (int64_t n = 0; n < c->count; n++) {
			const float *x = c->x + (o / per_group * c->room + n) * c->length;
			double y = 0;
			for (int64_t i = 0; i < c->length; i++)
				y += (double)((const float *)w->data)[(axis ? o : o * c->length) + i * apart] * (double)x[i];
			sum += y;
			square += y * y;
			over += y + off > top;
			positive += y + off > 0;
		}
		double mean = sum / (double)c->count;
		deviation += sqrt(fmax(0, square / (double)c->count - mean * mean));
		bias += fabs(off);
	}
	*ratio = bias > 0 ? deviation / bias : (double)INFINITY;
	*above = positive > 0 ? over / positive : 0;
}

/* The upper end of a Clip that alone reads v; INFINITY: there is none. */
static double cut_behind(const tarn_graph *g, const tarn_value *v)
{
	const tarn_node *n = tarn_graph_only_user(g, v);
	return tarn_quant_is(n, "Clip") && n->n_in > 2 && n->in[2] && n->in[2]->konst ? tarn_tensor_f64(n->in[2]->konst, 0)
										      : (double)INFINITY;
}

/* The first layer was trained for data of one range: in another one it either saturates, or sees nothing but its biases. */
static tarn_err judge_range(const quant_plan *p, const tarn_quant_options *o, size_t input, tarn_quant_data *d)
{
	const tarn_graph *g = p->m->main;
	quant_slice slice = tarn_quant_slice(o, 8, 0);
	const tarn_node *n = NULL;
	for (size_t i = 0; i < g->node.len && !n; i++)
		if (p->weight[i].scale && g->node.at[i]->in[0] == g->input.at[input])
			n = g->node.at[i];
	if (!n || !p->sized)
		return TARN_OK;
	first_layer f = {.input = input, .y = &p->sized->main->value.at[n->out[0]->id]->shape, .samples = (int64_t)slice.n};
	TRY(tarn_quant_columns_init(&f.c, n, COLUMNS));
	const int watched = (int)n->out[0]->id;
	tarn_err err = f.c.length ? tarn_quant_run(p->m, &watched, 1, o, slice, "looking at the data", see, &f) : TARN_OK;
	if (err == TARN_OK && f.c.count) {
		double ratio, above;
		sway(&f.c, cut_behind(g, n->out[0]), &ratio, &above);
		if (above > 0.5)
			d->warning = "most positive outputs of the first layer lie above its activation's upper end: the "
				     "data's range is "
				     "probably too wide for the model; check mean and scale";
		else if (ratio < 0.02)
			d->warning =
				"the data hardly moves the first layer, next to its biases: its range is probably too narrow "
				"for the model; check mean and scale";
	}
	tarn_quant_columns_fini(&f.c);
	return err;
}

static const char *range_name(double lo, double hi)
{
	if (lo >= 0 && hi <= 1)
		return "0..1";
	if (lo >= 0 && hi <= 255)
		return "0..255";
	if (lo >= -1.01 && hi <= 1.01)
		return "-1..1";
	return lo > -12 && hi < 12 && lo < 0 ? "normalized" : "other";
}

tarn_err tarn_quant_describe_data(const quant_plan *p, const tarn_quant_options *o, tarn_quant_report *r)
{
	const tarn_graph *g = p->m->main;
	size_t n = g->input.len;
	tarn_arena a = {0};
	uint64_t *hash = tarn_arena_zalloc(&a, o->n_sample + 1, sizeof *hash);
	tarn_tensor *in = tarn_arena_zalloc(&a, n + 1, sizeof *in);
	r->data = tarn_arena_zalloc(&r->arena, n + 1, sizeof *r->data);
	tarn_err err = TARN_OK;
	CHECK_GOTO(out, hash && in && r->data, TARN_NOMEM, "out of memory");
	for (size_t k = 0; k < n; k++) {
		TRY_GOTO(out, describe_input(o, k, n, in, &r->data[k], hash));
		r->data[k].range = range_name(r->data[k].lo, r->data[k].hi);
		TRY_GOTO(out, judge_range(p, o, k, &r->data[k]));
		r->n_data++;
	}
	qsort(hash, o->n_sample, sizeof *hash, by_value);
	r->duplicates = 0;
	for (size_t i = 1; i < o->n_sample; i++)
		r->duplicates += hash[i] == hash[i - 1];
out:
	for (size_t k = 0; in && k < n; k++)
		tarn_tensor_fini(&in[k]);
	tarn_arena_fini(&a);
	return err;
}
