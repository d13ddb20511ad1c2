/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties: text keys and values as in OpenVINO ("PERFORMANCE_HINT" = "LATENCY"). Which keys exist, what values they take and
 * which devices know them stands in props.def; an unknown key or value is an error that lists what is allowed.
 *
 * A tarn_props is owned by one object and not locked; zeroed it is empty.
 */
#ifndef TARN_RT_PROPS_H
#define TARN_RT_PROPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
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
/* TARN_USAGE naming the key (and what is allowed) unless `device` knows the key and the value is one it takes. `device` "" is
 * the core itself. */
TARN_MUST tarn_err tarn_props_check(const char *device, const char *key, const char *value);
/* The same for all of a list. */
TARN_MUST tarn_err tarn_props_check_all(const char *device, const tarn_props *p);

typedef struct tarn_prop_def {
	const char *key, *values, *def, *devices, *access, *doc;
} tarn_prop_def;
/* The row of that key for that device; NULL when it has none. */
const tarn_prop_def *tarn_prop_find(const char *device, const char *key);
/* Rows of a device in the table's order: i counts from 0; NULL after the last. */
const tarn_prop_def *tarn_prop_at(const char *device, size_t i);
static inline bool tarn_prop_is_mutable(const tarn_prop_def *d)
{
	return d->access[1] == 'W';
}
/* TARN_USAGE: "device CPU has no property X; did you mean Y? it has ...". */
TARN_MUST tarn_err tarn_prop_unknown(const char *device, const char *key);
/* Appends the value as it reads back: YES or NO, words as the table writes them, anything else as it is. */
void tarn_prop_canon(const tarn_prop_def *d, const char *value, tarn_str *out);

/* What is set, or else the default of the table (NULL when the device does not know the key). */
const char *tarn_props_value(const tarn_props *p, const char *device, const char *key);
bool tarn_props_bool(const tarn_props *p, const char *device, const char *key);

#endif
