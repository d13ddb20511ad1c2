/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DetectionOutput (OpenVINO): box offsets [N, P*L*4], class scores [N, P*C] and priors [N or 1, 1 or 2, P*4] (second row:
 * variances) to [1, 1, N*K, 7] rows of (image, label, score, x1, y1, x2, y2). Rows are by image and label, scores falling; the
 * first unused row has image -1. L is 1 when locations are shared by the classes. Not supported: the two auxiliary inputs,
 * decrease_label_id, and priors that are not normalized.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ops/real.h"

enum {
	CLASSES,
	BACKGROUND,
	TOP_K,
	IN_TARGET,
	KEEP,
	CODE,
	SHARE,
	NMS,
	CONFIDENCE,
	CLIP_AFTER,
	CLIP_BEFORE,
	DECREASE,
	NORMALIZED,
	N_ATTR
};
static const tarn_attr_def attr[] = {
	{"num_classes", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0},
	{"background_label_id", TARN_ATTR_INT, TARN_ATTR_DEFAULT, 0},
	{"top_k", TARN_ATTR_INT, TARN_ATTR_DEFAULT, -1},
	{"variance_encoded_in_target", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"keep_top_k", TARN_ATTR_INTS},
	{"code_type", TARN_ATTR_ENUM, TARN_ATTR_DEFAULT, 0,
	 "caffe.PriorBoxParameter.CORNER|caffe.PriorBoxParameter.CENTER_SIZE"},
	{"share_location", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 1},
	{"nms_threshold", TARN_ATTR_FLOAT, TARN_ATTR_REQUIRED},
	{"confidence_threshold", TARN_ATTR_FLOAT, TARN_ATTR_DEFAULT, 0},
	{"clip_after_nms", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"clip_before_nms", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"decrease_label_id", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
	{"normalized", TARN_ATTR_BOOL, TARN_ATTR_DEFAULT, 0},
};

typedef struct box {
	double x0, y0, x1, y1;
} box;

typedef struct found {
	double score;
	int64_t label, prior, order;
	box at;
} found;

/* Sizes: images, priors, classes, locations per prior, rows per image. */
typedef struct sizes {
	int64_t n, p, c, l, keep;
} sizes;

/* num_classes is absent from the newer form: with shared locations there are P*4 offsets and P*C scores. */
static tarn_err sizes_of(const tarn_node *n, const tarn_shape *loc, const tarn_shape *conf, const tarn_shape *prior, sizes *s)
{
	s->n = loc->dim[0];
	s->p = prior->dim[2] / 4;
	CHECK(s->p > 0 && prior->dim[2] % 4 == 0, TARN_SHAPE, "priors of %" PRId64 " numbers; a multiple of 4 is needed",
	      prior->dim[2]);
	s->c = conf->dim[1] / s->p;
	s->l = tarn_attr_i(n, SHARE) ? 1 : s->c;
	CHECK(s->c > 0 && conf->dim[1] == s->p * s->c && (!tarn_attr_i(n, CLASSES) || tarn_attr_i(n, CLASSES) == s->c),
	      TARN_SHAPE, "%" PRId64 " class scores for %" PRId64 " priors and %" PRId64 " classes", conf->dim[1], s->p,
	      tarn_attr_i(n, CLASSES));
	CHECK(loc->dim[1] == s->p * s->l * 4 && conf->dim[0] == s->n && (prior->dim[0] == 1 || prior->dim[0] == s->n),
	      TARN_SHAPE, "%" PRId64 " box offsets of %" PRId64 " images for %" PRId64 " priors of %" PRId64, loc->dim[1], s->n,
	      s->p, prior->dim[0]);
	CHECK(prior->dim[1] == (tarn_attr_i(n, IN_TARGET) ? 1 : 2) || prior->dim[1] == 2, TARN_SHAPE,
	      "priors without variances");
	int64_t keep = n->attr[KEEP].set && n->attr[KEEP].ints.n ? n->attr[KEEP].ints.at[0] : -1, top = tarn_attr_i(n, TOP_K);
	s->keep = keep > 0 ? keep : top > 0 ? (top < s->p ? top : s->p) * s->c : s->p * s->c;
	return TARN_OK;
}

static tarn_err infer(tarn_infer *c)
{
	const tarn_node *n = c->node;
	const tarn_shape *s[3];
	bool fixed = true;
	CHECK(tarn_attr_i(n, NORMALIZED) && !tarn_attr_i(n, DECREASE), TARN_UNSUPPORTED,
	      "DetectionOutput with normalized = false or decrease_label_id");
	CHECK(!tarn_node_has(n, 3) && !tarn_node_has(n, 4), TARN_UNSUPPORTED, "DetectionOutput with auxiliary predictions");
	for (int i = 0; i < 3; i++) {
		TRY(tarn_infer_class(c, i, TARN_CLS_F));
		TRY(tarn_infer_rank(c, i, i == 2 ? 3 : 2, i == 2 ? 3 : 2));
		s[i] = tarn_infer_shape(c, i);
		fixed = fixed && s[i] && tarn_shape_is_static(s[i]);
	}
	tarn_shape out = {.rank = 4, .dim = {1, 1, 0, 7}};
	sizes z;
	int64_t keep = n->attr[KEEP].set && n->attr[KEEP].ints.n ? n->attr[KEEP].ints.at[0] : -1;
	if (fixed) {
		TRY(sizes_of(n, s[0], s[1], s[2], &z));
		out.dim[2] = z.n * z.keep;
	} else if (keep > 0 && s[0]) {
		TRY(tarn_dim_op(c->syms, TARN_SYM_MUL, s[0]->dim[0], keep, &out.dim[2]));
	} else {
		TRY(tarn_symtab_fresh(c->syms, 0, TARN_DIM_MAX, &out.dim[2]));
	}
	tarn_infer_out(c, 0, tarn_infer_type(c, 0), &out);
	return TARN_OK;
}

static box clipped(box b)
{
	return (box){fmin(fmax(b.x0, 0), 1), fmin(fmax(b.y0, 0), 1), fmin(fmax(b.x1, 0), 1), fmin(fmax(b.y1, 0), 1)};
}

/* The prior moved by its offsets d; v are the variances. */
static box decode(const tarn_node *n, const double *prior, const double *v, const double *d)
{
	static const double ones[] = {1, 1, 1, 1};
	box b;
	if (tarn_attr_i(n, IN_TARGET))
		v = ones;
	if (tarn_attr_i(n, CODE) == 0) {
		b = (box){prior[0] + v[0] * d[0], prior[1] + v[1] * d[1], prior[2] + v[2] * d[2], prior[3] + v[3] * d[3]};
	} else {
		double w = prior[2] - prior[0], h = prior[3] - prior[1];
		double x = (prior[0] + prior[2]) / 2 + v[0] * d[0] * w, y = (prior[1] + prior[3]) / 2 + v[1] * d[1] * h;
		w *= exp(v[2] * d[2]) / 2;
		h *= exp(v[3] * d[3]) / 2;
		b = (box){x - w, y - h, x + w, y + h};
	}
	return tarn_attr_i(n, CLIP_BEFORE) ? clipped(b) : b;
}

static double area(const box *b)
{
	return b->x1 < b->x0 || b->y1 < b->y0 ? 0 : (b->x1 - b->x0) * (b->y1 - b->y0);
}

static double overlap(const box *a, const box *b)
{
	box i = {fmax(a->x0, b->x0), fmax(a->y0, b->y0), fmin(a->x1, b->x1), fmin(a->y1, b->y1)};
	double both = i.x1 <= i.x0 || i.y1 <= i.y0 ? 0 : area(&i), any = area(a) + area(b) - both;
	return any > 0 ? both / any : 0;
}

static int by_score(const void *a, const void *b)
{
	const found *x = a, *y = b;
	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return x->order < y->order ? -1 : 1;
}

static int by_label(const void *a, const void *b)
{
	const found *x = a, *y = b;
	return x->label != y->label ? (x->label < y->label ? -1 : 1) : by_score(a, b);
}

typedef struct image {
	const tarn_node *n;
	const sizes *s;
	const double *loc, *conf, *prior, *variance;
	found *list; /* p candidates of one class */
	VEC(found) kept;
} image;

static tarn_err detect_class(image *m, int64_t label)
{
	const sizes *s = m->s;
	int64_t count = 0, top = tarn_attr_i(m->n, TOP_K);
	size_t first = m->kept.len;
	for (int64_t i = 0; i < s->p; i++) {
		double score = m->conf[i * s->c + label];
		if (!(score > tarn_attr_f(m->n, CONFIDENCE)))
			continue;
		const double *d = m->loc + (i * s->l + (s->l > 1 ? label : 0)) * 4;
		m->list[count++] = (found){score, label, i, i, decode(m->n, m->prior + 4 * i, m->variance + 4 * i, d)};
	}
	qsort(m->list, (size_t)count, sizeof *m->list, by_score);
	if (top >= 0 && count > top)
		count = top;
	for (int64_t i = 0; i < count; i++) {
		bool keep = true;
		for (size_t k = first; k < m->kept.len && keep; k++)
			keep = overlap(&m->list[i].at, &m->kept.at[k].at) <= tarn_attr_f(m->n, NMS);
		if (!keep)
			continue;
		TRY(VEC_GROW(&m->kept));
		m->list[i].order = (int64_t)m->kept.len;
		m->kept.at[m->kept.len++] = m->list[i];
	}
	return TARN_OK;
}

/* The image's best rows, by label. */
static tarn_err detect(image *m)
{
	m->kept.len = 0;
	for (int64_t c = 0; c < m->s->c; c++)
		if (c != tarn_attr_i(m->n, BACKGROUND))
			TRY(detect_class(m, c));
	if (m->kept.len > (size_t)m->s->keep) {
		qsort(m->kept.at, m->kept.len, sizeof *m->kept.at, by_score);
		m->kept.len = (size_t)m->s->keep;
	}
	if (m->kept.len)
		qsort(m->kept.at, m->kept.len, sizeof *m->kept.at, by_label);
	return TARN_OK;
}

static tarn_err eval(tarn_eval *e)
{
	tarn_shape loc = tarn_tensor_shape(e->in[0]), conf = tarn_tensor_shape(e->in[1]), prior = tarn_tensor_shape(e->in[2]);
	sizes s;
	image m = {.n = e->node, .s = &s};
	double *v[3] = {NULL};
	int64_t row = 0;
	tarn_err err;
	TRY(sizes_of(e->node, &loc, &conf, &prior, &s));
	for (int i = 0; i < 3; i++)
		TRY_GOTO(done, tarn_real_load(e->in[i], &v[i]));
	m.list = tarn_mem_zalloc((size_t)s.p, sizeof *m.list);
	CHECK_GOTO(done, m.list, TARN_NOMEM, "out of memory for %" PRId64 " boxes", s.p);
	for (int64_t i = 0; i < s.n; i++) {
		m.loc = v[0] + i * loc.dim[1];
		m.conf = v[1] + i * conf.dim[1];
		m.prior = v[2] + (prior.dim[0] == 1 ? 0 : i) * prior.dim[1] * prior.dim[2];
		m.variance = m.prior + (prior.dim[1] == 2 ? prior.dim[2] : 0);
		TRY_GOTO(done, detect(&m));
		for (size_t k = 0; k < m.kept.len; k++, row++) {
			const found *f = &m.kept.at[k];
			box b = tarn_attr_i(e->node, CLIP_AFTER) ? clipped(f->at) : f->at;
			double out[] = {(double)i, (double)f->label, f->score, b.x0, b.y0, b.x1, b.y1};
			tarn_real_put(&e->out[0], row * 7, 7, out);
		}
	}
	if (row < e->out[0].dim[2])
		tarn_real_put(&e->out[0], row * 7, 1, (const double[]){-1});
done:
	for (int i = 0; i < 3; i++)
		tarn_mem_free(v[i]);
	tarn_mem_free(m.list);
	VEC_FINI(&m.kept);
	return err;
}

const tarn_op_def tarn_op_detection_output = {
	.name = "DetectionOutput",
	.ir = "DetectionOutput",
	.min_in = 3,
	.max_in = 5,
	.min_out = 1,
	.max_out = 1,
	.attr = attr,
	.n_attr = N_ATTR,
	.infer = infer,
	.eval = eval,
	.quant = {.kind = TARN_QUANT_FLOAT, .weight = -1, .bias = -1},
};
