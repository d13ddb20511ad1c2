/* SPDX-License-Identifier: Apache-2.0 */
/* Weight-only quantization on the command line. */
#ifndef TARN_TOOL_COMPRESS_H
#define TARN_TOOL_COMPRESS_H

#include "session.h"

/* Compresses s->model as --weights and --group say, writes it and shows what became of each product. 0, or an exit code after
 * its message. */
int compress(const session *s);

#endif
