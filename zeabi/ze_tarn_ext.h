/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two Level Zero extensions of our own, advertised by the simulated NPU's driver and by no other.
 *
 * "ZE_extension_tarn_simulated": its presence, and nothing else, tells a program that the device's figures are modelled and not
 * measured. Its table says how the simulation runs and counts what the driver did.
 * "ZE_extension_tarn_estimate": IR in, the modelled time of every layer with its error band out. Absent on hardware, where such
 * figures are unknown.
 * Both tables come from zeDriverGetExtensionFunctionAddress and grow at their end only.
 */
#ifndef ZEABI_ZE_TARN_EXT_H
#define ZEABI_ZE_TARN_EXT_H

#include <stddef.h>
#include <stdint.h>

#include <level_zero/ze_api.h>

#include "zeabi/ze_graph_ext.h"

#define ZE_TARN_SIMULATED_EXT_NAME "ZE_extension_tarn_simulated"
#define ZE_TARN_ESTIMATE_EXT_NAME "ZE_extension_tarn_estimate"
#define ZE_TARN_EXT_VERSION_1_0 ZE_MAKE_VERSION(1, 0)
#define ZE_TARN_EXT_VERSION_1_1 ZE_MAKE_VERSION(1, 1) /* pfnGraphGetShares */
#define ZE_TARN_EXT_VERSION_1_2 ZE_MAKE_VERSION(1, 2) /* pfnGraphGetAccount */
#define ZE_TARN_EXT_VERSION_1_3 ZE_MAKE_VERSION(1, 3) /* pfnGraphGetOverflow */

typedef enum ze_tarn_mode_t {
	ZE_TARN_MODE_EXACT = 0, /* outputs are computed; no relation to wall-clock time */
	ZE_TARN_MODE_PACED = 1  /* outputs are filled with 0xA5; each command takes its modelled time on the wall clock */
} ze_tarn_mode_t;

typedef struct ze_tarn_device_state_t {
	size_t size;       /* in: sizeof of the caller's structure */
	uint32_t platform; /* 3720, 4000 */
	uint32_t tiles;
	ze_tarn_mode_t mode;
	uint32_t threads;    /* of the executor in exact mode */
	uint64_t clock_ns;   /* the modelled clock; reading it does not move it */
	uint64_t busy_us;    /* modelled time with work, since the driver started */
	uint64_t submitted;  /* command lists accepted */
	uint64_t compiled;   /* graphs compiled by this process */
	uint64_t cache_hits; /* graphs taken from the driver's cache */
	uint64_t cache_stored;
	uint64_t cache_damaged; /* entries found damaged, dropped, and compiled again */
	uint64_t cache_evicted;
} ze_tarn_device_state_t;

/* One inference of a compiled graph, modelled: its time, what its multiply-accumulates and its DDR transfers would take of it
 * at the device's peaks, and the band of the time as in ze_tarn_graph_estimate_t. All times 0: not known. */
typedef struct ze_tarn_graph_shares_t {
	size_t size; /* in: sizeof of the caller's structure */
	uint64_t total_ns, mac_ns, ddr_ns;
	float band_low, band_high;
	uint64_t ddr_bytes; /* read and written, to within a nanosecond's worth */
} ze_tarn_graph_shares_t;

/* Where the modelled time of one inference goes: total = fixed + dpu + shave + copy + stalls, to within a nanosecond a layer.
 * The first four of the products' times are what the array would take for them alone on the tiles and at the clock in use: all
 * on 8 bits; each in its precision; with channels padded. All 0: not known. */
typedef struct ze_tarn_graph_account_t {
	size_t size; /* in: sizeof of the caller's structure */
	uint32_t device_tiles, tiles, layers;
	float mhz, mhz_highest;
	uint64_t total_ns, fixed_ns, dpu_ns, shave_ns, copy_ns, stall_weights_ns, stall_inputs_ns, stall_stores_ns;
	uint64_t int8_ns, mixed_ns, padded_ns;
	uint64_t recurrent_ns; /* of shave and dpu: steps that wait for each other */
	uint64_t macs, macs_int8;
	uint64_t weight_bytes, load_bytes, store_bytes; /* DDR: constants; activations read; written */
	uint64_t free_bandwidth_ns, free_compute_ns;    /* the total if transfers, or engines, took no time */
	uint64_t ddr_arena_bytes,
		spill_bytes; /* DDR for activations that CMX has no room for: planned, shared over time; their sum */
} ze_tarn_graph_account_t;

typedef struct ze_tarn_simulated_dditable_t {
	ze_result_t(ZE_APICALL *pfnDeviceGetState)(ze_device_handle_t device, ze_tarn_device_state_t *state);
	/* 1.1 */
	ze_result_t(ZE_APICALL *pfnGraphGetShares)(ze_graph_handle_t graph, ze_bool_t turbo, ze_tarn_graph_shares_t *shares);
	/* 1.2 */
	ze_result_t(ZE_APICALL *pfnGraphGetAccount)(ze_graph_handle_t graph, ze_bool_t turbo, ze_tarn_graph_account_t *account);
	/* 1.3: the first node whose values became infinite in FP16 when the graph was executed; an empty text when none did.
	 * text NULL: *size becomes the bytes it needs, its NUL included; otherwise at most *size are written. */
	ze_result_t(ZE_APICALL *pfnGraphGetOverflow)(ze_graph_handle_t graph, uint32_t *size, char *text);
} ze_tarn_simulated_dditable_t;

/* A layer of an estimate. Times are modelled; the band is a fraction, so that the truth is expected in [ns*(1-low),
 * ns*(1+high)]. */
typedef struct ze_tarn_layer_estimate_t {
	char name[256];
	char type[48];
	uint64_t total_ns; /* time on the critical path */
	uint64_t dpu_ns, shave_ns, dma_ns;
	uint64_t macs;
	uint64_t ddr_bytes;
	float band_low, band_high;
} ze_tarn_layer_estimate_t;

typedef struct ze_tarn_graph_estimate_t {
	size_t size; /* in: sizeof of the caller's structure */
	uint64_t total_ns;
	uint64_t macs;
	uint64_t ddr_bytes;
	float band_low, band_high;
	float peak_tops_int8, peak_tops_fp16, peak_gbps; /* of the platform, at the clock asked for */
	uint64_t ddr_arena_bytes, spill_bytes;           /* as in ze_tarn_graph_account_t */
} ze_tarn_graph_estimate_t;

typedef struct ze_tarn_estimate_dditable_t {
	/* `input` has the layout of ZE_GRAPH_FORMAT_NGRAPH_LITE, `build_flags` the grammar of ze_graph_desc_t. layers NULL:
	 * *count becomes the number of layers; otherwise at most *count are written and *count becomes how many were. On
	 * failure pfnBuildLogGetString(NULL, ...) of the graph extension has the sentence. */
	ze_result_t(ZE_APICALL *pfnGraphEstimate)(ze_device_handle_t device, size_t input_size, const uint8_t *input,
						  const char *build_flags, ze_tarn_graph_estimate_t *graph, uint32_t *count,
						  ze_tarn_layer_estimate_t *layers);
} ze_tarn_estimate_dditable_t;

/* A setting of the driver for a caller that loads it without a loader: "platform" ("3720", "4000"), "mode" ("exact", "paced"),
 * "threads". Exported by libze_tarn_npu.so under this name; must be called before the first zeInit and wins over the
 * environment. INVALID_ARGUMENT for what is not allowed, HANDLE_OBJECT_IN_USE after zeInit. */
#define ZE_TARN_CONFIGURE_NAME "zexTarnConfigure"
typedef ze_result_t(ZE_APICALL *ze_tarn_pfnConfigure_t)(const char *key, const char *value);

#endif
