/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What measuring costs: inferences of some microseconds on the CPU, with the timeline and without it in turns, in one process.
 * Processor time of the thread, so that other programs count little. Prints that of an inference (median), and what the
 * timeline adds to it, with a 95 % interval over groups of rounds, each group's medians being one pair.
 *
 *   timeline [threads]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "openvino/c/openvino.h"
#include "tarn/diagnose.h"
#include "tarn/profile.h"

enum { GROUPS = 40, ROUNDS = 25, INFERENCES = 100, EVENTS = 1 << 18, MOST_LAYERS = 64 };

static void must(ov_status_e status)
{
	if (status == OK)
		return;
	fprintf(stderr, "%s\n", ov_get_last_err_msg());
	exit(1);
}

/* Sigmoids one after the other over `width` numbers, as IR without weights. */
static ov_model_t *make_model(const ov_core_t *core, int width, int layers)
{
	static char xml[1 << 16];
	size_t n = 0;
#define ADD(...) n += (size_t)snprintf(xml + n, sizeof xml - n, __VA_ARGS__)
	ADD("<?xml version=\"1.0\"?><net name=\"chain\" version=\"11\"><layers><layer id=\"0\" name=\"x\" type=\"Parameter\" "
	    "version=\"opset1\"><data shape=\"1,%d\" element_type=\"f32\"/><output>",
	    width);
	ADD("<port id=\"0\" precision=\"FP32\"><dim>1</dim><dim>%d</dim></port></output></layer>", width);
	for (int i = 1; i <= layers + 1; i++) {
		bool last = i == layers + 1;
		ADD("<layer id=\"%d\" name=\"l%d\" type=\"%s\" version=\"opset1\">", i, i, last ? "Result" : "Sigmoid");
		ADD("<input><port id=\"0\" precision=\"FP32\"><dim>1</dim><dim>%d</dim></port></input>", width);
		if (!last)
			ADD("<output><port id=\"1\" precision=\"FP32\"><dim>1</dim><dim>%d</dim></port></output>", width);
		ADD("</layer>");
	}
	ADD("</layers><edges>");
	for (int i = 0; i <= layers; i++)
		ADD("<edge from-layer=\"%d\" from-port=\"%d\" to-layer=\"%d\" to-port=\"0\"/>", i, i > 0, i + 1);
	ADD("</edges></net>");
#undef ADD
	ov_model_t *m;
	must(ov_core_read_model_from_memory_buffer(core, xml, n, NULL, &m));
	return m;
}

static double cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds of one inference. */
static double once(ov_infer_request_t *r, bool with)
{
	if (with)
		must(tarn_start_timeline(EVENTS));
	double begin = cpu_ns();
	for (int i = 0; i < INFERENCES; i++)
		must(ov_infer_request_infer(r));
	double ns = (cpu_ns() - begin) / INFERENCES;
	must(tarn_stop_timeline());
	return ns;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
	qsort(x, n, sizeof *x, by_size);
	return x[n / 2];
}

/* Inferences a second, without the timeline and with it. */
static void group(ov_infer_request_t *r, double *off, double *on)
{
	double ns[2][ROUNDS];
	for (int i = 0; i < ROUNDS; i++)
		for (int k = 0; k < 2; k++) {
			bool with = (i + k) % 2;
			ns[with][i] = once(r, with);
		}
	*off = 1e9 / median(ns[0], ROUNDS);
	*on = 1e9 / median(ns[1], ROUNDS);
}

static void compare(ov_core_t *core, const char *threads, int layers)
{
	double off[GROUPS], on[GROUPS];
	ov_compiled_model_t *cm;
	ov_infer_request_t *r;
	tarn_comparison_info c;
	ov_model_t *m = make_model(core, 1024, layers);
	must(ov_core_compile_model(core, m, "CPU", 2, &cm, "INFERENCE_NUM_THREADS", threads));
	must(ov_compiled_model_create_infer_request(cm, &r));
	(void)once(r, false);
	for (int i = 0; i < GROUPS; i++)
		group(r, &off[i], &on[i]);
	must(tarn_compare_rates(off, on, GROUPS, &c));
	printf("%2d layers: %6.2f us an inference; the timeline adds %.2f %% [%.2f, %.2f] (measured)\n", layers,
	       1e6 / median(off, GROUPS), 100 / c.gain - 100, 100 / c.high - 100, 100 / c.low - 100);
	ov_infer_request_free(r);
	ov_compiled_model_free(cm);
	ov_model_free(m);
}

int main(int argc, char **argv)
{
	ov_core_t *core;
	must(ov_core_create(&core));
	for (int layers = 4; layers <= MOST_LAYERS; layers *= 4)
		compare(core, argc > 1 ? argv[1] : "1", layers);
	ov_core_free(core);
	return 0;
}
