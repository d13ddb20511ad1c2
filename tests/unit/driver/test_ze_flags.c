/* SPDX-License-Identifier: Apache-2.0 */
/* Build flags of the driver's compiler. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

#include "driver/compile/flags.h"

static void all_parts_are_read(void **state)
{
	(void)state;
	tarn_cc_flags f;
	assert_int_equal(
		tarn_cc_flags_parse("--inputs_precisions=\"0:FP16 a:b:u8\" --inputs_layouts=\"0:NCHW 2:C\" "
				    "--outputs_precisions=\"0:FP32\" --outputs_layouts=\"0:NC\" --config PERF_COUNT=\"YES\" "
				    "NPU_TILES=\"2\" VPUX_TURBO=\"NO\" PERFORMANCE_HINT=\"THROUGHPUT\" "
				    "NPU_COMPILATION_MODE_PARAMS=\"optimization-level=2 performance-hint-override=latency\"",
				    &f),
		TARN_OK);
	assert_int_equal(f.n_inputs, 3);
	assert_int_equal(f.input[0].index, 0);
	assert_int_equal(f.input[0].precision, ZE_GRAPH_ARGUMENT_PRECISION_FP16);
	assert_int_equal(f.input[0].layout, ZE_GRAPH_ARGUMENT_LAYOUT_NCHW);
	assert_int_equal(f.input[1].index, -1);
	assert_string_equal(f.input[1].name, "a:b");
	assert_int_equal(f.input[1].precision, ZE_GRAPH_ARGUMENT_PRECISION_UINT8);
	assert_int_equal(f.input[2].layout, ZE_GRAPH_ARGUMENT_LAYOUT_C);
	assert_int_equal(f.n_outputs, 1);
	assert_int_equal(f.output[0].layout, ZE_GRAPH_ARGUMENT_LAYOUT_NC);
	assert_int_equal(f.n_config, 5);
	assert_true(f.profiling);
	assert_false(f.turbo);
	assert_int_equal(f.tiles, 2);
	assert_int_equal(f.hint, TARN_CC_THROUGHPUT);
	assert_int_equal(f.optimization_level, 2);
	assert_string_equal(tarn_cc_flags_find(&f, "NPU_TURBO"), "NO");
	assert_null(tarn_cc_flags_find(&f, "NPU_PLATFORM"));
	tarn_cc_flags_fini(&f);
}

static void every_part_is_optional(void **state)
{
	(void)state;
	static const char *const texts[] = {NULL, "", "  ", "--config", "--config ", "--outputs_layouts=\"\""};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		tarn_cc_flags f;
		assert_int_equal(tarn_cc_flags_parse(texts[i], &f), TARN_OK);
		assert_int_equal(f.n_inputs + f.n_outputs + f.n_config, 0);
		assert_int_equal(f.optimization_level, 1);
		tarn_cc_flags_fini(&f);
	}
}

static void nonsense_is_refused_by_name(void **state)
{
	(void)state;
	static const char *const row[][2] = {
		{"--config NPU_TILES=\"x\"", "NPU_TILES"},
		{"--config PERFORMANCE_HINT=\"FAST\"", "LATENCY THROUGHPUT"},
		{"--config COLOUR=\"red\"", "COLOUR"},
		{"PERF_COUNT=\"YES\"", "PERF_COUNT"}, /* before --config */
		{"--config PERF_COUNT=\"YES", "closing quote"},
		{"--config PERF_COUNT", "KEY="},
		{"--inputs_precisions=\"0\"", "'0'"},
		{"--inputs_precisions=\"0:FP17\"", "FP17"},
		{"--inputs_layouts=\"0:NXYZ\"", "NXYZ"},
		{"--weights=\"0\"", "--weights"},
		{"=", "KEY="},
	};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		tarn_cc_flags f;
		assert_int_equal(tarn_cc_flags_parse(row[i][0], &f), TARN_USAGE);
		if (!strstr(tarn_err_text(), row[i][1]))
			fail_msg("'%s': %s", row[i][0], tarn_err_text());
	}
}

static void options_know_their_values(void **state)
{
	(void)state;
	assert_true(tarn_cc_option_supported("NPU_TURBO", NULL));
	assert_true(tarn_cc_option_supported("NPU_TURBO", "YES"));
	assert_false(tarn_cc_option_supported("NPU_TURBO", "MAYBE"));
	assert_false(tarn_cc_option_supported("NPU_PLATFORM", "400"));
	assert_true(tarn_cc_option_supported("NPU_PLATFORM", "4000"));
	assert_false(tarn_cc_option_supported("NON_EXISTING", NULL));
	/* The list names every option, once. */
	char names[1024];
	strcpy(names, tarn_cc_option_names());
	int n = 0;
	for (char *save, *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save), n++)
		assert_true(tarn_cc_option_supported(name, NULL));
	assert_int_equal(n, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_parts_are_read),
		cmocka_unit_test(every_part_is_optional),
		cmocka_unit_test(nonsense_is_refused_by_name),
		cmocka_unit_test(options_know_their_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
