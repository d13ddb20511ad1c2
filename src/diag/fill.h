/* SPDX-License-Identifier: Apache-2.0 */
/* Counters from where they come from: what a device tells of a program, what a timeline adds up to. Pure. */
#ifndef TARN_DIAG_FILL_H
#define TARN_DIAG_FILL_H

#include "diag/counters.h"
#include "diag/summary.h"
#include "rt/device.h"

/* Shares of the device's time, tiles and clock; c->device_ms, the time measured, stands already (0: not known). */
void tarn_fill_account(const tarn_account *a, tarn_counters *c);
/* Shares of host time, how busy the device was, and its gaps. */
void tarn_fill_summary(const tarn_summary *s, tarn_counters *c);

#endif
