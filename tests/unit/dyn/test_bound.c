/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences of free length: bounded models against the original at every length; and what must be refused. */
#include "devices/fixture.h"
#include "unit/dyn/padded.h"

enum { MAX = 13 };

static tarn_value *x; /* f32 [2,length,8] */
static const tarn_bound_spec spec[] = {{"length", MAX}};

static int setup(void **state)
{
	(void)state;
	fixture_start(4711);
	tarn_dim n;
	assert_ok(tarn_symtab_named(&model->syms, "length", &n));
	tarn_shape s = dims(3, 2, 0, 8);
	s.dim[1] = n;
	x = input(g, s);
	return 0;
}

static void equal_lengths(const tarn_model *b, int64_t least, double tolerance)
{
	for (int64_t n = least; n <= MAX; n++) {
		double e = padded_error(model, b, spec, &n, 1);
		if (!(e >= 0 && e <= tolerance))
			print_error("length %lld: %g\n", (long long)n, e);
		assert_true(e >= 0 && e <= tolerance);
	}
}

/* The number of repairs is what is expected, so that one too many is noticed as well. */
static void equal_from(int64_t least, double tolerance, int repairs)
{
	tarn_model *b = tarn_model_ref(model);
	tarn_bound_cost cost;
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, 1, &cost));
	assert_int_equal(cost.repairs, repairs);
	for (size_t i = 0; i < b->main->input.len; i++)
		assert_true(tarn_shape_is_static(&b->main->input.at[i]->shape));
	assert_string_equal(b->main->input.at[1]->name, "valid_length");
	equal_lengths(b, least, tolerance);
	tarn_model_unref(b);
}

static tarn_value *attr(tarn_value *v, const char *name, int64_t i)
{
	set_int(v, name, i);
	return v;
}

static tarn_value *words(tarn_value *v, const char *name, const char *s)
{
	assert_ok(tarn_attr_set_str(g, v->def, tarn_attr_index(v->def->op, name), s));
	return v;
}

static tarn_value *perm(tarn_value *v, int a, int b, int c)
{
	v = node(g, "Transpose", v, NULL, NULL);
	set_ints(g, v, "perm", 3, a, b, c);
	return v;
}

static tarn_value *size_of(int axis)
{
	return node(g, "Gather", node(g, "Shape", x, NULL, NULL), ints(g, 1, axis), NULL);
}

/* ---- what mixes along the length ---- */

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
	equal_from(1, 1e-6, 2); /* scores, and values; the weights of what is masked are 0 by themselves */
}

static void attention_as_one_operator(void **state)
{
	(void)state;
	tarn_value *a = node(g, "ScaledDotProductAttention", x, x, x);
	output(g, a);
	equal_from(1, 1e-6, 2);
}

static void reductions_over_the_length(void **state)
{
	(void)state;
	static const char *const all[] = {"ReduceMean", "ReduceMax",       "ReduceMin",    "ReduceProd",     "ReduceL1",
					  "ReduceL2",   "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};
	tarn_value *e = node(g, "Exp", x, NULL, NULL);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		tarn_value *r = node(g, all[i], i % 2 ? e : x, NULL, NULL);
		if (!strcmp(all[i], "ReduceLogSum"))
			r->def->in[0] = e;
		set_ints(g, r, "axes", 2, 1, 2);
		output(g, attr(r, "keepdims", (int64_t)(i % 3 != 0)));
	}
	output(g, node(g, "ReduceSum", e, ints(g, 2, 1, -1), NULL));
	/* x: 0, -inf (twice), inf; e: -inf, 1, 0 (three times); and the mean's scale */
	equal_from(1, 1e-5, 7);
}

static void mean_without_a_mask(void **state)
{
	(void)state;
	tarn_value *m = node(g, "ReduceMean", node(g, "Exp", x, NULL, NULL), NULL, NULL);
	set_ints(g, m, "axes", 1, 1);
	attr(m, "keepdims", 0);
	output(g, m);
	equal_from(1, 1e-6, 2);
}

/* The repair of two operators that read the same value is one. */
static void input_read_by_a_mixing_operator(void **state)
{
	(void)state;
	output(g, node(g, "ReduceSum", x, ints(g, 1, 1), NULL));
	output(g, node(g, "Exp", x, NULL, NULL));
	output(g, node(g, "ReduceL2", x, NULL, NULL));
	equal_from(1, 1e-6, 1);
}

static void largest_elements(void **state)
{
	(void)state;
	tarn_node *t = node_with(g, "TopK", 2, x, ints(g, 1, 3), NULL);
	set_int(t->out[0], "axis", 1);
	output(g, t->out[0]);
	output(g, t->out[1]);
	t = node_with(g, "TopK", 2, x, ints(g, 1, 2), NULL);
	set_int(t->out[0], "axis", 1);
	set_int(t->out[0], "largest", 0);
	output(g, t->out[1]);
	output(g, attr(node(g, "ArgMax", x, NULL, NULL), "axis", 1));
	output(g, attr(node(g, "ArgMin", x, NULL, NULL), "axis", -2));
	output(g, attr(node(g, "LogSoftmax", x, NULL, NULL), "axis", 1));
	equal_from(3, 1e-6, 2);
}

static void cumulative_sums(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		output(g,
		       attr(attr(node(g, "CumSum", x, ints(g, 1, i < 3 ? 1 : 2), NULL), "reverse", i % 2), "exclusive", i / 2));
	equal_from(1, 1e-6, 1);
}

static void recurrent(const char *op, int gates, const char *direction)
{
	int d = !strcmp(direction, "bidirectional") ? 2 : 1;
	tarn_node *n = node_with(g, op, gates == 4 ? 3 : 2, perm(x, 1, 0, 2), weights(g, dims(3, d, gates * 5, 8)),
				 weights(g, dims(3, d, gates * 5, 5)));
	int at = tarn_attr_index(n->op, "direction");
	set_int(n->out[0], "direction", tarn_words_find(n->op->attr[at].words, direction));
	for (int i = 0; i < n->n_out; i++)
		output(g, n->out[i]);
}

static void recurrences(void **state)
{
	(void)state;
	static const char *const ways[] = {"forward", "reverse", "bidirectional"};
	for (int i = 0; i < 3; i++) {
		recurrent("LSTM", 4, ways[i]);
		recurrent("GRU", 3, ways[i]);
		recurrent("RNN", 1, ways[i]);
	}
	equal_from(1, 1e-6, 9);
}

/* Nothing is asked of a forward recurrence whose last state nobody reads. */
static void forward_recurrence_needs_nothing(void **state)
{
	(void)state;
	tarn_node *n = node_with(g, "LSTM", 1, perm(x, 1, 0, 2), weights(g, dims(3, 1, 20, 8)), weights(g, dims(3, 1, 20, 5)));
	output(g, n->out[0]);
	equal_from(1, 1e-6, 0);
}

static void normalisation_over_the_length(void **state)
{
	(void)state;
	tarn_value *t = perm(x, 0, 2, 1);
	output(g, node(g, "InstanceNormalization", t, weights(g, dims(1, 8)), weights(g, dims(1, 8))));
	tarn_value *n = node(g, "GroupNormalization", t, weights(g, dims(1, 8)), weights(g, dims(1, 8)));
	output(g, attr(n, "num_groups", 2));
	output(g, attr(node(g, "LpNormalization", x, NULL, NULL), "axis", 1));
	tarn_value *v = node(g, "MeanVarianceNormalization", x, NULL, NULL);
	set_ints(g, v, "axes", 2, 0, 1);
	output(g, v);
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound(&b, "length", MAX, NULL));
	equal_lengths(b, 2, 1e-5);
	tarn_model_unref(b);
}

static void products_over_the_length(void **state)
{
	(void)state;
	tarn_value *t = perm(x, 0, 2, 1);
	output(g, node(g, "MatMul", t, x, NULL));
	output(g, node(g, "MatMul", x, t, NULL));
	output(g, words(node(g, "Einsum", x, x, NULL), "equation", "bld,ble->bde"));
	output(g, words(node(g, "Einsum", x, x, NULL), "equation", "bld,bmd->blm"));
	equal_from(1, 1e-6, 2);
}

/* ---- where positions matter ---- */

static void convolutions_over_time(void **state)
{
	(void)state;
	tarn_value *t = perm(x, 0, 2, 1);
	for (int i = 0; i < 3; i++) {
		t = node(g, "Conv", t, weights(g, dims(3, 8, 8, 3)), weights(g, dims(1, 8)));
		set_ints(g, t, "pads", 2, 1, 1);
		t = node(g, "Relu", t, NULL, NULL);
	}
	output(g, t);
	equal_from(1, 1e-6, 3);
}

/* Windows that never reach behind the input need nothing. */
static void convolution_within_the_input(void **state)
{
	(void)state;
	tarn_value *t = node(g, "Conv", perm(x, 0, 2, 1), weights(g, dims(3, 8, 8, 3)), NULL);
	set_ints(g, t, "strides", 1, 2);
	set_ints(g, t, "pads", 2, 1, 0);
	output(g, t);
	equal_from(2, 1e-6, 0);
}

static void strided_windows(void **state)
{
	(void)state;
	tarn_value *t = perm(x, 0, 2, 1), *v;
	for (int i = 0; i < 4; i++) {
		v = node(g, "Conv", t, weights(g, dims(3, 4, 8, 3)), NULL);
		set_ints(g, v, "strides", 1, 2);
		if (i < 2)
			set_int(v, "auto_pad", 1 + i);
		else
			set_ints(g, v, "pads", 2, 2, i - 1);
		output(g, v);
		static const char *const pool[] = {"MaxPool", "AveragePool", "AveragePool", "LpPool"};
		v = node(g, pool[i], t, NULL, NULL);
		set_ints(g, v, "kernel_shape", 1, 3);
		set_ints(g, v, "strides", 1, 2);
		set_int(v, "ceil_mode", i > 1);
		set_ints(g, v, "pads", 2, 1, 1);
		output(g, v);
		v = node(g, pool[i], t, NULL, NULL);
		set_ints(g, v, "kernel_shape", 1, 4);
		set_ints(g, v, "strides", 1, i == 2 ? 1 : 3);
		set_int(v, "auto_pad", 1 + i % 2);
		if (i == 1)
			set_int(v, "count_include_pad", 1);
		output(g, v);
	}
	v = node(g, "ConvTranspose", t, weights(g, dims(3, 8, 4, 4)), NULL);
	set_ints(g, v, "strides", 1, 2);
	set_ints(g, v, "pads", 2, 1, 1);
	output(g, v);
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound(&b, "length", MAX, NULL));
	equal_lengths(b, 2, 1e-6);
	tarn_model_unref(b);
}

static void concatenations(void **state)
{
	(void)state;
	tarn_value *c = node(g, "Concat", x, node(g, "Neg", x, NULL, NULL), weights(g, dims(3, 2, 3, 8)));
	output(g, attr(c, "axis", 1));
	/* the valid part behind fixed elements stays where it is */
	output(g, attr(node(g, "Concat", weights(g, dims(3, 2, 3, 8)), x, NULL), "axis", 1));
	output(g, node(g, "ReduceSum", c, ints(g, 1, 1), NULL));
	equal_from(1, 1e-6, 2);
}

static void slices(void **state)
{
	(void)state;
	enum { FAR_END = 1 << 30 };
	static const int cut[][3] = {{0, FAR_END, 2}, {1, -1, 1}, {-2, FAR_END, 1}, {-1, -FAR_END, -1}, {-3, -1, 1}, {2, 4, 1}};
	for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
		tarn_node *n;
		assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Slice"), NULL, 5, 1, -1, &n));
		n->in[0] = x;
		n->in[1] = ints(g, 2, cut[i][0], 1);
		n->in[2] = ints(g, 2, cut[i][1], 7);
		n->in[3] = ints(g, 2, 1, 2);
		n->in[4] = ints(g, 2, cut[i][2], 1);
		output(g, n->out[0]);
	}
	equal_from(4, 0, 3);
}

static void last_element(void **state)
{
	(void)state;
	output(g, attr(node(g, "Gather", x, ints(g, 3, -1, 0, -2), NULL), "axis", 1));
	output(g, attr(node(g, "Gather", x, ints(g, 1, 0), NULL), "axis", 1));
	equal_from(2, 0, 1);
}

/* x[b, at[b] - 1]: -1, the last one, where at is 0. */
static void element_by_index(void **state)
{
	(void)state;
	tarn_value *at;
	assert_ok(tarn_value_input(g, "at", TARN_I64, &(tarn_shape){.rank = 2, .dim = {2, 1}}, &at));
	output(g, attr(node(g, "GatherND", x, node(g, "Sub", at, ints(g, 1, 1), NULL), NULL), "batch_dims", 1));
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, 1, NULL));
	for (int i = 0; i < 4; i++)
		equal_lengths(b, padded_ints, 0);
	tarn_model_unref(b);
}

static void halves(void **state)
{
	(void)state;
	tarn_value *c = attr(node(g, "Concat", x, x, NULL), "axis", 1);
	tarn_node *s = node_with(g, "Split", 2, c, NULL, NULL);
	set_int(s->out[0], "axis", 1);
	output(g, node(g, "Mul", s->out[0], s->out[1], NULL));
	equal_from(1, 0, 3);
}

static void borders(void **state)
{
	(void)state;
	for (int mode = 0; mode < 4; mode++) {
		tarn_value *p = node(g, "Pad", x, ints(g, 6, 0, 2, 1, 0, 1, 0), NULL);
		output(g, attr(p, "mode", mode));
	}
	tarn_value *p = node(g, "Pad", x, ints(g, 6, 0, 0, 0, 0, 2, 0), scalar(g, 3));
	output(g, node(g, "ReduceSum", p, ints(g, 1, 1), NULL));
	equal_from(3, 1e-6, 6);
}

/* Written at fixed places: the last two steps, and the first. */
static void written_places(void **state)
{
	(void)state;
	tarn_value *u = weights(g, dims(3, 2, 1, 8)), *at[2];
	for (int k = 0; k < 2; k++) {
		tarn_tensor t;
		assert_ok(tarn_tensor_new(TARN_I64, 3, (int64_t[]){2, 1, 8}, &t));
		for (int64_t i = 0; i < 16; i++)
			((int64_t *)t.data)[i] = k ? 0 : -1 - i % 2;
		assert_ok(tarn_value_const(g, NULL, &t, &at[k]));
		tarn_tensor_fini(&t);
		output(g, attr(node(g, "ScatterElements", x, at[k], u), "axis", 1));
	}
	tarn_value *row = node(g, "Unsqueeze", ints(g, 1, 1), ints(g, 1, 0), NULL); /* all of sample 1 */
	tarn_value *half = node(g, "Slice", node(g, "Neg", x, NULL, NULL), ints(g, 1, 0), ints(g, 1, 1));
	output(g, node(g, "ScatterND", x, row, half));
	equal_from(2, 0, 1);
}

static void repeated_axis(void **state)
{
	(void)state;
	output(g, node(g, "Tile", x, ints(g, 3, 1, 3, 2), NULL));
	equal_from(1, 0, 1);
}

static void enlarged(void **state)
{
	(void)state;
	tarn_value *t = perm(x, 0, 2, 1);
	for (int i = 0; i < 3; i++) {
		tarn_node *n;
		float scales[] = {1, 1, i == 1 ? 1.5f : 2};
		assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Resize"), NULL, 3, 1, -1, &n));
		n->in[0] = t;
		assert_ok(tarn_value_const_f32(g, NULL, scales, 3, &n->in[2]));
		set_int(n->out[0], "mode", i);
		output(g, n->out[0]);
	}
	equal_from(2, 1e-6, 1);
}

/* To the size of something else, so that the scale is another at every length. */
static void enlarged_to_a_size(void **state)
{
	(void)state;
	tarn_value *t = perm(x, 0, 2, 1), *c = attr(node(g, "Concat", t, t, weights(g, dims(3, 2, 8, 3))), "axis", 2);
	static const int how[][3] = {{0, 3, 2}, {1, 0, 0}, {1, 1, 0}, {1, 2, 0}, {1, 3, 0},
				     {2, 0, 0}, {2, 1, 0}, {2, 2, 0}, {2, 3, 0}}; /* mode, coordinates, nearest */
	for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
		tarn_node *n;
		tarn_value *size = node(g, "Shape", i == 1 ? t : c, NULL, NULL);
		assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Resize"), NULL, 4, 1, -1, &n));
		n->in[0] = i == 1 ? c : t; /* and smaller */
		n->in[3] = size;
		set_int(n->out[0], "mode", how[i][0]);
		set_int(n->out[0], "coordinate_transformation_mode", how[i][1]);
		set_int(n->out[0], "nearest_mode", how[i][2]);
		output(g, n->out[0]);
	}
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound(&b, "length", MAX, NULL));
	equal_lengths(b, 1, 1e-5);
	tarn_model_unref(b);
}

static void batch_and_time_merged(void **state)
{
	(void)state;
	tarn_value *v = node(g, "Reshape", x, ints(g, 2, -1, 8), NULL);
	output(g, v);
	tarn_value *shape = node(g, "Shape", x, NULL, NULL);
	v = node(g, "MatMul", v, weights(g, dims(2, 8, 8)), NULL);
	v = node(g, "Reshape", v, shape, NULL);
	output(g, v);
	output(g, node(g, "ReduceMax", v, NULL, NULL));
	output(g, node(g, "Reshape", x, ints(g, 2, 2, -1), NULL)); /* what follows the length is fixed: order is kept */
	equal_from(1, 1e-6, 3);
}

static void length_as_a_number(void **state)
{
	(void)state;
	tarn_value *f = attr(node(g, "Cast", size_of(1), NULL, NULL), "to", TARN_F32);
	output(g, node(g, "Div", node(g, "ReduceSum", x, ints(g, 1, 1), NULL), f, NULL));
	output(g, node(g, "Shape", x, NULL, NULL));
	tarn_value *n = node(g, "Squeeze", size_of(1), NULL, NULL), *one = node(g, "Squeeze", ints(g, 1, 1), NULL, NULL);
	tarn_value *r = node(g, "Range", node(g, "Squeeze", ints(g, 1, 0), NULL, NULL), n, one);
	output(g, r);
	r = attr(node(g, "Cast", r, NULL, NULL), "to", TARN_F32);
	output(g, node(g, "Div", r, node(g, "Squeeze", f, NULL, NULL), NULL));
	output(g, node(g, "Expand", scalar(g, 2), size_of(1), NULL));
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound(&b, "length", MAX, NULL));
	equal_lengths(b, 1, 1e-6);
	tarn_model_unref(b);
}

/* ---- what is refused ---- */

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

static void results_of_unknown_size_are_refused(void **state)
{
	(void)state;
	tarn_value *v = node(g, "NonZero", x, NULL, NULL);
	output(g, v);
	refused(v->def->name, "depends on data");
}

static void resize_of_a_part_is_refused(void **state)
{
	(void)state;
	tarn_node *n;
	float scales[] = {1, 1, 2}, part[] = {0, 0, 0, 1, 1, 0.5};
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Resize"), NULL, 3, 1, -1, &n));
	n->in[0] = perm(x, 0, 2, 1);
	assert_ok(tarn_value_const_f32(g, NULL, scales, 3, &n->in[2]));
	assert_ok(tarn_value_const_f32(g, NULL, part, 6, &n->in[1]));
	set_int(n->out[0], "coordinate_transformation_mode", 5);
	output(g, n->out[0]);
	refused(n->name, "which part of it is read depends on the length");
}

/* Padded updates go nowhere, whatever their indices say: by elements, by rows, and joined to what is there. */
static void scattered_padding(void **state)
{
	(void)state;
	tarn_value *i = attr(node(g, "Cast", x, NULL, NULL), "to", TARN_I64); /* -1, 0 and 1 */
	tarn_value *v = node(g, "ScatterElements", weights(g, dims(3, 2, 20, 8)), i, x);
	output(g, attr(v, "axis", 1));
	v = node(g, "ScatterElements", weights(g, dims(3, 2, 20, 8)), i, x);
	output(g, attr(attr(v, "axis", 1), "reduction", 1));
	tarn_value *two = node(g, "Slice", i, ints(g, 1, 0), ints(g, 1, 2)); /* [2,length,2]: planes and rows */
	two->def->n_in = 3;
	assert_ok(tarn_node_resize_inputs(g, two->def, 4));
	two->def->in[3] = ints(g, 1, 2);
	v = node(g, "ScatterND", weights(g, dims(3, 2, 3, 8)), two, x);
	output(g, attr(v, "reduction", 1));
	equal_from(1, 1e-5, 12);
}

/* ---- the interface ---- */

static void metadata_tells_who_is_padded(void **state)
{
	(void)state;
	output(g, node(g, "Relu", x, NULL, NULL));
	tarn_value *p = node(g, "MaxPool", perm(x, 0, 2, 1), NULL, NULL);
	set_ints(g, p, "kernel_shape", 1, 2);
	set_ints(g, p, "strides", 1, 2);
	output(g, p);
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
	assert_int_equal(info.port.len, 3);
	assert_string_equal(info.port.at[0].port, x->name);
	assert_int_equal(info.port.at[0].axis, 1);
	assert_true(info.port.at[1].output && !info.port.at[1].size_output);
	assert_string_equal(info.port.at[2].size_output, b->main->output.at[2]->name);
	assert_int_equal(info.port.at[2].axis, 2);
	tarn_bound_fini(&info);
	assert_ok(tarn_model_bound_get(b, 1, &info, &found));
	assert_false(found);
	assert_err(TARN_NOT_FOUND, tarn_model_bound(&b, "width", MAX, NULL));
	tarn_model_unref(b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(attention_without_a_mask),
		T(attention_as_one_operator),
		T(reductions_over_the_length),
		T(mean_without_a_mask),
		T(input_read_by_a_mixing_operator),
		T(largest_elements),
		T(cumulative_sums),
		T(recurrences),
		T(forward_recurrence_needs_nothing),
		T(normalisation_over_the_length),
		T(products_over_the_length),
		T(convolutions_over_time),
		T(convolution_within_the_input),
		T(strided_windows),
		T(concatenations),
		T(slices),
		T(last_element),
		T(element_by_index),
		T(halves),
		T(borders),
		T(written_places),
		T(repeated_axis),
		T(enlarged),
		T(enlarged_to_a_size),
		T(batch_and_time_merged),
		T(length_as_a_number),
		T(results_of_unknown_size_are_refused),
		T(resize_of_a_part_is_refused),
		T(scattered_padding),
		T(metadata_tells_who_is_padded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
