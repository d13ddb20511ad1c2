/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/test.h"

#include <stdlib.h>

#include "ir/shape.h"

static tarn_arena arena;
static tarn_symtab tab;

static int setup(void **state)
{
	(void)state;
	tab = (tarn_symtab){.arena = &arena};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tarn_symtab_fini(&tab);
	tarn_arena_fini(&arena);
	return 0;
}

static tarn_dim op(tarn_sym_op o, tarn_dim a, tarn_dim b)
{
	tarn_dim d = -999;
	assert_ok(tarn_dim_op(&tab, o, a, b, &d));
	return d;
}

static tarn_dim sym(const char *name)
{
	tarn_dim d;
	assert_ok(tarn_symtab_named(&tab, name, &d));
	return d;
}

static void equal_expressions_are_one_symbol(void **state)
{
	(void)state;
	tarn_dim h = sym("h"), w = sym("w");
	assert_int_equal(h, sym("h"));
	assert_int_equal(op(TARN_SYM_ADD, h, w), op(TARN_SYM_ADD, w, h));
	assert_int_equal(op(TARN_SYM_SUB, op(TARN_SYM_ADD, h, 3), 3), h);
	assert_int_equal(op(TARN_SYM_ADD, op(TARN_SYM_SUB, h, 1), 2), op(TARN_SYM_ADD, h, 1));
	assert_int_equal(op(TARN_SYM_FLOORDIV, op(TARN_SYM_MUL, op(TARN_SYM_MUL, h, w), 64), op(TARN_SYM_MUL, w, 64)), h);
	assert_int_equal(op(TARN_SYM_FLOORDIV, op(TARN_SYM_MUL, h, 12), 4), op(TARN_SYM_MUL, h, 3));
	assert_int_equal(op(TARN_SYM_MUL, op(TARN_SYM_MUL, h, 2), op(TARN_SYM_MUL, w, 3)),
			 op(TARN_SYM_MUL, op(TARN_SYM_MUL, w, 6), h));
	assert_int_equal(op(TARN_SYM_SUB, op(TARN_SYM_ADD, h, w), w), h);
	assert_int_equal(op(TARN_SYM_SUB, h, h), 0);
	assert_int_equal(op(TARN_SYM_MAX, 1, h), h);
	assert_int_equal(op(TARN_SYM_ADD, h, h), op(TARN_SYM_MUL, h, 2));
	assert_int_equal(op(TARN_SYM_SUB, h, op(TARN_SYM_SUB, h, w)), w);
	tarn_dim rest, windows = op(TARN_SYM_FLOORDIV, op(TARN_SYM_SUB, h, 8), 8);
	assert_int_not_equal(op(TARN_SYM_ADD, windows, 1), op(TARN_SYM_FLOORDIV, h, 8)); /* h may be less than 8 */
	tarn_symtab_limit(&tab, h, 8, 99);
	windows = op(TARN_SYM_ADD, op(TARN_SYM_FLOORDIV, op(TARN_SYM_SUB, h, 8), 8), 1);
	assert_int_equal(windows, op(TARN_SYM_FLOORDIV, h, 8));
	assert_int_equal(op(TARN_SYM_FLOORDIV, op(TARN_SYM_FLOORDIV, h, 2), 2), op(TARN_SYM_FLOORDIV, h, 4));
	assert_int_equal(op(TARN_SYM_MAX, 0, op(TARN_SYM_SUB, h, op(TARN_SYM_MUL, windows, 8))),
			 op(TARN_SYM_SUB, h, op(TARN_SYM_MUL, windows, 8)));
	/* Padded to a multiple of 4, cut into fours, joined again. */
	assert_true(tarn_dim_mod(&tab, h, 4, &rest));
	assert_true(tarn_dim_mod(&tab, op(TARN_SYM_SUB, 4, rest), 4, &rest));
	tarn_dim whole = op(TARN_SYM_ADD, h, rest), fours = op(TARN_SYM_FLOORDIV, op(TARN_SYM_MUL, w, whole), 4);
	assert_int_equal(whole, op(TARN_SYM_MUL, op(TARN_SYM_CEILDIV, h, 4), 4));
	assert_int_equal(op(TARN_SYM_FLOORDIV, op(TARN_SYM_MUL, fours, 4), w), whole);
}

/* Random expressions: the interned form has the value plain arithmetic gives. */
static void expressions_keep_their_value(void **state)
{
	(void)state;
	srand(7);
	int64_t value[64] = {0};
	for (int trial = 0; trial < 3000; trial++) {
		tarn_symtab_fini(&tab);
		tarn_dim d[16];
		int64_t v[16];
		for (int i = 0; i < 3; i++) {
			char name[2] = {(char)('a' + i), 0};
			d[i] = sym(name);
			v[i] = value[-d[i] - 1] = 1 + rand() % 9;
		}
		for (int i = 3; i < 16; i++) {
			tarn_sym_op o = (tarn_sym_op)(TARN_SYM_ADD + rand() % 7);
			int x = rand() % i, y = rand() % i;
			tarn_dim dy = d[y];
			int64_t vy = v[y];
			if (rand() % 2)
				dy = vy = 1 + rand() % 6;
			int64_t want = o == TARN_SYM_ADD        ? v[x] + vy
				       : o == TARN_SYM_SUB      ? v[x] - vy
				       : o == TARN_SYM_MUL      ? v[x] * vy
				       : o == TARN_SYM_FLOORDIV ? (vy ? v[x] / vy : -1)
				       : o == TARN_SYM_CEILDIV  ? (vy ? (v[x] + vy - 1) / vy : -1)
				       : o == TARN_SYM_MIN      ? (v[x] < vy ? v[x] : vy)
				       : v[x] > vy              ? v[x]
								: vy;
			tarn_dim got;
			if (want < 0 || want > 1000000 || tarn_dim_op(&tab, o, d[x], dy, &got) != TARN_OK) {
				d[i] = v[i] = 1;
				continue;
			}
			int64_t mine = tarn_dim_value(&tab, got, value, 64);
			assert_true(mine == want || mine == -1); /* -1: an intermediate value below zero */
			assert_true(tarn_dim_lo(&tab, got) <= want && tarn_dim_hi(&tab, got) >= want);
			assert_true(tarn_dim_least(&tab, got) <= want && tarn_dim_most(&tab, got) >= want);
			tarn_dim rest;
			if (mine >= 0 && tarn_dim_mod(&tab, got, 1 + trial % 7, &rest)) {
				mine = tarn_dim_value(&tab, rest, value, 64);
				assert_true(mine == want % (1 + trial % 7) || mine == -1);
			}
			d[i] = got;
			v[i] = want;
		}
	}
}

/* n + n, that and itself, and so on: 2^60 n when written out. */
static void sizes_made_of_themselves_end(void **state)
{
	(void)state;
	const tarn_sym_op ops[] = {TARN_SYM_ADD, TARN_SYM_MUL, TARN_SYM_MAX};
	for (size_t o = 0; o < sizeof ops / sizeof *ops; o++) {
		tarn_dim d = sym("n"), k = sym("k");
		tarn_str text = {0};
		for (int i = 0; i < 60; i++) {
			d = op(ops[o], d, d);
			k = op(TARN_SYM_MIN, d, op(TARN_SYM_ADD, d, k));
			d = op(TARN_SYM_MAX, d, k);
		}
		int64_t value[64] = {3, 3}, v = tarn_dim_value(&tab, d, value, 2);
		assert_true(v == -1 || v >= 3);
		tarn_dim_print(&text, &tab, d);
		assert_ok(tarn_str_done(&text));
		assert_true(text.len < 16384);
		tarn_str_fini(&text);
	}
}

static void broadcasting_follows_numpy(void **state)
{
	(void)state;
	tarn_dim n = sym("n");
	tarn_shape a = {.rank = 3, .dim = {n, 1, 5}}, b = {.rank = 2, .dim = {4, 1}}, r;
	assert_ok(tarn_shape_broadcast(&tab, &a, &b, &r));
	assert_int_equal(r.rank, 3);
	assert_int_equal(r.dim[0], n);
	assert_int_equal(r.dim[1], 4);
	assert_int_equal(r.dim[2], 5);
	b.dim[1] = 3;
	assert_err(TARN_SHAPE, tarn_shape_broadcast(&tab, &a, &b, &r));
	assert_string_equal(tarn_err_text(), "shapes [n,1,5] and [4,3] do not broadcast");
}

static void literals_stay_apart_from_symbols(void **state)
{
	(void)state;
	int64_t v;
	for (int64_t i = -5; i < 6; i++)
		assert_true(tarn_dim_is_int(tarn_dim_of_int(i), &v) && v == i);
	assert_false(tarn_dim_is_int(sym("x"), &v));
	assert_true(tarn_dim_is_int(tarn_dim_of_int(INT64_MIN), &v) && v < -TARN_DIM_MAX);
	tarn_dim d;
	assert_err(TARN_SHAPE, tarn_dim_op(&tab, TARN_SYM_ADD, tarn_dim_of_int(-1), 3, &d));
}

static void counts_have_a_limit(void **state)
{
	(void)state;
	int64_t n = -1;
	const tarn_shape most = {2, {(int64_t)1 << 24, (int64_t)1 << 24}},
			 more = {2, {(int64_t)1 << 24, ((int64_t)1 << 24) + 1}},
			 around = {3, {(int64_t)1 << 31, (int64_t)1 << 31, 4}}, none = {3, {0, (int64_t)1 << 31, 4}},
			 scalar = {0, {0}}, open = {1, {sym("n")}};
	assert_ok(tarn_shape_count(&most, &n));
	assert_int_equal(n, (int64_t)1 << 48);
	assert_err(TARN_SHAPE, tarn_shape_count(&more, &n));
	assert_err(TARN_SHAPE, tarn_shape_count(&around, &n)); /* 2^64: nothing is left of it in 64 bits */
	assert_err(TARN_SHAPE, tarn_shape_count(&open, &n));
	assert_ok(tarn_shape_count(&none, &n));
	assert_int_equal(n, 0);
	assert_ok(tarn_shape_count(&scalar, &n));
	assert_int_equal(n, 1);
}

static void shapes_print(void **state)
{
	(void)state;
	tarn_dim h = sym("h"), f;
	assert_ok(tarn_symtab_fresh(&tab, 0, 9, &f));
	tarn_shape s = {.rank = 3, .dim = {2, op(TARN_SYM_FLOORDIV, op(TARN_SYM_ADD, h, 1), 2), f}};
	tarn_str t = {0};
	tarn_shape_print(&t, &tab, &s);
	assert_string_equal(t.at, "[2,floor((h+1)/2),?]");
	tarn_str_fini(&t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(equal_expressions_are_one_symbol),
		T(expressions_keep_their_value),
		T(sizes_made_of_themselves_end),
		T(broadcasting_follows_numpy),
		T(literals_stay_apart_from_symbols),
		T(counts_have_a_limit),
		T(shapes_print),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
