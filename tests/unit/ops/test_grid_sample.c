/* SPDX-License-Identifier: Apache-2.0 */
/* GridSample: a cubic beyond the border weighs the elements at the border by where the point is, not by where it would be held.
 */
#include "probe.h"

#include <math.h>

enum { WIDTH = 4, POINTS = 9 };

static double keys(double d)
{
	d = fabs(d);
	return d <= 1 ? 1.25 * d * d * d - 2.25 * d * d + 1 : d < 2 ? -0.75 * d * d * d + 3.75 * d * d - 6 * d + 3 : 0;
}

static void test_cubic_beyond_the_border(void **state)
{
	(void)state;
	const double v[WIDTH] = {1, -2, 5, 3};
	for (int corners = 0; corners < 2; corners++) {
		double grid[POINTS * 2] = {0}, want[POINTS];
		for (int i = 0; i < POINTS; i++) {
			grid[2 * i] = -1.5 + 0.375 * i; /* exact in float */
			double at = corners ? (grid[2 * i] + 1) / 2 * (WIDTH - 1) : ((grid[2 * i] + 1) * WIDTH - 1) / 2;
			want[i] = 0;
			for (int k = -4; k < WIDTH + 4; k++)
				want[i] += keys(k - at) * v[k < 0 ? 0 : k >= WIDTH ? WIDTH - 1 : k];
		}
		probe p = probe_open(NULL, "GridSample", 2, 1);
		probe_in(&p, 0, TARN_F32, DIMS(1, 1, 1, WIDTH), v);
		probe_in(&p, 1, TARN_F32, DIMS(1, 1, POINTS, 2), grid);
		probe_word(&p, "mode", "bicubic");
		probe_word(&p, "padding_mode", "border");
		probe_int(&p, "align_corners", corners);
		probe_gives(&p, 1e-6, POINTS, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cubic_beyond_the_border)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
