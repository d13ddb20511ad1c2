/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request costs the host when a program uses the C API as it is: processor time and sleeps of all threads of the
 * process, the simulated device's own left out. Requests stay in flight; each is started anew in its callback, or by a thread
 * that waits for one after the other. Printed: the mean, the least of some windows, and how often threads went to sleep for
 * each request.
 *
 *   TARN_NPU=sim:4000 TARN_NPU_MODE=paced host MODEL [requests] [seconds]
 */
#include <dirent.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "openvino/c/openvino.h"

enum { MOST = 64, WINDOWS = 10 };

static void must(ov_status_e status)
{
	if (status == OK)
		return;
	fprintf(stderr, "%s\n", ov_get_last_err_msg());
	_exit(1);
}

typedef struct use {
	double us;     /* processor time */
	double sleeps; /* times a thread gave up its processor to wait */
} use;

static void add_thread(const char *id, use *u)
{
	char path[300], line[128] = "";
	double ns = 0, n;
	snprintf(path, sizeof path, "/proc/self/task/%s/comm", id);
	FILE *f = fopen(path, "r");
	bool device = f && fgets(line, sizeof line, f) && !strcmp(line, "tarn-npu\n");
	if (f)
		fclose(f);
	if (device)
		return;
	snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", id);
	if ((f = fopen(path, "r"))) {
		u->us += fscanf(f, "%lf", &ns) == 1 ? ns * 1e-3 : 0;
		fclose(f);
	}
	snprintf(path, sizeof path, "/proc/self/task/%s/status", id);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "voluntary_ctxt_switches: %lf", &n) == 1)
			u->sleeps += n;
	if (f)
		fclose(f);
}

static use read_use(void)
{
	use u = {0, 0};
	DIR *d = opendir("/proc/self/task");
	for (struct dirent *e; d && (e = readdir(d));)
		if (*e->d_name != '.')
			add_thread(e->d_name, &u);
	if (d)
		closedir(d);
	return u;
}

static void nap(double seconds)
{
	nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
}

static atomic_long done;
static atomic_bool stop;

static void again(void *arg)
{
	atomic_fetch_add(&done, 1);
	if (!atomic_load(&stop))
		must(ov_infer_request_start_async(arg));
}

typedef struct waiter {
	ov_infer_request_t **r;
	int n;
} waiter;

static void *wait_in_turn(const waiter *w, double until)
{
	struct timespec t;
	for (int i = 0;; i = (i + 1) % w->n) {
		must(ov_infer_request_wait(w->r[i]));
		atomic_fetch_add(&done, 1);
		clock_gettime(CLOCK_MONOTONIC, &t);
		if ((double)t.tv_sec + (double)t.tv_nsec * 1e-9 > until)
			return NULL;
		must(ov_infer_request_start_async(w->r[i]));
	}
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct sum {
	double n, us, sleeps, least;
} sum;

static void window(sum *s, use before, long n_before)
{
	use u = read_use();
	double n = (double)(atomic_load(&done) - n_before), us = (u.us - before.us) / n;
	s->n += n;
	s->us += u.us - before.us;
	s->sleeps += u.sleeps - before.sleeps;
	s->least = us < s->least ? us : s->least;
}

static void measure(const char *name, ov_infer_request_t **r, int n, bool called, double seconds)
{
	sum s = {.least = 1e9};
	const waiter w = {r, n};
	atomic_store(&stop, false);
	for (int i = 0; i < n; i++) {
		const ov_callback_t callback = {again, r[i]};
		if (called)
			must(ov_infer_request_set_callback(r[i], &callback));
		must(ov_infer_request_start_async(r[i]));
	}
	for (int i = 0; i < WINDOWS; i++) {
		use before = read_use();
		long n_before = atomic_load(&done);
		if (called)
			nap(seconds / WINDOWS);
		else
			wait_in_turn(&w, now() + seconds / WINDOWS);
		window(&s, before, n_before);
		for (int k = 0; k < n && !called; k++) {
			must(ov_infer_request_wait(r[k]));
			if (i + 1 < WINDOWS)
				must(ov_infer_request_start_async(r[k]));
		}
	}
	atomic_store(&stop, true);
	for (int i = 0; i < n; i++)
		must(ov_infer_request_wait(r[i]));
	printf("%s: %.0f inferences a second, %.1f us of processor time each (least of %d: %.1f), %.2f sleeps each "
	       "(measured)\n",
	       name, s.n / seconds, s.us / s.n, WINDOWS, s.least, s.sleeps / s.n);
}

int main(int argc, char **argv)
{
	ov_core_t *core;
	ov_compiled_model_t *cm;
	ov_infer_request_t *r[MOST];
	int n = argc > 2 ? atoi(argv[2]) : 8;
	double seconds = argc > 3 ? atof(argv[3]) : 2;
	if (argc < 2 || n < 1 || n > MOST || !(seconds > 0)) {
		fprintf(stderr, "usage: TARN_NPU=sim:4000 TARN_NPU_MODE=paced host MODEL [requests] [seconds]\n");
		return 2;
	}
	must(ov_core_create(&core));
	must(ov_core_compile_model_from_file(core, argv[1], "NPU", 0, &cm));
	for (int i = 0; i < n; i++)
		must(ov_compiled_model_create_infer_request(cm, &r[i]));
	measure("wait    ", r, n, false, seconds);
	measure("callback", r, n, true, seconds);
	for (int i = 0; i < n; i++)
		ov_infer_request_free(r[i]);
	ov_compiled_model_free(cm);
	ov_core_free(core);
	return 0;
}
