/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Einsum: every input axis has a label; the output sums over the labels it does not show. Letters, "..." (broadcast axes), and
 * repeated labels in one term (diagonals) are read; without "->" the output has the labels that occur once, in order.
 */
#include <ctype.h>
#include <string.h>

#include "ops/bounds.h"
#include "ops/grad.h"
#include "ops/ops.h"
#include "ops/padding.h"

enum { MAX_TERMS = 8, MAX_LABELS = 52 + TARN_MAX_RANK, DOTS = 52 /* the first label of "..." axes, counted from the right */ };

/* The axes of one term as labels; dots: where "..." stands, -1 nowhere. */
typedef struct term {
	int n, dots;
	int label[TARN_MAX_RANK];
} term;

typedef struct equation {
	int n_in;
	bool explicit_out;
	term in[MAX_TERMS], out;
} equation;

static int label_of(char ch)
{
	return islower((unsigned char)ch) ? ch - 'a' : ch - 'A' + 26;
}

/* Reads one term up to ',' or '-' or the end. */
static tarn_err term_read(const char **s, term *t)
{
	*t = (term){.dots = -1};
	for (; **s != 0 && **s != ',' && **s != '-'; (*s)++) {
		if (**s == ' ')
			continue;
		if (!strncmp(*s, "...", 3) && t->dots < 0) {
			t->dots = t->n;
			*s += 2;
			continue;
		}
		CHECK(isalpha((unsigned char)**s), TARN_BAD_FILE,
		      "'%c' in an Einsum equation; only letters, ',', '->' and '...' belong there", **s);
		CHECK(t->n < TARN_MAX_RANK, TARN_UNSUPPORTED, "an Einsum term has more than %d labels", TARN_MAX_RANK);
		t->label[t->n++] = label_of(**s);
	}
	return TARN_OK;
}

static tarn_err equation_read(const char *s, equation *q)
{
	memset(q, 0, sizeof *q);
	q->out.dots = -1;
	CHECK(s != NULL, TARN_BAD_FILE, "Einsum without equation");
	for (;;) {
		CHECK(q->n_in < MAX_TERMS, TARN_UNSUPPORTED, "Einsum of more than %d inputs", MAX_TERMS);
		TRY(term_read(&s, &q->in[q->n_in++]));
		if (*s != ',')
			break;
		s++;
	}
	if (*s == 0)
		return TARN_OK;
	CHECK(s[0] == '-' && s[1] == '>', TARN_BAD_FILE, "'%s' in an Einsum equation; '->' was expected", s);
	s += 2;
	q->explicit_out = true;
	TRY(term_read(&s, &q->out));
	CHECK(*s == 0, TARN_BAD_FILE, "'%s' after the output of an Einsum equation", s);
	return TARN_OK;
}

/* Puts labels in the place of "...", for a tensor of this rank. */
static tarn_err term_expand(term *t, int rank)
{
	int more = rank - t->n;
	CHECK(more >= 0 && (t->dots >= 0 || more == 0), TARN_SHAPE, "an Einsum term has %d labels for rank %d", t->n, rank);
	if (t->dots < 0)
		return TARN_OK;
	memmove(t->label + t->dots + more, t->label + t->dots, (size_t)(t->n - t->dots) * sizeof *t->label);
	for (int i = 0; i < more; i++)
		t->label[t->dots + i] = DOTS + more - 1 - i;
	t->n = rank;
	return TARN_OK;
}

/* The output's labels, given all inputs expanded. `widest`: the most axes any "..." stands for. */
static tarn_err out_labels(equation *q, int widest)
{
	int times[MAX_LABELS] = {0};
	if (q->explicit_out) {
		CHECK(q->out.n + (q->out.dots >= 0 ? widest : 0) <= TARN_MAX_RANK, TARN_UNSUPPORTED,
		      "rank of the output is more than %d", TARN_MAX_RANK);
		return term_expand(&q->out, q->out.n + (q->out.dots >= 0 ? widest : 0));
	}
	for (int i = 0; i < q->n_in; i++)
		for (int d = 0; d < q->in[i].n; d++)
			times[q->in[i].label[d]]++;
	for (int l = widest - 1; l >= 0; l--)
		q->out.label[q->out.n++] = DOTS + l;
	/* Alphabetical, as numpy has it: upper case before lower case. */
	for (int k = 0; k < 52; k++) {
		int l = k < 26 ? k + 26 : k - 26;
		if (times[l] != 1)
			continue;
		CHECK(q->out.n < TARN_MAX_RANK, TARN_UNSUPPORTED, "rank of the output is more than %d", TARN_MAX_RANK);
		q->out.label[q->out.n++] = l;
	}
	return TARN_OK;
}

/* The equation with labels for these shapes, and the size of each label (-1: not used; symbols allowed as `free`). */
static tarn_err resolve(equation *q, const tarn_shape *const *in, int n_in, tarn_dim *size, bool *used)
{
	int widest = 0, seen[MAX_LABELS] = {0};
	CHECK(q->n_in == n_in, TARN_BAD_FILE, "the Einsum equation has %d terms for %d inputs", q->n_in, n_in);
	for (int i = 0; i < n_in; i++) {
		if (q->in[i].dots >= 0 && in[i]->rank - q->in[i].n > widest)
			widest = in[i]->rank - q->in[i].n;
		TRY(term_expand(&q->in[i], in[i]->rank));
	}
	TRY(out_labels(q, widest));
	for (int l = 0; l < MAX_LABELS; l++) {
		size[l] = 1;
		used[l] = false;
	}
	for (int i = 0; i < n_in; i++)
		for (int d = 0; d < in[i]->rank; d++) {
			int l = q->in[i].label[d];
			tarn_dim s = in[i]->dim[d];
			CHECK(!used[l] || s < 0 || size[l] < 0 || s == size[l] || s == 1 || size[l] == 1, TARN_SHAPE,
			      "an Einsum label has sizes %lld and %lld", (long long)size[l], (long long)s);
			if (!used[l] || size[l] == 1 || (size[l] < 0 && s > 1))
				size[l] = s;
			used[l] = true;
		}
	for (int d = 0; d < q->out.n; d++) {
		CHECK(used[q->out.label[d]], TARN_BAD_FILE, "the Einsum output has a label that no input has");
		CHECK(seen[q->out.label[d]]++ == 0, TARN_BAD_FILE, "the Einsum output has a label twice");
	}
	return TARN_OK;
}

static tarn_err infer(tarn_infer *c)
{
	equation q;
	const tarn_shape *in[MAX_TERMS];
	tarn_dim size[MAX_LABELS];
	bool used[MAX_LABELS], known = true;
	CHECK(c->node->n_in <= MAX_TERMS, TARN_UNSUPPORTED, "Einsum of more than %d inputs", MAX_TERMS);
	for (int i = 0; i < c->node->n_in; i++) {
		TRY(tarn_infer_rank(c, i, 0, -1));
		TRY(tarn_infer_class(c, i, TARN_CLS_NUM));
		TRY(tarn_infer_same_type(c, 0, i));
		in[i] = tarn_infer_shape(c, i);
		known = known && in[i] != NULL;
	}
	TRY(equation_read(c->node->attr[0].s, &q));
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), NULL);
	if (!known)
		return TARN_OK;
	TRY(resolve(&q, in, c->node->n_in, size, used));
	tarn_shape out = {.rank = q.out.n};
	for (int d = 0; d < q.out.n; d++)
		out.dim[d] = size[q.out.label[d]];
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

/* The loops: output labels first, then the summed ones; each input's stride per loop. */
typedef struct loops {
	int n_out, n_sum, n_in;
	int64_t out[TARN_MAX_RANK], sum[MAX_LABELS];
	int64_t out_stride[MAX_TERMS][TARN_MAX_RANK], sum_stride[MAX_TERMS][MAX_LABELS];
} loops;

static int64_t stride_of(const equation *q, const tarn_tensor *t, int i, int label)
{
	int64_t own[TARN_MAX_RANK], s = 0;
	tarn_tensor_strides(t, own);
	for (int d = 0; d < t->rank; d++)
		if (q->in[i].label[d] == label && t->dim[d] != 1)
			s += own[d];
	return s;
}

static void loops_init(loops *l, const equation *q, const tarn_tensor *const *in, const tarn_dim *size, const bool *used)
{
	bool shown[MAX_LABELS] = {false};
	memset(l, 0, sizeof *l);
	l->n_in = q->n_in;
	l->n_out = q->out.n;
	for (int d = 0; d < q->out.n; d++) {
		shown[q->out.label[d]] = true;
		l->out[d] = size[q->out.label[d]];
		for (int i = 0; i < l->n_in; i++)
			l->out_stride[i][d] = stride_of(q, in[i], i, q->out.label[d]);
	}
	for (int k = 0; k < MAX_LABELS; k++) {
		if (!used[k] || shown[k])
			continue;
		l->sum[l->n_sum] = size[k];
		for (int i = 0; i < l->n_in; i++)
			l->sum_stride[i][l->n_sum] = stride_of(q, in[i], i, k);
		l->n_sum++;
	}
}

static void sum_at(const loops *l, const tarn_eval *e, const int64_t *base, double *f, uint64_t *w)
{
	int64_t index[MAX_LABELS] = {0}, v = 0;
	bool real = tarn_dtype_is_float(e->in[0]->type);
	*f = 0;
	*w = 0;
	if (tarn_elem_product(l->sum, 0, l->n_sum) == 0)
		return;
	do {
		double p = 1;
		uint64_t n = 1;
		for (int i = 0; i < l->n_in; i++) {
			int64_t at = base[i];
			for (int d = 0; d < l->n_sum; d++)
				at += index[d] * l->sum_stride[i][d];
			if (real) {
				p *= tarn_tensor_f64(e->in[i], at);
			} else {
				tarn_elem_load_i64(e->in[i], at, 1, 1, &v);
				n *= (uint64_t)v;
			}
		}
		*f += p;
		*w += n;
	} while (tarn_elem_next(l->n_sum, l->sum, index));
}

static tarn_err loops_of(const tarn_node *n, const tarn_tensor *const *in, loops *l)
{
	equation q;
	tarn_shape shape[MAX_TERMS];
	const tarn_shape *at[MAX_TERMS];
	tarn_dim size[MAX_LABELS];
	bool used[MAX_LABELS];
	for (int i = 0; i < n->n_in; i++) {
		shape[i] = tarn_tensor_shape(in[i]);
		at[i] = &shape[i];
	}
	TRY(equation_read(n->attr[0].s, &q));
	TRY(resolve(&q, at, n->n_in, size, used));
	loops_init(l, &q, in, size, used);
	return TARN_OK;
}

/* Where each input stands for a point of the output. */
static void base_of(const loops *l, const int64_t *index, int64_t *base)
{
	for (int i = 0; i < l->n_in; i++) {
		base[i] = 0;
		for (int d = 0; d < l->n_out; d++)
			base[i] += index[d] * l->out_stride[i][d];
	}
}

static tarn_err eval(tarn_eval *e)
{
	loops l;
	int64_t index[TARN_MAX_RANK] = {0}, total = tarn_tensor_count(&e->out[0]);
	TRY(loops_of(e->node, e->in, &l));
	for (int64_t o = 0; o < total; o++) {
		int64_t base[MAX_TERMS];
		double f = 0;
		uint64_t w = 0;
		base_of(&l, index, base);
		sum_at(&l, e, base, &f, &w);
		int64_t v = (int64_t)w;
		if (tarn_dtype_is_float(e->out[0].type))
			tarn_elem_store_f64(&e->out[0], o, 1, &f);
		else
			tarn_elem_store_i64(&e->out[0], o, 1, &v);
		tarn_elem_next(l.n_out, l.out, index);
	}
	return TARN_OK;
}

/* Arrays of the inputs and of their gradients, NULL where not wanted. */
typedef struct slopes {
	double *x[MAX_TERMS], *dx[MAX_TERMS];
} slopes;

/* dy of one point of the output to the factors of each of its products. */
static void back_at(const loops *l, const slopes *s, const int64_t *base, double dy)
{
	int64_t index[MAX_LABELS] = {0};
	if (tarn_elem_product(l->sum, 0, l->n_sum) == 0)
		return;
	do {
		int64_t at[MAX_TERMS];
		for (int i = 0; i < l->n_in; i++) {
			at[i] = base[i];
			for (int d = 0; d < l->n_sum; d++)
				at[i] += index[d] * l->sum_stride[i][d];
		}
		for (int i = 0; i < l->n_in; i++) {
			double others = dy;
			if (!s->dx[i])
				continue;
			for (int k = 0; k < l->n_in; k++)
				others *= k == i ? 1 : s->x[k][at[k]];
			s->dx[i][at[i]] += others;
		}
	} while (tarn_elem_next(l->n_sum, l->sum, index));
}

static tarn_err grad(tarn_grad *g)
{
	loops l;
	slopes s = {0};
	double *dy;
	int64_t index[TARN_MAX_RANK] = {0}, total = tarn_tensor_count(&g->dout[0]);
	TRY(loops_of(g->node, g->in, &l));
	TRY(tarn_grad_load(g, &g->dout[0], &dy));
	for (int i = 0; i < l.n_in; i++) {
		TRY(tarn_grad_load(g, g->in[i], &s.x[i]));
		if (tarn_grad_wants(g, i))
			TRY(tarn_grad_zeros(g, tarn_tensor_count(g->in[i]), &s.dx[i]));
	}
	for (int64_t o = 0; o < total; o++) {
		int64_t base[MAX_TERMS];
		base_of(&l, index, base);
		back_at(&l, &s, base, dy[o]);
		tarn_elem_next(l.n_out, l.out, index);
	}
	for (int i = 0; i < l.n_in; i++)
		if (s.dx[i])
			tarn_grad_add(&g->din[i], s.dx[i]);
	return TARN_OK;
}

/* One multiply-accumulate for each point of the index space, times the inputs beyond the first. */
static tarn_err cost(const tarn_node *n, tarn_cost *c)
{
	equation q;
	const tarn_shape *in[MAX_TERMS];
	tarn_dim size[MAX_LABELS];
	bool used[MAX_LABELS];
	int64_t points = 1;
	CHECK(n->n_in <= MAX_TERMS, TARN_UNSUPPORTED, "Einsum of more than %d inputs", MAX_TERMS);
	for (int i = 0; i < n->n_in; i++) {
		CHECK(tarn_shape_is_static(&n->in[i]->shape), TARN_SHAPE, "the cost of free sizes is not known");
		in[i] = &n->in[i]->shape;
	}
	TRY(equation_read(n->attr[0].s, &q));
	TRY(resolve(&q, in, n->n_in, size, used));
	for (int l = 0; l < MAX_LABELS; l++)
		CHECK(!__builtin_mul_overflow(points, size[l], &points), TARN_SHAPE, "too many points");
	*c = (tarn_cost){.macs = points * (n->n_in > 1 ? n->n_in - 1 : 0), .ops = n->n_in > 1 ? 0 : points};
	return TARN_OK;
}

static const tarn_attr_def attrs[] = {{"equation", TARN_ATTR_STRING, TARN_ATTR_REQUIRED, 0, NULL}};

/* Summed over unless the output shows the axis; a label twice in a term is a diagonal. */
/* A size that the label has elsewhere, other than this one and 1; else this one. */
static tarn_dim other_size(const equation *q, const tarn_shape *const *in, int label, tarn_dim mine)
{
	for (int i = 0; i < q->n_in; i++)
		for (int d = 0; d < in[i]->rank; d++)
			if (q->in[i].label[d] == label && in[i]->dim[d] != mine && in[i]->dim[d] != 1)
				return in[i]->dim[d];
	return mine;
}

static void pad_einsum(tarn_pad *p)
{
	equation q;
	const tarn_shape *in[MAX_TERMS];
	tarn_dim size[MAX_LABELS];
	bool used[MAX_LABELS], ok = p->node->n_in <= MAX_TERMS && equation_read(p->node->attr[0].s, &q) == TARN_OK;
	for (int i = 0; i < p->node->n_in && ok; i++)
		in[i] = &p->node->in[i]->shape;
	ok = ok && resolve(&q, in, p->node->n_in, size, used) == TARN_OK;
	if (!ok)
		tarn_err_clear();
	p->need = ok ? TARN_PAD_ZERO : TARN_PAD_UNSAFE;
	p->why = "its equation is not understood";
	if (!ok)
		return;
	int label = q.in[p->input].label[p->axis];
	for (int d = 0; d < q.out.n; d++)
		if (q.out.label[d] == label)
			p->need = TARN_PAD_ANY;
	tarn_dim mine = in[p->input]->dim[p->axis], other = other_size(&q, in, label, mine);
	if (other == mine || other == 1 || tarn_dim_lo(p->syms, mine) > 1)
		return;
	p->need = p->need == TARN_PAD_ANY && other > 1 ? TARN_PAD_EDGE : TARN_PAD_UNSAFE;
	p->why = "it may be 1 and stretched to another size";
}

const tarn_op_def tarn_op_einsum = {
	.name = "Einsum",
	.onnx_since = 12,
	.ir = "Einsum",
	.min_in = 1,
	.max_in = -1,
	.min_out = 1,
	.max_out = 1,
	.attr = attrs,
	.n_attr = 1,
	.infer = infer,
	.eval = eval,
	.grad = grad,
	.pad = pad_einsum,
	.cost = cost,
	.quant = {.weight = -1, .bias = -1},
};
