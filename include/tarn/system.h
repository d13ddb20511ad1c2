/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system around the NPU, from the kernel's files: what keeps it from being used, and how busy it is right now, whoever uses
 * it. No driver is loaded and nothing is changed. `root` is "" for this machine, or a folder that holds the copy of another
 * system's files (a container's, a bug report's). Rules as in <tarn/model.h>.
 */
#ifndef TARN_SYSTEM_H
#define TARN_SYSTEM_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

typedef struct tarn_system_finding {
	const char *area; /* static: "kernel", "permission", ... */
	/* Static: "good", "note" (works, worth knowing), "fault" (keeps the NPU from being used), "absent". */
	const char *state;
	char *fact;
	char *fix; /* NULL: nothing to do */
} tarn_system_finding;
typedef struct tarn_system_report {
	tarn_system_finding *at; /* from the processor outwards, in the order things depend on each other */
	size_t size;
} tarn_system_report;
/* The texts hold no names of users or hosts. NOT_FOUND: root is no folder. */
TARN_API ov_status_e tarn_inspect_system(const char *root, tarn_system_report *report);
TARN_API void tarn_free_system_report(tarn_system_report *report);

/* One reading of the kernel's counters of an NPU; -1: this kernel has no such file. Reading does not wake a sleeping device. */
typedef struct tarn_npu_counters {
	char address[32];     /* of the PCI device */
	char generation[48];  /* "Lunar Lake (4000)", or "" */
	char power[16];       /* "active", "suspended", or "" */
	int64_t time_ns;      /* when, on the monotonic clock */
	int64_t busy_us;      /* ever growing: microseconds with at least one job submitted; busy is not full */
	int64_t memory_bytes; /* in buffers of the NPU */
	int64_t clock_mhz;    /* 0: asleep */
	int64_t max_clock_mhz;
} tarn_npu_counters;
/* The index-th NPU, by PCI address. NOT_FOUND: there are fewer. */
TARN_API ov_status_e tarn_read_npu_counters(const char *root, size_t index, tarn_npu_counters *counters);
/* Share (0..1) of the time between two readings with jobs submitted; NAN when the counter is missing or was reset. */
TARN_API double tarn_npu_busy_share(const tarn_npu_counters *from, const tarn_npu_counters *to);

/* Processes that have the index-th NPU open. */
typedef struct tarn_npu_process {
	int pid;
	char name[64];
} tarn_npu_process;
/* Writes at most *size of them to at, and how many to *size. *hidden: processes this user may not look into. */
TARN_API ov_status_e tarn_list_npu_processes(const char *root, size_t index, tarn_npu_process *at, size_t *size, int *hidden);

/* 1e9 bytes a second at which that many threads (0: one for each processor) together read as many bytes over and over, the size
 * rounded up to a power of two, 1 MB to 256 MB: what the caches hold comes faster than memory. Measured here at the first call,
 * which takes up to some tenths of a second; afterwards it is known. */
TARN_API ov_status_e tarn_measure_memory(size_t bytes, int threads, double *gbps);

#ifdef __cplusplus
}
#endif
#endif
