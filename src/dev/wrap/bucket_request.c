/* SPDX-License-Identifier: Apache-2.0 */
/* A request: picks the bucket, fills the inner request's tensors, and hands back results of true size. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dev/wrap/bucket_program.h"
#include "rt/request.h"

static bool same_dims(const tarn_tensor *a, const tarn_tensor *b)
{
	return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

/* ---- the inner request ---- */

static void done(void *arg);

static tarn_err slot_fill(tarn_request *outer, bucket_slot *s, tarn_program *p)
{
	TRY(tarn_request_new(p, &s->r));
	TRY(tarn_request_set_callback(s->r, done, outer));
	int n_in = s->r->n_in, n = n_in + s->r->n_out;
	s->own = tarn_mem_zalloc((size_t)n + 1, sizeof *s->own);
	if (!s->own)
		return tarn_err_nomem((size_t)n * sizeof *s->own);
	for (int i = 0; i < n; i++)
		s->own[i] = tarn_tensor_share(i < n_in ? &s->r->in[i] : &s->r->out[i - n_in]);
	return TARN_OK;
}

static void slot_fini(bucket_slot *s)
{
	for (int i = 0; s->own && i < s->r->n_in + s->r->n_out; i++)
		tarn_tensor_fini(&s->own[i]);
	tarn_mem_free(s->own);
	tarn_request_free(s->r);
	*s = (bucket_slot){0};
}

static tarn_err slot_get(tarn_request *outer, int i, bucket_slot **out)
{
	const bucket_program *x = outer->program->impl;
	bucket_request *q = outer->impl;
	bucket_slot *s = &q->slot[i];
	if (!s->own) {
		tarn_err err = slot_fill(outer, s, x->at[i].p);
		if (err) {
			slot_fini(s);
			return err;
		}
	}
	*out = s;
	return TARN_OK;
}

/* ---- life ---- */

tarn_err tarn_bucket_request_init(tarn_request *r)
{
	const bucket_program *x = r->program->impl;
	bucket_request *q = tarn_mem_zalloc(1, sizeof *q);
	if (!q)
		return tarn_err_nomem(sizeof *q);
	r->impl = q;
	q->slot = tarn_mem_zalloc((size_t)x->n, sizeof *q->slot);
	q->result = tarn_mem_zalloc((size_t)r->n_out + 1, sizeof *q->result);
	q->value = tarn_mem_zalloc(x->syms.sym.len + 1, sizeof *q->value);
	if (q->slot && q->result && q->value)
		return TARN_OK;
	tarn_bucket_request_fini(r);
	return tarn_err_nomem(x->syms.sym.len * sizeof *q->value);
}

void tarn_bucket_request_fini(tarn_request *r)
{
	const bucket_program *x = r->program->impl;
	bucket_request *q = r->impl;
	if (!q)
		return;
	for (int i = 0; q->slot && i < x->n; i++)
		slot_fini(&q->slot[i]);
	for (int i = 0; q->result && i < r->n_out; i++)
		tarn_buffer_unref(q->result[i]);
	tarn_mem_free(q->slot);
	tarn_mem_free(q->result);
	tarn_mem_free(q->value);
	tarn_mem_free(q);
	r->impl = NULL;
}

/* ---- before ---- */

/* The size each free dimension has in this run, the same in all inputs. */
static tarn_err read_sizes(const tarn_request *r, const bucket_program *x, bucket_request *q, int64_t *size)
{
	const tarn_port *first[TARN_BUCKET_DIMS] = {0};
	for (size_t i = 0; i < x->syms.sym.len; i++)
		q->value[i] = -1;
	for (int i = 0; i < r->n_in; i++)
		for (int k = 0; k < x->in[i].rank; k++)
			for (int d = 0; d < x->n_dim; d++) {
				if (x->in[i].dim[k] != x->dim[d].sym)
					continue;
				int64_t n = r->in[i].dim[k];
				const tarn_port *port = &r->program->in[i];
				CHECK(!first[d] || size[d] == n, TARN_SHAPE,
				      "input '%s' has %lld elements along '%s', input '%s' %lld; they must agree", port->name,
				      (long long)n, x->dim[d].name, first[d] ? first[d]->name : "", (long long)size[d]);
				first[d] = port;
				size[d] = n;
				q->value[-(x->dim[d].sym + 1)] = n;
			}
	return TARN_OK;
}

/* The true sizes of output i: they follow from the inputs'; what does not is as the inner device made it. */
static void true_sizes(const bucket_program *x, const bucket_request *q, int i, const tarn_tensor *made, tarn_tensor *want)
{
	*want = (tarn_tensor){.type = made->type, .rank = made->rank};
	for (int k = 0; k < made->rank; k++) {
		int64_t n = x->out[i].rank == made->rank ? tarn_dim_value(&x->syms, x->out[i].dim[k], q->value, x->syms.sym.len)
							 : -1;
		want->dim[k] = n >= 0 && n < made->dim[k] ? n : made->dim[k];
	}
}

static void count_copy(tarn_request *r, const tarn_tensor *t)
{
	r->copies++;
	r->copy_bytes += (int64_t)tarn_tensor_bytes(t);
}

/* Data of the inner size is used where it is; other data is copied into the corner of the inner tensor. What lies behind it
 * stays as it was: the rewritten model does not look at it. */
static tarn_err fill_input(tarn_request *r, int i, tarn_request *inner, int at, const tarn_tensor *own)
{
	tarn_tensor_fini(&inner->in[at]);
	bool whole = same_dims(&r->in[i], own);
	inner->in[at] = tarn_tensor_share(whole ? &r->in[i] : own);
	inner->in_foreign[at] = whole && r->in_foreign[i];
	if (whole)
		return TARN_OK;
	count_copy(r, &r->in[i]);
	return tarn_err_note(tarn_tensor_copy_corner(&r->in[i], own), "padding '%s'", r->program->in[i].name);
}

static tarn_err fill_inputs(tarn_request *r, const bucket_inner *b, const bucket_slot *s, const int64_t *size, int n_dim)
{
	for (int i = 0; i < r->n_in; i++)
		TRY(fill_input(r, i, s->r, b->in[i], &s->own[b->in[i]]));
	for (int k = 0; k < n_dim; k++) {
		if (b->length[k] < 0)
			continue;
		tarn_tensor *length = &s->r->in[b->length[k]];
		tarn_tensor_fini(length);
		*length = tarn_tensor_share(&s->own[b->length[k]]);
		s->r->in_foreign[b->length[k]] = false;
		for (int64_t i = 0; i < tarn_tensor_count(length); i++)
			tarn_tensor_set_i64(length, i, size[k]);
	}
	return TARN_OK;
}

/* A result that needs no cutting goes straight to where the user wants it. */
static void fill_outputs(tarn_request *r, const bucket_program *x, const bucket_request *q, const bucket_slot *s)
{
	const bucket_inner *b = &x->at[q->now];
	for (int i = 0; i < r->n_out; i++) {
		const tarn_tensor *own = &s->own[s->r->n_in + b->out[i]];
		tarn_tensor *out = &s->r->out[b->out[i]], want;
		true_sizes(x, q, i, own, &want);
		bool direct = own->type && r->out[i].type == own->type && same_dims(own, &want) && same_dims(own, &r->out[i]);
		tarn_tensor_fini(out);
		*out = tarn_tensor_share(direct ? &r->out[i] : own);
		s->r->out_foreign[b->out[i]] = direct && r->out_foreign[i];
	}
}

tarn_err tarn_bucket_submit(tarn_request *r)
{
	bucket_program *x = r->program->impl;
	bucket_request *q = r->impl;
	int64_t size[TARN_BUCKET_DIMS] = {0}, begin = tarn_clock_ns();
	bucket_slot *s;
	TRY(read_sizes(r, x, q, size));
	TRY(tarn_bucket_pick(x, size, &q->now));
	tarn_bucket_note_sizes(x, size);
	TRY(slot_get(r, q->now, &s));
	TRY(tarn_request_begin(s->r));
	tarn_err err = fill_inputs(r, &x->at[q->now], s, size, x->n_dim);
	if (err) {
		tarn_request_abort(s->r);
		return err;
	}
	fill_outputs(r, x, q, s);
	q->pad_ns = tarn_clock_ns() - begin;
	return tarn_request_start(s->r);
}

/* ---- after ---- */

/* Memory of the request for a cut result; grows, and is kept while the size suffices. */
static tarn_err result_memory(const tarn_program *p, tarn_buffer **b, size_t bytes)
{
	if (*b && (*b)->size >= bytes)
		return TARN_OK;
	tarn_buffer_unref(*b);
	*b = NULL;
	return p->device->api->alloc(p->device, bytes, b);
}

/* Has the user's own memory room for the result, though its sizes are others? They become the result's then. */
static bool holds(const tarn_request *r, int i, const tarn_tensor *want)
{
	return r->out_foreign[i] && r->out[i].type == want->type && r->out[i].data && r->out_room[i] >= tarn_tensor_bytes(want);
}

static tarn_err take_output(tarn_request *r, int i, const tarn_tensor *made)
{
	const bucket_program *x = r->program->impl;
	bucket_request *q = r->impl;
	tarn_tensor *out = &r->out[i], want;
	true_sizes(x, q, i, made, &want);
	bool given = out->type == made->type && same_dims(out, &want);
	if (given && out->data == made->data)
		return TARN_OK;
	if (!given && same_dims(made, &want) && !holds(r, i, &want)) {
		tarn_tensor_fini(out);
		*out = tarn_tensor_share(made);
		return TARN_OK;
	}
	if (!given && holds(r, i, &want)) {
		memcpy(out->dim, want.dim, sizeof out->dim);
		out->rank = want.rank;
	} else if (!given) {
		TRY(result_memory(r->program, &q->result[i], tarn_tensor_bytes(&want)));
		tarn_tensor_fini(out);
		*out = want;
		out->buf = tarn_buffer_ref(q->result[i]);
		out->data = out->buf->at;
	}
	count_copy(r, out);
	return tarn_err_note(tarn_tensor_copy_corner(made, out), "cutting '%s'", r->program->out[i].name);
}

static tarn_err take_profile(tarn_request *r, const tarn_request *inner)
{
	r->t_wait = inner->t_wait;
	r->t_copy_in += inner->t_copy_in;
	r->t_device = inner->t_device;
	r->t_copy_out = inner->t_copy_out;
	r->copies += inner->copies;
	r->copy_bytes += inner->copy_bytes;
	r->device_ms = inner->device_ms;
	r->device_modelled = inner->device_modelled;
	r->device_band = inner->device_band;
	r->mac_share = inner->mac_share;
	r->ddr_share = inner->ddr_share;
	r->ddr_bytes = inner->ddr_bytes;
	TRY(VEC_RESERVE(&r->layer, inner->layer.len));
	r->layer.len = inner->layer.len;
	if (inner->layer.len)
		memcpy(r->layer.at, inner->layer.at, inner->layer.len * sizeof *inner->layer.at);
	return TARN_OK;
}

static tarn_err take_results(tarn_request *r, tarn_request *inner)
{
	const bucket_program *x = r->program->impl;
	const bucket_request *q = r->impl;
	TRY(tarn_request_wait(inner)); /* it is over: this tells how it ended */
	r->t_copy_in = q->pad_ns;
	TRY(take_profile(r, inner));
	int64_t begin = tarn_clock_ns();
	for (int i = 0; i < r->n_out; i++)
		TRY(take_output(r, i, &inner->out[x->at[q->now].out[i]]));
	r->t_copy_out += tarn_clock_ns() - begin;
	return TARN_OK;
}

/* On the thread that finished the inner inference. */
static void done(void *arg)
{
	tarn_request *r = arg;
	const bucket_request *q = r->impl;
	tarn_request_finish(r, take_results(r, q->slot[q->now].r));
}
