/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's cache of compiled models (CACHE_DIR): one file for each model, device and set of properties, named by a hash of
 * all of them. Files are written beside and renamed, and verified before use: any number of processes may share a folder, and a
 * damaged entry is only a miss. The same container serves export and import.
 */
#ifndef TARN_RT_CACHE_H
#define TARN_RT_CACHE_H

#include "base/vec.h"
#include "rt/device.h"

/* Appends the entry's name: 32 hexadecimal digits over the program's model, device, properties and the library's version. */
TARN_MUST tarn_err tarn_cache_key(const tarn_program *p, tarn_str *key);
/* Loads the entry into p (then p->cache_hit is set). A missing or damaged one is no error. */
TARN_MUST tarn_err tarn_cache_find(tarn_program *p, const char *dir, const char *key);
/* Stores the compiled p; a folder that cannot be written is a note of the program, not an error. */
TARN_MUST tarn_err tarn_cache_store(tarn_program *p, const char *dir, const char *key);

/* The container: ports, names, checksum around the device's bytes. */
TARN_MUST tarn_err tarn_blob_pack(tarn_program *p, tarn_str *blob);
typedef struct tarn_blob {
	char device[16];
	const uint8_t *info; /* names and ports */
	size_t info_size;
	const uint8_t *payload; /* what the device's export_ made */
	size_t payload_size;
} tarn_blob;
/* Checks magic, version, sizes and checksum; TARN_BAD_FILE says which. Bytes after the container are ignored. */
TARN_MUST tarn_err tarn_blob_open(const uint8_t *at, size_t size, tarn_blob *blob);
/* Version of the library that made it, and the model's name; appended. */
TARN_MUST tarn_err tarn_blob_names(const tarn_blob *blob, tarn_str *version, tarn_str *model);
/* A buffer on the payload that keeps `whole` alive. */
TARN_MUST tarn_err tarn_blob_payload(const tarn_blob *blob, tarn_buffer *whole, tarn_buffer **payload);

/* One file of a cache folder, read and checked. */
typedef struct tarn_cache_file {
	char *path, *key;
	char *model, *device, *version; /* NULL: the entry does not say */
	uint64_t size;
	int64_t written_ns, used_ns; /* since 1970 */
	char *damage;                /* NULL: whole; else what is wrong */
} tarn_cache_file;
typedef struct tarn_cache_files {
	VEC(tarn_cache_file) list;
} tarn_cache_files;
/* All entries of a folder, sorted by name; `driver`: in the format of the simulated NPU's driver, else in the runtime's. An
 * absent folder has none. Files that are not entries are left out. */
TARN_MUST tarn_err tarn_cache_files_read(const char *dir, bool driver, tarn_cache_files *files);
void tarn_cache_files_fini(tarn_cache_files *files);
/* Removes damaged entries, then those not used for longest, until the rest has at most `most` bytes. */
TARN_MUST tarn_err tarn_cache_files_collect(const char *dir, bool driver, uint64_t most, uint64_t *removed, uint64_t *freed);
/* Folder ("" is off) and limit of the NPU driver's cache, as the environment has them. */
TARN_MUST tarn_err tarn_cache_driver_place(tarn_str *dir, uint64_t *limit);

/* What compiling would ask the runtime's cache. */
typedef struct tarn_cache_question {
	tarn_str dir;  /* CACHE_DIR; "": none */
	tarn_str path; /* of the entry */
	bool stores;   /* the device can store compiled models at all */
	bool bypass;   /* NPU_BYPASS_UMD_CACHING */
	bool present, whole;
	tarn_str damage;
} tarn_cache_question;
TARN_MUST tarn_err tarn_cache_ask(tarn_device *d, const tarn_model *m, const tarn_props *props, tarn_cache_question *q);
void tarn_cache_question_fini(tarn_cache_question *q);

#endif
