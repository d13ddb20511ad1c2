/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/ze/platform.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* From Intel's open driver and OpenVINO's plugin. */
static const tarn_ze_platform platforms[] = {
	{3720, 0x7d1d, 4096, 4096},
	{4000, 0x643e, 4096, 12288},
};

typedef struct setting {
	const char *key, *variable, *allowed;
	char value[16]; /* "" when not configured */
} setting;

static setting settings[] = {
	{"platform", "TARN_NPU_PLATFORM", "3720 or 4000", ""},
	{"mode", "TARN_NPU_MODE", "exact or paced", ""},
	{"threads", "TARN_NPU_THREADS", "0 to 256", ""},
	{"clock", "TARN_NPU_CLOCK", "10 to 100, percent of the nominal clock", ""},
	{"identity", "TARN_NPU_IDENTITY", "simulated or hardware", ""},
};
#define N_SETTINGS (sizeof settings / sizeof *settings)

const tarn_ze_platform *tarn_ze_platform_find(int number)
{
	for (size_t i = 0; i < sizeof platforms / sizeof *platforms; i++)
		if (platforms[i].number == number)
			return &platforms[i];
	return NULL;
}

static bool apply(size_t which, const char *value, tarn_ze_config *c)
{
	int64_t n;
	switch (which) {
	case 0:
		if (!tarn_str_to_i64(value, &n) || n < 0 || n > 9999 || !tarn_ze_platform_find((int)n))
			return false;
		c->platform = (int)n;
		return true;
	case 1:
		c->paced = !strcmp(value, "paced");
		return c->paced || !strcmp(value, "exact");
	case 2:
		if (!tarn_str_to_i64(value, &n) || n < 0 || n > 256)
			return false;
		c->threads = (int)n;
		return true;
	case 3:
		if (!tarn_str_to_i64(value, &n) || n < 10 || n > 100)
			return false;
		c->clock = (double)n / 100;
		return true;
	default:
		c->hardware_name = !strcmp(value, "hardware");
		return c->hardware_name || !strcmp(value, "simulated");
	}
}

tarn_err tarn_ze_configure(const char *key, const char *value)
{
	tarn_ze_config c;
	for (size_t i = 0; i < N_SETTINGS; i++) {
		if (strcmp(settings[i].key, key))
			continue;
		CHECK(strlen(value) < sizeof settings[i].value && apply(i, value, &c), TARN_USAGE,
		      "simulated NPU: %s cannot be '%s'; use %s", key, value, settings[i].allowed);
		memcpy(settings[i].value, value, strlen(value) + 1);
		return TARN_OK;
	}
	return tarn_err_set(TARN_USAGE, "simulated NPU: no setting '%s'; there are platform, mode, threads, clock, identity",
			    key);
}

tarn_err tarn_ze_config_get(tarn_ze_config *config)
{
	tarn_ze_config c = {.platform = 4000};
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const char *v = settings[i].value[0] ? settings[i].value : getenv(settings[i].variable);
		if (v && *v)
			CHECK(apply(i, v, &c), TARN_USAGE, "%s cannot be '%s'; use %s", settings[i].variable, v,
			      settings[i].allowed);
	}
	*config = c;
	return TARN_OK;
}
