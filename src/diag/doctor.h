/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything between a program and the NPU, looked at from outside and in order: processor, kernel, PCI device, kernel driver,
 * firmware, device node, container, libraries, caches, power. One finding a line, each fault with its fix. Nothing is changed
 * and no driver is loaded; what a driver itself says is the caller's to add.
 *
 * Texts hold no user name, host name or serial number: a report can be posted.
 */
#ifndef TARN_DIAG_DOCTOR_H
#define TARN_DIAG_DOCTOR_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/vec.h"

typedef enum tarn_finding_state {
	TARN_FINDING_GOOD,
	TARN_FINDING_NOTE,  /* works, and is worth knowing */
	TARN_FINDING_FAULT, /* keeps the NPU from being used */
	TARN_FINDING_ABSENT /* not there, and nothing to mend */
} tarn_finding_state;

typedef struct tarn_finding {
	const char *area; /* static */
	tarn_finding_state state;
	const char *fact;
	const char *fix; /* NULL: nothing to do */
} tarn_finding;

/* Everything in it belongs to the arena. */
typedef struct tarn_findings {
	tarn_arena arena;
	VEC(tarn_finding) list;
	bool failed; /* memory was short: reported by tarn_doctor_look */
} tarn_findings;
void tarn_findings_fini(tarn_findings *f);

/* root: as in npu_files.h. TARN_BAD_FILE when it is no folder. */
TARN_MUST tarn_err tarn_doctor_look(const char *root, tarn_findings *f);

#endif
