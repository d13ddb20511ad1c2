/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench --live and --stdin: every input is read, decoded and prepared inside the loop, straight into the request's own
 * tensor. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bench.h"
#include "host.h"
#include "frames.h"

/* A data set belongs to one thread at a time: each worker has its own. */
struct live {
	frames *frames; /* of standard input; NULL: data sets */
	tarn_dataset_t **data;
	long n;
	size_t input, samples;
	long batch;      /* samples of one inference */
	long short_side; /* what the input or -resize asks for */
};

/* One sample, where the first axis may count several. */
static int set_target(bench *b, tarn_dataset_t *data, ov_element_type_e type, const ov_shape_t *shape)
{
	struct live *l = b->live;
	int64_t dims[16], n = shape->rank < 16 ? shape->rank : 16;
	if (n > 0)
		memcpy(dims, shape->dims, (size_t)n * sizeof *dims);
	l->batch = 1;
	if (tarn_set_dataset_target(data, type, (ov_shape_t){n, dims}) == OK)
		return 0;
	if (n < 2 || dims[0] < 2)
		return fail_last(b->s.command);
	l->batch = (long)dims[0];
	dims[0] = 1;
	return tarn_set_dataset_target(data, type, (ov_shape_t){n, dims}) == OK ? 0 : fail_last(b->s.command);
}

static int open_all(bench *b, const tarn_data_options_t *prep, ov_element_type_e type, const ov_shape_t *shape)
{
	struct live *l = b->live;
	for (; l->n < b->workers; l->n++) {
		if (tarn_open_dataset(b->o->live, prep, &l->data[l->n]) != OK)
			return fail_last(b->s.command);
		int code = set_target(b, l->data[l->n], type, shape);
		if (code) {
			l->n++;
			return code;
		}
	}
	if (tarn_get_dataset_count(l->data[0], &l->samples) != OK)
		return fail_last(b->s.command);
	return l->samples ? 0 : fail(3, b->s.command, "%s has no samples; give a folder of images", b->o->live);
}

/* One frame fills one inference, or one row of a batch. */
static int open_frames(bench *b, const tarn_data_options_t *prep, ov_element_type_e type, const ov_shape_t *shape)
{
	int64_t dims[16], n = shape->rank < 16 ? shape->rank : 16;
	if (n > 0)
		memcpy(dims, shape->dims, (size_t)n * sizeof *dims);
	b->live->batch = 1;
	if (n == 4 && dims[0] > 1) {
		b->live->batch = (long)dims[0];
		dims[0] = 1;
	}
	const frames_source from = {b->s.command, b->o->frames, STDIN_FILENO, &bench_stop};
	return frames_open(&from, b->workers, b->live->batch, type, &(ov_shape_t){n, dims}, prep, &b->live->frames);
}

int bench_live_open(bench *b, size_t input)
{
	tarn_data_options_t prep;
	int code = prep_options(&b->s, &prep);
	if (code)
		return code;
	prep.scaled_decode = b->o->scaled_decode;
	ov_element_type_e type;
	ov_shape_t shape = {0, NULL};
	const ov_tensor_t *t = b->tensor[input];
	if (ov_tensor_get_element_type(t, &type) != OK || ov_tensor_get_shape(t, &shape) != OK)
		return fail_last(b->s.command);
	b->live = calloc(1, sizeof *b->live);
	if (b->live)
		b->live->data = calloc((size_t)b->workers, sizeof(tarn_dataset_t *));
	if (!b->live || !b->live->data) {
		code = fail(1, b->s.command, "out of memory");
		goto done;
	}
	b->live->input = input;
	code = b->o->frames ? open_frames(b, &prep, type, &shape) : open_all(b, &prep, type, &shape);
	for (int64_t k = 1; k < shape.rank; k++)
		b->live->short_side = shape.dims[k] > b->live->short_side ? (long)shape.dims[k] : b->live->short_side;
	if (b->o->resize > 0)
		b->live->short_side = b->o->resize;
	if (!code)
		b->batch = b->live->batch;
done:
	ov_shape_free(&shape);
	return code;
}

void bench_live_close(bench *b)
{
	for (long i = 0; b->live && i < b->live->n; i++)
		tarn_close_dataset(b->live->data[i]);
	if (b->live) {
		frames_close(b->live->frames);
		free(b->live->data);
	}
	free(b->live);
	b->live = NULL;
}

int bench_live_fetch(bench *b, long worker)
{
	int code = b->live->frames ? frames_read(b->live->frames, worker) : 0;
	return code == FRAMES_END ? BENCH_NO_MORE : code;
}

static int fill_one(const bench *b, long worker, long k, long ticket, void *to, size_t bytes)
{
	const struct live *l = b->live;
	if (l->frames)
		return frames_prepare(l->frames, worker, k, to);
	size_t number = (size_t)(ticket * l->batch + k) % l->samples;
	return tarn_read_sample(l->data[worker], number, to, bytes) == OK ? 0 : fail_last(b->s.command);
}

int bench_live_fill(bench *b, long i, long worker, long ticket)
{
	const struct live *l = b->live;
	const ov_tensor_t *t = b->tensor[(size_t)i * b->n_in + l->input];
	void *at;
	size_t bytes;
	int code = ov_tensor_data(t, &at) == OK && ov_tensor_get_byte_size(t, &bytes) == OK ? 0 : fail_last(b->s.command);
	for (long k = 0; k < l->batch && !code; k++)
		code = fill_one(b, worker, k, ticket, (char *)at + (size_t)k * (bytes / (size_t)l->batch),
				bytes / (size_t)l->batch);
	return code;
}

/* The shorter side from a JPEG's frame header; 0 when the file is none, or is cut short. */
static long jpeg_short_side(const char *path)
{
	FILE *f = fopen(path, "rb");
	long found = 0;
	if (!f)
		return 0;
	if (fgetc(f) == 0xff && fgetc(f) == 0xd8)
		for (int parts = 0; parts < 256 && !found; parts++) {
			int c = fgetc(f), marker = fgetc(f), hi = fgetc(f), lo = fgetc(f);
			if (c != 0xff || hi < 0 || lo < 0)
				break;
			/* C0 to CF are frames, but C4, C8 and CC mean something else. */
			if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
				unsigned char frame[5];
				if (fread(frame, 1, 5, f) != 5)
					break;
				long h = frame[1] << 8 | frame[2], w = frame[3] << 8 | frame[4];
				found = h < w ? h : w;
			} else if (fseek(f, (hi << 8 | lo) - 2, SEEK_CUR)) {
				break;
			}
		}
	fclose(f);
	return found;
}

bool bench_live_decodes_in_full(const bench *b)
{
	char *name = NULL, path[4096];
	if (!b->o->live || !b->live || b->o->scaled_decode || tarn_get_dataset_name(b->live->data[0], 0, &name) != OK)
		return false;
	int n = snprintf(path, sizeof path, "%s/%s", b->o->live, name);
	ov_free(name);
	return n > 0 && (size_t)n < sizeof path && jpeg_short_side(path) >= 2 * b->live->short_side;
}

/* Processor time of preparing the first few samples, ms each. */
static int probe(const bench *b, bool scaled, double *ms)
{
	enum { SAMPLES = 4 };
	const struct live *l = b->live;
	const ov_tensor_t *like = b->tensor[l->input];
	tarn_data_options_t prep;
	tarn_dataset_t *data = NULL;
	ov_tensor_t *to = NULL;
	ov_shape_t shape = {0, NULL};
	ov_element_type_e type;
	size_t bytes;
	void *at;
	bool ok = !prep_options(&b->s, &prep);
	prep.scaled_decode = scaled;
	ok = ok && ov_tensor_get_element_type(like, &type) == OK && ov_tensor_get_shape(like, &shape) == OK;
	ok = ok && ov_tensor_create(type, shape, &to) == OK && ov_tensor_data(to, &at) == OK;
	ok = ok && ov_tensor_get_byte_size(to, &bytes) == OK && tarn_open_dataset(b->o->live, &prep, &data) == OK;
	if (ok && l->batch > 1)
		shape.dims[0] = 1;
	ok = ok && tarn_set_dataset_target(data, type, shape) == OK;
	double begin = 0;
	for (size_t i = 0; ok && i <= SAMPLES; i++) { /* the first is a warm-up */
		begin = i == 1 ? host_thread_cpu_ms() : begin;
		ok = tarn_read_sample(data, i % l->samples, at, bytes / (size_t)l->batch) == OK;
	}
	*ms = (host_thread_cpu_ms() - begin) / SAMPLES;
	tarn_close_dataset(data);
	ov_tensor_free(to);
	ov_shape_free(&shape);
	return ok;
}

double bench_live_scaled_share(bench *b)
{
	double full, scaled;
	if (b->o->frames || !bench_live_decodes_in_full(b) || !probe(b, false, &full) || !probe(b, true, &scaled) ||
	    !(full > 0))
		return NAN;
	return scaled / full;
}
