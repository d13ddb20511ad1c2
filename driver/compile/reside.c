/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where activations live: in CMX while they fit, else in DDR. What a layer writes stays until its last reader; what is read
 * last makes room first. What goes to DDR for want of room gets a place in one arena there, which those share that do not live
 * at the same time; inputs and outputs are in memory of the caller.
 */
#include <string.h>

#include "base/plan.h"
#include "driver/compile/plan.h"
#include "ir/op.h"

typedef struct home {
	const tarn_value *v;
	uint64_t bytes;
	int last;   /* layer of the last use; n for outputs */
	int maker;  /* layer whose result it is; -1: none */
	int place;  /* among those in CMX; -1: not there */
	int next;   /* value that dies with the same layer; -1: the last */
	int stored; /* layer that writes it to DDR; -1: none */
	bool in_ddr, output;
	bool external; /* an input or output: its place in DDR is the caller's */
} home;

typedef struct residence {
	const tarn_graph *g;
	const npu_layers *layers;
	home *home;   /* by value id */
	uint32_t *of; /* views: the value whose bytes these are */
	home **in;    /* in CMX, in no order */
	int n_in;
	int *dying; /* first value that dies with a layer; -1: none */
	uint64_t used, capacity, peak;
	int *spills;
} residence;

static home *home_of(residence *r, const tarn_value *v)
{
	uint32_t id = v->id;
	while (r->of[id] != id)
		id = r->of[id];
	return &r->home[id];
}

static tarn_err allocate(residence *r, tarn_arena *a)
{
	size_t n = r->g->value.len + 1;
	r->home = tarn_arena_zalloc(a, n, sizeof *r->home);
	r->of = tarn_arena_zalloc(a, n, sizeof *r->of);
	r->in = tarn_arena_zalloc(a, n, sizeof *r->in);
	r->dying = tarn_arena_zalloc(a, (size_t)r->layers->n + 1, sizeof *r->dying);
	return r->home && r->of && r->in && r->dying ? TARN_OK : tarn_err_nomem(n * sizeof *r->home);
}

static void sizes(residence *r)
{
	for (size_t i = 0; i < r->g->value.len; i++) {
		const tarn_value *v = r->g->value.at[i];
		r->of[i] = (uint32_t)i;
		r->home[i] = (home){.v = v, .last = -1, .maker = -1, .place = -1, .next = -1, .stored = -1};
		if (!v->konst && v->shape.rank >= 0 && tarn_shape_is_static(&v->shape) && v->type)
			r->home[i].bytes = tarn_npu_value_bytes(v, npu_is_pair(r->layers, v));
	}
	for (int i = 0; i < r->layers->n; i++) {
		const npu_layer *l = &r->layers->at[i];
		const tarn_value *v = tarn_npu_layer_out(l, 0);
		if (!v)
			continue;
		r->home[v->id].maker = i;
		if (l->fp32)
			r->home[v->id].bytes = tarn_npu_value_bytes(v, true);
		if (l->view)
			r->of[v->id] = tarn_npu_layer_in(l, 0)->id;
	}
}

static void lifetimes(residence *r)
{
	for (int i = 0; i < r->layers->n; i++)
		for (int k = 0; k < r->layers->at[i].main->n_in; k++)
			if (r->layers->at[i].main->in[k])
				home_of(r, tarn_npu_layer_in(&r->layers->at[i], k))->last = i;
	for (size_t i = 0; i < r->g->input.len; i++)
		home_of(r, r->g->input.at[i])->in_ddr = home_of(r, r->g->input.at[i])->external = true;
	for (size_t i = 0; i < r->g->output.len; i++) {
		const tarn_value *v = r->g->output.at[i];
		const tarn_node *d = tarn_npu_dequantizer(v);
		home_of(r, v)->last = r->layers->n;
		home_of(r, v)->external = true;
		r->home[v->id].output = true;
		if (d) {
			home_of(r, d->in[0])->last = r->layers->n;
			home_of(r, d->in[0])->external = true;
			r->home[d->in[0]->id].output = true;
		}
	}
	for (int i = 0; i < r->layers->n; i++)
		r->dying[i] = -1;
	for (size_t i = 0; i < r->g->value.len; i++) {
		home *h = &r->home[i];
		if (h->last < 0 || h->last >= r->layers->n)
			continue;
		h->next = r->dying[h->last];
		r->dying[h->last] = (int)i;
	}
}

static void enter(residence *r, home *h)
{
	if (h->place >= 0)
		return;
	h->place = r->n_in;
	r->in[r->n_in++] = h;
	r->used += h->bytes;
}

static void drop(residence *r, home *h)
{
	if (h->place < 0)
		return;
	home *moved = r->in[--r->n_in];
	r->in[h->place] = moved;
	moved->place = h->place;
	h->place = -1;
	r->used -= h->bytes;
}

static bool reads(const npu_layer *l, residence *r, const home *h)
{
	for (int k = 0; k < l->main->n_in; k++)
		if (l->main->in[k] && home_of(r, tarn_npu_layer_in(l, k)) == h)
			return true;
	return false;
}

/* Makes room by writing out what is used last; what the layer reads stays. */
static void evict(residence *r, int at, uint64_t need, npu_job *j)
{
	const npu_layer *l = &r->layers->at[at];
	while (r->used + need > r->capacity) {
		home *worst = NULL;
		for (int i = 0; i < r->n_in; i++) {
			home *h = r->in[i];
			bool later = !worst || h->last > worst->last || (h->last == worst->last && h->v->id < worst->v->id);
			if (later && !reads(l, r, h))
				worst = h;
		}
		if (!worst)
			return;
		if (!worst->in_ddr) {
			j->store_bytes += worst->bytes;
			worst->in_ddr = true;
			worst->stored = at;
			++*r->spills;
		}
		drop(r, worst);
	}
}

/* Elementwise results take the place of an operand that nobody reads afterwards. */
static home *in_place(residence *r, const npu_layer *l, int at, uint64_t out)
{
	if (!(l->main->op->flags & TARN_OP_ELEMENTWISE) || l->main->n_out != 1)
		return NULL;
	for (int k = 0; k < l->main->n_in; k++) {
		const tarn_value *v = l->main->in[k] ? tarn_npu_layer_in(l, k) : NULL;
		home *h = v && !v->konst ? home_of(r, v) : NULL;
		if (h && h->last == at && h->bytes >= out)
			return h;
	}
	return NULL;
}

/* Everything the layer reads that is in DDR comes in, to stay or piece by piece. */
static void load(residence *r, int at, bool streamed, uint64_t room, npu_job *j)
{
	const npu_layer *l = &r->layers->at[at];
	for (int k = 0; k < l->main->n_in; k++) {
		const tarn_value *v = l->main->in[k] ? tarn_npu_layer_in(l, k) : NULL;
		home *h = v && !v->konst ? home_of(r, v) : NULL;
		if (!h || h->place >= 0 || !h->in_ddr)
			continue;
		j->load_bytes += h->bytes;
		if (!streamed) {
			enter(r, h);
			evict(r, at, room, j);
		}
	}
}

static void store(residence *r, int at, bool streamed, home *reused, npu_job *j)
{
	const npu_layer *l = &r->layers->at[at];
	for (int k = 0; k < l->main->n_out; k++) {
		const tarn_value *v = l->main->out[k] ? tarn_npu_layer_out(l, k) : NULL;
		if (!v)
			continue;
		home *h = home_of(r, v);
		bool output = r->home[v->id].output;
		if (streamed || output) {
			j->store_bytes += h->bytes;
			h->in_ddr = true;
			h->stored = at;
			*r->spills += streamed && !output;
		}
		if (!streamed && reused)
			drop(r, reused);
		if (!streamed)
			enter(r, h);
	}
}

static void settle_layer(residence *r, int at, npu_job *j)
{
	const npu_layer *l = &r->layers->at[at];
	uint64_t in = 0, out = 0, weights = j->weight_bytes / (uint64_t)(j->tiling.cuts_k > 0 ? j->tiling.cuts_k : 1);
	for (int k = 0; k < l->main->n_in; k++)
		if (l->main->in[k] && !tarn_npu_layer_in(l, k)->konst)
			in += home_of(r, tarn_npu_layer_in(l, k))->bytes;
	for (int k = 0; k < l->main->n_out; k++)
		if (l->main->out[k])
			out += home_of(r, tarn_npu_layer_out(l, k))->bytes;
	uint64_t buffers = 2 * weights < r->capacity / 2 ? 2 * weights : r->capacity / 2;
	home *reused = in_place(r, l, at, out);
	uint64_t more = reused ? 0 : out;
	bool streamed = in + more + buffers > r->capacity || j->tiling.cuts_h > 1;
	evict(r, at, streamed ? r->capacity : more + buffers, j);
	load(r, at, streamed, more + buffers, j);
	store(r, at, streamed, reused, j);
	uint64_t now = r->used + buffers;
	j->weight_room = !streamed && now < r->capacity ? r->capacity - r->used : buffers;
	r->peak = r->peak > now ? r->peak : now;
	for (int i = r->dying[at]; i >= 0; i = r->home[i].next)
		drop(r, &r->home[i]);
	for (int k = 0; k < l->main->n_out; k++) { /* results that nobody reads */
		home *h = l->main->out[k] ? home_of(r, tarn_npu_layer_out(l, k)) : NULL;
		if (h && h->last <= at)
			drop(r, h);
	}
}

/* A view of an output is written out by whoever made the bytes: settle that here, once all is known. */
static void store_views(residence *r, npu_job *job)
{
	for (size_t i = 0; i < r->g->output.len; i++) {
		home *h = home_of(r, r->g->output.at[i]);
		if (h->in_ddr || !h->bytes || h->v->konst)
			continue;
		if (h->maker >= 0)
			job[h->maker].store_bytes += h->bytes;
		h->in_ddr = true;
	}
}

/* Places in the arena: from the layer that writes a value to the last that reads it. */
static tarn_err place(const residence *r, tarn_arena *a, npu_plan *plan)
{
	size_t n = r->g->value.len;
	tarn_usage *use = tarn_arena_zalloc(a, n + 1, sizeof *use);
	size_t *offset = tarn_arena_zalloc(a, n + 1, sizeof *offset), total = 0;
	npu_spill *spill = tarn_arena_zalloc(a, n + 1, sizeof *spill);
	if (!use || !offset || !spill)
		return tarn_err_nomem(n * sizeof *spill);
	int count = 0;
	for (size_t i = 0; i < n; i++) {
		const home *h = &r->home[i];
		if (h->external || h->stored < 0 || !h->bytes)
			continue;
		int last = h->last > h->stored ? h->last : h->stored;
		use[count] = (tarn_usage){(size_t)h->bytes, h->stored, last};
		spill[count++] = (npu_spill){.v = h->v, .bytes = h->bytes, .first = h->stored, .last = last};
	}
	TRY(tarn_plan(use, count, offset, &total));
	for (int i = 0; i < count; i++) {
		spill[i].offset = offset[i];
		plan->spill_bytes += spill[i].bytes;
	}
	plan->spill = spill;
	plan->n_spill = count;
	plan->ddr_arena = total;
	return TARN_OK;
}

tarn_err tarn_npu_reside(const tarn_graph *g, uint64_t capacity, tarn_arena *a, npu_plan *plan)
{
	residence r = {.g = g, .layers = &plan->layers, .capacity = capacity, .spills = &plan->spills};
	TRY(allocate(&r, a));
	sizes(&r);
	lifetimes(&r);
	for (int i = 0; i < plan->layers.n; i++)
		if (plan->job[i].engine != NPU_NONE)
			settle_layer(&r, i, &plan->job[i]);
	store_views(&r, plan->job);
	plan->cmx_peak = r.peak;
	return place(&r, a, plan);
}
