/* SPDX-License-Identifier: Apache-2.0 */
/* From any model to one the layers are made of: static, folded, float activations as F32, codes where quantizers stand. */
#include <string.h>

#include "driver/compile/plan.h"
#include "ir/op.h"
#include "ops/ops.h"
#include "pass/pass.h"

tarn_err tarn_npu_check_static(const tarn_model *m)
{
	const tarn_graph *g = m->main;
	for (size_t i = 0; i < g->input.len; i++) {
		const tarn_value *v = g->input.at[i];
		CHECK(v->shape.rank >= 0, TARN_UNSUPPORTED,
		      "input '%s' has an unknown number of dimensions, and the NPU takes static shapes only; give its shape",
		      v->name);
		for (int k = 0; k < v->shape.rank; k++) {
			if (v->shape.dim[k] >= 0)
				continue;
			tarn_str s = {0};
			tarn_str_addf(&s,
				      "input '%s' is free along axis %d, and the NPU takes static shapes only; try -shape %s[",
				      v->name, k, v->name);
			for (int d = 0; d < v->shape.rank; d++) {
				int64_t lo = v->shape.dim[d] < 0 ? tarn_dim_lo(&m->syms, v->shape.dim[d]) : v->shape.dim[d];
				tarn_str_addf(&s, "%s%lld", d ? "," : "", (long long)(lo > 0 ? lo : 1));
			}
			tarn_str_add(&s, "]");
			tarn_err err = tarn_str_done(&s);
			if (err == TARN_OK)
				err = tarn_err_set(TARN_UNSUPPORTED, "%s", s.at);
			tarn_str_fini(&s);
			return err;
		}
	}
	return TARN_OK;
}

/* ---- FakeQuantize ---- */

/* FakeQuantize of 8 bits is a quantizer and a dequantizer when zero is on its grid; the others are made of what the array
 * takes. */
static bool keeps(void *ctx, const tarn_node *n)
{
	static const char *const apart[] = {"QLinearConv", "QLinearMatMul", "GroupConvolution", "FusedMatMul",
					    "ScaledDotProductAttention"};
	(void)ctx;
	if (!tarn_npu_is(n, "FakeQuantize")) {
		for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
			if (!strcmp(n->op->name, apart[i]))
				return false;
		return true;
	}
	int64_t levels = tarn_attr_i(n, tarn_attr_index(n->op, "levels"));
	return levels != 255 && levels != 256;
}

/* Reshape of dequantized constants: the codes are reshaped instead, so that the product behind it finds them. */
static tarn_err reshape_codes(tarn_graph *g, tarn_node *reshape)
{
	tarn_node *d = reshape->in[0]->def, *n;
	const tarn_tensor *q = d->in[0]->konst, *s = d->in[1] ? d->in[1]->konst : NULL;
	const tarn_shape *to = &reshape->out[0]->shape;
	if (!q || !s || !tarn_shape_is_static(to) || (d->n_in > 2 && d->in[2] && !d->in[2]->konst))
		return TARN_OK;
	int64_t scales = tarn_tensor_count(s), axis = tarn_attr_i(d, tarn_attr_index(d->op, "axis"));
	bool first = (axis == 0 || axis == -q->rank) && q->rank > 0 && to->rank > 0 && to->dim[0] == q->dim[0];
	if (scales != 1 && !(first && scales == q->dim[0]))
		return TARN_OK;
	tarn_tensor t = *q;
	t.rank = to->rank;
	memcpy(t.dim, to->dim, sizeof t.dim);
	tarn_value *codes;
	TRY(tarn_value_const(g, NULL, &t, &codes));
	TRY(tarn_node_new(g, d->op, reshape->name, d->n_in, 1, reshape->index, &n));
	n->in[0] = codes;
	for (int i = 1; i < d->n_in; i++)
		n->in[i] = d->in[i];
	TRY(tarn_attr_set_i(n, tarn_attr_index(n->op, "axis"), 0));
	tarn_graph_replace(g, reshape->out[0], n->out[0]);
	return TARN_OK;
}

static tarn_err codes_through_reshapes(tarn_model *m)
{
	tarn_graph *g = m->main;
	size_t n = g->node.len;
	for (size_t i = 0; i < n; i++) {
		tarn_node *r = g->node.at[i];
		if (!tarn_npu_is(r, "Reshape") || !tarn_npu_is(r->in[0]->def, "DequantizeLinear"))
			continue;
		TRY(reshape_codes(g, r));
		if (g->node.len != n) { /* one was put in front */
			n = g->node.len;
			i++;
		}
	}
	tarn_graph_sweep(g);
	TRY(tarn_graph_sort(g));
	return tarn_graph_infer(g);
}

/* ---- F16, BF16 and F64 as F32 ---- */

static bool other_float(tarn_dtype t)
{
	return t == TARN_F16 || t == TARN_BF16 || t == TARN_F64;
}

/* Bytes of a constant in F32, kept by the model. */
static tarn_err constant_as_f32(tarn_model *m, tarn_value *v)
{
	tarn_tensor t;
	TRY(tarn_tensor_convert(v->konst, TARN_F32, &t));
	tarn_tensor *copy = tarn_arena_memdup(&m->arena, &t, sizeof t);
	tarn_err err = copy ? t.buf ? tarn_model_keep(m, t.buf) : TARN_OK : tarn_err_nomem(sizeof t);
	tarn_tensor_fini(&t);
	TRY(err);
	v->konst = copy;
	v->type = TARN_F32;
	return TARN_OK;
}

static tarn_err floats_as_f32(tarn_model *m)
{
	tarn_graph *g = m->main;
	for (size_t i = 0; i < g->value.len; i++) {
		tarn_value *v = g->value.at[i];
		if (v->konst && other_float(v->konst->type))
			TRY(constant_as_f32(m, v));
		else if (!v->def && !v->konst && other_float(v->type))
			v->type = TARN_F32;
	}
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->op->n_attr; k++)
			if (n->attr[k].set && n->op->attr[k].kind == TARN_ATTR_TYPE && other_float((tarn_dtype)n->attr[k].i))
				n->attr[k].i = TARN_F32;
	}
	return tarn_graph_infer(g);
}

/* ---- quantizers ---- */

static bool same_constant(const tarn_value *a, const tarn_value *b)
{
	if (a == b)
		return true;
	if (!a || !b || !a->konst || !b->konst || a->konst->type != b->konst->type || !tarn_shape_same(&a->shape, &b->shape))
		return false;
	return !memcmp(a->konst->data, b->konst->data, tarn_tensor_bytes(a->konst));
}

static bool same_quantizer(const tarn_node *a, const tarn_node *b)
{
	npu_code x, y;
	return tarn_npu_code(a, &x) && tarn_npu_code(b, &y) && x.type == y.type && same_constant(a->in[1], b->in[1]) &&
	       same_constant(a->n_in > 2 ? a->in[2] : NULL, b->n_in > 2 ? b->in[2] : NULL);
}

/* A value quantized for each of its readers is quantized once when the codes are the same. */
static tarn_err merge_quantizers(tarn_model *m)
{
	tarn_graph *g = m->main;
	tarn_arena a = {0};
	const tarn_node **first = tarn_arena_zalloc(&a, g->value.len + 1, sizeof *first);
	tarn_err err = first ? TARN_OK : tarn_err_nomem(g->value.len * sizeof *first);
	for (size_t i = 0; err == TARN_OK && i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		if (!tarn_npu_is(n, "QuantizeLinear"))
			continue;
		const tarn_node **f = &first[n->in[0]->id];
		bool output = false;
		for (size_t k = 0; k < g->output.len; k++)
			output |= g->output.at[k] == n->out[0];
		if (!*f)
			*f = n;
		else if (!output && same_quantizer(*f, n))
			tarn_graph_replace(g, n->out[0], (*f)->out[0]);
	}
	tarn_arena_fini(&a);
	TRY(err);
	tarn_graph_sweep(g);
	return tarn_graph_sort(g);
}

/* ---- dequantized constants ---- */

/* Values that some node reads, and those that some node reads other than as codes of an int32 product; by id. */
static tarn_err readers(const tarn_graph *g, tarn_arena *a, bool **any, bool **plain)
{
	*any = tarn_arena_zalloc(a, g->value.len + 1, sizeof(bool));
	*plain = tarn_arena_zalloc(a, g->value.len + 1, sizeof(bool));
	if (!*any || !*plain)
		return tarn_err_nomem(g->value.len);
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		bool integer = tarn_npu_is_integer(n);
		for (int k = 0; k < n->n_in; k++)
			if (n->in[k]) {
				(*any)[n->in[k]->id] = true;
				(*plain)[n->in[k]->id] |= k == 0 || !integer;
			}
	}
	return TARN_OK;
}

/* What the node computes, when it is a quantizer of constants that somebody reads as floats; *v NULL otherwise. to: by value
 * id, what has been folded. */
static tarn_err fold_node(tarn_graph *g, const tarn_node *n, tarn_value *const *to, bool as_codes, tarn_value **v)
{
	const tarn_tensor *in[8] = {NULL};
	bool dequantizer = tarn_npu_is(n, "DequantizeLinear");
	*v = NULL;
	if (n->n_out != 1 || n->n_in > 8 || (!dequantizer && !tarn_npu_is(n, "FakeQuantize")) || (dequantizer && as_codes))
		return TARN_OK;
	for (int k = 0; k < n->n_in; k++) {
		const tarn_value *x = n->in[k] && to[n->in[k]->id] ? to[n->in[k]->id] : n->in[k];
		in[k] = x ? x->konst : NULL;
		if (x && !x->konst)
			return TARN_OK;
	}
	tarn_tensor out = {0};
	TRY(tarn_node_eval(n, in, &out));
	tarn_err err = tarn_value_const(g, n->out[0]->name, &out, v);
	tarn_tensor_fini(&out);
	return err;
}

static tarn_err fold_all(tarn_graph *g, tarn_arena *a)
{
	bool *any, *plain;
	size_t values = g->value.len;
	tarn_value **to = tarn_arena_zalloc(a, values + 1, sizeof(tarn_value *));
	if (!to)
		return tarn_err_nomem(values * sizeof(tarn_value *));
	TRY(readers(g, a, &any, &plain));
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		const tarn_value *y = n->n_out ? n->out[0] : NULL;
		if (y)
			TRY(fold_node(g, n, to, any[y->id] && !plain[y->id], &to[y->id]));
	}
	tarn_graph_replace_all(g, to, values);
	return TARN_OK;
}

static tarn_err fold_constants(tarn_model *m)
{
	tarn_arena scratch = {0};
	tarn_err err = fold_all(m->main, &scratch);
	tarn_arena_fini(&scratch);
	TRY(err);
	tarn_graph_sweep(m->main);
	return tarn_graph_sort(m->main);
}

/* ---- names ---- */

static tarn_err names_keep(const tarn_graph *g, tarn_map *had)
{
	for (size_t i = 0; i < g->node.len; i++)
		TRY(tarn_map_put(had, g->node.at[i]->name, g->node.at[i]));
	return TARN_OK;
}

/* A node that took another's place while that was still there has its name with "_<number>" behind it: profiles show the name
 * that the model's author gave. */
static tarn_err names_restore(tarn_graph *g, const tarn_map *had)
{
	tarn_map now = {0};
	tarn_err err = names_keep(g, &now);
	for (size_t i = 0; err == TARN_OK && i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		size_t len = strlen(n->name), end = len;
		while (end > 0 && n->name[end - 1] >= '0' && n->name[end - 1] <= '9')
			end--;
		if (tarn_map_find(had, n->name) || end == len || end < 2 || n->name[end - 1] != '_')
			continue;
		char *name = tarn_arena_strndup(&g->model->arena, n->name, end - 1);
		if (!name)
			err = tarn_err_nomem(end);
		else if (tarn_map_find(had, name) && !tarn_map_find(&now, name)) {
			n->name = name;
			err = tarn_map_put(&now, name, n);
		}
	}
	tarn_map_fini(&now);
	return err;
}

static tarn_err lower(tarn_model *m)
{
	TRY(tarn_pass_standard(m));
	TRY(floats_as_f32(m));
	TRY(tarn_pass_decompose(m, keeps, NULL));
	TRY(tarn_pass_fold(m));
	TRY(codes_through_reshapes(m));
	TRY(tarn_pass_standard(m));
	TRY(tarn_pass_fuse(m));
	TRY(merge_quantizers(m));
	TRY(fold_constants(m));
	return tarn_npu_narrow(m);
}

tarn_err tarn_npu_lower(tarn_model *m)
{
	tarn_map had = {0};
	tarn_err err;
	TRY(tarn_npu_check_static(m));
	TRY_GOTO(out, names_keep(m->main, &had));
	TRY_GOTO(out, lower(m));
	TRY_GOTO(out, tarn_npu_limit_constants(m));
	TRY_GOTO(out, names_restore(m->main, &had));
	/* Last, so that a refusal names nodes as the model does. */
	err = tarn_npu_legal(m->main);
out:
	tarn_map_fini(&had);
	return err;
}
