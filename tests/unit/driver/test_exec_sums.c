/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The int32 sums of INT8 layers, bit by bit: those of the executor against ConvInteger's and MatMulInteger's reference on the
 * same codes, and the codes that come out against the formula on those sums, within one.
 */
#include "driver/exec/exec.h"
#include "kern/isa.h"
#include "unit/driver/npu_graphs.h"

typedef enum layer_kind { CONV, MATMUL, GEMM, GEMM_TURNED } layer_kind;

typedef struct layer_case {
	layer_kind kind;
	tarn_dtype x_type, w_type;
	int zero_x, zero_w; /* zero_w: plus the channel's number, when weights are u8 */
	int ic, oc, k, stride, pad, groups, size;
	bool ends; /* codes are the ends of their range only: the largest sums there are */
} layer_case;

static const layer_case cases[] = {
	{CONV, TARN_U8, TARN_I8, 128, 0, 16, 24, 3, 1, 1, 1, 9, false},
	{CONV, TARN_U8, TARN_I8, 255, 0, 33, 20, 5, 2, 2, 1, 9, true},
	{CONV, TARN_I8, TARN_I8, -7, 0, 24, 40, 3, 2, 1, 1, 10, false},
	{CONV, TARN_I8, TARN_I8, 127, 0, 512, 16, 3, 1, 1, 1, 5, true},
	{CONV, TARN_U8, TARN_U8, 3, 100, 16, 17, 3, 1, 2, 1, 8, true},
	{CONV, TARN_U8, TARN_I8, 0, 0, 70, 9, 1, 1, 0, 1, 7, true},
	{CONV, TARN_U8, TARN_I8, 114, 0, 24, 24, 3, 1, 1, 24, 12, false},
	{CONV, TARN_I8, TARN_I8, -128, 0, 40, 40, 5, 2, 2, 40, 11, true},
	{CONV, TARN_U8, TARN_U8, 200, 120, 19, 19, 3, 1, 1, 19, 9, true},
	{CONV, TARN_U8, TARN_I8, 9, 0, 8, 12, 3, 1, 1, 4, 6, true},
	{MATMUL, TARN_U8, TARN_I8, 131, 0, 257, 30, 1, 1, 0, 1, 5, false},
	{MATMUL, TARN_I8, TARN_I8, 5, 0, 2048, 33, 1, 1, 0, 1, 3, true},
	{MATMUL, TARN_U8, TARN_U8, 12, 60, 64, 65, 1, 1, 0, 1, 4, true},
	{GEMM, TARN_U8, TARN_I8, 77, 0, 48, 10, 1, 1, 0, 1, 2, true},
	{GEMM_TURNED, TARN_I8, TARN_I8, -3, 0, 100, 21, 1, 1, 0, 1, 6, false},
};

/* Codes of a type: any, or the ends of the range; weights leave -128 out, as symmetric ones do. */
static tarn_tensor codes(tarn_dtype type, tarn_shape s, bool ends, bool weight)
{
	tarn_tensor t;
	assert_ok(tarn_tensor_new(type, s.rank, s.dim, &t));
	int lo = type == TARN_I8 ? weight ? -127 : -128 : 0, hi = type == TARN_I8 ? 127 : 255;
	for (int64_t i = 0; i < tarn_tensor_count(&t); i++)
		tarn_tensor_set_i64(&t, i, !ends ? between(lo, hi) : between(0, 9) ? hi : lo);
	return t;
}

static tarn_value *constant(tarn_graph *g, const tarn_tensor *t)
{
	tarn_value *v;
	assert_ok(tarn_value_const(g, NULL, t, &v));
	return v;
}

typedef struct parts {
	tarn_tensor x, w, zero_w, scale_w;
	float scale_y;
	int zero_y;
} parts;

static tarn_shape x_shape(const layer_case *c)
{
	return c->kind == CONV ? dims(4, 1, c->ic, c->size, c->size) : dims(2, c->size, c->ic);
}

static void make_parts(const layer_case *c, parts *p)
{
	tarn_shape w = c->kind == CONV          ? dims(4, c->oc, c->ic / c->groups, c->k, c->k)
		       : c->kind == GEMM_TURNED ? dims(2, c->oc, c->ic)
						: dims(2, c->ic, c->oc);
	p->x = codes(c->x_type, x_shape(c), c->ends, false);
	p->w = codes(c->w_type, w, c->ends, true);
	assert_ok(tarn_tensor_new(c->w_type, 1, (int64_t[]){c->oc}, &p->zero_w));
	assert_ok(tarn_tensor_new(TARN_F32, 1, (int64_t[]){c->oc}, &p->scale_w));
	for (int o = 0; o < c->oc; o++) {
		tarn_tensor_set_i64(&p->zero_w, o, c->w_type == TARN_U8 ? c->zero_w + o : 0);
		tarn_tensor_set_f64(&p->scale_w, o, 0.001 * (1 + o % 5));
	}
	p->scale_y = c->ends ? 0.5f : 0.02f * sqrtf((float)(c->ic / c->groups * c->k * c->k));
	p->zero_y = 121;
}

static void window(tarn_graph *g, tarn_value *y, const layer_case *c)
{
	set_ints(g, y, "kernel_shape", 2, c->k, c->k);
	set_ints(g, y, "strides", 2, c->stride, c->stride);
	set_ints(g, y, "pads", 4, c->pad, c->pad, c->pad, c->pad);
	set_int(y, "group", c->groups);
}

/* Codes in, codes out, a product of dequantized codes between. */
static tarn_model *layer(const layer_case *c, const parts *p)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x;
	tarn_shape s = x_shape(c);
	assert_ok(tarn_value_input(g, "x", c->x_type, &s, &x));
	x = node(g, "DequantizeLinear", x, scalar(g, 0.02f), byte_const(g, c->x_type, c->zero_x));
	tarn_value *w = node(g, "DequantizeLinear", constant(g, &p->w), constant(g, &p->scale_w), constant(g, &p->zero_w));
	set_int(w, "axis", c->kind == CONV || c->kind == GEMM_TURNED ? 0 : 1);
	tarn_value *y = node(g, c->kind == CONV ? "Conv" : c->kind == MATMUL ? "MatMul" : "Gemm", x, w, NULL);
	if (c->kind == CONV)
		window(g, y, c);
	if (c->kind == GEMM_TURNED)
		set_int(y, "transB", 1);
	output(g, quantize(g, y, p->scale_y, p->zero_y));
	assert_ok(tarn_graph_infer(g));
	return m;
}

/* Their sums by the operators made for them, from the same codes. */
static tarn_tensor reference(const layer_case *c, const parts *p)
{
	tarn_model *m;
	tarn_tensor sums = {0};
	const tarn_tensor *in = &p->x;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x, *w = constant(g, &p->w);
	tarn_shape s = x_shape(c);
	assert_ok(tarn_value_input(g, "x", c->x_type, &s, &x));
	if (c->kind == GEMM_TURNED) {
		w = node(g, "Transpose", w, NULL, NULL);
		set_ints(g, w, "perm", 2, 1, 0);
	}
	tarn_node *n =
		node_with(g, c->kind == CONV ? "ConvInteger" : "MatMulInteger", 1, x, w, byte_const(g, c->x_type, c->zero_x));
	assert_ok(tarn_node_resize_inputs(g, n, 4));
	n->in[3] = constant(g, &p->zero_w);
	if (c->kind == CONV)
		window(g, n->out[0], c);
	output(g, n->out[0]);
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_graph_eval(g, &in, &sums, NULL, NULL));
	tarn_model_unref(m);
	return sums;
}

typedef struct seen {
	const layer_case *c;
	const tarn_tensor *want;
	int layers;
	int64_t most; /* the largest sum */
} seen;

/* Sums are channels-last where the layer is a convolution. */
static void compare_sums(void *ctx, const npu_run *r, const npu_step *s)
{
	seen *k = ctx;
	if (!s->layer || !s->layer->integer || r->exec->slot.at[s->out[0]].type != TARN_I32)
		return;
	const int32_t *got = npu_ptr(r, s->out[0]), *want = k->want->data;
	int64_t n = tarn_tensor_count(k->want), channels = k->c->oc, pixels = n / channels;
	for (int64_t i = 0; i < n; i++) {
		int64_t at = k->c->kind == CONV ? i % pixels * channels + i / pixels : i;
		if (got[at] != want[i])
			fail_msg("case %d: sum %d is %d, not %d", (int)(k->c - cases), (int)i, got[at], want[i]);
		k->most = llabs(want[i]) > k->most ? llabs(want[i]) : k->most;
	}
	k->layers++;
}

static void check_codes(const layer_case *c, const parts *p, const tarn_tensor *sums, const uint8_t *code)
{
	int64_t n = tarn_tensor_count(sums), pixels = n / c->oc, off = 0;
	for (int64_t i = 0; i < n; i++) {
		int64_t o = c->kind == CONV ? i / pixels : i % c->oc;
		double scale = (double)0.02f * tarn_tensor_f64(&p->scale_w, o) / (double)p->scale_y;
		double y = rint((double)((int32_t *)sums->data)[i] * scale) + p->zero_y;
		int want = y < 0 ? 0 : y > 255 ? 255 : (int)y;
		if (abs(code[i] - want) > 1)
			fail_msg("case %d: code %d is %d, not %d", (int)(c - cases), (int)i, code[i], want);
		off += code[i] != want;
	}
	assert_true(off * 20 <= n);
}

static void sums_are_the_references(void **state)
{
	(void)state;
	tarn_isa was = tarn_isa_get();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		parts p;
		seed = 11 + (uint32_t)i;
		make_parts(&cases[i], &p);
		tarn_model *m = layer(&cases[i], &p);
		tarn_tensor sums = reference(&cases[i], &p);
		uint8_t *code = test_malloc((size_t)tarn_tensor_count(&sums));
		tarn_cc_blob blob = compiled(m, NULL, 3720);
		for (int isa = 0; isa < TARN_ISA_COUNT; isa++) {
			seen k = {&cases[i], &sums, 0, 0};
			tarn_npu_program *program;
			if (!tarn_isa_set((tarn_isa)isa))
				continue;
			assert_ok(tarn_blob_load(blob.at, blob.size, 3720, &program));
			program->exec->watch = compare_sums;
			program->exec->watch_ctx = &k;
			assert_ok(tarn_exec_run(program, (void *[]){p.x.data, code}, NULL));
			tarn_npu_program_free(program);
			assert_int_equal(k.layers, 1);
			assert_true(k.most > (cases[i].ends ? 50000 : 1000));
			check_codes(&cases[i], &p, &sums, code);
		}
		test_free(code);
		tarn_mem_free(blob.at);
		tarn_model_unref(m);
		tarn_tensor *t[] = {&sums, &p.x, &p.w, &p.zero_w, &p.scale_w};
		for (int j = 0; j < 5; j++)
			tarn_tensor_fini(t[j]);
	}
	assert_true(tarn_isa_set(was));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sums_are_the_references)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
