/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the text classifier learns from: random snippets of a project's own files, with the kind of file as the class.
 *
 * usage: git ls-files | text-snippets SAMPLES.tsv LENGTH COUNT SEED FOLDER
 *
 * Classes: 0 C source, 1 C header, 2 build script (CMake, Make), 3 shell, 4 Python, 5 prose (Markdown). Writes the model's
 * inputs as i64 [COUNT,LENGTH] (padded with zeros, which the mask leaves out) and labels.npy into FOLDER. Files that hold a
 * text of SAMPLES.tsv are left out, so that those texts stay unseen; of build scripts, shell and Python, which are few, the
 * last third is. Lines with the licence or the interpreter are left out too: they would give the class away.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "texts.h"

enum { MAX_FILES = 4000, MAX_BYTES = 1 << 20, TELLING = 40 /* bytes of a sample that say which file it is from */ };

typedef struct file {
	char *text;
	size_t n;
} file;
static file files[TEXT_CLASSES][MAX_FILES];
static size_t n_files[TEXT_CLASSES];

static int ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n >= k && !strcmp(s + n - k, end);
}

static int label_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	static const struct {
		const char *end;
		int label;
	} ends[] = {{".c", 0}, {".h", 1}, {".cmake", 2}, {".sh", 3}, {".py", 4}, {".md", 5}};
	if (!strcmp(name, "CMakeLists.txt") || !strcmp(name, "Makefile"))
		return 2;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (ends_with(name, ends[i].end))
			return ends[i].label;
	return !strncmp(path, "scripts/", 8) && !strchr(name, '.') ? 3 : -1;
}

static int is_sample(const file *f)
{
	for (int i = 0; i < n_texts; i++)
		if (texts[i].n >= TELLING && memmem(f->text, f->n, texts[i].text, (size_t)texts[i].n))
			return 1;
	return 0;
}

static void add_file(const char *path)
{
	static char line[8192];
	int label = label_of(path);
	FILE *in = label >= 0 ? fopen(path, "rb") : NULL;
	file f = {malloc(MAX_BYTES), 0};
	int few = label >= 2 && label <= 4;
	while (in && f.text && fgets(line, sizeof line, in)) {
		size_t n = strlen(line);
		if (!strstr(line, "SPDX") && strncmp(line, "#!", 2) && f.n + n < MAX_BYTES) {
			memcpy(f.text + f.n, line, n);
			f.n += n;
		}
	}
	if (in)
		fclose(in);
	f.n = few ? 2 * f.n / 3 : f.n;
	if (f.n < 200 || n_files[label] == MAX_FILES || (!few && is_sample(&f)))
		free(f.text);
	else
		files[label][n_files[label]++] = f;
}

static uint64_t state;
static uint64_t below(uint64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % n;
}

/* A piece of 16 to 128 bytes, short ones as often as long ones. */
static void snippet(int label, int64_t length, int64_t *ids, int64_t *mask, int64_t *places)
{
	const file *f = &files[label][below(n_files[label])];
	size_t n = (size_t)pow(2, 4 + 3 * (double)below(1 << 20) / (1 << 20));
	n = n > f->n ? f->n : n;
	const char *at = f->text + below(f->n - n + 1);
	for (int64_t i = 0; i < length; i++) {
		mask[i] = i < (int64_t)n;
		ids[i] = mask[i] ? (unsigned char)at[i] : 0;
		places[i] = i;
	}
}

int main(int argc, char **argv)
{
	char path[4096];
	int64_t length = argc == 6 ? atoi(argv[2]) : 0, count = argc == 6 ? atoi(argv[3]) : 0, each = count * length;
	if (length < 1 || length > 128 || count < 1 || count > 1000000) {
		fprintf(stderr, "usage: git ls-files | text-snippets SAMPLES.tsv LENGTH COUNT SEED FOLDER\n");
		return 2;
	}
	state = strtoull(argv[4], NULL, 10);
	int rc = texts_read(argv[1]);
	while (!rc && fgets(path, sizeof path, stdin)) {
		path[strcspn(path, "\n")] = 0;
		add_file(path);
	}
	for (int k = 0; k < TEXT_CLASSES && !rc; k++)
		if (!n_files[k]) {
			fprintf(stderr, "text-snippets: no file of class %d\n", k);
			rc = 3;
		}
	int64_t *at = rc ? NULL : malloc((size_t)(TEXT_INPUTS * each + count) * sizeof *at);
	for (int64_t i = 0; at && i < count; i++) {
		int label = (int)below(TEXT_CLASSES);
		at[TEXT_INPUTS * each + i] = label;
		snippet(label, length, at + i * length, at + each + i * length, at + 2 * each + i * length);
	}
	if (!rc)
		rc = at ? texts_write_all(argv[5], count, length, at) : 1;
	free(at);
	return rc;
}
