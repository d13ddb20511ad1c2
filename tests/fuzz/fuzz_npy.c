/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "fmt/npy/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tarn_tensor t;
	tarn_buffer *b;
	if (tarn_buffer_wrap((void *)(uintptr_t)data, size, NULL, NULL, &b) != TARN_OK)
		return 0;
	if (tarn_npy_parse_tensor(b, &t) == TARN_OK)
		tarn_tensor_fini(&t);
	tarn_buffer_unref(b);
	if (tarn_idx_parse_tensor(data, size, &t) == TARN_OK)
		tarn_tensor_fini(&t);
	if (tarn_wav_parse_tensor(data, size, &t) == TARN_OK)
		tarn_tensor_fini(&t);
	return 0;
}
