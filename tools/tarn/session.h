/* SPDX-License-Identifier: Apache-2.0 */
/* From options to a compiled model: what run, bench and others begin with. Each step returns 0, or an exit code after its
 * message. */
#ifndef TARN_TOOL_SESSION_H
#define TARN_TOOL_SESSION_H

#include "openvino/c/openvino.h"
#include "options.h"
#include "say.h"

typedef struct session {
	const char *command; /* for messages */
	const options *o;
	const char *device;
	bool is_blob; /* the file is a compiled model: there is no ov_model_t */
	ov_core_t *core;
	ov_model_t *model;
	ov_compiled_model_t *compiled;
	bool any_size;         /* data need not have the inputs' sizes: run --state cuts it into steps */
	struct bounds *bounds; /* of the model, bounds.h; NULL: none */
	double read_ms, compile_ms;
	char device_name[128]; /* after compiling: the full name of what it runs on */
	char runs_on[32];      /* "CPU" */
	bool simulated;
	char mode[16]; /* of a simulated device: "exact" or "paced" */
	size_t notes;  /* that were there when it was compiled */
} session;

/* --sim: before anything else touches device NPU. */
int session_use_sim(const char *command, const options *o);
/* Core, simulation, model file. */
int session_open(session *s, const char *command, const options *o);
/* -shape and -b. */
int session_reshape(session *s);
/* -ip and -op. */
int session_retype(session *s);
/* What -p, -cache_dir, -nthreads ... ask for and, when hint is not NULL, that hint. The list points into itself. */
typedef struct session_properties {
	ov_property_t at[64];
	char text[64][512], threads[32], buckets[2048];
	size_t n;
} session_properties;
int session_collect(const session *s, const char *hint, session_properties *p);
/* With -p, -cache_dir, -nthreads ... and, when hint is not NULL, that hint. Prints fallbacks and other notes of the library. */
int session_compile(session *s, const char *hint);
/* Refuses a device that takes its time but computes no results. */
int session_check_computes(const session *s);
/* After inferences, with -strict: did anything happen on the way that results are not to be trusted for? */
int session_check_results(const session *s);
/* "notes": everything the library said of the model. */
void session_notes(const session *s, json *j);
void session_close(session *s);

/* Milliseconds of the monotonic clock. */
double now_ms(void);

/* One entry of -shape or -data_shape. */
typedef struct shape_arg {
	char name[256]; /* "": every input */
	int rank;
	int64_t lo[16], hi[16]; /* hi -1: no bound */
} shape_arg;
/* Parses "x[1,3,224,224],y[1,?]"; *list is the caller's to free. */
int shapes_parse(const char *command, const char *option, const char *text, shape_arg **list, size_t *n);
/* The entry for that input, or NULL. */
const shape_arg *shapes_find(const shape_arg *list, size_t n, const char *input);

#endif
