/* SPDX-License-Identifier: Apache-2.0 */
/* Preprocessing in front of y = 2x + 1: what comes out says what went in. Each expectation is a loop of its own. */
#include "api.h"

enum { MAX = 4096 };

typedef struct bench {
	ov_core_t *core;
	ov_model_t *model; /* y = 2x + 1 */
	ov_preprocess_prepostprocessor_t *ppp;
	ov_preprocess_input_info_t *info;
	ov_preprocess_input_tensor_info_t *tensor;
	ov_preprocess_preprocess_steps_t *steps;
	ov_preprocess_input_model_info_t *inner;
} bench;

static void set_tensor_layout(bench *b, const char *text)
{
	ov_layout_t *l;
	EXPECT_OK(ov_layout_create(text, &l));
	EXPECT_OK(ov_preprocess_input_tensor_info_set_layout(b->tensor, l));
	ov_layout_free(l);
}

static void set_model_layout(bench *b, const char *text)
{
	ov_layout_t *l;
	EXPECT_OK(ov_layout_create(text, &l));
	EXPECT_OK(ov_preprocess_input_model_info_set_layout(b->inner, l));
	ov_layout_free(l);
}

static bench begin(ov_core_t *core, int n, int c, int h, int w)
{
	bench b = {.core = core, .model = read_affine(core, 4, (int[]){n, c, h, w})};
	EXPECT_OK(ov_preprocess_prepostprocessor_create(b.model, &b.ppp));
	EXPECT_OK(ov_preprocess_prepostprocessor_get_input_info(b.ppp, &b.info));
	EXPECT_OK(ov_preprocess_input_info_get_tensor_info(b.info, &b.tensor));
	EXPECT_OK(ov_preprocess_input_info_get_preprocess_steps(b.info, &b.steps));
	EXPECT_OK(ov_preprocess_input_info_get_model_info(b.info, &b.inner));
	return b;
}

static void end(bench *b)
{
	ov_preprocess_input_model_info_free(b->inner);
	ov_preprocess_preprocess_steps_free(b->steps);
	ov_preprocess_input_tensor_info_free(b->tensor);
	ov_preprocess_input_info_free(b->info);
	ov_preprocess_prepostprocessor_free(b->ppp);
	ov_model_free(b->model);
}

/* Builds, checks the input's shape, runs on u8 or f32 data, and undoes 2x + 1; returns how many. */
static size_t run(bench *b, const char *device, ov_element_type_e type, const int64_t dim[4], void *data, float *out)
{
	ov_model_t *built;
	ov_compiled_model_t *compiled;
	ov_infer_request_t *request;
	ov_output_const_port_t *port;
	ov_tensor_t *in, *y;
	ov_shape_t shape, want;
	ov_element_type_e is;
	void *at;
	size_t n;
	EXPECT_OK(ov_preprocess_prepostprocessor_build(b->ppp, &built));
	EXPECT_OK(ov_model_const_input_by_name(built, "x", &port));
	EXPECT_OK(ov_const_port_get_shape(port, &shape));
	EXPECT(shape.rank == 4 && !memcmp(shape.dims, dim, 4 * sizeof *dim));
	EXPECT_OK(ov_port_get_element_type(port, &is));
	EXPECT(is == type);
	EXPECT_OK(ov_core_compile_model(b->core, built, device, 0, &compiled));
	EXPECT_OK(ov_compiled_model_create_infer_request(compiled, &request));
	EXPECT_OK(ov_shape_create(4, dim, &want));
	EXPECT_OK(ov_tensor_create_from_host_ptr(type, want, data, &in));
	EXPECT_OK(ov_infer_request_set_input_tensor(request, in));
	EXPECT_OK(ov_infer_request_infer(request));
	EXPECT_OK(ov_infer_request_get_output_tensor(request, &y));
	EXPECT_OK(ov_tensor_get_size(y, &n));
	EXPECT_OK(ov_tensor_data(y, &at));
	EXPECT(n <= MAX);
	for (size_t i = 0; i < n; i++)
		out[i] = (((float *)at)[i] - 1) / 2;
	ov_tensor_free(y);
	ov_tensor_free(in);
	ov_shape_free(&want);
	ov_shape_free(&shape);
	ov_infer_request_free(request);
	ov_compiled_model_free(compiled);
	ov_output_const_port_free(port);
	ov_model_free(built);
	return n;
}

static void fill(unsigned char *data, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		data[i] = (unsigned char)(seed >> 24);
	}
}

static void expect_near(float is, double want, double tolerance)
{
	if (!(fabs(is - want) <= tolerance))
		fprintf(stderr, "is %g, expected %g\n", is, want);
	EXPECT(fabs(is - want) <= tolerance);
}

/* As a program for classification does it: the tensor of a decoded image, larger than the model's. */
static void image(ov_core_t *core, const char *device, double tolerance)
{
	enum { H = 3, W = 5 };
	static unsigned char x[2 * H][2 * W][3];
	static float y[MAX];
	const int64_t dim[] = {1, 2 * H, 2 * W, 3};
	ov_tensor_t *t;
	ov_shape_t shape;
	fill(&x[0][0][0], sizeof x, 3);
	bench b = begin(core, 1, 3, H, W);
	EXPECT_OK(ov_shape_create(4, dim, &shape));
	EXPECT_OK(ov_tensor_create_from_host_ptr(U8, shape, x, &t));
	EXPECT_OK(ov_preprocess_input_tensor_info_set_from(b.tensor, t));
	set_tensor_layout(&b, "NHWC");
	EXPECT_OK(ov_preprocess_preprocess_steps_resize(b.steps, RESIZE_LINEAR));
	set_model_layout(&b, "NCHW");
	EXPECT(run(&b, device, U8, dim, x, y) == 3 * H * W);
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < H; i++)
			for (int k = 0; k < W; k++) { /* half the size: the mean of two by two */
				int sum = x[2 * i][2 * k][c] + x[2 * i][2 * k + 1][c] + x[2 * i + 1][2 * k][c] +
					  x[2 * i + 1][2 * k + 1][c];
				expect_near(y[(c * H + i) * W + k], (sum + 2) / 4, tolerance);
			}
	ov_tensor_free(t);
	ov_shape_free(&shape);
	end(&b);
}

/* As a filter for video does it: bytes to floats, channels reversed, normalised. */
static void normalise(ov_core_t *core)
{
	enum { H = 4, W = 3 };
	static unsigned char x[2][H][W][3];
	static float y[MAX];
	static const float mean[] = {10, 20, 30}, scale[] = {2, 4, 8};
	fill(&x[0][0][0][0], sizeof x, 5);
	bench b = begin(core, 2, 3, H, W);
	EXPECT_OK(ov_preprocess_input_tensor_info_set_element_type(b.tensor, U8));
	EXPECT_OK(ov_preprocess_input_tensor_info_set_color_format(b.tensor, BGR));
	set_tensor_layout(&b, "NHWC");
	EXPECT_OK(ov_preprocess_preprocess_steps_convert_element_type(b.steps, F32));
	EXPECT_OK(ov_preprocess_preprocess_steps_convert_color(b.steps, RGB));
	EXPECT_OK(ov_preprocess_preprocess_steps_mean_multi_channels(b.steps, mean, 3));
	EXPECT_OK(ov_preprocess_preprocess_steps_scale_multi_channels(b.steps, scale, 3));
	EXPECT_OK(ov_preprocess_preprocess_steps_mean(b.steps, 1));
	EXPECT_OK(ov_preprocess_preprocess_steps_scale(b.steps, 0.5f));
	set_model_layout(&b, "NCHW");
	EXPECT(run(&b, "CPU", U8, (int64_t[]){2, H, W, 3}, x, y) == sizeof x);
	for (int n = 0; n < 2; n++)
		for (int c = 0; c < 3; c++)
			for (int i = 0; i < H; i++)
				for (int k = 0; k < W; k++)
					expect_near(y[((n * 3 + c) * H + i) * W + k],
						    ((x[n][i][k][2 - c] - mean[c]) / scale[c] - 1) / 0.5, 1e-3);
	end(&b);
}

/* Reversed, cut and surrounded, in the layout of the tensor; only then the model's layout. */
static void move(ov_core_t *core, ov_padding_mode_e mode)
{
	enum { H = 5, W = 6 };
	static float x[H][W][2], y[MAX];
	static int begin_at[] = {0, 1, 0, 0}, end_at[] = {1, -1, W, 2};
	for (int i = 0; i < H * W * 2; i++)
		(&x[0][0][0])[i] = (float)i;
	bench b = begin(core, 1, 2, H, W + 3);
	EXPECT_OK(ov_preprocess_input_tensor_info_set_spatial_static_shape(b.tensor, H, W));
	set_tensor_layout(&b, "NHWC");
	EXPECT_OK(ov_preprocess_preprocess_steps_reverse_channels(b.steps));
	EXPECT_OK(ov_preprocess_preprocess_steps_crop(b.steps, begin_at, 4, end_at, 4));
	EXPECT_OK(ov_preprocess_preprocess_steps_pad(b.steps, (int[]){0, 1, 2, 0}, 4, (int[]){0, 1, 1, 0}, 4, 7, mode));
	set_model_layout(&b, "NCHW");
	EXPECT(run(&b, "CPU", F32, (int64_t[]){1, H, W, 2}, x, y) == 2 * H * (W + 3));
	const int edge = mode == SYMMETRIC ? 1 : 0;
	for (int c = 0; c < 2; c++)
		for (int i = 0; i < H; i++)
			for (int k = 0; k < W + 3; k++) {
				int row = i - 1, col = k - 2; /* in the cut image of H-2 rows */
				bool outside = row < 0 || row >= H - 2 || col < 0 || col >= W;
				if (mode == EDGE) {
					row = row < 0 ? 0 : row >= H - 2 ? H - 3 : row;
					col = col < 0 ? 0 : col >= W ? W - 1 : col;
				} else {
					row = row < 0 ? -row - edge : row >= H - 2 ? 2 * (H - 3) - row + edge : row;
					col = col < 0 ? -col - edge : col >= W ? 2 * (W - 1) - col + edge : col;
				}
				float want = mode == CONSTANT && outside ? 7 : x[row + 1][col][1 - c];
				expect_near(y[(c * H + i) * (W + 3) + k], want, 1e-4);
			}
	end(&b);
}

static double byte(double v)
{
	return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* Red, green, blue of one pixel, as real numbers. */
static void rgb_of(int y, int u, int v, double out[3])
{
	double l = 1.164 * (y - 16);
	out[0] = byte(l + 1.596 * (v - 128));
	out[1] = byte(l - 0.813 * (v - 128) - 0.391 * (u - 128));
	out[2] = byte(l + 2.018 * (u - 128));
}

static void single_plane(ov_core_t *core, ov_color_format_e format, bool floats)
{
	enum { H = 6, W = 4 };
	static unsigned char x[H * 3 / 2 * W];
	static float y[MAX];
	fill(x, sizeof x, (unsigned)format);
	bench b = begin(core, 1, 3, H, W);
	EXPECT_OK(ov_preprocess_input_tensor_info_set_element_type(b.tensor, U8));
	EXPECT_OK(ov_preprocess_input_tensor_info_set_color_format(b.tensor, format));
	EXPECT_OK(ov_preprocess_input_tensor_info_set_spatial_static_shape(b.tensor, H, W));
	if (floats)
		EXPECT_OK(ov_preprocess_preprocess_steps_convert_element_type(b.steps, F32));
	EXPECT_OK(ov_preprocess_preprocess_steps_convert_color(b.steps, BGR));
	EXPECT_OK(ov_preprocess_preprocess_steps_resize(b.steps, RESIZE_LINEAR));
	set_model_layout(&b, "NCHW");
	EXPECT(run(&b, "CPU", U8, (int64_t[]){1, H * 3 / 2, W, 1}, x, y) == 3 * H * W);
	for (int i = 0; i < H; i++)
		for (int k = 0; k < W; k++) {
			double rgb[3];
			int half = i / 2 * (W / 2) + k / 2;
			const unsigned char *u = x + H * W, *v = u + H / 2 * W / 2;
			if (format == NV12_SINGLE_PLANE)
				rgb_of(x[i * W + k], u[2 * half], u[2 * half + 1], rgb);
			else
				rgb_of(x[i * W + k], u[half], v[half], rgb);
			for (int c = 0; c < 3; c++)
				expect_near(y[(c * H + i) * W + k], floats ? rgb[2 - c] : floor(rgb[2 - c] + 0.5), 2e-3);
		}
	end(&b);
}

static ov_tensor_t *plane(ov_infer_request_t *r, const char *name, int h, int w, int c, unsigned char *data)
{
	const int64_t dim[] = {1, h, w, c};
	ov_shape_t shape;
	ov_tensor_t *t;
	EXPECT_OK(ov_shape_create(4, dim, &shape));
	EXPECT_OK(ov_tensor_create_from_host_ptr(U8, shape, data, &t));
	EXPECT_OK(ov_infer_request_set_tensor(r, name, t));
	ov_shape_free(&shape);
	return t;
}

/* Two planes are two inputs, named as asked. */
static void two_planes(ov_core_t *core)
{
	enum { H = 4, W = 6 };
	static unsigned char luma[H * W], chroma[H / 2 * W / 2 * 2];
	size_t n;
	void *at;
	ov_model_t *built;
	ov_compiled_model_t *compiled;
	ov_infer_request_t *request;
	ov_tensor_t *y;
	fill(luma, sizeof luma, 11);
	fill(chroma, sizeof chroma, 12);
	bench b = begin(core, 1, 3, H, W);
	EXPECT_OK(ov_preprocess_input_tensor_info_set_element_type(b.tensor, U8));
	EXPECT(ov_preprocess_input_tensor_info_set_color_format_with_subname(b.tensor, NV12_TWO_PLANES, 1, "y") != OK);
	EXPECT_OK(ov_preprocess_input_tensor_info_set_color_format_with_subname(b.tensor, NV12_TWO_PLANES, 2, "y", "uv"));
	EXPECT_OK(ov_preprocess_preprocess_steps_convert_color(b.steps, RGB));
	set_model_layout(&b, "NCHW");
	EXPECT_OK(ov_preprocess_prepostprocessor_build(b.ppp, &built));
	EXPECT_OK(ov_model_inputs_size(built, &n));
	EXPECT(n == 2);
	EXPECT_OK(ov_core_compile_model(core, built, "CPU", 0, &compiled));
	EXPECT_OK(ov_compiled_model_create_infer_request(compiled, &request));
	ov_tensor_t *in[] = {plane(request, "x/y", H, W, 1, luma), plane(request, "x/uv", H / 2, W / 2, 2, chroma)};
	EXPECT_OK(ov_infer_request_infer(request));
	EXPECT_OK(ov_infer_request_get_output_tensor(request, &y));
	EXPECT_OK(ov_tensor_data(y, &at));
	for (int i = 0; i < H; i++)
		for (int k = 0; k < W; k++) {
			double rgb[3];
			const unsigned char *uv = chroma + 2 * (i / 2 * (W / 2) + k / 2);
			rgb_of(luma[i * W + k], uv[0], uv[1], rgb);
			for (int c = 0; c < 3; c++)
				expect_near(((float *)at)[(c * H + i) * W + k], 2 * floor(rgb[c] + 0.5) + 1, 1e-3);
		}
	ov_tensor_free(y);
	ov_tensor_free(in[0]);
	ov_tensor_free(in[1]);
	ov_infer_request_free(request);
	ov_compiled_model_free(compiled);
	ov_model_free(built);
	end(&b);
}

static void gray(ov_core_t *core)
{
	static unsigned char x[3][4][4];
	static float y[MAX];
	fill(&x[0][0][0], sizeof x, 21);
	bench b = begin(core, 1, 1, 3, 4);
	EXPECT_OK(ov_preprocess_input_tensor_info_set_element_type(b.tensor, U8));
	EXPECT_OK(ov_preprocess_input_tensor_info_set_color_format(b.tensor, BGRX));
	EXPECT_OK(ov_preprocess_preprocess_steps_convert_color(b.steps, GRAY));
	set_model_layout(&b, "NCHW");
	EXPECT(run(&b, "CPU", U8, (int64_t[]){1, 3, 4, 4}, x, y) == 12);
	for (int i = 0; i < 12; i++) {
		const unsigned char *p = &x[0][0][0] + 4 * i;
		expect_near(y[i], floor(0.114 * p[0] + 0.587 * p[1] + 0.299 * p[2] + 0.5), 1e-3);
	}
	end(&b);
}

/* Keys' kernel with a = -0.75 over the numbers 0, 1, 2, 3. */
static double cubic_at(double x)
{
	const double a = -0.75;
	double sum = 0;
	for (int i = 0; i < 4; i++) {
		double d = fabs(x - i);
		sum += i * (d <= 1  ? (a + 2) * d * d * d - (a + 3) * d * d + 1
			    : d < 2 ? a * (d * d * d - 5 * d * d + 8 * d - 4)
				    : 0);
	}
	return sum;
}

/* The other kinds of resizing, where they have a closed form. */
static void resizing(ov_core_t *core)
{
	static float x[4][4], y[MAX];
	for (int i = 0; i < 16; i++)
		(&x[0][0])[i] = (float)(3 * (i / 4) + 5 * (i % 4));
	bench b = begin(core, 1, 1, 8, 8);
	EXPECT_OK(ov_preprocess_input_tensor_info_set_spatial_static_shape(b.tensor, 4, 4));
	set_tensor_layout(&b, "NCHW");
	EXPECT_OK(ov_preprocess_preprocess_steps_resize(b.steps, RESIZE_NEAREST));
	EXPECT(run(&b, "CPU", F32, (int64_t[]){1, 1, 4, 4}, x, y) == 64);
	for (int i = 0; i < 64; i++)
		expect_near(y[i], x[i / 8 / 2][i % 8 / 2], 1e-5);
	end(&b);
	/* A sum of a function of the row and one of the column: one dimension at a time. Row 3 reads at 1.25, column 4 at 1.75.
	 */
	b = begin(core, 1, 1, 8, 8);
	EXPECT_OK(ov_preprocess_input_tensor_info_set_spatial_static_shape(b.tensor, 4, 4));
	set_tensor_layout(&b, "NCHW");
	EXPECT_OK(ov_preprocess_preprocess_steps_resize(b.steps, RESIZE_CUBIC));
	run(&b, "CPU", F32, (int64_t[]){1, 1, 4, 4}, x, y);
	expect_near(y[3 * 8 + 4], 3 * cubic_at(1.25) + 5 * cubic_at(1.75), 1e-4);
	end(&b);
}

/* An output as bytes; the input keeps what nothing was said of. */
static void output_type(ov_core_t *core)
{
	bench b = begin(core, 1, 1, 1, 3);
	ov_preprocess_output_info_t *out;
	ov_preprocess_output_tensor_info_t *tensor;
	ov_model_t *built;
	ov_output_const_port_t *port;
	ov_element_type_e type;
	EXPECT(ov_preprocess_prepostprocessor_get_output_info_by_index(b.ppp, 1, &out) == NOT_FOUND);
	EXPECT_OK(ov_preprocess_prepostprocessor_get_output_info_by_name(b.ppp, "y", &out));
	EXPECT_OK(ov_preprocess_output_info_get_tensor_info(out, &tensor));
	EXPECT_OK(ov_preprocess_output_set_element_type(tensor, U8));
	ov_preprocess_output_tensor_info_free(tensor);
	ov_preprocess_output_info_free(out);
	EXPECT_OK(ov_preprocess_prepostprocessor_build(b.ppp, &built));
	EXPECT(ov_preprocess_prepostprocessor_build(b.ppp, &built) == GENERAL_ERROR); /* once */
	EXPECT_OK(ov_model_const_output_by_name(built, "y", &port));
	EXPECT_OK(ov_port_get_element_type(port, &type));
	EXPECT(type == U8);
	ov_output_const_port_free(port);
	EXPECT_OK(ov_model_const_input_by_name(built, "x", &port));
	EXPECT_OK(ov_port_get_element_type(port, &type));
	EXPECT(type == F32);
	ov_output_const_port_free(port);
	ov_model_free(built);
	end(&b);
}

/* What cannot be built says why, and leaves the model as it was. */
static void refusals(ov_core_t *core)
{
	static const float three[] = {1, 2, 3};
	bench b = begin(core, 1, 2, 4, 4);
	ov_model_t *built;
	ov_preprocess_input_info_t *info;
	ov_output_const_port_t *port;
	ov_element_type_e type;
	EXPECT_OK(ov_preprocess_input_tensor_info_set_element_type(b.tensor, U8));
	EXPECT_OK(ov_preprocess_preprocess_steps_scale(b.steps, 2));
	EXPECT(ov_preprocess_prepostprocessor_build(b.ppp, &built) == PARAMETER_MISMATCH); /* of bytes */
	EXPECT_OK(ov_model_const_input(b.model, &port));
	EXPECT_OK(ov_port_get_element_type(port, &type));
	EXPECT(type == F32);
	ov_output_const_port_free(port);
	end(&b);
	b = begin(core, 1, 2, 4, 4);
	EXPECT_OK(ov_preprocess_preprocess_steps_resize(b.steps, RESIZE_LINEAR));
	EXPECT(ov_preprocess_prepostprocessor_build(b.ppp, &built) == GENERAL_ERROR); /* which axis is H? */
	end(&b);
	b = begin(core, 1, 2, 4, 4);
	set_model_layout(&b, "NCHW");
	EXPECT_OK(ov_preprocess_preprocess_steps_mean_multi_channels(b.steps, three, 3));
	EXPECT(ov_preprocess_prepostprocessor_build(b.ppp, &built) == PARAMETER_MISMATCH); /* two channels */
	end(&b);
	b = begin(core, 1, 2, 4, 4);
	set_model_layout(&b, "NCHW");
	EXPECT_OK(ov_preprocess_input_tensor_info_set_spatial_static_shape(b.tensor, 5, 4));
	EXPECT(ov_preprocess_prepostprocessor_build(b.ppp, &built) == PARAMETER_MISMATCH); /* nothing makes 5 rows 4 */
	EXPECT(ov_preprocess_preprocess_steps_crop(b.steps, (int[]){1}, 1, (int[]){1, 2}, 2) == GENERAL_ERROR);
	EXPECT(ov_preprocess_prepostprocessor_get_input_info_by_index(b.ppp, 7, &info) == NOT_FOUND);
	EXPECT(ov_preprocess_prepostprocessor_get_input_info_by_name(b.ppp, "no", &info) == NOT_FOUND);
	EXPECT(ov_preprocess_prepostprocessor_create(NULL, &b.ppp) == INVALID_C_PARAM);
	EXPECT(ov_preprocess_preprocess_steps_scale(NULL, 1) == INVALID_C_PARAM);
	EXPECT(ov_preprocess_preprocess_steps_pad(b.steps, NULL, 1, (int[]){1}, 1, 0, EDGE) == INVALID_C_PARAM);
	EXPECT(ov_preprocess_preprocess_steps_resize(b.steps, (ov_preprocess_resize_algorithm_e)9) == INVALID_C_PARAM);
	EXPECT(ov_preprocess_preprocess_steps_convert_color(b.steps, (ov_color_format_e)99) == INVALID_C_PARAM);
	EXPECT(ov_preprocess_prepostprocessor_build(b.ppp, NULL) == INVALID_C_PARAM);
	end(&b);
}

int main(void)
{
	ov_core_t *core;
	EXPECT_OK(ov_core_create(&core));
	image(core, "CPU", 1e-4);
	image(core, "REF", 1e-4);
	if (getenv("TARN_NPU")) /* gets the steps as OpenVINO IR; rounds in FP16 on the way */
		image(core, "NPU", 1.01);
	normalise(core);
	for (int mode = CONSTANT; mode <= SYMMETRIC; mode++)
		move(core, (ov_padding_mode_e)mode);
	single_plane(core, NV12_SINGLE_PLANE, false);
	single_plane(core, NV12_SINGLE_PLANE, true);
	single_plane(core, I420_SINGLE_PLANE, false);
	two_planes(core);
	gray(core);
	resizing(core);
	output_type(core);
	refusals(core);
	ov_core_free(core);
	return 0;
}
