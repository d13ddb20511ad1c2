/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 (He et al. 2015, with the stride on the 3x3 convolution, "v1.5") and MobileNetV2 (Sandler et al. 2018), batch
 * normalisation folded into the convolutions, as exported for inference. */
#include "fmt/synth/build.h"

void synth_resnet50(synth *s)
{
	static const struct {
		int blocks;
		int64_t width;
	} stage[4] = {{3, 64}, {4, 128}, {6, 256}, {3, 512}};
	char name[64];
	tap x = synth_image(s, "input", 3, 224, 224);
	x = synth_convolve(s, "conv1", x, (synth_conv){64, 7, 2, .act = SYNTH_RELU});
	x = synth_max_pool(s, "maxpool", x, 3, 2);
	for (int i = 0; i < 4; i++)
		for (int b = 0; b < stage[i].blocks; b++) {
			int64_t width = stage[i].width, stride = i > 0 && b == 0 ? 2 : 1;
			synth_text(name, sizeof name, "layer%d.%d.conv1", i + 1, b);
			tap y = synth_convolve(s, name, x, (synth_conv){width, 1, .act = SYNTH_RELU});
			synth_text(name, sizeof name, "layer%d.%d.conv2", i + 1, b);
			y = synth_convolve(s, name, y, (synth_conv){width, 3, stride, .act = SYNTH_RELU});
			synth_text(name, sizeof name, "layer%d.%d.conv3", i + 1, b);
			y = synth_convolve(s, name, y, (synth_conv){width * 4, 1, .deviation = 0.4});
			synth_text(name, sizeof name, "layer%d.%d.downsample", i + 1, b);
			if (b == 0)
				x = synth_convolve(s, name, x, (synth_conv){width * 4, 1, stride});
			synth_text(name, sizeof name, "layer%d.%d", i + 1, b);
			x = synth_add(s, name, y, x, SYNTH_RELU);
		}
	x = synth_global_pool(s, "avgpool", x);
	x = synth_quant(s, synth_dense(s, "fc", x, 1000));
	synth_output(s, "output", x.v);
}

void synth_mobilenet_v2(synth *s)
{
	static const struct {
		int64_t expand, out;
		int blocks;
		int64_t stride;
	} stage[7] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
		      {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
	char name[64];
	int index = 1;
	tap x = synth_image(s, "input", 3, 224, 224);
	x = synth_convolve(s, "features.0", x, (synth_conv){32, 3, 2, .act = SYNTH_RELU6});
	for (int i = 0; i < 7; i++)
		for (int b = 0; b < stage[i].blocks; b++, index++) {
			int64_t stride = b == 0 ? stage[i].stride : 1, hidden = x.c * stage[i].expand;
			bool shortcut = stride == 1 && x.c == stage[i].out;
			tap y = x;
			synth_text(name, sizeof name, "features.%d.expand", index);
			if (stage[i].expand > 1)
				y = synth_convolve(s, name, y, (synth_conv){hidden, 1, .act = SYNTH_RELU6});
			synth_text(name, sizeof name, "features.%d.depthwise", index);
			y = synth_convolve(s, name, y, (synth_conv){hidden, 3, stride, .depthwise = true, .act = SYNTH_RELU6});
			synth_text(name, sizeof name, "features.%d.project", index);
			y = synth_convolve(s, name, y, (synth_conv){stage[i].out, 1, .deviation = shortcut ? 0.5 : 1});
			synth_text(name, sizeof name, "features.%d", index);
			x = shortcut ? synth_add(s, name, y, x, SYNTH_LINEAR) : y;
		}
	x = synth_convolve(s, "features.18", x, (synth_conv){1280, 1, .act = SYNTH_RELU6});
	x = synth_global_pool(s, "avgpool", x);
	x = synth_quant(s, synth_dense(s, "classifier", x, 1000));
	synth_output(s, "output", x.v);
}
