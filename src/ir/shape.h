/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes with free dimensions.
 *
 * A tarn_dim is one integer: >= 0 is that size; < 0 is a symbol of the model's tarn_symtab. Symbols are either named (a free
 * dimension of an input, "batch") or expressions over other dimensions (2*batch, floor((h+1)/2)), interned so that two equal
 * expressions are the same symbol and shapes compare with ==. Every symbol has bounds [lo, hi].
 */
#ifndef TARN_IR_SHAPE_H
#define TARN_IR_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

enum { TARN_MAX_RANK = 8 };
#define TARN_DIM_MAX ((int64_t)1 << 40) /* the largest size one dimension may have */

typedef int64_t tarn_dim;
static inline bool tarn_dim_is_static(tarn_dim d)
{
	return d >= 0;
}

/* Lists of known elements (shape arithmetic) may hold negative numbers, such as the -1 of a Reshape: they are shifted far below
 * every symbol. Only such lists hold them; a shape never does. */
#define TARN_DIM_LITERAL ((int64_t)1 << 50)
static inline tarn_dim tarn_dim_of_int(int64_t v)
{
	int64_t limit = (int64_t)1 << 48, c = v > limit ? limit : v < -limit ? -limit : v;
	return c >= 0 ? c : c - TARN_DIM_LITERAL;
}
/* True, with the number, for sizes and literals; false for symbols. */
static inline bool tarn_dim_is_int(tarn_dim d, int64_t *v)
{
	bool literal = d < -(TARN_DIM_LITERAL / 2);
	*v = literal ? d + TARN_DIM_LITERAL : d;
	return d >= 0 || literal;
}

typedef struct tarn_shape {
	int rank; /* -1: unknown */
	tarn_dim dim[TARN_MAX_RANK];
} tarn_shape;

typedef enum tarn_sym_op {
	TARN_SYM_NAMED,
	TARN_SYM_ADD,
	TARN_SYM_SUB,
	TARN_SYM_MUL,
	TARN_SYM_FLOORDIV,
	TARN_SYM_CEILDIV,
	TARN_SYM_MIN,
	TARN_SYM_MAX
} tarn_sym_op;

typedef struct tarn_sym {
	tarn_sym_op op;
	const char *name; /* NAMED: the user's word, or NULL for a size only known after running (a data-dependent shape) */
	tarn_dim a, b;    /* operands of the others; may themselves be static */
	int64_t lo, hi;   /* inclusive; hi = TARN_DIM_MAX: no bound known */
} tarn_sym;

typedef struct tarn_symtab {
	tarn_arena *arena; /* names live here */
	VEC(tarn_sym) sym; /* symbol -1 is at [0], -2 at [1], ... */
} tarn_symtab;

void tarn_symtab_fini(tarn_symtab *t);
const tarn_sym *tarn_sym_get(const tarn_symtab *t, tarn_dim d); /* d < 0 */
/* The symbol of that name, made on first use with bounds [1, TARN_DIM_MAX]. */
TARN_MUST tarn_err tarn_symtab_named(tarn_symtab *t, const char *name, tarn_dim *d);
/* A new unnamed symbol, equal to nothing but itself. */
TARN_MUST tarn_err tarn_symtab_fresh(tarn_symtab *t, int64_t lo, int64_t hi, tarn_dim *d);
/* Other bounds for a named symbol, and for the expressions that hold it. What was inferred before is not looked at again. */
void tarn_symtab_limit(tarn_symtab *t, tarn_dim d, int64_t lo, int64_t hi);
/* Arithmetic: folds constants and neutral elements, interns the rest. A negative or too large static result is TARN_SHAPE, as
 * is division by zero. Sums of a symbol and constants collapse ((x+1)+2 = x+3, (x+1)-1 = x), as does x*a/a. */
TARN_MUST tarn_err tarn_dim_op(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out);
/* a modulo m as Python has it (never negative), for a static m > 0. False when it cannot be said. */
bool tarn_dim_mod(tarn_symtab *t, tarn_dim a, int64_t m, tarn_dim *out);
/* Bounds of a size. */
int64_t tarn_dim_lo(const tarn_symtab *t, tarn_dim d);
int64_t tarn_dim_hi(const tarn_symtab *t, tarn_dim d);
/* Bounds of an expression as a number: of a - b, which may be negative where it is no size. */
int64_t tarn_dim_least(const tarn_symtab *t, tarn_dim d);
int64_t tarn_dim_most(const tarn_symtab *t, tarn_dim d);
/* Value of d when the named symbols have the given values (value[i] for symbol -(i+1); < 0: unknown). -1 when it cannot be
 * told. */
int64_t tarn_dim_value(const tarn_symtab *t, tarn_dim d, const int64_t *value, size_t n);

bool tarn_shape_same(const tarn_shape *a, const tarn_shape *b); /* same rank (known) and every dimension certainly the same */
bool tarn_shape_is_static(const tarn_shape *s);                 /* rank known, no symbol */
tarn_shape tarn_shape_of(int rank, const int64_t *dim);
/* Elements of a static shape; TARN_SHAPE when symbolic or above 2^48. */
TARN_MUST tarn_err tarn_shape_count(const tarn_shape *s, int64_t *n);
/* numpy broadcasting, both directions. A symbol against 1 gives the symbol; against a static size > 1, that size; two different
 * symbols give MAX of both (equal or one of them 1). TARN_SHAPE when static sizes clash, with both shapes in the sentence. */
TARN_MUST tarn_err tarn_shape_broadcast(tarn_symtab *t, const tarn_shape *a, const tarn_shape *b, tarn_shape *out);
/* Negative axes count from the end; TARN_SHAPE "axis 5 out of range for rank 3". */
TARN_MUST tarn_err tarn_shape_axis(int rank, int64_t axis, int *out);

/* "[1,3,batch,floor((h+1)/2)]"; "?" for unnamed symbols, "[...]" for unknown rank. */
void tarn_dim_print(tarn_str *s, const tarn_symtab *t, tarn_dim d);
void tarn_shape_print(tarn_str *s, const tarn_symtab *t, const tarn_shape *shape);

#endif
