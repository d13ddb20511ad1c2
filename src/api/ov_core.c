/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_core.h"

#include <stdarg.h>

#include "api/handles.h"
#include "api/origin.h"
#include "base/mem.h"
#include "prof/timeline.h"

/* ---- versions ---- */

static tarn_err version_out(ov_version_t *v)
{
	char *build = NULL, *text = NULL;
	TRY(tarn_text_out("2026.0.0-tarn-" TARN_VERSION, &build));
	tarn_err err = tarn_text_out("Tarn, OpenVINO's C API over its own engine", &text);
	if (err) {
		tarn_mem_free(build);
		return err;
	}
	*v = (ov_version_t){build, text};
	return TARN_OK;
}

ov_status_e ov_get_openvino_version(ov_version_t *version)
{
	NEED(version);
	return tarn_status(version_out(version));
}

void ov_version_free(ov_version_t *version)
{
	if (!version)
		return;
	ov_free(version->buildNumber);
	ov_free(version->description);
	*version = (ov_version_t){NULL, NULL};
}

/* ---- life ---- */

ov_status_e ov_core_create(ov_core_t **core)
{
	NEED(core);
	tarn_err err = tarn_timeline_from_environment();
	if (err)
		return tarn_status(err);
	ov_core_t *c = tarn_mem_zalloc(1, sizeof *c);
	if (!c)
		return tarn_status(tarn_err_nomem(sizeof *c));
	tarn_ref_init(&c->refs);
	tarn_mutex_init(&c->lock);
	tarn_devices_init(c);
	*core = c;
	return OK;
}

ov_status_e ov_core_create_with_config(const char *xml_config_file, ov_core_t **core)
{
	NEED(core);
	if (xml_config_file && *xml_config_file)
		return tarn_status(tarn_err_set(TARN_UNSUPPORTED, "devices are built in; '%s' cannot add any, give NULL",
						xml_config_file));
	return ov_core_create(core);
}

void tarn_core_unref(struct ov_core *core)
{
	if (!core || !tarn_ref_drop(&core->refs))
		return;
	for (int i = 0; i < TARN_N_DEVICES; i++)
		if (core->device[i].api)
			tarn_device_close(&core->device[i]);
	tarn_props_fini(&core->props);
	tarn_props_fini(&core->auto_props);
	tarn_mutex_fini(&core->lock);
	tarn_mem_free(core);
}

void ov_core_free(ov_core_t *core)
{
	if (!core)
		return;
	tarn_core_unref(core);
	tarn_last_error_clear();
}

void ov_shutdown(void)
{
}

ov_status_e ov_core_add_extension(const ov_core_t *core, const char *path)
{
	NEED(core && path);
	return tarn_status(tarn_err_set(TARN_UNSUPPORTED, "operators are built in; '%s' cannot add any", path));
}

/* ---- models ---- */

/* What was just read; bounded models find what they were made from. */
static tarn_err settle(tarn_err err, tarn_model **m)
{
	if (err)
		return err;
	err = tarn_origin_get(*m);
	if (err) {
		tarn_model_unref(*m);
		*m = NULL;
	}
	return err;
}

ov_status_e ov_core_read_model(const ov_core_t *core, const char *model_path, const char *bin_path, ov_model_t **model)
{
	NEED(core && model_path && model);
	tarn_model *m = NULL;
	tarn_err err = settle(tarn_model_read(model_path, bin_path, &m), &m);
	if (!err)
		err = tarn_model_handle(m, model);
	return tarn_status(err);
}

static tarn_err copy_buffer(const char *at, size_t n, tarn_buffer **b)
{
	TRY(tarn_buffer_new(n, b));
	memcpy((*b)->at, at, n);
	return TARN_OK;
}

static tarn_err read_memory(const char *text, size_t n, const ov_tensor_t *weights, ov_model_t **model)
{
	/* Programs pass XML with its terminating NUL. */
	while (n && *text == '<' && !text[n - 1])
		n--;
	tarn_buffer *main = NULL, *side = NULL;
	tarn_model *m = NULL;
	tarn_err err;
	TRY_GOTO(done, copy_buffer(text, n, &main));
	if (weights) {
		const tarn_tensor *t = &weights->box->t;
		if (t->buf && t->data == t->buf->at)
			side = tarn_buffer_ref(t->buf);
		else
			TRY_GOTO(done, tarn_buffer_wrap(t->data, tarn_tensor_bytes(t), NULL, NULL, &side));
	}
	TRY_GOTO(done, settle(tarn_model_read_buffer(main, side, &m), &m));
	err = tarn_model_handle(m, model);
done:
	tarn_buffer_unref(main);
	tarn_buffer_unref(side);
	return err;
}

ov_status_e ov_core_read_model_from_memory_buffer(const ov_core_t *core, const char *model_str, const size_t str_len,
						  const ov_tensor_t *weights, ov_model_t **model)
{
	NEED(core && model_str && model);
	return tarn_status(read_memory(model_str, str_len, weights, model));
}

/* ---- properties of calls ---- */

static tarn_err take_args(size_t n, va_list ap, tarn_props *props)
{
	for (size_t i = 0; i < n; i += 2) {
		const char *key = va_arg(ap, const char *), *value = va_arg(ap, const char *);
		CHECK(key && value, TARN_USAGE, "a property's key or value is NULL");
		TRY(tarn_props_set(props, key, value));
	}
	return TARN_OK;
}

static tarn_err take_array(size_t n, const ov_property_t *p, tarn_props *props)
{
	for (size_t i = 0; i < n; i++) {
		CHECK(p[i].key && p[i].value, TARN_USAGE, "a property's key or value is NULL");
		CHECK(strcmp(p[i].key, "CACHE_ENCRYPTION_CALLBACKS") != 0, TARN_UNSUPPORTED,
		      "stored models are not encrypted; leave CACHE_ENCRYPTION_CALLBACKS out");
		TRY(tarn_props_set(props, p[i].key, p[i].value));
	}
	return TARN_OK;
}

/* ---- compiling ---- */

static ov_status_e compile(const ov_core_t *core, const ov_model_t *model, const char *path, const char *device,
			   const tarn_props *props, ov_compiled_model_t **out)
{
	tarn_model *read = NULL;
	tarn_err err = TARN_OK;
	if (path)
		err = settle(tarn_model_read(path, NULL, &read), &read);
	if (!err)
		err = tarn_core_compile((struct ov_core *)(uintptr_t)core, read ? read : model->m, device, props, out);
	tarn_model_unref(read);
	return tarn_status(err);
}

/* The variable arguments of each entry, as properties. */
#define COMPILE_WITH_ARGS(model, path) \
	do { \
		tarn_props props = {0}; \
		va_list ap; \
		va_start(ap, compiled_model); \
		tarn_err err = take_args(property_args_size, ap, &props); \
		va_end(ap); \
		ov_status_e status = err ? tarn_status(err) : compile(core, model, path, device_name, &props, compiled_model); \
		tarn_props_fini(&props); \
		return status; \
	} while (0)
#define COMPILE_WITH_ARRAY(model, path) \
	do { \
		tarn_props props = {0}; \
		tarn_err err = take_array(num_properties, properties, &props); \
		ov_status_e status = err ? tarn_status(err) : compile(core, model, path, device_name, &props, compiled_model); \
		tarn_props_fini(&props); \
		return status; \
	} while (0)

ov_status_e ov_core_compile_model(const ov_core_t *core, const ov_model_t *model, const char *device_name,
				  const size_t property_args_size, ov_compiled_model_t **compiled_model, ...)
{
	NEED(core && model && compiled_model && property_args_size % 2 == 0);
	COMPILE_WITH_ARGS(model, NULL);
}

ov_status_e ov_core_compile_model_from_file(const ov_core_t *core, const char *model_path, const char *device_name,
					    const size_t property_args_size, ov_compiled_model_t **compiled_model, ...)
{
	NEED(core && model_path && compiled_model && property_args_size % 2 == 0);
	COMPILE_WITH_ARGS(NULL, model_path);
}

ov_status_e ov_core_compile_model_props(const ov_core_t *core, const ov_model_t *model, const char *device_name,
					const size_t num_properties, const ov_property_t *properties,
					ov_compiled_model_t **compiled_model)
{
	NEED(core && model && compiled_model && (properties || !num_properties));
	COMPILE_WITH_ARRAY(model, NULL);
}

ov_status_e ov_core_compile_model_from_file_props(const ov_core_t *core, const char *model_path, const char *device_name,
						  const size_t num_properties, const ov_property_t *properties,
						  ov_compiled_model_t **compiled_model)
{
	NEED(core && model_path && compiled_model && (properties || !num_properties));
	COMPILE_WITH_ARRAY(NULL, model_path);
}

ov_status_e ov_core_import_model(const ov_core_t *core, const char *content, const size_t content_size, const char *device_name,
				 ov_compiled_model_t **compiled_model)
{
	NEED(core && content && content_size && device_name && compiled_model);
	tarn_buffer *b = NULL;
	tarn_err err = copy_buffer(content, content_size, &b);
	if (!err)
		err = tarn_core_import((struct ov_core *)(uintptr_t)core, b, device_name, compiled_model);
	tarn_buffer_unref(b);
	return tarn_status(err);
}

/* ---- wide paths ---- */

/* UTF-8 of a path; NULL stays NULL. */
static tarn_err narrow(const wchar_t *w, tarn_str *s)
{
	for (; w && *w; w++) {
		uint32_t c = (uint32_t)*w;
		char b[4];
		size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		CHECK(c < 0x110000, TARN_USAGE, "the path has a character that is none");
		static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
		for (size_t i = n; i-- > 1; c >>= 6)
			b[i] = (char)(0x80 | (c & 0x3f));
		b[0] = (char)(lead[n] | c);
		tarn_str_add_n(s, b, n);
	}
	return tarn_str_done(s);
}

ov_status_e ov_core_create_with_config_unicode(const wchar_t *xml_config_file_ws, ov_core_t **core)
{
	tarn_str path = {0};
	tarn_err err = narrow(xml_config_file_ws, &path);
	ov_status_e status = err ? tarn_status(err) : ov_core_create_with_config(path.at, core);
	tarn_str_fini(&path);
	return status;
}

ov_status_e ov_core_read_model_unicode(const ov_core_t *core, const wchar_t *model_path, const wchar_t *bin_path,
				       ov_model_t **model)
{
	tarn_str path = {0}, bin = {0};
	tarn_err err = narrow(model_path, &path);
	if (!err)
		err = narrow(bin_path, &bin);
	ov_status_e status = err ? tarn_status(err) : ov_core_read_model(core, path.at, bin.at, model);
	tarn_str_fini(&path);
	tarn_str_fini(&bin);
	return status;
}

ov_status_e ov_core_compile_model_from_file_unicode(const ov_core_t *core, const wchar_t *model_path, const char *device_name,
						    const size_t property_args_size, ov_compiled_model_t **compiled_model, ...)
{
	NEED(core && model_path && compiled_model && property_args_size % 2 == 0);
	tarn_str path = {0};
	tarn_props props = {0};
	va_list ap;
	va_start(ap, compiled_model);
	tarn_err err = take_args(property_args_size, ap, &props);
	va_end(ap);
	if (!err)
		err = narrow(model_path, &path);
	ov_status_e status =
		err ? tarn_status(err) : compile(core, NULL, path.at ? path.at : "", device_name, &props, compiled_model);
	tarn_str_fini(&path);
	tarn_props_fini(&props);
	return status;
}

ov_status_e ov_core_compile_model_from_file_unicode_props(const ov_core_t *core, const wchar_t *model_path,
							  const char *device_name, const size_t num_properties,
							  const ov_property_t *properties, ov_compiled_model_t **compiled_model)
{
	NEED(core && model_path && compiled_model && (properties || !num_properties));
	tarn_str path = {0};
	tarn_props props = {0};
	tarn_err err = take_array(num_properties, properties, &props);
	if (!err)
		err = narrow(model_path, &path);
	ov_status_e status =
		err ? tarn_status(err) : compile(core, NULL, path.at ? path.at : "", device_name, &props, compiled_model);
	tarn_str_fini(&path);
	tarn_props_fini(&props);
	return status;
}
