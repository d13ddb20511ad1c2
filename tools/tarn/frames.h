/* SPDX-License-Identifier: Apache-2.0 */
/* Raw frames on standard input, prepared by several workers: --stdin nv12:1280x720. */
#ifndef TARN_TOOL_FRAMES_H
#define TARN_TOOL_FRAMES_H

#include <stdatomic.h>

#include "tarn/pipeline.h"

typedef struct frames frames;

typedef struct frames_source {
	const char *command;    /* for messages */
	const char *spec;       /* FORMAT:WxH */
	int fd;                 /* of standard input */
	const atomic_int *stop; /* set by a signal, ends the waiting for input */
} frames_source;

/* Each worker has room for `batch` frames and a preparer of its own for an input of that type and shape. 0, or an exit code
 * after its message. */
int frames_open(const frames_source *from, long workers, long batch, ov_element_type_e type, const ov_shape_t *shape,
		const tarn_data_options_t *prep, frames **out);
void frames_close(frames *f);
/* The next frames, a batch of them, into the worker's memory; by one worker at a time. FRAMES_END when there are no more, 0, or
 * an exit code after its message. */
enum { FRAMES_END = -1 };
int frames_read(frames *f, long worker);
/* Frame k of those the worker has read, prepared into dst. Workers prepare side by side. */
int frames_prepare(frames *f, long worker, long k, void *dst);

#endif
