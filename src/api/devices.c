/* SPDX-License-Identifier: Apache-2.0 */
/* The composition root: which devices there are, and how their names are understood. */
#include "api/handles.h"
#include "dev/cpu/device.h"
#include "dev/npu/device.h"
#include "dev/ref/ref.h"
#include "dyn/fix.h"

static void ref_core(void *core)
{
	tarn_ref_take(&((struct ov_core *)core)->refs);
}

static void unref_core(void *core)
{
	tarn_core_unref(core);
}

void tarn_devices_init(struct ov_core *core)
{
	const tarn_device_api *table[TARN_N_DEVICES] = {&tarn_dev_cpu, &tarn_dev_npu, &tarn_dev_ref};
	for (int i = 0; i < TARN_N_DEVICES; i++) {
		core->device[i].api = table[i];
		tarn_mutex_init(&core->device[i].lock);
		core->bucket[i] = (tarn_bucket_device){.inner = &core->device[i],
						       .bound = tarn_model_bound_sizes,
						       .owner = core,
						       .owner_ref = ref_core,
						       .owner_unref = unref_core};
		tarn_mutex_init(&core->bucketed[i].lock);
		tarn_bucket_device_init(&core->bucketed[i], &core->bucket[i]);
	}
}

tarn_device *tarn_devices_choose(struct ov_core *core, tarn_device *d, const tarn_model *m, const tarn_buffer *blob,
				 const tarn_props *props)
{
	bool bucketed = m ? tarn_bucket_wants(d, m, props) : blob && tarn_bucket_is_blob(blob);
	return bucketed ? &core->bucketed[d - core->device] : d;
}

bool tarn_device_is_simulated(tarn_device *d, tarn_str *mode)
{
	return d->api->get && !d->api->get(d, "SIMULATED", mode) && mode->at && *mode->at;
}

/* "CPU", "CPU.0": there is one of each kind. */
static tarn_device *find_exact(struct ov_core *core, const char *name, size_t n)
{
	for (int i = 0; i < TARN_N_DEVICES; i++) {
		const tarn_device_api *api = core->device[i].api;
		if (!api)
			continue;
		size_t len = strlen(api->name);
		if (n >= len && !strncmp(name, api->name, len) && (n == len || (n == len + 2 && !strncmp(name + len, ".0", 2))))
			return &core->device[i];
	}
	return NULL;
}

static tarn_err unknown(struct ov_core *core, const char *name, size_t n)
{
	tarn_str s = {0};
	for (int i = 0; i < TARN_N_DEVICES; i++)
		if (core->device[i].api)
			tarn_str_addf(&s, " %s", core->device[i].api->name);
	tarn_err err = tarn_str_done(&s);
	if (!err)
		err = tarn_err_set(TARN_DEVICE, "there is no device '%.*s'; there are%s AUTO", (int)n, name, s.at ? s.at : "");
	tarn_str_fini(&s);
	return err;
}

/* "-CPU" in the list of candidates excludes. */
static bool excluded(const char *list, const char *device)
{
	size_t len = strlen(device);
	for (const char *at = list; at && *at;) {
		size_t n = strcspn(at, ",");
		if (*at == '-' && n == len + 1 && !strncmp(at + 1, device, len))
			return true;
		at += n + (at[n] == ',');
	}
	return false;
}

static bool lists_only_exclusions(const char *list)
{
	for (const char *at = list; *at;) {
		size_t n = strcspn(at, ",");
		if (*at != '-')
			return false;
		at += n + (at[n] == ',');
	}
	return true;
}

/* Opens a candidate of AUTO; when it cannot be had, says why and goes on. A simulated device never stands in for another. */
static bool candidate(tarn_device *d, tarn_str *why)
{
	if (tarn_device_open(d)) {
		tarn_str_addf(why, "AUTO left out %s: %s\n", d->api->name, tarn_err_text());
		return false;
	}
	tarn_str mode = {0};
	bool simulated = tarn_device_is_simulated(d, &mode);
	tarn_str_fini(&mode);
	if (simulated)
		tarn_str_addf(why, "AUTO left out %s: it is simulated; name it with -d to use it\n", d->api->name);
	return !simulated;
}

static tarn_err find_auto(struct ov_core *core, const char *list, tarn_device **d, tarn_str *why)
{
	if (!*list || lists_only_exclusions(list)) {
		tarn_device *cpu = find_exact(core, "CPU", 3);
		CHECK(cpu && !excluded(list, "CPU"), TARN_DEVICE,
		      "AUTO has no candidate left; name the devices it may take, as in AUTO:NPU,CPU");
		*d = cpu;
		return tarn_device_open(cpu);
	}
	for (const char *at = list; *at;) {
		size_t n = strcspn(at, ",");
		if (*at != '-') {
			tarn_device *c = find_exact(core, at, n);
			if (!c)
				return unknown(core, at, n);
			if (!excluded(list, c->api->name) && candidate(c, why)) {
				*d = c;
				return TARN_OK;
			}
		}
		at += n + (at[n] == ',');
	}
	return tarn_err_set(TARN_DEVICE, "none of AUTO's candidates '%s' can be used; %s", list,
			    why->at ? why->at : "name others");
}

tarn_err tarn_devices_find(struct ov_core *core, const char *name, tarn_device **d, bool *is_auto, tarn_str *why)
{
	*is_auto = !name || !*name || !strcmp(name, "AUTO") || !strncmp(name, "AUTO:", 5);
	if (*is_auto) {
		const char *list = name && name[0] && name[4] == ':' ? name + 5 : "";
		if (!*list) {
			const char *set = tarn_props_find(&core->auto_props, "MULTI_DEVICE_PRIORITIES");
			list = set ? set : "";
		}
		return find_auto(core, list, d, why);
	}
	tarn_device *found = find_exact(core, name, strlen(name));
	if (!found)
		return unknown(core, name, strlen(name));
	*d = found;
	return TARN_OK;
}
