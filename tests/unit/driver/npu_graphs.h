/* SPDX-License-Identifier: Apache-2.0 */
/* Small networks for tests of the NPU's compiler and executor, built node by node, and what runs them both ways. */
#ifndef TARN_TESTS_NPU_GRAPHS_H
#define TARN_TESTS_NPU_GRAPHS_H

#include "devices/graphs.h"

#include "driver/compile/plan.h"
#include "ir/op.h"

/* A model the tests may edit: compiling edits its own clone. */
static inline tarn_model *copy_of(const tarn_model *m)
{
	tarn_model *c;
	assert_ok(tarn_model_clone(m, &c));
	return c;
}

static inline tarn_cc_blob compiled(const tarn_model *m, const char *text, int platform)
{
	tarn_model *c = copy_of(m);
	tarn_cc_flags flags;
	tarn_cc_blob blob;
	assert_ok(tarn_cc_flags_parse(text, &flags));
	assert_ok(tarn_npu_compile(c, &flags, tarn_arch_find(platform), &blob));
	tarn_cc_flags_fini(&flags);
	tarn_model_unref(c);
	return blob;
}

/* Runs the model on the executor: in and out as the graph's. out[i] are new F32 tensors (or of the output's type). */
static inline void run_npu(const tarn_model *m, const char *flags, const tarn_tensor *in, tarn_tensor *out)
{
	tarn_cc_blob blob = compiled(m, flags, 4000);
	tarn_npu_program *p;
	assert_ok(tarn_blob_load(blob.at, blob.size, 4000, &p));
	uint32_t n;
	const tarn_npu_arg *arg = tarn_npu_program_args(p, &n);
	assert_int_equal(n, m->main->input.len + m->main->output.len);
	void *args[16];
	for (uint32_t i = 0; i < n; i++) {
		if (!arg[i].output) {
			assert_int_equal(arg[i].bytes, tarn_tensor_bytes(&in[i]));
			args[i] = in[i].data;
			continue;
		}
		int64_t dim[TARN_MAX_RANK];
		for (uint32_t k = 0; k < arg[i].rank; k++)
			dim[k] = (int64_t)arg[i].dims[k];
		tarn_tensor *t = &out[i - p->args.n_inputs];
		assert_ok(tarn_tensor_new(tarn_npu_dtype(arg[i].precision), (int)arg[i].rank, dim, t));
		args[i] = t->data;
	}
	tarn_pool *pool;
	assert_ok(tarn_pool_new(2, &pool));
	assert_ok(tarn_exec_run(p, args, pool));
	tarn_pool_free(pool);
	tarn_npu_program_free(p);
	tarn_mem_free(blob.at);
}

/* Reference and executor on the same seeded inputs; the relative error of the worst output. */
static inline double against_reference_with(const tarn_model *m, const char *flags)
{
	tarn_tensor in[4], want[4] = {{0}}, got[4] = {{0}};
	const tarn_tensor *at[4];
	size_t n_in = m->main->input.len, n_out = m->main->output.len;
	assert_true(n_in <= 4 && n_out <= 4);
	for (size_t i = 0; i < n_in; i++) {
		in[i] = filled(m->main->input.at[i]->shape);
		at[i] = &in[i];
	}
	tarn_model *c = copy_of(m);
	assert_ok(tarn_graph_infer(c->main));
	assert_ok(tarn_graph_eval(c->main, at, want, NULL, NULL));
	tarn_model_unref(c);
	run_npu(m, flags, in, got);
	double worst = 0;
	for (size_t i = 0; i < n_out; i++) {
		worst = fmax(worst, relative_error(&got[i], &want[i]));
		tarn_tensor_fini(&got[i]);
		tarn_tensor_fini(&want[i]);
	}
	for (size_t i = 0; i < n_in; i++)
		tarn_tensor_fini(&in[i]);
	return worst;
}

static inline double against_reference(const tarn_model *m)
{
	return against_reference_with(m, NULL);
}

static inline tarn_value *conv(tarn_graph *g, tarn_value *x, int ic, int oc, int k, int stride, int pad, int groups)
{
	tarn_tensor w = filled(dims(4, oc, ic / groups, k, k)), b = filled(dims(1, oc));
	/* Sums of unit variance, so that FP16 keeps its digits through the layers. */
	for (int64_t i = 0; i < tarn_tensor_count(&w); i++)
		((float *)w.data)[i] *= 1.7f / sqrtf((float)(ic / groups * k * k));
	tarn_value *wv, *bv;
	assert_ok(tarn_value_const(g, NULL, &w, &wv));
	assert_ok(tarn_value_const(g, NULL, &b, &bv));
	tarn_tensor_fini(&w);
	tarn_tensor_fini(&b);
	tarn_value *y = node(g, "Conv", x, wv, bv);
	set_ints(g, y, "kernel_shape", 2, k, k);
	set_ints(g, y, "strides", 2, stride, stride);
	set_ints(g, y, "pads", 4, pad, pad, pad, pad);
	set_int(y, "group", groups);
	return y;
}

static inline tarn_value *clip(tarn_graph *g, tarn_value *x, float lo, float hi)
{
	return node(g, "Clip", x, scalar(g, lo), scalar(g, hi));
}

static inline tarn_value *byte_const(tarn_graph *g, tarn_dtype type, int v)
{
	tarn_tensor t;
	tarn_value *out;
	assert_ok(tarn_tensor_new(type, 0, NULL, &t));
	tarn_tensor_set_i64(&t, 0, v);
	assert_ok(tarn_value_const(g, NULL, &t, &out));
	tarn_tensor_fini(&t);
	return out;
}

static inline tarn_value *quantize(tarn_graph *g, tarn_value *x, float scale, int zero)
{
	return node(g, "QuantizeLinear", x, scalar(g, scale), byte_const(g, TARN_U8, zero));
}

static inline tarn_value *dequantize(tarn_graph *g, tarn_value *q, float scale, int zero)
{
	return node(g, "DequantizeLinear", q, scalar(g, scale), byte_const(g, TARN_U8, zero));
}

/* QDQ of an activation. */
static inline tarn_value *qdq(tarn_graph *g, tarn_value *x, float scale, int zero)
{
	return dequantize(g, quantize(g, x, scale, zero), scale, zero);
}

/* A convolution of INT8 weights with a scale for each channel, quantized inputs and an integer bias; not yet requantized. */
static inline tarn_value *qconv(tarn_graph *g, tarn_value *x, float s_x, int ic, int oc, int k, int stride, int pad, int groups,
				float gain)
{
	tarn_tensor w, s, b, bs;
	int64_t wd[4] = {oc, ic / groups, k, k}, od = oc;
	assert_ok(tarn_tensor_new(TARN_I8, 4, wd, &w));
	assert_ok(tarn_tensor_new(TARN_F32, 1, &od, &s));
	assert_ok(tarn_tensor_new(TARN_I32, 1, &od, &b));
	assert_ok(tarn_tensor_new(TARN_F32, 1, &od, &bs));
	for (int64_t i = 0; i < tarn_tensor_count(&w); i++)
		((int8_t *)w.data)[i] = (int8_t)between(-127, 127);
	for (int c = 0; c < oc; c++) {
		((float *)s.data)[c] = gain * (0.5f + 0.5f * fabsf(number())) / (127 * sqrtf((float)(ic / groups * k * k)));
		((int32_t *)b.data)[c] = between(-2000, 2000);
		((float *)bs.data)[c] = s_x * ((float *)s.data)[c];
	}
	tarn_value *wq, *ws, *bq, *bsv;
	assert_ok(tarn_value_const(g, NULL, &w, &wq));
	assert_ok(tarn_value_const(g, NULL, &s, &ws));
	assert_ok(tarn_value_const(g, NULL, &b, &bq));
	assert_ok(tarn_value_const(g, NULL, &bs, &bsv));
	tarn_tensor_fini(&w);
	tarn_tensor_fini(&s);
	tarn_tensor_fini(&b);
	tarn_tensor_fini(&bs);
	tarn_value *wd_ = node(g, "DequantizeLinear", wq, ws, NULL), *bd = node(g, "DequantizeLinear", bq, bsv, NULL);
	set_int(wd_, "axis", 0);
	set_int(bd, "axis", 0);
	tarn_value *y = node(g, "Conv", x, wd_, bd);
	set_ints(g, y, "kernel_shape", 2, k, k);
	set_ints(g, y, "strides", 2, stride, stride);
	set_ints(g, y, "pads", 4, pad, pad, pad, pad);
	set_int(y, "group", groups);
	return y;
}

#endif
