/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool tarn_file_get_info(const char *path, tarn_file_info *info)
{
	struct stat st;
	if (lstat(path, &st))
		return false;
	*info = (tarn_file_info){.size = (uint64_t)st.st_size,
				 .accessed_ns = (int64_t)st.st_atim.tv_sec * 1000000000 + st.st_atim.tv_nsec,
				 .modified_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
				 .regular = S_ISREG(st.st_mode)};
	return true;
}

void tarn_file_touch(const char *path)
{
	struct timespec t[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
	(void)!utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW);
}

tarn_err tarn_file_remove(const char *path)
{
	CHECK(!unlink(path) || errno == ENOENT, TARN_IO, "%s: cannot be removed: %s", path, strerror(errno));
	return TARN_OK;
}

tarn_err tarn_file_lock(const char *path, int *lock)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0, TARN_IO, "%s: cannot be locked: %s", path, strerror(errno));
	while (flock(fd, LOCK_EX))
		if (errno != EINTR) {
			int why = errno;
			close(fd);
			return tarn_err_set(TARN_IO, "%s: cannot be locked: %s", path, strerror(why));
		}
	*lock = fd;
	return TARN_OK;
}

void tarn_file_unlock(int lock)
{
	close(lock);
}
