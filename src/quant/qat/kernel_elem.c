/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise operators of training: a table of functions of one number with their slopes, and of two with broadcasting. */
#include <math.h>
#include <string.h>

#include "kern/eltwise.h"
#include "ops/elem.h"
#include "quant/qat/kernel.h"

/* ---- one input ---- */

/* d[i] = dy/dx at x[i], for i < n <= TARN_RUN; p: the operator's parameters. */
typedef void slope(const float *x, const float *y, const float *p, float *d, int n);

#define SLOPE(name, derivative) \
	static void name(const float *px, const float *py, const float *p, float *d, int n) \
	{ \
		(void)px, (void)py, (void)p; \
		for (int i = 0; i < n; i++) { \
			float x = px[i], y = py[i]; \
			(void)x, (void)y; \
			d[i] = derivative; \
		} \
	}

SLOPE(d_exp, y)
SLOPE(d_log, 1 / x)
SLOPE(d_sqrt, 0.5f / y)
SLOPE(d_reciprocal, -y *y)
SLOPE(d_abs, x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f)
SLOPE(d_neg, -1)
SLOPE(d_sigmoid, y *(1 - y))
SLOPE(d_tanh, 1 - y * y)
SLOPE(d_softsign, 1 / ((1 + fabsf(x)) * (1 + fabsf(x))))
SLOPE(d_relu, x > 0 ? 1.0f : 0.0f)
SLOPE(d_leaky_relu, x < 0 ? p[0] : 1)
SLOPE(d_elu, x < 0 ? y + p[0] : 1)
SLOPE(d_selu, x > 0 ? p[1] : y + p[0] * p[1])
SLOPE(d_hard_sigmoid, y > 0 && y < 1 ? p[0] : 0)
SLOPE(d_hard_swish, x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5f)

/* exp(-x^2 / scale) */
static void bell(const float *x, float scale, float *e, int n)
{
	for (int i = 0; i < n; i++)
		e[i] = -x[i] * x[i] / scale;
	tarn_unary_f32(TARN_UNARY_EXP, 0, 0, e, e, (size_t)n);
}

static void d_erf(const float *x, const float *y, const float *p, float *d, int n)
{
	(void)y, (void)p;
	bell(x, 1, d, n);
	for (int i = 0; i < n; i++)
		d[i] *= (float)M_2_SQRTPI;
}

static void d_softplus(const float *x, const float *y, const float *p, float *d, int n)
{
	(void)y, (void)p;
	tarn_unary_f32(TARN_UNARY_SIGMOID, 0, 0, x, d, (size_t)n);
}

static void d_swish(const float *x, const float *y, const float *p, float *d, int n)
{
	float s[TARN_RUN] = {0};
	(void)y;
	for (int i = 0; i < n; i++)
		d[i] = p[0] * x[i];
	tarn_unary_f32(TARN_UNARY_SIGMOID, 0, 0, d, s, (size_t)n);
	for (int i = 0; i < n; i++)
		d[i] = s[i] * (1 + d[i] * (1 - s[i]));
}

static void d_mish(const float *x, const float *y, const float *p, float *d, int n)
{
	float t[TARN_RUN] = {0};
	(void)y, (void)p;
	tarn_unary_f32(TARN_UNARY_SOFTPLUS, 0, 0, x, t, (size_t)n);
	tarn_unary_f32(TARN_UNARY_TANH, 0, 0, t, t, (size_t)n);
	tarn_unary_f32(TARN_UNARY_SIGMOID, 0, 0, x, d, (size_t)n);
	for (int i = 0; i < n; i++)
		d[i] = t[i] + x[i] * (1 - t[i] * t[i]) * d[i];
}

static void d_gelu(const float *x, const float *y, const float *p, float *d, int n)
{
	float e[TARN_RUN] = {0};
	(void)y, (void)p;
	bell(x, 2, e, n);
	for (int i = 0; i < n; i++)
		d[i] = x[i] * (float)M_SQRT1_2;
	tarn_unary_f32(TARN_UNARY_ERF, 0, 0, d, d, (size_t)n);
	for (int i = 0; i < n; i++)
		d[i] = 0.5f * (1 + d[i]) + x[i] * e[i] * (float)(0.5 * M_2_SQRTPI * M_SQRT1_2);
}

static void d_gelu_tanh(const float *x, const float *y, const float *p, float *d, int n)
{
	const float k = (float)(M_2_SQRTPI * M_SQRT1_2), c = 0.044715f;
	float t[TARN_RUN] = {0};
	(void)y, (void)p;
	for (int i = 0; i < n; i++)
		t[i] = k * (x[i] + c * x[i] * x[i] * x[i]);
	tarn_unary_f32(TARN_UNARY_TANH, 0, 0, t, t, (size_t)n);
	for (int i = 0; i < n; i++)
		d[i] = 0.5f * (1 + t[i]) + 0.5f * x[i] * (1 - t[i] * t[i]) * k * (1 + 3 * c * x[i] * x[i]);
}

/* Parameters are the operator's float attributes in their order. */
typedef struct unary {
	const char *op, *word; /* word: what the attribute `approximate` must be; NULL: there is none */
	tarn_unary fn;
	slope *d;
} unary;

static const unary unaries[] = {
	{"Abs", NULL, TARN_UNARY_ABS, d_abs},
	{"Elu", NULL, TARN_UNARY_ELU, d_elu},
	{"Erf", NULL, TARN_UNARY_ERF, d_erf},
	{"Exp", NULL, TARN_UNARY_EXP, d_exp},
	{"Gelu", "none", TARN_UNARY_GELU, d_gelu},
	{"Gelu", "tanh", TARN_UNARY_GELU_TANH, d_gelu_tanh},
	{"HardSigmoid", NULL, TARN_UNARY_HARDSIGMOID, d_hard_sigmoid},
	{"HardSwish", NULL, TARN_UNARY_HARDSWISH, d_hard_swish},
	{"LeakyRelu", NULL, TARN_UNARY_LEAKY, d_leaky_relu},
	{"Log", NULL, TARN_UNARY_LOG, d_log},
	{"Mish", NULL, TARN_UNARY_MISH, d_mish},
	{"Neg", NULL, TARN_UNARY_NEG, d_neg},
	{"Reciprocal", NULL, TARN_UNARY_RECIPROCAL, d_reciprocal},
	{"Relu", NULL, TARN_UNARY_RELU, d_relu},
	{"Selu", NULL, TARN_UNARY_SELU, d_selu},
	{"Sigmoid", NULL, TARN_UNARY_SIGMOID, d_sigmoid},
	{"Softplus", NULL, TARN_UNARY_SOFTPLUS, d_softplus},
	{"Softsign", NULL, TARN_UNARY_SOFTSIGN, d_softsign},
	{"Sqrt", NULL, TARN_UNARY_SQRT, d_sqrt},
	{"Swish", NULL, TARN_UNARY_SILU, d_swish},
	{"Tanh", NULL, TARN_UNARY_TANH, d_tanh},
};

static const unary *find_unary(const tarn_node *n, float *p)
{
	int word = tarn_attr_index(n->op, "approximate"), k = 0;
	for (int i = 0; i < n->op->n_attr && k < 2; i++)
		if (n->op->attr[i].kind == TARN_ATTR_FLOAT)
			p[k++] = (float)tarn_attr_f(n, i);
	for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++)
		if (!strcmp(unaries[i].op, n->op->name) &&
		    (!unaries[i].word || (word >= 0 && tarn_attr_word_is(n, word, unaries[i].word))))
			return &unaries[i];
	return NULL;
}

tarn_err qat_unary_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	float p[2] = {0};
	const unary *u = find_unary(n, p);
	*done = u && in[0]->type == TARN_F32;
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(TARN_F32, in[0]->rank, in[0]->dim, &out[0]));
	tarn_unary_f32(u->fn, p[0], p[1], in[0]->data, out[0].data, (size_t)tarn_tensor_count(in[0]));
	return TARN_OK;
}

tarn_err qat_unary_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			    tarn_tensor *din, bool *done)
{
	float p[2] = {0}, d[TARN_RUN], *dx = qat_wanted(&din[0]);
	const unary *u = find_unary(n, p);
	*done = u && in[0]->type == TARN_F32 && dx;
	const float *x = in[0]->data, *y = out[0].data, *dy = dout[0].data;
	for (int64_t at = 0, count = tarn_tensor_count(in[0]); *done && at < count; at += TARN_RUN) {
		int run = count - at < TARN_RUN ? (int)(count - at) : TARN_RUN;
		u->d(x + at, y + at, p, d, run);
		for (int i = 0; i < run; i++)
			dx[at + i] += dy[at + i] * d[i];
	}
	return TARN_OK;
}

/* ---- two inputs ---- */

static const struct {
	const char *op;
	tarn_binary fn;
} binaries[] = {{"Add", TARN_BINARY_ADD}, {"Sub", TARN_BINARY_SUB}, {"Mul", TARN_BINARY_MUL},    {"Div", TARN_BINARY_DIV},
		{"Max", TARN_BINARY_MAX}, {"Min", TARN_BINARY_MIN}, {"PRelu", TARN_BINARY_PRELU}};

static bool read_binary(const tarn_node *n, const tarn_tensor *const *in, tarn_binary *fn, tarn_tensor *shape)
{
	size_t k = 0, count = sizeof binaries / sizeof *binaries;
	while (k < count && strcmp(binaries[k].op, n->op->name))
		k++;
	if (k == count || n->n_in != 2 || in[0]->type != TARN_F32 || in[1]->type != TARN_F32)
		return false;
	*fn = binaries[k].fn;
	*shape = (tarn_tensor){.type = TARN_F32, .rank = in[0]->rank > in[1]->rank ? in[0]->rank : in[1]->rank};
	for (int i = 0; i < shape->rank; i++) {
		int64_t d[2];
		for (int s = 0; s < 2; s++)
			d[s] = i < shape->rank - in[s]->rank ? 1 : in[s]->dim[i - shape->rank + in[s]->rank];
		if (d[0] != d[1] && d[0] != 1 && d[1] != 1)
			return false;
		shape->dim[i] = d[0] == 1 ? d[1] : d[0];
	}
	return true;
}

/* What a run over the broadcast shape works on. */
typedef struct broadcast {
	tarn_binary fn;
	const float *in[2];
	float *y, *d[2]; /* d: NULL when not wanted */
	const float *dy;
} broadcast;

/* n elements, `step` apart, as an array. */
static const float *line(const float *x, int64_t at, int64_t step, int n, float *room)
{
	if (step == 1)
		return x + at;
	for (int i = 0; i < n; i++)
		room[i] = x[at + i * step];
	return room;
}

static void add_line(float *x, int64_t at, int64_t step, const float *d, int n)
{
	double sum = 0;
	for (int i = 0; step && i < n; i++)
		x[at + i * step] += d[i];
	for (int i = 0; !step && i < n; i++)
		sum += (double)d[i];
	if (!step)
		x[at] += (float)sum;
}

static tarn_err forward_run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	broadcast *c = ctx;
	float room[2][TARN_RUN];
	tarn_binary_f32(c->fn, line(c->in[0], src[0], step[0], n, room[0]), line(c->in[1], src[1], step[1], n, room[1]),
			c->y + at, (size_t)n);
	return TARN_OK;
}

/* d y / d a (side 0) or d y / d b, times dy. Where Max and Min meet equals, the first has it, as in the reference. */
static void partial(tarn_binary fn, int side, const float *a, const float *b, const float *dy, float *d, int n)
{
	switch (fn) {
	case TARN_BINARY_MUL:
		for (int i = 0; i < n; i++)
			d[i] = dy[i] * (side ? a[i] : b[i]);
		break;
	case TARN_BINARY_DIV:
		for (int i = 0; i < n; i++)
			d[i] = side ? -dy[i] * a[i] / (b[i] * b[i]) : dy[i] / b[i];
		break;
	case TARN_BINARY_MAX:
		for (int i = 0; i < n; i++)
			d[i] = (a[i] >= b[i]) != side ? dy[i] : 0;
		break;
	case TARN_BINARY_MIN:
		for (int i = 0; i < n; i++)
			d[i] = (a[i] <= b[i]) != side ? dy[i] : 0;
		break;
	case TARN_BINARY_PRELU:
		for (int i = 0; i < n; i++)
			d[i] = dy[i] * (side ? fminf(a[i], 0) : a[i] < 0 ? b[i] : 1);
		break;
	default:
		for (int i = 0; i < n; i++)
			d[i] = fn == TARN_BINARY_SUB && side ? -dy[i] : dy[i];
	}
}

static tarn_err backward_run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	broadcast *c = ctx;
	float room[2][TARN_RUN], d[TARN_RUN];
	const float *a = line(c->in[0], src[0], step[0], n, room[0]), *b = line(c->in[1], src[1], step[1], n, room[1]);
	for (int side = 0; side < 2; side++)
		if (c->d[side]) {
			partial(c->fn, side, a, b, c->dy + at, d, n);
			add_line(c->d[side], src[side], step[side], d, n);
		}
	return TARN_OK;
}

tarn_err qat_binary_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	tarn_tensor shape;
	broadcast c = {0};
	*done = read_binary(n, in, &c.fn, &shape);
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(TARN_F32, shape.rank, shape.dim, &out[0]));
	c.in[0] = in[0]->data;
	c.in[1] = in[1]->data;
	c.y = out[0].data;
	return tarn_elem_runs(&out[0], in, 2, forward_run, &c);
}

tarn_err qat_binary_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			     tarn_tensor *din, bool *done)
{
	tarn_tensor shape;
	broadcast c = {0};
	*done = read_binary(n, in, &c.fn, &shape);
	for (int side = 0; *done && side < 2; side++) {
		c.in[side] = in[side]->data;
		c.d[side] = qat_wanted(&din[side]);
	}
	c.dy = dout[0].data;
	return *done ? tarn_elem_runs(&out[0], in, 2, backward_run, &c) : TARN_OK;
}

/* ---- squares ---- */

static bool is_square(const tarn_tensor *const *in)
{
	return in[0]->type == TARN_F32 && in[1]->type == TARN_F32 && tarn_tensor_count(in[1]) == 1 &&
	       in[1]->rank <= in[0]->rank && *(const float *)in[1]->data == 2;
}

tarn_err qat_pow_forward(const tarn_node *n, const tarn_tensor *const *in, tarn_tensor *out, bool *done)
{
	(void)n;
	*done = is_square(in);
	if (!*done)
		return TARN_OK;
	TRY(tarn_tensor_new(TARN_F32, in[0]->rank, in[0]->dim, &out[0]));
	tarn_unary_f32(TARN_UNARY_SQUARE, 0, 0, in[0]->data, out[0].data, (size_t)tarn_tensor_count(in[0]));
	return TARN_OK;
}

tarn_err qat_pow_backward(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out, const tarn_tensor *dout,
			  tarn_tensor *din, bool *done)
{
	const float *x = in[0]->data, *dy = dout[0].data;
	float *dx = qat_wanted(&din[0]);
	(void)n, (void)out;
	*done = is_square(in) && dx && !qat_wanted(&din[1]);
	for (int64_t i = 0, count = tarn_tensor_count(in[0]); *done && i < count; i++)
		dx[i] += 2 * x[i] * dy[i];
	return TARN_OK;
}
