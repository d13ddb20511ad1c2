/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sequences through models with a cache that grows, against one run of the untouched model over everything: random attention,
 * with positions and masks computed as exporters do. What cannot be cut or padded is refused by name.
 */
#include "unit/dyn/state_run.h"

enum { WIDTH = 8 };

typedef enum positions { ADDED, SLICED, COUNTED, RELATIVE } positions;
typedef enum masks { CAUSAL, BOTH_WAYS, GIVEN, TRIANGLE, STORED, AHEAD } masks;

static tarn_value *size_of(tarn_graph *g, tarn_value *v, int axis, bool scalar_size)
{
	tarn_value *index;
	const int64_t at = axis;
	assert_ok(tarn_value_const_i64(g, NULL, &at, scalar_size ? -1 : 1, &index));
	return node(g, "Gather", node(g, "Shape", v, NULL, NULL), index, NULL);
}

static tarn_value *number_i64(tarn_graph *g, int64_t v)
{
	tarn_value *x;
	assert_ok(tarn_value_const_i64(g, NULL, &v, -1, &x));
	return x;
}

static tarn_value *counting(tarn_graph *g, tarn_value *from, tarn_value *to)
{
	return node(g, "Range", from, to, number_i64(g, 1));
}

static tarn_value *free_input(tarn_model *m, const char *name, const char *length, tarn_dtype type, int width)
{
	tarn_dim n;
	tarn_value *v;
	assert_ok(tarn_symtab_named(&m->syms, length, &n));
	tarn_shape s = width ? dims(3, 1, 0, width) : dims(2, 1, 0);
	s.dim[1] = n;
	assert_ok(tarn_value_input(m->main, name, type, &s, &v));
	return v;
}

/* Rows of a table at the positions of this call. */
static tarn_value *embed(tarn_graph *g, positions how, tarn_value *x, tarn_value *past)
{
	tarn_value *table = weights(g, dims(2, 2 * WINDOW, WIDTH)), *zero = number_i64(g, 0);
	tarn_value *p = size_of(g, past, 1, true), *s = size_of(g, x, 1, true);
	tarn_value *all = node(g, "Add", p, s, NULL);
	switch (how) {
	case ADDED:
		return node(g, "Gather", table, node(g, "Add", counting(g, zero, s), p, NULL), NULL);
	case COUNTED:
		return node(g, "Gather", table, counting(g, p, all), NULL);
	case RELATIVE:
		return node(g, "Gather", table, counting(g, zero, s), NULL);
	default:
		return node(g, "Slice", table, node(g, "Unsqueeze", p, ints(g, 1, 0), NULL),
			    node(g, "Unsqueeze", all, ints(g, 1, 0), NULL));
	}
}

/* As exporters of language models write it: the upper triangle of a tensor of the lowest number, times (j > position). */
static tarn_value *triangle(tarn_graph *g, tarn_value *scores, tarn_value *x, tarn_value *all)
{
	tarn_value *s = size_of(g, x, 1, false), *t = size_of(g, all, 1, false), *one = ints(g, 1, 0);
	tarn_value *ends = node(g, "Squeeze", t, one, NULL), *begin = node(g, "Squeeze", node(g, "Sub", t, s, NULL), one, NULL);
	tarn_value *size = node(g, "Concat", s, t, NULL), *lowest = node(g, "ConstantOfShape", size, NULL, NULL);
	tarn_tensor low;
	assert_ok(tarn_tensor_new(TARN_F32, 1, (const int64_t[]){1}, &low));
	*(float *)low.data = -3.4e38f;
	tarn_tensor *kept = tarn_arena_memdup(&g->model->arena, &low, sizeof low);
	assert_non_null(kept);
	assert_ok(tarn_model_keep(g->model, low.buf));
	tarn_tensor_fini(&low);
	lowest->def->attr[tarn_attr_index(lowest->def->op, "value")] = (tarn_attr){.set = true, .t = kept};
	tarn_value *mask = node(g, "Trilu", lowest, number_i64(g, 1), NULL);
	tarn_value *later = node(g, "Greater", counting(g, number_i64(g, 0), ends),
				 node(g, "Unsqueeze", counting(g, begin, ends), ints(g, 1, 1), NULL), NULL);
	later = node(g, "Cast", later, NULL, NULL);
	set_int(later, "to", TARN_F32);
	return node(g, "Add", scores, node(g, "Mul", mask, later, NULL), NULL);
}

/* Older exports keep a triangle of ones and take rows [past, all) and columns [0, all) of it. */
static tarn_value *stored(tarn_graph *g, tarn_value *scores, tarn_value *x, tarn_value *all)
{
	enum { SIDE = 2 * WINDOW };
	tarn_value *s = size_of(g, x, 1, false), *t = size_of(g, all, 1, false), *ones_below;
	tarn_tensor b;
	assert_ok(tarn_tensor_new(TARN_BOOL, 2, (const int64_t[]){SIDE, SIDE}, &b));
	for (int i = 0; i < SIDE * SIDE; i++)
		((uint8_t *)b.data)[i] = i % SIDE <= i / SIDE;
	assert_ok(tarn_value_const(g, NULL, &b, &ones_below));
	tarn_tensor_fini(&b);
	tarn_value *rows_of = sliced(g, ones_below, node(g, "Sub", t, s, NULL), t, 0);
	return node(g, "Where", sliced(g, rows_of, ints(g, 1, 0), t, 1), scores, scalar(g, -1e9f));
}

static tarn_value *masked(tarn_graph *g, masks how, tarn_value *scores, tarn_value *x, tarn_value *all, tarn_value *given)
{
	if (how == BOTH_WAYS)
		return scores;
	if (how == TRIANGLE)
		return triangle(g, scores, x, all);
	if (how == STORED)
		return stored(g, scores, x, all);
	tarn_value *t = size_of(g, all, 1, true), *s = size_of(g, x, 1, true), *zero = number_i64(g, 0);
	tarn_value *row = node(g, "Add", counting(g, zero, s), node(g, "Sub", t, s, NULL), NULL);
	if (how == AHEAD) /* two positions are seen before they come */
		row = node(g, "Add", row, number_i64(g, 2), NULL);
	tarn_value *seen = node(g, "LessOrEqual", node(g, "Unsqueeze", counting(g, zero, t), ints(g, 1, 0), NULL),
				node(g, "Unsqueeze", row, ints(g, 1, 1), NULL), NULL);
	if (how != GIVEN)
		return node(g, "Where", seen, scores, scalar(g, -1e9f));
	/* the additive form, and a mask of the caller's: (1 - seen * given) * -10000 */
	tarn_value *f = node(g, "Cast", seen, NULL, NULL);
	set_int(f, "to", TARN_F32);
	f = node(g, "Mul", f, node(g, "Unsqueeze", given, ints(g, 1, 1), NULL), NULL);
	f = node(g, "Mul", node(g, "Sub", scalar(g, 1), f, NULL), scalar(g, -10000), NULL);
	return node(g, "Add", scores, f, NULL);
}

/* x [1,step,8] -> y; past [1,past,8] twice -> present. */
static tarn_model *attention(positions where, masks mask)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = free_input(m, "x", "step", TARN_F32, WIDTH), *past[2], *all[2];
	past[0] = free_input(m, "k_in", "past", TARN_F32, WIDTH);
	past[1] = free_input(m, "v_in", where == COUNTED ? "another" : "past", TARN_F32, WIDTH);
	tarn_value *given = mask == GIVEN ? free_input(m, "mask", "all", TARN_F32, 0) : NULL;
	tarn_value *h = node(g, "Add", x, embed(g, where, x, past[0]), NULL);
	for (int i = 0; i < 2; i++) {
		all[i] = node(g, "Concat", past[i], node(g, "MatMul", h, weights(g, dims(2, WIDTH, WIDTH)), NULL), NULL);
		set_int(all[i], "axis", 1);
		assert_ok(tarn_value_rename(g, all[i], i ? "v_out" : "k_out"));
	}
	tarn_value *k = node(g, "Transpose", all[0], NULL, NULL);
	set_ints(g, k, "perm", 3, 0, 2, 1);
	tarn_value *q = node(g, "MatMul", h, weights(g, dims(2, WIDTH, WIDTH)), NULL);
	tarn_value *p = node(g, "Softmax", masked(g, mask, node(g, "MatMul", q, k, NULL), x, all[0], given), NULL, NULL);
	tarn_value *y = node(g, "Add", h, node(g, "MatMul", p, all[1], NULL), NULL);
	assert_ok(tarn_value_rename(g, y, "y"));
	output(g, y);
	output(g, all[0]);
	output(g, all[1]);
	assert_ok(tarn_graph_infer(g));
	return m;
}

/* Rows [from, from + n) of [1,rows,width], in memory of the whole. */
static tarn_tensor rows(const tarn_tensor *t, int64_t from, int64_t n)
{
	tarn_tensor r = *t;
	r.buf = NULL;
	r.dim[1] = n;
	int64_t width = t->rank > 2 ? t->dim[2] : 1;
	r.data = (float *)t->data + from * width;
	return r;
}

static tarn_tensor ones(int64_t n)
{
	tarn_tensor t;
	assert_ok(tarn_tensor_new(TARN_F32, 2, (const int64_t[]){1, n}, &t));
	for (int64_t i = 0; i < n; i++)
		((float *)t.data)[i] = 1;
	return t;
}

/* One call of the original. */
static void original(const tarn_model *m, const tarn_tensor *x, const tarn_tensor past[2], tarn_tensor out[3])
{
	tarn_tensor mask = ones(x->dim[1] + past[0].dim[1]);
	const tarn_tensor *in[] = {x, &past[0], &past[1], &mask};
	assert_ok(tarn_graph_eval(m->main, in, out, NULL, NULL));
	tarn_tensor_fini(&mask);
}

static void call(tarn_sequence *s, const tarn_tensor *x, int64_t from, int64_t n, bool mask, const tarn_tensor *want)
{
	tarn_tensor part = rows(x, from, n), wanted = rows(want, from, n), m = ones(from + n);
	const tarn_tensor *y;
	assert_ok(tarn_sequence_set(s, "x", &part));
	if (mask)
		assert_ok(tarn_sequence_set(s, "mask", &m));
	assert_ok(tarn_sequence_run(s));
	assert_ok(tarn_sequence_get(s, "y", &y));
	double err = relative_error(y, &wanted);
	if (!(err <= 1e-5))
		fail_msg("positions %d to %d: relative error %g", (int)from, (int)(from + n), err);
	tarn_tensor_fini(&m);
}

static void equal_in_any_calls(const tarn_device_api *api, positions where, masks mask)
{
	seed = 99;
	tarn_model *m = attention(where, mask);
	tarn_tensor x = filled(dims(3, 1, ALL, WIDTH)), past[2], want[3] = {{0}};
	for (int i = 0; i < 2; i++)
		assert_ok(tarn_tensor_new(TARN_F32, 3, (const int64_t[]){1, 0, WIDTH}, &past[i]));
	original(m, &x, past, want);
	tarn_sequence *s = open_on(api, m, NULL, 0, STEP);
	for (int again = 0; again < 2; again++) {
		int64_t at = 0;
		for (int k = 0; k < CALLS; at += calls[k++])
			call(s, &x, at, calls[k], mask == GIVEN, &want[0]);
		tarn_tensor state;
		assert_ok(tarn_sequence_save(s, "v_in", &state));
		assert_true(relative_error(&state, &want[2]) <= 1e-5);
		tarn_tensor_fini(&state);
		tarn_sequence_facts f;
		tarn_sequence_facts_get(s, &f);
		assert_int_equal(f.past, ALL);
		assert_int_equal(f.positions, (again + 1) * ALL);
		assert_int_equal(f.copied, 0);
		/* 5 = 4+1, 9 = 4+4+1 */
		assert_int_equal(f.steps, (again + 1) * (2 + 1 + 1 + 1 + 3 + 1));
		assert_ok(tarn_sequence_rewind(s));
	}
	close_it(s);
	for (int i = 0; i < 3; i++)
		tarn_tensor_fini(&want[i]);
	tarn_tensor_fini(&past[0]);
	tarn_tensor_fini(&past[1]);
	tarn_tensor_fini(&x);
	tarn_model_unref(m);
}

static void caches(void **state)
{
	(void)state;
	equal_in_any_calls(&tarn_dev_ref, ADDED, CAUSAL);
	equal_in_any_calls(&tarn_dev_cpu, ADDED, CAUSAL);
	equal_in_any_calls(&tarn_dev_ref, SLICED, GIVEN);
	equal_in_any_calls(&tarn_dev_cpu, COUNTED, GIVEN);
	equal_in_any_calls(&tarn_dev_cpu, ADDED, TRIANGLE);
	equal_in_any_calls(&tarn_dev_ref, ADDED, STORED);
}

static void window_and_states(void **state)
{
	(void)state;
	seed = 5;
	tarn_model *m = attention(COUNTED, CAUSAL);
	tarn_tensor x = filled(dims(3, 1, WINDOW + 1, WIDTH)), past[2], want[3] = {{0}}, k, v;
	for (int i = 0; i < 2; i++)
		assert_ok(tarn_tensor_new(TARN_F32, 3, (const int64_t[]){1, 0, WIDTH}, &past[i]));
	original(m, &x, past, want);
	tarn_sequence *s = open_on(&tarn_dev_ref, m, NULL, 0, STEP);
	call(s, &x, 0, WINDOW - 1, false, &want[0]);
	tarn_tensor two = rows(&x, WINDOW - 1, 2);
	assert_ok(tarn_sequence_set(s, "x", &two));
	assert_int_equal(tarn_sequence_run(s), TARN_SHAPE);
	assert_non_null(strstr(tarn_err_text(), "the window holds 24 positions; 23 are there and 2 more do not fit"));
	call(s, &x, WINDOW - 1, 1, false, &want[0]); /* the last one fits */
	assert_ok(tarn_sequence_save(s, "k_in", &k));
	assert_ok(tarn_sequence_save(s, "v_in", &v));
	close_it(s);
	/* Another sequence goes on from the middle. */
	s = open_on(&tarn_dev_ref, m, NULL, 0, STEP);
	tarn_tensor k10 = rows(&k, 0, 10), v10 = rows(&v, 0, 10);
	assert_ok(tarn_sequence_restore(s, "k_in", &k10));
	assert_ok(tarn_sequence_restore(s, "v_in", &v10));
	call(s, &x, 10, 7, false, &want[0]);
	assert_int_equal(tarn_sequence_restore(s, "x", &x), TARN_NOT_FOUND);
	close_it(s);
	tarn_tensor_fini(&k);
	tarn_tensor_fini(&v);
	for (int i = 0; i < 3; i++)
		tarn_tensor_fini(&want[i]);
	tarn_tensor_fini(&past[0]);
	tarn_tensor_fini(&past[1]);
	tarn_tensor_fini(&x);
	tarn_model_unref(m);
}

/* Calls as long as a step equal the original called the same way; longer ones are refused, naming why. */
static void cannot_be_cut(positions where, masks mask, const char *why)
{
	seed = 7;
	tarn_model *m = attention(where, mask);
	tarn_tensor x = filled(dims(3, 1, ALL, WIDTH)), past[2];
	for (int i = 0; i < 2; i++)
		assert_ok(tarn_tensor_new(TARN_F32, 3, (const int64_t[]){1, 0, WIDTH}, &past[i]));
	tarn_sequence *s = open_on(&tarn_dev_ref, m, NULL, 0, STEP);
	int64_t at = 0;
	for (int n = STEP; n > 0; at += n--) {
		tarn_tensor part = rows(&x, at, n), want[3] = {{0}};
		const tarn_tensor *y;
		original(m, &part, past, want);
		assert_ok(tarn_sequence_set(s, "x", &part));
		assert_ok(tarn_sequence_run(s));
		assert_ok(tarn_sequence_get(s, "y", &y));
		assert_true(relative_error(y, &want[0]) <= 1e-5);
		for (int i = 0; i < 2; i++) {
			tarn_tensor_fini(&past[i]);
			past[i] = want[1 + i];
		}
		tarn_tensor_fini(&want[0]);
	}
	tarn_tensor part = rows(&x, at, STEP + 1);
	assert_ok(tarn_sequence_set(s, "x", &part));
	assert_int_equal(tarn_sequence_run(s), TARN_UNSUPPORTED);
	if (!strstr(tarn_err_text(), why))
		fail_msg("%s", tarn_err_text());
	close_it(s);
	tarn_tensor_fini(&past[0]);
	tarn_tensor_fini(&past[1]);
	tarn_tensor_fini(&x);
	tarn_model_unref(m);
}

static void refused_cuts(void **state)
{
	(void)state;
	cannot_be_cut(ADDED, BOTH_WAYS, "(Softmax) takes in positions later than each");
	cannot_be_cut(ADDED, AHEAD, "(Softmax) takes in positions later than each");
	cannot_be_cut(RELATIVE, CAUSAL, "(Gather) computes with where a call begins");
}

static void refused_models(void **state)
{
	(void)state;
	tarn_model *m = attention(ADDED, CAUSAL), *before = m;
	tarn_state_spec spec = {.window = 0, .step = 4};
	assert_int_equal(tarn_model_stateful(&m, &spec), TARN_USAGE);
	assert_non_null(strstr(tarn_err_text(), "how many positions its window holds"));
	const tarn_state_pair wrong = {"x", "nothing", -1};
	spec = (tarn_state_spec){&wrong, 1, 8, 4, 0};
	assert_int_equal(tarn_model_stateful(&m, &spec), TARN_NOT_FOUND);
	assert_non_null(strstr(tarn_err_text(), "no output is called 'nothing'"));
	const tarn_state_spec beyond[] = {{NULL, 0, INT64_MAX, 4, 0}, {NULL, 0, 8, INT64_MAX, 0}, {NULL, 0, 8, 4, -77}};
	for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
		assert_int_equal(tarn_model_stateful(&m, &beyond[i]), TARN_USAGE);
		assert_non_null(strstr(tarn_err_text(), "is out of range"));
	}
	spec = (tarn_state_spec){NULL, 0, 3, 4, 0};
	assert_int_equal(tarn_model_stateful(&m, &spec), TARN_USAGE);
	assert_ptr_equal(m, before);
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caches),
		cmocka_unit_test(window_and_states),
		cmocka_unit_test(refused_cuts),
		cmocka_unit_test(refused_models),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
