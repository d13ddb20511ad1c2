/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench: state shared by set-up (bench_setup.c), measurement (bench_measure.c, bench_live.c) and report (bench_report.c,
 * bench_verdict.c). */
#ifndef TARN_TOOL_BENCH_H
#define TARN_TOOL_BENCH_H

#include <stdatomic.h>

#include "input.h"
#include "session.h"
#include "tarn/diagnose.h"
#include "tarn/profile.h"

typedef struct bench {
	session s;
	const options *o;
	options set; /* o with what --settings adds; then o points here */
	char set_streams[16];
	bool quiet; /* prints nothing but errors and notes */
	bool async, inference_only;
	const char *hint;  /* as given to the library; NULL: none */
	long nireq, niter; /* niter 0: by time */
	double seconds;
	long batch;
	long streams;
	ov_infer_request_t **request;
	size_t n_in;
	ov_tensor_t **tensor; /* n_in for each request, for refilling */
	uint64_t seed;
	bool *loaded;       /* by input: it has data, nothing is made up */
	struct live *live;  /* NULL: inputs are not prepared in the loop */
	const char *source; /* of live inputs, for people: a folder, or standard input; NULL: none */
	long workers;       /* threads that start inferences, and prepare their inputs when they are live */
	/* results */
	double first_ms, duration_ms;
	double *latency; /* of each inference, ms */
	size_t n, cap;
	double prepare, copy_in, device, copy_out, wait, total; /* sums over inferences, ms of host time */
	double *device_ms;                                      /* what the device reported; n_device of them */
	size_t n_device, cap_device;
	bool device_modelled, interrupted;
	double peak_rss_mb;  /* of this process when measuring ended */
	double band;         /* of a modelled device_ms, relative; NAN: not known */
	double mac, ddr;     /* of the device's peaks: sums while measuring, shares after bench_find_counters; NAN: not known */
	double int8;         /* share of the model's multiply-accumulates; NAN: not known */
	int64_t macs;        /* of one inference; 0: not known */
	double scaled_share; /* of preparing, with --scaled-decode; NAN: not known */
	double delay_all;    /* what all threads waited for a processor, ms */
	double results;      /* in the callback that looks at results, ms; -callback-work is part of it */
	double own_cpu;      /* processor time of this process while measuring, ms, without a simulated device's own */
	double delay_caller; /* what the thread that called waited, ms: of delay_all, not the device's threads */
	double prepare_cpu, delay; /* ms: processor time of preparing; what the workers waited for a processor */
	double others;             /* of the processors, used by other programs; NAN: not known */
	double busy_counter;       /* of the time measured, busy by the device's own counter; NAN: it has none we can read */
	bool summed, accounted;    /* are these known: */
	tarn_timeline_summary sum;
	tarn_device_account account;
	/* What the device would take of one inference, modelled: on all tiles, on 8 bits, of one of `suppose_batch` samples
	 * that go together; 0: not known. */
	double suppose_tiles, suppose_int8, suppose_batch_ms;
	int suppose_batch;
	struct vs *vs;          /* what it was compared with; NULL: nothing */
	tarn_timeline timeline; /* of the measurement, for --html; later ones do not touch it */
} bench;

/* Shares of host time over all inferences; they add up to 1. */
typedef struct bench_shares {
	double prepare, copy_in, device, copy_out, wait, other;
} bench_shares;

/* Steps 1 to 9, with b->o and b->s.command set and the rest zeroed; 0 or an exit code after its message. To be closed in any
 * case. */
int bench_open(bench *b);
void bench_close(bench *b);
void bench_step(const bench *b, int n, const char *title);

/* Warm-up, then the loop; 0 or an exit code after its message. */
int bench_measure(bench *b);
int bench_report_text(bench *b);
int bench_report_json(bench *b, json *j);
int bench_json_body(bench *b, json *j); /* the same within an object that is begun */
/* --trace: of what was measured last. */
int bench_write_trace(const bench *b);
/* Fills the inputs of request i anew: from the samples of that number, or what that worker fetched, with --live and --stdin;
 * else with other random values. */
enum { BENCH_NO_MORE = -1 };
enum { MAX_REQUESTS = 4096, MAX_WORKERS = 256 };
int bench_fill(bench *b, long i, long worker, long ticket);

/* Set by an interrupt: nothing more is started. */
extern atomic_int bench_stop;

/* --live and --stdin: opens the source for each worker; before it, the requests have their tensors. */
int bench_live_open(bench *b, size_t input);
void bench_live_close(bench *b);
/* Reads what one inference takes from standard input, by one worker at a time; nothing to be done with --live. BENCH_NO_MORE:
 * it has ended. */
int bench_live_fetch(bench *b, long worker);
int bench_live_fill(bench *b, long i, long worker, long ticket);
/* Are JPEGs decoded in a size that is at least twice what the input takes? */
bool bench_live_decodes_in_full(const bench *b);

/* What comes before a measurement: live inputs in all requests, and one inference. */
int bench_warm(bench *b);
/* Measures again for that long, without a warm-up; what was measured before is forgotten. */
int bench_again(bench *b, double seconds);
/* Samples a second. */
double bench_rate(const bench *b);
double bench_device_ms(const bench *b); /* mean */

/* Once, after each measurement. */
void bench_find_counters(bench *b);
/* Modelled time of one inference of that model there, with one more property; 0: nobody can tell. */
double bench_estimate(const bench *b, const ov_model_t *model, const char *key, const char *value);
/* Everything a verdict is concluded from, as far as it is known. */
void bench_get_counters(const bench *b, tarn_diag_counters *c);
/* What preparing with --scaled-decode takes of what it takes now, on a few samples; NAN: it does not apply. */
double bench_live_scaled_share(bench *b);
bench_shares bench_find_shares(const bench *b);
double bench_host_ms(const bench *b); /* of which they are shares: summed over requests */
/* Of the time measured; NAN where the host's clock says nothing about the device. */
double bench_busy(const bench *b);
double bench_mac(const bench *b); /* NAN: not reported */
double bench_ddr(const bench *b);
/* Where the time of a request, of the device, and of its peak went. */
void bench_json_anatomy(const bench *b, json *j);
void bench_json_state(const bench *b, json *j); /* "state": what else has a say in the figures, now */
void bench_json_waterfall(const bench *b, json *j);
void bench_print_idle(const bench *b);
void bench_print_waterfall(const bench *b);
/* --vs: both in turns; the results stand in b->vs until closed. */
int bench_vs_run(bench *b);
void bench_vs_close(bench *b);
void bench_vs_print(const bench *b);
void bench_vs_json(const bench *b, json *j);
/* What is advised as a whole command line, where it is one; SAMPLES stands for a folder that is not known. False: it is not, or
 * there is no room. */
bool bench_command(const bench *b, const tarn_verdict *v, char *text, size_t size);
/* The sentence at the end, or "verdict" in JSON. */
int bench_print_verdict(const bench *b);
int bench_json_verdict(const bench *b, json *j);

#endif
