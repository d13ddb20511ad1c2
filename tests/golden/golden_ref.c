/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models with known inputs and outputs on the reference implementation: golden_ref [--pass] [--ir] [--bound] [--only TEXT]
 * MODELS GOLDENS. --bound: models with free dimensions, bounded above the golden's sizes (golden_bound.h).
 *
 * GOLDENS/<kind>/<model>[_suffix]/ holds in_<name>.npy and out_<name>.npy (names with every character outside [A-Za-z0-9._-]
 * as '_'), MODELS/<kind>/<model>.onnx (or .xml) the model. Relative error: max|a-b| / max|b|, at most 1e-4; 3e-2 where integers
 * are involved
 * ("qdq" or "INT8" in the name: its golden comes from another runtime's integer kernels). Exit 77 when a folder is absent.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "fmt/fmt.h"
#include "fmt/ovir/ovir.h"
#include "golden_bound.h"
#include "npy_in.h"
#include "ops/ops.h"
#include "pass/pass.h"

enum { MAX_IO = 64 };

static void file_of(const char *folder, const char *kind, const char *name, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/%s_", folder, kind);
	for (; *name && n > 0 && (size_t)n + 5 < size; name++, n++)
		path[n] = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *name) ? *name : '_';
	snprintf(path + n, size - (size_t)n, ".npy");
}

static tarn_err error_of(const tarn_tensor *got, const tarn_tensor *want, double *rel)
{
	bool same = got->rank == want->rank;
	for (int i = 0; same && i < got->rank; i++)
		same = got->dim[i] == want->dim[i];
	CHECK(same, TARN_SHAPE, "another shape");
	double diff = 0, top = 1e-6;
	for (int64_t i = 0; i < tarn_tensor_count(got); i++) {
		double a = tarn_tensor_f64(got, i), b = tarn_tensor_f64(want, i);
		diff = isfinite(a) ? fmax(diff, fabs(a - b)) : INFINITY;
		top = fmax(top, fabs(b));
	}
	*rel = diff / top;
	return TARN_OK;
}

/* The valid part of an output, in the golden's size. */
static tarn_err cut_to(tarn_tensor *got, const tarn_tensor *want)
{
	tarn_tensor cut;
	TRY(tarn_tensor_new(got->type, want->rank, want->dim, &cut));
	tarn_err err = tarn_tensor_copy_corner(got, &cut);
	tarn_tensor_fini(got);
	*got = cut;
	return err;
}

static tarn_err run(const tarn_model *m, const char *folder, bool *bound, double *worst)
{
	const tarn_graph *g = m->main;
	tarn_tensor in[MAX_IO] = {0}, got[MAX_IO] = {0}, want = {0};
	const tarn_tensor *ptr[MAX_IO];
	char path[2048];
	tarn_err err;
	CHECK(g->input.len <= MAX_IO && g->output.len <= MAX_IO, TARN_LIMIT, "more than %d inputs or outputs", MAX_IO);
	for (size_t i = 0; i < g->input.len; i++) {
		file_of(folder, "in", g->input.at[i]->name, path, sizeof path);
		TRY_GOTO(out, npy_in(path, &in[i]));
		ptr[i] = &in[i];
	}
	if (*bound)
		TRY_GOTO(out, golden_bound(m, in, got, bound));
	else
		TRY_GOTO(out, tarn_graph_eval(g, ptr, got, NULL, NULL));
	bool computed = got[0].type != TARN_DTYPE_NONE;
	for (size_t i = 0; computed && i < g->output.len; i++) {
		double rel = 0;
		file_of(folder, "out", g->output.at[i]->name, path, sizeof path);
		TRY_GOTO(out, npy_in(path, &want));
		if (*bound)
			TRY_GOTO(out, cut_to(&got[i], &want));
		err = tarn_err_note(error_of(&got[i], &want, &rel), "in output '%s'", g->output.at[i]->name);
		tarn_tensor_fini(&want);
		if (err != TARN_OK)
			goto out;
		*worst = fmax(*worst, rel);
	}
out:
	for (int i = 0; i < MAX_IO; i++) {
		tarn_tensor_fini(&in[i]);
		tarn_tensor_fini(&got[i]);
	}
	tarn_tensor_fini(&want);
	return err;
}

/* The model whose name is the longest beginning of the golden's. */
static bool model_of(const char *models, const char *kind, const char *golden, char *path, size_t size)
{
	char stem[512];
	snprintf(stem, sizeof stem, "%s", golden);
	for (;;) {
		snprintf(path, size, "%s/%s/%s.onnx", models, kind, stem);
		if (tarn_file_exists(path))
			return true;
		snprintf(path, size, "%s/%s/%s.xml", models, kind, stem);
		if (tarn_file_exists(path))
			return true;
		char *cut = strrchr(stem, '_');
		if (!cut)
			return false;
		*cut = 0;
	}
}

/* The model through the IR: written, read, its quantized form raised. */
static tarn_err through_ir(tarn_model **m)
{
	tarn_str xml = {0}, bin = {0};
	tarn_buffer *x = NULL, *b = NULL;
	tarn_model *back = NULL;
	tarn_err err;
	TRY_GOTO(out, tarn_ovir_write_memory(*m, &xml, &bin));
	TRY_GOTO(out, tarn_buffer_wrap(xml.at, xml.len, NULL, NULL, &x));
	TRY_GOTO(out, tarn_buffer_new(bin.len, &b));
	if (bin.len)
		memcpy(b->at, bin.at, bin.len);
	TRY_GOTO(out, tarn_ovir_read_memory(x, b, &back));
	TRY_GOTO(out, tarn_pass_raise(back));
	tarn_model_unref(*m);
	*m = back;
	back = NULL;
out:
	tarn_model_unref(back);
	tarn_buffer_unref(x);
	tarn_buffer_unref(b);
	tarn_str_fini(&xml);
	tarn_str_fini(&bin);
	return err;
}

static int one(const char *model, const char *folder, const char *name, bool pass, bool ir, bool bound)
{
	double limit = strstr(name, "qdq") || strstr(name, "INT8") ? 3e-2 : 1e-4, worst = 0;
	int64_t t0 = tarn_clock_ns();
	bool bounded = bound;
	tarn_model *m = NULL;
	tarn_err err = tarn_model_read(model, NULL, &m);
	if (err == TARN_OK && pass)
		err = tarn_pass_standard(m);
	if (err == TARN_OK && ir)
		err = through_ir(&m);
	double read_ms = (double)(tarn_clock_ns() - t0) * 1e-6;
	t0 = tarn_clock_ns();
	if (err == TARN_OK)
		err = run(m, folder, &bounded, &worst);
	size_t nodes = m ? m->main->node.len : 0;
	tarn_model_unref(m);
	if (err != TARN_OK) {
		printf("FAIL %s: %s\n", name, tarn_err_text());
		return 1;
	}
	if (bound && !bounded)
		return -1;
	bool ok = worst <= limit;
	printf("%s %s: relative error %.2e (at most %g), %zu nodes, read %.1f ms, run %.0f ms\n", ok ? "ok  " : "FAIL", name,
	       worst, limit, nodes, read_ms, (double)(tarn_clock_ns() - t0) * 1e-6);
	return !ok;
}

typedef struct options {
	const char *models, *goldens, *only;
	bool pass, ir, bound;
} options;

static int run_kind(const options *o, const char *kind, int *n)
{
	char folder[1024], full[2048], model[2048];
	snprintf(folder, sizeof folder, "%s/%s", o->goldens, kind);
	char **names;
	size_t len;
	int bad = 0;
	if (!tarn_file_is_dir(folder) || tarn_file_list(folder, &names, &len) != TARN_OK)
		return 0;
	for (size_t i = 0; i < len; i++) {
		snprintf(full, sizeof full, "%s/%s", folder, names[i]);
		if (!tarn_file_is_dir(full) || (o->only && !strstr(names[i], o->only)) ||
		    !model_of(o->models, kind, names[i], model, sizeof model))
			continue;
		int code = one(model, full, names[i], o->pass, o->ir, o->bound);
		bad += code > 0;
		*n += code >= 0;
	}
	tarn_mem_free(names);
	return bad;
}

int main(int argc, char **argv)
{
	options o = {0};
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--pass"))
			o.pass = true;
		else if (!strcmp(argv[i], "--ir"))
			o.ir = true;
		else if (!strcmp(argv[i], "--bound"))
			o.bound = true;
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			o.only = argv[++i];
		else if (!o.models)
			o.models = argv[i];
		else
			o.goldens = argv[i];
	}
	if (!o.goldens) {
		fprintf(stderr, "usage: golden_ref [--pass] [--ir] [--bound] [--only TEXT] MODELS GOLDENS\n");
		return 2;
	}
	char **kinds;
	size_t n_kinds;
	if (!tarn_file_is_dir(o.models) || !tarn_file_is_dir(o.goldens) ||
	    tarn_file_list(o.goldens, &kinds, &n_kinds) != TARN_OK) {
		printf("skipped: no folder '%s'\n", tarn_file_is_dir(o.models) ? o.goldens : o.models);
		return 77;
	}
	int bad = 0, n = 0;
	for (size_t i = 0; i < n_kinds; i++)
		bad += run_kind(&o, kinds[i], &n);
	tarn_mem_free(kinds);
	printf("%d of %d goldens\n", n - bad, n);
	return bad || !n;
}
