/* SPDX-License-Identifier: Apache-2.0 */
/* Raw frames on standard input, prepared by several workers: --stdin nv12:1280x720. */
#ifndef TARN_TOOL_FRAMES_H
#define TARN_TOOL_FRAMES_H

#include <signal.h>

#include "tarn/pipeline.h"

typedef struct frames frames;

/* `spec` is FORMAT:WxH. Each worker has a preparer of its own for an input of that type and shape. `stop`: set by a signal,
 * ends the waiting for input. 0, or an exit code after its message. */
int frames_open(const char *command, const char *spec, long workers, ov_element_type_e type, const ov_shape_t *shape,
		const tarn_data_options_t *prep, const volatile sig_atomic_t *stop, frames **out);
void frames_close(frames *f);
/* The next frame, prepared into dst. FRAMES_END when there is none, 0, or an exit code after its message. From any thread;
 * workers read one after the other and prepare side by side. */
enum { FRAMES_END = -1 };
int frames_fill(frames *f, long worker, void *dst);

#endif
