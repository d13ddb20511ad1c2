/* SPDX-License-Identifier: Apache-2.0 */
/* Samples stored in a model: the text, and devices that compute something else than the CPU. */
#include "devices/graphs.h"

#include "dev/cpu/device.h"
#include "dev/ref/ref.h"
#include "rt/canary.h"
#include "rt/program.h"

static tarn_model *model;
static tarn_graph *g;
static tarn_device cpu, other;

static int setup(void **state)
{
	(void)state;
	seed = 3;
	cpu = (tarn_device){.api = &tarn_dev_cpu};
	assert_ok(tarn_model_new(&model));
	g = model->main;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tarn_model_unref(model);
	tarn_device_close(&cpu);
	tarn_device_close(&other);
	return 0;
}

/* ---- the text ---- */

static void floats_in_steps_and_the_rest_as_it_is(void **state)
{
	(void)state;
	tarn_value *ids;
	tarn_shape s = dims(2, 1, 5);
	output(g, node(g, "Relu", input(g, dims(2, 3, 7)), NULL, NULL));
	assert_ok(tarn_value_input(g, "ids", TARN_I64, &s, &ids));
	tarn_tensor in[4] = {filled(dims(2, 3, 7)), {0}, filled(dims(2, 3, 7)), {0}}, *got;
	for (int i = 1; i < 4; i += 2) {
		assert_ok(tarn_tensor_new(TARN_I64, 2, s.dim, &in[i]));
		for (int k = 0; k < 5; k++)
			((int64_t *)in[i].data)[k] = ((int64_t)k << 40) - i;
	}
	for (int k = 0; k < 21; k++)
		((float *)in[2].data)[k] = (float)(12 * k); /* pixels: exact */
	size_t kept, n;
	assert_ok(tarn_canary_put(model, in, 2, &kept));
	assert_int_equal(kept, 2);
	assert_ok(tarn_canary_put(model, in, 2, &kept)); /* takes the place of the first */
	assert_int_equal(model->meta.len, 1);
	assert_ok(tarn_canary_get(model, &got, &n));
	assert_int_equal(n, 2);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(got[i].type, in[i].type);
		assert_int_equal(tarn_tensor_count(&got[i]), tarn_tensor_count(&in[i]));
		if (i)
			assert_memory_equal(got[i].data, in[i].data, tarn_tensor_bytes(&in[i]));
		for (int k = 0; i == 0 && k < 21; k++)
			assert_true(fabs(tarn_tensor_f64(&got[0], k) - tarn_tensor_f64(&in[0], k)) <= 2.0 / 255 / 2 * 1.001);
		tarn_tensor_fini(&in[i]);
	}
	tarn_canary_free(model, got, n);
}

static void large_samples_are_not_kept(void **state)
{
	(void)state;
	output(g, node(g, "Relu", input(g, dims(2, 1, 700000)), NULL, NULL));
	tarn_tensor in[2] = {filled(dims(2, 1, 700000)), filled(dims(2, 1, 700000))};
	size_t kept;
	assert_ok(tarn_canary_put(model, in, 2, &kept));
	assert_int_equal(kept, 1); /* a byte each, and a megabyte is the limit */
	tarn_tensor_fini(&in[0]);
	tarn_tensor_fini(&in[1]);
}

/* Whatever happens to the text is noticed. */
static void damage(void **state)
{
	(void)state;
	output(g, node(g, "Relu", input(g, dims(2, 1, 9)), NULL, NULL));
	tarn_tensor in = filled(dims(2, 1, 9)), *got;
	size_t kept, n;
	assert_ok(tarn_canary_put(model, &in, 1, &kept));
	const char *whole = model->meta.at[0].value;
	size_t len = strlen(whole);
	char *text = malloc(len + 1);
	assert_non_null(text);
	model->meta.at[0].value = text;
	for (size_t i = 0; i < len; i++)
		for (int how = 0; how < 3; how++) {
			memcpy(text, whole, len + 1);
			if (how == 0)
				text[i] = 0;
			else
				text[i] = how == 1 ? '!' : text[i] == 'A' ? 'B' : 'A';
			if (!i && !how) /* no text at all is damage, too */
				assert_int_equal(tarn_canary_get(model, &got, &n), TARN_BAD_FILE);
			else if (text[i] != whole[i])
				assert_true(tarn_canary_get(model, &got, &n) == TARN_BAD_FILE || whole[i] == '=');
			if (got)
				tarn_canary_free(model, got, n);
		}
	model->meta.at[0].value = whole;
	free(text);
	tarn_tensor_fini(&in);
}

/* ---- devices ---- */

static bool rounded; /* the second product is followed by a quantizer, and broken only where it is not watched in floats */

static bool is_output(const tarn_graph *of, const tarn_value *v)
{
	for (size_t i = 0; i < of->output.len; i++)
		if (of->output.at[i] == v)
			return true;
	return false;
}

/* Triples the constants of the layer called "broken" and then does what the reference does. */
static tarn_err compile_broken(tarn_program *p)
{
	for (size_t i = 0; i < p->model->main->node.len; i++) {
		tarn_node *n = p->model->main->node.at[i];
		if (strcmp(n->name, "broken") || (rounded && is_output(p->model->main, n->out[0])))
			continue;
		tarn_tensor t;
		tarn_value *v;
		TRY(tarn_tensor_copy(n->in[1]->konst, &t));
		for (int64_t k = 0; k < tarn_tensor_count(&t); k++)
			((float *)t.data)[k] *= 3;
		TRY(tarn_value_const(p->model->main, NULL, &t, &v));
		tarn_tensor_fini(&t);
		n->in[1] = v;
	}
	return tarn_dev_ref.compile(p);
}

static tarn_value *product(const char *name, tarn_value *x)
{
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "MatMul"), name, 2, 1, -1, &n));
	n->in[0] = x;
	n->in[1] = weights(g, dims(2, 12, 12));
	return n->out[0];
}

/* Three products; one canary. Compiled on a device that breaks the second of them when `name` says so. */
static tarn_program *compiled(const char *name)
{
	static tarn_device_api api;
	api = tarn_dev_ref;
	api.name = "OTHER";
	api.compile = compile_broken;
	other = (tarn_device){.api = &api};
	tarn_value *x = input(g, dims(2, 1, 12));
	tarn_value *y = node(g, "Tanh", product("first", x), NULL, NULL);
	y = node(g, rounded ? "Relu" : "Tanh", product(name, y), NULL, NULL);
	if (rounded)
		y = node(g, "DequantizeLinear", node(g, "QuantizeLinear", y, scalar(g, 0.02f), NULL), scalar(g, 0.02f), NULL);
	output(g, product("last", y));
	assert_ok(tarn_graph_infer(g));
	tarn_tensor in = filled(dims(2, 1, 12));
	tarn_program *p;
	size_t kept;
	assert_ok(tarn_canary_put(model, &in, 1, &kept));
	tarn_tensor_fini(&in);
	assert_ok(tarn_program_compile(&other, model, NULL, &p));
	assert_ok(tarn_canary_check(model, p, &cpu));
	return p;
}

static void a_device_that_agrees(void **state)
{
	(void)state;
	tarn_program *p = compiled("second");
	assert_true(p->canary.samples == 1 && !p->canary.differs && p->canary.db > 80);
	assert_int_equal(tarn_program_notes(p), 0);
	tarn_program_unref(p);
}

static void the_first_layer_that_differs(void **state)
{
	(void)state;
	tarn_program *p = compiled("broken");
	assert_true(p->canary.samples == 1 && p->canary.differs && p->canary.db < TARN_CANARY_DB);
	assert_int_equal(tarn_program_notes(p), 1);
	assert_non_null(strstr(tarn_program_note_at(p, 0), "the first layer that differs is 'broken' (MatMul)"));
	assert_non_null(strstr(tarn_program_note_at(p, 0), "OTHER"));
	tarn_program_unref(p);
}

/* As INT8 kernels are: what is wrong in them is gone when their results are asked for in floats. */
static void the_layer_before_the_quantizer(void **state)
{
	rounded = true;
	the_first_layer_that_differs(state);
	rounded = false;
}

/* Samples of one row and a program of `rows` and `columns`: how many are compared. */
static int compared(int rows, int columns)
{
	tarn_program *p;
	tarn_tensor in[2] = {filled(dims(2, 1, columns)), filled(dims(2, 1, columns))};
	size_t kept;
	output(g, product("first", input(g, dims(2, rows, 12))));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_canary_put(model, in, 2, &kept));
	tarn_tensor_fini(&in[0]);
	tarn_tensor_fini(&in[1]);
	other = (tarn_device){.api = &tarn_dev_ref};
	assert_ok(tarn_program_compile(&other, model, NULL, &p));
	assert_ok(tarn_canary_check(model, p, &cpu));
	int samples = p->canary.samples;
	assert_true(tarn_program_notes(p) == 0 && !p->canary.differs);
	tarn_program_unref(p);
	return samples;
}

static void a_larger_batch_is_filled(void **state)
{
	(void)state;
	assert_int_equal(compared(5, 12), 2);
}

static void other_sizes_are_left_alone(void **state)
{
	(void)state;
	assert_int_equal(compared(4, 11), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(floats_in_steps_and_the_rest_as_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(large_samples_are_not_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(damage, setup, teardown),
		cmocka_unit_test_setup_teardown(a_device_that_agrees, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_layer_that_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(the_layer_before_the_quantizer, setup, teardown),
		cmocka_unit_test_setup_teardown(a_larger_batch_is_filled, setup, teardown),
		cmocka_unit_test_setup_teardown(other_sizes_are_left_alone, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
