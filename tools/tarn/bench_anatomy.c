/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench, diagnose: where the time of a request, of the device and of its peak went. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "host.h"
#include "say.h"

static const char *device_source(const bench *b)
{
	return b->s.simulated ? "modelled" : "measured";
}

/* Samples a second if all processors did nothing but prepare and copy. NAN: not known. */
static double host_roof(const bench *b)
{
	double copies = b->copy_in + b->copy_out, cpu = b->prepare_cpu + copies;
	return cpu > 0 && b->n ? (double)sysconf(_SC_NPROCESSORS_ONLN) * 1e3 * (double)b->batch * (double)b->n / cpu : NAN;
}

/* The same if the device never waited. */
static double device_roof(const bench *b)
{
	double ms = bench_device_ms(b);
	return ms > 0 && !isnan(bench_busy(b)) ? (double)b->batch * 1e3 * (double)b->streams / ms : NAN;
}

/* The clock of its multipliers while it ran; NAN: not known. */
static double device_mhz(const bench *b)
{
	const tarn_device_account *a = &b->account;
	double longer = bench_device_ms(b) - a->total_ms;
	if (!b->accounted || !(a->mhz > 0))
		return NAN;
	/* The simulated device's multipliers have a clock of their own: what takes longer is their part. */
	return a->dpu_ms > 0 && longer > 0.005 * a->total_ms ? a->mhz * a->dpu_ms / (a->dpu_ms + longer) : a->mhz;
}

/* ---- JSON ---- */

/* Mean phases of one inference, and the device's idle time by cause. */
static void json_requests(const bench *b, json *j)
{
	const tarn_timeline_summary *s = &b->sum;
	if (!b->summed) {
		json_null(j, "request_ms");
		json_null(j, "idle");
		return;
	}
	json_begin(j, "request_ms", '{');
	json_num(j, "prepare", s->prepare);
	json_num(j, "slot", s->slot);
	json_num(j, "copy_in", s->copy_in);
	json_num(j, "queue", s->queue);
	json_num(j, "device", s->device);
	json_num(j, "notice", s->notice);
	json_num(j, "copy_out", s->copy_out);
	json_num(j, "callback", s->callback);
	json_text(j, "source", "measured");
	json_end(j, '}');
	json_begin(j, "idle", '{');
	json_num(j, "busy", s->busy);
	json_num(j, "prepare", s->gap_prepare);
	json_num(j, "copies", s->gap_copy);
	json_num(j, "host", s->gap_host);
	json_num(j, "no_input", s->gap_input);
	json_text(j, "source", device_source(b));
	json_end(j, '}');
}

static void json_host(const bench *b, json *j)
{
	double work = b->duration_ms * (double)b->workers, in_flight = b->n ? b->total / (double)b->n : NAN;
	double known = b->n ? (b->copy_in + b->device + b->copy_out + b->wait) / (double)b->n : NAN;
	json_begin(j, "host", '{');
	json_figure(j, "overhead_us", (in_flight - known) * 1e3, "us", "measured", -1);
	/* Everything this process computed besides preparing; on the CPU device that is the model itself. */
	json_figure(j, "cpu_us", b->n ? (b->own_cpu - b->prepare_cpu) * 1e3 / (double)b->n : NAN, "us", "measured", -1);
	json_int(j, "processors", sysconf(_SC_NPROCESSORS_ONLN));
	json_figure(j, "prepare_cpu_ms", b->n ? b->prepare_cpu / (double)b->n : NAN, "ms", "measured", -1);
	json_figure(j, "roof_fps", host_roof(b), "1/s", "measured", -1);
	json_figure(j, "device_roof_fps", device_roof(b), "1/s", device_source(b), -1);
	json_num(j, "waiting_for_processor", work > 0 ? b->delay / work : NAN);
	json_num(j, "other_programs", b->others);
	json_num(j, "scaled_decode_share", b->scaled_share);
	json_text(j, "source", "measured");
	json_end(j, '}');
}

static void json_account(const bench *b, json *j)
{
	const tarn_device_account *a = &b->account;
	if (!b->accounted || !(a->total_ms > 0)) {
		json_null(j, "device_time");
		return;
	}
	json_begin(j, "device_time", '{');
	json_num(j, "total_ms", a->total_ms);
	json_num(j, "fixed_ms", a->fixed_ms);
	json_num(j, "dpu_ms", a->dpu_ms);
	json_num(j, "shave_ms", a->shave_ms);
	json_num(j, "copy_ms", a->copy_ms);
	json_num(j, "stall_weights_ms", a->stall_weights_ms);
	json_num(j, "stall_inputs_ms", a->stall_inputs_ms);
	json_num(j, "stall_stores_ms", a->stall_stores_ms);
	json_num(j, "free_bandwidth_ms", a->free_bandwidth_ms);
	json_num(j, "free_compute_ms", a->free_compute_ms);
	json_num(j, "turbo_ms", a->turbo_ms);
	json_int(j, "tiles", a->tiles);
	json_int(j, "device_tiles", a->device_tiles);
	json_num(j, "mhz", a->mhz);
	json_num(j, "mhz_highest", a->mhz_highest);
	json_int(j, "weight_bytes", a->weight_bytes);
	json_int(j, "load_bytes", a->load_bytes);
	json_int(j, "store_bytes", a->store_bytes);
	json_int(j, "ddr_arena_bytes", a->ddr_arena_bytes);
	json_int(j, "spill_bytes", a->spill_bytes);
	json_num(j, "band", a->band);
	json_text(j, "source", "modelled");
	json_end(j, '}');
}

static int find_waterfall(const bench *b, tarn_waterfall_info *w)
{
	if (!b->accounted || !b->n || isnan(bench_busy(b)))
		return 1;
	return tarn_make_waterfall(&b->account, bench_device_ms(b), b->duration_ms / (double)b->n, b->macs, w) == OK ? 0 : 1;
}

void bench_json_waterfall(const bench *b, json *j)
{
	tarn_waterfall_info w;
	if (find_waterfall(b, &w)) {
		json_null(j, "waterfall");
		return;
	}
	json_begin(j, "waterfall", '{');
	json_num(j, "advertised", (double)w.advertised * 1e-3);
	json_begin(j, "losses", '[');
	for (int i = 0; i < TARN_WATERFALL_ROWS; i++) {
		json_begin(j, NULL, '{');
		json_text(j, "name", w.row[i].word);
		json_text(j, "why", w.row[i].what);
		if (w.row[i].known)
			json_num(j, "loss", (double)w.row[i].loss * 1e-3);
		else
			json_null(j, "loss");
		json_end(j, '}');
	}
	json_end(j, ']');
	json_num(j, "achieved", (double)w.achieved * 1e-3);
	json_text(j, "unit", "TOPS");
	json_text(j, "source", device_source(b));
	json_end(j, '}');
}

void bench_json_state(const bench *b, json *j)
{
	host_state h;
	char *turbo = NULL;
	host_find_state(&h);
	json_begin(j, "state", '{');
	if (!strcmp(b->s.runs_on, "NPU"))
		(void)ov_compiled_model_get_property(b->s.compiled, "NPU_TURBO", &turbo);
	json_text(j, "turbo", turbo);
	json_num(j, "device_mhz", device_mhz(b));
	json_num(j, "device_mhz_nominal", b->accounted ? b->account.mhz : NAN);
	json_text(j, "device_mhz_source", !b->accounted || isnan(device_mhz(b)) ? NULL : device_source(b));
	json_num(j, "host_load", h.load);
	json_num(j, "host_mhz", h.mhz);
	json_text(j, "host_governor", *h.governor ? h.governor : NULL);
	json_text(j, "power", *h.power ? h.power : NULL);
	json_num(j, "other_programs", b->others);
	json_end(j, '}');
	ov_free(turbo);
}

void bench_json_anatomy(const bench *b, json *j)
{
	json_requests(b, j);
	json_host(b, j);
	json_account(b, j);
	bench_json_waterfall(b, j);
	bench_json_state(b, j);
}

/* ---- text ---- */

void bench_print_idle(const bench *b)
{
	const tarn_timeline_summary *s = &b->sum;
	double host = host_roof(b), device = device_roof(b);
	if (b->live && host > 0 && device > 0)
		printf("Roofs: host %.0f FPS (%ld processors, %.2f ms of their time a sample), device %.0f FPS: %s is the "
		       "lower one\n",
		       host, sysconf(_SC_NPROCESSORS_ONLN), b->prepare_cpu / (double)(b->n * (size_t)b->batch), device,
		       host < device ? "the host's" : "the device's");
	if (!b->summed || s->busy > 0.995)
		return;
	printf("%s: %.1f %% while inputs were prepared, %.1f %% copied, %.1f %% host noticed or handed over, %.1f %% "
	       "nothing "
	       "asked\n",
	       b->streams > 1 && !b->n_device ? "All streams idle" : "Device idle", s->gap_prepare * 100, s->gap_copy * 100,
	       s->gap_host * 100, s->gap_input * 100);
}

void bench_print_waterfall(const bench *b)
{
	tarn_waterfall_info w;
	if (find_waterfall(b, &w))
		return;
	printf("From advertised to achieved, TOPS (%s):\n", device_source(b));
	printf("  %8.3f  advertised\n", (double)w.advertised * 1e-3);
	for (int i = 0; i < TARN_WATERFALL_ROWS; i++)
		if (w.row[i].known)
			printf("  %8.3f  %s: %s\n", 0 - (double)w.row[i].loss * 1e-3, w.row[i].word, w.row[i].what);
	printf("  %8.3f  achieved\n", (double)w.achieved * 1e-3);
}
