/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/version.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT const char *tarn_version(void)
{
	return TARN_VERSION;
}
