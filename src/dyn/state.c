/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dyn/bound.h"
#include "dyn/state_plan.h"
#include "ops/ops.h"
#include "pass/pass.h"

/* ---- states ---- */

static tarn_err find_named(const tarn_graph *g, const tarn_state_pair *want, state_slot *s)
{
	int in = -1, out = -1;
	for (size_t i = 0; i < g->input.len; i++)
		in = strcmp(g->input.at[i]->name, want->in) ? in : (int)i;
	for (size_t i = 0; i < g->output.len; i++)
		out = strcmp(g->output.at[i]->name, want->out) ? out : (int)i;
	CHECK(in >= 0, TARN_NOT_FOUND, "state %s=%s: no input is called '%s'", want->out, want->in, want->in);
	CHECK(out >= 0, TARN_NOT_FOUND, "state %s=%s: no output is called '%s'", want->out, want->in, want->out);
	if (tarn_state_growing(g, in, s) && s->out == out)
		return TARN_OK;
	*s = (state_slot){g->input.at[in]->name, g->output.at[out]->name, in, out, -1, NULL, NULL, false, false, NULL};
	return TARN_OK;
}

static tarn_err take_slots(state_plan *p)
{
	const tarn_graph *g = p->m->main;
	const tarn_state_pair *want = p->spec->pair;
	tarn_state_pair *found;
	int n = p->spec->n_pair;
	if (!n) {
		TRY(tarn_state_find_here(p->m, &p->arena, &found, &n));
		CHECK(n, TARN_NOT_FOUND, "the model has no cache that grows; name its states, OUTPUT=INPUT for each");
		want = found;
	}
	for (int i = 0; i < n; i++) {
		state_slot s = {0};
		TRY(find_named(g, &want[i], &s));
		for (size_t k = 0; k < p->slot.len; k++)
			CHECK(p->slot.at[k].in != s.in && p->slot.at[k].out != s.out, TARN_USAGE,
			      "state %s=%s: each input and each output belongs to one state", s.out_name, s.in_name);
		for (size_t k = 0; k < p->orders.len && s.axis >= 0; k++)
			if (!strcmp(p->orders.at[k].in, s.in_name))
				s.order = &p->orders.at[k];
		s.in_name = tarn_arena_strdup(&p->arena, s.in_name);
		s.out_name = tarn_arena_strdup(&p->arena, s.out_name);
		if (!s.in_name || !s.out_name)
			return tarn_err_nomem(256);
		TRY(VEC_GROW(&p->slot));
		p->slot.at[p->slot.len++] = s;
		p->grows |= s.axis >= 0;
	}
	return TARN_OK;
}

/* ---- sizes ---- */

static const char *dim_name(const state_plan *p, tarn_dim d)
{
	const char *name = tarn_sym_get(&p->m->syms, d)->name;
	return name ? name : "?";
}

static bool is_named(const state_plan *p, tarn_dim d)
{
	return d < 0 && tarn_sym_get(&p->m->syms, d)->op == TARN_SYM_NAMED;
}

/* Nothing is longer than the window, and the past may be empty: with that, slices of tables of positions have sizes. */
static tarn_err limit_lengths(state_plan *p)
{
	tarn_graph *g = p->m->main;
	tarn_symtab *t = &p->m->syms;
	if (!p->grows || p->spec->window < 1)
		return TARN_OK;
	for (size_t i = 0; i < g->input.len; i++)
		for (int k = 1; k < g->input.at[i]->shape.rank; k++) {
			tarn_dim d = g->input.at[i]->shape.dim[k];
			if (d < 0 && tarn_dim_hi(t, d) > p->spec->window)
				tarn_symtab_limit(t, d, tarn_dim_lo(t, d), p->spec->window);
		}
	for (size_t i = 0; i < p->slot.len; i++) {
		const state_slot *s = &p->slot.at[i];
		if (s->axis >= 0)
			tarn_symtab_limit(t, g->input.at[s->in]->shape.dim[s->axis], 0, p->spec->window);
	}
	return tarn_graph_infer(g);
}

/* The other name becomes this one, in all inputs. */
static void rename_dim(tarn_graph *g, tarn_dim from, tarn_dim to)
{
	for (size_t i = 0; i < g->input.len; i++)
		for (int k = 0; k < g->input.at[i]->shape.rank; k++)
			if (g->input.at[i]->shape.dim[k] == from)
				g->input.at[i]->shape.dim[k] = to;
}

/* Sizes that are one, whatever they are called: the other name goes, from all inputs; or both become the number. */
static bool same_size(state_plan *p, tarn_dim a, tarn_dim b)
{
	if (a == b || (a >= 0 && b >= 0))
		return false;
	bool first = a < 0 && is_named(p, a), second = b < 0 && is_named(p, b);
	if (second)
		rename_dim(p->m->main, b, a);
	else if (first)
		rename_dim(p->m->main, a, b);
	return first || second;
}

/* What is concatenated is equally large along the other axes. */
static bool same_samples(state_plan *p, const state_slot *s)
{
	const tarn_value *past = p->m->main->input.at[s->in];
	bool changed = false;
	for (int k = 0; k < past->shape.rank; k++)
		if (k != s->axis)
			changed |= same_size(p, past->shape.dim[k], s->entries->shape.dim[k]);
	return changed;
}

/* Has it a name of its own, or that of the axis it is the size of ("x[1]")? */
static bool is_nameless(const state_plan *p, tarn_dim d)
{
	const char *name = tarn_sym_get(&p->m->syms, d)->name;
	return !name || !*name || name[strlen(name) - 1] == ']';
}

static bool is_past(const state_plan *p, tarn_dim d)
{
	for (size_t i = 0; i < p->slot.len; i++)
		if (p->slot.at[i].axis >= 0 && p->m->main->input.at[p->slot.at[i].in]->shape.dim[p->slot.at[i].axis] == d)
			return true;
	return false;
}

/* Sizes without names that meet in a broadcast are one: who calls with one element where others have more has to stretch it. */
static bool meet(state_plan *p, tarn_dim x, tarn_dim y)
{
	if (x == y || !is_named(p, x) || !is_named(p, y) || is_past(p, x) || is_past(p, y))
		return false;
	if (is_nameless(p, y))
		return same_size(p, x, y);
	return is_nameless(p, x) && same_size(p, y, x);
}

static bool find_meeting(state_plan *p)
{
	const tarn_graph *g = p->m->main;
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		const tarn_value *a = n->n_in > 1 ? n->in[0] : NULL, *b = n->n_in > 1 ? n->in[1] : NULL;
		if (!(n->op->flags & TARN_OP_ELEMENTWISE) || !a || !b)
			continue;
		for (int k = 1; k <= a->shape.rank && k <= b->shape.rank; k++)
			if (meet(p, a->shape.dim[a->shape.rank - k], b->shape.dim[b->shape.rank - k]))
				return true;
	}
	return false;
}

static tarn_err join_nameless(state_plan *p)
{
	while (p->grows && find_meeting(p))
		TRY(tarn_graph_infer(p->m->main));
	return TARN_OK;
}

/* All caches begin empty and grow by the same positions, so that they are equally long, whatever their lengths are called. */
static tarn_err take_growth(state_plan *p)
{
	tarn_graph *g = p->m->main;
	bool renamed = false;
	for (size_t i = 0; i < p->slot.len; i++) {
		const state_slot *s = &p->slot.at[i];
		if (s->axis < 0)
			continue;
		tarn_dim past = g->input.at[s->in]->shape.dim[s->axis];
		CHECK(s->entries->shape.rank == g->input.at[s->in]->shape.rank, TARN_UNSUPPORTED,
		      "state '%s': what node '%s' adds has no known shape", s->in_name, s->concat->name);
		if (same_samples(p, s))
			TRY(tarn_graph_infer(g));
		tarn_dim step = s->entries->shape.dim[s->axis];
		CHECK(is_named(p, past) && is_named(p, step) && past != step, TARN_UNSUPPORTED,
		      "state '%s' does not grow by a free dimension of its own along axis %d", s->in_name, s->axis);
		CHECK(!p->step || p->step == step, TARN_UNSUPPORTED, "states '%s' and '%s' grow by different dimensions",
		      p->slot.at[0].in_name, s->in_name);
		p->step = step;
		p->past = p->past ? p->past : past;
		renamed |= past != p->past;
		rename_dim(g, past, p->past);
	}
	return renamed ? tarn_graph_infer(g) : TARN_OK;
}

static bool has(const tarn_dim *list, int n, tarn_dim d)
{
	for (int i = 0; i < n; i++)
		if (list[i] == d)
			return true;
	return false;
}

/* Free dimensions of states, but for the one they grow by: states are of so many samples. */
static int find_batch(const state_plan *p, tarn_dim *list)
{
	int n = 0;
	for (size_t i = 0; i < p->slot.len; i++) {
		const tarn_shape *s = &p->m->main->input.at[p->slot.at[i].in]->shape;
		for (int k = 0; k < s->rank; k++)
			if (s->dim[k] < 0 && s->dim[k] != p->past && !has(list, n, s->dim[k]) && n < TARN_MAX_RANK)
				list[n++] = s->dim[k];
	}
	return n;
}

/* So is the first axis of an input that is free along another one as well, whatever it is called. */
static bool is_batch(const state_plan *p, const tarn_shape *s, int axis)
{
	bool more = false;
	for (int k = 1; k < s->rank; k++)
		more |= s->dim[k] < 0 && s->dim[k] != s->dim[0];
	return axis == 0 && p->grows && more && s->dim[0] != p->past && s->dim[0] != p->step;
}

/* The one free dimension that is left besides has the positions of a call (nothing grows), or all positions so far. */
static tarn_err take_free(state_plan *p, tarn_shape *shape)
{
	tarn_graph *g = p->m->main;
	tarn_dim batch[TARN_MAX_RANK], left = 0;
	int n_batch = find_batch(p, batch);
	for (size_t i = 0; i < g->input.len; i++) {
		const tarn_value *v = g->input.at[i];
		CHECK(v->shape.rank >= 0, TARN_UNSUPPORTED, "input '%s' has no known number of dimensions", v->name);
		shape[i] = v->shape;
		for (int k = 0; k < shape[i].rank; k++) {
			tarn_dim d = shape[i].dim[k];
			if (d < 0 && (has(batch, n_batch, d) || is_batch(p, &v->shape, k)))
				shape[i].dim[k] = p->spec->batch ? p->spec->batch : 1;
			else if (d < 0 && d != p->past && d != p->step && d != left) {
				CHECK(!left && is_named(p, d), TARN_UNSUPPORTED,
				      "dimensions '%s' and '%s' are both free; give one of them a size with -shape",
				      left ? dim_name(p, left) : "?", dim_name(p, d));
				left = d;
			}
		}
	}
	if (p->grows)
		p->total = left;
	else
		p->step = left;
	return TARN_OK;
}

/* A name that no other dimension has. */
static tarn_err name_total(state_plan *p)
{
	tarn_symtab *t = &p->m->syms;
	const char *name = "window";
	for (size_t n = t->sym.len, i = 1; t->sym.len == n; i++) {
		TRY(tarn_symtab_named(t, name, &p->total));
		name = tarn_arena_printf(&p->arena, "window_%zu", i);
		if (!name)
			return tarn_err_nomem(32);
	}
	return TARN_OK;
}

static tarn_err take_sizes(state_plan *p)
{
	tarn_graph *g = p->m->main;
	tarn_shape *shape = tarn_arena_zalloc(&p->arena, g->input.len + 1, sizeof *shape);
	if (!shape)
		return tarn_err_nomem(g->input.len * sizeof *shape);
	TRY(limit_lengths(p));
	TRY(join_nameless(p));
	TRY(take_growth(p));
	TRY(take_free(p, shape));
	TRY(tarn_model_reshape(p->m, shape, (int)g->input.len));
	if (p->grows && !p->total)
		TRY(name_total(p));
	return TARN_OK;
}

/* Before any of them becomes a size. */
static tarn_err check_numbers(const tarn_state_spec *s)
{
	CHECK(s->window <= 1 << 24 && s->step <= 1 << 24 && s->batch >= 0 && s->batch <= 1 << 20, TARN_USAGE,
	      "a window of %" PRId64 ", a step of %" PRId64 " or a batch of %" PRId64 " is out of range", s->window, s->step,
	      s->batch);
	return TARN_OK;
}

static tarn_err check_spec(const state_plan *p)
{
	const tarn_state_spec *s = p->spec;
	CHECK(!p->grows || s->window >= 1, TARN_USAGE, "state '%s' grows: say how many positions its window holds",
	      p->slot.at[0].in_name);
	CHECK(!p->step || s->step >= 1, TARN_USAGE, "dimension '%s' is free: say how many positions one call has",
	      dim_name(p, p->step));
	CHECK(!p->grows || s->step <= s->window, TARN_USAGE, "%" PRId64 " positions of a call do not fit a window of %" PRId64,
	      s->step, s->window);
	return TARN_OK;
}

/* ---- lengths ---- */

/* Its name, or input[axis] of the first input whose size it is: the way dyn/bound.h is told of a dimension. NULL: no input's.
 */
static const char *free_axis(state_plan *p, tarn_dim d)
{
	const tarn_graph *g = p->m->main;
	const char *name = tarn_sym_get(&p->m->syms, d)->name;
	for (size_t i = 0; i < g->input.len; i++)
		for (int k = 0; k < g->input.at[i]->shape.rank; k++)
			if (g->input.at[i]->shape.dim[k] == d)
				return name ? tarn_arena_strdup(&p->arena, name)
					    : tarn_arena_printf(&p->arena, "%s[%d]", g->input.at[i]->name, k);
	return NULL;
}

/* The input that takes its length, which the last bound of the model added. */
static tarn_err last_length(state_plan *p, const char **name)
{
	*name = NULL;
	for (int i = 0;; i++) {
		tarn_bound b;
		bool found;
		TRY(tarn_model_bound_get(p->m, i, &b, &found));
		if (!found)
			break;
		*name = tarn_arena_strdup(&p->arena, b.length_input);
		tarn_bound_fini(&b);
		if (!*name)
			return tarn_err_nomem(64);
	}
	CHECK(*name, TARN_INTERNAL, "a bounded dimension has no length");
	return TARN_OK;
}

static tarn_err bound(state_plan *p, tarn_dim d, int64_t max, const char **length)
{
	const char *axis = free_axis(p, d);
	if (!axis)
		return TARN_OK;
	TRY(tarn_model_bound(&p->m, axis, max, NULL));
	return last_length(p, length);
}

static tarn_err exactly(state_plan *p, tarn_dim d, int64_t size)
{
	tarn_graph *g = p->m->main;
	tarn_shape *shape = tarn_arena_zalloc(&p->arena, g->input.len + 1, sizeof *shape);
	if (!shape)
		return tarn_err_nomem(g->input.len * sizeof *shape);
	for (size_t i = 0; i < g->input.len; i++) {
		shape[i] = g->input.at[i]->shape;
		for (int k = 0; k < shape[i].rank; k++)
			if (shape[i].dim[k] == d)
				shape[i].dim[k] = size;
	}
	return tarn_model_reshape(p->m, shape, (int)g->input.len);
}

/* Padded where padding can be repaired; else calls have that many positions, neither more nor less. */
static tarn_err size_step(state_plan *p, const char **length)
{
	if (!p->step)
		return TARN_OK;
	if (p->spec->step > 1 && bound(p, p->step, p->spec->step, length) == TARN_OK)
		return TARN_OK;
	if (p->spec->step > 1)
		snprintf(p->exact, sizeof p->exact, "%s", tarn_err_text());
	tarn_err_clear();
	return exactly(p, p->step, p->spec->step);
}

/* ---- metadata ---- */

static void put_ports(const state_plan *p, tarn_str *s)
{
	const tarn_graph *g = p->m->main;
	for (size_t i = 0; i < g->input.len + g->output.len; i++) {
		bool out = i >= g->input.len;
		int at = (int)(out ? i - g->input.len : i);
		const tarn_value *v = out ? g->output.at[at] : g->input.at[at];
		bool state = false;
		for (size_t k = 0; k < p->slot.len; k++)
			state |= (out ? p->slot.at[k].out : p->slot.at[k].in) == at;
		for (int k = 0; k < v->shape.rank && !state; k++) {
			tarn_dim d = v->shape.dim[k];
			if (d >= 0 || (d != p->step && d != p->total))
				continue;
			tarn_str_addf(s, "|port:%d:%d:%d:", d == p->step ? TARN_STATE_STEP : TARN_STATE_TOTAL, k, out);
			tarn_state_put_name(s, v->name);
		}
	}
}

static void put_pairs(const state_plan *p, tarn_str *s)
{
	for (size_t i = 0; i < p->slot.len; i++) {
		tarn_str in = {0};
		tarn_state_put_name(&in, p->slot.at[i].in_name);
		tarn_str_addf(s, "|pair:%d:%zu:%s ", p->slot.at[i].axis, in.len, in.at ? in.at : "");
		tarn_state_put_name(s, p->slot.at[i].out_name);
		tarn_str_fini(&in);
	}
}

/* The bounds were of the graph that was cut, and the pairs are told with the rest. */
static void drop_bounds(tarn_model *m)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->meta.len; i++)
		if (strncmp(m->meta.at[i].key, "tarn.bound.", 11) && strncmp(m->meta.at[i].key, "tarn.pair.", 10))
			m->meta.at[kept++] = m->meta.at[i];
	m->meta.len = kept;
}

/* ---- the rewrite ---- */

static tarn_err find_input(const state_plan *p, const char *name, tarn_value **v)
{
	const tarn_graph *g = p->m->main;
	for (size_t i = 0; i < g->input.len; i++)
		if (!strcmp(g->input.at[i]->name, name)) {
			*v = g->input.at[i];
			return TARN_OK;
		}
	return tarn_err_set(TARN_INTERNAL, "input '%s' went missing", name);
}

static tarn_err settle(tarn_model *m)
{
	tarn_graph_sweep(m->main);
	TRY(tarn_graph_sort(m->main));
	return tarn_graph_infer(m->main);
}

/* Cuts, replaces lengths, bounds, joins. The names of the inputs that take lengths are found anew, since bounding copies the
 * model. */
static tarn_err make_windows(state_plan *p, const char **step_length, const char **total_length)
{
	const state_slot *s = p->slot.at;
	while (s->axis < 0)
		s++;
	TRY(tarn_state_cut(p));
	const char *past_name = tarn_arena_strdup(&p->arena, p->past_length->name);
	const char *step_name = tarn_arena_strdup(&p->arena, p->step_length->name);
	if (!past_name || !step_name)
		return tarn_err_nomem(64);
	TRY(tarn_state_numbers(p, p->m->main->input.at[s->in], s->axis));
	TRY(settle(p->m));
	TRY(size_step(p, step_length));
	TRY(bound(p, p->total, p->spec->window, total_length));
	TRY(find_input(p, past_name, &p->past_length));
	TRY(find_input(p, step_name, &p->step_length));
	tarn_value *valid;
	if (*step_length)
		TRY(find_input(p, *step_length, &valid));
	else
		TRY(tarn_value_const_i64(p->m->main, NULL, &p->spec->step, 1, &valid));
	return tarn_state_join(p, valid);
}

static tarn_err check_states(const state_plan *p)
{
	const tarn_graph *g = p->m->main;
	for (size_t i = 0; i < p->slot.len; i++) {
		const state_slot *s = &p->slot.at[i];
		const tarn_value *in = g->input.at[s->in], *out = g->output.at[s->out];
		tarn_str a = {0}, b = {0};
		tarn_err err = TARN_OK;
		tarn_shape_print(&a, &p->m->syms, &in->shape);
		tarn_shape_print(&b, &p->m->syms, &out->shape);
		if (in->type != out->type || !tarn_shape_same(&in->shape, &out->shape))
			err = tarn_err_set(TARN_UNSUPPORTED, "state %s=%s: the output is %s%s, the input %s%s", s->out_name,
					   s->in_name, tarn_dtype_info(out->type)->word, b.at ? b.at : "",
					   tarn_dtype_info(in->type)->word, a.at ? a.at : "");
		tarn_str_fini(&a);
		tarn_str_fini(&b);
		TRY(err);
	}
	return TARN_OK;
}

/* The order is of the samples before the call: a second step would put them in it again. */
static void check_orders(state_plan *p)
{
	for (size_t i = 0; i < p->slot.len && !p->whole[0]; i++) {
		const state_slot *s = &p->slot.at[i];
		if (s->order && p->m->main->input.at[s->in]->shape.dim[s->order->axis] != 1)
			snprintf(p->whole, sizeof p->whole, "input '%s' says another order of the samples of '%s' once a call",
				 s->order->by, s->in_name);
	}
}

static tarn_err rewrite(state_plan *p)
{
	const char *step_length = NULL, *total_length = NULL;
	tarn_str text = {0};
	tarn_err err;
	TRY(tarn_graph_infer(p->m->main));
	TRY(check_numbers(p->spec));
	TRY(tarn_state_straighten(p->m, &p->arena, &p->orders));
	TRY(take_slots(p));
	TRY(take_sizes(p));
	TRY(check_spec(p));
	TRY(tarn_state_causal(p));
	check_orders(p);
	tarn_str ports = {0};
	put_ports(p, &ports);
	TRY_GOTO(out, p->grows ? make_windows(p, &step_length, &total_length) : size_step(p, &step_length));
	tarn_str_addf(&text, "step:%" PRId64 ":", p->step ? p->spec->step : 0);
	tarn_state_put_name(&text, step_length ? step_length : "");
	tarn_str_addf(&text, "|total:%" PRId64 ":", p->grows ? p->spec->window : 0);
	tarn_state_put_name(&text, total_length ? total_length : "");
	if (p->grows) {
		tarn_str_add(&text, "|past:");
		tarn_state_put_name(&text, p->past_length->name);
	}
	if (p->whole[0]) {
		tarn_str_add(&text, "|whole:");
		tarn_state_put_name(&text, p->whole);
	}
	if (p->exact[0]) {
		tarn_str_add(&text, "|exact:");
		tarn_state_put_name(&text, p->exact);
	}
	put_pairs(p, &text);
	tarn_str_add(&text, ports.at ? ports.at : "");
	TRY_GOTO(out, tarn_str_done(&text));
	TRY_GOTO(out, tarn_str_done(&ports));
	drop_bounds(p->m);
	TRY_GOTO(out, tarn_state_put(p->m, text.at));
	TRY_GOTO(out, settle(p->m));
	TRY_GOTO(out, tarn_pass_fold(p->m));
	TRY_GOTO(out, tarn_pass_inline(p->m));
	err = check_states(p);
out:
	tarn_str_fini(&text);
	tarn_str_fini(&ports);
	return err;
}

tarn_err tarn_model_stateful(tarn_model **m, const tarn_state_spec *spec)
{
	state_plan p = {.spec = spec};
	TRY(tarn_model_clone(*m, &p.m));
	tarn_err err = rewrite(&p);
	VEC_FINI(&p.slot);
	VEC_FINI(&p.orders);
	tarn_arena_fini(&p.arena);
	if (err != TARN_OK) {
		tarn_model_unref(p.m);
		return err;
	}
	tarn_model_unref(*m);
	*m = p.m;
	return TARN_OK;
}
