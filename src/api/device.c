/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/device.h"

#include "api/handles.h"
#include "base/mem.h"

static tarn_err describe(tarn_device *d, tarn_device_info *info)
{
	info->hidden = d->api->hidden;
	TRY(tarn_text_out(d->api->name, &info->name));
	if (tarn_device_open(d))
		return tarn_text_out(tarn_err_text(), &info->why);
	tarn_str s = {0};
	info->simulated = tarn_device_is_simulated(d, &s);
	tarn_err err = info->simulated ? tarn_text_out(s.at, &info->mode) : TARN_OK;
	tarn_str_fini(&s);
	if (!err)
		err = tarn_device_get(d, "FULL_DEVICE_NAME", &s);
	if (!err)
		err = tarn_text_out(s.at ? s.at : d->api->name, &info->full_name);
	tarn_str_fini(&s);
	return err;
}

static tarn_err list_devices(struct ov_core *core, tarn_device_list *out)
{
	tarn_device_list list = {tarn_mem_zalloc(TARN_N_DEVICES, sizeof *list.at), 0};
	if (!list.at)
		return tarn_err_nomem(TARN_N_DEVICES * sizeof *list.at);
	tarn_err err = TARN_OK;
	for (int i = 0; i < TARN_N_DEVICES && !err; i++)
		if (core->device[i].api)
			err = describe(&core->device[i], &list.at[list.size++]);
	if (err)
		tarn_free_devices(&list);
	else
		*out = list;
	return err;
}

ov_status_e tarn_list_devices(const ov_core_t *core, tarn_device_list *devices)
{
	NEED(core && devices);
	return tarn_status(list_devices((struct ov_core *)(uintptr_t)core, devices));
}

void tarn_free_devices(tarn_device_list *devices)
{
	if (!devices)
		return;
	for (size_t i = 0; i < devices->size; i++) {
		tarn_mem_free(devices->at[i].name);
		tarn_mem_free(devices->at[i].full_name);
		tarn_mem_free(devices->at[i].why);
		tarn_mem_free(devices->at[i].mode);
	}
	tarn_mem_free(devices->at);
	*devices = (tarn_device_list){NULL, 0};
}

static tarn_err list_properties(const ov_core_t *core, const char *device, const ov_compiled_model_t *cm,
				tarn_property_list *out)
{
	const char *kind = cm ? cm->p->device->api->name : device;
	size_t n = 0;
	while (tarn_prop_at(kind, n))
		n++;
	tarn_property_list list = {tarn_mem_zalloc(n + 1, sizeof *list.at), 0};
	if (!list.at)
		return tarn_err_nomem(n * sizeof *list.at);
	ov_status_e status = OK;
	for (size_t i = 0; i < n && status == OK; i++) {
		const tarn_prop_def *row = tarn_prop_at(kind, i);
		if (!cm && row->access[0] == 'C')
			continue;
		tarn_property_info *p = &list.at[list.size++];
		*p = (tarn_property_info){
			.key = row->key, .doc = row->doc, .values = row->values, .is_mutable = tarn_prop_is_mutable(row)};
		status = cm ? ov_compiled_model_get_property(cm, row->key, &p->value)
			    : ov_core_get_property(core, device, row->key, &p->value);
	}
	if (status != OK) {
		tarn_free_properties(&list);
		return TARN_INTERNAL;
	}
	*out = list;
	return TARN_OK;
}

ov_status_e tarn_list_properties(const ov_core_t *core, const char *device, const ov_compiled_model_t *compiled_model,
				 tarn_property_list *properties)
{
	NEED(core && (device || compiled_model) && properties);
	tarn_device *d;
	bool is_auto;
	tarn_str why = {0};
	tarn_err err =
		compiled_model ? TARN_OK : tarn_devices_find((struct ov_core *)(uintptr_t)core, device, &d, &is_auto, &why);
	tarn_str_fini(&why);
	return tarn_status(err ? err : list_properties(core, device, compiled_model, properties));
}

void tarn_free_properties(tarn_property_list *properties)
{
	if (!properties)
		return;
	for (size_t i = 0; i < properties->size; i++)
		tarn_mem_free(properties->at[i].value);
	tarn_mem_free(properties->at);
	*properties = (tarn_property_list){NULL, 0};
}
