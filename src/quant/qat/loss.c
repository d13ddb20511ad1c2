/* SPDX-License-Identifier: Apache-2.0 */
/* What training makes small: the distance of an output to the teacher's and to the labels. */
#include <math.h>
#include <string.h>

#include "ir/op.h"
#include "quant/plan.h"
#include "quant/qat/net.h"

/* Weight of the relative mean square beside the divergence of a classifier: it tells also where the teacher is certain. */
#define LOGIT_SHARE 1.0
/* While training on labels alone, all classes share this much of the target: certainty is not learned by heart. */
#define SMOOTH 0.05
#define LEAST 1e-7

static const tarn_node *last_softmax(const tarn_graph *g, size_t i)
{
	static const char *const moves[] = {"Reshape", "Identity", "Flatten", "Squeeze", "Unsqueeze", NULL};
	static const char *const softmax[] = {"Softmax", "LogSoftmax", NULL};
	const tarn_value *v = g->output.at[i];
	for (int depth = 0; depth < 8 && tarn_quant_any_of(v->def, moves); depth++)
		v = v->def->in[0];
	return tarn_quant_any_of(v->def, softmax) ? v->def : NULL;
}

const tarn_value *qat_tap(const tarn_graph *g, size_t i)
{
	const tarn_node *n = last_softmax(g, i);
	const tarn_shape *s = n ? &n->in[0]->shape : NULL;
	int64_t axis = n ? tarn_attr_i(n, tarn_attr_index(n->op, "axis")) : 0;
	return n && n->in[0]->def && s->rank == 2 && (axis == 1 || axis == -1) ? n->in[0] : g->output.at[i];
}

qat_head qat_head_of(const tarn_value *tap, bool labelled)
{
	if (tarn_quant_is(tap->def, "Softmax"))
		return QAT_SOFTMAX;
	if (tarn_quant_is(tap->def, "LogSoftmax"))
		return QAT_LOGSOFTMAX;
	return labelled || (tap->shape.rank == 2 && tap->shape.dim[1] != 1) ? QAT_LOGITS : QAT_RAW;
}

/* Rows are the first axis, classes all the others. */
static void rows_of(const tarn_tensor *y, int64_t *rows, int64_t *classes)
{
	int64_t n = tarn_tensor_count(y);
	*rows = y->rank >= 2 ? y->dim[0] : 1;
	*classes = *rows ? n / *rows : 0;
}

static void softmax(const float *x, int64_t n, double *p)
{
	double top = -INFINITY, sum = 0;
	for (int64_t i = 0; i < n; i++)
		top = x[i] > top ? x[i] : top;
	for (int64_t i = 0; i < n; i++)
		sum += p[i] = exp(x[i] - top);
	for (int64_t i = 0; i < n; i++)
		p[i] /= sum;
}

/* Probabilities an output means. */
static void probabilities(qat_head head, const float *x, int64_t n, double *p)
{
	if (head == QAT_LOGITS)
		softmax(x, n, p);
	for (int64_t i = 0; i < n && head != QAT_LOGITS; i++)
		p[i] = head == QAT_SOFTMAX ? x[i] : exp(x[i]);
}

/* Cross-entropy of one row against the wanted distribution, less the latter's own entropy; weight w. */
static double row_loss(qat_head head, const double *p, const double *want, int64_t n, double w, float *dy)
{
	double loss = 0;
	for (int64_t i = 0; i < n; i++) {
		double q = fmax(p[i], LEAST);
		if (want[i] > 0)
			loss += want[i] * (log(fmax(want[i], LEAST)) - log(q));
		if (!dy)
			continue;
		if (head == QAT_LOGITS)
			dy[i] += (float)(w * (p[i] - want[i]));
		else
			dy[i] -= (float)(w * want[i] / (head == QAT_SOFTMAX ? q : 1));
	}
	return w * loss;
}

static double classes_loss(qat_head head, const float *y, int64_t n, const float *teacher, const int64_t *label,
			   double by_label, double share, float *dy, double *scratch)
{
	double *p = scratch, *want = scratch + n, loss = 0;
	probabilities(head, y, n, p);
	if (teacher) {
		probabilities(head, teacher, n, want);
		loss += row_loss(head, p, want, n, share * (1 - by_label), dy);
	}
	if (label && *label >= 0 && *label < n) {
		double smooth = dy && !teacher ? SMOOTH : 0;
		for (int64_t i = 0; i < n; i++)
			want[i] = smooth / (double)n;
		want[*label] += 1 - smooth;
		loss += row_loss(head, p, want, n, share * by_label, dy);
	}
	return loss;
}

/* |y - t|^2 / |t|^2 */
static double square_loss(const float *y, const float *t, int64_t n, double share, float *dy)
{
	double size = 0, off = 0;
	for (int64_t i = 0; i < n; i++) {
		size += (double)t[i] * t[i];
		off += ((double)y[i] - t[i]) * ((double)y[i] - t[i]);
	}
	size = fmax(size, 1e-12 * (double)n);
	for (int64_t i = 0; dy && i < n; i++)
		dy[i] += (float)(share * 2 * ((double)y[i] - t[i]) / size);
	return share * off / size;
}

double qat_loss(qat_head head, const tarn_tensor *y, const qat_target *t, float *dy)
{
	int64_t rows, classes;
	double few[2 * 256], *scratch = few, loss = 0;
	rows_of(y, &rows, &classes);
	if (dy)
		memset(dy, 0, (size_t)(rows * classes) * sizeof *dy);
	if (head == QAT_RAW || !classes)
		return t->teacher ? square_loss(y->data, t->teacher, rows * classes, 1, dy) : 0;
	tarn_arena arena = {0};
	if (classes > 256)
		scratch = tarn_arena_zalloc(&arena, 2 * (size_t)classes, sizeof *scratch);
	if (!scratch)
		return NAN; /* seen as a loss that is not finite */
	double by_label = !t->label ? 0 : !t->teacher ? 1 : t->label_weight;
	for (int64_t r = 0; r < rows; r++)
		loss += classes_loss(head, (const float *)y->data + r * classes, classes,
				     t->teacher ? t->teacher + r * classes : NULL, t->label ? t->label + r : NULL, by_label,
				     1 / (double)rows, dy ? dy + r * classes : NULL, scratch);
	if (t->teacher && head == QAT_LOGITS)
		loss += square_loss(y->data, t->teacher, rows * classes, LOGIT_SHARE * (1 - by_label), dy);
	tarn_arena_fini(&arena);
	return loss;
}

static int64_t largest(const float *x, int64_t n)
{
	int64_t best = 0;
	for (int64_t i = 1; i < n; i++)
		best = x[i] > x[best] ? i : best;
	return best;
}

size_t qat_right(const tarn_tensor *y, const qat_target *t, size_t *rows)
{
	int64_t n, classes;
	size_t right = 0;
	rows_of(y, &n, &classes);
	for (int64_t r = 0; r < n && classes; r++) {
		int64_t got = largest((const float *)y->data + r * classes, classes);
		right += got == (t->label ? t->label[r] : largest(t->teacher + r * classes, classes));
	}
	*rows = (size_t)n;
	return right;
}
