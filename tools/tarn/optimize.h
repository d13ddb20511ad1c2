/* SPDX-License-Identifier: Apache-2.0 */
/* tarn optimize: state shared by the steps (cmd_optimize.c), the measurements (optimize_measure.c) and the report
 * (optimize_report.c). */
#ifndef TARN_TOOL_OPTIMIZE_H
#define TARN_TOOL_OPTIMIZE_H

#include "calibrate.h"
#include "session.h"

/* One line of the table. A figure that is not known is NAN, and `why` says why. */
typedef struct opt_row {
	const char *name, *unit, *source; /* source: "measured", "modelled", "assumed" */
	double before, after, band;       /* band: of modelled figures; NAN: not known */
	char text[2][96];                 /* instead of numbers, where not empty */
	char why[384];
} opt_row;

typedef struct optimize {
	session s; /* the model, float, of static shapes */
	const options *o;
	ov_model_t *int8;
	tarn_quantize_report report;
	char stage[4096];   /* folder where results are made before they are moved to -o */
	char path[2][4300]; /* there: the float model, and the INT8 one */
	char blob[4300];    /* there; "": none */
	bool npu, simulated;
	char no_npu[384]; /* why there is none */
	opt_row row[24];
	size_t n;
	char verdict[1024];
} optimize;

opt_row *opt_add(optimize *z, const char *name, const char *unit, const char *source);
/* The same, without figures. */
void opt_add_null(optimize *z, const char *name, const char *unit, const char *why);

/* Each adds its rows. 0, or an exit code after its message; what the device refuses is a row's reason, not a failure. */
int opt_measure_cpu(optimize *z);
int opt_measure_npu(optimize *z);

void opt_show_text(const optimize *z);
void opt_show_json(const optimize *z, FILE *out);

#endif
