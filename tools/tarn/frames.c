/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

enum { STOP_MS = 100 }; /* how long a signal may go unnoticed while input is awaited */

enum { MOST_MB = 1024 }; /* of frames in memory, for all workers together */

struct frames {
	frames_source from;
	char format[16];
	int width, height;
	size_t bytes; /* of a frame */
	long batch;
	bool ended;
	long n;
	struct {
		tarn_preparer_t *preparer;
		char *frame; /* batch of them */
	} * worker;
};

static int parse(frames *f)
{
	char end;
	if (sscanf(f->from.spec, "%15[^:]:%dx%d%c", f->format, &f->width, &f->height, &end) != 3)
		return fail(2, f->from.command, "--stdin cannot be '%s'; write FORMAT:WxH, such as nv12:1280x720",
			    f->from.spec);
	return tarn_get_frame_size(f->format, f->width, f->height, &f->bytes) == OK ? 0 : fail_last(f->from.command);
}

static int open_worker(frames *f, ov_element_type_e type, const ov_shape_t *shape, const tarn_data_options_t *prep)
{
	f->worker[f->n].frame = malloc(f->bytes * (size_t)f->batch);
	if (!f->worker[f->n].frame)
		return fail(1, f->from.command, "out of memory for %ld frames of %zu bytes", f->batch, f->bytes);
	bool opened = tarn_open_preparer(type, *shape, prep, &f->worker[f->n++].preparer) == OK;
	return opened ? 0 : fail_last(f->from.command);
}

int frames_open(const frames_source *from, long workers, long batch, ov_element_type_e type, const ov_shape_t *shape,
		const tarn_data_options_t *prep, frames **out)
{
	frames *f = calloc(1, sizeof *f);
	if (!f)
		return fail(1, from->command, "out of memory");
	f->from = *from;
	f->batch = batch;
	int code = parse(f);
	if (!code && f->bytes > ((size_t)MOST_MB << 20) / (size_t)(workers * batch))
		code = fail(2, from->command,
			    "%ld workers with %ld frames of %zu bytes each take more than %d MB; use smaller frames, or fewer "
			    "-workers",
			    workers, batch, f->bytes, MOST_MB);
	f->worker = calloc((size_t)workers, sizeof *f->worker);
	if (!code && !f->worker)
		code = fail(1, from->command, "out of memory");
	while (!code && f->n < workers)
		code = open_worker(f, type, shape, prep);
	if (code)
		frames_close(f);
	else
		*out = f;
	return code;
}

void frames_close(frames *f)
{
	if (!f)
		return;
	for (long i = 0; i < f->n; i++) {
		tarn_close_preparer(f->worker[i].preparer);
		free(f->worker[i].frame);
	}
	free(f->worker);
	free(f);
}

/* Bytes read; fewer than wanted at the end of the input, or after a signal. -1: reading failed. */
static ssize_t read_all(const frames *f, char *to, size_t want)
{
	size_t n = 0;
	while (n < want && !*f->from.stop) {
		struct pollfd p = {.fd = f->from.fd, .events = POLLIN};
		int ready = poll(&p, 1, STOP_MS);
		if (ready < 0 && errno != EINTR)
			return -1;
		if (ready <= 0)
			continue;
		ssize_t got = read(f->from.fd, to + n, want - n);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)n;
}

int frames_read(frames *f, long worker)
{
	size_t want = f->bytes * (size_t)f->batch;
	if (f->ended)
		return FRAMES_END;
	ssize_t n = read_all(f, f->worker[worker].frame, want);
	if (n == (ssize_t)want)
		return 0;
	f->ended = true;
	if (n < 0)
		return fail(1, f->from.command, "standard input cannot be read: %s", strerror(errno));
	if ((size_t)n % f->bytes && !*f->from.stop)
		note("the last %zu bytes of standard input are no whole frame of %zu; check --stdin's format and size",
		     (size_t)n % f->bytes, f->bytes);
	return FRAMES_END;
}

int frames_prepare(frames *f, long worker, long k, void *dst)
{
	const char *frame = f->worker[worker].frame + (size_t)k * f->bytes;
	if (tarn_prepare_frame(f->worker[worker].preparer, f->format, f->width, f->height, frame, f->bytes, dst) == OK)
		return 0;
	return fail_last(f->from.command);
}
