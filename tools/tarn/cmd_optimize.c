/* SPDX-License-Identifier: Apache-2.0 */
/* tarn optimize: static shapes, INT8, compile, cache, measure; the results appear in -o together or not at all. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accuracy.h"
#include "bounds.h"
#include "input.h"
#include "optimize.h"
#include "tarn/device.h"
#include "tarn/model.h"

int cmd_optimize(const options *o);

static const char *const command = "optimize";

/* ---- shapes ---- */

static int input_shape(const optimize *z, size_t i, char **name, ov_partial_shape_t *shape)
{
	ov_element_type_e type;
	return input_describe(&z->s, i, name, &type, shape);
}

static void note_shape(const optimize *z, char out[96])
{
	char *name;
	ov_partial_shape_t shape;
	if (!input_shape(z, 0, &name, &shape))
		shape_text(&shape, out, 96);
	ov_free(name);
	ov_partial_shape_free(&shape);
}

/* Free batch axes become 1; what else is free needs the user's word. */
static int fix_shapes(optimize *z)
{
	size_t n = input_count(&z->s), used = 0, *index = calloc(n + 1, sizeof *index);
	ov_partial_shape_t *shape = calloc(n + 1, sizeof *shape);
	int code = index && shape ? 0 : fail(1, command, "out of memory");
	for (size_t i = 0; i < n && !code; i++) {
		char *name = NULL;
		ov_partial_shape_t *s = &shape[used];
		code = input_shape(z, i, &name, s);
		bool changed = false;
		for (int64_t k = 0; !code && k < s->rank.max; k++) {
			if (s->dims[k].min == s->dims[k].max && s->dims[k].max >= 0)
				continue;
			if (k)
				code = fail(3, command,
					    "axis %lld of input '%s' is free; give --bound '%s[%lld]=MAX' for varying lengths, "
					    "or -shape",
					    (long long)k, name, name, (long long)k);
			s->dims[k] = (ov_dimension_t){1, 1};
			changed = true;
		}
		ov_free(name);
		if (changed)
			index[used++] = i;
		else
			ov_partial_shape_free(s);
	}
	if (!code && used && ov_model_reshape_by_port_indexes(z->s.model, index, shape, used) != OK)
		code = fail_last(command);
	for (size_t i = 0; shape && i < n + 1; i++)
		ov_partial_shape_free(&shape[i]);
	free(index);
	free(shape);
	return code;
}

/* ---- folders ---- */

static void remove_tree(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char child[4400];
	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(child, sizeof child, "%.4000s/%.255s", path, e->d_name);
		if (unlink(child))
			remove_tree(child);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static int open_stage(optimize *z, bool *made)
{
	const char *dir = z->o->folder;
	if (strlen(dir) > 3900)
		return fail(2, command, "-o is too long a path");
	*made = !mkdir(dir, 0777);
	if (!*made && errno != EEXIST)
		return fail(1, command, "folder %s cannot be made: %s; check the path", dir, strerror(errno));
	snprintf(z->stage, sizeof z->stage, "%s/.optimize-%ld", dir, (long)getpid());
	if (mkdir(z->stage, 0777)) {
		*z->stage = 0;
		return fail(1, command, "%s cannot be written to: %s; check -o", dir, strerror(errno));
	}
	snprintf(z->path[0], sizeof z->path[0], "%s/float.onnx", z->stage);
	snprintf(z->path[1], sizeof z->path[1], "%s/model.onnx", z->stage);
	snprintf(z->blob, sizeof z->blob, "%s/model.blob", z->stage);
	return 0;
}

/* Everything but the float model moves to its place. */
static int publish(const optimize *z)
{
	static const char *const names[] = {"model.onnx", "model.blob", "cache", "report.json"};
	char from[4400], to[4400];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(from, sizeof from, "%s/%s", z->stage, names[i]);
		snprintf(to, sizeof to, "%s/%s", z->o->folder, names[i]);
		/* What an earlier run left would not belong to this one. */
		if (i == 2)
			remove_tree(to);
		else if (access(from, F_OK))
			unlink(to);
		if (!access(from, F_OK) && rename(from, to))
			return fail(1, command, "%s cannot be written: %s", to, strerror(errno));
	}
	return 0;
}

/* ---- steps ---- */

static void find_npu(optimize *z)
{
	tarn_device_list list;
	snprintf(z->no_npu, sizeof z->no_npu, "there is no device NPU; --sim 4000 simulates one");
	if (tarn_list_devices(z->s.core, &list) != OK)
		return;
	for (size_t i = 0; i < list.size; i++)
		if (!strcmp(list.at[i].name, "NPU")) {
			z->npu = list.at[i].full_name != NULL;
			z->simulated = list.at[i].simulated;
			if (list.at[i].why)
				snprintf(z->no_npu, sizeof z->no_npu, "%s", list.at[i].why);
		}
	tarn_free_devices(&list);
}

static double file_size(const char *path)
{
	struct stat st;
	return stat(path, &st) ? NAN : (double)st.st_size;
}

static void describe(optimize *z, const char *shape)
{
	opt_row *r = opt_add(z, "input_shape", "", "measured");
	snprintf(r->text[0], sizeof r->text[0], "%s", shape);
	note_shape(z, r->text[1]);
	r = opt_add(z, "int8_mac_share", "", "measured");
	r->before = 0;
	r->after = z->report.mac_share_int8;
	r = opt_add(z, "model_bytes", "B", "measured");
	r->before = file_size(z->path[0]);
	r->after = file_size(z->path[1]);
	r = opt_add(z, "sqnr_db", "dB", "measured");
	for (size_t i = 0; i < z->report.n_output; i++)
		r->after = fmin(r->after, z->report.output[i].sqnr_db);
	snprintf(r->why, sizeof r->why, "outputs of the INT8 model against the float one");
}

/* Top-1 on the samples that were not calibrated on; on all of them when there are no others. */
static int measure_top1(optimize *z)
{
	options own = *z->o;
	size_t n = 0, top1[2] = {0, 0}, rest = 0;
	char name[256];
	tarn_dataset_t *d = NULL;
	tarn_data_options_t all = {.skip = own.skip > 0 ? (size_t)own.skip : 0};
	if (!own.labels || own.sources.n != 1 || input_count(&z->s) != 1) {
		opt_add_null(z, "top1", "", own.labels ? "only for models of one input" : "no --labels");
		return 0;
	}
	own.data = calibrate_path(&z->s, own.sources.at[0], name, sizeof name);
	own.device = NULL;
	own.shape = NULL;
	if (tarn_open_dataset(own.data, &all, &d) != OK || tarn_get_dataset_count(d, &n) != OK)
		return fail_last(command);
	tarn_close_dataset(d);
	if (own.first > 0 && n > (size_t)own.first) {
		rest = n - (size_t)own.first;
		own.skip = (own.skip > 0 ? own.skip : 0) + own.first;
		own.first = 0;
	}
	for (int k = 0; k < 2; k++) {
		own.model = z->path[k];
		int code = accuracy_count(&own, &n, &top1[k]);
		if (code)
			return code;
	}
	opt_row *r = opt_add(z, "top1", "", "measured");
	r->before = (double)top1[0] / (double)n;
	r->after = (double)top1[1] / (double)n;
	snprintf(r->why, sizeof r->why, "%zu samples%s, on CPU", n, rest ? "" : ", the calibration's own");
	return 0;
}

static int write_report(const optimize *z)
{
	char path[4400];
	snprintf(path, sizeof path, "%s/report.json", z->stage);
	FILE *f = fopen(path, "w");
	if (!f)
		return fail(1, command, "%s cannot be written: %s", path, strerror(errno));
	opt_show_json(z, f);
	return fclose(f) ? fail(1, command, "%s could not be written; is the disk full?", path) : 0;
}

static void conclude(optimize *z)
{
	const opt_row *cpu = NULL;
	for (size_t i = 0; i < z->n; i++)
		if (!strcmp(z->row[i].name, "cpu_ms"))
			cpu = &z->row[i];
	if (*z->verdict || !cpu)
		return;
	snprintf(z->verdict, sizeof z->verdict, "on this CPU INT8 takes %.2f of the time of f32; device NPU was not measured",
		 cpu->after / cpu->before);
}

static int work(optimize *z)
{
	char shape[96] = "";
	note_shape(z, shape);
	int code = session_reshape(&z->s);
	if (!code)
		code = bounds_open(&z->s);
	if (!code)
		code = fix_shapes(z);
	if (!code)
		code = calibrate(&z->s, &z->int8, &z->report);
	if (code)
		return code;
	if (tarn_save_model(z->s.model, z->path[0]) != OK || tarn_save_model(z->int8, z->path[1]) != OK)
		return fail_last(command);
	find_npu(z);
	describe(z, shape);
	code = measure_top1(z);
	if (!code)
		code = opt_measure_cpu(z);
	if (!code)
		code = opt_measure_npu(z);
	conclude(z);
	if (!code)
		code = write_report(z);
	return code ? code : publish(z);
}

int cmd_optimize(const options *o)
{
	static optimize z; /* large */
	bool made = false;
	if (!o->folder)
		return fail(2, command, "no folder for results; give -o DIR");
	z = (optimize){.o = o};
	int code = session_open(&z.s, command, o);
	if (!code && z.s.is_blob)
		code = fail(2, command, "%s is a compiled model; give the model it was made from", o->model);
	if (!code && !o->sources.n)
		code = fail(2, command, "no data; give --data FOLDER, an npy or an idx file");
	if (!code)
		code = open_stage(&z, &made);
	if (!code)
		code = work(&z);
	if (*z.stage)
		remove_tree(z.stage);
	if (code && made)
		rmdir(o->folder);
	if (!code && o->json)
		opt_show_json(&z, stdout);
	else if (!code)
		opt_show_text(&z);
	tarn_free_quantize_report(&z.report);
	ov_model_free(z.int8);
	session_close(&z.s);
	return code;
}
