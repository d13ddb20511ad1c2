/* SPDX-License-Identifier: Apache-2.0 */
/* tarn check: what it found (cmd_check.c) and how it is shown (check_report.c). */
#ifndef TARN_TOOL_CHECK_H
#define TARN_TOOL_CHECK_H

#include "session.h"
#include "tarn/diagnose.h"
#include "tarn/model.h"
#include "tarn/shape.h"
#include "tarn/state.h"

enum { CHECK_MAX_HELP = 8 };

typedef struct check_port {
	char *name, *dim[8]; /* names of dimensions */
	ov_element_type_e type;
	ov_partial_shape_t shape;
} check_port;

typedef struct check_estimate {
	const char *platform;
	bool known;
	tarn_estimated_layers e; /* of the model and its layers */
	const char *why;         /* not known */
} check_estimate;

/* Caches that grow. */
typedef struct check_states {
	tarn_state_info *at;
	size_t n;
	int window;              /* of the form that the page is about; 0: the model is looked at as it is */
	tarn_stateful_info info; /* of steps of many positions */
	char *why;               /* they cannot become windows */
} check_states;

typedef struct check {
	session s;
	const char *simulated; /* platform of the simulated NPU whose compiler was asked; NULL: the one of this machine or
				  TARN_NPU */
	check_port *port;      /* inputs, then outputs */
	size_t n_in, n_out;
	tarn_free_dim_list dims;
	check_states states;
	char at[1024]; /* shapes it is looked at with, as for -shape; "": as they are */
	tarn_model_facts facts;
	bool cpu; /* compiles */
	const char *cpu_why;
	char **note;
	size_t n_note, reference;
	bool has_npu;
	const char *npu_why;
	tarn_node_list npu;
	size_t npu_supported;
	double npu_share; /* of MACs; NAN: none */
	check_estimate estimate[2];
	char help[CHECK_MAX_HELP][2048];
	int n_help;
} check;

bool check_is_free(const check_port *p, int axis);
/* One more line of "helps". */
void check_help(check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* check_dims.c. find: 0, or an exit code after its message. */
int check_dims_find(check *c);
void check_dims_help(check *c);
void check_dims_print(const check *c);
void check_dims_json(const check *c, json *j);

/* check_state.c; find may put another form of the model in place. */
int check_state_find(check *c);
void check_state_close(check *c);
void check_state_help(check *c);
void check_state_print(const check *c);
void check_state_json(const check *c, json *j);

void check_print(const check *c);
void check_json(const check *c, json *j);
/* check_predict.c */
/* Times the rate that layers of half the time would make, at most: the fixed cost stays. NAN: not known. */
double check_int8_bound(const check *c);
void check_predict_print(const check *c);
void check_predict_json(const check *c, json *j);

#endif
