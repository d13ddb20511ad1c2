/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "openvino/c/openvino.h"
#include "options.h"
#include "say.h"
#include "session.h"
#include "tarn/device.h"
#include "tarn/version.h"

int cmd_devices(const options *o);

/* Of a device that can be used; "" when it has no such property. */
static void property(ov_core_t *core, const char *device, const char *key, char *out, size_t size)
{
	char *v = NULL;
	*out = 0;
	if (ov_core_get_property(core, device, key, &v) == OK)
		snprintf(out, size, "%s", v);
	ov_free(v);
}

static int show_properties(ov_core_t *core, const char *device, json *j)
{
	tarn_property_list p;
	if (tarn_list_properties(core, device, NULL, &p) != OK)
		return fail_last("devices");
	if (j)
		json_begin(j, "properties", '[');
	for (size_t i = 0; i < p.size; i++) {
		if (!j) {
			printf("    %s %s : %s\n", p.at[i].is_mutable ? "Mutable:  " : "Immutable:", p.at[i].key,
			       p.at[i].value);
			continue;
		}
		json_begin(j, NULL, '{');
		json_text(j, "name", p.at[i].key);
		json_text(j, "value", p.at[i].value);
		json_bool(j, "mutable", p.at[i].is_mutable);
		json_end(j, '}');
	}
	if (j)
		json_end(j, ']');
	tarn_free_properties(&p);
	return 0;
}

static int show(ov_core_t *core, const tarn_device_info *d, bool all, json *j)
{
	char driver[128] = "", compiler[128] = "";
	if (d->full_name && !strcmp(d->name, "NPU")) {
		property(core, d->name, "NPU_DRIVER_VERSION", driver, sizeof driver);
		property(core, d->name, "NPU_COMPILER_VERSION", compiler, sizeof compiler);
	}
	if (j) {
		json_begin(j, NULL, '{');
		json_text(j, "name", d->name);
		json_text(j, "full_name", d->full_name);
		json_bool(j, "available", d->full_name != NULL);
		json_text(j, "why", d->why);
		json_bool(j, "simulated", d->simulated);
		json_text(j, "mode", d->mode);
		json_bool(j, "hidden", d->hidden);
		json_text(j, "driver_version", *driver ? driver : NULL);
		json_text(j, "compiler_version", *compiler ? compiler : NULL);
	} else if (d->full_name) {
		printf("%-5s %s%s\n", d->name, d->full_name, d->hidden ? " (only when named)" : "");
		if (*driver)
			printf("      driver %s, compiler %s\n", driver, compiler);
	} else {
		printf("%-5s absent: %s\n", d->name, d->why ? d->why : "no reason given");
	}
	int code = all && d->full_name ? show_properties(core, d->name, j) : 0;
	if (j)
		json_end(j, '}');
	return code;
}

int cmd_devices(const options *o)
{
	ov_core_t *core = NULL;
	tarn_device_list list;
	json j = {.out = stdout};
	int code = session_use_sim("devices", o);
	if (code)
		return code;
	if (ov_core_create(&core) != OK || tarn_list_devices(core, &list) != OK) {
		ov_core_free(core);
		return fail_last("devices");
	}
	if (o->json) {
		json_begin(&j, NULL, '{');
		json_text(&j, "version", tarn_version());
		json_begin(&j, "devices", '[');
	} else {
		printf("Tarn %s\n", tarn_version());
	}
	for (size_t i = 0; i < list.size && !code; i++)
		code = show(core, &list.at[i], o->all, o->json ? &j : NULL);
	if (o->json) {
		json_end(&j, ']');
		json_end(&j, '}');
	}
	tarn_free_devices(&list);
	ov_core_free(core);
	return code;
}
