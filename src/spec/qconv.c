/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "kern/layout.h"
#include "spec/spec.h"

/* Element c of a constant of one element or one for each channel. */
static double nth(const tarn_tensor *t, int64_t c)
{
	return tarn_tensor_f64(t, tarn_tensor_count(t) == 1 ? 0 : c);
}

static const tarn_tensor *zeros_of(const tarn_node *dequantize)
{
	return dequantize->n_in > 2 && dequantize->in[2] ? dequantize->in[2]->konst : NULL;
}

static bool is_conv(const tarn_node *n)
{
	return !strcmp(n->op->name, "Conv");
}

/* Weights of a matrix product are [k][n], but for a Gemm that says so. */
static bool is_turned(const tarn_node *n)
{
	return !is_conv(n) && !(!strcmp(n->op->name, "Gemm") && tarn_attr_i(n, tarn_attr_index(n->op, "transB")));
}

static tarn_code code_type(tarn_dtype t)
{
	return t == TARN_I8 ? TARN_CODE_S8 : TARN_CODE_U8;
}

double tarn_spec_qconv_scale(const tarn_node *n, int64_t c)
{
	return nth(n->in[1]->def->in[1]->konst, c);
}

double tarn_spec_qconv_bias(const tarn_node *n, int64_t c)
{
	const tarn_value *b = n->n_in > 2 ? n->in[2] : NULL;
	if (!b)
		return 0;
	if (b->konst)
		return nth(b->konst, c);
	const tarn_node *d = b->def;
	const tarn_tensor *zero = zeros_of(d);
	return (nth(d->in[0]->konst, c) - (zero ? nth(zero, c) : 0)) * nth(d->in[1]->konst, c);
}

tarn_err tarn_spec_qconv(const tarn_node *n, tarn_conv_spec *spec)
{
	const tarn_tensor *q = n->in[1]->def->in[0]->konst;
	if (is_conv(n))
		return tarn_spec_conv(n, q->dim, q->rank, spec);
	bool turned = is_turned(n);
	*spec = (tarn_conv_spec){(int)q->dim[!turned], (int)q->dim[turned], 1, 1, 1, 1, 1, 1, 1};
	return TARN_OK;
}

tarn_err tarn_spec_qconv_pack(tarn_packs *packs, const tarn_node *n, const tarn_conv_spec *spec, tarn_qconv_input input,
			      tarn_qconv **packed)
{
	const tarn_node *w = n->in[1]->def;
	const tarn_tensor *q = w->in[0]->konst, *z = zeros_of(w);
	bool turned = is_turned(n), any = false;
	size_t bytes = tarn_tensor_bytes(q), count = (size_t)spec->oc;
	uint8_t *copy = turned ? tarn_mem_alloc(bytes + 1) : NULL;
	int32_t *zero = z ? tarn_mem_alloc((count + 1) * sizeof *zero) : NULL;
	tarn_err err = (turned && !copy) || (z && !zero) ? tarn_err_nomem(bytes + count * sizeof *zero) : TARN_OK;
	if (copy)
		tarn_transpose_2d(1, q->data, (size_t)q->dim[1], copy, (size_t)q->dim[0], (size_t)q->dim[0], (size_t)q->dim[1]);
	for (int c = 0; zero && c < spec->oc; c++)
		any |= (zero[c] = (int32_t)nth(z, c)) != 0;
	if (err == TARN_OK)
		err = tarn_share_qconv(packs, spec, copy ? copy : q->data, code_type(q->type), any ? zero : NULL, input,
				       packed);
	tarn_mem_free(copy);
	tarn_mem_free(zero);
	return err;
}
