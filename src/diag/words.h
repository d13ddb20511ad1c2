/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences with {words} in them, each standing for a counter: rules.def lists them. */
#ifndef TARN_DIAG_WORDS_H
#define TARN_DIAG_WORDS_H

#include "base/str.h"
#include "diag/counters.h"

void tarn_words_expand(tarn_str *to, const tarn_counters *c, const char *text);

#endif
