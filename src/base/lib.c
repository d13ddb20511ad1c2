/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lib.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct tarn_lib {
	void *handle;
	char *path;
};

tarn_err tarn_lib_open(const char *path, tarn_lib **lib)
{
	tarn_lib *made = tarn_mem_zalloc(1, sizeof *made);
	if (!made)
		return tarn_err_nomem(sizeof *made);
	tarn_err err = TARN_OK;
	made->path = tarn_mem_strdup(path);
	if (!made->path)
		TRY_GOTO(fail, tarn_err_nomem(strlen(path) + 1));
	made->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!made->handle) {
		const char *why = dlerror();
		/* The loader's own sentence mostly starts with the file, but not always. */
		CHECK_GOTO(fail, why && strstr(why, path), TARN_NOT_FOUND, "%s: %s", path, why ? why : "cannot be loaded");
		CHECK_GOTO(fail, 0, TARN_NOT_FOUND, "%s", why);
	}
	*lib = made;
	return TARN_OK;
fail:
	tarn_mem_free(made->path);
	tarn_mem_free(made);
	return err;
}

void tarn_lib_close(tarn_lib *lib)
{
	if (!lib)
		return;
	dlclose(lib->handle);
	tarn_mem_free(lib->path);
	tarn_mem_free(lib);
}

tarn_lib_fn tarn_lib_find(const tarn_lib *lib, const char *name)
{
	/* POSIX promises that a code address survives the object pointer; ISO C has no cast for it. */
	void *at = dlsym(lib->handle, name);
	tarn_lib_fn fn;
	memcpy(&fn, &at, sizeof fn);
	return fn;
}

tarn_err tarn_lib_sym(const tarn_lib *lib, const char *name, tarn_lib_fn *fn)
{
	tarn_lib_fn found = tarn_lib_find(lib, name);
	CHECK(found, TARN_NOT_FOUND, "%s: has no function %s; another version of the library is needed", lib->path, name);
	*fn = found;
	return TARN_OK;
}

tarn_err tarn_lib_folder_of(tarn_lib_fn code, char *folder, size_t size)
{
	void *at;
	memcpy(&at, &code, sizeof at);
	Dl_info info;
	CHECK(dladdr(at, &info) && info.dli_fname, TARN_NOT_FOUND, "the file that this code was loaded from is unknown");
	/* A buffer of our own: the thread sanitizer takes the oldest realpath, which does not allocate. */
	char full[PATH_MAX];
	CHECK(realpath(info.dli_fname, full), TARN_NOT_FOUND, "%s: the file that this code was loaded from is gone",
	      info.dli_fname);
	char *slash = strrchr(full, '/');
	*slash = '\0';
	size_t n = strlen(full);
	bool fits = n < size;
	if (fits)
		memcpy(folder, full, n + 1);
	CHECK(fits, TARN_LIMIT, "a folder name of %zu bytes does not fit in %zu", n, size);
	return TARN_OK;
}
