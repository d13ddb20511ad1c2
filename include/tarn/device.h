/* SPDX-License-Identifier: Apache-2.0 */
/* Devices, present or not, and their properties with what they mean. Rules as in <tarn/model.h>. */
#ifndef TARN_DEVICE_H
#define TARN_DEVICE_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

typedef struct tarn_device_info {
	char *name;      /* "NPU" */
	char *full_name; /* NULL when it cannot be used */
	char *why;       /* NULL, or why it cannot be used and what would help */
	bool hidden;     /* works when named, is not in AVAILABLE_DEVICES and never chosen by AUTO */
	bool simulated;  /* its times are modelled, not measured */
	char *mode;      /* simulated: "exact" (computes results; the wall clock means nothing) or "paced" (takes the modelled
			  * time; results are not computed); else NULL */
} tarn_device_info;
typedef struct tarn_device_list {
	tarn_device_info *at;
	size_t size;
} tarn_device_list;
TARN_API ov_status_e tarn_list_devices(const ov_core_t *core, tarn_device_list *devices);
TARN_API void tarn_free_devices(tarn_device_list *devices);

typedef struct tarn_property_info {
	const char *key;    /* static */
	const char *doc;    /* static */
	const char *values; /* static: what can be given */
	char *value;        /* now */
	bool is_mutable;
} tarn_property_info;
typedef struct tarn_property_list {
	tarn_property_info *at;
	size_t size;
} tarn_property_list;
/* Of a device, or of a compiled model (whichever is not NULL). */
TARN_API ov_status_e tarn_list_properties(const ov_core_t *core, const char *device, const ov_compiled_model_t *compiled_model,
					  tarn_property_list *properties);
TARN_API void tarn_free_properties(tarn_property_list *properties);

#ifdef __cplusplus
}
#endif
#endif
