/* SPDX-License-Identifier: Apache-2.0 */
/* Raw frames as tarn bench --stdin reads them: FORMAT:WxH, a new line, and what arrives. A byte before each piece says how long
 * it is, so that reads come short; the input ends wherever the data does. */
#include "fuzz.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "say.h"

enum { WORKERS = 2, BATCH = 2, MOST_READS = 64, PIECE = 64 };

/* Each packet is one read. What finds no room is as if it had not been sent. */
static void send_pieces(int fd, const uint8_t *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t n = 1 + (size_t)data[at] * PIECE;
		at++;
		n = n < size - at ? n : size - at;
		if (n && send(fd, data + at, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
		at += n;
	}
}

static void read_all(frames *f, float *dst)
{
	for (int i = 0; i < MOST_READS && !frames_read(f, i % WORKERS); i++)
		for (int k = 0; k < BATCH; k++)
			(void)frames_prepare(f, i % WORKERS, k, dst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const atomic_int go_on = 0;
	static float dst[3 * 8 * 6];
	char spec[64];
	int pair[2];
	int64_t dims[] = {1, 3, 8, 6};
	const tarn_data_options_t prep = {.scale = {1, 1, 1}};
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	size_t n = line ? (size_t)(line - data) : size;
	if (n >= sizeof spec || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return 0;
	memcpy(spec, data, n);
	spec[n] = 0;
	if (line)
		send_pieces(pair[1], line + 1, size - n - 1);
	close(pair[1]);
	frames *f = NULL;
	const frames_source from = {"fuzz", spec, pair[0], &go_on};
	say_nothing(true);
	if (!frames_open(&from, WORKERS, BATCH, F32, &(ov_shape_t){4, dims}, &prep, &f)) {
		read_all(f, dst);
		frames_close(f);
	}
	say_nothing(false);
	close(pair[0]);
	return 0;
}
