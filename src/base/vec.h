/* SPDX-License-Identifier: Apache-2.0 */
/* Growable arrays: VEC(T) is {T *at; size_t len, cap}; a zeroed one is empty. Freed with tarn_vec_fini. */
#ifndef TARN_BASE_VEC_H
#define TARN_BASE_VEC_H

#include <stddef.h>

#include "base/err.h"

#define VEC(T) \
	struct { \
		T *at; \
		size_t len, cap; \
	}

/* Room for at least `need` elements of `size` bytes. */
TARN_MUST tarn_err tarn_vec_reserve(void *at, size_t *cap, size_t need, size_t size);
void tarn_vec_free(void *at);

#define VEC_RESERVE(v, n) tarn_vec_reserve(&(v)->at, &(v)->cap, (n), sizeof *(v)->at)
/* Makes room for one more; then the caller stores with (v)->at[(v)->len++]. */
#define VEC_GROW(v) VEC_RESERVE(v, (v)->len + 1)
#define VEC_FINI(v) (tarn_vec_free((v)->at), (v)->at = NULL, (v)->len = (v)->cap = 0)

#endif
