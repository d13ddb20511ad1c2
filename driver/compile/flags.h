/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build flags of a graph: what Level Zero passes to the compiler as one line of text,
 *   --inputs_precisions="0:FP16 1:FP32" --inputs_layouts="0:NCHW" --outputs_precisions="0:FP32" --outputs_layouts="0:NC"
 *   --config KEY="VALUE" KEY2="VALUE WITH SPACES"
 * parsed and checked against the table of options. Every part is optional. Owns its memory; immutable once parsed.
 */
#ifndef TARN_DRIVER_COMPILE_FLAGS_H
#define TARN_DRIVER_COMPILE_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "zeabi/ze_graph_ext.h"

/* For experiments: parts of the machine that take no time. */
typedef enum tarn_cc_what_if { TARN_CC_AS_IS, TARN_CC_FREE_BANDWIDTH, TARN_CC_FREE_COMPUTE } tarn_cc_what_if;
typedef enum tarn_cc_hint { TARN_CC_LATENCY, TARN_CC_THROUGHPUT } tarn_cc_hint;
typedef enum tarn_cc_mode { TARN_CC_AUTO, TARN_CC_PERFORMANCE, TARN_CC_ACCURACY } tarn_cc_mode;

/* An interface tensor named in the flags: by index, or by friendly name (older callers) with index -1. */
typedef struct tarn_cc_io {
	const char *name;
	int index;
	ze_graph_argument_precision_t precision; /* UNKNOWN: not given, keep the model's */
	ze_graph_argument_layout_t layout;       /* ANY: not given */
} tarn_cc_io;

typedef struct tarn_cc_pair {
	const char *key, *value;
} tarn_cc_pair;

typedef struct tarn_cc_flags {
	tarn_arena mem;
	tarn_cc_io *input, *output;
	uint32_t n_inputs, n_outputs;
	tarn_cc_pair *config; /* as given, in order */
	uint32_t n_config;
	/* The options the compiler acts on. */
	bool profiling;          /* PERF_COUNT */
	bool turbo;              /* NPU_TURBO */
	int tiles;               /* NPU_TILES; 0: the compiler chooses by the hint */
	int platform;            /* NPU_PLATFORM; 0: the device's */
	tarn_cc_hint hint;       /* PERFORMANCE_HINT */
	tarn_cc_mode mode;       /* EXECUTION_MODE_HINT; f16 asked for: PERFORMANCE; AUTO: neither given */
	int optimization_level;  /* NPU_COMPILATION_MODE_PARAMS optimization-level=, 1 by default */
	tarn_cc_what_if what_if; /* NPU_COMPILATION_MODE_PARAMS what-if=free-bandwidth or free-compute */
} tarn_cc_flags;

/* TARN_USAGE naming the offending part; an option or value outside the table is one. text NULL = empty. */
TARN_MUST tarn_err tarn_cc_flags_parse(const char *text, tarn_cc_flags *flags);
void tarn_cc_flags_fini(tarn_cc_flags *flags);
/* The value of a config key, or NULL. */
const char *tarn_cc_flags_find(const tarn_cc_flags *flags, const char *key);

/* Names of all compiler options, separated by spaces; static. */
const char *tarn_cc_option_names(void);
/* value NULL: is the option known at all? */
bool tarn_cc_option_supported(const char *key, const char *value);

#endif
