/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/cpu/device.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "dev/cpu/blob.h"
#include "dev/cpu/cpu.h"
#include "dev/cpu/valid.h"
#include "kern/isa.h"
#include "ops/ops.h"
#include "pass/pass.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* What hangs at tarn_program->impl: the steps, and per stream a pool and an arena. */
typedef struct cpu_exec {
	cpu_program *program;
	cpu_valid *valid; /* the program is that of a bounded model's origin; NULL: of the model itself */
	tarn_packs packs;
	tarn_buffer *bytes; /* what packed weights of a compiled model lie in; NULL: it was compiled here */
	int n_stream;
	struct cpu_stream {
		tarn_pool *pool;
		tarn_buffer *arena;
	} stream[];
} cpu_exec;

static tarn_err open_device(tarn_device *d)
{
	char *name = tarn_mem_zalloc(64, 1);
	if (!name)
		return tarn_err_nomem(64);
	snprintf(name, 64, "CPU");
#if defined(__x86_64__)
	unsigned r[12];
	bool known = true;
	for (unsigned i = 0; i < 3; i++)
		known &= __get_cpuid(0x80000002 + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2], &r[4 * i + 3]);
	if (known) {
		memcpy(name, r, 48);
		memmove(name, name + strspn(name, " "), 48 - strspn(name, " "));
	}
#endif
	d->impl = name;
	return TARN_OK;
}

static void close_device(tarn_device *d)
{
	tarn_mem_free(d->impl);
	d->impl = NULL;
}

static const char *full_name(const tarn_device *d)
{
	return d->impl ? d->impl : "CPU";
}

static tarn_err get(tarn_device *d, const char *key, tarn_str *value)
{
	(void)d;
	if (!strcmp(key, "CACHE_KEY")) {
		tarn_str_addf(value, "%s %016llx", tarn_isa_name(tarn_isa_get()), (unsigned long long)tarn_cpu_build_id());
		return TARN_OK;
	}
	return TARN_NOT_FOUND;
}

static int threads_of(const tarn_program *p)
{
	const char *s = tarn_props_find(&p->props, "INFERENCE_NUM_THREADS");
	int64_t n = 0;
	if (s && tarn_str_to_i64(s, &n) && n > 0 && n < 1024)
		return (int)n;
	return tarn_thread_cpus();
}

static void program_free(tarn_program *p)
{
	cpu_exec *x = p->impl;
	if (!x)
		return;
	for (int i = 0; i < x->n_stream; i++) {
		tarn_pool_free(x->stream[i].pool);
		tarn_buffer_unref(x->stream[i].arena);
	}
	tarn_cpu_program_free(x->program);
	tarn_packs_fini(&x->packs);
	tarn_cpu_valid_free(x->valid);
	tarn_buffer_unref(x->bytes);
	tarn_mem_free(x);
	p->impl = NULL;
}

/* With every size known the first instance can be made now: bad sizes show at compile time, and the first inference is fast. */
static tarn_err warm(cpu_program *p)
{
	tarn_arena scratch = {0};
	tarn_tensor *key = tarn_arena_zalloc(&scratch, p->g->input.len, sizeof *key);
	tarn_err err = key ? TARN_OK : tarn_err_nomem(p->g->input.len * sizeof *key);
	for (size_t i = 0; err == TARN_OK && i < p->g->input.len; i++) {
		const tarn_value *v = p->g->input.at[i];
		if (!tarn_shape_is_static(&v->shape))
			goto out;
		key[i] = (tarn_tensor){.type = v->type, .rank = v->shape.rank};
		memcpy(key[i].dim, v->shape.dim, sizeof key[i].dim);
	}
	cpu_instance *inst;
	if (err == TARN_OK)
		err = tarn_cpu_instance_find(p, NULL, key, (int)p->g->input.len, &inst);
	if (err == TARN_OK)
		tarn_cpu_instance_release(p, inst);
out:
	tarn_arena_fini(&scratch);
	return err;
}

static tarn_err prepare(tarn_model *m)
{
	TRY(tarn_cpu_widen(m));
	TRY(tarn_pass_standard(m));
	TRY(tarn_cpu_raise_fake(m));
	TRY(tarn_cpu_raise_dynamic(m));
	TRY(tarn_cpu_lower(m));
	TRY(tarn_pass_fuse(m));
	return tarn_cpu_fold_weights(m);
}

static tarn_err exec_new(tarn_program *p, cpu_exec **out)
{
	int n = p->n_stream > 0 ? p->n_stream : 1, threads = threads_of(p) / n;
	cpu_exec *x = tarn_mem_zalloc(1, sizeof *x + (size_t)n * sizeof *x->stream);
	if (!x)
		return tarn_err_nomem(sizeof *x);
	p->impl = *out = x;
	for (; x->n_stream < n; x->n_stream++)
		TRY(tarn_pool_new(threads > 0 ? threads : 1, &x->stream[x->n_stream].pool));
	return TARN_OK;
}

/* The steps of the prepared model. */
static tarn_err build(tarn_program *p, cpu_exec *x, tarn_model *m)
{
	TRY(tarn_cpu_program_new(m->main, p, &x->packs, &x->program));
	TRY(tarn_cpu_drop_packed(x->program, m));
	return warm(x->program);
}

static tarn_err compile(tarn_program *p)
{
	cpu_exec *x;
	tarn_err err;
	tarn_model *m = p->model;
	TRY_GOTO(out, exec_new(p, &x));
	TRY_GOTO(out, tarn_cpu_valid_new(p->model, &x->valid, &m));
	TRY_GOTO(out, prepare(m));
	TRY_GOTO(out, build(p, x, m));
	p->compilations++;
	return TARN_OK;
out:
	program_free(p);
	return err;
}

static tarn_err export(tarn_program *p, tarn_str *blob)
{
	const cpu_exec *x = p->impl;
	return tarn_cpu_blob_write(x->valid ? tarn_cpu_valid_model(x->valid) : p->model, x->valid, &x->packs, blob);
}

/* Are the graph's inputs those that the program shows? */
static tarn_err check_ports(const tarn_program *p, const tarn_graph *g)
{
	bool fits = (size_t)p->n_in >= g->input.len && (size_t)p->n_out >= g->output.len;
	for (size_t i = 0; fits && i < g->input.len; i++) {
		const tarn_value *v = g->input.at[i];
		const tarn_port *port = &p->in[i];
		fits = port->type == v->type && port->rank == v->shape.rank;
		for (int k = 0; fits && k < port->rank; k++)
			fits = v->shape.dim[k] < 0 || (port->lo[k] == v->shape.dim[k] && port->hi[k] == port->lo[k]);
	}
	CHECK(fits, TARN_BAD_FILE, "compiled model: its inputs are not those of its graph; compile it again");
	return TARN_OK;
}

/* The model goes where compile would have left it, but not before all else succeeded: p's own is needed to compile it anew. */
static tarn_err import_model(tarn_program *p, cpu_exec *x, tarn_model *m, tarn_store *packed)
{
	TRY(check_ports(p, m->main));
	x->packs.from = packed;
	tarn_err err = build(p, x, m);
	x->packs.from = NULL;
	TRY(err);
	CHECK(!packed->left, TARN_BAD_FILE, "compiled model: it has more packed weights than products; compile it again");
	if (x->valid)
		return TARN_OK;
	CHECK((size_t)p->n_in == m->main->input.len && (size_t)p->n_out == m->main->output.len, TARN_BAD_FILE,
	      "compiled model: its inputs are not those of its graph; compile it again");
	m->name = tarn_arena_strdup(&m->arena, p->model->name ? p->model->name : "");
	if (!m->name)
		return tarn_err_nomem(1);
	tarn_model_unref(p->model);
	p->model = tarn_model_ref(m);
	return TARN_OK;
}

static tarn_err import(tarn_program *p, tarn_buffer *bytes)
{
	cpu_exec *x;
	cpu_blob b = {0};
	tarn_err err;
	TRY_GOTO(out, exec_new(p, &x));
	TRY_GOTO(out, tarn_cpu_blob_read(bytes, &b));
	x->bytes = b.bytes;
	x->valid = b.valid;
	if (x->valid)
		TRY_GOTO(out, tarn_cpu_valid_take(x->valid, p, tarn_model_ref(b.model)));
	err = import_model(p, x, b.model, &b.packed);
out:
	if (err != TARN_OK)
		program_free(p);
	tarn_model_unref(b.model);
	return err;
}

/* At the valid sizes. */
static tarn_err run_valid(tarn_request *r, const cpu_exec *x, struct cpu_stream *s, tarn_arena *scratch)
{
	size_t n_in = (size_t)tarn_cpu_valid_inputs(x->valid), n_out = (size_t)tarn_cpu_valid_outputs(x->valid);
	tarn_tensor *t = tarn_arena_zalloc(scratch, n_in + n_out + 1, sizeof *t);
	const tarn_tensor **in = tarn_arena_zalloc(scratch, n_in + 1, sizeof *in);
	if (!t || !in)
		return tarn_err_nomem((n_in + n_out) * sizeof *t);
	for (size_t i = 0; i < n_in; i++)
		in[i] = &t[i];
	tarn_err err = tarn_cpu_valid_in(x->valid, r, t);
	if (err == TARN_OK)
		err = tarn_cpu_graph_run(x->program, s->pool, &s->arena, in, t + n_in, r);
	if (err == TARN_OK)
		err = tarn_cpu_valid_out(x->valid, r, t + n_in);
	for (size_t i = 0; i < n_in + n_out; i++)
		tarn_tensor_fini(&t[i]);
	return err;
}

static tarn_err run(tarn_request *r)
{
	cpu_exec *x = r->program->impl;
	struct cpu_stream *s = &x->stream[r->slot < x->n_stream ? r->slot : 0];
	tarn_arena scratch = {0};
	const tarn_tensor **in = tarn_arena_zalloc(&scratch, (size_t)r->n_in, sizeof *in);
	tarn_err err = in ? TARN_OK : tarn_err_nomem((size_t)r->n_in * sizeof *in);
	if (err == TARN_OK) {
		for (int i = 0; i < r->n_in; i++)
			in[i] = &r->in[i];
		r->layer.len = 0;
		err = x->valid ? run_valid(r, x, s, &scratch)
			       : tarn_cpu_graph_run(x->program, s->pool, &s->arena, in, r->out, r);
	}
	tarn_arena_fini(&scratch);
	return err;
}

const tarn_device_api tarn_dev_cpu = {
	.name = "CPU",
	.open = open_device,
	.close = close_device,
	.full_name = full_name,
	.get = get,
	.compile = compile,
	.import = import,
	.export_ = export,
	.program_free = program_free,
	.run = run,
};
