/* SPDX-License-Identifier: Apache-2.0 */
/* Instances of a program, one for each set of sizes: which are found again, which make room, and what a size by data needs. */
#include "base/pool.h"
#include "dev/cpu/cpu.h"
#include "devices/fixture.h"

enum { KEPT = 16 }; /* docs/design/004 */

static cpu_program *p;

static int setup(void **state)
{
	(void)state;
	return fixture_start(2);
}

static int teardown(void **state)
{
	tarn_cpu_program_free(p);
	return fixture_teardown(state);
}

static void compile(void)
{
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_cpu_program_new(g, NULL, NULL, &p));
}

/* f32 [n] through a Relu. */
static void vector(void)
{
	tarn_shape s = dims(1, 0);
	assert_ok(tarn_symtab_named(&model->syms, "n", &s.dim[0]));
	output(g, node(g, "Relu", input(g, s), NULL, NULL));
	compile();
}

static cpu_instance *take(int64_t n)
{
	const tarn_tensor key = {.type = TARN_F32, .rank = 1, .dim = {n}};
	cpu_instance *i = NULL;
	assert_ok(tarn_cpu_instance_find(p, NULL, &key, 1, &i));
	return i;
}

static void use(int64_t first, int64_t end)
{
	for (int64_t n = first; n < end; n++)
		tarn_cpu_instance_release(p, take(n));
}

static int kept(void)
{
	int n = 0;
	for (const cpu_instance *i = p->instances; i; i = i->next)
		n++;
	return n;
}

static bool has(int64_t n)
{
	for (const cpu_instance *i = p->instances; i; i = i->next)
		if (i->key[0].dim[0] == n)
			return true;
	return false;
}

static void sizes_in_use_are_kept(void **state)
{
	(void)state;
	vector();
	cpu_instance *first = take(1), *second = take(2);
	assert_ptr_not_equal(first, second);
	tarn_cpu_instance_release(p, second);
	assert_ptr_equal(take(2), second);
	tarn_cpu_instance_release(p, second);
	use(3, 3 + 2 * KEPT);
	assert_int_equal(kept(), KEPT);
	assert_true(has(1)); /* somebody still runs it */
	assert_false(has(2));
	tarn_cpu_instance_release(p, first);
	use(100, 100 + KEPT);
	assert_false(has(1));
}

static void the_oldest_goes_first(void **state)
{
	(void)state;
	vector();
	use(1, 1 + KEPT);
	use(2, 3);
	use(1, 2);
	use(50, 50 + KEPT - 2); /* in place of all but the two that were used again */
	assert_true(has(1) && has(2));
	use(80, 81);
	assert_true(has(1) && !has(2));
}

/* The position of the one number that is not 0 becomes a size. */
static void a_size_by_data(void **state)
{
	(void)state;
	tarn_value *at =
		node(g, "Reshape", node(g, "NonZero", input(g, dims(1, 6)), NULL, NULL), ints(g, 1, (int64_t)-1), NULL);
	output(g, node(g, "ConstantOfShape", at, NULL, NULL));
	compile();
	tarn_pool *pool;
	tarn_buffer *arena = NULL;
	assert_ok(tarn_pool_new(1, &pool));
	for (int round = 0; round < 2; round++)
		for (int k = 0; k < 6; k++) {
			float x[6] = {0};
			x[k] = 1;
			const tarn_tensor in = {.type = TARN_F32, .rank = 1, .dim = {6}, .data = x};
			const tarn_tensor *ptr = &in;
			tarn_tensor y = {0};
			assert_ok(tarn_cpu_graph_run(p, pool, &arena, &ptr, &y, NULL));
			assert_int_equal(y.rank, 1);
			assert_int_equal(y.dim[0], k);
			tarn_tensor_fini(&y);
		}
	tarn_buffer_unref(arena);
	tarn_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sizes_in_use_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_size_by_data, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
