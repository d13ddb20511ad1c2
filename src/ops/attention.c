/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ScaledDotProductAttention (OpenVINO): softmax(q k^T * scale + mask) v over the last two axes; leading axes broadcast. The
 * mask is of the data's type (added) or bool (true keeps), a scalar 0 means none; it is ignored when causal (position j is seen
 * by i when j <= i).
 */
#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "ops/gemm_core.h"
#include "ops/ops.h"

enum { CAUSAL };
static const tarn_attr_def attr[] = {{"causal", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0}};
enum { Q, K, V, MASK, SCALE };

static tarn_err infer(tarn_infer *c)
{
	const tarn_shape *q = tarn_infer_shape(c, Q), *k = tarn_infer_shape(c, K), *v = tarn_infer_shape(c, V);
	tarn_shape scores, out;
	tarn_matmul_dims d;
	TRY(tarn_infer_class(c, Q, TARN_CLS_F));
	for (int i = Q; i <= V; i++)
		TRY(tarn_infer_rank(c, i, 2, -1));
	if (!q || !k || !v) {
		tarn_infer_out(c, 0, tarn_infer_type(c, Q), NULL);
		return TARN_OK;
	}
	TRY(tarn_matmul_shape(c->syms, q, k, false, true, &scores, &d));
	TRY(tarn_matmul_shape(c->syms, &scores, v, false, false, &out, &d));
	tarn_infer_out(c, 0, tarn_infer_type(c, Q), &out);
	return TARN_OK;
}

/* Scores of one matrix [l][s] to weights: NaN in a row that is masked everywhere, as Softmax gives it. */
static void weigh(double *score, int64_t l, int64_t s, bool causal)
{
	for (int64_t i = 0; i < l; i++, score += s) {
		double max = -INFINITY, sum = 0;
		for (int64_t j = 0; j < s; j++) {
			if (causal && j > i)
				score[j] = -INFINITY;
			max = score[j] > max ? score[j] : max;
		}
		for (int64_t j = 0; j < s; j++)
			sum += score[j] = exp(score[j] - max);
		for (int64_t j = 0; j < s; j++)
			score[j] /= sum;
	}
}

typedef struct masking {
	double *score;
	const tarn_tensor *mask;
} masking;

static tarn_err mask_run(void *ctx, int64_t at, int n, const int64_t *src, const int64_t *step)
{
	masking *m = ctx;
	double v[TARN_RUN];
	tarn_elem_load_f64(m->mask, src[0], step[0], n, v);
	for (int i = 0; i < n; i++)
		if (m->mask->type != TARN_BOOL)
			m->score[at + i] += v[i];
		else if (v[i] == 0)
			m->score[at + i] = -INFINITY;
	return TARN_OK;
}

/* The scores as a tensor of doubles, then the weights times v. */
static tarn_err eval(tarn_eval *e)
{
	const tarn_tensor *q = e->in[Q], *mask = tarn_eval_in(e, MASK), *scale = tarn_eval_in(e, SCALE);
	bool causal = tarn_attr_i(e->node, CAUSAL);
	tarn_tensor *y = &e->out[0], score = {0};
	tarn_shape sq = tarn_tensor_shape(q), sk = tarn_tensor_shape(e->in[K]), s;
	tarn_matmul_dims d;
	double *sum = NULL;
	tarn_err err;
	TRY(tarn_matmul_shape(NULL, &sq, &sk, false, true, &s, &d));
	TRY(tarn_tensor_new(TARN_F64, s.rank, s.dim, &score));
	double *p = score.data, f = scale ? tarn_tensor_f64(scale, 0) : 1 / sqrt((double)d.k);
	TRY_GOTO(done, tarn_matmul_sums(q, e->in[K], false, true, NULL, NULL, &score, p));
	int64_t count = tarn_tensor_count(&score);
	for (int64_t i = 0; i < count; i++)
		p[i] *= f;
	if (mask && !causal && !(mask->rank == 0 && mask->type != TARN_BOOL)) {
		masking m = {p, mask};
		const tarn_tensor *in[] = {mask};
		TRY_GOTO(done, tarn_elem_runs(&score, in, 1, mask_run, &m));
	}
	for (int64_t i = 0; count && i < count / (d.m * d.n); i++)
		weigh(p + i * d.m * d.n, d.m, d.n, causal);
	TRY_GOTO(done, tarn_real_zeros(tarn_tensor_count(y), &sum));
	TRY_GOTO(done, tarn_matmul_sums(&score, e->in[V], false, false, NULL, NULL, y, sum));
	tarn_real_put(y, 0, tarn_tensor_count(y), sum);
done:
	tarn_mem_free(sum);
	tarn_tensor_fini(&score);
	return err;
}

static tarn_err cost(const tarn_node *n, tarn_cost *out)
{
	const tarn_shape *q = &n->in[Q]->shape, *k = &n->in[K]->shape;
	int64_t count;
	TRY(tarn_shape_count(&n->out[0]->shape, &count));
	CHECK(tarn_shape_is_static(q) && tarn_shape_is_static(k), TARN_SHAPE, "the shapes are not known");
	int64_t s = k->dim[k->rank - 2], ev = n->out[0]->shape.dim[n->out[0]->shape.rank - 1], inner = q->dim[q->rank - 1];
	*out = (tarn_cost){.macs = count * s + (ev ? count / ev * s * inner : 0), .ops = ev ? count / ev * s : 0};
	return TARN_OK;
}

/* ---- decomposition ---- */

static tarn_err add(tarn_graph *g, const char *op, tarn_value *a, tarn_value *b, tarn_value *c, tarn_value **out)
{
	tarn_node *n;
	tarn_value *const in[] = {a, b, c};
	int n_in = c ? 3 : b ? 2 : 1;
	TRY(tarn_node_new(g, tarn_op_find(NULL, op), NULL, n_in, 1, -1, &n));
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	*out = n->out[0];
	return TARN_OK;
}

static tarn_err scalar(tarn_graph *g, tarn_dtype type, double v, tarn_value **out)
{
	tarn_tensor t;
	TRY(tarn_tensor_new(type, 0, NULL, &t));
	tarn_tensor_set_f64(&t, 0, v);
	tarn_err err = tarn_value_const(g, NULL, &t, out);
	tarn_tensor_fini(&t);
	return err;
}

/* A [l, s] matrix that is 0 where j <= i and very negative elsewhere. */
static tarn_err causal_mask(tarn_graph *g, tarn_dtype type, int64_t l, int64_t s, tarn_value **out)
{
	tarn_tensor t;
	TRY(tarn_tensor_new(type, 2, (const int64_t[]){l, s}, &t));
	for (int64_t i = 0; i < l; i++)
		for (int64_t j = i + 1; j < s; j++)
			tarn_tensor_set_f64(&t, i * s + j, -INFINITY);
	tarn_err err = tarn_value_const(g, NULL, &t, out);
	tarn_tensor_fini(&t);
	return err;
}

/* The same for sizes that are not known yet, of the scores x. */
static tarn_err causal_mask_of(tarn_graph *g, tarn_dtype type, tarn_value *x, tarn_value **out)
{
	tarn_value *shape, *low, *one;
	tarn_tensor t;
	TRY(add(g, "Shape", x, NULL, NULL, &shape));
	TRY(scalar(g, type, -INFINITY, &low));
	TRY(add(g, "Expand", low, shape, NULL, &low));
	TRY(tarn_tensor_new(TARN_I64, 0, NULL, &t));
	tarn_tensor_set_i64(&t, 0, 1);
	tarn_err err = tarn_value_const(g, NULL, &t, &one);
	tarn_tensor_fini(&t);
	TRY(err);
	return add(g, "Trilu", low, one, NULL, out);
}

static tarn_err masked(tarn_graph *g, const tarn_node *n, tarn_dtype type, tarn_value *x, tarn_value **out)
{
	const tarn_shape *q = &n->in[Q]->shape, *k = &n->in[K]->shape;
	tarn_value *m = tarn_node_has(n, MASK) ? n->in[MASK] : NULL, *zero, *low;
	*out = x;
	if (tarn_attr_i(n, CAUSAL)) {
		int64_t l = q->rank > 1 ? q->dim[q->rank - 2] : -1, s = k->rank > 1 ? k->dim[k->rank - 2] : -1;
		bool fixed = l >= 0 && s >= 0 && l * s <= 1 << 26;
		TRY(fixed ? causal_mask(g, type, l, s, &m) : causal_mask_of(g, type, x, &m));
	} else if (!m || (m->shape.rank == 0 && m->type != TARN_BOOL)) {
		return TARN_OK;
	} else if (m->type == TARN_BOOL) {
		TRY(scalar(g, type, 0, &zero));
		TRY(scalar(g, type, -INFINITY, &low));
		TRY(add(g, "Where", m, zero, low, &m));
	}
	return add(g, "Add", x, m, NULL, out);
}

static tarn_err decompose(tarn_graph *g, tarn_node *n)
{
	const tarn_shape *q = &n->in[Q]->shape, *k = &n->in[K]->shape;
	tarn_dtype type = n->in[Q]->type == TARN_DTYPE_NONE ? TARN_F32 : n->in[Q]->type;
	tarn_value *scale = tarn_node_has(n, SCALE) ? n->in[SCALE] : NULL, *x, *kt;
	CHECK(k->rank >= 2 && (scale || (q->rank >= 1 && q->dim[q->rank - 1] > 0)), TARN_UNSUPPORTED,
	      "ranks or the head size are not known");
	int64_t perm[TARN_MAX_RANK];
	for (int i = 0; i < k->rank; i++)
		perm[i] = i < k->rank - 2 ? i : i == k->rank - 2 ? k->rank - 1 : k->rank - 2;
	TRY(add(g, "Transpose", n->in[K], NULL, NULL, &kt));
	TRY(tarn_attr_set_ints(g, kt->def, tarn_attr_index(kt->def->op, "perm"), perm, k->rank));
	if (!scale)
		TRY(scalar(g, type, 1 / sqrt((double)q->dim[q->rank - 1]), &scale));
	TRY(add(g, "Mul", n->in[Q], scale, NULL, &x));
	TRY(add(g, "MatMul", x, kt, NULL, &x));
	TRY(masked(g, n, type, x, &x));
	TRY(add(g, "Softmax", x, NULL, NULL, &x));
	TRY(add(g, "MatMul", x, n->in[V], NULL, &x));
	tarn_graph_replace(g, n->out[0], x);
	return tarn_graph_sort(g);
}

const tarn_op_def tarn_op_scaled_dot_product_attention = {
	.name = "ScaledDotProductAttention",
	.ir = "ScaledDotProductAttention",
	.min_in = 3,
	.max_in = 5,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = 1,
	.infer = infer,
	.eval = eval,
	.decompose = decompose,
	.cost = cost,
	.quant = {.kind = TARN_QUANT_INPUTS, .act = 3, .weight = -1, .bias = -1},
};
