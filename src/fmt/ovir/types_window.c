/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and poolings. */
#include <string.h>

#include "fmt/ovir/layer.h"

static tarn_err auto_pad_check(const ovir_build *b)
{
	static const char *const words[] = {"explicit", "notset", "valid", "same_upper", "same_lower"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (ovir_attr_is(b->l, "auto_pad", words[i]))
			return TARN_OK;
	return tarn_err_set(TARN_BAD_FILE, "auto_pad=\"%.40s\" is no way of padding", ovir_attr(b->l, "auto_pad"));
}

static tarn_err read_window(ovir_build *b)
{
	TRY(auto_pad_check(b));
	return ovir_make(b, ovir_type_find(b->l->type)->op, b->in, b->l->n_in, -1);
}

static tarn_err read_pool(ovir_build *b)
{
	static const char *const words[] = {"floor", "ceil", "ceil_torch"};
	bool known = false;
	int64_t v;
	tarn_dtype t;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		known |= ovir_attr_is(b->l, "rounding_type", words[i]);
	CHECK(known, TARN_BAD_FILE, "rounding_type=\"%.40s\" is no way of rounding", ovir_attr(b->l, "rounding_type"));
	TRY(ovir_attr_i(b->l, "axis", 0, &v));
	TRY(ovir_attr_type(b->l, "index_element_type", TARN_I64, &t));
	CHECK(b->l->n_out < 2 || (v == 0 && t == TARN_I64), TARN_UNSUPPORTED,
	      "indices other than i64 over the whole tensor are not supported");
	CHECK(b->l->n_out <= 2, TARN_BAD_FILE, "it has %d outputs", b->l->n_out);
	return read_window(b);
}

/* Transposed: weights [I, O/G, k..] with a group attribute. With three inputs the last is the spatial shape of the output. */
static tarn_err read_backprop(ovir_build *b)
{
	CHECK(b->l->n_in >= 2 && b->l->n_in <= 3, TARN_BAD_FILE, "it has %d inputs; 2 or 3 are needed", b->l->n_in);
	TRY(auto_pad_check(b));
	tarn_value *in[2] = {b->in[0], b->in[1]};
	int64_t group = 1, size[TARN_MAX_RANK];
	int n = 0;
	if (!strcmp(b->l->type, "GroupConvolutionBackpropData")) {
		const tarn_shape *w = &b->in[1]->shape;
		int64_t dim[TARN_MAX_RANK];
		CHECK(w->rank >= 4 && tarn_shape_is_static(w), TARN_UNSUPPORTED, "the weights' shape is not known");
		group = w->dim[0];
		dim[0] = w->dim[0] * w->dim[1];
		for (int i = 2; i < w->rank; i++)
			dim[i - 1] = w->dim[i];
		TRY(ovir_reshaped(b, b->in[1], dim, w->rank - 1, &in[1]));
	}
	if (b->l->n_in == 3)
		TRY(ovir_const_ints(b, 2, "the output shape", size, TARN_MAX_RANK, &n));
	TRY(ovir_make(b, "ConvTranspose", in, 2, -1));
	TRY(ovir_set_i(b, "group", group));
	return n ? ovir_set_ints(b, "output_shape", size, n) : TARN_OK;
}

const ovir_type ovir_types_window[] = {
	{"Convolution", "1", "Conv", read_window, 0},
	{"GroupConvolution", "1", "GroupConvolution", read_window, 0},
	{"ConvolutionBackpropData", "1", "ConvTranspose", read_backprop, 0},
	{"GroupConvolutionBackpropData", "1", "ConvTranspose", read_backprop, 0},
	{"MaxPool", "1|8|14", "MaxPool", read_pool, 0},
	{"AvgPool", "1|14", "AveragePool", read_pool, 0},
	{NULL, NULL, NULL, NULL, 0},
};
