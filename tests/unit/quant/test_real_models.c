/* SPDX-License-Identifier: Apache-2.0 */
/* Trained models of the folder ../shared, where it is there: channels of each network are scaled by random factors from 1/64 to
 * 64, which the next layers take back. Quantizing without equalization then collapses; with it, the result is what it is
 * without the factors. */
#include "unit/quant/fixture.h"

#include "fmt/fmt.h"
#include "pass/pass.h"

static tarn_shape input_shape;
static float input_low, input_high;

static tarn_err sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(1009 * i + 17);
	in[0] = filled(input_shape);
	/* Smooth in both directions, as pictures and spectra are. */
	float *x = in[0].data, last = 0;
	for (int64_t k = 0, n = tarn_tensor_count(&in[0]); k < n; k++) {
		last = 0.8f * last + 0.2f * x[k] * 2;
		x[k] = input_low + (input_high - input_low) * fminf(1, fmaxf(0, 0.5f + last));
	}
	return TARN_OK;
}

static tarn_model *load(const char *file)
{
	char path[400];
	const char *folder = getenv("TARN_SHARED");
	tarn_model *m;
	snprintf(path, sizeof path, "%s/models/%s", folder && *folder ? folder : TARN_SHARED, file);
	FILE *f = fopen(path, "rb");
	if (!f)
		return NULL;
	fclose(f);
	assert_ok(tarn_model_read(path, NULL, &m));
	input_shape = m->main->input.at[0]->shape;
	input_shape.dim[0] = 1;
	assert_ok(tarn_model_reshape(m, &input_shape, 1));
	assert_ok(tarn_pass_standard(m));
	return m;
}

/* ---- scaling, without anything of the equalizer ---- */

static tarn_node *readers[16];
static int n_readers;

/* The convolutions that read v's channels behind ReLUs and maxima; false when anything else does. */
static bool find_readers(const tarn_graph *g, const tarn_value *v)
{
	for (size_t i = 0; i < g->output.len; i++)
		if (g->output.at[i] == v)
			return false;
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		for (int k = 0; k < n->n_in; k++) {
			if (n->in[k] != v)
				continue;
			bool through = n->op == tarn_op_find(NULL, "Relu") || n->op == tarn_op_find(NULL, "MaxPool");
			if (through && !find_readers(g, n->out[0]))
				return false;
			if (through)
				continue;
			if (n->op != tarn_op_find(NULL, "Conv") || k || !n->in[1]->konst || n_readers == 16)
				return false;
			readers[n_readers++] = n;
		}
	}
	return true;
}

static float *own_copy(tarn_graph *scaled, tarn_node *n, int slot)
{
	tarn_tensor t;
	assert_ok(tarn_tensor_copy(n->in[slot]->konst, &t));
	assert_ok(tarn_value_const(scaled, NULL, &t, &n->in[slot]));
	tarn_tensor_fini(&t);
	return n->in[slot]->konst->data;
}

static void scale(tarn_graph *scaled, tarn_node *n)
{
	const tarn_tensor *w = n->in[1]->konst;
	int64_t outputs = w->dim[0], each = tarn_tensor_count(w) / outputs;
	float k[1024], *at = own_copy(scaled, n, 1);
	assert_true(outputs <= 1024);
	for (int64_t o = 0; o < outputs; o++)
		k[o] = exp2f(6 * number());
	for (int64_t i = 0; i < outputs * each; i++)
		at[i] *= k[i / each];
	if (n->n_in > 2 && n->in[2]) {
		at = own_copy(scaled, n, 2);
		for (int64_t o = 0; o < outputs; o++)
			at[o] *= k[o];
	}
	for (int r = 0; r < n_readers; r++) {
		w = readers[r]->in[1]->konst;
		int64_t area = tarn_tensor_count(w) / (w->dim[0] * w->dim[1]), groups = outputs / w->dim[1], inputs = w->dim[1];
		at = own_copy(scaled, readers[r], 1);
		for (int64_t i = 0; i < tarn_tensor_count(w); i++) {
			int64_t o = i / (area * inputs), c = i / area % inputs;
			at[i] /= k[o / (w->dim[0] / groups) * inputs + c];
		}
	}
}

static int scale_channels(tarn_graph *scaled)
{
	int n = 0;
	seed = 2024;
	for (size_t i = 0; i < scaled->node.len; i++) {
		tarn_node *c = scaled->node.at[i];
		n_readers = 0;
		if (c->op != tarn_op_find(NULL, "Conv") || !c->in[1]->konst || !find_readers(scaled, c->out[0]) || !n_readers)
			continue;
		scale(scaled, c);
		n++;
	}
	return n;
}

/* ---- quantizing ---- */

static tarn_quant_options options_of(tarn_quant_repair equalize)
{
	return (tarn_quant_options){.equalize = equalize,
				    .round = TARN_QUANT_OFF,
				    .bias = TARN_QUANT_BIAS_FAST,
				    .sample = sample,
				    .n_sample = 8,
				    .device = &cpu};
}

/* What goes into the last softmax, compared. */
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
	assert_true(r.mac_share_int8 >= 0.99);
	tarn_quant_report_fini(&r);
	tarn_model_unref(q);
	return db;
}

static void scaled_networks_quantize_as_well(void **state)
{
	(void)state;
	static const struct {
		const char *file;
		float low, high;
		int layers; /* that can be scaled: at least */
	} model[] = {{"cls/cifar10_resnet8.onnx", 0, 255, 3}, {"audio/kws_dscnn.onnx", -60, 10, 8}};
	for (size_t i = 0; i < sizeof model / sizeof *model; i++) {
		tarn_model *m = load(model[i].file), *bad;
		if (!m) {
			print_message("models of ../shared are not there: nothing was tried\n");
			skip();
		}
		input_low = model[i].low;
		input_high = model[i].high;
		/* Logits say more than probabilities of 0 and 1. */
		tarn_node *last = m->main->output.at[0]->def;
		if (last->op == tarn_op_find(NULL, "Softmax"))
			m->main->output.at[0] = last->in[0];
		assert_ok(tarn_model_clone(m, &bad));
		assert_true(scale_channels(bad->main) >= model[i].layers);
		assert_true(sqnr(m, bad) > 90);
		double good = quantized(m, TARN_QUANT_OFF);
		assert_true(quantized(bad, TARN_QUANT_OFF) < good - 6);
		assert_true(quantized(bad, TARN_QUANT_TRY) > good - 2);
		tarn_model_unref(m);
		tarn_model_unref(bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(scaled_networks_quantize_as_well)};
	return cmocka_run_group_tests(tests, NULL, close_device);
}
