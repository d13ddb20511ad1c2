/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every header of the C API shares: export macros, status codes, element types.
 *
 * Handles made by the library are released by the caller with the *_free function of their type; every *_free takes NULL. Text
 * that comes back as char * is heap memory for ov_free. A function that fails leaves its results untouched and keeps a sentence
 * for ov_get_last_err_msg.
 */
#ifndef OPENVINO_C_OV_COMMON_H
#define OPENVINO_C_OV_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include "openvino/c/deprecated.h"

#ifdef __cplusplus
#define OPENVINO_EXTERN_C extern "C"
#define OPENVINO_EXTERN_C_VAR extern "C"
#else
#define OPENVINO_EXTERN_C
#define OPENVINO_EXTERN_C_VAR extern
#endif
#ifdef OPENVINO_STATIC_LIBRARY
#define OPENVINO_C_API(...) OPENVINO_EXTERN_C __VA_ARGS__
#define OPENVINO_C_VAR(...) OPENVINO_EXTERN_C_VAR __VA_ARGS__
#else
#define OPENVINO_C_API(...) OPENVINO_EXTERN_C __attribute__((visibility("default"))) __VA_ARGS__
#define OPENVINO_C_VAR(...) OPENVINO_EXTERN_C_VAR __attribute__((visibility("default"))) __VA_ARGS__
#endif
#define OPENVINO_C_API_CALLBACK
#if defined(__GNUC__) || defined(__clang__)
#define OV_NODISCARD __attribute__((warn_unused_result))
#else
#define OV_NODISCARD
#endif
/* Paths may also be given as wide characters. */
#ifndef OPENVINO_ENABLE_UNICODE_PATH_SUPPORT
#define OPENVINO_ENABLE_UNICODE_PATH_SUPPORT
#endif

/* Result of a call. The numbers, and the spelling of the last, are part of the API. */
typedef enum {
	OK = 0,
	GENERAL_ERROR = -1,
	NOT_IMPLEMENTED = -2,
	NETWORK_NOT_LOADED = -3,
	PARAMETER_MISMATCH = -4,
	NOT_FOUND = -5,
	OUT_OF_BOUNDS = -6,
	UNEXPECTED = -7,
	REQUEST_BUSY = -8,
	RESULT_NOT_READY = -9,
	NOT_ALLOCATED = -10,
	INFER_NOT_STARTED = -11,
	NETWORK_NOT_READ = -12,
	INFER_CANCELLED = -13,
	INVALID_C_PARAM = -14,
	UNKNOWN_C_ERROR = -15,
	NOT_IMPLEMENT_C_METHOD = -16,
	UNKNOW_EXCEPTION = -17,
} ov_status_e;

/* Element types, numbered as in OpenVINO 2026. U1, U2, U3, U6 and the NF4, F8 and F4 types exist as names; tensors of them
 * cannot be made. */
typedef enum {
	DYNAMIC = 0,
	OV_BOOLEAN,
	BF16,
	F16,
	F32,
	F64,
	I4,
	I8,
	I16,
	I32,
	I64,
	U1,
	U2,
	U3,
	U4,
	U6,
	U8,
	U16,
	U32,
	U64,
	NF4,
	F8E4M3,
	F8E5M3, /* means e5m2 */
	STRING,
	F4E2M1,
	F8E8M0,
} ov_element_type_e;

/* For OpenVINO's CACHE_ENCRYPTION_CALLBACKS. Called twice each: with out NULL to learn the size, then with room. */
typedef struct {
	void (*encrypt_func)(const char *in, const size_t in_size, char *out, size_t *out_size);
	void (*decrypt_func)(const char *in, const size_t in_size, char *out, size_t *out_size);
} ov_encryption_callbacks;

/* The general meaning of a status; static text. */
OPENVINO_C_API(const char *)
ov_get_error_info(ov_status_e status);

/* Releases text the library returned; NULL is allowed. */
OPENVINO_C_API(void)
ov_free(const char *content);

/* The sentence of the last failed call of this process, for ov_free; NULL when nothing failed since the last ov_core_free. */
OPENVINO_C_API(const char *)
ov_get_last_err_msg(void);

#endif
