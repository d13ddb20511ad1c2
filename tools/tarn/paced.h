/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated NPU in paced mode: it takes its modelled time on the wall clock, so that the host's side is measured for real.
 * The mode belongs to a whole process and comes by its environment, so a child gets one; this process's stays as it is. */
#ifndef TARN_TOOL_PACED_H
#define TARN_TOOL_PACED_H

#include <stdbool.h>

/* Is this process to be paced? */
bool paced_here(void);
/* Runs `tarn command argv...` in a child that is; its exit code. */
int paced_run(const char *command, int argc, char **argv);

#endif
