/* SPDX-License-Identifier: Apache-2.0 */
/* One command: its modelled time, and what it does to memory. Called by the scheduler's thread. */
#ifndef TARN_DRIVER_QUEUE_RUN_H
#define TARN_DRIVER_QUEUE_RUN_H

#include "arch/arch.h"
#include "driver/queue/cmd.h"

/* Modelled duration on the device. Copies and fills are taken as transfers of one DMA engine from DDR to DDR. */
/* slow: the DPU's clock as a part of its nominal one, 1 or 0 for all of it; below that there is no turbo. */
uint64_t tarn_run_time_ns(const tarn_cmd *c, const tarn_arch *arch, bool turbo, double slow);
/* COPY, REGION, FILL, GRAPH. Paced: graphs fill their outputs with 0xA5 instead of computing them. */
TARN_MUST tarn_err tarn_run_cmd(const tarn_cmd *c, bool paced, tarn_pool *pool);
/* TIMES: needs the scheduler's lock. */
void tarn_run_times(const tarn_cmd *c);

#endif
