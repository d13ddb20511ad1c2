/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/cache.h"

#include <time.h>

#include "api/handles.h"
#include "base/mem.h"
#include "rt/cache.h"

static double seconds_since(int64_t now_ns, int64_t then_ns)
{
	return now_ns > then_ns ? (double)(now_ns - then_ns) * 1e-9 : 0;
}

/* Texts move from the file to the entry. */
static tarn_err take_file(tarn_cache_file *f, bool driver, int64_t now, tarn_cache_entry *e)
{
	*e = (tarn_cache_entry){
		.path = f->path,
		.key = f->key,
		.model = f->model,
		.device = f->device,
		.version = f->version,
		.bytes = (int64_t)f->size,
		.age = seconds_since(now, f->written_ns),
		.idle = seconds_since(now, f->used_ns),
		.damage = f->damage,
	};
	f->path = f->key = f->model = f->device = f->version = f->damage = NULL;
	return driver && !e->device ? tarn_text_out("NPU", &e->device) : TARN_OK;
}

static tarn_err list_cache(bool driver, const char *dir, tarn_cache_list *out)
{
	tarn_cache_files files;
	TRY(tarn_cache_files_read(dir, driver, &files));
	tarn_cache_list list = {tarn_mem_zalloc(files.list.len + 1, sizeof *list.at), 0};
	tarn_err err = list.at ? TARN_OK : tarn_err_nomem(files.list.len * sizeof *list.at);
	int64_t now = (int64_t)time(NULL) * 1000000000;
	for (size_t i = 0; i < files.list.len && !err; i++)
		err = take_file(&files.list.at[i], driver, now, &list.at[list.size++]);
	tarn_cache_files_fini(&files);
	if (err)
		tarn_free_cache_list(&list);
	else
		*out = list;
	return err;
}

ov_status_e tarn_list_cache(tarn_cache_level level, const char *dir, tarn_cache_list *list)
{
	NEED(dir && list);
	return tarn_status(list_cache(level == TARN_CACHE_DRIVER, dir, list));
}

void tarn_free_cache_list(tarn_cache_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->size; i++) {
		tarn_cache_entry *e = &list->at[i];
		tarn_mem_free(e->path);
		tarn_mem_free(e->key);
		tarn_mem_free(e->model);
		tarn_mem_free(e->device);
		tarn_mem_free(e->version);
		tarn_mem_free(e->damage);
	}
	tarn_mem_free(list->at);
	*list = (tarn_cache_list){NULL, 0};
}

static tarn_err driver_cache(char **dir, int64_t *limit)
{
	tarn_str s = {0};
	uint64_t most;
	tarn_err err = tarn_cache_driver_place(&s, &most);
	if (!err)
		err = tarn_text_out(s.at ? s.at : "", dir);
	if (!err)
		*limit = (int64_t)most;
	tarn_str_fini(&s);
	return err;
}

ov_status_e tarn_get_driver_cache(char **dir, int64_t *limit)
{
	NEED(dir && limit);
	return tarn_status(driver_cache(dir, limit));
}

ov_status_e tarn_collect_cache(tarn_cache_level level, const char *dir, int64_t max_bytes, int64_t *removed, int64_t *freed)
{
	NEED(dir && removed && freed && max_bytes >= 0);
	uint64_t n = 0, bytes = 0;
	tarn_err err = tarn_cache_files_collect(dir, level == TARN_CACHE_DRIVER, (uint64_t)max_bytes, &n, &bytes);
	*removed = (int64_t)n;
	*freed = (int64_t)bytes;
	return tarn_status(err);
}

/* ---- explain ---- */

static void explain_runtime(const tarn_cache_question *q, const char *device, tarn_str *s)
{
	if (!q->stores)
		tarn_str_addf(s, "not asked: device %s stores no compiled models", device);
	else if (!q->dir.len)
		tarn_str_add(s, "off: CACHE_DIR is not set");
	else if (!q->present)
		tarn_str_addf(
			s,
			"asked, since CACHE_DIR is '%s': it has no entry for this model, device and properties, and will store "
			"one",
			q->dir.at);
	else if (!q->whole)
		tarn_str_addf(s, "asked, since CACHE_DIR is '%s': its entry is not usable (%s), and will be made again",
			      q->dir.at, q->damage.at ? q->damage.at : "damaged");
	else
		tarn_str_addf(s, "answers, since CACHE_DIR is '%s': it has the entry, and its checksum is right", q->dir.at);
}

/* True when the driver's cache is asked. */
static bool explain_driver(const tarn_cache_question *q, const char *device, const char *dir, int64_t limit, tarn_str *s)
{
	if (strcmp(device, "NPU"))
		tarn_str_addf(s, "not asked: device %s has no driver with a cache", device);
	else if (q->dir.len)
		tarn_str_add(s, "off: CACHE_DIR is set, which switches the driver's cache off");
	else if (q->bypass)
		tarn_str_add(s, "off: NPU_BYPASS_UMD_CACHING=YES turns the driver's cache OFF, so every load compiles; leave "
				"it out, or "
				"set CACHE_DIR");
	else if (!*dir)
		tarn_str_add(s, "off: ZE_INTEL_NPU_CACHE_DIR is empty");
	else if (!limit)
		tarn_str_add(s, "off: ZE_INTEL_NPU_CACHE_SIZE is 0 or no number");
	else
		tarn_str_addf(
			s,
			"asked, since neither CACHE_DIR nor NPU_BYPASS_UMD_CACHING is set: folder '%s', at most %lld bytes; "
			"whether it has the model shows when it is loaded",
			dir, (long long)limit);
	return !strcmp(device, "NPU") && !q->dir.len && !q->bypass && *dir && limit;
}

static tarn_err answer_of(const tarn_cache_question *q, const char *device, tarn_cache_answer *out)
{
	tarn_str runtime = {0}, driver = {0};
	tarn_cache_answer a = {.level = "none"};
	char *dir = NULL;
	int64_t limit = 0;
	tarn_err err = driver_cache(&dir, &limit);
	if (!err) {
		explain_runtime(q, device, &runtime);
		bool asks_driver = explain_driver(q, device, dir, limit, &driver);
		bool asks_runtime = q->stores && q->dir.len;
		a.level = asks_runtime ? "runtime" : asks_driver ? "driver" : "none";
		a.hit = asks_runtime ? q->whole : asks_driver ? -1 : 0;
		err = tarn_text_out(runtime.at, &a.runtime);
		if (!err)
			err = tarn_text_out(driver.at, &a.driver);
		if (!err && q->path.len)
			err = tarn_text_out(q->path.at, &a.path);
	}
	tarn_mem_free(dir);
	tarn_str_fini(&runtime);
	tarn_str_fini(&driver);
	if (err)
		tarn_free_cache_answer(&a);
	else
		*out = a;
	return err;
}

static tarn_err explain(struct ov_core *core, const tarn_model *m, const char *device, size_t n, const ov_property_t *property,
			tarn_cache_answer *answer)
{
	tarn_props props = {0};
	tarn_cache_question q = {0};
	const char *runs_on = NULL;
	tarn_err err = TARN_OK;
	for (size_t i = 0; i < n && !err; i++)
		err = tarn_props_set(&props, property[i].key, property[i].value);
	if (!err)
		err = tarn_core_ask_cache(core, m, device, &props, &runs_on, &q);
	if (!err)
		err = answer_of(&q, runs_on, answer);
	tarn_cache_question_fini(&q);
	tarn_props_fini(&props);
	return err;
}

ov_status_e tarn_explain_cache(const ov_core_t *core, const ov_model_t *model, const char *device, size_t num_properties,
			       const ov_property_t *properties, tarn_cache_answer *answer)
{
	NEED(core && model && device && answer && (properties || !num_properties));
	for (size_t i = 0; i < num_properties; i++)
		NEED(properties[i].key && properties[i].value);
	return tarn_status(explain((struct ov_core *)(uintptr_t)core, model->m, device, num_properties, properties, answer));
}

void tarn_free_cache_answer(tarn_cache_answer *answer)
{
	if (!answer)
		return;
	tarn_mem_free(answer->path);
	tarn_mem_free(answer->runtime);
	tarn_mem_free(answer->driver);
	*answer = (tarn_cache_answer){0};
}
