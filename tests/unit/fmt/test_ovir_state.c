/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of an IR: ReadValue and Assign become an input and an output that the metadata calls a pair. */
#include "unit/test.h"

#include <stdio.h>
#include <string.h>

#include "dyn/state.h"
#include "fmt/ovir/ovir.h"

static void none(void *ctx, void *at, size_t n)
{
	(void)ctx, (void)at, (void)n;
}

#define OUT(id) "<output><port id=\"" id "\" precision=\"FP32\"><dim>2</dim></port></output>"
#define IN(id) "<input><port id=\"" id "\" precision=\"FP32\"><dim>2</dim></port></input>"
#define EDGE(f, fp, t, tp) "<edge from-layer=\"" f "\" from-port=\"" fp "\" to-layer=\"" t "\" to-port=\"" tp "\"/>"

/* A running total: sum = sum + x, beginning with two numbers of the .bin. %s: layers, edges that some tests leave out. */
static const char format[] =
	"<?xml version=\"1.0\"?><net name=\"v\" version=\"11\"><layers>"
	"<layer id=\"0\" name=\"x\" type=\"Parameter\" version=\"opset1\"><data shape=\"2\" element_type=\"f32\"/>" OUT(
		"0") "</layer>"
		     "<layer id=\"1\" name=\"begin\" type=\"Const\" version=\"opset1\"><data element_type=\"f32\" shape=\"2\" "
		     "offset=\"0\" size=\"8\"/>" OUT(
			     "0") "</layer>"
				  "<layer id=\"2\" name=\"read\" type=\"ReadValue\" version=\"opset6\"><data "
				  "variable_id=\"sum\" "
				  "variable_type=\"f32\" variable_shape=\"2\"/>" IN("0")
					  OUT("1") "</layer>"
						   "<layer id=\"3\" name=\"y\" type=\"Add\" version=\"opset1\"><input><port "
						   "id=\"0\"/><port id=\"1\"/></input>" OUT(
							   "2") "</layer>%s"
								"<layer id=\"5\" name=\"r\" type=\"Result\" "
								"version=\"opset1\"><input><port "
								"id=\"0\"/></input></layer></layers><edges>" EDGE("1", "0", "2",
														  "0")
									EDGE("0", "0", "3", "0") EDGE("2", "1", "3", "1")
										EDGE("3", "2", "5", "0") "%s"
													 "</edges></net>";
static const char assign[] =
	"<layer id=\"4\" name=\"keep\" type=\"Assign\" version=\"opset6\"><data variable_id=\"sum\"/>" IN("0")
		OUT("1") "</layer>";

static tarn_err read_it(bool assigned, float begin, tarn_model **m)
{
	char xml[4000];
	float bin[2] = {0, begin};
	tarn_buffer *x, *b;
	snprintf(xml, sizeof xml, format, assigned ? assign : "", assigned ? EDGE("3", "2", "4", "0") : "");
	assert_ok(tarn_buffer_wrap(xml, strlen(xml), none, NULL, &x));
	assert_ok(tarn_buffer_new(sizeof bin, &b));
	memcpy(b->at, bin, sizeof bin);
	tarn_err err = tarn_ovir_read_memory(x, b, m);
	tarn_buffer_unref(x);
	tarn_buffer_unref(b);
	return err;
}

static void a_variable(void **state)
{
	(void)state;
	tarn_model *m;
	tarn_arena a = {0};
	tarn_state_pair *pair;
	tarn_state st;
	bool found;
	int n;
	assert_ok(read_it(true, 0, &m));
	assert_int_equal(m->main->input.len, 2);
	assert_int_equal(m->main->output.len, 2);
	assert_ok(tarn_state_find(m, &a, &pair, &n));
	assert_int_equal(n, 1);
	assert_string_equal(pair->in, "sum");
	assert_string_equal(pair->out, "sum.next");
	tarn_arena_fini(&a);
	/* and it can be made stateful without being told */
	tarn_state_spec spec = {.step = 1};
	assert_ok(tarn_model_stateful(&m, &spec));
	assert_ok(tarn_state_get(m, &st, &found));
	assert_true(found && st.pair.len == 1 && st.pair.at[0].axis == -1);
	tarn_state_fini(&st);
	tarn_model_unref(m);
}

/* Written and read again: the pair still names an input and an output. */
static void there_and_back(void **state)
{
	(void)state;
	tarn_model *m, *again;
	tarn_str xml = {0}, bin = {0};
	tarn_buffer *x, *b;
	tarn_state_spec spec = {.step = 1};
	assert_ok(read_it(true, 0, &m));
	assert_ok(tarn_ovir_write_memory(m, &xml, &bin));
	assert_ok(tarn_buffer_wrap(xml.at, xml.len, none, NULL, &x));
	assert_ok(tarn_buffer_new(bin.len, &b));
	if (bin.len)
		memcpy(b->at, bin.at, bin.len);
	assert_ok(tarn_ovir_read_memory(x, b, &again));
	assert_ok(tarn_model_stateful(&again, &spec));
	tarn_buffer_unref(x);
	tarn_buffer_unref(b);
	tarn_str_fini(&xml);
	tarn_str_fini(&bin);
	tarn_model_unref(again);
	tarn_model_unref(m);
}

static void refusals(void **state)
{
	(void)state;
	tarn_model *m;
	assert_int_equal(read_it(true, 1, &m), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "'sum' begins with something else than zeros"));
	assert_int_equal(read_it(false, 0, &m), TARN_BAD_FILE);
	assert_non_null(strstr(tarn_err_text(), "'sum' is never assigned"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_variable),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
