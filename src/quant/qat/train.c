/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: batches over threads, Adam, a judgement after every epoch, the best kept. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "ops/grad.h"
#include "quant/qat/stash.h"
#include "quant/qat/state.h"

/* What a thread is given for one batch. */
typedef struct lane {
	qat_walk walk;
	float **dy; /* by output: room for its gradient */
	size_t *dy_size;
	double loss;
	tarn_err err;
	char text[512];
} lane;

typedef struct trainer {
	qat_net net;
	qat_data data;
	qat_state state;
	const tarn_qat_options *o;
	tarn_qat_score rival; /* over all samples */
	double first_rate;
	tarn_qat_options own; /* with the mixtures among the samples */
	qat_mix mix;
	tarn_qat_report *r;
	tarn_pool *pool;
	const tarn_value **tap; /* by output: what stands for it in the loss */
	lane *lane;
	int lanes;
	qat_stash stash;
	qat_sizes sizes;
	/* The batch at hand. */
	tarn_tensor **in; /* by place in the batch: the sample's inputs */
	size_t *sample;
	size_t n_batch, batch;
	int64_t started;
} trainer;

static tarn_err gradient_room(lane *l, size_t k, size_t n)
{
	if (l->dy_size[k] >= n)
		return TARN_OK;
	tarn_mem_free(l->dy[k]);
	l->dy_size[k] = n;
	l->dy[k] = tarn_mem_zalloc(n, sizeof *l->dy[k]);
	return l->dy[k] ? TARN_OK : tarn_err_nomem(n * sizeof *l->dy[k]);
}

static tarn_err learn_sample(trainer *t, lane *l, size_t i)
{
	size_t offset = 0, outputs = t->data.n_output;
	tarn_arena scratch = {0};
	tarn_err err;
	tarn_tensor *dout = tarn_arena_zalloc(&scratch, outputs + 1, sizeof *dout);
	CHECK_GOTO(out, dout, TARN_NOMEM, "out of memory");
	TRY_GOTO(out, qat_walk_forward(&l->walk, t->in[i]));
	for (size_t k = 0; k < outputs; k++) {
		const tarn_tensor *y = qat_walk_value(&l->walk, t->tap[k]);
		qat_target target;
		TRY_GOTO(out, qat_data_target(&t->data, t->sample[i], k, y, &offset, &target));
		if (y->type != TARN_F32 || (!target.teacher && !target.label))
			continue;
		TRY_GOTO(out, gradient_room(l, k, (size_t)tarn_tensor_count(y)));
		l->loss += qat_loss(t->data.head[k], y, &target, l->dy[k]);
		dout[k] = *y;
		dout[k].buf = NULL;
		dout[k].data = l->dy[k];
	}
	TRY_GOTO(out, qat_walk_backward(&l->walk, t->tap, dout, outputs));
out:
	tarn_arena_fini(&scratch);
	return err;
}

static void learn_lane(void *arg, int task, int n_tasks)
{
	trainer *t = arg;
	lane *l = &t->lane[task];
	memset(l->walk.grad, 0, t->net.n_theta * sizeof *l->walk.grad);
	l->loss = 0;
	l->err = TARN_OK;
	for (size_t i = (size_t)task; i < t->n_batch && l->err == TARN_OK; i += (size_t)n_tasks)
		l->err = learn_sample(t, l, i);
	if (l->err != TARN_OK)
		snprintf(l->text, sizeof l->text, "%s", tarn_err_text());
}

static void forget_batch(trainer *t)
{
	for (size_t i = 0; i < t->batch; i++)
		for (size_t k = 0; k < t->net.m->main->input.len; k++)
			tarn_tensor_fini(&t->in[i][k]);
}

/* Reads the samples order[first..] and sums their mean gradient into lane 0. */
static tarn_err learn_batch(trainer *t, const size_t *order, size_t n, double *loss)
{
	tarn_err err = TARN_OK;
	t->n_batch = n;
	for (size_t i = 0; i < n && err == TARN_OK; i++) {
		t->sample[i] = order[i];
		err = t->o->data->sample(t->o->data->ctx, order[i], t->in[i]);
	}
	if (err == TARN_OK)
		tarn_pool_run(t->pool, t->lanes, learn_lane, t);
	forget_batch(t);
	TRY(err);
	*loss = 0;
	float *sum = t->lane[0].walk.grad;
	for (int k = 0; k < t->lanes; k++) {
		if (t->lane[k].err != TARN_OK)
			return tarn_err_set(t->lane[k].err, "%s", t->lane[k].text);
		*loss += t->lane[k].loss / (double)n;
		for (size_t i = 0; k && i < t->net.n_theta; i++)
			sum[i] += t->lane[k].walk.grad[i];
	}
	for (size_t i = 0; i < t->net.n_theta; i++)
		sum[i] /= (float)n;
	return TARN_OK;
}

/* Where the rival gets as many samples right as the trained model there is little to win and chance decides on others: then the
 * loss must have fallen by so much. */
#define CLEARLY 0.5

/* So few samples on the holdout say little: then those that were trained on count as much; the more there are, the less. */
#define FEW 10.

/* Share of samples with another class than they should have. */
static double wrong(const tarn_qat_score *s)
{
	return s->n ? 1 - (double)s->right / (double)s->n : 0;
}

/* Is a candidate with this score on the holdout one that may leave? Its loss there must have fallen. With few bits many classes
 * are wrong before and after, and so many more or fewer as their number's standard deviation are chance. Over all samples (a
 * holdout is small) it must be nearer than the rival, with no fewer right. *rank: what makes it better than others; one that
 * may not leave has INFINITY. */
static tarn_err rank(const trainer *t, const tarn_model *m, const tarn_qat_score *s, double *rank)
{
	const tarn_qat_score *before = &t->r->before;
	double weight = fmin(1, FEW * FEW / (double)(t->data.n_hold * t->data.n_hold));
	tarn_qat_score all;
	double chance_wrong = qat_state_few_bits(&t->net) ? sqrt((double)(before->n - before->right)) : 0;
	bool worse = (double)s->right + chance_wrong < (double)before->right;
	*rank = isfinite(s->loss) && s->loss < before->loss && !worse ? s->loss : INFINITY;
	if (t->o->fresh || *rank == INFINITY)
		return TARN_OK;
	TRY(qat_score(&t->data, m, true, &all, NULL));
	bool chance = t->data.teacher && !qat_state_few_bits(&t->net) && all.n && all.right == t->rival.right;
	if (all.right < t->rival.right || all.loss >= t->rival.loss || (chance && s->loss > CLEARLY * before->loss))
		*rank = INFINITY;
	else if (t->data.teacher)
		*rank += weight * (all.loss + wrong(&all));
	return TARN_OK;
}

/* Judges theta as an exported model; keeps it when it is the best so far. */
static tarn_err judge(trainer *t, const float *theta, double *loss)
{
	tarn_model *m;
	tarn_qat_score s;
	double place = INFINITY;
	TRY(qat_net_export(&t->net, theta, &m));
	tarn_err err = qat_score(&t->data, m, false, &s, NULL);
	if (err == TARN_OK)
		err = rank(t, m, &s, &place);
	tarn_model_unref(m);
	TRY(err);
	*loss = fmin(*loss, s.loss);
	if (place < t->state.best_rank) {
		t->state.best_rank = place;
		t->state.best_score = s;
		memcpy(t->state.best, theta, t->net.n_theta * sizeof *theta);
		t->r->improved = true;
	}
	return TARN_OK;
}

static void tell(const trainer *t, size_t done, size_t total, double loss)
{
	const tarn_quant_options *q = t->o->data;
	char what[96];
	double spent = (double)(tarn_clock_ns() - t->started) / 1e9, fresh = (double)(t->state.step - t->state.resumed_step);
	double left = fresh > 0 ? spent / fresh * (double)(total - done) : 0;
	if (!q->progress)
		return;
	snprintf(what, sizeof what, "training: loss %.4g, %.0f s left, step", loss, left);
	q->progress(q->ctx, what, done, total);
}

static tarn_err epoch(trainer *t, size_t *order, size_t total)
{
	uint64_t rng = t->o->seed ^ (0x65706f63u + (uint64_t)t->state.epoch * 0x9e3779b9u);
	qat_shuffle(order, t->data.n_train, &rng);
	for (size_t first = 0; first < t->data.n_train; first += t->batch) {
		double loss;
		size_t n = t->data.n_train - first < t->batch ? t->data.n_train - first : t->batch;
		if (t->o->data->stop && t->o->data->stop(t->o->data->ctx)) {
			t->r->interrupted = true;
			return TARN_OK;
		}
		qat_net_set(&t->net, t->state.theta);
		TRY(learn_batch(t, order + first, n, &loss));
		if (isfinite(loss)) {
			qat_net_chain(&t->net, t->state.theta, t->lane[0].walk.grad);
			qat_state_step(&t->state, &t->net, t->lane[0].walk.grad, total);
		} else {
			qat_state_retreat(&t->state); /* diverged */
			t->state.step++;
		}
		tell(t, (size_t)t->state.step, total, loss);
	}
	return TARN_OK;
}

/* Steps so large that an epoch ends this much worse than the best are halved, down to the least. */
#define WORSE 1.5
#define LEAST_RATE (1. / 16)

/* Two candidates after an epoch: the weights, and their running average. */
static tarn_err judge_epoch(trainer *t)
{
	double loss = INFINITY;
	TRY(judge(t, t->state.theta, &loss));
	TRY(judge(t, t->state.mean, &loss));
	if (t->data.teacher && !(loss <= WORSE * t->state.best_score.loss) && t->state.rate > LEAST_RATE * t->first_rate) {
		qat_state_retreat(&t->state);
		t->r->halved++;
	}
	return TARN_OK;
}

/* Few samples must be seen often before codes of few bits have found their places; on large networks that takes too long. */
enum { WANTED_STEPS = 1000 };
#define MOST_BYTES 16e9 /* of values that walks go through for it */

static size_t epochs_of(const trainer *t, size_t steps)
{
	size_t least = (size_t)qat_state_epochs(&t->net), more = (WANTED_STEPS + steps - 1) / steps, bytes = 1;
	if (t->o->epochs > 0 || !qat_state_few_bits(&t->net))
		return t->o->epochs > 0 ? (size_t)t->o->epochs : least;
	for (size_t i = 0; i < t->net.m->main->value.len; i++)
		bytes += t->sizes.value[i];
	double room = MOST_BYTES / ((double)bytes * (double)t->data.n_train);
	more = (double)more > room ? (size_t)room : more;
	return more > least ? more : least;
}

static tarn_err loop(trainer *t)
{
	size_t steps = (t->data.n_train + t->batch - 1) / t->batch;
	int epochs = (int)epochs_of(t, steps);
	size_t total = steps * (size_t)epochs;
	size_t *order = tarn_mem_zalloc(t->data.n_train, sizeof *order);
	tarn_err err = order ? TARN_OK : tarn_err_nomem(t->data.n_train * sizeof *order);
	t->started = tarn_clock_ns();
	while (err == TARN_OK && t->state.epoch < epochs && !t->r->interrupted) {
		memcpy(order, t->data.order, t->data.n_train * sizeof *order);
		err = epoch(t, order, total);
		if (err == TARN_OK)
			err = judge_epoch(t);
		if (err != TARN_OK || t->r->interrupted)
			break;
		t->state.epoch++;
		if (t->o->checkpoint)
			err = qat_state_save(&t->state, t->o->checkpoint);
	}
	t->r->epochs = t->state.epoch;
	t->r->steps = (int)t->state.step;
	t->r->seconds = (double)(tarn_clock_ns() - t->started) / 1e9;
	tarn_mem_free(order);
	return err;
}

/* ---- room ---- */

/* Bytes beside the walks: theta, best, mean, two moments, units, and the tensors made of theta; a gradient of each thread; what
 * the teacher said; the samples of a batch. */
static size_t fixed_bytes(const trainer *t, int lanes)
{
	size_t sum = t->net.n_theta * sizeof(float) * (size_t)(7 + lanes), inputs = 0;
	for (size_t i = 0; t->data.teacher && i < t->o->data->n_sample; i++)
		sum += t->data.size[i] * sizeof(float);
	for (size_t k = 0; k < t->net.m->main->input.len; k++)
		inputs += t->sizes.value[t->net.m->main->input.at[k]->id];
	return sum + t->batch * inputs;
}

/* How much a walk's values take is found by walking forward with nothing kept, then forward and back by the plan that holds
 * least. Then the plan is chosen: rather work done twice than a thread that stands idle. */
static tarn_err fit_budget(trainer *t)
{
	double loss;
	size_t order = t->data.order[0], outputs = t->data.n_output, budget = t->r->budget;
	qat_walk *w = &t->lane[0].walk;
	tarn_tensor **in = t->in;
	t->lanes = 1;
	qat_net_set(&t->net, t->state.theta);
	TRY(qat_sizes_init(&t->sizes, &t->net, &t->data.arena));
	TRY(qat_stash_init(&t->stash, &t->net, t->tap, outputs, &t->data.arena));
	w->sizes = &t->sizes;
	w->stash = &t->stash;
	tarn_err err = t->o->data->sample(t->o->data->ctx, order, in[0]);
	if (err == TARN_OK)
		err = qat_walk_forward(w, in[0]);
	forget_batch(t);
	TRY(err);
	TRY(qat_stash_choose(&t->stash, &t->net, &t->sizes, t->tap, outputs, 0));
	TRY(learn_batch(t, &order, 1, &loss));
	CHECK(isfinite(loss), TARN_BAD_FILE, "the loss of the first sample is not a finite number");
	for (t->lanes = t->r->threads;; t->lanes--) {
		size_t fixed = fixed_bytes(t, t->lanes), each = budget > fixed ? (budget - fixed) / (size_t)t->lanes : 0;
		TRY(qat_stash_choose(&t->stash, &t->net, &t->sizes, t->tap, outputs, each));
		if (t->stash.peak <= each)
			break;
		CHECK(t->lanes > 1, TARN_NOMEM,
		      "training needs %.1f MB, more than the %.1f MB allowed; raise the budget or take smaller samples",
		      (double)(fixed + t->stash.peak) / 1e6, (double)budget / 1e6);
	}
	t->r->planned = fixed_bytes(t, t->lanes) + t->stash.peak * (size_t)t->lanes;
	t->r->threads = t->lanes;
	t->r->again = t->stash.again;
	for (size_t i = 0; i < t->net.m->main->node.len; i++)
		t->r->nodes += !t->net.skip[i];
	w->most = 0;
	return TARN_OK;
}

/* What was held at most, by count. */
static void count_bytes(trainer *t)
{
	t->r->bytes = fixed_bytes(t, t->lanes);
	for (int i = 0; i < t->lanes; i++)
		t->r->bytes += t->lane[i].walk.most;
}

static tarn_err lane_init(lane *l, const qat_net *net, size_t outputs)
{
	l->dy = tarn_mem_zalloc(outputs + 1, sizeof *l->dy);
	l->dy_size = tarn_mem_zalloc(outputs + 1, sizeof *l->dy_size);
	return l->dy && l->dy_size ? qat_walk_init(&l->walk, net) : tarn_err_nomem(outputs * sizeof *l->dy);
}

static void lane_fini(lane *l, size_t outputs)
{
	for (size_t k = 0; l->dy && k < outputs; k++)
		tarn_mem_free(l->dy[k]);
	tarn_mem_free(l->dy);
	tarn_mem_free(l->dy_size);
	if (l->walk.net)
		qat_walk_fini(&l->walk);
}

static tarn_err rooms(trainer *t)
{
	size_t inputs = t->net.m->main->input.len;
	tarn_arena *a = &t->data.arena;
	t->r->threads = t->o->threads > 0 ? t->o->threads : tarn_thread_cpus();
	t->r->budget = t->o->budget ? t->o->budget : (size_t)(tarn_mem_total() / 2);
	/* a hundred steps an epoch, within limits */
	t->batch = t->data.n_train / 100 < 8 ? 8 : t->data.n_train / 100 > 32 ? 32 : t->data.n_train / 100;
	t->batch = t->o->batch > 0 ? (size_t)t->o->batch : t->batch;
	t->batch = t->batch > t->data.n_train ? t->data.n_train : t->batch;
	t->lane = tarn_arena_zalloc(a, (size_t)t->r->threads, sizeof *t->lane);
	t->in = tarn_arena_zalloc(a, t->batch, sizeof *t->in);
	t->sample = tarn_arena_zalloc(a, t->batch, sizeof *t->sample);
	t->tap = tarn_arena_zalloc(a, t->data.n_output + 1, sizeof *t->tap);
	if (!t->lane || !t->in || !t->sample || !t->tap)
		return tarn_err_nomem(t->batch * sizeof *t->in);
	for (size_t k = 0; k < t->data.n_output; k++)
		t->tap[k] = qat_data_value(&t->data, t->net.m->main, k);
	for (size_t i = 0; i < t->batch; i++) {
		t->in[i] = tarn_arena_zalloc(a, inputs + 1, sizeof **t->in);
		if (!t->in[i])
			return tarn_err_nomem(inputs * sizeof **t->in);
	}
	TRY(tarn_pool_new(t->r->threads, &t->pool));
	TRY(lane_init(&t->lane[0], &t->net, t->data.n_output));
	TRY(fit_budget(t));
	for (int i = 1; i < t->lanes; i++) {
		TRY(lane_init(&t->lane[i], &t->net, t->data.n_output));
		t->lane[i].walk.stash = &t->stash;
	}
	return TARN_OK;
}

static void trainer_fini(trainer *t)
{
	for (int i = 0; t->lane && i < t->r->threads; i++)
		lane_fini(&t->lane[i], t->data.n_output);
	tarn_pool_free(t->pool);
	qat_state_fini(&t->state);
	qat_data_fini(&t->data);
	qat_net_fini(&t->net);
}

/* Everything on the way from a parameter to an output must have a gradient; said before any work. */
static tarn_err check_gradients(const qat_net *net)
{
	const tarn_graph *g = net->m->main;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		bool wants = false;
		for (int k = 0; k < n->n_out; k++)
			wants |= n->out[k] && net->wants[n->out[k]->id] && tarn_dtype_is_float(n->out[k]->type);
		CHECK(!wants || net->skip[i] || tarn_node_has_grad(n), TARN_UNSUPPORTED,
		      "operator %s (node '%s') has no gradient: this model cannot be trained", n->op->name, n->name);
	}
	return TARN_OK;
}

tarn_err tarn_qat_check(const tarn_model *m)
{
	qat_net net;
	tarn_err err = qat_net_init(&net, m);
	if (err == TARN_OK)
		err = check_gradients(&net);
	qat_net_fini(&net);
	return err;
}

/* What leaves when training finds nothing better. */
static const tarn_model *rival_of(const trainer *t, const tarn_model *start)
{
	return t->o->rival ? t->o->rival : start;
}

/* What training must beat: the model that came and its rival, or the random one it starts from. */
static tarn_err score_start(trainer *t, const tarn_model *start)
{
	tarn_model *m;
	if (!t->o->fresh) {
		TRY(qat_score(&t->data, rival_of(t, start), true, &t->rival, NULL));
		return qat_score(&t->data, start, false, &t->r->before, NULL);
	}
	TRY(qat_net_export(&t->net, t->state.theta, &m));
	tarn_err err = qat_score(&t->data, m, false, &t->r->before, NULL);
	tarn_model_unref(m);
	return err;
}

/* The samples, with so many mixtures; o is as it came. */
static tarn_err gather(trainer *t, const tarn_qat_options *o, size_t mixed, const tarn_model *teacher, const tarn_model *start)
{
	qat_data_fini(&t->data);
	qat_mix_init(&t->mix, t->net.m->main, o, mixed);
	t->own = *o;
	t->own.data = &t->mix.data;
	t->o = &t->own;
	return qat_data_init(&t->data, t->o, &t->mix, start, teacher);
}

/* Mixtures keep few samples from being learned by heart. A model that has nearly every sample kept out right does not suffer
 * from that: the samples themselves refine it better, and mixtures would only lead away from them. */
#define NEARLY 0.95

static bool nearly_right(const tarn_qat_score *s)
{
	return s->n && (double)s->right >= NEARLY * (double)s->n;
}

static tarn_err train(trainer *t, const tarn_model *teacher, const tarn_model *start, tarn_model **out)
{
	const tarn_qat_options *o = t->o;
	TRY(qat_net_init(&t->net, start));
	TRY(check_gradients(&t->net));
	size_t mixed = qat_mix_count(&t->net, teacher != NULL, qat_state_few_bits(&t->net), o);
	TRY(gather(t, o, 0, teacher, start));
	if (!o->fresh)
		TRY(score_start(t, start));
	if (mixed && (o->mix > 0 || !nearly_right(&t->r->before)))
		TRY(gather(t, o, mixed, teacher, start));
	TRY(qat_state_init(&t->state, &t->net, teacher, t->o));
	if (o->fresh)
		TRY(score_start(t, start));
	t->first_rate = t->state.rate;
	t->r->parameters = t->net.n_theta;
	t->r->trained_on = t->data.n_real;
	t->r->mixed = t->data.mixed;
	t->r->holdout = t->data.n_hold;
	t->state.best_score = t->r->before;
	t->state.best_rank = INFINITY;
	TRY(rooms(t));
	if (t->o->resume && t->o->checkpoint)
		TRY(qat_state_load(&t->state, t->o->checkpoint, &t->r->resumed));
	t->r->improved = t->r->resumed && isfinite(t->state.best_rank);
	TRY(loop(t));
	count_bytes(t);
	t->r->after = t->r->improved ? t->state.best_score : t->r->before;
	return t->r->improved ? qat_net_export(&t->net, t->state.best, out) : tarn_model_clone(rival_of(t, start), out);
}

tarn_err tarn_qat_train(const tarn_model *teacher, const tarn_model *start, const tarn_qat_options *o, tarn_model **out,
			tarn_qat_report *r)
{
	trainer t = {.o = o, .r = r};
	*r = (tarn_qat_report){0};
	tarn_err err = train(&t, teacher, start, out);
	trainer_fini(&t);
	return err;
}
