/* SPDX-License-Identifier: Apache-2.0 */
/*
 * REF: the device that walks the graph with the operators' reference code. Slow on purpose, right by definition: what every
 * other device is compared with. Never chosen unless named. Keeps nothing between runs; any number of requests at once.
 */
#ifndef TARN_DEV_REF_REF_H
#define TARN_DEV_REF_REF_H

#include "rt/device.h"

extern const tarn_device_api tarn_dev_ref;

#endif
