/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Caches in the forms that exporters give them: keys and values (of one layer, or of two) as one tensor, keys transposed on the
 * way, samples in the order of a beam. In any calls they equal the untouched model.
 */
#include "unit/dyn/state_run.h"

enum { WIDTH = 8, KV = 2 };

typedef enum taken { GATHERED, SPLIT, SLICED } taken;
typedef struct form {
	taken how;
	bool layers;     /* two of them, stacked again */
	bool transposed; /* keys are [..., WIDTH, positions] while they are concatenated */
	int batch;       /* more than one, or `beam`: with an input that orders samples */
	bool beam;
} form;

static tarn_value *with(tarn_value *v, const char *attr, int64_t i)
{
	set_int(v, attr, i);
	return v;
}

static tarn_value *one_number(tarn_graph *g, int64_t v)
{
	tarn_value *x;
	assert_ok(tarn_value_const_i64(g, NULL, &v, -1, &x));
	return x;
}

static tarn_value *size_of(tarn_graph *g, tarn_value *v, int axis)
{
	return node(g, "Gather", node(g, "Shape", v, NULL, NULL), one_number(g, axis), NULL);
}

static tarn_value *counting(tarn_graph *g, tarn_value *from, tarn_value *to, int axis)
{
	return node(g, "Unsqueeze", node(g, "Range", from, to, one_number(g, 1)), ints(g, 1, axis), NULL);
}

/* Element i of two along the first axis. */
static tarn_value *part(tarn_graph *g, taken how, tarn_value *v, int i)
{
	if (how == GATHERED)
		return node(g, "Gather", v, one_number(g, i), NULL);
	if (how == SLICED)
		return node(g, "Squeeze", sliced(g, v, ints(g, 1, i), ints(g, 1, i + 1), 0), ints(g, 1, 0), NULL);
	static tarn_node *split;
	split = i ? split : node_with(g, "Split", 2, v, NULL, NULL);
	return node(g, "Squeeze", split->out[i], ints(g, 1, 0), NULL);
}

static tarn_value *stacked(tarn_graph *g, tarn_value *a, tarn_value *b)
{
	a = node(g, "Unsqueeze", a, ints(g, 1, 0), NULL);
	return with(node(g, "Concat", a, node(g, "Unsqueeze", b, ints(g, 1, 0), NULL), NULL), "axis", 0);
}

static tarn_value *swapped(tarn_graph *g, tarn_value *v)
{
	v = node(g, "Transpose", v, NULL, NULL);
	set_ints(g, v, "perm", 3, 0, 2, 1);
	return v;
}

/* One layer: x and its past [2,batch,past,WIDTH]; *present likewise. Causal by where positions are. */
static tarn_value *layer(tarn_graph *g, const form *f, tarn_value *x, tarn_value *past, tarn_value **present)
{
	tarn_value *now[KV], *was[KV], *all[KV], *k;
	for (int i = 0; i < KV; i++)
		was[i] = part(g, f->how, past, i);
	for (int i = 0; i < KV; i++)
		now[i] = node(g, "MatMul", x, weights(g, dims(2, WIDTH, WIDTH)), NULL);
	tarn_value *p = size_of(g, was[0], 1), *s = size_of(g, x, 1), *total = node(g, "Add", p, s, NULL);
	all[1] = with(node(g, "Concat", was[1], now[1], NULL), "axis", 1);
	if (f->transposed) {
		k = with(node(g, "Concat", swapped(g, was[0]), swapped(g, now[0]), NULL), "axis", 2);
		all[0] = swapped(g, k);
	} else {
		all[0] = with(node(g, "Concat", was[0], now[0], NULL), "axis", 1);
		k = swapped(g, all[0]);
	}
	*present = stacked(g, all[0], all[1]);
	tarn_value *scores = node(g, "MatMul", node(g, "MatMul", x, weights(g, dims(2, WIDTH, WIDTH)), NULL), k, NULL);
	tarn_value *seen = node(g, "LessOrEqual", counting(g, one_number(g, 0), total, 0), counting(g, p, total, 1), NULL);
	scores = node(g, "Where", seen, scores, scalar(g, -1e9f));
	tarn_value *v = node(g, "Unsqueeze", all[1], ints(g, 1, 1), NULL); /* as for groups of queries */
	v = node(g, "Squeeze", v, ints(g, 1, 1), NULL);
	return node(g, "Add", x, node(g, "MatMul", node(g, "Softmax", scores, NULL, NULL), v, NULL), NULL);
}

static tarn_model *build(const form *f)
{
	tarn_model *m;
	tarn_dim step, past_length, samples;
	tarn_value *x, *past, *present[2], *order;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	assert_ok(tarn_symtab_named(&m->syms, "step", &step));
	assert_ok(tarn_symtab_named(&m->syms, "past", &past_length));
	assert_ok(tarn_symtab_named(&m->syms, "beams", &samples));
	tarn_shape xs = dims(3, f->batch, 0, WIDTH), ps = dims(4, 2, f->batch, 0, WIDTH);
	xs.dim[1] = step;
	ps.dim[2] = past_length;
	if (f->layers)
		ps = (tarn_shape){.rank = 5, .dim = {2, 2, f->batch, past_length, WIDTH}};
	assert_ok(tarn_value_input(g, "x", TARN_F32, &xs, &x));
	assert_ok(tarn_value_input(g, "past_kv", TARN_F32, &ps, &past));
	if (f->beam) {
		assert_ok(tarn_value_input(g, "order", TARN_I32, &(tarn_shape){.rank = 1, .dim = {samples}}, &order));
		past = with(node(g, "Gather", past, order, NULL), "axis", ps.rank - 3);
	}
	tarn_value *y = x, *all;
	if (f->layers) {
		tarn_value *of[2];
		for (int i = 0; i < 2; i++)
			of[i] = part(g, GATHERED, past, i);
		for (int i = 0; i < 2; i++)
			y = layer(g, f, y, of[i], &present[i]);
		all = stacked(g, present[0], present[1]);
	} else {
		y = layer(g, f, y, past, &all);
	}
	assert_ok(tarn_value_rename(g, y, "y"));
	assert_ok(tarn_value_rename(g, all, "present_kv"));
	output(g, y);
	output(g, all);
	assert_ok(tarn_graph_infer(g));
	return m;
}

static tarn_tensor nothing(const tarn_model *m)
{
	tarn_tensor t;
	int64_t dim[TARN_MAX_RANK];
	const tarn_shape *s = &m->main->input.at[1]->shape;
	for (int i = 0; i < s->rank; i++)
		dim[i] = s->dim[i] < 0 ? 0 : s->dim[i];
	assert_ok(tarn_tensor_new(TARN_F32, s->rank, dim, &t));
	return t;
}

static tarn_tensor order_of(int batch, int turn)
{
	tarn_tensor t;
	assert_ok(tarn_tensor_new(TARN_I32, 1, (const int64_t[]){batch}, &t));
	for (int i = 0; i < batch; i++)
		((int32_t *)t.data)[i] = (i * turn + turn) % batch;
	return t;
}

/* Positions [from, from + n) of every sample, copied. */
static tarn_tensor positions(const tarn_tensor *t, int64_t from, int64_t n)
{
	tarn_tensor r;
	assert_ok(tarn_tensor_new(TARN_F32, 3, (const int64_t[]){t->dim[0], n, t->dim[2]}, &r));
	for (int64_t b = 0; b < t->dim[0]; b++)
		memcpy((float *)r.data + b * n * WIDTH, (float *)t->data + (b * t->dim[1] + from) * WIDTH,
		       (size_t)(n * WIDTH) * sizeof(float));
	return r;
}

/* The original and the sequence, call by call; `turn`: how samples are ordered, anew in each call. */
static void equal_call_by_call(const tarn_device_api *api, const form *f, const int64_t *length, int n_call)
{
	seed = 31;
	tarn_model *m = build(f);
	tarn_tensor x = filled(dims(3, f->batch, ALL, WIDTH)), past = nothing(m);
	tarn_sequence *s = open_on(api, m, NULL, 0, STEP);
	int64_t at = 0;
	for (int k = 0; k < n_call; at += length[k++]) {
		tarn_tensor now = positions(&x, at, length[k]), order = order_of(f->batch, k), want[2] = {{0}};
		const tarn_tensor *in[] = {&now, &past, &order}, *y;
		assert_ok(tarn_graph_eval(m->main, in, want, NULL, NULL));
		assert_ok(tarn_sequence_set(s, "x", &now));
		if (f->beam)
			assert_ok(tarn_sequence_set(s, "order", &order));
		assert_ok(tarn_sequence_run(s));
		assert_ok(tarn_sequence_get(s, "y", &y));
		double err = relative_error(y, &want[0]);
		if (!(err <= 1e-5))
			fail_msg("call %d: relative error %g", k, err);
		tarn_tensor_fini(&want[0]);
		tarn_tensor_fini(&past);
		past = want[1];
		tarn_tensor_fini(&now);
		tarn_tensor_fini(&order);
	}
	tarn_tensor state;
	assert_ok(tarn_sequence_save(s, "past_kv", &state));
	assert_true(relative_error(&state, &past) <= 1e-5);
	tarn_tensor_fini(&state);
	close_it(s);
	tarn_tensor_fini(&past);
	tarn_tensor_fini(&x);
	tarn_model_unref(m);
}

static void in_any_calls(const form *f)
{
	equal_call_by_call(&tarn_dev_ref, f, calls, CALLS);
	equal_call_by_call(&tarn_dev_cpu, f, calls, CALLS);
}

static void keys_and_values(void **state)
{
	(void)state;
	for (taken how = GATHERED; how <= SLICED; how++)
		for (int t = 0; t < 2; t++)
			in_any_calls(&(form){.how = how, .transposed = t, .batch = 1});
}

static void several_samples(void **state)
{
	(void)state;
	in_any_calls(&(form){.batch = 3, .transposed = true});
}

/* Layers are computed one from the other, so that one tensor of all of them does not grow at once: not taken for a cache. */
static void all_layers(void **state)
{
	(void)state;
	tarn_model *m = build(&(form){.layers = true, .batch = 1});
	const tarn_state_pair named = {"past_kv", "present_kv", -1};
	const tarn_state_spec spec = {&named, 1, WINDOW, STEP, 0};
	tarn_arena a = {0};
	tarn_state_pair *pair;
	int n;
	assert_ok(tarn_state_find(m, &a, &pair, &n));
	assert_int_equal(n, 0);
	assert_int_equal(tarn_model_stateful(&m, &spec), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "state present_kv=past_kv: the output is"));
	tarn_arena_fini(&a);
	tarn_model_unref(m);
}

/* One sample has one order; of several, calls are as long as a step at most. */
static void beams(void **state)
{
	(void)state;
	in_any_calls(&(form){.batch = 1, .beam = true});
	const int64_t steps[] = {4, 1, 1, 3, 2, 1};
	const form f = {.batch = 3, .beam = true};
	equal_call_by_call(&tarn_dev_ref, &f, steps, 6);
	equal_call_by_call(&tarn_dev_cpu, &f, steps, 6);
	tarn_model *m = build(&f);
	tarn_sequence *s = open_on(&tarn_dev_ref, m, NULL, 0, STEP);
	tarn_tensor x = filled(dims(3, 3, STEP + 1, WIDTH)), order = order_of(3, 1);
	assert_ok(tarn_sequence_set(s, "x", &x));
	assert_ok(tarn_sequence_set(s, "order", &order));
	assert_int_equal(tarn_sequence_run(s), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "input 'order' says another order of the samples of 'past_kv'"));
	tarn_tensor_fini(&x);
	tarn_tensor_fini(&order);
	close_it(s);
	tarn_model_unref(m);
}

/* Parts that are not stacked again in their order are no caches. */
static void other_orders(void **state)
{
	(void)state;
	const form f = {.batch = 1};
	tarn_model *m = build(&f);
	tarn_arena a = {0};
	tarn_state_pair *pair;
	int n;
	assert_ok(tarn_state_find(m, &a, &pair, &n));
	assert_int_equal(n, 1);
	assert_string_equal(pair->in, "past_kv");
	assert_string_equal(pair->out, "present_kv");
	assert_int_equal(pair->axis, 2);
	tarn_node *all = m->main->output.at[1]->def;
	tarn_value *first = all->in[0];
	all->in[0] = all->in[1];
	all->in[1] = first;
	assert_ok(tarn_state_find(m, &a, &pair, &n));
	assert_int_equal(n, 0);
	tarn_arena_fini(&a);
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_values), cmocka_unit_test(several_samples), cmocka_unit_test(all_layers),
		cmocka_unit_test(beams),           cmocka_unit_test(other_orders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
