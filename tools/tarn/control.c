/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "tarn/sim.h"
#include "training.h"

bool control_has_times(const session *s)
{
	const char *wanted = getenv("TARN_NPU");
	return s->o->sim || (wanted && *wanted) || !access("/dev/accel/accel0", F_OK) || tarn_use_simulated_npu("4000") == OK;
}

int control_read(const session *s, const tarn_dataset_t *data, tarn_quantize_control *c)
{
	const options *o = s->o;
	*c = (tarn_quantize_control){.max_drop = o->max_drop, .price_device = control_has_times(s) ? "NPU" : NULL};
	return o->labels ? labels_read(s, data, &c->label, &c->n_label) : 0;
}

static const char *what_text(const tarn_quantize_step *s)
{
	return s->what == TARN_STEP_FLOAT     ? "float model"
	       : s->what == TARN_STEP_INT8    ? "all in INT8"
	       : s->what == TARN_STEP_RESTORE ? "to float:"
					      : "back in INT8:";
}

static void step_text(const tarn_quantize_step *s)
{
	printf("%c%c %-13s %-24s", s->chosen ? '>' : ' ', s->pareto ? '*' : ' ', what_text(s), s->node ? s->node : "");
	if (isfinite(s->accuracy))
		printf(" %6.2f %%", 100 * s->accuracy);
	printf(" %8.3f", s->drop);
	if (isfinite(s->drop_low))
		printf(" (%6.2f to %6.2f)", s->drop_low, s->drop_high);
	else if (isfinite(s->accuracy))
		printf(" %18s", "");
	printf(" %8.1f %%", 100 * s->mac_share_int8);
	if (isfinite(s->ms))
		printf(" %9.3f ms", s->ms);
	else
		printf(" %12s", "-");
	printf(" %8.2f MB\n", (double)s->bytes / 1e6);
}

void control_text(const tarn_quantize_report *r, double max_drop)
{
	if (!r->n_step)
		return;
	bool scored = isfinite(r->step[0].accuracy);
	printf("limit             %g points %s\n", max_drop,
	       scored ? "of right classes" : "of squared error, against the float model's outputs");
	printf("   %-38s%s %8s%s %10s %12s %11s\n", "", scored ? " accuracy" : "", "lost", scored ? "    (95 %, paired)" : "",
	       "INT8", "NPU time", "constants");
	for (size_t i = 0; i < r->n_step; i++)
		step_text(&r->step[i]);
	printf("   > the result; * none is better in all of loss, time and size; losses measured, times modelled (+%.0f %%, "
	       "-%.0f "
	       "%%)\n",
	       100 * (isfinite(r->step[0].ms) ? r->step[0].band_high : 0),
	       100 * (isfinite(r->step[0].ms) ? r->step[0].band_low : 0));
}

void control_json(json *j, const tarn_quantize_report *r, double max_drop)
{
	static const char *const what[] = {"float", "int8", "restore", "return"};
	if (!r->n_step)
		return;
	json_num(j, "max_drop", max_drop);
	json_bool(j, "met", r->met);
	json_text(j, "drop_of", isfinite(r->step[0].accuracy) ? "accuracy" : "outputs");
	json_begin(j, "steps", '[');
	for (size_t i = 0; i < r->n_step; i++) {
		const tarn_quantize_step *s = &r->step[i];
		json_begin(j, NULL, '{');
		json_text(j, "what", what[s->what]);
		json_text(j, "node", s->node);
		json_text(j, "type", s->type);
		json_num(j, "accuracy", s->accuracy);
		json_num(j, "drop", s->drop);
		json_begin(j, "drop_ci95", '[');
		json_num(j, NULL, s->drop_low);
		json_num(j, NULL, s->drop_high);
		json_end(j, ']');
		json_num(j, "mac_share_int8", s->mac_share_int8);
		json_figure(j, "npu_ms", s->ms, "ms", "modelled", fmax(s->band_low, s->band_high));
		json_int(j, "bytes", (long long)s->bytes);
		json_bool(j, "pareto", s->pareto);
		json_bool(j, "chosen", s->chosen);
		json_end(j, '}');
	}
	json_end(j, ']');
}

int control_verdict(const options *o, const tarn_quantize_report *r)
{
	if (!r->n_step || r->met)
		return 0;
	double drop = NAN;
	for (size_t i = 0; i < r->n_step; i++)
		drop = r->step[i].chosen ? r->step[i].drop : drop;
	return fail(5, "quantize",
		    "no model with layers in INT8 loses at most %g points; the best one, which loses %.3f, was written to %s",
		    o->max_drop, drop, o->result);
}
