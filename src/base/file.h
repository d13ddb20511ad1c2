/* SPDX-License-Identifier: Apache-2.0 */
/* Files: mapped reading, writing beside and renaming, folders. Errors name the path. The only place of OS file calls. */
#ifndef TARN_BASE_FILE_H
#define TARN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A read-only view of a whole file (private mapping; an empty file has at == "" and size 0). */
typedef struct tarn_file_map {
	const uint8_t *at;
	size_t size;
} tarn_file_map;
/* TARN_BAD_FILE when the file cannot be opened or is not a regular file. */
TARN_MUST tarn_err tarn_file_map_open(const char *path, tarn_file_map *map);
void tarn_file_map_close(tarn_file_map *map);

/* Writes a temporary file in the same folder, syncs and renames it: readers see the old or the new content, never a part.
 * A link stays, and what it points to is replaced. */
TARN_MUST tarn_err tarn_file_write(const char *path, const void *bytes, size_t n);
/* The same with several pieces in a row. */
typedef struct tarn_file_piece {
	const void *at;
	size_t size;
} tarn_file_piece;
TARN_MUST tarn_err tarn_file_write_pieces(const char *path, const tarn_file_piece *piece, size_t n);

/* In two steps, for files that belong together: all are staged (complete and synced, under other names) before one is
 * committed. A staged file is owned by its struct until then; discard accepts a zeroed or finished one. What is no file (a
 * pipe, /dev/stdout) gets the bytes when it is staged, and there is nothing left to commit. */
typedef struct tarn_file_staged {
	char *temp, *path;
} tarn_file_staged;
TARN_MUST tarn_err tarn_file_stage(const char *path, const tarn_file_piece *piece, size_t n, tarn_file_staged *s);
TARN_MUST tarn_err tarn_file_commit(tarn_file_staged *s);
void tarn_file_discard(tarn_file_staged *s);

bool tarn_file_exists(const char *path);
bool tarn_file_is_dir(const char *path);
/* Creates the folder and its parents; an existing folder is success. */
TARN_MUST tarn_err tarn_file_mkdirs(const char *path);
/* Names (not paths) of the entries of a folder, without . and .., sorted by byte; one heap block, freed with tarn_mem_free. */
TARN_MUST tarn_err tarn_file_list(const char *path, char ***names, size_t *n);

typedef struct tarn_file_info {
	uint64_t size;
	int64_t accessed_ns, modified_ns; /* since 1970 */
	bool regular;
} tarn_file_info;
/* False when there is no such file (a link is not followed). */
bool tarn_file_get_info(const char *path, tarn_file_info *info);
/* Makes now the time of the last access; the time of modification stays. Failure is ignored. */
void tarn_file_touch(const char *path);
/* An absent file is success. */
TARN_MUST tarn_err tarn_file_remove(const char *path);
/* Waits for the advisory lock of a file or folder, shared by all processes that ask for it. Released by tarn_file_unlock or the
 * end of the process. */
TARN_MUST tarn_err tarn_file_lock(const char *path, int *lock);
void tarn_file_unlock(int lock);

#endif
