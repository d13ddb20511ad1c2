/* SPDX-License-Identifier: Apache-2.0 */
#include "base/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

/* Files of /proc come in pieces. */
static bool read_text(const char *path, char *out, size_t size)
{
	/* A pipe in place of a file must not be waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	size_t len = 0;
	ssize_t n;
	do {
		n = read(fd, out + len, size - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && len < size - 1) || (n < 0 && errno == EINTR));
	close(fd);
	out[len] = 0;
	return n >= 0;
}

bool tarn_probe_line(const char *path, char *out, size_t size)
{
	if (!read_text(path, out, size))
		return false;
	size_t begin = strspn(out, " \t\r\n"), end = begin + strcspn(out + begin, "\n");
	while (end > begin && is_space(out[end - 1]))
		end--;
	memmove(out, out + begin, end - begin);
	out[end - begin] = 0;
	return true;
}

/* What follows "key", blanks and ':' or '='; NULL when the line is another's. */
static char *value_of(char *line, const char *key)
{
	size_t n = strlen(key);
	if (strncmp(line, key, n) != 0)
		return NULL;
	line += n + strspn(line + n, " \t");
	return *line == ':' || *line == '=' ? line + 1 + strspn(line + 1, " \t\"") : NULL;
}

bool tarn_probe_key(const char *path, const char *key, char *out, size_t size)
{
	char *text = tarn_mem_alloc(65536), *save = NULL, *value = NULL;
	if (!text)
		return false;
	if (read_text(path, text, 65536))
		for (char *line = strtok_r(text, "\n", &save); line && !value; line = strtok_r(NULL, "\n", &save))
			value = value_of(line, key);
	if (value) {
		size_t n = strlen(value);
		while (n && (is_space(value[n - 1]) || value[n - 1] == '"'))
			n--;
		snprintf(out, size, "%.*s", (int)n, value);
	}
	tarn_mem_free(text);
	return value != NULL;
}

bool tarn_probe_number(const char *path, int64_t *v)
{
	char text[64], *end;
	if (!tarn_probe_line(path, text, sizeof text) || !*text)
		return false;
	errno = 0;
	long long x = strtoll(text, &end, 0);
	if (*end || errno)
		return false;
	*v = x;
	return true;
}

bool tarn_probe_link(const char *path, char *out, size_t size)
{
	ssize_t n = readlink(path, out, size - 1);
	if (n < 0)
		return false;
	out[n] = 0;
	return true;
}

bool tarn_probe_exists(const char *path)
{
	struct stat st;
	return !stat(path, &st);
}

bool tarn_probe_may_use(const char *path)
{
	return !access(path, R_OK | W_OK);
}

bool tarn_probe_may_list(const char *path)
{
	return !access(path, R_OK | X_OK);
}

bool tarn_probe_group(const char *path, unsigned *id, char *name, size_t size)
{
	struct stat st;
	struct group group, *found = NULL;
	char text[4096];
	if (stat(path, &st))
		return false;
	*id = st.st_gid;
	*name = 0;
	if (!getgrgid_r(st.st_gid, &group, text, sizeof text, &found) && found)
		snprintf(name, size, "%s", found->gr_name);
	return true;
}
