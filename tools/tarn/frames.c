/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

enum { STOP_MS = 100 }; /* how long a signal may go unnoticed while input is awaited */

struct frames {
	const char *command;
	char format[16];
	int width, height;
	size_t bytes;
	const volatile sig_atomic_t *stop;
	pthread_mutex_t lock; /* of standard input and `ended` */
	bool ended;
	long n;
	struct {
		tarn_preparer_t *preparer;
		void *frame;
	} * worker;
};

static int parse(frames *f, const char *spec)
{
	char end;
	if (sscanf(spec, "%15[^:]:%dx%d%c", f->format, &f->width, &f->height, &end) != 3)
		return fail(2, f->command, "--stdin cannot be '%s'; write FORMAT:WxH, such as nv12:1280x720", spec);
	return tarn_get_frame_size(f->format, f->width, f->height, &f->bytes) == OK ? 0 : fail_last(f->command);
}

int frames_open(const char *command, const char *spec, long workers, ov_element_type_e type, const ov_shape_t *shape,
		const tarn_data_options_t *prep, const volatile sig_atomic_t *stop, frames **out)
{
	frames *f = calloc(1, sizeof *f);
	if (!f)
		return fail(1, command, "out of memory");
	f->command = command;
	f->stop = stop;
	pthread_mutex_init(&f->lock, NULL);
	int code = parse(f, spec);
	f->worker = calloc((size_t)workers, sizeof *f->worker);
	for (; !code && f->worker && f->n < workers; f->n++) {
		f->worker[f->n].frame = malloc(f->bytes);
		if (!f->worker[f->n].frame)
			code = fail(1, command, "out of memory for a frame of %zu bytes", f->bytes);
		else if (tarn_open_preparer(type, *shape, prep, &f->worker[f->n].preparer) != OK)
			code = fail_last(command);
	}
	if (!code && !f->worker)
		code = fail(1, command, "out of memory");
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
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* Bytes read; fewer than wanted at the end of the input, or after a signal. -1: reading failed. */
static ssize_t read_all(const frames *f, char *to)
{
	size_t n = 0;
	while (n < f->bytes && !*f->stop) {
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
		int ready = poll(&p, 1, STOP_MS);
		if (ready < 0 && errno != EINTR)
			return -1;
		if (ready <= 0)
			continue;
		ssize_t got = read(STDIN_FILENO, to + n, f->bytes - n);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)n;
}

/* The lock is held. */
static int next_frame(frames *f, char *to)
{
	if (f->ended)
		return FRAMES_END;
	ssize_t n = read_all(f, to);
	if (n == (ssize_t)f->bytes)
		return 0;
	f->ended = true;
	if (n < 0)
		return fail(1, f->command, "standard input cannot be read: %s", strerror(errno));
	if (n > 0 && !*f->stop)
		note("the last %zd bytes of standard input are no whole frame of %zu; check --stdin's format and size", n,
		     f->bytes);
	return FRAMES_END;
}

int frames_fill(frames *f, long worker, void *dst)
{
	pthread_mutex_lock(&f->lock);
	int code = next_frame(f, f->worker[worker].frame);
	pthread_mutex_unlock(&f->lock);
	if (!code && tarn_prepare_frame(f->worker[worker].preparer, f->format, f->width, f->height, f->worker[worker].frame,
					f->bytes, dst) != OK)
		code = fail_last(f->command);
	return code;
}
