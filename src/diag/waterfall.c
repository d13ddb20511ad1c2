/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/waterfall.h"

#include <math.h>

/* Times of a device are told in ticks of its timer. */
#define TARN_CLOCK_SLACK 1.005

static const struct {
	const char *word, *what;
} losses[] = {
#define LOSS(sym, word, what) {word, what},
#include "diag/losses.def"
#undef LOSS
};

const char *tarn_loss_word(tarn_loss loss)
{
	return losses[loss].word;
}

const char *tarn_loss_what(tarn_loss loss)
{
	return losses[loss].what;
}

/* The level after each loss, TOPS; NAN where it is not known. Levels of time: the work over the time it takes up to there. */
static void find_levels(const tarn_waterfall_input *in, double level[TARN_LOSS_COUNT])
{
	double ops = 2e-9 * in->macs; /* of one inference; over ms this is TOPS */
	double dpu = in->dpu, slow = 1;
	if (dpu > 0 && in->total > 0 && in->device > TARN_CLOCK_SLACK * in->total)
		slow = (dpu + in->device - in->total) / dpu;
	double mhz = in->mhz / slow, stalled = slow * dpu + in->stalls, engines = stalled + in->other_engines;
	const double ms[] = {
		[TARN_LOSS_PRECISION] = slow * in->mixed,
		[TARN_LOSS_PADDING] = slow * in->padded,
		[TARN_LOSS_ARRAY] = slow * dpu,
		[TARN_LOSS_STALLS] = stalled,
		[TARN_LOSS_ENGINES] = engines,
		[TARN_LOSS_FIXED] = in->device,
		[TARN_LOSS_IDLE] = in->interval,
	};
	level[TARN_LOSS_TILES] = in->tiles > 0 && in->device_tiles > 0 ? in->tops * in->tiles / in->device_tiles : NAN;
	level[TARN_LOSS_CLOCK] = mhz > 0 && in->mhz_highest > 0 ? level[TARN_LOSS_TILES] * mhz / in->mhz_highest : NAN;
	for (int i = TARN_LOSS_PRECISION; i < TARN_LOSS_COUNT; i++)
		level[i] = ms[i] > 0 ? ops / ms[i] : NAN;
}

bool tarn_waterfall_make(const tarn_waterfall_input *in, tarn_waterfall *w)
{
	double level[TARN_LOSS_COUNT];
	if (!(in->tops > 0 && in->macs > 0 && in->interval > 0))
		return false;
	find_levels(in, level);
	*w = (tarn_waterfall){.advertised = llround(in->tops * 1e3)};
	int64_t at = w->advertised;
	for (int i = 0; i < TARN_LOSS_COUNT; i++) {
		w->known[i] = level[i] >= 0;
		if (!w->known[i])
			continue;
		/* Parts overlap a little on a real array (padding pixels it skips): a level never rises. */
		int64_t to = llround(level[i] * 1e3);
		to = to < at ? to : at;
		w->loss[i] = at - to;
		at = to;
	}
	w->achieved = at;
	return true;
}
