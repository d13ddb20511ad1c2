/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/real.h"

#include "base/mem.h"

enum { CHUNK = 1 << 20 };

void tarn_real_fetch(const tarn_tensor *t, int64_t at, int64_t n, double *v)
{
	for (int64_t i = 0; i < n; i += CHUNK)
		tarn_elem_load_f64(t, at + i, 1, (int)(n - i < CHUNK ? n - i : CHUNK), v + i);
}

void tarn_real_put(tarn_tensor *t, int64_t at, int64_t n, const double *v)
{
	for (int64_t i = 0; i < n; i += CHUNK)
		tarn_elem_store_f64(t, at + i, (int)(n - i < CHUNK ? n - i : CHUNK), v + i);
}

tarn_err tarn_real_zeros(int64_t n, double **v)
{
	size_t count = n > 0 ? (size_t)n : 1;
	*v = tarn_mem_zalloc(count, sizeof **v);
	return *v ? TARN_OK : tarn_err_nomem(count * sizeof **v);
}

tarn_err tarn_real_load(const tarn_tensor *t, double **v)
{
	*v = NULL;
	if (!t)
		return TARN_OK;
	int64_t n = tarn_tensor_count(t);
	TRY(tarn_real_zeros(n, v));
	tarn_real_fetch(t, 0, n, *v);
	return TARN_OK;
}
