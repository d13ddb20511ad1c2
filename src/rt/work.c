/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/work.h"

#include <string.h>

#include "base/mem.h"
#include "ir/op.h"

static bool is(const tarn_node *n, const char *op)
{
	return n && !strcmp(n->op->name, op);
}

static bool is_quantizer(const tarn_node *n)
{
	return is(n, "QuantizeLinear") || is(n, "DequantizeLinear") || is(n, "FakeQuantize");
}

/* What v is kept as: codes behind and before quantizers. codes: by value, it is only there to be quantized. */
static int64_t bytes_of(const tarn_value *v, const uint8_t *codes)
{
	int64_t n;
	size_t bytes = 0;
	if (v->konst)
		return v->konst->type == TARN_STRING ? 0 : (int64_t)tarn_tensor_bytes(v->konst);
	if (v->type == TARN_STRING || v->type == TARN_DTYPE_NONE || !tarn_shape_is_static(&v->shape) ||
	    tarn_shape_count(&v->shape, &n))
		return 0;
	if (codes[v->id] || is_quantizer(v->def))
		return n;
	return tarn_dtype_bytes(v->type, (size_t)n, &bytes) ? (int64_t)bytes : 0;
}

static void add_moved(const tarn_value *v, const uint8_t *codes, int64_t large, tarn_work *w)
{
	int64_t bytes = bytes_of(v, codes);
	w->moved_bytes += bytes;
	w->large_bytes += bytes > large ? bytes : 0;
}

static void add_input(const tarn_value *v, const uint8_t *codes, int64_t large, tarn_work *w)
{
	const tarn_node *d = v->def;
	if (v->konst)
		w->weight_bytes += bytes_of(v, codes);
	else if (is_quantizer(d) && d->n_in && d->in[0] && d->in[0]->konst)
		w->weight_bytes += bytes_of(d->in[0], codes);
	else
		add_moved(v, codes, large, w);
}

static tarn_work work_of(const tarn_node *n, const uint8_t *codes, int64_t large)
{
	tarn_work w = {.node = n};
	tarn_cost cost;
	if (n->op->cost && !n->op->cost(n, &cost))
		w.macs = cost.macs;
	tarn_err_clear();
	for (int i = 0; i < n->n_in; i++)
		if (n->in[i])
			add_input(n->in[i], codes, large, &w);
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i])
			add_moved(n->out[i], codes, large, &w);
	return w;
}

tarn_err tarn_work_find(const tarn_graph *g, int64_t large, tarn_work **rows, size_t *n)
{
	tarn_work *w = tarn_mem_zalloc(g->node.len + 1, sizeof *w);
	uint8_t *codes = tarn_mem_zalloc(g->value.len + 1, 1);
	if (!w || !codes) {
		tarn_mem_free(w);
		tarn_mem_free(codes);
		return tarn_err_nomem((g->node.len + 1) * sizeof *w);
	}
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *q = g->node.at[i];
		if (is_quantizer(q) && !is(q, "DequantizeLinear") && q->n_in && q->in[0])
			codes[q->in[0]->id] = 1;
	}
	*n = g->node.len;
	for (size_t i = 0; i < *n; i++)
		w[i] = is_quantizer(g->node.at[i]) ? (tarn_work){.node = g->node.at[i]} : work_of(g->node.at[i], codes, large);
	tarn_mem_free(codes);
	*rows = w;
	return TARN_OK;
}
