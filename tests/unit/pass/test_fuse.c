/* SPDX-License-Identifier: Apache-2.0 */
/* Each pattern of fuse.def: one node afterwards, the same numbers; and what must stay as it is. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/verify.h"
#include "ops/ops.h"
#include "pass/pass.h"

enum { ROWS = 5, COLS = 7 };

static tarn_model *m;
static tarn_graph *g;
static tarn_value *x;

static void ok(tarn_err err, int line)
{
	if (err != TARN_OK)
		fail_msg("line %d: %s", line, tarn_err_text());
}
#define OK(expr) ok((expr), __LINE__)

static void begin(void)
{
	OK(tarn_model_new(&m));
	g = m->main;
	tarn_shape s = tarn_shape_of(2, (const int64_t[]){ROWS, COLS});
	OK(tarn_value_input(g, "x", TARN_F32, &s, &x));
}

static tarn_value *row(float from, float step)
{
	float at[COLS];
	tarn_value *v;
	for (int i = 0; i < COLS; i++)
		at[i] = from + step * (float)i;
	OK(tarn_value_const_f32(g, "row", at, COLS, &v));
	return v;
}

/* Builds the graph an expression says, in the operators' words: x, a number, G (scale of each column), B (shift), or
 * (Op a b). ReduceMean is over axis `over`. A named value is made once: [a (Op ...)] then a. */
static int over;
static tarn_value *named[26];

static tarn_value *build(const char **p)
{
	while (**p == ' ')
		++*p;
	char c = **p;
	if (c == '(') {
		char word[32] = {0};
		tarn_value *in[4];
		tarn_node *n;
		int n_in = 0;
		assert_int_equal(sscanf(*p + 1, "%31[A-Za-z]", word), 1);
		*p += 1 + strlen(word);
		while (**p != ')') {
			in[n_in++] = build(p);
			*p += strspn(*p, " ");
		}
		++*p;
		assert_non_null(tarn_op_find("", word));
		OK(tarn_node_new(g, tarn_op_find("", word), word, n_in, 1, -1, &n));
		memcpy(n->in, in, (size_t)n_in * sizeof *in);
		if (!strcmp(word, "ReduceMean"))
			OK(tarn_attr_set_ints(g, n, tarn_attr_index(n->op, "axes"), (const int64_t[]){over}, 1));
		return n->out[0];
	}
	if (c == '[') {
		int name = (*p)[1] - 'a';
		*p += 2;
		named[name] = build(p);
		*p += strspn(*p, " ") + 1;
		return named[name];
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		char *rest;
		float value = strtof(*p, &rest);
		tarn_value *v;
		*p = rest;
		OK(tarn_value_const_f32(g, "k", &value, -1, &v));
		return v;
	}
	++*p;
	return c == 'x' ? x : c == 'G' ? row(0.5f, 0.25f) : c == 'B' ? row(-1, 0.5f) : named[c - 'a'];
}

static void add_output(tarn_value *v)
{
	OK(VEC_GROW(&g->output));
	g->output.at[g->output.len++] = v;
}

static void build_output(const char *text)
{
	tarn_value *y = build(&text);
	OK(tarn_value_rename(g, y, "y"));
	add_output(y);
}

static void eval(float *y, int n)
{
	float at[ROWS * COLS];
	for (int i = 0; i < ROWS * COLS; i++)
		at[i] = 4 * sinf((float)i * 1.7f) + 0.1f * (float)(i % COLS);
	tarn_tensor in = {.type = TARN_F32, .rank = 2, .dim = {ROWS, COLS}, .data = at}, out[2] = {0};
	const tarn_tensor *p = &in;
	OK(tarn_graph_verify(g));
	OK(tarn_graph_eval(g, &p, out, NULL, NULL));
	assert_int_equal(tarn_tensor_count(&out[0]), n);
	memcpy(y, out[0].data, (size_t)n * sizeof *y);
	tarn_tensor_fini(&out[0]);
	tarn_tensor_fini(&out[1]);
}

/* Standard passes, then fusing: how many nodes are left; results to 1e-6 of the largest. */
static size_t fused(const char *text)
{
	float want[ROWS * COLS], got[ROWS * COLS], most = 0;
	build_output(text);
	OK(tarn_graph_infer(g));
	eval(want, ROWS * COLS);
	OK(tarn_pass_standard(m));
	OK(tarn_pass_fuse(m));
	eval(got, ROWS * COLS);
	assert_string_equal(g->output.at[0]->name, "y");
	for (int i = 0; i < ROWS * COLS; i++)
		most = fmaxf(most, fabsf(want[i]));
	for (int i = 0; i < ROWS * COLS; i++)
		if (!(fabsf(got[i] - want[i]) <= 1e-6f * most))
			fail_msg("'%s': element %d is %.9g, was %.9g", text, i, (double)got[i], (double)want[i]);
	return g->node.len;
}

static void becomes(const char *op, const char *text)
{
	begin();
	size_t n = fused(text);
	if (n != 1 || strcmp(g->node.at[0]->op->name, op))
		fail_msg("'%s' is %zu nodes, the last one %s; expected one %s", text, n, g->node.at[n - 1]->op->name, op);
	tarn_model_unref(m);
}

static void stays(const char *op, const char *text)
{
	begin();
	fused(text);
	for (size_t i = 0; i < g->node.len; i++)
		if (!strcmp(g->node.at[i]->op->name, op))
			fail_msg("'%s' became %s", text, op);
	tarn_model_unref(m);
}

static void swish(void **state)
{
	(void)state;
	becomes("Swish", "(Mul x (Sigmoid x))");
	becomes("Swish", "(Mul (Sigmoid x) x)");
	becomes("Swish", "(Mul x (Sigmoid (Mul 1.702 x)))");
	stays("Swish", "(Mul x (Sigmoid (Neg x)))");
	stays("Swish", "(Add x (Sigmoid x))");
	stays("Swish", "(Add (Mul x [s (Sigmoid x)]) s)"); /* the sigmoid itself is needed */
}

static void gelu(void **state)
{
	(void)state;
	becomes("Gelu", "(Mul (Mul x (Add (Erf (Div x 1.4142135623730951)) 1)) 0.5)");
	becomes("Gelu", "(Mul 0.5 (Mul (Add 1 (Erf (Mul 0.7071067811865475 x))) x))");
	becomes("Gelu", "(Mul (Mul x 0.5) (Add (Erf (Div x 1.4142135623730951)) 1))");
	becomes("Gelu", "(Mul x (Mul 0.5 (Add (Erf (Div x 1.4142135623730951)) 1)))");
	becomes("Gelu", "(Div (Mul x (Add (Erf (Div x 1.4142135623730951)) 1)) 2)");
	stays("Gelu", "(Mul (Mul x (Add (Erf (Div x 1.41)) 1)) 0.5)");
	stays("Gelu", "(Mul (Mul x (Add (Erf (Div x 1.4142135623730951)) 1)) 0.25)");
	stays("Gelu", "(Mul (Mul x (Add (Erf (Mul x 1.4142135623730951)) 1)) 0.5)");
	stays("Gelu", "(Mul (Mul x 0.5) (Add (Erf (Div (Relu x) 1.4142135623730951)) 1))");
}

static void gelu_by_tanh(void **state)
{
	(void)state;
	becomes("Gelu", "(Mul (Mul 0.5 x) (Add 1 (Tanh (Mul 0.7978845608028654 (Add x (Mul 0.044715 (Pow x 3)))))))");
	becomes("Gelu", "(Mul 0.5 (Mul x (Add (Tanh (Mul (Add x (Mul (Mul (Mul x x) x) 0.044715)) 0.7978845608028654)) 1)))");
	becomes("Gelu", "(Mul x (Mul 0.5 (Add 1 (Tanh (Mul (Mul x 0.7978845608028654) (Add 1 (Mul (Mul 0.044715 x) x)))))))");
	becomes("Gelu", "(Mul x (Mul 0.5 (Add 1 (Tanh (Mul 0.7978845608028654 (Add x (Mul x (Mul x (Mul 0.044715 x)))))))))");
	stays("Gelu", "(Mul x (Mul 0.5 (Add 1 (Tanh (Mul 0.7978845608028654 (Add x (Mul x (Mul 0.044715 x))))))))");
	stays("Gelu", "(Mul (Mul 0.5 x) (Add 1 (Tanh (Mul 0.7978845608028654 (Add x (Mul 0.044715 (Pow x 2)))))))");
	stays("Gelu", "(Mul (Mul 0.5 x) (Add 1 (Tanh (Mul 0.7978845608028654 (Add x (Mul 0.0447 (Pow x 3)))))))");
}

static void hard_swish(void **state)
{
	(void)state;
	becomes("HardSwish", "(Div (Mul x (Clip (Add x 3) 0 6)) 6)");
	becomes("HardSwish", "(Mul x (Div (Clip (Add 3 x) 0 6) 6))");
	becomes("HardSwish", "(Mul x (Mul (Clip (Add x 3) 0 6) 0.16666666666))");
	becomes("HardSigmoid", "(Div (Clip (Add x 3) 0 6) 6)");
	stays("HardSwish", "(Div (Mul x (Clip (Add x 2) 0 6)) 6)");
	stays("HardSwish", "(Div (Mul x (Clip (Add x 3) 0 5)) 6)");
	stays("HardSwish", "(Mul x (HardSigmoid x))"); /* with alpha 0.2 */
}

static void layer_norm(void **state)
{
	(void)state;
	over = -1;
	becomes("LayerNormalization",
		"(Add (Mul (Div [d (Sub x (ReduceMean x))] (Sqrt (Add (ReduceMean (Pow d 2)) 1e-5))) G) B)");
	over = 1;
	becomes("LayerNormalization",
		"(Add B (Mul G (Div (Sub x [u (ReduceMean x)]) (Sqrt (Add (ReduceMean (Mul [d (Sub x u)] d)) 1e-3)))))");
	becomes("LayerNormalization",
		"(Mul (Mul [d (Sub x (ReduceMean x))] (Reciprocal (Sqrt (Add 1e-5 (ReduceMean (Pow d 2)))))) G)");
	becomes("LayerNormalization", "(Div [d (Sub x (ReduceMean x))] (Sqrt (Add 1e-5 (ReduceMean (Pow d 2)))))");
	becomes("LayerNormalization", "(Add (Mul x [k (Mul (Reciprocal (Sqrt (Add (ReduceMean (SquaredDifference x [u "
				      "(ReduceMean x)])) 0.001))) G)]) "
				      "(Sub B (Mul u k)))");
	stays("LayerNormalization", "(Div [d (Sub x (ReduceMean x))] (Sqrt (Add 1e-5 (ReduceMean (Pow d 4)))))");
	stays("LayerNormalization", "(Div [d (Sub x (ReduceMean x))] (Add 1e-5 (Sqrt (ReduceMean (Pow d 2)))))");
	stays("LayerNormalization", "(Add (Div [d (Sub x (ReduceMean x))] (Sqrt (Add 1e-5 (ReduceMean (Pow d 2))))) d)");
	over = 0;
	stays("LayerNormalization", "(Div [d (Sub x (ReduceMean x))] (Sqrt (Add 1e-5 (ReduceMean (Pow d 2)))))");
}

/* An intermediate value that is an output of the graph stays one. */
static void outputs_are_kept(void **state)
{
	(void)state;
	begin();
	build_output("(Mul x [s (Sigmoid x)])");
	add_output(named['s' - 'a']);
	OK(tarn_graph_infer(g));
	OK(tarn_pass_standard(m));
	OK(tarn_pass_fuse(m));
	assert_int_equal(g->node.len, 2);
	tarn_model_unref(m);
}

/* The last node keeps its name. */
static void names_are_kept(void **state)
{
	(void)state;
	begin();
	build_output("(Neg (Mul x (Sigmoid x)))");
	OK(tarn_graph_infer(g));
	OK(tarn_pass_fuse(m));
	assert_int_equal(g->node.len, 2);
	assert_string_equal(g->node.at[0]->op->name, "Swish");
	assert_string_equal(g->node.at[0]->name, "Mul");
	tarn_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(swish),          cmocka_unit_test(gelu),       cmocka_unit_test(gelu_by_tanh),
		cmocka_unit_test(hard_swish),     cmocka_unit_test(layer_norm), cmocka_unit_test(outputs_are_kept),
		cmocka_unit_test(names_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
