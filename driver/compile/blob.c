/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled models as bytes: a header of 64, tables, constants. Little-endian. The checksum covers everything behind the header;
 * the loader trusts nothing it finds there: sizes are bounded, and the graph is inferred and judged anew.
 */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "driver/compile/plan.h"
#include "ir/op.h"

#define MAGIC "TARNNPU"
enum { VERSION = 4, MAX_ARGS = 4096, MAX_ROWS = 1 << 22, MAX_BYTES_LOG2 = 40 };

typedef struct header {
	char magic[8];
	uint32_t version, platform;
	uint64_t size, checksum, arch_hash;
	uint32_t flags, tiles; /* flags: 1 = profiled, 2 = shares follow the times, 4 = then accounts, 8 = some floats are wide:
				  bits behind the graph */
	uint64_t weight_at, reserved;
} header;
_Static_assert(sizeof(header) == 64, "layout");

/* ---- writing ---- */

static void put_args(npu_writer *w, const npu_args *args)
{
	tarn_bytes_put_u32(&w->out, args->n_inputs);
	tarn_bytes_put_u32(&w->out, args->n - args->n_inputs);
	for (uint32_t i = 0; i < args->n; i++) {
		const tarn_npu_arg *a = &args->at[i];
		tarn_bytes_put_text(&w->out, a->name);
		tarn_bytes_put_text(&w->out, a->friendly_name);
		tarn_bytes_put_u32(&w->out, a->n_tensor_names);
		for (uint32_t k = 0; k < a->n_tensor_names; k++)
			tarn_bytes_put_text(&w->out, a->tensor_name[k]);
		tarn_bytes_put_u32(&w->out, (uint32_t)a->precision);
		tarn_bytes_put_u32(&w->out, (uint32_t)a->ir_precision);
	}
}

static void put_times(npu_writer *w, const npu_plan *plan)
{
	tarn_bytes_put_u32(&w->out, (uint32_t)plan->layers.n);
	for (int turbo = 0; turbo < 2; turbo++) {
		const npu_timeline *t = &plan->time[turbo];
		tarn_bytes_put_u64(&w->out, t->total_ns);
		for (int i = 0; i < plan->layers.n; i++) {
			const npu_row *r = &t->row[i];
			const uint64_t v[] = {r->start_ns, r->on_path_ns, r->dpu_ns,
					      r->shave_ns, r->dma_ns,     plan->job[i].engine == NPU_NONE};
			tarn_bytes_put(&w->out, v, sizeof v);
		}
		tarn_bytes_put_u32(&w->out, t->n_tasks);
		for (uint32_t i = 0; i < t->n_tasks; i++) {
			const npu_task *k = &t->task[i];
			tarn_bytes_put_u32(&w->out, k->layer);
			tarn_bytes_put_u32(&w->out, (uint32_t)k->engine);
			tarn_bytes_put_u64(&w->out, k->start_ns);
			tarn_bytes_put_u64(&w->out, k->duration_ns);
			tarn_bytes_put_u32(&w->out, k->active_cycles);
			tarn_bytes_put_u32(&w->out, k->stall_cycles);
		}
	}
}

/* Of each clock: MACs and DDR at their peaks in ns, and the band of the time in millionths. */
static void put_shares(npu_writer *w, const tarn_arch *arch, const npu_plan *plan)
{
	double cycles = 0;
	for (int i = 0; i < plan->layers.n; i++)
		cycles += (double)plan->job[i].dpu_ideal;
	for (int turbo = 0; turbo < 2; turbo++) {
		double mhz = turbo ? arch->dpu_mhz_turbo : arch->dpu_mhz;
		tarn_bytes_put_u64(&w->out, (uint64_t)(cycles / (arch->tiles * arch->dpus_per_tile) / mhz * 1e3));
		tarn_bytes_put_u64(&w->out, (uint64_t)((double)plan->ddr_bytes / arch->ddr_total_gbps));
	}
	tarn_bytes_put_u32(&w->out, (uint32_t)(tarn_npu_plan_band(arch, plan) * 1e6f));
}

/* A word for each input and for each layer's results: are they pairs? Bit 1 of a layer: its weights are. */
static void put_pairs(npu_writer *w, const tarn_graph *g, const npu_layers *l)
{
	for (size_t i = 0; i < g->input.len; i++)
		tarn_bytes_put_u32(&w->out, npu_is_pair(l, g->input.at[i]));
	for (int i = 0; i < l->n; i++) {
		const tarn_node *n = l->at[i].main;
		bool weights = n->n_in > 1 && n->in[1] && n->in[1]->konst && l->at[i].pairs & 2;
		tarn_bytes_put_u32(&w->out,
				   (uint32_t)npu_is_pair(l, tarn_npu_layer_out(&l->at[i], 0)) | (uint32_t)weights << 1);
	}
}

static tarn_err put_accounts(npu_writer *w, const tarn_arch *arch, const npu_plan *plan)
{
	for (int turbo = 0; turbo < 2; turbo++) {
		tarn_npu_account account;
		TRY(tarn_npu_account_of(arch, plan, turbo, &account));
		tarn_bytes_put(&w->out, &account, sizeof account);
	}
	return TARN_OK;
}

static tarn_err assemble(npu_writer *w, const tarn_cc_flags *flags, const tarn_arch *arch, const npu_plan *plan,
			 tarn_cc_blob *blob)
{
	TRY(tarn_str_done(&w->out));
	TRY(tarn_str_done(&w->weight));
	size_t tables = (sizeof(header) + w->out.len + 63) / 64 * 64, size = tables + w->weight.len;
	uint8_t *at = tarn_mem_zalloc(1, size);
	if (!at)
		return tarn_err_nomem(size);
	memcpy(at + sizeof(header), w->out.at, w->out.len);
	if (w->weight.len)
		memcpy(at + tables, w->weight.at, w->weight.len);
	header h = {.magic = MAGIC, .version = VERSION, .platform = (uint32_t)arch->platform, .size = size};
	h.flags = (uint32_t)flags->profiling | 2 | 4 | (plan->layers.pair ? 8 : 0);
	h.tiles = (uint32_t)plan->tiles;
	h.arch_hash = tarn_arch_hash(arch);
	h.weight_at = tables;
	h.checksum = tarn_hash(at + sizeof h, size - sizeof h, VERSION);
	memcpy(at, &h, sizeof h);
	*blob = (tarn_cc_blob){at, size};
	return TARN_OK;
}

tarn_err tarn_npu_compile(tarn_model *m, const tarn_cc_flags *flags, const tarn_arch *arch, tarn_cc_blob *blob)
{
	tarn_arena a = {0};
	npu_writer w = {0};
	npu_args args;
	npu_plan plan;
	tarn_err err;
	TRY_GOTO(out, tarn_npu_check_static(m));
	TRY_GOTO(out, tarn_npu_args_make(m->main, flags, &a, &args));
	TRY_GOTO(out, tarn_npu_lower(m));
	TRY_GOTO(out, tarn_npu_plan_make(arch, m->main, flags, &a, &plan));
	TRY_GOTO(out, tarn_npu_round_weights(m->main, &plan, &a));
	put_args(&w, &args);
	TRY_GOTO(out, tarn_npu_graph_write(&w, m->main, &plan.layers));
	if (plan.layers.pair)
		put_pairs(&w, m->main, &plan.layers);
	put_times(&w, &plan);
	put_shares(&w, arch, &plan);
	TRY_GOTO(out, put_accounts(&w, arch, &plan));
	err = assemble(&w, flags, arch, &plan, blob);
out:
	tarn_str_fini(&w.out);
	tarn_str_fini(&w.weight);
	tarn_arena_fini(&a);
	return err;
}

/* ---- loading ---- */

static tarn_err damaged(const char *what)
{
	return tarn_err_set(TARN_BAD_FILE, "compiled model: %s; compile it again", what);
}

static tarn_err check_header(const uint8_t *bytes, size_t size, int platform, header *h)
{
	if (size < sizeof *h || memcmp(bytes, MAGIC, 8))
		return tarn_err_set(TARN_BAD_FILE, "these bytes are no model compiled by this driver");
	memcpy(h, bytes, sizeof *h);
	CHECK(h->version == VERSION, TARN_BAD_FILE, "compiled model: format %u, this driver reads %d; compile it again",
	      h->version, VERSION);
	CHECK((int)h->platform == platform, TARN_BAD_FILE, "compiled model: made for NPU %u, the device is %d", h->platform,
	      platform);
	const tarn_arch *arch = tarn_arch_find(platform);
	CHECK(arch && h->tiles >= 1 && (int)h->tiles <= arch->tiles, TARN_BAD_FILE, "compiled model: made for %u tiles",
	      h->tiles);
	if (h->size != size || h->weight_at < sizeof *h || h->weight_at > size || h->weight_at % 64)
		return damaged("it is cut off or has bytes too many");
	if (h->checksum != tarn_hash(bytes + sizeof *h, size - sizeof *h, VERSION))
		return damaged("its checksum is wrong");
	return TARN_OK;
}

static tarn_err get_arg(npu_reader *r, tarn_arena *a, bool output, tarn_npu_arg *arg)
{
	*arg = (tarn_npu_arg){.output = output};
	arg->name = tarn_bytes_get_text(&r->in, a);
	arg->friendly_name = tarn_bytes_get_text(&r->in, a);
	arg->n_tensor_names = tarn_bytes_get_u32(&r->in);
	if (r->in.bad || !arg->name || !arg->friendly_name || arg->n_tensor_names > ZE_MAX_GRAPH_TENSOR_NAMES_SIZE)
		return damaged("an argument is cut off");
	const char **names = tarn_arena_zalloc(a, arg->n_tensor_names + 1u, sizeof *names);
	if (!names)
		return tarn_err_nomem(arg->n_tensor_names * sizeof *names);
	for (uint32_t k = 0; k < arg->n_tensor_names; k++)
		if (!(names[k] = tarn_bytes_get_text(&r->in, a)))
			return damaged("a name is missing");
	arg->tensor_name = names;
	arg->precision = (ze_graph_argument_precision_t)tarn_bytes_get_u32(&r->in);
	arg->ir_precision = (ze_graph_argument_precision_t)tarn_bytes_get_u32(&r->in);
	return r->in.bad || !tarn_npu_dtype(arg->precision) || !tarn_npu_dtype(arg->ir_precision)
		       ? damaged("an argument has no type")
		       : TARN_OK;
}

static tarn_err get_args(npu_reader *r, tarn_npu_program *p)
{
	uint32_t in = tarn_bytes_get_u32(&r->in), out = tarn_bytes_get_u32(&r->in);
	if (r->in.bad || in > MAX_ARGS || out > MAX_ARGS)
		return damaged("too many arguments");
	p->args = (npu_args){tarn_arena_zalloc(&p->arena, in + out + 1u, sizeof *p->args.at), in + out, in};
	if (!p->args.at)
		return tarn_err_nomem((in + out) * sizeof *p->args.at);
	for (uint32_t i = 0; i < in + out; i++)
		TRY(get_arg(r, &p->arena, i >= in, &p->args.at[i]));
	return TARN_OK;
}

/* Sizes of the arguments are the graph's. */
static tarn_err join_args(tarn_npu_program *p)
{
	const tarn_graph *g = p->model->main;
	if (g->input.len != p->args.n_inputs || g->output.len != p->args.n - p->args.n_inputs)
		return damaged("its arguments are not its graph's");
	uint64_t all = 0;
	for (size_t i = 0; i < g->value.len; i++) {
		const tarn_value *v = g->value.at[i];
		int64_t n;
		if (v->type == TARN_DTYPE_NONE || v->shape.rank < 0)
			continue;
		TRY(tarn_shape_count(&v->shape, &n));
		all += (uint64_t)n * 8;
		CHECK(all < (uint64_t)1 << MAX_BYTES_LOG2, TARN_BAD_FILE, "compiled model: its tensors do not fit memory");
	}
	for (uint32_t i = 0; i < p->args.n; i++) {
		tarn_npu_arg *a = &p->args.at[i];
		const tarn_value *v = i < p->args.n_inputs ? g->input.at[i] : g->output.at[i - p->args.n_inputs];
		int64_t n;
		TRY(tarn_shape_count(&v->shape, &n));
		a->rank = (uint32_t)v->shape.rank;
		for (int k = 0; k < v->shape.rank; k++)
			a->dims[k] = (uint64_t)v->shape.dim[k];
		if (!tarn_dtype_bytes(tarn_npu_dtype(a->precision), (size_t)n, &a->bytes))
			return damaged("an argument is too large");
	}
	return TARN_OK;
}

static const char *engine_name(npu_engine e)
{
	return e == NPU_DPU ? "DPU" : e == NPU_SHAVE ? "SHAVE" : e == NPU_DMA ? "DMA" : "";
}

static tarn_err get_tasks(npu_reader *r, tarn_npu_program *p, tarn_npu_times *t)
{
	static const ze_task_execute_type_t kind[] = {ZE_TASK_EXECUTE_NONE, ZE_TASK_EXECUTE_DPU, ZE_TASK_EXECUTE_SW,
						      ZE_TASK_EXECUTE_DMA};
	t->n_tasks = tarn_bytes_get_u32(&r->in);
	if (r->in.bad || t->n_tasks > MAX_ROWS || t->n_tasks > r->in.left / 32)
		return damaged("too many tasks");
	tarn_npu_task_time *task = tarn_arena_zalloc(&p->arena, t->n_tasks + 1u, sizeof *task);
	if (!task)
		return tarn_err_nomem(t->n_tasks * sizeof *task);
	for (uint32_t i = 0; i < t->n_tasks; i++) {
		task[i].layer = tarn_bytes_get_u32(&r->in);
		uint32_t engine = tarn_bytes_get_u32(&r->in);
		task[i].start_ns = tarn_bytes_get_u64(&r->in);
		task[i].duration_ns = tarn_bytes_get_u64(&r->in);
		task[i].active_cycles = tarn_bytes_get_u32(&r->in);
		task[i].stall_cycles = tarn_bytes_get_u32(&r->in);
		if (task[i].layer >= t->n_layers || engine > NPU_DMA)
			return damaged("a task belongs to no layer");
		task[i].engine = kind[engine];
		task[i].name = t->layer[task[i].layer].name;
		task[i].type = engine_name((npu_engine)engine);
	}
	t->task = task;
	return TARN_OK;
}

static tarn_err get_accounts(npu_reader *r, tarn_npu_program *p)
{
	for (int turbo = 0; turbo < 2; turbo++) {
		tarn_npu_account *account = tarn_arena_zalloc(&p->arena, 1, sizeof *account);
		const void *from = tarn_bytes_get(&r->in, sizeof *account);
		if (!account)
			return tarn_err_nomem(sizeof *account);
		if (from)
			memcpy(account, from, sizeof *account);
		p->times[turbo].account = account;
	}
	return TARN_OK;
}

static tarn_err layer_types(tarn_npu_program *p, const char ***types)
{
	const char **at = *types = tarn_arena_zalloc(&p->arena, (size_t)p->layers.n + 1, sizeof *at);
	if (!at)
		return tarn_err_nomem((size_t)p->layers.n * sizeof *at);
	for (int i = 0; i < p->layers.n; i++) {
		char type[64];
		tarn_npu_layer_type(p->arch, &p->layers, &p->layers.at[i], p->tiles, type, sizeof type);
		at[i] = tarn_arena_strdup(&p->arena, type);
		if (!at[i])
			return tarn_err_nomem(sizeof type);
	}
	return TARN_OK;
}

static tarn_err get_times(npu_reader *r, uint32_t flags, tarn_npu_program *p)
{
	uint32_t n = tarn_bytes_get_u32(&r->in);
	if (r->in.bad || n != (uint32_t)p->layers.n)
		return damaged("its times are not its layers'");
	const char **types;
	TRY(layer_types(p, &types));
	for (int turbo = 0; turbo < 2; turbo++) {
		tarn_npu_times *t = &p->times[turbo];
		tarn_npu_layer_time *row = tarn_arena_zalloc(&p->arena, n + 1u, sizeof *row);
		if (!row)
			return tarn_err_nomem(n * sizeof *row);
		t->total_ns = tarn_bytes_get_u64(&r->in);
		for (uint32_t i = 0; i < n; i++) {
			row[i].name = p->layers.at[i].main->name;
			row[i].type = types[i];
			row[i].start_ns = tarn_bytes_get_u64(&r->in);
			row[i].duration_ns = tarn_bytes_get_u64(&r->in);
			row[i].dpu_ns = tarn_bytes_get_u64(&r->in);
			row[i].sw_ns = tarn_bytes_get_u64(&r->in);
			row[i].dma_ns = tarn_bytes_get_u64(&r->in);
			row[i].optimized_out = tarn_bytes_get_u64(&r->in) != 0;
		}
		t->layer = row;
		t->n_layers = n;
		TRY(get_tasks(r, p, t));
	}
	if (flags & 2) {
		for (int turbo = 0; turbo < 2; turbo++) {
			p->times[turbo].mac_ns = tarn_bytes_get_u64(&r->in);
			p->times[turbo].ddr_ns = tarn_bytes_get_u64(&r->in);
		}
		p->times[0].band = p->times[1].band = (float)tarn_bytes_get_u32(&r->in) * 1e-6f;
	}
	if (flags & 4)
		TRY(get_accounts(r, p));
	return r->in.bad || r->in.left > 63 ? damaged("its tables do not end where they should") : TARN_OK;
}

static tarn_err get_pairs(npu_reader *r, tarn_npu_program *p)
{
	const tarn_graph *g = p->model->main;
	bool *pair = tarn_arena_zalloc(&p->arena, g->value.len + 1, sizeof *pair);
	if (!pair)
		return tarn_err_nomem(g->value.len);
	for (size_t i = 0; i < g->input.len; i++)
		pair[g->input.at[i]->id] = tarn_bytes_get_u32(&r->in) & 1;
	for (int i = 0; i < p->layers.n; i++) {
		const npu_layer *l = &p->layers.at[i];
		uint32_t bits = tarn_bytes_get_u32(&r->in);
		for (int k = 0; k < l->main->n_out; k++) {
			const tarn_value *v = l->main->out[k] ? tarn_npu_layer_out(l, k) : NULL;
			if (v && v->type == TARN_F32)
				pair[v->id] = bits & 1;
		}
		if (bits & 2 && l->main->n_in > 1 && l->main->in[1])
			pair[l->main->in[1]->id] = true;
	}
	if (r->in.bad)
		return damaged("its forms of floats are cut off");
	return tarn_npu_widen(g, &p->layers, pair, &p->arena);
}

static tarn_err load(const uint8_t *bytes, size_t size, const header *h, tarn_npu_program *p)
{
	npu_reader r = {.in = {bytes + sizeof *h, (size_t)h->weight_at - sizeof *h, false},
			.weight = bytes + h->weight_at,
			.weight_size = size - (size_t)h->weight_at};
	p->arch = tarn_arch_find((int)h->platform);
	p->profiled = h->flags & 1;
	p->tiles = (int)h->tiles;
	TRY(tarn_model_new(&p->model));
	if ((uintptr_t)bytes % 16 == 0)
		TRY(tarn_buffer_wrap((void *)(uintptr_t)bytes, size, NULL, NULL, &r.weight_buf));
	tarn_err err = get_args(&r, p);
	if (err == TARN_OK)
		err = tarn_npu_graph_read(&r, p->model);
	tarn_buffer_unref(r.weight_buf);
	TRY(err);
	TRY(join_args(p));
	TRY(tarn_npu_group(p->model->main, &p->arena, &p->layers));
	if (h->flags & 8)
		TRY(get_pairs(&r, p));
	TRY(get_times(&r, h->flags, p));
	return tarn_npu_exec_new(p->model->main, &p->layers, &p->exec);
}

tarn_err tarn_blob_load(const uint8_t *bytes, size_t size, int platform, tarn_npu_program **program)
{
	header h;
	TRY(check_header(bytes, size, platform, &h));
	tarn_npu_program *p = tarn_mem_zalloc(1, sizeof *p);
	if (!p)
		return tarn_err_nomem(sizeof *p);
	tarn_err err = load(bytes, size, &h, p);
	if (err != TARN_OK)
		tarn_npu_program_free(p);
	else
		*program = p;
	return err;
}

void tarn_npu_program_free(tarn_npu_program *p)
{
	if (!p)
		return;
	tarn_npu_exec_free(p->exec);
	tarn_model_unref(p->model);
	tarn_arena_fini(&p->arena);
	tarn_mem_free(p);
}

const tarn_npu_arg *tarn_npu_program_args(const tarn_npu_program *p, uint32_t *n)
{
	*n = p->args.n;
	return p->args.at;
}

bool tarn_npu_program_profiled(const tarn_npu_program *p)
{
	return p->profiled;
}

tarn_npu_times tarn_npu_program_times(const tarn_npu_program *p, bool turbo)
{
	return p->times[turbo];
}
