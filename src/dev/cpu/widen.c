/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed weights of OpenVINO's converters: integers become f16, a zero point and a scale of f16 are applied, the result
 * becomes f32. Here that arithmetic is done in f32, so that the weights can stay codes: what differs is the rounding of each
 * weight to 11 bits, which the device's own f32 precision does not want.
 */
#include <string.h>

#include "dev/cpu/cpu.h"
#include "ops/ops.h"

static bool is(const tarn_node *n, const char *op)
{
	return n && n->op == tarn_op_find(NULL, op);
}

static tarn_dtype cast_to(const tarn_node *n)
{
	return (tarn_dtype)tarn_attr_i(n, tarn_attr_index(n->op, "to"));
}

/* A zero point that is integers made f16. */
static bool is_zero(const tarn_graph *g, const tarn_node *sub)
{
	const tarn_node *d = is(sub, "Sub") ? sub->in[1]->def : NULL;
	return is(d, "Cast") && d->in[0]->konst && tarn_dtype_is_int(d->in[0]->type) &&
	       tarn_graph_only_user(g, sub->in[1]) == sub;
}

/* The nodes from a conversion to f32 back to the one from integers; how many, 0 when it is another chain. */
static int chain_of(const tarn_graph *g, const tarn_node *last, tarn_node *chain[4])
{
	const tarn_node *user = last;
	tarn_value *v = last->in[0];
	bool scaled = false;
	for (int n = 0; n < 4 && v->def && v->type == TARN_F16 && tarn_graph_only_user(g, v) == user; n++) {
		tarn_node *d = v->def;
		chain[n] = d;
		if (is(d, "Cast")) {
			const tarn_tensor *q = d->in[0]->konst;
			bool codes = q && tarn_dtype_is_int(q->type) && tarn_dtype_info(q->type)->bits <= 8;
			return codes && scaled ? n + 1 : 0;
		}
		bool constant = d->n_in == 2 && d->in[1] && (d->in[1]->konst || is_zero(g, d));
		if (!is(d, "Reshape") && !((is(d, "Mul") || is(d, "Sub")) && constant))
			return 0;
		scaled |= is(d, "Mul");
		user = d;
		v = d->in[0];
	}
	return 0;
}

static tarn_err widen(tarn_graph *g, tarn_node *last)
{
	tarn_node *chain[4];
	int n = chain_of(g, last, chain);
	for (int i = 0; i < n; i++) {
		tarn_node *d = chain[i];
		if (is(d, "Cast")) {
			TRY(tarn_attr_set_i(d, tarn_attr_index(d->op, "to"), TARN_F32));
		} else if (!is(d, "Reshape") && !d->in[1]->konst) {
			tarn_node *zero = d->in[1]->def;
			TRY(tarn_attr_set_i(zero, tarn_attr_index(zero->op, "to"), TARN_F32));
			d->in[1]->type = TARN_F32;
		} else if (!is(d, "Reshape")) {
			tarn_tensor t;
			TRY(tarn_tensor_convert(d->in[1]->konst, TARN_F32, &t));
			tarn_err err = tarn_value_const(g, d->in[1]->name, &t, &d->in[1]);
			tarn_tensor_fini(&t);
			TRY(err);
		}
		d->out[0]->type = TARN_F32;
	}
	return TARN_OK;
}

tarn_err tarn_cpu_widen(tarn_model *m)
{
	tarn_graph *g = m->main;
	size_t values = g->value.len;
	for (size_t i = 0; i < g->node.len; i++)
		if (is(g->node.at[i], "Cast") && cast_to(g->node.at[i]) == TARN_F32 && g->node.at[i]->in[0]->type == TARN_F16)
			TRY(widen(g, g->node.at[i]));
	return g->value.len == values ? TARN_OK : tarn_graph_infer(g);
}
