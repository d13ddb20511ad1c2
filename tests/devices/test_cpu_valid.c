/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded models on the CPU: the work is that of the valid sizes, the results are those of the model without padding. */
#include "unit/dyn/padded.h"

#include "dev/cpu/device.h"
#include "rt/program.h"
#include "rt/request.h"

enum { HEIGHT = 12, WIDTH = 14 };

static tarn_device cpu;
static tarn_model *model, *bounded;
static tarn_graph *g;
static tarn_value *x; /* f32 [1,3,h,w] */
static const tarn_bound_spec spec[] = {{.name = "h", .max = HEIGHT}, {.name = "w", .max = WIDTH}};

/* A convolution of stride 2 with biases, a mean over all pixels, and the pixels as a sequence attending to itself. */
static int setup(void **state)
{
	(void)state;
	seed = 31;
	cpu = (tarn_device){.api = &tarn_dev_cpu};
	assert_ok(tarn_model_new(&model));
	g = model->main;
	tarn_shape s = dims(4, 1, 3, 0, 0);
	assert_ok(tarn_symtab_named(&model->syms, "h", &s.dim[2]));
	assert_ok(tarn_symtab_named(&model->syms, "w", &s.dim[3]));
	x = input(g, s);
	tarn_value *c = node(g, "Conv", x, weights(g, dims(4, 8, 3, 3, 3)), weights(g, dims(1, 8)));
	set_ints(g, c, "pads", 4, 1, 1, 1, 1);
	set_ints(g, c, "strides", 2, 2, 2);
	c = node(g, "Relu", c, NULL, NULL);
	tarn_value *q = node(g, "Transpose", node(g, "Reshape", c, ints(g, 3, 1, 8, -1), NULL), NULL, NULL);
	set_ints(g, q, "perm", 3, 0, 2, 1);
	tarn_value *k = node(g, "Reshape", c, ints(g, 3, 1, 8, -1), NULL);
	tarn_value *a = node(g, "MatMul", node(g, "Softmax", node(g, "MatMul", q, k, NULL), NULL, NULL), q, NULL);
	output(g, c);
	output(g, node(g, "GlobalAveragePool", c, NULL, NULL));
	output(g, a);
	assert_ok(tarn_graph_infer(g));
	bounded = tarn_model_ref(model);
	assert_ok(tarn_model_bound_all(&bounded, spec, 2, NULL));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tarn_model_unref(bounded);
	tarn_model_unref(model);
	tarn_device_close(&cpu);
	return 0;
}

static tarn_request *request_of(const tarn_model *m, tarn_program **p)
{
	tarn_request *r;
	assert_ok(tarn_program_compile(&cpu, m, NULL, p));
	assert_ok(tarn_request_new(*p, &r));
	return r;
}

static void set(tarn_request *r, int i, const tarn_tensor *t)
{
	tarn_tensor_fini(&r->in[i]);
	r->in[i] = tarn_tensor_share(t);
	r->in_foreign[i] = true;
}

static void set_lengths(tarn_request *r, int64_t h, int64_t w)
{
	for (int i = 0; i < 2; i++) {
		tarn_tensor len;
		assert_ok(tarn_tensor_new(TARN_I64, 1, (int64_t[]){1}, &len));
		*(int64_t *)len.data = i ? w : h;
		set(r, 1 + i, &len);
		tarn_tensor_fini(&len);
	}
}

static void equal_at(tarn_request *r, int64_t h, int64_t w)
{
	tarn_tensor in, wide, want[3] = {0};
	assert_ok(tarn_tensor_new(TARN_F32, 4, (int64_t[]){1, 3, h, w}, &in));
	assert_ok(tarn_tensor_new(TARN_F32, 4, (int64_t[]){1, 3, HEIGHT, WIDTH}, &wide));
	padded_fill(&in, false);
	padded_fill(&wide, true);
	padded_corner(&in, &wide);
	set(r, 0, &wide);
	set_lengths(r, h, w);
	assert_ok(tarn_request_infer(r));
	assert_ok(tarn_graph_eval(g, (const tarn_tensor *[]){&in}, want, NULL, NULL));
	for (int i = 0; i < 3; i++) {
		tarn_tensor cut;
		assert_ok(tarn_tensor_copy(&want[i], &cut));
		padded_corner(&r->out[i], &cut);
		assert_true(relative_error(&cut, &want[i]) <= 1e-5);
		tarn_tensor_fini(&cut);
	}
	/* height and width of the convolution, and pixels */
	assert_int_equal(r->n_out, 6);
	assert_int_equal(tarn_tensor_i64(&r->out[3], 0), want[0].dim[2]);
	assert_int_equal(tarn_tensor_i64(&r->out[4], 0), want[0].dim[3]);
	assert_int_equal(tarn_tensor_i64(&r->out[5], 0), want[2].dim[1]);
	assert_int_equal(r->out[0].dim[2], HEIGHT / 2);
	for (int i = 0; i < 3; i++)
		tarn_tensor_fini(&want[i]);
	tarn_tensor_fini(&in);
	tarn_tensor_fini(&wide);
}

static void equal_at_some(const tarn_model *m)
{
	tarn_program *p;
	tarn_request *r = request_of(m, &p);
	for (int i = 0; i < 12; i++)
		equal_at(r, i ? between(1, HEIGHT) : HEIGHT, i ? between(1, WIDTH) : WIDTH);
	tarn_request_free(r);
	tarn_program_unref(p);
}

static void results_are_those_without_padding(void **state)
{
	(void)state;
	assert_true(tarn_model_origin_holds(bounded));
	equal_at_some(bounded);
}

/* The origin computes as many layers as the model had; the bounded graph has its repairs besides. */
static void repairs_do_not_run(void **state)
{
	(void)state;
	tarn_program *p;
	tarn_props props = {0};
	assert_ok(tarn_props_set(&props, "PERF_COUNT", "YES"));
	tarn_request *r;
	assert_ok(tarn_program_compile(&cpu, bounded, &props, &p));
	assert_ok(tarn_request_new(p, &r));
	equal_at(r, 5, 6);
	assert_true(r->layer.len > 0);
	for (size_t i = 0; i < r->layer.len; i++)
		assert_true(strcmp(r->layer.at[i].type, "Where") && strcmp(r->layer.at[i].type, "Gather"));
	tarn_request_free(r);
	tarn_program_unref(p);
	tarn_props_fini(&props);
}

/* A copy says the same; a changed model is computed as it stands, with its repairs. */
static void changed_models_run_as_they_are(void **state)
{
	(void)state;
	tarn_model *copy;
	assert_ok(tarn_model_clone(bounded, &copy));
	assert_true(tarn_model_origin_holds(copy));
	for (size_t i = 0; i < copy->main->node.len; i++) {
		tarn_node *n = copy->main->node.at[i];
		if (!strcmp(n->op->name, "Conv"))
			n->name = "renamed";
		else if (!strcmp(n->op->name, "Relu"))
			assert_ok(tarn_value_rename(copy->main, n->in[0], "before"));
	}
	assert_false(tarn_model_origin_holds(copy));
	equal_at_some(copy);
	tarn_model_unref(copy);
}

static void lengths_beyond_the_bound_are_errors(void **state)
{
	(void)state;
	tarn_program *p;
	tarn_request *r = request_of(bounded, &p);
	equal_at(r, 3, 3);
	set_lengths(r, HEIGHT + 1, 3);
	assert_err(TARN_SHAPE, tarn_request_infer(r));
	assert_non_null(strstr(tarn_err_text(), "says 13"));
	assert_non_null(strstr(tarn_err_text(), "room for 12"));
	tarn_request_free(r);
	tarn_program_unref(p);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(results_are_those_without_padding),
		T(repairs_do_not_run),
		T(changed_models_run_as_they_are),
		T(lengths_beyond_the_bound_are_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
