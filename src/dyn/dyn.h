/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rewrite of one model, from its analysis to its repairs. Private to dyn/.
 *
 * Every value keeps the shape it had with free dimensions while the graph is rewritten: along an axis whose size is an
 * expression over bounded symbols, that expression at the actual lengths says how many elements are valid, and at the maxima
 * how many there are. The valid elements come first. New nodes compute lengths as int32 [1] (no index needs more, and devices
 * have no wider arithmetic); nodes that would compute the same are made once.
 *
 * Building keeps the first error; later steps then give NULL and do nothing, and tarn_dyn_done reports it.
 */
#ifndef TARN_DYN_DYN_H
#define TARN_DYN_DYN_H

#include "dyn/bound.h"
#include "ir/op.h"
#include "ops/ops.h"

typedef struct tarn_dyn_bound {
	const char *name;
	tarn_dim sym;
	int64_t max;
	bool per_sample;
	tarn_dim follows;           /* 0: free; else what it always is, made of others (follow.c) */
	tarn_value *input, *length; /* int64 as given; int32 [1], or [samples, 1] */
} tarn_dyn_bound;

/* What the padding along each axis holds, while the other axes are in their valid part: known numbers, by axis. `joint`: the
 * number of every axis is the same and also stands where several axes are padded. */
typedef struct tarn_content {
	uint32_t known;
	bool joint;
	double v[TARN_MAX_RANK];
} tarn_content;

typedef struct tarn_dyn {
	tarn_model *m;
	tarn_graph *g;
	tarn_dyn_bound *bound;
	int n_bound;
	tarn_dim sample; /* the dimension whose elements have lengths of their own; 0: none */
	VEC(bool) per;   /* by value id: made of such lengths */
	int64_t *max;    /* by symbol (named ones): its maximum, -1 when free or unknown */
	bool *given;     /* by symbol: it is the size of an input */
	size_t n_max;
	VEC(char) depends;                /* by symbol: 0 not asked yet, 1 no, 2 on a bound */
	VEC(tarn_dim) met;                /* pairs of sizes that were looked at (follow.c) */
	bool guess;                       /* what follows need not be certain */
	VEC(tarn_value *) made;           /* results and constants that may be shared */
	VEC(tarn_content) content;        /* by value id */
	struct tarn_origin_size *size_of; /* by output that says a size: whose */
	int n_size;
	tarn_bound_cost cost;
	tarn_err err;
	tarn_arena arena;
} tarn_dyn;

void tarn_dyn_fini(tarn_dyn *d);
TARN_MUST tarn_err tarn_dyn_done(const tarn_dyn *d);

/* ---- sizes (size.c) ---- */

bool tarn_dyn_depends(tarn_dyn *d, tarn_dim x); /* on a bounded symbol: an axis of this size is padded */
bool tarn_dyn_mentions(const tarn_dyn *d, tarn_dim x, tarn_dim sym);
uint32_t tarn_dyn_axes(tarn_dyn *d, const tarn_value *v); /* bit a: axis a is padded */
int64_t tarn_dyn_max(const tarn_dyn *d, tarn_dim x);      /* at the maxima; -1 when it cannot be told */
/* The index of the one bound that x and y hang on; -2: on none, -1: on several, or on what is free. And x, which hangs on no
 * other bound, at one length. */
int tarn_dyn_only(tarn_dyn *d, tarn_dim x, tarn_dim y);
int64_t tarn_dyn_at(tarn_dyn *d, tarn_dim x, int bound, int64_t length);
bool tarn_dyn_grows(tarn_dyn *d, tarn_dim x); /* certainly never falls when a bounded dimension grows */
/* Is x never above what it is at the maxima? Otherwise *longer is the first length at which it is, -1 when that is not known.
 */
bool tarn_dyn_longest(tarn_dyn *d, tarn_dim x, int64_t *longer);
/* The least value of the one bounded dimension (*sym) that x hangs on for which x is at least that; -1 when there is none. */
int64_t tarn_dyn_first(tarn_dyn *d, tarn_dim x, int64_t least, tarn_dim *sym);
/* The largest length (of the one bounded dimension x hangs on) up to which x == number has one answer; false when that is its
 * maximum, or nothing of the kind. */
bool tarn_dyn_same_until(tarn_dyn *d, tarn_dim x, int64_t number, tarn_dim *sym, int64_t *last);
bool tarn_dyn_always(tarn_dyn *d, tarn_dim x, int64_t number);  /* that, at any length at which there is such a size at all */
bool tarn_dyn_never_above(tarn_dyn *d, tarn_dim x, tarn_dim y); /* x certainly at most y, at any lengths within the bounds */
bool tarn_dyn_opaque(const tarn_dyn *d, tarn_dim x);            /* computed from data: a symbol that no input has is in it */
/* Can x be 1 while y is something else, at any lengths within the bounds? Then a broadcast may stretch it. */
bool tarn_dyn_may_stretch(tarn_dyn *d, tarn_dim x, tarn_dim y);
/* Can x be 0 while y, to which it is broadcast, says something else? The result is empty then. */
bool tarn_dyn_may_empty(tarn_dyn *d, tarn_dim x, tarn_dim y);
/* Elements of v at the maxima added to the cost. */
void tarn_dyn_charge(tarn_dyn *d, const tarn_value *v);

/* The axis of v along which the samples lie; -1 when there is none, or several. */
int tarn_dyn_batch(const tarn_dyn *d, const tarn_value *v);

/* ---- sizes of inputs that follow from others (follow.c) ---- */

/* Finds one more, and puts its sum into the shapes of the inputs; inference has to run again. */
TARN_MUST tarn_err tarn_dyn_follow(tarn_dyn *d, bool *found);
/* Maxima of what follows from others are what the others' make. */
TARN_MUST tarn_err tarn_dyn_fit_maxima(tarn_dyn *d, tarn_bound_spec *spec);
/* Inputs get the maxima that were asked for, where their sums have others. */
TARN_MUST tarn_err tarn_dyn_refit(tarn_dyn *d);

/* ---- building (build.c) ---- */

/* A node of one output; b, c may be NULL; attr NULL or an integer attribute. Made once for the same operands. */
tarn_value *tarn_dyn_op(tarn_dyn *d, const char *op, tarn_dtype type, tarn_value *a, tarn_value *b, tarn_value *c);
tarn_value *tarn_dyn_op_attr(tarn_dyn *d, const char *op, tarn_dtype type, const char *attr, int64_t i, tarn_value *a,
			     tarn_value *b, tarn_value *c);
tarn_value *tarn_dyn_cast(tarn_dyn *d, tarn_value *v, tarn_dtype type);
/* Constants: a number of rank 0 (infinities become the limits of integer types); a list with `behind` axes of size 1 behind it;
 * the positions 0 .. n-1. */
tarn_value *tarn_dyn_scalar(tarn_dyn *d, tarn_dtype type, double v);
tarn_value *tarn_dyn_list(tarn_dyn *d, const int32_t *at, int64_t n, int behind);
tarn_value *tarn_dyn_int(tarn_dyn *d, int32_t v);                 /* [1] */
tarn_value *tarn_dyn_dims(tarn_dyn *d, const int64_t *at, int n); /* int64, for shapes and axes */
tarn_value *tarn_dyn_positions(tarn_dyn *d, int64_t n, int behind);

/* The number of valid elements that x stands for, int32 [1]; [samples, 1] where each sample has its own. Combined with a list
 * of positions, a row for each sample. */
tarn_value *tarn_dyn_length(tarn_dyn *d, tarn_dim x);
/* The same to divide by: 1 where there is none. */
tarn_value *tarn_dyn_divisor(tarn_dyn *d, tarn_dim x);
/* A list of lengths, one for each sample, as such. */
tarn_value *tarn_dyn_sample_lengths(tarn_dyn *d, tarn_value *list);
bool tarn_dyn_is_per_sample(const tarn_dyn *d, const tarn_value *v);
/* A length (or what was computed from one) in the form that broadcasts against v: samples along v's axis of samples. An error
 * when they differ and v has no such axis. */
tarn_value *tarn_dyn_against(tarn_dyn *d, tarn_value *length, const tarn_value *v);
/* How many elements are valid along some axes of a shape together, to combine with y: of rank 0, or by sample. */
tarn_value *tarn_dyn_count(tarn_dyn *d, const tarn_shape *s, uint32_t axes, const tarn_value *y);
/* Likewise the quotient of maxima and lengths: what turns a mean over all into one over the valid.
 */
tarn_value *tarn_dyn_excess(tarn_dyn *d, const tarn_shape *s, uint32_t axes, const tarn_value *y);
/* v with its padding along these axes replaced by a number; v itself where it holds that already. */
tarn_value *tarn_dyn_masked(tarn_dyn *d, tarn_value *v, uint32_t axes, double fill);
/* v with elements taken along an axis by int32 indices (of any rank 1); `size` is the new size as an expression. */
tarn_value *tarn_dyn_take(tarn_dyn *d, tarn_value *v, int axis, tarn_value *index, tarn_dim size);
/* v with that shape. A shared value that has another one already (as many elements, but other lengths) is passed on as a value
 * of its own. */
tarn_value *tarn_dyn_shaped(tarn_dyn *d, tarn_value *v, const tarn_shape *shape);
/* v with its padding along an axis repeating the last valid element. */
tarn_value *tarn_dyn_edge(tarn_dyn *d, tarn_value *v, int axis);
/* The elements of a value that inference knows as expressions, as they are at the actual lengths; shape and type as before. */
tarn_value *tarn_dyn_number(tarn_dyn *d, const tarn_value *v);
/* Uses of `from` become uses of `to`, except by `keep` itself (may be NULL). */
void tarn_dyn_replace(tarn_dyn *d, tarn_value *from, tarn_value *to, tarn_node *keep);

/* ---- what padding holds (content.c) ---- */

TARN_MUST tarn_err tarn_dyn_content_set(tarn_dyn *d, const tarn_value *v, const tarn_content *c);
tarn_content tarn_dyn_content(const tarn_dyn *d, const tarn_value *v);
/* Of the outputs of a node from its inputs'. */
TARN_MUST tarn_err tarn_dyn_flow(tarn_dyn *d, const tarn_node *n);

/* ---- the rewrite (rewrite.c) and operators that are written anew (place_*.c) ---- */

/* What operators demand of sizes (fit.c): true in *changed when sizes have become simpler and are to be inferred again. */
TARN_MUST tarn_err tarn_dyn_fit(tarn_dyn *d, bool *changed);
/* Everything between the inputs and the static model; lengths and bounds stand in d. */
TARN_MUST tarn_err tarn_dyn_rewrite(tarn_dyn *d);
/* Operators written as others, which are then repaired one by one; before anything else. */
TARN_MUST tarn_err tarn_dyn_expand(tarn_dyn *d);
/* The operator's answer for one axis of one input. */
tarn_pad tarn_dyn_need(tarn_symtab *syms, const tarn_node *n, int input, int axis);
/* Refuses what mixes samples that have lengths of their own. */
TARN_MUST tarn_err tarn_dyn_check_samples(tarn_dyn *d, const tarn_node *n);
TARN_MUST tarn_err tarn_dyn_refuse(const tarn_dyn *d, const tarn_node *n, int axis, const char *why);

/* Replaces the node's results; `axes`: those of input 0 for which the operator asked. False in *done: dyn cannot either. */
typedef tarn_err (*tarn_dyn_place)(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_concat(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_slice(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_split(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_pad(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_tile(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_gather(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_gather_nd(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_range(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_view(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_window(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_resize(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
/* One axis of a Resize from a table of the elements, and their weights, that each place has at each length; refused when the
 * table would be too large. */
TARN_MUST tarn_err tarn_dyn_resize_by_table(tarn_dyn *d, tarn_node *n, tarn_value *x, int axis, tarn_dim out, tarn_value **y);
tarn_err tarn_dyn_scatter(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_sample(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);
tarn_err tarn_dyn_recurrent(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done);

#endif
