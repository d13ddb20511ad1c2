/* SPDX-License-Identifier: Apache-2.0 */
/* Layers: nodes with the activation and the quantizer that their engine applies on the way out, reading codes in place. */
#include <math.h>
#include <string.h>

#include "driver/compile/plan.h"
#include "ir/op.h"
#include "ops/ops.h"

bool tarn_npu_is(const tarn_node *n, const char *op)
{
	return n && !strcmp(n->op->name, op) && (!n->op->domain || !*n->op->domain);
}

bool tarn_npu_code(const tarn_node *n, npu_code *code)
{
	const tarn_tensor *s = n->n_in > 1 && n->in[1] ? n->in[1]->konst : NULL;
	const tarn_value *zero = n->n_in > 2 ? n->in[2] : NULL;
	if (!s || tarn_tensor_count(s) != 1 || (zero && (!zero->konst || tarn_tensor_count(zero->konst) != 1)))
		return false;
	tarn_dtype t = tarn_npu_is(n, "QuantizeLinear") ? n->out[0]->type : n->in[0]->type;
	double scale = tarn_tensor_f64(s, 0);
	*code = (npu_code){t, (float)scale, zero ? (int)tarn_tensor_i64(zero->konst, 0) : 0};
	return (t == TARN_U8 || t == TARN_I8) && code->scale > 0 && isfinite(code->scale);
}

const tarn_node *tarn_npu_dequantizer(const tarn_value *v)
{
	npu_code code;
	const tarn_node *d = v ? v->def : NULL;
	return tarn_npu_is(d, "DequantizeLinear") && !d->in[0]->konst && tarn_npu_code(d, &code) ? d : NULL;
}

/* Constant codes with one scale, or one for each output channel. */
static bool weights_fit(const tarn_node *n, const tarn_node *w, int axis)
{
	if (!tarn_npu_is(w, "DequantizeLinear") || !w->in[0]->konst || !w->in[1] || !w->in[1]->konst ||
	    (w->n_in > 2 && w->in[2] && !w->in[2]->konst))
		return false;
	const tarn_tensor *q = w->in[0]->konst, *s = w->in[1]->konst;
	const tarn_tensor *z = w->n_in > 2 && w->in[2] ? w->in[2]->konst : NULL;
	if ((q->type != TARN_I8 && q->type != TARN_U8) || (tarn_npu_is(n, "Conv") ? q->rank < 3 || q->rank > 4 : q->rank != 2))
		return false;
	int64_t count = tarn_tensor_count(s), at = tarn_attr_i(w, tarn_attr_index(w->op, "axis"));
	if (count != 1 && (count != q->dim[axis] || (at < 0 ? at + q->rank : at) != axis))
		return false;
	return !z || tarn_tensor_count(z) == 1 || tarn_tensor_count(z) == q->dim[axis];
}

static bool bias_fits(const tarn_value *b, int64_t channels)
{
	if (!b)
		return true;
	const tarn_tensor *t = b->konst;
	if (!t && tarn_npu_is(b->def, "DequantizeLinear") && b->def->in[1]->konst &&
	    (b->def->n_in < 3 || !b->def->in[2] || b->def->in[2]->konst))
		t = b->def->in[0]->konst;
	return t && (tarn_tensor_count(t) == 1 || tarn_tensor_count(t) == channels);
}

bool tarn_npu_is_integer(const tarn_node *n)
{
	bool conv = tarn_npu_is(n, "Conv"), gemm = tarn_npu_is(n, "Gemm"), product = tarn_npu_is(n, "MatMul");
	if ((!conv && !gemm && !product) || n->n_in < 2 || !n->in[1] || !tarn_npu_dequantizer(n->in[0]))
		return false;
	bool turned = gemm && tarn_attr_i(n, tarn_attr_index(n->op, "transB"));
	int axis = conv || turned ? 0 : 1;
	if (!weights_fit(n, n->in[1]->def, axis))
		return false;
	if (gemm && (tarn_attr_i(n, tarn_attr_index(n->op, "transA")) || tarn_attr_f(n, tarn_attr_index(n->op, "alpha")) != 1 ||
		     tarn_attr_f(n, tarn_attr_index(n->op, "beta")) != 1))
		return false;
	return (!product || n->in[0]->shape.rank >= 2) &&
	       bias_fits(n->n_in > 2 ? n->in[2] : NULL, n->in[1]->def->in[0]->konst->dim[axis]);
}

const tarn_value *tarn_npu_layer_out(const npu_layer *l, int i)
{
	if (i > 0)
		return l->main->out[i];
	return l->quant ? l->quant->out[0] : l->act ? l->act->out[0] : l->main->out[0];
}

const tarn_value *tarn_npu_layer_in(const npu_layer *l, int i)
{
	const tarn_value *v = l->main->in[i];
	const tarn_node *d = l->main->op && !tarn_npu_is(l->main, "DequantizeLinear") ? tarn_npu_dequantizer(v) : NULL;
	return d ? d->in[0] : v;
}

static float bound(const tarn_node *n, int i, float none)
{
	return n->n_in > i && n->in[i] && n->in[i]->konst ? (float)tarn_tensor_f64(n->in[i]->konst, 0) : none;
}

void tarn_npu_clip_bounds(const tarn_node *n, float *lo, float *hi)
{
	bool clip = tarn_npu_is(n, "Clip");
	*lo = clip ? bound(n, 1, -INFINITY) : 0;
	*hi = clip ? bound(n, 2, INFINITY) : INFINITY;
}

static bool ppe_activation(const tarn_node *n)
{
	if (tarn_npu_is(n, "Clip"))
		return (n->n_in < 2 || !n->in[1] || n->in[1]->konst) && (n->n_in < 3 || !n->in[2] || n->in[2]->konst);
	return tarn_npu_is(n, "Relu") || tarn_npu_is(n, "LeakyRelu");
}

/* The only user of each value, NULL when there are several or when it is an output; and what is written by another layer. */
typedef struct grouping {
	const tarn_graph *g;
	const tarn_node **user;
	bool *taken; /* by node index */
} grouping;

static tarn_err users(grouping *p, tarn_arena *a)
{
	const tarn_graph *g = p->g;
	int *uses;
	TRY(tarn_graph_uses(g, a, &uses));
	p->user = tarn_arena_zalloc(a, g->value.len + 1, sizeof *p->user);
	p->taken = tarn_arena_zalloc(a, g->node.len + 1, sizeof *p->taken);
	if (!p->user || !p->taken)
		return tarn_err_nomem(g->value.len * sizeof *p->user);
	for (size_t i = 0; i < g->node.len; i++)
		for (int k = 0; k < g->node.at[i]->n_in; k++) {
			const tarn_value *v = g->node.at[i]->in[k];
			if (v && uses[v->id] == 1)
				p->user[v->id] = g->node.at[i];
		}
	for (size_t i = 0; i < g->output.len; i++)
		p->user[g->output.at[i]->id] = NULL;
	return TARN_OK;
}

static bool is_output(const tarn_graph *g, const tarn_value *v)
{
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == v)
			return true;
	return false;
}

/* Reshapes keep the bytes in place unless channels and pixels change roles in the channels-last layout. */
static bool is_view(const tarn_node *n)
{
	if (!(n->op->flags & TARN_OP_VIEW) && !tarn_npu_is(n, "Identity") && !tarn_npu_is(n, "Dropout"))
		return false;
	const tarn_shape *s[2] = {&n->in[0]->shape, &n->out[0]->shape};
	int64_t pixels[2] = {1, 1}, channels[2] = {1, 1};
	for (int k = 0; k < 2; k++) {
		for (int i = 2; i < s[k]->rank && s[k]->rank >= 3; i++)
			pixels[k] *= s[k]->dim[i];
		channels[k] = s[k]->rank >= 3 ? s[k]->dim[1] : 1;
	}
	if (tarn_shape_same(s[0], s[1]))
		return true;
	return (pixels[0] == 1 || channels[0] == 1) && (pixels[1] == 1 || channels[1] == 1);
}

static void group_one(grouping *p, const tarn_node *n, npu_layer *l)
{
	*l = (npu_layer){.main = n, .engine = tarn_npu_rule(n)->engine};
	l->integer = tarn_npu_is_integer(n);
	l->view = l->engine == NPU_DMA && is_view(n);
	bool one = n->n_out == 1;
	const tarn_node *next = one ? p->user[n->out[0]->id] : NULL;
	if (l->engine == NPU_DPU && next && ppe_activation(next) && next->in[0] == n->out[0] &&
	    next->out[0]->type == TARN_F32 && n->out[0]->type == TARN_F32) {
		l->act = next;
		next = p->user[next->out[0]->id];
	}
	npu_code code;
	const tarn_value *last = l->act ? l->act->out[0] : one ? n->out[0] : NULL;
	if (next && last && last->type == TARN_F32 && tarn_npu_is(next, "QuantizeLinear") && next->in[0] == last &&
	    tarn_npu_code(next, &code))
		l->quant = next;
	if (l->quant || (n->n_in && tarn_npu_dequantizer(n->in[0])))
		l->view = false;
	for (int i = 0; i < 2; i++) {
		const tarn_node *f = i ? l->quant : l->act;
		if (f)
			p->taken[f->index] = true;
	}
}

tarn_err tarn_npu_group(const tarn_graph *g, tarn_arena *a, npu_layers *layers)
{
	grouping p = {.g = g};
	TRY(users(&p, a));
	npu_layer *at = tarn_arena_zalloc(a, g->node.len + 1, sizeof *at);
	if (!at)
		return tarn_err_nomem(g->node.len * sizeof *at);
	int n = 0;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *node = g->node.at[i];
		if (p.taken[i])
			continue;
		if (tarn_npu_is(node, "DequantizeLinear")) {
			/* Readers take the codes; what is constant and left belongs to int32 layers. */
			npu_code code;
			bool read = node->in[0]->konst || tarn_npu_code(node, &code);
			if (read && !is_output(g, node->out[0]))
				continue;
		}
		group_one(&p, node, &at[n++]);
	}
	*layers = (npu_layers){.at = at, .n = n};
	return tarn_npu_keep_range(g, layers, a);
}
