/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files behind <tarn/diagnose.h>. */
#ifndef TARN_API_DIAGNOSE_H
#define TARN_API_DIAGNOSE_H

#include "diag/counters.h"
#include "tarn/diagnose.h"

tarn_counters tarn_counters_in(const tarn_diag_counters *in);

#endif
