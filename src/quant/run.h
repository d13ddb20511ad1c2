/* SPDX-License-Identifier: Apache-2.0 */
/* Inside quant: running a model over samples and looking at its values. */
#ifndef TARN_QUANT_RUN_H
#define TARN_QUANT_RUN_H

#include "quant/plan.h"
#include "rt/request.h"

/* Options whose samples are read once and kept, while they fit into a budget. The originals must stay. */
typedef struct quant_cache {
	tarn_quant_options o; /* to be used instead */
	const tarn_quant_options *from;
	size_t n_in, left; /* inputs of the model; bytes that may still be kept */
	tarn_tensor *kept; /* samples x inputs; type NONE: not kept */
	size_t *order;     /* by sample: its number among the original's; NULL: the same */
} quant_cache;
TARN_MUST tarn_err tarn_quant_cache_init(quant_cache *c, const tarn_quant_options *o, size_t n_in);
void tarn_quant_cache_fini(quant_cache *c);

/* Which samples: n of them, `step` apart. */
typedef struct quant_slice {
	size_t first, step, n;
} quant_slice;
/* At most `most` samples, spread evenly; with part 1 others than with part 0 as far as there are enough. */
quant_slice tarn_quant_slice(const tarn_quant_options *o, size_t most, int part);

/* How many samples may be looked at with so many multiply-accumulates: 16 to `most`. */
size_t tarn_quant_samples_for(const quant_plan *p, double macs, size_t most);

/* Runs m with the n values `which` (by id) as its outputs, or with its own when n is 0, and shows each sample's request to
 * see(). */
typedef tarn_err quant_see(void *ctx, size_t i, tarn_request *r);
TARN_MUST tarn_err tarn_quant_run(const tarn_model *m, const int *which, int n, const tarn_quant_options *o, quant_slice slice,
				  const char *what, quant_see *see, void *ctx);

/* The same one sample at a time: values of the last one run stay in `request` until the next. */
typedef struct quant_runner {
	const tarn_quant_options *o;
	tarn_program *program;
	tarn_request *request;
} quant_runner;
TARN_MUST tarn_err tarn_quant_runner_init(quant_runner *x, const tarn_model *m, const int *which, int n,
					  const tarn_quant_options *o);
/* Sample number i of the options. */
TARN_MUST tarn_err tarn_quant_runner_run(quant_runner *x, size_t i);
void tarn_quant_runner_fini(quant_runner *x);

/* The values of q called as those values of m. */
TARN_MUST tarn_err tarn_quant_same_values(const tarn_model *m, const int *which, int n, const tarn_model *q, int *same);

#endif
