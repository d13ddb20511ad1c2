/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction-set level the kernels run at. It is chosen once, when the library is loaded: the best level that both the
 * processor and the operating system (saved register state) support, or the one that TARN_ISA names
 * (portable, avx2, avxvnni, avx512, avx512vnni). A name that is unknown or not supported here is reported on the log and the
 * best level is used.
 *
 * Levels are not a line: AVX-VNNI and AVX-512 exist without each other. Kernels that do not use a level's extra instructions
 * treat AVXVNNI as AVX2 and AVX512VNNI as AVX512 (tarn_isa_base).
 */
#ifndef TARN_KERN_ISA_H
#define TARN_KERN_ISA_H

#include <stdbool.h>

typedef enum tarn_isa {
	TARN_ISA_PORTABLE,   /* plain C: SSE2 on x86-64, whatever the compiler has elsewhere */
	TARN_ISA_AVX2,       /* AVX2, FMA, F16C */
	TARN_ISA_AVXVNNI,    /* AVX2 and the 256-bit AVX-VNNI */
	TARN_ISA_AVX512,     /* AVX-512 F, BW, VL, DQ (with AVX2, FMA, F16C) */
	TARN_ISA_AVX512VNNI, /* AVX-512 and VNNI, VBMI */
	TARN_ISA_COUNT
} tarn_isa;

/* The level in force. Safe from any thread. */
tarn_isa tarn_isa_get(void);
/* Portable, AVX2 or AVX512: the level in force without its VNNI part. */
tarn_isa tarn_isa_base(void);
/* Whether this machine can run the level. */
bool tarn_isa_supported(tarn_isa isa);
/* Test hook: forces a level from now on; false (and no change) when the machine cannot run it. Objects packed before belong to
 * the old level and keep running at it. Not while kernels run in another thread. */
bool tarn_isa_set(tarn_isa isa);
const char *tarn_isa_name(tarn_isa isa);
/* False when no level has this name. */
bool tarn_isa_parse(const char *name, tarn_isa *isa);

#endif
