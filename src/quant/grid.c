/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/grid.h"

#include <math.h>

quant_grid tarn_quant_grid(double lo, double hi, bool symmetric)
{
	const double floor_h = 8e-4;
	if (symmetric) {
		double h = fmax(fmax(fabs(lo), fabs(hi)), floor_h);
		if (lo >= 0)
			return (quant_grid){TARN_U8, (float)(h / 255), 0};
		return (quant_grid){TARN_I8, (float)(h / 127), 0};
	}
	if (hi - lo <= floor_h) {
		lo -= floor_h;
		hi += floor_h;
	}
	double l = fmin(lo, 0), h = fmax(hi, 0), z = nearbyint(-l * 255 / (h - l));
	/* Moving one end puts zero on the grid; the choice that cuts nothing off is the wider one. */
	double h2 = z > 0 ? (z - 255) / z * l : h, l2 = z < 255 ? z / (z - 255) * h : l;
	double wide = z > 0 && z < 255 ? fmax(h2 - l, h - l2) : h - l;
	return (quant_grid){TARN_U8, (float)(wide / 255), (int)z};
}
