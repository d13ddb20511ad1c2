/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "op_case.h"

static const double count24[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

static void transpose_of_packed_nibbles(void **state)
{
	(void)state;
	case_new("Transpose", 1, 1);
	input(0, TARN_I4, 2, D(2, 3), V(1, 2, 3, -4, -5, -6));
	run();
	expect(0, TARN_I4, 2, D(3, 2), V(1, -4, 2, -5, 3, -6), 0);
	case_new("Transpose", 1, 1);
	attr_ints("perm", 3, D(1, 2, 0));
	input(0, TARN_F32, 3, D(2, 1, 3), count24);
	run();
	expect(0, TARN_F32, 3, D(1, 3, 2), V(0, 3, 1, 4, 2, 5), 0);
	case_new("Transpose", 1, 1);
	attr_ints("perm", 2, D(0, 0));
	input(0, TARN_F32, 2, D(1, 1), count24);
	expect_error(run_err(), TARN_SHAPE, "perm lists axis 0 twice");
	case_end();
}

static void concat_and_split(void **state)
{
	(void)state;
	case_new("Concat", 2, 1);
	attr_i("axis", -1);
	input(0, TARN_I16, 2, D(2, 1), V(1, 2));
	input(1, TARN_I16, 2, D(2, 2), V(3, 4, 5, 6));
	run();
	expect(0, TARN_I16, 2, D(2, 3), V(1, 3, 4, 2, 5, 6), 0);
	case_new("Split", 2, 3);
	attr_i("axis", 1);
	input(0, TARN_F32, 2, D(2, 4), count24);
	input(1, TARN_I64, 1, D(3), V(1, 0, 3));
	the.n->out[0] = NULL; /* nobody wants it; the others keep their place */
	run();
	expect(1, TARN_F32, 2, D(2, 0), V(0), 0);
	expect(2, TARN_F32, 2, D(2, 3), V(1, 2, 3, 5, 6, 7), 0);
	case_new("Split", 1, 2);
	attr_i("num_outputs", 2);
	input(0, TARN_F32, 1, D(5), count24);
	run();
	expect(0, TARN_F32, 1, D(3), V(0, 1, 2), 0);
	expect(1, TARN_F32, 1, D(2), V(3, 4), 0);
	case_new("Split", 1, 2);
	input(0, TARN_F32, 1, D(5), count24);
	expect_error(run_err(), TARN_SHAPE, "size 5 does not split into 2 equal parts");
	case_end();
}

static void slices(void **state)
{
	(void)state;
	case_new("Slice", 5, 1);
	input(0, TARN_F32, 2, D(3, 4), count24);
	input(1, TARN_I64, 1, D(2), V(-1, 1));
	input(2, TARN_I64, 1, D(2), V(-100, 1000));
	input(3, TARN_I64, 1, D(2), V(0, -1));
	input(4, TARN_I64, 1, D(2), V(-2, 2));
	run();
	expect(0, TARN_F32, 2, D(2, 2), V(9, 11, 1, 3), 0);
	case_new("Slice", 3, 1);
	input(0, TARN_F32, 1, D(4), count24);
	input(1, TARN_I32, 1, D(1), V(3));
	input(2, TARN_I32, 1, D(1), V(1));
	run();
	expect(0, TARN_F32, 1, D(0), V(0), 0);
	case_end();
}

static void gathers(void **state)
{
	(void)state;
	case_new("Gather", 2, 1);
	attr_i("axis", 1);
	input(0, TARN_F32, 2, D(2, 3), count24);
	input(1, TARN_I32, 2, D(1, 2), V(-1, 0));
	run();
	expect(0, TARN_F32, 3, D(2, 1, 2), V(2, 0, 5, 3), 0);
	case_new("Gather", 2, 1);
	input(0, TARN_F32, 1, D(3), count24);
	input(1, TARN_I64, 0, NULL, V(3));
	expect_error(run_err(), TARN_BAD_FILE, "index 3 out of range for size 3");
	case_new("GatherElements", 2, 1);
	attr_i("axis", 1);
	input(0, TARN_F32, 2, D(2, 2), V(1, 2, 3, 4));
	input(1, TARN_I64, 2, D(2, 2), V(0, 0, 1, 0));
	run();
	expect(0, TARN_F32, 2, D(2, 2), V(1, 1, 4, 3), 0);
	case_new("GatherND", 2, 1);
	attr_i("batch_dims", 1);
	input(0, TARN_F32, 3, D(2, 2, 2), count24);
	input(1, TARN_I64, 2, D(2, 1), V(1, 0));
	run();
	expect(0, TARN_F32, 2, D(2, 2), V(2, 3, 4, 5), 0);
	case_end();
}

static void scatters(void **state)
{
	(void)state;
	case_new("ScatterElements", 3, 1);
	attr_i("axis", 1);
	attr_word("reduction", "add");
	input(0, TARN_I32, 2, D(1, 4), V(1, 2, 3, 4));
	input(1, TARN_I64, 2, D(1, 3), V(1, 1, -1));
	input(2, TARN_I32, 2, D(1, 3), V(10, 20, 30));
	run();
	expect(0, TARN_I32, 2, D(1, 4), V(1, 32, 3, 34), 0);
	case_new("ScatterND", 3, 1);
	attr_word("reduction", "max");
	input(0, TARN_F32, 2, D(3, 2), V(1, 9, 2, 9, 3, 9));
	input(1, TARN_I64, 2, D(2, 1), V(2, 0));
	input(2, TARN_F32, 2, D(2, 2), V(5, 5, 0, 99));
	run();
	expect(0, TARN_F32, 2, D(3, 2), V(1, 99, 2, 9, 5, 9), 0);
	case_end();
}

static void pad_of(const char *mode, const double *pads, int64_t n, const double *y)
{
	case_new("Pad", 3, 1);
	attr_word("mode", mode);
	input(0, TARN_F32, 1, D(3), V(1, 2, 3));
	input(1, TARN_I64, 1, D(2), pads);
	input(2, TARN_F32, 0, NULL, V(7));
	run();
	expect(0, TARN_F32, 1, D(n), y, 0);
}

static void pads(void **state)
{
	(void)state;
	pad_of("constant", V(1, 2), 6, V(7, 1, 2, 3, 7, 7));
	pad_of("constant", V(-1, 1), 3, V(2, 3, 7));
	pad_of("reflect", V(2, 1), 6, V(3, 2, 1, 2, 3, 2));
	pad_of("edge", V(2, 1), 6, V(1, 1, 1, 2, 3, 3));
	pad_of("wrap", V(2, 1), 6, V(2, 3, 1, 2, 3, 1));
	case_end();
}

static void expand_tile_range(void **state)
{
	(void)state;
	case_new("Expand", 2, 1);
	input(0, TARN_U8, 2, D(2, 1), V(1, 2));
	input(1, TARN_I64, 1, D(3), V(2, 1, 2));
	run();
	expect(0, TARN_U8, 3, D(2, 2, 2), V(1, 1, 2, 2, 1, 1, 2, 2), 0);
	case_new("Tile", 2, 1);
	input(0, TARN_F32, 2, D(1, 2), V(1, 2));
	input(1, TARN_I64, 1, D(2), V(2, 2));
	run();
	expect(0, TARN_F32, 2, D(2, 4), V(1, 2, 1, 2, 1, 2, 1, 2), 0);
	case_new("Range", 3, 1);
	input(0, TARN_F32, 0, NULL, V(1));
	input(1, TARN_F32, 0, NULL, V(2));
	input(2, TARN_F32, 0, NULL, V(0.4));
	run();
	expect(0, TARN_F32, 1, D(3), V(1, 1.4, 1.8), 1e-6);
	case_new("Range", 3, 1);
	input(0, TARN_I64, 0, NULL, V(5));
	input(1, TARN_I64, 0, NULL, V(0));
	input(2, TARN_I64, 0, NULL, V(-2));
	run();
	expect(0, TARN_I64, 1, D(3), V(5, 3, 1), 0);
	case_end();
}

/* One pixel of four channels becomes a 2x2 block, and back. */
static void depth_and_space(void **state)
{
	(void)state;
	case_new("DepthToSpace", 1, 1);
	attr_i("blocksize", 2);
	input(0, TARN_F32, 4, D(1, 8, 1, 1), count24);
	run();
	expect(0, TARN_F32, 4, D(1, 2, 2, 2), V(0, 2, 4, 6, 1, 3, 5, 7), 0);
	case_new("DepthToSpace", 1, 1);
	attr_i("blocksize", 2);
	attr_word("mode", "CRD");
	input(0, TARN_F32, 4, D(1, 8, 1, 1), count24);
	run();
	expect(0, TARN_F32, 4, D(1, 2, 2, 2), V(0, 1, 2, 3, 4, 5, 6, 7), 0);
	case_new("SpaceToDepth", 1, 1);
	attr_i("blocksize", 2);
	input(0, TARN_F32, 4, D(1, 2, 2, 2), V(0, 2, 4, 6, 1, 3, 5, 7));
	run();
	expect(0, TARN_F32, 4, D(1, 8, 1, 1), count24, 0);
	case_end();
}

static void along_an_axis(void **state)
{
	(void)state;
	case_new("CumSum", 2, 1);
	attr_i("exclusive", 1);
	attr_i("reverse", 1);
	input(0, TARN_I32, 1, D(3), V(1, 2, 4));
	input(1, TARN_I64, 0, NULL, V(0));
	run();
	expect(0, TARN_I32, 1, D(3), V(6, 4, 0), 0);
	case_new("OneHot", 3, 1);
	input(0, TARN_I64, 1, D(3), V(0, -1, 9));
	input(1, TARN_I64, 0, NULL, V(3));
	input(2, TARN_F32, 1, D(2), V(-1, 1));
	run();
	expect(0, TARN_F32, 2, D(3, 3), V(1, -1, -1, -1, -1, 1, -1, -1, -1), 0);
	case_new("Trilu", 2, 1);
	attr_i("upper", 0);
	input(0, TARN_F32, 2, D(2, 3), V(1, 2, 3, 4, 5, 6));
	input(1, TARN_I64, 0, NULL, V(-1));
	run();
	expect(0, TARN_F32, 2, D(2, 3), V(0, 0, 0, 4, 0, 0), 0);
	case_new("ReverseSequence", 2, 1);
	input(0, TARN_F32, 2, D(3, 2), V(1, 2, 3, 4, 5, 6));
	input(1, TARN_I64, 1, D(2), V(2, 3));
	run();
	expect(0, TARN_F32, 2, D(3, 2), V(3, 6, 1, 4, 5, 2), 0);
	case_end();
}

static void sizes_from_data(void **state)
{
	(void)state;
	case_new("NonZero", 1, 1);
	input(0, TARN_F32, 2, D(2, 2), V(0, 5, NAN, 0));
	run();
	expect(0, TARN_I64, 2, D(2, 2), V(0, 1, 1, 0), 0);
	case_new("Compress", 2, 1);
	attr_i("axis", 1);
	input(0, TARN_F32, 2, D(2, 3), count24);
	input(1, TARN_BOOL, 1, D(3), V(1, 0, 1));
	run();
	expect(0, TARN_F32, 2, D(2, 2), V(0, 2, 3, 5), 0);
	case_new("Unique", 1, 4);
	attr_i("sorted", 0);
	input(0, TARN_I32, 1, D(5), V(7, 3, 7, 9, 3));
	run();
	expect(0, TARN_I32, 1, D(3), V(7, 3, 9), 0);
	expect(1, TARN_I64, 1, D(3), V(0, 1, 3), 0);
	expect(2, TARN_I64, 1, D(5), V(0, 1, 0, 2, 1), 0);
	expect(3, TARN_I64, 1, D(3), V(2, 2, 1), 0);
	case_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transpose_of_packed_nibbles),
		cmocka_unit_test(concat_and_split),
		cmocka_unit_test(slices),
		cmocka_unit_test(gathers),
		cmocka_unit_test(scatters),
		cmocka_unit_test(pads),
		cmocka_unit_test(expand_tile_range),
		cmocka_unit_test(depth_and_space),
		cmocka_unit_test(along_an_axis),
		cmocka_unit_test(sizes_from_data),
	};
	return cmocka_run_group_tests_name("ops.movement", tests, NULL, NULL);
}
