/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What values are expected to be, from weights and biases alone: the mean and variance of each channel, carried through the
 * graph from an input of mean 0 and variance 1, elements taken as independent and normal. That finds means within a factor of
 * two in trained networks, and spreads less well.
 */
#include "driver/compile/moments.h"

#include <math.h>

#include "ir/op.h"
#include "ops/ops.h"

enum { POINTS = 9, MAX_CHANNELS = 1 << 16 };

typedef npu_moments moments;

typedef struct carrier {
	tarn_arena *arena;
	moments *of; /* by value id */
} carrier;

static int64_t channels_of(const tarn_value *v, int *axis)
{
	*axis = v->shape.rank >= 4 ? 1 : v->shape.rank - 1;
	return v->shape.rank > 0 ? v->shape.dim[*axis] : 1;
}

static tarn_err make(carrier *c, int64_t n, double mean, double var, moments *m)
{
	*m = (moments){.known = true, .n = (int)n};
	m->mean = tarn_arena_alloc(c->arena, (size_t)(n + 1) * 2 * sizeof *m->mean);
	if (!m->mean)
		return tarn_err_nomem((size_t)n * 2 * sizeof *m->mean);
	m->var = m->mean + n;
	for (int64_t i = 0; i < n; i++) {
		m->mean[i] = mean;
		m->var[i] = var;
	}
	return TARN_OK;
}

double tarn_npu_mean_at(const npu_moments *m, int64_t i)
{
	return m->mean[m->n == 1 ? 0 : i];
}

static double var_at(const moments *m, int64_t i)
{
	return m->var[m->n == 1 ? 0 : i];
}

/* All channels as one. */
void tarn_npu_blend(const npu_moments *m, double *mean, double *var)
{
	double s = 0, q = 0;
	for (int i = 0; i < m->n; i++) {
		s += m->mean[i];
		q += m->mean[i] * m->mean[i] + m->var[i];
	}
	*mean = m->n ? s / m->n : 0;
	*var = m->n ? q / m->n - *mean * *mean : 0;
	*var = *var > 0 ? *var : 0;
}

/* What is known of an input; constants are read. Unknown when its channels are not those of `as`. */
static tarn_err get(carrier *c, const tarn_value *v, int64_t n, moments *m)
{
	*m = (moments){0};
	if (!v)
		return TARN_OK;
	if (!v->konst) {
		*m = c->of[v->id];
		if (m->n != 1 && m->n != n)
			m->known = false;
		return TARN_OK;
	}
	int64_t count = tarn_tensor_count(v->konst);
	if (!tarn_dtype_is_float(v->konst->type) || (count != 1 && count != n))
		return TARN_OK;
	TRY(make(c, count, 0, 0, m));
	for (int64_t i = 0; i < count; i++)
		m->mean[i] = tarn_tensor_f64(v->konst, i);
	return TARN_OK;
}

/* ---- products with constant weights ---- */

bool tarn_npu_read_weights(const tarn_node *n, npu_weights *w)
{
	const tarn_tensor *t = n->n_in > 1 && n->in[1] ? n->in[1]->konst : NULL;
	if (!t || t->type != TARN_F32 || t->rank < 2)
		return false;
	bool conv = tarn_npu_is(n, "Conv"), transposed = tarn_npu_is(n, "ConvTranspose");
	*w = (npu_weights){.t = t, .taps = 1, .groups = 1, .share = 1, .transposed = transposed};
	if (conv || transposed) {
		for (int i = 2; i < t->rank; i++)
			w->taps *= t->dim[i];
		w->groups = tarn_attr_i(n, tarn_attr_index(n->op, "group"));
		w->out = t->dim[transposed] * (transposed ? w->groups : 1);
		w->in = t->dim[!transposed] / (transposed ? w->groups : 1);
		w->out_step = transposed ? w->taps : w->taps * w->in;
		w->in_step = transposed ? w->taps * t->dim[1] : w->taps;
		const tarn_attr *s = &n->attr[tarn_attr_index(n->op, "strides")];
		for (int i = 0; transposed && s->set && i < s->ints.n; i++)
			w->share /= (double)s->ints.at[i];
		return w->groups > 0 && w->out % w->groups == 0;
	}
	bool turned = tarn_npu_is(n, "Gemm") && tarn_attr_i(n, tarn_attr_index(n->op, "transB"));
	w->out = t->dim[!turned];
	w->in = t->dim[turned];
	w->out_step = turned ? t->dim[1] : 1;
	w->in_step = turned ? 1 : t->dim[1];
	return t->rank == 2 && (tarn_npu_is(n, "MatMul") || tarn_npu_is(n, "Gemm"));
}

int64_t tarn_npu_weight_at(const npu_weights *w, int64_t out, int64_t in, int64_t *channel)
{
	if (w->groups == 1) {
		*channel = in;
		return out * w->out_step + in * w->in_step;
	}
	/* Weights of a transposed convolution's group begin at its first input channel. */
	int64_t each = w->out / w->groups, first = out / each * w->in;
	*channel = first + in;
	return w->transposed ? out % each * w->out_step + (first + in) * w->in_step : out * w->out_step + in * w->in_step;
}

bool tarn_npu_next_taps(const npu_weights *w, npu_taps *t)
{
	bool by_input = w->in_step > w->out_step;
	int64_t inner = by_input ? w->out : w->in, outer = by_input ? w->in : w->out;
	if (t->q == inner) {
		t->q = 0;
		t->p++;
	}
	if (t->p >= outer || inner <= 0)
		return false;
	t->out = by_input ? t->q : t->p;
	t->in = by_input ? t->p : t->q;
	t->q++;
	const float *f = (const float *)w->t->data + tarn_npu_weight_at(w, t->out, t->in, &t->channel);
	t->sum = t->squares = 0;
	for (int64_t k = 0; k < w->taps; k++) {
		t->sum += f[k];
		t->squares += (double)f[k] * f[k];
	}
	return true;
}

static tarn_err product(carrier *c, const tarn_node *n, moments *y)
{
	npu_weights w;
	moments x, b = {0};
	if (!tarn_npu_read_weights(n, &w) || w.out > MAX_CHANNELS)
		return TARN_OK;
	TRY(get(c, n->in[0], w.in * w.groups, &x));
	if (n->n_in > 2 && n->in[2])
		TRY(get(c, n->in[2], w.out, &b));
	if (!x.known || (n->n_in > 2 && n->in[2] && !b.known))
		return TARN_OK;
	TRY(make(c, w.out, 0, 0, y));
	npu_taps t = {0};
	while (tarn_npu_next_taps(&w, &t)) {
		y->mean[t.out] += t.sum * w.share * tarn_npu_mean_at(&x, t.channel);
		y->var[t.out] += t.squares * w.share * var_at(&x, t.channel);
	}
	for (int64_t o = 0; b.known && o < w.out; o++)
		y->mean[o] += tarn_npu_mean_at(&b, o);
	y->roundings = x.roundings + 2; /* the weights', and the result's */
	return TARN_OK;
}

/* ---- functions of one element ---- */

/* Between points, in place of a deviation where there is none. */
static double spread_at(const moments *x, int64_t i)
{
	double least = 1e-3 * fabs(x->mean[i]) + 1e-6, d = sqrt(x->var[i]);
	return d > least ? d : least;
}

/* Of the values between neighbouring points. */
static tarn_err slopes(carrier *c, const moments *x, const tarn_tensor *out, const double *weight, moments *y)
{
	double *s = y->slope[0] = tarn_arena_zalloc(c->arena, (size_t)x->n + 1, sizeof *s);
	if (!s)
		return tarn_err_nomem((size_t)x->n * sizeof *s);
	for (int i = 0; i < x->n; i++) {
		double all = 0;
		for (int p = 0; p + 1 < POINTS; p++) {
			double rise = tarn_tensor_f64(out, i * POINTS + p + 1) - tarn_tensor_f64(out, i * POINTS + p);
			double w = sqrt(weight[p] * weight[p + 1]), slope = rise / spread_at(x, i);
			s[i] += w * slope * slope;
			all += w;
		}
		s[i] /= all;
	}
	return TARN_OK;
}

/* At nine points of each channel's normal distribution, from -4 to 4 deviations, by the operator itself. */
static tarn_err function(carrier *c, const tarn_node *n, moments *y)
{
	const tarn_tensor *in[8] = {NULL};
	int axis;
	int64_t count = channels_of(n->in[0], &axis);
	moments x;
	TRY(get(c, n->in[0], count, &x));
	bool fits = x.known && n->n_in <= 8 && n->out[0]->type == TARN_F32;
	for (int i = 1; i < n->n_in && fits; i++) {
		in[i] = n->in[i] ? n->in[i]->konst : NULL;
		fits = !n->in[i] || (in[i] && tarn_tensor_count(in[i]) == 1);
	}
	if (!fits)
		return TARN_OK;
	tarn_tensor t, out = {0};
	TRY(tarn_tensor_new(TARN_F32, 1, (int64_t[]){(int64_t)x.n * POINTS}, &t));
	double weight[POINTS], all = 0;
	for (int p = 0; p < POINTS; p++) {
		double z = p - POINTS / 2;
		all += weight[p] = exp(-z * z / 2);
		for (int i = 0; i < x.n; i++)
			((float *)t.data)[i * POINTS + p] = (float)(x.mean[i] + z * spread_at(&x, i));
	}
	in[0] = &t;
	tarn_err err = tarn_node_eval(n, in, &out);
	if (err == TARN_OK)
		err = make(c, x.n, 0, 0, y);
	for (int i = 0; err == TARN_OK && i < x.n; i++) {
		double q = 0;
		for (int p = 0; p < POINTS; p++) {
			double v = tarn_tensor_f64(&out, i * POINTS + p);
			y->mean[i] += weight[p] / all * v;
			q += weight[p] / all * v * v;
		}
		q -= y->mean[i] * y->mean[i];
		y->var[i] = q > 0 ? q : 0;
	}
	if (err == TARN_OK)
		err = slopes(c, &x, &out, weight, y);
	y->roundings = x.roundings + 1;
	tarn_tensor_fini(&t);
	tarn_tensor_fini(&out);
	return err;
}

/* ---- sums and products of two ---- */

/* A factor that is one number for all channels and is computed, such as a maximum over a valid length, makes good what masks
 * took away: together they count as nothing. */
static tarn_err get_factor(carrier *c, const tarn_node *n, int i, int64_t count, moments *m)
{
	int axis;
	TRY(get(c, n->in[i], count, m));
	if (!m->known && tarn_npu_is(n, "Mul") && !n->in[i]->konst && channels_of(n->in[i], &axis) == 1)
		TRY(make(c, 1, 1, 0, m));
	return TARN_OK;
}

static tarn_err combine(carrier *c, const tarn_node *n, moments *y)
{
	int axis;
	int64_t count = channels_of(n->out[0], &axis);
	moments a, b;
	TRY(get_factor(c, n, 0, count, &a));
	TRY(get_factor(c, n, 1, count, &b));
	if (!a.known || !b.known || count > MAX_CHANNELS)
		return TARN_OK;
	TRY(make(c, a.n > b.n ? a.n : b.n, 0, 0, y));
	bool product = tarn_npu_is(n, "Mul"), minus = tarn_npu_is(n, "Sub");
	double *slope = product ? tarn_arena_alloc(c->arena, (size_t)y->n * 2 * sizeof *slope) : NULL;
	if (product && !slope)
		return tarn_err_nomem((size_t)y->n * 2 * sizeof *slope);
	y->slope[0] = slope;
	y->slope[1] = slope ? slope + y->n : NULL;
	for (int i = 0; i < y->n; i++) {
		double p = tarn_npu_mean_at(&a, i), q = tarn_npu_mean_at(&b, i), v = var_at(&a, i), w = var_at(&b, i);
		y->mean[i] = product ? p * q : minus ? p - q : p + q;
		y->var[i] = product ? p * p * w + q * q * v + v * w : v + w;
		if (product) {
			slope[i] = q * q + w;
			slope[y->n + i] = p * p + v;
		}
	}
	y->roundings = (a.roundings > b.roundings ? a.roundings : b.roundings) + 1;
	return TARN_OK;
}

static tarn_err concat(carrier *c, const tarn_node *n, moments *y)
{
	int axis, at = 0;
	int64_t count = channels_of(n->out[0], &axis), along = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	bool channels = (along < 0 ? along + n->out[0]->shape.rank : along) == axis;
	if (count > MAX_CHANNELS)
		return TARN_OK;
	TRY(make(c, count, 0, 0, y));
	for (int k = 0; k < n->n_in; k++) {
		moments x;
		int ignored;
		int64_t own = channels_of(n->in[k], &ignored);
		TRY(get(c, n->in[k], own, &x));
		y->known &= x.known && (channels || own == count) && (!channels || at + own <= count);
		if (!y->known)
			return TARN_OK;
		for (int64_t i = 0; i < own; i++) {
			y->mean[channels ? at + i : i] += tarn_npu_mean_at(&x, i) / (channels ? 1 : n->n_in);
			y->var[channels ? at + i : i] += var_at(&x, i) / (channels ? 1 : n->n_in);
		}
		at += (int)own;
		y->roundings = y->roundings > x.roundings ? y->roundings : x.roundings;
	}
	return TARN_OK;
}

/* n shares of one: each 1/n in the mean, and as far from it as that. */
static tarn_err shares(carrier *c, const tarn_node *n, moments *y)
{
	const tarn_shape *s = &n->in[0]->shape;
	int64_t along = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	along += along < 0 ? s->rank : 0;
	double share = along >= 0 && along < s->rank && s->dim[along] > 0 ? 1 / (double)s->dim[along] : 1;
	TRY(make(c, 1, share, share * share, y));
	y->roundings = c->of[n->in[0]->id].roundings + 1;
	return TARN_OK;
}

/* ---- what keeps values, and what makes them anew ---- */

/* The input whose values pass: of a choice between values and a constant, the values; what a mask clears does not count. */
int tarn_npu_passing_input(const tarn_node *n)
{
	if (!tarn_npu_is(n, "Where"))
		return 0;
	return n->in[1]->konst ? 2 : 1;
}

static bool shuffles_channels(const tarn_node *n, int channel_axis, int rank)
{
	if (tarn_npu_is(n, "Transpose"))
		return true;
	if (!tarn_npu_is(n, "Gather"))
		return false;
	int64_t along = tarn_attr_i(n, tarn_attr_index(n->op, "axis"));
	return (along < 0 ? along + rank : along) == channel_axis;
}

/* One input's values in other places: channel by channel where channels stay, else all alike. */
static tarn_err moved(carrier *c, const tarn_node *n, bool averaged, moments *y)
{
	int axis_in, axis_out;
	const tarn_value *from = n->in[tarn_npu_passing_input(n)];
	int64_t in = channels_of(from, &axis_in), out = channels_of(n->out[0], &axis_out);
	bool stays = in == out && axis_in == axis_out && !shuffles_channels(n, axis_in, from->shape.rank);
	moments x;
	double mean, var;
	TRY(get(c, from, in, &x));
	if (!x.known || x.n > MAX_CHANNELS)
		return TARN_OK;
	tarn_npu_blend(&x, &mean, &var);
	TRY(make(c, stays ? x.n : 1, mean, var, y));
	for (int i = 0; stays && i < x.n; i++) {
		y->mean[i] = x.mean[i];
		y->var[i] = x.var[i];
	}
	for (int i = 0; averaged && i < y->n; i++)
		y->var[i] = 0;
	y->roundings = x.roundings + averaged;
	return TARN_OK;
}

static const struct row {
	const char *op;
	npu_kind kind;
} rows[] = {
	{"Conv", NPU_PRODUCT},
	{"ConvTranspose", NPU_PRODUCT},
	{"MatMul", NPU_PRODUCT},
	{"Gemm", NPU_PRODUCT},
	{"Add", NPU_COMBINE},
	{"Sub", NPU_COMBINE},
	{"Mul", NPU_COMBINE},
	{"Concat", NPU_CONCAT},
	{"MaxPool", NPU_MOVED},
	{"AveragePool", NPU_MOVED},
	{"Resize", NPU_MOVED},
	{"Upsample", NPU_MOVED},
	{"Slice", NPU_MOVED},
	{"Split", NPU_MOVED},
	{"Pad", NPU_MOVED},
	{"Transpose", NPU_MOVED},
	{"DepthToSpace", NPU_MOVED},
	{"SpaceToDepth", NPU_MOVED},
	{"Expand", NPU_MOVED},
	{"Tile", NPU_MOVED},
	{"Gather", NPU_MOVED},
	{"Where", NPU_MOVED},
	{"GlobalAveragePool", NPU_AVERAGED},
	{"ReduceMean", NPU_AVERAGED},
	{"LayerNormalization", NPU_NORMAL},
	{"InstanceNormalization", NPU_NORMAL},
	{"MVN", NPU_NORMAL},
	{"LSTM", NPU_NORMAL},
	{"GRU", NPU_NORMAL},
	{"Softmax", NPU_SHARES},
};

bool tarn_npu_kind_of(const tarn_node *n, npu_kind *k)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (tarn_npu_is(n, rows[i].op)) {
			*k = rows[i].kind;
			return true;
		}
	*k = n->op->flags & TARN_OP_VIEW ? NPU_MOVED : NPU_FUNCTION;
	return *k == NPU_MOVED || n->op->flags & TARN_OP_ELEMENTWISE;
}

static tarn_err step(carrier *c, const tarn_node *n)
{
	npu_kind k;
	moments y = {0};
	if (!n->n_in || !n->in[0] || !n->n_out || !n->out[0] || !tarn_npu_kind_of(n, &k))
		return TARN_OK;
	switch (k) {
	case NPU_PRODUCT:
		TRY(product(c, n, &y));
		break;
	case NPU_COMBINE:
		TRY(combine(c, n, &y));
		break;
	case NPU_CONCAT:
		TRY(concat(c, n, &y));
		break;
	case NPU_NORMAL: /* scaled by what training left near one */
		TRY(make(c, 1, 0, 1, &y));
		y.roundings = c->of[n->in[0]->id].roundings + 1;
		break;
	case NPU_SHARES:
		TRY(shares(c, n, &y));
		break;
	case NPU_FUNCTION:
		TRY(function(c, n, &y));
		break;
	default:
		TRY(moved(c, n, k == NPU_AVERAGED, &y));
	}
	for (int i = 0; y.known && i < y.n; i++)
		y.known &= isfinite(y.mean[i]) && isfinite(y.var[i]);
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i])
			c->of[n->out[i]->id] = y;
	return TARN_OK;
}

tarn_err tarn_npu_moments(const tarn_graph *g, tarn_arena *a, npu_moments **of)
{
	carrier c = {.arena = a, .of = tarn_arena_zalloc(a, g->value.len + 1, sizeof *c.of)};
	if (!c.of)
		return tarn_err_nomem(g->value.len * sizeof *c.of);
	for (size_t i = 0; i < g->input.len; i++) {
		TRY(make(&c, 1, 0, 1, &c.of[g->input.at[i]->id]));
		c.of[g->input.at[i]->id].roundings = 1;
	}
	for (size_t i = 0; i < g->node.len; i++)
		TRY(step(&c, g->node.at[i]));
	*of = c.of;
	return TARN_OK;
}
