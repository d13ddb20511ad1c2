/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/weight_only.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "ops/ops.h"
#include "pass/pass.h"
#include "quant/run.h"

enum { SHORTEST = 16 }; /* rows below which a scale saves nothing */

/* One product to compress. */
typedef struct target {
	tarn_graph *g;
	tarn_node *node;
	int k_axis;
	int64_t k, n;
	size_t row; /* of the report */
} target;

typedef struct compressor {
	tarn_model *m;
	tarn_arena arena;
	const tarn_quant_options *o;
	int bits, group;
	VEC(target) target;
	double **squares; /* by value id of the main graph: mean square of each channel; NULL: not seen */
	tarn_pool *pool;
	tarn_weight_report *r;
} compressor;

void tarn_weight_report_fini(tarn_weight_report *r)
{
	VEC_FINI(&r->row);
	tarn_arena_fini(&r->arena);
	*r = (tarn_weight_report){0};
}

static int64_t bytes_of(const tarn_model *m)
{
	int64_t sum = 0;
	for (size_t k = 0; k < m->graph.len; k++)
		for (size_t i = 0; i < m->graph.at[k]->value.len; i++)
			if (m->graph.at[k]->value.at[i]->konst)
				sum += (int64_t)tarn_tensor_bytes(m->graph.at[k]->value.at[i]->konst);
	return sum;
}

/* ---- which products ---- */

static const char *why_not(const compressor *c, const tarn_node *n)
{
	for (int i = 0; i < c->o->n_ignore; i++)
		if (!strcmp(n->name, c->o->ignore[i]))
			return "the user asked for it";
	const tarn_tensor *w = n->n_in > 1 && n->in[1] ? n->in[1]->konst : NULL;
	if (tarn_quant_is(n, "Conv") || tarn_quant_is(n, "ConvTranspose"))
		return "convolutions gain nothing from small weights alone; quantize with data and without --weights";
	if (!w || n->in[0]->konst)
		return "both operands are computed, or its left one is constant";
	if (w->type != TARN_F32 || n->in[0]->type != TARN_F32)
		return "its data is not f32";
	if (w->rank != 2)
		return "its weights are no matrix";
	if (tarn_quant_is(n, "Gemm") && tarn_attr_i(n, tarn_attr_index(n->op, "transA")))
		return "Gemm with transA";
	return w->dim[0] && w->dim[1] ? NULL : "its weights are empty";
}

static tarn_err note_row(compressor *c, const tarn_node *n, const tarn_weight_row *row)
{
	tarn_weight_report *r = c->r;
	TRY(VEC_GROW(&r->row));
	tarn_weight_row *x = &r->row.at[r->row.len++];
	*x = *row;
	x->node = tarn_arena_strdup(&r->arena, n->name);
	x->op = n->op->name;
	return x->node ? TARN_OK : tarn_err_nomem(strlen(n->name));
}

static tarn_err find_targets(compressor *c, tarn_graph *g)
{
	static const char *const ops[] = {"MatMul", "Gemm", "Conv", "ConvTranspose", NULL};
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		if (!tarn_quant_any_of(n, ops))
			continue;
		tarn_weight_row row = {.why = why_not(c, n), .sqnr_db = NAN};
		target t = {.g = g, .node = n, .row = c->r->row.len};
		if (!row.why) {
			t.k_axis = tarn_quant_is(n, "Gemm") && tarn_attr_i(n, tarn_attr_index(n->op, "transB")) ? 1 : 0;
			t.k = row.rows = n->in[1]->konst->dim[t.k_axis];
			t.n = row.cols = n->in[1]->konst->dim[!t.k_axis];
			if (t.k < SHORTEST)
				row.why = "its columns are too short: scales would take what codes save";
		}
		TRY(note_row(c, n, &row));
		if (row.why)
			continue;
		TRY(VEC_GROW(&c->target));
		c->target.at[c->target.len++] = t;
	}
	return TARN_OK;
}

/* ---- how large the activations are ---- */

static void add_squares(double *sum, const tarn_tensor *t, int64_t k, int64_t *rows)
{
	const float *x = t->data;
	int64_t n = t->rank && t->dim[t->rank - 1] == k && t->type == TARN_F32 ? tarn_tensor_count(t) / k : 0;
	for (int64_t r = 0; r < n; r++)
		for (int64_t i = 0; i < k; i++)
			sum[i] += (double)x[r * k + i] * (double)x[r * k + i];
	*rows += n;
}

/* Ids of the products' inputs: made by nodes first, *n_made of them, then inputs of the graph. Each once. */
static tarn_err list_inputs(compressor *c, int *which, int *n, int *n_made)
{
	const tarn_graph *g = c->m->main;
	*n = 0;
	for (int made = 1; made >= 0; made--) {
		for (size_t i = 0; i < c->target.len; i++) {
			const target *t = &c->target.at[i];
			const tarn_value *v = t->node->in[0];
			if (t->g != g || !v->def != !made || c->squares[v->id])
				continue;
			c->squares[v->id] = tarn_arena_zalloc(&c->arena, (size_t)t->k, sizeof(double));
			if (!c->squares[v->id])
				return tarn_err_nomem((size_t)t->k * sizeof(double));
			which[(*n)++] = (int)v->id;
		}
		if (made)
			*n_made = *n;
	}
	return TARN_OK;
}

/* Size of the last axis of a product's input. */
static int64_t channels_of(const compressor *c, int id)
{
	for (size_t i = 0; i < c->target.len; i++)
		if (c->target.at[i].g == c->m->main && (int)c->target.at[i].node->in[0]->id == id)
			return c->target.at[i].k;
	return 0;
}

static int input_index(const tarn_graph *g, int id)
{
	for (size_t i = 0; i < g->input.len; i++)
		if ((int)g->input.at[i]->id == id)
			return (int)i;
	return -1;
}

/* Values that are watched: ids, the first n_made of them made by nodes; rows seen of each. */
typedef struct watcher {
	compressor *c;
	int *which, n, n_made;
	int64_t *rows;
} watcher;

static tarn_err look(void *ctx, size_t sample, tarn_request *r)
{
	watcher *w = ctx;
	(void)sample;
	for (int i = 0; i < w->n; i++) {
		const tarn_tensor *t = i < w->n_made ? &r->out[i] : &r->in[input_index(w->c->m->main, w->which[i])];
		add_squares(w->c->squares[w->which[i]], t, channels_of(w->c, w->which[i]), &w->rows[i]);
	}
	return TARN_OK;
}

static tarn_err watch(compressor *c)
{
	watcher w = {.c = c};
	quant_slice all = {0, 1, c->o->n_sample};
	if (!c->o->n_sample)
		return TARN_OK;
	w.which = tarn_arena_zalloc(&c->arena, c->target.len + 1, sizeof *w.which);
	w.rows = tarn_arena_zalloc(&c->arena, c->target.len + 1, sizeof *w.rows);
	if (!w.which || !w.rows)
		return tarn_err_nomem(c->target.len * sizeof *w.rows);
	TRY(list_inputs(c, w.which, &w.n, &w.n_made));
	TRY(tarn_quant_run(c->m, w.which, w.n_made, c->o, all, "watching activations", look, &w));
	for (int i = 0; i < w.n; i++)
		for (int64_t k = 0; k < channels_of(c, w.which[i]); k++)
			c->squares[w.which[i]][k] /= (double)(w.rows[i] ? w.rows[i] : 1);
	return TARN_OK;
}

/* ---- codes and scales ---- */

typedef struct search_job {
	const target *t;
	const float *w, *importance;
	int64_t group, groups;
	int lo, hi;
	tarn_tensor *code, *scale; /* code of 8 bits; sizes as the weights' */
	double *error, *power;     /* by block of columns */
	float *room;               /* by task: [group][QUANT_LANES] */
	int8_t *codes;
} search_job;

/* One block of columns: gathered group by group, searched, stored. */
static void search_block(const search_job *j, int64_t block, float *w, int8_t *code)
{
	const target *t = j->t;
	int64_t first = block * QUANT_LANES, cols = t->n - first < QUANT_LANES ? t->n - first : QUANT_LANES;
	int64_t sk = t->k_axis ? 1 : t->n, sn = t->k_axis ? t->k : 1;
	float scale[QUANT_LANES];
	for (int64_t g = 0; g < j->groups; g++) {
		int64_t k0 = g * j->group, rows = t->k - k0 < j->group ? t->k - k0 : j->group;
		for (int64_t k = 0; k < rows; k++)
			for (int64_t c = 0; c < QUANT_LANES; c++)
				w[k * QUANT_LANES + c] = c < cols ? j->w[(k0 + k) * sk + (first + c) * sn] : 0;
		tarn_quant_scale_search(w, j->importance + k0, rows, j->lo, j->hi, scale, code, &j->error[block],
					&j->power[block]);
		for (int64_t c = 0; c < cols; c++) {
			int64_t at = j->groups == 1 ? first + c
				     : t->k_axis    ? (first + c) * j->groups + g
						    : g * t->n + first + c;
			((float *)j->scale->data)[at] = scale[c];
			for (int64_t k = 0; k < rows; k++)
				((int8_t *)j->code->data)[(k0 + k) * sk + (first + c) * sn] = code[k * QUANT_LANES + c];
		}
	}
}

static void search_task(void *arg, int task, int n_tasks)
{
	const search_job *j = arg;
	int64_t blocks = (j->t->n + QUANT_LANES - 1) / QUANT_LANES;
	size_t room = (size_t)j->group * QUANT_LANES;
	for (int64_t b = blocks * task / n_tasks; b < blocks * (task + 1) / n_tasks; b++)
		search_block(j, b, j->room + (size_t)task * room, j->codes + (size_t)task * room);
}

static double mean_of(const double *x, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += x[i];
	return n ? sum / (double)n : 0;
}

/* How much each row of the weights counts; a row that no sample reached still counts a little. */
static void importance_of(const compressor *c, const target *t, float *h)
{
	const double *s = t->g == c->m->main && c->squares ? c->squares[t->node->in[0]->id] : NULL;
	double mean = s ? mean_of(s, t->k) : 0;
	for (int64_t k = 0; k < t->k; k++)
		h[k] = mean > 0 ? (float)(s[k] / mean + 0.01) : 1;
}

static tarn_err search(compressor *c, search_job *j, double *sqnr_db)
{
	const target *t = j->t;
	tarn_arena scratch = {0};
	int64_t blocks = (t->n + QUANT_LANES - 1) / QUANT_LANES;
	int tasks = tarn_pool_threads(c->pool) < blocks ? tarn_pool_threads(c->pool) : (int)blocks;
	size_t room = (size_t)j->group * QUANT_LANES * (size_t)tasks;
	float *h = tarn_arena_zalloc(&scratch, (size_t)t->k, sizeof *h);
	j->room = tarn_arena_zalloc(&scratch, room, sizeof *j->room);
	j->codes = tarn_arena_zalloc(&scratch, room, 1);
	j->error = tarn_arena_zalloc(&scratch, 2 * (size_t)blocks, sizeof *j->error);
	tarn_err err = h && j->room && j->codes && j->error ? TARN_OK : tarn_err_nomem(room * sizeof *j->room);
	if (err == TARN_OK) {
		importance_of(c, t, h);
		j->importance = h;
		j->power = j->error + blocks;
		tarn_pool_run(c->pool, tasks, search_task, j);
		double error = mean_of(j->error, blocks), power = mean_of(j->power, blocks);
		*sqnr_db = power > 0 ? 10 * log10(power / fmax(error, power * 1e-20)) : NAN;
	}
	tarn_arena_fini(&scratch);
	return err;
}

/* ---- the graph ---- */

static tarn_err put_dequantize(const target *t, const tarn_tensor *code, const tarn_tensor *scale, int64_t block)
{
	tarn_graph *g = t->g;
	tarn_node *n = t->node, *d;
	tarn_value *q, *s;
	char text[160];
	snprintf(text, sizeof text, "%.140s_codes", n->in[1]->name);
	TRY(tarn_value_const(g, text, code, &q));
	snprintf(text, sizeof text, "%.140s_scales", n->in[1]->name);
	TRY(tarn_value_const(g, text, scale, &s));
	snprintf(text, sizeof text, "%.140s_dequantize", n->in[1]->name);
	TRY(tarn_node_new(g, tarn_op_find(NULL, "DequantizeLinear"), text, 2, 1, n->index, &d));
	d->in[0] = q;
	d->in[1] = s;
	TRY(tarn_attr_set_i(d, tarn_attr_index(d->op, "axis"), block ? t->k_axis : !t->k_axis));
	TRY(tarn_attr_set_i(d, tarn_attr_index(d->op, "block_size"), block));
	d->out[0]->type = TARN_F32;
	d->out[0]->shape = n->in[1]->shape;
	n->in[1] = d->out[0];
	return TARN_OK;
}

/* The same weights, compressed before for another product: tied. */
static tarn_value *tied(const compressor *c, const target *t, size_t before, const tarn_tensor **konst)
{
	for (size_t i = 0; i < before; i++) {
		const target *x = &c->target.at[i];
		if (x->g == t->g && x->k_axis == t->k_axis && konst[i] == t->node->in[1]->konst)
			return x->node->in[1];
	}
	return NULL;
}

static tarn_err compress(compressor *c, const target *t)
{
	tarn_weight_row *row = &c->r->row.at[t->row];
	const tarn_tensor *w = t->node->in[1]->konst;
	bool whole = !c->group || c->group >= t->k, fits = whole || t->k % c->group == 0;
	row->bits = fits ? c->bits : 8;
	row->group = whole || !fits ? 0 : c->group;
	if (!fits)
		row->why = "its rows are no multiple of the group: INT8 with a scale for each output channel";
	for (int64_t i = 0, count = tarn_tensor_count(w); i < count; i++)
		CHECK(isfinite(((const float *)w->data)[i]), TARN_BAD_FILE, "weights of node '%s' are not finite",
		      t->node->name);
	tarn_tensor code = {0}, scale = {0}, packed = {0};
	search_job j = {.t = t, .w = w->data, .group = row->group ? row->group : t->k, .code = &code, .scale = &scale};
	j.groups = (t->k + j.group - 1) / j.group;
	j.lo = row->bits == 4 ? -8 : -127;
	j.hi = row->bits == 4 ? 7 : 127;
	int64_t dim[2] = {t->k_axis ? t->n : j.groups, t->k_axis ? j.groups : t->n};
	tarn_err err;
	TRY_GOTO(out, tarn_tensor_new(TARN_I8, 2, w->dim, &code));
	TRY_GOTO(out, j.groups == 1 ? tarn_tensor_new(TARN_F32, 1, &t->n, &scale) : tarn_tensor_new(TARN_F32, 2, dim, &scale));
	TRY_GOTO(out, search(c, &j, &row->sqnr_db));
	if (row->bits == 4)
		TRY_GOTO(out, tarn_tensor_convert(&code, TARN_I4, &packed));
	TRY_GOTO(out, put_dequantize(t, row->bits == 4 ? &packed : &code, &scale, row->group));
out:
	tarn_tensor_fini(&code);
	tarn_tensor_fini(&scale);
	tarn_tensor_fini(&packed);
	return err;
}

static tarn_err compress_all(compressor *c)
{
	const tarn_tensor **konst = tarn_arena_zalloc(&c->arena, c->target.len + 1, sizeof *konst);
	if (!konst)
		return tarn_err_nomem(c->target.len * sizeof *konst);
	for (size_t i = 0; i < c->target.len; i++) {
		const target *t = &c->target.at[i];
		tarn_value *same = tied(c, t, i, konst);
		konst[i] = t->node->in[1]->konst;
		CHECK(!c->o->stop || !c->o->stop(c->o->ctx), TARN_CANCELLED, "compressing was interrupted");
		if (same) {
			for (size_t k = 0; k < i; k++)
				if (c->target.at[k].node->in[1] == same) {
					const tarn_weight_row *x = &c->r->row.at[c->target.at[k].row];
					tarn_weight_row *row = &c->r->row.at[t->row];
					row->bits = x->bits, row->group = x->group, row->sqnr_db = x->sqnr_db,
					row->why = x->why;
				}
			t->node->in[1] = same;
		} else {
			TRY(compress(c, t));
		}
		if (c->o->progress)
			c->o->progress(c->o->ctx, "compressing weights", i + 1, c->target.len);
	}
	for (size_t i = 0; i < c->m->graph.len; i++) {
		tarn_graph_sweep(c->m->graph.at[i]);
		TRY(tarn_graph_sort(c->m->graph.at[i]));
	}
	TRY(tarn_graph_infer(c->m->main));
	return tarn_pass_release(c->m);
}

/* Output error over the samples, with the comparison of PTQ. */
static tarn_err compare(compressor *c, const tarn_model *plain)
{
	tarn_quant_report q = {0};
	if (!c->o->n_sample)
		return TARN_OK;
	tarn_err err = tarn_quant_compare(plain, c->m, c->o, &q);
	if (err == TARN_OK) {
		c->r->n_output = q.n_output;
		c->r->sqnr_db = tarn_arena_memdup(&c->r->arena, q.sqnr_db, (size_t)q.n_output * sizeof *q.sqnr_db);
		if (!c->r->sqnr_db)
			err = tarn_err_nomem((size_t)q.n_output * sizeof *q.sqnr_db);
	}
	tarn_quant_report_fini(&q);
	return err;
}

static tarn_err run(compressor *c, const tarn_model *plain)
{
	for (size_t i = 0; i < c->m->graph.len; i++)
		TRY(find_targets(c, c->m->graph.at[i]));
	CHECK(c->target.len, TARN_UNSUPPORTED,
	      "the model has no matrix product with constant f32 weights; a model of convolutions gains from INT8 with data: "
	      "leave out --weights");
	c->squares = tarn_arena_zalloc(&c->arena, c->m->main->value.len + 1, sizeof *c->squares);
	if (!c->squares)
		return tarn_err_nomem(c->m->main->value.len * sizeof *c->squares);
	TRY(tarn_pool_new(0, &c->pool));
	TRY(watch(c));
	TRY(compress_all(c));
	c->r->bytes_after = bytes_of(c->m);
	return compare(c, plain);
}

tarn_err tarn_quant_weight_only(const tarn_model *m, const tarn_quant_options *o, int bits, int group, tarn_model **out,
				tarn_weight_report *report)
{
	CHECK(bits == 8 || bits == 4, TARN_USAGE, "weights of %d bits; 8 and 4 are possible", bits);
	CHECK(group >= 0 && (!group || group >= SHORTEST), TARN_USAGE, "a group of %d weights; give %d or more, or 0 for none",
	      group, SHORTEST);
	compressor c = {.o = o, .bits = bits, .group = group, .r = report};
	tarn_model *passed;
	TRY(tarn_quant_check_ignored(m->main, o));
	TRY(tarn_model_clone(m, &passed));
	tarn_err err = tarn_pass_standard(passed);
	/* A clone leaves dead values behind: ids stay what they are when it is cloned again. */
	if (err == TARN_OK)
		err = tarn_model_clone(passed, &c.m);
	tarn_model_unref(passed);
	if (err == TARN_OK)
		err = run(&c, m);
	report->bytes_before = bytes_of(m);
	VEC_FINI(&c.target);
	tarn_pool_free(c.pool);
	tarn_arena_fini(&c.arena);
	if (err == TARN_OK)
		*out = c.m;
	else
		tarn_model_unref(c.m);
	return err;
}
