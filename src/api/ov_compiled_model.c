/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_compiled_model.h"

#include <stdarg.h>

#include "api/handles.h"
#include "base/file.h"
#include "base/mem.h"

#define PORT_GETTERS(what, is_output) \
	ov_status_e ov_compiled_model_##what(const ov_compiled_model_t *compiled_model, ov_output_const_port_t **port) \
	{ \
		NEED(compiled_model &&port); \
		return tarn_port_open(NULL, compiled_model->p, is_output, NULL, -1, port); \
	} \
	ov_status_e ov_compiled_model_##what##_by_index(const ov_compiled_model_t *compiled_model, const size_t index, \
							ov_output_const_port_t **port) \
	{ \
		NEED(compiled_model &&port); \
		return tarn_port_open(NULL, compiled_model->p, is_output, NULL, \
				      index < INT32_MAX ? (int64_t)index : INT32_MAX, port); \
	} \
	ov_status_e ov_compiled_model_##what##_by_name(const ov_compiled_model_t *compiled_model, const char *name, \
						       ov_output_const_port_t **port) \
	{ \
		NEED(compiled_model &&name &&port); \
		return tarn_port_open(NULL, compiled_model->p, is_output, name, -1, port); \
	} \
	ov_status_e ov_compiled_model_##what##s_size(const ov_compiled_model_t *compiled_model, size_t *size) \
	{ \
		NEED(compiled_model &&size); \
		*size = (size_t)(is_output ? compiled_model->p->n_out : compiled_model->p->n_in); \
		return OK; \
	}
PORT_GETTERS(input, false)
PORT_GETTERS(output, true)

ov_status_e ov_compiled_model_get_runtime_model(const ov_compiled_model_t *compiled_model, ov_model_t **model)
{
	NEED(compiled_model && model);
	tarn_model *copy = NULL;
	tarn_err err = tarn_model_clone(compiled_model->p->model, &copy);
	if (!err)
		err = tarn_model_handle(copy, model);
	return tarn_status(err);
}

static tarn_err set_property(const ov_compiled_model_t *cm, const char *key, const char *value)
{
	const char *device = cm->is_auto && tarn_prop_find("AUTO", key) ? "AUTO" : cm->p->device->api->name;
	TRY(tarn_props_check(device, key, value));
	return tarn_err_set(TARN_UNSUPPORTED, "%s is fixed once a model is compiled; give it to the compile call", key);
}

ov_status_e ov_compiled_model_set_property(const ov_compiled_model_t *compiled_model, ...)
{
	NEED(compiled_model);
	va_list ap;
	va_start(ap, compiled_model);
	const char *key = va_arg(ap, const char *), *value = key ? va_arg(ap, const char *) : NULL;
	va_end(ap);
	NEED(key && value);
	return tarn_status(set_property(compiled_model, key, value));
}

ov_status_e ov_compiled_model_set_properties(const ov_compiled_model_t *compiled_model, const size_t num_properties,
					     const ov_property_t *properties)
{
	NEED(compiled_model && (properties || !num_properties));
	for (size_t i = 0; i < num_properties; i++) {
		NEED(properties[i].key && properties[i].value);
		ov_status_e status = tarn_status(set_property(compiled_model, properties[i].key, properties[i].value));
		if (status != OK)
			return status;
	}
	return OK;
}

static tarn_err get_property(const ov_compiled_model_t *cm, const char *key, tarn_str *value)
{
	const char *device = cm->p->device->api->name;
	const tarn_prop_def *row = tarn_prop_find("AUTO", key);
	if (cm->is_auto && row && !tarn_prop_find(device, key)) {
		const char *set = tarn_props_find(&cm->auto_props, key);
		if (!strcmp(key, "MULTI_DEVICE_PRIORITIES") && !set)
			set = device;
		tarn_prop_canon(row, set ? set : row->def, value);
		return tarn_str_done(value);
	}
	TRY(tarn_program_get(cm->p, key, value));
	return tarn_str_done(value);
}

ov_status_e ov_compiled_model_get_property(const ov_compiled_model_t *compiled_model, const char *property_key,
					   char **property_value)
{
	NEED(compiled_model && property_key && property_value);
	tarn_str s = {0};
	tarn_err err = get_property(compiled_model, property_key, &s);
	if (!err)
		err = tarn_text_out(s.at ? s.at : "", property_value);
	tarn_str_fini(&s);
	return tarn_status(err);
}

ov_status_e ov_compiled_model_export_model(const ov_compiled_model_t *compiled_model, const char *export_model_path)
{
	NEED(compiled_model && export_model_path);
	tarn_str blob = {0};
	tarn_err err = tarn_program_export(compiled_model->p, &blob);
	if (!err)
		err = tarn_file_write(export_model_path, blob.at, blob.len);
	tarn_str_fini(&blob);
	return tarn_status(err);
}

void ov_compiled_model_free(ov_compiled_model_t *compiled_model)
{
	if (!compiled_model)
		return;
	tarn_program_unref(compiled_model->p);
	tarn_props_fini(&compiled_model->auto_props);
	tarn_mem_free(compiled_model);
}
