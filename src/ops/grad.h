/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients: the caller of the grad slot, reverse mode over a whole graph, and what the slots share. Reference code like eval:
 * plain loops in double. No state; callable from any thread as long as nobody else adds to the same din.
 */
#ifndef TARN_OPS_GRAD_H
#define TARN_OPS_GRAD_H

#include "ops/real.h"

/* Adds to din[i] (made by the caller, of F32 or F64; type NONE: not wanted) what dout (type NONE: zero) amounts to. An operator
 * without gradient is differentiated through its decomposition; TARN_UNSUPPORTED, naming it, when it has neither. */
TARN_MUST tarn_err tarn_node_grad(const tarn_node *n, const tarn_tensor *const *in, const tarn_tensor *out,
				  const tarn_tensor *dout, tarn_tensor *din);
/* Whether tarn_node_grad knows a way. */
bool tarn_node_has_grad(const tarn_node *n);
/* The same for a graph: evaluates it, then walks back. dout: one for each graph output, din: one for each graph input. Every
 * intermediate value is kept meanwhile. */
TARN_MUST tarn_err tarn_graph_grad(const tarn_graph *g, const tarn_tensor *const *in, const tarn_tensor *dout,
				   tarn_tensor *din);

/* ---- for the slots: arrays live in g->arena ---- */

/* All elements as double; *v is NULL for no tensor (NULL, or type NONE). */
TARN_MUST tarn_err tarn_grad_load(tarn_grad *g, const tarn_tensor *t, double **v);
/* n zeros. */
TARN_MUST tarn_err tarn_grad_zeros(tarn_grad *g, int64_t n, double **v);
/* Elements of t, broadcast to the shape of `to`. */
TARN_MUST tarn_err tarn_grad_expand(tarn_grad *g, const tarn_tensor *t, const tarn_tensor *to, double **v);
/* Whether input i's gradient is wanted. */
static inline bool tarn_grad_wants(const tarn_grad *g, int i)
{
	return i < g->node->n_in && g->din[i].type != TARN_DTYPE_NONE;
}
/* din += v, of as many elements. */
void tarn_grad_add(tarn_tensor *din, const double *v);
/* din += v, of the shape of `from`, summed over the axes along which din is broadcast to it. */
TARN_MUST tarn_err tarn_grad_reduce(tarn_grad *g, tarn_tensor *din, const tarn_tensor *from, const double *v);

/* dx = dy * slope(x, y, p) for operators of one input; dx = 0 with a NULL slope. */
typedef double (*tarn_grad_slope)(double x, double y, const double *p);
TARN_MUST tarn_err tarn_grad_unary(tarn_grad *g, tarn_grad_slope slope, const double *p);
/* d/da and d/db of y = f(a, b), broadcast. */
typedef double (*tarn_grad_partial)(double a, double b, double y);
TARN_MUST tarn_err tarn_grad_binary(tarn_grad *g, tarn_grad_partial da, tarn_grad_partial db);
/* d/dx of y = (sum of |x|^p)^(1/p); 0 at the origin, where it has a corner. */
double tarn_norm_slope(double x, double y, double p);
/* For operators each of whose output elements is a copy of one input element, or of none: the operator is run on the numbers of
 * the elements, which tells where each gradient goes. */
TARN_MUST tarn_err tarn_grad_moved(tarn_grad *g);
/* For operators whose output is input 0 in order. */
TARN_MUST tarn_err tarn_grad_view(tarn_grad *g);

#endif
