/* SPDX-License-Identifier: Apache-2.0 */
/* What is read prints to a text that is read again as the same. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "rt/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static tarn_settings_file f, g;
	tarn_str text = {0};
	if (tarn_settings_parse((const char *)data, size, &f) != TARN_OK)
		return 0;
	tarn_settings_print(&f, &text);
	if (tarn_str_done(&text) == TARN_OK &&
	    (tarn_settings_parse(text.at, text.len, &g) != TARN_OK || memcmp(&f, &g, sizeof f) != 0))
		abort();
	tarn_str_fini(&text);
	return 0;
}
