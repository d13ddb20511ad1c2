/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties: text keys and values as in OpenVINO ("PERFORMANCE_HINT" = "LATENCY"). Which keys exist, what values they take and
 * which devices know them stands in props.def; an unknown key or value is an error that lists what is allowed.
 */
#ifndef TARN_RT_PROPS_H
#define TARN_RT_PROPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/vec.h"

typedef struct tarn_prop {
	char *key, *value;
} tarn_prop;
typedef struct tarn_props {
	VEC(tarn_prop) list;
} tarn_props;

void tarn_props_fini(tarn_props *p);
/* Adds or replaces; both strings are copied. No check of key or value. */
TARN_MUST tarn_err tarn_props_set(tarn_props *p, const char *key, const char *value);
const char *tarn_props_find(const tarn_props *p, const char *key); /* NULL when not set */
/* Copies all of `from` over `to`. */
TARN_MUST tarn_err tarn_props_overlay(tarn_props *to, const tarn_props *from);
/* TARN_USAGE naming the key (and what is allowed) unless `device` knows the key and the value is one it takes. */
TARN_MUST tarn_err tarn_props_check(const char *device, const char *key, const char *value);

#endif
