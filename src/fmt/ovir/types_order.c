/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that order, count or contract. */
#include <string.h>

#include "fmt/ovir/layer.h"

static tarn_err read_top_k(ovir_build *b)
{
	int64_t k, axis;
	int n;
	tarn_dtype index;
	CHECK(b->l->n_in == 2, TARN_BAD_FILE, "it has %d inputs; 2 are needed", b->l->n_in);
	TRY(ovir_const_ints(b, 1, "k", &k, 1, &n));
	CHECK(n == 1, TARN_BAD_FILE, "k is no single number");
	CHECK(ovir_attr_is(b->l, "mode", "max") || ovir_attr_is(b->l, "mode", "min"), TARN_BAD_FILE, "mode=\"%.40s\"",
	      ovir_attr(b->l, "mode"));
	CHECK(ovir_attr_is(b->l, "sort", "value") || ovir_attr_is(b->l, "sort", "none"), TARN_UNSUPPORTED,
	      "sort=\"%.40s\" is not supported; value is", ovir_attr(b->l, "sort"));
	TRY(ovir_attr_type(b->l, "index_element_type", TARN_I32, &index));
	CHECK(index == TARN_I64, TARN_UNSUPPORTED, "indices other than i64 are not supported");
	TRY(ovir_attr_i(b->l, "axis", -1, &axis));
	tarn_value *in[2] = {b->in[0]};
	TRY(tarn_value_const_i64(b->g, NULL, &k, 1, &in[1]));
	bool most = ovir_attr_is(b->l, "mode", "max");
	TRY(ovir_make(b, "TopK", in, 2, -1));
	TRY(ovir_set_i(b, "axis", axis));
	return ovir_set_i(b, "largest", most);
}

static tarn_err read_one_hot(ovir_build *b)
{
	int64_t axis;
	double on, off;
	tarn_tensor t = {0};
	CHECK(b->l->n_in == 4, TARN_BAD_FILE, "it has %d inputs; 4 are needed", b->l->n_in);
	TRY(ovir_const_float(b, 2, "the value of hits", &on));
	TRY(ovir_const_float(b, 3, "the value of others", &off));
	TRY(ovir_attr_i(b->l, "axis", -1, &axis));
	TRY(tarn_tensor_new(b->in[2]->konst->type, 1, (int64_t[]){2}, &t));
	tarn_tensor_set_f64(&t, 0, off);
	tarn_tensor_set_f64(&t, 1, on);
	tarn_value *in[3] = {b->in[0], b->in[1]};
	tarn_err err = tarn_value_const(b->g, NULL, &t, &in[2]);
	tarn_tensor_fini(&t);
	TRY(err);
	TRY(ovir_make(b, "OneHot", in, 3, -1));
	return ovir_set_i(b, "axis", axis);
}

static tarn_err read_reverse_sequence(ovir_build *b)
{
	int64_t batch, time;
	TRY(ovir_attr_i(b->l, "batch_axis", 0, &batch));
	TRY(ovir_attr_i(b->l, "seq_axis", 1, &time));
	TRY(ovir_make(b, "ReverseSequence", b->in, b->l->n_in, -1));
	TRY(ovir_set_i(b, "batch_axis", batch));
	return ovir_set_i(b, "time_axis", time);
}

const ovir_type ovir_types_order[] = {
	{"TopK", "1|3|11", "TopK", read_top_k, 0},
	{"CumSum", "3", "CumSum", NULL, 0},
	{"OneHot", "1", "OneHot", read_one_hot, 0},
	{"Einsum", "7", "Einsum", NULL, 0},
	{"ReverseSequence", "1", "ReverseSequence", read_reverse_sequence, 0},
	{NULL, NULL, NULL, NULL, 0},
};
