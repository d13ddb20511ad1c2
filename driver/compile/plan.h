/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the compiler share: layers of a lowered graph, the cost of each on the machine, and the simulated timeline.
 *
 *   model --lower--> graph --group--> layers --tile--> jobs --schedule--> times --blob--> bytes
 *
 * Everything here is a pure function of its arguments; results live in the caller's arena. Private to driver/compile and
 * driver/exec.
 */
#ifndef TARN_DRIVER_COMPILE_PLAN_H
#define TARN_DRIVER_COMPILE_PLAN_H

#include "arch/arch.h"
#include "base/bytes.h"
#include "driver/compile/compile.h"
#include "ir/graph.h"
#include "timing/timing.h"

/* ---- legal.c: which engine runs a node ---- */

typedef enum npu_engine { NPU_NONE, NPU_DPU, NPU_SHAVE, NPU_DMA } npu_engine;

typedef struct npu_rule {
	const char *op;
	npu_engine engine;
	tarn_shave_kernel shave; /* when it runs on SHAVEs (DPU and DMA rows: when the fast form does not fit) */
} npu_rule;
const npu_rule *tarn_npu_rule(const tarn_node *n); /* never NULL: unknown operators are generic SHAVE kernels */
/* False with the reason appended when the device cannot take the node. */
bool tarn_npu_takes(const tarn_node *n, tarn_str *why);
/* TARN_UNSUPPORTED naming the first node that is not taken, and why. */
TARN_MUST tarn_err tarn_npu_legal(const tarn_graph *g);

/* ---- lower.c: from any model to what layers are made of ---- */

/* TARN_UNSUPPORTED naming input and axis, unless all inputs have static shapes. */
TARN_MUST tarn_err tarn_npu_check_static(const tarn_model *m);
/* Checks that too; standard passes; FakeQuantize as codes where it is one; floats as
 * F32 (what is stored is FP16). Edits the model. */
TARN_MUST tarn_err tarn_npu_lower(tarn_model *m);
/* integer.c: arithmetic on 64-bit integers becomes arithmetic on 32 bits. TARN_UNSUPPORTED for a constant that does not fit. */
TARN_MUST tarn_err tarn_npu_narrow(tarn_model *m);
/* mask.c: constants that stand for infinity become the largest FP16. */
#define NPU_F16_MAX 65504.0f
TARN_MUST tarn_err tarn_npu_limit_constants(tarn_model *m);

/* ---- group.c: layers ---- */

typedef struct npu_code {
	tarn_dtype type; /* U8 or I8 */
	float scale;
	int zero;
} npu_code;

/* A node with what its engine does on the way out. */
typedef struct npu_layer {
	const tarn_node *main;
	const tarn_node *act;   /* ReLU, Clip or LeakyReLU in the PPE; NULL: none */
	const tarn_node *quant; /* QuantizeLinear of the result; NULL: none */
	npu_engine engine;
	bool integer; /* codes times codes into int32 */
	bool view;    /* nothing moves */
	/* Floats of 32 bits stored, pairs of FP16 on the array, FP32 on SHAVEs: */
	bool wide;                  /* any of what it reads or writes, so that SHAVEs compute in FP32 */
	bool wide_out;              /* what it writes */
	uint8_t pairs;              /* which of the first two inputs are pairs: 1, 2 */
	uint8_t by_array, by_shave; /* which of them the array, or SHAVEs, would make; neither: they come from the caller */
	bool fp32;                  /* its result is for SHAVEs alone, and no pair (range.c) */
	bool narrow_in;             /* reads FP16 all the same */
} npu_layer;

typedef struct npu_layers {
	npu_layer *at;
	int n;
	bool *pair; /* by value id: floats of 22 bits, weights among them; NULL: there are none */
	size_t n_pair;
} npu_layers;

static inline bool npu_is_pair(const npu_layers *l, const tarn_value *v)
{
	return l->pair && v && v->id < l->n_pair && l->pair[v->id];
}

bool tarn_npu_is(const tarn_node *n, const char *op);
/* Scale and zero point of a QuantizeLinear or DequantizeLinear of one scale for the whole tensor. */
bool tarn_npu_code(const tarn_node *n, npu_code *code);
/* The node v is dequantized by, when it is a computed tensor of codes with one scale; NULL otherwise. */
const tarn_node *tarn_npu_dequantizer(const tarn_value *v);
/* Would this node be int32 accumulation of codes? */
bool tarn_npu_is_integer(const tarn_node *n);
/* What the layer writes. */
const tarn_value *tarn_npu_layer_out(const npu_layer *l, int i);
/* What input i reads from memory: the codes behind a dequantizer, NULL when absent. */
const tarn_value *tarn_npu_layer_in(const npu_layer *l, int i);
TARN_MUST tarn_err tarn_npu_group(const tarn_graph *g, tarn_arena *a, npu_layers *layers);
/* range.c: marks layers whose results need FP32. */
TARN_MUST tarn_err tarn_npu_keep_range(const tarn_graph *g, npu_layers *layers, tarn_arena *a);
/* Gives values and weights the wide form (wide.c says what that is): those of `pair`, by id, which stays the arena's. NULL: all
 * that FP16 does not hold. */
TARN_MUST tarn_err tarn_npu_widen(const tarn_graph *g, npu_layers *layers, bool *pair, tarn_arena *a);
/* Sets what follows for one layer from the pairs there are; whether its result is FP32 stays. */
void tarn_npu_mark_pairs(const npu_layers *all, npu_layer *l);
/* Bounds of a Clip or ReLU as floats. */
void tarn_npu_clip_bounds(const tarn_node *n, float *lo, float *hi);

/* ---- tile.c: a layer on the machine ---- */

typedef enum npu_split { NPU_SPLIT_NONE, NPU_SPLIT_H, NPU_SPLIT_K } npu_split;

/* Geometry of a DPU layer: one tensor in, one out, as the array sees them. */
typedef struct npu_geometry {
	tarn_dpu_workload whole;      /* out_h rows, out_c channels: what is split and cut */
	bool on_dpu;                  /* false: the array cannot do it, SHAVEs do */
	int repeat;                   /* groups, batches or products of the same size */
	uint64_t weight_bytes;        /* constants read from DDR, all repeats */
	uint64_t in_bytes, out_bytes; /* per element types of the layer; all inputs */
	uint64_t copy_bytes;          /* input rearranged by DMA first (kernels the array cannot slide) */
	uint64_t halved, added;       /* wide layers: elements that SHAVEs turn into pairs before, and add up behind */
	int64_t macs;
} npu_geometry;

/* What one tile computes in one cut: rows and channels of the output. */
typedef struct npu_part {
	int32_t row, rows, channel, channels;
} npu_part;

/* Tiles share rows or channels; each tile then works through cuts_h x cuts_k pieces, one after the other. */
typedef struct npu_tiling {
	npu_split split;
	int tiles; /* used */
	int cuts_h, cuts_k;
	int cuts_w;            /* the layer as so many narrower ones, for rows too wide for CMX */
	uint64_t tile_bytes;   /* most CMX one tile needs at once, the next piece's weights included */
	int64_t cycles;        /* DPU, slowest tile of each piece, all pieces */
	uint64_t weight_bytes; /* from DDR, with repeats when the rows are cut and the weights do not stay */
} npu_tiling;

void tarn_npu_geometry(const tarn_arch *arch, const npu_layer *l, npu_geometry *g);
/* Bytes a tile may use. */
uint64_t tarn_npu_tile_room(const tarn_arch *arch);
/* The cheapest way over at most `tiles` tiles; TARN_UNSUPPORTED when 16 channels of one output are too much for CMX. */
TARN_MUST tarn_err tarn_npu_tile(const tarn_arch *arch, const npu_geometry *g, int tiles, npu_tiling *t);
/* Part of cut `cut` on tile `tile`; rows or channels 0 when it has nothing to do. */
npu_part tarn_npu_part(const npu_geometry *g, const npu_tiling *t, int cut, int tile);
/* Input rows [first, end) that a range of output rows reads. */
void tarn_npu_part_rows(const tarn_dpu_workload *w, npu_part p, int32_t *first, int32_t *end);
/* Stored size of a value: floats as FP16, or as pairs of them; codes as bytes. */
uint64_t tarn_npu_value_bytes(const tarn_value *v, bool wide);
/* DDR transfer; slower or faster than fitted when the description's bandwidth was changed. */
double tarn_npu_ddr_us(const tarn_arch *arch, tarn_dma_direction d, uint64_t bytes);

/* ---- schedule.c: the timeline ---- */

typedef enum npu_stall { NPU_STALL_NONE, NPU_STALL_WEIGHTS, NPU_STALL_INPUTS, NPU_STALL_STORES } npu_stall;

/* Where a layer's time goes, before anything overlaps. */
typedef struct npu_job {
	npu_engine engine; /* that does the work, after the geometry had its say */
	npu_tiling tiling; /* DPU layers */
	tarn_timing_class cls;
	tarn_shave_kernel shave;
	int64_t macs;
	double dpu_us, shave_us, copy_us;               /* compute; copy: CMX to CMX */
	uint64_t weight_bytes, load_bytes, store_bytes; /* DDR: constants; activations read; written */
	int64_t dpu_cycles, dpu_ideal;                  /* of all tiles: MAC cycles at best */
	uint64_t weight_room;                           /* CMX that activations leave while the layer runs, all tiles */
} npu_job;

typedef struct npu_row { /* of one layer */
	uint64_t start_ns, end_ns, on_path_ns, dpu_ns, shave_ns, dma_ns, stall_ns;
	npu_stall stall;
} npu_row;

typedef struct npu_task {
	uint32_t layer;
	npu_engine engine;
	uint64_t start_ns, duration_ns;
	uint32_t active_cycles, stall_cycles;
} npu_task;

typedef struct npu_timeline {
	uint64_t total_ns, dpu_ns, shave_ns, dma_ns; /* busy times; total has the fixed cost */
	npu_row *row;
	npu_task *task;
	uint32_t n_tasks;
} npu_timeline;

/* An activation in DDR for want of CMX: where in the arena, and from which layer to which. */
typedef struct npu_spill {
	const tarn_value *v;
	uint64_t offset, bytes;
	int first, last;
} npu_spill;

typedef struct npu_plan {
	int tiles; /* chosen */
	npu_job *job;
	npu_layers layers;
	uint64_t ddr_bytes, weight_bytes, cmx_peak;
	int spills;       /* activations written to DDR for want of CMX */
	npu_spill *spill; /* where they are there */
	int n_spill;
	uint64_t ddr_arena, spill_bytes;   /* room for them, shared over time; what they are without sharing */
	npu_timeline time[2];              /* nominal clock, turbo */
	const struct npu_moments *moments; /* of the graph's values, when they were asked for; NULL */
} npu_plan;

/* reside.c: which activations go through DDR, added to the jobs, and their places in an arena there; the most CMX in use and
 * how many were written out for want of it. */
TARN_MUST tarn_err tarn_npu_reside(const tarn_graph *g, uint64_t capacity, tarn_arena *a, npu_plan *plan);
/* Tries every number of tiles up to `tiles` and keeps the fastest: more tiles are never slower. */
TARN_MUST tarn_err tarn_npu_schedule(const tarn_arch *arch, const tarn_graph *g, const npu_layers *layers, int tiles,
				     tarn_arena *a, npu_plan *plan);
/* What one layer alone takes on so many tiles: its work, or its weights where they take longer. */
TARN_MUST tarn_err tarn_npu_layer_us(const tarn_arch *arch, const npu_layer *l, int tiles, double *us);
/* Times of the jobs as they stand, at that multiple of the DPU's nominal clock. */
TARN_MUST tarn_err tarn_npu_time_jobs(const tarn_arch *arch, const npu_plan *plan, double speed, tarn_arena *a,
				      npu_timeline *t);

/* ---- account.c ---- */

/* The plan with engines or transfers that take no time; edits its jobs. */
TARN_MUST tarn_err tarn_npu_suppose(const tarn_arch *arch, tarn_cc_what_if what_if, tarn_arena *a, npu_plan *plan);
/* Where the time of one inference goes. */
TARN_MUST tarn_err tarn_npu_account_of(const tarn_arch *arch, const npu_plan *plan, bool turbo, tarn_npu_account *account);

/* ---- wide.c: floats of 11 bits or of 22 ---- */

/* What the reports of layers show as a layer's type: the operator, and where it computes with pairs that, and what it costs. */
void tarn_npu_layer_type(const tarn_arch *arch, const npu_layers *all, const npu_layer *l, int tiles, char *to, size_t room);
/* Layers and their timeline as the flags ask: the wide form for EXECUTION_MODE_HINT=ACCURACY, FP16 for PERFORMANCE, and without
 * the hint FP16 but for what is expected to be too coarse. */
TARN_MUST tarn_err tarn_npu_plan_make(const tarn_arch *arch, const tarn_graph *g, const tarn_cc_flags *flags, tarn_arena *a,
				      npu_plan *plan);

/* ---- round.c ---- */

/* How the weights of a product lie. */
typedef struct npu_lane {
	size_t run;     /* so many in a row belong to one output channel; 0: these are no weights */
	size_t each, n; /* of n channels, weight i belongs to i / each % n; n = 0: not so simple */
} npu_lane;
/* Of each constant that is only ever the second operand of float products, by value id. */
TARN_MUST tarn_err tarn_npu_find_weights(const tarn_graph *g, tarn_arena *a, npu_lane **lane);
/* Those that are no pairs in the plan become FP16 numbers, and biases make good what can be expected to be lost. */
TARN_MUST tarn_err tarn_npu_round_weights(tarn_graph *g, const npu_plan *plan, tarn_arena *a);
/* By value id: weights that become FP16 numbers without loss, with a scale for each channel or without. */
TARN_MUST tarn_err tarn_npu_find_exact(const tarn_graph *g, tarn_arena *a, bool **exact);

/* scale.c: the step of each output channel's grid, 1 where there is none; *scale NULL: no channel has one; *all: each has. */
TARN_MUST tarn_err tarn_npu_find_scales(const float *w, size_t count, const npu_lane *lane, tarn_arena *a, float **scale,
					bool *all);

/* ---- band.c ---- */

/* Fraction the truth may lie away from the model, of one layer and of all. */
float tarn_npu_job_band(const tarn_arch *arch, const npu_job *job);
float tarn_npu_plan_band(const tarn_arch *arch, const npu_plan *plan);

/* ---- interface arguments ---- */

typedef struct npu_args {
	tarn_npu_arg *at; /* inputs, then outputs; names in the arena */
	uint32_t n, n_inputs;
} npu_args;

/* From the model before it is lowered, with the precisions the flags ask for: everything but sizes. */
TARN_MUST tarn_err tarn_npu_args_make(const tarn_graph *g, const tarn_cc_flags *flags, tarn_arena *a, npu_args *args);
tarn_dtype tarn_npu_dtype(ze_graph_argument_precision_t p); /* NONE: not carried */
ze_graph_argument_precision_t tarn_npu_precision(tarn_dtype t);

/* ---- blob.c, blob_graph.c ---- */

/* All of tarn_cc_compile behind the reader of the IR; edits the model. Unit tests start here. */
TARN_MUST tarn_err tarn_npu_compile(tarn_model *m, const tarn_cc_flags *flags, const tarn_arch *arch, tarn_cc_blob *blob);

typedef struct npu_exec npu_exec; /* driver/exec */

struct tarn_npu_program {
	tarn_arena arena;
	tarn_model *model;
	const tarn_arch *arch;
	npu_args args;
	npu_layers layers;
	bool profiled;
	int tiles;
	tarn_npu_times times[2];
	npu_exec *exec;
};

typedef struct npu_writer {
	tarn_str out;    /* tables */
	tarn_str weight; /* constants, each 64-aligned */
} npu_writer;

typedef struct npu_reader {
	tarn_bytes in; /* tables */
	const uint8_t *weight;
	size_t weight_size;
	tarn_buffer *weight_buf; /* NULL: misaligned, constants are copied */
} npu_reader;

/* Weights that are pairs keep 22 bits. */
TARN_MUST tarn_err tarn_npu_graph_write(npu_writer *w, const tarn_graph *g, const npu_layers *layers);
TARN_MUST tarn_err tarn_npu_graph_read(npu_reader *r, tarn_model *m);

/* ---- driver/exec ---- */

/* Steps for every layer; TARN_BAD_FILE when the layers cannot be carried out. Weights are packed by the first run. */
TARN_MUST tarn_err tarn_npu_exec_new(const tarn_graph *g, const npu_layers *layers, npu_exec **exec);
void tarn_npu_exec_free(npu_exec *exec);

#endif
