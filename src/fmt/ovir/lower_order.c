/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that order, count or contract, as layers: TopK, ArgMax, CumSum, OneHot, Einsum, logarithms of sums. */
#include <string.h>

#include "fmt/ovir/writer.h"

static const char *flag(const tarn_node *n, const char *name)
{
	return ovir_get_i(n, name) ? "true" : "false";
}

/* The same number as a scalar. */
static ovir_ref scalar(ovir_writer *w, const tarn_node *n, const tarn_value *v, const char *name)
{
	tarn_shape none = {.rank = 0};
	return v->shape.rank == 0 ? ovir_ref_of(w, v) : ovir_put_reshaped(w, v, ovir_sub(w, n, name), &none);
}

/* A TopK layer with both outputs. */
static ovir_ref top(ovir_writer *w, const char *name, ovir_ref x, ovir_ref k, int64_t axis, bool largest, tarn_dtype type,
		    const tarn_shape *shape)
{
	const char *attrs[] = {"axis",
			       ovir_text(w, "%lld", (long long)axis),
			       "mode",
			       largest ? "max" : "min",
			       "sort",
			       "value",
			       "index_element_type",
			       "i64",
			       NULL};
	ovir_ref in[2] = {x, k}, y = ovir_put(w, "TopK", "opset3", name, attrs, in, 2, type, shape);
	if (w->err == TARN_OK)
		ovir_two_outputs(w, &w->layer.at[y.layer]);
	return y;
}

static void lower_top_k(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	(void)row;
	const tarn_value *v = n->out[0] ? n->out[0] : n->out[1];
	ovir_ref y = top(w, n->name, ovir_ref_of(w, n->in[0]), scalar(w, n, n->in[1], "k"), ovir_get_i(n, "axis"),
			 ovir_get_i(n, "largest"), n->in[0]->type, &v->shape);
	for (int i = 0; i < n->n_out && w->err == TARN_OK; i++)
		if (n->out[i])
			ovir_alias(w, n->out[i], (ovir_ref){y.layer, i});
}

static void lower_arg(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	int64_t axis = ovir_get_i(n, "axis"), one = 1;
	tarn_shape kept = n->in[0]->shape;
	int at = 0;
	(void)row;
	if (ovir_get_i(n, "select_last_index") || kept.rank < 0 || tarn_shape_axis(kept.rank, axis, &at) != TARN_OK) {
		tarn_err_clear();
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "the last of equal elements has no form in the IR"));
		return;
	}
	kept.dim[at] = 1;
	ovir_ref k = ovir_put_ints(w, ovir_sub(w, n, "k"), TARN_I64, &one, -1);
	ovir_ref y = top(w, ovir_sub(w, n, "top"), ovir_ref_of(w, n->in[0]), k, axis, !strcmp(n->op->name, "ArgMax"),
			 n->in[0]->type, &kept);
	ovir_ref in[2] = {{y.layer, 1}, {0, 0}};
	if (w->err != TARN_OK)
		return;
	if (ovir_get_i(n, "keepdims")) {
		ovir_alias(w, n->out[0], in[0]);
		return;
	}
	in[1] = ovir_put_ints(w, ovir_sub(w, n, "axis"), TARN_I64, &axis, 1);
	ovir_put_node(w, n, "Squeeze", "opset1", NULL, in, 2);
}

static void lower_cum_sum(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"exclusive", flag(n, "exclusive"), "reverse", flag(n, "reverse"), NULL};
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), scalar(w, n, n->in[1], "axis")};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
}

static void lower_one_hot(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"axis", ovir_text(w, "%lld", (long long)ovir_get_i(n, "axis")), NULL};
	const tarn_tensor *values = n->in[2]->konst;
	if (!values || tarn_tensor_count(values) != 2 || !tarn_dtype_is_int(n->in[0]->type)) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED,
					  "computed values or indices of floating point have no form in the IR"));
		return;
	}
	ovir_ref in[4] = {ovir_ref_of(w, n->in[0]), scalar(w, n, n->in[1], "depth"),
			  ovir_put_float(w, ovir_sub(w, n, "on"), values->type, tarn_tensor_f64(values, 1)),
			  ovir_put_float(w, ovir_sub(w, n, "off"), values->type, tarn_tensor_f64(values, 0))};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 4);
}

static void lower_einsum(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	enum { MOST = 16 };
	const tarn_attr *equation = ovir_get(n, "equation");
	const char *attrs[] = {"equation", equation ? equation->s : "", NULL};
	ovir_ref in[MOST];
	if (n->n_in > MOST) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "%d operands are more than %d", n->n_in, MOST));
		return;
	}
	for (int i = 0; i < n->n_in; i++)
		in[i] = ovir_ref_of(w, n->in[i]);
	ovir_put_node(w, n, row->type, row->version, attrs, in, n->n_in);
}

static void lower_reverse_sequence(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	const char *attrs[] = {"batch_axis", ovir_text(w, "%lld", (long long)ovir_get_i(n, "batch_axis")), "seq_axis",
			       ovir_text(w, "%lld", (long long)ovir_get_i(n, "time_axis")), NULL};
	ovir_ref in[2] = {ovir_ref_of(w, n->in[0]), ovir_ref_of(w, n->in[1])};
	ovir_put_node(w, n, row->type, row->version, attrs, in, 2);
}

/* ---- reductions that are several layers ---- */

typedef struct reduction {
	ovir_writer *w;
	const tarn_node *n;
	ovir_ref axes;
	tarn_shape kept; /* of the result with all axes */
	tarn_dtype type;
} reduction;

/* False when the axes are computed, or the rank is unknown. */
static bool reduction_read(reduction *r)
{
	const tarn_attr *list = ovir_get(r->n, "axes");
	const tarn_value *v = ovir_value_of(r->n, 1);
	int64_t at[TARN_MAX_RANK];
	int count = 0, axis = 0, rank = r->n->in[0]->shape.rank;
	r->kept = r->n->in[0]->shape;
	r->type = r->n->out[0]->type;
	if (rank < 0 || (v && !v->konst) || (v && tarn_tensor_count(v->konst) > TARN_MAX_RANK))
		return false;
	for (; v && count < tarn_tensor_count(v->konst); count++)
		at[count] = tarn_tensor_i64(v->konst, count);
	for (; !v && list && count < list->ints.n && count < TARN_MAX_RANK; count++)
		at[count] = list->ints.at[count];
	for (; !v && !list && count < rank; count++)
		at[count] = count;
	for (int i = 0; i < count; i++) {
		if (tarn_shape_axis(rank, at[i], &axis) != TARN_OK) {
			tarn_err_clear();
			return false;
		}
		r->kept.dim[axis] = 1;
	}
	r->axes = ovir_put_ints(r->w, ovir_sub(r->w, r->n, "axes"), TARN_I64, at, count);
	return count > 0;
}

static ovir_ref step(reduction *r, const char *type, const char *name, ovir_ref a, const ovir_ref *b, const char *const *attrs,
		     const tarn_shape *shape)
{
	ovir_ref in[2] = {a, b ? *b : a};
	return ovir_put(r->w, type, "opset1", ovir_sub(r->w, r->n, name), attrs, in, b ? 2 : 1, r->type, shape);
}

static void lower_log_sum(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	static const char *const keep[] = {"keep_dims", "true", NULL}, *const numpy[] = {"auto_broadcast", "numpy", NULL};
	reduction r = {.w = w, .n = n};
	const tarn_shape *x = &n->in[0]->shape;
	bool squares = !strcmp(n->op->name, "ReduceSumSquare"), powers = !strcmp(n->op->name, "ReduceLogSumExp");
	(void)row;
	if (!reduction_read(&r)) {
		ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "axes that the model computes have no form in the IR writer"));
		return;
	}
	const char *last[] = {"keep_dims", flag(n, "keepdims"), NULL};
	ovir_ref v = ovir_ref_of(w, n->in[0]), most = v;
	if (squares) {
		ovir_ref in[2] = {step(&r, "Multiply", "square", v, &v, numpy, x), r.axes};
		ovir_put_node(w, n, "ReduceSum", "opset1", last, in, 2);
		return;
	}
	if (powers) { /* log(sum(exp(x - most))) + most */
		most = step(&r, "ReduceMax", "most", v, &r.axes, keep, &r.kept);
		v = step(&r, "Exp", "exp", step(&r, "Subtract", "less", v, &most, numpy, x), NULL, NULL, x);
	}
	v = step(&r, "ReduceSum", "sum", v, &r.axes, last, &n->out[0]->shape);
	if (!powers) {
		ovir_put_node(w, n, "Log", "opset1", NULL, &v, 1);
		return;
	}
	ovir_ref in[2] = {step(&r, "Log", "log", v, NULL, NULL, &n->out[0]->shape), most};
	if (!ovir_get_i(n, "keepdims"))
		in[1] = step(&r, "Squeeze", "one", most, &r.axes, NULL, &n->out[0]->shape);
	ovir_put_node(w, n, "Add", "opset1", numpy, in, 2);
}

const ovir_lower ovir_lower_order[] = {
	{"TopK", "TopK", "opset3", lower_top_k, NULL},
	{"ArgMax", "TopK", "opset3", lower_arg, NULL},
	{"ArgMin", "TopK", "opset3", lower_arg, NULL},
	{"CumSum", "CumSum", "opset3", lower_cum_sum, NULL},
	{"OneHot", "OneHot", "opset1", lower_one_hot, NULL},
	{"Einsum", "Einsum", "opset7", lower_einsum, NULL},
	{"ReverseSequence", "ReverseSequence", "opset1", lower_reverse_sequence, NULL},
	{"ReduceLogSum", "Log", "opset1", lower_log_sum, NULL},
	{"ReduceLogSumExp", "Log", "opset1", lower_log_sum, NULL},
	{"ReduceSumSquare", "ReduceSum", "opset1", lower_log_sum, NULL},
	{NULL, NULL, NULL, NULL, NULL},
};
