/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/facts.h"

#include <string.h>

#include "base/mem.h"
#include "ir/op.h"
#include "base/plan.h"

static bool name_in(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(name, *list))
			return true;
	return false;
}

static bool is_8bit(tarn_dtype t)
{
	return t == TARN_U8 || t == TARN_I8;
}

static bool is_quantized(const tarn_value *v)
{
	static const char *const quantizers[] = {"DequantizeLinear", "FakeQuantize", NULL};
	/* Neither changes what a value is worth. */
	static const char *const passes[] = {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", NULL};
	for (int depth = 0; v && depth < 8; depth++) {
		if (is_8bit(v->type))
			return true;
		if (!v->def)
			return false;
		if (name_in(v->def->op->name, quantizers))
			return true;
		if (!name_in(v->def->op->name, passes) || !v->def->n_in)
			return false;
		v = v->def->in[0];
	}
	return false;
}

/* Do the products of this node run on 8-bit integers, by its operator or by the quantizers before it? */
static bool is_int8(const tarn_node *n)
{
	static const char *const integer[] = {"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul", NULL};
	static const char *const products[] = {"Conv", "ConvTranspose", "MatMul", "Gemm", NULL};
	if (name_in(n->op->name, integer))
		return true;
	return name_in(n->op->name, products) && n->n_in >= 2 && is_quantized(n->in[0]) && is_quantized(n->in[1]);
}

/* Weight-only quantization: floats times a dequantized constant. */
static bool is_compressed(const tarn_node *n)
{
	static const char *const products[] = {"MatMul", "Gemm", NULL};
	const tarn_node *d = n->n_in >= 2 && n->in[1] ? n->in[1]->def : NULL;
	return name_in(n->op->name, products) && d && name_in(d->op->name, (const char *const[]){"DequantizeLinear", NULL}) &&
	       d->in[0]->konst && tarn_dtype_info(d->in[0]->type)->bits <= 8 && !is_int8(n);
}

static void add_work(const tarn_node *n, tarn_facts *f)
{
	tarn_cost cost;
	f->products_compressed += is_compressed(n);
	if (!n->op->cost)
		return;
	if (n->op->cost(n, &cost)) {
		f->nodes_unknown++;
		tarn_err_clear();
		return;
	}
	f->macs += cost.macs;
	if (is_int8(n))
		f->macs_int8 += cost.macs;
}

static tarn_err add_weights(const tarn_graph *g, int depth, tarn_facts *f)
{
	CHECK(depth < 64, TARN_LIMIT, "bodies nested deeper than 64; flatten the model");
	uint8_t *seen = tarn_mem_zalloc(g->value.len + 1, 1);
	if (!seen)
		return tarn_err_nomem(g->value.len);
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < g->node.len && !err; i++) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in; k++) {
			const tarn_value *v = n->in[k];
			if (!v || !v->konst || v->konst->type == TARN_STRING || seen[v->id])
				continue;
			seen[v->id] = 1;
			f->weight_bytes += (int64_t)tarn_tensor_bytes(v->konst);
		}
		for (int k = 0; k < n->n_body && !err; k++)
			err = add_weights(n->body[k], depth + 1, f);
	}
	tarn_mem_free(seen);
	return err;
}

/* Bytes of an intermediate result; false when its size is not fixed. */
static bool bytes_of(const tarn_value *v, size_t *bytes)
{
	int64_t n;
	*bytes = 0;
	if (v->type == TARN_STRING || v->type == TARN_DTYPE_NONE || !tarn_shape_is_static(&v->shape))
		return false;
	return tarn_shape_count(&v->shape, &n) == TARN_OK && tarn_dtype_bytes(v->type, (size_t)n, bytes);
}

static tarn_err plan_results(const tarn_graph *g, tarn_usage *use, int *row, tarn_facts *f)
{
	int used = 0;
	f->activation_bytes = -1;
	for (size_t i = 0; i < g->value.len; i++)
		row[i] = -1;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in; k++)
			if (n->in[k] && row[n->in[k]->id] >= 0)
				use[row[n->in[k]->id]].last = (int)i;
		for (int k = 0; k < n->n_out; k++) {
			if (!n->out[k])
				continue;
			size_t bytes;
			if (!bytes_of(n->out[k], &bytes))
				return TARN_OK;
			row[n->out[k]->id] = used;
			use[used++] = (tarn_usage){bytes, (int)i, (int)i};
		}
	}
	/* Results of the model live in the caller's memory. */
	for (size_t i = 0; i < g->output.len; i++)
		if (row[g->output.at[i]->id] >= 0)
			use[row[g->output.at[i]->id]].size = 0;
	size_t *offset = tarn_mem_zalloc((size_t)used + 1, sizeof *offset), total;
	if (!offset)
		return tarn_err_nomem((size_t)used * sizeof *offset);
	tarn_err err = tarn_plan(use, used, offset, &total);
	if (!err)
		f->activation_bytes = (int64_t)total;
	tarn_mem_free(offset);
	return err;
}

tarn_err tarn_facts_find(const tarn_graph *g, tarn_facts *f)
{
	*f = (tarn_facts){.nodes = (int64_t)g->node.len};
	for (size_t i = 0; i < g->node.len; i++)
		add_work(g->node.at[i], f);
	TRY(add_weights(g, 0, f));
	tarn_usage *use = tarn_mem_zalloc(g->value.len + 1, sizeof *use);
	int *row = tarn_mem_zalloc(g->value.len + 1, sizeof *row);
	tarn_err err = use && row ? plan_results(g, use, row, f) : tarn_err_nomem(g->value.len * sizeof *use);
	tarn_mem_free(use);
	tarn_mem_free(row);
	return err;
}
