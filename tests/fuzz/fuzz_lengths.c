/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of lengths, as numbers a line or as an npy, through a file of their own. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tarn/buckets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/tarn-lengths-XXXXXX";
	int fd = mkstemp(path);
	int64_t *lengths;
	size_t n;
	if (fd < 0)
		return 0;
	bool written = write(fd, data, size) == (ssize_t)size;
	close(fd);
	if (written && tarn_read_lengths(path, &lengths, &n) == OK) {
		if (!n)
			abort();
		for (size_t i = 0; i < n; i++)
			if (lengths[i] < 1)
				abort();
		ov_free((char *)lengths);
	}
	unlink(path);
	return 0;
}
