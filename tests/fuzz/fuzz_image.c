/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "fmt/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static float dst[3 * 5 * 7];
	tarn_image img = {0};
	for (int channels = 1; channels <= 3; channels += 2) {
		if (tarn_image_decode(data, size, channels, 0, &img) != TARN_OK)
			continue;
		const tarn_prep_target t = {.type = TARN_F32, .width = 7, .height = 5, .channels = channels};
		tarn_prep *p;
		if (tarn_prep_new(&(tarn_prep_options){0}, &t, &p) != TARN_OK)
			continue;
		if (tarn_prep_run(p, &img, dst) != TARN_OK)
			dst[0] = 0;
		tarn_prep_free(p);
	}
	tarn_image_fini(&img);
	return 0;
}
