/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two caches of compiled models, looked at from outside: the runtime's (a folder given as CACHE_DIR) and the NPU driver's
 * (of the simulated NPU; what Intel's driver keeps in the same folder is left alone). Rules as in <tarn/model.h>.
 */
#ifndef TARN_CACHE_H
#define TARN_CACHE_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

typedef enum tarn_cache_level { TARN_CACHE_RUNTIME, TARN_CACHE_DRIVER } tarn_cache_level;

typedef struct tarn_cache_entry {
	char *path, *key;
	char *model;      /* NULL: the entry does not say */
	char *device;     /* "CPU", "NPU" */
	char *version;    /* of the library that made it; NULL: the entry does not say */
	int64_t bytes;    /* of the file */
	double age, idle; /* seconds since it was written, and used */
	char *damage;     /* NULL: whole, its checksum was verified; else what is wrong */
} tarn_cache_entry;
typedef struct tarn_cache_list {
	tarn_cache_entry *at;
	size_t size;
} tarn_cache_list;
/* Reads and checks every entry of the folder. An absent folder has none. */
TARN_API ov_status_e tarn_list_cache(tarn_cache_level level, const char *dir, tarn_cache_list *list);
TARN_API void tarn_free_cache_list(tarn_cache_list *list);

/* Where the NPU driver of this environment keeps compiled models, for ov_free ("": its cache is off), and how many bytes at
 * most: ZE_INTEL_NPU_CACHE_DIR, XDG_CACHE_HOME, HOME; ZE_INTEL_NPU_CACHE_SIZE. */
TARN_API ov_status_e tarn_get_driver_cache(char **dir, int64_t *limit);

/* Removes damaged entries, then those not used for longest, until the rest has at most max_bytes. */
TARN_API ov_status_e tarn_collect_cache(tarn_cache_level level, const char *dir, int64_t max_bytes, int64_t *removed,
					int64_t *freed);

/* Which cache would answer when this model is compiled with these properties. Nothing is compiled or stored. */
typedef struct tarn_cache_answer {
	const char *level; /* "runtime", "driver" or "none": which is asked; static */
	int hit;           /* 1: it has the model; 0: it has not; -1: only loading the model can tell */
	char *path;        /* the runtime's entry, there or not; NULL: it is not asked */
	char *runtime;     /* a sentence about each: asked or not, and why */
	char *driver;
} tarn_cache_answer;
TARN_API ov_status_e tarn_explain_cache(const ov_core_t *core, const ov_model_t *model, const char *device,
					size_t num_properties, const ov_property_t *properties, tarn_cache_answer *answer);
TARN_API void tarn_free_cache_answer(tarn_cache_answer *answer);

#ifdef __cplusplus
}
#endif
#endif
