/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_common.h"

#include "api/handles.h"
#include "base/mem.h"
#include "tarn/error.h"

static tarn_mutex lock = TARN_MUTEX_INIT;
static tarn_last_error last;

static void keep(tarn_err code, const char *text)
{
	tarn_mutex_lock(&lock);
	last.set = true;
	last.code = code;
	snprintf(last.text, sizeof last.text, "%s", text);
	tarn_mutex_unlock(&lock);
}

ov_status_e tarn_status(tarn_err err)
{
	if (err == TARN_OK)
		return OK;
	keep(err, tarn_err_text());
	switch (err) {
	case TARN_NOMEM:
		return NOT_ALLOCATED;
	case TARN_SHAPE:
	case TARN_TYPE:
		return PARAMETER_MISMATCH;
	case TARN_UNSUPPORTED:
		return NOT_IMPLEMENTED;
	case TARN_NOT_FOUND:
		return NOT_FOUND;
	case TARN_BAD_FILE:
		return NETWORK_NOT_READ;
	case TARN_BUSY:
		return REQUEST_BUSY;
	case TARN_NOT_READY:
		return RESULT_NOT_READY;
	case TARN_CANCELLED:
		return INFER_CANCELLED;
	default:
		return GENERAL_ERROR;
	}
}

ov_status_e tarn_status_null(const char *function)
{
	char text[160];
	snprintf(text, sizeof text, "%s: a required argument is missing or out of range; see its header", function);
	keep(TARN_USAGE, text);
	return INVALID_C_PARAM;
}

void tarn_last_error_clear(void)
{
	tarn_last_error_set(&(tarn_last_error){0});
}

void tarn_last_error_get(tarn_last_error *e)
{
	tarn_mutex_lock(&lock);
	*e = last;
	tarn_mutex_unlock(&lock);
}

void tarn_last_error_set(const tarn_last_error *e)
{
	tarn_mutex_lock(&lock);
	last = *e;
	tarn_mutex_unlock(&lock);
}

tarn_err tarn_text_out(const char *s, char **out)
{
	char *copy = tarn_mem_strdup(s);
	if (!copy)
		return tarn_err_nomem(strlen(s));
	*out = copy;
	return TARN_OK;
}

const char *ov_get_error_info(ov_status_e status)
{
	static const char *const text[] = {
		"success",
		"general error",
		"not implemented",
		"network not loaded",
		"input parameter mismatch",
		"cannot find the value",
		"out of bounds",
		"run with unexpected error",
		"request is busy",
		"result is not ready",
		"memory was not allocated",
		"inference was not started",
		"the model could not be read",
		"inference was cancelled",
		"invalid c input parameters",
		"unknown c error",
		"not implemented in the c api",
		"unknown exception",
	};
	int n = (int)(sizeof text / sizeof *text), i = -(int)status;
	return text[i >= 0 && i < n ? i : n - 1];
}

void ov_free(const char *content)
{
	tarn_mem_free((void *)(uintptr_t)content);
}

const char *ov_get_last_err_msg(void)
{
	tarn_mutex_lock(&lock);
	char *copy = last.set ? tarn_mem_strdup(last.text) : NULL;
	tarn_mutex_unlock(&lock);
	return copy;
}

int tarn_last_exit_code(void)
{
	tarn_mutex_lock(&lock);
	int code = tarn_err_exit_code(last.code);
	tarn_mutex_unlock(&lock);
	return code;
}
