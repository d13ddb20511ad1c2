/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs from the operator table, with random free axes: start() makes inputs, each step() adds an operator when it
 * suits what it was given. */
#ifndef TARN_TESTS_UNIT_DYN_RANDOM_GRAPH_H
#define TARN_TESTS_UNIT_DYN_RANDOM_GRAPH_H

#include "ir/dump.h"
#include "unit/dyn/random_blocks.h"
#include "unit/dyn/random_forms.h"
#include "unit/dyn/random_types.h"

/* ---- graphs ---- */

static inline void start(void)
{
	assert_ok(tarn_model_new(&model));
	g = model->main;
	n_pool = 0;
	n_spec = between(1, 2);
	tarn_dim sym[2];
	for (int i = 0; i < n_spec; i++) {
		spec[i] = (tarn_bound_spec){dim_name[i], between(2, 9)};
		assert_ok(tarn_symtab_named(&model->syms, dim_name[i], &sym[i]));
	}
	for (int i = 0; i < (n_spec == 2 ? 2 : between(1, 2)); i++) {
		tarn_shape s = {.rank = between(2, 4)};
		for (int k = 0; k < s.rank; k++)
			s.dim[k] = between(0, 2) ? between(1, 4) : sym[between(0, n_spec - 1)];
		s.dim[between(0, s.rank - 1)] = sym[i % n_spec];
		pool[n_pool++] = input(g, s);
	}
}

typedef tarn_value *(*maker)(void);
static const maker makers[] = {elementwise,
			       elementwise,
			       elementwise,
			       reduction,
			       along_axis,
			       sorted,
			       cumulative,
			       transposed,
			       reshaped,
			       moved,
			       moved,
			       cut,
			       bordered,
			       product,
			       windowed,
			       windowed,
			       normalised,
			       recurrent,
			       resized,
			       counted,
			       counted,
			       other,
			       logical,
			       integral,
			       many_inputs,
			       looked_up,
			       scattered,
			       sampled,
			       quantised,
			       products_of_codes,
			       windows_of_codes,
			       residual,
			       residual,
			       attention,
			       pooled_by_statistics,
			       stacked,
			       excited,
			       blocked,
			       down_and_up,
			       positioned,
			       linear,
			       grouped,
			       channelwise,
			       pooled,
			       windows_local,
			       remembering,
			       parted,
			       shaped_anew,
			       enlarged,
			       rearranged,
			       passed,
			       sized_by_data};
enum { MAKERS = sizeof makers / sizeof *makers };

/* Inputs of a batch whose samples have lengths of their own: n samples of length m. */
static inline void start_samples(void)
{
	tarn_dim sym[2];
	assert_ok(tarn_model_new(&model));
	g = model->main;
	n_pool = 0;
	n_spec = 2;
	for (int i = 0; i < 2; i++) {
		spec[i] = (tarn_bound_spec){.name = dim_name[i], .max = between(2, i ? 9 : 4), .per = i ? dim_name[0] : NULL};
		assert_ok(tarn_symtab_named(&model->syms, dim_name[i], &sym[i]));
	}
	for (int i = between(0, 1); i >= 0; i--) {
		tarn_shape s = {.rank = between(2, 4)};
		int batch = between(0, 2) ? 0 : between(0, s.rank - 1), length = (batch + between(1, s.rank - 1)) % s.rank;
		for (int k = 0; k < s.rank; k++)
			s.dim[k] = k == batch ? sym[0] : k == length || !between(0, 4) ? sym[1] : between(1, 4);
		pool[n_pool++] = input(g, s);
	}
}

/* The attributes of a node changed at random, as far as its schema goes. */
static void vary(tarn_node *n)
{
	static const char *const lists[] = {"strides", "dilations", "kernel_shape"};
	for (int i = 0; i < n->op->n_attr; i++) {
		const tarn_attr_def *a = &n->op->attr[i];
		int rank = n->in[0] ? n->in[0]->shape.rank : 0;
		if (between(0, 1))
			continue;
		if (a->kind == TARN_ATTR_FLOAT && a->presence == TARN_ATTR_DEFAULT)
			assert_ok(tarn_attr_set_f(n, i, a->def ? a->def * (0.3 + fabs(number())) : 0.25));
		else if (a->kind == TARN_ATTR_BOOL)
			assert_ok(tarn_attr_set_i(n, i, between(0, 1)));
		else if (!strcmp(a->name, "axis") && strcmp(n->op->name, "OneHot") && n->attr[i].i > 0 && n->attr[i].i < rank)
			assert_ok(tarn_attr_set_i(n, i, n->attr[i].i - rank));
		for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
			if (!strcmp(a->name, lists[k]) && !between(0, 1))
				n->attr[i].set = false;
	}
	int k = tarn_attr_index(n->op, "kernel_shape"), w = !strncmp(n->op->name, "QLinear", 7) ? 3 : 1;
	if (k >= 0 && n->n_in > w && n->in[w] && between(0, 1)) {
		const tarn_shape *s = &n->in[w]->shape;
		int nd = s->rank - 2 - !strcmp(n->op->name, "GroupConvolution");
		assert_ok(tarn_attr_set_ints(g, n, k, s->dim + s->rank - nd, nd));
	}
}

/* One more operator from this maker, when it suits what it was given. */
static bool step_with(maker make_one)
{
	size_t before = g->node.len;
	one_piece = false;
	tarn_value *v = make_one();
	bool varied = v && !one_piece && !between(0, 2) && tarn_graph_infer(g) == TARN_OK;
	for (size_t i = before; i < g->node.len && varied; i++)
		vary(g->node.at[i]);
	bool fits = v && tarn_graph_infer(g) == TARN_OK && small_enough(v);
	tarn_err_clear();
	if (fits) {
		pool[n_pool++] = v;
		return true;
	}
	g->node.len = before;
	assert_ok(tarn_graph_infer(g));
	return false;
}

static void step(void)
{
	(void)step_with(makers[between(0, MAKERS - 1)]);
}

/* The graph as text, on stderr. */
static inline void dump(void)
{
	tarn_str s = {0};
	assert_ok(tarn_graph_infer(g));
	tarn_graph_dump(g, &s);
	for (char *line = s.at ? s.at : NULL, *next; line && *line; line = next) { /* print_error cuts long texts */
		next = line + strcspn(line, "\n") + (line[strcspn(line, "\n")] != 0);
		print_error("%.*s", (int)(next - line), line);
	}
	tarn_str_fini(&s);
}

#endif
