/* SPDX-License-Identifier: Apache-2.0 */
#include "layers.h"

#include <math.h>

#include "quantized.h"

void layers_text(const tarn_quantize_report *r)
{
	const tarn_quantize_layer *worst = NULL;
	size_t clipped = 0;
	for (size_t i = 0; i < r->n_layer; i++) {
		const tarn_quantize_layer *l = &r->layer[i];
		clipped += l->clipped > 0.01;
		if (isfinite(l->own_db) && (!worst || l->own_db < worst->own_db))
			worst = l;
	}
	if (!worst)
		return;
	printf("noisiest layer    %s (%s): %.1f dB, measured; its inputs use %d of 256 codes", worst->node, worst->type,
	       worst->own_db, worst->codes);
	if (clipped)
		printf("; %zu layers clip more than 1 %% of their inputs", clipped);
	printf("\n");
}

void layers_json(json *j, const tarn_quantize_report *r)
{
	json_begin(j, "layers", '[');
	for (size_t i = 0; i < r->n_layer; i++) {
		const tarn_quantize_layer *l = &r->layer[i];
		json_begin(j, NULL, '{');
		json_text(j, "node", l->node);
		json_text(j, "type", l->type);
		json_text(j, "state", l->state);
		json_num(j, "sqnr_local_db", l->own_db);
		json_num(j, "sqnr_cumulative_db", l->total_db);
		json_num(j, "clip_rate", l->clipped);
		json_int(j, "used_codes", l->codes);
		json_text(j, "estimator", quantized_estimator(l->estimator));
		json_begin(j, "from", '[');
		for (size_t k = 0; k < l->n_from; k++)
			json_int(j, NULL, (long long)l->from[k]);
		json_end(j, ']');
		json_end(j, '}');
	}
	json_end(j, ']');
}
