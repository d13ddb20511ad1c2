/* SPDX-License-Identifier: Apache-2.0 */
/* Training of small networks: it fits what it must fit, repeats itself, resumes, and never leaves with less. */
#include "devices/graphs.h"

#include <unistd.h>

#include "dev/cpu/device.h"
#include "quant/qat/mix.h"
#include "quant/qat/stash.h"
#include "quant/qat/state.h"
#include "quant/qat/qat.h"

static tarn_model *model;
static tarn_graph *g;
static tarn_device device;
static int64_t label[64];
static size_t stop_after;

static int setup(void **state)
{
	(void)state;
	seed = 99;
	stop_after = 0;
	device = (tarn_device){.api = &tarn_dev_cpu};
	assert_ok(tarn_model_new(&model));
	g = model->main;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tarn_model_unref(model);
	tarn_device_close(&device);
	return 0;
}

static tarn_err random_sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	seed = (uint32_t)(7919 * i + 3);
	number();
	for (size_t k = 0; k < g->input.len; k++)
		in[k] = filled(g->input.at[k]->shape);
	return TARN_OK;
}

static bool stop(void *ctx)
{
	(void)ctx;
	return stop_after && --stop_after == 0;
}

static tarn_value *conv(tarn_value *x, int ic, int oc, int group)
{
	tarn_tensor w = filled(dims(4, oc, ic / group, 3, 3));
	for (int64_t i = 0; i < tarn_tensor_count(&w); i++)
		((float *)w.data)[i] *= 0.4f;
	tarn_value *vw;
	assert_ok(tarn_value_const(g, NULL, &w, &vw));
	tarn_tensor_fini(&w);
	tarn_value *y = node(g, "Conv", x, vw, weights(g, dims(1, oc)));
	set_ints(g, y, "pads", 4, 1, 1, 1, 1);
	set_int(y, "group", group);
	return y;
}

static void network(void)
{
	tarn_value *x = node(g, "Relu", conv(input(g, dims(4, 1, 3, 8, 8)), 3, 8, 1), NULL, NULL);
	tarn_value *p = node(g, "MaxPool", x, NULL, NULL);
	set_ints(g, p, "kernel_shape", 2, 2, 2);
	set_ints(g, p, "strides", 2, 2, 2);
	tarn_value *r = node(g, "Relu", node(g, "Add", conv(p, 8, 8, 8), p, NULL), NULL, NULL);
	tarn_value *f = node(g, "Flatten", node(g, "GlobalAveragePool", r, NULL, NULL), NULL, NULL);
	output(g, node(g, "Gemm", f, weights(g, dims(2, 8, 4)), weights(g, dims(1, 4))));
	assert_ok(tarn_graph_infer(g));
}

static tarn_quant_options samples(size_t n)
{
	return (tarn_quant_options){.sample = random_sample, .n_sample = n, .device = &device, .stop = stop};
}

/* Eight samples with labels of no meaning are learned by heart. */
static void fits_a_few_samples(void **state)
{
	(void)state;
	tarn_quant_options d = samples(8);
	network();
	for (int i = 0; i < 8; i++)
		label[i] = (i * 5 + 1) % 4;
	tarn_qat_options o = {
		.data = &d, .label = label, .epochs = 250, .batch = 8, .rate = 2e-2, .holdout = 1e-9, .threads = 2};
	qat_net net;
	qat_state st;
	assert_ok(qat_net_init(&net, model));
	assert_ok(qat_state_init(&st, &net, NULL, &o));
	qat_walk w;
	assert_ok(qat_walk_init(&w, &net));
	double loss = 0, first = 0;
	for (int step = 0; step < 250; step++) {
		qat_net_set(&net, st.theta);
		memset(w.grad, 0, net.n_theta * sizeof *w.grad);
		loss = 0;
		for (size_t i = 0; i < 8; i++) {
			tarn_tensor in, dout;
			float dy[4];
			assert_ok(random_sample(NULL, i, &in));
			assert_ok(qat_walk_forward(&w, &in));
			const tarn_tensor *y = qat_walk_value(&w, net.m->main->output.at[0]);
			loss += qat_loss(QAT_LOGITS, y, &(qat_target){.label = &label[i]}, dy) / 8;
			dout = *y;
			dout.buf = NULL;
			dout.data = dy;
			assert_ok(qat_walk_backward(&w, (const tarn_value *const *)net.m->main->output.at, &dout, 1));
			tarn_tensor_fini(&in);
		}
		first = step ? first : loss;
		qat_net_chain(&net, st.theta, w.grad);
		qat_state_step(&st, &net, w.grad, 250);
	}
	assert_true(first > 0.5);
	assert_true(loss < 0.02);
	qat_walk_fini(&w);
	qat_state_fini(&st);
	qat_net_fini(&net);
}

/* Labels are read as far as they go only. */
static void labels_fit_the_output(void **state)
{
	(void)state;
	tarn_quant_options d = samples(8);
	tarn_model *out = NULL;
	tarn_qat_report r;
	network();
	tarn_qat_options o = {.data = &d, .label = label, .rows = 2, .epochs = 1};
	assert_int_equal(tarn_qat_train(NULL, model, &o, &out, &r), TARN_SHAPE);
	assert_string_equal(tarn_err_text(), "2 labels for each sample, but output 0 has 1 rows");
	assert_null(out);
}

/* The gradient of theta, by differences of the loss, through a float network. */
static void gradients_of_the_whole(void **state)
{
	(void)state;
	network();
	qat_net net;
	qat_walk w;
	tarn_quant_options d = samples(4);
	tarn_qat_options o = {.data = &d};
	qat_state st;
	int64_t wanted = 2;
	assert_ok(qat_net_init(&net, model));
	assert_ok(qat_state_init(&st, &net, NULL, &o));
	assert_ok(qat_walk_init(&w, &net));
	tarn_tensor in;
	assert_ok(random_sample(NULL, 0, &in));
	float dy[4];
	for (int probe = -1; probe < 40; probe++) {
		double l[2];
		size_t i = probe < 0 ? 0 : (size_t)between(0, (int)net.n_theta - 1);
		for (int side = 0; side < 2; side++) {
			float old = st.theta[i], h = 2e-3f;
			st.theta[i] += probe < 0 ? 0 : side ? h : -h;
			qat_net_set(&net, st.theta);
			st.theta[i] = old;
			assert_ok(qat_walk_forward(&w, &in));
			const tarn_tensor *y = qat_walk_value(&w, net.m->main->output.at[0]);
			l[side] = qat_loss(QAT_LOGITS, y, &(qat_target){.label = &wanted}, dy);
			if (probe < 0 && side) {
				tarn_tensor dout = *y;
				dout.buf = NULL;
				dout.data = dy;
				assert_ok(qat_walk_backward(&w, (const tarn_value *const *)net.m->main->output.at, &dout, 1));
			}
		}
		/* f32 and the corners of Relu and MaxPool leave a little */
		if (probe >= 0 && !(fabs((l[1] - l[0]) / 4e-3 - w.grad[i]) < 3e-2 * fmax(0.1, fabs(w.grad[i]))))
			fail_msg("theta[%zu]: %.6g, differences say %.6g", i, w.grad[i], (l[1] - l[0]) / 4e-3);
	}
	tarn_tensor_fini(&in);
	qat_walk_fini(&w);
	qat_state_fini(&st);
	qat_net_fini(&net);
}

static tarn_model *quantized(tarn_quant_report *report)
{
	tarn_quant_options d = samples(6);
	tarn_model *q;
	assert_ok(tarn_quant_ptq(model, &d, &q, report));
	return q;
}

static float weight_sum(const tarn_model *m)
{
	double sum = 0;
	for (size_t i = 0; i < m->main->value.len; i++)
		if (m->main->value.at[i]->konst)
			for (int64_t k = 0; k < tarn_tensor_count(m->main->value.at[i]->konst); k++)
				sum += tarn_tensor_f64(m->main->value.at[i]->konst, k) * (double)(k % 7 + 1);
	return (float)sum;
}

/* The untrained export is the model itself: every constant, so every output, is the same. */
static void export_without_training(void **state)
{
	(void)state;
	tarn_quant_report report = {0};
	network();
	tarn_model *q = quantized(&report), *e;
	qat_net net;
	assert_ok(qat_net_init(&net, q));
	float *theta = tarn_mem_zalloc(net.n_theta, sizeof *theta);
	qat_net_start(&net, model, theta);
	assert_ok(qat_net_export(&net, theta, &e));
	assert_int_equal(e->main->value.len, net.m->main->value.len);
	for (size_t i = 0; i < e->main->value.len; i++) {
		const tarn_tensor *a = net.m->main->value.at[i]->konst, *b = e->main->value.at[i]->konst;
		for (int64_t k = 0; a && k < tarn_tensor_count(a); k++) {
			double x = tarn_tensor_f64(a, k), y = tarn_tensor_f64(b, k);
			/* scales pass through a logarithm; a bias' code may move with them */
			double tol = a->type == TARN_F32 ? 1e-6 * fabs(x) : a->type == TARN_I32 ? 1 + 1e-6 * fabs(x) : 0;
			assert_true(fabs(x - y) <= tol);
		}
	}
	tarn_mem_free(theta);
	tarn_model_unref(e);
	tarn_model_unref(q);
	qat_net_fini(&net);
	tarn_quant_report_fini(&report);
}

static void learns_from_the_teacher(void **state)
{
	(void)state;
	tarn_quant_report report = {0};
	tarn_qat_report r[4];
	tarn_model *out[4];
	char path[] = "/tmp/tarn-qat-XXXXXX";
	assert_true(close(mkstemp(path)) == 0);
	assert_int_equal(unlink(path), 0);
	network();
	tarn_model *q = quantized(&report);
	tarn_quant_options d = samples(48);
	tarn_qat_options o = {.data = &d, .epochs = 6, .batch = 8, .rate = 3e-3, .threads = 2, .seed = 3};
	for (int i = 0; i < 2; i++)
		assert_ok(tarn_qat_train(model, q, &o, &out[i], &r[i]));
	assert_true(r[0].improved && !r[0].halved && !r[0].mixed);
	assert_true(r[0].after.loss < 0.8 * r[0].before.loss);
	assert_true(r[0].after.right >= r[0].before.right);
	assert_int_equal(r[0].epochs, 6);
	assert_true(r[0].bytes > 0 && r[0].bytes < r[0].budget);
	/* the same again, bit by bit */
	assert_true(r[0].after.loss == r[1].after.loss && weight_sum(out[0]) == weight_sum(out[1]));
	/* interrupted after four epochs, resumed from the checkpoint: the same */
	o.checkpoint = path;
	o.resume = true;
	stop_after = 48 + 4 * 5 + 3; /* first it is asked while the teacher runs */
	assert_ok(tarn_qat_train(model, q, &o, &out[2], &r[2]));
	assert_true(r[2].interrupted && r[2].epochs == 4);
	assert_ok(tarn_qat_train(model, q, &o, &out[3], &r[3]));
	assert_true(r[3].resumed);
	assert_true(r[3].after.loss == r[0].after.loss && weight_sum(out[3]) == weight_sum(out[0]));
	/* of another training it is refused, and so it is damaged */
	o.seed = 4;
	tarn_model *none;
	assert_err(TARN_BAD_FILE, tarn_qat_train(model, q, &o, &none, &r[3]));
	o.seed = 3;
	FILE *f = fopen(path, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, 200, SEEK_SET), 0);
	assert_int_equal(fputc(0x55, f), 0x55);
	assert_int_equal(fclose(f), 0);
	assert_err(TARN_BAD_FILE, tarn_qat_train(model, q, &o, &none, &r[3]));
	assert_int_equal(truncate(path, 77), 0);
	assert_err(TARN_BAD_FILE, tarn_qat_train(model, q, &o, &none, &r[3]));
	assert_int_equal(unlink(path), 0);
	for (int i = 0; i < 4; i++)
		tarn_model_unref(out[i]);
	tarn_model_unref(q);
	tarn_quant_report_fini(&report);
}

/* Weights of four bits keep to sixteen values, before and after. The samples are noise, to which mixtures of two of them are
 * no likeness: what is learned from them is only not to be worse than what came. */
static void four_bits(void **state)
{
	(void)state;
	tarn_quant_report report = {0};
	tarn_qat_report r;
	tarn_model *m[3];
	network();
	tarn_quant_options d = samples(48);
	d.weight_bits = 4;
	assert_ok(tarn_quant_ptq(model, &d, &m[0], &report));
	tarn_qat_options o = {.data = &d, .epochs = 4, .batch = 8, .threads = 2};
	assert_ok(tarn_qat_train(model, m[0], &o, &m[1], &r));
	assert_true(r.after.loss < r.before.loss);
	assert_true(r.before.right == r.before.n && !r.mixed); /* nothing is missed: no mixtures unless asked for */
	o.mix = 1000 - 48;
	assert_ok(tarn_qat_train(model, m[0], &o, &m[2], &r));
	assert_true(r.after.loss <= r.before.loss);
	assert_int_equal(r.mixed, 1000 - 48);
	assert_true(r.trained_on + r.holdout == 48);
	for (int k = 0; k < 3; k++) {
		int weights_seen = 0;
		for (size_t i = 0; i < m[k]->main->value.len; i++) {
			const tarn_tensor *t = m[k]->main->value.at[i]->konst;
			if (!t || t->type != TARN_I8 || t->rank < 2)
				continue;
			weights_seen++;
			for (int64_t e = 0; e < tarn_tensor_count(t); e++)
				assert_in_range(tarn_tensor_i64(t, e) + 7, 0, 14);
		}
		assert_int_equal(weights_seen, 3);
		tarn_model_unref(m[k]);
	}
	tarn_quant_report_fini(&report);
}

/* A rate that ruins the network: what leaves is what came. */
static void never_worse(void **state)
{
	(void)state;
	tarn_quant_report report = {0};
	tarn_qat_report r;
	tarn_model *out;
	network();
	tarn_model *q = quantized(&report);
	tarn_quant_options d = samples(24);
	tarn_qat_options o = {.data = &d, .epochs = 2, .batch = 8, .rate = 1, .threads = 1};
	assert_ok(tarn_qat_train(model, q, &o, &out, &r));
	assert_false(r.improved);
	assert_true(r.halved > 0);
	assert_true(r.after.loss == r.before.loss);
	tarn_model *copy; /* leaves dead constants behind, as the result does */
	assert_ok(tarn_model_clone(q, &copy));
	assert_true(weight_sum(out) == weight_sum(copy));
	tarn_model_unref(copy);
	tarn_model_unref(out);
	/* and one that fits no budget is refused */
	o.budget = 1000;
	assert_err(TARN_NOMEM, tarn_qat_train(model, q, &o, &out, &r));
	tarn_model_unref(q);
	tarn_quant_report_fini(&report);
}

static tarn_err numbered_sample(void *ctx, size_t i, tarn_tensor *in)
{
	(void)ctx;
	*in = filled(g->input.at[0]->shape);
	for (int64_t k = 0; k < tarn_tensor_count(in); k++)
		((float *)in->data)[k] = (float)i;
	return TARN_OK;
}

/* Mixtures lie between two of the samples they may be made of, are the same when asked for again, and leave real ones alone. */
static void mixtures(void **state)
{
	(void)state;
	network();
	qat_net net;
	qat_mix x;
	const size_t may[] = {3, 5};
	bool inside = false;
	tarn_quant_options d = samples(10);
	d.sample = numbered_sample;
	tarn_qat_options o = {.data = &d, .seed = 7};
	assert_ok(qat_net_init(&net, model));
	qat_mix_init(&x, net.m->main, &o, 20);
	x.train = may;
	x.n_train = 2;
	assert_int_equal(x.data.n_sample, 30);
	for (size_t i = 0; i < 30; i++) {
		tarn_tensor a, b;
		assert_ok(x.data.sample(x.data.ctx, i, &a));
		assert_ok(x.data.sample(x.data.ctx, i, &b));
		float v = *(float *)a.data;
		assert_true(v == *(float *)b.data && v == ((float *)a.data)[100]);
		assert_true(i < 10 ? v == (float)i : v >= 3 && v <= 5);
		inside |= i >= 10 && v > 3.1f && v < 4.9f;
		tarn_tensor_fini(&a);
		tarn_tensor_fini(&b);
	}
	assert_true(inside);
	assert_int_equal(qat_mix_count(&net, true, true, &o), 0); /* too few to be mixed unless asked for */
	d.n_sample = 100;
	assert_int_equal(qat_mix_count(&net, true, true, &o), 900);
	assert_int_equal(qat_mix_count(&net, true, false, &o), 0);
	assert_int_equal(qat_mix_count(&net, false, true, &o), 0);
	o.mix = 12;
	assert_int_equal(qat_mix_count(&net, true, false, &o), 12);
	o.mix = -1;
	assert_int_equal(qat_mix_count(&net, true, true, &o), 0);
	qat_net_fini(&net);
}

/* Six convolutions of one size, with shortcuts. */
static void deep_network(void)
{
	tarn_value *x = conv(input(g, dims(4, 1, 3, 8, 8)), 3, 8, 1);
	for (int i = 0; i < 6; i++)
		x = node(g, "Relu", i % 2 ? node(g, "Add", conv(x, 8, 8, 1), x, NULL) : conv(x, 8, 8, 8), NULL, NULL);
	tarn_value *f = node(g, "Flatten", node(g, "GlobalAveragePool", x, NULL, NULL), NULL, NULL);
	output(g, node(g, "Gemm", f, weights(g, dims(2, 8, 4)), weights(g, dims(1, 4))));
	assert_ok(tarn_graph_infer(g));
}

/* The gradient of theta from one sample, by a plan of a level. */
static void gradient_by(const qat_net *net, const float *theta, int level, float *grad, qat_stash *plan)
{
	qat_walk w;
	qat_sizes sizes;
	tarn_arena arena = {0};
	tarn_tensor in, dout;
	float dy[4];
	const tarn_value *const *tap = (const tarn_value *const *)net->m->main->output.at;
	int64_t wanted = 1;
	assert_ok(qat_walk_init(&w, net));
	assert_ok(qat_sizes_init(&sizes, net, &arena));
	assert_ok(qat_stash_init(plan, net, tap, 1, &arena));
	assert_ok(random_sample(NULL, 5, &in));
	w.stash = plan;
	w.sizes = &sizes;
	qat_net_set((qat_net *)(uintptr_t)net, theta);
	for (int round = 0; round < 2; round++) { /* the first tells the sizes */
		memset(w.grad, 0, net->n_theta * sizeof *w.grad);
		w.most = 0;
		assert_ok(qat_walk_forward(&w, &in));
		const tarn_tensor *y = qat_walk_value(&w, tap[0]);
		qat_loss(QAT_LOGITS, y, &(qat_target){.label = &wanted}, dy);
		dout = *y;
		dout.buf = NULL;
		dout.data = dy;
		assert_ok(qat_walk_backward(&w, tap, &dout, 1));
		if (!round)
			assert_ok(qat_stash_plan(plan, net, &sizes, tap, 1, level));
	}
	assert_int_equal(w.bytes, 0);
	/* what was foreseen, but for scratch and result of one node, which need not fall together */
	assert_true(w.most <= plan->peak + 4096 && plan->peak <= w.most + 4096);
	memcpy(grad, w.grad, net->n_theta * sizeof *grad);
	tarn_tensor_fini(&in);
	qat_walk_fini(&w);
	tarn_arena_fini(&arena);
}

/* Whatever is kept and whatever is made again: the same gradients, bit by bit, in less memory. */
static void budgets_change_nothing(void **state)
{
	(void)state;
	tarn_quant_report report = {0};
	deep_network();
	tarn_model *q = quantized(&report);
	for (int k = 0; k < 2; k++) { /* floats, codes */
		qat_net net;
		qat_stash all, plan;
		size_t least = SIZE_MAX;
		assert_ok(qat_net_init(&net, k ? q : model));
		float *theta = tarn_mem_zalloc(3 * net.n_theta, sizeof *theta), *grad = theta + net.n_theta,
		      *other = grad + net.n_theta;
		qat_net_start(&net, model, theta);
		gradient_by(&net, theta, QAT_STASH_ALL, grad, &all);
		assert_int_equal(all.again, 0);
		for (int level = QAT_STASH_COSTLY; level < 7; level++) {
			gradient_by(&net, theta, level, other, &plan);
			assert_memory_equal(grad, other, net.n_theta * sizeof *grad);
			assert_true(level > 4 || (plan.again > 0 && plan.peak < all.peak));
			least = plan.peak < least ? plan.peak : least;
		}
		assert_true((double)least < 0.75 * (double)all.peak);
		tarn_mem_free(theta);
		qat_net_fini(&net);
	}
	tarn_model_unref(q);
	tarn_quant_report_fini(&report);
}

/* Which samples judge follows from the seed; all are used, none twice. */
static void samples_are_split(void **state)
{
	(void)state;
	tarn_quant_options d = {0};
	tarn_qat_options o = {.data = &d, .seed = 5};
	size_t order[50], n_train;
	const struct {
		size_t n;
		double holdout;
		size_t train;
	} row[] = {{1, 0, 1}, {2, 0, 1}, {10, 0, 8}, {50, 0, 40}, {50, 0.9, 5}, {50, 0.999, 1}};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		bool seen[50] = {0};
		d.n_sample = row[i].n;
		o.holdout = row[i].holdout;
		assert_ok(tarn_qat_split(&o, order, &n_train));
		assert_int_equal(n_train, row[i].train);
		for (size_t k = 0; k < row[i].n; k++) {
			assert_true(order[k] < row[i].n && !seen[order[k]]);
			seen[order[k]] = true;
		}
	}
}

/* Those that judge are as hard as the others: one of each five, from the hardest down. */
static void judges_are_as_hard(void **state)
{
	(void)state;
	tarn_quant_options d = {.n_sample = 50};
	double hard[50];
	size_t order[50], n_train;
	int different = 0;
	for (size_t i = 0; i < 50; i++)
		hard[i] = (double)(i * 7 % 50); /* each of 0..49 once */
	for (uint64_t s = 1; s < 4; s++) {
		tarn_qat_options o = {.data = &d, .seed = s, .hard = hard};
		int of[10] = {0};
		size_t chance[50];
		bool seen[50] = {0};
		assert_ok(tarn_qat_split(&o, order, &n_train));
		assert_int_equal(n_train, 40);
		for (size_t k = 0; k < 50; k++) {
			assert_false(seen[order[k]]);
			seen[order[k]] = true;
			if (k >= n_train)
				of[(int)hard[order[k]] / 5]++;
		}
		for (int k = 0; k < 10; k++)
			assert_int_equal(of[k], 1);
		o.seed = s + 1;
		assert_ok(tarn_qat_split(&o, chance, &n_train));
		for (size_t k = n_train; k < 50; k++)
			different += order[k] != chance[k];
	}
	assert_true(different > 10); /* of 30: which of the five follows from the seed */
}

/* An operator without gradient matters behind what is learned, not before it. */
static void refused_without_gradient(void **state)
{
	(void)state;
	tarn_value *rois = weights(g, dims(2, 1, 4)), *batch = ints(g, 1, 0), *x = input(g, dims(4, 1, 3, 8, 8));
	output(g, conv(node(g, "RoiAlign", x, rois, batch), 3, 4, 1));
	assert_ok(tarn_graph_infer(g));
	assert_ok(tarn_qat_check(model));
	output(g, node(g, "RoiAlign", g->output.at[0], rois, batch));
	assert_ok(tarn_graph_infer(g));
	assert_err(TARN_UNSUPPORTED, tarn_qat_check(model));
	assert_non_null(strstr(tarn_err_text(), "operator RoiAlign (node '"));
}

/* A rival nearer to the teacher than training gets (the teacher itself) leaves instead, however much was learned. */
static void rival_leaves(void **state)
{
	(void)state;
	tarn_quant_report report = {0};
	tarn_qat_report r;
	tarn_model *out, *copy;
	network();
	tarn_quant_options d = samples(48);
	d.weight_bits = 4;
	tarn_model *q;
	assert_ok(tarn_quant_ptq(model, &d, &q, &report));
	tarn_qat_options o = {.data = &d, .epochs = 4, .batch = 8, .threads = 2, .rival = model};
	assert_ok(tarn_qat_train(model, q, &o, &out, &r));
	assert_false(r.improved);
	assert_ok(tarn_model_clone(model, &copy));
	assert_true(weight_sum(out) == weight_sum(copy));
	tarn_model_unref(out);
	tarn_model_unref(copy);
	tarn_model_unref(q);
	tarn_quant_report_fini(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fits_a_few_samples, setup, teardown),
		cmocka_unit_test_setup_teardown(labels_fit_the_output, setup, teardown),
		cmocka_unit_test_setup_teardown(gradients_of_the_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(export_without_training, setup, teardown),
		cmocka_unit_test_setup_teardown(learns_from_the_teacher, setup, teardown),
		cmocka_unit_test_setup_teardown(four_bits, setup, teardown),
		cmocka_unit_test(samples_are_split),
		cmocka_unit_test(judges_are_as_hard),
		cmocka_unit_test_setup_teardown(refused_without_gradient, setup, teardown),
		cmocka_unit_test_setup_teardown(rival_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(never_worse, setup, teardown),
		cmocka_unit_test_setup_teardown(mixtures, setup, teardown),
		cmocka_unit_test_setup_teardown(budgets_change_nothing, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
