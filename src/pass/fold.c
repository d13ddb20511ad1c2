/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constant folding. A node whose inputs are all constant is evaluated, and so is one whose small integer result follows from
 * shapes alone (tarn_value.known).
 *
 * Not folded: DequantizeLinear and FakeQuantize (weights stay as integers, and quantization parameters stay visible to
 * devices), random operators, results much larger than what they come from, and nodes that refuse their inputs (they say so
 * when run).
 */
#include "base/mem.h"
#include "ops/ops.h"
#include "pass/rewrite.h"

#define FOLD_SMALL ((size_t)1 << 20)
#define FOLD_LARGE ((size_t)64 << 20)

static bool inputs_constant(const tarn_node *n, size_t *bytes)
{
	*bytes = 0;
	for (int i = 0; i < n->n_in; i++) {
		if (!n->in[i])
			continue;
		if (!n->in[i]->konst)
			return false;
		*bytes += tarn_tensor_bytes(n->in[i]->konst);
	}
	return true;
}

/* Small results always; large ones when they take the place of something as large. */
static bool size_is_fine(const tarn_node *n, size_t in_bytes)
{
	size_t sum = 0;
	for (int i = 0; i < n->n_out; i++) {
		const tarn_value *v = n->out[i];
		if (!v)
			continue;
		int64_t count;
		size_t bytes;
		if (!tarn_shape_is_static(&v->shape) || v->type == TARN_DTYPE_NONE)
			return in_bytes <= FOLD_SMALL / 16; /* as large as the data says */
		if (tarn_shape_count(&v->shape, &count) != TARN_OK || !tarn_dtype_bytes(v->type, (size_t)count, &bytes) ||
		    bytes > FOLD_LARGE)
			return false;
		sum += bytes;
	}
	return sum <= FOLD_SMALL || (sum <= FOLD_LARGE && sum <= 2 * in_bytes);
}

static bool may_fold(const tarn_node *n)
{
	return !(n->op->flags & (TARN_OP_RANDOM | TARN_OP_CONTROL)) && !tarn_is(n, "DequantizeLinear") &&
	       !tarn_is(n, "FakeQuantize") && n->n_out > 0;
}

/* Replaces output i by the tensor. */
static tarn_err put(tarn_swaps *s, tarn_node *n, int i, const tarn_tensor *t)
{
	tarn_value *v;
	TRY(tarn_value_const(s->g, n->out[i]->name, t, &v));
	return tarn_swaps_put(s, n->out[i], v);
}

static tarn_err fold_eval(tarn_swaps *s, tarn_node *n, int *changed)
{
	tarn_arena scratch = {0};
	const tarn_tensor **in = tarn_arena_zalloc(&scratch, (size_t)n->n_in + 1, sizeof *in);
	tarn_tensor *out = tarn_arena_zalloc(&scratch, (size_t)n->n_out + 1, sizeof *out);
	tarn_err err = TARN_OK;
	if (!in || !out) {
		err = tarn_err_nomem((size_t)n->n_in * sizeof *in);
		goto out;
	}
	for (int i = 0; i < n->n_in; i++)
		in[i] = n->in[i] ? n->in[i]->konst : NULL;
	err = tarn_node_eval(n, in, out);
	if (err != TARN_OK) {
		/* Whoever runs the node hears it; a branch never taken must not stop the rest. */
		if (err != TARN_NOMEM)
			err = TARN_OK;
		goto out;
	}
	++*changed;
	for (int i = 0; i < n->n_out; i++) {
		if (n->out[i] && err == TARN_OK)
			err = put(s, n, i, &out[i]);
		tarn_tensor_fini(&out[i]);
	}
out:
	tarn_arena_fini(&scratch);
	return err;
}

/* All elements of the value as numbers, from shape arithmetic. */
static bool known_numbers(const tarn_value *v)
{
	if (!v || v->konst || !v->known || (v->type != TARN_I64 && v->type != TARN_I32) || !tarn_shape_is_static(&v->shape))
		return false;
	int64_t count;
	if (tarn_shape_count(&v->shape, &count) != TARN_OK || count != v->n_known)
		return false;
	for (int i = 0; i < v->n_known; i++)
		if (!tarn_dim_is_static(v->known[i]))
			return false;
	return true;
}

static tarn_err fold_known(tarn_swaps *s, tarn_node *n, int *changed)
{
	for (int i = 0; i < n->n_out; i++)
		if (!known_numbers(n->out[i]))
			return TARN_OK;
	for (int i = 0; i < n->n_out; i++) {
		const tarn_value *v = n->out[i];
		tarn_tensor t;
		TRY(tarn_tensor_new(v->type, v->shape.rank, v->shape.dim, &t));
		for (int k = 0; k < v->n_known; k++)
			tarn_tensor_set_i64(&t, k, v->known[k]);
		tarn_err err = put(s, n, i, &t);
		tarn_tensor_fini(&t);
		TRY(err);
	}
	++*changed;
	return TARN_OK;
}

/* Captured constants become constants of the bodies. */
static tarn_err fold_captures(tarn_graph *g, tarn_node *n, int *changed)
{
	(void)g;
	for (int c = n->n_capture - 1; c >= 0; c--) {
		int slot = n->n_in - n->n_capture + c;
		const tarn_value *outer = n->in[slot];
		if (!outer || !outer->konst)
			continue;
		for (int b = 0; b < n->n_body; b++) {
			tarn_graph *body = n->body[b];
			size_t at = body->input.len - (size_t)n->n_capture + (size_t)c;
			tarn_value *inner = body->input.at[at], *v;
			memmove(body->input.at + at, body->input.at + at + 1,
				(body->input.len - at - 1) * sizeof(tarn_value *));
			body->input.len--;
			TRY(tarn_value_const(body, inner->name, outer->konst, &v));
			tarn_graph_replace(body, inner, v);
		}
		memmove(n->in + slot, n->in + slot + 1, (size_t)(n->n_in - slot - 1) * sizeof *n->in);
		n->n_in--;
		n->n_capture--;
		++*changed;
	}
	return TARN_OK;
}

tarn_err tarn_fold_round(tarn_graph *g, int *changed)
{
	tarn_arena scratch = {0};
	tarn_swaps swaps = {0};
	int *uses;
	tarn_err err = tarn_graph_uses(g, &scratch, &uses);
	if (err == TARN_OK)
		err = tarn_swaps_begin(g, &scratch, &swaps);
	size_t n_nodes = g->node.len, made = g->value.len;
	for (size_t i = 0; err == TARN_OK && i < n_nodes; i++) {
		tarn_node *n = g->node.at[i];
		size_t in_bytes;
		bool used = false;
		tarn_swaps_resolve(&swaps, n);
		for (int k = 0; k < n->n_out; k++)
			used |= n->out[k] && (n->out[k]->id >= made || uses[n->out[k]->id] > 0);
		if (!used)
			continue;
		if (n->n_capture)
			err = fold_captures(g, n, changed);
		else if (may_fold(n) && inputs_constant(n, &in_bytes) && size_is_fine(n, in_bytes))
			err = fold_eval(&swaps, n, changed);
		else if (may_fold(n))
			err = fold_known(&swaps, n, changed);
	}
	if (swaps.to)
		tarn_swaps_end(&swaps);
	tarn_arena_fini(&scratch);
	return err;
}

tarn_err tarn_pass_fold(tarn_model *m)
{
	static const tarn_rewrite_fn fn[] = {tarn_fold_round};
	return tarn_rewrite_run(m, fn, 1);
}
