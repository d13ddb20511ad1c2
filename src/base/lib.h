/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared libraries opened while the program runs. The caller owns the handle and closes it; symbols die with it.
 * Every function may be called from any thread.
 */
#ifndef TARN_BASE_LIB_H
#define TARN_BASE_LIB_H

#include <stddef.h>

#include "base/err.h"

typedef struct tarn_lib tarn_lib;

/* Opens by path, or by name through the system's search order; symbols stay local to the handle, all of them resolved at once.
 * TARN_NOT_FOUND, naming the file, when it is absent, not a library, or lacks something it needs. */
TARN_MUST tarn_err tarn_lib_open(const char *path, tarn_lib **lib);
/* NULL is accepted. */
void tarn_lib_close(tarn_lib *lib);

/* A function of the library, cast by the caller to its true type; NULL when it has none of that name. */
typedef void (*tarn_lib_fn)(void);
tarn_lib_fn tarn_lib_find(const tarn_lib *lib, const char *name);
/* The same for a function that must be there: TARN_NOT_FOUND names the file and the function. */
TARN_MUST tarn_err tarn_lib_sym(const tarn_lib *lib, const char *name, tarn_lib_fn *fn);

/* The folder (absolute, no trailing slash) of the library or program that the function at `code` belongs to: how libtarn finds
 * what is installed beside it. TARN_NOT_FOUND when that cannot be known; TARN_LIMIT when `size` is too small. */
TARN_MUST tarn_err tarn_lib_folder_of(tarn_lib_fn code, char *folder, size_t size);

#endif
