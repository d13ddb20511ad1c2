/* SPDX-License-Identifier: Apache-2.0 */
/* One clock for host and device: a pair of readings of the same moment, renewed each second against drift. */
#include <string.h>

#include "base/clock.h"
#include "dev/npu/npu.h"

static const int64_t renew_ns = 1000000000;

/* The lock is held. */
static bool read_pair(npu_device *d)
{
	int64_t now = tarn_clock_ns();
	if (d->pair_host && now - d->pair_host < renew_ns)
		return true;
	uint64_t host = 0, ticks = 0;
	int64_t before = tarn_clock_ns();
	if (d->sys->ze.DeviceGetGlobalTimestamps(d->device, &host, &ticks) != ZE_RESULT_SUCCESS)
		return d->pair_host != 0;
	/* Which clock the driver calls the host's is its own affair: ours, read on both sides of the call, is what counts. */
	d->pair_host = before + (tarn_clock_ns() - before) / 2;
	d->pair_ticks = ticks;
	return true;
}

int64_t tarn_npu_host_time(npu_device *d, uint64_t ticks)
{
	if (!strcmp(d->mode, "exact") || !d->props.timerResolution || !ticks)
		return 0;
	tarn_mutex_lock(&d->lock);
	int64_t at = 0;
	if (read_pair(d)) {
		double away = (double)(int64_t)(ticks - d->pair_ticks) * 1e9 / (double)d->props.timerResolution;
		at = d->pair_host + (int64_t)away;
	}
	tarn_mutex_unlock(&d->lock);
	return at;
}
