/* SPDX-License-Identifier: Apache-2.0 */
/* Detection and other layers that only OpenVINO has. */
#include "fmt/ovir/layer.h"

const ovir_type ovir_types_other[] = {
	{NULL, NULL, NULL, NULL, 0},
};
