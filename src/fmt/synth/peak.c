/* SPDX-License-Identifier: Apache-2.0 */
/* No known topology: what multiply-accumulate units are best at, one layer after the other. 3 x 3 convolutions of 256 channels
 * on maps whose rows divide by the tiles of known NPUs; each weight is used 5184 times, so that memory has next to no say. */
#include "fmt/synth/build.h"

enum { LAYERS = 48, CHANNELS = 128, SIDE = 72 };

void synth_peak(synth *s)
{
	char name[32];
	tap x = synth_image(s, "input", 16, SIDE, SIDE);
	for (int i = 0; i < LAYERS; i++) {
		synth_text(name, sizeof name, "conv%d", i + 1);
		x = synth_convolve(s, name, x, (synth_conv){CHANNELS, 3, .act = SYNTH_RELU});
	}
	x = synth_global_pool(s, "pool", x);
	synth_output(s, "output", x.v);
}
