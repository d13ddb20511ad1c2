/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU device against reference evaluation of the untouched graph: fused groups, layouts, views, several outputs, changing
 * sizes. */
#include "devices/graphs.h"

#include "dev/cpu/cpu.h"
#include "pass/pass.h"

#include "devices/fixture.h" /* last: its names are short */

enum { MAX_IO = 4 };

static int setup(void **state)
{
	(void)state;
	return fixture_start(12345);
}

/* Runs seeded inputs at both places, `times` times (sizes: of the inputs, one shape each and run). */
static void same_at(const tarn_shape *sizes, int times, double tolerance)
{
	tarn_model *copy;
	cpu_program *p;
	tarn_pool *pool;
	tarn_buffer *arena = NULL;
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_clone(model, &copy));
	assert_ok(tarn_pass_standard(copy));
	assert_ok(tarn_cpu_raise_fake(copy));
	assert_ok(tarn_cpu_lower(copy));
	assert_ok(tarn_pass_fuse(copy));
	assert_ok(tarn_cpu_program_new(copy->main, NULL, NULL, &p));
	assert_ok(tarn_cpu_drop_packed(p, copy));
	assert_ok(tarn_pool_new(2, &pool));
	for (int k = 0; k < times; k++) {
		tarn_tensor in[MAX_IO] = {0}, want[MAX_IO] = {0}, got[MAX_IO] = {0};
		const tarn_tensor *ptr[MAX_IO];
		for (size_t i = 0; i < g->input.len; i++) {
			in[i] = filled(sizes[k * (int)g->input.len + (int)i]);
			ptr[i] = &in[i];
		}
		assert_ok(tarn_graph_eval(g, ptr, want, NULL, NULL));
		assert_ok(tarn_cpu_graph_run(p, pool, &arena, ptr, got, NULL));
		for (size_t i = 0; i < g->output.len; i++) {
			double e = relative_error(&got[i], &want[i]);
			if (!(e <= tolerance))
				print_error("output %zu of run %d: relative error %g\n", i, k, e);
			assert_true(e <= tolerance);
			tarn_tensor_fini(&want[i]);
			tarn_tensor_fini(&got[i]);
		}
		for (size_t i = 0; i < g->input.len; i++)
			tarn_tensor_fini(&in[i]);
	}
	tarn_pool_free(pool);
	tarn_buffer_unref(arena);
	tarn_cpu_program_free(p);
	tarn_model_unref(copy);
}

static void same(double tolerance)
{
	tarn_shape sizes[MAX_IO];
	for (size_t i = 0; i < g->input.len; i++)
		sizes[i] = g->input.at[i]->shape;
	same_at(sizes, 1, tolerance);
}

static tarn_value *conv(tarn_value *x, int ic, int oc, int k, int stride, int group)
{
	tarn_value *y = node(g, "Conv", x, weights(g, dims(4, oc, ic / group, k, k)), weights(g, dims(1, oc)));
	set_ints(g, y, "pads", 4, k / 2, k / 2, k / 2, k / 2);
	set_ints(g, y, "strides", 2, stride, stride);
	set_int(y, "group", group);
	return y;
}

static void residual_block(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 2, 3, 19, 23)), *a = node(g, "Relu", conv(x, 3, 24, 3, 2, 1), NULL, NULL);
	tarn_value *b = conv(node(g, "Relu", conv(a, 24, 24, 3, 1, 24), NULL, NULL), 24, 24, 1, 1, 1);
	tarn_value *sum = node(g, "Relu", node(g, "Add", b, a, NULL), NULL, NULL);
	tarn_value *after = node(g, "Add", node(g, "Sigmoid", conv(sum, 24, 24, 1, 1, 4), NULL, NULL), sum, NULL);
	output(g, after);
	output(g, node(g, "GlobalAveragePool", after, NULL, NULL));
	same(1e-5);
}

/* What becomes one step: a product with its bias row and a written-out GELU, layer normalisation, a Swish behind a convolution.
 */
static void fused_patterns(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(3, 2, 5, 24)), *a = node(g, "MatMul", x, weights(g, dims(2, 24, 40)), NULL);
	a = node(g, "Add", weights(g, dims(1, 40)), a, NULL);
	tarn_value *e = node(g, "Erf", node(g, "Div", a, scalar(g, 1.41421356f), NULL), NULL, NULL);
	e = node(g, "Mul", node(g, "Mul", a, node(g, "Add", e, scalar(g, 1), NULL), NULL), scalar(g, 0.5f), NULL);
	tarn_value *b = node(g, "MatMul", e, weights(g, dims(2, 40, 24)), NULL);
	b = node(g, "Add", node(g, "Add", b, weights(g, dims(1, 24)), NULL), x, NULL);
	tarn_value *mean = node(g, "ReduceMean", b, NULL, NULL);
	set_ints(g, mean, "axes", 1, -1);
	tarn_value *d = node(g, "Sub", b, mean, NULL), *v = node(g, "ReduceMean", node(g, "Mul", d, d, NULL), NULL, NULL);
	set_ints(g, v, "axes", 1, 2);
	v = node(g, "Sqrt", node(g, "Add", v, scalar(g, 1e-5f), NULL), NULL, NULL);
	v = node(g, "Mul", node(g, "Div", d, v, NULL), weights(g, dims(1, 24)), NULL);
	output(g, node(g, "Add", v, weights(g, dims(1, 24)), NULL));
	tarn_value *c = conv(input(g, dims(4, 1, 3, 9, 8)), 3, 16, 3, 1, 1);
	c = node(g, "Mul", c, node(g, "Sigmoid", c, NULL, NULL), NULL);
	output(g, conv(c, 16, 4, 1, 1, 1));
	/* a bias that only some rows have is none */
	tarn_value *y = node(g, "MatMul", input(g, dims(2, 6, 6)), weights(g, dims(2, 6, 6)), NULL);
	output(g, node(g, "Relu", node(g, "Add", y, weights(g, dims(2, 6, 1)), NULL), NULL, NULL));
	same(1e-5);
}

static tarn_value *resize(tarn_value *x, bool behind_conv, const char *mode, const char *coordinates, const char *nearest,
			  tarn_value *scales, tarn_value *sizes)
{
	tarn_node *n;
	x = behind_conv ? conv(x, 3, 20, 3, 1, 1) : x;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "Resize"), NULL, 4, 1, -1, &n));
	n->in[0] = x;
	n->in[2] = scales;
	n->in[3] = sizes;
	const char *const words[][2] = {
		{"mode", mode}, {"coordinate_transformation_mode", coordinates}, {"nearest_mode", nearest}};
	for (int i = 0; i < 3; i++) {
		int at = tarn_attr_index(n->op, words[i][0]);
		assert_ok(tarn_attr_set_i(n, at, tarn_words_find(n->op->attr[at].words, words[i][1])));
	}
	return n->out[0];
}

static tarn_value *cast(tarn_value *x, tarn_dtype to)
{
	tarn_value *y = node(g, "Cast", x, NULL, NULL);
	set_int(y, "to", to);
	return y;
}

/* Every type to every type by way of the numbers -6 .. 300 and beyond; comparisons and choices with broadcasts. */
static void between_types(void **state)
{
	(void)state;
	static const tarn_dtype types[] = {TARN_F32, TARN_I64, TARN_I32, TARN_U8, TARN_I8, TARN_BOOL};
	static const char *const ops[] = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
	tarn_value *x = input(g, dims(3, 4, 3, 17)), *y = input(g, dims(2, 3, 1)), *sum = NULL;
	x = node(g, "Mul", x, scalar(g, 320), NULL);
	for (int i = 0; i < 6; i++)
		for (int k = 0; k < 6; k++) {
			tarn_value *v = cast(cast(cast(x, types[i]), types[k]), TARN_F32);
			sum = sum ? node(g, "Concat", sum, v, NULL) : v;
			if (sum != v)
				set_int(sum, "axis", 1);
		}
	output(g, sum);
	tarn_value *a = cast(node(g, "Mul", x, scalar(g, 0.01f), NULL), TARN_I32), *bit = NULL;
	tarn_value *b = cast(node(g, "Mul", y, scalar(g, 3), NULL), TARN_I32);
	for (int i = 0; i < 5; i++) {
		static const tarn_dtype kind[] = {TARN_I32, TARN_I64, TARN_F32, TARN_U8, TARN_I64};
		tarn_value *c = node(g, ops[i], cast(a, kind[i]), cast(b, kind[i]), NULL);
		static const char *const join[] = {"And", "Or", "Xor"};
		bit = bit ? node(g, join[i % 3], bit, node(g, "Not", c, NULL, NULL), NULL) : c;
	}
	output(g, node(g, "Where", bit, x, y));
	output(g, cast(node(g, "Where", bit, cast(y, TARN_I64), cast(x, TARN_I64)), TARN_F32));
	output(g, cast(node(g, "Where", node(g, "Less", y, scalar(g, 0), NULL), cast(y, TARN_U8), cast(x, TARN_U8)), TARN_F32));
	same(0);
}

/* Limits for all and for each channel, on the grid of codes and off it, of weights and of activations. */
static void fake_quantization(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 2, 3, 6, 5)), *y = conv(x, 3, 16, 3, 1, 1);
	float low[16], high[16];
	for (int i = 0; i < 16; i++) {
		low[i] = -0.3f - 0.05f * (float)i;
		high[i] = 0.4f + 0.03f * (float)i;
	}
	for (int way = 0; way < 3; way++) {
		tarn_tensor t = {.type = TARN_F32, .rank = 4, .dim = {1, way == 1 ? 16 : 1, 1, 1}, .data = low};
		tarn_value *lo, *hi;
		assert_ok(tarn_value_const(g, NULL, &t, &lo));
		t.data = high;
		assert_ok(tarn_value_const(g, NULL, &t, &hi));
		tarn_node *n;
		assert_ok(tarn_node_new(g, tarn_op_find(NULL, "FakeQuantize"), NULL, 5, 1, -1, &n));
		n->in[0] = way == 2 ? weights(g, dims(4, 8, 16, 1, 1)) : y;
		n->in[1] = n->in[3] = lo;
		n->in[2] = n->in[4] = hi;
		set_int(n->out[0], "levels", way == 0 ? 16 : 255);
		if (way < 2)
			y = n->out[0];
		else
			y = node(g, "Conv", y, n->out[0], NULL);
		output(g, y);
	}
	assert_ok(tarn_graph_infer(g));
	same(1e-5);
}

/* Both directions, both layouts, with initial states and without, a batch of several. */
static void recurrent_cell(const char *op, int gates, int way, bool special, const char *acts)
{
	enum { IN = 5, H = 7, STEPS = 6, BATCH = 3 };
	int d = way == 2 ? 2 : 1;
	bool batch_first = way == 1, states = way > 0, lstm = gates == 4;
	tarn_value *x = input(g, batch_first ? dims(3, BATCH, STEPS, IN) : dims(3, STEPS, BATCH, IN));
	tarn_shape first = batch_first ? dims(3, BATCH, d, H) : dims(3, d, BATCH, H);
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, op), NULL, states ? 6 + lstm : way ? 4 : 3, 2 + lstm, -1, &n));
	n->in[0] = x;
	n->in[1] = weights(g, dims(3, d, gates * H, IN));
	n->in[2] = weights(g, dims(3, d, gates * H, H));
	if (way)
		n->in[3] = weights(g, dims(2, d, 2 * gates * H));
	for (int i = 5; i < n->n_in; i++)
		n->in[i] = input(g, first);
	set_int(n->out[0], "layout", batch_first);
	set_int(n->out[0], "hidden_size", H);
	set_int(n->out[0], "direction", way);
	if (special)
		set_int(n->out[0], "linear_before_reset", 1);
	if (acts)
		assert_ok(tarn_attr_set_str(g, n, tarn_attr_index(n->op, "activations"), acts));
	for (int i = 0; i < n->n_out; i++)
		output(g, n->out[i]);
	same(1e-5);
	fixture_teardown(NULL);
	assert_ok(tarn_model_new(&model));
	g = model->main;
}

static void recurrent(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		recurrent_cell("LSTM", 4, way, false, NULL);
		recurrent_cell("GRU", 3, way, false, NULL);
		recurrent_cell("GRU", 3, way, true, NULL);
		recurrent_cell("RNN", 1, way, false, way == 2 ? "Relu,Relu" : way ? "Relu" : NULL);
	}
	recurrent_cell("GRU", 3, 2, true, "Sigmoid,Tanh,Sigmoid,Tanh");
	recurrent_cell("RNN", 1, 2, false, "Tanh,Relu"); /* the reference's */
}

/* Pads that add and cut, with a value and without, channels last and plain; normalisation of images and of groups. */
static void padding_and_group_norm(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 2, 3, 6, 5)), *y = conv(x, 3, 16, 3, 1, 1);
	output(g, node(g, "Pad", y, ints(g, 8, 0, 0, 1, 2, 0, 0, 3, 0), NULL));
	output(g, node(g, "Pad", y, ints(g, 8, 1, 2, -1, 2, 0, 3, 1, -3), scalar(g, 0.5f)));
	output(g, node(g, "Pad", x, ints(g, 8, 0, 1, 0, -2, 0, 0, -6, 0), scalar(g, -1)));
	tarn_value *n = node(g, "InstanceNormalization", y, weights(g, dims(1, 16)), weights(g, dims(1, 16)));
	tarn_value *k = node(g, "GroupNormalization", n, weights(g, dims(1, 16)), weights(g, dims(1, 16)));
	set_int(k, "num_groups", 4);
	output(g, node(g, "Add", n, k, NULL));
	same(1e-5);
}

/* A normalisation before its convolution (no product to fold it into), and operators of many inputs. */
static void lowered(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 2, 3, 6, 5)), *y = node(g, "Relu", conv(x, 3, 16, 3, 1, 1), NULL, NULL);
	tarn_node *bn, *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "BatchNormalization"), NULL, 5, 1, -1, &bn));
	bn->in[0] = y;
	for (int i = 1; i < 4; i++)
		bn->in[i] = weights(g, dims(1, 16));
	float variance[16];
	for (int i = 0; i < 16; i++)
		variance[i] = 0.25f + 0.125f * (float)i;
	assert_ok(tarn_value_const_f32(g, NULL, variance, 16, &bn->in[4]));
	static const char *const ops[] = {"Sum", "Max", "Min"};
	for (int i = 0; i < 3; i++) {
		assert_ok(tarn_node_new(g, tarn_op_find(NULL, ops[i]), NULL, 4, 1, -1, &n));
		n->in[0] = y;
		n->in[1] = bn->out[0];
		n->in[2] = weights(g, dims(3, 16, 1, 1));
		n->in[3] = weights(g, dims(1, 5));
		output(g, n->out[0]);
	}
	output(g, bn->out[0]);
	same(1e-5);
}

/* Along channels and other axes, ties included: the values are few whole numbers. */
static void places_of_extremes(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 2, 16, 6, 5)), *y = node(g, "MaxPool", x, NULL, NULL), *sum = NULL;
	set_ints(g, y, "kernel_shape", 2, 1, 1); /* channels last, and exact */
	y = node(g, "Floor", node(g, "Mul", y, scalar(g, 3), NULL), NULL, NULL);
	for (int i = 0; i < 8; i++) {
		tarn_value *a = node(g, i & 1 ? "ArgMin" : "ArgMax", i < 6 ? y : node(g, "Floor", x, NULL, NULL), NULL, NULL);
		set_int(a, "axis", i / 2 == 0 ? 1 : i / 2 == 1 ? -1 : i / 2);
		set_int(a, "keepdims", 0);
		set_int(a, "select_last_index", i % 3 == 0);
		a = node(g, "Reshape", cast(a, TARN_F32), ints(g, 1, -1), NULL);
		sum = sum ? node(g, "Concat", sum, a, NULL) : a;
		if (sum != a)
			set_int(sum, "axis", 0);
	}
	output(g, sum);
	same(0);
}

/* What a kernel packed is given back; what a step reads in place stays. */
static void packed_weights_leave_the_model(void **state)
{
	(void)state;
	enum { N = 64 };
	tarn_value *w = weights(g, dims(2, N, N)), *other = weights(g, dims(2, N, N));
	output(g, node(g, "Mul", node(g, "MatMul", input(g, dims(2, N, N)), w, NULL), other, NULL));
	tarn_model *copy;
	cpu_program *p;
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_model_clone(model, &copy));
	assert_ok(tarn_cpu_program_new(copy->main, NULL, NULL, &p));
	size_t before = copy->buffer.len;
	assert_ok(tarn_cpu_drop_packed(p, copy));
	assert_int_equal(copy->buffer.len, before - 1);
	const tarn_node *product = copy->main->node.at[0], *factor = copy->main->node.at[1];
	assert_null(product->in[1]->konst->data);
	assert_int_equal(product->in[1]->konst->dim[1], N);
	assert_non_null(factor->in[1]->konst->data);
	assert_non_null(w->konst->data); /* the model it was compiled from has its own */
	tarn_cpu_program_free(p);
	tarn_model_unref(copy);
}

/* Both modes, up and down, all ways to place pixels, with channels last and without. */
static void resizing(void **state)
{
	(void)state;
	static const char *const coordinates[] = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"};
	static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
	for (int i = 0; i < 4; i++) {
		tarn_value *x = input(g, dims(4, 2, 3, 7, 9)), *line = input(g, dims(3, 1, 4, 6)), *scales, *few;
		assert_ok(tarn_value_const_f32(g, NULL, (const float[]){1, 1, 2, 2.5f}, 4, &scales));
		assert_ok(tarn_value_const_f32(g, NULL, (const float[]){1, 1, 0.6f}, 3, &few));
		output(g, resize(x, true, "nearest", coordinates[i], nearest[i], scales, NULL));
		output(g, resize(x, true, "linear", coordinates[i], nearest[i], NULL, ints(g, 4, 2, 20, 5, 31)));
		output(g, resize(x, false, "linear", coordinates[i], nearest[i], scales, NULL));
		output(g, node(g, "Add", resize(line, false, "nearest", coordinates[3 - i], nearest[i], few, NULL),
			       resize(line, false, "linear", coordinates[i], nearest[i], few, NULL), NULL));
		same(1e-5);
		fixture_teardown(NULL);
		assert_ok(tarn_model_new(&model));
		g = model->main;
	}
}

/* Enough channels and pixels for the Winograd form; a batch, a residual and every kind of epilogue. */
static void wide_3x3_convolutions(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 2, 32, 15, 18)), *a = node(g, "Relu", conv(x, 32, 40, 3, 1, 1), NULL, NULL);
	tarn_value *b = node(g, "Relu", node(g, "Add", conv(a, 40, 40, 3, 1, 1), a, NULL), NULL, NULL);
	output(g, node(g, "Add", node(g, "Sigmoid", conv(b, 40, 40, 3, 1, 1), NULL, NULL), b, NULL));
	same(1e-5);
}

static void transposed_convolutions(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 2, 6, 5, 7)), *a = node(g, "ConvTranspose", x, weights(g, dims(4, 6, 9, 2, 2)), NULL);
	set_ints(g, a, "strides", 2, 2, 2);
	tarn_value *b = node(g, "ConvTranspose", node(g, "Relu", a, NULL, NULL), weights(g, dims(4, 9, 8, 3, 4)),
			     weights(g, dims(1, 8)));
	set_ints(g, b, "pads", 4, 1, 0, 0, 1);
	set_ints(g, b, "strides", 2, 1, 3);
	set_ints(g, b, "output_padding", 2, 0, 1);
	output(g, node(g, "Sigmoid", b, NULL, NULL));
	tarn_value *y = node(g, "ConvTranspose", x, weights(g, dims(4, 6, 3, 3, 3)), NULL);
	tarn_node *n = y->def;
	assert_ok(tarn_attr_set_i(n, tarn_attr_index(n->op, "group"), 2));
	output(g, y);
	/* kernel and stride the same, with a bias, another addition and one output channel */
	tarn_value *u = node(g, "ConvTranspose", x, weights(g, dims(4, 6, 1, 3, 2)), weights(g, dims(1, 1)));
	set_ints(g, u, "strides", 2, 3, 2);
	tarn_value *v = node(g, "ConvTranspose", x, weights(g, dims(4, 6, 1, 3, 2)), NULL);
	set_ints(g, v, "strides", 2, 3, 2);
	output(g, node(g, "Relu", node(g, "Add", u, v, NULL), NULL, NULL));
	same(1e-5);
}

static void squeeze_excite_and_concat(void **state)
{
	(void)state;
	tarn_value *x = conv(input(g, dims(4, 2, 5, 12, 9)), 5, 16, 3, 1, 1);
	tarn_value *gate = conv(node(g, "GlobalAveragePool", x, NULL, NULL), 16, 16, 1, 1, 1);
	tarn_value *y = node(g, "Mul", x, node(g, "HardSigmoid", gate, NULL, NULL), NULL);
	tarn_value *p = node(g, "MaxPool", x, NULL, NULL);
	set_ints(g, p, "kernel_shape", 2, 3, 3);
	set_ints(g, p, "pads", 4, 1, 1, 1, 1);
	set_ints(g, p, "strides", 2, 1, 1);
	tarn_value *c = node(g, "Concat", y, p, node(g, "Add", y, weights(g, dims(3, 16, 1, 1)), NULL));
	set_int(c, "axis", 1);
	tarn_node *s = node_with(g, "Split", 2, c, ints(g, 2, 17, 31), NULL);
	assert_ok(tarn_attr_set_i(s, tarn_attr_index(s->op, "axis"), 1));
	output(g, s->out[0]);
	output(g, node(g, "Sub", s->out[1], scalar(g, 0.25f), NULL));
	same(1e-5);
}

static void detection_head(void **state)
{
	(void)state;
	tarn_value *x = conv(input(g, dims(4, 1, 4, 6, 10)), 4, 12, 3, 1, 1);
	tarn_value *t = node(g, "Transpose", x, NULL, NULL);
	set_ints(g, t, "perm", 4, 0, 2, 3, 1);
	tarn_value *r = node(g, "Reshape", t, ints(g, 3, 1, -1, 4), NULL), *s = node(g, "Softmax", r, NULL, NULL);
	tarn_value *sl = node_with(g, "Slice", 1, s, ints(g, 1, 1), ints(g, 1, 3))->out[0];
	assert_ok(tarn_node_resize_inputs(g, sl->def, 4));
	sl->def->in[3] = ints(g, 1, 2);
	output(g, sl);
	output(g, x);
	same(1e-5);
}

static void transformer_block(void **state)
{
	(void)state;
	tarn_dim n;
	assert_ok(tarn_symtab_named(&model->syms, "length", &n));
	tarn_shape free_shape = dims(3, 2, 0, 32);
	free_shape.dim[1] = n;
	tarn_value *x = input(g, free_shape), *q[3];
	tarn_value *ln = node_with(g, "LayerNormalization", 1, x, weights(g, dims(1, 32)), weights(g, dims(1, 32)))->out[0];
	for (int i = 0; i < 3; i++) {
		tarn_value *p =
			node(g, "Add", node(g, "MatMul", ln, weights(g, dims(2, 32, 32)), NULL), weights(g, dims(1, 32)), NULL);
		q[i] = node(g, "Transpose", node(g, "Reshape", p, ints(g, 4, 0, -1, 4, 8), NULL), NULL, NULL);
		set_ints(g, q[i], "perm", 4, 0, 2, i == 1 ? 3 : 1, i == 1 ? 1 : 3);
	}
	tarn_value *a =
		node(g, "Softmax", node(g, "Mul", node(g, "MatMul", q[0], q[1], NULL), scalar(g, 0.35f), NULL), NULL, NULL);
	tarn_value *o = node(g, "Transpose", node(g, "MatMul", a, q[2], NULL), NULL, NULL);
	set_ints(g, o, "perm", 4, 0, 2, 1, 3);
	o = node(g, "MatMul", node(g, "Reshape", o, ints(g, 3, 0, -1, 32), NULL), weights(g, dims(2, 32, 32)), NULL);
	tarn_value *y = node(g, "Add", o, x, NULL);
	tarn_value *m = node(g, "ReduceMax", y, NULL, NULL);
	set_ints(g, m, "axes", 1, 1);
	output(g, y);
	output(g, m);
	tarn_shape sizes[40];
	for (int i = 0; i < 40; i++) /* more sizes than instances are kept; some come back */
		sizes[i] = dims(3, 2, 1 + i % 23, 32);
	same_at(sizes, 40, 1e-5);
}

/* Everything after NonZero is of a size that only running tells: the second segment is found by what the first gave. */
static void data_dependent_sizes(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(2, 4, 6)), *r = node(g, "Relu", x, NULL, NULL);
	tarn_value *nz = node(g, "NonZero", r, NULL, NULL), *f = node(g, "Cast", nz, NULL, NULL);
	set_int(f, "to", TARN_F32);
	tarn_value *t = node(g, "Transpose", f, NULL, NULL);
	set_ints(g, t, "perm", 2, 1, 0);
	output(g, node(g, "Mul", t, scalar(g, 2), NULL));
	output(g, node(g, "Exp", r, NULL, NULL));
	output(g, nz);
	tarn_shape sizes[] = {dims(2, 4, 6), dims(2, 4, 6), dims(2, 4, 6)};
	same_at(sizes, 3, 1e-5);
}

static void broadcasts(void **state)
{
	(void)state;
	tarn_value *a = input(g, dims(4, 3, 1, 5, 7)), *b = input(g, dims(3, 4, 1, 7)), *s = node(g, "Sub", a, b, NULL);
	output(g, s);
	output(g, node(g, "Div", node(g, "Max", s, weights(g, dims(2, 5, 1)), NULL), scalar(g, 3), NULL));
	output(g, node(g, "Add", scalar(g, 1), node(g, "Mul", s, s, NULL), NULL));
	output(g, a);
	same(1e-6);
}

/* Random chains of the above: shapes, strides and fusions nobody thought of. */
static void random_networks(void **state)
{
	(void)state;
	for (int trial = 0; trial < 60; trial++) {
		int c = between(1, 40), h = between(1, 14), w = between(1, 14);
		tarn_value *x = input(g, dims(4, between(1, 2), c, h, w)), *keep = x;
		for (int i = 0, depth = between(1, 7); i < depth; i++) {
			static const char *const unary[] = {"Relu", "Sigmoid", "HardSwish", "LeakyRelu", "Tanh"};
			int oc = between(1, 3) == 1 ? c : between(1, 40);
			switch (between(0, 5)) {
			case 0:
			case 1:
				x = conv(x, c, oc, between(0, 1) * 2 + 1, 1, 1);
				c = oc;
				keep = between(0, 1) ? x : keep;
				break;
			case 2:
				x = conv(x, c, c, 3, 1, c);
				break;
			case 3:
				x = node(g, unary[between(0, 4)], x, NULL, NULL);
				break;
			case 4:
				x = node(g, "Mul", x, weights(g, between(0, 1) ? dims(3, c, 1, 1) : dims(4, 1, c, h, w)), NULL);
				break;
			default:
				assert_ok(tarn_graph_infer(g));
				if (tarn_shape_same(&keep->shape, &x->shape))
					x = node(g, "Add", between(0, 1) ? x : keep, between(0, 1) ? keep : x, NULL);
			}
		}
		output(g, x);
		if (keep != x)
			output(g, keep);
		same(1e-4);
		fixture_teardown(NULL);
		assert_ok(tarn_model_new(&model));
		g = model->main;
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(fused_patterns),
		T(resizing),
		T(between_types),
		T(lowered),
		T(places_of_extremes),
		T(packed_weights_leave_the_model),
		T(padding_and_group_norm),
		T(recurrent),
		T(fake_quantization),
		T(residual_block),
		T(wide_3x3_convolutions),
		T(transposed_convolutions),
		T(squeeze_excite_and_concat),
		T(detection_head),
		T(transformer_block),
		T(data_dependent_sizes),
		T(broadcasts),
		T(random_networks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
