/* SPDX-License-Identifier: Apache-2.0 */
/*
 * If, Loop, Scan. Bodies are graphs whose last inputs are the captures, the node's last inputs. Shapes of what a body carries
 * around are found by inferring the body again with the differing dimensions freed, until they stand.
 */
#include "ops/control.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

/* ---- inference ---- */

tarn_err tarn_control_inputs(const tarn_infer *c, const tarn_graph *body, size_t own)
{
	size_t captures = (size_t)c->node->n_capture;
	CHECK(body->input.len == own + captures, TARN_BAD_FILE, "the body takes %zu inputs; %zu are given", body->input.len,
	      own + captures);
	for (size_t i = 0; i < captures; i++) {
		const tarn_value *from = c->node->in[(size_t)c->node->n_in - captures + i];
		tarn_value *to = body->input.at[own + i];
		to->type = from->type;
		to->shape = from->shape;
		to->known = from->known;
		to->n_known = from->n_known;
	}
	return TARN_OK;
}

tarn_err tarn_control_merge(tarn_infer *c, const tarn_shape *a, const tarn_shape *b, tarn_shape *out)
{
	tarn_shape s = *a;
	if (a->rank < 0 || a->rank != b->rank)
		s.rank = -1;
	for (int i = 0; i < s.rank; i++)
		if (a->dim[i] != b->dim[i]) {
			int64_t la = tarn_dim_lo(c->syms, a->dim[i]), lb = tarn_dim_lo(c->syms, b->dim[i]);
			int64_t ha = tarn_dim_hi(c->syms, a->dim[i]), hb = tarn_dim_hi(c->syms, b->dim[i]);
			TRY(tarn_symtab_fresh(c->syms, la < lb ? la : lb, ha > hb ? ha : hb, &s.dim[i]));
		}
	*out = s;
	return TARN_OK;
}

/* A dimension that stands for any size already. */
static bool is_free(const tarn_infer *c, tarn_dim d)
{
	if (d >= 0)
		return false;
	const tarn_sym *s = tarn_sym_get(c->syms, d);
	return s->op == TARN_SYM_NAMED && !s->name && s->lo == 0 && s->hi == TARN_DIM_MAX;
}

/* The body's state input gets what both the initial value and the last step's output satisfy. */
static tarn_err widen(tarn_infer *c, tarn_value *in, const tarn_value *out, bool *changed)
{
	if (in->shape.rank < 0)
		return TARN_OK;
	if (in->shape.rank != out->shape.rank) {
		*changed = true;
		in->shape.rank = -1;
	}
	for (int i = 0; i < in->shape.rank; i++) {
		if (in->shape.dim[i] == out->shape.dim[i] || is_free(c, in->shape.dim[i]))
			continue;
		*changed = true;
		TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &in->shape.dim[i]));
	}
	return TARN_OK;
}

tarn_err tarn_control_fixpoint(tarn_infer *c, tarn_graph *body, size_t first_in, size_t first_out, size_t states)
{
	bool changed = true;
	while (changed) { /* each round frees a dimension or a rank, so it ends */
		changed = false;
		TRY(c->infer_body(c, body));
		for (size_t i = 0; i < states; i++)
			TRY(widen(c, body->input.at[first_in + i], body->output.at[first_out + i], &changed));
	}
	return TARN_OK;
}

/* ---- evaluation: pieces ---- */

void tarn_control_fini(tarn_tensor *t, size_t n)
{
	for (size_t i = 0; t && i < n; i++)
		tarn_tensor_fini(&t[i]);
	tarn_mem_free(t);
}

tarn_err tarn_control_new(size_t n, tarn_tensor **t)
{
	*t = tarn_mem_zalloc(n + 1, sizeof **t);
	return *t ? TARN_OK : tarn_err_nomem((n + 1) * sizeof **t);
}

static tarn_err whole_bytes(tarn_dtype type, size_t *bytes)
{
	int bits = tarn_dtype_info(type)->bits;
	CHECK(bits >= 8, TARN_UNSUPPORTED, "elements of type %s cannot be sliced", tarn_dtype_info(type)->word);
	*bytes = (size_t)bits / 8;
	return TARN_OK;
}

tarn_err tarn_control_slice(const tarn_tensor *t, int axis, int64_t at, tarn_tensor *out)
{
	int64_t dim[TARN_MAX_RANK], outer = tarn_elem_product(t->dim, 0, axis),
				    inner = tarn_elem_product(t->dim, axis + 1, t->rank);
	size_t bytes = 0;
	TRY(whole_bytes(t->type, &bytes));
	for (int i = 0, k = 0; i < t->rank; i++)
		if (i != axis)
			dim[k++] = t->dim[i];
	TRY(tarn_tensor_new(t->type, t->rank - 1, dim, out));
	size_t run = (size_t)inner * bytes;
	for (int64_t o = 0; o < outer && run; o++)
		memcpy((char *)out->data + (size_t)o * run, (const char *)t->data + (size_t)(o * t->dim[axis] + at) * run, run);
	return TARN_OK;
}

tarn_err tarn_control_stack(const tarn_tensor *t, size_t n, size_t step, int axis, bool reverse, tarn_tensor *out)
{
	int64_t dim[TARN_MAX_RANK], outer = tarn_elem_product(t->dim, 0, axis),
				    inner = tarn_elem_product(t->dim, axis, t->rank);
	size_t bytes = 0;
	TRY(whole_bytes(t->type, &bytes));
	CHECK(t->rank < TARN_MAX_RANK, TARN_UNSUPPORTED, "outputs of rank %d cannot be stacked", t->rank);
	for (int i = 0; i <= t->rank; i++)
		dim[i] = i < axis ? t->dim[i] : i == axis ? (int64_t)n : t->dim[i - 1];
	TRY(tarn_tensor_new(t->type, t->rank + 1, dim, out));
	size_t run = (size_t)inner * bytes;
	for (size_t k = 0; k < n; k++) {
		const tarn_tensor *from = &t[k * step];
		tarn_shape a = tarn_tensor_shape(from), b = tarn_tensor_shape(t);
		if (from->type != t->type || !tarn_shape_same(&a, &b)) {
			tarn_tensor_fini(out);
			return tarn_err_set(TARN_SHAPE, "a scan output changes its shape between steps");
		}
		size_t to = reverse ? n - 1 - k : k;
		for (int64_t o = 0; o < outer && run; o++)
			memcpy((char *)out->data + ((size_t)o * n + to) * run, (const char *)from->data + (size_t)o * run, run);
	}
	return TARN_OK;
}

tarn_err tarn_control_empty(const tarn_value *v, int axis, tarn_tensor *out)
{
	int64_t dim[TARN_MAX_RANK] = {0};
	int rank = v->shape.rank < 0 ? 1 : v->shape.rank + 1;
	CHECK(rank <= TARN_MAX_RANK, TARN_UNSUPPORTED, "outputs of rank %d cannot be stacked", rank - 1);
	for (int i = 0; i < rank; i++)
		if (i != axis && v->shape.rank >= 0) {
			tarn_dim d = v->shape.dim[i < axis ? i : i - 1];
			dim[i] = d >= 0 ? d : 0;
		}
	return tarn_tensor_new(v->type == TARN_DTYPE_NONE ? TARN_F32 : v->type, rank, dim, out);
}

/* ---- If ---- */

/* A condition that is known decides which branch there is: the other one need not even fit. */
static tarn_err infer_taken(tarn_infer *c, int branch)
{
	tarn_node *n = c->node;
	TRY(tarn_control_inputs(c, n->body[!branch], 0));
	if (c->infer_body(c, n->body[!branch]) != TARN_OK)
		tarn_err_clear();
	TRY(tarn_control_inputs(c, n->body[branch], 0));
	TRY(c->infer_body(c, n->body[branch]));
	for (int i = 0; i < n->n_out; i++) {
		const tarn_value *v = n->body[branch]->output.at[i];
		tarn_infer_out(c, i, v->type, &v->shape);
		if (v->known)
			TRY(tarn_infer_known(c, i, v->known, v->n_known));
	}
	return TARN_OK;
}

static tarn_err infer_if(tarn_infer *c)
{
	tarn_node *n = c->node;
	int64_t condition;
	int known;
	TRY(tarn_infer_class(c, 0, TARN_CLS_B));
	CHECK(n->n_body == 2, TARN_BAD_FILE, "If has %d branches; 2 are needed", n->n_body);
	if (!c->infer_body)
		return TARN_OK;
	for (int b = 0; b < 2; b++)
		CHECK(n->body[b]->output.len == (size_t)n->n_out, TARN_BAD_FILE, "branch %d gives %zu outputs; %d are needed",
		      b, n->body[b]->output.len, n->n_out);
	if (tarn_infer_ints(c, 0, &condition, 1, &known) && known == 1)
		return infer_taken(c, condition ? 0 : 1);
	for (int b = 0; b < 2; b++) {
		TRY(tarn_control_inputs(c, n->body[b], 0));
		TRY(c->infer_body(c, n->body[b]));
	}
	for (int i = 0; i < n->n_out; i++) {
		const tarn_value *x = n->body[0]->output.at[i], *y = n->body[1]->output.at[i];
		CHECK(x->type == y->type || !x->type || !y->type, TARN_TYPE,
		      "output %d is %s in one branch and %s in the other", i, tarn_dtype_info(x->type)->word,
		      tarn_dtype_info(y->type)->word);
		tarn_shape s;
		TRY(tarn_control_merge(c, &x->shape, &y->shape, &s));
		tarn_infer_out(c, i, x->type ? x->type : y->type, &s);
	}
	return TARN_OK;
}

/* Hands results over to the node's outputs; those nobody asked for are dropped with the rest by the caller. */
static void hand_over(tarn_eval *e, int i, tarn_tensor *t)
{
	if (!tarn_eval_wants(e, i))
		return;
	tarn_tensor_fini(&e->out[i]);
	e->out[i] = *t;
	*t = (tarn_tensor){0};
}

static tarn_err eval_if(tarn_eval *e)
{
	const tarn_node *n = e->node;
	CHECK(tarn_tensor_count(e->in[0]) == 1, TARN_SHAPE, "the condition has %" PRId64 " elements",
	      tarn_tensor_count(e->in[0]));
	int b = tarn_tensor_i64(e->in[0], 0) ? 0 : 1;
	size_t count = n->body[b]->output.len;
	tarn_tensor *out;
	TRY(tarn_control_new(count, &out));
	tarn_err err = e->run_body(e, b, e->in + n->n_in - n->n_capture, n->n_capture, out, (int)count);
	for (size_t i = 0; i < count && err == TARN_OK; i++)
		hand_over(e, (int)i, &out[i]);
	tarn_control_fini(out, count);
	return err;
}

const tarn_op_def tarn_op_if = {
	.name = "If",
	.onnx_since = 1,
	.min_in = 1,
	.max_in = -1,
	.min_out = 1,
	.max_out = -1,
	.flags = TARN_OP_CONTROL | TARN_OP_DATA_SHAPE,
	.infer = infer_if,
	.eval = eval_if,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
