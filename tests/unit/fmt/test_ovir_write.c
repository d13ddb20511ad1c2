/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs built here, written as IR, read back: the same numbers, and for quantized graphs the same scales and zero points. */
#include "unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fmt/ovir/ovir.h"
#include "ops/ops.h"
#include "pass/pass.h"

static tarn_model *through(const tarn_model *m)
{
	tarn_str xml = {0}, bin = {0};
	tarn_buffer *x, *b;
	tarn_model *back;
	assert_ok(tarn_ovir_write_memory(m, &xml, &bin));
	assert_ok(tarn_buffer_new(xml.len, &x));
	assert_ok(tarn_buffer_new(bin.len, &b));
	memcpy(x->at, xml.at, xml.len);
	if (bin.len)
		memcpy(b->at, bin.at, bin.len);
	assert_ok(tarn_ovir_read_memory(x, b, &back));
	tarn_buffer_unref(x);
	tarn_buffer_unref(b);
	tarn_str_fini(&xml);
	tarn_str_fini(&bin);
	return back;
}

static void output(tarn_graph *g, tarn_value *v)
{
	assert_ok(VEC_GROW(&g->output));
	g->output.at[g->output.len++] = v;
	assert_ok(tarn_graph_infer(g));
}

static tarn_node *node(tarn_graph *g, const char *op, const char *name, tarn_value *a, tarn_value *b, tarn_value *c)
{
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, op), name, c ? 3 : b ? 2 : 1, 1, -1, &n));
	n->in[0] = a;
	if (b)
		n->in[1] = b;
	if (c)
		n->in[2] = c;
	return n;
}

static tarn_value *konst(tarn_graph *g, const char *name, tarn_dtype type, int rank, const int64_t *dim, const void *data)
{
	tarn_value *v;
	tarn_tensor t = {.type = type, .rank = rank, .data = (void *)(uintptr_t)data};
	if (rank)
		memcpy(t.dim, dim, (size_t)rank * sizeof *dim);
	assert_ok(tarn_value_const(g, name, &t, &v));
	return v;
}

static const tarn_node *find(const tarn_model *m, const char *op, int which)
{
	for (size_t i = 0; i < m->main->node.len; i++)
		if (!strcmp(m->main->node.at[i]->op->name, op) && !which--)
			return m->main->node.at[i];
	fail_msg("no %s", op);
	return NULL;
}

static void same_bytes(const tarn_value *v, const void *want, size_t n)
{
	assert_non_null(v->konst);
	assert_int_equal(tarn_tensor_bytes(v->konst), n);
	assert_memory_equal(v->konst->data, want, n);
}

/* Scales that no arithmetic on rounded limits would give back, odd zero point, weights by channel. */
static void quantized(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	const float sx = 0.0123456789f, sw[2] = {0.7071067f, 1.234567e-3f}, sb[2] = {sx * sw[0], sx * sw[1]};
	const uint8_t zx = 37;
	const int8_t w[2 * 3] = {1, -2, 3, -127, 127, 5}, zw[2] = {0, 0};
	const int32_t b[2] = {100, -70000};
	tarn_shape shape = {.rank = 4, .dim = {1, 3, 2, 2}};
	tarn_value *x;
	assert_ok(tarn_value_input(g, "x", TARN_F32, &shape, &x));
	tarn_value *s = konst(g, "sx", TARN_F32, 0, NULL, &sx), *z = konst(g, "zx", TARN_U8, 0, NULL, &zx);
	tarn_value *q = node(g, "QuantizeLinear", "q", x, s, z)->out[0];
	tarn_value *d = node(g, "DequantizeLinear", "d", q, s, z)->out[0];
	tarn_node *dw = node(g, "DequantizeLinear", "dw", konst(g, "w", TARN_I8, 4, (int64_t[]){2, 3, 1, 1}, w),
			     konst(g, "sw", TARN_F32, 1, (int64_t[]){2}, sw), konst(g, "zw", TARN_I8, 1, (int64_t[]){2}, zw));
	tarn_node *db = node(g, "DequantizeLinear", "db", konst(g, "b", TARN_I32, 1, (int64_t[]){2}, b),
			     konst(g, "sb", TARN_F32, 1, (int64_t[]){2}, sb), NULL);
	assert_ok(tarn_attr_set_i(dw, tarn_attr_index(dw->op, "axis"), 0));
	assert_ok(tarn_attr_set_i(db, tarn_attr_index(db->op, "axis"), 0));
	output(g, node(g, "Conv", "conv", d, dw->out[0], db->out[0])->out[0]);

	tarn_model *back = through(m);
	assert_ok(tarn_pass_raise(back));
	const tarn_node *nq = find(back, "QuantizeLinear", 0), *conv = find(back, "Conv", 0);
	same_bytes(nq->in[1], &sx, 4);
	same_bytes(nq->in[2], &zx, 1);
	assert_int_equal(nq->out[0]->type, TARN_U8);
	assert_string_equal(conv->in[0]->def->op->name, "DequantizeLinear");
	same_bytes(conv->in[0]->def->in[1], &sx, 4);
	same_bytes(conv->in[0]->def->in[2], &zx, 1);
	same_bytes(conv->in[1]->def->in[0], w, sizeof w);
	same_bytes(conv->in[1]->def->in[1], sw, sizeof sw);
	assert_int_equal(conv->n_in, 3);
	same_bytes(conv->in[2]->def->in[0], b, sizeof b);
	same_bytes(conv->in[2]->def->in[1], sb, sizeof sb);

	float data[12];
	for (int i = 0; i < 12; i++)
		data[i] = (float)(i - 6) * 0.31f * sx * 50;
	tarn_tensor in = {.type = TARN_F32, .rank = 4, .dim = {1, 3, 2, 2}, .data = data}, want = {0}, got = {0};
	const tarn_tensor *ptr = &in;
	assert_ok(tarn_graph_eval(g, &ptr, &want, NULL, NULL));
	assert_ok(tarn_graph_eval(back->main, &ptr, &got, NULL, NULL));
	assert_int_equal(tarn_tensor_bytes(&got), tarn_tensor_bytes(&want));
	assert_memory_equal(got.data, want.data, tarn_tensor_bytes(&want));
	tarn_tensor_fini(&want);
	tarn_tensor_fini(&got);
	tarn_model_unref(back);
	tarn_model_unref(m);
}

static void names_and_free_sizes(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_shape shape = {.rank = 2, .dim = {0, 3}};
	tarn_value *x;
	assert_ok(tarn_symtab_named(&m->syms, "batch", &shape.dim[0]));
	assert_ok(tarn_value_input(g, "x, <\"&>", TARN_F32, &shape, &x));
	output(g, node(g, "Relu", "r", x, NULL, NULL)->out[0]);
	assert_ok(tarn_value_rename(g, g->output.at[0], "result"));
	tarn_model *back = through(m);
	assert_string_equal(back->main->input.at[0]->name, "x, <\"&>");
	assert_string_equal(back->main->output.at[0]->name, "result");
	assert_true(back->main->input.at[0]->shape.dim[0] < 0);
	assert_int_equal(back->main->input.at[0]->shape.dim[1], 3);
	tarn_model_unref(back);
	tarn_model_unref(m);
}

static tarn_value *random_const(tarn_graph *g, tarn_dtype type, int rank, const int64_t *dim)
{
	float f[256];
	int64_t n = 1;
	for (int i = 0; i < rank; i++)
		n *= dim[i];
	for (int64_t i = 0; i < n; i++)
		f[i] = (float)(i * 37 % 101) / 50 - 1;
	return konst(g, NULL, type, rank, dim, f);
}

static tarn_value *whole_number(tarn_graph *g, int64_t v)
{
	return konst(g, NULL, TARN_I64, 1, (const int64_t[]){1}, &v);
}

static void set(tarn_node *n, const char *name, int64_t v)
{
	assert_ok(tarn_attr_set_i(n, tarn_attr_index(n->op, name), v));
}

/* m and what comes back give equal numbers for one f32 [2,3,4]. */
static void same_results(tarn_model *m)
{
	tarn_model *back = through(m);
	float data[24];
	for (int i = 0; i < 24; i++)
		data[i] = (float)(i * 29 % 53) / 20 - 1;
	tarn_tensor x = {.type = TARN_F32, .rank = 3, .dim = {2, 3, 4}, .data = data}, a[8] = {0}, b[8] = {0};
	const tarn_tensor *in[] = {&x};
	assert_int_equal(m->main->output.len, back->main->output.len);
	assert_ok(tarn_graph_eval(m->main, in, a, NULL, NULL));
	assert_ok(tarn_graph_eval(back->main, in, b, NULL, NULL));
	for (size_t i = 0; i < m->main->output.len; i++) {
		assert_int_equal(a[i].type, b[i].type);
		assert_int_equal(a[i].rank, b[i].rank);
		assert_int_equal(tarn_tensor_count(&a[i]), tarn_tensor_count(&b[i]));
		for (int64_t k = 0; k < tarn_tensor_count(&a[i]); k++)
			assert_true(fabs(tarn_tensor_f64(&a[i], k) - tarn_tensor_f64(&b[i], k)) <= 1e-5);
		tarn_tensor_fini(&a[i]);
		tarn_tensor_fini(&b[i]);
	}
	tarn_model_unref(back);
}

static tarn_model *with_input(tarn_value **x)
{
	tarn_model *m;
	tarn_shape shape = {.rank = 3, .dim = {2, 3, 4}};
	assert_ok(tarn_model_new(&m));
	assert_ok(tarn_value_input(m->main, "x", TARN_F32, &shape, x));
	return m;
}

static void orders_and_sums(void **state)
{
	(void)state;
	tarn_value *x;
	tarn_model *m = with_input(&x);
	tarn_graph *g = m->main;
	tarn_node *n;
	assert_ok(tarn_node_new(g, tarn_op_find(NULL, "TopK"), "top", 2, 2, -1, &n));
	n->in[0] = x;
	n->in[1] = whole_number(g, 2);
	set(n, "axis", 1);
	set(n, "largest", 0);
	output(g, n->out[0]);
	output(g, n->out[1]);
	n = node(g, "ArgMax", "most", x, NULL, NULL);
	set(n, "axis", -1);
	set(n, "keepdims", 0);
	output(g, n->out[0]);
	tarn_value *index = n->out[0];
	n = node(g, "ArgMin", "least", x, NULL, NULL);
	set(n, "axis", 1);
	output(g, n->out[0]);
	n = node(g, "CumSum", "sums", x, whole_number(g, 2), NULL);
	set(n, "reverse", 1);
	output(g, n->out[0]);
	const float values[] = {-1, 3};
	n = node(g, "OneHot", "hot", index, whole_number(g, 4), konst(g, NULL, TARN_F32, 1, (const int64_t[]){2}, values));
	set(n, "axis", 1);
	output(g, n->out[0]);
	n = node(g, "ReduceLogSumExp", "soft", x, NULL, NULL);
	assert_ok(tarn_attr_set_ints(g, n, tarn_attr_index(n->op, "axes"), (const int64_t[]){0, 2}, 2));
	set(n, "keepdims", 0);
	output(g, n->out[0]);
	n = node(g, "Einsum", "sum", x, x, NULL);
	assert_ok(tarn_attr_set_str(g, n, 0, "bij,bkj->bik"));
	output(g, n->out[0]);
	same_results(m);
	tarn_model_unref(m);
}

/* GRU, with the reset gate before and behind the product, and RNN, both ways. */
static void recurrences(void **state)
{
	(void)state;
	static const char *const ops[] = {"GRU", "GRU", "RNN"};
	for (int i = 0; i < 3; i++) {
		tarn_value *x;
		tarn_model *m = with_input(&x);
		tarn_graph *g = m->main;
		tarn_node *n;
		int64_t gates = i < 2 ? 3 : 1, h = 2;
		assert_ok(tarn_node_new(g, tarn_op_find(NULL, ops[i]), "r", 4, 2, -1, &n));
		n->in[0] = x;
		n->in[1] = random_const(g, TARN_F32, 3, (const int64_t[]){2, gates * h, 4});
		n->in[2] = random_const(g, TARN_F32, 3, (const int64_t[]){2, gates * h, h});
		n->in[3] = random_const(g, TARN_F32, 2, (const int64_t[]){2, 2 * gates * h});
		set(n, "direction", 2);
		if (i < 2)
			set(n, "linear_before_reset", i);
		else
			assert_ok(tarn_attr_set_str(g, n, tarn_attr_index(n->op, "activations"), "Relu,Relu"));
		output(g, n->out[0]);
		output(g, n->out[1]);
		same_results(m);
		tarn_model_unref(m);
	}
}

static void metadata_no_reader_takes_is_left_out(void **state)
{
	(void)state;
	tarn_value *x;
	tarn_model *m = with_input(&x);
	size_t size = (size_t)2 << 20;
	char *text = malloc(size + 1);
	assert_non_null(text);
	memset(text, 'a', size);
	text[size] = 0;
	output(m->main, node(m->main, "Relu", "r", x, NULL, NULL)->out[0]);
	assert_ok(tarn_model_meta_put(m, "tarn.short", "as it is"));
	assert_ok(tarn_model_meta_put(m, "tarn.long", text));
	tarn_model *back = through(m);
	assert_int_equal(back->meta.len, 1);
	assert_string_equal(back->meta.at[0].value, "as it is");
	tarn_model_unref(back);
	tarn_model_unref(m);
	free(text);
}

static void without_form(void **state)
{
	(void)state;
	tarn_model *m;
	assert_ok(tarn_model_new(&m));
	tarn_graph *g = m->main;
	tarn_shape shape = {.rank = 2, .dim = {2, 3}};
	tarn_value *x;
	assert_ok(tarn_value_input(g, "x", TARN_F32, &shape, &x));
	output(g, node(g, "Hardmax", "odd one", x, NULL, NULL)->out[0]);
	tarn_str xml = {0}, bin = {0};
	assert_err(TARN_UNSUPPORTED, tarn_ovir_write_memory(m, &xml, &bin));
	assert_non_null(strstr(tarn_err_text(), "'odd one' (Hardmax)"));
	tarn_str_fini(&xml);
	tarn_str_fini(&bin);
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantized),
		cmocka_unit_test(names_and_free_sizes),
		cmocka_unit_test(orders_and_sums),
		cmocka_unit_test(recurrences),
		cmocka_unit_test(metadata_no_reader_takes_is_left_out),
		cmocka_unit_test(without_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
