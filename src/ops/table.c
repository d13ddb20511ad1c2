/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/ops.h"

const tarn_op_def *const tarn_ops[] = {
#define OP(word) &tarn_op_##word,
#include "ops/ops.def"
#undef OP
	NULL,
};

static const char *standard(const char *domain)
{
	return !domain || !strcmp(domain, "ai.onnx") ? "" : domain;
}

const tarn_op_def *tarn_op_find(const char *domain, const char *name)
{
	for (int i = 0; tarn_ops[i]; i++)
		if (!strcmp(tarn_ops[i]->name, name) && !strcmp(standard(tarn_ops[i]->domain), standard(domain)))
			return tarn_ops[i];
	return NULL;
}
