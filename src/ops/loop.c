/* SPDX-License-Identifier: Apache-2.0 */
/* Loop: inputs M (trip count), cond, states, captures; body: iteration, cond, states, captures -> cond, states, scan outputs.
 */
#include <inttypes.h>

#include "base/mem.h"
#include "ops/control.h"

static tarn_err infer(tarn_infer *c)
{
	tarn_node *n = c->node;
	CHECK(n->n_body == 1 && n->n_in - n->n_capture >= 2, TARN_BAD_FILE,
	      "Loop needs a trip count, a condition and one body");
	tarn_graph *body = n->body[0];
	size_t states = (size_t)(n->n_in - n->n_capture - 2);
	tarn_shape scalar = {.rank = 0};
	TRY(tarn_control_inputs(c, body, states + 2));
	CHECK(body->output.len >= states + 1 && (size_t)n->n_out + 1 == body->output.len, TARN_BAD_FILE,
	      "the body gives %zu outputs for %zu states and %d outputs", body->output.len, states, n->n_out);
	if (!c->infer_body)
		return TARN_OK;
	body->input.at[0]->type = TARN_I64;
	body->input.at[1]->type = TARN_BOOL;
	body->input.at[0]->shape = body->input.at[1]->shape = scalar;
	for (size_t i = 0; i < states; i++) {
		CHECK(n->in[2 + i], TARN_BAD_FILE, "state %zu is missing", i);
		body->input.at[2 + i]->type = n->in[2 + i]->type;
		body->input.at[2 + i]->shape = n->in[2 + i]->shape;
	}
	TRY(tarn_control_fixpoint(c, body, 2, 1, states));
	for (size_t i = 0; i < (size_t)n->n_out; i++) {
		const tarn_value *v = body->output.at[1 + i];
		tarn_shape s = v->shape;
		if (i < states) {
			TRY(tarn_control_merge(c, &n->in[2 + i]->shape, &v->shape, &s));
		} else if (s.rank >= 0) {
			CHECK(s.rank < TARN_MAX_RANK, TARN_UNSUPPORTED, "scan output %zu has rank %d", i - states, s.rank + 1);
			for (int k = s.rank++; k > 0; k--)
				s.dim[k] = s.dim[k - 1];
			TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &s.dim[0]));
		}
		tarn_infer_out(c, (int)i, v->type, &s);
	}
	return TARN_OK;
}

typedef struct loop {
	tarn_eval *e;
	size_t states, scans, n_in;
	const tarn_tensor **in; /* the body's inputs */
	tarn_tensor *state;
	VEC(tarn_tensor) made; /* scan outputs, one row per iteration */
} loop;

/* One run of the body; *more is its condition. */
static tarn_err iteration(loop *l, int64_t i, bool *more)
{
	size_t n_out = 1 + l->states + l->scans;
	tarn_tensor iter = {0}, cond = {0}, *out = NULL;
	tarn_err err;
	TRY_GOTO(done, tarn_control_new(n_out, &out));
	TRY_GOTO(done, tarn_tensor_new(TARN_I64, 0, NULL, &iter));
	TRY_GOTO(done, tarn_tensor_new(TARN_BOOL, 0, NULL, &cond));
	*(int64_t *)iter.data = i;
	*(uint8_t *)cond.data = 1;
	l->in[0] = &iter;
	l->in[1] = &cond;
	for (size_t k = 0; k < l->states; k++)
		l->in[2 + k] = &l->state[k];
	TRY_GOTO(done, l->e->run_body(l->e, 0, l->in, (int)l->n_in, out, (int)n_out));
	CHECK_GOTO(done, tarn_tensor_count(&out[0]) == 1, TARN_SHAPE, "the condition has %" PRId64 " elements",
		   tarn_tensor_count(&out[0]));
	*more = tarn_tensor_i64(&out[0], 0) != 0;
	TRY_GOTO(done, VEC_RESERVE(&l->made, l->made.len + l->scans));
	for (size_t k = 0; k < l->states; k++) {
		tarn_tensor_fini(&l->state[k]);
		l->state[k] = out[1 + k];
		out[1 + k] = (tarn_tensor){0};
	}
	for (size_t k = 0; k < l->scans; k++) {
		l->made.at[l->made.len++] = out[1 + l->states + k];
		out[1 + l->states + k] = (tarn_tensor){0};
	}
done:
	tarn_tensor_fini(&iter);
	tarn_tensor_fini(&cond);
	tarn_control_fini(out, n_out);
	return err;
}

static tarn_err results(loop *l)
{
	tarn_eval *e = l->e;
	size_t rows = l->scans ? l->made.len / l->scans : 0;
	for (size_t k = 0; k < l->states; k++) {
		if (!tarn_eval_wants(e, (int)k))
			continue;
		if (l->state[k].buf)
			e->out[k] = tarn_tensor_share(&l->state[k]);
		else
			TRY(tarn_tensor_copy(&l->state[k], &e->out[k]));
	}
	for (size_t k = 0; k < l->scans; k++) {
		if (!tarn_eval_wants(e, (int)(l->states + k)))
			continue;
		tarn_tensor *out = &e->out[l->states + k];
		const tarn_value *v = e->node->body[0]->output.at[1 + l->states + k];
		if (rows)
			TRY(tarn_control_stack(l->made.at + k, rows, l->scans, 0, false, out));
		else
			TRY(tarn_control_empty(v, 0, out));
	}
	return TARN_OK;
}

static tarn_err eval(tarn_eval *e)
{
	const tarn_node *n = e->node;
	loop l = {.e = e, .states = (size_t)(n->n_in - n->n_capture - 2)};
	l.n_in = 2 + l.states + (size_t)n->n_capture;
	l.scans = n->body[0]->output.len - 1 - l.states;
	int64_t trips = e->in[0] ? tarn_tensor_i64(e->in[0], 0) : INT64_MAX;
	bool more = e->in[1] ? tarn_tensor_i64(e->in[1], 0) != 0 : true;
	tarn_err err;
	TRY_GOTO(done, tarn_control_new(l.states, &l.state));
	l.in = tarn_mem_zalloc(l.n_in, sizeof *l.in);
	CHECK_GOTO(done, l.in, TARN_NOMEM, "out of memory for %zu inputs", l.n_in);
	for (size_t k = 0; k < l.states; k++)
		l.state[k] = tarn_tensor_share(e->in[2 + k]);
	for (int k = 0; k < n->n_capture; k++)
		l.in[2 + l.states + (size_t)k] = e->in[n->n_in - n->n_capture + k];
	for (int64_t i = 0; i < trips && more; i++)
		TRY_GOTO(done, iteration(&l, i, &more));
	TRY_GOTO(done, results(&l));
done:
	tarn_control_fini(l.state, l.states);
	for (size_t i = 0; i < l.made.len; i++)
		tarn_tensor_fini(&l.made.at[i]);
	VEC_FINI(&l.made);
	tarn_mem_free(l.in);
	return err;
}

const tarn_op_def tarn_op_loop = {
	.name = "Loop",
	.onnx_since = 1,
	.min_in = 0, /* trip count and condition may both be left out */
	.max_in = -1,
	.min_out = 1,
	.max_out = -1,
	.flags = TARN_OP_CONTROL | TARN_OP_DATA_SHAPE,
	.infer = infer,
	.eval = eval,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
