/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NonMaxSuppression: boxes [B,N,4], scores [B,C,N] -> selected [S,3] of (batch, class, box), per batch and class by falling
 * score (equal scores in order of index). A box is dropped when its overlap with a chosen one is above the threshold.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ops/real.h"

enum { CENTER };
static const tarn_attr_def attr[] = {{"center_point_box", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0}};

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *b = tarn_infer_shape(c, 0), *s = tarn_infer_shape(c, 1);
	TRY(tarn_infer_rank(c, 0, 3, 3));
	TRY(tarn_infer_rank(c, 1, 3, 3));
	CHECK(!b || b->dim[2] < 0 || b->dim[2] == 4, TARN_SHAPE, "a box has %" PRId64 " numbers; 4 are needed", b->dim[2]);
	if (b && s)
		for (int i = 0; i < 2; i++) {
			tarn_dim x = b->dim[i], y = s->dim[2 * i];
			CHECK(x < 0 || y < 0 || x == y, TARN_SHAPE, "boxes have size %" PRId64 " where scores have %" PRId64, x,
			      y);
		}
	int64_t hi = TARN_DIM_MAX;
	if (s && tarn_shape_is_static(s))
		TRY(tarn_shape_count(s, &hi));
	tarn_shape out = {.rank = 2, .dim = {0, 3}};
	TRY(tarn_symtab_fresh(c->syms, 0, hi, &out.dim[0]));
	tarn_infer_out(c, 0, TARN_I64, &out);
	return TARN_OK;
}

typedef struct box {
	double y0, x0, y1, x1;
} box;

static box box_of(const double *v, bool center)
{
	if (center) /* x, y, width, height */
		return (box){v[1] - v[3] / 2, v[0] - v[2] / 2, v[1] + v[3] / 2, v[0] + v[2] / 2};
	return (box){fmin(v[0], v[2]), fmin(v[1], v[3]), fmax(v[0], v[2]), fmax(v[1], v[3])};
}

static double overlap(const box *a, const box *b)
{
	double h = fmin(a->y1, b->y1) - fmax(a->y0, b->y0), w = fmin(a->x1, b->x1) - fmax(a->x0, b->x0);
	if (h <= 0 || w <= 0)
		return 0;
	double both = h * w, any = (a->y1 - a->y0) * (a->x1 - a->x0) + (b->y1 - b->y0) * (b->x1 - b->x0) - both;
	return any > 0 ? both / any : 0;
}

typedef struct candidate {
	double score;
	int64_t at;
} candidate;

static int by_score(const void *a, const void *b)
{
	const candidate *x = a, *y = b;
	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return x->at < y->at ? -1 : 1;
}

typedef struct nms {
	int64_t limit;
	double iou, score;
	bool scored, center;
	candidate *list;
	VEC(int64_t) found;
} nms;

static tarn_err select_class(nms *q, const double *boxes, const double *scores, int64_t n, int64_t b, int64_t c)
{
	int64_t count = 0, kept = 0;
	size_t first = q->found.len;
	for (int64_t i = 0; i < n; i++)
		if (!isnan(scores[i]) && (!q->scored || scores[i] > q->score))
			q->list[count++] = (candidate){scores[i], i};
	qsort(q->list, (size_t)count, sizeof *q->list, by_score);
	for (int64_t i = 0; i < count && kept < q->limit; i++) {
		box x = box_of(boxes + 4 * q->list[i].at, q->center);
		bool keep = true;
		for (size_t k = first; k < q->found.len && keep; k += 3) {
			box y = box_of(boxes + 4 * q->found.at[k + 2], q->center);
			keep = overlap(&x, &y) <= q->iou;
		}
		if (!keep)
			continue;
		TRY(VEC_RESERVE(&q->found, q->found.len + 3));
		q->found.at[q->found.len++] = b;
		q->found.at[q->found.len++] = c;
		q->found.at[q->found.len++] = q->list[i].at;
		kept++;
	}
	return TARN_OK;
}

static double number(const tarn_eval *e, int i, double otherwise)
{
	const tarn_tensor *t = tarn_eval_in(e, i);
	return t && tarn_tensor_count(t) ? tarn_tensor_f64(t, 0) : otherwise;
}

static tarn_err eval(tarn_eval *e)
{
	const tarn_tensor *boxes = e->in[0], *scores = e->in[1];
	CHECK(boxes->rank == 3 && scores->rank == 3 && boxes->dim[2] == 4 && boxes->dim[0] == scores->dim[0] &&
		      boxes->dim[1] == scores->dim[2],
	      TARN_SHAPE, "boxes [batch, n, 4] and scores [batch, classes, n] are needed");
	int64_t n = boxes->dim[1], classes = scores->dim[1];
	double limit = number(e, 2, 0), *vb = NULL, *vs = NULL;
	nms q = {.limit = limit > 0 ? limit > (double)n ? n : (int64_t)limit : 0,
		 .iou = number(e, 3, 0),
		 .score = number(e, 4, 0)};
	q.scored = tarn_eval_in(e, 4) != NULL;
	q.center = tarn_attr_i(e->node, CENTER);
	tarn_err err;
	TRY_GOTO(done, tarn_real_load(boxes, &vb));
	TRY_GOTO(done, tarn_real_load(scores, &vs));
	q.list = tarn_mem_zalloc((size_t)n + 1, sizeof *q.list);
	CHECK_GOTO(done, q.list, TARN_NOMEM, "out of memory for %" PRId64 " boxes", n);
	for (int64_t b = 0; b < boxes->dim[0]; b++)
		for (int64_t c = 0; c < classes; c++)
			TRY_GOTO(done, select_class(&q, vb + b * n * 4, vs + (b * classes + c) * n, n, b, c));
	int64_t dim[] = {(int64_t)q.found.len / 3, 3};
	TRY_GOTO(done, tarn_eval_out(e, 0, TARN_I64, 2, dim));
	for (size_t i = 0; i < q.found.len; i++)
		((int64_t *)e->out[0].data)[i] = q.found.at[i];
done:
	tarn_mem_free(vb);
	tarn_mem_free(vs);
	tarn_mem_free(q.list);
	VEC_FINI(&q.found);
	return err;
}

const tarn_op_def tarn_op_non_max_suppression = {
	.name = "NonMaxSuppression",
	.onnx_since = 10,
	.min_in = 2,
	.max_in = 5,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = 1,
	.flags = TARN_OP_DATA_SHAPE | TARN_OP_FLAT,
	.infer = infer,
	.eval = eval,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
