/* SPDX-License-Identifier: Apache-2.0 */
/* What is lost between two models: intervals by hand from the published formula, chances by counting tosses. */
#include <math.h>

#include "unit/test.h"

#include "quant/drop.h"

/* `both` samples that both have right, so many that only one has, and the rest that none has. */
static quant_drop of(size_t both, size_t lost, size_t gained, size_t n)
{
	double a[200] = {0}, b[200] = {0};
	assert_true(n <= 200);
	for (size_t i = 0; i < both + lost; i++)
		a[i] = 1;
	for (size_t i = 0; i < both + lost + gained; i++)
		b[i] = i < both || i >= both + lost;
	return tarn_quant_drop(a, b, n);
}

static void near(double got, double want)
{
	assert_true(fabs(got - want) < 1e-6 * fmax(1, fabs(want)));
}

/* (lost - gained) / (n + 2) +- z sqrt((p + q - (p - q)^2) / (n + 2)) with p = (lost + 1) / (n + 2), q likewise. */
static void test_interval(void **state)
{
	(void)state;
	quant_drop d = of(60, 6, 2, 100);
	double p = 7.0 / 102, q = 3.0 / 102, half = 1.959963984540054 * sqrt((p + q - (p - q) * (p - q)) / 102);
	near(d.points, 4);
	near(d.low, 100 * (p - q - half));
	near(d.high, 100 * (p - q + half));
	assert_int_equal(d.lost, 6);
	assert_int_equal(d.gained, 2);
	/* 0, 1 or 2 of 8 tosses: 1 + 8 + 28 of 256, on either side */
	near(d.chance, 2 * 37.0 / 256);
}

/* Equal models on few samples are not known to be equal. */
static void test_equal(void **state)
{
	(void)state;
	quant_drop d = of(40, 0, 0, 50);
	near(d.points, 0);
	near(d.high, 100 * 1.959963984540054 * sqrt(2.0 / 52 / 52));
	near(d.low, -d.high);
	near(d.chance, 1);
	d = tarn_quant_drop(NULL, NULL, 0);
	near(d.chance, 1);
	near(d.high, 0);
}

/* Everything lost: within -100 and 100 points, and no chance. */
static void test_all_lost(void **state)
{
	(void)state;
	quant_drop d = of(0, 150, 0, 150);
	near(d.points, 100);
	assert_true(d.high <= 100 && d.low > 90);
	assert_true(d.chance < 1e-40);
}

/* Scores between 0 and 1: the same formula with their squares. */
static void test_shares(void **state)
{
	(void)state;
	const double a[] = {1, 0.5, 0.25, 1}, b[] = {0.5, 0.5, 0.75, 1};
	quant_drop d = tarn_quant_drop(a, b, 4);
	near(d.points, 0);
	near(d.high, 100 * 1.959963984540054 * sqrt((0.25 + 0.25 + 2) / 6 / 6));
	assert_int_equal(d.lost, 1);
	assert_int_equal(d.gained, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_all_lost),
		cmocka_unit_test(test_shares),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
