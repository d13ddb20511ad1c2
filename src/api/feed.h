/* SPDX-License-Identifier: Apache-2.0 */
/* Inside api: the samples that public options name (data sets or a function) as what quant asks for. One thread. */
#ifndef TARN_API_FEED_H
#define TARN_API_FEED_H

#include "api/handles.h"
#include "quant/quant.h"
#include "tarn/quantize.h"

typedef struct tarn_feed tarn_feed;

/* Fills *qo for a model: preset, nodes to ignore, samples (0 of them when the options name none), progress, stop, and the
 * opened CPU device. Options and data sets must outlive the feed. */
TARN_MUST tarn_err tarn_feed_open(struct ov_core *core, const tarn_model *m, const tarn_quantize_options *o,
				  tarn_quant_options *qo, tarn_feed **feed);
/* Stores a few of the samples in q (rt/canary.h): *stored of them. */
TARN_MUST tarn_err tarn_feed_canaries(const tarn_quant_options *qo, tarn_model *q, size_t *stored);
void tarn_feed_close(tarn_feed *f);

#endif
