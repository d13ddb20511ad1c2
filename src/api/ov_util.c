/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_util.h"

#include "base/log.h"

void ov_util_set_log_callback(void (*f)(const char *))
{
	tarn_log_set_sink(f);
}

void ov_util_reset_log_callback(void)
{
	tarn_log_set_sink(NULL);
}
