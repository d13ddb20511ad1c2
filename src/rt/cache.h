/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's cache of compiled models (CACHE_DIR): one file for each model, device and set of properties, named by a hash of
 * all of them. Files are written beside and renamed, and verified before use: any number of processes may share a folder, and a
 * damaged entry is only a miss. The same container serves export and import.
 */
#ifndef TARN_RT_CACHE_H
#define TARN_RT_CACHE_H

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
/* A buffer on the payload that keeps `whole` alive. */
TARN_MUST tarn_err tarn_blob_payload(const tarn_blob *blob, tarn_buffer *whole, tarn_buffer **payload);

#endif
