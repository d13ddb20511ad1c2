/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports as one HTML file: a style sheet, a few drawing functions, a script for the kind of report, and the very JSON the
 * command prints, which the script draws. Nothing is fetched, nothing is sent. The parts stand in pages/ and are built into the
 * command.
 */
#ifndef TARN_TOOL_PAGE_H
#define TARN_TOOL_PAGE_H

#include "say.h"

/* JSON collected in memory: page_begin, json_... as for stdout, then page_write. */
typedef struct page {
	json j;
	char *text;
	size_t size;
} page;
int page_begin(const char *command, page *p);
/* kind: the script pages/<kind>.js draws it. Written beside `path` and then renamed. Ends p in any case. 0, or an exit code
 * after its message. */
int page_write(const char *command, page *p, const char *kind, const char *title, const char *path);
void page_drop(page *p);

#endif
