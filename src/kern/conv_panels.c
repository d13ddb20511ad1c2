/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/conv_panels.h"

#include <string.h>

#include "base/mem.h"
#include "kern/layout.h"

tarn_err tarn_conv_panels_new(const tarn_conv_spec *s, tarn_store *from, tarn_panels **group)
{
	size_t groups = (size_t)s->groups, depth = (size_t)s->kh * (size_t)s->kw * ((size_t)s->ic / groups);
	tarn_err err = TARN_OK;
	tarn_panels *p = tarn_mem_zalloc(groups, sizeof *p);
	if (!p)
		return tarn_err_nomem(groups * sizeof *p);
	for (size_t g = 0; g < groups; g++)
		TRY_GOTO(fail, tarn_panels_init(depth, (size_t)s->oc / groups, from, &p[g]));
	*group = p;
	return TARN_OK;
fail:
	tarn_conv_panels_free(s, p);
	return err;
}

tarn_err tarn_conv_panels_fill(const tarn_conv_spec *s, const float *weights, size_t out_step, size_t in_step,
			       const float *bias, tarn_panels *group)
{
	size_t groups = (size_t)s->groups, ocg = (size_t)s->oc / groups, icg = (size_t)s->ic / groups;
	size_t taps = (size_t)s->kh * (size_t)s->kw, bytes = taps * icg * TARN_TILE_COLS * sizeof(float);
	float *columns = tarn_mem_zalloc(taps * icg, TARN_TILE_COLS * sizeof(float));
	if (!columns)
		return tarn_err_nomem(bytes);
	for (size_t g = 0; g < groups; g++) {
		tarn_panels *b = &group[g];
		for (int p = 0; p < b->count; p++) {
			float *at;
			size_t col, cols = tarn_panel_cols(b, p, &col, &at);
			const float *w = weights + g * ocg * icg * taps + col * out_step;
			for (size_t o = 0; o < cols; o++) /* [ic][taps] -> [taps][ic] */
				tarn_transpose_2d(sizeof(float), w + o * out_step, in_step, columns + o * taps * icg, icg, icg,
						  taps);
			tarn_panels_set_columns(b, p, columns, taps * icg);
		}
		if (bias)
			memcpy(b->bias, bias + g * ocg, ocg * sizeof(float));
	}
	tarn_mem_free(columns);
	return TARN_OK;
}

void tarn_conv_panels_save(const tarn_conv_spec *s, const tarn_panels *group, tarn_str *out)
{
	for (int g = 0; g < s->groups; g++)
		tarn_panels_save(&group[g], out);
}

void tarn_conv_panels_free(const tarn_conv_spec *s, tarn_panels *group)
{
	for (int g = 0; group && g < s->groups; g++)
		tarn_panels_fini(&group[g]);
	tarn_mem_free(group);
}
