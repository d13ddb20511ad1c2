/* SPDX-License-Identifier: Apache-2.0 */
/* tarn diagnose --peak: what the device achieves on a network made for it; against it, shares of peak have a meaning where a
 * device tells none (CPU). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "diagnose.h"
#include "say.h"
#include "tarn/model.h"
#include "tarn/synth.h"

/* The network as a file for a variant of the command. */
static int make_network(bool int8, char *path, size_t size)
{
	ov_model_t *m = NULL;
	const char *folder = getenv("TMPDIR");
	int n = snprintf(path, size, "%s/tarn-peak-%ld.onnx", folder && *folder ? folder : "/tmp", (long)getpid());
	if (n < 0 || (size_t)n >= size)
		return fail(1, "diagnose", "TMPDIR is too long a path");
	int code = tarn_make_model("peak", int8, 1, &m) == OK && tarn_save_model(m, path) == OK ? 0 : fail_last("diagnose");
	ov_model_free(m);
	return code;
}

int diagnose_peak_rate(const options *o, bool int8, double seconds, bench *b, variant *v, double *macs_per_second)
{
	char path[256], flags[320];
	int code = make_network(int8, path, sizeof path);
	snprintf(flags, sizeof flags, "-m '%s'", path);
	if (!code)
		code = variant_parse("diagnose", o, flags, v);
	*b = (bench){.s.command = "diagnose", .o = &v->o, .quiet = true};
	if (!code)
		code = bench_open(b);
	if (!code)
		code = bench_warm(b);
	if (!code)
		code = bench_again(b, seconds);
	(void)unlink(path);
	if (code)
		return code;
	bench_find_counters(b);
	*macs_per_second = bench_rate(b) * (double)b->macs;
	return 0;
}

static void tell(const bench *b, bool int8, double macs, json *j)
{
	double tops = 2e-12 * macs, advertised = b->accounted ? b->account.tops / (int8 ? 1 : 2) : NAN;
	if (!j) {
		printf("%s: %.3f TOPS", int8 ? "INT8 " : "float", tops);
		if (advertised > 0)
			printf(", %.0f %% of the %.1f advertised", 100 * tops / advertised, advertised);
		printf(" (%s)\n", b->s.simulated ? "modelled" : "measured");
		bench_print_waterfall(b);
		return;
	}
	json_begin(j, int8 ? "int8" : "float", '{');
	json_figure(j, "tops", tops, "TOPS", b->s.simulated ? "modelled" : "measured", -1);
	json_num(j, "advertised", advertised);
	json_num(j, "share", tops / advertised);
	bench_json_waterfall(b, j);
	json_end(j, '}');
}

int diagnose_peak(const options *o)
{
	json j = {.out = stdout};
	int code = 0;
	if (o->json)
		json_begin(&j, NULL, '{');
	for (int int8 = 1; int8 >= 0 && !code; int8--) {
		variant v = {.text = NULL};
		bench b = {.s.command = "diagnose", .o = &v.o};
		double macs;
		code = diagnose_peak_rate(o, int8, o->seconds > 0 ? o->seconds : 2, &b, &v, &macs);
		if (!code && int8 && o->json)
			json_text(&j, "device_name", b.s.device_name);
		else if (!code && int8)
			printf("%s, on a network made for multiply-accumulate units:\n", b.s.device_name);
		if (!code)
			tell(&b, int8, macs, o->json ? &j : NULL);
		bench_close(&b);
		variant_fini(&v);
	}
	if (o->json)
		json_end(&j, '}');
	return code;
}
