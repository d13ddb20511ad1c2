/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes -> a plan of bucket sizes: what is accepted must print to text that reads back the same. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dyn/bucket_plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tarn_bucket_plan p, q;
	tarn_str a = {0}, b = {0};
	if (tarn_bucket_plan_parse((const char *)data, size, &p) != TARN_OK) {
		if (!*tarn_err_text())
			abort();
		return 0;
	}
	tarn_bucket_plan_print(&p, &a);
	if (tarn_str_done(&a) != TARN_OK || tarn_bucket_plan_parse(a.at, a.len, &q) != TARN_OK)
		abort();
	tarn_bucket_plan_print(&q, &b);
	if (tarn_str_done(&b) != TARN_OK || strcmp(q.buckets, p.buckets) || q.n != p.n)
		abort();
	tarn_str_fini(&a);
	tarn_str_fini(&b);
	tarn_bucket_plan_fini(&p);
	tarn_bucket_plan_fini(&q);
	return 0;
}
