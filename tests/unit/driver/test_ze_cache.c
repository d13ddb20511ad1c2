/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's compiled-model cache: through the graph extension with a stand-in compiler, and its own rules. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "driver/cache/cache.h"
#include "unit/driver/ze_model.h"

static int count_files(const char *dir)
{
	DIR *d = opendir(dir);
	assert_non_null(d);
	int n = 0;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void only_file(const char *dir, char *path, size_t room)
{
	DIR *d = opendir(dir);
	int n = 0;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.') {
			snprintf(path, room, "%s/%s", dir, e->d_name);
			n++;
		}
	closedir(d);
	assert_int_equal(n, 1);
}

static void empty(const char *dir)
{
	char cmd[128];
	snprintf(cmd, sizeof cmd, "rm -f %s/*", dir);
	assert_int_equal(system(cmd), 0);
}

/* Creates and destroys; which way it came. */
static uint32_t way(const char *xml, const char *flags, uint32_t bits)
{
	ze_graph_handle_t g;
	assert_ze(create(xml, 1, flags, bits, &g), OK);
	uint32_t f = flags_of(g) & 7;
	bool found = strstr(build_log(g), "cache_status_t::found"), stored = strstr(build_log(g), "cache_status_t::stored");
	assert_int_equal(found, f == ZE_GRAPH_PROPERTIES_FLAG_LOADED_FROM_CACHE);
	assert_false(found && stored);
	assert_ze(gra->pfnDestroy(g), OK);
	return f;
}
#define COMPILED ZE_GRAPH_PROPERTIES_FLAG_COMPILED
#define CACHED ZE_GRAPH_PROPERTIES_FLAG_LOADED_FROM_CACHE

static void hits_need_model_flags_and_permission(void **state)
{
	(void)state;
	ze_tarn_device_state_t s0 = state_of_device();
	assert_int_equal(way("n=3", NULL, 0), COMPILED);
	assert_int_equal(way("n=3", NULL, 0), CACHED);
	assert_int_equal(way("n=4", NULL, 0), COMPILED);
	assert_int_equal(way("n=3", "--config NPU_TILES=\"2\"", 0), COMPILED);
	assert_int_equal(count_files(cache_dir), 3);
	assert_int_equal(way("n=3", NULL, ZE_GRAPH_FLAG_DISABLE_CACHING), COMPILED);
	assert_int_equal(way("n=5", NULL, ZE_GRAPH_FLAG_DISABLE_CACHING), COMPILED);
	assert_int_equal(count_files(cache_dir), 3);
	assert_int_equal(way("n=3", NULL, ZE_GRAPH_FLAG_ENABLE_PROFILING), COMPILED);
	assert_int_equal(count_files(cache_dir), 4);
	ze_tarn_device_state_t s1 = state_of_device();
	assert_int_equal(s1.compiled - s0.compiled, 6);
	assert_int_equal(s1.cache_hits - s0.cache_hits, 1);
	assert_int_equal(s1.cache_stored - s0.cache_stored, 4);
	ze_graph_memory_query_t q;
	assert_ze(gra->pfnQueryContextMemory(context, ZE_GRAPH_QUERY_MEMORY_DRIVER_CACHE, &q), OK);
	assert_true(q.total == 4ull << 30);
	assert_true(q.allocated > 0 && q.allocated < 4096);
	/* A failed compilation leaves nothing. */
	ze_graph_handle_t g;
	assert_ze(create("fail", 0, NULL, 0, &g), ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
	assert_int_equal(count_files(cache_dir), 4);
	empty(cache_dir);
}

static void the_callers_hash_stands_for_the_model(void **state)
{
	(void)state;
	uint8_t bytes[256];
	ze_graph_input_hash_t hash = {.stype = ZE_STRUCTURE_TYPE_GRAPH_INPUT_HASH, .hash = 77};
	ze_graph_desc_2_t d = {.pNext = &hash, .format = ZE_GRAPH_FORMAT_NGRAPH_LITE, .pInput = bytes};
	const struct {
		const char *xml, *flags;
		uint64_t hash;
		uint32_t want;
	} row[] = {{"n=1", NULL, 77, COMPILED},
		   {"n=2", NULL, 77, CACHED},
		   {"n=2", "--config", 77, COMPILED},
		   {"n=1", NULL, 78, COMPILED}};
	for (int i = 0; i < 4; i++) {
		ze_graph_handle_t g;
		hash.hash = row[i].hash;
		d.inputSize = model(bytes, row[i].xml, 0);
		d.pBuildFlags = row[i].flags;
		assert_ze(gra->pfnCreate2(context, device, &d, &g), OK);
		assert_int_equal(flags_of(g), row[i].want);
		assert_ze(gra->pfnDestroy(g), OK);
	}
	empty(cache_dir);
}

static void a_second_load_changes_no_file(void **state)
{
	(void)state;
	char path[512];
	struct stat a, b;
	assert_int_equal(way("n=3", NULL, 0), COMPILED);
	only_file(cache_dir, path, sizeof path);
	assert_int_equal(stat(path, &a), 0);
	assert_int_equal(way("n=3", NULL, 0), CACHED);
	assert_int_equal(stat(path, &b), 0);
	assert_int_equal(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	assert_int_equal(a.st_ino, b.st_ino);
	empty(cache_dir);
}

/* Any flipped byte, any truncation: recompiled, and sound again. */
static void damage_is_found(void **state)
{
	(void)state;
	char path[512];
	assert_int_equal(way("n=3", NULL, 0), COMPILED);
	only_file(cache_dir, path, sizeof path);
	FILE *f = fopen(path, "rb");
	uint8_t good[4096];
	size_t n = fread(good, 1, sizeof good, f);
	fclose(f);
	ze_tarn_device_state_t s0 = state_of_device();
	for (size_t i = 0; i < 2 * n; i++) {
		f = fopen(path, "wb");
		good[i % n] ^= i < n ? 0x10 : 0;
		assert_int_equal(fwrite(good, 1, i < n ? n : i - n, f), i < n ? n : i - n);
		fclose(f);
		good[i % n] ^= i < n ? 0x10 : 0;
		assert_int_equal(way("n=3", NULL, 0), COMPILED);
	}
	assert_int_equal(way("n=3", NULL, 0), CACHED);
	assert_int_equal(state_of_device().cache_damaged - s0.cache_damaged, 2 * n);
	f = fopen(path, "rb");
	uint8_t again[4096];
	assert_int_equal(fread(again, 1, sizeof again, f), n);
	fclose(f);
	assert_memory_equal(again, good, n);
	empty(cache_dir);
}

static void the_size_limit_holds(void **state)
{
	(void)state;
	ze_result_t (*set_size)(size_t), (*get_size)(size_t *), (*get_dir)(char *, size_t *);
	*(void **)(&set_size) = extension("zexDiskCacheSetSize");
	*(void **)(&get_size) = extension("zexDiskCacheGetSize");
	*(void **)(&get_dir) = extension("zexDiskCacheGetDirectory");
	char dir[256];
	size_t n = 0;
	assert_ze(get_dir(NULL, &n), OK);
	assert_int_equal(n, strlen(cache_dir) + 1);
	assert_ze(get_dir(dir, &n), OK);
	assert_string_equal(dir, cache_dir);
	ze_graph_memory_query_t q;
	for (int i = 1; i <= 4; i++) {
		char xml[16];
		snprintf(xml, sizeof xml, "n=%d", i);
		assert_int_equal(way(xml, NULL, 0), COMPILED);
	}
	assert_ze(gra->pfnQueryContextMemory(context, ZE_GRAPH_QUERY_MEMORY_DRIVER_CACHE, &q), OK);
	/* Room for one less: the entry used longest ago goes. 1 was used last. */
	usleep(2000);
	assert_int_equal(way("n=1", NULL, 0), CACHED);
	assert_ze(set_size(q.allocated), OK);
	assert_int_equal(way("n=9", NULL, 0), COMPILED);
	assert_int_equal(count_files(cache_dir), 4);
	assert_int_equal(way("n=1", NULL, 0), CACHED);
	assert_int_equal(way("n=9", NULL, 0), CACHED);
	assert_int_equal(way("n=2", NULL, 0), COMPILED);
	/* Too small for anything: nothing stored, nothing lost. */
	empty(cache_dir);
	assert_ze(set_size(64), OK);
	assert_int_equal(way("n=1", NULL, 0), COMPILED);
	assert_int_equal(way("n=1", NULL, 0), COMPILED);
	assert_int_equal(count_files(cache_dir), 0);
	assert_ze(get_size(&n), OK);
	assert_int_equal(n, 64);
	assert_ze(set_size(4ull << 30), OK);
}

/* Sixteen processes on one key: all succeed, one entry, nothing else in the folder. */
static void processes_share_one_entry(void **state)
{
	(void)state;
	enum { N = 16 };
	pid_t child[N];
	int gate[2];
	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < N; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (!child[i]) {
			char c;
			close(gate[1]);
			(void)!read(gate[0], &c, 1); /* all start when the parent closes its end */
			ze_graph_handle_t g;
			int bad = 0;
			for (int k = 0; k < 5; k++)
				bad |= create("n=16", 1, NULL, 0, &g) != OK || gra->pfnDestroy(g) != OK;
			_exit(bad);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < N; i++) {
		int status;
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	assert_int_equal(count_files(cache_dir), 1);
	assert_int_equal(way("n=16", NULL, 0), CACHED);
	empty(cache_dir);
}

static void other_files_are_left_alone(void **state)
{
	(void)state;
	char foreign[128];
	snprintf(foreign, sizeof foreign, "%s/0123456789", cache_dir);
	FILE *f = fopen(foreign, "wb");
	assert_int_equal(fwrite("not ours", 1, 8, f), 8);
	fclose(f);
	tarn_cache *c;
	assert_int_equal(tarn_cache_new(cache_dir, 200, &c), TARN_OK);
	assert_int_equal(tarn_cache_used(c), 0);
	uint8_t blob[100] = {1, 2, 3}, *back;
	size_t n;
	for (uint64_t k = 1; k <= 3; k++)
		assert_true(tarn_cache_put(c, (tarn_hash128){k, 0}, blob, sizeof blob));
	assert_int_equal(tarn_cache_used(c), 164);
	assert_false(tarn_cache_get(c, (tarn_hash128){1, 0}, &back, &n));
	assert_true(tarn_cache_get(c, (tarn_hash128){3, 0}, &back, &n));
	assert_int_equal(n, sizeof blob);
	assert_memory_equal(back, blob, n);
	tarn_mem_free_aligned(back);
	tarn_cache_stats s;
	tarn_cache_get_stats(c, &s);
	assert_int_equal(s.evicted, 2);
	tarn_cache_free(c);
	assert_int_equal(access(foreign, F_OK), 0);
	empty(cache_dir);
	/* Off. */
	assert_int_equal(tarn_cache_new("", 1 << 20, &c), TARN_OK);
	assert_false(tarn_cache_put(c, (tarn_hash128){1, 0}, blob, sizeof blob));
	assert_false(tarn_cache_get(c, (tarn_hash128){1, 0}, &back, &n));
	assert_int_equal(tarn_cache_limit(c), 0);
	tarn_cache_free(c);
}

static void the_environment_names_the_folder(void **state)
{
	(void)state;
	tarn_cache *c;
	char want[128];
	unsetenv("ZE_INTEL_NPU_CACHE_DIR");
	setenv("XDG_CACHE_HOME", cache_dir, 1);
	setenv("ZE_INTEL_NPU_CACHE_SIZE", "12345", 1);
	assert_int_equal(tarn_cache_new_from_env(&c), TARN_OK);
	snprintf(want, sizeof want, "%s/ze_intel_npu_cache", cache_dir);
	assert_string_equal(tarn_cache_dir(c), want);
	assert_int_equal(tarn_cache_limit(c), 12345);
	tarn_cache_free(c);
	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", cache_dir, 1);
	setenv("ZE_INTEL_NPU_CACHE_SIZE", "4 GB", 1);
	assert_int_equal(tarn_cache_new_from_env(&c), TARN_OK);
	snprintf(want, sizeof want, "%s/.cache/ze_intel_npu_cache", cache_dir);
	assert_string_equal(tarn_cache_dir(c), want);
	assert_int_equal(tarn_cache_limit(c), 0);
	tarn_cache_free(c);
	setenv("ZE_INTEL_NPU_CACHE_DIR", "", 1);
	assert_int_equal(tarn_cache_new_from_env(&c), TARN_OK);
	assert_string_equal(tarn_cache_dir(c), "");
	tarn_cache_free(c);
}

int main(void)
{
	tables(TARN_ZE_TEST_LIB);
	start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hits_need_model_flags_and_permission),
		cmocka_unit_test(the_callers_hash_stands_for_the_model),
		cmocka_unit_test(a_second_load_changes_no_file),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(the_size_limit_holds),
		cmocka_unit_test(processes_share_one_entry),
		cmocka_unit_test(other_files_are_left_alone),
		cmocka_unit_test(the_environment_names_the_folder),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	stop();
	return failed;
}
