/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARN_API_DATA_H
#define TARN_API_DATA_H

#include "fmt/data/data.h"
#include "tarn/data.h"

/* NULL: the defaults. TARN_USAGE for a colour that is none. */
TARN_MUST tarn_err tarn_data_options_of(const tarn_data_options_t *in, tarn_data_options *o);

#endif
