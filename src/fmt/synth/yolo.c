/* SPDX-License-Identifier: Apache-2.0 */
/* YOLOv8n at 640 x 640 (Ultralytics 2023), 80 classes, batch normalisation folded, boxes decoded inside the model as exported:
 * output [1, 84, 8400] of centre x, centre y, width, height in pixels and 80 class scores. */
#include "fmt/synth/build.h"

#include "ops/ops.h"

enum { CLASSES = 80, BINS = 16 };

static tap cbs(synth *s, const char *name, const char *part, tap x, int64_t out, int64_t kernel, int64_t stride)
{
	char text[96];
	synth_text(text, sizeof text, "%s%s", name, part);
	return synth_convolve(s, text, x, (synth_conv){out, kernel, stride, .act = SYNTH_SILU});
}

/* Two halves of the channels; one goes through n bottlenecks, and everything on the way is put together. */
static tap c2f(synth *s, const char *name, tap x, int64_t out, int n, bool shortcut)
{
	tap parts[8], half[2];
	char text[64];
	tap y = cbs(s, name, ".cv1", x, out, 1, 1);
	synth_text(text, sizeof text, "%s/Split", name);
	synth_halves(s, text, y, half);
	parts[0] = half[0];
	parts[1] = half[1];
	for (int i = 0; i < n; i++) {
		synth_text(text, sizeof text, "%s.m.%d", name, i);
		tap z = cbs(s, text, ".cv1", parts[i + 1], out / 2, 3, 1);
		z = cbs(s, text, ".cv2", z, out / 2, 3, 1);
		parts[i + 2] = shortcut ? synth_add(s, text, parts[i + 1], z, SYNTH_LINEAR) : z;
	}
	synth_text(text, sizeof text, "%s/Concat", name);
	return cbs(s, name, ".cv2", synth_concat(s, text, n + 2, parts), out, 1, 1);
}

static tap sppf(synth *s, tap x)
{
	tap y[4];
	y[0] = cbs(s, "sppf", ".cv1", x, x.c / 2, 1, 1);
	for (int i = 1; i < 4; i++)
		y[i] = synth_max_pool(s, "sppf/MaxPool", y[i - 1], 5, 1);
	return cbs(s, "sppf", ".cv2", synth_concat(s, "sppf/Concat", 4, y), x.c, 1, 1);
}

static tap join(synth *s, const char *name, tap a, tap b)
{
	const tap both[2] = {a, b};
	return synth_concat(s, name, 2, both);
}

/* One scale: [1, 4 * BINS + CLASSES, h * w]. */
static tarn_value *head(synth *s, int scale, tap x)
{
	char name[48], text[96];
	synth_text(name, sizeof name, "detect.box%d", scale);
	tap box = cbs(s, name, ".1", cbs(s, name, ".0", x, 4 * BINS, 3, 1), 4 * BINS, 3, 1);
	synth_text(text, sizeof text, "%s.2", name);
	box = synth_convolve(s, text, box, (synth_conv){4 * BINS, 1});
	synth_text(name, sizeof name, "detect.cls%d", scale);
	tap cls = cbs(s, name, ".1", cbs(s, name, ".0", x, CLASSES, 3, 1), CLASSES, 3, 1);
	synth_text(text, sizeof text, "%s.2", name);
	cls = synth_convolve(s, text, cls, (synth_conv){CLASSES, 1});
	synth_text(text, sizeof text, "detect/Concat%d", scale);
	tap both = join(s, text, box, cls);
	tarn_value *shape = synth_ints(s, "shape", 3, (int64_t[]){1, both.c, both.h * both.w});
	synth_text(text, sizeof text, "detect/Reshape%d", scale);
	return synth_node(s, &tarn_op_reshape, text, 2, (tarn_value *[]){both.v, shape});
}

static tarn_value *parts(synth *s, const char *name, tarn_value *x, int64_t first, int64_t second, tarn_value **rest)
{
	tarn_node *n;
	tarn_value *sizes = synth_ints(s, "split", 2, (int64_t[]){first, second});
	if (s->err != TARN_OK || (s->err = tarn_node_new(s->g, &tarn_op_split, name, 2, 2, -1, &n)) != TARN_OK)
		return *rest = NULL;
	n->in[0] = x;
	n->in[1] = sizes;
	synth_set_int(s, n->out[0], "axis", 1);
	*rest = n->out[1];
	return n->out[0];
}

static tarn_value *concat(synth *s, const char *name, int axis, int n, tarn_value *const *in)
{
	tarn_value *v = synth_node(s, &tarn_op_concat, name, n, in);
	if (v)
		synth_set_int(s, v, "axis", axis);
	return v;
}

/* Cell centres ([1, 2, n], in cells) and cell sizes ([1, 1, n], in pixels) of three grids in a row. */
static void anchors(synth *s, const tap grid[3], tarn_value **centre, tarn_value **size)
{
	tarn_tensor c = {0}, z = {0};
	int64_t n = 0, at = 0;
	*centre = *size = NULL;
	for (int i = 0; i < 3; i++)
		n += grid[i].h * grid[i].w;
	if (s->err != TARN_OK || (s->err = tarn_tensor_new(TARN_F32, 3, (int64_t[]){1, 2, n}, &c)) != TARN_OK)
		return;
	if ((s->err = tarn_tensor_new(TARN_F32, 3, (int64_t[]){1, 1, n}, &z)) == TARN_OK) {
		for (int i = 0; i < 3; i++)
			for (int64_t k = 0; k < grid[i].h * grid[i].w; k++, at++) {
				((float *)c.data)[at] = (float)(k % grid[i].w) + 0.5f;
				((float *)c.data)[n + at] = (float)(k / grid[i].w) + 0.5f;
				((float *)z.data)[at] = (float)(8 << i);
			}
		s->err = tarn_value_const(s->g, "detect/anchors", &c, centre);
		if (s->err == TARN_OK)
			s->err = tarn_value_const(s->g, "detect/strides", &z, size);
	}
	tarn_tensor_fini(&c);
	tarn_tensor_fini(&z);
}

/* Distances to the four sides are expectations over BINS steps; then corners, then centre and size. */
static tarn_value *decode(synth *s, tarn_value *box, int64_t n, tarn_value *centre, tarn_value *size)
{
	tarn_tensor steps = {0};
	tarn_value *w = NULL, *rb;
	tarn_value *x = synth_node(s, &tarn_op_reshape, "detect.dfl/Reshape", 2,
				   (tarn_value *[]){box, synth_ints(s, "shape", 4, (int64_t[]){1, 4, BINS, n})});
	x = synth_node(s, &tarn_op_transpose, "detect.dfl/Transpose", 1, &x);
	if (x)
		synth_set_ints(s, x, "perm", 4, (int64_t[]){0, 2, 1, 3});
	x = synth_node(s, &tarn_op_softmax, "detect.dfl/Softmax", 1, &x);
	if (x)
		synth_set_int(s, x, "axis", 1);
	if (s->err == TARN_OK && (s->err = tarn_tensor_new(TARN_F32, 4, (int64_t[]){1, BINS, 1, 1}, &steps)) == TARN_OK) {
		for (int i = 0; i < BINS; i++)
			((float *)steps.data)[i] = (float)i;
		s->err = tarn_value_const(s->g, "detect.dfl.weight", &steps, &w);
		tarn_tensor_fini(&steps);
	}
	x = synth_node(s, &tarn_op_conv, "detect.dfl/Conv", 2, (tarn_value *[]){x, w});
	if (x)
		synth_set_ints(s, x, "kernel_shape", 2, (int64_t[]){1, 1});
	x = synth_node(s, &tarn_op_reshape, "detect.dfl/Reshape", 2,
		       (tarn_value *[]){x, synth_ints(s, "shape", 3, (int64_t[]){1, 4, n})});
	tarn_value *lt = parts(s, "detect/Split", x, 2, 2, &rb);
	lt = synth_node(s, &tarn_op_sub, "detect/Sub", 2, (tarn_value *[]){centre, lt});
	rb = synth_node(s, &tarn_op_add, "detect/Add", 2, (tarn_value *[]){centre, rb});
	tarn_value *sum = synth_node(s, &tarn_op_add, "detect/Add", 2, (tarn_value *[]){lt, rb});
	sum = synth_node(s, &tarn_op_div, "detect/Div", 2, (tarn_value *[]){sum, synth_scalar(s, "two", 2)});
	tarn_value *extent = synth_node(s, &tarn_op_sub, "detect/Sub", 2, (tarn_value *[]){rb, lt});
	x = concat(s, "detect/Concat", 1, 2, (tarn_value *[]){sum, extent});
	return synth_node(s, &tarn_op_mul, "detect/Mul", 2, (tarn_value *[]){x, size});
}

void synth_yolov8n(synth *s)
{
	tap x = synth_image(s, "images", 3, 640, 640);
	x = cbs(s, "model.0", "", x, 16, 3, 2);
	x = cbs(s, "model.1", "", x, 32, 3, 2);
	x = c2f(s, "model.2", x, 32, 1, true);
	x = cbs(s, "model.3", "", x, 64, 3, 2);
	tap p3 = c2f(s, "model.4", x, 64, 2, true);
	x = cbs(s, "model.5", "", p3, 128, 3, 2);
	tap p4 = c2f(s, "model.6", x, 128, 2, true);
	x = cbs(s, "model.7", "", p4, 256, 3, 2);
	x = c2f(s, "model.8", x, 256, 1, true);
	tap p5 = sppf(s, x);
	tap n4 = c2f(s, "model.12", join(s, "model.11/Concat", synth_upsample(s, "model.10/Resize", p5), p4), 128, 1, false);
	tap out[3];
	out[0] = c2f(s, "model.15", join(s, "model.14/Concat", synth_upsample(s, "model.13/Resize", n4), p3), 64, 1, false);
	x = cbs(s, "model.16", "", out[0], 64, 3, 2);
	out[1] = c2f(s, "model.18", join(s, "model.17/Concat", x, n4), 128, 1, false);
	x = cbs(s, "model.19", "", out[1], 128, 3, 2);
	out[2] = c2f(s, "model.21", join(s, "model.20/Concat", x, p5), 256, 1, false);
	tarn_value *scale[3], *cls, *centre, *size;
	int64_t n = 0;
	for (int i = 0; i < 3; i++) {
		scale[i] = head(s, i, out[i]);
		n += out[i].h * out[i].w;
	}
	tarn_value *all = concat(s, "detect/Concat", 2, 3, scale);
	tarn_value *box = parts(s, "detect/Split", all, 4 * BINS, CLASSES, &cls);
	anchors(s, out, &centre, &size);
	box = decode(s, box, n, centre, size);
	cls = synth_node(s, &tarn_op_sigmoid, "detect/Sigmoid", 1, &cls);
	synth_output(s, "output0", concat(s, "detect/Concat", 1, 2, (tarn_value *[]){box, cls}));
}
