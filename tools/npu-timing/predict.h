/* SPDX-License-Identifier: Apache-2.0 */
/* One prediction per row of a csv file, in its order. */
#ifndef TARN_TOOLS_PREDICT_H
#define TARN_TOOLS_PREDICT_H

#include "csv.h"

#include "base/str.h"

/* Appends one line per row to `out`: DPU cycles when the file has a column `op`, microseconds when it has `direction`.
 * TARN_BAD_FILE names file, line and column. */
TARN_MUST tarn_err predict(const csv *c, tarn_str *out);

#endif
