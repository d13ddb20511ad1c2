/* SPDX-License-Identifier: Apache-2.0 */
/* Equalization: the function stays; and a network whose channels were scaled at random, without changing its function, is
 * quantized as well as the one it was made from. */
#include "unit/quant/fixture.h"

#include "quant/equalize.h"

enum { SAMPLES = 6 };

typedef struct net {
	tarn_model *m;
	tarn_graph *g;
	tarn_value *first, *second, *third,
		*last; /* outputs of the convolutions whose channels are scaled, and their readers */
} net;

static tarn_value *conv(tarn_graph *g, tarn_value *x, int ic, int oc, int group, int side)
{
	tarn_value *w = weights(g, dims(4, oc, ic / group, side, side)), *y;
	float *at = (float *)w->konst->data;
	for (int64_t i = 0; i < tarn_tensor_count(w->konst); i++)
		at[i] *= 2.0f / sqrtf((float)(ic / group * side * side));
	y = node(g, "Conv", x, w, weights(g, dims(1, oc)));
	if (side == 3)
		set_ints(g, y, "pads", 4, 1, 1, 1, 1);
	set_int(y, "group", group);
	return y;
}

/* Input -> first -> ReLU -> depthwise second -> leaky ReLU -> third; third + its 1x1 neighbour; concatenated with the ReLU of
 * first; pooled -> Gemm. */
static net build(void)
{
	net n = {0};
	seed = 4711;
	assert_ok(tarn_model_new(&n.m));
	tarn_graph *g = n.g = n.m->main;
	n.first = conv(g, input(g, dims(4, 1, 3, 10, 10)), 3, 16, 1, 3);
	tarn_value *a = node(g, "Relu", n.first, NULL, NULL);
	n.second = conv(g, a, 16, 16, 16, 3);
	tarn_value *b = node(g, "LeakyRelu", n.second, NULL, NULL);
	n.third = conv(g, b, 16, 12, 1, 1);
	tarn_value *sum = node(g, "Add", n.third, conv(g, a, 16, 12, 1, 1), NULL);
	tarn_value *all = node(g, "Concat", node(g, "MaxPool", sum, NULL, NULL), node(g, "Relu", a, NULL, NULL), NULL);
	set_ints(g, all->def->in[0], "kernel_shape", 2, 3, 3);
	set_ints(g, all->def->in[0], "pads", 4, 1, 1, 1, 1);
	set_int(all, "axis", 1);
	n.last = conv(g, all, 28, 20, 1, 1);
	tarn_value *f =
		node(g, "Flatten", node(g, "GlobalAveragePool", node(g, "Relu", n.last, NULL, NULL), NULL, NULL), NULL, NULL);
	output(g, node(g, "Gemm", f, weights(g, dims(2, 20, 10)), weights(g, dims(1, 10))));
	assert_ok(tarn_graph_infer(g));
	return n;
}

/* Output channels of v's convolution times k[c], and what reads channel c of it through `reader`'s weights divided by it. */
static void scale_outputs(tarn_value *v, const float *k)
{
	const tarn_tensor *w = v->def->in[1]->konst, *b = v->def->in[2]->konst;
	int64_t each = tarn_tensor_count(w) / w->dim[0];
	for (int64_t i = 0; i < tarn_tensor_count(w); i++)
		((float *)w->data)[i] *= k[i / each];
	for (int64_t o = 0; o < w->dim[0]; o++)
		((float *)b->data)[o] *= k[o];
}

static void scale_inputs(tarn_node *reader, int first, int n, const float *k)
{
	const tarn_tensor *w = reader->in[1]->konst;
	bool gemm = reader->op == tarn_op_find(NULL, "Gemm"), alone = !gemm && w->dim[1] == 1;
	int64_t area = gemm ? w->dim[1] : tarn_tensor_count(w) / (w->dim[0] * w->dim[1]), inputs = gemm ? w->dim[0] : w->dim[1];
	for (int64_t i = 0; i < tarn_tensor_count(w); i++) {
		int64_t c = alone ? i / area : i / area % inputs;
		if (c >= first && c < first + n)
			((float *)w->data)[i] /= k[c - first];
	}
}

static void factors(float *k, int n)
{
	for (int i = 0; i < n; i++)
		k[i] = exp2f(6 * number());
}

static void factors_and_ones(uint64_t from, float k[16], float one[16])
{
	seed = from;
	factors(k, 16);
	for (int i = 0; i < 16; i++)
		one[i] = 1;
}

static tarn_node *reader_of(tarn_graph *g, const tarn_value *x, const char *op, int nth)
{
	for (size_t i = 0; i < g->node.len; i++)
		if (g->node.at[i]->in[0] == x && g->node.at[i]->op == tarn_op_find(NULL, op) && nth-- == 0)
			return g->node.at[i];
	fail_msg("no %s reads '%s'", op, x->name);
	return NULL;
}

static void sabotage(net *n)
{
	float k[32];
	seed = 5;
	/* The first convolution's channels: read by the depthwise, by a 1x1, and as the last 16 of the concatenation. */
	factors(k, 16);
	scale_outputs(n->first, k);
	tarn_value *a = n->second->def->in[0];
	scale_inputs(n->second->def, 0, 16, k);
	scale_inputs(reader_of(n->g, a, "Conv", 1), 0, 16, k);
	scale_inputs(n->last->def, 12, 16, k);
	factors(k, 16);
	scale_outputs(n->second, k);
	scale_inputs(n->third->def, 0, 16, k);
	factors(k, 20);
	scale_outputs(n->last, k);
	scale_inputs(n->g->output.at[0]->def, 0, 20, k);
}

static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(77 * i + 1);
	in[0] = filled(dims(4, 1, 3, 10, 10));
	return TARN_OK;
}

static tarn_quant_options options_of(tarn_quant_repair equalize)
{
	return (tarn_quant_options){.sample = sample,
				    .n_sample = SAMPLES,
				    .device = &cpu,
				    .equalize = equalize,
				    .strength = 0.5,
				    .fine = TARN_QUANT_OFF};
}

static double sqnr(const tarn_model *a, const tarn_model *b)
{
	tarn_quant_options o = options_of(TARN_QUANT_OFF);
	return sqnr_between(a, b, &o);
}

static double quantized(const tarn_model *m, tarn_quant_repair equalize)
{
	tarn_quant_options o = options_of(equalize);
	tarn_quant_report r = {0};
	tarn_model *q;
	assert_ok(tarn_quant_ptq(m, &o, &q, &r));
	double db = r.sqnr_db[0];
	tarn_quant_report_fini(&r);
	tarn_model_unref(q);
	return db;
}

static tarn_model *equalized(const tarn_model *m, double strength)
{
	tarn_quant_options o = options_of(TARN_QUANT_ON);
	tarn_quant_report r = {0};
	quant_plan p;
	quant_equalizer *e;
	tarn_model *out;
	assert_ok(tarn_quant_plan_init(&p, m, &o));
	assert_ok(tarn_quant_place(&p, &o, &r));
	assert_ok(tarn_quant_observe(&p, &o));
	assert_ok(tarn_quant_equalizer_new(&p, &o, &e));
	assert_true(tarn_quant_equalizer_can(e));
	assert_ok(tarn_quant_equalize(e, strength, &out));
	tarn_quant_equalizer_free(e);
	tarn_quant_plan_fini(&p);
	tarn_quant_report_fini(&r);
	return out;
}

static void the_function_stays(void **state)
{
	(void)state;
	for (int k = 0; k <= 4; k++) {
		net n = build();
		tarn_model *e = equalized(n.m, k / 4.0);
		assert_true(sqnr(n.m, e) > 100);
		tarn_model_unref(e);
		tarn_model_unref(n.m);
	}
}

static void random_factors_do_not_matter(void **state)
{
	(void)state;
	net plain = build(), bad = build();
	sabotage(&bad);
	assert_true(sqnr(plain.m, bad.m) > 100);
	double good = quantized(plain.m, TARN_QUANT_OFF);
	assert_true(good > 30);
	assert_true(quantized(bad.m, TARN_QUANT_OFF) < good - 10);
	assert_true(quantized(bad.m, TARN_QUANT_TRY) > good - 1);
	/* Both networks become one and the same but for a factor common to linked values. */
	assert_true(fabs(quantized(bad.m, TARN_QUANT_ON) - quantized(plain.m, TARN_QUANT_ON)) < 3);
	tarn_model_unref(plain.m);
	tarn_model_unref(bad.m);
}

/* A normalization that no product takes in, its channels scaled by k. */
static net normalized(const char *op, const float *k)
{
	net n = {0};
	seed = 31;
	assert_ok(tarn_model_new(&n.m));
	tarn_graph *g = n.g = n.m->main;
	bool batch = !strcmp(op, "BatchNormalization");
	tarn_value *a = node(g, "MaxPool", conv(g, input(g, dims(4, 1, 3, 10, 10)), 3, 16, 1, 3), NULL, NULL);
	set_ints(g, a, "kernel_shape", 2, 3, 3);
	tarn_node *norm;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, op), "norm", batch ? 5 : 3, 1, -1, &norm));
	norm->in[0] = a;
	for (int i = 1; i < norm->n_in; i++) {
		norm->in[i] = weights(g, dims(1, 16));
		float *v = (float *)norm->in[i]->konst->data;
		for (int c = 0; c < 16; c++)
			v[c] = i == 4 ? 1 + v[c] * v[c] : i < 3 ? v[c] * k[c] : v[c];
	}
	n.last = conv(g, node(g, "Relu", norm->out[0], NULL, NULL), 16, 12, 1, 1);
	scale_inputs(n.last->def, 0, 16, k);
	output(g, n.last);
	assert_ok(tarn_graph_infer(g));
	return n;
}

static void normalizations_take_factors(void **state)
{
	(void)state;
	static const char *const ops[] = {"BatchNormalization", "InstanceNormalization"};
	float k[16], one[16];
	for (int i = 0; i < 16; i++)
		one[i] = 1;
	for (int i = 0; i < 2; i++) {
		seed = 8;
		factors(k, 16);
		net plain = normalized(ops[i], one), bad = normalized(ops[i], k);
		tarn_model *e = equalized(bad.m, 0.5);
		assert_true(sqnr(plain.m, bad.m) > 100);
		assert_true(sqnr(bad.m, e) > 100);
		double good = quantized(plain.m, TARN_QUANT_OFF);
		assert_true(quantized(bad.m, TARN_QUANT_OFF) < good - 6);
		assert_true(quantized(bad.m, TARN_QUANT_TRY) > good - 1);
		tarn_model_unref(e);
		tarn_model_unref(plain.m);
		tarn_model_unref(bad.m);
	}
}

/* Which channel of sixteen each channel of the picked value is. */
typedef struct pick {
	const char *op, *mode;
	int n;
	int from[64];
} pick;

static tarn_value *picked(tarn_graph *g, const pick *t, tarn_value *x, const float *k)
{
	tarn_node *n;
	int constants = !strcmp(t->op, "Slice") ? 4 : !strcmp(t->op, "Gather") || !strcmp(t->op, "Min");
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, t->op), t->op, 1 + constants, 1, -1, &n));
	n->in[0] = x;
	if (!strcmp(t->op, "Slice")) {
		n->in[1] = ints(g, 2, 1, -12);
		n->in[2] = ints(g, 2, 9, 1000);
		n->in[3] = ints(g, 2, 2, -3);
		n->in[4] = ints(g, 2, 2, 3);
	} else if (!strcmp(t->op, "Gather")) {
		n->in[1] = ints(g, 5, 5, -1, 5, 0, 9);
		set_int(n->out[0], "axis", 1);
	} else if (!strcmp(t->op, "Min")) {
		n->in[1] = weights(g, dims(3, 16, 1, 1));
		for (int c = 0; c < 16; c++)
			((float *)n->in[1]->konst->data)[c] = 0.7f * k[c];
	} else {
		set_int(n->out[0], "blocksize", 2);
		if (t->mode)
			assert_ok(tarn_attr_set_i(n, tarn_attr_index(n->op, "mode"), !strcmp(t->mode, "CRD")));
	}
	return n->out[0];
}

/* Channels scaled by k, some of them picked; `k` has to be what the picks leave possible. */
static tarn_model *with_pick(const pick *t, const float *k)
{
	tarn_model *m;
	float at[64];
	seed = 12;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *first = conv(g, input(g, dims(4, 1, 3, 10, 10)), 3, 16, 1, 3);
	tarn_value *last = conv(g, picked(g, t, node(g, "Relu", first, NULL, NULL), k), t->n, 12, 1, 1);
	for (int i = 0; i < t->n; i++)
		at[i] = k[t->from[i]];
	scale_outputs(first, k);
	scale_inputs(last->def, 0, t->n, at);
	output(g, last);
	assert_ok(tarn_graph_infer(g));
	return m;
}

/* Of one function, in channels of equal size and of sizes far apart: equalized, the second is as good in codes as the first.
 * Releases both. */
static void assert_undone(tarn_model *plain, tarn_model *bad)
{
	tarn_model *e = equalized(bad, 0.5);
	assert_true(sqnr(plain, bad) > 100);
	assert_true(sqnr(bad, e) > 100);
	double good = quantized(plain, TARN_QUANT_OFF);
	assert_true(quantized(bad, TARN_QUANT_OFF) < good - 6);
	assert_true(quantized(bad, TARN_QUANT_TRY) > good - 1);
	tarn_model_unref(e);
	tarn_model_unref(bad);
	tarn_model_unref(plain);
}

static void factors_follow_picked_channels(void **state)
{
	(void)state;
	pick picks[] = {
		{"Slice", NULL, 4, {4, 7, 10, 13}},       {"Gather", NULL, 5, {5, 15, 5, 0, 9}},
		{"DepthToSpace", "DCR", 4, {0, 1, 2, 3}}, {"DepthToSpace", "CRD", 4, {0, 4, 8, 12}},
		{"SpaceToDepth", NULL, 64, {0}},          {"Min", NULL, 16, {0}},
	};
	float k[16], one[16];
	for (size_t i = 0; i < sizeof picks / sizeof *picks; i++) {
		pick *t = &picks[i];
		seed = 8;
		factors(k, 16);
		for (int c = 0; c < 16; c++) {
			one[c] = 1;
			if (!strcmp(t->op, "DepthToSpace")) /* phases of one channel */
				k[c] = k[!strcmp(t->mode, "CRD") ? c / 4 * 4 : c % 4];
		}
		for (int c = 0; c < t->n && t->n >= 16; c++)
			t->from[c] = c % 16;
		assert_undone(with_pick(t, one), with_pick(t, k));
	}
}

static tarn_value *linear(tarn_graph *g, tarn_value *x, int inputs, tarn_value **w, tarn_value **b)
{
	*w = weights(g, dims(2, inputs, 16));
	*b = weights(g, dims(1, 16));
	return node(g, "Add", node(g, "MatMul", x, *w, NULL), *b, NULL);
}

/* Channels in four heads, heads before positions; `last` before `third`: transposed. */
static tarn_value *heads_of(tarn_graph *g, tarn_value *x, int third, int last)
{
	tarn_value *y = node(g, "Transpose", node(g, "Reshape", x, ints(g, 4, 1, 6, 4, 4), NULL), NULL, NULL);
	set_ints(g, y, "perm", 4, 0, 2, third, last);
	return y;
}

/* Attention whose values' channels are multiplied with k. */
static tarn_model *attending(const float *k)
{
	tarn_model *m;
	tarn_value *w, *b, *out;
	seed = 21;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = node(g, "Reshape", input(g, dims(4, 1, 3, 10, 10)), ints(g, 3, 1, 6, 50), NULL);
	tarn_value *q = heads_of(g, linear(g, x, 50, &w, &b), 1, 3), *t = heads_of(g, linear(g, x, 50, &w, &b), 3, 1);
	tarn_value *v = heads_of(g, linear(g, x, 50, &w, &b), 1, 3);
	tarn_value *y = node(g, "MatMul", node(g, "Softmax", node(g, "MatMul", q, t, NULL), NULL, NULL), v, NULL);
	for (int i = 0; i < 16 * 50; i++)
		((float *)w->konst->data)[i] *= k[i % 16];
	for (int i = 0; i < 16; i++)
		((float *)b->konst->data)[i] *= k[i];
	y = node(g, "Transpose", y, NULL, NULL);
	set_ints(g, y, "perm", 4, 0, 2, 1, 3);
	out = linear(g, node(g, "Reshape", y, ints(g, 3, 1, 6, 16), NULL), 16, &w, &b);
	for (int i = 0; i < 16 * 16; i++)
		((float *)w->konst->data)[i] /= k[i / 16];
	output(g, out);
	assert_ok(tarn_graph_infer(g));
	return m;
}

static void factors_pass_attention(void **state)
{
	(void)state;
	float k[16], one[16];
	factors_and_ones(8, k, one);
	assert_undone(attending(one), attending(k));
}

/* A product read by products alone: its channels lie far from zero, one grid for all is coarse; shifted, they fit. */
static void channels_are_shifted(void **state)
{
	(void)state;
	net n = {0};
	seed = 99;
	assert_ok(tarn_model_new(&n.m));
	tarn_graph *g = n.g = n.m->main;
	tarn_value *a = conv(g, input(g, dims(4, 1, 3, 10, 10)), 3, 8, 1, 3);
	float *b = (float *)a->def->in[2]->konst->data;
	for (int c = 0; c < 8; c++)
		b[c] = c % 2 ? 40.0f + (float)c : -40.0f;
	output(g, node(g, "Add", conv(g, a, 8, 6, 2, 1), conv(g, a, 8, 6, 1, 1), NULL));
	assert_ok(tarn_graph_infer(g));
	tarn_quant_options o = options_of(TARN_QUANT_OFF);
	tarn_quant_report r = {0};
	quant_plan p;
	tarn_model *aligned;
	assert_ok(tarn_quant_plan_init(&p, n.m, &o));
	assert_ok(tarn_quant_place(&p, &o, &r));
	assert_ok(tarn_quant_observe(&p, &o));
	assert_ok(tarn_quant_align(&p, &o, &aligned));
	assert_non_null(aligned);
	assert_true(sqnr(n.m, aligned) > 90);
	assert_true(quantized(aligned, TARN_QUANT_OFF) > quantized(n.m, TARN_QUANT_OFF) + 2);
	assert_true(quantized(n.m, TARN_QUANT_TRY) > quantized(n.m, TARN_QUANT_OFF) + 2);
	tarn_model_unref(aligned);
	tarn_quant_plan_fini(&p);
	tarn_quant_report_fini(&r);
	tarn_model_unref(n.m);
}

/* Weights become whole multiples of a step, as training for 8 bits leaves them. */
static tarn_value *on_grid(tarn_value *v, float step)
{
	const tarn_tensor *w = v->def->in[1]->konst;
	float *at = (float *)w->data;
	for (int64_t i = 0; i < tarn_tensor_count(w); i++)
		at[i] = step * fmaxf(-127, fminf(127, rintf(100 * at[i])));
	return v;
}

static bool steps_differ(const tarn_model *m)
{
	tarn_quant_options o = options_of(TARN_QUANT_TRY);
	tarn_quant_report r = {0};
	quant_plan p;
	bool any;
	assert_ok(tarn_quant_plan_init(&p, m, &o));
	assert_ok(tarn_quant_place(&p, &o, &r));
	assert_ok(tarn_quant_observe(&p, &o));
	assert_ok(tarn_quant_steps_differ(&p, &any));
	tarn_quant_plan_fini(&p);
	tarn_quant_report_fini(&r);
	return any;
}

/* One value, read by two products whose grids have different steps; k: factors of its channels. */
static tarn_model *trained_for_codes(const float *k, bool grid)
{
	tarn_model *m;
	seed = 99;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *first = conv(g, input(g, dims(4, 1, 3, 10, 10)), 3, 16, 1, 3), *a = node(g, "Relu", first, NULL, NULL);
	tarn_value *b = conv(g, a, 16, 24, 1, 1), *c = conv(g, a, 16, 24, 1, 3);
	if (grid) {
		on_grid(b, 0.01f);
		on_grid(c, 0.003f);
	}
	scale_outputs(first, k);
	scale_inputs(b->def, 0, 16, k);
	scale_inputs(c->def, 0, 16, k);
	output(g, node(g, "Add", b, c, NULL));
	assert_ok(tarn_graph_infer(g));
	return m;
}

/* Are the weights that read the value the same, but for one factor for each product? */
static bool same_shape(const tarn_model *a, const tarn_model *b)
{
	for (size_t i = 0; i < a->main->node.len; i++) {
		const tarn_node *x = a->main->node.at[i], *y = b->main->node.at[i];
		if (x->op != tarn_op_find(NULL, "Conv") || x->in[1]->konst->dim[1] != 16)
			continue;
		const float *p = x->in[1]->konst->data, *q = y->in[1]->konst->data;
		double ratio = 0;
		for (int64_t k = 0; k < tarn_tensor_count(x->in[1]->konst); k++) {
			if (p[k] == 0)
				continue;
			ratio = ratio > 0 ? ratio : (double)q[k] / (double)p[k];
			if (fabs((double)q[k] - ratio * (double)p[k]) > 1e-5 * fabs((double)q[k]))
				return false;
		}
	}
	return true;
}

static void grids_tell_the_factors(void **state)
{
	(void)state;
	float k[16], one[16];
	factors_and_ones(3, k, one);
	tarn_model *plain = trained_for_codes(one, true), *bad = trained_for_codes(k, true), *any = trained_for_codes(k, false);
	assert_false(steps_differ(plain));
	assert_true(steps_differ(bad));
	assert_false(steps_differ(any));
	assert_false(same_shape(plain, bad));
	tarn_model *again = equalized(bad, INFINITY);
	assert_true(same_shape(plain, again));
	assert_true(sqnr(plain, again) > 100);
	tarn_model_unref(again);
	tarn_model_unref(any);
	tarn_model_unref(bad);
	tarn_model_unref(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_function_stays),          cmocka_unit_test(random_factors_do_not_matter),
		cmocka_unit_test(normalizations_take_factors), cmocka_unit_test(channels_are_shifted),
		cmocka_unit_test(grids_tell_the_factors),      cmocka_unit_test(factors_follow_picked_channels),
		cmocka_unit_test(factors_pass_attention),
	};
	return cmocka_run_group_tests(tests, NULL, close_device);
}
