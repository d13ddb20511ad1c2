/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent networks and streaming convolutions in calls of any size, against one run of the untouched model over everything.
 */
#include "unit/dyn/state_run.h"

/* ---- recurrent states ---- */

enum { HIDDEN = 6, FEATURES = 4 };

static tarn_value *fixed_input(tarn_graph *g, const char *name, tarn_shape s)
{
	tarn_value *v;
	assert_ok(tarn_value_input(g, name, TARN_F32, &s, &v));
	return v;
}

/* x [step,1,4] -> y [step,1,6]; h, c [1,6] -> h_out, c_out. `peek`: y also sees the state the call began with. */
static tarn_model *lstm(const char *direction, bool peek)
{
	tarn_model *m;
	tarn_dim n;
	tarn_node *r;
	tarn_value *x, *in[2], *y;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	assert_ok(tarn_symtab_named(&m->syms, "step", &n));
	tarn_shape s = dims(3, 0, 1, FEATURES);
	s.dim[0] = n;
	assert_ok(tarn_value_input(g, "x", TARN_F32, &s, &x));
	in[0] = fixed_input(g, "h", dims(2, 1, HIDDEN));
	in[1] = fixed_input(g, "c", dims(2, 1, HIDDEN));
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "LSTM"), "cell", 7, 3, -1, &r));
	r->in[0] = node(g, "Tanh", x, NULL, NULL);
	r->in[1] = weights(g, dims(3, 1, 4 * HIDDEN, FEATURES));
	r->in[2] = weights(g, dims(3, 1, 4 * HIDDEN, HIDDEN));
	for (int i = 0; i < 2; i++)
		r->in[5 + i] = node(g, "Unsqueeze", in[i], ints(g, 1, 0), NULL);
	set_int(r->out[0], "hidden_size", HIDDEN);
	int d = tarn_attr_index(r->op, "direction");
	assert_ok(tarn_attr_set_i(r, d, tarn_words_find(r->op->attr[d].words, direction)));
	y = node(g, "Squeeze", r->out[0], ints(g, 1, 1), NULL);
	if (peek)
		y = node(g, "Add", y, in[0], NULL);
	assert_ok(tarn_value_rename(g, y, "y"));
	output(g, y);
	for (int i = 0; i < 2; i++) {
		tarn_value *o = node(g, "Squeeze", r->out[1 + i], ints(g, 1, 0), NULL);
		assert_ok(tarn_value_rename(g, o, i ? "c_out" : "h_out"));
		output(g, o);
	}
	assert_ok(tarn_graph_sort(g));
	assert_ok(tarn_graph_infer(g));
	return m;
}

static const tarn_state_pair lstm_states[] = {{"h", "h_out", -1}, {"c", "c_out", -1}};

/* Rows of [all,1,width]. */
static tarn_tensor first_rows(const tarn_tensor *t, int64_t from, int64_t n)
{
	tarn_tensor r = *t;
	r.buf = NULL;
	r.dim[0] = n;
	r.data = (float *)t->data + from * t->dim[1] * t->dim[2];
	return r;
}

static void recurrence(void **state)
{
	(void)state;
	seed = 21;
	tarn_model *m = lstm("forward", false);
	tarn_tensor x = filled(dims(3, ALL, 1, FEATURES)), zero = filled(dims(2, 1, HIDDEN)), want[3] = {{0}};
	memset(zero.data, 0, tarn_tensor_bytes(&zero));
	const tarn_tensor *in[] = {&x, &zero, &zero}, *y;
	assert_ok(tarn_graph_eval(m->main, in, want, NULL, NULL));
	for (int cpu = 0; cpu < 2; cpu++) {
		tarn_sequence *s = open_on(cpu ? &tarn_dev_cpu : &tarn_dev_ref, m, lstm_states, 2, STEP);
		int64_t at = 0;
		for (int k = 0; k < CALLS; at += calls[k++]) {
			tarn_tensor part = first_rows(&x, at, calls[k]), wanted = first_rows(&want[0], at, calls[k]);
			assert_ok(tarn_sequence_set(s, "x", &part));
			assert_ok(tarn_sequence_run(s));
			assert_ok(tarn_sequence_get(s, "y", &y));
			assert_true(relative_error(y, &wanted) <= 1e-5);
		}
		tarn_tensor h;
		assert_ok(tarn_sequence_save(s, "h", &h));
		assert_true(relative_error(&h, &want[1]) <= 1e-5);
		tarn_tensor_fini(&h);
		close_it(s);
	}
	for (int i = 0; i < 3; i++)
		tarn_tensor_fini(&want[i]);
	tarn_tensor_fini(&zero);
	tarn_tensor_fini(&x);
	tarn_model_unref(m);
}

/* ---- streaming convolutions ---- */

enum { CHANNELS = 3, REACH = 4 };

static tarn_value *layer(tarn_graph *g, tarn_value *x, int i, int stride, tarn_value **cache_out)
{
	char name[16];
	snprintf(name, sizeof name, "cache%d", i);
	tarn_value *both = node(g, "Concat", fixed_input(g, name, dims(3, 1, CHANNELS, REACH)), x, NULL);
	set_int(both, "axis", 2);
	*cache_out = sliced(g, both, ints(g, 1, -REACH), ints(g, 1, INT32_MAX), 2);
	snprintf(name, sizeof name, "out%d", i);
	assert_ok(tarn_value_rename(g, *cache_out, name));
	tarn_value *y = node(g, "Conv", node(g, "Tanh", both, NULL, NULL), weights(g, dims(3, CHANNELS, CHANNELS, 3)), NULL);
	set_ints(g, y, "dilations", 1, REACH / 2);
	set_ints(g, y, "strides", 1, stride);
	return y;
}

/* x [1,3,step] -> two convolutions, each seeing four positions of the past, and one of kernel 1 -> y. */
static tarn_model *convolutions(int stride)
{
	tarn_model *m;
	tarn_dim n;
	tarn_value *x, *cache[2];
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	assert_ok(tarn_symtab_named(&m->syms, "step", &n));
	tarn_shape s = dims(3, 1, CHANNELS, 0);
	s.dim[2] = n;
	assert_ok(tarn_value_input(g, "x", TARN_F32, &s, &x));
	tarn_value *y = node(g, "Relu", layer(g, x, 0, 1, &cache[0]), NULL, NULL);
	y = node(g, "Conv", layer(g, y, 1, stride, &cache[1]), weights(g, dims(3, 2, CHANNELS, 1)), NULL);
	assert_ok(tarn_value_rename(g, y, "y"));
	output(g, y);
	output(g, cache[0]);
	output(g, cache[1]);
	assert_ok(tarn_graph_infer(g));
	return m;
}

static const tarn_state_pair conv_states[] = {{"cache0", "out0", -1}, {"cache1", "out1", -1}};

/* Columns [from, from + n) of [1,rows,all]. */
static tarn_tensor columns(const tarn_tensor *t, int64_t from, int64_t n)
{
	tarn_tensor r;
	assert_ok(tarn_tensor_new(TARN_F32, 3, (const int64_t[]){1, t->dim[1], n}, &r));
	for (int64_t k = 0; k < t->dim[1]; k++)
		memcpy((float *)r.data + k * n, (const float *)t->data + k * t->dim[2] + from, (size_t)n * sizeof(float));
	return r;
}

static void streaming_convolutions(void **state)
{
	(void)state;
	seed = 31;
	tarn_model *m = convolutions(1);
	tarn_tensor x = filled(dims(3, 1, CHANNELS, ALL)), zero, want[3] = {{0}};
	assert_ok(tarn_tensor_new(TARN_F32, 3, (const int64_t[]){1, CHANNELS, REACH}, &zero));
	const tarn_tensor *in[] = {&x, &zero, &zero}, *y;
	assert_ok(tarn_graph_eval(m->main, in, want, NULL, NULL));
	tarn_sequence *s = open_on(&tarn_dev_ref, m, conv_states, 2, STEP);
	int64_t at = 0;
	for (int k = 0; k < CALLS; at += calls[k++]) {
		tarn_tensor part = columns(&x, at, calls[k]), wanted = columns(&want[0], at, calls[k]);
		assert_ok(tarn_sequence_set(s, "x", &part));
		assert_ok(tarn_sequence_run(s));
		assert_ok(tarn_sequence_get(s, "y", &y));
		assert_true(relative_error(y, &wanted) <= 1e-5);
		tarn_tensor_fini(&part);
		tarn_tensor_fini(&wanted);
	}
	close_it(s);
	for (int i = 0; i < 3; i++)
		tarn_tensor_fini(&want[i]);
	tarn_tensor_fini(&zero);
	tarn_tensor_fini(&x);
	tarn_model_unref(m);
}

static void recurrence_refused(tarn_model *m, const tarn_state_pair *pair, const char *why)
{
	tarn_state st;
	bool found;
	tarn_state_spec spec = {pair, 2, 0, STEP, 0};
	assert_ok(tarn_model_stateful(&m, &spec));
	assert_ok(tarn_state_get(m, &st, &found));
	assert_non_null(st.whole);
	if (!strstr(st.whole, why))
		fail_msg("%s", st.whole);
	tarn_state_fini(&st);
	tarn_model_unref(m);
}

static void recurrences_that_cannot_be_cut(void **state)
{
	(void)state;
	recurrence_refused(lstm("reverse", false), lstm_states, "node 'cell' (LSTM) is no forward recurrence");
	recurrence_refused(lstm("forward", true), lstm_states, "node 'cell' (LSTM)");
	recurrence_refused(convolutions(2), conv_states, "(Conv) is no part of a convolution that a state precedes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recurrence),
		cmocka_unit_test(streaming_convolutions),
		cmocka_unit_test(recurrences_that_cannot_be_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
