/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise functions in whatever form their inputs are in, quantizers, and PPE activations. */
#include <math.h>
#include <string.h>

#include "driver/exec/exec.h"
#include "ir/op.h"
#include "kern/eltwise.h"

typedef struct unary_row {
	const char *op;
	tarn_unary fn;
	const char *alpha, *beta; /* attributes; NULL: 0 */
} unary_row;

static const unary_row unary[] = {
	{"Relu", TARN_UNARY_RELU, NULL, NULL},
	{"LeakyRelu", TARN_UNARY_LEAKY, "alpha", NULL},
	{"Sigmoid", TARN_UNARY_SIGMOID, NULL, NULL},
	{"Tanh", TARN_UNARY_TANH, NULL, NULL},
	{"HardSwish", TARN_UNARY_HARDSWISH, NULL, NULL},
	{"HardSigmoid", TARN_UNARY_HARDSIGMOID, "alpha", "beta"},
	{"Elu", TARN_UNARY_ELU, "alpha", NULL},
	{"Exp", TARN_UNARY_EXP, NULL, NULL},
	{"Sqrt", TARN_UNARY_SQRT, NULL, NULL},
	{"Abs", TARN_UNARY_ABS, NULL, NULL},
	{"Neg", TARN_UNARY_NEG, NULL, NULL},
	{"Swish", TARN_UNARY_SILU, "beta", NULL},
	{"Mish", TARN_UNARY_MISH, NULL, NULL},
};

static bool unary_of(const tarn_node *n, tarn_epilogue *e)
{
	if (tarn_npu_is(n, "Clip")) {
		for (int i = 1; i < n->n_in; i++)
			if (n->in[i] && !n->in[i]->konst)
				return false;
		*e = (tarn_epilogue){.act = TARN_UNARY_CLAMP};
		tarn_npu_clip_bounds(n, &e->alpha, &e->beta);
		return true;
	}
	if (tarn_npu_is(n, "Gelu")) {
		bool tanh = tarn_attr_word_is(n, tarn_attr_index(n->op, "approximate"), "tanh");
		*e = (tarn_epilogue){.act = tanh ? TARN_UNARY_GELU_TANH : TARN_UNARY_GELU};
		return true;
	}
	for (size_t i = 0; i < sizeof unary / sizeof *unary; i++)
		if (tarn_npu_is(n, unary[i].op)) {
			const unary_row *u = &unary[i];
			*e = (tarn_epilogue){.act = u->fn};
			if (u->alpha)
				e->alpha = (float)tarn_attr_f(n, tarn_attr_index(n->op, u->alpha));
			if (u->beta)
				e->beta = (float)tarn_attr_f(n, tarn_attr_index(n->op, u->beta));
			return true;
		}
	return false;
}

tarn_epilogue tarn_npu_epilogue(const tarn_node *act)
{
	tarn_epilogue e = {0};
	if (act)
		(void)unary_of(act, &e);
	return e;
}

static const struct binary_row {
	const char *op;
	tarn_binary fn;
} binary[] = {
	{"Add", TARN_BINARY_ADD}, {"Sub", TARN_BINARY_SUB}, {"Mul", TARN_BINARY_MUL},
	{"Div", TARN_BINARY_DIV}, {"Max", TARN_BINARY_MAX}, {"Min", TARN_BINARY_MIN},
};

typedef struct job {
	tarn_epilogue e;
	tarn_binary op;
	const float *a, *b;
	float *y;
	int64_t inner; /* b is repeated for so many elements (plain), or is a row of so many (channels-last) */
	int64_t channels;
	bool reversed;
} job;

static void unary_work(void *arg, int64_t begin, int64_t end)
{
	const job *j = arg;
	tarn_unary_f32(j->e.act, j->e.alpha, j->e.beta, j->a + begin, j->y + begin, (size_t)(end - begin));
}

static void binary_work(void *arg, int64_t begin, int64_t end)
{
	const job *j = arg;
	tarn_binary_f32(j->op, j->a + begin, j->b + begin, j->y + begin, (size_t)(end - begin));
}

static void row_work(void *arg, int64_t begin, int64_t end)
{
	const job *j = arg;
	int64_t n = j->inner;
	tarn_binary_row_f32(j->op, j->a + begin * n, j->b, j->reversed, j->y + begin * n, (size_t)(end - begin), (size_t)n);
}

static void scalar_work(void *arg, int64_t begin, int64_t end)
{
	const job *j = arg;
	tarn_binary_scalar_f32(j->op, j->a + begin, j->b[0], j->reversed, j->y + begin, (size_t)(end - begin));
}

static int64_t count_out(const npu_run *r, const npu_step *s)
{
	return tarn_npu_count(r->exec->slot.at[s->out[0]].v);
}

static tarn_err run_unary(const npu_run *r, npu_step *s)
{
	job j = {.a = npu_ptr(r, s->in[0]), .y = npu_ptr(r, s->out[0])};
	if (!unary_of(s->node, &j.e))
		return tarn_err_set(TARN_INTERNAL, "no function for %s", s->node->op->name);
	tarn_npu_split(r->pool, count_out(r, s), 4096, unary_work, &j);
	return TARN_OK;
}

const npu_kernel tarn_npu_k_act = {"activation", NULL, run_unary, NULL};

static tarn_binary binary_fn(const tarn_node *n)
{
	for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
		if (tarn_npu_is(n, binary[i].op))
			return binary[i].fn;
	return TARN_BINARY_COUNT;
}

static tarn_err run_binary(const npu_run *r, npu_step *s)
{
	job j = {.op = binary_fn(s->node), .a = npu_ptr(r, s->in[0]), .b = npu_ptr(r, s->in[1]), .y = npu_ptr(r, s->out[0])};
	j.reversed = s->rows != 0; /* the small operand came first */
	j.inner = (int64_t)s->cols;
	int64_t n = count_out(r, s);
	if (s->cols == 0)
		tarn_npu_split(r->pool, n, 8192, binary_work, &j);
	else if (s->cols == 1)
		tarn_npu_split(r->pool, n, 8192, scalar_work, &j);
	else
		tarn_npu_split(r->pool, n / j.inner, 8192 / j.inner + 1, row_work, &j);
	return TARN_OK;
}

static const npu_kernel k_binary = {"elementwise", NULL, run_binary, NULL};

/* Where x is already, channels-last first. */
static npu_form form_of(const npu_exec *x, const tarn_value *v)
{
	return v->shape.rank >= 3 && tarn_npu_has(x, v, NPU_NHWC) ? NPU_NHWC : NPU_PLAIN;
}

static tarn_err build_unary(npu_exec *x, const npu_layer *l, const npu_kernel *k, npu_built *b)
{
	const tarn_node *n = l->main;
	npu_form form = form_of(x, n->in[0]);
	int in, out;
	npu_step *s;
	TRY(tarn_npu_want(x, n->in[0], form, &in));
	TRY(tarn_npu_give(x, n->out[0], form, &out));
	TRY(tarn_npu_step_new(x, k, l, 1, 1, &s));
	s->in[0] = in;
	s->out[0] = out;
	*b = (npu_built){.taken = true, .form = form};
	return TARN_OK;
}

/* Elements of `small` against `big`: 0 the same shape, 1 a scalar, C a value for each channel of [n][C][...] (images of one),
 * which is a row in the channels-last form; -1 something else. */
static int64_t small_row(const tarn_value *small, const tarn_value *big)
{
	if (tarn_shape_same(&small->shape, &big->shape))
		return 0;
	int64_t n = tarn_npu_count(small);
	if (n == 1)
		return small->shape.rank <= big->shape.rank ? 1 : -1;
	int from = big->shape.rank - small->shape.rank;
	if (big->shape.rank < 3 || from < 0 || from > 1 || n != big->shape.dim[1])
		return -1;
	return small->shape.dim[1 - from] == n ? n : -1;
}

static tarn_err build_binary(npu_exec *x, const npu_layer *l, npu_built *b)
{
	const tarn_node *n = l->main;
	const tarn_value *p = n->in[0], *q = n->in[1];
	int64_t row = small_row(q, p);
	bool reversed = false;
	if (row < 0) {
		row = small_row(p, q);
		reversed = true;
		p = n->in[1];
		q = n->in[0];
	}
	if (row < 0 || !tarn_shape_same(&p->shape, &n->out[0]->shape))
		return TARN_OK;
	npu_form form = row > 1 ? NPU_NHWC : form_of(x, p);
	if (row == 0 && form == NPU_PLAIN && q->shape.rank >= 3)
		form = form_of(x, q);
	int in[2], out;
	npu_step *s;
	TRY(tarn_npu_want(x, p, form, &in[0]));
	/* A row per channel is the same bytes in both forms. */
	TRY(tarn_npu_want(x, q, row ? NPU_PLAIN : form, &in[1]));
	TRY(tarn_npu_give(x, n->out[0], form, &out));
	TRY(tarn_npu_step_new(x, &k_binary, l, 2, 1, &s));
	s->in[0] = in[0];
	s->in[1] = in[1];
	s->out[0] = out;
	s->cols = (size_t)row;
	s->rows = reversed;
	*b = (npu_built){.taken = true, .form = form};
	return TARN_OK;
}

/* A quantizer of its own, by bytes. */
static tarn_err build_code(npu_exec *x, const npu_layer *l, npu_built *b)
{
	npu_code code;
	bool quantize = tarn_npu_is(l->main, "QuantizeLinear");
	const tarn_value *v = quantize ? l->main->in[0] : l->main->out[0];
	if (!tarn_npu_code(l->main, &code) || v->type != TARN_F32 || l->main->in[0]->konst)
		return TARN_OK;
	if (quantize)
		return build_unary(x, l, &tarn_npu_k_quantize, b);
	int out;
	npu_form form = form_of(x, l->main->in[0]);
	TRY(tarn_npu_want(x, l->main->out[0], form, &out));
	*b = (npu_built){.taken = true, .codes = true, .form = form}; /* exact: nothing is left to do */
	return TARN_OK;
}

tarn_err tarn_npu_build_eltwise(npu_exec *x, const npu_layer *l, npu_built *b)
{
	const tarn_node *n = l->main;
	tarn_epilogue e;
	if (n->n_out != 1 || !n->n_in || !n->in[0])
		return TARN_OK;
	if (tarn_npu_is(n, "QuantizeLinear") || tarn_npu_is(n, "DequantizeLinear"))
		return build_code(x, l, b);
	if (n->in[0]->type != TARN_F32 || n->out[0]->type != TARN_F32)
		return TARN_OK;
	if (unary_of(n, &e))
		return build_unary(x, l, &tarn_npu_k_act, b);
	if (binary_fn(n) != TARN_BINARY_COUNT && n->n_in == 2)
		return build_binary(x, l, b);
	return TARN_OK;
}
