/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an NPU generation is made of: counts, sizes, clocks. Static tables, read-only, usable from any thread.
 * Every number says whether it is fitted, published or assumed (arch.def).
 */
#ifndef TARN_DRIVER_ARCH_H
#define TARN_DRIVER_ARCH_H

#include <stddef.h>
#include <stdint.h>

typedef enum tarn_arch_source { TARN_ARCH_FIT, TARN_ARCH_PUB, TARN_ARCH_ASSUMED } tarn_arch_source;

typedef struct tarn_arch {
	int platform;        /* 3720 or 4000 */
	const char *name;    /* "NPU 4000" */
	const char *product; /* the processors it is part of */
#define ARCH_INT(field, unit, v3720, v4000, s3720, s4000, note) int32_t field;
#define ARCH_NUM(field, unit, v3720, v4000, s3720, s4000, note) double field;
#include "arch/arch.def"
#undef ARCH_INT
#undef ARCH_NUM
} tarn_arch;

/* NULL when the platform is not described. */
const tarn_arch *tarn_arch_find(int platform);
/* The index-th description, ascending by platform; NULL past the end. */
const tarn_arch *tarn_arch_at(size_t index);
/* Changes whenever a number of the description does: part of cache keys. */
uint64_t tarn_arch_hash(const tarn_arch *arch);

/* One row of the table, for printing. Both values and sources are of 3720 and 4000, in this order. */
typedef struct tarn_arch_row {
	const char *field, *unit, *note;
	double value[2];
	tarn_arch_source source[2];
} tarn_arch_row;
/* NULL past the end. */
const tarn_arch_row *tarn_arch_row_at(size_t index);
/* "measured fit", "published", "assumed" */
const char *tarn_arch_source_name(tarn_arch_source source);

#endif
