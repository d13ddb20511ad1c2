/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel NPUs as the kernel's files show them: the PCI device, its driver, its counters. Read-only; nothing is opened that would
 * wake a sleeping device. Every path is taken below `root`: "" on this machine, a folder for the copy of another system.
 */
#ifndef TARN_DIAG_NPU_FILES_H
#define TARN_DIAG_NPU_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tarn_npu_files {
	char root[1024];
	char address[32];       /* of the PCI device: "0000:00:0b.0" */
	char folder[1280];      /* /sys/bus/pci/devices/<address>, root included */
	char driver[32];        /* kernel driver bound to it; "" none */
	char node[64];          /* "/dev/accel/accel0", root not included; "" none */
	int64_t device_id;      /* PCI device number, 0x7d1d ... */
	const char *generation; /* "Meteor Lake (3720)"; NULL: not known to this version */
} tarn_npu_files;

/* The i-th NPU by PCI address; false when there are fewer. */
bool tarn_npu_files_find(const char *root, int i, tarn_npu_files *npu);

/* What the kernel counts. -1: the file is missing (older kernels have fewer). */
typedef struct tarn_npu_reading {
	int64_t t_ns;         /* when it was read, tarn_clock_ns */
	int64_t busy_us;      /* ever growing: time with at least one job submitted */
	int64_t memory_bytes; /* in buffers of the NPU */
	int64_t mhz, max_mhz; /* 0 MHz: suspended */
	char power[16];       /* "active", "suspended"; "" unknown */
} tarn_npu_reading;
void tarn_npu_files_read(const tarn_npu_files *npu, tarn_npu_reading *r);
/* Share of the time between two readings in which jobs were submitted, 0..1; NAN when the counter is missing, stood still in
 * time or ran backwards (the device was reset). */
double tarn_npu_files_busy(const tarn_npu_reading *from, const tarn_npu_reading *to);

/* A process that has the device open. */
typedef struct tarn_npu_user {
	int pid;
	char name[64];
} tarn_npu_user;
/* At most max of them; others' processes are seen by root only. *hidden counts processes that may not be looked into. */
int tarn_npu_files_users(const tarn_npu_files *npu, tarn_npu_user *at, int max, int *hidden);

#endif
