/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded model that was written and read again knows what it was made from, as long as nobody changed either. */
#include "unit/dyn/padded.h"

#include <stdio.h>
#include <unistd.h>

#include "api/origin.h"
#include "base/base64.h"
#include "base/mem.h"
#include "dev/cpu/device.h"
#include "fmt/fmt.h"
#include "rt/program.h"
#include "rt/request.h"

enum { HEIGHT = 9, WIDTH = 11, CHANNELS = 16 };

static const char *ending = "onnx"; /* the format of the running test */
static tarn_device cpu;
static tarn_model *model, *bounded;
static const tarn_bound_spec spec[] = {{.name = "h", .max = HEIGHT}, {.name = "w", .max = WIDTH}};

/* Weights of more than a kilobyte, and small ones; a mean over the padded axes. */
static void build(tarn_model **m)
{
	assert_ok(tarn_model_new(m));
	tarn_graph *g = (*m)->main;
	tarn_shape s = dims(4, 1, 3, 0, 0);
	assert_ok(tarn_symtab_named(&(*m)->syms, "h", &s.dim[2]));
	assert_ok(tarn_symtab_named(&(*m)->syms, "w", &s.dim[3]));
	tarn_value *c = node(g, "Conv", input(g, s), weights(g, dims(4, CHANNELS, 3, 3, 3)), weights(g, dims(1, CHANNELS)));
	set_ints(g, c, "pads", 4, 1, 1, 1, 1);
	output(g, node(g, "GlobalAveragePool", node(g, "Relu", c, NULL, NULL), NULL, NULL));
	output(g, c);
	assert_ok(tarn_graph_infer(g));
}

static int setup(void **state)
{
	(void)state;
	seed = 5;
	cpu = (tarn_device){.api = &tarn_dev_cpu};
	build(&model);
	bounded = tarn_model_ref(model);
	assert_ok(tarn_model_bound_all(&bounded, spec, 2, NULL));
	return 0;
}

static int setup_ir(void **state)
{
	ending = "xml";
	return setup(state);
}

static int teardown(void **state)
{
	(void)state;
	tarn_model_unref(bounded);
	tarn_model_unref(model);
	tarn_device_close(&cpu);
	return 0;
}

/* Written as it is, and read. */
static tarn_model *read_again(const tarn_model *m)
{
	char path[64], bin[64];
	tarn_model *again;
	snprintf(path, sizeof path, "/tmp/tarn-origin-%ld.%s", (long)getpid(), ending);
	snprintf(bin, sizeof bin, "/tmp/tarn-origin-%ld.bin", (long)getpid());
	assert_ok(tarn_model_write(m, path));
	assert_ok(tarn_model_read(path, NULL, &again));
	(void)remove(path);
	(void)remove(bin);
	assert_ok(tarn_origin_get(again));
	return again;
}

static tarn_model *with_origin(void)
{
	tarn_model *m;
	assert_ok(tarn_model_clone(bounded, &m));
	assert_ok(tarn_origin_put(m));
	assert_true(tarn_origin_stored(m));
	return m;
}

static tarn_tensor made(int64_t h, int64_t w, bool poison)
{
	tarn_tensor t;
	assert_ok(tarn_tensor_new(TARN_F32, 4, (int64_t[]){1, 3, h, w}, &t));
	padded_fill(&t, poison);
	return t;
}

/* On the CPU: results as without padding, and, where they are not needed, no repairs among the layers. */
static void runs(const tarn_model *m, int64_t h, int64_t w, bool skips)
{
	tarn_program *p;
	tarn_request *r;
	tarn_props props = {0};
	tarn_tensor in = made(h, w, false), wide = made(HEIGHT, WIDTH, true), want[2] = {0}, cut;
	int64_t length[] = {h, w};
	int repairs = 0;
	padded_corner(&in, &wide);
	assert_ok(tarn_props_set(&props, "PERF_COUNT", "YES"));
	assert_ok(tarn_program_compile(&cpu, m, &props, &p));
	assert_ok(tarn_request_new(p, &r));
	tarn_tensor_fini(&r->in[0]);
	r->in[0] = wide;
	r->in_foreign[0] = true;
	for (int i = 0; i < 2; i++) {
		tarn_tensor_fini(&r->in[1 + i]);
		assert_ok(tarn_tensor_new(TARN_I64, 1, (int64_t[]){1}, &r->in[1 + i]));
		*(int64_t *)r->in[1 + i].data = length[i];
		r->in_foreign[1 + i] = true;
	}
	assert_ok(tarn_request_infer(r));
	assert_ok(tarn_graph_eval(model->main, (const tarn_tensor *[]){&in}, want, NULL, NULL));
	for (int i = 0; i < 2; i++) {
		assert_ok(tarn_tensor_copy(&want[i], &cut));
		padded_corner(&r->out[i], &cut);
		assert_true(relative_error(&cut, &want[i]) <= 1e-5);
		tarn_tensor_fini(&cut);
		tarn_tensor_fini(&want[i]);
	}
	for (size_t i = 0; i < r->layer.len; i++)
		repairs += !strcmp(r->layer.at[i].type, "Where");
	assert_true(skips ? repairs == 0 : repairs > 0);
	tarn_request_free(r);
	tarn_program_unref(p);
	tarn_props_fini(&props);
	tarn_tensor_fini(&in);
}

static void files_keep_the_origin(void **state)
{
	(void)state;
	tarn_model *m = with_origin(), *again = read_again(m);
	assert_true(tarn_model_origin_holds(again));
	/* It has the file's bytes, not another copy of the weights. */
	const tarn_value *a = NULL, *b = NULL;
	for (size_t i = 0; i < again->main->node.len; i++)
		if (!strcmp(again->main->node.at[i]->op->name, "Conv"))
			a = again->main->node.at[i]->in[1];
	for (size_t i = 0; i < again->origin.model->main->node.len; i++)
		if (!strcmp(again->origin.model->main->node.at[i]->op->name, "Conv"))
			b = again->origin.model->main->node.at[i]->in[1];
	assert_ptr_equal(a->konst->data, b->konst->data);
	assert_true(tarn_tensor_bytes(a->konst) > 1024);
	runs(again, 4, 7, true);
	runs(again, HEIGHT, WIDTH, true);
	/* And again, from what was read. */
	assert_ok(tarn_origin_put(again));
	tarn_model *third = read_again(again);
	assert_true(tarn_model_origin_holds(third));
	tarn_model_unref(third);
	tarn_model_unref(again);
	tarn_model_unref(m);
}

/* One dimension, then the other: the origin of the second is a bounded model itself. */
static void bounds_in_two_steps(void **state)
{
	(void)state;
	tarn_model *m = tarn_model_ref(model);
	assert_ok(tarn_model_bound(&m, "h", HEIGHT, NULL));
	assert_ok(tarn_origin_put(m));
	tarn_model *again = read_again(m);
	assert_true(tarn_model_origin_holds(again)); /* the width is still free */
	char axis[64];                               /* the IR has no names of dimensions */
	snprintf(axis, sizeof axis, "%.50s[3]", again->main->input.at[0]->name);
	assert_ok(tarn_model_bound(&again, axis, WIDTH, NULL));
	assert_ok(tarn_origin_put(again));
	tarn_model *both = read_again(again);
	assert_true(tarn_model_origin_holds(both));
	tarn_model_unref(both);
	tarn_model_unref(again);
	tarn_model_unref(m);
}

/* The graph decides: edited by another program that kept the metadata, or told that it came from something else. */
static void what_does_not_fit_does_not_count(void **state)
{
	(void)state;
	tarn_model *m = with_origin(), *other;
	const char *text = tarn_model_meta_find(m, "tarn.origin");
	for (size_t i = 0; i < m->main->node.len; i++) {
		tarn_node *n = m->main->node.at[i];
		if (!strcmp(n->op->name, "Relu"))
			n->op = tarn_op_find(NULL, "Abs");
	}
	tarn_model *again = read_again(m);
	assert_false(tarn_model_origin_holds(again));
	tarn_model_unref(again);
	/* Equal in structure, other small weights: those are in the text. */
	build(&other);
	assert_ok(tarn_model_bound_all(&other, spec, 2, NULL));
	assert_ok(tarn_model_meta_put(other, "tarn.origin", text));
	again = read_again(other);
	assert_false(tarn_model_origin_holds(again));
	tarn_model_unref(again);
	/* A plain model. */
	tarn_model_unref(other);
	build(&other);
	assert_ok(tarn_model_meta_put(other, "tarn.origin", text));
	again = read_again(other);
	assert_false(tarn_model_origin_holds(again));
	/* Saved as it is now, it says nothing of an origin. */
	assert_ok(tarn_origin_put(again));
	assert_false(tarn_origin_stored(again));
	tarn_model_unref(again);
	tarn_model_unref(other);
	tarn_model_unref(m);
}

/* Each byte of the origin flipped in turn: it proves right or is dropped, and results never change. */
static void damage_is_harmless(void **state)
{
	(void)state;
	tarn_model *m = with_origin();
	size_t n;
	unsigned char *bytes = tarn_base64_bytes(tarn_model_meta_find(m, "tarn.origin"), 1 << 20, &n);
	assert_non_null(bytes);
	int held = 0, tried = 0;
	for (size_t i = 0; i < n; i += 1 + i / 64) {
		tarn_arena a = {0};
		bytes[i] ^= (unsigned char)(1 << i % 8);
		assert_ok(tarn_model_meta_put(m, "tarn.origin", tarn_base64_text(&a, bytes, n)));
		tarn_model *again = read_again(m);
		tried++;
		held += tarn_model_origin_holds(again);
		runs(again, 3, 5, tarn_model_origin_holds(again));
		tarn_model_unref(again);
		bytes[i] ^= (unsigned char)(1 << i % 8);
		assert_ok(tarn_model_meta_put(m, "tarn.origin", NULL));
		tarn_arena_fini(&a);
	}
	/* Letters of names inside, on which nothing depends, may change. */
	assert_true(held < tried / 2);
	tarn_mem_free(bytes);
	tarn_model_unref(m);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define IR(f) cmocka_unit_test_setup_teardown(f, setup_ir, teardown)
	const struct CMUnitTest tests[] = {
		T(files_keep_the_origin),
		T(bounds_in_two_steps),
		T(what_does_not_fit_does_not_count),
		T(damage_is_harmless),
		IR(files_keep_the_origin),
		IR(bounds_in_two_steps),
		IR(what_does_not_fit_does_not_count),
		IR(damage_is_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
