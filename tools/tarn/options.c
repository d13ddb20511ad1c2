/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

typedef enum kind { FLAG, TEXT, INT, NUM, LIST, OUT } kind;
static const struct row {
	const char *field, *names, *arg, *doc;
	kind kind;
	size_t offset;
} rows[] = {
#define OPT(field, names, kind, arg, doc) {#field, names, arg, doc, kind, offsetof(options, field)},
#include "options.def"
#undef OPT
};
enum { N_ROWS = sizeof rows / sizeof *rows };

/* Is `word` one of the words of `list`, which `by` separates? */
static bool in_list(const char *list, char by, const char *word, size_t n)
{
	for (const char *at = list; *at;) {
		const char *end = strchr(at, by);
		size_t len = end ? (size_t)(end - at) : strlen(at);
		if (len == n && !strncmp(at, word, n))
			return true;
		at += len + (end != NULL);
	}
	return false;
}

static const struct row *find(const char *takes, const char *name, size_t n)
{
	for (int i = 0; i < N_ROWS; i++)
		if (in_list(rows[i].names, '|', name, n) && in_list(takes, ' ', rows[i].field, strlen(rows[i].field)))
			return &rows[i];
	return NULL;
}

static bool add(option_list *list, const char *word)
{
	const char **at = realloc(list->at, (list->n + 1) * sizeof *at);
	if (!at)
		return false;
	list->at = at;
	list->at[list->n++] = word;
	return true;
}

/* Stores a value; false when it is none of that kind. */
static bool store(const struct row *r, const char *value, options *o)
{
	char *field = (char *)o + r->offset, *end = NULL;
	errno = 0;
	switch (r->kind) {
	case FLAG:
		*(bool *)field = true;
		return true;
	case TEXT:
	case OUT:
		*(const char **)field = value;
		return *value;
	case INT:
		*(long *)field = strtol(value, &end, 10);
		return *value && !*end && !errno && *(long *)field >= 0;
	case NUM:
		*(double *)field = strtod(value, &end);
		return *value && !*end && !errno && isfinite(*(double *)field) && *(double *)field >= 0;
	default:
		return *value && add((option_list *)field, value);
	}
}

int options_parse(const char *command, const char *takes, int argc, char **argv, options *o)
{
	memset(o, 0, sizeof *o);
	o->argc = argc;
	o->argv = argv;
	for (int i = 0; i < N_ROWS; i++) {
		if (rows[i].kind == INT)
			*(long *)((char *)o + rows[i].offset) = -1;
		if (rows[i].kind == NUM)
			*(double *)((char *)o + rows[i].offset) = -1;
	}
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i], *name = word + strspn(word, "-");
		size_t dashes = (size_t)(name - word), n = strcspn(name, "=");
		const struct row *r = dashes == 1 || dashes == 2 ? find(takes, name, n) : NULL;
		if (!dashes && !o->word && in_list(takes, ' ', "word", 4)) {
			o->word = word;
			continue;
		}
		if (!r)
			return fail(2, command, "%s '%s'; see: tarn help %s",
				    dashes ? "no option" : "do not know what to do with", word, command);
		const char *value = name[n] ? name + n + 1 : NULL;
		if (r->kind == FLAG && value)
			return fail(2, command, "option -%.*s takes no value; leave out '=%s'", (int)n, name, value);
		if (r->kind != FLAG && !value) {
			if (++i >= argc)
				return fail(2, command, "option -%.*s needs a value; give %s", (int)n, name, r->arg);
			value = argv[i];
		}
		if (!store(r, value, o))
			return fail(2, command, "option -%.*s cannot be '%s'; give %s", (int)n, name, value, r->arg);
	}
	return 0;
}

static int check_output(const char *command, const char *model, const char *path)
{
	struct stat st, of_model;
	if (!stat(path, &st)) {
		if (S_ISDIR(st.st_mode))
			return fail(1, command, "%s cannot be written: it is a folder; give the name of a file", path);
		if (model && !stat(model, &of_model) && st.st_dev == of_model.st_dev && st.st_ino == of_model.st_ino)
			return fail(2, command, "%s is the model itself, which is not overwritten; give another name", path);
	}
	char folder[4096];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	if (n >= sizeof folder)
		return fail(2, command, "the path of a file to write is longer than %zu bytes; give a shorter one",
			    sizeof folder - 1);
	snprintf(folder, sizeof folder, "%.*s", n ? (int)n : 1, n ? path : slash ? "/" : ".");
	if (stat(folder, &st) || !S_ISDIR(st.st_mode))
		return fail(1, command, "%s cannot be written: there is no folder %s; make it first", path, folder);
	if (access(path, F_OK) ? access(folder, W_OK) : access(path, W_OK) && access(folder, W_OK))
		return fail(1, command, "%s cannot be written: %s; write to a folder that is yours", path, strerror(errno));
	return 0;
}

int options_check_outputs(const char *command, const options *o)
{
	int code = 0;
	for (int i = 0; i < N_ROWS && !code; i++) {
		if (rows[i].kind != OUT)
			continue;
		const char *path = *(const char *const *)(const void *)((const char *)o + rows[i].offset);
		if (path)
			code = check_output(command, o->model, path);
	}
	if (code || !o->report_folder)
		return code;
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/" REPORT_FILE, o->report_folder) >= sizeof path)
		return fail(2, command, "the path of -report_folder is too long; give a shorter one");
	return check_output(command, o->model, path);
}

void options_fini(options *o)
{
	for (int i = 0; i < N_ROWS; i++)
		if (rows[i].kind == LIST)
			free((void *)((option_list *)(void *)((char *)o + rows[i].offset))->at);
}

/* What an option does, in lines of at most HELP_WIDTH, each below the first. */
static void print_wrapped(const char *text)
{
	enum { INDENT = 31, HELP_WIDTH = 110 };
	const size_t room = HELP_WIDTH - INDENT;
	while (strlen(text) > room) {
		size_t n = room;
		while (n && text[n] != ' ')
			n--;
		if (!n)
			break;
		printf("%.*s\n%*s", (int)n, text, INDENT, "");
		text += n + 1;
	}
	printf("%s\n", text);
}

void options_help(const char *takes)
{
	for (int i = 0; i < N_ROWS; i++) {
		if (!in_list(takes, ' ', rows[i].field, strlen(rows[i].field)))
			continue;
		size_t n = strcspn(rows[i].names, "|");
		char left[64];
		snprintf(left, sizeof left, "%s%.*s%s%s", n ? "-" : "", (int)n, rows[i].names, n ? " " : "", rows[i].arg);
		printf("  %-28s ", left);
		print_wrapped(rows[i].doc);
	}
}
