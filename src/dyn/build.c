/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes that repairs are made of. */
#include <math.h>
#include <string.h>

#include "dyn/dyn.h"
#include "ops/elem.h"

void tarn_dyn_fini(tarn_dyn *d)
{
	VEC_FINI(&d->depends);
	VEC_FINI(&d->met);
	VEC_FINI(&d->made);
	VEC_FINI(&d->content);
	VEC_FINI(&d->per);
	tarn_arena_fini(&d->arena);
}

tarn_err tarn_dyn_done(const tarn_dyn *d)
{
	return d->err;
}

/* ---- nodes ---- */

static tarn_value *share(tarn_dyn *d, tarn_value *v)
{
	d->err = VEC_GROW(&d->made);
	if (d->err != TARN_OK)
		return NULL;
	return d->made.at[d->made.len++] = v;
}

bool tarn_dyn_is_per_sample(const tarn_dyn *d, const tarn_value *v)
{
	return v && v->id < d->per.len && d->per.at[v->id];
}

static void mark_per_sample(tarn_dyn *d, const tarn_value *v)
{
	if (VEC_RESERVE(&d->per, (size_t)v->id + 1) != TARN_OK) {
		d->err = TARN_NOMEM;
		return;
	}
	while (d->per.len <= v->id)
		d->per.at[d->per.len++] = false;
	d->per.at[v->id] = true;
}

static tarn_value *find_node(const tarn_dyn *d, const tarn_op_def *op, int attr, int64_t i, tarn_value *const *in, int n_in)
{
	for (size_t k = 0; k < d->made.len; k++) {
		const tarn_node *n = d->made.at[k]->def;
		if (n && n->op == op && n->n_in == n_in && !memcmp(n->in, in, (size_t)n_in * sizeof *in) &&
		    (attr < 0 || tarn_attr_i(n, attr) == i))
			return d->made.at[k];
	}
	return NULL;
}

tarn_value *tarn_dyn_op_attr(tarn_dyn *d, const char *op, tarn_dtype type, const char *attr, int64_t i, tarn_value *a,
			     tarn_value *b, tarn_value *c)
{
	const tarn_op_def *def = tarn_op_find(NULL, op);
	tarn_value *in[] = {a, b, c};
	int n_in = c ? 3 : b ? 2 : 1, at = attr ? tarn_attr_index(def, attr) : -1;
	if (d->err != TARN_OK)
		return NULL;
	tarn_value *v = find_node(d, def, at, i, in, n_in);
	if (v)
		return v;
	tarn_node *n;
	d->err = tarn_node_new(d->g, def, a->name, n_in, 1, -1, &n);
	if (d->err == TARN_OK && at >= 0)
		d->err = tarn_attr_set_i(n, at, i);
	if (d->err != TARN_OK)
		return NULL;
	memcpy(n->in, in, (size_t)n_in * sizeof *in);
	n->out[0]->type = type;
	for (int k = 0; k < n_in; k++)
		if (tarn_dyn_is_per_sample(d, in[k]))
			mark_per_sample(d, n->out[0]);
	return d->err == TARN_OK ? share(d, n->out[0]) : NULL;
}

tarn_value *tarn_dyn_op(tarn_dyn *d, const char *op, tarn_dtype type, tarn_value *a, tarn_value *b, tarn_value *c)
{
	return tarn_dyn_op_attr(d, op, type, NULL, 0, a, b, c);
}

tarn_value *tarn_dyn_cast(tarn_dyn *d, tarn_value *v, tarn_dtype type)
{
	return d->err != TARN_OK || v->type == type ? v : tarn_dyn_op_attr(d, "Cast", type, "to", type, v, NULL, NULL);
}

/* ---- constants ---- */

static bool same_tensor(const tarn_tensor *a, const tarn_tensor *b)
{
	return a->type == b->type && a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) &&
	       !memcmp(a->data, b->data, tarn_tensor_bytes(a));
}

/* Takes the tensor. */
static tarn_value *constant(tarn_dyn *d, const char *name, tarn_tensor *t)
{
	tarn_value *v = NULL;
	for (size_t k = 0; k < d->made.len && !v; k++)
		if (d->made.at[k]->konst && same_tensor(d->made.at[k]->konst, t))
			v = d->made.at[k];
	if (!v) {
		d->err = tarn_value_const(d->g, name, t, &v);
		v = d->err == TARN_OK ? share(d, v) : NULL;
	}
	tarn_tensor_fini(t);
	return v;
}

tarn_value *tarn_dyn_scalar(tarn_dyn *d, tarn_dtype type, double x)
{
	tarn_tensor t;
	if (d->err == TARN_OK)
		d->err = tarn_tensor_new(type, 0, NULL, &t);
	if (d->err != TARN_OK)
		return NULL;
	if (tarn_dtype_is_float(type) || type == TARN_BOOL)
		tarn_tensor_set_f64(&t, 0, x);
	else if (isinf(x) && type == TARN_U64)
		tarn_tensor_set_i64(&t, 0, x < 0 ? 0 : -1);
	else if (isinf(x) && type == TARN_I64)
		tarn_tensor_set_i64(&t, 0, x < 0 ? INT64_MIN : INT64_MAX);
	else if (isinf(x))
		tarn_tensor_set_i64(&t, 0, (int64_t)(x < 0 ? tarn_elem_lowest(type) : tarn_elem_highest(type)));
	else
		tarn_tensor_set_i64(&t, 0, (int64_t)x);
	return constant(d, "neutral", &t);
}

tarn_value *tarn_dyn_list(tarn_dyn *d, const int32_t *at, int64_t n, int behind)
{
	tarn_tensor t;
	int64_t dim[TARN_MAX_RANK];
	for (int i = 0; i < TARN_MAX_RANK; i++)
		dim[i] = i ? 1 : n;
	if (d->err == TARN_OK)
		d->err = tarn_tensor_new(TARN_I32, behind + 1, dim, &t);
	if (d->err != TARN_OK)
		return NULL;
	memcpy(t.data, at, (size_t)n * sizeof *at);
	return constant(d, "positions", &t);
}

tarn_value *tarn_dyn_int(tarn_dyn *d, int32_t v)
{
	return tarn_dyn_list(d, &v, 1, 0);
}

tarn_value *tarn_dyn_dims(tarn_dyn *d, const int64_t *at, int n)
{
	tarn_value *v = NULL;
	if (d->err == TARN_OK)
		d->err = tarn_value_const_i64(d->g, "sizes", at, n, &v);
	return v;
}

tarn_value *tarn_dyn_positions(tarn_dyn *d, int64_t n, int behind)
{
	if (d->err == TARN_OK && (n < 0 || n > 1 << 28))
		d->err = tarn_err_set(TARN_UNSUPPORTED, "an axis of %lld elements cannot be bounded", (long long)n);
	int32_t *at = d->err == TARN_OK ? tarn_arena_alloc(&d->arena, (size_t)(n + 1) * sizeof *at) : NULL;
	if (!at) {
		d->err = d->err == TARN_OK ? tarn_err_nomem((size_t)n * sizeof *at) : d->err;
		return NULL;
	}
	for (int64_t i = 0; i < n; i++)
		at[i] = (int32_t)i;
	return tarn_dyn_list(d, at, n, behind);
}

/* ---- lengths ---- */

/* A dimension that stays free: read off the input that has it. */
static tarn_value *free_size(tarn_dyn *d, tarn_dim x)
{
	for (size_t i = 0; i < d->g->input.len; i++) {
		tarn_value *v = d->g->input.at[i];
		for (int k = 0; k < v->shape.rank; k++)
			if (v->shape.dim[k] == x) {
				tarn_value *s = tarn_dyn_op(d, "Shape", TARN_I64, v, NULL, NULL);
				int64_t at = k;
				return tarn_dyn_cast(
					d,
					tarn_dyn_op_attr(d, "Gather", TARN_I64, "axis", 0, s, tarn_dyn_dims(d, &at, 1), NULL),
					TARN_I32);
			}
	}
	d->err = tarn_err_set(TARN_UNSUPPORTED, "a size that no input has cannot be computed");
	return NULL;
}

static tarn_value *length_of_sum(tarn_dyn *d, const tarn_sym *s)
{
	static const char *const op[] = {NULL, "Add", "Sub", "Mul", "Div", "Div", "Min", "Max"};
	tarn_dim dim_a = s->a, dim_b = s->b;
	tarn_sym_op kind = s->op; /* the table may move */
	tarn_value *a = tarn_dyn_length(d, dim_a), *b = tarn_dyn_length(d, dim_b);
	if (kind == TARN_SYM_CEILDIV)
		a = tarn_dyn_op(d, "Add", TARN_I32, a, tarn_dyn_op(d, "Sub", TARN_I32, b, tarn_dyn_int(d, 1), NULL), NULL);
	return tarn_dyn_op(d, op[kind], TARN_I32, a, b, NULL);
}

tarn_value *tarn_dyn_length(tarn_dyn *d, tarn_dim x)
{
	int64_t v;
	if (d->err != TARN_OK)
		return NULL;
	if (tarn_dim_is_int(x, &v)) {
		if (v > INT32_MAX || v < INT32_MIN) {
			d->err = tarn_err_set(TARN_UNSUPPORTED, "a length of %lld is more than 2^31", (long long)v);
			return NULL;
		}
		return tarn_dyn_int(d, (int32_t)v);
	}
	for (int i = 0; i < d->n_bound; i++)
		if (d->bound[i].sym == x)
			return d->bound[i].length;
	if (tarn_dyn_max(d, x) > INT32_MAX) {
		d->err = tarn_err_set(TARN_UNSUPPORTED, "a length of %lld is more than 2^31", (long long)tarn_dyn_max(d, x));
		return NULL;
	}
	const tarn_sym *s = tarn_sym_get(&d->m->syms, x);
	return s->op == TARN_SYM_NAMED ? free_size(d, x) : length_of_sum(d, s);
}

tarn_value *tarn_dyn_divisor(tarn_dyn *d, tarn_dim x)
{
	int64_t number; /* at lengths that a model does not run at, too, which a compiler may try */
	tarn_value *v = tarn_dyn_length(d, x);
	return tarn_dim_is_int(x, &number) && number > 0 ? v : tarn_dyn_op(d, "Max", TARN_I32, v, tarn_dyn_int(d, 1), NULL);
}

tarn_value *tarn_dyn_sample_lengths(tarn_dyn *d, tarn_value *list)
{
	int64_t axis = 1;
	tarn_value *v = tarn_dyn_op(d, "Unsqueeze", TARN_I32, list, tarn_dyn_dims(d, &axis, 1), NULL);
	if (v)
		mark_per_sample(d, v);
	return v;
}

/* [samples, 1], or [samples, n], with axes of size 1 put in. */
static tarn_value *spread(tarn_dyn *d, tarn_value *v, const int64_t *dim, int rank)
{
	tarn_value *y = tarn_dyn_op(d, "Reshape", v->type, v, tarn_dyn_dims(d, dim, rank), NULL);
	return d->err == TARN_OK ? y : NULL;
}

static int batch_or_error(tarn_dyn *d, const tarn_value *v)
{
	int at = tarn_dyn_batch(d, v);
	if (at < 0 && d->err == TARN_OK)
		d->err = tarn_err_set(TARN_UNSUPPORTED,
				      "how much of '%s' is valid differs by sample, but it has no axis of samples", v->name);
	return at;
}

tarn_value *tarn_dyn_against(tarn_dyn *d, tarn_value *length, const tarn_value *v)
{
	int64_t dim[TARN_MAX_RANK];
	if (d->err != TARN_OK || !tarn_dyn_is_per_sample(d, length))
		return length;
	int at = batch_or_error(d, v), rank = v->shape.rank - at;
	for (int i = 0; i < rank; i++)
		dim[i] = i ? 1 : tarn_dyn_max(d, d->sample);
	return d->err == TARN_OK ? spread(d, length, dim, rank) : NULL;
}

tarn_value *tarn_dyn_count(tarn_dyn *d, const tarn_shape *s, uint32_t axes, const tarn_value *y)
{
	tarn_value *count = NULL;
	for (int a = 0; a < s->rank; a++)
		if (axes >> a & 1) {
			tarn_value *n = tarn_dyn_cast(d, tarn_dyn_length(d, s->dim[a]), y->type);
			count = count ? tarn_dyn_op(d, "Mul", y->type, count, n, NULL) : n;
		}
	return tarn_dyn_is_per_sample(d, count) ? tarn_dyn_against(d, count, y)
						: tarn_dyn_op(d, "Squeeze", y->type, count, NULL, NULL);
}

tarn_value *tarn_dyn_excess(tarn_dyn *d, const tarn_shape *s, uint32_t axes, const tarn_value *y)
{
	double max = 1;
	for (int a = 0; a < s->rank; a++)
		max *= axes >> a & 1 ? (double)tarn_dyn_max(d, s->dim[a]) : 1;
	return tarn_dyn_op(d, "Div", y->type, tarn_dyn_scalar(d, y->type, max), tarn_dyn_count(d, s, axes, y), NULL);
}

/* ---- padding replaced ---- */

static bool holds(const tarn_content *c, uint32_t axes, double fill)
{
	if ((c->known & axes) != axes || (axes & (axes - 1) && !c->joint))
		return false;
	for (int a = 0; a < TARN_MAX_RANK; a++)
		if (axes >> a & 1 && c->v[a] != fill)
			return false;
	return true;
}

static tarn_content after_mask(tarn_dyn *d, const tarn_value *v, uint32_t axes, double fill)
{
	tarn_content c = tarn_dyn_content(d, v);
	c.known |= axes;
	c.joint = !(tarn_dyn_axes(d, v) & ~axes);
	for (int a = 0; a < TARN_MAX_RANK; a++)
		if (axes >> a & 1)
			c.v[a] = fill;
	return c;
}

/* The integer that a per-tensor DequantizeLinear makes this number of; false when there is none. */
static bool quantized(const tarn_node *n, double fill, double *q)
{
	const tarn_tensor *scale = n->n_in > 1 && n->in[1] ? n->in[1]->konst : NULL,
			  *zero = n->n_in > 2 && n->in[2] ? n->in[2]->konst : NULL;
	if (strcmp(n->op->name, "DequantizeLinear") || fill != 0 || !scale || tarn_tensor_count(scale) != 1 ||
	    (n->n_in > 2 && n->in[2] && !zero))
		return false;
	*q = zero ? (double)tarn_tensor_i64(zero, 0) : 0;
	return true;
}

/* Masked where it is still an integer, so that what follows goes on in integers. */
static tarn_value *masked_before(tarn_dyn *d, tarn_value *v, uint32_t axes, double q)
{
	const tarn_node *n = v->def;
	tarn_value *x = tarn_dyn_masked(d, n->in[0], axes, q);
	tarn_value *y = tarn_dyn_op(d, "DequantizeLinear", v->type, x, n->in[1], n->n_in > 2 ? n->in[2] : NULL);
	return y;
}

/* bool, broadcasting against v: true where its elements along an axis are valid. */
static tarn_value *mask_along(tarn_dyn *d, const tarn_value *v, int a)
{
	tarn_dim x = v->shape.dim[a];
	return tarn_dyn_op(d, "Less", TARN_BOOL, tarn_dyn_positions(d, tarn_dyn_max(d, x), v->shape.rank - 1 - a),
			   tarn_dyn_against(d, tarn_dyn_length(d, x), v), NULL);
}

tarn_value *tarn_dyn_masked(tarn_dyn *d, tarn_value *v, uint32_t axes, double fill)
{
	double q;
	if (d->err != TARN_OK)
		return NULL;
	tarn_content now = tarn_dyn_content(d, v);
	if (holds(&now, axes, fill))
		return v;
	tarn_content then = after_mask(d, v, axes, fill);
	tarn_value *y;
	size_t before = d->made.len;
	if (v->def && quantized(v->def, fill, &q)) {
		y = masked_before(d, v, axes, q);
	} else {
		tarn_value *mask = NULL;
		for (int a = 0; a < v->shape.rank; a++)
			if (axes >> a & 1) {
				tarn_value *m = mask_along(d, v, a);
				mask = mask ? tarn_dyn_op(d, "And", TARN_BOOL, mask, m, NULL) : m;
			}
		before = d->made.len;
		if (v->type == TARN_BOOL && fill == 0)
			y = tarn_dyn_op(d, "And", v->type, v, mask, NULL);
		else
			y = tarn_dyn_op(d, "Where", v->type, mask, v, tarn_dyn_scalar(d, v->type, fill));
		if (d->err == TARN_OK && d->made.len > before && y == d->made.at[d->made.len - 1]) {
			d->cost.masks++;
			tarn_dyn_charge(d, v);
		}
	}
	if (d->err != TARN_OK)
		return NULL;
	y->shape = v->shape;
	d->err = tarn_dyn_content_set(d, y, &then);
	return y;
}

/* Other indices for each sample: each element gets its own. */
static tarn_value *take_by_sample(tarn_dyn *d, tarn_value *v, int axis, tarn_value *index, tarn_dim size)
{
	int64_t dim[TARN_MAX_RANK], full[TARN_MAX_RANK];
	int at = batch_or_error(d, v);
	if (d->err == TARN_OK && at > axis)
		index = tarn_dyn_op(d, "Transpose", TARN_I32, index, NULL, NULL);
	for (int a = 0; a < v->shape.rank; a++) {
		full[a] = tarn_dyn_max(d, a == axis ? size : v->shape.dim[a]);
		dim[a] = a == axis || a == at ? full[a] : 1;
		if (full[a] < 0 && d->err == TARN_OK)
			d->err = tarn_err_set(TARN_UNSUPPORTED, "'%s' has another free dimension; bound that too", v->name);
	}
	if (d->err != TARN_OK)
		return NULL;
	index = spread(d, index, dim, v->shape.rank);
	index = tarn_dyn_op(d, "Expand", TARN_I32, index, tarn_dyn_dims(d, full, v->shape.rank), NULL);
	return tarn_dyn_op_attr(d, "GatherElements", v->type, "axis", axis, v, index, NULL);
}

tarn_value *tarn_dyn_take(tarn_dyn *d, tarn_value *v, int axis, tarn_value *index, tarn_dim size)
{
	if (d->err != TARN_OK)
		return NULL;
	size_t before = d->made.len;
	tarn_value *y = tarn_dyn_is_per_sample(d, index) ? take_by_sample(d, v, axis, index, size)
							 : tarn_dyn_op_attr(d, "Gather", v->type, "axis", axis, v, index, NULL);
	tarn_shape shape = v->shape;
	shape.dim[axis] = size;
	y = tarn_dyn_shaped(d, y, &shape);
	if (d->err != TARN_OK)
		return NULL;
	if (d->made.len > before) {
		d->cost.gathers++;
		tarn_dyn_charge(d, y);
	}
	return y;
}

tarn_value *tarn_dyn_shaped(tarn_dyn *d, tarn_value *v, const tarn_shape *shape)
{
	tarn_node *n;
	if (d->err == TARN_OK && v->shape.rank >= 0 && !tarn_shape_same(&v->shape, shape)) {
		d->err = tarn_node_new(d->g, tarn_op_find(NULL, "Identity"), v->name, 1, 1, -1, &n);
		if (d->err == TARN_OK) {
			n->in[0] = v;
			n->out[0]->type = v->type;
			v = n->out[0];
		}
	}
	if (d->err != TARN_OK)
		return NULL;
	v->shape = *shape;
	return v;
}

tarn_value *tarn_dyn_edge(tarn_dyn *d, tarn_value *v, int axis)
{
	if (d->err != TARN_OK)
		return NULL;
	tarn_dim size = v->shape.dim[axis];
	tarn_value *last = tarn_dyn_op(d, "Sub", TARN_I32, tarn_dyn_length(d, size), tarn_dyn_int(d, 1), NULL);
	return tarn_dyn_take(
		d, v, axis, tarn_dyn_op(d, "Min", TARN_I32, tarn_dyn_positions(d, tarn_dyn_max(d, size), 0), last, NULL), size);
}

/* ---- numbers ---- */

static tarn_value *joined(tarn_dyn *d, tarn_value *const *part, int n)
{
	tarn_node *k;
	if (d->err != TARN_OK || n == 1)
		return d->err == TARN_OK ? part[0] : NULL;
	const tarn_op_def *concat = tarn_op_find(NULL, "Concat");
	d->err = tarn_node_new(d->g, concat, "lengths", n, 1, -1, &k);
	if (d->err == TARN_OK)
		d->err = tarn_attr_set_i(k, tarn_attr_index(concat, "axis"), 0);
	if (d->err != TARN_OK)
		return NULL;
	memcpy(k->in, part, (size_t)n * sizeof *part);
	k->out[0]->type = TARN_I32;
	return k->out[0];
}

tarn_value *tarn_dyn_number(tarn_dyn *d, const tarn_value *v)
{
	enum { MOST = 64 };
	tarn_value *part[MOST];
	if (d->err == TARN_OK && (v->n_known > MOST || v->n_known < 1))
		d->err = tarn_err_set(TARN_UNSUPPORTED, "a list of %d lengths", v->n_known);
	for (int i = 0; d->err == TARN_OK && i < v->n_known; i++)
		part[i] = tarn_dyn_length(d, v->known[i]);
	for (int i = 0; d->err == TARN_OK && i < v->n_known; i++)
		if (tarn_dyn_is_per_sample(d, part[i]))
			d->err = tarn_err_set(TARN_UNSUPPORTED, "the length is used as a number, which differs by sample");
	tarn_value *y = tarn_dyn_cast(d, joined(d, part, v->n_known), v->type);
	if (v->shape.rank == 0)
		y = tarn_dyn_op(d, "Squeeze", v->type, y, NULL, NULL);
	else if (v->shape.rank > 1)
		y = tarn_dyn_op(d, "Reshape", v->type, y, tarn_dyn_dims(d, v->shape.dim, v->shape.rank), NULL);
	if (d->err != TARN_OK)
		return NULL;
	y->shape = v->shape;
	return y;
}

void tarn_dyn_replace(tarn_dyn *d, tarn_value *from, tarn_value *to, tarn_node *keep)
{
	int at = -1;
	for (int i = 0; keep && i < keep->n_in; i++)
		if (keep->in[i] == from)
			at = i;
	tarn_graph_replace(d->g, from, to);
	if (at >= 0)
		keep->in[at] = from;
}
