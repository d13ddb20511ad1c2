/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functional executor: steps that compute what the simulated engines would. Values are held as f32 on the FP16 grid (every
 * float result is rounded to FP16 when a layer has ended) or, in wide programs, on the grid of pairs of FP16; codes as bytes;
 * products of floats sum in f32, of codes in int32.
 *
 * Built once per program; weights are packed by the first run. A run uses one arena, planned by lifetimes: one run at a time.
 * No sum depends on the number of threads: work is split by outputs only.
 */
#ifndef TARN_DRIVER_EXEC_EXEC_H
#define TARN_DRIVER_EXEC_EXEC_H

#include "base/thread.h"
#include "driver/compile/plan.h"
#include "kern/epilogue.h"

typedef enum npu_form { NPU_PLAIN, NPU_NHWC, NPU_FORMS } npu_form;

typedef struct npu_slot {
	const tarn_value *v; /* NULL: scratch */
	tarn_dtype type;
	size_t bytes, offset;
	const void *fixed; /* constants */
	int first, last;   /* steps; -1: there from the start */
} npu_slot;

typedef struct npu_step npu_step;
typedef struct npu_run {
	const npu_exec *exec;
	tarn_pool *pool;
} npu_run;

typedef struct npu_kernel {
	const char *name;
	tarn_err (*pack)(npu_step *s); /* before the first run; NULL: nothing to do */
	tarn_err (*run)(const npu_run *r, npu_step *s);
	void (*state_free)(void *state); /* NULL: nothing to release */
} npu_kernel;

enum { NPU_STEP_PORTS = 4 };
struct npu_step {
	const npu_kernel *kernel;
	const npu_layer *layer; /* NULL: reorders */
	const tarn_node *node;
	int *in, *out; /* slots, -1 absent */
	int n_in, n_out;
	size_t rows, cols; /* reorders and elementwise: kernel's own meaning */
	bool round;        /* results to the grid; what is kept in FP32 is not */
	bool wide;         /* that of pairs of FP16 */
	void *state;
};

struct npu_exec {
	/* Sees what lies between the steps, after each of them; for tests. NULL: nobody does. */
	void (*watch)(void *ctx, const npu_run *r, const npu_step *s);
	void *watch_ctx;
	tarn_arena arena;
	const tarn_graph *g;
	VEC(npu_slot) slot;
	VEC(npu_step) step;
	int *at[NPU_FORMS]; /* slot of a value, by id; -1 */
	int *out;           /* slot of each graph output */
	char *memory;       /* aligned; NULL until the first run */
	size_t memory_bytes;
	bool packed;
	const npu_layers *layers;
	tarn_mutex lock;    /* of: */
	char overflow[256]; /* the first node whose values left the range of FP16, "'name' (operator)"; empty: none */
};

/* ---- build.c ---- */
TARN_MUST tarn_err tarn_npu_slot_new(npu_exec *x, const tarn_value *v, tarn_dtype type, int64_t count, int *slot);
/* The slot to read v from, in that form; makes what is missing. */
TARN_MUST tarn_err tarn_npu_want(npu_exec *x, const tarn_value *v, npu_form form, int *slot);
TARN_MUST tarn_err tarn_npu_give(npu_exec *x, const tarn_value *v, npu_form form, int *slot);
/* A step with room for ports; *s is valid until the next one is made. */
TARN_MUST tarn_err tarn_npu_step_new(npu_exec *x, const npu_kernel *k, const npu_layer *l, int n_in, int n_out, npu_step **s);
/* Is v there in this form already? */
bool tarn_npu_has(const npu_exec *x, const tarn_value *v, npu_form form);
static inline void *npu_ptr(const npu_run *r, int slot)
{
	const npu_slot *s = &r->exec->slot.at[slot];
	return s->fixed ? (void *)(uintptr_t)s->fixed : r->exec->memory + s->offset;
}
/* Elements of a value; sizes were checked when the program was read. */
int64_t tarn_npu_count(const tarn_value *v);

/* What the PPE does, as the kernels of src/kern say it. */
tarn_epilogue tarn_npu_epilogue(const tarn_node *act);

/* fn(arg, begin, end) over n items, at least `grain` in a task. */
void tarn_npu_split(tarn_pool *pool, int64_t n, int64_t grain, void (*fn)(void *arg, int64_t begin, int64_t end), void *arg);
/* To the FP16 grid, in place: round to nearest even, overflow to infinity. Wide: to the sum of two such numbers, the second
 * what the first leaves. */
void tarn_npu_round(tarn_pool *pool, bool wide, float *x, size_t n);

/* Builders: *taken stays false when the layer is not theirs. They write the value before the quantizer, in *form, rounded or
 * not as the layer needs; *fused says whether the activation is done. */
typedef struct npu_built {
	bool taken, fused_act, codes; /* codes: the quantizer's output is written */
	npu_form form;
} npu_built;
TARN_MUST tarn_err tarn_npu_build_qconv(npu_exec *x, const npu_layer *l, npu_built *b);
TARN_MUST tarn_err tarn_npu_build_conv(npu_exec *x, const npu_layer *l, npu_built *b);
TARN_MUST tarn_err tarn_npu_build_conv_transpose(npu_exec *x, const npu_layer *l, npu_built *b);
TARN_MUST tarn_err tarn_npu_build_gemm(npu_exec *x, const npu_layer *l, npu_built *b);
TARN_MUST tarn_err tarn_npu_build_pool(npu_exec *x, const npu_layer *l, npu_built *b);
TARN_MUST tarn_err tarn_npu_build_eltwise(npu_exec *x, const npu_layer *l, npu_built *b);
TARN_MUST tarn_err tarn_npu_build_eval(npu_exec *x, const npu_layer *l, npu_built *b);

extern const npu_kernel tarn_npu_k_to_nhwc, tarn_npu_k_to_plain, tarn_npu_k_dequantize, tarn_npu_k_quantize, tarn_npu_k_act;

/* requantize.c: what the PPE does to an int32 sum, documented there. */
typedef struct npu_requant {
	int32_t bias; /* added to the sum */
	int64_t late; /* added to the product */
	int16_t mult; /* 15 bits */
	uint8_t shift;
} npu_requant;
/* real = scale * sum + bias, both in units of the output's scale. */
npu_requant tarn_npu_requant_make(double scale, double bias);
int tarn_npu_requant(const npu_requant *q, int32_t acc, int zero, int lo, int hi);
/* The same for rows of n channels, by constants laid out in `k` (2 n doubles, from tarn_npu_requant_lay). Equal to it in every
 * bit: the product of a sum and 15 bits is exact in double. False from lay: a channel adds its bias late; use the function
 * above. */
bool tarn_npu_requant_lay(const npu_requant *q, int n, double *k);
void tarn_npu_requant_rows(const double *k, int n, const int32_t *acc, uint8_t *codes, int64_t rows, int zero, int lo, int hi);

#endif
