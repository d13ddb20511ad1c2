/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decoder as OpenVINO's exporters write it: its cache is a variable that begins empty, of which beam_idx takes the samples
 * before what is new is put behind; no dimension has a name. What it computes has a closed form: the largest of all so far,
 * plus where a position is.
 */
#include "unit/dyn/state_run.h"

#include "fmt/ovir/ovir.h"

enum { CHANNELS = 2 };

static void none(void *ctx, void *at, size_t n)
{
	(void)ctx, (void)at, (void)n;
}

#define D(n) "<dim>" n "</dim>"
#define PORT(id, type, d) "<port id=\"" id "\" precision=\"" type "\">" d "</port>"
#define LAYER(id, type, version, data, in, out) \
	"<layer id=\"" id "\" name=\"n" id "\" type=\"" type "\" version=\"" version "\">" data "<input>" in \
	"</input><output>" out "</output></layer>"
#define PARAMETER(id, name, shape, type, precision, d) \
	"<layer id=\"" id "\" name=\"" name "\" type=\"Parameter\" version=\"opset1\"><data shape=\"" shape \
	"\" element_type=\"" type "\"/><output>" PORT("0", precision, d) "</output></layer>"
#define CONST(id, type, shape, offset, size, out) \
	"<layer id=\"" id "\" name=\"c" id "\" type=\"Const\" version=\"opset1\"><data element_type=\"" type \
	"\" shape=\"" shape "\" offset=\"" offset "\" size=\"" size "\"/><output>" out "</output></layer>"
#define EDGE(f, fp, t, tp) "<edge from-layer=\"" f "\" from-port=\"" fp "\" to-layer=\"" t "\" to-port=\"" tp "\"/>"
#define ANY D("-1") D("-1") D("2")

/* x [?,?,2], position [?,?,1], beam_idx [?]; cache [?,?,2]; y [?,1,2] = max over all + position of the last */
static const char xml[] = "<?xml version=\"1.0\"?><net name=\"decoder\" version=\"11\"><layers>" PARAMETER(
	"0", "x", "?,?,2", "f32", "FP32",
	ANY) PARAMETER("1", "beam_idx", "?", "i32", "I32",
		       D("-1")) PARAMETER("2", "position", "?,?,1", "f32", "FP32",
					  D("-1") D("-1") D("1")) CONST("3", "f32", "", "0", "4", PORT("0", "FP32", ""))
	CONST("4", "i64", "3", "8", "24", PORT("0", "I64", D("3"))) LAYER(
		"5", "Broadcast", "opset3", "<data mode=\"numpy\"/>",
		PORT("0", "FP32", "")
			PORT("1", "I64", D("3")),
		PORT("2", "FP32",
		     D("1") D("0")
			     D("2"))) LAYER("6", "ReadValue", "opset6",
					    "<data variable_id=\"cache\" variable_type=\"f32\" variable_shape=\"?,?,2\"/>",
					    PORT("0", "FP32", D("1") D("0") D("2")), PORT("1", "FP32", ANY))
		CONST("7", "i64", "", "32", "8",
		      PORT("0",
			   "I64", "")) LAYER("8", "Gather", "opset8", "<data batch_dims=\"0\"/>",
					     PORT("0", "FP32", ANY) PORT("1", "I32", D("-1")) PORT("2", "I64", ""),
					     PORT("3", "FP32", ANY)) LAYER("9", "Concat", "opset1", "<data axis=\"1\"/>",
									   PORT("0", "FP32", ANY) PORT("1", "FP32", ANY),
									   PORT("2", "FP32", ANY))
			LAYER("10", "Assign", "opset6", "<data variable_id=\"cache\"/>", PORT("0", "FP32", ANY),
			      PORT("1", "FP32", ANY)) CONST("11", "i64", "1", "40", "8", PORT("0", "I64", D("1")))
				LAYER("12", "ReduceMax", "opset1", "<data keep_dims=\"true\"/>",
				      PORT("0", "FP32", ANY) PORT("1", "I64", D("1")), PORT("2", "FP32", D("-1") D("1") D("2")))
					LAYER("13", "Add", "opset1", "<data auto_broadcast=\"numpy\"/>",
					      PORT("0", "FP32", ANY) PORT("1", "FP32", D("-1") D("-1") D("1")),
					      PORT("2", "FP32",
						   ANY)) "<layer id=\"14\" name=\"r\" type=\"Result\" "
							 "version=\"opset1\"><input>" PORT(
								 "0", "FP32",
								 D("-1") D("1") D(
									 "2")) "</input></layer></layers><edges>" EDGE("3", "0",
														       "5", "0")
								 EDGE("4", "0", "5", "1") EDGE("5", "2", "6", "0") EDGE(
									 "6", "1", "8", "0") EDGE("1", "0", "8", "1")
									 EDGE("7", "0", "8", "2") EDGE("8", "3", "9", "0") EDGE(
										 "0", "0", "13", "0") EDGE("2", "0", "13", "1")
										 EDGE("13", "2", "9", "1") EDGE("9", "2", "10",
														"0")
											 EDGE("9", "2", "12", "0")
												 EDGE("11", "0", "12", "1")
													 EDGE("12", "2", "14",
													      "0") "</"
														   "edges>"
														   "</"
														   "net>";

static tarn_model *decoder(void)
{
	struct {
		float zero, nothing;
		int64_t shape[3], axis, one;
	} bin = {0, 0, {1, 0, 2}, 0, 1};
	tarn_model *m;
	tarn_buffer *x, *b;
	assert_ok(tarn_buffer_wrap((void *)(uintptr_t)xml, strlen(xml), none, NULL, &x));
	assert_ok(tarn_buffer_new(sizeof bin, &b));
	memcpy(b->at, &bin, sizeof bin);
	assert_ok(tarn_ovir_read_memory(x, b, &m));
	tarn_buffer_unref(x);
	tarn_buffer_unref(b);
	return m;
}

static void the_cache_is_found(void **state)
{
	(void)state;
	tarn_model *m = decoder();
	tarn_arena a = {0};
	tarn_state_pair *pair;
	int n;
	assert_ok(tarn_state_find(m, &a, &pair, &n));
	assert_int_equal(n, 1);
	assert_string_equal(pair->in, "cache");
	assert_string_equal(pair->out, "cache.next");
	tarn_arena_fini(&a);
	tarn_model_unref(m);
}

/* The largest x + position so far, in calls of one to a step of positions. */
static void runs_in_calls(const tarn_device_api *api)
{
	seed = 8;
	static const int64_t length[] = {3, 1, 4, 1, 2};
	tarn_model *m = decoder();
	tarn_sequence *s = open_on(api, m, NULL, 0, STEP);
	float most[CHANNELS] = {-INFINITY, -INFINITY};
	int64_t at = 0;
	for (int k = 0; k < 5; k++) {
		tarn_tensor x = filled(dims(3, 1, (int)length[k], CHANNELS)), where = filled(dims(3, 1, (int)length[k], 1)),
			    beam;
		const tarn_tensor *y;
		assert_ok(tarn_tensor_new(TARN_I32, 1, (const int64_t[]){1}, &beam));
		for (int64_t i = 0; i < length[k]; i++, at++) {
			((float *)where.data)[i] = (float)at / 16;
			for (int c = 0; c < CHANNELS; c++)
				most[c] = fmaxf(most[c], ((float *)x.data)[i * CHANNELS + c] + (float)at / 16);
		}
		assert_ok(tarn_sequence_set(s, "x", &x));
		assert_ok(tarn_sequence_set(s, "position", &where));
		assert_ok(tarn_sequence_set(s, "beam_idx", &beam));
		assert_ok(tarn_sequence_run(s));
		assert_ok(tarn_sequence_get(s, "n12", &y));
		for (int c = 0; c < CHANNELS; c++)
			assert_true(fabsf(((float *)y->data)[c] - most[c]) <= 1e-6f);
		tarn_tensor_fini(&x);
		tarn_tensor_fini(&where);
		tarn_tensor_fini(&beam);
	}
	close_it(s);
	tarn_model_unref(m);
}

static void the_cache_serves(void **state)
{
	(void)state;
	runs_in_calls(&tarn_dev_ref);
	runs_in_calls(&tarn_dev_cpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cache_is_found),
		cmocka_unit_test(the_cache_serves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
