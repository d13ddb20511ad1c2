/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "fmt/fmt.h"
#include "fmt/onnx/onnx.h"
#include "ir/dump.h"
#include "ops/ops.h"
#include "unit/fmt/wire_make.h"

/* ---- a model by hand ---- */

/* "N" a named dimension, "?" a free one, else a size. */
static void put_value(tarn_str *graph, unsigned field, const char *name, const char *const *dims, int n)
{
	tarn_str value = {0}, type = {0}, tensor = {0}, shape = {0};
	for (int i = 0; i < n; i++) {
		tarn_str dim = {0};
		if (dims[i][0] >= '0' && dims[i][0] <= '9')
			wire_int(&dim, 1, atoi(dims[i]));
		else if (dims[i][0] != '?')
			wire_text(&dim, 2, dims[i]);
		wire_message(&shape, 1, &dim);
	}
	wire_int(&tensor, 1, 1);
	wire_message(&tensor, 2, &shape);
	wire_message(&type, 1, &tensor);
	wire_text(&value, 1, name);
	wire_message(&value, 2, &type);
	wire_message(graph, field, &value);
}

static void put_node(tarn_str *graph, const char *op, const char *name, const char *a, const char *b, const char *out)
{
	tarn_str node = {0};
	wire_text(&node, 1, a);
	if (b)
		wire_text(&node, 1, b);
	wire_text(&node, 2, out);
	if (name)
		wire_text(&node, 3, name);
	wire_text(&node, 4, op);
	wire_message(graph, 1, &node);
}

static void put_const(tarn_str *graph, const char *name, const float *at, int n)
{
	tarn_str tensor = {0};
	wire_int(&tensor, 1, n);
	wire_int(&tensor, 2, 1);
	wire_text(&tensor, 8, name);
	wire_bytes(&tensor, 9, at, (size_t)n * 4);
	wire_message(graph, 5, &tensor);
}

static void put_model(tarn_str *model, tarn_str *graph, int opset)
{
	tarn_str import = {0};
	wire_int(model, 1, 8);
	wire_int(&import, 2, opset);
	wire_message(model, 8, &import);
	wire_message(model, 7, graph);
}

static tarn_err read_it(tarn_str *bytes, tarn_model **m)
{
	tarn_buffer *b;
	assert_int_equal(tarn_buffer_new(bytes->len, &b), TARN_OK);
	memcpy(b->at, bytes->at, bytes->len);
	tarn_err err = tarn_model_read_buffer(b, NULL, m);
	tarn_buffer_unref(b);
	tarn_str_fini(bytes);
	return err;
}

static tarn_err read_graph(tarn_str *graph, int opset, tarn_model **m)
{
	tarn_str bytes = {0};
	put_model(&bytes, graph, opset);
	return read_it(&bytes, m);
}

static const char *const n3[] = {"N", "3"};
static const char *const free3[] = {"?", "3"};
static const float one_to_three[] = {1, 2, 3};

/* y = relu(x + w), nodes in the wrong order, w also listed among the inputs as IR version 3 does. */
static void small(tarn_str *g)
{
	wire_text(g, 2, "small");
	put_node(g, "Relu", "act", "sum", NULL, "y");
	put_node(g, "Add", NULL, "x", "w", "sum");
	put_const(g, "w", one_to_three, 3);
	put_value(g, 11, "w", (const char *const[]){"3"}, 1);
	put_value(g, 11, "x", n3, 2);
	put_value(g, 12, "y", n3, 2);
}

static char *dump(const tarn_model *m)
{
	tarn_str s = {0};
	tarn_graph_dump(m->main, &s);
	assert_int_equal(tarn_str_done(&s), TARN_OK);
	return s.at;
}

/* ---- reading ---- */

static void names_constants_and_free_dimensions(void **state)
{
	(void)state;
	tarn_str g = {0};
	tarn_model *m;
	small(&g);
	assert_int_equal(read_graph(&g, 13, &m), TARN_OK);
	assert_string_equal(m->main->name, "small");
	assert_int_equal(m->main->input.len, 1);
	assert_string_equal(m->main->input.at[0]->name, "x");
	assert_int_equal(m->main->node.len, 2);
	assert_string_equal(m->main->node.at[0]->name, "sum"); /* a node without a name has its output's */
	assert_string_equal(m->main->node.at[1]->name, "act");
	tarn_dim n;
	assert_int_equal(tarn_symtab_named(&m->syms, "N", &n), TARN_OK);
	assert_true(m->main->output.at[0]->shape.dim[0] == n);
	assert_int_equal(m->main->output.at[0]->shape.dim[1], 3);
	/* relu([1, -5, 0] + [1, 2, 3]) */
	float x[] = {1, -5, 0};
	tarn_tensor in = {.type = TARN_F32, .rank = 2, .dim = {1, 3}, .data = x}, out = {0};
	const tarn_tensor *p = &in;
	assert_int_equal(tarn_graph_eval(m->main, &p, &out, NULL, NULL), TARN_OK);
	assert_true(((float *)out.data)[0] == 2 && ((float *)out.data)[1] == 0 && ((float *)out.data)[2] == 3);
	tarn_tensor_fini(&out);
	tarn_model_unref(m);

	put_node(&g, "Relu", "r", "x", NULL, "y");
	put_value(&g, 11, "x", free3, 2);
	put_value(&g, 12, "y", free3, 2);
	assert_int_equal(read_graph(&g, 13, &m), TARN_OK);
	const tarn_sym *s = tarn_sym_get(&m->syms, m->main->output.at[0]->shape.dim[0]);
	assert_string_equal(s->name, "x[0]");
	tarn_model_unref(m);
}

/* A node and another node's output may share a name: both keep it. */
static void nodes_and_values_have_names_of_their_own(void **state)
{
	(void)state;
	tarn_str g = {0};
	tarn_model *m;
	put_node(&g, "Relu", "prob", "x", NULL, "hidden");
	put_node(&g, "Neg", "prob", "hidden", NULL, "prob");
	put_value(&g, 11, "x", n3, 2);
	put_value(&g, 12, "prob", n3, 2);
	assert_int_equal(read_graph(&g, 13, &m), TARN_OK);
	assert_string_equal(m->main->output.at[0]->name, "prob");
	assert_string_equal(m->main->node.at[0]->name, "prob");
	assert_string_not_equal(m->main->node.at[1]->name, "prob");
	tarn_model_unref(m);
}

static void expect_error(tarn_str *g, int opset, tarn_err want, const char *text)
{
	tarn_model *m;
	assert_int_equal(read_graph(g, opset, &m), want);
	if (!strstr(tarn_err_text(), text))
		fail_msg("'%s' is not in '%s'", text, tarn_err_text());
}

static void what_cannot_be_read_is_named(void **state)
{
	(void)state;
	tarn_str g = {0};
	small(&g);
	expect_error(&g, 23, TARN_UNSUPPORTED, "opset 23 is not supported, newest is 21");
	small(&g);
	expect_error(&g, 6, TARN_UNSUPPORTED, "oldest is 7");
	put_node(&g, "Frobnicate", "f1", "x", NULL, "y");
	put_value(&g, 11, "x", n3, 2);
	put_value(&g, 12, "y", n3, 2);
	expect_error(&g, 13, TARN_UNSUPPORTED,
		     "operator 'Frobnicate' (domain 'ai.onnx', opset 13) is not supported; in node 'f1'");
	put_node(&g, "Relu", "r", "nowhere", NULL, "y");
	put_value(&g, 12, "y", n3, 2);
	expect_error(&g, 13, TARN_BAD_FILE, "nothing makes the value 'nowhere'");
	put_node(&g, "Relu", "a", "b", NULL, "a");
	put_node(&g, "Relu", "b", "a", NULL, "b");
	put_value(&g, 12, "b", n3, 2);
	expect_error(&g, 13, TARN_BAD_FILE, "cycle");
	put_node(&g, "Relu", "a", "x", NULL, "y");
	put_node(&g, "Relu", "b", "x", NULL, "y");
	put_value(&g, 11, "x", n3, 2);
	put_value(&g, 12, "y", n3, 2);
	expect_error(&g, 13, TARN_BAD_FILE, "made twice");
	/* alpha of LeakyRelu as an integer */
	tarn_str node = {0}, attr = {0};
	wire_text(&attr, 1, "alpha");
	wire_int(&attr, 3, 1);
	wire_int(&attr, 20, 2);
	wire_text(&node, 1, "x");
	wire_text(&node, 2, "y");
	wire_text(&node, 3, "leak");
	wire_text(&node, 4, "LeakyRelu");
	wire_message(&node, 5, &attr);
	wire_message(&g, 1, &node);
	put_value(&g, 11, "x", n3, 2);
	put_value(&g, 12, "y", n3, 2);
	expect_error(&g, 13, TARN_BAD_FILE, "attribute 'alpha' is of type int where float is expected");
	assert_non_null(strstr(tarn_err_text(), "leak"));
	/* Shapes that do not fit are told with the node. */
	put_node(&g, "Add", "sum", "x", "w", "y");
	put_const(&g, "w", one_to_three, 2);
	put_value(&g, 11, "x", n3, 2);
	put_value(&g, 12, "y", n3, 2);
	expect_error(&g, 13, TARN_SHAPE, "in node 'sum' (Add)");
	/* functions */
	tarn_str bytes = {0}, f = {0};
	tarn_model *m;
	small(&g);
	put_model(&bytes, &g, 13);
	wire_text(&f, 1, "MyGelu");
	wire_message(&bytes, 25, &f);
	assert_int_equal(read_it(&bytes, &m), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "MyGelu"));
}

/* ---- writing ---- */

static void temp_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "/tmp/tarn-test-%ld-%s", (long)getpid(), name);
}

static void write_and_read_again(void **state)
{
	(void)state;
	tarn_str g = {0}, bytes = {0}, entry = {0};
	tarn_model *m, *again;
	small(&g);
	put_model(&bytes, &g, 13);
	wire_text(&bytes, 2, "a tool");
	wire_text(&entry, 1, "author");
	wire_text(&entry, 2, "me");
	wire_message(&bytes, 14, &entry);
	assert_int_equal(read_it(&bytes, &m), TARN_OK);
	char path[128];
	temp_path(path, sizeof path, "rw.onnx");
	assert_int_equal(tarn_model_write(m, path), TARN_OK);
	assert_int_equal(tarn_model_read(path, NULL, &again), TARN_OK);
	assert_int_equal(remove(path), 0);
	char *a = dump(m), *b = dump(again);
	assert_string_equal(a, b);
	free(a);
	free(b);
	assert_int_equal(again->onnx_opset, 17);
	assert_string_equal(again->producer, "a tool");
	assert_string_equal(again->main->name, "small");
	assert_int_equal(again->meta.len, 1);
	assert_string_equal(again->meta.at[0].key, "author");
	assert_string_equal(again->meta.at[0].value, "me");
	tarn_model_unref(m);
	tarn_model_unref(again);
	assert_int_equal(tarn_model_write(NULL, "model.bmp"), TARN_UNSUPPORTED);
}

/* A list of words is kept as one text here, and is a list again in the file. */
static void words_are_written_as_a_list(void **state)
{
	(void)state;
	tarn_model *m, *again;
	tarn_node *n;
	char path[128], bytes[4096];
	temp_path(path, sizeof path, "words.onnx");
	assert_int_equal(tarn_model_new(&m), TARN_OK);
	assert_int_equal(tarn_node_new(m->main, tarn_op_find(NULL, "RNN"), "r", 3, 1, -1, &n), TARN_OK);
	for (int i = 0; i < 3; i++) {
		tarn_shape s = {.rank = 3, .dim = {2, 2, 2}};
		assert_int_equal(tarn_value_input(m->main, i ? i > 1 ? "R" : "W" : "X", TARN_F32, &s, &n->in[i]), TARN_OK);
	}
	assert_int_equal(tarn_attr_set_i(n, tarn_attr_index(n->op, "direction"), 2), TARN_OK);
	int words = tarn_attr_index(n->op, "activations");
	assert_int_equal(tarn_attr_set_str(m->main, n, words, "Relu,Tanh"), TARN_OK);
	assert_int_equal(VEC_GROW(&m->main->output), TARN_OK);
	m->main->output.at[m->main->output.len++] = n->out[0];
	assert_int_equal(tarn_graph_infer(m->main), TARN_OK);
	assert_int_equal(tarn_model_write(m, path), TARN_OK);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t size = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	assert_non_null(memmem(bytes, size, "\x4a\x04Relu\x4a\x04Tanh", 12)); /* field 9, twice */
	assert_non_null(memmem(bytes, size, "\xa0\x01\x08", 3));              /* type STRINGS */
	assert_int_equal(tarn_model_read(path, NULL, &again), TARN_OK);
	assert_string_equal(again->main->node.at[0]->attr[words].s, "Relu,Tanh");
	tarn_model_unref(again);
	tarn_model_unref(m);
	assert_int_equal(remove(path), 0);
}

/* Large weights beside the model; reading finds them, and refuses to look anywhere else. */
static void weights_in_a_file_beside(void **state)
{
	(void)state;
	enum { N = 1000 };
	static float w[N];
	for (int i = 0; i < N; i++)
		w[i] = (float)i * 0.5f;
	tarn_str g = {0};
	tarn_model *m, *again;
	const char *const dims[] = {"1000"};
	put_node(&g, "Add", "a", "x", "w", "y");
	put_const(&g, "w", w, N);
	put_value(&g, 11, "x", dims, 1);
	put_value(&g, 12, "y", dims, 1);
	assert_int_equal(read_graph(&g, 13, &m), TARN_OK);
	char path[128], side[140];
	temp_path(path, sizeof path, "big.onnx");
	snprintf(side, sizeof side, "%s.data", path);
	assert_int_equal(tarn_onnx_write_limit(m, path, 100), TARN_OK);
	tarn_file_map map;
	assert_int_equal(tarn_file_map_open(side, &map), TARN_OK);
	assert_int_equal(map.size, sizeof w);
	assert_memory_equal(map.at, w, sizeof w);
	tarn_file_map_close(&map);
	assert_int_equal(tarn_model_read(path, NULL, &again), TARN_OK);
	const tarn_value *v = tarn_graph_find(again->main, "w");
	assert_non_null(v);
	assert_memory_equal(v->konst->data, w, sizeof w);
	tarn_model_unref(again);
	/* The same model from memory has no folder. */
	assert_int_equal(tarn_file_map_open(path, &map), TARN_OK);
	tarn_str bytes = {0};
	tarn_str_add_n(&bytes, (const char *)map.at, map.size);
	tarn_file_map_close(&map);
	assert_int_equal(read_it(&bytes, &again), TARN_UNSUPPORTED);
	/* Too short a file beside. */
	assert_int_equal(tarn_file_write(side, w, 100), TARN_OK);
	assert_int_equal(tarn_model_read(path, NULL, &again), TARN_BAD_FILE);
	remove(side);
	assert_int_equal(tarn_model_read(path, NULL, &again), TARN_BAD_FILE);
	remove(path);
	tarn_model_unref(m);
}

static void files_outside_the_folder_are_refused(void **state)
{
	(void)state;
	static const char *const evil[] = {"../secret", "/etc/passwd", "a/../../b", "..", "", "a\\b"};
	char path[128];
	temp_path(path, sizeof path, "evil.onnx");
	for (size_t i = 0; i < sizeof evil / sizeof *evil; i++) {
		tarn_str g = {0}, tensor = {0}, entry = {0}, bytes = {0};
		wire_int(&tensor, 1, 1);
		wire_int(&tensor, 2, 1);
		wire_text(&tensor, 8, "w");
		wire_int(&tensor, 14, 1);
		wire_text(&entry, 1, "location");
		wire_text(&entry, 2, evil[i]);
		wire_message(&tensor, 13, &entry);
		wire_message(&g, 5, &tensor);
		put_node(&g, "Relu", "r", "w", NULL, "y");
		put_value(&g, 12, "y", (const char *const[]){"1"}, 1);
		put_model(&bytes, &g, 13);
		assert_int_equal(tarn_file_write(path, bytes.at, bytes.len), TARN_OK);
		tarn_str_fini(&bytes);
		tarn_model *m;
		assert_int_equal(tarn_model_read(path, NULL, &m), TARN_BAD_FILE);
		assert_non_null(strstr(tarn_err_text(), "not below the model's folder"));
	}
	remove(path);
}

/* ---- bodies ---- */

/* y = If(c) then x + k else -x, with x and the constant k captured. */
static void with_bodies(tarn_str *g)
{
	tarn_str node = {0}, then = {0}, other = {0}, attr = {0};
	wire_text(&then, 2, "yes");
	put_node(&then, "Add", "add", "x", "k", "t");
	put_value(&then, 12, "t", n3, 2);
	wire_text(&other, 2, "no");
	put_node(&other, "Neg", "neg", "x", NULL, "e");
	put_value(&other, 12, "e", n3, 2);
	wire_text(&node, 1, "c");
	wire_text(&node, 2, "y");
	wire_text(&node, 3, "choose");
	wire_text(&node, 4, "If");
	wire_text(&attr, 1, "else_branch");
	wire_message(&attr, 6, &other);
	wire_int(&attr, 20, 5);
	wire_message(&node, 5, &attr);
	wire_text(&attr, 1, "then_branch");
	wire_message(&attr, 6, &then);
	wire_int(&attr, 20, 5);
	wire_message(&node, 5, &attr);
	tarn_str cast = {0};
	wire_text(&cast, 1, "flag");
	wire_text(&cast, 2, "c");
	wire_text(&cast, 3, "to_bool");
	wire_text(&cast, 4, "Cast");
	wire_text(&attr, 1, "to");
	wire_int(&attr, 3, 9);
	wire_int(&attr, 20, 2);
	wire_message(&cast, 5, &attr);
	wire_message(g, 1, &cast);
	wire_message(g, 1, &node);
	put_const(g, "k", one_to_three, 3);
	put_value(g, 11, "x", n3, 2);
	put_value(g, 11, "flag", (const char *const[]){"1"}, 1);
	put_value(g, 12, "y", n3, 2);
}

static void captures_become_inputs_and_back(void **state)
{
	(void)state;
	if (!tarn_op_find("", "If"))
		skip();
	tarn_str g = {0};
	tarn_model *m, *again;
	with_bodies(&g);
	assert_int_equal(read_graph(&g, 13, &m), TARN_OK);
	const tarn_node *n = m->main->node.at[1];
	assert_string_equal(n->name, "choose");
	assert_int_equal(n->n_body, 2);
	assert_int_equal(n->n_capture, 1); /* x; k is a constant of the body */
	assert_string_equal(n->in[1]->name, "x");
	assert_string_equal(n->body[0]->node.at[0]->op->name, "Add");
	assert_int_equal(n->body[1]->input.len, 1);
	for (int flag = 0; flag < 2; flag++) {
		float x[] = {10, 20, 30}, f = (float)flag;
		tarn_tensor tx = {.type = TARN_F32, .rank = 2, .dim = {1, 3}, .data = x}, out = {0};
		tarn_tensor tf = {.type = TARN_F32, .rank = 1, .dim = {1}, .data = &f};
		const tarn_tensor *in[] = {&tx, &tf};
		assert_int_equal(tarn_graph_eval(m->main, in, &out, NULL, NULL), TARN_OK);
		assert_true(((float *)out.data)[2] == (flag ? 33 : -30));
		tarn_tensor_fini(&out);
	}
	char path[128];
	temp_path(path, sizeof path, "if.onnx");
	assert_int_equal(tarn_model_write(m, path), TARN_OK);
	assert_int_equal(tarn_model_read(path, NULL, &again), TARN_OK);
	remove(path);
	char *a = dump(m), *b = dump(again);
	assert_string_equal(a, b);
	free(a);
	free(b);
	tarn_model_unref(m);
	tarn_model_unref(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_constants_and_free_dimensions),
		cmocka_unit_test(nodes_and_values_have_names_of_their_own),
		cmocka_unit_test(what_cannot_be_read_is_named),
		cmocka_unit_test(write_and_read_again),
		cmocka_unit_test(words_are_written_as_a_list),
		cmocka_unit_test(weights_in_a_file_beside),
		cmocka_unit_test(files_outside_the_folder_are_refused),
		cmocka_unit_test(captures_become_inputs_and_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
