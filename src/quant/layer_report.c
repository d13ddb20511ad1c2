/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/layer_report.h"

#include <math.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "ops/ops.h"
#include "quant/run.h"

enum { SAMPLES = 4, WATCHED_INPUTS = 2 };
#define WATCHED_BYTES ((size_t)64 << 20)

/* An input of an INT8 layer: the values before its quantizer. */
typedef struct feed {
	int at;             /* of the watched, -1 - i for input i of the graph; */
	const tarn_node *q; /* the quantizer; NULL: none */
	uint8_t used[256];
	int64_t clipped, count;
} feed;

typedef struct row {
	const tarn_node *f, *q;    /* the node in both models; q NULL: gone */
	int watched;               /* the first of its values among the watched */
	int result, alone;         /* of the watched: as it is there, with floats on the same inputs; -1 none */
	double power[2], noise[2]; /* total, own */
	feed in[WATCHED_INPUTS];
} row;

typedef struct reporter {
	const tarn_model *f;
	const tarn_quant_options *o;
	tarn_arena arena;
	row *row;
	int n, *of;          /* of: by node index of f, its row or -1 */
	int *which, n_which; /* the watched values of the quantized model */
	int first, end;      /* rows of the part that is run */
	quant_slice slice;
	quant_runner floats; /* runs beside the quantized model: values of one sample are held */
} reporter;

/* ---- which layers ---- */

static const tarn_node *quantizer(const tarn_value *v)
{
	const tarn_node *d = v ? v->def : NULL;
	if (!d || d->op != tarn_op_find(NULL, "DequantizeLinear") || !d->in[0]->def ||
	    d->in[0]->def->op != tarn_op_find(NULL, "QuantizeLinear"))
		return NULL;
	return d->in[0]->def;
}

/* Reads codes: behind a quantizer, or behind one through what moves codes. */
static bool on_codes(const tarn_node *n)
{
	for (int k = 0; n && k < n->n_in; k++)
		if (n->in[k] && n->in[k]->def && n->in[k]->def->op == tarn_op_find(NULL, "DequantizeLinear") &&
		    !n->in[k]->def->in[0]->konst)
			return true;
	return false;
}

static const char *state_of(const row *x)
{
	if (!x->q || !on_codes(x->q))
		return "float";
	return x->f->op->quant.kind == TARN_QUANT_INPUTS ? "int8" : "moves";
}

static tarn_err list_rows(reporter *p, const tarn_graph *q)
{
	const tarn_graph *g = p->f->main;
	tarn_map names = {0};
	bool *varies = tarn_arena_zalloc(&p->arena, g->value.len + 1, sizeof *varies);
	p->row = tarn_arena_zalloc(&p->arena, g->node.len + 1, sizeof *p->row);
	p->of = tarn_arena_zalloc(&p->arena, g->node.len + 1, sizeof *p->of);
	if (!varies || !p->row || !p->of)
		return tarn_err_nomem(g->node.len * sizeof *p->row);
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < q->node.len && err == TARN_OK; i++)
		err = tarn_map_put(&names, q->node.at[i]->name, q->node.at[i]);
	for (size_t i = 0; i < g->input.len; i++)
		varies[g->input.at[i]->id] = true;
	for (size_t i = 0; i < g->node.len && err == TARN_OK; i++) {
		const tarn_node *n = g->node.at[i];
		bool any = false;
		p->of[i] = -1;
		for (int k = 0; k < n->n_in; k++)
			any |= n->in[k] && varies[n->in[k]->id];
		for (int k = 0; k < n->n_out; k++)
			if (n->out[k])
				varies[n->out[k]->id] = any;
		if (!any || !n->out[0] || !tarn_dtype_is_float(n->out[0]->type))
			continue;
		p->of[i] = p->n;
		p->row[p->n++] = (row){.f = n, .q = tarn_map_find(&names, n->name), .result = -1, .alone = -1};
	}
	tarn_map_fini(&names);
	return err;
}

/* ---- the watched model ---- */

static int watch(reporter *p, const tarn_value *v)
{
	p->which[p->n_which] = (int)v->id;
	return p->n_which++;
}

/* The constant that the float model has in the place of a dequantized one. */
static tarn_err float_constant(tarn_graph *g, const tarn_value *of, tarn_value **v)
{
	return tarn_value_const(g, of->name, of->konst, v);
}

/* The layer in floats, on the inputs it has in the quantized model, before they are rounded. */
static tarn_err add_twin(reporter *p, tarn_graph *g, row *x, tarn_node *n)
{
	tarn_node *t;
	int feeds = 0;
	TRY(tarn_node_new(g, n->op, NULL, n->n_in, 1, -1, &t));
	memcpy(t->attr, (x->f->op == n->op ? x->f : n)->attr, (size_t)n->op->n_attr * sizeof *t->attr);
	for (int k = 0; k < n->n_in; k++) {
		const tarn_node *q = quantizer(n->in[k]);
		tarn_value *same = q && k < x->f->n_in && x->f->in[k] ? tarn_graph_find(g, x->f->in[k]->name) : NULL;
		t->in[k] = same ? same : q ? q->in[0] : n->in[k]; /* behind two codes for a value lies the value */
		if (!q && n->in[k] && k < x->f->n_in && x->f->in[k] && x->f->in[k]->konst)
			TRY(float_constant(g, x->f->in[k], &t->in[k]));
		if (q && feeds < WATCHED_INPUTS) {
			const tarn_value *v = t->in[k];
			x->in[feeds] = (feed){.q = q};
			if (v->def)
				x->in[feeds].at = watch(p, v);
			for (size_t i = 0; i < g->input.len; i++)
				if (g->input.at[i] == v)
					x->in[feeds].at = -1 - (int)i;
			feeds++;
		}
	}
	t->out[0]->type = n->out[0]->type;
	t->out[0]->shape = n->out[0]->shape;
	x->alone = watch(p, t->out[0]);
	return TARN_OK;
}

static tarn_err build(reporter *p, tarn_model *m)
{
	tarn_graph *g = m->main;
	TRY(list_rows(p, g));
	p->which = tarn_arena_zalloc(&p->arena, (size_t)p->n * (2 + WATCHED_INPUTS) + 1, sizeof *p->which);
	if (!p->which)
		return tarn_err_nomem((size_t)p->n * sizeof *p->which);
	for (int i = 0; i < p->n; i++) {
		row *x = &p->row[i];
		const tarn_value *v = tarn_graph_find(g, x->f->out[0]->name);
		x->watched = p->n_which;
		if (v && v->def && tarn_dtype_is_float(v->type))
			x->result = watch(p, v);
		if (x->result >= 0 && !strcmp(state_of(x), "int8") && x->q->out[0] == v)
			TRY(add_twin(p, g, x, (tarn_node *)(uintptr_t)x->q));
	}
	TRY(tarn_graph_sort(g));
	return tarn_graph_infer(g);
}

/* ---- running ---- */

static void add_difference(const tarn_tensor *a, const tarn_tensor *b, double *power, double *noise)
{
	int64_t n = tarn_tensor_count(a);
	if (a->type != TARN_F32 || b->type != TARN_F32 || n != tarn_tensor_count(b))
		return;
	const float *x = a->data, *y = b->data;
	for (int64_t i = 0; i < n; i++) {
		double d = (double)x[i] - (double)y[i];
		*power += (double)x[i] * (double)x[i];
		*noise += d * d;
	}
}

static void add_codes(feed *f, const tarn_tensor *t)
{
	const tarn_tensor *s = f->q->in[1]->konst, *z = f->q->n_in > 2 && f->q->in[2] ? f->q->in[2]->konst : NULL;
	if (t->type != TARN_F32 || !s || tarn_tensor_count(s) != 1)
		return;
	float scale = (float)tarn_tensor_f64(s, 0), zero = z ? (float)tarn_tensor_i64(z, 0) : 0;
	float lo = f->q->out[0]->type == TARN_I8 ? -128 : 0, hi = lo + 255;
	const float *x = t->data;
	int64_t n = tarn_tensor_count(t);
	for (int64_t i = 0; i < n; i++) {
		float c = rintf(x[i] / scale) + zero;
		f->clipped += c < lo || c > hi;
		c = c > lo ? (c < hi ? c : hi) : lo; /* no number: the lowest */
		f->used[(int)(c - lo)] = 1;
	}
	f->count += n;
}

static tarn_err see(void *ctx, size_t i, tarn_request *r)
{
	reporter *p = ctx;
	TRY(tarn_quant_runner_run(&p->floats, p->slice.first + i * p->slice.step));
	const int from = p->row[p->first].watched;
	for (int k = p->first; k < p->end; k++) {
		row *x = &p->row[k];
		const tarn_tensor *result = x->result >= 0 ? &r->out[x->result - from] : NULL;
		if (result)
			add_difference(&p->floats.request->out[k - p->first], result, &x->power[0], &x->noise[0]);
		if (x->alone >= 0)
			add_difference(&r->out[x->alone - from], result, &x->power[1], &x->noise[1]);
		for (int j = 0; j < WATCHED_INPUTS; j++)
			if (x->in[j].q)
				add_codes(&x->in[j], x->in[j].at >= 0 ? &r->out[x->in[j].at - from] : &r->in[-1 - x->in[j].at]);
	}
	return TARN_OK;
}

static double decibels(double power, double noise)
{
	return power > 0 ? 10 * log10(power / fmax(noise, power * 1e-16)) : NAN;
}

/* ---- the report ---- */

/* The layers that v comes from, through nodes that are no layers; -1 stands for an input of the model. */
static tarn_err add_sources(const reporter *p, const tarn_value *v, int depth, tarn_quant_layer *out, tarn_arena *a)
{
	const tarn_node *d = v ? v->def : NULL;
	if (!d || depth > 64)
		return TARN_OK;
	int at = p->of[d->index];
	if (at < 0) {
		for (int k = 0; k < d->n_in; k++)
			TRY(add_sources(p, d->in[k], depth + 1, out, a));
		return TARN_OK;
	}
	for (int i = 0; i < out->n_from; i++)
		if (out->from[i] == at)
			return TARN_OK;
	int *more = tarn_arena_zalloc(a, (size_t)out->n_from + 1, sizeof *more);
	if (!more)
		return tarn_err_nomem(sizeof *more);
	if (out->n_from)
		memcpy(more, out->from, (size_t)out->n_from * sizeof *more);
	more[out->n_from++] = at;
	out->from = more;
	return TARN_OK;
}

static tarn_err put(reporter *p, const row *x, tarn_quant_report *r)
{
	TRY(VEC_GROW(&r->layer));
	tarn_quant_layer *y = &r->layer.at[r->layer.len++];
	*y = (tarn_quant_layer){.node = tarn_arena_strdup(&r->arena, x->f->name),
				.op = x->f->op->name,
				.state = state_of(x),
				.total_db = decibels(x->power[0], x->noise[0]),
				.own_db = decibels(x->power[1], x->noise[1]),
				.clipped = NAN};
	if (!y->node)
		return tarn_err_nomem(strlen(x->f->name));
	for (int j = 0; j < WATCHED_INPUTS; j++) {
		const feed *f = &x->in[j];
		int used = 0;
		if (!f->q || !f->count)
			continue;
		for (int c = 0; c < 256; c++)
			used += f->used[c];
		double share = (double)f->clipped / (double)f->count;
		y->clipped = isnan(y->clipped) || share > y->clipped ? share : y->clipped;
		y->codes = !y->codes || used < y->codes ? used : y->codes;
	}
	for (int k = 0; k < x->f->n_in; k++)
		TRY(add_sources(p, x->f->in[k], 0, y, &r->arena));
	return TARN_OK;
}

/* About so many are watched for node n, at the sizes of the samples: what goes in, and what comes out three times. */
static double watched_bytes(const tarn_node *n)
{
	double elements = 0;
	int64_t count;
	for (int i = 0; i < n->n_in; i++)
		if (n->in[i] && !n->in[i]->konst && tarn_shape_is_static(&n->in[i]->shape) &&
		    tarn_shape_count(&n->in[i]->shape, &count) == TARN_OK)
			elements += (double)count;
	if (tarn_shape_is_static(&n->out[0]->shape) && tarn_shape_count(&n->out[0]->shape, &count) == TARN_OK)
		elements += 3 * (double)count;
	return elements * sizeof(float);
}

static int watched_end(const reporter *p, int i)
{
	return i + 1 < p->n ? p->row[i + 1].watched : p->n_which;
}

/* The first row behind the part that starts with row `first`. */
static int part_end(const reporter *p, const tarn_model *sized, int first)
{
	double bytes = 0, most = (double)(p->o->watched ? p->o->watched : WATCHED_BYTES);
	for (int i = first; sized && i < p->n; i++) {
		bytes += watched_bytes(sized->main->node.at[p->row[i].f->index]);
		if (i > first && bytes > most)
			return i;
	}
	return p->n;
}

/* Rows first to end - 1. */
static tarn_err run_part(reporter *p, const tarn_model *m, const int *outs)
{
	int from = p->row[p->first].watched, n = watched_end(p, p->end - 1) - from;
	if (!n)
		return TARN_OK;
	tarn_err err = tarn_quant_runner_init(&p->floats, p->f, outs + p->first, p->end - p->first, p->o);
	if (err == TARN_OK)
		err = tarn_quant_run(m, p->which + from, n, p->o, p->slice, "looking at layers", see, p);
	tarn_quant_runner_fini(&p->floats);
	return err;
}

static tarn_err run_parts(reporter *p, const tarn_model *m)
{
	tarn_model *sized = NULL;
	tarn_err err = TARN_OK;
	int *outs = tarn_arena_zalloc(&p->arena, (size_t)p->n + 1, sizeof *outs);
	if (!outs)
		return tarn_err_nomem((size_t)p->n * sizeof *outs);
	for (int i = 0; i < p->n; i++)
		outs[i] = (int)p->row[i].f->out[0]->id;
	TRY(tarn_quant_at_sample_size(p->f, p->o, &p->arena, &sized));
	for (p->first = 0; p->first < p->n && err == TARN_OK; p->first = p->end) {
		p->end = part_end(p, sized, p->first);
		err = run_part(p, m, outs);
	}
	tarn_model_unref(sized);
	return err;
}

static tarn_err report(reporter *p, tarn_model *m, tarn_quant_report *r)
{
	TRY(build(p, m));
	TRY(run_parts(p, m));
	for (int i = 0; i < p->n; i++)
		TRY(put(p, &p->row[i], r));
	return TARN_OK;
}

tarn_err tarn_quant_layer_report(const tarn_model *f, const tarn_model *q, const tarn_quant_options *o, tarn_quant_report *r)
{
	reporter p = {.f = f, .o = o, .slice = tarn_quant_slice(o, SAMPLES, 0)};
	tarn_model *m;
	r->layer.len = 0;
	TRY(tarn_model_clone(q, &m));
	tarn_err err = report(&p, m, r);
	tarn_model_unref(m);
	tarn_arena_fini(&p.arena);
	return err;
}
