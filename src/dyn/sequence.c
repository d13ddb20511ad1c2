/* SPDX-License-Identifier: Apache-2.0 */
#include "dyn/sequence.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dyn/part.h"
#include "rt/request.h"

/* An input or output that is the caller's. */
typedef struct seq_port {
	const char *name;
	int8_t axis[TARN_MAX_RANK]; /* tarn_state_kind, -1: of one size */
	tarn_tensor t;              /* whole, as the caller sees it; type NONE: none yet */
} seq_port;

typedef struct seq_program {
	tarn_program *p; /* NULL: there is none */
	int64_t step;    /* positions of one inference */
	bool padded;     /* fewer will do */
	tarn_request *r[2];
	int *in, *out; /* by port of the program: index into the sequence's ports, or -1 - index into its states, or NONE */
	int past, step_length, total_length; /* inputs, -1: none */
} seq_program;
enum { NONE = 1 << 20 };

struct tarn_sequence {
	seq_program many, one;
	tarn_state state; /* of either: names, axes */
	bool positional;  /* calls have positions */
	VEC(seq_port) in, out;
	tarn_tensor *now[2]; /* states, by direction: now[turn] are current */
	int turn;
	int64_t past;
	tarn_sequence_facts facts;
	tarn_arena arena;
};

/* ---- making one ---- */

static int8_t axis_kind(const tarn_state *st, const char *name, bool output, int axis)
{
	for (size_t i = 0; i < st->port.len; i++) {
		const tarn_state_port *p = &st->port.at[i];
		if (p->output == output && p->axis == axis && !strcmp(p->port, name))
			return (int8_t)p->kind;
	}
	return -1;
}

static int find_pair(const tarn_state *st, const char *name, bool output)
{
	for (size_t i = 0; i < st->pair.len; i++)
		if (!strcmp(output ? st->pair.at[i].out : st->pair.at[i].in, name))
			return (int)i;
	return -1;
}

/* The port of that name among the caller's, made when it is new. */
static tarn_err find_port(tarn_sequence *s, const tarn_state *st, const tarn_port *port, bool output, int *index)
{
	size_t n = output ? s->out.len : s->in.len;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(output ? s->out.at[i].name : s->in.at[i].name, port->name)) {
			*index = (int)i;
			return TARN_OK;
		}
	seq_port x = {.name = tarn_arena_strdup(&s->arena, port->name)};
	if (!x.name)
		return tarn_err_nomem(strlen(port->name));
	for (int k = 0; k < TARN_MAX_RANK; k++) {
		x.axis[k] = axis_kind(st, port->name, output, k);
		s->positional |= !output && x.axis[k] == TARN_STATE_STEP;
	}
	*index = (int)n;
	if (output) {
		TRY(VEC_GROW(&s->out));
		s->out.at[s->out.len++] = x;
	} else {
		TRY(VEC_GROW(&s->in));
		s->in.at[s->in.len++] = x;
	}
	return TARN_OK;
}

static int *length_of(seq_program *x, const tarn_state *st, const char *name)
{
	if (st->past_input && !strcmp(name, st->past_input))
		return &x->past;
	if (st->step_length && !strcmp(name, st->step_length))
		return &x->step_length;
	return st->total_length && !strcmp(name, st->total_length) ? &x->total_length : NULL;
}

static bool is_length(const tarn_port *port)
{
	return port->type == TARN_I64 && (port->rank == 0 || (port->rank == 1 && port->lo[0] == 1));
}

static tarn_err map_ports(tarn_sequence *s, seq_program *x, const tarn_state *st)
{
	const tarn_program *p = x->p;
	x->past = x->step_length = x->total_length = -1;
	x->in = tarn_arena_zalloc(&s->arena, (size_t)(p->n_in + p->n_out) + 1, sizeof *x->in);
	if (!x->in)
		return tarn_err_nomem((size_t)(p->n_in + p->n_out) * sizeof *x->in);
	x->out = x->in + p->n_in;
	for (int i = 0; i < p->n_in + p->n_out; i++) {
		bool output = i >= p->n_in;
		const tarn_port *port = output ? &p->out[i - p->n_in] : &p->in[i];
		CHECK(tarn_port_is_static(port), TARN_UNSUPPORTED, "'%s' has no fixed size; make the model stateful first",
		      port->name);
		int pair = find_pair(st, port->name, output), *length = output ? NULL : length_of(x, st, port->name);
		if (pair >= 0)
			x->in[i] = -1 - pair;
		else if (length)
			x->in[i] = NONE;
		else
			TRY(find_port(s, st, port, output, &x->in[i]));
		CHECK(!length || is_length(port), TARN_BAD_FILE,
		      "input '%s' should take a length, int64 [1]; make the model anew", port->name);
		if (length)
			*length = i;
	}
	return TARN_OK;
}

/* Memory of the device for both copies of each state: what the first request has as its own. */
static tarn_err take_states(tarn_sequence *s, const seq_program *x)
{
	size_t n = s->state.pair.len, found = 0;
	for (int k = 0; k < 2; k++) {
		s->now[k] = tarn_mem_zalloc(n + 1, sizeof *s->now[k]);
		if (!s->now[k])
			return tarn_err_nomem(n * sizeof *s->now[k]);
	}
	for (int i = 0; i < x->p->n_in + x->p->n_out; i++) {
		int pair = -1 - x->in[i];
		if (pair < 0)
			continue;
		bool output = i >= x->p->n_in;
		s->now[output][pair] = tarn_tensor_share(output ? &x->r[0]->out[i - x->p->n_in] : &x->r[0]->in[i]);
		found++;
	}
	CHECK(found == 2 * n, TARN_INTERNAL, "a state has no tensor");
	for (size_t i = 0; i < n; i++)
		s->facts.state_bytes += (int64_t)tarn_tensor_bytes(&s->now[0][i]);
	return TARN_OK;
}

static tarn_err put_state(tarn_tensor *slot, const tarn_tensor *state)
{
	CHECK(tarn_tensor_bytes(slot) == tarn_tensor_bytes(state) && slot->type == state->type, TARN_INTERNAL,
	      "the programs of a sequence have states of different sizes");
	tarn_tensor t = tarn_tensor_share(state);
	tarn_tensor_fini(slot);
	*slot = t;
	return TARN_OK;
}

/* Request 0 reads the first copy and writes the second, request 1 the other way round. */
static tarn_err bind_states(tarn_sequence *s, seq_program *x)
{
	for (int turn = 0; turn < 2; turn++)
		for (int i = 0; i < x->p->n_in + x->p->n_out; i++) {
			int pair = -1 - x->in[i];
			bool output = i >= x->p->n_in;
			tarn_tensor *slot = output ? &x->r[turn]->out[i - x->p->n_in] : &x->r[turn]->in[i];
			if (pair >= 0)
				TRY(put_state(slot, &s->now[turn ^ output][pair]));
		}
	return TARN_OK;
}

static tarn_err open_program(tarn_sequence *s, seq_program *x, tarn_program *p, const tarn_state *st)
{
	if (!p)
		return TARN_OK;
	x->p = tarn_program_ref(p);
	x->step = st->step ? st->step : 1;
	x->padded = st->step_length != NULL;
	TRY(map_ports(s, x, st));
	for (int k = 0; k < 2; k++)
		TRY(tarn_request_new(p, &x->r[k]));
	if (!s->now[0])
		TRY(take_states(s, x));
	return bind_states(s, x);
}

static tarn_err copy_text(tarn_arena *a, const char *from, const char **to)
{
	*to = from ? tarn_arena_strdup(a, from) : NULL;
	return from && !*to ? tarn_err_nomem(strlen(from)) : TARN_OK;
}

/* What is asked later; the ports were taken over when the programs were opened. */
static tarn_err copy_state(const tarn_state *from, tarn_state *to)
{
	to->total = from->total;
	TRY(copy_text(&to->arena, from->whole, &to->whole));
	TRY(copy_text(&to->arena, from->exact, &to->exact));
	for (size_t i = 0; i < from->pair.len; i++) {
		tarn_state_pair x = {.axis = from->pair.at[i].axis};
		TRY(copy_text(&to->arena, from->pair.at[i].in, &x.in));
		TRY(copy_text(&to->arena, from->pair.at[i].out, &x.out));
		TRY(VEC_GROW(&to->pair));
		to->pair.at[to->pair.len++] = x;
	}
	return TARN_OK;
}

tarn_err tarn_sequence_new(tarn_program *many, tarn_program *one, const tarn_state *many_state, const tarn_state *one_state,
			   tarn_sequence **out)
{
	CHECK(many || one, TARN_USAGE, "a sequence needs a program");
	tarn_sequence *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	tarn_err err = copy_state(many ? many_state : one_state, &s->state);
	if (err == TARN_OK)
		err = open_program(s, &s->one, one, one_state);
	if (err == TARN_OK)
		err = open_program(s, &s->many, many, many_state);
	if (err != TARN_OK) {
		tarn_sequence_free(s);
		return err;
	}
	s->facts.device_band = NAN;
	*out = s;
	return TARN_OK;
}

void tarn_sequence_free(tarn_sequence *s)
{
	if (!s)
		return;
	for (int k = 0; k < 2; k++) {
		tarn_request_free(s->one.r[k]);
		tarn_request_free(s->many.r[k]);
		for (size_t i = 0; s->now[k] && i < s->state.pair.len; i++)
			tarn_tensor_fini(&s->now[k][i]);
		tarn_mem_free(s->now[k]);
	}
	tarn_program_unref(s->one.p);
	tarn_program_unref(s->many.p);
	for (size_t i = 0; i < s->in.len; i++)
		tarn_tensor_fini(&s->in.at[i].t);
	for (size_t i = 0; i < s->out.len; i++)
		tarn_tensor_fini(&s->out.at[i].t);
	VEC_FINI(&s->in);
	VEC_FINI(&s->out);
	tarn_state_fini(&s->state);
	tarn_arena_fini(&s->arena);
	tarn_mem_free(s);
}

/* ---- the caller's tensors ---- */

static seq_port *port_named(const tarn_sequence *s, const char *name, bool output)
{
	size_t n = output ? s->out.len : s->in.len;
	for (size_t i = 0; i < n; i++) {
		seq_port *p = output ? &s->out.at[i] : &s->in.at[i];
		if (!strcmp(p->name, name))
			return p;
	}
	return NULL;
}

static tarn_err no_port(const tarn_sequence *s, const char *name, bool output)
{
	tarn_str list = {0};
	size_t n = output ? s->out.len : s->in.len;
	for (size_t i = 0; i < n; i++)
		tarn_str_addf(&list, "%s'%s'", i ? ", " : "", output ? s->out.at[i].name : s->in.at[i].name);
	tarn_err err = tarn_err_set(TARN_NOT_FOUND, "no %s of a sequence is called '%s'; there are %s",
				    output ? "output" : "input", name, list.at ? list.at : "none");
	tarn_str_fini(&list);
	return err;
}

/* Type, rank and the sizes that are fixed. */
static tarn_err check_data(const tarn_sequence *s, const seq_port *x, const tarn_tensor *t)
{
	const seq_program *g = s->one.p ? &s->one : &s->many;
	for (int i = 0; i < g->p->n_in; i++) {
		const tarn_port *port = &g->p->in[i];
		if (g->in[i] < 0 || g->in[i] == NONE || &s->in.at[g->in[i]] != x)
			continue;
		CHECK(t->type == port->type, TARN_TYPE, "input '%s' takes %s, not %s", x->name,
		      tarn_dtype_info(port->type)->word, tarn_dtype_info(t->type)->word);
		CHECK(t->rank == port->rank, TARN_SHAPE, "input '%s' has %d dimensions, not %d", x->name, port->rank, t->rank);
		for (int k = 0; k < t->rank; k++)
			CHECK(x->axis[k] >= 0 || t->dim[k] == port->lo[k], TARN_SHAPE,
			      "input '%s' has %" PRId64 " elements along axis %d, not %" PRId64, x->name, port->lo[k], k,
			      t->dim[k]);
	}
	return TARN_OK;
}

tarn_err tarn_sequence_set(tarn_sequence *s, const char *name, const tarn_tensor *t)
{
	seq_port *x = port_named(s, name, false);
	if (!x)
		return no_port(s, name, false);
	TRY(check_data(s, x, t));
	tarn_tensor now = tarn_tensor_share(t);
	tarn_tensor_fini(&x->t);
	x->t = now;
	return TARN_OK;
}

tarn_err tarn_sequence_get(tarn_sequence *s, const char *name, const tarn_tensor **t)
{
	seq_port *x = port_named(s, name, true);
	if (!x)
		return no_port(s, name, true);
	CHECK(x->t.type != TARN_DTYPE_NONE, TARN_NOT_READY, "output '%s' has no data; run the sequence first", name);
	*t = &x->t;
	return TARN_OK;
}

/* ---- one step ---- */

/* Positions of this step: `n` from `first`, of `all` in the run. */
typedef struct seq_step {
	seq_program *x;
	tarn_request *r;
	int64_t first, n, all;
} seq_step;

/* Along each axis: where the step's part begins in the whole tensor, and how long it is. */
static void part_of(const tarn_sequence *s, const seq_port *port, const seq_step *st, int rank, const int64_t *dim, int64_t *at,
		    int64_t *count)
{
	for (int k = 0; k < rank; k++) {
		bool step = port->axis[k] == TARN_STATE_STEP, total = port->axis[k] == TARN_STATE_TOTAL;
		at[k] = step ? st->first : 0;
		count[k] = step ? st->n : total ? s->past + st->n : dim[k];
	}
}

static tarn_err fill_input(const tarn_sequence *s, const seq_step *st, int i)
{
	const seq_port *port = &s->in.at[st->x->in[i]];
	tarn_tensor *to = &st->r->in[i];
	int64_t at[TARN_MAX_RANK] = {0}, count[TARN_MAX_RANK], zero[TARN_MAX_RANK] = {0};
	bool whole = true;
	CHECK(port->t.type != TARN_DTYPE_NONE, TARN_USAGE, "input '%s' has no data; set it first", port->name);
	part_of(s, port, st, to->rank, to->dim, at, count);
	for (int k = 0; k < to->rank; k++)
		whole &= count[k] == to->dim[k];
	if (!whole)
		memset(to->data, 0, tarn_tensor_bytes(to));
	return tarn_err_note(tarn_part_copy(&port->t, at, to, zero, count), "input '%s'", port->name);
}

static void fill_length(const seq_step *st, int input, int64_t v)
{
	if (input >= 0)
		*(int64_t *)st->r->in[input].data = v;
}

static tarn_err take_output(tarn_sequence *s, const seq_step *st, int i)
{
	seq_port *port = &s->out.at[st->x->out[i]];
	const tarn_tensor *from = &st->r->out[i];
	int64_t at[TARN_MAX_RANK] = {0}, count[TARN_MAX_RANK], zero[TARN_MAX_RANK] = {0}, dim[TARN_MAX_RANK];
	part_of(s, port, st, from->rank, from->dim, at, count);
	if (st->first == 0 || port->t.type == TARN_DTYPE_NONE) {
		tarn_tensor_fini(&port->t);
		for (int k = 0; k < from->rank; k++) {
			dim[k] = count[k];
			if (port->axis[k] == TARN_STATE_STEP)
				dim[k] = st->all;
			if (port->axis[k] == TARN_STATE_TOTAL)
				dim[k] = s->past + st->all - st->first;
		}
		TRY(tarn_tensor_new(from->type, from->rank, dim, &port->t));
	}
	return tarn_part_copy(from, zero, &port->t, at, count);
}

static void count_step(tarn_sequence *s, const seq_step *st, int64_t began)
{
	const tarn_request *r = st->r;
	tarn_sequence_facts *f = &s->facts;
	f->steps++;
	f->positions += st->n;
	f->copied += r->copy_bytes;
	f->run_ms += (double)(r->t_device + r->t_wait) * 1e-6;
	f->device_ms += r->device_ms;
	f->device_modelled = r->device_modelled;
	f->device_band = r->device_band;
	f->total_ms += (double)(tarn_clock_ns() - began) * 1e-6;
}

static tarn_err run_step(tarn_sequence *s, seq_step *st)
{
	int64_t began = tarn_clock_ns();
	const tarn_program *p = st->x->p;
	st->r = st->x->r[s->turn];
	for (int i = 0; i < p->n_in; i++)
		if (st->x->in[i] >= 0 && st->x->in[i] != NONE)
			TRY(fill_input(s, st, i));
	fill_length(st, st->x->past, s->past);
	fill_length(st, st->x->step_length, st->n);
	fill_length(st, st->x->total_length, s->past + st->n);
	TRY(tarn_request_begin(st->r));
	TRY(tarn_request_infer(st->r));
	for (int i = 0; i < p->n_out; i++)
		if (st->x->out[i] >= 0)
			TRY(take_output(s, st, i));
	s->turn ^= 1;
	s->past += s->positional ? st->n : 0;
	count_step(s, st, began);
	return TARN_OK;
}

/* ---- a run ---- */

/* Positions of the inputs, which must agree. */
static tarn_err count_positions(const tarn_sequence *s, int64_t *n)
{
	const seq_port *by = NULL;
	*n = 1;
	for (size_t i = 0; i < s->in.len; i++) {
		const seq_port *x = &s->in.at[i];
		CHECK(x->t.type != TARN_DTYPE_NONE, TARN_USAGE, "input '%s' has no data; set it first", x->name);
		for (int k = 0; k < x->t.rank; k++) {
			if (x->axis[k] != TARN_STATE_STEP)
				continue;
			CHECK(!by || *n == x->t.dim[k], TARN_SHAPE,
			      "inputs '%s' and '%s' have %" PRId64 " and %" PRId64 " positions", by->name, x->name, *n,
			      x->t.dim[k]);
			*n = x->t.dim[k];
			by = x;
		}
	}
	CHECK(*n >= 1, TARN_SHAPE, "input '%s' has no positions", by ? by->name : "");
	return TARN_OK;
}

static tarn_err check_total(const tarn_sequence *s, int64_t n)
{
	CHECK(!s->state.total || s->past + n <= s->state.total, TARN_SHAPE,
	      "the window holds %" PRId64 " positions; %" PRId64 " are there and %" PRId64
	      " more do not fit; use a larger window, or begin anew",
	      s->state.total, s->past, n);
	for (size_t i = 0; i < s->in.len; i++)
		for (int k = 0; k < s->in.at[i].t.rank; k++)
			CHECK(s->in.at[i].axis[k] != TARN_STATE_TOTAL || s->in.at[i].t.dim[k] == s->past + n, TARN_SHAPE,
			      "input '%s' has %" PRId64 " elements along axis %d; there are %" PRId64
			      " positions so far and %" PRId64 " new ones",
			      s->in.at[i].name, s->in.at[i].t.dim[k], k, s->past, n);
	return TARN_OK;
}

/* The program for the next positions of `left`, and how many it takes; NULL: none does. */
static seq_program *choose(tarn_sequence *s, int64_t left, int64_t *n)
{
	seq_program *many = &s->many, *one = &s->one;
	*n = 1;
	if (one->p && (left == 1 || !many->p || (!many->padded && left < many->step)))
		return one;
	if (!many->p || (!many->padded && left < many->step))
		return NULL;
	*n = left < many->step ? left : many->step;
	return many;
}

static tarn_err check_steps(tarn_sequence *s, int64_t n)
{
	int64_t took, left = n, steps = 0;
	for (; left; steps++) {
		CHECK(choose(s, left, &took), TARN_SHAPE,
		      "a call has %" PRId64 " positions, and the program takes %" PRId64 " at once: %s", n, s->many.step,
		      s->state.exact ? s->state.exact : "there is none for fewer");
		left -= took;
	}
	CHECK(steps <= 1 || !s->state.whole, TARN_UNSUPPORTED,
	      "%" PRId64 " positions are more than one step of %" PRId64 ", and the call cannot be cut: %s", n,
	      s->many.p ? s->many.step : 1, s->state.whole);
	return TARN_OK;
}

tarn_err tarn_sequence_run(tarn_sequence *s)
{
	seq_step st = {0};
	TRY(count_positions(s, &st.all));
	TRY(check_total(s, s->positional ? st.all : 0));
	TRY(check_steps(s, st.all));
	while (st.first < st.all) {
		st.x = choose(s, st.all - st.first, &st.n);
		TRY(run_step(s, &st));
		st.first += st.n;
	}
	return TARN_OK;
}

/* ---- states ---- */

tarn_err tarn_sequence_rewind(tarn_sequence *s)
{
	for (size_t i = 0; i < s->state.pair.len; i++) {
		tarn_tensor *t = &s->now[s->turn][i];
		memset(t->data, 0, tarn_tensor_bytes(t));
	}
	s->facts.state_copied += s->facts.state_bytes;
	s->past = 0;
	return TARN_OK;
}

static tarn_err find_state(const tarn_sequence *s, const char *name, int *pair)
{
	*pair = find_pair(&s->state, name, false);
	CHECK(*pair >= 0, TARN_NOT_FOUND, "no state has an input called '%s'; the first one is '%s'", name,
	      s->state.pair.at[0].in);
	return TARN_OK;
}

tarn_err tarn_sequence_save(tarn_sequence *s, const char *name, tarn_tensor *t)
{
	int pair;
	int64_t zero[TARN_MAX_RANK] = {0};
	TRY(find_state(s, name, &pair));
	const tarn_tensor *from = &s->now[s->turn][pair];
	int64_t dim[TARN_MAX_RANK];
	memcpy(dim, from->dim, sizeof dim);
	if (s->state.pair.at[pair].axis >= 0)
		dim[s->state.pair.at[pair].axis] = s->past;
	TRY(tarn_tensor_new(from->type, from->rank, dim, t));
	s->facts.state_copied += (int64_t)tarn_tensor_bytes(t);
	tarn_err err = tarn_part_copy(from, zero, t, zero, dim);
	if (err != TARN_OK)
		tarn_tensor_fini(t);
	return err;
}

tarn_err tarn_sequence_restore(tarn_sequence *s, const char *name, const tarn_tensor *t)
{
	int pair;
	int64_t zero[TARN_MAX_RANK] = {0};
	TRY(find_state(s, name, &pair));
	tarn_tensor *to = &s->now[s->turn][pair];
	int axis = s->state.pair.at[pair].axis;
	CHECK(t->type == to->type && t->rank == to->rank, TARN_SHAPE, "state '%s' is %s of %d dimensions", name,
	      tarn_dtype_info(to->type)->word, to->rank);
	for (int k = 0; k < to->rank; k++)
		CHECK(k == axis ? t->dim[k] <= to->dim[k] : t->dim[k] == to->dim[k], TARN_SHAPE,
		      "state '%s' has %" PRId64 " elements along axis %d, not %" PRId64, name, to->dim[k], k, t->dim[k]);
	memset(to->data, 0, tarn_tensor_bytes(to));
	TRY(tarn_part_copy(t, zero, to, zero, t->dim));
	s->facts.state_copied += (int64_t)tarn_tensor_bytes(t);
	if (axis >= 0)
		s->past = t->dim[axis];
	return TARN_OK;
}

void tarn_sequence_facts_get(const tarn_sequence *s, tarn_sequence_facts *f)
{
	*f = s->facts;
	f->past = s->past;
}
