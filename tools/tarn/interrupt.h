/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ctrl-C. A command that says nothing else ends at once, with one line and exit code 1 (cli: failed while running); files are
 * written beside and renamed, so none is left half-written. A command that can stop in between watches for it. A second Ctrl-C
 * always ends the program.
 */
#ifndef TARN_TOOL_INTERRUPT_H
#define TARN_TOOL_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* For main: from now on an interrupt ends the command. */
void interrupt_begin(const char *command, bool json);
/* From now on, until interrupt_unwatch, the first interrupt sets *flag (to 1) and no more. */
void interrupt_watch(atomic_int *flag);
void interrupt_unwatch(void);
/* Until interrupt_unwatch, interrupts are the child's affair: those of a terminal reach it anyway, others are passed on. */
void interrupt_pass_to(pid_t child);

#endif
