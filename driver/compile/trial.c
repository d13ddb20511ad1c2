/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rounding does, found by trial. The graph is cloned, grouped, widened and rounded as compiling would, built by the
 * executor and run on made-up inputs (canary.c); its outputs are those in front of softmaxes and sigmoids. Few inputs do: an
 * error of many elements is judged by its deviation there, whatever the probabilities of these inputs happen to be.
 */
#include "driver/compile/trial.h"

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "base/mem.h"
#include "driver/compile/canary.h"
#include "driver/compile/noise.h"
#include "driver/exec/exec.h"
#include "ir/op.h"

/* Multiply-accumulates of all runs of one form, and of the largest model that is tried out. */
#define RUNS_MACS 5e8
#define MOST_MACS 2e10
enum { LEAST_CANARIES = 1, MAX_CANARIES = 4 };
/* Of a model that takes lengths; what happens at some only is seen at few of them. */
#define TWO_LENGTHS_MACS 2e9
enum { MAX_LENGTHS = 8 };
/* Logits so far below the largest of their row count for nothing. */
#define NEAR 7

typedef struct net {
	tarn_arena arena;
	tarn_model *model;
	npu_layers layers;
	tarn_npu_program program;
} net;

struct npu_trial {
	const tarn_graph *g;
	int made, canaries, n_out; /* allocated; that can be computed */
	bool lengths;              /* canaries differ in them */
	npu_end end[NPU_JUDGED];
	tarn_tensor *in;  /* [canary][input] */
	tarn_tensor *ref; /* [canary][output] */
	bool failed;      /* the model cannot compute what was made up for it */
};

/* ---- one form of the graph, ready to run ---- */

/* Of the clone's values, by the nodes and inputs around them: ids differ, as clones leave behind what is not used. */
static void carry_over(const tarn_graph *from, const bool *pair, const tarn_graph *to, bool *copy)
{
	for (size_t i = 0; i < from->input.len; i++)
		copy[to->input.at[i]->id] = pair[from->input.at[i]->id];
	for (size_t i = 0; i < from->node.len; i++) {
		const tarn_node *f = from->node.at[i], *t = to->node.at[i];
		for (int k = 0; k < f->n_in; k++)
			if (f->in[k])
				copy[t->in[k]->id] = pair[f->in[k]->id];
		for (int k = 0; k < f->n_out; k++)
			if (f->out[k])
				copy[t->out[k]->id] = pair[f->out[k]->id];
	}
}

static tarn_err take_args(net *n, const tarn_graph *g)
{
	npu_args *args = &n->program.args;
	*args = (npu_args){.n = (uint32_t)(g->input.len + g->output.len), .n_inputs = (uint32_t)g->input.len};
	args->at = tarn_arena_zalloc(&n->arena, args->n + 1u, sizeof *args->at);
	if (!args->at)
		return tarn_err_nomem(args->n * sizeof *args->at);
	for (uint32_t i = 0; i < args->n; i++) {
		const tarn_value *v = i < args->n_inputs ? g->input.at[i] : g->output.at[i - args->n_inputs];
		int64_t count;
		args->at[i].precision = tarn_npu_precision(v->type);
		TRY(tarn_shape_count(&v->shape, &count));
		CHECK(tarn_dtype_bytes(v->type, (size_t)count, &args->at[i].bytes), TARN_UNSUPPORTED, "'%s' is too large",
		      v->name);
	}
	return TARN_OK;
}

/* pair NULL: nothing wide, unless all is. */
static tarn_err build(const npu_trial *t, bool all, const bool *pair, net *n)
{
	TRY(tarn_model_clone(t->g->model, &n->model));
	tarn_graph *g = n->model->main;
	CHECK(g->node.len == t->g->node.len, TARN_INTERNAL, "a clone has lost nodes");
	bool *wide = NULL;
	if (pair) {
		wide = tarn_arena_zalloc(&n->arena, g->value.len + 1, sizeof *wide);
		if (!wide)
			return tarn_err_nomem(g->value.len);
		carry_over(t->g, pair, g, wide);
	}
	TRY(tarn_npu_group(g, &n->arena, &n->layers));
	if (all || pair)
		TRY(tarn_npu_widen(g, &n->layers, wide, &n->arena));
	const npu_plan plan = {.layers = n->layers};
	TRY(tarn_npu_round_weights(g, &plan, &n->arena));
	for (int i = 0; i < t->n_out; i++)
		g->output.at[i] = (tarn_value *)(uintptr_t)tarn_npu_end_of(g->output.at[i]).at;
	TRY(take_args(n, g));
	TRY(tarn_npu_exec_new(g, &n->layers, &n->program.exec));
	n->program.exec->overflow[0] = '-'; /* made-up inputs are nothing to warn of */
	return TARN_OK;
}

static void net_fini(net *n)
{
	tarn_npu_exec_free(n->program.exec);
	tarn_model_unref(n->model);
	tarn_arena_fini(&n->arena);
}

static tarn_err new_like(const tarn_value *v, tarn_tensor *t)
{
	return tarn_tensor_new(v->type, v->shape.rank, v->shape.dim, t);
}

/* Of one canary, into tensors that are there. */
static tarn_err run(const npu_trial *t, const net *n, int canary, tarn_tensor *out)
{
	size_t inputs = t->g->input.len, outputs = t->g->output.len;
	void **args = tarn_mem_zalloc(inputs + outputs + 1, sizeof *args);
	if (!args)
		return tarn_err_nomem((inputs + outputs) * sizeof *args);
	for (size_t i = 0; i < inputs; i++)
		args[i] = t->in[(size_t)canary * inputs + i].data;
	for (size_t i = 0; i < outputs; i++)
		args[inputs + i] = out[i].data;
	tarn_err err = tarn_exec_run(&n->program, args, NULL);
	tarn_mem_free(args);
	return err;
}

/* ---- how far off ---- */

typedef struct tally {
	double sum, count, most;
	bool differ; /* whole numbers */
} tally;

/* What leaves FP16's range is said when it happens; it is no matter of digits. */
static void add(tally *s, double d)
{
	if (d - d == 0) {
		s->sum += d * d;
		s->count++;
		s->most = fmax(s->most, fabs(d));
	}
}

/* Each logit near the largest of its row, relative to that one: the relative error of its probability. */
static void compare_rows(const npu_end *e, const tarn_tensor *want, const tarn_tensor *got, tally *s)
{
	int64_t axis = tarn_attr_i(e->by, tarn_attr_index(e->by->op, "axis")), inner = 1, count = tarn_tensor_count(want);
	axis += axis < 0 ? want->rank : 0;
	for (int64_t i = axis + 1; i < want->rank; i++)
		inner *= want->dim[i];
	int64_t each = axis >= 0 && axis < want->rank ? want->dim[axis] : 1;
	const float *w = want->data, *g = got->data;
	for (int64_t row = 0; each > 0 && row < count / each; row++) {
		int64_t at = row / inner * each * inner + row % inner, top = at;
		for (int64_t k = 1; k < each; k++)
			top = w[at + k * inner] > w[top] ? at + k * inner : top;
		for (int64_t k = 0; k < each; k++) {
			int64_t i = at + k * inner;
			if (i != top && w[i] > w[top] - NEAR)
				add(s, (double)g[i] - g[top] - ((double)w[i] - w[top]));
		}
	}
}

static void compare_all(const tarn_tensor *want, const tarn_tensor *got, tally *s)
{
	const float *w = want->data, *g = got->data;
	for (int64_t i = 0, n = tarn_tensor_count(want); i < n; i++)
		if (w[i] - w[i] == 0)
			add(s, (double)g[i] - w[i]);
}

static void compare_plain(const tarn_tensor *want, const tarn_tensor *got, tally *s)
{
	double most = 0, off = 0;
	for (int64_t i = 0, n = tarn_tensor_count(want); i < n; i++) {
		double w = tarn_tensor_f64(want, i), d = tarn_tensor_f64(got, i) - w;
		if (d - d != 0)
			continue;
		most = fmax(most, fabs(w));
		off = fmax(off, fabs(d));
	}
	s->differ |= !tarn_dtype_is_float(want->type) && off > 0;
	add(s, most > 0 ? off / most : 0);
}

/* By what factor the deviation of so few may have come out too low, once in ten times: chi square as Wilson and Hilferty
 * (1931) approximate it. */
static double doubt(double n)
{
	double r = 2 / (9 * n), root = 1 - r - 1.2816 * sqrt(r);
	return root > 0.3 ? pow(root, -1.5) : 6;
}

/* The worst of a sigmoid's many inputs; of logits few decide. Lengths are no samples of one error: the worst of them counts. */
static double worst_of(const npu_trial *t, int output, const tally *s)
{
	const npu_end *e = &t->end[output];
	if (s->differ || s->count <= 0)
		return s->differ;
	if (e->kind == NPU_END_PLAIN && t->lengths)
		return fmin(1, s->most);
	double rms = sqrt(s->sum / s->count);
	if (e->kind != NPU_END_PLAIN)
		rms *= doubt(s->count) * (e->kind == NPU_END_SIGMOID ? sqrt(2 * log(fmax(s->count, 2))) : 3);
	return fmin(1, rms);
}

static void compare(const npu_trial *t, int output, const tarn_tensor *want, const tarn_tensor *got, tally *s)
{
	const npu_end *e = &t->end[output];
	if (e->kind == NPU_END_SOFTMAX && want->type == TARN_F32)
		compare_rows(e, want, got, s);
	else if (e->kind == NPU_END_SIGMOID && want->type == TARN_F32)
		compare_all(want, got, s);
	else
		compare_plain(want, got, s);
}

/* ---- trials ---- */

static double macs_of(const tarn_arch *arch, const npu_layers *layers)
{
	double macs = 0;
	for (int i = 0; i < layers->n; i++) {
		npu_geometry g;
		tarn_npu_geometry(arch, &layers->at[i], &g);
		macs += (double)g.macs;
	}
	return macs;
}

static const tarn_value *judged_at(const npu_trial *t, size_t output)
{
	return output < (size_t)t->n_out ? t->end[output].at : t->g->output.at[output];
}

static tarn_err outputs_new(const npu_trial *t, tarn_tensor *out)
{
	for (size_t i = 0; i < t->g->output.len; i++)
		TRY(new_like(judged_at(t, i), &out[i]));
	return TARN_OK;
}

static tarn_err tensors_new(npu_trial *t)
{
	size_t inputs = t->g->input.len, outputs = t->g->output.len, made = (size_t)t->made;
	t->in = tarn_mem_zalloc(made * inputs + 1, sizeof *t->in);
	t->ref = tarn_mem_zalloc(made * outputs + 1, sizeof *t->ref);
	if (!t->in || !t->ref)
		return tarn_err_nomem(made * (inputs + outputs) * sizeof *t->in);
	for (size_t c = 0; c < made; c++) {
		for (size_t i = 0; i < inputs; i++)
			TRY(new_like(t->g->input.at[i], &t->in[c * inputs + i]));
		TRY(outputs_new(t, &t->ref[c * outputs]));
	}
	return TARN_OK;
}

/* Lengths too short to be computed with make way for the next. */
static tarn_err prepare(npu_trial *t)
{
	size_t inputs = t->g->input.len, outputs = t->g->output.len;
	net n = {0};
	TRY(tensors_new(t));
	tarn_err err = build(t, true, NULL, &n);
	for (int c = 0; err == TARN_OK && c < t->made; c++) {
		for (size_t i = 0; i < inputs; i++)
			tarn_npu_canary(t->g, i, c, &t->in[(size_t)t->canaries * inputs + i]);
		err = run(t, &n, t->canaries, &t->ref[(size_t)t->canaries * outputs]);
		t->failed = err != TARN_OK && err != TARN_NOMEM;
		if (err == TARN_OK)
			t->canaries++;
		if (t->failed && t->canaries && t->lengths) {
			tarn_err_clear();
			err = TARN_OK;
		}
	}
	net_fini(&n);
	return err;
}

/* At least two lengths, unless the model is large. */
static int canaries_for(double macs, bool lengths)
{
	int least = lengths && macs <= TWO_LENGTHS_MACS ? 2 : LEAST_CANARIES;
	return (int)fmax(least, fmin(lengths ? MAX_LENGTHS : MAX_CANARIES, RUNS_MACS / fmax(macs, 1)));
}

tarn_err tarn_npu_trial_new(const tarn_arch *arch, const tarn_graph *g, const npu_layers *layers, npu_trial **trial)
{
	*trial = NULL;
	double macs = macs_of(arch, layers);
	if (macs > MOST_MACS)
		return TARN_OK;
	npu_trial *t = tarn_mem_zalloc(1, sizeof *t);
	if (!t)
		return tarn_err_nomem(sizeof *t);
	t->g = g;
	t->lengths = tarn_npu_canary_lengths(g);
	t->made = canaries_for(macs, t->lengths);
	t->n_out = g->output.len < NPU_JUDGED ? (int)g->output.len : NPU_JUDGED;
	for (int i = 0; i < t->n_out; i++)
		t->end[i] = tarn_npu_end_of(g->output.at[i]);
	tarn_err err = prepare(t);
	if (err == TARN_OK) {
		*trial = t;
		return TARN_OK;
	}
	bool failed = t->failed;
	tarn_npu_trial_free(t);
	if (!failed)
		return err;
	tarn_err_clear();
	return TARN_OK;
}

tarn_err tarn_npu_trial_run(npu_trial *t, const bool *pair, double *worst)
{
	size_t outputs = t->g->output.len;
	net n = {0};
	tally s[NPU_JUDGED] = {{0}};
	tarn_tensor *out = tarn_mem_zalloc(outputs + 1, sizeof *out);
	if (!out)
		return tarn_err_nomem(outputs * sizeof *out);
	tarn_err err = outputs_new(t, out);
	if (err == TARN_OK)
		err = build(t, false, pair, &n);
	for (int c = 0; err == TARN_OK && c < t->canaries; c++) {
		err = run(t, &n, c, out);
		if (err != TARN_OK && err != TARN_NOMEM) { /* a place found by rounded numbers lies outside */
			tarn_err_clear();
			err = TARN_OK;
			for (int i = 0; i < t->n_out; i++)
				s[i].differ = true;
			break;
		}
		for (int i = 0; err == TARN_OK && i < t->n_out; i++)
			compare(t, i, &t->ref[(size_t)c * outputs + (size_t)i], &out[i], &s[i]);
	}
	for (int i = 0; i < t->n_out; i++)
		worst[i] = worst_of(t, i, &s[i]);
	for (size_t i = 0; i < outputs; i++)
		tarn_tensor_fini(&out[i]);
	tarn_mem_free(out);
	net_fini(&n);
	return err;
}

/* ---- where it comes from ---- */

/* Sums of squares over all elements and canaries, by the clone's ids. */
typedef struct powers {
	double *off, *own; /* how far a value is off; what its own rounding makes of that */
	float **wide;      /* what it is without rounding; channels first */
	size_t n;
	bool fill; /* in the run that finds it */
} powers;

static size_t stored_at(const tarn_shape *s, bool nhwc, size_t i)
{
	if (!nhwc)
		return i;
	size_t channels = (size_t)s->dim[1], pixels = 1;
	for (int k = 2; k < s->rank; k++)
		pixels *= (size_t)s->dim[k];
	size_t image = i / (channels * pixels), channel = i / pixels % channels, pixel = i % pixels;
	return (image * pixels + pixel) * channels + channel;
}

static void weigh(powers *p, uint32_t id, float x, bool round, float wide)
{
	float kept = round ? tarn_f16_to_f32(tarn_f32_to_f16(x)) : x;
	double own = (double)kept - x, off = (double)kept - wide;
	if (own - own == 0 && off - off == 0) {
		p->own[id] += own * own;
		p->off[id] += off * off;
	}
}

static void look(void *ctx, const npu_run *r, const npu_step *s)
{
	powers *p = ctx;
	for (int k = 0; s->layer && k < s->n_out; k++) {
		const npu_slot *slot = s->out[k] < 0 ? NULL : &r->exec->slot.at[s->out[k]];
		if (!slot || !slot->v || slot->v->type != TARN_F32 || slot->type != TARN_F32)
			continue;
		uint32_t id = slot->v->id;
		size_t n = (size_t)tarn_npu_count(slot->v);
		bool nhwc = r->exec->at[NPU_NHWC][id] == s->out[k];
		const float *x = npu_ptr(r, s->out[k]);
		if (p->fill && !p->wide[id])
			p->wide[id] = tarn_mem_alloc(n * sizeof(float));
		for (size_t i = 0; p->wide[id] && i < n; i++) {
			float y = x[stored_at(&slot->v->shape, nhwc, i)];
			if (p->fill)
				p->wide[id][i] = y;
			else
				weigh(p, id, y, s->round, p->wide[id][i]);
		}
	}
}

/* Runs both forms on one canary after the other. */
static tarn_err find_powers(const npu_trial *t, net *wide, net *half, powers *p)
{
	size_t inputs = t->g->input.len;
	tarn_tensor *out = tarn_mem_zalloc(t->g->output.len + 1, sizeof *out);
	if (!out)
		return tarn_err_nomem(t->g->output.len * sizeof *out);
	tarn_err err = outputs_new(t, out);
	net *both[] = {wide, half};
	for (int c = 0; c < t->canaries; c++) {
		for (int k = 0; err == TARN_OK && k < 2; k++) {
			npu_exec *x = both[k]->program.exec;
			p->fill = k == 0;
			x->watch = look;
			x->watch_ctx = p;
			err = run(t, both[k], c, out);
		}
		for (size_t i = 0; i < inputs; i++) {
			const tarn_tensor *in = &t->in[(size_t)c * inputs + i];
			for (int64_t k = 0, n = tarn_tensor_count(in); in->type == TARN_F32 && k < n; k++)
				weigh(p, half->model->main->input.at[i]->id, ((float *)in->data)[k], true,
				      ((float *)in->data)[k]);
		}
	}
	for (size_t i = 0; i < t->g->output.len; i++)
		tarn_tensor_fini(&out[i]);
	tarn_mem_free(out);
	return err;
}

static double off_in(const npu_layer *l, const powers *p)
{
	double sum = 0;
	for (int k = 0; k < l->main->n_in; k++)
		sum += l->main->in[k] && !l->main->in[k]->konst ? p->off[l->main->in[k]->id] : 0;
	return sum;
}

/* What only moves makes no step of its own: as far off as what it moves. */
static void fill_moved(const npu_layers *layers, powers *p)
{
	for (int i = 0; i < layers->n; i++)
		for (int k = 0; k < layers->at[i].main->n_out; k++) {
			const tarn_value *y = layers->at[i].main->out[k] ? tarn_npu_layer_out(&layers->at[i], k) : NULL;
			if (y && !p->wide[y->id])
				p->off[y->id] = off_in(&layers->at[i], p);
		}
}

/* Back from one value: what a unit of each value's error adds to it. A layer passes on of its inputs' errors what its result
 * is off beyond its own rounding. */
static void sweep_back(const npu_layers *layers, const powers *p, uint32_t from, double *gain)
{
	memset(gain, 0, p->n * sizeof *gain);
	gain[from] = 1;
	for (int i = layers->n; i-- > 0;) {
		const npu_layer *l = &layers->at[i];
		double passed = 0, in = off_in(l, p);
		for (int k = 0; k < l->main->n_out; k++) {
			const tarn_value *y = l->main->out[k] ? tarn_npu_layer_out(l, k) : NULL;
			passed += y ? gain[y->id] * fmax(p->off[y->id] - p->own[y->id], 0) : 0;
		}
		for (int k = 0; k < l->main->n_in && in > 0; k++)
			if (l->main->in[k] && !l->main->in[k]->konst)
				gain[l->main->in[k]->id] += passed / in;
	}
}

/* From the clone's ids to the graph's, scaled so that all add up to the variance found. */
static void hand_over(const npu_trial *t, const npu_layers *layers, const net *n, const powers *p, const double *gain,
		      double all, double *part)
{
	const tarn_graph *g = n->model->main;
	double sum = 0;
	for (size_t i = 0; i < t->g->input.len; i++) {
		uint32_t id = g->input.at[i]->id;
		sum += part[t->g->input.at[i]->id] = gain[id] * p->own[id];
	}
	for (int i = 0; i < layers->n; i++)
		for (int k = 0; k < layers->at[i].main->n_out; k++)
			if (layers->at[i].main->out[k]) {
				uint32_t id = tarn_npu_layer_out(&n->layers.at[i], k)->id;
				sum += part[tarn_npu_layer_out(&layers->at[i], k)->id] = gain[id] * p->own[id];
			}
	for (size_t i = 0; sum > 0 && i < t->g->value.len; i++)
		part[i] *= t->g->value.at[i]->konst ? 1 : all / sum;
}

tarn_err tarn_npu_trial_parts(npu_trial *t, const npu_layers *layers, npu_noise *noise)
{
	net wide = {0}, half = {0};
	powers p = {0};
	double *gain = NULL;
	tarn_err err = build(t, true, NULL, &wide);
	if (err == TARN_OK)
		err = build(t, false, NULL, &half);
	if (err == TARN_OK) {
		p.n = half.model->main->value.len;
		p.off = tarn_mem_zalloc(p.n + 1, sizeof *p.off);
		p.own = tarn_mem_zalloc(p.n + 1, sizeof *p.own);
		p.wide = tarn_mem_zalloc(p.n + 1, sizeof *p.wide);
		gain = tarn_mem_zalloc(p.n + 1, sizeof *gain);
		err = p.off && p.own && p.wide && gain ? find_powers(t, &wide, &half, &p)
						       : tarn_err_nomem(4 * p.n * sizeof *gain);
	}
	if (err == TARN_OK)
		fill_moved(&half.layers, &p);
	for (int i = 0; err == TARN_OK && i < t->n_out; i++) {
		double dev = noise->spread[i] > 0 ? noise->worst[i] / noise->spread[i] : 0;
		sweep_back(&half.layers, &p, half.model->main->output.at[i]->id, gain);
		hand_over(t, layers, &half, &p, gain, dev * dev, noise->of[i]);
	}
	for (size_t i = 0; p.wide && i < p.n; i++)
		tarn_mem_free(p.wide[i]);
	tarn_mem_free(p.wide);
	tarn_mem_free(p.off);
	tarn_mem_free(p.own);
	tarn_mem_free(gain);
	net_fini(&wide);
	net_fini(&half);
	return err;
}

int tarn_npu_trial_outputs(const npu_trial *t)
{
	return t->n_out;
}

void tarn_npu_trial_free(npu_trial *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->in && i < (size_t)t->made * t->g->input.len; i++)
		tarn_tensor_fini(&t->in[i]);
	for (size_t i = 0; t->ref && i < (size_t)t->made * t->g->output.len; i++)
		tarn_tensor_fini(&t->ref[i]);
	tarn_mem_free(t->in);
	tarn_mem_free(t->ref);
	tarn_mem_free(t);
}
