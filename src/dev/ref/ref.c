/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/ref/ref.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ops/ops.h"

static const char *full_name(const tarn_device *d)
{
	(void)d;
	return "Reference (the operators' own definitions)";
}

/* Bodies included: an operator without definition is refused before anything runs. */
static tarn_err check(const tarn_graph *g)
{
	for (size_t i = 0; i < g->node.len; i++) {
		const tarn_node *n = g->node.at[i];
		CHECK(n->op->eval || n->op->decompose, TARN_UNSUPPORTED,
		      "operator %s has no reference implementation; in node '%s'", n->op->name, n->name);
		for (int k = 0; k < n->n_body; k++)
			TRY(check(n->body[k]));
	}
	return TARN_OK;
}

static tarn_err compile(tarn_program *p)
{
	return check(p->model->main);
}

/* Follows one run: time between values goes to the node that made the later one. */
typedef struct watch {
	tarn_request *r;
	bool profile;
	int64_t last;
} watch;

static tarn_err observe(void *ctx, const tarn_value *v, const tarn_tensor *t)
{
	watch *w = ctx;
	(void)t;
	CHECK(!atomic_load(&w->r->cancel), TARN_CANCELLED, "cancelled");
	if (!w->profile || !v)
		return TARN_OK;
	int64_t now = tarn_clock_ns();
	const tarn_node *n = v->def;
	size_t len = w->r->layer.len;
	if (n && !(len && w->r->layer.at[len - 1].name == n->name)) {
		TRY(VEC_GROW(&w->r->layer));
		w->r->layer.at[w->r->layer.len++] = (tarn_layer_profile){.name = n->name,
									 .type = n->op->name,
									 .engine = "reference",
									 .ms = (double)(now - w->last) * 1e-6,
									 .active_cycles = NAN,
									 .stall_cycles = NAN};
	}
	w->last = now;
	return TARN_OK;
}

static bool fits(const tarn_tensor *have, const tarn_tensor *made)
{
	if (have->type != made->type || have->rank != made->rank || !have->data || made->type == TARN_STRING)
		return false;
	for (int i = 0; i < made->rank; i++)
		if (have->dim[i] != made->dim[i])
			return false;
	return true;
}

/* Into the bytes the user bound, when they fit. */
static void deliver(tarn_request *r, int i, tarn_tensor *made)
{
	tarn_tensor *out = &r->out[i];
	if (fits(out, made)) {
		size_t n = tarn_tensor_bytes(made);
		if (n)
			memcpy(out->data, made->data, n);
		tarn_tensor_fini(made);
	} else {
		tarn_tensor_fini(out);
		*out = *made;
	}
}

static bool wants_profile(const tarn_program *p)
{
	const char *text = tarn_props_find(&p->props, "PERF_COUNT");
	bool on = false;
	return text && tarn_str_to_bool(text, &on) && on;
}

static tarn_err run(tarn_request *r)
{
	const tarn_graph *g = r->program->model->main;
	CHECK((size_t)r->n_in == g->input.len && (size_t)r->n_out == g->output.len, TARN_INTERNAL,
	      "%d inputs for a graph of %zu", r->n_in, g->input.len);
	tarn_arena scratch = {0};
	const tarn_tensor **in = tarn_arena_zalloc(&scratch, g->input.len + 1, sizeof *in);
	tarn_tensor *out = tarn_arena_zalloc(&scratch, g->output.len + 1, sizeof *out);
	tarn_err err = in && out ? TARN_OK : tarn_err_nomem(g->input.len * sizeof *out);
	if (err == TARN_OK) {
		for (int i = 0; i < r->n_in; i++)
			in[i] = &r->in[i];
		r->layer.len = 0;
		watch w = {.r = r, .profile = wants_profile(r->program), .last = tarn_clock_ns()};
		err = tarn_graph_eval(g, in, out, observe, &w);
	}
	for (int i = 0; err == TARN_OK && i < r->n_out; i++)
		deliver(r, i, &out[i]);
	tarn_arena_fini(&scratch);
	return err;
}

const tarn_device_api tarn_dev_ref = {
	.name = "REF",
	.hidden = true,
	.full_name = full_name,
	.compile = compile,
	.run = run,
};
