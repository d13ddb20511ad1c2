/* SPDX-License-Identifier: Apache-2.0 */
/* A batch whose samples have lengths of their own: each row equals the original run on that sample alone. */
#include "devices/fixture.h"
#include "unit/dyn/padded.h"

enum { BATCH = 4, MAX = 9, WIDTH = 8, ROUNDS = 12 };

static tarn_value *x; /* f32 [batch,length,8] */
static const tarn_bound_spec spec[] = {{.name = "batch", .max = BATCH}, {.name = "length", .max = MAX, .per = "batch"}};

static int setup(void **state)
{
	(void)state;
	fixture_start(17);
	tarn_shape s = dims(3, 0, 0, WIDTH);
	assert_ok(tarn_symtab_named(&model->syms, "batch", &s.dim[0]));
	assert_ok(tarn_symtab_named(&model->syms, "length", &s.dim[1]));
	x = input(g, s);
	return 0;
}

/* Row b of a tensor whose first axis is the batch. */
static tarn_tensor row_of(const tarn_tensor *t, int64_t b)
{
	tarn_tensor r;
	int64_t dim[TARN_MAX_RANK];
	memcpy(dim, t->dim, sizeof dim);
	dim[0] = 1;
	assert_ok(tarn_tensor_new(t->type, t->rank, dim, &r));
	size_t bytes = tarn_tensor_bytes(&r);
	memcpy(r.data, (const char *)t->data + (size_t)b * bytes, bytes);
	return r;
}

static void round_of(const tarn_model *b, double tolerance)
{
	tarn_tensor wide, len, valid, got[8] = {0};
	int64_t n = between(1, BATCH);
	assert_ok(tarn_tensor_new(TARN_F32, 3, (int64_t[]){BATCH, MAX, WIDTH}, &wide));
	assert_ok(tarn_tensor_new(TARN_I64, 1, (int64_t[]){1}, &valid));
	assert_ok(tarn_tensor_new(TARN_I64, 1, (int64_t[]){BATCH}, &len));
	padded_fill(&wide, true);
	padded_fill(&len, true);
	*(int64_t *)valid.data = n;
	for (int64_t s = 0; s < n; s++) {
		int64_t l = ((int64_t *)len.data)[s] = between(3, MAX);
		for (int64_t i = 0; i < l * WIDTH; i++)
			((float *)wide.data)[s * MAX * WIDTH + i] = number();
	}
	const tarn_tensor *in[] = {&wide, &valid, &len};
	assert_ok(tarn_graph_eval(b->main, in, got, NULL, NULL));
	for (int64_t s = 0; s < n; s++) {
		tarn_tensor one, want[8] = {0};
		int64_t l = ((int64_t *)len.data)[s];
		assert_ok(tarn_tensor_new(TARN_F32, 3, (int64_t[]){1, l, WIDTH}, &one));
		memcpy(one.data, (float *)wide.data + s * MAX * WIDTH, (size_t)(l * WIDTH) * 4);
		assert_ok(tarn_graph_eval(g, (const tarn_tensor *[]){&one}, want, NULL, NULL));
		for (size_t k = 0; k < g->output.len; k++) {
			tarn_tensor row = row_of(&got[k], s), cut;
			assert_ok(tarn_tensor_copy(&want[k], &cut));
			padded_corner(&row, &cut);
			double e = relative_error(&cut, &want[k]);
			if (!(e <= tolerance))
				print_error("sample %lld of length %lld, output %zu: %g\n", (long long)s, (long long)l, k, e);
			assert_true(e <= tolerance);
			tarn_tensor_fini(&row);
			tarn_tensor_fini(&cut);
			tarn_tensor_fini(&want[k]);
		}
		tarn_tensor_fini(&one);
	}
	for (int i = 0; i < 8; i++)
		tarn_tensor_fini(&got[i]);
	tarn_tensor_fini(&wide);
	tarn_tensor_fini(&len);
	tarn_tensor_fini(&valid);
}

static void equal(double tolerance)
{
	tarn_model *b = tarn_model_ref(model);
	tarn_bound info;
	bool found;
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_bound_all(&b, spec, 2, NULL));
	assert_ok(tarn_model_bound_get(b, 1, &info, &found));
	assert_true(found);
	assert_int_equal(info.samples, BATCH);
	assert_string_equal(info.length_input, "valid_length.length");
	tarn_bound_fini(&info);
	for (int i = 0; i < ROUNDS; i++)
		round_of(b, tolerance);
	tarn_model_unref(b);
}

static tarn_value *perm(tarn_value *v, int a, int b, int c)
{
	v = node(g, "Transpose", v, NULL, NULL);
	set_ints(g, v, "perm", 3, a, b, c);
	return v;
}

static void attention_and_means(void **state)
{
	(void)state;
	tarn_value *p = node(g, "Softmax", node(g, "MatMul", x, perm(x, 0, 2, 1), NULL), NULL, NULL);
	tarn_value *y = node(g, "MatMul", p, x, NULL), *m = node(g, "ReduceMean", y, NULL, NULL);
	set_ints(g, m, "axes", 1, 1);
	output(g, y);
	output(g, m);
	m = node(g, "ReduceMax", y, NULL, NULL);
	set_ints(g, m, "axes", 2, 1, 2);
	set_int(m, "keepdims", 0);
	output(g, m);
	m = node(g, "ReduceMean", x, NULL, NULL);
	set_ints(g, m, "axes", 2, 1, 2);
	set_int(m, "keepdims", 0);
	output(g, m);
	equal(1e-5);
}

static void convolutions_and_norms(void **state)
{
	(void)state;
	tarn_value *t = perm(x, 0, 2, 1), *v;
	v = node(g, "Conv", t, weights(g, dims(3, 8, 8, 3)), weights(g, dims(1, 8)));
	set_ints(g, v, "pads", 2, 1, 1);
	v = node(g, "Conv", v, weights(g, dims(3, 4, 8, 3)), NULL);
	set_ints(g, v, "strides", 1, 2);
	set_int(v, "auto_pad", 1);
	output(g, v);
	output(g, node(g, "InstanceNormalization", t, weights(g, dims(1, 8)), weights(g, dims(1, 8))));
	v = node(g, "AveragePool", t, NULL, NULL);
	set_ints(g, v, "kernel_shape", 1, 3);
	set_ints(g, v, "pads", 2, 1, 1);
	output(g, v);
	output(g, node(g, "GlobalAveragePool", t, NULL, NULL));
	equal(1e-4);
}

static void backward_recurrences(void **state)
{
	(void)state;
	tarn_node *n = node_with(g, "LSTM", 3, perm(x, 1, 0, 2), weights(g, dims(3, 2, 20, 8)), weights(g, dims(3, 2, 20, 5)));
	set_int(n->out[0], "direction", 2);
	tarn_value *y = node(g, "Transpose", n->out[0], NULL, NULL);
	set_ints(g, y, "perm", 4, 2, 0, 1, 3);
	output(g, y);
	output(g, perm(n->out[1], 1, 0, 2));
	equal(1e-6);
}

static void ends_and_joins(void **state)
{
	(void)state;
	tarn_value *c = node(g, "Concat", x, node(g, "Neg", x, NULL, NULL), NULL);
	set_int(c, "axis", 1);
	output(g, c);
	output(g, node(g, "Slice", x, ints(g, 1, -2), ints(g, 1, 1 << 30)));
	g->output.at[1]->def->in[1] = ints(g, 2, 0, -2);
	g->output.at[1]->def->in[2] = ints(g, 2, 1 << 30, 1 << 30);
	c = node(g, "Gather", perm(x, 1, 0, 2), ints(g, 1, -1), NULL); /* the last step, time first */
	output(g, perm(c, 1, 0, 2));
	equal(0);
}

/* Places, values and lengths that come from the samples themselves. */
static void told_by_samples(void **state)
{
	(void)state;
	tarn_value *where = node(g, "ArgMax", x, NULL, NULL), *mean = node(g, "ReduceMean", x, NULL, NULL), *v;
	set_int(where, "axis", 1);
	set_ints(g, mean, "axes", 1, 1);
	v = node(g, "ScatterElements", x, where, mean);
	set_int(v, "axis", 1);
	output(g, v);
	v = node(g, "ReduceMax", node(g, "ArgMax", x, NULL, NULL), NULL, NULL);
	set_int(v->def->in[0], "axis", 1);
	set_ints(g, v, "axes", 2, 1, 2);
	set_int(v, "keepdims", 0);
	v = node(g, "Add", node(g, "Cast", v, NULL, NULL), node(g, "Cast", ints(g, 1, 1), NULL, NULL), NULL);
	set_int(v->def->in[0], "to", TARN_I32);
	set_int(v->def->in[1], "to", TARN_I32);
	tarn_value *steps = perm(x, 1, 0, 2);
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "GRU"), NULL, 5, 2, -1, &n));
	n->in[0] = steps;
	n->in[1] = weights(g, dims(3, 2, 15, 8));
	n->in[2] = weights(g, dims(3, 2, 15, 5));
	n->in[4] = v; /* as many steps as the latest maximum says */
	set_int(n->out[0], "direction", 2);
	output(g, perm(n->out[1], 1, 0, 2));
	equal(1e-6);
}

static void refused(const char *node_name, const char *why)
{
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_err(TARN_UNSUPPORTED, tarn_model_bound_all(&b, spec, 2, NULL));
	if (!strstr(tarn_err_text(), node_name) || !strstr(tarn_err_text(), why))
		print_error("%s\n", tarn_err_text());
	assert_non_null(strstr(tarn_err_text(), node_name));
	assert_non_null(strstr(tarn_err_text(), why));
	tarn_model_unref(b);
}

static void mixing_samples_is_refused(void **state)
{
	(void)state;
	tarn_value *v = node(g, "ReduceSum", x, ints(g, 1, 0), NULL);
	output(g, v);
	refused(v->def->name, "mixes samples");
}

/* "All samples" are the only one where each is run alone. */
static void writing_to_one_sample_is_refused(void **state)
{
	(void)state;
	tarn_value *at = node(g, "Reshape", ints(g, 2, 0, 3), ints(g, 3, 1, 1, 2), NULL);
	tarn_value *v = node(g, "ScatterElements", x, at, weights(g, dims(3, 1, 1, 2)));
	set_int(v, "axis", 1);
	output(g, v);
	refused(v->def->name, "mixes samples");
}

/* Samples of one operand beside steps of another, which happen to be as many. */
static void samples_joined_with_steps_are_refused(void **state)
{
	(void)state;
	tarn_value *v = node(g, "Concat", x, perm(x, 1, 0, 2), NULL);
	set_int(v, "axis", 1);
	output(g, v);
	refused(v->def->name, "mixes samples");
}

static void one_number_for_all_is_refused(void **state)
{
	(void)state;
	tarn_value *n = node(g, "Gather", node(g, "Shape", x, NULL, NULL), ints(g, 1, 1), NULL);
	n = node(g, "Cast", n, NULL, NULL);
	set_int(n, "to", TARN_F32);
	output(g, node(g, "Mul", x, n, NULL));
	refused(n->def->name, "differs by sample");
}

static void batch_must_be_bounded_together(void **state)
{
	(void)state;
	output(g, node(g, "Relu", x, NULL, NULL));
	tarn_model *b = tarn_model_ref(model);
	assert_ok(tarn_graph_infer(g));
	assert_err(TARN_USAGE, tarn_model_bound_all(&b, &spec[1], 1, NULL));
	assert_err(TARN_NOT_FOUND,
		   tarn_model_bound_all(&b, &(tarn_bound_spec){.name = "length", .max = MAX, .per = "nothing"}, 1, NULL));
	tarn_model_unref(b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(attention_and_means),
		T(convolutions_and_norms),
		T(backward_recurrences),
		T(ends_and_joins),
		T(told_by_samples),
		T(mixing_samples_is_refused),
		T(writing_to_one_sample_is_refused),
		T(samples_joined_with_steps_are_refused),
		T(one_number_for_all_is_refused),
		T(batch_must_be_bounded_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
