/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of the core and its devices, devices there are, and how a device's properties come together for compiling. */
#include <stdarg.h>

#include "api/canaries.h"
#include "api/handles.h"
#include "base/mem.h"

static bool is_auto_name(const char *name)
{
	return !strcmp(name, "AUTO") || !strncmp(name, "AUTO:", 5);
}

static bool known_somewhere(const struct ov_core *core, const char *key)
{
	if (tarn_prop_find("", key) || tarn_prop_find("AUTO", key))
		return true;
	for (int i = 0; i < TARN_N_DEVICES; i++)
		if (core->device[i].api && tarn_prop_find(core->device[i].api->name, key))
			return true;
	return false;
}

static tarn_err set_for_all(struct ov_core *core, const char *key, const char *value)
{
	if (!known_somewhere(core, key))
		return tarn_prop_unknown("", key);
	if (tarn_prop_find("", key))
		TRY(tarn_props_check("", key, value));
	tarn_mutex_lock(&core->lock);
	tarn_err err = tarn_props_set(&core->props, key, value);
	tarn_mutex_unlock(&core->lock);
	return err;
}

static tarn_err set_property(struct ov_core *core, const char *device, const char *key, const char *value)
{
	if (!device || !*device)
		return set_for_all(core, key, value);
	if (is_auto_name(device)) {
		tarn_mutex_lock(&core->lock);
		tarn_err err = tarn_props_set(&core->auto_props, key, value);
		tarn_mutex_unlock(&core->lock);
		return err;
	}
	tarn_device *d;
	bool is_auto;
	tarn_str why = {0};
	tarn_err err = tarn_devices_find(core, device, &d, &is_auto, &why);
	tarn_str_fini(&why);
	return err ? err : tarn_device_set(d, key, value);
}

ov_status_e ov_core_set_property(const ov_core_t *core, const char *device_name, ...)
{
	NEED(core);
	va_list ap;
	va_start(ap, device_name);
	const char *key = va_arg(ap, const char *), *value = key ? va_arg(ap, const char *) : NULL;
	va_end(ap);
	NEED(key && value);
	if (!strcmp(key, "CACHE_ENCRYPTION_CALLBACKS"))
		return tarn_status(tarn_err_set(TARN_UNSUPPORTED,
						"stored models are not encrypted; leave CACHE_ENCRYPTION_CALLBACKS out"));
	return tarn_status(set_property((struct ov_core *)(uintptr_t)core, device_name, key, value));
}

ov_status_e ov_core_set_properties(const ov_core_t *core, const char *device_name, const size_t num_properties,
				   const ov_property_t *properties)
{
	NEED(core && (properties || !num_properties));
	for (size_t i = 0; i < num_properties; i++) {
		ov_status_e status = ov_core_set_property(core, device_name, properties[i].key, properties[i].value);
		if (status != OK)
			return status;
	}
	return OK;
}

/* From what was set, or the default; AUTO and the core have no values of their own. */
static tarn_err get_from(const char *device, tarn_props *props, const char *key, tarn_str *value)
{
	const tarn_prop_def *row = tarn_prop_find(device, key);
	if (!row)
		return tarn_prop_unknown(device, key);
	const char *set = tarn_props_find(props, key);
	if (set && tarn_prop_is_mutable(row))
		TRY(tarn_props_check(device, key, set));
	if (!strcmp(key, "SUPPORTED_PROPERTIES")) {
		for (size_t i = 0; (row = tarn_prop_at(device, i)); i++)
			if (row->access[0] != 'C')
				tarn_str_addf(value, "%s%s", i ? " " : "", row->key);
	} else if (!strcmp(key, "FULL_DEVICE_NAME")) {
		tarn_str_add(value, "AUTO");
	} else {
		tarn_prop_canon(row, set ? set : row->def, value);
	}
	return tarn_str_done(value);
}

static tarn_err get_property(struct ov_core *core, const char *device, const char *key, tarn_str *value)
{
	tarn_err err;
	if (!device || !*device || is_auto_name(device)) {
		bool is_auto = device && *device;
		tarn_mutex_lock(&core->lock);
		err = get_from(is_auto ? "AUTO" : "", is_auto ? &core->auto_props : &core->props, key, value);
		tarn_mutex_unlock(&core->lock);
		return err;
	}
	tarn_device *d;
	bool is_auto;
	TRY(tarn_devices_find(core, device, &d, &is_auto, value));
	/* What was set for all devices is this device's unless it has a value of its own. */
	tarn_props own = {0};
	err = tarn_device_props(d, &own);
	tarn_mutex_lock(&core->lock);
	const char *common = tarn_props_find(&core->props, key);
	const tarn_prop_def *row = tarn_prop_find(d->api->name, key);
	bool use = !err && common && row && tarn_prop_is_mutable(row) && !tarn_props_find(&own, key);
	if (use)
		tarn_prop_canon(row, common, value);
	tarn_mutex_unlock(&core->lock);
	tarn_props_fini(&own);
	if (!err && !use)
		err = tarn_device_get(d, key, value);
	return err ? err : tarn_str_done(value);
}

ov_status_e ov_core_get_property(const ov_core_t *core, const char *device_name, const char *property_key,
				 char **property_value)
{
	NEED(core && property_key && property_value);
	tarn_str s = {0};
	tarn_err err = get_property((struct ov_core *)(uintptr_t)core, device_name, property_key, &s);
	if (!err)
		err = tarn_text_out(s.at ? s.at : "", property_value);
	tarn_str_fini(&s);
	return tarn_status(err);
}

static tarn_err list_devices(struct ov_core *core, ov_available_devices_t *out)
{
	char **name = tarn_mem_zalloc(TARN_N_DEVICES, sizeof *name);
	if (!name)
		return tarn_err_nomem(TARN_N_DEVICES * sizeof *name);
	size_t n = 0;
	tarn_err err = TARN_OK;
	for (int i = 0; i < TARN_N_DEVICES && !err; i++) {
		tarn_device *d = &core->device[i];
		if (d->api && !d->api->hidden && !tarn_device_open(d)) {
			err = tarn_text_out(d->api->name, &name[n]);
			n += !err;
		}
	}
	*out = (ov_available_devices_t){name, n};
	if (err)
		ov_available_devices_free(out);
	return err;
}

ov_status_e ov_core_get_available_devices(const ov_core_t *core, ov_available_devices_t *devices)
{
	NEED(core && devices);
	return tarn_status(list_devices((struct ov_core *)(uintptr_t)core, devices));
}

void ov_available_devices_free(ov_available_devices_t *devices)
{
	if (!devices)
		return;
	for (size_t i = 0; i < devices->size; i++)
		tarn_mem_free(devices->devices[i]);
	tarn_mem_free(devices->devices);
	*devices = (ov_available_devices_t){NULL, 0};
}

static tarn_err list_versions(struct ov_core *core, const char *device, ov_core_version_list_t *out)
{
	tarn_device *d;
	bool is_auto;
	tarn_str why = {0};
	tarn_err err = tarn_devices_find(core, device, &d, &is_auto, &why);
	tarn_str_fini(&why);
	if (err)
		return tarn_err_set(TARN_NOT_FOUND, "there is no device '%s'; ask for the available ones", device);
	ov_core_version_t *v = tarn_mem_zalloc(1, sizeof *v);
	if (!v)
		return tarn_err_nomem(sizeof *v);
	char *name = NULL;
	err = tarn_text_out(device, &name);
	if (!err && ov_get_openvino_version(&v->version) != OK)
		err = TARN_NOMEM;
	v->device_name = name;
	*out = (ov_core_version_list_t){v, 1};
	if (err)
		ov_core_versions_free(out);
	return err;
}

ov_status_e ov_core_get_versions_by_device_name(const ov_core_t *core, const char *device_name,
						ov_core_version_list_t *versions)
{
	NEED(core && device_name && versions);
	return tarn_status(list_versions((struct ov_core *)(uintptr_t)core, device_name, versions));
}

void ov_core_versions_free(ov_core_version_list_t *versions)
{
	if (!versions)
		return;
	for (size_t i = 0; i < versions->size; i++) {
		ov_free(versions->versions[i].device_name);
		ov_version_free(&versions->versions[i].version);
	}
	tarn_mem_free(versions->versions);
	*versions = (ov_core_version_list_t){NULL, 0};
}

/* ---- what a model is compiled with ---- */

/* Properties set for all devices go under the device's own, which go under the call's. */
static tarn_err add_common(struct ov_core *core, tarn_device *d, tarn_props *full)
{
	tarn_props own = {0};
	tarn_err err = tarn_device_props(d, &own);
	tarn_mutex_lock(&core->lock);
	for (size_t i = 0; i < core->props.list.len && !err; i++) {
		const tarn_prop *p = &core->props.list.at[i];
		if (tarn_prop_find(d->api->name, p->key) && !tarn_props_find(&own, p->key))
			err = tarn_props_set(full, p->key, p->value);
	}
	tarn_mutex_unlock(&core->lock);
	tarn_props_fini(&own);
	return err;
}

/* AUTO takes its own keys and hands on those the device knows. */
static tarn_err add_auto(struct ov_core *core, tarn_device *d, const tarn_props *call, tarn_props *full, tarn_props *auto_props)
{
	tarn_mutex_lock(&core->lock);
	tarn_err err = tarn_props_overlay(auto_props, &core->auto_props);
	tarn_mutex_unlock(&core->lock);
	if (!err && call)
		err = tarn_props_overlay(auto_props, call);
	for (size_t i = 0; i < auto_props->list.len && !err; i++) {
		const tarn_prop *p = &auto_props->list.at[i];
		const tarn_prop_def *row = tarn_prop_find(d->api->name, p->key);
		if (!row || tarn_prop_find("AUTO", p->key))
			err = tarn_props_check("AUTO", p->key, p->value);
		if (!err && row)
			err = tarn_props_set(full, p->key, p->value);
	}
	return err;
}

static void release_core(void *core)
{
	tarn_core_unref(core);
}

static tarn_err add_notes(tarn_program *p, const char *why)
{
	for (const char *at = why; at && *at;) {
		size_t n = strcspn(at, "\n");
		TRY(tarn_program_note(p, "%.*s", (int)n, at));
		at += n + (at[n] == '\n');
	}
	return TARN_OK;
}

/* What applies to a program, from the core, the device (for one that stands in for it) and the call. */
typedef struct target {
	tarn_device *d;
	bool is_auto;
	tarn_props full, auto_props;
	tarn_str why; /* what AUTO left out */
} target;

static void target_fini(target *t)
{
	tarn_props_fini(&t->full);
	tarn_props_fini(&t->auto_props);
	tarn_str_fini(&t->why);
}

/* A stand-in has no properties of its own: the device's go under what is there. */
static tarn_err use_stand_in(target *t, tarn_device *d)
{
	tarn_props under = {0};
	tarn_err err = tarn_device_props(t->d, &under);
	if (!err)
		err = tarn_props_overlay(&under, &t->full);
	tarn_props_fini(&t->full);
	t->full = under;
	t->d = d;
	return err;
}

/* The device for a model, or for the bytes of a compiled one (the other is NULL), and everything that applies to it. */
static tarn_err resolve(struct ov_core *core, const char *device, const tarn_props *props, const tarn_model *m,
			const tarn_buffer *blob, target *t)
{
	TRY(tarn_devices_find(core, device, &t->d, &t->is_auto, &t->why));
	TRY(tarn_device_open(t->d));
	TRY(add_common(core, t->d, &t->full));
	if (t->is_auto)
		TRY(add_auto(core, t->d, props, &t->full, &t->auto_props));
	else if (props)
		TRY(tarn_props_overlay(&t->full, props));
	tarn_device *d = tarn_devices_choose(core, t->d, m, blob, &t->full);
	return d == t->d ? TARN_OK : use_stand_in(t, d);
}

tarn_err tarn_core_ask_cache(struct ov_core *core, const tarn_model *m, const char *device, const tarn_props *props,
			     const char **runs_on, tarn_cache_question *q)
{
	target t = {0};
	tarn_err err = resolve(core, device, props, m, NULL, &t);
	if (!err)
		err = tarn_cache_ask(t.d, m, &t.full, q);
	if (!err)
		*runs_on = t.d->api->name;
	target_fini(&t);
	return err;
}

tarn_err tarn_core_estimate(struct ov_core *core, const tarn_model *m, const char *device, const tarn_props *props,
			    tarn_estimate *e)
{
	target t = {0};
	tarn_err err = resolve(core, device, props, m, NULL, &t);
	if (!err)
		err = tarn_program_estimate(t.d, m, &t.full, e);
	target_fini(&t);
	return err;
}

/* Exactly one of m and blob is given. */
static tarn_err load(struct ov_core *core, const tarn_model *m, tarn_buffer *blob, const char *device, const tarn_props *props,
		     ov_compiled_model_t **out)
{
	target t = {0};
	tarn_program *p = NULL;
	tarn_err err;
	ov_compiled_model_t *cm = tarn_mem_zalloc(1, sizeof *cm);
	if (!cm)
		return tarn_err_nomem(sizeof *cm);
	TRY_GOTO(done, resolve(core, device, props, m, blob, &t));
	if (m)
		TRY_GOTO(done, tarn_program_compile(t.d, m, &t.full, &p));
	else
		TRY_GOTO(done, tarn_program_import(t.d, blob, &t.full, &p));
	TRY_GOTO(done, add_notes(p, t.why.at));
	if (m)
		TRY_GOTO(done, tarn_api_canaries(core, m, &t.full, p));
	tarn_ref_take(&core->refs);
	p->release = release_core;
	p->owner = core;
	*cm = (ov_compiled_model_t){p, t.is_auto, t.auto_props};
	t.auto_props = (tarn_props){0};
	*out = cm;
done:
	target_fini(&t);
	if (err) {
		tarn_program_unref(p);
		tarn_mem_free(cm);
	}
	return err;
}

tarn_err tarn_core_compile(struct ov_core *core, const tarn_model *m, const char *device, const tarn_props *props,
			   ov_compiled_model_t **out)
{
	return load(core, m, NULL, device, props, out);
}

tarn_err tarn_core_import(struct ov_core *core, tarn_buffer *blob, const char *device, ov_compiled_model_t **out)
{
	return load(core, NULL, blob, device, NULL, out);
}
