/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

/* What helps against an error of the system, as the end of a sentence; "" when that is not known. */
static const char *reading_advice(int e)
{
	return e == ENOENT ? "; check the path" : e == EACCES ? "; check its permissions" : "";
}

static const char *writing_advice(int e)
{
	switch (e) {
	case ENOENT:
	case ENOTDIR:
		return "; make the folder first, or check the path";
	case EACCES:
	case EPERM:
	case EROFS:
		return "; write to a folder that is yours";
	case ENOSPC:
	case EDQUOT:
		return "; make room, or write elsewhere";
	case EISDIR:
		return "; give the name of a file";
	default:
		return "";
	}
}

static tarn_err cannot_write(const char *path, int e)
{
	return tarn_err_set(TARN_IO, "%s: cannot be written: %s%s", path, strerror(e), writing_advice(e));
}

tarn_err tarn_file_map_open(const char *path, tarn_file_map *map)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return tarn_err_set(TARN_BAD_FILE, "%s: %s%s", path, strerror(errno), reading_advice(errno));
	struct stat st;
	tarn_err err = TARN_OK;
	if (fstat(fd, &st))
		CHECK_GOTO(out, 0, TARN_BAD_FILE, "%s: %s", path, strerror(errno));
	CHECK_GOTO(out, !S_ISDIR(st.st_mode), TARN_BAD_FILE, "%s: a folder; give a file", path);
	CHECK_GOTO(out, S_ISREG(st.st_mode), TARN_BAD_FILE, "%s: not a regular file; store what it gives in one", path);
	if (st.st_size == 0) {
		*map = (tarn_file_map){(const uint8_t *)"", 0};
		goto out;
	}
	void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK_GOTO(out, at != MAP_FAILED, TARN_BAD_FILE, "%s: %s", path, strerror(errno));
	*map = (tarn_file_map){at, (size_t)st.st_size};
out:
	close(fd);
	return err;
}

void tarn_file_map_close(tarn_file_map *map)
{
	if (map->size)
		munmap((void *)(uintptr_t)map->at, map->size);
	*map = (tarn_file_map){0};
}

static tarn_err write_all(int fd, const char *path, const void *bytes, size_t n)
{
	for (const char *p = bytes; n;) {
		ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return cannot_write(path, done < 0 ? errno : EIO);
		p += done;
		n -= (size_t)done;
	}
	return TARN_OK;
}

/* Something that is there and is no file, such as a pipe or /dev/stdout: it takes the bytes and must not be replaced. */
static bool takes_bytes(const char *path)
{
	struct stat st;
	return !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static tarn_err write_pieces(int fd, const char *path, const tarn_file_piece *piece, size_t n)
{
	for (size_t i = 0; i < n; i++)
		TRY(write_all(fd, path, piece[i].at, piece[i].size));
	if (fsync(fd) && errno != EINVAL && errno != ENOTSUP)
		return cannot_write(path, errno);
	return TARN_OK;
}

static tarn_err write_through(const char *path, const tarn_file_piece *piece, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return cannot_write(path, errno);
	tarn_err err = write_pieces(fd, path, piece, n);
	close(fd);
	return err;
}

/* A file without a name in the folder of `path`: a program that is ended while it writes leaves nothing. -1 where file systems
 * have no such files. */
static int open_nameless(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = folder ? open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666) : -1;
	free(folder);
	return fd;
}

static bool give_name(int fd, const char *path)
{
	char self[64];
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	return !linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* Complete and synced under the name `temp`, of which nothing is left on failure. */
static tarn_err write_temp(const char *temp, const char *path, const tarn_file_piece *piece, size_t n)
{
	int fd = open_nameless(temp);
	if (fd >= 0) {
		tarn_err err = write_pieces(fd, path, piece, n);
		bool named = !err && give_name(fd, temp);
		close(fd);
		if (err || named)
			return err;
	}
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return cannot_write(path, errno);
	tarn_err err = write_pieces(fd, path, piece, n);
	close(fd);
	if (err)
		unlink(temp);
	return err;
}

tarn_err tarn_file_stage(const char *path, const tarn_file_piece *piece, size_t n, tarn_file_staged *s)
{
	static atomic_uint serial;
	*s = (tarn_file_staged){0};
	if (takes_bytes(path))
		return write_through(path, piece, n);
	/* A link stays one: what it points to is replaced. */
	char *real = realpath(path, NULL);
	tarn_str tmp = {0};
	tarn_str_addf(&tmp, "%s.%d.%u.tmp", real ? real : path, (int)getpid(), atomic_fetch_add(&serial, 1));
	tarn_err err;
	char *name = tarn_mem_strdup(real ? real : path);
	free(real);
	TRY_GOTO(out, tarn_str_done(&tmp));
	CHECK_GOTO(out, name, TARN_NOMEM, "out of memory for a file name");
	TRY_GOTO(out, write_temp(tmp.at, path, piece, n));
	*s = (tarn_file_staged){.temp = tmp.at, .path = name};
	return TARN_OK;
out:
	tarn_mem_free(name);
	tarn_str_fini(&tmp);
	return err;
}

void tarn_file_discard(tarn_file_staged *s)
{
	if (s->temp)
		unlink(s->temp);
	tarn_mem_free(s->temp);
	tarn_mem_free(s->path);
	*s = (tarn_file_staged){0};
}

tarn_err tarn_file_commit(tarn_file_staged *s)
{
	tarn_err err = TARN_OK;
	if (!s->temp)
		return TARN_OK;
	if (rename(s->temp, s->path)) {
		err = cannot_write(s->path, errno);
	} else {
		tarn_mem_free(s->temp);
		s->temp = NULL;
	}
	tarn_file_discard(s);
	return err;
}

tarn_err tarn_file_write_pieces(const char *path, const tarn_file_piece *piece, size_t n)
{
	tarn_file_staged s = {0};
	TRY(tarn_file_stage(path, piece, n, &s));
	return tarn_file_commit(&s);
}

tarn_err tarn_file_write(const char *path, const void *bytes, size_t n)
{
	return tarn_file_write_pieces(path, &(tarn_file_piece){bytes, n}, 1);
}

bool tarn_file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool tarn_file_is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

tarn_err tarn_file_mkdirs(const char *path)
{
	char *copy = tarn_mem_strdup(path);
	if (!copy)
		return tarn_err_nomem(strlen(path));
	tarn_err err = TARN_OK;
	for (char *p = copy + 1;; p++) {
		if (*p && *p != '/')
			continue;
		char c = *p;
		*p = 0;
		int failed = mkdir(copy, 0777) && errno != EEXIST;
		CHECK_GOTO(out, !failed && tarn_file_is_dir(copy), TARN_IO, "%s: folder cannot be made: %s", path,
			   failed ? strerror(errno) : "something else has that name");
		*p = c;
		if (!c)
			break;
	}
out:
	tarn_mem_free(copy);
	return err;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

tarn_err tarn_file_list(const char *path, char ***names, size_t *n)
{
	DIR *d = opendir(path);
	CHECK(d, TARN_BAD_FILE, "%s: %s", path, strerror(errno));
	tarn_str text = {0};
	size_t count = 0;
	for (struct dirent *e; (e = readdir(d));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
			tarn_str_add_n(&text, e->d_name, strlen(e->d_name) + 1);
			count++;
		}
	closedir(d);
	tarn_err err;
	TRY_GOTO(out, tarn_str_done(&text));
	/* One block: the pointers, then the characters. */
	char **list = tarn_mem_alloc(count * sizeof *list + text.len);
	if (!list) {
		err = tarn_err_nomem(text.len);
		goto out;
	}
	char *p = (char *)(list + count);
	if (text.len)
		memcpy(p, text.at, text.len);
	for (size_t i = 0; i < count; i++, p += strlen(p) + 1)
		list[i] = p;
	qsort(list, count, sizeof *list, by_name);
	*names = list;
	*n = count;
out:
	tarn_str_fini(&text);
	return err;
}
