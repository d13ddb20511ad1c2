/* SPDX-License-Identifier: Apache-2.0 */
/* Where time went: of one inference, of loading a model, and counters of the process. Rules as in <tarn/model.h>. */
#ifndef TARN_PROFILE_H
#define TARN_PROFILE_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

/* The last inference of a request. Times in milliseconds of the host's clock; together at most `total`. */
typedef struct tarn_request_times {
	double total;
	double wait;    /* for a free stream */
	double copy_in; /* of tensors in memory the device cannot read */
	double device;  /* running */
	double copy_out;
	double device_ms;            /* the time the device itself reports; NAN: it does not */
	bool device_modelled;        /* that one, and the next two, come from a timing model */
	double mac_share, ddr_share; /* of the device's peaks, over device_ms; NAN: it does not report them */
	int64_t copies, copy_bytes;
	double device_band; /* a modelled device_ms: the fraction of it the truth may lie away; NAN: not known */
	double ddr_bytes;   /* read and written in memory, modelled with device_ms; NAN: it does not report them */
} tarn_request_times;
/* REQUEST_BUSY while it runs. */
TARN_API ov_status_e tarn_get_request_times(const ov_infer_request_t *request, tarn_request_times *times);

/* Layers of the last inference, in execution order; empty unless it ran with PERF_COUNT. */
typedef struct tarn_layer_info {
	char *name;                         /* the node, as in the file (of a fused group: the last) */
	char *type;                         /* operator */
	char *engine;                       /* kernel or engine */
	double ms;                          /* modelled when tarn_request_times.device_modelled */
	double active_cycles, stall_cycles; /* NAN: not known */
} tarn_layer_info;
typedef struct tarn_layer_list {
	tarn_layer_info *at;
	size_t size;
} tarn_layer_list;
TARN_API ov_status_e tarn_list_layers(const ov_infer_request_t *request, tarn_layer_list *layers);
TARN_API void tarn_free_layers(tarn_layer_list *layers);

typedef struct tarn_load_info {
	int compilations;        /* how often a compiler ran for this model */
	const char *cache_level; /* "none", "runtime" or "driver": where the compiled form came from; static */
	bool cache_hit;
	size_t notes; /* things that happened on the way, such as fallbacks */
} tarn_load_info;
TARN_API ov_status_e tarn_get_load_info(const ov_compiled_model_t *compiled_model, tarn_load_info *info);
/* Text for ov_free. */
TARN_API ov_status_e tarn_get_load_note(const ov_compiled_model_t *compiled_model, size_t index, char **note);

/* A counter of this process by its word ("compilations", "cache_hits", "copies" ...). */
TARN_API ov_status_e tarn_get_counter(const char *word, int64_t *value);

#ifdef __cplusplus
}
#endif
#endif
