/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/judge.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ops/ops.h"

static const char *const squashing[] = {"Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid", "Tanh", NULL};

/* What to compare for output v: behind moves and a squashing function. */
static const tarn_value *telling(const tarn_value *v)
{
	const tarn_value *at = v;
	for (int depth = 0; depth < 8 && at->def && at->def->in[0] && !at->def->in[0]->konst; depth++) {
		if (tarn_quant_any_of(at->def, squashing))
			return at->def->in[0]->def ? at->def->in[0] : v;
		if (!(at->def->op->flags & TARN_OP_VIEW))
			break;
		at = at->def->in[0];
	}
	return v;
}

static bool listed(const quant_judge *j, int id)
{
	for (int i = 0; i < j->n; i++)
		if (j->which[i] == id)
			return true;
	return false;
}

static tarn_err choose(quant_judge *j)
{
	const tarn_graph *g = j->m->main;
	j->which = tarn_mem_zalloc(g->output.len + 1, sizeof *j->which);
	if (!j->which)
		return tarn_err_nomem(g->output.len * sizeof *j->which);
	for (size_t i = 0; i < g->output.len; i++) {
		const tarn_value *v = telling(g->output.at[i]);
		if (v->def && tarn_dtype_is_float(v->type) && !listed(j, (int)v->id))
			j->which[j->n++] = (int)v->id;
	}
	return TARN_OK;
}

static tarn_err keep(void *ctx, size_t i, tarn_request *r)
{
	quant_judge *j = ctx;
	for (int k = 0; k < j->n; k++)
		TRY(tarn_tensor_copy(&r->out[k], &j->want[i * (size_t)j->n + (size_t)k]));
	return TARN_OK;
}

/* Signal and noise of each compared value; decisions that changed. */
typedef struct comparison {
	const quant_judge *j;
	double *sums;
	int64_t changed;
} comparison;

/* Scores of classes, one row for each sample in the first axis: their number; 0: the tensor is something else. */
static int64_t classes_of(const tarn_tensor *t)
{
	int64_t count = tarn_tensor_count(t), most = 0;
	for (int i = 1; i < t->rank; i++)
		most = t->dim[i] > most ? t->dim[i] : most;
	return t->rank >= 2 && most >= 2 && count == most * t->dim[0] ? most : 0;
}

static int64_t largest(const tarn_tensor *t, int64_t first, int64_t n)
{
	int64_t at = first;
	for (int64_t i = first + 1; i < first + n; i++)
		if (tarn_tensor_f64(t, i) > tarn_tensor_f64(t, at))
			at = i;
	return at;
}

static int64_t changed_decisions(const tarn_tensor *a, const tarn_tensor *b)
{
	int64_t n = classes_of(a), changed = 0;
	for (int64_t i = 0; n && i < tarn_tensor_count(a); i += n)
		changed += largest(a, i, n) != largest(b, i, n);
	return changed;
}

static tarn_err compare(void *ctx, size_t i, tarn_request *r)
{
	comparison *c = ctx;
	for (int k = 0; k < c->j->n; k++) {
		const tarn_tensor *a = &c->j->want[i * (size_t)c->j->n + (size_t)k], *b = &r->out[k];
		int64_t count = tarn_tensor_count(a);
		CHECK(count == tarn_tensor_count(b), TARN_INTERNAL, "output %d changed its size", k);
		for (int64_t e = 0; e < count; e++) {
			double x = tarn_tensor_f64(a, e), d = x - tarn_tensor_f64(b, e);
			c->sums[2 * k] += x * x;
			c->sums[2 * k + 1] += d * d;
		}
		c->changed += changed_decisions(a, b);
	}
	return TARN_OK;
}

tarn_err tarn_quant_judge_init(quant_judge *j, const quant_plan *p, const tarn_quant_options *o)
{
	*j = (quant_judge){
		.o = o, .m = tarn_model_ref(p->m), .samples = tarn_quant_slice(o, tarn_quant_samples_for(p, 1e10, 64), 0)};
	TRY(choose(j));
	if (!j->n)
		return TARN_OK;
	j->want = tarn_mem_zalloc(j->samples.n * (size_t)j->n + 1, sizeof *j->want);
	j->best = tarn_mem_zalloc((size_t)j->n, sizeof *j->best);
	if (!j->want || !j->best)
		return tarn_err_nomem(j->samples.n * sizeof *j->want);
	return tarn_quant_run(p->m, j->which, j->n, o, j->samples, "running the float model", keep, j);
}

void tarn_quant_judge_fini(quant_judge *j)
{
	for (size_t i = 0; j->want && i < j->samples.n * (size_t)j->n; i++)
		tarn_tensor_fini(&j->want[i]);
	tarn_mem_free(j->want);
	tarn_mem_free(j->best);
	tarn_mem_free(j->which);
	tarn_model_unref((tarn_model *)(uintptr_t)j->m);
	*j = (quant_judge){0};
}

double tarn_quant_judge_db(const quant_judge *j)
{
	double sum = 0;
	for (int k = 0; k < j->n; k++)
		sum += j->best[k];
	return j->n ? sum / j->n : 0;
}

/* db and changed may be the best's successors. A decision is worth more than a little noise, which says where it would turn
 * over, but not that it does. */
static bool is_better(const quant_judge *j, const double *db, int64_t changed, double worth)
{
	const double noticeable = 0.5, large = 1;
	double gain = 0;
	for (int k = 0; k < j->n; k++) {
		if (j->judged && db[k] < j->best[k] - noticeable)
			return false;
		gain += (db[k] - j->best[k]) / j->n;
	}
	return !j->judged || gain > (changed > j->changed ? fmax(worth, large) : worth);
}

/* SQNR of each compared value of q, in dB; db has room for three times as many. */
static tarn_err measure(const quant_judge *j, const tarn_model *q, double *db, int64_t *changed)
{
	comparison c = {j, db + j->n, 0};
	int *which = tarn_mem_zalloc((size_t)j->n + 1, sizeof *which);
	if (!which)
		return tarn_err_nomem((size_t)j->n * sizeof *which);
	tarn_err err = tarn_quant_same_values(j->m, j->which, j->n, q, which);
	if (err == TARN_OK)
		err = tarn_quant_run(q, which, j->n, j->o, j->samples, "judging", compare, &c);
	for (int k = 0; k < j->n; k++)
		db[k] = c.sums[2 * k] > 0 ? 10 * log10(c.sums[2 * k] / fmax(c.sums[2 * k + 1], c.sums[2 * k] * 1e-20)) : 0;
	*changed = c.changed;
	tarn_mem_free(which);
	return err;
}

tarn_err tarn_quant_judge_measure(const quant_judge *j, const tarn_model *q, double *db)
{
	double *each = tarn_mem_zalloc((size_t)j->n * 3 + 1, sizeof *each);
	if (!each)
		return tarn_err_nomem((size_t)j->n * sizeof *each);
	int64_t changed;
	tarn_err err = j->n ? measure(j, q, each, &changed) : TARN_OK;
	*db = 0;
	for (int k = 0; k < j->n; k++)
		*db += each[k] / j->n;
	tarn_mem_free(each);
	return err;
}

tarn_err tarn_quant_judge_better(quant_judge *j, const tarn_model *q, double worth, bool *better)
{
	double *db = tarn_mem_zalloc((size_t)j->n * 3 + 1, sizeof *db);
	*better = !j->judged;
	if (!db)
		return tarn_err_nomem((size_t)j->n * sizeof *db);
	int64_t changed = 0;
	tarn_err err = j->n ? measure(j, q, db, &changed) : TARN_OK;
	if (err == TARN_OK && j->n) {
		*better = is_better(j, db, changed, worth);
		if (*better) {
			memcpy(j->best, db, (size_t)j->n * sizeof *db);
			j->changed = changed;
		}
	}
	j->judged |= err == TARN_OK;
	tarn_mem_free(db);
	return err;
}
