/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is behind the handles of the C API, and the helpers its files share. Only src/api sees <openvino/c/...>.
 */
#ifndef TARN_API_HANDLES_H
#define TARN_API_HANDLES_H

#include "base/buffer.h"
#include "base/thread.h"
#include "dev/wrap/bucket.h"
#include "fmt/fmt.h"
#include "rt/cache.h"
#include "rt/program.h"
#include "rt/request.h"

#include "openvino/c/openvino.h"

/* ---- errors (ov_common.c) ---- */

/* The one translation from our codes; keeps sentence and code for ov_get_last_err_msg and tarn_last_exit_code. */
ov_status_e tarn_status(tarn_err err);
/* INVALID_C_PARAM, saying which argument of which function. */
ov_status_e tarn_status_null(const char *function);
#define NEED(cond) \
	do { \
		if (!(cond)) \
			return tarn_status_null(__func__); \
	} while (0)
/* Heap text for ov_free. */
TARN_MUST tarn_err tarn_text_out(const char *s, char **out);
void tarn_last_error_clear(void);
/* To say again later what was said now, whatever other threads say meanwhile. */
typedef struct tarn_last_error {
	bool set;
	tarn_err code;
	char text[1024];
} tarn_last_error;
void tarn_last_error_get(tarn_last_error *e);
void tarn_last_error_set(const tarn_last_error *e);

/* ---- element types (ov_tensor.c) ---- */

/* TARN_TYPE for types without tensors. */
TARN_MUST tarn_err tarn_dtype_of_ov(ov_element_type_e type, tarn_dtype *out);
ov_element_type_e tarn_dtype_to_ov(tarn_dtype type);

/* ---- tensors ---- */

/* A tensor that several handles and requests may share. */
typedef struct tarn_box {
	tarn_ref refs;
	tarn_tensor t;
	size_t room;              /* bytes behind t.data */
	bool borrowed;            /* memory of the user's */
	char *text;               /* what the elements of a STRING tensor point to, when it was set here */
	bool unset;               /* no data yet: a dynamic port before its first use */
	const tarn_device *owner; /* whose memory it is; NULL: not a device's */
} tarn_box;
TARN_MUST tarn_err tarn_box_new(const tarn_tensor *t, tarn_box **box); /* takes over t's reference on success */
tarn_box *tarn_box_ref(tarn_box *box);
void tarn_box_unref(tarn_box *box);
struct ov_tensor {
	tarn_box *box;
};
TARN_MUST tarn_err tarn_tensor_handle(tarn_box *box, ov_tensor_t **out); /* takes its own reference */
/* A handle for t, whose reference is taken over, also on failure. */
TARN_MUST tarn_err tarn_tensor_out(tarn_tensor *t, ov_tensor_t **out);

/* ---- models, ports, shapes ---- */

struct ov_model {
	tarn_model *m;
};
TARN_MUST tarn_err tarn_model_handle(tarn_model *m, ov_model_t **out); /* takes over the reference */

/* Exactly one of model and program is set, here and in the functions below; each port has its own reference. */
struct ov_output_const_port {
	tarn_model *model;
	tarn_program *program;
	bool output;
	int index;
};
struct ov_output_port {
	struct ov_output_const_port at;
};
TARN_MUST tarn_err tarn_port_handle(tarn_model *m, tarn_program *p, bool output, int64_t index, ov_output_const_port_t **port);
/* Name and aliases of a port; borrowed. */
void tarn_port_names(const ov_output_const_port_t *port, const char **name, const char **aliases);
/* Is `want` the name or one of the aliases? */
bool tarn_name_matches(const char *name, const char *aliases, const char *want);
/* Index among inputs or outputs by tensor name; TARN_NOT_FOUND lists the names there are. */
TARN_MUST tarn_err tarn_port_find(const tarn_model *m, const tarn_program *p, bool output, const char *name, int64_t *index);
/* By name, by index (>= 0), or the only one (index -1). */
ov_status_e tarn_port_open(tarn_model *m, tarn_program *p, bool output, const char *name, int64_t index,
			   ov_output_const_port_t **port);

TARN_MUST tarn_err tarn_shape_out(int rank, const int64_t *dim, ov_shape_t *out);
TARN_MUST tarn_err tarn_partial_out(int rank, const int64_t *lo, const int64_t *hi, ov_partial_shape_t *out);
TARN_MUST tarn_err tarn_shape_of_ov(const ov_shape_t *s, int64_t dim[TARN_MAX_RANK]); /* checks rank and sizes */

/* ---- layouts ---- */

struct ov_layout {
	char *text; /* as printed: "[N,C,H,W]" */
};
/* The axes of a layout, for tensors of one rank; unnamed ones, and those that "..." stands for, are "?". */
typedef struct tarn_layout {
	int rank;
	char axis[TARN_MAX_RANK][16];
} tarn_layout;
/* rank -1: as many axes as the text has, which must be without "...". */
TARN_MUST tarn_err tarn_layout_expand(const char *text, int rank, tarn_layout *out);
int tarn_layout_find(const tarn_layout *l, const char *axis); /* -1: none */

/* An element type for an input or output of the model, by a Cast behind or before it. */
TARN_MUST tarn_err tarn_port_retype(tarn_model *m, bool output, size_t i, tarn_dtype to);

/* ---- core ---- */

enum { TARN_N_DEVICES = 3 };
struct ov_core {
	tarn_ref refs; /* the handle's, and one for each compiled model */
	tarn_mutex lock;
	tarn_props props;      /* set for no device in particular */
	tarn_props auto_props; /* of AUTO */
	tarn_device device[TARN_N_DEVICES];
	tarn_device bucketed[TARN_N_DEVICES]; /* the same, for models with bounded dimensions */
	tarn_bucket_device bucket[TARN_N_DEVICES];
};
void tarn_core_unref(struct ov_core *core);

struct ov_compiled_model {
	tarn_program *p;
	bool is_auto;
	tarn_props auto_props; /* what AUTO was given */
};
TARN_MUST tarn_err tarn_core_compile(struct ov_core *core, const tarn_model *m, const char *device, const tarn_props *props,
				     ov_compiled_model_t **out);
/* What compiling would ask the runtime's cache; *runs_on: the device, static. */
TARN_MUST tarn_err tarn_core_ask_cache(struct ov_core *core, const tarn_model *m, const char *device, const tarn_props *props,
				       const char **runs_on, tarn_cache_question *q);
TARN_MUST tarn_err tarn_core_estimate(struct ov_core *core, const tarn_model *m, const char *device, const tarn_props *props,
				      tarn_estimate *e);
TARN_MUST tarn_err tarn_core_import(struct ov_core *core, tarn_buffer *blob, const char *device, ov_compiled_model_t **out);

/* devices.c: fills core->device; picks a device by name ("CPU", "NPU.0", "AUTO:NPU,CPU"). `why` collects, a line each, the
 * candidates AUTO left out with their reasons. */
void tarn_devices_init(struct ov_core *core);
TARN_MUST tarn_err tarn_devices_find(struct ov_core *core, const char *name, tarn_device **d, bool *is_auto, tarn_str *why);
/* The device that compiles this model (or loads these bytes; the other is NULL) in d's stead when sizes are free inside bounds;
 * else d. */
tarn_device *tarn_devices_choose(struct ov_core *core, tarn_device *d, const tarn_model *m, const tarn_buffer *blob,
				 const tarn_props *props);
/* Are that open device's figures from a model instead of hardware? Then its mode, "exact" or "paced", is appended. */
bool tarn_device_is_simulated(tarn_device *d, tarn_str *mode);

struct ov_infer_request {
	tarn_request *r;
	tarn_box **in, **out;
};

#endif
