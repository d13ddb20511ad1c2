/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/arch.h"

#include "base/hash.h"

static const tarn_arch archs[] = {
	{
		.platform = 3720,
		.name = "NPU 3720",
		.product = "Meteor Lake, Arrow Lake",
#define ARCH_INT(field, unit, v3720, v4000, s3720, s4000, note) .field = v3720,
#define ARCH_NUM(field, unit, v3720, v4000, s3720, s4000, note) .field = v3720,
#include "arch/arch.def"
#undef ARCH_INT
#undef ARCH_NUM
	},
	{
		.platform = 4000,
		.name = "NPU 4000",
		.product = "Lunar Lake",
#define ARCH_INT(field, unit, v3720, v4000, s3720, s4000, note) .field = v4000,
#define ARCH_NUM(field, unit, v3720, v4000, s3720, s4000, note) .field = v4000,
#include "arch/arch.def"
#undef ARCH_INT
#undef ARCH_NUM
	},
};

#define ROW(field, unit, v3720, v4000, s3720, s4000, note) \
	{#field, unit, note, {v3720, v4000}, {TARN_ARCH_##s3720, TARN_ARCH_##s4000}},
static const tarn_arch_row rows[] = {
#define ARCH_INT ROW
#define ARCH_NUM ROW
#include "arch/arch.def"
#undef ARCH_INT
#undef ARCH_NUM
};

const tarn_arch *tarn_arch_find(int platform)
{
	for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
		if (archs[i].platform == platform)
			return &archs[i];
	return NULL;
}

const tarn_arch *tarn_arch_at(size_t index)
{
	return index < sizeof archs / sizeof *archs ? &archs[index] : NULL;
}

uint64_t tarn_arch_hash(const tarn_arch *arch)
{
	/* Field by field: padding and pointers must not count. */
	uint64_t h = tarn_hash_str(arch->name);
	h = tarn_hash(&arch->platform, sizeof arch->platform, h);
#define ARCH_INT(field, unit, v3720, v4000, s3720, s4000, note) h = tarn_hash(&arch->field, sizeof arch->field, h);
#define ARCH_NUM(field, unit, v3720, v4000, s3720, s4000, note) h = tarn_hash(&arch->field, sizeof arch->field, h);
#include "arch/arch.def"
#undef ARCH_INT
#undef ARCH_NUM
	return h;
}

const tarn_arch_row *tarn_arch_row_at(size_t index)
{
	return index < sizeof rows / sizeof *rows ? &rows[index] : NULL;
}

const char *tarn_arch_source_name(tarn_arch_source source)
{
	static const char *const name[] = {"measured fit", "published", "assumed"};
	return name[source];
}
