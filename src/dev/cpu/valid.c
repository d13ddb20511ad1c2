/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/cpu/valid.h"

#include <string.h>

#include "base/mem.h"

struct cpu_valid {
	tarn_origin map;   /* lists in the arena */
	tarn_model *model; /* the compiled copy */
	tarn_shape *in;    /* by input of the origin, as they are: with symbols */
	int n_in, n_out;
	tarn_arena arena;
};

static tarn_err fill(cpu_valid *v, const tarn_model *m)
{
	const tarn_graph *g = m->origin.model->main;
	v->map = m->origin;
	v->map.model = NULL;
	v->n_in = (int)g->input.len;
	v->n_out = (int)g->output.len;
	v->map.length = tarn_arena_memdup(&v->arena, m->origin.length, (size_t)m->origin.n_length * sizeof *m->origin.length);
	v->map.size = tarn_arena_memdup(&v->arena, m->origin.size, (size_t)m->origin.n_size * sizeof *m->origin.size);
	v->in = tarn_arena_zalloc(&v->arena, (size_t)v->n_in + 1, sizeof *v->in);
	if (!v->map.length || (m->origin.n_size && !v->map.size) || !v->in)
		return tarn_err_nomem((size_t)v->n_in * sizeof *v->in);
	for (int i = 0; i < v->n_in; i++)
		v->in[i] = g->input.at[i]->shape;
	return tarn_model_clone(m->origin.model, &v->model);
}

tarn_err tarn_cpu_valid_new(const tarn_model *m, cpu_valid **out, tarn_model **origin)
{
	*out = NULL;
	if (!tarn_model_origin_holds(m))
		return TARN_OK;
	cpu_valid *v = tarn_mem_zalloc(1, sizeof *v);
	tarn_err err = v ? fill(v, m) : tarn_err_nomem(sizeof *v);
	if (err != TARN_OK) {
		tarn_cpu_valid_free(v);
		return err;
	}
	*out = v;
	*origin = v->model;
	return TARN_OK;
}

const tarn_model *tarn_cpu_valid_model(const cpu_valid *v)
{
	return v->model;
}

/* u32 lengths + 1, or 0; u32 sizes; by length u64 symbol; by size u32 output, u32 axis. */
void tarn_cpu_valid_save(const cpu_valid *v, tarn_str *out)
{
	tarn_bytes_put_u32(out, v ? (uint32_t)v->map.n_length + 1 : 0);
	tarn_bytes_put_u32(out, v ? (uint32_t)v->map.n_size : 0);
	for (int i = 0; v && i < v->map.n_length; i++)
		tarn_bytes_put_u64(out, (uint64_t)v->map.length[i]);
	for (int i = 0; v && i < v->map.n_size; i++) {
		tarn_bytes_put_u32(out, (uint32_t)v->map.size[i].output);
		tarn_bytes_put_u32(out, (uint32_t)v->map.size[i].axis);
	}
}

static tarn_err get_map(tarn_bytes *in, cpu_valid *v, uint32_t lengths, uint32_t sizes)
{
	tarn_dim *length = tarn_arena_zalloc(&v->arena, lengths + 1u, sizeof *length);
	struct tarn_origin_size *size = tarn_arena_zalloc(&v->arena, sizes + 1u, sizeof *size);
	if (!length || !size)
		return tarn_err_nomem(lengths * sizeof *length);
	for (uint32_t i = 0; i < lengths; i++)
		length[i] = (tarn_dim)tarn_bytes_get_u64(in);
	for (uint32_t i = 0; i < sizes; i++) {
		size[i].output = (int)tarn_bytes_get_u32(in);
		size[i].axis = (int)tarn_bytes_get_u32(in);
	}
	v->map = (tarn_origin){.length = length, .size = size, .n_length = (int)lengths, .n_size = (int)sizes};
	return TARN_OK;
}

tarn_err tarn_cpu_valid_open(tarn_bytes *in, cpu_valid **out)
{
	uint32_t lengths = tarn_bytes_get_u32(in), sizes = tarn_bytes_get_u32(in);
	*out = NULL;
	if (!lengths--)
		return TARN_OK;
	CHECK(!in->bad && lengths <= in->left / 8 && sizes <= in->left / 8, TARN_BAD_FILE,
	      "compiled model: its lengths are cut off; compile it again");
	cpu_valid *v = tarn_mem_zalloc(1, sizeof *v);
	if (!v)
		return tarn_err_nomem(sizeof *v);
	tarn_err err = get_map(in, v, lengths, sizes);
	if (err != TARN_OK)
		tarn_cpu_valid_free(v);
	else
		*out = v;
	return err;
}

static bool scalar_i64(const tarn_port *p)
{
	return p->type == TARN_I64 && p->rank == 1 && p->lo[0] == 1 && p->hi[0] == 1;
}

tarn_err tarn_cpu_valid_take(cpu_valid *v, const tarn_program *p, tarn_model *origin)
{
	const tarn_graph *g = origin->main;
	v->model = origin;
	v->n_in = (int)g->input.len;
	v->n_out = (int)g->output.len;
	v->in = tarn_arena_zalloc(&v->arena, g->input.len + 1, sizeof *v->in);
	if (!v->in)
		return tarn_err_nomem(g->input.len * sizeof *v->in);
	for (int i = 0; i < v->n_in; i++)
		v->in[i] = g->input.at[i]->shape;
	bool fits = p->n_in == v->n_in + v->map.n_length && p->n_out == v->n_out + v->map.n_size;
	for (int i = 0; fits && i < v->map.n_length; i++)
		fits = v->map.length[i] < 0 && scalar_i64(&p->in[v->n_in + i]);
	for (int i = 0; fits && i < v->map.n_size; i++) {
		const struct tarn_origin_size *s = &v->map.size[i];
		fits = s->output >= 0 && s->output < v->n_out && s->axis >= 0 &&
		       s->axis < g->output.at[s->output]->shape.rank && scalar_i64(&p->out[v->n_out + i]);
	}
	CHECK(fits, TARN_BAD_FILE, "compiled model: its lengths are not its inputs; compile it again");
	return TARN_OK;
}

void tarn_cpu_valid_free(cpu_valid *v)
{
	if (!v)
		return;
	tarn_model_unref(v->model);
	tarn_arena_fini(&v->arena);
	tarn_mem_free(v);
}

int tarn_cpu_valid_inputs(const cpu_valid *v)
{
	return v->n_in;
}

int tarn_cpu_valid_outputs(const cpu_valid *v)
{
	return v->n_out;
}

/* The valid size of an axis: what its length says, or all of it. */
static tarn_err size_of(const cpu_valid *v, const tarn_request *r, int input, int axis, int64_t *size)
{
	*size = r->in[input].dim[axis];
	for (int i = 0; i < v->map.n_length; i++) {
		if (v->in[input].dim[axis] != v->map.length[i])
			continue;
		const tarn_port *port = &r->program->in[v->n_in + i];
		int64_t n = tarn_tensor_i64(&r->in[v->n_in + i], 0);
		CHECK(n >= 0 && n <= *size, TARN_SHAPE, "input '%s' says %lld, input '%s' has room for %lld; give at most that",
		      port->name, (long long)n, r->program->in[input].name, (long long)*size);
		*size = n;
	}
	return TARN_OK;
}

tarn_err tarn_cpu_valid_in(const cpu_valid *v, const tarn_request *r, tarn_tensor *in)
{
	for (int i = 0; i < v->n_in; i++) {
		const tarn_tensor *t = &r->in[i];
		int64_t dim[TARN_MAX_RANK];
		bool whole = true;
		for (int k = 0; k < t->rank; k++) {
			TRY(size_of(v, r, i, k, &dim[k]));
			whole &= dim[k] == t->dim[k];
		}
		if (whole) {
			in[i] = tarn_tensor_share(t);
			continue;
		}
		TRY(tarn_tensor_new(t->type, t->rank, dim, &in[i]));
		TRY(tarn_tensor_copy_corner(t, &in[i]));
	}
	return TARN_OK;
}

/* Room for output i at its maximum size, in the caller's bytes where they fit; axes that are still free as they came out. */
static tarn_err room(tarn_request *r, int i, const tarn_tensor *valid)
{
	const tarn_port *p = &r->program->out[i];
	tarn_tensor *t = &r->out[i];
	int64_t dim[TARN_MAX_RANK];
	bool fits = t->data && t->type == valid->type && t->rank == valid->rank;
	for (int k = 0; k < valid->rank; k++) {
		dim[k] = p->rank == valid->rank && p->lo[k] == p->hi[k] ? p->hi[k] : valid->dim[k];
		fits = fits && t->dim[k] == dim[k];
	}
	if (fits)
		return TARN_OK;
	tarn_tensor_fini(t);
	return tarn_tensor_new(valid->type, valid->rank, dim, t);
}

tarn_err tarn_cpu_valid_out(const cpu_valid *v, tarn_request *r, tarn_tensor *out)
{
	for (int i = 0; i < v->n_out; i++) {
		TRY(room(r, i, &out[i]));
		TRY(tarn_tensor_copy_corner(&out[i], &r->out[i]));
	}
	for (int i = 0; i < v->map.n_size; i++) {
		TRY(room(r, v->n_out + i, &(tarn_tensor){.type = TARN_I64, .rank = 1, .dim = {1}}));
		*(int64_t *)r->out[v->n_out + i].data = out[v->map.size[i].output].dim[v->map.size[i].axis];
	}
	return TARN_OK;
}
