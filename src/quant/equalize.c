/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-layer equalization and SmoothQuant are one thing: a factor for each class of channels moves magnitude between
 * activations, which share one scale, and the weights that read them, which share one scale for each output. With a the largest
 * magnitude of the class's activations and w that of the weights that read it (geometric mean over the readers), the class is
 * divided by
 *
 *     s = a^strength / w^(1 - strength)
 *
 * (Nagel et al., arXiv 1906.04721, with activations seen instead of weights assumed; Xiao et al., arXiv 2211.10438.) s follows
 * any factor k that somebody multiplied a channel with: a -> k a, w -> w / k gives s -> k s. So the result does not depend on
 * how a network distributed its magnitudes.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"
#include "quant/channels.h"
#include "quant/equalize.h"
#include "quant/run.h"

typedef struct magnitudes {
	quant_channels c;
	const int *which; /* the values looked at */
	int n;
	double *peak, *power; /* by channel: largest magnitude seen; mean square */
	double *act;          /* by class: largest magnitude seen */
	double *log_w;        /* by class: sum over readers of the logarithm of their largest weight, relative to its output */
	int *readers;         /* by class: how many there are */
	double *strength;     /* by part; NAN: left alone */
	double *s;            /* by class: the factor */
	double *step;         /* by class: of the grid of its weights (channels.h) */
	bool *uneven;         /* by part: these differ */
} magnitudes;

/* ---- magnitudes ---- */

static void largest_and_square(const float *x, int64_t n, double *peak, double *square)
{
	float most[8] = {0}, sum[8] = {0};
	int64_t i = 0;
	for (; i + 8 <= n; i += 8)
		for (int k = 0; k < 8; k++) {
			float a = fabsf(x[i + k]);
			most[k] = a > most[k] ? a : most[k];
			sum[k] += a * a;
		}
	for (; i < n; i++) {
		most[0] = fmaxf(most[0], fabsf(x[i]));
		sum[0] += x[i] * x[i];
	}
	for (int k = 0; k < 8; k++) {
		*peak = fmax(*peak, (double)most[k]);
		*square += (double)sum[k];
	}
}

static tarn_err see(void *ctx, size_t sample, tarn_request *r)
{
	(void)sample;
	magnitudes *m = ctx;
	for (int k = 0; k < m->n; k++) {
		const tarn_value *v = m->c.p->m->main->value.at[m->which[k]];
		const tarn_tensor *t = &r->out[k];
		int axis = m->c.axis[v->id];
		int64_t inner = 1, channels = m->c.n[v->id], count = tarn_tensor_count(t), base = m->c.base[v->id];
		if (axis >= t->rank || t->dim[axis] != channels || !count)
			continue;
		for (int i = axis + 1; i < t->rank; i++)
			inner *= t->dim[i];
		for (int64_t row = 0; row < count / inner; row++) {
			double square = 0;
			int64_t i = row % channels, class = tarn_quant_channels_class(&m->c, v, i);
			largest_and_square((const float *)t->data + row * inner, inner, &m->peak[base + i], &square);
			m->power[base + i] += square * (double)channels / (double)count;
			m->act[class] = fmax(m->act[class], m->peak[base + i]);
		}
	}
	return TARN_OK;
}

/* Layout of a product's weights: element (o, i, k) of `outputs` x `inputs` for each group x `area`. */
typedef struct layout {
	int axis;
	int64_t outputs, inputs, area, per_group;
} layout;

static layout layout_of(const tarn_node *n, const tarn_tensor **w)
{
	layout l;
	*w = tarn_quant_weights_of(n, &l.axis);
	l.outputs = (*w)->dim[l.axis];
	l.inputs = (*w)->dim[!l.axis];
	l.area = tarn_tensor_count(*w) / (l.outputs * l.inputs > 0 ? l.outputs * l.inputs : 1);
	int group = tarn_quant_is(n, "Conv") ? tarn_attr_index(n->op, "group") : -1;
	int64_t groups = group >= 0 ? tarn_attr_i(n, group) : 1;
	l.per_group = l.outputs / (groups > 0 ? groups : 1);
	return l;
}

static int64_t weight_at(const layout *l, int64_t o, int64_t i)
{
	return (l->axis ? i * l->outputs + o : o * l->inputs + i) * l->area;
}

/* The input channel that input i of output o's group is. */
static int64_t input_of(const layout *l, int64_t o, int64_t i)
{
	return o / (l->per_group > 0 ? l->per_group : 1) * l->inputs + i;
}

/* A depthwise convolution's weights have one scale for each channel: they do not mind. */
static bool minds(const layout *l)
{
	return l->inputs > 1;
}

static double largest_at(const tarn_tensor *w, const layout *l, int64_t o, int64_t i)
{
	const float *at = (const float *)w->data + weight_at(l, o, i);
	double most = 0;
	for (int64_t k = 0; k < l->area; k++)
		most = fmax(most, fabs((double)at[k]));
	return most;
}

/* The largest weight that reads each channel, relative to the largest product of its output: each output has a scale of its
 * own, and whatever factor somebody multiplied it with must not count. */
static tarn_err see_weights(magnitudes *m, const tarn_node *n)
{
	const tarn_tensor *w;
	layout l = layout_of(n, &w);
	int64_t channels = m->c.n[n->in[0]->id];
	if (!minds(&l) || !channels)
		return TARN_OK;
	double *most = tarn_mem_zalloc((size_t)channels, sizeof *most);
	if (!most)
		return tarn_err_nomem((size_t)channels * sizeof *most);
	for (int64_t o = 0; o < l.outputs; o++) {
		double row = 0;
		for (int64_t i = 0; i < l.inputs; i++)
			row = fmax(row,
				   largest_at(w, &l, o, i) *
					   m->act[tarn_quant_channels_class(&m->c, n->in[0], input_of(&l, o, i) % channels)]);
		for (int64_t i = 0; i < l.inputs && row > 0; i++) {
			double *to = &most[input_of(&l, o, i) % channels];
			*to = fmax(*to, largest_at(w, &l, o, i) / row);
		}
	}
	for (int64_t i = 0; i < channels; i++) {
		int64_t class = tarn_quant_channels_class(&m->c, n->in[0], i);
		if (most[i] > 0) {
			m->log_w[class] += log(most[i]);
			m->readers[class]++;
		}
	}
	tarn_mem_free(most);
	return TARN_OK;
}

/* The values whose magnitudes matter: those in INT8, with channels that may be scaled. */
static tarn_err choose_values(magnitudes *m, tarn_arena *a)
{
	const tarn_graph *g = m->c.p->m->main;
	int *which = tarn_arena_zalloc(a, g->value.len + 1, sizeof *which);
	if (!which)
		return tarn_err_nomem(g->value.len * sizeof *which);
	for (size_t v = 0; v < g->value.len; v++) {
		bool loose = false;
		for (int64_t i = 0; i < m->c.n[v] && !loose; i++)
			loose = !m->c.fixed[tarn_quant_channels_class(&m->c, g->value.at[v], i)];
		if (loose && m->c.p->marked[v] && g->value.at[v]->def)
			which[m->n++] = (int)v;
	}
	m->which = which;
	return TARN_OK;
}

static tarn_err measure(magnitudes *m, const quant_plan *p, const tarn_quant_options *o, tarn_arena *a)
{
	TRY(tarn_quant_channels_init(&m->c, p, a));
	if (!m->c.total)
		return TARN_OK;
	m->act = tarn_arena_zalloc(a, (size_t)m->c.total, sizeof *m->act);
	m->peak = tarn_arena_zalloc(a, (size_t)m->c.total, sizeof *m->peak);
	m->power = tarn_arena_zalloc(a, (size_t)m->c.total, sizeof *m->power);
	m->strength = tarn_arena_zalloc(a, p->m->main->value.len + 1, sizeof *m->strength);
	m->log_w = tarn_arena_zalloc(a, (size_t)m->c.total, sizeof *m->log_w);
	m->readers = tarn_arena_zalloc(a, (size_t)m->c.total, sizeof *m->readers);
	m->s = tarn_arena_zalloc(a, (size_t)m->c.total, sizeof *m->s);
	m->step = tarn_arena_zalloc(a, (size_t)m->c.total, sizeof *m->step);
	m->uneven = tarn_arena_zalloc(a, p->m->main->value.len + 1, sizeof *m->uneven);
	if (!m->act || !m->peak || !m->power || !m->strength || !m->log_w || !m->readers || !m->s || !m->step || !m->uneven)
		return tarn_err_nomem((size_t)m->c.total * sizeof *m->act);
	TRY(tarn_quant_channels_steps(&m->c, m->step, m->uneven));
	TRY(choose_values(m, a));
	if (!m->n)
		return TARN_OK;
	TRY(tarn_quant_run(p->m, m->which, m->n, o, tarn_quant_slice(o, tarn_quant_samples_for(p, 1e10, 128), 0),
			   "looking at channels", see, m));
	for (size_t i = 0; i < p->m->main->node.len; i++)
		if (tarn_quant_channels_product(p->m->main->node.at[i]))
			TRY(see_weights(m, p->m->main->node.at[i]));
	return TARN_OK;
}

/* ---- factors ---- */

static double factor(const magnitudes *m, int64_t class, double strength)
{
	if (isinf(strength))
		return m->step[class] > 0 ? 1 / m->step[class] : 0;
	double w = m->readers[class] ? exp(m->log_w[class] / m->readers[class]) : 0, a = m->act[class];
	if (a <= 0)
		return 0;
	return w > 0 ? pow(a, strength) / pow(w, 1 - strength) : a;
}

/* Some of a class's values lie where its Clip cuts off: a factor would move the cut. */
static bool saturates(const magnitudes *m, int64_t class)
{
	return m->act[class] >= 0.98 * m->c.bound[class];
}

/* Sums over the channels of linked values. */
typedef struct part {
	double log_s, log_sw, log_a, n; /* factors, factors times weights, magnitudes seen */
	double log_fixed, fixed;        /* magnitudes of channels that cannot be scaled */
	double log_held, held;          /* factors of channels that saturate, which shall be 1 */
} part;

static void sum_parts(const magnitudes *m, part *parts)
{
	const tarn_graph *g = m->c.p->m->main;
	for (size_t v = 0; v < g->value.len; v++)
		for (int64_t i = 0; i < m->c.n[v]; i++) {
			int64_t class = tarn_quant_channels_class(&m->c, g->value.at[v], i);
			int which = tarn_quant_channels_part(&m->c, (int)v);
			part *t = &parts[which];
			double s = m->c.fixed[class] ? 0 : factor(m, class, m->strength[which]);
			if (m->c.fixed[class] && isinf(m->strength[which]) && m->step[class] > 0) {
				t->log_held -= log(m->step[class]);
				t->held++;
			}
			if (m->c.fixed[class] && m->act[class] > 0) {
				t->log_fixed += log(m->act[class]);
				t->fixed++;
			}
			if (s <= 0)
				continue;
			t->log_s += log(s);
			t->log_a += log(m->act[class]);
			t->log_sw += m->readers[class] ? log(s) + m->log_w[class] / m->readers[class] : 0;
			t->n++;
			t->log_held += saturates(m, class) ? log(s) : 0;
			t->held += saturates(m, class);
		}
}

static double unit_of(const part *t)
{
	return t->held ? t->log_held / t->held : (t->log_s - t->log_a) / t->n + (t->fixed ? t->log_fixed / t->fixed : 0);
}

/* Factors of linked values bring the geometric mean of magnitudes to that of the channels that cannot be scaled, or to 1,
 * whatever it was before; or their own to that of the channels whose factor has to be 1. Channels without any signal follow
 * their weights. */
static double factor_in(const magnitudes *m, const part *t, int64_t class, double strength)
{
	if (isnan(strength) || m->c.fixed[class] || !t->n || saturates(m, class))
		return 1;
	double s = factor(m, class, strength), unit = exp(unit_of(t));
	if (s <= 0)
		s = m->readers[class] ? exp(t->log_sw / t->n - m->log_w[class] / m->readers[class]) : unit;
	s /= unit;
	/* Values stay below the cut, with room for what the samples did not show. */
	return isinf(m->c.bound[class]) ? s : fmax(s, m->act[class] / (0.8 * m->c.bound[class]));
}

static tarn_err find_factors(magnitudes *m)
{
	const tarn_graph *g = m->c.p->m->main;
	part *parts = tarn_mem_zalloc(g->value.len + 1, sizeof *parts);
	if (!parts)
		return tarn_err_nomem(g->value.len * sizeof *parts);
	sum_parts(m, parts);
	for (size_t v = 0; v < g->value.len; v++)
		for (int64_t i = 0; i < m->c.n[v]; i++) {
			int64_t class = tarn_quant_channels_class(&m->c, g->value.at[v], i);
			int which = tarn_quant_channels_part(&m->c, (int)v);
			m->s[class] = factor_in(m, &parts[which], class, m->strength[which]);
		}
	tarn_mem_free(parts);
	return TARN_OK;
}

static double scale_of(const magnitudes *m, const tarn_value *v, int64_t i)
{
	return m->c.n[v->id] ? m->s[tarn_quant_channels_class(&m->c, v, i)] : 1;
}

/* ---- strengths ---- */

/* The step of the grid that value v would have. */
static double step_of(const magnitudes *m, const tarn_value *v)
{
	double most = 0;
	for (int64_t i = 0; i < m->c.n[v->id]; i++)
		most = fmax(most, m->peak[m->c.base[v->id] + i] / scale_of(m, v, i));
	return most / (m->c.p->stat[v->id].lo < 0 ? 127 : 255);
}

/* Noise over signal at the output of a product, predicted: rounding of inputs and of weights spreads evenly over a step, and
 * inputs are not correlated. */
static double noise_of_product(const magnitudes *m, const tarn_node *n)
{
	const tarn_tensor *w;
	layout l = layout_of(n, &w);
	const tarn_value *x = n->in[0];
	double step = step_of(m, x), act_noise = 0, weight_noise = 0, signal = 0;
	for (int64_t o = 0; o < l.outputs; o++) {
		double most = 0, inputs = 0;
		for (int64_t i = 0; i < l.inputs; i++) {
			int64_t c = input_of(&l, o, i);
			const float *at = (const float *)w->data + weight_at(&l, o, i);
			double s = scale_of(m, x, c), power = m->power[m->c.base[x->id] + c], square = 0;
			for (int64_t k = 0; k < l.area; k++) {
				most = fmax(most, fabs((double)at[k]) * s);
				square += (double)at[k] * (double)at[k];
			}
			act_noise += square * s * s;
			signal += square * power;
			inputs += (double)l.area * power / (s * s);
		}
		weight_noise += most * most / ((double)m->c.p->weight_top * m->c.p->weight_top) * inputs;
	}
	return signal > 0 ? (act_noise * step * step + weight_noise) / 12 / signal : 0;
}

/* The same at one input of a sum or an average. */
static double noise_of_input(const magnitudes *m, const tarn_value *x)
{
	double step = step_of(m, x), noise = 0, signal = 0;
	for (int64_t i = 0; i < m->c.n[x->id]; i++) {
		noise += scale_of(m, x, i) * scale_of(m, x, i) * step * step / 12;
		signal += m->power[m->c.base[x->id] + i];
	}
	return signal > 0 ? noise / signal : 0;
}

/* Adds what the readers of each part's values make of the factors as they are. */
static void predict(const magnitudes *m, double *noise)
{
	const tarn_graph *g = m->c.p->m->main;
	for (size_t i = 0; i < g->node.len; i++) {
		tarn_node *n = g->node.at[i];
		if (!m->c.p->int8[i])
			continue;
		bool product = tarn_quant_channels_product(n);
		for (int k = 0; k < (product ? 1 : n->n_in); k++)
			if (n->in[k] && m->c.p->marked[n->in[k]->id] && m->c.n[n->in[k]->id])
				noise[tarn_quant_channels_part(&m->c, (int)n->in[k]->id)] +=
					product ? noise_of_product(m, n) : noise_of_input(m, n->in[k]);
	}
}

/* For each part the strength that promises the least noise. How the channels were scaled before does not count: the result is
 * the same for every network that computes the same. */
static tarn_err choose_strengths(magnitudes *m)
{
	static const double tried[] = {0.5, 0.75, 1, 0.25, 0};
	size_t n = m->c.p->m->main->value.len + 1;
	double *room = tarn_mem_zalloc(n, 3 * sizeof *room), *least = room + n, *best = least + n;
	tarn_err err = TARN_OK;
	if (!room)
		return tarn_err_nomem(n * sizeof *room);
	for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
		for (size_t v = 0; v < n; v++) {
			room[v] = 0;
			m->strength[v] = tried[i];
		}
		TRY_GOTO(out, find_factors(m));
		predict(m, room);
		for (size_t v = 0; v < n; v++)
			if (!i || room[v] < 0.9 * least[v]) {
				least[v] = room[v];
				best[v] = tried[i];
			}
	}
	memcpy(m->strength, best, n * sizeof *best);
out:
	tarn_mem_free(room);
	return err;
}

/* ---- rewriting ---- */

/* Node n of the copy g reads a constant of its own in place of what it read; `t` is taken over. */
static tarn_err put(tarn_graph *g, tarn_node *n, int slot, tarn_tensor *t)
{
	tarn_value *v = NULL;
	tarn_err err = tarn_value_const(g, n->in[slot]->name, t, &v);
	tarn_tensor_fini(t);
	if (err == TARN_OK)
		n->in[slot] = v;
	return err;
}

static tarn_err scale_product(const magnitudes *m, tarn_graph *g, tarn_node *n)
{
	const tarn_tensor *w;
	layout l = layout_of(n, &w);
	const tarn_value *x = n->in[0], *y = n->out[0];
	tarn_tensor t;
	TRY(tarn_tensor_copy(w, &t));
	float *at = t.data;
	for (int64_t o = 0; o < l.outputs; o++)
		for (int64_t i = 0; i < l.inputs; i++) {
			double f = scale_of(m, x, input_of(&l, o, i)) / scale_of(m, y, o);
			for (int64_t k = 0; k < l.area; k++)
				at[weight_at(&l, o, i) + k] = (float)((double)at[weight_at(&l, o, i) + k] * f);
		}
	TRY(put(g, n, 1, &t));
	if (n->n_in < 3 || !n->in[2])
		return TARN_OK;
	TRY(tarn_tensor_copy(n->in[2]->konst, &t));
	for (int64_t o = 0; o < l.outputs; o++)
		((float *)t.data)[o] = (float)((double)((float *)t.data)[o] / scale_of(m, y, o));
	return put(g, n, 2, &t);
}

/* A constant added or multiplied, as one number for each channel. */
static tarn_err scale_constant(const magnitudes *m, tarn_graph *g, tarn_node *n, int slot)
{
	const tarn_tensor *k = n->in[slot]->konst;
	const tarn_value *x = n->in[!slot], *y = n->out[0];
	int64_t channels = m->c.n[y->id], dim[TARN_MAX_RANK], count = tarn_tensor_count(k);
	int rank = m->c.p->sized->main->value.at[y->id]->shape.rank - m->c.axis[y->id];
	bool quotient = tarn_quant_is(n, "Div"), sum = !quotient && !tarn_quant_is(n, "Mul");
	tarn_tensor t;
	for (int i = 0; i < rank; i++)
		dim[i] = i ? 1 : channels;
	if (count == channels && k->rank > rank) { /* its own shape, with leading ones */
		rank = k->rank;
		memcpy(dim, k->dim, sizeof dim);
	}
	TRY(tarn_tensor_new(TARN_F32, rank, dim, &t));
	for (int64_t i = 0; i < channels; i++) {
		double v = tarn_tensor_f64(k, count == 1 ? 0 : i), in = scale_of(m, x, i), out = scale_of(m, y, i);
		((float *)t.data)[i] = (float)(sum ? v / out : quotient ? v * out / in : v * in / out);
	}
	return put(g, n, slot, &t);
}

/* Scale, bias, mean of a normalization; a variance stays. */
static tarn_err scale_norm(const magnitudes *m, tarn_graph *g, tarn_node *n)
{
	bool batch = tarn_quant_is(n, "BatchNormalization");
	for (int slot = 1; slot < (batch ? 4 : n->n_in); slot++) {
		tarn_tensor t;
		if (!n->in[slot])
			continue;
		TRY(tarn_tensor_copy(n->in[slot]->konst, &t));
		for (int64_t i = 0; i < tarn_tensor_count(&t); i++) {
			double x = batch ? scale_of(m, n->in[0], i) : 1, y = scale_of(m, n->out[0], i);
			double f = slot == 1 ? x / y : slot == 2 ? 1 / y : 1 / x;
			((float *)t.data)[i] = (float)((double)((float *)t.data)[i] * f);
		}
		TRY(put(g, n, slot, &t));
	}
	return TARN_OK;
}

static bool changes(const magnitudes *m, const tarn_value *v)
{
	for (int64_t i = 0; i < m->c.n[v->id]; i++)
		if (scale_of(m, v, i) != 1)
			return true;
	return false;
}

static tarn_err scale_node(const magnitudes *m, tarn_graph *g, tarn_node *n)
{
	bool any = false;
	for (int k = 0; k < n->n_in; k++)
		any |= n->in[k] && !n->in[k]->konst && changes(m, n->in[k]);
	for (int k = 0; k < n->n_out; k++)
		any |= n->out[k] && changes(m, n->out[k]);
	if (!any)
		return TARN_OK;
	if (tarn_quant_channels_product(n))
		return scale_product(m, g, n);
	if (tarn_quant_channels_norm(&m->c, n))
		return scale_norm(m, g, n);
	int slot = tarn_quant_channels_constant(&m->c, n);
	if (slot >= 0)
		return scale_constant(m, g, n, slot);
	if (tarn_quant_channels_relu(m->c.p, n)) {
		n->op = tarn_op_find(NULL, "Relu"); /* its upper end no longer is where it was, and was never reached */
		n->n_in = 1;
	}
	return TARN_OK;
}

/* ---- the interface ---- */

struct quant_equalizer {
	tarn_arena arena;
	magnitudes m;
};

tarn_err tarn_quant_equalizer_new(const quant_plan *p, const tarn_quant_options *o, quant_equalizer **out)
{
	quant_equalizer *e = tarn_mem_zalloc(1, sizeof *e);
	if (!e)
		return tarn_err_nomem(sizeof *e);
	tarn_err err = measure(&e->m, p, o, &e->arena);
	if (err == TARN_OK)
		*out = e;
	else
		tarn_quant_equalizer_free(e);
	return err;
}

void tarn_quant_equalizer_free(quant_equalizer *e)
{
	if (!e)
		return;
	tarn_arena_fini(&e->arena);
	tarn_mem_free(e);
}

tarn_err tarn_quant_steps_differ(const quant_plan *p, bool *any)
{
	tarn_arena a = {0};
	quant_channels c;
	tarn_err err = tarn_quant_channels_init(&c, p, &a);
	size_t values = p->m->main->value.len;
	double *step = tarn_arena_zalloc(&a, (size_t)c.total + 1, sizeof *step);
	bool *uneven = tarn_arena_zalloc(&a, values + 1, sizeof *uneven);
	if (err == TARN_OK && c.total)
		err = step && uneven ? tarn_quant_channels_steps(&c, step, uneven) : tarn_err_nomem(values);
	*any = false;
	for (size_t v = 0; err == TARN_OK && c.total && v < values; v++)
		*any |= uneven[v];
	tarn_arena_fini(&a);
	return err;
}

bool tarn_quant_equalizer_can(const quant_equalizer *e)
{
	return e->m.n > 0;
}

tarn_err tarn_quant_equalize(quant_equalizer *e, double strength, tarn_model **out)
{
	const tarn_model *from = e->m.c.p->m;
	tarn_model *copy;
	for (size_t v = 0; v < from->main->value.len; v++)
		e->m.strength[v] = isinf(strength) && !e->m.uneven[v] ? NAN : strength;
	if (isnan(strength))
		TRY(choose_strengths(&e->m));
	TRY(find_factors(&e->m));
	TRY(tarn_model_clone(from, &copy));
	tarn_err err;
	size_t nodes = copy->main->node.len;
	CHECK_GOTO(out, copy->main->value.len == from->main->value.len && nodes == from->main->node.len, TARN_INTERNAL,
		   "a copy of the model has other values");
	for (size_t i = 0; i < nodes; i++)
		TRY_GOTO(out, scale_node(&e->m, copy->main, copy->main->node.at[i]));
	TRY_GOTO(out, tarn_graph_infer(copy->main));
out:
	if (err == TARN_OK)
		*out = copy;
	else
		tarn_model_unref(copy);
	return err;
}
