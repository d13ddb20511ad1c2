/* SPDX-License-Identifier: Apache-2.0 */
/* Byte order of stored elements. */
#ifndef TARN_FMT_NPY_BYTES_H
#define TARN_FMT_NPY_BYTES_H

#include <stddef.h>

/* Reverses the bytes of each of `count` elements of `size` bytes. */
void tarn_bytes_swap(void *at, size_t count, size_t size);

#endif
