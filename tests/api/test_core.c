/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "tarn/device.h"
#include "tarn/error.h"

static void get(ov_core_t *core, const char *device, const char *key, const char *want)
{
	char *v = NULL;
	EXPECT_OK(ov_core_get_property(core, device, key, &v));
	if (want && strcmp(v, want))
		fprintf(stderr, "%s of %s is %s, expected %s\n", key, device, v, want);
	EXPECT(!want || !strcmp(v, want));
	ov_free(v);
}

static void versions(ov_core_t *core)
{
	ov_version_t v;
	ov_core_version_list_t list;
	EXPECT_OK(ov_get_openvino_version(&v));
	EXPECT(!strncmp(v.buildNumber, "2026.", 5) && *v.description);
	ov_version_free(&v);
	EXPECT_OK(ov_core_get_versions_by_device_name(core, "REF", &list));
	EXPECT(list.size == 1 && !strcmp(list.versions[0].device_name, "REF"));
	ov_core_versions_free(&list);
	EXPECT(ov_core_get_versions_by_device_name(core, "TPU", &list) == NOT_FOUND);
}

static void devices(ov_core_t *core)
{
	ov_available_devices_t d;
	EXPECT_OK(ov_core_get_available_devices(core, &d));
	for (size_t i = 0; i < d.size; i++)
		EXPECT(strcmp(d.devices[i], "REF") != 0); /* never unless named */
	ov_available_devices_free(&d);
	tarn_device_list all;
	EXPECT_OK(tarn_list_devices(core, &all));
	bool ref = false, npu = false;
	for (size_t i = 0; i < all.size; i++) {
		ref = ref || (!strcmp(all.at[i].name, "REF") && all.at[i].hidden && all.at[i].full_name);
		npu = npu || (!strcmp(all.at[i].name, "NPU") && (all.at[i].full_name || *all.at[i].why));
	}
	EXPECT(ref && npu);
	tarn_free_devices(&all);
}

static void properties(void)
{
	ov_core_t *core;
	char *v = NULL;
	EXPECT_OK(ov_core_create(&core));
	/* Devices load lazily: a wrong value is noticed at the first use, then at once. */
	EXPECT_OK(ov_core_set_property(core, "REF", ov_property_key_inference_num_threads, "abc"));
	EXPECT(ov_core_get_property(core, "REF", ov_property_key_inference_num_threads, &v) != OK);
	EXPECT_OK(ov_core_set_property(core, "REF", ov_property_key_inference_num_threads, "3", ov_property_key_num_streams,
				       "7"));
	get(core, "REF", "INFERENCE_NUM_THREADS", "3");
	get(core, "REF", "NUM_STREAMS", "AUTO"); /* only the first pair is read */
	EXPECT(ov_core_set_property(core, "REF", ov_property_key_inference_num_threads, "abc") != OK);
	const ov_property_t two[] = {{"NUM_STREAMS", "2"}, {"PERF_COUNT", "true"}};
	EXPECT_OK(ov_core_set_properties(core, "REF", 2, two));
	get(core, "REF", "NUM_STREAMS", "2");
	get(core, "REF", "PERF_COUNT", "YES");
	EXPECT(ov_core_set_property(core, "REF", "PERF_COUNTS", "YES") != OK);
	const char *why = ov_get_last_err_msg();
	EXPECT(strstr(why, "did you mean PERF_COUNT?"));
	ov_free(why);
	/* For all devices, and for the core itself. */
	EXPECT_OK(ov_core_set_property(core, NULL, "ENABLE_MMAP", "NO"));
	get(core, "", "ENABLE_MMAP", "NO");
	EXPECT_OK(ov_core_set_property(core, "", "PERFORMANCE_HINT", "THROUGHPUT"));
	get(core, "REF", "PERFORMANCE_HINT", "THROUGHPUT");
	EXPECT_OK(ov_core_set_property(core, "AUTO", "ENABLE_STARTUP_FALLBACK", "abc"));
	EXPECT(ov_core_get_property(core, "AUTO", "ENABLE_STARTUP_FALLBACK", &v) != OK);
	EXPECT_OK(ov_core_set_property(core, "AUTO", "ENABLE_STARTUP_FALLBACK", "NO"));
	get(core, "AUTO", "ENABLE_STARTUP_FALLBACK", "NO");
	get(core, "REF", "SUPPORTED_PROPERTIES", NULL);
	get(core, "AUTO", "SUPPORTED_PROPERTIES", NULL);
	EXPECT(ov_core_set_property(core, "REF", NULL) == INVALID_C_PARAM);
	tarn_property_list list;
	EXPECT_OK(tarn_list_properties(core, "REF", NULL, &list));
	bool found = false;
	for (size_t i = 0; i < list.size; i++)
		found = found ||
			(!strcmp(list.at[i].key, "NUM_STREAMS") && list.at[i].is_mutable && !strcmp(list.at[i].value, "2"));
	EXPECT(found);
	tarn_free_properties(&list);
	ov_core_free(core);
}

static void wrong_arguments(ov_core_t *core)
{
	ov_model_t *m = NULL;
	ov_compiled_model_t *cm = NULL;
	EXPECT(ov_core_create(NULL) == INVALID_C_PARAM);
	EXPECT(ov_core_read_model(NULL, "x", NULL, &m) == INVALID_C_PARAM);
	EXPECT(ov_core_read_model(core, "/nowhere/absent.onnx", NULL, &m) == NETWORK_NOT_READ);
	EXPECT(tarn_last_exit_code() == 3);
	EXPECT(ov_core_create_with_config("plugins.xml", &core) == NOT_IMPLEMENTED);
	const int dim[] = {2, 3};
	ov_model_t *model = read_affine(core, 2, dim);
	EXPECT(ov_core_compile_model(core, model, "REF", 1, &cm) == INVALID_C_PARAM);
	EXPECT(ov_core_compile_model(core, model, "TPU", 0, &cm) != OK);
	EXPECT(tarn_last_exit_code() == 4);
	EXPECT(ov_core_compile_model(core, model, "REF", 2, &cm, "NUM_STREAMS", "many") != OK);
	EXPECT(tarn_last_exit_code() == 2);
	EXPECT(ov_core_import_model(core, "nonsense", 9, "REF", &cm) == NOT_IMPLEMENTED);
	ov_model_free(model);
	ov_model_free(NULL);
	ov_compiled_model_free(NULL);
	ov_core_free(NULL);
}

int main(void)
{
	ov_core_t *core;
	EXPECT_OK(ov_core_create(&core));
	versions(core);
	devices(core);
	properties();
	wrong_arguments(core);
	EXPECT(ov_core_read_model(core, "/nowhere/absent.onnx", NULL, &(ov_model_t *){NULL}) != OK);
	ov_core_free(core);
	EXPECT(!ov_get_last_err_msg());
	ov_shutdown();
	return 0;
}
