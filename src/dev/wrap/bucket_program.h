/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the decorator for bounded dimensions: what its files share. */
#ifndef TARN_DEV_WRAP_BUCKET_PROGRAM_H
#define TARN_DEV_WRAP_BUCKET_PROGRAM_H

#include "dev/wrap/bucket.h"

enum { TARN_BUCKET_DIMS = 8, TARN_BUCKET_SIZES = 64, TARN_BUCKET_PROGRAMS = 64 };

/* A free dimension: a symbol that input shapes have. */
typedef struct bucket_dim {
	tarn_dim sym;
	const char *name;                /* its own, or "input[axis]" */
	int64_t size[TARN_BUCKET_SIZES]; /* of the buckets, ascending; the last is its bound */
	int n;
	/* Requests by size, in `n_seen` steps of `step`; guarded by the program's lock. */
	uint64_t *seen;
	int64_t step;
	int n_seen;
} bucket_dim;

/* The program of one combination of sizes. */
typedef struct bucket_inner {
	tarn_program *p;
	int *in;                      /* by outer input: which of p's */
	int *out;                     /* by outer output */
	int length[TARN_BUCKET_DIMS]; /* by dimension: the input of its valid length; -1: none */
} bucket_inner;

/* What hangs at tarn_program->impl. Everything lives in the program's arena. */
typedef struct bucket_program {
	const tarn_bucket_device *d;
	tarn_symtab syms;     /* copy of the model's */
	tarn_shape *in, *out; /* of the outer ports, over these symbols */
	bucket_dim dim[TARN_BUCKET_DIMS];
	int n_dim;
	tarn_mutex lock;  /* of what was seen */
	bucket_inner *at; /* n: dimension 0 varies slowest */
	int n;
} bucket_program;

/* One bucket as a request uses it; made when the bucket is first needed. */
typedef struct bucket_slot {
	tarn_request *r;
	tarn_tensor *own; /* its inputs, then its outputs, in the inner device's memory */
} bucket_slot;

/* What hangs at tarn_request->impl. */
typedef struct bucket_request {
	bucket_slot *slot;    /* by bucket */
	tarn_buffer **result; /* by output: memory for results that are cut to size */
	int now;              /* bucket of this run */
	int64_t *value;       /* by symbol: its size in this run, -1: unknown */
	int64_t pad_ns;       /* time spent on filling the inner inputs */
} bucket_request;

/* bucket_dims.c: free dimensions of p->model, the property, and the ports' bounds; x->at is not made. */
TARN_MUST tarn_err tarn_bucket_take_dims(tarn_program *p, bucket_program *x);
/* Sizes of bucket i, by dimension. */
void tarn_bucket_sizes(const bucket_program *x, int i, int64_t size[TARN_BUCKET_DIMS]);
/* The smallest bucket with room for these sizes. TARN_SHAPE with both numbers when there is none. */
TARN_MUST tarn_err tarn_bucket_pick(const bucket_program *x, const int64_t size[TARN_BUCKET_DIMS], int *i);
/* Counts the sizes of a request. */
void tarn_bucket_note_sizes(bucket_program *x, const int64_t size[TARN_BUCKET_DIMS]);
TARN_MUST tarn_err tarn_bucket_begin_seen(tarn_program *p, bucket_program *x);
/* Where the inner program has the outer ports. */
TARN_MUST tarn_err tarn_bucket_map_ports(tarn_program *p, bucket_inner *b);

/* bucket_request.c */
TARN_MUST tarn_err tarn_bucket_request_init(tarn_request *r);
void tarn_bucket_request_fini(tarn_request *r);
TARN_MUST tarn_err tarn_bucket_submit(tarn_request *r);

/* bucket_blob.c */
TARN_MUST tarn_err tarn_bucket_export(tarn_program *p, tarn_str *blob);
TARN_MUST tarn_err tarn_bucket_import(tarn_program *p, tarn_buffer *blob);

/* bucket.c */
TARN_MUST tarn_err tarn_bucket_begin(tarn_program *p, bucket_program **x);
/* An inner program is in place: it keeps alive what its device belongs to. */
void tarn_bucket_hold(const bucket_program *x, tarn_program *inner);
void tarn_bucket_program_free(tarn_program *p);

#endif
