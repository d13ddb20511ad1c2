/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the advertised rate of a device down to what a measurement achieved, one loss after the other. All figures are whole
 * thousandths of a TOPS, so that they add up exactly as they are printed. Pure.
 */
#ifndef TARN_DIAG_WATERFALL_H
#define TARN_DIAG_WATERFALL_H

#include <stdbool.h>
#include <stdint.h>

typedef enum tarn_loss {
#define LOSS(sym, word, what) TARN_LOSS_##sym,
#include "diag/losses.def"
#undef LOSS
	TARN_LOSS_COUNT
} tarn_loss;
const char *tarn_loss_word(tarn_loss loss);
const char *tarn_loss_what(tarn_loss loss);

/* Times in ms of one inference; tarn_account has most of them. 0 or NAN: not known, and the next known level takes the loss. */
typedef struct tarn_waterfall_input {
	double tops; /* advertised */
	int tiles, device_tiles;
	double mhz, mhz_highest;
	double macs;
	double int8, mixed, padded, dpu, stalls, other_engines, fixed; /* at that clock */
	double total;                                                  /* of these */
	double device;   /* as it was: longer than the total where the multipliers ran slower */
	double interval; /* between two inferences on the host's clock */
} tarn_waterfall_input;

typedef struct tarn_waterfall {
	int64_t advertised, loss[TARN_LOSS_COUNT], achieved; /* advertised = achieved + all losses */
	bool known[TARN_LOSS_COUNT];                         /* false: part of the next one that is */
} tarn_waterfall;

/* False when not even the advertised rate, the work or the time is known. */
bool tarn_waterfall_make(const tarn_waterfall_input *in, tarn_waterfall *w);

#endif
