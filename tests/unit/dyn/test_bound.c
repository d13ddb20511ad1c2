/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded models against the original at the true length, with the padding full of NaN; and what must be refused. */
#include "devices/graphs.h"

#include "dyn/bound.h"

enum { MAX = 13 };

static tarn_model *model;
static tarn_graph *g;
static tarn_value *x; /* f32 [2,length,8] */

static int setup(void **state)
{
	(void)state;
	seed = 4711;
	assert_ok(tarn_model_new(&model));
	g = model->main;
	tarn_dim n;
	assert_ok(tarn_symtab_named(&model->syms, "length", &n));
	tarn_shape s = dims(3, 2, 0, 8);
	s.dim[1] = n;
	x = input(g, s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tarn_model_unref(model);
	return 0;
}

/* Copies the valid part of axis 1 of [2][n][rest] between tensors of different lengths. */
static void copy_valid(const tarn_tensor *from, tarn_tensor *to, int64_t n)
{
	int64_t row = tarn_tensor_count(from) / from->dim[0] / from->dim[1];
	for (int64_t b = 0; b < from->dim[0]; b++)
		memcpy((float *)to->data + b * to->dim[1] * row, (const float *)from->data + b * from->dim[1] * row,
		       (size_t)(n * row) * 4);
}

/* Outputs of both models at every length; `padded`: output k has the padded axis at 1. */
static void equal_at_every_length(const bool *padded, double tolerance)
{
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound(&b, "length", MAX, NULL));
	for (size_t i = 0; i < b->main->input.len; i++)
		assert_true(tarn_shape_is_static(&b->main->input.at[i]->shape));
	assert_string_equal(b->main->input.at[1]->name, "valid_length");
	for (int64_t n = 1; n <= MAX; n++) {
		tarn_tensor in = filled(dims(3, 2, (int)n, 8)), wide = filled(dims(3, 2, MAX, 8)), want[3] = {0}, got[3] = {0},
			    len;
		for (int64_t i = 0; i < tarn_tensor_count(&wide); i++)
			((float *)wide.data)[i] = NAN;
		copy_valid(&in, &wide, n);
		int64_t one = 1;
		assert_ok(tarn_tensor_new(TARN_I64, 1, &one, &len));
		*(int64_t *)len.data = n;
		const tarn_tensor *a[] = {&in}, *c[] = {&wide, &len};
		assert_ok(tarn_graph_eval(g, a, want, NULL, NULL));
		assert_ok(tarn_graph_eval(b->main, c, got, NULL, NULL));
		for (size_t k = 0; k < g->output.len; k++) {
			tarn_tensor cut;
			assert_ok(tarn_tensor_copy(&want[k], &cut));
			if (padded[k])
				copy_valid(&got[k], &cut, n);
			else
				memcpy(cut.data, got[k].data, tarn_tensor_bytes(&cut));
			assert_true(relative_error(&cut, &want[k]) <= tolerance);
			tarn_tensor_fini(&cut);
			tarn_tensor_fini(&want[k]);
			tarn_tensor_fini(&got[k]);
		}
		tarn_tensor_fini(&in);
		tarn_tensor_fini(&wide);
		tarn_tensor_fini(&len);
	}
	tarn_model_unref(b);
}

static tarn_value *attr(tarn_value *v, const char *name, int64_t i)
{
	set_int(v, name, i);
	return v;
}

static void attention_without_a_mask(void **state)
{
	(void)state;
	tarn_value *q[3];
	for (int i = 0; i < 3; i++) {
		q[i] = node(g, "Reshape", node(g, "MatMul", x, weights(g, dims(2, 8, 8)), NULL), ints(g, 4, 0, -1, 2, 4), NULL);
		q[i] = node(g, "Transpose", q[i], NULL, NULL);
		set_ints(g, q[i], "perm", 4, 0, 2, i == 1 ? 3 : 1, i == 1 ? 1 : 3);
	}
	tarn_value *p = node(g, "Softmax", node(g, "MatMul", q[0], q[1], NULL), NULL, NULL);
	tarn_value *o = node(g, "Transpose", node(g, "MatMul", p, q[2], NULL), NULL, NULL);
	set_ints(g, o, "perm", 4, 0, 2, 1, 3);
	o = node(g, "Reshape", o, ints(g, 3, 0, -1, 8), NULL);
	tarn_value *y = node_with(g, "LayerNormalization", 1, node(g, "Add", o, x, NULL), weights(g, dims(1, 8)), NULL)->out[0];
	output(g, y);
	equal_at_every_length((bool[]){true}, 1e-6);
}

static void reductions_over_the_length(void **state)
{
	(void)state;
	tarn_value *e = node(g, "Exp", x, NULL, NULL);
	tarn_value *m = node(g, "ReduceMean", e, NULL, NULL),
		   *t = node(g, "ReduceMax", node(g, "Neg", e, NULL, NULL), NULL, NULL);
	set_ints(g, m, "axes", 1, 1);
	set_ints(g, t, "axes", 2, 1, 2);
	attr(t, "keepdims", 0);
	output(g, m);
	output(g, t);
	output(g, node(g, "ReduceSum", e, ints(g, 2, 1, -1), NULL));
	equal_at_every_length((bool[]){false, false, false}, 1e-6);
}

static void mean_over_several_axes(void **state)
{
	(void)state;
	tarn_value *m = node(g, "ReduceMean", node(g, "Exp", x, NULL, NULL), NULL, NULL);
	set_ints(g, m, "axes", 2, 1, 2);
	attr(m, "keepdims", 0);
	output(g, m);
	equal_at_every_length((bool[]){false}, 1e-6);
}

/* The repair of the operator that reads the input is the input's own clearing. */
static void input_read_by_a_mixing_operator(void **state)
{
	(void)state;
	tarn_value *s = node(g, "ReduceSum", x, ints(g, 1, 1), NULL);
	output(g, s);
	output(g, node(g, "Exp", x, NULL, NULL));
	equal_at_every_length((bool[]){false, true}, 1e-6);
}

static void first_element_is_always_valid(void **state)
{
	(void)state;
	output(g, attr(node(g, "Gather", x, ints(g, 1, 0), NULL), "axis", 1));
	equal_at_every_length((bool[]){false}, 0);
}

static void refused(const char *node_name, const char *why)
{
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_err(TARN_UNSUPPORTED, tarn_model_bound(&b, "length", MAX, NULL));
	assert_ptr_equal(b, model);
	if (!strstr(tarn_err_text(), node_name) || !strstr(tarn_err_text(), why))
		print_error("%s\n", tarn_err_text());
	assert_non_null(strstr(tarn_err_text(), node_name));
	assert_non_null(strstr(tarn_err_text(), why));
	tarn_model_unref(b);
}

static void last_element_is_refused(void **state)
{
	(void)state;
	tarn_value *v = attr(node(g, "Gather", x, ints(g, 1, -1), NULL), "axis", 1);
	output(g, v);
	refused(v->def->name, "may be padding");
}

static void normalisation_over_the_length_is_refused(void **state)
{
	(void)state;
	tarn_value *v = attr(node(g, "CumSum", x, ints(g, 1, 1), NULL), "reverse", 1);
	output(g, v);
	refused(v->def->name, "nothing is known");
}

static void folded_axis_is_refused(void **state)
{
	(void)state;
	tarn_value *v = node(g, "Reshape", x, ints(g, 2, -1, 8), NULL);
	output(g, v);
	refused(v->def->name, "length");
}

static void length_as_a_number_is_refused(void **state)
{
	(void)state;
	tarn_value *s = node(g, "Gather", node(g, "Shape", x, NULL, NULL), ints(g, 1, 1), NULL);
	tarn_value *f = attr(node(g, "Cast", s, NULL, NULL), "to", TARN_F32);
	output(g, node(g, "Div", node(g, "ReduceSum", x, ints(g, 1, 1), NULL), f, NULL));
	refused(f->def->name, "as a number");
}

static void metadata_tells_who_is_padded(void **state)
{
	(void)state;
	output(g, node(g, "Relu", x, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	tarn_model *b = tarn_model_ref(model);
	tarn_bound info;
	bool found;
	assert_ok(tarn_model_bound(&b, "length", MAX, NULL));
	assert_ok(tarn_model_bound_get(b, 0, &info, &found));
	assert_true(found);
	assert_string_equal(info.name, "length");
	assert_string_equal(info.length_input, "valid_length");
	assert_int_equal(info.max, MAX);
	assert_int_equal(info.port.len, 2);
	assert_string_equal(info.port.at[0].port, x->name);
	assert_int_equal(info.port.at[0].axis, 1);
	assert_true(info.port.at[1].output);
	tarn_bound_fini(&info);
	assert_ok(tarn_model_bound_get(b, 1, &info, &found));
	assert_false(found);
	assert_err(TARN_NOT_FOUND, tarn_model_bound(&b, "width", MAX, NULL));
	tarn_model_unref(b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(attention_without_a_mask),
		T(reductions_over_the_length),
		T(mean_over_several_axes),
		T(input_read_by_a_mixing_operator),
		T(first_element_is_always_valid),
		T(last_element_is_refused),
		T(normalisation_over_the_length_is_refused),
		T(folded_axis_is_refused),
		T(length_as_a_number_is_refused),
		T(metadata_tells_who_is_padded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
