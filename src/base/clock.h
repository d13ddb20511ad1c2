/* SPDX-License-Identifier: Apache-2.0 */
/* Monotonic time. */
#ifndef TARN_BASE_CLOCK_H
#define TARN_BASE_CLOCK_H

#include <stdint.h>

int64_t tarn_clock_ns(void);
/* Returns at or after `deadline_ns`; sleeps, does not spin. */
void tarn_clock_sleep_until(int64_t deadline_ns);

#endif
