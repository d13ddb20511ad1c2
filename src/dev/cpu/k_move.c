/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move bytes: layout changes, views, and the strided copies behind Transpose, Concat, Split, Slice, Gather,
 * Expand, Pad. Any element type of whole bytes. */
#include <string.h>

#include "dev/cpu/cpu.h"
#include "kern/layout.h"
#include "ops/ops.h"

static size_t type_size(tarn_dtype t)
{
	int bits = tarn_dtype_info(t)->bits;
	return bits % 8 || t == TARN_STRING ? 0 : (size_t)bits / 8;
}

/* Bytes of an element of a slot. */
static size_t elem_size(const cpu_run *r, int slot)
{
	return type_size(tarn_cpu_type(r->inst, r->p, slot));
}

/* Are the values a node moves (its first n inputs) all at hand as codes of one grid? Then the codes are moved. */
static const cpu_code *coded(cpu_build *b, const tarn_node *n, int n_in)
{
	const cpu_code *first = n->in[0] ? tarn_cpu_code_of(b, n->in[0]) : NULL;
	for (int i = 1; i < n_in && first; i++) {
		const cpu_code *c = tarn_cpu_code_of(b, n->in[i]);
		if (!c || !tarn_cpu_code_same(first, c))
			first = NULL;
	}
	return first;
}

static bool is(const tarn_node *n, const char *op)
{
	return n->op == tarn_op_find(NULL, op);
}

/* ---- layout ---- */

static tarn_err build_never(cpu_build *b, const cpu_group *g, bool *taken)
{
	(void)b, (void)g, (void)taken;
	return TARN_OK;
}

typedef struct reorder_job {
	size_t size, channels, pixels;
	const char *from;
	char *to;
	bool to_nhwc;
} reorder_job;

/* Pixels [begin, end) of all images together. */
static void work_reorder(void *arg, int64_t begin, int64_t end)
{
	const reorder_job *j = arg;
	(j->to_nhwc ? tarn_layout_to_nhwc : tarn_layout_to_nchw)(j->size, j->from, j->to, j->channels, j->pixels, 0,
								 (size_t)begin, (size_t)end);
}

static tarn_err run_reorder(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	const tarn_value *v = tarn_cpu_val(r->inst, r->p, s->in[0]);
	int64_t pixels = 1;
	for (int i = 2; i < v->shape.rank; i++)
		pixels *= v->shape.dim[i];
	reorder_job j = {elem_size(r, s->in[0]), (size_t)v->shape.dim[1], (size_t)pixels,
			 r->ptr[s->in[0]],       r->ptr[s->out[0]],       r->p->slot.at[s->out[0]].layout == CPU_NHWC};
	CHECK(j.size, TARN_UNSUPPORTED, "elements of type %s are not moved", tarn_dtype_info(v->type)->word);
	if (j.pixels == 1 || j.channels == 1)
		memcpy(j.to, j.from, (size_t)v->shape.dim[0] * j.channels * j.pixels * j.size);
	else
		tarn_cpu_split(r->pool, v->shape.dim[0] * pixels, 32768 / (int64_t)(j.channels * j.size) + 1, work_reorder, &j);
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_reorder = {.name = "layout", .build = build_never, .run = run_reorder};

/* ---- views ---- */

static tarn_err run_view(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	if (r->ptr[s->in[0]] != r->ptr[s->out[0]]) /* the memory plan had a reason to keep them apart */
		memcpy(r->ptr[s->out[0]], r->ptr[s->in[0]],
		       (size_t)tarn_cpu_count(r->inst, r->p, s->out[0]) * elem_size(r, s->out[0]));
	return TARN_OK;
}

/* Does moving the axes by perm undo (or do) what the layout does anyway? */
static bool perm_is(const tarn_node *n, int rank, bool to_last)
{
	int i = tarn_attr_index(n->op, "perm");
	if (rank < 3 || rank > 5 || !n->attr[i].set || n->attr[i].ints.n != rank)
		return false;
	for (int k = 0; k < rank; k++) {
		int want = k == 0 ? 0 : to_last ? (k == rank - 1 ? 1 : k + 1) : (k == 1 ? rank - 1 : k - 1);
		if (n->attr[i].ints.at[k] != want)
			return false;
	}
	return true;
}

static tarn_err build_view(cpu_build *b, const cpu_group *g, bool *taken)
{
	const tarn_node *n = g->main;
	bool same = is(n, "Identity") || (is(n, "Dropout") && (n->n_out < 2 || !n->out[1] || !b->uses[n->out[1]->id]));
	bool view = is(n, "Reshape") || is(n, "Flatten") || is(n, "Squeeze") || is(n, "Unsqueeze");
	bool turned = is(n, "Transpose");
	if ((!same && !view && !turned) || n->in[0]->konst || !type_size(n->out[0]->type))
		return TARN_OK;
	cpu_layout from = same ? tarn_cpu_layout_of(b, n->in[0]) : CPU_PLAIN, to = from;
	if (turned) {
		int rank = n->in[0]->shape.rank;
		if (perm_is(n, rank, true) && tarn_cpu_layout_of(b, n->in[0]) == CPU_NHWC)
			from = CPU_NHWC;
		else if (perm_is(n, rank, false))
			to = CPU_NHWC; /* the channels-last form of the result is the plain form of the input */
		else
			return TARN_OK;
	}
	int in, out;
	const cpu_code *code = coded(b, n, 1);
	TRY(code ? tarn_cpu_want_code(b, n->in[0], from, &in) : tarn_cpu_want(b, n->in[0], from, &in));
	TRY(code ? tarn_cpu_give_code(b, n->out[0], to, code, &out) : tarn_cpu_give(b, n->out[0], to, &out));
	b->p->slot.at[out].view_of = in;
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_view, g, &in, 1, &out, 1, NULL, -1));
	*taken = true;
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_view = {.name = "view", .build = build_view, .run = run_view};

/* ---- strided copies ---- */

/* Copies a box of the target's axes: dst dense (or with strides), src with strides; in elements. */
typedef struct copy_box {
	size_t size;
	int rank;
	int64_t dim[TARN_MAX_RANK], src[TARN_MAX_RANK], dst[TARN_MAX_RANK];
	const char *from;
	char *to;
} copy_box;

static void merge_box(copy_box *c)
{
	int r = 0;
	for (int i = 0; i < c->rank; i++) {
		if (c->dim[i] == 1)
			continue;
		if (r && c->src[r - 1] == c->src[i] * c->dim[i] && c->dst[r - 1] == c->dst[i] * c->dim[i]) {
			c->dim[r - 1] *= c->dim[i];
			c->src[r - 1] = c->src[i];
			c->dst[r - 1] = c->dst[i];
		} else {
			c->dim[r] = c->dim[i];
			c->src[r] = c->src[i];
			c->dst[r++] = c->dst[i];
		}
	}
	c->rank = r;
}

/* Short runs of small elements are elements of a larger size. */
static void widen_box(copy_box *c)
{
	int last = c->rank - 1;
	int64_t n = c->rank > 1 ? c->dim[last] : 0, bytes = n * (int64_t)c->size;
	if (n < 2 || c->src[last] != 1 || c->dst[last] != 1 || (bytes != 2 && bytes != 4 && bytes != 8 && bytes != 16))
		return;
	for (int i = 0; i < last; i++)
		if (c->src[i] % n || c->dst[i] % n)
			return;
	for (int i = 0; i < last; i++) {
		c->src[i] /= n;
		c->dst[i] /= n;
	}
	c->size = (size_t)bytes;
	c->rank = last;
}

static void copy_line(const copy_box *c, const char *from, char *to)
{
	int i = c->rank - 1;
	int64_t n = c->dim[i], ss = c->src[i] * (int64_t)c->size, ds = c->dst[i] * (int64_t)c->size;
	if (c->src[i] == 1 && c->dst[i] == 1) {
		memcpy(to, from, (size_t)n * c->size);
		return;
	}
	switch (c->size) { /* a constant size lets the compiler drop the call */
	case 4:
		for (int64_t k = 0; k < n; k++, from += ss, to += ds)
			memcpy(to, from, 4);
		break;
	case 1:
		for (int64_t k = 0; k < n; k++, from += ss, to += ds)
			*to = *from;
		break;
	case 2:
		for (int64_t k = 0; k < n; k++, from += ss, to += ds)
			memcpy(to, from, 2);
		break;
	case 16:
		for (int64_t k = 0; k < n; k++, from += ss, to += ds)
			memcpy(to, from, 16);
		break;
	default:
		for (int64_t k = 0; k < n; k++, from += ss, to += ds)
			memcpy(to, from, 8);
	}
}

static void work_box(void *arg, int64_t begin, int64_t end)
{
	const copy_box *c = arg;
	for (int64_t line = begin; line < end; line++) {
		int64_t rest = line, so = 0, to = 0;
		for (int i = c->rank - 2; i >= 0; i--) {
			so += rest % c->dim[i] * c->src[i];
			to += rest % c->dim[i] * c->dst[i];
			rest /= c->dim[i];
		}
		copy_line(c, c->from + so * (int64_t)c->size, c->to + to * (int64_t)c->size);
	}
}

static void copy(tarn_pool *pool, copy_box *c)
{
	for (int i = 0; i < c->rank; i++)
		if (c->dim[i] == 0)
			return;
	merge_box(c);
	widen_box(c);
	if (!c->rank) {
		memcpy(c->to, c->from, c->size);
		return;
	}
	int64_t lines = 1;
	for (int i = 0; i < c->rank - 1; i++)
		lines *= c->dim[i];
	tarn_cpu_split(pool, lines, 65536 / (c->dim[c->rank - 1] * (int64_t)c->size + 1) + 1, work_box, c);
}

static void dense(const int64_t *dim, int rank, int64_t *stride)
{
	int64_t step = 1;
	for (int i = rank - 1; i >= 0; i--) {
		stride[i] = step;
		step *= dim[i];
	}
}

/* Physical axis and sizes of a value in a layout. */
static int physical(int axis, int rank, cpu_layout layout)
{
	return layout == CPU_PLAIN || axis == 0 ? axis : axis == 1 ? rank - 1 : axis - 1;
}

static void dims_of(const tarn_shape *s, cpu_layout layout, int64_t *dim)
{
	for (int i = 0; i < s->rank; i++)
		dim[physical(i, s->rank, layout)] = s->dim[i];
}

static tarn_err axis_of(const tarn_node *n, int rank, int *axis)
{
	return tarn_shape_axis(rank, tarn_attr_i(n, tarn_attr_index(n->op, "axis")), axis);
}

static tarn_err run_transpose(cpu_run *r, const cpu_step *s)
{
	const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, s->in[0])->shape,
			 *y = &tarn_cpu_val(r->inst, r->p, s->out[0])->shape;
	int i = tarn_attr_index(s->node->op, "perm");
	bool set = s->node->attr[i].set;
	int64_t stride[TARN_MAX_RANK];
	size_t size = elem_size(r, s->in[0]);
	dense(x->dim, x->rank, stride);
	copy_box c = {.size = size, .rank = x->rank, .from = r->ptr[s->in[0]], .to = r->ptr[s->out[0]]};
	bool inner_moves = x->rank >= 2 && set && s->node->attr[i].ints.at[x->rank - 1] != x->rank - 1;
	if (inner_moves && x->rank >= 2) { /* blocks matter: the kernel has them */
		size_t dims[TARN_MAX_RANK];
		int perm[TARN_MAX_RANK];
		for (int k = 0; k < x->rank; k++) {
			dims[k] = (size_t)x->dim[k];
			perm[k] = (int)s->node->attr[i].ints.at[k];
		}
		return tarn_transpose(size, c.from, c.to, x->rank, dims, perm);
	}
	for (int k = 0; k < x->rank; k++) {
		c.dim[k] = y->dim[k];
		c.src[k] = stride[set ? s->node->attr[i].ints.at[k] : x->rank - 1 - k];
	}
	dense(y->dim, y->rank, c.dst);
	copy(r->pool, &c);
	return TARN_OK;
}

/* Concat and Split: the same boxes, copied in opposite directions. */
static tarn_err run_parts(cpu_run *r, const cpu_step *s, bool join)
{
	int whole = join ? s->out[0] : s->in[0];
	cpu_layout layout = r->p->slot.at[whole].layout;
	const tarn_value *v = tarn_cpu_val(r->inst, r->p, whole);
	int axis;
	TRY(axis_of(s->node, v->shape.rank, &axis));
	axis = physical(axis, v->shape.rank, layout);
	int64_t dim[TARN_MAX_RANK], stride[TARN_MAX_RANK], at = 0;
	dims_of(&v->shape, layout, dim);
	dense(dim, v->shape.rank, stride);
	size_t size = elem_size(r, whole);
	for (int i = 0; i < (join ? s->n_in : s->n_out); i++) {
		int part = join ? s->in[i] : s->out[i];
		if (part < 0)
			continue;
		copy_box c = {.size = size, .rank = v->shape.rank};
		dims_of(&tarn_cpu_val(r->inst, r->p, part)->shape, layout, c.dim);
		int64_t own[TARN_MAX_RANK];
		dense(c.dim, c.rank, own);
		char *w = (char *)r->ptr[whole] + at * stride[axis] * (int64_t)size;
		memcpy(join ? c.src : c.dst, own, sizeof own);
		memcpy(join ? c.dst : c.src, stride, sizeof stride);
		c.from = join ? r->ptr[part] : w;
		c.to = join ? w : r->ptr[part];
		at += c.dim[axis];
		copy(r->pool, &c);
	}
	return TARN_OK;
}

static int64_t int_at(const cpu_run *r, int slot, int64_t i)
{
	tarn_tensor t = tarn_cpu_tensor(r, slot);
	return tarn_tensor_i64(&t, i);
}

static tarn_err run_slice(cpu_run *r, const cpu_step *s)
{
	cpu_layout layout = r->p->slot.at[s->in[0]].layout;
	const tarn_value *v = tarn_cpu_val(r->inst, r->p, s->in[0]);
	const tarn_shape *x = &v->shape, *y = &tarn_cpu_val(r->inst, r->p, s->out[0])->shape;
	int64_t dim[TARN_MAX_RANK], stride[TARN_MAX_RANK], at = 0;
	copy_box c = {.size = elem_size(r, s->in[0]), .rank = x->rank, .to = r->ptr[s->out[0]]};
	dims_of(x, layout, dim);
	dense(dim, x->rank, stride);
	dims_of(y, layout, c.dim);
	dense(c.dim, c.rank, c.dst);
	memcpy(c.src, stride, sizeof stride);
	int64_t n = tarn_cpu_count(r->inst, r->p, s->in[1]);
	for (int64_t i = 0; i < n; i++) {
		int axis;
		TRY(tarn_shape_axis(x->rank, s->n_in > 3 && s->in[3] >= 0 ? int_at(r, s->in[3], i) : i, &axis));
		int p = physical(axis, x->rank, layout);
		int64_t step = s->n_in > 4 && s->in[4] >= 0 ? int_at(r, s->in[4], i) : 1, begin = int_at(r, s->in[1], i),
			d = x->dim[axis];
		begin = begin < 0 ? begin + d : begin;
		int64_t most = step < 0 ? d - 1 : d;
		begin = begin < 0 ? 0 : begin > most ? most : begin;
		at += begin * stride[p];
		c.src[p] = stride[p] * step;
	}
	c.from = (const char *)r->ptr[s->in[0]] + at * (int64_t)c.size;
	copy(r->pool, &c);
	return TARN_OK;
}

static tarn_err run_expand(cpu_run *r, const cpu_step *s)
{
	const tarn_value *v = tarn_cpu_val(r->inst, r->p, s->in[0]);
	const tarn_shape *x = &v->shape, *y = &tarn_cpu_val(r->inst, r->p, s->out[0])->shape;
	copy_box c = {.size = elem_size(r, s->in[0]), .rank = y->rank, .from = r->ptr[s->in[0]], .to = r->ptr[s->out[0]]};
	memcpy(c.dim, y->dim, sizeof c.dim);
	dense(c.dim, c.rank, c.dst);
	int64_t step = 1;
	for (int i = 1; i <= y->rank; i++) {
		int64_t d = i <= x->rank ? x->dim[x->rank - i] : 1;
		c.src[y->rank - i] = d == 1 ? 0 : step;
		step *= d;
	}
	copy(r->pool, &c);
	return TARN_OK;
}

/* Every element of the target gets the value at `from`; zeros without one. */
static void fill(char *to, int64_t n, size_t size, const char *from)
{
	static const char zero[8];
	if (!from || !memcmp(from, zero, size)) {
		memset(to, 0, (size_t)n * size);
		return;
	}
	copy_box c = {.size = size, .rank = 1, .dim = {n}, .dst = {1}, .from = from, .to = to};
	copy_line(&c, from, to);
}

/* Mode constant: the value everywhere, then the input in its place; negative pads cut. */
static tarn_err run_pad(cpu_run *r, const cpu_step *s)
{
	cpu_layout layout = r->p->slot.at[s->in[0]].layout;
	const tarn_shape *x = &tarn_cpu_val(r->inst, r->p, s->in[0])->shape,
			 *y = &tarn_cpu_val(r->inst, r->p, s->out[0])->shape;
	copy_box c = {.size = elem_size(r, s->in[0]), .rank = x->rank};
	int64_t dim[TARN_MAX_RANK], from = 0, to = 0, count = tarn_cpu_count(r->inst, r->p, s->out[0]);
	dims_of(x, layout, c.dim);
	dense(c.dim, c.rank, c.src);
	dims_of(y, layout, dim);
	dense(dim, c.rank, c.dst);
	bool whole = true, listed = s->n_in > 3 && s->in[3] >= 0;
	int64_t n = tarn_cpu_count(r->inst, r->p, s->in[1]) / 2;
	for (int64_t i = 0; i < n; i++) {
		int axis;
		TRY(tarn_shape_axis(x->rank, listed ? int_at(r, s->in[3], i) : i, &axis));
		int p = physical(axis, x->rank, layout);
		int64_t begin = int_at(r, s->in[1], i), end = int_at(r, s->in[1], n + i);
		whole &= begin <= 0 && end <= 0;
		c.dim[p] += (begin < 0 ? begin : 0) + (end < 0 ? end : 0);
		from += begin < 0 ? -begin * c.src[p] : 0;
		to += begin > 0 ? begin * c.dst[p] : 0;
		if (c.dim[p] <= 0) { /* nothing of the input is left */
			c.dim[p] = 0;
			whole = false;
		}
	}
	c.from = (const char *)r->ptr[s->in[0]] + from * (int64_t)c.size;
	c.to = (char *)r->ptr[s->out[0]] + to * (int64_t)c.size;
	if (!whole)
		fill(r->ptr[s->out[0]], count, c.size, s->n_in > 2 && s->in[2] >= 0 ? r->ptr[s->in[2]] : NULL);
	copy(r->pool, &c);
	return TARN_OK;
}

static tarn_err run_gather(cpu_run *r, const cpu_step *s)
{
	const tarn_value *v = tarn_cpu_val(r->inst, r->p, s->in[0]);
	int axis;
	TRY(axis_of(s->node, v->shape.rank, &axis));
	int64_t outer = 1, inner = 1, d = v->shape.dim[axis], n = tarn_cpu_count(r->inst, r->p, s->in[1]);
	for (int i = 0; i < v->shape.rank; i++)
		*(i < axis ? &outer : &inner) *= i == axis ? 1 : v->shape.dim[i];
	size_t chunk = (size_t)inner * elem_size(r, s->in[0]);
	tarn_tensor index = tarn_cpu_tensor(r, s->in[1]);
	const char *from = r->ptr[s->in[0]];
	char *to = r->ptr[s->out[0]];
	for (int64_t k = 0; k < n; k++) {
		int64_t i = tarn_tensor_i64(&index, k);
		CHECK(i >= -d && i < d, TARN_SHAPE, "index %lld is out of range for axis %d of size %lld", (long long)i, axis,
		      (long long)d);
		i = i < 0 ? i + d : i;
		for (int64_t o = 0; o < outer; o++)
			memcpy(to + (size_t)(o * n + k) * chunk, from + (size_t)(o * d + i) * chunk, chunk);
	}
	return TARN_OK;
}

/* Strides, in elements, of a channel, a row and a column. */
static void image_strides(cpu_layout layout, int64_t channels, int64_t rows, int64_t columns, int64_t *c, int64_t *row,
			  int64_t *column)
{
	bool last = layout == CPU_NHWC;
	*c = last ? 1 : rows * columns;
	*row = last ? columns * channels : columns;
	*column = last ? channels : 1;
}

/* DepthToSpace and SpaceToDepth: boxes of batch, row, row and column in the block, column, channel. */
static tarn_err run_blocks(cpu_run *r, const cpu_step *s, bool to_space)
{
	int deep = to_space ? s->in[0] : s->out[0], wide = to_space ? s->out[0] : s->in[0];
	const int64_t *d = tarn_cpu_val(r->inst, r->p, deep)->shape.dim, b = tarn_attr_i(s->node, 0), c = d[1] / (b * b);
	bool crd = to_space && tarn_attr_i(s->node, 1) == 1; /* the place in the block changes fastest */
	int64_t dc, dr, dx, wc, wr, wx;
	image_strides(r->p->slot.at[deep].layout, d[1], d[2], d[3], &dc, &dr, &dx);
	image_strides(r->p->slot.at[wide].layout, c, d[2] * b, d[3] * b, &wc, &wr, &wx);
	int64_t all = d[1] * d[2] * d[3], each = crd ? dc : c * dc;
	int64_t of_deep[] = {all, dr, b * each, dx, each, crd ? b * b * dc : dc}, of_wide[] = {all, b * wr, wr, b * wx, wx, wc};
	copy_box box = {.size = elem_size(r, deep),
			.rank = 6,
			.dim = {d[0], d[2], b, d[3], b, c},
			.from = r->ptr[s->in[0]],
			.to = r->ptr[s->out[0]]};
	memcpy(to_space ? box.src : box.dst, of_deep, sizeof of_deep);
	memcpy(to_space ? box.dst : box.src, of_wide, sizeof of_wide);
	copy(r->pool, &box);
	return TARN_OK;
}

static tarn_err run_move(cpu_run *r, const cpu_step *s, void *plan)
{
	(void)plan;
	const tarn_node *n = s->node;
	if (is(n, "Transpose"))
		return run_transpose(r, s);
	if (is(n, "Concat") || is(n, "Split"))
		return run_parts(r, s, is(n, "Concat"));
	if (is(n, "Slice"))
		return run_slice(r, s);
	if (is(n, "Pad"))
		return run_pad(r, s);
	if (is(n, "DepthToSpace") || is(n, "SpaceToDepth"))
		return run_blocks(r, s, is(n, "DepthToSpace"));
	return is(n, "Expand") ? run_expand(r, s) : run_gather(r, s);
}

/* Pad with a constant of the input's type, by pads that the graph knows. */
static bool pads_plainly(const tarn_node *n)
{
	const tarn_value *value = n->n_in > 2 ? n->in[2] : NULL;
	return tarn_attr_i(n, tarn_attr_index(n->op, "mode")) == 0 && n->in[0]->shape.rank > 0 && n->n_in > 1 && n->in[1] &&
	       n->in[1]->konst &&
	       (!value || (value->type == n->in[0]->type && value->konst && tarn_tensor_count(value->konst) == 1));
}

static tarn_err build_move(cpu_build *b, const cpu_group *g, bool *taken)
{
	static const char *const ops[] = {"Transpose", "Concat", "Split",        "Slice",       "Expand",
					  "Gather",    "Pad",    "DepthToSpace", "SpaceToDepth"};
	const tarn_node *n = g->main;
	bool mine = false;
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		mine |= is(n, ops[i]);
	if (!mine || !n->in[0] || !type_size(n->in[0]->type) || n->in[0]->shape.rank < 0 || n->n_in > 64 || n->n_out > 64)
		return TARN_OK;
	if ((is(n, "Transpose") && n->in[0]->shape.rank < 1) || (is(n, "Pad") && !pads_plainly(n)))
		return TARN_OK;
	int in[64], out[64], rank = n->in[0]->shape.rank;
	bool last = (is(n, "Concat") || is(n, "Split") || is(n, "Slice") || is(n, "Pad") || is(n, "DepthToSpace") ||
		     is(n, "SpaceToDepth")) &&
		    rank >= 3 && rank <= 5;
	cpu_layout layout = last && !n->in[0]->konst ? tarn_cpu_layout_of(b, n->in[0]) : CPU_PLAIN;
	int moved = is(n, "Concat") ? n->n_in : 1;
	const cpu_code *code = is(n, "Pad") ? NULL : coded(b, n, moved); /* its value is no code */
	for (int i = 0; i < n->n_in; i++) {
		in[i] = -1;
		if (n->in[i] && i < moved && code)
			TRY(tarn_cpu_want_code(b, n->in[i], layout, &in[i]));
		else if (n->in[i])
			TRY(tarn_cpu_want(b, n->in[i], i < moved ? layout : CPU_PLAIN, &in[i]));
	}
	for (int i = 0; i < n->n_out; i++) {
		out[i] = -1;
		if (n->out[i])
			TRY(code ? tarn_cpu_give_code(b, n->out[i], layout, code, &out[i])
				 : tarn_cpu_give(b, n->out[i], layout, &out[i]));
	}
	TRY(tarn_cpu_step_new(b, &tarn_cpu_k_move, g, in, n->n_in, out, n->n_out, NULL, -1));
	*taken = true;
	return TARN_OK;
}

const cpu_kernel tarn_cpu_k_move = {.name = "copy", .build = build_move, .run = run_move};
