/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at a system from its files: the small texts of /sys and /proc (which claim to be empty or a page long and so cannot
 * be mapped), links, permissions. Nothing is an error: what is not there or not readable is false, since that is a finding,
 * too.
 */
#ifndef TARN_BASE_PROBE_H
#define TARN_BASE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first line of a text file without the space around it, cut to `size`. "" is a line, too. */
bool tarn_probe_line(const char *path, char *out, size_t size);
/* The value of the first "key : value" or "key=value" line with that key, quotes left out; of the first 64 KiB. */
bool tarn_probe_key(const char *path, const char *key, char *out, size_t size);
/* A line that is one number, decimal or 0x.... */
bool tarn_probe_number(const char *path, int64_t *v);
/* Where a link points, as it is written. */
bool tarn_probe_link(const char *path, char *out, size_t size);
/* Exists, whatever it is. */
bool tarn_probe_exists(const char *path);
/* This process may read and write it. */
bool tarn_probe_may_use(const char *path);
/* A folder whose entries this process may list. */
bool tarn_probe_may_list(const char *path);
/* Its group's number, and the name when the system has one ("" else). */
bool tarn_probe_group(const char *path, unsigned *id, char *name, size_t size);

#endif
