/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler's plan: splits that cover every output once and fit CMX, time that never falls when work or the machine
 * shrinks the wrong way, refusals before any work. */
#include "unit/driver/npu_graphs.h"

#include <stdio.h>

typedef struct planned {
	tarn_arena arena;
	tarn_model *model;
	npu_layers layers;
	npu_plan plan;
} planned;

static void plan_on(const tarn_model *m, const tarn_arch *arch, int tiles, planned *p)
{
	*p = (planned){.model = copy_of(m)};
	assert_ok(tarn_npu_lower(p->model));
	assert_ok(tarn_npu_group(p->model->main, &p->arena, &p->layers));
	assert_ok(tarn_npu_schedule(arch, p->model->main, &p->layers, tiles, &p->arena, &p->plan));
}

static void plan_fini(planned *p)
{
	tarn_arena_fini(&p->arena);
	tarn_model_unref(p->model);
}

static uint64_t total_ns(const tarn_model *m, const tarn_arch *arch, int tiles)
{
	planned p;
	plan_on(m, arch, tiles, &p);
	uint64_t ns = p.plan.time[0].total_ns;
	plan_fini(&p);
	return ns;
}

static tarn_model *classifier(int size, int width, bool int8);

/* Large activations that outlive each other in different orders: those in DDR at the same time have places of their own, and
 * the arena is smaller than all of them, but not than what lives at once. */
static void spills_have_places(void **state)
{
	(void)state;
	tarn_model *m;
	planned p;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	seed = 9;
	tarn_value *x = conv(g, input(g, dims(4, 1, 16, 256, 256)), 16, 32, 3, 1, 1, 1), *skip[3];
	for (int i = 0; i < 3; i++)
		x = skip[i] = conv(g, x, 32, 32, 3, 1, 1, 1);
	for (int i = 2; i >= 0; i--)
		x = conv(g, node(g, "Add", x, skip[i], NULL), 32, 32, 3, 1, 1, 1);
	output(g, x);
	plan_on(m, tarn_arch_find(3720), 2, &p);
	assert_true(p.plan.n_spill > 4 && p.plan.ddr_arena < p.plan.spill_bytes);
	for (int i = 0; i < p.plan.n_spill; i++) {
		const npu_spill *a = &p.plan.spill[i];
		uint64_t alive = 0;
		assert_true(a->offset + a->bytes <= p.plan.ddr_arena && a->first <= a->last);
		for (int k = 0; k < p.plan.n_spill; k++) {
			const npu_spill *b = &p.plan.spill[k];
			if (b->first <= a->first && a->first <= b->last)
				alive += b->bytes;
			if (i != k && a->first <= b->last && b->first <= a->last)
				assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
		}
		assert_true(p.plan.ddr_arena >= alive);
	}
	plan_fini(&p);
	tarn_model_unref(m);
	m = classifier(32, 16, true); /* fits */
	plan_on(m, tarn_arch_find(4000), 6, &p);
	assert_int_equal(p.plan.n_spill, 0);
	assert_int_equal(p.plan.ddr_arena, 0);
	plan_fini(&p);
	tarn_model_unref(m);
}

/* A chain of blocks as in a classifier: dense, depthwise, pointwise, residual, pooling, a product. */
static tarn_model *classifier(int size, int width, bool int8)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	seed = 7;
	tarn_value *x = input(g, dims(4, 1, 3, size, size));
	tarn_value *y;
	if (int8) {
		y = qdq(g, x, 0.01f, 128);
		y = qdq(g, node(g, "Relu", qconv(g, y, 0.01f, 3, width, 3, 2, 1, 1, 1), NULL, NULL), 0.02f, 0);
	} else {
		y = clip(g, conv(g, x, 3, width, 3, 2, 1, 1), 0, 6);
	}
	for (int i = 0; i < 3; i++) {
		int c = width << i;
		tarn_value *a, *b;
		if (int8) {
			a = qdq(g, qconv(g, y, 0.02f, c, c, 3, 1, 1, c, 1), 0.02f, 0);
			b = qdq(g, qconv(g, a, 0.02f, c, c, 1, 1, 0, 1, 1), 0.02f, 0);
			y = qdq(g, node(g, "Add", y, b, NULL), 0.02f, 0);
			y = qdq(g, qconv(g, y, 0.02f, c, 2 * c, 3, 2, 1, 1, 1), 0.02f, 0);
		} else {
			a = clip(g, conv(g, y, c, c, 3, 1, 1, c), 0, 6);
			b = conv(g, a, c, c, 1, 1, 0, 1);
			y = node(g, "Add", y, b, NULL);
			y = node(g, "Relu", conv(g, y, c, 2 * c, 3, 2, 1, 1), NULL, NULL);
		}
	}
	output(g, node(g, "GlobalAveragePool", y, NULL, NULL));
	assert_ok(tarn_graph_infer(g));
	return m;
}

/* ---- splits ---- */

static void check_cover(const npu_geometry *g, const npu_tiling *t)
{
	const tarn_dpu_workload *w = &g->whole;
	unsigned char *done = calloc((size_t)w->out_h * (size_t)w->out_c, 1);
	assert_non_null(done);
	for (int tile = 0; tile < t->tiles; tile++)
		for (int cut = 0; cut < t->cuts_h * t->cuts_k; cut++) {
			npu_part p = tarn_npu_part(g, t, cut, tile);
			for (int r = p.row; r < p.row + p.rows; r++)
				for (int c = p.channel; c < p.channel + p.channels; c++) {
					assert_in_range(r, 0, w->out_h - 1);
					assert_in_range(c, 0, w->out_c - 1);
					done[r * w->out_c + c]++;
				}
			/* The input it holds covers the taps that lie inside the image. */
			int32_t first, end;
			if (p.rows <= 0)
				continue;
			tarn_npu_part_rows(w, p, &first, &end);
			int32_t top = p.row * w->stride_h - w->pad_top,
				low = (p.row + p.rows - 1) * w->stride_h - w->pad_top + w->kernel_h;
			assert_true(first <= (top < 0 ? 0 : top) || first == w->in_h);
			assert_true(end >= (low > w->in_h ? w->in_h : low));
		}
	for (int i = 0; i < w->out_h * w->out_c; i++)
		assert_int_equal(done[i], 1);
	free(done);
}

static void splits_cover_and_fit(void **state)
{
	(void)state;
	for (size_t a = 0; tarn_arch_at(a); a++) {
		const tarn_arch *arch = tarn_arch_at(a);
		for (int i = 0; i < 120; i++) {
			bool dw = i % 3 == 0, large = i % 4 == 0;
			npu_geometry g = {.on_dpu = true, .repeat = 1};
			g.whole = tarn_dpu_workload_init(dw ? TARN_DPU_DW_CONV : TARN_DPU_CONV);
			tarn_dpu_workload *w = &g.whole;
			w->in = w->wt = w->out = i % 2 ? TARN_DPU_I8 : TARN_DPU_F16;
			w->kernel_h = w->kernel_w = between(1, 7);
			w->stride_h = w->stride_w = between(1, 3);
			w->pad_top = w->pad_bottom = w->pad_left = w->pad_right = w->kernel_h / 2;
			w->in_h = w->in_w = between(w->kernel_h, large ? 300 : 40);
			w->in_c = between(1, large ? 256 : 700);
			w->out_c = dw ? w->in_c : between(1, large ? 256 : 2000);
			w->out_h = w->out_w = (w->in_h + 2 * w->pad_top - w->kernel_h) / w->stride_h + 1;
			g.weight_bytes = (uint64_t)w->out_c * (uint64_t)w->in_c;
			npu_tiling t;
			int tiles = between(1, arch->tiles);
			assert_ok(tarn_npu_tile(arch, &g, tiles, &t));
			assert_in_range(t.tiles, 1, tiles);
			assert_true(t.tile_bytes <= tarn_npu_tile_room(arch));
			assert_true(t.tile_bytes <= (uint64_t)arch->cmx_bytes);
			check_cover(&g, &t);
			assert_true(t.cycles > 0);
		}
	}
}

static void what_cannot_fit_is_refused(void **state)
{
	(void)state;
	npu_geometry g = {.on_dpu = true, .repeat = 1};
	npu_tiling t;
	g.whole = tarn_dpu_workload_init(TARN_DPU_CONV);
	g.whole.in_w = g.whole.out_w = 4096; /* rows of 4096 pixels: cut along the width */
	g.whole.in_h = g.whole.out_h = 8;
	g.whole.in_c = 1024;
	g.whole.out_c = 64;
	assert_ok(tarn_npu_tile(tarn_arch_find(4000), &g, 6, &t));
	assert_true(t.cuts_w > 1);
	/* A filter of 11 x 11 x 1000 FP16 is halved; so many channels of a per-channel operation cannot be. */
	g.whole.kernel_w = g.whole.kernel_h = 11;
	g.whole.in_c = 1000;
	g.whole.in_w = g.whole.out_w = 11;
	assert_ok(tarn_npu_tile(tarn_arch_find(4000), &g, 6, &t));
	g.whole.op = TARN_DPU_MAXPOOL;
	g.whole.in_w = 1 << 20;
	g.whole.out_w = 1;
	assert_int_equal(tarn_npu_tile(tarn_arch_find(4000), &g, 6, &t), TARN_UNSUPPORTED);
}

/* ---- time ---- */

static void more_machine_is_never_slower(void **state)
{
	(void)state;
	for (int int8 = 0; int8 < 2; int8++) {
		tarn_model *m = classifier(96, 32, int8);
		for (size_t a = 0; tarn_arch_at(a); a++) {
			const tarn_arch *arch = tarn_arch_at(a);
			uint64_t before = UINT64_MAX;
			for (int tiles = 1; tiles <= arch->tiles; tiles++) {
				uint64_t ns = total_ns(m, arch, tiles);
				assert_true(ns <= before);
				before = ns;
			}
			assert_true(before < total_ns(m, arch, 1));
			before = UINT64_MAX;
			for (int k = 0; k < 5; k++) {
				tarn_arch slow = *arch;
				slow.ddr_total_gbps = arch->ddr_total_gbps * (0.25 + 0.25 * k);
				uint64_t ns = total_ns(m, &slow, arch->tiles);
				assert_true(ns <= before);
				assert_true(k == 0 || ns < before);
				before = ns;
			}
		}
		tarn_model_unref(m);
	}
}

static void more_work_is_never_faster(void **state)
{
	(void)state;
	for (size_t a = 0; tarn_arch_at(a); a++) {
		const tarn_arch *arch = tarn_arch_at(a);
		uint64_t size_before[2] = {0};
		for (int size = 32; size <= 224; size *= 2 + (size == 128)) {
			uint64_t ns[2];
			for (int int8 = 0; int8 < 2; int8++) {
				tarn_model *m = classifier(size, 16, int8);
				ns[int8] = total_ns(m, arch, arch->tiles);
				assert_true(ns[int8] >= size_before[int8]);
				size_before[int8] = ns[int8];
				tarn_model_unref(m);
			}
			/* FP16 is not faster than 8 bits, the quantizer of the input apart. */
			if (size >= 64)
				assert_true(ns[0] >= ns[1]);
			if (size > 128)
				break;
		}
		uint64_t before = 0;
		for (int width = 16; width <= 64; width *= 2) {
			tarn_model *m = classifier(64, width, true);
			uint64_t ns = total_ns(m, arch, arch->tiles);
			assert_true(ns > before);
			before = ns;
			tarn_model_unref(m);
		}
	}
}

static void turbo_helps_the_dpu_only(void **state)
{
	(void)state;
	const tarn_arch *arch = tarn_arch_find(3720);
	planned p;
	tarn_model *m = classifier(224, 32, false);
	plan_on(m, arch, 2, &p);
	assert_true(p.plan.time[1].total_ns < p.plan.time[0].total_ns);
	assert_int_equal(p.plan.time[1].shave_ns, p.plan.time[0].shave_ns);
	plan_fini(&p);
	tarn_model_unref(m);
	/* A wide product of one row: all weights, no work. */
	assert_ok(tarn_model_new(&m));
	tarn_value *x = input(m->main, dims(2, 1, 1024));
	output(m->main, node(m->main, "MatMul", x, weights(m->main, dims(2, 1024, 4096)), NULL));
	assert_ok(tarn_graph_infer(m->main));
	plan_on(m, arch, 2, &p);
	double gain = (double)p.plan.time[0].total_ns / (double)p.plan.time[1].total_ns;
	assert_true(gain < 1.01 && gain >= 1);
	plan_fini(&p);
	tarn_model_unref(m);
}

/* GELU after GELU on a large tensor: SHAVEs have one rate for 8 and 16 bits. */
static tarn_model *functions(bool int8)
{
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_value *x = input(g, dims(4, 1, 64, 80, 80));
	for (int i = 0; i < 6; i++) {
		if (int8)
			x = qdq(g, x, 0.02f, 128);
		x = node(g, i % 2 ? "Mish" : "Softplus", x, NULL, NULL);
	}
	output(g, x);
	assert_ok(tarn_graph_infer(g));
	return m;
}

static void int8_does_not_always_help(void **state)
{
	(void)state;
	const tarn_arch *arch = tarn_arch_find(4000);
	uint64_t ns[2];
	for (int int8 = 0; int8 < 2; int8++) {
		tarn_model *m = functions(int8);
		planned p;
		plan_on(m, arch, 6, &p);
		ns[int8] = p.plan.time[0].total_ns;
		plan_fini(&p);
		tarn_model_unref(m);
	}
	assert_true(ns[1] >= ns[0]);
}

static void rows_add_up(void **state)
{
	(void)state;
	tarn_model *m = classifier(128, 32, true);
	const tarn_arch *arch = tarn_arch_find(4000);
	planned p;
	plan_on(m, arch, 6, &p);
	for (int turbo = 0; turbo < 2; turbo++) {
		const npu_timeline *t = &p.plan.time[turbo];
		uint64_t at = (uint64_t)(arch->inference_us * 1000);
		for (int i = 0; i < p.layers.n; i++) {
			assert_int_equal(t->row[i].start_ns, at);
			assert_int_equal(t->row[i].end_ns, at + t->row[i].on_path_ns);
			assert_true(t->row[i].stall_ns <= t->row[i].on_path_ns + 1);
			at = t->row[i].end_ns;
		}
		assert_int_equal(at, t->total_ns);
		for (uint32_t i = 0; i < t->n_tasks; i++) {
			assert_in_range(t->task[i].layer, 0, p.layers.n - 1);
			assert_true(t->task[i].start_ns + t->task[i].duration_ns <= t->total_ns + 1);
		}
	}
	float band = tarn_npu_plan_band(arch, &p.plan);
	assert_true(band > 0.05f && band < 1);
	plan_fini(&p);
	tarn_model_unref(m);
}

/* ---- refusals ---- */

static void refusals_name_what_is_wrong(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_dim free_dim;
	assert_ok(tarn_symtab_named(&m->syms, "batch", &free_dim));
	tarn_shape s = dims(4, 1, 3, 8, 8);
	s.dim[0] = free_dim;
	tarn_value *x;
	assert_ok(tarn_value_input(m->main, "image", TARN_F32, &s, &x));
	output(m->main, node(m->main, "Relu", x, NULL, NULL));
	assert_ok(tarn_graph_infer(m->main));
	tarn_cc_flags flags = {0};
	tarn_cc_blob blob;
	assert_int_equal(tarn_npu_compile(m, &flags, tarn_arch_find(4000), &blob), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "input 'image' is free along axis 0"));
	assert_non_null(strstr(tarn_err_text(), "-shape image[1,3,8,8]"));
	tarn_model_unref(m);

	assert_ok(tarn_model_new(&m));
	x = input(m->main, dims(1, 16));
	tarn_value *nz = node(m->main, "NonZero", x, NULL, NULL);
	output(m->main, nz);
	assert_ok(tarn_graph_infer(m->main));
	assert_int_equal(tarn_npu_compile(m, &flags, tarn_arch_find(4000), &blob), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "(NonZero)"));
	assert_non_null(strstr(tarn_err_text(), "depends on data"));
	tarn_model_unref(m);

	assert_ok(tarn_model_new(&m));
	s = dims(1, 16);
	assert_ok(tarn_value_input(m->main, "ids", TARN_U64, &s, &x));
	output(m->main, node(m->main, "Add", x, x, NULL));
	assert_ok(tarn_graph_infer(m->main));
	assert_int_equal(tarn_npu_compile(m, &flags, tarn_arch_find(4000), &blob), TARN_UNSUPPORTED);
	assert_non_null(strstr(tarn_err_text(), "computes with u64"));
	tarn_model_unref(m);
}

/* ---- committed times ---- */

static void add_row(tarn_str *s, const char *name, const tarn_model *m, const tarn_arch *arch)
{
	planned p;
	plan_on(m, arch, arch->tiles, &p);
	int64_t cycles = 0;
	for (int i = 0; i < p.layers.n; i++)
		cycles += p.plan.job[i].dpu_cycles;
	tarn_str_addf(s, "%s %d: tiles %d, DPU cycles %lld, ns %llu, turbo %llu, DDR bytes %llu, spills %d\n", name,
		      arch->platform, p.plan.tiles, (long long)cycles, (unsigned long long)p.plan.time[0].total_ns,
		      (unsigned long long)p.plan.time[1].total_ns, (unsigned long long)p.plan.ddr_bytes, p.plan.spills);
	plan_fini(&p);
}

/* The parts are the whole, the products' levels only fall, and what takes no time only helps. */
static void accounts_balance(void **state)
{
	(void)state;
	for (size_t at = 0; tarn_arch_at(at); at++)
		for (int k = 0; k < 4; k++) {
			const tarn_arch *arch = tarn_arch_at(at);
			tarn_model *m = k < 2 ? classifier(128, 24, k) : functions(k - 2);
			planned p;
			tarn_npu_account a;
			plan_on(m, arch, arch->tiles, &p);
			for (int turbo = 0; turbo < 2; turbo++) {
				assert_ok(tarn_npu_account_of(arch, &p.plan, turbo, &a));
				assert_int_equal(a.total_ns, p.plan.time[turbo].total_ns);
				assert_int_equal(a.total_ns, a.fixed_ns + a.dpu_ns + a.shave_ns + a.copy_ns +
								     a.stall_weights_ns + a.stall_inputs_ns +
								     a.stall_stores_ns);
				assert_int_equal(a.weight_bytes + a.load_bytes + a.store_bytes, p.plan.ddr_bytes);
				assert_true(a.int8_ns <= a.mixed_ns && a.mixed_ns <= a.padded_ns);
				assert_true(a.macs_int8 <= a.macs);
				assert_true(a.fixed_ns < a.free_bandwidth_ns && a.free_bandwidth_ns <= a.total_ns);
				assert_true(a.fixed_ns < a.free_compute_ns && a.free_compute_ns < a.total_ns);
			}
			/* All on 8 bits: nothing is lost to precision. Channels of 24 are padded to 32. */
			if (k == 1)
				assert_true(a.mixed_ns == a.int8_ns && a.padded_ns > a.mixed_ns && a.macs_int8 == a.macs);
			if (k == 0)
				assert_true(a.mixed_ns >= 2 * a.int8_ns - 1 && a.mixed_ns <= 2 * a.int8_ns + 1 && !a.macs_int8);
			/* Supposing it is what the account says it would be. */
			uint64_t free_ns = a.free_bandwidth_ns;
			assert_ok(tarn_npu_suppose(arch, TARN_CC_FREE_BANDWIDTH, &p.arena, &p.plan));
			assert_int_equal(p.plan.time[1].total_ns, free_ns);
			plan_fini(&p);
			tarn_model_unref(m);
		}
}

static void times_are_the_committed_ones(void **state)
{
	(void)state;
	tarn_str s = {0};
	for (size_t a = 0; tarn_arch_at(a); a++)
		for (int int8 = 0; int8 < 2; int8++) {
			tarn_model *m = classifier(128, 32, int8);
			add_row(&s, int8 ? "classifier-int8" : "classifier-fp16", m, tarn_arch_at(a));
			tarn_model_unref(m);
			m = functions(int8);
			add_row(&s, int8 ? "functions-int8" : "functions-fp16", m, tarn_arch_at(a));
			tarn_model_unref(m);
		}
	assert_ok(tarn_str_done(&s));
	if (getenv("TARN_UPDATE_GOLDEN")) {
		FILE *f = fopen(TARN_NPU_TIMES, "w");
		assert_non_null(f);
		assert_true(fputs(s.at, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	FILE *f = fopen(TARN_NPU_TIMES, "r");
	assert_non_null(f);
	char line[512];
	for (const char *at = s.at; *at;) {
		size_t n = strcspn(at, "\n") + 1;
		assert_non_null(fgets(line, sizeof line, f));
		if (strncmp(line, at, n))
			fail_msg("committed: %snow:       %.*sif this is meant, run the test with TARN_UPDATE_GOLDEN=1", line,
				 (int)n, at);
		at += n;
	}
	assert_null(fgets(line, sizeof line, f));
	fclose(f);
	tarn_str_fini(&s);
}

/* A square is kept in FP32 where SHAVEs read it, and not where the array does; keeping it takes longer. */
static void squares_are_kept_where_that_works(void **state)
{
	(void)state;
	uint64_t ns[2];
	for (int array = 0; array < 2; array++) {
		tarn_model *m;
		planned p;
		assert_ok(tarn_model_new(&m));
		tarn_graph *g = m->main;
		tarn_value *x = input(g, dims(4, 1, 16, 128, 128)), *y = node(g, "Mul", x, x, NULL);
		y = node(g, "Sqrt", y, NULL, NULL);
		output(g, array ? conv(g, y, 16, 16, 1, 1, 0, 1) : node(g, "Softmax", y, NULL, NULL));
		assert_ok(tarn_graph_infer(g));
		plan_on(m, tarn_arch_find(4000), 1, &p);
		assert_true(p.layers.at[0].fp32);
		assert_true(p.layers.at[1].fp32 == !array);
		ns[array] = p.plan.time[0].row[1].shave_ns;
		plan_fini(&p);
		tarn_model_unref(m);
	}
	assert_true(ns[0] > ns[1] + ns[1] / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spills_have_places),
		cmocka_unit_test(splits_cover_and_fit),
		cmocka_unit_test(what_cannot_fit_is_refused),
		cmocka_unit_test(more_machine_is_never_slower),
		cmocka_unit_test(more_work_is_never_faster),
		cmocka_unit_test(turbo_helps_the_dpu_only),
		cmocka_unit_test(int8_does_not_always_help),
		cmocka_unit_test(rows_add_up),
		cmocka_unit_test(squares_are_kept_where_that_works),
		cmocka_unit_test(refusals_name_what_is_wrong),
		cmocka_unit_test(accounts_balance),
		cmocka_unit_test(times_are_the_committed_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
