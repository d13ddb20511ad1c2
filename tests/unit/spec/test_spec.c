/* SPDX-License-Identifier: Apache-2.0 */
/* What kernels are told, against sizes worked out by hand. */
#include "devices/fixture.h"

#include "ops/window.h"
#include "spec/spec.h"

static int setup(void **state)
{
	(void)state;
	return fixture_start(3);
}

static void assert_shape(const tarn_conv_shape *h, const tarn_conv_shape *want)
{
	assert_true(h->n == want->n && h->ih == want->ih && h->iw == want->iw && h->oh == want->oh && h->ow == want->ow);
	assert_true(h->pad_top == want->pad_top && h->pad_left == want->pad_left);
	assert_true(h->in_stride == 0 && h->out_stride == 0 && h->residual_stride == 0);
}

static void two_axes(void **state)
{
	(void)state;
	tarn_value *w = weights(g, dims(4, 12, 3, 3, 5)), *y = node(g, "Conv", input(g, dims(4, 2, 6, 20, 31)), w, NULL);
	set_int(y, "group", 2);
	set_ints(g, y, "strides", 2, 2, 3);
	set_ints(g, y, "dilations", 2, 2, 1);
	set_ints(g, y, "pads", 4, 1, 2, 0, 3);
	assert_ok(tarn_graph_infer(g));
	const tarn_node *n = y->def;
	tarn_conv_spec s;
	tarn_conv_shape h;
	assert_ok(tarn_spec_conv(n, w->konst->dim, 4, &s));
	assert_ok(tarn_spec_conv_shape(n, w->konst->dim, &n->in[0]->shape, &y->shape, &h));
	const tarn_conv_spec spec = {6, 12, 2, 3, 5, 2, 3, 2, 1};
	assert_memory_equal(&s, &spec, sizeof s);
	/* rows: (20 + 1 - 5) / 2 + 1; columns: (31 + 5 - 5) / 3 + 1 */
	const tarn_conv_shape shape = {2, 20, 31, 9, 11, 1, 2, 0, 0, 0};
	assert_shape(&h, &shape);
}

/* SAME_LOWER puts the odd element in front. */
static void one_axis(void **state)
{
	(void)state;
	tarn_value *w = weights(g, dims(3, 8, 5, 4)), *y = node(g, "Conv", input(g, dims(3, 1, 5, 10)), w, NULL);
	set_int(y, "auto_pad", TARN_PAD_SAME_LOWER);
	assert_ok(tarn_graph_infer(g));
	const tarn_node *n = y->def;
	tarn_conv_spec s;
	tarn_conv_shape h;
	assert_ok(tarn_spec_conv(n, w->konst->dim, 3, &s));
	assert_ok(tarn_spec_conv_shape(n, w->konst->dim, &n->in[0]->shape, &y->shape, &h));
	const tarn_conv_spec spec = {5, 8, 1, 1, 4, 1, 1, 1, 1};
	const tarn_conv_shape shape = {1, 1, 10, 1, 10, 0, 2, 0, 0, 0};
	assert_memory_equal(&s, &spec, sizeof s);
	assert_shape(&h, &shape);
}

/* Weights stand the other way round: [ic][oc / groups]. */
static void transposed(void **state)
{
	(void)state;
	tarn_value *w = weights(g, dims(4, 6, 4, 2, 3)), *y = node(g, "ConvTranspose", input(g, dims(4, 1, 6, 5, 7)), w, NULL);
	set_int(y, "group", 3);
	set_ints(g, y, "strides", 2, 2, 1);
	assert_ok(tarn_graph_infer(g));
	tarn_conv_spec s;
	assert_ok(tarn_spec_conv(y->def, w->konst->dim, 4, &s));
	const tarn_conv_spec spec = {6, 12, 3, 2, 3, 2, 1, 1, 1};
	assert_memory_equal(&s, &spec, sizeof s);
}

static void pools(void **state)
{
	(void)state;
	tarn_value *x = input(g, dims(4, 2, 3, 9, 8)), *y = node(g, "AveragePool", x, NULL, NULL);
	set_ints(g, y, "kernel_shape", 2, 3, 2);
	set_ints(g, y, "strides", 2, 2, 1);
	set_ints(g, y, "pads", 4, 1, 0, 1, 1);
	set_int(y, "count_include_pad", 1);
	tarn_value *z = node(g, "GlobalMaxPool", x, NULL, NULL);
	assert_ok(tarn_graph_infer(g));
	tarn_pool2d p;
	assert_ok(tarn_spec_pool(y->def, &x->shape, &y->shape, &p));
	assert_true(p.average && p.count_include_pad && p.n == 2 && p.c == 3 && p.ih == 9 && p.iw == 8);
	assert_true(p.oh == 5 && p.ow == 8 && p.kh == 3 && p.kw == 2 && p.stride_h == 2 && p.stride_w == 1);
	assert_true(p.pad_top == 1 && p.pad_left == 0 && p.pad_bottom == 1 && p.pad_right == 1);
	assert_ok(tarn_spec_pool(z->def, &x->shape, &z->shape, &p));
	assert_true(!p.average && p.kh == 9 && p.kw == 8 && p.oh == 1 && p.ow == 1 && p.pad_bottom == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_axes, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(one_axis, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(transposed, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(pools, setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
