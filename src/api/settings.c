/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/settings.h"

#include "api/handles.h"
#include "base/file.h"
#include "rt/settings.h"

static tarn_err read_file(const char *path, tarn_settings_file *f)
{
	tarn_file_map map;
	TRY(tarn_file_map_open(path, &map));
	tarn_err err = tarn_err_note(tarn_settings_parse((const char *)map.at, map.size, f), "in '%s'", path);
	tarn_file_map_close(&map);
	return err;
}

static tarn_err save(const char *path, const char *device, const tarn_settings *s)
{
	tarn_settings_file f = {.n = 0};
	tarn_settings_row r = {.requests = s->requests, .streams = s->streams, .workers = s->workers, .batch = s->batch};
	CHECK(*device && strlen(device) < sizeof r.device, TARN_USAGE, "'%s' is no name of a device", device);
	snprintf(r.device, sizeof r.device, "%s", device);
	if (tarn_file_exists(path))
		TRY(read_file(path, &f)); /* not to lose what it holds, nor to overwrite another kind of file */
	TRY(tarn_settings_put(&f, &r));
	tarn_str text = {0};
	tarn_settings_print(&f, &text);
	tarn_err err = tarn_str_done(&text);
	if (!err)
		err = tarn_file_write(path, text.at, text.len);
	tarn_str_fini(&text);
	return err;
}

ov_status_e tarn_save_settings(const char *path, const char *device, const tarn_settings *settings)
{
	NEED(path && device && settings);
	return tarn_status(save(path, device, settings));
}

static tarn_err load(const char *path, const char *device, tarn_settings *s)
{
	tarn_settings_file f;
	TRY(read_file(path, &f));
	const tarn_settings_row *r = tarn_settings_find(&f, device);
	if (!r) {
		tarn_str names = {0};
		for (int i = 0; i < f.n; i++)
			tarn_str_addf(&names, " %s", f.row[i].device);
		tarn_err err = tarn_err_set(TARN_NOT_FOUND, "%s has no settings for device %s, only for:%s", path, device,
					    names.at ? names.at : " none");
		tarn_str_fini(&names);
		return err;
	}
	*s = (tarn_settings){.requests = r->requests, .streams = r->streams, .workers = r->workers, .batch = r->batch};
	return TARN_OK;
}

ov_status_e tarn_load_settings(const char *path, const char *device, tarn_settings *settings)
{
	NEED(path && device && settings);
	return tarn_status(load(path, device, settings));
}

ov_status_e tarn_compile_with_settings(const ov_core_t *core, const ov_model_t *model, const char *device,
				       const tarn_settings *settings, ov_compiled_model_t **compiled_model)
{
	NEED(core && model && device && settings && compiled_model);
	char streams[16];
	snprintf(streams, sizeof streams, "%d", settings->streams);
	const char *hint = settings->requests > 1 ? "THROUGHPUT" : "LATENCY";
	if (settings->streams > 0)
		return ov_core_compile_model(core, model, device, 4, compiled_model, "PERFORMANCE_HINT", hint, "NUM_STREAMS",
					     streams);
	return ov_core_compile_model(core, model, device, 2, compiled_model, "PERFORMANCE_HINT", hint);
}
