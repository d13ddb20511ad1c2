/* SPDX-License-Identifier: Apache-2.0 */
/* Between our errors, our handles and Level Zero's. */
#include "base/module.h"
#include "driver/ze/ze.h"

ze_result_t tarn_ze_result(tarn_err err)
{
	switch (err) {
	case TARN_OK:
		return ZE_RESULT_SUCCESS;
	case TARN_NOMEM:
		return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
	case TARN_UNSUPPORTED:
	case TARN_BAD_FILE: /* what a compiler answers to a model it cannot read */
	case TARN_SHAPE:
	case TARN_TYPE:
		return ZE_RESULT_ERROR_UNSUPPORTED_FEATURE;
	case TARN_USAGE:
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	case TARN_NOT_READY:
		return ZE_RESULT_NOT_READY;
	case TARN_BUSY:
		return ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE;
	case TARN_DEVICE:
		return ZE_RESULT_ERROR_DEVICE_LOST;
	default:
		return ZE_RESULT_ERROR_UNKNOWN;
	}
}

/*
 * With two drivers or its intercept layer a loader gives the application objects of its own and passes ours to the core
 * functions. It does not see calls through extension tables, so these get its objects. Ours are known by their magic number
 * and need no translation; nothing is loaded to find out.
 */
void *tarn_ze_translate(int type, void *handle)
{
	if (!handle)
		return NULL;
	uint64_t magic;
	__builtin_memcpy(&magic, handle, sizeof magic);
	if (magic >= TARN_ZE_DRIVER && magic <= TARN_ZE_PROFILING_QUERY)
		return handle;
	typedef ze_result_t (*translate_fn)(int type, void *in, void **out);
	void *at = tarn_module_find("libze_loader.so.1", "zelLoaderTranslateHandle");
	translate_fn translate;
	__builtin_memcpy(&translate, &at, sizeof translate);
	void *out = handle;
	if (translate && translate(type, handle, &out) == ZE_RESULT_SUCCESS)
		return out;
	return handle;
}
