/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to run a model: what tarn tune found, in a small JSON file beside the model. Rules as in <tarn/model.h>.
 */
#ifndef TARN_SETTINGS_H
#define TARN_SETTINGS_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

typedef struct tarn_settings {
	int requests; /* in flight, 1 to 4096 */
	int streams;  /* NUM_STREAMS; 0: the device's own choice */
	int workers;  /* threads that prepare inputs; 0: inputs are not prepared in the loop */
	int batch;    /* samples of one inference, 1 or more */
} tarn_settings;

/* The settings for one device are put into the file; what it holds for others stays. It appears whole or not at all. */
TARN_API ov_status_e tarn_save_settings(const char *path, const char *device, const tarn_settings *settings);
/* NOT_FOUND: the file has none for this device, naming those it has. */
TARN_API ov_status_e tarn_load_settings(const char *path, const char *device, tarn_settings *settings);
/* Compiles with PERFORMANCE_HINT and NUM_STREAMS as they say. */
TARN_API ov_status_e tarn_compile_with_settings(const ov_core_t *core, const ov_model_t *model, const char *device,
						const tarn_settings *settings, ov_compiled_model_t **compiled_model);

#ifdef __cplusplus
}
#endif
#endif
