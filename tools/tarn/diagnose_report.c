/* SPDX-License-Identifier: Apache-2.0 */
/* tarn diagnose: what is told. Everything printed stands in the JSON, too. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnose.h"
#include "say.h"

static const trial *find(const diagnosis *d, const char *word)
{
	for (size_t i = 0; i < d->n_trial; i++)
		if (!strcmp(d->trial[i].word, word) && !*d->trial[i].why_not)
			return &d->trial[i];
	return NULL;
}

/* What turbo does for this model, in words; false when it was not tried. */
static bool turbo_sentence(const diagnosis *d, char *text, size_t size)
{
	const trial *t = find(d, "turbo");
	const tarn_device_account *a = &d->base.account;
	double products = a->dpu_ms / a->total_ms,
	       stalls = (a->stall_weights_ms + a->stall_inputs_ms + a->stall_stores_ms) / a->total_ms;
	if (!t)
		return false;
	if (strcmp(t->read_back, "YES") != 0)
		snprintf(text, size, "turbo was asked for, and reads back %s: the driver does not grant it", t->read_back);
	else if (!(a->total_ms > 0)) /* hardware does not tell where its time goes */
		snprintf(text, size, "%s: %.2f times the rate",
			 t->c.shown && t->c.gain > 1 ? "turbo helps" : "no gain of turbo is shown", t->c.gain);
	else if (t->c.shown && t->c.gain > 1.02)
		snprintf(text, size,
			 "turbo helps: %.2f times the rate; it raises the clock of the multipliers (%.0f to %.0f MHz, "
			 "assumed), and they take %.0f "
			 "%% of the time",
			 t->c.gain, a->mhz, a->mhz_highest, products * 100);
	else
		snprintf(text, size,
			 "%s: it raises the clock of the multipliers only (%.0f to %.0f MHz, assumed), and "
			 "they take %.0f %% of "
			 "the time; %.0f %% is waiting for transfers, %.0f %% other engines and the fixed cost of an inference",
			 t->predicted >= 1.02 ? "no gain of turbo is shown" : "turbo cannot help here", a->mhz, a->mhz_highest,
			 products * 100, stalls * 100, (1 - products - stalls) * 100);
	return true;
}

/* Did the experiment bear the verdict out? */
static void proof(const diagnosis *d, char *text, size_t size)
{
	const trial *t = d->verdict.change ? find(d, d->verdict.change) : NULL;
	const trial *bandwidth = find(d, "free bandwidth"), *compute = find(d, "free compute");
	*text = 0;
	if (bandwidth && compute)
		snprintf(text, size, "without transfers it runs at %.2f times the rate, without computing at %.2f times",
			 bandwidth->c.gain, compute->c.gain);
	size_t n = strlen(text);
	if (t && t->c.shown && t->c.gain > 1)
		snprintf(text + n, size - n, "%s%s: %.2f times the rate, %.2f predicted", n ? "; " : "", t->what, t->c.gain,
			 t->predicted);
	else if (t)
		snprintf(text + n, size - n, "%s%s: no gain is shown, the verdict is not borne out by it", n ? "; " : "",
			 t->what);
}

/* ---- text ---- */

static void print_trials(const diagnosis *d)
{
	if (!d->n_trial)
		return;
	printf("What changes gain, times the rate of now (predicted by the model of the pipeline; measured in turns, 95 %% "
	       "interval):\n");
	printf("  %-16s %9s  %-28s %s\n", "change", "predicted", "measured", "how");
	for (size_t i = 0; i < d->n_trial; i++) {
		const trial *t = &d->trial[i];
		char measured[160], predicted[16] = "-";
		if (!isnan(t->predicted))
			snprintf(predicted, sizeof predicted, "%.2f", t->predicted);
		if (*t->why_not)
			snprintf(measured, sizeof measured, "%s", "not tried");
		else
			snprintf(measured, sizeof measured, "%.2f [%.2f, %.2f]%s", t->c.gain, t->c.low, t->c.high,
				 t->c.shown ? "" : " not shown");
		printf("  %-16s %9s  %-28s %s\n", t->word, predicted, measured, *t->why_not ? t->why_not : t->advice);
	}
}

void diagnose_print(diagnosis *d)
{
	const bench *b = &d->base;
	char text[512];
	printf("%s on %s (%s)%s: %.1f samples a second with %ld request%s\n", d->o->model, b->s.runs_on, b->s.device_name,
	       b->s.simulated ? ", modelled times on the clock" : "", bench_rate(b), b->nireq, b->nireq > 1 ? "s" : "");
	bench_shares s = bench_find_shares(b);
	printf("Host time: prepare %.1f %%, copy in %.1f %%, device %.1f %%, copy out %.1f %%, wait %.1f %%, other %.1f %% "
	       "(measured)\n",
	       s.prepare * 100, s.copy_in * 100, s.device * 100, s.copy_out * 100, s.wait * 100, s.other * 100);
	bench_print_idle(b);
	printf("Verdict: %s\n", d->verdict.sentence);
	proof(d, text, sizeof text);
	if (*text)
		printf("Proof: %s\n", text);
	print_trials(d);
	bench_print_waterfall(b);
	roof_print(d);
	if (turbo_sentence(d, text, sizeof text))
		printf("Turbo: %s\n", text);
	printf("Next: %s\n", d->verdict.next);
	char command[4096];
	if (bench_command(b, &d->verdict, command, sizeof command))
		printf("Try: %s\n", command);
}

/* ---- JSON ---- */

static void json_trial(const trial *t, json *j)
{
	json_begin(j, NULL, '{');
	json_text(j, "change", t->word);
	json_text(j, "what", t->what);
	json_text(j, "flags", t->advice);
	json_num(j, "predicted_gain", t->predicted);
	json_num(j, "gain", t->c.gain);
	json_begin(j, "ci95", '[');
	json_num(j, NULL, t->c.low);
	json_num(j, NULL, t->c.high);
	json_end(j, ']');
	json_bool(j, "shown", t->c.shown);
	json_num(j, "fps_before", *t->why_not ? NAN : t->before);
	json_num(j, "fps_after", *t->why_not ? NAN : t->after);
	json_text(j, "source", "measured");
	json_text(j, "not_tried", *t->why_not ? t->why_not : NULL);
	json_end(j, '}');
}

int diagnose_json(diagnosis *d, json *j)
{
	char text[512];
	json_begin(j, NULL, '{');
	proof(d, text, sizeof text);
	json_text(j, "proof", *text ? text : NULL);
	json_begin(j, "experiments", '[');
	for (size_t i = 0; i < d->n_trial; i++)
		json_trial(&d->trial[i], j);
	json_end(j, ']');
	const trial *turbo = find(d, "turbo");
	if (turbo_sentence(d, text, sizeof text)) {
		json_begin(j, "turbo", '{');
		json_text(j, "read_back", turbo->read_back);
		json_bool(j, "helps", turbo->c.shown && turbo->c.gain > 1.02);
		json_num(j, "gain", turbo->c.gain);
		json_text(j, "sentence", text);
		json_end(j, '}');
	} else {
		json_null(j, "turbo");
	}
	roof_json(d, j);
	int code = bench_json_body(&d->base, j);
	json_end(j, '}');
	return code;
}
