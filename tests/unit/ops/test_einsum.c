/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "op_case.h"

static void einsum(const char *equation, int n_in)
{
	case_new("Einsum", n_in, 1);
	OK(tarn_attr_set_str(the.m->main, the.n, 0, equation));
}

static void values(void **state)
{
	(void)state;
	einsum("bij, bjk -> bik", 2);
	input(0, TARN_F32, 3, D(1, 2, 2), V(1, 2, 3, 4));
	input(1, TARN_F32, 3, D(1, 2, 1), V(5, 6));
	run();
	expect(0, TARN_F32, 3, D(1, 2, 1), V(17, 39), 0);
	einsum("ii", 1); /* the trace */
	input(0, TARN_I32, 2, D(3, 3), V(1, 2, 3, 4, 5, 6, 7, 8, 9));
	run();
	expect(0, TARN_I32, 0, NULL, V(15), 0);
	einsum("ba", 1); /* implicit output: alphabetical */
	input(0, TARN_F32, 2, D(2, 3), V(1, 2, 3, 4, 5, 6));
	run();
	expect(0, TARN_F32, 2, D(3, 2), V(1, 4, 2, 5, 3, 6), 0);
	einsum("...i,i->...", 2);
	input(0, TARN_F32, 3, D(2, 1, 2), V(1, 2, 3, 4));
	input(1, TARN_F32, 1, D(2), V(10, 1));
	run();
	expect(0, TARN_F32, 2, D(2, 1), V(12, 34), 0);
	case_end();
}

static void free_sizes_and_errors(void **state)
{
	(void)state;
	einsum("bhqd,bhkd->bhqk", 2);
	the.n->in[0] = graph_input(TARN_F32, "batch,8,q,64");
	the.n->in[1] = graph_input(TARN_F32, "batch,8,k,64");
	OK(tarn_graph_infer(the.m->main));
	expect_shape(the.n->out[0], "[batch,8,q,k]");
	einsum("ij,jk->ik", 2);
	the.n->in[0] = graph_input(TARN_F32, "2,3");
	the.n->in[1] = graph_input(TARN_F32, "4,2");
	expect_error(tarn_graph_infer(the.m->main), TARN_SHAPE, "sizes 3 and 4");
	einsum("i?->i", 1);
	the.n->in[0] = graph_input(TARN_F32, "2,3");
	expect_error(tarn_graph_infer(the.m->main), TARN_BAD_FILE, "'?' in an Einsum equation");
	case_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(free_sizes_and_errors)};
	return cmocka_run_group_tests_name("ops.einsum", tests, NULL, NULL);
}
