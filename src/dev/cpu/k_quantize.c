/* SPDX-License-Identifier: Apache-2.0 */
/* Between f32 and codes: quantize, dequantize, and functions of one code as tables. */
#include <string.h>

#include "base/mem.h"
#include "dev/cpu/cpu.h"
#include "ops/ops.h"

enum { GRAIN = 32768 };

typedef struct code_job {
	const cpu_code *code;
	const void *in;
	void *out;
} code_job;

/* ---- dequantize ---- */

static tarn_err build_never(cpu_build *b, const cpu_group *g, bool *taken)
{
	(void)b, (void)g, (void)taken;
	return TARN_OK;
}

tarn_err tarn_cpu_dequantize(cpu_build *b, const tarn_value *v, int *slot)
{
	const cpu_code *c = tarn_cpu_code_of(b, v);
	cpu_layout layout = tarn_cpu_layout_of(b, v);
	int in;
	cpu_code *state = tarn_arena_memdup(&b->p->arena, c, sizeof *c);
	if (!state)
		return tarn_err_nomem(sizeof *c);
	TRY(tarn_cpu_want_code(b, v, layout, &in));
	TRY(tarn_cpu_give(b, v, layout, slot));
	cpu_group g = {.main = v->def, .last = v->def};
	return tarn_cpu_step_new(b, &tarn_cpu_k_dequantize, &g, &in, 1, slot, 1, state, -1);
}

static void work_dequantize(void *arg, int64_t begin, int64_t end)
{
	const code_job *j = arg;
	tarn_dequantize_f32((const char *)j->in + begin, (float *)j->out + begin, tarn_cpu_code_type(j->code->type),
			    j->code->scale, j->code->zero, (size_t)(end - begin));
}

static tarn_err run_dequantize(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	code_job j = {s->state, r->ptr[s->in[0]], r->ptr[s->out[0]]};
	tarn_cpu_split(r->pool, tarn_cpu_count(r->inst, r->p, s->out[0]), GRAIN, work_dequantize, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_dequantize = {.name = "dequantize", .build = build_never, .run = run_dequantize};

/* ---- tables ---- */

/* A step that maps codes through a table: from `in` to `out`. table: [256], copied. */
static tarn_err put_lut(cpu_build *b, const cpu_group *g, int in, int out, const uint8_t *table)
{
	uint8_t *state = tarn_arena_memdup(&b->p->arena, table, 256);
	if (!state)
		return tarn_err_nomem(256);
	return tarn_cpu_step_new(b, &tarn_cpu_k_lut, g, &in, 1, &out, 1, state, 0);
}

typedef struct lut_job {
	const uint8_t *table, *in;
	uint8_t *out;
} lut_job;

static void work_lut(void *arg, int64_t begin, int64_t end)
{
	const lut_job *j = arg;
	tarn_lut_u8(j->table, j->in + begin, j->out + begin, (size_t)(end - begin));
}

static tarn_err run_lut(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	lut_job j = {s->state, r->ptr[s->in[0]], r->ptr[s->out[0]]};
	tarn_cpu_split(r->pool, tarn_cpu_count(r->inst, r->p, s->out[0]), GRAIN, work_lut, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_lut = {.name = "table of codes", .build = build_never, .run = run_lut};

/* ---- quantize ---- */

/* The code whose values alone decide v through elementwise nodes and single constants; NULL when there is none or several. */
static const tarn_value *root_of(cpu_build *b, const tarn_value *v, int depth)
{
	const cpu_code *c = tarn_cpu_code_of(b, v);
	if (c)
		return c->root ? c->root : c->held_by;
	const tarn_node *n = v->def;
	if (!n || depth > 8 || !(n->op->flags & TARN_OP_ELEMENTWISE) || n->n_out != 1 || v->type != TARN_F32)
		return NULL;
	const tarn_value *root = NULL;
	for (int i = 0; i < n->n_in; i++) {
		const tarn_value *in = n->in[i];
		if (!in || (in->konst && tarn_tensor_count(in->konst) == 1))
			continue;
		const tarn_value *r = in->konst || !tarn_shape_same(&in->shape, &v->shape) ? NULL : root_of(b, in, depth + 1);
		if (!r || (root && r != root))
			return NULL;
		root = r;
	}
	return root;
}

/* The 256 values of v, one for each byte of the root's code. */
static tarn_err table_of(cpu_build *b, const tarn_value *v, tarn_dtype root_type, tarn_tensor *out)
{
	int64_t dim = 256;
	const cpu_code *c = tarn_cpu_code_of(b, v);
	if (c) {
		TRY(tarn_tensor_new(TARN_F32, 1, &dim, out));
		for (int i = 0; i < 256; i++) {
			uint8_t byte = c->root ? c->table[i] : (uint8_t)i;
			tarn_dtype t = c->root ? c->type : root_type;
			((float *)out->data)[i] = (float)((t == TARN_I8 ? (int8_t)byte : byte) - c->zero) * c->scale;
		}
		return TARN_OK;
	}
	const tarn_node *n = v->def;
	tarn_arena scratch = {0};
	tarn_tensor *t = tarn_arena_zalloc(&scratch, (size_t)n->n_in, sizeof *t);
	const tarn_tensor **in = tarn_arena_zalloc(&scratch, (size_t)n->n_in, sizeof *in);
	tarn_err err = t && in ? TARN_OK : tarn_err_nomem((size_t)n->n_in * sizeof *t);
	for (int i = 0; err == TARN_OK && i < n->n_in; i++) {
		if (!n->in[i])
			continue;
		if (n->in[i]->konst) {
			t[i] = tarn_tensor_share(n->in[i]->konst);
			t[i].rank = 0;
		} else {
			err = table_of(b, n->in[i], root_type, &t[i]);
		}
		in[i] = &t[i];
	}
	if (err == TARN_OK)
		err = tarn_node_eval(n, in, out);
	for (int i = 0; t && i < n->n_in; i++)
		tarn_tensor_fini(&t[i]);
	tarn_arena_fini(&scratch);
	return err;
}

static uint8_t to_code(float x, const cpu_code *c)
{
	uint8_t q;
	tarn_quantize_f32(&x, &q, tarn_cpu_code_type(c->type), c->scale, c->zero, 1);
	return q;
}

/* A quantizer behind a function of one code: a table from that code. */
static tarn_err build_table(cpu_build *b, const cpu_group *g, const cpu_code *to, const tarn_value *root)
{
	const tarn_value *v = g->main->in[0], *q = g->main->out[0];
	tarn_tensor f = {0};
	uint8_t *table = tarn_arena_alloc(&b->p->arena, 256);
	if (!table)
		return tarn_err_nomem(256);
	TRY(table_of(b, v, root->type, &f));
	bool fits = f.type == TARN_F32 && tarn_tensor_count(&f) == 256;
	for (int i = 0; i < 256 && fits; i++)
		table[i] = to_code(((const float *)f.data)[i], to);
	tarn_tensor_fini(&f);
	CHECK(fits, TARN_INTERNAL, "a table of another size came back");
	cpu_layout layout = tarn_cpu_layout_of(b, root);
	int in, out;
	TRY(tarn_cpu_want(b, root, layout, &in));
	TRY(tarn_cpu_give(b, q, layout, &out));
	b->code[q->id].root = root;
	b->code[q->id].table = table;
	return put_lut(b, g, in, out, table);
}

/* Codes of another grid, or the same. */
static tarn_err build_recode(cpu_build *b, const cpu_group *g, const cpu_code *from, const cpu_code *to)
{
	const tarn_value *v = g->main->in[0];
	cpu_layout layout = tarn_cpu_layout_of(b, v);
	int in, out;
	TRY(tarn_cpu_want_code(b, v, layout, &in));
	TRY(tarn_cpu_give(b, g->main->out[0], layout, &out));
	if (tarn_cpu_code_same(from, to)) {
		b->p->slot.at[out].view_of = in;
		return tarn_cpu_step_new(b, &tarn_cpu_k_view, g, &in, 1, &out, 1, NULL, -1);
	}
	uint8_t table[256];
	for (int i = 0; i < 256; i++)
		table[i] = to_code((float)((from->type == TARN_I8 ? (int8_t)(uint8_t)i : i) - from->zero) * from->scale, to);
	return put_lut(b, g, in, out, table);
}

static tarn_err build_codes(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	cpu_code to;
	if (n->op != tarn_op_find(NULL, "QuantizeLinear") || g->last != n || n->in[0]->type != TARN_F32 || n->in[0]->konst ||
	    !tarn_cpu_code_params(n, &to))
		return TARN_OK;
	const cpu_code *from = tarn_cpu_code_of(b, n->in[0]);
	const tarn_value *root = from && !from->root ? NULL : root_of(b, n->in[0], 0);
	*taken = root || (from && !from->root);
	return root ? build_table(b, g, &to, root) : *taken ? build_recode(b, g, from, &to) : TARN_OK;
}

const cpu_kernel tarn_cpu_k_recode = {.name = "codes", .build = build_codes, .run = run_lut};

/* The value is a plain image of few channels, and its codes are read by convolutions alone: they are made channels-last. */
static bool turns(cpu_build *b, const tarn_node *q)
{
	const tarn_shape *s = &q->in[0]->shape;
	if (s->rank != 4 || s->dim[1] < 2 || s->dim[1] > TARN_QUANTIZE_NHWC_CHANNELS ||
	    tarn_cpu_layout_of(b, q->in[0]) != CPU_PLAIN)
		return false;
	const tarn_node *d = b->user[q->out[0]->id];
	if (!d || d->op != tarn_op_find(NULL, "DequantizeLinear") || b->uses[d->out[0]->id] != 1)
		return false;
	const tarn_node *c = b->user[d->out[0]->id];
	return c && c->op == tarn_op_find(NULL, "Conv") && tarn_cpu_suits_int8(c);
}

static tarn_err build_quantize(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	cpu_code to;
	if (n->op != tarn_op_find(NULL, "QuantizeLinear") || g->last != n || n->in[0]->type != TARN_F32 || n->in[0]->konst ||
	    !tarn_cpu_code_params(n, &to))
		return TARN_OK;
	*taken = true;
	cpu_layout layout = tarn_cpu_layout_of(b, n->in[0]);
	int in, out;
	TRY(tarn_cpu_want(b, n->in[0], layout, &in));
	TRY(tarn_cpu_give(b, n->out[0], turns(b, n) ? CPU_NHWC : layout, &out));
	cpu_code *state = tarn_arena_memdup(&b->p->arena, &to, sizeof to);
	if (!state)
		return tarn_err_nomem(sizeof to);
	return tarn_cpu_step_new(b, &tarn_cpu_k_quantize, g, &in, 1, &out, 1, state, -1);
}

static void work_quantize(void *arg, int64_t begin, int64_t end)
{
	const code_job *j = arg;
	tarn_quantize_f32((const float *)j->in + begin, (char *)j->out + begin, tarn_cpu_code_type(j->code->type),
			  j->code->scale, j->code->zero, (size_t)(end - begin));
}

typedef struct image_job {
	code_job j;
	size_t channels, pixels;
} image_job;

static void work_image(void *arg, int64_t begin, int64_t end)
{
	const image_job *i = arg;
	tarn_quantize_nhwc_f32(i->j.in, i->j.out, tarn_cpu_code_type(i->j.code->type), i->j.code->scale, i->j.code->zero,
			       i->channels, i->pixels, (size_t)begin, (size_t)end);
}

static tarn_err run_quantize(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	code_job j = {s->state, r->ptr[s->in[0]], r->ptr[s->out[0]]};
	int64_t n = tarn_cpu_count(r->inst, r->p, s->out[0]);
	if (r->p->slot.at[s->in[0]].layout == r->p->slot.at[s->out[0]].layout) {
		tarn_cpu_split(r->pool, n, GRAIN, work_quantize, &j);
		return TARN_OK;
	}
	const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, s->in[0])->shape;
	image_job i = {j, (size_t)x->dim[1], (size_t)(x->dim[2] * x->dim[3])};
	for (int64_t k = 0; k < x->dim[0]; k++) {
		tarn_cpu_split(r->pool, (int64_t)i.pixels, GRAIN / 4, work_image, &i);
		i.j.in = (const float *)i.j.in + i.channels * i.pixels;
		i.j.out = (char *)i.j.out + i.channels * i.pixels;
	}
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_quantize = {.name = "quantize", .build = build_quantize, .run = run_quantize};
