/* SPDX-License-Identifier: Apache-2.0 */
/* Lines "DEVICE KEY VALUE" -> property checks: what is accepted must be in the table, be stored, and read back to a value that
 * is accepted again and reads back the same. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rt/props.h"

static void check(bool fine, const char *what, const char *key, const char *value)
{
	if (fine)
		return;
	fprintf(stderr, "%s: %s = %s: %s\n", what, key, value, tarn_err_text());
	abort();
}

static void one(const char *device, const char *key, const char *value)
{
	if (tarn_props_check(device, key, value) != TARN_OK) {
		check(*tarn_err_text(), "refused without a word", key, value);
		return;
	}
	const tarn_prop_def *d = tarn_prop_find(device, key);
	check(d, "accepted but not in the table", key, value);
	tarn_props p = {0}, q = {0};
	tarn_str a = {0}, b = {0};
	tarn_prop_canon(d, value, &a);
	if (a.at) {
		check(tarn_props_check(device, key, a.at) == TARN_OK, "what reads back is refused", key, a.at);
		tarn_prop_canon(d, a.at, &b);
		check(b.at && !strcmp(a.at, b.at), "reads back in two ways", key, value);
	}
	if (tarn_props_set(&p, key, value) == TARN_OK && tarn_props_overlay(&q, &p) == TARN_OK)
		check(tarn_props_find(&q, key) && !strcmp(tarn_props_find(&q, key), value), "lost", key, value);
	(void)tarn_props_bool(&q, device, key);
	tarn_str_fini(&a);
	tarn_str_fini(&b);
	tarn_props_fini(&p);
	tarn_props_fini(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size < 4096 ? malloc(size + 1) : NULL, *line, *rest = text;
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	while ((line = strsep(&rest, "\n"))) {
		char *device = strsep(&line, " "), *key = strsep(&line, " ");
		if (key)
			one(device, key, line ? line : "");
	}
	free(text);
	return 0;
}
