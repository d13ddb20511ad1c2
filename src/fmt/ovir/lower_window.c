/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, poolings, normalisations. */
#include <string.h>

#include "fmt/ovir/writer.h"

enum { MAX_ATTRS = 32 };
static const char *const numpy[] = {"auto_broadcast", "numpy", NULL};
static const char *const keep_zero[] = {"special_zero", "false", NULL};

ovir_ref ovir_put_reshaped(ovir_writer *w, const tarn_value *v, const char *name, const tarn_shape *as)
{
	if (v->konst) {
		tarn_tensor t = *v->konst;
		t.rank = as->rank;
		for (int i = 0; i < as->rank; i++)
			t.dim[i] = as->dim[i];
		return ovir_put_tensor(w, name, &t);
	}
	ovir_ref in[2] = {ovir_ref_of(w, v), ovir_put_ints(w, ovir_text(w, "%s/shape", name), TARN_I64, as->dim, as->rank)};
	return ovir_put(w, "Reshape", "opset1", name, keep_zero, in, 2, v->type, as);
}

static bool is_dequantize(const tarn_value *v)
{
	return v->def && !strcmp(v->def->op->name, "DequantizeLinear") && v->def->in[0]->konst;
}

/* x + the vector v along axis 1, as the node's last layer. */
static void put_bias(ovir_writer *w, const tarn_node *n, ovir_ref x, const tarn_value *v)
{
	tarn_shape as = {.rank = n->out[0]->shape.rank};
	for (int i = 0; i < as.rank; i++)
		as.dim[i] = i == 1 ? v->shape.dim[0] : 1;
	ovir_ref in[2] = {x, is_dequantize(v) ? ovir_put_dequantize(w, v->def, ovir_sub(w, n, "bias"), &as, 1, 1)
					      : ovir_put_reshaped(w, v, ovir_sub(w, n, "bias"), &as)};
	ovir_put_node(w, n, "Add", "opset1", numpy, in, 2);
}

/* strides, dilations, pads_begin, pads_end, auto_pad; -1 when the node's lists do not fit. */
static int window_attrs(ovir_writer *w, const tarn_node *n, int nd, bool dilations, const char **a)
{
	int64_t list[2 * TARN_MAX_RANK];
	const tarn_attr *at;
	int k = 0;
	static const char *const name[] = {"strides", "dilations"};
	for (int i = 0; i < 2; i++) {
		if (i && !dilations)
			continue;
		at = ovir_get(n, name[i]);
		for (int d = 0; d < nd; d++)
			list[d] = at && d < at->ints.n ? at->ints.at[d] : 1;
		a[k++] = name[i];
		a[k++] = ovir_ints_text(w, list, nd);
	}
	at = ovir_get(n, "pads");
	for (int d = 0; d < 2 * nd; d++)
		list[d] = at && at->ints.n == 2 * nd ? at->ints.at[d] : 0;
	static const char *const words[] = {"explicit", "same_upper", "same_lower", "valid"};
	a[k++] = "pads_begin";
	a[k++] = ovir_ints_text(w, list, nd);
	a[k++] = "pads_end";
	a[k++] = ovir_ints_text(w, list + nd, nd);
	a[k++] = "auto_pad";
	a[k++] = words[ovir_get_i(n, "auto_pad") & 3];
	a[k] = NULL;
	return k;
}

/* [G, O/G or I/G, ...] of weights whose first axis is split. */
static ovir_ref grouped(ovir_writer *w, const tarn_node *n, const tarn_value *v, int64_t group)
{
	tarn_shape as = {.rank = v->shape.rank + 1};
	if (!tarn_shape_is_static(&v->shape) || as.rank > TARN_MAX_RANK || group < 1 || v->shape.dim[0] % group) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "weights of a shape that groups do not divide"));
		return (ovir_ref){-1, 0};
	}
	as.dim[0] = group;
	as.dim[1] = v->shape.dim[0] / group;
	for (int i = 1; i < v->shape.rank; i++)
		as.dim[i + 1] = v->shape.dim[i];
	if (is_dequantize(v) && ovir_get_i(v->def, "axis") == 0)
		return ovir_put_dequantize(w, v->def, ovir_sub(w, n, "weights"), &as, 0, 2);
	return ovir_put_reshaped(w, v, ovir_sub(w, n, "weights"), &as);
}

static void conv_out(ovir_writer *w, const tarn_node *n, const char *type, const char *const *attrs, const ovir_ref *in,
		     const tarn_value *bias)
{
	if (!bias) {
		ovir_put_node(w, n, type, "opset1", attrs, in, 2);
		return;
	}
	ovir_ref y = ovir_put(w, type, "opset1", ovir_sub(w, n, "product"), attrs, in, 2, n->out[0]->type, &n->out[0]->shape);
	put_bias(w, n, y, bias);
}

static void lower_conv(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[MAX_ATTRS];
	int nd = n->in[0]->shape.rank - 2;
	int64_t group = ovir_get_i(n, "group");
	if (nd < 1) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "the input's rank is not known"));
		return;
	}
	window_attrs(w, n, nd, true, attrs);
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0])};
	in[1] = group > 1 ? grouped(w, n, n->in[1], group) : ovir_ref_of(w, n->in[1]);
	conv_out(w, n, group > 1 ? "GroupConvolution" : row->type, attrs, in, ovir_value_of(n, 2));
}

static void lower_conv_transpose(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[MAX_ATTRS];
	int nd = n->in[0]->shape.rank - 2;
	int64_t group = ovir_get_i(n, "group"), more[TARN_MAX_RANK] = {0};
	const tarn_attr *pad = ovir_get(n, "output_padding"), *size = ovir_get(n, "output_shape");
	if (nd < 1 || (size && size->ints.n != nd)) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "the input's rank is not known, or output_shape has another"));
		return;
	}
	int k = window_attrs(w, n, nd, true, attrs);
	for (int i = 0; pad && i < nd && i < pad->ints.n; i++)
		more[i] = pad->ints.at[i];
	attrs[k++] = "output_padding";
	attrs[k++] = ovir_ints_text(w, more, nd);
	attrs[k] = NULL;
	if (size) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "output_shape has no form in the IR writer"));
		return;
	}
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0])};
	in[1] = group > 1 ? grouped(w, n, n->in[1], group) : ovir_ref_of(w, n->in[1]);
	conv_out(w, n, group > 1 ? "GroupConvolutionBackpropData" : row->type, attrs, in, ovir_value_of(n, 2));
}

static void lower_group_conv(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[MAX_ATTRS];
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])};
	window_attrs(w, n, n->in[0]->shape.rank - 2, true, attrs);
	conv_out(w, n, row->type, attrs, in, NULL);
}

static void lower_pool(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	static const char *const rounding[] = {"floor", "ceil_torch", "ceil"};
	const char *attrs[MAX_ATTRS];
	const tarn_attr *kernel = ovir_get(n, "kernel_shape"), *dil = ovir_get(n, "dilations");
	int nd = n->in[0]->shape.rank - 2;
	bool max = !strcmp(row->type, "MaxPool");
	int64_t ceil = ovir_get_i(n, "ceil_mode");
	if (nd < 1 || !kernel) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "the input's rank is not known"));
		return;
	}
	for (int i = 0; !max && dil && i < dil->ints.n; i++)
		if (dil->ints.at[i] != 1)
			ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "average pooling with dilations has no form in the IR"));
	if (ovir_get(n, "storage_order") && ovir_get_i(n, "storage_order"))
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "column-major indices have no form in the IR"));
	int k = window_attrs(w, n, nd, max, attrs);
	attrs[k++] = "kernel";
	attrs[k++] = ovir_ints_text(w, kernel->ints.at, kernel->ints.n);
	attrs[k++] = "rounding_type";
	attrs[k++] = rounding[ceil >= 0 && ceil < 3 ? ceil : 0];
	/* The newest revision only where its rounding, dilations or indices are needed. */
	bool plain = max && ceil != 1 && n->n_out == 1;
	for (int i = 0; plain && dil && i < dil->ints.n; i++)
		plain = dil->ints.at[i] == 1;
	if (max && !plain) {
		attrs[k++] = "index_element_type";
		attrs[k++] = "i64";
		attrs[k++] = "axis";
		attrs[k++] = "0";
	} else if (!max) {
		attrs[k++] = "exclude-pad";
		attrs[k++] = ovir_get_i(n, "count_include_pad") ? "false" : "true";
	}
	attrs[k] = NULL;
	ovir_ref in = ovir_ref_of(w, n->in[0]);
	if (plain || !max) {
		/* The first revision has no dilations: strides stand first, dilations second. */
		const char **first = attrs + (plain ? 2 : 0);
		if (plain) {
			first[0] = attrs[0];
			first[1] = attrs[1];
		}
		ovir_put_node(w, n, row->type, ceil == 1 ? "opset14" : "opset1", first, &in, 1);
		return;
	}
	ovir_put_node(w, n, row->type, ceil == 1 ? "opset14" : "opset8", attrs, &in, 1);
	if (w->err == TARN_OK)
		ovir_two_outputs(w, &w->layer.at[w->layer.len - 1]);
}

/* Mean or maximum over everything behind the channels. */
static void lower_global(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	static const char *const keep[] = {"keep_dims", "true", NULL};
	int64_t axes[TARN_MAX_RANK];
	int rank = n->in[0]->shape.rank;
	if (rank < 3) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "the input's rank is not known"));
		return;
	}
	for (int i = 2; i < rank; i++)
		axes[i - 2] = i;
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_put_ints(w, ovir_sub(w, n, "axes"), TARN_I64, axes, rank - 2)};
	ovir_put_node(w, n, row->type, row->version, keep, in, 2);
}

/* Normalised, then times scale, plus bias (both shaped by the caller). */
static void affine(ovir_writer *w, const tarn_node *n, ovir_ref y, ovir_ref scale, ovir_ref bias)
{
	ovir_ref in[2] = {y, scale};
	if (bias.layer < 0) {
		ovir_put_node(w, n, "Multiply", "opset1", numpy, in, 2);
		return;
	}
	in[0] = ovir_put(w, "Multiply", "opset1", ovir_sub(w, n, "scaled"), numpy, in, 2, n->out[0]->type, &n->out[0]->shape);
	in[1] = bias;
	ovir_put_node(w, n, "Add", "opset1", numpy, in, 2);
}

static void lower_norm(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	bool layer = !strcmp(n->op->name, "LayerNormalization");
	const char *attrs[] = {"normalize_variance", "true",        "eps", ovir_text(w, "%.17g", ovir_get_f(n, "epsilon")),
			       "eps_mode",           "inside_sqrt", NULL};
	int64_t axes[TARN_MAX_RANK], first = 2;
	int rank = n->in[0]->shape.rank, k = 0;
	if (layer)
		first = ovir_get_i(n, "axis") + (ovir_get_i(n, "axis") < 0 ? rank : 0);
	if (rank < 1 || (layer && n->n_out > 1)) {
		ovir_fail(w,
			  tarn_err_set(TARN_UNSUPPORTED, "the input's rank is not known, or mean and deviation are outputs"));
		return;
	}
	for (int64_t i = first; i < rank; i++)
		axes[k++] = i;
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_put_ints(w, ovir_sub(w, n, "axes"), TARN_I64, axes, k)};
	ovir_ref y =
		ovir_put(w, row->type, row->version, ovir_sub(w, n, "norm"), attrs, in, 2, n->out[0]->type, &n->out[0]->shape);
	ovir_ref by[2] = {{-1, 0}, {-1, 0}};
	for (int i = 0; i < 2; i++) {
		const tarn_value *v = ovir_value_of(n, 1 + i);
		tarn_shape as = {.rank = rank};
		for (int d = 0; v && d < rank; d++)
			as.dim[d] = d == 1 ? v->shape.dim[0] : 1;
		if (v)
			by[i] = layer ? ovir_ref_of(w, v) : ovir_put_reshaped(w, v, ovir_sub(w, n, i ? "bias" : "scale"), &as);
	}
	affine(w, n, y, by[0], by[1]);
}

static void lower_mvn(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"normalize_variance",
			       ovir_get_i(n, "normalize_variance") ? "true" : "false",
			       "eps",
			       ovir_text(w, "%.17g", ovir_get_f(n, "eps")),
			       "eps_mode",
			       ovir_get_word(w, n, "eps_mode"),
			       NULL};
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])};
	ovir_put_node(w, n, row->type, row->version, !strcmp(row->type, "MVN") ? attrs : attrs + 2, in, 2);
}

static void lower_lrn(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	int64_t axis = 1;
	const char *attrs[] = {"alpha", ovir_text(w, "%.17g", ovir_get_f(n, "alpha")),
			       "beta",  ovir_text(w, "%.17g", ovir_get_f(n, "beta")),
			       "bias",  ovir_text(w, "%.17g", ovir_get_f(n, "bias")),
			       "size",  ovir_text(w, "%lld", (long long)ovir_get_i(n, "size")),
			       NULL};
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_put_ints(w, ovir_sub(w, n, "axes"), TARN_I64, &axis, 1)};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
}

const ovir_lower ovir_lower_window[] = {
	{"Conv", "Convolution", "opset1", lower_conv, NULL},
	{"GroupConvolution", "GroupConvolution", "opset1", lower_group_conv, NULL},
	{"ConvTranspose", "ConvolutionBackpropData", "opset1", lower_conv_transpose, NULL},
	{"MaxPool", "MaxPool", "opset1", lower_pool, NULL},
	{"AveragePool", "AvgPool", "opset1", lower_pool, NULL},
	{"GlobalAveragePool", "ReduceMean", "opset1", lower_global, NULL},
	{"GlobalMaxPool", "ReduceMax", "opset1", lower_global, NULL},
	{"InstanceNormalization", "MVN", "opset6", lower_norm, NULL},
	{"LayerNormalization", "MVN", "opset6", lower_norm, NULL},
	{"MVN", "MVN", "opset6", lower_mvn, NULL},
	{"NormalizeL2", "NormalizeL2", "opset1", lower_mvn, NULL},
	{"LRN", "LRN", "opset1", lower_lrn, NULL},
	{NULL, NULL, NULL, NULL, NULL},
};
