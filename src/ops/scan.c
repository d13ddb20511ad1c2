/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scan: states, then num_scan_inputs sequences, then captures; body: states, one slice of each sequence, captures -> states,
 * slices of the outputs. Opset 8 has a batch axis in front of everything and a first input for lengths; with `batched` the node
 * is evaluated once per batch element (lengths other than the full one are not supported).
 */
#include <inttypes.h>

#include "base/mem.h"
#include "ops/control.h"

enum { NUM, IN_AXES, IN_DIRECTIONS, OUT_AXES, OUT_DIRECTIONS, BATCHED, N_ATTR };
static const tarn_attr_def attr[] = {{"num_scan_inputs", TARN_ATTR_INT, TARN_ATTR_REQUIRED},
				     {"scan_input_axes", TARN_ATTR_INTS},
				     {"scan_input_directions", TARN_ATTR_INTS},
				     {"scan_output_axes", TARN_ATTR_INTS},
				     {"scan_output_directions", TARN_ATTR_INTS},
				     {"batched", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0}};

static tarn_err import(const tarn_import *src)
{
	tarn_node *n = src->node;
	const int64_t *at;
	int count;
	if (src->opset >= 9)
		return TARN_OK;
	CHECK(n->n_in > 1 && !n->in[0], TARN_UNSUPPORTED,
	      "Scan of opset 8 with sequence lengths; export with opset 9 or later");
	for (int i = 1; i < n->n_in; i++)
		n->in[i - 1] = n->in[i];
	n->n_in--;
	if (src->find_ints(src, "directions", &at, &count))
		TRY(tarn_attr_set_ints(src->graph, n, IN_DIRECTIONS, at, count));
	return tarn_attr_set_i(n, BATCHED, 1);
}

static int64_t listed(const tarn_node *n, int a, size_t i)
{
	return n->attr[a].set && (size_t)n->attr[a].ints.n > i ? n->attr[a].ints.at[i] : 0;
}

typedef struct counts {
	size_t states, seqs, outs;
} counts;

static tarn_err counts_of(const tarn_node *n, counts *k)
{
	int64_t num = tarn_attr_i(n, NUM), own = n->n_in - n->n_capture;
	CHECK(n->n_body == 1 && num >= 1 && num <= own, TARN_BAD_FILE, "num_scan_inputs is %" PRId64 " of %" PRId64 " inputs",
	      num, own);
	*k = (counts){.states = (size_t)(own - num), .seqs = (size_t)num};
	size_t outs = n->body[0]->output.len;
	CHECK(outs >= k->states && (size_t)n->n_out == outs, TARN_BAD_FILE, "the body gives %zu outputs; %d are needed", outs,
	      n->n_out);
	k->outs = outs - k->states;
	return TARN_OK;
}

/* The shape without its axis (and, batched, without the batch); the length along it. */
static tarn_err slice_shape(const tarn_node *n, const tarn_shape *s, size_t i, tarn_shape *out, tarn_dim *length)
{
	int axis, skip = tarn_attr_i(n, BATCHED) ? 1 : 0;
	*out = (tarn_shape){.rank = -1};
	if (s->rank < 0)
		return TARN_OK;
	CHECK(s->rank > skip, TARN_SHAPE, "scan input %zu has rank %d", i, s->rank);
	TRY(tarn_shape_axis(s->rank - skip, listed(n, IN_AXES, i), &axis));
	*length = s->dim[axis + skip];
	out->rank = 0;
	for (int k = skip; k < s->rank; k++)
		if (k != axis + skip)
			out->dim[out->rank++] = s->dim[k];
	return TARN_OK;
}

static tarn_shape without_batch(const tarn_node *n, const tarn_shape *s)
{
	tarn_shape out = *s;
	if (!tarn_attr_i(n, BATCHED) || s->rank < 1)
		return out;
	out.rank--;
	for (int i = 0; i < out.rank; i++)
		out.dim[i] = s->dim[i + 1];
	return out;
}

/* Inserts a dimension; ranks have been checked. */
static void insert(tarn_shape *s, int axis, tarn_dim d)
{
	for (int k = s->rank++; k > axis; k--)
		s->dim[k] = s->dim[k - 1];
	s->dim[axis] = d;
}

static tarn_err infer(tarn_infer *c)
{
	tarn_node *n = c->node;
	tarn_graph *body = n->body[0];
	counts k;
	tarn_dim length, batch;
	bool batched = tarn_attr_i(n, BATCHED);
	TRY(counts_of(n, &k));
	TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &length));
	TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &batch));
	TRY(tarn_control_inputs(c, body, k.states + k.seqs));
	if (!c->infer_body)
		return TARN_OK;
	for (size_t i = 0; i < k.states + k.seqs; i++) {
		const tarn_value *from = n->in[i];
		CHECK(from, TARN_BAD_FILE, "input %zu is missing", i);
		body->input.at[i]->type = from->type;
		body->input.at[i]->shape = without_batch(n, &from->shape);
		if (i >= k.states)
			TRY(slice_shape(n, &from->shape, i - k.states, &body->input.at[i]->shape, &length));
		if (from->shape.rank > 0)
			batch = from->shape.dim[0];
	}
	TRY(tarn_control_fixpoint(c, body, 0, 0, k.states));
	for (size_t i = 0; i < k.states + k.outs; i++) {
		tarn_shape s = body->output.at[i]->shape;
		int axis;
		CHECK(s.rank < TARN_MAX_RANK - 1, TARN_UNSUPPORTED, "output %zu has rank %d", i, s.rank);
		if (i >= k.states && s.rank >= 0) {
			TRY(tarn_shape_axis(s.rank + 1, listed(n, OUT_AXES, i - k.states), &axis));
			insert(&s, axis, length);
		}
		if (batched && s.rank >= 0)
			insert(&s, 0, batch);
		tarn_infer_out(c, (int)i, body->output.at[i]->type, &s);
	}
	return TARN_OK;
}

typedef struct scan {
	tarn_eval *e;
	counts k;
	size_t n_in, n_out;
	const tarn_tensor *const *in; /* states, sequences (without batch) */
	const tarn_tensor **body_in;
	tarn_tensor *state, *slice;
	VEC(tarn_tensor) made;
} scan;

static tarn_err step(scan *s, int64_t t)
{
	tarn_tensor *out = NULL;
	tarn_err err;
	const tarn_node *n = s->e->node;
	TRY_GOTO(done, tarn_control_new(s->n_out, &out));
	for (size_t i = 0; i < s->k.states; i++)
		s->body_in[i] = &s->state[i];
	for (size_t i = 0; i < s->k.seqs; i++) {
		const tarn_tensor *seq = s->in[s->k.states + i];
		int axis;
		TRY_GOTO(done, tarn_shape_axis(seq->rank, listed(n, IN_AXES, i), &axis));
		tarn_tensor_fini(&s->slice[i]);
		int64_t at = listed(n, IN_DIRECTIONS, i) ? seq->dim[axis] - 1 - t : t;
		TRY_GOTO(done, tarn_control_slice(seq, axis, at, &s->slice[i]));
		s->body_in[s->k.states + i] = &s->slice[i];
	}
	TRY_GOTO(done, s->e->run_body(s->e, 0, s->body_in, (int)s->n_in, out, (int)s->n_out));
	TRY_GOTO(done, VEC_RESERVE(&s->made, s->made.len + s->k.outs));
	for (size_t i = 0; i < s->n_out; i++) {
		if (i < s->k.states) {
			tarn_tensor_fini(&s->state[i]);
			s->state[i] = out[i];
		} else {
			s->made.at[s->made.len++] = out[i];
		}
		out[i] = (tarn_tensor){0};
	}
done:
	tarn_control_fini(out, s->n_out);
	return err;
}

/* All steps; result has n_out tensors. */
static tarn_err run(tarn_eval *e, const counts *k, const tarn_tensor *const *in, tarn_tensor *result)
{
	const tarn_node *n = e->node;
	scan s = {.e = e, .k = *k, .in = in, .n_out = k->states + k->outs};
	s.n_in = k->states + k->seqs + (size_t)n->n_capture;
	int axis;
	tarn_err err;
	TRY_GOTO(done, tarn_control_new(k->states, &s.state));
	TRY_GOTO(done, tarn_control_new(k->seqs, &s.slice));
	s.body_in = tarn_mem_zalloc(s.n_in, sizeof *s.body_in);
	CHECK_GOTO(done, s.body_in, TARN_NOMEM, "out of memory for %zu inputs", s.n_in);
	for (size_t i = 0; i < k->states; i++)
		s.state[i] = tarn_tensor_share(in[i]);
	for (int i = 0; i < n->n_capture; i++)
		s.body_in[k->states + k->seqs + (size_t)i] = e->in[n->n_in - n->n_capture + i];
	int64_t length = -1;
	for (size_t i = 0; i < k->seqs; i++) {
		const tarn_tensor *seq = in[k->states + i];
		TRY_GOTO(done, tarn_shape_axis(seq->rank, listed(n, IN_AXES, i), &axis));
		CHECK_GOTO(done, length < 0 || length == seq->dim[axis], TARN_SHAPE,
			   "scan input %zu has %" PRId64 " steps, the first has %" PRId64, i, seq->dim[axis], length);
		length = seq->dim[axis];
	}
	for (int64_t t = 0; t < length; t++)
		TRY_GOTO(done, step(&s, t));
	for (size_t i = 0; i < k->states; i++)
		TRY_GOTO(done, tarn_tensor_copy(&s.state[i], &result[i]));
	for (size_t i = 0; i < k->outs; i++) {
		const tarn_value *v = n->body[0]->output.at[k->states + i];
		int rank = length > 0 ? s.made.at[i].rank : v->shape.rank < 0 ? 0 : v->shape.rank;
		TRY_GOTO(done, tarn_shape_axis(rank + 1, listed(n, OUT_AXES, i), &axis));
		tarn_tensor *out = &result[k->states + i];
		if (length > 0)
			TRY_GOTO(done, tarn_control_stack(s.made.at + i, (size_t)length, k->outs, axis,
							  listed(n, OUT_DIRECTIONS, i), out));
		else
			TRY_GOTO(done, tarn_control_empty(v, axis, out));
	}
done:
	tarn_control_fini(s.state, k->states);
	tarn_control_fini(s.slice, k->seqs);
	for (size_t i = 0; i < s.made.len; i++)
		tarn_tensor_fini(&s.made.at[i]);
	VEC_FINI(&s.made);
	tarn_mem_free(s.body_in);
	return err;
}

/* Once per batch element, results stacked in front. */
static tarn_err run_batched(tarn_eval *e, const counts *k, tarn_tensor *result)
{
	size_t own = k->states + k->seqs, n_out = k->states + k->outs;
	int64_t batch = e->in[0]->rank ? e->in[0]->dim[0] : 0;
	tarn_tensor *in = NULL, *made = NULL;
	tarn_err err;
	CHECK(batch > 0, TARN_SHAPE, "Scan of opset 8 needs a batch");
	const tarn_tensor **at = tarn_mem_zalloc(own, sizeof *at);
	CHECK_GOTO(done, at, TARN_NOMEM, "out of memory for %zu inputs", own);
	TRY_GOTO(done, tarn_control_new(own, &in));
	TRY_GOTO(done, tarn_control_new((size_t)batch * n_out, &made));
	for (int64_t b = 0; b < batch; b++) {
		for (size_t i = 0; i < own; i++) {
			CHECK_GOTO(done, e->in[i]->rank && e->in[i]->dim[0] == batch, TARN_SHAPE,
				   "input %zu lacks the batch of %" PRId64, i, batch);
			tarn_tensor_fini(&in[i]);
			TRY_GOTO(done, tarn_control_slice(e->in[i], 0, b, &in[i]));
			at[i] = &in[i];
		}
		TRY_GOTO(done, run(e, k, at, made + (size_t)b * n_out));
	}
	for (size_t i = 0; i < n_out; i++)
		TRY_GOTO(done, tarn_control_stack(made + i, (size_t)batch, n_out, 0, false, &result[i]));
done:
	tarn_mem_free(at);
	tarn_control_fini(in, own);
	tarn_control_fini(made, (size_t)batch * n_out);
	return err;
}

static tarn_err eval(tarn_eval *e)
{
	counts k;
	tarn_tensor *result;
	TRY(counts_of(e->node, &k));
	size_t n_out = k.states + k.outs;
	TRY(tarn_control_new(n_out, &result));
	tarn_err err = tarn_attr_i(e->node, BATCHED) ? run_batched(e, &k, result) : run(e, &k, e->in, result);
	for (size_t i = 0; i < n_out && err == TARN_OK; i++)
		if (tarn_eval_wants(e, (int)i)) {
			e->out[i] = result[i];
			result[i] = (tarn_tensor){0};
		}
	tarn_control_fini(result, n_out);
	return err;
}

const tarn_op_def tarn_op_scan = {
	.name = "Scan",
	.onnx_since = 8,
	.min_in = 1,
	.max_in = -1,
	.min_out = 1,
	.max_out = -1,
	.attr = attr,
	.n_attr = N_ATTR,
	.flags = TARN_OP_CONTROL | TARN_OP_DATA_SHAPE,
	.import = import,
	.infer = infer,
	.eval = eval,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
