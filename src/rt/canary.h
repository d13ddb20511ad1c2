/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canaries: a few inputs that travel in a model's metadata. Wherever the model is compiled they run there and on a reference,
 * the CPU for other devices; outputs that differ by more than a tenth are an event of the program (tarn_program_note), which
 * names the first layer that differs. A device that compiles a model and computes something else is found before its user's
 * results are.
 *
 * Only inputs are stored: what is right, the reference says each time, for whatever became of the model meanwhile. Floats are
 * kept in 256 steps, for a canary need not be exact; the text is checked when it is read.
 */
#ifndef TARN_RT_CANARY_H
#define TARN_RT_CANARY_H

#include "ir/graph.h"
#include "rt/device.h"

enum { TARN_CANARIES = 2, TARN_CANARIES_MOST = 16 }; /* samples worth storing, and that a model may have */
#define TARN_CANARY_DB 20.0 /* signal to difference that a device must reach: a tenth of the outputs' size */

/* Puts n samples of the model's inputs (in[sample * inputs + i]) into its metadata, in place of those that are there. As many
 * as stay small are kept, none when the first one is too large: *kept. */
TARN_MUST tarn_err tarn_canary_put(tarn_model *m, const tarn_tensor *in, size_t n, size_t *kept);
/* The samples: *in is n * inputs tensors, for tarn_canary_free. n 0: there are none. TARN_BAD_FILE: damaged. */
TARN_MUST tarn_err tarn_canary_get(const tarn_model *m, tarn_tensor **in, size_t *n);
void tarn_canary_free(const tarn_model *m, tarn_tensor *in, size_t n);

/* Runs m's canaries on p, which was compiled from m or read back, and on `reference`, compiled anew. Fills p->canary. Nothing
 * happens without canaries and where they do not fit the program's sizes. Metadata that cannot be read is a note, too. */
TARN_MUST tarn_err tarn_canary_check(const tarn_model *m, tarn_program *p, tarn_device *reference);

#endif
