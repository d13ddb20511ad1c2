/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes are an XML; the constants lie in 4 KiB of zeros. What reads is written and read again. */
#include "fuzz.h"

#include <string.h>

#include "fmt/ovir/ovir.h"

static void back(const tarn_model *m)
{
	tarn_str xml = {0}, bin = {0};
	tarn_buffer *x = NULL, *b = NULL;
	tarn_model *again = NULL;
	if (tarn_ovir_write_memory(m, &xml, &bin) == TARN_OK && tarn_buffer_wrap(xml.at, xml.len, NULL, NULL, &x) == TARN_OK &&
	    tarn_buffer_new(bin.len, &b) == TARN_OK) {
		if (bin.len)
			memcpy(b->at, bin.at, bin.len);
		if (tarn_ovir_read_memory(x, b, &again) == TARN_OK)
			tarn_model_unref(again);
	}
	tarn_buffer_unref(x);
	tarn_buffer_unref(b);
	tarn_str_fini(&xml);
	tarn_str_fini(&bin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tarn_buffer *x, *b;
	tarn_model *m;
	if (tarn_buffer_new(4096, &b) != TARN_OK)
		return 0;
	if (tarn_buffer_wrap((void *)(uintptr_t)data, size, NULL, NULL, &x) == TARN_OK) {
		if (tarn_ovir_read_memory(x, b, &m) == TARN_OK) {
			back(m);
			tarn_model_unref(m);
		}
		tarn_buffer_unref(x);
	}
	tarn_buffer_unref(b);
	return 0;
}
