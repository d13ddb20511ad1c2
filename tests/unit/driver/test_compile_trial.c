/* SPDX-License-Identifier: Apache-2.0 */
/* What trials find: against closed forms, where expectations know nothing, and of inputs that are made up. */
#include "unit/driver/npu_graphs.h"

#include "driver/compile/canary.h"
#include "driver/compile/noise.h"

typedef struct subject {
	tarn_arena a;
	npu_layers layers;
	npu_noise noise;
	npu_trial *trial;
} subject;

static void subject_init(tarn_graph *g, subject *s)
{
	*s = (subject){0};
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_npu_lower(g->model));
	assert_ok(tarn_npu_group(g, &s->a, &s->layers));
	assert_ok(tarn_npu_noise(g, &s->layers, &s->a, &s->noise));
	assert_ok(tarn_npu_trial_new(tarn_arch_find(4000), g, &s->layers, &s->trial));
}

static void subject_fini(subject *s)
{
	tarn_npu_trial_free(s->trial);
	tarn_arena_fini(&s->a);
}

static double tried(tarn_model *m, bool wide, double *expected)
{
	subject s;
	double worst[NPU_JUDGED];
	subject_init(m->main, &s);
	assert_non_null(s.trial);
	assert_int_equal(tarn_npu_trial_outputs(s.trial), 1);
	bool *pair = tarn_arena_zalloc(&s.a, m->main->value.len + 1, sizeof *pair);
	for (size_t i = 0; i < m->main->value.len; i++)
		pair[i] = m->main->value.at[i]->type == TARN_F32;
	assert_ok(tarn_npu_trial_run(s.trial, wide ? pair : NULL, worst));
	*expected = s.noise.worst[0];
	subject_fini(&s);
	tarn_model_unref(m);
	return worst[0];
}

/* sigmoid(3 x + 4), x of deviation 1: an rms of 5, rounded three times, the worst of so many normal deviates. */
static tarn_model *line(void)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = input(g, dims(2, 16, 64));
	tarn_value *y = node(g, "Add", node(g, "Mul", x, scalar(g, 3), NULL), scalar(g, 4), NULL);
	output(g, node(g, "Sigmoid", y, NULL, NULL));
	return m;
}

static void trials_agree_with_the_formula(void **state)
{
	(void)state;
	double e, want = 2e-4 * sqrt(3) * 5 * sqrt(2 * log(16 * 64)), found = tried(line(), false, &e);
	if (!(found > want / 1.5 && found < want * 1.5))
		fail_msg("found %g, expected %g", found, want);
	assert_true(tried(line(), true, &e) < 1e-3 * want);
}

/* Nothing is known of running sums; their rounding is found all the same: of a walk's n steps the deviation is sqrt n, on
 * average over the walk sqrt(n / 2), and FP16 takes 2e-4 of that. */
static void trials_see_what_is_not_expected(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *y = node(g, "CumSum", input(g, dims(2, 1, 2048)), ints(g, 1, 1), NULL);
	output(g, node(g, "Sigmoid", node(g, "Identity", y, NULL, NULL), NULL, NULL));
	double e, want = 2e-4 * sqrt(2048 / 2) * sqrt(2 * log(2048)), found = tried(m, false, &e);
	assert_true(e == 0);
	if (!(found > want / 4 && found < want * 4))
		fail_msg("found %g, expected %g", found, want);
}

/* Parts add up to the whole, and the larger of two branches has the larger part: of x and 30 x it is that with 30. */
static void parts_say_where_it_comes_from(void **state)
{
	(void)state;
	tarn_model *m;
	subject s;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *p = node(g, "Sin", input(g, dims(2, 8, 64)), NULL, NULL), *q = input(g, dims(2, 8, 64));
	tarn_value *large = node(g, "Mul", node(g, "Cos", q, NULL, NULL), scalar(g, 30), NULL);
	tarn_value *y = node(g, "Add", p, large, NULL);
	output(g, node(g, "Sigmoid", y, NULL, NULL));
	subject_init(g, &s);
	assert_ok(tarn_npu_trial_run(s.trial, NULL, s.noise.worst));
	assert_ok(tarn_npu_trial_parts(s.trial, &s.layers, &s.noise));
	double all = 0, dev = s.noise.worst[0] / s.noise.spread[0];
	for (size_t i = 0; i < g->value.len; i++)
		all += s.noise.of[0][i];
	assert_true(fabs(all - dev * dev) < 1e-6 * all);
	assert_true(s.noise.of[0][large->id] > 20 * s.noise.of[0][p->id]);
	subject_fini(&s);
	tarn_model_unref(m);
}

/* Places far behind the table, whatever is made up: no fault of the model's, whose own inputs may be negative. */
static void what_cannot_be_tried_is_expected(void **state)
{
	(void)state;
	tarn_model *m;
	subject s;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_shape four = dims(1, 4);
	tarn_value *id;
	assert_ok(tarn_value_input(g, "ids", TARN_I32, &four, &id));
	tarn_tensor far;
	assert_ok(tarn_tensor_new(TARN_I32, 1, (int64_t[]){1}, &far));
	tarn_tensor_set_f64(&far, 0, 1000);
	tarn_value *offset;
	assert_ok(tarn_value_const(g, "far", &far, &offset));
	tarn_tensor_fini(&far);
	output(g, node(g, "Gather", weights(g, dims(2, 5, 8)), node(g, "Add", id, offset, NULL), NULL));
	subject_init(g, &s);
	assert_null(s.trial);
	tarn_cc_flags flags = {0};
	npu_plan plan;
	assert_ok(tarn_npu_plan_make(tarn_arch_find(4000), g, &flags, &s.a, &plan));
	subject_fini(&s);
	tarn_model_unref(m);
}

static void made_up_inputs_are_plausible(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_tensor t, ids, length;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *image = input(g, dims(4, 1, 3, 64, 64)), *id, *n;
	tarn_shape sixteen = dims(1, 16), one = dims(1, 1);
	assert_ok(tarn_value_input(g, "ids", TARN_I32, &sixteen, &id));
	assert_ok(tarn_value_input(g, "n", TARN_I32, &one, &n));
	output(g, node(g, "Relu", image, NULL, NULL));
	output(g, node(g, "Gather", weights(g, dims(2, 5, 8)), id, NULL));
	tarn_tensor steps;
	assert_ok(tarn_tensor_new(TARN_F32, 1, (int64_t[]){12}, &steps));
	for (int i = 0; i < 12; i++)
		tarn_tensor_set_f64(&steps, i, i);
	tarn_value *counts;
	assert_ok(tarn_value_const(g, "steps", &steps, &counts));
	/* Computed with first, and compared as a float behind a change of type. */
	tarn_value *real = node(g, "Cast", n, NULL, NULL);
	set_int(real, "to", TARN_F32);
	output(g, node(g, "Add", real, scalar(g, 1), NULL));
	output(g, node(g, "Less", counts, real, NULL));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_tensor_new(TARN_F32, 4, image->shape.dim, &t));
	assert_ok(tarn_tensor_new(TARN_I32, 1, (int64_t[]){16}, &ids));
	assert_ok(tarn_tensor_new(TARN_I32, 1, (int64_t[]){1}, &length));
	const float *x = t.data;
	for (int index = 0; index < 2; index++) {
		tarn_npu_canary(g, 0, index, &t);
		int even = 0;
		double sum = 0, squares = 0;
		for (int i = 1; i < 3 * 64 * 64; i++) {
			even += x[i] == x[i - 1];
			sum += x[i];
			squares += (double)x[i] * x[i];
		}
		/* A picture's neighbours are mostly equal, those of noise never. */
		assert_true(index ? even < 10 : even > 3 * 64 * 64 / 2);
		assert_true(fabs(sum) < 0.5 * 3 * 64 * 64 && squares > 0.4 * 3 * 64 * 64 && squares < 2.5 * 3 * 64 * 64);
	}
	tarn_npu_canary(g, 1, 0, &ids);
	int seen = 0;
	for (int i = 0; i < 16; i++) {
		assert_in_range(tarn_tensor_i64(&ids, i), 0, 4);
		seen |= 1 << tarn_tensor_i64(&ids, i);
	}
	assert_true(seen != 1);
	tarn_npu_canary(g, 2, 0, &length);
	assert_int_equal(tarn_tensor_i64(&length, 0), 12);
	tarn_tensor_fini(&t);
	tarn_tensor_fini(&ids);
	tarn_tensor_fini(&length);
	tarn_tensor_fini(&steps);
	tarn_model_unref(m);
}

/* A length n, of which (max(n, 1) + 64) / 128 - 1 parts are compared with 0 to 3. */
static tarn_model *frames(bool odd, tarn_value **length)
{
	tarn_model *m;
	tarn_shape one = dims(1, 1);
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = input(g, dims(2, 8, 4));
	assert_ok(tarn_value_input(g, "n", TARN_I64, &one, length));
	tarn_value *n = node(g, "Add", node(g, "Max", *length, ints(g, 1, 1), NULL), ints(g, 1, 64), NULL);
	n = node(g, "Sub", node(g, "Div", n, ints(g, 1, 128), NULL), ints(g, 1, 1), NULL);
	tarn_value *valid = node(g, "Less", ints(g, 4, 0, 1, 2, 3), n, NULL);
	tarn_value *large = node(g, "Add", x, scalar(g, 3000), NULL);
	tarn_value *loss = node(g, "Sub", node(g, "Identity", large, NULL, NULL), scalar(g, 3000), NULL);
	tarn_value *y = node(g, "Where", valid, x, scalar(g, 0));
	output(g, odd ? node(g, "Where", node(g, "Equal", n, ints(g, 1, 2), NULL), loss, y) : y);
	return m;
}

/* The greatest is 703, which gives 4 parts as does all from 576 on; at half of it, 352, there are 2. */
static void lengths_are_tried_from_the_greatest_down(void **state)
{
	(void)state;
	static const int64_t want[] = {703, 352, 176, 528, 88, 440, 264, 616};
	tarn_value *n;
	tarn_tensor t;
	tarn_model *m = frames(false, &n);
	assert_ok(tarn_graph_infer(m->main));
	assert_true(tarn_npu_canary_lengths(m->main));
	assert_ok(tarn_tensor_new(TARN_I64, 1, (int64_t[]){1}, &t));
	for (int i = 0; i < 8; i++) {
		tarn_npu_canary(m->main, 1, i, &t);
		assert_int_equal(tarn_tensor_i64(&t, 0), want[i]);
	}
	tarn_tensor_fini(&t);
	tarn_model_unref(m);
}

/* FP16 moves x by 2^-12 of itself; 3000 + x by one, which is a third and more of the largest x. */
static void what_happens_at_some_lengths_only_counts(void **state)
{
	(void)state;
	tarn_value *n;
	double e;
	assert_true(tried(frames(false, &n), false, &e) < 1e-3);
	assert_true(tried(frames(true, &n), false, &e) > 0.1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trials_agree_with_the_formula),
		cmocka_unit_test(trials_see_what_is_not_expected),
		cmocka_unit_test(parts_say_where_it_comes_from),
		cmocka_unit_test(what_cannot_be_tried_is_expected),
		cmocka_unit_test(made_up_inputs_are_plausible),
		cmocka_unit_test(lengths_are_tried_from_the_greatest_down),
		cmocka_unit_test(what_happens_at_some_lengths_only_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
