/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/npu/npu.h"

static const struct row {
	ze_result_t result;
	tarn_err err;
	const char *text;
} rows[] = {
	{ZE_RESULT_NOT_READY, TARN_NOT_READY, "not ready"},
	{ZE_RESULT_ERROR_DEVICE_LOST, TARN_DEVICE, "the device was lost; see dmesg, load the model again"},
	{ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY, TARN_NOMEM, "out of memory"},
	{ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY, TARN_NOMEM, "out of the device's memory"},
	{ZE_RESULT_ERROR_MODULE_BUILD_FAILURE, TARN_UNSUPPORTED, "the compiler failed"},
	{ZE_RESULT_ERROR_MODULE_LINK_FAILURE, TARN_UNSUPPORTED, "the compiler failed"},
	{ZE_RESULT_ERROR_INSUFFICIENT_PERMISSIONS, TARN_DEVICE, "no permission; add the user to group render"},
	{ZE_RESULT_ERROR_NOT_AVAILABLE, TARN_DEVICE, "not available"},
	{ZE_RESULT_ERROR_UNINITIALIZED, TARN_DEVICE, "the driver is not ready; see dmesg and TARN_LOG=debug"},
	{ZE_RESULT_ERROR_UNSUPPORTED_VERSION, TARN_DEVICE, "versions of loader and driver do not fit; update both"},
	{ZE_RESULT_ERROR_UNSUPPORTED_FEATURE, TARN_UNSUPPORTED, "not supported by the driver"},
	{ZE_RESULT_ERROR_INVALID_ARGUMENT, TARN_USAGE, "the driver refuses an argument"},
	{ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE, TARN_BUSY, "in use"},
	{ZE_RESULT_ERROR_INVALID_SIZE, TARN_USAGE, "the driver refuses a size"},
	{ZE_RESULT_ERROR_UNSUPPORTED_SIZE, TARN_UNSUPPORTED, "the driver cannot have that size"},
	{ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT, TARN_UNSUPPORTED, "the driver cannot have that alignment"},
	{ZE_RESULT_ERROR_INVALID_ENUMERATION, TARN_UNSUPPORTED, "the driver does not know that option; update it"},
	{ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION, TARN_UNSUPPORTED, "the driver does not know that option; update it"},
	{ZE_RESULT_ERROR_INVALID_NATIVE_BINARY, TARN_BAD_FILE, "not a compiled model of this driver; compile the model again"},
};

tarn_err tarn_npu_result(ze_result_t r, const char *doing)
{
	if (r == ZE_RESULT_SUCCESS)
		return TARN_OK;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].result == r)
			return tarn_err_set(rows[i].err, "%s: %s", doing, rows[i].text);
	if ((unsigned)r == 0x70020000u) /* not in the headers of 1.8.12 by the name newer ones give it */
		return tarn_err_set(TARN_DEVICE, "%s: something the driver depends on is missing; install its compiler", doing);
	return tarn_err_set(TARN_INTERNAL, "%s: Level Zero error %#x", doing, (unsigned)r);
}
