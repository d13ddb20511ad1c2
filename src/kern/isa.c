/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/isa.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const char *const names[TARN_ISA_COUNT] = {"portable", "avx2", "avxvnni", "avx512", "avx512vnni"};
static unsigned supported = 1u << TARN_ISA_PORTABLE;
static tarn_isa chosen = TARN_ISA_PORTABLE;

#if defined(__x86_64__)
#include <cpuid.h>

/* Which register state the operating system saves: XCR0. Only called when CPUID says that XGETBV exists. */
static uint64_t xcr0(void)
{
	uint32_t lo, hi;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static unsigned detect(void)
{
	unsigned found = 1u << TARN_ISA_PORTABLE, a, b, c, d, b7, c7, a71 = 0;
	const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & (fma | osxsave | avx | f16c)) != (fma | osxsave | avx | f16c))
		return found;
	uint64_t state = xcr0();
	if ((state & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d) || !(b7 & 1u << 5))
		return found;
	found |= 1u << TARN_ISA_AVX2;
	if (a >= 1 && __get_cpuid_count(7, 1, &a71, &b, &c, &d) && (a71 & 1u << 4))
		found |= 1u << TARN_ISA_AVXVNNI;
	const unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
	if ((state & 0xe0) != 0xe0 || (b7 & (f | dq | bw | vl)) != (f | dq | bw | vl))
		return found;
	found |= 1u << TARN_ISA_AVX512;
	const unsigned vbmi = 1u << 1, vnni = 1u << 11;
	if ((c7 & (vbmi | vnni)) == (vbmi | vnni))
		found |= 1u << TARN_ISA_AVX512VNNI;
	return found;
}
#else
static unsigned detect(void)
{
	return 1u << TARN_ISA_PORTABLE;
}
#endif

/* At load time, so that every later read needs no synchronisation. */
__attribute__((constructor)) static void choose(void)
{
	supported = detect();
	for (int i = TARN_ISA_COUNT - 1; i >= 0; i--) {
		if (supported & 1u << i) {
			chosen = (tarn_isa)i;
			break;
		}
	}
	const char *want = getenv("TARN_ISA");
	tarn_isa isa;
	if (!want || !*want)
		return;
	if (!tarn_isa_parse(want, &isa))
		tarn_log(TARN_LOG_WARN, "TARN_ISA=%s is not a level (portable, avx2, avxvnni, avx512, avx512vnni); using %s",
			 want, names[chosen]);
	else if (!tarn_isa_set(isa))
		tarn_log(TARN_LOG_WARN, "TARN_ISA=%s is not supported by this machine; using %s", want, names[chosen]);
}

tarn_isa tarn_isa_get(void)
{
	return chosen;
}

tarn_isa tarn_isa_base(void)
{
	switch (chosen) {
	case TARN_ISA_AVX2:
	case TARN_ISA_AVXVNNI:
		return TARN_ISA_AVX2;
	case TARN_ISA_AVX512:
	case TARN_ISA_AVX512VNNI:
		return TARN_ISA_AVX512;
	default:
		return TARN_ISA_PORTABLE;
	}
}

bool tarn_isa_supported(tarn_isa isa)
{
	return (unsigned)isa < TARN_ISA_COUNT && (supported & 1u << isa);
}

bool tarn_isa_set(tarn_isa isa)
{
	if (!tarn_isa_supported(isa))
		return false;
	chosen = isa;
	return true;
}

const char *tarn_isa_name(tarn_isa isa)
{
	return (unsigned)isa < TARN_ISA_COUNT ? names[isa] : "?";
}

bool tarn_isa_parse(const char *name, tarn_isa *isa)
{
	for (int i = 0; i < TARN_ISA_COUNT; i++) {
		if (!strcmp(name, names[i])) {
			*isa = (tarn_isa)i;
			return true;
		}
	}
	return false;
}
