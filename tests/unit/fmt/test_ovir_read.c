/* SPDX-License-Identifier: Apache-2.0 */
/* IRs spelled out here; what each layer computes is compared with numbers worked out by hand. */
#include "unit/test.h"

#include <string.h>

#include "base/mem.h"
#include "fmt/ovir/ovir.h"
#include "ops/ops.h"

static void none(void *ctx, void *at, size_t n)
{
	(void)ctx, (void)at, (void)n;
}

static tarn_err read_bytes(const char *xml, size_t n, const void *bin, size_t n_bin, tarn_model **m)
{
	tarn_buffer *x, *b = NULL;
	assert_ok(tarn_buffer_wrap((void *)(uintptr_t)xml, n, none, NULL, &x));
	if (bin) {
		assert_ok(tarn_buffer_new(n_bin, &b));
		memcpy(b->at, bin, n_bin);
	}
	tarn_err err = tarn_ovir_read_memory(x, b, m);
	tarn_buffer_unref(x);
	tarn_buffer_unref(b);
	return err;
}

static tarn_err read_text(const char *xml, const void *bin, size_t n_bin, tarn_model **m)
{
	return read_bytes(xml, strlen(xml) + 1, bin, n_bin, m); /* with its NUL, as the C API passes it */
}

#define NET(layers, edges) \
	"<?xml version=\"1.0\"?><net name=\"t\" version=\"11\"><layers>" layers "</layers><edges>" edges "</edges></net>"
#define PORT(id, dims) "<port id=\"" id "\" precision=\"FP32\">" dims "</port>"
#define D(n) "<dim>" n "</dim>"
#define PARAM(id, shape, dims) \
	"<layer id=\"" id "\" name=\"p" id "\" type=\"Parameter\" version=\"opset1\"><data shape=\"" shape \
	"\" element_type=\"f32\"/><output><port id=\"0\" precision=\"FP32\" names=\"x" id "\">" dims \
	"</port></output></layer>"
#define RESULT(id) \
	"<layer id=\"" id "\" name=\"r" id "\" type=\"Result\" version=\"opset1\"><input><port id=\"0\"/></input></layer>"
#define EDGE(f, fp, t, tp) "<edge from-layer=\"" f "\" from-port=\"" fp "\" to-layer=\"" t "\" to-port=\"" tp "\"/>"
#define CONST(id, type, shape, offset, size) \
	"<layer id=\"" id "\" name=\"c" id "\" type=\"Const\" version=\"opset1\"><data element_type=\"" type \
	"\" shape=\"" shape "\" offset=\"" offset "\" size=\"" size "\"/><output><port id=\"0\"/></output></layer>"
#define ONE(type, version, data) \
	"<layer id=\"1\" name=\"l\" type=\"" type "\" version=\"" version "\">" data \
	"<input><port id=\"0\"/></input><output><port id=\"1\"/></output></layer>"
#define TWO(type, version, data) \
	"<layer id=\"1\" name=\"l\" type=\"" type "\" version=\"" version "\">" data \
	"<input><port id=\"0\"/><port id=\"1\"/></input><output><port id=\"2\"/></output></layer>"

/* x through one layer of one input. */
#define UNARY(type, version, data) \
	NET(PARAM("0", "4", D("4")) ONE(type, version, data) RESULT("2"), EDGE("0", "0", "1", "0") EDGE("1", "1", "2", "0"))

static void check(const char *xml, const void *bin, size_t n_bin, tarn_tensor *x, const double *want, int n)
{
	tarn_model *m;
	tarn_tensor y = {0};
	const tarn_tensor *in = x;
	assert_ok(read_text(xml, bin, n_bin, &m));
	assert_ok(tarn_graph_eval(m->main, &in, &y, NULL, NULL));
	assert_int_equal(tarn_tensor_count(&y), n);
	for (int i = 0; i < n; i++)
		if (!(tarn_tensor_f64(&y, i) - want[i] < 1e-6 && want[i] - tarn_tensor_f64(&y, i) < 1e-6))
			fail_msg("element %d is %g, not %g", i, tarn_tensor_f64(&y, i), want[i]);
	tarn_tensor_fini(&y);
	tarn_model_unref(m);
}

static tarn_tensor tensor(int rank, const int64_t *dim, float *data)
{
	tarn_tensor t = {.type = TARN_F32, .rank = rank, .data = data};
	memcpy(t.dim, dim, (size_t)rank * sizeof *dim);
	return t;
}

static void attributes(void **state)
{
	(void)state;
	float data[] = {-2, -0.5f, 1, 7};
	tarn_tensor x = tensor(1, (int64_t[]){4}, data);
	check(UNARY("Clamp", "opset1", "<data min=\"-1\" max=\"6\"/>"), NULL, 0, &x, (double[]){-1, -0.5, 1, 6}, 4);
	check(UNARY("Elu", "opset1", "<data alpha=\"2\"/>"), NULL, 0, &x, (double[]){-1.7293294335, -0.7869386806, 1, 7}, 4);
	check(UNARY("HSigmoid", "opset5", ""), NULL, 0, &x, (double[]){1 / 6.0, 2.5 / 6, 4 / 6.0, 1}, 4);
	check(UNARY("HSwish", "opset4", ""), NULL, 0, &x, (double[]){-2 / 6.0, -1.25 / 6, 4 / 6.0, 7}, 4);
	check(UNARY("Round", "opset5", "<data mode=\"half_to_even\"/>"), NULL, 0, &x, (double[]){-2, 0, 1, 7}, 4);
	check(UNARY("Convert", "opset1", "<data destination_type=\"i32\"/>"), NULL, 0, &x, (double[]){-2, 0, 1, 7}, 4);
	check(UNARY("ReLU", "opset1", ""), NULL, 0, &x, (double[]){0, 0, 1, 7}, 4);
}

/* A layer with x and a constant. */
#define BINARY(shape, dims, type, version, data, ctype, cshape, size) \
	NET(PARAM("0", shape, dims) CONST("3", ctype, cshape, "0", size) TWO(type, version, data) RESULT("2"), \
	    EDGE("0", "0", "1", "0") EDGE("3", "0", "1", "1") EDGE("1", "2", "2", "0"))

static void constant_inputs(void **state)
{
	(void)state;
	float data[] = {1, 2, 3, 4, 5, 6};
	tarn_tensor x = tensor(2, (int64_t[]){2, 3}, data);
	const int64_t order[] = {1, 0};
	check(BINARY("2,3", D("2") D("3"), "Transpose", "opset1", "", "i64", "2", "16"), order, 16, &x,
	      (double[]){1, 4, 2, 5, 3, 6}, 6);
	const int64_t to[] = {0, -1, 1};
	check(BINARY("2,3", D("2") D("3"), "Reshape", "opset1", "<data special_zero=\"true\"/>", "i64", "3", "24"), to, 24, &x,
	      (double[]){1, 2, 3, 4, 5, 6}, 6);
	const float w[] = {1, 0, 0, 1, 1, 1};
	check(BINARY("2,3", D("2") D("3"), "MatMul", "opset1", "<data transpose_a=\"false\" transpose_b=\"true\"/>", "f32",
		     "2, 3", "24"),
	      w, 24, &x, (double[]){1, 6, 4, 15}, 4);
	const float by[] = {10, 20, 30};
	check(BINARY("2,3", D("2") D("3"), "Subtract", "opset1", "<data auto_broadcast=\"numpy\"/>", "f32", "3", "12"), by, 12,
	      &x, (double[]){-9, -18, -27, -6, -15, -24}, 6);
	/* One slope for each channel, on axis 1. */
	float signs[] = {-1, -2, 3, -4};
	tarn_tensor s = tensor(4, (int64_t[]){1, 2, 1, 2}, signs);
	const float slope[] = {0.5f, 0.25f};
	check(BINARY("1,2,1,2", D("1") D("2") D("1") D("2"), "PReLU", "opset1", "", "f32", "2", "8"), slope, 8, &s,
	      (double[]){-0.5, -1, 3, -1}, 4);
}

static void refuse(tarn_err code, const char *xml, const char *word)
{
	tarn_model *m;
	tarn_err err = read_text(xml, NULL, 0, &m);
	if (err != code || !strstr(tarn_err_text(), word))
		print_error("%d: %s\n", err, tarn_err_text());
	assert_int_equal(err, code);
	assert_non_null(strstr(tarn_err_text(), word));
}

static void bad_files(void **state)
{
	(void)state;
#define X2 EDGE("0", "0", "1", "0") EDGE("1", "1", "2", "0")
	refuse(TARN_UNSUPPORTED, UNARY("Wobble", "opset1", ""), "'Wobble' of opset1");
	refuse(TARN_UNSUPPORTED, UNARY("ReLU", "opset7", ""), "'ReLU' of opset7");
	refuse(TARN_BAD_FILE, UNARY("Clamp", "opset1", "<data min=\"a\" max=\"1\"/>"), "min=\"a\"");
	refuse(TARN_BAD_FILE, NET(PARAM("0", "4", D("4")) ONE("ReLU", "opset1", "") RESULT("2"), EDGE("1", "1", "2", "0")),
	       "no edge leads");
	refuse(TARN_BAD_FILE, NET(PARAM("0", "4", D("4")) RESULT("2"), EDGE("5", "0", "2", "0")), "no layer has");
	refuse(TARN_BAD_FILE, NET(PARAM("0", "4", D("4")) RESULT("2"), EDGE("0", "3", "2", "0")), "which it has not");
	refuse(TARN_BAD_FILE, NET(PARAM("0", "4", D("4")) RESULT("0"), ""), "two layers have the id 0");
	refuse(TARN_BAD_FILE, NET(ONE("ReLU", "opset1", "") RESULT("2"), EDGE("1", "1", "1", "0") EDGE("1", "1", "2", "0")),
	       "cycle");
	refuse(TARN_BAD_FILE, NET(CONST("0", "f32", "2", "0", "8") RESULT("2"), EDGE("0", "0", "2", "0")), "no .bin");
	refuse(TARN_BAD_FILE, NET(CONST("0", "f32", "2", "0", "9") RESULT("2"), EDGE("0", "0", "2", "0")), "its size is 9");
	refuse(TARN_BAD_FILE, NET(PARAM("0", "4", D("4")), ""), "no Result");
	refuse(TARN_UNSUPPORTED, "<net name=\"a\" version=\"6\"><layers/></net>", "IR version 6");
	refuse(TARN_BAD_FILE, "<net version=\"11\"><layers></net>", "line 1");
	refuse(TARN_BAD_FILE, "", "XML");
	refuse(TARN_BAD_FILE,
	       "<!DOCTYPE net [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><net name=\"&b;\" version=\"11\"><layers/></net>",
	       "document type");
	tarn_model *m;
	const char short_bin[4] = {0};
	assert_err(TARN_BAD_FILE,
		   read_text(NET(CONST("0", "f32", "2", "0", "8") RESULT("2"), EDGE("0", "0", "2", "0")), short_bin, 4, &m));
	assert_non_null(strstr(tarn_err_text(), "outside the .bin"));
	tarn_str deep = {0};
	for (int i = 0; i < 100; i++)
		tarn_str_add(&deep, "<a>");
	assert_ok(tarn_str_done(&deep));
	refuse(TARN_BAD_FILE, deep.at, "nested");
	tarn_str_fini(&deep);
}

/* A file may end anywhere. */
static void cut_off(void **state)
{
	(void)state;
	static const char xml[] = UNARY("Clamp", "opset1", "<data min=\"-1\" max=\"6\"/>");
	tarn_model *m;
	for (size_t n = 0; n < sizeof xml - 1; n++)
		assert_true(read_bytes(xml, n, NULL, 0, &m) != TARN_OK);
	assert_ok(read_bytes(xml, sizeof xml - 1, NULL, 0, &m));
	tarn_model_unref(m);
}

static void names_and_free_sizes(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(read_text(
		NET("<layer id=\"7\" name=\"p\" type=\"Parameter\" version=\"opset1\"><data shape=\"?,3,2..5\" "
		    "element_type=\"f16\"/>"
		    "<output><port id=\"0\" precision=\"FP16\" names=\"a\\,b,c\"><dim>-1</dim></port></output></layer>"
		    "<layer id=\"1\" name=\"l\" type=\"ReLU\" version=\"opset1\"><input><port id=\"0\"/></input>"
		    "<output><port id=\"1\"/></output></layer>" RESULT("2"),
		    EDGE("7", "0", "1", "0") EDGE("1", "1", "2", "0")),
		NULL, 0, &m));
	const tarn_value *x = m->main->input.at[0];
	assert_string_equal(x->name, "a,b");
	assert_string_equal(x->aliases, "c");
	assert_int_equal(x->type, TARN_F16);
	assert_int_equal(x->shape.rank, 3);
	assert_true(x->shape.dim[0] < 0 && x->shape.dim[1] == 3);
	assert_int_equal(tarn_dim_lo(&m->syms, x->shape.dim[2]), 2);
	assert_int_equal(tarn_dim_hi(&m->syms, x->shape.dim[2]), 5);
	assert_string_equal(m->main->output.at[0]->name, "l");
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes), cmocka_unit_test(constant_inputs),      cmocka_unit_test(bad_files),
		cmocka_unit_test(cut_off),    cmocka_unit_test(names_and_free_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
