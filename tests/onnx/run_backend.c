/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operator conformance: ONNX's backend tests (Debian: libonnx-testdata) on the reference implementation.
 *
 * run_backend [--mode eval|pass|write] [--shard I/N] [--only TEXT] [-v] DATA_FOLDER LISTS_FOLDER
 * run_backend [--mode ...] --case FOLDER | --model FILE
 *
 * LISTS_FOLDER holds unsupported.txt (cases Tarn will not run, with the reason) and xfail.txt (cases that fail today; it may
 * only shrink; xfail_write.txt for what reads but cannot be written). A listed case that passes fails the run, so that the
 * lists stay true. Models older than opset 7 must be refused. Newer versions of the data also hold cases beyond opset 17, the
 * last that Tarn promises; those may be refused without standing in a list, but not give a wrong result. Each case runs in a
 * child process: a crash is a result like any other. Exit 77 when the data folder is absent.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "case.h"

enum { CASE_SECONDS = 60, OLDEST_OPSET = 7, PROMISED_OPSET = 17 };

static const char *const parts[] = {"node", "simple", "pytorch-operator", "pytorch-converted"};

/* First words of a list's lines; '#' begins a comment, a trailing '*' stands for any ending. */
typedef struct list {
	char **at;
	bool *used;
	size_t n;
} list;

static void list_read(const char *folder, const char *name, list *l)
{
	char path[1024], line[512];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "r");
	if (!f)
		return;
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, " \t\r\n#")] = 0;
		if (!*line)
			continue;
		l->at = realloc(l->at, (l->n + 1) * sizeof *l->at);
		l->used = realloc(l->used, (l->n + 1) * sizeof *l->used);
		l->used[l->n] = false;
		l->at[l->n++] = strdup(line);
	}
	fclose(f);
}

static void list_free(list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->at[i]);
	free(l->at);
	free(l->used);
}

static bool list_has(const list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		size_t n = strlen(l->at[i]);
		if (l->at[i][n - 1] == '*' ? !strncmp(l->at[i], name, n - 1) : !strcmp(l->at[i], name)) {
			l->used[i] = true;
			return true;
		}
	}
	return false;
}

typedef enum outcome { PASSED, FAILED, REFUSED, WRONG, CRASHED } outcome;

static void child(const char *folder, case_mode mode, int fd)
{
	tarn_err err = case_run(folder, mode);
	if (err != TARN_OK)
		(void)!write(fd, tarn_err_text(), strlen(tarn_err_text()));
	bool newer = case_opset(folder) > PROMISED_OPSET; /* element types that came later are refused as such */
	_exit(err == TARN_OK                                           ? PASSED
	      : err == TARN_UNSUPPORTED || (newer && err == TARN_TYPE) ? REFUSED
	      : err == TARN_LIMIT                                      ? WRONG
								       : FAILED);
}

static outcome run_child(const char *folder, case_mode mode, char *why, size_t size)
{
	int fd[2], status = 0;
	why[0] = 0;
	if (pipe(fd) != 0)
		return CRASHED;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(fd[0]);
		alarm(CASE_SECONDS);
		child(folder, mode, fd[1]);
	}
	close(fd[1]);
	size_t n = 0;
	ssize_t got;
	while (n + 1 < size && (got = read(fd[0], why + n, size - 1 - n)) > 0)
		n += (size_t)got;
	why[n] = 0;
	close(fd[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return CRASHED;
	if (WIFSIGNALED(status))
		snprintf(why, size, "signal %d", WTERMSIG(status));
	if (!WIFEXITED(status) || WEXITSTATUS(status) > WRONG)
		return CRASHED;
	return (outcome)WEXITSTATUS(status);
}

typedef struct tally {
	int cases, passed, refused, newer, xfail, bad;
} tally;

typedef struct options {
	case_mode mode;
	int shard, shards;
	const char *only;
	bool verbose;
	list unsupported, xfail;
} options;

static void judge(const options *o, const char *name, int opset, outcome got, const char *why, tally *t)
{
	bool unsupported = list_has(&o->unsupported, name), xfail = list_has(&o->xfail, name);
	const char *word = NULL;
	t->cases++;
	if (opset && opset < OLDEST_OPSET && got == REFUSED) {
		t->refused++;
		return;
	}
	if (opset > PROMISED_OPSET && (got == PASSED || got == REFUSED)) {
		t->passed += got == PASSED;
		t->newer += got != PASSED;
		return;
	}
	if (got == CRASHED)
		word = "CRASH";
	else if (unsupported)
		word = got == REFUSED  ? NULL
		       : got == PASSED ? "PASS, but in unsupported.txt"
				       : "FAIL, in unsupported.txt but not refused";
	else if (xfail)
		word = got == PASSED ? "PASS, but in xfail.txt" : NULL;
	else if (got != PASSED)
		word = "FAIL";
	if (word) {
		t->bad++;
		printf("%s %s: %s\n", word, name, why);
		return;
	}
	if (o->verbose)
		printf("%s %s: %s\n", got == PASSED ? "pass" : unsupported ? "unsupported" : "xfail", name, why);
	t->passed += got == PASSED;
	t->refused += unsupported;
	t->xfail += xfail;
}

static void run_part(const options *o, const char *data, const char *part, int *index, tally *t)
{
	char folder[1024], full[2048], why[1024];
	snprintf(folder, sizeof folder, "%s/%s", data, part);
	char **names;
	size_t n;
	if (!tarn_file_is_dir(folder) || tarn_file_list(folder, &names, &n) != TARN_OK)
		return;
	for (size_t i = 0; i < n; i++) {
		if (o->only && !strstr(names[i], o->only))
			continue;
		snprintf(full, sizeof full, "%s/%s", folder, names[i]);
		if (!tarn_file_is_dir(full) || (*index)++ % o->shards != o->shard)
			continue;
		outcome got = run_child(full, o->mode, why, sizeof why);
		judge(o, names[i], case_opset(full), got, why, t);
	}
	tarn_mem_free(names);
}

static int run_all(options *o, const char *data, const char *lists)
{
	if (!tarn_file_is_dir(data)) {
		printf("skipped: no folder '%s'; apt install libonnx-testdata\n", data);
		return 77;
	}
	list_read(lists, "unsupported.txt", &o->unsupported);
	list_read(lists, "xfail.txt", &o->xfail);
	if (o->mode == CASE_WRITE)
		list_read(lists, "xfail_write.txt", &o->xfail);
	tally t = {0};
	int index = 0;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		run_part(o, data, parts[i], &index, &t);
	printf("%d cases: %d passed, %d unsupported, %d refused beyond opset 17, %d expected to fail, %d wrong\n", t.cases,
	       t.passed, t.refused, t.newer, t.xfail, t.bad);
	list_free(&o->unsupported);
	list_free(&o->xfail);
	return t.bad || !t.cases;
}

static int done(tarn_err err)
{
	if (err != TARN_OK)
		fprintf(stderr, "run_backend: %s\n", tarn_err_text());
	return err != TARN_OK;
}

int main(int argc, char **argv)
{
	options o = {.shards = 1};
	const char *folder[2] = {NULL, NULL}, *one = NULL, *model = NULL;
	int n = 0;
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : "";
		if (!strcmp(argv[i], "-v"))
			o.verbose = true;
		else if (!strcmp(argv[i], "--mode") && ++i)
			o.mode = !strcmp(next, "pass") ? CASE_PASS : !strcmp(next, "write") ? CASE_WRITE : CASE_EVAL;
		else if (!strcmp(argv[i], "--only") && ++i)
			o.only = next;
		else if (!strcmp(argv[i], "--case") && ++i)
			one = next;
		else if (!strcmp(argv[i], "--model") && ++i)
			model = next;
		else if (!strcmp(argv[i], "--shard") && ++i && sscanf(next, "%d/%d", &o.shard, &o.shards) == 2)
			;
		else if (n < 2)
			folder[n++] = argv[i];
	}
	if (model)
		return done(case_dump(model, o.mode));
	if (one)
		return done(case_run(one, o.mode));
	if (n < 2 || o.shards < 1) {
		fprintf(stderr, "usage: run_backend [--mode eval|pass|write] [--shard I/N] [--only TEXT] [-v] DATA_FOLDER "
				"LISTS_FOLDER\n"
				"       run_backend [--mode M] --case FOLDER | --model FILE\n");
		return 2;
	}
	return run_all(&o, folder[0], folder[1]);
}
