/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs: models compiled for a device. Reference-counted; every request holds one reference. A program may be used from any
 * number of threads; its requests are what run.
 */
#ifndef TARN_RT_PROGRAM_H
#define TARN_RT_PROGRAM_H

#include "rt/device.h"

/* Compiles a private clone of m, or takes the compiled form from CACHE_DIR. `props` (may be NULL) go over the device's own and
 * are checked. The device is opened. */
TARN_MUST tarn_err tarn_program_compile(tarn_device *d, const tarn_model *m, const tarn_props *props, tarn_program **p);
/* Modelled time of one inference of m there; TARN_UNSUPPORTED where nobody can tell. Nothing is compiled. */
TARN_MUST tarn_err tarn_program_estimate(tarn_device *d, const tarn_model *m, const tarn_props *props, tarn_estimate *e);
/* The bytes tarn_program_export made, of a device of the same kind; trailing bytes are tolerated. */
TARN_MUST tarn_err tarn_program_import(tarn_device *d, tarn_buffer *blob, const tarn_props *props, tarn_program **p);
/* Appends. TARN_UNSUPPORTED when the device stores no compiled models. */
TARN_MUST tarn_err tarn_program_export(tarn_program *p, tarn_str *blob);
tarn_program *tarn_program_ref(tarn_program *p);
void tarn_program_unref(tarn_program *p);
/* Property as text, appended. What the device says comes first, then what the program was compiled with, then the defaults. */
TARN_MUST tarn_err tarn_program_get(tarn_program *p, const char *key, tarn_str *value);

/* Internal to rt: an empty program of the device; ports of a model; the device's import with ports already there. */
TARN_MUST tarn_err tarn_program_new(tarn_device *d, const tarn_props *props, tarn_program **p);
TARN_MUST tarn_err tarn_program_unpack(tarn_program *p, tarn_buffer *blob);
/* A model that has p's name and inputs and nothing else takes the place of p->model. */
TARN_MUST tarn_err tarn_program_strip(tarn_program *p, const char *name);

/* For devices made of other devices' programs: compiles m itself, without the runtime's cache and counters. Takes over the
 * reference to m, also on failure. */
TARN_MUST tarn_err tarn_program_build(tarn_device *d, tarn_model *m, const tarn_props *props, tarn_program **p);

#endif
