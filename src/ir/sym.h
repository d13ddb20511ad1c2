/* SPDX-License-Identifier: Apache-2.0 */
/* The table of symbols, from inside: what arithmetic on sizes is made of. Private to ir/. */
#ifndef TARN_IR_SYM_H
#define TARN_IR_SYM_H

#include "ir/shape.h"

bool tarn_sym_is(const tarn_symtab *t, tarn_dim d); /* a symbol of the table */
/* Plain arithmetic; false when the result is no size (negative, too large, or a division by zero or of a negative number). */
bool tarn_sym_compute(tarn_sym_op op, int64_t a, int64_t b, int64_t *r);
/* The symbol of that expression as it stands. */
TARN_MUST tarn_err tarn_sym_intern(tarn_symtab *t, tarn_sym_op op, tarn_dim a, tarn_dim b, tarn_dim *out);

#endif
