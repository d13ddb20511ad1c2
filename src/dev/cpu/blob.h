/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled models of the CPU device as bytes. Nothing that is read is trusted. */
#ifndef TARN_DEV_CPU_BLOB_H
#define TARN_DEV_CPU_BLOB_H

#include "dev/cpu/valid.h"
#include "kern/share.h"

/* What tells builds of this library apart: forms of weights may differ between them. */
uint64_t tarn_cpu_build_id(void);

/* m: as compiled, after tarn_cpu_drop_packed. valid NULL: no bounded model. */
TARN_MUST tarn_err tarn_cpu_blob_write(const tarn_model *m, const cpu_valid *valid, const tarn_packs *packs, tarn_str *out);

/* Owned by the caller. */
typedef struct cpu_blob {
	tarn_buffer *bytes; /* must outlive everything made from the rest */
	tarn_model *model;  /* inferred; constants that kernels will not read are zeros */
	cpu_valid *valid;   /* of a bounded model, without its model yet; NULL: none */
	tarn_store packed;
} cpu_blob;
TARN_MUST tarn_err tarn_cpu_blob_read(tarn_buffer *blob, cpu_blob *out);

#endif
