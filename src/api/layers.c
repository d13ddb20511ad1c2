/* SPDX-License-Identifier: Apache-2.0 */
#include "api/layers.h"

#include "api/handles.h"
#include "base/mem.h"

static tarn_err layer_out(const tarn_quant_layer *in, tarn_quantize_layer *out)
{
	*out = (tarn_quantize_layer){
		.state = in->state, .own_db = in->own_db, .total_db = in->total_db, .clipped = in->clipped, .codes = in->codes};
	out->estimator = (tarn_quantize_estimator)in->estimator;
	TRY(tarn_text_out(in->node, &out->node));
	TRY(tarn_text_out(in->op, &out->type));
	out->from = tarn_mem_zalloc((size_t)in->n_from + 1, sizeof *out->from);
	if (!out->from)
		return tarn_err_nomem((size_t)in->n_from * sizeof *out->from);
	for (; out->n_from < (size_t)in->n_from; out->n_from++)
		out->from[out->n_from] = (size_t)in->from[out->n_from];
	return TARN_OK;
}

tarn_err tarn_api_layers_out(const tarn_quant_report *r, tarn_quantize_report *out)
{
	out->layer = tarn_mem_zalloc(r->layer.len + 1, sizeof *out->layer);
	if (!out->layer)
		return tarn_err_nomem(r->layer.len * sizeof *out->layer);
	for (; out->n_layer < r->layer.len; out->n_layer++)
		TRY(layer_out(&r->layer.at[out->n_layer], &out->layer[out->n_layer]));
	return TARN_OK;
}

void tarn_api_layers_free(tarn_quantize_report *out)
{
	for (size_t i = 0; out->layer && i <= out->n_layer; i++) {
		tarn_mem_free(out->layer[i].node);
		tarn_mem_free(out->layer[i].type);
		tarn_mem_free(out->layer[i].from);
	}
	tarn_mem_free(out->layer);
}
