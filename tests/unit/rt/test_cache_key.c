/* SPDX-License-Identifier: Apache-2.0 */
/* The name of a compiled model: everything that a compiler can see changes it, and nothing else does. */
#include "devices/fixture.h"

#include "rt/cache.h"
#include "rt/program.h"

enum { KEY = 33 };
static const char *device_says;

static tarn_err get(tarn_device *d, const char *key, tarn_str *value)
{
	(void)d;
	CHECK(!strcmp(key, "CACHE_KEY") && device_says, TARN_NOT_FOUND, "no such property");
	tarn_str_add(value, device_says);
	return TARN_OK;
}

/* Properties as "KEY=VALUE", in the order they were set. */
static void key_with(const char *const *props, int n, char *out)
{
	static const tarn_device_api api = {.name = "CPU", .get = get};
	tarn_device d = {.api = &api};
	tarn_program p = {.device = &d, .model = model};
	tarn_str s = {0};
	for (int i = 0; i < n; i++) {
		char key[64];
		const char *value = strchr(props[i], '=');
		snprintf(key, sizeof key, "%.*s", (int)(value - props[i]), props[i]);
		assert_ok(tarn_props_set(&p.props, key, value + 1));
	}
	assert_ok(tarn_cache_key(&p, &s));
	assert_int_equal(s.len, KEY - 1);
	memcpy(out, s.at, KEY);
	tarn_str_fini(&s);
	tarn_props_fini(&p.props);
}

static tarn_value *x;

/* Conv, a LeakyRelu, an If with a product or a sum in its first body; all that `change` names is different. */
static void build(const char *change)
{
#define CHANGED(what) (change && !strcmp(change, what))
	fixture_start(4);
	tarn_dim n, m;
	assert_ok(tarn_symtab_named(&model->syms, "n", &n));
	tarn_symtab_limit(&model->syms, n, CHANGED("least") ? 2 : 1, CHANGED("most") ? 9 : 8);
	tarn_shape s = dims(4, 0, 3, CHANGED("size") ? 9 : 8, 8);
	s.dim[0] = n;
	assert_ok(tarn_symtab_named(&model->syms, "m", &m));
	tarn_symtab_limit(&model->syms, m, CHANGED("least") ? 2 : 1, CHANGED("most") ? 9 : 8);
	s.dim[3] = CHANGED("square") ? n : m; /* sizes that are equal, or only alike */
	assert_ok(tarn_value_input(g, CHANGED("name") ? "pixels" : "x", TARN_F32, &s, &x));
	tarn_value *w = weights(g, dims(4, 4, 3, 3, 3));
	if (CHANGED("weights"))
		((float *)w->konst->data)[107] += 0.5f;
	tarn_value *y = node(g, "Conv", x, w, NULL);
	set_ints(g, y, "pads", 4, 1, 1, 1, CHANGED("list") ? 0 : 1);
	if (CHANGED("kernel_shape"))
		set_ints(g, y, "kernel_shape", 2, 2, 2);
	if (CHANGED("dilations"))
		set_ints(g, y, "dilations", 2, 2, 2);
	if (CHANGED("integer"))
		set_int(y, "auto_pad", 3);
	y = node(g, CHANGED("operator") ? "Elu" : "LeakyRelu", y, NULL, NULL);
	assert_ok(tarn_attr_set_f(y->def, 0, CHANGED("float") ? 0.3 : 0.2));
	if (CHANGED("absent"))
		y->def->attr[0] = (tarn_attr){0};
	tarn_tensor t;
	tarn_value *cond;
	assert_ok(tarn_tensor_new(TARN_BOOL, 0, NULL, &t));
	*(uint8_t *)t.data = 1;
	assert_ok(tarn_value_const(g, NULL, &t, &cond));
	tarn_tensor_fini(&t);
	tarn_node *branch = node_with(g, "If", 1, cond, y, NULL);
	branch->n_capture = 1;
	for (int b = 0; b < 2; b++) {
		tarn_graph *body;
		assert_ok(tarn_node_add_body(g, branch, &body));
		tarn_value *v = input(body, dims(1, 4));
		output(body, node(body, b || CHANGED("body") ? "Mul" : "Add", v, v, NULL));
	}
	output(g, branch->out[0]);
	if (CHANGED("outputs"))
		output(g, y);
#undef CHANGED
}

static void what_the_model_is(void **state)
{
	(void)state;
	static const char *const changes[] = {NULL,      "least",        "most",      "size",  "name",   "weights",
					      "list",    "integer",      "operator",  "float", "absent", "body",
					      "outputs", "kernel_shape", "dilations", "square"};
	enum { N = sizeof changes / sizeof *changes };
	char key[N][KEY], again[KEY];
	for (int i = 0; i < N; i++) {
		build(changes[i]);
		key_with(NULL, 0, key[i]);
		fixture_teardown(NULL);
		for (int k = 0; k < i; k++)
			if (!strcmp(key[k], key[i]))
				fail_msg("'%s' and '%s' have one key", changes[k] ? changes[k] : "nothing", changes[i]);
	}
	build(NULL);
	key_with(NULL, 0, again);
	fixture_teardown(NULL);
	assert_string_equal(again, key[0]);
}

static void what_the_device_is(void **state)
{
	(void)state;
	char plain[KEY], other[KEY];
	build(NULL);
	key_with(NULL, 0, plain);
	device_says = "driver 2";
	key_with(NULL, 0, other);
	device_says = NULL;
	assert_string_not_equal(plain, other);
	fixture_teardown(NULL);
}

static void how_it_is_compiled(void **state)
{
	(void)state;
	char plain[KEY], a[KEY], b[KEY], turned[KEY], noise[KEY];
	build(NULL);
	key_with(NULL, 0, plain);
	key_with((const char *[]){"EXECUTION_MODE_HINT=ACCURACY", "INFERENCE_NUM_THREADS=2"}, 2, a);
	key_with((const char *[]){"INFERENCE_NUM_THREADS=2", "EXECUTION_MODE_HINT=ACCURACY"}, 2, turned);
	key_with((const char *[]){"EXECUTION_MODE_HINT=PERFORMANCE", "INFERENCE_NUM_THREADS=2"}, 2, b);
	key_with((const char *[]){"LOG_LEVEL=LOG_INFO", "CACHE_DIR=elsewhere"}, 2, noise);
	assert_string_not_equal(a, plain);
	assert_string_not_equal(a, b);
	assert_string_equal(a, turned);
	assert_string_equal(noise, plain);
	fixture_teardown(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_model_is),
		cmocka_unit_test(what_the_device_is),
		cmocka_unit_test(how_it_is_compiled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
