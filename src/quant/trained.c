/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/map.h"
#include "quant/control.h"

static bool alike(const tarn_tensor *a, const tarn_tensor *b)
{
	return a->type == b->type && a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

tarn_err tarn_quant_take_trained(const tarn_model *trained, tarn_model *q)
{
	tarn_map map = {0};
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < trained->main->value.len; i++) {
		tarn_value *v = trained->main->value.at[i];
		if (v->konst)
			TRY_GOTO(out, tarn_map_put(&map, v->name, v));
	}
	for (size_t i = 0; i < q->main->value.len; i++) {
		tarn_value *v = q->main->value.at[i];
		const tarn_value *from = v->konst ? tarn_map_find(&map, v->name) : NULL;
		if (!from || !alike(from->konst, v->konst))
			continue;
		tarn_tensor t;
		TRY_GOTO(out, tarn_tensor_copy(from->konst, &t));
		tarn_tensor *own = tarn_arena_memdup(&q->arena, &t, sizeof t);
		err = own ? tarn_model_keep(q, t.buf) : tarn_err_nomem(sizeof t);
		if (err == TARN_OK)
			v->konst = own;
		tarn_tensor_fini(&t);
		if (err != TARN_OK)
			break;
	}
out:
	tarn_map_fini(&map);
	return err;
}
