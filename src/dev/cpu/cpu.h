/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the CPU device.
 *
 * Compile: the graph becomes a list of steps, each a kernel with packed weights; neighbours that a kernel computes along
 * (activation, residual) are absorbed. Every value has one slot per physical layout somebody wants it in; reorders are steps
 * like any other.
 *
 * Instance: the concrete sizes of one segment. Sizes follow from the inputs' sizes up to the first node whose output size
 * depends on data; that node ends the segment, and the next segment's instance is found by the sizes it produced. An instance
 * holds the memory plan (one arena) and each kernel's tables for these sizes; it is immutable and shared by streams; a bounded
 * number is kept.
 *
 * Run: pointers are bound to slots and the steps run in order, each on all threads of the stream's pool.
 */
#ifndef TARN_DEV_CPU_CPU_H
#define TARN_DEV_CPU_CPU_H

#include "base/arena.h"
#include "base/pool.h"
#include "base/thread.h"
#include "ir/op.h"
#include "kern/epilogue.h"
#include "kern/int8.h"
#include "kern/share.h"
#include "rt/device.h"

typedef enum cpu_layout {
	CPU_PLAIN, /* row-major, as in the graph */
	CPU_NHWC,  /* channels last: axis 1 moved to the end; rank 3 to 5 */
	CPU_LAYOUTS
} cpu_layout;

typedef struct cpu_kernel cpu_kernel;
typedef struct cpu_program cpu_program;
typedef struct cpu_instance cpu_instance;

/* A value in one layout. */
typedef struct cpu_slot {
	const tarn_value *v;
	cpu_layout layout;
	tarn_dtype type;          /* of its elements: the value's, or that of its codes (cpu_code) */
	int step;                 /* that writes it; -1: an input of the graph, or constant */
	int last;                 /* last step that reads it; INT_MAX: an output of the graph */
	int view_of;              /* slot whose bytes it shares because the step is a mere view; -1 */
	const tarn_tensor *konst; /* constant data in this layout */
} cpu_slot;

typedef struct cpu_step {
	const cpu_kernel *k;
	const tarn_node *node; /* the node it is; the first of a group; NULL for the reorder of a graph input */
	const char *name;      /* the last node absorbed, or the value reordered: for profiles and messages */
	const char *type;      /* operator, or "Layout" */
	int index;             /* of the last node absorbed: decides the segment; -1 for graph inputs */
	int n_in, n_out;
	int *in, *out;      /* slots; -1: absent */
	int in_place;       /* input whose bytes output 0 may take over when it dies here; -1: none */
	void *state;        /* the kernel's: packed weights, parameters */
	const char *engine; /* what profiles show; NULL: the kernel's name */
} cpu_step;

/* A main node and what it absorbs. */
typedef struct cpu_group {
	const tarn_node *main, *last;
	const tarn_value *residual; /* NULL: none */
	const tarn_tensor *bias;    /* a MatMul's row, added first; NULL: none */
	tarn_epilogue epilogue;
} cpu_group;

struct cpu_program {
	const tarn_graph *g;
	tarn_arena arena;
	VEC(cpu_slot) slot;
	VEC(cpu_step) step;
	int *input_slot;     /* by graph input: its PLAIN slot */
	int *output_slot;    /* by graph output: its PLAIN slot */
	tarn_program *owner; /* for notes; NULL in bodies' programs before they are attached */
	tarn_mutex lock;     /* guards the instances */
	cpu_instance *instances;
	uint64_t clock; /* counts lookups, for eviction */
};

struct cpu_instance {
	cpu_instance *next;  /* sibling */
	cpu_instance *child; /* the following segment, by what this one's last step gave */
	cpu_instance *parent;
	uint64_t used; /* program clock of the last lookup */
	int users;
	tarn_arena arena;
	tarn_symtab syms;
	tarn_value *val; /* concrete copies of the graph's values, by id */
	tarn_node *node; /* shadows of the graph's nodes, by index: in and out point into val */
	int first_node, end_node;
	int first_step, end_step;
	bool data_end;        /* the last step's output sizes are known only once it ran */
	void **plan;          /* by step - first_step */
	size_t *offset;       /* by slot: place in the arena */
	unsigned char *place; /* by slot: cpu_place */
	int *root;            /* by slot: the slot whose bytes it shares (itself) */
	size_t arena_size;
	const tarn_tensor *key; /* what it was found by: types and sizes (and, of small integers after data_end, contents) */
	int n_key;
};

enum cpu_place { CPU_NOWHERE, CPU_ARENA, CPU_INPUT, CPU_OUTPUT, CPU_CONST, CPU_CARRIED };

/* One execution. */
typedef struct cpu_run {
	cpu_program *p;
	cpu_instance *inst; /* the segment at work */
	tarn_pool *pool;
	void **ptr;                   /* by slot */
	tarn_tensor *carried;         /* by slot: tensors that outlive their segment */
	const tarn_tensor *const *in; /* graph inputs */
	tarn_tensor *out;             /* graph outputs */
	tarn_request *request;        /* for profiling and cancelling; may be NULL */
	bool body;                    /* of control flow: its steps are no layers of the profile */
} cpu_run;

/* An f32 value that is also at hand as 8-bit codes: real = (code - zero) * scale. */
typedef struct cpu_code {
	tarn_dtype type; /* U8 or I8; NONE: it has no codes */
	float scale;
	int zero;
	const tarn_value
		*held_by;       /* value whose slots hold the codes: the input of a DequantizeLinear; NULL: slots of its own */
	const tarn_value *root; /* value whose codes alone decide these, through `table`; NULL: none */
	const uint8_t *table;   /* [256], by the root's code as a byte */
} cpu_code;

/* While building. */
typedef struct cpu_build {
	cpu_program *p;
	const tarn_graph *g;
	int *uses;                   /* by value id */
	tarn_node **user;            /* by value id: its only one, NULL otherwise */
	int *slot[CPU_LAYOUTS];      /* by value id: slot index or -1 */
	int *code_slot[CPU_LAYOUTS]; /* the same for codes of f32 values */
	cpu_code *code;              /* by value id */
	cpu_group **group;           /* by node index: the group whose last node this is; NULL: stands alone */
	tarn_packs *packs;           /* of the whole model, bodies included */
	bool *absorbed;              /* by node index: part of a group, but not its last */
} cpu_build;

struct cpu_kernel {
	const char *name;
	/* Makes the group's step (tarn_cpu_step_new) and sets *taken, or leaves both alone when it is not for this kernel. */
	tarn_err (*build)(cpu_build *b, const cpu_group *g, bool *taken);
	/* Sizes are known: makes the tables. NULL: none. */
	tarn_err (*plan)(cpu_instance *inst, const cpu_step *s, const cpu_program *p, void **plan);
	void (*plan_free)(void *plan);
	tarn_err (*run)(cpu_run *r, const cpu_step *s, void *plan);
	void (*state_free)(void *state);
};

/* All kernels, the most special first; the last one (reference evaluation) takes everything. kernels.c */
extern const cpu_kernel *const tarn_cpu_kernels[];
#define CPU_KERNEL(word) extern const cpu_kernel tarn_cpu_k_##word;
#include "dev/cpu/kernels.def"
#undef CPU_KERNEL
/* Steps that building inserts: no node asks for them. */
extern const cpu_kernel tarn_cpu_k_reorder, tarn_cpu_k_dequantize, tarn_cpu_k_lut;

/* build.c */
/* packs: keeps an account of packed weights, or has them; outlives the program. */
TARN_MUST tarn_err tarn_cpu_program_new(const tarn_graph *g, tarn_program *owner, tarn_packs *packs, cpu_program **p);
void tarn_cpu_program_free(cpu_program *p);
/* The program's private copy of the model forgets the weights that kernels packed: only their sizes stay. */
TARN_MUST tarn_err tarn_cpu_drop_packed(const cpu_program *p, tarn_model *m);
/* A step at the end of the list. in, out: slots or -1, copied. The state belongs to the step when this succeeds. */
TARN_MUST tarn_err tarn_cpu_step_new(cpu_build *b, const cpu_kernel *k, const cpu_group *g, const int *in, int n_in,
				     const int *out, int n_out, void *state, int in_place);
/* A slot without an entry in the build's tables. */
TARN_MUST tarn_err tarn_cpu_slot_new(cpu_build *b, const tarn_value *v, cpu_layout layout, tarn_dtype type, int *slot);
/* A step that copies slot `from` into `to`, the same elements in another layout. */
TARN_MUST tarn_err tarn_cpu_reorder(cpu_build *b, int from, int to);
/* The slot of v in that layout; makes a reorder step when it is only there in another. */
TARN_MUST tarn_err tarn_cpu_want(cpu_build *b, const tarn_value *v, cpu_layout layout, int *slot);
/* The slot in which the next step will write v. */
TARN_MUST tarn_err tarn_cpu_give(cpu_build *b, const tarn_value *v, cpu_layout layout, int *slot);
/* In which layout v is there already, PLAIN when in both or only constant. */
cpu_layout tarn_cpu_layout_of(const cpu_build *b, const tarn_value *v);
/* code.c: the codes of v, NULL when it has none; and their slots, as above. */
const cpu_code *tarn_cpu_code_of(cpu_build *b, const tarn_value *v);
TARN_MUST tarn_err tarn_cpu_want_code(cpu_build *b, const tarn_value *v, cpu_layout layout, int *slot);
TARN_MUST tarn_err tarn_cpu_give_code(cpu_build *b, const tarn_value *v, cpu_layout layout, const cpu_code *code, int *slot);
/* Scale, zero point and element type of a QuantizeLinear or DequantizeLinear, when they are constant and one for the whole
 * tensor. */
bool tarn_cpu_code_params(const tarn_node *n, cpu_code *code);
/* Are both the same grid? */
bool tarn_cpu_code_same(const cpu_code *a, const cpu_code *b);
/* Makes the f32 form of a value that is only there as codes. */
TARN_MUST tarn_err tarn_cpu_dequantize(cpu_build *b, const tarn_value *v, int *slot);
/* Quantized weights that no kernel will read as codes become plain constants. */
TARN_MUST tarn_err tarn_cpu_fold_weights(tarn_model *m);
/* Can this product run in INT8: codes in, constant quantized weights? */
bool tarn_cpu_suits_int8(const tarn_node *n);
/* k_wgemm.c: can this product read f32 data against constant weights that stay 4- or 8-bit codes? */
bool tarn_cpu_suits_weights(const tarn_node *n);
/* product.c: products [m][k] x [k][n] whose right side is constant, part of a kernel's state. */
typedef struct cpu_product {
	size_t k, n;
	tarn_epilogue epilogue;
	bool has_residual;
} cpu_product;
void tarn_cpu_product_of(cpu_product *p, const cpu_group *g); /* all but sizes */
/* The step, as tarn_cpu_step_new. over_residual: the result may take the residual's place. */
TARN_MUST tarn_err tarn_cpu_product_step(cpu_build *b, const cpu_kernel *k, const cpu_group *g, void *state,
					 bool over_residual);
tarn_gemm_f32_args tarn_cpu_product_args(const cpu_run *r, const cpu_step *step, const cpu_product *p);
/* k_gemm.c: a constant as a row of n numbers times beta; false when it is none. */
bool tarn_cpu_bias_row(const tarn_tensor *c, int64_t n, float beta, float *row);
/* fake.c: FakeQuantize whose limits lie on a grid of 8-bit codes becomes QuantizeLinear and DequantizeLinear, which INT8
 * kernels take. */
TARN_MUST tarn_err tarn_cpu_raise_fake(tarn_model *m);
/* dynamic.c: products of dynamically quantized data become MatMulIntegerToFloat. */
TARN_MUST tarn_err tarn_cpu_raise_dynamic(tarn_model *m);
/* widen.c: weights that go from integers through f16 arithmetic to f32 go there directly. Before the standard passes. */
TARN_MUST tarn_err tarn_cpu_widen(tarn_model *m);
/* lower.c: batch normalisation, Sum, Max and Min of many become elementwise operators of two values. */
TARN_MUST tarn_err tarn_cpu_lower(tarn_model *m);
/* group.c: which nodes each node absorbs. */
TARN_MUST tarn_err tarn_cpu_group_all(cpu_build *b);
/* The activation a node is, when a kernel's epilogue has it. */
bool tarn_cpu_activation(const tarn_node *n, tarn_epilogue *e);

/* instance.c */
TARN_MUST tarn_err tarn_cpu_instance_find(cpu_program *p, cpu_instance *parent, const tarn_tensor *key, int n_key,
					  cpu_instance **inst);
void tarn_cpu_instance_release(cpu_program *p, cpu_instance *inst);
void tarn_cpu_instances_free(cpu_program *p);
/* plan.c: which slot lives where */
TARN_MUST tarn_err tarn_cpu_place(cpu_program *p, cpu_instance *inst);

/* k_pool.c: window and sizes of a pooling node, in the instance's arena. */
TARN_MUST tarn_err tarn_cpu_plan_pool(cpu_instance *inst, const tarn_node *n, const tarn_shape *x, const tarn_shape *y,
				      tarn_pool2d **plan);

/* run.c: whole graph; out as for tarn_graph_eval, but an out[i] with type, dims and data set receives the result when it fits.
 */
TARN_MUST tarn_err tarn_cpu_graph_run(cpu_program *p, tarn_pool *pool, tarn_buffer **arena, const tarn_tensor *const *in,
				      tarn_tensor *out, tarn_request *request);
/* A body of control flow, as part of the run of the graph around it. */
TARN_MUST tarn_err tarn_cpu_body_run(cpu_program *p, const cpu_run *outer, const tarn_tensor *const *in, tarn_tensor *out);

static inline tarn_code tarn_cpu_code_type(tarn_dtype t)
{
	return t == TARN_I8 ? TARN_CODE_S8 : TARN_CODE_U8;
}

/* For kernels. The concrete value and sizes of a slot; its bytes as a tensor in graph order (PLAIN slots). */
static inline const tarn_value *tarn_cpu_val(const cpu_instance *inst, const cpu_program *p, int slot)
{
	return &inst->val[p->slot.at[slot].v->id];
}
/* Element type of a slot: of its codes, or what its value turned out to be. */
static inline tarn_dtype tarn_cpu_type(const cpu_instance *inst, const cpu_program *p, int slot)
{
	const cpu_slot *s = &p->slot.at[slot];
	return s->type != s->v->type ? s->type : tarn_cpu_val(inst, p, slot)->type;
}
tarn_tensor tarn_cpu_tensor(const cpu_run *r, int slot);
int64_t tarn_cpu_count(const cpu_instance *inst, const cpu_program *p, int slot);
/* Splits tasks [0, n), all of them together so many multiply-accumulates of f32 (four of codes count as one). */
void tarn_cpu_split_work(tarn_pool *pool, int64_t n, int64_t macs, void (*fn)(void *arg, int64_t begin, int64_t end),
			 void *arg);
/* Multiply-accumulates of a product; few rows do not hide the reading of the weights, and count as more. */
int64_t tarn_cpu_product_work(int64_t rows, int64_t weights);
/* Splits [0, n) into pieces of at least `grain` over the pool's threads. */
void tarn_cpu_split(tarn_pool *pool, int64_t n, int64_t grain, void (*fn)(void *arg, int64_t begin, int64_t end), void *arg);

#endif
