/* SPDX-License-Identifier: Apache-2.0 */
/* The shared library or program that holds a given address. */
#ifndef TARN_BASE_MODULE_H
#define TARN_BASE_MODULE_H

#include <stddef.h>
#include <stdint.h>

/* A hash that changes when the module is rebuilt with any difference: of its ELF build id, or of its code if it has none. 0
 * when no module holds the address. */
uint64_t tarn_module_hash(const void *address);
/* The address of `symbol` in the library `soname` if the process has it loaded already; never loads anything. NULL if not. */
void *tarn_module_find(const char *soname, const char *symbol);

#endif
